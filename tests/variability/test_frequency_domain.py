"""What extraction is made of: transforms, subtraction, normal equations, noise, relations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import find_peaks
from threadpoolctl import threadpool_info

from lkmrs_dask.variability import FrequencySettings, find_frequencies
from lkmrs_dask.variability.combinations import find_relations, instrumental_lines
from lkmrs_dask.variability.frequency_settings import InstrumentalLine
from lkmrs_dask.variability.grid import FrequencyGrid, frequency_grid
from lkmrs_dask.variability.joint_fit import Sinusoids, fit_in_frequency, fit_in_time, normal_matrix
from lkmrs_dask.variability.noise import is_mirrored, local_noise, rough_noise
from lkmrs_dask.variability.one_thread import ONE_THREAD
from lkmrs_dask.variability.plans import plan_size, prepared_plan
from lkmrs_dask.variability.prewhiten import Spectrum, prewhiten
from lkmrs_dask.variability.series import clean_series
from lkmrs_dask.variability.transform import PAD, Transforms, interpolate
from lkmrs_dask.variability.uncertainties import correlation_length, frequency_errors

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


def transforms(
    seed: int = 0, n: int = 400, baseline: float = 30.0, f_max: float = 6.0, over: float = 10.0
) -> Transforms:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0, baseline, n))
    y = 3 * np.cos(2 * np.pi * 2.345 * t + 0.4) + np.cos(2 * np.pi * 4.321 * t) + rng.normal(0, 0.5, n)
    series = clean_series(t, y, rng.uniform(0.5, 2.0, n))
    return Transforms(series, frequency_grid(series.time, f_max=f_max, oversampling=over))


def direct(tr: Transforms, values: Floats, place: Floats, power: int = 0) -> Complexes:
    """Sum over the points, of w values (i turn)^power e^(i place turn)."""
    terms = tr.series.weights * values * (1j * tr.turn) ** power
    return np.exp(1j * np.outer(place, tr.turn)) @ terms


@pytest.mark.parametrize(("over", "tolerance"), [(5.0, 3e-6), (10.0, 3e-9), (20.0, 3e-9)])
def test_transforms_between_the_points_of_the_grid(over: float, tolerance: float) -> None:
    tr = transforms(over=over)
    place = np.r_[0.0, np.random.default_rng(1).uniform(0, tr.grid.last, 200), tr.grid.last]
    scale = float(tr.series.weights @ np.abs(tr.series.flux))
    np.testing.assert_allclose(
        interpolate(tr.data, place)[0], direct(tr, tr.series.flux, place), atol=tolerance * scale
    )
    both = np.r_[place, -place, 2 * place]
    found, one = tr.window_at(both, 2), np.ones(len(tr.turn))
    for power in range(3):
        np.testing.assert_allclose(found[power], direct(tr, one, both, power), atol=tolerance)


def test_transform_at_any_point_is_exact() -> None:
    tr = transforms()
    place = np.r_[0.0, np.random.default_rng(1).uniform(0, tr.grid.last, 50), tr.grid.last + 1.0]
    at = tr.at(tr.series.weights * tr.series.flux, place)
    np.testing.assert_allclose(at, direct(tr, tr.series.flux, place), atol=1e-10)
    z = np.exp(1j * place)
    wanted = 0.7 + (z[:, None] * np.exp(1j * np.outer(place, tr.turn))).real.sum(axis=0)
    np.testing.assert_allclose(tr.model(place, z, 0.7), wanted, atol=1e-9)
    assert tr.model(place[:0], z[:0], 0.7).tolist() == [0.7] * len(tr.turn)


@pytest.mark.parametrize("place", [200.0, 137.4, 3.6, 1795.9])
@pytest.mark.parametrize("f_max", [3.0, 6.0])
def test_subtraction_in_the_spectrum_is_that_in_time(place: float, f_max: float) -> None:
    tr = transforms(f_max=f_max)
    if place > tr.grid.last:
        return
    z = 1.3 - 0.4j
    spectrum = Spectrum(tr)
    bins = spectrum.reach
    assert bins == min(1000, tr.grid.last)
    spectrum.subtract(place, z)
    left = tr.of(tr.series.flux - (z * np.exp(1j * place * tr.turn)).real)
    low, high = max(int(place) - bins + 1, 0), min(int(place) + bins, tr.grid.last + 1)
    np.testing.assert_allclose(
        spectrum.values[PAD + low : PAD + high], left[PAD + low : PAD + high], atol=1e-8
    )
    np.testing.assert_allclose(spectrum.power, 4 * np.abs(spectrum.values[PAD : PAD + tr.grid.last + 1]) ** 2)
    away = 2 * np.abs(spectrum.values - left)[PAD : PAD + tr.grid.last + 1]
    taken = np.array([place]), np.array([z])
    bound = np.array([spectrum.left_at(k, *taken) for k in range(tr.grid.last + 1)])
    assert np.all(bound[low:high] == 0.0)
    # The sinusoid and its image are added in quadrature; in phase they are higher by a factor of sqrt(2).
    assert np.all(away <= np.sqrt(2.0) * bound + 1e-7)
    if high < tr.grid.last:
        assert np.median(away[high + 1 :] / bound[high + 1 :]) > 0.3


def test_the_phasor_takes_the_image_into_account() -> None:
    tr = transforms(n=2000)
    place = 4.0  # 0.4 resolution elements from frequency 0, where a frequency and its image overlap
    z = 2.0 * np.exp(1.1j)
    values = tr.of((z * np.exp(1j * place * tr.turn)).real)
    spectrum = Spectrum(tr)
    spectrum.set(values)
    assert spectrum.phasor(place) == pytest.approx(z, abs=1e-6)


def columns(tr: Transforms, s: Sinusoids) -> Floats:
    """Derivatives of the model by mean, cosines, sines and places, at the times."""
    e = np.exp(1j * np.outer(tr.turn, s.place))
    return np.concatenate(
        [np.ones((len(tr.turn), 1)), e.real, e.imag, (1j * tr.turn[:, None] * s.phasor * e).real], axis=1
    )


def test_normal_equations_are_sums_over_the_data() -> None:
    from lkmrs_dask.variability.joint_fit import _in_frequency

    tr = transforms()
    s = Sinusoids(np.array([703.2, 1296.1, 900.0, 6.3]), np.array([2 + 1j, -1j, 0.3, 0.1 + 0.2j]), 0.05)
    normal = _in_frequency(tr, s)
    jacobian, w = columns(tr, s), tr.series.weights
    residual = tr.series.flux - tr.model(s.place, s.phasor, s.mean)
    np.testing.assert_allclose(normal.matrix, jacobian.T @ (w[:, None] * jacobian), atol=1e-7)
    np.testing.assert_allclose(normal.right, jacobian.T @ (w * residual), atol=1e-7)
    assert normal.variance == pytest.approx(w @ residual**2, abs=1e-7)


def test_the_fit_ends_where_the_data_have_no_slope() -> None:
    tr = transforms()
    start = Sinusoids(np.array([704.0, 1295.0]), np.array([2.0 + 0j, 1.0 + 0j]))
    fitted = fit_in_frequency(tr, start)
    final, residual = fit_in_time(tr, fitted)
    slope = columns(tr, final).T @ (tr.series.weights * residual)
    assert np.abs(slope).max() < 1e-6
    noise = np.full(2, np.sqrt(2.0 * np.log(2.0)) * np.sqrt(2.0 / len(residual)) * residual.std())
    errors = frequency_errors(final.phasor, normal_matrix(tr, final), noise, tr.grid.step)
    # The last iteration moves less than a hundredth of an error: the fit in frequency was there already.
    assert np.all(np.abs(final.place - fitted.place) * tr.grid.step < 0.02 * errors.frequency)
    again, _ = fit_in_time(tr, final)
    assert np.all(np.abs(again.place - final.place) * tr.grid.step < 1e-3 * errors.frequency)


def test_two_equal_frequencies_do_not_break_the_fit() -> None:
    tr = transforms()
    start = Sinusoids(np.array([704.0, 704.0]), np.array([1.5 + 0j, 1.5 + 0j]))
    fitted = fit_in_frequency(tr, start)
    assert np.all(np.isfinite(fitted.place))
    _, residual = fit_in_time(tr, fitted)
    assert np.all(np.isfinite(residual))


def test_nothing_to_fit() -> None:
    tr = transforms()
    none = Sinusoids(np.empty(0), np.empty(0, np.complex128))
    assert fit_in_frequency(tr, none) is none
    assert fit_in_time(tr, none)[1] == pytest.approx(tr.series.flux)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000), n=st.integers(10, 300), baseline=st.floats(0.05, 500.0),
    scale=st.sampled_from([1e-9, 1.0, 1e9]), gap=st.floats(0.0, 20.0),
)  # fmt: skip
def test_any_sampling_and_unit(seed: int, n: int, baseline: float, scale: float, gap: float) -> None:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0, baseline, n))
    t[n // 2 :] += gap * baseline
    y = 5 * np.cos(2 * np.pi * rng.uniform(2, 0.2 * n) / baseline * t) + rng.normal(0, 1, n)
    found = find_frequencies(
        t, scale * y, f_min=0.5 / np.ptp(t), f_max=0.5 * n / np.ptp(t), max_frequencies=8
    )
    assert np.all(found.snr >= 5.6)
    assert np.all(np.isfinite(found.amplitude))
    assert np.all(np.diff(np.sort(found.frequency)) >= 0)
    assert found.residual_rms <= scale * y.std() * (1 + 1e-9)
    if found.n_fast:  # what lies beyond f_max is no part of the model
        return
    np.testing.assert_allclose(
        np.sqrt(np.mean((scale * y - found.model(t)) ** 2)), found.residual_rms, rtol=1e-6, atol=1e-9 * scale
    )


def test_one_spectrum_is_enough_for_peaks_that_do_not_disturb_each_other() -> None:
    t = np.arange(0.0, 300.0, 0.02)
    rng = np.random.default_rng(0)
    y = sum(
        (5 * np.cos(2 * np.pi * f * t + f) for f in (2.3, 5.1, 8.9, 13.7, 19.1)), rng.normal(0, 1, len(t))
    )
    series = clean_series(t, y)
    found, rounds, power = prewhiten(Transforms(series, frequency_grid(series.time)), FrequencySettings())
    assert power is not None
    assert len(found) == 5
    assert rounds == 2  # the second shows that nothing is left


def test_noise_is_the_median_or_the_mean_around() -> None:
    grid = FrequencyGrid(0.01, 10, 1000, 10.0)
    power = np.random.default_rng(0).exponential(1.0, 1001)
    for place in (500.0, 640.3, 12.0, 995.0):
        median = local_noise(power, grid, place, FrequencySettings(noise_gap=2.5, window_low=1.0))
        mean = local_noise(power, grid, place, FrequencySettings(noise="mean", window=1.0))
        wide = np.arange(int(place) - 100, int(place) + 101)
        wide = np.where(wide < 10, 20 - wide, wide)
        wide = np.where(wide > 1000, 2000 - wide, wide)
        wide = wide[np.abs(wide - place) > 25]
        assert mean == pytest.approx(np.sqrt(power[wide]).mean())
        assert median == pytest.approx(np.median(np.sqrt(power[wide])), rel=0.02)
    narrow = FrequencyGrid(0.01, 10, 14, 10.0)
    assert np.isnan(local_noise(power[:15], narrow, 12.0, FrequencySettings()))


def test_correlation_length() -> None:
    rng = np.random.default_rng(0)
    assert correlation_length(rng.normal(size=100_000)) == pytest.approx(1.0, abs=0.02)
    assert correlation_length(np.repeat(rng.normal(size=20_000), 5)) == pytest.approx(5.0, rel=0.03)
    assert correlation_length(np.tile([1.0, -1.0], 50)) == 1.0


def test_errors_by_their_formulas() -> None:
    """One sinusoid, white noise, even sampling: the textbook's; two that are alike have none."""
    n, sigma, amplitude = 10_000, 0.3, 2.0
    t = np.linspace(-50.0, 50.0, n)
    f, phase = 1.7, 0.4
    turn = 2.0 * np.pi * 0.01 * t  # bins of 0.01/d
    angle = 2.0 * np.pi * f * t
    rows = np.stack([np.ones(n), np.cos(angle), np.sin(angle), -amplitude * turn * np.sin(angle + phase)])
    matrix = rows @ rows.T / n
    noise = np.array([np.sqrt(2.0 * np.log(2.0)) * sigma * np.sqrt(2.0 / n)])
    errors = frequency_errors(np.array([amplitude * np.exp(1j * phase)]), matrix, noise, 0.01)
    assert errors.amplitude[0] == pytest.approx(np.sqrt(2.0 / n) * sigma, rel=1e-3)
    assert errors.phase[0] == pytest.approx(errors.amplitude[0] / amplitude, rel=1e-3)
    assert errors.frequency[0] == pytest.approx(
        np.sqrt(6.0 / n) * sigma / (np.pi * 100.0 * amplitude), rel=1e-3
    )
    mean = frequency_errors(np.array([2.0 + 0j]), matrix, noise, 0.01, "mean")
    assert mean.amplitude[0] == pytest.approx(
        errors.amplitude[0] * np.sqrt(2 * np.log(2)) / np.sqrt(np.pi / 2), rel=1e-3
    )
    twice = np.concatenate([rows, rows[1:]])[[0, 1, 4, 2, 5, 3, 6]]
    alike = frequency_errors(np.full(2, amplitude + 0j), twice @ twice.T / n, np.repeat(noise, 2), 0.01)
    assert all(np.isnan(values).all() or (values > 1e3).all() for values in alike)


