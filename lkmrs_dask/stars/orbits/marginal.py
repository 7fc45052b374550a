"""Likelihood of a period, eccentricity and phase, whatever the amplitudes and the systemic velocity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaln

from lkmrs_dask.stars.orbits.epochs import Epochs
from lkmrs_dask.stars.orbits.kepler import orbit_basis
from lkmrs_dask.stars.orbits.settings import OrbitSettings

__all__ = ["GAMMA_PRIOR", "Linear", "eccentric_share", "linear_fit", "ln_prior", "three_by_three"]

Floats = NDArray[np.float64]

GAMMA_PRIOR = 100.0
"""Prior standard deviation of the systemic velocity about the mean of the velocities, km/s."""

_BETA = (0.867, 3.03)  # Kipping 2013
_CIRCULAR_SHARE = 0.5


class Linear(NamedTuple):
    """Per orbit: ln marginal likelihood, (gamma, a, b), their covariance, chi-square, and penalised cost."""

    ln_like: Floats
    coefficients: Floats
    covariance: Floats
    chi2: Floats
    cost: Floats


def three_by_three(matrix: tuple[Floats, ...]) -> tuple[Floats, tuple[Floats, ...]]:
    """Determinant and inverse of symmetric matrices, each given by its 00, 01, 02, 11, 12 and 22."""
    m00, m01, m02, m11, m12, m22 = matrix
    c00, c01, c02 = m11 * m22 - m12 * m12, m02 * m12 - m01 * m22, m01 * m12 - m02 * m11
    det = m00 * c00 + m01 * c01 + m02 * c02
    c11, c12, c22 = m00 * m22 - m02 * m02, m01 * m02 - m00 * m12, m00 * m11 - m01 * m01
    return det, tuple(one / det for one in (c00, c01, c02, c11, c12, c22))


def linear_fit(epochs: Epochs, settings: OrbitSettings, frequency: Floats, h: Floats, k: Floats) -> Linear:
    r"""Systemic velocity and amplitudes of orbits, and the likelihood with both integrated out.

    .. math:: \ln L = -\tfrac12 \left[ y^T W y - b^T A^{-1} b + \ln\det A + \ln\det\Lambda
              + \sum \ln 2\pi\sigma^2 \right], \quad A = \Phi^T W \Phi + \Lambda^{-1}, \quad b = \Phi^T W y

    with the normal priors' variances Lambda (Price-Whelan et al. 2017, ApJ 837, 20).

    Parameters
    ----------
    epochs : Epochs
        The star's velocities.
    settings : OrbitSettings
        Prior of the semi-amplitude.
    frequency, h, k : ndarray of float64, shape (orbits,)
        See `lkmrs_dask.stars.orbits.kepler.orbit_basis`.

    Returns
    -------
    Linear
        Coefficients of shape (orbits, 3), covariances (orbits, 3, 3), the others (orbits,).
    """
    basis = orbit_basis(epochs.time, frequency, h, k)
    u1, u2, weight = basis.u1, basis.u2, epochs.weight
    total, moved = weight.sum(), weight * epochs.rv
    precision = settings.k_prior(frequency, np.minimum(np.hypot(h, k), 0.999)) ** -2.0
    wide = np.full(len(frequency), total + GAMMA_PRIOR**-2.0)
    matrix = (
        wide, u1 @ weight, u2 @ weight,
        (u1 * u1) @ weight + precision, (u1 * u2) @ weight, (u2 * u2) @ weight + precision,
    )  # fmt: skip
    det, inverse = three_by_three(matrix)
    right = np.stack([np.full(len(frequency), moved.sum()), u1 @ moved, u2 @ moved], axis=1)
    i00, i01, i02, i11, i12, i22 = inverse
    covariance = np.stack([i00, i01, i02, i01, i11, i12, i02, i12, i22], axis=1).reshape(-1, 3, 3)
    coefficients = np.einsum("oij,oj->oi", covariance, right)
    residual = epochs.rv - coefficients[:, :1] - coefficients[:, 1:2] * u1 - coefficients[:, 2:] * u2
    chi2 = residual**2 @ weight
    penalty = coefficients[:, 0] ** 2 / GAMMA_PRIOR**2 + precision * (coefficients[:, 1:] ** 2).sum(axis=1)
    ln_lambda = 2.0 * np.log(GAMMA_PRIOR) - 2.0 * np.log(precision)
    norm = float(np.log(2.0 * np.pi * epochs.error**2).sum())
    ln_like = -0.5 * (chi2 + penalty + np.log(det) + ln_lambda + norm)
    return Linear(ln_like, coefficients, covariance, chi2, chi2 + penalty)


def eccentric_share(frequency: Floats, settings: OrbitSettings) -> Floats:
    """Prior probability that an orbit of this frequency (1/d) is eccentric."""
    return (1.0 - _CIRCULAR_SHARE) * betainc(*_BETA, settings.e_limit(frequency))


def ln_prior(
    frequency: Floats, h: Floats, k: Floats, settings: OrbitSettings, baseline: float, eccentric: bool
) -> Floats:
    """Logarithm of the prior's density in frequency, or in frequency, h and k; of no fixed norm in frequency.

    Parameters
    ----------
    frequency, h, k : ndarray of float64, shape (orbits,)
        1/d, e cos M0 and e sin M0; the last two have no part for circular orbits.
    settings : OrbitSettings
        Limits.
    baseline : float
        Days, for the longest period.
    eccentric : bool
        Of which family.

    Returns
    -------
    ndarray of float64
        -inf beyond the limits.
    """
    # Fits at a limit may be a rounding error beyond it.
    inside = frequency >= settings.lowest_frequency(baseline) * (1.0 - 1e-12)
    inside &= frequency * settings.min_period <= 1.0 + 1e-12
    safe = np.where(inside, frequency, 1.0)
    value = -np.log(safe)
    if not eccentric:
        return np.where(inside, value + np.log1p(-eccentric_share(safe, settings)), -np.inf)
    e = np.hypot(h, k)
    inside &= (e > 0) & (e < settings.e_limit(safe))
    safe_e = np.where(inside, e, 0.5)
    ln_beta = (_BETA[0] - 1.0) * np.log(safe_e) + (_BETA[1] - 1.0) * np.log1p(-safe_e) - betaln(*_BETA)
    value = value + np.log(1.0 - _CIRCULAR_SHARE) + ln_beta - np.log(2.0 * np.pi * safe_e)
    return np.where(inside, value, -np.inf)
