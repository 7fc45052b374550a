"""Delimited text: the header, and blocks of lines parsed by Arrow with the types that the schema asks for.

One line is one row: a newline inside a quoted field is not supported, and a line with an unclosed quote
never swallows the lines after it.
"""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from lkmrs_dask.errors import DamagedError, InputError
from lkmrs_dask.readers.raw import RawBlock, Score
from lkmrs_dask.readers.streams import DamagedStreamError, LineBlock, StreamError, read_blocks
from lkmrs_dask.readers.text_parser import BOM, LINE_BREAK, WRONG_FIELDS, Parser
from lkmrs_dask.readers.text_values import NULL_TEXTS

__all__ = ["DELIMITERS", "LINE_BREAK", "WRONG_FIELDS", "TextTable", "split_header"]

DELIMITERS = (",", "|", "\t", ";")


class TextTable:
    """A CSV-like table, gzipped or not.

    Parameters
    ----------
    path : Path
        The file.
    score : callable
        Judges a header: of the possible delimiters the one with the best header is taken.
    delimiter : str, optional
        Taken without looking where given.
    block_bytes : int
        Bytes of text that are parsed at once.
    names : sequence of str, optional
        Names of the columns of a file without a header; needs `delimiter`.
    skip : int
        Lines to leave out before the header, or the first row where names are given.
    nulls : sequence of str
        Texts that mean "missing".
    unclosed : bool
        Whether a line that ends inside quotes is a row all the same, where it has enough fields.

    Raises
    ------
    InputError
        Where not even a header can be read.
    """

    def __init__(
        self,
        path: Path,
        score: Score,
        delimiter: str | None,
        block_bytes: int,
        *,
        names: Sequence[str] | None = None,
        skip: int = 0,
        nulls: Sequence[str] = tuple(NULL_TEXTS),
        unclosed: bool = True,
    ) -> None:
        self._path, self._nulls, self._unclosed = path, list(nulls), unclosed
        self.names: list[str] = []
        self._stream: Generator[LineBlock] = read_blocks(path, block_bytes)
        self._line = 0  # the last line that was read
        self._block = self._next()
        for _ in range(skip):
            self._take_line()
        if names is not None:
            if delimiter is None:
                raise ValueError("a table without a header needs its delimiter named")
            self._delimiter, self.names = delimiter, list(names)
            self.where = "the names given"
            return
        header = self._header_line()
        choices = (delimiter,) if delimiter else DELIMITERS
        headers = {choice: split_header(header, choice) for choice in choices}
        self._delimiter = max(choices, key=lambda choice: (score(headers[choice]), len(headers[choice])))
        self.names = headers[self._delimiter]
        self.where = f"the header split at {self._delimiter!r}"

    def _next(self) -> LineBlock | None:
        try:
            return next(self._stream, None)
        except DamagedStreamError as fault:
            text = f"{fault}; any row may be wrong, so fetch the file again"
            raise DamagedError(text, file=self._path, row=self._line) from fault
        except StreamError as fault:
            raise InputError(
                f"{fault}; row {self._line} is the last good one", file=self._path, row=self._line
            ) from fault

    def _header_line(self) -> str:
        """Take the first line that is not blank off the first block."""
        while self._block is not None:
            line = self._take_line()
            if line.strip():
                return line.decode("utf-8", "replace")
        raise InputError("the file has no header: all its lines are blank", file=self._path)

    def _take_line(self) -> bytes:
        """Take a line off the first block; empty at the end of the file."""
        if self._block is None:
            return b""
        block = self._block
        end = block.buffer.find(b"\n", block.start, block.stop)
        end = block.stop if end < 0 else end + 1
        line = bytes(block.view[: end - block.start]).removeprefix(BOM).strip(b"\r\n")
        self._line += 1
        rest = LineBlock(block.buffer, end, block.stop)
        self._block = rest if len(rest) else self._next_or_fault()
        return line

    def _next_or_fault(self) -> LineBlock | None:
        # A fault after the header must not hide the header: blocks() raises it.
        try:
            return next(self._stream, None)
        except StreamError as fault:
            self._stream = _raising(fault)
            return LineBlock(bytearray(), 0, 0)

    @property
    def fields(self) -> list[pa.Field]:
        """Its columns: text, until it is parsed."""
        return [pa.field(name, pa.binary()) for name in self.names]

    def blocks(self, types: Mapping[str, pa.DataType]) -> Iterator[RawBlock]:
        """Read the columns in `types`, in blocks.

        A column becomes binary text instead, from the block on in which a cell does not fit its type.

        Raises
        ------
        InputError
            After the last good row, where the file cannot be read on.
        """
        parser = Parser(self._path, self.names, types, self._delimiter, self._nulls, self._unclosed)
        while self._block is not None:
            n_lines = self._block.count_lines()
            if n_lines:
                yield parser.parse(self._block, self._line + 1, n_lines)
            self._line += n_lines
            self._block = self._next()

    def close(self) -> None:
        """Stop the background thread and let go of the file."""
        self._stream.close()


def _raising(fault: StreamError) -> Generator[LineBlock]:
    raise fault
    yield


def split_header(line: str, delimiter: str) -> list[str]:
    """Names in a header line, which may begin with ``#``, stripped of blanks and quotes."""
    if line.startswith("#"):
        line = line[1:].lstrip(" ")
    try:
        names = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    except csv.Error:  # one field of more than 128 KiB: no header, but the caller says so better
        names = line.split(delimiter)
    return [name.strip() for name in names]
