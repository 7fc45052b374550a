"""Absolute magnitudes against stars that are known."""

from __future__ import annotations

import numpy as np
import pytest

from lkmrs_dask.synthetic.luminosity import absolute_magnitude, bolometric_correction


def test_sun() -> None:
    # Casagrande & VandenBerg 2018: M_G of the Sun is 4.67.
    assert absolute_magnitude(5772.0, 4.438) == pytest.approx(4.67, abs=0.02)


def test_ten_times_the_gravity_is_a_tenth_of_the_light() -> None:
    low, high = absolute_magnitude(4800.0, [1.5, 2.5])
    assert high - low == pytest.approx(2.5)


def test_diagram_is_plausible() -> None:
    # Red clump stars have M_G near 0.5, K dwarfs of 4500 K near 7, A dwarfs of 8000 K near 2.
    assert absolute_magnitude(4800.0, 2.4) == pytest.approx(0.5, abs=0.6)
    assert absolute_magnitude(4500.0, 4.65) == pytest.approx(7.0, abs=0.7)
    assert absolute_magnitude(8000.0, 4.2) == pytest.approx(2.0, abs=0.7)


def test_correction_ends_at_the_range() -> None:
    assert np.array_equal(bolometric_correction([3000.0, 12000.0]), bolometric_correction([4000.0, 8000.0]))
    assert bolometric_correction(5772.0) == pytest.approx(0.06)
