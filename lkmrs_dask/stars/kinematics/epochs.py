"""Galactocentric speeds of single epochs, for stars whose radial velocity varies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.kinematics.frame import galactocentric_velocity

__all__ = ["EpochSpeeds", "Epochs", "epoch_speeds"]

Floats = NDArray[np.float64]


class Epochs(NamedTuple):
    """Radial velocities of single epochs.

    Parameters
    ----------
    rv : ndarray of float64, shape (m,)
        km/s, NaN for none; rows of a star together, stars in the order of their table.
    first : ndarray of int64, shape (n,)
        First row of each star; every star has at least one row, be it without a velocity.
    variable : ndarray of bool, shape (n,)
        Stars whose velocity varies; only they can be unbound by their epochs.
    """

    rv: Floats
    first: NDArray[np.int64]
    variable: NDArray[np.bool_]


class EpochSpeeds(NamedTuple):
    """Speeds of single epochs.

    Parameters
    ----------
    v_gc : ndarray of float64, shape (m,)
        km/s, NaN where anything is unknown.
    n : ndarray of int64, shape (n,)
        Epochs of each star with a speed.
    largest : ndarray of float64, shape (n,)
        Largest speed of each star, NaN for none.
    share_beyond : ndarray of float64, shape (n,)
        Share of its epochs with a speed that are faster than the escape speed, NaN for none.
    variable : ndarray of bool, shape (n,)
        As it was given.
    """

    v_gc: Floats
    n: NDArray[np.int64]
    largest: Floats
    share_beyond: Floats
    variable: NDArray[np.bool_]


def epoch_speeds(
    ra: ArrayLike,
    dec: ArrayLike,
    distance: ArrayLike,
    pmra: ArrayLike,
    pmdec: ArrayLike,
    epochs: Epochs,
    v_esc: ArrayLike,
) -> EpochSpeeds:
    """Speeds of stars at single epochs: only the radial velocity differs from one to the next.

    What an epoch adds is the motion in an orbit or a pulsation, with which no star leaves the Galaxy; the
    paper's Fig. 8 shows such speeds for KIC 7881304.

    Parameters
    ----------
    ra, dec : array_like of float, shape (n,)
        Degrees.
    distance : array_like of float, shape (n,)
        pc, NaN for stars that shall have no speed.
    pmra, pmdec : array_like of float, shape (n,)
        mas/yr, `pmra` with cos(dec).
    epochs : Epochs
        Radial velocities.
    v_esc : array_like of float, shape (n,)
        Escape speed at each star's place, km/s.

    Returns
    -------
    EpochSpeeds

    Raises
    ------
    UsageError
        When the epochs do not fit the stars.
    """
    given = (ra, dec, distance, pmra, pmdec)
    lon, lat, far, east, north = (np.asarray(one, np.float64) for one in given)
    escape = np.asarray(v_esc, np.float64)
    rv, first = np.asarray(epochs.rv, np.float64), np.asarray(epochs.first)
    lengths = np.diff(np.append(first, len(rv)))
    stars = len(lon)
    if not len(first) == len(epochs.variable) == stars or (lengths < 1).any() or (stars and first[0] != 0):
        raise UsageError(
            f"epochs must have rows for each of {stars} stars, in their order: there are {len(rv)} rows, "
            f"{len(first)} starts and {len(epochs.variable)} marks of variable stars"
        )
    if not stars:
        none = np.empty(0)
        return EpochSpeeds(none, np.empty(0, np.int64), none, none, np.empty(0, bool))
    lon, lat, far, east, north = (np.repeat(one, lengths) for one in (lon, lat, far, east, north))
    speed = galactocentric_velocity(lon, lat, far, east, north, rv)
    known = np.isfinite(speed)
    n = np.add.reduceat(known, first, dtype=np.int64)
    # "fmax" takes a number rather than NaN.
    largest = np.fmax.reduceat(speed, first)
    beyond = np.add.reduceat(speed > np.repeat(escape, lengths), first, dtype=np.float64)
    share = np.divide(beyond, n, out=np.full(stars, np.nan), where=n > 0)
    return EpochSpeeds(speed, n, largest, share, np.asarray(epochs.variable, bool))
