"""Rows as a table's definition has them: its columns, types, rounding and blanks; and as an astropy table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.products.tables.definition import TableColumn, TableDefinition

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["astropy_table", "conform", "floats", "integers", "mask", "texts"]

_EXACT = 2.0**53  # beyond it a float is not the only one of its integer


def conform(rows: pa.Table, definition: TableDefinition) -> pa.Table:
    """Bring rows into the form in which every file has them.

    Parameters
    ----------
    rows : pyarrow.Table
        With the columns ``definition.sources``; others are left out.
    definition : TableDefinition
        What comes out.

    Returns
    -------
    pyarrow.Table
        Columns in the order and with the names and types of the definition.  Floats are rounded to its
        decimals, minus zero is zero, and NaN is null; text has no blanks around it, and empty text is null.

    Raises
    ------
    CatalogError
        Where a column is missing or some file could not hold a value: blanks where there must be none, text
        that is not ASCII, infinity, a number that is too large.
    """
    missing = [name for name in definition.sources if name not in rows.column_names]
    if missing:
        has = ", ".join(rows.column_names) or "no columns"
        raise CatalogError(f"{definition.name} needs the columns {', '.join(missing)}; the rows have {has}")
    columns = []
    for column in definition.columns:
        where = f"{definition.name}, column {column.name} (from {column.source})"
        array = _cast(rows, column, where)
        if array.null_count and not column.nullable:
            raise CatalogError(f"{where}: {array.null_count} rows are blank; it must have a value in each")
        columns.append(array)
    fields = [pa.field(c.name, a.type) for c, a in zip(definition.columns, columns, strict=True)]
    return pa.table(columns, schema=pa.schema(fields))


def _cast(rows: pa.Table, column: TableColumn, where: str) -> pa.Array:
    array = rows.column(column.source).combine_chunks()
    if column.true_as:
        return _flags(array, column, where)
    if column.dtype == "string":
        return _plain_text(array, where)
    if column.dtype == "float64":
        values = _as_float(array, where)
        if column.limit is not None:
            source, number = column.limit
            flags = _booleans(rows.column(source).combine_chunks(), f"{where}, flag {source}")
            values = np.where(flags & ~np.isnan(values), np.nan if number is None else number, values)
        return _rounded(values, column, where)
    return _as_integer(array, column, where)


def _flags(array: pa.Array, column: TableColumn, where: str) -> pa.Array:
    none = pa.scalar(None, pa.string())
    return pc.if_else(pa.array(_booleans(array, where)), column.true_as, none)


def _booleans(array: pa.Array, where: str) -> NDArray[np.bool_]:
    """Booleans, false for null."""
    if not (pa.types.is_boolean(array.type) or pa.types.is_null(array.type)):
        raise CatalogError(f"{where}: must be boolean, not {array.type}")
    return pc.fill_null(array.cast(pa.bool_()), False).to_numpy(zero_copy_only=False)


def _plain_text(array: pa.Array, where: str) -> pa.Array:
    text = pc.utf8_trim_whitespace(_converted(array, pa.string(), where))
    other = pc.fill_null(pc.match_substring_regex(text, "[^ -~]"), False)
    if pc.any(other).as_py():
        row = pc.index(other, True).as_py()
        raise CatalogError(
            f"{where}: row {row} has {text[row].as_py()!r}; every format of file takes printable ASCII, "
            "so write it in that"
        )
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _as_float(array: pa.Array, where: str) -> NDArray[np.float64]:
    """Floats, NaN for null."""
    values = _converted(array, pa.float64(), where).to_numpy(zero_copy_only=False)
    infinite = np.isinf(values)
    if infinite.any():
        raise CatalogError(f"{where}: row {int(np.argmax(infinite))} is infinite; make it null or mend it")
    return values


def _rounded(values: NDArray[np.float64], column: TableColumn, where: str) -> pa.Array:
    """Round to the float next to the decimal number, so that text of it reads back as the same float."""
    scale = 10.0 ** (column.decimals or 0)
    with np.errstate(over="ignore"):
        whole = np.rint(values * scale)
    large = np.abs(whole) >= _EXACT
    if large.any():
        row = int(np.argmax(large))
        raise CatalogError(
            f"{where}: row {row} has {values[row]:g}, too large for {column.decimals} decimals; "
            "make it null if it stands for a missing value"
        )
    return pa.array(whole / scale + 0.0, mask=np.isnan(values))  # + 0.0 makes minus zero zero


def _as_integer(array: pa.Array, column: TableColumn, where: str) -> pa.Array:
    if pa.types.is_floating(array.type):
        values = _as_float(array, where)
        if (np.abs(values) >= _EXACT).any():
            raise CatalogError(f"{where}: integers from 2**53 on, kept as floats, have lost digits")
        array = pa.array(values, mask=np.isnan(values))
    whole = _converted(array, pa.int32() if column.dtype == "int32" else pa.int64(), where)
    if pc.any(pc.equal(whole, column.blank)).as_py():
        raise CatalogError(f"{where}: {column.blank} stands for a blank in files, and is a value of a row")
    return whole


def _converted(array: pa.Array, kind: pa.DataType, where: str) -> pa.Array:
    try:
        return array.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as fault:
        raise CatalogError(f"{where}: {array.type} does not become {kind}: {fault}") from fault


def mask(table: pa.Table, column: TableColumn) -> NDArray[np.bool_]:
    """Which rows of a conformed table are blank."""
    return pc.is_null(table.column(column.name)).to_numpy()


def floats(table: pa.Table, column: TableColumn) -> NDArray[np.float64]:
    """Values of a column of floats, NaN for blanks."""
    return table.column(column.name).to_numpy()


def integers(table: pa.Table, column: TableColumn) -> NDArray[np.int32] | NDArray[np.int64]:
    """Values of a column of integers, `TableColumn.blank` for blanks."""
    return pc.fill_null(table.column(column.name), column.blank).to_numpy()


def texts(table: pa.Table, column: TableColumn) -> list[str]:
    """Values of a column as text, empty for blanks: floats with all their decimals."""
    if column.dtype == "string":
        return pc.fill_null(table.column(column.name), "").to_pylist()
    if column.dtype == "float64":
        form = f"%.{column.decimals}f"
        return ["" if value != value else form % value for value in floats(table, column).tolist()]
    return ["" if value == column.blank else str(value) for value in integers(table, column).tolist()]


def astropy_table(table: pa.Table, definition: TableDefinition) -> Table:
    """Make an astropy table of a conformed one.

    Parameters
    ----------
    table : pyarrow.Table
        From `conform`.
    definition : TableDefinition
        With which it was made.

    Returns
    -------
    astropy.table.Table
        Columns with units and descriptions, masked where blanks may occur; ``meta`` has title and notes.
    """
    from astropy.table import Column, MaskedColumn, Table

    out = Table(meta={"title": definition.title, "notes": list(definition.notes)})
    for column in definition.columns:
        values: object
        if column.dtype == "string":
            strings = texts(table, column)
            values = np.array(strings, dtype=str if any(strings) else "U1")
        else:
            values = floats(table, column) if column.dtype == "float64" else integers(table, column)
        about = {"name": column.name, "unit": column.unit or None, "description": column.description}
        if column.nullable:
            out[column.name] = MaskedColumn(values, mask=mask(table, column), **about)
        else:
            out[column.name] = Column(values, **about)
    return out
