"""Masses and absolute magnitudes of stars by temperature and gravity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SUN_LOGG", "absolute_magnitude", "bolometric_correction", "mass"]

SUN_LOGG = 4.438
"""Surface gravity of the Sun, log10 of cm s-2."""

_SUN_TEFF, _SUN_BOLOMETRIC = 5772.0, 4.74
_BC = (6.000e-02, 6.731e-05, -6.647e-08, 2.859e-11, -7.197e-15)  # powers of teff - 5772 K
_BC_RANGE = (4000.0, 8000.0)


def bolometric_correction(teff: ArrayLike) -> NDArray[np.float64]:
    """BC_G for the mean of dwarfs and giants.

    Parameters
    ----------
    teff : array_like of float
        K; taken as 4000 below and as 8000 above that range.

    References
    ----------
    Andrae et al. 2018, A&A 616, A8, Eq. 7 and Table 4.
    """
    away = np.clip(np.asarray(teff, np.float64), *_BC_RANGE) - _SUN_TEFF
    return np.asarray(np.polynomial.polynomial.polyval(away, _BC), np.float64)


def mass(teff: ArrayLike, logg: ArrayLike) -> NDArray[np.float64]:
    """Mass in that of the Sun: from 0.6 to 2.2 with the temperature of dwarfs, 1.2 for all others.

    Parameters
    ----------
    teff, logg : array_like of float
        K, dex; dwarfs have a log g of 3.9 and more.
    """
    heat, gravity = np.asarray(teff, np.float64), np.asarray(logg, np.float64)
    return np.where(gravity >= 3.9, np.clip((heat / _SUN_TEFF) ** 1.6, 0.6, 2.2), 1.2)


def absolute_magnitude(teff: ArrayLike, logg: ArrayLike) -> NDArray[np.float64]:
    r"""Gaia's absolute magnitude.

    .. math:: M_G = 4.74 - 2.5 \log_{10}(L / L_\odot) - BC_G, \qquad L \propto M\,T^4 / g

    With the mass of `mass`: good for a plausible diagram, not for stellar physics.

    Parameters
    ----------
    teff, logg : array_like of float
        K, dex.
    """
    heat, gravity = np.asarray(teff, np.float64), np.asarray(logg, np.float64)
    log_l = np.log10(mass(heat, gravity)) + 4.0 * np.log10(heat / _SUN_TEFF) - (gravity - SUN_LOGG)
    return _SUN_BOLOMETRIC - 2.5 * log_l - bolometric_correction(heat)
