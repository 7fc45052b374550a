"""Times of exposures: LAMOST's local minutes to UTC, and UTC to the solar system's barycentre.

LAMOST counts local modified Julian minutes (``LMJM``, Beijing time, UTC + 8 h).  The minute is the one in
which the exposure began, cut off, not rounded.  Six released files (DR7) say how good that is: the
primary header's ``DATE-OBS`` ("observation median UTC", whole minutes) is the midpoint of the first
exposure by :func:`exposure_midpoint` on five of them and 30 s later on the sixth, and the middle of
``DATE-BEG`` and ``DATE-END``, which have seconds, lies 18 to 61 s after it.  So a midpoint from ``LMJM``
is early by half a minute in the mean and by about a minute at worst; files since DR9 v1 give seconds for
every exposure (:func:`local_time_mjd`).
"""

from __future__ import annotations

import datetime
import re
from functools import lru_cache
from typing import NamedTuple

import erfa
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FIRST_MJD",
    "LAMOST",
    "LAST_MJD",
    "Site",
    "barycentric_time",
    "exposure_midpoint",
    "local_time_mjd",
    "night_date",
]

BEIJING = 8.0 / 24.0
"""Beijing time minus UTC, in days."""

FIRST_MJD, LAST_MJD = 41317.0, 88069.0
"""1972-01-01 (UTC with leap seconds) and 2100-01-01 (end of the Earth's ephemeris)."""

_DAY = 86400.0
_MJD_ZERO = datetime.date(1858, 11, 17)
_TT_TAI = 32.184
_NODES = 24  # intervals per day
_BLOCK = 1 << 18  # rows at a time: bounds the memory at about 100 MB
_LOCAL_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d*)?)")


class Site(NamedTuple):
    """An observatory on the WGS84 ellipsoid: degrees east, degrees north, metres."""

    longitude: float
    latitude: float
    height: float


LAMOST = Site(117.58, 40.39, 960.0)
"""LAMOST at Xinglong, with the longitude and latitude of its own headers."""


def exposure_midpoint(lmjm: ArrayLike, exptime: ArrayLike) -> NDArray[np.float64]:
    """Middle of an exposure from the local minute in which it began.

    Parameters
    ----------
    lmjm : array_like
        Local modified Julian minute (UTC + 8 h), any shape.
    exptime : array_like
        Exposure time in seconds, of a shape that broadcasts.

    Returns
    -------
    ndarray of float64
        ``lmjm / 1440 - 1/3 + exptime / 172800``: MJD (UTC), 18 to 61 s early on real files because the
        minute is cut off (see the module).  NaN where either is NaN.
    """
    minutes = np.asarray(lmjm, dtype=np.float64)
    seconds = np.asarray(exptime, dtype=np.float64)
    return minutes / 1440.0 - BEIJING + seconds / 2.0 / _DAY


def local_time_mjd(text: object) -> float:
    """MJD (UTC) of a Beijing time as LAMOST writes it, ``2019-05-22T02:28:30.0``.

    Parameters
    ----------
    text : object
        The header's value; single digits (``11:30:0.000``) occur.

    Returns
    -------
    float
        NaN where it is no such time.
    """
    match = _LOCAL_TIME.fullmatch(str(text).strip())
    if match is None:
        return float("nan")
    year, month, day, hour, minute = (int(part) for part in match.groups()[:5])
    try:
        date = datetime.date(year, month, day)
    except ValueError:
        return float("nan")
    if hour > 23 or minute > 59:
        return float("nan")
    seconds = hour * 3600 + minute * 60 + float(match[6])
    return (date - _MJD_ZERO).days + seconds / _DAY - BEIJING


def night_date(lmjd: int) -> datetime.date:
    """Date of an observing night, that of its evening.

    Parameters
    ----------
    lmjd : int
        Local modified Julian day of the night, as in file names and catalogues.

    Returns
    -------
    datetime.date
        The date of MJD ``lmjd - 1``.

    Notes
    -----
    ``LMJD`` numbers a night by the date of its morning: an exposure of 2018-10-16 20:31 local time
    (MJD 58407) has ``LMJD`` 58408, and so has the whole night.  The catalogues' ``obsdate`` is the date of
    the evening: ``lmjd`` is ``obsdate`` as MJD plus 1 in all rows of the released tables that were tried.

    Raises
    ------
    OverflowError
        Where the date is beyond the calendar's years 1 to 9999.
    """
    return _MJD_ZERO + datetime.timedelta(days=int(lmjd) - 1)


