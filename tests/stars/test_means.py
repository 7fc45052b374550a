"""Weighted means and their errors against Eqs. 1 and 2 written out star by star."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_runs import weighted_by_hand

from lkmrs_dask.stars.means import StarWeights, WeightedMean, squared_weight, weighted_mean

# Relative rounding of Eq. 2: sums of up to 30 terms, 1e-16 each, and a square root.
RTOL = 1e-13


def compare(found: WeightedMean, groups: dict, rtol: float = RTOL, spread: float = 0.0) -> None:
    """`spread`: absolute rounding of deviations, 1e-16 of the values' size, which limits a small error."""
    assert len(found.mean) == len(found.error) == len(found.n) == len(groups)
    for at, star in enumerate(sorted(groups)):
        mean, error, n = groups[star]
        assert found.n[at] == n
        assert math.isnan(found.mean[at]) if mean is None else found.mean[at] == pytest.approx(mean, rel=rtol)
        if error is None:
            assert math.isnan(found.error[at])
        else:
            assert found.error[at] == pytest.approx(error, rel=rtol, abs=spread)


numbers = st.one_of(st.floats(-1e4, 1e4), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 5777.0]))
snrs = st.one_of(st.floats(0.01, 500), st.sampled_from([0.0, -1.0, -50.0, math.nan, math.inf, 10.0]))


@given(rows=st.lists(st.tuples(st.integers(0, 5), numbers, snrs), max_size=30))
@settings(max_examples=200, deadline=None)
def test_random_stars(rows: list[tuple[int, float, float]]) -> None:
    star, values, snr = (np.array([row[k] for row in rows]) for k in range(3))
    groups = {
        s: weighted_by_hand(*zip(*[(v, w) for t, v, w in rows if t == s], strict=True))
        for s in {r[0] for r in rows}
    }
    # Values to 1e4 are rounded to 1e-12; a spread of nothing then comes out as up to that.
    compare(weighted_mean(values, snr, star.astype(np.int64)), groups, rtol=1e-9, spread=1e-10)


def test_against_pandas_groupby_apply() -> None:
    """On 300 stars of real sizes: 20 spectra each on average, S/N 10 to 200, scatter of 1 %."""
    rng = np.random.default_rng(0)
    star = np.array([f"G{s:03d}" for s in rng.integers(0, 300, 6000)])
    frame = pd.DataFrame(
        {"star": star, "p": rng.normal(5000, 50, 6000), "w": rng.uniform(10, 200, 6000) ** 2}
    )

    def formula(one: pd.DataFrame) -> pd.Series:
        n, total = len(one), one["w"].sum()
        mean = (one["w"] * one["p"]).sum() / total
        spread = (one["w"] * (one["p"] - mean) ** 2).sum()
        return pd.Series({"mean": mean, "error": np.sqrt(n / (n - 1) * spread / total), "n": n})

    expected = frame.groupby("star").apply(formula)
    found = weighted_mean(frame["p"], np.sqrt(frame["w"]), frame["star"])
    np.testing.assert_allclose(found.mean, expected["mean"], rtol=1e-13)
    np.testing.assert_allclose(found.error, expected["error"], rtol=1e-11)
    assert found.n.tolist() == expected["n"].astype(int).tolist()


def test_known_answers() -> None:
    # Equal weights: the plain mean and sample standard deviation.
    equal = weighted_mean([1.0, 2.0, 3.0, 4.0], [7.0] * 4, [0] * 4)
    assert equal.mean[0] == 2.5
    assert equal.error[0] == pytest.approx(math.sqrt(5 / 3), rel=1e-15)
    # Weights 1 and 9 for 0 and 10: mean 9, error sqrt(2 * (81 + 9) / 10).
    two = weighted_mean([0.0, 10.0], [1.0, 3.0], [5, 5])
    assert two.mean[0] == 9.0
    assert two.error[0] == pytest.approx(math.sqrt(18), rel=1e-15)
    # Only S/N ratios count, not their scale.
    scaled = weighted_mean([0.0, 10.0], [1e5, 3e5], [5, 5])
    assert (scaled.mean[0], scaled.error[0]) == (two.mean[0], two.error[0])


