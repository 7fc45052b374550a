"""The period of a variable star by its class."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.features import Peaks, as_mapping, light_curve_features
from lkmrs_dask.variability.periods import period_of
from lkmrs_dask.variability.rules import CLASSES

FEATURES = {"period": 4.0, "f_base": 0.5, "f_main": 1.25}


@pytest.mark.parametrize("name", [*CLASSES, ""])
def test_period_of_each_class(name: str) -> None:
    wanted = {
        "EB": 4.0, "RSCVn": 4.0, "rotation": 4.0, "RRL": 2.0, "DSCT": 0.8, "GDOR": 0.8, "hybrid": 0.8,
        "uncertain": 0.8, "RG": math.nan, "": math.nan,
    }  # fmt: skip
    assert period_of(name, FEATURES) == pytest.approx(wanted[name], nan_ok=True)


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_not_known(name: str) -> None:
    for values in ({}, dict.fromkeys(FEATURES, math.nan), dict.fromkeys(FEATURES, None)):
        assert math.isnan(period_of(name, values))
    assert math.isnan(period_of("DSCT", {"f_main": 0.0}))
    with pytest.raises(UsageError, match="no class"):
        period_of("RVV", FEATURES)


def test_modes_are_not_doubled() -> None:
    """Two modes of 1 and 1.5 per day: every second minimum is deeper, and the period still 1 d."""
    time = np.arange(0.0, 80.0, 0.0204336)
    flux = 1 + 5e-3 * np.cos(2 * np.pi * time) + 2e-3 * np.cos(2 * np.pi * 1.5 * time)
    peaks = Peaks(np.array([1.0, 1.5]), np.array([5.0, 2.0]), np.full(2, 50.0), np.ones(2, bool))
    found = as_mapping(light_curve_features(time, flux, peaks))
    assert found["period"] == pytest.approx(2.0)
    assert period_of("GDOR", found) == pytest.approx(1.0)
    assert period_of("EB", found) == pytest.approx(2.0)
