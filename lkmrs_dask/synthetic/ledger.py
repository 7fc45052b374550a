"""The whole survey in a few arrays: stars, visits, who is observed when, and what is measured.

It is made in seconds, in any process, from the fraction and the seed alone, and all files follow from it.  So
nothing needs to be shipped to workers, and counts are exact however the work is split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.attendance import Attendance, attend
from lkmrs_dask.synthetic.barycentre import barycentric_mjd
from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.measured import LASP_TEFF, Candidates, Measured, measure
from lkmrs_dask.synthetic.motion import with_orbits
from lkmrs_dask.synthetic.noise import error, single_snr
from lkmrs_dask.synthetic.observe import blue_factors
from lkmrs_dask.synthetic.orbit import radial_velocity
from lkmrs_dask.synthetic.plan import OTHER_PLAN, PLANS, Plan, Visit, schedule
from lkmrs_dask.synthetic.population import Stars, make_stars, with_motions
from lkmrs_dask.synthetic.quotas import Quotas, largest_remainder
from lkmrs_dask.synthetic.special import (
    Knowledge,
    choose_fast,
    choose_metal_poor,
    choose_photometry,
    choose_variables,
)
from lkmrs_dask.synthetic.targets import Targets, choose_targets

__all__ = ["Ledger", "make_ledger", "other_stars"]

_PER_PLAN = 20  # bits of a star's number that count it among those of its plan
_OTHER_SHARE = 100  # survey stars for each star of the other sub-project

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Ledger:
    """A survey before it is written.

    Parameters
    ----------
    fraction : float
        Of the paper's survey.
    quotas : Quotas
        What it must have.
    draws : Draws
        Its random numbers.
    plans : sequence of Plan
        What ``stars.home`` refers to.
    stars : Stars
        The truth about stars; arrays with "per star" below have the same order.
    visits : sequence of Visit
        By time.
    targets : sequence of Targets
        Those of each plan.
    plan_of_visit : ndarray of int64
        Index of each visit's plan.
    attendance : Attendance
        Pairs of a star and a visit.
    measured : Measured
        What is measured at each pair.
    has_kepler_photometry, has_tess_photometry : ndarray of bool
        Per star: light curves of Kepler or K2, and of TESS.
    """

    fraction: float
    quotas: Quotas
    draws: Draws
    plans: Sequence[Plan]
    stars: Stars
    visits: Sequence[Visit]
    targets: Sequence[Targets]
    plan_of_visit: Ints
    attendance: Attendance
    measured: Measured
    has_kepler_photometry: Bools
    has_tess_photometry: Bools

    def _per_star(self, flags: Bools) -> Ints:
        return np.bincount(self.attendance.star[flags], minlength=len(self.stars))

    @cached_property
    def n_measurements(self) -> Ints:
        """Per star: coadds with parameters."""
        return self._per_star(self.measured.parameters)

    @cached_property
    def n_rv(self) -> Ints:
        """Per star: coadds with a velocity."""
        return self._per_star(self.measured.rv)

    @cached_property
    def has_parameters(self) -> Bools:
        """Per star: whether it has parameters."""
        return self.n_measurements > 0

    @cached_property
    def fields(self) -> NDArray[np.str_]:
        """Per star: ``Kepler`` or ``K2``."""
        return np.array([str(plan.field) for plan in self.plans])[self.stars.home]


def make_ledger(fraction: float, seed: int) -> Ledger:
    """Make the ledger of a survey.

    Parameters
    ----------
    fraction : float
        Of the paper's survey, above 0 and at most 1.  Stars, spectra and all counts scale; plates, visits and
        exposures stay.
    seed : int
        The same seed gives the same survey.  The last two surveys are kept.

    Raises
    ------
    UsageError
        For arguments out of range.
    """
    # One thread makes it, the others wait for it.
    with _MAKING:
        return _made(fraction, seed)


_MAKING = Lock()


@lru_cache(maxsize=2)
def _made(fraction: float, seed: int) -> Ledger:
    quotas, draws = Quotas.of(fraction), Draws(seed)
    stars = _ordinary_stars(quotas, draws)
    targets = [choose_targets(stars, PLANS, k, draws) for k in range(len(PLANS))]
    place = {plan.planid: k for k, plan in enumerate(PLANS)}
    # The other sub-project has its night too.
    every = [visit for visit in schedule((*PLANS, OTHER_PLAN), draws) if visit.plan.field]
    visits = [visit for visit in every if len(targets[place[visit.plan.planid]])]
    plan_of_visit = np.array([place[visit.plan.planid] for visit in visits])
    attendance = attend(stars, visits, plan_of_visit, [one.star for one in targets], quotas, draws)

    snr = _coadd_snr(stars, visits, attendance, draws)
    measured = measure(_candidates(stars, visits, attendance, snr), quotas, draws)
    known = _knowledge(len(stars), attendance, measured, snr)
    stars = choose_metal_poor(stars, known, quotas, draws)
    stars = choose_fast(stars, known, quotas, draws)
    stars = choose_variables(stars, known, quotas, draws)
    epochs = _Epochs(visits, attendance, measured.rv)
    stars = with_orbits(stars, epochs.scatter, known.rv_error, draws)
    stars = with_motions(stars, draws)
    return Ledger(
        fraction, quotas, draws, PLANS, stars, visits, targets, plan_of_visit, attendance, measured,
        *choose_photometry(stars, quotas, draws),
    )  # fmt: skip


def _ordinary_stars(quotas: Quotas, draws: Draws) -> Stars:
    """Stars spread evenly over the plans of their field; star k of a plan is the same at every fraction."""
    home = []
    for name, n in (("Kepler", quotas.kepler_stars), ("K2", quotas.k2_stars)):
        plans = [k for k, plan in enumerate(PLANS) if plan.field == name and plan.stars_of is None]
        home.append(np.repeat(plans, largest_remainder([1.0] * len(plans), n)))
    at = np.sort(np.concatenate(home))
    count = np.arange(len(at)) - np.searchsorted(at, at)
    return make_stars(draws, (at << _PER_PLAN) + count, at, PLANS)


def other_stars(quotas: Quotas, draws: Draws) -> tuple[Stars, Targets, Visit]:
    """Stars, targets and the visit of the other sub-project's plan."""
    plans = (*PLANS, OTHER_PLAN)
    n = max(1, quotas.n_stars // _OTHER_SHARE)
    home = np.full(n, len(PLANS))
    stars = with_motions(make_stars(draws, (home << _PER_PLAN) + np.arange(n), home, plans), draws)
    (visit,) = [visit for visit in schedule(plans, draws) if visit.plan == OTHER_PLAN]
    return stars, choose_targets(stars, plans, len(PLANS), draws), visit


def _coadd_snr(
    stars: Stars, visits: Sequence[Visit], attendance: Attendance, draws: Draws
) -> NDArray[np.float64]:
    """S/N of the blue coadd of each pair, but for the few percent by which each exposure varies."""
    snr = np.empty(len(attendance))
    for k, visit in enumerate(visits):
        here = attendance.of_visit(k)
        star = attendance.star[here]
        fibre, clouds = blue_factors(visit, stars.number[star], draws)
        depth = np.sqrt(np.cumsum(clouds**2))[attendance.n_exposures[here] - 1]
        snr[here] = single_snr(stars.g[star], visit.weather * fibre) * depth
    return snr


def _candidates(
    stars: Stars, visits: Sequence[Visit], attendance: Attendance, snr: NDArray[np.float64]
) -> Candidates:
    star = attendance.star
    teff = stars.teff[star]
    night, year = (np.array([getattr(visit, name) for visit in visits]) for name in ("night", "year"))
    return Candidates(
        star=star,
        number=stars.number[star],
        night=night[attendance.visit],
        year=year[attendance.visit],
        snr=snr,
        usable=attendance.coadd & (teff >= LASP_TEFF[0]) & (teff <= LASP_TEFF[1]),
        teff=teff,
        vsini=stars.vsini[star],
    )


def _knowledge(n: int, attendance: Attendance, measured: Measured, snr: NDArray[np.float64]) -> Knowledge:
    def total(rows: Bools, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(attendance.star[rows], values, minlength=n).astype(np.float64)

    given, rv = measured.parameters, measured.rv
    weight, one = snr[given] ** 2, np.ones(len(snr))
    n_rv = total(rv, one[rv])
    with np.errstate(invalid="ignore", divide="ignore"):
        feh_error = np.sqrt(total(given, (weight * error("feh", snr[given])) ** 2)) / total(given, weight)
        rv_error = total(rv, error("rv", snr[rv])) / n_rv
    return Knowledge(total(given, one[given]).astype(np.int64), n_rv.astype(np.int64), feh_error, rv_error)


@dataclass(frozen=True, eq=False)
class _Epochs:
    """Pairs with velocity."""

    visits: Sequence[Visit]
    attendance: Attendance
    has_rv: Bools

    def scatter(self, stars: Stars) -> NDArray[np.float64]:
        """Standard deviation (over N) of each star's orbital velocity at its epochs."""
        star, velocity = [np.empty(0, np.int64)], [np.empty(0)]
        for k, visit in enumerate(self.visits):
            here = self.attendance.of_visit(k)
            some = self.attendance.star[here][self.has_rv[here]]
            some = some[stars.rv_variable[some]]
            if len(some):
                time = barycentric_mjd(visit.mid_times, stars.ra[some], stars.dec[some])
                star.append(some)
                velocity.append(radial_velocity(time, stars.orbit.at((some, None))).mean(axis=1))
        at, value = np.concatenate(star), np.concatenate(velocity)
        n = np.maximum(np.bincount(at, minlength=len(stars)), 1)
        mean = np.bincount(at, value, minlength=len(stars)) / n
        return np.sqrt(np.bincount(at, (value - mean[at]) ** 2, minlength=len(stars)) / n)
