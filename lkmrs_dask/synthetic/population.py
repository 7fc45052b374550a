"""Stars with known parameters, orbits and identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.sky.index import healpix29, parent
from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.htm import htm_id
from lkmrs_dask.synthetic.orbit import Orbit
from lkmrs_dask.synthetic.plan import Plan

__all__ = ["FIELD_RADIUS", "MAGNITUDES", "Stars", "make_stars", "offset_position"]

FIELD_RADIUS = 2.49
"""Radius (deg) in which stars lie: a plate's 2.5, less what positions scatter."""

MAGNITUDES = (9.0, 15.0)
"""Gaia G of the brightest and the faintest target (section 2.1 gives the limit)."""

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
        Degrees; proper motions are ignored.
    g, bp_rp : ndarray of float64
        Gaia's magnitude and colour.
    teff, logg, feh, alpha_m, vsini : ndarray of float64
        K, dex, dex, dex, km/s.
    rv : ndarray of float64
        km/s; of the centre of mass for a binary.
    binary : ndarray of bool
        Whether the velocity varies.
    orbit : Orbit
        Its orbit, NaN for single stars.
    has_gaia : ndarray of bool
        Known to Gaia; the uid of the others begins with L and they have no Gaia identifier or magnitudes.
    uid_number, gp_id, gaia_source_id : ndarray of int64
        Identifiers; the last is -9999 where there is none.
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
    binary: NDArray[np.bool_]
    orbit: Orbit
    has_gaia: NDArray[np.bool_]
    uid_number: NDArray[np.int64]
    gp_id: NDArray[np.int64]
    gaia_source_id: NDArray[np.int64]

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

    Notes
    -----
    Star counts rise with magnitude as 10**(0.25 G).  A third are giants.  One in 12 is too hot for LASP; 3 %
    have [Fe/H] below -1, a fifth of them below -2.  One in ten is a binary, P from 1 to 500 d, circular below
    8 d.  The uid is that of the position; of two stars in one trixel the later one takes the next free uid.
    """
    centres = np.array([plan.centre for plan in plans])[home]
    cosine = 1.0 - draws.uniform(Purpose.RADIUS, number) * (1.0 - np.cos(np.radians(FIELD_RADIUS)))
    angle = 360.0 * draws.uniform(Purpose.ANGLE, number)
    ra, dec = offset_position(centres[:, 0], centres[:, 1], np.degrees(np.arccos(cosine)), angle)
    low, high = (10.0 ** (0.25 * g) for g in MAGNITUDES)
    has_gaia = draws.uniform(Purpose.HAS_GAIA, number) < 0.95
    star = _atmospheres(draws, number)
    binary = draws.uniform(Purpose.BINARY, number) < 0.10
    return Stars(
        number=number,
        home=home,
        ra=ra,
        dec=dec,
        g=np.log10(low + draws.uniform(Purpose.MAGNITUDE, number) * (high - low)) / 0.25,
        bp_rp=0.82 * (5772.0 / star["teff"]) ** 2,
        **star,
        binary=binary,
        orbit=Orbit(*(np.where(binary, values, np.nan) for values in _orbits(draws, number))),
        has_gaia=has_gaia,
        uid_number=_distinct(htm_id(ra, dec)),
        gp_id=number % (1 << 40) + 1_000_001,
        gaia_source_id=np.where(has_gaia, _gaia_source_id(number, ra, dec), -9999),
    )


def _atmospheres(draws: Draws, number: NDArray[np.int64]) -> dict[str, Floats]:
    """Draw teff, logg, feh, alpha_m, rv and vsini."""
    kind, spread = draws.uniform(Purpose.KIND, number), draws.uniform(Purpose.TEFF, number)
    giant, hot = kind < 0.33, kind > 0.92
    teff = np.where(giant, 4000.0 + 1200.0 * spread, 4300.0 + 3900.0 * spread**1.6)
    teff = np.where(hot, 8600.0 + 3400.0 * spread, teff)
    dwarf_logg = 4.65 - 0.45 * np.clip((teff - 4300.0) / 2500.0, 0, 1)
    logg = np.where(giant, 1.2 + 1.9 * (teff - 4000.0) / 1200.0, dwarf_logg)

    metals, rank = draws.uniform(Purpose.FEH_POOR, number), draws.uniform(Purpose.FEH_KIND, number)
    poor = rank < 0.03
    feh = np.clip(-0.08 + 0.22 * draws.normal(Purpose.FEH, number), -0.95, 0.5)
    feh = np.where(rank < 0.006, -2.0 - 0.6 * metals, np.where(poor, -1.0 - metals, feh))
    drift, scatter = np.where(poor, -50.0, -8.0), np.where(poor, 110.0, 32.0)
    typical = np.where(giant, 4.0, np.where(teff > 6300.0, 45.0, 9.0))
    return {
        "teff": teff,
        "logg": logg + 0.12 * draws.normal(Purpose.LOGG, number),
        "feh": feh,
        "alpha_m": np.clip(0.04 - 0.12 * feh + 0.05 * draws.normal(Purpose.ALPHA, number), -0.2, 0.6),
        "rv": drift + scatter * draws.normal(Purpose.VELOCITY, number),
        "vsini": np.clip(typical * np.exp(0.6 * draws.normal(Purpose.ROTATION, number)), 1.0, 250.0),
    }


def _orbits(draws: Draws, number: NDArray[np.int64]) -> Orbit:
    """Draw orbits, for all stars."""
    period = 10.0 ** (2.7 * draws.uniform(Purpose.PERIOD, number))
    spread = np.exp(0.5 * draws.normal(Purpose.AMPLITUDE, number))
    return Orbit(
        period=period,
        amplitude=np.clip(60.0 * period ** (-1 / 3) * spread, 5.0, 120.0),
        eccentricity=np.where(period < 8.0, 0.0, 0.6 * draws.uniform(Purpose.ECCENTRICITY, number)),
        periastron=2 * np.pi * draws.uniform(Purpose.PERIASTRON, number),
        phase=draws.uniform(Purpose.PHASE, number),
    )


def _distinct(ids: NDArray[np.int64]) -> NDArray[np.int64]:
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
