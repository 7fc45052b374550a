"""Orbits of stars with varying velocity: such as stars have room for, and that a survey's epochs show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.binaries import largest_amplitude, shortest_period
from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.orbit import Orbit
from lkmrs_dask.synthetic.population import Stars

__all__ = ["LEAST_SCATTER", "with_orbits"]

LEAST_SCATTER = 5.0
"""Least standard deviation (over N) of a variable star's true velocities, in mean errors; a run needs 3."""

_AMPLITUDES = (5.0, 120.0)
_LONGEST, _CIRCULAR = 500.0, 8.0  # d; orbits shorter than the latter are circular
_ATTEMPTS, _STEP = 64, 0.02
_SAME_PERIOD = ("EB", "RSCVn", "RRL")  # the light varies with the orbit, or with the pulsation

Floats = NDArray[np.float64]


def draw_orbits(stars: Stars, which: NDArray[np.int64], draws: Draws, attempt: int) -> Orbit:
    """Draw orbits of some stars.

    P up to 500 d, from 1 d or the shortest that the star's radius allows, or near that of the light for
    eclipsing binaries, RS CVn and RR Lyrae stars; circular below 8 d; K falls with the cube root of P.
    """
    number = stars.number[which]
    tied = np.isin(stars.variable_class[which], _SAME_PERIOD)
    shortest = shortest_period(stars.teff[which], stars.logg[which])
    least = np.maximum(shortest, 1.0)
    period = least * (_LONGEST / least) ** draws.uniform(Purpose.PERIOD, number, attempt)
    # Epochs that are whole numbers of periods apart show nothing: another attempt has another period.
    period = np.where(tied, (1.0 + _STEP * attempt) * stars.variable_period[which], period)
    # Periastron is a (1 - e), and a goes with P**(2/3).
    room = np.clip(1.0 - (shortest / period) ** (2 / 3), 0.0, 1.0)
    eccentricity = np.minimum(0.6 * draws.uniform(Purpose.ECCENTRICITY, number, attempt), room)
    eccentricity = np.where(period < _CIRCULAR, 0.0, eccentricity)
    spread = np.exp(0.5 * draws.normal(Purpose.AMPLITUDE, number))
    amplitude = np.clip(60.0 * period ** (-1 / 3) * spread, *_AMPLITUDES)
    return Orbit(
        period=period,
        amplitude=np.minimum(amplitude, largest_amplitude(period, eccentricity)),
        eccentricity=eccentricity,
        periastron=2 * np.pi * draws.uniform(Purpose.PERIASTRON, number, attempt),
        phase=draws.uniform(Purpose.PHASE, number, attempt),
    )


def with_orbits(stars: Stars, scatter: Callable[[Stars], Floats], rv_error: Floats, draws: Draws) -> Stars:
    """Give variable stars orbits that their epochs show.

    An amplitude is raised until the true velocities at the star's epochs scatter enough; where that asks for
    more than the largest amplitude or mass function another orbit is drawn.  The period of light that varies
    with the orbit becomes the orbit's.

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

    Raises
    ------
    RuntimeError
        Where no attempt finds one.
    """
    elements = [np.full(len(stars), np.nan) for _ in Orbit._fields]
    pending = np.flatnonzero(stars.rv_variable)
    for attempt in range(_ATTEMPTS):
        for values, drawn in zip(elements, draw_orbits(stars, pending, draws, attempt), strict=True):
            values[pending] = drawn
        orbit = Orbit(*elements)
        shown = np.maximum(scatter(replace(stars, orbit=orbit))[pending], 1e-9)
        elements[1][pending] *= np.maximum(LEAST_SCATTER * rv_error[pending] / shown, 1.0)
        most = np.minimum(largest_amplitude(orbit.period, orbit.eccentricity), _AMPLITUDES[1])
        pending = pending[elements[1][pending] > most[pending] * (1.0 + 1e-12)]
        if not len(pending):
            tied = np.isin(stars.variable_class, _SAME_PERIOD)
            light = np.where(tied, orbit.period, stars.variable_period)
            return replace(stars, orbit=orbit, variable_period=light)
    raise RuntimeError(
        f"no orbits of {len(pending)} stars show at their epochs, of star {pending[0]} for one"
    )
