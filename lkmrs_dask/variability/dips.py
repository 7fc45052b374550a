"""Recurring dips of a light curve: eclipses too rare for a frequency, and their period."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.dip_periods import Recurrence, recurrence
from lkmrs_dask.variability.dip_search import Binned, DipSettings, SingleDips, binned, single_dips
from lkmrs_dask.variability.series import ppt_about

__all__ = ["DipSettings", "Dips", "find_dips"]

Floats = NDArray[np.float64]

_LEAST_POINTS = 20
_AROUND = 64  # bins on both sides of dips without a period: twice the widest box
_BROAD = 1.5  # durations: boxes end at 16 h, and the running level follows what is broader


class Dips(NamedTuple):
    """Dips of a light curve; NaN for what cannot be said.

    Attributes
    ----------
    n : int
        Dips that were seen whole, with a level on both sides; of more than 300 the deepest 300.
    period : float
        Days from one of a kind to the next, the longest that will do; NaN where there is but one, or where
        two prime fractions of it would do as well.
    time : float
        Time of the first of these, of the deeper kind where there are two, in the unit of the time given.
    depth, depth_2 : float
        ppt, in the middle of the deeper and of the other kind; NaN for the latter where all are alike.
    phase_2 : float
        Time from a dip of the deeper kind to the next of the other, in periods.
    duration : float
        Days, at half depth.
    rise : float
        ppt above the level within three durations of the deeper kind, mean over one; 0 where there is none.
    significance : float
        Root of the summed squares of depths over the scatter of boxes as wide.
    certain : bool
        Whether the period is more than one or two intervals: every dip but few is foreseen by it, one at
        least confirms it, the points contradict its fractions, and no other period foresees as many.
    periodic : bool
        Whether one period foresees the dips; two alike, or one of each kind, do not contradict one.
    """

    n: int = 0
    period: float = np.nan
    time: float = np.nan
    depth: float = np.nan
    depth_2: float = np.nan
    phase_2: float = np.nan
    duration: float = np.nan
    rise: float = np.nan
    significance: float = 0.0
    certain: bool = False
    periodic: bool = False


def find_dips(time: ArrayLike, flux: ArrayLike, settings: DipSettings | None = None) -> Dips:
    """Find dips that recur.

    Dips are boxes of half an hour to 16 hours that lie well below the level before and after, against the
    robust scatter of boxes as wide.  Those at the ends of a stretch, steps and single points are none.  The
    period is the one that foresees the dips in one or two kinds, and no dip where there are points and none.

    Parameters
    ----------
    time : array_like of float, shape (n,)
        Days, in any order; rows that are not finite are left out.
    flux : array_like of float, shape (n,)
        Relative flux; it is divided by its median.
    settings : DipSettings, optional
        Thresholds.

    Returns
    -------
    Dips
        None are found in fewer than 20 points, constant flux, or flux without a positive median.

    Raises
    ------
    UsageError
        For arrays of different shapes.
    """
    settings = settings or DipSettings()
    time, flux = np.asarray(time, np.float64).ravel(), np.asarray(flux, np.float64).ravel()
    if len(time) != len(flux):
        raise UsageError(f"{len(time)} times and {len(flux)} fluxes: give one flux for each time")
    good = np.isfinite(time) & np.isfinite(flux)
    time, flux = time[good], flux[good]
    if not (np.diff(time) > 0).all():
        time, first = np.unique(time, return_index=True)
        flux = flux[first]
    middle = float(np.median(flux)) if len(flux) >= _LEAST_POINTS else np.nan
    if not middle > 0:
        return Dips()
    ppt = ppt_about(flux, middle)
    if ppt is None:
        return Dips()
    curve = binned(time, ppt)
    dips = single_dips(curve, settings)
    if not len(dips.time):
        return Dips()
    found = recurrence(curve, dips, settings)
    return _described(curve, dips, found)


def _described(curve: Binned, dips: SingleDips, found: Recurrence) -> Dips:
    first, second = dips.time[found.kind == 0], dips.time[found.kind == 1]
    depth, duration = _profile(curve, first, dips.width)
    depth_2 = _profile(curve, second, dips.width)[0] if len(second) else np.nan
    broad, rise = _surroundings(curve, first, found.period, duration)
    apart = (second[0] - first[0]) / found.period if len(second) else np.nan
    return Dips(
        n=len(dips.time),
        period=found.period,
        time=float(first.min()),
        depth=depth,
        depth_2=depth_2,
        phase_2=float(apart % 1.0),
        duration=broad if broad > _BROAD * duration else duration,
        rise=rise,
        significance=float(np.sqrt(np.sum(dips.snr**2))),
        certain=found.certain,
        periodic=found.periodic,
    )


def _profile(curve: Binned, middles: Floats, width: int) -> tuple[float, float]:
    """Depth in the middle, and width at half depth, of dips laid upon one another."""
    half = 0.5 * width * curve.step
    away = np.concatenate([curve.time - middle for middle in middles])
    lack = np.tile(-curve.rest, len(middles))
    near = np.abs(away) <= 2.0 * half + curve.step
    away, lack = np.abs(away[near]), lack[near]
    core = away <= max(0.3 * half, np.sort(away)[min(2, len(away) - 1)])
    depth = float(np.mean(lack[core]))
    # The area over the depth: all of a box, half of a triangle.
    area = float(lack.sum()) / len(middles) * curve.step
    return depth, area / depth if depth > 0 else np.nan


def _surroundings(curve: Binned, middles: Floats, period: float, duration: float) -> tuple[float, float]:
    """Width until the light is half way back at its median, and how far it rises beside the dips."""
    place = np.clip(np.searchsorted(middles, curve.time), 1, max(1, len(middles) - 1))
    nearest = middles[np.clip(place - 1, 0, None)]
    if len(middles) > 1:
        nearest = np.where(2.0 * curve.time > middles[place - 1] + middles[place], middles[place], nearest)
    away, reach = curve.time - nearest, _AROUND * curve.step
    if np.isfinite(period):
        away, reach = (away + 0.5 * period) % period - 0.5 * period, 0.5 * period
    half = int(reach / curve.step)
    bins = np.round(away / curve.step).astype(np.int64) + half
    inside = (bins >= 0) & (bins <= 2 * half)
    count = np.bincount(bins[inside], minlength=2 * half + 1)
    flux, rest = (
        np.bincount(bins[inside], one[inside], 2 * half + 1) / np.maximum(count, 1)
        for one in (curve.flux, curve.rest)
    )
    seen = np.flatnonzero(count)
    core = seen[np.abs(seen - half) <= 1]
    if not len(core):
        return 0.0, 0.0
    back = 0.5 * (float(flux[core].min()) + float(np.median(flux[seen])))
    up = seen[flux[seen] > back]
    before, after = up[up < half], up[up > half]
    width = (after[0] if len(after) else 2 * half) - (before[-1] if len(before) else 0) - 1
    box = max(1, round(duration / curve.step)) if np.isfinite(duration) else 1
    sums, counts = (np.concatenate([[0], np.cumsum(one)]) for one in (rest * count, count))
    mean = (sums[box:] - sums[:-box]) / np.maximum(counts[box:] - counts[:-box], 1)
    centre = np.arange(len(mean)) + 0.5 * (box - 1)
    beside = np.abs(centre - half) <= 3.0 * box
    return float(width * curve.step), float(mean[beside].max(initial=0.0))