def barycentric_time(
    mjd: ArrayLike, ra: ArrayLike, dec: ArrayLike, site: Site = LAMOST
) -> NDArray[np.float64]:
    r"""Time at which light passes the solar system's barycentre.

    Parameters
    ----------
    mjd : array_like
        MJD (UTC) at the observatory, any shape.
    ra, dec : array_like
        Direction of the star (ICRS, degrees), of shapes that broadcast.
    site : Site, optional
        The observatory.

    Returns
    -------
    ndarray of float64
        :math:`\mathrm{JD(TDB)} + \mathbf{r}\cdot\mathbf{n} / c` in days, where r is the observatory's
        barycentric position and n points to the star.  NaN where an argument is not finite or the time is
        outside `FIRST_MJD` to `LAST_MJD`.

    Notes
    -----
    The observatory's position is computed (ERFA's ``epv00`` and the Earth's rotation, 0.1 ms a time) at
    the whole hours of a day only, kept, and interpolated by cubics that match position and velocity:
    within 1 microsecond, whatever the number of rows, and the same for every split of the rows.  No
    table of the Earth's rotation is read and nothing is downloaded: UT1 is taken as UTC (below 0.9 s, or
    0.3 km of rotation: 1 microsecond) and polar motion as zero.  A float64 Julian date has a resolution of
    40 microseconds, which is what is left.
    """
    time, alpha, delta = np.broadcast_arrays(
        *(np.asarray(values, dtype=np.float64) for values in (mjd, ra, dec))
    )
    shape = time.shape
    time, alpha, delta = time.ravel(), alpha.ravel(), delta.ravel()
    result = np.full(time.size, np.nan)
    for start in range(0, time.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        t, a, d = time[part], alpha[part], delta[part]
        good = np.isfinite(a) & np.isfinite(d) & (t >= FIRST_MJD) & (t < LAST_MJD)
        result[part][good] = _barycentric(t[good], np.deg2rad(a[good]), np.deg2rad(d[good]), site)
    return result.reshape(shape)


def _barycentric(
    mjd: NDArray[np.float64], ra: NDArray[np.float64], dec: NDArray[np.float64], site: Site
) -> NDArray[np.float64]:
    position, offset = _observatory(mjd, site)
    cos_dec = np.cos(dec)
    delay = position[:, 0] * (cos_dec * np.cos(ra))
    delay += position[:, 1] * (cos_dec * np.sin(ra))
    delay += position[:, 2] * np.sin(dec)
    # The small terms are added up first: one rounding of the large number, not three.
    return 2400000.5 + (mjd + (offset + delay))


def _observatory(mjd: NDArray[np.float64], site: Site) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Barycentric position (n, 3) in light-days and TDB - UTC (n,) in days."""
    days, which = np.unique(np.floor(mjd).astype(np.int64), return_inverse=True)
    if days.size == 0:
        return np.zeros((0, 3)), np.zeros(0)
    table = np.concatenate([_day_table(int(day), site) for day in days])
    hours = (mjd - np.floor(mjd)) * _NODES
    node = np.minimum(hours.astype(np.int64), _NODES - 1)
    s = (hours - node)[:, None]
    row = which * (_NODES + 1) + node
    left, right = table[row], table[row + 1]
    position = (
        (1 + 2 * s) * (1 - s) ** 2 * left[:, :3]
        + s * (1 - s) ** 2 / _NODES * left[:, 3:6]
        + s**2 * (3 - 2 * s) * right[:, :3]
        - s**2 * (1 - s) / _NODES * right[:, 3:6]
    )
    return position, left[:, 6] + s[:, 0] * (right[:, 6] - left[:, 6])


@lru_cache(maxsize=4096)
def _day_table(day: int, site: Site) -> NDArray[np.float64]:
    """Position (light-days), velocity (light-days a day) and TDB - UTC (days) at 0, 1, ... 24 h of a day."""
    fraction = np.arange(_NODES + 1) / _NODES
    before, after = _tai_utc(day), _tai_utc(day + 1)
    # As in ERFA a day with a leap second is stretched, so that the offset stays continuous.
    tt_utc = (before + fraction * (after - before) + _TT_TAI) / _DAY
    zero, tt = 2400000.5 + day, fraction + tt_utc
    longitude, latitude = np.deg2rad(site.longitude), np.deg2rad(site.latitude)

    _, earth = erfa.epv00(zero, tt)
    from_axis, _, height = erfa.gd2gc(1, 0.0, latitude, site.height) / 1000.0
    tdb_utc = tt_utc + erfa.dtdb(zero, tt, fraction, longitude, from_axis, height) / _DAY

    # Celestial frame of date to GCRS; the short nutation series is good to 0.001 arcsec, 3 cm on the ground.
    rotation = np.swapaxes(erfa.c2i00b(zero, tt), -1, -2)
    ground = erfa.pvtob(longitude, latitude, site.height, 0.0, 0.0, 0.0, erfa.era00(zero, fraction))
    light_day = erfa.CMPS * _DAY
    table = np.empty((_NODES + 1, 7))
    table[:, :3] = earth["p"] * (erfa.DAU / light_day) + _turn(rotation, ground["p"]) / light_day
    table[:, 3:6] = earth["v"] * (erfa.DAU / light_day) + _turn(rotation, ground["v"]) / erfa.CMPS
    table[:, 6] = tdb_utc
    table.flags.writeable = False
    return table


def _turn(rotation: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.einsum("nij,nj->ni", rotation, vectors)


@lru_cache(maxsize=1)
def _leap_seconds() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    table = erfa.leap_seconds.get()
    starts = [(datetime.date(int(year), int(month), 1) - _MJD_ZERO).days for year, month, _ in table]
    return np.array(starts), np.array([seconds for _, _, seconds in table])


def _tai_utc(day: int) -> float:
    # Not erfa.dat: it warns of years that the table does not reach yet, and the last value is all there is.
    starts, seconds = _leap_seconds()
    return float(seconds[np.searchsorted(starts, day, side="right") - 1])
