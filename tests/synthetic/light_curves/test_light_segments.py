from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from lkmrs_dask.synthetic.light_curves.segments import CADENCE, choose_segments, segments, times

MISSIONS = ("kepler", "k2", "tess")


@pytest.mark.parametrize("mission", MISSIONS)
def test_segments_are_in_order_and_do_not_overlap(mission: str) -> None:
    known = segments(mission)
    assert len(known) > 8
    for before, after in pairwise(known):
        assert before.begin + before.span < after.begin
        assert before.cadence + before.rows <= after.cadence


def test_cadence_numbers_of_missions_do_not_overlap_so_that_they_address_noise() -> None:
    ends = [(segments(m)[0].cadence, segments(m)[-1].cadence + segments(m)[-1].rows) for m in MISSIONS]
    assert ends[0][1] < ends[1][0] < ends[1][1] < ends[2][0]


def test_codes_are_distinct() -> None:
    codes = [one.code for mission in MISSIONS for one in segments(mission)]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("folder", "name", "mission", "number"),
    [
        ("lc_kepler_eb", "kplr005023948-2011177032512_llc.fits", "kepler", 9),
        ("lc_k2", "ktwo211121743-c04_llc.fits", "k2", 4),
        ("lc_tess_dsct", "HD23157_tess2021232031932-s0042-0000000067768222-0213-s_lc.fits", "tess", 42),
    ],
)
def test_times_of_released_files(shared: Path, folder: str, name: str, mission: str, number: int) -> None:
    with fits.open(shared / "data" / folder / name) as hdus:
        header, data = hdus[1].header, hdus[1].data
    segment = next(one for one in segments(mission) if one.number == number)
    np.testing.assert_array_equal(data["CADENCENO"], segment.cadence + np.arange(segment.rows))
    assert header["TIMEDEL"] == pytest.approx(CADENCE[mission], rel=1e-12)
    bjd, correction = times(segment, header["RA_OBJ"], header["DEC_OBJ"])
    good = np.isfinite(data["TIME"])
    real = data["TIME"][good] + header["BJDREFI"] - 2400000.5
    # TESS is within 1.3 s of the Earth's centre, and its clock keeps the cadence.  Kepler trails the Earth by
    # some 0.7 au (350 s) by 2015, has time-slice offsets of seconds and two fewer leap seconds.
    tolerance = 2.0 if mission == "tess" else 400.0
    assert np.abs(bjd[good] - real).max() * 86400 < tolerance
    assert np.abs(correction[good] - data["TIMECORR"][good]).max() * 86400 < tolerance


def test_times_against_astropy() -> None:
    from astropy.coordinates import EarthLocation
    from astropy.time import Time

    segment = segments("tess")[4]
    bjd, _ = times(segment, 55.9, 23.6)
    some = np.arange(0, segment.rows, 997)
    centre = EarthLocation.from_geocentric(0, 0, 0, unit="m")
    utc = Time(segment.mjd[some], format="mjd", scale="utc", location=centre)
    tdb = utc.tdb + utc.light_travel_time(SkyCoord(55.9, 23.6, unit="deg"), ephemeris="builtin")
    # The two ephemerides are the same, TDB - TT of 2 ms is left out of ours.
    assert np.abs(bjd[some] - tdb.mjd).max() * 86400 < 0.005


def test_times_differ_from_star_to_star() -> None:
    segment = segments("k2")[4]
    one, other = times(segment, 55.0, 20.0)[0], times(segment, 60.0, 20.0)[0]
    assert 1.0 < np.abs(one - other).max() * 86400 < 60.0


@pytest.mark.parametrize("mission", ["k2", "tess"])
def test_chosen_segments_look_at_the_star(mission: str) -> None:
    at = SkyCoord(130.3, 17.5, unit="deg")
    for draw in (0.01, 0.5, 0.99):
        for one in choose_segments(mission, 130.3, 17.5, 2, draw):
            reach = 8.0 if mission == "k2" else 25.0
            assert at.separation(SkyCoord(one.ra, one.dec, unit="deg")).deg < reach
    every = choose_segments(mission, 130.3, 17.5, 99, 0.5)
    assert {one.number for one in every} == ({5, 16, 18} if mission == "k2" else {45})


def test_a_star_that_nothing_looks_at_gets_the_nearest_field() -> None:
    (one,) = choose_segments("k2", 0.0, 89.0, 1, 0.7)
    assert one.number in {0, 4, 5, 13, 16, 18}  # those with the largest declinations


@pytest.mark.parametrize("count", [1, 3, 99])
def test_quarters_follow_each_other(count: int) -> None:
    chosen = choose_segments("kepler", 290.0, 45.0, count, 0.999)
    assert len(chosen) == min(count, len(segments("kepler")))
    assert chosen[-1] == segments("kepler")[-1]
