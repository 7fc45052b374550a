"""All pairs of two sets of positions that are closer than a radius: range look-ups in the sorted index.

A disc is covered by a HEALPix pixel that is wider than its radius and the pixels around it, and pixels are
ranges of the sorted order-29 index: so borders of tiles, RA 0 and the poles are like any other place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.sky import healpix
from lkmrs_dask.sky.index import INDEX_ORDER, healpix29, separation_arcsec, unit_vectors
from lkmrs_dask.sky.regions import Ranges, merge_ranges

__all__ = [
    "MOST_ARCSEC",
    "ROUNDED",
    "Pairs",
    "Points",
    "close_pairs",
    "close_places",
    "covering_ranges",
    "distinct",
    "rows_from",
]

MOST_ARCSEC = 7200.0
"""Largest radius of a cross-match."""

ROUNDED = 1.0 + 1e-12
"""A separation is computed to a few units in its last place: one of just the radius is within it."""

_RING_ARCSEC, _RING_ORDER = 4.0, 15
"""The pixels around a pixel of this order reach further than this (4.03), and twice as far an order lower."""

_COARSER = 3
"""Look-ups are done in pixels of up to so many orders less: fewer of them, with more rows to look at."""

_ROWS_A_QUERY = 12
"""Coarser pixels pay as long as a query meets fewer rows than this."""

_BLOCK = 1 << 20  # candidates looked at together

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Pairs(NamedTuple):
    """Rows of both sides and their separation in arcsec; one entry a pair."""

    left: Integers
    right: Integers
    separation: Floats


@dataclass(frozen=True, eq=False)
class Points:
    """Positions in the order of their index.

    Parameters
    ----------
    index : ndarray of int64, shape (n,)
        Order-29 index, rising.
    ra, dec : ndarray of float64, shape (n,)
        Degrees.
    row : ndarray of int64, shape (n,), or None
        Number of each where it came from; None where that is its place here.
    """

    index: Integers
    ra: Floats
    dec: Floats
    row: Integers | None = None

    def __len__(self) -> int:
        return len(self.index)

    @classmethod
    def of(cls, ra: ArrayLike, dec: ArrayLike, index: Integers | None = None) -> Points:
        """Sort positions (deg); those that are not finite are left out.  The index is made if not given."""
        ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
        row = None
        finite = np.isfinite(ra) & np.isfinite(dec)
        if not finite.all():
            row = np.flatnonzero(finite)
            ra, dec = ra[row], dec[row]
            index = index[row] if index is not None else None
        if np.any(ra < 0.0) or np.any(ra >= 360.0):
            ra = ra % 360.0  # so that the same place is so to the last bit
        if index is None:
            index = healpix29(ra, dec)
        if np.any(index[1:] < index[:-1]):
            order = np.argsort(index, kind="stable")
            index, ra, dec = index[order], ra[order], dec[order]
            row = order if row is None else row[order]
        return cls(index, ra, dec, row)

    def take(self, which: NDArray) -> Points:
        """Some of them, by mask or rising places."""
        row = np.arange(len(self))[which] if self.row is None else self.row[which]
        return Points(self.index[which], self.ra[which], self.dec[which], row)

    def number(self, place: Integers) -> Integers:
        """Row numbers of places."""
        return place if self.row is None else self.row[place]

    @cached_property
    def vectors(self) -> Floats:
        """Unit vectors, shape (n, 3)."""
        return unit_vectors(self.ra, self.dec)


def search_order(radius_arcsec: float) -> int:
    """Finest order whose pixels, with those around, cover a disc of this radius about any of their points."""
    if not radius_arcsec > 0:
        raise UsageError(f"a search radius must be positive, not {radius_arcsec} arcsec")
    order = int(np.floor(_RING_ORDER + np.log2(_RING_ARCSEC / radius_arcsec)))
    if order < 0:
        raise UsageError(f"a search radius of {radius_arcsec} arcsec is too large")
    return min(order, INDEX_ORDER)


def _pixels_around(index: Integers, order: int, coarser: int) -> tuple[Integers, Integers]:
    """Query and pixel, of `order` less `coarser`, for all pixels that its disc may touch."""
    own = index >> (2 * (INDEX_ORDER - order))
    pixels = np.empty((len(own), 9), dtype=np.int64)
    pixels[:, 0] = own
    around = healpix.pixels_around(order, own)
    pixels[:, 1:] = np.where(around < 0, own, around).T  # eight pixels have but seven around them
    pixels >>= 2 * coarser
    pixels.sort(axis=1)
    new = np.ones(pixels.shape, dtype=bool)
    np.not_equal(pixels[:, 1:], pixels[:, :-1], out=new[:, 1:])
    query = np.repeat(np.arange(len(own)), np.count_nonzero(new, axis=1))
    return query, pixels[new]


def covering_ranges(index: Integers, radius_arcsec: float) -> Ranges:
    """Index ranges that hold everything within a radius of points, given by their index."""
    order = search_order(radius_arcsec)
    shift = 2 * (INDEX_ORDER - order)
    own = distinct(index >> shift)
    _, pixels = _pixels_around(own << shift, order, 0)
    pixels = distinct(pixels)
    return merge_ranges(pixels << shift, (pixels + 1) << shift)


def distinct(values: Integers) -> Integers:
    """Sort and leave out repeats; faster than hashing, as much is in order already."""
    values = np.sort(values, kind="stable")
    return values[np.append(True, values[1:] != values[:-1])] if len(values) else values


def rows_from(start: Integers, count: Integers) -> Integers:
    """Rows ``start, start + 1, ...`` of each run of `count` rows, without a loop."""
    end = np.cumsum(count)
    return np.arange(end[-1] if len(end) else 0) + np.repeat(start - (end - count), count)


def close_pairs(left: Points, right: Points, radius_arcsec: float) -> Iterator[Pairs]:
    """Give all pairs within a radius, some at a time.

    Parameters
    ----------
    left, right : Points
        Both sides.  The smaller one asks, the other is searched.
    radius_arcsec : float
        Largest separation, included.

    Yields
    ------
    Pairs
        Row numbers of `left` and `right` (`Points.row`); each pair once, in no particular order.

    Raises
    ------
    UsageError
        For a radius that is not positive.
    """
    for one in close_places(left, right, radius_arcsec):
        yield Pairs(left.number(one.left), right.number(one.right), one.separation)


def close_places(left: Points, right: Points, radius_arcsec: float) -> Iterator[Pairs]:
    """Give pairs as `close_pairs` does, but by places in the points, not by row numbers."""
    order = search_order(radius_arcsec)
    if len(left) == 0 or len(right) == 0:
        return
    swapped = len(right) < len(left)
    query, target = (right, left) if swapped else (left, right)
    for asked, found in _candidates(query, target, order):
        near = _near(query, target, asked, found, radius_arcsec)
        asked, found = asked[near], found[near]
        away = separation_arcsec(query.ra[asked], query.dec[asked], target.ra[found], target.dec[found])
        close = away <= radius_arcsec * ROUNDED
        asked, found, away = asked[close], found[close], away[close]
        if len(asked):
            yield Pairs(found, asked, away) if swapped else Pairs(asked, found, away)


def _candidates(query: Points, target: Points, order: int) -> Iterator[tuple[Integers, Integers]]:
    """Places of queries and of rows in the pixels around them, in blocks."""
    coarser = min(_COARSER, order)
    asked, start, count = _lookup(query, target, order, coarser)
    if coarser and count.sum() > _ROWS_A_QUERY * len(query):
        asked, start, count = _lookup(query, target, order, 0)
    end = np.cumsum(count)
    done = 0
    while done < len(count):
        base = end[done] - count[done]
        stop = max(done + 1, int(np.searchsorted(end, base + _BLOCK, side="right")))
        block = count[done:stop]
        yield np.repeat(asked[done:stop], block), rows_from(start[done:stop], block)
        done = stop


def _lookup(query: Points, target: Points, order: int, coarser: int) -> tuple[Integers, Integers, Integers]:
    """Query, first row and number of rows for each pixel around a query that has rows."""
    asked, pixel = _pixels_around(query.index, order, coarser)
    shift = 2 * (INDEX_ORDER - order + coarser)
    start = np.searchsorted(target.index, pixel << shift)
    count = np.searchsorted(target.index, (pixel + 1) << shift) - start
    filled = count > 0
    return asked[filled], start[filled], count[filled]


def _near(
    query: Points, target: Points, asked: Integers, found: Integers, radius_arcsec: float
) -> NDArray[np.bool_]:
    """Which candidates may be within the radius; cheaper than their separations."""
    if len(asked) > len(query) + len(target):
        # Many candidates a row: unit vectors are worth while.  Chords are right to 1e-15.
        chord = query.vectors[asked] - target.vectors[found]
        limit = 2.0 * np.sin(np.radians(radius_arcsec / 3600.0) / 2.0) * (1.0 + 1e-9) + 1e-14
        return np.einsum("ij,ij->i", chord, chord) <= limit**2
    return np.abs(query.dec[asked] - target.dec[found]) <= radius_arcsec / 3600.0 * (1.0 + 1e-9) + 1e-12
