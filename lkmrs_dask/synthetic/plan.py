"""The survey's plans and when each was visited."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.sky.index import separation_arcsec
from lkmrs_dask.sky.plates import mission_of_plate, plate
from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.moon import SYNODIC_MONTH, moon_age, moon_position

__all__ = ["EXPTIME", "OTHER_PLAN", "PLANS", "Plan", "Visit", "schedule"]

EXPTIME = 1200
"""Seconds of an exposure of the time-domain survey (section 2.1)."""

_DAY = 86400.0
_MJD_ZERO = np.datetime64("1858-11-17")
_SURVEY_END = 60125  # 2023-06-30
_SEASON = 65  # nights before and after the one on which the field is highest at midnight
_FULL_MOON_NIGHTS = 9.0  # days from full Moon: the medium-resolution survey has the bright nights
_MOON_DISTANCE = 13.0  # deg from the plate's centre: no target is nearer than 10 deg to the Moon
_READOUT = 3  # minutes from the end of an exposure to the start of the next
_YEAR = 365.25
_OBLIQUITY, _LATITUDE = np.radians(23.44), np.radians(40.4)
_TWILIGHT = np.radians(-12.0)  # height of the Sun
_MIDNIGHT = 0.16  # hours after 0 h: LAMOST is at 117.6 deg, the time that of 120 deg
_LATE = 12  # minutes by which a visit begins late at most
_MERIDIAN = 2.0  # hours from it in which the telescope observes
_SURVEY_START = 58362  # 2018-09-01: nights before it belong to the test phase
_BAD_VISITS = 2  # clouds: almost no signal
_COPY_STEP = 100_000
_BAD_YEARS, _BAD_AMONG = (2019, 2020), 10  # on plans with so many visits, whose stars have others


@dataclass(frozen=True)
class Plan:
    """An observing plan and its visits.

    Parameters
    ----------
    planid : str
        LAMOST's name, or one in its form; the plate's centre comes from it.
    exposures : mapping
        Exposures of each visit, by year.
    test_phase : bool
        Observed before the regular survey.
    stars_of : str, optional
        Plan whose stars it shares; else it has stars of its own.
    """

    planid: str
    exposures: Mapping[int, tuple[int, ...]] = field(default_factory=dict, hash=False)
    test_phase: bool = False
    stars_of: str | None = None

    @cached_property
    def code(self) -> int:
        """A number below 2**32 that stands for the plan in addresses of random numbers."""
        return zlib.crc32(self.planid.encode())

    @cached_property
    def centre(self) -> tuple[float, float]:
        """Right ascension and declination of the plate's centre, deg."""
        found = plate(self.planid)
        return found.ra, found.dec

    @cached_property
    def field(self) -> str | None:
        """Kepler or K2; None for neither."""
        return mission_of_plate(*self.centre)

    @property
    def n_visits(self) -> int:
        """Visits in all years."""
        return sum(len(of_year) for of_year in self.exposures.values())


def _read_plans() -> tuple[Plan, ...]:
    text = files("lkmrs_dask.synthetic").joinpath("plates.csv").read_text("utf-8")
    plans = []
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        exposures = {
            int(name): tuple(int(n) for n in row[name].split())
            for name in row
            if name.isdigit() and row[name]
        }
        plans.append(Plan(row["planid"], exposures, row["phase"] == "test", row["stars_of"] or None))
    return tuple(plans)


PLANS = _read_plans()
"""The 21 plans of ``plates.csv``, which says which ids are LAMOST's."""

OTHER_PLAN = Plan("TD230151N343645T01", {2018: (3,)})
"""A plan of another sub-project, which the job's plan filter must set aside."""


@dataclass(frozen=True)
class Visit:
    """A plan on one night.

    Parameters
    ----------
    plan : Plan
        The plan.
    night : int
        MJD of the evening.
    lmjm : tuple of int
        Local modified Julian minute (UTC + 8 h) in which each exposure began.
    seconds : tuple of float
        Seconds of that minute at which it began.
    weather : float
        Factor of the S/N.
    copy : int
        Number of the survey's copy that it belongs to.
    """

    plan: Plan
    night: int
    lmjm: tuple[int, ...]
    seconds: tuple[float, ...]
    weather: float
    copy: int = 0

    @property
    def serial(self) -> int:
        """Number of the visit in LAMOST's obsid: 7448 on the night of MJD 58624, as in its files.

        Copies of the survey count on, in steps of 100,000, which no night reaches: no two share an obsid.
        """
        return 2 * (self.night - 54900) + _COPY_STEP * self.copy

    @property
    def date(self) -> np.datetime64:
        """Date of the evening."""
        return _MJD_ZERO + self.night

    @property
    def year(self) -> int:
        """Calendar year of the evening."""
        return int(str(self.date)[:4])

    @property
    def mid_times(self) -> NDArray[np.float64]:
        """MJD (UTC) of the middle of each exposure."""
        begin = np.array(self.lmjm) / 1440.0 - 8.0 / 24.0 + np.array(self.seconds) / _DAY
        return begin + EXPTIME / 2 / _DAY


