"""Joint least squares of all sinusoids, without a pass over the data.

Normal equations are values of the window's transform at sums and differences of frequencies, and right-hand
sides are values of the data's: an iteration takes no longer for more data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from lkmrs_dask.variability.transform import PAD, Transforms, interpolate

__all__ = ["Sinusoids", "fit_in_frequency", "fit_in_time", "normal_matrix", "residual_variance"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_MOST_ROUNDS = 12
_MOST_EXCESS = 100.0
_MOST_STEP = 3.0  # bins that a frequency may go in one step
_EXPECTED = 1e-4  # of the variance of one point: 0.01 sigma of a parameter
_ONE = 0.5  # |S(2 f)| from which a frequency and its image are held together, lest amplitudes run away


@dataclass(frozen=True)
class Sinusoids:
    r"""A mean and sinusoids, :math:`m + \sum_j \mathrm{Re}(z_j e^{2\pi i f_j t})`.

    Parameters
    ----------
    place : ndarray of float64, shape (n,)
        Frequencies in bins of the grid.
    phasor : ndarray of complex128, shape (n,)
        z: amplitude times e^(i phase).
    mean : float
    """

    place: Floats
    phasor: Complexes
    mean: float = 0.0

    def __len__(self) -> int:
        return len(self.place)

    def moved(self, step: Floats) -> Sinusoids:
        """After a step in (mean, cosines, sines, places)."""
        n = len(self)
        cosine, sine, place = step[1 : n + 1], step[n + 1 : 2 * n + 1], step[2 * n + 1 :]
        return Sinusoids(self.place + place, self.phasor + cosine - 1j * sine, self.mean + float(step[0]))

    def lies_within(self, last: float) -> bool:
        """Whether all places are above 0 and below the last."""
        return bool(self.place.min() > 0.0 and self.place.max() < last)

    def chosen(self, keep: NDArray[np.bool_]) -> Sinusoids:
        """Some of them; the mean is 0 without any, for the flux has none of its own."""
        return Sinusoids(self.place[keep], self.phasor[keep], self.mean if keep.any() else 0.0)


@dataclass(frozen=True)
class _Normal:
    """Normal equations: matrix, right-hand side of the residual, and the residual's variance."""

    matrix: Floats
    right: Floats
    variance: float

    def held(self, phasor: Complexes, loose: Floats) -> _Normal:
        """With a prior: some amplitudes are not expected to be larger than the flux varies.

        What is minimised is the logarithm of the variance plus the sum of `loose` times the squares of the
        amplitudes; `variance` becomes the exponential of that.
        """
        if not loose.any():
            return self
        n = len(phasor)
        matrix, right = self.matrix.copy(), self.right.copy()
        weight = max(self.variance, 0.0) * loose
        parts = np.arange(1, 2 * n + 1)
        matrix[parts, parts] += np.tile(weight, 2)
        right[parts] -= np.tile(weight, 2) * np.concatenate([phasor.real, -phasor.imag])
        excess = float(np.exp(min(loose @ np.abs(phasor) ** 2, _MOST_EXCESS)))
        return _Normal(matrix, right, self.variance * excess)


class _Window:
    """The window's transform and its moments at sums and differences of frequencies."""

    def __init__(self, transforms: Transforms, place: Floats) -> None:
        n = len(place)
        i, j = np.triu_indices(n)
        values = transforms.window_at(np.concatenate([place[i] + place[j], place[i] - place[j], place]), 2)
        # Derivatives by the bin are transforms of (i turn)^k times the weights.
        values[1] *= -1j
        values[2] *= -1.0
        pairs = len(i)
        self.single = values[:, 2 * pairs :]
        self.plus = np.empty((3, n, n), np.complex128)
        self.minus = np.empty((3, n, n), np.complex128)
        self.plus[:, i, j] = self.plus[:, j, i] = values[:, :pairs]
        self.minus[:, j, i] = values[:, pairs : 2 * pairs].conj()
        self.minus[:, i, j] = values[:, pairs : 2 * pairs]

    def matrix(self, phasor: Complexes) -> Floats:
        """Of inner products of 1, cosines, sines and the derivatives by the places."""
        n = len(phasor)
        factor = _factors(phasor)
        matrix = np.empty((3 * n + 1, 3 * n + 1))
        matrix[0, 0] = 1.0
        matrix[0, 1:] = matrix[1:, 0] = (factor * _three(self.single)).real
        plus, minus = _blocks(self.plus), _blocks(self.minus)
        matrix[1:, 1:] = 0.5 * (factor[:, None] * (factor * plus + factor.conj() * minus)).real
        return matrix


def _factors(phasor: Complexes) -> Complexes:
    """Parameters' derivatives are Re(factor turn^k e^(i place turn))."""
    ones = np.ones(len(phasor))
    return np.concatenate([ones, -1j * ones, 1j * phasor])


def _three(moments: Complexes) -> Complexes:
    return np.concatenate([moments[0], moments[0], moments[1]])


def _blocks(m: Complexes) -> Complexes:
    n = m.shape[1]
    out = np.empty((3 * n, 3 * n), np.complex128)
    out[:n, :n] = out[:n, n : 2 * n] = out[n : 2 * n, :n] = out[n : 2 * n, n : 2 * n] = m[0]
    out[:n, 2 * n :] = out[n : 2 * n, 2 * n :] = m[1]
    out[2 * n :, :n] = out[2 * n :, n : 2 * n] = m[1]
    out[2 * n :, 2 * n :] = m[2]
    return out


