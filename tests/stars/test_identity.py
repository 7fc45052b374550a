"""Star identity against a brute-force reading of its rules."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import UsageError
from lkmrs_dask.sky.index import healpix29
from lkmrs_dask.stars.friends import close_pairs, friends_of_friends, normalised
from lkmrs_dask.stars.identity import Stars, designation, resolve_stars

ARCSEC = 1 / 3600
# The reference computes angles in another way; the two agree to 1e-9 arcsec near a few arcsec, so examples
# with a pair this near to the radius, where <= is decided by rounding, are skipped.
EDGE = 1e-6

Sighting = tuple[str | None, float, float, int]


def vector(ra: float, dec: float) -> tuple[float, float, float]:
    lon, lat = math.radians(ra), math.radians(dec)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def angle_arcsec(a: tuple, b: tuple) -> float:
    """Angle between vectors from the two sides of a right triangle, exact for small angles."""
    cross = math.dist(
        (0, 0, 0), (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    )
    return math.degrees(math.atan2(cross, sum(x * y for x, y in zip(a, b, strict=True)))) * 3600


def groups_by_walking(points: list[tuple[float, float]], radius: float) -> list[set[int]]:
    """Single linkage by flooding from each point, O(n^2)."""
    vectors = [vector(*p) for p in points]
    left, groups = set(range(len(points))), []
    while left:
        todo = [left.pop()]
        group = set(todo)
        while todo:
            here = todo.pop()
            near = {k for k in left if angle_arcsec(vectors[here], vectors[k]) <= radius}
            left -= near
            group |= near
            todo.extend(near)
        groups.append(group)
    return groups


def touches_the_edge(points: list[tuple[float, float]], radius: float) -> bool:
    vectors = [vector(*p) for p in points]
    return any(
        abs(angle_arcsec(a, b) - radius) < EDGE for k, a in enumerate(vectors) for b in vectors[k + 1 :]
    )


def canonical(rows: dict[tuple[float, float], int]) -> tuple[float, float]:
    """Most rows; nearest to the mean direction, to 1e-6 arcsec over the mean vector's length; lowest."""
    best = [p for p in rows if rows[p] == max(rows.values())]
    mean = tuple(math.fsum(vector(*p)[k] for p in rows) / len(rows) for k in range(3))
    off = {p: angle_arcsec(vector(*p), mean) for p in best}
    return min(p for p in best if off[p] <= min(off.values()) + 1e-6 / math.dist((0, 0, 0), mean))


def resolve_plainly(sightings: list[Sighting], radius: float) -> dict[frozenset, tuple[float, float]]:
    """Return sets of (uid, ra, dec) that are one star, and its canonical position, by the rules."""
    rows: dict[tuple, int] = defaultdict(int)
    for uid, ra, dec, n in sightings:
        rows[(uid, ra % 360, dec)] += n
    members: dict[str, set] = defaultdict(set)
    for key in rows:
        if key[0] is not None:
            members[key[0]].add(key)
    uids = sorted(members)
    homes = [canonical({k[1:]: rows[k] for k in members[u]}) for u in uids]
    alone = [k for k in rows if k[0] is None]
    points = [k[1:] for k in alone] + homes
    stars = [set(members[u]) for u in uids]
    for group in groups_by_walking(points, radius):
        held = sorted(k - len(alone) for k in group if k >= len(alone))
        free = [alone[k] for k in group if k < len(alone)]
        if len(held) == 1:
            stars[held[0]].update(free)
            continue
        over = []
        for key in free:
            reach = [(angle_arcsec(vector(*key[1:]), vector(*homes[h])), h) for h in held]
            reach = [r for r in reach if r[0] <= radius]
            if reach:
                # Equal distances differ by rounding: 1e-9 arcsec; the lowest uid wins.
                stars[min(h for d, h in reach if d <= min(reach)[0] + 1e-9)].add(key)
            else:
                over.append(key)
        stars.extend({over[k] for k in g} for g in groups_by_walking([k[1:] for k in over], radius))
    found = {}
    for star in stars:
        at: dict[tuple[float, float], int] = defaultdict(int)
        for key in star:
            at[key[1:]] += rows[key]
        found[frozenset(star)] = canonical(at)
    return found


def resolve(sightings: list[Sighting], radius: float = 3.0, **settings_: float) -> Stars:
    uid, ra, dec, n = zip(*sightings, strict=True)
    return resolve_stars(pa.array(uid, pa.string()), ra, dec, n, radius, **settings_)


