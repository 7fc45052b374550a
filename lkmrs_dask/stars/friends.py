"""Exact friends of friends on the sphere: which positions hang together by steps of at most a radius.

Positions are binned into cubes of the radius in three dimensions, where neither the poles nor RA 0 are
special; pairs come from neighbouring cubes, found in one sorted array of cube numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.sky.index import healpix29, separation_arcsec, unit_vectors

__all__ = ["close_pairs", "friends_of_friends", "normalised"]

_HALF_PLANE = ((0, 0), (0, 1), (1, -1), (1, 0), (1, 1))
"""Neighbouring columns of cubes (x, y), one of each pair of opposites; along z a range of numbers does."""

_MIN_EDGE = 2.5e-6
"""Smallest cube (0.5 arcsec), so that three coordinates fit an int64; smaller radii get more candidates."""

_PAIRS_AT_ONCE = 1 << 21


def normalised(ra: ArrayLike, dec: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bring positions into one form, so that equal places have equal numbers.

    Parameters
    ----------
    ra, dec : array_like of float, length n
        Degrees.

    Returns
    -------
    ra, dec : ndarray of float64, length n
        `ra` in [0, 360), and 0 at a pole.

    Raises
    ------
    UsageError
        For a position that is not finite, or beyond a pole: such rows belong in ``set_aside``.
    """
    lon, lat = np.atleast_1d(np.asarray(ra, np.float64)), np.atleast_1d(np.asarray(dec, np.float64))
    bad = ~(np.isfinite(lon) & (np.abs(lat) <= 90.0))
    if bad.any():
        k = int(np.argmax(bad))
        raise UsageError(
            f"{bad.sum()} positions are no place on the sky, the first ({lon[k]}, {lat[k]}) deg at {k}: "
            "set such rows aside before stars are identified"
        )
    lon = np.mod(lon, 360.0)
    return np.where((lon >= 360.0) | (np.abs(lat) == 90.0), 0.0, lon), lat + 0.0  # no -0


def close_pairs(
    ra: ArrayLike, dec: ArrayLike, radius_arcsec: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Find all pairs of positions within a radius of each other.

    Parameters
    ----------
    ra, dec : array_like of float, length n
        Degrees.
    radius_arcsec : float
        Largest great-circle separation, itself included.

    Yields
    ------
    i, j : ndarray of int64
        Indices of pairs, a bounded number at a time; each pair comes once, in either order.
    """
    ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    for i, j in _candidates(unit_vectors(ra, dec), _chord(radius_arcsec)):
        near = separation_arcsec(ra[i], dec[i], ra[j], dec[j]) <= radius_arcsec
        yield i[near], j[near]


def friends_of_friends(ra: ArrayLike, dec: ArrayLike, radius_arcsec: float) -> NDArray[np.int64]:
    """Group positions by single linkage: two within the radius of each other are in one group.

    Parameters
    ----------
    ra, dec : array_like of float, length n
        Degrees; `ra` of any turn.
    radius_arcsec : float
        Largest great-circle separation of friends, itself included.

    Returns
    -------
    ndarray of int64, length n
        Group of each position, 0, 1, ... in order of the lowest order-29 HEALPix index in the group (then of
        right ascension and declination).  It does not depend on the order of the positions.

    Raises
    ------
    UsageError
        For a radius below 0 or beyond 180 degrees, or a position that is no place on the sky.
    """
    if not 0.0 <= radius_arcsec <= 180 * 3600:
        raise UsageError(f"radius_arcsec is {radius_arcsec}: give an angle between 0 and 180 degrees")
    ra, dec = normalised(ra, dec)
    if len(ra) == 0:
        return np.empty(0, np.int64)
    # Sky order: equal positions are adjacent and count once, friends are near each other in memory, and the
    # lowest label of a group is its lowest member.
    order = np.lexsort((dec, ra, healpix29(ra, dec)))
    ra, dec = ra[order], dec[order]
    first = np.concatenate([[True], (np.diff(ra) != 0) | (np.diff(dec) != 0)])
    label = _link(ra[first], dec[first], radius_arcsec)
    number = np.cumsum(label == np.arange(len(label))) - 1
    group = np.empty(len(order), np.int64)
    group[order] = number[label][np.cumsum(first) - 1]
    return group


def _link(ra: NDArray[np.float64], dec: NDArray[np.float64], radius_arcsec: float) -> NDArray[np.int64]:
    """Label of each position: the lowest index of its group."""
    label = np.arange(len(ra))
    vectors = unit_vectors(ra, dec)
    chord = _chord(radius_arcsec)
    if chord / 2 > _MIN_EDGE:
        # A cube of half the chord is narrower than the radius: all in it are friends without looking, which
        # spares the n^2 pairs of a dense clump most of their separations.
        key, _ = _cubes(vectors, chord / 2)
        order = np.argsort(key, kind="stable")
        same = np.diff(key[order]) == 0
        label = _merge(label, order[1:][same], order[:-1][same])
    for i, j in _candidates(vectors, chord):
        open_ = label[i] != label[j]
        i, j = i[open_], j[open_]
        near = separation_arcsec(ra[i], dec[i], ra[j], dec[j]) <= radius_arcsec
        label = _merge(label, i[near], j[near])
    return label


def _merge(label: NDArray[np.int64], i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join the groups of i and j: hook higher roots to lower ones, then let every label jump to its root."""
    a, b = label[i], label[j]
    while (differ := a != b).any():
        a, b = a[differ], b[differ]
        np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))
        while (label != (up := label[label])).any():
            label = up
        a, b = label[a], label[b]
    return label


def _chord(radius_arcsec: float) -> float:
    return float(2 * np.sin(np.radians(radius_arcsec / 3600) / 2))


def _cubes(vectors: NDArray[np.float64], edge: float) -> tuple[NDArray[np.int64], int]:
    """Give each vector its cube's number, and the cubes along an axis; an empty rim keeps rows apart."""
    across = int(2 / edge) + 4
    cell = np.floor((vectors + 1) / edge).astype(np.int64) + 1
    return (cell[:, 0] * across + cell[:, 1]) * across + cell[:, 2], across


def _candidates(
    vectors: NDArray[np.float64], chord: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs (i, j) from neighbouring cubes, each once: a superset of those within the chord."""
    # A little wider than the chord, so that rounding of a vector loses no pair.
    key, across = _cubes(vectors, max(chord * (1 + 1e-6) + 1e-12, _MIN_EDGE))
    order = np.argsort(key, kind="stable")
    key = key[order]
    for dx, dy in _HALF_PLANE:
        middle = key + (dx * across + dy) * across
        stop = np.searchsorted(key, middle + 1, side="right")
        if (dx, dy) == (0, 0):
            start = np.arange(1, len(key) + 1)
        else:
            start = np.searchsorted(key, middle - 1, side="left")
        for row, other in _expand(start, stop):
            yield order[row], order[other]


def _expand(
    start: NDArray[np.int64], stop: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Write out ranges, row k with each of start[k], ..., stop[k] - 1, some pairs at a time."""
    rows = np.flatnonzero(stop > start)
    count = (stop - start)[rows]
    total = np.cumsum(count)
    while len(rows):
        n = max(1, int(np.searchsorted(total, total[0] - count[0] + _PAIRS_AT_ONCE, side="right")))
        sizes, row = count[:n], np.repeat(rows[:n], count[:n])
        offset = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        yield row, start[row] + offset
        rows, count, total = rows[n:], count[n:], total[n:]
