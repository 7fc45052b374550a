"""The pair finder alone, against all separations by astropy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from match_oracle import NOISE_ARCSEC, SITES, Sky, ambiguous, around, everywhere, joined, separations

from lkmrs_dask.errors import UsageError
from lkmrs_dask.matching import pairs as pairs_module
from lkmrs_dask.matching.pairs import Points, close_pairs, covering_ranges, distinct
from lkmrs_dask.sky.index import N_INDEX, healpix29, separation_arcsec


def all_pairs(left: Points, right: Points, radius: float) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for some in close_pairs(left, right, radius):
        for i, j, away in zip(*(values.tolist() for values in some), strict=True):
            assert (i, j) not in found, "each pair comes once"
            found[i, j] = away
    return found


def expected(away: np.ndarray, radius: float) -> dict[tuple[int, int], float]:
    return {(int(i), int(j)): float(away[i, j]) for i, j in np.argwhere(away <= radius)}


def assert_same(found: dict[tuple[int, int], float], wanted: dict[tuple[int, int], float]) -> None:
    assert found.keys() == wanted.keys()
    assert all(abs(found[pair] - wanted[pair]) <= NOISE_ARCSEC for pair in found)


@given(
    site=st.sampled_from(SITES),
    log_spread=st.floats(-1.5, 4.3),
    log_radius=st.floats(-1.5, 0.5),
    n=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    block=st.sampled_from([1, 7, 1 << 20]),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=200, deadline=None)
def test_pairs_are_those_of_brute_force(
    site: tuple[float, float], log_spread: float, log_radius: float, n: tuple[int, int], block: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    spread = 10.0**log_spread
    radius = float(np.clip(spread * 10.0**log_radius, 0.01, 7200.0))
    left, right = (joined(around(*site, spread, m, rng), everywhere(m // 4, rng)) for m in n)
    away = separations(left, right)
    assume(not ambiguous(away, radius))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_module, "_BLOCK", block)
        assert_same(all_pairs(Points.of(*left), Points.of(*right), radius), expected(away, radius))


@pytest.mark.parametrize("radius", [2e-7, 1e-5, 0.01, 1.0, 7200.0])
def test_radii_of_all_sizes(radius: float) -> None:
    """Down to far below the index: its pixels are 0.4 mas wide.  At RA 10 deg steps are of 6e-12 arcsec."""
    rng = np.random.default_rng(3)
    left, right = around(10.0, 5.0, 2 * radius, 80, rng), around(10.0, 5.0, 2 * radius, 90, rng)
    away = separations(left, right)
    found = all_pairs(Points.of(*left), Points.of(*right), radius)
    sure = {pair for pair, one in expected(away, radius * 1.1).items() if one <= radius - NOISE_ARCSEC}
    assert sure <= found.keys() <= expected(away, radius + NOISE_ARCSEC).keys()
    assert len(sure) > 1000


def test_the_radius_is_included() -> None:
    left, right = Points.of([10.0], [20.0]), Points.of([10.001], [20.002])
    radius = float(separation_arcsec(10.0, 20.0, 10.001, 20.002))
    assert len(all_pairs(left, right, radius)) == 1
    assert len(all_pairs(left, right, radius * (1.0 - 1e-11))) == 0


@pytest.mark.parametrize("dec", [90.0, -90.0])
def test_at_a_pole_right_ascension_means_nothing(dec: float) -> None:
    ra = np.linspace(0, 350, 36)
    found = all_pairs(Points.of(ra, np.full(36, dec)), Points.of(ra + 5.0, np.full(36, dec)), 0.01)
    assert len(found) == 36 * 36
    assert max(found.values()) < NOISE_ARCSEC


def test_turns_of_right_ascension_are_the_same_place_to_the_last_bit() -> None:
    ra = np.array([0.0, 360.0, -360.0, 720.0, -0.0])
    found = all_pairs(Points.of(ra, np.zeros(5)), Points.of(ra, np.zeros(5)), 0.01)
    assert found == {(i, j): 0.0 for i in range(5) for j in range(5)}
    west = Points.of([-12.5], [30.0])
    assert all_pairs(west, Points.of([347.5], [30.0]), 0.01) == {(0, 0): 0.0}


def test_rows_without_a_position_have_no_pair_and_keep_their_numbers() -> None:
    ra, dec = np.array([np.nan, 10.0, 10.0, np.inf, 9.0]), np.array([0.0, np.nan, 5.0, 5.0, 5.0])
    points = Points.of(ra, dec)
    assert len(points) == 2
    assert set(all_pairs(points, points, 1.0)) == {(2, 2), (4, 4)}
    assert all_pairs(Points.of([np.nan], [np.nan]), points, 7200.0) == {}


def test_a_given_index_is_sorted_with_its_rows() -> None:
    rng = np.random.default_rng(5)
    sky = everywhere(500, rng)
    sky = Sky(np.where(rng.random(500) < 0.1, np.nan, sky.ra), sky.dec)
    index = np.zeros(500, dtype=np.int64)
    known = np.isfinite(sky.ra)
    index[known] = healpix29(sky.ra[known], sky.dec[known])
    points = Points.of(*sky, index)
    assert np.all(np.diff(points.index) >= 0)
    rows = points.number(np.arange(len(points)))
    assert sorted(rows.tolist()) == np.flatnonzero(known).tolist()
    assert np.array_equal(points.index, index[rows])
    assert np.array_equal(points.ra, sky.ra[rows])
    some = points.take(points.dec > 0)
    assert np.array_equal(some.number(np.arange(len(some))), rows[points.dec > 0])


def test_of_one_point_or_none() -> None:
    none, one = Points.of([], []), Points.of([0.0], [0.0])
    assert all_pairs(none, one, 1.0) == all_pairs(one, none, 1.0) == all_pairs(none, none, 1.0) == {}
    assert all_pairs(one, one, 1.0) == {(0, 0): 0.0}
    lo, hi = covering_ranges(none.index, 1.0)
    assert len(lo) == len(hi) == 0


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan])
def test_a_radius_is_positive(radius: float) -> None:
    one = Points.of([0.0], [0.0])
    with pytest.raises(UsageError, match="must be positive"):
        list(close_pairs(one, one, radius))


def test_a_radius_may_be_too_large() -> None:
    with pytest.raises(UsageError, match="too large"):
        covering_ranges(np.array([5]), 500_000.0)


@given(site=st.sampled_from(SITES), log_radius=st.floats(-2, 3.9), seed=st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_ranges_cover_all_within_the_radius_and_little_more(
    site: tuple[float, float], log_radius: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    radius = min(10.0**log_radius, 7200.0)
    sky = around(*site, 3 * radius, 30, rng)
    lo, hi = covering_ranges(healpix29(*sky), radius)
    assert np.all(lo < hi)
    assert np.all(hi[:-1] < lo[1:]), "ranges that touch are joined"
    assert lo[0] >= 0
    assert hi[-1] <= N_INDEX
    near = around(*site, 4 * radius, 400, rng)
    index = healpix29(*near)
    covered = np.any((index[:, None] >= lo) & (index[:, None] < hi), axis=1)
    nearest = separations(near, sky).min(axis=1)
    assert np.all(covered[nearest <= radius])
    # Pixels are up to four times the radius wide, and the far side of one two pixels off is covered at most.
    far = everywhere(200, rng)
    outside = separations(far, sky).min(axis=1) > 20 * radius
    index = healpix29(*far)
    assert not np.any((index[outside, None] >= lo) & (index[outside, None] < hi))


def test_distinct() -> None:
    assert distinct(np.array([3, 1, 3, 2, 1])).tolist() == [1, 2, 3]
    assert distinct(np.empty(0, np.int64)).tolist() == []
