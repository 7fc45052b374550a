"""Errors of frequencies, amplitudes and phases."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

__all__ = ["RAYLEIGH", "FrequencyErrors", "correlation_length", "frequency_errors"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

RAYLEIGH = {"median": float(np.sqrt(2.0 * np.log(2.0))), "mean": float(np.sqrt(0.5 * np.pi))}
"""Averages of the amplitude of noise, in units of the standard deviation of an amplitude that is fitted."""


class FrequencyErrors(NamedTuple):
    """One standard deviation each; the phase's in radians."""

    frequency: Floats
    amplitude: Floats
    phase: Floats


def correlation_length(residual: Floats) -> float:
    """How many neighbouring residuals err together: 1 for white noise.

    Half the mean length of runs of residuals of the same sign, which is 2 for independent ones.

    Parameters
    ----------
    residual : ndarray of float64, shape (n,)
        In order of time.

    References
    ----------
    Schwarzenberg-Czerny 2003, ASP Conf. Ser. 292, 383.
    """
    positive = residual > 0
    runs = 1 + int(np.count_nonzero(positive[1:] != positive[:-1]))
    return max(1.0, 0.5 * len(residual) / runs)


def frequency_errors(
    phasor: Complexes, matrix: Floats, noise: Floats, step: float, average: str = "median"
) -> FrequencyErrors:
    r"""Errors of sinusoids that were fitted together, in noise of any colour.

    The noise around each frequency in the residual's amplitude spectrum says how much an amplitude there
    errs, :math:`\sigma_A` = median / 1.177 = mean / 1.253 (Rayleigh); the covariance is the inverse of the
    normal equations times half its square.  For one sinusoid in white noise, evenly sampled, these are

    .. math:: \sigma_A = \sqrt{2/N}\,\sigma, \quad \sigma_f = \sqrt{6/N}\,\sigma / (\pi T A), \quad
              \sigma_\phi = \sigma_A / A.

    Parameters
    ----------
    phasor : ndarray of complex128, shape (k,)
        Amplitude times e^(i phase).
    matrix : ndarray of float64, shape (3 k + 1, 3 k + 1)
        Normal equations of mean, cosines, sines and places (bins), for weights with sum 1.
    noise : ndarray of float64, shape (k,)
        Around each frequency, in the unit of the amplitude.
    step : float
        Cycles per day of a bin.
    average : {"median", "mean"}
        Of the amplitudes that the noise is.

    Returns
    -------
    FrequencyErrors
        NaN where the equations cannot be solved: two frequencies are one.

    References
    ----------
    Montgomery & O'Donoghue 1999, DSSN 13, 28.
    """
    n = len(phasor)
    covariance = _inverse(matrix)
    if covariance is None:
        return FrequencyErrors(*(np.full(n, np.nan) for _ in range(3)))
    variance = 0.5 * (noise / RAYLEIGH[average]) ** 2
    cosine, sine, place = (slice(1 + part * n, 1 + (part + 1) * n) for part in range(3))
    cc, ss = np.diag(covariance)[cosine], np.diag(covariance)[sine]
    cs = np.diag(covariance[cosine, sine])
    # z = c - i s: along and across the phasor.
    c, s = phasor.real / np.abs(phasor), -phasor.imag / np.abs(phasor)
    along = c * c * cc + 2.0 * c * s * cs + s * s * ss
    across = s * s * cc - 2.0 * c * s * cs + c * c * ss
    bins = np.diag(covariance)[place]
    return FrequencyErrors(
        step * np.sqrt(variance * np.maximum(bins, 0.0)),
        np.sqrt(variance * np.maximum(along, 0.0)),
        np.sqrt(variance * np.maximum(across, 0.0)) / np.abs(phasor),
    )


def _inverse(matrix: Floats) -> Floats | None:
    """Inverse of normal equations; None where there is none."""
    diagonal = np.diag(matrix)
    if not np.all(diagonal > 0):
        return None
    scale = 1.0 / np.sqrt(diagonal)
    try:
        inverse: Floats = cho_solve(cho_factor(matrix * np.outer(scale, scale)), np.eye(len(matrix)))
    except LinAlgError:
        return None
    return inverse * np.outer(scale, scale)
