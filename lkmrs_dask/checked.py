"""Checks that settings make of their own values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from lkmrs_dask.errors import UsageError

__all__ = ["check_types", "check_values", "is_number", "is_whole"]


def is_number(value: object, *, finite: bool = True) -> bool:
    """Whether a setting is a number (one that is finite, unless told otherwise), and no truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) if finite else not math.isnan(value)


def is_whole(value: object, low: int, high: int) -> bool:
    """Whether a setting is a whole number within limits, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def check_types(settings: Any) -> None:
    """See whether every setting has the type of its default; a whole number may stand for a float.

    Parameters
    ----------
    settings : dataclass
        With a default for each field.

    Raises
    ------
    UsageError
        Names the first that has another type.
    """
    for one in fields(settings):
        value, kind = getattr(settings, one.name), type(one.default)
        fits = type(value) is kind or (kind is float and type(value) is int)
        if not fits:
            raise UsageError(f"{one.name} must be of type {kind.__name__}, not {value!r}")


def check_values(settings: Any, checks: Mapping[str, tuple[bool, str]]) -> None:
    """See whether settings are within their limits.

    Parameters
    ----------
    settings : dataclass
        Whose types were checked, or are in `checks`.
    checks : mapping
        By name of the setting: whether it is good, and what it must be.

    Raises
    ------
    UsageError
        Names the first that is not good.
    """
    for name, (good, wanted) in checks.items():
        if not good:
            raise UsageError(f"{name} must be {wanted}, not {getattr(settings, name)!r}")
