"""Matches of catalogues of all kinds: with themselves, searched, computed, matched before; identifiers."""

from __future__ import annotations

from dataclasses import replace as dataclass_replace

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from match_field import RADIUS, away, field, ids_of, left, right
from match_oracle import (
    Sky,
    brute_force,
    matches,
    separations,
    stars,
)

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import from_dataframe
from lkmrs_dask.schema import HEALPIX_COLUMN

__all__ = ["away", "field", "left", "right"]


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
    inside = sorted(right.cone_search(*cone).to_arrow().column("j").to_pylist())
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
