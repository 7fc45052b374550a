"""What an import and a fetch leave alone, and what they say on a terminal."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from lkmrs_dask import cli
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline import fetch as fetch_module
from lkmrs_dask.pipeline.external import build_external
from lkmrs_dask.pipeline.fetch_progress import shown_transfer

HEADER = "OBJID,RADEG,DECDEG,MAG0,PRI\n"
GOOD = HEADER + "201121245,176.8,-6.0,11.5,1\n"


def lkmrs(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def k2(folder: Path, text: str = GOOD) -> Path:
    """A small list of targets."""
    path = folder / "a.csv"
    path.write_text(text)
    return path


def apokasc(path: Path) -> bytes:
    """A list without positions; its bytes."""
    pq.write_table(pa.table({"KIC": [1027337, 1027110], "Mass": [1.0, 1.5]}), path)
    return path.read_bytes()


def test_an_input_is_not_written_over_by_its_table(tmp_path: Path) -> None:
    path = tmp_path / "Table4.parquet"
    before = apokasc(path)
    (tmp_path / "link").symlink_to(tmp_path)
    for out in (tmp_path / "Table4", tmp_path / "link" / "Table4"):
        for more in ([], ["--overwrite"]):
            done = lkmrs("import", "apokasc3", path, "--out", out, *more)
            assert done.exit_code == 2, done.output
            assert "would be written over" in done.output
            assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["Table4.parquet", "link"]
    assert lkmrs("import", "apokasc3", path, "--out", tmp_path / "other").exit_code == 0


def test_an_input_in_the_catalogue_that_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "k2"
    build_external("k2_targets", k2(tmp_path), out)
    inside = next(out.rglob("Npix=*.parquet"))
    aside = tmp_path / "k2.set_aside.csv"
    aside.write_text(GOOD)
    for path in (inside, aside):
        with pytest.raises(UsageError, match="would be written over"):
            build_external("k2_targets", path, out)
    assert len(open_catalog(out)) == 1
    assert aside.read_text() == GOOD


def test_what_is_there_is_replaced_on_demand_only(tmp_path: Path) -> None:
    out, path = tmp_path / "k2", k2(tmp_path)
    assert lkmrs("import", "k2_targets", path, "--out", out).exit_code == 0
    path.write_text(GOOD + "201121246,176.9,-6.0,11.5,1\n")
    done = lkmrs("import", "k2_targets", path, "--out", out)
    assert done.exit_code == 2
    assert f"{out} is there already" in done.output
    assert "--overwrite" in done.output
    assert len(open_catalog(out)) == 1
    assert lkmrs("import", "k2_targets", path, "--out", out, "--overwrite").exit_code == 0
    assert len(open_catalog(out)) == 2


def test_a_table_is_replaced_on_demand_and_only_if_it_is_ours(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw.parquet", tmp_path / "list"
    apokasc(raw)
    assert lkmrs("import", "apokasc3", raw, "--out", out).exit_code == 0
    done = lkmrs("import", "apokasc3", raw, "--out", out)
    assert done.exit_code == 2
    assert f"{out}.parquet is there already" in done.output
    assert lkmrs("import", "apokasc3", raw, "--out", out, "--overwrite").exit_code == 0
    pq.write_table(pa.table({"mine": [1]}), tmp_path / "list.parquet")
    done = lkmrs("import", "apokasc3", raw, "--out", out, "--overwrite")
    assert done.exit_code == 2
    assert "was not made by an import" in done.output
    assert pq.read_table(tmp_path / "list.parquet").to_pylist() == [{"mine": 1}]


def test_a_file_of_somebody_else_with_the_name_of_the_list_stays(tmp_path: Path) -> None:
    mine = tmp_path / "k2.set_aside.csv"
    mine.write_text("my own notes\n")
    done = lkmrs("import", "k2_targets", k2(tmp_path), "--out", tmp_path / "k2", "--overwrite")
    assert done.exit_code == 2
    assert "is no list of rows set aside" in done.output
    assert mine.read_text() == "my own notes\n"
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "k2.set_aside.csv"]


def test_what_a_killed_import_left_is_removed(tmp_path: Path) -> None:
    for name in (".k2.aside-0123abcd", ".k2.partial-0123abcd", ".k2b.aside-0123abcd"):
        (tmp_path / name).mkdir()
    build_external("k2_targets", k2(tmp_path), tmp_path / "k2")
    assert sorted(os.listdir(tmp_path)) == [".k2b.aside-0123abcd", "a.csv", "k2"]


def test_the_command_names_columns_and_list_of_what_is_set_aside(tmp_path: Path) -> None:
    rows = "201121246,176.8,-96.0,11.5,1\n201121247,,1,2,3\n201121248,1,1,2\n"
    done = lkmrs("import", "k2_targets", k2(tmp_path, GOOD + rows), "--out", tmp_path / "k2")
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        f"1 rows, 5 columns: {tmp_path / 'k2'}",
        "set aside: 1 x out of range, column DECDEG",
        "set aside: 1 x missing coordinate, column RADEG",
        "set aside: 1 x wrong number of fields",
        f"rows set aside are listed in {tmp_path / 'k2.set_aside.csv'}",
    ]


def test_an_identifier_in_another_case_on_the_command_line(tmp_path: Path) -> None:
    path = k2(tmp_path, "Star,RA,Dec,x\n7,1,2,3\n")
    out = tmp_path / "mine"
    done = lkmrs("import", "table", path, "--id", "STAR", "--ra", "ra", "--dec", "dec", "--out", out)
    assert done.exit_code == 0, done.output
    assert open_catalog(out).info.properties["lkmrs_id_column"] == "STAR"
    assert open_catalog(out).to_arrow()["STAR"].to_pylist() == [7]


@pytest.mark.parametrize("epoch", ["5", "nan", "inf", "20160"])
def test_an_epoch_is_a_year(tmp_path: Path, epoch: str) -> None:
    names = ["--id", "OBJID", "--ra", "RADEG", "--dec", "DECDEG"]
    done = lkmrs("import", "table", k2(tmp_path), *names, "--out", tmp_path / "k2", "--epoch", epoch)
    assert done.exit_code == 2
    assert "epoch is a Julian year from 1800 to 2200" in done.output


@pytest.mark.parametrize(("command", "said"), [("import", "Nothing was written"), ("fetch", "is kept")])
def test_an_interruption_says_what_is_true(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, said: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lkmrs_dask.pipeline.external.build_external", interrupt)
    monkeypatch.setattr(fetch_module, "fetch", interrupt)
    more = ["k2_targets", k2(tmp_path), "--out", tmp_path / "k2"] if command == "import" else ["kic"]
    done = lkmrs(command, *more)
    assert done.exit_code == 1
    assert "interrupted" in done.output
    assert said in done.output


# Progress of a fetch


def test_a_terminal_shows_how_far_a_file_is() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100)
    with shown_transfer(console) as transfer:
        assert transfer.progress is not None
        transfer.progress("kic.txt.gz", 500_000, 1_000_000)
        transfer.progress("kic.txt.gz", 1_000_000, 1_000_000)
        transfer.progress("b.dat", 5, None)
    assert "kic.txt.gz" in text.getvalue() or "b.dat" in text.getvalue()


def test_a_log_gets_no_bars() -> None:
    text = io.StringIO()
    with shown_transfer(Console(file=text, force_terminal=False)) as transfer:
        assert transfer.progress is None
    assert text.getvalue() == ""
