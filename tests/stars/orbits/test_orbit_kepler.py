"""Kepler's equation, velocities and their derivatives, the scan over circular and eccentric orbits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, least_squares

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.orbits import OrbitSettings, mass_function, orbit_velocity
from lkmrs_dask.stars.orbits.circular import circular_scan, trial_frequencies
from lkmrs_dask.stars.orbits.epochs import Epochs
from lkmrs_dask.stars.orbits.kepler import eccentric_anomaly, orbit_basis
from lkmrs_dask.stars.orbits.marginal import linear_fit
from lkmrs_dask.stars.orbits.scan import scan_eccentricity


@given(mean=st.floats(-1e4, 1e4), e=st.floats(0.0, 0.99))
@settings(max_examples=300, deadline=None)
def test_kepler_equation(mean: float, e: float) -> None:
    found = float(eccentric_anomaly(mean, e))
    turned = math.remainder(mean, 2 * math.pi)
    by_bisection = brentq(lambda x: x - e * math.sin(x) - turned, -4.0, 4.0, xtol=1e-15)
    # Rounding of M (1e4 turns lose 1e-12) is as much as a hundred times larger in E at e = 0.99.
    assert abs(found - e * math.sin(found) - turned) < 1e-12
    assert abs(found - by_bisection) < 1e-10


def test_kepler_equation_on_a_grid() -> None:
    mean, e = np.meshgrid(np.linspace(-np.pi, np.pi, 2001), [0.0, 1e-8, 0.3, 0.9, 0.99])
    found = eccentric_anomaly(mean, e)
    np.testing.assert_allclose(found - e * np.sin(found), mean, rtol=0, atol=1e-14)
    assert eccentric_anomaly(0.0, 0.99) == 0.0
    assert np.isnan(eccentric_anomaly(np.nan, 0.5))
    for wrong in (-0.1, 1.0, np.nan):
        with pytest.raises(UsageError, match="eccentricities"):
            eccentric_anomaly(1.0, wrong)


def test_velocity_is_that_of_the_moving_star() -> None:
    """The derivative of the projected position, found by differences, is the velocity."""
    period, e, omega, t0 = 12.0, 0.6, 0.8, 3.0

    def height(time: float) -> float:
        mean = math.remainder(2 * math.pi * (time - t0) / period, 2 * math.pi)
        anomaly = brentq(lambda x: x - e * math.sin(x) - mean, -4.0, 4.0, xtol=1e-15)
        x, y = math.cos(anomaly) - e, math.sqrt(1 - e * e) * math.sin(anomaly)
        return x * math.sin(omega) + y * math.cos(omega)

    # K of an orbit of half axis 1: n / sqrt(1 - e^2).
    k = 2 * math.pi / period / math.sqrt(1 - e * e)
    for time in np.linspace(0, 20, 41):
        slope = (height(time + 1e-5) - height(time - 1e-5)) / 2e-5
        assert float(orbit_velocity(time, period, k, e, omega, t0)) == pytest.approx(slope, abs=1e-8)


def test_mass_function_of_the_earth_and_sun() -> None:
    """Sun's speed about the barycentre: 0.0894 m/s; f = m^3 / (M + m)^2 with m = 3.003e-6."""
    value = float(mass_function(365.256, 29.7859e0 * 3.003e-6 / (1 + 3.003e-6), 0.0))
    assert value == pytest.approx(3.003e-6**3, rel=1e-3)


