"""The cross-match against brute force by astropy: any sky, tilings, radius, kind of match and join."""

from __future__ import annotations

from dataclasses import replace as dataclass_replace
from typing import Any

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from match_oracle import (
    SITES,
    Sky,
    ambiguous,
    around,
    brute_force,
    check_numbers,
    everywhere,
    joined,
    matches,
    separations,
    stars,
)

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import from_dataframe
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import index_range, pixel_centre


def with_repeats(sky: Sky, share: float, rng: np.random.Generator) -> Sky:
    """Some rows take the position of others."""
    n = len(sky.ra)
    of = np.where(rng.random(n) < share, rng.integers(0, max(n, 1), n), np.arange(n))
    return Sky(sky.ra[of], sky.dec[of])


@given(
    site=st.sampled_from(SITES),
    log_spread=st.floats(-1.5, 4.3),
    log_radius=st.floats(-1.5, 0.3),
    n=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    max_rows=st.tuples(st.sampled_from([1, 3, 10, 100]), st.sampled_from([1, 3, 10, 100])),
    neighbours=st.sampled_from(["nearest", "all", "one-to-one", 1, 2, 5]),
    join=st.sampled_from(["inner", "left", "anti"]),
    kind=st.sampled_from(["number", "text", "none"]),
    share=st.sampled_from([0.0, 0.3, 0.9]),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=150, deadline=None)
