from __future__ import annotations

import numpy as np
from light_stars import DRAWS

from lkmrs_dask.synthetic.counters import Purpose
from lkmrs_dask.synthetic.light_curves.stochastic import ornstein_uhlenbeck


def test_variance_and_autocorrelation() -> None:
    scale = 2.0
    time = np.arange(0.0, 40_000.0, 0.25)
    value = ornstein_uhlenbeck(time, scale, DRAWS, Purpose.LIGHT_RED, 5)
    # 20,000 correlation times give the variance to 1 %; straight lines between nodes, six
    # in a correlation time, take 5 % of it.
    assert abs(value.mean()) < 0.05
    assert 0.90 < value.var() < 1.02
    for lag in (4, 8, 16):
        expected = np.exp(-0.25 * lag / scale)
        assert abs(np.mean(value[:-lag] * value[lag:]) / value.var() - expected) < 0.04


def test_is_a_function_of_time_alone() -> None:
    time = np.linspace(100.0, 200.0, 3001)
    whole = ornstein_uhlenbeck(time, 1.3, DRAWS, Purpose.LIGHT_RED, 5)
    part = ornstein_uhlenbeck(time[1234:2000], 1.3, DRAWS, Purpose.LIGHT_RED, 5)
    np.testing.assert_allclose(part, whole[1234:2000], atol=1e-12)


def test_before_the_epoch() -> None:
    value = ornstein_uhlenbeck(np.linspace(-50.0, 50.0, 500), 1.0, DRAWS, Purpose.LIGHT_RED, 5)
    assert np.isfinite(value).all()
    assert value.std() > 0.5
