"""Places and velocities in the Galaxy against astropy's own transformation."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import astropy.coordinates as c
import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lkmrs_dask.stars
from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.kinematics.frame import galactocentric_velocity, phase_space, sight_lines

# Relative rounding: speeds and places are sums of a few products of doubles that partly cancel.
RTOL = 1e-10


def by_astropy(*measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place (kpc) and velocity (km/s) of shape (3, n)."""
    ra, dec, distance, pmra, pmdec, rv = measured
    sky = c.SkyCoord(
        ra * u.deg, dec * u.deg, distance * u.pc,
        pm_ra_cosdec=pmra * u.mas / u.yr, pm_dec=pmdec * u.mas / u.yr, radial_velocity=rv * u.km / u.s,
    )  # fmt: skip
    with c.galactocentric_frame_defaults.set("v4.0"):
        there = sky.transform_to(c.Galactocentric())
    return there.cartesian.xyz.to_value(u.kpc), there.velocity.d_xyz.to_value(u.km / u.s)


def random_stars(n: int, seed: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    return [ra, dec, 10 ** rng.uniform(1, 4.5, n), *rng.normal(0, 20, (2, n)), rng.normal(0, 150, n)]


def test_random_stars_as_astropy_has_them() -> None:
    stars = random_stars(500)
    stars[0][:3], stars[1][:3] = 0.0, [90.0, -90.0, 0.0]
    place, velocity = by_astropy(*stars)
    found = phase_space(*stars)
    np.testing.assert_allclose([found.x, found.y, found.z], place, rtol=0, atol=1e-11)
    np.testing.assert_allclose([found.v_x, found.v_y, found.v_z], velocity, rtol=0, atol=1e-9)
    speed = np.linalg.norm(velocity, axis=0)
    np.testing.assert_allclose(found.v_gc, speed, rtol=RTOL)
    np.testing.assert_allclose(galactocentric_velocity(*stars), speed, rtol=RTOL)
    np.testing.assert_allclose(found.r_cyl, np.hypot(*place[:2]), rtol=RTOL)
    np.testing.assert_allclose(found.r_gc, np.linalg.norm(place, axis=0), rtol=RTOL)


@given(
    ra=st.floats(0, 360), dec=st.floats(-90, 90), distance=st.floats(1, 1e5),
    pm=st.tuples(st.floats(-500, 500), st.floats(-500, 500)), rv=st.floats(-1000, 1000),
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_any_star(ra: float, dec: float, distance: float, pm: tuple[float, float], rv: float) -> None:
    star = [np.array([one]) for one in (ra, dec, distance, *pm, rv)]
    place, velocity = by_astropy(*star)
    # What cancels is at most the tangential velocity, of which 1e-15 is rounded, or a few hundred km/s.
    off = 1e-13 * (1000.0 + 4.74e-3 * distance * (abs(pm[0]) + abs(pm[1])))
    assert galactocentric_velocity(*star)[0] == pytest.approx(np.linalg.norm(velocity), rel=1e-12, abs=off)
    r_gc, height = sight_lines(*star[:2]).place(star[2] / 1000.0)
    # Near the centre the square of the distance cancels, so that its root is known to 1e-7 kpc.
    assert r_gc[0] == pytest.approx(np.linalg.norm(place), rel=1e-10, abs=3e-7)
    assert height[0] == pytest.approx(place[2, 0], rel=1e-10, abs=1e-11)


def test_radial_velocities_of_table_5(shared: Path) -> None:
    """What is known without Gaia: freed from the Sun's motion they never exceed the printed speeds."""
    rows = list(csv.DictReader((shared / "data/paper_tables/table5_rows.csv").read_text().splitlines()))
    ra, dec, rv, speed = (
        np.array([float(row[name]) for row in rows]) for name in ("ra", "dec", "rv", "v_gc")
    )
    nothing = np.full(len(rows), math.nan)
    found = phase_space(ra, dec, nothing, nothing, nothing, rv)
    listed = [370.9, 203.5, 305.6, 407.5, -170.1, 319.5, 234.3, -160.6, 182.1, -383.2]
    # Listed to 0.1, and along Galactic axes that are tilted by 0.1 degrees against the frame's.
    np.testing.assert_allclose(found.v_r_gsr, listed, rtol=0, atol=0.15)
    assert (np.abs(found.v_r_gsr) <= speed).all()
    assert np.isnan(found.v_gc).all()


def test_the_users_defaults_are_neither_used_nor_changed() -> None:
    stars = random_stars(5)
    expected = galactocentric_velocity(*stars)
    with c.galactocentric_frame_defaults.set("pre-v4.0"):
        assert (galactocentric_velocity(*stars) == expected).all()
        assert c.Galactocentric().galcen_distance == 8.3 * u.kpc


def test_the_sun_and_the_function_of_the_package() -> None:
    speed = lkmrs_dask.stars.galactocentric_velocity([10.0], [20.0], [1e-3], [0.0], [0.0], [0.0])
    assert speed[0] == pytest.approx(math.sqrt(12.9**2 + 245.6**2 + 7.78**2), rel=1e-12)
    found = phase_space([10.0], [20.0], [1e-6], [0.0], [0.0], [0.0])
    assert found.r_gc[0] == pytest.approx(8.122, rel=1e-9)
    assert found.z[0] == pytest.approx(0.0208, rel=1e-6)


@pytest.mark.parametrize("which", range(6))
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_unknown_is_unknown(which: int, bad: float) -> None:
    stars = random_stars(3)
    stars[which][1] = bad
    assert np.isnan(galactocentric_velocity(*stars)).tolist() == [False, True, False]


@pytest.mark.parametrize(("which", "bad"), [(1, 90.1), (1, -91.0), (2, 0.0), (2, -5.0)])
def test_senseless_values_are_unknown(which: int, bad: float) -> None:
    stars = random_stars(2)
    stars[which][0] = bad
    assert np.isnan(galactocentric_velocity(*stars)).tolist() == [True, False]


def test_kinds_of_arrays() -> None:
    stars = random_stars(4)
    expected = galactocentric_velocity(*stars)
    swapped = [one.astype(one.dtype.newbyteorder()) for one in stars]
    assert (galactocentric_velocity(*swapped) == expected).all()
    assert (galactocentric_velocity(*(one.tolist() for one in stars)) == expected).all()
    single = galactocentric_velocity(*(one.astype(np.float32) for one in stars))
    assert single.dtype == np.float64
    np.testing.assert_allclose(single, expected, rtol=1e-5)  # of numbers with seven digits
    before = [one.copy() for one in stars]
    stars[2][0] = before[2][0] = -1.0
    galactocentric_velocity(*stars)
    assert all((one == other).all() for one, other in zip(stars, before, strict=True))
    assert galactocentric_velocity(*[np.empty(0)] * 6).shape == (0,)


def test_shapes_that_do_not_fit() -> None:
    one, two = np.ones(1), np.ones(2)
    with pytest.raises(UsageError, match=r"of one length, not .*distance \(2,\)"):
        galactocentric_velocity(one, one, two, one, one, one)
    with pytest.raises(UsageError, match="one-dimensional"):
        galactocentric_velocity(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
