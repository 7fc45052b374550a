"""Which coadds give parameters: bright ones rather, as many a year and on as many stars as in the paper.

A coadd's rank is that of its S/N and chance, so there is no S/N above which all have parameters and below
which none has.  The stars with parameters are those with the best coadds; those with three measurements or
more are those among them whose third best is good.  Then each year's number is filled up from the remaining
coadds of these, and with at most one more of each of the others, best first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.attendance import lowest
from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.noise import LEAST_SNR, error
from lkmrs_dask.synthetic.quotas import YEARS, Quotas, largest_remainder

__all__ = ["LASP_TEFF", "Candidates", "Measured", "measure"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LASP_TEFF = (3900.0, 8500.0)
"""Temperatures (K) of stars with parameters, late A to K."""

_CHANCE = 0.3  # dex of S/N by which chance moves a coadd up or down
_VSINI_TEFF = (5000.0, 8500.0)  # K, measured: section 3.1
_VSINI_MARGIN = 5.0  # errors of Teff by which the true one is within
_LEAST_VSINI = 11.0  # km/s: slower rotation is below what the spectra resolve


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of a star and a visit from which some are chosen; arrays have one entry per pair.

    Parameters
    ----------
    star : ndarray of int64
        Index of the star.
    number : ndarray of int64
        Its address in random numbers.
    night : ndarray of int64
        Of the visit.
    year : ndarray of int64
        Of the visit.
    snr : ndarray of float64
        Of the blue coadd.
    usable : ndarray of bool
        Whether there is a coadd of a star for which LASP has templates.
    teff, vsini : ndarray of float64
        Temperature (K) and v sin i (km/s) of the star.
    """

    star: Ints
    number: Ints
    night: Ints
    year: Ints
    snr: Floats
    usable: Bools
    teff: Floats
    vsini: Floats


@dataclass(frozen=True, eq=False)
class Measured:
    """What is measured, one entry per pair: parameters, and of them velocity, v sin i and [alpha/M]."""

    parameters: Bools
    rv: Bools
    vsini: Bools
    alpha_m: Bools


def measure(pairs: Candidates, quotas: Quotas, draws: Draws) -> Measured:
    """Choose what is measured; see `Candidates` and the module."""
    rows = _with_parameters(pairs, quotas, draws)
    parameters = np.zeros(len(pairs.star), bool)
    parameters[rows] = True
    rv = parameters.copy()
    rv[_without_rv(pairs, rows, quotas, draws)] = False
    vsini, alpha_m = np.zeros(len(parameters), bool), np.zeros(len(parameters), bool)
    margin = _VSINI_MARGIN * error("teff", pairs.snr[rows])
    hot = (pairs.teff[rows] - margin > _VSINI_TEFF[0]) & (pairs.teff[rows] + margin < _VSINI_TEFF[1])
    fast = pairs.vsini >= _LEAST_VSINI
    # The same stars have v sin i again and again; [alpha/M] comes and goes.
    for flags, some, purpose, of_star, counts in (
        (vsini, rows[hot & fast[rows]], Purpose.VSINI_MEASURED, 1.0, quotas.vsini),
        (alpha_m, rows, Purpose.ALPHA_MEASURED, 0.0, quotas.alpha_m),
    ):
        score = draws.uniform(purpose, pairs.number[some], pairs.night[some]) * (1.0 - 0.7 * of_star)
        score += of_star * draws.uniform(purpose, pairs.number[some]) - 0.3 * np.log10(1.0 + pairs.snr[some])
        for year, wanted in zip(YEARS, counts, strict=True):
            here = some[pairs.year[some] == year]
            flags[here[lowest(score[pairs.year[some] == year], wanted)]] = True
    return Measured(parameters, rv, vsini, alpha_m)


def _with_parameters(pairs: Candidates, quotas: Quotas, draws: Draws) -> Ints:
    """Pairs with parameters, rising."""
    usable = np.flatnonzero(pairs.usable)
    merit = _merit(pairs, draws)
    order = usable[np.lexsort((usable, -merit[usable], pairs.star[usable]))]
    star, merit = pairs.star[order], merit[order]
    start = np.flatnonzero(np.diff(star, prepend=-1))
    size = np.diff(start, append=len(star))
    rank = np.arange(len(star)) - np.repeat(start, size)

    chosen = start[lowest(-merit[start], quotas.stars_with_parameters)]
    has_three = chosen[size[np.searchsorted(start, chosen)] >= 3]
    often = has_three[lowest(-merit[has_three + 2], quotas.stars_with_three)]
    is_chosen, is_often = (np.isin(star, star[some]) for some in (chosen, often))
    must = is_chosen & ((rank == 0) | (is_often & (rank < 3)))
    may = is_chosen & ~must & (is_often | (rank == 1))
    year = pairs.year[order]
    taken = must.copy()
    for one, wanted in zip(YEARS, quotas.teff, strict=True):
        pool = np.flatnonzero(may & (year == one))
        more = wanted - int(must[year == one].sum())
        taken[pool[lowest(-merit[pool], more)]] = True
    return np.sort(order[taken])


def _merit(pairs: Candidates, draws: Draws) -> Floats:
    """S/N in dex, give or take some chance; least where it is below that of the error law."""
    chance = _CHANCE * draws.normal(Purpose.PARAMETERS_MEASURED, pairs.number, pairs.night)
    merit = np.log10(np.maximum(pairs.snr, 1e-3)) + chance
    return np.where(pairs.snr < 1.1 * LEAST_SNR, merit - 9.0, merit)


def _without_rv(pairs: Candidates, rows: Ints, quotas: Quotas, draws: Draws) -> Ints:
    """Measured pairs without velocity: all of some stars, and of the others never the best."""
    drop = np.maximum(_by_year(pairs.year[rows]) - np.array(quotas.rv), 0)
    star, snr, year = pairs.star[rows], pairs.snr[rows], pairs.year[rows]
    times = np.bincount(star, minlength=int(star.max(initial=0)) + 1)
    once = times[star] == 1
    stars_without = max(0, int((times > 0).sum()) - quotas.stars_with_rv)
    room = np.minimum(drop, _by_year(year[once]))
    share = largest_remainder(room, min(stars_without, int(room.sum()))) if room.sum() else room * 0
    order = np.lexsort((-snr, star))
    best = np.zeros(len(rows), bool)
    best[order[np.flatnonzero(np.diff(star[order], prepend=-1))]] = True
    score = draws.uniform(Purpose.RV_MEASURED, pairs.number[rows], pairs.night[rows]) + 0.02 * snr
    left_out = []
    for one, all_of_star, all_in_all in zip(YEARS, share, drop, strict=True):
        alone = np.flatnonzero(once & (year == one))
        alone = alone[lowest(snr[alone], int(all_of_star))]
        others = np.flatnonzero(~best & (year == one))
        others = others[lowest(score[others], int(all_in_all) - len(alone))]
        left_out += [alone, others]
    return rows[np.concatenate(left_out)]


def _by_year(year: Ints) -> Ints:
    return np.array([np.count_nonzero(year == one) for one in YEARS])
