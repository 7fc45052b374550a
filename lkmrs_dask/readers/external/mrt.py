"""Machine-readable tables of the journals and the CDS: fixed widths, described in the file or a ReadMe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.raw import LONGEST_TEXT, RawBlock
from lkmrs_dask.readers.streams import StreamError, peek, read_blocks

__all__ = ["Cut", "MrtTable", "find_description"]

_MARK = "Byte-by-byte Description"
_HEAD = 1 << 16
_LINE = re.compile(r"^\s*(?:(\d+)\s*-)?\s*(\d+)\s+([AIFED]\d+(?:\.\d+)?)\s+(\S+)\s+(\S.*)$")
_RULE = re.compile(r"^[-=]{20,}\s*$")
_LIMITS = re.compile(r"^[\[\]][^\]\[]*[\]\[]\s*")


class Cut(NamedTuple):
    """Where a column stands: the characters [start, stop)."""

    name: str
    start: int
    stop: int
    unit: str
    description: str


def find_description(path: Path) -> Path | None:
    """Find what describes a table byte by byte: itself, as in the journals, or the ``ReadMe`` of the CDS.

    Returns
    -------
    Path or None
        None where the table is of another form.
    """
    if _MARK.encode() in peek(path, _HEAD):
        return path
    beside = path.with_name("ReadMe")
    return beside if beside.is_file() and _section(beside, path) else None


def _section(read_me: Path, path: Path) -> list[str]:
    """Lines of a ReadMe from the mark of a file on."""
    lines = read_me.read_text("utf-8", "replace").splitlines()
    name = path.name.removesuffix(".gz")
    for at, line in enumerate(lines):
        if _MARK in line and name in re.split(r"[\s,]+", line.partition(":")[2]):
            return lines[at + 1 :]
    return []


class MrtTable:
    """A machine-readable table; what stands in the columns is text until it is converted.

    Parameters
    ----------
    path : Path
        The file, gzipped or not.
    description : Path
        See `find_description`.
    block_bytes : int
        About how many bytes are cut at once.

    Raises
    ------
    InputError
        Where the description or the data are missing.
    """

    where = "the byte-by-byte description"

    def __init__(self, path: Path, description: Path, block_bytes: int) -> None:
        self._path = path
        self._stream = read_blocks(path, max(block_bytes, _HEAD * 4))  # the description must fit the first
        self._line = 0
        self._lines = self._all_lines()
        self._rest: list[bytes] = []
        try:
            own = description == path
            self._cuts = self._own_description() if own else _cuts(_section(description, path))
            if not self._cuts:
                raise InputError("the byte-by-byte description names no column", file=description)
        except InputError:
            self.close()
            raise
        self.names = [cut.name for cut in self._cuts]
        self.fields = [
            pa.field(cut.name, pa.binary(), metadata={"unit": cut.unit, "description": cut.description})
            for cut in self._cuts
        ]

    def _all_lines(self) -> Iterator[list[bytes]]:
        """Blocks of lines; InputError at a fault of the stream."""
        try:
            for block in self._stream:
                yield block.lines()
        except StreamError as fault:
            message = f"{fault}; row {self._line} is the last good one"
            raise InputError(message, file=self._path, row=self._line) from fault

    def _own_description(self) -> list[Cut]:
        """Read the description, which must lie in the first block, and leave the rows behind it."""
        lines = next(self._lines, [])
        texts = [line.decode("utf-8", "replace") for line in lines]
        rules = [number for number, text in enumerate(texts) if _RULE.match(text)]
        marks = [number for number, text in enumerate(texts) if _MARK in text]
        self._line = rules[-1] + 1 if rules else len(lines)
        self._rest = lines[self._line :]
        return _cuts(texts[marks[0] + 1 :]) if marks else []

    def blocks(self, types: Mapping[str, pa.DataType]) -> Iterator[RawBlock]:
        """Cut the columns in `types` out of the lines, as binary text.

        Raises
        ------
        InputError
            After the last good row, where the file cannot be read on.
        """
        wanted = [cut for cut in self._cuts if cut.name in types]
        lines: list[bytes] | None = self._rest
        while lines is not None:
            yield self._block(lines, self._line + 1, wanted)
            self._line += len(lines)
            lines = next(self._lines, None)

    def _block(self, lines: list[bytes], first: int, wanted: list[Cut]) -> RawBlock:
        filled = [at for at, line in enumerate(lines) if line.strip()]
        rows = [lines[at].rstrip(b"\r") for at in filled]
        column, numbers = pa.array(rows, pa.binary()), first + np.array(filled, np.int64)
        return RawBlock(
            columns={cut.name: pc.binary_slice(column, cut.start, cut.stop) for cut in wanted},
            n_rows=len(rows),
            numbers=lambda at: numbers[at],
            texts=lambda at: [
                rows[i].decode("utf-8", "backslashreplace")[:LONGEST_TEXT] for i in at.tolist()
            ],
        )

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


def _cuts(lines: list[str]) -> list[Cut]:
    """Columns of a description, a line each: `Bytes Format Units Label Explanations`."""
    cuts: list[Cut] = []
    for text in lines:
        match = _LINE.match(text)
        if match is None:
            if cuts and _RULE.match(text):
                break
            continue
        first, last, _, unit, rest = match.groups()
        # Labels may hold single blanks; two of them part a label from its explanation.
        name, _, description = rest.strip().partition("  ")
        if not description and " " in name:
            name, _, description = name.partition(" ")
        description = _LIMITS.sub("", description.strip()).lstrip('?="').strip()
        start = int(first or last) - 1
        cuts.append(Cut(name, start, int(last), "" if unit in ("---", "--") else unit, description))
    return cuts
