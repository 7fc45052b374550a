"""One star in one quarter, campaign or sector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.light_curves.quality import good_points

__all__ = ["CATALOGUES", "LONGEST_SHORT", "TIME_SCALES", "UNITS", "LightCurve", "relative_flux"]

Floats = NDArray[np.float64]

UNITS = ("e-/s", "relative", "excess", "ppt", "ppm", "mag")
"""Units of flux: electrons a second, relative to the star's usual flux, that less one (as such, in 1e-3,
or in 1e-6), and magnitudes."""

TIME_SCALES = ("BJD_TDB", "assumed", "relative")
"""Times are BJD_TDB by what the file or the caller says, are taken for it, or have an arbitrary zero."""

CATALOGUES = {"Kepler": "KIC", "K2": "EPIC", "TESS": "TIC"}
"""Whose identifiers the missions use."""

LONGEST_SHORT = 150.0
"""Seconds of the longest cadence called short: those of Kepler are 59 s, those of TESS 20 and 120 s."""

_EXCESS = {"excess": 1.0, "ppt": 1e-3, "ppm": 1e-6}


@dataclass(frozen=True, eq=False)
class LightCurve:
    """A light curve as its file has it; points without a time or a flux are left out.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        BJD_TDB, days, in the order of the file; see `time_scale`.
    flux, flux_err : ndarray of float64, shape (n,)
        In `unit`; NaN errors where there are none.
    quality : ndarray of int32, shape (n,)
        The mission's flags, see `lkmrs_dask.readers.light_curves.quality`; zeros where there are none.
    unit : str
        One of `UNITS`.
    mission : str
        ``Kepler``, ``K2``, ``TESS`` or empty.
    target_id : int or None
        KIC, EPIC or TIC number.
    name : str
        Of the star, ``KIC 5023948``; or what its file is called.
    ra, dec : float
        Deg; NaN where the file does not say.
    segment : int or None
        Quarter, campaign or sector.
    exptime : float
        Length of a cadence, seconds, with what it spends on reading out; NaN where unknown.
    time_scale : str
        One of `TIME_SCALES`.
    author, product : str
        Who made it (``Kepler``, ``SPOC``, ``QLP``, ``K2SFF``, ...) and which of the fluxes it is
        (``PDCSAP_FLUX``).
    source_file : str
        Name of the file.
    n_missing : int
        Points that were left out.
    band : ndarray of str, shape (n,), optional
        Of each point, where the light is in several bands; None where it is in one.
    """

    time: Floats
    flux: Floats
    flux_err: Floats
    quality: NDArray[np.int32]
    unit: str
    mission: str = ""
    target_id: int | None = None
    name: str = ""
    ra: float = np.nan
    dec: float = np.nan
    segment: int | None = None
    exptime: float = np.nan
    time_scale: str = "BJD_TDB"
    author: str = ""
    product: str = ""
    source_file: str = ""
    n_missing: int = 0
    band: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        """Check that arrays have one length and words are known."""
        n = len(self.time)
        for name in ("time", "flux", "flux_err", "quality"):
            if getattr(self, name).shape != (n,):
                raise UsageError(f"{name} has shape {getattr(self, name).shape}, not {(n,)}")
        if self.band is not None and self.band.shape != (n,):
            raise UsageError(f"band has shape {self.band.shape}, not {(n,)}")
        if self.unit not in UNITS:
            raise UsageError(f"unknown unit of flux {self.unit!r}; known are {', '.join(UNITS)}")
        if self.time_scale not in TIME_SCALES:
            raise UsageError(f"unknown time scale {self.time_scale!r}; known are {', '.join(TIME_SCALES)}")

    def __len__(self) -> int:
        """Points."""
        return len(self.time)

    @property
    def cadence(self) -> str:
        """``short``, ``long``, or empty where the length of a cadence is unknown."""
        if not np.isfinite(self.exptime):
            return ""
        return "short" if self.exptime <= LONGEST_SHORT else "long"

    @property
    def star(self) -> str:
        """What stands for the star: ``KIC 5023948``, ``EPIC 211121743``, ``TIC 67768222``, or its name."""
        if self.target_id is None or self.mission not in CATALOGUES:
            return self.name
        return f"{CATALOGUES[self.mission]} {self.target_id}"

    def good(self, mask: str | int = "default") -> NDArray[np.bool_]:
        """Points without flags of a mask; see `good_points`."""
        return good_points(self.quality, self.mission, mask, author=self.author, segment=self.segment)

    def relative(self, use: NDArray[np.bool_] | None = None) -> tuple[Floats, Floats]:
        """Flux and its error over the median flux.

        Parameters
        ----------
        use : ndarray of bool, shape (n,), optional
            Points to return and to take the median of; all if not given.

        Raises
        ------
        InputError
            Where no point is used, or the median is not above zero.
        """
        chosen = slice(None) if use is None else use
        try:
            return relative_flux(self.flux[chosen], self.flux_err[chosen], self.unit)
        except InputError as fault:
            raise InputError(fault.message, file=self.source_file) from fault


def relative_flux(flux: Floats, flux_err: Floats, unit: str) -> tuple[Floats, Floats]:
    """Flux of any unit over its median.

    Parameters
    ----------
    flux, flux_err : ndarray of float64, shape (n,)
        In `unit`; finite, but for errors.
    unit : str
        One of `UNITS`.

    Returns
    -------
    flux, flux_err : ndarray of float64, shape (n,)
        With the median 1.

    Raises
    ------
    InputError
        Where there is no point, or the median is not above zero.
    """
    if not len(flux):
        raise InputError("no point is left to take the median flux of")
    if unit == "mag":
        linear = 10.0 ** (-0.4 * (flux - np.median(flux)))
        error = 0.4 * np.log(10.0) * linear * flux_err
    elif unit in _EXCESS:
        linear, error = 1.0 + _EXCESS[unit] * flux, _EXCESS[unit] * flux_err
    else:
        linear, error = flux, flux_err
    middle = float(np.median(linear))
    if not np.isfinite(middle) or middle <= 0:
        raise InputError(f"the median flux is {middle:g} {unit}, so there is no relative flux")
    return linear / middle, error / middle
