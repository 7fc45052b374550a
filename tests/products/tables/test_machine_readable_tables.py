"""Machine-readable tables of the AAS, read as their description byte by byte says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lkmrs_dask.products.tables import PAPER_TABLES, TableColumn, TableDefinition, write_paper_table

LINE = re.compile(r"^ *(?:(\d+)- *)?(\d+) ([AIF][\d.]+) +(\S+) +(\S+) +(\S.*)$")

TABLE = TableDefinition(
    "t",
    "T",
    (
        TableColumn("n", "n", "int32", "Number", nullable=False, limits=True),
        TableColumn("x", "x", "float64", "Velocity", "km/s", 2, limits=True),
        TableColumn("id", "id", "int64", "Identifier"),
        TableColumn("word", "word", "string", "Word"),
        TableColumn("y", "y", "float64", "Other", "dex", 1, limits=True),
    ),
)


def described(path: Path) -> tuple[list[tuple[str, ...]], list[dict[str, str]]]:
    """Lines of the description, and rows cut as they say."""
    lines = path.read_text().splitlines()
    rules = [k for k, line in enumerate(lines) if line == "-" * 80]
    about = [match.groups() for line in lines[rules[1] + 1 : rules[2]] if (match := LINE.match(line))]
    rows = [
        {label: line[int(first or last) - 1 : int(last)] for first, last, _, _, label, _ in about}
        for line in lines[rules[-1] + 1 :]
    ]
    return [one[2:] for one in about], rows


def test_bytes_formats_units_and_limits(tmp_path: Path) -> None:
    rows = {"n": [0, 12, 7], "x": [None, -1.5, 0.0], "id": [None, 2**62, 5], "word": ["ab", None, "abc"]}
    (path,) = write_paper_table(pa.table(rows | {"y": pa.nulls(3)}), TABLE, tmp_path, ["mrt"])
    about, cut = described(path)
    assert about == [
        ("I2", "---", "n", "[0/12] Number"),
        ("F5.2", "km/s", "x", "[-1.50/0.00]? Velocity"),
        ("I19", "---", "id", "? Identifier"),
        ("A3", "---", "word", "? Word"),
        ("F3.1", "[-]", "y", "? Other"),
    ]
    assert cut[0] == {"n": " 0", "x": "     ", "id": " " * 19, "word": "ab", "y": ""}
    assert cut[1] == {"n": "12", "x": "-1.50", "id": "4611686018427387904", "word": "", "y": ""}
    assert cut[2] == {"n": " 7", "x": " 0.00", "id": "5".rjust(19), "word": "abc", "y": ""}


@pytest.mark.parametrize("name", list(PAPER_TABLES))
def test_descriptions_of_the_paper_tables(tmp_path: Path, name: str) -> None:
    """No line is longer than 80, and none that goes on with a description is taken for a column."""
    definition = PAPER_TABLES[name]
    nothing: dict[str, Any] = {source: pa.nulls(0) for source in definition.sources}
    (path,) = write_paper_table(pa.table(nothing), definition, tmp_path, ["mrt"])
    about, rows = described(path)
    assert [label for _, _, label, _ in about] == definition.names
    assert [unit for _, unit, _, _ in about] == [column.cds_unit for column in definition.columns]
    assert rows == []
    lines = path.read_text().splitlines()
    assert max(map(len, lines)) == 80
    assert all(line == line.rstrip() for line in lines)
    notes = [line for line in lines if line.startswith("Note (")]
    assert len(notes) == len(definition.notes)


@pytest.mark.parametrize("word", ["12", "3.7", "-", "=", "1-2"])
def test_words_that_begin_no_line(tmp_path: Path, word: str) -> None:
    text = " ".join(f"about {word} {word} bcd ef" for _ in range(12))
    table = TableDefinition("t", "T", (TableColumn("n", "n", "int32", text, nullable=False),))
    (path,) = write_paper_table(pa.table({"n": [1]}), table, tmp_path, ["mrt"])
    lines = path.read_text().splitlines()
    rules = [k for k, line in enumerate(lines) if line == "-" * 80]
    body = [line.strip() for line in lines[rules[1] + 1 : rules[2]]]
    assert len(body) > 3
    assert not any(line[0] in "0123456789-=" for line in body[1:])
    assert " ".join(body).endswith(text)
