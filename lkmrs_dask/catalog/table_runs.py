"""Rows with positions, spilled as runs sorted by sky index: the first half of `table_build`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import INDEX_ORDER, healpix29, index_range

__all__ = [
    "COUNT_ORDER", "MISSING_POSITION", "NO_DECLINATION", "Spilled", "add_counts", "map_run", "rows_inside",
    "spill",
]  # fmt: skip

MISSING_POSITION = "missing coordinate"
NO_DECLINATION = "declination beyond the poles"

COUNT_ORDER = 8  # counts of the whole sky at this order are 13 MB at most
RUN_BYTES = 64 << 20
_INDEX = pa.field(HEALPIX_COLUMN, pa.int64(), metadata={"description": "HEALPix pixel, order 29, nested"})

Counts = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Pixels of order `COUNT_ORDER` that have rows, rising, and how many."""


@dataclass(frozen=True)
class Spilled:
    """Runs that one reader wrote, and what is in them.

    Parameters
    ----------
    runs : tuple of str
        Their files.
    schema : pyarrow.Schema or None
        Columns of the rows, the index first; None where there was no chunk.
    rows : int
        Rows with a position.
    text_bytes : int
        Bytes of their text.
    counts : tuple of ndarray
        Pixels of order `COUNT_ORDER` that have rows, rising, and how many.
    set_aside : dict
        Rows without a position, by reason.
    """

    runs: tuple[str, ...] = ()
    schema: pa.Schema | None = None
    rows: int = 0
    text_bytes: int = 0
    counts: Counts = field(default_factory=lambda: (np.empty(0, np.int64), np.empty(0, np.int64)))
    set_aside: Mapping[str, int] = field(default_factory=dict)


def map_run(file: str) -> pa.Table:
    """Map a run into memory, without loading it."""
    return pa.ipc.open_file(pa.memory_map(file)).read_all()


def rows_inside(run: pa.Table, order: int, pixel: int) -> tuple[NDArray[np.int64], int]:
    """Indices of a run's rows in a pixel, and the place of the first."""
    column = run.column(HEALPIX_COLUMN)
    index = column.chunk(0).to_numpy() if column.num_chunks == 1 else column.to_numpy()
    start, stop = np.searchsorted(index, [int(bound) for bound in index_range(order, pixel)])
    return index[start:stop], int(start)


def spill(
    folder: Path, place: tuple[str, str], id_column: str | None, chunks: Iterable[pa.Table], number: int
) -> Spilled:
    """Write the rows of one reader as sorted runs.

    Parameters
    ----------
    folder : Path
        Gets the runs.
    place : tuple of str
        Columns of right ascension and declination (deg).
    id_column : str or None
        A column that must be there.
    chunks : iterable of pyarrow.Table
        The rows, all with the columns of the first chunk.
    number : int
        Of the reader, for the names of its runs.

    Raises
    ------
    UsageError
        Where a column is not there, or has no numbers.
    CatalogError
        Where chunks differ in their columns.
    """
    schema: pa.Schema | None = None
    waiting: list[pa.Table] = []
    files: list[str] = []
    counts: list[Counts] = []
    aside: dict[str, int] = {}
    size = rows = text_bytes = 0
    for chunk in chunks:
        schema = schema or _schema_of(chunk, place, id_column)
        table, left = _indexed(_alike(chunk, schema), place)
        for reason, n in left.items():
            aside[reason] = aside.get(reason, 0) + n
        rows += len(table)
        text_bytes += _text_bytes(table)
        counts.append(_count(table.column(HEALPIX_COLUMN).to_numpy()))
        waiting.append(table)
        size += table.nbytes
        if size >= RUN_BYTES:
            files.append(_write_run(waiting, folder / f"{number}-{len(files)}.arrow"))
            waiting, size = [], 0
            del table, chunk
            pa.default_memory_pool().release_unused()  # the allocator would keep what is freed
            counts = [add_counts(counts)]
    if size:
        files.append(_write_run(waiting, folder / f"{number}-{len(files)}.arrow"))
    stored = None if schema is None else schema.insert(0, _INDEX)
    return Spilled(tuple(files), stored, rows, text_bytes, add_counts(counts), aside)


def _schema_of(chunk: pa.Table, place: tuple[str, str], id_column: str | None) -> pa.Schema:
    """Columns of the catalogue but for the index: those of the first chunk."""
    names = chunk.column_names
    for column in (*place, *([id_column] if id_column else [])):
        if column not in names:
            raise UsageError(f"the rows have no column {column!r}; they have {', '.join(names[:60])}")
    for column in place:
        kind = chunk.schema.field(column).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise UsageError(f"the column {column} holds {kind}, which is no coordinate in degrees")
    fields = [found for found in chunk.schema if found.name != HEALPIX_COLUMN]
    return pa.schema(fields).remove_metadata()


def _alike(chunk: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give a chunk the columns and types of the first one."""
    missing = [name for name in schema.names if name not in chunk.column_names]
    if missing or len([name for name in chunk.column_names if name != HEALPIX_COLUMN]) != len(schema):
        raise CatalogError(f"chunks of rows differ in their columns: {missing or chunk.column_names}")
    try:
        return chunk.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as fault:
        raise CatalogError(f"chunks of rows differ in the types of their columns: {fault}") from fault


def _indexed(table: pa.Table, place: tuple[str, str]) -> tuple[pa.Table, dict[str, int]]:
    """Rows that have a position, their sky index first, and how many have none, by reason."""
    ra, dec = (table.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False) for name in place)
    lost = ~(np.isfinite(ra) & np.isfinite(dec))
    beyond = ~lost & (np.abs(np.where(lost, 0.0, dec)) > 90.0)
    aside = {
        reason: int(np.count_nonzero(rows))
        for reason, rows in ((MISSING_POSITION, lost), (NO_DECLINATION, beyond))
        if rows.any()
    }
    if aside:
        good = ~(lost | beyond)
        table, ra, dec = table.filter(pa.array(good)), ra[good], dec[good]
    return table.add_column(0, _INDEX, pa.array(healpix29(ra, dec))), aside


def add_counts(parts: Sequence[Counts]) -> Counts:
    """Add up counts of pixels."""
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    pixels, at = np.unique(np.concatenate([p for p, _ in parts]), return_inverse=True)
    rows = np.zeros(len(pixels), np.int64)
    np.add.at(rows, at, np.concatenate([n for _, n in parts]))
    return pixels, rows


def _count(index: NDArray[np.int64]) -> Counts:
    return np.unique(index >> (2 * (INDEX_ORDER - COUNT_ORDER)), return_counts=True)


def _write_run(tables: list[pa.Table], path: Path) -> str:
    table = pa.concat_tables(tables)
    order = np.argsort(table.column(HEALPIX_COLUMN).to_numpy(), kind="stable")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.take(pa.array(order)).combine_chunks())
    return str(path)


def _text_bytes(table: pa.Table) -> int:
    """Bytes of text in a table: a sum over cells, whatever chunks they are in."""
    texts = [c for c in table.columns if pa.types.is_string(c.type) or pa.types.is_binary(c.type)]
    return sum(pc.sum(pc.binary_length(column)).as_py() or 0 for column in texts)
