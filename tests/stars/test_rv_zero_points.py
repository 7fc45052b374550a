"""Zero points of spectrographs and exposures: injected ones come back, however the survey is divided."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.stars.rv_zero_points import (
    ZERO_POINT_SCHEMA,
    apply_zero_points,
    correct_velocities,
    rv_zero_points,
)
from lkmrs_dask.stars.rv_zero_summary import (
    STEP,
    ZeroPointSettings,
    ZeroPointSummary,
    merge_zero_points,
    summarise_zero_points,
)

NIGHTS, EXPOSURES, SPIDS, STARS = 6, 3, 4, 40


class Survey(NamedTuple):
    spectra: pa.Table
    reference: pa.Table
    zero: dict[tuple[str, int, int], float]  # by arm, spectrograph and minute


def make_survey(seed: int = 1) -> Survey:
    """Stars of each spectrograph, seen on all nights, with zero points of 0.4 km/s in their velocities."""
    rng = np.random.default_rng(seed)
    n = SPIDS * STARS
    true = rng.normal(0, 40, n)
    their_error = rng.uniform(0.2, 2.5, n)
    reference = pa.table(
        {
            "star_id": [f"s{k}" for k in range(n)],
            "radial_velocity": (true + rng.normal(0, their_error)).astype(np.float32),
            "radial_velocity_error": their_error.astype(np.float32),
            "rv_nb_transits": pa.array(rng.integers(3, 30, n), pa.int16()),
        }
    )
    rows, zero = [], {}
    for night in range(NIGHTS):
        for exposure in range(EXPOSURES):
            lmjm = 84_000_000 + 1440 * night + 25 * exposure
            for spid in range(1, SPIDS + 1):
                for arm, name in (("B", "rv_b0"), ("R", "rv_r0")):
                    zero[arm, spid, lmjm] = rng.normal(0, 0.4)
                    for k in range((spid - 1) * STARS, spid * STARS):
                        error = rng.uniform(0.5, 2.0)
                        rv = true[k] + zero[arm, spid, lmjm] + rng.normal(0, error)
                        rows.append(
                            {"star_id": f"s{k}", "spid": spid, "lmjd": 58_400 + night, "lmjm": lmjm,
                             "band": arm, "coadd": False, name: round(rv, 2), f"{name}_err": error}
                        )  # fmt: skip
    names = ("rv_b0", "rv_b0_err", "rv_r0", "rv_r0_err")
    schema = pa.schema(
        [
            ("star_id", pa.string()), ("spid", pa.int16()), ("lmjd", pa.int32()), ("lmjm", pa.int64()),
            ("band", pa.string()), ("coadd", pa.bool_()), *((name, pa.float64()) for name in names),
        ]
    )  # fmt: skip
    return Survey(pa.Table.from_pylist(rows, schema=schema), reference, zero)


@pytest.fixture(scope="module")
def survey() -> Survey:
    return make_survey()


def of_level(table: pa.Table, level: str) -> list[dict[str, Any]]:
    return table.filter(pc.equal(table.column("level"), level)).to_pylist()


def plain_weighted_median(values: list[float], weights: list[float]) -> float:
    pairs = sorted(zip(values, weights, strict=True))
    half, below = sum(weights) / 2, 0.0
    for value, weight in pairs:
        below += weight
        if below > half:
            return value
    raise AssertionError


def test_injected_zero_points_come_back(survey: Survey) -> None:
    found = of_level(
        rv_zero_points(summarise_zero_points(survey.spectra, survey.reference)).table, "exposure"
    )
    assert len(found) == len(survey.zero) == NIGHTS * EXPOSURES * SPIDS * 2
    pull = []
    for row in found:
        assert row["n"] == STARS
        assert row["lmjd"] == 58_400 + (row["lmjm"] - 84_000_000) // 1440
        pull.append((row["zero_point"] - survey.zero[row["arm"], row["spid"], row["lmjm"]]) / row["error"])
    # 8 spectrographs and arms share reference stars, and so their errors, over the nights.
    assert np.std(pull) == pytest.approx(1.0, abs=0.3)
    assert abs(np.mean(pull)) < 1.0
    assert np.max(np.abs(pull)) < 5


def test_medians_are_those_of_the_velocities(survey: Survey) -> None:
    """Within half a bin, and the weights' rounding to a part of 1,024, of a plain weighted median."""
    theirs = {row["star_id"]: row for row in survey.reference.to_pylist()}
    groups: dict[tuple[str, int, int], tuple[list[float], list[float]]] = {}
    for row in survey.spectra.to_pylist():
        name = {"B": "rv_b0", "R": "rv_r0"}[row["band"]]
        star = theirs[row["star_id"]]
        values, weights = groups.setdefault((row["band"], row["spid"], row["lmjm"]), ([], []))
        values.append(row[name] - star["radial_velocity"])
        weights.append((1 + row[f"{name}_err"] ** 2 + star["radial_velocity_error"] ** 2) ** -0.5)
    found = of_level(
        rv_zero_points(summarise_zero_points(survey.spectra, survey.reference)).table, "exposure"
    )
    exact = 0
    for row in found:
        values, weights = groups[row["arm"], row["spid"], row["lmjm"]]
        expected = plain_weighted_median(values, weights)
        exact += abs(row["zero_point"] - expected) <= STEP / 2 + 1e-9
        away = sorted(abs(value - row["zero_point"]) for value in values)
        # The middle of 40 distances with weights that differ by a factor of three at most.
        assert 0.7 * away[12] < row["scatter"] / 1.4826 / (40 / 39.2) < 1.3 * away[27]
    assert exact >= len(found) - 2  # where the half of the weight falls just between two velocities


