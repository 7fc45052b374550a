"""Eccentric orbits at every trial frequency, by harmonics of the mean anomaly: starts for the fits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.stars.orbits.circular import phase_sums, trial_frequencies
from lkmrs_dask.stars.orbits.epochs import Epochs
from lkmrs_dask.stars.orbits.kepler import eccentric_anomaly
from lkmrs_dask.stars.orbits.marginal import GAMMA_PRIOR
from lkmrs_dask.stars.orbits.settings import OrbitSettings

__all__ = ["SCAN_E", "Starts", "orbit_scan", "scan_eccentricity"]

Floats = NDArray[np.float64]

SCAN_E = (0.0, 0.25, 0.5, 0.7, 0.83)
"""Eccentricities of the scan; the fits move on from there."""

_TAIL = 1e-3  # Fourier coefficients of the basis below this are left out
_RIDGE = 5e-3  # added to mean squares of the basis: without, what the tail leaves out may look like a fit
_ANOMALIES = 1024
_PHASES = 8  # trial phases per periastron passage
_CHUNK = 300_000


class Starts(NamedTuple):
    """Orbits from which to start fits."""

    frequency: Floats
    h: Floats
    k: Floats


def orbit_scan(
    epochs: Epochs, settings: OrbitSettings, eccentricities: tuple[float, ...], most: int
) -> tuple[Starts, float]:
    """Best local maxima over frequency, for each eccentricity apart.

    Parameters
    ----------
    epochs : Epochs
        With errors wide enough that a peak is not missed between two trial frequencies.
    settings : OrbitSettings
        Limits and prior of the semi-amplitude.
    eccentricities : tuple of float
        Trial values.
    most : int
        Most starts of each eccentricity.

    Returns
    -------
    starts : Starts
        Of all eccentricities.
    coarsening : float
        See `lkmrs_dask.stars.orbits.circular.trial_frequencies`.
    """
    found, worst = [], 1.0
    for e in eccentricities:
        if e > settings.max_e:
            continue
        frequency, coarsening = trial_frequencies(epochs.baseline, settings, e)
        worst = max(worst, coarsening)
        if not len(frequency):
            continue
        score, m0 = scan_eccentricity(epochs, settings, frequency, e)
        score -= np.log(frequency)
        edge = np.concatenate([[-np.inf], score, [-np.inf]])
        peaks = np.flatnonzero((score >= edge[:-2]) & (score > edge[2:]))
        best = peaks[np.argsort(-score[peaks], kind="stable")[:most]]
        found.append((frequency[best], e * np.cos(m0[best]), e * np.sin(m0[best])))
    return Starts(*(np.concatenate(column) for column in zip(*found, strict=True))), worst


def scan_eccentricity(
    epochs: Epochs, settings: OrbitSettings, frequency: Floats, e: float
) -> tuple[Floats, Floats]:
    r"""Greatest likelihood over the phase, at each frequency.

    With the Fourier series :math:`u(M) = \sum_k c_k e^{ikM}` of an orbit's velocity, sums over epochs are

    .. math:: \sum_n w_n u(2\pi f t_n + M_0) = \sum_k c_k e^{ikM_0} \sum_n w_n e^{2\pi i k f t_n},

    so that all phases of all frequencies are one product of matrices.

    Parameters
    ----------
    epochs : Epochs
        The star's velocities.
    settings : OrbitSettings
        Prior of the semi-amplitude.
    frequency : ndarray of float64, shape (frequencies,)
        1/d.
    e : float
        Eccentricity.

    Returns
    -------
    ln_like : ndarray of float64, shape (frequencies,)
        Marginal likelihood, up to a constant of the star.
    m0 : ndarray of float64, shape (frequencies,)
        Mean anomaly at time 0 where it is greatest, radians.
    """
    passage = (1.0 - e) ** 1.5
    m0 = np.zeros(1) if e == 0 else np.linspace(0, 2 * np.pi, int(np.ceil(_PHASES / passage)), endpoint=False)
    means, turned = _series(e, m0)
    order = max(len(one) // 2 for one in turned)
    weight = epochs.weight
    total = float(weight.sum())
    ln_like, best = np.empty(len(frequency)), np.empty(len(frequency))
    step = max(1, _CHUNK // max(len(m0), epochs.n, 2 * order))
    for start in range(0, len(frequency), step):
        part = slice(start, start + step)
        sums = phase_sums(epochs.time, frequency[part], [weight, weight * epochs.rv], order)
        of_weight, of_rv = (_real(one) for one in sums)
        m1, m2, m11, m12, m22 = (
            of_weight[:, : len(one)] @ one + total * mean for one, mean in zip(turned, means, strict=True)
        )
        y1, y2 = (of_rv[:, : len(one)] @ one for one in turned[:2])
        precision = settings.k_prior(frequency[part], e)[:, None] ** -2.0
        wide = total + GAMMA_PRIOR**-2.0
        own = precision + _RIDGE * total
        p11, p22 = m11 - m1 * m1 / wide + own, m22 - m2 * m2 / wide + own
        p12 = m12 - m1 * m2 / wide
        det = np.maximum(p11 * p22 - p12 * p12, own**2)
        value = (p22 * y1 * y1 - 2.0 * p12 * y1 * y2 + p11 * y2 * y2) / det - np.log(det / precision**2)
        at = np.argmax(value, axis=1)
        ln_like[part] = 0.5 * value[np.arange(len(at)), at]
        best[part] = m0[at]
    return ln_like, best


def _real(sums: NDArray) -> Floats:
    """Real and imaginary parts by turns: shape (frequencies, 2 order)."""
    return np.ascontiguousarray(sums).view(np.float64)


def _series(e: float, m0: Floats) -> tuple[list[float], list[Floats]]:
    """Means of u1, u2, u1^2, u1 u2, u2^2, and their harmonics at each phase, as rows that go with `_real`."""
    mean_anomaly = 2.0 * np.pi * np.arange(_ANOMALIES) / _ANOMALIES
    anomaly = eccentric_anomaly(mean_anomaly, e)
    distance = 1.0 - e * np.cos(anomaly)
    u1 = (np.cos(anomaly) - e) / distance + e
    u2 = -np.sqrt(1.0 - e * e) * np.sin(anomaly) / distance
    means, turned = [], []
    for function in (u1, u2, u1 * u1, u1 * u2, u2 * u2):
        coefficients = np.fft.rfft(function) / _ANOMALIES
        means.append(float(coefficients[0].real))
        order = int(np.flatnonzero(np.abs(coefficients) > _TAIL)[-1]) or 1
        k = np.arange(1, order + 1)[:, None]
        shifted = 2.0 * coefficients[1 : order + 1, None] * np.exp(1j * k * m0)
        rows = np.empty((2 * order, len(m0)))
        rows[0::2], rows[1::2] = shifted.real, -shifted.imag
        turned.append(rows)
    return means, turned
