"""Bad input: files that cannot be read say why and where; bad rows are set aside, all others kept exactly."""

from __future__ import annotations

import csv
import datetime
import gzip
import math
import os
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.lamost_tables import TableSource
from lkmrs_dask.schema import MEASUREMENTS


def source_of(path: Path, **options: Any) -> TableSource:
    return TableSource.from_settings(MEASUREMENTS, [path.name], path.parent, **options)


def read_until_fault(path: Path, **options: Any) -> tuple[list[dict], list[dict], InputError | None]:
    """Rows, rows set aside, and what stopped the reading."""
    rows: list[dict] = []
    aside: list[dict] = []
    try:
        for chunk in source_of(path, **options).read(path):
            rows += chunk.table.to_pylist()
            aside += chunk.set_aside.to_pylist()
    except InputError as fault:
        return rows, aside, fault
    return rows, aside, None


def fault_of(path: Path, **options: Any) -> InputError:
    rows, aside, fault = read_until_fault(path, **options)
    assert (rows, aside) == ([], [])
    assert fault is not None
    assert fault.file == str(path)
    return fault


# --- files ------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Error validating header")  # astropy's, beside our error
@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", b"", "the file is empty"),
        ("t.csv.gz", gzip.compress(b"", mtime=0), "the gzip file is empty"),
        ("t.csv", b"\n\r\n\n", "no header"),
        ("t.csv", b"ra,dec\n", "the table has no rows"),
        ("t.csv", b"ra,dec", "the table has no rows"),
        ("t.csv", b"ra,dec\n\n\r\n", "the table has no rows"),
        ("t.csv.gz", gzip.compress(b"ra,dec\n", mtime=0), "the table has no rows"),
        ("t.csv.gz", b"ra,dec\n1,2\n", "not a gzip file"),
        ("t.fits.gz", b"SIMPLE  = T", "not a gzip file"),
        ("t.csv.gz", gzip.compress(b"ra,dec\n1,2\n", mtime=0)[:11], "truncated"),
        ("t.fits", b"ra,dec\n1,2\n", "not a FITS file, although"),
        ("t.parquet", b"ra,dec\n1,2\n", "not a Parquet file, although"),
        ("t.parquet", b"PAR1" + bytes(50), "this Parquet file cannot be read"),
        ("t.fits", b"SIMPLE  =                    T", "this FITS file cannot be read"),
        ("t.csv", b"\x00\x01\x02" * 1000, "no column ra_input or ra"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert message in str(fault_of(path))


def test_no_file_and_a_directory(tmp_path: Path) -> None:
    assert "no such file" in str(fault_of(tmp_path / "nope.csv"))
    (tmp_path / "dir.csv").mkdir()
    assert "a directory where a file should be" in str(fault_of(tmp_path / "dir.csv"))


def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("ra,dec\n1,2\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "no permission" in str(fault_of(path))


def test_no_permission_for_any_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_text("ra,dec\n1,2\n")

    def refuse(self: Path, *args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "no permission" in str(fault_of(path))


@pytest.mark.parametrize(
    ("header", "options", "column", "parts"),
    [
        ("ra;dec", {"delimiter": "|"}, "ra_input", ["split at '|'", "'ra;dec'", "is the delimiter right"]),
        ("ra dec", {}, "ra_input", ["names seen: 'ra dec'", "is the delimiter right"]),
        ("ra,declination", {}, "dec_input", ["dec_input or dec", "'ra', 'declination'", "column map"]),
        ("ra,dec", {"columns": {"teff": "T_eff"}}, "teff", ["no column T_eff", "'ra', 'dec'"]),
        ("ra,dec,ra", {}, "ra", ["more than once"]),
        ("1.5,2.5", {}, "ra_input", ["names seen: '1.5', '2.5'"]),
        (",".join(f"c{i}" for i in range(100)), {}, "ra_input", ["and 40 more"]),
    ],
)
def test_headers(tmp_path: Path, header: str, options: dict, column: str, parts: list[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n1,2\n")
    fault = fault_of(path, **options)
    assert fault.column == column
    assert all(part in str(fault) for part in parts), str(fault)


def test_fits_without_the_table(tmp_path: Path) -> None:
    path = tmp_path / "t.fits"
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(path)
    assert "FITS without an expected HDU: it has no binary table" in str(fault_of(path))
    fits.BinTableHDU.from_columns([fits.Column("ra", "D", array=[1.0])]).writeto(path, overwrite=True)
    fault = fault_of(path)
    assert "FITS without an expected HDU: no column dec_input or dec in HDU 1; names seen: 'ra'" in str(fault)
    columns = [fits.Column(name, "D", array=np.empty(0)) for name in ("ra", "dec")]
    fits.BinTableHDU.from_columns(columns).writeto(path, overwrite=True)
    assert "the table has no rows" in str(fault_of(path))


def test_parquet_without_rows_and_with_lists(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"ra": pa.array([], pa.float64()), "dec": pa.array([], pa.float64())}), path)
    assert "the table has no rows" in str(fault_of(path))
    pq.write_table(pa.table({"ra": [[1.0]], "dec": [2.0]}), path)
    fault = fault_of(path)
    assert fault.column == "ra_input"
    assert "cannot become float64" in str(fault)


@pytest.mark.parametrize("block_bytes", [500, 10_000, 1 << 20])
@pytest.mark.parametrize("kind", ["truncated", "damaged"])
def test_good_rows_before_a_fault_in_gzip(tmp_path: Path, block_bytes: int, kind: str) -> None:
    rng = np.random.default_rng(3)
    values = rng.uniform(0, 90, (5000, 2)).round(6).tolist()
    whole = bytearray(gzip.compress("".join(["ra,dec\n", *(f"{a},{b}\n" for a, b in values)]).encode()))
    at = len(whole) * 2 // 3
    if kind == "damaged":
        whole[at : at + 8] = b"\xff" * 8
    path = tmp_path / "t.csv.gz"
    path.write_bytes(whole[:at] if kind == "truncated" else whole)
    rows, aside, fault = read_until_fault(path, block_bytes=block_bytes)
    assert fault is not None
    assert kind in str(fault)
    assert fault.file == str(path)
    good = [(row["ra_input"], row["dec_input"]) for row in rows]
    if kind == "damaged":
        # Deflate may go on for a few symbols before it notices: 8 bytes are at most 16 of them here.
        good = good[: -16 or None]
    else:
        assert fault.row == len(rows) + 1  # the header is line 1
        assert aside == []
    assert good == [tuple(pair) for pair in values[: len(good)]]
    # All but what the last 4 KiB piece of gzip held: 18 bytes of text a row make about 8 of gzip.
    assert len(good) > len(values) * 2 / 3 - 4096 / 8 - 50


@pytest.mark.filterwarnings("ignore:File may have been truncated")
@pytest.mark.parametrize("zipped", [False, True])
def test_good_rows_before_the_end_of_a_truncated_fits_file(tmp_path: Path, zipped: bool) -> None:
    columns = [fits.Column(name, "D", array=np.arange(1000) % 90) for name in ("ra", "dec")]
    path = tmp_path / "t.fits"
    fits.BinTableHDU.from_columns(columns).writeto(path)
    data = path.read_bytes()
    start = data.index(b"END" + b" " * 77, 2880) // 2880 * 2880 + 2880
    cut = data[: start + 16 * 500 + 7]
    if zipped:
        path = tmp_path / "t.fits.gz"
        cut = gzip.compress(data, 0)[: len(cut) + 100]
    path.write_bytes(cut)
    rows, _, fault = read_until_fault(path, block_bytes=1000)
    assert fault is not None
    assert "truncated" in str(fault)
    assert fault.row == len(rows)
    assert len(rows) == 500 if not zipped else 490 <= len(rows) <= 506  # gzip's own headers take some bytes
    assert [row["dec_input"] for row in rows] == [float(i % 90) for i in range(len(rows))]


def test_a_damaged_page_of_parquet_comes_after_the_good_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    values = np.random.default_rng(2).uniform(0, 90, 4000)
    table = pa.table({"ra": values, "dec": values})
    pq.write_table(table, path, row_group_size=1000, compression="gzip", use_dictionary=False)
    data = bytearray(path.read_bytes())
    column = pq.ParquetFile(path).metadata.row_group(2).column(0)
    at = column.data_page_offset + column.total_compressed_size // 2
    data[at : at + 64] = b"\xff" * 64
    path.write_bytes(data)
    rows, _, fault = read_until_fault(path, block_bytes=16 * 500)
    assert fault is not None
    assert "cannot be read on" in str(fault)
    assert fault.row == len(rows)
    assert 1000 <= len(rows) <= 2000
    assert [row["ra_input"] for row in rows] == values[: len(rows)].tolist()


def test_errors_of_the_reader_leave_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("ra,dec\n" + "1,2\n" * 100)
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    for _ in range(20):
        next(source_of(path, block_bytes=20).read(path))
        fault_of(path, columns={"teff": "nope"})
    after = os.listdir("/proc/self/fd") if before else []
    assert len(after) <= len(before) + 2


# --- rows -------------------------------------------------------------------------------------------

# Column of the file, column of the schema, how to read it, good texts, dirty texts.
_WORDS = ["A", "B1", "x y", "TD1", "-99", "\u00e9\u00df"]
_MISSING = ["", "null", "NaN", " ", "N/A", "-9999", "-999.0", "None"]


def _number(text: str) -> Decimal | None:
    """Read a decimal number, None where it says "missing"; ValueError otherwise."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a number") from None
    if not number.is_finite() or "_" in text or not text.isascii():
        return None
    return None if number in (-9999, -999) else number


def read_float(text: str) -> float | None:
    number = _number(text)
    return None if number is None or math.isinf(float(number)) else float(text)


def read_coordinate(top: float, text: str) -> float:
    number = read_float(text)
    if number is None:
        raise ValueError("missing coordinate")
    if not (0 if top == 360 else -top) <= number <= top:
        raise ValueError("out of range")
    return 0.0 if top == 360 == number else number


def read_int(bits: int, text: str) -> int | None:
    number = _number(text)
    if number is None:
        return None
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError("out of range")
    if number != int(number):
        raise ValueError("not a whole number")
    return int(number)


def read_bool(text: str) -> bool:
    if text.lower() not in ("1", "0", "t", "f", "true", "false", "1.0", "0.0"):
        raise ValueError("not true or false")
    return text.lower() in ("1", "t", "true", "1.0")


def read_date(text: str) -> datetime.date:
    for style in ("%Y-%m-%d", "%Y%m%d"):
        try:
            return datetime.datetime.strptime(text, style).date()
        except ValueError:
            pass
    raise ValueError("not a date")


FIELDS: list[tuple[str, str | None, Callable[[str], Any], list[str]]] = [
    ("uid", "uid", str, [*_WORDS, '"a,b"', '"q ""r"" s"', '5" pipe']),
    (
        "gaia_source_id",
        "gaia_source_id",
        lambda text: read_int(64, text),
        ["2080028820098431616", "9223372036854775807.0", "12", "+7", "1e3", "-5."],
    ),
    (
        "ra",
        "ra_input",
        lambda text: read_coordinate(360, text),
        ["0", "360", "359.999999", "1e2", "+5", ".5", '"7"'],
    ),
    ("dec", "dec_input", lambda text: read_coordinate(90, text), ["-90", "90.0", "0.1", " 5 "]),
    ("obsdate", "obsdate", read_date, ["2018-05-30", "20180530", "2020-02-29"]),
    ("spid", "spid", lambda text: read_int(16, text), ["1", "16.0", "007"]),
    ("coadd", "coadd", read_bool, ["0", "1", "true", "F", "1.0"]),
    ("snr", "snr", read_float, ["12.34", "1e5", "inf", "-0.0", "0.1", "1e999", "4.9e-324"]),
    ("note", None, str, ["whatever", "", "x", "-9999"]),
]
DIRT = [
    "abc",
    "400",
    "-95",
    "99999",
    "1.5",
    "9223372036854775808",
    "2019-02-29",
    "0x1F",
    "1 2",
    "--",
    "nan",
    '"1,2"',
]
BAD_LINES = [
    "",
    "only",
    "1,2",
    ",".join("123456789") + ",10",
    '"open,2,3',
    "a\rb," + ",".join("12345678"),
    "   ",
]


def reference_row(line: bytes) -> tuple | str | None:
    """Values of one line by the rules, put as plainly as can be; the reason why not; or None if blank."""
    if line == b"":
        return None
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return "undecodable text"
    if b"\r" in line:
        return "stray line break"
    fields = next(csv.reader([line.decode("utf-8")]))
    if len(fields) != len(FIELDS):
        return "wrong number of fields"
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for (_, name, read, _), field in zip(FIELDS, fields, strict=True):
        if name is None:
            continue
        values[name] = None
        text = field.strip()
        if text in ("", "null", "NaN", "nan", "N/A", "None", "-9999", "-999.0"):
            if name in ("ra_input", "dec_input"):
                faults[name] = "missing coordinate"
            continue
        try:
            values[name] = read(text)
        except ValueError as fault:
            faults[name] = str(fault)
    for name in MEASUREMENTS.names:
        if name in faults:
            return faults[name]
    return tuple(values[name] for name in MEASUREMENTS.names if name in values)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """One line: mostly good, sometimes with missing values, a dirty cell, or no row at all."""
    kind = draw(st.sampled_from(["good", "good", "good", "missing", "dirt", "bytes", "line"]))
    if kind == "line":
        return draw(st.sampled_from(BAD_LINES)).encode()
    cells = [draw(st.sampled_from(good)).encode() for _, _, _, good in FIELDS]
    spot = draw(st.integers(0, len(FIELDS) - 1))
    if kind == "missing":
        cells[spot] = draw(st.sampled_from(_MISSING)).encode()
    elif kind == "dirt":
        cells[spot] = draw(st.sampled_from(DIRT)).encode()
    elif kind == "bytes":
        cells[spot] = draw(st.sampled_from([b"\xff\xfe", b"ab\xc3", b"\x80"]))
    return b",".join(cells)


@given(
    st.lists(lines(), max_size=25),
    st.sampled_from([1, 30, 150, 1 << 20]),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=120, deadline=None)
@example([b'A,1,1,1,,1,1,1,"x', b"A,1,1,1,,1,1,1,y", b""], 1 << 20, b"\n", True, False)
@example([b'"open,2,3', b"A,1,1,1,,1,1,1,\xff", b"1,\xff"], 1 << 20, b"\n", True, False)
@example([BAD_LINES[5].encode(), b"", b"A,1,1,1,,1,1,1,y"], 1 << 20, b"\n", True, False)
def test_every_row_is_kept_exactly_or_set_aside(
    tmp_path_factory: pytest.TempPathFactory,
    raw: list[bytes],
    block_bytes: int,
    end: bytes,
    last_end: bool,
    zipped: bool,
) -> None:
    path = tmp_path_factory.mktemp("dirty") / ("t.csv.gz" if zipped else "t.csv")
    header = ",".join(name for name, *_ in FIELDS).encode()
    data = end.join([header, *raw]) + (end if last_end else b"")
    path.write_bytes(gzip.compress(data) if zipped else data)
    outcome = {number: reference_row(line) for number, line in enumerate(raw, start=2)}
    kept = [value for value in outcome.values() if isinstance(value, tuple)]
    refused = {number: value for number, value in outcome.items() if isinstance(value, str)}

    rows, aside, fault = read_until_fault(path, block_bytes=block_bytes)

    names = [name for name in MEASUREMENTS.names if name in {field[1] for field in FIELDS}]
    # By their text, so that the sign of zero counts.
    assert repr([tuple(row[name] for name in names) for row in rows]) == repr(kept)
    assert {row["row"]: row["reason"] for row in aside} == refused
    assert len(aside) == len(refused)
    assert len(rows) + len(aside) == sum(value is not None for value in outcome.values())
    for row in aside:
        assert row["file"] == str(path)
        assert row["text"] == raw[row["row"] - 2].decode("utf-8", "backslashreplace")
    assert (fault is None) == bool(rows or aside)
