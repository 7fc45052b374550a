"""Open a file of an external catalogue: FITS, Parquet, text however laid out, machine-readable tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from lkmrs_dask.readers.binary_tables import FitsTable, ParquetTable
from lkmrs_dask.readers.external.foreign import refuse_foreign
from lkmrs_dask.readers.external.kinds import Kind
from lkmrs_dask.readers.external.layout import TextLayout, find_layout
from lkmrs_dask.readers.external.mrt import MrtTable, find_description
from lkmrs_dask.readers.external.ruled import RuledTable, is_ruled
from lkmrs_dask.readers.raw import RawTable, Score
from lkmrs_dask.readers.tables import open_table
from lkmrs_dask.readers.text_tables import TextTable
from lkmrs_dask.readers.text_values import NULL_TEXTS, PLAIN_NULL_TEXTS

__all__ = ["has_types", "open_external"]


class _LaidOutTable(TextTable):
    """A text table whose layout is known, with the units that the file states."""

    def __init__(
        self, path: Path, score: Score, layout: TextLayout, block_bytes: int, nulls: Sequence[str]
    ) -> None:
        super().__init__(
            path,
            score,
            layout.delimiter,
            block_bytes,
            names=layout.names,
            skip=layout.skip,
            nulls=nulls,
            unclosed=False,
        )
        self.where = layout.found
        self._units = layout.units

    @property
    def fields(self) -> list[pa.Field]:
        return [
            pa.field(name, pa.binary(), metadata={"unit": self._units[name]} if name in self._units else None)
            for name in self.names
        ]


def open_external(
    path: Path, kind: Kind, score: Score, *, delimiter: str | None = None, block_bytes: int = 16 << 20
) -> RawTable:
    """Open a file of an external catalogue, whatever its format.

    Parameters
    ----------
    path : Path
        The file, gzipped or not.
    kind : Kind
        What it should be.
    score : callable
        How many wanted names a header has, below zero where one that is needed is missing.
    delimiter : str, optional
        Of a text table; see `find_layout`.
    block_bytes : int
        About how many bytes are read at once.

    Returns
    -------
    RawTable
        To be closed by the caller.

    Raises
    ------
    InputError
        Where the file cannot be opened or read as a table.
    """

    def open_text(path: Path, score: Score, delimiter: str | None, block_bytes: int) -> RawTable:
        refuse_foreign(path)
        description = find_description(path)
        if description is not None:
            return MrtTable(path, description, block_bytes)
        if delimiter is None and is_ruled(path):
            return RuledTable(path, kind.missing_texts, block_bytes)
        nulls = PLAIN_NULL_TEXTS if kind.as_told else NULL_TEXTS
        return _LaidOutTable(path, score, find_layout(path, kind, score, delimiter), block_bytes, nulls)

    return open_table(path, score, delimiter=delimiter, block_bytes=block_bytes, open_text=open_text)


def has_types(table: RawTable) -> bool:
    """Whether the format says of what type each column is."""
    return isinstance(table, FitsTable | ParquetTable)
