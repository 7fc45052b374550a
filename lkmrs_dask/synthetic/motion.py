"""Orbits of stars with varying velocity, large enough for a survey's epochs to show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.orbit import Orbit
from lkmrs_dask.synthetic.population import Stars

__all__ = ["LEAST_SCATTER", "with_orbits"]

LEAST_SCATTER = 5.0
"""Least standard deviation (over N) of a variable star's true velocities, in mean errors; a run needs 3."""

_AMPLITUDES = (5.0, 120.0)
_ATTEMPTS = 8
_SAME_PERIOD = ("EB", "RSCVn", "RRL")  # the light varies with the orbit, or with the pulsation

Floats = NDArray[np.float64]


def draw_orbits(stars: Stars, which: NDArray[np.int64], draws: Draws, attempt: int) -> Orbit:
    """Draw orbits of some stars.

    P from 1 to 500 d, or that of the light for eclipsing binaries, RS CVn and RR Lyrae stars; circular below
    8 d; K falls with the cube root of P.
    """
    number = stars.number[which]
    period = 10.0 ** (2.7 * draws.uniform(Purpose.PERIOD, number, attempt))
    tied = np.isin(stars.variable_class[which], _SAME_PERIOD)
    period = np.where(tied, stars.variable_period[which], period)
    spread = np.exp(0.5 * draws.normal(Purpose.AMPLITUDE, number))
    return Orbit(
        period=period,
        amplitude=np.clip(60.0 * period ** (-1 / 3) * spread, *_AMPLITUDES),
        eccentricity=np.where(period < 8.0, 0.0, 0.6 * draws.uniform(Purpose.ECCENTRICITY, number, attempt)),
        periastron=2 * np.pi * draws.uniform(Purpose.PERIASTRON, number, attempt),
        phase=draws.uniform(Purpose.PHASE, number, attempt),
    )


def with_orbits(stars: Stars, scatter: Callable[[Stars], Floats], rv_error: Floats, draws: Draws) -> Stars:
    """Give variable stars orbits that their epochs show.

    An amplitude is raised until the true velocities at the star's epochs scatter enough; where that asks for
    more than the largest amplitude another orbit is drawn.

    Parameters
    ----------
    stars : Stars
        All stars.
    scatter : callable
        Standard deviation (km/s, over N) of the velocities that each star's epochs would show.
    rv_error : ndarray of float64
        Mean error (km/s) of each star's velocities.
    draws : Draws
        Random numbers, addressed by star and attempt.
    """
    elements = [np.full(len(stars), np.nan) for _ in Orbit._fields]
    pending = np.flatnonzero(stars.rv_variable)
    for attempt in range(_ATTEMPTS):
        for values, drawn in zip(elements, draw_orbits(stars, pending, draws, attempt), strict=True):
            values[pending] = drawn
        trial = replace(stars, orbit=Orbit(*elements))
        shown = np.maximum(scatter(trial)[pending], 1e-9)
        factor = np.maximum(LEAST_SCATTER * rv_error[pending] / shown, 1.0)
        elements[1][pending] *= factor
        pending = pending[elements[1][pending] > _AMPLITUDES[1]]
        if not len(pending):
            break
    return replace(stars, orbit=Orbit(*elements))
