"""Frequencies: against prewhitening in time by plain least squares, injected truth, and published stars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.variability import Frequencies, FrequencySettings, find_frequencies
from lkmrs_dask.variability.frequencies import INSTRUMENTAL, UNRESOLVED
from lkmrs_dask.variability.frequency_settings import INSTRUMENTAL_LINES, InstrumentalLine

Floats = NDArray[np.float64]


def sampling(n: int = 900, baseline: float = 40.0, seed: int = 0) -> Floats:
    """Even times with a gap, a tenth of the points missing, and some jitter."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0.0, baseline, n) + rng.uniform(-1e-3, 1e-3, n)
    keep = (rng.random(n) > 0.1) & ~((t > 0.4 * baseline) & (t < 0.47 * baseline))
    keep[[0, -1]] = True
    return 2_455_000.0 + t[keep]


def sinusoids(t: Floats, truth: Floats) -> Floats:
    """Sum over rows of frequency, amplitude, phase at the middle of the times."""
    x = t - 0.5 * (t[0] + t[-1])
    return sum((a * np.cos(2 * np.pi * f * x + p) for f, a, p in truth), np.zeros(len(t)))


def prewhiten_in_time(
    t: Floats, y: Floats, e: Floats | None, frequency: Floats, snr_min: float, most: int = 50
) -> tuple[Floats, Floats, Floats, Floats]:
    """Plain prewhitening: direct sums, and scipy's fit of everything to the data for every frequency."""
    x = t - 0.5 * (t[0] + t[-1])
    w = np.ones(len(t)) if e is None else e**-2.0
    w = w / w.sum()
    phases = np.exp(2j * np.pi * np.outer(frequency, x))
    p = np.array([w @ y])
    resolution = 1.0 / np.ptp(t)

    def model(p: Floats) -> Floats:
        out = np.full(len(x), p[0])
        for f, c, s in p[1:].reshape(-1, 3):
            out += c * np.cos(2 * np.pi * f * x) + s * np.sin(2 * np.pi * f * x)
        return out

    while True:
        amplitude = 2.0 * np.abs(phases @ (w * (y - model(p))))
        free = np.ones(len(frequency), bool)
        for f in p[1::3]:
            free &= np.abs(frequency - f) > 1.5 * resolution
        peak = np.r_[False, (amplitude[1:-1] >= amplitude[:-2]) & (amplitude[1:-1] >= amplitude[2:]), False]
        k = int(np.where(free & peak, amplitude, -1.0).argmax())
        if (
            amplitude[k] < snr_min * noise(frequency, amplitude, frequency[k], resolution)
            or len(p) > 3 * most
        ):
            return p[1::3], np.hypot(p[2::3], p[3::3]), np.arctan2(-p[3::3], p[2::3]), y - model(p)
        z = 2.0 * np.conj(phases[k] @ (w * (y - model(p))))
        start = np.r_[p, frequency[k], z.real, -z.imag]
        p = least_squares(
            lambda p: np.sqrt(w) * (model(p) - y), start, x_scale="jac", xtol=1e-14, ftol=1e-14
        ).x


def noise(frequency: Floats, amplitude: Floats, f: float, resolution: float) -> float:
    """Median amplitude around, as the settings' defaults have it, mirrored."""
    step = frequency[1] - frequency[0]
    half = int(max(0.5 if f <= 5 else 1.0, 10 * resolution) / step)
    k = round((f - frequency[0]) / step)
    rows = np.arange(k - half, k + half + 1)
    rows = np.where(rows < 0, -rows, rows)
    rows = np.where(rows >= len(frequency), 2 * (len(frequency) - 1) - rows, rows)
    rows = rows[np.abs(frequency[rows] - f) > 2.5 * resolution]
    return float(np.median(amplitude[rows]))


TRUTH = np.array(
    [[1.7, 10.0, 0.3], [3.93, 6.0, -2.0], [4.2, 4.0, 1.0], [1.8, 3.0, 2.5], [8.8, 1.5, 0.0], [6.1, 1.0, -1.0]]
)


