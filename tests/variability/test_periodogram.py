"""Periodograms against astropy's exact method and plain least squares; what goes in and must not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.timeseries import LombScargle
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.variability import Periodogram, periodogram, spectral_window
from lkmrs_dask.variability import periodogram as package_name
from lkmrs_dask.variability.grid import frequency_grid, nyquist
from lkmrs_dask.variability.periodogram import gpu_is_there
from lkmrs_dask.variability.series import clean_series

Floats = NDArray[np.float64]

# FINUFFT is asked for 1e-9 of the sum of absolute values; power is a difference of products of such sums.
TOLERANCE = 1e-7


def curve(n: int = 300, seed: int = 1, baseline: float = 20.0) -> tuple[Floats, Floats, Floats]:
    """Two sinusoids, a mean and noise, at random times after 2,454,900."""
    rng = np.random.default_rng(seed)
    t = 2_454_900.0 + np.sort(rng.uniform(0.0, baseline, n))
    y = 100.0 + 3.0 * np.cos(2 * np.pi * 1.7 * t + 0.3) + np.cos(2 * np.pi * 4.1 * t) + rng.normal(0, 1, n)
    return t, y, rng.uniform(0.5, 2.0, n)


def exact(t: Floats, y: Floats, e: Floats | None, frequency: Floats) -> Floats:
    """Amplitude by astropy's exact method."""
    ls = LombScargle(t - t.mean(), y, e, fit_mean=True, center_data=True)
    power = ls.power(frequency, method="slow", normalization="standard", assume_regular_frequency=False)
    weight = np.ones(len(t)) if e is None else e**-2.0
    weight /= weight.sum()
    return np.sqrt(2.0 * power * (weight @ (y - weight @ y) ** 2))


@pytest.mark.parametrize("with_errors", [False, True])
def test_equal_to_astropys_exact_method(with_errors: bool) -> None:
    t, y, e = curve()
    error = e if with_errors else None
    frequency, amplitude = periodogram(t, y, error, f_max=10.0)
    wanted = exact(t, y, error, frequency)
    np.testing.assert_allclose(amplitude, wanted, atol=TOLERANCE * wanted.max())


def test_amplitude_is_sqrt_of_4_p_over_n() -> None:
    t, y, _ = curve()
    frequency, amplitude = periodogram(t, y, f_max=10.0)
    psd = LombScargle(t - t.mean(), y).power(frequency, method="slow", normalization="psd")
    np.testing.assert_allclose(amplitude, np.sqrt(4.0 * psd / len(t)), atol=TOLERANCE * amplitude.max())


def test_the_power_is_that_of_a_least_squares_fit() -> None:
    t, y, e = curve(60)
    frequency, amplitude = periodogram(t, y, e, f_max=3.0)
    for k in (0, 100, 250, len(frequency) - 1):
        angle = 2 * np.pi * frequency[k] * (t - t[0])
        columns = np.stack([np.ones_like(t), np.cos(angle), np.sin(angle)], axis=1) / e[:, None]
        w = e**-2.0 / np.sum(e**-2.0)
        left = np.sum((y / e - columns @ np.linalg.lstsq(columns, y / e)[0]) ** 2) / np.sum(e**-2.0)
        explained = w @ (y - w @ y) ** 2 - left
        assert amplitude[k] == pytest.approx(np.sqrt(2 * explained), abs=TOLERANCE * amplitude.max())


def test_amplitude_and_frequency_of_a_known_sinusoid() -> None:
    t = np.arange(0.0, 30.0, 0.02)
    y = 7.0 + 2.5 * np.cos(2 * np.pi * 3.3 * t + 1.0)
    result = periodogram(t, y, oversampling=20)
    assert isinstance(result, Periodogram)
    k = result.amplitude.argmax()
    assert result.frequency[k] == pytest.approx(3.3, abs=0.5 / (20 * 30))
    # At most half a step off: sinc(1/40) = 0.999.
    assert result.amplitude[k] == pytest.approx(2.5, rel=2e-3)


def test_default_grid() -> None:
    t = np.arange(0.0, 100.0, 0.0204)
    grid = frequency_grid(t)
    frequency = grid.frequency
    assert grid.step == pytest.approx(1 / (10 * (t[-1] - t[0])))
    assert frequency[0] >= 0.05 > frequency[0] - grid.step
    assert frequency[-1] <= nyquist(t) < frequency[-1] + grid.step
    assert nyquist(t) == pytest.approx(0.5 / 0.0204)
    short = frequency_grid(np.arange(0.0, 5.0, 1e-3))
    assert short.frequency[0] == pytest.approx(2 / 4.999)  # 2/T is higher than 0.05
    assert short.frequency[-1] == pytest.approx(100.0, abs=short.step)  # not the Nyquist frequency of 500


