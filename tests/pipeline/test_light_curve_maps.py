"""Periodograms and frequencies over the partitions of a catalogue: those of each star alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.io import fits
from numpy.typing import NDArray

import lkmrs_dask as lk
from lkmrs_dask.catalog.light_curve_build import build_light_curves
from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability import find_frequencies, periodogram
from lkmrs_dask.variability.frequency_table import FREQUENCIES
from lkmrs_dask.variability.periodogram_table import PERIODOGRAMS
from lkmrs_dask.variability.star_curves import CurveColumns

Floats = NDArray[np.float64]
TIME: Floats = np.arange(1200, dtype=np.float64) * 0.0204336


def kepler(folder: Path, kic: int, quarter: int, time: Floats, flux: Floats, dec: float = 40.0) -> Path:
    """A file of Kepler."""
    columns = [
        fits.Column("TIME", "D", unit="BJD - 2454833", array=time),
        fits.Column("SAP_FLUX", "E", unit="e-/s", array=flux),
        fits.Column("PDCSAP_FLUX", "E", unit="e-/s", array=flux),
        fits.Column("PDCSAP_FLUX_ERR", "E", unit="e-/s", array=np.full(len(time), 3.0)),
        fits.Column("SAP_QUALITY", "J", array=np.zeros(len(time), np.int32)),
    ]
    first = fits.PrimaryHDU()
    first.header.update({"TELESCOP": "Kepler", "MISSION": "Kepler", "KEPLERID": kic, "QUARTER": quarter})
    first.header.update({"RA_OBJ": (359.7 + 0.05 * (kic % 97)) % 360.0, "DEC_OBJ": dec})
    hdu = fits.BinTableHDU.from_columns(columns, name="LIGHTCURVE")
    hdu.header.update({"BJDREFI": 2454833, "TIMESYS": "TDB", "TIMEDEL": 0.0204336})
    path = folder / f"kplr{kic:09d}-q{quarter:02d}_llc.fits"
    fits.HDUList([first, hdu]).writeto(path)
    return path


def varying(kic: int, quarter: int) -> tuple[Floats, Floats]:
    """Two sinusoids in noise; the flux of a quarter has a level of its own."""
    random = np.random.default_rng([kic, quarter])
    time: Floats = 200.0 + 95.0 * quarter + TIME
    wave = 4e-3 * np.sin(2 * np.pi * (0.9 + 0.01 * (kic % 97)) * time)
    wave += 2e-3 * np.cos(2 * np.pi * 7.3 * time)
    flux: Floats = 1e4 * (1 + 0.1 * quarter) * (1.0 + wave + 2e-4 * random.standard_normal(len(time)))
    return time, flux


BAD = {901: "constant", 902: "few points", 903: "unsorted and double", 904: "one-point quarter"}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine good stars of two quarters, across RA 0 and to the pole, and four in which something is bad."""
    folder = tmp_path_factory.mktemp("curves")
    files = [
        kepler(folder, kic, quarter, *varying(kic, quarter), dec=90.0 if kic == 108 else 40.0)
        for kic in range(100, 109)
        for quarter in (1, 2)
    ]
    time, flux = varying(900, 1)
    files.append(kepler(folder, 901, 1, time, np.full(len(time), 5e3)))
    files.append(kepler(folder, 902, 1, time[:7], flux[:7]))
    mixed = np.random.default_rng(1).permutation(np.r_[np.arange(len(time)), np.arange(50)])
    files.append(kepler(folder, 903, 1, time[mixed], flux[mixed]))
    files.append(kepler(folder, 904, 1, time, flux))
    files.append(kepler(folder, 904, 2, time[:1] + 95.0, flux[:1]))
    out = folder / "catalog"
    build_light_curves(files, out, max_stars=4)
    return out


def by_star(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["star_id"]: row for row in table.to_pylist()}


def joined(kic: int) -> tuple[Floats, Floats]:
    """Both quarters, each over its median, as a plain program would join them (stored as float32)."""
    parts = [varying(kic, quarter) for quarter in (1, 2)]
    flux = [np.float32(one).astype(float) for _, one in parts]
    return np.concatenate([t for t, _ in parts]), np.concatenate([f / np.median(f) for f in flux])


