"""Proper motion: where the right rows of pairs were at the epochs of their left rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.sky.index import separation_arcsec

__all__ = ["Motion", "is_masyr", "julian_years", "moved_separation", "propagate"]

Floats = NDArray[np.float64]

_SCALES = ((1800.0, 2200.0, 0.0, 1.0, 0.0), (15_000.0, 100_000.0, 51_544.5, 365.25, 2000.0),
           (2_400_000.0, 2_500_000.0, 2_451_545.0, 365.25, 2000.0))  # fmt: skip
"""Julian years, MJD, JD: least and largest value, zero point, units a year, year of the zero point."""


_MASYR = frozenset({"mas/yr", "masyr-1", "mas.yr-1", "mas/year", "mas/a", "masyr^-1", "masyr**-1"})


def is_masyr(unit: str) -> bool:
    """Whether a unit is milliarcseconds a year, however it is written.

    Parameters
    ----------
    unit : str
        As a catalogue states it.
    """
    if unit.lower().replace(" ", "") in _MASYR:
        return True
    from astropy import units  # here, because most catalogues write it as above

    try:
        return bool(np.isclose(units.Unit(unit).to(units.mas / units.yr), 1.0, rtol=1e-3))
    except (ValueError, TypeError):
        return False


class Motion(NamedTuple):
    """Proper motions (mas/yr, `pmra` with cos dec) and epochs (Julian years) of positions."""

    pmra: Floats
    pmdec: Floats
    epoch: Floats


def julian_years(values: ArrayLike, what: str) -> Floats:
    """Epochs as Julian years, of years, MJD or JD, which their size tells apart.

    Parameters
    ----------
    values : array_like of float
        Epochs of one kind; NaN (or infinite) where unknown.
    what : str
        Names them in an error.

    Raises
    ------
    CatalogError
        When they are neither.
    """
    values = np.asarray(values, dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full(values.shape, np.nan)
    for least, most, zero, unit, year in _SCALES:
        if known.min() >= least and known.max() <= most:
            return year + (values - zero) / unit
    raise CatalogError(
        f"{what} holds no epochs: from {known.min():g} to {known.max():g} is neither Julian years, MJD nor JD"
    )


def propagate(ra: ArrayLike, dec: ArrayLike, pmra: ArrayLike, pmdec: ArrayLike, years: ArrayLike) -> tuple:
    """Positions some years later, along great circles.

    Parallax and radial velocity are left out: they change no position by more than the parallax, and by
    perspective a few mas in a century for the fastest stars.

    Parameters
    ----------
    ra, dec : array_like of float
        Degrees.
    pmra, pmdec : array_like of float
        mas/yr, `pmra` with cos dec.  Where one is NaN the star does not move.
    years : array_like of float
        Julian years; negative ones go back.

    Returns
    -------
    ra, dec : ndarray of float64
        Degrees, `ra` in [0, 360).

    References
    ----------
    ESA SP-1200 (1997), section 1.2.8, without the terms in parallax and radial velocity.
    """
    lon, lat = np.radians(np.asarray(ra, np.float64)), np.radians(np.asarray(dec, np.float64))
    step = np.radians(np.asarray(years, np.float64) / 3_600_000.0)
    east, north = np.asarray(pmra, np.float64) * step, np.asarray(pmdec, np.float64) * step
    # A star that does not move stays where it is to the last bit.
    still = ~(np.isfinite(east) & np.isfinite(north)) | ((east == 0.0) & (north == 0.0))
    east, north = np.where(still, 0.0, east), np.where(still, 0.0, north)
    # Along the unit vectors of the star and of its local east and north.
    outward = np.cos(lat) - north * np.sin(lat)
    x = outward * np.cos(lon) - east * np.sin(lon)
    y = outward * np.sin(lon) + east * np.cos(lon)
    z = np.sin(lat) + north * np.cos(lat)
    new_ra = np.where(still, ra, np.degrees(np.arctan2(y, x))) % 360.0
    new_ra = np.where(new_ra < 360.0, new_ra, 0.0)  # a little less than 0 is rounded to 360
    new_dec = np.degrees(np.arctan2(z, np.hypot(x, y)))
    return new_ra, np.where(still, dec, new_dec)


def moved_separation(
    left: tuple[Floats, Floats], epoch: Floats, right: tuple[Floats, Floats], motion: Motion
) -> Floats:
    """Separation (arcsec) of pairs with the right position moved to the left one's epoch.

    Where either epoch is unknown the right position stays as it is.
    """
    ra, dec = propagate(*right, motion.pmra, motion.pmdec, epoch - motion.epoch)
    return separation_arcsec(*left, ra, dec)
