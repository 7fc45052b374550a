"""What orbits a star has room for: not inside it, and with no companion heavier than stars are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.synthetic.luminosity import SUN_LOGG, mass

__all__ = ["LARGEST_MASS_FUNCTION", "LEAST_PERIASTRON", "largest_amplitude", "radius", "shortest_period"]

LEAST_PERIASTRON = 1.6
"""Least distance of the two stars, in radii of the visible one."""

LARGEST_MASS_FUNCTION = 0.5
"""Solar masses: that of two equal stars of two solar masses, seen edge-on."""

_SUN_RADIUS_AU = 0.00465047
_YEAR = 365.25
_MASS_FUNCTION = 1.036149e-7  # solar masses, of P = 1 d and K = 1 km/s

Floats = NDArray[np.float64]


def radius(teff: ArrayLike, logg: ArrayLike) -> Floats:
    """Radius of a star of `luminosity.mass` with this surface gravity, in those of the Sun."""
    return np.sqrt(mass(teff, logg) / 10.0 ** (np.asarray(logg, np.float64) - SUN_LOGG))


def shortest_period(teff: ArrayLike, logg: ArrayLike) -> Floats:
    r"""Shortest period of a circular orbit.

    .. math:: a^3 = M P^2

    Parameters
    ----------
    teff, logg : array_like of float
        K, dex; of the visible star.

    Returns
    -------
    ndarray of float64
        Days.  A companion's mass makes the orbit wider: here it has none.
    """
    least = LEAST_PERIASTRON * radius(teff, logg) * _SUN_RADIUS_AU
    return _YEAR * np.sqrt(least**3 / mass(teff, logg))


def largest_amplitude(period: ArrayLike, eccentricity: ArrayLike) -> Floats:
    r"""Velocity amplitude (km/s) that gives `LARGEST_MASS_FUNCTION`.

    .. math:: f = \frac{P K^3 (1 - e^2)^{3/2}}{2 \pi G}

    Parameters
    ----------
    period, eccentricity : array_like of float
        Days; 0 to 1.
    """
    narrow = (1.0 - np.asarray(eccentricity, np.float64) ** 2) ** 1.5
    return np.cbrt(LARGEST_MASS_FUNCTION / (_MASS_FUNCTION * np.asarray(period, np.float64) * narrow))