def clumps(seed: int, n: int = 40) -> list[tuple[float, float]]:
    """Positions in clumps of some arcsec, at the poles, across RA 0 and elsewhere, some of them equal."""
    rng = np.random.default_rng(seed)
    homes = [(0.0, 90.0), (123.0, -90.0), (0.0, 0.0), (359.9999, 45.0), (180.0, -0.0001), (77.0, 89.9995)]
    points: list[tuple[float, float]] = []
    for _ in range(n):
        ra, dec = homes[rng.integers(len(homes))]
        dec = dec + rng.normal(0, 4) * ARCSEC
        ra = ra + rng.normal(0, 4) * ARCSEC / max(math.cos(math.radians(dec)), 1e-5)
        if abs(dec) > 90:
            ra, dec = ra + 180, math.copysign(180 - abs(dec), dec)
        points.append((round(ra % 360, 7) % 360, round(dec, 7)))
        if rng.random() < 0.2:
            points.append(points[rng.integers(len(points))])
    return points


def columns(points: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([p[0] for p in points]), np.array([p[1] for p in points])


# Friends of friends


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


# Stars


def sightings_of(seed: int) -> list[Sighting]:
    rng = np.random.default_rng(seed)
    names = [None, None, "G1", "G2", "L3", "G4", "G5"]
    return [(names[rng.integers(7)], ra, dec, int(rng.integers(1, 4))) for ra, dec in clumps(seed, 25)]


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 3.0]))
@settings(max_examples=50, deadline=None)
def test_stars_against_the_rules(seed: int, radius: float) -> None:
    sightings = sightings_of(seed)
    assume(not touches_the_edge([s[1:3] for s in sightings], radius))
    stars = resolve(sightings, radius)
    found = {
        frozenset(
            (s[0], s[1] % 360, s[2]) for s, k in zip(sightings, stars.star, strict=True) if k == star
        ): (
            stars.ra[star],
            stars.dec[star],
        )
        for star in range(len(stars))
    }
    assert found == resolve_plainly(sightings, radius)
    for k in range(len(stars)):
        mine = [s for s, star in zip(sightings, stars.star, strict=True) if star == k]
        assert stars.n_rows[k] == sum(s[3] for s in mine)
        assert stars.n_positions[k] == len({s[1:3] for s in mine})
        here = vector(stars.ra[k], stars.dec[k])
        # 1e-8 arcsec: haversine loses some digits near the poles' antipode only, these are small angles.
        spread = max(angle_arcsec(here, vector(*s[1:3])) for s in mine)
        assert stars.spread_arcsec[k] == pytest.approx(spread, abs=1e-8, rel=1e-7)
        assert {s[0] for s in mine} - {None} == ({stars.uid[k].as_py()} - {None})
    assert stars.star_id.null_count == 0
    assert len(set(stars.star_id.to_pylist())) == len(stars)
    np.testing.assert_array_equal(stars.healpix29, healpix29(stars.ra, stars.dec))
    keys = list(zip(stars.healpix29.tolist(), stars.star_id.to_pylist(), strict=True))
    assert keys == sorted(keys)


@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_order_and_splitting_of_rows_do_not_matter(seed: int, random: Random) -> None:
    sightings = sightings_of(seed)
    first = resolve(sightings)
    # Split the rows of each entry, turn some right ascensions by 360 deg, and shuffle.
    pieces = [(k, (uid, ra, dec, 1)) for k, (uid, ra, dec, n) in enumerate(sightings) for _ in range(n)]
    random.shuffle(pieces)
    second = resolve(
        [(u, 360.0 if ra == 0.0 and random.random() < 0.5 else ra, d, n) for _, (u, ra, d, n) in pieces]
    )
    np.testing.assert_array_equal(second.star, first.star[[k for k, _ in pieces]])
    for name in ("star_id", "uid", "suspicious"):
        assert getattr(second, name).equals(getattr(first, name))
    for name in ("ra", "dec", "healpix29", "n_rows", "n_positions", "spread_arcsec"):
        np.testing.assert_array_equal(getattr(second, name), getattr(first, name))


def test_kic_8098300() -> None:
    """Its position differs by 0.3 arcsec between plates; headers of LAMOST's files carry no uid."""
    a, b = (292.058716, 43.925304), (292.058709, 43.925216)
    stars = resolve([(None, *a, 46), (None, *b, 10)])
    assert stars.star.tolist() == [0, 0]
    # LAMOST itself calls the star J192814.09+435531.0 on the first plate.
    assert stars.star_id.to_pylist() == ["LKMRS J192814.09+435531.0"]
    assert (stars.ra[0], stars.dec[0]) == a
    assert (stars.n_rows[0], stars.n_positions[0]) == (56, 2)
    assert stars.spread_arcsec[0] == pytest.approx(0.3173, abs=2e-4)
    # With more rows on the other plate, that position is the star's; a uid on either names it.
    assert resolve([(None, *a, 9), (None, *b, 10)]).star_id.to_pylist() == ["LKMRS J192814.09+435530.7"]
    named = resolve([(None, *a, 46), ("G123", *b, 10)])
    assert (named.star.tolist(), named.star_id.to_pylist(), named.uid.to_pylist()) == (
        [0, 0],
        ["G123"],
        ["G123"],
    )


