"""A run never replaces or removes what no run has made."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_raw
from no_figures import leave_out_figures
from small_raw import lkmrs

from lkmrs_dask.pipeline.survey import Survey


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_figures(monkeypatch)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    small_raw.write(tmp_path / "raw" / "a.csv", small_raw.rows(n_stars=3, n_nights=1))
    return small_raw.write_job(tmp_path / "job.toml", tmp_path / "raw", "**/*.csv")


@pytest.mark.parametrize(
    "name", ["products/thesis.txt", "spectra/night1/a.csv", "receipts/taxes.json", "summary.json", "stars/x"]
)
def test_a_folder_with_files_of_others_is_refused(tmp_path: Path, job: Path, name: str) -> None:
    mine = tmp_path / "out" / name
    mine.parent.mkdir(parents=True)
    mine.write_text('["mine"]')
    for command in (
        ["run", job, "--out", tmp_path / "out"],
        ["run", job, "--out", tmp_path / "out", "--dry-run"],
        ["ingest", tmp_path / "raw" / "a.csv", "--out", tmp_path / "out"],
    ):
        refused = lkmrs(*command)
        assert refused.exit_code == 2
        assert f"holds {name.split('/')[0]}, which no run has made" in refused.output
        assert [p.relative_to(tmp_path / "out").as_posix() for p in mine.parents[0].rglob("*")] == [name]
        assert mine.read_text() == '["mine"]'


def test_other_files_and_empty_folders_are_no_harm(tmp_path: Path, job: Path) -> None:
    (tmp_path / "out" / "products").mkdir(parents=True)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert lkmrs("run", job, "--out", tmp_path / "out").exit_code == 0
    assert lkmrs("run", job, "--out", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_raw_files_among_what_runs_replace_are_refused(tmp_path: Path, job: Path) -> None:
    out = tmp_path / "out"
    assert lkmrs("run", job, "--out", out).exit_code == 0
    raw = small_raw.write(
        out / "products" / "n.csv", small_raw.rows(n_stars=3, n_nights=1, first_night=58450)
    )
    for command in (["ingest", raw], ["run", job, "--raw", out]):
        refused = lkmrs(*command, "--out", out)
        assert refused.exit_code == 2
        assert "lies in a folder of the survey" in refused.output
    assert raw.is_file()


def test_a_survey_that_lost_its_receipts_is_still_one(tmp_path: Path, job: Path) -> None:
    survey = Survey(tmp_path / "out")
    assert lkmrs("run", job, "--out", survey.root).exit_code == 0
    survey.receipts.rename(tmp_path / "receipts")
    assert lkmrs("run", job, "--out", survey.root).exit_code == 0
    assert lkmrs("verify", survey.root).exit_code == 0
