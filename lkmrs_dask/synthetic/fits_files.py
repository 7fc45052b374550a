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

from lkmrs_dask.schema import TableSchema

__all__ = [
    "BLOCK",
    "DOUBLES",
    "Card",
    "arrow_columns",
    "primary_hdu",
    "records",
    "table_hdu",
    "table_header",
    "unit_cards",
    "write_gzipped",
]  # fmt: skip

BLOCK = 2880
"""Bytes of which a FITS file is a multiple."""

_CODES = {"f4": "E", "f8": "D", "i2": "I", "i4": "J", "i8": "K"}
DOUBLES = frozenset({"ra", "dec", "ra_obs", "dec_obs"})
"""Columns with a fraction that are double precision in binary tables; all others are single."""

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
    return data + fill * (-len(data) % BLOCK)


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
    data = records(columns)
    return table_header(name, data.dtype, len(data), cards) + _padded(data.tobytes(), b"\0")


def records(columns: Mapping[str, NDArray]) -> NDArray:
    """Rows of a binary table as they stand in a file; columns as for `table_hdu`."""
    arrays = {
        key: values.astype(values.dtype.newbyteorder(">"), copy=False) for key, values in columns.items()
    }
    data = np.empty(
        len(next(iter(arrays.values()))),
        np.dtype([(key, values.dtype, values.shape[1:]) for key, values in arrays.items()]),
    )
    for key, values in arrays.items():
        data[key] = values
    return data


def table_header(name: str, dtype: np.dtype, n_rows: int, cards: Sequence[Card] = ()) -> bytes:
    """Header of a binary table of records.

    Parameters
    ----------
    name : str
        EXTNAME.
    dtype : numpy.dtype
        Of `records`.
    n_rows : int
        Rows.
    cards : sequence of Card
        Beside those that describe the table.
    """
    described = [
        card
        for place, key in enumerate(dtype.names or (), 1)
        for card in (Card(f"TTYPE{place}", key), Card(f"TFORM{place}", _form(dtype[key])))
    ]
    mandatory = [
        Card("XTENSION", "BINTABLE"), Card("BITPIX", 8), Card("NAXIS", 2), Card("NAXIS1", dtype.itemsize),
        Card("NAXIS2", n_rows), Card("PCOUNT", 0), Card("GCOUNT", 1), Card("TFIELDS", len(dtype.names or ())),
    ]  # fmt: skip
    return _header([*mandatory, *described, Card("EXTNAME", name), *cards])


def unit_cards(columns: Sequence[str], table: TableSchema) -> list[Card]:
    """Cards TUNITn of those columns of a raw table whose unit the schema knows."""
    units = {raw: table[name].unit for name, raw in table.find(columns).items()}
    return [Card(f"TUNIT{place}", units[key]) for place, key in enumerate(columns, 1) if units.get(key)]


def _form(dtype: np.dtype) -> str:
    base, shape = dtype.base, dtype.shape
    if base.kind == "S":
        return f"{base.itemsize}A"
    count = int(np.prod(shape, dtype=np.int64))
    return f"{count if count > 1 else ''}{_CODES[base.str[1:]]}"


def arrow_columns(
    table: pa.Table, missing: Mapping[str, float], widths: Mapping[str, int] | None = None
) -> dict[str, NDArray]:
    """Columns for `table_hdu` from text, int64 and float64.

    Parameters
    ----------
    table : pyarrow.Table
        Rows.
    missing : mapping
        Number that stands for null, by column; -9999 where it is not named.  Text that is null becomes empty.
    widths : mapping, optional
        Characters of columns of text; else as many as the longest needs.

    Returns
    -------
    dict
        Coordinates are doubles, all other numbers with a fraction single precision, as in the releases.
    """
    columns: dict[str, NDArray] = {}
    for name in table.column_names:
        values = table.column(name)
        if pa.types.is_string(values.type):
            kind = f"S{widths[name]}" if widths is not None else np.bytes_
            columns[name] = np.array(pc.fill_null(values, "").to_pylist(), dtype=kind)
            continue
        mark = pa.scalar(missing.get(name, -9999), values.type)
        filled = pc.fill_null(values, mark).to_numpy()
        single = pa.types.is_floating(values.type) and name not in DOUBLES
        columns[name] = filled.astype(np.float32) if single else filled
    return columns


def write_gzipped(path: Path, hdus: Sequence[bytes]) -> None:
    """Write a gzipped file of HDUs; its bytes are a function of its content alone."""
    path.write_bytes(gzip.compress(b"".join(hdus), compresslevel=_LEVEL, mtime=0))
