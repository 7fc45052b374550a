"""Radial-velocity files of published binaries: separators, Unicode minus signs and columns differ."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_period", "read_rv_file", "rv_files"]


def rv_files(folder: Path) -> list[Path]:
    """All of the folder in order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix in (".rv", ".txt"))


def read_rv_file(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Time (days: BJD, HJD or JD less a constant of the file), velocity and its error (km/s) of the primary.

    Columns are time, velocity, error, and those of other components; files of BF_python have phase and
    a shorter time between time and velocity.  Rows come as they stand, NaN too.
    """
    text = path.read_text(encoding="utf-8").replace("\N{MINUS SIGN}", "-")
    at = (0, 3, 4) if "BF_python" in text else (0, 1, 2)
    rows = []
    for line in text.splitlines():
        data = line.partition("#")[0].strip()
        if data:
            fields = re.split(r"[;,\s]+", data)
            rows.append([float(fields[i]) for i in at])
    time, rv, rv_err = np.array(rows).T
    return time, rv, rv_err


def read_period(path: Path) -> float | None:
    """Orbital period in days that the file's header states, if it does."""
    found = re.search(r"Porb = ([0-9.]+) days", path.read_text(encoding="utf-8"))
    return float(found.group(1)) if found else None
