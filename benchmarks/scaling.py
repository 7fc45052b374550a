"""Whole runs over surveys of 0.35, 3.5 and 35 million spectra rows, on one and two threads and workers.

    python benchmarks/scaling.py [--sizes 0.1 1 10] [--places "2 threads"] [--folder DIR] [--plot F.svg]

Raw files are synthetic CSV.gz.  Each run is a process of its own; times of its stages and the largest memory
of its processes are those of its summary.  Beside it stands what unpacking and parsing the same files takes
on as many processes, with pyarrow and nothing else: no reader can be faster.  Last, the plan of 3.5 billion
rows, and the messages that tasks really cost a scheduler.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from survey_copies import write_copies
from timing import parser, report

JOB = Path(__file__).resolve().parents[1] / "jobs" / "full_release.toml"
PAPER_ROWS = 3_531_785
PLACES = {
    "1 thread": ("--threads", "1"),
    "2 threads": ("--threads", "2"),
    "1 worker": ("--workers", "1"),
    "2 workers": ("--workers", "2"),
}
_BUILD = ("read", "identity", "spectra", "measurements")
_LKMRS = [sys.executable, "-m", "lkmrs_dask"]


def make_raw(folder: Path, size: float, scale: float) -> Path:
    """Raw files of a survey `size` times the paper's (above 1: of copies), all scaled; made once."""
    raw = folder / f"raw-{size:g}"
    if not (raw / "done").is_file():
        shutil.rmtree(raw, ignore_errors=True)
        if size > 1:
            write_copies(make_raw(folder, 1, scale), raw, round(size))
        else:
            options = ["--fraction", str(size * scale), "--dirt", "0", "--text-only", "--no-external"]
            subprocess.run(
                [*_LKMRS, "synth", str(raw), *options, "--no-light-curves", "--workers", "2"], check=True
            )
        (raw / "done").touch()
    return raw


def parse_only(path: Path) -> int:
    """Unpack and parse a table, and no more."""
    import pyarrow as pa
    import pyarrow.csv

    parse = pa.csv.ParseOptions(delimiter="|" if "catalogue" in path.name else ",")
    options = pa.csv.ReadOptions(block_size=16 << 20, use_threads=False)
    with pa.input_stream(str(path), compression="gzip") as stream:
        return sum(len(batch) for batch in pa.csv.open_csv(stream, options, parse_options=parse))


def _load() -> None:
    import pyarrow.csv  # noqa: F401


def time_parsing(raw: Path, processes: int) -> float:
    """Seconds that `parse_only` takes for all tables."""
    files = sorted(raw.glob("mrs_*/*.csv.gz"), key=lambda path: -path.stat().st_size)
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_load) as pool:
        list(pool.map(time.sleep, [1.0] * processes))  # so that each has started before the clock
        start = time.perf_counter()
        list(pool.map(parse_only, files))
        return time.perf_counter() - start


def run_once(raw: Path, out: Path, place: Sequence[str]) -> dict[str, float]:
    """Carry out the job in a new process; seconds and peak memory of its parts."""
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    command = [*_LKMRS, "run", str(JOB), "--raw", str(raw), "--out", str(out), *place]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    summary = json.loads((out / "summary.json").read_text())
    stages = summary["stages"]
    return {
        "rows": summary["n_spectra"],
        "whole_s": seconds,
        "build_s": sum(stages[name]["seconds"] for name in _BUILD),
        "means_s": stages["stars"]["seconds"],
        "peak_mb": max(stage["peak_memory_mb"] for stage in stages.values()),
        "build_peak_mb": max(stages[name]["peak_memory_mb"] for name in _BUILD),
    }


def plan_of(survey: Path, raw: Path, rows: float) -> dict[str, Any]:
    """Plan a survey of so many rows like the one that is there."""
    from lkmrs_dask.pipeline.job import read_job
    from lkmrs_dask.pipeline.plan import plan_run

    plan = plan_run(read_job(JOB, raw), survey, rows=rows)
    print("\n".join(plan.lines()))
    return {
        "rows": rows,
        "seconds": plan.seconds,
        "tasks": plan.tasks,
        "graph_mb": plan.graph_bytes / 1e6,
        "messages": plan.messages,
    }


def count_messages(tasks: int) -> float:
    """Messages of a scheduler's streams for each of some tasks that are submitted as a run does."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        executor, scheduler = client.get_executor(), cluster.scheduler

        def sent() -> int:
            streams = [*scheduler.client_comms.values(), *scheduler.stream_comms.values()]
            workers = client.run(lambda dask_worker: dask_worker.batched_stream.message_count)
            return (
                sum(s.message_count for s in streams)
                + sum(workers.values())
                + client.scheduler_comm.message_count
            )

        executor.submit(abs, -1).result()
        time.sleep(1.0)  # until its messages are through
        before = sent()
        futures = [executor.submit(abs, -number) for number in range(2, tasks + 2)]
        for future in futures:
            future.result()
        del futures, future
        time.sleep(1.0)
        return (sent() - before) / tasks


def draw(results: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Plot time and memory against rows."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for place in PLACES:
        points = sorted(
            (r["rows"], r["whole_s"], r["peak_mb"]) for n, r in results.items() if n.endswith(place)
        )
        if points:
            rows, seconds, memory = zip(*points, strict=True)
            left.loglog(rows, seconds, "o-", label=place)
            right.semilogx(rows, memory, "o-", label=place)
    floor = sorted((r["rows"], r["parse_s"]) for n, r in results.items() if n.endswith("2 workers"))
    if floor:
        left.loglog(*zip(*floor, strict=True), "k:", label="parsing alone, 2 processes")
    left.set(xlabel="spectra rows", ylabel="whole run (s)")
    right.set(xlabel="spectra rows", ylabel="largest process (MB)", ylim=(0, None))
    left.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> dict:
    """Run the benchmark."""
    options = parser(__doc__ or "", "scaling.json")
    options.add_argument("--sizes", type=float, nargs="+", default=[0.1, 1.0, 10.0], help="times the paper's")
    options.add_argument("--places", nargs="+", choices=PLACES, default=list(PLACES), help="where to run")
    options.add_argument("--plot", type=Path, help="draw time and memory here")
    options.set_defaults(rounds=1)
    options = options.parse_args(arguments)
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for size in options.sizes:
            raw = make_raw(folder, size, options.scale)
            parse = {n: time_parsing(raw, n) for n in (1, 2)}
            for name in options.places:
                for _ in range(options.rounds):
                    taken = run_once(raw, folder / "out", PLACES[name])
                    key, n = f"{size:g} x paper, {name}", int(name[0])
                    if key not in results or taken["whole_s"] < results[key]["whole_s"]:
                        share = parse[n] / taken["whole_s"]
                        results[key] = {**taken, "parse_s": parse[n], "parse_share": share}
                    print(f"{key}: {taken['whole_s']:.1f} s", flush=True)
            plan = plan_of(folder / "out", raw, 3.5e9)
        messages = count_messages(max(20, round(500 * options.scale)))
    if options.plot:
        draw(results, options.plot)
    return report(
        "scaling", results, options.json, paper_rows=PAPER_ROWS, plan=plan, messages_per_task=messages
    )


if __name__ == "__main__":
    main()
