"""Places and velocities in the Galaxy, from what is measured at the Sun."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError

__all__ = [
    "FRAME_VERSION", "GalacticFrame", "PhaseSpace", "Sight", "galactic_frame", "galactocentric_velocity",
    "phase_space", "sight_lines",
]  # fmt: skip

Floats = NDArray[np.float64]

FRAME_VERSION = "v4.0"
"""Which of astropy's sets of constants: the Sun 8.122 kpc from the centre and 20.8 pc above the plane, moving
at (12.9, 245.6, 7.78) km/s."""


@dataclass(frozen=True, eq=False)
class GalacticFrame:
    """Astropy's ``Galactocentric`` as numbers: the Sun is at negative x, the Galaxy turns towards positive y.

    Parameters
    ----------
    axes : ndarray of float64, shape (3, 3)
        Turns ICRS vectors into the frame.
    sun_place : ndarray of float64, shape (3,)
        kpc.
    sun_velocity : ndarray of float64, shape (3,)
        km/s.
    per_mas : float
        Velocity of 1 mas/yr at 1 kpc, km/s.
    """

    axes: Floats
    sun_place: Floats
    sun_velocity: Floats
    per_mas: float


@lru_cache(maxsize=1)
def galactic_frame() -> GalacticFrame:
    """Read the frame's constants from astropy, whatever defaults the user has set there."""
    import astropy.units as u
    from astropy import coordinates as c

    constants = c.galactocentric_frame_defaults.get_from_registry(FRAME_VERSION)["parameters"]
    # Astropy's transformation is affine: it is known by what becomes of the Sun and of the unit vectors.
    speeds = c.CartesianDifferential(np.vstack([np.zeros(3), np.eye(3)]).T * u.km / u.s)
    still = c.CartesianRepresentation(np.zeros((3, 4)) * u.kpc, differentials=speeds)
    moved = c.ICRS(still).transform_to(c.Galactocentric(**constants)).cartesian
    velocity = moved.differentials["s"].d_xyz.to_value(u.km / u.s)
    return GalacticFrame(
        axes=velocity[:, 1:] - velocity[:, :1],
        sun_place=moved.xyz.to_value(u.kpc)[:, 0],
        sun_velocity=velocity[:, 0],
        per_mas=float((u.mas / u.yr * u.kpc).to(u.km / u.s, equivalencies=u.dimensionless_angles())),
    )


class Sight(NamedTuple):
    """What a star's direction alone tells: with it speeds and places are a few products.

    Arrays of shape (n,), or (n, 1) for draws of shape (n, draws).

    Parameters
    ----------
    out, east, north : ndarray of float64
        The Sun's velocity along the three directions of the measured motions, km/s.
    towards : ndarray of float64
        Twice the Sun's place (kpc from the Galactic centre) along the direction outwards.
    up : ndarray of float64
        Height gained per distance.
    """

    out: Floats
    east: Floats
    north: Floats
    towards: Floats
    up: Floats

    def columns(self) -> Sight:
        """The same of shape (n, 1), for arrays of draws of shape (n, draws)."""
        return Sight(*(part[:, None] for part in self))

    def speed_squared(self, distance: Floats, pmra: Floats, pmdec: Floats, rv: Floats) -> Floats:
        """Square of the Galactocentric speed, (km/s)^2, for kpc, mas/yr and km/s.

        A rotation keeps lengths, so the velocity need not be turned into the Galaxy's axes.
        """
        reach = galactic_frame().per_mas * distance
        total = np.square(rv + self.out)
        total += np.square(reach * pmra + self.east)
        total += np.square(reach * pmdec + self.north)
        return total

    def place(self, distance: Floats) -> tuple[Floats, Floats]:
        """Distance from the Galactic centre and height above the plane, kpc, at a distance in kpc."""
        sun = galactic_frame().sun_place
        square = distance * (distance + self.towards) + float(sun @ sun)
        return np.sqrt(np.maximum(square, 0.0)), distance * self.up + float(sun[2])


def sight_lines(ra: Floats, dec: Floats) -> Sight:
    """What directions tell; see `Sight`.

    Parameters
    ----------
    ra, dec : ndarray of float64, shape (n,)
        ICRS, degrees.
    """
    frame, directions = galactic_frame(), _directions(ra, dec)
    out, east, north = (_along(one, frame.sun_velocity) for one in directions)
    return Sight(out, east, north, 2.0 * _along(directions[0], frame.sun_place), directions[0][2])


def _directions(ra: Floats, dec: Floats) -> tuple[Floats, Floats, Floats]:
    """Unit vectors outwards, east and north, in the Galaxy's axes; each of shape (3, n)."""
    lon, lat = np.radians(ra), np.radians(dec)
    sin_lon, cos_lon, sin_lat, cos_lat = np.sin(lon), np.cos(lon), np.sin(lat), np.cos(lat)
    out = np.stack([cos_lat * cos_lon, cos_lat * sin_lon, sin_lat])
    east = np.stack([-sin_lon, cos_lon, np.zeros_like(lon)])
    north = np.stack([-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat])
    axes = galactic_frame().axes
    turned = (np.stack([_along(one, axis) for axis in axes]) for one in (out, east, north))
    return next(turned), next(turned), next(turned)


