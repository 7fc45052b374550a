"""Checks that settings make of their own values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from lkmrs_dask.errors import UsageError

__all__ = ["check_types", "check_values"]


def check_types(settings: Any, *, but: tuple[str, ...] = ()) -> None:
    """See whether every setting has the type of its default; a whole number may stand for a float.

    Parameters
    ----------
    settings : dataclass
        With a default for each field.
    but : tuple of str
        Fields that are checked otherwise.

    Raises
    ------
    UsageError
        Names the first that has another type.
    """
    for one in fields(settings):
        value, kind = getattr(settings, one.name), type(one.default)
        fits = type(value) is kind or (kind is float and type(value) is int)
        if not fits and one.name not in but:
            raise UsageError(f"{one.name} must be of type {kind.__name__}, not {value!r}")


def check_values(settings: Any, checks: Mapping[str, tuple[bool, str]]) -> None:
    """See whether settings are within their limits.

    Parameters
    ----------
    settings : dataclass
        Checked by `check_types`.
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
