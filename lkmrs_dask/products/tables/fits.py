"""Tables as FITS binary tables."""

from __future__ import annotations

from io import BytesIO
from textwrap import wrap
from typing import Any

import numpy as np
import pyarrow as pa

from lkmrs_dask.products.tables.conform import astropy_table, floats, integers, texts
from lkmrs_dask.products.tables.definition import TableColumn, TableDefinition

__all__ = ["fits_bytes"]

_CODES = {"int32": "J", "int64": "K", "float64": "D"}


def fits_bytes(table: pa.Table, definition: TableDefinition) -> bytes:
    """A conformed table as a FITS file with one binary table.

    Blanks are TNULL in columns of integers, NaN in floats, and empty text.  Descriptions are TCOMM and UCDs
    TUCD, for TOPCAT and others; descriptions stand also in comments, where astropy looks for them.  There is
    no date, so that the same rows make the same bytes.
    """
    from astropy.io import fits

    hdu = fits.BinTableHDU.from_columns([_column(table, column) for column in definition.columns])
    hdu.name = definition.name.upper()
    for number, column in enumerate(definition.columns, 1):
        hdu.header[f"TCOMM{number}"] = column.description
        if column.ucd:
            hdu.header[f"TUCD{number}"] = column.ucd
    numbered = (f"Note ({number}): {note}" for number, note in enumerate(definition.notes, 1))
    for text in (definition.title, *numbered):
        for line in wrap(text, 70):
            hdu.header["COMMENT"] = line
    for line in _comments(definition):
        hdu.header["COMMENT"] = line
    buffer = BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
    return buffer.getvalue()


def _column(table: pa.Table, column: TableColumn) -> Any:
    from astropy.io import fits

    about: dict[str, Any] = {"name": column.name, "unit": column.plain_unit or None}
    if column.dtype == "string":
        values = np.array(texts(table, column), dtype="S") if len(table) else np.empty(0, "S1")
        return fits.Column(format=f"{max(values.dtype.itemsize, 1)}A", array=values, **about)
    if column.dtype == "float64":
        return fits.Column(format="D", array=floats(table, column), **about)
    if column.nullable:
        about["null"] = column.blank
    return fits.Column(format=_CODES[column.dtype], array=integers(table, column), **about)


def _comments(definition: TableDefinition) -> list[str]:
    """Comments from which astropy takes the descriptions: those that it writes itself."""
    from astropy.io import fits

    nothing = pa.table({c.name: pa.array([], c.dtype) for c in definition.columns})
    empty = astropy_table(nothing, definition)
    empty.meta.clear()
    for name in empty.colnames:
        empty[name].unit = definition[name].plain_unit or None
    buffer = BytesIO()
    empty.write(buffer, format="fits")
    buffer.seek(0)
    return list(fits.getheader(buffer, 1)["COMMENT"])
