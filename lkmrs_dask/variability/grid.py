"""The grid of frequencies of a light curve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError

__all__ = [
    "F_MAX_DEFAULT",
    "F_MIN_DEFAULT",
    "MOST_BINS",
    "FrequencyGrid",
    "check_limits",
    "frequency_grid",
    "nyquist",
]

Floats = NDArray[np.float64]

F_MIN_DEFAULT = 0.05
"""Cycles per day: below, what spacecraft and stitching leave is more than what stars do (ours)."""

F_MAX_DEFAULT = 100.0
"""Cycles per day, for light curves whose Nyquist frequency is higher."""

MOST_BINS = 20_000_000
"""A transform of more bins than these is taken for a mistake in the settings (0.3 GB a spectrum)."""


@dataclass(frozen=True)
class FrequencyGrid:
    """Whole multiples of one step.

    Parameters
    ----------
    step : float
        Cycles per day.
    first, last : int
        The grid is ``step * arange(first, last + 1)``.
    oversampling : float
        1 / (step x baseline).
    """

    step: float
    first: int
    last: int
    oversampling: float

    def __len__(self) -> int:
        return self.last - self.first + 1

    @property
    def frequency(self) -> Floats:
        """Cycles per day, shape (n,)."""
        values: Floats = self.step * np.arange(self.first, self.last + 1, dtype=np.float64)
        return values


def peak_shift(left: float, top: float, right: float) -> float:
    """Bins from a local maximum to the vertex of the parabola through it and its neighbours: half at most."""
    bend = left - 2.0 * top + right
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5))


def nyquist(time: Floats) -> float:
    """Half the rate of the median interval of rising times, cycles per day."""
    return float(0.5 / np.median(np.diff(time)))


def check_limits(f_min: float | None, f_max: float | None, oversampling: float) -> None:
    """See whether limits of frequencies make sense, whatever the light curve.

    Raises
    ------
    UsageError
        When they do not.
    """
    if not (math.isfinite(oversampling) and 1.0 <= oversampling <= 1000.0):
        raise UsageError(f"oversampling must be from 1 to 1000, not {oversampling}")
    if f_min is not None and not (math.isfinite(f_min) and f_min >= 0.0):
        raise UsageError(f"f_min must be 0 or more cycles per day, not {f_min}")
    if f_max is not None and not (math.isfinite(f_max) and f_max > 0.0):
        raise UsageError(f"f_max must be above 0 cycles per day, not {f_max}")
    if f_min is not None and f_max is not None and f_min >= f_max:
        raise UsageError(f"no frequency lies between f_min {f_min:g} and f_max {f_max:g} per day")


def frequency_grid(
    time: Floats,
    f_min: float | None = None,
    f_max: float | None = None,
    oversampling: float = 10.0,
) -> FrequencyGrid:
    """Grid of a light curve.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        Days, rising, not all equal.
    f_min, f_max : float, optional
        Cycles per day.  By default 2 / baseline or 0.05, whichever is higher, and the Nyquist frequency of
        the median interval or 100, whichever is lower.  The grid lies within.
    oversampling : float
        Points a resolution element 1 / baseline.

    Raises
    ------
    UsageError
        When a limit makes no sense or the grid would be too large.
    """
    baseline = float(time[-1] - time[0])
    low = max(2.0 / baseline, F_MIN_DEFAULT) if f_min is None else float(f_min)
    high = min(nyquist(time), F_MAX_DEFAULT) if f_max is None else float(f_max)
    check_limits(f_min, None, oversampling)
    step = 1.0 / (oversampling * baseline)
    if not (math.isfinite(high) and high / step <= MOST_BINS):
        raise UsageError(
            f"f_max must be finite, and the grid of at most {MOST_BINS:,} steps of {step:.3g} per day: "
            f"{high} is too high"
        )
    first, last = max(1, math.ceil(low / step - 1e-9)), math.floor(high / step + 1e-9)
    if last < first:
        raise UsageError(f"no frequency lies between f_min {low:g} and f_max {high:g} per day")
    return FrequencyGrid(step, first, last, float(oversampling))
