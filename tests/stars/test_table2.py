"""The star table from measurements, against the formulae applied star by star to plain lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_runs import weighted_by_hand

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN, PARAMETERS, STARS
from lkmrs_dask.stars.table2 import STAR_COLUMNS, measurement_columns, star_table, stars_together

ARROW = pa.schema(
    [
        (HEALPIX_COLUMN, pa.int64()), ("star_id", pa.string()), ("ra", pa.float64()), ("dec", pa.float64()),
        ("uid", pa.string()), ("gaia_source_id", pa.int64()), ("snr", pa.float64()),
        *((name, pa.float64()) for name in PARAMETERS),
    ]
)  # fmt: skip

Row = dict[str, Any]


def expected_table(rows: list[Row]) -> list[Row]:
    """One dict a star with a parameter, in the order in which stars first appear."""
    stars: dict[str, list[Row]] = {}
    for row in rows:
        stars.setdefault(row["star_id"], []).append(row)
    result = []
    for star, mine in stars.items():
        out: Row = {n: mine[0][n] for n in (HEALPIX_COLUMN, "ra", "dec")} | {"star_id": star}
        for name in ("uid", "gaia_source_id"):
            out[name] = next((row[name] for row in mine if row.get(name) is not None), None)
        out["times"] = sum(any(finite(row.get(p)) for p in PARAMETERS) for row in mine)
        for p in PARAMETERS:
            mean, error, n = weighted_by_hand([row.get(p) for row in mine], [row["snr"] for row in mine])
            out |= {p: mean, f"{p}_err": error, f"n_{p}": n}
        out["vsini_upper_limit"] = None if out["vsini"] is None else out["vsini"] < 8
        if out["times"]:
            result.append(out)
    return result


def finite(value: float | None) -> bool:
    return value is not None and np.isfinite(value)


def same(found: list[Row], expected: list[Row]) -> None:
    """Exact but for means (1e-12, rounding of sums of values below 1e4) and errors (deviations: 1e-9)."""
    assert len(found) == len(expected)
    floats = {name for p in PARAMETERS for name in (p, f"{p}_err")}
    for a, b in zip(found, expected, strict=True):
        assert set(a) == set(b) == set(STAR_COLUMNS)
        for name in STAR_COLUMNS:
            if name in floats and b[name] is not None:
                assert a[name] == pytest.approx(b[name], rel=1e-12, abs=1e-9)
            else:
                assert a[name] == b[name], name


values = st.none() | st.floats(-10, 9000, width=32) | st.sampled_from([float("nan"), 8.0, 7.999, 5.0])
measurement = st.fixed_dictionaries(
    {
        "star_id": st.sampled_from(["G1", "G2", "LKMRS J0", "L9"]),
        "uid": st.none() | st.sampled_from(["u1", "u2"]),
        "gaia_source_id": st.none() | st.integers(2**62, 2**62 + 3),
        "snr": st.none() | st.floats(0.5, 300, width=16) | st.sampled_from([0.0, -3.0, float("nan")]),
        **dict.fromkeys(PARAMETERS, values),
    }
)


def placed(rows: list[Row]) -> list[Row]:
    """Each star at its own place."""
    places = {star: k for k, star in enumerate(["G1", "G2", "LKMRS J0", "L9"])}
    return [
        {
            **row,
            HEALPIX_COLUMN: 1000 + places[row["star_id"]],
            "ra": 10.0 * places[row["star_id"]],
            "dec": -5.0,
        }
        for row in rows
    ]


@given(rows=st.lists(measurement, max_size=25), together=st.booleans())
@settings(max_examples=120, deadline=None)
def test_the_table_is_that_of_the_formulae(rows: list[Row], together: bool) -> None:
    rows = placed(rows)
    if together:
        rows.sort(key=lambda row: row["star_id"])
    table = star_table(pa.Table.from_pylist(rows, schema=ARROW))
    assert table.schema.equals(STARS.arrow(STAR_COLUMNS), check_metadata=True)
    same(table.to_pylist(), expected_table([possible(row) for row in rows]))


def possible(row: Row) -> Row:
    """Without values that no star has: they stand for none."""
    bounds = {"rv": (-3e3, 3e3)}
    wrong = {
        name
        for name, (low, high) in bounds.items()
        if row.get(name) is not None and not low <= row[name] <= high
    }
    return {name: None if name in wrong else value for name, value in row.items()}


@given(rows=st.lists(measurement, max_size=25), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_stars_may_be_mixed_without_changing_a_bit(rows: list[Row], seed: int) -> None:
    """Rows of a star in their order, but those of others between them."""
    rows = sorted(placed(rows), key=lambda row: row["star_id"])
    rng = np.random.default_rng(seed)
    left = [[row for row in rows if row["star_id"] == star] for star in ("G1", "G2", "LKMRS J0", "L9")]
    mixed = []
    while any(left):
        mixed.append(rng.choice([k for k, some in enumerate(left) if some]))
        # (each choice takes the next row of that star)
        mixed[-1] = left[int(mixed[-1])].pop(0)
    one = star_table(pa.Table.from_pylist(rows, schema=ARROW)).sort_by("star_id")
    other = star_table(pa.Table.from_pylist(mixed, schema=ARROW)).sort_by("star_id")
    assert one.equals(other)


def example() -> pa.Table:
    return pa.Table.from_pylist(
        placed([
            {"star_id": "G1", "snr": 10.0, "teff": 5000.0, "vsini": 7.0},
            {"star_id": "G1", "snr": 20.0, "teff": 5100.0, "vsini": None, "uid": "u1"},
            {"star_id": "G2", "snr": 10.0, "vsini": 8.0},
            {"star_id": "LKMRS J0", "snr": 10.0},
            {"star_id": "L9", "snr": 0.0, "teff": 4000.0},
        ]),
        schema=ARROW,
    )  # fmt: skip


def test_known_stars() -> None:
    g1, g2, l9 = star_table(example()).to_pylist()
    assert g1["teff"] == 5080.0  # weights 100 and 400
    assert g1["teff_err"] == pytest.approx(np.sqrt(2 * (100 * 80**2 + 400 * 20**2) / 500), rel=1e-15)
    assert (g1["n_teff"], g1["n_vsini"], g1["times"], g1["uid"]) == (2, 1, 2, "u1")
    assert (g1["vsini"], g1["vsini_err"], g1["vsini_upper_limit"]) == (7.0, None, True)
    assert (g2["star_id"], g2["teff"], g2["vsini_upper_limit"]) == ("G2", None, False)
    # A star whose only spectrum has a parameter and no S/N is listed, without a mean.
    assert (l9["star_id"], l9["teff"], l9["n_teff"], l9["times"], l9["vsini_upper_limit"]) == (
        "L9",
        None,
        0,
        1,
        None,
    )


def test_columns_that_are_missing_count_as_null() -> None:
    table = star_table(example().drop_columns(["uid", "gaia_source_id", "logg", "vsini"]))
    assert table.column("star_id").to_pylist() == ["G1", "L9"]
    for name in ("uid", "gaia_source_id", "logg", "logg_err", "vsini", "vsini_upper_limit"):
        assert table.column(name).null_count == 2
    assert table.column("n_logg").to_pylist() == [0, 0]


def test_no_rows_and_no_stars() -> None:
    for rows in (example().slice(0, 0), example().slice(3, 1)):
        table = star_table(rows)
        assert table.num_rows == 0
        assert table.schema.equals(STARS.arrow(STAR_COLUMNS))


def test_tables_of_others_types() -> None:
    """As in a catalogue of single precision, numbers for ids, and integers for parameters."""
    table = pa.table(
        {
            HEALPIX_COLUMN: [1, 1, 2],
            "star_id": [7, 7, 8],
            "ra": pa.array([1.5, 1.5, 2.5], pa.float32()),
            "dec": pa.array([0, 0, 1]),
            "uid": pa.array([None, "a", "b"], pa.large_string()),
            "snr": pa.array([10, 20, None], pa.int32()),
            "teff": pa.array([5000, 5100, 4000], pa.int64()),
            "feh": pa.array([None, -0.5, 0.25], pa.float32()),
        }
    )
    rows = star_table(table).to_pylist()
    assert [row["star_id"] for row in rows] == ["7", "8"]
    assert (rows[0]["teff"], rows[0]["feh"], rows[0]["uid"], rows[0]["ra"]) == (5080.0, -0.5, "a", 1.5)
    assert (rows[1]["teff"], rows[1]["n_teff"], rows[1]["times"]) == (None, 0, 1)


def test_rows_without_a_star() -> None:
    table = example().set_column(1, "star_id", pa.array(["G1", None, None, "a", "b"]))
    for function in (star_table, stars_together):
        with pytest.raises(CatalogError, match="2 rows have no star_id"):
            function(table)


def test_rows_that_are_together() -> None:
    table = pa.table({"star_id": pa.chunked_array([["b", "b"], ["b", "a"], ["c"]])})
    for n, first in ((5, [0, 3, 4]), (1, [0]), (0, [])):
        assert stars_together(table.slice(0, n))[1].tolist() == first


def test_stars_together() -> None:
    table = pa.table({"star_id": ["b", "a", "b", "c", "a"], "n": range(5)})
    grouped, first = stars_together(table)
    assert grouped.column("n").to_pylist() == [0, 2, 1, 4, 3]
    assert first.tolist() == [0, 2, 4]
    already = grouped.slice(0)
    again, first = stars_together(already)
    assert again is already, "rows that are together are not copied"
    assert first.tolist() == [0, 2, 4]


def test_the_columns_that_are_read() -> None:
    present = ["flux", "snr", "star_id", "teff", "ra", "dec", HEALPIX_COLUMN, "rv_br1"]
    assert measurement_columns(present) == (HEALPIX_COLUMN, "star_id", "ra", "dec", "snr", "teff")
