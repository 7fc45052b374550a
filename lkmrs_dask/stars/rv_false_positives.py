"""How many stars of constant velocity a rule calls RV variables, by chance alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, erfc

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.rv_settings import RvVariableSettings
from lkmrs_dask.stars.rv_variability import rv_variability

__all__ = ["FalsePositives", "expected_false_positives", "false_positive_rate", "simulated_false_positives"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class FalsePositives(NamedTuple):
    """By number of velocities; arrays of shape (m,), n rising.

    Attributes
    ----------
    n : ndarray of int64
        Velocities of a star.
    stars : ndarray of int64
        Stars with so many.
    rate : ndarray of float64
        Probability that one of them passes by chance.
    expected : ndarray of float64
        Stars that pass by chance, were all constant.
    """

    n: Ints
    stars: Ints
    rate: Floats
    expected: Floats

    @property
    def total(self) -> float:
        """Stars that pass by chance, of all, were all constant."""
        return float(self.expected.sum())


def false_positive_rate(
    n: ArrayLike, settings: RvVariableSettings | None = None, *, error: float | None = None
) -> Floats:
    r"""Probability that Gaussian noise makes a star of constant velocity pass.

    All errors of a star are equal, and right.  The paper's rule is then one for chi-square,

    .. math:: P(s > k \sigma) = P(\chi^2_{n-1} > k^2 (n - d)),

    with d the setting `ddof`, and so "either" and "both" are the milder and the stricter of two.

    Parameters
    ----------
    n : array_like of int
        Velocities of the star.
    settings : RvVariableSettings, optional
    error : float, optional
        Error of a velocity (km/s), which the rule "difference" compares with `max_difference`; without it
        only the significance counts.

    Returns
    -------
    ndarray of float64
        In the shape of `n`; 0 below `least_n`.  For "difference" it is the sum over pairs: an upper limit,
        close to the truth where it is small.

    Examples
    --------
    >>> [f"{rate:.1e}" for rate in false_positive_rate([2, 3, 5], RvVariableSettings(least_n=2))]
    ['2.7e-03', '1.2e-04', '2.9e-07']
    """
    settings = settings or RvVariableSettings()
    n = np.asarray(n, np.int64)
    size = np.maximum(n, 2).astype(np.float64)
    paper = chdtrc(size - 1, settings.n_sigma**2 * (size - settings.ddof))
    chi2 = np.full(n.shape, 10.0**settings.log10_p)
    if settings.rule == "difference":
        least = settings.difference_sigma
        if error is not None:
            least = max(least, settings.max_difference / (np.sqrt(2.0) * error))
        rate = np.minimum(size * (size - 1) / 2.0 * erfc(least / np.sqrt(2.0)), 1.0)
    else:
        rate = {
            "paper": paper, "chi2": chi2, "either": np.maximum(paper, chi2), "both": np.minimum(paper, chi2),
        }[settings.rule]  # fmt: skip
    return np.where(n >= settings.least_n, rate, 0.0)


def expected_false_positives(
    n: ArrayLike, settings: RvVariableSettings | None = None, *, error: float | None = None
) -> FalsePositives:
    """Stars that pass by chance in a survey with these numbers of velocities; see `false_positive_rate`.

    Parameters
    ----------
    n : array_like of int, shape (stars,)
        Velocities of each star.
    settings : RvVariableSettings, optional
    error : float, optional
        See `false_positive_rate`.
    """
    number, stars = np.unique(np.asarray(n, np.int64), return_counts=True)
    rate = false_positive_rate(number, settings, error=error)
    return FalsePositives(number, stars.astype(np.int64), rate, stars * rate)


def simulated_false_positives(
    measurements: pa.Table, settings: RvVariableSettings | None = None, *, rounds: int = 10, seed: int = 0
) -> FalsePositives:
    """Stars that pass by chance with the errors that each velocity of a survey has.

    Where errors of a star differ the formula is too low: the mean of errors is less than the root of their
    mean square, and few velocities make the scatter.

    Parameters
    ----------
    measurements : pyarrow.Table
        As for `lkmrs_dask.stars.rv_variability.rv_variability`; of the velocities it only matters which
        there are.
    settings : RvVariableSettings, optional
        Noise has the errors with the floor.
    rounds : int
        Times that all velocities are drawn.
    seed : int
        Of the random numbers.

    Returns
    -------
    FalsePositives
        By simulation: the rate is the share of the stars, over all rounds, that passed.

    Raises
    ------
    UsageError
        For fewer rounds than one.
    """
    if rounds < 1:
        raise UsageError(f"rounds must be 1 or more, not {rounds}")
    settings = settings or RvVariableSettings()
    rng = np.random.default_rng(seed)
    rv, error = (
        measurements.column(name).combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False)
        for name in ("rv", "rv_err")
    )
    sigma = np.where(np.isfinite(rv) & (error > 0), np.hypot(error, settings.error_floor), np.nan)
    at = measurements.column_names.index("rv")
    found: list[pa.Table] = []
    for _ in range(rounds):
        noise = pa.array(sigma * rng.standard_normal(len(sigma)), mask=np.isnan(sigma))
        judged = rv_variability(measurements.set_column(at, "rv", noise), settings)
        found.append(judged.select(["n_rv", "rv_variable"]))
    number = found[0].column("n_rv").to_numpy().astype(np.int64)
    passed = np.zeros(len(number), np.int64)
    for one in found:
        passed += one.column("rv_variable").to_numpy(zero_copy_only=False)
    values, inverse, stars = np.unique(number, return_inverse=True, return_counts=True)
    expected = np.bincount(inverse, passed, minlength=len(values)).astype(np.float64) / rounds
    return FalsePositives(values, stars.astype(np.int64), expected / stars, expected)
