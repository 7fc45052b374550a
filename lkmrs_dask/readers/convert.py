"""Raw blocks to the schema's columns: types, missing values, ranges, and the rows that must be set aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA
from lkmrs_dask.readers.cells import (
    INEXACT,
    MISSING_COORDINATE,
    MISSING_NUMBERS,
    MISSING_VALUE,
    NOT_BOOLEAN,
    NOT_WHOLE,
    OUT_OF_RANGE,
    PLAN,
    Cells,
    as_mask,
    numpy_view,
)
from lkmrs_dask.readers.raw import RawBlock
from lkmrs_dask.readers.sexagesimal import sexagesimal_to_degrees
from lkmrs_dask.readers.text_values import (
    NULL_TEXTS,
    PLAIN_NULL_TEXTS,
    clean_text,
    text_to_bool,
    text_to_date,
    text_to_float,
    text_to_integer,
)
from lkmrs_dask.schema import Column

__all__ = ["Use", "convert_block", "convert_column"]

COORDINATES = frozenset({"ra_input", "dec_input"})
CIRCLE = 360.0


@dataclass(frozen=True)
class Use:
    """A raw column that becomes one of the schema's.

    Parameters
    ----------
    column : Column
        What it becomes.
    raw : str
        Its name in the file.
    scale : float, optional
        What its numbers are multiplied by, after those that mean "missing" are null.
    angle : str
        ``ra`` or ``dec`` for a coordinate in degrees; sexagesimal text is one too, of hours or degrees, or
        of the unit that `scale` makes degrees of.
    as_told : bool
        Whether only the column's own sentinels mean "missing" in text and truth values, not the releases'.
    """

    column: Column
    raw: str
    scale: float | None = None
    angle: str = ""
    as_told: bool = False


def convert_column(
    raw: pa.Array,
    column: Column,
    scale: float | None = None,
    angle: str = "",
    *,
    as_told: bool = False,
    wrap: bool = True,
) -> Cells:
    """Convert a raw array to exactly the column's type, and check it.

    Parameters
    ----------
    raw : pyarrow.Array
        Numbers, text (string where a parser has seen to missing values, else binary), truth values, dates.
    column : Column
        What it is to become.
    scale : float, optional
        Factor, for float columns.
    angle, as_told
        See `Use`.
    wrap : bool
        Whether right ascensions are brought to [0, 360).

    Returns
    -------
    Cells
        The converted array, with faults: cells that are no such value, out of the column's range, or missing
        in a required column.

    Raises
    ------
    TypeError
        Where an array of this type can never become such a column.
    """
    cells = Cells(_plain(raw), missing=column.sentinels if as_told else MISSING_NUMBERS)
    if _is_text(cells.array.type):
        nulls = PLAIN_NULL_TEXTS if as_told and column.dtype == "string" else NULL_TEXTS
        clean_text(cells, sentinels=not _is_numeric(column), nulls=nulls)
        if angle:
            # With a scale the first part is in the unit that the scale is for.
            cells.array = sexagesimal_to_degrees(cells.array, hours=angle == "ra" and scale is None)
    _TO_KIND[column.dtype.rstrip("0123456789")](cells, column)
    if scale is not None:
        cells.array = pc.multiply(cells.array, scale)
    _blame_outside(cells, column.minimum, column.maximum)
    if wrap and (angle == "ra" or column.name == "ra_input"):
        cells.array = _wrap(cells.array)
    if column.required and cells.array.null_count:
        reason = MISSING_COORDINATE if angle or column.name in COORDINATES else MISSING_VALUE
        missing = as_mask(cells.array.is_null())
        for _, rows in cells.faults:
            missing[rows] = False
        cells.blame(missing, reason)
    return cells


def _is_numeric(column: Column) -> bool:
    return column.dtype.startswith(("int", "float"))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _plain(raw: pa.Array) -> pa.Array:
    """Undo encodings and odd widths."""
    kind = raw.type
    if pa.types.is_dictionary(kind):
        return _plain(raw.dictionary_decode())
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return raw.cast(pa.binary())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return raw.cast(pa.string()).view(pa.binary())
    if pa.types.is_float16(kind):
        return raw.cast(pa.float32())
    if pa.types.is_null(kind) or pa.types.is_decimal(kind):
        return raw.cast(pa.string())
    return raw


def _no_way(cells: Cells, column: Column) -> TypeError:
    return TypeError(f"{cells.array.type} cannot become {column.dtype}")


def _clear_sentinels(cells: Cells, column: Column) -> None:
    """Numbers that mean "missing", nan and infinities become null."""
    values = numpy_view(cells.array)
    if values.dtype.kind == "f":
        missing, sentinels = ~np.isfinite(values), column.sentinels
    else:
        missing, sentinels = (
            np.zeros(len(values), bool),
            tuple(int(s) for s in column.sentinels if s == int(s)),
        )
    for sentinel in sentinels:
        missing |= values == sentinel
    cells.clear(missing)


def _to_float(cells: Cells, column: Column) -> None:
    kind = cells.array.type
    if pa.types.is_string(kind):
        text_to_float(cells)
    elif pa.types.is_boolean(kind):
        cells.array = cells.array.cast(pa.int8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise _no_way(cells, column)
    _clear_sentinels(cells, column)
    cells.array = cells.array.cast(column.arrow_type, safe=False)


def _to_integer(cells: Cells, column: Column) -> None:
    kind = cells.array.type
    if pa.types.is_string(kind):
        text_to_integer(cells)
    elif pa.types.is_boolean(kind):
        cells.array = cells.array.cast(pa.int8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise _no_way(cells, column)
    _clear_sentinels(cells, column)
    if pa.types.is_floating(kind):
        values = np.where(as_mask(cells.array.is_valid()), numpy_view(cells.array), 0)
        # From here on neighbouring integers share a float: an identifier is damaged already.
        cells.blame(np.abs(values) >= 2.0 ** (np.finfo(values.dtype).nmant + 1), INEXACT)
        cells.blame((values != np.floor(values)) & as_mask(cells.array.is_valid()), NOT_WHOLE)
    if cells.array.type != column.arrow_type:
        limits = np.iinfo(column.arrow_type.to_pandas_dtype())
        _blame_outside(cells, limits.min, limits.max)
        cells.array = cells.array.cast(column.arrow_type)


def _to_bool(cells: Cells, column: Column) -> None:
    kind = cells.array.type
    if pa.types.is_string(kind):
        text_to_bool(cells)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        _clear_missing_numbers(cells)
        values, valid = numpy_view(cells.array), as_mask(cells.array.is_valid())
        cells.blame((values != 0) & (values != 1) & valid, NOT_BOOLEAN)
        cells.array = cells.array.cast(pa.bool_())
    elif not pa.types.is_boolean(kind):
        raise _no_way(cells, column)


def _to_date(cells: Cells, column: Column) -> None:
    kind = cells.array.type
    if pa.types.is_integer(kind):  # 20180530
        _clear_missing_numbers(cells)
        cells.array = cells.array.cast(pa.string())
        kind = pa.string()
    if pa.types.is_string(kind):
        text_to_date(cells)
    elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        cells.array = cells.array.cast(pa.date32(), safe=False)
    else:
        raise _no_way(cells, column)


def _to_string(cells: Cells, column: Column) -> None:
    kind = cells.array.type
    if pa.types.is_string(kind):
        return
    if pa.types.is_floating(kind):
        _clear_missing_numbers(cells)
        values = cells.array.to_numpy(zero_copy_only=False)
        if np.all(np.isnan(values) | ((values == np.floor(values)) & (np.abs(values) < 2.0**53))):
            cells.array = cells.array.cast(pa.int64())  # a flag or number that was made float for its nulls
    elif pa.types.is_integer(kind):
        _clear_missing_numbers(cells)
    elif not (pa.types.is_boolean(kind) or pa.types.is_temporal(kind)):
        raise _no_way(cells, column)
    cells.array = cells.array.cast(pa.string())


_TO_KIND: dict[str, Callable[[Cells, Column], None]] = {
    "float": _to_float,
    "int": _to_integer,
    "bool": _to_bool,
    "date": _to_date,
    "string": _to_string,
}


def _clear_missing_numbers(cells: Cells) -> None:
    """Clear the numbers that mean "missing", for columns that are no numbers in the schema."""
    _clear_sentinels(cells, Column("", "float64", "", sentinels=cells.missing))


def _blame_outside(cells: Cells, minimum: float | None, maximum: float | None) -> None:
    if minimum is None and maximum is None:
        return
    found = pc.min_max(cells.array)
    low, high = found["min"].as_py(), found["max"].as_py()
    if low is None:
        return
    if minimum is not None and low < minimum:
        cells.blame(pc.less(cells.array, _limit(minimum, cells.array.type)), OUT_OF_RANGE)
    if maximum is not None and high > maximum:
        cells.blame(pc.greater(cells.array, _limit(maximum, cells.array.type)), OUT_OF_RANGE)


def _limit(value: float, kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(int(value) if pa.types.is_integer(kind) else float(value), kind)


def _wrap(ra: pa.Array) -> pa.Array:
    """Right ascension in [0, 360): 360 is 0, and a negative one, where it may be, is to the west of 0."""
    west = pc.less(ra, 0.0)
    if pc.any(west).as_py():
        ra = pc.if_else(west, pc.add(ra, CIRCLE), ra)
    full = pc.equal(ra, CIRCLE)
    return pc.if_else(full, 0.0, ra) if pc.any(full).as_py() else ra


def convert_block(
    block: RawBlock,
    uses: Sequence[Use],
    path: Path,
    wanted_plan: Callable[[pa.Array], np.ndarray] | None = None,
) -> tuple[dict[str, pa.Array], int, pa.Table]:
    """Convert all columns of a block, and part good rows from bad ones.

    Parameters
    ----------
    block : RawBlock
        From a reader.
    uses : sequence of Use
        In the order in which faults of one row are looked for: it is set aside for the first.
    path : Path
        The file, for messages.
    wanted_plan : callable, optional
        Given the planid array, which rows are wanted (bool array).

    Returns
    -------
    columns : dict
        Arrow array by column name, good rows only.
    n_rows : int
        Their length.
    set_aside : pyarrow.Table
        The other rows, by row number.

    Raises
    ------
    InputError
        Where a raw column holds something that can never become the column.
    """
    columns: dict[str, pa.Array] = {}
    faults: list[tuple[Use, str, np.ndarray]] = []
    for use in uses:
        try:
            cells = convert_column(
                block.columns[use.raw], use.column, use.scale, use.angle, as_told=use.as_told
            )
        except (TypeError, pa.ArrowNotImplementedError) as fault:
            raise InputError(
                f"the column {use.raw!r} holds {fault}", file=path, column=use.column.name
            ) from fault
        columns[use.column.name] = cells.array
        own = [(use, reason, rows) for reason, rows in cells.faults]
        if wanted_plan is not None and use.column.name == "planid":
            faults = [*own, (use, PLAN, np.flatnonzero(~wanted_plan(cells.array))), *faults]
        else:
            faults += own
    good = np.ones(block.n_rows, bool)
    pieces = [block.refused] if block.refused.num_rows else []
    for use, reason, rows in faults:
        rows = rows[good[rows]]
        if len(rows):
            good[rows] = False
            pieces.append(_set_aside(block, path, use, reason, rows))
    if not pieces:
        return columns, block.n_rows, SET_ASIDE_SCHEMA.empty_table()
    if not good.all():
        keep = pa.array(good)
        columns = {name: array.filter(keep) for name, array in columns.items()}
    return columns, int(np.count_nonzero(good)), pa.concat_tables(pieces).sort_by("row")


def _set_aside(block: RawBlock, path: Path, use: Use, reason: str, rows: np.ndarray) -> pa.Table:
    n = len(rows)
    raw = block.columns[use.raw].take(pa.array(rows))
    return pa.table(
        {
            "file": pa.repeat(str(path), n),
            "row": pa.array(block.numbers(rows), pa.int64()),
            "column": pa.repeat(use.column.name, n),
            "reason": pa.repeat(reason, n),
            "value": _as_text(raw),
            # Most rows of a release may be of plans not wanted; their number in the file is enough.
            "text": pa.nulls(n, pa.string()) if reason == PLAN else pa.array(block.texts(rows), pa.string()),
        },
        schema=SET_ASIDE_SCHEMA,
    )


def _as_text(raw: pa.Array) -> pa.Array:
    """Raw cells as text, whatever they are."""
    if pa.types.is_string(raw.type):
        return raw
    texts = (
        value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
        for value in raw.to_pylist()
    )
    return pa.array([None if text is None else str(text) for text in texts], pa.string())
