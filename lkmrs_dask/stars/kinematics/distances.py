"""Distances of stars from Gaia's parallaxes or from a column, and why some have none."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.stars.kinematics.settings import HighVelocitySettings

__all__ = [
    "Distances", "GivenDistances", "Reason", "ecliptic_latitude", "find_distances", "first_reason",
    "parallax_zero_point", "zero_points",
]  # fmt: skip

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_OBLIQUITY = np.radians(84381.41100 / 3600.0)  # with which Gaia's archive computes ecl_lat
_SOLVED = (31, 95)  # astrometric_params_solved: five and six parameters; with two there is no parallax
_LOCK = threading.Lock()


class Reason(IntEnum):
    """Why a star has no Galactocentric speed; the first that applies, in this order."""

    OK = 0
    NO_GAIA = 1
    NO_POSITION = 2
    NO_DISTANCE = 3
    NO_PARALLAX = 4
    NO_ZERO_POINT = 5
    NEGATIVE_PARALLAX = 6
    LOW_PARALLAX_SNR = 7
    NO_RUWE = 8
    HIGH_RUWE = 9
    NO_PROPER_MOTION = 10
    NO_RV = 11
    AT_CENTRE = 12


class GivenDistances(NamedTuple):
    """Errors of distances from a column; arrays of shape (n,), NaN where they are not known.

    Parameters
    ----------
    below, above : ndarray of float64
        Standard deviations to both sides: of ln(distance) if `logarithmic`, otherwise in pc.
    logarithmic : bool
        True for percentiles: with a normal distribution of the logarithm on either side of the median both
        come out exactly, and no distance is negative.
    """

    below: Floats
    above: Floats
    logarithmic: bool


class Distances(NamedTuple):
    """Distances of stars; arrays of shape (n,).

    Parameters
    ----------
    distance : ndarray of float64
        pc, NaN where there is none.
    parallax : ndarray of float64
        Measured parallax less the zero point, mas.
    zero_point : ndarray of float64
        mas, NaN where there is none.
    outside : ndarray of bool
        Stars to which the formula of the zero point does not apply.
    reason : ndarray of int8
        `Reason`, as far as distances and positions go.
    given : GivenDistances, optional
        With distances from a column, their errors.
    """

    distance: Floats
    parallax: Floats
    zero_point: Floats
    outside: Bools
    reason: NDArray[np.int8]
    given: GivenDistances | None = None


def first_reason(n: int, masks: Mapping[Reason, Bools]) -> NDArray[np.int8]:
    """For each of `n` stars the first reason whose mask is true; `Reason.OK` where none is."""
    reason = np.zeros(n, dtype=np.int8)
    for one in sorted(masks, reverse=True):
        reason[masks[one]] = one
    return reason


def ecliptic_latitude(ra: Floats, dec: Floats) -> Floats:
    """Barycentric ecliptic latitude, degrees: to 1e-5 the column ``ecl_lat`` of Gaia's archive."""
    lon, lat = np.radians(ra), np.radians(dec)
    up = np.sin(lat) * np.cos(_OBLIQUITY) - np.cos(lat) * np.sin(_OBLIQUITY) * np.sin(lon)
    return np.degrees(np.arcsin(np.clip(up, -1.0, 1.0)))


@lru_cache(maxsize=1)
def _formula() -> ModuleType:
    from zero_point import zpt

    zpt.load_tables()
    return zpt


def parallax_zero_point(
    g_mag: Floats, nu_eff: Floats, pseudocolour: Floats, ecl_lat: Floats, solution: Floats
) -> Floats:
    """Zero point of the parallaxes of Gaia DR3 by the formula of Lindegren et al. (2021).

    Parameters
    ----------
    g_mag, nu_eff, pseudocolour, ecl_lat, solution : ndarray of float64, shape (n,)
        Gaia's ``phot_g_mean_mag``, ``nu_eff_used_in_astrometry``, ``pseudocolour``, ``ecl_lat`` (degrees)
        and ``astrometric_params_solved``; NaN where unknown.

    Returns
    -------
    ndarray of float64, shape (n,)
        mas, to be subtracted from the parallax; NaN where the formula does not apply.

    References
    ----------
    Lindegren et al. 2021, A&A 649, A4; computed by the package gaiadr3-zeropoint of its authors.
    """
    colour = np.where(solution == _SOLVED[0], nu_eff, pseudocolour)
    known = np.isfinite(g_mag) & np.isfinite(colour) & np.isfinite(ecl_lat) & np.isin(solution, _SOLVED)
    found = np.full(len(g_mag), np.nan)
    if known.any():
        columns = [one[known] for one in (g_mag, nu_eff, pseudocolour, ecl_lat, solution)]
        with _LOCK:
            formula = _formula()
        found[known] = formula.get_zpt(*columns, _warnings=False)
    return found


