"""Wrong calls and unfit catalogues: an error that says what to do, or the right answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from match_files import partition_file, write_files, write_properties
from match_oracle import Sky, around, everywhere, stars

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import from_dataframe, open_catalog
from lkmrs_dask.errors import CatalogError, UsageError


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    sky = around(100.0, 20.0, 3600.0, 60, np.random.default_rng(0))
    return from_dataframe(stars(sky, "i", star_id=[f"s{k}" for k in range(60)]), max_rows=10)


# -- options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0, 0.0, -1, 7200.1, np.inf, np.nan, "3.7", None, [3.7], 3.7j])
def test_radii_that_cannot_be(catalog: Catalog, radius: Any) -> None:
    with pytest.raises(UsageError, match=r"the radius is a number in \(0, 7200\] \(arcsec\), not "):
        crossmatch(catalog, catalog, radius)


@pytest.mark.parametrize("radius", [1, np.int64(1), np.float32(1.0), np.float64(1.0), 0.01, 7200])
def test_numbers_of_any_kind_are_radii(catalog: Catalog, radius: Any) -> None:
    assert len(crossmatch(catalog, catalog, radius)) == 60


@pytest.mark.parametrize("neighbours", [0, -1, 1.0, True, None, "closest", "Nearest", [1]])
def test_neighbours_that_cannot_be(catalog: Catalog, neighbours: Any) -> None:
    match = "neighbours is nearest, all, one-to-one or a number from 1 on, not "
    with pytest.raises(UsageError, match=match):
        crossmatch(catalog, catalog, 1.0, neighbours)
    assert len(crossmatch(catalog, catalog, 1.0, np.int64(1))) == 60  # type: ignore[arg-type]


@pytest.mark.parametrize("join", ["outer", "right", None, "INNER"])
def test_joins_that_cannot_be(catalog: Catalog, join: Any) -> None:
    with pytest.raises(UsageError, match="join is one of inner, left, anti, not "):
        crossmatch(catalog, catalog, 1.0, join=join)


@pytest.mark.parametrize(
    "suffixes", ["ab", ("", ""), ("_a", "_a"), ("_a",), ("_a", "_b", "_c"), ("_a", 2), None]
)
def test_suffixes_that_cannot_be(catalog: Catalog, suffixes: Any) -> None:
    with pytest.raises(UsageError, match=r"suffixes are two texts, not |: choose other suffixes"):
        crossmatch(catalog, catalog, 1.0, suffixes=suffixes)


def test_names_that_clash_are_told(catalog: Catalog) -> None:
    other = from_dataframe(pd.DataFrame({"ra": [1.0], "dec": [1.0], "ra_2": [0]}))
    with pytest.raises(UsageError, match="both catalogues would give a column ra_2: choose other suffixes"):
        crossmatch(catalog, other, 1.0)
    assert "ra_2" in crossmatch(catalog, other, 1.0, suffixes=("", "_other")).columns
    assert crossmatch(catalog, other, 1.0, join="anti").columns == catalog.columns


@pytest.mark.parametrize("other", ["gaia", Path("gaia"), pd.DataFrame({"ra": [1.0], "dec": [1.0]}), None])
def test_what_is_no_catalogue(catalog: Catalog, other: Any) -> None:
    kind = type(other).__name__
    with pytest.raises(
        UsageError, match=f"right is a Catalog, of open_catalog or from_dataframe, not {kind}"
    ):
        crossmatch(catalog, other, 1.0)
    with pytest.raises(UsageError, match="left is a Catalog"):
        crossmatch(other, catalog, 1.0)


def test_identifiers_that_cannot_be(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="has no column kic; it has _healpix_29, i, ra, dec, star_id"):
        crossmatch(catalog, catalog, 1.0, id_column="kic")
    lists = from_dataframe(pa.table({"ra": [1.0], "dec": [1.0], "ids": [[1, 2]]}))
    with pytest.raises(UsageError, match="identifiers are numbers or text; ids is list"):
        crossmatch(catalog, lists, 1.0, id_column="ids")


def test_nothing_is_read_before_it_is_asked_for(catalog: Catalog, tmp_path: Path) -> None:
    """So all that can be said beforehand is said when the match is made, and the rest names its file."""
    stored = write_files(tmp_path / "c", catalog)
    matched = crossmatch(catalog, stored, 1.0)
    for path in (tmp_path / "c").rglob("*.parquet"):
        path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(CatalogError, match=r"Npix=\d+\.parquet: cannot be read as Parquet"):
        matched.to_arrow()
    for path in (tmp_path / "c").rglob("*.parquet"):
        path.unlink()
    with pytest.raises(CatalogError, match=r"Npix=\d+.*(missing|cannot be read)"):
        matched.to_arrow()


def test_margins_are_refused(shared: Path, catalog: Catalog) -> None:
    margin = open_catalog(shared / "data/hats/hats/small_sky_o1_collection/small_sky_order1_margin")
    for pair in ((margin, catalog), (catalog, margin)):
        with pytest.raises(UsageError, match="is a margin catalogue: match the catalogue that it belongs to"):
            crossmatch(*pair, 1.0)


# -- coordinates ---------------------------------------------------------------------------------------------


def test_units_that_are_stated(catalog: Catalog) -> None:
    table = pa.table({"ra": [1.0], "dec": [1.0]})
    for unit, good in (("deg", True), ("Degree", True), ("", True), ("rad", False), ("hourangle", False)):
        schema = pa.schema([pa.field("ra", pa.float64(), metadata={"unit": unit}), ("dec", pa.float64())])
        other = from_dataframe(table.cast(schema))
        if good:
            assert len(crossmatch(catalog, other, 1.0)) == 0
        else:
            with pytest.raises(CatalogError, match=f"column ra is in {unit}, not in degrees"):
                crossmatch(catalog, other, 1.0)


def in_radians(table: pa.Table) -> pa.Table:
    for name in ("ra", "dec"):
        values = np.radians(np.asarray(table.column(name)))
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    return table


def at(name: str, value: float) -> Callable[[pa.Table], pa.Table]:
    """Function of a table that gives all rows one coordinate."""

    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.column_names.index(name), name, pa.array(np.full(len(table), value)))

    return change


def in_hours(table: pa.Table) -> pa.Table:
    hours = np.asarray(table.column("ra")) / 15.0
    return table.set_column(table.column_names.index("ra"), "ra", pa.array(hours))


@pytest.mark.parametrize("wrong", [in_radians, in_hours])
@pytest.mark.parametrize("sides", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("way", ["memory", "files", "files without index"])
def test_other_units_are_noticed(
    catalog: Catalog,
    tmp_path: Path,
    wrong: Callable[[pa.Table], pa.Table],
    sides: tuple[bool, bool],
    way: str,
) -> None:
    """Also where both sides are wrong alike, and pairs are found: these are pairs at wrong distances."""
    pair = []
    for k, bad in enumerate(sides):
        one = catalog.map_partitions(wrong, catalog.schema) if bad else catalog
        if way != "memory":
            one = write_files(tmp_path / str(k), one, indexed=way == "files")
        pair.append(one)
    for join in ("inner", "anti"):
        with pytest.raises(CatalogError, match="coordinates must be in degrees"):
            crossmatch(pair[0], pair[1], 60.0, "all", join).to_arrow()


def test_declinations_beyond_the_poles(catalog: Catalog) -> None:
    beyond = catalog.map_partitions(at("dec", 90.5), catalog.schema)
    for pair in ((beyond, catalog), (catalog, beyond)):
        with pytest.raises(CatalogError, match="column dec goes beyond 90 deg: not in degrees"):
            crossmatch(*pair, 1.0).to_arrow()


def test_coordinates_of_other_types(catalog: Catalog) -> None:
    schema = catalog.schema.set(2, pa.field("ra", pa.string()))
    text = catalog.map_partitions(lambda table: table.cast(schema), schema)
    with pytest.raises(CatalogError, match="column ra is string, no numbers of degrees"):
        crossmatch(catalog, text, 1.0)
    bare = catalog.map_partitions(lambda table: table.drop_columns(["ra"]), catalog.schema.remove(2))
    with pytest.raises(UsageError, match="has no column ra; it has"):
        crossmatch(bare, catalog, 1.0)
    numbers = pa.table({"j": [0], "ra": pa.array([100], pa.int16()), "dec": pa.array([20], pa.uint8())})
    one = from_dataframe(pd.DataFrame({"i": [0], "ra": [100.0], "dec": [20.0]}))
    assert len(crossmatch(one, from_dataframe(numbers), 0.01)) == 1


def test_rows_of_one_partition_in_another_are_noticed(tmp_path: Path) -> None:
    """A catalogue whose files were mixed up would lose pairs; without an index it can be seen."""
    sky = everywhere(200, np.random.default_rng(1))
    whole = from_dataframe(stars(sky, "i"), max_rows=20)
    stored = write_files(tmp_path / "c", whole, indexed=False)
    one, two = (partition_file(tmp_path / "c", *part) for part in (whole.pixels[0], whole.pixels[-1]))
    tables = [pq.read_table(path, partitioning=None) for path in (one, two)]
    for path, table in zip((two, one), tables, strict=True):
        pq.write_table(table, path)
    with pytest.raises(CatalogError, match=r"arcsec from where its partition, order \d+, pixel \d+, is"):
        crossmatch(stored, whole, 1.0).to_arrow()


def test_all_coordinates_null(tmp_path: Path) -> None:
    null = pa.array([None, None], pa.float64())
    write_properties(tmp_path)
    table = pa.table({"_healpix_29": [5, 6], "j": [0, 1], "ra": null, "dec": null})
    pq.write_table(table, partition_file(tmp_path, 0, 0))
    lost = open_catalog(tmp_path)
    one = from_dataframe(stars(Sky(np.array([45.0]), np.array([1.0])), "i"))
    for neighbours in ("nearest", "all", "one-to-one"):
        assert len(crossmatch(one, lost, 7200.0, neighbours)) == 0
        left = crossmatch(lost, one, 7200.0, neighbours, "left").to_arrow()
        assert left.column("n_candidates").to_pylist() == [0, 0]
        assert left.column("i").null_count == 2


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_coordinates(catalog: Catalog, value: float) -> None:
    """An infinite right ascension is none; an infinite declination is beyond the pole."""
    for name, fails in (("ra", False), ("dec", True)):
        odd = catalog.map_partitions(at(name, value), catalog.schema)
        matched = crossmatch(catalog, odd, 1.0)
        if fails:
            with pytest.raises(CatalogError, match="goes beyond 90 deg"):
                matched.to_arrow()
        else:
            assert len(matched) == 0


def test_null_coordinates_without_an_index(tmp_path: Path) -> None:
    """Such rows of the right side have no counterpart."""
    sky = Sky(np.array([45.0, 45.0, 45.0]), np.array([1.0, 1.0, 2.0]))
    table = stars(sky, "j").set_column(1, "ra", pa.array([45.0, None, 45.0]))
    write_properties(tmp_path)
    pq.write_table(table, partition_file(tmp_path, 0, 0))
    (tmp_path / "partition_info.csv").write_text("Norder,Npix\n0,0\n")
    one = from_dataframe(stars(Sky(np.array([45.0]), np.array([1.0])), "i"))
    for neighbours in ("nearest", "all", "one-to-one"):
        found = crossmatch(one, open_catalog(tmp_path), 1.0, neighbours).to_arrow()
        assert found.column("j").to_pylist() == [0]
