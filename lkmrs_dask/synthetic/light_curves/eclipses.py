"""Eclipsing binaries, in step with their spectroscopic orbits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lkmrs_dask.synthetic.counters import Purpose
from lkmrs_dask.synthetic.light_curves.signal import (
    SIGNAL_EPOCH,
    SUN_LOGG,
    Detection,
    Floats,
    Numbers,
    Signal,
    Source,
    fourier,
)

__all__ = ["Contact", "Detached", "conjunctions", "eclipsing"]

_HARMONICS = 10  # listed in the truth
_CLEAR = 14.0  # S/N of the strongest of the first harmonics at least
_DEEPEST = 0.75
_CONTACT_SIZE = 0.75  # sum of the radii over the separation from which the pair is in contact
_LEAST_WIDTH = 0.008  # half-width (turns): 8 cadences of 2 min a day


@dataclass(frozen=True)
class Detached:
    """Two eclipses on an ellipsoidal variation.

    Parameters
    ----------
    depths : tuple of float
        Of the primary eclipse (at phase 0) and the secondary one, in flux.
    width : float
        Half-width of both, turns.
    second : float
        Phase of the secondary eclipse.
    ellipsoidal : float
        Half amplitude at twice the orbital frequency.
    flat : float
        Share of the width in which an eclipse is total: 0 is an ellipse, near 1 a box.
    """

    depths: tuple[float, float]
    width: float
    second: float
    ellipsoidal: float
    flat: float

    def __call__(self, phase: Floats) -> Floats:
        """Relative flux at phases (turns)."""
        flux = 1.0 - self.ellipsoidal * np.cos(4 * np.pi * phase)
        for depth, middle in zip(self.depths, (0.0, self.second), strict=True):
            away = np.abs((phase - middle + 0.5) % 1.0 - 0.5) / self.width
            slope = np.clip((away - self.flat) / (1.0 - self.flat), 0.0, 1.0)
            flux -= depth * np.sqrt(1.0 - slope**2)
        return flux


@dataclass(frozen=True)
class Contact:
    """Two stars that touch: cosines of the phase, the primary minimum at 0 the deeper one.

    Parameters
    ----------
    second, first, fourth : float
        Amplitudes at twice, once and four times the orbital frequency, in flux.
    """

    second: float
    first: float
    fourth: float

    def __call__(self, phase: Floats) -> Floats:
        """Relative flux at phases (turns)."""
        angle = 2 * np.pi * phase
        return (
            1.0
            - self.second * np.cos(2 * angle)
            - self.first * np.cos(angle)
            - self.fourth * np.cos(4 * angle)
        )


def conjunctions(eccentricity: float, periastron: float) -> tuple[float, float]:
    """Mean anomalies of the two conjunctions.

    Parameters
    ----------
    eccentricity : float
        e, 0 <= e < 1.
    periastron : float
        Argument of periastron of the visible star, radians.

    Returns
    -------
    primary, secondary : float
        Turns in [0, 1): with the visible star behind its companion (true anomaly + periastron = 90 deg), and
        in front of it (270 deg).
    """
    anomalies = []
    for angle in (0.5 * np.pi, 1.5 * np.pi):
        true = angle - periastron
        eccentric = 2 * np.arctan2(
            np.sqrt(1 - eccentricity) * np.sin(true / 2), np.sqrt(1 + eccentricity) * np.cos(true / 2)
        )
        anomalies.append(float((eccentric - eccentricity * np.sin(eccentric)) / (2 * np.pi) % 1.0))
    return anomalies[0], anomalies[1]


def eclipsing(source: Source, numbers: Numbers, detection: Detection) -> Signal:
    """Eclipses of the star's own orbit: the visible star is behind at the primary one.

    Radii follow from log g, with a companion of 0.4 to 1 of the star's radius, and masses of one Sun each.
    Pairs too close for that are in contact.
    """
    orbit, draw = source.orbit, numbers.uniform(Purpose.LIGHT_SHAPE, 8)
    period = float(orbit.period if np.isfinite(orbit.period) else source.period)
    if not np.isfinite(period):
        period = 10.0 ** (-0.3 + 1.2 * float(draw[7]))
    eccentricity = float(np.nan_to_num(orbit.eccentricity))
    primary, secondary = conjunctions(eccentricity, float(np.nan_to_num(orbit.periastron)))
    radius = np.sqrt(10.0 ** (SUN_LOGG - source.logg))  # of the Sun
    separation = 4.208 * 2.0 ** (1 / 3) * period ** (2 / 3)  # Kepler's third law, radii of the Sun
    size = radius * (1.4 + 0.6 * draw[0]) / separation
    if size > _CONTACT_SIZE:
        amplitude = 0.06 + 0.16 * float(draw[1])
        shape: Contact | Detached = Contact(
            amplitude, amplitude * (0.05 + 0.2 * float(draw[2])), 0.2 * amplitude
        )
    else:
        depth = float(10.0 ** (-1.3 + 1.0 * draw[1]))
        shape = Detached(
            depths=(depth, depth * float(0.1 + 0.85 * draw[2])),
            width=max(_LEAST_WIDTH, float(np.arcsin(0.95 * size)) / (2 * np.pi)),
            second=(secondary - primary) % 1.0,
            ellipsoidal=0.15 * min(1.0, float(radius / separation)) ** 3,
            flat=0.7 * float(draw[3]) if draw[4] < 0.5 else 0.0,
        )
    # Phase of the light at the epoch: the orbit's less that of the primary conjunction.
    zero = (float(orbit.phase if np.isfinite(orbit.phase) else draw[5]) - primary) % 1.0
    return _detectable(shape, period, zero, detection)


def _detectable(shape: Contact | Detached, period: float, zero: float, detection: Detection) -> Signal:
    """The signal, deep enough to be detected as far as an eclipse can be deep."""
    listed = fourier(shape, period, zero, _HARMONICS)
    best = float((listed[1] / [detection.floor(f) for f in listed[0]]).max())
    boost = max(1.0, _CLEAR / best)
    deepest = max(shape.depths) if isinstance(shape, Detached) else 2.5 * shape.second
    boost = min(boost, max(1.0, _DEEPEST / deepest))

    def flux(time: Floats) -> Floats:
        phase = ((time - _epoch(period, zero)) / period) % 1.0
        return 1.0 + boost * (shape(phase) - 1.0)

    return Signal(period, listed[0], boost * listed[1], listed[2], flux, boost)


def _epoch(period: float, zero: float) -> float:
    """Time (BJD_TDB) of a primary eclipse."""
    return SIGNAL_EPOCH - zero * period
