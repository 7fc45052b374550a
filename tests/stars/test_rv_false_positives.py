"""Stars that a rule calls variable by chance: the formula, simulation, and plain noise."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.rv_false_positives import (
    expected_false_positives,
    false_positive_rate,
    simulated_false_positives,
)
from lkmrs_dask.stars.rv_settings import RvVariableSettings
from lkmrs_dask.stars.rv_variable import velocity_scatter


def survey(sizes: list[int], error: float = 1.0) -> pa.Table:
    star = np.repeat(np.arange(len(sizes)), sizes)
    n = len(star)
    return pa.table(
        {
            "star_id": [str(k) for k in star],
            "mjd": np.arange(float(n)),
            "rv": np.zeros(n),
            "rv_err": np.full(n, error),
        }
    )


def test_known_rates() -> None:
    """For few velocities the tail of chi-square is elementary."""
    rate = false_positive_rate([2, 3, 5], RvVariableSettings(least_n=2))
    expected = [math.erfc(3 / math.sqrt(2)), math.exp(-9), math.exp(-18) * (1 + 18)]
    np.testing.assert_allclose(rate, expected, rtol=1e-12)
    np.testing.assert_allclose(rate, [2.7e-3, 1.2e-4, 3e-7], rtol=0.05)
    population = false_positive_rate([2, 3], RvVariableSettings(least_n=2, ddof=0))
    np.testing.assert_allclose(population, [math.erfc(3.0), math.exp(-13.5)], rtol=1e-12)
    assert false_positive_rate([0, 1, 2]).tolist() == [0, 0, 0]


def test_rules_of_a_survey() -> None:
    n = [1, 2, 3, 3, 4]
    for rule, expected in {
        "paper": [0, 0, math.exp(-9), math.erfc(6 / math.sqrt(2) * math.sqrt(0.375))],
        "chi2": [0, 0, 1e-4, 1e-4],
    }.items():
        found = expected_false_positives(n, RvVariableSettings(rule=rule))
        assert (found.n.tolist(), found.stars.tolist()) == ([1, 2, 3, 4], [1, 1, 2, 1])
        np.testing.assert_allclose(found.rate[:3], expected[:3], rtol=1e-12)
        np.testing.assert_allclose(found.expected, found.stars * found.rate)
        assert found.total == pytest.approx(found.expected.sum())
    rates = {
        rule: false_positive_rate(np.arange(3, 9), RvVariableSettings(rule=rule))
        for rule in ("paper", "chi2", "either", "both")
    }
    np.testing.assert_array_equal(rates["either"], np.maximum(rates["paper"], rates["chi2"]))
    np.testing.assert_array_equal(rates["both"], np.minimum(rates["paper"], rates["chi2"]))


def test_against_plain_noise() -> None:
    """A milder threshold, so that there are some; within 4 sigma of the count."""
    rng, stars = np.random.default_rng(2), 40_000
    for n, ddof in ((2, 1), (3, 1), (3, 0), (6, 1)):
        settings = RvVariableSettings(n_sigma=1.8, ddof=ddof, least_n=2)
        expected = stars * float(false_positive_rate(n, settings))
        rv = rng.standard_normal(stars * n)
        first = np.arange(stars) * n
        passed = velocity_scatter(rv, np.ones(len(rv)), first, n_sigma=1.8, ddof=ddof).variable.sum()
        assert abs(passed - expected) < 4 * math.sqrt(expected)


def test_largest_difference_of_noise() -> None:
    """The sum over pairs is an upper limit, and close where the chance is small."""
    rng, stars, n = np.random.default_rng(3), 100_000, 4
    settings = RvVariableSettings(rule="difference", difference_sigma=3.0, max_difference=0.0)
    limit = stars * float(false_positive_rate(n, settings))
    noise = rng.standard_normal((stars, n))
    passed = np.count_nonzero(np.ptp(noise, axis=1) > 3.0 * math.sqrt(2))
    assert 0.85 * limit - 4 * math.sqrt(limit) < passed < limit + 4 * math.sqrt(limit)
    wide = RvVariableSettings(rule="difference", difference_sigma=3.0, max_difference=10.0)
    assert float(false_positive_rate(n, wide, error=2.0)) == pytest.approx(
        6 * math.erfc(10 / (2 * math.sqrt(2)) / math.sqrt(2))
    )
    assert false_positive_rate(n, wide, error=2.0) < false_positive_rate(n, wide)


@pytest.mark.parametrize("rule", ["paper", "chi2", "either", "both", "difference"])
def test_simulation_agrees_where_errors_are_equal(rule: str) -> None:
    settings = RvVariableSettings(
        rule=rule, n_sigma=1.8, log10_p=-1.5, difference_sigma=2.5, max_difference=0.0
    )
    table = survey([1] * 50 + [2] * 50 + [3] * 1000 + [4] * 1000)
    rounds = 5
    found = simulated_false_positives(table, settings, rounds=rounds, seed=1)
    known = expected_false_positives([1] * 50 + [2] * 50 + [3] * 1000 + [4] * 1000, settings)
    np.testing.assert_array_equal(found.n, known.n)
    np.testing.assert_array_equal(found.stars, known.stars)
    slack = 0.85 if rule == "difference" else 1.0  # whose formula is an upper limit
    for one, expected in zip(found.expected, known.expected, strict=True):
        error = 4 * math.sqrt(expected / rounds)
        assert slack * expected - error <= one <= expected + error
    again = simulated_false_positives(table, settings, rounds=rounds, seed=1)
    np.testing.assert_array_equal(found.expected, again.expected)


def test_unequal_errors_make_more() -> None:
    """One velocity with thirty times the error makes the scatter, but not the mean error."""
    table = survey([4] * 2000)
    error = np.ones(8000)
    error[::4] = 30.0
    table = table.set_column(3, "rv_err", pa.array(error))
    settings = RvVariableSettings(n_sigma=1.5)
    simulated = simulated_false_positives(table, settings, rounds=2).total
    assert simulated > 1.5 * expected_false_positives([4] * 2000, settings).total
    chi2 = RvVariableSettings(rule="chi2", log10_p=-1.0)
    found = simulated_false_positives(table, chi2, rounds=2).total
    assert found == pytest.approx(200, abs=4 * math.sqrt(200 / 2))


def test_edges() -> None:
    table = survey([3, 1])
    table = table.set_column(2, "rv", pa.array([1.0, None, 2.0, 3.0]))
    found = simulated_false_positives(table, rounds=2)
    assert (found.n.tolist(), found.stars.tolist(), found.total) == ([1, 2], [1, 1], 0.0)
    none = simulated_false_positives(survey([]), rounds=1)
    assert (len(none.n), none.total) == (0, 0.0)
    assert expected_false_positives([]).total == 0.0
    with pytest.raises(UsageError, match="rounds"):
        simulated_false_positives(table, rounds=0)
