"""The column map and constants of a job file: plain values to checked settings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from lkmrs_dask.errors import UsageError
from lkmrs_dask.readers.column_map import RawName
from lkmrs_dask.schema import TableSchema

__all__ = ["MAPPABLE", "check_names", "parse_column_map"]

MAPPABLE = frozenset({"mjd", "bjd_tdb"})
"""Derived columns that a job may take from the raw table instead."""


def parse_column_map(columns: Mapping[str, object]) -> tuple[tuple[str, RawName], ...]:
    """Make a column map of what a job file says.

    Parameters
    ----------
    columns : mapping
        By column: a raw name, or ``{"from": raw name, "scale": factor}``.

    Returns
    -------
    tuple
        Pairs of a column and its raw name, or its raw name and factor.

    Raises
    ------
    UsageError
        Where an entry is neither.
    """
    return tuple((name, _source(name, value)) for name, value in columns.items())


def _source(name: str, value: object) -> RawName:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping) or not isinstance(value.get("from"), str):
        raise UsageError(
            f'columns.{name} must be a raw name or {{from = "raw name", scale = 1.0}}, not {value!r}'
        )
    if unknown := sorted(value.keys() - {"from", "scale"}):
        raise UsageError(f"columns.{name} has an unknown entry {unknown[0]!r}; known are from and scale")
    if "scale" not in value:
        return value["from"]
    scale = value["scale"]
    if isinstance(scale, bool) or not isinstance(scale, int | float):
        raise UsageError(f"columns.{name}.scale must be a number, not {scale!r}")
    return value["from"], float(scale)


def check_names(schema: TableSchema, columns: Mapping[str, RawName], constants: Mapping[str, object]) -> None:
    """Check that the columns of a job's map and constants exist and may be set.

    Raises
    ------
    UsageError
        For a column that the schema does not have, that this package computes, that holds lists, that is
        both mapped and constant, or that has a factor and is not of a float type.
    """
    for name in (*columns, *constants):
        if name not in schema:
            near = difflib.get_close_matches(name, schema.names, n=3)
            hint = f"; near to it: {', '.join(near)}" if near else ""
            raise UsageError(f"the catalogue {schema.name} has no column {name!r}{hint}")
        if schema[name].derived and name not in MAPPABLE:
            raise UsageError(f"the column {name} is computed and cannot be taken from a table")
        if schema[name].dtype.startswith("list"):
            raise UsageError(f"the column {name} holds lists, which this reader does not read")
        if name in columns and name in constants:
            raise UsageError(f"the column {name} is both mapped and constant")
    for name, source in columns.items():
        if not isinstance(source, str) and not schema[name].dtype.startswith("float"):
            raise UsageError(f"the column {name} is no float column: it cannot be scaled")
