"""Text as people lay it out: VizieR, ECSV, '#' headers, machine-readable tables; and columns nobody named."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from astropy.coordinates import Angle
from astropy.io import ascii as astropy_ascii
from hypothesis import given
from hypothesis import strategies as st

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.external.infer import Guess, dtype_of
from lkmrs_dask.readers.external.source import open_source, read_external
from lkmrs_dask.readers.sexagesimal import sexagesimal_to_degrees


def write(path: Path, text: str) -> Path:
    """Write a text file, gzipped where its name says so."""
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


VIZIER = """\
#
#   VizieR Astronomical Server vizier.cds.unistra.fr
#Column\tKIC\t(I8)\tKepler Input Catalog ID\t[ucd=meta.id]

KIC\tProt\tName\t_RA\t_DE
 \td\t \tdeg\tdeg
--------\t------\t-----\t---------\t---------
 1027110\t 4.50\ta\t291.28904\t+36.74997
 1027337\t     \tb\t291.33421\t-36.78661

"""


def test_vizier(tmp_path: Path) -> None:
    for name in ("list.tsv", "list.tsv.gz"):
        table = read_external("table", write(tmp_path / name, VIZIER), id="KIC", ra="_RA", dec="_DE")
        assert sorted(table.column_names) == ["KIC", "Name", "Prot", "_DE", "_RA"]
        assert table.select(["KIC", "Prot", "Name", "_RA", "_DE"]).to_pylist() == [
            {"KIC": 1027110, "Prot": 4.5, "Name": "a", "_RA": 291.28904, "_DE": 36.74997},
            {"KIC": 1027337, "Prot": None, "Name": "b", "_RA": 291.33421, "_DE": -36.78661},
        ]
        assert table.schema.field("Prot").metadata[b"unit"] == b"d"


def test_vizier_of_today(shared: Path) -> None:
    path = shared / "data/gaia_kepler/Santos_2019_K_M_Prot.tsv"
    table = read_external("table", path, id="KIC")
    expected = [line.split(";") if ";" in line else line.split("\t") for line in path.read_text().split("\n")]
    rows = [row for row in expected if row[0].strip().isdigit()]
    assert table["KIC"].to_pylist() == [int(row[0]) for row in rows]
    assert len(rows) > 10_000


def test_an_ecsv_preamble_as_gaias_bulk_files_have_it(tmp_path: Path) -> None:
    preamble = "# %ECSV 1.0\n# ---\n" + "# - {name: source_id, description: 'long, with commas'}\n" * 3000
    rows = 'source_id,ra,dec,parallax,duplicated_source\n4071625633699805568,1.5,-2,null,"False"\n'
    path = write(tmp_path / "GaiaSource_000000-003111.csv.gz", preamble + rows)
    assert len(preamble) > 1 << 17
    found = read_external("gaia", path).to_pylist()
    assert found == [
        {
            "source_id": 4071625633699805568,
            "ra": 1.5,
            "dec": -2.0,
            "parallax": None,
            "duplicated_source": False,
        }
    ]


def test_names_behind_a_hash(tmp_path: Path, shared: Path) -> None:
    path = write(
        tmp_path / "list.txt", "# EPIC|Teff|prov\n 210302627 | 6725 | rpm\n 210303168 | 6301 | rpm\n"
    )
    assert read_external("table", path).to_pylist() == [
        {"EPIC": 210302627, "Teff": 6725, "prov": "rpm"},
        {"EPIC": 210303168, "Teff": 6301, "prov": "rpm"},
    ]
    assert len(read_external("table", shared / "data/k2_catalogs/k2c4_stparas.txt", id="EPIC")) == 15_083


def test_a_header_with_units_and_dashes_behind_hashes(shared: Path) -> None:
    path = shared / "data/apogee_galah_seismo/Pinsonneault2014.tsv"
    source = open_source("table", path, id="KIC", ra="_RA", dec="_DE")
    table = pa.concat_tables([chunk.table for chunk in source.read(path)])
    assert len(table) == 1989
    assert table.slice(0, 1).select(["KIC", "Teffc", "_DE"]).to_pylist() == [
        {"KIC": 10907196, "Teffc": 4969, "_DE": pytest.approx(48.38, abs=0.1)}
    ]
    # Two names that differ in case alone are two columns: the upper and the lower error.
    assert {"E_M1", "e_M1"} <= set(table.column_names)


MRT = """\
Title: A table
Authors: N.N.
Table: One
================================================================================
Byte-by-byte Description of file: t1_mrt.txt
--------------------------------------------------------------------------------
   Bytes Format Units   Label    Explanations
