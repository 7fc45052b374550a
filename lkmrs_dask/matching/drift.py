"""Matching stars that move: each right row is compared where it was at the epoch of the left row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.catalog.footers import column_bounds
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.matching.motion import Motion, julian_years, moved_separation
from lkmrs_dask.matching.pairs import ROUNDED, Pairs, Points, close_places, covering_ranges
from lkmrs_dask.matching.side import Piece, Side, floats
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.regions import Ranges

__all__ = ["FASTEST_MASYR", "Drift"]

FASTEST_MASYR = 11_000.0
"""No star moves faster (Barnard's: 10,393 mas/yr)."""

_YEARS = (1800.0, 2200.0)
"""Of epochs in a column, which are not known before its rows are read: all that can be Julian years."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Epoch = float | str


@dataclass(frozen=True)
class Drift:
    """Epochs of both sides and the right one's proper motion.

    Parameters
    ----------
    left_epoch, right_epoch : float or str
        Julian year, or a column with Julian years, MJD or JD.
    pmra, pmdec : str
        Columns of the right catalogue, mas/yr, `pmra` with cos dec.
    """

    left_epoch: Epoch
    right_epoch: Epoch
    pmra: str
    pmdec: str

    @property
    def left_columns(self) -> list[str]:
        """Columns of the left side that it needs."""
        return [self.left_epoch] if isinstance(self.left_epoch, str) else []

    @property
    def right_columns(self) -> list[str]:
        """Columns of the right side that it needs."""
        more = [self.right_epoch] if isinstance(self.right_epoch, str) else []
        return [self.pmra, self.pmdec, *more]

    def left_epochs(self, table: pa.Table) -> Floats:
        """Epoch (Julian years) of each left row."""
        return _epochs(table, self.left_epoch)

    def motion(self, table: pa.Table) -> Motion:
        """Proper motion of each right row.

        Raises
        ------
        CatalogError
            For one that no star has: other units, most likely.
        """
        pmra, pmdec = floats(table, self.pmra), floats(table, self.pmdec)
        fastest = np.nanmax(np.hypot(pmra, pmdec), initial=0.0) if len(pmra) else 0.0
        if fastest > FASTEST_MASYR:
            raise CatalogError(
                f"columns {self.pmra}, {self.pmdec}: a proper motion of {fastest:.6g} mas/yr is faster than "
                "any star's; they must be in mas/yr"
            )
        return Motion(pmra, pmdec, _epochs(table, self.right_epoch))

    def right_pieces(self, side: Side, index: Integers, epoch: Floats, radius: float) -> _Near:
        """Index ranges and pieces of the right side that may hold counterparts of left rows.

        Statistics of proper motions tell how far each row group's stars may be from where they are listed.
        """
        span = _span(epoch, _bounds_of(self.right_epoch))
        radius += side.slack_arcsec
        ranges = covering_ranges(index, radius + FASTEST_MASYR * span / 1000.0)
        if not side.in_files:
            return ranges, side.pieces(ranges)
        nearby: dict[float, Ranges] = {}
        pieces: list[Piece] = []
        for part, path, groups in side.groups(ranges):
            reach = radius + self._reach_of_groups(path, span)
            # A power of two times the radius, so that few sets of ranges are made.
            reach = radius * 2.0 ** np.ceil(np.log2(reach / radius))
            kept = []
            for group in groups:
                far = float(reach[group])
                if far not in nearby:
                    nearby[far] = covering_ranges(index, far)
                if _touches(path, group, nearby[far]):
                    kept.append(group)
            pieces += side.cut(part, path, kept)
        return ranges, pieces

    def _reach_of_groups(self, path: Path, span: float) -> Floats:
        """How far (arcsec) the stars of each row group may move, by its statistics."""
        rows = column_bounds(path, self.pmra).rows
        squares = np.zeros(len(rows))
        for name in (self.pmra, self.pmdec):
            _, least, most = column_bounds(path, name)
            if least is None or most is None:
                return np.full(len(rows), FASTEST_MASYR * span / 1000.0)
            squares += np.maximum(np.abs(least.astype(np.float64)), np.abs(most.astype(np.float64))) ** 2
        return np.minimum(np.sqrt(squares), FASTEST_MASYR) * span / 1000.0

    def left_ranges(self, right: Points, motion: Motion, radius: float) -> Ranges:
        """Index ranges that hold every left row within the radius of moving right rows."""
        span = _span(motion.epoch, _bounds_of(self.left_epoch))
        fastest = np.nanmax(np.hypot(motion.pmra, motion.pmdec), initial=0.0) if len(motion.pmra) else 0.0
        return covering_ranges(right.index, radius + float(fastest) * span / 1000.0)

    def pairs(
        self, left: Points, epoch: Floats, right: Points, motion: Motion, radius: float
    ) -> Iterator[Pairs]:
        """Give all pairs that were within a radius at the epochs of their left rows; see `close_pairs`.

        Fast stars are searched apart from the others: few need to be looked for far away.
        """
        if len(left) == 0 or len(right) == 0:
            return
        rows = right.number(np.arange(len(right)))
        span = _span(epoch, _range_of(motion.epoch))
        shift = np.nan_to_num(np.hypot(motion.pmra[rows], motion.pmdec[rows]) * span / 1000.0)
        level = np.ceil(np.log2(np.maximum(shift / radius, 0.25))).astype(np.int64)
        for one in np.unique(level).tolist():
            some = right.take(level == one)
            for pairs in close_places(left, some, radius * (1.0 + 2.0**one) * (1.0 + 1e-9)):
                rows_left, rows_right = left.number(pairs.left), some.number(pairs.right)
                away = moved_separation(
                    (left.ra[pairs.left], left.dec[pairs.left]),
                    epoch[rows_left],
                    (some.ra[pairs.right], some.dec[pairs.right]),
                    Motion(*(values[rows_right] for values in motion)),
                )
                close = away <= radius * ROUNDED
                if close.any():
                    yield Pairs(rows_left[close], rows_right[close], away[close])


_Near = tuple[Ranges, list[Piece]]


def _epochs(table: pa.Table, epoch: Epoch) -> Floats:
    if isinstance(epoch, str):
        return julian_years(floats(table, epoch), f"column {epoch}")
    return np.full(len(table), epoch)


def _bounds_of(epoch: Epoch) -> tuple[float, float]:
    return _YEARS if isinstance(epoch, str) else (epoch, epoch)


def _range_of(epochs: Floats) -> tuple[float, float]:
    known = epochs[np.isfinite(epochs)]
    return (float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan)


def _span(epochs: Floats, other: tuple[float, float]) -> float:
    """Most years between some epochs and those in a range; 0 where none is known."""
    first, last = _range_of(epochs)
    return float(np.nan_to_num(max(abs(last - other[0]), abs(other[1] - first))))


def _touches(path: Path, group: int, ranges: Ranges) -> bool:
    _, least, most = column_bounds(path, HEALPIX_COLUMN)
    if least is None or most is None:
        return True
    lo, hi = ranges
    first = int(np.searchsorted(hi, least[group], side="right"))
    return first < len(lo) and bool(lo[first] <= most[group])
