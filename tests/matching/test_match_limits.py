"""Where a cross-match must not go on: more pairs than memory holds, rows without a place, its inputs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from match_files import INDEX, write_files
from match_oracle import Sky, stars

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import from_dataframe, open_catalog
from lkmrs_dask.cli import main
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.matching import nearest
from lkmrs_dask.pipeline.match import match_files


def clump(n: int, number: str, seed: int) -> Catalog:
    """Rows within a second of arc."""
    rng = np.random.default_rng(seed)
    return from_dataframe(stars(Sky(10 + rng.random(n) / 3600, 20 + rng.random(n) / 3600), number))


def run(*args: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, Path]:
    """Two catalogues on disk, a hundred rows each."""
    for name, seed in (("left", 1), ("right", 2)):
        clump(100, name[0], seed).write(tmp_path / name)
    return tmp_path / "left", tmp_path / "right"


# -- too many pairs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("neighbours", ["all", 90])
def test_too_many_pairs_are_refused_before_memory_is_full(
    monkeypatch: pytest.MonkeyPatch, neighbours: Any
) -> None:
    monkeypatch.setattr(nearest, "_PENDING", 100)
    left, right = clump(100, "i", 1), clump(90, "j", 2)
    with dask.config.set(scheduler="sync"):
        whole = crossmatch(left, right, 10.0, neighbours, max_pairs=9_000).to_arrow()
        assert len(whole) == 9_000
        few = crossmatch(left, right, 10.0, neighbours, max_pairs=8_000)
        with pytest.raises(CatalogError) as caught:
            few.to_arrow()
        assert len(crossmatch(left, right, 10.0, "nearest", max_pairs=100).to_arrow()) == 100
    text = str(caught.value)
    order, pixel = few.pixels[0]
    assert f"order {order}, pixel {pixel}: its 100 rows have more than 8,000 pairs" in text
    assert 'within 10"; choose a smaller radius' in text


def test_too_many_pairs_on_the_command_line(stored: tuple[Path, Path], tmp_path: Path) -> None:
    done = run("crossmatch", *stored, "--out", tmp_path / "out", "--neighbours", "all", "--max-pairs", 9_999)
    assert done.exit_code == 1
    assert "more than 9,999 pairs" in done.output
    assert sorted(os.listdir(tmp_path)) == ["left", "right"]
    done = run("crossmatch", *stored, "--out", tmp_path / "out", "--neighbours", "all", "--max-pairs", 10_000)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "many"])
def test_a_wrong_number_of_pairs(number: object) -> None:
    one = clump(3, "i", 1)
    with pytest.raises(UsageError, match="max_pairs is a number from 1 on"):
        crossmatch(one, one, max_pairs=number)  # type: ignore[arg-type]


def test_a_radius_is_a_number() -> None:
    one = clump(3, "i", 1)
    with pytest.raises(UsageError, match="the radius is a number"):
        crossmatch(one, one, True)


# -- the inputs' folders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["same", "dots", "link", "inside", "around", "right"])
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_inputs_are_not_written_over(
    stored: tuple[Path, Path], tmp_path: Path, way: str, overwrite: list[str]
) -> None:
    left, right = stored
    (tmp_path / "link").symlink_to(left)
    out = {
        "same": left,
        "dots": tmp_path / "right" / ".." / "left",
        "link": tmp_path / "link",
        "inside": left / "matched",
        "around": tmp_path,
        "right": right,
    }[way]
    before = open_catalog(left).to_arrow()
    done = run("crossmatch", left, right, "--out", out, *overwrite)
    assert done.exit_code == 2, done.output
    assert "choose another folder" in done.output
    assert open_catalog(left).to_arrow().equals(before)
    # The other way round: the catalogue is given by a link.
    done = run("crossmatch", tmp_path / "link", right, "--out", left, "--overwrite")
    assert done.exit_code == 2, done.output
    assert sorted(os.listdir(tmp_path)) == ["left", "link", "right"]
    assert sorted(os.listdir(left)) == sorted(os.listdir(right))


def test_a_folder_beside_the_inputs_is_free(stored: tuple[Path, Path], tmp_path: Path) -> None:
    assert len(match_files(*stored, tmp_path / "left_right", say=lambda line: None)) == 100


# -- rows without a place ------------------------------------------------------------------------------------


def strew(root: Path, dec: float | None) -> None:
    """Give the first row of each partition's file another declination."""
    for path in root.rglob("Npix=*.parquet"):
        table = pq.read_table(path, partitioning=None)
        values = [dec, *table.column("dec").to_pylist()[1:]]
        at = table.column_names.index("dec")
        pq.write_table(table.set_column(at, "dec", pa.array(values, pa.float64())), path)


