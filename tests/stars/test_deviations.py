"""Deviations from the star's mean (Eq. 3) against the formula written out star by star."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.deviations import LARGEST_LEVERAGE, Deviations, deviations


def by_hand(values: list[float], snr: list[float], star: list[int], factor: str) -> list[float]:
    """Eq. 3 by loops over plain lists; NaN where there is none."""
    out = [math.nan] * len(values)
    for one in set(star):
        mine = [k for k in range(len(star)) if star[k] == one]
        mine = [k for k in mine if math.isfinite(values[k]) and snr[k] > 0 and math.isfinite(snr[k] ** 2)]
        if len(mine) < 2:
            continue
        weights = [snr[k] ** 2 for k in mine]
        total = math.fsum(weights)
        mean = math.fsum(w * values[k] for w, k in zip(weights, mine, strict=True)) / total
        for w, k in zip(weights, mine, strict=True):
            share = w / total
            if share > LARGEST_LEVERAGE:
                continue
            if factor == "paper":
                out[k] = (values[k] - mean) * math.sqrt(len(mine) / (len(mine) - 1))
            else:
                out[k] = (values[k] - mean) / math.sqrt(1 - share)
    return out


numbers = st.floats(-1e4, 1e4) | st.sampled_from([math.nan, math.inf, 0.0])
snrs = st.floats(2.0, 500.0) | st.sampled_from([0.0, -3.0, math.nan, math.inf])


@given(
    rows=st.lists(st.tuples(st.integers(0, 4), numbers, snrs), max_size=25),
    factor=st.sampled_from(["paper", "leverage"]),
)
@settings(max_examples=150, deadline=None)
def test_random_stars(rows: list[tuple[int, float, float]], factor: str) -> None:
    star, values, snr = ([row[k] for row in rows] for k in range(3))
    found = deviations(values, snr, np.array(star, np.int64), factor)  # type: ignore[arg-type]
    # Values to 1e4 are rounded to 1e-12, and divided by a root of 1e-5 and more (S/N 2 to 500).
    np.testing.assert_allclose(found.value, by_hand(values, snr, star, factor), rtol=1e-9, atol=1e-8)  # type: ignore[arg-type]


def test_known_answers() -> None:
    # Equal weights: both factors are sqrt(2), and the deviations' mean square is the sample variance.
    for factor in ("paper", "leverage"):
        two = deviations([1.0, 3.0], [7.0, 7.0], ["a", "a"], factor)
        np.testing.assert_allclose(two.value, [-math.sqrt(2), math.sqrt(2)], rtol=1e-15)
        assert two.leverage.tolist() == [0.5, 0.5]
    # Weights 1 and 9 for 0 and 10: mean 9.
    paper = deviations([0.0, 10.0], [1.0, 3.0], [5, 5])
    np.testing.assert_allclose(paper.value, [-9 * math.sqrt(2), math.sqrt(2)], rtol=1e-15)
    leverage = deviations([0.0, 10.0], [1.0, 3.0], [5, 5], "leverage")
    np.testing.assert_allclose(leverage.value, [-9 / math.sqrt(0.9), 1 / math.sqrt(0.1)], rtol=1e-15)


def test_mean_square_is_the_error_of_equation_2() -> None:
    """Eq. 2 is the weighted mean square of Eq. 3: sigma_w = sqrt(sum w dP^2 / sum w)."""
    values, snr = np.array([5000.0, 5100.0, 4950.0]), np.array([10.0, 20.0, 30.0])
    found = deviations(values, snr, [1, 1, 1]).value
    w = snr**2
    mean = (w * values).sum() / w.sum()
    error = math.sqrt(3 / 2 * (w * (values - mean) ** 2).sum() / w.sum())
    assert math.sqrt((w * found**2).sum() / w.sum()) == pytest.approx(error, rel=1e-14)


def test_leverage_has_the_variance_of_the_spectrum() -> None:
    """Errors as 1/S/N: 200,000 stars of S/N 10, 20 and 60 give each its own sigma to 1 % (6 errors)."""
    rng = np.random.default_rng(1)
    m = 200_000
    snr = np.tile([10.0, 20.0, 60.0], m)
    values = rng.normal(0, 600.0 / snr)
    star = np.repeat(np.arange(m), 3)
    spread = {
        f: np.std(deviations(values, snr, star, f).value.reshape(m, 3), axis=0) for f in ("paper", "leverage")
    }
    np.testing.assert_allclose(spread["leverage"], [60.0, 30.0, 10.0], rtol=0.01)
    # Eq. 3 makes the bright too good and the faint too bad: sqrt(3/2 (1 - h)).
    share = np.array([100.0, 400.0, 3600.0]) / 4100
    np.testing.assert_allclose(
        spread["paper"], np.array([60.0, 30.0, 10.0]) * np.sqrt(1.5 * (1 - share)), rtol=0.01
    )


def test_no_deviation() -> None:
    empty = deviations([], [], [])
    assert isinstance(empty, Deviations)
    assert [len(part) for part in empty] == [0, 0, 0]
    alone = deviations([1.0, 2.0, np.nan], [5.0, 0.0, 5.0], [1, 1, 1])
    assert np.isnan(alone.value).all()
    assert alone.n.tolist() == [1, 1, 1]
    assert alone.leverage.tolist() == [1.0, 0.0, 0.0]
    # A spectrum that outweighs the others a million times is the mean itself.
    for factor in ("paper", "leverage"):
        heavy = deviations([1.0, 2.0], [1.0, 2000.0], [1, 1], factor)
        assert np.isnan(heavy.value[1])
        assert np.isfinite(heavy.value[0])


def test_wrong_calls() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        deviations([1.0, 2.0], [1.0], [1, 1])
    with pytest.raises(UsageError, match="'square' is unknown"):
        deviations([1.0], [1.0], [1], "square")  # type: ignore[arg-type]
