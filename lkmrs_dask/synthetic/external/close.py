"""Sources that are close to others, found through HEALPix pixels: no pair is missed, none is tried twice."""

from __future__ import annotations

import healpy
import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.sky.index import healpix29, parent, separation_arcsec

__all__ = ["GUARD_ARCSEC", "close_pairs", "near_another", "near_any"]

GUARD_ARCSEC = 6.5
"""Radius around a star without unrelated sources: a match radius of 3.7 arcsec, and errors."""

_ORDER = 14  # pixels of 13 arcsec: the narrowest of them and their neighbours cover the guard radius

Floats = NDArray[np.float64]


def _around(ra: Floats, dec: Floats) -> NDArray[np.int64]:
    """Pixel of each position and the eight around it, shape (9, n); -1 where there is none."""
    pixel = parent(healpix29(ra, dec), _ORDER)
    return np.vstack([pixel[None], healpy.get_all_neighbours(1 << _ORDER, pixel, nest=True)])


def near_any(ra: Floats, dec: Floats, star_ra: Floats, star_dec: Floats) -> NDArray[np.bool_]:
    """Whether a star may be within `GUARD_ARCSEC`; true for all that are and for some that are farther.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Positions to test, deg.
    star_ra, star_dec : ndarray of float64, shape (m,)
        Stars, deg.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    taken = np.unique(_around(star_ra, star_dec))
    pixel = parent(healpix29(ra, dec), _ORDER)
    place = np.minimum(np.searchsorted(taken, pixel), len(taken) - 1)
    return taken[place] == pixel if len(taken) else np.zeros(len(ra), dtype=bool)


def close_pairs(ra: Floats, dec: Floats) -> NDArray[np.int64]:
    """Pairs of positions within `GUARD_ARCSEC` of each other.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Degrees.

    Returns
    -------
    ndarray of int64, shape (m, 2)
        Indices of the two, each pair in both orders.
    """
    pixel = parent(healpix29(ra, dec), _ORDER)
    order = np.argsort(pixel, kind="stable")
    ordered = pixel[order]
    around = _around(ra, dec)
    first = np.searchsorted(ordered, around, side="left").ravel()
    count = np.searchsorted(ordered, around, side="right").ravel() - first
    one = np.repeat(np.tile(np.arange(len(ra)), 9), count)
    # Places first, first + 1, ... of each run.
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    two = order[np.repeat(first, count) + within]
    pairs = np.stack([one, two], axis=1)[one != two]
    near = separation_arcsec(ra[pairs[:, 0]], dec[pairs[:, 0]], ra[pairs[:, 1]], dec[pairs[:, 1]])
    return pairs[near < GUARD_ARCSEC]


def near_another(
    ra: Floats, dec: Floats, own: NDArray[np.int64], star_ra: Floats, star_dec: Floats
) -> NDArray[np.bool_]:
    """Whether a star other than its own is within `GUARD_ARCSEC` of a position.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Positions, deg.
    own : ndarray of int64, shape (n,)
        Index of the star that each belongs to.
    star_ra, star_dec : ndarray of float64, shape (m,)
        Stars, deg.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    n = len(ra)
    one, two = close_pairs(np.concatenate([ra, star_ra]), np.concatenate([dec, star_dec])).T
    with_star = (one < n) & (two >= n)
    one, star = one[with_star], two[with_star] - n
    result = np.zeros(n, dtype=bool)
    result[one[star != own[one]]] = True
    return result
