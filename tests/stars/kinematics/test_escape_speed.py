"""Escape speeds: numbers computed beforehand with galpy, the grid against the models, places without any."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.kinematics.potentials import escape_speed, exact_escape_speed

GRID = 0.1  # km/s: what the grid may be off


def test_numbers_of_the_default_model() -> None:
    found = escape_speed()([8.0, 8.122, 10.0, 15.0])
    np.testing.assert_allclose(found, [513.0, 511.5, 492.0, 454.4], rtol=0, atol=0.06)
    # The paper's orange line: 0.7 times that, 358 at the Sun and 344 at 10 kpc.
    np.testing.assert_allclose(0.7 * found[1:3], [358, 344], rtol=0, atol=0.5)


def places(n: int, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Distances from 0.1 kpc to 10 Mpc, many of them near the plane."""
    rng = np.random.default_rng(seed)
    distance, share = np.exp(rng.uniform(math.log(0.1), math.log(9999), n)), rng.uniform(-1, 1, n) ** 3
    return distance * np.sqrt(1 - share**2), distance * share


def test_grid_of_the_default_model() -> None:
    radius, height = places(20000)
    model = escape_speed()
    found = model(radius, height)
    np.testing.assert_allclose(found, exact_escape_speed(model.name, radius, height), rtol=0, atol=GRID)
    np.testing.assert_array_equal(found, model(radius, -height))


def test_by_parts_of_the_model() -> None:
    """Its disc and halo in closed form, and the bulge, which is far away, as a point."""
    radius, height = np.array([5.0, 8.0, 12.0, 8.0]), np.array([0.0, 0.0, 3.0, 6.0])
    r, reach = np.hypot(radius, height), 3.0 + 0.28
    disc = 0.6 * (64 + reach**2) ** 1.5 / 64 / np.hypot(radius, 3.0 + np.hypot(height, 0.28))
    halo = 0.35 * 8 / (math.log(1.5) - 1 / 3) * np.log1p(r / 16) / r
    expected = 220 * np.sqrt(2 * (0.05 * 8 / r + disc + halo))
    np.testing.assert_allclose(escape_speed()(radius, height), expected, rtol=0, atol=0.2)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "expected"), [("McMillan17", 607.1), ("Cautun20", 543.3)])
def test_other_models(name: str, expected: float) -> None:
    """Slow to make: galpy expands their densities, and takes milliseconds for each place."""
    model = escape_speed(name)
    assert model(8.122) == pytest.approx(expected, abs=0.06)
    radius, height = places(25)
    exact = exact_escape_speed(name, radius, height)
    np.testing.assert_allclose(model(radius, height), exact, rtol=0, atol=GRID)


def test_places_outside_the_grid_and_at_the_centre() -> None:
    model = escape_speed()
    radius, height = np.array([0.05, 0.0, 2e4, 0.02]), np.array([0.0, 0.05, 5e3, 0.01])
    np.testing.assert_array_equal(model(radius, height), exact_escape_speed(model.name, radius, height))
    assert np.isfinite(model(0.0, [0.2, 1.0, 8.0])).all()
    nowhere = model([0.0, 1e-4, math.nan, 8.0, math.inf], [0.0, 0.0, 0.0, math.nan, 0.0])
    assert np.isnan(nowhere).all()


def test_shapes() -> None:
    model = escape_speed()
    assert model(8.0).shape == ()
    assert model(np.full((3, 1), 8.0), np.zeros(4)).shape == (3, 4)
    assert model(np.empty(0), np.empty(0)).shape == (0,)


def test_made_once_and_sent_to_others() -> None:
    model = escape_speed()
    assert escape_speed("MWPotential2014") is model
    sent = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(sent([8.0, 12.0], [1.0, 5.0]), model([8.0, 12.0], [1.0, 5.0]))


def test_unknown_model() -> None:
    with pytest.raises(UsageError, match=r"potential must be one of MWPotential2014, .* not 'MW'"):
        escape_speed("MW")
