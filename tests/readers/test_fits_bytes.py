from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fake_spectra import to_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.readers.fits_bytes import FitsError, Header, TableHdu, read_header, read_tables


def read(hdus: list) -> tuple[Header, list[TableHdu]]:
    stream = io.BytesIO(to_bytes(hdus))
    header, head = read_header(stream)
    return header, read_tables(header, head, stream)


def assert_same(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.dtype.isnative
    assert np.array_equal(ours.ravel(), np.asarray(theirs).ravel(), equal_nan=ours.dtype.kind == "f")


def test_headers_equal_astropys(shared: Path) -> None:
    for file in sorted((shared / "data/lamost_mrs_spectra").glob("*.fits")):
        with file.open("rb") as stream, fits.open(file) as hdus:
            primary, head = read_header(stream)
            tables = read_tables(primary, head, stream)
            assert [table.name for table in tables] == [hdu.name for hdu in hdus[1:]]
            for header, theirs in zip([primary, *(table.header for table in tables)], hdus, strict=True):
                keys = [key for key in theirs.header if key not in ("COMMENT", "")]
                assert list(header) == keys
                for key in keys:
                    assert header.get(key) == theirs.header[key]


def test_all_numeric_columns_equal_astropys() -> None:
    rng = np.random.default_rng(1)
    columns = [
        fits.Column("flags", "L", array=np.array([True, False, True])),
        fits.Column("name", "5A", array=np.array(["a", "bcd", ""])),
        fits.Column("byte", "B", array=rng.integers(0, 255, 3).astype(np.uint8)),
        fits.Column("short", "2I", array=rng.integers(-9, 9, (3, 2)).astype(np.int16)),
        fits.Column("bits", "11X", array=rng.integers(0, 2, (3, 11)).astype(bool)),
        fits.Column("unsigned", "I", array=np.array([0, 5, 65535], np.uint16), bzero=32768),
        fits.Column("int", "J", array=rng.integers(-(2**31), 2**31 - 1, 3).astype(np.int32)),
        fits.Column("long", "K", array=np.array([2**62 + 1, -1, 0])),
        fits.Column("single", "4E", array=rng.normal(size=(3, 4)).astype(np.float32)),
        fits.Column("double", "D", array=np.array([np.nan, np.inf, 1e300])),
        fits.Column("scaled", "I", array=np.array([1, 2, -6], np.int16)),
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="things")
    blob = to_bytes([fits.PrimaryHDU(np.zeros((5, 7), np.int16)), hdu])
    # astropy 8 cannot write such a column, so the card takes the place of another.
    blob = blob.replace(b"EXTNAME = 'THINGS  '", b"TSCAL11 =        0.5")
    stream = io.BytesIO(blob)
    header, head = read_header(stream)
    (table,) = read_tables(header, head, stream)
    with fits.open(io.BytesIO(blob)) as hdus:
        theirs = {name.upper(): np.array(hdus[1].data[name]) for name in hdus[1].columns.names}
    assert theirs["SCALED"].tolist() == [0.5, 1.0, -3.0]
    assert (table.number, table.name) == (1, "")
    layout = table.columns()
    assert list(layout) == [column.name.upper() for column in columns]
    for column in columns:
        if column.name in ("flags", "name", "bits"):
            with pytest.raises(FitsError, match="not numeric"):
                table.values(layout[column.name.upper()])
        else:
            assert_same(table.values(layout[column.name.upper()]), theirs[column.name.upper()])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("                   T / yes", True),
        ("                  12 / a count", 12),
        ("  9223372036854775807", 9223372036854775807),
        ("            -1.5D+03 / double", -1500.0),
        ("'it''s / no comment'  / a comment", "it's / no comment"),
        ("'trailing   '", "trailing"),
        ("'  leading'", "  leading"),
        ("''", ""),
        ("'never closed", "never closed"),
        ("'ends in &'", "ends in &"),
        ("                     / undefined", None),
        ("12 apples", "12 apples"),
    ],
)
def test_card_values(text: str, value: object) -> None:
    found = Header({b"KEY": text.encode()}).get("KEY")
    assert found == value
    assert type(found) is type(value)


def test_absent_keyword() -> None:
    header = Header({b"KEY": b"1"})
    assert header.get("OTHER") is None
    assert ("OTHER" in header, "KEY" in header) == (False, True)


# Printable text; the standard does not tell trailing blanks, CONTINUE cards join at an ampersand, and astropy
# takes a slash behind a doubled quote for the comment's.
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300).filter(
    lambda text: text == text.rstrip() and "&" not in text and not ("'" in text and "/" in text)
)


@settings(max_examples=100, deadline=None)
@given(text=TEXTS, number=st.integers(-(2**63), 2**63), real=st.floats(allow_nan=False, allow_infinity=False))
def test_values_come_back_as_astropy_wrote_them(text: str, number: int, real: float) -> None:
    hdu = fits.PrimaryHDU()
    hdu.header["TEXT"], hdu.header["NUMBER"], hdu.header["REAL"] = text, number, real
    hdu.header["AFTER"] = "here"
    header, tables = read([hdu])
    assert tables == []
    # Read by astropy too: it writes 16 digits of a float, and keeps blanks at the seams as it likes.
    theirs = fits.Header.fromstring(hdu.header.tostring())
    assert [header.get(key) for key in ("NUMBER", "REAL", "AFTER")] == [number, theirs["REAL"], "here"]
    assert str(header.get("TEXT")) == str(theirs["TEXT"]).rstrip()
