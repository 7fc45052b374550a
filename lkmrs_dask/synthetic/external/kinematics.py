"""True space motions by Galactic component, with a known number of high-velocity stars.

Velocities are drawn in the Galaxy's frame and seen from the Sun.  The frame is astropy's ``Galactocentric``
with the defaults called v4.0; it is spelt out here, vectorised, since a survey needs it for every star.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.sky.index import unit_vectors
from lkmrs_dask.synthetic.counters import Draws, Purpose

__all__ = [
    "BOUND_RANGE", "ORDINARY_LIMIT", "RV_RANGE", "UNBOUND_RANGE", "escape_speed", "from_velocity",
    "position_kpc", "space_motions", "space_velocity",
]  # fmt: skip

Floats = NDArray[np.float64]

ORDINARY_LIMIT = 0.62
"""Speed that no ordinary star exceeds, in units of the escape speed."""

BOUND_RANGE = (0.77, 0.90)
"""Speeds of bound high-velocity stars: away from the limits, 0.7 and 1, by more than errors of distance."""

UNBOUND_RANGE = (1.15, 1.30)
"""Speeds of unbound high-velocity stars."""

RV_RANGE = (-255.0, 345.0)
"""Radial velocities (km/s) of all stars: section 4.2 gives -260 to 350."""

_KM_S = 4.740470463533349  # of 1 mas/yr at 1 kpc

# The frame, Galactocentric v4.0.
_CENTRE = (266.4051, -28.936175)  # ICRS, deg
_ROLL = 58.5986320306  # deg: makes the plane horizontal
_SUN_R, _SUN_Z = 8.122, 0.0208  # kpc
_SUN_VELOCITY = np.array([12.9, 245.6, 7.78])  # km/s

# MWPotential2014: shares of the circular speed's square at 8 kpc, and lengths in kpc.
_RO, _VO = 8.0, 220.0
_DISC_A, _DISC_B, _HALO_A = 3.0, 0.28, 16.0
_BULGE, _DISC, _HALO = 0.05, 0.60, 0.35

# Mean rotation and dispersions (R, phi, z) in km/s of thin disc, thick disc and halo: round textbook values.
_ROTATION = np.array([222.0, 183.0, 35.0])
_DISPERSION = np.array([[35.0, 22.0, 17.0], [62.0, 42.0, 38.0], [130.0, 90.0, 88.0]])
_THICK_SHARE = 0.12
_ATTEMPTS = 24
_DISTANCE_ERROR = 0.02  # per kpc: what Gaia's parallaxes of these stars leave open


def _turn(degrees: float, axis: int) -> Floats:
    """Matrix that turns the frame about an axis."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.eye(3)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = sine, -sine
    return matrix


_TILT = _turn(-math.degrees(math.asin(_SUN_Z / _SUN_R)), 1)
_TO_CENTRE = _TILT @ _turn(_ROLL, 0) @ _turn(-_CENTRE[1], 1) @ _turn(_CENTRE[0], 2)
_SUN = _TILT @ np.array([-_SUN_R, 0.0, 0.0])


def position_kpc(ra: Floats, dec: Floats, distance: Floats) -> Floats:
    """Position in the Galaxy.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Degrees.
    distance : ndarray of float64, shape (n,)
        From the Sun, pc.

    Returns
    -------
    ndarray of float64, shape (n, 3)
        x, y, z from the Galactic centre, kpc; the Sun is at negative x.
    """
    return unit_vectors(ra, dec) * (np.asarray(distance)[:, None] / 1000.0) @ _TO_CENTRE.T + _SUN


def _axes(ra: Floats, dec: Floats) -> Floats:
    """Unit vectors outwards, east and north, in the Galaxy's frame: shape (n, 3, 3)."""
    lon, lat = np.radians(np.asarray(ra)), np.radians(np.asarray(dec))
    zero = np.zeros_like(lon)
    east = np.stack([-np.sin(lon), np.cos(lon), zero], axis=-1)
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=-1)
    return np.stack([unit_vectors(ra, dec), east, north], axis=1) @ _TO_CENTRE.T