@pytest.mark.parametrize("with_errors", [False, True])
def test_equal_to_prewhitening_in_time(with_errors: bool) -> None:
    t = sampling()
    rng = np.random.default_rng(5)
    e = rng.uniform(0.5, 2.0, len(t)) if with_errors else None
    y = 50.0 + sinusoids(t, TRUTH) + rng.normal(0, 1, len(t)) * (1.0 if e is None else e)
    found = find_frequencies(t, y, flux_err=e, f_max=10.0)
    step = 0.1 / np.ptp(t)
    grid = step * np.arange(np.ceil(max(2 / np.ptp(t), 0.05) / step), np.floor(10.0 / step) + 1)
    f, a, p, residual = prewhiten_in_time(t, y, e, grid, 5.6)
    assert len(f) == len(TRUTH)
    np.testing.assert_allclose(
        np.sort(found.frequency), np.sort(f), rtol=0, atol=1e-3 * found.frequency_err.min()
    )
    mine, theirs = np.argsort(found.frequency), np.argsort(f)
    # Both end at the same least squares: what is left is where each stopped.
    assert np.abs(found.amplitude[mine] - a[theirs]).max() < 1e-3 * found.amplitude_err[0]
    turned = np.angle(np.exp(1j * (found.phase[mine] - p[theirs])))
    assert np.all(np.abs(turned) < 1e-3 * found.phase_err[mine])
    np.testing.assert_allclose(y - found.model(t), residual, atol=1e-4)
    final = 2.0 * np.abs(np.exp(2j * np.pi * np.outer(grid, t)) @ (residual * (1 if e is None else e**-2.0)))
    final /= len(t) if e is None else np.sum(e**-2.0)
    for i in range(len(f)):
        # The window may begin a bin earlier or later.
        assert found.noise[i] == pytest.approx(
            noise(grid, final, found.frequency[i], 1 / np.ptp(t)), rel=0.02
        )
    np.testing.assert_allclose(found.snr, found.amplitude / found.noise)


def test_order_is_that_of_the_peaks_and_truth_comes_back() -> None:
    t = sampling(3000, 100.0)
    truth = np.array(
        [[f, a, 0.1] for f, a in zip((2.0, 5.5, 9.1, 12.3, 3.1), (9.0, 7.0, 5.0, 3.0, 2.0), strict=True)]
    )
    y = -3.0 + sinusoids(t, truth) + np.random.default_rng(1).normal(0, 1, len(t))
    found = find_frequencies(t, y)
    np.testing.assert_allclose(found.frequency, truth[:, 0], atol=5 * found.frequency_err.max())
    np.testing.assert_allclose(found.amplitude, truth[:, 1], atol=5 * found.amplitude_err[0])
    np.testing.assert_allclose(found.phase, truth[:, 2], atol=5 * found.phase_err.max())
    assert found.mean == pytest.approx(-3.0, abs=5 / np.sqrt(len(t)))
    assert found.residual_rms == pytest.approx(1.0, abs=0.05)
    assert found.correlation == pytest.approx(1.0, abs=0.1)
    assert (found.n_points, found.stopped_by) == (len(t), "noise")
    assert found.baseline_d == pytest.approx(np.ptp(t))
    assert found.time_zero == pytest.approx(0.5 * (t[0] + t[-1]))
    assert found.n_rounds < len(found)  # several peaks a spectrum
    assert found.flags.tolist() == [0] * 5


def test_stated_errors_are_those_of_many_tries() -> None:
    t = sampling(500, 30.0)
    truth = np.array([[2.3, 3.0, 0.5], [4.4, 2.0, -1.0]])
    rng = np.random.default_rng(2)
    pulls = []
    for _ in range(60):
        found = find_frequencies(
            t, sinusoids(t, truth) + rng.normal(0, 1, len(t)), max_frequencies=2, f_max=8.0
        )
        assert len(found) == 2
        pulls.append(
            [(found.frequency - truth[:, 0]) / found.frequency_err,
             (found.amplitude - truth[:, 1]) / found.amplitude_err,
             (found.phase - truth[:, 2]) / found.phase_err]
        )  # fmt: skip
    spread = np.std(pulls, axis=0)
    # 60 tries give a standard deviation to 9 %; the formula is for even sampling.
    assert np.all(np.abs(spread - 1.0) < 0.35)
    assert abs(spread.mean() - 1.0) < 0.12


