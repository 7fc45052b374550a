"""A small reader of FITS files of binary tables, for archives of millions of small files.

It knows headers and fixed-width table columns and nothing else: a file of 20 tables costs about 1 ms
beside its decompression, 30 ms less than with astropy, which is the reference in the tests.  Everything is
checked against the bytes that are there, so that a damaged file ends in one kind of error.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from lkmrs_dask.errors import InputError

__all__ = ["FitsError", "Header", "TableColumn", "TableHdu", "open_fits", "read_header", "read_tables"]

_BLOCK = 2880
_CARD = 80
_MAX_HEADER = 4000 * _BLOCK
_GZIP = b"\x1f\x8b"
# FITS table codes: numpy's type of one element, and its bytes.
_CODES = {
    "L": ("S1", 1), "B": ("u1", 1), "I": (">i2", 2), "J": (">i4", 4), "K": (">i8", 8), "A": ("S1", 1),
    "E": (">f4", 4), "D": (">f8", 8), "C": (">c8", 8), "M": (">c16", 16), "P": ("V8", 8), "Q": ("V16", 16),
}  # fmt: skip
_NUMERIC = frozenset("BIJKED")
_TFORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])")


class FitsError(ValueError):
    """Bytes that are not the FITS structure that they should be; the text says what and in which HDU."""


class Header:
    """Cards of one HDU, taken apart only when asked for.

    Parameters
    ----------
    cards : dict
        The card's bytes from column 9 on, by keyword.  Of a repeated keyword the first counts.
    """

    def __init__(self, cards: dict[bytes, bytes]) -> None:
        self._cards = cards

    def __contains__(self, key: str) -> bool:
        return key.encode() in self._cards

    def __iter__(self) -> Iterator[str]:
        return (key.decode("latin-1") for key in self._cards)

    def get(self, key: str) -> Any:
        """Value of a keyword: bool, int, float, or str; None where it is absent or undefined.

        A value that is none of these (``12 apples``) comes as it stands, as str.
        """
        card = self._cards.get(key.encode())
        return None if card is None else _card_value(card.decode("latin-1"))

    def count(self, key: str, default: int | None = None) -> int:
        """Value of a structural keyword, an int from 0; FitsError where it is not."""
        value = self.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise FitsError(f"header has {key} = {value!r} where a count should be")
        return value


class TableColumn(NamedTuple):
    """Where a column lies in the rows of its table."""

    name: str
    code: str
    repeat: int
    offset: int
    scale: float
    zero: float


class TableHdu(NamedTuple):
    """A binary table in the bytes of a file.

    Attributes
    ----------
    number : int
        Number of the HDU; the primary one is 0.
    name : str
        EXTNAME, upper case.
    header : Header
        Its cards.
    blob : bytes
        The file's bytes, shared by all its HDUs.
    start : int
        Where the table's first row begins.
    """

    number: int
    name: str
    header: Header
    blob: bytes
    start: int

    def columns(self) -> dict[str, TableColumn]:
        """Layout of the columns by name, upper case; FitsError where the header contradicts itself."""
        shape = [self.header.count(key, 1) for key in ("BITPIX", "NAXIS", "GCOUNT")]
        if shape != [8, 2, 1]:
            raise FitsError(f"a table needs BITPIX, NAXIS, GCOUNT = 8, 2, 1 and has {shape}")
        found: dict[str, TableColumn] = {}
        offset = 0
        for number in range(1, min(self.header.count("TFIELDS"), 999) + 1):
            form = str(self.header.get(f"TFORM{number}")).strip().upper()
            match = _TFORM.match(form)
            if match is None:
                raise FitsError(f"TFORM{number} = {form!r} is no FITS column format")
            repeat, code = int(match[1] or 1), match[2]
            name = str(self.header.get(f"TTYPE{number}") or f"COL{number}").strip().upper()
            scale, zero = (self.header.get(f"{key}{number}") for key in ("TSCAL", "TZERO"))
            column = TableColumn(
                name, code, repeat, offset, _real(scale, 1.0, "TSCAL"), _real(zero, 0.0, "TZERO")
            )
            found.setdefault(name, column)
            offset += (repeat + 7) // 8 if code == "X" else repeat * _CODES[code][1]
        if offset != self.header.count("NAXIS1"):
            raise FitsError(f"columns take {offset} bytes of rows of {self.header.count('NAXIS1')}")
        return found

    def values(self, column: TableColumn) -> np.ndarray:
        """Values of a numeric column in the machine's byte order, shape (rows, repeat); a copy."""
        if column.code not in _NUMERIC:
            raise FitsError(f"column {column.name} is not numeric (format {column.code})")
        dtype, width = _CODES[column.code]
        row = self.header.count("NAXIS1")
        raw = np.ndarray(
            (self.header.count("NAXIS2"), column.repeat),
            dtype,
            self.blob,
            self.start + column.offset,
            (row, width),
        )
        if column.scale == 1.0 and column.zero == 0.0:
            return raw.astype(raw.dtype.newbyteorder("="))
        with np.errstate(over="ignore", invalid="ignore"):
            return raw * column.scale + column.zero


