"""Reddening of stars from maps of dust: that of Burstein & Heiles, and Bayestar where its file is there."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.stars.hr_settings import HrSettings

__all__ = [
    "BAYESTAR_EBV", "DustMap", "Reddening", "dust_map", "extinction_in_use", "extinction_words",
    "reddening", "share_in_front",
]  # fmt: skip

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BAYESTAR_EBV = 3.626 - 2.742
"""E(B-V) for a unit of Bayestar: the unit is such that E(g-r) is 0.901 (Green et al. 2019, Table 1: 3.518 -
2.617), as it is for a unit of Schlafly & Finkbeiner (2011), whose Table 6 has 3.626 and 2.742 for Landolt's
B and V with R_V = 3.1."""

_BAYESTAR = "bayestar2019.h5"
_INSTALL = (
    "extinction needs the package dustmaps: install it (pip install 'lkmrs-dask[dust]'), or set "
    'extinction = "none"'
)
_LOCK = threading.Lock()


class DustMap(NamedTuple):
    """A map of dust.

    Parameters
    ----------
    name : str
        ``bh``, whose query takes a `astropy.coordinates.SkyCoord` and gives E(B-V) of the whole line of
        sight; or ``bayestar``, whose query takes one with distances, and ``mode`` and ``return_flags``.
    query : callable
    """

    name: str
    query: Callable[..., Any]


class Reddening(NamedTuple):
    """E(B-V) in front of each star (mag, NaN where it is not known), and whether the map itself doubts it."""

    ebv: Floats
    doubtful: Bools


def extinction_in_use(settings: HrSettings) -> str:
    """Which map "auto" stands for on this machine: ``bayestar``, ``bh`` or ``none``.

    A run asks once, and gives its workers settings with the answer.

    Raises
    ------
    UsageError
        When the map that the settings name is not there.
    """
    if settings.extinction == "none":
        return "none"
    if find_spec("dustmaps") is None:
        if settings.extinction == "auto" and not settings.bayestar_file:
            return "none"
        raise UsageError(_INSTALL)
    if settings.extinction == "bh":
        return "bh"
    path = _bayestar_path(settings)
    if path.is_file():
        return "bayestar"
    if settings.extinction == "bayestar" or settings.bayestar_file:
        raise UsageError(
            f"there is no map {path}: download it with dustmaps.bayestar.fetch(), name it as bayestar_file, "
            'or set extinction = "bh"'
        )
    return "bh"


def extinction_words(name: str, dust_height: float = 125.0) -> str:
    """What a caption says of the extinction with a map (``bh``, ``bayestar`` or ``none``)."""
    return {
        "bh": f"extinction: Burstein & Heiles (1982), in a layer of {dust_height:g} pc",
        "bayestar": "extinction: Bayestar19 (Green et al. 2019) to each star's distance",
        "none": "no correction for extinction",
    }[name]


def dust_map(settings: HrSettings) -> DustMap | None:
    """Map of dust that settings name, read once a process; None for no extinction.

    Bayestar takes some 2 GB of memory in each process.

    Raises
    ------
    UsageError
        When the map is not there.
    InputError
        When its file cannot be read.
    """
    name = extinction_in_use(settings)
    if name == "none":
        return None
    path = str(_bayestar_path(settings)) if name == "bayestar" else ""
    with _LOCK:
        return DustMap(name, _query(name, path))


@lru_cache(maxsize=4)
def _query(name: str, path: str) -> Callable[..., Any]:
    if name == "bh":
        return _module("dustmaps.bh").BHQuery()
    module = _module("dustmaps.bayestar")
    vars(module)["print"] = lambda *words: None  # it tells its progress on standard output
    try:
        # Of the samples one is kept: what is asked for is the best fit.
        return module.BayestarQuery(map_fname=path, max_samples=1)
    except (OSError, KeyError, ValueError) as fault:
        raise InputError(f"is no map of Bayestar ({type(fault).__name__}: {fault})", file=path) from fault


def _module(name: str) -> ModuleType:
    try:
        with warnings.catch_warnings():
            # It misses a file of settings in the home folder, of which nothing is needed here.
            warnings.filterwarnings("ignore", "Configuration file not found|Overriding default config")
            return import_module(name)
    except ImportError as fault:
        raise UsageError(_INSTALL) from fault


def _bayestar_path(settings: HrSettings) -> Path:
    if settings.bayestar_file:
        return Path(settings.bayestar_file)
    with _LOCK:
        folder = _module("dustmaps.std_paths").data_dir()
    return Path(os.fspath(folder), "bayestar", _BAYESTAR)


def reddening(
    ra: ArrayLike, dec: ArrayLike, distance: ArrayLike, dust: DustMap, dust_height: float = 125.0
) -> Reddening:
    """E(B-V) in front of stars.

    Parameters
    ----------
    ra, dec : array_like of float, shape (n,)
        ICRS, deg.
    distance : array_like of float, shape (n,)
        Pc; stars without one have no reddening.
    dust : DustMap
        Of the whole line of sight (``bh``), of which `share_in_front` is taken, or by distance.
    dust_height : float
        Pc.

    Returns
    -------
    Reddening
        Arrays of shape (n,).  Negative values of a map become 0, those below -0.1 NaN.  Bayestar doubts
        pixels that did not converge, and distances beyond those of the stars that it was made of.

    Raises
    ------
    UsageError
        Where positions or the height make no sense, or shapes do not fit.

    References
    ----------
    Burstein & Heiles 1982, AJ 87, 1165; Green 2018, JOSS 3, 695; Green et al. 2019, ApJ 887, 93.
    """
    try:
        right, up, far = np.broadcast_arrays(*(np.asarray(one, np.float64) for one in (ra, dec, distance)))
    except ValueError as fault:
        raise UsageError(f"positions and distances of reddening do not fit: {fault}") from fault
    known = np.isfinite(right) & np.isfinite(up) & np.isfinite(far) & (far > 0.0)
    if (np.abs(up[known]) > 90.0).any():
        raise UsageError("declinations must be from -90 to 90 degrees")
    ebv, doubtful = np.full(right.shape, np.nan), np.zeros(right.shape, bool)
    if known.any():
        from astropy import units
        from astropy.coordinates import SkyCoord

        if dust.name == "bayestar":
            place = SkyCoord(right[known], up[known], far[known], unit=("deg", "deg", units.pc))
            found, flags = dust.query(place, mode="best", return_flags=True)
            ebv[known] = BAYESTAR_EBV * np.asarray(found, np.float64)
            doubtful[known] = ~(flags["converged"] & flags["reliable_dist"])
        else:
            place = SkyCoord(right[known], up[known], unit="deg")
            share = share_in_front(place.galactic.b.deg, far[known], dust_height)
            ebv[known] = np.asarray(dust.query(place), np.float64) * share
    ebv[~(ebv > -0.1)] = np.nan
    return Reddening(np.maximum(ebv, 0.0), doubtful & np.isfinite(ebv))


def share_in_front(latitude: ArrayLike, distance: ArrayLike, height: float = 125.0) -> Floats:
    """Share of the dust of a line of sight that lies in front of a star, for an exponential layer.

    Parameters
    ----------
    latitude : array_like of float
        Galactic, deg.
    distance : array_like of float
        Pc.
    height : float
        Scale height, pc: 125 (Marshall et al. 2006, A&A 453, 635).

    Returns
    -------
    ndarray of float64
        From 0 to 1.  With the Sun in the plane: 1 - exp(-d |sin b| / height).

    Raises
    ------
    UsageError
        For a height that is not positive.
    """
    if not height > 0:
        raise UsageError(f"the scale height of the dust must be positive, not {height!r}")
    above = np.abs(np.sin(np.radians(np.asarray(latitude, np.float64)))) * np.asarray(distance, np.float64)
    return np.asarray(-np.expm1(-above / height), np.float64)
