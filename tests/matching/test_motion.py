"""Matching stars that move, against astropy's propagation of positions and all separations."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import astropy.units as u
import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from match_files import Reads, reads, write_files
from match_oracle import SITES, Sky, around, brute_force, everywhere, joined, matches, separations, stars

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import from_dataframe
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.matching import drift
from lkmrs_dask.matching.motion import julian_years, propagate
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29, index_range

__all__ = ["reads"]

TOLERANCE_ARCSEC = 1e-6
"""Both go along straight lines in space.  Light time and rounding part them by 1e-9 arcsec in 40 years at
10 arcsec/yr, and by 4e-7 arcsec in 200."""

Floats = np.ndarray


def astropy_place(sky: Sky, pmra: Floats, pmdec: Floats, start: Floats, end: Floats) -> SkyCoord:
    """Places at another epoch; the distance counts for nothing."""
    return SkyCoord(
        ra=sky.ra * u.deg,
        dec=sky.dec * u.deg,
        pm_ra_cosdec=pmra * u.mas / u.yr,
        pm_dec=pmdec * u.mas / u.yr,
        distance=np.full(len(sky.ra), 10.0) * u.pc,
        radial_velocity=np.zeros(len(sky.ra)) * u.km / u.s,
        obstime=Time(start, format="jyear", scale="tdb"),
    ).apply_space_motion(new_obstime=Time(end, format="jyear", scale="tdb"))


def moved(sky: Sky, pmra: Floats, pmdec: Floats, start: Floats | float, end: Floats | float) -> Sky:
    """Places at another epoch, by astropy; those whose motion or epoch is not known stay."""
    start, end = np.broadcast_to(start, sky.ra.shape), np.broadcast_to(end, sky.ra.shape)
    known = np.isfinite(pmra) & np.isfinite(pmdec) & np.isfinite(start) & np.isfinite(end)
    ra, dec = sky.ra.copy(), sky.dec.copy()
    if known.any():
        some = Sky(ra[known], dec[known])
        place = astropy_place(some, pmra[known], pmdec[known], start[known], end[known])
        ra[known], dec[known] = place.ra.deg, place.dec.deg
    return Sky(ra, dec)


def moved_separations(
    left: Sky, epoch: Floats, right: Sky, pmra: Floats, pmdec: Floats, start: Floats | float
) -> np.ndarray:
    """All separations, each with the right row where it was at the epoch of the left one."""
    rows = []
    for ra, dec, when in zip(*left, epoch, strict=True):
        rows.append(
            separations(Sky(np.array([ra]), np.array([dec])), moved(right, pmra, pmdec, start, when))[0]
        )
    return np.array(rows)


def near_call(away: np.ndarray, radius: float) -> bool:
    """Whether less than the tolerance decides."""
    if np.any(np.abs(away - radius) < 2 * TOLERANCE_ARCSEC):
        return True
    close = np.where(away <= radius, away, np.nan)
    steps = [np.diff(np.sort(rows, axis=1), axis=1) for rows in (close, close.T)]
    return any(np.any(step < 2 * TOLERANCE_ARCSEC) for step in steps)


# -- places --------------------------------------------------------------------------------------------------


def test_places_are_those_of_astropy() -> None:
    rng = np.random.default_rng(0)
    n = 3000
    sky = joined(everywhere(n, rng), *(around(ra, dec, 100.0, 20, rng) for ra, dec in SITES))
    n = len(sky.ra)
    pmra, pmdec = (10.0 ** rng.uniform(0, 3.85, n) * rng.choice([-1, 1], n) for _ in range(2))
    start, end = rng.uniform(1980, 2020, n), rng.uniform(1980, 2020, n)
    ours = Sky(*propagate(*sky, pmra, pmdec, end - start))
    theirs = moved(sky, pmra, pmdec, start, end)
    one, two = (SkyCoord(place.ra * u.deg, place.dec * u.deg) for place in (ours, theirs))
    assert one.separation(two).arcsec.max() < TOLERANCE_ARCSEC
    assert ours.ra.min() >= 0.0
    assert ours.ra.max() < 360.0


@given(
    ra=st.sampled_from([0.0, 360.0, 359.9999999]) | st.floats(0.0, 360.0),
    dec=st.sampled_from([90.0, -90.0, 89.99999, -89.99999, 0.0]) | st.floats(-90.0, 90.0),
    speed=st.sampled_from([0.0, drift.FASTEST_MASYR]) | st.floats(0.0, drift.FASTEST_MASYR),
    angle=st.floats(0.0, 360.0),
    start=st.floats(1950.0, 2050.0),
    years=st.floats(-100.0, 100.0),
)
@settings(max_examples=100, deadline=None)
def test_any_place_is_that_of_astropy(
    ra: float, dec: float, speed: float, angle: float, start: float, years: float
) -> None:
    """The poles themselves and RA 0 among them; light time is 3e-8 arcsec at most here."""
    pmra, pmdec = speed * np.sin(np.radians(angle)), speed * np.cos(np.radians(angle))
    ours = SkyCoord(*propagate(ra, dec, pmra, pmdec, years), unit=u.deg)
    sky = Sky(np.array([ra]), np.array([dec]))
    theirs = moved(sky, np.array([pmra]), np.array([pmdec]), start, start + years)
    assert ours.separation(SkyCoord(theirs.ra * u.deg, theirs.dec * u.deg)).arcsec[0] < TOLERANCE_ARCSEC
    # A straight line in space: the angle is that whose tangent is the way, in whatever direction.
    way = np.degrees(np.arctan(np.radians(speed * abs(years) / 3_600_000.0))) * 3600.0
    assert abs(ours.separation(SkyCoord(ra * u.deg, dec * u.deg)).arcsec - way) < TOLERANCE_ARCSEC


@pytest.mark.parametrize(("ra", "pmra"), [(0.0, -1e-9), (360.0, np.nan)])
def test_right_ascensions_are_below_360(ra: float, pmra: float) -> None:
    assert 0.0 <= propagate(ra, 0.0, pmra, 0.0, 1.0)[0] < 360.0


def test_barnards_star() -> None:
    """From its place in 2000 to Gaia's in 2016 (DR3 4472832130942575872), both as published.

    Its parallax moves neither: catalogues give places at the barycentre.  Errors of the first are 10 mas.
    """
    ra, dec = propagate(269.4520769, 4.6933650, -801.551, 10362.394, 16.0)
    gaia = SkyCoord(269.44850252543836 * u.deg, 4.739420051112412 * u.deg)
    assert SkyCoord(ra * u.deg, dec * u.deg).separation(gaia).arcsec < 0.1


def test_there_and_back_and_null_motions() -> None:
    rng = np.random.default_rng(1)
    sky = everywhere(500, rng)
    for pmra, pmdec in ((np.nan, 100.0), (100.0, np.nan), (np.nan, np.nan), (0.0, 0.0)):
        ra, dec = propagate(*sky, pmra, pmdec, 16.0)
        assert np.abs(ra - sky.ra).max() < 1e-12
        assert np.abs(dec - sky.dec).max() < 1e-12
    assert propagate(10.0, 20.0, 5.0, 5.0, np.nan) == (10.0, 20.0)
    # Over a pole: the star goes on along its great circle.
    ra, dec = propagate(30.0, 90.0 - 10.0 / 3600.0, 0.0, 10_000.0, 2.0)
    assert ra == pytest.approx(210.0)
    assert (90.0 - dec) * 3600.0 == pytest.approx(10.0, abs=1e-6)


@pytest.mark.parametrize("form", ["jyear", "mjd", "jd"])
def test_epochs_of_each_kind(form: str) -> None:
    years = np.array([1950.5, 2000.0, 2016.0, 2025.25])
    values = getattr(Time(years, format="jyear", scale="tdb"), form)
    found = julian_years([*values, np.nan], "column t")
    assert np.abs(found[:4] - years).max() < 1e-8
    assert np.isnan(found[4])
    assert np.isnan(julian_years([np.nan], "t")).all()
    assert len(julian_years([], "t")) == 0


@pytest.mark.parametrize("values", [[0.0, 2016.0], [57388.0, 2016.0], [-9999.0], [54.0], [1e9]])
def test_what_is_no_epoch(values: list[float]) -> None:
    with pytest.raises(CatalogError, match=r"column t holds no epochs: .* neither Julian years, MJD nor JD"):
        julian_years(values, "column t")


# -- matches -------------------------------------------------------------------------------------------------


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


class Field(NamedTuple):
    """Stars that came from afar, that have gone, and that stay, and what must be found of them."""

    left: pa.Table
    right: pa.Table
    away: np.ndarray
    listed: np.ndarray


FIELD_RADIUS = 2.0


@pytest.fixture(scope="module")
def field() -> Field:
    """Around poles, corners of base pixels and RA 0, where motion leads to another tile.

    Of five stars a site, three are fast: one is listed at the site, one was seen there.  Something is seen
    near each of the others' listed place, too.  Epochs and motions of some are not known.
    """
    rng = np.random.default_rng(3)
    sites = SITES[:8]
    kind = np.tile(np.arange(5), len(sites))
    spread = np.array([0.9, 0.9, 90.0, 90.0, 90.0])
    start = joined(*(around(*site, far, 1, rng) for site in sites for far in spread))
    n = len(kind)
    angle, speed = rng.uniform(0, 2 * np.pi, n), np.where(kind < 3, 9_000.0, 20.0)
    pmra, pmdec = speed * np.sin(angle), speed * np.cos(angle)
    epoch, listed_in = np.round(rng.uniform(1995.0, 2005.0, n), 1), np.full(n, 2016.0)
    # The first kind is made where it is listed, and the others where they were.
    first = kind == 0
    place = astropy_place(
        start, pmra, pmdec, np.where(first, listed_in, epoch), np.where(first, epoch, listed_in)
    )
    end = Sky(place.ra.deg, place.dec.deg)
    then = Sky(*(np.where(first, *both) for both in zip(end, start, strict=True)))
    now = Sky(*(np.where(first, *both) for both in zip(start, end, strict=True)))
    pmra = np.where(first, pmra, place.pm_ra_cosdec.value)
    pmdec = np.where(first, pmdec, place.pm_dec.value)
    pmra[4::15], pmdec[9::15] = np.nan, np.nan
    others = np.flatnonzero((kind == 0) | (kind == 2))
    seen = joined(then, Sky(now.ra[others], now.dec[others]))
    seen = joined(*(around(*one, 1.0, 1, rng) for one in zip(*seen, strict=True)))
    epoch = np.concatenate([epoch, np.full(len(others), 2000.0)])
    epoch[n + 1 :: 5] = np.nan  # then the star counts where it is listed
    epoch[3::10] = np.nan
    away = moved_separations(seen, epoch, now, pmra, pmdec, 2016.0)
    listed = separations(seen, now)
    assert not near_call(away, FIELD_RADIUS)
    assert not near_call(listed, FIELD_RADIUS)
    # Rows that will have no place, which must not put the others out of step.
    gaps = [4, 11]
    away, listed = (np.pad(one, (0, 2), constant_values=np.inf) for one in (away, listed))

    def table(sky: Sky, number: str, **more: np.ndarray) -> pa.Table:
        sky = joined(sky, Sky(sky.ra[gaps], sky.dec[gaps]))
        columns = {
            name: pa.array(np.append(values, values[gaps]), from_pandas=True) for name, values in more.items()
        }
        rows = stars(sky, number, **columns, gap=np.arange(len(sky.ra)) >= len(sky.ra) - len(gaps))
        return rows.take(pa.array(rng.permutation(len(rows))))

    return Field(table(seen, "i", t=epoch), table(now, "j", pmra=pmra, pmdec=pmdec), away, listed)


def in_tiles(table: pa.Table, max_rows: int) -> Catalog:
    """Partition rows; then those that are gaps lose their place."""
    whole = from_dataframe(table, max_rows=max_rows)

    def lose(rows: pa.Table) -> pa.Table:
        for name in ("ra", "dec"):
            values = pc.if_else(rows.column("gap"), pa.scalar(None, pa.float64()), rows.column(name))
            rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), values)
        return rows

    schema = whole.source.schema
    for name in ("ra", "dec"):
        schema = schema.set(schema.get_field_index(name), schema.field(name).with_nullable(True))
    return whole.map_partitions(lose, schema)


def tile(tiling: Catalog, table: pa.Table, number: str, row: int) -> tuple[int, int] | None:
    """Which pixel of a catalogue a row of any table lies in; None for one that it leaves out as empty."""
    index = int(healpix29(*(np.array([value]) for value in place_of(table, number, row)))[0])
    ranges = {part: index_range(*part) for part in tiling.pixels}
    return next((part for part, (lo, hi) in ranges.items() if lo <= index < hi), None)


def place_of(table: pa.Table, number: str, row: int) -> tuple[float, float]:
    """Listed coordinates of a row."""
    at = table.column(number).to_pylist().index(row)
    return table.column("ra")[at].as_py(), table.column("dec")[at].as_py()


@pytest.mark.parametrize("max_rows", [2, 6])
def test_pairs_over_borders_come_and_go_with_motion(field: Field, tmp_path: Path, max_rows: int) -> None:
    """Some are there with motion only, others without it only, and the two lie in different tiles."""
    near, listed = field.away <= FIELD_RADIUS, field.listed <= FIELD_RADIUS
    came, gone, stay = (
        {(int(i), int(j)) for i, j in np.argwhere(one)}
        for one in (near & ~listed, listed & ~near, near & listed)
    )
    assert min(len(came), len(gone), len(stay)) >= 10
    left = write_files(tmp_path / "l", in_tiles(field.left, max_rows), rows=1)
    right = write_files(tmp_path / "r", in_tiles(field.right, max_rows), rows=1)
    for pairs in (came, gone):
        over = [tile(left, field.left, "i", i) != tile(left, field.right, "j", j) for i, j in pairs]
        over_too = [tile(right, field.left, "i", i) != tile(right, field.right, "j", j) for i, j in pairs]
        assert sum(over) >= 3
        assert sum(over_too) >= 3
    plain = crossmatch(left, right, FIELD_RADIUS, "all")
    moving = crossmatch(left, right, FIELD_RADIUS, "all", left_epoch="t", right_epoch=2016.0)
    assert set(matches(plain)) == gone | stay
    assert set(matches(moving)) == came | stay
    alone = crossmatch(left, right, FIELD_RADIUS, join="anti", left_epoch="t", right_epoch=2016.0)
    assert {i for i, _ in matches(alone)} == set(range(len(field.left))) - {i for i, _ in came | stay}


@pytest.mark.parametrize("neighbours", ["all", "one-to-one"])
@pytest.mark.parametrize(
    ("max_rows", "lefts", "rights"),
    [
        ((3, 40), {"rows": 1}, {"rows": 1}),
        ((40, 3), {"rows": 2, "files": 2}, {"rows": 1, "shuffle": True}),
        ((1000, 8), {"rows": 3, "indexed": False}, {"rows": 2, "files": 2}),
        ((8, 1000), {"rows": 2, "shuffle": True}, {"rows": 1, "statistics": False}),
        ((1000, 1000), {"rows": 100}, {"rows": 3, "indexed": False, "shuffle": True}),
    ],
)
def test_tilings_and_files_change_nothing(
    field: Field, tmp_path: Path, max_rows: tuple[int, int], lefts: dict, rights: dict, neighbours: Any
) -> None:
    tables = [
        # An index cannot be made of no place.
        table if options.get("indexed", True) else table.filter(pc.invert(table.column("gap")))
        for table, options in ((field.left, lefts), (field.right, rights))
    ]
    left = write_files(tmp_path / "l", in_tiles(tables[0], max_rows[0]), **lefts)
    right = write_files(tmp_path / "r", in_tiles(tables[1], max_rows[1]), **rights)
    away = field.away[: len(tables[0]), : len(tables[1])]
    for join in ("left", "anti"):
        found = crossmatch(
            left, right, FIELD_RADIUS, neighbours, join, left_epoch="t", right_epoch=2016.0
        ).to_arrow()  # fmt: skip
        assert matches(found) == brute_force(away, FIELD_RADIUS, neighbours, join)
        if join == "anti":
            continue
        for row in found.to_pylist():
            assert row["n_candidates"] == np.count_nonzero(away[row["i"]] <= FIELD_RADIUS)
            if row["j"] is not None:
                # That at the epoch of the left row, not that of the listed places.
                assert abs(row["separation_arcsec"] - away[row["i"], row["j"]]) < TOLERANCE_ARCSEC
                assert (row["ra"], row["dec"]) == place_of(field.left, "i", row["i"])
                assert (row["ra_2"], row["dec_2"]) == place_of(field.right, "j", row["j"])


def test_the_data_frame_and_regions_of_moving_stars(field: Field) -> None:
    """Dask knows work by its name: matches that differ only in their epochs must not have the same."""
    left, right = in_tiles(field.left, 20), in_tiles(field.right, 20)
    several = [
        crossmatch(left, right, FIELD_RADIUS, "all", left_epoch=left_epoch, right_epoch=right_epoch)
        for left_epoch, right_epoch in ((None, None), ("t", 2016.0), (2000.0, 2016.0), ("t", 2010.0))
    ]
    together = dask.compute(*(one.ddf for one in several))
    tables = [one.to_arrow() for one in several]
    pairs = [sorted(zip(frame["i"], frame["j"], strict=True)) for frame in together]
    assert pairs == [sorted(matches(table)) for table in tables]
    assert len({tuple(one) for one in pairs}) == len(several)
    # A region is one of the left rows, from wherever their counterparts came.
    ra, dec = 0.0, 90.0
    for neighbours in ("all", "one-to-one"):
        whole = crossmatch(left, right, FIELD_RADIUS, neighbours, left_epoch="t", right_epoch=2016.0)
        some = whole.cone_search(ra, dec, 100.0).to_arrow()
        table = whole.to_arrow()
        within = SkyCoord(ra * u.deg, dec * u.deg).separation(
            SkyCoord(table.column("ra").to_numpy() * u.deg, table.column("dec").to_numpy() * u.deg)
        )
        assert some.equals(table.filter(pa.array(within.arcsec <= 100.0)))
        assert 0 < len(some) < len(table)


@pytest.mark.parametrize("in_files", [False, True])
@pytest.mark.parametrize("side", ["left", "right"])
def test_where_no_epoch_is_known_nothing_moves(
    field: Field, tmp_path: Path, side: str, in_files: bool
) -> None:
    unknown = {name: pa.nulls(len(getattr(field, name)), pa.float64()) for name in ("left", "right")}
    left = in_tiles(field.left.append_column("no", unknown["left"]), 20)
    right = in_tiles(field.right.append_column("no", unknown["right"]), 20)
    if in_files:
        left, right = write_files(tmp_path / "l", left, rows=2), write_files(tmp_path / "r", right, rows=2)
    epochs: dict[str, Any] = {"left_epoch": "t", "right_epoch": 2016.0, f"{side}_epoch": "no"}
    for neighbours in ("all", "one-to-one"):
        still = crossmatch(left, right, FIELD_RADIUS, neighbours, "left")
        found = crossmatch(left, right, FIELD_RADIUS, neighbours, "left", **epochs)
        assert found.to_arrow().equals(still.to_arrow())


def test_motion_is_that_of_the_right_and_need_not_be_selected(field: Field) -> None:
    """Names in both catalogues get suffixes in the result only; the motion of the left plays no part."""
    motion = np.full(len(field.left), 1e4)
    more = field.left.append_column("pmra", pa.array(motion)).append_column("pmdec", pa.array(-motion))
    left, right = in_tiles(more, 20), in_tiles(field.right, 20)
    found = crossmatch(left, right, FIELD_RADIUS, "all", left_epoch="t", right_epoch=2016.0)
    assert {"pmra", "pmdec", "pmra_2", "pmdec_2"} <= set(found.columns)
    wanted = brute_force(field.away, FIELD_RADIUS, "all")
    assert matches(found) == wanted
    bare = crossmatch(
        left[["i"]], right[["j"]], FIELD_RADIUS, "all", left_epoch="t", right_epoch=2016.0
    )  # fmt: skip
    assert bare.columns == [HEALPIX_COLUMN, "i", "j", "separation_arcsec", "n_candidates"]
    assert matches(bare) == wanted


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


# -- what is read --------------------------------------------------------------------------------------------


def lines(reads: Reads, side: str) -> set[tuple[str, int]]:
    return {one for one in reads.groups if f"/{side}/" in one[0]}


def test_row_groups_of_slow_stars_are_left_out(tmp_path: Path, reads: Reads) -> None:
    """A strip of stars: statistics of their motions tell which of the far ones could have come from here."""
    n = 400
    strip = Sky(50.0 + np.arange(n) * 5.0 / 3600.0, np.zeros(n))
    pmra = np.full(n, 3.0)
    pmra[200:230] = -10_000.0  # up to 115 arcsec further east than where they are wanted
    table = stars(strip, "j", pmra=pmra, pmdec=np.zeros(n))
    right = write_files(tmp_path / "right", from_dataframe(table), rows=4)
    left = from_dataframe(stars(Sky(strip.ra[180:182], strip.dec[180:182]), "i"))
    reads.groups.clear()
    near = crossmatch(left, right, 1.0, "all")
    near.to_arrow()
    few = lines(reads, "right")
    reads.groups.clear()
    matched = crossmatch(left, right, 1.0, "all", left_epoch=2016.0, right_epoch=2000.0)
    table = matched.to_arrow()
    many = lines(reads, "right")
    assert few < many
    assert len(many) < len(few) + 12, "fast stars lie in 8 or 9 groups, slow ones in some 90"
    # Where each star was after 16 years: 32 places further west, or as good as where it is.
    wanted = [(i, j) for i in range(2) for j in range(n) if (j - 32 if 200 <= j < 230 else j) == 180 + i]
    assert sorted(matches(table)) == sorted(wanted)
    assert len(wanted) == 4
    # Without statistics of motions any star might have come.
    known = ["_healpix_29", "ra"]
    whole = from_dataframe(stars(strip, "j", pmra=pmra, pmdec=np.zeros(n)))
    bare = write_files(tmp_path / "bare", whole, rows=4, statistics=known)
    reads.groups.clear()
    again = crossmatch(left, bare, 1.0, "all", left_epoch=2016.0, right_epoch=2000.0).to_arrow()
    assert again.equals(table)
    assert len(lines(reads, "bare")) > len(many)


def test_row_groups_are_read_as_far_as_motions_reach(tmp_path: Path, reads: Reads) -> None:
    """The same strip with slow and fast stars and few or many years: bytes and groups grow with the way."""
    n = 1200
    strip = Sky(50.0 + np.arange(n) * 5.0 / 3600.0, np.zeros(n))
    left = from_dataframe(stars(Sky(strip.ra[600:602], strip.dec[600:602]), "i"))

    def groups(name: str, pmra: float, years: float | None) -> set[tuple[str, int]]:
        table = stars(strip, "j", pmra=np.full(n, pmra), pmdec=np.zeros(n))
        right = write_files(tmp_path / name, from_dataframe(table), rows=4)
        epochs = {} if years is None else {"left_epoch": 2000.0 + years, "right_epoch": 2000.0}
        reads.groups.clear()
        reads.columns.clear()
        crossmatch(left, right, 1.0, "all", **epochs)[["i", "j"]].to_arrow()  # type: ignore[arg-type]
        assert ("pmra" in reads.columns) == ("pmdec" in reads.columns) == (years is not None)
        where = {Path(path).name for path, _ in reads.groups}
        assert len(where) <= len(right.pixels)
        return {(Path(path).name, group) for path, group in lines(reads, name)}

    plain = groups("plain", 10_000.0, None)
    same_epoch = groups("same", 10_000.0, 0.0)
    slow = groups("slow", 20.0, 16.0)
    near, far = groups("near", 10_000.0, 4.0), groups("far", 10_000.0, 16.0)
    # 0.3 arcsec in 16 years count as twice the radius at most: 2 arcsec, less than a step of 5.
    assert same_epoch == plain <= slow < near < far
    assert len(slow) <= len(plain) + 4
    # At the least 40 and 160 arcsec either way, in groups of 20; at the most no group at the strip's ends.
    assert len(near) >= 4
    assert len(far) >= 16
    assert len(far) < n // 4 // 2, "160 arcsec either way, of 3000"


def test_the_way_back_of_one_to_one_reads_what_motions_reach(tmp_path: Path, reads: Reads) -> None:
    """Left rows that may have a star: near where it was, whatever their epoch, and no others."""
    n = 400
    strip = Sky(50.0 + np.arange(n) * 5.0 / 3600.0, np.zeros(n))
    left = write_files(tmp_path / "left", from_dataframe(stars(strip, "i"), max_rows=100), rows=4)
    assert len(left.pixels) > 4

    def back(pmra: float) -> tuple[int, int]:
        right = from_dataframe(
            stars(Sky(strip.ra[200:201], strip.dec[200:201]), "j", pmra=[pmra], pmdec=[0.0])
        )
        reads.groups.clear()
        found = crossmatch(left, right, 1.0, "one-to-one", left_epoch=2016.0, right_epoch=2000.0)
        pairs = matches(found)
        assert len(pairs) == 1
        # What is read twice is read on the way back.
        return pairs[0][0], len(reads.groups) - len(lines(reads, "left"))

    still, few = back(0.0)
    moved_to, many = back(10_000.0)
    assert (still, moved_to) == (200, 232)
    assert 1 <= few < many < 100


@pytest.mark.parametrize("motion", [np.nan, None])
def test_row_groups_in_which_no_motion_is_known(tmp_path: Path, motion: float | None) -> None:
    n = 200
    strip = Sky(50.0 + np.arange(n) * 5.0 / 3600.0, np.zeros(n))
    pmra = pa.array([motion if k < 100 else -10_000.0 for k in range(n)], pa.float64(), from_pandas=False)
    right = from_dataframe(stars(strip, "j", pmra=pmra, pmdec=np.zeros(n)))
    right = write_files(tmp_path / "right", right, rows=4)
    left = from_dataframe(stars(strip, "i"))
    matched = crossmatch(left, right, 1.0, left_epoch=2016.0, right_epoch=2000.0)
    # Of the left rows 68 to 99 both that star and the one that came from further east are there.
    came = [(k, k + 32 if k >= 100 else k) for k in range(168)]
    assert [pair for pair in matches(matched) if not 68 <= pair[0] < 100] == [
        pair for pair in came if not 68 <= pair[0] < 100
    ]
    assert len(matched) == 168
    assert pq.read_metadata(next(Path(str(right.path)).rglob("*.parquet"))).num_row_groups > 1


# -- wrong calls and data ------------------------------------------------------------------------------------


def one_star(**more: object) -> pd.DataFrame:
    return pd.DataFrame({"ra": [10.0], "dec": [5.0], "pmra": [1.0], "pmdec": [1.0], "t": [2016.0], **more})


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"left_epoch": 2000.0}, "both epochs are given"),
        ({"right_epoch": "t"}, "both epochs are given"),
        ({"left_epoch": 57000.0, "right_epoch": 2016.0}, "a Julian year from 1800 to 2200, not 57000.0"),
        ({"left_epoch": np.nan, "right_epoch": 2016.0}, "a Julian year from 1800 to 2200, not nan"),
        (
            {"left_epoch": Time(2000.0, format="jyear"), "right_epoch": 2016.0},
            "a Julian year from 1800 to 2200",
        ),
        (
            {"left_epoch": "when", "right_epoch": 2016.0},
            "has no column when, which proper motion needs; it has",
        ),
        ({"left_epoch": 2000.0, "right_epoch": "when"}, "has no column when"),
        ({"left_epoch": 2000.0, "right_epoch": "name"}, "column name is .*string, but must hold numbers"),
        ({"left_epoch": 2000.0, "right_epoch": "day"}, "column day is .*, but must hold numbers"),
        ({"left_epoch": 2000.0, "right_epoch": 2016.0, "proper_motion": ("mu", "pmdec")}, "has no column mu"),
        (
            {"left_epoch": 2000.0, "right_epoch": 2016.0, "proper_motion": ("name", "pmdec")},
            "name is .*string",
        ),
        ({"left_epoch": 2000.0, "right_epoch": 2016.0, "proper_motion": "pmra"}, "names two columns"),
    ],
)
def test_wrong_calls(options: dict, match: str) -> None:
    catalog = from_dataframe(one_star(name=["x"], day=pd.to_datetime(["2016-01-01"])))
    with pytest.raises(UsageError, match=match):
        crossmatch(catalog, catalog, **options)


@pytest.mark.parametrize("names", [None, 5, ("pmra", 3), ("pmra", None)])
def test_proper_motion_that_is_no_two_names(names: Any) -> None:
    catalog = from_dataframe(one_star())
    with pytest.raises(UsageError, match="names two columns"):
        crossmatch(catalog, catalog, left_epoch=2000.0, right_epoch=2016.0, proper_motion=names)


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_epoch_that_is_infinite_is_unknown_or_refused(side: str) -> None:
    """As one that is null: the star stays.  Numpy must not warn."""
    tables = {"left": one_star(pmra=[0.0]), "right": one_star(pmra=[0.0])}
    tables[side] = pd.concat([tables[side]] * 2).assign(t=[2016.0, np.inf])
    found = crossmatch(
        from_dataframe(tables["left"]), from_dataframe(tables["right"]), neighbours="all",
        left_epoch="t", right_epoch="t",
    )  # fmt: skip
    assert len(found) == 2


def test_motions_in_other_units() -> None:
    left = from_dataframe(one_star())
    table = pa.Table.from_pandas(one_star())
    field = table.schema.field("pmra")
    good_units = ("mas/yr", "mas.yr**-1", "mas / yr", "mas yr-1", "mas/a", "arcsec / kyr")
    other_units = ("arcsec / yr", "deg/yr", "mas/century", "mas", "mas/d", "what")
    for unit, good in [(unit, True) for unit in good_units] + [(unit, False) for unit in other_units]:
        schema = table.schema.set(table.schema.get_field_index("pmra"), field.with_metadata({"unit": unit}))
        right = from_dataframe(table.cast(schema))
        if good:
            assert len(crossmatch(left, right, left_epoch=2000.0, right_epoch=2016.0)) == 1
        else:
            with pytest.raises(CatalogError, match=f"column pmra is in {unit}, not in mas/yr"):
                crossmatch(left, right, left_epoch=2000.0, right_epoch=2016.0)
    for value in (12_000.0, np.inf):
        right = from_dataframe(one_star(pmra=[value]))
        with pytest.raises(CatalogError, match="is faster than any star's; they must be in mas/yr"):
            crossmatch(left, right, left_epoch=2000.0, right_epoch=2016.0).to_arrow()


def test_epochs_that_are_none_are_refused_while_computing() -> None:
    left, right = from_dataframe(one_star(t=[0.0])), from_dataframe(one_star())
    matched = crossmatch(left, right, left_epoch="t", right_epoch=2016.0)
    with pytest.raises(CatalogError, match="column t holds no epochs"):
        matched.to_arrow()


def test_the_fastest_star_is_slower_than_the_limit() -> None:
    assert np.hypot(801.551, 10362.394) < drift.FASTEST_MASYR
