"""The period of dips that are seen one by one: what foresees those that are there, and none that is not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.dip_search import Binned, DipSettings, SingleDips

__all__ = ["Recurrence", "recurrence"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]

_BASE = 12  # dips whose intervals are tried
_MOST_CYCLES = 8  # of an interval: that many dips may be missed between two
_MANY = 5  # dips among which some may be stray
_UNLIKE = 0.02  # of the depth
_LEAST_WIDTHS = 3.0  # boxes: an orbit is longer than both eclipses


_MOST_PARTS = 1000
_MANY_PARTS = 2  # primes, and what they make together


class Recurrence(NamedTuple):
    """Period of dips.

    Attributes
    ----------
    period : float
        Days; NaN where none foresees the dips, or several do.
    kind : ndarray of int64, shape (n,)
        0 for the deeper dips, 1 for the others, -1 for those of no period.
    certain : bool
        See `lkmrs_dask.variability.dips.Dips`.
    periodic : bool
        See there.
    """

    period: float
    kind: Indices
    certain: bool
    periodic: bool


class _Trial(NamedTuple):
    """A period, the kind of each dip, how many kinds there are, and how many it foresees rightly."""

    period: float
    kind: Indices
    n_kinds: int
    seen: int

    @property
    def n_known(self) -> int:
        """Dips that it foresees."""
        return int(np.count_nonzero(self.kind >= 0))


def recurrence(curve: Binned, dips: SingleDips, settings: DipSettings) -> Recurrence:
    """Period and kinds of dips.

    Parameters
    ----------
    curve : Binned
        Where there are points, and what they say where a dip is foreseen.
    dips : SingleDips
        One or more.
    settings : DipSettings
        Thresholds.
    """
    n = len(dips.time)
    alone = np.zeros(n, np.int64)
    if n == 1:
        return Recurrence(np.nan, alone, False, False)
    same = _alike(dips.area, dips.area_error, settings)
    if n == 2 and not same:
        # One of each kind: any period will do that puts the others into gaps or beyond the ends.
        return Recurrence(np.nan, np.argsort(np.argsort(-dips.depth)).astype(np.int64), False, True)
    trials = _trials(curve, dips, settings)
    if not trials:
        return Recurrence(np.nan, alone, False, False)
    best = _best(trials, dips)
    shorter = _shorter(curve, dips, best, settings)
    period = best.period if shorter < _MANY_PARTS else np.nan
    # Each kind has a phase, and all have the period: what is more confirms it, if nothing else does as well.
    certain = best.n_known - best.n_kinds >= 2 and not shorter
    certain = certain and not _rivalled(best, trials, dips, _lateness(curve, dips, settings))
    return Recurrence(period, best.kind, certain, True)


def _shorter(curve: Binned, dips: SingleDips, best: _Trial, settings: DipSettings) -> int:
    """How many prime fractions of a period the points do not contradict; counts to two, which make many.

    What such a fraction foresees besides falls into gaps, or is there.
    """
    late = _lateness(curve, dips, settings)
    most = best.period / (_LEAST_WIDTHS * dips.width * curve.step)
    kinds = []
    for k in range(best.n_kinds):
        mine = best.kind == k
        zero, depth = float(dips.time[mine][0]), float(np.median(dips.depth[mine]))
        kinds.append((zero, depth, _missed(curve, dips, zero, best.period, depth, late)))
    # Half of it would take one kind for the other, but these differ.
    opposite = len(kinds) == 2 and _near(
        np.array([kinds[1][0]]), kinds[0][0] + 0.5 * best.period, best.period, late
    )
    found = 0
    for m in _primes(int(min(most, _MOST_PARTS))):
        if m == 2 and opposite:
            continue
        lost = more = 0
        for zero, depth, known in kinds:
            missed, foreseen = _missed(curve, dips, zero, best.period / m, depth, late)
            lost, more = lost + missed - known[0], more + foreseen - known[1]
        found += lost <= settings.most_missed * max(more, 0)
        if found == _MANY_PARTS:
            break
    return found


def _primes(most: int) -> list[int]:
    return [m for m in range(2, most + 1) if all(m % k for k in range(2, int(m**0.5) + 1))]


def _rivalled(best: _Trial, trials: list[_Trial], dips: SingleDips, late: float) -> bool:
    """Whether another period, neither a multiple nor a part, foresees as many in no more kinds."""
    span = float(dips.time[-1] - dips.time[0])
    for one in trials:
        if one.n_known < best.n_known or one.n_kinds > best.n_kinds:
            continue
        ratio = max(one.period / best.period, best.period / one.period)
        # So far apart are the dips that both foresee at the end.
        if abs(ratio / round(ratio) - 1.0) * span > 2.0 * late:
            return True
    return False


def _lateness(curve: Binned, dips: SingleDips, settings: DipSettings) -> float:
    return max(settings.late * dips.width * curve.step, 1.5 * curve.step)


def _alike(depth: Floats, error: Floats, settings: DipSettings) -> bool:
    """Whether dips lack as much as each other, of five or more nearly all."""
    middle = float(np.median(depth))
    unlike = np.abs(depth - middle) > np.maximum(settings.alike * middle, 4.0 * error)
    return bool(np.count_nonzero(unlike) <= (settings.most_stray * len(depth) if len(depth) >= _MANY else 0))


def _trials(curve: Binned, dips: SingleDips, settings: DipSettings) -> list[_Trial]:
    """Periods that foresee all dips, or nearly all of many."""
    late = _lateness(curve, dips, settings)
    n = len(dips.time)
    spare = int(settings.most_stray * n) if n >= _MANY else 0
    some = dips.time[:_BASE]
    # Stray ones may be more frequent among the first.
    enough = len(some) - min(spare, int(2.0 * settings.most_stray * len(some)))
    trials = []
    for period, anchor in _candidates(some, _LEAST_WIDTHS * dips.width * curve.step, 0.1 * late):
        if _explained(some, period, float(some[anchor]), 2.0 * late) < enough:
            continue
        trials.append(_trial(curve, dips, period, anchor, late, spare, settings))
    return [one for one in trials if one is not None]


def _candidates(time: Floats, least: float, apart: float) -> list[tuple[float, int]]:
    """Intervals of dips and their fractions, and the number of a dip: each period once."""
    first, last = np.triu_indices(len(time), 1)
    periods = ((time[last] - time[first])[:, None] / np.arange(1, _MOST_CYCLES + 1)).ravel()
    anchors = np.repeat(first, _MOST_CYCLES)
    order = np.argsort(periods)
    order = order[periods[order] >= least]
    found: list[tuple[float, int]] = []
    for period, anchor in zip(periods[order].tolist(), anchors[order].tolist(), strict=True):
        if not found or period - found[-1][0] > apart:
            found.append((period, anchor))
    return found


def _explained(time: Floats, period: float, zero: float, late: float) -> int:
    """How many of some dips one or two phases foresee."""
    near = _near(time, zero, period, late)
    if near.all():
        return len(time)
    return int(np.count_nonzero(near | _near(time, float(time[~near][0]), period, late)))


def _trial(
    curve: Binned,
    dips: SingleDips,
    period: float,
    anchor: int,
    late: float,
    spare: int,
    settings: DipSettings,
) -> _Trial | None:
    """Kinds of dips that a period gives; None where dips are unforeseen, or foreseen and not there."""
    period, zero = _fitted(dips.time, period, float(dips.time[anchor]), late)
    kind, zeros = _kinds(dips, period, zero, late)
    found = _confirmed(curve, dips, period, kind, zeros, late, spare, settings)
    if found is None and len(zeros) == 2:
        # What makes no second kind may be stray.
        kind = np.where(kind == 1, -1, kind)
        found = _confirmed(curve, dips, period, kind, zeros[:1], late, spare, settings)
    return found


def _confirmed(
    curve: Binned,
    dips: SingleDips,
    period: float,
    kind: Indices,
    zeros: list[float],
    late: float,
    spare: int,
    settings: DipSettings,
) -> _Trial | None:
    if np.count_nonzero(kind < 0) > spare:
        return None
    missed = foreseen = 0
    for k, start in enumerate(zeros):
        mine = kind == k
        if not _alike(dips.area[mine], dips.area_error[mine], settings):
            return None
        lost, seen = _missed(curve, dips, start, period, float(np.median(dips.depth[mine])), late)
        missed, foreseen = missed + lost, foreseen + seen
    if missed > settings.most_missed * foreseen:
        return None
    if len(zeros) == 2 and np.median(dips.depth[kind == 1]) > np.median(dips.depth[kind == 0]):
        kind = np.where(kind >= 0, 1 - kind, kind)
    return _Trial(period, kind, len(zeros), foreseen - missed)


def _kinds(dips: SingleDips, period: float, zero: float, late: float) -> tuple[Indices, list[float]]:
    """Kind of each dip, -1 for none, and a time of each kind."""
    kind = np.where(_near(dips.time, zero, period, late), 0, -1).astype(np.int64)
    left = kind < 0
    if not left.any():
        return kind, [zero]
    other = float(dips.time[left][np.argmax(dips.snr[left])])
    also = left & _near(dips.time, other, period, late)
    if np.count_nonzero(also) == 1 and len(kind) >= _MANY:
        # Among many a single one makes no kind.
        return kind, [zero]
    return np.where(also, 1, kind), [zero, other]


def _near(time: Floats, zero: float, period: float, late: float) -> Flags:
    away = time - zero
    return np.asarray(np.abs(away - period * np.round(away / period)) <= late)


def _fitted(time: Floats, period: float, zero: float, late: float) -> tuple[float, float]:
    """Period and time of a dip by a straight line through ever more dips, the nearest first."""
    reach, span = 2.5 * period, float(time[-1] - time[0])
    while True:
        away = time - zero
        cycle = np.round(away / period)
        use = (np.abs(away) <= reach) & (np.abs(away - cycle * period) <= late)
        x, y = cycle[use], time[use]
        x0, y0 = x.sum() / max(1, len(x)), y.sum() / max(1, len(y))
        spread = (x - x0) @ (x - x0)
        if spread > 0:
            period = float((x - x0) @ (y - y0) / spread)
            zero = float(y0 - period * x0)
        if reach > span:
            return period, zero
        reach *= 2.0


def _missed(
    curve: Binned, dips: SingleDips, zero: float, period: float, depth: float, late: float
) -> tuple[int, int]:
    """Of the dips that a kind foresees where there are points: how many are not there, and all."""
    width, step = dips.width, curve.step
    lo = int(np.ceil((curve.time[0] - zero) / period))
    hi = int(np.floor((curve.time[-1] - zero) / period))
    middle = zero + period * np.arange(lo, hi + 1)
    place = np.searchsorted(curve.time, middle - 0.5 * width * step)
    good = place + width <= len(curve.time)
    middle, place = middle[good], place[good]
    end = curve.time[place + width - 1]
    covered = end - curve.time[place] <= (1.25 * width + 0.5) * step
    covered &= np.abs(0.5 * (end + curve.time[place]) - middle) <= step
    sums = np.concatenate([[0.0], np.cumsum(curve.rest)])
    shift = max(1, int(late / step))
    places = np.clip(place[covered][:, None] + np.arange(-shift, shift + 1), 0, len(curve.time) - width)
    least = ((sums[places + width] - sums[places]) / width).min(axis=1)
    return int(np.count_nonzero(least > -0.4 * depth)), len(least)


def _best(trials: list[_Trial], dips: SingleDips) -> _Trial:
    """The period of one kind of dips, or of two where these differ.

    Of several the one that foresees most of what is there, and of those the longest: the shorter ones foresee
    more that falls into gaps.
    """
    most = max(one.n_known for one in trials)
    some = sorted((one for one in trials if one.n_known == most), key=lambda one: (one.seen, one.period))
    single = [one for one in some if one.n_kinds == 1]
    if not single:
        return some[-1]
    # At the ends of the light curve two kinds may foresee a dip less than one.
    enough = 0.9 * single[-1].seen
    unlike = [one for one in some if one.n_kinds == 2 and one.seen >= enough and _differ(one, dips)]
    return unlike[-1] if unlike else single[-1]


def _differ(one: _Trial, dips: SingleDips) -> bool:
    """Whether two kinds lack other amounts, or have other depths, by five errors and one part in fifty.

    Depths of boxes are better in noise, but half a bin of the box may lie beside the dip.
    """
    first, second = (one.kind == k for k in (0, 1))
    by_sampling = max(_UNLIKE, 0.5 / dips.width)
    return _apart(dips.area, dips.area_error, first, second) > _UNLIKE or (
        _apart(dips.depth, dips.error, first, second) > by_sampling
    )


def _apart(values: Floats, errors: Floats, first: Flags, second: Flags) -> float:
    """By which share of the first kind's the second's are less at least, by five errors."""
    means, spreads = np.empty(2), np.empty(2)
    for k, mine in enumerate((first, second)):
        means[k] = values[mine].mean()
        spreads[k] = max(float(values[mine].std()), float(errors[mine].mean())) / np.sqrt(len(values[mine]))
    error = 5.0 * float(np.hypot(spreads[0], spreads[1]))
    difference = float(means[0] - means[1])
    return difference / float(means[0]) if difference > error and means[0] > 0 else 0.0
