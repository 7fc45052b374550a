"""How far beyond the frequencies wanted others are searched, lest their side lobes pass for some."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.grid import MOST_BINS, FrequencyGrid, nyquist
from lkmrs_dask.variability.images import MARGIN
from lkmrs_dask.variability.series import Series

__all__ = ["is_even", "searched_grid", "wider_grid"]

Floats = NDArray[np.float64]

_LITTLE_MORE = 1.1  # times as many bins are searched at once where they reach the Nyquist frequency
_EXCESS = 2.0  # times the noise: what the power beyond may be on the average
_SURE = 3.0  # times its own error besides
_OFF, _EVEN = 0.1, 0.9  # share of an interval by which it may differ, and of those that do not differ more
_TOP = 1.0  # cycles per day below the end from which the noise there is taken


def searched_grid(series: Series, wanted: FrequencyGrid) -> FrequencyGrid:
    """Grid from 1/T to 10/T beyond that wanted, or beyond the Nyquist frequency where that is near."""
    limit = nyquist(series.time) / wanted.step
    last = wanted.last
    if last < limit <= _LITTLE_MORE * last:
        last = math.ceil(limit)
    return replace(
        wanted,
        first=min(wanted.first, math.ceil(wanted.oversampling)),
        last=last + math.ceil(MARGIN * wanted.oversampling),
    )


def wider_grid(
    series: Series, searched: FrequencyGrid, power: Floats, residual: Floats
) -> FrequencyGrid | None:
    """Grid up to the Nyquist frequency, when much of the residual varies faster than was searched.

    By Parseval's theorem the mean power of all frequencies follows from the residual itself.

    Parameters
    ----------
    series : Series
    searched : FrequencyGrid
    power : ndarray of float64, shape (last + 1,)
        Squares of the residual's amplitudes at bins from 0 on.
    residual : ndarray of float64, shape (n,)

    Returns
    -------
    FrequencyGrid, optional
        None where there is nothing (power beyond of less than twice the noise at the end), no room, or no
        even sampling.
    """
    limit = min(nyquist(series.time) / searched.step, MOST_BINS)
    inside = float(searched.last)
    if limit <= _LITTLE_MORE * inside:
        return None
    mean = 4.0 * float(series.weights**2 @ residual**2)
    share = inside / (limit - inside)
    beyond = mean + share * (mean - float(power.mean()))
    top = power[-math.ceil(max(_TOP / searched.step, MARGIN * searched.oversampling)) :]
    noise = float(np.median(top)) / math.log(2.0)
    error = share * math.sqrt(searched.oversampling / inside)
    if beyond <= (_EXCESS + _SURE * error) * noise or not is_even(series.time):
        return None
    return replace(searched, last=math.ceil(limit + MARGIN * searched.oversampling))


def is_even(time: Floats) -> bool:
    """Whether most intervals are whole multiples of one: else there is no highest frequency."""
    step = np.diff(time)
    whole = step / np.median(step)
    return float(np.mean(np.abs(whole - np.rint(whole)) < _OFF)) >= _EVEN
