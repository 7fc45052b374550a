"""Signals at the ends of the grid: near the Nyquist frequency, on f_max and beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares

from lkmrs_dask.variability import find_frequencies
from lkmrs_dask.variability.beyond import is_even, searched_grid, wider_grid
from lkmrs_dask.variability.frequencies import UNRESOLVED
from lkmrs_dask.variability.grid import frequency_grid, nyquist
from lkmrs_dask.variability.images import (
    find_mirror,
    near_image,
    seen_amplitude,
    settled,
    start_near_image,
)
from lkmrs_dask.variability.joint_fit import Sinusoids, fit_in_frequency, normal_matrix, residual_variance
from lkmrs_dask.variability.prewhiten import most_frequencies
from lkmrs_dask.variability.series import clean_series
from lkmrs_dask.variability.transform import Transforms

Floats = NDArray[np.float64]


def even(n: int, step: float) -> Floats:
    return np.asarray(np.arange(n) * step, np.float64)


def times(kind: str) -> Floats:
    """Evenly sampled, a Kepler quarter with barycentric times, a year of them, a TESS sector; with gaps."""
    if kind == "even":
        return even(2000, 0.02)
    if kind == "gap":
        t = even(2400, 0.02)
        return t[(t < 20) | (t > 26)]
    if kind == "tess":
        t = even(3750, 600.0 / 86400.0)
        t = t[(t < 12.5) | (t > 14)]
        return t + 3e-3 * np.sin(2 * np.pi * t / 365.25)
    t = even(4300 if kind == "quarter" else 17000, 0.0204336)
    t = t[((t % 91.0) < 89.0) & ((t % 30.0) > 1.0)]
    return t + 2.4e-3 * np.sin(2 * np.pi * t / 372.5 + 1.0)


@pytest.mark.parametrize("kind", ["even", "gap", "quarter", "year", "tess"])
@pytest.mark.parametrize("amplitude", [1.0, 10.0, 1000.0])
def test_one_signal_near_the_nyquist_frequency_is_one_frequency(kind: str, amplitude: float) -> None:
    """From 1.5/T below it to 0.1/T; at 0.25/T and more the frequency is right, too."""
    t = times(kind)
    end, resolution = nyquist(t), 1.0 / np.ptp(t)
    for below in (1.5, 0.5, 0.4, 0.25, 0.1):
        rng = np.random.default_rng([int(100 * below), int(amplitude)])
        f = end - below * resolution
        y = amplitude * np.cos(2 * np.pi * f * (t - t[0]) + rng.uniform(0.0, 6.28)) + rng.normal(0, 1, len(t))
        found = find_frequencies(t, y, max_frequencies=20)
        assert len(found) == 1, (below, found.frequency)
        assert found.residual_rms == pytest.approx(1.0, abs=0.06)
        if below >= 0.25:
            assert abs(found.frequency[0] - f) < max(5 * found.frequency_err[0], 1e-3 * resolution)


def test_the_frequency_near_the_mirror_is_that_of_least_squares_in_time() -> None:
    """Plain least squares on the data from many starts on either side."""
    t = times("quarter")
    end, resolution = nyquist(t), 1.0 / np.ptp(t)
    rng = np.random.default_rng(3)
    y = 20.0 * np.cos(2 * np.pi * (end - 0.35 * resolution) * t + 0.7) + rng.normal(0, 1, len(t))
    x = t - 0.5 * (t[0] + t[-1])

    def left(p: Floats) -> Floats:
        turn = 2 * np.pi * (end + p[0] * resolution) * x
        return np.asarray(p[1] + p[2] * np.cos(turn) + p[3] * np.sin(turn) - y)

    fits = [
        least_squares(left, [start, 0.0, c, s], x_scale=[0.1, 1.0, 1.0, 1.0], xtol=1e-12, ftol=1e-12)
        for start in (-0.6, -0.3, 0.3, 0.6)
        for c, s in ((15.0, 0.0), (0.0, 15.0), (-15.0, 0.0), (0.0, -15.0))
    ]
    best = min(fits, key=lambda fit: float(fit.cost))
    found = find_frequencies(t, y)
    assert len(found) == 1
    assert (found.frequency[0] - end) / resolution == pytest.approx(best.x[0], abs=0.01)
    assert found.residual_rms == pytest.approx(np.sqrt(2.0 * best.cost / len(t)), rel=1e-5)
    assert found.amplitude[0] == pytest.approx(np.hypot(*best.x[2:]), rel=0.01)


def test_amplitudes_at_the_mirror_do_not_run_away() -> None:
    """Weak signals at 0.05/T: the amplitude is not to be many times what varies, the errors are finite."""
    t = times("even")
    for seed in range(10):
        rng = np.random.default_rng(seed)
        f = nyquist(t) - 0.05 / np.ptp(t)
        y = 0.6 * np.cos(2 * np.pi * f * t + rng.uniform(0, 6.28)) + rng.normal(0, 1, len(t))
        found = find_frequencies(t, y)
        assert len(found) <= 1
        assert np.all(found.amplitude < 6.0 * y.std())
        assert np.all(np.isfinite(found.frequency_err))


def test_noise_near_the_mirror_makes_no_frequencies() -> None:
    for seed in range(40):
        y = np.random.default_rng(seed).normal(0, 1, 1500)
        assert len(find_frequencies(np.arange(1500) * 0.02, y, f_min=24.0)) == 0


def test_both_signals_beside_a_mirror_are_found() -> None:
    t = times("year")
    end = nyquist(t)
    truth = np.array([end - 0.2 / np.ptp(t), end - 6.0 / np.ptp(t), 5.3])
    rng = np.random.default_rng(4)
    y = sum((a * np.cos(2 * np.pi * f * t + a) for f, a in zip(truth, (9.0, 7.0, 3.0), strict=True)),
            rng.normal(0, 1, len(t)))  # fmt: skip
    found = find_frequencies(t, y)
    np.testing.assert_allclose(np.sort(found.frequency), np.sort(truth), atol=0.1 / np.ptp(t))


def test_the_mirror_and_its_absence() -> None:
    t = times("quarter")
    series = clean_series(t, np.random.default_rng(0).normal(0, 1, len(t)))
    wanted = frequency_grid(series.time)
    transforms = Transforms(series, searched_grid(series, wanted))
    half = nyquist(series.time) / wanted.step
    mirror = find_mirror(transforms, half)
    assert mirror is not None
    assert mirror.middle == pytest.approx(half, abs=2.0)
    sampling = np.mean(np.exp(2j * np.pi * wanted.step * mirror.place * series.time))
    assert mirror.value == pytest.approx(sampling, abs=1e-6)
    one = Sinusoids(np.array([mirror.middle + 3.0]), np.array([1.0 + 0j]))
    assert settled(transforms, one, None) is one
    assert start_near_image(transforms, transforms.data, 500, mirror) is None
    # A grid that ends elsewhere, and times that mirror nothing.
    low = Transforms(series, frequency_grid(series.time, f_max=12.0))
    assert find_mirror(low, half) is None
    uneven = clean_series(np.sort(np.random.default_rng(1).uniform(0, 40, 900)), np.arange(900.0))
    grid = frequency_grid(uneven.time)
    assert find_mirror(Transforms(uneven, grid), nyquist(uneven.time) / grid.step) is None
    assert is_even(series.time)
    assert not is_even(uneven.time)


def test_the_prior_is_that_of_its_objective() -> None:
    """At the fit's end the logarithm of the variance plus the prior has no slope, by differences."""
    t = times("even")
    y = 3.0 * np.cos(2 * np.pi * (nyquist(t) - 0.2 / np.ptp(t)) * t + 1.0)
    series = clean_series(t, y + np.random.default_rng(5).normal(0, 1, len(t)))
    transforms = Transforms(series, searched_grid(series, frequency_grid(series.time)))
    place = nyquist(series.time) / transforms.grid.step - 2.5
    fitted = fit_in_frequency(transforms, Sinusoids(np.array([place]), np.array([3.0 + 1j])), 1e-10)

    def objective(step: Floats) -> float:
        moved = fitted.moved(step)
        prior = np.abs(moved.phasor[0]) ** 2 / (len(t) * transforms.variance)
        return float(np.log(residual_variance(transforms, moved)) + prior)

    for k in range(4):
        h = np.eye(4)[k] * 1e-3
        slope = (objective(h) - objective(-h)) / 2e-3
        bend = (objective(h) - 2 * objective(0 * h) + objective(-h)) / 1e-6
        assert abs(slope / bend) < 2e-2 * np.sqrt(2.0 / (len(t) * bend))  # of the parameter's own error
    without, held = normal_matrix(transforms, fitted), normal_matrix(transforms, fitted, 1.0)
    np.testing.assert_allclose(
        np.diag(held - without), np.array([0.0, 1.0, 1.0, 0.0]) / (len(t) * transforms.variance), atol=1e-12
    )


