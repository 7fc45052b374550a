"""What every reader of raw files gives: chunks of good rows, and the rest with reasons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import pyarrow as pa

from lkmrs_dask.schema import TableSchema

__all__ = ["SET_ASIDE_SCHEMA", "Chunk", "Source", "set_aside_table"]

SET_ASIDE_SCHEMA = pa.schema(
    [
        pa.field("file", pa.string()),
        pa.field("row", pa.int64()),  # as an editor counts lines; from 1 in binary tables; null: the file
        pa.field("column", pa.string()),
        pa.field("reason", pa.string()),  # one of a few fixed phrases, so that it can be counted
        pa.field("value", pa.string()),  # the value at fault, as text
        pa.field("text", pa.string()),  # the whole row as text where it is short, so that nothing is lost
    ]
)


class Chunk(NamedTuple):
    """A piece of a raw file: rows that can be used, and rows set aside (``SET_ASIDE_SCHEMA``)."""

    table: pa.Table
    set_aside: pa.Table


@runtime_checkable
class Source(Protocol):
    """Raw files that feed one catalogue.  Implementations are frozen and picklable: they travel."""

    @property
    def schema(self) -> TableSchema:
        """The catalogue that the rows belong to."""

    @property
    def files_together(self) -> int:
        """How many files of a folder are read as one piece of work: 1 for large ones."""

    def files(self) -> list[Path]:
        """The files, sorted by name; UsageError where a pattern matches none."""

    def read(self, file: Path) -> Iterator[Chunk]:
        """Read one file in bounded memory.

        A fault of one row sets that row aside.  A fault that ends the reading of the file is raised as
        InputError, after every chunk before it was given.
        """


def set_aside_table(
    file: object,
    reason: str,
    *,
    rows: list[int] | None = None,
    column: str | None = None,
    values: list[str | None] | None = None,
    texts: list[str | None] | None = None,
) -> pa.Table:
    """Build a table of rows set aside for one reason; without `rows`, one line for the file as a whole."""
    numbers: list[int | None] = [None] if rows is None else list(rows)
    n = len(numbers)
    return pa.table(
        {
            "file": pa.array([str(file)] * n, pa.string()),
            "row": pa.array(numbers, pa.int64()),
            "column": pa.array([column] * n, pa.string()),
            "reason": pa.array([reason] * n, pa.string()),
            "value": pa.array(values if values is not None else [None] * n, pa.string()),
            "text": pa.array(texts if texts is not None else [None] * n, pa.string()),
        },
        schema=SET_ASIDE_SCHEMA,
    )
