"""What is left of ours - theirs in a comparison, in five numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.stars.regression import robust_scatter

__all__ = ["Residuals"]

Floats = NDArray[np.float64]


class Residuals(NamedTuple):
    """What is left of ours - theirs, all stars; NaN where there is no star.

    `rms` is the root of the mean square (the offset is in it), `std` the standard deviation (N - 1; NaN for
    one star), `robust_scatter` 1.4826 times the median absolute deviation.
    """

    mean: float
    median: float
    rms: float
    std: float
    robust_scatter: float

    @classmethod
    def of(cls, values: Floats) -> Residuals:
        """Numbers of residuals, shape (n,), finite."""
        if not len(values):
            return cls(*[np.nan] * 5)
        std = float(values.std(ddof=1)) if len(values) > 1 else np.nan
        rms = float(np.sqrt(np.mean(values**2)))
        return cls(float(values.mean()), float(np.median(values)), rms, std, robust_scatter(values))
