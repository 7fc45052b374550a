"""The Moon and barycentric times, against astropy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import EarthLocation, SkyCoord, get_body
from astropy.time import Time
from astropy.utils import iers

from lkmrs_dask.sky.index import separation_arcsec
from lkmrs_dask.synthetic.barycentre import barycentric_mjd
from lkmrs_dask.synthetic.moon import SYNODIC_MONTH, moon_age, moon_position

MJD = np.array([58150.55, 58268.7, 58625.76, 59190.6, 59580.5, 60110.66])


@pytest.fixture(autouse=True)
def offline() -> None:
    iers.conf.auto_download = False


def test_moon_against_astropy() -> None:
    moon = get_body("moon", Time(MJD, format="mjd", scale="utc")).gcrs  # from the Earth's centre
    ra, dec = moon_position(MJD)
    # Evection and the other terms that are left out reach 1.3 deg and more; precession since 2000 0.3 deg.
    assert separation_arcsec(ra, dec, moon.ra.deg, moon.dec.deg).max() < 2.5 * 3600


def test_full_and_new_moons() -> None:
    # UTC, from almanacs: full Moon of 2019-01-21 05:16 and 2022-05-16 04:14, new Moon of 2020-06-21 06:41.
    full = Time(["2019-01-21T05:16:00", "2022-05-16T04:14:00"], scale="utc").mjd
    new = Time("2020-06-21T06:41:00", scale="utc").mjd
    assert np.abs(moon_age(full) - SYNODIC_MONTH / 2).max() < 0.25  # 2.5 deg are 0.2 d
    assert min(moon_age(new), SYNODIC_MONTH - moon_age(new)) < 0.25


def test_barycentric_times_against_astropy() -> None:
    site = EarthLocation.from_geodetic(117.58 * u.deg, 40.39 * u.deg, 960 * u.m)
    ra, dec = np.array([290.3, 130.2, 10.0]), np.array([42.7, 18.1, -30.0])
    time = Time(MJD[None, :], format="mjd", scale="utc", location=site)
    delay = time.light_travel_time(SkyCoord(ra[:, None] * u.deg, dec[:, None] * u.deg), ephemeris="builtin")
    expected = (time.tdb + delay).mjd
    found = barycentric_mjd(MJD, ra, dec)
    assert found.shape == (3, 6)
    # The Earth's radius is 21.3 ms of light; TDB differs from TT by 2 ms.
    assert np.abs(found - expected).max() * 86400 < 0.025
    assert np.ptp(found - MJD) * 1440 > 5  # and the delay itself is minutes
