"""Harmonics, combinations and instrumental lines among frequencies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.frequency_settings import FrequencySettings, InstrumentalLine

__all__ = ["Relations", "find_relations", "instrumental_lines"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


_LINE_REACH = 0.1  # of 1/T


class Relations(NamedTuple):
    """What frequencies are of others; -1 and 0 where they are independent.

    Parameters
    ----------
    harmonic_of : ndarray of int64, shape (n,)
        Row of the frequency of which this one is a multiple.
    harmonic : ndarray of int64, shape (n,)
        Which multiple.
    combination_of : ndarray of int64, shape (n, 2)
        Rows of the two frequencies of which this one is a combination.
    combination : ndarray of int64, shape (n, 2)
        Their factors.
    """

    harmonic_of: Integers
    harmonic: Integers
    combination_of: Integers
    combination: Integers


def find_relations(
    frequency: Floats, frequency_err: Floats, amplitude: Floats, baseline: float, settings: FrequencySettings
) -> Relations:
    r"""Find harmonics and combinations, strongest frequencies first.

    A frequency can only be a multiple or a combination of independent ones that are stronger than itself.  A
    harmonic is tried first, then combinations by rising order \|n\| + \|m\|; of several the nearest.
    A match lies within max(1/T, `settings.match` sigma); with many frequencies or a short light curve
    some match by chance.

    Parameters
    ----------
    frequency, frequency_err, amplitude : ndarray of float64, shape (n,)
        Cycles per day, cycles per day, any unit.
    baseline : float
        Days.
    settings : FrequencySettings
        `harmonics`, `combinations`, `parents` and `match`.
    """
    n = len(frequency)
    out = Relations(
        np.full(n, -1), np.zeros(n, np.int64), np.full((n, 2), -1), np.zeros((n, 2), np.int64)
    )  # fmt: skip
    factors = _factors(settings.combinations)
    independent: list[int] = []
    for row in np.argsort(-amplitude, kind="stable"):
        near = max(1.0 / baseline, settings.match * float(np.nan_to_num(frequency_err[row])))
        if _harmonic(row, frequency, independent, near, settings.harmonics, out):
            continue
        parents = independent[: settings.parents]
        if not _combination(row, frequency, parents, near, factors, out):
            independent.append(int(row))
    return out


def _factors(order: int) -> Integers:
    pairs = [
        (total, a, sign * (total - a))
        for total in range(2, order + 1)
        for a in range(1, total)
        for sign in (1, -1)
    ]
    both = [(t, a, b) for t, a, b in pairs] + [(t, -a, -b) for t, a, b in pairs if b < 0]
    return np.array(sorted(both), np.int64).reshape(-1, 3)


def _harmonic(
    row: int, frequency: Floats, independent: list[int], near: float, most: int, out: Relations
) -> bool:
    if not independent or most < 2:
        return False
    base = frequency[independent]
    multiple = np.rint(frequency[row] / base)
    away = np.where((multiple >= 2) & (multiple <= most), np.abs(frequency[row] - multiple * base), np.inf)
    best = int(away.argmin())
    if away[best] > near:
        return False
    out.harmonic_of[row], out.harmonic[row] = independent[best], int(multiple[best])
    return True


def _combination(
    row: int, frequency: Floats, parents: list[int], near: float, factors: Integers, out: Relations
) -> bool:
    if len(parents) < 2 or len(factors) == 0:
        return False
    i, j = np.triu_indices(len(parents), 1)
    base = frequency[parents]
    predicted = factors[:, 1, None] * base[i] + factors[:, 2, None] * base[j]
    away = np.abs(predicted - frequency[row])
    for order in np.unique(factors[:, 0]):
        mine = np.where((factors[:, 0] == order)[:, None], away, np.inf)
        which, pair = np.unravel_index(int(mine.argmin()), mine.shape)
        if mine[which, pair] <= near:
            out.combination_of[row] = parents[i[pair]], parents[j[pair]]
            out.combination[row] = factors[which, 1:]
            return True
    return False


def instrumental_lines(
    frequency: Floats, lines: tuple[InstrumentalLine, ...], baseline: float
) -> NDArray[np.bool_]:
    """Whether frequencies lie on lines: within the line's width or 0.1/T of a multiple, whichever is more.

    A frequency whose S/N is 5.6 is known to about 0.1/T, the faintest that is found.  Within all of 1/T the
    multiples of TESS's orbit would take nearly every period of more than 3 d from a star with one sector.
    """
    on_line = np.zeros(len(frequency), bool)
    for line in lines:
        multiple = np.clip(np.rint(frequency / line.frequency), 1, line.multiples)
        width = np.maximum(multiple * line.width, _LINE_REACH / baseline)
        on_line |= np.abs(frequency - multiple * line.frequency) <= width
    return on_line
