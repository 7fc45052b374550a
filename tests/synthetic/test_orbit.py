"""Kepler's equation and velocity curves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.synthetic.orbit import ORBIT_EPOCH, Orbit, eccentric_anomaly, radial_velocity


def newton(mean: float, e: float) -> float:
    """E - e sin E = M by Newton's method, kept inside a bracket by bisection."""
    low, high = mean - 1.0, mean + 1.0  # |E - M| <= e < 1
    angle = mean
    for _ in range(200):
        value = angle - e * math.sin(angle) - mean
        if value > 0:
            high = angle
        else:
            low = angle
        following = angle - value / (1 - e * math.cos(angle))
        angle = following if low <= following <= high else (low + high) / 2
    return angle


@given(st.floats(-50, 50), st.floats(0, 0.99))
@settings(max_examples=300)
def test_solver_equals_newton(mean: float, e: float) -> None:
    # An error of the equation, some 1e-14 at |M| = 50, grows by 1/(1 - e cos E), at most 100.
    assert eccentric_anomaly(mean, e) == pytest.approx(newton(mean, e), abs=2e-12)


@given(st.floats(-math.pi, math.pi), st.floats(0, 0.999999))
@settings(max_examples=300)
def test_solution_solves_the_equation(mean: float, e: float) -> None:
    angle = float(eccentric_anomaly(mean, e))
    assert angle - e * math.sin(angle) == pytest.approx(mean, abs=1e-14 * 10)


def test_known_solutions() -> None:
    # Meeus, Astronomical Algorithms, chapter 30: M = 5 deg, e = 0.1 gives E = 5.554589254 deg, and
    # M = 7 deg, e = 0.9 gives E = 24.725822... deg.
    found = np.degrees(eccentric_anomaly(np.radians([5.0]), [0.1]))
    assert found[0] == pytest.approx(5.554589254, abs=1e-8)
    assert eccentric_anomaly([0.0, np.pi, -np.pi], [0.5, 0.5, 0.5]) == pytest.approx([0, np.pi, -np.pi])
    assert eccentric_anomaly(1.2, 0.0) == 1.2
    assert len(eccentric_anomaly([], [])) == 0


@pytest.mark.parametrize(
    ("mean", "e"), [(1.0, 1.0), (1.0, -0.1), (math.nan, 0.1), (math.inf, 0.1), (1, math.nan)]
)
def test_bad_values(mean: float, e: float) -> None:
    with pytest.raises(ValueError, match="Kepler"):
        eccentric_anomaly(mean, e)


def orbit(period: float, amplitude: float, e: float, omega: float, phase: float) -> Orbit:
    return Orbit(*(np.array([value]) for value in (period, amplitude, e, omega, phase)))


def test_circular_orbit_is_a_cosine() -> None:
    time = ORBIT_EPOCH + np.linspace(0, 9, 100)
    expected = 20 * np.cos(2 * np.pi * (np.linspace(0, 9, 100) / 3.0 + 0.2) + 0.7)
    # Times have a resolution of 1e-11 d: 2e-10 km/s on this orbit.
    assert radial_velocity(time, orbit(3.0, 20.0, 0.0, 0.7, 0.2)) == pytest.approx(expected, abs=1e-8)


@given(st.floats(0, 0.9), st.floats(0, 6.28), st.floats(0, 0.999))
@settings(max_examples=40)
def test_velocity_is_the_time_derivative_of_the_orbit(e: float, omega: float, phase: float) -> None:
    """Height r sin(nu + omega) by plain geometry, differentiated; K = 2 pi a sin i / (P sqrt(1 - e^2))."""
    period, amplitude = 10.0, 30.0
    a = amplitude * period * math.sqrt(1 - e**2) / (2 * math.pi)  # km/s d

    def height(time: float) -> float:
        angle = newton(2 * math.pi * ((time / period + phase) % 1.0), e)
        x, y = a * (math.cos(angle) - e), a * math.sqrt(1 - e**2) * math.sin(angle)
        return x * math.sin(omega) + y * math.cos(omega)

    step, times = 1e-4, np.array([0.3, 2.0, 4.9, 7.7])
    plain = [(height(t + step) - height(t - step)) / (2 * step) for t in times.tolist()]
    # Central differences: step^2 / 6 times the third derivative, largest at periastron: below 0.02 km/s.
    assert radial_velocity(ORBIT_EPOCH + times, orbit(period, amplitude, e, omega, phase)) == pytest.approx(
        plain, abs=0.02
    )


def test_range_mean_and_period() -> None:
    one = orbit(7.0, 25.0, 0.6, 1.1, 0.4)
    time = ORBIT_EPOCH + 7.0 * np.arange(20000) / 20000
    velocity = radial_velocity(time, one)
    assert velocity.max() - velocity.min() == pytest.approx(50.0, rel=1e-5)
    assert velocity.mean() == pytest.approx(0.0, abs=1e-6)  # the mean over time of a closed orbit
    assert radial_velocity(time + 70.0, one) == pytest.approx(velocity, abs=1e-7)
    assert one.at(0).period == 7.0
