"""The paper's rule for RV variables, star by star."""

from __future__ import annotations

import csv
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.rv_variable import velocity_scatter

velocities = st.floats(-300, 300) | st.sampled_from([math.nan, math.inf])
errors = st.floats(0.1, 20) | st.sampled_from([math.nan, 0.0, -1.0, math.inf])


@given(
    stars=st.lists(st.lists(st.tuples(velocities, errors), min_size=1, max_size=6), max_size=6),
    ddof=st.sampled_from([0, 1]),
    least=st.sampled_from([2, 3]),
)
@settings(max_examples=150, deadline=None)
def test_random_stars(stars: list[list[tuple[float, float]]], ddof: int, least: int) -> None:
    rows = [row for star in stars for row in star]
    rv, err = (np.array([row[k] for row in rows], float) for k in range(2))
    first = np.cumsum([0, *map(len, stars)])[:-1]
    found = velocity_scatter(rv, err, first, ddof=ddof, least_n=least)
    for k, star in enumerate(stars):
        good = [(v, e) for v, e in star if math.isfinite(v) and math.isfinite(e) and e > 0]
        assert found.n[k] == len(good)
        if not good:
            assert math.isnan(found.mean_error[k])
        if len(good) <= ddof:
            assert math.isnan(found.std[k])
            assert not found.variable[k]
            continue
        v = [one for one, _ in good]
        std = statistics.stdev(v) if ddof else statistics.pstdev(v)
        mean = statistics.fmean(e for _, e in good)
        # Velocities to 300 are rounded to 6e-14, and so is a spread of nothing.
        assert found.std[k] == pytest.approx(std, rel=1e-9, abs=1e-12)
        assert found.mean_error[k] == pytest.approx(mean, rel=1e-12)
        if abs(std - 3 * mean) > 1e-9:
            assert found.variable[k] == (len(good) >= least and std > 3 * mean)


@pytest.mark.parametrize("unknown", [-9999.0, 1e20, 1e200, -1.7e308])
def test_velocities_that_no_star_has(unknown: float) -> None:
    """They are no velocities: a star with one does not vary for that."""
    found = velocity_scatter(
        np.array([5.0, 5.5, unknown, unknown]), np.array([1.0, 1.0, 1.0, 1e308]), np.array([0])
    )
    assert found.n.tolist() == [2]
    assert found.std[0] == pytest.approx(math.sqrt(0.125))
    assert not found.variable[0]


def test_the_printed_stars_of_table_6(shared: Path) -> None:
    """Both are RV variables: std over mean error is 8.40 and 3.78."""
    text = (shared / "data/paper_tables/table6_rows.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    uid = [row["uid"] for row in rows]
    first = np.array([k for k in range(len(uid)) if k == 0 or uid[k] != uid[k - 1]])
    rv, err = (np.array([float(row[name]) for row in rows]) for name in ("rv", "rv_err"))
    found = velocity_scatter(rv, err, first)
    np.testing.assert_allclose(found.std / found.mean_error, [8.40, 3.78], atol=0.005)
    assert found.variable.tolist() == [True, True]
    assert found.n.tolist() == [5, 5]


def test_edges() -> None:
    one = velocity_scatter(np.array([5.0]), np.array([1.0]), np.array([0]))
    assert (one.n[0], one.variable[0]) == (1, False)
    assert math.isnan(one.std[0])
    none = velocity_scatter(np.empty(0), np.empty(0), np.empty(0, np.int64))
    assert [len(part) for part in none] == [0] * 4
    # The rule is strict: exactly three times is not more.
    rv, err, first = np.array([-3.0, 3.0]), np.ones(2), np.array([0])
    assert not velocity_scatter(rv, err, first, ddof=0).variable[0]
    assert velocity_scatter(rv, err, first, ddof=1).variable[0]
    assert not velocity_scatter(rv, err, first, least_n=3).variable[0]
    assert not velocity_scatter(rv, err, first, n_sigma=5).variable[0]


@pytest.mark.parametrize("wrong", [{"n_sigma": 0.0}, {"n_sigma": math.nan}, {"ddof": 2}, {"least_n": 1}])
def test_wrong_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="n_sigma must be positive"):
        velocity_scatter(np.empty(0), np.empty(0), np.empty(0, np.int64), **wrong)  # type: ignore[arg-type]
