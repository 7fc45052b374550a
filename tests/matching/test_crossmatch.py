"""The cross-match against brute force by astropy: any sky, tilings, radius, kind of match and join."""

from __future__ import annotations

from typing import Any

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from match_field import RADIUS, as_table, away, field, ids_of, left, right, with_repeats
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

__all__ = ["away", "field", "left", "right"]


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
@settings(max_examples=80, deadline=None)
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


# -- joins and columns ---------------------------------------------------------------------------------------


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
    for arcsec, n in ((3.6, 1), (3.8, 0)):
        other = from_dataframe(pd.DataFrame({"ra": [10.0], "dec": [arcsec / 3600]}))
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
@pytest.mark.parametrize("sizes", [(4, 1000), (15, 15), (1000, 1), (1000, 1000)])
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
    assert as_table(frame).equals(matched.to_arrow().cast(as_table(frame).schema))
    assert float(ddf["separation_arcsec"].max().compute()) <= RADIUS
    assert len(matched) == len(frame)


@pytest.mark.parametrize("neighbours", ["nearest", "one-to-one"])
def test_some_columns_are_those_of_all(left: Catalog, right: Catalog, neighbours: str) -> None:
    matched = crossmatch(left, right, RADIUS, neighbours, "left")  # type: ignore[arg-type]
    whole = matched.to_arrow()
    for names in (["j"], ["n_candidates", "star_id"], ["inner", "i"], [HEALPIX_COLUMN], ["ra_2", "j", "dec"]):
        assert matched[names].to_arrow().equals(whole.select(names))
    for names in (["separation_arcsec"], ["inner", "i"]):
        assert as_table(matched.ddf[names].compute()).equals(whole.select([HEALPIX_COLUMN, *names]))


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
    """Pairs across the corners of all pixels of order 3, along the equator and RA 0, and at the poles."""
    rng = np.random.default_rng(4)
    sites = [(float(ra), float(dec)) for ra, dec in np.transpose(pixel_centre(2, np.arange(192)))] + [*SITES]
    sites += [(ra, 0.0) for ra in np.arange(0.0, 360.0, 7.5)] + [
        (0.0, dec) for dec in np.arange(-85.0, 90.0, 10.0)
    ]
    sky = joined(*(around(ra, dec, 2.0, 4, rng) for ra, dec in sites))
    left, right = from_dataframe(stars(sky, "i"), max_rows=2), from_dataframe(stars(sky, "j"), max_rows=30)
    found = matches(crossmatch(left, right, 3.0, "all"))
    assert sorted(found) == sorted((int(i), int(j)) for i, j in np.argwhere(separations(sky, sky) <= 3.0))
    assert len(left.pixels) > 300
    assert len(found) > 2.5 * len(sky.ra)
