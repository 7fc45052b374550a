from __future__ import annotations

import csv
import datetime
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.io import fits
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.readers.times import (
    FIRST_MJD,
    LAMOST,
    LAST_MJD,
    barycentric_time,
    exposure_midpoint,
    local_time_mjd,
    night_date,
)

# A float64 Julian date near 2.46e6 has steps of 4.7e-10 d (40 microseconds); two roundings may differ by one
# step, and UT1 - UTC, polar motion and the deflection of light, which are left out, by 3 microseconds.
TOLERANCE = 6e-10


def astropy_bjd(mjd: np.ndarray, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Compute the same by astropy, without downloads."""
    place = EarthLocation.from_geodetic(LAMOST.longitude, LAMOST.latitude, LAMOST.height)
    with (
        warnings.catch_warnings(),
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
    ):
        warnings.simplefilter("ignore")  # dubious years beyond the leap second table
        times = Time(mjd, format="mjd", scale="utc", location=place)
        late = times.light_travel_time(SkyCoord(ra * u.deg, dec * u.deg), kind="barycentric")
        return (times.tdb + late).jd


def test_exposure_midpoint_has_the_known_answer() -> None:
    # 2019-05-22 02:28 in Beijing is 18:28 UTC the day before; 20 minutes later has its middle at 18:38.
    expected = Time("2019-05-21T18:38:00", scale="utc").mjd
    # 1e-9 d is 0.1 ms: an MJD has steps of 7e-12 d.
    assert exposure_midpoint(84420148, 1200) == pytest.approx(expected, abs=1e-9)


def test_exposure_midpoint_takes_arrays_and_passes_nan() -> None:
    lmjm = np.array([84420148, 84420171], dtype=np.int64)
    middle = exposure_midpoint(lmjm[:, None], np.array([600.0, np.nan]))
    assert middle.shape == (2, 2)
    assert middle.dtype == np.float64
    assert np.isnan(middle).tolist() == [[False, True], [False, True]]
    assert np.isnan(exposure_midpoint(np.nan, 600.0))
    assert middle[1, 0] - middle[0, 0] == pytest.approx(23 / 1440, abs=1e-10)


def test_midpoint_of_real_files_is_date_obs_within_the_cut_off_minute(shared: Path) -> None:
    late_of_obs, late_of_dates = [], []
    for file in sorted((shared / "data/lamost_mrs_spectra").glob("*.fits*")):
        with fits.open(file) as hdus:
            header, first = hdus[0].header, hdus[3].header
            middle = float(exposure_midpoint(int(first["LMJM"]), first["EXPTIME"]))
            late_of_obs.append(86400 * (Time(header["DATE-OBS"], scale="utc").mjd - middle))
            dates = Time([header["DATE-BEG"], header["DATE-END"]], scale="utc").mjd
            late_of_dates.append(86400 * (dates.mean() - 8 / 24 - middle))
            assert local_time_mjd(header["DATE-BEG"]) == pytest.approx(dates[0] - 8 / 24, abs=1e-10)
    assert len(late_of_obs) == 6
    # DATE-OBS: whole minutes of the observatory's own arithmetic.  1e-4 s: an MJD has steps of 6e-7 s.
    assert np.allclose(sorted(late_of_obs), [0, 0, 0, 0, 0, 30], atol=1e-4)
    # DATE-BEG and -END have seconds: LMJM is cut off to the minute, once one second beyond that.
    assert np.allclose(sorted(late_of_dates), [18, 20, 30, 43, 49, 61], atol=1e-4)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2019-05-22T02:28:30.0", "2019-05-21T18:28:30"),
        ("2013-11-05T11:30:0.000", "2013-11-05T03:30:00"),
        (" 2016-02-29 08:00:07.25 ", "2016-02-29T00:00:07.25"),
    ],
)
def test_local_time(text: str, utc: str) -> None:
    assert local_time_mjd(text) == pytest.approx(Time(utc, scale="utc").mjd, abs=1e-10)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "not a date",
        20190522,
        "2019-02-30T00:00:00",
        "2019-05-22T24:00:00",
        "2019-05-22",
        "2019-13-01T0:0:0",
    ],
)
def test_local_time_that_is_none(text: object) -> None:
    assert np.isnan(local_time_mjd(text))


def test_night_is_named_by_its_evening() -> None:
    # First row of the pilot survey's catalogue: lmjd 55860, obsdate 2011-10-25.
    assert night_date(55860) == datetime.date(2011, 10, 25)


def test_night_of_real_headers_and_catalogue(shared: Path) -> None:
    for file in sorted((shared / "data/lamost_mrs_spectra").glob("*.fits*")):
        header = fits.getheader(file, 0)
        local = Time(header["DATE-BEG"], scale="utc").mjd
        assert night_date(header["LMJD"]) == Time(np.floor(local - 0.5), format="mjd").to_datetime().date()
    with (shared / "data/lamost_lrs_catalog/learninglamost_my_data3.csv").open(newline="") as lines:
        rows = [(row["obsdate"], int(float(row["lmjd"]))) for row in csv.DictReader(lines)]
    assert len(rows) == 3165
    assert all(night_date(lmjd).isoformat() == obsdate for obsdate, lmjd in rows)


def test_barycentric_time_equals_astropy() -> None:
    rng = np.random.default_rng(3)
    n = 400
    mjd = rng.uniform(55197, 66475, n)  # 2010 to 2040
    ra, dec = rng.uniform(0, 360, n), np.rad2deg(np.arcsin(rng.uniform(-1, 1, n)))
    # Edges: RA 0 and 360, the poles, whole days and hours, and the end of the last leap second's day.
    ra[:4], dec[4:6], dec[6:8] = [0, 0, 360, 359.9999999], 90, -90
    mjd[8:12] = [58000.0, 58000.5, 57753.9999, 57754.0]
    assert np.abs(barycentric_time(mjd, ra, dec) - astropy_bjd(mjd, ra, dec)).max() < TOLERANCE


def test_barycentric_time_has_the_known_size() -> None:
    # Towards the ecliptic the light is early or late by up to 499 s, at its pole by no more than 10 s.
    days = 58000.0 + np.arange(366.0)
    tdb_utc = (37 + 32.184) / 86400
    near = 86400 * (barycentric_time(days, 90.0, 23.44) - 2400000.5 - days - tdb_utc)
    pole = 86400 * (barycentric_time(days, 270.0, 66.56) - 2400000.5 - days - tdb_utc)
    assert 490 < near.max() < 510
    assert -510 < near.min() < -490
    assert np.abs(pole).max() < 10


def test_barycentric_time_broadcasts_and_is_the_same_for_every_split() -> None:
    rng = np.random.default_rng(5)
    mjd = rng.uniform(58000, 58060, 1000)
    ra, dec = rng.uniform(0, 360, 1000), rng.uniform(-90, 90, 1000)
    whole = barycentric_time(mjd, ra, dec)
    ones = [float(barycentric_time(*row)) for row in zip(mjd, ra, dec, strict=True)]
    assert whole.tolist() == ones  # to the bit
    assert barycentric_time(mjd.reshape(10, 100), 10.0, -5.0).shape == (10, 100)
    assert barycentric_time([], 10.0, -5.0).shape == (0,)


def test_barycentric_time_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    mjd = np.linspace(58000, 58003, 25)
    whole = barycentric_time(mjd, 10.0, 20.0)
    monkeypatch.setattr("lkmrs_dask.readers.times._BLOCK", 4)
    assert barycentric_time(mjd, 10.0, 20.0).tolist() == whole.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_barycentric_time_of_nothing_is_nan(bad: float) -> None:
    result = barycentric_time([bad, 58000, 58000, 58000], [1, bad, 1, 1], [2, 2, bad, 2])
    assert np.isnan(result).tolist() == [True, True, True, False]


def test_barycentric_time_outside_its_range_is_nan() -> None:
    assert np.isnan(barycentric_time([FIRST_MJD - 1, LAST_MJD, -1e300, 1e300], 1.0, 2.0)).all()
    assert np.isfinite(barycentric_time([FIRST_MJD, LAST_MJD - 1e-6], 1.0, 2.0)).all()


@settings(max_examples=40, deadline=None)
@given(mjd=st.floats(55197, 66475), ra=st.floats(0, 360), dec=st.floats(-90, 90), step=st.floats(1e-4, 0.04))
def test_barycentric_time_goes_forward_as_fast_as_light_allows(
    mjd: float, ra: float, dec: float, step: float
) -> None:
    before, after = barycentric_time([mjd, mjd + step], ra, dec)
    # The observatory moves at less than 31 km/s, 1.04e-4 of the speed of light, and nodes make no jump.
    assert after - before == pytest.approx(step, abs=1.1e-4 * step + 2 * TOLERANCE)
