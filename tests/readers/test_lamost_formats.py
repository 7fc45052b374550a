"""LAMOST's tables in every format, and real ones."""

from __future__ import annotations

import csv
import datetime
import gzip
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from table_rows import SPEED_OF_LIGHT, plain, read_all, source_of, write_csv

from lkmrs_dask.schema import MEASUREMENTS

FORMATS = ("t.csv", "bar.csv.gz", "t.fits", "t.fits.gz", "t.parquet")
COLUMNS = (
    "uid",
    "gaia_source_id",
    "ra",
    "dec",
    "obsdate",
    "lmjd",
    "planid",
    "spid",
    "coadd",
    "snr",
    "teff_lasp",
)


def write_formats(folder: Path, rows: list[tuple]) -> None:
    """Write the same rows in every format."""
    write_csv(folder / "t.csv", COLUMNS, rows)
    write_csv(folder / "bar.csv.gz", COLUMNS, rows, "|")
    by_name = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    pq.write_table(
        pa.table({name: pa.array(values) for name, values in by_name.items()}), folder / "t.parquet"
    )

    def column(name: str, kind: str, missing: object, **more: object) -> fits.Column:
        values = [missing if value is None else value for value in by_name[name]]
        return fits.Column(name, kind, array=np.array(values), **more)

    nan = math.nan
    fits.BinTableHDU.from_columns(
        [
            column("uid", "8A", ""),
            column("gaia_source_id", "K", -9999),
            column("ra", "D", nan),
            column("dec", "D", nan),
            fits.Column(
                "obsdate", "10A", array=["" if d is None else d.isoformat() for d in by_name["obsdate"]]
            ),
            column("lmjd", "J", -1, null=-1),
            column("planid", "8A", "null"),
            column("spid", "B", 255, null=255),
            column("coadd", "L", None),
            column("snr", "D", nan),
            column("teff_lasp", "E", nan),
        ]
    ).writeto(folder / "t.fits", overwrite=True)
    (folder / "t.fits.gz").write_bytes(gzip.compress((folder / "t.fits").read_bytes()))


texts = st.text(st.sampled_from("ABCxyz019_-+ .#"), min_size=1, max_size=8).map(str.strip).filter(bool)
cells = {
    "uid": st.none() | texts,
    "gaia_source_id": st.none() | st.integers(0, 2**63 - 1),
    "ra": st.floats(0, 360, exclude_max=True),
    "dec": st.floats(-90, 90),
    "obsdate": st.none() | st.dates(datetime.date(1990, 1, 1), datetime.date(2030, 1, 1)),
    "lmjd": st.none() | st.integers(40000, 70000),
    "planid": st.none() | texts,
    "spid": st.none() | st.integers(1, 16),
    "coadd": st.booleans(),  # FITS has no null among truth values that astropy would write
    "snr": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "teff_lasp": st.none() | st.floats(3000, 9000, width=32),
}


@given(st.lists(st.tuples(*cells.values()), min_size=1, max_size=12), st.sampled_from([1, 100, 1 << 20]))
@settings(max_examples=20, deadline=None)
def test_the_same_rows_from_every_format(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple], block_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("formats")
    write_formats(folder, rows)
    names = ["uid", "gaia_source_id", "ra_input", "dec_input", *COLUMNS[4:-1], "teff"]
    expected = []
    for row in rows:
        given_row = dict(zip(names, row, strict=True))
        # Texts that mean "missing" in any release stand for themselves in no column.
        for name in ("uid", "planid"):
            whole, _, decimals = (given_row[name] or "").partition(".")
            if whole in ("-9999", "-999") and not decimals.strip("0"):
                given_row[name] = None
        if given_row["snr"] in (-9999.0, -999.0):
            given_row["snr"] = None
        expected.append(given_row)
    for name in FORMATS:
        table, aside = read_all(folder / name, MEASUREMENTS, block_bytes=block_bytes)
        assert aside.num_rows == 0
        assert plain(table) == expected, name


