"""A light curve made fit for transforms: finite, sorted, native floats, times once each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import CatalogError, UsageError

__all__ = ["LEAST_POINTS", "Series", "clean_series", "in_order", "ppt_about", "usable"]

Floats = NDArray[np.float64]

LEAST_POINTS = 10
"""With fewer points a spectrum says nothing."""

_PPT_RANGE = (1e-9, 1e9)


class Series(NamedTuple):
    """A clean light curve.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        Days from `time_zero`, rising.
    flux : ndarray of float64, shape (n,)
        Less its weighted mean.
    weights : ndarray of float64, shape (n,)
        By 1 / flux_err squared; their sum is 1.
    time_zero : float
        Middle of the first and the last time, on the caller's scale.
    mean : float
        The weighted mean that was taken off.
    baseline : float
        Last less first time, days.
    flux_err : ndarray of float64, optional
        As given; None without.
    n_dropped, n_merged : int
        Points left out because time, flux or error was not finite (or the error not positive), and points
        merged with another of the same time.
    """

    time: Floats
    flux: Floats
    weights: Floats
    time_zero: float
    mean: float
    baseline: float
    flux_err: Floats | None
    n_dropped: int
    n_merged: int


def clean_series(time: ArrayLike, flux: ArrayLike, flux_err: ArrayLike | None = None) -> Series:
    """Clean a light curve.

    Points whose time, flux or error is not finite, or whose error is not positive, are left out; points are
    sorted by time; points of exactly the same time become their weighted mean.  Any byte order, real or
    whole numbers, and masked arrays are taken.

    Parameters
    ----------
    time : array_like, shape (n,)
        Days.
    flux : array_like, shape (n,)
        In any unit.
    flux_err : array_like, shape (n,), optional
        In the unit of flux.

    Raises
    ------
    UsageError
        When shapes differ, or something is not a list of real numbers.
    CatalogError
        When fewer than 10 points can be used, all of them have one time, or the flux is constant.
    """
    t, y, e, good = usable(time, flux, flux_err)
    n_dropped = int(len(t) - np.count_nonzero(good))
    _enough(int(np.count_nonzero(good)), len(t), n_dropped)
    if n_dropped:
        t, y, e = t[good], y[good], None if e is None else e[good]
    n_before = len(t)
    t, y, e = in_order(t, y, e)
    if len(t) < n_before:
        _enough(len(t), n_before, n_before - len(t))
    if y.min() == y.max():
        raise CatalogError(f"the flux of all {len(t)} points is {y[0]:g}: nothing varies")
    weights = np.full(len(t), 1.0 / len(t)) if e is None else (e.min() / e) ** 2
    weights /= weights.sum()
    time_zero = float(0.5 * (t[0] + t[-1]))
    mean = float(weights @ y)
    return Series(
        t - time_zero, y - mean, weights, time_zero, mean, float(t[-1] - t[0]), e, n_dropped,
        n_before - len(t),
    )  # fmt: skip


def ppt_about(flux: Floats, middle: float) -> Floats | None:
    """Relative flux in ppt about a positive median; None where it varies by rounding alone, or beyond all."""
    with np.errstate(over="ignore", invalid="ignore"):
        ppt = 1e3 * (flux / middle - 1.0)
        reach = float(np.ptp(ppt))
    return ppt if _PPT_RANGE[0] < reach < _PPT_RANGE[1] else None


def usable(
    time: ArrayLike, flux: ArrayLike, flux_err: ArrayLike | None
) -> tuple[Floats, Floats, Floats | None, NDArray[np.bool_]]:
    """Time, flux and error as native floats, and which points can be used.

    Raises
    ------
    UsageError
        As in `clean_series`.
    """
    t, y = _floats("time", time), _floats("flux", flux)
    e = None if flux_err is None else _floats("flux_err", flux_err)
    for name, values in (("flux", y), ("flux_err", e)):
        if values is not None and values.shape != t.shape:
            raise UsageError(f"{name} has {len(values)} points, but time has {len(t)}")
    good = np.isfinite(t) & np.isfinite(y)
    if e is not None:
        good &= np.isfinite(e) & (e > 0)
    return t, y, e, good


def in_order(t: Floats, y: Floats, e: Floats | None) -> tuple[Floats, Floats, Floats | None]:
    """Sort usable points by time; those of exactly the same time become their weighted mean."""
    if np.any(t[1:] < t[:-1]):
        order = np.argsort(t, kind="stable")
        t, y, e = t[order], y[order], None if e is None else e[order]
    return _merge(t, y, e) if np.any(t[1:] == t[:-1]) else (t, y, e)


def _floats(name: str, values: ArrayLike) -> Floats:
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    try:
        array = np.asarray(values)
        if np.iscomplexobj(array):
            raise TypeError("complex numbers")
        array = np.ascontiguousarray(array, dtype=np.float64)  # native byte order, too
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} must be a list of real numbers: {error}") from None
    if array.ndim != 1:
        raise UsageError(f"{name} must have one dimension, not {array.ndim}")
    return array


def _enough(n_good: int, n: int, n_lost: int) -> None:
    if n_good < LEAST_POINTS:
        why = f", {n_lost} were not usable or repeated" if n_lost else ""
        raise CatalogError(f"{n_good} points of {n} can be used{why}: at least {LEAST_POINTS} are needed")


def _merge(t: Floats, y: Floats, e: Floats | None) -> tuple[Floats, Floats, Floats | None]:
    first = np.flatnonzero(np.r_[True, t[1:] != t[:-1]])
    weight = np.ones(len(t)) if e is None else 1.0 / e**2
    total = np.add.reduceat(weight, first)
    mean = np.add.reduceat(weight * y, first) / total
    return t[first], mean, None if e is None else 1.0 / np.sqrt(total)
