"""Series of harmonics among frequencies, followed as far as chance does not explain them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from lkmrs_dask.variability.bases import multiples_of

__all__ = ["DIVISORS", "Matches", "chain", "expected_by_chance", "find_series", "match_multiples"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

DIVISORS = (1, 2, 3, 4)
"""Parts of a frequency whose multiples may be a series: the strongest of a binary is often twice its orbital
frequency."""

CHANCE = 1e-3
"""Probability that chance makes a series of all those that are tried (ours)."""

_GAP = 3  # multiples that may lack, and two more for each member before: a far one alone is chance (ours)


class Matches(NamedTuple):
    """Which multiples of a base frequencies may be.

    Parameters
    ----------
    multiple : ndarray of int64, shape (n,)
        The nearest for each frequency.
    hit : ndarray of bool, shape (n,)
        Whether it matches.
    chance : ndarray of float64, shape (n,)
        Probability that a frequency anywhere would match one.
    """

    multiple: Integers
    hit: Bools
    chance: Floats


def match_multiples(
    frequency: Floats, error: Floats, base: float, base_error: float, least: float, match: float
) -> Matches:
    """Match frequencies with multiples of a base.

    Parameters
    ----------
    frequency, error : ndarray of float64, shape (n,)
        Cycles per day.
    base, base_error : float
        Cycles per day.
    least : float
        Distance within which they match whatever their errors, cycles per day.
    match : float
        Or within so many of their errors.
    """
    multiple = np.rint(frequency / base)
    near = np.maximum(least, match * np.hypot(error, multiple * base_error))
    hit = multiples_of(frequency, base, near)
    return Matches(multiple.astype(np.int64), hit, np.minimum(1.0, 2.0 * near / base))


def find_series(matches: Matches, open_to: Bools, trials: float) -> Bools:
    """Which matches are members of a series that is significant.

    The series ends at the multiple up to which chance explains it least: of n frequencies up to there as many
    match as there are, or more, with a binomial probability.  Or it ends before a wide gap.

    Parameters
    ----------
    matches : Matches
    open_to : ndarray of bool, shape (n,)
        Frequencies that may be members: they have no other label.
    trials : float
        How many series are tried: the probability of one may be `CHANCE` over that and the number of ends.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    rows = np.flatnonzero(open_to)
    rows = rows[np.argsort(matches.multiple[rows], kind="stable")]
    members = np.zeros(len(open_to), bool)
    if len(rows) == 0:
        return members
    number = np.arange(1, len(rows) + 1)
    hits = np.cumsum(matches.hit[rows])
    mean = np.cumsum(matches.chance[rows]) / number
    chance = np.where(hits > 0, bdtrc(np.maximum(hits, 1) - 1, number, np.minimum(mean, 1.0)), 1.0)
    end = int(chance.argmin())
    if chance[end] * trials * len(rows) < CHANCE:
        inside = rows[: end + 1][matches.hit[rows[: end + 1]]]
        gap = np.diff(matches.multiple[inside])
        wide = np.flatnonzero(gap > 2 * np.arange(1, len(inside)) + _GAP)
        members[inside[: wide[0] + 1 if len(wide) else None]] = True
    return members


def chain(matches: Matches, open_to: Bools) -> int:
    """Multiple up to which, from 2 on, every one is there; 1 where 2 is not."""
    there = np.unique(matches.multiple[open_to & matches.hit & (matches.multiple >= 2)])
    unbroken = there == np.arange(2, len(there) + 2)
    return 1 + (len(there) if unbroken.all() else int(np.argmin(unbroken)))


def expected_by_chance(matches: Matches, open_to: Bools, multiple: int) -> float:
    """Number of frequencies, up to a multiple, that chance would be expected to make match."""
    return float(matches.chance[open_to & (matches.multiple <= multiple) & (matches.multiple >= 1)].sum())
