"""Stars with known parameters, orbits and identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.sky.index import healpix29, parent
from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.external.kinematics import space_motions
from lkmrs_dask.synthetic.htm import htm_id
from lkmrs_dask.synthetic.luminosity import absolute_magnitude
from lkmrs_dask.synthetic.orbit import Orbit
from lkmrs_dask.synthetic.plan import Plan

__all__ = [
    "FIELD_RADIUS",
    "HALO_FEH",
    "MAGNITUDES",
    "Stars",
    "alpha_of",
    "distinct",
    "faintness",
    "make_stars",
    "moved",
    "offset_position",
    "with_motions",
]

FIELD_RADIUS = 2.49
"""Radius (deg) in which stars lie: a plate's 2.5, less what positions scatter."""

MAGNITUDES = (9.0, 15.0)
"""Gaia G of the brightest and the faintest target (section 2.1 gives the limit)."""

HALO_FEH = -1.0
"""Stars with less [Fe/H] move as the halo does."""

_HOT = 0.05  # share of stars that are too hot for LASP
_GIANTS = 7_560 / 36_574  # of the others, the share of giants: section 3.3, whose two numbers are swapped
_COPY = 28  # bits below the number of a copy, in identifiers
_FIRST_COPY = 1 << 44  # uids of copies begin here: trixels, the uids of the survey itself, are below
_GAIA_COPY = 0x61C8865  # odd: what sets the identifiers of two copies of a star apart
_GAIA_STEP = 128  # identifiers of Gaia's releases are multiples of it
_GAIA_LEVEL = 12  # their first bits are a HEALPix pixel of this order

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stars:
    """The truth about stars; all arrays have one entry per star.

    Parameters
    ----------
    number : ndarray of int64
        Address of the star in random numbers.
    home : ndarray of int64
        Index of the plan whose field it was drawn in.
    ra, dec : ndarray of float64
        Degrees (J2000), as LAMOST's tables give them.
    g, bp_rp : ndarray of float64
        Gaia's magnitude and colour.
    teff, logg, feh, alpha_m, vsini : ndarray of float64
        K, dex, dex, dex, km/s.
    rv : ndarray of float64
        km/s; of the centre of mass for a binary.
    orbit : Orbit
        How the velocity varies, NaN for stars whose velocity does not.
    has_gaia : ndarray of bool
        Known to Gaia; the uid of the others begins with L and they have no Gaia identifier or magnitudes.
    uid_number, gp_id, gaia_source_id : ndarray of int64
        Identifiers; the last is -9999 where there is none.
    abs_mag_g, distance, parallax : ndarray of float64
        Absolute magnitude by teff and logg, and without extinction pc and mas.
    pmra, pmdec : ndarray of float64
        Proper motion (mas/yr), the first with cos(dec).
    rv_variable : ndarray of bool
        Whether the velocity varies.
    variable_class : ndarray of str
        Class of a periodic variable (`quotas.CLASSES`), empty for all others.
    variable_period : ndarray of float64
        Period of its light (d), NaN for all others; an eclipsing binary's is that of its orbit.
    high_velocity : ndarray of int8
        1 for bound and 2 for unbound high-velocity stars, else 0.
    """

    number: NDArray[np.int64]
    home: NDArray[np.int64]
    ra: Floats
    dec: Floats
    g: Floats
    bp_rp: Floats
    teff: Floats
    logg: Floats
    feh: Floats
    alpha_m: Floats
    vsini: Floats
    rv: Floats
    orbit: Orbit
    has_gaia: NDArray[np.bool_]
    uid_number: NDArray[np.int64]
    gp_id: NDArray[np.int64]
    gaia_source_id: NDArray[np.int64]
    abs_mag_g: Floats
    distance: Floats
    parallax: Floats
    pmra: Floats
    pmdec: Floats
    rv_variable: NDArray[np.bool_]
    variable_class: NDArray[np.str_]
    variable_period: Floats
    high_velocity: NDArray[np.int8]

    @property
    def binary(self) -> NDArray[np.bool_]:
        """Whether the velocity follows the orbit: `rv_variable`."""
        return self.rv_variable

    def __len__(self) -> int:
        return len(self.number)

    def uid_of(self, which: NDArray[np.int64]) -> list[str]:
        """LAMOST's identifiers of some stars, by index."""
        letters = np.where(self.has_gaia[which], "G", "L").tolist()
        return [
            f"{letter}{digits:014d}"
            for letter, digits in zip(letters, self.uid_number[which].tolist(), strict=True)
        ]


