"""`lkmrs import light_curves`: what is printed, refused and written, and the table of targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner, Result

from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.cli import main
from lkmrs_dask.errors import InputError
from lkmrs_dask.pipeline.light_curve_import import read_targets


def lkmrs(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["import", "light_curves", *map(str, arguments)])


def quarter(folder: Path, kic: int, number: int, n: int = 40, *, placed: bool = True) -> Path:
    """A small file of Kepler."""
    flux = 1e4 + np.arange(n) + kic
    columns = [
        fits.Column("TIME", "D", unit="BJD - 2454833", array=100.0 * number + 0.02 * np.arange(n) + 200.0),
        fits.Column("SAP_FLUX", "E", unit="e-/s", array=flux),
        fits.Column("PDCSAP_FLUX", "E", unit="e-/s", array=flux + 1),
        fits.Column("SAP_QUALITY", "J", array=np.zeros(n)),
    ]
    first = fits.PrimaryHDU()
    first.header.update({"TELESCOP": "Kepler", "MISSION": "Kepler", "KEPLERID": kic, "QUARTER": number})
    if placed:
        first.header.update({"RA_OBJ": 280.0 + kic, "DEC_OBJ": 40.0})
    hdu = fits.BinTableHDU.from_columns(columns, name="LIGHTCURVE")
    hdu.header.update({"BJDREFI": 2454833, "TIMESYS": "TDB", "TIMEDEL": 0.0204336})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"kplr{kic:09d}-q{number:02d}_llc.fits"
    fits.HDUList([first, hdu]).writeto(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four stars with two quarters each."""
    for kic in range(1, 5):
        for number in (1, 2):
            quarter(tmp_path / "raw", kic, number)
    return tmp_path / "raw"


@pytest.mark.parametrize("where", [["--threads", "1"], ["--workers", "1"]])
def test_a_folder_becomes_a_catalogue(folder: Path, tmp_path: Path, where: list[str]) -> None:
    out = tmp_path / "new" / "curves"
    done = lkmrs(folder, "--out", out, "--flux", "raw", "--max-stars", "1", *where)
    assert done.exit_code == 0, done.output
    assert done.output.strip() == f"8 light curves of 4 stars, 320 points, 4 partitions: {out}"
    rows = open_catalog(out).to_arrow()
    assert len(rows) == 8
    assert set(rows.column("product").to_pylist()) == {"SAP_FLUX"}


def test_what_was_set_aside_is_counted_and_listed(folder: Path, tmp_path: Path) -> None:
    """A file that is there twice is no loss; one without a position and one that is no light curve are."""
    out = tmp_path / "curves"
    twin = tmp_path / "raw" / "copy_kplr000000001-q01_llc.fits"
    twin.write_bytes((folder / "kplr000000001-q01_llc.fits").read_bytes())
    done = lkmrs(folder, "--out", out)
    assert done.exit_code == 0, done.output
    assert "set aside: 1 x repeated light curve" in done.output
    quarter(folder, 9, 1, placed=False)
    (folder / "bad.fits").write_text("no FITS")
    done = lkmrs(folder, "--out", out, "--overwrite")
    assert done.exit_code == 1, done.output
    assert "8 light curves of 4 stars" in done.output
    assert f"listed in {tmp_path / 'curves.set_aside.csv'}" in done.output
    listed = (tmp_path / "curves.set_aside.csv").read_text()
    assert all(name in listed for name in ("bad.fits", "kplr000000009-q01", "kplr000000001-q01"))


