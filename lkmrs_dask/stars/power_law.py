"""Least squares for Eq. 4 of the paper, sigma = a x^b + c, in a form that no data can break."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

__all__ = ["B_RANGE", "LEAST_BINS", "PowerLaw", "fit_power_law"]

Floats = NDArray[np.float64]

B_RANGE = (-5.0, -0.005)
"""Limits of b.  At b = 0 the law is a logarithm, where a and c are infinite and of opposite sign."""

LEAST_BINS = 5
"""Points that a fit of three coefficients needs."""

_ROBUST = 3.0  # residuals (in sigma) beyond which a point counts less
_STARTS = (-4.0, -3.0, -2.0, -1.5, -1.0, -0.7, -0.4, -0.2, -0.05)
_DRAWS = 8192
_TWO_SIGMA = 0.97724987


@dataclass(frozen=True)
class PowerLaw:
    r"""A fitted law.

    Parameters
    ----------
    a, b, c : float
        Coefficients.
    a_err, b_err, c_err : float
        Half the distance to the farther end of the interval that has 95.4 % of the probability: "within 2
        sigma" means what it says even where the three are told apart so badly that no curve of errors is an
        ellipse.  Where it is, these are the standard errors.
    pivots : tuple of float
        Two values of x within the data.
    at_pivots : tuple of float
        The law there; with b these are what is fitted, because they are hardly correlated.
    fit_covariance : tuple of tuple of float, shape (3, 3)
        Of (law at the first pivot, at the second, b).
    chi2 : float
        Sum of squares of residuals over what is expected of it.
    at_limit : bool
        b is at an end of `B_RANGE`, because the points do not tell it.
    n_bins : int
        Points.
    """

    a: float
    b: float
    c: float
    a_err: float
    b_err: float
    c_err: float
    pivots: tuple[float, float]
    at_pivots: tuple[float, float]
    fit_covariance: tuple[tuple[float, ...], ...]
    chi2: float
    at_limit: bool
    n_bins: int

    def sigma(self, x: ArrayLike) -> Floats:
        """The law at x."""
        return np.asarray(_law(self._q, np.log(np.asarray(x, np.float64)), self._u))

    def sigma_err(self, x: ArrayLike) -> Floats:
        """Standard error of the law at x."""
        u = np.atleast_1d(np.log(np.asarray(x, np.float64)))
        slope = _slope(lambda q: _law(q, u, self._u), self._q)
        variance = np.einsum("ki,ij,kj->k", slope, np.array(self.fit_covariance), slope)
        return np.sqrt(variance).reshape(np.shape(x))

    @property
    def covariance(self) -> Floats:
        """Of (a, b, c) to first order, shape (3, 3); correlations of 0.99 are the rule.

        It says little where b is not told apart from 0: `fit_covariance` and the errors hold there too.
        """
        slope = _slope(lambda q: _coefficients(q[None], self._u)[0], self._q)
        return slope @ np.array(self.fit_covariance) @ slope.T

    @property
    def _q(self) -> Floats:
        return np.array([*self.at_pivots, self.b])

    @property
    def _u(self) -> tuple[float, float]:
        return float(np.log(self.pivots[0])), float(np.log(self.pivots[1]))


def fit_power_law(
    log_x: Floats,
    sigma: Floats,
    relative: Floats,
    *,
    covariance: Floats | None = None,
    predict: Callable[[Callable[[Floats], Floats]], Floats] | None = None,
) -> PowerLaw:
    """Fit the law to measured sigmas by robust least squares of ln(sigma).

    Logarithms, because errors of sigmas are shares of them: with errors taken from the data, points that are
    too low by chance would count too much.  The loss is "soft_l1" from 3 sigma on.  The errors hold for
    correlated points too, and are larger in proportion where the points scatter more than chance allows.

    Parameters
    ----------
    log_x : ndarray of float64, shape (n,)
        ln(S/N) of each point; at least `LEAST_BINS` of them.
    sigma : ndarray of float64, shape (n,)
        Measured, above 0.
    relative : ndarray of float64, shape (n,)
        Relative errors of them, as weights.
    covariance : ndarray of float64, shape (n, n), optional
        Of ln(sigma); by default diagonal, of `relative`.
    predict : callable, optional
        Given the law as a function of ln(S/N), what is expected of the n sigmas; the law itself by default.

    Returns
    -------
    PowerLaw
    """
    omega = np.diag(relative**2) if covariance is None else covariance
    measured = np.log(sigma)
    u = _pivots(log_x, relative)
    tiny = 1e-6 * float(sigma.min())

    def expected(q: Floats) -> Floats:
        def law(at: Floats) -> Floats:
            return np.maximum(_law(q, at, u), tiny)

        return np.log(law(log_x) if predict is None else predict(law))

    def residual(q: Floats) -> Floats:
        return (expected(q) - measured) / relative

    low, high = np.array([tiny, tiny, B_RANGE[0]]), np.array([np.inf, np.inf, B_RANGE[1]])
    best = None
    for start in _starts(log_x, sigma, relative, u, residual):
        found = least_squares(
            residual, start, bounds=(low, high), loss="soft_l1", f_scale=_ROBUST,
            x_scale=np.array([start[0], start[1], 0.3]), xtol=1e-12, ftol=1e-12, gtol=1e-12,
        )  # fmt: skip
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    q = np.asarray(best.x, np.float64)
    return _with_errors(q, u, residual(q), _slope(expected, q), relative, omega)


def _law(q: Floats, log_x: Floats, u: tuple[float, float]) -> Floats:
    """Evaluate the law that has the values q[0] and q[1] at the pivots and the power q[2]."""
    return q[0] + (q[1] - q[0]) * np.expm1(q[2] * (log_x - u[0])) / np.expm1(q[2] * (u[1] - u[0]))


def _coefficients(q: Floats, u: tuple[float, float]) -> Floats:
    """a, b and c of fitted numbers, shape (m, 3)."""
    b = q[:, 2]
    at_first = (q[:, 1] - q[:, 0]) / np.expm1(b * (u[1] - u[0]))  # a x^b at the first pivot
    return np.stack([at_first * np.exp(-b * u[0]), b, q[:, 0] - at_first], axis=1)


def _slope(function: Callable[[Floats], Floats], q: Floats) -> Floats:
    """Derivatives of a function's values, shape (n, 3), by central differences."""
    columns = []
    for k in range(3):
        step = np.zeros(3)
        step[k] = 1e-5 * abs(q[k])
        columns.append((function(q + step) - function(q - step)) / (2.0 * step[k]))
    return np.stack(columns, axis=-1)


