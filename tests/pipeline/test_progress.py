"""What a run tells while it works, and what it records of its stages."""

from __future__ import annotations

import json
import mmap
import sys
from pathlib import Path

import pytest
import small_raw
from no_figures import leave_out_figures

from lkmrs_dask.pipeline import progress
from lkmrs_dask.pipeline.job import InputSpec, Job, Settings
from lkmrs_dask.pipeline.memory import peak_memory_mb, restart_peak
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import Reporter, StageRecord
from lkmrs_dask.pipeline.run import run_job


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(progress, "time", one)
    return one


def test_a_record_counts_pieces_rows_and_memory() -> None:
    record = StageRecord("spectra")
    record.begin(6, kept=2)
    for rows, memory in ((10, 100.0), (20, 300.0), (30, 200.0)):
        record.finish_unit(rows, memory)
    record.fail_unit()
    record.seconds = 1.23456
    assert record.as_json() == {
        "seconds": 1.235,
        "rows": 60,
        "peak_memory_mb": 300.0,
        "partitions": {"total": 6, "done": 3, "kept": 2, "failed": 1},
    }
    assert record.line() == "spectra            60 rows, 3 partitions done, 2 kept, 1 FAILED, 1.2 s"
    plain = StageRecord("read", "readings", seconds=2.0)
    plain.begin(1200)
    for _ in range(1200):
        plain.finish_unit(1000)
    assert plain.line() == "read               1,200,000 rows, 1,200 readings, 2.0 s"
    assert StageRecord("identity", "stars").line() == "identity           0.0 s"


def test_a_batch_log_has_a_line_now_and_then(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    report = Reporter()
    with report.stage("spectra") as record:
        record.begin(100, kept=10)
        for number in range(90):
            clock.now += 1.0
            record.finish_unit(1000)
            assert record.done == number + 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "spectra            40 of 100 partitions, 30,000 rows, some 60 s left",
        "spectra            70 of 100 partitions, 60,000 rows, some 30 s left",
        "spectra            100 of 100 partitions, 90,000 rows, some 0 s left",
        "spectra            90,000 rows, 90 partitions done, 10 kept, 90.0 s",
    ]
    assert report.stages[0].seconds == 90.0
    assert report.stages[0].show is None


def test_a_short_stage_is_one_line_and_quiet_is_none(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    for quiet in (False, True):
        report = Reporter(quiet)
        with report.stage("read", "readings") as record:
            record.begin(3)
            for _ in range(3):
                clock.now += 0.5
                record.finish_unit(7)
        report.say("done")
        text = capsys.readouterr().out
        assert text == ("" if quiet else "read               21 rows, 3 readings, 1.5 s\ndone\n")
        assert [stage.rows for stage in report.stages] == [21]


def test_no_pieces_are_no_line_and_no_division(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter().stage("spectra") as record:
        clock.now += 100
        record.begin(0)
        clock.now += 100
        record.begin(5)  # nothing is done yet
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "spectra            0 of 5 partitions, some 1000 s left"
    assert len(lines) == 2


def test_on_a_terminal_there_is_a_bar_and_then_the_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with Reporter().stage("spectra") as record:
        assert record.show is not None
        record.begin(2)
        record.finish_unit(5)
        record.finish_unit(6)
    assert record.show is None
    assert "spectra            11 rows, 2 partitions, " in capsys.readouterr().out


def test_a_stage_that_breaks_off_is_no_finished_stage() -> None:
    report = Reporter(quiet=True)
    with pytest.raises(ValueError, match="broken"), report.stage("spectra"):
        raise ValueError("broken")
    assert report.stages == []


def test_the_peak_is_that_of_the_stage() -> None:
    """Where the system can forget an earlier peak; else it is at least not below what is held now."""
    restart_peak("one")
    block = mmap.mmap(
        -1, 200 << 20
    )  # not from the heap, where a freed block of an earlier test may be taken again
    for page in range(0, len(block), mmap.PAGESIZE):
        block[page] = 1
    with_block = peak_memory_mb()
    restart_peak("one")
    assert peak_memory_mb() >= with_block, "once a stage only: others of its pieces count"
    block.close()
    restart_peak("two")
    after = peak_memory_mb()
    assert 1 < after <= with_block
    if Path("/proc/self/clear_refs").exists():
        assert with_block > 200
        assert after < with_block - 100


def test_the_summary_has_every_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_figures(monkeypatch)
    lines = small_raw.rows(n_stars=3, n_nights=1)
    small_raw.write(tmp_path / "raw" / "a.csv", lines)
    job = Job("small", "", tmp_path / "raw", (InputSpec("spectra", "table", ("*.csv",)),), Settings())
    report = Reporter(quiet=True)
    run_job(job, tmp_path / "out", Place(threads=1), report)
    stages = json.loads((tmp_path / "out" / "summary.json").read_text())["stages"]
    assert list(stages) == ["read", "identity", "spectra", "overview", "targets", "deviations", "products"]
    assert stages == {stage.name: stage.as_json() for stage in report.stages}
    rows = {"read": 18, "identity": 3, "spectra": 18, "overview": 18, "targets": 3}
    assert {name: stages[name]["rows"] for name in rows} == rows
    for name in ("spectra", "overview", "targets"):
        assert stages[name]["partitions"] == {"total": 1, "done": 1, "kept": 0, "failed": 0}
    assert all(stage["peak_memory_mb"] > 1 and stage["seconds"] >= 0 for stage in stages.values())
    small_raw.write(tmp_path / "raw" / "b.csv", small_raw.rows(n_stars=3, n_nights=1, first_night=58500))
    run_job(job, tmp_path / "out", Place(threads=1), Reporter(quiet=True))
    stages = json.loads((tmp_path / "out" / "summary.json").read_text())["stages"]
    assert stages["read"]["readings"] == {"total": 2, "done": 1, "kept": 1, "failed": 0}
    assert stages["read"]["rows"] == stages["spectra"]["rows"] == 36
