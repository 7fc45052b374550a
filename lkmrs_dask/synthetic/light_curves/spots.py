"""Spotted stars that rotate, with and without flares; and weak signals that no class fits."""

from __future__ import annotations

import numpy as np

from lkmrs_dask.synthetic.counters import Purpose
from lkmrs_dask.synthetic.light_curves.signal import (
    SIGNAL_EPOCH,
    Detection,
    Floats,
    Numbers,
    Signal,
    Source,
    harmonic_sum,
    sines,
)

__all__ = ["flares", "hidden", "rotation", "rs_canum_venaticorum", "uncertain"]

_CLEAR = 12.0
_UNCERTAIN = 8.0  # S/N of a single peak: above 5.6, and no more than that
_FLARE_TEFF = 5000.0  # K: cooler stars flare
_FLARE_SHARE = 0.5  # of them
_FLARE_WAIT = 2.0  # days in which there is one flare or none
_ORIGIN = 1 << 31


def rs_canum_venaticorum(source: Source, numbers: Numbers, detection: Detection) -> Signal:
    """Spots of an active binary: 1 to 40 d, more than 1 %, slowly changing."""
    return _spotted(source, numbers, detection, (1.0, 40.0), (1.2, 1.9))


def rotation(source: Source, numbers: Numbers, detection: Detection) -> Signal:
    """Spots of a single star: 0.5 to 25 d, 1 to 10 ppt, slowly changing; cool stars may flare."""
    return _spotted(source, numbers, detection, (0.5, 25.0), (0.0, 1.0))


def _spotted(
    source: Source,
    numbers: Numbers,
    detection: Detection,
    days: tuple[float, float],
    decades: tuple[float, float],
) -> Signal:
    draw = numbers.uniform(Purpose.LIGHT_SHAPE, 8)
    low, high = np.log10(days[0]), np.log10(min(days[1], detection.span / 3.0))
    period = source.period if np.isfinite(source.period) else float(10.0 ** (low + (high - low) * draw[0]))
    usual = float(10.0 ** (decades[0] + (decades[1] - decades[0]) * draw[1]))
    top = max(usual, _CLEAR * detection.floor(1.0 / period))
    # Of a rotation that lasts longer than half of the data only the second harmonic can be seen.
    slow_turn = 2.0 * period > detection.span
    harmonics = 1 if draw[2] < 0.4 and not slow_turn else 2
    frequencies = np.arange(1, harmonics + 1) / period
    second = 0.9 if slow_turn else 0.15 + 0.35 * float(draw[3])
    amplitudes = top * np.array([1.0, second])[:harmonics]
    phases = numbers.uniform(Purpose.LIGHT_PHASE, 3)
    depth = 0.1 + 0.2 * float(draw[4])
    slow = 1.0 / (max(60.0, 6.0 * period) * (1.0 + float(draw[5])))
    flaring = source.teff < _FLARE_TEFF and draw[6] < _FLARE_SHARE

    def flux(time: Floats) -> Floats:
        swing = 1.0 + depth * np.sin(2 * np.pi * (slow * (time - SIGNAL_EPOCH) + phases[2]))
        light = 1.0 + swing * harmonic_sum(time, frequencies, amplitudes, phases[:harmonics])
        return light + flares(time, numbers, 0.5e-3 * top) if flaring else light

    return Signal(period, frequencies, amplitudes, phases[:harmonics], flux, top / usual)


def flares(time: Floats, numbers: Numbers, size: float) -> Floats:
    """Flares: a sudden rise and a decay with an e-folding time of half an hour, one in four days on average.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        BJD_TDB, days, rising.
    numbers : Numbers
        The star's random numbers.
    size : float
        Typical peak, relative flux.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    slot = np.arange(int(np.floor(time[0] / _FLARE_WAIT)), int(np.floor(time[-1] / _FLARE_WAIT)) + 1)
    address = (slot + _ORIGIN) % (1 << 32)
    when = numbers.draws.uniform(Purpose.LIGHT_FLARE, numbers.star, address)
    peak = size * np.exp(numbers.draws.normal(Purpose.LIGHT_FLARE_SIZE, numbers.star, address))
    total = np.zeros_like(time)
    for begin, height in zip((slot + 2 * when)[when < 0.5] * _FLARE_WAIT, peak[when < 0.5], strict=True):
        here = slice(*np.searchsorted(time, [begin, begin + 0.4]))
        total[here] += height * np.exp(-(time[here] - begin) * 48.0)
    return total


def uncertain(source: Source, numbers: Numbers, detection: Detection) -> Signal:
    """One weak peak between 0.3 and 8 cycles a day, detected in the best of the light curves."""
    frequency = 0.3 + 7.7 * float(numbers.uniform(Purpose.LIGHT_FREQUENCY, 1)[0])
    if np.isfinite(source.period):
        frequency = 1.0 / source.period
    return sines(
        [frequency], [_UNCERTAIN * detection.least_floor(frequency)], numbers.uniform(Purpose.LIGHT_PHASE, 1)
    )


def hidden(source: Source, numbers: Numbers, detection: Detection) -> Signal:
    """Constant light; for one star in four a sinusoid of 0.5 to 1.5 times the noise of the best of them."""
    draw = numbers.uniform(Purpose.LIGHT_SHAPE, 2)
    if draw[0] > 0.25:
        return sines([], [], [])
    frequency = 0.3 + 9.7 * float(numbers.uniform(Purpose.LIGHT_FREQUENCY, 1)[0])
    amplitude = (0.5 + float(draw[1])) * detection.least_floor(frequency)
    return sines([frequency], [amplitude], numbers.uniform(Purpose.LIGHT_PHASE, 1))