def _pivots(log_x: Floats, relative: Floats) -> tuple[float, float]:
    """Points between which two thirds of the weight lie."""
    weight = np.cumsum(relative[np.argsort(log_x)] ** -2.0)
    ends = np.interp(np.array([0.17, 0.83]) * weight[-1], weight, np.sort(log_x))
    if ends[1] - ends[0] < 0.2:
        ends = np.array([log_x.min(), log_x.max()])
    return float(ends[0]), float(ends[1])


def _starts(
    log_x: Floats,
    sigma: Floats,
    relative: Floats,
    u: tuple[float, float],
    residual: Callable[[Floats], Floats],
) -> list[Floats]:
    """Best linear fits for given powers; the two best of them."""
    found = []
    for b in _STARTS:
        second = np.expm1(b * (log_x - u[0])) / np.expm1(b * (u[1] - u[0]))
        design = np.stack([1.0 - second, second], axis=1) / (relative * sigma)[:, None]
        at, *_ = np.linalg.lstsq(design, 1.0 / relative, rcond=None)
        start = np.array([*np.maximum(at, 0.1 * sigma.min()), b])
        found.append((float(np.sum(np.sqrt(1.0 + (residual(start) / _ROBUST) ** 2))), start))
    found.sort(key=lambda pair: pair[0])
    return [start for _, start in found[:2]]


def _with_errors(
    q: Floats, u: tuple[float, float], residual: Floats, slope: Floats, relative: Floats, omega: Floats
) -> PowerLaw:
    """Errors from the covariance of the points (a "sandwich": the weights need not be the best)."""
    weight = 1.0 / np.sqrt(1.0 + (residual / _ROBUST) ** 2)  # of soft_l1
    design = slope / relative[:, None]
    inner = np.linalg.pinv(design.T @ (weight[:, None] * design))
    gain = inner @ (weight[:, None] * design).T
    correlated = omega / np.outer(relative, relative)
    rest = np.eye(len(residual)) - design @ gain
    expected = float(np.trace(rest @ correlated @ rest.T))
    spread = np.sqrt(2.0 * np.trace(np.linalg.matrix_power(rest @ correlated @ rest.T, 2))) / expected
    chi2 = float(np.sum(weight * residual**2)) / expected
    covariance = gain @ correlated @ gain.T * (chi2 if chi2 > 1.0 + 2.0 * spread else 1.0)
    errors = _half_intervals(q, covariance, u)
    a, b, c = _coefficients(q[None], u)[0]
    return PowerLaw(
        float(a), float(b), float(c), *errors,
        pivots=(float(np.exp(u[0])), float(np.exp(u[1]))),
        at_pivots=(float(q[0]), float(q[1])),
        fit_covariance=tuple(tuple(map(float, row)) for row in covariance),
        chi2=chi2,
        at_limit=bool(min(q[2] - B_RANGE[0], B_RANGE[1] - q[2]) < 1e-6),
        n_bins=len(residual),
    )  # fmt: skip


def _half_intervals(q: Floats, covariance: Floats, u: tuple[float, float]) -> tuple[float, float, float]:
    """Errors of a, b and c as `PowerLaw` has them."""
    draws = np.random.default_rng(0).standard_normal((_DRAWS // 2, 3))  # always the same
    draws = np.concatenate([draws, -draws])
    draws = draws @ np.linalg.inv(np.linalg.cholesky(np.cov(draws.T, bias=True))).T
    values, vectors = np.linalg.eigh(covariance)
    near = q + (draws * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    near[:, 2] = np.clip(near[:, 2], *B_RANGE)
    spread = _coefficients(near, u) - _coefficients(q[None], u)
    ends = np.quantile(spread, [1.0 - _TWO_SIGMA, _TWO_SIGMA], axis=0)
    return tuple(map(float, np.abs(ends).max(axis=0) / 2.0))  # type: ignore[return-value]
