"""How much the radial velocities of a star vary: chi-square, largest difference and excess scatter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincc, gammaln

__all__ = ["RvStatistics", "log10_chi2_tail", "rv_statistics"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FAR = 1e-250  # tails below are computed as logarithms
_PAIRS = 2_000_000  # at a time
_TINY = 1e-300


class RvStatistics(NamedTuple):
    """Per star, arrays of shape (stars,); NaN where a star has too few velocities.

    Attributes
    ----------
    n : ndarray of int64
        Velocities with an error, which all else is of.
    mean, mean_error : ndarray of float64
        Mean weighted with the errors to the power of -2, and its error (km/s).
    std : ndarray of float64
        Standard deviation, without weights, of the sum of squares by n - 1 (km/s).
    typical_error : ndarray of float64
        Mean of the errors (km/s).
    excess : ndarray of float64
        Scatter beyond the errors: the root of `std` squared less the mean squared error, 0 where that is
        negative (km/s).
    chi2 : ndarray of float64
        Sum of the squares of (velocity - mean) / error.
    log10_p : ndarray of float64
        Probability that a constant velocity gives this chi-square or more, n - 1 degrees of freedom.
    max_difference : ndarray of float64
        Largest difference of two velocities (km/s).
    max_significance : ndarray of float64
        Largest difference of two velocities, in errors of the difference; it may be another pair.
    baseline : ndarray of float64
        From the first to the last of them, in units of the times.
    """

    n: Ints
    mean: Floats
    mean_error: Floats
    std: Floats
    typical_error: Floats
    excess: Floats
    chi2: Floats
    log10_p: Floats
    max_difference: Floats
    max_significance: Floats
    baseline: Floats


def rv_statistics(rv: Floats, rv_err: Floats, first: Ints, time: Floats | None = None) -> RvStatistics:
    r"""Measure how much the velocities of each star vary.

    Parameters
    ----------
    rv, rv_err : ndarray of float64, shape (n,)
        Velocity and its error in km/s, rows sorted by star.  A row in which either is not finite, or the
        error is not positive, is not used.
    first : ndarray of int64, shape (stars,)
        First row of each star.
    time : ndarray of float64, shape (n,), optional
        In days; NaN where unknown.

    Returns
    -------
    RvStatistics

    Notes
    -----
    .. math:: \chi^2 = \sum_j \frac{(v_j - \bar v)^2}{\sigma_j^2}, \qquad
        \bar v = \frac{\sum_j v_j \sigma_j^{-2}}{\sum_j \sigma_j^{-2}}

    Examples
    --------
    >>> found = rv_statistics(np.array([0.0, 10.0, 20.0, 1.0]), np.ones(4), np.array([0, 3]))
    >>> found.chi2.tolist(), found.std.tolist(), found.n.tolist()
    ([200.0, 0.0], [10.0, nan], [3, 1])
    """
    used = np.isfinite(rv) & np.isfinite(rv_err) & (rv_err > 0)
    star = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(rv))))[used]
    v, error = rv[used], rv_err[used]
    n = np.bincount(star, minlength=len(first)).astype(np.int64)

    def total(values: Floats) -> Floats:
        return np.bincount(star, values, minlength=len(first)).astype(np.float64)

    # Weights relative to the best of the star: errors of 1e-200 have weights that no float can hold.
    best = _extreme(np.minimum, error, star, n)
    weight = (best[star] / error) ** 2
    any_, several = n > 0, n > 1
    sum_weight = _or_nan(total(weight), any_)
    typical = total(error) / _or_nan(n, any_)
    plain = total(v) / _or_nan(n, any_)
    # From a velocity of the star, so that large velocities do not round differences away.
    mean = plain + total(weight * (v - plain[star])) / sum_weight
    std = np.sqrt(total((v - plain[star]) ** 2) / _or_nan(n - 1, several))
    excess = np.sqrt(np.maximum(std**2 - total(error**2) / _or_nan(n, any_), 0.0))
    with np.errstate(over="ignore"):  # which is infinite then, as it should be
        chi2 = _or_nan(total(((v - mean[star]) / error) ** 2), any_)
        significance = _or_nan(_most_significant(v, error, n), several)
    difference = _extreme(np.maximum, v, star, n) - _extreme(np.minimum, v, star, n)
    return RvStatistics(
        n=n,
        mean=mean,
        mean_error=best / np.sqrt(sum_weight),
        std=std,
        typical_error=typical,
        excess=excess,
        chi2=chi2,
        log10_p=log10_chi2_tail(np.where(several, chi2, np.nan), n - 1),
        max_difference=_or_nan(difference, several),
        max_significance=significance,
        baseline=_baseline(time, used, first),
    )


def log10_chi2_tail(chi2: ArrayLike, dof: ArrayLike) -> Floats:
    """Logarithm of the probability of this chi-square or more, where the probability itself is 0 too.

    Parameters
    ----------
    chi2 : array_like of float
        NaN gives NaN.
    dof : array_like of int
        Degrees of freedom; fewer than one give NaN.

    Returns
    -------
    ndarray of float64
        Right to 1e-10 of itself, or 1e-14 where it is nearly 0.

    References
    ----------
    The continued fraction of the incomplete gamma function, by Lentz's method: DLMF 8.9.2.

    Examples
    --------
    >>> log10_chi2_tail([23.025850929940457, 1e5], 2).round(6).tolist()
    [-5.0, -21714.724095]
    """
    given, freedom = np.broadcast_arrays(np.asarray(chi2, np.float64), np.asarray(dof, np.float64))
    result = np.full(given.shape, np.nan)
    result[np.isposinf(given) & (freedom >= 1)] = -np.inf
    good = np.isfinite(given) & (freedom >= 1)
    a, x = freedom[good] / 2.0, given[good] / 2.0
    tail = gammaincc(a, x)
    far = tail < _FAR
    logarithm = np.log(np.where(far, 1.0, tail))
    logarithm[far] = _log_upper_gamma(a[far], x[far])
    result[good] = logarithm / np.log(10.0)
    return result


def _log_upper_gamma(a: Floats, x: Floats) -> Floats:
    """Logarithm of the regularised upper incomplete gamma function, for x well beyond a."""
    b = x + 1.0 - a
    c, d = np.full_like(x, 1.0 / _TINY), 1.0 / b
    value = d.copy()
    for i in range(1, 1000):
        factor = -i * (i - a)
        b += 2.0
        d = 1.0 / _not_zero(factor * d + b)
        c = _not_zero(b + factor / c)
        value *= c * d
        if np.all(np.abs(c * d - 1.0) < 1e-15):
            break
    return a * np.log(x) - x - gammaln(a) + np.log(value)


def _not_zero(values: Floats) -> Floats:
    return np.where(np.abs(values) < _TINY, _TINY, values)


def _or_nan(values: NDArray, where: NDArray[np.bool_]) -> Floats:
    return np.where(where, values, np.nan)


def _extreme(ufunc: np.ufunc, values: Floats, star: Ints, n: Ints) -> Floats:
    """Least or largest value of each star, NaN where it has none; rows are sorted by star."""
    result = np.full(len(n), np.nan)
    if len(values):
        result[n > 0] = ufunc.reduceat(values, np.flatnonzero(np.diff(star, prepend=-1)))
    return result


def _baseline(time: Floats | None, used: NDArray[np.bool_], first: Ints) -> Floats:
    """Span of the known times of the rows used, NaN without any."""
    if time is None:
        return np.full(len(first), np.nan)
    row = used & np.isfinite(time)
    star = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(time))))[row]
    n = np.bincount(star, minlength=len(first))
    return _extreme(np.maximum, time[row], star, n) - _extreme(np.minimum, time[row], star, n)


def _most_significant(v: Floats, error: Floats, n: Ints) -> Floats:
    """Largest |v_i - v_j| / sqrt(e_i^2 + e_j^2) of each star, 0 for fewer than two."""
    result = np.zeros(len(n))
    start = np.cumsum(n) - n
    for some in _chunks(n):
        size = n[some]
        # Every row with every row of its star: (rows of a star) times for each row.
        mine = np.repeat(size, size)
        row = np.arange(size.sum())
        a = np.repeat(row, mine)
        begin = np.repeat(np.cumsum(mine) - mine, mine)
        b = np.arange(len(a)) - begin + np.repeat(np.repeat(np.cumsum(size) - size, size), mine)
        at = start[some][0]
        away = np.abs(v[at + a] - v[at + b]) / np.hypot(error[at + a], error[at + b])
        has = size > 0
        if has.any():
            pairs = size**2
            result[some][has] = np.maximum.reduceat(away, (np.cumsum(pairs) - pairs)[has])
    return result


def _chunks(n: Ints) -> Iterator[slice]:
    """Slices of stars with so few pairs that they fit in memory; a star is never divided."""
    if not len(n):
        return
    chunk = np.cumsum(n**2) // _PAIRS
    border = np.flatnonzero(np.diff(chunk)) + 1
    for low, high in zip([0, *border.tolist()], [*border.tolist(), len(n)], strict=True):
        yield slice(low, high)
