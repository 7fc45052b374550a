"""Tables as files: to load (CSV, ECSV with units and descriptions) and to read (plain text)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from astropy.table import Table

__all__ = ["plain_text", "write_table", "write_whole"]


def write_table(
    table: Table, folder: str | os.PathLike, stem: str, *, float_format: str = ".4f"
) -> list[Path]:
    """Write a table as ``STEM.csv``, ``STEM.ecsv`` and ``STEM.txt``.

    Parameters
    ----------
    table : astropy.table.Table
        With a description of each column and ``meta["title"]``.
    folder : path
        Made where it is missing.
    stem : str
        Name of the files without ending.
    float_format : str
        Format of floats in the plain text; the other two have them in full.

    Returns
    -------
    list of pathlib.Path
        The files in this order, each written whole or not at all.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {}
    for suffix in ("csv", "ecsv"):
        buffer = StringIO()
        table.write(buffer, format=f"ascii.{suffix}")
        texts[suffix] = buffer.getvalue()
    texts["txt"] = plain_text(table, float_format=float_format)
    return [write_whole(folder / f"{stem}.{suffix}", text) for suffix, text in texts.items()]


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write a file whole or not at all: under another name first.

    Parameters
    ----------
    path : pathlib.Path
        In a folder that is there.
    content : str or bytes
        Text is written as UTF-8, its ends of lines as they are.

    Returns
    -------
    pathlib.Path
        `path`.
    """
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    unfinished.replace(path)
    return path


def plain_text(table: Table, *, float_format: str = ".4f") -> str:
    """Columns set flush, thousands separated, descriptions below; see `write_table`.

    A last row whose first cell begins with ``Total`` has a rule above it; NaN is an empty cell.
    """
    cells = [
        [name, *(_cell(value, float_format) for value in table[name].tolist())] for name in table.colnames
    ]
    widths = [max(map(len, column)) for column in cells]
    number = [table[name].dtype.kind in "if" for name in table.colnames]
    lines = [
        "  ".join(
            c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, number, strict=True)
        ).rstrip()
        for row in zip(*cells, strict=True)
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    total = len(lines) > 1 and lines[-1].startswith("Total")
    body: Sequence[str] = [*lines[1:-1], rule, lines[-1]] if total else lines[1:]
    about = [
        f"  {name.ljust(max(map(len, table.colnames)))}  {table[name].description}"
        + (f" [{table[name].unit}]" if table[name].unit else "")
        for name in table.colnames
    ]
    return "\n".join([table.meta["title"], "", lines[0], rule, *body, "", "Columns", *about, ""])


def _cell(value: str | float | bool, float_format: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return "" if np.isnan(value) else format(value, float_format)
    return value
