"""Lazy reading: columns, divisions, searches and functions of partitions, and how little they touch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.catalog import hats_write
from lkmrs_dask.catalog.catalog import Catalog, to_pandas
from lkmrs_dask.catalog.opening import from_dataframe, open_catalog
from lkmrs_dask.catalog.star_index import STAR_INDEX_FILE, write_star_index
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import index_range, separation_arcsec

N = 1000


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """Rows with every type of column, nulls in each, and ids that no float holds."""
    rng = np.random.default_rng(0)
    ra, dec = rng.uniform(0, 360, N), np.degrees(np.arcsin(rng.uniform(-1, 1, N)))
    ra[:200], dec[:200] = 290 + rng.normal(0, 0.1, 200), 44 + rng.normal(0, 0.1, 200)
    null = rng.random(N) < 0.2
    number = np.arange(N)
    return pa.table(
        {
            "star_id": pa.array([f"s{k:05d}" for k in number]),
            "uid": pa.array([f"G{k}" for k in number], mask=null),
            "ra": ra,
            "dec": dec,
            "gaia_source_id": pa.array(2**62 + 2 * number + 1, mask=null),
            "snr": pa.array(rng.normal(50, 10, N), mask=null),
            "spid": pa.array(number.astype(np.int16), mask=null),
            "coadd": pa.array(number % 2 == 0, mask=null),
            "obsdate": pa.array([None if m else date(2018, 5, 1 + k % 28) for k, m in enumerate(null)]),
            "flux": pa.array([None if m else [float(k), None, 0.5][: k % 4] for k, m in enumerate(null)],
                             pa.list_(pa.float32())),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def stored(rows: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The same on disk, in some 25 partitions with row groups of 20 rows."""
    root = tmp_path_factory.mktemp("reading") / "stored"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hats_write, "ROW_GROUP_ROWS", 20)
        catalog = from_dataframe(rows, max_rows=80).write(root)
        write_star_index(root, from_dataframe(rows).to_arrow())
    assert len(catalog.pixels) > 20
    return catalog


