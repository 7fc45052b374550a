"""Tables 2 to 6 in every format: what astropy reads back is what went in."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.io import fits, votable
from astropy.table import Table
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lkmrs_dask.products.tables import (
    FORMATS,
    PAPER_TABLES,
    TableColumn,
    TableDefinition,
    error_law_rows,
    table2,
    table3,
    write_paper_table,
)
from lkmrs_dask.schema import STARS
from lkmrs_dask.stars.error_law import fit_error_laws
from lkmrs_dask.stars.error_summary import summarise_deviations

READERS = {
    "mrt": ("ascii.mrt", "ascii.cds"),
    "fits": ("fits",),
    "vot": ("votable",),
    "ecsv": ("ascii.ecsv",),
    "parquet": ("parquet",),
    "csv": ("ascii.csv",),
}
KINDS = {"string": "US", "float64": "f", "int32": "i", "int64": "i"}
Cells = dict[str, list[Any]]


def cells(column: Any) -> list[Any]:
    """Values as Python has them, None for what is masked, NaN or empty."""
    found = []
    for value in column:
        one = None if np.ma.is_masked(value) else value.decode() if isinstance(value, bytes) else value
        one = one.item() if isinstance(one, np.generic) else one
        found.append(None if one == "" or one != one else one)
    return found


def check_column(column: Any, about: TableColumn, expected: list[Any], reader: str) -> None:
    assert cells(column) == expected, (reader, about.name)
    blank = [value is None for value in expected]
    masked = np.broadcast_to(getattr(column, "mask", False), len(expected)).tolist()
    if not (reader == "parquet" and about.dtype in ("string", "float64")) and not (
        reader == "votable" and about.dtype == "string"  # of which astropy keeps no mask
    ):
        assert masked == blank, (reader, about.name)
    if any(value is not None and value == 0 for value in expected):
        zeros = [value for value in np.asarray(column, float)[~np.array(blank)] if value == 0]
        assert not np.signbit(zeros).any()
    if reader == "ascii.csv":  # which has neither types nor units
        return
    if expected:
        assert column.dtype.kind in KINDS[about.dtype], (reader, about.name)
    if about.dtype == "int64":
        assert column.dtype.itemsize == 8
    # astropy keeps the limits in the description of a column that has no blanks.
    described = re.sub(r"^\[[^\s\]]*\] ", "", column.description) if about.limits else column.description
    assert described == about.description
    logarithm = about.unit.startswith("dex")
    if logarithm and reader in ("fits", "votable"):
        assert column.unit is None  # their standards have no such unit
    elif logarithm:
        assert column.unit == (u.dex(u.cm / u.s**2) if "cm" in about.unit else u.dex)
    else:
        assert column.unit == (u.Unit(about.unit) if about.unit else None)


def check_files(rows: pa.Table, definition: TableDefinition, expected: Cells, folder: Path) -> list[Path]:
    paths = write_paper_table(rows, definition, folder)
    assert [path.name for path in paths] == [f"{definition.name}.{one}" for one in FORMATS]
    for path in paths:
        for reader in READERS[path.suffix[1:]]:
            # CSV does not say that a word such as 12 is one.
            words = {c.name: str for c in definition.columns if c.dtype == "string"}
            more = {"converters": words} if reader == "ascii.csv" else {}
            table = Table.read(path, format=reader, **more)
            assert table.colnames == definition.names, reader
            for about in definition.columns:
                check_column(table[about.name], about, expected[about.name], reader)
    assert len(list(folder.iterdir())) == len(FORMATS)
    return paths


def column(name: str, dtype: str, **more: Any) -> TableColumn:
    more.setdefault("description", f"Column {name}, 2 words 3 more 45 and so on, until a line has no room")
    return TableColumn(name, f"the {name}", dtype, **more)


SMALL = TableDefinition(
    "small",
    "A table of every kind of column",
    columns=(
        column("n", "int32", nullable=False, limits=True),
        column("id", "int64", limits=True),
        column("place", "float64", unit="deg", decimals=6, nullable=False),
        column("x", "float64", unit="km/s", decimals=2, limits=True),
        column("y", "float64", unit="dex(cm/s2)", decimals=1, limits=True),
        column("z", "float64", unit="dex", decimals=4),
        column("word", "string"),
        column("flag", "string", true_as="<"),
    ),
    notes=(
        "A note - with a dash.",
        "Another note, so long that it does not fit on one line of the file " * 2 + ".",
    ),
)
ARROW = {"int32": pa.int32(), "int64": pa.int64(), "float64": pa.float64(), "string": pa.string()}


def small_rows(values: Cells) -> pa.Table:
    kinds = {c.source: pa.bool_() if c.true_as else ARROW[c.dtype] for c in SMALL.columns}
    return pa.table({name: pa.array(values[name.removeprefix("the ")], kind) for name, kind in kinds.items()})


def a_float(decimals: int, least: int, most: int) -> st.SearchStrategy[tuple[float, float]]:
    """A number near one of so many decimals, and that one."""
    return st.builds(
        lambda k, off: ((k + off) / 10.0**decimals, float(Decimal(k).scaleb(-decimals))),
        st.integers(least, most),
        st.floats(-0.49, 0.49),
    )


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
ROW = st.fixed_dictionaries(
    {
        "n": st.integers(0, 2**31 - 1),
        "id": maybe(st.integers(0, 2**63 - 1) | st.sampled_from([2**53 + 1, 2**63 - 1])),
        "place": a_float(6, -360_000_000, 360_000_000),
        "x": maybe(a_float(2, -(10**7), 10**7) | a_float(2, 0, 0)),
        "y": maybe(a_float(1, -100, 100)),
        "z": maybe(a_float(4, -100, 100)),
        "word": maybe(WORDS),
        "flag": maybe(st.booleans()),
    }
)


@given(rows=st.lists(ROW, max_size=20))
@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_random_rows(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> None:
    def given_and_wanted(value: Any) -> tuple[Any, Any]:
        return value if isinstance(value, tuple) else (value, value)

    values: Cells = {}
    expected: Cells = {}
    for name in SMALL.names:
        pairs = [given_and_wanted(row[name]) for row in rows]
        values[name] = [one for one, _ in pairs]
        expected[name] = [one for _, one in pairs]
    expected["flag"] = ["<" if flag else None for flag in values["flag"]]
    check_files(small_rows(values), SMALL, expected, tmp_path_factory.mktemp("tables"))


NOTHING: Cells = {"id": [None], "x": [None], "y": [None], "z": [None], "word": [None], "flag": [None]}


@pytest.mark.parametrize("n", [0, 1, 3])
def test_columns_of_blanks(tmp_path: Path, n: int) -> None:
    values = {name: one * n for name, one in (NOTHING | {"n": [0], "place": [0.0]}).items()}
    check_files(small_rows(values), SMALL, values, tmp_path)


def test_what_becomes_blank_or_zero(tmp_path: Path) -> None:
    """NaN, empty text and blanks are blanks; minus zero and what rounds to it are zero."""
    values: Cells = {
        "n": [1, 2, 3],
        "id": [2**53 + 1, None, 2**63 - 1],
        "place": [-0.0, -1e-7, 1.0],
        "x": [float("nan"), -0.004, -0.0],
        "y": [0.05000001, -0.04, None],
        "z": [None, None, float("nan")],
        "word": ["", "  ", '  two  words,"quoted" & <tagged>\' '],
        "flag": [False, None, True],
    }
    expected = values | {
        "place": [0.0, 0.0, 1.0],
        "x": [None, 0.0, 0.0],
        "y": [0.1, 0.0, None],
        "z": [None] * 3,
        "word": [None, None, 'two  words,"quoted" & <tagged>\''],
        "flag": [None, None, "<"],
    }
    check_files(small_rows(values), SMALL, expected, tmp_path)


def test_same_rows_same_bytes(tmp_path: Path) -> None:
    values = {name: one * 2 for name, one in NOTHING.items()} | {"n": [1, 2], "place": [1.5, 2.5]}
    rows = small_rows(values | {"word": ["MP", None], "id": [7, None]})
    first = [path.read_bytes() for path in write_paper_table(rows, SMALL, tmp_path / "a")]
    # Chunks and columns that are not asked for make no difference.
    again = pa.concat_tables([rows.slice(0, 1), rows.slice(1)]).append_column("more", pa.array([1, 2]))
    assert [path.read_bytes() for path in write_paper_table(again, SMALL, tmp_path / "b")] == first
    assert [path.read_bytes() for path in write_paper_table(rows, SMALL, tmp_path / "a")] == first


def test_some_formats(tmp_path: Path) -> None:
    rows = small_rows(NOTHING | {"n": [1], "place": [1.0]})
    paths = write_paper_table(rows, SMALL, tmp_path / "new" / "folder", ("csv", "fits"))
    assert [path.name for path in paths] == ["small.csv", "small.fits"]
    assert paths[0].read_text() == "n,id,place,x,y,z,word,flag\n1,,1.000000,,,,,\n"


def printed(shared: Path, number: int, definition: TableDefinition) -> tuple[pa.Table, Cells]:
    """The printed rows of a table, null what the paper does not print; and what they are in files."""
    text = (shared / f"data/paper_tables/table{number}_rows.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert rows
    columns: dict[str, pa.Array] = {}
    expected: Cells = {}
    for about in definition.columns:
        name = about.source if about.source in rows[0] else re.sub(r"(\w+)_err$", r"e_\1", about.source)
        kind: type = {"string": str, "float64": float}.get(about.dtype, int)
        # An EPIC id of Table 6 is printed with a decimal point.
        found = [
            kind(v.removesuffix(".0") if kind is int else v) if (v := row.get(name)) else None for row in rows
        ]
        columns[about.source] = pa.array(found, pa.bool_() if about.true_as else ARROW[about.dtype])
        expected[about.name] = found
    return pa.table(columns), expected


@pytest.mark.parametrize("number", [2, 4, 5, 6])
def test_printed_rows(tmp_path: Path, shared: Path, number: int) -> None:
    definition = PAPER_TABLES[f"table{number}"]
    rows, expected = printed(shared, number, definition)
    paths = check_files(rows, definition, expected, tmp_path)
    lines = paths[0].read_text().splitlines()
    assert all(len(line) <= 80 for line in lines[: -len(rows)])
    for line, rv in zip(lines[-len(rows) :], expected.get("RV", [None] * len(rows)), strict=True):
        assert rv is None or f" {rv:.2f} " in f"{line} "


def test_stars_are_the_rows_of_table_2(tmp_path: Path) -> None:
    """The catalogue has every column; an upper limit of v sin i is 8 km/s, with its flag and no error."""
    assert set(table2.sources) <= set(STARS.names)
    for about in table2.columns:
        if not about.true_as:
            assert about.dtype == STARS[about.source].dtype
    one = {c.name: pa.nulls(3, c.arrow_type) for c in STARS}
    one |= {
        "times": pa.array([1, 2, 3], pa.int32()),
        "ra": pa.array([1.0, 2, 3]),
        "dec": pa.array([1.0, 2, 3]),
    }
    one |= {"vsini": pa.array([5.3, 46.2, None]), "vsini_err": pa.array([0.7, 3.3, None])}
    one |= {"vsini_upper_limit": pa.array([True, False, None])}
    rows = pa.table(one).select(STARS.names)
    for path in write_paper_table(rows, table2, tmp_path):
        for reader in READERS[path.suffix[1:]]:
            table = Table.read(path, format=reader)
            assert cells(table["l_vsini"]) == ["<", None, None]
            assert cells(table["vsini"]) == [8.0, 46.2, None]
            assert cells(table["e_vsini"]) == [None, 3.3, None]


def test_table_3(tmp_path: Path) -> None:
    constant = pa.table({"star_id": ["a"] * 9, "snr": np.linspace(9, 90, 9), "teff": [5000.0] * 9})
    rows = error_law_rows(fit_error_laws(summarise_deviations(constant)))
    assert rows.column("Parameter").to_pylist()[:2] == ["Teff", "log g"]
    expected = {about.name: rows.column(about.source).to_pylist() for about in table3.columns}
    expected |= {name: [v or None for v in expected[name]] for name in ("Unit", "Remark")}
    assert expected["a"] == [None] * 6
    assert all(expected["Remark"])
    check_files(rows, table3, expected, tmp_path / "none")
    numbers = [name for name, kind in ((c.source, c.dtype) for c in table3.columns) if kind == "float64"]
    values = {name: [k + 0.1234 + number for number in range(6)] for k, name in enumerate(numbers)}
    filled = pa.table({name: values.get(name, rows.column(name)) for name in rows.column_names})
    expected |= {
        c.name: [round(v, 4) for v in values[c.source]] for c in table3.columns if c.source in values
    }
    check_files(filled, table3, expected, tmp_path / "some")
    assert len(error_law_rows({})) == 0
    write_paper_table(error_law_rows({}), table3, tmp_path / "empty")


def test_fits_and_votable_keep_to_their_standards(tmp_path: Path, shared: Path) -> None:
    definition = table2.with_note("Synthetic data.")
    rows, _ = printed(shared, 2, definition)
    paths = write_paper_table(rows, definition, tmp_path, ("fits", "vot"))
    with fits.open(paths[0]) as hdus:
        hdus.verify("exception")
        header = hdus[1].header
        assert header["EXTNAME"] == "TABLE2"
        at = definition.names.index("KIC_EPIC") + 1
        assert (header[f"TNULL{at}"], header[f"TFORM{at}"]) == (-1, "K")
        assert header[f"TCOMM{at}"] == definition["KIC_EPIC"].description
        assert header[f"TUCD{at}"] == "meta.id.cross"
        assert any("Synthetic data." in line for line in header["COMMENT"])
        assert not any("DATE" in key for key in header)
        assert all(c.null is None for c in hdus[1].columns if c.format in ("D", "J") and c.name == "Times")
    table = votable.parse(paths[1], verify="exception").get_first_table()
    assert [field.ucd for field in table.fields] == [c.ucd or None for c in definition.columns]
    assert "Synthetic data." in str(table.description)
    assert table.nrows == len(rows)


def test_parquet_as_pandas_and_arrow_read_it(tmp_path: Path, shared: Path) -> None:
    """Identifiers stay integers although some are blank; floats are null; units are in the fields."""
    rows, expected = printed(shared, 4, PAPER_TABLES["table4"])
    (path,) = write_paper_table(rows, PAPER_TABLES["table4"], tmp_path, ["parquet"])
    frame = pd.read_parquet(path)
    assert str(frame["KIC_EPIC"].dtype) == str(frame["Gaia"].dtype) == "int64"
    assert frame["Gaia"].tolist() == expected["Gaia"]
    assert frame["KIC_EPIC.mask"].tolist() == [value is None for value in expected["KIC_EPIC"]]
    assert frame["KIC_EPIC"].tolist() == [-1 if value is None else value for value in expected["KIC_EPIC"]]
    assert frame["e_FeH"].isna().all()
    assert (frame["Ref"] == "").all()
    schema = pq.read_schema(path)
    assert schema.field("RAdeg").metadata[b"unit"] == b"deg"
    assert schema.field("FeH").metadata[b"ucd"] == b"phys.abund.Fe"
    assert schema.metadata[b"title"].decode() == PAPER_TABLES["table4"].title
    assert pq.read_table(path).column("e_FeH").null_count == len(rows)
