"""Every benchmark runs at a small size and writes its JSON; no time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("name", ["means", "build", "startup", "crossmatch"])
def test_benchmark_runs(name: str, tmp_path: Path) -> None:
    content = run(name, "--scale", 0.002, "--rounds", 1, "--json", tmp_path / "result.json")
    assert content["benchmark"] == name
    assert any("lkmrs" in contender for contender in content["results"])
    assert content["versions"]["lkmrs_dask"]


def run(name: str, *options: object) -> dict[str, Any]:
    command = [sys.executable, str(FOLDER / f"{name}.py"), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(Path(command[command.index("--json") + 1]).read_text())


def test_frequencies_of_a_curve_and_a_survey(tmp_path: Path) -> None:
    few = ("--scale", 0.02, "--rounds", 1, "--plain", 1, "--curves", 6)
    content = run("frequencies", *few, "--json", tmp_path / "r.json")
    results = content["results"]
    assert results["nifty-ls and scipy, 1"]["f_sigma"] < 0.1
    assert results["nifty-ls and scipy, 1"]["a_sigma"] < 0.1
    threads, processes = (results[f"6 curves, 2 {place}"] for place in ("threads", "processes"))
    assert threads["found"] == processes["found"] > 0
    assert 0 < content["facts"]["finufft_share_survey"] < 1


@pytest.mark.slow
def test_scaling_runs_and_plans(tmp_path: Path) -> None:
    options = ("--scale", 0.002, "--sizes", 1, 2, "--places", "2 threads")
    content = run("scaling", *options, "--json", tmp_path / "r.json", "--plot", tmp_path / "plot.svg")
    rows = {name: result["rows"] for name, result in content["results"].items()}
    assert rows["2 x paper, 2 threads"] == 2 * rows["1 x paper, 2 threads"] == 2 * 7064
    assert all(result["parse_share"] > 0 for result in content["results"].values())
    plan = content["facts"]["plan"]
    assert plan["rows"] == 3.5e9
    # At most 500,000 rows a partition, and three stages over the partitions of spectra.
    assert plan["tasks"] > 3 * 7000
    # What a task costs is what the plan says it costs, but for the result's request and answer.
    assert content["facts"]["messages_per_task"] == pytest.approx(
        plan["messages"] / plan["tasks"] - 2, abs=0.3
    )
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")


@pytest.mark.slow
def test_what_was_put_in_comes_out(tmp_path: Path) -> None:
    """A fiftieth of the survey: counts to the digit, each star once, means without bias, errors that cover.

    The benchmark leaves with an error where counts or stars differ.  Of n stars the mean pull scatters by
    1/sqrt(n), the share within one or two sigma as a binomial; four of these are allowed, for the seed is one
    of many.
    """
    content = run("recovery", "--scale", 0.02, "--json", tmp_path / "r.json")
    assert content["facts"]["problems"] == []
    assert content["facts"]["n_stars"] == 986
    for name, found in content["results"].items():
        n = found["stars"]
        assert n > 30
        assert abs(found["bias"]) < 4 / n**0.5, name
        assert abs(found["spread"] - 1) < 4 / (2 * n) ** 0.5, name
        for sigmas, share in ((1, 0.6827), (2, 0.9545)):
            assert abs(found[f"within_{sigmas}"] - share) < 4 * (share * (1 - share) / n) ** 0.5, name
        assert abs(found["eq2_ratio"] - 1) < 4 * found["eq2_err"], name


@pytest.mark.slow
def test_more_of_the_larger_orbits_are_found(tmp_path: Path) -> None:
    figure = tmp_path / "completeness"
    content = run("completeness", "--scale", 0.01, "--figure", figure, "--json", tmp_path / "c.json")
    for found in content["results"].values():
        # NaN where no star has so many velocities and such an orbit.
        assert not found["K>0.3"] > 0.2
        assert not found["purity"] < 0.7
    assert content["results"]["N 10 to 99"]["K>40"] > 0.9
    assert figure.with_suffix(".png").stat().st_size > 10_000


def test_command_lists_them() -> None:
    from click.testing import CliRunner

    from lkmrs_dask.cli import main

    listed = CliRunner().invoke(main, ["bench"])
    assert {line.split()[0] for line in listed.output.splitlines()} == {
        "build", "completeness", "crossmatch", "frequencies", "means", "recovery", "scaling", "startup",
    }  # fmt: skip
    unknown = CliRunner().invoke(main, ["bench", "nothing"])
    assert unknown.exit_code == 2
    assert (
        "there are build, completeness, crossmatch, frequencies, means, recovery, scaling, startup"
        in unknown.output
    )
