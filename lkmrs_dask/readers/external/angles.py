"""In which unit a file states its coordinates, and what makes degrees of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.cells import OUT_OF_RANGE
from lkmrs_dask.readers.convert import Use

__all__ = ["HALF_CIRCLE", "degrees_in", "has_faults", "to_the_west", "with_stated_units"]

HALF_CIRCLE = 180.0

_DEGREES = frozenset({"deg", "degree", "degrees", "decimal degrees", "angle[deg]", "deg.", "°"})
_RADIANS = frozenset({"rad", "radian", "radians"})
_HOURS = frozenset({"h", "hr", "hour", "hours", "hourangle", "h:m:s", "hms", "hh:mm:ss", "hh mm ss"})
_PARTS_OF_DEGREES = frozenset({"d:m:s", "dms", "dd:mm:ss", "dd mm ss"})
_AN_HOUR = 15.0


def degrees_in(unit: str, angle: str) -> float | None:
    """Degrees in a unit of an angle.

    Parameters
    ----------
    unit : str
        As a file states it; empty where it does not.
    angle : str
        ``ra`` or ``dec``: hours are those of right ascension.

    Returns
    -------
    float or None
        What numbers are multiplied by; of sexagesimal cells the first part is in this unit.  None where
        numbers are degrees and sexagesimal right ascensions are in hours, as is usual.

    Raises
    ------
    ValueError
        Where the unit is none of an angle.
    """
    known = unit.strip().strip("\"'").lower()
    if not known or known in _DEGREES:
        return None
    if known in _PARTS_OF_DEGREES:
        return 1.0
    if known in _RADIANS:
        return float(np.degrees(1.0))
    if known in _HOURS and angle == "ra":
        return _AN_HOUR
    from astropy import units  # here, because few files need it

    try:
        return float(units.Unit(unit.strip().strip("\"'")).to(units.deg))
    except (ValueError, TypeError, units.UnitConversionError) as fault:
        raise ValueError(f"{unit!r} is no unit of an angle") from fault


def with_stated_units(path: Path, fields: Sequence[pa.Field], uses: Mapping[str, Use]) -> dict[str, Use]:
    """Let the coordinates among some columns become degrees, whatever unit the file states for them.

    Parameters
    ----------
    path : Path
        The file, for messages.
    fields : sequence of pyarrow.Field
        Its columns, with units in their metadata.
    uses : mapping
        What becomes of them, by name.

    Raises
    ------
    InputError
        Where a coordinate's unit is none of an angle.
    """
    units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in fields}
    done = dict(uses)
    for name, use in uses.items():
        unit = units.get(use.raw, "") if use.angle else ""
        if not unit.strip():
            continue
        try:
            done[name] = replace(use, scale=degrees_in(unit, use.angle))
        except ValueError as fault:
            raise InputError(
                f"its unit is stated as {unit}: coordinates must be in degrees, radians, hours of right "
                "ascension or sexagesimal",
                file=path,
                column=use.raw,
            ) from fault
    return done


def has_faults(aside: pa.Table, ra_column: str | None) -> bool:
    """Whether rows were set aside for a right ascension out of its range."""
    if not aside.num_rows:
        return False
    own = pc.and_(pc.equal(aside["column"], ra_column), pc.equal(aside["reason"], OUT_OF_RANGE))
    return bool(pc.any(own).as_py())


def to_the_west(use: Use) -> Use:
    """Let a right ascension count from -180 to 180 deg."""
    return replace(use, column=replace(use.column, minimum=-HALF_CIRCLE)) if use.angle == "ra" else use