@pytest.mark.parametrize("f_max", [24.0, 12.0])
@pytest.mark.parametrize("away", [0.01, 0.3, 6.0])
@pytest.mark.parametrize("amplitude", [3.0, 1e4])
def test_signals_beyond_f_max_make_no_frequencies(f_max: float, away: float, amplitude: float) -> None:
    """One within the grid is found though what lies beyond is 20,000 times stronger."""
    t = np.arange(0.0, 27.0, 2.0 / 1440.0)
    t = t[(t < 12.5) | (t > 14.0)]
    rng = np.random.default_rng(7)
    y = amplitude * np.cos(2 * np.pi * (f_max + away) * t) + 0.5 * np.cos(2 * np.pi * 7.3 * t)
    found = find_frequencies(t, y + rng.normal(0, 1, len(t)), f_max=f_max, max_frequencies=30)
    np.testing.assert_allclose(found.frequency, [7.3], atol=5 * found.frequency_err.max())
    assert (found.n_fast, found.as_dict()["n_fast"]) == (1, 1)
    # Below the end nothing changes.
    y = amplitude * np.cos(2 * np.pi * (f_max - 0.001) * t) + rng.normal(0, 1, len(t))
    found = find_frequencies(t, y, f_max=f_max)
    np.testing.assert_allclose(found.frequency, [f_max - 0.001], atol=5 * found.frequency_err.max())
    assert found.n_fast == 0


