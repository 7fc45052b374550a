"""Transforms of a light curve and of its window, and their values between the points of the grid."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.grid import FrequencyGrid
from lkmrs_dask.variability.plans import plan_size, prepared_plan
from lkmrs_dask.variability.series import Series
from lkmrs_dask.variability.sums import Sums, turned

__all__ = [
    "PAD",
    "TAPS",
    "GridTransform",
    "Transforms",
    "interpolate",
    "interpolation_weights",
    "transform_to_grid",
]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

TAPS = 10
"""Points of the grid from which a value between them is interpolated (a polynomial of degree 9)."""

PAD = 16
"""Bins beyond either end of the grid that are kept for interpolation."""

_PRECISION = 1e-9  # of FINUFFT; the polynomial is good to 2e-9 at ten points a resolution element
_UPSAMPLING = 1.25

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
        self._n = last - first + 1
        self._modes = plan_size(self._n, _UPSAMPLING)
        self._x = np.ascontiguousarray(2.0 * np.pi * step * time)
        # FINUFFT's bins go from -n/2 to n/2: a phase brings them to where they are wanted.
        self._phase = turned((first + self._modes // 2) * self._x)
        self._strengths = np.empty(len(time), np.complex128)

    def __call__(self, values: Floats) -> Complexes:
        """Transform real values of shape (n,); shape (last - first + 1,)."""
        np.multiply(self._phase, values, out=self._strengths)
        plan = prepared_plan(1, self._modes, _PRECISION, _UPSAMPLING, self._x)
        result: Complexes = plan.execute(self._strengths)[: self._n]
        return result


def transform_to_grid(time: Floats, values: Floats, step: float, first: int, last: int) -> Complexes:
    """Transform once; see `GridTransform`."""
    return GridTransform(time, step, first, last)(values)


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
    turn : ndarray of float64
        Angle by which a sinusoid of one bin's frequency has turned at the times.
    data : ndarray of complex128
        Of weights times flux, bins from -PAD to last + PAD.
    variance : float
        Of the flux.
    """

    def __init__(self, series: Series, grid: FrequencyGrid) -> None:
        self.series = series
        self.grid = grid
        self.turn = 2.0 * np.pi * grid.step * series.time
        self._to_grid = GridTransform(series.time, grid.step, -PAD, grid.last + PAD)
        self.data = self._to_grid(series.weights * series.flux)
        self.variance = float(series.weights @ series.flux**2)

    @cached_property
    def window(self) -> Complexes:
        """Of the weights, bins from -PAD to 2 (last + PAD): sums of frequencies are asked for.

        A light curve in which nothing is found needs none.
        """
        series, grid = self.series, self.grid
        return transform_to_grid(series.time, series.weights, grid.step, -PAD, 2 * (grid.last + PAD))

    @cached_property
    def _sums(self) -> Sums:
        return Sums(self.series.time, self.series.baseline, self.grid.step * (self.grid.last + 1))

    def of(self, residual: Floats) -> Complexes:
        """Transform of other values at the same times, bins from -PAD to last + PAD."""
        return self._to_grid(self.series.weights * residual)

    def at(self, values: Floats, place: Floats) -> Complexes:
        """Transform of values at the times to any places, without the weights."""
        return self._sums.at(values, self.grid.step * place)

    def window_at(self, place: Floats, derivatives: int = 0) -> Complexes:
        """Window's transform and its derivatives by the bin, at places of either sign."""
        values = interpolate(self.window, np.abs(place), derivatives)
        # Of real weights: S(-f) is the conjugate of S(f); an odd derivative changes its sign besides.
        below = place < 0
        if below.any():
            values[:, below] = values[:, below].conj()
            values[1::2, below] *= -1.0
        return values

    def model(self, place: Floats, phasor: Complexes, mean: float) -> Floats:
        r"""Mean plus :math:`\sum_j \mathrm{Re}(z_j e^{2\pi i f_j t})` at the times."""
        if len(place) == 0:
            return np.full(len(self.turn), mean)
        values: Floats = self._sums.model(self.grid.step * place, phasor).real + mean
        return values
