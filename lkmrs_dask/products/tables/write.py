"""Write a table of the paper in every format."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from lkmrs_dask.errors import UsageError
from lkmrs_dask.products.table_files import write_whole
from lkmrs_dask.products.tables.conform import conform
from lkmrs_dask.products.tables.definition import TableDefinition
from lkmrs_dask.products.tables.fits import fits_bytes
from lkmrs_dask.products.tables.mrt import SURVEY, mrt_text
from lkmrs_dask.products.tables.parquet import parquet_bytes
from lkmrs_dask.products.tables.separated import csv_text, ecsv_text
from lkmrs_dask.products.tables.votable import votable_text

__all__ = ["FORMATS", "write_paper_table"]

_WRITERS: dict[str, Callable[[pa.Table, TableDefinition], str | bytes]] = {
    "mrt": mrt_text,
    "fits": fits_bytes,
    "vot": votable_text,
    "ecsv": ecsv_text,
    "parquet": parquet_bytes,
    "csv": csv_text,
}
FORMATS = tuple(_WRITERS)
"""Formats, which are also the endings of the files."""


def write_paper_table(
    rows: pa.Table,
    definition: TableDefinition,
    folder: str | os.PathLike,
    formats: Sequence[str] = FORMATS,
    *,
    title: str = SURVEY,
    authors: str = "",
) -> list[Path]:
    """Write a table as ``NAME.mrt``, ``.fits``, ``.vot``, ``.ecsv``, ``.parquet`` and ``.csv``.

    All files have the same values, rounded to the decimals of the definition, and the same rows make the same
    bytes.

    Parameters
    ----------
    rows : pyarrow.Table
        With the columns ``definition.sources``.
    definition : TableDefinition
        One of `lkmrs_dask.products.tables.PAPER_TABLES`, or another.
    folder : path
        Made where it is missing.
    formats : sequence of str
        Some of `FORMATS`.
    title, authors : str
        First lines of the machine-readable table; ASCII.

    Returns
    -------
    list of pathlib.Path
        The files in the order of `formats`, each written whole or not at all.

    Raises
    ------
    CatalogError
        Where a column is missing or some format cannot hold a value; nothing is written.
    UsageError
        For an unknown format, or a title or authors that are not ASCII on one line.
    """
    unknown = [name for name in formats if name not in _WRITERS]
    if unknown or isinstance(formats, str):
        raise UsageError(f"formats must be some of {', '.join(FORMATS)}, not {formats!r}")
    for what, text in (("title", title), ("authors", authors)):
        if not (text.isascii() and text.isprintable()):
            raise UsageError(f"{what} must be ASCII on one line, not {text!r}")
    table = conform(rows, definition)
    contents = {
        name: mrt_text(table, definition, title=title, authors=authors)
        if name == "mrt"
        else _WRITERS[name](table, definition)
        for name in dict.fromkeys(formats)
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return [write_whole(folder / f"{definition.name}.{name}", content) for name, content in contents.items()]
