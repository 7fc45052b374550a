"""Statistics of varying velocities, against plain loops and closed forms."""

from __future__ import annotations

import itertools
import math
import statistics
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.stars import rv_statistics as module
from lkmrs_dask.stars.rv_statistics import log10_chi2_tail, rv_statistics

velocities = st.floats(-300, 300) | st.sampled_from([math.nan, math.inf])
errors = st.floats(0.1, 20) | st.sampled_from([math.nan, 0.0, -1.0, math.inf])
times = st.floats(50_000, 60_000) | st.just(math.nan)


def plain_tail(chi2: float, dof: int) -> float:
    """Sum of the closed form for whole and half numbers of pairs, in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        x = Decimal(chi2) / 2
        if dof % 2 == 0:
            term = total = Decimal(1)
            for i in range(1, dof // 2):
                term *= x / i
                total += term
            return float((total.ln() - x) / Decimal(10).ln())
        raise ValueError("even only")


@pytest.mark.parametrize("dof", [2, 4, 10, 40, 200])
def test_tail_of_even_degrees_of_freedom(dof: int) -> None:
    chi2 = np.sort([0.0, 1e-3, 1.0, dof, 100.0, 900.0, 1100.0, 1200.0, 1500.0, 1e4, 1e6, 1e9])
    found = log10_chi2_tail(chi2, dof)
    expected = [plain_tail(one, dof) for one in chi2]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)
    assert np.all(np.diff(found) <= 0)


def test_tail_of_one_degree_of_freedom() -> None:
    """That of a normal distribution on both sides; far out ln erfc(y) is -y^2 - ln(y sqrt(pi)) + ..."""
    z = np.array([0.1, 1.0, 3.0, 6.0])
    expected = [math.log10(math.erfc(one / math.sqrt(2))) for one in z]
    np.testing.assert_allclose(log10_chi2_tail(z**2, 1), expected, rtol=1e-10)
    y2 = 50_000.0
    series = 1 - 1 / (2 * y2) + 3 / (4 * y2**2)
    far = (-y2 - math.log(math.sqrt(y2 * math.pi)) + math.log(series)) / math.log(10)
    assert float(log10_chi2_tail(2 * y2, 1)) == pytest.approx(far, rel=1e-12)


def test_tail_between_even_degrees_of_freedom() -> None:
    """Far out the tail rises with degrees of freedom, smoothly across the change of method."""
    for chi2 in (900.0, 1100.0, 1300.0, 5000.0):
        tail = log10_chi2_tail(chi2, np.arange(1, 60))
        steps = np.diff(tail)
        assert np.all(steps > 0)
        assert np.all(np.diff(steps) < 0)


def test_tail_edges() -> None:
    found = log10_chi2_tail([np.nan, np.inf, 3.0, 0.0], [3, 3, 0, 3])
    np.testing.assert_array_equal(found, [np.nan, -np.inf, np.nan, 0.0])
    assert log10_chi2_tail(np.empty(0), np.empty(0, int)).shape == (0,)


@given(stars=st.lists(st.lists(st.tuples(velocities, errors, times), min_size=1, max_size=6), max_size=6))
@settings(max_examples=150, deadline=None)
def test_random_stars(stars: list[list[tuple[float, float, float]]]) -> None:
    rows = [row for star in stars for row in star]
    rv, err, time = (np.array([row[k] for row in rows], float) for k in range(3))
    first = np.cumsum([0, *map(len, stars)])[:-1]
    found = rv_statistics(rv, err, first, time)
    for k, star in enumerate(stars):
        good = [row for row in star if math.isfinite(row[0]) and math.isfinite(row[1]) and row[1] > 0]
        one = {name: float(values[k]) for name, values in found._asdict().items()}
        assert one["n"] == len(good)
        if not good:
            assert all(math.isnan(value) for name, value in one.items() if name != "n")
            continue
        v, e, t = zip(*good, strict=True)
        weight = [x**-2 for x in e]
        mean = math.fsum(w * x for w, x in zip(weight, v, strict=True)) / math.fsum(weight)
        assert one["mean"] == pytest.approx(mean, rel=1e-9, abs=1e-9)
        assert one["mean_error"] == pytest.approx(math.fsum(weight) ** -0.5, rel=1e-12)
        assert one["typical_error"] == pytest.approx(statistics.fmean(e), rel=1e-12)
        chi2 = math.fsum(((x - mean) / s) ** 2 for x, s in zip(v, e, strict=True))
        # Velocities to 300 with errors from 0.1 are rounded to 6e-13 errors.
        assert one["chi2"] == pytest.approx(chi2, rel=1e-9, abs=1e-9)
        known = [x for x in t if not math.isnan(x)]
        if known:
            assert one["baseline"] == max(known) - min(known)
        else:
            assert math.isnan(one["baseline"])
        if len(good) == 1:
            for name in ("std", "excess", "log10_p", "max_difference", "max_significance"):
                assert math.isnan(one[name])
            continue
        std = statistics.stdev(v)
        assert one["std"] == pytest.approx(std, rel=1e-9, abs=1e-12)
        beyond = std**2 - statistics.fmean(x**2 for x in e)
        assert one["excess"] == pytest.approx(math.sqrt(max(beyond, 0.0)), rel=1e-6, abs=1e-5)
        pairs = list(itertools.combinations(zip(v, e, strict=True), 2))
        assert one["max_difference"] == max(abs(a[0] - b[0]) for a, b in pairs)
        significance = max(abs(a[0] - b[0]) / math.hypot(a[1], b[1]) for a, b in pairs)
        assert one["max_significance"] == pytest.approx(significance, rel=1e-12)


def test_pairs_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few pairs are held at a time; stars of one velocity and of none between."""
    rng = np.random.default_rng(4)
    sizes = rng.integers(1, 9, 60)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rv, err = rng.normal(0, 5, sizes.sum()), rng.uniform(0.5, 3, sizes.sum())
    rv[rng.random(len(rv)) < 0.3] = np.nan
    whole = rv_statistics(rv, err, first)
    for pairs in (1, 7, 50):
        monkeypatch.setattr(module, "_PAIRS", pairs)
        for a, b in zip(rv_statistics(rv, err, first), whole, strict=True):
            np.testing.assert_array_equal(a, b)


