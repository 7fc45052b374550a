"""Weighted means of a star's spectra and their errors (Eqs. 1 and 2 of the paper)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["VSINI_LIMIT", "StarWeights", "WeightedMean", "squared_weight", "weighted_mean"]

VSINI_LIMIT = 8.0
"""km/s; below it the resolution gives only an upper limit (section 3.1, after Frasca et al. 2022)."""


class WeightedMean(NamedTuple):
    """Per star: mean, error (NaN for one spectrum or none) and the number of spectra used."""

    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    n: NDArray[np.int64]


def weighted_mean(values: ArrayLike, snr: ArrayLike, star: ArrayLike) -> WeightedMean:
    r"""Mean and error of a parameter for each star, with weights S/N squared.

    .. math:: \bar P = \frac{\sum_k w_k P_k}{\sum_k w_k}, \qquad
              \sigma = \sqrt{\frac{N}{N-1} \frac{\sum_k w_k (P_k - \bar P)^2}{\sum_k w_k}}

    The paper calls :math:`\sigma` the standard error of the mean; it carries no :math:`1/\sqrt N`, so it
    is the weighted sample standard deviation of the single spectra.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The parameter; NaN where a spectrum has none.
    snr : array_like of float, shape (n,)
        Signal-to-noise ratio of each spectrum.  Rows without a positive one have no weight and are left out.
    star : array_like of int or str, shape (n,)
        Star of each spectrum, in any order.

    Returns
    -------
    WeightedMean
        Arrays with one entry a star, in the order of ``np.unique(star)``.

    Raises
    ------
    ValueError
        When the shapes differ.

    References
    ----------
    LK-MRS-I, Eqs. 1 and 2, after Zong et al. 2020 (Paper 1).

    Examples
    --------
    >>> weighted_mean([10.0, 13.0, 5.0], [1.0, 1.0, 3.0], [7, 7, 9]).mean.tolist()
    [11.5, 5.0]
    """
    values, snr = np.asarray(values, dtype=np.float64), np.asarray(snr, dtype=np.float64)
    star = np.asarray(star)
    if not values.shape == snr.shape == star.shape or values.ndim != 1:
        raise ValueError(f"values, snr and star differ in shape: {values.shape}, {snr.shape}, {star.shape}")
    if len(values) == 0:
        empty = np.empty(0)
        return WeightedMean(empty, empty, np.empty(0, dtype=np.int64))
    order = np.argsort(star, kind="stable")
    star = star[order]
    first = np.flatnonzero(np.concatenate([[True], star[1:] != star[:-1]]))
    return StarWeights(squared_weight(snr[order]), first).mean(values[order])


def squared_weight(snr: NDArray[np.float64]) -> NDArray[np.float64]:
    """S/N squared, and 0 where it is not positive: squaring would hide that a spectrum is that bad."""
    return np.square(np.where(snr > 0, snr, 0.0))


class StarWeights:
    """Weights of rows sorted by star; what does not depend on the parameter is summed once.

    Parameters
    ----------
    weight : ndarray of float, shape (n,)
        S/N squared; a row with NaN or a weight that is not positive is left out.
    first : ndarray of int, shape (m,)
        First row of each star; no star is empty.
    """

    def __init__(self, weight: NDArray[np.float64], first: NDArray[np.int64]) -> None:
        usable = (weight > 0) & np.isfinite(weight)
        self.weight = weight if usable.all() else np.where(usable, weight, 0.0)
        self.first = first
        self.lengths = np.diff(np.append(first, len(weight)))
        self.total = self._sum(self.weight)
        self.n = self._count(usable)

    def _sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.add.reduceat(values, self.first) if len(self.first) else np.empty(0)

    def _count(self, used: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.add.reduceat(used, self.first, dtype=np.int64) if len(self.first) else np.empty(0, np.int64)

    def mean(self, values: NDArray[np.float64]) -> WeightedMean:
        """Eqs. 1 and 2 for one parameter, shape (n,); a value that is not finite leaves its row out."""
        known = np.isfinite(values)
        weight, total, n = self.weight, self.total, self.n
        if not known.all():
            weight, values = np.where(known, weight, 0.0), np.where(known, values, 0.0)
            total, n = self._sum(weight), self._count(weight > 0)
        # A star without a used row divides 0 by 0: NaN is the answer.
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self._sum(weight * values) / total
            # Two passes: the one-pass form loses all digits where the spread is small beside the mean.
            deviation = values - np.repeat(mean, self.lengths)
            spread = self._sum(weight * deviation**2) / total
            error = np.sqrt(spread * n / (n - 1.0))
        error[n < 2] = np.nan
        return WeightedMean(mean, error, n)
