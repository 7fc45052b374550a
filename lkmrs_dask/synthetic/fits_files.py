"""FITS binary tables, header by header: astropy takes ten times as long for files of many small tables."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["Card", "arrow_columns", "primary_hdu", "table_hdu", "write_gzipped"]

_BLOCK = 2880
_CODES = {"f4": "E", "f8": "D", "i2": "I", "i4": "J", "i8": "K"}
_DOUBLES = frozenset({"ra", "dec", "ra_obs", "dec_obs"})
_LEVEL = 1  # of compression: the higher ones cost more time than all the rest


class Card(NamedTuple):
    """A keyword of a header; text of more than 68 characters does not fit."""

    key: str
    value: bool | int | float | str
    comment: str = ""


def _card(card: Card) -> str:
    key, value, comment = card
    if isinstance(value, str):
        text = f"'{value.replace(chr(39), chr(39) * 2):<8}'"
        text = f"{text:<20}"
    elif isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    else:
        text = f"{value!r:>20}".upper()
    line = f"{key:<8}= {text}" + (f" / {comment}" if comment else "")
    if len(line) > 80:
        line = line[:80] if len(f"{key:<8}= {text}") <= 80 else ""
    if not line:
        raise ValueError(f"the FITS card {key} is too long: {value!r}")
    return f"{line:<80}"


def _header(cards: Sequence[Card]) -> bytes:
    text = "".join(_card(card) for card in cards) + f"{'END':<80}"
    return _padded(text.encode("ascii"), b" ")


def _padded(data: bytes, fill: bytes) -> bytes:
    return data + fill * (-len(data) % _BLOCK)


def primary_hdu(cards: Sequence[Card] = ()) -> bytes:
    """Primary HDU without data.

    Parameters
    ----------
    cards : sequence of Card
        Beside the mandatory ones.
    """
    mandatory = [Card("SIMPLE", True), Card("BITPIX", 8), Card("NAXIS", 0), Card("EXTEND", True)]
    return _header([*mandatory, *cards])


def table_hdu(name: str, columns: Mapping[str, NDArray], cards: Sequence[Card] = ()) -> bytes:
    """HDU of a binary table.

    Parameters
    ----------
    name : str
        EXTNAME.
    columns : mapping
        Arrays with a first axis of rows, and a second one for vector cells; numbers, or text of type S.
    cards : sequence of Card
        Beside those that describe the table.
    """
    arrays = {
        key: values.astype(values.dtype.newbyteorder(">"), copy=False) for key, values in columns.items()
    }
    dtype = np.dtype([(key, values.dtype, values.shape[1:]) for key, values in arrays.items()])
    n_rows = len(next(iter(arrays.values())))
    data = np.empty(n_rows, dtype)
    for key, values in arrays.items():
        data[key] = values
    described = [
        card
        for place, (key, values) in enumerate(arrays.items(), 1)
        for card in (Card(f"TTYPE{place}", key), Card(f"TFORM{place}", _form(values)))
    ]
    mandatory = [
        Card("XTENSION", "BINTABLE"), Card("BITPIX", 8), Card("NAXIS", 2), Card("NAXIS1", dtype.itemsize),
        Card("NAXIS2", n_rows), Card("PCOUNT", 0), Card("GCOUNT", 1), Card("TFIELDS", len(arrays)),
    ]  # fmt: skip
    return _header([*mandatory, *described, Card("EXTNAME", name), *cards]) + _padded(data.tobytes(), b"\0")


def _form(values: NDArray) -> str:
    if values.dtype.kind == "S":
        return f"{values.dtype.itemsize}A"
    count = int(np.prod(values.shape[1:], dtype=np.int64))
    return f"{count if count > 1 else ''}{_CODES[values.dtype.str[1:]]}"


def arrow_columns(table: pa.Table, missing: Mapping[str, float]) -> dict[str, NDArray]:
    """Columns for `table_hdu` from text, int64 and float64.

    Parameters
    ----------
    table : pyarrow.Table
        Rows.
    missing : mapping
        Number that stands for null, by column; -9999 where it is not named.  Text that is null becomes empty.

    Returns
    -------
    dict
        Coordinates are doubles, all other numbers with a fraction single precision, as in the releases.
    """
    columns: dict[str, NDArray] = {}
    for name in table.column_names:
        values = table.column(name)
        if pa.types.is_string(values.type):
            columns[name] = np.array(pc.fill_null(values, "").to_pylist(), dtype=np.bytes_)
            continue
        mark = pa.scalar(missing.get(name, -9999), values.type)
        filled = pc.fill_null(values, mark).to_numpy()
        single = pa.types.is_floating(values.type) and name not in _DOUBLES
        columns[name] = filled.astype(np.float32) if single else filled
    return columns


def write_gzipped(path: Path, hdus: Sequence[bytes]) -> None:
    """Write a gzipped file of HDUs; its bytes are a function of its content alone."""
    path.write_bytes(gzip.compress(b"".join(hdus), compresslevel=_LEVEL, mtime=0))
