"""Trixels, and LAMOST's uid."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.synthetic.htm import htm_id

# Table 2 of the paper: uid, right ascension and declination, to 0.0036 arcsec: a hundredth of a trixel.
TABLE_2 = [
    (17096966435490, 10.580750, 7.910431), (16297522311478, 130.672740, 12.248783),
    (16342182680148, 134.722330, 20.573745), (16346217356100, 131.273770, 13.479998),
    (16353924667769, 133.371240, 17.788899), (16715670508803, 69.458066, 20.067119),
    (17066013434593, 12.628243, 6.568253), (16700197857117, 66.611719, 20.886968),
    (16342062317845, 133.435470, 21.399934), (16340116868661, 132.402140, 19.532971),
]  # fmt: skip


def corners(number: int) -> list[np.ndarray]:
    """Corners of a trixel, by going down the tree that its digits spell."""
    z, x, y = np.eye(3)[2], np.eye(3)[0], np.eye(3)[1]
    faces = {
        8: [x, -z, y], 9: [y, -z, -x], 10: [-x, -z, -y], 11: [-y, -z, x],
        12: [x, z, -y], 13: [-y, z, -x], 14: [-x, z, y], 15: [y, z, x],
    }  # fmt: skip
    digits = []
    while number > 15:
        digits.append(number % 4)
        number //= 4
    a, b, c = faces[number]
    for digit in reversed(digits):
        w0, w1, w2 = (u / np.linalg.norm(u) for u in (b + c, a + c, a + b))
        a, b, c = [(a, w2, w1), (b, w0, w2), (c, w1, w0), (w0, w1, w2)][digit]
    return [a, b, c]


def inside(number: int, ra: float, dec: float) -> bool:
    a, b, c = corners(number)
    lon, lat = np.radians(ra), np.radians(dec)
    point = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    # Rounding of the 20 levels adds up to some 1e-15; a trixel of level 20 is 1.5e-6 wide.
    return all(np.dot(np.cross(u, v), point) > -1e-14 for u, v in ((a, b), (b, c), (c, a)))


@given(st.floats(0, 360, exclude_max=True), st.floats(-90, 90), st.integers(0, 20))
@settings(max_examples=150)
def test_a_position_lies_in_its_trixel(ra: float, dec: float, level: int) -> None:
    number = int(htm_id(ra, dec, level)[0])
    assert 8 * 4**level <= number < 16 * 4**level
    assert inside(number, ra, dec)


@pytest.mark.parametrize(
    ("ra", "dec"), [(0, 90), (0, -90), (0, 0), (90, 0), (180, 0), (270, 0), (359.9999, 0)]
)
def test_poles_and_corners(ra: float, dec: float) -> None:
    assert inside(int(htm_id(ra, dec)[0]), ra, dec)


def test_uids_of_the_paper_are_trixels() -> None:
    uid, ra, dec = (np.array(values) for values in zip(*TABLE_2, strict=True))
    assert np.array_equal(htm_id(ra, dec), uid.astype(np.int64))


def test_uids_of_the_printed_tables(shared: Path) -> None:
    """Positions of Tables 4 and 5 are rounded to 0.036 arcsec, a tenth of a trixel."""
    exact = []
    # Arcsec: in the trixel or next to it; stars of high velocity have moved since their uid was given.
    for name, tolerance in (("table4_rows.csv", 0.5), ("table5_rows.csv", 3.0)):
        with (shared / "data" / "paper_tables" / name).open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                uid, ra, dec = int(row["uid"][1:]), float(row["ra"]), float(row["dec"])
                exact.append(int(htm_id(ra, dec)[0]) == uid)
                centre = np.sum(corners(uid), axis=0)
                centre = centre / np.linalg.norm(centre)
                lon, lat = np.radians(ra), np.radians(dec)
                point = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
                assert np.degrees(np.linalg.norm(centre - point)) * 3600 < tolerance, uid
    assert len(exact) == 19
    assert sum(exact) >= 12


def test_many_at_once_equal_one_by_one() -> None:
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 50), np.degrees(np.arcsin(rng.uniform(-1, 1, 50)))
    one = [int(htm_id(a, d)[0]) for a, d in zip(ra, dec, strict=True)]
    assert htm_id(ra, dec).tolist() == one
    assert len(htm_id([], [])) == 0
