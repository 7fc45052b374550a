"""The speed with which a star leaves the Galaxy, in models of its potential."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.kinematics.settings import POTENTIALS

__all__ = ["AT_CENTRE", "EscapeSpeed", "escape_speed", "exact_escape_speed"]

Floats = NDArray[np.float64]

AT_CENTRE = 1e-3
"""kpc; nearer to the Galactic centre the black hole rules, which none of the models has."""

# The grid: equal steps of ln(r) and of a rational function of |z| / r that puts half of its steps where
# |z| / r is below 0.08, for discs are thin.
_RANGE = (0.1, 1e4)  # kpc
_THIN = 0.1
_NODES = (41, 25)  # at which the model is evaluated
_STEPS = (1024, 256)  # of the grid that is filled from them by cubic splines, and read bilinearly

_LOCK = threading.RLock()


@dataclass(frozen=True, eq=False)
class EscapeSpeed:
    """Escape speed of one model at any place, from a grid where that is exact to 0.1 km/s.

    It is made by `escape_speed`, and can be pickled: making one for McMillan17 or Cautun20 takes most of a
    minute, reading one none.

    Parameters
    ----------
    name : str
        One of `POTENTIALS`.
    squares : ndarray of float64, shape (1024, 256)
        Squares of the speed, (km/s)^2.
    """

    name: str
    squares: Floats

    def __call__(self, radius: ArrayLike, height: ArrayLike = 0.0) -> Floats:
        r"""Escape speed at places in the Galaxy.

        .. math:: v_{esc} = \sqrt{2\,[\Phi(\infty) - \Phi(R, z)]}

        Parameters
        ----------
        radius, height : array_like of float
            Distance R from the axis and height z above the plane, kpc; of shapes that broadcast.

        Returns
        -------
        ndarray of float64
            km/s; NaN for places that are unknown or at the very centre (`AT_CENTRE`).
        """
        big_r, z = np.broadcast_arrays(np.asarray(radius, np.float64), np.asarray(height, np.float64))
        return np.sqrt(self.squared(np.hypot(big_r, z), z))

    def squared(self, distance: Floats, height: Floats) -> Floats:
        """Square of the escape speed at a distance from the centre and a height, kpc, of one shape.

        Outside the grid, within 0.1 kpc of the centre and beyond 10 Mpc, the model itself is evaluated.
        """
        lowest, highest = np.log(_RANGE)
        with np.errstate(divide="ignore", invalid="ignore"):
            row = (np.log(distance) - lowest) * ((_STEPS[0] - 1) / (highest - lowest))
            up = np.abs(height)
            column = up / (up + _THIN * distance) * ((1.0 + _THIN) * (_STEPS[1] - 1))
            inside = (row >= 0.0) & (row < _STEPS[0] - 1)
        whole = bool(inside.all())
        if not whole:
            row, column = np.where(inside, row, 0.0), np.where(inside, column, 0.0)
        found = _bilinear(self.squares, row, column)
        if not whole:
            found[~inside] = _exact(self.name, distance[~inside], height[~inside])
        return found


def _bilinear(grid: Floats, row: Floats, column: Floats) -> Floats:
    """Values between the points of a grid; rows must be below the last, columns may be the last."""
    width, flat = grid.shape[1], grid.ravel()
    at_row = row.astype(np.intp)
    at_column = np.minimum(column.astype(np.intp), width - 2)
    down, along = row - at_row, column - at_column
    at = at_row * width + at_column
    upper = flat[at]
    upper += along * (flat[at + 1] - upper)
    at += width
    lower = flat[at]
    lower += along * (flat[at + 1] - lower)
    lower -= upper
    lower *= down
    return upper + lower


def escape_speed(name: str = "MWPotential2014") -> EscapeSpeed:
    """Make the escape speed of a model of the Galaxy; each process does so once.

    Parameters
    ----------
    name : {"MWPotential2014", "McMillan17", "Cautun20"}
        The model, with galpy's own scales: (R0, v0) = (8 kpc, 220 km/s), (8.21, 233.1), (8.122, 229).

    Returns
    -------
    EscapeSpeed

    Raises
    ------
    UsageError
        For another name.

    References
    ----------
    Bovy 2015, ApJS 216, 29; McMillan 2017, MNRAS 465, 76; Cautun et al. 2020, MNRAS 494, 4291.

    Examples
    --------
    >>> escape_speed()([8.0, 15.0]).round(1).tolist()
    [513.0, 454.4]
    """
    _check(name)
    with _LOCK:
        return _made(name)


def exact_escape_speed(name: str, radius: ArrayLike, height: ArrayLike = 0.0) -> Floats:
    """Escape speed from galpy itself, without a grid; see `EscapeSpeed`.

    Some ten milliseconds a place for the models other than MWPotential2014.
    """
    _check(name)
    big_r, z = np.broadcast_arrays(np.asarray(radius, np.float64), np.asarray(height, np.float64))
    return np.sqrt(_exact(name, np.hypot(big_r, z).ravel(), z.ravel())).reshape(big_r.shape)


def _check(name: str) -> None:
    if name not in POTENTIALS:
        raise UsageError(f"potential must be one of {', '.join(POTENTIALS)}, not {name!r}")


@lru_cache(maxsize=len(POTENTIALS))
def _made(name: str) -> EscapeSpeed:
    from scipy.interpolate import RectBivariateSpline

    steps = _axes(_NODES)
    distance, share = np.exp(steps[0])[:, None], steps[1] * _THIN / (1.0 + _THIN - steps[1])
    places = np.broadcast_arrays(distance, distance * share)
    exact = _exact(name, *(one.ravel() for one in places)).reshape(_NODES)
    # The product with r varies less than the square itself, of which it leaves no more than logarithms.
    spline = RectBivariateSpline(*steps, exact * (1.0 + distance / 8.0))
    fine = _axes(_STEPS)
    squares = spline(*fine) / (1.0 + np.exp(fine[0])[:, None] / 8.0)
    squares.setflags(write=False)
    return EscapeSpeed(name, squares)


def _axes(n: tuple[int, int]) -> tuple[Floats, Floats]:
    lowest, highest = np.log(_RANGE)
    return np.linspace(lowest, highest, n[0]), np.linspace(0.0, 1.0, n[1])


def _exact(name: str, distance: Floats, height: Floats) -> Floats:
    """Squares of the escape speed, arrays of shape (n,), from galpy."""
    found = np.full(len(distance), np.nan)
    known = np.isfinite(distance) & np.isfinite(height) & (distance >= AT_CENTRE)
    if known.any():
        z = height[known]
        big_r = np.sqrt(np.maximum(np.square(distance[known]) - np.square(z), 0.0))
        with _LOCK, warnings.catch_warnings(), np.errstate(all="ignore"):
            # Expansions of some models divide 0 by 0 at infinity, where they do not use what comes out.
            warnings.simplefilter("ignore")
            model, (ro, vo), rim = _model(name)
            values = np.asarray(_value(model, big_r / ro, z / ro), np.float64)
        found[known] = 2.0 * vo**2 * (rim - values)
    return found


@lru_cache(maxsize=len(POTENTIALS))
def _model(name: str) -> tuple[Any, tuple[float, float], float]:
    """Galpy's potential, its scales (kpc, km/s), and its value at infinity in units of v0 squared."""
    from galpy.potential import mwpotentials
    from galpy.util.conversion import get_physical

    model = getattr(mwpotentials, name)
    # Of MWPotential2014 galpy would say what the user's configuration says.
    scales = {"ro": 8.0, "vo": 220.0} if name == "MWPotential2014" else get_physical(model)
    return model, (float(scales["ro"]), float(scales["vo"])), float(_value(model, np.inf, 0.0))


def _value(model: Any, radius: Any, height: Any) -> Any:
    """The potential in galpy's units; by release, a model is an object or a list of potentials."""
    from galpy.potential import evaluatePotentials

    return evaluatePotentials(model, radius, height, use_physical=False)
