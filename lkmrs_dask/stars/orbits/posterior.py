"""Posterior probability of orbits: draws about fitted orbits, weighted by likelihood and prior."""

from __future__ import annotations

from math import lgamma, log, pi
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.stars.orbits.epochs import Epochs
from lkmrs_dask.stars.orbits.marginal import linear_fit, ln_prior
from lkmrs_dask.stars.orbits.refine import Modes
from lkmrs_dask.stars.orbits.settings import OrbitSettings

__all__ = ["Draws", "draw_about", "gaussian_draws", "laplace_evidence", "weighted_quantile"]

Floats = NDArray[np.float64]

_FREEDOM = 4.0  # of Student's t: heavy tails keep weights bounded
_WIDEST = (0.3, 0.4)  # standard deviation of draws in frequency times baseline, and in h and k


class Draws(NamedTuple):
    """Orbits drawn, and the logarithm of how much of the evidence each stands for."""

    frequency: Floats
    h: Floats
    k: Floats
    coefficients: Floats
    ln_weight: Floats

    def take(self, rows: NDArray) -> Draws:
        """Some of them."""
        return Draws(*(one[rows] for one in self))


def _places(modes: Modes, eccentric: bool) -> Floats:
    if not eccentric:
        return modes.frequency[:, None]
    return np.stack([modes.frequency, modes.h, modes.k], axis=1)


def _proposal(modes: Modes, baseline: float, eccentric: bool) -> Floats:
    """Covariances in frequency (h, k), kept from being wider than there is room."""
    free = 3 if eccentric else 1
    widest = np.array([_WIDEST[0] / baseline, _WIDEST[1], _WIDEST[1]][:free])
    scaled = modes.covariance[:, :free, :free] / np.outer(widest, widest)
    values, vectors = np.linalg.eigh(scaled)
    values = 1.0 / (1.0 / np.maximum(values, 1e-24) + 1.0)
    return (vectors * values[:, None, :]) @ vectors.transpose(0, 2, 1) * np.outer(widest, widest)


def laplace_evidence(epochs: Epochs, settings: OrbitSettings, modes: Modes, eccentric: bool) -> Floats:
    """Logarithm of the evidence of each mode, as if the posterior were normal about it."""
    covariance = _proposal(modes, epochs.baseline, eccentric)
    free = covariance.shape[1]
    h = modes.h
    if eccentric:
        # The density at e = 0 is infinite, but not its mean over the width of the mode.
        width = np.sqrt(0.5 * (covariance[:, 1, 1] + covariance[:, 2, 2]))
        width = np.minimum(width, 0.5 * settings.e_limit(modes.frequency))
        h = np.where(np.hypot(h, modes.k) < width, width, h)
    k = np.where(h == modes.h, modes.k, 0.0)
    prior = ln_prior(modes.frequency, h, k, settings, epochs.baseline, eccentric)
    spread = 0.5 * (free * np.log(2.0 * np.pi) + np.linalg.slogdet(covariance)[1])
    return modes.linear.ln_like + prior + spread


def draw_about(
    epochs: Epochs, settings: OrbitSettings, modes: Modes, eccentric: bool, rng: np.random.Generator
) -> Draws:
    """Importance sampling with a mixture of Student distributions, one a mode.

    Periods, eccentricities and phases are drawn; systemic velocities and amplitudes, integrated out in the
    weights, are drawn from their normal distributions (The Joker's likelihood; its prior draws are replaced
    by draws where the likelihood is).

    Parameters
    ----------
    epochs : Epochs
        The star's velocities.
    settings : OrbitSettings
        Priors and draws a mode.
    modes : Modes
        Where to draw; the sum of the weights is the evidence of all of them, however they overlap.
    eccentric : bool
        The family.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    Draws
        ``settings.draws`` times the number of modes; weights of nothing for those beyond the limits.
    """
    centre, covariance = _places(modes, eccentric), _proposal(modes, epochs.baseline, eccentric)
    count, free = centre.shape
    each = settings.draws
    factor: Floats = np.asarray(np.linalg.cholesky(covariance), np.float64)
    normal = rng.standard_normal((count, each, free))
    radius = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, (count, each, 1)))
    points: Floats = (centre[:, None, :] + (normal * radius) @ factor.transpose(0, 2, 1)).reshape(-1, free)
    ln_density = _ln_mixture(points, centre, factor)
    place = np.zeros((len(points), 3))
    place[:, :free] = points
    ln_p = ln_prior(place[:, 0], place[:, 1], place[:, 2], settings, epochs.baseline, eccentric)
    linear_normal = rng.standard_normal((len(points), 3))
    inside = np.flatnonzero(np.isfinite(ln_p))
    place = place[inside]
    frequency, h, k = place.T
    linear = linear_fit(epochs, settings, frequency, h, k)
    moved = np.linalg.cholesky(linear.covariance) @ linear_normal[inside, :, None]
    ln_weight = linear.ln_like + ln_p[inside] - ln_density[inside] - np.log(each * count)
    return Draws(frequency, h, k, linear.coefficients + moved[:, :, 0], ln_weight)


def _ln_mixture(points: Floats, centre: Floats, factor: Floats) -> Floats:
    """Logarithm of the mean of the Student densities."""
    free = centre.shape[1]
    inverse = np.linalg.inv(factor)
    ln_norm = _ln_student_norm(free) - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    total = np.full(len(points), -np.inf)
    for middle, matrix, norm in zip(centre, inverse, ln_norm, strict=True):
        square = (((points - middle) @ matrix.T) ** 2).sum(axis=1)
        total = np.logaddexp(total, norm - 0.5 * (_FREEDOM + free) * np.log1p(square / _FREEDOM))
    return total - np.log(len(centre))


def _ln_student_norm(free: int) -> float:
    return lgamma(0.5 * (_FREEDOM + free)) - lgamma(0.5 * _FREEDOM) - 0.5 * free * log(_FREEDOM * pi)


def gaussian_draws(mode: Modes, eccentric: bool, count: int, rng: np.random.Generator) -> Draws:
    """Draws from the normal distribution of one fit, all of the same weight."""
    free = 3 if eccentric else 1
    centre = np.concatenate([_places(mode, eccentric)[0], mode.linear.coefficients[0]])
    scale = np.sqrt(np.maximum(np.diagonal(mode.covariance[0]), 1e-300))
    values, vectors = np.linalg.eigh(mode.covariance[0] / np.outer(scale, scale))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    points = centre + (rng.standard_normal((count, len(centre))) @ root.T) * scale
    place = np.zeros((count, 3))
    place[:, :free] = points[:, :free]
    inside = (place[:, 0] > 0) & (np.hypot(place[:, 1], place[:, 2]) < 1)
    inside[0] |= not inside.any()
    frequency, h, k = place[inside].T
    return Draws(frequency, h, k, points[inside, free:], np.zeros(len(h)))


def weighted_quantile(values: Floats, weight: Floats, share: float) -> float:
    """The value below which this share of the weight lies; NaN without values."""
    if not len(values):
        return np.nan
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weight[order])
    at = int(np.searchsorted(total, share * total[-1]))
    return float(values[order[min(at, len(order) - 1)]])
