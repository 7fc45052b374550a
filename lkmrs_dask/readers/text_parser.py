"""Blocks of lines parsed by Arrow, so that each line is one row; what cannot be one is refused."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, set_aside_table
from lkmrs_dask.readers.cells import UNDECODABLE
from lkmrs_dask.readers.raw import LONGEST_TEXT, RawBlock
from lkmrs_dask.readers.streams import LineBlock
from lkmrs_dask.readers.text_values import FALSE_TEXTS, TRUE_TEXTS

__all__ = ["BOM", "LINE_BREAK", "WRONG_FIELDS", "Parser", "one_array"]

WRONG_FIELDS = "wrong number of fields"
LINE_BREAK = "stray line break"
BOM = b"\xef\xbb\xbf"
_BLAMED = re.compile(r"In CSV column #(\d+):")


class Parser:
    """Parses blocks; remembers which columns must be read as text."""

    def __init__(
        self,
        path: Path,
        names: list[str],
        types: Mapping[str, pa.DataType],
        delimiter: str,
        nulls: list[str],
        unclosed: bool,
    ) -> None:
        self._path, self._nulls, self._unclosed = path, nulls, unclosed
        # Arrow gets numbers for names: a header may repeat a name that nobody wants.
        self._all = [str(position) for position in range(len(names))]
        self._wanted = {str(names.index(name)): name for name in types}
        self._types = {key: types[name] for key, name in self._wanted.items()}
        self._delimiter = delimiter

    def parse(self, block: LineBlock, first_line: int, n_lines: int) -> RawBlock:
        """Parse whole lines, the first of which has the number `first_line` in the file."""
        if _has_hex(block):
            self._read_integers_as_text()
        if self._is_odd(block) or not _is_utf8(block) or self._is_cut(_last_line(block)):
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

    def _is_cut(self, line: bytes) -> bool:
        return not self._unclosed and _is_unclosed(line, self._delimiter)

    def _parse_lines(self, block: LineBlock, first_line: int) -> RawBlock:
        """Parse a block in which a line is blank or not text, or a quote or carriage return stands alone."""
        lines = block.lines()
        faults: dict[str, list[int]] = {UNDECODABLE: [], LINE_BREAK: [], WRONG_FIELDS: []}
        kept: dict[bool, list[int]] = {False: [], True: []}  # by whether a line has a quote
        for i, line in enumerate(lines):
            bare = line.strip(b"\r")
            if not _is_text(bare):
                faults[UNDECODABLE].append(i)
            elif b"\r" in bare:
                faults[LINE_BREAK].append(i)
            elif self._is_cut(bare):
                faults[WRONG_FIELDS].append(i)
            elif bare.removeprefix(BOM):
                kept[b'"' in bare].append(i)
        # Only a line with a quote can swallow others.  Pieces must agree in their types: then all is text.
        types = {key: pa.binary() for key in self._types} if kept[True] else self._types
        unquoted, quoted = (self._bisect(lines, np.array(rows, np.int64), types) for rows in kept.values())
        pieces = unquoted[0] + quoted[0]
        faults[WRONG_FIELDS] += unquoted[1] + quoted[1]
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
                        null_values=self._nulls,
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


def _last_line(block: LineBlock) -> bytes:
    """The last line of a block, without its newline."""
    stop = block.stop - (block.buffer[block.stop - 1] == ord("\n"))
    return bytes(block.buffer[max(block.start, block.buffer.rfind(b"\n", block.start, stop) + 1) : stop])


def _is_unclosed(line: bytes, delimiter: str) -> bool:
    """Whether a line ends inside a quoted field: the rest of the field is on the lines after it."""
    if b'"' not in line:
        return False
    try:
        next(csv.reader([line.decode("utf-8", "replace").strip("\r")], delimiter=delimiter, strict=True))
    except csv.Error as fault:
        return "unexpected end of data" in str(fault)
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