def zero_points(columns: Mapping[str, Floats], settings: HighVelocitySettings) -> tuple[Floats, Bools]:
    """Zero points as the settings want them (mas, NaN for none), and where the formula does not apply."""
    n = len(columns["parallax"])
    if settings.zero_point != "lindegren2021":
        number = 0.0 if settings.zero_point == "none" else float(settings.zero_point)
        return np.full(n, number), np.zeros(n, dtype=bool)
    found = parallax_zero_point(
        columns["phot_g_mean_mag"], columns["nu_eff_used_in_astrometry"], columns["pseudocolour"],
        ecliptic_latitude(columns["ra"], columns["dec"]), columns["astrometric_params_solved"],
    )  # fmt: skip
    outside = np.isnan(found) & np.isfinite(columns["parallax"])
    if settings.zero_point_outside != "flag":
        other = settings.zero_point_outside
        found[outside] = 0.0 if other == "none" else float(other)
    return found, outside


def find_distances(columns: Mapping[str, Floats], settings: HighVelocitySettings) -> Distances:
    """Distances by the inverse of the corrected parallax, or from a column, where the quality allows it.

    Parameters
    ----------
    columns : mapping of str to ndarray of float64, shape (n,)
        Gaia's columns by name, NaN where they are null: ``ra``, ``dec``, ``ruwe`` (unless `ruwe` is
        infinite) and either ``parallax``, ``parallax_error`` and, for the formula of the zero point,
        ``phot_g_mean_mag``, ``nu_eff_used_in_astrometry``, ``pseudocolour``,
        ``astrometric_params_solved``; or the columns of distances that the settings name.
    settings : HighVelocitySettings
        Zero point, limits of quality, names of columns.

    Returns
    -------
    Distances

    Raises
    ------
    CatalogError
        When a column is missing.
    """
    try:
        return _found(columns, settings)
    except KeyError as error:
        raise CatalogError(f"distances need a column {error.args[0]!r}, which the table lacks") from error


def _found(columns: Mapping[str, Floats], settings: HighVelocitySettings) -> Distances:
    ra, dec = columns["ra"], columns["dec"]
    masks = {Reason.NO_POSITION: ~(np.isfinite(ra) & (np.abs(dec) <= 90.0))}
    if np.isfinite(settings.ruwe):
        # "Not below" would count an unknown RUWE as high.
        ruwe = columns["ruwe"]
        masks |= {Reason.NO_RUWE: np.isnan(ruwe), Reason.HIGH_RUWE: ruwe >= settings.ruwe}
    if settings.distance_column:
        distance = columns[settings.distance_column]
        masks[Reason.NO_DISTANCE] = ~(np.isfinite(distance) & (distance > 0.0))
        parallax = zero = np.full(len(ra), np.nan)
        outside, given = np.zeros(len(ra), dtype=bool), _given(columns, settings)
    else:
        given = None
        zero, outside = zero_points(columns, settings)
        measured, error = columns["parallax"], columns["parallax_error"]
        parallax = measured - zero
        known = np.isfinite(measured) & np.isfinite(error) & (error > 0.0)
        masks[Reason.NO_PARALLAX] = ~known
        masks[Reason.NO_ZERO_POINT] = np.isnan(zero)
        masks[Reason.NEGATIVE_PARALLAX] = parallax <= 0.0
        if settings.parallax_over_error > 0.0:
            masks[Reason.LOW_PARALLAX_SNR] = known & (measured <= settings.parallax_over_error * error)
        positive = parallax > 0.0
        distance = np.divide(1000.0, parallax, out=np.full(len(ra), np.nan), where=positive)
    reason = first_reason(len(ra), masks)
    return Distances(np.where(reason == Reason.OK, distance, np.nan), parallax, zero, outside, reason, given)


def _given(columns: Mapping[str, Floats], settings: HighVelocitySettings) -> GivenDistances | None:
    """Errors of distances from columns; NaN where they make no sense."""
    middle = columns[settings.distance_column]
    if settings.distance_error_column:
        error = columns[settings.distance_error_column]
        error = np.where(np.isfinite(error) & (error > 0.0), error, np.nan)
        return GivenDistances(error, error, False)
    if not settings.distance_lower_column:
        return None
    lower, upper = columns[settings.distance_lower_column], columns[settings.distance_upper_column]
    good = (lower > 0.0) & (lower <= middle) & (middle <= upper) & (lower < upper) & np.isfinite(upper)
    below, above = np.full(len(middle), np.nan), np.full(len(middle), np.nan)
    below[good], above[good] = np.log(middle[good] / lower[good]), np.log(upper[good] / middle[good])
    return GivenDistances(below, above, True)
