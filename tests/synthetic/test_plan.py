"""Plans and their visits."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from lkmrs_dask.sky.index import separation_arcsec
from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.moon import moon_position
from lkmrs_dask.synthetic.plan import OTHER_PLAN, PLANS, Visit, schedule

SEEDS = range(1, 9)


@pytest.fixture(scope="module")
def visits() -> dict[int, list[Visit]]:
    return {seed: schedule((*PLANS, OTHER_PLAN), Draws(seed)) for seed in SEEDS}


def test_plans_are_those_of_the_paper() -> None:
    assert {plan.planid: plan.field for plan in PLANS} == {
        "TD192102N424113K01": "Kepler", "HIP95119KP01": "Kepler", "TD193637N444141K01": "Kepler",
        "TD082325N180811K02": "K2", "TD085754N225914K02": "K2", "TD103827N055449K02": "K2",
    }  # fmt: skip
    assert OTHER_PLAN.field is None
    assert PLANS[0].centre == pytest.approx((290.2583, 42.6869), abs=1e-3)
    # Two plates on one field, and a third that overlaps it: the case of KIC 8098300.
    assert separation_arcsec(*PLANS[0].centre, *PLANS[2].centre) < 30
    assert separation_arcsec(*PLANS[0].centre, *PLANS[4].centre) < 5 * 3600


def test_every_plan_is_visited_each_year(visits: dict[int, list[Visit]]) -> None:
    for of_seed in visits.values():
        for plan in (*PLANS, OTHER_PLAN):
            years = {visit.year for visit in of_seed if visit.plan == plan}
            assert years == set(range(plan.first_year, plan.last_year + 1))


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
            assert local[0] > 20 / 24
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


def test_serial_gives_real_obsids() -> None:
    # OBSID 744812076 of the night of MJD 58624, spectrograph 12, fibre 76.
    visit = Visit(PLANS[0], 58624, (84420148,), (30.0,), 1.0)
    assert visit.serial == 7448
    assert str(visit.date) == "2019-05-21"
    # DATE-BEG 2019-05-22T02:28:30 in Beijing is 18:28:30 UTC; 10 minutes to the middle.
    assert visit.mid_times[0] == pytest.approx(58624 + (18 * 60 + 28.5 + 10) / 1440, abs=1e-9)


def test_same_seed_same_visits() -> None:
    one, two = (schedule((*PLANS, OTHER_PLAN), Draws(1)) for _ in range(2))
    assert one == two
    assert one != schedule((*PLANS, OTHER_PLAN), Draws(2))
