"""Lists of the literature: JINAbase under its line of dashes, and others by the kind "table"."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from astropy.coordinates import SkyCoord

from lkmrs_dask.errors import InputError
from lkmrs_dask.pipeline.external import build_external
from lkmrs_dask.readers.external.kinds import kind_named
from lkmrs_dask.readers.external.source import read_external

JINABASE = "data/metal_poor/jinabase_all_info.txt"


def plain(path: Path) -> list[dict[str, str]]:
    """Rows by splitting at blanks: JINAbase has no blank within a value."""
    lines = path.read_text().splitlines()
    names = lines[0].split()
    rows = [line.split() for line in lines[2:] if line.strip()]
    assert {len(row) for row in rows} == {len(names)}
    return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def jinabase(shared: Path) -> pa.Table:
    aside: list[pa.Table] = []
    table = read_external("jinabase", shared / JINABASE, set_aside=aside)
    assert aside[0].num_rows == 0
    return table


def test_all_of_jinabase(shared: Path, jinabase: pa.Table) -> None:
    rows = plain(shared / JINABASE)
    assert jinabase.num_rows == len(rows) == 2735
    kind = kind_named("jinabase")
    assert list(rows[0]) == [column.name for column in kind.columns]
    assert set(jinabase.column_names) == set(rows[0])
    for column in kind.columns:
        text = [row[column.name] for row in rows]
        found = jinabase.column(column.name).to_pylist()
        if column.name in ("RA", "DEC"):
            continue
        make = {"i": int, "f": float, "s": str}[column.dtype[0]]
        assert found == [None if one == "*" else make(one) for one in text], column.name


def test_positions_of_jinabase(shared: Path, jinabase: pa.Table) -> None:
    rows = [row for row in plain(shared / JINABASE) if row["RA"] != "*"]
    text = [f"{row['RA']} {row['DEC']}".replace("_", " ") for row in rows]
    place = SkyCoord(text, unit=("hourangle", "deg"))
    there = jinabase.filter(pc.is_valid(jinabase.column("RA")))
    assert there.num_rows == len(rows) == 2731
    # A degree in float64 is good to 6e-14.
    np.testing.assert_allclose(there.column("RA").to_numpy(), place.ra.deg, rtol=0, atol=1e-12)
    np.testing.assert_allclose(there.column("DEC").to_numpy(), place.dec.deg, rtol=0, atol=1e-12)
    assert not any(row["DEC"].startswith("-0_") for row in rows), "signs of declinations near 0 are back"


def test_the_star_of_section_4_1(jinabase: pa.Table) -> None:
    (row,) = jinabase.filter(pc.equal(jinabase.column("Name"), "LAMOSTJ0102+0428")).to_pylist()
    assert (row["Z"], row["Reference"], row["key"], row["Sci_key"]) == (-2.75, "LI15a", 1, None)
    assert row["Fe"] - 7.5 == row["Z"]


def test_one_row_of_each_star_is_preferred(jinabase: pa.Table) -> None:
    name = jinabase.column("Simbad_Identifier")
    first = name.filter(pc.equal(jinabase.column("key"), 1))
    assert pc.count_distinct(first).as_py() == len(first) == pc.count_distinct(name).as_py() == 1658


def test_jinabase_becomes_a_catalogue(shared: Path, tmp_path: Path) -> None:
    counts = build_external("jinabase", shared / JINABASE, tmp_path / "jinabase")
    assert (counts["rows"], counts["rows_set_aside"]) == (2731, {"missing coordinate": 4})


def test_references_of_jinabase(shared: Path) -> None:
    path = shared / "data/metal_poor/jinabase_ref.txt"
    aside: list[pa.Table] = []
    table = read_external("table", path, id="Abrevation", set_aside=aside)
    assert (table.num_rows, aside[0].num_rows) == (170, 0)
    names = dict(zip(*(table.column(name).to_pylist() for name in ("Abrevation", "Ref")), strict=True))
    assert names["LI15a"] == "Li_et_al.(2015a)"


def test_columns_that_are_right_justified(shared: Path) -> None:
    path = shared / "data/metal_poor/sakari18_merged.txt"
    table = read_external("table", path, id="Star", ra="RA", dec="DEC")
    first = table.slice(0, 1).to_pylist()[0]
    lines = path.read_text().splitlines()
    assert table.num_rows == sum(1 for line in lines[2:] if line.strip())
    assert (first["Star"], first["[Fe/H]"], first["Class"], first["BFlag"]) == (
        "J0007-0345",
        -2.09,
        "r-I",
        None,
    )
    place = SkyCoord("00h07m38.16s -03d45m50.4s")
    assert first["RA"] == pytest.approx(place.ra.deg, abs=1e-12)
    assert first["DEC"] == pytest.approx(place.dec.deg, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "star", "places"),
    [
        ("cemps_yoon_2016", "Name", ("RAJ2000", "DEJ2000")),
        ("cemps_placco_2010", "HE", ("RAJ2000", "DEJ2000")),
        ("carbon_alksnis_2001", "CGCS", ("RAJ2000", "DEJ2000")),
        ("carbon_christlieb_2001", "HE", ("RA2000", "DE2000")),
        ("carbon_christlieb_2001", "HE", ("_RA.icrs", "_DE.icrs")),
    ],
)
def test_sexagesimal_lists_of_vizier(shared: Path, name: str, star: str, places: tuple[str, str]) -> None:
    """VizieR's decimal columns are rounded to 0.36 arcsec, and Christlieb's of the ICRS to 1.5 (0.1 s)."""
    path = shared / f"data/metal_poor/cemp_xmatch_{name}.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    table = read_external("table", path, id=star, ra=places[0], dec=places[1])
    assert [str(one) for one in table.column(star).to_pylist()] == [row[star] for row in rows]
    ours = SkyCoord(*(table.column(one).to_numpy() for one in places), unit="deg")
    theirs = SkyCoord(*([float(row[one]) for row in rows] for one in ("_RAJ2000", "_DEJ2000")), unit="deg")
    assert ours.separation(theirs).arcsec.max() < 0.36 + 1.5


RULED = "Name   RA        Dec\n------ --------- -----\nA      1_0_0     -0_30\nB *    2.0       5\n"


def test_small_ruled_tables(tmp_path: Path) -> None:
    path = tmp_path / "list.txt.gz"
    head = "# a comment\n\n"
    path.write_bytes(gzip.compress((head + RULED.replace("\n", "\r\n")).encode()))
    aside: list[pa.Table] = []
    table = read_external("table", path, id="Name", ra="RA", dec="Dec", set_aside=aside)
    # Hours only where a position is sexagesimal; a star means "missing" in JINAbase alone.
    assert table.select(["Name", "RA", "Dec"]).to_pylist() == [
        {"Name": "A", "RA": 15.0, "Dec": -0.5}, {"Name": "B *", "RA": 2.0, "Dec": 5.0},
    ]  # fmt: skip
    assert aside[0].num_rows == 0


def test_a_value_that_would_be_cut_sets_its_row_aside(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(RULED + "\nTOOLONG3.0      7\nC      4.0       8\n\nD      5.0       9.1234\n")
    aside: list[pa.Table] = []
    table = read_external("table", path, id="Name", ra="RA", dec="Dec", set_aside=aside)
    assert table.column("Name").to_pylist() == ["A", "B *", "C"]
    first, last = aside[0].to_pylist()
    assert (first["row"], first["reason"]) == (6, "a value reaches beyond its column")
    assert first["text"] == "TOOLONG3.0      7"
    assert (last["row"], last["text"].split()[-1]) == (9, "9.1234")


def test_ruled_tables_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("A name B\n-- --\n1  2\n")
    with pytest.raises(InputError, match="a name reaches beyond its dashes") as fault:
        read_external("table", path, id="A")
    assert fault.value.row == 1
    path.write_text("A  B\n-- --\n")
    with pytest.raises(InputError, match="no rows"):
        read_external("table", path, id="A")
    path.write_text("A  B\n-- --\n1  2\n")
    with pytest.raises(InputError, match="no column star in the names above the line of dashes"):
        read_external("table", path, id="star")


def test_vizier_tables_with_dashes_are_no_ruled_ones(tmp_path: Path) -> None:
    """Under the names of VizieR are the units, and its dashes are parted by the delimiter."""
    path = tmp_path / "list.tsv"
    path.write_text("#\nName\tRA\n \tdeg\n----\t----\na\t1.5\n")
    assert read_external("table", path, id="Name").to_pylist() == [{"Name": "a", "RA": 1.5}]
    path.write_text("Name|RA\n----|----\na|1.5\n")
    assert read_external("table", path, id="Name").to_pylist() == [{"Name": "a", "RA": 1.5}]
