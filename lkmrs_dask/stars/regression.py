"""Straight lines through points: plain least squares, and one for errors in both coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ErrorsInVariables",
    "Line",
    "Resampled",
    "Sums",
    "errors_in_variables",
    "plain_line",
    "resistant_line",
    "robust_scatter",
]

Floats = NDArray[np.float64]

_MAD = 1.482602218505602  # standard deviation of a normal distribution in median absolute deviations
_FLATTEST = 1e-150  # run of a line in its rises: the squares of steeper slopes are no numbers
_LEAST_RELIABILITY = 0.1
_ROUNDS = 200
_FREE_ROUNDS = 100  # rounds after which stars set aside stay aside, so that none comes and goes for ever


@dataclass(frozen=True)
class Line:
    """A line y = slope x + intercept.

    Parameters
    ----------
    slope, intercept : float
        NaN where there is none.
    slope_err, intercept_err : float
        Standard errors, NaN where unknown.
    n_used : int
        Points that were fitted.
    reason : str
        Why there is no line, else empty.
    """

    slope: float
    intercept: float
    slope_err: float = np.nan
    intercept_err: float = np.nan
    n_used: int = 0
    reason: str = ""

    @classmethod
    def none(cls, reason: str, n_used: int = 0) -> Line:
        """No line, and why."""
        return cls(np.nan, np.nan, n_used=n_used, reason=reason)


class Sums(NamedTuple):
    """Weighted mean and second moments of points, and how much of `xx` is errors of x."""

    x: float
    y: float
    xx: float
    xy: float
    noise: float = 0.0

    @classmethod
    def of(cls, weight: Floats, x: Floats, y: Floats, x_err: Floats | None = None) -> Sums:
        """Sums over points; the weights' sum is above zero."""
        total = weight.sum()
        mean_x, mean_y = float(weight @ x / total), float(weight @ y / total)
        from_x = x - mean_x
        weighted = weight * from_x
        noise = 0.0 if x_err is None else float(weight @ np.square(x_err))
        return cls(mean_x, mean_y, float(weighted @ from_x), float(weighted @ (y - mean_y)), noise)

    @property
    def reliability(self) -> float:
        """Share of the variance of x that is not errors, 0 where x does not vary."""
        return 1.0 - self.noise / self.xx if self.xx > 0 else 0.0

    def line(self) -> Line:
        """The line, without errors."""
        spread = self.xx - self.noise
        if spread <= 0:
            return Line.none("x does not vary beyond its errors" if self.noise else "x does not vary")
        slope = self.xy / spread
        return Line(slope, self.y - slope * self.x)


class Resampled:
    """Lines through resamplings of points: moments of the points are made once, and summed each time.

    Parameters
    ----------
    weight, x, y : ndarray of float64, shape (n,)
        Weights, and finite coordinates.
    x_err : ndarray of float64, shape (n,), optional
        As for `Sums.of`.
    """

    def __init__(self, weight: Floats, x: Floats, y: Floats, x_err: Floats | None = None) -> None:
        # From the median no outlier is near, so that sums without it lose no digits.
        self._x, self._y = float(np.median(x)), float(np.median(y))
        u, v = x - self._x, y - self._y
        noise = np.zeros(len(x)) if x_err is None else np.square(x_err)
        self._moments = np.stack([np.ones(len(x)), u, v, u * u, u * v, noise], axis=1) * weight[:, None]

    def sums(self, times: Floats) -> Sums:
        """Sums with each point taken `times` times, shape (n,): those of ``Sums.of(weight * times, ...)``."""
        total, u, v, uu, uv, noise = (times @ self._moments).tolist()
        if not total > 0:
            return Sums(np.nan, np.nan, 0.0, 0.0)
        return Sums(self._x + u / total, self._y + v / total, uu - u * u / total, uv - u * v / total, noise)


def robust_scatter(values: ArrayLike) -> float:
    """1.4826 times the median absolute deviation from the median: NaN for no values."""
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        return np.nan
    return float(_MAD * np.median(np.abs(values - np.median(values))))


def plain_line(x: Floats, y: Floats, times: NDArray[np.int64] | None = None) -> Line:
    """Ordinary least squares of y on x, without errors.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,)
        Finite values; n > 0.
    times : ndarray of int64, shape (n,), optional
        How often each point is taken.

    Returns
    -------
    Line
        Errors of x make its slope flatter than the true one, by the share of the variance of x that they are.
    """
    return Sums.of(np.ones(len(x)) if times is None else times.astype(np.float64), x, y).line()


@dataclass(frozen=True, eq=False)
class ErrorsInVariables:
    """What `errors_in_variables` found.

    Parameters
    ----------
    line : Line
        Without errors; with a reason where there is none.
    scatter : float
        Standard deviation of y about the line beyond the errors of both, NaN without a line.
    weight : ndarray of float64, shape (n,)
        Weights in the end, 0 for points that were not fitted.
    n_outliers : int
        Points set aside as too far from the line.
    n_without_x_err : int
        Points left out since the error of x is unknown.
    n_without_y_err : int
        Points fitted, or set aside, for which an unknown error of y was replaced.
    """

    line: Line
    scatter: float
    weight: Floats
    n_outliers: int
    n_without_x_err: int
    n_without_y_err: int


