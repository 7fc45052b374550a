"""Cross-match 36,588 stars with 3 million sources in their plates, and 30 million over the sky, beside lsdb.

    python benchmarks/crossmatch.py [--scale 0.1] [--rounds 3] [--folder DIR] [--json crossmatch.json]

Both catalogues are on disk and the whole result is computed in memory, nearest within 3.7".  Every contender
runs in processes of its own, in turn: the first call, in which lsdb compiles, and the median of five more.
lsdb has no margin catalogue: it is quicker without, and finds no pair across the border of two partitions.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from timing import installed, parser, report

STARS, PLATES, SKY, WORKERS, CALLS = 36_588, 3_000_000, 30_000_000, 2, 5
RADIUS = 3.7
SIZES = {"3M in plates": "plates", "30M over the sky": "sky"}


def ours(left: Path, right: Path) -> int:
    """Match with lkmrs_dask."""
    import lkmrs_dask as lk

    return len(lk.crossmatch(lk.open_catalog(left), lk.open_catalog(right), RADIUS).compute())


def lsdb(left: Path, right: Path) -> int:
    """Match with lsdb."""
    import lsdb

    matched = lsdb.crossmatch(
        lsdb.open_catalog(left),
        lsdb.open_catalog(right),
        radius_arcsec=RADIUS,
        suffixes=("", "_2"),
        require_right_margin=False,
    )
    return len(matched.compute(progress_bar=False))


def load(name: str) -> None:
    """Import what a contender needs; ours loads a part of it only when it is used."""
    if name == "lsdb":
        import lsdb  # noqa: F401
    else:
        import lkmrs_dask as lk

        _ = lk.open_catalog, lk.crossmatch


@contextmanager
def workers() -> Iterator[Any]:
    """Give two worker processes."""
    from dask.distributed import Client

    with Client(n_workers=WORKERS, threads_per_worker=1, dashboard_address="127.0.0.1:0") as client:
        yield client


def bytes_read() -> int:
    """Bytes that this process has read so far, from disk or from memory that holds the files."""
    return int(Path("/proc/self/io").read_text().split("rchar:")[1].split()[0])


def run_child(peer: str, place: str, left: Path, right: Path) -> dict[str, float]:
    """Run one contender in this process, and give its times, memory and bytes."""
    start = time.perf_counter()
    load(peer)
    imported = time.perf_counter() - start
    match: Callable[[Path, Path], int] = lsdb if peer == "lsdb" else ours
    taken = []
    with workers() if place == "workers" else nullcontext() as client:

        def total() -> int:
            return sum(client.run(bytes_read).values()) if client is not None else bytes_read()

        for _ in range(1 + CALLS):
            before, start = total(), time.perf_counter()
            rows = match(left, right)
            taken.append(time.perf_counter() - start)
            read = total() - before
    memory = max(
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {
        "import_s": imported,
        "first_s": taken[0],
        "warm_s": statistics.median(taken[1:]),
        "peak_mb": memory,
        "read_mb": read / 1e6,
        "rows": rows,
    }


def measure(peer: str, place: str, left: Path, right: Path) -> dict[str, float]:
    """Run a contender in a fresh process."""
    command = [sys.executable, __file__, "--child", peer, place, str(left), str(right)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def prepare(folder: Path, scale: float) -> None:
    """Write the catalogues that are not there yet."""
    from match_sky import sources_everywhere, sources_in_plates, stars_in_plates

    from lkmrs_dask import from_dataframe

    stars = stars_in_plates(max(100, int(STARS * scale)))
    if not (folder / "stars").is_dir():
        from_dataframe(stars).write(folder / "stars")
    if not (folder / "plates").is_dir():
        sources_in_plates(int(PLATES * scale), stars, folder / "plates", max_rows=1_000_000)
    if not (folder / "sky").is_dir():
        sources_everywhere(int(SKY * scale), stars, folder / "sky")


def summed(rounds: list[dict[str, float]], base: list[dict[str, float]] | None) -> dict[str, float]:
    """Medians of the rounds, and how many times as long the peer took in the same rounds."""
    result = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    result["peak_mb"] = max(one["peak_mb"] for one in rounds)
    for name in ("first_s", "warm_s") if base is not None else ():
        ratios = [peer[name] / one[name] for peer, one in zip(base or [], rounds, strict=True)]
        result[f"times_{name[:-2]}"] = statistics.median(ratios)
    return result


def main(arguments: list[str] | None = None) -> dict:
    """Run the benchmark."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["--child"]:
        peer, place, left, right = arguments[1:]
        print(json.dumps(run_child(peer, place, Path(left), Path(right))))
        return {}
    options = parser(__doc__ or "", "crossmatch.json")
    options.set_defaults(rounds=3)
    options = options.parse_args(arguments)
    peers = ("lkmrs_dask", "lsdb") if installed("lsdb") else ("lkmrs_dask",)
    found: dict[tuple[str, str, str], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, options.scale)
        for _ in range(options.rounds):
            for size, name in SIZES.items():
                for place in ("threads", "workers"):
                    for peer in peers:
                        one = measure(peer, place, folder / "stars", folder / name)
                        found.setdefault((size, place, peer), []).append(one)
    results = {
        f"{peer}, {place}, {size}": summed(
            rounds, found.get((size, place, "lsdb")) if peer != "lsdb" else None
        )
        for (size, place, peer), rounds in found.items()
    }
    return report("crossmatch", results, options.json, stars=int(STARS * options.scale), radius_arcsec=RADIUS)


if __name__ == "__main__":
    main()
