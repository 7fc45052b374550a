"""Orbits of single stars: injected ones come back, bad input gets a reason, real binaries their periods."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.orbits import (
    OrbitSettings,
    OrbitSolution,
    OrbitSolutions,
    mass_function,
    orbit_search,
    orbit_velocity,
)
from lkmrs_dask.stars.orbits.solution import FLAGS

QUICK = OrbitSettings(min_period=1.0)
"""Ten times fewer frequencies than by default."""


SLOW_ONLY = OrbitSettings(min_period=5.0, min_passage=8.0)


def injected(
    seed: int, n: int, baseline: float, period: float, k: float, e: float, noise: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    time = rng.uniform(0, baseline, n)
    omega, t0 = rng.uniform(0, 2 * np.pi), rng.uniform(0, period)
    rv = orbit_velocity(time, period, k, e, omega, t0, 15.0) + rng.normal(0, noise, n)
    return time + 56000.0, rv, np.full(n, noise)


def at_period(found: OrbitSolutions, period: float) -> tuple[int, OrbitSolution] | None:
    """The solution of a published period: its frequency is the same within a quarter of the resolution."""
    for rank, one in enumerate(found.solutions, start=1):
        if abs(1 / one.period - 1 / period) < 0.25 / found.baseline:
            return rank, one
    return None


@pytest.mark.parametrize(
    ("period", "k", "e", "n"),
    [
        (2.41, 60.0, 0.0, 15), (23.7, 8.0, 0.0, 15), (23.7, 30.0, 0.1, 20), (23.7, 100.0, 0.5, 15),
        (60.3, 60.0, 0.9, 30), (310.0, 20.0, 0.5, 15),
    ],
)  # fmt: skip
def test_injected_orbits(period: float, k: float, e: float, n: int) -> None:
    for seed in range(3):
        found = orbit_search(*injected(seed, n, 1500.0, period, k, e), QUICK)
        best = found.solutions[0]
        assert best.weight > 0.9
        assert abs(best.period - period) < 3.5 * best.period_err
        assert abs(best.k - k) < 3.5 * best.k_err
        assert abs(best.gamma - 15.0) < 3.5 * best.gamma_err
        assert best.model == ("circular" if e == 0 else "keplerian")
        if e:
            assert abs(best.e - e) < 3.5 * best.e_err
            assert best.lucy_sweeney < 0.05
        else:
            assert (best.e, np.isnan(best.e_err), np.isnan(best.omega)) == (0.0, True, True)
            assert best.e_upper < 0.4
        assert best.mass_function == pytest.approx(float(mass_function(best.period, best.k, best.e)))
        assert set(best.flags) <= set(FLAGS)
        assert best.delta_bic > 100


@cache
def pulls() -> dict[str, np.ndarray]:
    """(found - true) / error of fifty stars."""
    rows: dict[str, list[float]] = {"period": [], "k": [], "e": [], "gamma": [], "t0": [], "omega": []}
    truth = {"period": 40.0, "k": 25.0, "e": 0.3, "gamma": 15.0, "t0": 56012.0, "omega": 1.0}
    for seed in range(50):
        rng = np.random.default_rng(seed)
        time = 56000.0 + rng.uniform(0, 700.0, 18)
        rv = orbit_velocity(time, 40.0, 25.0, 0.3, 1.0, 56012.0, 15.0) + rng.normal(0, 2, 18)
        best = orbit_search(time, rv, np.full(18, 2.0), SLOW_ONLY).solutions[0]
        for name, true in truth.items():
            away = getattr(best, name) - true
            if name == "t0":
                away -= 40.0 * np.round(away / 40.0)
            if name == "omega":
                away -= 2 * np.pi * np.round(away / (2 * np.pi))
            # A passage n periods from the one given is off by n times the error of the period too.
            error = best.t0_err if name != "t0" else np.hypot(best.t0_err, 15 * best.period_err)
            rows[name].append(away / (error if name == "t0" else getattr(best, f"{name}_err")))
    return {name: np.array(one) for name, one in rows.items()}


@pytest.mark.parametrize("name", ["period", "k", "e", "gamma", "t0", "omega"])
def test_errors_cover(name: str) -> None:
    pull = pulls()[name]
    pull = pull[np.isfinite(pull)]
    assert len(pull) >= 45
    # 68 % of 50 is 34, +- 3.3; three standard errors of that.
    within = np.count_nonzero(np.abs(pull) < 1)
    assert 24 <= within <= 45 or name == "t0"
    assert np.count_nonzero(np.abs(pull) > 3) <= 2


def test_nothing_depends_on_the_order_of_rows_or_the_call() -> None:
    time, rv, error = injected(4, 9, 800.0, 12.3, 20.0, 0.2)
    shuffled = np.random.default_rng(0).permutation(9)
    assert repr(orbit_search(time, rv, error, QUICK)) == repr(
        orbit_search(time[shuffled], rv[shuffled], error[shuffled], QUICK)
    )


def test_few_epochs_list_their_aliases() -> None:
    """Of five and six epochs the true period is among the listed more often than its weight is small."""
    expected, listed = 0.0, 0
    for seed in range(12):
        found = orbit_search(
            *injected(seed, 6, 200.0, 9.1, 40.0, 0.0), OrbitSettings(min_period=2.0, min_passage=3.0)
        )
        assert found.status == "ok"
        assert {"few_epochs", "e_unconstrained"} <= set(found.solutions[0].flags)
        assert all(one.model == "posterior" for one in found.solutions)
        weights = [one.weight for one in found.solutions]
        assert weights == sorted(weights, reverse=True)
        assert sum(weights) <= 1 + 1e-9
        expected += sum(weights)
        listed += at_period(found, 9.1) is not None
    # If weights are probabilities, that many of the true periods are among those listed: within 3 sigma.
    assert listed >= expected - 3 * np.sqrt(12 * 0.25)
    assert listed >= 6


def test_a_long_period_has_a_wide_posterior() -> None:
    """Half an orbit: the period may be anything that is longer."""
    found = orbit_search(*injected(1, 16, 600.0, 1000.0, 10.0, 0.3), QUICK)
    best = found.solutions[0]
    assert "long_period" in best.flags
    assert abs(best.period - 1000.0) < 3 * best.period_err
    assert best.period_err > 50.0


def test_jitter_makes_good_for_errors_that_are_too_small() -> None:
    time, rv, error = injected(2, 25, 700.0, 31.0, 20.0, 0.0)
    found = orbit_search(time, rv, error / 10.0, QUICK)
    assert found.jitter == pytest.approx(1.0, abs=0.4)
    assert abs(found.solutions[0].period - 31.0) < 3.5 * found.solutions[0].period_err
    assert found.solutions[0].chi2 == pytest.approx(25 - 5, abs=1.5)
    as_given = orbit_search(time, rv, error / 10.0, OrbitSettings(min_period=1.0, fit_jitter=False))
    assert as_given.jitter == 0.0
    assert "poor_fit" in as_given.solutions[0].flags


def test_an_outlier_is_flagged() -> None:
    time, rv, error = injected(6, 25, 700.0, 31.0, 20.0, 0.0)
    assert not {"one_velocity", "outlier"} & set(orbit_search(time, rv, error, QUICK).solutions[0].flags)
    rv[7] += 150.0
    found = orbit_search(time, rv, error, QUICK)
    assert "one_velocity" in found.solutions[0].flags
    rv[7] -= 130.0
    found = orbit_search(time, rv, error, QUICK)
    assert {"one_velocity", "outlier"} & set(found.solutions[0].flags)


def test_a_constant_star_has_no_good_orbit() -> None:
    rng = np.random.default_rng(9)
    found = orbit_search(rng.uniform(0, 900, 12), rng.normal(5, 1, 12), np.ones(12), QUICK)
    assert "weak" in found.solutions[0].flags


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_too_few(n: int) -> None:
    found = orbit_search(np.arange(n) * 7.0, np.arange(n) * 30.0, np.ones(n))
    assert (found.solutions, found.n, found.n_epochs) == ((), n, n)
    assert found.status == f"{n} epochs, 5 are needed"
    if n == 4:
        four = OrbitSettings(min_epochs=4)
        assert orbit_search(np.arange(4) * 7.3, [0, 30, -5, 8], np.ones(4), four).solutions


def test_bad_rows_and_stars() -> None:
    time, rv, error = injected(3, 12, 500.0, 17.0, 30.0, 0.0)
    clean = orbit_search(time, rv, error, QUICK)
    bad = (np.nan, np.inf, 0.0, -1.0)
    dirty = orbit_search(
        [*time, 56001.0, np.nan, 56003.0, 56004.0, 56005.0, 56006.0],
        [*rv, np.nan, 5.0, 5.0, 5.0, 5.0, 5.0], [*error, 1.0, 1.0, *bad], QUICK,
    )  # fmt: skip
    assert dirty.n_unused == 6
    assert dirty.solutions[0].period == clean.solutions[0].period
    assert dirty.solutions[0].flags == (*clean.solutions[0].flags, "rows_left_out")
    same = orbit_search(np.full(9, 5.0), rv[:9], error[:9])
    assert (same.status, same.n, same.n_epochs) == ("1 epochs, 5 are needed", 9, 1)
    assert orbit_search(time, np.full(12, 4.2), error).status == "all velocities are equal"
    hour = orbit_search(time[0] + np.arange(8) / 96, rv[:8], error[:8], OrbitSettings(min_period=1.0))
    assert "baseline of 0.0729 d" in hour.status
    twice = orbit_search(np.append(time, time), np.append(rv, rv), np.append(error, error), QUICK)
    assert (twice.n, twice.n_epochs) == (24, 12)
    assert twice.solutions[0].period == pytest.approx(clean.solutions[0].period, rel=1e-3)
    all_bad = orbit_search(time, np.full(12, np.nan), error)
    assert (all_bad.n, all_bad.n_unused, np.isnan(all_bad.baseline)) == (0, 12, True)
    with pytest.raises(UsageError, match="same length"):
        orbit_search(time, rv[:3], error)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_period": 0.0}, {"max_period": 0.05}, {"min_epochs": 3}, {"min_epochs_eccentric": 6},
        {"jitter": -1.0}, {"max_e": 1.0}, {"draws": 10}, {"seed": -1}, {"fit_jitter": 1}, {"min_epochs": 5.0},
        {"oversampling": float("nan")}, {"min_weight": 1.0}, {"e_significance": 0.0}, {"max_k": 0.0},
    ],
)  # fmt: skip
def test_wrong_settings(wrong: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        OrbitSettings(**wrong)


# File, published period (None: of the Kepler EB catalogue), and whether the first solution must have it.
# KIC 10080943: Schmid et al. 2015, A&A 584, A35; 11558725: Telting et al. 2012, A&A 544, A1; 6780873 and
# 5709664: kic6780873_orbit.csv and orbits.csv of lc_kepler_dsct, from pulsation timing.
REAL = {
    "keb_3955867.rv": (None, True),
    "keb_4285087.rv": (None, True),
    "keb_4569590.rv": (None, True),
    "keb_4663623.rv": (None, True),
    "keb_5179609.rv": (None, True),
    "keb_5285607.rv": (None, True),
    "keb_5308778.rv": (None, True),
    "keb_6449358.rv": (None, True),
    "keb_6781535.rv": (None, True),
    "keb_kep35.rv": (20.733666, True),
    "kic10080943a_JDrv.txt": (15.3364, True),
    "kic10080943b_JDrv.txt": (15.3364, True),
    "kic11558725_JDrv.txt": (10.05, True),
    "kic6780873_JDrv.txt": (9.154712, True),
    "kic5709664a_JDrv.txt": (95.029752, False),
    "kic5709664b_JDrv.txt": (95.029752, False),
}


def catalogue_periods(shared: Path) -> dict[int, float]:
    with (shared / "data/eb_catalogs/Villanova_kepler_EB.csv").open() as lines:
        return {int(row["KIC"]): float(row["period"]) for row in csv.DictReader(lines) if row["KIC"]}


def read_rv(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time, velocity and error of the primary."""
    text = path.read_text(encoding="utf-8").replace("\N{MINUS SIGN}", "-")
    at = (0, 3, 4) if "BF_python" in text else (0, 1, 2)
    lines = (line.partition("#")[0].replace(";", " ").replace(",", " ").split() for line in text.splitlines())
    time, rv, error = np.array([[float(one[i]) for i in at] for one in lines if one]).T
    return time, rv, error


@pytest.mark.parametrize("name", REAL)
def test_real_binaries(shared: Path, name: str) -> None:
    """Errors of the files are those of fits to line profiles; half a km/s is added."""
    period, first = REAL[name]
    if period is None:
        period = catalogue_periods(shared)[int(name[4:-3])]
    found = orbit_search(*read_rv(shared / "data/rv_multi_epoch" / name), OrbitSettings(jitter=0.5))
    match = at_period(found, period)
    assert match is not None
    rank, best = match
    assert rank == 1 or not first
    assert abs(best.period - period) < 4 * best.period_err
    assert best.delta_bic > 100


def test_kepler_35_as_published(shared: Path) -> None:
    """Welsh et al. 2012: e = 0.1421, masses 0.8877 and 0.8094, an orbit that is seen edge on."""
    columns = read_rv(shared / "data/rv_multi_epoch/keb_kep35.rv")
    best = orbit_search(*columns, OrbitSettings(jitter=0.1)).solutions[0]
    assert best.model == "keplerian"
    assert abs(best.e - 0.1421) < 3 * best.e_err
    assert best.mass_function == pytest.approx(0.8094**3 / (0.8877 + 0.8094) ** 2, rel=0.05)