def space_velocity(
    ra: Floats, dec: Floats, distance: Floats, pmra: Floats, pmdec: Floats, rv: Floats
) -> Floats:
    """Galactocentric velocity of measured motions.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        Degrees.
    distance : ndarray of float64, shape (n,)
        pc.
    pmra, pmdec : ndarray of float64, shape (n,)
        mas/yr, `pmra` with cos dec.
    rv : ndarray of float64, shape (n,)
        km/s, relative to the Sun.

    Returns
    -------
    ndarray of float64, shape (n, 3)
        km/s.
    """
    per_mas = _KM_S * np.asarray(distance) / 1000.0
    seen = np.stack([np.asarray(rv), per_mas * pmra, per_mas * pmdec], axis=-1)
    return np.einsum("ni,nij->nj", seen, _axes(ra, dec)) + _SUN_VELOCITY


def from_velocity(
    ra: Floats, dec: Floats, distance: Floats, velocity: Floats
) -> tuple[Floats, Floats, Floats]:
    """Invert `space_velocity`: `pmra` and `pmdec` (mas/yr, with cos dec) and `rv` (km/s)."""
    seen = np.einsum("nj,nij->ni", velocity - _SUN_VELOCITY, _axes(ra, dec))
    per_mas = _KM_S * np.asarray(distance) / 1000.0
    return seen[:, 1] / per_mas, seen[:, 2] / per_mas, seen[:, 0]


def escape_speed(radius: ArrayLike, height: ArrayLike = 0.0) -> Floats:
    r"""Escape speed in galpy's ``MWPotential2014`` (8 kpc, 220 km/s).

    .. math:: v_{esc} = \sqrt{2\,[\Phi(\infty) - \Phi(R, z)]}

    Parameters
    ----------
    radius, height : array_like of float
        Cylindrical R and z, kpc.  The bulge, cut off at 1.9 kpc, counts as a point, which adds less than
        0.1 km/s from 5 kpc on.

    Returns
    -------
    ndarray of float64
        km/s.

    References
    ----------
    Bovy 2015, ApJS 216, 29, Table 1.
    """
    big_r, z = np.asarray(radius, np.float64), np.asarray(height, np.float64)
    r = np.hypot(big_r, z)
    bulge = _BULGE * _RO / r
    reach = _DISC_A + _DISC_B
    disc = _DISC * (_RO**2 + reach**2) ** 1.5 / _RO**2
    disc = disc / np.sqrt(big_r**2 + (_DISC_A + np.sqrt(z**2 + _DISC_B**2)) ** 2)
    inside = np.log1p(_RO / _HALO_A) - _RO / (_RO + _HALO_A)
    halo = _HALO * _RO / inside * np.log1p(r / _HALO_A) / r
    return np.asarray(np.sqrt(2.0 * _VO**2 * (bulge + disc + halo)))


