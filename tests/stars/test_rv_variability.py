"""RV variables of a table: real stars, rules, and what cannot be judged."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rv_files import read_rv_file, rv_files

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.stars.rv_settings import RULES, RvVariableSettings
from lkmrs_dask.stars.rv_variability import NOT_JUDGED, RV_VARIABILITY, rv_variability
from lkmrs_dask.stars.rv_variable import velocity_scatter


def table(rows: Mapping[str, Sequence[Sequence[float | None]]]) -> pa.Table:
    """Measurements of stars: time, velocity, error."""
    names = [star for star, epochs in rows.items() for _ in epochs]
    flat = [epoch for epochs in rows.values() for epoch in epochs]
    columns = {
        name: pa.array([epoch[k] for epoch in flat], pa.float64())
        for k, name in enumerate(("mjd", "rv", "rv_err"))
    }
    return pa.table({"star_id": pa.array(names, pa.string()), **columns})


def by_star(found: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["star_id"]: row for row in found.to_pylist()}


def test_the_printed_stars_of_table_6(shared: Path) -> None:
    text = (shared / "data/paper_tables/table6_rows.csv").read_text()
    rows: dict[str, list] = {}
    for row in csv.DictReader(text.splitlines()):
        rows.setdefault(row["uid"], []).append(tuple(float(row[name]) for name in ("mjd", "rv", "rv_err")))
    for rule in RULES:
        found = rv_variability(table(rows), RvVariableSettings(rule=rule)).to_pylist()
        assert [row["label"] for row in found] == ["RVV", "RVV"]
    assert [row["rv_std"] for row in found] == pytest.approx([8.01, 5.11], abs=0.005)
    assert [3 * row["rv_typical_error"] for row in found] == pytest.approx([2.86, 4.06], abs=0.005)
    assert [row["rv_max_difference"] for row in found] == pytest.approx([15.98, 12.40], abs=1e-9)
    assert [row["rv_baseline"] for row in found] == [379.0, 360.0]
    assert [row["n_rv"] for row in found] == [5, 5]


def test_binaries_of_several_surveys(shared: Path) -> None:
    """Twenty pass the paper's rule, two more that of chi-square; two have errors as large as their scatter.

    Of these the second component of KIC 8975515 has errors of 7 to 16 km/s, KIC 6756386 of 5 to 7 km/s.
    """
    rows = {}
    for path in rv_files(shared / "data/rv_multi_epoch"):
        rows[path.stem] = list(zip(*(one.tolist() for one in read_rv_file(path)), strict=True))
    found = by_star(rv_variability(table(rows), RvVariableSettings(rule="either")))
    assert len(found) == 24
    assert all(row["rv_not_judged"] is None for row in found.values())
    faint = {"kic5705575_JDrv", "kic8975515a_JDrv"}
    constant = {"kic6756386_JDrv", "kic8975515b_JDrv"}
    assert {name for name, row in found.items() if not row["rv_variable"]} == constant
    assert {name for name, row in found.items() if not row["rv_by_paper"]} == constant | faint
    for name in constant:
        assert found[name]["rv_log10_p"] > -1
    # Some chi-squares are of probabilities that no float can hold.
    assert sum(row["rv_log10_p"] < -400 for row in found.values()) == 19


def test_rules() -> None:
    rows = {
        "constant": [(1.0, 5.0, 1.0), (2.0, 5.5, 1.0), (3.0, 4.5, 1.0), (4.0, 5.0, 1.0)],
        "all": [(1.0, 0.0, 1.0), (2.0, 30.0, 1.0), (3.0, 60.0, 1.0), (4.0, -9.0, 1.0)],
        # One precise velocity among poor ones: the mean error is large.
        "chi2": [(1.0, 0.0, 10.0), (2.0, 1.0, 10.0), (3.0, 0.0, 0.1), (4.0, 8.0, 0.1)],
        # Barely beyond three errors, of three velocities: chance makes it of one star in 2,500.
        "paper": [(1.0, -2.8, 1.0), (2.0, 0.0, 1.0), (3.0, 2.8, 1.0)],
        # Two velocities of many: the deviation is small, the difference is not.
        "difference": [(float(k), 0.0, 1.5) for k in range(40)] + [(41.0, 11.0, 1.5), (42.0, 0.0, 1.5)],
    }
    settings: dict[str, Any] = {"n_sigma": 2.7, "log10_p": -4.0}
    expected = {
        "paper": {"all", "paper"},
        "chi2": {"all", "chi2"},
        "difference": {"all", "difference"},
        "either": {"all", "paper", "chi2"},
        "both": {"all"},
    }
    for rule, stars in expected.items():
        found = by_star(rv_variability(table(rows), RvVariableSettings(rule=rule, **settings)))
        assert {name for name, row in found.items() if row["rv_variable"]} == stars, rule
        assert {name for name, row in found.items() if row["label"] == "RVV"} == stars
        for name, row in found.items():
            assert row["rv_by_paper"] == (name in expected["paper"])
            assert row["rv_by_chi2"] == (name in expected["chi2"])
            assert row["rv_by_difference"] == (name in expected["difference"])


def test_error_floor_is_added_in_quadrature() -> None:
    rows = {"a": [(1.0, 0.0, 0.1), (2.0, 3.0, 0.1), (3.0, -3.0, 0.1)]}
    plain = rv_variability(table(rows)).to_pylist()[0]
    raised = rv_variability(table(rows), RvVariableSettings(error_floor=1.0)).to_pylist()[0]
    assert (plain["rv_variable"], raised["rv_variable"]) == (True, False)
    assert raised["rv_typical_error"] == pytest.approx(np.hypot(0.1, 1.0))
    assert raised["rv_chi2"] == pytest.approx(18 / 1.01)
    assert raised["rv_std"] == plain["rv_std"] == 3.0
    assert raised["rv_excess"] == pytest.approx(np.sqrt(9 - 1.01))


def test_what_cannot_be_judged() -> None:
    large = [(float(k), 50.0 * k, 1.0) for k in range(3)]
    rows: dict[str, list] = {
        "good": large,
        "no_rv": [(1.0, None, 1.0), (2.0, None, None)],
        "nan": [(1.0, np.nan, 1.0)],
        "no_error": [(1.0, 5.0, None), (2.0, 50.0, 0.0), (3.0, 90.0, -1.0)],
        "infinite_error": [(1.0, 5.0, np.inf), (2.0, 50.0, np.nan), (3.0, 50.0, 1.0)],
        "one": [(1.0, 5.0, 1.0)],
        "one_and_null": [(1.0, 5.0, 1.0), (2.0, None, 1.0)],
        "at_once": [(1.0, 5.0, 1.0), (1.0, 50.0, 1.0), (1.0, 90.0, 1.0)],
        "two": large[:2],
        "error_missing_in_part": [*large[:2], (3.0, 90.0, None)],
        "equal": [(1.0, 5.0, 1.0), (2.0, 5.0, 1.0), (3.0, 5.0, 1.0)],
        "sentinel": [(1.0, 999_999.0, 1.0), (2.0, 5.0, 1.0), (3.0, -999_999.0, 1.0)],
        "no_times": [(None, 50.0 * k, 1.0) for k in range(3)],
    }
    found = by_star(rv_variability(table(rows)))
    assert {name: row["rv_not_judged"] for name, row in found.items()} == {
        "good": None, "no_rv": "no_rv", "nan": "no_rv", "no_error": "no_error", "infinite_error": "no_error",
        "one": "one_epoch", "one_and_null": "one_epoch", "at_once": "one_epoch", "two": "few_epochs",
        "error_missing_in_part": "few_epochs", "equal": "all_equal", "sentinel": "one_epoch",
        "no_times": None,
    }  # fmt: skip
    assert set(NOT_JUDGED) == {row["rv_not_judged"] for row in found.values()} - {None}
    for name, row in found.items():
        assert row["rv_variable"] == (name in ("good", "no_times"))
        if row["rv_not_judged"]:
            assert row["label"] is None
            assert not any(row[f"rv_by_{rule}"] for rule in ("paper", "chi2", "difference"))
    assert (found["no_error"]["n_rv"], found["no_error"]["n_rv_no_error"]) == (0, 3)
    assert found["no_error"]["rv_mean"] is None
    assert found["two"]["rv_std"] == pytest.approx(50 / np.sqrt(2))
    two = by_star(rv_variability(table(rows), RvVariableSettings(least_n=2)))
    assert two["two"]["rv_variable"]
    assert two["two"]["rv_not_judged"] is None
    assert not two["at_once"]["rv_variable"]


def test_any_order_of_rows_and_columns() -> None:
    rng = np.random.default_rng(3)
    n, star = 200, rng.integers(0, 30, 200)
    rows = pa.table(
        {
            "snr": rng.uniform(5, 50, n),
            "rv_err": rng.uniform(0.5, 2, n),
            "star_id": [f"s{k:02}" for k in star],
            "mjd": rng.uniform(58_000, 59_000, n),
            "rv": rng.normal(0, 5, n),
            "ra": star.astype(float),
        }
    )
    found = rv_variability(rows)
    assert found.schema.equals(RV_VARIABILITY.arrow(), check_metadata=True)
    assert found.column("star_id").to_pylist() == list(dict.fromkeys(rows.column("star_id").to_pylist()))
    assert found.column("ra").to_pylist() == [float(name[1:]) for name in found.column("star_id").to_pylist()]
    other = rv_variability(rows.take(pa.array(rng.permutation(n))))
    a, b = (one.sort_by("star_id").to_pydict() for one in (found, other))
    for name in a:
        if a[name][0] is not None and isinstance(a[name][0], float):
            # Sums in another order differ in their last digits.
            np.testing.assert_allclose(
                np.array(a[name], float), np.array(b[name], float), rtol=1e-9, atol=1e-12
            )
        else:
            assert a[name] == b[name]


def test_the_same_verdict_as_the_rule_alone() -> None:
    rng = np.random.default_rng(5)
    star = np.sort(rng.integers(0, 300, 1500))
    first = np.flatnonzero(np.diff(star, prepend=-1))
    rv, err = rng.normal(0, 4, 1500), rng.uniform(0.5, 2, 1500)
    rows = pa.table({"star_id": [str(k) for k in star], "rv": rv, "rv_err": err, "mjd": np.arange(1500.0)})
    for ddof in (0, 1):
        found = rv_variability(rows, RvVariableSettings(ddof=ddof)).column("rv_by_paper")
        alone = velocity_scatter(rv, err, first, ddof=ddof, least_n=3).variable
        np.testing.assert_array_equal(found.to_numpy(zero_copy_only=False), alone)
        assert 10 < alone.sum() < 290


def test_empty_and_wrong_tables() -> None:
    none = rv_variability(table({}))
    assert none.num_rows == 0
    assert none.schema.equals(RV_VARIABILITY.arrow())
    only = rv_variability(pa.table({"star_id": ["a"]})).to_pylist()[0]
    assert (only["rv_not_judged"], only["rv_variable"]) == ("no_rv", False)
    with pytest.raises(CatalogError, match="star_id"):
        rv_variability(pa.table({"rv": [1.0]}))
    with pytest.raises(CatalogError, match="1 rows have no star_id"):
        rv_variability(pa.table({"star_id": pa.array([None], pa.string()), "rv": [1.0]}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"rule": "paper's"}, {"n_sigma": 0.0}, {"n_sigma": float("nan")}, {"n_sigma": "3"}, {"ddof": 2},
        {"ddof": True}, {"least_n": 1}, {"least_n": 3.0}, {"error_floor": -1.0},
        {"error_floor": float("inf")}, {"log10_p": 0.0}, {"max_difference": -1.0},
        {"difference_sigma": float("nan")}, {"rule": None},
    ],
)  # fmt: skip
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        RvVariableSettings(**wrong)
