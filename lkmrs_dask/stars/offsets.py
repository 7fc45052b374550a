"""How the difference from another survey goes with temperature and metallicity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.stars.comparison_settings import OffsetSettings
from lkmrs_dask.stars.limits import within_limits

__all__ = ["Offsets", "offsets", "running_median"]

Floats = NDArray[np.float64]


class Offsets(NamedTuple):
    """Medians in windows of another quantity; arrays of shape (m,), rising, none for no stars.

    Parameters
    ----------
    low, high : ndarray of float64
        Borders of the windows, the lower one within.
    centre : ndarray of float64
        Median of the quantity in the window, NaN where it is empty.
    median : ndarray of float64
        Of the differences, NaN where there are fewer stars than asked for.
    error : ndarray of float64
        Standard error of the median.
    n : ndarray of int64
        Stars.
    n_unplaced : int
        Stars with a difference whose quantity is unknown; they are in no window.
    """

    low: Floats
    high: Floats
    centre: Floats
    median: Floats
    error: Floats
    n: NDArray[np.int64]
    n_unplaced: int


def running_median(
    values: ArrayLike, by: ArrayLike, *, width: float, step: float = 1.0, least: int = 10
) -> Offsets:
    """Median of values in windows of another quantity.

    Windows begin at multiples of ``width * step``, so that those of several surveys are the same.  The error
    is half the distance between the values sqrt(n) / 2 ranks to both sides of the median: one standard
    deviation of the binomial count of values below it, whatever their distribution.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        Those that are not finite are left out.
    by : array_like of float, shape (n,)
        The quantity; values where it is not finite are counted as unplaced.
    width : float
        Of a window.
    step : float
        From one window to the next, in widths.
    least : int
        Fewest values of a median, 2 or more.

    Returns
    -------
    Offsets

    Raises
    ------
    ValueError
        When the shapes differ, or there would be more than 100,000 windows.
    """
    value, place = np.asarray(values, dtype=np.float64), np.asarray(by, dtype=np.float64)
    if value.ndim != 1 or value.shape != place.shape:
        raise ValueError(f"values and the quantity differ in shape: {value.shape}, {place.shape}")
    known = np.isfinite(value)
    placed = known & np.isfinite(place)
    n_unplaced = int((known & ~placed).sum())
    order = np.argsort(place[placed], kind="stable")
    value, place = value[placed][order], place[placed][order]
    if not len(place):
        empty = np.empty(0)
        return Offsets(empty, empty, empty, empty, empty, np.empty(0, dtype=np.int64), n_unplaced)
    stride = width * step
    first, last = math.floor((place[0] - width) / stride) + 1, math.floor(place[-1] / stride)
    if last - first >= 100_000:
        raise ValueError(f"windows of {width:g} are too narrow for values from {place[0]:g} to {place[-1]:g}")
    low = np.arange(first, last + 1) * stride
    high = low + width
    start, stop = np.searchsorted(place, low), np.searchsorted(place, high)
    rows = [_median(value[a:b], place[a:b], least) for a, b in zip(start, stop, strict=True)]
    centre, median, error = np.array(rows).reshape(-1, 3).T
    return Offsets(low, high, centre, median, error, (stop - start).astype(np.int64), n_unplaced)


def _median(values: Floats, place: Floats, least: int) -> tuple[float, float, float]:
    """Median of the place, and median and error of the values."""
    n = len(values)
    if n < max(least, 2):
        return (float(np.median(place)) if n else np.nan), np.nan, np.nan
    share = 0.5 / math.sqrt(n)
    low, high = np.quantile(values, [max(0.5 - share, 0.0), min(0.5 + share, 1.0)])
    return float(np.median(place)), float(np.median(values)), float(0.5 * (high - low))


def offsets(
    ours: ArrayLike,
    theirs: ArrayLike,
    teff: ArrayLike,
    feh: ArrayLike,
    settings: OffsetSettings | None = None,
    *,
    parameter: str | None = None,
) -> Mapping[str, Offsets]:
    """Offsets of ours - theirs in windows of Teff and of [Fe/H].

    A parameter by itself (Teff by Teff) shows the noise of ours too: at its ends stars are there because of
    their noise.

    Parameters
    ----------
    ours, theirs : array_like of float, shape (n,)
        Values of matched stars, NaN where there is none.
    teff, feh : array_like of float, shape (n,)
        Temperature (K) and metallicity (dex) of ours, NaN where unknown.
    settings : OffsetSettings, optional
    parameter : str, optional
        Name of the parameter (``rv``): values that no star has are left out, as in a comparison.

    Returns
    -------
    dict
        `Offsets` by ``teff`` and ``feh``.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    settings = settings or OffsetSettings()
    y, x = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if y.shape != x.shape:
        raise ValueError(f"ours and theirs differ in shape: {y.shape}, {x.shape}")
    possible = within_limits(y, parameter) & within_limits(x, parameter)
    difference = np.where(possible, y, np.nan) - np.where(possible, x, np.nan)
    step, least = settings.step, settings.least
    return {
        "teff": running_median(difference, teff, width=settings.teff_width, step=step, least=least),
        "feh": running_median(difference, feh, width=settings.feh_width, step=step, least=least),
    }
