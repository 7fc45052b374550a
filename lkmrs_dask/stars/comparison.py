"""A parameter of this survey against another survey's, star by star (section 3.3, Figs. 4 to 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.stars.comparison_settings import ComparisonSettings
from lkmrs_dask.stars.density import Density, DensityGrid
from lkmrs_dask.stars.limits import within_limits
from lkmrs_dask.stars.regression import (
    ErrorsInVariables,
    Line,
    Resampled,
    errors_in_variables,
    plain_line,
    resistant_line,
)
from lkmrs_dask.stars.residuals import Residuals

__all__ = [
    "CLASSES",
    "Comparison",
    "ComparisonSettings",
    "Residuals",
    "Split",
    "compare",
    "compare_classes",
    "split_dwarfs_giants",
]

Floats = NDArray[np.float64]

CLASSES = ("all", "giant", "dwarf")
"""Samples of a comparison: all stars, those below the limit in log g, and those from it on."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Ours against theirs; the lines are ours = slope x theirs + intercept.

    Parameters
    ----------
    theirs, ours : ndarray of float64, shape (n,)
        Values of the stars that have both, sorted.
    line : Line
        The paper's regression: least squares over the densest pixels, weighted with the smoothed density.
    plain : Line
        Ordinary least squares of all stars.
    corrected : Line
        Regression that allows for the errors of both, see `lkmrs_dask.stars.regression.errors_in_variables`:
        the only one of the three whose slope is not flattened by the errors of theirs.
    scatter : float
        Standard deviation of ours about `corrected` beyond the stated errors of both.
    residuals : Residuals
        Of ours - theirs.
    density : Density or None
        For the figure; None for no stars.
    n_missing_ours, n_missing_theirs : int
        Stars left out because one has no finite value; those without either count in the first.
    n_beyond_limits : int
        Stars left out because one of two values is beyond `lkmrs_dask.stars.limits.LIMITS`.
    n_without_ours_err : int
        Stars in `corrected` whose own error is unknown: the median of the others is taken, or zero.
    n_without_theirs_err : int
        Stars left out of `corrected` because their error in the other survey is unknown.
    n_outliers : int
        Stars left out of `corrected` as too far from the line.
    """

    theirs: Floats
    ours: Floats
    line: Line
    plain: Line
    corrected: Line
    scatter: float
    residuals: Residuals
    density: Density | None
    n_missing_ours: int
    n_missing_theirs: int
    n_beyond_limits: int
    n_without_ours_err: int
    n_without_theirs_err: int
    n_outliers: int
    settings: ComparisonSettings

    @property
    def n(self) -> int:
        """Stars with both values."""
        return len(self.ours)

    @property
    def slope(self) -> float:
        """Slope of the paper's regression."""
        return self.line.slope

    @property
    def intercept(self) -> float:
        """Intercept of the paper's regression."""
        return self.line.intercept

    @property
    def slope_err(self) -> float:
        """Standard error of the slope."""
        return self.line.slope_err

    @property
    def intercept_err(self) -> float:
        """Standard error of the intercept."""
        return self.line.intercept_err

    @property
    def n_used(self) -> int:
        """Stars in the densest pixels."""
        return self.line.n_used

    @property
    def difference(self) -> Floats:
        """Ours - theirs of each star."""
        return self.ours - self.theirs


class Split(NamedTuple):
    """Masks of dwarfs and giants, and the number of stars that are neither for want of a log g."""

    dwarf: NDArray[np.bool_]
    giant: NDArray[np.bool_]
    n_unknown: int


def split_dwarfs_giants(logg: ArrayLike, limit: float = 3.5) -> Split:
    """Tell dwarfs (log g from the limit on) from giants (below), as Wang et al. (2020, ApJS 251, 27).

    Parameters
    ----------
    logg : array_like of float, shape (n,)
        Surface gravity of ours, dex; NaN where unknown.
    limit : float
        Dex.
    """
    values = np.asarray(logg, dtype=np.float64)
    known = np.isfinite(values)
    return Split(known & (values >= limit), known & (values < limit), int((~known).sum()))


