"""What the parameter of a star can be: values beyond are signs for "unknown", or mistakes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMITS", "within_limits"]

LIMITS: Mapping[str, tuple[float, float]] = {
    "teff": (1000.0, 100_000.0),
    "logg": (-5.0, 10.0),
    "feh": (-10.0, 5.0),
    "alpha_m": (-5.0, 5.0),
    "rv": (-3000.0, 3000.0),
    "vsini": (0.0, 3000.0),
}
"""Lowest and highest value (K, dex, km/s), far beyond those of any star: catalogues write -9999, -999 or 1e20
where they have none."""

_ANY = (-1e30, 1e30)  # whose squares, and squares of these, are numbers


def within_limits(values: NDArray[np.float64], parameter: str | None = None) -> NDArray[np.bool_]:
    """Tell which values the parameter can have; NaN and infinite ones are none.

    Parameters
    ----------
    values : ndarray of float64
        In the unit of `LIMITS`.
    parameter : str, optional
        Its name; for None, and for names not in `LIMITS`, all values to 1e30.

    Examples
    --------
    >>> within_limits(np.array([-9999.0, 5777.0, np.nan]), "teff").tolist()
    [False, True, False]
    """
    low, high = LIMITS.get(parameter, _ANY) if parameter is not None else _ANY
    return np.isfinite(values) & (values >= low) & (values <= high)
