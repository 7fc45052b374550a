"""Frequencies of the stars of a partition: a row a star and mission, with lists of what was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from lkmrs_dask.schema import Column, TableSchema
from lkmrs_dask.variability.curve_settings import CurveSettings
from lkmrs_dask.variability.frequencies import Frequencies, find_frequencies
from lkmrs_dask.variability.frequency_settings import INSTRUMENTAL_LINES, FrequencySettings
from lkmrs_dask.variability.star_curves import CurveColumns, StarCurve, guarded, star_curves
from lkmrs_dask.variability.star_rows import IDENTITY, OF_CURVE, star_rows

__all__ = ["FREQUENCIES", "frequency_rows", "mission_settings"]

_RELATIVE = "relative flux"

FREQUENCIES = TableSchema(
    "frequencies",
    columns=(
        *IDENTITY,
        *OF_CURVE,
        Column("time_zero", "float64", "Time of the phases, the middle of the baseline", "d"),
        Column(
            "residual_rms",
            "float64",
            f"Root mean square of the residual, slower and faster ones taken away too, {_RELATIVE}",
        ),
        Column("n_frequencies", "int32", "Frequencies found; null where there is a problem"),
        Column("stopped_by", "string", "noise, or max_frequencies: then there may be more"),
        Column("noise_definition", "string", "What the noise of the S/N is"),
        Column("frequency", "list<float64>", "Frequencies in order of extraction, 1/d"),
        Column("frequency_err", "list<float64>", "Their errors, 1/d"),
        Column("amplitude", "list<float64>", f"Amplitudes, {_RELATIVE}"),
        Column("amplitude_err", "list<float64>", f"Their errors, {_RELATIVE}"),
        Column("phase", "list<float64>", "Phases of cosines at time_zero, rad"),
        Column("phase_err", "list<float64>", "Their errors, rad"),
        Column("snr", "list<float64>", "Amplitudes (at the Nyquist frequency heights of peaks) over noise"),
        Column(
            "harmonic_of",
            "list<int32>",
            "Place from 0 of the frequency that it is a multiple of, or of a part of; -1: none",
        ),
        Column("harmonic", "list<int32>", "Which multiple; 0 for none"),
        Column("harmonic_divisor", "list<int32>", "Of which part of it, 2 for its half; 0 for none"),
        Column("combination_of", "list<int32>", "Places of two parents for each frequency; -1: none"),
        Column("combination", "list<int32>", "Factors of the two parents for each frequency"),
        Column("flags", "list<int32>", "Sum of 1 unresolved, 2 instrumental, 4 aliased"),
        Column("problem", "string", "Why the star's light curve could not be used; null where it could"),
    ),
    key=("star_id", "mission"),
    sort=("star_id", "mission"),
)
"""What `frequency_rows` gives; lists have an entry, or two, for each frequency."""

_LISTS = ("frequency", "frequency_err", "amplitude", "amplitude_err", "phase", "phase_err", "snr",
          "harmonic_of", "harmonic", "harmonic_divisor", "combination_of", "combination",
          "flags")  # fmt: skip
_SCALARS = ("n_points", "baseline_d", "time_zero", "residual_rms", "stopped_by", "noise_definition")


def frequency_rows(
    table: pa.Table,
    settings: FrequencySettings | None = None,
    curves: CurveSettings | None = None,
    columns: CurveColumns | None = None,
    **grid: float | None,
) -> pa.Table:
    """Find the frequencies of all stars of a table.

    Parameters
    ----------
    table : pyarrow.Table
        Whole stars; see `lkmrs_dask.variability.star_curves.star_curves`.
    settings : FrequencySettings, optional
        Of the extraction; without lines of its own those of each curve's mission are flagged.
    curves, columns
        See `star_curves`.
    **grid
        ``f_min``, ``f_max``, ``oversampling`` of `find_frequencies`.

    Returns
    -------
    pyarrow.Table
        Columns of `FREQUENCIES`, a row a star and mission.  One without a usable light curve has its
        ``problem``, and costs no other.
    """
    settings = settings or FrequencySettings()
    limits: dict[str, float | None] = {**(curves.grid() if curves is not None else {}), **grid}
    rows: list[dict[str, Any]] = []
    at: list[int] = []
    for one in star_curves(table, curves, columns):
        found, problem = None, one.problem
        if problem is None:
            of_mission = mission_settings(settings, one.mission)
            found, problem = guarded(
                find_frequencies, one.curve.time, one.curve.flux, settings=of_mission, **limits
            )
        rows.append(_row(one, found, problem))
        at.append(one.row)
    return star_rows(table, at, rows, FREQUENCIES, columns)


def mission_settings(settings: FrequencySettings, mission: str) -> FrequencySettings:
    """Settings with the instrumental lines of a mission, unless they have lines of their own."""
    lines = INSTRUMENTAL_LINES.get(mission.lower(), ())
    return settings if settings.lines or not lines else replace(settings, lines=lines)


def _row(one: StarCurve, found: Frequencies | None, problem: str | None) -> dict[str, Any]:
    row = one.described() | {"problem": problem}
    if found is None:
        return row
    row |= {name: getattr(found, name) for name in _SCALARS}
    row |= {name: np.asarray(getattr(found, name)).ravel() for name in _LISTS}
    return row | {"n_frequencies": len(found)}
