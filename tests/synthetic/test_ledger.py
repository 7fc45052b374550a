"""The ledger: every quota, at the full size and at small ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lkmrs_dask.sky.index import separation_arcsec
from lkmrs_dask.synthetic import ledger as ledger_module
from lkmrs_dask.synthetic.attendance import lowest, split_by_year
from lkmrs_dask.synthetic.ledger import Ledger, make_ledger
from lkmrs_dask.synthetic.measure import measure_parameters, measure_velocities
from lkmrs_dask.synthetic.noise import ERROR_LAW
from lkmrs_dask.synthetic.quotas import CLASSES, VISITS_AND_EXPOSURES, YEARS, Quotas
from lkmrs_dask.synthetic.visit_files import see_visit

# (fraction, seed): the whole survey, and sizes of tests and of the demo (0.008).
SURVEYS = [(1.0, 1), (0.1, 2), (0.02, 1), (0.008, 1), (0.008, 7), (0.003, 5)]


@pytest.fixture(scope="module", params=SURVEYS, ids=str)
def ledger(request: pytest.FixtureRequest) -> Ledger:
    return make_ledger(*request.param)


@pytest.fixture(scope="module")
def whole() -> Ledger:
    return make_ledger(1.0, 1)


def by_year(ledger: Ledger, values: np.ndarray) -> tuple[int, ...]:
    year = np.array([visit.year for visit in ledger.visits])[ledger.attendance.visit]
    return tuple(int(values[year == one].sum()) for one in YEARS)


def test_spectra_by_year(ledger: Ledger) -> None:
    pairs, quotas = ledger.attendance, ledger.quotas
    singles = by_year(ledger, 2 * pairs.n_exposures - pairs.lost_red)
    coadds = by_year(ledger, 2 * pairs.coadd)
    assert tuple(map(sum, zip(singles, coadds, strict=True))) == quotas.spectra
    assert sum(coadds) == 2 * quotas.coadds
    assert pairs.lost_red.sum() == sum(n % 2 for n in singles)


def test_visits_and_exposures_by_year(ledger: Ledger) -> None:
    for year, wanted in VISITS_AND_EXPOSURES.items():
        mine = [k for k, visit in enumerate(ledger.visits) if visit.year == year]
        distinct = set()
        for k in mine:
            seen = int(ledger.attendance.n_exposures[ledger.attendance.of_visit(k)].max())
            distinct |= {(ledger.visits[k].plan.planid, lmjm) for lmjm in ledger.visits[k].lmjm[:seen]}
        assert (len(mine), len(distinct)) == wanted


def test_every_star_is_observed(ledger: Ledger) -> None:
    assert len(ledger.stars) == ledger.quotas.n_stars
    assert np.array_equal(np.unique(ledger.attendance.star), np.arange(len(ledger.stars)))
    assert (ledger.fields == "Kepler").sum() == ledger.quotas.kepler_stars
    assert (ledger.fields == "K2").sum() == ledger.quotas.k2_stars


def test_measurements_by_year(ledger: Ledger) -> None:
    measured, quotas = ledger.measured, ledger.quotas
    assert by_year(ledger, measured.parameters) == quotas.teff
    for name in ("rv", "vsini", "alpha_m"):
        flags = getattr(measured, name)
        assert by_year(ledger, flags) == getattr(quotas, name)
        assert not (flags & ~measured.parameters).any()
    assert not (measured.parameters & ~ledger.attendance.coadd).any()
    teff = ledger.stars.teff[ledger.attendance.star]
    assert teff[measured.parameters].max() < 8500
    assert np.all((teff[measured.vsini] > 5000) & (teff[measured.vsini] < 8500))


def test_stars_by_what_is_measured(ledger: Ledger) -> None:
    quotas = ledger.quotas
    assert ledger.has_parameters.sum() == quotas.stars_with_parameters
    assert (ledger.n_measurements >= 3).sum() == quotas.stars_with_three
    assert (ledger.n_rv > 0).sum() == quotas.stars_with_rv


def test_special_stars(ledger: Ledger) -> None:
    stars, quotas = ledger.stars, ledger.quotas
    feh = stars.feh[ledger.has_parameters]
    assert ((feh >= -2) & (feh < -1)).sum() == quotas.metal_poor
    assert ((feh >= -2.5) & (feh < -2)).sum() == (feh < -2).sum() == quotas.very_metal_poor
    assert not (stars.feh[~ledger.has_parameters] < -1).any()
    assert stars.rv_variable.sum() == quotas.rv_variables
    assert ledger.n_rv[stars.rv_variable].min(initial=3) >= 3
    assert {name: int((stars.variable_class == name).sum()) for name in CLASSES} == quotas.classes
    assert set(stars.variable_class.tolist()) <= {"", *CLASSES}
    assert not (stars.variable_class[~stars.rv_variable] != "").any()
    unbound = quotas.high_velocity["unbound"]
    assert (stars.high_velocity == 2).sum() == unbound
    assert (stars.high_velocity == 1).sum() == sum(quotas.high_velocity.values()) - unbound
    for name, flags in (("kepler", ledger.has_kepler_photometry), ("tess", ledger.has_tess_photometry)):
        assert (flags & stars.rv_variable).sum() == getattr(quotas, f"{name}_photometry")
    periodic = stars.variable_class != ""
    assert (ledger.has_kepler_photometry | ledger.has_tess_photometry)[periodic].all()


def test_fast_stars_are_metal_poor_as_in_the_paper(whole: Ledger) -> None:
    feh = whole.stars.feh[whole.stars.high_velocity > 0]
    assert (((feh >= -2) & (feh < -1)).sum(), (feh < -2).sum(), len(feh)) == (9, 18, 30)


def test_classes_fit_their_stars(whole: Ledger) -> None:
    stars = whole.stars
    kind, teff, logg = stars.variable_class, stars.teff, stars.logg
    for name in ("DSCT", "GDOR", "hybrid"):  # A and F dwarfs
        assert np.all((teff[kind == name] > 6500) & (logg[kind == name] > 3.5))
    for name in ("RG", "RSCVn"):
        assert np.all((teff[kind == name] < 5500) & (logg[kind == name] < 3.7))
    assert np.all((logg[kind == "RRL"] < 3.1) & (teff[kind == "RRL"] > 6000))
    assert np.all(stars.abs_mag_g[kind == "RRL"] < 2)  # on the horizontal branch, more or less
    assert np.all(logg[kind == "rotation"] > 3.9)
    period = stars.variable_period
    assert np.array_equal(np.isnan(period), kind == "")
    assert period[kind == "DSCT"].max() < 0.3
    assert np.array_equal(period[kind == "EB"], stars.orbit.period[kind == "EB"])


def test_metals_keep_away_from_the_borders(whole: Ledger) -> None:
    """No mean [Fe/H] is nearer to a border than 3 of its errors, by a plain sum over measurements."""
    a, b, c = ERROR_LAW["feh"]
    pairs, given = whole.attendance, whole.measured.parameters
    g = whole.stars.g[pairs.star]
    # S/N by magnitude alone: 100 at G = 9, 4 at 15, times the root of the exposures.
    snr = np.minimum(100 * 10 ** (-0.236 * (g - 9)), 400) * np.sqrt(pairs.n_exposures)
    weight = np.where(given, snr**2, 0.0)
    variance = np.bincount(pairs.star, (weight * (a * np.maximum(snr, 5) ** b + c)) ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = np.sqrt(variance) / np.bincount(pairs.star, weight)
    known = whole.has_parameters
    for border in (-1.0, -2.0, -2.5):
        apart = np.abs(whole.stars.feh[known] - border) / sigma[known]
        # Weather and fibres, left out here, change S/N by a quarter or so: 4.5 become 3 for nearly all.
        assert (apart < 3.0).mean() < 2e-3
        assert apart.min() > 1.5


def test_plates_are_broad_as_in_the_paper(whole: Ledger) -> None:
    exposures = [sum(map(sum, plan.exposures.values())) for plan in whole.plans]
    assert sum(n >= 60 for n in exposures) == 4
    assert sum(40 <= n < 60 for n in exposures) == 4
    assert len(exposures) == 21
    assert max(len(targets) for targets in whole.targets) <= 4000


def test_test_plates_share_most_stars(whole: Ledger) -> None:
    place = {plan.planid: k for k, plan in enumerate(whole.plans)}
    for plan in whole.plans:
        if plan.stars_of is not None:
            targets = whole.targets[place[plan.planid]].star
            assert (whole.stars.home[targets] == place[plan.stars_of]).mean() > 0.8
            assert separation_arcsec(*plan.centre, *whole.plans[place[plan.stars_of]].centre) < 30


def test_bright_stars_are_measured_first(whole: Ledger) -> None:
    stars, known = whole.stars, whole.has_parameters
    fit = stars.teff < 8500
    assert np.median(stars.g[known]) < np.median(stars.g[fit & ~known]) - 0.3
    assert known[fit & (stars.g < 12)].mean() > 0.9


def test_orbits_show(whole: Ledger) -> None:
    orbit, variable = whole.stars.orbit, whole.stars.rv_variable
    assert np.array_equal(np.isnan(orbit.period), ~variable)
    assert orbit.amplitude[variable].min() > 3
    assert orbit.amplitude[variable].max() <= 120
    assert np.median(orbit.amplitude[variable]) < 40
    assert np.all(orbit.eccentricity[variable & (orbit.period < 8)] == 0)


def test_orbits_are_outside_of_their_stars(ledger: Ledger) -> None:
    """Periastra of 1.5 radii and more, with gravities and Kepler's law in solar units."""
    stars, binary = ledger.stars, ledger.stars.rv_variable & (ledger.stars.variable_class != "RRL")
    period, speed, e = (values[binary] for values in stars.orbit[:3])
    teff, logg = stars.teff[binary], stars.logg[binary]
    mass = np.where(logg >= 3.9, np.clip((teff / 5772) ** 1.6, 0.6, 2.2), 1.2)
    radius = np.sqrt(mass * 10 ** (4.438 - logg)) / 215.03  # au
    # The third law with the visible star's mass alone: another one makes the orbit wider.
    assert np.all(np.cbrt(mass * (period / 365.25) ** 2) * (1 - e) > 1.5 * radius)
    assert np.all(1.0361e-7 * period * speed**3 * (1 - e**2) ** 1.5 < 0.6)


