"""Raw files, and `lkmrs` in processes of its own, for tests that break runs and see them go on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import no_figures
import numpy as np
import psutil  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from lkmrs_dask.cli import main
from lkmrs_dask.pipeline.check import verify_survey
from lkmrs_dask.pipeline.survey import Survey

PLAN = "TD192102N424113K01"
CATALOGS = ("spectra", "measurements", "means", "rv_variability", "stars", "targets")
PATIENCE = 180.0  # seconds that anything may take before a test gives up on it

JOB = """[job]
name = "faults"
raw = "{raw}"
[[input]]
catalog = "spectra"
files = ["spectra/*"]
[[input]]
catalog = "measurements"
files = ["stellar/*"]
[settings]
max_rows = {max_rows}
"""


def write_raw(folder: Path, n_stars: int = 100, n_nights: int = 4, seed: int = 1) -> None:
    """Tables of spectra, a file a night, and one of their parameters."""
    rng = np.random.default_rng(seed)
    ra, dec = 290.26 + rng.uniform(-1.5, 1.5, n_stars), 42.69 + rng.uniform(-1.5, 1.5, n_stars)
    for name in ("spectra", "stellar"):
        (folder / name).mkdir(parents=True)
    coadds = []
    for night in range(58400, 58400 + n_nights):
        star = np.repeat(np.arange(n_stars), 6)
        minute = np.tile([600, 625, 600], 2 * n_stars)
        table = spectra(rng, star, ra[star], dec[star], night, minute, np.tile([0, 0, 1], 2 * n_stars))
        pyarrow.csv.write_csv(table, folder / "spectra" / f"night{night}.csv")
        coadds.append(table.filter(pa.array(table["coadd"].to_numpy() == 1)))
    table = pa.concat_tables(coadds)
    for name, middle, spread in (("teff", 5500, 300), ("logg", 4, 0.3), ("feh", -0.1, 0.2), ("rv", 0, 30)):
        table = table.append_column(name, pa.array(rng.normal(middle, spread, len(table)).round(4)))
    pyarrow.csv.write_csv(table, folder / "stellar" / "all.csv")


def spectra(
    rng: np.random.Generator, star: Any, ra: Any, dec: Any, night: int, minute: Any, coadd: Any
) -> pa.Table:
    """Rows in LAMOST's columns, blue and red by turns."""
    n = len(star)
    columns = {
        "mobsid": [f"M{night}{k}" for k in range(n)],
        "obsid": night * 100_000 + star,
        "uid": [f"G{k:06d}" for k in star.tolist()],
        "obsdate": ["2018-10-08"] * n,
        "lmjd": np.full(n, night),
        "planid": [PLAN] * n,
        "spid": 1 + star % 16,
        "fiberid": 1 + star % 250,
        "lmjm": (night - 1) * 1440 + minute,
        "band": np.resize(["B", "B", "B", "R", "R", "R"], n),
        "snr": rng.uniform(5, 90, n).round(2),
        "ra": ra + rng.normal(0, 0.2 / 3600, n),
        "dec": dec + rng.normal(0, 0.2 / 3600, n),
        "coadd": coadd,
    }
    return pa.table(columns)


def write_job(folder: Path, raw: Path, max_rows: int = 60) -> Path:
    """A job over the raw files; small `max_rows` make many pieces."""
    path = folder / "job.toml"
    path.write_text(JOB.format(raw=raw, max_rows=max_rows))
    return path


def tables(out: Path) -> dict[str, pa.Table]:
    """Every partition of every catalogue, read by pyarrow from the files, by path."""
    paths = [path for name in CATALOGS for path in sorted((out / name).glob("dataset/**/Npix=*.parquet"))]
    return {path.relative_to(out).as_posix(): pq.read_table(path, partitioning=None) for path in paths}


def counts(out: Path) -> dict[str, Any]:
    """What a summary counts; times and memory are left out."""
    summary = json.loads((out / "summary.json").read_text())
    names = ("catalogs", "rows_set_aside", "failed_files", "failed_pieces")
    return {key: value for key, value in summary.items() if key.startswith("n_") or key in names}


@dataclass
class Ended:
    """How a process ended, and what it said."""

    code: int
    out: str
    err: str
    seconds: float


class Process:
    """A command in a process group of its own, whose output goes to files, so that no pipe can fill."""

    def __init__(
        self, command: Sequence[object], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._began = time.monotonic()
        self._files = [folder / "stdout.txt", folder / "stderr.txt"]
        with self._files[0].open("wb") as out, self._files[1].open("wb") as err:
            self._process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder,
                env={**os.environ, **(environment or {})}, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return "\n".join(path.read_text() for path in self._files)

    def running(self) -> bool:
        return self._process.poll() is None

    def children(self) -> list[psutil.Process]:
        """Processes that it started, and theirs."""
        return psutil.Process(self.pid).children(recursive=True)

    def workers(self) -> list[psutil.Process]:
        """Its local worker processes."""
        return [child for child in self.children() if "spawn_main" in " ".join(child.cmdline())]

    def interrupt(self) -> None:
        """What Ctrl-C does on a terminal: every process of the group gets the signal."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End the process, and no other, at once."""
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)

    def wait(self, patience: float = PATIENCE) -> Ended:
        """Wait for its end."""
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired as fault:
            raise AssertionError(f"no end after {patience:.0f} s; so far:\n{self.output}") from fault
        out, err = (path.read_text() for path in self._files)
        return Ended(code, out, err, time.monotonic() - self._began)

    def kill_group(self) -> None:
        """End it and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)


def call(*arguments: object) -> str:
    """Call ``lkmrs`` in this process, which saves the imports; give what it printed."""
    with pytest.MonkeyPatch.context() as patch:
        no_figures.leave_out_figures(patch)
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def python(*arguments: object) -> list[object]:
    """Make a command of this Python's modules."""
    return [sys.executable, "-m", *arguments]


