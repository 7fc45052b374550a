"""Light curves in several bands put on one scale: their labels, means, spreads and weights."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.variability.series import LEAST_POINTS, in_order, usable

__all__ = ["Bands", "clean_bands"]

Floats = NDArray[np.float64]

_MISFIT = 0.1  # of the spread, added to errors: a few harmonics are no better than that (ours)
_FEW = 5.0  # points whose word on a band's amplitude weighs as much as the other bands' (ours)
_FAR = 10.0  # spreads from the median: no star does that, but placeholders (99.99) and slips do (ours)
_SHARE = 0.05  # of a band's values, and one at least, that are not asked how far it goes (ours)
_LEAST_VALUES = 8  # of 4,000 sinusoids at eight random phases one seems to have a point far off (ours)
_LARGEST = 1e6  # error over the spread, for all above: it has no weight either way (ours)
_VISIT = 0.02  # d: a filter wheel has turned once, and the star has hardly changed (ours)


class Bands(NamedTuple):
    """Points of all bands on one scale.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        Days from the middle of the first and the last, rising within a band.
    value : ndarray of float64, shape (n,)
        Flux less its band's weighted mean, over its band's spread.
    weights : ndarray of float64, shape (n,)
        Their sum is 1.
    band : ndarray of int64, shape (n,)
        Number of the band, rising.
    baseline : float
        Last less first time, days.
    labels : tuple
        Of the bands, by their number; empty where all points are of one band without a name.
    n_off : int
        Points left out because they lie far off their band's median.
    """

    time: Floats
    value: Floats
    weights: Floats
    band: NDArray[np.int64]
    baseline: float
    labels: tuple[Any, ...] = ()
    n_off: int = 0

    @property
    def n_bands(self) -> int:
        """Bands with two points or more."""
        return int(self.band[-1]) + 1

    @property
    def n_visits(self) -> int:
        """Points that say something of their own: those of several bands within half an hour are one."""
        if self.n_bands == 1:
            return len(self.time)
        order = np.argsort(self.time, kind="stable")
        visits, begun, seen = 0, -np.inf, set[int]()
        for time, band in zip(self.time[order].tolist(), self.band[order].tolist(), strict=True):
            if time - begun > _VISIT or band in seen:
                visits, begun, seen = visits + 1, time, set()
            seen.add(band)
        return visits

    @property
    def shares(self) -> Floats:
        """Sum of the weights of each band."""
        sums: Floats = np.bincount(self.band, self.weights).astype(np.float64)
        return sums


def clean_bands(
    time: ArrayLike, flux: ArrayLike, flux_err: ArrayLike | None, band: ArrayLike | None
) -> Bands:
    """Put the points of all bands on one scale.

    The spread of a band is the difference between the 95th and the 5th percentile of its flux, which is
    proportional to the amplitude for any one shape; where a band has few points it is drawn towards those of
    the others.  A tenth of it is added in quadrature to the errors.

    Points further from their band's median than ten times the range of the others are left out.  Both are
    those of the band's different values, so that a placeholder counts once however often it stands; "the
    others" are all but the twentieth, and one at least, that lies furthest off.  Of fewer than eight values
    none is left out.

    Parameters
    ----------
    time, flux, flux_err
        As in `lkmrs_dask.variability.series.clean_series`.
    band : array_like, shape (n,), optional
        Label of each point's band, of any kind.  Points without one (None, NaN, masked, or an empty text)
        are left out, and bands with a single point, as they have a mean of their own.

    Raises
    ------
    UsageError
        When shapes differ, or something is not a list of real numbers.
    CatalogError
        When fewer than 10 points can be used, all of them have one time, or no band varies.
    """
    t, y, e, good = usable(time, flux, flux_err)
    codes, names = (np.zeros(len(t), np.int64), []) if band is None else _codes(band, len(t))
    good &= codes >= 0
    parts, labels, n_off, lonely = [], [], 0, False
    for code in np.unique(codes[good]).tolist():
        own = np.flatnonzero(good & (codes == code))
        off = _far_off(y[own])
        own = own[~off]
        part = in_order(t[own], y[own], None if e is None else _bounded(e[own], y[own]))
        if len(part[0]) > 1:
            parts.append(part)
            labels += names[code : code + 1]
            n_off += int(np.count_nonzero(off))
        else:
            lonely = True
    n = sum(len(part[0]) for part in parts)
    if n < LEAST_POINTS:
        why = ", as each band needs two" if lonely else ""
        raise CatalogError(f"{n} points of {len(t)} can be used{why}: at least {LEAST_POINTS} are needed")
    spreads = np.array([_spread(part[1]) for part in parts])
    if not spreads.any():
        raise CatalogError(f"the flux of all {n} points is the same in each band: nothing varies")
    joined = _joined(parts, _scales(spreads, np.array([len(part[0]) for part in parts], np.float64)))
    return joined._replace(labels=tuple(labels), n_off=n_off)


def _codes(band: ArrayLike, n: int) -> tuple[NDArray[np.int64], list[Any]]:
    """Numbers of the labels in order of appearance, -1 where there is none; and the labels."""
    import pandas as pd

    labels = np.array(np.ma.getdata(band) if isinstance(band, np.ma.MaskedArray) else band, object)
    if labels.shape != (n,):
        raise UsageError(f"band has the shape {labels.shape}, but time has {n} points")
    if isinstance(band, np.ma.MaskedArray):
        labels[np.ma.getmaskarray(band)] = None
    labels[[isinstance(one, str | bytes) and not one.strip() for one in labels]] = None
    try:
        codes, names = pd.factorize(labels)
    except TypeError as error:
        raise UsageError(f"band must be a list of labels: {error}") from None
    return codes.astype(np.int64), list(names)


def _far_off(y: Floats) -> NDArray[np.bool_]:
    """Which points of a band are further from its median than a star goes."""
    values = np.unique(y)
    if len(values) < _LEAST_VALUES:
        return np.zeros(len(y), bool)
    median = np.median(values)
    few = max(1, math.ceil(_SHARE * len(values)))
    others = values[np.argsort(np.abs(values - median), kind="stable")[:-few]]
    far: NDArray[np.bool_] = np.abs(y - median) > _FAR * np.ptp(others)
    return far


def _bounded(e: Floats, y: Floats) -> Floats:
    """Errors whose squares are numbers, in the unit of the flux."""
    spread = _spread(y) or 1.0
    bounded: Floats = np.clip(e, spread / _LARGEST, spread * _LARGEST)
    return bounded


def _spread(y: Floats) -> float:
    low, high = np.percentile(y, [5.0, 95.0])
    return float(high - low) or float(np.ptp(y))


def _scales(spreads: Floats, n: Floats) -> Floats:
    """Spread of each band, drawn towards the mean of all: by logarithms, for units may differ."""
    varies = spreads > 0
    logs = np.log(np.where(varies, spreads, 1.0))
    usual = np.average(logs, weights=n * varies)
    scales: Floats = np.exp(np.where(varies, (n * logs + _FEW * usual) / (n + _FEW), usual))
    return scales if len(spreads) > 1 else spreads


def _joined(parts: list[tuple[Floats, Floats, Floats | None]], scales: Floats) -> Bands:
    times, values, weights = [], [], []
    for (t, y, e), scale in zip(parts, scales, strict=True):
        error = 0.0 if e is None else np.minimum(e / scale, _LARGEST)
        weight = np.broadcast_to(1.0 / (error**2 + _MISFIT**2), t.shape)
        times.append(t)
        values.append((y - np.average(y, weights=weight)) / scale)
        weights.append(weight)
    time, weight = np.concatenate(times), np.concatenate(weights)
    first, last = float(time.min()), float(time.max())
    if first == last:
        raise CatalogError(f"all {len(time)} points have one time")
    number = np.repeat(np.arange(len(parts)), [len(one) for one in times])
    return Bands(
        time - 0.5 * (first + last), np.concatenate(values), weight / weight.sum(), number, last - first
    )
