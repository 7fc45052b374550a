"""Find and run the benchmarks of a checkout; they are no part of an installed package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lkmrs_dask.errors import UsageError

__all__ = ["list_benchmarks", "run_benchmark"]


def _folder() -> Path:
    for root in (Path.cwd(), Path(__file__).resolve().parents[2]):
        if (root / "benchmarks" / "timing.py").is_file():
            return root / "benchmarks"
    raise UsageError("no folder benchmarks/ here: run this in a checkout of the project")


def list_benchmarks() -> dict[str, str]:
    """First line of each benchmark's description, by name."""
    found = {}
    for path in sorted(_folder().glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "def main(" in text:
            found[path.stem] = (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]
    return found


def run_benchmark(name: str, options: Sequence[str]) -> int:
    """Run a benchmark as a script and return its exit code."""
    known = list_benchmarks()
    if name not in known:
        raise UsageError(f"no benchmark {name}; there are {', '.join(known)}")
    return subprocess.run([sys.executable, str(_folder() / f"{name}.py"), *options], check=False).returncode