def test_it_is_brute_force(
    site: tuple[float, float], log_spread: float, log_radius: float, n: tuple[int, int],
    max_rows: tuple[int, int], neighbours: str | int, join: str, kind: str, share: float, seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    spread = 10.0**log_spread
    radius = float(np.clip(spread * 10.0**log_radius, 0.01, 7200.0))
    left, right = (
        with_repeats(joined(around(*site, spread, m, rng), everywhere(m // 5, rng)), share, rng) for m in n
    )
    away = separations(left, right)
    assume(not ambiguous(away, radius))
    ids: list[list | None] = []
    tables = []
    for sky, number in ((left, "i"), (right, "j")):
        numbers = rng.permutation(len(sky.ra))
        one = {"number": numbers.tolist(), "text": [f"s{k}" for k in numbers], "none": None}[kind]
        ids.append(one)
        tables.append(stars(sky, number, **({} if one is None else {"source_id": one})))
    lefts, rights = (from_dataframe(t, max_rows=m) for t, m in zip(tables, max_rows, strict=True))
    matched = crossmatch(lefts, rights, radius, neighbours, join)  # type: ignore[arg-type]
    assert matched.pixels == lefts.pixels
    table = matched.to_arrow()
    assert matches(table) == brute_force(away, radius, neighbours, join, *ids)
    if join != "anti":
        check_numbers(table, away, radius)


# -- a field to look at closely ------------------------------------------------------------------------------

RADIUS = 40.0


@pytest.fixture(scope="module")
def field() -> tuple[Sky, Sky]:
    """Around a corner of base pixels: 300 stars, 400 sources, and places with many of either."""
    rng = np.random.default_rng(11)
    site = (0.0, 41.8103148957786)
    left = with_repeats(joined(around(*site, 1500.0, 250, rng), everywhere(50, rng)), 0.1, rng)
    right = joined(around(*site, 1500.0, 380, rng), Sky(left.ra[:20], left.dec[:20]))
    right = with_repeats(right, 0.1, rng)
    assert not ambiguous(separations(left, right), RADIUS)
    return left, right


@pytest.fixture(scope="module")
def left(field: tuple[Sky, Sky]) -> Catalog:
    note = [None if k % 5 == 0 else [float(k)] * (k % 3) for k in range(300)]
    table = stars(field[0], "i", star_id=[f"s{k * 7919 % 300:03d}" for k in range(300)], note=note)
    return from_dataframe(table, max_rows=20)


@pytest.fixture(scope="module")
def right(field: tuple[Sky, Sky]) -> Catalog:
    number = np.arange(400) * 7919 % 400 + 2**62
    inner = [{"a": k, "b": str(k)} for k in range(400)]
    return from_dataframe(stars(field[1], "j", source_id=number, inner=inner), max_rows=30)


@pytest.fixture(scope="module")
def away(field: tuple[Sky, Sky]) -> np.ndarray:
    return separations(*field)


def ids_of(catalog: Catalog, number: str, name: str) -> list:
    return catalog.to_arrow().sort_by(number).column(name).to_pylist()


def test_columns_types_and_values(left: Catalog, right: Catalog, away: np.ndarray) -> None:
    matched = crossmatch(left, right, RADIUS, "nearest", "left")
    assert matched.name == "from_dataframe_x_from_dataframe"
    assert matched.path is None
    assert matched.columns == [
        HEALPIX_COLUMN, "i", "ra", "dec", "star_id", "note", "j", "ra_2", "dec_2", "source_id", "inner",
        "separation_arcsec", "n_candidates",
    ]  # fmt: skip
    table = matched.to_arrow()
    assert table.schema.equals(matched.schema)
    assert matched.schema.field("separation_arcsec").metadata[b"unit"] == b"arcsec"
    assert matched.schema.field("n_candidates").type == pa.int32()
    lefts, rights = (c.to_arrow().sort_by(k).to_pylist() for c, k in ((left, "i"), (right, "j")))
    for row in table.to_pylist():
        assert {name: row[name] for name in left.columns} == lefts[row["i"]]
        if row["j"] is not None:
            other = rights[row["j"]]
            assert (row["ra_2"], row["dec_2"]) == (other["ra"], other["dec"])
            assert {name: row[name] for name in ("source_id", "inner")} == {
                name: other[name] for name in ("source_id", "inner")
            }
        else:
            assert {row[name] for name in ("ra_2", "dec_2", "source_id", "inner")} == {None}
    check_numbers(table, away, RADIUS)
    assert max(row["source_id"] or 0 for row in table.to_pylist()) > 2**62


def test_the_radius_is_that_of_the_paper_by_default() -> None:
    one = from_dataframe(pd.DataFrame({"ra": [10.0], "dec": [0.0]}))
    for away, n in ((3.6, 1), (3.8, 0)):
        other = from_dataframe(pd.DataFrame({"ra": [10.0], "dec": [away / 3600]}))
        assert len(crossmatch(one, other)) == n


@pytest.mark.parametrize("neighbours", ["nearest", "all", "one-to-one", 3])
def test_joins_are_parts_of_each_other(
    left: Catalog, right: Catalog, away: np.ndarray, neighbours: str | int
) -> None:
    ids = ids_of(left, "i", "star_id"), ids_of(right, "j", "source_id")
    inner, outer, anti = (
        crossmatch(left, right, RADIUS, neighbours, join).to_arrow()  # type: ignore[arg-type]
        for join in ("inner", "left", "anti")
    )
    assert matches(inner) == brute_force(away, RADIUS, neighbours, "inner", *ids)
    assert matches(outer) == brute_force(away, RADIUS, neighbours, "left", *ids)
    assert anti.column_names == left.columns
    assert inner.equals(outer.filter(pc.is_valid(outer.column("j"))))
    assert anti.equals(outer.filter(pc.is_null(outer.column("j"))).select(anti.column_names))
    assert 0 < len(anti) < 300
    assert {*inner.column("i").to_pylist()} | {*anti.column("i").to_pylist()} == set(range(300))


def test_rows_of_a_left_row_follow_each_other(left: Catalog, right: Catalog) -> None:
    table = crossmatch(left, right, RADIUS, "all", "left").to_arrow()
    place = table.column("i").to_pylist()
    runs = [k for k in range(len(place)) if k == 0 or place[k] != place[k - 1]]
    assert len(runs) == 300 < len(place)
    assert [place[k] for k in runs] == left[["i"]].to_arrow().column("i").to_pylist()
    by_row: dict[int, list[float]] = {}
    for i, one in zip(place, table.column("separation_arcsec").to_pylist(), strict=True):
        by_row.setdefault(i, []).append(one)
    assert all(values == sorted(values) for values in by_row.values() if values != [None])


@pytest.mark.parametrize("neighbours", ["nearest", "all", "one-to-one", 2])
@pytest.mark.parametrize("sizes", [(1, 1000), (7, 7), (1000, 1), (1000, 1000)])
def test_tilings_change_nothing(
    left: Catalog, right: Catalog, sizes: tuple[int, int], neighbours: Any
) -> None:
    def again(catalog: Catalog, size: int) -> Catalog:
        return from_dataframe(catalog.to_arrow().drop_columns([HEALPIX_COLUMN]), max_rows=size)

    other = again(left, sizes[0]), again(right, sizes[1])
    assert (
        crossmatch(*other, RADIUS, neighbours, "left")
        .to_arrow()
        .equals(crossmatch(left, right, RADIUS, neighbours, "left").to_arrow())
    )


# -- as a Dask data frame ------------------------------------------------------------------------------------


def test_the_data_frame_has_the_partitions_of_the_left(left: Catalog, right: Catalog) -> None:
    matched = crossmatch(left, right, RADIUS, "all")
    assert matched.pixels == left.pixels
    ddf = matched.ddf
    assert ddf.divisions == left.ddf.divisions
    assert ddf.npartitions == len(left.pixels)
    for number, pixel in enumerate(matched.pixels):
        part = ddf.get_partition(number).compute()
        lo, hi = index_range(*pixel)
        assert part.index.is_monotonic_increasing
        assert part.index.name == HEALPIX_COLUMN
        assert not len(part) or (lo <= part.index[0] and part.index[-1] < hi)
        assert part.dtypes.equals(ddf._meta.dtypes)
    frame = ddf.compute()
    back = pa.Table.from_pandas(frame.reset_index(), preserve_index=False).replace_schema_metadata(None)
    assert back.equals(matched.to_arrow().cast(back.schema))
    assert float(ddf["separation_arcsec"].max().compute()) <= RADIUS
    assert len(matched) == len(frame)


@pytest.mark.parametrize(
    "names",
    [
        ["j"],
        ["separation_arcsec"],
        ["n_candidates", "star_id"],
        ["inner", "i"],
        [HEALPIX_COLUMN],
        ["ra_2", "j", "dec"],
    ],
)
@pytest.mark.parametrize("neighbours", ["nearest", "one-to-one"])
def test_some_columns_are_those_of_all(
    left: Catalog, right: Catalog, names: list[str], neighbours: str
) -> None:
    matched = crossmatch(left, right, RADIUS, neighbours, "left")  # type: ignore[arg-type]
    assert matched[names].to_arrow().equals(matched.to_arrow().select(names))
    narrow = [name for name in names if name != HEALPIX_COLUMN]
    if narrow:
        assert matched.ddf[narrow].compute().equals(matched.ddf.compute()[narrow])


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_schedulers_agree(left: Catalog, right: Catalog, scheduler: str) -> None:
    matched = crossmatch(left, right, RADIUS, "one-to-one", "left")
    plain = pa.concat_tables([matched.source.read(*part) for part in matched.pixels])
    with dask.config.set(scheduler=scheduler):
        assert matched.to_arrow().equals(plain)
        assert matched.ddf.compute().equals(matched.compute())


def test_matches_that_differ_in_anything_are_not_taken_for_each_other(left: Catalog, right: Catalog) -> None:
    """Dask knows work by its name: two matches in one computation must not have the same."""
    several = [
        crossmatch(left, right, RADIUS),
        crossmatch(left, right, RADIUS / 2),
        crossmatch(left, right, RADIUS, "all"),
        crossmatch(left, right, RADIUS, "one-to-one"),
        crossmatch(left, right, RADIUS, join="left"),
        crossmatch(left, right.cone_search(0.0, 41.8, 600.0), RADIUS),
    ]
    together = dask.compute(*(one.ddf for one in several))
    alone = [one.compute() for one in several]
    assert all(a.equals(b) for a, b in zip(together, alone, strict=True))
    assert len({len(one) for one in alone}) == len(several)


@pytest.mark.slow
def test_a_cluster_of_processes_agrees(left: Catalog, right: Catalog) -> None:
    distributed = pytest.importorskip("distributed")
    matched = crossmatch(left, right, RADIUS, "one-to-one", "left")
    table, frame = matched.to_arrow(), matched.ddf.compute()
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster),
    ):
        assert matched.to_arrow().equals(table)
        assert matched.ddf.compute().equals(frame)


# -- catalogues of all kinds ---------------------------------------------------------------------------------


def test_a_catalogue_with_itself(left: Catalog, field: tuple[Sky, Sky]) -> None:
    away = separations(field[0], field[0])
    ids = ids_of(left, "i", "star_id")
    matched = crossmatch(left, left, RADIUS, "all").to_arrow()
    assert matches(matched, ("i", "i_2")) == brute_force(away, RADIUS, "all", "inner", ids, ids)
    nearest = crossmatch(left, left, 0.01).to_arrow()
    places = {(row["ra"], row["dec"]) for row in nearest.to_pylist()}
    assert len(places) < len(nearest) == 300
    assert max(nearest.column("separation_arcsec").to_pylist()) == 0.0
    # Of stars at one place the one with the lowest identifier is the nearest of all, and its own.
    for row in nearest.to_pylist():
        same = [k for k in range(300) if field[0].ra[k] == row["ra"] and field[0].dec[k] == row["dec"]]
        assert row["star_id_2"] == min(ids[k] for k in same)
    assert len(crossmatch(left, left, 0.01, "one-to-one").to_arrow()) == len(places)


def test_nearest_to_each_other(
    field: tuple[Sky, Sky], left: Catalog, right: Catalog, away: np.ndarray
) -> None:
    """One-to-one matches do not depend on which side is the left one."""
    there = matches(crossmatch(left, right, RADIUS, "one-to-one"))
    back = matches(crossmatch(right, left, RADIUS, "one-to-one"), ("j", "i"))
    assert there == sorted((i, j) for j, i in back if i is not None)
    assert len({j for _, j in there}) == len(there) > 50


@pytest.mark.parametrize("neighbours", ["nearest", "one-to-one", "all"])
def test_searches_before_and_after_are_the_same(
    left: Catalog, right: Catalog, field: tuple[Sky, Sky], away: np.ndarray, neighbours: str
) -> None:
    """A region of the left commutes with the match; one of the right is a right catalogue with fewer rows."""
    cone = (0.0, 41.81, 500.0)
    matched = crossmatch(left, right, RADIUS, neighbours, "left")  # type: ignore[arg-type]
    if neighbours != "one-to-one":  # where stars outside of the cone take part
        first = crossmatch(left.cone_search(*cone), right, RADIUS, neighbours, "left")  # type: ignore[arg-type]
        assert first.to_arrow().equals(matched.cone_search(*cone).to_arrow())
    inside = [k for k in range(400) if k in set(right.cone_search(*cone).to_arrow().column("j").to_pylist())]
    part = crossmatch(left, right.cone_search(*cone), RADIUS, neighbours)  # type: ignore[arg-type]
    ids = ids_of(left, "i", "star_id"), np.array(ids_of(right, "j", "source_id"))[inside].tolist()
    wanted = brute_force(away[:, inside], RADIUS, neighbours, "inner", *ids)
    assert matches(part) == [(i, None if j is None else inside[j]) for i, j in wanted]
    assert len(part) > 10
    names = ids_of(left, "i", "star_id")[:50]
    chosen = crossmatch(left.id_search(names), right, RADIUS, neighbours)  # type: ignore[arg-type]
    wanted = brute_force(away[:50], RADIUS, neighbours, "inner", names, ids_of(right, "j", "source_id"))
    assert matches(chosen) == wanted
    again = matched.id_search(names).to_arrow()
    assert set(again.column("i").to_pylist()) == set(range(50))


def test_rows_of_a_search_of_a_one_to_one_match_are_those_of_the_whole(left: Catalog, right: Catalog) -> None:
    whole = crossmatch(left, right, RADIUS, "one-to-one").to_arrow()
    near = crossmatch(left, right, RADIUS, "one-to-one").cone_search(0.0, 41.81, 300.0).to_arrow()
    kept = set(near.column("i").to_pylist())
    assert near.to_pylist() == [row for row in whole.to_pylist() if row["i"] in kept]
    assert 5 < len(near) < len(whole)


class Shifted:
    """Drops every third row and counts its calls."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.calls = 0

    def __call__(self, table: pa.Table) -> pa.Table:
        self.calls += 1
        return table.filter(pa.array(np.asarray(table.column(self.number)) % 3 != 0))


@pytest.mark.parametrize("neighbours", ["nearest", "one-to-one", "all"])
@pytest.mark.parametrize("sides", ["left", "right", "both"])
def test_computed_catalogues(
    left: Catalog, right: Catalog, away: np.ndarray, neighbours: str, sides: str
) -> None:
    lazy_left = left.map_partitions(Shifted("i"), left.schema) if sides != "right" else left
    lazy_right = right.map_partitions(Shifted("j"), right.schema) if sides != "left" else right
    lefts = [k for k in range(300) if sides == "right" or k % 3]
    rights = [k for k in range(400) if sides == "left" or k % 3]
    ids = ids_of(left, "i", "star_id"), ids_of(right, "j", "source_id")
    some = [ids[0][k] for k in lefts], [ids[1][k] for k in rights]
    matched = crossmatch(lazy_left, lazy_right, RADIUS, neighbours, "left")  # type: ignore[arg-type]
    found = brute_force(away[np.ix_(lefts, rights)], RADIUS, neighbours, "left", *some)
    assert matches(matched) == [(lefts[i], None if j is None else rights[j]) for i, j in found]


def test_a_computed_right_is_computed_once_for_each_left_partition(left: Catalog, right: Catalog) -> None:
    """Also where it has no counterpart at all."""
    whole = from_dataframe(left.to_arrow().drop_columns([HEALPIX_COLUMN]))
    assert len(whole.pixels) == 1 or len(whole.pixels) < 13
    for radius in (RADIUS, 0.01):
        shifted = Shifted("j")
        lazy = right.map_partitions(shifted, right.schema)
        with dask.config.set(scheduler="sync"):
            crossmatch(whole, lazy, radius, "all", "left").to_arrow()
        assert 0 < shifted.calls <= len(right.pixels) * len(whole.pixels)
        alone = Shifted("j")
        with dask.config.set(scheduler="sync"):
            part = crossmatch(left, right.map_partitions(alone, right.schema), radius)
            part.source.read(*left.pixels[0])
        assert alone.calls <= 4


def test_a_match_of_a_match(left: Catalog, right: Catalog, field: tuple[Sky, Sky], away: np.ndarray) -> None:
    """Stars with counterparts, and again with the stars around these: names are made distinct."""
    first = crossmatch(left, right, RADIUS)
    second = crossmatch(first, left[["i", "star_id"]], RADIUS, "all", suffixes=("", "_3"))
    assert second.columns[-4:] == [
        "i_3",
        "star_id_3",
        "separation_arcsec_2",
        "n_candidates_2",
    ] or second.columns[-4:] == ["i_3", "star_id_3", "separation_arcsec_3", "n_candidates_3"]
    table = second.to_arrow()
    with_one = {i for i, _ in brute_force(away, RADIUS)}
    own = separations(field[0], field[0])
    wanted = [(i, j) for i, j in brute_force(own, RADIUS, "all") if i in with_one]
    assert sorted(matches(table, ("i", "i_3"))) == sorted(wanted)
    # The other way round: the match is the right side, and both sides are matches.
    right_chained = crossmatch(left[["i", "ra", "dec"]], first, RADIUS, "all", suffixes=("", "_m"))
    assert right_chained.columns[-4:] == [
        "separation_arcsec", "n_candidates", "separation_arcsec_m", "n_candidates_m",
    ]  # fmt: skip
    assert len(right_chained) == sum(j in with_one for _, j in brute_force(own, RADIUS, "all"))
    both = crossmatch(first, first, 0.01, suffixes=("_a", "_b"))
    assert len(set(both.columns)) == len(both.columns)
    assert len(both) == len(with_one)
    assert both.info.ra_column == "ra_a"


def test_a_mutual_match_of_chosen_rows_of_a_match(left: Catalog, right: Catalog, away: np.ndarray) -> None:
    first = crossmatch(left, right, RADIUS)
    ids = ids_of(left, "i", "star_id"), ids_of(right, "j", "source_id")
    kept = [i for i, _ in brute_force(away, RADIUS, "nearest", "inner", *ids)]
    again = crossmatch(first, right, RADIUS, "one-to-one", suffixes=("", "_b"))
    found = brute_force(away[kept], RADIUS, "one-to-one", "inner", [ids[0][k] for k in kept], ids[1])
    assert matches(again, ("i", "j_b")) == [(kept[i], j) for i, j in found]


def test_coordinates_that_are_not_selected_are_not_those_of_the_other_side(
    left: Catalog, right: Catalog
) -> None:
    matched = crossmatch(left[["i"]], right, RADIUS)
    assert matched.columns[:5] == [HEALPIX_COLUMN, "i", "j", "ra_2", "dec_2"]
    assert matched.info.ra_column == "ra"
    assert matched.to_arrow().column("j").equals(crossmatch(left, right, RADIUS).to_arrow().column("j"))
    other = crossmatch(left[["i"]], right, RADIUS, suffixes=("_left", ""))
    assert other.columns[:5] == [HEALPIX_COLUMN, "i", "j", "ra", "dec"]
    assert other.info.ra_column == "ra_left"
    moved = crossmatch(left, right, RADIUS, suffixes=("_left", ""))
    assert (moved.info.ra_column, moved.info.dec_column) == ("ra_left", "dec_left")
    assert len(moved.cone_search(0.0, 41.81, 300.0)) > 5


def test_a_match_is_written_like_any_catalogue(left: Catalog, right: Catalog, tmp_path: object) -> None:
    matched = crossmatch(left, right, RADIUS, "all", "left")
    written = matched.write(f"{tmp_path}/matched")
    assert written.to_arrow().select(matched.columns).equals(matched.to_arrow())
    assert written.pixels == matched.pixels


def test_wide_tables(left: Catalog, field: tuple[Sky, Sky], away: np.ndarray) -> None:
    """Gaia's 152 columns."""
    more = {f"c{k:03d}": np.arange(400.0) + 1000 * k for k in range(150)}
    wide = from_dataframe(stars(field[1], "j", **more), max_rows=50)
    table = crossmatch(left, wide, RADIUS).to_arrow()
    assert table.num_columns == 6 + 153 + 2
    place = np.asarray(table.column("j"))
    for k in (0, 77, 149):
        assert np.array_equal(np.asarray(table.column(f"c{k:03d}")), place + 1000.0 * k)


# -- empty and small -----------------------------------------------------------------------------------------


def nobody(like: pa.Table) -> Catalog:
    return from_dataframe(like.schema.empty_table())


@pytest.mark.parametrize("join", ["inner", "left", "anti"])
@pytest.mark.parametrize("neighbours", ["nearest", "all", "one-to-one"])
def test_of_nothing(neighbours: str, join: str) -> None:
    some, none = (stars(Sky(np.arange(n) * 1.0, np.zeros(n)), "i") for n in (5, 0))
    full, empty = from_dataframe(some, max_rows=2), nobody(none)
    a = crossmatch(full, empty, 1.0, neighbours, join)  # type: ignore[arg-type]
    b = crossmatch(empty, full, 1.0, neighbours, join)  # type: ignore[arg-type]
    c = crossmatch(empty, empty, 1.0, neighbours, join)  # type: ignore[arg-type]
    assert len(a) == (0 if join == "inner" else 5)
    assert len(b) == len(c) == 0
    for one in (a, b, c):
        assert one.to_arrow().schema.equals(one.schema)
        assert len(one.ddf.compute()) == len(one)
    # Partitions may be empty too.
    hollow = full.map_partitions(lambda table: table.slice(0, 0), full.schema)
    assert len(crossmatch(hollow, full, 1.0, neighbours, join)) == 0  # type: ignore[arg-type]
    assert len(crossmatch(full, hollow, 1.0, neighbours, join)) == len(a)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 90.0), (0.0, -90.0), (0.0, 0.0), (360.0, 0.0), (45.0, 0.0)])