@pytest.mark.parametrize("e", [0.0, 1e-9, 1e-3, 0.4, 0.9])
def test_derivatives(e: float) -> None:
    rng = np.random.default_rng(3)
    time, m0 = rng.uniform(-50, 50, 30), 2.2
    place = np.array([0.13, e * np.cos(m0), e * np.sin(m0)])
    a, b = 20.0, -7.0

    def velocity(at: np.ndarray) -> np.ndarray:
        basis = orbit_basis(time, *at[:, None])
        return a * basis.u1[0] + b * basis.u2[0]

    basis = orbit_basis(time, *place[:, None])
    m_0 = np.arctan2(place[2], place[1])
    direct = orbit_velocity(time, 1 / 0.13, np.hypot(a, b), np.hypot(*place[1:]),
                            np.arctan2(b, a) - m_0, -m_0 / (2 * np.pi * 0.13))  # fmt: skip
    np.testing.assert_allclose(velocity(place), direct, atol=1e-9)
    turning = a * (place[2] - basis.u2) * -1 - b * (basis.u1 - place[1])
    for index, own in enumerate((0.0, a, b)):
        step = np.zeros(3)
        step[index] = 1e-7
        slope = (velocity(place + step) - velocity(place - step)) / 2e-7
        scale = np.abs(slope).max()
        # Differences of 1e-7 lose half of the digits; at e = 1e-9 they step over the origin.
        np.testing.assert_allclose(own + (turning * basis.d_psi[index])[0], slope[None][0], atol=3e-6 * scale)


def test_circular_scan_against_least_squares() -> None:
    rng = np.random.default_rng(1)
    time, error = rng.uniform(0, 60, 12), rng.uniform(0.5, 2.0, 12)
    rv = 40 + 20 * np.sin(2 * np.pi * time / 4.2) + rng.normal(0, 1, 12) * error
    limits = OrbitSettings(min_period=2.0, jitter=0.3)
    found = circular_scan(time, rv, error, limits)
    total = np.hypot(error, 0.3)
    for at in range(0, len(found.frequency), 7):
        angle = 2 * np.pi * found.frequency[at] * time
        design = np.stack([np.ones(12), np.cos(angle), np.sin(angle)], axis=1) / total[:, None]
        best, square, _, _ = np.linalg.lstsq(design, rv / total, rcond=None)
        assert found.chi2[at] == pytest.approx(float(square[0]), rel=1e-6)
        assert found.gamma[at] == pytest.approx(best[0], abs=1e-6)
        assert np.hypot(found.a[at], found.b[at]) == pytest.approx(np.hypot(*best[1:]), rel=1e-6)
        ln_like = -0.5 * (square[0] + np.log(2 * np.pi * total**2).sum())
        assert found.log_likelihood[at] == pytest.approx(float(ln_like), rel=1e-9)
    assert 1 / found.frequency[np.argmin(found.chi2)] == pytest.approx(4.2, rel=0.01)


def test_circular_scan_needs_four() -> None:
    for time in ([1.0, 2.0, 3.0], [5.0] * 6):
        with pytest.raises(UsageError, match="4 at two times"):
            circular_scan(time, np.arange(len(time)), np.ones(len(time)))


def test_marginal_likelihood_is_that_of_a_normal_distribution() -> None:
    """With amplitudes integrated out velocities are normal with covariance S + Phi Lambda Phi^T."""
    rng = np.random.default_rng(5)
    epochs = Epochs.of(rng.uniform(0, 90, 6), rng.normal(10, 20, 6), rng.uniform(0.5, 3, 6), 0.0, 0.01)
    limits = OrbitSettings()
    frequency, h, k = (np.array([one]) for one in (0.08, 0.2, -0.3))
    found = linear_fit(epochs, limits, frequency, h, k)
    basis = orbit_basis(epochs.time, frequency, h, k)
    design = np.stack([np.ones(6), basis.u1[0], basis.u2[0]], axis=1)
    own = float(limits.k_prior(frequency, np.hypot(h, k))[0]) ** 2
    covariance = np.diag(epochs.error**2) + design @ np.diag([100.0**2, own, own]) @ design.T
    direct = -0.5 * (
        epochs.rv @ np.linalg.solve(covariance, epochs.rv) + np.linalg.slogdet(2 * np.pi * covariance)[1]
    )
    assert found.ln_like[0] == pytest.approx(direct, rel=1e-9)