def test_white_and_red_noise_are_not_searched_further() -> None:
    t = np.arange(6000) * 0.01
    rng = np.random.default_rng(8)
    white = rng.normal(0, 1, len(t))
    red = np.cumsum(rng.normal(0, 0.1, len(t)))
    for y, wider in ((white, False), (red - red.mean() + white, False), (9 * np.cos(80 * np.pi * t), True)):
        series = clean_series(t, y + 0.1 * white)
        grid = searched_grid(series, frequency_grid(series.time, f_max=12.0))
        transforms = Transforms(series, grid)
        values = 4.0 * np.abs(transforms.data[16 : 17 + grid.last]) ** 2
        further = wider_grid(series, grid, values, series.flux)
        assert (further is not None) == wider
        if further is not None:
            assert further.step * further.last > 50.0
    # Few points at random times have no highest frequency.
    uneven = clean_series(np.sort(rng.uniform(0, 60, 400)), rng.normal(0, 1, 400))
    grid = searched_grid(uneven, frequency_grid(uneven.time, f_max=1.0))
    assert wider_grid(uneven, grid, np.full(grid.last + 1, 1e-9), uneven.flux) is None


@pytest.mark.parametrize("amplitude", [10.0, 1000.0])
def test_of_even_times_the_lower_of_a_frequency_and_its_image_is_told(amplitude: float) -> None:
    """They are the same function of the data, 0.02/T from the Nyquist frequency."""
    t = even(1500, 0.02)
    end, resolution = nyquist(t), 1.0 / np.ptp(t)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        f = end - 0.02 * resolution
        y = amplitude * np.cos(2 * np.pi * f * (t - 15.0) + rng.uniform(0.0, 6.28)) + rng.normal(0, 1, len(t))
        found = find_frequencies(t, y)
        assert len(found) <= 1
        assert np.all(found.frequency <= end)
        assert np.all(found.flags & UNRESOLVED)
        # The peak's height is no more than what the light varies allows: twice its root mean square.
        assert np.all(found.snr * found.noise <= 2.1 * np.std(y))


def test_the_height_of_a_peak_is_that_of_the_spectrum() -> None:
    """Of a sinusoid alone by a plain sum, near the mirror and far from it."""
    t = even(1500, 0.02)
    x = t - t.mean()
    series = clean_series(t, np.cos(x))
    transforms = Transforms(series, searched_grid(series, frequency_grid(t)))
    step = transforms.grid.step
    for away in (0.1, 0.3, 5.0):
        place = nyquist(t) / step - away * transforms.grid.oversampling
        phasor = 3.0 * np.exp(0.7j)
        y = (phasor * np.exp(2j * np.pi * step * place * x)).real
        height = 2.0 * abs(np.mean(y * np.exp(2j * np.pi * step * place * x)))
        seen = seen_amplitude(transforms, Sinusoids(np.array([place]), np.array([phasor])))[0]
        assert seen == pytest.approx(height if away < 1 else 3.0, rel=1e-6)
        assert near_image(transforms, np.array([place]))[0] == (away < 0.35)


def test_few_of_very_many_signals_beyond_f_max_are_taken_away() -> None:
    """300 of them, of like strength: 20 and no more, or the extraction would take for ever."""
    t = even(8000, 2.0 / 1440.0)
    y = np.random.default_rng(1).normal(0, 1, len(t))
    for f in np.random.default_rng(2).uniform(21.0, 90.0, 300):
        y += 5.0 * np.cos(2 * np.pi * f * t + f)
    found = find_frequencies(t, y, f_max=20.0)
    assert found.n_fast <= 20


def test_few_points_allow_few_frequencies() -> None:
    assert [most_frequencies(n) for n in (3, 10, 13, 14, 20, 1000)] == [1, 1, 1, 2, 3, 166]
    t = even(12, 0.3)
    y = np.random.default_rng(3).normal(0, 1e-3, 12)
    for f in (0.4, 0.8, 1.2):
        y += np.cos(2 * np.pi * f * t)
    found = find_frequencies(t, y, snr_min=1.0)
    assert len(found) + found.n_slow + found.n_fast <= 1
    assert np.all(np.isfinite(found.frequency_err))
