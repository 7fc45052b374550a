"""Which stars are special: metal-poor, fast, of varying velocity, periodic variables; how many is a quota.

They are chosen among stars in which a run on the survey can find them, and kept away from the borders of
their definitions by `MARGIN` times the error of the mean that the survey measures.  So a run counts them
exactly, or misses by one or two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.attendance import lowest
from lkmrs_dask.synthetic.binaries import shortest_period
from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.luminosity import absolute_magnitude
from lkmrs_dask.synthetic.population import Stars, alpha_of
from lkmrs_dask.synthetic.quotas import Quotas

__all__ = ["MARGIN", "Knowledge", "choose_fast", "choose_metal_poor", "choose_photometry", "choose_variables"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MARGIN = 4.5
"""Least distance of a true [Fe/H] from -1, -2 and -2.5, in errors of the star's mean."""

_MOST_FEH_ERROR = {"mp": 0.08, "vmp": 0.045}
_MOST_RV_ERROR = 3.0  # km/s, mean of a star
_FAST_DISTANCES = (1000.0, 2500.0)  # pc: nearer ones leave match radii by 2016, parallaxes of others are poor
_LEAST_FAST_DISTANCE = 500.0  # pc, where these are too few
_HALO_DISTANCE, _HALO_BIAS = 1000.0, 0.06  # pc; most metal-poor stars are beyond it

_REGIONS = {
    "RRL": (6100.0, 7300.0, 3.5, 5.0),
    "DSCT": (7000.0, 8400.0, 3.5, 4.6),
    "hybrid": (6800.0, 7900.0, 3.5, 4.6),
    "GDOR": (6600.0, 7500.0, 3.5, 4.6),
    "RSCVn": (4600.0, 5200.0, 2.2, 3.6),
    "RG": (4200.0, 5150.0, 1.5, 3.3),
    "rotation": (4300.0, 6400.0, 3.9, 5.2),
    "EB": (4300.0, 8400.0, 3.5, 5.2),
    "uncertain": (4300.0, 8400.0, 1.5, 5.2),
}
"""Range of teff (K) and log g of the stars of a class; the rarest regions come first.  RR Lyrae stars get the
log g of theirs, of which there are none among ordinary stars."""

_PERIODS = {
    "RRL": (0.40, 0.75), "DSCT": (0.035, 0.2), "hybrid": (0.45, 1.6), "GDOR": (0.4, 2.5),
    "RSCVn": (2.0, 20.0), "RG": (0.1, 0.6), "rotation": (0.8, 25.0), "EB": (0.4, 16.0),
    "uncertain": (1.0, 12.0),
}  # fmt: skip
"""Periods (d) of the light, even in the logarithm."""

