"""The rows of a cross-match, a partition of the left catalogue at a time, as a source of a catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.matching.drift import Drift
from lkmrs_dask.matching.nearest import Chosen, TooManyPairsError
from lkmrs_dask.matching.pairs import Pairs, Points, close_pairs, covering_ranges
from lkmrs_dask.matching.search import Search
from lkmrs_dask.matching.side import Piece, Side
from lkmrs_dask.sky.regions import Ranges

__all__ = ["Asked", "Matched", "Names"]

Floats = NDArray[np.float64]
Part = tuple[int, int]


@dataclass(frozen=True)
class Asked:
    """What is asked of a cross-match.

    Parameters
    ----------
    radius_arcsec : float
        Largest separation.
    most : int or None
        Counterparts of a left row at most; None for all.
    mutual : bool
        Keep a pair only where each is the other's nearest.
    join : str
        ``inner``, ``left`` or ``anti``.
    drift : Drift or None
        Proper motion of the right rows, where it counts.
    max_pairs : int
        Pairs of a partition at most.
    """

    radius_arcsec: float
    most: int | None
    mutual: bool
    join: str
    drift: Drift | None
    max_pairs: int


@dataclass(frozen=True)
class Names:
    """Columns of the result: name there and name in the catalogue, and those of the two that are new."""

    left: tuple[tuple[str, str], ...]
    right: tuple[tuple[str, str], ...] = ()
    separation: str = ""
    candidates: str = ""


@dataclass(frozen=True, eq=False)
class Matched:
    """Rows of a cross-match.

    Parameters
    ----------
    left, right : Side
        Both catalogues.
    asked : Asked
        How they are matched.
    names : Names
        Columns of the result.
    schema : pyarrow.Schema
        Their types.
    """

    left: Side
    right: Side
    asked: Asked
    names: Names
    schema: pa.Schema

    def read(
        self, order: int, pixel: int, columns: Sequence[str] | None = None, ranges: Ranges | None = None
    ) -> pa.Table:
        """Rows of one pixel of the left catalogue; see `PartitionSource`."""
        names = self.schema.names if columns is None else list(columns)
        part, drift = (order, pixel), self.asked.drift
        # Of a one-to-one match all rows take part, whatever is asked for.
        table = self._left_rows(part, names, None if self.asked.mutual else ranges)
        points = self.left.points(table, part)
        epoch = drift.left_epochs(table) if drift is not None else np.empty(0)
        wanted = list(dict.fromkeys(of for name, of in self.names.right if name in names))
        search = self._search_right(points, epoch, wanted)
        try:
            chosen, n_candidates = search.run(
                len(table),
                self.asked.most,
                lambda rows, piece: self._pairs(points, epoch, self.right.points(rows, piece.part), rows),
                self.asked.max_pairs,
            )
        except TooManyPairsError as fault:
            raise CatalogError(self._too_many(part, len(table))) from fault
        if self.asked.mutual:
            chosen = chosen.take(self._mutual(chosen, search, part))
        if self.asked.join == "anti":
            alone = np.ones(len(table), dtype=bool)
            alone[chosen.left] = False
            return self._result(table.filter(pa.array(alone)), names, {})
        return self._join(table, chosen, n_candidates, search.take(chosen, wanted), names)

    def _too_many(self, part: Part, rows: int) -> str:
        asked = self.asked
        return (
            f"{self.left.name}, partition order {part[0]}, pixel {part[1]}: its {rows:,} rows have more than "
            f'{asked.max_pairs:,} pairs with {self.right.name} within {asked.radius_arcsec:g}"; choose a '
            "smaller radius, neighbours as a small number, or smaller partitions; or raise max_pairs "
            "(--max-pairs): a pair takes some 170 bytes of memory, and what its columns take"
        )

    def _left_rows(self, part: Part, names: Sequence[str], ranges: Ranges | None) -> pa.Table:
        wanted = [of for name, of in self.names.left if name in names]
        epoch = self.asked.drift.left_columns if self.asked.drift is not None else []
        return self.left.source.read(
            *part, list(dict.fromkeys([*wanted, *self.left.position, *epoch])), ranges
        )

    @property
    def _right_columns(self) -> list[str]:
        drift = self.asked.drift
        return [*self.right.position, *(drift.right_columns if drift is not None else [])]

    def _search_right(self, points: Points, epoch: Floats, wanted: Sequence[str]) -> Search:
        drift, radius = self.asked.drift, self.asked.radius_arcsec
        columns = self._right_columns
        if len(points) == 0:
            return Search(self.right, covering_ranges(points.index, radius), [], columns)
        if drift is not None:
            ranges, pieces = drift.right_pieces(self.right, points.index, epoch, radius)
        else:
            ranges = covering_ranges(points.index, radius + self.right.slack_arcsec)
            pieces = self.right.pieces(ranges)
        return Search(self.right, ranges, pieces, columns, wanted)

    def _pairs(self, left: Points, epoch: Floats, right: Points, right_rows: pa.Table) -> Iterator[Pairs]:
        drift = self.asked.drift
        if drift is None:
            return close_pairs(left, right, self.asked.radius_arcsec)
        return drift.pairs(left, epoch, right, drift.motion(right_rows), self.asked.radius_arcsec)

    # -- one to one ------------------------------------------------------------------------------------------

    def _mutual(self, chosen: Chosen, search: Search, part: Part) -> NDArray[np.bool_]:
        """Which pairs are mutual: no left row, of any partition, is nearer to the right one."""
        keep = np.zeros(len(chosen.left), dtype=bool)
        if not len(keep):
            return keep
        rows = search.take(chosen, self._right_columns)
        points, drift = self.right.points(rows, None), self.asked.drift
        radius = self.asked.radius_arcsec + self.left.slack_arcsec
        if drift is not None:
            ranges = drift.left_ranges(points, drift.motion(rows), radius)
        else:
            ranges = covering_ranges(points.index, radius)
        epoch_columns = drift.left_columns if drift is not None else []
        # All rows of a piece are read, for rows are told by their numbers in it.
        pieces = self.left.pieces(ranges)
        back = Search(self.left, None, pieces, [*self.left.position, *epoch_columns])

        def find(lefts: pa.Table, piece: Piece) -> Iterator[Pairs]:
            epoch = drift.left_epochs(lefts) if drift is not None else np.empty(0)
            for pairs in self._pairs(self.left.points(lefts, piece.part), epoch, points, rows):
                yield Pairs(pairs.right, pairs.left, pairs.separation)

        nearest, _ = back.run(len(chosen.left), 1, find)
        where = [back.pieces[number] for number in nearest.piece.tolist()]
        row = np.array([piece.first for piece in where], dtype=np.int64) + nearest.right
        own = np.array([piece.part == part for piece in where], dtype=bool)
        keep[nearest.left] = own & (row == chosen.left[nearest.left])
        return keep

    # -- the result ------------------------------------------------------------------------------------------

    def _join(
        self,
        table: pa.Table,
        chosen: Chosen,
        n_candidates: NDArray[np.int32],
        rights: pa.Table,
        names: Sequence[str],
    ) -> pa.Table:
        """Put the rows of both sides together."""
        left, place = chosen.left, np.arange(len(chosen.left))
        if self.asked.join == "left":
            alone = np.ones(len(table), dtype=bool)
            alone[left] = False
            left = np.concatenate([left, np.flatnonzero(alone)])
            place = np.concatenate([place, np.full(len(left) - len(place), -1)])
            order = np.argsort(left, kind="stable")
            left, place = left[order], place[order]
        missing = place < 0
        at = pa.array(place, mask=missing) if missing.any() else pa.array(place)
        new: dict[str, pa.Array] = {
            self.names.separation: pa.array(chosen.separation).take(at),
            self.names.candidates: pa.array(n_candidates[left]),
        }
        new |= {name: rights.column(of).take(at) for name, of in self.names.right if name in names}
        return self._result(table.take(pa.array(left)), names, new)

    def _result(self, lefts: pa.Table, names: Sequence[str], new: dict[str, pa.Array]) -> pa.Table:
        of = dict(self.names.left)
        columns = [new[name] if name in new else lefts.column(of[name]) for name in names]
        return pa.table(columns, schema=pa.schema([self.schema.field(name) for name in names]))
