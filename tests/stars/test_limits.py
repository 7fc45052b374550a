"""What a parameter can be."""

from __future__ import annotations

import numpy as np
import pytest

from lkmrs_dask.schema import PARAMETERS
from lkmrs_dask.stars.limits import LIMITS, within_limits


def test_every_parameter_has_limits() -> None:
    assert set(LIMITS) == set(PARAMETERS)


@pytest.mark.parametrize("name", list(LIMITS))
def test_signs_for_unknown(name: str) -> None:
    """What catalogues write for "unknown" is beyond; the ends themselves are within."""
    signs = np.array([-9999.99, -9999.0, 1e20, -1e20, np.nan, np.inf, -np.inf])
    assert not within_limits(signs, name).any()
    assert within_limits(np.array(LIMITS[name]), name).all()


def test_extreme_stars_are_within() -> None:
    """The fastest star known (S5-HVS1, 1017 km/s), a hot white dwarf, a brown dwarf, a metal-poor star."""
    for name, values in {"rv": [1017.0, -1000.0], "teff": [99_000.0, 1300.0], "logg": [9.0, -1.0],
                         "feh": [-7.0, 1.0], "vsini": [600.0, 0.0]}.items():  # fmt: skip
        assert within_limits(np.array(values), name).all()


def test_other_parameters() -> None:
    values = np.array([-9999.0, 1e30, 1.1e30, np.nan])
    for name in (None, "colour"):
        assert within_limits(values, name).tolist() == [True, True, False, False]
    assert within_limits(np.empty(0), "rv").tolist() == []
