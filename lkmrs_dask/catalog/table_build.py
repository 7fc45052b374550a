"""Any rows with positions to a HATS catalogue, in bounded memory: an external merge sort by sky index.

Rows are spilled as sorted runs into a folder inside the new catalogue's; the sky is tiled by their numbers;
then each partition takes its rows from all runs.  Runs are mapped, so that memory holds one run a reader and
one partition a writer.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.catalog.hats_write import PartitionReceipt, finish_catalog, new_folder, write_partition
from lkmrs_dask.catalog.running import Progress, run_tasks
from lkmrs_dask.catalog.table_runs import (
    COUNT_ORDER,
    MISSING_POSITION,
    NO_DECLINATION,
    Spilled,
    add_counts,
    map_run,
    rows_inside,
    spill,
)
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import INDEX_ORDER
from lkmrs_dask.sky.tiling import Tiling, adaptive_tiling

__all__ = ["MISSING_POSITION", "NO_DECLINATION", "Built", "Reader", "build_table"]

_RUNS = ".runs"
_TEXT_BYTES = 16  # of a value whose width is not fixed, for the size of partitions


class Built(NamedTuple):
    """What was built.

    Attributes
    ----------
    rows : int
        Rows of the catalogue.
    partitions : int
        Its partitions.
    set_aside : dict
        Number of rows left out, by reason.
    repeated_ids : int
        Rows that have the identifier of another row of their partition that comes before them.
    """

    rows: int
    partitions: int
    set_aside: dict[str, int]
    repeated_ids: int


Reader = Callable[[], Iterator[pa.Table]]
"""Gives tables of rows; picklable where it is called in another process."""


def build_table(
    chunks: Iterable[pa.Table] | Sequence[Reader],
    target: Path,
    *,
    ra_column: str,
    dec_column: str,
    id_column: str | None = None,
    name: str | None = None,
    max_rows: int = 1_000_000,
    max_bytes: int = 256 << 20,
    executor: Executor | None = None,
    progress: Progress | None = None,
    properties: Mapping[str, object] | None = None,
) -> Built:
    """Write rows as a HATS catalogue; the folder appears when it is complete.

    The same rows give the same catalogue in whatever chunks and order they come: they are sorted by sky
    index, then identifier, then all other columns in their order (lists do not count).

    Parameters
    ----------
    chunks : iterable of pyarrow.Table, or sequence of callable
        The rows, all with the same columns; or readers that give them, which are called side by side.
    target : Path
        Folder of the catalogue; a catalogue that is there is replaced.
    ra_column, dec_column : str
        Columns of the position (deg).  Rows where one is null or not finite, or whose declination is beyond
        the poles, are left out and counted.
    id_column : str, optional
        The column that names a row.
    name : str, optional
        Name of the catalogue; that of the folder if not given.
    max_rows, max_bytes : int
        Thresholds of a partition; bytes are those of a mean row.
    executor, progress
        See `run_tasks`; other processes must share the file system.
    properties : mapping, optional
        More properties of the catalogue.

    Returns
    -------
    Built

    Raises
    ------
    CatalogError
        Where no row has a position, or chunks differ in their columns.
    UsageError
        Where a column is not there or has no numbers, or the target is there and is no catalogue.
    """
    target = Path(target).absolute()  # workers may be elsewhere
    with new_folder(target) as folder:
        runs = folder / _RUNS
        runs.mkdir()
        write_runs = partial(spill, runs, (ra_column, dec_column), id_column)
        spilled = _spill_all(chunks, write_runs, executor, progress)
        schema = _one_schema(target, spilled)
        aside = Counter[str]()
        for part in spilled:
            aside.update(part.set_aside)
        n_rows = sum(part.rows for part in spilled)
        if not n_rows:
            raise CatalogError(f"{target}: no row has a position: {dict(aside) or 'there are no rows'}")
        row_bytes = _row_bytes(schema, sum(part.text_bytes for part in spilled), n_rows)
        files = tuple(file for part in spilled for file in part.runs)
        tiling = _tile(spilled, files, min(max_rows, max(1, max_bytes // row_bytes)))
        write = partial(_write, folder, files, schema, id_column)
        results = run_tasks(write, list(tiling), executor, progress)
        shutil.rmtree(runs)
        rows = finish_catalog(
            folder,
            schema,
            [receipt for receipt, _ in results],
            name=name or target.name,
            ra_column=ra_column,
            dec_column=dec_column,
            properties={"hats_cols_sort": HEALPIX_COLUMN, **(properties or {})},
        )
    return Built(rows, len(tiling), dict(aside), sum(repeated for _, repeated in results))


def _spill_all(
    chunks: Iterable[pa.Table] | Sequence[Reader],
    write_runs: Callable[[Iterable[pa.Table], int], Spilled],
    executor: Executor | None,
    progress: Progress | None,
) -> list[Spilled]:
    """Read everything: tables here, readers wherever the executor has room."""
    if isinstance(chunks, Sequence) and chunks and all(callable(chunk) for chunk in chunks):
        tasks = list(enumerate(cast("Sequence[Reader]", chunks)))
        return run_tasks(partial(_spill_reader, write_runs), tasks, executor, progress)
    return [write_runs(cast("Iterable[pa.Table]", chunks), 0)]


def _spill_reader(
    write_runs: Callable[[Iterable[pa.Table], int], Spilled], task: tuple[int, Reader]
) -> Spilled:
    number, reader = task
    return write_runs(reader(), number)


# Tiling


def _one_schema(target: Path, spilled: Sequence[Spilled]) -> pa.Schema:
    schemas = [part.schema for part in spilled if part.schema is not None]
    if not schemas:
        raise CatalogError(f"{target}: there are no rows")
    for schema in schemas[1:]:
        if not schema.equals(schemas[0]):
            raise CatalogError(f"{target}: the readers' rows differ in their columns or types")
    return schemas[0]


def _row_bytes(schema: pa.Schema, text_bytes: int, rows: int) -> int:
    """Bytes of a mean row in memory; from types and text alone, so that chunks do not matter."""
    fixed = 0
    for column in schema:
        try:
            fixed += max(1, column.type.bit_width // 8)
        except ValueError:  # no fixed width
            fixed += _TEXT_BYTES if pa.types.is_nested(column.type) else 4
    return fixed + text_bytes // rows


def _tile(spilled: Sequence[Spilled], files: Sequence[str], max_rows: int) -> Tiling:
    """Tile the sky as `adaptive_tiling` of every row would, without holding all rows' indices.

    From counts of coarse pixels first; a tile that is still too full, as its rows lie in one of these, is
    tiled by the indices of its rows.
    """
    pixels, rows = add_counts([part.counts for part in spilled])
    index = pixels << (2 * (INDEX_ORDER - COUNT_ORDER))
    coarse = adaptive_tiling(index, rows, max_rows=max_rows, highest_order=COUNT_ORDER)
    lo, hi = coarse.bounds
    total = np.concatenate([[0], np.cumsum(rows)])
    filled = total[np.searchsorted(index, hi)] - total[np.searchsorted(index, lo)]
    tiles = []
    for (order, pixel), n_rows in zip(coarse, filled.tolist(), strict=True):
        if n_rows <= max_rows:
            tiles.append((order, pixel))
        else:
            own = np.concatenate([rows_inside(map_run(file), order, pixel)[0] for file in files])
            tiles += list(adaptive_tiling(own, max_rows=max_rows, lowest_order=order))
    orders, numbers = zip(*tiles, strict=True)
    return Tiling(np.array(orders, np.int64), np.array(numbers, np.int64))


# Writing


def _write(
    folder: Path, files: tuple[str, ...], schema: pa.Schema, id_column: str | None, tile: tuple[int, int]
) -> tuple[PartitionReceipt, int]:
    """Write a partition; also count the identifiers that it has again."""
    pieces = []
    for file in files:
        run = map_run(file)
        index, start = rows_inside(run, *tile)
        if len(index):
            pieces.append(run.slice(start, len(index)))
    table = pa.concat_tables(pieces)
    table = table.take(_order(table, id_column)).cast(schema)
    repeated = 0
    if id_column is not None:
        ids = table.column(id_column).drop_null()
        repeated = len(ids) - len(ids.unique())
    return write_partition(table, folder, *tile), repeated


def _order(table: pa.Table, id_column: str | None) -> pa.Array:
    """Order of rows by sky index; those that share one by identifier and then by all other columns."""
    index = table.column(HEALPIX_COLUMN).to_numpy()
    order = np.argsort(index, kind="stable")
    lined_up = index[order]
    same = np.concatenate([[False], lined_up[1:] == lined_up[:-1]])
    tied = np.flatnonzero(same | np.append(same[1:], False))
    if len(tied):
        rest = [name for name in table.column_names if name not in (HEALPIX_COLUMN, id_column)]
        first = [HEALPIX_COLUMN] if id_column is None else [HEALPIX_COLUMN, id_column]
        keys = [name for name in first + rest if not pa.types.is_nested(table.schema.field(name).type)]
        rows = table.select(keys).take(pa.array(order[tied]))
        by_rest = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in keys]).to_numpy()
        order[tied] = order[tied][by_rest]
    return pa.array(order)
