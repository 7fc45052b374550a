"""Every benchmark runs at a small size and writes its JSON; no time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("name", ["means", "build", "startup"])
def test_benchmark_runs(name: str, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    options = ["--scale", "0.002", "--rounds", "1", "--json", str(result)]
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    content = json.loads(result.read_text())
    assert content["benchmark"] == name
    assert any("lkmrs" in contender for contender in content["results"])
    assert content["versions"]["lkmrs_dask"]


def test_command_lists_them() -> None:
    from click.testing import CliRunner

    from lkmrs_dask.cli import main

    listed = CliRunner().invoke(main, ["bench"])
    assert {line.split()[0] for line in listed.output.splitlines()} == {"means", "build", "startup"}
    unknown = CliRunner().invoke(main, ["bench", "nothing"])
    assert unknown.exit_code == 2
    assert "there are build, means, startup" in unknown.output
