"""The order-29 HEALPix index that rows are sorted by, and the geometry of its coarser pixels.

A pixel of order k holds the order-29 indices ``[pixel << s, (pixel + 1) << s)`` with ``s = 2 * (29 - k)``
(nested scheme), so a partition is a range of the index and a parent is a shift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.sky import healpix

__all__ = [
    "INDEX_ORDER",
    "N_INDEX",
    "healpix29",
    "index_range",
    "neighbours",
    "parent",
    "pixel_centre",
    "pixel_radius_deg",
    "separation_arcsec",
    "unit_vectors",
]

INDEX_ORDER = 29
N_INDEX = 12 << (2 * INDEX_ORDER)
"""Number of order-29 pixels; one more than the largest index."""


def healpix29(ra: ArrayLike, dec: ArrayLike) -> NDArray[np.int64]:
    """Order-29 nested HEALPix pixel of positions.

    Parameters
    ----------
    ra, dec : array_like of float
        Degrees; `ra` of any turn, `dec` within [-90, 90].

    Returns
    -------
    ndarray of int64
        Of the broadcast shape of the arguments.

    Raises
    ------
    ValueError
        For a declination outside [-90, 90] or a value that is not finite.

    Notes
    -----
    Rounding decides where a point lies that is exactly on the border of two pixels; other HEALPix libraries
    may then name the other one.  Everywhere else they agree.
    """
    ra = np.asarray(ra, dtype=np.float64)
    dec = np.asarray(dec, dtype=np.float64)
    # healpy lets a little more than -90 pass, and any RA.
    if not (np.isfinite(ra).all() and (np.abs(dec) <= 90.0).all()):
        raise ValueError("positions must be finite, with declinations within [-90, 90] deg")
    return np.asarray(
        healpix.ang2pix(1 << INDEX_ORDER, ra, dec, nest=True, lonlat=True),
        dtype=np.int64,
    )


def parent(index: ArrayLike, order: int | NDArray[np.integer]) -> NDArray[np.int64]:
    """Pixel of `order` that contains each order-29 index."""
    shift = 2 * (INDEX_ORDER - np.asarray(order, dtype=np.int64))
    return np.asarray(index, dtype=np.int64) >> shift


def index_range(order: ArrayLike, pixel: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First order-29 index of each pixel and the first one behind it."""
    shift = 2 * (INDEX_ORDER - np.asarray(order, dtype=np.int64))
    pixel = np.asarray(pixel, dtype=np.int64)
    return pixel << shift, (pixel + 1) << shift


def neighbours(order: int, pixel: ArrayLike) -> NDArray[np.int64]:
    """Pixels that touch the given ones, sorted, without the given ones themselves.

    Parameters
    ----------
    order : int
        HEALPix order of all of them.
    pixel : array_like of int
        Nested pixel numbers.

    Returns
    -------
    ndarray of int64
    """
    pixel = np.atleast_1d(np.asarray(pixel, dtype=np.int64))
    if pixel.size == 0:
        return pixel
    around = healpix.pixels_around(order, pixel)
    return np.setdiff1d(around[around >= 0], pixel)


def pixel_centre(order: int, pixel: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right ascension and declination (deg) of pixel centres."""
    return healpix.pixel_centres(order, np.asarray(pixel, dtype=np.int64))


def pixel_radius_deg(order: int) -> float:
    """Largest distance (deg) of a point of a pixel of this order from the pixel's centre."""
    return healpix.largest_radius(order)


def unit_vectors(ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
    """Cartesian unit vectors of positions in degrees, shape ``(..., 3)``."""
    lon = np.radians(np.asarray(ra, dtype=np.float64))
    lat = np.radians(np.asarray(dec, dtype=np.float64))
    cos_lat = np.cos(lat)
    return np.stack([cos_lat * np.cos(lon), cos_lat * np.sin(lon), np.sin(lat)], axis=-1)


def separation_arcsec(
    ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike
) -> NDArray[np.float64]:
    """Great-circle separation in arcsec, of broadcast arguments in degrees.

    The haversine form keeps full precision at small angles; antipodes lose some (1e-8 relative), which no
    cross-match asks for.
    """
    lon1, lat1 = np.radians(np.asarray(ra1, np.float64)), np.radians(np.asarray(dec1, np.float64))
    lon2, lat2 = np.radians(np.asarray(ra2, np.float64)), np.radians(np.asarray(dec2, np.float64))
    half = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))) * 3600.0
