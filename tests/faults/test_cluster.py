"""Runs on a scheduler and workers that were started on their own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fault_runs as runs
import pytest
from distributed import Client
from fault_runs import Calm, Cluster, Launch

import lkmrs_dask

pytest_plugins = ["fault_fixtures"]

STAGES = {"read", "spectra", "measurements", "overview", "targets", "means", "rv_variability", "stars"}
StartCluster = Callable[[], Cluster]


def test_a_cluster_gives_what_threads_give(
    calm: Calm, lkmrs: Launch, start_cluster: StartCluster, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cluster = start_cluster()
    cluster.start_workers()
    ended = lkmrs("run", calm.job, "--out", out, "--scheduler", cluster.address).wait()
    assert ended.code == 0, ended
    assert ended.err == ""
    calm.check(out)

    def span_names(dask_scheduler: Any) -> list[str]:
        return [span.name[0] for span in dask_scheduler.extensions["spans"].spans.values()]

    with Client(cluster.address) as client:
        spans = set(client.run_on_scheduler(span_names))
        assert f"dashboard      {client.dashboard_link}\n" in ended.out
    assert spans >= STAGES


@pytest.mark.slow
def test_a_lost_scheduler_ends_the_run_and_a_new_one_goes_on(
    calm: Calm, lkmrs: Launch, start_cluster: StartCluster, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cluster = start_cluster()
    cluster.start_workers()
    run = lkmrs("run", calm.job, "--out", out, "--scheduler", cluster.address)
    runs.wait_for(runs.mid_stage(out, "spectra"), "partitions of spectra", run)
    cluster.scheduler.kill()
    ended = run.wait(40)
    assert ended.code == 1
    assert ended.err == (
        "lkmrs: the Dask scheduler is gone, or the connection to it. What is done is kept: start scheduler "
        "and workers, then run the same command again\n"
    )
    done = runs.receipts(out)
    cluster = start_cluster()
    cluster.start_workers(1)
    assert lkmrs("run", calm.job, "--out", out, "--scheduler", cluster.address).wait().code == 0
    published = {name: (out / "receipts" / name).stat() for name in done}
    assert {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in published.items()} == done
    calm.check(out)


def test_no_scheduler_and_no_workers_are_told(
    calm: Calm, lkmrs: Launch, start_cluster: StartCluster, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cluster = start_cluster()
    idle = lkmrs("run", calm.job, "--out", out, "--scheduler", cluster.address)
    nowhere = lkmrs("run", calm.job, "--out", tmp_path / "other", "--scheduler", "tcp://127.0.0.1:1")
    ended = idle.wait()
    assert ended.code == 1
    assert ended.err == (
        f"lkmrs: the Dask scheduler at {cluster.address} has no workers; start some with `dask worker "
        f"{cluster.address}`\n"
    )
    ended = nowhere.wait()
    assert ended.code == 1
    assert ended.err.startswith("lkmrs: no Dask scheduler answers at tcp://127.0.0.1:1 (")
    assert ended.err.count("\n") == 1


def test_workers_that_do_not_see_the_folder_are_refused(
    calm: Calm, lkmrs: Launch, start_cluster: StartCluster, own_mounts: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    cluster = start_cluster()
    elsewhere = 'mount -t tmpfs none "$0" && exec "$@"'
    cluster.start_workers(1, within=[*own_mounts, "bash", "-c", elsewhere, out])
    ended = lkmrs("run", calm.job, "--out", out, "--scheduler", cluster.address).wait()
    assert ended.code == 1
    assert ended.err.startswith("lkmrs: worker tcp://127.0.0.1:")
    told = rf"does not see {re.escape(str(out))}/\.work/next-\w+/receipts: workers need the same files under"
    assert re.search(told, ended.err)
    assert not (out / ".work").exists()


def test_workers_with_other_code_are_refused(
    calm: Calm, lkmrs: Launch, start_cluster: StartCluster, tmp_path: Path
) -> None:
    def copy_package(name: str) -> Path:
        source, target = Path(lkmrs_dask.__file__).parent, tmp_path / name / "lkmrs_dask"
        return shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))

    with (copy_package("older") / "__init__.py").open("a") as stream:
        stream.write('\n__version__ = "0.0.1"\n')
    with (copy_package("changed") / "schema.py").open("a") as stream:
        stream.write("\n# a line more\n")
    (copy_package("incomplete") / "pipeline" / "cluster.py").unlink()
    cluster = start_cluster()
    for name in ("older", "changed", "incomplete"):
        cluster.start_workers(1, {"PYTHONPATH": str(tmp_path / name)})
    with Client(cluster.address) as client:
        client.wait_for_workers(3, timeout=runs.PATIENCE)
    ended = lkmrs("run", calm.job, "--out", tmp_path / "out", "--scheduler", cluster.address).wait()
    assert ended.code == 1
    version = lkmrs_dask.__version__
    assert ended.err.startswith(f"lkmrs: this process has lkmrs_dask {version} (")
    assert ended.err.count("; worker tcp://127.0.0.1:") == 2
    assert "has 0.0.1 (" in ended.err
    assert ended.err.count(f" {version} (") == 2  # ours, and that of changed code
    assert "No module named 'lkmrs_dask.pipeline.cluster'" in ended.err
    assert ended.err.endswith("install the same on all machines, then start the workers anew\n")
