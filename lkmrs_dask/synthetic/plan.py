"""The survey's plans and when each was visited."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

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
_EXPOSURE_SHARES = {3: 0.40, 4: 0.22, 5: 0.14, 6: 0.10, 7: 0.07, 8: 0.07}
_MOST_VISITS = {2018: 2, 2019: 2, 2020: 2, 2021: 1, 2022: 1, 2023: 1}


@dataclass(frozen=True)
class Plan:
    """An observing plan and its years.

    Parameters
    ----------
    planid : str
        LAMOST's name; the plate's centre comes from it.
    first_year, last_year : int
        Of its visits.
    """

    planid: str
    first_year: int = 2018
    last_year: int = 2023

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


PLANS = (
    Plan("TD192102N424113K01"),
    Plan("TD082325N180811K02"),
    Plan("HIP95119KP01", 2018, 2018),
    Plan("TD085754N225914K02"),
    Plan("TD193637N444141K01"),
    Plan("TD103827N055449K02"),
)
"""Plans of the small survey, all real: HIP95119KP01 has the field of the first, and the fifth overlaps it."""

OTHER_PLAN = Plan("TD230151N343645T01", 2018, 2018)
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
    """

    plan: Plan
    night: int
    lmjm: tuple[int, ...]
    seconds: tuple[float, ...]
    weather: float

    @property
    def serial(self) -> int:
        """Number of the visit in LAMOST's obsid: 7448 on the night of MJD 58624, as in its files."""
        return 2 * (self.night - 54900)

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

    Each plan has its own nights, so the telescope never points at two plates at once: plan k of n those whose
    MJD leaves the remainder k on division by n.  Nights are bright ones, away from the Moon, in the months in
    which the field is up, without LAMOST's summer break of July and August.

    Parameters
    ----------
    plans : sequence of Plan
        With those of other sub-projects.
    draws : Draws
        Random numbers, addressed by plan and night.
    """
    visits = []
    for number, plan in enumerate(plans):
        for year in range(plan.first_year, plan.last_year + 1):
            nights = _nights(plan, year)
            nights = nights[nights % len(plans) == number]
            most = _MOST_VISITS[year]
            wanted = 1 + int(most * draws.uniform(Purpose.VISITS_OF_YEAR, year, plan.code))
            liked = np.argsort(draws.uniform(Purpose.NIGHT, nights, plan.code), kind="stable")
            visits += [_visit(plan, int(night), draws) for night in nights[liked[: min(wanted, most)]]]
    return sorted(visits, key=lambda visit: visit.lmjm)


def _nights(plan: Plan, year: int) -> NDArray[np.int64]:
    """Evenings (MJD) of a year on which a plan can be observed."""
    first, after = (int((np.datetime64(f"{y}-01-01") - _MJD_ZERO).astype(int)) for y in (year, year + 1))
    nights = np.arange(first, min(after, _SURVEY_END + 1))
    month = (_MJD_ZERO + nights).astype("datetime64[M]").astype(int) % 12 + 1
    day = nights - first
    best = 80 + 365.25 * ((plan.centre[0] / 15.0 - 12.0) % 24.0) / 24.0  # the Sun is opposite to the field
    away = np.abs((day - best + 182.6) % 365.25 - 182.6)
    midnight = nights + 16.0 / 24.0
    age = moon_age(midnight)
    moon = separation_arcsec(*moon_position(midnight), *plan.centre) / 3600.0
    bright = np.abs(age - SYNODIC_MONTH / 2) < _FULL_MOON_NIGHTS
    return nights[(away < _SEASON) & ((month < 7) | (month > 8)) & bright & (moon > _MOON_DISTANCE)]


def _visit(plan: Plan, night: int, draws: Draws) -> Visit:
    share = np.cumsum(list(_EXPOSURE_SHARES.values()))
    drawn = int(np.searchsorted(share, draws.uniform(Purpose.EXPOSURES, night, plan.code) * share[-1]))
    n_exposures = list(_EXPOSURE_SHARES)[drawn]
    # Sidereal time at midnight is the Sun's right ascension + 12 h; start two hours before culmination.
    sun = ((night - 51544.5 - 79.0) % 365.25) / 365.25 * 24.0
    culmination = (plan.centre[0] / 15.0 - sun - 12.0 + 12.0) % 24.0 - 12.0
    start = 1440 + 60 * float(np.clip(culmination - 2.0, -3.0, 0.5))
    start += 20 * float(draws.uniform(Purpose.START, night, plan.code))
    exposure = np.arange(n_exposures)
    seconds = np.floor(60 * draws.uniform(Purpose.SECONDS, night, exposure))
    # As at the telescope: exposures follow each other, and the minute is cut off.
    begin = night * 1440 + int(start) + exposure * (EXPTIME // 60 + _READOUT) + np.cumsum(seconds) // 60
    weather = float(np.exp(0.3 * draws.normal(Purpose.WEATHER, night, plan.code)))
    if draws.uniform(Purpose.BAD_WEATHER, night, plan.code) < 0.05:
        weather *= 0.01
    return Visit(
        plan, night, tuple(begin.astype(int).tolist()), tuple((np.cumsum(seconds) % 60).tolist()), weather
    )
