"""A choice among the best few frequencies by a finer curve, and by how likely it makes the data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from lkmrs_dask.variability.bands import Bands
from lkmrs_dask.variability.one_thread import ONE_THREAD

__all__ = ["looked_at", "separate_peaks"]

Floats = NDArray[np.float64]

_STEEPNESS = 3  # prior variance of amplitudes goes as k to the minus 3 (ours): a sawtooth has k^-2
_STRENGTHS: Floats = np.array(
    [10.0**half for half in np.arange(0.0, 5.5, 0.5)]
)  # prior variance of the first amplitude over that of the noise
_STEPS = np.arange(-3.0, 4.0)  # thirds of the resolution of the highest harmonic


def separate_peaks(power: Floats, apart: float, most: int) -> NDArray[np.int64]:
    """Highest maxima, ends included, further than `apart` bins from each other; the highest first."""
    ends = np.concatenate([[-np.inf], power, [-np.inf]])
    tops = np.flatnonzero((power >= ends[:-2]) & (power > ends[2:]))
    kept: list[int] = []
    for top in tops[np.argsort(-power[tops], kind="stable")]:
        if all(abs(top - one) > apart for one in kept):
            kept.append(int(top))
            if len(kept) == most:
                break
    return np.array(kept, np.int64)


def looked_at(points: Bands, frequency: float, harmonics: int) -> tuple[float, float]:
    r"""Refine a frequency by a fit of more harmonics, and say how likely the data are by it.

    The amplitude of the k-th harmonic has a Gaussian prior of variance :math:`g \sigma^2 k^{-3}`, means have
    a flat one.  The likelihood of the data, all amplitudes integrated out, is the highest over the noise
    sigma and over g: further harmonics count only as far as the data ask for them.  Points of several bands
    at one visit count as one: most of what is left there is no noise, but the same misfit.

    Parameters
    ----------
    points : Bands
    frequency : float
        1/d.
    harmonics : int

    Returns
    -------
    frequency : float
        1/d.
    log_likelihood : float
        Up to a constant of the data.
    """
    step = 1.0 / (3.0 * harmonics * points.baseline)
    tried: Floats = frequency + step * _STEPS
    visits = points.n_visits
    with ONE_THREAD:
        likely = np.array([_log_likelihood(points, float(one), harmonics, visits) for one in tried])
        middle = float(tried[likely.argmax()])
        # To the very top: good data make much of a small error of the frequency.
        top = minimize_scalar(
            lambda one: -_log_likelihood(points, float(one), harmonics, visits),
            bounds=(middle - step, middle + step), method="bounded", options={"xatol": 0.01 * step},
        )  # fmt: skip
    return float(top.x), -float(top.fun)


def _log_likelihood(points: Bands, frequency: float, harmonics: int, n: int) -> float:
    k = np.arange(1, harmonics + 1)
    waves = np.empty((2 * harmonics, len(points.time)))
    turn = np.exp(2j * np.pi * frequency * points.time)
    power = np.ones_like(turn)
    for at in range(harmonics):  # powers of the first are quicker than further exponentials
        power *= turn
        waves[at], waves[harmonics + at] = power.real, power.imag
    starts = np.searchsorted(points.band, np.arange(points.n_bands))
    means = np.add.reduceat(waves * points.weights, starts, axis=1) / points.shares
    waves -= np.repeat(means, np.diff(starts, append=len(points.time)), axis=1)
    weighted = waves * (n * points.weights)
    right = weighted @ points.value
    charge = np.tile(k, 2) ** _STEEPNESS / _STRENGTHS[:, None]
    normal = weighted @ waves.T + charge[:, :, None] * np.eye(2 * harmonics)
    lower = np.linalg.cholesky(normal)
    solved = np.linalg.solve(lower, np.broadcast_to(right[:, None], (*normal.shape[:2], 1)))
    whole = n * float(points.weights @ points.value**2)
    # A curve without noise leaves nothing but rounding.
    left = np.maximum(whole - np.sum(solved**2, axis=(1, 2)), 1e-12 * whole)
    width = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1) - 0.5 * np.log(charge).sum(axis=1)
    free = n * (1.0 - points.n_bands / len(points.time))
    return float(np.max(-0.5 * free * np.log(left) - width))
