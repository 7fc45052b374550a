"""Pixels around pixels against healpy, and how far these reach against points of the sky."""

from __future__ import annotations

import healpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.sky import healpix
from lkmrs_dask.sky.healpix import pixels_around


def interleaved(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Number within a base pixel, bit by bit."""
    number = np.zeros_like(x)
    for bit in range(29):
        number |= ((x >> bit) & 1) << (2 * bit)
        number |= ((y >> bit) & 1) << (2 * bit + 1)
    return number


def at_edges(order: int, rng: np.random.Generator) -> np.ndarray:
    """Pixels along all edges and at all corners of the base pixels."""
    last = 2**order - 1
    along = np.unique(
        np.concatenate(
            [[0, last], np.clip([1, 2, last - 1, last - 2], 0, last), rng.integers(0, last + 1, 40)]
        )
    )
    first, final = np.zeros_like(along), np.full_like(along, last)
    inside = np.concatenate(
        [interleaved(*pair) for pair in ((along, first), (along, final), (first, along), (final, along))]
    )
    return np.unique((np.arange(12)[:, None] * 4**order + inside).ravel())


@pytest.mark.parametrize("order", range(7))
def test_all_pixels_have_the_neighbours_that_healpy_gives(order: int) -> None:
    pixels = np.arange(12 * 4**order)
    assert np.array_equal(
        pixels_around(order, pixels), healpy.get_all_neighbours(2**order, pixels, nest=True)
    )


@pytest.mark.parametrize("order", range(7, 30))
def test_pixels_of_all_orders_at_edges_and_elsewhere(order: int) -> None:
    rng = np.random.default_rng(order)
    pixels = np.concatenate([at_edges(order, rng), rng.integers(0, 12 * 4**order, 1000)])
    assert np.array_equal(
        pixels_around(order, pixels), healpy.get_all_neighbours(2**order, pixels, nest=True)
    )


@given(order=st.integers(1, 29), data=st.data())
@settings(deadline=None)
def test_being_around_is_mutual(order: int, data: st.DataObject) -> None:
    pixel = data.draw(st.integers(0, 12 * 4**order - 1))
    around = pixels_around(order, np.array([pixel]))[:, 0]
    found = around[around >= 0]
    assert len(found) in (7, 8) or order == 1
    assert pixel not in found
    assert np.all(np.any(pixels_around(order, found) == pixel, axis=0))


def test_of_no_pixels_and_of_one() -> None:
    assert pixels_around(5, np.empty(0, np.int64)).shape == (8, 0)
    corner = np.array([4**29 // 3])  # where three base pixels meet, on the border of the polar cap
    assert np.count_nonzero(pixels_around(29, corner) >= 0) == 7


def test_the_argument_stays_as_it_was() -> None:
    pixels = np.arange(48)
    pixels_around(1, pixels)
    assert np.array_equal(pixels, np.arange(48))


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4, 5, 6, 9, 13, 15, 20, 24, 28])
def test_pixels_around_reach_as_far_as_the_cross_match_needs(order: int) -> None:
    """Points 4 arcsec * 2 ** (15 - order) away lie in the pixel or one around it, wherever one starts.

    One starts in corners, on edges and inside of pixels all over the sky, also at edges of base pixels.
    """
    rng = np.random.default_rng(order)
    pixels = np.unique(np.concatenate([at_edges(order, rng), rng.integers(0, 12 * 4**order, 300)]))
    corners = np.moveaxis(healpy.boundaries(2**order, pixels, step=4, nest=True), 1, 2)
    centres = np.stack(healpy.pix2vec(2**order, pixels, nest=True), axis=-1)[:, None, :]
    # Just within the pixel, so that rounding does not put the start into the next one.
    inward = 1e-7 if order < 20 else 1e-3
    start = np.concatenate([corners + inward * (centres - corners), centres], axis=1).reshape(-1, 3)
    own = np.repeat(pixels, corners.shape[1] + 1)
    reach = np.radians(min(4.0 * 2.0 ** (15 - order) / 3600.0, 36.0))
    pole = np.where(np.abs(start[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    east = np.cross(pole, start)
    east /= np.linalg.norm(east, axis=1)[:, None]
    north = np.cross(start, east)
    around = pixels_around(order, own)
    for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False):
        away = np.cos(reach) * start + np.sin(reach) * (np.cos(angle) * north + np.sin(angle) * east)
        found = healpy.vec2pix(2**order, *away.T, nest=True)
        assert np.all((found == own) | np.any(around == found, axis=0))


def test_other_names_are_healpys() -> None:
    assert healpix.nside2npix(4) == 192
    with pytest.raises(AttributeError):
        _ = healpix.no_such_function


@pytest.mark.parametrize("order", range(30))
def test_centres_and_radii_are_those_of_healpy(order: int) -> None:
    """To some units of the last digit of a right ascension; radii to what `arctan2` of near vectors keeps."""
    pixels = at_edges(order, np.random.default_rng(order))
    pixels = np.append(pixels, np.random.default_rng(order).integers(0, 12 << (2 * order), 2_000))
    lon, lat = healpix.pixel_centres(order, pixels)
    expected = healpy.pix2ang(1 << order, pixels, nest=True, lonlat=True)
    assert np.all((lon >= 0.0) & (lon < 360.0))
    np.testing.assert_allclose(lon, expected[0], rtol=0, atol=3e-13)
    np.testing.assert_allclose(lat, expected[1], rtol=0, atol=1e-13)
    assert healpix.largest_radius(order) == pytest.approx(np.degrees(healpy.max_pixrad(1 << order)), rel=1e-7)
