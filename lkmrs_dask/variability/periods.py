"""The period of a variable star: which of its features that is depends on its class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.rules import CLASSES

__all__ = ["period_of"]

_OF_PERIOD = ("EB", "RSCVn", "rotation")
_OF_BASE = ("RRL",)
_OF_MAIN = ("DSCT", "GDOR", "hybrid", "uncertain")


def period_of(variable_class: str, features: Mapping[str, float | None]) -> float:
    """Period of a variable star in days.

    The feature ``period`` is doubled where minima alternate.  That is right for binaries and spotted stars,
    but the minima of a star with several modes alternate too.

    Parameters
    ----------
    variable_class : str
        One of `lkmrs_dask.variability.rules.CLASSES`, or empty.
    features : mapping
        ``period`` (d), ``f_base`` and ``f_main`` (1/d) by name, as `as_mapping` gives them; None is NaN.

    Returns
    -------
    float
        EB: the orbital period, RSCVn and rotation: that of rotation (``period``); RRL: 1/f_base; DSCT, GDOR,
        hybrid and uncertain: that of the strongest frequency, 1/f_main.  NaN for red giants, whose
        oscillations ``nu_hump`` tells, for an empty class, and where the feature is not known.

    Raises
    ------
    UsageError
        For a class that is none.
    """
    if variable_class and variable_class not in CLASSES:
        raise UsageError(f"{variable_class!r} is no class; classes are {', '.join(CLASSES)}")
    if variable_class in _OF_PERIOD:
        return _value(features, "period")
    name = "f_base" if variable_class in _OF_BASE else "f_main" if variable_class in _OF_MAIN else None
    frequency = _value(features, name) if name is not None else np.nan
    return 1.0 / frequency if frequency > 0 else np.nan


def _value(features: Mapping[str, float | None], name: str) -> float:
    value = features.get(name)
    return np.nan if value is None else float(value)