def test_edges() -> None:
    none = rv_statistics(np.empty(0), np.empty(0), np.empty(0, np.int64))
    assert [len(part) for part in none] == [0] * 11
    # An error that no float can square, and velocities far from 0.
    tiny = rv_statistics(np.array([1.0, 2.0, 3.0]), np.array([1e-200, 1.0, 1e-200]), np.array([0]))
    assert tiny.mean[0] == 2.0
    assert (tiny.chi2[0], tiny.log10_p[0]) == (np.inf, -np.inf)
    far = rv_statistics(np.array([1e5 + 1e-3, 1e5]), np.full(2, 1e-3), np.array([0]))
    assert far.chi2[0] == pytest.approx(0.5, rel=1e-6)
    assert math.isnan(far.baseline[0])


def test_chi_square_of_noise_is_uniform() -> None:
    """The p-value of noise with unequal errors is uniform: its mean and its tail, within 4 sigma."""
    rng = np.random.default_rng(8)
    stars, n = 20_000, 4
    err = rng.uniform(0.5, 3.0, stars * n)
    found = rv_statistics(10.0 + err * rng.standard_normal(stars * n), err, np.arange(stars) * n)
    p = 10.0**found.log10_p
    assert p.mean() == pytest.approx(0.5, abs=4 / math.sqrt(12 * stars))
    assert np.mean(p < 0.01) == pytest.approx(0.01, abs=4 * math.sqrt(0.01 / stars))