def make_stars(
    draws: Draws, number: NDArray[np.int64], home: NDArray[np.int64], plans: Sequence[Plan]
) -> Stars:
    """Draw stars.

    Parameters
    ----------
    draws : Draws
        Random numbers.
    number : ndarray of int64, shape (n,)
        Addresses of the stars, rising.
    home : ndarray of int64, shape (n,)
        Plan in whose field each star lies.
    plans : sequence of Plan
        The plans.

    Returns
    -------
    Stars
        Ordinary ones: none is metal-poor, varies or is fast.  `with_motions` gives them velocities.

    Notes
    -----
    Star counts rise with magnitude as 10**(0.25 G).  One in 20 is too hot for LASP, and of the others one in
    five a giant.  The uid is that of the position; of two stars in one trixel the later one takes the next
    free uid.
    """
    n = len(number)
    centres = np.array([plan.centre for plan in plans])[home].reshape(-1, 2)
    cosine = 1.0 - draws.uniform(Purpose.RADIUS, number) * (1.0 - np.cos(np.radians(FIELD_RADIUS)))
    angle = 360.0 * draws.uniform(Purpose.ANGLE, number)
    ra, dec = offset_position(centres[:, 0], centres[:, 1], np.degrees(np.arccos(cosine)), angle)
    low, high = (10.0 ** (0.25 * g) for g in MAGNITUDES)
    has_gaia = draws.uniform(Purpose.HAS_GAIA, number) < 0.95
    star = _atmospheres(draws, number)
    g = np.log10(low + draws.uniform(Purpose.MAGNITUDE, number) * (high - low)) / 0.25
    none = np.full(n, np.nan)
    absolute = absolute_magnitude(star["teff"], star["logg"])
    distance = 10.0 ** (0.2 * (g - absolute) + 1.0)
    return Stars(
        number=number,
        home=home,
        ra=ra,
        dec=dec,
        g=g,
        bp_rp=0.82 * (5772.0 / star["teff"]) ** 2,
        **star,
        rv=none,
        orbit=Orbit(none, none, none, none, none),
        has_gaia=has_gaia,
        uid_number=distinct(htm_id(ra, dec)),
        gp_id=number % (1 << 40) + 1_000_001,
        gaia_source_id=np.where(has_gaia, _gaia_source_id(number, ra, dec), -9999),
        abs_mag_g=absolute,
        distance=distance,
        parallax=1000.0 / distance,
        pmra=none,
        pmdec=none,
        rv_variable=np.zeros(n, dtype=bool),
        variable_class=np.full(n, "", dtype="<U9"),
        variable_period=none,
        high_velocity=np.zeros(n, np.int8),
    )


def with_motions(stars: Stars, draws: Draws) -> Stars:
    """Give stars proper motions and radial velocities by their place, metals and `Stars.high_velocity`."""
    pmra, pmdec, rv = space_motions(
        draws, stars.number, stars.ra, stars.dec, stars.distance, stars.feh < HALO_FEH, stars.high_velocity
    )
    return replace(stars, pmra=pmra, pmdec=pmdec, rv=rv)


def moved(stars: Stars, east: float, copy: int) -> Stars:
    """Stars of a copy of a survey, elsewhere: with other positions and identifiers.

    Parameters
    ----------
    stars : Stars
        Of the copy's own random numbers.
    east : float
        What is added to right ascensions, deg.
    copy : int
        Its number, 1 or more; identifiers of no two copies are equal.  A uid has 14 digits up to copy
        300,000.
    """
    ra = (stars.ra + east) % 360.0
    return replace(
        stars,
        ra=ra,
        uid_number=_FIRST_COPY + (copy << _COPY) + stars.number,
        gp_id=stars.gp_id + (copy << _COPY),
        gaia_source_id=np.where(
            stars.has_gaia, _gaia_source_id(stars.number + copy * _GAIA_COPY, ra, stars.dec), -9999
        ),
    )


