"""Keep the nearest counterparts of each row while pairs come in, in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.matching.pairs import Pairs

__all__ = ["Chosen", "Counterparts", "TooManyPairsError"]

_PENDING = 1 << 21  # pairs kept before the far ones are thrown out

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Chosen(NamedTuple):
    """Pairs in the order of left rows, the nearest first; ``piece`` and ``right`` say which row it is."""

    left: Integers
    piece: Integers
    right: Integers
    separation: Floats

    def take(self, which: NDArray) -> Chosen:
        """Some of the pairs, by place or mask."""
        return Chosen(*(values[which] for values in self))


class TooManyPairsError(Exception):
    """More pairs are wanted than may be kept."""


@dataclass
class Counterparts:
    """Counterparts of left rows.

    Parameters
    ----------
    n_left : int
        Left rows.
    most : int or None
        Counterparts wanted of each; None for all.
    ranks : callable
        Rank by identifier of the right rows of some pairs; called for those only that are as near to one
        left row as another.
    limit : int or None
        Pairs that may be kept, and so many more that are being sorted out.
    """

    n_left: int
    most: int | None
    ranks: Callable[[Chosen], Integers]
    limit: int | None = None
    _parts: list[Chosen] = field(default_factory=list)
    _pending: int = 0
    _kept: int = 0

    def __post_init__(self) -> None:
        self.n_candidates = np.zeros(self.n_left, dtype=np.int32)
        self._farthest = np.full(self.n_left, np.inf)  # that may still be among those wanted

    def add(self, piece: int, pairs: Pairs) -> None:
        """Add pairs with rows of a piece of the right side."""
        left, right, separation = pairs
        self.n_candidates += np.bincount(left, minlength=self.n_left).astype(np.int32)
        if self.most is not None:
            if self.most == 1:
                np.minimum.at(self._farthest, left, separation)
            near = separation <= self._farthest[left]
            left, right, separation = left[near], right[near], separation[near]
        self._parts.append(Chosen(left, np.full(len(left), piece), right, separation))
        self._pending += len(left)
        self._kept += len(left)
        if self.most is not None and self._pending > _PENDING:
            self._parts = [self._fewer(self.most)]
            # What is kept does not count as pending, or each further pair would start this again.
            self._pending = 0
            self._kept = len(self._parts[0].left)
        waiting = 0 if self.most is None else _PENDING  # for being sorted out
        if self.limit is not None and self._kept - waiting > self.limit:
            raise TooManyPairsError

    def _fewer(self, most: int) -> Chosen:
        """Pairs without those that cannot be wanted any more."""
        pairs = self._near()
        first, lengths = _runs(pairs.left)
        if len(pairs.left) - int(np.minimum(lengths, most).sum()) > _PENDING // 2:
            # Many rows at one place: their order is needed now, or all pairs of them would be kept.
            pairs = self._wanted(self._in_order(pairs))
            first, lengths = _runs(pairs.left)
        full = lengths >= most
        last = first[full] + most - 1
        self._farthest[pairs.left[last]] = pairs.separation[last]
        return pairs

    def _near(self) -> Chosen:
        """Pairs that may be among the nearest: nearer than the last one wanted, or as near."""
        whole, none = np.empty(0, np.int64), np.empty(0)
        parts = [Chosen(whole, whole, whole, none), *self._parts]
        pairs = Chosen(*(np.concatenate(values) for values in zip(*parts, strict=True)))
        if self.most == 1:
            pairs = pairs.take(pairs.separation <= self._farthest[pairs.left])
        pairs = pairs.take(np.lexsort((pairs.separation, pairs.left)))
        if self.most is None or not len(pairs.left):
            return pairs
        first, lengths = _runs(pairs.left)
        last = first + np.minimum(lengths, self.most) - 1
        return pairs.take(pairs.separation <= np.repeat(pairs.separation[last], lengths))

    def _in_order(self, pairs: Chosen) -> Chosen:
        """Put pairs of equal separation in the order of identifiers, then of the sky."""
        same = (pairs.left[1:] == pairs.left[:-1]) & (pairs.separation[1:] == pairs.separation[:-1])
        if not same.any():
            return pairs
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        rank = np.zeros(len(pairs.left), dtype=np.int64)
        rank[tied] = self.ranks(pairs.take(tied))
        return pairs.take(np.lexsort((rank, pairs.separation, pairs.left)))

    def _wanted(self, pairs: Chosen) -> Chosen:
        """Keep the first pairs of each left row, as many as are wanted."""
        if self.most is None:
            return pairs
        first, lengths = _runs(pairs.left)
        return pairs.take(np.arange(len(pairs.left)) - np.repeat(first, lengths) < self.most)

    def choose(self) -> Chosen:
        """Give the counterparts wanted."""
        return self._wanted(self._in_order(self._near()))


def _runs(left: Integers) -> tuple[Integers, Integers]:
    """First pair and number of pairs of each left row that has any."""
    first = np.flatnonzero(np.diff(left, prepend=-1))
    return first, np.diff(np.append(first, len(left)))
