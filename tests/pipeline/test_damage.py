"""Damaged surveys and killed runs: nothing is lost in silence, and the next run goes on."""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
from pathlib import Path

import pytest
import small_raw
from no_figures import leave_out_figures
from small_raw import lkmrs

import lkmrs_dask as lk
from lkmrs_dask.pipeline.survey import Survey

JOB = """[job]
raw = "{raw}"
[settings]
star_radius_arcsec = 1.5
[[input]]
catalog = "spectra"
files = ["*.csv*"]
"""


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_figures(monkeypatch)


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


def damaged(survey: Survey, how: str) -> Path:
    """Damage the partition of the spectra; "silent" leaves its size and time of change."""
    path = partition(survey)
    content, stat = path.read_bytes(), path.stat()
    third = len(content) // 3
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.write_bytes(content[:third] + bytes(300) + content[third + 300 :])
    if how == "silent":
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return path


def state(survey: Survey) -> dict[Path, tuple[int, int]]:
    """Inode and time of change of all files of the survey itself."""
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in survey.root.rglob("*")
        if path.is_file() and survey.work not in path.parents and path.name != ".lock"
    }


@pytest.mark.parametrize("damage", ["missing", "empty", "flipped"])
def test_an_ingest_makes_a_damaged_partition_anew_from_its_raw_files(
    survey: Survey, night: Path, damage: str, tmp_path: Path
) -> None:
    damaged(survey, damage)
    assert lkmrs("verify", survey.root).exit_code == 1
    assert lkmrs("ingest", night, "--out", survey.root).exit_code == 0
    assert lkmrs("verify", survey.root).exit_code == 0
    shutil.copy2(night, tmp_path / "raw")
    assert lkmrs("run", tmp_path / "job.toml", "--out", tmp_path / "whole").exit_code == 0
    grown, whole = (
        lk.open_catalog(folder / "spectra").to_arrow() for folder in (survey.root, tmp_path / "whole")
    )
    assert grown.equals(whole)


@pytest.mark.parametrize("damage", ["missing", "empty", "flipped", "silent"])
@pytest.mark.parametrize("raw", ["gone", "changed"])
def test_a_damaged_partition_stops_an_ingest_and_nothing_changes(
    survey: Survey, night: Path, damage: str, raw: str, tmp_path: Path
) -> None:
    """Where its raw files are gone; or where nothing shows the damage before the rows are needed."""
    path = damaged(survey, damage)
    if raw == "gone":
        (tmp_path / "raw" / "a.csv").unlink()
    else:
        small_raw.write(tmp_path / "raw" / "a.csv", small_raw.rows(n_stars=2))
    before = state(survey)
    done = lkmrs("ingest", night, "--out", survey.root)
    assert done.exit_code == 1
    assert (path.name if damage == "silent" else "a.csv is gone or was changed") in done.output
    assert "Traceback" not in done.output
    assert state(survey) == before
    assert lkmrs("verify", survey.root).exit_code == 1
    assert "interrupted" in lkmrs("status", survey.root).output


def test_ingest_keeps_the_settings_and_refuses_a_survey_without_receipts(survey: Survey, night: Path) -> None:
    assert lkmrs("ingest", night, "--out", survey.root).exit_code == 0
    assert json.loads(survey.summary.read_text())["settings"]["star_radius_arcsec"] == 1.5
    shutil.rmtree(survey.receipts)
    before = state(survey)
    done = lkmrs("ingest", night, "--out", survey.root)
    assert done.exit_code == 1
    assert "has catalogues and no receipts: run its job again" in done.output
    assert state(survey) == before


@pytest.mark.parametrize("damage", ["gone", "{"])
def test_a_missing_or_damaged_summary_is_made_anew(survey: Survey, job: Path, damage: str) -> None:
    before = json.loads(survey.summary.read_text())
    if damage == "gone":
        survey.summary.unlink()
        assert "its run has not ended" in lkmrs("status", survey.root).output
    else:
        survey.summary.write_text(damage)
        assert "is damaged" in lkmrs("status", survey.root).output
    assert lkmrs("run", job, "--out", survey.root).exit_code == 0
    after = json.loads(survey.summary.read_text())
    assert {**after, "stages": None} == {**before, "stages": None}


def test_a_run_goes_on_with_whatever_a_killed_one_left(survey: Survey, job: Path) -> None:
    before = state(survey)
    for left in ("old/targets", "next-1/spectra", "next-1/stars", "next-2/set_aside", "runs"):
        shutil.copytree(survey.catalog("targets"), survey.work / left)
    (survey.work / "next-1" / "spectra" / "hats.properties").write_text("half")
    (survey.receipts / "spectra").rename(survey.work / "receipts-of-spectra")
    assert lkmrs("run", job, "--out", survey.root).exit_code == 0
    assert not survey.work.exists()
    assert set(state(survey)) == set(before)
    assert lkmrs("verify", survey.root).exit_code == 0


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
    assert "  the catalogue is missing; summary.json counts 6 rows of it" in checked.output


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
