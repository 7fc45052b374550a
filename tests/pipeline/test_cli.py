"""The command as a person types it: what it prints, what it leaves behind, and its exit codes."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import small_raw
from click.testing import CliRunner, Result
from no_figures import leave_out_figures

import lkmrs_dask as lk
from lkmrs_dask.cli import main
from lkmrs_dask.pipeline.survey import Survey

JOB = """
[job]
raw = "{raw}"
[[input]]
catalog = "spectra"
files = ["*.csv*"]
"""


def lkmrs(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_figures(monkeypatch)


def make_job(tmp_path: Path, lines: list[str]) -> Path:
    small_raw.write(tmp_path / "raw" / "a.csv", lines)
    job = tmp_path / "job.toml"
    job.write_text(JOB.format(raw=tmp_path / "raw"))
    return job


def test_run_then_status_then_verify(tmp_path: Path) -> None:
    lines = small_raw.rows()
    done = lkmrs("run", make_job(tmp_path, lines), "--out", tmp_path / "survey")
    assert done.exit_code == 0, done.output
    assert f"{len(lines)} spectra" in done.output
    assert str(tmp_path / "survey") in done.output
    summary = json.loads((tmp_path / "survey" / "summary.json").read_text())
    assert (summary["n_stars"], summary["n_stars_kepler"], summary["n_spectra"]) == (6, 6, len(lines))
    assert set(summary["stages"]) == {
        "read",
        "identity",
        "spectra",
        "overview",
        "targets",
        "deviations",
        "products",
    }
    assert summary["stages"]["read"]["readings"] == {"total": 1, "done": 1, "kept": 0, "failed": 0}
    assert summary["stages"]["spectra"]["rows"] == len(lines)
    assert json.loads(lkmrs("status", tmp_path / "survey", "--json").output) == summary
    checked = lkmrs("verify", tmp_path / "survey")
    assert checked.exit_code == 0
    assert [line.split() for line in checked.output.splitlines()] == [
        [name, "sound"] for name in ("spectra", "targets", "others", "receipts")
    ]


@pytest.mark.usefixtures("no_figures")
def test_verify_finds_a_damaged_partition(tmp_path: Path) -> None:
    lkmrs("run", make_job(tmp_path, small_raw.rows()), "--out", tmp_path / "survey")
    (part,) = (tmp_path / "survey" / "spectra").glob("dataset/**/Npix=*.parquet")
    content = bytearray(part.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 200] = bytes(200)
    part.write_bytes(content)
    checked = lkmrs("verify", tmp_path / "survey")
    assert checked.exit_code == 1
    assert "spectra" in checked.output
    assert "sound" in checked.output  # the other catalogue is


@pytest.mark.usefixtures("no_figures")
def test_bad_rows_are_set_aside_and_the_rest_is_kept(tmp_path: Path) -> None:
    lines = small_raw.rows()
    lines[3] = lines[3].replace("|B|", "|B|x", 1) if "|B|" in lines[3] else lines[3].replace("|R|", "|R|x", 1)
    lines[5] = lines[5] + "|one field too many"
    done = lkmrs("run", make_job(tmp_path, lines), "--out", tmp_path / "survey")
    assert done.exit_code == 0, done.output
    summary = json.loads((tmp_path / "survey" / "summary.json").read_text())
    assert summary["n_spectra"] == len(lines) - 2
    assert summary["rows_set_aside"] == {"not a number": 1, "wrong number of fields": 1}
    text = (tmp_path / "survey" / "set_aside" / "spectra.csv").read_text()
    assert '"snr"' in text
    assert "a.csv" in text


@pytest.mark.usefixtures("no_figures")
def test_a_truncated_file_costs_its_tail_and_exit_code_1(tmp_path: Path) -> None:
    job = make_job(tmp_path, small_raw.rows(n_stars=3))
    text = "\n".join([small_raw.COLUMNS, *small_raw.rows(n_stars=400, seed=2, first_night=58500)])
    whole = gzip.compress(text.encode())
    (tmp_path / "raw" / "b.csv.gz").write_bytes(whole[: len(whole) // 2])
    done = lkmrs("run", job, "--out", tmp_path / "survey")
    assert done.exit_code == 1
    assert "b.csv.gz" in done.output
    summary = json.loads((tmp_path / "survey" / "summary.json").read_text())
    assert len(summary["failed_files"]) == 1
    n_spectra = summary["n_spectra"]
    assert 3 * 3 * 6 < n_spectra < 3 * 3 * 6 + 400 * 3 * 6
    assert lkmrs("verify", tmp_path / "survey").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "none.toml", "--out", "x"], "no job file"),
        (["verify", "nowhere"], "holds no catalogue"),
        (["status", "nowhere"], "holds no catalogue"),
        (["ingest", "nowhere.csv", "--out", "x"], "nowhere.csv is not there"),
        (["run", "none.toml"], "Missing option '--out'"),
        (["fly"], "No such command"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], message: str) -> None:
    done = lkmrs(*arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "options",
    [
        ["--threads", "0"],
        ["--workers", "-1"],
        ["--threads", "2", "--workers", "2"],
        ["--scheduler", ""],
        ["--scheduler", "somewhere"],
        ["--scheduler", "http://127.0.0.1:8786"],
        ["--scheduler", "tls://127.0.0.1:1"],  # no certificates are set
    ],
)
def test_impossible_places_are_refused(tmp_path: Path, options: list[str]) -> None:
    done = lkmrs("run", make_job(tmp_path, small_raw.rows()), "--out", tmp_path / "s", *options)
    assert done.exit_code == 2
    assert done.output.startswith(("lkmrs: --", "lkmrs: choose one of"))
    assert not (tmp_path / "s" / ".work").exists()


def test_a_scheduler_that_does_not_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkmrs_dask.pipeline.cluster.PATIENCE", 1.0)
    job = make_job(tmp_path, small_raw.rows())
    done = lkmrs("run", job, "--out", tmp_path / "s", "--scheduler", "tcp://127.0.0.1:1")
    assert done.exit_code == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in done.output


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    lines = [
        line.replace("|290.", "|490.").replace("|291.", "|491.").replace("|289.", "|489.")
        for line in small_raw.rows()
    ]
    done = lkmrs("run", make_job(tmp_path, lines), "--out", tmp_path / "survey")
    assert done.exit_code == 1
    assert "no row of 1 files could be used" in done.output
    assert (tmp_path / "survey" / "set_aside" / "spectra.csv").is_file()


@pytest.mark.usefixtures("no_figures")
def test_ingest_of_one_more_night_equals_a_run_over_all(tmp_path: Path) -> None:
    first, second = small_raw.rows(), small_raw.rows(n_nights=1, first_night=58450)
    assert lkmrs("run", make_job(tmp_path, first), "--out", tmp_path / "grown").exit_code == 0
    night = small_raw.write(tmp_path / "night.csv", second)
    assert lkmrs("ingest", night, "--out", tmp_path / "grown").exit_code == 0
    small_raw.write(tmp_path / "raw" / "night.csv", second)
    assert lkmrs("run", tmp_path / "job.toml", "--out", tmp_path / "whole").exit_code == 0
    for name in ("spectra", "targets"):
        grown = lk.open_catalog(tmp_path / "grown" / name).to_arrow()
        assert grown.equals(lk.open_catalog(tmp_path / "whole" / name).to_arrow())
    counts = [json.loads((tmp_path / s / "summary.json").read_text()) for s in ("grown", "whole")]
    assert {k: v for k, v in counts[0].items() if k[:2] == "n_"} == {
        k: v for k, v in counts[1].items() if k[:2] == "n_"
    }


@pytest.mark.usefixtures("no_figures")
def test_ingest_twice_doubles_nothing_and_keeps_the_record(tmp_path: Path) -> None:
    night = small_raw.write(tmp_path / "night.csv", small_raw.rows())
    n = len(small_raw.rows())
    for times in (1, 2):
        done = lkmrs("ingest", night, "--out", tmp_path / "survey")
        assert done.exit_code == 0
        assert ("1 files are in the survey already, unchanged: passed over" in done.output) == (times == 2)
        summary = json.loads((tmp_path / "survey" / "summary.json").read_text())
        assert summary["n_spectra"] == n
        assert summary["rows_set_aside"] == {}
    # The same spectra in another file are joined with those that are there, and kept on record.
    again = small_raw.write(tmp_path / "other" / "again.csv", small_raw.rows())
    for _ in range(2):
        assert lkmrs("ingest", again, "--out", tmp_path / "survey").exit_code == 0
        summary = json.loads((tmp_path / "survey" / "summary.json").read_text())
        assert summary["n_spectra"] == n
        assert summary["rows_set_aside"] == {"repeated key": n}
    files = (tmp_path / "survey" / "set_aside" / "spectra_repeated").glob("*.parquet")
    repeated = pa.concat_tables([pq.read_table(file, partitioning=None) for file in files])
    assert [repeated.column("kept").to_pylist().count(kept) for kept in (True, False)] == [n, n]
    assert {Path(name).name for name in repeated.column("source_file").to_pylist()} == {
        "night.csv",
        "again.csv",
    }


@pytest.mark.usefixtures("no_figures")
def test_a_run_drops_what_an_earlier_job_made_and_it_does_not(tmp_path: Path) -> None:
    job = make_job(tmp_path, small_raw.rows())
    assert lkmrs("run", job, "--out", tmp_path / "survey").exit_code == 0
    job.write_text(job.read_text().replace('"spectra"', '"measurements"'))
    assert lkmrs("run", job, "--out", tmp_path / "survey").exit_code == 0
    assert not (tmp_path / "survey" / "spectra").exists()
    assert not (tmp_path / "survey" / "targets").exists()


@pytest.mark.usefixtures("no_figures")
def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    job = make_job(tmp_path, small_raw.rows())
    with Survey(tmp_path / "survey").locked():
        second = lkmrs("run", job, "--out", tmp_path / "survey")
    assert second.exit_code == 1
    assert "another run is at work" in second.output
    assert lkmrs("run", job, "--out", tmp_path / "survey").exit_code == 0


def test_out_is_a_file(tmp_path: Path) -> None:
    job = make_job(tmp_path, small_raw.rows())
    done = lkmrs("run", job, "--out", job)
    assert done.exit_code == 2
    assert "is a file" in done.output


def test_module_and_dask_plugin_are_the_same_command() -> None:
    for command in (["-m", "lkmrs_dask"], ["-m", "dask", "lkmrs"]):
        done = subprocess.run(
            [sys.executable, *command, "--help"], capture_output=True, text=True, check=True
        )
        assert "Carry out a job" in done.stdout
