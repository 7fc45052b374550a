"""The cross-match of catalogues on disk: of any writer, and how little of them is read."""

from __future__ import annotations

import os
from pathlib import Path

import astropy.units as u
import dask
import healpy
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from match_files import INDEX, Reads, partition_file, reads, write_files, write_properties
from match_oracle import (
    NOISE_ARCSEC,
    Sky,
    around,
    brute_force,
    check_numbers,
    joined,
    matches,
    separations,
    stars,
)

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import from_dataframe, open_catalog
from lkmrs_dask.sky.index import healpix29

__all__ = ["reads"]

SITE, SPREAD, RADIUS = (0.0, 41.8103148957786), 1500.0, 30.0


@pytest.fixture(scope="module")
def field() -> tuple[Sky, Sky]:
    rng = np.random.default_rng(2)
    left = around(*SITE, SPREAD, 300, rng)
    right = joined(around(*SITE, SPREAD, 380, rng), Sky(left.ra[:20], left.dec[:20]))
    again = np.where(rng.random(400) < 0.1, rng.integers(0, 400, 400), np.arange(400))
    return left, Sky(right.ra[again], right.dec[again])


@pytest.fixture(scope="module")
def away(field: tuple[Sky, Sky]) -> np.ndarray:
    return separations(*field)


def tables(field: tuple[Sky, Sky]) -> tuple[pa.Table, pa.Table]:
    rng = np.random.default_rng(6)
    names = [[f"s{k:03d}" for k in rng.permutation(len(sky.ra))] for sky in field]
    flux = [None if k % 7 == 0 else [k / 2] * (k % 4) for k in range(400)]
    return stars(field[0], "i", star_id=names[0]), stars(field[1], "j", star_id=names[1], flux=flux)


def ids(field: tuple[Sky, Sky]) -> tuple[list[str], list[str]]:
    left, right = (table.column("star_id").to_pylist() for table in tables(field))
    return left, right


def both(field: tuple[Sky, Sky], sizes: tuple[int, int] = (90, 120)) -> tuple[Catalog, Catalog]:
    left, right = (from_dataframe(t, max_rows=m) for t, m in zip(tables(field), sizes, strict=True))
    return left, right


WAYS: dict[str, dict] = {
    "one row a group": {"rows": 1},
    "seven rows a group": {"rows": 7},
    "one group": {"rows": 10**6},
    "three files a partition": {"rows": 9, "files": 3},
    "no statistics": {"statistics": False},
    "statistics of other columns": {"statistics": ["ra", "star_id"]},
    "no index": {"indexed": False},
    "no index, in files": {"indexed": False, "files": 2},
    "unsorted": {"shuffle": True},
    "unsorted files": {"shuffle": True, "files": 2, "rows": 5},
    "unsorted, no index": {"shuffle": True, "indexed": False},
}


@pytest.mark.parametrize("way", WAYS)
def test_files_of_every_kind(field: tuple[Sky, Sky], away: np.ndarray, tmp_path: Path, way: str) -> None:
    left, right = both(field)
    here = [
        write_files(tmp_path / name, one, **WAYS[way]) for name, one in (("left", left), ("right", right))
    ]
    for one, other, neighbours in (
        (left, here[1], "one-to-one"),
        (here[0], right, "one-to-one"),
        (here[0], here[1], "nearest"),
        (here[0], here[1], "all"),
    ):
        table = crossmatch(one, other, RADIUS, neighbours, "left").to_arrow()  # type: ignore[arg-type]
        assert matches(table) == brute_force(away, RADIUS, neighbours, "left", *ids(field))
        check_numbers(table, away, RADIUS)
    whole = {row["j"]: row for row in tables(field)[1].to_pylist()}
    for row in table.to_pylist():
        assert row["flux"] == (None if row["j"] is None else whole[row["j"]]["flux"])
        assert row["star_id_2"] == (None if row["j"] is None else whole[row["j"]]["star_id"])


