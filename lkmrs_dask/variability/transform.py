"""Transforms of a light curve and of its window, and their values between the points of the grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.grid import FrequencyGrid
from lkmrs_dask.variability.series import Series

__all__ = [
    "EXACT",
    "PAD",
    "QUICK",
    "TAPS",
    "GridTransform",
    "Transforms",
    "interpolate",
    "transform_at",
    "transform_to_grid",
]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

TAPS = 10
"""Points of the grid from which a value between them is interpolated (a polynomial of degree 9)."""

PAD = 16
"""Bins beyond either end of the grid that are kept for interpolation."""

_PRECISION = 1e-9  # of FINUFFT; the polynomial is good to 2e-9 at ten points a resolution element

EXACT, QUICK = 1e-11, 1e-8
"""Precisions of transforms to any points: of the last iteration, and of those before."""

_NODES = np.arange(TAPS) - (TAPS // 2 - 1)
_MONOMIALS = np.linalg.inv(np.vander(_NODES.astype(np.float64), increasing=True))
_POWERS = np.arange(TAPS)


class GridTransform:
    r"""The transform :math:`\sum_n c_n e^{2\pi i f t_n}` at whole multiples of a step, for one set of times.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        Days from the middle of the baseline.
    step : float
        Cycles per day.
    first, last : int
        From which to which multiple.
    """

    def __init__(self, time: Floats, step: float, first: int, last: int) -> None:
        from finufft import Plan

        n = last - first + 1
        # The plan keeps the points: what does not depend on the values is done once.
        self._x = np.ascontiguousarray(2.0 * np.pi * step * time)
        self._plan = Plan(1, (n,), isign=1, eps=_PRECISION, nthreads=1, upsampfac=1.25)
        self._plan.setpts(self._x)
        # FINUFFT's bins go from -n/2 to n/2: a phase brings them to where they are wanted.
        self._phase = np.exp(1j * ((first + n // 2) * self._x))
        self._strengths = np.empty(len(time), np.complex128)

    def __call__(self, values: Floats) -> Complexes:
        """Transform real values of shape (n,); shape (last - first + 1,)."""
        np.multiply(self._phase, values, out=self._strengths)
        result: Complexes = self._plan.execute(self._strengths)
        return result


def transform_to_grid(time: Floats, values: Floats, step: float, first: int, last: int) -> Complexes:
    """Transform once; see `GridTransform`."""
    return GridTransform(time, step, first, last)(values)


def transform_at(points: Floats, strengths: Any, targets: Floats, precision: float = EXACT) -> Complexes:
    r"""Transform to any points, :math:`\sum_n c_n e^{i s_k x_n}`.

    Parameters
    ----------
    points : ndarray of float64, shape (n,)
        x.
    strengths : ndarray of complex128, shape (n,) or (m, n)
        c.
    targets : ndarray of float64, shape (k,)
        s.
    precision : float
        Error as a share of the sum of absolute strengths.
    """
    import finufft

    result: Complexes = finufft.nufft1d3(
        points, np.ascontiguousarray(strengths, np.complex128), targets, isign=1, eps=precision, nthreads=1
    )
    return result


def interpolation_weights(fraction: Floats, derivative: int = 0) -> Floats:
    """Weights of the `TAPS` points around, for a fraction of a bin from 0 to 1; shape (n, TAPS)."""
    power = _POWERS[derivative:]
    factor = np.ones(len(power))
    for k in range(derivative):
        factor *= power - k
    monomials = np.asarray(fraction)[..., None] ** (power - derivative) * factor
    weights: Floats = monomials @ _MONOMIALS[derivative:]
    return weights


def interpolate(values: Complexes, place: Floats, derivatives: int = 0) -> Complexes:
    """Values and derivatives between the points of a grid whose first value is of bin ``-PAD``.

    Parameters
    ----------
    values : ndarray of complex128, shape (n,)
    place : ndarray of float64, shape (k,)
        In bins, from 0 to n - 2 PAD.
    derivatives : int
        How many derivatives by the place are wanted.

    Returns
    -------
    ndarray of complex128, shape (1 + derivatives, k)
        To 2e-9 of the sum of absolute strengths for ten points a resolution element, 3e-6 for five.
    """
    whole = np.floor(place)
    around = values[(whole.astype(np.int64) + (PAD + _NODES[0]))[:, None] + _POWERS]
    fraction = place - whole
    coefficients = around @ _MONOMIALS.T
    out = np.empty((1 + derivatives, len(place)), np.complex128)
    for order in range(1 + derivatives):
        # Horner's rule: few points, so that what counts is the number of calls.
        power = _POWERS[order:]
        factor = np.ones(len(power))
        for k in range(order):
            factor *= power - k
        total = coefficients[:, -1] * factor[-1]
        for k in range(len(power) - 2, -1, -1):
            total = total * fraction + coefficients[:, order + k] * factor[k]
        out[order] = total
    return out


class Transforms:
    """Transforms of the flux and of the window of a light curve, each taken once.

    Parameters
    ----------
    series : Series
    grid : FrequencyGrid

    Attributes
    ----------
    data : ndarray of complex128
        Of weights times flux, bins from -PAD to last + PAD.
    window : ndarray of complex128
        Of the weights, bins from -PAD to 2 (last + PAD): sums of frequencies are asked for.
    """

    def __init__(self, series: Series, grid: FrequencyGrid) -> None:
        self.series = series
        self.grid = grid
        self.turn = 2.0 * np.pi * grid.step * series.time
        self._to_grid = GridTransform(series.time, grid.step, -PAD, grid.last + PAD)
        self.data = self._to_grid(series.weights * series.flux)
        self.window = transform_to_grid(series.time, series.weights, grid.step, -PAD, 2 * (grid.last + PAD))
        self.variance = float(series.weights @ series.flux**2)

    def of(self, residual: Floats) -> Complexes:
        """Transform of other values at the same times, bins from -PAD to last + PAD."""
        return self._to_grid(self.series.weights * residual)

    def window_at(self, place: Floats, derivatives: int = 0) -> Complexes:
        """Window's transform and its derivatives by the bin, at places of either sign."""
        values = interpolate(self.window, np.abs(place), derivatives)
        # Of real weights: S(-f) is the conjugate of S(f); an odd derivative changes its sign besides.
        below = place < 0
        if below.any():
            values[:, below] = values[:, below].conj()
            values[1::2, below] *= -1.0
        return values

    def model(self, place: Floats, phasor: Complexes, mean: float, precision: float = EXACT) -> Floats:
        r"""Mean plus :math:`\sum_j \mathrm{Re}(z_j e^{2\pi i f_j t})` at the times."""
        if len(place) == 0:
            return np.full(len(self.turn), mean)
        values: Floats = transform_at(place, phasor, self.turn, precision).real + mean
        return values
