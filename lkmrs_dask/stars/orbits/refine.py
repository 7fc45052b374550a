"""Least-squares fits of many orbits at once, amplitudes and systemic velocity solved for in each step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.stars.orbits.epochs import Epochs
from lkmrs_dask.stars.orbits.kepler import orbit_basis
from lkmrs_dask.stars.orbits.marginal import GAMMA_PRIOR, Linear, linear_fit
from lkmrs_dask.stars.orbits.scan import Starts
from lkmrs_dask.stars.orbits.settings import OrbitSettings

__all__ = ["Modes", "refine_orbits"]

Floats = NDArray[np.float64]

_CYCLES, _SHAPE = 0.1, 0.25  # longest step in frequency times baseline, and in h and k


class Modes(NamedTuple):
    """Fitted orbits.

    `covariance` is that of (frequency, h, k, gamma, a, b), or of (frequency, gamma, a, b) for circular ones:
    shape (orbits, 6, 6) or (orbits, 4, 4).
    """

    frequency: Floats
    h: Floats
    k: Floats
    linear: Linear
    covariance: Floats

    def take(self, rows: NDArray) -> Modes:
        """Some of them, in the order of `rows`."""
        linear = Linear(*(one[rows] for one in self.linear))
        return Modes(self.frequency[rows], self.h[rows], self.k[rows], linear, self.covariance[rows])

    def joined(self, other: Modes) -> Modes:
        """These and then others of the same family."""
        linear = Linear(*(np.concatenate(pair) for pair in zip(self.linear, other.linear, strict=True)))
        return Modes(
            np.append(self.frequency, other.frequency),
            np.append(self.h, other.h),
            np.append(self.k, other.k),
            linear,
            np.concatenate([self.covariance, other.covariance]),
        )


def refine_orbits(
    epochs: Epochs,
    settings: OrbitSettings,
    starts: Starts,
    *,
    eccentric: bool,
    hold_frequency: bool = False,
    steps: int = 25,
) -> Modes:
    """Move orbits to the nearest least sum of squares, by Levenberg's and Marquardt's steps.

    The linear coefficients are at their optimum throughout (variable projection, Golub & Pereyra 1973), with
    their priors as further observations.  Frequencies and eccentricities stay within the settings' limits.

    Parameters
    ----------
    epochs : Epochs
        The star's velocities.
    settings : OrbitSettings
        Limits and prior of the semi-amplitude.
    starts : Starts
        Shape (orbits,).
    eccentric : bool
        Whether eccentricities are fitted; h and k of the starts are 0 otherwise.
    hold_frequency : bool
        Leave frequencies where they are; the covariance is that of a fit which does not.
    steps : int
        Most steps.

    Returns
    -------
    Modes
        In the order of the starts.
    """
    low, high = settings.lowest_frequency(epochs.baseline), 1.0 / settings.min_period
    place = np.stack([starts.frequency, starts.h, starts.k], axis=1)
    if not eccentric:
        place[:, 1:] = 0.0
    place = _within(place, low, high, settings)
    linear = linear_fit(epochs, settings, *place.T)
    damping = np.full(len(place), 1e-2)
    active = np.ones(len(place), bool)
    for _ in range(steps):
        at = np.flatnonzero(active)
        if not len(at):
            break
        here = Linear(*(one[at] for one in linear))
        step = _step(epochs, settings, place[at], here, damping[at], eccentric, hold_frequency)
        tried = _within(place[at] + step, low, high, settings)
        new = linear_fit(epochs, settings, *tried.T)
        gain = here.cost - new.cost
        better = gain > 0
        moved = at[better]
        place[moved] = tried[better]
        for whole, part in zip(linear, new, strict=True):
            whole[moved] = part[better]
        damping[at] = np.clip(np.where(better, damping[at] / 7.0, damping[at] * 5.0), 1e-9, 1e9)
        # A gain of a hundredth in chi-square is a twentieth of a standard error at most.
        settled = (better & (gain < 1e-4) & (damping[at] < 1e-2)) | (damping[at] > 1e6)
        active[at[settled]] = False
    hessian, _ = _normal(epochs, settings, place, linear, eccentric)
    return Modes(place[:, 0], place[:, 1], place[:, 2], linear, _inverse(hessian))


def _within(place: Floats, low: float, high: float, settings: OrbitSettings) -> Floats:
    frequency = np.clip(place[:, 0], low, high)
    e, limit = np.hypot(place[:, 1], place[:, 2]), 0.999 * settings.e_limit(frequency)
    scale = np.where(e > limit, limit / np.maximum(e, 1e-300), 1.0)
    return np.stack([frequency, place[:, 1] * scale, place[:, 2] * scale], axis=1)


def _normal(
    epochs: Epochs, settings: OrbitSettings, place: Floats, linear: Linear, eccentric: bool
) -> tuple[Floats, Floats]:
    """Normal matrix of all parameters and the gradient, priors of the linear ones included."""
    basis = orbit_basis(epochs.time, *place.T)
    gamma, a, b = (one[:, None] for one in linear.coefficients.T)
    sin_psi, cos_psi = place[:, 2:3] - basis.u2, basis.u1 - place[:, 1:2]
    turning = -a * sin_psi - b * cos_psi
    columns = [turning * basis.d_psi[0]]
    if eccentric:
        columns += [a + turning * basis.d_psi[1], b + turning * basis.d_psi[2]]
    columns += [np.ones_like(basis.u1), basis.u1, basis.u2]
    jacobian = np.stack(columns, axis=1)
    weighted = jacobian * epochs.weight
    residual = epochs.rv - gamma - a * basis.u1 - b * basis.u2
    hessian = weighted @ jacobian.transpose(0, 2, 1)
    gradient = (weighted @ residual[:, :, None])[:, :, 0]
    precision = settings.k_prior(place[:, 0], np.hypot(place[:, 1], place[:, 2])) ** -2.0
    n = hessian.shape[1]
    for index, own in (
        (n - 3, np.full(len(place), GAMMA_PRIOR**-2.0)),
        (n - 2, precision),
        (n - 1, precision),
    ):
        hessian[:, index, index] += own
        gradient[:, index] -= own * linear.coefficients[:, index - n + 3]
    return hessian, gradient


def _step(
    epochs: Epochs,
    settings: OrbitSettings,
    place: Floats,
    linear: Linear,
    damping: Floats,
    eccentric: bool,
    hold_frequency: bool,
) -> Floats:
    hessian, gradient = _normal(epochs, settings, place, linear, eccentric)
    if hold_frequency:
        hessian[:, 0, :] = hessian[:, :, 0] = gradient[:, :1] = 0.0
        hessian[:, 0, 0] = 1.0
    free = hessian.shape[1] - 3
    for index in range(free):
        hessian[:, index, index] *= 1.0 + damping
    scale = _scale(hessian)
    scaled = hessian / (scale[:, :, None] * scale[:, None, :])
    scaled += 1e-12 * np.eye(hessian.shape[1])
    step = np.linalg.solve(scaled, (gradient / scale)[:, :, None])[:, :free, 0] / scale[:, :free]
    longest = np.full(free, _SHAPE)
    longest[0] = _CYCLES / epochs.baseline
    ratio = np.max(np.abs(step) / longest, axis=1)
    step /= np.maximum(ratio, 1.0)[:, None]
    out = np.zeros((len(place), 3))
    out[:, :free] = step
    return out


def _scale(hessian: Floats) -> Floats:
    diagonal = np.diagonal(hessian, axis1=1, axis2=2)
    return np.sqrt(np.where(diagonal > 0, diagonal, 1.0))


def _inverse(hessian: Floats) -> Floats:
    """Inverse of positive semi-definite matrices; what is not constrained at all gets a large variance."""
    scale = _scale(hessian)
    scaled = hessian / (scale[:, :, None] * scale[:, None, :])
    values, vectors = np.linalg.eigh(scaled)
    inverse = (vectors / np.maximum(values, 1e-12)[:, None, :]) @ vectors.transpose(0, 2, 1)
    return inverse / (scale[:, :, None] * scale[:, None, :])
