"""Definitions of tables, and rows that do not fit them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from astropy import units as u
from astropy.io.votable.ucd import check_ucd

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.products.table_files import write_whole
from lkmrs_dask.products.tables import (
    FORMATS,
    PAPER_TABLES,
    TableColumn,
    TableDefinition,
    table2,
    write_paper_table,
)

N = TableColumn("n", "n", "int32", "Number", nullable=False)
X = TableColumn("x", "x", "float64", "Velocity", "km/s", 2)
ID = TableColumn("id", "id", "int64", "Identifier")
WORD = TableColumn("word", "word", "string", "Word")
FLAG = TableColumn("l_x", "low", "string", "Limit flag on x", true_as="<")
TABLE = TableDefinition("t", "A table", (N, X, ID, WORD, FLAG))
GOOD: dict[str, Any] = {
    "n": [1, 2],
    "x": [1.0, None],
    "id": [1, None],
    "word": ["a", None],
    "low": [True, None],
}


def test_the_definitions_keep_to_the_standards() -> None:
    assert list(PAPER_TABLES) == ["table2", "table3", "table4", "table5", "table6"]
    for definition in PAPER_TABLES.values():
        for column in definition.columns:
            assert not column.ucd or check_ucd(column.ucd, check_controlled_vocabulary=True), column.name
            if column.unit:
                u.Unit(column.cds_unit, format="cds")
            if column.plain_unit:
                assert u.Unit(column.plain_unit, format="fits") == u.Unit(column.plain_unit, format="vounit")
        numbers = [f"({k})" for k in range(1, len(definition.notes) + 1)]
        told = " ".join(column.description for column in definition.columns)
        assert all(number in told for number in numbers), definition.name


def test_names_of_table_2() -> None:
    assert table2.names[:7] == ["Times", "uid", "Gaia", "KIC_EPIC", "TIC", "RAdeg", "DEdeg"]
    assert table2.names[7:10] == ["Teff", "e_Teff", "o_Teff"]
    assert table2.names[-5:] == ["l_vsini", "vsini", "e_vsini", "o_vsini", "Label"]
    assert table2["e_Teff"].source == "teff_err"
    with pytest.raises(KeyError):
        table2["teff"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "Fe/H"}, "name must be a letter"),
        ({"name": "1x"}, "name must be"),
        ({"dtype": "float32"}, "dtype must be one of"),
        ({"description": "[x] in brackets"}, "description must be"),
        ({"description": "?"}, "description must be"),
        ({"description": "two  blanks"}, "single blanks"),
        ({"description": "a\nb"}, "one line"),
        ({"description": ""}, "description must be"),
        ({"description": "α"}, "ASCII"),
        ({"unit": "furlong"}, "unit must be one of deg"),
        ({"decimals": 0}, "decimals must be 1 to 15"),
        ({"decimals": None}, "decimals must be"),
        ({"dtype": "int32"}, "None for others"),
        ({"dtype": "string", "decimals": None, "limits": True}, "of a number"),
        ({"true_as": "<"}, "of a column of text"),
        ({"dtype": "int32", "decimals": None, "limit": ("low", 8.0)}, "of a column of floats"),
        ({"ucd": "α"}, "ucd must be ASCII"),
    ],
)
def test_columns_that_no_file_can_hold(wrong: dict[str, Any], words: str) -> None:
    good: dict[str, Any] = {"name": "x", "source": "x", "dtype": "float64", "description": "X", "decimals": 2}
    with pytest.raises(UsageError, match=words):
        TableColumn(**(good | wrong))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "a table"}, "its name must be"),
        ({"title": "α"}, "ASCII"),
        ({"title": ""}, "ASCII"),
        ({"notes": ("two\nlines",)}, "one line"),
        ({"columns": (N, TableColumn("N", "m", "int32", "Number"))}, "two columns have the name n"),
        ({"columns": (X,)}, "at least must have no blanks"),
        ({"columns": ()}, "at least must have no blanks"),
    ],
)
def test_tables_that_no_file_can_hold(wrong: dict[str, Any], words: str) -> None:
    good: dict[str, Any] = {"name": "t", "title": "T", "columns": (N, X)}
    with pytest.raises(UsageError, match=words):
        TableDefinition(**(good | wrong))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n": [1, None]}, "column n .from n.: 1 rows are blank"),
        ({"n": [1, 2**31]}, "column n .*int64 does not become int32"),
        ({"n": [1.0, 1.5]}, "double does not become int32"),
        ({"n": ["1", "x"]}, "string does not become int32"),
        ({"x": [1.0, float("inf")]}, "row 1 is infinite"),
        ({"x": [1.0, -1e300]}, "row 1 has -1e.300, too large for 2 decimals"),
        ({"x": ["fast", "slow"]}, "string does not become double"),
        ({"id": [1, -1]}, "-1 stands for a blank"),
        ({"id": [1.0, 2.0**60]}, "have lost digits"),
        ({"word": ["a", "naïve"]}, "row 1 has 'naïve'; every format"),
        ({"word": ["a", "b\nc"]}, "row 1 has"),
        ({"word": ["a\tb", "c"]}, "row 0 has"),
        ({"low": [1, 0]}, "column l_x .from low.: must be boolean, not int64"),
    ],
)
def test_rows_that_no_file_can_hold(tmp_path: Path, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(CatalogError, match=words):
        write_paper_table(pa.table(GOOD | wrong), TABLE, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_missing_columns_are_named(tmp_path: Path) -> None:
    rows = pa.table(GOOD).drop_columns(["x", "low"]).append_column("teff", pa.array([1, 2]))
    with pytest.raises(CatalogError, match="t needs the columns x, low; the rows have n, id, word, teff"):
        write_paper_table(rows, TABLE, tmp_path)
    with pytest.raises(CatalogError, match="the rows have no columns"):
        write_paper_table(pa.table({}), TABLE, tmp_path)


def test_the_flag_of_a_limit_is_a_source_too() -> None:
    assert "vsini_upper_limit" in table2.sources
    limited = TableColumn("x", "x", "float64", "X", "km/s", 2, limit=("low", 8.0))
    assert TableDefinition("t", "T", (N, limited)).sources == ["n", "x", "low"]


def test_kinds_of_rows_that_come_as_others(tmp_path: Path) -> None:
    """Floats of whole numbers, dictionaries, large text and nulls are taken as they are meant."""
    rows = pa.table(
        {
            "n": pa.array([1.0, 2.0]),
            "x": pa.array([1, None], pa.int16()),
            "id": pa.array([211134060.0, float("nan")]),
            "word": pa.array(["a", None]).dictionary_encode(),
            "low": pa.nulls(2),
        }
    )
    (path,) = write_paper_table(rows, TABLE, tmp_path, ["csv"])
    assert path.read_text() == "n,x,id,word,l_x\n1,1.00,211134060,a,\n2,,,,\n"
    large = rows.set_column(3, "word", pa.array(["a", None], pa.large_string()))
    assert write_paper_table(large, TABLE, tmp_path, ["csv"])[0].read_text() == path.read_text()


def test_wrong_calls(tmp_path: Path) -> None:
    rows = pa.table(GOOD)
    with pytest.raises(UsageError, match="some of mrt, fits, vot"):
        write_paper_table(rows, TABLE, tmp_path, ["mrt", "xlsx"])
    with pytest.raises(UsageError, match="not 'csv'"):
        write_paper_table(rows, TABLE, tmp_path, "csv")
    with pytest.raises(UsageError, match="authors must be ASCII"):
        write_paper_table(rows, TABLE, tmp_path, authors="Müller")
    with pytest.raises(UsageError, match="title must be ASCII"):
        write_paper_table(rows, TABLE, tmp_path, title="two\nlines")
    assert list(tmp_path.iterdir()) == []


def test_a_row_that_looks_like_a_rule(tmp_path: Path) -> None:
    word = TableColumn("word", "word", "string", "Word", nullable=False)
    table = TableDefinition("t", "T", (word,))
    with pytest.raises(CatalogError, match="row 1 is '------', which ends a section"):
        write_paper_table(pa.table({"word": ["a", "------"]}), table, tmp_path)
    rows = pa.table({"word": ["a", "-----", "------x"]})
    assert len(write_paper_table(rows, table, tmp_path)) == len(FORMATS)


def test_a_row_that_looks_like_a_comment(tmp_path: Path) -> None:
    word = TableColumn("word", "word", "string", "Word", nullable=False)
    table = TableDefinition("t", "T", (word,))
    with pytest.raises(CatalogError, match="row 1 begins with #"):
        write_paper_table(pa.table({"word": ["a#", "#b"]}), table, tmp_path, ["ecsv"])


def test_title_and_authors(tmp_path: Path) -> None:
    long = " ".join(f"Author {k}" for k in range(20))
    (path,) = write_paper_table(pa.table(GOOD), TABLE, tmp_path, ["mrt"], title="A survey", authors=long)
    lines = path.read_text().splitlines()
    assert lines[0] == "Title: A survey"
    assert " ".join(line.strip() for line in lines[1:5]).startswith(f"Authors: {long} Table: A table")
    assert max(map(len, lines)) == 80


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    assert write_whole(tmp_path / "a", "α\n").read_bytes() == b"\xce\xb1\n"
    assert write_whole(tmp_path / "a", b"\x00").read_bytes() == b"\x00"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", "text")
    assert (tmp_path / "a").read_bytes() == b"\x00"
