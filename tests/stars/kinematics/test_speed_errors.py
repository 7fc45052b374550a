"""Monte Carlo errors of speeds against a loop over draws, and against what is known in closed form."""

from __future__ import annotations

import math
from typing import Any

import astropy.coordinates as c
import astropy.units as u
import numpy as np
import pytest
from scipy.stats import norm

from lkmrs_dask.stars.kinematics.distances import GivenDistances
from lkmrs_dask.stars.kinematics.frame import galactocentric_velocity
from lkmrs_dask.stars.kinematics.monte_carlo import (
    Astrometry,
    ErrorReason,
    SpeedErrors,
    astrometric_root,
    normal_draws,
    speed_errors,
)
from lkmrs_dask.stars.kinematics.potentials import escape_speed, exact_escape_speed

KEY = np.array([2102256320367550592], np.int64)

ONE = {
    "ra": 290.0, "dec": 45.0, "parallax": 0.5, "parallax_error": 0.05, "pmra": -20.0, "pmra_error": 0.06,
    "pmdec": -30.0, "pmdec_error": 0.05, "parallax_pmra_corr": 0.4, "parallax_pmdec_corr": -0.3,
    "pmra_pmdec_corr": 0.2, "rv": -150.0, "rv_err": 1.5,
}  # fmt: skip


def stars(n: int = 1, /, **changed: Any) -> Astrometry:
    values = {
        name: np.broadcast_to(np.asarray(one, float), n).copy() for name, one in (ONE | changed).items()
    }
    return Astrometry(**values)


def errors(some: Astrometry, **settings: Any) -> SpeedErrors:
    n = len(some.ra)
    key = settings.pop("key", KEY[0] + np.arange(n))
    with np.errstate(divide="ignore"):
        far = np.where(some.parallax > 0, 1000 / some.parallax, np.nan)
    distance = settings.pop("distance", far)
    return speed_errors(some, key, distance, escape_speed(), **settings)


def test_against_a_loop_over_draws() -> None:
    """The same normal numbers, turned into speeds draw by draw with astropy, and into shares by counting."""
    # The star is near 0.7 of its escape speed, so that neither share is 0 or 1.
    n_draws, seed, some = 400, 7, stars(parallax=0.42)
    found = errors(some, n_draws=n_draws, seed=seed)
    noise = np.empty((4, n_draws))
    normal_draws(seed, int(KEY[0]), noise)
    root, _ = astrometric_root(some)
    speeds, high, unbound = [], 0, 0
    for k in range(n_draws):
        parallax, pmra, pmdec = np.array([0.42, -20.0, -30.0]) + root[0] @ noise[:3, k]
        rv = -150.0 + 1.5 * noise[3, k]
        sky = c.SkyCoord(
            290 * u.deg, 45 * u.deg, 1 / parallax * u.kpc, pm_ra_cosdec=pmra * u.mas / u.yr,
            pm_dec=pmdec * u.mas / u.yr, radial_velocity=rv * u.km / u.s,
        )  # fmt: skip
        with c.galactocentric_frame_defaults.set("v4.0"):
            there = sky.transform_to(c.Galactocentric())
        speeds.append(np.linalg.norm(there.velocity.d_xyz.to_value(u.km / u.s)))
        x, y, z = there.cartesian.xyz.to_value(u.kpc)
        limit = exact_escape_speed("MWPotential2014", math.hypot(x, y), z)
        high += bool(speeds[-1] > 0.7 * limit)
        unbound += bool(speeds[-1] > limit)
    # The grid is 0.1 km/s off at most: no more than a draw or two fall into that.
    assert found.p_high[0] == pytest.approx(high / n_draws, abs=2 / n_draws)
    assert found.p_unbound[0] == pytest.approx(unbound / n_draws, abs=2 / n_draws)
    assert 0.1 < found.p_high[0] < 0.9
    np.testing.assert_allclose([found.p16[0], found.p84[0]], np.quantile(speeds, [0.16, 0.84]), rtol=1e-9)
    assert found.error[0] == pytest.approx((found.p84[0] - found.p16[0]) / 2)
    assert found.p_unknown[0] == 0


