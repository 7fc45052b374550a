"""Periods of few points on many nights: against a plain fit at every frequency, and known periods."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.variability.sparse import best_period, harmonic_periodogram

Floats = NDArray[np.float64]


def nights(rng: np.random.Generator, n: int = 60) -> Floats:
    """Times of n nights in five autumns, some hours about midnight."""
    return 365.25 * rng.integers(0, 5, n) + rng.permutation(90)[:n] + rng.normal(0, 0.08, n)


def sawtooth(time: Floats, period: float) -> Floats:
    """Magnitudes of an RR Lyrae star of type ab: four harmonics."""
    angle = 2 * np.pi * time / period
    return 17.0 + 0.4 * np.sum([r * np.sin(k * angle) for k, r in enumerate((1, 0.45, 0.3, 0.15), 1)], axis=0)


@pytest.mark.parametrize("harmonics", [1, 2, 3])
@pytest.mark.parametrize("errors", [True, False])
def test_against_a_plain_fit(harmonics: int, errors: bool) -> None:
    """Weighted least squares with the same charge on amplitudes, one frequency at a time."""
    rng = np.random.default_rng(harmonics)
    time, flux = nights(rng, 40), rng.normal(size=40)
    error = rng.uniform(0.5, 2.0, 40) if errors else None
    found = harmonic_periodogram(time, flux, error, f_min=1.0, f_max=1.01, harmonics=harmonics)
    weight = np.ones(40) if error is None else 1 / error**2
    weight = weight / weight.sum()
    away = flux - weight @ flux
    for frequency, power in list(zip(found.frequency, found.power, strict=True))[::7]:
        angle = 2 * np.pi * frequency * time
        waves = [f(k * angle) for k in range(1, harmonics + 1) for f in (np.cos, np.sin)]
        design = np.array([np.ones(40), *waves]).T
        charge = np.diag([0.0, *(0.005 * k**2 for k in range(1, harmonics + 1) for _ in range(2))])
        right = design.T @ (weight * away)
        solution = np.linalg.solve(design.T @ (design * weight[:, None]) + charge, right)
        # The transforms are good to 1e-9 of their sums.
        assert power == pytest.approx(solution @ right / (weight @ away**2), abs=1e-7)


@given(period=st.floats(0.35, 0.85), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_sawtooth(period: float, seed: int) -> None:
    """120 points with 0.02 mag of noise: within 0.1 %, and better than any other period."""
    rng = np.random.default_rng(seed)
    time = np.concatenate([nights(rng), nights(rng) + 0.21])
    flux = sawtooth(time, period) + rng.normal(0, 0.02, len(time))
    found = best_period(time, flux, f_min=1.0, f_max=4.0)
    assert found.period == pytest.approx(period, rel=1e-3)
    assert found.power > 0.9 > found.other_power > 0
    assert found.n_points == 120
    assert found.baseline_d == pytest.approx(np.ptp(time))


def test_order_and_bad_points_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    time = nights(rng)
    flux = sawtooth(time, 0.55)
    shuffled = rng.permutation(60)
    plain = best_period(time, flux, f_min=1.0, f_max=4.0)
    other = best_period(
        np.append(time[shuffled], [math.nan, 3.0]), np.append(flux[shuffled], [17.0, math.inf]),
        f_min=1.0, f_max=4.0,
    )  # fmt: skip
    assert other == pytest.approx(plain, rel=1e-9)


def test_nothing_else_to_compare_with() -> None:
    """A range no wider than one peak has no other period."""
    time = nights(np.random.default_rng(4))
    near = best_period(time, sawtooth(time, 0.5), f_min=1.9999, f_max=2.0001)
    assert near.period == pytest.approx(0.5, rel=1e-4)
    assert math.isnan(near.other_period)
    assert math.isnan(near.other_power)


def test_wrong_calls() -> None:
    time = nights(np.random.default_rng(3))
    flux = sawtooth(time, 0.5)
    with pytest.raises(CatalogError, match="9 points of 9 can be used"):
        best_period(time[:9], flux[:9])
    with pytest.raises(CatalogError, match="4 harmonics need at least 12"):
        best_period(time[:10], flux[:10], harmonics=4)
    with pytest.raises(CatalogError, match="nothing varies"):
        best_period(time, np.ones(60))
    for wrong in ({"harmonics": 0}, {"harmonics": 2.5}):
        with pytest.raises(UsageError, match="harmonics"):
            best_period(time, flux, **wrong)
    with pytest.raises(UsageError, match="f_min < f_max"):
        best_period(time, flux, f_min=2.0, f_max=1.0)
    with pytest.raises(UsageError, match="oversampling"):
        best_period(time, flux, oversampling=math.nan)