@pytest.mark.parametrize("side", ["left", "right"])
def test_declinations_beyond_the_poles_without_an_index(tmp_path: Path, side: str) -> None:
    """The index is made of the coordinates: there is none of these."""
    for name, seed in (("left", 1), ("right", 2)):
        write_files(tmp_path / name, clump(100, name[0], seed), indexed=False)
    strew(tmp_path / side, 95.0)
    done = run("crossmatch", tmp_path / "left", tmp_path / "right", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "column dec goes beyond 90 deg" in done.output
    assert not isinstance(done.exception, ValueError)


def test_rows_without_a_place_cannot_be_written(tmp_path: Path) -> None:
    """They are in a left join, but cannot be in a catalogue: the message says whose rows they are."""
    for name, seed in (("left", 1), ("right", 2)):
        write_files(tmp_path / name, clump(100, name[0], seed), indexed=False)
    strew(tmp_path / "left", None)
    left, right, out = (tmp_path / name for name in ("left", "right", "out"))
    matched = crossmatch(open_catalog(left), open_catalog(right), 10.0, join="left").to_arrow()
    assert matched.column(INDEX).null_count == 1
    done = run("crossmatch", left, right, "--out", out, "--radius", 10, "--join", "left")
    assert done.exit_code == 1
    assert f"{left}: rows of partition" in done.output
    assert "--join inner" in done.output
    assert "partial" not in done.output
    done = run("crossmatch", left, right, "--out", out, "--radius", 10)
    assert done.exit_code == 0, done.output
    assert len(open_catalog(out)) == 99
    shutil.rmtree(out)
    strew(tmp_path / "right", None)
    done = run("crossmatch", left, right, "--out", out, "--radius", 10)
    assert done.exit_code == 0, done.output


# -- the radius is included ----------------------------------------------------------------------------------


@pytest.mark.parametrize("moving", [False, True])
def test_a_separation_of_just_the_radius_counts(moving: bool) -> None:
    """At the equator, where a difference of declinations is exact, its arcsec may be rounded up or down."""
    epochs: dict[str, Any] = {"left_epoch": 2000.0, "right_epoch": 2000.0} if moving else {}
    for k in range(1, 200):
        away = k / 7 / 3600
        left = from_dataframe(pa.table({"i": [0], "ra": [10.0], "dec": [0.0]}))
        still = {"pmra": [0.0], "pmdec": [0.0]}
        right = from_dataframe(pa.table({"j": [0], "ra": [10.0], "dec": [away], **still}))
        with dask.config.set(scheduler="sync"):
            assert len(crossmatch(left, right, k / 7, **epochs).to_arrow()) == 1, k
            assert len(crossmatch(left, right, k / 7 * (1 - 1e-9), **epochs).to_arrow()) == 0


# -- identifiers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pa.null(), pa.float16(), pa.list_(pa.int64())])
def test_identifiers_that_have_no_order(kind: pa.DataType) -> None:
    """Two rows at one place: a tie."""
    table = pa.table({"j": [0, 1], "ra": [10.0, 10.0], "dec": [0.0, 0.0]})
    for name in ("mine", "source_id"):
        right = from_dataframe(table.append_column(name, pa.nulls(2, kind)))
        with pytest.raises(UsageError, match=f"identifiers are numbers or text; {name} is"):
            crossmatch(right, right, id_column=name)
        # One that nobody named decides nothing.
        found = crossmatch(right, right, suffixes=("", "_right")).to_arrow()
        assert found["j_right"].to_pylist() == [0, 0]
