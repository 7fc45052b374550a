"""Tables as text with separators: CSV, and ECSV with units and descriptions before the same lines."""

from __future__ import annotations

import csv
from io import StringIO

import pyarrow as pa

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.products.tables.conform import astropy_table, texts
from lkmrs_dask.products.tables.definition import TableDefinition

__all__ = ["csv_text", "ecsv_text"]


def csv_text(table: pa.Table, definition: TableDefinition) -> str:
    """A conformed table as CSV: names, then rows; blanks are empty."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(definition.names)
    writer.writerows(zip(*(texts(table, column) for column in definition.columns), strict=True))
    return buffer.getvalue()


def ecsv_text(table: pa.Table, definition: TableDefinition) -> str:
    """A conformed table as ECSV, separated by commas.

    The header is astropy's.  The rows are those of `csv_text`: astropy's writer makes the same values, one
    by one, in a hundred times the time.

    Raises
    ------
    CatalogError
        For a row that begins with ``#``, which a reader would take for a comment.
    """
    for number, cell in enumerate(texts(table, definition.columns[0])):
        if cell.startswith("#"):
            raise CatalogError(
                f"{definition.name}: row {number} begins with #, which makes it a comment in ECSV"
            )
    head = StringIO()
    astropy_table(table.slice(0, 0), definition).write(head, format="ascii.ecsv", delimiter=",")
    lines = head.getvalue().splitlines()
    return "".join(f"{line}\n" for line in lines if line.startswith("#")) + csv_text(table, definition)
