"""Times at the solar system's barycentre, for orbits: independent of the readers, whose times it can test."""

from __future__ import annotations

import erfa
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.sky.index import unit_vectors

__all__ = ["barycentric_mjd"]

# Since 2017: 37 leap seconds, and TT - TAI.  TDB is within 2 ms of TT.
_TDB_UTC = (37.0 + 32.184) / 86400.0
_LIGHT_DAY_AU = 173.1446326846693


def barycentric_mjd(mjd: ArrayLike, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.float64]:
    """BJD_TDB - 2400000.5 of times at the centre of the Earth.

    The observatory is up to 21 ms nearer to the star or further away than that.

    Parameters
    ----------
    mjd : array_like of float, shape (m,)
        UTC, 2017 or later.
    ra, dec : array_like of float, shape (n,)
        Directions, deg.

    Returns
    -------
    ndarray of float64, shape (n, m)
        Days.
    """
    tdb = np.atleast_1d(np.asarray(mjd, dtype=np.float64)) + _TDB_UTC
    _, earth = erfa.epv00(2400000.5, tdb)
    towards = unit_vectors(np.atleast_1d(ra), np.atleast_1d(dec))
    return tdb + towards @ earth["p"].T / _LIGHT_DAY_AU
