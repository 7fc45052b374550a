"""Keplerian orbits: the radial velocity of the visible star of a binary."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ORBIT_EPOCH", "Orbit", "eccentric_anomaly", "radial_velocity"]

ORBIT_EPOCH = 58000.0
"""Time t0 (BJD_TDB - 2400000.5, d) to which the phases of orbits refer."""

_LAST_STEP = 1e-13
_MOST_STEPS = 50


class Orbit(NamedTuple):
    """Elements of orbits, arrays of one shape.

    Attributes
    ----------
    period : ndarray of float64
        P, days.
    amplitude : ndarray of float64
        K, km/s.
    eccentricity : ndarray of float64
        e.
    periastron : ndarray of float64
        Argument of periastron of the visible star, radians.
    phase : ndarray of float64
        Mean anomaly at `ORBIT_EPOCH`, in turns.
    """

    period: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    eccentricity: NDArray[np.float64]
    periastron: NDArray[np.float64]
    phase: NDArray[np.float64]

    def at(self, index: Any) -> Orbit:
        """Elements at an index, of any kind that numpy knows."""
        return Orbit(*(values[index] for values in self))


def eccentric_anomaly(mean_anomaly: ArrayLike, eccentricity: ArrayLike) -> NDArray[np.float64]:
    """Solve Kepler's equation E - e sin E = M.

    Halley's method from Danby's start, M + 0.85 e sign(sin M), which leads to the root for all e below 1.

    Parameters
    ----------
    mean_anomaly : array_like of float
        Radians, any turn.
    eccentricity : array_like of float
        0 <= e < 1, of a shape that broadcasts.

    Returns
    -------
    ndarray of float64
        Radians, of the turn around `mean_anomaly`.

    Raises
    ------
    ValueError
        For an eccentricity outside of [0, 1), or an anomaly that is not finite.

    References
    ----------
    Danby 1988, "Fundamentals of Celestial Mechanics", section 6.6.
    """
    given, e = np.broadcast_arrays(np.asarray(mean_anomaly, np.float64), np.asarray(eccentricity, np.float64))
    if not (np.isfinite(given).all() and ((e >= 0) & (e < 1)).all()):
        raise ValueError("Kepler's equation needs finite anomalies and eccentricities in [0, 1)")
    turns = 2 * np.pi * np.round(given / (2 * np.pi))
    mean = given - turns
    angle = mean + 0.85 * e * np.sign(np.sin(mean))
    for _ in range(_MOST_STEPS):
        sine, cosine = e * np.sin(angle), e * np.cos(angle)
        value, slope = angle - sine - mean, 1 - cosine
        step = value / (slope - 0.5 * value * sine / slope)
        angle = angle - step
        if np.abs(step).max(initial=0.0) < _LAST_STEP:
            break
    return angle + turns


def radial_velocity(time: NDArray[np.float64], orbit: Orbit) -> NDArray[np.float64]:
    r"""Velocity of the visible star relative to the binary's centre of mass.

    .. math:: v = K [\cos(\nu + \omega) + e \cos\omega], \qquad
              M = 2 \pi \left(\frac{t - t_0}{P} + \varphi\right)

    Parameters
    ----------
    time : ndarray of float64
        Days (BJD_TDB - 2400000.5), of a shape that broadcasts with the orbit's.
    orbit : Orbit
        The orbit, or an array of orbits.

    Returns
    -------
    ndarray of float64
        km/s, positive away from the Sun.
    """
    turns = (time - ORBIT_EPOCH) / orbit.period + orbit.phase
    e = orbit.eccentricity
    anomaly = eccentric_anomaly(2 * np.pi * (turns % 1.0), e)
    true = 2 * np.arctan2(np.sqrt(1 + e) * np.sin(anomaly / 2), np.sqrt(1 - e) * np.cos(anomaly / 2))
    return orbit.amplitude * (np.cos(true + orbit.periastron) + e * np.cos(orbit.periastron))
