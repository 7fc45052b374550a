"""The commands of deploy/README.md, started as they stand there with addresses and paths of the test."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import fault_runs as runs
from fault_runs import Calm, Launch

from lkmrs_dask.pipeline import cluster

pytest_plugins = ["fault_fixtures"]

README = Path(__file__).resolve().parents[2] / "deploy" / "README.md"


def commands() -> list[str]:
    block = re.search(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    assert block is not None
    return [line for line in block[1].splitlines() if line and not line.startswith("#")]


def test_the_commands_of_the_small_cluster_work(calm: Calm, launch: Launch, tmp_path: Path) -> None:
    note = tmp_path / "scheduler.json"
    scheduler, worker, run = commands()
    assert scheduler.startswith(
        "dask scheduler --host 192.168.1.10 --port 8786 --dashboard-address 127.0.0.1:8787"
    )

    def start(line: str, *changes: tuple[str, object], more: tuple[object, ...] = ()) -> runs.Process:
        for old, new in changes:
            assert old in line, (old, line)
            line = line.replace(old, str(new))
        program, *words = shlex.split(line)
        module = {"dask": "dask", "lkmrs": "lkmrs_dask"}[program]
        return launch(*runs.python(module, *words), *more)

    process = start(
        scheduler,
        ("192.168.1.10", "127.0.0.1"),
        ("8786", 0),
        (":8787", ":0"),
        more=("--scheduler-file", note),
    )
    address = runs.wait_for(lambda: runs.address_in(note), "address of the scheduler", process)
    start(worker, ("tcp://192.168.1.10:8786", address), more=("--local-directory", tmp_path))
    process = start(
        run,
        ("tcp://192.168.1.10:8786", address),
        ("jobs/full_release.toml", calm.job),
        ("RAW", calm.job.parent / "raw"),
    )
    ended = process.wait()
    assert ended.code == 0, ended
    # The path stands relative to the folder where the run was started, which is not that of the workers.
    calm.check(process.folder / "SURVEY")


def test_the_settings_for_a_cluster_are_those_of_local_workers() -> None:
    found = dask.config.collect_yaml([str(README.parent / "dask.yaml")])
    stated = {name: value for config in found for name, value in flat(config)}
    local = {name: value for name, value in cluster._LOCAL.items() if "LOGGING" not in name}
    assert stated == local


def flat(config: dict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
