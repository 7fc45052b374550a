"""Room for orbits: against the Sun, Kepler's third law and astropy's constants."""

from __future__ import annotations

from dataclasses import replace

import astropy.constants as const
import astropy.units as u
import numpy as np
import pytest

from lkmrs_dask.synthetic.binaries import (
    LARGEST_MASS_FUNCTION,
    LEAST_PERIASTRON,
    largest_amplitude,
    radius,
    shortest_period,
)
from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.luminosity import mass
from lkmrs_dask.synthetic.motion import with_orbits
from lkmrs_dask.synthetic.plan import PLANS
from lkmrs_dask.synthetic.population import Stars, make_stars


def variables(n: int) -> Stars:
    stars = make_stars(Draws(1), np.arange(n), np.zeros(n, np.int64), PLANS)
    return replace(stars, rv_variable=np.ones(n, bool))


def test_radius_is_that_of_the_gravity() -> None:
    assert radius(5772.0, 4.438) == pytest.approx(1.0, abs=1e-3)
    teff, logg = np.array([4500.0, 7000.0]), np.array([2.4, 4.2])
    length = (radius(teff, logg) * const.R_sun).to(u.cm)
    weight = (const.G * mass(teff, logg) * const.M_sun / length**2).to_value(u.cm / u.s**2)
    assert np.log10(weight) == pytest.approx(logg, abs=1e-3)


def test_shortest_period_is_keplers() -> None:
    for teff, logg in ((5772.0, 4.438), (4500.0, 2.0), (8000.0, 4.2)):
        a = LEAST_PERIASTRON * radius(teff, logg) * const.R_sun
        period = 2 * np.pi * np.sqrt(a**3 / (const.G * mass(teff, logg) * const.M_sun))
        assert shortest_period(teff, logg) == pytest.approx(period.to_value(u.d), rel=1e-3)


def test_largest_amplitude_gives_the_mass_function() -> None:
    for period, e in ((0.5, 0.0), (30.0, 0.3), (500.0, 0.6)):
        speed = largest_amplitude(period, e) * u.km / u.s
        f = period * u.d * speed**3 * (1 - e**2) ** 1.5 / (2 * np.pi * const.G)
        assert f.to_value(u.M_sun) == pytest.approx(LARGEST_MASS_FUNCTION, rel=1e-3)


def test_orbits_that_show_nothing_are_an_error() -> None:
    stars = variables(3)
    with pytest.raises(RuntimeError, match="no orbits of 3 stars"):
        with_orbits(stars, lambda trial: np.zeros(len(trial)), np.ones(3), Draws(1))


def test_light_goes_with_the_orbit_that_is_found() -> None:
    """The scatter is none until the period has moved by 5 %, as for epochs whole periods apart."""
    stars = replace(
        variables(2), variable_class=np.array(["EB", ""]), variable_period=np.array([4.0, np.nan])
    )

    def scatter(trial: Stars) -> np.ndarray:
        return np.where(trial.orbit.period > 4.2, trial.orbit.amplitude, 0.0)

    found = with_orbits(stars, scatter, np.full(2, 0.8), Draws(1))
    assert 4.2 < found.variable_period[0] < 4.4
    assert found.orbit.period[0] == found.variable_period[0]
    assert np.isnan(found.variable_period[1])
