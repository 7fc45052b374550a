"""Features of light curves against plain formulas, known signals and real stars."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.bases import base_frequency, nyquist_frequency, simplest_base
from lkmrs_dask.variability.feature_names import FEATURE_NAMES, FEATURES, INDEX, STAR_FEATURES
from lkmrs_dask.variability.features import (
    FeatureSettings,
    Peaks,
    StarParameters,
    as_mapping,
    light_curve_features,
    peaks_of,
)
from lkmrs_dask.variability.flicker import (
    expected_nu_max,
    find_hump,
    flicker,
    fliper,
    nu_max,
    point_noise,
    power_density,
)
from lkmrs_dask.variability.frequencies import find_frequencies
from lkmrs_dask.variability.shape import (
    fit_fourier,
    fold,
    folded_shape,
    modulation,
    slow_share,
)

Floats = NDArray[np.float64]

LONG = 0.0204336  # d, a long cadence


def times(span: float = 80.0, step: float = LONG) -> Floats:
    return np.arange(0.0, span, step)


def peaks(*pairs: tuple[float, float], independent: list[bool] | None = None) -> Peaks:
    frequency, amplitude = np.array(pairs, float).reshape(-1, 2).T
    own = np.ones(len(pairs), bool) if independent is None else np.array(independent)
    return Peaks(frequency, amplitude, np.full(len(pairs), 20.0), own)


def features(
    time: Floats, flux: Floats, found: Peaks, star: StarParameters | None = None
) -> dict[str, float]:
    return dict(as_mapping(light_curve_features(time, flux, found, star)))


def test_names() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURES) == len(INDEX)
    assert all(one.meaning for one in FEATURES)
    assert set(STAR_FEATURES) <= set(FEATURE_NAMES)


def test_fourier_ratios_and_phases() -> None:
    """cos(x) + 0.5 cos(2x + 1) + 0.2 cos(3x + 2), shifted in time: ratios and differences stay."""
    time = times(20.0) + 2455000.0
    for shift in (0.0, 0.123):
        angle = 2 * np.pi * 1.7 * (time - 2455000.0 - shift)
        flux = 3 + np.cos(angle) + 0.5 * np.cos(2 * angle + 1) + 0.2 * np.cos(3 * angle + 2)
        shape = fit_fourier(time, flux, 1.7, 4)
        # Times near 2.5 million days are rounded to 5e-10 d, a phase of 5e-9.
        assert shape.ratio(2) == pytest.approx(0.5, abs=1e-6)
        assert shape.ratio(3) == pytest.approx(0.2, abs=1e-6)
        assert shape.difference(2) == pytest.approx(1.0, abs=1e-6)
        assert shape.difference(3) == pytest.approx(2.0, abs=1e-6)
        assert shape.share == pytest.approx(1.0, abs=1e-9)


@given(base=st.floats(0.2, 3.0), k=st.integers(1, 6), phase=st.floats(0, 6))
@settings(max_examples=50, deadline=None)
def test_base_of_harmonics(base: float, k: int, phase: float) -> None:
    """All harmonics of a frequency, the k-th the strongest: the base is found, whatever else is there."""
    frequency = np.append(base * np.arange(1, 13), base * 3.37)
    amplitude = np.append(1.0 / np.arange(1, 13), 0.01)
    amplitude[k - 1] = 2.0
    found, multiple = base_frequency(frequency, amplitude, 0.005)
    assert found == pytest.approx(base)
    assert multiple[:12].all()


def test_base_of_one_frequency() -> None:
    found, multiple = base_frequency(np.array([1.3]), np.array([2.0]), 0.01)
    assert (found, multiple.tolist()) == (1.3, [True])
    assert math.isnan(base_frequency(np.empty(0), np.empty(0), 0.01)[0])
    # Two unrelated ones are no multiples of something lower.
    assert base_frequency(np.array([1.3, 1.9]), np.array([2.0, 1.0]), 0.01)[0] == 1.3


def folded(frequency: float, nyquist: float) -> float:
    """Where a frequency is seen that is sampled at twice the Nyquist frequency, by steps."""
    while abs(frequency) > nyquist:
        frequency -= 2.0 * nyquist
    return abs(frequency)


@given(period=st.floats(0.3, 1.2))
@settings(max_examples=60, deadline=None)
def test_reflected_harmonics_make_no_lower_base(period: float) -> None:
    """Sixty harmonics in long cadence, even ones stronger: P, or P/2 where few odd ones can be told apart."""
    nyquist, tolerance = 0.5 / LONG, 0.00625
    order = np.arange(1, 61)
    amplitude = np.exp(-order / 20.0) * np.where(order % 2, 0.5, 1.0)
    frequency = np.array([folded(k / period, nyquist) for k in order.tolist()])
    apart = np.array([i for i, f in enumerate(frequency) if (np.abs(frequency[:i] - f) > 0.02).all()])
    frequency, amplitude = frequency[apart], amplitude[apart]
    found, multiple = base_frequency(frequency, amplitude, tolerance, nyquist)
    assert found * period == pytest.approx(1.0) or found * period == pytest.approx(2.0)
    assert multiple[: int(nyquist * period)].sum() >= 4


def test_cadence_that_speaks_for_a_lower_base() -> None:
    """2 f_Ny is 21.8 times the orbital frequency: with reflections all are multiples of a fifth of that."""
    nyquist = 24.47
    orbit = 2.0 * nyquist / 21.8
    order = np.arange(1, 41)
    frequency = np.array([folded(k * orbit, nyquist) for k in order.tolist()])
    amplitude = np.where(order % 2, 0.5, 1.0) / order
    assert base_frequency(frequency, amplitude, 0.006)[0] == pytest.approx(orbit / 5)
    assert base_frequency(frequency, amplitude, 0.006, nyquist)[0] == pytest.approx(orbit)
    # Frequencies beyond f_Ny mean that the sampling is not even, and nothing is reflected.
    beyond = base_frequency(np.append(frequency, 30.0), np.append(amplitude, 0.01), 0.006, nyquist)
    assert beyond[0] == pytest.approx(orbit / 5)


def test_nyquist_frequency() -> None:
    """Gaps do not matter."""
    assert nyquist_frequency(np.append(times(5.0), times(5.0) + 40.0)) == pytest.approx(0.5 / LONG)
    assert math.isnan(nyquist_frequency(np.array([1.0])))
    assert math.isnan(nyquist_frequency(np.ones(5)))


def test_simplest_base() -> None:
    """Six times the period, or four, is not needed; the strongest is twice the orbital frequency."""
    time = times()
    flux = 1e3 * eclipses(time, 1.1, 0.03, 0.01, 0.1)
    for k in (6, 4):
        assert simplest_base(time, flux, 2 / 1.1, 2 / 1.1 / k) == pytest.approx(1 / 1.1)
    assert simplest_base(time, flux, 2 / 1.1, 1 / 1.1) == 1 / 1.1
    # The fifth harmonic is the strongest: no shorter period folds the curve.
    assert simplest_base(time, flux, 5 / 1.1, 1 / 1.1) == 1 / 1.1
    assert math.isnan(simplest_base(time, flux, math.nan, math.nan))


def test_eclipsing_binary_in_long_cadence() -> None:
    """0.44036 d, 160 points a day into a cadence: harmonics that are found are those of the spectrum."""
    rng = np.random.default_rng(11)
    time, period = times(), 0.44036
    flux = np.mean(
        [eclipses(time + at * LONG, period, 0.3, 0.2, 0.12) for at in np.linspace(-0.5, 0.5, 9)], 0
    )
    flux = flux + 3e-4 * rng.normal(size=len(time))
    found = find_frequencies(time, flux, max_frequencies=40)
    values = features(time, flux, peaks_of(found))
    assert values["period"] == pytest.approx(period, rel=1e-3)


def test_fold_against_a_loop() -> None:
    rng = np.random.default_rng(2)
    time, flux = np.sort(rng.uniform(0, 30, 500)), rng.normal(size=500)
    profile, where, count = fold(time, flux, 2.3, 10)
    for b in range(10):
        mine = [y for t, y in zip(time, flux, strict=True) if int(((t - time[0]) / 2.3 % 1.0) * 10) == b]
        assert count[b] == len(mine)
        assert profile[b] == pytest.approx(sum(mine) / len(mine), abs=1e-12)
    assert len(where) == 500


def eclipses(time: Floats, period: float, first: float, second: float, width: float) -> Floats:
    phase = (time / period + 0.13) % 1.0
    flux = np.ones_like(time)
    flux[np.abs(phase - 0.5) < width / 2] -= first
    flux[(phase < width / 2) | (phase > 1 - width / 2)] -= second
    return flux


def test_eclipses() -> None:
    """Boxes of 30 and 12 ppt, 5 % of the period wide, half a period apart."""
    time = times()
    shape = folded_shape(time, 1e3 * eclipses(time, 3.3, 0.03, 0.012, 0.05), 3.3)
    assert shape.dip_depth == pytest.approx(30.0, abs=0.5)
    assert shape.dip_depth_2 == pytest.approx(12.0, abs=0.5)
    assert shape.dip_width == pytest.approx(0.05, abs=0.011)  # bins of 0.01
    assert shape.dip_phase_2 == pytest.approx(0.5, abs=0.03)
    assert shape.below_share < 0.1
    assert shape.mirror > 0.8
    assert shape.fold_rest < 0.2  # bins that hold an edge of a box are smeared


def test_unequal_eclipses_double_the_period() -> None:
    """Only twice the orbital frequency is known to the peaks: the minima alternate."""
    time = times()
    flux = eclipses(time, 2.0, 0.03, 0.015, 0.1) + 1e-4 * np.random.default_rng(1).normal(size=len(time))
    found = features(time, flux, peaks((1.0, 8.0), (2.0, 6.0)))
    assert found["period"] == pytest.approx(2.0)
    assert found["odd_even"] == pytest.approx(0.5, abs=0.1)
    assert found["skewness"] < -1
    equal = features(time, eclipses(time, 2.0, 0.03, 0.03, 0.1), peaks((1.0, 8.0), (2.0, 6.0)))
    assert equal["period"] == pytest.approx(1.0)


def test_sinusoid() -> None:
    time = times()
    flux = 1 + 0.01 * np.sin(2 * np.pi * 0.9 * time)
    found = features(time, 500.0 * flux, peaks((0.9, 10.0)))  # any unit of flux
    assert found["period"] == pytest.approx(1 / 0.9)
    assert found["amplitude"] == pytest.approx(10 * math.sin(math.pi / 2 * 0.9), rel=0.02)
    assert found["sine_share"] == pytest.approx(1.0, abs=1e-4)
    assert found["below_share"] == pytest.approx(0.5, abs=0.05)
    assert found["kurtosis"] == pytest.approx(-1.5, abs=0.05)
    assert abs(found["skewness"]) < 0.05
    assert found["modulation"] < 0.01
    assert found["mirror"] > 0.99
    assert found["dip_depth_2"] < 0.5
    assert math.isnan(found["teff"])


def test_modulation() -> None:
    """An amplitude that swings by a fifth has a relative scatter of a fifth over the square root of 2."""
    time = times(200.0)
    flux = (1 + 0.2 * np.sin(2 * np.pi * time / 100)) * np.sin(2 * np.pi * time)
    assert modulation(time, flux, 1.0) == pytest.approx(0.2 / math.sqrt(2), rel=0.1)
    assert math.isnan(modulation(time[:100], flux[:100], 1.0))


def test_regimes() -> None:
    """Harmonics and combinations are not independent; borders are those of the settings."""
    time = times()
    flux = 1 + 1e-3 * np.sin(2 * np.pi * 1.1 * time)
    found = features(
        time, flux,
        peaks((1.1, 4.0), (2.2, 1.0), (1.7, 2.0), (7.0, 3.0), (0.1, 9.0), (8.1, 0.5),
              independent=[True, False, True, True, True, False]),
    )  # fmt: skip
    assert (found["n_peaks"], found["n_low"], found["n_high"]) == (6, 2, 1)
    assert (found["amp_low"], found["amp_high"]) == (4.0, 3.0)
    assert (found["f_main"], found["amp_main"]) == (0.1, 9.0)


def test_peaks_of_a_result() -> None:
    result = SimpleNamespace(
        frequency=[1.0, 2.0, 3.3, 4.08], amplitude=[0.01, 0.005, 0.001, 0.1], snr=[9, 8, 7, 6],
        harmonic_of=[-1, 0, -1, -1], combination_of=[[-1, -1], [-1, -1], [0, 1], [-1, -1]],
        flags=[0, 1, 0, 2],
    )  # fmt: skip
    found = peaks_of(result, leave_out=2)
    assert found.frequency.tolist() == [1.0, 2.0, 3.3]
    assert found.amplitude.tolist() == [10.0, 5.0, 1.0]
    assert found.independent.tolist() == [True, False, False]
    empty = SimpleNamespace(frequency=[], amplitude=[], snr=[], harmonic_of=[], combination_of=[])
    assert len(peaks_of(empty).frequency) == 0


def flagged(frequency: list[float], amplitude: list[float], snr: list[float]) -> SimpleNamespace:
    """All of them lie on lines of the spacecraft, but those of 3.3 per day."""
    return SimpleNamespace(
        frequency=frequency, amplitude=amplitude, snr=snr, flags=[0 if f == 3.3 else 2 for f in frequency]
    )


def test_strong_lines_are_of_the_star() -> None:
    """A mode at 12.30 with S/N 992 stays, a weaker one goes; a comb of thrusters goes however strong."""
    mode = flagged([12.30, 3.3, 8.16], [0.01, 0.001, 0.001], [992.0, 9.0, 150.0])
    assert peaks_of(mode, leave_out=2).frequency.tolist() == [12.30, 3.3]
    assert peaks_of(mode, leave_out=2, strong=math.inf).frequency.tolist() == [3.3]
    assert peaks_of(mode, leave_out=2, strong=1e3).frequency.tolist() == [3.3]
    assert peaks_of(mode, leave_out=2, strong=100.0).frequency.tolist() == [12.30, 3.3, 8.16]
    comb = flagged([4.063, 8.141, 12.22, 3.3], [1.3e-3, 1.2e-3, 1.2e-3, 1e-3], [500.0, 400.0, 300.0, 9.0])
    assert peaks_of(comb, leave_out=2).frequency.tolist() == [3.3]
    # Two, or multiples that are much weaker, are no comb; lines side by side are the same multiple.
    two = flagged([0.1515, 0.073], [0.003, 0.01], [900.0, 3000.0])
    assert len(peaks_of(two, leave_out=2).frequency) == 2
    weak = flagged([4.06, 8.12, 12.18], [0.05, 0.005, 0.001], [8000.0, 900.0, 150.0])
    assert peaks_of(weak, leave_out=2).frequency.tolist() == [4.06, 8.12]
    beside = flagged([4.06, 4.09, 4.03], [0.05, 0.04, 0.03], [800.0, 700.0, 600.0])
    assert len(peaks_of(beside, leave_out=2).frequency) == 3


def test_noise() -> None:
    """White noise of 2: point noise 2, little flicker, eta 2; the power density adds up to the variance."""
    rng = np.random.default_rng(4)
    time = times()
    noise = 2.0 * rng.normal(size=len(time))
    # 4,000 points give a median of second differences to 3 %.
    assert point_noise(noise) == pytest.approx(2.0, rel=0.1)
    assert flicker(time, noise) < 0.6
    frequency, density = power_density(time, noise)
    assert density.sum() * (frequency[1] - frequency[0]) == pytest.approx(noise.var(), rel=0.01)
    slow = noise + 5.0 * np.sin(2 * np.pi * 2.5 * time)
    assert flicker(time, slow) == pytest.approx(5.0 / math.sqrt(2), rel=0.5)
    # A sinusoid of 5 has the variance 12.5, spread over all frequencies from 7 uHz to 283 uHz.
    assert fliper(*power_density(time, slow)) == pytest.approx(math.log10(12.5 / 276), abs=0.05)
    found = features(time, 1 + 1e-3 * noise, peaks())
    assert found["eta"] == pytest.approx(2.0, rel=0.1)
    assert found["noise"] == pytest.approx(2.0, rel=0.1)
    assert math.isnan(found["period"])


def test_hump() -> None:
    """A hump of random modes at 60 uHz on red noise is found to 5 %, and white noise has none."""
    rng = np.random.default_rng(5)
    time = times(90.0)
    frequency, _ = power_density(time, np.ones(len(time)) + rng.normal(size=len(time)))
    profile = 5.0 / (1 + (frequency / 20) ** 2) + 8.0 * np.exp(-0.5 * ((frequency - 60) / 8) ** 2)
    density = profile * rng.exponential(size=len(frequency))
    ratio, place = find_hump(frequency, density, 70.0)
    assert place == pytest.approx(60.0, rel=0.05)
    assert ratio > 3
    flat, _ = find_hump(frequency, rng.exponential(size=len(frequency)), 70.0)
    assert flat < 2
    assert all(math.isnan(x) for x in find_hump(frequency[:10], density[:10]))


def test_expected_nu_max() -> None:
    assert expected_nu_max(5777.0, 4.438) == pytest.approx(3090.0)
    assert math.isnan(expected_nu_max(math.nan, 2.5))


BAD = [
    (np.empty(0), np.empty(0)),
    (np.array([1.0]), np.array([1.0])),
    (np.arange(9.0), np.arange(9.0) + 1),
    (np.arange(50.0), np.full(50, 7.0)),
    (np.arange(50.0), np.full(50, np.nan)),
    (np.zeros(50), np.arange(50.0) + 1),
    (np.arange(50.0), -np.arange(50.0) - 1),
]


@pytest.mark.parametrize(("time", "flux"), BAD)
@pytest.mark.parametrize("some", [True, False])
def test_bad_curves(time: Floats, flux: Floats, some: bool) -> None:
    """What the peaks and the star tell is there, all else is NaN."""
    found = features(
        time, flux, peaks((1.0, 3.0)) if some else peaks(), StarParameters(6000.0, 4.0, 3.0, 2.0)
    )
    assert found["n_peaks"] == float(some)
    assert [found[name] for name in STAR_FEATURES] == [6000.0, 4.0, 3.0, 2.0]
    assert math.isnan(found["amplitude"])
    assert math.isnan(found["fold_rest"])


def test_order_type_and_gaps_do_not_matter() -> None:
    rng = np.random.default_rng(6)
    time = times(40.0)
    flux = 1 + 0.01 * np.sin(2 * np.pi * 1.3 * time) + 1e-4 * rng.normal(size=len(time))
    plain = light_curve_features(time, flux, peaks((1.3, 10.0)))
    order = rng.permutation(len(time))
    mixed = np.append(flux[order], [np.nan, 1.0]).astype(">f8")
    again = light_curve_features(
        np.append(time[order], [3.0, np.nan]).astype(">f8"), mixed, peaks((1.3, 10.0))
    )
    np.testing.assert_array_equal(plain, again)


@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=0, max_size=60),
    frequency=st.lists(st.floats(0.01, 50), max_size=5),
)
@settings(max_examples=100, deadline=None)
def test_nothing_breaks(values: list[float], frequency: list[float]) -> None:
    """No warning and no fault, whatever the flux."""
    flux = np.array(values, float)
    found = peaks(*((f, 1.0) for f in frequency)) if frequency else peaks()
    vector = light_curve_features(0.02 * np.arange(len(flux)), flux, found)
    assert vector.shape == (len(FEATURE_NAMES),)
    assert not np.isinf(vector).any()


def test_second_amplitudes() -> None:
    """Of the independent ones of each regime, in any order; 0 where there is one or none."""
    found = peaks((1.1, 3.0), (1.3, 5.0), (2.2, 4.0), (0.1, 9.0), (12.0, 2.0),
                  independent=[True, True, False, True, True])  # fmt: skip
    values = features(times(), 1 + 1e-4 * np.sin(times()), found)
    assert [values[k] for k in ("amp_low", "amp_low_2", "amp_high", "amp_high_2")] == [5.0, 3.0, 2.0, 0.0]


def test_slow_share_against_plain_means() -> None:
    """Means of each tenth of a period, one by one, and a fit by numpy's least squares."""
    rng = np.random.default_rng(5)
    time = times(60.0)
    flux = np.sin(2 * np.pi * time / 9.0) + np.cumsum(rng.normal(0, 0.01, len(time)))
    place = [int((t - time[0]) / 0.9) for t in time]
    rows = [np.array([p == k for p in place]) for k in range(max(place) + 1)]
    t, y = (np.array([values[row].mean() for row in rows if row.sum() > 13]) for values in (time, flux))
    angle = 2 * np.pi * t / 9.0
    design = np.array([np.ones_like(t), *(wave(k * angle) for k in (1, 2) for wave in (np.cos, np.sin))]).T
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    wanted = 1 - (rest @ rest / (len(t) - 5)) / (y.var() * len(t) / (len(t) - 1))
    assert slow_share(time, flux, 1 / 9.0) == pytest.approx(wanted, abs=1e-9)


