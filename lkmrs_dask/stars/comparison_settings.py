"""Settings of comparisons with other surveys: plain values, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lkmrs_dask.checked import is_number, is_whole
from lkmrs_dask.errors import UsageError

__all__ = ["ComparisonSettings", "OffsetSettings"]


@dataclass(frozen=True)
class ComparisonSettings:
    """Settings of comparisons; plain values.

    Parameters
    ----------
    grid : int
        Pixels of the density along each axis.
    smoothing : float
        Standard deviation of the density's Gaussian kernel, in pixels.
    enclosed : float
        Share of the density that the pixels used for the regression enclose.
    clip : float
        Standard deviations beyond which the fit for errors in both coordinates sets a star aside.
    n_bootstrap : int
        Resamplings of the stars for the errors of the lines; 0 for no errors.
    seed : int
        Of the resamplings.
    least : int
        Fewest stars for a regression, at least 3.
    logg_limit : float
        Surface gravity (dex) from which on a star is a dwarf.

    Raises
    ------
    UsageError
        For a value that makes no sense.
    """

    grid: int = 100
    smoothing: float = 2.5
    enclosed: float = 0.8
    clip: float = 5.0
    n_bootstrap: int = 200
    seed: int = 1
    least: int = 10
    logg_limit: float = 3.5

    def __post_init__(self) -> None:
        for name, lowest, highest in (
            ("grid", 10, 2000), ("n_bootstrap", 0, 10**6), ("seed", 0, 2**63 - 1), ("least", 3, 10**9),
        ):  # fmt: skip
            value = getattr(self, name)
            if not is_whole(value, lowest, highest):
                raise UsageError(f"{name} must be an integer from {lowest} to {highest}, not {value!r}")
        for name in ("smoothing", "enclosed", "clip", "logg_limit"):
            value = getattr(self, name)
            if not is_number(value):
                raise UsageError(f"{name} must be a number, not {value!r}")
        if not 0 <= self.smoothing <= self.grid / 20:
            raise UsageError(
                f"smoothing must be from 0 to grid / 20, {self.grid / 20:g}, not {self.smoothing!r}"
            )
        if not 0 < self.enclosed <= 1:
            raise UsageError(f"enclosed must be above 0 and at most 1, not {self.enclosed!r}")
        if self.clip < 3:
            raise UsageError(f"clip must be 3 or more: less cuts good stars, not {self.clip!r}")


@dataclass(frozen=True)
class OffsetSettings:
    """Settings of offsets; plain values.

    Parameters
    ----------
    teff_width, feh_width : float
        Width of a window in Teff (K) and [Fe/H] (dex).
    step : float
        From one window to the next, in widths: 1 for windows side by side, less for windows that overlap.
    least : int
        Fewest stars of a window; those with fewer are counted, and have no median.

    Raises
    ------
    UsageError
        For a value that makes no sense.
    """

    teff_width: float = 250.0
    feh_width: float = 0.2
    step: float = 1.0
    least: int = 10

    def __post_init__(self) -> None:
        for name, highest in (("teff_width", math.inf), ("feh_width", math.inf), ("step", 1.0)):
            value = getattr(self, name)
            if not is_number(value) or not 0 < value <= highest:
                limit = "" if highest == math.inf else f" and at most {highest:g}"
                raise UsageError(f"{name} must be a number above 0{limit}, not {value!r}")
        if self.step < 0.01:
            raise UsageError(f"step must be 0.01 or more, not {self.step!r}")
        if isinstance(self.least, bool) or not isinstance(self.least, int) or self.least < 2:
            raise UsageError(f"least must be an integer from 2 on, not {self.least!r}")
