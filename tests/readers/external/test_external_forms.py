"""Files of forms that are not read, cells that mean what they say, right ascensions to the west of 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.external.source import open_source, read_external

NAMES: dict[str, Any] = {"id": "id", "ra": "ra", "dec": "dec"}


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,ra,dec\n1,2,3\n".encode("utf-16"), "UTF-16.*iconv"),
        ("id,ra,dec\n1,2,3\n".encode("utf-16-le"), "UTF-16.*iconv"),
        (b"<!DOCTYPE html>\n<html><body>log in</body></html>", "a web page"),
        (b"id,ra,dec\r1,2,3\r", "carriage returns alone"),
    ],
)
def test_forms_that_are_not_read(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_source("table", write(tmp_path / "a.csv", content), **NAMES)


def test_a_votable(tmp_path: Path) -> None:
    path = tmp_path / "a.vot"
    Table({"id": [1], "ra": [2.0], "dec": [3.0]}).write(path, format="votable")
    with pytest.raises(InputError, match="VOTables are not read"):
        open_source("table", path, **NAMES)


def test_a_table_of_the_cds_without_its_readme(tmp_path: Path) -> None:
    path = write(tmp_path / "vsx.dat", "       1 V1 And                         0   1.50000 -40.25000 EA\n")
    with pytest.raises(InputError, match="needs the ReadMe that describes it beside it"):
        open_source("vsx", path)


# Cells


def test_a_table_of_ones_own_has_no_hidden_missing_values(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "id,name,flag,x\n1,-9999,-999,-9999\n2,None,a,1\n3,N/A,b,N/A\n4,,nan,\n5,-999.0,null,2\n6,V1,c,3\n",
    )
    found = read_external("table", path, id="id").to_pydict()
    assert found["name"] == ["-9999", "None", "N/A", None, "-999.0", "V1"]
    assert found["flag"] == ["-999", "a", "b", None, None, "c"]
    assert found["x"] == [-9999, 1, None, None, 2, 3], "no number says None"
    found = read_external("table", path, id="id", sentinels=[-9999]).to_pydict()
    assert found["name"] == [None, "None", "N/A", None, "-999.0", "V1"]
    assert found["x"] == [None, 1, None, None, 2, 3]


def test_identifiers_may_look_like_missing_values(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,x\nNone,1\n-999,2\nA1,3\n")
    assert read_external("table", path, id="id")["id"].to_pylist() == ["None", "-999", "A1"]


def test_a_published_catalogue_has_its_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"APOGEE_ID": ["2M1"], "RA": [1.0], "DEC": [2.0], "MEMBER": ["-9999"]}), path)
    assert read_external("apogee", path)["MEMBER"].to_pylist() == [None]


@pytest.mark.parametrize("end", ["", "\n", '\n3,7,"c"\n'])
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_a_name_that_is_broken_over_lines_is_never_cut(tmp_path: Path, end: str, block_bytes: int) -> None:
    text = 'id,x,name\n1,5,"a ""b"" c"\n2,6,"first\nsecond"' + end
    source = open_source(
        "table", write(tmp_path / "a.csv", text), id="id", positions=False, block_bytes=block_bytes
    )
    rows, aside = [], []
    for chunk in source.read(source.paths[0]):
        rows += chunk.table.to_pylist()
        aside += chunk.set_aside["row"].to_pylist()
    assert rows[0] == {"id": 1, "x": 5, "name": 'a "b" c'}
    assert "first" not in [row["name"] for row in rows]
    assert aside[:2] == [3, 4]


# Right ascension


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_right_ascensions_from_minus_180_to_180(tmp_path: Path, form: str, block_bytes: int) -> None:
    ra = [10.0, -10.0, 180.0, -180.0, -1e-20, -180.1]
    path = tmp_path / f"a.{form}"
    if form == "csv":
        write(path, "id,ra,dec\n" + "".join(f"{n},{one!r},0\n" for n, one in enumerate(ra)))
    else:
        pq.write_table(pa.table({"id": range(6), "ra": ra, "dec": [0.0] * 6}), path)
    source = open_source("table", path, **NAMES, block_bytes=block_bytes)
    chunks = list(source.read(path))
    found = pa.concat_tables([chunk.table for chunk in chunks])
    assert found["ra"].to_pylist() == [10.0, 350.0, 180.0, 180.0, 0.0]
    aside = pa.concat_tables([chunk.set_aside for chunk in chunks])
    assert (aside["column"].to_pylist(), aside["value"].to_pylist()) == (["ra"], ["-180.1"])


@pytest.mark.parametrize("beyond", ["180.5", "360"])
def test_a_negative_right_ascension_among_others_is_a_mistake(tmp_path: Path, beyond: str) -> None:
    path = write(tmp_path / "a.csv", f"id,ra,dec\n1,-99,0\n2,100,0\n3,{beyond},0\n")
    aside: list[pa.Table] = []
    found = read_external("table", path, set_aside=aside, **NAMES)
    assert found["id"].to_pylist() == [2, 3]
    assert aside[0]["value"].to_pylist() == ["-99.0"]