def test_slow_share_of_periods_and_faults() -> None:
    """Near 1 for a period below the noise; small for a jump; NaN without points or a frequency."""
    rng = np.random.default_rng(6)
    time = times(90.0)
    noise = rng.normal(size=len(time))
    # 43 points a mean leave noise of 0.15 beside a signal of 0.35.
    assert slow_share(time, 0.5 * np.sin(2 * np.pi * time / 9.0) + noise, 1 / 9.0) > 0.7
    assert slow_share(time, 5.0 * (time > 37.0) + noise, 1 / 9.0) < 0.1
    assert abs(slow_share(time, noise, 1 / 9.0)) < 0.15
    assert math.isnan(slow_share(time[:3], noise[:3], 1 / 9.0))
    assert math.isnan(slow_share(time[:0], noise[:0], 1 / 9.0))
    assert math.isnan(slow_share(time, noise, math.nan))


def test_nu_max_of_a_made_hump() -> None:
    """Modes under a hump at 60 uHz on white noise, in any order and with gaps: within 5 %, a tenth of it."""
    rng = np.random.default_rng(7)
    time = times(150.0)
    flux = rng.normal(0, 0.02, len(time))
    for at in np.arange(40.0, 80.0, 1.0):
        height = 0.05 * np.exp(-0.5 * ((at - 60.0) / 6.0) ** 2)
        flux += height * np.sin(2 * np.pi * (0.0864 * at * time + rng.random()))
    order = rng.permutation(len(time))
    flux[100:300] = np.nan
    place, contrast = nu_max(time[order], flux[order])
    assert place == pytest.approx(60.0, rel=0.05)
    assert contrast > 3
    assert nu_max(time, flux, 55.0)[0] == pytest.approx(60.0, rel=0.05)
    assert np.isnan(nu_max(time[:5], flux[:5])).all()
    with pytest.raises(UsageError, match="rising"):
        nu_max(time, flux, ends=(10.0, 5.0))
    with pytest.raises(UsageError, match="one flux for each time"):
        nu_max(time, flux[1:])


def test_wrong_calls() -> None:
    with pytest.raises(UsageError, match="3 times and 2 fluxes"):
        light_curve_features([1, 2, 3], [1, 2], peaks())
    with pytest.raises(UsageError, match="lengths"):
        light_curve_features([1], [1], Peaks(np.ones(2), np.ones(1), np.ones(2), np.ones(2, bool)))
    with pytest.raises(UsageError, match="low_from"):
        FeatureSettings(low_from=6.0)


def test_real_red_giant(shared: Path) -> None:
    """KIC 2309595 (short cadence): nu_max of pySYD within 3 %."""
    folder = shared / "data" / "lc_kepler_redgiant"
    time, flux = np.loadtxt(folder / "2309595_LC.txt", unpack=True)
    header, *rows = (folder / "pysyd_results.csv").read_text().splitlines()
    row = next(one for one in rows if one.startswith("2309595,"))
    known = float(row.split(",")[header.split(",").index("numax_smooth")])
    _, place = find_hump(*power_density(time, 1e3 * (flux - 1)), 600.0)
    assert place == pytest.approx(known, rel=0.03)