def test_relations_follow_amplitude_not_order() -> None:
    f, a = np.array([4.0, 2.0, 30.0]), np.array([1.0, 5.0, 0.5])  # 30 is too high a multiple of 2
    found = find_relations(f, np.full(3, 1e-4), a, 1000.0, FrequencySettings())
    assert found.harmonic_of.tolist() == [1, -1, -1]
    assert found.harmonic.tolist() == [2, 0, 0]


def test_relations_of_nothing() -> None:
    found = find_relations(np.empty(0), np.empty(0), np.empty(0), 10.0, FrequencySettings())
    assert found.combination_of.shape == (0, 2)


def test_lines_and_their_widths() -> None:
    line = InstrumentalLine("line", 4.0, 0.01, 3)
    f = np.array([4.005, 4.02, 8.015, 12.05, 16.0, 0.1])
    assert instrumental_lines(f, (line,), 1e4).tolist() == [True, False, True, False, False, False]
    # A short light curve cannot tell apart what lies within a tenth of 1/T.
    assert instrumental_lines(f, (line,), 1.0).tolist() == [True, True, True, True, False, False]
    assert not instrumental_lines(f, (), 10.0).any()


def test_one_thread_while_inside_and_as_before_after() -> None:
    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with ONE_THREAD, ONE_THREAD:
        assert set(threads()) <= {1}
    assert threads() == before
    t = np.arange(0.0, 40.0, 0.02)
    y = np.cos(2 * np.pi * 3 * t) + np.random.default_rng(0).normal(0, 1, len(t))
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: find_frequencies(t, y).frequency.tolist(), range(8)))
    assert all(one == results[0] for one in results)
    assert threads() == before


