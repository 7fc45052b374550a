"""One row per star from its measurements: the star catalogue of Table 2."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN, PARAMETERS, STARS
from lkmrs_dask.stars.columns import floats
from lkmrs_dask.stars.limits import within_limits
from lkmrs_dask.stars.means import VSINI_LIMIT, StarWeights, squared_weight

__all__ = ["STAR_COLUMNS", "measurement_columns", "star_table", "stars_together"]

_LARGEST = 1e6
_IDENTITY = (HEALPIX_COLUMN, "star_id", "ra", "dec")

_FROM_ELSEWHERE = ("kic_epic", "kic_epic_separation", "tic", "field", "label")

STAR_COLUMNS = tuple(name for name in STARS.names if name not in _FROM_ELSEWHERE)
"""Columns that come from the measurements alone."""


def measurement_columns(present: list[str]) -> tuple[str, ...]:
    """Those columns of a catalogue of measurements that `star_table` reads."""
    wanted = (*_IDENTITY, "uid", "gaia_source_id", "snr", *PARAMETERS)
    return tuple(name for name in wanted if name in present)


def stars_together(table: pa.Table) -> tuple[pa.Table, NDArray[np.int64]]:
    """Bring the rows of each star together, which in catalogues built here they are.

    Parameters
    ----------
    table : pyarrow.Table
        Rows with a column ``star_id``, in any order.

    Returns
    -------
    table : pyarrow.Table
        Stars in the order of their first rows, the rows of each in their order.
    first : ndarray of int64, shape (stars,)
        First row of each star.

    Raises
    ------
    CatalogError
        When a row has no star.
    """
    star = table.column("star_id").combine_chunks()
    if star.null_count:
        raise CatalogError(f"{star.null_count} rows have no star_id; drop them or find their stars first")
    if len(star) == 0:
        return table, np.empty(0, np.int64)
    new = pc.not_equal(star[1:], star[:-1]).to_numpy(zero_copy_only=False)
    first = np.concatenate([[0], np.flatnonzero(new) + 1])
    if pc.count_distinct(star.take(pa.array(first))).as_py() == len(first):
        return table, first
    code = pc.dictionary_encode(star).indices.to_numpy()
    order = np.argsort(code, kind="stable")
    return table.take(pa.array(order)), np.flatnonzero(np.diff(code[order], prepend=-1))


def star_table(measurements: pa.Table) -> pa.Table:
    """Weighted means, errors and counts of each star with at least one parameter.

    Parameters
    ----------
    measurements : pyarrow.Table
        All rows of some stars, with the columns of `measurement_columns`; a parameter that is missing
        altogether counts as null.

    Returns
    -------
    pyarrow.Table
        Columns `STAR_COLUMNS`, stars in the order of their first rows.  Where the rows of a star differ in
        position, the star has that of the first.

    Raises
    ------
    CatalogError
        When a row has no star.
    """
    measurements, first = stars_together(measurements)
    columns: dict[str, pa.Array] = {
        name: measurements.column(name).take(pa.array(first)) for name in _IDENTITY
    }
    columns["uid"] = _first_known(measurements, "uid", first)
    columns["gaia_source_id"] = _first_known(measurements, "gaia_source_id", first)
    spectra = StarWeights(squared_weight(floats(measurements, "snr")), first)
    any_used = np.zeros(len(measurements), dtype=bool)
    for name in PARAMETERS:
        values = floats(measurements, name)
        values = np.where(_possible(values, name), values, np.nan)
        any_used |= np.isfinite(values)
        mean, error, n = spectra.mean(values)
        columns[name] = pa.array(mean, mask=np.isnan(mean))
        columns[f"{name}_err"] = pa.array(error, mask=np.isnan(error))
        columns[f"n_{name}"] = pa.array(n.astype(np.int32))
    times = np.add.reduceat(any_used, first, dtype=np.int32) if len(first) else np.empty(0, np.int32)
    columns["times"] = pa.array(times)
    columns["vsini_upper_limit"] = pc.less(columns["vsini"], VSINI_LIMIT)
    schema = STARS.arrow(STAR_COLUMNS)
    table = pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)
    return table.filter(pa.array(times > 0))


def _possible(values: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
    """Tell which values may be true: of velocities those of stars, of others all but signs such as 1e20."""
    return within_limits(values, name) if name == "rv" else np.abs(values) < _LARGEST


def _first_known(table: pa.Table, name: str, first: NDArray[np.int64]) -> pa.Array:
    """First value that is not null of each star."""
    kind = STARS[name].arrow_type
    if name not in table.column_names:
        return pa.nulls(len(first), kind)
    values = table.column(name)
    if values.null_count == 0:
        return values.take(pa.array(first))
    valid = pc.is_valid(values).to_numpy(zero_copy_only=False)
    nowhere = len(table)
    at = np.minimum.reduceat(np.where(valid, np.arange(nowhere), nowhere), first) if len(first) else first
    return values.take(pa.array(at, mask=at == nowhere))
