"""Stars that move from tile to tile, in memory and in files, however they are partitioned."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import astropy.units as u
import dask
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from astropy.coordinates import SkyCoord
from match_files import write_files
from match_oracle import SITES, Sky, around, brute_force, joined, matches, separations, stars
from motion_oracle import TOLERANCE_ARCSEC, astropy_place, moved_separations, near_call

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import from_dataframe
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29, index_range


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
