"""Orbits put into the epochs and errors that a survey has, to see which of them a rule finds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.table2 import stars_together

__all__ = ["Injected", "inject_orbits"]

Floats = NDArray[np.float64]


class Injected(NamedTuple):
    """A survey whose every star has an orbit.

    Attributes
    ----------
    measurements : pyarrow.Table
        Rows of each star together, ``rv`` replaced; null where it was null, or had no positive error.
    star_id : pyarrow.Array
        Of each star, in the order of its first row, which is that of `rv_variability` too.
    amplitude, period : ndarray of float64, shape (stars,)
        K (km/s) and P (d).
    """

    measurements: pa.Table
    star_id: pa.Array
    amplitude: Floats
    period: Floats


def inject_orbits(
    measurements: pa.Table,
    *,
    amplitudes: tuple[float, float] = (0.3, 100.0),
    periods: tuple[float, float] = (1.0, 1000.0),
    error_floor: float = 0.0,
    seed: int = 0,
) -> Injected:
    """Replace all velocities by those of random circular orbits, with noise of the stated errors.

    K and P are drawn evenly in their logarithms, phases evenly.  So the completeness of a rule is known for
    the survey's own cadence and errors, whatever stars it has.  What the epochs of a star cannot show, such
    as periods much longer than its baseline, counts as missed.

    Parameters
    ----------
    measurements : pyarrow.Table
        All rows of some stars, in any order: ``star_id``, ``mjd`` (d), ``rv`` and ``rv_err`` (km/s).
    amplitudes, periods : tuple of float
        Least and largest K (km/s) and P (d).
    error_floor : float
        km/s, added to errors in quadrature.
    seed : int
        Of the random numbers.

    Raises
    ------
    UsageError
        For ranges that are not positive and rising, or a negative floor.
    """
    for name, (low, high) in {"amplitudes": amplitudes, "periods": periods}.items():
        if not 0.0 < low <= high < np.inf:
            raise UsageError(f"{name} must be positive and rise, not {low} to {high}")
    if not 0.0 <= error_floor < np.inf:
        raise UsageError(f"error_floor must be 0 km/s or more, not {error_floor}")
    table, first = stars_together(measurements)
    star = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(table))))
    time, rv, error = (
        table.column(name).combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False)
        for name in ("mjd", "rv", "rv_err")
    )
    rng = np.random.default_rng(seed)
    amplitude, period = (
        low * (high / low) ** rng.uniform(size=len(first)) for low, high in (amplitudes, periods)
    )
    phase = 2 * np.pi * rng.uniform(size=len(first))
    orbit = amplitude[star] * np.cos(2 * np.pi * time / period[star] + phase[star])
    noise = np.hypot(error, error_floor) * rng.standard_normal(len(table))
    value = orbit + noise
    known = np.isfinite(rv) & (error > 0) & np.isfinite(value)
    column = pa.array(np.where(known, value, 0.0), mask=~known)
    made = table.set_column(table.column_names.index("rv"), "rv", column)
    return Injected(made, table.column("star_id").combine_chunks().take(pa.array(first)), amplitude, period)
