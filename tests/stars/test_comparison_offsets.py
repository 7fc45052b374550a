"""Offsets in windows of Teff and [Fe/H]."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from lkmrs_dask.stars.comparison_settings import OffsetSettings
from lkmrs_dask.stars.offsets import offsets, running_median


@pytest.mark.parametrize("step", [1.0, 0.5])
def test_against_a_loop(step: float) -> None:
    rng = np.random.default_rng(0)
    by, values = rng.uniform(-2.3, 0.6, 500), rng.normal(0, 1, 500)
    found = running_median(values, by, width=0.2, step=step)
    assert found.n.sum() == round(500 / step)  # each star is in one window, or in two
    for low, high, centre, median, n in zip(*found[:4], found.n, strict=True):
        inside = [(float(v), float(b)) for v, b in zip(values, by, strict=True) if low <= b < high]
        assert n == len(inside)
        assert high - low == pytest.approx(0.2)
        assert low / (0.2 * step) == pytest.approx(round(low / (0.2 * step)), abs=1e-9)
        if n:
            assert centre == statistics.median(b for _, b in inside)
        if n >= 10:
            assert median == statistics.median(v for v, _ in inside)
        else:
            assert math.isnan(median)


def test_a_trend_comes_back() -> None:
    """Ours = 0.92 theirs + 416 K: the offset is (theirs - 5200) * -0.08 at each temperature."""
    rng = np.random.default_rng(1)
    theirs = rng.uniform(4000, 8000, 20_000)
    ours = 0.92 * theirs + 416
    feh = rng.normal(0, 0.3, 20_000)
    found = offsets(ours + rng.normal(0, 5, 20_000), theirs, ours, feh)
    some = np.isfinite(found["teff"].median)
    assert some.sum() >= 14
    expected = found["teff"].centre - (found["teff"].centre - 416) / 0.92
    # A window has 1,000 stars and a spread of 250 K * 0.087: 0.3 K of noise in the middle.
    np.testing.assert_allclose(found["teff"].median[some], expected[some], atol=2.0)
    assert abs(np.nanmedian(found["feh"].median) - np.median(ours - theirs)) < 12


def test_errors_cover_the_truth() -> None:
    """Of 400 windows with 25 skewed values 68 % have the true median within one error.

    The binomial error is 2.3 %; ranks are whole, which makes the interval's share uncertain by some 5 %.
    """
    rng = np.random.default_rng(2)
    values = rng.exponential(1.0, 10_000)
    by = np.repeat(np.arange(400.0), 25) + 0.5
    found = running_median(values, by, width=1.0)
    assert found.n.tolist() == [25] * 400
    share = np.mean(np.abs(found.median - math.log(2)) < found.error)
    assert 0.58 < share < 0.76
    # The asymptotic error of the median is 1 / (2 f root n), with f = 1/2 at ln 2.
    assert np.mean(found.error) == pytest.approx(1 / 5, rel=0.1)


def test_edges() -> None:
    empty = running_median([], [], width=1.0)
    assert [len(part) for part in empty[:6]] == [0] * 6
    one = running_median([3.0], [5777.0], width=250.0, least=2)
    assert (one.low.tolist(), one.high.tolist(), one.n.tolist()) == ([5750.0], [6000.0], [1])
    assert one.centre.tolist() == [5777.0]
    assert np.isnan(one.median).all()
    border = running_median([1.0, 2.0], [1.0, 2.0], width=1.0)
    assert (border.low.tolist(), border.n.tolist()) == ([1.0, 2.0], [1, 1])
    negative = running_median([1.0, 2.0], [-0.5, -0.4], width=0.5, least=2)
    assert (negative.low.tolist(), negative.median.tolist()) == ([-0.5], [1.5])
    unknown = running_median([1.0, 2.0, np.nan, np.inf], [np.nan, 0.5, 0.5, np.nan], width=1.0)
    assert (unknown.n.tolist(), unknown.n_unplaced) == ([1], 1)
    same = running_median(np.full(30, 7.0), np.full(30, 0.1), width=0.2)
    assert (same.median.tolist(), same.error.tolist()) == ([7.0], [0.0])
    gap = running_median([1.0, 2.0], [0.5, 3.5], width=1.0)
    assert gap.n.tolist() == [1, 0, 0, 1]
    assert np.isnan(gap.centre[1:3]).all()


def test_values_that_are_missing() -> None:
    found = offsets(
        [1.0, np.nan, 1.0, np.inf], [0.5, 0.5, np.nan, np.inf], [5000.0] * 4, [0.1, 0.1, 0.1, np.nan],
        OffsetSettings(least=2),
    )  # fmt: skip
    assert found["teff"].n.tolist() == [1]
    assert found["feh"].n_unplaced == 0


def test_wrong_calls() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        running_median([1.0], [1.0, 2.0], width=1.0)
    with pytest.raises(ValueError, match="differ in shape"):
        offsets([1.0], [1.0, 2.0], [1.0], [1.0])
    with pytest.raises(ValueError, match="too narrow"):
        running_median([1.0, 2.0], [0.0, 1e9], width=1.0)


def test_values_that_no_star_has() -> None:
    """-9999 is no velocity, of whichever side: its star is in no window."""
    rng = np.random.default_rng(3)
    theirs, teff, feh = rng.normal(0, 30, 400), rng.uniform(4000, 6000, 400), rng.normal(0, 0.3, 400)
    ours = theirs + 0.2
    ours[::4], theirs[1::4] = -9999.0, -9999.0
    found = offsets(ours, theirs, teff, feh, parameter="rv")
    for one in found.values():
        assert one.n.sum() == 200
        known = one.median[np.isfinite(one.median)]
        assert known == pytest.approx(np.full(len(known), 0.2))
    assert offsets(ours, theirs, teff, feh)["teff"].n.sum() == 400