def test_peaks_of_a_plain_spectrum_are_those_taken_first() -> None:
    tr = transforms(n=2000, f_max=10.0)
    spectrum = Spectrum(tr)
    peaks, _ = find_peaks(spectrum.power[tr.grid.first :])
    highest = tr.grid.first + peaks[spectrum.power[tr.grid.first :][peaks].argmax()]
    found, _, power = prewhiten(tr, FrequencySettings(max_frequencies=1))
    assert power is None
    assert abs(found.place[0] - highest) <= 1.0


@pytest.mark.parametrize("n", [2, 50, 999, 19_633, 26_042, 330_001])
def test_sizes_of_plans_are_few_and_little_larger(n: int) -> None:
    size = plan_size(n, 1.25)
    assert n <= size <= max(1.1 * n, n + 8)
    assert plan_size(size, 1.25) == size


def test_plans_are_kept_and_set_to_other_points() -> None:
    rng = np.random.default_rng(0)
    strengths = rng.normal(size=40) + 0j
    k = np.arange(-16, 16)
    a, b = (rng.uniform(-3, 3, 40) for _ in range(2))
    plans = []
    for x in (a, b, a):
        plan = prepared_plan(1, 32, 1e-9, 2.0, x)
        plans.append(plan)
        np.testing.assert_allclose(
            plan.execute(strengths), np.exp(1j * np.outer(k, x)) @ strengths, atol=1e-6
        )
    assert plans[0] is plans[1] is plans[2]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(prepared_plan, 1, 32, 1e-9, 2.0, a).result() is not plans[0]
    for n in (600_000, 650_000, 700_000):
        prepared_plan(1, n, 1e-6, 1.25, a)
    assert prepared_plan(1, 32, 1e-9, 2.0, a) is not plans[0]  # what a thread keeps is limited


