"""Second half of a build: write each partition's rows, sorted, each spectrum once.

Memory is bounded by one partition a task: rows come from the runs (`runs`), which are mapped, not loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.catalog.hats_write import PartitionReceipt, finish_catalog, new_folder, write_partition
from lkmrs_dask.catalog.layout import Part, Seen, StarPlaces, assign_runs, lay_out, star_file
from lkmrs_dask.catalog.repeats import join_repeats, repeated_groups, row_order
from lkmrs_dask.catalog.running import Progress, run_tasks
from lkmrs_dask.catalog.runs import Run, read_table
from lkmrs_dask.catalog.star_index import write_star_index
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN, TableSchema
from lkmrs_dask.sky.tiling import Tiling

__all__ = ["SORTED_BY", "BuiltCatalog", "PartRows", "WriteRows", "build_catalog", "catalog_schema"]

PLACE_COLUMNS = ("star_id", "ra", "dec", HEALPIX_COLUMN)
_KEPT = 32 << 20  # bytes that the allocator may hold without use
SORTED_BY = {"hats_cols_sort": f"{HEALPIX_COLUMN} star_id"}


class BuiltCatalog(NamedTuple):
    """A written catalogue's row count, its partitions, and the rows taken out as repeated."""

    rows: int
    tiling: Tiling
    repeats: pa.Table


class PartRows(NamedTuple):
    """A partition to write, the rows that go into it, and stems of the runs that have them.

    Stems as text: a survey of billions of rows has hundreds for each of its thousands of partitions, and text
    travels in a tenth of the time that paths take.
    """

    part: Part
    rows: int
    stems: tuple[str, ...]

    @classmethod
    def of(cls, part: Part, rows: int, runs: Iterable[Run]) -> PartRows:
        """Make one of runs."""
        return cls(part, int(rows), tuple(str(run.stem) for run in runs))

    @property
    def runs(self) -> list[Run]:
        """The runs."""
        return [Run(Path(stem)) for stem in self.stems]


def catalog_schema(table: TableSchema, columns: Iterable[str]) -> pa.Schema:
    """Columns of a catalogue made of rows with these columns: they, and those of the stars."""
    return table.arrow({*PLACE_COLUMNS, *columns})


@dataclass(frozen=True)
class WriteRows:
    """Task: collect the rows of a range of stars from runs and write them as a partition.

    Parameters
    ----------
    places : Path
        File of a `StarPlaces`.
    root : Path
        The catalogue's folder.
    table : TableSchema
        Its columns, key and order.
    schema : pyarrow.Schema
        The columns that it has.
    """

    places: Path
    root: Path
    table: TableSchema
    schema: pa.Schema

    def __call__(self, task: PartRows) -> tuple[PartitionReceipt, pa.Table]:
        """Write it, and give its repeated rows too (`repeated_groups`)."""
        part = task.part
        stored = [field for field in self.schema if field.name not in PLACE_COLUMNS]
        found = _Found.of(task.runs, part, stored)
        if len(found.star) != task.rows:
            raise CatalogError(
                f"{self.root.name} {part.name}: {len(found.star)} rows were found of the {task.rows} that "
                "were sighted; see `lkmrs verify SURVEY --repair`"
            )
        order, repeat = row_order(found.column, [field.name for field in stored], found.star, self.table)
        sorted_rows = found.take_all(pa.array(order))
        groups = repeated_groups(sorted_rows, repeat)
        table = join_repeats(sorted_rows, repeat)
        del sorted_rows
        places = read_table(self.places).slice(part.first, part.last - part.first)
        star = pa.array(found.star[order][~repeat] - part.first)
        for name in PLACE_COLUMNS:
            table = table.append_column(self.schema.field(name), places.column(name).take(star))
        return write_partition(table.select(self.schema.names), self.root, part.order, part.pixel), groups


class _Found:
    """Rows of a partition's stars as they stand in the runs, by column and run, and the star of each."""

    def __init__(
        self, pieces: dict[str, list[pa.Array]], fields: Sequence[pa.Field], star: NDArray[np.int64]
    ):
        self.pieces = pieces
        self.types = {field.name: field.type for field in fields}
        self.star = star

    @classmethod
    def of(cls, runs: Sequence[Run], part: Part, fields: Sequence[pa.Field]) -> _Found:
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

    def take_all(self, rows: pa.Array) -> pa.Table:
        """Return these rows, and forget all.

        A column at a time, so that the rows are in memory once and not once as read and once as sorted; the
        allocator would keep what is freed, as the pieces are small where runs are many.
        """
        columns, freed = {}, 0
        for name, kind in self.types.items():
            column = pa.chunked_array(self.pieces.pop(name), type=kind)
            columns[name] = column.take(rows)
            freed += column.nbytes
            del column
            if freed > _KEPT:
                pa.default_memory_pool().release_unused()
                freed = 0
        return pa.table(columns)


def _rows_of(run: Run, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers of a run, rising, that belong to stars [first, last), and their stars."""
    star = np.load(star_file(run), mmap_mode="r")
    wanted = np.flatnonzero((star >= first) & (star < last))
    if wanted.size == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    count = run.sightings().column("count").to_numpy()
    start = np.cumsum(count) - count
    n = count[wanted]
    # Rows start[k], start[k] + 1, ... of each wanted sighting, without a loop.
    rows = np.arange(n.sum()) + np.repeat(start[wanted] - (np.cumsum(n) - n), n)
    return rows, np.repeat(star[wanted], n)


def build_catalog(
    runs: Sequence[Run],
    stars: Sequence[NDArray[np.int64]],
    places: StarPlaces,
    table: TableSchema,
    target: Path,
    *,
    max_rows: int = 1_000_000,
    max_bytes: int = 256 << 20,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> BuiltCatalog:
    """Write runs as a HATS catalogue at one go; the folder appears when it is complete.

    A pipeline's run does the same piece by piece, with receipts (`lkmrs_dask.pipeline`).

    Parameters
    ----------
    runs : sequence of Run
        All of the catalogue's.
    stars : sequence of ndarray of int64
        Rank of the star of each sighting of each run.
    places : StarPlaces
        The stars; perhaps those of other catalogues of the survey too.
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
    schema = catalog_schema(table, {name for run in runs for name in run.columns()})
    seen = [
        Seen(run.stem.name, star, *(run.sightings().column(name).to_numpy() for name in ("count", "bytes")))
        for run, star in zip(runs, stars, strict=True)
    ]
    layout = lay_out(places, seen, table, schema.names, max_rows, max_bytes)
    needed = assign_runs(runs, stars, layout.parts)
    with new_folder(target) as folder:
        write = WriteRows(places.path, folder, table, schema)
        tasks = [
            PartRows.of(*of_part) for of_part in zip(layout.parts, layout.rows.tolist(), needed, strict=True)
        ]
        results = run_tasks(write, tasks, executor, progress)
        receipts = [receipt for receipt, _ in results]
        rows = finish_catalog(folder, schema, receipts, name=target.name, kind="source", properties=SORTED_BY)
        write_star_index(folder, places.stars)
    groups = pa.concat_tables([groups for _, groups in results], promote_options="default")
    return BuiltCatalog(rows, layout.tiling, groups)
