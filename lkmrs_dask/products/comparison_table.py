"""Comparisons with other surveys (section 3.3) as tables: lines and residuals, and offsets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.table import Column, Table

from lkmrs_dask.products.table_files import write_table
from lkmrs_dask.schema import PARAMETERS
from lkmrs_dask.stars.comparison import Comparison
from lkmrs_dask.stars.offsets import Offsets

__all__ = ["comparison_rows", "comparison_table", "offsets_table", "write_comparison", "write_offsets"]

_LINES = {
    "": ("line", "weighted least squares over the densest pixels (section 3.3)"),
    "_plain": ("plain", "ordinary least squares of all stars"),
    "_corrected": ("corrected", "regression that allows for the errors of both"),
}
_RESIDUALS = {
    "mean": "Mean of ours - theirs",
    "median": "Median of ours - theirs",
    "rms": "Root mean square of ours - theirs",
    "std": "Standard deviation of ours - theirs (N - 1)",
    "robust_scatter": "1.4826 times the median absolute deviation of ours - theirs",
}
_COUNTS = {
    "n_outliers": "Stars that the corrected regression set aside",
    "n_without_theirs_err": "Stars left out of the corrected regression: their error is unknown",
    "n_missing_ours": "Stars without a value of ours",
    "n_missing_theirs": "Stars with a value of ours and none of theirs",
    "n_beyond_limits": "Stars left out: a value that no star has, such as -9999",
}
_TEXTS = {
    "survey": "The other survey",
    "parameter": "Parameter",
    "class": "Stars: all, giant or dwarf by log g of ours",
    "unit": "Unit of the parameter: of all but slopes and numbers",
}


def comparison_rows(
    results: Mapping[tuple[str, str, str], Comparison],
) -> list[dict[str, str | int | float]]:
    """One row per comparison.

    Parameters
    ----------
    results : mapping
        `Comparison` by survey (``apogee``), parameter (``teff``) and class (``giant``).

    Returns
    -------
    list of dict
        In the order of `results`: survey, parameter, class, unit, n; of each of the lines slope, slope_err,
        intercept, intercept_err and n_used, for the second and third with ``_plain`` and ``_corrected``;
        scatter; mean, median, rms, std and robust_scatter of ours - theirs; counts; note, which says why
        there is no line.
    """
    rows = []
    for (survey, parameter, sample), one in results.items():
        unit = PARAMETERS[parameter].unit if parameter in PARAMETERS else ""
        row: dict[str, str | int | float] = {"survey": survey, "parameter": parameter, "class": sample}
        row |= {"unit": unit, "n": one.n}
        for ending, (attribute, _) in _LINES.items():
            line = getattr(one, attribute)
            row |= {
                f"{name}{ending}": getattr(line, name)
                for name in ("slope", "slope_err", "intercept", "intercept_err", "n_used")
            }
        row["scatter"] = one.scatter
        row |= {name: getattr(one.residuals, name) for name in _RESIDUALS}
        row |= {name: getattr(one, name) for name in _COUNTS}
        reasons = {
            f"{kind}: {reason}" if kind else reason: None
            for kind, reason in (
                ("", one.plain.reason),
                ("densest pixels", one.line.reason if one.line.reason != one.plain.reason else ""),
                ("corrected", one.corrected.reason if one.corrected.reason != one.plain.reason else ""),
            )
            if reason
        }
        row["note"] = "; ".join(reasons)
        rows.append(row)
    return rows


def _descriptions() -> dict[str, str]:
    about = {**_TEXTS, "n": "Stars with both values"}
    for ending, (_, what) in _LINES.items():
        about |= {
            f"slope{ending}": f"Slope of ours on theirs, {what}",
            f"slope_err{ending}": f"Standard error of slope{ending} (bootstrap)",
            f"intercept{ending}": f"Intercept, {what}",
            f"intercept_err{ending}": f"Standard error of intercept{ending} (bootstrap)",
            f"n_used{ending}": f"Stars in this regression: {what}",
        }
    about["scatter"] = "Scatter of ours about the corrected line beyond the stated errors of both"
    return {**about, **_RESIDUALS, **_COUNTS, "note": "Why there is no line"}


def comparison_table(results: Mapping[tuple[str, str, str], Comparison]) -> Table:
    """Comparisons as an astropy table with descriptions; see `comparison_rows`."""
    rows = comparison_rows(results)
    table = Table(meta={"title": "Comparison with other surveys: ours = slope x theirs + intercept"})
    for name, description in _descriptions().items():
        text = name in _TEXTS or name == "note"
        dtype: type = str if text else np.int64 if name == "n" or name.startswith("n_") else np.float64
        table[name] = Column([row[name] for row in rows], dtype=dtype, description=description)
    return table


def offsets_table(results: Mapping[tuple[str, str, str], Offsets]) -> Table:
    """Offsets as an astropy table.

    Parameters
    ----------
    results : mapping
        `Offsets` by survey, parameter and the quantity that the windows are of (``teff`` or ``feh``).

    Returns
    -------
    astropy.table.Table
        A row per window that holds a star.
    """
    about = {
        "survey": "The other survey",
        "parameter": "Parameter",
        "unit": "Unit of median and error",
        "by": "What the windows are of",
        "by_unit": "Unit of low, high and centre",
        "low": "Lower border of the window, in it",
        "high": "Upper border of the window",
        "centre": "Median of the quantity in the window",
        "median": "Median of ours - theirs, NaN for too few stars",
        "error": "Standard error of the median",
        "n": "Stars",
    }
    columns: dict[str, list] = {name: [] for name in about}
    for (survey, parameter, by), one in results.items():
        unit, by_unit = (PARAMETERS[name].unit if name in PARAMETERS else "" for name in (parameter, by))
        some = one.n > 0
        for name, value in (
            ("survey", survey), ("parameter", parameter), ("unit", unit), ("by", by), ("by_unit", by_unit)
        ):  # fmt: skip
            columns[name] += [value] * int(some.sum())
        for name in ("low", "high", "centre", "median", "error", "n"):
            columns[name] += getattr(one, name)[some].tolist()
    table = Table(meta={"title": "Offsets from other surveys in windows of Teff and [Fe/H]"})
    for name, description in about.items():
        dtype: type = np.int64 if name == "n" else np.float64
        if name in ("survey", "parameter", "unit", "by", "by_unit"):
            dtype = str
        table[name] = Column(columns[name], dtype=dtype, description=description)
    return table


def write_comparison(table: Table, folder: str | os.PathLike) -> list[Path]:
    """Write `comparison_table` as ``comparison.csv``, ``.ecsv`` and ``.txt``.

    Parameters
    ----------
    table : astropy.table.Table
    folder : path
        Made where it is missing.

    Returns
    -------
    list of pathlib.Path
        The files, each written whole or not at all.
    """
    return write_table(table, folder, "comparison")


def write_offsets(table: Table, folder: str | os.PathLike) -> list[Path]:
    """Write `offsets_table` as ``offsets.csv``, ``.ecsv`` and ``.txt``; see `write_comparison`."""
    return write_table(table, folder, "offsets")