def test_a_fifth_are_giants(whole: Ledger) -> None:
    # Section 3.3, whose two numbers are swapped: 7,560 of 36,574; 4 binomial deviations.
    share = (whole.stars.logg[whole.has_parameters] < 3.5).mean()
    assert share == pytest.approx(7560 / 36574, abs=4 * np.sqrt(0.2 * 0.8 / 36574))


def test_fast_stars_stay_within_match_radii(whole: Ledger) -> None:
    stars, fast = whole.stars, whole.stars.high_velocity > 0
    assert stars.distance[fast].min() > 500
    # What they move from 2000 to Gaia's 2016, with the largest error of LAMOST's position.
    moved = 16 * np.hypot(stars.pmra, stars.pmdec)[fast] / 1000
    assert (moved + 1.45).max() < 3.7


def test_coadds_by_year_share_one_rate() -> None:
    coadds, singles = split_by_year(Quotas.of(1.0))
    assert sum(coadds) * 2 == 589856
    assert sum(singles) == 2941929
    rates = []
    for year, coadd, single in zip(YEARS, coadds, singles, strict=True):
        visits, exposures = VISITS_AND_EXPOSURES[year]
        rates.append((coadd / visits) / (single / 2 / exposures))
    # Whole numbers: a unit in some 20,000.
    assert max(rates) - min(rates) < 2e-4
    assert 0.9 < rates[0] < 0.96


