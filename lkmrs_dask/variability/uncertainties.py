"""Errors of frequencies, amplitudes and phases."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrequencyErrors", "correlation_length", "frequency_errors"]

Floats = NDArray[np.float64]


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
    amplitude: Floats, residual: Floats, weights: Floats, baseline: float, correlation: float = 1.0
) -> FrequencyErrors:
    r"""Errors of sinusoids that do not disturb each other, of which the time zero is at the middle.

    .. math:: \sigma_A = \sqrt{2/N}\,\sigma, \quad \sigma_f = \sqrt{6/N}\,\sigma / (\pi T A), \quad
              \sigma_\phi = \sigma_A / A

    times the square root of the correlation length.

    Parameters
    ----------
    amplitude : ndarray of float64, shape (k,)
    residual : ndarray of float64, shape (n,)
    weights : ndarray of float64, shape (n,)
        With sum 1: N is 1 over the sum of their squares.
    baseline : float
        T, days.
    correlation : float
        See `correlation_length`.

    References
    ----------
    Montgomery & O'Donoghue 1999, DSSN 13, 28.
    """
    freedom = len(residual) - 3 * len(amplitude) - 1
    # Where there are no degrees of freedom left there is no error to be stated.
    scatter = np.sqrt(weights @ residual**2 * len(residual) / freedom) if freedom > 0 else np.nan
    one = np.sqrt(2.0 * (weights @ weights) * correlation) * scatter
    relative = one / amplitude
    return FrequencyErrors(
        relative * np.sqrt(3.0) / (np.pi * baseline), np.full(len(amplitude), one), relative
    )
