"""Stars whose radial velocity varies, by the paper's rule of section 4.3."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.limits import within_limits

__all__ = ["VelocityScatter", "velocity_scatter"]


class VelocityScatter(NamedTuple):
    """Per star: velocities used, their standard deviation and mean error (km/s, NaN without), the verdict."""

    n: NDArray[np.int64]
    std: NDArray[np.float64]
    mean_error: NDArray[np.float64]
    variable: NDArray[np.bool_]


def velocity_scatter(
    rv: NDArray[np.float64],
    rv_err: NDArray[np.float64],
    first: NDArray[np.int64],
    *,
    n_sigma: float = 3.0,
    ddof: int = 1,
    least_n: int = 2,
) -> VelocityScatter:
    r"""Tell which stars vary: std(RV) > `n_sigma` times the mean error of RV.

    Standard deviation and mean are without weights.  The paper states neither the degrees of freedom nor the
    least number of velocities: by default it is the sample's standard deviation, of two or more.

    Parameters
    ----------
    rv, rv_err : ndarray of float64, shape (n,)
        Velocity and its error in km/s, rows sorted by star.  A row in which either is not finite, the error
        is not positive, or the velocity is one that no star has (-9999; see `lkmrs_dask.stars.limits`) is not
        used.
    first : ndarray of int64, shape (stars,)
        First row of each star.
    n_sigma : float
        3 in the paper.
    ddof : int
        The sum of squares is divided by n - `ddof`.
    least_n : int
        Velocities that a star needs to be called variable; at least ``ddof + 1``, and 2.

    Returns
    -------
    VelocityScatter
        The deviation is NaN for fewer than ``ddof + 1`` velocities, the mean error for none.

    Raises
    ------
    UsageError
        For settings that make no sense.

    References
    ----------
    LK-MRS-I, section 4.3.

    Examples
    --------
    >>> rv, error = np.array([0.0, 10.0, 1.0, 2.0]), np.ones(4)
    >>> velocity_scatter(rv, error, np.array([0, 2])).variable.tolist()
    [True, False]
    """
    if not (n_sigma > 0 and ddof in (0, 1) and least_n >= 2):
        raise UsageError(
            f"n_sigma must be positive, ddof 0 or 1 and least_n 2 or more: {n_sigma}, {ddof}, {least_n}"
        )
    if len(first) == 0:
        none = np.empty(0)
        return VelocityScatter(np.empty(0, np.int64), none, none, np.empty(0, bool))
    used = within_limits(rv, "rv") & within_limits(rv_err) & (rv_err > 0)
    lengths = np.diff(np.append(first, len(rv)))
    n = np.add.reduceat(used, first, dtype=np.int64)
    # A star without a used row divides 0 by 0: NaN is the answer.
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.add.reduceat(np.where(used, rv, 0.0), first) / n
        mean_error = np.add.reduceat(np.where(used, rv_err, 0.0), first) / n
        square = np.where(used, rv - np.repeat(mean, lengths), 0.0) ** 2
        std = np.sqrt(np.add.reduceat(square, first) / (n - ddof))
    std[n <= ddof] = np.nan
    variable = (n >= least_n) & (std > n_sigma * mean_error)
    return VelocityScatter(n, std, mean_error, variable)