def red_noise(random: np.random.Generator, n: int, memory: float) -> np.ndarray:
    """Noise of variance 1 that forgets within so many points."""
    keep = np.exp(-1.0 / memory)
    values = np.empty(n)
    values[0] = random.standard_normal()
    for i, step in enumerate(random.standard_normal(n - 1), start=1):
        values[i] = keep * values[i - 1] + np.sqrt(1 - keep**2) * step
    return values


@pytest.mark.parametrize(
    ("memory", "frequency", "amplitude"), [(0.0, 3.3, 1.0), (10.0, 0.8, 5.0), (10.0, 10.0, 1.0)]
)
def test_stated_errors_hold_in_noise_of_any_colour(memory: float, frequency: float, amplitude: float) -> None:
    """Where red noise is strong errors are larger, where it is weak smaller; 60 tries tell to 9 %."""
    t = np.arange(3000) * 0.02
    random = np.random.default_rng(int(7 + memory + frequency))
    pulls = []
    for _ in range(60):
        noise = red_noise(random, len(t), memory) if memory else random.standard_normal(len(t))
        found = find_frequencies(
            t, amplitude * np.cos(2 * np.pi * frequency * (t - 30.0) + 0.3) + noise, max_frequencies=2
        )
        j = int(np.abs(found.frequency - frequency).argmin())
        phase = found.phase[j] + 2 * np.pi * frequency * (30.0 - found.time_zero)
        pulls.append(
            [
                (found.frequency[j] - frequency) / found.frequency_err[j],
                (found.amplitude[j] - amplitude) / found.amplitude_err[j],
                ((phase - 0.3 + np.pi) % (2 * np.pi) - np.pi) / found.phase_err[j],
            ]
        )
    assert np.all(np.abs(np.std(pulls, axis=0) - 1.0) < 0.3)


def test_stated_errors_hold_with_unequal_errors_of_points() -> None:
    t = np.arange(3000) * 0.02
    error = np.where(np.arange(len(t)) % 2, 1.0, 5.0)
    random = np.random.default_rng(8)
    pulls = []
    for _ in range(60):
        y = np.cos(2 * np.pi * 3.3 * t) + error * random.standard_normal(len(t))
        found = find_frequencies(t, y, flux_err=error, max_frequencies=1)
        pulls.append([(found.frequency[0] - 3.3) / found.frequency_err[0],
                      (found.amplitude[0] - 1.0) / found.amplitude_err[0]])  # fmt: skip
    assert np.all(np.abs(np.std(pulls, axis=0) - 1.0) < 0.3)


def test_correlation_length_is_told() -> None:
    t = np.arange(0.0, 30.0, 0.02)
    rng = np.random.default_rng(3)
    white = rng.normal(0, 1, len(t))
    red = np.convolve(rng.normal(0, 1, len(t) + 7), np.ones(8), mode="valid") / np.sqrt(8)
    y = 5 * np.cos(2 * np.pi * 7.7 * t)
    a, b = (find_frequencies(t, y + n, max_frequencies=1) for n in (white, red))
    assert a.correlation == pytest.approx(1.0, abs=0.08)
    # Runs of a sum of 8: half of pi / arccos(7/8).
    assert b.correlation == pytest.approx(0.5 * np.pi / np.arccos(7 / 8), rel=0.15)


