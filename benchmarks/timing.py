"""Time contenders side by side: in turn, in rounds, so that a slow moment of the machine hits all."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["compare", "installed", "parser", "report"]


def installed(*packages: str) -> bool:
    """Whether peers are there; those that are not are left out, with a line that says so."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        print(f"left out, not installed: {', '.join(missing)} (pip install -c constraints.txt '.[bench]')")
    return not missing


def parser(description: str, out: str) -> argparse.ArgumentParser:
    """Arguments that every benchmark has."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--rounds", type=int, default=5, help="rounds after one to warm up")
    arguments.add_argument(
        "--scale", type=float, default=1.0, help="share of the full size, for a quick look"
    )
    arguments.add_argument("--folder", type=Path, default=None, help="keep the data here")
    arguments.add_argument("--json", type=Path, default=Path(out), help="where the result goes")
    return arguments


def compare(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, float]]:
    """Run each contender once to warm up, then all of them in turn `rounds` times.

    Returns
    -------
    dict
        Per contender: ``first`` (the run to warm up), ``median``, ``min`` and ``max`` in seconds, and
        ``ratio``: the median over the rounds of its time by that of the first contender in the same round.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    base = next(iter(times.values()))
    return {
        name: {
            "first": taken[0],
            "median": statistics.median(taken[1:]),
            "min": min(taken[1:]),
            "max": max(taken[1:]),
            "ratio": statistics.median(b / a for a, b in zip(base[1:], taken[1:], strict=True)),
        }
        for name, taken in times.items()
    }


def report(name: str, results: Mapping[str, Mapping[str, float]], path: Path, **facts: Any) -> dict[str, Any]:
    """Print a table and write JSON."""
    columns = list(dict.fromkeys(column for row in results.values() for column in row))
    print(f"\n{name}: " + ", ".join(f"{key} {value}" for key, value in facts.items()))
    print(f"{'':<34}" + "".join(f"{column:>14}" for column in columns))
    for contender, row in results.items():
        print(f"{contender:<34}" + "".join(f"{row.get(column, float('nan')):>14.4g}" for column in columns))
    content = {
        "benchmark": name,
        "facts": facts,
        "results": results,
        "machine": {"python": platform.python_version(), "cpu": platform.machine()},
        "versions": {package: _version(package) for package in _PACKAGES},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"written: {path}")
    return content


_PACKAGES = ("lkmrs_dask", "dask", "pyarrow", "numpy", "polars", "nested-pandas", "hats-import", "lsdb")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