def test_of_one_row(ra: float, dec: float) -> None:
    one = from_dataframe(pd.DataFrame({"ra": [ra], "dec": [dec]}))
    other = from_dataframe(pd.DataFrame({"ra": [(ra + 360.0) % 720.0], "dec": [dec]}))
    for neighbours in ("nearest", "all", "one-to-one", 1, 10**30):
        table = crossmatch(one, other, 0.01, neighbours).to_arrow()
        assert table.column("separation_arcsec").to_pylist() == [0.0]
        assert table.column("n_candidates").to_pylist() == [1]


def test_stars_on_either_side_of_every_kind_of_border() -> None:
    """A pair across each edge and corner of all pixels of order 2, each pixel a partition."""
    corners = np.unique(
        np.round(np.concatenate([np.stack(pixel_centre(3, np.arange(12 * 64)), 1)]), 12), axis=0
    )
    rng = np.random.default_rng(4)
    skies = [around(ra, dec, 2.0, 4, rng) for ra, dec in corners]
    sky = joined(
        *skies, Sky(np.array([0.0, 90.0, 180.0, 270.0] * 2), np.array([89.9999] * 4 + [-89.9999] * 4))
    )
    border = joined(
        *(
            around(ra, dec, 2.0, 4, rng)
            for ra, dec in (*SITES, *zip(np.arange(0, 360, 7.5), [0] * 48, strict=True))
        )
    )
    sky = joined(sky, border)
    left = from_dataframe(stars(sky, "i"), max_rows=1)
    right = from_dataframe(stars(sky, "j"), max_rows=40)
    away = separations(sky, sky)
    found = matches(crossmatch(left, right, 3.0, "all"))
    assert sorted(found) == sorted((int(i), int(j)) for i, j in np.argwhere(away <= 3.0))


