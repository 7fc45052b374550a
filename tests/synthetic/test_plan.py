"""Plans and their visits."""

from __future__ import annotations

import csv
import datetime
from importlib.resources import files
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, get_sun
from astropy.time import Time

from lkmrs_dask.sky.index import separation_arcsec
from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.moon import moon_position
from lkmrs_dask.synthetic.plan import OTHER_PLAN, PLANS, Visit, schedule

SEEDS = range(1, 9)


@pytest.fixture(scope="module")
def visits() -> dict[int, list[Visit]]:
    return {seed: schedule((*PLANS, OTHER_PLAN), Draws(seed)) for seed in SEEDS}


def test_plans() -> None:
    fields = [plan.field for plan in PLANS]
    assert (fields.count("Kepler"), fields.count("K2")) == (4, 17)
    test = {plan.planid for plan in PLANS if plan.test_phase}
    # Footnote 1 of the paper.
    assert test == {
        "HIP95119KP01", "TD082325N180811K02", "TD084844N123545K02", "TD085754N225914K02",
        "TD103827N055449K02",
    }  # fmt: skip
    assert {"TD192102N424113K01", "TD193637N444141K01"} < {plan.planid for plan in PLANS}
    assert OTHER_PLAN.field is None
    # KIC 8098300 was observed on three plans.
    star = (292.058716, 43.925304)
    on = {plan.planid for plan in PLANS if separation_arcsec(*star, *plan.centre) < 9000}
    assert on == {"HIP95119KP01", "TD192102N424113K01", "TD193637N444141K01"}


def test_stars_of_the_paper_lie_on_plates(shared: Path) -> None:
    for number in (2, 4, 5, 6):
        with (shared / "data" / "paper_tables" / f"table{number}_rows.csv").open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                place = float(row["ra"]), float(row["dec"])
                nearest = min(float(separation_arcsec(*place, *plan.centre)) for plan in PLANS)
                assert nearest < 2.5 * 3600, row