def compare(
    ours: ArrayLike,
    theirs: ArrayLike,
    *,
    ours_err: ArrayLike | None = None,
    theirs_err: ArrayLike | None = None,
    parameter: str | None = None,
    settings: ComparisonSettings | None = None,
) -> Comparison:
    """Compare one parameter of matched stars.

    The answer does not depend on the order of the stars.  Errors of slopes and intercepts are standard
    deviations over resamplings of the stars with replacement.

    Parameters
    ----------
    ours, theirs : array_like of float, shape (n,)
        Values in the same unit; NaN or infinite where there is none.
    ours_err, theirs_err : array_like of float, shape (n,), optional
        Standard errors; NaN or negative where unknown, as are those above 1e30.  Zero means exact.
    parameter : str, optional
        Name of the parameter (``rv``): values that no star has, such as -9999, are left out; see
        `lkmrs_dask.stars.limits`.
    settings : ComparisonSettings, optional

    Returns
    -------
    Comparison
        Where there are too few stars, or all values of one side are the same, lines are NaN and say why.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    settings = settings or ComparisonSettings()
    y, x, y_err, x_err = _aligned(ours, theirs, ours_err, theirs_err)
    have_y, have_x = np.isfinite(y), np.isfinite(x)
    possible = within_limits(y, parameter) & within_limits(x, parameter)
    both = np.flatnonzero(possible)
    # Their order must not matter, to sums as little as to resamplings.
    order = both[np.lexsort((y_err[both], x_err[both], y[both], x[both]))]
    x, y, x_err, y_err = x[order], y[order], x_err[order], y_err[order]
    grid = _grid(x, y, settings) if len(x) else None
    reason = _no_regression(x, y, settings.least, len(have_x))
    lines, fit = _lines(x, y, x_err, y_err, grid, reason, settings)
    return Comparison(
        theirs=x,
        ours=y,
        line=lines[0],
        plain=lines[1],
        corrected=lines[2],
        scatter=fit.scatter if fit else np.nan,
        residuals=Residuals.of(y - x),
        density=grid.density() if grid else None,
        n_missing_ours=int((~have_y).sum()),
        n_missing_theirs=int((have_y & ~have_x).sum()),
        n_beyond_limits=int((have_y & have_x & ~possible).sum()),
        n_without_ours_err=fit.n_without_y_err if fit else 0,
        n_without_theirs_err=fit.n_without_x_err if fit else 0,
        n_outliers=fit.n_outliers if fit else 0,
        settings=settings,
    )


def _aligned(*arrays: ArrayLike | None) -> list[Floats]:
    """Ours, theirs, and the errors of both, which are NaN where unknown, as arrays of one shape."""
    given = [None if a is None else np.asarray(a, dtype=np.float64) for a in arrays]
    shapes = [a.shape for a in given if a is not None]
    if len(set(shapes)) != 1 or len(shapes[0]) != 1:
        raise ValueError(f"values and errors differ in shape, or have not one dimension: {shapes}")
    y, x, *errors = (np.full(shapes[0], np.nan) if a is None else a for a in given)
    return [y, x, *(np.where(within_limits(e) & (e >= 0), e, np.nan) for e in errors)]


def _grid(x: Floats, y: Floats, settings: ComparisonSettings) -> DensityGrid:
    """The grid, leaning with the line that it will give."""
    line = resistant_line(x, y)
    for _ in range(3):
        tilt = 0.0 if line.reason else line.slope
        grid = DensityGrid(x, y, settings.grid, settings.smoothing, settings.enclosed, tilt)
        line = grid.line()
    return grid


def _lines(
    x: Floats,
    y: Floats,
    x_err: Floats,
    y_err: Floats,
    grid: DensityGrid | None,
    reason: str,
    settings: ComparisonSettings,
) -> tuple[list[Line], ErrorsInVariables | None]:
    """The three lines, and more about the last one; nothing more where, for a reason, there can be none."""
    if grid is None or reason:
        return [Line.none(reason)] * 3, None
    fit = errors_in_variables(x, y, x_err, y_err, clip=settings.clip, least=settings.least)
    exact = np.nan_to_num(x_err, nan=0.0)
    inside = grid.line()
    plain = Resampled(np.ones(len(x)), x, y)
    # Weights and outliers stay: what they do to the errors is of second order.
    corrected = Resampled(fit.weight, x, y, exact)
    estimates: list[tuple[Line, Callable[[Floats], Line]]] = [
        (replace(inside, n_used=0 if inside.reason else grid.n_retained()), grid.line),
        (replace(plain_line(x, y), n_used=len(x)), lambda times: plain.sums(times).line()),
        (fit.line, lambda times: corrected.sums(times).line()),
    ]
    return _bootstrapped(estimates, len(x), settings), fit


def _no_regression(x: Floats, y: Floats, least: int, n_matched: int) -> str:
    """Why there can be no line, or nothing."""
    if not len(x):
        return "no star has both values" if n_matched else "no stars in common"
    if len(x) < least:
        return f"{len(x)} star{'' if len(x) == 1 else 's'}, fewer than {least}"
    for values, whose in ((x, "theirs"), (y, "ours")):
        # Squares of less are no numbers.
        if np.ptp(values) <= max(1e-9 * np.abs(values).max(), 1e-30):
            return f"all values of {whose} are the same"
    return ""


def _bootstrapped(
    estimates: Sequence[tuple[Line, Callable[[Floats], Line]]],
    n: int,
    settings: ComparisonSettings,
) -> list[Line]:
    """Lines with errors from resamplings of n stars, the same ones for each; those without a line stay."""
    draws = np.random.default_rng(settings.seed)
    again = np.full((settings.n_bootstrap, len(estimates), 2), np.nan)
    for turn in range(settings.n_bootstrap):
        times = np.bincount(draws.integers(0, n, n), minlength=n).astype(np.float64)
        for at, (line, estimate) in enumerate(estimates):
            if not line.reason:
                one = estimate(times)
                again[turn, at] = one.slope, one.intercept
    lines = []
    for at, (line, _) in enumerate(estimates):
        found = again[np.isfinite(again[:, at, 0]), at]
        # A line that most resamplings do not have has no error that could be believed.
        if len(found) > 1 and 2 * len(found) >= settings.n_bootstrap:
            slope_err, intercept_err = found.std(axis=0, ddof=1)
            line = replace(line, slope_err=float(slope_err), intercept_err=float(intercept_err))
        lines.append(line)
    return lines


def compare_classes(
    ours: ArrayLike,
    theirs: ArrayLike,
    logg: ArrayLike,
    *,
    ours_err: ArrayLike | None = None,
    theirs_err: ArrayLike | None = None,
    parameter: str | None = None,
    settings: ComparisonSettings | None = None,
) -> dict[str, Comparison]:
    """Compare all stars, giants and dwarfs.

    Splitting by our log g cuts the residuals of log g itself at the limit, so that slopes of log g are right
    for all stars only.

    Parameters
    ----------
    ours, theirs, ours_err, theirs_err, parameter, settings
        See `compare`.
    logg : array_like of float, shape (n,)
        Surface gravity of ours, dex.  Stars without it are in ``all`` alone.

    Returns
    -------
    dict
        `Comparison` by class, those of `CLASSES`.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    settings = settings or ComparisonSettings()
    arrays = _aligned(ours, theirs, ours_err, theirs_err)
    gravity = np.asarray(logg, dtype=np.float64)
    if gravity.shape != arrays[0].shape:
        raise ValueError(f"log g differs in shape from the values: {gravity.shape}, {arrays[0].shape}")
    split = split_dwarfs_giants(gravity, settings.logg_limit)
    masks = (np.ones(len(gravity), dtype=bool), split.giant, split.dwarf)
    found = {}
    for name, mask in zip(CLASSES, masks, strict=True):
        y, x, y_err, x_err = (values[mask] for values in arrays)
        found[name] = compare(y, x, ours_err=y_err, theirs_err=x_err, parameter=parameter, settings=settings)
    return found