@pytest.mark.parametrize(("span", "period"), [(1456.0, 30.0), (91.0, 20.5), (27.0, 20.0)])
def test_slow_changes_make_no_frequencies(span: float, period: float) -> None:
    """A signal below the least frequency is taken away: its side lobes are no frequencies, fast ones stay."""
    t = np.arange(0.0, span, 0.0204336 if span > 30 else 0.00694)
    t = t[(t % 91.0) < 90.0]
    random = np.random.default_rng(4)
    slow = 5e-3 * np.cos(2 * np.pi * t / period) + 2e-4 * random.standard_normal(len(t))
    found = find_frequencies(t, 1.0 + slow)
    assert len(found) == 0
    assert found.n_slow >= 1
    both = find_frequencies(t, 1.0 + slow + 1e-3 * np.sin(2 * np.pi * 7.3 * t))
    np.testing.assert_allclose(both.frequency, [7.3], atol=5 * both.frequency_err.max())


def test_sectors_far_apart_are_flagged() -> None:
    t = np.arange(1200) * 0.0204336
    y = np.cos(2 * np.pi * 3.3 * np.r_[t, t + 700.0]) + 0.1 * np.random.default_rng(5).standard_normal(2400)
    apart = find_frequencies(np.r_[t, t + 700.0], y)
    assert apart.as_dict()["frequencies"][0]["flags"] == ["aliased"]
    together = find_frequencies(t, y[:1200])
    assert together.flags.tolist() == [0]


def test_high_dynamic_range_and_window_lobes_make_no_frequencies() -> None:
    t = sampling(4000, 90.0)
    truth = np.array([[3.0, 1e4, 0.0], [7.3, 1.0, 0.0]])
    found = find_frequencies(t, sinusoids(t, truth) + np.random.default_rng(4).normal(0, 1, len(t)))
    np.testing.assert_allclose(found.frequency, [3.0, 7.3], atol=5 * found.frequency_err.max())
    np.testing.assert_allclose(found.amplitude, [1e4, 1.0], atol=5 * found.amplitude_err[0])


def test_near_the_nyquist_frequency_and_the_low_end() -> None:
    t = np.arange(0.0, 80.0, 0.02)
    truth = np.array([[24.97, 4.0, 0.4], [0.06, 3.0, 0.2]])
    found = find_frequencies(t, sinusoids(t, truth) + np.random.default_rng(4).normal(0, 1, len(t)))
    assert len(found) == 2
    np.testing.assert_allclose(found.frequency, [24.97, 0.06], atol=5 * found.frequency_err.max())
    np.testing.assert_allclose(found.amplitude, [4.0, 3.0], atol=6 * found.amplitude_err[0])


def test_white_noise_has_no_frequencies() -> None:
    for seed in range(10):
        y = np.random.default_rng(seed).normal(0, 1, 3000)
        found = find_frequencies(np.arange(3000) * 0.0204, y)
        assert len(found) == 0
        assert found.frequency.shape == (0,)
        assert found.combination_of.shape == (0, 2)
        assert found.residual_rms == pytest.approx(1.0, abs=0.1)
        assert found.as_dict()["frequencies"] == []


def test_lobes_of_a_slow_peak_are_not_its_noise() -> None:
    """Spots of 3 d in a sector of 26 d, true S/N 8: more are found, and what is found is the period."""
    found = {"residual": 0, "spectrum": 0}
    for seed in range(12):
        rng = np.random.default_rng([seed, 9])
        t = np.arange(0.0, 26.0, 0.01)
        t = t[(t < 13.0) | (t > 15.0)]
        # The median amplitude of white noise of 1 is sqrt(4 ln 2 / N).
        height = 8.0 * np.sqrt(4.0 * np.log(2.0) / len(t))
        y = rng.normal(0, 1, len(t)) + height * np.cos(2 * np.pi * t / 3.0 + rng.uniform(0, 6))
        y += 0.5 * height * np.cos(4 * np.pi * t / 3.0 + rng.uniform(0, 6))
        for where in found:
            f = find_frequencies(t, y, edge_noise=where).frequency
            found[where] += bool(np.any(np.abs(f - 1 / 3.0) < 0.02))
            assert np.all((np.abs(f - 1 / 3.0) < 0.02) | (np.abs(f - 2 / 3.0) < 0.02))
    assert found["residual"] > found["spectrum"]