def test_placeholders_are_marked() -> None:
    text = files("lkmrs_dask.synthetic").joinpath("plates.csv").read_text("utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert {row["origin"] for row in rows} == {"published", "ours"}
    assert sum(row["origin"] == "published" for row in rows) == 8
    assert all(row["source"] for row in rows)
    assert [row["planid"] for row in rows] == [plan.planid for plan in PLANS]


def test_visits_and_exposures_are_table_1(visits: dict[int, list[Visit]]) -> None:
    wanted = {2018: (25, 136), 2019: (40, 201), 2020: (34, 142), 2021: (14, 63), 2022: (11, 41),
              2023: (10, 41)}  # fmt: skip
    for of_seed in visits.values():
        ours = [visit for visit in of_seed if visit.plan != OTHER_PLAN]
        for year, (n_visits, n_exposures) in wanted.items():
            here = [visit for visit in ours if visit.year == year]
            assert (len(here), sum(len(visit.lmjm) for visit in here)) == (n_visits, n_exposures)
        for visit in ours:
            assert (visit.night < 58362) == visit.plan.test_phase  # 2018-09-01


def test_a_bad_night_costs_little(visits: dict[int, list[Visit]]) -> None:
    for of_seed in visits.values():
        bad = [visit for visit in of_seed if visit.weather < 0.1]
        assert len(bad) == 2
        assert all(visit.plan.n_visits >= 10 and visit.year in (2019, 2020) for visit in bad)


def test_one_plan_a_night_and_no_summer(visits: dict[int, list[Visit]]) -> None:
    for of_seed in visits.values():
        nights = [visit.night for visit in of_seed]
        assert len(set(nights)) == len(nights)
        assert nights == sorted(nights)
        for visit in of_seed:
            day = datetime.date(1858, 11, 17) + datetime.timedelta(days=visit.night)
            assert str(visit.date) == day.isoformat()
            assert visit.year == day.year
            assert day.month not in (7, 8)
            assert datetime.date(2018, 1, 1) <= day <= datetime.date(2023, 6, 30)


def test_exposures_follow_each_other_within_a_night(visits: dict[int, list[Visit]]) -> None:
    counts = []
    for of_seed in visits.values():
        for visit in of_seed:
            counts.append(len(visit.lmjm))
            begin = np.array(visit.lmjm) + np.array(visit.seconds) / 60
            assert np.all((np.array(visit.seconds) >= 0) & (np.array(visit.seconds) < 60))
            assert np.diff(begin).min() >= 20  # minutes of an exposure
            assert np.diff(begin).max() <= 25
            local = begin / 1440 - visit.night  # days since local midnight before the evening
            assert local[0] > 18 / 24
            assert local[-1] + 20 / 1440 < 30 / 24
            # The whole night is one UTC day, the evening's: LMJD is one more.
            assert np.array_equal(np.floor(visit.mid_times), np.full(len(begin), visit.night))
            assert visit.mid_times == pytest.approx(begin / 1440 - 1 / 3 + 600 / 86400, abs=1e-9)
    assert set(counts) == {3, 4, 5, 6, 7, 8}


def test_fields_are_up_and_away_from_the_moon(visits: dict[int, list[Visit]]) -> None:
    for visit in visits[1]:
        moon = separation_arcsec(*moon_position(visit.night + 16 / 24), *visit.plan.centre) / 3600
        assert moon > 12.9
        # Sidereal time at longitude 117.58 deg, to a minute of time: Astronomical Almanac.
        sidereal = (280.46 + 360.9856473 * (visit.mid_times - 51544.5) + 117.58) % 360
        hour_angle = (sidereal - visit.plan.centre[0] + 180) % 360 - 180
        latitude, dec = np.radians(40.39), np.radians(visit.plan.centre[1])
        altitude = np.degrees(
            np.arcsin(
                np.sin(latitude) * np.sin(dec)
                + np.cos(latitude) * np.cos(dec) * np.cos(np.radians(hour_angle))
            )
        )
        assert altitude.min() > 20, visit


def test_exposures_are_near_the_meridian_and_in_the_dark(visits: dict[int, list[Visit]]) -> None:
    site = EarthLocation.from_geodetic(117.58 * u.deg, 40.39 * u.deg, 900 * u.m)
    for of_seed in visits.values():
        times = np.concatenate([visit.mid_times for visit in of_seed])
        ra = np.repeat([visit.plan.centre[0] for visit in of_seed], [len(visit.lmjm) for visit in of_seed])
        sidereal = (280.46 + 360.9856473 * (times - 51544.5) + 117.58) % 360
        away = np.abs((sidereal - ra + 180) % 360 - 180) / 15
        assert (away > 2).mean() < 0.02
        assert away.max() < 2.5
        when = Time(times, format="mjd")
        sun = get_sun(when).transform_to(AltAz(obstime=when, location=site))
        # 12 degrees below the horizon, as far as a round orbit of the Earth is right.
        assert sun.alt.deg.max() < -11


def test_serial_gives_real_obsids() -> None:
    # OBSID 744812076 of the night of MJD 58624, spectrograph 12, fibre 76.
    visit = Visit(PLANS[0], 58624, (84420148,), (30.0,), 1.0)
    assert visit.serial == 7448
    assert str(visit.date) == "2019-05-21"
    serials = {
        Visit(PLANS[0], night, (), (), 1.0, copy).serial for night in (58119, 60125) for copy in range(9)
    }
    assert len(serials) == 18
    # DATE-BEG 2019-05-22T02:28:30 in Beijing is 18:28:30 UTC; 10 minutes to the middle.
    assert visit.mid_times[0] == pytest.approx(58624 + (18 * 60 + 28.5 + 10) / 1440, abs=1e-9)


def test_same_seed_same_visits() -> None:
    one, two = (schedule((*PLANS, OTHER_PLAN), Draws(1)) for _ in range(2))
    assert one == two
    assert one != schedule((*PLANS, OTHER_PLAN), Draws(2))
