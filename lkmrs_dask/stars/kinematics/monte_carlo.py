"""Errors of Galactocentric speeds and probabilities that stars are fast, by Monte Carlo."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.stars.kinematics.distances import GivenDistances
from lkmrs_dask.stars.kinematics.frame import Sight, sight_lines
from lkmrs_dask.stars.kinematics.potentials import EscapeSpeed

__all__ = ["Astrometry", "ErrorReason", "SpeedErrors", "astrometric_root", "normal_draws", "speed_errors"]

Floats = NDArray[np.float64]

_CHUNK = 1 << 16  # draws at a time: their arrays stay in the cache
_INDEFINITE = -1e-6  # eigenvalue of a correlation matrix; Gaia's correlations are single precision


class ErrorReason(IntEnum):
    """Why a star with a speed has no probabilities; the first that applies, in this order."""

    OK = 0
    NO_SPEED = 1
    NOT_ASKED = 2
    BAD_COVARIANCE = 3
    NO_DISTANCE_ERROR = 4
    NO_RV_ERROR = 5


class Astrometry(NamedTuple):
    """Gaia's astrometry without the positions, and the radial velocity; arrays of shape (n,).

    Errors of positions, below 1 mas, change a speed by less than 1e-6 km/s, and are left out: what is used is
    the covariance of parallax and proper motion, which is that of all five parameters, positions averaged
    over.

    Parameters
    ----------
    ra, dec : ndarray of float64
        Degrees.
    parallax, parallax_error : ndarray of float64
        mas, less the zero point.
    pmra, pmra_error, pmdec, pmdec_error : ndarray of float64
        mas/yr.
    parallax_pmra_corr, parallax_pmdec_corr, pmra_pmdec_corr : ndarray of float64
        Correlations.
    rv, rv_err : ndarray of float64
        km/s.
    """

    ra: Floats
    dec: Floats
    parallax: Floats
    parallax_error: Floats
    pmra: Floats
    pmra_error: Floats
    pmdec: Floats
    pmdec_error: Floats
    parallax_pmra_corr: Floats
    parallax_pmdec_corr: Floats
    pmra_pmdec_corr: Floats
    rv: Floats
    rv_err: Floats


class SpeedErrors(NamedTuple):
    """What draws tell of each star; arrays of shape (n,), NaN where there are none.

    Parameters
    ----------
    p16, p84 : ndarray of float64
        Percentiles of the speed over draws with a distance, km/s.
    error : ndarray of float64
        Half of what is between them, km/s.
    p_high, p_unbound : ndarray of float64
        Share of all draws in which the speed is above `high_fraction` times the escape speed, and above it,
        each at the place of the draw.
    p_unknown : ndarray of float64
        Share of draws without a distance, their parallax (or distance) not being positive.  They are in
        neither of the two shares: true probabilities are between ``p`` and ``p + p_unknown``.
    reason : ndarray of int8
        `ErrorReason`.
    """

    p16: Floats
    p84: Floats
    error: Floats
    p_high: Floats
    p_unbound: Floats
    p_unknown: Floats
    reason: NDArray[np.int8]


def astrometric_root(
    stars: Astrometry, given: GivenDistances | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Symmetric square roots of the covariances of parallax and proper motion.

    Parameters
    ----------
    stars : Astrometry
        Errors and correlations.
    given : GivenDistances, optional
        With them the first of the three is a standard normal number for the distance, and independent.

    Returns
    -------
    root : ndarray of float64, shape (n, 3, 3)
        Times standard normal numbers: deviations in mas and mas/yr.  Identity where there is none.
    good : ndarray of bool, shape (n,)
        False for errors that are missing or not positive, correlations that are missing or beyond 1, and
        matrices that are not positive.
    """
    n = len(stars.ra)
    first = np.ones(n) if given else stars.parallax_error
    zero = np.zeros(n)
    tied = (zero, zero) if given else (stars.parallax_pmra_corr, stars.parallax_pmdec_corr)
    sigma = np.stack([first, stars.pmra_error, stars.pmdec_error], axis=-1)
    matrix = np.ones((n, 3, 3))
    for (row, column), value in zip(((0, 1), (0, 2), (1, 2)), (*tied, stars.pmra_pmdec_corr), strict=True):
        matrix[:, row, column] = matrix[:, column, row] = value
    good = (
        np.isfinite(sigma).all(axis=1) & (sigma > 0.0).all(axis=1) & (np.abs(matrix) <= 1.0).all(axis=(1, 2))
    )
    sigma[~good], matrix[~good] = 1.0, np.eye(3)
    values, vectors = np.linalg.eigh(matrix)
    good &= values[:, 0] >= _INDEFINITE
    half = np.sqrt(np.maximum(values, 0.0))
    return sigma[:, :, None] * ((vectors * half[:, None, :]) @ vectors.transpose(0, 2, 1)), good


