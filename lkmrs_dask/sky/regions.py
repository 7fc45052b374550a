"""Regions of the sky: which index ranges they may touch (to skip partitions) and which points they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.sky import healpix
from lkmrs_dask.sky.index import healpix29, index_range, pixel_centre, separation_arcsec, unit_vectors

__all__ = ["Cone", "Pixels", "Polygon", "Region", "merge_ranges"]

Ranges = tuple[NDArray[np.int64], NDArray[np.int64]]

_FINEST_ORDER = 14  # of the covering pixels: 13 arcsec, finer than any partition


class Region(Protocol):
    """A part of the sky."""

    def ranges(self) -> Ranges:
        """Sorted order-29 index ranges ``[lo, hi)`` that together cover the region (and a little more)."""

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.bool_]:
        """Which points lie inside, border included."""


def merge_ranges(lo: ArrayLike, hi: ArrayLike) -> Ranges:
    """Sort ranges ``[lo, hi)`` and join those that touch or overlap."""
    lo, hi = np.asarray(lo, np.int64), np.asarray(hi, np.int64)
    if lo.size == 0:
        return lo, hi
    order = np.argsort(lo, kind="stable")
    lo, reach = lo[order], np.maximum.accumulate(hi[order])
    new = np.concatenate([[True], lo[1:] > reach[:-1]])
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(lo)) - 1
    return lo[first], reach[last]


def _check_position(ra: float, dec: float) -> None:
    if not (np.isfinite(ra) and np.isfinite(dec) and -90 <= dec <= 90):
        raise UsageError(f"not a position: ra={ra}, dec={dec} (deg, dec within [-90, 90])")


def _cover(pixels: NDArray, order: int) -> Ranges:
    return merge_ranges(*index_range(order, np.asarray(pixels, dtype=np.int64)))


def _disc(centre: NDArray[np.float64], radius: float, order: int) -> NDArray[np.int64]:
    """Pixels that may touch a disc (radians): their centres are no further outside than a pixel reaches."""
    reach = radius + 1.001 * healpix.max_pixrad(1 << order)
    if order > 4:
        return healpix.query_disc(1 << order, centre, reach, nest=True)
    # Of discs beyond a hemisphere healpy leaves out pixels around the far pole.
    pixels = np.arange(12 << (2 * order))
    chord = np.linalg.norm(unit_vectors(*pixel_centre(order, pixels)) - centre, axis=-1)
    return pixels[chord <= 2 * np.sin(min(reach, np.pi) / 2) + 1e-9]


@dataclass(frozen=True)
class Cone:
    """Points within `radius_arcsec` of (`ra`, `dec`) (deg) by great circle."""

    ra: float
    dec: float
    radius_arcsec: float

    def __post_init__(self) -> None:
        _check_position(self.ra, self.dec)
        if not 0 < self.radius_arcsec <= 180 * 3600:
            raise UsageError(f"a cone's radius lies in (0, 648000] arcsec, got {self.radius_arcsec}")

    def ranges(self) -> Ranges:
        """Index ranges that cover the cone."""
        radius = np.radians(self.radius_arcsec / 3600)
        # Pixels of about a quarter of the radius: some hundreds of them whatever the radius.
        order = int(np.clip(np.ceil(np.log2(4 * 1.02 / radius)), 0, _FINEST_ORDER))
        return _cover(_disc(unit_vectors(self.ra, self.dec), radius, order), order)

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.bool_]:
        """Which points lie inside."""
        return separation_arcsec(self.ra, self.dec, ra, dec) <= self.radius_arcsec


@dataclass(frozen=True)
class Polygon:
    """Points inside a convex polygon with great-circle sides, given by its `vertices` ((ra, dec) in deg).

    Vertices go round in either direction; sides are shorter than 180 deg.
    """

    vertices: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        try:
            vertices = tuple((float(ra), float(dec)) for ra, dec in self.vertices)
        except (TypeError, ValueError) as fault:
            raise UsageError(f"a polygon is given by its vertices, (ra, dec) each in deg: {fault}") from fault
        object.__setattr__(self, "vertices", vertices)
        for ra, dec in vertices:
            _check_position(ra, dec)
        if len(vertices) < 3:
            raise UsageError(f"a polygon has at least 3 vertices, got {len(vertices)}")
        corners = self._corners()
        normals = np.cross(corners, np.roll(corners, -1, axis=0) - corners)
        if np.any(np.linalg.norm(normals, axis=1) < 1e-14):
            raise UsageError("two neighbouring vertices of the polygon coincide or are antipodes")
        if not self._inside(corners).all():
            raise UsageError("the polygon is not convex: cut it into convex parts")
        # A polygon of no width passes as convex, but then each side has all vertices on it.
        centre = corners.sum(axis=0)
        if np.linalg.norm(centre) < 1e-12 or self._inside(-centre / np.linalg.norm(centre)):
            raise UsageError("the polygon has no area, or is a whole hemisphere")

    def _corners(self) -> NDArray[np.float64]:
        """Return unit vectors of the vertices, the inside on the left of each side."""
        corners = unit_vectors(*np.transpose(self.vertices))
        sides = np.roll(corners, -1, axis=0) - corners
        turn = np.sum(np.cross(corners, sides) * (corners.mean(axis=0) - corners))
        return corners if turn >= 0 else corners[::-1]

    def _inside(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which unit vectors lie on the inner side of every side, but for rounding."""
        corners = self._corners()
        inside = np.ones(points.shape[:-1], dtype=bool)
        for corner, following in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            # Differences keep the digits that products of nearby unit vectors lose: sides may be arcseconds.
            side, off = following - corner, points - corner
            slack = 1e-15 * (np.linalg.norm(off, axis=-1) + np.linalg.norm(side))
            inside &= off @ np.cross(corner, side) >= -slack
        return inside

    def ranges(self) -> Ranges:
        """Index ranges that cover the polygon."""
        corners = self._corners()
        centre = corners.sum(axis=0) / np.linalg.norm(corners.sum(axis=0))
        reach = 2 * np.arcsin(np.linalg.norm(corners - centre, axis=1).max() / 2)
        order = int(np.clip(np.ceil(np.log2(8 * 1.02 / reach)), 3, _FINEST_ORDER))
        # The cap round all vertices holds the polygon where it is convex: up to a hemisphere.
        pixels = _disc(centre, reach if reach < np.pi / 2 else np.pi, order)
        # A pixel that touches the polygon has its centre no further outside of any side than it reaches.
        normals = np.cross(corners, np.roll(corners, -1, axis=0) - corners)
        normals /= np.linalg.norm(normals, axis=1)[:, None]
        middles = unit_vectors(*pixel_centre(order, pixels))
        near = np.all(middles @ normals.T >= -1.001 * np.sin(healpix.max_pixrad(1 << order)), axis=-1)
        return _cover(pixels[near], order)

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.bool_]:
        """Which points lie inside."""
        return self._inside(unit_vectors(ra, dec))


@dataclass(frozen=True)
class Pixels:
    """Points inside given HEALPix pixels ((order, nested pixel) pairs)."""

    pixels: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "pixels", tuple((int(o), int(p)) for o, p in self.pixels))
        except (TypeError, ValueError) as fault:
            raise UsageError(f"pixels are given as (order, nested pixel) pairs: {fault}") from fault
        for order, pixel in self.pixels:
            if not (0 <= order <= 29 and 0 <= pixel < 12 << (2 * order)):
                raise UsageError(f"no such HEALPix pixel: order {order}, pixel {pixel}")

    def ranges(self) -> Ranges:
        """Index ranges of the pixels."""
        pairs = np.array(self.pixels, dtype=np.int64).reshape(-1, 2)
        return merge_ranges(*index_range(pairs[:, 0], pairs[:, 1]))

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.bool_]:
        """Which points lie inside."""
        lo, hi = self.ranges()
        index = healpix29(ra, dec)
        at = np.searchsorted(hi, index, side="right")
        inside = at < len(lo)
        return inside & (index >= lo[np.minimum(at, len(lo) - 1)]) if len(lo) else inside
