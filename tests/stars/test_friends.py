"""Friends of friends against flooding, and close pairs against all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from identity_oracle import (
    ARCSEC,
    angle_arcsec,
    clumps,
    columns,
    groups_by_walking,
    touches_the_edge,
    vector,
)

from lkmrs_dask.errors import UsageError
from lkmrs_dask.sky.index import healpix29
from lkmrs_dask.stars.friends import close_pairs, friends_of_friends, normalised


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.2, 1.0, 3.0, 7.0]))
@settings(max_examples=30, deadline=None)
def test_friends_against_flooding(seed: int, radius: float) -> None:
    points = clumps(seed)
    assume(not touches_the_edge(points, radius))
    group = friends_of_friends(*columns(points), radius)
    found = {frozenset(np.flatnonzero(group == g).tolist()) for g in np.unique(group)}
    assert found == {frozenset(g) for g in groups_by_walking(points, radius)}
    # Numbered without gaps, in order of the lowest HEALPix index.
    index = healpix29(*columns(points))
    assert np.unique(group).tolist() == list(range(len(found)))
    lowest = [index[group == g].min() for g in range(len(found))]
    assert lowest == sorted(lowest)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_close_pairs_against_all_pairs(seed: int) -> None:
    points = clumps(seed, 60)
    assume(not touches_the_edge(points, 3.0))
    pairs = [
        (int(i), int(j)) for block in close_pairs(*columns(points), 3.0) for i, j in zip(*block, strict=True)
    ]
    vectors = [vector(*p) for p in points]
    expected = {
        (i, j) for i in range(len(points)) for j in range(i) if angle_arcsec(vectors[i], vectors[j]) <= 3.0
    }
    assert len(pairs) == len(expected)  # each once
    assert {(max(p), min(p)) for p in pairs} == expected


@pytest.mark.parametrize("radius", [0.05, 30.0, 3600.0, 100 * 3600.0])
def test_friends_at_other_radii(radius: float) -> None:
    rng = np.random.default_rng(7)
    size = radius * ARCSEC * 3
    points = [
        (float(200 + rng.uniform(0, size)), float(20 + rng.uniform(0, min(size, 60)))) for _ in range(60)
    ]
    assert not touches_the_edge(points, radius)
    group = friends_of_friends(*columns(points), radius)
    found = {frozenset(np.flatnonzero(group == g).tolist()) for g in np.unique(group)}
    assert found == {frozenset(g) for g in groups_by_walking(points, radius)}


def test_chain_links_ends_far_apart() -> None:
    dec = np.arange(5000) * 2.9 * ARCSEC
    dec = np.delete(dec, 3000)
    order = np.random.default_rng(0).permutation(len(dec))
    group = np.empty(len(dec), int)
    group[order] = friends_of_friends(np.full(len(dec), 10.0), dec[order], 3.0)
    assert len(set(group[:3000])) == len(set(group[3000:])) == 1
    assert group[0] != group[-1]


def test_dense_clumps_do_not_blow_up() -> None:
    # 1e6 equal positions, and 5,000 different ones within 0.5 arcsec: 5e11 pairs if each were looked at.
    rng = np.random.default_rng(1)
    ra = np.concatenate([np.full(1_000_000, 10.0), 20 + rng.uniform(0, 0.5, 5000) * ARCSEC])
    dec = np.concatenate([np.full(1_000_000, 0.0), rng.uniform(0, 0.5, 5000) * ARCSEC])
    group = friends_of_friends(ra, dec, 3.0)
    assert np.unique(group).size == 2
    assert np.unique(group[:1_000_000]).size == 1


def test_friends_of_few() -> None:
    assert friends_of_friends([], [], 3.0).shape == (0,)
    assert friends_of_friends([5.0], [5.0], 3.0).tolist() == [0]
    assert friends_of_friends([0.0, 360.0, -360.0], [5.0, 5.0, 5.0], 0.0).tolist() == [0, 0, 0]
    assert friends_of_friends([0.0, 90.0, 200.0], [90.0, 90.0, 90.0], 0.0).tolist() == [0, 0, 0]
    assert friends_of_friends([359.9999, 0.0001], [0.0, 0.0], 1.0).tolist() == [0, 0]
    # RA -1e-20 is RA 0, though the remainder by 360 rounds to 360.
    assert normalised([-1e-20, 720.0, 33.0], [0.0, 1.0, -90.0])[0].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("ra", "dec", "radius"),
    [
        ([1.0], [91.0], 3.0),
        ([np.nan], [0.0], 3.0),
        ([1.0], [np.nan], 3.0),
        ([1.0], [0.0], -1.0),
        ([np.inf], [0.0], 3.0),
    ],
)
def test_friends_refuse(ra: list, dec: list, radius: float) -> None:
    with pytest.raises(UsageError, match=r"radius_arcsec|no place on the sky"):
        friends_of_friends(ra, dec, radius)