@settings(max_examples=25, deadline=None)
@given(n=st.integers(10, 60), seed=st.integers(0, 10_000), baseline=st.floats(0.1, 2000.0), gap=st.booleans())
def test_any_sampling_equals_astropy(n: int, seed: int, baseline: float, gap: bool) -> None:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0, baseline, n))
    t[n // 2 :] += gap * 3 * baseline
    y, e = rng.normal(5, 2, n), rng.uniform(0.5, 2, n)
    frequency, amplitude = periodogram(t, y, e, f_min=1 / baseline, f_max=20 / baseline)
    wanted = exact(t, y, e, frequency)
    # Few points are nearly explained by a sinusoid whose two columns are nearly one: digits are lost there.
    np.testing.assert_allclose(amplitude, wanted, atol=1e-5 * wanted.max())


@pytest.mark.parametrize("kind", [">f8", "<f4", ">f4"])
def test_byte_order_and_precision(kind: str) -> None:
    t, y, e = curve()
    t = t - 2_454_900.0
    t, y, e = (x.astype("<f4").astype(np.float64) for x in (t, y, e))
    wanted = periodogram(t, y, e).amplitude
    found = periodogram(t.astype(">f8"), y.astype(kind), e.astype(">f4")).amplitude
    np.testing.assert_array_equal(found, wanted)
    whole = np.round(y).astype(int)
    np.testing.assert_array_equal(
        periodogram(t, whole.tolist()).amplitude, periodogram(t, whole.astype(float)).amplitude
    )


def test_bad_points_order_and_repeats_change_nothing() -> None:
    t, y, e = curve()
    wanted = periodogram(t, y, e)
    rng = np.random.default_rng(3)
    bad_t, bad_y, bad_e = (np.r_[x, x[:6]] for x in (t, y, e))
    bad_t[300], bad_y[301], bad_y[302], bad_e[303], bad_e[304], bad_e[305] = (
        np.nan,
        np.nan,
        np.inf,
        np.nan,
        0,
        -1,
    )
    order = rng.permutation(len(bad_t))
    found = periodogram(bad_t[order], bad_y[order], bad_e[order])
    np.testing.assert_array_equal(found.frequency, wanted.frequency)
    np.testing.assert_allclose(found.amplitude, wanted.amplitude, rtol=1e-9, atol=1e-9)
    masked = np.ma.masked_array(np.r_[y, 1e9], np.r_[np.zeros(len(y), bool), True])
    found = periodogram(np.r_[t, t[-1] + 99], masked)
    np.testing.assert_allclose(found.amplitude, periodogram(t, y).amplitude, rtol=1e-9, atol=1e-9)


def test_points_of_one_time_become_their_weighted_mean() -> None:
    t, y, e = curve(50)
    series = clean_series(np.r_[t, t[7]], np.r_[y, y[7] + 3.0], np.r_[e, 2.0 * e[7]])
    assert series.n_merged == 1
    assert len(series.time) == 50
    assert series.flux[7] + series.mean == pytest.approx(y[7] + 0.6)  # weights 4 and 1
    assert series.flux_err is not None
    assert series.flux_err[7] == pytest.approx(e[7] / np.sqrt(1.25))
    equal = clean_series(np.r_[t, t[7]], np.r_[y, y[7] + 3.0])
    assert equal.flux[7] + equal.mean == pytest.approx(y[7] + 1.5)
    assert equal.weights == pytest.approx(1 / 50)


@pytest.mark.parametrize(
    ("flux", "message"),
    [
        (np.full(50, np.nan), "0 points of 50 can be used, 50 were not usable"),
        (np.r_[np.ones(9), np.full(41, np.inf)], "9 points of 50"),
        (np.full(50, 3.0), "the flux of all 50 points is 3"),
    ],
)
def test_nothing_to_transform(flux: Floats, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        periodogram(np.arange(50.0), flux)


def test_few_points_or_times() -> None:
    with pytest.raises(CatalogError, match="0 points of 0"):
        periodogram([], [])
    with pytest.raises(CatalogError, match="1 points of 1"):
        periodogram([1.0], [2.0])
    with pytest.raises(CatalogError, match="1 points of 30 can be used, 29"):
        periodogram(np.ones(30), np.arange(30.0))
    assert len(periodogram(np.arange(10.0), np.arange(10.0) % 3).frequency) > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"f_min": -1.0}, {"f_min": np.nan}, {"f_max": np.inf}, {"f_max": 1e12}, {"f_min": 5.0, "f_max": 4.0},
        {"oversampling": 0.5}, {"oversampling": np.nan}, {"backend": "tpu"},
    ],
)  # fmt: skip
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    t, y, _ = curve()
    with pytest.raises(UsageError):
        periodogram(t, y, **wrong)


def test_wrong_arrays() -> None:
    t, y, e = curve()
    for arrays in (
        (t, y[:-1]),
        (t, y, e[:-1]),
        (t[None], y[None]),
        (t, ["a"] * 300),
        (t, y * 1j),
        (t, [[1], [1, 2]]),
    ):
        with pytest.raises(UsageError):
            periodogram(*arrays)


def test_a_gpu_only_when_asked_and_there() -> None:
    t, y, _ = curve()
    wanted = periodogram(t, y).amplitude
    np.testing.assert_allclose(periodogram(t, y, backend="auto").amplitude, wanted, atol=1e-6 * wanted.max())
    if gpu_is_there():
        np.testing.assert_allclose(
            periodogram(t, y, backend="gpu").amplitude, wanted, atol=1e-6 * wanted.max()
        )
    else:
        with pytest.raises(UsageError, match="backend='gpu' needs a CUDA GPU"):
            periodogram(t, y, backend="gpu")


@pytest.mark.parametrize("with_errors", [False, True])
def test_window_is_the_sum_of_phases(with_errors: bool) -> None:
    t, _, e = curve(80)
    frequency, amplitude = spectral_window(t, e if with_errors else None, f_max=4.0)
    w = e**-2.0 if with_errors else np.ones(80)
    wanted = np.abs(np.exp(2j * np.pi * np.outer(frequency, t - t[0])) @ w) / w.sum()
    assert frequency[0] == 0.0
    assert amplitude[0] == pytest.approx(1.0, abs=1e-8)
    np.testing.assert_allclose(amplitude, wanted, atol=1e-8)  # FINUFFT is asked for 1e-9


def test_window_of_repeated_and_even_times() -> None:
    t = np.arange(0.0, 20.0, 0.05)
    _, amplitude = spectral_window(np.r_[t, t[:5]], f_max=20.0)
    assert amplitude[-1] == pytest.approx(1.0, abs=1e-2)  # the sampling rate


def test_the_name_is_the_functions() -> None:
    assert callable(package_name)
