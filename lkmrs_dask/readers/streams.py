"""Bytes of a text table, gunzipped in the background and cut into blocks of whole lines."""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
import pyarrow as pa

from lkmrs_dask.errors import InputError

__all__ = ["LineBlock", "StreamError", "check_file", "expand", "is_gzip", "peek", "read_blocks"]

GZIP_MAGIC = b"\x1f\x8b"
LONGEST_LINE = 1 << 24  # bytes; a "line" beyond this is a binary file under a wrong name
AHEAD = 2  # blocks made while the consumer works on one
_CAREFUL_PIECE = 1 << 12  # zlib drops what it made of a piece in which it meets a fault: keep pieces small
_COUNT_PIECE = 1 << 18  # bytes compared at once: fits a core's cache


class StreamError(Exception):
    """The stream of bytes cannot go on; whoever knows the row makes an InputError of it."""


class DamagedStreamError(StreamError):
    """The bytes are not those that were written, perhaps those before the fault too."""


@dataclass(frozen=True)
class LineBlock:
    """Whole lines in a part of a buffer; only the last line of a file may lack its newline."""

    buffer: bytearray
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __contains__(self, piece: bytes) -> bool:
        return self.buffer.find(piece, self.start, self.stop) >= 0

    @property
    def array(self) -> np.ndarray:
        """The bytes as uint8, without a copy."""
        return np.frombuffer(self.buffer, np.uint8, len(self), self.start)

    @property
    def view(self) -> memoryview:
        """The bytes, without a copy."""
        return memoryview(self.buffer)[self.start : self.stop]

    def count(self, byte: bytes) -> int:
        """Count one byte (four times as fast as ``bytes.count``)."""
        array, value = self.array, byte[0]
        pieces = (array[at : at + _COUNT_PIECE] for at in range(0, len(array), _COUNT_PIECE))
        return sum(int(np.count_nonzero(piece == value)) for piece in pieces)

    def count_lines(self) -> int:
        """Lines, with a last one that lacks its newline."""
        if not len(self):
            return 0
        return self.count(b"\n") + (self.buffer[self.stop - 1] != ord("\n"))

    def lines(self) -> list[bytes]:
        """Split into lines without their newlines (a carriage return stays)."""
        lines = bytes(self.view).split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        return lines


def check_file(path: Path) -> None:
    """Raise InputError where `path` is not a file with something in it that may be read."""
    if not path.exists():
        raise InputError("there is no such file", file=path)
    if path.is_dir():
        raise InputError("this is a directory where a file should be", file=path)
    if not path.is_file():
        raise InputError("this is no regular file", file=path)
    try:
        with path.open("rb") as source:
            head = source.read(2)
    except PermissionError:
        raise InputError("no permission to read the file", file=path) from None
    except OSError as fault:
        raise InputError(f"the file cannot be read: {fault.strerror or fault}", file=path) from fault
    if not head:
        raise InputError("the file is empty", file=path)
    if path.suffix.lower() == ".gz" and head != GZIP_MAGIC:
        raise InputError("this is not a gzip file, although its name ends in .gz", file=path)


def is_gzip(path: Path) -> bool:
    """Whether the content is gzip, whatever the name says."""
    with path.open("rb") as source:
        return source.read(2) == GZIP_MAGIC


def peek(path: Path, size: int = 80) -> bytes:
    """First bytes of the content, after gunzip where it is gzip; InputError where there are none."""
    if not is_gzip(path):
        with path.open("rb") as source:
            return source.read(size)
    head = b""
    with path.open("rb") as source:
        try:
            for piece in _inflate(source):
                head += piece
                if len(head) >= size:
                    break
        except StreamError as fault:
            if not head:
                raise InputError(str(fault), file=path, row=0) from fault
    if not head:
        raise InputError("the gzip file is empty", file=path)
    return head[:size]


def _inflate(source: BinaryIO) -> Iterator[bytes]:
    """Gunzip with Python's zlib in small pieces: gives all there is before a fault, then StreamError."""
    decoder = zlib.decompressobj(31)
    data = b""
    while True:
        data = data or source.read(_CAREFUL_PIECE)
        if not data:
            if not decoder.eof:
                raise StreamError("the gzip stream ends too early: the file is truncated")
            return
        if decoder.eof:  # another member, or zeros that pad the file
            data = data.lstrip(b"\0")
            if not data:
                continue
            decoder = zlib.decompressobj(31)
        try:
            piece = decoder.decompress(data)
        except zlib.error as fault:
            raise DamagedStreamError(f"the gzip stream is damaged: {fault}") from fault
        data = decoder.unused_data
        if piece:
            yield piece


