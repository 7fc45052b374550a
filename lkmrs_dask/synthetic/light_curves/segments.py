"""When the missions observed: quarters of Kepler, campaigns of K2 and sectors of TESS."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.sky.index import separation_arcsec
from lkmrs_dask.synthetic.barycentre import barycentric_mjd

__all__ = ["CADENCE", "EXPOSURE", "TDB_UTC", "Segment", "choose_segments", "segments", "times"]

CADENCE = {"kepler": 0.02043359821692, "k2": 0.02043359821692, "tess": 120.0 / 86400.0}
"""Days from one cadence to the next: 29.4244 min and 2 min (TIMEDEL of the released files)."""

EXPOSURE = {"kepler": 270 * 6.019802903270, "k2": 270 * 6.019802903270, "tess": 0.792 * 120.0}
"""Seconds in which a cadence collects light (INT_TIME x NUM_FRM; for TESS less what cosmic rays cost)."""

TDB_UTC = 69.184 / 86400.0
"""TDB - UTC in days, as in `barycentre`: 37 leap seconds all the time, 1 to 4 s too many before 2017."""

_K2_REACH = 7.99  # deg from the boresight to the detectors' outer corner
_TESS_REACH = 25.0  # deg: the four cameras look along a strip of 24 by 96 deg
_DEGREE = 25  # of the polynomial that stands for the barycentric correction: exact to 0.1 ms over 90 d


@dataclass(frozen=True)
class Segment:
    """A quarter, campaign or sector.

    Parameters
    ----------
    mission : str
        ``kepler``, ``k2`` or ``tess``.
    number : int
        Of the quarter, campaign or sector.
    cadence : int
        Number of the first cadence.
    rows : int
        Cadences.
    begin : float
        Middle of the first cadence, MJD (UTC) at the spacecraft.
    stamp, serial : str
        Parts of file names; empty where the names have none.
    ra, dec : float
        Boresight, deg.
    """

    mission: str
    number: int
    cadence: int
    rows: int
    begin: float
    stamp: str
    serial: str
    ra: float
    dec: float

    @property
    def code(self) -> int:
        """A number that stands for the segment in addresses of random numbers."""
        return 1000 * ("kepler", "k2", "tess").index(self.mission) + self.number

    @property
    def mjd(self) -> NDArray[np.float64]:
        """Middles of the cadences, MJD (UTC) at the spacecraft, shape (rows,)."""
        return self.begin + CADENCE[self.mission] * np.arange(self.rows, dtype=np.float64)

    @property
    def span(self) -> float:
        """Length in days."""
        return CADENCE[self.mission] * self.rows


@cache
def segments(mission: str) -> tuple[Segment, ...]:
    """Segments of a mission that the survey has light curves of, by time."""
    text = (files(__package__) / "segments.csv").read_text(encoding="ascii")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(
        Segment(
            mission, int(row["number"]), int(row["cadence"]), int(row["rows"]), float(row["begin"]),
            row["stamp"], row["serial"], float(row["ra"]), float(row["dec"]),
        )
        for row in rows
        if row["mission"] == mission
    )  # fmt: skip


def choose_segments(mission: str, ra: float, dec: float, count: int, draw: float) -> tuple[Segment, ...]:
    """Segments in which a star was observed.

    Parameters
    ----------
    mission : str
        ``kepler``, ``k2`` or ``tess``.
    ra, dec : float
        Of the star, deg.  Kepler's quarters are all of one field; K2 and TESS have to look at the star (for
        TESS: within 25 deg of the boresight, or else the nearest sector).
    count : int
        How many; fewer where the mission looked less often.
    draw : float
        Random number in (0, 1): where in the list of possible segments the choice begins.

    Returns
    -------
    tuple of Segment
        At least one, by time.
    """
    known = segments(mission)
    if mission != "kepler":
        away = separation_arcsec(
            np.array([one.ra for one in known]), np.array([one.dec for one in known]), ra, dec
        )
        reach = 3600.0 * (_K2_REACH if mission == "k2" else _TESS_REACH)
        known = tuple(known[at] for at in np.flatnonzero(away <= max(reach, away.min())).tolist())
    first = int(draw * max(1, len(known) - count + 1))
    return known[first : first + count]


def times(segment: Segment, ra: float, dec: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Barycentric times of a segment's cadences for a star.

    The correction is that of the Earth's centre: TESS is within 1.3 s of it; Kepler, which trails the Earth,
    up to some minutes, and so the synthetic Kepler flies with the Earth.

    Returns
    -------
    bjd : ndarray of float64, shape (rows,)
        BJD_TDB - 2400000.5, days.
    correction : ndarray of float64, shape (rows,)
        TIMECORR of the files, days: for Kepler and K2 BJD_TDB less UTC, for TESS light travel alone.
    """
    mjd = segment.mjd
    node = np.cos(np.pi * (np.arange(2 * _DEGREE) + 0.5) / (2 * _DEGREE))
    middle, half = 0.5 * (mjd[0] + mjd[-1]), 0.5 * (mjd[-1] - mjd[0])
    known = barycentric_mjd(middle + half * node, ra, dec)[0] - (middle + half * node)
    series = np.polynomial.chebyshev.chebfit(node, known, _DEGREE)
    correction = np.polynomial.chebyshev.chebval((mjd - middle) / half, series)
    bjd = mjd + correction
    return bjd, correction - TDB_UTC if segment.mission == "tess" else correction
