"""Rows of LAMOST's text tables."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

__all__ = ["fill_missing", "text_lines"]


def text_lines(table: pa.Table, delimiter: str) -> bytes:
    """Lines of text of a table, without header; null is an empty field."""
    buffer = io.BytesIO()
    options = csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="none")
    csv.write_csv(table, buffer, options)
    return buffer.getvalue()


def fill_missing(table: pa.Table, marks: Mapping[str, float | str]) -> pa.Table:
    """Replace nulls by what a release writes for "missing".

    Parameters
    ----------
    table : pyarrow.Table
        Rows.
    marks : mapping
        What to write, by column; columns that are not named keep their nulls.
    """
    columns = []
    for name in table.column_names:
        column = table.column(name)
        if name in marks and column.null_count:
            column = pc.fill_null(column, pa.scalar(marks[name], column.type))
        columns.append(column)
    return pa.table(columns, names=table.column_names)