class _Bytes:
    """The content of a file, gunzipped by Arrow.

    That is faster than Python's zlib but loses the last good bytes before a fault; at a fault zlib takes over
    where Arrow stood.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._given = 0
        self._zipped = is_gzip(path)
        raw = pa.OSFile(os.fspath(path))
        self._source: pa.NativeFile = pa.CompressedInputStream(raw, "gzip") if self._zipped else raw
        self._slow: Iterator[bytes] | None = None
        self._piece = b""

    def readinto(self, view: memoryview) -> int:
        """Fill `view` as far as the content goes; StreamError where nothing can be given any more."""
        if self._slow is None:
            try:
                size = self._source.readinto(view)
            except OSError as fault:
                if not self._zipped:
                    raise StreamError(f"the file cannot be read on: {fault}") from fault
                self._slow = self._careful()
            else:
                self._given += size
                return size
        self._piece = self._piece or next(self._slow, b"")
        size = min(len(self._piece), len(view))
        view[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size

    def _careful(self) -> Iterator[bytes]:
        skip = self._given
        with self._path.open("rb") as source:
            for piece in _inflate(source):
                if skip < len(piece):
                    yield piece[skip:]
                skip = max(0, skip - len(piece))

    def close(self) -> None:
        self._source.close()


def _fill(source: _Bytes, view: memoryview) -> tuple[int, StreamError | None]:
    """Read until `view` is full, the content ends or cannot be read on."""
    filled = 0
    while filled < len(view):
        try:
            size = source.readinto(view[filled:])
        except StreamError as fault:
            return filled, fault
        if size == 0:
            break
        filled += size
    return filled, None


def _cut_blocks(path: Path, block_bytes: int) -> Generator[LineBlock]:
    """Blocks of about `block_bytes`, cut after the last newline that fits.

    The incomplete line before a fault is left out: its last number may be cut in two.
    """
    source = _Bytes(path)
    try:
        rest = b""
        while True:
            # A line longer than a block doubles the buffer, so that no byte is copied more than twice.
            buffer = bytearray(max(block_bytes, 2 * len(rest)))
            buffer[: len(rest)] = rest
            read, fault = _fill(source, memoryview(buffer)[len(rest) :])
            filled = len(rest) + read
            ended = filled < len(buffer)
            cut = filled if ended and fault is None else buffer.rfind(b"\n", 0, filled) + 1
            if cut:
                yield LineBlock(buffer, 0, cut)
            if fault is not None:
                raise fault
            if ended:
                return
            rest = bytes(memoryview(buffer)[cut:filled])
            if len(rest) > max(LONGEST_LINE, block_bytes):
                raise StreamError(f"no line ends in {len(rest)} bytes: this is not a text table")
    finally:
        source.close()


def read_blocks(path: Path, block_bytes: int) -> Generator[LineBlock]:
    """Read a text file, gzipped or not, in blocks of whole lines.

    A thread of its own reads and gunzips (which releases the interpreter's lock) at most `AHEAD` blocks
    before they are asked for.

    Parameters
    ----------
    path : Path
        The file.
    block_bytes : int
        About how many bytes a block has; at least one line.

    Yields
    ------
    LineBlock
        In order, without an empty one.

    Raises
    ------
    StreamError
        After the last good line, where the file cannot be read on.
    """
    blocks = _cut_blocks(path, block_bytes)
    with ThreadPoolExecutor(1, thread_name_prefix="gunzip") as pool:
        waiting = deque(pool.submit(next, blocks, None) for _ in range(AHEAD))
        try:
            while (block := waiting.popleft().result()) is not None:
                waiting.append(pool.submit(next, blocks, None))
                yield block
        finally:
            for future in waiting:
                future.cancel()
            try:
                pool.submit(blocks.close).result()
            except RuntimeError:  # the interpreter ends, and all threads have: nobody reads any more
                blocks.close()


def expand(path: Path, target: IO[bytes]) -> StreamError | None:
    """Gunzip a whole file; what stopped it early is returned, after all that could be had was written."""
    source = _Bytes(path)
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    try:
        while True:
            size, fault = _fill(source, view)
            target.write(view[:size])
            if fault is not None or size < len(buffer):
                return fault
    finally:
        source.close()
