"""Lazy reading: columns, divisions, searches and functions of partitions, and how little they touch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from stored_reads import N, Reads, as_table, distance, found, plain

from lkmrs_dask.catalog.catalog import Catalog, to_pandas
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import index_range

pytest_plugins = ["stored_fixtures"]

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
