"""Raw arrays to the schema's columns: missing values, exact numbers, ranges and faults."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.convert import Use, convert_block, convert_column
from lkmrs_dask.readers.raw import RawBlock
from lkmrs_dask.schema import MEASUREMENTS, SPECTRA, Column

SENTINELS = (-9999.0, -999.0)
FLOAT = Column("x", "float64", "", sentinels=SENTINELS)
INTEGER = Column("x", "int64", "", sentinels=SENTINELS)
SHORT = Column("x", "int16", "", sentinels=SENTINELS)
BOOL = Column("x", "bool", "")
DATE = Column("x", "date", "")
TEXT = Column("x", "string", "")
DAY = datetime.date(2018, 5, 30)

MISSING = ["", " ", "null", "NULL", "nan", "NaN", " nan ", "None", "N/A", "\t"]


def converted(raw: pa.Array, column: Column, scale: float | None = None) -> tuple[list, dict[int, str]]:
    """Values, and the reason by position of a fault."""
    cells = convert_column(raw, column, scale)
    assert cells.array.type == column.arrow_type
    reasons = {int(row): reason for reason, rows in cells.faults for row in rows}
    assert len(reasons) == sum(len(rows) for _, rows in cells.faults)  # one fault a cell
    values = cells.array.to_pylist()
    assert all(values[row] is None for row in reasons)
    return values, reasons


def from_text(text: str, column: Column) -> Any:
    """Value of one text, or the reason why it has none as a set."""
    values, reasons = converted(pa.array([text.encode()], pa.binary()), column)
    return {reasons[0]} if reasons else values[0]


@pytest.mark.parametrize("column", [FLOAT, INTEGER, SHORT, BOOL, DATE, TEXT], ids=lambda c: c.dtype)
@pytest.mark.parametrize("text", MISSING)
def test_texts_that_mean_missing(column: Column, text: str) -> None:
    assert from_text(text, column) is None


@pytest.mark.parametrize("column", [FLOAT, INTEGER, SHORT, BOOL, DATE, TEXT], ids=lambda c: c.dtype)
@pytest.mark.parametrize("text", ["-9999", "-999", "-9999.0", "-999.00", " -9999. "])
def test_sentinels_in_any_spelling(column: Column, text: str) -> None:
    assert from_text(text, column) is None


def test_a_number_without_sentinels_keeps_minus_999() -> None:
    assert from_text("-999", Column("x", "float64", "")) == -999.0
    assert from_text("-9999.0", Column("x", "int32", "")) == -9999


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("+1.50", 1.5),
        (" -.5", -0.5),
        ("5.", 5.0),
        ("1e-3", 1e-3),
        ("1E+05", 1e5),
        ("inf", None),
        ("-Infinity", None),
        ("NAN", None),
        ("1e999", None),
        ("1e-999", 0.0),
        # Halfway cases of correct rounding (2**53 + 1, and a classic of strtod bugs).
        ("9007199254740993", 9007199254740992.0),
        ("2.2250738585072011e-308", 2.2250738585072011e-308),
        ("abc", {"not a number"}),
        ("1,5", {"not a number"}),
        ("1 2", {"not a number"}),
        ("1d5", {"not a number"}),
        ("0x10", {"not a number"}),
        ("1_000", {"not a number"}),
        ("--1", {"not a number"}),
        (".", {"not a number"}),
        ("e5", {"not a number"}),
        ("\u0661", {"not a number"}),
        ("12.0.0", {"not a number"}),
    ],
)
def test_text_to_float(text: str, value: Any) -> None:
    assert from_text(text, FLOAT) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("12.0", 12),
        ("12.", 12),
        ("+12", 12),
        ("-0", 0),
        ("00012", 12),
        ("1.2e1", 12),
        ("1e18", 10**18),
        ("120e-1", 12),
        ("0e99", 0),
        ("2080028820098431616", 2080028820098431616),
        ("2080028820098431616.0", 2080028820098431616),
        ("2080028820098431617.000", 2080028820098431617),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9.223372036854775807e18", 2**63 - 1),
        ("0000000000000000000000000007", 7),
        ("9223372036854775808", {"out of range"}),
        ("-9223372036854775809.0", {"out of range"}),
        ("9.3e18", {"out of range"}),
        ("1e400", {"out of range"}),
        ("1e99999999999999999999", {"out of range"}),
        ("7" * 5000, {"out of range"}),
        ("inf", None),
        ("12.5", {"not a whole number"}),
        ("1e-3", {"not a whole number"}),
        ("0x1F", {"not a number"}),
        ("twelve", {"not a number"}),
        ("1 2", {"not a number"}),
    ],
)
def test_text_to_integer(text: str, value: Any) -> None:
    assert from_text(text, INTEGER) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("32767", 32767), ("32768", {"out of range"}), ("-32768.0", -32768), ("99999999999", {"out of range"})],
)
def test_text_to_a_narrow_integer(text: str, value: Any) -> None:
    assert from_text(text, SHORT) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("1", "1.0", "true", "TRUE", "True", "T", "t", " 1 ")),
        *((text, False) for text in ("0", "0.0", "false", "FALSE", "False", "F", "f")),
        *((text, {"not true or false"}) for text in ("2", "yes", "-1", "01")),
    ],
)
def test_text_to_bool(text: str, value: Any) -> None:
    assert from_text(text, BOOL) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2018-05-30", DAY),
        ("20180530", DAY),
        (" 2018-05-30 ", DAY),
        ("2020-02-29", datetime.date(2020, 2, 29)),
        *(
            (t, {"not a date"})
            for t in ("2019-02-29", "2018-5-30", "30/05/2018", "2018-W22-3", "0000-00-00", "5")
        ),
    ],
)
def test_text_to_date(text: str, value: Any) -> None:
    assert from_text(text, DATE) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (" TD1 ", "TD1"),
        ("a  b", "a  b"),
        ("\ufeffx", "x"),
        ("-99", "-99"),
        ("nano", "nano"),
        ("\u00e9", "\u00e9"),
    ],
)
def test_text_to_text(text: str, value: str) -> None:
    assert from_text(text, TEXT) == value


@pytest.mark.parametrize("column", [FLOAT, INTEGER, TEXT], ids=lambda c: c.dtype)
def test_undecodable_bytes(column: Column) -> None:
    raw = pa.array([b"1", b"\xff\xfe", None, b"2"], pa.binary())
    values, reasons = converted(raw, column)
    assert reasons == {1: "undecodable text"}
    assert [str(v) for v in values if v is not None] == [
        str(column.arrow_type.to_pandas_dtype()(v)) for v in (1, 2)
    ]


@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(-(2**70), 2**70)), max_size=30))
@settings(max_examples=60, deadline=None)
def test_written_numbers_come_back_exactly(numbers: list) -> None:
    texts = ["" if number is None else repr(number) for number in numbers]
    raw = pa.array([text.encode() for text in texts], pa.binary())
    values, reasons = converted(raw, FLOAT)
    assert not reasons
    for number, value in zip(numbers, values, strict=True):
        good = number is not None and math.isfinite(number) and float(number) not in SENTINELS
        # Sign of zero too, hence repr.
        assert repr(value) == (repr(float(number)) if good else "None")
    values, reasons = converted(raw, INTEGER)
    for row, (number, value) in enumerate(zip(numbers, values, strict=True)):
        if number is None or not math.isfinite(number) or number in SENTINELS:
            assert (value, row in reasons) == (None, False)
        elif not -(2**63) <= Decimal(repr(number)) < 2**63:
            assert reasons[row] == "out of range"
        elif number != int(number):
            assert reasons[row] == "not a whole number"
        else:
            assert value == int(Decimal(repr(number)))


@pytest.mark.parametrize(
    ("raw", "column", "values", "reasons"),
    [
        (pa.array([1.5, np.nan, np.inf, -9999, None, -999]), FLOAT, [1.5] + [None] * 5, {}),
        (pa.array(np.array([0.1, -9999], np.float32)), FLOAT, [float(np.float32(0.1)), None], {}),
        (pa.array([1, -9999, None]), FLOAT, [1.0, None, None], {}),
        (pa.array([True, None]), FLOAT, [1.0, None], {}),
        (pa.array([Decimal("1.50"), None]), FLOAT, [1.5, None], {}),
        (pa.array([2**63 - 1, -9999, None]), INTEGER, [2**63 - 1, None, None], {}),
        (pa.array(np.array([5, 2**63], np.uint64)), INTEGER, [5, None], {1: "out of range"}),
        (pa.array([32768, -9999, -32768]), SHORT, [None, None, -32768], {0: "out of range"}),
        (pa.array(np.array([255], np.uint8)), SHORT, [255], {}),
        (pa.array([12.0, None, np.nan, -999.0]), SHORT, [12, None, None, None], {}),
        (pa.array([12.5, 40000.0]), SHORT, [None, None], {0: "not a whole number", 1: "out of range"}),
        (pa.array([2.0**53 - 1]), INTEGER, [2**53 - 1], {}),
        (pa.array([2.0**53]), INTEGER, [None], {0: "integer stored as an inexact float"}),
        (
            pa.array(np.array([2.0**24], np.float32)),
            INTEGER,
            [None],
            {0: "integer stored as an inexact float"},
        ),
        (
            pa.array(["2080028820098431616", "null"]).view(pa.binary()),
            INTEGER,
            [2080028820098431616, None],
            {},
        ),
        (pa.array(["12", "-9999"], pa.large_string()), INTEGER, [12, None], {}),
        (pa.array(["12", "12"]).dictionary_encode(), INTEGER, [12, 12], {}),
        (pa.array([Decimal(2**63 - 1)]), INTEGER, [2**63 - 1], {}),
        (pa.array([1, 0, -9999, 2]), BOOL, [True, False, None, None], {3: "not true or false"}),
        (pa.array([1.0, 0.5, np.nan]), BOOL, [True, None, None], {1: "not true or false"}),
        (pa.array([True, None]), BOOL, [True, None], {}),
        (pa.array([20180530, -9999]), DATE, [DAY, None], {}),
        (pa.array([datetime.datetime(2018, 5, 30, 23, 59), None]), DATE, [DAY, None], {}),
        (pa.array([DAY]), DATE, [DAY], {}),
        (pa.array([1, -9999]), TEXT, ["1", None], {}),
        (pa.array([1.0, np.nan, -9999.0]), TEXT, ["1", None, None], {}),
        (pa.array([1.5]), TEXT, ["1.5"], {}),
        (pa.array([None, None], pa.null()), FLOAT, [None, None], {}),
        *((pa.array([], pa.int64()), column, [], {}) for column in (FLOAT, SHORT, BOOL, TEXT, DATE)),
        *((pa.array([], pa.binary()), column, [], {}) for column in (FLOAT, SHORT, BOOL, TEXT, DATE)),
    ],
)
def test_binary_types(raw: pa.Array, column: Column, values: list, reasons: dict) -> None:
    assert converted(raw, column) == (values, reasons)
    # The same in a slice with an offset.
    longer = pa.concat_arrays([raw.slice(0, min(1, len(raw))), raw]) if len(raw) else raw
    assert converted(longer.slice(len(longer) - len(raw)), column) == (values, reasons)


@pytest.mark.parametrize(
    ("raw", "column"),
    [
        (pa.array([[1]]), FLOAT),
        (pa.array([{"a": 1}]), INTEGER),
        (pa.array([DAY]), FLOAT),
        (pa.array([[1]]), BOOL),
        (pa.array([1.5]), DATE),
        (pa.array([[1]]), TEXT),
    ],
)
def test_impossible_types(raw: pa.Array, column: Column) -> None:
    with pytest.raises(TypeError, match="cannot become"):
        convert_column(raw, column)


def test_scale_comes_after_the_sentinels() -> None:
    raw = pa.array([-9999.0, 1e-4, None, -2e-4])
    speed_of_light = 299792.458
    assert converted(raw, FLOAT, speed_of_light)[0] == [
        None,
        1e-4 * speed_of_light,
        None,
        -2e-4 * speed_of_light,
    ]


def test_coordinates() -> None:
    ra, dec = SPECTRA["ra_input"], SPECTRA["dec_input"]
    values, reasons = converted(
        pa.array([0.0, 360.0, 359.999, 360.0001, -0.0001, None, np.nan, -9999.0, 400.0]), ra
    )
    assert values == [0.0, 0.0, 359.999] + [None] * 6
    out, missing = "out of range", "missing coordinate"
    assert reasons == {3: out, 4: out, 5: missing, 6: missing, 7: missing, 8: out}
    values, reasons = converted(pa.array([-90.0, 90.0, -95.0, 90.00001, None]), dec)
    assert values == [-90.0, 90.0, None, None, None]
    assert reasons == {2: out, 3: out, 4: missing}
    assert converted(pa.array([b"north"], pa.binary()), dec)[1] == {0: "not a number"}


def test_errors_below_zero_are_out_of_range_but_sentinels_are_not() -> None:
    values, reasons = converted(pa.array([-0.5, -9999.0, 0.0]), MEASUREMENTS["teff_err"])
    assert values == [None, None, 0.0]
    assert reasons == {0: "out of range"}


def test_other_required_columns_name_the_reason_otherwise() -> None:
    column = Column("x", "string", "", required=True)
    assert converted(pa.array([b"", b"a"], pa.binary()), column) == ([None, "a"], {0: "missing value"})


def block_of(**columns: pa.Array) -> RawBlock:
    n = len(next(iter(columns.values())))
    return RawBlock(columns, n, numbers=lambda rows: rows + 2, texts=lambda rows: [f"row {i}" for i in rows])


USES = tuple(
    Use(MEASUREMENTS[name], raw)
    for name, raw in (("ra_input", "ra"), ("dec_input", "dec"), ("planid", "planid"))
)


def test_a_row_is_set_aside_once_for_its_first_fault() -> None:
    block = block_of(
        ra=pa.array([b"1", b"400", b"x", b"2", b"3"], pa.binary()),
        dec=pa.array([b"1", b"-95", b"1", b"", b"4"], pa.binary()),
        planid=pa.array([b"A", b"A", b"A", b"A", b"\xff"], pa.binary()),
    )
    columns, n_rows, aside = convert_block(block, USES, Path("f.csv"))
    assert n_rows == 1
    assert {name: array.to_pylist() for name, array in columns.items()} == {
        "ra_input": [1.0],
        "dec_input": [1.0],
        "planid": ["A"],
    }
    assert aside.drop_columns(["file", "text"]).to_pylist() == [
        {"row": 3, "column": "ra_input", "reason": "out of range", "value": "400"},
        {"row": 4, "column": "ra_input", "reason": "not a number", "value": "x"},
        {"row": 5, "column": "dec_input", "reason": "missing coordinate", "value": ""},
        {"row": 6, "column": "planid", "reason": "undecodable text", "value": "\\xff"},
    ]
    assert aside["file"].to_pylist() == ["f.csv"] * 4
    assert aside["text"].to_pylist() == ["row 1", "row 2", "row 3", "row 4"]


def test_a_row_of_another_plan_is_not_dirt() -> None:
    block = block_of(
        ra=pa.array([400.0, 400.0]), dec=pa.array([0.0, 0.0]), planid=pa.array(["ours", "theirs"])
    )
    _, n_rows, aside = convert_block(
        block, USES, Path("f"), lambda plans: np.array([plan == "ours" for plan in plans.to_pylist()])
    )
    assert n_rows == 0
    assert aside["reason"].to_pylist() == ["out of range", "plan not wanted"]
    assert aside["text"].to_pylist() == ["row 0", None]  # most of a release may be other plans: kept short


def test_a_column_of_lists_is_an_input_error() -> None:
    block = block_of(ra=pa.array([[1.0]]), dec=pa.array([0.0]), planid=pa.array(["a"]))
    with pytest.raises(InputError, match=r"file f\.parquet, column ra_input: the column 'ra' holds list"):
        convert_block(block, USES, Path("f.parquet"))
