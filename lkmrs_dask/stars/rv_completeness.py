"""Which share of the RV variables is found, and which share of those found are some."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from lkmrs_dask.errors import UsageError

__all__ = ["Completeness", "Purity", "Share", "binned_completeness", "binned_purity", "wilson_interval"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ONE_SIGMA = 0.6826894921370859


class Share(NamedTuple):
    """`n_good` of `n`, and the interval that holds the true share; NaN where n is 0."""

    n: Ints
    n_good: Ints
    share: Floats
    low: Floats
    high: Floats


class Completeness(NamedTuple):
    """Share of true variables that are found, by amplitude and number of velocities.

    Attributes
    ----------
    k_edges, n_edges : ndarray of float64
        Edges of the bins; the lower one is within, of the last bin the upper one too.
    share : Share
        Arrays of shape (bins of n, bins of K).
    overall : Share
        Of all true variables, in bins or not; arrays of shape ().
    """

    k_edges: Floats
    n_edges: Floats
    share: Share
    overall: Share


class Purity(NamedTuple):
    """Share of true variables among those found, by number of velocities.

    Attributes
    ----------
    n_edges : ndarray of float64
        As in `Completeness`.
    share : Share
        Arrays of shape (bins of n,).
    overall : Share
        Of all that were found, in bins or not; arrays of shape ().
    """

    n_edges: Floats
    share: Share
    overall: Share


def wilson_interval(n_good: ArrayLike, n: ArrayLike, level: float = ONE_SIGMA) -> tuple[Floats, Floats]:
    r"""Wilson's interval of a binomial share.

    .. math:: \frac{p + z^2/2n \pm z \sqrt{p(1-p)/n + z^2/4n^2}}{1 + z^2/n}

    Parameters
    ----------
    n_good, n : array_like of int
        Successes and trials.
    level : float
        Probability that the interval holds the true share; one sigma by default.

    Returns
    -------
    low, high : ndarray of float64
        NaN where there are no trials.

    Raises
    ------
    UsageError
        For a level out of (0, 1), or more successes than trials.

    References
    ----------
    Wilson 1927, JASA 22, 209.  Brown, Cai & DasGupta 2001, Statistical Science 16, 101.
    """
    good, trials = np.broadcast_arrays(np.asarray(n_good, np.float64), np.asarray(n, np.float64))
    if not 0.0 < level < 1.0 or np.any(good < 0) or np.any(good > trials):
        raise UsageError(f"need a level between 0 and 1 ({level}), and 0 <= successes <= trials")
    z2 = float(ndtri(0.5 + 0.5 * level)) ** 2
    size = np.where(trials > 0, trials, np.nan)
    share = good / size
    half = np.sqrt(z2 * (share * (1.0 - share) / size + z2 / (4.0 * size**2)))
    centre, scale = share + z2 / (2.0 * size), 1.0 + z2 / size
    # At 0 and 1 the formula gives these ends but for rounding.
    low = np.where(good == 0, 0.0 * size, (centre - half) / scale)
    high = np.where(good == trials, 0.0 * size + 1.0, (centre + half) / scale)
    return low, high


def binned_completeness(
    found: ArrayLike,
    true: ArrayLike,
    amplitude: ArrayLike,
    n: ArrayLike,
    *,
    k_edges: ArrayLike,
    n_edges: ArrayLike,
    level: float = ONE_SIGMA,
) -> Completeness:
    """Share of the true RV variables that are found, by amplitude and number of velocities.

    Parameters
    ----------
    found, true : array_like of bool, shape (stars,)
        Whether a star was called, and is, variable.
    amplitude : array_like of float, shape (stars,)
        True amplitude K (km/s); of stars that are not variable it does not matter.
    n : array_like of int, shape (stars,)
        Velocities of the star.
    k_edges, n_edges : array_like of float
        Edges of the bins, rising.
    level : float
        See `wilson_interval`.

    Raises
    ------
    UsageError
        When shapes differ or edges do not rise.
    """
    called, is_one = _flags(found, true)
    k, size = np.asarray(amplitude, np.float64), np.asarray(n, np.float64)
    if not called.shape == k.shape == size.shape:
        raise UsageError(f"found, amplitude and n differ in shape: {called.shape}, {k.shape}, {size.shape}")
    edges_k, edges_n = _edges(k_edges, "K"), _edges(n_edges, "n")

    def count(which: Bools) -> Ints:
        counts, _, _ = np.histogram2d(size[which], k[which], bins=(edges_n, edges_k))
        return counts.astype(np.int64)

    known = is_one & np.isfinite(k)
    return Completeness(
        edges_k,
        edges_n,
        _share(count(known), count(known & called), level),
        _share(np.int64(is_one.sum()), np.int64((is_one & called).sum()), level),
    )


def binned_purity(
    found: ArrayLike, true: ArrayLike, n: ArrayLike, *, n_edges: ArrayLike, level: float = ONE_SIGMA
) -> Purity:
    """Share of true RV variables among those found, by number of velocities; see `binned_completeness`."""
    called, is_one = _flags(found, true)
    size = np.asarray(n, np.float64)
    if called.shape != size.shape:
        raise UsageError(f"found and n differ in shape: {called.shape}, {size.shape}")
    edges = _edges(n_edges, "n")

    def count(which: Bools) -> Ints:
        return np.histogram(size[which], bins=edges)[0].astype(np.int64)

    return Purity(
        edges,
        _share(count(called), count(called & is_one), level),
        _share(np.int64(called.sum()), np.int64((called & is_one).sum()), level),
    )


def _flags(found: ArrayLike, true: ArrayLike) -> tuple[Bools, Bools]:
    called, is_one = np.asarray(found, bool), np.asarray(true, bool)
    if called.ndim != 1 or called.shape != is_one.shape:
        raise UsageError(f"found and true differ in shape: {called.shape}, {is_one.shape}")
    return called, is_one


def _edges(values: ArrayLike, name: str) -> Floats:
    edges = np.asarray(values, np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise UsageError(f"edges of {name} must rise, two or more: {edges.tolist()}")
    return edges


def _share(n: NDArray | np.int64, good: NDArray | np.int64, level: float) -> Share:
    low, high = wilson_interval(good, n, level)
    size = np.where(np.asarray(n) > 0, n, np.nan)
    return Share(np.asarray(n), np.asarray(good), np.asarray(good / size), low, high)
