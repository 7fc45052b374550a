"""Clipping of histograms of deviations, and what the normal distribution loses by it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm, truncnorm

from lkmrs_dask.stars.error_clip import clip_histograms, cut_moments, whole_sigma
from lkmrs_dask.stars.error_settings import ErrorLawSettings
from lkmrs_dask.stars.error_summary import deviation_edges


@pytest.mark.parametrize("clip", ["overall", "bins"])
@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_clipping_of_histograms(clip: str, rounds: int) -> None:
    """Against sorting and rejecting; limits to 1 % (bins are 8 % wide), shares to 0.2 %."""
    rng = np.random.default_rng(2)
    samples = [rng.normal(3.0, s, 20_000) + (rng.random(20_000) < 0.02) * 40 * s for s in (5.0, 20.0)]
    edges = deviation_edges("teff")
    counts = np.array([np.bincount(np.searchsorted(edges, s), minlength=len(edges) + 1) for s in samples])
    found = clip_histograms(counts, edges, ErrorLawSettings(clip=clip, rounds=rounds))
    together = [np.concatenate(samples)] * 2 if clip == "overall" else samples
    for k, (sample, left) in enumerate(zip(samples, together, strict=True)):
        low, high = -np.inf, np.inf
        for _ in range(rounds):
            middle, std = np.median(left), left.std(ddof=1)
            low, high = max(low, middle - 3 * std), min(high, middle + 3 * std)
            left = left[(left >= low) & (left <= high)]
        kept = sample[(sample >= low) & (sample <= high)]
        if rounds:
            assert found.lower[k] == pytest.approx(low, rel=0.01, abs=0.2)
            assert found.upper[k] == pytest.approx(high, rel=0.01, abs=0.2)
        else:
            assert (found.lower[k], found.upper[k]) == (-np.inf, np.inf)
        assert found.n[k] == 20_000
        assert found.kept[k] / 20_000 == pytest.approx(len(kept) / 20_000, abs=0.002)
        assert found.std[k] == pytest.approx(kept.std(ddof=1), rel=0.01)
    if rounds == 0:
        assert found.share_kept == 1.0


def test_clipping_of_nothing() -> None:
    edges = deviation_edges("rv")
    counts = np.zeros((3, len(edges) + 1), np.int64)
    counts[1, 160] = 1
    for clip in ("overall", "bins"):
        found = clip_histograms(counts, edges, ErrorLawSettings(clip=clip))
        assert found.kept.tolist() == [0, 1, 0]
        assert np.isnan(found.std).all()
    assert math.isnan(clip_histograms(counts[:1], edges, ErrorLawSettings()).share_kept)


def test_normal_distributions_that_are_cut() -> None:
    cuts = np.array([0.3, 1.0, 2.0, 3.0, 5.0])
    second, fourth = cut_moments(cuts)
    np.testing.assert_allclose(second, [truncnorm.moment(2, -z, z) for z in cuts], rtol=1e-10)
    np.testing.assert_allclose(fourth, [truncnorm.moment(4, -z, z) for z in cuts], rtol=1e-9)
    assert [float(x) for x in cut_moments(np.inf)] == [1.0, 3.0]
    np.testing.assert_allclose(whole_sigma(7 * np.sqrt(second), 7 * cuts), 7.0, rtol=1e-6)
    assert float(whole_sigma(2.0, np.inf)) == 2.0
    # Spread evenly, or wider: nothing is known.
    assert np.isnan(whole_sigma([1 / math.sqrt(3), 1.0], [1.0, 1.0])).all()
    share = norm.cdf(3) - norm.cdf(-3)
    assert share == pytest.approx(0.9973, abs=1e-4)
