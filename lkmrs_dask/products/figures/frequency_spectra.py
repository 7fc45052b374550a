"""What a figure of frequencies shows: spectra, the limit, the window, and the period to fold at."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.features import as_mapping, light_curve_features, peaks_of
from lkmrs_dask.variability.frequencies import INSTRUMENTAL, Frequencies
from lkmrs_dask.variability.grid import FrequencyGrid
from lkmrs_dask.variability.noise import local_noise
from lkmrs_dask.variability.shape import fold
from lkmrs_dask.variability.transform import PAD, Transforms

__all__ = ["Fold", "Spectra", "binned_fold", "envelope", "fold_at", "kinds", "make_spectra", "window_reach"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_COLUMNS = 1200  # of a spectrum that is drawn: more than the printed figure resolves
_LIMITS = 200  # frequencies at which the limit is computed
_SIDE_LOBE = 0.2  # of the window: lobes as high are shown, however far off (up to 3.5/d)
_BINS = (100, 50, 25, 10)  # of the folded curve


class Spectra(NamedTuple):
    """Amplitude spectra of a light curve and of its residual.

    Attributes
    ----------
    frequency : ndarray of float64, shape (n,)
        Cycles per day.
    amplitude, residual : ndarray of float64, shape (n,)
        Before anything was taken away, and after; in the unit of flux.
    limit_at, limit : ndarray of float64, shape (m,)
        Least significant amplitude: the S/N that was asked for times the noise in the residual; NaN where
        there is no noise to be had.
    window_at, window : ndarray of float64, shape (k,)
        Spectral window, from 0 on; 1 at 0.
    """

    frequency: Floats
    amplitude: Floats
    residual: Floats
    limit_at: Floats
    limit: Floats
    window_at: Floats
    window: Floats


class Fold(NamedTuple):
    """Where to fold.

    Attributes
    ----------
    period : float
        Days.
    row : int
        Of the strongest independent frequency.
    cycles : int
        Its periods in `period`; 0 where that is no whole number.
    """

    period: float
    row: int
    cycles: int


def make_spectra(transforms: Transforms, found: Frequencies) -> Spectra:
    """Spectra up to the last frequency that was found, or that is left above the limit, and some more.

    Where nothing was found all of the grid is taken.

    Parameters
    ----------
    transforms : Transforms
        Of the light curve.
    found : Frequencies
        In the same light curve.
    """
    grid, series = transforms.grid, transforms.series
    inside = slice(PAD, PAD + grid.last + 1)
    residual = series.flux + series.mean - found.model(series.time + series.time_zero)
    power: Floats = 4.0 * np.abs(transforms.of(residual)[inside]) ** 2
    places, limit = _limit(power, grid, grid.last, found)
    last = grid.last
    if len(found):
        bins = np.arange(grid.first, grid.last + 1)
        above = bins[np.sqrt(power[grid.first :]) > np.interp(bins, places, limit)]
        furthest = max(found.frequency.max() / grid.step, above.max(initial=0))
        last = min(last, max(int(1.25 * furthest), grid.first + 50))
        places, limit = _limit(power, grid, last, found)
    shown = slice(grid.first, last + 1)
    window: Floats = np.abs(transforms.window[PAD : PAD + grid.last + 1])
    amplitude: Floats = 2.0 * np.abs(transforms.data[inside][shown])
    return Spectra(
        grid.step * np.arange(grid.first, last + 1, dtype=np.float64),
        amplitude,
        np.sqrt(power[shown]),
        grid.step * places,
        limit,
        grid.step * np.arange(len(window), dtype=np.float64),
        window,
    )


def _limit(power: Floats, grid: FrequencyGrid, last: int, found: Frequencies) -> tuple[Floats, Floats]:
    """Bins, and the limit there."""
    places = np.unique(np.linspace(grid.first, last, _LIMITS).astype(np.int64)).astype(np.float64)
    noise = [local_noise(power, grid, float(at), found.settings) for at in places]
    return places, found.settings.snr_min * np.array(noise)


def fold_at(days: Floats, values: Floats, found: Frequencies, unit: str) -> Fold | None:
    """Period of the features, else that of the strongest independent frequency.

    Parameters
    ----------
    days, values : ndarray of float64, shape (n,)
        The light curve.
    found : Frequencies
        Instrumental ones do not count; None is returned where there are no others.
    unit : str
        ``other`` where values are no relative flux.
    """
    mine = np.flatnonzero((found.flags & INSTRUMENTAL) == 0)
    if not len(mine):
        return None
    peaks = peaks_of(found, leave_out=INSTRUMENTAL)
    among = np.flatnonzero(peaks.independent) if peaks.independent.any() else np.arange(len(mine))
    best = int(among[np.argmax(peaks.amplitude[among])])
    frequency = float(peaks.frequency[best])
    if unit == "other":  # features are of relative flux; the period does not depend on the scale
        away = values - np.median(values)
        values = 1.0 + 0.1 * away / np.abs(away).max()
    period = as_mapping(light_curve_features(days, values, peaks))["period"]
    if not np.isfinite(period):
        period = 1.0 / frequency
    cycles = int(np.rint(period * frequency))
    whole = cycles > 0 and abs(period * frequency - cycles) < 0.01 * cycles
    return Fold(period, int(mine[best]), cycles if whole else 0)


def envelope(frequency: Floats, amplitude: Floats) -> tuple[Floats, Floats]:
    """Highest values of as many stretches as a figure resolves."""
    step = -(-len(frequency) // _COLUMNS)
    if step <= 2:
        return frequency, amplitude
    starts = np.arange(0, len(frequency), step)
    return frequency[starts], np.maximum.reduceat(amplitude, starts)


def kinds(found: Frequencies) -> tuple[Bools, Bools, Bools]:
    """Which frequencies are independent, which follow from others, and which are the spacecraft's."""
    instrumental = (found.flags & INSTRUMENTAL) > 0
    follows = (found.harmonic_of >= 0) | (found.combination_of[:, 0] >= 0)
    return ~follows & ~instrumental, follows & ~instrumental, instrumental


def window_reach(spectra: Spectra, resolution: float) -> float:
    """Up to which frequency the window is shown: its main lobe, and high side lobes further off."""
    reach = 10.0 * resolution
    off = (spectra.window_at > 3.0 * resolution) & (spectra.window_at < 3.5)
    high = spectra.window_at[off & (spectra.window > _SIDE_LOBE)]
    return min(max(reach, 1.15 * float(high.max(initial=0.0))), float(spectra.window_at[-1]))


def binned_fold(days: Floats, drawn: Floats, period: float) -> tuple[Floats, Floats] | None:
    """Means at phases, in as many bins as have points, NaN in gaps; None where points are too few."""
    possible = [bins for bins in _BINS if 10 * bins <= len(days)]
    if not possible:
        return None
    for bins in possible:
        mean, _, count = fold(days, drawn, period, bins)
        if count.all():
            break
    return (np.arange(bins) + 0.5) / bins, np.where(count > 0, mean, np.nan)