# -- identifiers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        pa.array([30, 10, None, 20]),
        pa.array(["c", "a", None, "b"]),
        pa.array(["c", "a", None, "b"], pa.large_string()),
        pa.array(["c", "a", None, "b"]).dictionary_encode(),
        pa.array([3.0, 1.0, None, 2.0]),
        pa.array([2**64 - 1, 5, None, 2**63], pa.uint64()),
        pa.array([2**63 - 1, -(2**63), None, 2**63 - 2]),
        pa.array([b"c", b"a", None, b"b"]),
    ],
)
def test_the_lowest_identifier_comes_first_and_null_last(values: pa.Array) -> None:
    table = pa.table({"j": range(4), "ra": [10.0] * 4, "dec": [5.0] * 4, "name": values})
    one = from_dataframe(pd.DataFrame({"i": [0], "ra": [10.0], "dec": [5.0]}))
    for size in (1, 4):
        many = from_dataframe(table, max_rows=size)
        assert matches(crossmatch(one, many, 1.0, "all", id_column="name")) == [
            (0, 1),
            (0, 3),
            (0, 0),
            (0, 2),
        ]
        assert matches(crossmatch(one, many, 1.0, id_column="name")) == [(0, 1)]
        assert matches(crossmatch(one, many, 1.0, 2, id_column="name")) == [(0, 1), (0, 3)]
        assert matches(crossmatch(one, many[["j"]], 1.0, id_column="name")) == [(0, 1)], "selected or not"
    assert matches(crossmatch(one, many, 1.0, "all")) == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_the_identifier_that_a_catalogue_states(left: Catalog) -> None:
    table = pa.table(
        {"j": range(3), "ra": [10.0] * 3, "dec": [5.0] * 3, "star_id": ["b", "a", "c"], "tic": [3, 2, 1]}
    )
    catalog = from_dataframe(table)
    one = from_dataframe(pd.DataFrame({"i": [0], "ra": [10.0], "dec": [5.0]}))
    assert matches(crossmatch(one, catalog, 1.0)) == [(0, 1)]
    stating = dataclass_replace(
        catalog, info=dataclass_replace(catalog.info, properties={"lkmrs_id_column": "tic"})
    )
    assert matches(crossmatch(one, stating, 1.0)) == [(0, 2)]
    assert matches(crossmatch(one, stating, 1.0, id_column="star_id")) == [(0, 1)]
