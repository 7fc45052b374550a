"""Completeness and purity: counts, intervals, and orbits put into a survey."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.rv_completeness import binned_completeness, binned_purity, wilson_interval
from lkmrs_dask.stars.rv_injection import inject_orbits
from lkmrs_dask.stars.rv_variability import rv_variability


def test_wilson_interval_solves_its_equation() -> None:
    """Its ends are the shares p whose own standard error reaches the observed one."""
    for n, good, level in ((10, 3, 0.6826894921370859), (1, 1, 0.95), (1, 0, 0.95), (5000, 4999, 0.99)):
        z = {0.6826894921370859: 1.0, 0.95: 1.959963984540054, 0.99: 2.5758293035489004}[level]
        for end in wilson_interval(good, n, level):
            p = float(end)
            assert 0.0 <= p <= 1.0
            away = abs(good / n - p)
            assert away == pytest.approx(z * math.sqrt(p * (1 - p) / n), abs=1e-12)


def test_wilson_interval_printed_example() -> None:
    """No success of 10: the upper end at 95 % is z^2 / (n + z^2) = 0.2775."""
    low, high = wilson_interval([0, 10], [10, 10], 0.95)
    assert low.tolist() == [0.0, pytest.approx(0.7225, abs=5e-5)]
    assert high.tolist() == [pytest.approx(0.2775, abs=5e-5), 1.0]
    low, high = wilson_interval(0, 0)
    assert math.isnan(low)
    assert math.isnan(high)
    for good, n, level in ((3, 2, 0.9), (-1, 2, 0.9), (1, 2, 1.0)):
        with pytest.raises(UsageError, match="level between"):
            wilson_interval(good, n, level)


def test_binned_shares_against_loops() -> None:
    rng = np.random.default_rng(6)
    m = 3000
    true, found = rng.random(m) < 0.4, rng.random(m) < 0.5
    k, n = rng.uniform(0, 60, m), rng.integers(2, 15, m)
    k[~true] = np.nan
    k_edges, n_edges = [1.0, 5.0, 20.0, 50.0], [3, 5, 10]
    whole = binned_completeness(found, true, k, n, k_edges=k_edges, n_edges=n_edges)
    pure = binned_purity(found, true, n, n_edges=n_edges)
    for i, (n_low, n_high) in enumerate(((3, 5), (5, 11))):  # the last edge is within
        here = (n >= n_low) & (n < n_high)
        called = here & found
        assert (pure.share.n[i], pure.share.n_good[i]) == (called.sum(), (called & true).sum())
        assert pure.share.share[i] == (called & true).sum() / called.sum()
        for j in range(3):
            some = here & true & (k >= k_edges[j]) & (k < k_edges[j + 1])
            assert (whole.share.n[i, j], whole.share.n_good[i, j]) == (some.sum(), (some & found).sum())
            assert whole.share.low[i, j] < whole.share.share[i, j] < whole.share.high[i, j]
    assert (int(whole.overall.n), int(whole.overall.n_good)) == (true.sum(), (true & found).sum())
    assert float(pure.overall.share) == (true & found).sum() / found.sum()


def test_empty_bins_and_wrong_arguments() -> None:
    none = binned_completeness([], [], [], [], k_edges=[1, 2], n_edges=[3, 4, 5])
    assert none.share.n.tolist() == [[0], [0]]
    assert np.isnan(none.share.share).all()
    assert np.isnan(float(none.overall.share))
    assert np.isnan(binned_purity([False], [True], [3], n_edges=[3, 4]).share.low).all()
    with pytest.raises(UsageError, match="differ in shape"):
        binned_purity([True], [True, False], [3], n_edges=[3, 4])
    with pytest.raises(UsageError, match="differ in shape"):
        binned_completeness([True], [True], [1.0, 2.0], [3], k_edges=[1, 2], n_edges=[3, 4])
    for edges in ([3], [3, 3], [4, 3], [3, np.nan]):
        with pytest.raises(UsageError, match="edges of n must rise"):
            binned_purity([True], [True], [3], n_edges=edges)


def survey(stars: int, n: int, error: float) -> pa.Table:
    rng = np.random.default_rng(stars)
    rows = stars * n
    return pa.table(
        {
            "star_id": np.repeat([f"s{k}" for k in range(stars)], n),
            "mjd": rng.uniform(58_000, 59_500, rows),
            "rv": np.zeros(rows),
            "rv_err": np.full(rows, error),
            "planid": ["p"] * rows,
        }
    )


def test_injected_orbits_are_found_by_amplitude() -> None:
    """A circular orbit scatters by K / sqrt(2): far below 3 errors none passes, far above all do."""
    made = inject_orbits(survey(600, 12, 1.0), amplitudes=(0.5, 50.0), periods=(1.0, 100.0), seed=3)
    judged = rv_variability(made.measurements)
    assert judged.column("star_id").to_pylist() == made.star_id.to_pylist()
    assert made.measurements.column_names == ["star_id", "mjd", "rv", "rv_err", "planid"]
    variable = judged.column("rv_variable").to_numpy(zero_copy_only=False)
    assert not variable[made.amplitude < 1.5].any()
    assert variable[made.amplitude > 10.0].all()
    std, k = judged.column("rv_std").to_numpy(), made.amplitude
    np.testing.assert_allclose(np.median(std[k > 10] / k[k > 10]), 1 / math.sqrt(2), rtol=0.05)
    for values, (low, high) in ((k, (0.5, 50.0)), (made.period, (1.0, 100.0))):
        share = (np.log(values) - math.log(low)) / math.log(high / low)
        assert 0 <= share.min() < 0.02
        assert 0.98 < share.max() <= 1
        assert share.mean() == pytest.approx(0.5, abs=4 / math.sqrt(12 * 600))
    again = inject_orbits(survey(600, 12, 1.0), amplitudes=(0.5, 50.0), periods=(1.0, 100.0), seed=3)
    assert again.measurements.equals(made.measurements)


def test_injection_keeps_what_is_missing() -> None:
    table = pa.table(
        {
            "star_id": ["a", "b", "a", "b"],
            "mjd": [1.0, 2.0, None, 4.0],
            "rv": [1.0, None, 2.0, 3.0],
            "rv_err": [1.0, 1.0, 1.0, 0.0],
        }
    )
    made = inject_orbits(table)
    assert made.star_id.to_pylist() == ["a", "b"]
    assert made.measurements.column("star_id").to_pylist() == ["a", "a", "b", "b"]
    assert [value is None for value in made.measurements.column("rv").to_pylist()] == [
        False,
        True,
        True,
        True,
    ]
    none = inject_orbits(table.slice(0, 0))
    assert len(none.amplitude) == len(none.measurements) == 0
    for wrong in ({"amplitudes": (0.0, 1.0)}, {"periods": (2.0, 1.0)}, {"error_floor": -1.0}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            inject_orbits(table, **wrong)