def test_one_spectrum_and_none() -> None:
    found = weighted_mean(
        [5000.0, np.nan, 4000.0, 1.0, 2.0], [10.0, 9.0, 0.0, -5.0, np.nan], ["a", "a", "b", "b", "c"]
    )
    assert found.n.tolist() == [1, 0, 0]
    assert found.mean[0] == 5000.0
    assert np.isnan(found.mean[1:]).all()
    assert np.isnan(found.error).all()
    empty = weighted_mean([], [], [])
    assert [len(part) for part in empty] == [0, 0, 0]


@pytest.mark.parametrize("snr", [-10.0, 0.0, np.nan, np.inf])
def test_a_spectrum_without_a_positive_snr_has_no_weight(snr: float) -> None:
    """A negative S/N in particular, whose square is a weight like any other."""
    found = weighted_mean([1.0, 2.0, 1000.0], [5.0, 5.0, snr], [1, 1, 1])
    assert (found.mean[0], found.n[0]) == (1.5, 2)
    assert squared_weight(np.array([-10.0, 0.0, np.nan, 3.0])).tolist() == [0.0, 0.0, 0.0, 9.0]


def test_small_spreads_about_large_values() -> None:
    """1e-3 K about 1e6 K: the one-pass formula would have nothing left of the error.

    Doubles near 1e6 are 1.2e-10 apart: a mean of 20 holds to some of that, and deviations of 1e-3 to 1e-7.
    """
    rng = np.random.default_rng(1)
    deviation, snr = rng.normal(0, 1e-3, 1000), rng.uniform(10, 100, 1000)
    star = np.repeat(np.arange(50), 20)
    found = weighted_mean(1e6 + deviation, snr, star)
    for s in range(50):
        mean, error, _ = weighted_by_hand(deviation[star == s].tolist(), snr[star == s].tolist())
        assert found.mean[s] - 1e6 == pytest.approx(mean, abs=1e-9)
        assert found.error[s] == pytest.approx(error, rel=1e-6)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_the_order_of_stars_does_not_change_a_bit(seed: int, n: int) -> None:
    """Rows of a star keep their order; where the star stands among others does not matter."""
    rng = np.random.default_rng(seed)
    star, values, snr = rng.integers(0, 8, n), rng.normal(5000, 100, n), rng.uniform(1, 100, n)
    whole = weighted_mean(values, snr, star)
    for at, s in enumerate(np.unique(star)):
        mine = star == s
        alone = weighted_mean(values[mine], snr[mine], star[mine])
        assert alone.mean[0] == whole.mean[at]
        assert alone.error[0] == whole.error[at] or (np.isnan(alone.error[0]) and np.isnan(whole.error[at]))
        assert alone.n[0] == whole.n[at]


def test_stars_of_very_different_sizes_are_summed_alike() -> None:
    """Beyond the 128 rows at which numpy splits a sum."""
    rng = np.random.default_rng(2)
    sizes = [1, 7, 8, 9, 127, 128, 129, 1000, 2, 5000]
    star = np.repeat(np.arange(len(sizes)), sizes)
    values, snr = rng.normal(5000, 100, len(star)), rng.uniform(1, 100, len(star))
    whole = weighted_mean(values, snr, star)
    groups = {}
    for s in range(len(sizes)):
        mine = star == s
        groups[s] = weighted_by_hand(values[mine].tolist(), snr[mine].tolist())
        alone = StarWeights(squared_weight(snr[mine]), np.array([0])).mean(values[mine])
        assert alone.mean[0] == whole.mean[s]
        assert alone.error[0] == whole.error[s] or sizes[s] == 1
    compare(whole, groups, rtol=1e-12)


@pytest.mark.parametrize("shapes", [(2, 3, 3), (3, 2, 3), (3, 3, 2)])
def test_shapes_that_differ(shapes: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        weighted_mean(*(np.ones(n) for n in shapes))


def test_arrays_of_two_dimensions() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        weighted_mean(np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2)))
