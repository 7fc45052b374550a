"""The order-29 index against the HATS library's own, and separations against astropy."""

from __future__ import annotations

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hats.pixel_math.spatial_index import compute_spatial_index
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.sky.index import (
    INDEX_ORDER,
    N_INDEX,
    healpix29,
    index_range,
    neighbours,
    parent,
    pixel_centre,
    separation_arcsec,
    unit_vectors,
)


def random_sky(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


def test_index_is_that_of_hats() -> None:
    ra, dec = random_sky(100_000)
    assert np.array_equal(healpix29(ra, dec), compute_spatial_index(ra, dec))


@pytest.mark.parametrize("turn", [-720.0, -360.0, 360.0])
def test_index_knows_no_turns(turn: float) -> None:
    """Adding a turn rounds RA by up to 1e-13 deg: few of 20,000 points move to a neighbour 1e-7 deg wide."""
    ra, dec = random_sky(20_000, seed=1)
    turned = ra + turn
    assert np.array_equal(healpix29(turned, dec), compute_spatial_index(turned, dec))
    assert np.count_nonzero(healpix29(turned, dec) != healpix29(ra, dec)) < 5


@pytest.mark.parametrize("dec", [-90.0, -90 + 1e-9, 90 - 1e-9, 90.0])
def test_index_at_the_poles(dec: float) -> None:
    ra = np.linspace(-360, 720, 865)
    index = healpix29(ra, np.full_like(ra, dec))
    assert np.array_equal(index, compute_spatial_index(ra, np.full_like(ra, dec)))
    # All of it lies in the four (of twelve) base pixels that meet there.
    assert set(parent(index, 0).tolist()) == ({0, 1, 2, 3} if dec > 0 else {8, 9, 10, 11})


def test_index_at_ra_zero() -> None:
    dec = np.linspace(-89.9, 89.9, 1000)
    at_zero = healpix29(np.zeros(1000), dec)
    assert np.array_equal(at_zero, compute_spatial_index(np.zeros(1000), dec))
    assert np.array_equal(at_zero, healpix29(np.full(1000, 360.0), dec))
    assert np.array_equal(at_zero, healpix29(np.full(1000, -360.0), dec))
    assert np.array_equal(at_zero, healpix29(np.full(1000, -0.0), dec))


def test_points_on_pixel_borders_go_to_a_pixel_that_touches_them() -> None:
    """Two libraries may round to different sides; both pixels then lie within a pixel's size, 0.4 mas."""
    ra, dec = (
        g.ravel()
        for g in np.meshgrid(np.arange(0, 360, 7.5), [-41.8103148957786, -30, 0, 30, 41.8103148957786])
    )
    index, others = healpix29(ra, dec), compute_spatial_index(ra, dec)
    assert (index != others).any(), "the two libraries agree today: make this an equality"
    for found in (index, others):
        centre = pixel_centre(INDEX_ORDER, found)
        assert separation_arcsec(ra, dec, *centre).max() < 4e-4


@pytest.mark.parametrize(
    ("ra", "dec"),
    [(0, 90.0001), (0, -90.0003), (0, np.nan), (0, np.inf), (np.nan, 0), (np.inf, 0), (-np.inf, 10)],
)
def test_index_refuses_what_is_no_position(ra: float, dec: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        healpix29([10.0, ra], [10.0, dec])


def test_index_shapes() -> None:
    assert healpix29([], []).shape == (0,)
    assert healpix29([], []).dtype == np.int64
    assert healpix29(10.0, [1.0, 2.0]).shape == (2,)
    assert healpix29(10.0, 1.0).shape == ()


@given(index=st.integers(0, N_INDEX - 1), order=st.integers(0, 29))
@settings(deadline=None)
def test_parent_holds_the_index(index: int, order: int) -> None:
    pixel = int(parent(index, order))
    assert pixel == index // 4 ** (29 - order)
    lo, hi = index_range(order, pixel)
    assert lo <= index < hi
    assert hi - lo == 4 ** (29 - order)


def test_parents_are_healpix_pixels_of_the_order() -> None:
    ra, dec = random_sky(1000, seed=2)
    for order in range(30):
        assert np.array_equal(
            parent(healpix29(ra, dec), order), healpy.ang2pix(2**order, ra, dec, nest=True, lonlat=True)
        )


def test_last_pixel_ends_at_the_number_of_pixels() -> None:
    for order in (0, 13, 29):
        assert index_range(order, 12 * 4**order - 1)[1] == N_INDEX


@pytest.mark.parametrize("order", [0, 1, 3])
def test_neighbours_are_the_pixels_that_share_a_corner(order: int) -> None:
    n = 12 * 4**order
    corners = [
        {tuple(np.round(v, 9)) for v in healpy.boundaries(2**order, p, step=1, nest=True).T} for p in range(n)
    ]
    for pixel in range(0, n, 7):
        expected = [p for p in range(n) if p != pixel and corners[p] & corners[pixel]]
        assert neighbours(order, pixel).tolist() == expected


def test_neighbours_of_a_group_leave_the_group_out() -> None:
    group = np.array([0, 1, 2, 3])
    around = neighbours(2, group)
    assert not set(around) & set(group)
    alone = set(np.concatenate([neighbours(2, p) for p in group]).tolist())
    assert set(around.tolist()) == alone - set(group.tolist())
    assert neighbours(2, []).size == 0


def test_pixel_centre_lies_in_the_pixel() -> None:
    for order in (0, 5, 29):
        pixels = np.append(np.random.default_rng(5).integers(0, 12 * 4**order, 50), 12 * 4**order - 1)
        assert np.array_equal(parent(healpix29(*pixel_centre(order, pixels)), order), pixels)


def test_unit_vectors() -> None:
    ra, dec = random_sky(100, seed=3)
    expected = SkyCoord(ra * u.deg, dec * u.deg).cartesian.xyz.value.T
    assert np.allclose(unit_vectors(ra, dec), expected, rtol=0, atol=1e-15)
    assert unit_vectors(0.0, 0.0).tolist() == [1.0, 0.0, 0.0]


near = st.tuples(st.floats(0, 360), st.floats(-90, 90), st.floats(0, 360), st.floats(-6, 2))


@given(st.lists(near, min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_separation_is_that_of_astropy(points: list[tuple[float, float, float, float]]) -> None:
    """Pairs from a micro-arcsecond to 100 deg apart, anywhere.

    Both work from coordinates in radians, rounded to 1e-15; a relative error of 1e-12 comes on top where both
    evaluate other formulae.
    """
    ra, dec, angle, log_distance = np.transpose(points)
    here = SkyCoord(ra * u.deg, dec * u.deg)
    there = here.directional_offset_by(angle * u.deg, 10**log_distance * u.deg)
    expected = here.separation(there).arcsec
    found = separation_arcsec(ra, dec, there.ra.deg, there.dec.deg)
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "arcsec", "tolerance"),
    [
        ((0, 0), (0, 0), 0, 0),
        ((359.9999999, 0), (0.0000001, 0), 2 * 3.6e-4, 1e-9),  # across RA 0; RA 360 is known to 6e-14 deg
        ((10, 90), (250, 90), 0, 1e-10),  # any RA at the pole
        ((0, 89), (180, 89), 2 * 3600, 1e-9),  # over the pole
        ((0, -90), (0, 90), 180 * 3600, 1e-3),  # antipodes: 1e-8 relative
        ((-10, 5), (350, 5), 0, 1e-9),
    ],
)
def test_separation_known(a: tuple, b: tuple, arcsec: float, tolerance: float) -> None:
    assert separation_arcsec(*a, *b) == pytest.approx(arcsec, abs=tolerance)
