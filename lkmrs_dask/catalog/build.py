"""Second half of a build: give every star one place, tile the sky by stars, and write each partition's rows.

Memory is bounded by one partition a task: rows come from the runs (`runs`), which are mapped, not loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.catalog.hats_write import PartitionReceipt, finish_catalog, new_folder, write_partition
from lkmrs_dask.catalog.repeats import join_repeats, row_order
from lkmrs_dask.catalog.running import Progress, run_tasks
from lkmrs_dask.catalog.runs import Run, read_table
from lkmrs_dask.catalog.star_index import write_star_index
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN, TableSchema
from lkmrs_dask.sky.tiling import Tiling, adaptive_tiling

__all__ = ["BuiltCatalog", "StarPlaces", "build_catalog", "gather_sightings", "place_stars"]

PLACE_COLUMNS = ("star_id", "ra", "dec", HEALPIX_COLUMN)


class BuiltCatalog(NamedTuple):
    """A written catalogue's row count, its partitions, and the rows taken out as repeated."""

    rows: int
    tiling: Tiling
    repeats: pa.Table


@dataclass(frozen=True, eq=False)
class StarPlaces:
    """Where each star of a build lies, and which star each sighting of each run is.

    Parameters
    ----------
    stars : pyarrow.Table
        ``star_id``, ``uid``, ``ra``, ``dec`` and ``_healpix_29``, sorted by the last and then the first; a
        star's rank is its row here.
    path : Path
        The same as an Arrow file, for the tasks.
    """

    stars: pa.Table
    path: Path


def gather_sightings(runs: Sequence[Run]) -> pa.Table:
    """All sightings of all runs, one run after the other."""
    schema = pa.schema(
        [("uid", pa.string()), ("ra", pa.float64()), ("dec", pa.float64()), ("count", pa.int64())]
    )
    return pa.concat_tables([schema.empty_table(), *(run.sightings() for run in runs)])


def place_stars(
    runs: Sequence[Run], stars: pa.Table, star_of_sighting: NDArray[np.int64], folder: Path
) -> StarPlaces:
    """Note for each run which star each of its sightings is.

    Parameters
    ----------
    runs : sequence of Run
        In the order of `gather_sightings`.
    stars : pyarrow.Table
        See `StarPlaces`.
    star_of_sighting : ndarray of int64
        Rank of the star of each gathered sighting.
    folder : Path
        Where the stars' file goes.

    Raises
    ------
    CatalogError
        When two stars share an id, or stars are not in order.
    """
    index = stars.column(HEALPIX_COLUMN).to_numpy()
    if np.any(index[1:] < index[:-1]):
        raise CatalogError("stars must be sorted by _healpix_29 before they are placed")
    n_ids = pc.count_distinct(stars.column("star_id")).as_py()
    if n_ids != stars.num_rows:
        raise CatalogError(
            f"{stars.num_rows - n_ids} star ids are given twice: a star would be in two partitions"
        )
    at = 0
    for run in runs:
        n = run.sightings().num_rows
        np.save(_star_file(run), star_of_sighting[at : at + n].astype(np.int64))
        at += n
    path = folder / "stars.arrow"
    with pa.OSFile(str(path), "wb") as stream, pa.ipc.new_file(stream, stars.schema) as writer:
        writer.write_table(stars.combine_chunks())
    return StarPlaces(stars, path)


def _star_file(run: Run) -> Path:
    return run.file(".star.npy")


class _Part(NamedTuple):
    """A partition to write: its pixel, and the ranks of its stars [first, last)."""

    order: int
    pixel: int
    first: int
    last: int


def _tile(runs: Sequence[Run], stars: pa.Table, max_rows: int, max_bytes: int) -> tuple[Tiling, list[_Part]]:
    rows = np.zeros(stars.num_rows, dtype=np.int64)
    size = np.zeros(stars.num_rows, dtype=np.float64)
    for run in runs:
        star = np.load(_star_file(run))
        count = run.sightings().column("count").to_numpy()
        here = np.bincount(star, weights=count, minlength=stars.num_rows)
        rows += here.astype(np.int64)
        size += here * (run.size / max(1, run.rows))
    index = stars.column(HEALPIX_COLUMN).to_numpy()
    seen = rows > 0
    tiling = adaptive_tiling(index[seen], rows[seen], size=size[seen], max_rows=max_rows, max_bytes=max_bytes)
    lo, hi = tiling.bounds
    first, last = np.searchsorted(index, lo), np.searchsorted(index, hi)
    return tiling, [_Part(*part) for part in zip(tiling.order.tolist(), tiling.pixel.tolist(),
                                                 first.tolist(), last.tolist(), strict=True)]  # fmt: skip


