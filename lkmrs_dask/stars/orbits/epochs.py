"""Velocities of one star in the form in which orbits are fitted to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError

__all__ = ["Epochs"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Epochs:
    """Usable velocities, sorted by time, centred on their weighted means.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        Days after `middle`.
    rv : ndarray of float64, shape (n,)
        km/s above `offset`.
    error : ndarray of float64, shape (n,)
        Standard errors, jitter included, km/s.
    middle, offset : float
        Time and velocity from which the others are counted.
    n_epochs : int
        Velocities further apart than the gap that tells epochs apart.
    n_unused : int
        Rows without a finite time, velocity, or positive error.
    """

    time: Floats
    rv: Floats
    error: Floats
    middle: float
    offset: float
    n_epochs: int
    n_unused: int

    @property
    def n(self) -> int:
        """How many velocities."""
        return len(self.time)

    @property
    def baseline(self) -> float:
        """Days from the first to the last."""
        return float(self.time[-1] - self.time[0]) if self.n else 0.0

    @property
    def weight(self) -> Floats:
        """One over the variances."""
        return self.error**-2.0

    @property
    def spread(self) -> float:
        """Standard deviation of the velocities, without weights."""
        return float(np.std(self.rv)) if self.n else 0.0

    def wider(self, jitter: float) -> Epochs:
        """The same with an error added in quadrature, centred anew."""
        error = np.hypot(self.error, jitter)
        mean = float(np.average(self.rv, weights=error**-2.0))
        return replace(self, rv=self.rv - mean, error=error, offset=self.offset + mean)

    @classmethod
    def of(cls, time: ArrayLike, rv: ArrayLike, rv_err: ArrayLike, jitter: float, gap: float) -> Epochs:
        """Leave out what cannot be used, sort and centre the rest.

        Raises
        ------
        UsageError
            When the three do not have one dimension and the same length.
        """
        columns = [np.asarray(one, np.float64) for one in (time, rv, rv_err)]
        if columns[0].ndim != 1 or len({one.shape for one in columns}) > 1:
            shapes = ", ".join(str(one.shape) for one in columns)
            raise UsageError(f"time, rv and rv_err must have one dimension and the same length, not {shapes}")
        good = np.logical_and.reduce([np.isfinite(one) for one in columns]) & (columns[2] > 0)
        t, v, error = (one[good] for one in columns)
        order = np.lexsort((error, v, t))  # so that the order of the rows changes nothing
        t, v, error = t[order], v[order], np.hypot(error[order], jitter)
        n_epochs = int(np.count_nonzero(np.diff(t) > gap)) + 1 if len(t) else 0
        if not len(t):
            return cls(t, v, error, np.nan, np.nan, 0, int(np.count_nonzero(~good)))
        # Weights of tiny errors overflow, those relative to the least one do not.
        weight = (error / error.min()) ** -2.0
        middle, offset = (float(np.average(one, weights=weight)) for one in (t, v))
        unused = int(np.count_nonzero(~good))
        return cls(t - middle, v - offset, error, middle, offset, n_epochs, unused)
