"""Labels of Table 2: joined in one order, and taken apart again."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.labels import LABELS, VARIABLE_CLASSES, has_label, join_labels, split_labels
from lkmrs_dask.synthetic.quotas import CLASSES


@given(
    stars=st.lists(st.sets(st.sampled_from(LABELS)), max_size=12),
    order=st.permutations(LABELS),
)
@settings(max_examples=100, deadline=None)
def test_joined_and_apart(stars: list[set[str]], order: list[str]) -> None:
    columns = {name: np.array([name in star for star in stars], bool) for name in order}
    label = join_labels(columns)
    wanted = [",".join(name for name in LABELS if name in star) or None for star in stars]
    assert label.type == pa.string()
    assert label.to_pylist() == wanted
    for name in LABELS:
        np.testing.assert_array_equal(has_label(label, name), columns[name])
    apart = split_labels(label).to_pylist()
    assert [set(parts or ()) for parts in apart] == stars


def test_columns_of_classes() -> None:
    label = join_labels(
        {
            "kind": pa.chunked_array([["EB", None], ["rotation"]]),
            "speed": pa.array(["unbound_HiVels", None, "bound_HiVels"]).dictionary_encode(),
            "metal": [None, "VMP", "MP"],
            "RVV": pa.array([True, None, False]),
        }
    )
    assert label.to_pylist() == ["RVV,unbound_HiVels,EB", "VMP", "MP,bound_HiVels,rotation"]
    assert has_label(label, "MP").tolist() == [False, False, True]
    assert has_label(label, "bound_HiVels").tolist() == [False, False, True]
    assert has_label(pa.chunked_array([label]), "RVV").tolist() == [True, False, False]
    assert has_label([" MP , RVV "], "RVV").tolist() == [True]


def test_nothing() -> None:
    assert join_labels({"RVV": np.zeros(0, bool)}).to_pylist() == []
    assert join_labels({"RVV": [False, False], "metal": [None, None]}).to_pylist() == [None, None]
    assert has_label(pa.array([], pa.string()), "MP").tolist() == []
    assert split_labels([None]).to_pylist() == [None]


def test_the_classes_are_those_of_the_paper() -> None:
    assert tuple(CLASSES) == VARIABLE_CLASSES


def test_the_printed_labels_of_tables_2_and_4(shared: Path) -> None:
    for name in ("table2_rows", "table4_rows"):
        rows = list(csv.DictReader((shared / f"data/paper_tables/{name}.csv").read_text().splitlines()))
        printed = [row["label"] or None for row in rows]
        assert join_labels({"printed": printed}).to_pylist() == printed
        assert sum(int(has_label(printed, label).sum()) for label in LABELS) == sum(map(bool, printed)) > 0


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({}, "none is given"),
        ({"MP": [True], "VMP": [True, False]}, "MP: 1, VMP: 2"),
        ({"poor": [True]}, "column 'poor' is no label; labels are MP"),
        ({"metal": ["MP,RVV"]}, "value in metal 'MP,RVV' is no label"),
        ({"RVV": [1, 0]}, "RVV must be booleans or text, not int64"),
    ],
)
def test_wrong_columns(columns: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        join_labels(columns)


def test_a_name_that_is_no_label() -> None:
    with pytest.raises(UsageError, match="'HiVels' is no label"):
        has_label(["bound_HiVels"], "HiVels")
