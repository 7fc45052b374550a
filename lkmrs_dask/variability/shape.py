"""Shape of a periodic light curve: its Fourier series, and its minima when folded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FoldedShape",
    "FourierShape",
    "alternation",
    "fit_fourier",
    "fold",
    "folded_shape",
    "modulation",
    "slow_share",
]

Floats = NDArray[np.float64]

N_BINS = 100
"""Bins of a folded curve."""


class FourierShape(NamedTuple):
    """Amplitudes (unit of the flux), phases (rad, of cosines) and the share of variance taken away."""

    amplitude: Floats
    phase: Floats
    share: float

    def ratio(self, k: int) -> float:
        """Amplitude of the k-th harmonic over that of the first."""
        return float(self.amplitude[k - 1] / self.amplitude[0]) if self.amplitude[0] > 0 else np.nan

    def difference(self, k: int) -> float:
        """Phase of the k-th harmonic less k times that of the first, from 0 to 2 pi."""
        return float((self.phase[k - 1] - k * self.phase[0]) % (2 * np.pi))


class FoldedShape(NamedTuple):
    """Minima of a folded curve; see the features of the same names."""

    dip_depth: float
    dip_width: float
    dip_depth_2: float
    dip_phase_2: float
    below_share: float
    rise_share: float
    mirror: float
    fold_rest: float


def fit_fourier(time: Floats, flux: Floats, frequency: float, harmonics: int) -> FourierShape:
    r"""Fit a constant and harmonics of a frequency by linear least squares.

    .. math:: x(t) = a_0 + \sum_k A_k \cos(2 \pi k f t + \varphi_k)

    Parameters
    ----------
    time, flux : ndarray of float64, shape (n,)
        Days, and any unit; finite.
    frequency : float
        f, 1/d.
    harmonics : int
        How many; with fewer than two points for each unknown all is NaN.

    Returns
    -------
    FourierShape
        Arrays of shape (harmonics,).

    References
    ----------
    Simon & Lee 1981, ApJ 248, 291.
    """
    nothing = np.full(harmonics, np.nan)
    if len(time) < 2 * (2 * harmonics + 1) or not frequency > 0:
        return FourierShape(nothing, nothing, np.nan)
    angle = 2 * np.pi * frequency * (time - time.mean())
    turn = np.exp(1j * angle)
    waves = np.cumprod(np.broadcast_to(turn[:, None], (len(time), harmonics)), axis=1)
    design = np.column_stack([np.ones(len(time)), waves.real, waves.imag])
    away = flux - flux.mean()
    total = float(away @ away)
    # lstsq by the normal equations' pseudo-inverse: harmonics beyond the sampling make them singular.
    normal, right = design.T @ design, design.T @ away
    solution = np.linalg.lstsq(normal, right, rcond=1e-10)[0]
    rest = away - design @ solution
    share = 1.0 - float(rest @ rest) / total if total > 0 else np.nan
    cosine, sine = solution[1 : harmonics + 1], solution[harmonics + 1 :]
    return FourierShape(np.hypot(cosine, sine), np.arctan2(-sine, cosine), share)


def fold(
    time: Floats, flux: Floats, period: float, bins: int = N_BINS
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Mean flux in bins of phase.

    Parameters
    ----------
    time, flux : ndarray of float64, shape (n,)
        Days, and any unit; finite.
    period : float
        Days.
    bins : int
        How many.

    Returns
    -------
    profile : ndarray of float64, shape (bins,)
        Empty bins are filled by their neighbours.
    bin : ndarray of int64, shape (n,)
        The bin of each point.
    count : ndarray of int64, shape (bins,)
        Points in each.
    """
    phase = ((time - time[0]) / period) % 1.0
    where = np.minimum((phase * bins).astype(np.int64), bins - 1)
    count = np.bincount(where, minlength=bins)
    total = np.bincount(where, flux, minlength=bins)
    full = np.flatnonzero(count)
    profile = np.interp(np.arange(bins), full, total[full] / count[full], period=bins)
    return profile, where, count