@given(
    rows=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    files=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    sizes=st.tuples(st.integers(20, 400), st.integers(20, 400)),
    neighbours=st.sampled_from(["one-to-one", 2]),
    shuffle=st.tuples(st.booleans(), st.booleans()),
    radius=st.sampled_from([5.0, 30.0]),
)
@settings(max_examples=8, deadline=None)
def test_files_cut_in_any_way(
    field: tuple[Sky, Sky], away: np.ndarray, tmp_path_factory: pytest.TempPathFactory, rows: tuple[int, int],
    files: tuple[int, int], sizes: tuple[int, int], neighbours: str | int, shuffle: tuple[bool, bool],
    radius: float,
) -> None:  # fmt: skip
    root = tmp_path_factory.mktemp("cut")
    stored = [
        write_files(root / str(k), one, rows=rows[k], files=files[k], shuffle=shuffle[k])
        for k, one in enumerate(both(field, sizes))
    ]
    matched = crossmatch(stored[0], stored[1], radius, neighbours, "left")  # type: ignore[arg-type]
    assert matches(matched) == brute_force(away, radius, neighbours, "left", *ids(field))


@pytest.mark.parametrize("kept", ["search", "chained", "mapped"])
def test_mutual_matches_of_some_rows_of_files(
    field: tuple[Sky, Sky], away: np.ndarray, tmp_path: Path, kept: str
) -> None:
    """What a left catalogue leaves out of what it reads must not shift the numbers of its rows.

    Few right rows: most row groups of the left have none, and are left out where that is possible.
    """
    names = ids(field)
    left, right = both(field)
    few = list(range(0, 400, 23))
    rights = from_dataframe(tables(field)[1].take(pa.array(few)))
    stored = write_files(tmp_path / "left", left, rows=2)
    if kept == "search":
        rows = list(range(0, 300, 2))
        chosen = stored.id_search([names[0][k] for k in rows])
    elif kept == "chained":
        rows = sorted(i for i, _ in brute_force(away, RADIUS))
        chosen = crossmatch(stored, right[["ra"]], RADIUS, suffixes=("", "_first"))
    else:
        rows = list(range(300))
        chosen = stored.map_partitions(lambda table: table, stored.schema)
    found = brute_force(
        away[np.ix_(rows, few)],
        RADIUS,
        "one-to-one",
        "inner",
        [names[0][k] for k in rows],
        [names[1][k] for k in few],
    )
    matched = crossmatch(chosen, rights, RADIUS, "one-to-one", suffixes=("", "_b"))
    assert matches(matched) == [(rows[i], few[j]) for i, j in found if j is not None]
    assert len(found) > 5


# -- coordinates as they come --------------------------------------------------------------------------------


def test_right_ascensions_to_the_west_of_zero(
    field: tuple[Sky, Sky], away: np.ndarray, tmp_path: Path
) -> None:
    west = tuple(Sky((sky.ra + 180.0) % 360.0 - 180.0, sky.dec) for sky in field)
    assert min(sky.ra.min() for sky in west) < 0.0
    left, right = both((west[0], west[1]))
    stored = write_files(tmp_path / "left", left), write_files(tmp_path / "right", right, indexed=False)
    wanted = brute_force(away, RADIUS, "one-to-one", "inner", *ids(field))
    for pair in ((left, right), stored, both(field)[:1] + stored[1:]):
        assert matches(crossmatch(*pair, RADIUS, "one-to-one")) == wanted


