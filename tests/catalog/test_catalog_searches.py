"""Searches by place and by identifier: the rows that a plain filter keeps, and few of the files read."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_reads import N, Reads, distance, found, plain

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import from_dataframe, open_catalog
from lkmrs_dask.catalog.star_index import STAR_INDEX_FILE
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import separation_arcsec

pytest_plugins = ["stored_fixtures"]

# -- searches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ra", "dec", "radius"),
    [
        (290, 44, 300),
        (290, 44, 3600),
        (0, 0, 20 * 3600),
        (123, 90, 15 * 3600),
        (0, -90, 90 * 3600),
        (10, 10, 648000),
        (250, -30, 0.01),
    ],
)
def test_cone_search(
    rows: pa.Table, stored: Catalog, reads: Reads, ra: float, dec: float, radius: float
) -> None:
    keep = distance(rows, ra, dec) <= radius
    part = stored.cone_search(ra, dec, radius)
    assert reads.files == []
    assert found(part) == plain(rows, keep)
    assert len(part) == keep.sum()
    assert len(part.ddf.compute()) == keep.sum()
    # What is read touches the cone: the pixel with the farthest centre still has a corner in it.
    assert reads.pixels == set(part.pixels) <= set(stored.pixels)
    if radius <= 3600:
        assert len(part.pixels) < len(stored.pixels) / 2


def test_a_cone_reads_few_row_groups(rows: pa.Table, stored: Catalog, reads: Reads) -> None:
    part = stored[["star_id", HEALPIX_COLUMN]].cone_search(290, 44, 60)
    names = {row["star_id"] for row in plain(rows, distance(rows, 290, 44) <= 60)}
    assert set(part.to_arrow().column("star_id").to_pylist()) == names
    assert len(names) > 1
    groups = sum(map(len, reads.groups))
    every = sum(pq.read_metadata(f).num_row_groups for f in reads.files)
    assert 0 < groups < every
    # The coordinates are needed though they were not asked for.
    assert set(reads.columns) == {("star_id", HEALPIX_COLUMN, "ra", "dec")}


def test_polygon_search(rows: pa.Table, stored: Catalog, reads: Reads) -> None:
    """Its sides are the equator and two meridians, so plain limits of RA and Dec tell what is inside."""
    part = stored.polygon_search([(30, 0), (100, 0), (100, 90)])
    ra, dec = rows.column("ra").to_numpy(), rows.column("dec").to_numpy()
    assert found(part) == plain(rows, (ra >= 30) & (ra <= 100) & (dec >= 0))
    assert reads.pixels == set(part.pixels) < set(stored.pixels)


def test_pixel_search(rows: pa.Table, stored: Catalog, reads: Reads) -> None:
    index = from_dataframe(rows).to_arrow().sort_by("star_id").column(HEALPIX_COLUMN).to_numpy()
    wanted = [(1, 5), (6, int(index[0] >> 46)), (0, 9)]
    keep = np.any([(index >> (58 - 2 * order)) == pixel for order, pixel in wanted], axis=0)
    part = stored.pixel_search(wanted)
    assert found(part) == plain(rows, keep)
    assert reads.pixels == set(part.pixels) < set(stored.pixels)
    assert len(stored.pixel_search([])) == 0
    whole = stored.pixels[4]
    assert found(stored.pixel_search([whole])) == plain(rows, index >> (58 - 2 * whole[0]) == whole[1])


@given(
    ra=st.floats(0, 360), dec=st.floats(-90, 90), log_radius=st.floats(0, 5.8), down=st.floats(0, 60),
    ids=st.lists(st.integers(0, N + 10), min_size=1, max_size=5),
)  # fmt: skip
@settings(max_examples=10, deadline=None)
def test_searches_one_after_another_equal_filters(
    rows: pa.Table, stored: Catalog, ra: float, dec: float, log_radius: float, down: float, ids: list[int]
) -> None:
    radius, lower = 10**log_radius, max(dec - down, -90)
    narrow = stored[["star_id", HEALPIX_COLUMN]]
    rows = rows.select(["star_id", "ra", "dec"])
    part = narrow.cone_search(ra, dec, radius).cone_search(ra, lower, radius)
    keep = (distance(rows, ra, dec) <= radius) & (distance(rows, ra, lower) <= radius)
    expected = [row["star_id"] for row in plain(rows, keep)]
    assert [row["star_id"] for row in found(part)] == expected
    names = {f"s{k:05d}" for k in ids}
    expected = [name for name in expected if name in names]
    assert [row["star_id"] for row in found(part.id_search(names))] == expected
    turned = narrow.id_search(names).cone_search(ra, lower, radius).cone_search(ra, dec, radius)
    assert [row["star_id"] for row in found(turned)] == expected


def test_a_search_keeps_the_columns_that_were_chosen(stored: Catalog) -> None:
    part = stored[["snr"]].cone_search(290, 44, 600).id_search(["s00001", "s00002"])
    assert part.columns == ["snr"]
    assert part.to_arrow().column_names == ["snr"]
    assert part.path is None


def test_a_search_needs_coordinates(stored: Catalog) -> None:
    schema = pa.schema([(HEALPIX_COLUMN, pa.int64())])
    bare = stored.map_partitions(lambda table: table.select([HEALPIX_COLUMN]), schema, [HEALPIX_COLUMN])
    with pytest.raises(UsageError, match="no columns dec, ra to search by"):
        bare.cone_search(0, 0, 1)


def test_bad_regions_are_refused(stored: Catalog) -> None:
    for search in (
        lambda: stored.cone_search(0, 95, 1),
        lambda: stored.cone_search(0, 0, -1),
        lambda: stored.polygon_search([(0, 0), (1, 1)]),
        lambda: stored.pixel_search([(0, 12)]),
    ):
        with pytest.raises(UsageError):
            search()


def test_a_margin_is_searched_whole(shared: Path) -> None:
    """Rows of a margin lie around its pixels, so a region may hold some though no pixel touches it."""
    margin = open_catalog(shared / "data/hats/hats/small_sky_o1_collection/small_sky_order1_margin")
    table = margin.to_arrow()
    ra, dec = table.column("ra").to_numpy(), table.column("dec").to_numpy()
    for ra0, dec0, radius in ((315, -45, 20 * 3600), (ra[0], dec[0], 5)):
        keep = separation_arcsec(ra0, dec0, ra, dec) <= radius
        assert len(margin.cone_search(ra0, dec0, radius).to_arrow()) == keep.sum() > 0


# -- ids -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["star_id", "uid"])
def test_ids_of_the_star_list_read_their_partitions_only(
    rows: pa.Table, stored: Catalog, reads: Reads, column: str
) -> None:
    wanted = [*rows.column(column).drop_null().take(pa.array([5, 400, 700])).to_pylist(), "nobody"]
    part = stored.id_search(wanted, column)
    assert len(part.pixels) == 3
    reads.files.clear()
    values = np.array(rows.column(column).to_pylist(), dtype=object)
    assert found(part) == plain(rows, np.isin(values, wanted))
    assert len(reads.files) == 3
    assert reads.pixels == set(part.pixels)


def test_ids_without_a_star_list(rows: pa.Table, stored: Catalog) -> None:
    memory = from_dataframe(rows, max_rows=100)
    for catalog in (memory, stored):
        assert found(catalog.id_search([2**62 + 3, 2**62 + 2], "gaia_source_id")) == [
            row for row in rows.to_pylist() if row["gaia_source_id"] == 2**62 + 3
        ]
    assert found(memory.id_search(["s00005", "s00300"])) == found(stored.id_search(["s00005", "s00300"]))
    assert found(memory.id_search([True], "coadd")) == plain(
        rows, rows.column("coadd").fill_null(False).to_numpy()
    )
    assert found(memory.id_search([date(2018, 5, 3)], "obsdate")) == [
        row for row in rows.to_pylist() if row["obsdate"] == date(2018, 5, 3)
    ]


def test_null_is_a_value_to_search_for(rows: pa.Table, stored: Catalog) -> None:
    missing = [row for row in rows.to_pylist() if row["uid"] is None]
    assert found(stored.id_search([None], "uid")) == missing
    assert len(found(stored.id_search([None, "G1"], "uid"))) in (len(missing), len(missing) + 1)


def test_ids_given_as_text_or_numpy_numbers(rows: pa.Table, stored: Catalog) -> None:
    number = rows.column("gaia_source_id").drop_null()[0].as_py()
    expected = [row for row in rows.to_pylist() if row["gaia_source_id"] == number]
    for values in ([str(number)], np.array([number]), pd.Series([number]), iter([number]), {number}):
        assert found(stored.id_search(values, "gaia_source_id")) == expected


def test_no_ids_find_nothing_and_read_nothing(stored: Catalog, reads: Reads) -> None:
    assert len(stored.id_search([])) == 0
    assert len(stored.id_search(["nobody"])) == 0
    assert not [file for file in reads.files if "Npix" in file]


@pytest.mark.parametrize(
    ("values", "column", "match"),
    [
        (["x"], "kic", "stored has no column kic"),
        ("s00001", "star_id", r"id_search\(\['s00001'\]\)"),
        (["one"], "gaia_source_id", "values for column gaia_source_id must be int64"),
        ([1.5], "gaia_source_id", "must be int64"),
        ([2.0**63], "gaia_source_id", "must be int64"),
        ([2**70], "gaia_source_id", "must be int64"),
        ([1, "x"], "star_id", "must be string"),
    ],
)
def test_ids_that_cannot_be(stored: Catalog, values: list, column: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        stored.id_search(values, column)


def test_a_broken_star_list(stored: Catalog, tmp_path: Path) -> None:
    catalog = stored.write(tmp_path / "c")
    assert not (tmp_path / "c" / STAR_INDEX_FILE).exists(), "write makes no list of stars; builds do"
    (tmp_path / "c" / STAR_INDEX_FILE).write_bytes(b"nothing")
    with pytest.raises(CatalogError, match=r"star_index.parquet: the list of stars cannot be read"):
        catalog.id_search(["s00001"])
