"""Deviations of spectra from the mean of their star (Eq. 3 of the paper)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.means import StarWeights, squared_weight

__all__ = ["FACTORS", "LARGEST_LEVERAGE", "Deviations", "Factor", "deviations", "star_deviations"]

Factor = Literal["paper", "leverage"]
FACTORS: tuple[str, ...] = ("paper", "leverage")
"""Ways to scale a deviation up to the error of the spectrum; see `deviations`."""

LARGEST_LEVERAGE = 1.0 - 1e-6
"""Share of its star's weight above which a spectrum is the mean: its deviation is rounding, by any factor."""


class Deviations(NamedTuple):
    """Per spectrum: deviation (NaN where there is none), share of its star's weight, spectra of its star.

    The share is 0, and counts in no n, where a spectrum has no value or no positive S/N.
    """

    value: NDArray[np.float64]
    leverage: NDArray[np.float64]
    n: NDArray[np.int64]


def deviations(values: ArrayLike, snr: ArrayLike, star: ArrayLike, factor: Factor = "paper") -> Deviations:
    r"""Deviation of each spectrum from the weighted mean of its star.

    .. math:: \Delta P_k = (P_k - \bar P) \sqrt{\frac{N}{N-1}}

    The root (`factor` "paper") makes up for the spectrum's own part in the mean, exactly where all spectra
    of a star have equal weights.  Else a spectrum with more than its share of the weight, a bright one,
    comes out too small and a faint one too large.  The factor "leverage",

    .. math:: \Delta P_k = \frac{P_k - \bar P}{\sqrt{1 - w_k / \sum_j w_j}},

    is the same for equal weights, and has the variance of the spectrum for all weights that go as the
    inverse of the variance.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The parameter; NaN where a spectrum has none.
    snr : array_like of float, shape (n,)
        Signal-to-noise ratio; a spectrum without a positive one has no weight and no deviation.
    star : array_like of int or str, shape (n,)
        Star of each spectrum, in any order.
    factor : {"paper", "leverage"}
        How to scale.

    Returns
    -------
    Deviations
        In the order and unit of `values`.  NaN for the only spectrum of a star, and for one with more than
        `LARGEST_LEVERAGE` of the weight.

    Raises
    ------
    UsageError
        For another factor.
    ValueError
        When the shapes differ.

    References
    ----------
    LK-MRS-I, Eq. 3, after Zong et al. 2020 (Paper 1).

    Examples
    --------
    >>> deviations([10.0, 12.0, 5.0], [1.0, 1.0, 3.0], [7, 7, 9]).value.round(3).tolist()
    [-1.414, 1.414, nan]
    """
    values, snr = np.asarray(values, dtype=np.float64), np.asarray(snr, dtype=np.float64)
    star = np.asarray(star)
    if not values.shape == snr.shape == star.shape or values.ndim != 1:
        raise ValueError(f"values, snr and star differ in shape: {values.shape}, {snr.shape}, {star.shape}")
    order = np.argsort(star, kind="stable")
    ordered = star[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(star)])
    found = star_deviations(values[order], StarWeights(squared_weight(snr[order]), first), factor)
    back = np.argsort(order)
    return Deviations(found.value[back], found.leverage[back], found.n[back])


def star_deviations(
    values: NDArray[np.float64], spectra: StarWeights, factor: Factor = "paper"
) -> Deviations:
    """Eq. 3 for rows whose stars and weights are known already; see `deviations`.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        The parameter, rows sorted by star.
    spectra : StarWeights
        Of these rows.
    factor : {"paper", "leverage"}
        How to scale.
    """
    if factor not in FACTORS:
        raise UsageError(f"factor {factor!r} is unknown; there are {', '.join(FACTORS)}")
    known = np.isfinite(values) & (spectra.weight > 0)
    means = spectra.mean(values)
    weight = np.where(known, spectra.weight, 0.0)
    sums = np.add.reduceat(weight, spectra.first) if len(spectra.first) else weight
    total = np.repeat(sums, spectra.lengths)
    n = np.repeat(means.n, spectra.lengths)
    leverage = np.divide(weight, total, out=np.zeros_like(weight), where=known)
    usable = known & (n >= 2) & (leverage <= LARGEST_LEVERAGE)
    left = 1.0 - leverage if factor == "leverage" else (n - 1.0) / np.maximum(n, 1)
    value = np.full(len(values), np.nan)
    difference = values[usable] - np.repeat(means.mean, spectra.lengths)[usable]
    value[usable] = difference / np.sqrt(left[usable])
    return Deviations(value, leverage, n)