def test_frequencies_are_those_of_each_star_alone(catalog: Path) -> None:
    found = lk.frequencies(lk.open_catalog(catalog), max_frequencies=10)
    assert found.schema.names == FREQUENCIES.names
    rows = by_star(found.to_arrow())
    assert len(rows) == 13
    for kic in range(100, 109):
        alone = find_frequencies(*joined(kic), max_frequencies=10, mission="kepler")
        row = rows[f"KIC {kic}"]
        assert row["problem"] is None
        assert row["n_segments"] == 2
        # The zero of times goes into the catalogue's: 2454833 d cost 5e-10 d of their digits.
        np.testing.assert_allclose(row["frequency"], alone.frequency, rtol=1e-7)
        np.testing.assert_allclose(row["amplitude"], alone.amplitude, rtol=1e-5)
        np.testing.assert_allclose(row["snr"], alone.snr, rtol=1e-4)
        assert row["harmonic_of"] == alone.harmonic_of.tolist()
        assert row["combination_of"] == alone.combination_of.ravel().tolist()
        assert row["frequency"][0] == pytest.approx(0.9 + 0.01 * (kic % 97), abs=5e-4)
        assert row["frequency"][1] == pytest.approx(7.3, abs=5e-4)


def test_what_is_bad_is_told_and_costs_no_other(catalog: Path) -> None:
    rows = by_star(lk.frequencies(lk.open_catalog(catalog), max_frequencies=4).to_arrow())
    assert "nothing varies" in rows["KIC 901"]["problem"]
    assert "7 of 7 points are left, fewer than 10" in rows["KIC 902"]["problem"]
    assert rows["KIC 902"]["n_frequencies"] is None
    # Doubles are dropped and times sorted: the same frequencies as without.
    assert rows["KIC 903"]["problem"] is None
    assert rows["KIC 904"]["problem"] is None
    assert (rows["KIC 904"]["n_segments"], rows["KIC 904"]["n_left_out"]) == (1, 1)
    np.testing.assert_allclose(rows["KIC 903"]["frequency"][:2], rows["KIC 904"]["frequency"][:2], rtol=1e-7)


def test_periodograms_are_those_of_each_star_alone(catalog: Path) -> None:
    found = lk.periodograms(lk.open_catalog(catalog), f_min=0.2, f_max=12.0, oversampling=5.0)
    assert found.schema.names == PERIODOGRAMS.names
    rows = by_star(found.to_arrow())
    for kic in (100, 108):
        alone = periodogram(*joined(kic), f_min=0.2, f_max=12.0, oversampling=5.0)
        row = rows[f"KIC {kic}"]
        np.testing.assert_allclose(row["f_first"] + row["f_step"] * np.arange(len(alone.frequency)),
                                   alone.frequency, rtol=1e-7)  # fmt: skip
        # float32 keeps 6e-8 of a value; the rest is times of fewer digits, see above.
        np.testing.assert_allclose(row["amplitude"], alone.amplitude, atol=1e-5 * alone.amplitude.max())
        assert row["peak_frequency"] == pytest.approx(0.9 + 0.01 * (kic % 97), abs=0.01)
        assert row["peak_amplitude"] == pytest.approx(4e-3, rel=0.05)
        assert row["peak_snr"] > 20
    assert "nothing varies" in rows["KIC 901"]["problem"]
    assert rows["KIC 901"]["amplitude"] is None


def test_without_spectra_only_peaks_are_kept(catalog: Path) -> None:
    whole = by_star(lk.periodograms(lk.open_catalog(catalog), f_max=12.0).to_arrow())
    peaks = by_star(lk.periodograms(lk.open_catalog(catalog), f_max=12.0, spectrum=False).to_arrow())
    for star, row in peaks.items():
        assert row["amplitude"] is None
        assert {k: v for k, v in row.items() if k != "amplitude"} == {
            k: v for k, v in whole[star].items() if k != "amplitude"
        }