def test_a_smaller_survey_has_the_first_stars_of_a_larger_one() -> None:
    few, many = make_ledger(0.008, 3).stars, make_ledger(0.02, 3).stars
    place = np.searchsorted(many.number, few.number)
    assert np.array_equal(many.number[place], few.number)
    for name in ("ra", "dec", "g", "teff", "has_gaia", "gp_id"):
        assert np.array_equal(getattr(few, name), getattr(many, name)[place]), name


def test_same_seed_same_ledger() -> None:
    one = make_ledger(0.003, 9)
    ledger_module._made.cache_clear()
    two, other = make_ledger(0.003, 9), make_ledger(0.003, 10)
    assert one is not two
    for name in ("star", "coadd", "slot", "n_exposures"):
        assert np.array_equal(getattr(one.attendance, name), getattr(two.attendance, name))
    for column in dataclasses.fields(one.stars):
        values = getattr(one.stars, column.name)
        if column.name != "orbit":
            again, floats = getattr(two.stars, column.name), values.dtype.kind == "f"
            assert np.array_equal(values, again, equal_nan=floats), column.name
    assert not np.array_equal(one.stars.ra, other.stars.ra)


@pytest.mark.parametrize("n_stars", [1, 5, 40])
def test_tiny_surveys_work(n_stars: int) -> None:
    ledger = make_ledger(n_stars / 49310, 1)
    assert len(ledger.stars) == n_stars
    assert np.array_equal(np.unique(ledger.attendance.star), np.arange(n_stars))
    assert ledger.measured.parameters.sum() <= ledger.attendance.coadd.sum()