def test_noiseless_sinusoid() -> None:
    t = sampling()
    found = find_frequencies(t, sinusoids(t, TRUTH[:1]), max_frequencies=1)
    assert found.frequency[0] == pytest.approx(1.7, abs=1e-9)
    assert found.amplitude[0] == pytest.approx(10.0, rel=1e-9)
    # What is left is rounding, which is not to become frequencies without end.
    assert len(find_frequencies(t, sinusoids(t, TRUTH[:1]))) <= 50


def test_pairs_closer_than_one_and_a_half_over_t_are_flagged() -> None:
    t = np.arange(0.0, 50.0, 0.02)
    noise = np.random.default_rng(6).normal(0, 1, len(t))
    close = np.array([[5.0, 10.0, 0.0], [5.0 + 0.9 / 50, 8.0, 1.0], [9.0, 3.0, 0.0]])
    found = find_frequencies(t, sinusoids(t, close) + noise)
    near = np.abs(found.frequency - 5.0) < 1.5 / 50
    assert near.sum() == 1
    assert found.flags[near].tolist() == [UNRESOLVED]
    assert found.as_dict()["frequencies"][int(np.flatnonzero(near)[0])]["flags"] == ["unresolved"]
    apart = np.array([[5.0, 10.0, 0.0], [5.0 + 2.5 / 50, 8.0, 1.0], [9.0, 3.0, 0.0]])
    found = find_frequencies(t, sinusoids(t, apart) + noise)
    np.testing.assert_allclose(
        np.sort(found.frequency), apart[:, 0], atol=5 * found.frequency_err.max() + 1e-3
    )
    assert found.flags.tolist() == [0, 0, 0]


def test_harmonics_and_combinations() -> None:
    t = np.arange(0.0, 200.0, 0.02)
    f1, f2 = 3.137, 7.711
    rows = [
        (f1, 10.0),
        (f2, 8.0),
        (2 * f1, 4.0),
        (3 * f1, 2.0),
        (f1 + f2, 1.5),
        (f2 - f1, 1.0),
        (2 * f2 - f1, 0.7),
        (19.3, 0.6),
    ]
    truth = np.array([[f, a, 0.0] for f, a in rows])
    found = find_frequencies(t, sinusoids(t, truth) + np.random.default_rng(7).normal(0, 0.5, len(t)))
    assert len(found) == 8
    assert found.harmonic_of.tolist() == [-1, -1, 0, 0, -1, -1, -1, -1]
    assert found.harmonic.tolist() == [0, 0, 2, 3, 0, 0, 0, 0]
    assert found.combination_of.tolist() == [[-1, -1]] * 4 + [[0, 1]] * 3 + [[-1, -1]]
    assert found.combination.tolist() == [[0, 0]] * 4 + [[1, 1], [-1, 1], [-1, 2], [0, 0]]
    rows_out = json.loads(json.dumps(found.as_dict()))["frequencies"]
    assert rows_out[2]["harmonic_of"] == {"row": 0, "multiple": 2, "divisor": 1, "reflected": False}
    assert rows_out[6]["combination_of"] == [{"row": 0, "factor": -1}, {"row": 1, "factor": 2}]
    alone = find_frequencies(t, sinusoids(t, truth), harmonics=1, combinations=0, max_frequencies=8)
    assert alone.harmonic_of.tolist() == [-1] * 8
    assert np.all(alone.combination_of == -1)


def test_lines_of_the_spacecraft() -> None:
    t = np.arange(0.0, 80.0, 0.02)
    truth = np.array([[2 * 4.08, 5.0, 0.0], [3.3, 4.0, 0.0]])
    y = sinusoids(t, truth) + np.random.default_rng(8).normal(0, 1, len(t))
    assert find_frequencies(t, y, mission="k2").flags.tolist() == [INSTRUMENTAL, 0]
    assert find_frequencies(t, y).flags.tolist() == [0, 0]
    mine = (InstrumentalLine("mine", 3.29, 0.02),)
    assert find_frequencies(t, y, lines=mine).flags.tolist() == [0, INSTRUMENTAL]
    assert set(INSTRUMENTAL_LINES) == {"kepler", "k2", "tess"}


