"""Stars that move, by astropy's propagation of positions, and all separations of them."""

from __future__ import annotations

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.time import Time
from match_oracle import Sky, separations

TOLERANCE_ARCSEC = 1e-6
"""Both go along straight lines in space.  Light time and rounding part them by 1e-9 arcsec in 40 years at
10 arcsec/yr, and by 4e-7 arcsec in 200."""

Floats = np.ndarray


def astropy_place(sky: Sky, pmra: Floats, pmdec: Floats, start: Floats, end: Floats) -> SkyCoord:
    """Places at another epoch; the distance counts for nothing."""
    return SkyCoord(
        ra=sky.ra * u.deg,
        dec=sky.dec * u.deg,
        pm_ra_cosdec=pmra * u.mas / u.yr,
        pm_dec=pmdec * u.mas / u.yr,
        distance=np.full(len(sky.ra), 10.0) * u.pc,
        radial_velocity=np.zeros(len(sky.ra)) * u.km / u.s,
        obstime=Time(start, format="jyear", scale="tdb"),
    ).apply_space_motion(new_obstime=Time(end, format="jyear", scale="tdb"))


def moved(sky: Sky, pmra: Floats, pmdec: Floats, start: Floats | float, end: Floats | float) -> Sky:
    """Places at another epoch, by astropy; those whose motion or epoch is not known stay."""
    start, end = np.broadcast_to(start, sky.ra.shape), np.broadcast_to(end, sky.ra.shape)
    known = np.isfinite(pmra) & np.isfinite(pmdec) & np.isfinite(start) & np.isfinite(end)
    ra, dec = sky.ra.copy(), sky.dec.copy()
    if known.any():
        some = Sky(ra[known], dec[known])
        place = astropy_place(some, pmra[known], pmdec[known], start[known], end[known])
        ra[known], dec[known] = place.ra.deg, place.dec.deg
    return Sky(ra, dec)


def moved_separations(
    left: Sky, epoch: Floats, right: Sky, pmra: Floats, pmdec: Floats, start: Floats | float
) -> np.ndarray:
    """All separations, each with the right row where it was at the epoch of the left one."""
    rows = []
    for ra, dec, when in zip(*left, epoch, strict=True):
        rows.append(
            separations(Sky(np.array([ra]), np.array([dec])), moved(right, pmra, pmdec, start, when))[0]
        )
    return np.array(rows)


def near_call(away: np.ndarray, radius: float) -> bool:
    """Whether less than the tolerance decides."""
    if np.any(np.abs(away - radius) < 2 * TOLERANCE_ARCSEC):
        return True
    close = np.where(away <= radius, away, np.nan)
    steps = [np.diff(np.sort(rows, axis=1), axis=1) for rows in (close, close.T)]
    return any(np.any(step < 2 * TOLERANCE_ARCSEC) for step in steps)
