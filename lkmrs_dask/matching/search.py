"""Counterparts of points among the pieces of a catalogue, and the rows of these counterparts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.matching.nearest import Chosen, Counterparts
from lkmrs_dask.matching.pairs import Pairs
from lkmrs_dask.matching.side import Piece, Side
from lkmrs_dask.sky.regions import Ranges

__all__ = ["Search"]

_ROW_BITS = 40  # of the number of a row in a piece

FindPairs = Callable[[pa.Table, Piece], Iterator[Pairs]]
"""Pairs of the points (left) with the rows of a piece (right)."""


class Search:
    """Looks for counterparts, a piece at a time: memory holds one of them, and the pairs.

    Parameters
    ----------
    side : Side
        The catalogue that is searched.
    ranges : (lo, hi) or None
        Index ranges in which counterparts may be: sources other than files may leave out rows elsewhere.
    pieces : list of Piece
        Its pieces there.
    columns : sequence of str
        What finding pairs needs of it.
    wanted : sequence of str
        What is asked of counterparts later.
    """

    def __init__(
        self,
        side: Side,
        ranges: Ranges | None,
        pieces: Iterable[Piece],
        columns: Sequence[str],
        wanted: Sequence[str] = (),
    ) -> None:
        self.side, self.ranges, self.pieces = side, ranges, list(pieces)
        self.columns, self.wanted = tuple(columns), tuple(wanted)
        self._held: dict[int, tuple[NDArray[np.int64], pa.Table]] = {}

    def run(
        self, n_points: int, most: int | None, find: FindPairs, limit: int | None = None
    ) -> tuple[Chosen, NDArray[np.int32]]:
        """Find the counterparts of points: `most` of each, and how many there were.

        Raises
        ------
        TooManyPairsError
            Where more than `limit` pairs would have to be kept.
        """
        best = Counterparts(n_points, most, self._ranks, limit)
        for number, piece in enumerate(self.pieces):
            rows, table = self._near(self._read(piece))
            self._held[number] = rows, table
            near = np.zeros(len(table), dtype=bool)
            for pairs in find(table, piece):
                near[pairs.right] = True
                best.add(number, Pairs(pairs.left, rows[pairs.right], pairs.separation))
            # What was read of rows that may be chosen is kept: it need not be read again.
            self._held[number] = rows[near], table.filter(pa.array(near))
        return best.choose(), best.n_candidates

    def _near(self, table: pa.Table) -> tuple[NDArray[np.int64], pa.Table]:
        """Rows of a piece that their index lets be counterparts, by number, and these alone of the table."""
        rows = self.side.rows_in(table, self.ranges) if self.ranges is not None else None
        return (np.arange(len(table)), table) if rows is None else (rows, table.take(pa.array(rows)))

    def _read(self, piece: Piece) -> pa.Table:
        columns = self.columns
        if piece.path is None:  # nothing is read twice: it may be the result of much work
            identifier = () if self.side.id_column is None else (self.side.id_column,)
            columns = (*columns, *self.wanted, *identifier)
        return self.side.read(piece, list(dict.fromkeys(columns)), self.ranges)

    def _ranks(self, tied: Chosen) -> NDArray[np.int64]:
        """Rank of the right rows of pairs: by identifier, nulls last, then by place."""
        # A row may be in very many pairs.
        row = tied.piece << _ROW_BITS | tied.right
        rows, which = np.unique(row, return_inverse=True)
        if self.side.id_column is None:
            return which
        none = np.empty(len(rows), dtype=np.int64)
        distinct_rows = Chosen(
            none, rows >> _ROW_BITS, rows & ((1 << _ROW_BITS) - 1), none.astype(np.float64)
        )
        ids = self.take(distinct_rows, [self.side.id_column]).column(0)
        if pa.types.is_dictionary(ids.type):
            ids = ids.cast(ids.type.value_type)
        return pc.rank(ids, sort_keys="ascending", tiebreaker="first").to_numpy().astype(np.int64)[which]

    def take(self, chosen: Chosen, columns: Sequence[str]) -> pa.Table:
        """Columns of the counterparts, in the order of the pairs."""
        fields = [self.side.source.schema.field(name) for name in columns]
        if not len(chosen.left) or not columns:
            return pa.schema(fields).empty_table()
        order = np.argsort(chosen.piece, kind="stable")
        numbers, first = np.unique(chosen.piece[order], return_index=True)
        parts = [
            self._take_piece(number, rows, columns)
            for number, rows in zip(numbers.tolist(), np.split(chosen.right[order], first[1:]), strict=True)
        ]
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        return pa.concat_tables(parts).take(pa.array(back))

    def _take_piece(self, number: int, rows: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        held, table = self._held[number]
        place = pa.array(np.searchsorted(held, rows))
        more = [name for name in columns if name not in table.column_names]
        rest = self.side.take(self.pieces[number], rows, more) if more else None
        taken = [
            rest.column(name) if rest is not None and name in more else table.column(name).take(place)
            for name in columns
        ]
        return pa.table(taken, schema=pa.schema([self.side.source.schema.field(name) for name in columns]))
