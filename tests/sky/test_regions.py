"""Regions: points against astropy and plain geometry, and covers that miss no point."""

from __future__ import annotations

import math
from fractions import Fraction

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import UsageError
from lkmrs_dask.sky.index import N_INDEX, healpix29, parent
from lkmrs_dask.sky.regions import Cone, Pixels, Polygon, Region, merge_ranges

# Everywhere, and more often where coordinates are singular.
ras = st.one_of(st.floats(0, 360), st.sampled_from([0.0, 360.0, 1e-9, 359.9999999, 45.0, 90.0]))
decs = st.one_of(
    st.floats(-90, 90), st.sampled_from([-90.0, 90.0, 89.999999, -89.999999, 0.0, 41.8103148957786])
)


def offset(ra: float, dec: float, angle: np.ndarray, arcsec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    moved = SkyCoord(ra * u.deg, dec * u.deg).directional_offset_by(angle * u.deg, arcsec * u.arcsec)
    return moved.ra.deg, np.clip(moved.dec.deg, -90, 90)


def covered(region: Region, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    lo, hi = region.ranges()
    assert np.all(lo < hi)
    assert np.all(lo[1:] > hi[:-1]), "ranges are sorted, and joined where they touch"
    index = healpix29(ra, dec)
    return np.asarray(((index[:, None] >= lo) & (index[:, None] < hi)).any(axis=1))


@given(ra=ras, dec=decs, log_radius=st.floats(-2, math.log10(648000)), seed=st.integers(0, 10**6))
@example(
    ra=0.0, dec=0.0, log_radius=5.75, seed=0
)  # healpy's query_disc misses pixels of discs beyond a hemisphere
@settings(max_examples=100, deadline=None)
def test_ranges_of_a_cone_cover_it(ra: float, dec: float, log_radius: float, seed: int) -> None:
    radius = min(10**log_radius, 648000.0)
    cone = Cone(ra, dec, radius)
    rng = np.random.default_rng(seed)
    # Points throughout, crowded towards the border, where a cover would fail first.
    part = np.concatenate([rng.uniform(0, 1, 60), 1 - 10 ** rng.uniform(-9, -1, 60), [0.0, 1.0]])
    points = offset(ra, dec, rng.uniform(0, 360, len(part)), part * radius)
    inside = cone.contains(*points)
    assert np.count_nonzero(inside) >= 0.5 * len(part), "those moved out by rounding are few (more at a pole)"
    assert covered(cone, *points)[inside].all()


@given(ra=ras, dec=decs, log_radius=st.floats(-2, math.log10(648000)), seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_cone_contains_what_astropy_finds_within_the_radius(
    ra: float, dec: float, log_radius: float, seed: int
) -> None:
    """Points whose distance rounds to the radius (1e-9 arcsec, 1e-8 of it near antipodes) are left out."""
    radius = min(10**log_radius, 648000.0)
    rng = np.random.default_rng(seed)
    factor = np.concatenate(
        [rng.uniform(0, 2, 50), 1 + 10 ** rng.uniform(-6, -1, 20) * rng.choice([-1, 1], 20)]
    )
    points = offset(ra, dec, rng.uniform(0, 360, len(factor)), np.minimum(factor * radius, 647000))
    distance = SkyCoord(ra * u.deg, dec * u.deg).separation(SkyCoord(*points, unit="deg")).arcsec
    sure = np.abs(distance - radius) > 1e-9 + 1e-7 * radius
    found = Cone(ra, dec, radius).contains(*points)
    assert np.array_equal(found[sure], (distance <= radius)[sure])


def test_cone_holds_its_border_and_turns_of_ra() -> None:
    rounding = 1 + 1e-12
    assert Cone(0, 0, 3600 * rounding).contains([1.0, -1.0, 359.0, 0.0], [0.0, 0.0, 0.0, 1.0]).all()
    assert Cone(-10, 0, 3600).contains([350.0, 710.0], [0.5, 0.5]).all()
    assert Cone(123, 90, 7200 * rounding).contains([0.0, 77.0, 300.0], [88.0, 89.0, 90.0]).all()
    assert not Cone(123, 90, 7200).contains(0.0, 87.99)
    assert Cone(5, 5, 648000).contains([185.0, 5.0], [-5.0, 5.0]).all()
    assert not Cone(5, 5, 10).contains(np.nan, 5.0)


def test_ranges_of_cones_beyond_a_hemisphere() -> None:
    """Where healpy's own discs leave out pixels."""
    rng = np.random.default_rng(7)
    ra, dec = rng.uniform(0, 360, 3000), np.degrees(np.arcsin(rng.uniform(-1, 1, 3000)))
    for ra0, dec0 in ((0, 0), (45, 0), (77, 90), (10, -41.8103148957786)):
        for radius in range(80, 181, 2):
            cone = Cone(ra0, dec0, radius * 3600)
            assert covered(cone, ra, dec)[cone.contains(ra, dec)].all(), (ra0, dec0, radius)


@pytest.mark.parametrize("radius", [0.01, 1.0, 60.0, 3600.0, 10 * 3600.0, 90 * 3600.0, 648000.0])
def test_covers_are_small_and_tight(radius: float) -> None:
    """Few ranges, over an area not many times the cone's (or that of a few pixels of the finest order)."""
    lo, hi = Cone(33.0, 12.0, radius).ranges()
    area = (hi - lo).sum() / N_INDEX
    cone = (1 - math.cos(math.radians(radius / 3600))) / 2
    assert len(lo) < 1000
    assert area < 3 * cone + 9 / (12 * 4**14)


def plain_inside(vertices: list[tuple[float, float]], ra: float, dec: float) -> float:
    """Least exact margin (unnormalised) over the sides of a polygon, counter-clockwise seen from outside.

    The unit vectors are floats, all products after them exact.
    """

    def vector(ra: float, dec: float) -> list[Fraction]:
        lon, lat = math.radians(ra), math.radians(dec)
        return [
            Fraction(c) for c in (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))
        ]

    p = vector(ra, dec)
    corners = [vector(*v) for v in vertices]
    margins = []
    for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
        cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
        length = math.sqrt(sum(c * c for c in cross))
        margins.append(float(sum(c * x for c, x in zip(cross, p, strict=True))) / length)
    return min(margins)


@st.composite
def convex(draw: st.DrawFn) -> tuple[list[tuple[float, float]], float]:
    """A convex polygon inscribed in a circle of 1 arcsec to 80 deg, and the circle's radius (arcsec)."""
    ra, dec = draw(ras), draw(decs)
    radius = 10 ** draw(st.floats(0, math.log10(80 * 3600)))
    n = draw(st.integers(3, 8))
    steps = np.array(draw(st.lists(st.floats(0.2, 1), min_size=n, max_size=n)))
    # Position angles grow from north to east: clockwise seen from outside the sphere, so they fall here.
    angle = 360 - 360 * np.cumsum(steps) / steps.sum()
    assume(np.diff(angle).max() < -5)
    return list(zip(*(c.tolist() for c in offset(ra, dec, angle, np.full(n, radius))), strict=True)), radius


@given(shape=convex(), seed=st.integers(0, 10**6), backwards=st.booleans())
@settings(max_examples=50, deadline=None)
def test_polygons(shape: tuple[list[tuple[float, float]], float], seed: int, backwards: bool) -> None:
    """Points inside against exact geometry of the sides, and covered by the ranges.

    Points nearer to a side than 1e-14 rad (2e-9 arcsec, ten times the rounding of coordinates) are left out.
    """
    vertices, radius = shape
    polygon = Polygon(tuple(vertices[::-1] if backwards else vertices))
    rng = np.random.default_rng(seed)
    centre = np.mean(vertices, axis=0)  # some point; far off where RA wraps
    points = [offset(*vertices[0], rng.uniform(0, 360, 40), rng.uniform(0, 2.2, 40) * radius)]
    points += [offset(*v, rng.uniform(0, 360, 5), 10 ** rng.uniform(-6, 0, 5) * radius) for v in vertices]
    points += [(np.array([centre[0]]), np.array([centre[1]])), tuple(np.transpose(vertices))]
    ra, dec = (np.concatenate([p[k] for p in points]) for k in (0, 1))
    found = polygon.contains(ra, dec)
    margin = np.array([plain_inside(vertices, *p) for p in zip(ra, dec, strict=True)])
    sure = np.abs(margin) > 1e-14
    assert np.array_equal(found[sure], margin[sure] > 0)
    assert polygon.contains(*np.transpose(vertices)).all(), "its vertices are in it"
    assert covered(polygon, ra, dec)[found].all()
    assert len(polygon.ranges()[0]) < 1500


def test_polygon_with_vertices_in_line() -> None:
    """Healpy's own polygons fail on these."""
    polygon = Polygon(((0, 0), (1, 0), (2, 0), (2, 2), (0, 2)))
    assert polygon.contains([1.0, 1.0, 0.5], [0.0, 1.0, 0.0]).all()
    assert not polygon.contains([1.0, 2.1], [-1e-6, 1.0]).any()
    assert covered(polygon, np.array([1.0, 0.0, 2.0]), np.array([0.0, 0.0, 2.0])).all()


def test_polygon_around_the_pole_and_across_ra_zero() -> None:
    cap = Polygon(((0, 80), (120, 80), (240, 80)))
    assert cap.contains([10.0, 0.0, 60.0], [90.0, 80.0, 86.0]).all()
    assert not cap.contains([60.0, 0.0], [80.5, -90.0]).any()  # the side bows towards the pole
    assert covered(cap, np.array([10.0, 200.0]), np.array([90.0, 89.0])).all()
    across = Polygon(((359, -1), (1, -1), (1, 1), (359, 1)))
    assert across.contains([0.0, 360.0, 359.5], [0.0, 0.0, 0.9]).all()
    assert not across.contains(180.0, 0.0)


def test_large_triangle_of_an_octant() -> None:
    octant = Polygon(((0, 0), (90, 0), (0, 90)))
    rng = np.random.default_rng(6)
    ra, dec = rng.uniform(0, 360, 5000), np.degrees(np.arcsin(rng.uniform(-1, 1, 5000)))
    assert np.array_equal(octant.contains(ra, dec), (ra <= 90) & (dec >= 0))
    assert covered(octant, ra, dec)[octant.contains(ra, dec)].all()


def test_polygon_with_a_vertex_beyond_90_deg_from_the_mean_of_all() -> None:
    polygon = Polygon(((0, 0), (170, 0), (85, 80), (0, 3), (0, 2), (0, 1)))
    rng = np.random.default_rng(8)
    ra, dec = rng.uniform(0, 360, 5000), np.degrees(np.arcsin(rng.uniform(-1, 1, 5000)))
    ra[:500], dec[:500] = rng.uniform(165, 170, 500), rng.uniform(0, 2, 500)
    inside = polygon.contains(ra, dec)
    assert inside[:500].sum() > 100
    assert not inside[(dec < 0) | (ra > 170)].any()
    assert covered(polygon, ra, dec)[inside].all()


@pytest.mark.parametrize(
    ("vertices", "match"),
    [
        ([(0, 0), (1, 0)], "at least 3"),
        ([(0, 0), (0, 0), (1, 1)], "coincide"),
        ([(0, 0), (1, 0), (1, 1), (0, 0)], "coincide"),
        ([(0, 0), (180, 0), (90, 45)], "antipodes"),
        ([(0, 0), (2, 0), (1, 0.5), (1, 2)], "not convex"),
        ([(0, 0), (2e-4, 0), (1e-4, 0.5e-4), (1e-4, 2e-4)], "not convex"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "not convex"),  # a bow tie
        ([(0, 0), (1, 0), (2, 0)], "no area"),
        ([(0, 0), (120, 0), (240, 0)], "hemisphere"),
        ([(0, 0), (1, 0), (1, 91)], "not a position"),
        ([(0, 0), (1, 0), (math.nan, 1)], "not a position"),
        ([0, 1, 2], "vertices"),
        ([(0, 0, 0), (1, 0, 0), (0, 1, 0)], "vertices"),
        ([("a", 0), (1, 0), (0, 1)], "vertices"),
    ],
)
def test_polygons_that_are_none(vertices: list, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        Polygon(tuple(vertices))


@pytest.mark.parametrize(
    ("ra", "dec", "radius", "match"),
    [
        (0, 91, 1, "not a position"),
        (math.inf, 0, 1, "not a position"),
        (0, math.nan, 1, "not a position"),
        (0, 0, 0, "radius"),
        (0, 0, -1, "radius"),
        (0, 0, 648001, "radius"),
        (0, 0, math.nan, "radius"),
    ],
)
def test_cones_that_are_none(ra: float, dec: float, radius: float, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        Cone(ra, dec, radius)


pairs = st.builds(
    lambda order, at: (order, at % (12 * 4**order)), st.integers(0, 29), st.integers(0, N_INDEX - 1)
)


@given(pixels=st.lists(pairs, max_size=8), seed=st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_pixels_hold_the_points_whose_parents_they_are(pixels: list[tuple[int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, 50), np.degrees(np.arcsin(rng.uniform(-1, 1, 50)))
    index = healpix29(ra, dec)
    # Half of them in parents of the points, or none would hold a point.
    pixels = [*pixels, *((k, int(parent(index[k], k))) for k in range(0, 30, 5))]
    region = Pixels(tuple(pixels))
    expected = [any(i // 4 ** (29 - order) == pixel for order, pixel in pixels) for i in index.tolist()]
    assert region.contains(ra, dec).tolist() == expected
    assert np.array_equal(covered(region, ra, dec), region.contains(ra, dec))
    lo, hi = region.ranges()
    assert (hi - lo).sum() == size_of_union(pixels)


def size_of_union(pixels: list[tuple[int, int]]) -> int:
    whole = [p for p in set(pixels) if not any(o < p[0] and p[1] // 4 ** (p[0] - o) == q for o, q in pixels)]
    return sum(4 ** (29 - order) for order, _ in whole)


def test_no_pixels_hold_nothing() -> None:
    assert not Pixels(()).contains([1.0, 2.0], [3.0, 4.0]).any()
    assert Pixels(()).ranges()[0].size == 0


@pytest.mark.parametrize("pixels", [[(30, 0)], [(-1, 0)], [(0, 12)], [(3, -1)], [7], [(1, 2, 3)], [("a", 1)]])
def test_pixels_that_are_none(pixels: list) -> None:
    with pytest.raises(UsageError, match="pixel"):
        Pixels(tuple(pixels))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=12))
@settings(deadline=None)
def test_merged_ranges_hold_the_same_numbers(ranges: list[tuple[int, int]]) -> None:
    lo, hi = merge_ranges([a for a, _ in ranges], [a + n for a, n in ranges])
    held = {number for a, n in ranges for number in range(a, a + n)}
    assert {number for a, b in zip(lo, hi, strict=True) for number in range(a, b)} == held
    assert np.all(lo[1:] > hi[:-1])