def lkmrs(name: str, *arguments: object) -> list[object]:
    """Make a command of ``lkmrs``; runs draw no figures."""
    if name == "run":
        return [sys.executable, no_figures.__file__, name, *arguments]
    return python("lkmrs_dask", name, *arguments)


def wait_for(condition: Callable[[], Any], what: str, process: Process | None = None) -> Any:
    """Poll until a condition holds, and return its value; a process that ends before is a failure."""
    end = time.monotonic() + PATIENCE
    while True:
        alive = process is None or process.running()
        if value := condition():
            return value
        if not alive:
            assert process is not None
            raise AssertionError(f"the process ended before {what}:\n{process.output}")
        if time.monotonic() > end:
            raise AssertionError(f"no {what} after {PATIENCE:.0f} s:\n{process.output if process else ''}")
        time.sleep(0.005)


def receipts(out: Path, stage: str = "*") -> dict[str, tuple[int, int]]:
    """Receipts of a run that is not over, with inode and time of change of each."""
    found = {}
    for path in (out / ".work").glob(f"next-*/receipts/{stage}/*.json"):
        if not path.name.startswith("."):
            stat = path.stat()
            found[f"{path.parent.name}/{path.name}"] = (stat.st_ino, stat.st_mtime_ns)
    return found


def mid_stage(out: Path, stage: str, at_least: int = 3) -> Callable[[], bool]:
    """Condition: so many pieces of a stage are done."""
    return lambda: len(receipts(out, stage)) >= at_least


def partition_of(out: Path, uid: str) -> str:
    """Path of the partition of spectra that holds a star, as `tables` names it."""
    (path,) = (
        path.relative_to(out).as_posix()
        for path in (out / "spectra").glob("dataset/**/Npix=*.parquet")
        if uid in pq.read_table(path, columns=["uid"], partitioning=None)["uid"].unique().to_pylist()
    )
    return path


def outlive(processes: Sequence[psutil.Process], seconds: float = 10) -> list[psutil.Process]:
    """Processes that have not ended after so many seconds."""
    return psutil.wait_procs(processes, seconds)[1]


def in_groups(groups: set[int]) -> list[psutil.Process]:
    """All processes of some process groups."""

    def group(process: psutil.Process) -> int:
        try:
            return os.getpgid(process.pid)
        except ProcessLookupError:
            return 0

    return [process for process in psutil.process_iter() if group(process) in groups]


def address_in(note: Path) -> str | None:
    """Address that a scheduler wrote into its ``--scheduler-file``; None while it has not."""
    try:
        return json.loads(note.read_text())["address"]
    except (OSError, ValueError):
        return None


Launch = Callable[..., Process]
"""Starts a command; its process and all that this starts are ended with the test."""


@dataclass(frozen=True)
class Calm:
    """Raw files, their job, and what an undisturbed run made of them."""

    job: Path
    tables: dict[str, pa.Table]
    counts: dict[str, object]

    def check(self, out: Path) -> None:
        """Assert that a run that was disturbed made the same of them."""
        found = tables(out)
        assert sorted(found) == sorted(self.tables)
        for path, table in self.tables.items():
            assert found[path].equals(table), path
        assert counts(out) == self.counts
        assert not (out / ".work").exists()
        assert (out / "_SUCCESS").is_file()
        assert {one.name: one.problems for one in verify_survey(Survey(out))} == {
            name: [] for name in (*CATALOGS, "others", "receipts")
        }


class Cluster:
    """A scheduler and two workers, each started by its own command, as a person does on a small cluster."""

    def __init__(self, launch: Launch, folder: Path) -> None:
        self._launch, self._folder = launch, folder
        note = folder / f"scheduler{time.monotonic_ns()}.json"
        self.scheduler = launch(
            *python("dask", "scheduler", "--host", "127.0.0.1", "--port", 0),
            *("--dashboard-address", "127.0.0.1:0", "--scheduler-file", note),
        )
        self.address = wait_for(lambda: address_in(note), "address of the scheduler", self.scheduler)

    def start_workers(
        self, number: int = 2, environment: dict[str, str] | None = None, within: Sequence[object] = ()
    ) -> None:
        """Start workers; whoever needs them waits for them."""
        for _ in range(number):
            self._launch(
                *within,
                *python("dask", "worker", self.address, "--nthreads", 1, "--host", "127.0.0.1"),
                *("--dashboard-address", "127.0.0.1:0", "--memory-limit", "1GB"),
                *("--local-directory", self._folder),
                environment=environment,
            )
