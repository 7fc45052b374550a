"""Least squares of harmonics at every frequency of a grid, from transforms of the weights and the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.bands import Bands
from lkmrs_dask.variability.transform import transform_to_grid

__all__ = ["explained_share"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_AT_ONCE = 4096  # frequencies whose equations are solved together: their elements stay in the cache
_RIDGE = 0.005  # times k squared: a smooth curve is preferred where few points would let harmonics run wild


def explained_share(points: Bands, step: float, first: int, last: int, harmonics: int) -> Floats:
    """Share of the weighted variance that harmonics of each frequency take away; each band's mean floats.

    Parameters
    ----------
    points : Bands
    step : float
        Cycles per day.
    first, last : int
        Frequencies are ``step * arange(first, last + 1)``.
    harmonics : int
        How many.

    Returns
    -------
    ndarray of float64, shape (last - first + 1,)
        From 0 to 1.
    """
    time, weights, k = points.time, points.weights, harmonics
    # The window is needed up to twice the highest harmonic, the data and the means up to the highest.
    window = transform_to_grid(time, weights, step, 0, 2 * k * last)
    data = transform_to_grid(time, weights * points.value, step, 0, k * last)
    means = [window]
    if points.n_bands > 1:
        each = [points.band == number for number in range(points.n_bands)]
        means = [transform_to_grid(time[own], weights[own], step, 0, k * last) for own in each]
    power = np.empty(last + 1 - first)
    for start in range(first, last + 1, _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, last + 1))
        normal = _normal([window[m * rows] for m in range(2 * k + 1)], k)
        for mean, share in zip(means, points.shares, strict=True):
            _take_mean(normal, [mean[m * rows] for m in range(1, k + 1)], float(share))
        right = [part for m in range(1, k + 1) for part in _parts(data[m * rows])]
        power[start - first : start - first + len(rows)] = _explained(normal, right)
    shares: Floats = np.clip(power / float(weights @ points.value**2), 0.0, 1.0)
    return shares


def _parts(values: Complexes) -> tuple[Floats, Floats]:
    """Real and imaginary part, each in one piece of memory."""
    return values.real.copy(), values.imag.copy()


def _normal(window: Sequence[Complexes], harmonics: int) -> list[list[Floats]]:
    """Lower half of the matrix, an array over frequencies an element; waves are cos 1, sin 1, cos 2, ..."""
    parts = [_parts(one) for one in window]
    rows: list[list[Floats]] = []
    for a in range(1, harmonics + 1):
        cos_row, sin_row = [], []
        for b in range(1, a + 1):
            (cos_less, sin_less), (cos_more, sin_more) = parts[a - b], parts[a + b]
            cos_row += [0.5 * (cos_less + cos_more), 0.5 * (sin_more - sin_less)]
            sin_row += [0.5 * (sin_more + sin_less), 0.5 * (cos_less - cos_more)]
        charge = _RIDGE * a**2
        cos_row.pop()  # above the diagonal
        cos_row[-1] += charge
        sin_row[-1] += charge
        rows += [cos_row, sin_row]
    return rows


def _take_mean(normal: list[list[Floats]], mean: Sequence[Complexes], share: float) -> None:
    """Take a band's floating mean out of the matrix; its flux has none, so that nothing else changes."""
    waves = [part / np.sqrt(share) for one in mean for part in _parts(one)]
    for row, wave in zip(normal, waves, strict=True):
        for element, other in zip(row, waves, strict=False):
            element -= wave * other


def _explained(normal: list[list[Floats]], right: list[Floats]) -> Floats:
    """Right side times the solution, by L D L' of all matrices at once (LAPACK takes them one by one)."""
    lower: list[list[Floats]] = []
    diagonal: list[Floats] = []
    total = np.zeros(len(right[0]))
    for row, values in zip(normal, right, strict=True):
        factors: list[Floats] = []
        pivot = row[-1]
        for j, before in enumerate(lower):
            element = row[j]
            for k in range(j):
                element -= row[k] * before[k]
            factor = element / diagonal[j]
            pivot -= element * factor
            values -= factor * right[j]
            factors.append(factor)
        lower.append(factors)
        diagonal.append(pivot)
        total += values**2 / pivot
    return total
