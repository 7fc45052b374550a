"""Runs whose workers or that themselves are killed or interrupted, and runs that meet in one folder."""

from __future__ import annotations

import signal
from pathlib import Path

import fault_runs as runs
import pytest
from fault_runs import Calm, Launch

pytest_plugins = ["fault_fixtures"]


def test_a_killed_worker_costs_nothing(calm: Calm, lkmrs: Launch, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = lkmrs("run", calm.job, "--out", out, "--workers", 2)
    runs.wait_for(runs.mid_stage(out, "spectra"), "partitions of spectra", run)
    victim = run.workers()[0]
    victim.send_signal(signal.SIGKILL)
    ended = run.wait()
    assert ended.code == 0, ended
    assert ended.err == ""
    calm.check(out)


@pytest.mark.slow
def test_a_run_killed_again_and_again_goes_on_each_time(calm: Calm, lkmrs: Launch, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done: dict[str, tuple[int, int]] = {}
    for stage, place in (("read", "--threads"), ("spectra", "--workers"), ("targets", "--threads")):
        run = lkmrs("run", calm.job, "--out", out, place, 2)
        runs.wait_for(runs.mid_stage(out, stage, 2), f"pieces of {stage}", run)
        started = run.children()
        run.kill()
        # Workers whose run is gone end by themselves, at once.
        assert not runs.outlive(started)
        assert "interrupted; run the same command again" in runs.call("status", out)
        now = runs.receipts(out)
        assert {name: now[name] for name in done} == done
        done = now
    runs.call("run", calm.job, "--out", out)
    calm.check(out)
    published = {name: (out / "receipts" / name).stat() for name in done}
    assert {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in published.items()} == done
    assert lkmrs("verify", out).wait().code == 0


@pytest.mark.parametrize("place", ["--threads", "--workers"])
def test_ctrl_c_ends_a_run_soon_and_quietly(calm: Calm, lkmrs: Launch, tmp_path: Path, place: str) -> None:
    out = tmp_path / "out"
    run = lkmrs("run", calm.job, "--out", out, place, 2)
    runs.wait_for(runs.mid_stage(out, "spectra"), "partitions of spectra", run)
    started = run.children()
    run.interrupt()
    ended = run.wait()
    assert ended.code == 1
    assert ended.err == "lkmrs: interrupted. What is done is kept: run the same command again\n"
    assert not runs.outlive(started)
    done = runs.receipts(out)
    runs.call("run", calm.job, "--out", out)
    published = {name: (out / "receipts" / name).stat() for name in done}
    assert {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in published.items()} == done
    calm.check(out)


def test_a_second_run_in_the_folder_is_refused(calm: Calm, lkmrs: Launch, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = lkmrs("run", calm.job, "--out", out, "--threads", 1)
    runs.wait_for(runs.mid_stage(out, "read", 1), "readings", first)
    second = lkmrs("run", calm.job, "--out", out).wait()
    assert second.code == 1
    assert second.err == (
        f"lkmrs: another run is at work in {out}: wait for its end, or choose another --out\n"
    )
    assert first.wait().code == 0
    calm.check(out)