def test_noise_is_a_setting_and_is_recorded() -> None:
    t = np.arange(0.0, 80.0, 0.02)
    y = 2 * np.cos(2 * np.pi * 6 * t) + np.random.default_rng(9).normal(0, 1, len(t))
    median, mean, wide = (find_frequencies(t, y, **o) for o in ({}, {"noise": "mean"}, {"window": 3.0}))
    # Rayleigh: mean / median = sqrt(pi / 2) / sqrt(2 ln 2); 160 resolution elements give it to some per cent.
    assert mean.noise[0] / median.noise[0] == pytest.approx(
        np.sqrt(np.pi / 2) / np.sqrt(2 * np.log(2)), rel=0.08
    )
    assert median.noise_definition.startswith("median residual amplitude within 0.5/d (1/d above 5/d)")
    assert mean.noise_definition.startswith("mean")
    assert "within 3/d" in wide.noise_definition
    assert median.as_dict()["noise_definition"] == median.noise_definition


def test_limits() -> None:
    t = sampling()
    y = sinusoids(t, TRUTH) + np.random.default_rng(5).normal(0, 1, len(t))
    two = find_frequencies(t, y, max_frequencies=2)
    assert (len(two), two.stopped_by) == (2, "max_frequencies")
    assert len(find_frequencies(t, y, 1e6)) == 0
    banded = find_frequencies(t, y, f_min=3.0, f_max=5.0)
    assert np.all((banded.frequency > 2.9) & (banded.frequency < 5.1))
    assert len(find_frequencies(t, y, settings=FrequencySettings(max_frequencies=3))) == 3
    assert np.all(find_frequencies(t, y).snr >= 5.6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"snr_min": 0}, {"snr_min": np.ones(9)}, {"snr_min": np.nan}, {"max_frequencies": 0},
        {"max_frequencies": 2.5}, {"noise": "mode"}, {"window": -1.0}, {"separation": 0.0}, {"failures": 0},
        {"edge_noise": "none"},
        {"harmonics": 0}, {"combinations": -1}, {"match": -1}, {"parents": 1.5}, {"oversampling": 3},
        {"mission": "hst"}, {"nosuch": 1}, {"noise_gap": 99},
        {"settings": FrequencySettings(), "noise": "mean"}, {"f_max": -2.0},
    ],
)  # fmt: skip
def test_wrong_calls(wrong: dict[str, Any]) -> None:
    t = sampling()
    with pytest.raises(UsageError):
        find_frequencies(t, sinusoids(t, TRUTH), **wrong)


def test_bad_light_curves() -> None:
    with pytest.raises(CatalogError):
        find_frequencies(np.arange(9.0), np.arange(9.0))
    with pytest.raises(CatalogError):
        find_frequencies(np.arange(50.0), np.ones(50))
    with pytest.raises(UsageError):
        InstrumentalLine("none", 0.0, 0.1)
    ten = find_frequencies(np.arange(10.0), [0, 1, 0, 2, 0, 1, 0, 3, 0, 1])
    assert ten.n_points == 10


def test_shuffled_bytes_and_bad_points_change_nothing() -> None:
    t = sampling()
    y = sinusoids(t, TRUTH) + np.random.default_rng(5).normal(0, 1, len(t))
    wanted = find_frequencies(t, y)
    order = np.random.default_rng(1).permutation(len(t))
    found = find_frequencies(np.r_[t[order], np.nan].astype(">f8"), np.r_[y[order], 3.0].astype(">f8"))
    np.testing.assert_allclose(found.frequency, wanted.frequency, rtol=1e-12)
    np.testing.assert_allclose(found.snr, wanted.snr, rtol=1e-6)