--------------------------------------------------------------------------------
   1-  8 I8     ---     KIC      Identifier
  10- 15 F6.3   d       Prot     ? Rotation period (1)
      17 A1     ---     Flag     [AB] A flag
  19- 37 I19    ---     GaiaDR2  Gaia DR2 identifier
--------------------------------------------------------------------------------
Note (1): with a second line,
    which is not a column.
--------------------------------------------------------------------------------
  757099  0.367 A 2050233601176543232
  892713        B 2050232256840088833
 1234567 xx.xxx A 2050232256840088834
"""


def test_machine_readable_tables(tmp_path: Path) -> None:
    aside: list[pa.Table] = []
    path = write(tmp_path / "t1_mrt.txt", MRT)
    table = read_external("table", path, id="KIC", set_aside=aside)
    assert table.to_pylist()[:2] == [
        {"KIC": 757099, "Prot": "0.367", "Flag": "A", "GaiaDR2": 2050233601176543232},
        {"KIC": 892713, "Prot": None, "Flag": "B", "GaiaDR2": 2050232256840088833},
    ]  # one cell that is no number makes a column that nobody named one of text: nothing is lost
    assert aside[0].num_rows == 0
    assert table.schema.field("Prot").metadata == {b"unit": b"d", b"description": b"Rotation period (1)"}


@pytest.mark.parametrize(
    ("name", "n_rows"), [("Mathur2023_apjacd118t3_mrt.txt", 40_668), ("mcquillan2014_t1_mrt.txt", 34_030)]
)
def test_machine_readable_tables_against_astropys_reading(shared: Path, name: str, n_rows: int) -> None:
    path = shared / "data/gaia_kepler" / name
    table = read_external("table", path)
    assert len(table) == n_rows
    head, rows = path.read_text().rsplit("-" * 80 + "\n", 1)
    few = rows.splitlines()[:300]  # astropy takes its time
    expected = astropy_ascii.read(
        [*head.splitlines(), "-" * 80, *few], format="mrt", fill_values=[("---", "0")]
    )
    assert table.column_names == expected.colnames
    for column in expected.colnames:
        values = [None if value is np.ma.masked else value.item() for value in expected[column]]
        found = table[column].to_pylist()[: len(few)]
        assert [None if v == "---" else v for v in found] == values, column


def test_every_identifier_of_a_machine_readable_table(shared: Path) -> None:
    path = shared / "data/gaia_kepler/Lu_2021_ajabe4d6t1_mrt.txt"
    rows = [line for line in path.read_text().splitlines() if line[:8].strip().isdigit()]
    table = read_external("table", path, id="kepid", ra="RAdeg", dec="DEdeg")
    assert len(table) == 29_949
    assert table["kepid"].to_pylist() == [int(row[:8]) for row in rows]
    assert table["GaiaDR2"].to_pylist() == [int(row[22:41]) for row in rows]
    assert table["DEdeg"].to_pylist() == [float(row[56:62]) for row in rows]
    errors = [float(row[78:84]) if row[78:84].strip() else None for row in rows]
    assert table["e_allvz"].to_pylist() == errors
    assert None in errors


def test_a_table_of_the_cds_with_its_readme_beside(tmp_path: Path) -> None:
    (tmp_path / "ReadMe").write_text(
        "B/vsx   AAVSO International Variable Star Index VSX\n\n"
        "Byte-by-byte Description of file: vsx.dat\n" + "-" * 80 + "\n"
        "   Bytes Format Units   Label   Explanations\n" + "-" * 80 + "\n"
        "   1-  8  I8    ---     OID     Internal identifier\n"
        "  10- 20  A11   ---     Name    Variable star identifier\n"
        "  22- 30  F9.5  deg     RAdeg   Right ascension (J2000)\n"
        "  32- 40  F9.5  deg     DEdeg   Declination (J2000)\n"
        "  42- 50  F9.5  d       Period  ? Period\n" + "-" * 80 + "\n"
        "Byte-by-byte Description of file: refs.dat\n   1-  8  I8    ---     Other   Something\n"
    )
    path = tmp_path / "vsx.dat"
    path.write_text(
        "       1 AA And      346.27392  47.67647   0.93509\n       2 AB And      347.8      -36.89300\n"
    )
    assert read_external("vsx", path).to_pylist() == [
        {"OID": 1, "Name": "AA And", "RAJ2000": 346.27392, "DEJ2000": 47.67647, "Period": 0.93509},
        {"OID": 2, "Name": "AB And", "RAJ2000": 347.8, "DEJ2000": -36.893, "Period": None},
    ]


# Sexagesimal


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        ("12 34 56.7", "-05 30 12"),
        ("12:34:56.7", "-05:30:12.0"),
        ("12h34m56.7s", "-05d30m12s"),
        ("12_34_56.7", "-5_30_12"),
        ("12 34 56.70", "-05 30 12."),
    ],
)
def test_sexagesimal_coordinates(tmp_path: Path, ra: str, dec: str) -> None:
    path = write(tmp_path / "simbad.csv", f'MAIN_ID,RA,DEC\n"* a",{ra},{dec}\n"* b",188.5,+5.25\n')
    first, second = read_external("simbad", path).to_pylist()
    # Within a millionth of an arcsec: rounding of three sums.
    assert first["ra"] == pytest.approx(Angle("12h34m56.7s").deg, abs=3e-10)
    assert first["dec"] == pytest.approx(Angle("-5d30m12s").deg, abs=3e-10)
    assert second == {"main_id": "* b", "ra": 188.5, "dec": 5.25}


@given(
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 59_999),
    st.integers(-89, 89),
    st.sampled_from(" :"),
)
def test_sexagesimal_text_against_astropy(h: int, m: int, s: int, d: int, mark: str) -> None:
    seconds = f"{s // 1000:02d}.{s % 1000:03d}"
    hours = f"{h:02d}{mark}{m:02d}{mark}{seconds}"
    degrees = f"{'-' if d < 0 else '+'}{abs(d):02d}{mark}{m:02d}{mark}{seconds}"
    found = sexagesimal_to_degrees(pa.array([hours]), hours=True)[0].as_py()
    assert float(found) == pytest.approx(Angle(hours, unit="hourangle").deg, rel=1e-14, abs=1e-14)
    found = sexagesimal_to_degrees(pa.array([degrees]), hours=False)[0].as_py()
    assert float(found) == pytest.approx(Angle(degrees, unit="deg").deg, rel=1e-14, abs=1e-14)


def test_what_is_not_sexagesimal_stays() -> None:
    texts = ["1.5", "", "-0 30 00", "12 61 00", "12 30", "abc", "1 2 3 4", None, "2021-01-01"]
    found = sexagesimal_to_degrees(pa.array(texts), hours=False).to_pylist()
    assert found == ["1.5", "", "-0.5", "12 61 00", "12.5", "abc", "1 2 3 4", None, "2021-01-01"]


# Columns that no definition names


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["1", "-2", ""], "int64"),
        (["9223372036854775807", "-9223372036854775808"], "int64"),
        (["9223372036854775808"], "string"),  # beyond int64: exact as text
        (["007", "8"], "string"),  # a name that happens to have digits
        (["0", "-0.5", "1e5", ".5", "nan"], "float64"),
        (["4071625633699805568", "0.5"], "string"),  # a float would round the first
        (["123456789012345", "0.5"], "float64"),
        (["true", "False", "null"], "bool"),
        (["0", "1"], "int64"),
        (["T", "F"], "string"),
        (["", "null", "NaN"], "string"),
        (["1", "x"], "string"),
        (["1.0", "2"], "float64"),
    ],
)
def test_guessed_types(cells: list[str], dtype: str) -> None:
    for pieces in ([cells], [[cell] for cell in cells], [[cell] for cell in reversed(cells)], [cells, []]):
        guess = Guess()
        for piece in pieces:
            guess.look(pa.array([cell.encode() for cell in piece], pa.binary()))
        assert guess.dtype == dtype


def test_types_of_other_formats() -> None:
    kinds = {
        pa.int8(): "int16", pa.uint8(): "int16", pa.int16(): "int16", pa.uint16(): "int32",
        pa.int32(): "int32",
        pa.uint32(): "int64", pa.int64(): "int64", pa.uint64(): "int64", pa.float16(): "float32",
        pa.float32(): "float32", pa.float64(): "float64", pa.bool_(): "bool", pa.date32(): "date",
        pa.timestamp("s"): "string", pa.decimal128(5, 2): "float64", pa.string(): None,
        pa.dictionary(pa.int32(), pa.int64()): "int64", pa.null(): "string",
    }  # fmt: skip
    assert {kind: dtype_of(kind) for kind in kinds} == kinds


def test_types_hold_for_all_files_and_blocks(tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", "id,ra,dec,x,y\n1,1,1,5,0001\n2,2,2,6,2\n")
    two = write(tmp_path / "b.csv", "id,ra,dec,x,z\n3,3,3,0.5,true\n")
    for files in ([one, two], [two, one]):
        for block_bytes in (1, 1 << 20):
            source = open_source("table", files, id="id", ra="ra", dec="dec", block_bytes=block_bytes)
            rows = [row for file in files for chunk in source.read(file) for row in chunk.table.to_pylist()]
            assert sorted(rows, key=lambda row: row["id"]) == [
                {"id": 1, "ra": 1.0, "dec": 1.0, "x": 5.0, "y": "0001", "z": None},
                {"id": 2, "ra": 2.0, "dec": 2.0, "x": 6.0, "y": "2", "z": None},
                {"id": 3, "ra": 3.0, "dec": 3.0, "x": 0.5, "y": None, "z": True},
            ]


def test_odd_headers(tmp_path: Path, shared: Path) -> None:
    path = write(tmp_path / "a.csv", ",id,x,x,\n0,1,2,3,\n")
    assert read_external("table", path, id="id").to_pylist() == [{"id": 1, "x": 2}]
    assert open_source("table", path, id="id", positions=False).left_out == (
        "column 1 (no name)", "column 5 (no name)", "x (again)",
    )  # fmt: skip
    with pytest.raises(InputError, match=r"kepid.*more than once"):
        read_external("table", shared / "data/apogee_galah_seismo/apokasc-tgas.csv", id="kepid")


def test_identifiers_that_went_through_a_float(tmp_path: Path, shared: Path) -> None:
    path = write(tmp_path / "a.csv", "id,x\n12.0,1\n13.0,2\n13.5,3\n")
    aside: list[pa.Table] = []
    assert read_external("table", path, id="id", set_aside=aside)["id"].to_pylist() == [12, 13]
    assert aside[0]["reason"].to_pylist() == ["not a whole number"]
    with pytest.raises(InputError, match="rounded"):
        read_external("table", shared / "data/gaia_kepler/astero_gaia.csv", id="source_id_vansaders")


@pytest.mark.parametrize("text", ["2.0999854028153687e+18", "2.0999854028153687E18", "2e15"])
def test_long_integers_with_an_exponent_are_refused_anywhere(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "tic.csv", f"ID,ra,dec,GAIA\n1,2,3,4071625633699805568\n5,2,3,{text}\n")
    with pytest.raises(InputError, match=r"column GAIA, row 3: .* last digits are lost"):
        read_external("tic", path)


def test_short_integers_may_have_one(tmp_path: Path) -> None:
    path = write(tmp_path / "tic.csv", "ID,ra,dec,GAIA\n1e3,2,3,\n")
    assert read_external("tic", path)["ID"].to_pylist() == [1000]


def test_own_sentinels_and_epoch(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,ra,dec,feh\n1,2,3,-99.0\n2,2,3,-0.5\n")
    source = open_source("table", path, id="id", ra="ra", dec="dec", sentinels=[-99], epoch=1991.25)
    assert source.epoch() == 1991.25
    assert next(source.read(path)).table["feh"].to_pylist() == [None, -0.5]


def test_wrong_calls(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,ra,dec\n1,2,3\n")
    with pytest.raises(UsageError, match="must be named for a table"):
        open_source("table", path)
    with pytest.raises(UsageError, match="given together"):
        open_source("table", path, ra="ra")
    with pytest.raises(UsageError, match="no file"):
        open_source("kic", [])
    with pytest.raises(UsageError, match="one character"):
        open_source("kic", path, delimiter="||")
