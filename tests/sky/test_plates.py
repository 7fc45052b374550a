"""Plate centres, missions and footprints."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.sky.plates import (
    KEPLER_FIELD,
    MISSION_RADIUS_DEG,
    PLATE_RADIUS_DEG,
    field_by_footprint,
    k2_fields,
    mission_of_plate,
    mission_of_plates,
    parse_plan,
    plate,
    plate_centres,
    plate_name,
)

TEST_PHASE = {
    "HIP95119KP01": "K1a1.1",
    "TD082325N180811K02": "K2d1.1",
    "TD084844N123545K02": "K2d2.1",
    "TD085754N225914K02": "K2e1.1",
    "TD103827N055449K02": "K2d4.1",
}


def separation_deg(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """Plain Vincenty formula, scalar."""
    lon, phi, psi = math.radians(ra2 - ra1), math.radians(dec1), math.radians(dec2)
    across = math.hypot(
        math.cos(psi) * math.sin(lon),
        math.cos(phi) * math.sin(psi) - math.sin(phi) * math.cos(psi) * math.cos(lon),
    )
    along = math.sin(phi) * math.sin(psi) + math.cos(phi) * math.cos(psi) * math.cos(lon)
    return math.degrees(math.atan2(across, along))


@pytest.mark.parametrize(
    ("planid", "ra", "dec"),
    [
        ("TD192102N424113K01", 15 * (19 + 21 / 60 + 2 / 3600), 42 + 41 / 60 + 13 / 3600),
        ("HD184250N365730V", 15 * (18 + 42 / 60 + 50 / 3600), 36 + 57 / 60 + 30 / 3600),
        ("KP193637N444141V03", 15 * (19 + 36 / 60 + 37 / 3600), 44 + 41 / 60 + 41 / 3600),
        ("NT000000S003000B01", 0.0, -0.5),
        ("TD235959N900000K01", 15 * (23 + 59 / 60 + 59 / 3600), 90.0),
    ],
)
def test_parse_plan(planid: str, ra: float, dec: float) -> None:
    found = parse_plan(planid)
    assert found is not None
    # 1e-12 deg: the two ways of adding the parts differ by rounding only.
    assert found == pytest.approx((ra, dec), abs=1e-12)


@pytest.mark.parametrize(
    "planid",
    [
        "HIP95119KP01",
        "",
        "TD",
        "TD252102N424113K01",  # 25 h
        "TD192102N429913K01",  # 99 min
        "TD196002N424113K01",  # 60 min
        "TD192160N424113K01",
        "TD192102N424160K01",
        "TD192102N900001K01",  # beyond the pole
        "TD192102X424113K01",
        "TD19210N424113K01",
        "GAC082N27B1",
        "192102N424113",
        "TD192102N42411312345",  # the digits run on: no declination of six digits
    ],
)
def test_plans_without_a_position(planid: str) -> None:
    assert parse_plan(planid) is None


@given(st.integers(0, 86399), st.integers(-324000, 324000), st.sampled_from(["TD", "HD", "KP", "NT", "x"]))
@settings(max_examples=200, deadline=None)
def test_parse_plan_inverts_the_name(second: int, arcsec: int, letters: str) -> None:
    h, m, s = second // 3600, second // 60 % 60, second % 60
    d, am, asec = abs(arcsec) // 3600, abs(arcsec) // 60 % 60, abs(arcsec) % 60
    sign = "S" if arcsec < 0 else "N"
    found = parse_plan(f"{letters}{h:02}{m:02}{s:02}{sign}{d:02}{am:02}{asec:02}K01")
    assert found == (second / 240, arcsec / 3600)


def test_plate_centres_of_arrays_with_nulls_and_repeats() -> None:
    ids = ["TD192102N424113K01", None, "HIP95119KP01", "what", "TD192102N424113K01"]
    for planids in (
        ids,
        pa.array(ids),
        pa.chunked_array([ids[:2], ids[2:]]),
        pa.array(ids).dictionary_encode(),
    ):
        ra, dec = plate_centres(planids)
        np.testing.assert_array_equal(np.isnan(ra), [False, True, False, True, False])
        assert (ra[2], dec[2]) == (290.262, 42.687)
        assert (ra[0], dec[0]) == (ra[4], dec[4]) == parse_plan("TD192102N424113K01")
    ra, dec = plate_centres([])
    assert ra.shape == dec.shape == (0,)
    assert np.isnan(plate_centres(pa.array([None], pa.string()))[0]).all()


def test_names_of_the_test_phase() -> None:
    assert {planid: plate_name(planid) for planid in TEST_PHASE} == TEST_PHASE
    assert all(plate(planid).test_phase and np.isfinite(plate(planid).ra) for planid in TEST_PHASE)
    assert (plate("TD192102N424113K01").name, plate("TD192102N424113K01").test_phase) == ("K1a1", False)
    other = plate("TD193637N444141K01")
    assert (other.name, other.test_phase) == ("TD193637N444141K01", False)
    # K1a1 has the centre that LAMOST's list gives for HIP95119: what the paper says of K1a1.1.
    first, test = plate("TD192102N424113K01"), plate("HIP95119KP01")
    assert separation_deg(first.ra, first.dec, test.ra, test.dec) < 11 / 3600
    # K1a1 in Kepler's field, the others in fields that K2 observed, as their names say.
    missions = [mission_of_plate(plate(p).ra, plate(p).dec) for p in TEST_PHASE]
    assert missions == ["Kepler", "K2", "K2", "K2", "K2"]


def test_missions() -> None:
    assert mission_of_plate(*KEPLER_FIELD) == "Kepler"
    assert mission_of_plate(KEPLER_FIELD[0], KEPLER_FIELD[1] + MISSION_RADIUS_DEG - 0.01) == "Kepler"
    assert mission_of_plate(KEPLER_FIELD[0], KEPLER_FIELD[1] + MISSION_RADIUS_DEG + 0.01) is None
    assert mission_of_plate(345.46, 34.61) is None  # another sub-project
    assert mission_of_plate(float("nan"), 0.0) is None
    assert mission_of_plate(358.0, -2.0) == "K2"  # campaign 12 lies west of RA 0
    assert mission_of_plates([290.0, 16.3], [44.0, 5.3]) == ["Kepler", "K2"]


def test_missions_by_setting() -> None:
    fields = {"TESS CVZ": [(270.0, 66.56, 12.0)], "Kepler": [(290.667, 44.5, 30.0)]}
    assert mission_of_plate(275.0, 60.0, fields) == "TESS CVZ"  # both fit: the first wins
    assert mission_of_plate(290.0, 30.0, fields) == "Kepler"
    assert mission_of_plate(16.3, 5.3, fields) is None
    assert mission_of_plate(16.3, 5.3, {"none": []}) is None


def test_k2_fields_against_the_target_lists(shared: Path) -> None:
    lists = sorted((shared / "data" / "k2_input_lkmrs").glob("K2_*_plate.csv"))
    assert len(lists) == 9
    fields = k2_fields()
    assert sorted(fields) == list(range(20))
    for path in lists:
        with path.open() as lines:
            stars = [(float(row["RADEG"]), float(row["DECDEG"])) for row in csv.DictReader(lines)]
        centre = fields[int(path.name[3:5])]
        distance = [separation_deg(*centre, *star) for star in stars]
        # The detectors reach 7.99 deg; a list reaches the corners, which a wrong centre could not explain.
        assert 7.9 < max(distance) < 7.99
        assert min(distance) < 0.15
        assert mission_of_plate(*np.mean(stars, axis=0)) == "K2"


def test_field_of_real_star(shared: Path) -> None:
    ids = ["HIP95119KP01", "TD192102N424113K01", "TD193637N444141K01", "TD230151N343645T01"]
    ra, dec = plate_centres(ids)
    missions = mission_of_plates(ra, dec)
    assert missions == ["Kepler", "Kepler", "Kepler", None]
    # KIC 8098300, and the star of the other sub-project's file, which lies on a plate of no mission.
    field = field_by_footprint([292.058716, 345.797708], [43.925304, 32.226539], ra, dec, missions)
    assert field.to_pylist() == ["Kepler", None]


def test_edge_of_a_plate() -> None:
    edge = PLATE_RADIUS_DEG + 0.1
    dec = [10 + edge - 1e-6, 10 + edge + 1e-6]
    assert field_by_footprint([50.0, 50.0], dec, [50.0], [10.0], ["K2"]).to_pylist() == ["K2", None]
    bare = field_by_footprint([50.0], [12.55], [50.0], [10.0], ["K2"], tolerance_deg=0.0)
    assert bare.to_pylist() == [None]


def test_no_stars_no_plates_no_positions() -> None:
    assert field_by_footprint([], [], [50.0], [10.0], ["K2"]).type == pa.string()
    assert field_by_footprint([50.0], [10.0], [], [], []).to_pylist() == [None]
    assert field_by_footprint([50.0], [10.0], [np.nan], [np.nan], ["K2"]).to_pylist() == [None]
    assert field_by_footprint([np.nan, 50.0], [10.0, 10.0], [50.0], [10.0], ["K2"]).to_pylist() == [
        None,
        "K2",
    ]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_field_against_the_plain_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Plates at a pole and across RA 0, stars around them.
    centre_ra = np.array([0.5, 359.0, 100.0, 250.0, 290.0])
    centre_dec = np.array([0.0, 1.0, 89.0, -90.0, 44.0])
    missions = ["K2", "Kepler", "K2", None, "Kepler"]
    pick = rng.integers(0, 5, 60)
    ra = (centre_ra[pick] + rng.normal(0, 2, 60) / np.cos(np.radians(centre_dec[pick]) * 0.98)) % 360
    dec = np.clip(centre_dec[pick] + rng.normal(0, 2, 60), -90, 90)
    expected = []
    for star in zip(ra, dec, strict=True):
        distance = [separation_deg(*star, *c) for c in zip(centre_ra, centre_dec, strict=True)]
        near = [k for k in range(5) if missions[k] is not None and distance[k] <= 2.6]
        expected.append(missions[min(near, key=distance.__getitem__)] if near else None)
    assert field_by_footprint(ra, dec, centre_ra, centre_dec, missions).to_pylist() == expected


def test_more_stars_than_a_block() -> None:
    n = (1 << 18) + 5
    field = field_by_footprint(np.full(n, 50.0), np.full(n, 10.0), [50.0], [10.0], ["K2"])
    assert field.null_count == 0
    assert len(field) == n