def kepler(shared: Path, name: str) -> Frequencies:
    t, magnitude = np.loadtxt(shared / "data" / "lc_kepler_dsct" / f"kic{name}_lc.txt").T
    return find_frequencies(t, 1000.0 * magnitude, mission="kepler")


def published(shared: Path, name: str) -> Floats:
    """Rows of frequency and amplitude (mmag)."""
    text = (shared / "data" / "lc_kepler_dsct" / f"kic{name}_metadata.csv").read_text().splitlines()[1]
    values = np.array([float(v) for v in text.split(",")])
    return values.reshape(-1, 6)[:, [0, 2]]


@pytest.mark.parametrize("name", ["9651065", "11754974", "10080943", "6780873"])
def test_published_frequencies_of_kepler_stars(shared: Path, name: str) -> None:
    found, wanted = kepler(shared, name), published(shared, name)
    # Those above the Nyquist frequency are found at their images.
    strong = (wanted[:, 1] > found.amplitude.min()) & (wanted[:, 0] < 24.46)
    assert strong.any()
    for f, a in wanted[strong]:
        row = int(np.abs(found.frequency - f).argmin())
        # Published with another span of the data: within half a resolution element, and 2 % or 0.05 mmag.
        assert abs(found.frequency[row] - f) < 0.5 / found.baseline_d
        assert found.amplitude[row] == pytest.approx(a, rel=0.03, abs=0.05)


@pytest.mark.parametrize(
    ("name", "peaks"),
    [
        ("9651065", [19.4777]), ("11754974", [16.3448]), ("10080943", [1.060, 13.95]),
        ("6780873", [0.864, 14.19]),
    ],
)  # fmt: skip
def test_known_peaks_of_kepler_stars(shared: Path, name: str, peaks: list[float]) -> None:
    found = kepler(shared, name)
    for peak in peaks:
        assert np.abs(found.frequency[:10] - peak).min() < 0.004
    if name == "11754974":
        assert found.amplitude[0] == pytest.approx(52, abs=0.5)


@pytest.mark.parametrize(("name", "peak"), [("HD23157", 32.46), ("HD23607", 38.38)])
def test_delta_scuti_stars_of_tess(shared: Path, name: str, peak: float) -> None:
    from astropy.io import fits

    (path,) = (shared / "data" / "lc_tess_dsct").glob(f"{name}_*.fits")
    with fits.open(path) as hdus:
        table = hdus[1].data
        good = table["QUALITY"] == 0
        t, y, e = (np.array(table[c][good]) for c in ("TIME", "PDCSAP_FLUX", "PDCSAP_FLUX_ERR"))
    found = find_frequencies(t, y / np.nanmedian(y), flux_err=e / np.nanmedian(y), mission="tess")
    fast = found.frequency > 5
    assert found.frequency[fast][found.amplitude[fast].argmax()] == pytest.approx(peak, abs=0.02)
    assert found.snr[fast].max() > 10


def test_lower_peaks_where_the_noise_is_lower_are_found() -> None:
    """Red noise whose peaks fail does not end the search: at high frequencies less is significant."""
    random = np.random.default_rng(5)
    t = np.arange(4000) * 0.0204336
    # A random walk with a memory of five days, and above it sinusoids of a hundredth of its height.
    memory = np.exp(-0.0204336 / 5.0)
    red = np.zeros(len(t))
    for i, step in enumerate(random.standard_normal(len(t) - 1), start=1):
        red[i] = memory * red[i - 1] + np.sqrt(1 - memory**2) * step
    wanted = [15.1, 18.3, 21.7]
    y = 1.0 + 1e-2 * red + 1e-5 * random.standard_normal(len(t))
    y += sum(1.5e-4 * np.sin(2 * np.pi * f * t) for f in wanted)
    found = find_frequencies(t, y)
    for f in wanted:
        assert np.abs(found.frequency - f).min() < 0.1 / np.ptp(t)
    assert len(found) <= len(wanted) + 2
