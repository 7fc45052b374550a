"""Circular orbits at every trial frequency: least squares of a sinusoid and a constant."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.orbits.epochs import Epochs
from lkmrs_dask.stars.orbits.settings import OrbitSettings

__all__ = ["CircularScan", "circular_scan", "phase_sums", "trial_frequencies"]

Floats = NDArray[np.float64]

_BLOCK = 64  # frequencies
_CHUNK = 400_000  # numbers in an array of frequencies by epochs


class CircularScan(NamedTuple):
    """Per frequency (1/d): chi-square of the best sinusoid, its gamma, A, B (km/s), the log-likelihood."""

    frequency: Floats
    chi2: Floats
    gamma: Floats
    a: Floats
    b: Floats
    log_likelihood: Floats


def trial_frequencies(baseline: float, settings: OrbitSettings, e: float = 0.0) -> tuple[Floats, float]:
    """Evenly spaced frequencies, finer and fewer for an eccentricity above 0.

    Parameters
    ----------
    baseline : float
        Days, above 0.
    settings : OrbitSettings
        Period range and oversampling.
    e : float
        Periastron passes within (1 - e)^1.5 of a period: steps shrink by as much.

    Returns
    -------
    frequency : ndarray of float64
        1/d; empty where no orbit of this eccentricity is sought.
    coarsening : float
        Above 1 where `max_frequencies` made steps longer than they should be.
    """
    passage = (1.0 - e) ** 1.5
    lowest = settings.lowest_frequency(baseline)
    highest = 1.0 / settings.min_period
    if e > 0:
        highest = min(highest, passage / settings.min_passage)
    if highest < lowest:
        return np.empty(0), 1.0
    wanted = (highest - lowest) * settings.oversampling * baseline / passage
    steps = int(min(np.ceil(wanted), settings.max_frequencies - 1)) or 1
    return np.linspace(lowest, highest, steps + 1), max(1.0, wanted / steps)


def phase_sums(time: Floats, frequency: Floats, values: list[Floats], order: int) -> list[NDArray]:
    """Sums of values times exp(2 pi i k f t) for k = 1 to `order`: arrays of shape (frequencies, order).

    Frequencies are evenly spaced, so that most exponentials are products of a few.
    """
    step = float(frequency[1] - frequency[0]) if len(frequency) > 1 else 0.0
    coarse = np.exp(2j * np.pi * np.outer(frequency[::_BLOCK], time))
    fine = np.exp(2j * np.pi * step * np.outer(np.arange(_BLOCK), time))
    turn = (coarse[:, None, :] * fine).reshape(-1, len(time))[: len(frequency)]
    sums = [np.empty((len(frequency), order), np.complex128) for _ in values]
    stacked = np.stack(values, axis=1).astype(np.complex128)
    power = turn.copy()
    for k in range(order):
        both = power @ stacked
        for one, column in zip(sums, both.T, strict=True):
            one[:, k] = column
        if k + 1 < order:
            power *= turn
    return sums


def circular_scan(
    time: ArrayLike, rv: ArrayLike, rv_err: ArrayLike, settings: OrbitSettings | None = None
) -> CircularScan:
    r"""Fit :math:`v = \gamma + A \cos 2\pi f t + B \sin 2\pi f t` at every trial frequency.

    Times are counted from their weighted mean.  It is the generalised Lomb-Scargle periodogram (Zechmeister &
    Kuerster 2009, A&A 496, 577) with its amplitudes.

    Parameters
    ----------
    time, rv, rv_err : array_like of float, shape (n,)
        Days, km/s, km/s; rows that cannot be used are left out.
    settings : OrbitSettings, optional
        Periods and jitter.

    Returns
    -------
    CircularScan
        Of shape (frequencies,).

    Raises
    ------
    UsageError
        For fewer than 4 usable velocities, or all at one time.
    """
    settings = settings or OrbitSettings()
    epochs = Epochs.of(time, rv, rv_err, settings.jitter, settings.epoch_gap)
    if epochs.n < 4 or not epochs.baseline > 0:
        raise UsageError(
            f"{epochs.n} usable velocities within {epochs.baseline} d: 4 at two times are needed"
        )
    frequency, _ = trial_frequencies(epochs.baseline, settings)
    parts = []
    step = max(1, _CHUNK // epochs.n)
    for start in range(0, len(frequency), step):
        parts.append(_fit(epochs, frequency[start : start + step]))
    chi2, gamma, a, b = (np.concatenate(column) for column in zip(*parts, strict=True))
    norm = float(np.log(2.0 * np.pi * epochs.error**2).sum())
    return CircularScan(frequency, chi2, gamma + epochs.offset, a, b, -0.5 * (chi2 + norm))


def _fit(epochs: Epochs, frequency: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Chi-square, constant and amplitudes, from sums at once and twice the frequency."""
    weight, total = epochs.weight, float(epochs.weight.sum())
    first, moved = phase_sums(epochs.time, frequency, [weight, weight * epochs.rv], 2)
    c, s = first[:, 0].real, first[:, 0].imag
    yc, ys = moved[:, 0].real, moved[:, 0].imag
    cc = 0.5 * (total + first[:, 1].real) - c * c / total
    ss = 0.5 * (total - first[:, 1].real) - s * s / total
    cs = 0.5 * first[:, 1].imag - c * s / total
    det = cc * ss - cs * cs
    # Where the phases cannot tell sine from cosine the amplitudes would be rounding noise: nothing is fitted.
    good = det > 1e-10 * total**2
    scale = np.divide(1.0, det, out=np.zeros_like(det), where=good)
    a, b = (ss * yc - cs * ys) * scale, (cc * ys - cs * yc) * scale
    gamma = -(a * c + b * s) / total
    chi2 = float(weight @ epochs.rv**2) - a * yc - b * ys
    return np.maximum(chi2, 0.0), gamma, a, b
