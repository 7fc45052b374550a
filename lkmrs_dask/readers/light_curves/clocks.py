"""What times are counted from, and on which scale: to BJD_TDB."""

from __future__ import annotations

import re

import erfa
import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.times import Site, barycentric_time

__all__ = ["SCALES", "ZEROS", "check_reference", "guess_zero", "to_barycentre", "to_tdb", "zero_in_text"]

Floats = NDArray[np.float64]

ZEROS = {"jd": 0.0, "rjd": 2400000.0, "mjd": 2400000.5, "bkjd": 2454833.0, "btjd": 2457000.0}
"""Julian dates that times are counted from, by name; bkjd is Kepler's and K2's, btjd that of TESS."""

SCALES = ("TDB", "TT", "TAI", "UTC")
"""Time scales; TT is taken as TDB (they differ by 2 ms at most)."""

_MJD_ZERO = 2400000.5
_TT_TAI = 32.184 / 86400.0
_IN_TEXT = re.compile(r"JD[A-Z_ ()]*\s*-\s*(\d{7}(?:\.\d*)?)", re.IGNORECASE)
_FULL = (2_400_000.0, 2_500_000.0)
_REDUCED = (40_000.0, 90_000.0)
# Counted from the mission's zero: when it observed, with a margin of days.
_OBSERVED = {"Kepler": (100.0, 1610.0), "K2": (1850.0, 3650.0), "TESS": (1300.0, 12000.0)}
_MISSION_ZERO = {"Kepler": ZEROS["bkjd"], "K2": ZEROS["bkjd"], "TESS": ZEROS["btjd"]}


def zero_in_text(text: str | None) -> float | None:
    """Zero of times from a text such as ``BJD - 2454833, days``; None where it has none."""
    match = _IN_TEXT.search(text or "")
    return float(match[1]) if match else None


def guess_zero(time: Floats, mission: str = "", name: str = "") -> float:
    """What times are counted from, by their size.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        Days, finite.
    mission : str, optional
        Decides between BJD - 2454833 and BJD - 2457000.
    name : str, optional
        Of the column: with ``mjd`` in it times of five digits are MJD, else they are JD - 2400000.  A name
        such as ``bkjd`` decides.

    Raises
    ------
    InputError
        Where it cannot be told.
    """
    low, high = float(time.min()), float(time.max())
    words = set(re.split(r"[^a-z]+", name.lower()))
    for word in ("bkjd", "btjd"):
        if word in words:
            return ZEROS[word]
    if _FULL[0] <= low and high <= _FULL[1]:
        return 0.0
    if _REDUCED[0] <= low and high <= _REDUCED[1]:
        return _MJD_ZERO if "mjd" in words else ZEROS["rjd"]
    if mission in _OBSERVED and _OBSERVED[mission][0] <= low and high <= _OBSERVED[mission][1]:
        return _MISSION_ZERO[mission]
    of = f" of {mission}" if mission else ""
    raise InputError(
        f"times from {low:g} to {high:g}{of} may be counted from anything; say what from with zero="
        f" (a Julian date, one of {', '.join(ZEROS)}, or relative)"
    )


def check_reference(system: object, place: object) -> str:
    """Time scale by the FITS keywords TIMESYS and TIMEREF.

    Returns
    -------
    str
        One of `SCALES`; TDB where TIMESYS is absent.

    Raises
    ------
    InputError
        For another scale, or times that are not barycentric.
    """
    scale = str(system or "TDB").strip().upper().removeprefix("BJD_")
    if scale not in SCALES:
        raise InputError(f"unknown time scale TIMESYS = {system!r}; known are {', '.join(SCALES)}")
    if str(place or "SOLARSYSTEM").strip().upper() not in ("SOLARSYSTEM", "BARYCENTER", "BARYCENTRE"):
        raise InputError(f"times are not those at the solar system's barycentre: TIMEREF = {place!r}")
    return scale


def to_tdb(jd: Floats, scale: str) -> Floats:
    """Julian dates on another scale to TDB.

    Parameters
    ----------
    jd : ndarray of float64, shape (n,)
        Julian dates.
    scale : str
        One of `SCALES`.

    Raises
    ------
    UsageError
        For an unknown scale.
    """
    if scale not in SCALES:
        raise UsageError(f"unknown time scale {scale!r}; known are {', '.join(SCALES)}")
    if scale in ("TDB", "TT"):
        return jd
    tai = jd + _TT_TAI
    return tai + _tai_utc(jd) / 86400.0 if scale == "UTC" else tai


def to_barycentre(jd: Floats, scale: str, ra: float, dec: float, site: Site) -> Floats:
    """Julian dates at an observatory to BJD_TDB; see `lkmrs_dask.readers.times.barycentric_time`.

    Raises
    ------
    UsageError
        For a scale that is neither UTC nor TAI, or without a position.
    """
    if scale not in ("UTC", "TAI"):
        raise UsageError(f"times at an observatory are on the scale UTC or TAI, not {scale!r}")
    if not (np.isfinite(ra) and np.isfinite(dec)):
        raise UsageError(
            "to take times to the barycentre the position of the star is needed: give ra and dec"
        )
    utc = jd - _tai_utc(jd) / 86400.0 if scale == "TAI" else jd
    return barycentric_time(utc - _MJD_ZERO, ra, dec, site)


def _tai_utc(jd: Floats) -> Floats:
    """TAI - UTC, seconds: the last value of ERFA's table that has begun."""
    table = erfa.leap_seconds.get()
    year, month = table["year"].astype(int), table["month"].astype(int)
    begin = np.array([erfa.cal2jd(y, m, 1)[1] for y, m in zip(year, month, strict=True)])
    at = np.searchsorted(begin, jd - _MJD_ZERO, side="right") - 1
    return table["tai_utc"][np.maximum(at, 0)]
