"""Series of harmonics: how far labels go, of which part of a frequency, and what chance makes."""

from __future__ import annotations

from math import comb
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lkmrs_dask.readers.light_curves.reading import read_light_curve
from lkmrs_dask.readers.light_curves.stitching import stitch
from lkmrs_dask.variability import FrequencySettings, find_frequencies
from lkmrs_dask.variability.combinations import Relations, find_relations
from lkmrs_dask.variability.harmonics import CHANCE, chain, expected_by_chance, find_series, match_multiples

Floats = NDArray[np.float64]

SETTINGS = FrequencySettings()


def relations(frequency: list[float] | Floats, baseline: float = 1000.0, **more: float) -> Relations:
    """Of frequencies in order of amplitude."""
    f: Floats = np.asarray(frequency, np.float64)
    amplitude: Floats = 10.0 * np.power(0.9, np.arange(len(f), dtype=np.float64))
    return find_relations(f, np.full(len(f), 0.02 / baseline), amplitude, baseline, SETTINGS, **more)


def labels(found: Relations) -> list[tuple[int, int, int]]:
    return list(
        zip(found.harmonic_of.tolist(), found.harmonic.tolist(), found.harmonic_divisor.tolist(), strict=True)
    )


def test_a_series_goes_on_beyond_the_tenth() -> None:
    series: Floats = 0.548 * np.arange(1.0, 45.0)
    found = relations(series)
    assert labels(found) == [(-1, 0, 0)] + [(0, m, 1) for m in range(2, 45)]
    assert np.all(found.combination_of == -1)
    none = find_relations(
        series, np.full(44, 1e-5), np.arange(44, 0, -1.0), 1000.0,
        FrequencySettings(harmonics=1, combinations=0),
    )  # fmt: skip
    assert np.all(none.harmonic_of == -1)


