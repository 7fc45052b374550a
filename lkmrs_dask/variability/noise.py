"""Noise of an amplitude spectrum around a frequency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.frequency_settings import FrequencySettings
from lkmrs_dask.variability.grid import FrequencyGrid

__all__ = ["is_mirrored", "local_noise", "noise_definition", "noise_half_width", "rough_noise"]

Floats = NDArray[np.float64]

_LEAST_ELEMENTS = 10.0  # resolution elements 1/T on either side, however short the light curve


def noise_half_width(frequency: float, baseline: float, settings: FrequencySettings) -> float:
    """Half the width of the window of noise, cycles per day."""
    width = settings.window
    if width is None:
        width = settings.window_low if frequency <= settings.window_split else settings.window_high
    return max(width, _LEAST_ELEMENTS / baseline)


def noise_definition(settings: FrequencySettings) -> str:
    """In words, for a result."""
    if settings.window is None:
        width = (
            f"{settings.window_low:g}/d ({settings.window_high:g}/d above {settings.window_split:g}/d)"
            if settings.window_low != settings.window_high
            else f"{settings.window_low:g}/d"
        )
    else:
        width = f"{settings.window:g}/d"
    return (
        f"{settings.noise} residual amplitude within {width} of the frequency, at least "
        f"{_LEAST_ELEMENTS:g}/T, without +-{settings.noise_gap:g}/T, mirrored at the edges"
    )


def is_mirrored(grid: FrequencyGrid, place: float, settings: FrequencySettings) -> bool:
    """Whether the window of noise reaches beyond the low end of the grid: lobes count twice there."""
    return int(place) - _half(grid, place, settings) < grid.first


def _half(grid: FrequencyGrid, place: float, settings: FrequencySettings) -> int:
    baseline = 1.0 / (grid.step * grid.oversampling)
    return int(noise_half_width(grid.step * place, baseline, settings) / grid.step)


def local_noise(power: Floats, grid: FrequencyGrid, place: float, settings: FrequencySettings) -> float:
    """Median or mean amplitude around a place.

    Parameters
    ----------
    power : ndarray of float64, shape (last + 1,)
        Squares of amplitudes at bins from 0 to the grid's last.
    grid : FrequencyGrid
    place : float
        In bins.
    settings : FrequencySettings
        `noise`, the windows and `noise_gap`.

    Returns
    -------
    float
        In the unit of the amplitude.  What the window lacks beyond an edge of the grid is taken from within,
        mirrored.
    """
    half = _half(grid, place, settings)
    gap = settings.noise_gap * grid.oversampling
    first, last = grid.first, grid.last
    left, right = int(np.ceil(place - gap)), int(np.floor(place + gap)) + 1
    low, high = int(place) - half, int(place) + half + 1
    parts = [power[max(low, first) : max(left, first)], power[min(right, last + 1) : min(high, last + 1)]]
    if low < first:
        parts.append(_without(power, first + 1, min(2 * first - low, last) + 1, left, right))
    if high > last + 1:
        parts.append(_without(power, max(2 * last - high + 1, first), last, left, right))
    around = np.concatenate(parts)
    if len(around) == 0:  # a grid no wider than the peak
        return float("nan")
    if settings.noise == "mean":
        return float(np.sqrt(around).mean())
    return float(np.sqrt(_median(around)))


def rough_noise(power: Floats, grid: FrequencyGrid, settings: FrequencySettings) -> Floats:
    """Noise at all bins of the grid, from medians of blocks half a window wide: to some twenty per cent.

    Parameters
    ----------
    power, grid, settings
        As for `local_noise`.

    Returns
    -------
    ndarray of float64, shape (last + 1,)
        Median amplitude, whichever average the settings ask for: it is the lower one.
    """
    curve = np.full(grid.last + 1, np.inf)
    split = int(np.clip(settings.window_split / grid.step, grid.first, grid.last + 1))
    for low, high in ((grid.first, split), (split, grid.last + 1)):
        if high > low:
            width = min(_half(grid, low + 1, settings), high - low)
            n = (high - low) // width
            # What does not fill a block at the end is taken for like the last one.
            blocks = power[low : low + n * width].reshape(n, width)
            middle = np.sqrt(np.partition(blocks, width // 2, axis=1)[:, width // 2])
            around = np.concatenate([middle[:1], middle, middle[-1:]])
            smooth = (around[:-2] + around[1:-1] + around[2:]) / 3.0
            curve[low:high] = np.repeat(smooth, width)[np.minimum(np.arange(high - low), n * width - 1)]
    return curve


def _without(power: Floats, low: int, high: int, left: int, right: int) -> Floats:
    """A stretch without the peak itself."""
    return np.concatenate([power[low : max(low, min(left, high))], power[min(high, max(right, low)) : high]])


def _median(values: Floats) -> float:
    middle = len(values) // 2
    return float(np.partition(values, middle)[middle])
