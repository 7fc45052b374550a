"""What APOGEE and GALAH have in common: field stars, and measurements on a scale of the survey's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.external.addressed import noise
from lkmrs_dask.synthetic.external.relations import truth_elsewhere
from lkmrs_dask.synthetic.external.sources import Sources

__all__ = ["NOT_FITTED", "TWOMASS_EPOCH", "bright_field", "measured", "stated_error"]

TWOMASS_EPOCH = 1999.5
"""Epoch of 2MASS's positions, Julian years."""

NOT_FITTED = 0.05
"""Share of field stars without parameters."""

_FIELD_LIMIT = 14.5  # G of the faintest field star of either survey

Floats = NDArray[np.float64]


def bright_field(sources: Sources) -> NDArray[np.bool_]:
    """Field sources that are bright enough; companions are too close to their stars."""
    return (sources.star < 0) & (sources.near < 0) & (sources.g < _FIELD_LIMIT)


def measured(draws: Draws, sources: Sources, survey: str, parameter: str, error: Floats) -> Floats:
    """Values with noise on the survey's own scale.

    Parameters
    ----------
    draws : Draws
        Random numbers.
    sources : Sources
        The sources.
    survey, parameter : str
        As in `relations.RELATIONS`.
    error : ndarray of float64
        Standard deviations.
    """
    here = sources.rv_elsewhere if parameter == "rv" else getattr(sources, parameter)
    true = truth_elsewhere(survey, parameter, here)
    return true + error * noise(draws, sources.number, f"{survey}.{parameter}")


def stated_error(draws: Draws, sources: Sources, what: str, bright: float, faint: float) -> Floats:
    """Errors that rise from `bright` at G = 9 to `faint` at 14.5, with some spread."""
    depth = np.clip((sources.g - 9.0) / 5.5, 0.0, 1.0)
    spread = np.exp(0.15 * noise(draws, sources.number, f"{what}.error"))
    return (bright + (faint - bright) * depth) * spread
