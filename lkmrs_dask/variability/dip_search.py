"""Single dips of a light curve: boxes of points well below the level on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.checked import check_types, check_values
from lkmrs_dask.variability.flicker import point_noise

__all__ = ["Binned", "DipSettings", "SingleDips", "binned", "single_dips"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]

_BIN = 0.5 / 24.0  # d: eclipses in orbits of days last hours
_GAP = 0.5  # d
_BLOCK, _BLOCKS = 0.5, 5  # d: the level is the running median of so many blocks
_WIDTHS = (1, 2, 4, 8, 16, 32)  # bins of a box
_STRAY = 5.0  # noise of points by which a single one stands out
_MOST_WIDE = 0.9  # share of dips: the window of all is as wide as these need
_LEAST_OF_STRETCH = 100  # bins
_MOST = 300  # dips: the costs of more are in no relation to what they tell


@dataclass(frozen=True)
class DipSettings:
    """What counts as a dip, and when dips recur (all ours).

    Parameters
    ----------
    least_snr : float
        Least depth of a dip over the robust scatter of boxes that are as wide: of all boxes of a curve of
        Gaussian noise none reaches 6 in a million curves.
    least_depth : float
        Least depth over the scatter of single bins of half an hour.  Less deep ones are no sight, and
        correlated noise has some.
    most_step : float
        The levels before and after a dip differ by at most this share of its depth: jumps do not return.
    alike : float
        Depths of one kind differ by at most this share, or by four errors.
    late : float
        Share of the duration by which dips of one period may be early or late.
    most_stray : float
        Share of dips that may be of no period where there are five or more.
    most_missed : float
        Share of the dips foreseen by a period, where there are points, that may not be there.

    Raises
    ------
    UsageError
        When a value makes no sense.
    """

    least_snr: float = 6.0
    least_depth: float = 1.5
    most_step: float = 0.5
    alike: float = 0.3
    late: float = 0.5
    most_stray: float = 0.2
    most_missed: float = 0.1

    def __post_init__(self) -> None:
        """Check every value."""
        check_types(self)
        checks = {
            "least_snr": (3 <= self.least_snr < 1e4, "from 3 on"),
            "least_depth": (0 <= self.least_depth < 1e4, "from 0 on"),
            **{
                name: (0 < getattr(self, name) <= 1, "above 0, at most 1")
                for name in ("most_step", "alike", "late")
            },
            **{
                name: (0 <= getattr(self, name) < 1, "from 0 to below 1")
                for name in ("most_stray", "most_missed")
            },
        }
        check_values(self, checks)


class Binned(NamedTuple):
    """A light curve in bins of half an hour, or its points where these are as far apart.

    Attributes
    ----------
    time : ndarray of float64, shape (n,)
        Days, rising.
    flux, rest : ndarray of float64, shape (n,)
        ppt, and less its running level.
    stretch : ndarray of int64, shape (n,)
        Number of the stretch without a gap of half a day.
    step : float
        Days from one to the next.
    """

    time: Floats
    flux: Floats
    rest: Floats
    stretch: Indices
    step: float


class SingleDips(NamedTuple):
    """Dips in the order of time, arrays of shape (n,).

    Attributes
    ----------
    time : ndarray of float64
        Days, middle.
    depth, error : ndarray of float64
        ppt, means over boxes of one width for all.
    snr : ndarray of float64
        Depth over the scatter of boxes.
    width : int
        Bins of that box.
    area, area_error : ndarray of float64
        ppt, what lacks in the whole dip, over the length of that box: where the points lie does not matter.
    """

    time: Floats
    depth: Floats
    error: Floats
    snr: Floats
    width: int
    area: Floats
    area_error: Floats


def binned(time: Floats, ppt: Floats) -> Binned:
    """Bin a light curve and take its level away; single points that stand out are left out.

    Parameters
    ----------
    time, ppt : ndarray of float64, shape (n,)
        Days, rising; flux in ppt about its median.  Three points or more.
    """
    keep = ~_strays(ppt)
    time, ppt = time[keep], ppt[keep]
    cadence = float(np.median(np.diff(time))) if len(time) > 1 else _BIN
    step = cadence
    if 0 < cadence < 0.5 * _BIN:
        step = _BIN
        first = np.flatnonzero(np.diff(np.floor((time - time[0]) / step), prepend=-1.0))
        count = np.diff(np.append(first, len(time)))
        full = count >= 0.3 * np.median(count)
        time, ppt = (np.add.reduceat(one, first)[full] / count[full] for one in (time, ppt))
    stretch = np.cumsum((np.diff(time, prepend=time[:1]) > _GAP).astype(np.int64))
    return Binned(time, ppt, ppt - _level(time, ppt, stretch), stretch, step)


def _strays(ppt: Floats) -> Flags:
    """Single points that differ from both neighbours, to the same side."""
    stray = np.zeros(len(ppt), bool)
    if len(ppt) >= 5:
        here, before, after = ppt[1:-1], ppt[:-2], ppt[2:]
        away = np.maximum(np.minimum(before, after) - here, here - np.maximum(before, after))
        beside = np.abs(here - 0.5 * (before + after))
        noise = _STRAY * point_noise(ppt)
        # The lower of two points in a dip stands out as well, but less from its fellow than from the level.
        stray[1:-1] = (away > noise) & (away > 0.7 * beside)
        # So does the middle of a short dip, but between neighbours that are low themselves.
        level = np.minimum(ppt[:-4], ppt[4:])
        low = level - np.maximum(ppt[1:-3], ppt[3:-1])
        stray[2:-2] &= ~((low > noise) & (low > 0.2 * (level - ppt[2:-2])))
    return stray


def _level(time: Floats, ppt: Floats, stretch: Indices) -> Floats:
    """Running median of medians in blocks; at the ends of a stretch that of its last blocks."""
    begin = np.flatnonzero(np.diff(stretch, prepend=-1))
    since = time - time[begin][stretch]
    block = np.floor(since / _BLOCK).astype(np.int64)
    first = np.flatnonzero((np.diff(block, prepend=-1) != 0) | (np.diff(stretch, prepend=-1) != 0))
    number = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(time))))
    rising = ppt[np.lexsort((ppt, number))]
    count = np.diff(np.append(first, len(time)))
    medians = 0.5 * (rising[first + (count - 1) // 2] + rising[first + count // 2])
    middle = 0.5 * (time[first] + time[first + count - 1])
    of = stretch[first]
    lo, hi = np.searchsorted(of, of, "left"), np.searchsorted(of, of, "right")
    from_ = np.clip(np.arange(len(first)) - _BLOCKS // 2, lo, np.maximum(hi - _BLOCKS, lo))
    window = np.minimum(from_[:, None] + np.arange(_BLOCKS), (hi - 1)[:, None])
    level = np.median(medians[window], axis=1)
    # Beyond the middles of the outer blocks of a stretch its level stays: it is not drawn to the next one's.
    ends = np.append(begin[1:], len(time)) - 1
    knots = np.concatenate([middle, time[begin], time[ends]])
    values = np.concatenate([level, level[number[begin]], level[number[ends]]])
    order = np.argsort(knots, kind="stable")
    return np.interp(time, knots[order], values[order])


class Boxes(NamedTuple):
    """Means of `width` bins from each bin on, NaN where a gap is within, and their scatter."""

    width: int
    mean: Floats
    scatter: Floats


def _boxes(curve: Binned, width: int) -> Boxes | None:
    """All boxes of a width, with the scatter of all; None where there are none."""
    n = len(curve.time) - width + 1
    if n < 2:
        return None
    sums = np.concatenate([[0.0], np.cumsum(curve.rest)])
    mean = (sums[width:] - sums[:-width]) / width
    mean[curve.time[width - 1 :] - curve.time[:n] > (1.5 * width + 0.5) * curve.step] = np.nan
    return Boxes(width, mean, np.full(n, _robust(mean)))


def _local(curve: Binned, one: Boxes) -> Boxes:
    """The same with the scatter of each stretch where it is larger: what is common there is no dip."""
    begin = np.flatnonzero(np.diff(curve.stretch[: len(one.mean)], prepend=-1))
    parts = np.split(one.mean, begin[1:])
    own = [_robust(part) if len(part) >= _LEAST_OF_STRETCH else 0.0 for part in parts]
    scatter = np.repeat(own, [len(part) for part in parts])
    return one._replace(scatter=np.maximum(scatter, one.scatter))


def _deepest(one: Boxes, floor: float) -> float:
    """Depth of the deepest box over the scatter."""
    least = -float(np.nanmin(one.mean, initial=0.0))
    return least / one.scatter[0] if least > floor and one.scatter[0] > 0 else 0.0


def _robust(values: Floats) -> float:
    good = np.abs(values[~np.isnan(values)])
    return float(1.4826 * np.median(good)) if len(good) else 0.0


def single_dips(curve: Binned, settings: DipSettings) -> SingleDips:
    """Find all dips.

    Parameters
    ----------
    curve : Binned
        The light curve.
    settings : DipSettings
        Thresholds.

    Returns
    -------
    SingleDips
        Without any where the light goes up as it goes down.
    """
    every = [one for one in (_boxes(curve, width) for width in _WIDTHS) if one is not None]
    if not every or not every[0].scatter[0] > 0:
        return _NONE
    least = settings.least_depth * every[0].scatter[0]
    # Most curves have none, and end here.
    if max(_deepest(one, least) for one in every) < settings.least_snr:
        return _NONE
    every = [_local(curve, one) for one in every]
    floor = settings.least_depth * every[0].scatter
    snr = np.zeros((len(every), len(curve.time)))
    for row, one in zip(snr, every, strict=True):
        n = len(one.mean)
        # More than half of all may be level without noise.
        deep = (one.mean < -floor[:n]) & (one.scatter > 0)
        row[:n][deep] = -one.mean[deep] / one.scatter[deep]
    found: list[tuple[int, int]] = []
    best = snr.max(axis=0)
    for _ in range(_MOST):
        at = int(np.argmax(best))
        if best[at] < settings.least_snr:
            break
        place = int(np.argmax(snr[:, at]))
        width = every[place].width
        found.append((at, width))
        for row, one in zip(snr, every, strict=True):
            row[max(0, at - one.width - width // 2) : at + width + width // 2 + 1] = 0.0
        lo, hi = max(0, at - 2 * _WIDTHS[-1]), at + 2 * width
        best[lo:hi] = snr[:, lo:hi].max(axis=0)
    if not found:
        return _NONE
    return _measured(curve, every, found, settings)


_EMPTY = np.empty(0)
_NONE = SingleDips(_EMPTY, _EMPTY, _EMPTY, _EMPTY, 0, _EMPTY, _EMPTY)


def _measured(
    curve: Binned, every: list[Boxes], found: list[tuple[int, int]], settings: DipSettings
) -> SingleDips:
    """Those that have a level on both sides, measured alike."""
    widths = sorted(width for _, width in found)
    width, wide = widths[len(found) // 2], widths[int(_MOST_WIDE * len(found))]
    scale = next(one for one in every if one.width == width)
    rows = []
    for at, own in found:
        levels = _levels(curve, at, own, settings)
        row = _one(curve, at, own, levels, scale) if levels is not None else None
        if levels is None or row is None or not row[1] >= settings.least_snr * row[2] > 0:
            continue
        around = _levels(curve, max(0, at + own // 2 - wide // 2), wide, settings) or levels
        rows.append(row + _area(curve, row[0], wide, around, scale, row[2]))
    if not rows:
        return _NONE
    time, depth, error, area, area_error = np.array(sorted(rows)).T
    dips = SingleDips(time, depth, error, depth / error, width, area, area_error)
    return _NONE if _rises(curve, dips) >= max(1, len(time) / 2) else dips


def _levels(curve: Binned, at: int, width: int, settings: DipSettings) -> tuple[float, float] | None:
    """Median flux before and after the box from `at` on; None where it lacks or steps."""
    wing, side = (width + 1) // 2, max(width, 3)
    end = at + width + wing
    middle = 0.5 * (curve.time[at] + curve.time[at + width - 1])
    reach = (1.5 * (width + 2) + 2 * side) * curve.step
    levels = []
    for part in (slice(max(0, at - wing - side), max(0, at - wing)), slice(end, end + side)):
        near = np.abs(curve.time[part] - middle) <= reach
        near &= curve.stretch[part] == curve.stretch[at]
        flux = np.sort(curve.flux[part][near])
        if len(flux) < 2:
            return None
        levels.append(0.5 * float(flux[(len(flux) - 1) // 2] + flux[len(flux) // 2]))
    before, after = levels
    depth = 0.5 * (before + after) - float(curve.flux[at : at + width].mean())
    return (before, after) if abs(after - before) <= settings.most_step * depth else None


def _one(
    curve: Binned, at: int, own: int, levels: tuple[float, float], scale: Boxes
) -> tuple[float, float, float] | None:
    """Middle, depth and error of a dip, by the box of common width about its middle."""
    wing = (own + 1) // 2
    inside = slice(max(0, at - wing), at + own + wing)
    middle = 0.5 * (curve.time[at] + curve.time[at + own - 1])
    ends = middle + np.array([-1.0, 1.0]) * own * curve.step
    lack = np.interp(curve.time[inside], ends, levels) - curve.flux[inside]
    # The centre of what lacks, without the noise beside it.
    weight = np.clip(lack - 0.3 * max(float(lack[wing : wing + own].mean()), 0.0), 0.0, None)
    if not weight.sum() > 0:
        return None
    time = float(weight @ curve.time[inside] / weight.sum())
    first = int(np.searchsorted(curve.time, time - 0.5 * scale.width * curve.step))
    places = np.arange(max(0, first - 1), min(first + 2, len(scale.mean)))
    places = places[~np.isnan(scale.mean[places])]
    if not len(places):
        return None
    best = int(places[np.argmin(scale.mean[places])])
    centre = best + scale.width // 2
    # Depth below the levels on both sides, not below the running one.
    above = 0.5 * sum(levels) - float(curve.flux[centre] - curve.rest[centre])
    return time, above - float(scale.mean[best]), float(scale.scatter[best])


def _area(
    curve: Binned, middle: float, width: int, levels: tuple[float, float], scale: Boxes, error: float
) -> tuple[float, float]:
    """What lacks in twice a box about the middle, over the length of the common box, and its error.

    The box of the best signal-to-noise ratio has half of the length of a triangle, and more of other shapes.
    """
    reach = (width + 1.0) * curve.step
    near = slice(*np.searchsorted(curve.time, [middle - reach, middle + reach]))
    ends = middle + np.array([-1.0, 1.0]) * width * curve.step
    lack = np.interp(curve.time[near], ends, levels) - curve.flux[near]
    area = float(np.trapezoid(lack, curve.time[near])) / (scale.width * curve.step)
    # White noise of the points, and that of the medians of the levels.
    points = 2.0 * reach / curve.step
    of_level = 1.25 * points / np.sqrt(2.0 * max(width, 3) * scale.width)
    return area, error * float(np.hypot(np.sqrt(points / scale.width), of_level))


def _rises(curve: Binned, dips: SingleDips) -> int:
    """How often the light is half as far above its level in both halves of a box: flares are over at once."""
    half, limit = max(1, dips.width // 2), 0.5 * float(np.median(dips.depth))
    sums = np.concatenate([[0.0], np.cumsum(curve.rest)])
    high = sums[half:] - sums[:-half] > limit * half
    where = np.flatnonzero(high[:-half] & high[half:])
    return int(np.count_nonzero(np.diff(where, prepend=-(10**9)) > dips.width))