def _along(vectors: Floats, direction: Floats) -> Floats:
    """Scalar products, written out: by matrix products they would depend on how many stars there are."""
    return vectors[0] * direction[0] + vectors[1] * direction[1] + vectors[2] * direction[2]


class PhaseSpace(NamedTuple):
    """Places and velocities in the Galaxy; arrays of shape (n,), NaN where something is unknown.

    Parameters
    ----------
    x, y, z : ndarray of float64
        kpc; the Sun is at (-8.122, 0, 0.0208).
    v_x, v_y, v_z : ndarray of float64
        km/s, relative to the Galactic centre: the paper's U, V, W.
    r_cyl, r_gc : ndarray of float64
        Distance from the Galaxy's axis, and from its centre, kpc.
    v_gc : ndarray of float64
        Speed, km/s.
    v_r_gsr : ndarray of float64
        Radial velocity freed from the Sun's motion, km/s; known without distance and proper motion, and never
        larger than `v_gc`.
    """

    x: Floats
    y: Floats
    z: Floats
    v_x: Floats
    v_y: Floats
    v_z: Floats
    r_cyl: Floats
    r_gc: Floats
    v_gc: Floats
    v_r_gsr: Floats


def phase_space(
    ra: ArrayLike, dec: ArrayLike, distance: ArrayLike, pmra: ArrayLike, pmdec: ArrayLike, rv: ArrayLike
) -> PhaseSpace:
    """Places and velocities in astropy's ``Galactocentric`` frame with its constants called v4.0.

    The user's ``galactocentric_frame_defaults`` are neither used nor changed.

    Parameters
    ----------
    ra, dec : array_like of float, shape (n,)
        ICRS, degrees.
    distance : array_like of float, shape (n,)
        From the Sun, pc; what is not positive counts as unknown.
    pmra, pmdec : array_like of float, shape (n,)
        Proper motions, mas/yr; `pmra` with the factor cos(dec), as Gaia gives it.
    rv : array_like of float, shape (n,)
        Radial velocity relative to the Sun, km/s.

    Returns
    -------
    PhaseSpace
        A place is known without velocities; `v_r_gsr` without distances.

    Raises
    ------
    UsageError
        When the arguments are not one-dimensional and of one length.

    References
    ----------
    LK-MRS-I, section 4.2.
    """
    lon, lat, kpc, east, north, out = _checked(ra, dec, distance, pmra, pmdec, rv)
    frame, directions = galactic_frame(), _directions(lon, lat)
    x, y, z = directions[0] * kpc + frame.sun_place[:, None]
    reach = frame.per_mas * kpc
    parts = zip((out, reach * east, reach * north), directions, strict=True)
    v_x, v_y, v_z = sum((part * way for part, way in parts), frame.sun_velocity[:, None])
    r_cyl, v_r_gsr = np.hypot(x, y), out + _along(directions[0], frame.sun_velocity)
    speed = np.sqrt(v_x**2 + v_y**2 + v_z**2)
    return PhaseSpace(x, y, z, v_x, v_y, v_z, r_cyl, np.hypot(r_cyl, z), speed, v_r_gsr)


def galactocentric_velocity(
    ra: ArrayLike, dec: ArrayLike, distance: ArrayLike, pmra: ArrayLike, pmdec: ArrayLike, rv: ArrayLike
) -> Floats:
    """Speed relative to the Galactic centre, in astropy's frame v4.0.

    Parameters
    ----------
    ra, dec : array_like of float, shape (n,)
        ICRS, degrees.
    distance : array_like of float, shape (n,)
        From the Sun, pc; what is not positive counts as unknown.
    pmra, pmdec : array_like of float, shape (n,)
        Proper motions, mas/yr; `pmra` with the factor cos(dec), as Gaia gives it.
    rv : array_like of float, shape (n,)
        Radial velocity relative to the Sun, km/s.

    Returns
    -------
    ndarray of float64, shape (n,)
        V_GC, km/s; NaN where an argument is unknown.

    Raises
    ------
    UsageError
        When the arguments are not one-dimensional and of one length.

    References
    ----------
    LK-MRS-I, section 4.2.

    Examples
    --------
    A star at rest relative to the Sun moves as the Sun does:

    >>> galactocentric_velocity([10.0], [20.0], [500.0], [0.0], [0.0], [0.0]).round(2).tolist()
    [246.06]
    """
    lon, lat, kpc, east, north, out = _checked(ra, dec, distance, pmra, pmdec, rv)
    return np.sqrt(sight_lines(lon, lat).speed_squared(kpc, east, north, out))


def _checked(*arguments: ArrayLike) -> tuple[Floats, ...]:
    """Arrays of native float64, NaN for what makes no sense, with the distance in kpc."""
    names = ("ra", "dec", "distance", "pmra", "pmdec", "rv")
    arrays = [np.array(one, dtype=np.float64) for one in arguments]
    if any(one.ndim != 1 or len(one) != len(arrays[0]) for one in arrays):
        shapes = ", ".join(f"{name} {one.shape}" for name, one in zip(names, arrays, strict=True))
        raise UsageError(f"arguments must be one-dimensional and of one length, not {shapes}")
    for one in arrays:
        one[~np.isfinite(one)] = np.nan
    arrays[1][np.abs(arrays[1]) > 90.0] = np.nan
    arrays[2][arrays[2] <= 0.0] = np.nan
    arrays[2] /= 1000.0
    return tuple(arrays)
