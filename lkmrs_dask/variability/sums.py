"""Sums of few sinusoids at many times, and transforms of many times at few frequencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import i0e

from lkmrs_dask.variability.plans import plan_size, prepared_plan

__all__ = ["Sums", "turned"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_PRECISION = 1e-12  # of FINUFFT
_UPSAMPLING = 2.0
_FINE = 2.0  # points a resolution element
_WIDTH = 14  # points onto which a frequency is spread
_BETA = np.pi * _WIDTH * (1.0 - 0.5 / _FINE)
_OFFSETS = np.arange(_WIDTH) - (_WIDTH // 2 - 1)


def turned(angle: Floats) -> Complexes:
    """e^(i angle); sine and cosine apart are several times faster than the complex exponential."""
    out = np.empty(angle.shape, np.complex128)
    np.cos(angle, out=out.real)
    np.sin(angle, out=out.imag)
    return out


class Sums:
    r"""Sums :math:`\sum_j z_j e^{2\pi i f_j t}` at the times; :math:`\sum_n c_n e^{2\pi i f t_n}` at any f.

    Frequencies are spread onto a grid of two points a resolution element by a Kaiser-Bessel kernel, and its
    transform is divided away at the times, which is done once for a light curve.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        Days from the middle of the baseline.
    baseline : float
        Days.
    f_max : float
        Highest frequency that may be asked for, cycles per day; the lowest is 0.

    References
    ----------
    Fessler & Sutton 2003, IEEE Trans. Signal Process. 51, 560 (the kernel and its transform).
    """

    def __init__(self, time: Floats, baseline: float, f_max: float) -> None:
        self._step = 1.0 / (_FINE * baseline)
        self._first = -(_WIDTH // 2)
        last = int(np.ceil(f_max / self._step)) + _WIDTH // 2 + 1
        self._n = plan_size(last - self._first + 1, _UPSAMPLING)
        self._x = np.ascontiguousarray(2.0 * np.pi * self._step * time)
        root = np.sqrt(_BETA**2 - (0.5 * _WIDTH * self._x) ** 2)
        kernel = _WIDTH * np.exp(root - _BETA) * -np.expm1(-2.0 * root) / (2.0 * root)
        # FINUFFT's bins go from -n/2 to n/2: a phase brings them to where they are wanted.
        self._factor = turned((self._first + self._n // 2) * self._x) / kernel

    def _spread(self, frequency: Floats) -> tuple[NDArray[np.int64], Floats]:
        place = frequency / self._step
        whole = np.floor(place)
        distance = (place - whole)[:, None] - _OFFSETS
        root = _BETA * np.sqrt(np.maximum(1.0 - (distance / (0.5 * _WIDTH)) ** 2, 0.0))
        rows = whole.astype(np.int64)[:, None] + (_OFFSETS - self._first)
        return rows, i0e(root) * np.exp(root - _BETA)

    def model(self, frequency: Floats, phasor: Complexes) -> Complexes:
        """Sum of sinusoids at the times, to 1e-11 of the sum of their amplitudes; shape (n,)."""
        rows, kernel = self._spread(frequency)
        modes = np.zeros(self._n, np.complex128)
        np.add.at(modes, rows, phasor[:, None] * kernel)
        plan = prepared_plan(2, self._n, _PRECISION, _UPSAMPLING, self._x)
        values: Complexes = self._factor * plan.execute(modes)
        return values

    def at(self, values: Floats, frequency: Floats) -> Complexes:
        """Transform of values at the times to any frequencies, to 1e-11 of the sum of their absolutes."""
        rows, kernel = self._spread(frequency)
        plan = prepared_plan(1, self._n, _PRECISION, _UPSAMPLING, self._x)
        modes = plan.execute(self._factor * values)
        found: Complexes = (modes[rows] * kernel).sum(axis=1)
        return found