@pytest.mark.parametrize("e", [0.0, 0.25, 0.7])
def test_scan_by_harmonics_against_the_direct_one(e: float) -> None:
    rng = np.random.default_rng(2)
    time = rng.uniform(0, 200, 9)
    rv = orbit_velocity(time, 30.0, 25.0, e, 1.0, 4.0) + rng.normal(0, 1, 9)
    epochs = Epochs.of(time, rv, np.full(9, 3.0), 0.0, 0.01)
    limits = OrbitSettings()
    frequency = np.linspace(0.01, 0.1, 37) if e < 0.5 else np.linspace(0.01, 0.06, 37)
    score, m0 = scan_eccentricity(epochs, limits, frequency, e)
    away = []
    for at, one in enumerate(frequency):
        basis = orbit_basis(epochs.time, *np.array([[one], [e * np.cos(m0[at])], [e * np.sin(m0[at])]]))
        design = np.stack([np.ones(9), basis.u1[0], basis.u2[0]], axis=1) / 3.0
        own = float(limits.k_prior(one, e)) ** -2.0
        ridge = own + 5e-3 * 9 / 9.0
        normal = design.T @ design + np.diag([1e-4, ridge, ridge])
        moved = design.T @ epochs.rv / 3.0
        determinant = np.linalg.det(normal) / normal[0, 0] / own**2
        direct = 0.5 * (moved @ np.linalg.solve(normal, moved) - np.log(determinant))
        away.append(score[at] - direct)
    # Left-out harmonics are 0.1 % of the basis each, more where the ridge alone holds the amplitudes.
    highest = score.max()
    assert np.abs(away).max() < (1e-9 if e == 0 else 0.1 * highest)
    assert np.abs(away).mean() < 0.01 * highest


def test_trial_frequencies() -> None:
    frequency, coarsening = trial_frequencies(100.0, OrbitSettings())
    assert coarsening == 1.0
    assert (1 / frequency[0], 1 / frequency[-1]) == pytest.approx((200.0, 0.1))
    assert np.diff(frequency).max() <= 1 / 400.0 + 1e-12
    bent, _ = trial_frequencies(100.0, OrbitSettings(), 0.8)
    assert 1 / bent[-1] == pytest.approx(1.0 / 0.2**1.5)
    few, coarsening = trial_frequencies(1e5, OrbitSettings(max_frequencies=1000))
    assert (len(few), coarsening > 1000) == (1000, True)
    none, _ = trial_frequencies(1.0, OrbitSettings(), 0.8)
    assert len(none) == 0


def test_refined_orbit_is_the_least_squares_one() -> None:
    from lkmrs_dask.stars.orbits.refine import refine_orbits
    from lkmrs_dask.stars.orbits.scan import Starts

    rng = np.random.default_rng(8)
    time = np.sort(rng.uniform(0, 300, 25))
    rv = orbit_velocity(time, 21.0, 30.0, 0.35, 2.0, 5.0, 8.0) + rng.normal(0, 1, 25)
    fit = least_squares(
        lambda p: orbit_velocity(time, p[0], p[1], p[2], p[3], p[4], p[5]) - rv, [21, 30, 0.3, 2, 5, 8],
        xtol=1e-12, ftol=1e-12, gtol=1e-12, x_scale=[0.01, 1, 0.05, 0.1, 0.3, 1],
    )  # fmt: skip
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)
    epochs = Epochs.of(time, rv, np.ones(25), 0.0, 0.01)
    # The prior of K is to have no part.
    free = OrbitSettings(k_scale=1e6, max_k=1e6)
    m0 = 2 * np.pi * (epochs.middle - 5.0) / 21.0
    start = Starts(np.array([1 / 21.05]), np.array([0.2 * np.cos(m0)]), np.array([0.2 * np.sin(m0)]))
    mode = refine_orbits(epochs, free, start, eccentric=True)
    # It stops where the next step would gain less than 1e-4 in chi-square: 0.01 standard errors.
    errors = np.sqrt(np.diag(covariance))
    assert 1 / mode.frequency[0] == pytest.approx(fit.x[0], abs=0.02 * errors[0])
    assert np.hypot(mode.h, mode.k)[0] == pytest.approx(fit.x[2], abs=0.02 * errors[2])
    assert mode.linear.chi2[0] == pytest.approx(2 * fit.cost, abs=1e-3)
    own = np.sqrt(mode.covariance[0, 0, 0]) / mode.frequency[0] ** 2
    assert own == pytest.approx(errors[0], rel=0.02)
