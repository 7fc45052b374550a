"""Periods from few points on many nights: the periodogram of several harmonics, fitted together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.checked import is_number, is_whole
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.variability.grid import frequency_grid
from lkmrs_dask.variability.one_thread import ONE_THREAD
from lkmrs_dask.variability.series import Series, clean_series
from lkmrs_dask.variability.transform import transform_to_grid

__all__ = ["BestPeriod", "HarmonicPeriodogram", "best_period", "harmonic_periodogram"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_AT_ONCE = 20_000  # frequencies whose normal equations are solved together
_RIDGE = 0.005  # times k squared: a smooth curve is preferred where few points would let harmonics run wild
_SPARE = 3  # points beyond those that the unknowns take


class HarmonicPeriodogram(NamedTuple):
    """Share of the weighted variance that harmonics of each frequency take away.

    Parameters
    ----------
    frequency : ndarray of float64, shape (n,)
        1/d.
    power : ndarray of float64, shape (n,)
        From 0 to 1.
    """

    frequency: Floats
    power: Floats


class BestPeriod(NamedTuple):
    """The best period, and how good the next best is.

    Parameters
    ----------
    period : float
        Days.
    power : float
        Share of the weighted variance that the harmonics take away.
    other_period : float
        The best further than 1/T in frequency from the best and from half and twice it; NaN without one.
    other_power : float
        Its share: where it is nearly that of the best, the nights do not tell the two apart.
    n_points : int
        Points used.
    baseline_d : float
        Last less first time, days.
    """

    period: float
    power: float
    other_period: float
    other_power: float
    n_points: int
    baseline_d: float


def harmonic_periodogram(
    time: ArrayLike,
    flux: ArrayLike,
    flux_err: ArrayLike | None = None,
    *,
    f_min: float = 0.2,
    f_max: float = 10.0,
    harmonics: int = 3,
    oversampling: float = 3.0,
) -> HarmonicPeriodogram:
    r"""Fit a mean and harmonics of each frequency by weighted least squares.

    The normal equations at all frequencies come from two transforms: with :math:`W(f) = \sum_n w_n e^{2 \pi i
    f t_n}` all of their elements are values of W at multiples of f.  The square of the k-th harmonic's
    amplitude is charged with 0.005 k^2 of its own weight (as a Gaussian prior would), so that few points do
    not let high harmonics run wild between them, and half of a frequency is not as good as the frequency.

    Parameters
    ----------
    time : array_like, shape (n,)
        Days, in any order.
    flux : array_like, shape (n,)
        Flux or magnitude.
    flux_err : array_like, shape (n,), optional
        In the unit of flux; all points weigh the same without.  Where the shape is not that of a few
        harmonics, its misfit is larger than good errors, and equal weights are the better choice.
    f_min, f_max : float
        1/d.  Sparse data have no Nyquist frequency: choose what the kind of star may have.
    harmonics : int
        How many, from 1 to 10.
    oversampling : float
        Points of the grid in 1 / (harmonics x baseline), the resolution of the highest harmonic.

    Returns
    -------
    HarmonicPeriodogram

    Raises
    ------
    UsageError
        For settings that make no sense.
    CatalogError
        For fewer points than three more than the unknowns (2 x harmonics + 1), or a constant flux.

    References
    ----------
    Schwarzenberg-Czerny 1996, ApJ 460, L107; Palmer 2009, ApJ 695, 496; VanderPlas & Ivezic 2015, ApJ 812,
    18 (regularisation).
    """
    series = _checked(time, flux, flux_err, f_min, f_max, harmonics)
    return _periodogram(series, f_min, f_max, harmonics, oversampling)


def best_period(
    time: ArrayLike,
    flux: ArrayLike,
    flux_err: ArrayLike | None = None,
    f_min: float = 0.2,
    f_max: float = 10.0,
    harmonics: int = 3,
    *,
    oversampling: float = 3.0,
) -> BestPeriod:
    """Period of few points on many nights: the maximum of `harmonic_periodogram`, then refined.

    For space light curves with thousands of points use `lkmrs_dask.variability.find_frequencies`.  Points at
    one site every night leave aliases (1/d and 1/year away): see `BestPeriod.other_power`.

    Parameters
    ----------
    time, flux, flux_err, f_min, f_max, harmonics, oversampling
        As in `harmonic_periodogram`.

    Returns
    -------
    BestPeriod

    Raises
    ------
    UsageError, CatalogError
        As in `harmonic_periodogram`.
    """
    series = _checked(time, flux, flux_err, f_min, f_max, harmonics)
    frequency, power = _periodogram(series, f_min, f_max, harmonics, oversampling)
    at = int(power.argmax())
    best = _refined(frequency, power, at)
    apart = np.ones(len(frequency), bool)
    for factor in (0.5, 1.0, 2.0):
        apart &= np.abs(frequency - factor * best) > max(1.0, factor) / series.baseline
    other = int(np.where(apart, power, -1.0).argmax())
    found = bool(apart[other])
    return BestPeriod(
        period=1.0 / best,
        power=float(power[at]),
        other_period=1.0 / _refined(frequency, power, other) if found else np.nan,
        other_power=float(power[other]) if found else np.nan,
        n_points=len(series.time),
        baseline_d=series.baseline,
    )


def _checked(
    time: ArrayLike, flux: ArrayLike, flux_err: ArrayLike | None, f_min: float, f_max: float, harmonics: int
) -> Series:
    if not is_whole(harmonics, 1, 10):
        raise UsageError(f"harmonics must be a whole number from 1 to 10, not {harmonics!r}")
    if not (is_number(f_min) and is_number(f_max) and 0 < f_min < f_max):
        raise UsageError(f"0 < f_min < f_max per day is needed, not {f_min!r} and {f_max!r}")
    series = clean_series(time, flux, flux_err)
    least = 2 * harmonics + 1 + _SPARE
    if len(series.time) < least:
        raise CatalogError(
            f"{len(series.time)} points can be used: {harmonics} harmonics need at least {least}"
        )
    return series


def _periodogram(
    series: Series, f_min: float, f_max: float, harmonics: int, oversampling: float
) -> HarmonicPeriodogram:
    grid = frequency_grid(series.time, f_min, 2 * harmonics * f_max, harmonics * oversampling)
    # The window is needed up to twice the highest harmonic, the data up to the highest.
    last = int(f_max / grid.step)
    if last < grid.first:
        raise UsageError(f"no frequency of the grid lies between f_min {f_min:g} and f_max {f_max:g} per day")
    window = transform_to_grid(series.time, series.weights, grid.step, 0, 2 * harmonics * last)
    data = transform_to_grid(series.time, series.weights * series.flux, grid.step, 0, harmonics * last)
    rows = np.arange(grid.first, last + 1)
    variance = float(series.weights @ series.flux**2)
    power = np.empty(len(rows))
    with ONE_THREAD:
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            power[start : start + _AT_ONCE] = _explained(window, data, some, harmonics)
    frequency: Floats = grid.step * rows.astype(np.float64)
    return HarmonicPeriodogram(frequency, np.clip(power / variance, 0.0, 1.0))


def _explained(window: Complexes, data: Complexes, rows: NDArray[np.int64], harmonics: int) -> Floats:
    """Variance that the harmonics take away at each row of the grid; the mean floats."""
    k = np.arange(1, harmonics + 1)
    plus = window[rows[:, None, None] * (k[:, None] + k)]
    apart = k - k[:, None]
    minus = window[rows[:, None, None] * np.abs(apart)]
    minus = np.where(apart < 0, minus.conj(), minus)
    mean = window[rows[:, None] * k]
    first = np.concatenate([mean.real, mean.imag], axis=1)
    normal = np.empty((len(rows), 2 * harmonics, 2 * harmonics))
    normal[:, :harmonics, :harmonics] = 0.5 * (minus + plus).real
    normal[:, harmonics:, harmonics:] = 0.5 * (minus - plus).real
    normal[:, :harmonics, harmonics:] = 0.5 * (plus + minus).imag
    normal[:, harmonics:, :harmonics] = normal[:, :harmonics, harmonics:].swapaxes(1, 2)
    # The flux has no mean: a floating one takes the means of the waves out of the matrix, nothing else.
    normal -= first[:, :, None] * first[:, None, :]
    normal += np.diag(_RIDGE * np.concatenate([k, k]) ** 2)
    right = data[rows[:, None] * k]
    right_side = np.concatenate([right.real, right.imag], axis=1)[:, :, None]
    solution = np.linalg.solve(normal, right_side)
    explained: Floats = np.sum(solution * right_side, axis=(1, 2))
    return explained


def _refined(frequency: Floats, power: Floats, at: int) -> float:
    """Top of the parabola through a maximum and its neighbours; the frequency itself at an end."""
    if not 0 < at < len(frequency) - 1:
        return float(frequency[at])
    left, top, right = power[at - 1 : at + 2]
    bend = left - 2.0 * top + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(frequency[at] + np.clip(shift, -1.0, 1.0) * (frequency[1] - frequency[0]))