def test_partitions_do_not_matter(catalog: Path, tmp_path: Path) -> None:
    """The same rows from one partition, from many, and through a Dask data frame."""
    source = lk.open_catalog(catalog)
    assert len(source.pixels) > 3
    many = lk.frequencies(source, max_frequencies=3)
    table = source.to_arrow()
    frame = source.compute().reset_index(drop=True)
    one = lk.from_dataframe(frame)
    assert len(one.pixels) < len(source.pixels)
    alike = by_star(lk.frequencies(one, max_frequencies=3).to_arrow())
    wanted = by_star(many.to_arrow())
    assert alike == wanted
    assert len(table) == 23
    computed = many.ddf.compute()
    assert isinstance(computed, pd.DataFrame)
    assert computed["star_id"].tolist() == many.to_arrow().column("star_id").to_pylist()
    many.write(tmp_path / "frequencies")
    assert by_star(lk.open_catalog(tmp_path / "frequencies").to_arrow()) == wanted


def test_nested_catalogues_of_others() -> None:
    """A row a star with lists or structures of lists, under any names, without units."""
    stars = [100, 101, 102]
    rows = {kic: varying(kic, 1) for kic in stars}
    lists = pa.list_(pa.float64())
    kind = pa.struct([("mjd", lists), ("mag", lists)])
    curves = [{"mjd": t.tolist(), "mag": (-1e-4 * flux).tolist()} for t, flux in rows.values()]
    frame = pd.DataFrame(
        {
            "object": stars,
            "RA": [10.0, 10.5, 359.9],
            "DEC": [-5.0, 0.0, 12.0],
            "lc": pd.Series(curves, dtype=pd.ArrowDtype(kind)),
        }
    )
    catalog = lk.from_dataframe(frame, ra="RA", dec="DEC")
    columns = CurveColumns(star="object", time="lc.mjd", flux="lc.mag")
    found = lk.frequencies(catalog, max_frequencies=2, columns=columns).to_arrow()
    assert found.column_names[:4] == ["_healpix_29", "star_id", "RA", "DEC"]
    assert sorted(found.column("RA").to_pylist()) == [10.0, 10.5, 359.9]
    for row in found.to_pylist():
        assert row["problem"] is None
        alone = find_frequencies(rows[row["star_id"]][0], -rows[row["star_id"]][1] * 1e-4, max_frequencies=2)
        np.testing.assert_allclose(row["frequency"], alone.frequency, rtol=1e-9)


def test_lists_of_unlike_lengths_and_rows_without_a_star_are_told() -> None:
    time, flux = varying(100, 1)
    frame = pd.DataFrame(
        {
            "ra": [10.0, 10.0, 20.0, 30.0],
            "dec": [0.0, 0.0, 0.0, 0.0],
            "star_id": ["a", "a", None, "b"],
            "time": [time[:200], time[200:500], time, time],
            "flux": [flux[:300], flux[300:500], flux, flux],
        }
    )
    found = lk.frequencies(lk.from_dataframe(frame), max_frequencies=1, columns=CurveColumns()).to_arrow()
    problems = {row["star_id"]: row["problem"] for row in found.to_pylist()}
    assert problems["a"] is not None
    assert "different lengths" in problems["a"]
    assert problems[None] == "1 rows have no star_id"
    assert problems["b"] is None


def test_wrong_calls_say_what_to_do(catalog: Path) -> None:
    source = lk.open_catalog(catalog)
    with pytest.raises(UsageError, match="no option snr_mim"):
        lk.frequencies(source, snr_mim=4)
    with pytest.raises(UsageError, match="backend must be one of"):
        lk.periodograms(source, backend="tpu")
    limits: list[dict[str, Any]] = [{"f_min": 5.0, "f_max": 1.0}, {"f_max": -1.0}, {"oversampling": 0.0}]
    for wrong in limits:
        with pytest.raises(UsageError, match=r"f_min|f_max|oversampling"):
            lk.frequencies(source, **wrong)
        with pytest.raises(UsageError, match=r"f_min|f_max|oversampling"):
            lk.periodograms(source, **wrong)
    with pytest.raises(UsageError, match="a catalogue is needed"):
        lk.frequencies("folder")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no option colour"):
        lk.periodograms(source, colour="red")
    with pytest.raises(UsageError, match=r"is no catalogue of light curves: it lacks .*CurveColumns"):
        lk.frequencies(lk.from_dataframe(pd.DataFrame({"ra": [1.0], "dec": [2.0]})))
