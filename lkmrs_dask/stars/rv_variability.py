"""RV variables of a table of measurements: a row per star with all that tells whether it varies."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN, STARS, Column, TableSchema
from lkmrs_dask.stars.columns import arrow_column, floats
from lkmrs_dask.stars.limits import within_limits
from lkmrs_dask.stars.rv_settings import RvVariableSettings
from lkmrs_dask.stars.rv_statistics import RvStatistics, rv_statistics
from lkmrs_dask.stars.rv_variable import velocity_scatter
from lkmrs_dask.stars.table2 import stars_together

__all__ = ["LABEL", "NOT_JUDGED", "RV_VARIABILITY", "rv_variability", "rv_variability_columns"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LABEL = "RVV"
"""Of RV variables, as in Table 2."""

NOT_JUDGED = ("no_rv", "no_error", "one_epoch", "few_epochs", "all_equal")
"""Why a star cannot be judged: no velocity; velocities, of which one or none has a positive error; one
velocity, or all at one time; fewer than `least_n`; velocities that are the same to the last digit, which no
spectra give."""

_IDENTITY = (HEALPIX_COLUMN, "star_id", "ra", "dec", "uid")
_LIGHT = 299_792.458  # km/s; what is faster is a missing value of some kind

_KM_S = "km / s"
RV_VARIABILITY = TableSchema(
    "rv_variability",
    columns=(
        *(STARS[name] for name in _IDENTITY),
        Column("n_rv", "int32", "Velocities with a positive error"),
        Column("n_rv_no_error", "int32", "Velocities without a positive error, which are not used"),
        Column("rv_baseline", "float64", "Time from the first to the last velocity", "d"),
        Column("rv_mean", "float64", "Mean velocity, weighted with the errors", _KM_S),
        Column("rv_mean_error", "float64", "Error of rv_mean for a constant velocity", _KM_S),
        Column("rv_std", "float64", "Standard deviation of the velocities", _KM_S),
        Column("rv_typical_error", "float64", "Mean error of a velocity", _KM_S),
        Column("rv_ratio", "float64", "rv_std / rv_typical_error"),
        Column("rv_excess", "float64", "Scatter beyond the errors", _KM_S),
        Column("rv_chi2", "float64", "Chi-square of a constant velocity, n_rv - 1 degrees of freedom"),
        Column("rv_log10_p", "float64", "log10 of the probability of this rv_chi2 or more"),
        Column("rv_max_difference", "float64", "Largest difference of two velocities", _KM_S),
        Column("rv_max_significance", "float64", "Largest difference of two velocities, in its errors"),
        Column("rv_by_paper", "bool", "The standard deviation passes"),
        Column("rv_by_chi2", "bool", "rv_log10_p passes"),
        Column("rv_by_difference", "bool", "Largest difference and its significance pass"),
        Column("rv_variable", "bool", "Is an RV variable by the rule that was set"),
        Column("rv_not_judged", "string", "Why the star cannot be judged; null where it is"),
        Column("label", "string", f"{LABEL} for an RV variable, else null"),
    ),
    key=("star_id",),
    sort=("star_id",),
)
"""What `rv_variability` gives.  Errors hold the floor that was set."""


def rv_variability_columns(present: list[str]) -> tuple[str, ...]:
    """Those columns of a catalogue of measurements that `rv_variability` reads."""
    return tuple(name for name in (*_IDENTITY, "mjd", "rv", "rv_err") if name in present)


def rv_variability(measurements: pa.Table, settings: RvVariableSettings | None = None) -> pa.Table:
    """Tell which stars vary in radial velocity, and by how much.

    Parameters
    ----------
    measurements : pyarrow.Table
        All rows of some stars, in any order: ``star_id``, ``rv``, ``rv_err`` (km/s), ``mjd`` (d), and what
        there is of ``_healpix_29``, ``ra``, ``dec`` and ``uid``.  A missing column is one of nulls.  One row
        per velocity: of a catalogue with a row per arm, in which both have the same velocity, take one arm.
    settings : RvVariableSettings, optional

    Returns
    -------
    pyarrow.Table
        Columns of `RV_VARIABILITY`, a row per star, stars in the order of their first rows.  A star that
        cannot be judged passes no rule.

    Raises
    ------
    CatalogError
        When a row has no star, or there is no column ``star_id``.

    References
    ----------
    LK-MRS-I, section 4.3 and Table 6.
    """
    settings = settings or RvVariableSettings()
    if "star_id" not in measurements.column_names:
        raise CatalogError("measurements have no column star_id: give those of a catalogue of this package")
    table, first = stars_together(measurements.select(rv_variability_columns(measurements.column_names)))
    rv, error, time = (floats(table, name) for name in ("rv", "rv_err", "mjd"))
    rv = np.where(within_limits(rv, "rv"), rv, np.nan)
    with_floor = np.hypot(np.where((error > 0) & (error < _LIGHT), error, np.nan), settings.error_floor)
    found = rv_statistics(rv, with_floor, first, time)
    n_rv = _per_star(np.isfinite(rv), first)
    reason = _reasons(found, n_rv, settings.least_n)
    judged = reason == ""
    paper, chi2, difference = _verdicts(rv, with_floor, first, found, judged, settings)
    variable = {
        "paper": paper, "chi2": chi2, "difference": difference, "either": paper | chi2, "both": paper & chi2,
    }[settings.rule]  # fmt: skip
    columns = {name: _of_first(table, name, first) for name in _IDENTITY} | {
        "n_rv": found.n,
        "n_rv_no_error": n_rv - found.n,
        "rv_baseline": found.baseline,
        "rv_mean": found.mean,
        "rv_mean_error": found.mean_error,
        "rv_std": found.std,
        "rv_typical_error": found.typical_error,
        "rv_ratio": found.std / found.typical_error,
        "rv_excess": found.excess,
        "rv_chi2": found.chi2,
        "rv_log10_p": found.log10_p,
        "rv_max_difference": found.max_difference,
        "rv_max_significance": found.max_significance,
        "rv_by_paper": paper,
        "rv_by_chi2": chi2,
        "rv_by_difference": difference,
        "rv_variable": variable,
        "rv_not_judged": pa.array(reason.tolist(), pa.string(), mask=judged),
        "label": pa.array(np.where(variable, LABEL, "").tolist(), pa.string(), mask=~variable),
    }
    schema = RV_VARIABILITY.arrow()
    return pa.table([arrow_column(columns[field.name], field.type) for field in schema], schema=schema)


def _reasons(found: RvStatistics, n_rv: Ints, least_n: int) -> NDArray[np.str_]:
    """Reason of `NOT_JUDGED` for each star, or nothing."""
    return np.select(
        [
            n_rv == 0,
            (found.n < 2) & (n_rv > found.n),
            (found.n < 2) | (found.baseline == 0.0),
            found.n < least_n,
            found.max_difference == 0.0,
        ],
        NOT_JUDGED,
        "",
    )


def _verdicts(
    rv: Floats, error: Floats, first: Ints, found: RvStatistics, judged: Bools, settings: RvVariableSettings
) -> tuple[Bools, Bools, Bools]:
    """By standard deviation, by chi-square and by largest difference."""
    scatter = velocity_scatter(
        rv, error, first, n_sigma=settings.n_sigma, ddof=settings.ddof, least_n=settings.least_n
    )
    chi2 = found.log10_p < settings.log10_p
    difference = (found.max_difference >= settings.max_difference) & (
        found.max_significance > settings.difference_sigma
    )
    return scatter.variable & judged, chi2 & judged, difference & judged


def _per_star(rows: Bools, first: Ints) -> Ints:
    return np.add.reduceat(rows, first, dtype=np.int64) if len(first) else np.empty(0, np.int64)


def _of_first(table: pa.Table, name: str, first: Ints) -> pa.ChunkedArray | pa.Array:
    if name not in table.column_names:
        return pa.nulls(len(first), STARS[name].arrow_type)
    return table.column(name).take(pa.array(first))
