"""Any rows to HATS: the same from whatever chunks, against a plain sort, and valid by hats' own rules."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hats.io.validation import is_valid_catalog
from hats.pixel_math.spatial_index import compute_spatial_index
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.catalog import table_runs
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.table_build import MISSING_POSITION, NO_DECLINATION, Built, _tile, build_table
from lkmrs_dask.catalog.table_runs import Spilled, spill
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29
from lkmrs_dask.sky.tiling import adaptive_tiling


def random_table(n: int, seed: int = 1) -> pa.Table:
    """Rows over the whole sky and crowded in a corner, some at the same place."""
    rng = np.random.default_rng(seed)
    crowd = rng.random(n) < 0.5
    ra = np.where(crowd, 290.0 + 0.001 * rng.random(n), 360.0 * rng.random(n))
    dec = np.where(crowd, 44.0 + 0.001 * rng.random(n), np.degrees(np.arcsin(2 * rng.random(n) - 1)))
    again = rng.integers(0, n, n // 4)
    ra[: len(again)], dec[: len(again)] = ra[again], dec[again]
    return pa.table(
        {
            "ra": ra,
            "dec": dec,
            "id": pa.array(rng.integers(1 << 60, (1 << 60) + n, n)),
            "name": pa.array([None if x < 0.1 else f"star {x:.3f}" for x in rng.random(n)]),
            "mag": pa.array(np.round(rng.normal(13, 1, n), 1), mask=rng.random(n) < 0.2),
        },
        schema=pa.schema(
            [
                pa.field("ra", pa.float64(), metadata={"unit": "deg"}),
                pa.field("dec", pa.float64(), metadata={"unit": "deg"}),
                ("id", pa.int64()),
                ("name", pa.string()),
                ("mag", pa.float64()),
            ]
        ),
    )


def build(chunks: object, target: Path, **more: object) -> Built:
    """Build with the usual columns."""
    return build_table(chunks, target, ra_column="ra", dec_column="dec", id_column="id", **more)  # type: ignore[arg-type]


def stored(target: Path) -> list[tuple]:
    """Rows of the partition files, in sky order of the files."""
    with (target / "partition_info.csv").open() as stream:
        pairs = [line.strip().split(",") for line in stream][1:]
    rows = []
    for order, pixel in pairs:
        folder = target / f"dataset/Norder={order}/Dir={int(pixel) // 10_000 * 10_000}"
        rows += [
            tuple(row.values())
            for row in pq.read_table(folder / f"Npix={pixel}.parquet", partitioning=None).to_pylist()
        ]
    return rows


def digest(target: Path) -> dict[str, str]:
    """Checksums of the partition files."""
    files = sorted((target / "dataset").rglob("Npix=*.parquet"))
    return {str(f.relative_to(target)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def sort_key(row: tuple) -> tuple:
    """Index, identifier, then the rest in order, null last."""
    index, ra, dec, ident, *rest = row
    return (index, ident, ra, dec, *((value is None, value if value is not None else 0) for value in rest))


def test_all_rows_are_there_sorted_and_valid(tmp_path: Path) -> None:
    table = random_table(3000)
    built = build([table], tmp_path / "cat", max_rows=200)
    index = compute_spatial_index(table["ra"].to_numpy(), table["dec"].to_numpy())
    plain = [(i, *row.values()) for i, row in zip(index.tolist(), table.to_pylist(), strict=True)]
    found = stored(tmp_path / "cat")
    assert found == sorted(plain, key=sort_key)
    assert len({row[0] for row in plain}) < len(plain), "some share a place"
    assert built.rows == 3000
    assert built.set_aside == {}
    assert is_valid_catalog(tmp_path / "cat", strict=True, verbose=False)
    assert not list((tmp_path / "cat").glob(".*")), "runs are gone"
    catalog = open_catalog(tmp_path / "cat")
    assert len(catalog.compute()) == 3000
    assert len(catalog.pixels) == built.partitions > 10
    schema = pq.read_schema(tmp_path / "cat/dataset/_common_metadata")
    assert schema.field("ra").metadata == {b"unit": b"deg"}
    assert schema.names == [HEALPIX_COLUMN, "ra", "dec", "id", "name", "mag"]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 400), max_size=6),
    st.randoms(use_true_random=False),
    st.sampled_from([1, 5000, 1 << 30]),
)
def test_chunks_order_and_runs_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], random: object, run_bytes: int
) -> None:
    table = random_table(400, seed=7)
    folder = tmp_path_factory.mktemp("build")
    build([table], folder / "one", max_rows=50)
    rows = np.arange(400)
    random.shuffle(rows)  # type: ignore[attr-defined]
    bounds = [0, *sorted(cuts), 400]
    chunks = [table.take(pa.array(rows[a:b])) for a, b in pairwise(bounds)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_runs, "RUN_BYTES", run_bytes)
        build(iter(chunks), folder / "many", max_rows=50)
    assert digest(folder / "one") == digest(folder / "many")


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(1, 400), st.integers(0, 5))
def test_the_tiling_is_that_of_all_rows(
    tmp_path_factory: pytest.TempPathFactory, n: int, max_rows: int, seed: int
) -> None:
    table = random_table(n, seed)
    runs = tmp_path_factory.mktemp("runs")
    spilled = [spill(runs, ("ra", "dec"), None, [table.slice(at, 100)], at) for at in range(0, n, 100)]
    files = [file for part in spilled for file in part.runs]
    index = healpix29(table["ra"].to_numpy(), table["dec"].to_numpy())
    assert _tile(spilled, files, max_rows) == adaptive_tiling(index, max_rows=max_rows)


@dataclass(frozen=True)
class Piece:
    """Reader of some rows, which travels."""

    start: int
    stop: int

    def __call__(self) -> Iterator[pa.Table]:
        for at in range(self.start, self.stop, 70):
            yield random_table(1000).slice(at, min(70, self.stop - at))


@pytest.mark.parametrize("where", ["here", "threads", "processes"])
def test_readers_side_by_side(tmp_path: Path, where: str) -> None:
    readers = [Piece(600, 1000), Piece(0, 250), Piece(250, 600)]
    build([random_table(1000)], tmp_path / "plain", max_rows=100)
    steps: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        steps.append((done, total))

    if where == "here":
        built = build(readers, tmp_path / "cat", max_rows=100, progress=note)
    elif where == "threads":
        with ThreadPoolExecutor(2) as pool:
            built = build(readers, tmp_path / "cat", max_rows=100, executor=pool, progress=note)
    else:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
            built = build(readers, tmp_path / "cat", max_rows=100, executor=workers, progress=note)
    assert digest(tmp_path / "cat") == digest(tmp_path / "plain")
    assert steps[2] == (3, 3)
    assert steps[-1] == (built.partitions, built.partitions)


def test_one_row_at_edges(tmp_path: Path) -> None:
    places = [(0.0, 90.0), (10.0, -90.0), (0.0, 0.0), (360.0, 0.0), (359.9999999, 10.0), (-10.0, 5.0)]
    for ra, dec in places:
        table = pa.table({"ra": [ra], "dec": [dec], "id": ["x"]})
        assert build([table], tmp_path / "cat") == Built(1, 1, {}, 0)
        assert stored(tmp_path / "cat") == [(int(healpix29(ra, dec)), ra, dec, "x")]


def test_rows_without_a_position_are_counted_with_their_reason(tmp_path: Path) -> None:
    table = pa.table(
        {
            "ra": pa.array([1.0, None, np.nan, 1.0, 1.0, np.inf, 2.0]),
            "dec": pa.array([1.0, 1.0, 1.0, None, 90.1, 1.0, -90.00001]),
            "id": [1, 2, 3, 4, 5, 6, 7],
        }
    )
    built = build([table, table.slice(0, 3)], tmp_path / "cat")
    assert built.set_aside == {MISSING_POSITION: 6, NO_DECLINATION: 2}
    assert built.rows == 2
    assert built.repeated_ids == 1
    with pytest.raises(CatalogError, match=r"no row has a position.*missing coordinate"):
        build([table.slice(1, 2)], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no rows"):
        build([], tmp_path / "cat")
    with pytest.raises(CatalogError, match="no row has a position"):
        build([random_table(4).slice(0, 0)], tmp_path / "cat")
    assert os.listdir(tmp_path) == []


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    build([random_table(10)], tmp_path / "cat")
    before = digest(tmp_path / "cat")

    def breaks() -> Iterator[pa.Table]:
        yield random_table(20)
        raise CatalogError("the disk is on fire")

    with pytest.raises(CatalogError, match="on fire"):
        build(breaks(), tmp_path / "cat")
    assert digest(tmp_path / "cat") == before
    assert os.listdir(tmp_path) == ["cat"]


def test_a_foreign_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    with pytest.raises(UsageError, match="no HATS catalogue"):
        build([random_table(3)], tmp_path / "mine")


def test_wrong_columns(tmp_path: Path) -> None:
    table = random_table(3)
    with pytest.raises(UsageError, match="no column 'id'"):
        build([table.drop_columns(["id"])], tmp_path / "cat")
    with pytest.raises(UsageError, match="holds string"):
        build_table([table], tmp_path / "cat", ra_column="name", dec_column="dec")
    with pytest.raises(CatalogError, match="differ in their columns"):
        build([table, table.drop_columns(["mag"])], tmp_path / "cat")
    other = table.set_column(4, "mag", pa.array(["bright"] * 3))
    with pytest.raises(CatalogError, match="differ in the types"):
        build([table, other], tmp_path / "cat")


def test_an_index_that_is_there_is_made_anew_and_lists_are_kept(tmp_path: Path) -> None:
    table = pa.table(
        {HEALPIX_COLUMN: [5, 6], "id": [2, 1], "ra": [3.0, 3.0], "dec": [4.0, 4.0], "f": [[2.0], [1.0]]}
    )
    build([table], tmp_path / "cat")
    at = int(healpix29(3.0, 4.0))
    assert stored(tmp_path / "cat") == [(at, 1, 3.0, 4.0, [1.0]), (at, 2, 3.0, 4.0, [2.0])]


def test_wide_rows_make_smaller_partitions(tmp_path: Path) -> None:
    table = random_table(2000).append_column("text", pa.array(["x" * 1000] * 2000))
    narrow = build([random_table(2000)], tmp_path / "narrow", max_bytes=400_000)
    wide = build([table], tmp_path / "wide", max_bytes=400_000)
    assert narrow.partitions < wide.partitions
    assert max(pq.read_metadata(f).num_rows for f in (tmp_path / "wide").rglob("Npix=*")) <= 400


def test_properties_and_name(tmp_path: Path) -> None:
    build([random_table(5)], tmp_path / "cat", name="KIC", properties={"lkmrs_kind": "kic"})
    info = open_catalog(tmp_path / "cat").info
    assert (info.name, info.kind, info.ra_column, info.dec_column) == ("KIC", "object", "ra", "dec")
    assert info.properties["lkmrs_kind"] == "kic"


def test_counts_of_no_chunk() -> None:
    assert Spilled().rows == 0
    assert [len(part) for part in Spilled().counts] == [0, 0]
