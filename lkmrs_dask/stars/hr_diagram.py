"""Absolute magnitudes in Gaia's G, with extinction and errors: the ordinate of Fig. 9."""

from __future__ import annotations

from enum import IntFlag
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError

__all__ = [
    "AbsoluteMagnitudes", "MagnitudeFlag", "absolute_magnitudes", "bolometric_correction",
    "extinction_coefficient", "magnitude_of_luminosity",
]  # fmt: skip

Floats = NDArray[np.float64]

_SUN_BOLOMETRIC = 4.74  # mag, IAU 2015 resolution B2
_SUN_TEFF = 5772.0
_EXTINCTION = np.array(
    [[4000.0, 2.53], [5000.0, 2.60], [5772.0, 2.66], [6500.0, 2.71], [7500.0, 2.78], [8500.0, 2.84]]
)
_BC_HOT = (6.000e-02, 6.731e-05, -6.647e-08, 2.859e-11, -7.197e-15)  # 4000 to 8000 K
_BC_COOL = (1.749, 1.977e-03, 3.737e-07, -8.966e-11, -4.183e-14)  # 3300 to 4000 K
_BC_RANGE = (3300.0, 4000.0, 8000.0)
_EBV_RELATIVE, _EBV_LEAST = 0.10, 0.01  # Burstein & Heiles 1982: 10 % or 0.01 mag, whichever is larger


class MagnitudeFlag(IntFlag):
    """What is to be known of an absolute magnitude; with any of those to LOW_PARALLAX_SNR there is none.

    NO_EXTINCTION: none was taken away.  NO_TEFF: A_G is that of a star like the Sun.  ZERO_POINT_OUTSIDE:
    the formula of the parallax's zero point does not apply.  DOUBTFUL_EXTINCTION: the map of dust says so.
    """

    OK = 0
    NO_G = 1
    NO_PARALLAX = 2
    NEGATIVE_PARALLAX = 4
    LOW_PARALLAX_SNR = 8
    NO_EXTINCTION = 16
    NO_TEFF = 32
    ZERO_POINT_OUTSIDE = 64
    DOUBTFUL_EXTINCTION = 128


class AbsoluteMagnitudes(NamedTuple):
    """Per star: M_G, its error, the extinction A_G and its error (mag, NaN without), and `MagnitudeFlag`."""

    m_g: Floats
    m_g_err: Floats
    a_g: Floats
    a_g_err: Floats
    flag: NDArray[np.int64]


def extinction_coefficient(teff: ArrayLike) -> Floats:
    """A_G / E(B-V) for R_V = 3.1, interpolated in temperature.

    Parameters
    ----------
    teff : array_like of float
        K.  From 4000 to 8500 K; the value at the end beyond, NaN for NaN.

    Returns
    -------
    ndarray of float64
        2.53 at 4000 K to 2.84 at 8500 K.
    """
    value = np.asarray(teff, np.float64)
    return np.asarray(np.where(np.isfinite(value), np.interp(value, *_EXTINCTION.T), np.nan), np.float64)


