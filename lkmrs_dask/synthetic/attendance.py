"""Who is observed when: pairs of a star and a visit that add up to the survey's spectra to the digit.

On each visit a plate's brighter stars more often give spectra than its faint ones.  How many do follows from
the spectra of the year: with s stars a visit, E exposures, V visits and a share q of star-visits with a
coadd, a year has 2 s (E + q V) spectra.  The paper gives spectra by year but coadds in total only; q is taken
to be the same in all years, which fixes it.  What does not divide evenly is made up by stars that lost their
last exposure, and where a year has an odd number of single spectra by a red arm that is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.plan import Visit
from lkmrs_dask.synthetic.population import Stars, faintness
from lkmrs_dask.synthetic.quotas import VISITS_AND_EXPOSURES, YEARS, Quotas, largest_remainder

__all__ = ["Attendance", "attend", "lowest", "split_by_year"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_BIAS = 0.9  # how much faint stars are left out, against chance


@dataclass(frozen=True, eq=False)
class Attendance:
    """Pairs of a star and a visit, sorted by visit and target; all arrays have one entry per pair.

    Parameters
    ----------
    visit : ndarray of int64
        Index of the visit, rising.
    slot : ndarray of int64
        Index of the target in the visit's plan.
    star : ndarray of int64
        Index of the star.
    n_exposures : ndarray of int64
        Exposures with spectra: all of the visit's, or the first ones.
    coadd : ndarray of bool
        Whether there are coadded spectra.
    lost_red : ndarray of bool
        Whether the last exposure has no red spectrum.
    first : ndarray of int64, shape (visits + 1,)
        Where the pairs of each visit begin.
    """

    visit: Ints
    slot: Ints
    star: Ints
    n_exposures: Ints
    coadd: Bools
    lost_red: Bools
    first: Ints

    def __len__(self) -> int:
        return len(self.star)

    def of_visit(self, visit: int) -> slice:
        """Where the pairs of a visit are."""
        return slice(int(self.first[visit]), int(self.first[visit + 1]))


def lowest(score: NDArray[np.float64], n: int) -> Ints:
    """Indices of the n lowest scores, rising; all if there are fewer."""
    if n >= len(score):
        return np.arange(len(score))
    if n <= 0:
        return np.empty(0, np.int64)
    return np.sort(np.argsort(score, kind="stable")[:n])


def split_by_year(quotas: Quotas) -> tuple[list[int], list[int]]:
    """Coadds of one arm, and single spectra of both, by year.

    Returns
    -------
    coadds, singles : list of int
        ``2 * coadds + singles`` are the year's spectra.
    """
    visits, exposures = np.array([VISITS_AND_EXPOSURES[year] for year in YEARS], np.float64).T
    spectra = np.array(quotas.spectra, np.float64)

    def coadds(share: float) -> NDArray[np.float64]:
        return share * visits * spectra / (2.0 * (exposures + share * visits))

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if coadds(middle).sum() < quotas.coadds else (low, middle)
    of_year = largest_remainder(coadds(high).tolist(), quotas.coadds)
    return of_year, [total - 2 * n for total, n in zip(quotas.spectra, of_year, strict=True)]


def attend(
    stars: Stars,
    visits: Sequence[Visit],
    plan_of_visit: Ints,
    targets: Sequence[Ints],
    quotas: Quotas,
    draws: Draws,
) -> Attendance:
    """Choose who is observed on each visit.

    Parameters
    ----------
    stars : Stars
        All stars.
    visits : sequence of Visit
        By time; one a night.
    plan_of_visit : ndarray of int64
        Index of each visit's plan.
    targets : sequence of ndarray of int64
        Stars on each plan, rising.
    quotas : Quotas
        Spectra by year, and coadds.
    draws : Draws
        Random numbers, addressed by star and night.

    Notes
    -----
    Each star that is on a plan is observed at least once: it has a visit on which it is chosen first.  Where
    a survey is so small that plates have fewer stars than that needs, numbers come as near as they can.
    """
    coadds, singles = split_by_year(quotas)
    faint = faintness(stars.g)
    number = np.empty(len(visits), np.int64)
    missing = np.zeros(len(visits), np.int64)
    for year, single in zip(YEARS, singles, strict=True):
        mine = [k for k, visit in enumerate(visits) if visit.year == year]
        size = np.array([len(targets[plan_of_visit[k]]) for k in mine])
        exposures = np.array([len(visits[k].lmjm) for k in mine])
        number[mine], missing[mine] = _numbers(size, exposures, -(-single // 2))
    invited = _invited(stars, plan_of_visit, number, draws)
    pairs = []
    for k, visit in enumerate(visits):
        star = targets[plan_of_visit[k]]
        score = draws.uniform(Purpose.ATTENDS, stars.number[star], visit.night) + _BIAS * faint[star]
        score[invited[star] == k] -= 2.0 + _BIAS
        slot = lowest(score, max(int(number[k]), int((invited[star] == k).sum())))
        n_exposures = np.full(len(slot), len(visit.lmjm))
        # The last ones in order of score lose an exposure.
        n_exposures[np.argsort(-score[slot], kind="stable")[: missing[k]]] -= 1
        pairs.append((np.full(len(slot), k), slot, star[slot], n_exposures))
    visit_of, slot, star, n_exposures = (np.concatenate(column) for column in zip(*pairs, strict=True))
    first = np.searchsorted(visit_of, np.arange(len(visits) + 1))
    night = np.array([visit.night for visit in visits])
    score = draws.uniform(Purpose.COADDED, stars.number[star], night[visit_of]) + _BIAS * faint[star]
    year = np.array([visit.year for visit in visits])[visit_of]
    coadd, lost_red = np.zeros(len(star), bool), np.zeros(len(star), bool)
    for one, wanted, single in zip(YEARS, coadds, singles, strict=True):
        here = np.flatnonzero(year == one)
        coadd[here[lowest(score[here], wanted)]] = True
        if single % 2 and len(here):
            lost_red[here[np.argmax(score[here])]] = True
    return Attendance(visit_of, slot, star, n_exposures, coadd, lost_red, first)


def _numbers(size: Ints, exposures: Ints, wanted: int) -> tuple[Ints, Ints]:
    """Stars on each visit of a year, and how many of them lose an exposure, for so many star-exposures."""
    room = int((size * exposures).sum())
    if not room:
        return size, np.zeros_like(size)
    exact = size * min(1.0, wanted / room)
    number = np.floor(exact).astype(np.int64)
    number = np.maximum(number, np.minimum(size, 1))
    left = wanted - int((number * exposures).sum())
    for k in np.argsort(number - exact, kind="stable").tolist():
        if left > 0 and number[k] < size[k]:
            number[k] += 1
            left -= int(exposures[k])
    missing = np.zeros_like(size)
    if left < 0:
        # One visit has enough stars for all that is too much, but in the smallest surveys.
        k = int(np.argmax(number * (exposures > 1)))
        missing[k] = min(-left, int(number[k]))
    return number, missing


def _invited(stars: Stars, plan_of_visit: Ints, number: Ints, draws: Draws) -> Ints:
    """Visit on which each star is chosen first, by chance and in proportion to the visits' numbers."""
    invited = np.full(len(stars), -1)
    by_chance = np.argsort(draws.uniform(Purpose.FIRST_VISIT, stars.number), kind="stable")
    for plan in np.unique(stars.home).tolist():
        visits = np.flatnonzero(plan_of_visit == plan)
        own = by_chance[stars.home[by_chance] == plan]
        upto = np.cumsum(np.maximum(number[visits], 1))
        invited[own] = visits[np.searchsorted(upto, (np.arange(len(own)) + 0.5) / len(own) * upto[-1])]
    return invited
