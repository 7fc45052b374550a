"""Damaged, foreign and odd files of external catalogues: messages with file, column and row."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from astropy.io import fits
from external_survey import write_files

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.external.source import open_source, read_external

HEADER = "OBJID,RADEG,DECDEG,MAG0,PRI\n"


def write(path: Path, text: str) -> Path:
    """Write a text file."""
    path.write_text(text)
    return path


def faults(aside: list[pa.Table]) -> list[tuple[int, str, str, str]]:
    """Row, column, reason and value of rows set aside."""
    return [(row["row"], row["column"], row["reason"], row["value"]) for row in aside[0].to_pylist()]


def test_rows_that_cannot_be_used_are_set_aside_with_their_reason(tmp_path: Path) -> None:
    path = write(
        tmp_path / "plate.csv",
        HEADER
        + "201121245,360.0,-6.0,11.5,1\n"
        + "201121246,176.8,91,11.5,1\n"
        + "201121247,,-6.0,11.5,1\n"
        + "201121248,176.8,nan,11.5,1\n"
        + "201121249,176.8,-6.0,bright,1\n"
        + "9223372036854775808,176.8,-6.0,11.5,1\n"
        + "2011.5,176.8,-6.0,11.5,1\n"
        + ",176.8,-6.0,11.5,1\n"
        + "201121250,176.8,-6.0,11.5\n"
        + "201121251,-1e-9,-6.0,11.5,1\n"
        + "201121252,0,90,,\n"
        + "201121252,0,-90,,\n",
    )
    aside: list[pa.Table] = []
    source = open_source("k2_targets", path)
    table = pa.concat_tables([chunk.table for chunk in source.read(path)])
    aside.append(pa.concat_tables([chunk.set_aside for chunk in source.read(path)]))
    assert faults(aside) == [
        (3, "DECDEG", "out of range", "91.0"),
        (4, "RADEG", "missing coordinate", None),
        (5, "DECDEG", "missing coordinate", None),
        (6, "MAG0", "not a number", "bright"),
        (7, "OBJID", "out of range", "9223372036854775808"),
        (8, "OBJID", "not a whole number", "2011.5"),
        (9, "OBJID", "missing value", None),
        (10, None, "wrong number of fields", None),
        (11, "RADEG", "out of range", "-1e-09"),
    ]
    assert aside[0]["text"].to_pylist()[0] == "201121246,176.8,91,11.5,1"
    # A turn is no turn; the same identifier twice is two rows.
    assert table.select(["OBJID", "RADEG", "DECDEG"]).to_pylist() == [
        {"OBJID": 201121245, "RADEG": 0.0, "DECDEG": -6.0},
        {"OBJID": 201121252, "RADEG": 0.0, "DECDEG": 90.0},
        {"OBJID": 201121252, "RADEG": 0.0, "DECDEG": -90.0},
    ]


def test_without_need_of_a_position_only_wrong_ones_are_set_aside(tmp_path: Path) -> None:
    path = write(tmp_path / "plate.csv", HEADER + "1,,,11.5,1\n2,10,91,11.5,1\n")
    with pytest.warns(UserWarning, match="1 out of range"):
        assert read_external("k2_targets", path)["OBJID"].to_pylist() == [1]


def test_a_sound_file_gives_no_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "plate.csv", HEADER + "1,2,3,11.5,1\n")
    assert len(read_external("k2_targets", path)) == 1


def test_a_missing_column(tmp_path: Path) -> None:
    path = write(tmp_path / "plate.csv", "OBJID,DECDEG,MAG0,PRI\n201121245,-6.0,11.5,1.0\n")
    with pytest.raises(
        InputError, match=r"column RADEG: no column RADEG in the header split at ','; names seen"
    ) as e:
        open_source("k2_targets", path)
    assert (e.value.file, e.value.column) == (str(path), "RADEG")


@pytest.mark.parametrize("kind", ["kic", "gaia", "simbad"])
def test_a_wrong_delimiter(tmp_path: Path, kind: str) -> None:
    folder = write_files(tmp_path, 0.001)
    name = {"kic": "kic.txt.gz", "gaia": "gaia.csv.gz", "simbad": "simbad.csv"}[kind]
    with pytest.raises(InputError, match="is the delimiter right"):
        open_source(kind, folder / name, delimiter=";")


def test_a_file_without_a_header_that_has_other_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "epic.txt", "224394907||||x\n")
    with pytest.raises(InputError, match=r"5 fields at '\|', and no header; epic without one has 67"):
        open_source("epic", path)


def test_headless_catalogues_with_a_header_are_read_by_it(tmp_path: Path) -> None:
    path = write(tmp_path / "tic.csv", "ID,ra,dec,Tmag,extra\n83778,290.3,41.2,13.1,5\n")
    assert read_external("tic", path).to_pylist() == [
        {"ID": 83778, "ra": 290.3, "dec": 41.2, "Tmag": 13.1, "extra": 5}
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "all its lines are blank"),
        (b"# only\n# comments\n", "blank or comments"),
        (HEADER.encode(), "no rows"),
        (gzip.compress(HEADER.encode() + b"201121245,1.0,2.0,3.0,1.0\n" * 9000, mtime=0)[:-600], "truncated"),
        (gzip.compress(b"", mtime=0), "the gzip file is empty"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "plate.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_external("k2_targets", path)
    assert caught.value.file == str(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_source("kic", tmp_path / "kic.txt.gz")


def test_a_fits_file_without_a_table(tmp_path: Path) -> None:
    path = tmp_path / "allStar.fits"
    fits.PrimaryHDU().writeto(path)
    with pytest.raises(InputError, match="no binary table"):
        open_source("apogee", path)
    path = write(tmp_path / "allStar2.fits", "APOGEE_ID,RA,DEC\n")
    with pytest.raises(InputError, match="not a FITS file"):
        open_source("apogee", path)
