"""A catalogue is written whole or not at all, and takes the place of another only when it is whole."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from written_rows import CrashError, content, everything, sky_rows

from lkmrs_dask.catalog import hats_write
from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.hats_write import new_folder, replace_folder, write_partition
from lkmrs_dask.catalog.opening import from_dataframe, open_catalog
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import index_range


@pytest.fixture
def catalog() -> Catalog:
    return from_dataframe(sky_rows(), max_rows=100)


def failing(catalog: Catalog, at: int = 3) -> Catalog:
    pixel = catalog.pixels[at]
    lo, _ = index_range(*pixel)

    def function(table: pa.Table) -> pa.Table:
        if table.column(HEALPIX_COLUMN)[0].as_py() >= lo:
            raise CrashError(f"at {pixel}")
        return table

    return catalog.map_partitions(function, catalog.schema)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failure_leaves_nothing(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(CrashError):
        failing(catalog).write(tmp_path / "new")
    assert names_in(tmp_path) == []


def test_a_failing_overwrite_leaves_the_old_catalogue(tmp_path: Path, catalog: Catalog) -> None:
    catalog.cone_search(0, 0, 200_000).write(tmp_path / "c")
    before = everything(tmp_path / "c")
    with pytest.raises(CrashError):
        failing(catalog).write(tmp_path / "c", overwrite=True)
    assert names_in(tmp_path) == ["c"]
    assert everything(tmp_path / "c") == before
    assert len(open_catalog(tmp_path / "c").to_arrow()) == len(open_catalog(tmp_path / "c"))


@pytest.mark.parametrize("step", ["finish_catalog", "replace"])
def test_a_failure_at_the_end_leaves_the_old_catalogue(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    catalog.cone_search(0, 0, 200_000).write(tmp_path / "c")
    before = everything(tmp_path / "c")
    rename, calls = os.replace, []

    def second_rename_fails(source: Path, target: Path) -> None:
        if Path(target) == tmp_path / "c":
            calls.append(source)
            if len(calls) == 1:
                raise OSError("disk full")
        rename(source, target)

    if step == "replace":
        monkeypatch.setattr(os, "replace", second_rename_fails)
        expected: type[Exception] = OSError
    else:
        expected = CrashError
        monkeypatch.setattr(hats_write, "_write_maps", lambda *_: (_ for _ in ()).throw(CrashError))
    with pytest.raises(expected):
        catalog.write(tmp_path / "c", overwrite=True)
    monkeypatch.undo()
    assert names_in(tmp_path) == ["c"]
    assert everything(tmp_path / "c") == before


def test_an_existing_folder_is_not_touched_without_leave(tmp_path: Path, catalog: Catalog) -> None:
    catalog.write(tmp_path / "c")
    before = everything(tmp_path / "c")
    with pytest.raises(UsageError, match=r"is there already; choose another folder or overwrite=True"):
        catalog.cone_search(0, 0, 200_000).write(tmp_path / "c")
    assert everything(tmp_path / "c") == before
    catalog.cone_search(0, 0, 200_000).write(tmp_path / "c", overwrite=True)
    assert 0 < len(open_catalog(tmp_path / "c")) < 600
    assert names_in(tmp_path) == ["c"]


def test_what_is_no_catalogue_is_never_replaced(tmp_path: Path, catalog: Catalog) -> None:
    """A mistyped path must not cost the user other files."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("too")
    for name in ("home", "file"):
        with pytest.raises(UsageError, match="is no HATS catalogue, so it is not replaced"):
            catalog.write(tmp_path / name, overwrite=True)
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years of work"
    assert (tmp_path / "file").read_text() == "too"
    (tmp_path / "empty").mkdir()
    assert len(catalog.write(tmp_path / "empty", overwrite=True)) == 600


def test_a_catalogue_can_replace_the_one_that_it_comes_from(tmp_path: Path, catalog: Catalog) -> None:
    stored = catalog.write(tmp_path / "c")
    part = stored.cone_search(0, 0, 200_000)
    expected = content(part)
    assert content(part.write(tmp_path / "c", overwrite=True)).equals(expected)


