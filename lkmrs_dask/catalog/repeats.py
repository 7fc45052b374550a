"""Sort the rows of stars, and join rows that name the same spectrum twice."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.catalog.ordering import codes, equal_neighbours, pack, sort_order
from lkmrs_dask.schema import TableSchema

__all__ = ["KEPT", "ROW_OF_PARTITION", "RowOrder", "join_repeats", "repeated_groups", "row_order"]

KEPT, ROW_OF_PARTITION = "kept", "partition_row"


class RowOrder(NamedTuple):
    """How to sort rows, and which of the sorted rows repeat the spectrum of the row before them."""

    order: NDArray[np.intp]
    repeat: NDArray[np.bool_]


def row_order(
    column: Callable[[str], pa.ChunkedArray],
    present: Collection[str],
    star: NDArray[np.int64],
    schema: TableSchema,
) -> RowOrder:
    """Order of rows by star, the schema's key, its sort columns, and then all others.

    So the order depends on what rows hold and not on how they came; lists alone are not compared.

    Parameters
    ----------
    column : callable
        Gives a column by name; asked for the key's, and for others only if keys are equal.
    present : collection of str
        Columns that there are; a missing one counts as null.
    star : ndarray of int64, shape (rows,)
        Rank of the star of each row.
    schema : TableSchema
        Its `key`, `blank` and `sort` are used.
    """
    key = {name: codes(column(name)) for name in schema.key if name in present}
    named = key[schema.key[0]] > 0 if schema.key and schema.key[0] in key else np.zeros(len(star), dtype=bool)
    for name, by in schema.blank:
        if by in key:
            # Codes of a boolean: 0 is null, 1 false, 2 true.
            value = key.get(name, np.zeros(len(star), dtype=np.int64))
            named &= (key[by] != 1) | (value > 0)
            if name in key:
                key[name] = np.where(key[by] == 2, 0, value)
    words = pack([star - star.min(initial=0), *key.values()])
    rest = [*schema.sort, *sorted(set(present) - set(schema.sort) - set(schema.key))]

    def tie_breakers(rows: NDArray[np.intp]) -> list[NDArray[np.int64]]:
        at = pa.array(rows)
        columns = (column(name).take(at) for name in rest if name in present)
        return pack([codes(values) for values in columns if not pa.types.is_nested(values.type)])

    order = sort_order(words, tie_breakers)
    repeat = np.zeros(len(order), dtype=bool)
    if len(order):
        repeat[1:] = equal_neighbours([word[order] for word in words]) & named[order][1:]
    return RowOrder(order, repeat)


def repeated_groups(table: pa.Table, repeat: NDArray[np.bool_]) -> pa.Table:
    """Rows that name one spectrum more than once, as they came.

    Parameters
    ----------
    table : pyarrow.Table
        Sorted rows.
    repeat : ndarray of bool, shape (rows,)
        Rows that repeat the one before them.

    Returns
    -------
    pyarrow.Table
        The columns of `table`, then ``kept`` (true for the first of each group, the others are its copies)
        and ``partition_row``: the place of the group's joined row in what `join_repeats` gives.
    """
    if not repeat.any():
        rows, there = table.schema.empty_table(), np.zeros(len(table), dtype=bool)
    else:
        there = repeat.copy()
        there[:-1] |= repeat[1:]
        rows = table.filter(pa.array(there))
    rows = rows.append_column(KEPT, pa.array(~repeat[there]))
    return rows.append_column(ROW_OF_PARTITION, pa.array((np.cumsum(~repeat) - 1)[there], pa.int64()))


def join_repeats(table: pa.Table, repeat: NDArray[np.bool_]) -> pa.Table:
    """Take out repeated rows, and fill what the row before them lacks from them.

    Of rows with equal keys the first stays, and each null in it becomes the first value among the copies
    behind it.  So a spectrum listed in a catalogue and read from its FITS file too is one row with the
    columns of both.

    Parameters
    ----------
    table : pyarrow.Table
        Sorted rows.
    repeat : ndarray of bool, shape (rows,)
        Rows that repeat the one before them.

    Returns
    -------
    pyarrow.Table
    """
    if not repeat.any():
        return table
    first = np.flatnonzero(~repeat)
    group = np.cumsum(~repeat) - 1
    copies = np.flatnonzero(repeat)
    kept = table.take(pa.array(first))
    columns = []
    for name in table.column_names:
        column, values = table.column(name), kept.column(name)
        if values.null_count:
            usable = copies[pc.is_valid(column.take(pa.array(copies))).to_numpy(zero_copy_only=False)]
            source = np.full(len(first), -1, dtype=np.int64)
            source[group[usable][::-1]] = usable[::-1]  # backwards, so that the first copy wins
            filler = column.take(pa.array(source, mask=source < 0))
            values = _either(values, filler)
        columns.append(values)
    return pa.table(columns, schema=table.schema)


def _either(values: pa.ChunkedArray, filler: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values where they are there, else the filler's; unlike pyarrow's coalesce it knows lists."""
    if not pa.types.is_nested(values.type):
        return pc.coalesce(values, filler)
    n = len(values)
    both = pa.chunked_array([*values.chunks, *filler.chunks], type=values.type)
    missing = pc.is_null(values).to_numpy(zero_copy_only=False)
    return both.take(pa.array(np.where(missing, np.arange(n) + n, np.arange(n))))