def test_light_curves_in_turn_are_those_alone() -> None:
    """Plans are shared by light curves: one's points are not another's."""
    one, two = transforms(1), transforms(2)
    values = [tr.of(tr.series.flux) for tr in (one, two, one, two)]
    np.testing.assert_array_equal(values[0], values[2])
    np.testing.assert_array_equal(values[1], values[3])
    np.testing.assert_array_equal(values[0], one.data)
    place = np.array([700.3, 41.7])
    for tr in (one, two, one):
        np.testing.assert_allclose(
            tr.at(tr.series.weights, place), direct(tr, np.ones(len(tr.turn)), place), atol=1e-10
        )


def test_a_quiet_light_curve_needs_one_spectrum() -> None:
    t = np.arange(0.0, 40.0, 0.02)
    series = clean_series(t, np.random.default_rng(0).normal(0, 1, len(t)))
    tr = Transforms(series, frequency_grid(series.time))
    found, rounds, power = prewhiten(tr, FrequencySettings())
    assert (len(found), rounds) == (0, 1)
    assert power is not None
    assert "window" not in vars(tr)


def test_where_the_window_of_noise_is_mirrored() -> None:
    grid = FrequencyGrid(0.01, 10, 1000, 10.0)
    narrow = FrequencySettings(window=1.5)
    assert [is_mirrored(grid, k, narrow) for k in (20, 159, 160, 161, 990)] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_rough_noise_follows_the_noise() -> None:
    """Within 30 % of the local noise at nine of ten places, where the level changes by a factor of 30."""
    tr = transforms(1)
    grid = tr.grid
    random = np.random.default_rng(2)
    level = np.geomspace(30.0, 1.0, grid.last + 1)
    power = level**2 * random.exponential(size=grid.last + 1)
    settings = FrequencySettings()
    rough = rough_noise(power, grid, settings)
    assert np.isinf(rough[: grid.first]).all()
    places = np.linspace(grid.first, grid.last, 60)
    exact = np.array([local_noise(power, grid, place, settings) for place in places])
    ratio = rough[places.astype(int)] / exact
    assert np.mean(np.abs(np.log(ratio)) < 0.3) > 0.9
