"""Tables of results with a row a star and mission, and the identity that the star has where it is from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from lkmrs_dask.schema import HEALPIX_COLUMN, STARS, Column, TableSchema
from lkmrs_dask.variability.star_curves import CurveColumns

__all__ = ["IDENTITY", "OF_CURVE", "result_schema", "star_rows"]

IDENTITY = tuple(STARS[name] for name in (HEALPIX_COLUMN, "star_id", "ra", "dec"))
"""Columns that say whose a row is: the first of every table of results."""


OF_CURVE = (
    Column("mission", "string", "Kepler, K2, TESS, or empty for others"),
    Column("n_segments", "int32", "Quarters, campaigns or sectors that were used"),
    Column("n_left_out", "int32", "Segments that could not be used"),
    Column("n_points", "int32", "Points"),
    Column("baseline_d", "float64", "From the first to the last point", "d"),
)
"""Columns that say what the light curve is: those that follow; see `StarCurve.described`."""


def result_schema(table: TableSchema, origin: pa.Schema, columns: CurveColumns | None = None) -> pa.Schema:
    """Columns of a table of results, with the types of identity and the names of positions of its origin."""
    names = (columns or CurveColumns()).identity
    here = [
        origin.field(source).with_name(name)
        if source in origin.names
        else STARS[name].to_field()
        if name in STARS
        else pa.field(name, pa.float64())
        for name, source in names.items()
    ]
    return pa.schema([*here, *list(table.arrow())[len(here) :]])


def star_rows(
    table: pa.Table,
    at: Sequence[int],
    rows: Sequence[dict[str, Any]],
    kind: TableSchema,
    columns: CurveColumns | None = None,
) -> pa.Table:
    """Make a table of results.

    Parameters
    ----------
    table : pyarrow.Table
        What they were made of.
    at : sequence of int
        For each result the row whose identity it has.
    rows : sequence of dict
        All other columns; null where they have none.
    kind : TableSchema
        Columns of the results, `IDENTITY` first.
    columns : CurveColumns, optional
        Names in a table of others.
    """
    schema = result_schema(kind, table.schema, columns)
    names = (columns or CurveColumns()).identity
    here = table.take(pa.array(at, pa.int64()))
    own = pa.Table.from_pylist(list(rows), pa.schema(list(schema)[len(names) :]))
    identity = [
        here.column(source) if source in here.column_names else pa.nulls(len(rows), schema.field(name).type)
        for name, source in names.items()
    ]
    return pa.Table.from_arrays([*identity, *own.columns], schema=schema)