@pytest.mark.parametrize("left", [".c.partial", ".c.partial-0a1b2c3d"])
def test_leftovers_of_a_killed_run_get_into_no_catalogue(tmp_path: Path, catalog: Catalog, left: str) -> None:
    """Partitions of an earlier tiling in particular, which would overlap those of today."""
    from_dataframe(sky_rows(300, seed=7), max_rows=20).write(tmp_path / "old")
    (tmp_path / "old" / "dataset" / "stray.parquet").write_bytes(b"x")
    os.replace(tmp_path / "old", tmp_path / left)
    written = catalog.write(tmp_path / "c")
    files = {p.name for p in (tmp_path / "c" / "dataset").glob("**/*.parquet")}
    assert files == {f"Npix={pixel}.parquet" for _, pixel in catalog.pixels}
    (tmp_path / "c" / "partition_info.csv").unlink()
    assert open_catalog(tmp_path / "c").pixels == catalog.pixels
    assert content(written).select(catalog.columns).equals(content(catalog))
    if left != ".c.partial":
        assert names_in(tmp_path) == ["c"]


def test_a_kill_between_the_two_renames_is_made_good(tmp_path: Path, catalog: Catalog) -> None:
    catalog.write(tmp_path / "c")
    before = everything(tmp_path / "c")
    os.replace(tmp_path / "c", tmp_path / ".c.old")  # here the run died: the new one had no name yet
    with pytest.raises(CrashError):
        failing(catalog).write(tmp_path / "c", overwrite=True)
    assert everything(tmp_path / "c") == before
    catalog.write(tmp_path / "c", overwrite=True)
    assert names_in(tmp_path) == ["c"]


def test_new_folder_is_a_new_one_each_time(tmp_path: Path) -> None:
    seen = []

    def write_and_fail() -> None:
        with new_folder(tmp_path / "a" / "c") as folder:
            (folder / "hats.properties").write_text("")
            seen.append(folder.name)
            raise CrashError

    for _ in range(2):
        with pytest.raises(CrashError):
            write_and_fail()
    assert seen[0] != seen[1]
    with new_folder(tmp_path / "a" / "c") as folder:
        (folder / "hats.properties").write_text("new")
    assert names_in(tmp_path / "a") == ["c"]


def test_replace_folder(tmp_path: Path) -> None:
    for name, text in (("new", "2"), ("c", "1"), (".c.old", "0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(text)
    replace_folder(tmp_path / "new", tmp_path / "c")
    assert names_in(tmp_path) == ["c"]
    assert (tmp_path / "c" / "f").read_text() == "2"


def test_nothing_to_write(tmp_path: Path, catalog: Catalog) -> None:
    for empty in (
        catalog.id_search([1], "id"),
        catalog.pixel_search([]),
        from_dataframe(sky_rows().slice(0, 0)),
    ):
        with pytest.raises(CatalogError, match="no row to write"):
            empty.write(tmp_path / "c")
        assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("index", "match"),
    [
        ([5, 4], "unsorted or outside"),
        ([0, 4**29], "unsorted or outside"),
        ([-1, 3], "unsorted"),
        ([1, None], "no _"),
    ],
)
def test_a_partition_of_wrong_rows_is_refused(tmp_path: Path, index: list, match: str) -> None:
    with pytest.raises(CatalogError, match=match):
        write_partition(pa.table({HEALPIX_COLUMN: pa.array(index, pa.int64())}), tmp_path, 0, 0)
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_partition_without_rows_has_no_file(tmp_path: Path) -> None:
    table = pa.table({HEALPIX_COLUMN: pa.array([7], pa.int64())})
    assert write_partition(table, tmp_path, 0, 0).rows == 1
    assert write_partition(table.slice(0, 0), tmp_path, 0, 0).rows == 0
    assert not list(tmp_path.rglob("*.parquet"))
