"""Fixtures of the tests that break runs: an undisturbed run to compare with, and processes that end."""

from __future__ import annotations

import itertools
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import fault_runs as runs
import pytest


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> runs.Calm:
    """An undisturbed run; small partitions make many pieces."""
    folder = tmp_path_factory.mktemp("calm")
    runs.write_raw(folder / "raw")
    job = runs.write_job(folder, folder / "raw")
    process = runs.Process(runs.lkmrs("run", job, "--out", folder / "out"), folder / "log")
    try:
        ended = process.wait()
    finally:
        process.kill_group()
    assert ended.code == 0, ended
    return runs.Calm(job, runs.tables(folder / "out"), runs.counts(folder / "out"))


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[runs.Launch]:
    """Start commands, each in a process group of its own; all that they started is ended with the test.

    They heed Ctrl-C even where the tests do not, as in the background of a shell script.
    """
    heed = signal.signal(signal.SIGINT, signal.default_int_handler)
    started: list[runs.Process] = []
    numbers = itertools.count()

    def start(*command: object, environment: dict[str, str] | None = None) -> runs.Process:
        process = runs.Process(command, tmp_path / f"process{next(numbers)}", environment)
        started.append(process)
        return process

    yield start
    signal.signal(signal.SIGINT, heed)
    for process in started:
        process.kill_group()
    left = runs.in_groups({process.pid for process in started})
    assert not runs.outlive(left), "processes are left"


@pytest.fixture
def lkmrs(launch: runs.Launch) -> runs.Launch:
    """Start ``lkmrs`` with arguments."""

    def start(name: str, *arguments: object, environment: dict[str, str] | None = None) -> runs.Process:
        return launch(*runs.lkmrs(name, *arguments), environment=environment)

    return start


@pytest.fixture
def own_mounts() -> list[str]:
    """Begin of a command that may mount small disks: no mount outlives it, and it needs no privileges."""
    command = ["unshare", "--map-root-user", "--mount"]
    try:
        tried = subprocess.run(
            [*command, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("needs the command unshare (util-linux)")
    if tried.returncode:
        pytest.skip(f"this system lets nobody mount a small disk in a namespace: {tried.stderr.strip()}")
    return command


@pytest.fixture
def start_cluster(launch: runs.Launch, tmp_path: Path) -> Callable[[], runs.Cluster]:
    """Start a scheduler; workers are added by the test."""
    return lambda: runs.Cluster(launch, tmp_path)