def test_epic_targets(shared: Path) -> None:
    """99,369 EPIC ids in 103,613 rows; 24 pairs of ids lie within 1 arcsec; no id is torn apart."""
    ids, points = [], []
    for path in sorted((shared / "data" / "k2_input_lkmrs").glob("K2_*_plate.csv")):
        with path.open() as lines:
            for row in csv.DictReader(lines):
                ids.append(row["OBJID"])
                points.append((float(row["RADEG"]), float(row["DECDEG"])))
    ra, dec = np.transpose(points)
    one = np.ones(len(ids), int)
    by_id = resolve_stars(pa.array(ids), ra, dec, one, 1.0)
    assert (len(ids), len(by_id)) == (103_613, 99_369)
    assert sum(by_id.n_rows > 1) == 4_244  # ids on two lists, always with the same position
    assert by_id.spread_arcsec.max() == 0.0

    by_place = resolve_stars(pa.nulls(len(ids), pa.string()), ra, dec, one, 1.0)
    assert len(by_place) == 99_345
    ids_of, places_of = defaultdict(set), defaultdict(set)
    for star, name in zip(by_place.star.tolist(), ids, strict=True):
        ids_of[star].add(name)
        places_of[name].add(star)
    assert max(map(len, places_of.values())) == 1
    assert sorted(map(len, ids_of.values()))[-25:] == [1] + [2] * 24

    # Ids on the first half of the rows only: a row without id finds its star again by position.
    half = [name if k < len(ids) // 2 else None for k, name in enumerate(ids)]
    mixed = resolve_stars(pa.array(half, pa.string()), ra, dec, one, 1.0)
    named = {name: star for name, star in zip(half, mixed.star.tolist(), strict=True) if name is not None}
    again = [
        (named[n], s)
        for n, h, s in zip(ids, half, mixed.star.tolist(), strict=True)
        if h is None and n in named
    ]
    assert len(again) > 1_000
    assert all(a == b for a, b in again)


def test_uid_holds_a_star_together_and_reports_it() -> None:
    stars = resolve(
        [("G1", 10.0, 0.0, 5), ("G1", 10.0, 0.1, 1), ("G1", 10.0, 0.001, 1), (None, 10.0, 0.1, 2)]
    )
    # The position without uid lies on a stray position of G1, not on its canonical one: a star of its own.
    assert sorted(stars.n_rows.tolist()) == [2, 7]
    assert stars.suspicious.to_pylist() == [
        {"star_id": "G1", "ra": 10.0, "dec": 0.1, "n_rows": 1, "separation_arcsec": pytest.approx(360.0)}
    ]
    assert (
        resolve([("G1", 10.0, 0.0, 5), ("G1", 10.0, 0.1, 1)], uid_spread_arcsec=400.0).suspicious.num_rows
        == 0
    )


def test_between_two_uid_stars() -> None:
    step = 2 * ARCSEC
    named = [("G2", 10.0, 0.0, 1), ("G1", 10.0, 2 * step, 1)]
    stars = resolve(
        [
            *named,
            (None, 10.0, step, 1),
            (None, 10.0, 0.4 * step, 1),
            (None, 10.0, 4 * step, 1),
            (None, 10.0, 5 * step, 1),
        ],
        2.5,
    )
    g2, g1, middle, near_g2, far, further = stars.star
    assert near_g2 == g2
    assert middle in (g1, g2)  # half-way but for rounding
    assert far == further
    assert far not in (g1, g2)
    # Symmetric about the equator the two separations are equal bit for bit: the lowest uid.
    tie = resolve([("G2", 10.0, -step, 1), ("G1", 10.0, step, 1), (None, 10.0, 0.0, 1)])
    assert tie.star[2] == tie.star[1]
    # Two uids at one place are two stars.
    assert len(resolve([("G2", 10.0, 0.0, 1), ("G1", 10.0, 0.0, 1)])) == 2
    assert resolve([("G2", 10.0, 0.0, 1), ("G1", 10.0, 0.0, 1), (None, 10.0, 0.0, 1)]).star.tolist() == [
        1,
        0,
        0,
    ]


def test_what_two_uid_stars_leave_over_is_linked_anew() -> None:
    # Left and right hang together only through what the uid stars in the middle take.
    at = {"left": -5.0, "near left": -2.5, "near right": 3.0, "right": 5.5, "right too": 7.0}
    named = [("G1", 10.0, 0.0, 1), ("G2", 10.0, 0.5 * ARCSEC, 1)]
    stars = resolve([*named, *((None, 10.0, dec * ARCSEC, 1) for dec in at.values())])
    g1, g2, left, near_left, near_right, right, right_too = stars.star.tolist()
    assert (near_left, near_right) == (g1, g2)
    assert right == right_too
    assert len({g1, g2, left, right}) == len(stars) == 4


def test_one_uid_star_takes_its_whole_group() -> None:
    chain = [(None, 10.0, k * 2 * ARCSEC, 1) for k in range(1, 6)]
    stars = resolve([("G1", 10.0, 0.0, 1), *chain])
    assert len(stars) == 1
    # Rows decide the place, ties go to the middle of the six: 4 or 6 arcsec are equally near, the lower wins.
    assert stars.dec[0] == 2 * 2 * ARCSEC


def test_blank_uids_and_chunks() -> None:
    uid = pa.chunked_array([["", " "], [None, "G1"]], pa.string())
    stars = resolve_stars(uid, [1.0, 2.0, 3.0, 4.0], [0.0] * 4, [1] * 4)
    assert stars.uid.null_count == 3
    assert stars.star_id.to_pylist().count("G1") == 1
    large = resolve_stars(pa.array(["G1", None], pa.large_string()), [1.0, 2.0], [0.0, 0.0], [1, 1])
    assert large.star_id.type == pa.string()
    assert (
        resolve_stars(uid.dictionary_encode(), [1.0, 2.0, 3.0, 4.0], [0.0] * 4, [1] * 4).star_id
        == stars.star_id
    )


def test_no_sightings() -> None:
    stars = resolve_stars(pa.array([], pa.string()), [], [], [])
    assert len(stars) == len(stars.star) == stars.suspicious.num_rows == 0


def test_bad_calls() -> None:
    with pytest.raises(UsageError, match="1, 2, 2 and 2 entries"):
        resolve_stars(pa.array(["a"]), [1.0, 2.0], [1.0, 2.0], [1, 1])
    with pytest.raises(UsageError, match="count is 0"):
        resolve_stars(pa.array(["a"]), [1.0], [1.0], [0])
    with pytest.raises(UsageError, match="no place on the sky"):
        resolve_stars(pa.array(["a"]), [1.0], [-95.0], [1])


# Names


@pytest.mark.parametrize(
    ("ra", "dec", "name"),
    [
        (292.058716, 43.925304, "192814.09+435531.0"),
        (292.058709, 43.925216, "192814.09+435530.7"),
        (345.797708, 32.226539, "230311.44+321335.5"),  # both as in the headers of LAMOST's files
        (0.0, 0.0, "000000.00+000000.0"),
        (359.9999999, -0.00001, "235959.99-000000.0"),
        (360.0, 90.0, "000000.00+900000.0"),
        (15.0, -89.99999, "010000.00-895959.9"),
        (1.1 * 15, 1.1, "010600.00+010600.0"),  # 1.1 deg is a bit below 3960 arcsec in binary
        (180.0, 0.7, "120000.00+004200.0"),
    ],
)
def test_designation(ra: float, dec: float, name: str) -> None:
    assert designation([ra], [dec]).to_pylist() == [f"LKMRS J{name}"]


@given(
    st.integers(0, 24 * 360000 - 1),
    st.integers(-90 * 36000, 90 * 36000),
    st.floats(0.01, 0.99),
    st.floats(0.01, 0.99),
)
@settings(max_examples=200, deadline=None)
def test_designation_truncates(centiseconds: int, tenths: int, more: float, and_more: float) -> None:
    sign, size = ("-", -tenths) if tenths < 0 else ("+", tenths)
    if size == 90 * 36000:
        centiseconds, more, and_more = 0, 0.0, 0.0
    ra, dec = (centiseconds + more) / 24000, (size + and_more) / 36000
    h, m, s = centiseconds // 360000, centiseconds // 6000 % 60, centiseconds % 6000
    d, am, asec = size // 36000, size // 600 % 60, size % 600
    expected = f"LKMRS J{h:02}{m:02}{s // 100:02}.{s % 100:02}{sign}{d:02}{am:02}{asec // 10:02}.{asec % 10}"
    assert designation([ra], [-dec if sign == "-" else dec]).to_pylist() == [expected]


def test_stars_of_one_name_get_letters() -> None:
    # 40 stars within one step of the name, told apart with a radius of 0.2 milli-arcsec.
    rng = np.random.default_rng(3)
    ra, dec = 10 + rng.uniform(0, 0.1, 40) * ARCSEC, 20 + rng.uniform(0, 0.1, 40) * ARCSEC
    stars = resolve_stars(pa.nulls(41, pa.string()), [*ra, 11.0], [*dec, 20.0], np.ones(41, int), 2e-4)
    names = stars.star_id.to_pylist()
    assert names.pop(int(stars.star[-1])) == "LKMRS J004400.00+200000.0"
    base = "LKMRS J004000.00+200000.0"
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"a{c}" for c in "abcdefghijklmn")]
    assert names == [base + x for x in letters]  # stars are in sky order, and so are the letters
