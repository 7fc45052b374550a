"""Light curves as rows of an Arrow table, a row a curve, with lists of points; and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.readers.light_curves.curve import LightCurve

__all__ = ["POINTS", "SCHEMA", "curves_of", "points_batch", "scalars", "to_table"]


def _field(name: str, kind: pa.DataType, description: str, unit: str = "") -> pa.Field:
    return pa.field(name, kind, metadata={"description": description, **({"unit": unit} if unit else {})})


_SCALARS = (
    _field("ra", pa.float64(), "Right ascension, the same for all rows of a star", "deg"),
    _field("dec", pa.float64(), "Declination, the same for all rows of a star", "deg"),
    _field("star_id", pa.string(), "Star: the survey's identifier, else KIC, EPIC or TIC and its number"),
    _field("mission", pa.string(), "Kepler, K2, TESS or empty"),
    _field("target_id", pa.int64(), "KIC, EPIC or TIC number"),
    _field("name", pa.string(), "Star by the file"),
    _field("segment", pa.int32(), "Quarter, campaign or sector"),
    _field("cadence", pa.string(), "long, short, or empty where unknown"),
    _field("exptime", pa.float64(), "Length of a cadence", "s"),
    _field("unit", pa.string(), "Unit of flux and flux_err"),
    _field("time_scale", pa.string(), "BJD_TDB; assumed: taken for it; relative: from an arbitrary zero"),
    _field("author", pa.string(), "Who made the light curve"),
    _field("product", pa.string(), "Which of the author's fluxes it is"),
    _field("n_points", pa.int32(), "Points"),
    _field("n_missing", pa.int32(), "Points of the file without a time or a flux"),
    _field("time_first", pa.float64(), "First time", "d"),
    _field("time_last", pa.float64(), "Last time", "d"),
    _field("source_file", pa.string(), "File that it came from"),
)

POINTS = pa.schema(
    [
        _field("time", pa.list_(pa.float64()), "BJD_TDB; see time_scale", "d"),
        _field("flux", pa.list_(pa.float32()), "Flux; see unit"),
        _field("flux_err", pa.list_(pa.float32()), "Its error, NaN where there is none"),
        _field("quality", pa.list_(pa.int32()), "Flags of the mission"),
    ]
)
"""Columns with a list of points in each row, all of the same length."""

SCHEMA = pa.schema([*_SCALARS, *POINTS])
"""Columns of the catalogue ``light_curves`` beside its sky index."""


def scalars(curve: LightCurve) -> dict[str, Any]:
    """Values of the columns that are no lists; NaN positions and lengths are null."""
    first, last = (float(curve.time.min()), float(curve.time.max())) if len(curve) else (None, None)
    return {
        "ra": _finite(curve.ra),
        "dec": _finite(curve.dec),
        "star_id": curve.star,
        "mission": curve.mission,
        "target_id": curve.target_id,
        "name": curve.name,
        "segment": curve.segment,
        "cadence": curve.cadence,
        "exptime": _finite(curve.exptime),
        "unit": curve.unit,
        "time_scale": curve.time_scale,
        "author": curve.author,
        "product": curve.product,
        "n_points": len(curve),
        "n_missing": curve.n_missing,
        "time_first": first,
        "time_last": last,
        "source_file": curve.source_file,
    }


def points_batch(curve: LightCurve) -> pa.RecordBatch:
    """Points of a curve as one row of lists."""
    offsets = pa.array([0, len(curve)], pa.int32())
    arrays = [
        pa.ListArray.from_arrays(
            offsets, pa.array(np.asarray(getattr(curve, field.name), field.type.value_type.to_pandas_dtype()))
        ).cast(field.type)
        for field in POINTS
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=POINTS)


def to_table(curves: Sequence[LightCurve]) -> pa.Table:
    """Rows of the columns `SCHEMA`.

    Fluxes become float32: they keep 6 parts in 1e8, a hundredth of the noise of Kepler's brightest stars.
    """
    for curve in curves:
        if curve.band is not None:
            raise CatalogError(f"{curve.source_file}: light in several bands has no place in a catalogue")
    left = pa.Table.from_pylist([scalars(curve) for curve in curves], pa.schema(_SCALARS))
    right = pa.Table.from_batches([points_batch(curve) for curve in curves], POINTS).combine_chunks()
    return pa.Table.from_arrays([*left.columns, *right.columns], schema=SCHEMA)


def curves_of(table: pa.Table) -> list[LightCurve]:
    """Light curves of rows of the catalogue.

    Parameters
    ----------
    table : pyarrow.Table
        With the lists and ``unit`` at least; columns that it has not are as in a `LightCurve` without them.

    Raises
    ------
    CatalogError
        Where a list or the unit is not there.
    """
    missing = [name for name in (*POINTS.names, "unit") if name not in table.column_names]
    if missing:
        raise CatalogError(f"the table has no column {', '.join(missing)}, so its rows are no light curves")
    lists = {name: table.column(name) for name in POINTS.names}
    rest = table.select([name for name in table.column_names if name not in POINTS.names]).to_pylist()
    return [
        _curve({name: column[at].values for name, column in lists.items()}, row)
        for at, row in enumerate(rest)
    ]


def _curve(points: Mapping[str, pa.Array], row: Mapping[str, Any]) -> LightCurve:
    texts: dict[str, Any] = {
        key: row.get(key) or "" for key in ("mission", "name", "author", "product", "source_file")
    }

    def number(name: str) -> float:
        value = row.get(name)
        return np.nan if value is None else float(value)

    return LightCurve(
        time=_array(points["time"]),
        flux=_array(points["flux"]),
        flux_err=_array(points["flux_err"]),
        quality=np.asarray(points["quality"], np.int32),
        unit=row["unit"],
        ra=number("ra"),
        dec=number("dec"),
        exptime=number("exptime"),
        time_scale=row.get("time_scale") or "assumed",
        target_id=row.get("target_id"),
        segment=row.get("segment"),
        n_missing=row.get("n_missing") or 0,
        **texts,
    )


def _array(values: pa.Array) -> NDArray[np.float64]:
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
