"""Matching stars that move, against astropy's propagation of positions and all separations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.time import Time
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from match_files import write_files
from match_oracle import SITES, Sky, around, brute_force, everywhere, joined, matches, stars
from motion_oracle import TOLERANCE_ARCSEC, Floats, astropy_place, moved_separations, near_call

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.opening import from_dataframe
from lkmrs_dask.matching import drift
from lkmrs_dask.matching.motion import julian_years, propagate


@given(
    site=st.sampled_from(SITES),
    radius=st.sampled_from([0.5, 3.7, 60.0]),
    spread=st.sampled_from([5.0, 100.0, 1000.0]),
    fast=st.sampled_from([0.0, 0.1, 1.0]),
    left_kind=st.sampled_from(["number", "jyear", "mjd", "jd"]),
    right_kind=st.sampled_from(["number", "jyear", "mjd"]),
    max_rows=st.tuples(st.sampled_from([1, 5, 100]), st.sampled_from([1, 5, 100])),
    neighbours=st.sampled_from(["nearest", "all", "one-to-one", 2]),
    join=st.sampled_from(["inner", "left", "anti"]),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=30, deadline=None)
def test_it_is_brute_force_of_moved_stars(
    site: tuple[float, float], radius: float, spread: float, fast: float, left_kind: str, right_kind: str,
    max_rows: tuple[int, int], neighbours: str | int, join: str, seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    n, m = 12, 25
    left, right = around(*site, spread, n, rng), around(*site, spread, m, rng)
    pmra, pmdec = (rng.normal(0, 30, m) for _ in range(2))
    moving = rng.random(m) < fast
    pmra[moving], pmdec[moving] = (rng.uniform(-7000, 7000, moving.sum()) for _ in range(2))
    pmra[rng.random(m) < 0.1], pmdec[rng.random(m) < 0.1] = np.nan, np.nan
    epoch, start = np.full(n, 2000.0), np.full(m, 2016.0)
    if left_kind != "number":
        epoch = np.where(rng.random(n) < 0.1, np.nan, np.round(rng.uniform(1990, 2020, n), 1))
    if right_kind != "number":
        start = np.where(rng.random(m) < 0.1, np.nan, np.round(rng.uniform(1990, 2020, m), 1))
    away = moved_separations(left, epoch, right, pmra, pmdec, start)
    assume(not near_call(away, radius))

    def column(values: Floats, kind: str) -> pa.Array:
        form = "jyear" if kind == "number" else kind
        times = getattr(Time(np.nan_to_num(values, nan=2000.0), format="jyear", scale="tdb"), form)
        return pa.array(np.asarray(times), mask=np.isnan(values))

    lefts = from_dataframe(stars(left, "i", epoch=column(epoch, left_kind)), max_rows=max_rows[0])
    motions = {
        name: pa.array(values, mask=np.isnan(values)) for name, values in (("pmra", pmra), ("pmdec", pmdec))
    }
    rights = from_dataframe(stars(right, "j", **motions, t=column(start, right_kind)), max_rows=max_rows[1])
    matched = crossmatch(
        lefts, rights, radius, neighbours, join,  # type: ignore[arg-type]
        left_epoch=2000.0 if left_kind == "number" else "epoch",
        right_epoch=2016.0 if right_kind == "number" else "t",
    ).to_arrow()  # fmt: skip
    assert matches(matched) == brute_force(away, radius, neighbours, join)
    if join != "anti":
        for row in matched.to_pylist():
            assert row["n_candidates"] == np.count_nonzero(away[row["i"]] <= radius)
            if row["j"] is not None:
                assert abs(row["separation_arcsec"] - away[row["i"], row["j"]]) < TOLERANCE_ARCSEC


def test_one_to_one_goes_by_the_separations_of_each_epoch() -> None:
    """Two left rows claim one star, each at its own epoch: the nearer one then has it, not the nearer now."""
    arcsec = 1.0 / 3600.0
    # A star goes 1 arcsec/yr north, and is listed at 16 arcsec in 2016.
    right = from_dataframe(
        pd.DataFrame({"j": [0], "ra": [10.0], "dec": [16 * arcsec], "pmra": [0.0], "pmdec": [1e3]})
    )
    # Missed by 0.5 arcsec in 2000, by 0.2 in 2010 and by 0.4 in 2016, at its listed place.
    left = pd.DataFrame({"i": range(3), "ra": [10.0] * 3, "t": [2000.0, 2010.0, 2016.0]})
    left["dec"] = np.array([-0.5, 10.2, 16.4]) * arcsec
    lefts = from_dataframe(left, max_rows=1)
    options: dict[str, Any] = {"left_epoch": "t", "right_epoch": 2016.0}
    every = crossmatch(lefts, right, 1.0, "all", **options).to_arrow().sort_by("i")
    # The way of 16 arcsec is straight to 16 * (8e-5) ** 2 = 1e-7 arcsec.
    assert every.column("separation_arcsec").to_pylist() == pytest.approx([0.5, 0.2, 0.4], abs=1e-6)
    assert every.column("n_candidates").to_pylist() == [1, 1, 1]
    assert matches(crossmatch(lefts, right, 1.0, "one-to-one", **options)) == [(1, 0)]
    assert matches(crossmatch(lefts, right, 1.0, "one-to-one", "left", **options)) == [
        (0, None), (1, 0), (2, None)
    ]  # fmt: skip
    assert matches(crossmatch(lefts, right, 1.0, "one-to-one", "anti", **options)) == [(0, None), (2, None)]
    assert matches(crossmatch(lefts, right, 1.0, "one-to-one")) == [(2, 0)]


def test_stars_that_do_not_move_are_equally_near() -> None:
    """Of rows equally near the lowest identifier comes first: with a motion of 0, or none."""
    rng = np.random.default_rng(0)
    n = 40
    ra, dec = rng.uniform(0, 360, n), rng.uniform(-89, 89, n)
    twice = {"ra": np.repeat(ra, 2), "dec": np.repeat(dec, 2), "source_id": np.arange(2 * n)}
    still = pa.array([0.0, None] * n)
    left = from_dataframe(pa.table({"i": np.arange(n), "ra": ra, "dec": dec}))
    right = from_dataframe(pa.table({**twice, "pmra": still, "pmdec": still}))
    found = crossmatch(left, right, 1.0, left_epoch=2000.0, right_epoch=2016.0)
    assert matches(found, ("i", "source_id")) == [(k, 2 * k) for k in range(n)]


def test_at_one_epoch_nothing_moves() -> None:
    sky = everywhere(40, np.random.default_rng(0))
    motion = {"pmra": np.full(40, 5.0), "pmdec": np.full(40, 5.0)}
    catalog = from_dataframe(stars(sky, "i", **motion))
    found = crossmatch(catalog, catalog, 1.0, left_epoch=2016.0, right_epoch=2016.0).to_arrow()
    assert found.equals(crossmatch(catalog, catalog, 1.0).to_arrow())


@pytest.mark.parametrize("in_files", [False, True])
@pytest.mark.parametrize("neighbours", ["nearest", "one-to-one"])
def test_stars_that_moved_160_arcsec_are_found(tmp_path: Path, in_files: bool, neighbours: str) -> None:
    """Seen 16 years later they lie in other row groups and partitions, over RA 0 and over the poles."""
    rng = np.random.default_rng(5)
    n = 200
    then = joined(*(around(*site, 60.0, 10, rng) for site in SITES), everywhere(n - 10 * len(SITES), rng))
    angle = rng.uniform(0, 2 * np.pi, n)
    place = astropy_place(
        then, 1e4 * np.sin(angle), 1e4 * np.cos(angle), np.full(n, 2000.0), np.full(n, 2016.0)
    )
    motions = {"pmra": place.pm_ra_cosdec.value, "pmdec": place.pm_dec.value}
    assert place.pm_ra_cosdec.unit == u.mas / u.yr
    right = from_dataframe(stars(Sky(place.ra.deg, place.dec.deg), "j", **motions), max_rows=7)
    left = from_dataframe(stars(then, "i", mjd=np.full(n, 51544.5)), max_rows=7)
    if in_files:
        left, right = write_files(tmp_path / "l", left, rows=2), write_files(tmp_path / "r", right, rows=2)
    still = crossmatch(left, right, 1.0, neighbours)  # type: ignore[arg-type]
    assert len(still) < 10
    for epoch in (2000.0, "mjd"):
        matched = crossmatch(left, right, 1.0, neighbours, left_epoch=epoch, right_epoch=2016.0)  # type: ignore[arg-type]
        table = matched.to_arrow()
        assert matches(table) == [(k, k) for k in range(n)]
        # A star that was at its nearest in 2000 recedes in 2016: without that speed the way back is too short
        # by the third power of the angle, 160 arcsec * (8e-4) ** 2.
        assert max(table.column("separation_arcsec").to_pylist()) < 2e-4
        assert matched.schema.names[:3] == ["_healpix_29", "i", "ra"]


def test_proper_motion_counts_for_the_left_row_s_own_epoch() -> None:
    """One star seen three times, and once at an unknown time."""
    t = pd.array([2000.0, 2010.0, 2016.0, None], dtype="Float64")
    dec = np.array([0.0, 100.0, 160.0, 160.0]) / 3600.0
    left = from_dataframe(pd.DataFrame({"i": range(4), "ra": [10.0] * 4, "dec": dec, "t": t}))
    right = from_dataframe(
        pd.DataFrame({"j": [0], "ra": [10.0], "dec": [160 / 3600], "pmra": [0.0], "pmdec": [1e4]})
    )
    matched = crossmatch(left, right, 0.01, left_epoch="t", right_epoch=2016.0)
    assert matches(matched) == [(0, 0), (1, 0), (2, 0), (3, 0)]
    assert matches(crossmatch(left, right, 0.01)) == [(2, 0), (3, 0)]


@pytest.mark.parametrize("year", [1801.0, 2199.0])
def test_epochs_in_a_column_may_be_long_ago(tmp_path: Path, year: float) -> None:
    """The first catalogues of proper motions compare with plates, and these with older lists.

    Where epochs are in columns it is not known beforehand how far stars have gone.
    """
    for extreme in (1800.0, 2200.0, 15_000.0, 100_000.0, 2_400_000.0, 2_500_000.0):
        found = julian_years([extreme], "t")[0]
        assert drift._YEARS[0] <= found <= drift._YEARS[1]
    rng = np.random.default_rng(7)
    n = 30
    then = around(80.0, 20.0, 6000.0, n, rng)
    pmra, pmdec = np.full(n, 1202.0), np.full(n, -1202.0)
    now = Sky(*propagate(*then, pmra, pmdec, 2000.0 - year))
    left = from_dataframe(stars(now, "i", epoch=np.full(n, 2000.0)), max_rows=1)
    right = from_dataframe(stars(then, "j", pmra=pmra, pmdec=pmdec, epoch=np.full(n, year)), max_rows=5)
    right = write_files(tmp_path / "r", right, rows=1)
    matched = crossmatch(left, right, 0.125, "one-to-one", left_epoch=2000.0, right_epoch="epoch")
    assert matches(matched) == [(k, k) for k in range(n)]
    back = crossmatch(left, right, 0.125, "one-to-one", left_epoch="epoch", right_epoch=year)
    assert matches(back) == [(k, k) for k in range(n)]


def test_null_motion_stays() -> None:
    frame = pd.DataFrame({"j": range(3), "ra": [10.0, 20.0, 30.0], "dec": [0.0] * 3})
    frame["pmra"] = pd.array([None, 5000.0, 5000.0], dtype="Float64")
    frame["pmdec"] = pd.array([5000.0, None, 0.0], dtype="Float64")
    left = from_dataframe(frame[["ra", "dec"]].assign(i=range(3)))
    matched = crossmatch(left, from_dataframe(frame), 1.0, left_epoch=2000.0, right_epoch=2016.0)
    assert matches(matched) == [(0, 0), (1, 1)]


def test_other_names_and_types_of_columns() -> None:
    more = {"mu_a": pa.array([0], pa.int32()), "mu_d": pa.array([1000], pa.float32())}
    table = stars(Sky(np.array([10.0]), np.array([0.0])), "j", **more, year=pa.array([2016], pa.int16()))
    left = from_dataframe(pd.DataFrame({"i": [0], "ra": [10.0], "dec": [-16.0 / 3600.0]}))
    right = from_dataframe(table)
    matched = crossmatch(
        left, right, 0.01, left_epoch=2000, right_epoch="year", proper_motion=("mu_a", "mu_d")
    )
    assert matches(matched[["i", "j"]]) == [(0, 0)]