def errors_in_variables(
    x: Floats, y: Floats, x_err: Floats, y_err: Floats, *, clip: float = 5.0, least: int = 3
) -> ErrorsInVariables:
    r"""Line between noisy coordinates that the noise of x does not make flatter.

    .. math:: w_i = \frac{1}{s^2 + \sigma_{y,i}^2 + m^2 \sigma_{x,i}^2}, \qquad
              m = \frac{\sum w_i (x_i - \bar x)(y_i - \bar y)}
                       {\sum w_i \left[(x_i - \bar x)^2 - \sigma_{x,i}^2\right]}

    The errors' share is taken from the variance of x (Fuller 1987, Measurement Error Models, section 3.1;
    with equal weights it is BCES(Y|X) of Akritas & Bershady 1996, ApJ 470, 706).  Nothing is assumed on how
    x is distributed.  The scatter s is such that squared residuals sum to n - 2 in units of their variance.
    Errors of y only enter the weights; those of x must be right.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,)
        Finite values.
    x_err, y_err : ndarray of float64, shape (n,)
        Standard deviations, not negative; NaN where unknown.  Points without that of x are left out; one of y
        becomes the median of the others, or zero where none is known (the scatter then holds it).
    clip : float
        Points farther from the line than this many standard deviations, their own errors and the scatter
        together, are set aside.
    least : int
        Fewest points, 3 or more.

    Returns
    -------
    ErrorsInVariables
    """
    known = np.flatnonzero(np.isfinite(x_err))
    own, unknown = y_err[known], ~np.isfinite(y_err[known])
    own = np.where(unknown, 0.0 if unknown.all() else np.median(own[~unknown]), own)
    left_out = len(x) - len(known), int(unknown.sum())
    if len(known) < least:
        line = Line.none(f"{len(known)} points have an error of x, fewer than {least}")
        return ErrorsInVariables(line, np.nan, np.zeros(len(x)), 0, *left_out)
    line, variance, used = _iterate(x[known], y[known], x_err[known], own, clip, least)
    weight = np.zeros(len(x))
    if line.reason:
        return ErrorsInVariables(line, np.nan, weight, 0, *left_out)
    weight[known] = used
    n_used = int(np.count_nonzero(used))
    line = Line(line.slope, line.intercept, n_used=n_used)
    return ErrorsInVariables(line, float(np.sqrt(variance)), weight, len(known) - n_used, *left_out)


def _iterate(
    x: Floats, y: Floats, x_err: Floats, y_err: Floats, clip: float, least: int
) -> tuple[Line, float, Floats]:
    """Line, variance of the scatter, and weights; where there is no line, the first says why."""
    line = resistant_line(x, y)
    if line.reason:
        return line, np.nan, np.zeros(0)
    residual = y - line.slope * x - line.intercept
    variance = robust_scatter(residual) ** 2
    floor = 1e-12 * float(np.var(y)) or 1.0
    used = np.ones(len(x), dtype=bool)
    for turn in range(_ROUNDS):
        own = np.square(y_err) + line.slope**2 * np.square(x_err)
        total = np.maximum(variance + own, floor)
        used = (np.abs(residual) <= clip * np.sqrt(total)) & (used if turn > _FREE_ROUNDS else True)
        if used.sum() < least:
            return Line.none(f"fewer than {least} points lie near a line"), np.nan, np.zeros(0)
        weight = np.where(used, 1.0 / total, 0.0)
        sums = Sums.of(weight, x, y, x_err)
        if sums.reliability < _LEAST_RELIABILITY:
            return Line.none("x does not vary beyond its errors"), np.nan, np.zeros(0)
        before, line = (line.slope, variance), sums.line()
        residual = y - line.slope * x - line.intercept
        variance = _excess_variance(residual[used], own[used], floor)
        if np.allclose((line.slope, variance), before, rtol=1e-9, atol=0.0):
            return line, variance, weight
    return Line.none("the fit does not settle"), np.nan, np.zeros(0)


def resistant_line(x: Floats, y: Floats) -> Line:
    """Line through medians of the lower and the upper third in x, which outliers hardly move (Tukey 1977).

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,)
        Finite values; n > 0.

    Returns
    -------
    Line
        Without errors; that of plain least squares where both medians have the same x, or nearly so.
    """
    order = np.argsort(x, kind="stable")
    third = max(1, len(x) // 3)
    low, high = order[:third], order[-third:]
    run, rise = (np.median(values[high]) - np.median(values[low]) for values in (x, y))
    if not run > _FLATTEST * abs(rise):
        return plain_line(x, y)
    slope = float(rise / run)
    return Line(slope, float(np.median(y - slope * x)))


def _excess_variance(residual: Floats, own: Floats, floor: float) -> float:
    """Variance beyond that of each point, 0 where there is none (Paule & Mandel 1982)."""
    squares, free = np.square(residual), max(len(residual) - 2, 1)
    variance = 0.0
    # The sum falls and is convex: Newton's steps rise to its root and never beyond.
    for _ in range(100):
        total = np.maximum(own + variance, floor)
        excess = float((squares / total).sum()) - free
        if excess <= 1e-9 * free:
            break
        variance += excess / float((squares / total**2).sum())
    return variance
