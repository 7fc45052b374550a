"""Where the Moon was, to a few degrees: enough for the Moon columns of LAMOST's tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SYNODIC_MONTH", "moon_age", "moon_position"]

SYNODIC_MONTH = 29.530589
"""Mean days from new Moon to new Moon."""

_J2000 = 51544.5
_OBLIQUITY = np.radians(23.4393)


def _longitudes(mjd: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Ecliptic longitude and latitude of the Moon, and longitude of the Sun (radians)."""
    days = np.asarray(mjd, dtype=np.float64) - _J2000
    anomaly, node = np.radians(134.963 + 13.064993 * days), np.radians(93.272 + 13.229350 * days)
    moon = np.radians(218.316 + 13.176396 * days + 6.289 * np.sin(anomaly))
    sun_anomaly = np.radians(357.528 + 0.9856003 * days)
    sun = np.radians(280.460 + 0.9856474 * days + 1.915 * np.sin(sun_anomaly))
    return moon, np.radians(5.128 * np.sin(node)), sun


def moon_position(mjd: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right ascension and declination of the Moon.

    Parameters
    ----------
    mjd : array_like of float
        Days.

    Returns
    -------
    ra, dec : ndarray of float64
        Degrees, geocentric, within 2 degrees: the largest terms of its motion only (Meeus 1998, chapter 47).
    """
    lon, lat, _ = _longitudes(mjd)
    x = np.cos(lat) * np.cos(lon)
    y = np.cos(_OBLIQUITY) * np.cos(lat) * np.sin(lon) - np.sin(_OBLIQUITY) * np.sin(lat)
    z = np.sin(_OBLIQUITY) * np.cos(lat) * np.sin(lon) + np.cos(_OBLIQUITY) * np.sin(lat)
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arcsin(z))


def moon_age(mjd: ArrayLike) -> NDArray[np.float64]:
    """Days since new Moon, 0 to `SYNODIC_MONTH`, by the Moon's elongation from the Sun."""
    moon, _, sun = _longitudes(mjd)
    return (np.degrees(moon - sun) % 360.0) / 360.0 * SYNODIC_MONTH
