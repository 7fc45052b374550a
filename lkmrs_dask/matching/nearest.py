"""Keep the nearest counterparts of each row while pairs come in, in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.matching.pairs import Pairs

__all__ = ["Chosen", "Counterparts"]

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


@dataclass
class Counterparts:
    """Counterparts of left rows.

    Parameters
    ----------
    n_left : int
        Left rows.
    most : int or None
        Counterparts wanted of each; None for all.
    """

    n_left: int
    most: int | None
    _parts: list[Chosen] = field(default_factory=list)
    _pending: int = 0

    def __post_init__(self) -> None:
        self.n_candidates = np.zeros(self.n_left, dtype=np.int32)

    def add(self, piece: int, pairs: Pairs) -> None:
        """Add pairs with rows of a piece of the right side."""
        self.n_candidates += np.bincount(pairs.left, minlength=self.n_left).astype(np.int32)
        where = np.full(len(pairs.left), piece)
        self._parts.append(Chosen(pairs.left, where, pairs.right, pairs.separation))
        self._pending += len(pairs.left)
        if self.most is not None and self._pending > _PENDING:
            self._parts = [self._near()]
            # What is kept does not count as pending, or each further pair would start this again.
            self._pending = 0

    def _near(self) -> Chosen:
        """Pairs that may be among the nearest: nearer than the last one wanted, or as near."""
        whole, none = np.empty(0, np.int64), np.empty(0)
        parts = [Chosen(whole, whole, whole, none), *self._parts]
        pairs = Chosen(*(np.concatenate(values) for values in zip(*parts, strict=True)))
        pairs = pairs.take(np.lexsort((pairs.separation, pairs.left)))
        if self.most is None or not len(pairs.left):
            return pairs
        first = np.flatnonzero(np.diff(pairs.left, prepend=-1))
        ends = np.append(first[1:], len(pairs.left))
        last = np.minimum(first + self.most, ends) - 1
        return pairs.take(pairs.separation <= np.repeat(pairs.separation[last], ends - first))

    def choose(self, ranks: Callable[[Chosen], Integers]) -> Chosen:
        """Give the counterparts wanted.

        Parameters
        ----------
        ranks : callable
            Rank by identifier of the right rows of some pairs; called for those only that are as near to
            one left row as another.
        """
        pairs = self._near()
        same = (pairs.left[1:] == pairs.left[:-1]) & (pairs.separation[1:] == pairs.separation[:-1])
        if same.any():
            tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
            rank = np.zeros(len(pairs.left), dtype=np.int64)
            rank[tied] = ranks(pairs.take(tied))
            keys = (pairs.right, pairs.piece, rank, pairs.separation, pairs.left)
            pairs = pairs.take(np.lexsort(keys))
        if self.most is None:
            return pairs
        first = np.flatnonzero(np.diff(pairs.left, prepend=-1))
        lengths = np.diff(np.append(first, len(pairs.left)))
        return pairs.take(np.arange(len(pairs.left)) - np.repeat(first, lengths) < self.most)