def test_small_errors_are_those_of_a_linear_law() -> None:
    some = stars(parallax_error=0.004, parallax=2.0)
    measured = [some.parallax, some.pmra, some.pmdec, some.rv]

    def speed(step: np.ndarray) -> float:
        parallax, pmra, pmdec, rv = (one + off for one, off in zip(measured, step, strict=True))
        return float(galactocentric_velocity(some.ra, some.dec, 1000 / parallax, pmra, pmdec, rv)[0])

    slope = np.array([(speed(off) - speed(-off)) / 2e-4 for off in 1e-4 * np.eye(4)])
    sigma = np.array([0.004, 0.06, 0.05, 1.5])
    correlation = np.array([[1, 0.4, -0.3, 0], [0.4, 1, 0.2, 0], [-0.3, 0.2, 1, 0], [0, 0, 0, 1]])
    expected = math.sqrt((sigma * slope) @ correlation @ (sigma * slope))
    found = errors(some, n_draws=40_000)
    # Percentiles of 40,000 draws give sigma to 0.6 %; 0.16 and 0.84 lie at 0.9945 sigma.
    assert found.error[0] == pytest.approx(expected * norm.ppf(0.84), rel=0.025)


def test_covariances() -> None:
    root, good = astrometric_root(stars(3))
    assert good.all()
    sigma = np.array([0.05, 0.06, 0.05])
    expected = np.array([[1, 0.4, -0.3], [0.4, 1, 0.2], [-0.3, 0.2, 1]]) * sigma[:, None] * sigma
    np.testing.assert_allclose(root[0] @ root[0].T, expected, rtol=1e-12)
    whole, good = astrometric_root(stars(parallax_pmra_corr=1, parallax_pmdec_corr=1, pmra_pmdec_corr=1))
    assert good.all()  # singular, not indefinite: all three move together
    np.testing.assert_allclose(whole[0] @ whole[0].T, sigma[:, None] * sigma, rtol=1e-7)


@pytest.mark.parametrize(
    "bad",
    [
        {"pmra_error": math.nan},
        {"pmdec_error": 0.0},
        {"parallax_error": -1.0},
        {"parallax_pmra_corr": math.nan},
        {"pmra_pmdec_corr": 1.01},
        {"parallax_pmra_corr": 0.9, "parallax_pmdec_corr": 0.9, "pmra_pmdec_corr": -0.9},
    ],
)
def test_covariances_that_are_none(bad: dict[str, float]) -> None:
    found = errors(stars(2, **{name: [one, ONE[name]] for name, one in bad.items()}), n_draws=50)
    assert found.reason.tolist() == [ErrorReason.BAD_COVARIANCE, ErrorReason.OK]
    assert np.isnan([part[0] for part in found[:6]]).all()
    assert np.isfinite([part[1] for part in found[:6]]).all()


@pytest.mark.parametrize("bad", [0.0, -2.0, math.nan])
def test_errors_of_rv_that_are_none(bad: float) -> None:
    assert errors(stars(rv_err=bad), n_draws=50).reason.tolist() == [ErrorReason.NO_RV_ERROR]


@pytest.mark.parametrize("bad", [{"rv": math.nan}, {"pmra": math.nan}, {"parallax": -1.0}, {"ra": math.nan}])
def test_stars_without_a_speed(bad: dict[str, float]) -> None:
    found = errors(stars(**bad), n_draws=50)
    assert found.reason.tolist() == [ErrorReason.NO_SPEED]
    assert np.isnan(found.p_high).all()