@given(n_parts=st.integers(1, 5), seed=st.integers(0, 2**32))
@settings(max_examples=8, deadline=None)
def test_any_division_gives_the_same(survey: Survey, n_parts: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = summarise_zero_points(survey.spectra, survey.reference)
    star = np.array([int(name[1:]) for name in survey.spectra.column("star_id").to_pylist()])
    part = rng.integers(0, n_parts, SPIDS * STARS)[star]
    parts = []
    for k in rng.permutation(n_parts):
        rows = rng.permutation(np.flatnonzero(part == k))
        summary = summarise_zero_points(survey.spectra.take(pa.array(rows)), survey.reference)
        parts.append(ZeroPointSummary.from_json(json.loads(json.dumps(summary.as_json()))))
    merged = merge_zero_points([merge_zero_points(parts[:2]), merge_zero_points(parts[2:])])
    assert merged.cells.equals(whole.cells)
    assert merged.left_out == whole.left_out
    assert merged.n == whole.n
    assert rv_zero_points(merged).table.equals(rv_zero_points(whole).table)


def test_correction_removes_them(survey: Survey) -> None:
    zero_points = rv_zero_points(summarise_zero_points(survey.spectra, survey.reference))
    corrected = correct_velocities(survey.spectra, zero_points)
    assert len(corrected) == len(survey.spectra)
    for arm, start in (("B", "rv_b"), ("R", "rv_r")):
        rows = corrected.filter(pc.equal(corrected.column("band"), arm)).to_pylist()
        other = corrected.filter(pc.not_equal(corrected.column("band"), arm))
        assert other.column(f"{start}_corrected").null_count == len(other)
        assert other.column(f"{start}_zero_point_level").null_count == len(other)
        left = []
        for row in rows:
            assert row[f"{start}_zero_point_level"] == "exposure"
            assert row[f"{start}_corrected"] == row[f"{start}0"] - row[f"{start}_zero_point"]
            left.append(row[f"{start}_zero_point"] - survey.zero[arm, row["spid"], row["lmjm"]])
        before = [survey.zero[arm, row["spid"], row["lmjm"]] for row in rows]
        assert np.std(before) > 0.3
        assert np.std(left) < 0.3


def test_falls_back_to_night_and_survey(survey: Survey) -> None:
    """Exposure 2 of the first night of spectrograph 1 has three stars, the second night of it one in each."""
    star = np.array([int(name[1:]) for name in survey.spectra.column("star_id").to_pylist()])
    spid, lmjd, lmjm = (survey.spectra.column(name).to_numpy() for name in ("spid", "lmjd", "lmjm"))
    few = (spid == 1) & (lmjm == 84_000_050) & (star >= 3)
    alone = (spid == 1) & (lmjd == 58_401) & (star >= 1)
    table = survey.spectra.filter(pa.array(~few & ~alone))
    zero_points = rv_zero_points(summarise_zero_points(table, survey.reference))
    night = next(
        row for row in of_level(zero_points.table, "night")
        if (row["arm"], row["spid"], row["lmjd"]) == ("B", 1, 58_400)
    )  # fmt: skip
    whole = next(row for row in of_level(zero_points.table, "survey") if row["arm"] == "B")
    assert night["lmjm"] is None
    assert whole["spid"] is whole["lmjd"] is None
    places = [
        (1, 58_400, 84_000_000, "exposure"), (1, 58_400, 84_000_050, "night"),
        (1, 58_401, 84_001_440, "survey"),
        (1, 58_400, 84_000_051, "night"), (1, 58_400, -1, "night"), (9, 58_400, 84_000_000, "survey"),
        (-1, -1, -1, "survey"),
    ]  # fmt: skip
    spid, lmjd, lmjm = (np.array([place[k] for place in places]) for k in range(3))
    found = apply_zero_points(np.full(len(places), 10.0), "B", spid, lmjd, lmjm, zero_points)
    assert found.level.tolist() == [place[3] for place in places]
    assert found.zero_point[1] == night["zero_point"]
    assert found.zero_point[2] == whole["zero_point"]
    np.testing.assert_array_equal(found.rv, 10.0 - found.zero_point)
    # The scatter of exposures, 0.4 km/s and the errors of their zero points, is in the errors.
    assert 0.2 < night["error"] < 0.8
    assert 0.3 < whole["error"] < 0.8
    assert found.error[0] < 0.5


def test_what_is_left_out() -> None:
    def row(star: str, rv: float | None, error: float | None = 1.0, **more: Any) -> dict[str, Any]:
        base = {"star_id": star, "spid": 1, "lmjd": 5, "lmjm": 7200, "band": "B", "coadd": False}
        return base | {"rv_b0": rv, "rv_b0_err": error} | more

    good = [row(f"g{k}", 1.0 + 0.01 * k) for k in range(5)]
    rows = [
        *good, row("g0", 1.0, band="R"), row("g0", 99.0, coadd=True), row("g1", None, lmjm=7300),
        row("unknown", 1.0), row("varies", 1.0), row("poor", 1.0), row("no_error", 1.0), row("seldom", 1.0),
        row("g2", 1.0, None, lmjm=7300), row("g2", 1.0, 9.0, lmjm=7400), row("g3", 99.0, lmjm=7400),
        row("null_rv", 1.0), row("g4", 1.0, lmjm=None, spid=None, lmjd=None),
    ]  # fmt: skip
    reference = pa.Table.from_pylist(
        [
            *({"star_id": f"g{k}", "radial_velocity": 0.0, "radial_velocity_error": 1.0, "rv_nb_transits": 9,
               "rv_variable": None} for k in range(5)),
            {"star_id": "varies", "radial_velocity": 0.0, "radial_velocity_error": 1.0, "rv_nb_transits": 9,
             "rv_variable": True},
            {"star_id": "poor", "radial_velocity": 0.0, "radial_velocity_error": 4.0, "rv_nb_transits": 9},
            {"star_id": "no_error", "radial_velocity": 0.0},
            {"star_id": "seldom", "radial_velocity": 0.0, "radial_velocity_error": 1.0, "rv_nb_transits": 2},
            {"star_id": "null_rv", "radial_velocity": None, "radial_velocity_error": 1.0},
        ],
        schema=pa.schema(
            [
                ("star_id", pa.string()), ("radial_velocity", pa.float32()),
                ("radial_velocity_error", pa.float32()), ("rv_nb_transits", pa.int16()),
                ("rv_variable", pa.bool_()),
            ]
        ),
    )  # fmt: skip
    summary = summarise_zero_points(pa.Table.from_pylist(rows), reference)
    assert summary.left_out == {
        "no_reference": 2, "variable": 1, "reference_error": 2, "few_transits": 1, "no_error": 2, "too_far": 1
    }  # fmt: skip
    assert summary.n == 6  # g0 once though two rows have its velocity; and one of nowhere
    found = rv_zero_points(summary).table.to_pylist()
    assert [(one["level"], one["n"], one["used"]) for one in found] == [
        ("exposure", 5, True), ("night", 5, True), ("survey", 6, True)
    ]  # fmt: skip
    assert found[0]["zero_point"] == pytest.approx(1.02)
    coadds = summarise_zero_points(
        pa.Table.from_pylist(rows), reference, ZeroPointSettings(coadds=True, largest_difference=100.0)
    )
    assert rv_zero_points(coadds, ZeroPointSettings(coadds=True, largest_difference=100.0)).table.column(
        "used"
    ).to_pylist() == [False, False, False]


def test_nothing_to_compare(survey: Survey) -> None:
    none = summarise_zero_points(survey.spectra.slice(0, 0), survey.reference)
    assert (none.n, len(none.cells)) == (0, 0)
    zero_points = rv_zero_points(none)
    assert zero_points.table.schema.equals(ZERO_POINT_SCHEMA)
    found = apply_zero_points([1.0, np.nan], "R", [1, 1], [5, 5], [7200, 7200], zero_points)
    assert found.level.tolist() == ["none", "none"]
    assert np.isnan(found.rv).all()
    assert merge_zero_points([]).cells.equals(none.cells)
    assert merge_zero_points([none]).n == 0
    alone = summarise_zero_points(survey.spectra, survey.reference.slice(0, 0))
    assert alone.left_out == {"no_reference": len(survey.spectra)}


def test_spread_is_unknown_without_exposures_of_their_own(survey: Survey) -> None:
    few = survey.spectra.filter(pc.is_in(survey.spectra.column("star_id"), pa.array(["s0", "s1"])))
    zero_points = rv_zero_points(summarise_zero_points(few, survey.reference))
    found = apply_zero_points([1.0], "B", [1], [58_400], [84_000_000], zero_points)
    assert found.level.tolist() == ["night"]  # six velocities of two stars
    assert math.isfinite(found.rv[0])
    assert math.isnan(found.error[0])


def test_bad_input(survey: Survey) -> None:
    summary = summarise_zero_points(survey.spectra, survey.reference)
    other = ZeroPointSettings(largest_error=2.0)
    with pytest.raises(CatalogError, match="make the summary anew"):
        rv_zero_points(summary, other)
    assert (
        rv_zero_points(summary, ZeroPointSettings(least_stars=50))
        .table.column("used")
        .to_pylist()
        .count(True)
        == NIGHTS * SPIDS * 2 + 2
    )  # 40 stars an exposure
    with pytest.raises(CatalogError, match="differ in settings"):
        merge_zero_points([summary, summarise_zero_points(survey.spectra, survey.reference, other)])
    with pytest.raises(CatalogError, match="have no column spid"):
        summarise_zero_points(survey.spectra.drop_columns("spid"), survey.reference)
    with pytest.raises(CatalogError, match="reference stars have no column radial_velocity_error"):
        summarise_zero_points(survey.spectra, survey.reference.drop_columns("radial_velocity_error"))
    with pytest.raises(CatalogError, match="twice"):
        summarise_zero_points(survey.spectra, pa.concat_tables([survey.reference, survey.reference]))
    for wrong in ({}, {"cells": "?", "settings": {}, "left_out": {}}, {"cells": 3}):
        with pytest.raises(CatalogError, match="not a summary of zero points"):
            ZeroPointSummary.from_json(wrong)
    zero_points = rv_zero_points(summary)
    with pytest.raises(CatalogError, match="no arm 'G'"):
        apply_zero_points([1.0], "G", [1], [1], [1], zero_points)
    with pytest.raises(CatalogError, match="differ in shape"):
        apply_zero_points([1.0, 2.0], "B", [1], [1], [1], zero_points)


@pytest.mark.parametrize(
    "wrong",
    [
        {"least_stars": 2}, {"least_stars": 5.0}, {"least_transits": -1}, {"largest_reference_error": 0.0},
        {"largest_error": float("nan")}, {"largest_difference": 1e9}, {"coadds": 1},
    ],
)  # fmt: skip
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        ZeroPointSettings(**wrong)
