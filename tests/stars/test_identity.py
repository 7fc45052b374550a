"""Star identity against a brute-force reading of its rules."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from identity_oracle import (
    ARCSEC,
    Sighting,
    angle_arcsec,
    clumps,
    resolve,
    resolve_plainly,
    touches_the_edge,
    vector,
)

from lkmrs_dask.errors import UsageError
from lkmrs_dask.sky.index import healpix29
from lkmrs_dask.stars.identity import designation, resolve_stars


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
