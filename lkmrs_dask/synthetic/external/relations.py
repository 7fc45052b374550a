r"""The known relation between LK-MRS and other surveys, which a comparison must give back.

.. math:: x_\mathrm{LK} = \mathrm{slope} \cdot x_\mathrm{other} + \mathrm{intercept}

Slopes are the paper's (section 5): it states one for all surveys.  Intercepts of single panels stand only in
its figures; those used here are ours: the scales agree at the pivots, and velocities within 0.6 km/s (section
3.3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["RELATIONS", "Relation", "truth_elsewhere"]


class Relation(NamedTuple):
    """LK-MRS as a function of another survey; the intercept has the parameter's unit."""

    survey: str
    parameter: str
    slope: float
    intercept: float
    unit: str


_PIVOTS = (
    ("teff", 0.92, 5200.0, "K"),
    ("logg", 1.03, 3.5, "dex"),
    ("feh", 0.75, -0.10, "dex"),
    ("alpha_m", 0.42, 0.05, "dex"),
)
_RV_INTERCEPTS = {"apogee": -0.3, "galah": 0.4, "gaia": 0.2}

RELATIONS: tuple[Relation, ...] = (
    *(
        Relation(survey, parameter, slope, round((1.0 - slope) * pivot, 6), unit)
        for survey in ("apogee", "galah")
        for parameter, slope, pivot, unit in _PIVOTS
    ),
    *(Relation(survey, "rv", 1.00, intercept, "km/s") for survey, intercept in _RV_INTERCEPTS.items()),
)
"""All relations."""

_BY_NAME = {(relation.survey, relation.parameter): relation for relation in RELATIONS}


def truth_elsewhere(survey: str, parameter: str, here: NDArray[np.float64]) -> NDArray[np.float64]:
    """Value on another survey's scale.

    Parameters
    ----------
    survey : str
        ``apogee``, ``galah`` or ``gaia``.
    parameter : str
        ``teff``, ``logg``, ``feh``, ``alpha_m`` or ``rv``; one without a relation is the same everywhere.
    here : ndarray of float64
        True value on the scale of LK-MRS.
    """
    relation = _BY_NAME.get((survey, parameter))
    return here if relation is None else (here - relation.intercept) / relation.slope