def absolute_magnitudes(
    g: ArrayLike,
    parallax: ArrayLike,
    parallax_err: ArrayLike,
    *,
    teff: ArrayLike = np.nan,
    ebv: ArrayLike | None = None,
    ebv_err: ArrayLike | None = None,
    g_err: ArrayLike = 0.003,
    least_snr: float = 5.0,
) -> AbsoluteMagnitudes:
    r"""Absolute magnitudes in G.

    .. math:: M_G = G + 5 \log_{10}(\varpi / 100\,\mathrm{mas}) - A_G, \qquad
        \sigma^2 = \sigma_G^2 + (5 / \ln 10 \cdot \sigma_\varpi / \varpi)^2 + \sigma_{A_G}^2

    Parameters
    ----------
    g : array_like of float, shape (n,)
        Gaia's G, mag.
    parallax, parallax_err : array_like of float, shape (n,)
        mas; the parallax with its zero point taken away.
    teff : array_like of float
        K, for A_G / E(B-V); where it is not known that of 5772 K is taken, and flagged.
    ebv : array_like of float, optional
        E(B-V) in front of the star, mag.  Without it, and where it is NaN, extinction is taken as 0, flagged
        as not known.
    ebv_err : array_like of float, optional
        Its error; by default 10 % and at least 0.01 mag, as Burstein & Heiles state.
    g_err : array_like of float
        Error of G.
    least_snr : float
        Stars with a parallax of fewer errors have no magnitude (ours: then the error of M_G is above 0.43).

    Returns
    -------
    AbsoluteMagnitudes
        Arrays of shape (n,).

    Raises
    ------
    UsageError
        For a limit that is not positive, or shapes that do not fit.

    Examples
    --------
    >>> float(absolute_magnitudes(10.0, 10.0, 0.1).m_g)
    5.0
    """
    if not least_snr > 0:
        raise UsageError(f"least_snr must be positive, not {least_snr!r}")
    nothing = np.nan
    given = [g, parallax, parallax_err, teff, nothing if ebv is None else ebv,
             nothing if ebv_err is None else ebv_err, g_err]  # fmt: skip
    try:
        mag, par, par_err, temperature, red, red_err, mag_err = np.broadcast_arrays(
            *(np.asarray(one, np.float64) for one in given)
        )
    except ValueError as fault:
        raise UsageError(f"arrays of absolute_magnitudes have shapes that do not fit: {fault}") from fault
    measured = np.isfinite(par) & np.isfinite(par_err) & (par_err > 0)
    positive = measured & (par > 0)
    good_snr = positive & (np.where(measured, par, 0.0) >= least_snr * np.where(measured, par_err, 1.0))
    no_dust, no_teff = ~np.isfinite(red), ~np.isfinite(temperature)
    ratio = extinction_coefficient(np.where(no_teff, _SUN_TEFF, temperature))
    a_g = np.where(no_dust, np.nan, ratio * np.where(no_dust, 0.0, red))
    typical = np.maximum(_EBV_RELATIVE * np.where(no_dust, 0.0, red), _EBV_LEAST)
    a_g_err = np.where(no_dust, np.nan, ratio * np.where(np.isfinite(red_err), red_err, typical))
    usable = good_snr & np.isfinite(mag)
    safe, safe_err = np.where(usable, par, 100.0), np.where(usable, par_err, 1.0)
    m_g = mag + 5.0 * np.log10(safe / 100.0) - np.nan_to_num(a_g)
    error = np.sqrt(mag_err**2 + (5.0 / np.log(10.0) * safe_err / safe) ** 2 + np.nan_to_num(a_g_err) ** 2)
    flags = (
        (~np.isfinite(mag), MagnitudeFlag.NO_G),
        (~measured, MagnitudeFlag.NO_PARALLAX),
        (measured & ~positive, MagnitudeFlag.NEGATIVE_PARALLAX),
        (positive & ~good_snr, MagnitudeFlag.LOW_PARALLAX_SNR),
        (no_dust, MagnitudeFlag.NO_EXTINCTION),
        (no_teff, MagnitudeFlag.NO_TEFF),
    )
    flag = sum(
        (np.where(mask, int(value), 0) for mask, value in flags), start=np.zeros(mag.shape, np.int64)
    )  # fmt: skip
    return AbsoluteMagnitudes(
        np.where(usable, m_g, np.nan), np.where(usable, error, np.nan), a_g, a_g_err, flag
    )  # fmt: skip


def bolometric_correction(teff: ArrayLike) -> Floats:
    """BC_G for the mean of dwarfs and giants.

    Parameters
    ----------
    teff : array_like of float
        K; taken as 3300 below and as 8000 above that range.  Hotter stars come out too bright in G: by some
        0.1 mag at 9000 K and 0.2 mag at 10000 K.

    References
    ----------
    Andrae et al. 2018, A&A 616, A8, Eq. 7 and Table 4.
    """
    value = np.clip(np.asarray(teff, np.float64), _BC_RANGE[0], _BC_RANGE[2])
    hot = np.polynomial.polynomial.polyval(value - _SUN_TEFF, _BC_HOT)
    cool = np.polynomial.polynomial.polyval(value - _SUN_TEFF, _BC_COOL)
    return np.asarray(np.where(value < _BC_RANGE[1], cool, hot), np.float64)


def magnitude_of_luminosity(log_l: ArrayLike, teff: ArrayLike) -> Floats:
    """M_G of a star with a luminosity (log10 of that of the Sun) and a temperature (K)."""
    bolometric = _SUN_BOLOMETRIC - 2.5 * np.asarray(log_l, np.float64)
    return np.asarray(bolometric - bolometric_correction(teff), np.float64)