def test_row_numbers_of_every_format(tmp_path: Path) -> None:
    good = ("G1", 5, 1.0, 2.0, datetime.date(2020, 1, 1), 58000, "P", 3, True, 4.0, 5000.0)
    bad = (*good[:2], 400.0, *good[3:])
    write_formats(tmp_path, [good] * 5 + [bad] + [good] * 3 + [bad])
    for name in FORMATS:
        table, aside = read_all(tmp_path / name, MEASUREMENTS, block_bytes=200)
        assert table.num_rows == 8
        assert aside["row"].to_pylist() == ([7, 11] if "csv" in name else [6, 10])
        assert [float(value) for value in aside["value"].to_pylist()] == [400.0, 400.0]
        assert set(aside["reason"].to_pylist()) == {"out of range"}
        assert all("G1" in text and "400" in text for text in aside["text"].to_pylist())


# --- real tables ------------------------------------------------------------------------------------


def close(value: float | None, text: str, factor: float = 1.0) -> bool:
    """Compare a value with its text in the file, exactly."""
    number = float(text) if text else math.nan
    return value is None if math.isnan(number) or number in (-9999.0, -999.0) else value == number * factor


def test_real_table_with_redshifts(shared: Path) -> None:
    path = shared / "data/lamost_lrs_catalog/AFG_merged_params.csv"
    columns = {"rv": {"from": "z", "scale": SPEED_OF_LIGHT}}
    table, aside = read_all(
        path, MEASUREMENTS, columns=columns, constants={"coadd": True}, block_bytes=50_000
    )
    assert (table.num_rows, aside.num_rows) == (3000, 0)
    with path.open() as lines:
        for raw, row in zip(csv.DictReader(lines), table.to_pylist(), strict=True):
            assert row["obsid"] == int(raw["obsid"])
            assert (row["ra_input"], row["dec_input"]) == (float(raw["ra"]), float(raw["dec"]))
            assert all(close(row[name], raw[name]) for name in ("teff", "logg", "feh"))
            assert close(row["snr"], raw["snrg"])
            assert close(row["rv"], raw["z"], SPEED_OF_LIGHT)
            assert row["coadd"] is True
    assert source_of(path, MEASUREMENTS).report(path)["unknown"] == ["class", "subclass", "z"]


def test_real_table_with_errors_and_integers_as_floats(shared: Path) -> None:
    path = shared / "data/lamost_lrs_catalog/learninglamost_my_data3.csv"
    table, aside = read_all(path, MEASUREMENTS, block_bytes=100_000)
    assert (table.num_rows, aside.num_rows) == (3165, 0)
    names = [f"{name}{end}" for name in ("rv", "teff", "logg", "feh") for end in ("", "_err")]
    with path.open() as lines:
        for raw, row in zip(csv.DictReader(lines), table.to_pylist(), strict=True):
            assert raw["lmjd"].endswith(".0")
            assert row["lmjd"] == int(raw["lmjd"][:-2])
            assert (row["spid"], row["fiberid"]) == (int(raw["spid"][:-2]), int(raw["fiberid"][:-2]))
            assert row["obsdate"] == datetime.date.fromisoformat(raw["obsdate"])
            assert (row["designation"], row["planid"]) == (raw["designation"], raw["planid"])
            assert all(close(row[name], raw[name]) for name in names)
            assert close(row["snr"], raw["snrg"])


def test_real_gaia_identifiers_are_exact(shared: Path) -> None:
    path = shared / "data/lamost_lrs_catalog/gaia_lamost_chemo_kinematic_features.csv"
    table, _ = read_all(path, MEASUREMENTS, columns={"ra_input": "ra_lamost", "dec_input": "dec_lamost"})
    with path.open() as lines:
        expected = [int(raw["gaia_source_id"]) for raw in csv.DictReader(lines)]
    assert table["gaia_source_id"].to_pylist() == expected
    assert max(expected) > 2**53
