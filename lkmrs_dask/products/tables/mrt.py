"""Machine-readable tables of the AAS and the CDS: a description byte by byte, then rows of fixed width."""

from __future__ import annotations

from textwrap import wrap

import numpy as np
import pyarrow as pa

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.products.tables.conform import floats, integers, mask, texts
from lkmrs_dask.products.tables.definition import TableColumn, TableDefinition

__all__ = ["SURVEY", "mrt_text"]

SURVEY = "LAMOST-Kepler/K2 Medium-Resolution Survey"
_WIDTH = 80
_RULE, _DOUBLE_RULE = "-" * _WIDTH, "=" * _WIDTH
_HEAD = ("Bytes", "Format", "Units", "Label", "Explanations")
_GLUE = "\x00"


def mrt_text(table: pa.Table, definition: TableDefinition, *, title: str = SURVEY, authors: str = "") -> str:
    """A conformed table as the AAS and the CDS have it.

    astropy reads it with ``format="ascii.mrt"`` and ``"ascii.cds"``.  Its own writer is not used: it takes
    minutes for a survey, leaves the limits out where the first row is blank or a limit is 0, rounds them to
    two decimals, and knows no title, no notes and no empty tables.

    Parameters
    ----------
    table : pyarrow.Table
        From `lkmrs_dask.products.tables.conform.conform`.
    definition : TableDefinition
        With which it was made.
    title, authors : str
        Of the publication, ASCII.

    Returns
    -------
    str
        Lines without blanks at their ends.

    Raises
    ------
    CatalogError
        For a row that a reader would take for a rule between sections.
    """
    cells = [texts(table, column) for column in definition.columns]
    # A float without rows has room for 0 and its decimals all the same.
    widths = [
        max([column.decimals + 2 if column.decimals else 1, *map(len, one)])
        for one, column in zip(cells, definition.columns, strict=True)
    ]
    head = [
        *_paragraph(f"Title: {title}"),
        *_paragraph(f"Authors: {authors}".rstrip()),
        *_paragraph(f"Table: {definition.title}"),
        _DOUBLE_RULE,
        f"Byte-by-byte Description of file: {definition.name}.mrt",
        *_byte_by_byte(table, definition, widths),
    ]
    for number, note in enumerate(definition.notes, 1):
        head += _paragraph(f"Note ({number}): {note}")
    if definition.notes:
        head.append(_RULE)
    return "\n".join([*head, *_rows(cells, definition, widths), ""])


def _paragraph(text: str) -> list[str]:
    return wrap(text, _WIDTH, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)


def _rows(cells: list[list[str]], definition: TableDefinition, widths: list[int]) -> list[str]:
    """Rows: text flush left, numbers flush right."""
    padded = [
        [cell.ljust(width) if column.dtype == "string" else cell.rjust(width) for cell in one]
        for one, column, width in zip(cells, definition.columns, widths, strict=True)
    ]
    lines = [" ".join(row).rstrip() for row in zip(*padded, strict=True)]
    for number, line in enumerate(lines):
        if line.startswith(("------", "======")) and len(set(line)) == 1:
            raise CatalogError(
                f"{definition.name}: row {number} is {line!r}, which ends a section of the file"
            )
    return lines


def _byte_by_byte(table: pa.Table, definition: TableDefinition, widths: list[int]) -> list[str]:
    digits = len(str(sum(widths) + len(widths) - 1))
    rows, first = [], 1
    for column, width in zip(definition.columns, widths, strict=True):
        last = first + width - 1
        place = f"{first:>{digits}}-{last:>{digits}}" if width > 1 else f"{last:>{2 * digits + 1}}"
        rows.append((place, _format(column, width), column.cds_unit, column.name, _explain(table, column)))
        first = last + 2
    sizes = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)][:-1]
    lines = [_RULE, _line(_HEAD, sizes), _RULE]
    for row in rows:
        # Two blanks behind the label: labels may hold one, says the CDS, and some readers go by that.
        start = _line((*row[:-1], ""), sizes, strip=False)
        lines += wrap(
            start + _glued(row[-1]), max(_WIDTH, len(start) + 30), subsequent_indent=" " * len(start),
            break_on_hyphens=False, break_long_words=False, drop_whitespace=True,
        )  # fmt: skip
    return [line.replace(_GLUE, " ") for line in [*lines, _RULE]]


def _line(cells: tuple[str, ...], sizes: list[int], *, strip: bool = True) -> str:
    *most, last = cells
    padded = [
        cell.rjust(size) if k == 0 else cell.ljust(size)
        for k, (cell, size) in enumerate(zip(most, sizes, strict=True))
    ]
    line = " ".join(padded) + "  " + last
    return line.rstrip() if strip else line


def _glued(text: str) -> str:
    """Keep words that begin with a digit behind the one before: readers take such lines for columns."""
    words = text.split(" ")
    return words[0] + "".join(
        (_GLUE if word[:1].isdigit() or word[:1] in "-=" else " ") + word for word in words[1:]
    )


def _format(column: TableColumn, width: int) -> str:
    if column.dtype == "string":
        return f"A{width}"
    return f"F{width}.{column.decimals}" if column.dtype == "float64" else f"I{width}"


def _explain(table: pa.Table, column: TableColumn) -> str:
    """``[least/greatest]? description``, the mark where blanks may occur."""
    some = ~mask(table, column)
    prefix = ""
    if column.limits and some.any():
        values = floats(table, column) if column.dtype == "float64" else integers(table, column)
        form = f"%.{column.decimals}f" if column.dtype == "float64" else "%d"
        prefix = "/".join(form % one(values[some]) for one in (np.min, np.max))
        prefix = f"[{prefix}]"
    if column.nullable:
        prefix += "?"
    return f"{prefix} {column.description}".lstrip()
