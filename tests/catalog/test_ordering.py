"""Sorting by codes and packed words against Python's own sort, nulls first."""

from __future__ import annotations

import math
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.catalog.ordering import codes, equal_neighbours, pack, sort_order

FULL = st.integers(-(2**63), 2**63 - 1)
KINDS: dict[str, tuple[pa.DataType, st.SearchStrategy]] = {
    "bool": (pa.bool_(), st.booleans()),
    "int16": (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "int32": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "int64": (pa.int64(), st.one_of(FULL, st.sampled_from([-(2**63), 2**63 - 1, -(2**62), 2**62, 0, -1]))),
    "int64 near its least": (pa.int64(), st.integers(-(2**63), -(2**63) + 5)),
    "int64 near its greatest": (pa.int64(), st.integers(2**63 - 5, 2**63 - 1)),
    "ids": (pa.int64(), st.integers(2**53, 2**53 + 9)),
    "string": (pa.string(), st.text(st.sampled_from("abzé \u0000🙂"), max_size=4)),
    "large_string": (pa.large_string(), st.text(max_size=3)),
    "float64": (pa.float64(), st.one_of(st.floats(), st.sampled_from([0.0, -0.0, math.nan, math.inf]))),
    "float32": (pa.float32(), st.floats(width=32)),
    "date": (pa.date32(), st.dates()),
}


def sort_key(value: Any) -> tuple:
    """Null, then values, then NaN; both zeros are one, text goes by its UTF-8 bytes."""
    if value is None:
        return (0,)
    if isinstance(value, float):
        return (2,) if math.isnan(value) else (1, value + 0.0)
    return (1, value.encode() if isinstance(value, str) else value)


columns = st.sampled_from(sorted(KINDS)).flatmap(
    lambda name: st.tuples(st.just(KINDS[name][0]), st.lists(st.none() | KINDS[name][1], max_size=12))
)


@given(column=columns, cut=st.integers(0, 12))
@settings(max_examples=200, deadline=None)
def test_codes_sort_as_the_values_do(column: tuple[pa.DataType, list], cut: int) -> None:
    kind, values = column
    array = pa.chunked_array([pa.array(values[:cut], kind), pa.array(values[cut:], kind)])
    found = codes(array)
    assert found.dtype == np.int64
    assert found.tolist() == codes(array.combine_chunks()).tolist()
    values = array.to_pylist()
    for a, code_a in zip(values, found.tolist(), strict=True):
        assert (code_a == 0) == (a is None)
        assert code_a >= 0
        for b, code_b in zip(values, found.tolist(), strict=True):
            assert (code_a < code_b) == (sort_key(a) < sort_key(b))


@pytest.mark.parametrize("name", sorted(KINDS))
def test_codes_of_nothing_and_of_nulls(name: str) -> None:
    kind = KINDS[name][0]
    assert codes(pa.array([], kind)).tolist() == []
    assert codes(pa.chunked_array([], kind)).tolist() == []
    assert codes(pa.array([None, None], kind)).tolist() == [0, 0]


def test_codes_of_a_large_column_do_not_depend_on_the_order() -> None:
    """Equal values, the two zeros too, have equal codes wherever they stand."""
    values = [0.0, -0.0, 1.5, None, math.nan]
    for turned in (values, values[::-1]):
        assert dict(zip(map(repr, turned), codes(pa.array(turned)).tolist(), strict=True)) == {
            "None": 0, "0.0": 1, "-0.0": 1, "1.5": 2, "nan": 3,
        }  # fmt: skip


words = st.integers(1, 6).flatmap(
    lambda n: st.lists(
        st.lists(
            st.one_of(st.integers(0, 3), st.integers(0, 2**62), st.integers(0, 2**20)), min_size=n, max_size=n
        ),
        max_size=15,
    ).map(
        lambda rows: [np.array(c, np.int64) for c in zip(*rows, strict=True)] or [np.empty(0, np.int64)] * n
    )
)


@given(columns=words)
@settings(max_examples=100, deadline=None)
def test_packed_words_sort_as_the_columns_do(columns: list[np.ndarray]) -> None:
    packed = pack(columns)
    assert len(packed) <= len(columns)
    assert all((word >= 0).all() for word in packed)
    rows = [tuple(int(v) for v in row) for row in zip(*columns, strict=True)]
    short = [tuple(int(v) for v in row) for row in zip(*packed, strict=True)]
    for a, short_a in zip(rows, short, strict=True):
        for b, short_b in zip(rows, short, strict=True):
            assert (a < b) == (short_a < short_b)
    order = sort_order(packed, lambda tied: [np.zeros(len(tied), np.int64)])
    assert order.tolist() == sorted(range(len(rows)), key=rows.__getitem__), "and stable"
    in_order = [rows[k] for k in order]
    same = equal_neighbours([word[order] for word in packed]).tolist()
    assert same == [a == b for a, b in pairwise(in_order)]


def test_columns_are_packed_into_few_words() -> None:
    narrow = [np.array([0, 2**k - 1]) for k in (20, 20, 23)]
    assert len(pack(narrow)) == 1
    assert len(pack([*narrow, np.array([0, 1])])) == 2
    assert len(pack([np.array([2**62, 1]), np.array([1, 0])])) == 2
    given = np.array([1, 2])
    pack([given, given])
    assert given.tolist() == [1, 2], "the columns given are left as they are"


def test_tie_breakers_are_made_only_for_ties() -> None:
    def never(tied: np.ndarray) -> list[np.ndarray]:
        raise AssertionError("there is no tie")

    assert sort_order([np.array([3, 1, 2])], never).tolist() == [1, 2, 0]
    assert sort_order([np.array([1, 1, 0]), np.array([5, 4, 9])], never).tolist() == [2, 1, 0]
    assert sort_order([np.array([1, 0, 1])], lambda tied: [np.array([8, 9, 7])[tied]]).tolist() == [1, 2, 0]
    assert sort_order([np.empty(0, np.int64)], never).tolist() == []
    assert equal_neighbours([np.empty(0, np.int64)]).tolist() == []
    assert equal_neighbours([np.array([4])]).tolist() == []


@pytest.mark.parametrize("kind", [k for k in sorted(KINDS) if not k.startswith("float")])
def test_many_rows_by_two_columns_as_pandas_sorts_them(kind: str) -> None:
    """At a size at which chunks, dictionaries and packing all come in."""
    dtype = KINDS[kind][0]
    rng = np.random.default_rng(0)
    words = ["", "a", "é", "b"]
    special: dict[str, list] = {
        "bool": [True, False],
        "string": words,
        "large_string": words,
        "date": [date(1, 1, 1), date(2018, 5, 24), date(9999, 12, 31)],
        "int64": [-(2**63), 2**63 - 1, 0],
    }
    pool = special.get(kind, [0, 1, 5, 7])
    first = pa.array([(*pool, None)[k] for k in rng.integers(0, len(pool) + 1, 3000)], dtype)
    second = pa.array(rng.integers(0, 50, 3000), mask=rng.random(3000) < 0.1)
    order = sort_order(pack([codes(first), codes(second)]), lambda tied: [tied])
    frame = pd.DataFrame(
        {"a": pd.Series(first, dtype=pd.ArrowDtype(dtype)), "b": pd.Series(second, dtype="Int64")}
    )
    expected = frame.sort_values(["a", "b"], na_position="first", kind="stable")
    assert order.tolist() == expected.index.tolist()
