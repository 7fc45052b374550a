"""Runs that meet a full disk or too little memory, and a survey whose files are damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import fault_runs as runs
import numpy as np
import pyarrow.parquet as pq
import pytest
from fault_runs import Calm, Launch

pytest_plugins = ["fault_fixtures"]

FILL_AND_MAKE_ROOM = """
set -u
disk=$1 python=$2 job=$3 where=$4 copy=$5
shift 5
mount -t tmpfs -o size=100k none "$disk" || exit 99
for size in "$@"; do
    mount -o remount,size=$size "$disk" || exit 99
    "$python" -m lkmrs_dask run "$job" --out "$disk/out" "$where" 2
    echo "exit $?"
done
cp -r "$disk/out" "$copy"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "sizes"), [("--threads", ("100k", "1500k", "10M", "300M")), ("--workers", ("1500k", "300M"))]
)
def test_a_full_disk_is_told_and_more_room_lets_the_run_go_on(
    calm: Calm, launch: Launch, own_mounts: list[str], tmp_path: Path, where: str, sizes: tuple[str, ...]
) -> None:
    (tmp_path / "disk").mkdir()
    script = tmp_path / "fill.sh"
    script.write_text(FILL_AND_MAKE_ROOM)
    out = tmp_path / "out"
    process = launch(
        *own_mounts, "bash", script, tmp_path / "disk", sys.executable, calm.job, where, out, *sizes
    )
    ended = process.wait(2 * runs.PATIENCE)
    assert ended.code == 0, ended
    codes = [line for line in ended.out.splitlines() if line.startswith("exit ")]
    assert codes == ["exit 1"] * (len(sizes) - 1) + ["exit 0"], ended
    # Full while it reads, while it writes partitions, and while it writes what describes them.
    said = dict(zip(sizes, ended.err.splitlines(), strict=False))
    assert len(said) == len(sizes) - 1, ended
    for size, stage in (("100k", "read"), ("1500k", "spectra")):
        if size in said:
            assert said[size].startswith(f"lkmrs: {stage} "), ended
            assert "No space left on device" in said[size]
            assert said[size].endswith("What is done is kept: make room, then run the same command again")
    if "10M" in said:
        assert said["10M"].startswith(f"lkmrs: {tmp_path / 'disk' / 'out'}: Not enough space on disk")
        assert said["10M"].endswith("What is done is kept: mend this, then run the same again")
    calm.check(out)


def test_damage_that_keeps_size_and_time_is_found_and_repaired(
    calm: Calm, lkmrs: Launch, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    runs.call("run", calm.job, "--out", out)
    victims = [sorted((out / name).glob("dataset/**/Npix=*.parquet"))[1] for name in ("spectra", "stars")]
    for victim in victims:
        stat, content = victim.stat(), bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 0xFF
        victim.write_bytes(content)
        os.utime(victim, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert (victim.stat().st_size, victim.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    checking = lkmrs("verify", out).wait()
    assert checking.code == 1
    assert checking.err == ""
    for victim in victims:
        assert (
            f"{victim.relative_to(out)}: its content is not what was written (SHA-256 differs)"
            in checking.out
        )
    mending = lkmrs("verify", out, "--repair").wait()
    assert mending.code == 0, mending
    assert "2 damaged pieces are made anew" in mending.out
    calm.check(out)


@pytest.mark.slow
def test_a_partition_that_needs_too_much_memory_costs_itself_alone(lkmrs: Launch, tmp_path: Path) -> None:
    raw, out, wide = tmp_path / "raw", tmp_path / "out", tmp_path / "wide"
    runs.write_raw(raw, n_stars=20, n_nights=2)
    write_heavy_star(raw / "spectra")
    job = runs.write_job(tmp_path, raw)
    # Workers at work were seen at 1.2 times their first memory; a file takes some 40 MB more, the star 200.
    limit = f"{1.4 * memory_of_worker() + 80:.0f}MiB"
    ended = lkmrs("run", job, "--out", out, "--workers", 2, "--memory", limit).wait(2 * runs.PATIENCE)
    assert ended.code == 1, ended
    assert ended.err == ""
    (failure,) = json.loads((out / "summary.json").read_text())["failed_pieces"]
    assert f"failed: {failure}\n" in ended.out
    assert failure.startswith("spectra ")
    assert "every worker that had it died (out of memory?): give workers more memory" in failure
    assert not (out / "_SUCCESS").exists()
    runs.call("run", job, "--out", wide, "--threads", 1)
    heavy = runs.partition_of(wide, HEAVY)
    published, whole = runs.tables(out), runs.tables(wide)
    spectra = [path for path in whole if path.startswith(("spectra/", "measurements/", "stars/"))]
    assert sorted(set(spectra) - set(published)) == [heavy]
    assert all(published[path].equals(whole[path]) for path in spectra if path != heavy)
    ended = lkmrs("run", job, "--out", out, "--workers", 1, "--memory", "2GB").wait(2 * runs.PATIENCE)
    assert ended.code == 0, ended
    Calm(job, whole, runs.counts(wide)).check(out)


@pytest.mark.slow
def test_less_memory_than_a_worker_itself_takes_is_refused(calm: Calm, lkmrs: Launch, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = lkmrs("run", calm.job, "--out", out, "--workers", 1, "--memory", "100MB").wait(2 * runs.PATIENCE)
    assert ended.code == 2
    assert ended.err == "lkmrs: --memory 100MB is too little: worker processes do not even start with it\n"


HEAVY = "G000900"


def memory_of_worker() -> int:
    """Memory (MB) of a process with the modules of a worker."""
    code = "import distributed; from lkmrs_dask.pipeline import cluster; print(cluster._memory_of_worker())"
    return int(subprocess.check_output([sys.executable, "-c", code]))


def write_heavy_star(folder: Path, n_files: int = 14, n_rows: int = 50_000) -> None:
    """One star with very many spectra, in files of which each is no burden."""
    rng = np.random.default_rng(2)
    for number in range(n_files):
        star, none = np.full(n_rows, 900), np.zeros(n_rows, np.int64)
        table = runs.spectra(rng, star, np.full(n_rows, 291.0), np.full(n_rows, 43.0), 58500, none, none)
        obsid = number * n_rows + np.arange(n_rows)
        table = table.set_column(table.column_names.index("obsid"), "obsid", [obsid])
        pq.write_table(table, folder / f"heavy{number}.parquet")