def normal_draws(seed: int, star: int, out: Floats) -> None:
    """Fill an array with the standard normal numbers of one star: by seed and star, and by nothing else."""
    key = np.array([seed & 0xFFFFFFFFFFFFFFFF, star & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64)
    np.random.Generator(np.random.Philox(key=key)).standard_normal(out=out)


def speed_errors(
    stars: Astrometry,
    key: NDArray[np.int64],
    distance: Floats,
    escape: EscapeSpeed,
    *,
    given: GivenDistances | None = None,
    high_fraction: float = 0.7,
    n_draws: int = 1000,
    seed: int = 1,
) -> SpeedErrors:
    """Draw parallaxes, proper motions and radial velocities within their errors.

    Parameters
    ----------
    stars : Astrometry
        What was measured.
    key : ndarray of int64, shape (n,)
        Names the star: the same seed and key give the same draws, whatever other stars are there.
    distance : ndarray of float64, shape (n,)
        pc; stars without one are left out.
    escape : EscapeSpeed
        Evaluated at the place of each draw.
    given : GivenDistances, optional
        Errors of distances that are not from parallaxes.
    high_fraction : float
        See `SpeedErrors`.
    n_draws, seed : int
        Draws for each star; 0 for none.

    Returns
    -------
    SpeedErrors
    """
    n = len(distance)
    root, good = astrometric_root(stars, given)
    motions = np.stack([stars.pmra, stars.pmdec, stars.rv, stars.ra, stars.dec])
    speed = np.isfinite(motions).all(axis=0) & (distance > 0.0)
    masks = {
        ErrorReason.NO_SPEED: ~speed,
        ErrorReason.BAD_COVARIANCE: ~good,
        ErrorReason.NO_RV_ERROR: ~(np.isfinite(stars.rv_err) & (stars.rv_err > 0.0)),
        ErrorReason.NOT_ASKED: np.full(n, n_draws == 0),
    }
    if given:
        masks[ErrorReason.NO_DISTANCE_ERROR] = np.isnan(given.below) | np.isnan(given.above)
    reason = np.zeros(n, dtype=np.int8)
    for one in sorted(masks, reverse=True):
        reason[masks[one]] = one
    found = np.full((5, n), np.nan)
    use = np.flatnonzero(reason == ErrorReason.OK)
    step = max(1, _CHUNK // max(n_draws, 1))
    for start in range(0, len(use), step):
        rows = use[start : start + step]
        noise = np.empty((len(rows), 4, n_draws))
        for at, star in enumerate(key[rows].tolist()):
            normal_draws(seed, star, noise[at])
        sight = sight_lines(stars.ra[rows], stars.dec[rows]).columns()
        drawn = _drawn(stars, rows, root, noise, distance, given)
        found[:, rows] = _summed_up(sight, drawn, escape, high_fraction)
    p16, p84, p_high, p_unbound, p_unknown = found
    return SpeedErrors(p16, p84, (p84 - p16) / 2.0, p_high, p_unbound, p_unknown, reason)


def _drawn(
    stars: Astrometry,
    rows: NDArray[np.int64],
    root: Floats,
    noise: Floats,
    distance: Floats,
    given: GivenDistances | None,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Distances (kpc, NaN for none), proper motions and radial velocities, each of shape (rows, draws)."""
    off = root[rows] @ noise[:, :3]
    pmra, pmdec = (at[rows, None] + off[:, k] for k, at in ((1, stars.pmra), (2, stars.pmdec)))
    rv = stars.rv[rows, None] + stars.rv_err[rows, None] * noise[:, 3]
    if given is None:
        parallax = stars.parallax[rows, None] + off[:, 0]
        kpc = np.divide(1.0, parallax, out=np.full_like(parallax, np.nan), where=parallax > 0.0)
        return kpc, pmra, pmdec, rv
    wide = off[:, 0] * np.where(off[:, 0] < 0.0, given.below[rows, None], given.above[rows, None])
    middle = distance[rows, None] / 1000.0
    kpc = middle * np.exp(wide) if given.logarithmic else middle + wide / 1000.0
    return np.where(kpc > 0.0, kpc, np.nan), pmra, pmdec, rv


def _summed_up(
    sight: Sight, drawn: tuple[Floats, Floats, Floats, Floats], escape: EscapeSpeed, high_fraction: float
) -> tuple[Floats, ...]:
    """Percentiles and shares of each star."""
    kpc = drawn[0]
    squares = sight.speed_squared(*drawn)
    limits = escape.squared(*sight.place(kpc))
    n_draws = kpc.shape[1]
    # What is unknown is NaN, and greater than nothing.
    shares = [
        np.count_nonzero(squares > share * limits, axis=1) / n_draws for share in (high_fraction**2, 1.0)
    ]
    n_known = np.count_nonzero(np.isfinite(squares), axis=1)
    squares.sort(axis=1)  # which puts NaN last
    speeds = np.sqrt(squares, out=squares)
    ends = (_percentile(speeds, n_known, share) for share in (0.16, 0.84))
    return *ends, *shares, 1.0 - n_known / n_draws


def _percentile(rising: Floats, n: NDArray[np.int64], share: float) -> Floats:
    """Between the two nearest of the first `n` values of each row; NaN for none."""
    rank = share * np.maximum(n - 1, 0)
    low = rank.astype(np.intp)
    high = np.minimum(low + 1, np.maximum(n - 1, 0))
    rows = np.arange(len(rising))
    return rising[rows, low] + (rank - low) * (rising[rows, high] - rising[rows, low])
