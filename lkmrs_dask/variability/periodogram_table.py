"""Periodograms of the stars of a partition: a row a star and mission, with the spectrum as a list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from lkmrs_dask.schema import Column, TableSchema
from lkmrs_dask.variability.curve_settings import CurveSettings
from lkmrs_dask.variability.frequency_settings import FrequencySettings
from lkmrs_dask.variability.grid import FrequencyGrid
from lkmrs_dask.variability.noise import local_noise
from lkmrs_dask.variability.periodogram import Periodogram, periodogram
from lkmrs_dask.variability.star_curves import CurveColumns, StarCurve, guarded, star_curves
from lkmrs_dask.variability.star_rows import IDENTITY, OF_CURVE, star_rows

__all__ = ["PERIODOGRAMS", "periodogram_rows"]

PERIODOGRAMS = TableSchema(
    "periodograms",
    columns=(
        *IDENTITY,
        *OF_CURVE,
        Column("f_first", "float64", "First frequency of the spectrum", "1 / d"),
        Column("f_step", "float64", "Step of its frequencies", "1 / d"),
        Column(
            "amplitude", "list<float32>", "Amplitudes at f_first + f_step x (0, 1, ...), in the unit of flux"
        ),
        Column("peak_frequency", "float64", "Frequency of the highest amplitude", "1 / d"),
        Column("peak_amplitude", "float64", "The highest amplitude, in the unit of flux"),
        Column("peak_snr", "float64", "It over the local noise of the spectrum itself"),
        Column("problem", "string", "Why the star's light curve could not be used; null where it could"),
    ),
    key=("star_id", "mission"),
    sort=("star_id", "mission"),
)
"""What `periodogram_rows` gives; fluxes of this package's catalogues are relative."""

_NOISE = FrequencySettings()


def periodogram_rows(
    table: pa.Table,
    curves: CurveSettings | None = None,
    columns: CurveColumns | None = None,
    *,
    spectrum: bool = True,
    noise: FrequencySettings | None = None,
    **options: Any,
) -> pa.Table:
    """Lomb-Scargle amplitude spectra of all stars of a table.

    Parameters
    ----------
    table : pyarrow.Table
        Whole stars; see `lkmrs_dask.variability.star_curves.star_curves`.
    curves, columns
        See there.
    spectrum : bool
        Keep the spectra; else the list is null, and only the highest peaks are kept.
    noise : FrequencySettings, optional
        What is the noise of ``peak_snr``.
    **options
        Of `lkmrs_dask.variability.periodogram`: ``f_min``, ``f_max``, ``oversampling``, ``backend``.

    Returns
    -------
    pyarrow.Table
        Columns of `PERIODOGRAMS`, a row a star and mission.  One without a usable light curve has its
        ``problem``, and costs no other.
    """
    rows: list[dict[str, Any]] = []
    at: list[int] = []
    for one in star_curves(table, curves, columns):
        found, problem = None, one.problem
        if problem is None:
            found, problem = guarded(_of_star, one, noise or _NOISE, spectrum, options)
        rows.append(one.described() | {"problem": problem} | (found or {}))
        at.append(one.row)
    return star_rows(table, at, rows, PERIODOGRAMS, columns)


def _of_star(
    one: StarCurve, noise: FrequencySettings, spectrum: bool, options: dict[str, Any]
) -> dict[str, Any]:
    found: Periodogram = periodogram(one.curve.time, one.curve.flux, **options)
    frequency, amplitude = found
    step = float(frequency[1] - frequency[0]) if len(frequency) > 1 else float(frequency[0])
    baseline = float(np.ptp(one.curve.time))
    first = round(float(frequency[0]) / step)
    grid = FrequencyGrid(step, first, first + len(frequency) - 1, 1.0 / (step * baseline))
    peak = int(np.argmax(amplitude))
    # The noise's function counts bins from frequency 0.
    power = np.concatenate([np.zeros(first), amplitude**2])
    around = local_noise(power, grid, float(first + peak), noise)
    return {
        "f_first": float(frequency[0]),
        "f_step": step,
        "amplitude": amplitude.astype(np.float32) if spectrum else None,
        "peak_frequency": float(frequency[peak]),
        "peak_amplitude": float(amplitude[peak]),
        "peak_snr": float(amplitude[peak] / around) if around > 0 else None,
    }
