"""The frequency of which those of a light curve are multiples: its period, and what only looks like one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from lkmrs_dask.variability.shape import folded_shape

__all__ = ["base_frequency", "multiples_of", "nyquist_frequency", "simplest_base"]

Floats = NDArray[np.float64]

_MULTIPLES = 20  # of the base frequency that the strongest one may be
_CHANCE = np.log(1e-4)  # a lower base must explain the frequencies this much better than chance
_NARROWEST = 150  # harmonics of half the base that eclipses may have
_UNEVEN = 1e-4  # relative change of the cadence in a year: the speed of the Earth over that of light


def nyquist_frequency(time: Floats) -> float:
    """Half the sampling frequency, 1/d, by the median interval of rising times, d; NaN without one."""
    step = float(np.median(np.diff(time))) if len(time) > 1 else 0.0
    return 0.5 / step if step > 0 else np.nan


def base_frequency(
    frequency: Floats, amplitude: Floats, tolerance: float, nyquist: float = np.nan
) -> tuple[float, NDArray[np.bool_]]:
    """Find the frequency of which the strongest one, and as many others as possible, are multiples.

    The strongest frequency of a binary is often twice that of the orbit, and with narrow eclipses any
    multiple.  A lower base is taken only where chance would not make as many multiples of it.

    Harmonics beyond the Nyquist frequency are seen reflected, at ``2 j nyquist - m base``.  Often they are
    near multiples of a lower base, all of them: the cadence decides that, not the star.  So what reflections
    of a base, or of half of it, can explain does not speak for a lower one.

    Parameters
    ----------
    frequency, amplitude : ndarray of float64, shape (n,)
        1/d, and any unit.
    tolerance : float
        Largest distance (1/d) of a frequency from the multiple that it is.
    nyquist : float
        Half the sampling frequency, 1/d; NaN, or frequencies beyond it, for uneven sampling, which reflects
        nothing.

    Returns
    -------
    base : float
        1/d; NaN without frequencies.
    multiple : ndarray of bool, shape (n,)
        Which are multiples of it.
    """
    if len(frequency) == 0:
        return np.nan, np.zeros(0, bool)
    main = float(frequency[np.argmax(amplitude)])
    best = (main, multiples_of(frequency, main, tolerance))
    # The first lower base is half the strongest: of a binary with two dips alike an orbit.
    half = multiples_of(frequency, 0.5 * main, tolerance)
    seen = half | ~_reflections(frequency, main, tolerance, nyquist)
    for k in range(2, _MULTIPLES + 1):
        base = main / k
        if base < 4.0 * tolerance:
            break
        multiple = multiples_of(frequency, base, tolerance)
        gained = _score(multiple, base, seen, tolerance, k) - _score(
            best[1], best[0], seen, tolerance, round(main / best[0])
        )
        if gained < _CHANCE:
            best = base, multiple
            seen = half | ~_reflections(frequency, base, tolerance, nyquist)
    return best


def _score(
    multiple: NDArray[np.bool_], base: float, seen: NDArray[np.bool_], tolerance: float, k: int
) -> float:
    """Logarithm of the chance of so many multiples; the strongest frequency itself does not count.

    The many bases that are tried cost their number, k.
    """
    hits, of = int((multiple & seen).sum()) - 1, int(seen.sum()) - 1
    return _log_chance(hits, of, min(1.0, 2.0 * tolerance / base)) + float(np.log(k))


def _reflections(frequency: Floats, base: float, tolerance: float, nyquist: float) -> NDArray[np.bool_]:
    """Which are no multiples of a base, but reflections of multiples of half of it."""
    if not nyquist > base or frequency.max() > 1.01 * nyquist:
        return np.zeros(len(frequency), bool)
    near = np.maximum(2.0 * tolerance, _UNEVEN * 2.0 * nyquist)
    beyond = 0.5 * base * np.arange(np.ceil(2.0 * nyquist / base), _NARROWEST + 1.0)
    if len(beyond) == 0:
        return np.zeros(len(frequency), bool)
    seen_at = np.abs(beyond - 2.0 * nyquist * np.rint(beyond / (2.0 * nyquist)))
    away = np.abs(frequency[:, None] - seen_at).min(axis=1)
    return (away <= near) & ~multiples_of(frequency, base, tolerance)


def _log_chance(hits: int, of: int, chance: float) -> float:
    """Logarithm of the probability of so many hits or more."""
    return float(np.log(max(bdtrc(hits - 1, of, chance), 1e-300))) if hits > 0 else 0.0


def multiples_of(frequency: Floats, base: float, tolerance: float | Floats) -> NDArray[np.bool_]:
    """Which frequencies are multiples of a base, itself included, within a tolerance or each its own, 1/d."""
    order = np.rint(frequency / base)
    return (order >= 1) & (np.abs(frequency - order * base) <= tolerance)


def simplest_base(time: Floats, flux: Floats, main: float, base: float) -> float:
    """Take the highest base, of which a given one is a part, whose folded curve leaves no more variance.

    Parameters
    ----------
    time, flux : ndarray of float64, shape (n,)
        Days, rising, and any unit; finite.
    main, base : float
        The strongest frequency, and that of which it is a multiple, 1/d.

    Returns
    -------
    float
        The base itself where `main` is less than three times as high, or the curve cannot be folded.
    """
    k = round(main / base) if base > 0 and np.isfinite(main) else 0
    rest = folded_shape(time, flux, 1.0 / base).fold_rest if k >= 3 else np.nan
    if np.isfinite(rest):
        for part in (one for one in range(1, k) if k % one == 0):
            if folded_shape(time, flux, part / main).fold_rest <= rest:
                return main / part
    return base
