"""What a star's light does: the form that all kinds of signals share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.orbit import ORBIT_EPOCH, Orbit

__all__ = [
    "RED_TIME",
    "SIGNAL_EPOCH",
    "SUN_LOGG",
    "Detection",
    "Numbers",
    "Signal",
    "Source",
    "fourier",
    "harmonic_sum",
    "sines",
]

Floats = NDArray[np.float64]

SUN_LOGG = 4.438
"""The Sun's log g, dex."""

RED_TIME = 0.25
"""Correlation time of red noise in light curves, days."""

SIGNAL_EPOCH = 2400000.5 + ORBIT_EPOCH
"""BJD_TDB to which phases refer, the same as for orbits."""


@dataclass(frozen=True)
class Source:
    """A star, as far as its light curves depend on it.

    Parameters
    ----------
    number : int
        Address of the star in random numbers.
    uid : str
        LAMOST's identifier.
    kic, tic : int
        KIC or EPIC, and TIC; 0 where the mission has no light curve of it.
    ra, dec : float
        J2000, deg.
    pmra, pmdec : float
        mas/yr.
    g, bp_rp : float
        Gaia's magnitude and colour.
    teff, logg, feh : float
        K, dex, dex.
    variable_class : str
        Empty for a star that is constant, or varies below detection.
    period : float
        Days; NaN lets the signal choose.
    orbit : Orbit
        Of floats, NaN for a single star.
    """

    number: int
    uid: str
    kic: int
    tic: int
    ra: float
    dec: float
    pmra: float
    pmdec: float
    g: float
    bp_rp: float
    teff: float
    logg: float
    feh: float
    variable_class: str
    period: float
    orbit: Orbit


@dataclass(frozen=True)
class Detection:
    """What the data of a star can show.

    Parameters
    ----------
    white_ppt : float
        Mean level of white noise in the amplitude spectrum, in the worst of the star's light curves.
    red_ppt : float
        That of red noise, at low frequencies.
    span : float
        Days of the shortest light curve.
    highest : float
        Frequency (1/d) up to which all of them sample it: the Nyquist frequency of the slowest.
    white_least_ppt, red_least_ppt : float
        The levels in the best of the light curves.
    """

    white_ppt: float
    red_ppt: float
    span: float
    highest: float
    white_least_ppt: float
    red_least_ppt: float

    def floor(self, frequency: float) -> float:
        """Mean noise (ppt) in the amplitude spectrum at a frequency (1/d)."""
        return _level(self.white_ppt, self.red_ppt, frequency)

    def least_floor(self, frequency: float) -> float:
        """The same in the best of the star's light curves."""
        return _level(self.white_least_ppt, self.red_least_ppt, frequency)


def _level(white: float, red: float, frequency: float) -> float:
    return float(np.hypot(white, red / np.hypot(1.0, 2 * np.pi * frequency * RED_TIME)))


class Numbers:
    """Random numbers of one star.

    Parameters
    ----------
    draws : Draws
        Those of the survey.
    star : int
        The star's address.
    """

    def __init__(self, draws: Draws, star: int) -> None:
        self.draws, self.star = draws, star

    def uniform(self, purpose: Purpose, count: int) -> Floats:
        """So many uniform numbers in (0, 1)."""
        return self.draws.uniform(purpose, self.star, np.arange(count))

    def normal(self, purpose: Purpose, count: int) -> Floats:
        """So many normal numbers."""
        return self.draws.normal(purpose, self.star, np.arange(count))


@dataclass(frozen=True, eq=False)
class Signal:
    """The truth about a star's light.

    Parameters
    ----------
    period : float
        Days; NaN for a constant star.
    frequencies, amplitudes, phases : ndarray of float64, shape (n,)
        1/d, ppt, turns: the light is 1 + 0.001 sum A sin(2 pi (f (t - `SIGNAL_EPOCH`) + phase)).  For
        eclipses their first harmonics; for solar-like modes, whose phase is random, the phases are NaN.
        Amplitudes are those before the exposure smears them.
    flux : callable
        BJD_TDB (days, shape (m,)) to relative flux.
    boost : float
        By how much amplitudes exceed those usual for the class, so that the signal is detected.
    nu_max, delta_nu : float
        uHz; NaN but for red giants.
    """

    period: float
    frequencies: Floats
    amplitudes: Floats
    phases: Floats
    flux: Callable[[Floats], Floats]
    boost: float = 1.0
    nu_max: float = np.nan
    delta_nu: float = np.nan


def harmonic_sum(time: Floats, frequencies: Floats, amplitudes: Floats, phases: Floats) -> Floats:
    """Sum of sinusoids.

    Parameters
    ----------
    time : ndarray of float64, shape (m,)
        BJD_TDB, days.
    frequencies, amplitudes, phases : ndarray of float64, shape (n,)
        1/d, ppt, turns.

    Returns
    -------
    ndarray of float64, shape (m,)
        Relative flux around 0.
    """
    since, total = time - SIGNAL_EPOCH, np.zeros_like(time)
    for frequency, amplitude, phase in zip(frequencies, amplitudes, phases, strict=True):
        total += amplitude * np.sin(2 * np.pi * ((frequency * since + phase) % 1.0))
    return 1e-3 * total


def sines(
    frequencies: Sequence[float] | Floats,
    amplitudes: Sequence[float] | Floats,
    phases: Sequence[float] | Floats,
    boost: float = 1.0,
) -> Signal:
    """Signal of sinusoids; its period is that of the strongest.  Arguments as of `Signal`."""
    f, a, p = (np.asarray(values, dtype=np.float64) for values in (frequencies, amplitudes, phases))
    period = float(1.0 / f[np.argmax(a)]) if len(f) else np.nan
    return Signal(period, f, a, p, lambda time: 1.0 + harmonic_sum(time, f, a, p), boost)


def fourier(
    flux_of_phase: Callable[[Floats], Floats], period: float, phase_zero: float, count: int
) -> tuple[Floats, Floats, Floats]:
    """First harmonics of a periodic signal.

    Parameters
    ----------
    flux_of_phase : callable
        Turns in [0, 1) to flux.
    period : float
        Days.
    phase_zero : float
        Phase (turns) at `SIGNAL_EPOCH`.
    count : int
        How many harmonics.

    Returns
    -------
    frequencies, amplitudes, phases : ndarray of float64, shape (count,)
        1/d, ppt, turns, for sines.
    """
    steps = 8192
    harmonic = np.arange(1, count + 1)
    series = np.fft.rfft(flux_of_phase(np.arange(steps) / steps))[harmonic] * 2.0 / steps
    # c exp(2 pi i k x) has the real part |c| sin(2 pi k x + angle + pi / 2).
    turns = np.angle(series) / (2 * np.pi) + 0.25 + harmonic * phase_zero
    return harmonic / period, 1e3 * np.abs(series), turns % 1.0
