"""Delimited text: the header, and blocks of lines parsed by Arrow with the types that the schema asks for.

One line is one row: a newline inside a quoted field is not supported, and a line with an unclosed quote
never swallows the lines after it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from lkmrs_dask.errors import DamagedError, InputError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, set_aside_table
from lkmrs_dask.readers.cells import UNDECODABLE
from lkmrs_dask.readers.raw import LONGEST_TEXT, RawBlock, Score
from lkmrs_dask.readers.streams import DamagedStreamError, LineBlock, StreamError, read_blocks
from lkmrs_dask.readers.text_values import FALSE_TEXTS, NULL_TEXTS, TRUE_TEXTS

__all__ = ["DELIMITERS", "LINE_BREAK", "WRONG_FIELDS", "TextTable", "split_header"]

DELIMITERS = (",", "|", "\t", ";")
WRONG_FIELDS = "wrong number of fields"
LINE_BREAK = "stray line break"
_BLAMED = re.compile(r"In CSV column #(\d+):")
_BOM = b"\xef\xbb\xbf"


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
    ) -> None:
        self._path = path
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
        line = bytes(block.view[: end - block.start]).removeprefix(_BOM).strip(b"\r\n")
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
        parser = _Parser(self._path, self.names, types, self._delimiter)
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


class _Parser:
    """Parses blocks; remembers which columns must be read as text."""

    def __init__(
        self, path: Path, names: list[str], types: Mapping[str, pa.DataType], delimiter: str
    ) -> None:
        self._path = path
        # Arrow gets numbers for names: a header may repeat a name that nobody wants.
        self._all = [str(position) for position in range(len(names))]
        self._wanted = {str(names.index(name)): name for name in types}
        self._types = {key: types[name] for key, name in self._wanted.items()}
        self._delimiter = delimiter

    def parse(self, block: LineBlock, first_line: int, n_lines: int) -> RawBlock:
        """Parse whole lines, the first of which has the number `first_line` in the file."""
        if _has_hex(block):
            self._read_integers_as_text()
        if self._is_odd(block) or not _is_utf8(block):
            return self._parse_lines(block, first_line)
        table, refused = self._read(block.view, self._types)
        if table.num_rows + len(refused) != n_lines:  # blank lines, or a quote that swallowed lines
            return self._parse_lines(block, first_line)
        numbers = first_line + np.arange(n_lines)
        bad = np.asarray(refused, np.int64) - 1
        return self._raw_block(
            block, first_line, table, np.delete(numbers, bad), [(WRONG_FIELDS, numbers[bad])]
        )

    def _is_odd(self, block: LineBlock) -> bool:
        """Whether Arrow may see other lines than we do."""
        if block.buffer[block.start] in b"\r\n":
            return True
        if b"\r" not in block:
            return False
        array = block.array
        returns = np.flatnonzero(array == ord("\r"))
        if returns[-1] == len(array) - 1:  # the file ends in a lone one: harmless
            returns = returns[:-1]
        return bool(np.any(array[returns + 1] != ord("\n")))

    def _parse_lines(self, block: LineBlock, first_line: int) -> RawBlock:
        """Parse a block in which a line is blank or not text, or a quote or carriage return stands alone."""
        lines = block.lines()
        faults: dict[str, list[int]] = {UNDECODABLE: [], LINE_BREAK: []}
        kept: dict[bool, list[int]] = {False: [], True: []}  # by whether a line has a quote
        for i, line in enumerate(lines):
            bare = line.strip(b"\r")
            if not _is_text(bare):
                faults[UNDECODABLE].append(i)
            elif b"\r" in bare:
                faults[LINE_BREAK].append(i)
            elif bare.removeprefix(_BOM):
                kept[b'"' in bare].append(i)
        # Only a line with a quote can swallow others.  Pieces must agree in their types: then all is text.
        types = {key: pa.binary() for key in self._types} if kept[True] else self._types
        unquoted, quoted = (self._bisect(lines, np.array(rows, np.int64), types) for rows in kept.values())
        pieces = unquoted[0] + quoted[0]
        faults[WRONG_FIELDS] = unquoted[1] + quoted[1]
        empty = pa.table({key: pa.array([], kind) for key, kind in types.items()})
        table = pa.concat_tables([empty, *(piece for piece, _ in pieces)])
        rows = np.concatenate([np.empty(0, np.int64), *(where for _, where in pieces)])
        order = np.argsort(rows)
        refused = [(reason, first_line + np.array(bad, np.int64)) for reason, bad in faults.items()]
        return self._raw_block(block, first_line, table.take(order), first_line + rows[order], refused)

    def _bisect(
        self, lines: list[bytes], rows: np.ndarray, types: dict[str, pa.DataType]
    ) -> tuple[list[tuple[pa.Table, np.ndarray]], list[int]]:
        """Parse `rows` of `lines` in groups so small that each line is one row; also the rows refused."""
        if not len(rows):
            return [], []
        text = b"\n".join(lines[row] for row in rows) + b"\n"
        table, refused = self._read(memoryview(text), types)
        if table.num_rows + len(refused) == len(rows):
            bad = np.asarray(refused, np.int64) - 1
            return [(table, np.delete(rows, bad))], rows[bad].tolist()
        if len(rows) == 1:
            return [], rows.tolist()
        half = len(rows) // 2
        first, first_bad = self._bisect(lines, rows[:half], types)
        second, second_bad = self._bisect(lines, rows[half:], types)
        return first + second, first_bad + second_bad

    def _read(self, text: memoryview, types: dict[str, pa.DataType]) -> tuple[pa.Table, list[int]]:
        """Let Arrow parse lines; also the numbers, from 1, of lines with a wrong number of fields.

        A column in which a cell does not fit its type becomes text, in `types` too.
        """
        while True:
            refused: list[int] = []

            def skip(row: arrow_csv.InvalidRow, refused: list[int] = refused) -> str:
                refused.append(row.number)
                return "skip"

            try:
                table = arrow_csv.read_csv(
                    pa.BufferReader(pa.py_buffer(text)),
                    # One thread: files are read in parallel, and the rows refused need their numbers.
                    arrow_csv.ReadOptions(
                        use_threads=False, column_names=self._all, block_size=len(text) + 1
                    ),
                    arrow_csv.ParseOptions(delimiter=self._delimiter, invalid_row_handler=skip),
                    arrow_csv.ConvertOptions(
                        column_types=types,
                        include_columns=list(types),
                        null_values=NULL_TEXTS,
                        true_values=TRUE_TEXTS,
                        false_values=FALSE_TEXTS,
                        strings_can_be_null=True,
                        check_utf8=False,  # all of the block has been
                    ),
                )
            except pa.ArrowInvalid as fault:
                self._give_way(types, fault)
            else:
                return table, refused

    def _give_way(self, types: dict[str, pa.DataType], fault: pa.ArrowInvalid) -> None:
        """Make the column to blame a text column; all of them where Arrow does not say which it is."""
        blamed = _BLAMED.match(str(fault))
        keys = [blamed[1]] if blamed else list(types)
        if all(types[key] == pa.binary() for key in keys):
            raise InputError(f"the text cannot be parsed: {fault}", file=self._path) from fault
        types.update(dict.fromkeys(keys, pa.binary()))

    def _read_integers_as_text(self) -> None:
        """Arrow takes 0x1F for 31; our own rules for text do not."""
        self._types.update(
            {key: pa.binary() for key, kind in self._types.items() if pa.types.is_integer(kind)}
        )

    def _raw_block(
        self,
        block: LineBlock,
        first_line: int,
        table: pa.Table,
        numbers: np.ndarray,
        refused: list[tuple[str, np.ndarray]],
    ) -> RawBlock:
        def texts(lines: np.ndarray) -> list[str]:
            return _line_texts(block, lines - first_line)

        aside = [
            set_aside_table(self._path, reason, rows=lines.tolist(), texts=list(texts(lines)))
            for reason, lines in refused
            if len(lines)
        ]
        return RawBlock(
            columns={name: one_array(table.column(key)) for key, name in self._wanted.items()},
            n_rows=table.num_rows,
            numbers=lambda rows: numbers[rows],
            texts=lambda rows: texts(numbers[rows]),
            refused=pa.concat_tables(aside) if aside else SET_ASIDE_SCHEMA.empty_table(),
        )


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Make one array of a column, without a copy where it is one already."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _is_utf8(block: LineBlock) -> bool:
    """Whether the block is text as a whole: Arrow's callback for bad rows needs that, beside the columns."""
    whole = pa.Array.from_buffers(
        pa.large_binary(), 1, [None, pa.py_buffer(np.array([0, len(block)])), pa.py_buffer(block.view)]
    )
    try:
        whole.cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def _is_text(line: bytes) -> bool:
    try:
        return line.isascii() or bool(line.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _has_hex(block: LineBlock) -> bool:
    """Whether 0x or 0X occurs; the first look is for the rare letter alone, which is 30 times as fast."""
    return any(letter in block and b"0" + letter in block for letter in (b"x", b"X"))


def _line_texts(block: LineBlock, lines: np.ndarray) -> list[str]:
    """Lines of a block, counted from 0, as text."""
    ends = np.append(np.flatnonzero(block.array == ord("\n")), len(block))
    starts = np.append(0, ends[:-1] + 1)
    view = block.view
    pieces = (bytes(view[starts[i] : ends[i]]).rstrip(b"\r") for i in lines.tolist())
    return [piece.decode("utf-8", "backslashreplace")[:LONGEST_TEXT] for piece in pieces]