class Reads:
    """Files opened and columns and row groups read, seen at pyarrow's door."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.columns: list[tuple[str, ...] | None] = []
        self.groups: list[list[int]] = []

    @property
    def pixels(self) -> set[tuple[int, int]]:
        return {
            (int(f.split("Norder=")[1].split("/")[0]), int(f.split("Npix=")[1].split(".")[0]))
            for f in self.files
        }


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    seen = Reads()

    class Spy(pq.ParquetFile):
        def __init__(self, source: object, *args: object, **kwargs: object) -> None:
            seen.files.append(str(source))
            super().__init__(source, *args, **kwargs)

        def read(self, columns: list[str] | None = None, **kwargs: object) -> pa.Table:
            seen.columns.append(None if columns is None else tuple(columns))
            seen.groups.append(list(range(self.num_row_groups)))
            return super().read(columns, **kwargs)

        def read_row_groups(
            self, groups: list[int], columns: list[str] | None = None, **kwargs: object
        ) -> pa.Table:
            seen.columns.append(None if columns is None else tuple(columns))
            seen.groups.append(list(groups))
            return super().read_row_groups(groups, columns, **kwargs)

    monkeypatch.setattr(pq, "ParquetFile", Spy)
    return seen


def as_table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame).replace_schema_metadata(None)


def plain(rows: pa.Table, keep: np.ndarray) -> list[dict]:
    return rows.filter(pa.array(keep)).sort_by("star_id").to_pylist()


def found(catalog: Catalog) -> list[dict]:
    table = catalog.to_arrow()
    assert np.all(np.diff(table.column(HEALPIX_COLUMN).to_numpy()) >= 0)
    return table.drop_columns([HEALPIX_COLUMN]).sort_by("star_id").to_pylist()


# -- the data frame ------------------------------------------------------------------------------------------


def test_all_values_come_back_whole(rows: pa.Table, stored: Catalog) -> None:
    """Ids beyond 2 ** 53, nulls and lists, by each way to the rows."""
    expected = plain(rows, np.ones(N, bool))
    assert found(stored) == expected
    for frame in (stored.compute(), stored.ddf.compute(), dask.compute(stored.ddf)[0]):
        table = as_table(frame.reset_index(drop=True)).sort_by("star_id")
        assert table.to_pylist() == expected
        assert all(isinstance(kind, pd.ArrowDtype) for kind in frame.dtypes)
        assert frame["gaia_source_id"].dtype == pd.ArrowDtype(pa.int64())
        assert frame["gaia_source_id"].isna().sum() == rows.column("gaia_source_id").null_count > 0
        assert frame["flux"].dtype == pd.ArrowDtype(pa.list_(pa.float32()))
    assert 2**62 + 2 * (N - 1) + 1 in {row["gaia_source_id"] for row in expected}


def test_a_partition_for_each_pixel_inside_its_divisions(stored: Catalog, reads: Reads) -> None:
    ddf = stored.ddf
    assert reads.files == [], "making the data frame reads nothing"
    assert ddf.npartitions == len(stored.pixels)
    assert ddf.known_divisions
    for number, pixel in enumerate(stored.pixels):
        frame = ddf.get_partition(number).compute()
        assert len(frame)
        assert frame.index.is_monotonic_increasing
        lo, hi = index_range(*pixel)
        assert lo <= frame.index[0]
        assert frame.index[-1] < hi
        assert ddf.divisions[number] <= frame.index[0]
        assert frame.index[-1] < ddf.divisions[number + 1]
        assert frame.dtypes.equals(ddf._meta.dtypes)
    assert len(reads.files) == len(stored.pixels), "each file is opened once"
    assert reads.pixels == set(stored.pixels)


def test_loc_reads_only_the_partitions_of_its_range(stored: Catalog, reads: Reads) -> None:
    index = stored[[HEALPIX_COLUMN]].to_arrow().column(0).to_numpy()
    reads.files.clear()
    a, b = int(index[300]), int(index[400])
    frame = stored.ddf.loc[a:b].compute()
    assert frame.index.tolist() == index[(index >= a) & (index <= b)].tolist()
    assert 0 < len(reads.files) < 8
    assert stored.ddf.loc[a].compute()["star_id"].tolist() == frame.loc[[a]]["star_id"].tolist()


def test_only_the_columns_of_a_computation_are_read(stored: Catalog, reads: Reads) -> None:
    mean = stored.ddf["snr"].mean().compute()
    assert mean == pytest.approx(pc.mean(stored[["snr"]].to_arrow().column(0)).as_py(), rel=1e-12)
    assert set(reads.columns) == {(HEALPIX_COLUMN, "snr"), ("snr",)}
    reads.columns.clear()
    stored.ddf[["uid", "ra"]].compute()
    assert set(reads.columns) == {(HEALPIX_COLUMN, "uid", "ra")}
    reads.columns.clear()
    stored[["flux"]].to_arrow()
    assert set(reads.columns) == {("flux",)}
    reads.columns.clear()
    len(stored)
    assert reads.columns == [], "the number of rows stands in the properties"


def test_a_damaged_column_does_not_disturb_the_others(stored: Catalog, tmp_path: Path) -> None:
    """Stronger than a spy: the bytes of the column cannot have been used."""
    target = tmp_path / "damaged"
    stored.write(target)
    for file in target.glob("dataset/*/*/*.parquet"):
        with pq.ParquetFile(file) as parquet:
            footer, at = parquet.metadata, parquet.schema_arrow.names.index("snr")
        content = bytearray(file.read_bytes())
        for group in range(footer.num_row_groups):
            column = footer.row_group(group).column(at)
            assert column.path_in_schema == "snr"
            start = column.data_page_offset
            content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
        file.write_bytes(bytes(content))
    damaged = open_catalog(target)
    others = [name for name in stored.columns if name != "snr"]
    assert damaged[others].to_arrow().equals(stored[others].to_arrow())
    assert damaged.ddf[["uid", "flux"]].compute().equals(stored.ddf[["uid", "flux"]].compute())
    with pytest.raises(CatalogError, match=r"\.parquet: cannot be read as Parquet"):
        damaged[["snr"]].to_arrow()


def test_the_data_frame_computes_like_pandas(rows: pa.Table, stored: Catalog) -> None:
    frame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    got = stored.ddf.groupby("spid")["snr"].max().compute().sort_index()
    expected = frame.groupby("spid")["snr"].max().sort_index()
    assert got.astype(float).equals(expected.astype(float))
    assert int(stored.ddf["coadd"].sum().compute()) == int(frame["coadd"].sum())
    assert len(stored.ddf[stored.ddf["dec"] > 44].compute()) == (frame["dec"] > 44).sum()


def test_choosing_columns(stored: Catalog) -> None:
    two = stored[["snr", "ra"]]
    assert two.columns == ["snr", "ra"]
    assert two.schema.names == two.to_arrow().column_names == ["snr", "ra"]
    assert list(two.ddf.columns) == ["snr", "ra"]
    assert two.ddf.index.name == HEALPIX_COLUMN
    assert len(two) == N
    assert list(stored[[HEALPIX_COLUMN, "ra"]].ddf.columns) == ["ra"]
    assert f"{len(two.pixels)} partitions, 2 columns, {N} rows" in repr(two)


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ("ra", r"catalog\[\['ra'\]\]"),
        (["ra", "teff", "x"], "stored has no column teff, x; it has _healpix_29, star_id"),
        (["ra", "ra"], "given twice"),
    ],
)
def test_choosing_columns_that_are_not_there(stored: Catalog, columns: list[str], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        stored[columns]
    with pytest.raises(UsageError, match="has no column dec"):
        stored[["ra"]][["dec"]]


@pytest.mark.parametrize("n", [0, 1, 5, 150, N, N + 1])
def test_head_reads_no_more_than_it_needs(stored: Catalog, reads: Reads, n: int) -> None:
    assert stored.head(n).equals(to_pandas(stored.to_arrow().slice(0, n)))
    assert len(set(reads.files)) == len(stored.pixels)  # those of to_arrow
    reads.files.clear()
    stored.head(n)
    assert len(reads.files) <= (0 if n == 0 else n // 2 + 1)


def test_to_pandas_without_the_index(rows: pa.Table) -> None:
    frame = to_pandas(rows)
    assert frame.index.equals(pd.RangeIndex(N))
    assert as_table(frame).to_pylist() == rows.to_pylist()


def test_rows_out_of_order_are_sorted_where_order_matters(
    rows: pa.Table, stored: Catalog, tmp_path: Path
) -> None:
    """Files of others, and functions, may have rows of a partition in any order."""
    shuffled = stored.map_partitions(
        lambda table: table.take(pa.array(range(len(table)))[::-1]), stored.schema
    )
    assert shuffled.ddf.get_partition(3).compute().index.is_monotonic_increasing
    index = stored.ddf.get_partition(3).compute().index
    assert len(shuffled.ddf.loc[int(index[2]) + 1 : int(index[9]) - 1].compute()) == 6
    again = shuffled.write(tmp_path / "again")
    assert found(again) == plain(rows, np.ones(N, bool))


# -- searches ------------------------------------------------------------------------------------------------


def distance(rows: pa.Table, ra: float, dec: float) -> np.ndarray:
    return separation_arcsec(ra, dec, rows.column("ra").to_numpy(), rows.column("dec").to_numpy())


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


# -- functions of partitions ---------------------------------------------------------------------------------


def doubled(table: pa.Table) -> pa.Table:
    columns = {name: table.column(name) for name in (HEALPIX_COLUMN, "star_id", "ra", "dec")}
    return pa.table({**columns, "twice": pc.multiply(table.column("snr"), 2)})


DOUBLED = pa.schema(
    [(HEALPIX_COLUMN, pa.int64()), ("star_id", pa.string()), ("ra", pa.float64()), ("dec", pa.float64()),
     ("twice", pa.float64())]
)  # fmt: skip
NEEDS = [HEALPIX_COLUMN, "star_id", "ra", "dec", "snr"]


def test_map_partitions(rows: pa.Table, stored: Catalog, reads: Reads) -> None:
    mapped = stored.map_partitions(doubled, DOUBLED, NEEDS, name="double")
    assert reads.files == []
    assert (mapped.name, mapped.columns, mapped.path) == ("double", DOUBLED.names, None)
    expected = {row["star_id"]: None if row["snr"] is None else 2 * row["snr"] for row in rows.to_pylist()}
    assert {row["star_id"]: row["twice"] for row in mapped.to_arrow().to_pylist()} == expected
    assert set(reads.columns) == {tuple(NEEDS)}
    assert mapped.ddf["twice"].sum().compute() == pytest.approx(
        2 * pc.sum(rows.column("snr")).as_py(), rel=1e-12
    )
    assert len(mapped) == N
    near = distance(rows, 290, 44) <= 600
    assert len(mapped.cone_search(290, 44, 600).to_arrow()) == near.sum()
    assert (
        len(stored.cone_search(290, 44, 600).map_partitions(doubled, DOUBLED, NEEDS).to_arrow()) == near.sum()
    )


def test_results_are_brought_to_the_schema(stored: Catalog) -> None:
    schema = DOUBLED.set(4, pa.field("twice", pa.float32(), metadata={"unit": "none"}))
    mapped = stored.map_partitions(doubled, schema, NEEDS)
    assert mapped.to_arrow().schema.equals(schema)
    assert mapped.schema.field("twice").metadata == {b"unit": b"none"}


@pytest.mark.parametrize(
    ("function", "schema", "needs", "error", "match"),
    [
        (doubled, DOUBLED, ["teff"], UsageError, "stored has no column teff"),
        (doubled, DOUBLED.remove(0), NEEDS, UsageError, "must keep the column _healpix_29"),
        (lambda t: t, DOUBLED, NEEDS, CatalogError, r"result for order \d+, pixel \d+ is not of its schema"),
        (
            doubled,
            DOUBLED.set(1, pa.field("star_id", pa.int64())),
            NEEDS,
            CatalogError,
            "is not of its schema",
        ),
    ],
)
def test_functions_that_do_not_fit(
    stored: Catalog, function: Callable, schema: pa.Schema, needs: list[str], error: type, match: str
) -> None:
    with pytest.raises(error, match=match):
        stored.map_partitions(function, schema, needs).to_arrow()
