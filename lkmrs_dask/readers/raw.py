"""What the table formats have in common: a table with names, read in blocks of raw columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA

__all__ = ["LONGEST_TEXT", "RawBlock", "RawTable", "Score"]

LONGEST_TEXT = 4000  # characters of a row that is set aside

Score = Callable[[Sequence[str]], int]
"""How many wanted columns a header has; below zero where a required one is missing."""


@dataclass(frozen=True)
class RawBlock:
    """Some rows of a raw table, not yet converted.

    Attributes
    ----------
    columns : dict
        Arrow array by raw name: text (string or binary) or whatever the file holds.
    n_rows : int
        Length of each array.
    numbers : callable
        Row numbers in the file (int64) of the rows at the given positions in the block.
    texts : callable
        Each of these rows as text.
    refused : pyarrow.Table
        Rows of which no columns could be made (``SET_ASIDE_SCHEMA``).
    """

    columns: Mapping[str, pa.Array]
    n_rows: int
    numbers: Callable[[np.ndarray], np.ndarray]
    texts: Callable[[np.ndarray], list[str]]
    refused: pa.Table = field(default_factory=SET_ASIDE_SCHEMA.empty_table)


class RawTable(Protocol):
    """An open table of any format."""

    names: list[str]
    where: str
    """How the header was read, for messages: the delimiter, or the HDU."""

    @property
    def fields(self) -> list[pa.Field]:
        """Columns of one value a row, as far as the file tells: type (binary for text), unit, description."""

    def blocks(self, types: Mapping[str, pa.DataType]) -> Iterator[RawBlock]:
        """Read the columns in `types`: what the file holds, or these types where a text parser can."""

    def close(self) -> None:
        """Let go of the file."""
