"""Orbits of many stars: a table of velocities in, a table with a row per star and solution out."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.stars.orbits.search import orbit_search
from lkmrs_dask.stars.orbits.settings import OrbitSettings
from lkmrs_dask.stars.orbits.solution import OrbitSolution, OrbitSolutions

__all__ = ["ORBIT_UNITS", "TIME_COLUMNS", "orbit_schema", "orbits_of"]

TIME_COLUMNS = ("bjd_tdb", "mjd", "time")
"""Columns of times in days, the first of which that a table has is taken."""

ORBIT_UNITS = {
    "period": "d", "period_err": "d", "k": "km/s", "k_err": "km/s", "omega": "rad", "omega_err": "rad",
    "t0": "d", "t0_err": "d", "gamma": "km/s", "gamma_err": "km/s", "mass_function": "solMass",
    "baseline": "d", "jitter": "km/s",
}  # fmt: skip
"""Units of the columns that have one; `t0` is of the time scale and zero point of the times given."""

_NUMBERS = tuple(one.name for one in fields(OrbitSolution) if one.name not in ("model", "flags"))
_OF_STAR = ("n", "n_epochs", "n_unused", "baseline", "jitter", "chi2_constant")


def orbit_schema(star_type: pa.DataType) -> pa.Schema:
    """Columns of the table that `orbits_of` gives.

    Parameters
    ----------
    star_type : pyarrow.DataType
        Of ``star_id``.

    Returns
    -------
    pyarrow.Schema
    """
    columns = [pa.field("star_id", star_type), pa.field("rank", pa.int32()), pa.field("status", pa.string())]
    columns += [pa.field("model", pa.string())]
    columns += [pa.field(name, pa.float64()) for name in _NUMBERS]
    whole = ("n", "n_epochs", "n_unused")
    columns += [pa.field(name, pa.int32() if name in whole else pa.float64()) for name in _OF_STAR]
    return pa.schema([*columns, pa.field("flags", pa.string())])


def orbits_of(table: pa.Table, settings: OrbitSettings | None = None) -> pa.Table:
    """Find the orbits of every star of a table.

    Parameters
    ----------
    table : pyarrow.Table
        A row per velocity, in any order: ``star_id``, a time in days (the first of `TIME_COLUMNS` that is
        there), ``rv`` and ``rv_err`` in km/s.  Rows without a star belong to none and are left out.
    settings : OrbitSettings, optional
        See there.

    Returns
    -------
    pyarrow.Table
        `orbit_schema`: stars in order of their id, solutions by rank from 1.  A star without a solution has
        one row of rank 0 with the reason as its ``status`` and nulls.  ``flags`` are joined by commas.  What
        does not apply (an eccentricity's error of a circular orbit) is null.

    Raises
    ------
    CatalogError
        When a column is missing or is no number.
    """
    settings = settings or OrbitSettings()
    star, columns = _columns(table)
    schema = orbit_schema(star.type)
    order = pc.sort_indices(star).to_numpy(zero_copy_only=False) if len(star) else np.empty(0, np.int64)
    order = order[: len(star) - star.null_count]  # nulls come last
    star = star.take(pa.array(order))
    time, rv, rv_err = (one[order] for one in columns)
    firsts = _first_rows(star)
    rows: list[dict[str, Any]] = []
    for first, end in zip(firsts, np.append(firsts, len(star))[1:], strict=True):
        part = slice(first, end)
        rows += _rows_of_star(star[int(first)].as_py(), time[part], rv[part], rv_err[part], settings)
    return pa.Table.from_pylist(rows, schema=schema)


def _columns(table: pa.Table) -> tuple[pa.Array, list[NDArray[np.float64]]]:
    """Stars, and times, velocities and errors with NaN for nulls."""
    time = next((name for name in TIME_COLUMNS if name in table.column_names), None)
    missing = [name for name in ("star_id", "rv", "rv_err") if name not in table.column_names]
    if time is None:
        missing.append(" or ".join(TIME_COLUMNS))
    if missing:
        raise CatalogError(f"no column {', '.join(missing)} in a table of {', '.join(table.column_names)}")
    columns = []
    for name in (str(time), "rv", "rv_err"):
        column = table.column(name)
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            raise CatalogError(f"column {name} must hold numbers, not {column.type}")
        columns.append(pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy())
    return table.column("star_id").combine_chunks(), columns


def _first_rows(star: pa.Array) -> NDArray[np.int64]:
    if not len(star):
        return np.empty(0, np.int64)
    changed = pc.not_equal(star[1:], star[:-1]).to_numpy(zero_copy_only=False)
    return np.append(0, np.flatnonzero(changed) + 1)


def _rows_of_star(
    star: Any,
    time: NDArray[np.float64],
    rv: NDArray[np.float64],
    rv_err: NDArray[np.float64],
    settings: OrbitSettings,
) -> list[dict[str, Any]]:
    try:
        found = orbit_search(time, rv, rv_err, settings)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as fault:
        # One star's numbers must not cost the others theirs; the row says what happened.
        found = OrbitSolutions((), f"failed: {fault}", len(time), 0, 0, np.nan, np.nan, np.nan)
    common = {"star_id": star, "status": found.status}
    common |= {name: _number(getattr(found, name)) for name in _OF_STAR}
    if not found.solutions:
        return [common | {"rank": 0}]
    return [
        common
        | {"rank": rank, "model": one.model, "flags": ",".join(one.flags)}
        | {name: _number(getattr(one, name)) for name in _NUMBERS}
        for rank, one in enumerate(found.solutions, start=1)
    ]


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