def test_lowest() -> None:
    score = np.array([3.0, 1.0, 2.0, 1.0, 5.0])
    assert lowest(score, 3).tolist() == [1, 2, 3]
    assert lowest(score, 1).tolist() == [1]  # of equal ones the first
    assert lowest(score, 0).tolist() == lowest(score, -2).tolist() == []
    assert lowest(score, 9).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.slow
@pytest.mark.parametrize("ddof", [0, 1])
def test_a_run_would_count_them(whole: Ledger, ddof: int) -> None:
    """Means and scatter of the measured values, by plain sums: what is there is found."""
    star, feh, weight, rv, error = [], [], [], [], []
    for visit in range(len(whole.visits)):
        seen = see_visit(whole, visit)
        target, values = measure_parameters(seen, whole.draws)
        velocities = measure_velocities(seen, whole.draws)
        star.append(seen.targets.star[target])
        feh.append(values["feh"])
        weight.append(seen.snr[target, -1, 0] ** 2)
        rv.append(velocities["rv_br1"][target, -1])
        error.append(velocities["rv_br_err"][target, -1])
    at, w = np.concatenate(star), np.concatenate(weight)
    n = len(whole.stars)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(at, np.concatenate(feh) * w, n) / np.bincount(at, w, n)
        # 4.5 errors from the borders: of 36,588 stars hardly one crosses.
        assert abs(((mean >= -2) & (mean < -1)).sum() - 764) <= 1
        assert abs((mean < -2).sum() - 174) <= 1
        v, e = np.concatenate(rv), np.concatenate(error)
        given = np.isfinite(v)
        at, v, e = at[given], v[given], e[given]
        times = np.bincount(at, minlength=n)
        centre = np.bincount(at, v, n) / times
        scatter = np.sqrt(np.bincount(at, (v - centre[at]) ** 2, n) / (times - ddof))
        found = (scatter > 3 * np.bincount(at, e, n) / times) & (times >= 3)
    # Of 6,000 ordinary stars with three velocities e**-9 each, so 0.7, exceed 3 errors with N - 1.
    assert (found != whole.stars.rv_variable).sum() <= 4
