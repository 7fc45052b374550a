"""Space motions against astropy's frame, and speeds against a potential integrated by hand."""

from __future__ import annotations

import astropy.coordinates as coord
import astropy.units as u
import numpy as np
import pytest

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.external import kinematics as kin

N = 4000


def sample() -> tuple[np.ndarray, ...]:
    """Stars of Kepler's field and of two K2 fields, from 30 pc to 12 kpc."""
    rng = np.random.default_rng(3)
    field = rng.integers(0, 3, N)
    ra = np.array([290.0, 130.0, 12.0])[field] + rng.uniform(-4, 4, N)
    dec = np.array([43.0, 17.0, 5.0])[field] + rng.uniform(-4, 4, N)
    distance = 10.0 ** rng.uniform(1.5, 4.08, N)
    fast = np.zeros(N, np.int8)
    fast[:300], fast[300:330] = 1, 2
    return ra, dec, distance, rng.random(N) < 0.05, fast


def astropy_frame(
    ra: np.ndarray, dec: np.ndarray, distance: np.ndarray, pmra: np.ndarray, pmdec: np.ndarray, rv: np.ndarray
) -> coord.SkyCoord:
    with coord.galactocentric_frame_defaults.set("v4.0"):
        return coord.SkyCoord(
            ra * u.deg, dec * u.deg, distance=distance * u.pc, pm_ra_cosdec=pmra * u.mas / u.yr,
            pm_dec=pmdec * u.mas / u.yr, radial_velocity=rv * u.km / u.s,
        ).transform_to(coord.Galactocentric())  # fmt: skip


def test_the_frame_is_that_of_astropy() -> None:
    ra, dec, distance, halo, fast = sample()
    motion = kin.space_motions(Draws(1), np.arange(N), ra, dec, distance, halo, fast)
    there = astropy_frame(ra, dec, distance, *motion)
    place = there.cartesian.xyz.to_value(u.kpc).T
    velocity = there.velocity.d_xyz.to_value(u.km / u.s).T
    # Rounding only: 1e-16 of 20 kpc and 1000 km/s, some operations.
    assert kin.position_kpc(ra, dec, distance) == pytest.approx(place, abs=1e-11)
    assert kin.space_velocity(ra, dec, distance, *motion) == pytest.approx(velocity, abs=1e-9)
    back = kin.from_velocity(ra, dec, distance, velocity)
    for found, given in zip(back, motion, strict=True):
        assert found == pytest.approx(given, rel=1e-9, abs=1e-9)


def test_escape_speed_of_galpy() -> None:
    # galpy 1.12.1, MWPotential2014 with ro = 8 and vo = 220, to 0.1 km/s.
    found = kin.escape_speed([8.0, 8.122, 10.0, 15.0])
    assert found == pytest.approx([513.0, 511.5, 492.0, 454.4], abs=0.06)


def test_escape_speed_is_the_work_against_the_force() -> None:
    # Reference: the circular speed's parts at 8 kpc are 0.05, 0.60 and 0.35 of 220**2; forces in the plane,
    # integrated from R to 1 Gpc, where 0.1 km/s**2 of the halo's depth are left.
    r = np.geomspace(8.0, 1e6, 200_001)
    nfw = lambda x: np.log1p(x / 16.0) - x / (x + 16.0)  # noqa: E731
    pull = (
        0.05 * 8.0 / r**2
        + 0.60 * (64.0 + 3.28**2) ** 1.5 / 64.0 * 8.0 * r / 8.0 / (r**2 + 3.28**2) ** 1.5
        + 0.35 * 8.0 / r**2 * nfw(r) / nfw(8.0)
    )
    work = np.trapezoid(pull * r, np.log(r)) * 220.0**2
    assert kin.escape_speed(8.0) == pytest.approx(np.sqrt(2 * work), abs=0.1)
    assert kin.escape_speed(8.0, 3.0) < kin.escape_speed(8.0)


def test_speeds_keep_to_their_limits() -> None:
    ra, dec, distance, halo, fast = sample()
    pmra, pmdec, rv = kin.space_motions(Draws(2), np.arange(N), ra, dec, distance, halo, fast)
    there = astropy_frame(ra, dec, distance, pmra, pmdec, rv)
    speed = there.velocity.norm().to_value(u.km / u.s)
    x, y, z = there.cartesian.xyz.to_value(u.kpc)
    big_r = np.hypot(x, y)
    for escape in (
        kin.escape_speed(big_r, z), kin.escape_speed(big_r), kin.escape_speed(np.hypot(big_r, z)),
    ):  # fmt: skip
        share = speed / escape
        assert share[fast == 0].max() < 0.62
        assert (share[fast == 1].min(), share[fast == 1].max()) > (0.72, 0.0)
        assert share[fast == 1].max() < 0.95
        assert share[fast == 2].min() > 1.1
    assert rv.min() > -260
    assert rv.max() < 350


def test_components_differ() -> None:
    n = 20_000
    ra, dec, distance = np.full(n, 290.0), np.full(n, 43.0), np.full(n, 500.0)
    halo, fast = np.arange(n) < n // 2, np.zeros(n, np.int8)
    motion = kin.space_motions(Draws(5), np.arange(n), ra, dec, distance, halo, fast)
    velocity = kin.space_velocity(ra, dec, distance, *motion)
    # Mixed mean rotation of the discs: 0.88 * 222 + 0.12 * 183 = 217; a mean of 10,000 is good to 0.3 km/s.
    assert velocity[~halo, 1].mean() == pytest.approx(217.3, abs=2.0)
    assert velocity[halo, 1].mean() < 120.0
    assert (velocity[halo].std(axis=0) > 2.0 * velocity[~halo].std(axis=0)).all()


def test_a_star_does_not_depend_on_others() -> None:
    ra, dec, distance, halo, fast = sample()
    whole = kin.space_motions(Draws(7), np.arange(N), ra, dec, distance, halo, fast)
    some = np.random.default_rng(1).permutation(N)[:500]
    part = kin.space_motions(Draws(7), some, ra[some], dec[some], distance[some], halo[some], fast[some])
    for all_of_them, these in zip(whole, part, strict=True):
        # Matrix products of other lengths may round otherwise in the last place.
        assert these == pytest.approx(all_of_them[some], rel=1e-12, abs=1e-12)


def test_no_stars() -> None:
    none = np.empty(0)
    found = kin.space_motions(
        Draws(1), np.empty(0, np.int64), none, none, none, np.empty(0, bool), np.empty(0, np.int8)
    )
    assert [len(values) for values in found] == [0, 0, 0]