def test_draws_belong_to_the_star() -> None:
    some = stars(300, parallax=np.linspace(0.3, 0.6, 300))
    whole = errors(some, n_draws=500, seed=3)
    for rows in (slice(0, 1), slice(50, 171), slice(None, None, -1)):
        part = errors(
            Astrometry(*(one[rows] for one in some)), n_draws=500, seed=3, key=KEY[0] + np.arange(300)[rows]
        )
        for name, one in part._asdict().items():
            np.testing.assert_array_equal(one, getattr(whole, name)[rows])
    assert (errors(some, n_draws=500, seed=4).p16 != whole.p16).all()
    twins = errors(stars(2), n_draws=500)
    assert twins.p16[0] != twins.p16[1]
    same = errors(stars(2), n_draws=500, key=KEY[[0, 0]])
    assert same.p16[0] == same.p16[1]


def test_draws_of_more_than_one_chunk() -> None:
    assert np.isfinite(errors(stars(3), n_draws=70_000).error).all()


def test_parallaxes_that_are_not_positive_are_unknown() -> None:
    """Half of the draws of a parallax that is next to nothing have no distance."""
    found = errors(stars(parallax=1e-6, parallax_error=0.05), n_draws=20_000)
    assert found.p_unknown[0] == pytest.approx(0.5, abs=0.015)  # four sigma
    # With a distance the star is at 20 kpc or more and so unbound.
    assert found.p_high[0] + found.p_unknown[0] == pytest.approx(1.0, abs=0.02)
    assert np.isfinite([found.p16[0], found.p84[0]]).all()
    none = errors(stars(parallax=-1.0, parallax_error=0.001), distance=np.array([500.0]), n_draws=50)
    assert none.p_unknown[0] == 1.0
    assert none.p_high[0] == none.p_unbound[0] == 0.0
    assert np.isnan([none.p16[0], none.error[0]]).all()


def test_given_distances() -> None:
    """If only the distance is uncertain, percentiles of the speed are speeds at those of the distance."""
    some = stars(pmra_error=1e-9, pmdec_error=1e-9, rv_err=1e-9, parallax=math.nan, parallax_error=math.nan)
    middle, lower, upper = 4000.0, 3500.0, 5000.0
    given = GivenDistances(np.log([middle / lower]), np.log([upper / middle]), True)
    found = errors(some, distance=np.array([middle]), given=given, n_draws=40_000)
    sigma = norm.ppf(0.84)  # one standard deviation is the 84.13th percentile
    for share, wide, seen in ((-sigma, given.below, found.p16), (sigma, given.above, found.p84)):
        there = galactocentric_velocity(
            some.ra, some.dec, middle * np.exp(share * wide), some.pmra, some.pmdec, some.rv
        )
        assert seen[0] == pytest.approx(there[0], rel=0.01)
    plain = GivenDistances(np.array([500.0]), np.array([500.0]), False)
    found = errors(some, distance=np.array([middle]), given=plain, n_draws=40_000)
    there = galactocentric_velocity(some.ra, some.dec, [middle + sigma * 500], some.pmra, some.pmdec, some.rv)
    assert found.p84[0] == pytest.approx(there[0], rel=0.01)
    broad = GivenDistances(np.array([4000.0]), np.array([4000.0]), False)
    found = errors(some, distance=np.array([middle]), given=broad, n_draws=20_000)
    assert found.p_unknown[0] == pytest.approx(norm.cdf(-1), abs=0.012)
    unknown = GivenDistances(np.array([math.nan]), np.array([500.0]), False)
    reason = errors(some, distance=np.array([middle]), given=unknown, n_draws=50).reason
    assert reason.tolist() == [ErrorReason.NO_DISTANCE_ERROR]


def test_no_stars_and_no_draws() -> None:
    assert all(part.shape == (0,) for part in errors(stars(0), n_draws=50))
    found = errors(stars(2), n_draws=0)
    assert found.reason.tolist() == [ErrorReason.NOT_ASKED] * 2
    assert np.isnan(found.p_high).all()
    one = errors(stars(), n_draws=1)
    assert one.p16[0] == one.p84[0]