def test_multiples_of_half_the_strongest() -> None:
    multiples = [2, 4, 6, 8, 1, 3, 5, 10, 7, 9, 11, 13]
    found = relations(0.274 * np.array(multiples))
    wanted = [(-1, 0, 0)] + [(0, m // 2, 1) if m % 2 == 0 else (0, m, 2) for m in multiples[1:]]
    assert labels(found) == wanted
    third = relations(0.274 * np.array([3, 6, 9, 1, 2, 4, 5, 7, 8]))
    assert labels(third)[1:] == [(0, 2, 1), (0, 3, 1)] + [(0, m, 3) for m in (1, 2, 4, 5, 7, 8)]


def test_an_unbroken_chain_of_any_frequency() -> None:
    """A rotator beneath 35 stronger pulsations; and a chain is 2, 3, ... without a gap."""
    pulsations = np.random.default_rng(2).uniform(5.0, 24.0, 35)
    found = relations([*pulsations, *(0.617 * np.arange(1, 9))], 1400.0)
    assert labels(found)[36:] == [(35, m, 1) for m in range(2, 9)]
    multiples = match_multiples(np.array([3.0, 2.0, 5.0, 1.0, 2.5]), np.zeros(5), 1.0, 0.0, 0.01, 3.0)
    assert chain(multiples, np.ones(5, bool)) == 3
    assert chain(multiples, np.array([True, False, True, True, True])) == 1
    assert chain(multiples, np.zeros(5, bool)) == 1


def test_modulated_multiples() -> None:
    """A Blazhko star in one sector: side lobes around each harmonic do not hide the harmonics."""
    f0, of = 1.873, 1.0 / 8.0
    lines = [f0 * k for k in range(1, 10)] + [f0 * k + s * of for k in range(1, 10) for s in (-1, 1)]
    found = relations(lines, 26.0)
    assert labels(found)[1:9] == [(0, m, 1) for m in range(2, 10)]


def test_one_far_multiple_is_none_and_neighbours_are_none() -> None:
    assert labels(relations([2.0, 30.0])) == [(-1, 0, 0)] * 2
    assert labels(relations([2.0, 3.0])) == [(-1, 0, 0)] * 2  # nor is one multiple of its half
    assert labels(relations([2.0, 2.0005, 4.0, 6.0])) == [(-1, 0, 0)] * 2 + [(0, 2, 1), (0, 3, 1)]


def test_reflected_harmonics() -> None:
    """Of a series beyond the Nyquist frequency; alone, or of uneven sampling, they are not believed."""
    end = 24.47
    multiples = np.arange(1, 60)
    true = 0.71 * multiples
    seen = np.where(true > end, 2 * end - true, true)
    found = relations(seen, nyquist=end)
    assert found.harmonic[1:].tolist() == multiples[1:].tolist()
    assert np.all(found.harmonic_of[1:] == 0)
    assert np.any(relations(seen).harmonic_of[1:] == -1)
    assert labels(relations([0.71, 2 * end - 40 * 0.71], nyquist=end)) == [(-1, 0, 0)] * 2


def test_significance_is_that_of_the_binomial_law() -> None:
    """A plain count: of the first n as many or more hits, the least over n."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        f = np.sort(rng.uniform(1.0, 20.0, 12))
        f[: rng.integers(1, 6)] = np.rint(f[: rng.integers(1, 6)][0])
        found = match_multiples(f, np.zeros(12), 1.0, 0.0, 0.05, 3.0)
        p = 0.1
        hits = np.abs(f - np.rint(f)) <= 0.05
        np.testing.assert_array_equal(found.hit, hits)
        np.testing.assert_allclose(found.chance, p)
        tails = [
            sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(int(hits[:n].sum()), n + 1))
            for n in range(1, 13)
        ]
        end = int(np.argmin(tails))
        members = find_series(found, np.ones(12, bool), 6.0)
        significant = tails[end] * 6.0 * 12 < CHANCE
        assert members.sum() <= hits[: end + 1].sum()
        assert members.any() == significant
        assert expected_by_chance(found, np.ones(12, bool), 5) == pytest.approx(p * np.sum(np.rint(f) <= 5))
    far = match_multiples(np.array([2.0, 15.0]), np.zeros(2), 1.0, 0.0, 1e-4, 3.0)
    assert find_series(far, np.ones(2, bool), 1.0).tolist() == [True, False]
    assert not find_series(found, np.zeros(12, bool), 6.0).any()


@pytest.mark.parametrize(
    ("low", "high", "n", "baseline", "most"),
    [
        (5.0, 24.0, 50, 1400.0, 0.1), (0.3, 3.0, 50, 1400.0, 0.5), (5.0, 60.0, 50, 27.0, 0.8),
        (0.3, 40.0, 25, 27.0, 0.9),
    ],
)  # fmt: skip
def test_chance_coincidences_in_dense_spectra(
    low: float, high: float, n: int, baseline: float, most: float
) -> None:
    """Frequencies at random: hardly a label each, none far out or of halves."""
    labelled = []
    for seed in range(60):
        f = np.random.default_rng([seed, n]).uniform(low, high, n)
        found = relations(f, baseline, nyquist=max(24.47, 1.1 * high))
        labelled.append(np.count_nonzero(found.harmonic_of >= 0))
        assert np.all(found.harmonic <= 10)
        assert np.all(found.harmonic_divisor <= 1)
    assert np.mean(labelled) < most


def test_a_binary_with_injected_eclipses() -> None:
    """Two dips alike, 2.5 d, in a quarter: the strongest is 2/P, and all are its multiples."""
    t = np.arange(0.0, 90.0, 0.0204336)
    phase = (t / 2.5) % 1.0
    dips = 0.1 * np.exp(-0.5 * ((phase - 0.3) / 0.02) ** 2)
    dips += 0.09 * np.exp(-0.5 * ((phase - 0.8) / 0.02) ** 2)
    y = 1.0 - dips + 1e-4 * np.random.default_rng(1).normal(size=len(t))
    found = find_frequencies(t, y)
    assert found.frequency[0] == pytest.approx(0.8, abs=1e-3)
    assert len(found) > 20
    independent = (found.harmonic_of < 0) & (found.combination_of[:, 0] < 0)
    assert np.count_nonzero(independent) == 1
    value = found.harmonic / np.maximum(found.harmonic_divisor, 1) * 0.8
    np.testing.assert_allclose(value[~independent], found.frequency[~independent], atol=1.0 / 90.0)
    assert {1, 2} == set(found.harmonic_divisor[~independent].tolist())
    row = next(r["harmonic_of"] for r in found.as_dict()["frequencies"] if r["harmonic_of"])
    assert set(row) == {"row", "multiple", "divisor", "reflected"}


def test_the_eclipsing_binary_of_kepler(shared: Path) -> None:
    """KIC 5023948, 3.6492928 d: what is no multiple of 1/P within 1/T is independent, all else is not."""
    files = sorted((shared / "data" / "lc_kepler_eb").glob("kplr005023948-*_llc.fits"))
    curve = stitch([read_light_curve(file) for file in files])
    found = find_frequencies(curve.time, curve.flux, mission="kepler")
    order = found.frequency * 3.6492928
    multiple = np.abs(order - np.rint(order)) < 3.6492928 / found.baseline_d
    labelled = found.harmonic_of == 0
    assert len(found) == 50
    assert multiple.sum() >= 46
    np.testing.assert_array_equal(labelled[1:], multiple[1:])
    np.testing.assert_array_equal(
        (found.harmonic * 2 // np.maximum(found.harmonic_divisor, 1))[labelled], np.rint(order[labelled])
    )