_BINARIES = ("EB", "RSCVn")  # their light varies with the orbit, for which there must be room
_RRL_LOGG = (2.6, 3.0)
_PHOTOMETRY_SHARES = (0.45, 0.7)  # of stars that are no RV variables, Kepler or K2 and TESS


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What the survey measures of each star.

    Parameters
    ----------
    n_measurements, n_rv : ndarray of int64
        Coadds with parameters, and with velocity.
    feh_error : ndarray of float64
        Error (dex) of the mean [Fe/H] weighted with S/N squared, NaN without.
    rv_error : ndarray of float64
        Mean error (km/s) of the velocities, NaN without.
    """

    n_measurements: NDArray[np.int64]
    n_rv: NDArray[np.int64]
    feh_error: Floats
    rv_error: Floats


def _pick(score: Floats, among: Bools, n: int, second: Bools | None = None) -> NDArray[np.int64]:
    """Pick the n lowest scores among some; where these are too few the second choice helps out."""
    some = np.flatnonzero(among)
    found = some[lowest(score[some], n)]
    if len(found) < n and second is not None:
        rest = np.flatnonzero(second & ~among)
        found = np.concatenate([found, rest[lowest(score[rest], n - len(found))]])
    return np.sort(found)


def choose_metal_poor(stars: Stars, known: Knowledge, quotas: Quotas, draws: Draws) -> Stars:
    """Make some stars with parameters metal-poor, and keep all others away from [Fe/H] = -1."""
    error = np.where(np.isnan(known.feh_error), 0.0, known.feh_error)
    cool = (known.n_measurements > 0) & (known.n_rv > 0) & (stars.teff < 7000.0)
    score = draws.uniform(Purpose.METAL_POOR, stars.number)
    score *= np.where(stars.distance > _HALO_DISTANCE, _HALO_BIAS, 1.0)
    # Errors count only where not enough stars are good enough.
    very = _pick(score + 9.0 * (error > _MOST_FEH_ERROR["vmp"]) + error, cool, quotas.very_metal_poor)
    free = cool.copy()
    free[very] = False
    poor = _pick(score + 9.0 * (error > _MOST_FEH_ERROR["mp"]) + error, free, quotas.metal_poor)

    feh = stars.feh.copy()
    floor = np.minimum(-1.0 + MARGIN * error, 0.0)
    feh = np.where(feh < floor, np.minimum(2.0 * floor - feh, 0.4), feh)
    place = draws.uniform(Purpose.FEH_POOR, stars.number)
    feh[poor] = _between(-2.0, -1.0, error[poor], place[poor] ** 1.5)
    feh[very] = _between(-2.5, -2.0, error[very], place[very])
    return replace(stars, feh=feh, alpha_m=alpha_of(feh, draws, stars.number))


def _between(low: float, high: float, error: Floats, place: Floats) -> Floats:
    """Value between two borders but away from them; place 0 is the upper end."""
    gap = np.minimum(MARGIN * error, 0.49 * (high - low))
    return high - gap - place * (high - low - 2 * gap)


def choose_fast(stars: Stars, known: Knowledge, quotas: Quotas, draws: Draws) -> Stars:
    """Give some stars high velocities: metal-poor ones as many as in the paper, and a few others."""
    nearest, farthest = _FAST_DISTANCES
    able = (known.n_rv > 0) & stars.has_gaia & (stars.distance > _LEAST_FAST_DISTANCE)
    good = able & (stars.distance > nearest) & (stars.distance < farthest)
    score = draws.uniform(Purpose.HIGH_VELOCITY, stars.number)
    very, poor = stars.feh < -2.0, (stars.feh >= -2.0) & (stars.feh < -1.0)
    fast = np.zeros(len(stars), np.int8)
    for name, among, label in (
        ("unbound", very, 2), ("bound_vmp", very, 1), ("bound_mp", poor, 1), ("bound", ~very & ~poor, 1),
    ):  # fmt: skip
        free = among & (fast == 0)
        fast[_pick(score, free & good, quotas.high_velocity[name], free & able)] = label
    return replace(stars, high_velocity=fast)


def choose_variables(stars: Stars, known: Knowledge, quotas: Quotas, draws: Draws) -> Stars:
    """Choose RV variables with three velocities or more, and among them periodic ones by class."""
    able = (known.n_rv >= 3) & (stars.high_velocity == 0)
    good = able & (known.rv_error < _MOST_RV_ERROR)
    score = draws.uniform(Purpose.VARIABLE_CLASS, stars.number)
    kind = stars.variable_class.copy()
    for name, (cool, hot, low, high) in _REGIONS.items():
        fits = (stars.teff > cool) & (stars.teff < hot) & (stars.logg > low) & (stars.logg < high)
        free = kind == ""
        kind[_pick(score, good & fits & free, quotas.classes[name], able & fits & free)] = name
    rank = draws.uniform(Purpose.RV_VARIABLE, stars.number)
    variable = np.zeros(len(stars), bool)
    variable[_pick(rank - 2.0 * (kind != ""), good, quotas.rv_variables, able)] = True
    kind[~variable] = ""

    light = draws.uniform(Purpose.LIGHT_PERIOD, stars.number)
    period = np.full(len(stars), np.nan)
    for name, (short, long) in _PERIODS.items():
        of_class = np.flatnonzero(kind == name)
        least = np.full(len(of_class), short)
        if name in _BINARIES:
            least = np.maximum(least, shortest_period(stars.teff[of_class], stars.logg[of_class]))
        period[of_class] = least * (np.maximum(long / least, 1.5)) ** light[of_class]
    evolved = kind == "RRL"
    logg = stars.logg.copy()
    spread = draws.uniform(Purpose.EVOLVED, stars.number[evolved])
    logg[evolved] = _RRL_LOGG[0] + (_RRL_LOGG[1] - _RRL_LOGG[0]) * spread
    absolute = np.where(evolved, absolute_magnitude(stars.teff, logg), stars.abs_mag_g)
    distance = np.where(evolved, 10.0 ** (0.2 * (stars.g - absolute) + 1.0), stars.distance)
    return replace(
        stars,
        logg=logg,
        abs_mag_g=absolute,
        distance=distance,
        parallax=1000.0 / distance,
        rv_variable=variable,
        variable_class=kind,
        variable_period=period,
    )


def choose_photometry(stars: Stars, quotas: Quotas, draws: Draws) -> tuple[Bools, Bools]:
    """Stars with photometry of Kepler or K2, and of TESS; each periodic variable has one of them at least."""
    scores = [
        draws.uniform(purpose, stars.number)
        for purpose in (Purpose.KEPLER_PHOTOMETRY, Purpose.TESS_PHOTOMETRY)
    ]
    kepler, tess = (
        ~stars.rv_variable & (score < share) for score, share in zip(scores, _PHOTOMETRY_SHARES, strict=True)
    )
    periodic = stars.variable_class != ""
    kepler[_pick(scores[0] - 0.3 * periodic, stars.rv_variable, quotas.kepler_photometry)] = True
    only = periodic & ~kepler
    tess[_pick(scores[1] - 2.0 * only, stars.rv_variable, quotas.tess_photometry)] = True
    return kepler, tess