def schedule(plans: Sequence[Plan], draws: Draws) -> list[Visit]:
    """Visits of plans, by time.

    One plan a night, near the meridian.  Nights are bright ones, away from the Moon, in the months in which
    the field is up, without LAMOST's summer break of July and August; plans of the test phase come before
    September 2018.

    Parameters
    ----------
    plans : sequence of Plan
        With those of other sub-projects.
    draws : Draws
        Random numbers, addressed by plan and night.
    """
    wanted = [
        (_nights(plan, year), plan, exposures) for plan in plans for year, exposures in plan.exposures.items()
    ]
    taken: set[int] = set()
    visits = []
    # Plans with the fewest nights to choose from come first.
    for nights, plan, exposures in sorted(wanted, key=lambda one: (len(one[0]) - len(one[2]), one[1].planid)):
        free = nights[~np.isin(nights, list(taken))]
        # Nights on which the longest visit is near the meridian come first.
        beyond = np.maximum(_block(plan, free, max(exposures))[1] - _MERIDIAN, 0.0)
        liked = free[np.lexsort((draws.uniform(Purpose.NIGHT, free, plan.code), beyond))]
        chosen = np.sort(liked[: len(exposures)]).tolist()
        if len(chosen) < len(exposures):
            raise RuntimeError(f"plan {plan.planid} has no {len(exposures)} nights near MJD {nights}")
        taken.update(chosen)
        visits += [_visit(plan, night, n, draws) for night, n in zip(chosen, exposures, strict=True)]
    return _with_bad_weather(sorted(visits, key=lambda visit: visit.lmjm), draws)


def _with_bad_weather(visits: list[Visit], draws: Draws) -> list[Visit]:
    often = [
        at
        for at, visit in enumerate(visits)
        if visit.plan.n_visits >= _BAD_AMONG and visit.year in _BAD_YEARS
    ]
    score = draws.uniform(Purpose.BAD_WEATHER, [visits[at].night for at in often])
    for at in np.argsort(score, kind="stable")[:_BAD_VISITS].tolist():
        bad = visits[often[at]]
        visits[often[at]] = replace(bad, weather=bad.weather * 0.01)
    return visits


def _nights(plan: Plan, year: int) -> NDArray[np.int64]:
    """Evenings (MJD) of a year on which a plan can be observed."""
    first, after = (int((np.datetime64(f"{y}-01-01") - _MJD_ZERO).astype(int)) for y in (year, year + 1))
    if plan.test_phase:
        after = min(after, _SURVEY_START)
    elif plan.field:
        first = max(first, _SURVEY_START)
    nights = np.arange(first, min(after, _SURVEY_END + 1))
    month = (_MJD_ZERO + nights).astype("datetime64[M]").astype(int) % 12 + 1
    day = nights - int((np.datetime64(f"{year}-01-01") - _MJD_ZERO).astype(int))
    best = 80 + 365.25 * ((plan.centre[0] / 15.0 - 12.0) % 24.0) / 24.0  # the Sun is opposite to the field
    away = np.abs((day - best + 182.6) % 365.25 - 182.6)
    midnight = nights + 16.0 / 24.0
    age = moon_age(midnight)
    moon = separation_arcsec(*moon_position(midnight), *plan.centre) / 3600.0
    bright = np.abs(age - SYNODIC_MONTH / 2) < _FULL_MOON_NIGHTS
    return nights[(away < _SEASON) & ((month < 7) | (month > 8)) & bright & (moon > _MOON_DISTANCE)]


def _block(plan: Plan, night: ArrayLike, n_exposures: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When exposures begin, hours after midnight (UTC + 8 h), and how far from the meridian they get, hours.

    They lie around culmination, within the time that the Sun is 12 degrees below the horizon.
    """
    length = (n_exposures * (EXPTIME // 60 + _READOUT + 0.5) + _LATE) / 60.0
    sun = np.radians((np.asarray(night) - 51544.5 - 79.0) % _YEAR / _YEAR * 360.0)
    # Sidereal time at midnight is the Sun's right ascension + 12 h; right to a quarter of an hour.
    culmination = (plan.centre[0] / 15.0 - np.degrees(sun) / 15.0) % 24.0 - 12.0
    declination = np.arcsin(np.sin(_OBLIQUITY) * np.sin(sun))
    cosine = np.sin(_TWILIGHT) - np.sin(_LATITUDE) * np.sin(declination)
    dark = 12.0 - np.degrees(np.arccos(cosine / (np.cos(_LATITUDE) * np.cos(declination)))) / 15.0
    start = np.clip(culmination - length / 2.0, -dark, np.maximum(dark - length, -dark))
    return start + _MIDNIGHT, np.maximum(culmination - start, start + length - culmination)


def _visit(plan: Plan, night: int, n_exposures: int, draws: Draws) -> Visit:
    start = 1440 + 60 * float(_block(plan, night, n_exposures)[0])
    start += _LATE * float(draws.uniform(Purpose.START, night, plan.code))
    exposure = np.arange(n_exposures)
    seconds = np.floor(60 * draws.uniform(Purpose.SECONDS, night, exposure))
    # As at the telescope: exposures follow each other, and the minute is cut off.
    begin = night * 1440 + int(start) + exposure * (EXPTIME // 60 + _READOUT) + np.cumsum(seconds) // 60
    weather = float(np.exp(0.2 * draws.normal(Purpose.WEATHER, night, plan.code)))
    return Visit(
        plan, night, tuple(begin.astype(int).tolist()), tuple((np.cumsum(seconds) % 60).tolist()), weather
    )
