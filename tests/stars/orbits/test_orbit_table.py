"""Orbits of many stars from a table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.stars.orbits import OrbitSettings, orbit_search, orbit_velocity, orbits_of
from lkmrs_dask.stars.orbits.table import ORBIT_UNITS, orbit_schema

QUICK = OrbitSettings(min_period=2.0)


def survey() -> pa.Table:
    """Stars 7 (an orbit), 3 (two epochs), 5 (all null), 9 (equal velocities), rows without a star."""
    rng = np.random.default_rng(0)
    rows: list[tuple[int | None, float | None, float | None, float | None]] = []
    for time in rng.uniform(57000, 57600, 14):
        rows.append((7, time, float(orbit_velocity(time, 12.5, 25.0, 0.0, gamma=4.0)) + rng.normal(), 1.0))
    rows += [(3, 57000.0, 1.0, 1.0), (3, 57001.0, 2.0, 1.0), (5, None, 1.0, 1.0), (5, 57000.0, None, None)]
    rows += [(9, 57000.0 + 10 * i, 3.0, 1.0) for i in range(6)] + [(None, 57000.0, 1.0, 1.0)] * 8
    order = rng.permutation(len(rows))
    columns = list(zip(*[rows[i] for i in order], strict=True))
    types = (pa.int64(), pa.float64(), pa.float64(), pa.float32())
    names = ("star_id", "mjd", "rv", "rv_err")
    return pa.table(
        {name: pa.array(one, kind) for name, one, kind in zip(names, columns, types, strict=True)}
    )


def test_a_row_for_every_star() -> None:
    table = survey()
    found = orbits_of(table, QUICK)
    assert found.schema == orbit_schema(pa.int64())
    rows = found.to_pylist()
    assert sorted({row["star_id"] for row in rows}) == [3, 5, 7, 9]
    assert [row["star_id"] for row in rows] == sorted(row["star_id"] for row in rows)
    without = {row["star_id"]: (row["rank"], row["status"]) for row in rows if row["rank"] == 0}
    assert without == {
        3: (0, "2 epochs, 5 are needed"),
        5: (0, "0 epochs, 5 are needed"),
        9: (0, "all velocities are equal"),
    }
    assert all(row["period"] is None and row["flags"] is None for row in rows if row["rank"] == 0)
    best = next(row for row in rows if row["star_id"] == 7)
    assert (best["rank"], best["status"], best["n"], best["model"]) == (1, "ok", 14, "circular")
    assert best["period"] == pytest.approx(12.5, abs=0.02)
    assert best["e_err"] is None
    assert next(row for row in rows if row["star_id"] == 5)["n_unused"] == 2


def test_same_as_the_star_alone() -> None:
    table = survey()
    rows = [row for row in table.to_pylist() if row["star_id"] == 7]
    time, rv, error = ([row[name] for row in rows] for name in ("mjd", "rv", "rv_err"))
    alone = orbit_search(time, rv, error, QUICK)
    found = [row for row in orbits_of(table, QUICK).to_pylist() if row["star_id"] == 7]
    assert [row["period"] for row in found] == [one.period for one in alone.solutions]
    assert [row["flags"] for row in found] == [",".join(one.flags) for one in alone.solutions]


def test_empty_and_other_ids() -> None:
    table = survey()
    none = orbits_of(table.slice(0, 0))
    assert (len(none), none.schema) == (0, orbit_schema(pa.int64()))
    texts = table.set_column(0, "star_id", table["star_id"].cast(pa.string()))
    assert set(orbits_of(texts, QUICK)["star_id"].to_pylist()) == {"3", "5", "7", "9"}
    renamed = table.rename_columns(["star_id", "bjd_tdb", "rv", "rv_err"])
    assert orbits_of(renamed, QUICK).equals(orbits_of(table, QUICK))


def test_units_are_of_columns_that_are_there() -> None:
    assert set(ORBIT_UNITS) <= set(orbit_schema(pa.int64()).names)


def test_a_failure_is_one_star_s(monkeypatch: pytest.MonkeyPatch) -> None:
    from lkmrs_dask.stars.orbits import table as module

    def broken(time: np.ndarray, *others: object) -> object:
        if len(time) == 6:
            raise np.linalg.LinAlgError("did not converge")
        return orbit_search(time, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "orbit_search", broken)
    rows = orbits_of(survey(), QUICK).to_pylist()
    assert {row["star_id"]: row["status"] for row in rows if row["rank"] == 0}[
        9
    ] == "failed: did not converge"
    assert any(row["star_id"] == 7 and row["rank"] == 1 for row in rows)


@pytest.mark.parametrize("name", ["star_id", "mjd", "rv", "rv_err"])
def test_missing_columns(name: str) -> None:
    with pytest.raises(CatalogError, match=f"no column .*{name}"):
        orbits_of(survey().drop_columns([name]))


def test_text_for_numbers() -> None:
    table = survey()
    wrong = table.set_column(2, "rv", table["rv"].cast(pa.string()))
    with pytest.raises(CatalogError, match="rv must hold numbers, not string"):
        orbits_of(wrong)
