"""Tables as Parquet, for pandas, Dask and others, and as astropy reads it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lkmrs_dask.products.tables.conform import integers, mask
from lkmrs_dask.products.tables.definition import TableColumn, TableDefinition

__all__ = ["parquet_bytes"]

_ASTROPY = "table_meta_yaml"


def parquet_bytes(table: pa.Table, definition: TableDefinition) -> bytes:
    """A conformed table as Parquet with units, descriptions and UCDs in the metadata of its fields.

    Blank floats are null and blank text is empty.  Columns of integers have no nulls: pandas and astropy make
    floats of such, and Gaia's identifiers lose their last digits.  Where blanks may occur the number
    `TableColumn.blank` stands for them, and a column of booleans at the end of the table, ``NAME.mask``, says
    where: astropy's own convention, by which it reads masked integers.
    """
    columns, fields = [], []
    metadata = {"title": definition.title, "notes": "\n".join(definition.notes)}
    for column in definition.columns:
        values = _values(table, column)
        columns.append(values)
        fields.append(_field(column, values.type))
        if column.dtype == "string":
            longest = pc.max(pc.binary_length(values)).as_py() or 1
            metadata[f"table::len::{column.name}"] = str(longest)
    for column in definition.columns:
        if _has_mask(column):
            columns.append(pa.array(mask(table, column)))
            about = {"description": f"{column.name} is blank"}
            fields.append(pa.field(f"{column.name}.mask", pa.bool_(), nullable=False, metadata=about))
    metadata[_ASTROPY] = _astropy_header(definition)
    buffer = BytesIO()
    pq.write_table(pa.table(columns, schema=pa.schema(fields, metadata)), buffer, compression="zstd")
    return buffer.getvalue()


def _has_mask(column: TableColumn) -> bool:
    return column.nullable and column.dtype in ("int32", "int64")


def _values(table: pa.Table, column: TableColumn) -> pa.Array:
    if column.dtype == "float64":
        return table.column(column.name).combine_chunks()
    if column.dtype == "string":
        return pc.fill_null(table.column(column.name), "").combine_chunks()
    return pa.array(integers(table, column))


def _field(column: TableColumn, kind: pa.DataType) -> pa.Field:
    about = {"description": column.description, "unit": column.unit, "ucd": column.ucd}
    filled = {name: value for name, value in about.items() if value}
    return pa.field(
        column.name, kind, nullable=column.dtype == "float64" and column.nullable, metadata=filled
    )


def _astropy_header(definition: TableDefinition) -> str:
    """What astropy itself would write about such columns."""
    from astropy.table import Column, MaskedColumn, Table

    one = Table(meta={"title": definition.title, "notes": list(definition.notes)})
    for column in definition.columns:
        values = np.zeros(1, "U1" if column.dtype == "string" else column.dtype)
        about = {"unit": column.unit or None, "description": column.description}
        # It notes a mask only where something is masked.
        one[column.name] = (
            MaskedColumn(values, mask=True, **about) if _has_mask(column) else Column(values, **about)
        )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "one.parquet"
        one.write(path, format="parquet")
        return pq.read_schema(path).metadata[_ASTROPY.encode()].decode("utf-8")
