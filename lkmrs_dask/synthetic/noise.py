"""S/N by magnitude, and errors of measured parameters by the law of the paper's Table 3."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ERROR_LAW", "LEAST_SNR", "error", "single_snr"]

ERROR_LAW: Mapping[str, tuple[float, float, float]] = {
    "teff": (1593.0, -1.16, 9.5),
    "logg": (2.32, -1.15, 0.02),
    "feh": (1.42, -1.07, 0.01),
    "alpha_m": (0.56, -0.92, 0.01),
    "rv": (139.51, -2.08, 0.71),
    "vsini": (41.52, -0.02, -36.0),
}
"""Coefficients a, b and c of Table 3 by parameter (K, dex, dex, dex, km/s, km/s)."""

LEAST_SNR = 5.0
"""S/N below which the law is not used: its power of -2.08 would give velocities of any size."""

_MOST_SNR = 400.0  # the v sin i law reaches zero at S/N 1250


def error(parameter: str, snr: ArrayLike) -> NDArray[np.float64]:
    r"""Error of a parameter measured on one spectrum, Eq. 4 of the paper.

    .. math:: \sigma = a x^b + c

    Parameters
    ----------
    parameter : str
        One of `ERROR_LAW`.
    snr : array_like of float
        S/N of the blue coadd; taken as `LEAST_SNR` where it is lower.
    """
    a, b, c = ERROR_LAW[parameter]
    return a * np.maximum(np.asarray(snr, np.float64), LEAST_SNR) ** b + c


def single_snr(g: NDArray[np.float64], factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """S/N of a single blue exposure of 1200 s.

    Parameters
    ----------
    g : ndarray of float64
        Gaia G.
    factor : ndarray of float64
        Of weather, fibre and so on, of a shape that broadcasts.

    Returns
    -------
    ndarray of float64
        100 at G = 9 falling to 4 at G = 15, steeper than the photons' 0.2 G because of sky and read-out; a
        coadd of three has 10, enough for parameters, at G = 14.2.  At most 400.
    """
    return np.minimum(100.0 * 10.0 ** (-0.236 * (g - 9.0)) * factor, _MOST_SNR)