@dataclass(frozen=True)
class _WriteStars:
    """Collects the rows of a range of stars from all runs and writes them as a partition."""

    runs: tuple[Run, ...]
    places: Path
    root: Path
    table: TableSchema
    schema: pa.Schema

    def __call__(self, part: _Part) -> tuple[PartitionReceipt, pa.Table]:
        stored = [field for field in self.schema if field.name not in PLACE_COLUMNS]
        found = _Found.of(self.runs, part, stored)
        order, repeat = row_order(found.column, [field.name for field in stored], found.star, self.table)
        rows = pa.array(order)
        # A column at a time, so that the rows are in memory once and not once as read and once as sorted.
        columns = {field.name: found.take_out(field.name).take(rows) for field in stored}
        table, repeats = join_repeats(pa.table(columns, schema=pa.schema(stored)), repeat)
        del columns
        places = read_table(self.places).slice(part.first, part.last - part.first)
        star = pa.array(found.star[order][~repeat] - part.first)
        for name in PLACE_COLUMNS:
            table = table.append_column(self.schema.field(name), places.column(name).take(star))
        return write_partition(table.select(self.schema.names), self.root, part.order, part.pixel), repeats


class _Found:
    """Rows of a partition's stars as they stand in the runs, by column and run, and the star of each."""

    def __init__(
        self, pieces: dict[str, list[pa.Array]], fields: Sequence[pa.Field], star: NDArray[np.int64]
    ):
        self.pieces = pieces
        self.types = {field.name: field.type for field in fields}
        self.star = star

    @classmethod
    def of(cls, runs: Sequence[Run], part: _Part, fields: Sequence[pa.Field]) -> _Found:
        """Take the rows from one run after the other; a column that a run does not have is null."""
        pieces: dict[str, list[pa.Array]] = {field.name: [] for field in fields}
        stars = [np.empty(0, np.int64)]
        for run in runs:
            rows, star = _rows_of(run, part.first, part.last)
            if len(rows):
                # Only one run is mapped at a time: its pages count as memory as long as it is.
                table, at = run.table(), pa.array(rows)
                for field in fields:
                    known = field.name in table.column_names
                    piece = table.column(field.name).take(at) if known else pa.nulls(len(at), field.type)
                    pieces[field.name] += piece.chunks if known else [piece]
                stars.append(star)
        return cls(pieces, fields, np.concatenate(stars))

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column of all rows."""
        return pa.chunked_array(self.pieces[name], type=self.types[name])

    def take_out(self, name: str) -> pa.ChunkedArray:
        """Return a column of all rows and forget it."""
        return pa.chunked_array(self.pieces.pop(name), type=self.types[name])


def _rows_of(run: Run, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers of a run, rising, that belong to stars [first, last), and their stars."""
    star = np.load(_star_file(run), mmap_mode="r")
    wanted = np.flatnonzero((star >= first) & (star < last))
    if wanted.size == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    count = run.sightings().column("count").to_numpy()
    start = np.cumsum(count) - count
    n = count[wanted]
    # Positions start[k], start[k] + 1, ... of each wanted sighting, without a loop.
    at = np.arange(n.sum()) + np.repeat(start[wanted] - (np.cumsum(n) - n), n)
    rows = run.rows_by_sighting()[at].astype(np.int64)
    rising = np.argsort(rows)
    return rows[rising], np.repeat(star[wanted], n)[rising]


def build_catalog(
    runs: Sequence[Run],
    places: StarPlaces,
    table: TableSchema,
    target: Path,
    *,
    max_rows: int = 1_000_000,
    max_bytes: int = 256 << 20,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> BuiltCatalog:
    """Write the runs of one catalogue as HATS partitions; the folder appears when it is complete.

    Parameters
    ----------
    runs : sequence of Run
        All of the catalogue's.
    places : StarPlaces
        Made of these runs, perhaps together with those of other catalogues of the survey.
    table : TableSchema
        The catalogue's columns, key and order.
    target : Path
        Its folder; what is there is replaced.
    max_rows, max_bytes : int
        Thresholds of a partition; bytes are those in memory.
    executor, progress
        See `run_tasks`.

    Returns
    -------
    BuiltCatalog

    Raises
    ------
    CatalogError
        When there is no row.
    UsageError
        When the target is there and is no catalogue.
    """
    if not runs:
        raise CatalogError(f"{target}: no row came out of the raw files, see set_aside/ for the reasons")
    tiling, parts = _tile(runs, places.stars, max_rows, max_bytes)
    present = set(PLACE_COLUMNS).union(*(run.schema.names for run in runs))
    schema = table.arrow(present)
    with new_folder(target) as folder:
        write = _WriteStars(tuple(runs), places.path, folder, table, schema)
        results = run_tasks(write, parts, executor, progress)
        receipts = [receipt for receipt, _ in results]
        order = {"hats_cols_sort": f"{HEALPIX_COLUMN} star_id"}
        rows = finish_catalog(folder, schema, receipts, name=target.name, kind="source", properties=order)
        write_star_index(folder, places.stars)
    return BuiltCatalog(
        rows, tiling, pa.concat_tables([repeats for _, repeats in results], promote_options="default")
    )