@contextmanager
def open_fits(file: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, gzipped or not by its first bytes, whatever its name.

    Raises
    ------
    InputError
        The file is a folder, absent or not permitted, its gzip stream is damaged or cut off, or the body
        of the with statement raised FitsError.
    """
    if not file.is_file():
        what = "this is a directory where a file should be" if file.is_dir() else "there is no such file"
        raise InputError(what, file=file)
    try:
        with file.open("rb") as raw:
            gzipped = raw.read(2) == _GZIP
            raw.seek(0)
            if not gzipped:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as unzipped:
                yield unzipped  # type: ignore[misc]
    except PermissionError as error:
        raise InputError("no permission to read the file", file=file) from error
    except EOFError as error:
        raise InputError("truncated gzip: the file ends early, fetch it again", file=file) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"damaged gzip ({error}), fetch it again", file=file) from error
    except OSError as error:
        raise InputError(f"cannot be read ({error})", file=file) from error
    except FitsError as error:
        raise InputError(str(error), file=file) from error


def read_header(stream: IO[bytes]) -> tuple[Header, bytes]:
    """Read the primary header and no more.

    Returns
    -------
    Header
        Its cards.
    bytes
        What was read, a multiple of 2,880 bytes.

    Raises
    ------
    FitsError
        The stream does not start like FITS or ends within the header.
    """
    blob = stream.read(_BLOCK)
    if not blob:
        raise FitsError("empty file")
    if blob[:_CARD].partition(b"=")[0].rstrip() != b"SIMPLE":
        raise FitsError("not a FITS file: it does not begin with SIMPLE =")
    cards: dict[bytes, bytes] = {}
    pos = 0
    while (pos := _scan_cards(blob, pos, cards)) < 0:
        pos = len(blob)
        more = stream.read(_BLOCK)
        if len(more) < _BLOCK or len(blob) > _MAX_HEADER:
            raise FitsError("truncated FITS: the primary header (HDU 0) has no END")
        blob += more
    return Header(cards), blob


def read_tables(primary: Header, head: bytes, stream: IO[bytes]) -> list[TableHdu]:
    """Read the rest of a file and find its binary tables.

    Parameters
    ----------
    primary, head
        What :func:`read_header` gave.
    stream : binary file
        The same stream.

    Returns
    -------
    list of TableHdu
        In order; other kinds of HDU are passed over.

    Raises
    ------
    FitsError
        An HDU is cut off, or bytes after one are no HDU.
    """
    blob = head + stream.read()
    pos = _skip_data(primary, len(head), blob, "HDU 0")
    tables = []
    number = 0
    while pos < len(blob):
        number += 1
        if blob[pos : pos + 8] != b"XTENSION":
            if not blob[pos:].strip(b"\0 "):
                break  # padding, as tapes leave it
            raise FitsError(f"HDU {number} does not begin with XTENSION: the file is damaged or cut off")
        cards: dict[bytes, bytes] = {}
        start = pos
        while (start := _scan_cards(blob, pos, cards)) < 0:
            pos += _BLOCK
            if pos >= len(blob):
                raise FitsError(f"truncated FITS: the header of HDU {number} has no END")
        header = Header(cards)
        name = str(header.get("EXTNAME") or "").strip().upper()
        pos = _skip_data(header, start, blob, f"HDU {number} ({name})")
        if header.get("XTENSION") == "BINTABLE":
            tables.append(TableHdu(number, name, header, blob, start))
    return tables


def _scan_cards(blob: bytes, start: int, cards: dict[bytes, bytes]) -> int:
    """Add the cards of one block; the position after the block if END is in it, else -1."""
    last = next(reversed(cards), b"")
    for pos in range(start, min(start + _BLOCK, len(blob)), _CARD):
        key = blob[pos : pos + 8].rstrip()
        if key == b"END":
            return start + _BLOCK
        if blob[pos + 8 : pos + 10] == b"= ":
            last = key
            cards.setdefault(key, blob[pos + 10 : pos + _CARD])
        elif key == b"CONTINUE" and last:
            cards[last] += b"\n" + blob[pos + 10 : pos + _CARD]
    return -1


def _skip_data(header: Header, start: int, blob: bytes, where: str) -> int:
    """Position after the data of an HDU, checked against the bytes there are."""
    try:
        axes = [header.count(f"NAXIS{n}") for n in range(1, min(header.count("NAXIS"), 999) + 1)]
        bits = header.get("BITPIX")
        if not isinstance(bits, int) or bits not in (8, 16, 32, 64, -32, -64):
            raise FitsError(f"header has BITPIX = {bits!r}")
        size = 0
        if axes:
            size = 1
            for length in axes:
                size *= length
            size = abs(bits) // 8 * header.count("GCOUNT", 1) * (header.count("PCOUNT", 0) + size)
    except FitsError as error:
        raise FitsError(f"{where}: {error}") from error
    # The padding counts: a file that ends in it may have lost all HDUs that follow.
    size = (size + _BLOCK - 1) // _BLOCK * _BLOCK
    if start + size > len(blob):
        there = max(len(blob) - start, 0)
        raise FitsError(f"truncated FITS: {where} has {there} of {size} bytes, fetch the file again")
    return start + size


def _card_value(text: str) -> Any:
    text = text.lstrip()
    if text.startswith("'"):
        return _card_string(text)
    text = text.split("\n")[0].partition("/")[0].strip()
    if not text:
        return None
    if text in ("T", "F"):
        return text == "T"
    for convert in (int, float):
        try:
            return convert(text.replace("D", "E") if convert is float else text)
        except ValueError:
            continue
    return text


def _card_string(text: str) -> str:
    parts = []
    for line in text.split("\n"):
        match = re.match(r"\s*'((?:[^']|'')*)'?", line)
        if match is None:
            break
        part = match[1].replace("''", "'").rstrip()
        parts.append(part)
        if not part.endswith("&"):
            break
        parts[-1] = part[:-1]
    else:
        # An ampersand that nothing follows is a character like any other.
        parts[-1] += "&"
    return "".join(parts).rstrip()


def _real(value: object, default: float, key: str) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FitsError(f"header has {key} = {value!r} where a number should be")
    return float(value)