def folded_shape(time: Floats, flux: Floats, period: float) -> FoldedShape:
    """Minima, symmetry and scatter of the curve folded at a period; see `FoldedShape`.

    All NaN for fewer than 20 points, or bins of which fewer than half have points.
    """
    nothing = FoldedShape(*[np.nan] * 8)
    if len(time) < 20 or not np.isfinite(period) or period <= 0:
        return nothing
    bins = int(np.clip(len(time) // 10, 20, N_BINS))
    profile, where, count = fold(time, flux, period, bins)
    variance = float(flux.var())
    if np.count_nonzero(count) < bins // 2 or not variance > 0:
        return nothing
    lowest, highest = int(np.argmin(profile)), int(np.argmax(profile))
    # The level out of eclipse: the upper part, of which noise of single bins is no measure.
    top = float(np.quantile(profile, 0.9))
    depth = top - float(profile[lowest])
    rolled = np.roll(profile, -lowest)
    below = rolled < top - 0.5 * depth
    ahead, behind = _run(below), _run(below[::-1])
    width = min(1.0, (ahead + behind) / bins)
    second, depth_2 = _second_minimum(rolled)
    # About the middle of the minimum, which may lie between two bins.
    mirrored = rolled[(ahead - 1 - behind - np.arange(bins)) % bins]
    spread = float(rolled.var())
    mirror = (
        float(np.mean((rolled - rolled.mean()) * (mirrored - rolled.mean()))) / spread if spread > 0 else 0
    )
    middle = 0.5 * (profile[lowest] + profile[highest])
    return FoldedShape(
        dip_depth=depth,
        dip_width=max(width, 1 / bins),
        dip_depth_2=depth_2,
        dip_phase_2=min(second, bins - second) / bins,
        below_share=float(np.mean(profile < middle)),
        rise_share=((highest - lowest) % bins) / bins,
        mirror=mirror,
        fold_rest=float(np.mean((flux - profile[where]) ** 2)) / variance,
    )


def _run(mask: NDArray[np.bool_]) -> int:
    """How many are true from the first on."""
    wrong = np.flatnonzero(~mask)
    return int(wrong[0]) if len(wrong) else len(mask)


def _second_minimum(rolled: Floats) -> tuple[int, float]:
    """Place and depth of the deepest other minimum of a profile that starts at its lowest bin."""
    n = len(rolled)
    before = np.maximum.accumulate(rolled)
    after = np.maximum.accumulate(rolled[::-1])[::-1]
    depth = np.minimum(before, after) - rolled
    edge = max(1, n // 20)
    inner = depth[edge : n - edge]
    at = edge + int(np.argmax(inner))
    return at, float(depth[at])


def modulation(time: Floats, flux: Floats, frequency: float) -> float:
    """Relative change of the amplitude at a frequency over the time series.

    The series is cut into 4 to 20 equal pieces of at least three periods; the standard deviation of their
    amplitudes over the mean is what is returned, NaN where there are fewer than four.
    """
    span = float(time[-1] - time[0]) if len(time) else 0.0
    if not frequency > 0 or span * frequency < 12.0:
        return np.nan
    pieces = int(min(20, span * frequency / 3.0))
    edges = np.searchsorted(time, time[0] + span * np.arange(1, pieces) / pieces)
    amplitudes = []
    for part_time, part in zip(np.split(time, edges), np.split(flux, edges), strict=True):
        if len(part) >= 20 and part_time[-1] - part_time[0] > 0.5 * span / pieces:
            amplitudes.append(fit_fourier(part_time, part, frequency, 1).amplitude[0])
    if len(amplitudes) < 4 or not np.mean(amplitudes) > 0:
        return np.nan
    return float(np.std(amplitudes, ddof=1) / np.mean(amplitudes))


def alternation(time: Floats, flux: Floats, period: float) -> float:
    """Relative difference of the minima of two successive periods; 0 where it is within five errors.

    NaN for fewer than three pairs of periods.
    """
    if time[-1] - time[0] < 6.0 * period or len(time) < 200:
        return np.nan
    bins = 100
    profile, where, count = fold(time, flux, 2.0 * period, bins)
    if np.count_nonzero(count) < bins:
        return np.nan
    half = bins // 2
    at = int(np.argmin(profile)) % half
    near = (at + np.arange(-1, 2)) % bins
    first, second = float(profile[near].mean()), float(profile[(near + half) % bins].mean())
    depth = float(np.quantile(profile, 0.9)) - min(first, second)
    both = np.concatenate([near, (near + half) % bins])
    inside = np.isin(where, both)
    error = float(np.std(flux[inside] - profile[where[inside]])) * np.sqrt(2.0 / max(1, inside.sum() // 2))
    difference = abs(first - second)
    return difference / depth if depth > 0 and difference > 5.0 * error else 0.0


def slow_share(time: Floats, flux: Floats, frequency: float, harmonics: int = 2) -> float:
    """Share of the variance of means over a tenth of a period that its harmonics take away.

    Means hide what is faster, noise for one.  A jump, an offset of a quarter or a drift has power at every
    low frequency, and none of them takes much of it away; a period does, however faint its signal.

    Parameters
    ----------
    time, flux : ndarray of float64, shape (n,)
        Days, rising, and any unit; finite.
    frequency : float
        1/d.
    harmonics : int
        How many.

    Returns
    -------
    float
        Corrected for the number of unknowns, as the adjusted coefficient of determination: about 0 for
        chance.  NaN for too few means.
    """
    if not frequency > 0 or len(time) == 0:
        return np.nan
    where = np.floor((time - time[0]) * (10.0 * frequency))
    first = np.flatnonzero(np.diff(where, prepend=-1.0))
    count = np.diff(np.append(first, len(time)))
    full = count >= 0.3 * np.median(count)
    mean_time = (np.add.reduceat(time, first) / count)[full]
    mean_flux = (np.add.reduceat(flux, first) / count)[full]
    n, unknowns = len(mean_time), 2 * harmonics + 1
    share = fit_fourier(mean_time, mean_flux, frequency, harmonics).share
    return 1.0 - (1.0 - share) * (n - 1) / (n - unknowns) if n > unknowns else np.nan
