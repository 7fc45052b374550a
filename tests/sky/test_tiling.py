"""The adaptive tiling against a recursive one, and look-ups against brute force."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.sky.index import N_INDEX, healpix29
from lkmrs_dask.sky.tiling import Tiling, adaptive_tiling


def tile_by_recursion(
    stars: list[tuple[int, int, float]], max_rows: int, max_bytes: float, lowest: int, highest: int
) -> list[tuple[int, int]]:
    """Plain reading of the rule, a pixel at a time; `stars` are (index, rows, bytes)."""

    def split(order: int, pixel: int, inside: list[tuple[int, int, float]]) -> list[tuple[int, int]]:
        if not inside:
            return []
        fits = sum(s[1] for s in inside) <= max_rows and sum(s[2] for s in inside) <= max_bytes
        one_star = len({s[0] for s in inside}) == 1
        if order >= lowest and (fits or one_star or order == highest):
            return [(order, pixel)]
        width = 4 ** (29 - order - 1)
        return [
            tile
            for child in range(4 * pixel, 4 * pixel + 4)
            for tile in split(order + 1, child, [s for s in inside if s[0] // width == child])
        ]

    base = 4**29
    return [
        tile for pixel in range(12) for tile in split(0, pixel, [s for s in stars if s[0] // base == pixel])
    ]


# Indices that crowd at some places, so that tilings get deep.
indices = st.one_of(
    st.integers(0, N_INDEX - 1),
    st.integers(0, 40),
    st.builds(
        lambda centre, off: (centre + off) % N_INDEX,
        st.sampled_from([4**29 - 1, N_INDEX - 5, 123456789012345678]),
        st.integers(0, 4**8),
    ),
)
stars = st.lists(st.tuples(indices, st.integers(1, 50), st.integers(0, 1000).map(float)), max_size=40)
orders = st.tuples(st.integers(0, 29), st.integers(0, 29)).map(sorted)


@given(stars=stars, max_rows=st.integers(1, 200), max_bytes=st.integers(1, 4000), orders=orders)
@settings(max_examples=150, deadline=None)
def test_tiling_is_that_of_recursion(
    stars: list[tuple[int, int, float]], max_rows: int, max_bytes: int, orders: list[int]
) -> None:
    index, rows, size = ([s[k] for s in stars] for k in range(3))
    tiling = adaptive_tiling(
        np.array(index, np.int64), np.array(rows, np.int32), size=np.array(size), max_rows=max_rows,
        max_bytes=max_bytes, lowest_order=orders[0], highest_order=orders[1],
    )  # fmt: skip
    assert list(tiling) == tile_by_recursion(stars, max_rows, max_bytes, *orders)
    assert (tiling.locate(np.array(index, np.int64)) >= 0).all()


@given(indices=st.lists(indices, max_size=60), max_rows=st.integers(1, 20))
@settings(deadline=None)
def test_without_rows_each_entry_counts_one(indices: list[int], max_rows: int) -> None:
    tiling = adaptive_tiling(np.array(indices, np.int64), max_rows=max_rows)
    assert list(tiling) == tile_by_recursion([(i, 1, 0) for i in indices], max_rows, 1, 0, 29)
    held = Counter(tiling.locate(np.array(indices, np.int64)).tolist())
    for tile, n in held.items():
        inside = {
            i for i, at in zip(indices, tiling.locate(np.array(indices, np.int64)), strict=True) if at == tile
        }
        assert n <= max_rows or len(inside) == 1


def test_bytes_split_where_rows_would_not() -> None:
    index = np.array([0, 4**28, 2 * 4**28])  # in three of the four children of pixel 0
    size = np.array([60.0, 60.0, 10.0])
    assert list(adaptive_tiling(index, size=size, max_rows=10)) == [(0, 0)]
    assert list(adaptive_tiling(index, size=size, max_rows=10, max_bytes=130)) == [(0, 0)]
    assert list(adaptive_tiling(index, size=size, max_rows=10, max_bytes=129)) == [(1, 0), (1, 1), (1, 2)]


def test_a_star_larger_than_the_threshold_stays_whole() -> None:
    index = np.array([5, 5, 5, 7])
    tiling = adaptive_tiling(index, rows=[1000, 1000, 1000, 1], max_rows=10)
    # 5 and 7 share the order-28 pixel 1, which holds more than ten rows of two stars, so it is split.
    assert list(tiling) == [(29, 5), (29, 7)]
    alone = adaptive_tiling(np.array([N_INDEX - 1]), rows=[10**9], max_rows=1)
    assert list(alone) == [(0, 11)]


def test_orders_at_the_limits() -> None:
    index = np.array([0, 1, 2, 3, 4**29])
    assert list(adaptive_tiling(index, max_rows=1)) == [(29, 0), (29, 1), (29, 2), (29, 3), (0, 1)]
    assert list(adaptive_tiling(index, max_rows=1, highest_order=0)) == [(0, 0), (0, 1)]
    assert list(adaptive_tiling(index, max_rows=9, lowest_order=29)) == [(29, int(i)) for i in index]
    assert list(adaptive_tiling(index, max_rows=1, lowest_order=2, highest_order=2)) == [(2, 0), (2, 16)]


def test_nothing_to_tile() -> None:
    empty = adaptive_tiling(np.array([], np.int64))
    assert len(empty) == 0
    assert list(empty) == []
    assert empty.locate([1, 2]).tolist() == [-1, -1]
    assert empty.overlapping([0], [N_INDEX]).tolist() == []
    assert list(adaptive_tiling([], rows=[], size=[], max_bytes=1, lowest_order=5)) == []


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"max_rows": 0}, "room for a row"),
        ({"max_bytes": 0, "size": [1.0]}, "room for a row"),
        ({"max_bytes": 5}, "bytes of each star"),
        ({"lowest_order": 3, "highest_order": 2}, "orders"),
        ({"highest_order": 30}, "orders"),
        ({"lowest_order": -1}, "orders"),
    ],
)
def test_settings_that_make_no_sense(settings: dict, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        adaptive_tiling([1], **settings)


tiles = st.builds(
    lambda order, at: (order, at % (12 * 4**order)), st.integers(0, 29), st.integers(0, N_INDEX - 1)
)


def overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    (order, pixel), (finer, child) = sorted([a, b])
    return child // 4 ** (finer - order) == pixel


def without_overlap(tiles: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for tile in tiles:
        if not any(overlap(tile, other) for other in kept):
            kept.append(tile)
    return kept


@given(
    tiles=st.lists(tiles, max_size=15).map(without_overlap),
    points=st.lists(indices, max_size=10),
    ranges=st.lists(st.tuples(indices, st.integers(1, 4**27)), max_size=6),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_look_ups_are_those_of_brute_force(
    tiles: list[tuple[int, int]], points: list[int], ranges: list[tuple[int, int]], data: st.DataObject
) -> None:
    tiling = Tiling(*np.array(tiles, np.int64).reshape(-1, 2).T)
    bounds = {t: (t[1] * 4 ** (29 - t[0]), (t[1] + 1) * 4 ** (29 - t[0])) for t in tiles}
    assert list(tiling) == sorted(tiles, key=bounds.__getitem__)
    if tiles:  # points at the very borders too
        edges = bounds[data.draw(st.sampled_from(tiles))]
        points = [*points, edges[0], edges[1] - 1, min(edges[1], N_INDEX - 1), max(edges[0] - 1, 0)]
        ranges = [*ranges, (edges[1], 1), (max(edges[0] - 1, 0), 1)]
    for point, at in zip(points, tiling.locate(points), strict=True):
        holding = [n for n, t in enumerate(tiling) if bounds[t][0] <= point < bounds[t][1]]
        assert ([at] if at >= 0 else []) == holding

    ends: list[tuple[int, int]] = []  # sorted and apart, as the method asks
    for lo, width in sorted(ranges):
        if not ends or lo >= ends[-1][1]:
            ends.append((lo, lo + width))
    starts, stops = np.array(ends, np.int64).reshape(-1, 2).T
    expected = [any(a < bounds[t][1] and b > bounds[t][0] for a, b in ends) for t in tiling]
    assert tiling.overlapping(starts, stops).tolist() == expected


@given(a=tiles, b=tiles)
@settings(deadline=None)
def test_overlapping_pixels_are_refused(a: tuple[int, int], b: tuple[int, int]) -> None:
    order, pixel = np.array([a, b]).T
    if overlap(a, b):
        with pytest.raises(CatalogError, match="overlap"):
            Tiling(order, pixel)
    else:
        assert set(Tiling(order, pixel)) == {a, b}


def test_an_overlap_of_pixels_that_are_not_next_to_each_other_is_seen() -> None:
    with pytest.raises(CatalogError, match=r"\(0, 0\) and \(2, 3\) overlap"):
        Tiling(np.array([2, 2, 0]), np.array([3, 9, 0]))


@pytest.mark.parametrize(("order", "pixel"), [(30, 0), (-1, 0), (0, 12), (2, -1), (29, N_INDEX)])
def test_pixels_that_do_not_exist_are_refused(order: int, pixel: int) -> None:
    with pytest.raises(CatalogError, match="no HEALPix pixel"):
        Tiling(np.array([1, order]), np.array([0, pixel]))


def test_equality_and_hash() -> None:
    a, b = Tiling(np.array([1, 0]), np.array([0, 3])), Tiling(np.array([0, 1]), np.array([3, 0]))
    assert a == b
    assert hash(a) == hash(b)
    assert a != Tiling(np.array([1]), np.array([0]))
    assert a != [(1, 0), (0, 3)]


def test_a_survey_of_3_500_000_coordinates_is_tiled(record_property: Callable[[str, object], None]) -> None:
    """All counts are right at full size; the time is reported (--junit-xml), as it depends on the machine."""
    rng = np.random.default_rng(4)
    n = 3_500_000
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    start = time.perf_counter()
    index = healpix29(ra, dec)
    tiling = adaptive_tiling(index, max_rows=50_000)
    record_property("seconds", round(time.perf_counter() - start, 2))
    counts = np.bincount(tiling.locate(index), minlength=len(tiling))
    assert counts.sum() == n
    assert counts.max() <= 50_000
    # Full sky at this depth is even: 12 * 4 ** 2 pixels of 18,229 rows on average.
    assert list(tiling) == [(2, pixel) for pixel in range(192)]
