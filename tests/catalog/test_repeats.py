"""Joining rows of a star that name the same spectrum, against a plain reading of the rule."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from survey_runs import SPECTRA, Row, expected_rows, table_of, taken_out

from lkmrs_dask.catalog.repeats import KEPT, ROW_OF_PARTITION, join_repeats, repeated_groups, row_order
from lkmrs_dask.schema import TableSchema


class SortedRows(NamedTuple):
    """Sorted rows without repeats, the star of each, the rows that were taken out, and their groups."""

    table: pa.Table
    star: NDArray[np.int64]
    repeats: pa.Table
    groups: pa.Table


def sort_and_join(table: pa.Table, star: NDArray[np.int64], schema: TableSchema) -> SortedRows:
    """Sort rows by star, key and the schema's order, and join rows of one star with equal keys.

    See `row_order`, `join_repeats` and `repeated_groups`.
    """
    order, repeat = row_order(table.column, table.column_names, star, schema)
    rows = table.take(pa.array(order))
    groups = repeated_groups(rows, repeat)
    return SortedRows(join_repeats(rows, repeat), star[order][~repeat], taken_out(groups), groups)


def rows_and_stars(max_size: int = 14) -> st.SearchStrategy:
    """Few distinct keys, so that many meet; `mobsid` tells rows of equal keys apart."""
    row = st.fixed_dictionaries(
        {
            "star": st.integers(0, 2),
            "obsid": st.none() | st.integers(1, 2) | st.just(2**60 + 1),
            "coadd": st.none() | st.booleans(),
            "lmjm": st.none() | st.integers(83_000_000, 83_000_001),
            "band": st.none() | st.sampled_from("BR"),
            "lmjd": st.none() | st.integers(58000, 58001),
            "planid": st.none() | st.sampled_from(["HIP1", "TD2"]),
            "snr": st.none() | st.floats(0, 100, width=16),
            "flux": st.none() | st.lists(st.none() | st.floats(-2, 2, width=16), max_size=2),
        }
    )
    return st.lists(row, max_size=max_size)


@given(
    rows=rows_and_stars(),
    without=st.sets(st.sampled_from(["obsid", "coadd", "lmjm", "band", "planid", "snr"])),
)
@settings(max_examples=120, deadline=None)
def test_sorted_and_joined_as_the_rule_says(rows: list[Row], without: set[str]) -> None:
    star = [row["star"] for row in rows]
    rows = [
        {k: v for k, v in row.items() if k != "star" and k not in without} | {"mobsid": f"m{number:02d}"}
        for number, row in enumerate(rows)
    ]
    table = table_of(rows or [{"mobsid": "m"}]).slice(0, len(rows))
    result = sort_and_join(table, np.array(star, np.int64), SPECTRA)
    kept, repeats = expected_rows(rows, star, SPECTRA)
    assert result.table.to_pylist() == [{n: row[n] for n in table.column_names} for row in kept]
    assert result.repeats.to_pylist() == [{n: row[n] for n in table.column_names} for row in repeats]
    of = dict(zip([row["mobsid"] for row in rows], star, strict=True))
    assert result.star.tolist() == [of[row["mobsid"]] for row in kept]
    assert result.table.schema.equals(table.schema)
    # The groups, and the rows that are in none: put together they are the rows as they came.
    groups = result.groups.to_pylist()
    assert sum(not row[KEPT] for row in groups) == len(repeats)
    joined = {row[ROW_OF_PARTITION] for row in groups}
    assert joined == {row[ROW_OF_PARTITION] for row in groups if not row[KEPT]}, "no group of one"
    alone = [row for at, row in enumerate(result.table.to_pylist()) if at not in joined]
    came = [{n: row[n] for n in table.column_names} for row in groups] + alone
    by_name = {row["mobsid"]: row for row in table.to_pylist()}
    assert sorted(row["mobsid"] for row in came) == sorted(by_name)
    assert all(row == by_name[row["mobsid"]] for row in came)
    for row in groups:
        if row[KEPT]:
            assert kept[row[ROW_OF_PARTITION]]["mobsid"] == row["mobsid"]


@given(rows=rows_and_stars(), seed=st.integers(0, 1000), cut=st.integers(0, 14))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_input_does_not_matter(rows: list[Row], seed: int, cut: int) -> None:
    star = np.array([row.pop("star") for row in rows], np.int64)
    table = table_of([{**row, "mobsid": f"m{k:02d}"} for k, row in enumerate(rows)] or [{"mobsid": "m"}])
    table = table.slice(0, len(rows))
    turn = np.random.default_rng(seed).permutation(len(rows))
    turned = table.take(pa.array(turn))
    turned = pa.concat_tables([turned.slice(0, cut), turned.slice(cut)])
    one, other = sort_and_join(table, star, SPECTRA), sort_and_join(turned, star[turn], SPECTRA)
    assert one.table.to_pylist() == other.table.to_pylist()
    assert one.repeats.to_pylist() == other.repeats.to_pylist()


def test_a_spectrum_from_the_catalogue_and_from_its_file_is_one_row_with_the_columns_of_both() -> None:
    key = {"obsid": 2**60 + 7, "coadd": False, "lmjm": 83_904_071, "band": "B"}
    rows: list[Row] = [
        {**key, "source_file": "catalogue.csv", "rv_b0": 12.5, "flux": None, "snr": None},
        {**key, "source_file": "med.fits", "rv_b0": None, "flux": [1.0, 2.0], "snr": 33.0},
        {**key, "source_file": "other.fits", "rv_b0": 99.0, "flux": [7.0], "snr": 44.0},
    ]
    result = sort_and_join(table_of(rows), np.zeros(3, np.int64), SPECTRA)
    (row,) = result.table.to_pylist()
    assert row == {**key, "source_file": "catalogue.csv", "rv_b0": 12.5, "flux": [1.0, 2.0], "snr": 33.0}
    assert [r["source_file"] for r in result.repeats.to_pylist()] == ["med.fits", "other.fits"]


def test_the_minute_counts_for_an_exposure_and_not_for_a_coadd() -> None:
    """Releases differ in the minute that they give a coadd."""
    rows = [
        {"obsid": 1, "coadd": coadd, "lmjm": minute, "band": "B"}
        for coadd in (True, False)
        for minute in (10, 20)
    ]
    result = sort_and_join(table_of(rows), np.zeros(4, np.int64), SPECTRA)
    assert [(r["coadd"], r["lmjm"]) for r in result.table.to_pylist()] == [
        (False, 10),
        (False, 20),
        (True, 10),
    ]
    assert [(r["coadd"], r["lmjm"]) for r in result.repeats.to_pylist()] == [(True, 20)]


def test_exposures_without_a_minute_are_not_taken_for_copies() -> None:
    rows = [{"obsid": 1, "coadd": coadd, "lmjm": None, "band": "B"} for coadd in (False, False, True, True)]
    result = sort_and_join(pa.Table.from_pylist(rows), np.zeros(4, np.int64), SPECTRA)
    assert result.table.column("coadd").to_pylist() == [False, False, True]
    assert result.repeats.num_rows == 1


def test_other_stars_and_rows_without_a_key_are_never_joined() -> None:
    same = {"obsid": 5, "coadd": True, "lmjm": 1, "band": "R"}
    result = sort_and_join(table_of([same, same]), np.array([1, 0]), SPECTRA)
    assert len(result.table) == 2
    unnamed = {**same, "obsid": None}
    result = sort_and_join(table_of([unnamed, unnamed, unnamed]), np.zeros(3, np.int64), SPECTRA)
    assert len(result.table) == 3
    assert len(result.repeats) == 0


def test_no_rows() -> None:
    empty = table_of([{"obsid": 1, "flux": [1.0]}]).slice(0, 0)
    result = sort_and_join(empty, np.empty(0, np.int64), SPECTRA)
    assert result.table.num_rows == result.repeats.num_rows == len(result.star) == 0
    assert result.table.schema.equals(empty.schema)
