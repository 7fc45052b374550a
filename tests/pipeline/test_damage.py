"""Damaged surveys and killed runs: nothing is lost in silence, and the next run goes on."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from pathlib import Path

import pytest
import small_raw
from click.testing import CliRunner, Result

from lkmrs_dask.cli import main
from lkmrs_dask.pipeline.survey import Survey

JOB = """[job]
raw = "{raw}"
[settings]
star_radius_arcsec = 1.5
[[input]]
catalog = "spectra"
files = ["*.csv*"]
"""


def lkmrs(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def job(tmp_path: Path) -> Path:
    lines = small_raw.rows()
    lines[0] = lines[0].replace("|58400|", "|night|")
    small_raw.write(tmp_path / "raw" / "a.csv", lines)
    path = tmp_path / "job.toml"
    path.write_text(JOB.format(raw=tmp_path / "raw"))
    return path


@pytest.fixture
def survey(tmp_path: Path, job: Path) -> Survey:
    assert lkmrs("run", job, "--out", tmp_path / "survey").exit_code == 0
    return Survey(tmp_path / "survey")


@pytest.fixture
def night(tmp_path: Path) -> Path:
    lines = small_raw.rows(n_nights=1, first_night=58450)
    lines[1] = lines[1].replace("|58450|", "|later|")
    return small_raw.write(tmp_path / "night.csv", lines)


def partition(survey: Survey) -> Path:
    return next(survey.catalog("spectra").glob("dataset/**/Npix=*.parquet"))


def test_set_aside_of_two_runs_is_one_table(survey: Survey, night: Path) -> None:
    assert lkmrs("ingest", night, "--out", survey.root).exit_code == 0
    with (survey.set_aside / "spectra.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["value"] for row in rows] == ["night", "later"]
    assert json.loads(survey.summary.read_text())["rows_set_aside"] == {"not a number": 2}


@pytest.mark.parametrize("damage", ["missing", "empty", "flipped"])
def test_a_damaged_partition_stops_an_ingest_and_nothing_changes(
    survey: Survey, night: Path, damage: str
) -> None:
    path = partition(survey)
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        third = len(content) // 3
        path.write_bytes(content[:third] + bytes(300) + content[third + 300 :])
    before = {p: p.stat().st_mtime_ns for p in survey.root.rglob("*.parquet")}
    done = lkmrs("ingest", night, "--out", survey.root)
    assert done.exit_code == 1
    assert path.name in done.output or "rows are there of" in done.output
    assert {p: p.stat().st_mtime_ns for p in survey.root.rglob("*.parquet")} == before
    assert lkmrs("verify", survey.root).exit_code == 1


def test_ingest_keeps_the_settings_and_refuses_a_survey_without_summary(survey: Survey, night: Path) -> None:
    assert lkmrs("ingest", night, "--out", survey.root).exit_code == 0
    assert json.loads(survey.summary.read_text())["settings"]["star_radius_arcsec"] == 1.5
    survey.summary.unlink()
    done = lkmrs("ingest", night, "--out", survey.root)
    assert done.exit_code == 1
    assert "its run has not ended" in done.output
    survey.summary.write_text("{")
    assert "is damaged" in lkmrs("status", survey.root).output


def test_a_run_goes_on_after_a_kill_in_a_removal(survey: Survey, job: Path) -> None:
    gone = survey.root / ".stars.gone-12345678"
    shutil.copytree(survey.catalog("targets"), gone)
    (gone / "hats.properties").unlink()
    shutil.copytree(survey.catalog("targets"), survey.work / "set_aside")
    assert lkmrs("run", job, "--out", survey.root).exit_code == 0
    assert not gone.exists()
    assert not survey.work.exists()


def test_a_run_without_a_usable_row_leaves_the_survey_as_it_was(survey: Survey, job: Path) -> None:
    kept = {p: p.read_bytes() for p in [survey.summary, *survey.set_aside.iterdir()]}
    (job.parent / "raw" / "a.csv").write_text(small_raw.COLUMNS + "\n")
    done = lkmrs("run", job, "--out", survey.root)
    assert done.exit_code == 1
    assert "no row of 1 files could be used" in done.output
    assert {p: p.read_bytes() for p in kept} == kept
    assert lkmrs("verify", survey.root).exit_code == 0


def test_failed_files_are_remembered_until_they_are_read(survey: Survey, tmp_path: Path, night: Path) -> None:
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(gzip.compress(night.read_bytes())[:-100])
    assert lkmrs("ingest", broken, "--out", survey.root).exit_code == 1
    assert lkmrs("ingest", night, "--out", survey.root).exit_code == 1
    (failure,) = json.loads(survey.summary.read_text())["failed_files"]
    assert "broken.csv.gz" in failure
    broken.write_bytes(gzip.compress(night.read_bytes()))
    assert lkmrs("ingest", broken, "--out", survey.root).exit_code == 0


def test_no_row_of_a_file_with_damaged_bytes_is_used(survey: Survey, tmp_path: Path) -> None:
    n = json.loads(survey.summary.read_text())["n_spectra"]
    text = "\n".join([small_raw.COLUMNS, *small_raw.rows(n_stars=300, first_night=58450)])
    content = bytearray(gzip.compress(text.encode()))
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "flipped.csv.gz").write_bytes(content)
    done = lkmrs("ingest", tmp_path / "flipped.csv.gz", "--out", survey.root)
    assert done.exit_code == 1
    assert "any row may be wrong" in done.output
    summary = json.loads(survey.summary.read_text())
    assert summary["n_spectra"] == n
    assert summary["rows_set_aside"]["file is damaged"] == 1


def test_verify_sees_what_is_missing_and_what_does_not_belong(survey: Survey) -> None:
    shutil.copy(partition(survey), partition(survey).with_name("Npix=11.parquet"))
    assert "is no partition of the catalogue" in lkmrs("verify", survey.root).output
    partition(survey).with_name("Npix=11.parquet").unlink()
    (survey.catalog("spectra") / "dataset" / "_metadata").write_bytes(b"nothing")
    assert "_metadata cannot be read" in lkmrs("verify", survey.root).output
    shutil.rmtree(survey.catalog("targets"))
    checked = lkmrs("verify", survey.root)
    assert checked.exit_code == 1
    assert "targets        missing" in checked.output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[input]]", "[input]", "written as"),
        ('files = ["*.csv*"]', "files = 3", "files must be"),
        ('files = ["*.csv*"]', 'files = "*"\nplans = 3', "plans must be a list of patterns"),
        ('files = ["*.csv*"]', 'files = "*"\ncolumns = 3', "columns must be a table"),
        ('files = ["*.csv*"]', 'files = "*"\noptional = "no"', "optional must be true or false"),
        ("star_radius_arcsec = 1.5", "star_radius_arcsec = 1e9", "is at most 3600"),
        ('"spectra"', '"measurements"\nkind = "mrs_spectra"', "belong to the catalog spectra"),
    ],
)
def test_jobs_of_wrong_types_are_refused(job: Path, old: str, new: str, message: str) -> None:
    job.write_text(job.read_text().replace(old, new))
    done = lkmrs("run", job, "--out", job.parent / "out")
    assert done.exit_code == 2
    assert message in done.output
    assert not (job.parent / "out").exists()
