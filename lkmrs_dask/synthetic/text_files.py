"""Gzipped text tables as LAMOST releases them, written block by block."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from lkmrs_dask.synthetic.dirt import CLEAN, damage

__all__ = ["DirtyRow", "TextFile", "fill_missing"]

_LEVEL = 1  # of compression: the higher ones cost more time than all the rest


class DirtyRow(NamedTuple):
    """Where a fault is: row as an editor counts lines, kind as an index of `dirt.KINDS`, the column hit."""

    row: int
    kind: int
    column: str | None


class TextFile:
    """A text table that grows.

    Parameters
    ----------
    path : Path
        The file; the bytes in it are a function of the rows alone.
    header : sequence of str
        Names of the columns.
    delimiter : str
        Between fields.

    Attributes
    ----------
    rows : int
        Lines written, with the header.
    """

    def __init__(self, path: Path, header: Sequence[str], delimiter: str) -> None:
        self._header, self._delimiter = list(header), delimiter
        self._file: IO[bytes] = path.open("wb")
        self._stream = gzip.GzipFile(
            filename="", mode="wb", compresslevel=_LEVEL, fileobj=self._file, mtime=0
        )
        self._stream.write((delimiter.join(header) + "\n").encode())
        self.rows = 1

    def write(self, table: pa.Table, kind: NDArray[np.int64], numbers: Sequence[str]) -> list[DirtyRow]:
        """Write rows, and tell where the faults are.

        Parameters
        ----------
        table : pyarrow.Table
            With as many columns as the header has names; null is an empty field.
        kind : ndarray of int64
            Fault of each row, from `Dirt.choose`.
        numbers : sequence of str
            Columns in which text may be put.
        """
        buffer = io.BytesIO()
        options = csv.WriteOptions(include_header=False, delimiter=self._delimiter, quoting_style="none")
        csv.write_csv(table, buffer, options)
        text, faults = buffer.getvalue(), []
        n_rows = table.num_rows
        if (kind != CLEAN).any():
            lines = text.decode().split("\n")[:-1]
            for found in damage(lines, kind, self._header, self._delimiter, numbers):
                faults.append(DirtyRow(self.rows + 1 + found.line, found.kind, found.column))
            text, n_rows = ("\n".join(lines) + "\n").encode(), len(lines)
        self._stream.write(text)
        self.rows += n_rows
        return faults

    def close(self) -> None:
        """Finish the file."""
        self._stream.close()
        self._file.close()


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