@pytest.mark.parametrize("radius", [0.01, 0.03125])
@pytest.mark.parametrize("index_of", ["all digits", "those left", "none"])
def test_coordinates_of_32_bits(tmp_path: Path, radius: float, index_of: str) -> None:
    """They are up to 0.06 arcsec from where the index says, when that was made of all digits.

    Pairs far from each other near 300 deg, where the steps are the largest.  The radii are the smallest of
    all, and of those below 0.1 arcsec the one with the smallest pixels for its size.  With so many rows at
    the place of each right one, they are looked for in small pixels.
    """
    rng = np.random.default_rng(8)
    n, copies = 500, 14
    left = Sky(299.0 + 0.04 * (np.arange(n) % 50), 0.04 * (np.arange(n) // 50))
    left = Sky(left.ra + 0.01 * rng.random(n), left.dec + 0.01 * rng.random(n))
    east = (radius + 0.05) * rng.uniform(-1.0, 1.0, n) / 3600.0
    right = Sky(left.ra + east, left.dec + 0.5 * radius * rng.uniform(-1.0, 1.0, n) / 3600.0)
    right = Sky(np.repeat(right.ra, copies), np.repeat(right.dec, copies))
    skies, stored, there = [], [], np.ones(n, dtype=bool)
    for side, (exact, number) in enumerate(((left, "i"), (right, "j"))):
        rough = Sky(*(one.astype(np.float32) for one in exact))
        skies.append(Sky(*(one.astype(np.float64) for one in rough)))
        index = healpix29(*(exact if index_of == "all digits" else skies[-1]))
        catalog = from_dataframe(stars(exact, "of"), max_rows=2000)  # for its tiling
        place = catalog.tiling.locate(index)
        there &= place[:: len(place) // n] >= 0  # of the rounded places some lie beyond all partitions
        table = stars(rough, number)
        if index_of != "none":
            table = table.add_column(0, INDEX, pa.array(index))
        root = tmp_path / str(side)
        for k, (order, pixel) in enumerate(catalog.pixels):
            rows = np.flatnonzero(place == k)
            rows = rows[np.argsort(index[rows], kind="stable")]
            pq.write_table(table.take(pa.array(rows)), partition_file(root, order, pixel), row_group_size=7)
        write_properties(root)
        stored.append(open_catalog(root))
    first, second = (SkyCoord(sky.ra * u.deg, sky.dec * u.deg) for sky in skies)
    away = first.separation(second[::copies]).arcsec
    assert not np.any(np.abs(away - radius) < NOISE_ARCSEC)
    wanted = np.flatnonzero((away <= radius) & there).tolist()
    assert n / 3 < len(wanted) < n
    found = matches(crossmatch(stored[0], stored[1], radius, "all"))
    assert sorted(found) == [(k, copies * k + copy) for k in wanted for copy in range(copies)]
    mutual = matches(crossmatch(stored[0], stored[1], radius, "one-to-one"))
    assert [(i, j // copies) for i, j in mutual if j is not None] == [(k, k) for k in wanted]


def test_an_unsigned_index(field: tuple[Sky, Sky], away: np.ndarray, tmp_path: Path) -> None:
    left, right = both(field)
    for one, name in ((left, "left"), (right, "right")):
        write_files(tmp_path / name, one)
        for path in (tmp_path / name).rglob("*.parquet"):
            table = pq.read_table(path, partitioning=None)
            table = table.set_column(0, INDEX, table.column(INDEX).cast(pa.uint64()))
            pq.write_table(table, path, row_group_size=10)
    stored = open_catalog(tmp_path / "left"), open_catalog(tmp_path / "right")
    for neighbours in ("all", "one-to-one"):
        wanted = brute_force(away, RADIUS, neighbours, "inner", *ids(field))
        assert matches(crossmatch(*stored, RADIUS, neighbours)) == wanted


def test_rows_without_coordinates_have_no_counterpart(
    field: tuple[Sky, Sky], away: np.ndarray, tmp_path: Path
) -> None:
    """In files there may be such rows, with an index from elsewhere."""
    left, right = both(field)
    lost = np.arange(0, 300, 3)
    for one, name, number in ((left, "left", "i"), (right, "right", "j")):
        write_files(tmp_path / name, one)
        for path in (tmp_path / name).rglob("*.parquet"):
            table = pq.read_table(path, partitioning=None)
            gone = np.isin(np.asarray(table.column(number)), lost)
            ra, dec = (np.asarray(table.column(c)) for c in ("ra", "dec"))
            places = {"ra": pa.array(ra, mask=gone), "dec": pa.array(np.where(gone, np.nan, dec))}
            for column, values in places.items():
                table = table.set_column(table.column_names.index(column), column, values)
            pq.write_table(table, path, row_group_size=10)
    away = away.copy()
    away[lost], away[:, lost] = np.inf, np.inf
    stored = open_catalog(tmp_path / "left"), open_catalog(tmp_path / "right")
    for neighbours in ("nearest", "one-to-one"):
        table = crossmatch(*stored, RADIUS, neighbours, "left").to_arrow()
        assert matches(table) == brute_force(away, RADIUS, neighbours, "left", *ids(field))
        assert {row["n_candidates"] for row in table.to_pylist() if row["i"] in lost} == {0}


# -- what is read --------------------------------------------------------------------------------------------


@pytest.fixture
def stored(field: tuple[Sky, Sky], tmp_path: Path) -> tuple[Catalog, Catalog]:
    """Both sides in small row groups."""
    left, right = both(field, (40, 60))
    return write_files(tmp_path / "left", left, rows=5), write_files(tmp_path / "right", right, rows=5)


def bounds(path: str, group: int) -> tuple[int, int]:
    with pq.ParquetFile(path) as file:
        at = file.schema_arrow.names.index(INDEX)
        known = file.metadata.row_group(group).column(at).statistics
    return known.min, known.max


def test_only_row_groups_near_the_left_rows_are_read(
    stored: tuple[Catalog, Catalog], field: tuple[Sky, Sky], reads: Reads
) -> None:
    """Those whose index range holds a place within a few radii, and each of those just once for a column."""
    left, right = stored
    matched = crossmatch(left, right, 3.0, "all")
    assert reads.groups == []
    part = max(left.pixels, key=lambda part: len(matched.source.read(*part)))
    table = left.source.read(*part)
    reads.groups.clear()
    reads.columns.clear()
    found = matched.source.read(*part)
    mine = [one for one in reads.groups if "/right/" in one[0]]
    read = set(mine)
    every = {
        (str(p), g)
        for p in Path(str(right.path)).rglob("*.parquet")
        for g in range(pq.read_metadata(p).num_row_groups)
    }
    assert 0 < len(read) < len(every) / 3
    # A group is needed if a place within the radius of a left row is in its range of the index; no place in
    # the range of one that is read is further away than the pixels around, some 18 arcsec, and their size.
    rng = np.random.default_rng(0)
    mine_at = Sky(table.column("ra").to_numpy(), table.column("dec").to_numpy())
    near = joined(*(around(ra, dec, 3.0, 300, rng) for ra, dec in zip(*mine_at, strict=True)))
    places = healpix29(*near)
    for one in every:
        lo, hi = bounds(*one)
        if np.any((places >= lo) & (places <= hi)):
            assert one in read
        elif one in read:
            inside = lo + (hi - lo) * np.arange(2001) // 2000
            ra, dec = healpy.pix2ang(2**29, inside, nest=True, lonlat=True)
            assert separations(mine_at, Sky(ra, dec)).min() < 30.0
    # Positions of these; other columns of groups with counterparts only.
    assert set(reads.columns) >= {INDEX, "ra", "dec", "star_id", "flux"}
    assert len(mine) <= 2 * len(read)
    assert reads.columns["flux"] <= len({row["j"] for row in found.to_pylist()})


def test_columns_that_are_not_asked_for_are_not_read(stored: tuple[Catalog, Catalog], reads: Reads) -> None:
    left, right = stored
    matched = crossmatch(left, right, 3.0, id_column="j")
    matched.ddf[["j"]].compute()
    assert set(reads.columns) == {INDEX, "ra", "dec", "j"}
    reads.columns.clear()
    crossmatch(left, right, 3.0, join="anti")[["i"]].to_arrow()
    assert set(reads.columns) <= {INDEX, "ra", "dec", "i", "star_id"}


def test_footers_are_read_once(stored: tuple[Catalog, Catalog], reads: Reads) -> None:
    left, right = stored
    matched = crossmatch(left, right, RADIUS, "one-to-one")
    with dask.config.set(scheduler="sync"):
        matched.to_arrow()
        matched.ddf.compute()
    assert len(reads.footers) == len(set(reads.footers)) <= len(left.pixels) + len(right.pixels)


def test_a_file_that_was_replaced_is_read_anew(stored: tuple[Catalog, Catalog]) -> None:
    left, right = stored
    before = crossmatch(left, right, RADIUS).to_arrow()
    for path in Path(str(right.path)).rglob("*.parquet"):
        table = pq.read_table(path, partitioning=None)
        pq.write_table(table.slice(0, 1), path)
        os.utime(path, (1e9, 1e9))
    after = crossmatch(left, right, RADIUS).to_arrow()
    assert set(after.column("j").to_pylist()) <= set(right.to_arrow().column("j").to_pylist())
    assert 0 < len(after) < len(before)


def test_the_left_is_read_in_the_region_of_a_search_only(
    stored: tuple[Catalog, Catalog], reads: Reads
) -> None:
    left, right = stored
    ra, dec = (left.to_arrow().column(name)[0].as_py() for name in ("ra", "dec"))
    reads.groups.clear()
    table = crossmatch(left, right, RADIUS, "all", "left").cone_search(ra, dec, 5.0).to_arrow()
    assert len(table) >= 1
    sides = {side: {one for one in reads.groups if f"/{side}/" in one[0]} for side in ("left", "right")}
    assert len(sides["left"]) <= 5
    assert len(sides["right"]) <= 12