def faintness(g: Floats) -> Floats:
    """Share of stars that are brighter than these magnitudes, 0 to 1."""
    low, high = (10.0 ** (0.25 * limit) for limit in MAGNITUDES)
    return (10.0 ** (0.25 * g) - low) / (high - low)


def _atmospheres(draws: Draws, number: NDArray[np.int64]) -> dict[str, Floats]:
    """Draw teff, logg, feh, alpha_m and vsini."""
    kind, spread = draws.uniform(Purpose.KIND, number), draws.uniform(Purpose.TEFF, number)
    giant, hot = kind < _GIANTS * (1.0 - _HOT), kind > 1.0 - _HOT
    teff = np.where(giant, 4000.0 + 1200.0 * spread, 4300.0 + 3900.0 * spread**1.6)
    teff = np.where(hot, 8600.0 + 3400.0 * spread, teff)
    dwarf_logg = 4.65 - 0.45 * np.clip((teff - 4300.0) / 2500.0, 0, 1)
    logg = np.where(giant, 1.2 + 1.9 * (teff - 4000.0) / 1200.0, dwarf_logg)
    feh = np.clip(-0.08 + 0.22 * draws.normal(Purpose.FEH, number), -0.75, 0.5)
    typical = np.where(giant, 4.0, np.where(teff > 6300.0, 45.0, 9.0))
    return {
        "teff": teff,
        "logg": logg + 0.12 * draws.normal(Purpose.LOGG, number),
        "feh": feh,
        "alpha_m": alpha_of(feh, draws, number),
        "vsini": np.clip(typical * np.exp(0.6 * draws.normal(Purpose.ROTATION, number)), 1.0, 250.0),
    }


def alpha_of(feh: Floats, draws: Draws, number: NDArray[np.int64]) -> Floats:
    """[alpha/M] of stars: higher in metal-poor ones, -0.2 to 0.6."""
    return np.clip(0.04 - 0.12 * feh + 0.05 * draws.normal(Purpose.ALPHA, number), -0.2, 0.6)


def distinct(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Raise ids of later stars until no two are equal."""
    ids = ids.copy()
    while True:
        order = np.argsort(ids, kind="stable")
        again = order[1:][ids[order[1:]] == ids[order[:-1]]]
        if not len(again):
            return ids
        ids[again] += 1


def _gaia_source_id(number: NDArray[np.int64], ra: Floats, dec: Floats) -> NDArray[np.int64]:
    """Make identifiers in Gaia's form: a pixel in the high bits, below it a number of the star alone."""
    # An odd factor permutes the 28 bits, so that neighbours in number are not neighbours in the identifier.
    low = (number * 0x9E3779B + 0x7F4A7C1) % (1 << 28)
    return (parent(healpix29(ra, dec), _GAIA_LEVEL) << 35) | (low * _GAIA_STEP)


def offset_position(ra: Floats, dec: Floats, distance: Floats, angle: Floats) -> tuple[Floats, Floats]:
    """Position at a distance from another.

    Parameters
    ----------
    ra, dec, distance, angle : ndarray of float64
        Degrees; the angle is from north through east.

    Returns
    -------
    ra, dec : ndarray of float64
        Degrees, `ra` in [0, 360).
    """
    delta, theta, beta = np.radians(dec), np.radians(distance), np.radians(angle)
    # Vector form: exact for small distances too, where arcsin of the sine law is not.
    north = np.sin(theta) * np.cos(beta)
    x = np.cos(theta) * np.cos(delta) - north * np.sin(delta)
    y = np.sin(theta) * np.sin(beta)
    z = np.cos(theta) * np.sin(delta) + north * np.cos(delta)
    return (ra + np.degrees(np.arctan2(y, x))) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))