def test_a_catalogue_is_replaced_only_if_that_is_said(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "curves"
    assert lkmrs(folder, "--out", out).exit_code == 0
    before = (out / "hats.properties").read_bytes()
    done = lkmrs(folder / "kplr000000001-q01_llc.fits", "--out", out)
    assert done.exit_code == 2
    assert "--overwrite" in done.output
    assert (out / "hats.properties").read_bytes() == before
    done = lkmrs(folder / "kplr000000001-q01_llc.fits", "--out", out, "--overwrite")
    assert done.exit_code == 0, done.output
    assert len(open_catalog(out).to_arrow()) == 1


def test_inputs_are_not_written_over(folder: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    for more in ([], ["--overwrite"]):
        done = lkmrs(folder, "--out", folder, *more)
        assert done.exit_code == 2, done.output
    targets = tmp_path / "curves.set_aside.csv"
    targets.write_text("mission,target_id,ra,dec\nKepler,1,10,20\n")
    done = lkmrs(folder, "--out", tmp_path / "curves", "--targets", targets)
    assert done.exit_code == 2, done.output
    assert "mission" in targets.read_text()
    assert sorted(path.name for path in folder.iterdir()) == before


def test_targets_place_and_name_stars(folder: Path, tmp_path: Path) -> None:
    quarter(folder, 9, 1, placed=False)
    table = tmp_path / "targets.csv"
    table.write_text("mission,target_id,ra,dec,star_id,mag\nKepler,9,10.5,-20.25,,12\nKepler,1,281,40,G1,9\n")
    out = tmp_path / "curves"
    done = lkmrs(folder, "--out", out, "--targets", table)
    assert done.exit_code == 0, done.output
    assert "9 light curves of 5 stars" in done.output
    rows = open_catalog(out).to_arrow()
    found = {
        row["star_id"]: (row["ra"], row["dec"]) for row in rows.drop_columns(["time", "flux"]).to_pylist()
    }
    assert found["KIC 9"] == (10.5, -20.25)
    assert found["G1"] == (281.0, 40.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["light_curves", "{raw}", "--ra", "x"], "--ra is an option of tables"),
        (["light_curves", "{raw}", "--columns", "a,b"], "--columns is an option of tables"),
        (["light_curves", "{raw}", "--id", "x"], "--id is an option of tables"),
        (["kic", "{raw}", "--max-stars", "3"], "--max-stars is an option of light_curves"),
        (["light_curves", "{raw}", "--max-stars", "0"], "max_stars=0"),
        (["light_curves", "{raw}", "--threads", "1", "--workers", "1"], "choose one of"),
        (["light_curves", "{raw}/none"], "there is no file or folder"),
        (["light_curves", "{raw}", "--flux", ""], "flux must be"),
    ],
)
def test_wrong_calls(folder: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    words = [word.format(raw=folder) for word in arguments]
    done = CliRunner().invoke(main, ["import", *words, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_no_light_curve_at_all(tmp_path: Path) -> None:
    (tmp_path / "bad.fits").write_text("no FITS")
    done = lkmrs(tmp_path / "bad.fits", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "no light curve can be used" in done.output
    assert not (tmp_path / "out").exists()


# Targets

EXPECTED: list[dict[str, Any]] = [
    {"mission": "Kepler", "target_id": 5023948, "ra": 290.5, "dec": 40.25, "star_id": "17"},
    {"mission": "TESS", "target_id": 67768222, "ra": None, "dec": None, "star_id": None},
]


def test_targets_of_any_format(tmp_path: Path) -> None:
    """Capitals, the order of columns and other columns do not matter; empty cells are null."""
    text = tmp_path / "a.csv"
    text.write_text(
        "Dec,RA,MISSION,name,target_id,star_id\n40.25,290.5,Kepler,x,5023948,17\n,,TESS,y,67768222,\n"
    )
    bars = tmp_path / "a.txt"
    bars.write_text(text.read_text().replace(",", "|"))
    parquet = tmp_path / "a.parquet"
    columns: dict[str, list] = {name: [row[name] for row in EXPECTED] for name in EXPECTED[0]}
    pq.write_table(pa.table(columns | {"star_id": [17, None]}), parquet)
    table = tmp_path / "a.fits"
    columns = {"ra": [290.5, np.nan], "dec": [40.25, np.nan], "star_id": ["17", ""]}
    Table(
        {"MISSION": ["Kepler", "TESS"], "TARGET_ID": np.array([5023948, 67768222], ">i4"), **columns}
    ).write(table)
    for path in (text, bars, parquet, table):
        found = read_targets(path).to_pylist()
        assert [row["target_id"] for row in found] == [5023948, 67768222]
        for row in found:
            row.update({name: None for name in ("ra", "dec") if row[name] != row[name]})
        assert found == EXPECTED, path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mission,ra,dec\nKepler,1,2\n", "no column target_id; it has mission, ra, dec"),
        ("mission,target_id,ra,dec\nKepler,KIC 1,1,2\n", "column target_id: it must hold whole numbers"),
        ("mission,target_id,ra,dec\nKepler,1,12:30:00,2\n", "column ra: it must hold numbers"),
        ("mission,target_id,ra,dec\nKepler,1,1,2,3\n", "row 2"),
        ("", "empty"),
    ],
)
def test_targets_that_cannot_be_read(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "targets.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_targets(path)
    with pytest.raises(InputError, match="no such file"):
        read_targets(tmp_path / "none.csv")


def test_real_files(shared: Path, tmp_path: Path) -> None:
    """Quarters of one binary and two stars of TESS."""
    places = [shared / "data" / name for name in ("lc_kepler_eb", "lc_tess_dsct")]
    done = lkmrs(*places, "--out", tmp_path / "curves")
    assert done.exit_code == 0, done.output
    assert "11 light curves of 3 stars" in done.output