def _loose(transforms: Transforms, place: Floats) -> Floats:
    """Weights of the prior: 1 / (points x variance of the flux) where a frequency overlaps with its image.

    There amplitudes of any height that cancel each other fit as well, and are worth as little.
    """
    image = np.abs(transforms.window[np.rint(2.0 * place).astype(np.int64) + PAD])
    return np.where(image >= _ONE, 1.0 / (len(transforms.turn) * transforms.variance), 0.0)


def residual_variance(transforms: Transforms, found: Sinusoids) -> float:
    """Weighted mean square of what sinusoids leave of the flux."""
    return _in_frequency(transforms, found).variance


def _in_frequency(transforms: Transforms, now: Sinusoids) -> _Normal:
    window = _Window(transforms, now.place)
    data = interpolate(transforms.data, now.place, 1)
    data[1] *= -1j
    z, m = now.phasor, now.mean
    left = data - m * window.single[:2] - 0.5 * (window.plus[:2] @ z + window.minus[:2] @ z.conj())
    centre = -m - float((z * window.single[0]).real.sum())  # the flux has no mean of its own
    right = np.concatenate([[centre], (_factors(z) * _three(left)).real])
    variance = transforms.variance - float((z * (data[0] + left[0])).real.sum()) - m * centre
    return _Normal(window.matrix(z), right, variance)


def _step(normal: _Normal, damping: float) -> Floats | None:
    """Solve; None where the matrix is not positive definite."""
    diagonal = np.diag(normal.matrix)
    if not np.all(diagonal > 0):
        return None
    scale = 1.0 / np.sqrt(diagonal)
    scaled = normal.matrix * np.outer(scale, scale)
    scaled[np.diag_indices_from(scaled)] += damping
    try:
        step: Floats = scale * cho_solve(
            cho_factor(scaled, check_finite=False), scale * normal.right, check_finite=False
        )
    except LinAlgError:
        return None
    return step


def fit_in_frequency(transforms: Transforms, start: Sinusoids, least_gain: float = _EXPECTED) -> Sinusoids:
    """Levenberg-Marquardt on the transforms until a step gains little.

    Parameters
    ----------
    transforms : Transforms
    start : Sinusoids
        Within about half a resolution element of the best places.
    least_gain : float
        Decrease of the residual's sum of squares, in variances of one point, of the last step: the square of
        how many sigma the parameters may still be off before it.

    Returns
    -------
    Sinusoids
        `start` itself where no step makes the residual smaller.
    """
    if len(start) == 0:
        return start
    loose = _loose(transforms, start.place)
    now, normal = start, _in_frequency(transforms, start).held(start.phasor, loose)
    enough = least_gain / len(transforms.turn)
    damping = 0.0
    last = transforms.grid.last + 1.0
    for _ in range(_MOST_ROUNDS):
        step = _step(normal, damping)
        n = len(now)
        trial = None
        if step is not None and float(np.abs(step[2 * n + 1 :]).max()) <= _MOST_STEP:
            trial = now.moved(step)
        if step is not None and trial is not None and trial.lies_within(last):
            if damping == 0.0 and 0.0 <= float(step @ normal.right) <= enough * normal.variance:
                return trial  # what the equations promise is so little that it need not be seen to
            after = _in_frequency(transforms, trial).held(trial.phasor, loose)
            gain = normal.variance - after.variance
            if gain >= -enough * max(after.variance, 0.0):
                now, normal = trial, after
                damping *= 0.1
                if gain <= enough * max(after.variance, 0.0):
                    break
                continue
        damping = max(10.0 * damping, 1e-3)
    return now


def fit_in_time(transforms: Transforms, start: Sinusoids) -> tuple[Sinusoids, Floats]:
    """One Gauss-Newton iteration with the residual of the data themselves, not of interpolated transforms.

    Parameters
    ----------
    transforms : Transforms
    start : Sinusoids
        Of `fit_in_frequency`.

    Returns
    -------
    sinusoids : Sinusoids
    residual : ndarray of float64, shape (n,)
        Flux less sinusoids and mean.
    """
    flux, weights, turn = transforms.series.flux, transforms.series.weights, transforms.turn
    residual = flux - transforms.model(start.place, start.phasor, start.mean)
    if len(start) == 0:
        return start, residual
    weighted = weights * residual
    at = np.stack([transforms.at(v, start.place) for v in (weighted, weighted * turn)])
    right = np.concatenate([[weighted.sum()], (_factors(start.phasor) * _three(at)).real])
    matrix = _Window(transforms, start.place).matrix(start.phasor)
    loose, variance = _loose(transforms, start.place), float(weights @ residual**2)
    before = _Normal(matrix, right, variance).held(start.phasor, loose)
    step = _step(before, 0.0)
    if step is None:
        return start, residual
    after = start.moved(step)
    if not after.lies_within(transforms.grid.last + 1.0):
        return start, residual
    moved = flux - transforms.model(after.place, after.phasor, after.mean)
    if _Normal(matrix, right, float(weights @ moved**2)).held(after.phasor, loose).variance > before.variance:
        return start, residual
    return after, moved


def normal_matrix(transforms: Transforms, found: Sinusoids, variance: float = 0.0) -> Floats:
    """Normal equations of mean, cosines, sines and places, shape (3 n + 1, 3 n + 1).

    With the residual's variance, what is expected of amplitudes near the Nyquist frequency is part of them.
    """
    normal = _Normal(
        _Window(transforms, found.place).matrix(found.phasor), np.zeros(3 * len(found) + 1), variance
    )
    return normal.held(found.phasor, _loose(transforms, found.place)).matrix
