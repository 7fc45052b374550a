"""Rows of a survey's own partitions come back as they came from the raw files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_runs import SPECTRA, Row, Tables, build, table_of

from lkmrs_dask.catalog.hats import partition_path
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.repeats import KEPT, ROW_OF_PARTITION
from lkmrs_dask.catalog.survey_rows import SurveyRows, count_copies, repeats_file
from lkmrs_dask.errors import CatalogError, InputError
from lkmrs_dask.schema import HEALPIX_COLUMN

drawn_rows = st.lists(
    st.fixed_dictionaries(
        {
            "obsid": st.none() | st.integers(1, 3),
            "coadd": st.booleans(),
            "lmjm": st.none() | st.integers(1, 2),
            "snr": st.none() | st.floats(0, 99, width=16),
            "flux": st.none() | st.lists(st.none() | st.floats(-2, 2, width=16), max_size=2),
        }
    ),
    min_size=1,
    max_size=25,
)


def partition(rows: list[Row], folder: Path) -> tuple[Path, Path, pa.Table]:
    """Build one partition of rows of one star; its file, that of its repeated rows, and these."""
    raw = [
        {"uid": "G1", "ra_input": 290.0, "dec_input": 44.0, "mobsid": f"m{k:02d}", **row}
        for k, row in enumerate(rows)
    ]
    built, _ = build(Tables({"a.csv": [table_of(raw)]}), folder)
    root = folder / "spectra"
    (pixel,) = open_catalog(root).pixels
    repeated = repeats_file(folder / "repeated", *pixel)
    if built.repeats.num_rows:
        repeated.parent.mkdir()
        pq.write_table(built.repeats, repeated, write_page_checksum=True)
    return partition_path(root, *pixel), repeated, built.repeats


@given(rows=drawn_rows, batch=st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_what_was_joined_comes_apart_again(
    rows: list[Row], batch: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file, repeated, groups = partition(rows, tmp_path_factory.mktemp("p"))
    source = SurveyRows(SPECTRA, file, repeated, batch)
    assert source.files() == [file]
    chunks = list(source.read(file))
    assert all(chunk.set_aside.num_rows == 0 for chunk in chunks)
    found = pa.concat_tables([chunk.table for chunk in chunks]).to_pylist()
    names = {"uid", "ra_input", "dec_input", "mobsid", *rows[0]}
    expected = {
        f"m{k:02d}": {"uid": "G1", "ra_input": 290.0, "dec_input": 44.0, **row} for k, row in enumerate(rows)
    }
    assert sorted(row["mobsid"] for row in found) == sorted(expected), "each row once"
    for row in found:
        assert set(row) == names, "without what the build added"
        assert not {"star_id", "ra", "dec", HEALPIX_COLUMN, KEPT, ROW_OF_PARTITION} & set(row)
        assert {n: v for n, v in row.items() if n != "mobsid"} == expected[row["mobsid"]], "nothing filled in"
    n_there = pq.ParquetFile(file).metadata.num_rows
    assert count_copies(groups) == len(rows) - n_there
    assert repeated.is_file() == (count_copies(groups) > 0)


SOME: list[Row] = [{"obsid": 1 + k // 2, "coadd": True, "snr": float(k)} for k in range(400)]


@pytest.mark.parametrize("which", ["file", "repeated"])
@pytest.mark.parametrize("damage", ["missing", "empty", "zeroed", "flipped"])
def test_a_damaged_partition_is_an_error_of_the_survey_not_of_a_raw_file(
    tmp_path: Path, which: str, damage: str
) -> None:
    file, repeated, _ = partition(SOME, tmp_path)
    path = file if which == "file" else repeated
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flipped":
        at = content.index(b"m00") if b"m00" in content else 60  # in a page of data
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
    else:
        path.write_bytes(content[:50] + bytes(len(content) - 100) + content[-50:])
    if (which, damage) == ("repeated", "missing"):
        # A partition without repeated rows has no such file; that it had one its receipt tells.
        assert sum(len(chunk.table) for chunk in SurveyRows(SPECTRA, file, repeated).read(file)) == 200
        return
    with pytest.raises(CatalogError, match=r"(?s)cannot be read: .*verify SURVEY --repair") as fault:
        list(SurveyRows(SPECTRA, file, repeated).read(file))
    assert not isinstance(fault.value, InputError)


def test_copies_of_nothing() -> None:
    empty = table_of([{"obsid": 1}]).slice(0, 0)
    empty = empty.append_column(KEPT, pa.array([], pa.bool_())).append_column(
        ROW_OF_PARTITION, pa.array([], pa.int64())
    )
    assert count_copies(empty) == 0