def space_motions(
    draws: Draws,
    number: NDArray[np.int64],
    ra: Floats,
    dec: Floats,
    distance: Floats,
    halo: NDArray[np.bool_],
    high_velocity: NDArray[np.int8],
) -> tuple[Floats, Floats, Floats]:
    """Draw true space motions.

    Parameters
    ----------
    draws : Draws
        Random numbers, addressed by star: a star's motion does not depend on the others.
    number : ndarray of int64, shape (n,)
        Addresses of the stars.
    ra, dec : ndarray of float64, shape (n,)
        Degrees.
    distance : ndarray of float64, shape (n,)
        pc.
    halo : ndarray of bool, shape (n,)
        Stars of the halo; the others are of the thin or, 12 % of them, of the thick disc.
    high_velocity : ndarray of int8, shape (n,)
        0 for ordinary stars, 1 for bound and 2 for unbound high-velocity stars.

    Returns
    -------
    pmra, pmdec : ndarray of float64, shape (n,)
        Proper motions, mas/yr, `pmra` with cos dec.
    rv : ndarray of float64, shape (n,)
        Radial velocities relative to the Sun, km/s, within `RV_RANGE`.

    Notes
    -----
    Limits of the speed hold for the escape speed at the star's own (R, z), and in the plane at its R or at
    its distance r from the centre: readers of the paper may take any of them.  The limit of ordinary stars
    falls with distance, by 2 % per kpc, lest errors of parallaxes lift them over 0.7.
    """
    place = position_kpc(ra, dec, distance)
    big_r, z = np.hypot(place[:, 0], place[:, 1]), place[:, 2]
    ways = np.stack([escape_speed(big_r, z), escape_speed(big_r), escape_speed(np.hypot(big_r, z))])
    least, most = ways.min(axis=0), ways.max(axis=0)
    limit = ORDINARY_LIMIT * least / (1.0 + _DISTANCE_ERROR * np.asarray(distance) / 1000.0)
    fast = np.asarray(high_velocity)
    thick = draws.uniform(Purpose.SPACE_COMPONENT, number) < _THICK_SHARE
    kind = np.where(halo | (fast > 0), 2, thick)
    low, high = (np.choose(fast, [0.0, BOUND_RANGE[at], UNBOUND_RANGE[at]]) for at in (0, 1))
    # Of the two ends of a range each is taken where it is the narrower one.
    share = draws.uniform(Purpose.SPACE_SPEED, number)
    wanted = low * most + share * np.maximum(high * least - low * most, 0.0)

    # What is left when no attempt succeeds: a star that goes with the Sun, slower where it must be.
    slow = np.minimum(1.0, 0.99 * limit / np.linalg.norm(_SUN_VELOCITY))
    velocity = slow[:, None] * _SUN_VELOCITY
    sight = _axes(ra, dec)[:, 0]
    pending = np.arange(len(number))
    for attempt in range(_ATTEMPTS):
        tried = _drawn(draws, number[pending], attempt, place[pending], kind[pending])
        speed = np.linalg.norm(tried, axis=1)
        hurried = fast[pending] > 0
        tried = np.where(hurried[:, None], tried * (wanted[pending] / speed)[:, None], tried)
        rv = np.einsum("nj,nj->n", tried - _SUN_VELOCITY, sight[pending])
        good = (rv > RV_RANGE[0]) & (rv < RV_RANGE[1]) & (hurried | (speed < limit[pending]))
        # The last attempt at a high velocity stands: only its direction, so its RV, may be amiss.
        good |= hurried & (attempt == _ATTEMPTS - 1)
        velocity[pending[good]] = tried[good]
        pending = pending[~good]
        if not len(pending):
            break
    return from_velocity(ra, dec, distance, velocity)


def _drawn(draws: Draws, number: NDArray[np.int64], attempt: int, place: Floats, kind: NDArray) -> Floats:
    """Velocities (km/s) at one attempt, in the Galaxy's frame."""
    noise = np.stack(
        [
            draws.normal(purpose, number, attempt)
            for purpose in (Purpose.SPACE_OUT, Purpose.SPACE_ROTATION, Purpose.SPACE_UP)
        ],
        axis=-1,
    )
    local = noise * _DISPERSION[kind]
    local[:, 1] += _ROTATION[kind]
    big_r = np.hypot(place[:, 0], place[:, 1])
    cosine, sine = place[:, 0] / big_r, place[:, 1] / big_r
    # The Galaxy turns from positive to negative azimuth: at the Sun, at negative x, towards positive y.
    return np.stack(
        [local[:, 0] * cosine + local[:, 1] * sine, local[:, 0] * sine - local[:, 1] * cosine, local[:, 2]],
        axis=-1,
    )
