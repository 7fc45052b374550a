"""Stochastic variation: scatter within hours, power density, and the hump of solar-like oscillations."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError

__all__ = [
    "UHZ",
    "expected_nu_max",
    "find_hump",
    "flicker",
    "fliper",
    "nu_max",
    "point_noise",
    "power_density",
]

Floats = NDArray[np.float64]

UHZ = 86400e-6
"""Cycles a day in a microhertz."""

SUN_NU_MAX, SUN_TEFF, SUN_LOGG = 3090.0, 5777.0, 4.438
"""Of the scaling relation, uHz, K and dex."""

GIANTS = (3.0, 226.0)
"""From where to where the oscillations of red giants are looked for in long cadence, uHz.

That ends at 0.8 of the Nyquist frequency, as it does for every cadence: of a hump beyond, one side is not
seen and the other is folded onto it."""

_NYQUIST_SHARE = 0.8
_GRID_POINTS = 400_000  # of a regular time grid at most


def expected_nu_max(teff: float, logg: float) -> float:
    """Frequency of maximum power in uHz: 3090 (g / g_sun) (T / 5777 K)^-0.5 (Brown et al. 1991)."""
    if not (teff > 0 and np.isfinite(logg)):
        return np.nan
    return float(SUN_NU_MAX * 10.0 ** (logg - SUN_LOGG) / np.sqrt(teff / SUN_TEFF))


def point_noise(flux: Floats) -> float:
    """Scatter from point to point, by the median of second differences: slow change has no part in it."""
    if len(flux) < 3:
        return np.nan
    second = flux[2:] - 2.0 * flux[1:-1] + flux[:-2]
    return float(1.4826 * np.median(np.abs(second)) / np.sqrt(6.0))


def flicker(time: Floats, flux: Floats, hours: float = 8.0) -> float:
    """Scatter about a running mean, the noise from point to point taken away in quadrature.

    Parameters
    ----------
    time, flux : ndarray of float64, shape (n,)
        Days, rising, and any unit.
    hours : float
        Length of the running mean.

    Returns
    -------
    float
        In the unit of the flux; NaN for fewer than 10 points.

    References
    ----------
    Bastien et al. 2013, Nature 500, 427.
    """
    if len(time) < 10:
        return np.nan
    half = hours / 48.0
    first = np.searchsorted(time, time - half, side="left")
    last = np.searchsorted(time, time + half, side="right")
    level = flux - flux.mean()
    sums = np.concatenate([[0.0], np.cumsum(level)])
    rest = level - (sums[last] - sums[first]) / (last - first)
    robust = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    noise = point_noise(flux)
    return float(np.sqrt(max(0.0, robust**2 - noise**2)))


def power_density(time: Floats, flux: Floats) -> tuple[Floats, Floats]:
    """Power density by the fast Fourier transform of the series on a regular grid, gaps at the mean.

    Points go to the nearest grid point.  That is exact enough for shapes of humps and for averages, not for
    frequencies and amplitudes of modes.

    Parameters
    ----------
    time, flux : ndarray of float64, shape (n,)
        Days, rising, and any unit.

    Returns
    -------
    frequency : ndarray of float64
        uHz, from 1/T on.
    density : ndarray of float64
        Unit of the flux squared per uHz: its sum over the frequencies, times their step, is the variance.

    Raises
    ------
    UsageError
        For arrays of different lengths.
    """
    if len(time) != len(flux):
        raise UsageError(f"{len(time)} times and {len(flux)} fluxes: give one flux for each time")
    step = float(np.median(np.diff(time))) if len(time) > 2 else 0.0
    span = float(time[-1] - time[0]) if len(time) else 0.0
    if not step > 0 or span <= 0:
        return np.empty(0), np.empty(0)
    step = max(step, span / _GRID_POINTS)
    place = np.rint((time - time[0]) / step).astype(np.int64)
    size = int(place[-1]) + 1
    count = np.bincount(place, minlength=size)
    total = np.bincount(place, flux - flux.mean(), minlength=size)
    level = np.divide(total, count, out=np.zeros(size), where=count > 0)
    filled = int(np.count_nonzero(count))
    series = np.fft.rfft(level)[1:]
    frequency = np.arange(1, len(series) + 1) / (size * step) / UHZ
    # Gaps lower the power at all frequencies alike: the full length counts once, the filled part once.
    density = 2.0 * np.abs(series) ** 2 / (size * filled) * (size * step * UHZ)
    return frequency, density


def fliper(frequency: Floats, density: Floats, low: float = 7.0) -> float:
    """Logarithm (base 10) of the mean power density from `low` uHz on, less that of white noise.

    White noise is the median of the upper tenth of the frequencies over ln 2.

    References
    ----------
    Bugnet et al. 2018, A&A 620, A38.
    """
    use = frequency >= low
    if np.count_nonzero(use) < 20:
        return np.nan
    tail = density[-max(10, len(density) // 10) :]
    power = float(density[use].mean()) - float(np.median(tail)) / np.log(2.0)
    return float(np.log10(power)) if power > 0 else np.nan


def find_hump(
    frequency: Floats,
    density: Floats,
    expected: float = np.nan,
    reach: float = 0.3,
    ends: tuple[float, float] = GIANTS,
) -> tuple[float, float]:
    """Find the best place for a hump of solar-like oscillations.

    The spectrum is averaged in narrow bins, even in the logarithm.  At each of many places the mean density
    within the width of a hump, 0.66 nu_max^0.88 (Mosser et al. 2012), is compared with a power law through
    the density beside it, which is what granulation looks like there.  The place is then moved to the centre
    of the excess.

    Parameters
    ----------
    frequency, density : ndarray of float64, shape (n,)
        From `power_density`.
    expected : float
        Where to look, uHz; everywhere within `ends` without.
    reach : float
        Looked at is from ``expected / 10**reach`` to ``expected * 10**reach``.
    ends : tuple of float
        From where to where to look without an expected place, uHz; by default giants in long cadence.

    Returns
    -------
    ratio : float
        Density there over that beside it; NaN where nothing can be said.
    place : float
        uHz.
    """
    if len(frequency) < 50:
        return np.nan, np.nan
    low, high = ends if not np.isfinite(expected) else (expected / 10**reach, expected * 10**reach)
    low, high = max(low, 8.0 * frequency[0], 1.0), min(high, _NYQUIST_SHARE * frequency[-1])
    if not low < high:
        return np.nan, np.nan
    sums = np.concatenate([[0.0], np.cumsum(density)])
    best, place = -np.inf, np.nan
    for at in np.geomspace(low, high, max(2, int(np.log(high / low) / 0.02))):
        ratio, centre = _excess(frequency, density, sums, float(at))
        if ratio > best:
            best, place = ratio, centre
    return (float(best), float(place)) if np.isfinite(best) else (np.nan, np.nan)


def nu_max(
    time: ArrayLike, flux: ArrayLike, expected: float = np.nan, ends: tuple[float, float] = GIANTS
) -> tuple[float, float]:
    """Frequency of maximum power of solar-like oscillations, by the hump over what lies beside it.

    Parameters
    ----------
    time, flux : array_like of float, shape (n,)
        Days in any order, and any unit; rows that are not finite are left out.
    expected : float
        Where to look within a factor of two, uHz: that of `expected_nu_max`, for one.
    ends : tuple of float
        From where to where to look without that, uHz.  Subgiants and dwarfs need short cadence and other
        ends than the default.  Nothing is looked for beyond 0.8 of the Nyquist frequency, 226 uHz in long
        cadence: made oscillations are given within 2 % up to 200 uHz, 4 % too low at 220, and not at all
        beyond, where the contrast is below 2.

    Returns
    -------
    nu_max : float
        uHz; NaN where nothing can be said.
    contrast : float
        Power density of the hump over that beside it.  Noise alone gives up to 3 (`RuleSettings.rg_hump`):
        below, an answer without an expected place is none.

    Raises
    ------
    UsageError
        For arrays of different shapes, and ends that do not rise from above 0.

    References
    ----------
    Mosser et al. 2012, A&A 537, A30 (width of the hump).
    """
    if not 0 < ends[0] < ends[1]:
        raise UsageError(f"ends must be two rising frequencies above 0 uHz, not {ends!r}")
    t, y = np.asarray(time, np.float64).ravel(), np.asarray(flux, np.float64).ravel()
    if len(t) != len(y):
        raise UsageError(f"{len(t)} times and {len(y)} fluxes: give one flux for each time")
    good = np.isfinite(t) & np.isfinite(y)
    order = np.argsort(t[good], kind="stable")
    ratio, place = find_hump(*power_density(t[good][order], y[good][order]), expected, ends=ends)
    return place, ratio


def _excess(frequency: Floats, density: Floats, sums: Floats, at: float) -> tuple[float, float]:
    """Density at a place over that beside it, and the centre of the excess."""
    half = 0.5 * 0.66 * at**0.88
    edges = np.array(
        [at - 4.0 * half, at - 2.0 * half, at - half, at + half, at + 2.0 * half, at + 4.0 * half]
    )
    edges[0] = max(edges[0], 0.4 * at, frequency[0])
    edges[1] = max(edges[1], 0.6 * at)
    index = np.searchsorted(frequency, edges)
    left, inner, right = (index[1] - index[0], index[3] - index[2], index[5] - index[4])
    if min(left, inner, right) < 3:
        return -np.inf, np.nan
    beside = (sums[index[[1, 5]]] - sums[index[[0, 4]]]) / [left, right]
    if not (beside > 0).all():
        return -np.inf, np.nan
    x = np.log([frequency[index[0] : index[1]].mean(), frequency[index[4] : index[5]].mean()])
    slope = (np.log(beside[1]) - np.log(beside[0])) / (x[1] - x[0])
    near = slice(index[1], index[4])
    line = beside[0] * np.exp(slope * (np.log(frequency[near]) - x[0]))
    excess = np.maximum(density[near] - line, 0.0)
    core = slice(index[2] - index[1], index[3] - index[1])
    ratio = float(density[near][core].mean() / line[core].mean())
    weight = excess * np.exp(-0.5 * ((frequency[near] - at) / half) ** 2)
    total = float(weight.sum())
    return ratio, float((weight * frequency[near]).sum() / total) if total > 0 else at
