"""Frequencies by star_shine, for `frequencies.py`; run by a Python of its own that has star_shine.

python benchmarks/star_shine_peer.py CURVE.npy NUMBER
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from star_shine.core.analysis import extract_sinusoids
from star_shine.core.time_series import TimeSeriesModel


def extract(curve: np.ndarray, n: int) -> np.ndarray:
    """Extract n sinusoids by amplitude, as star_shine does by default: without a joint fit."""
    t, y = np.ascontiguousarray(curve)
    model = TimeSeriesModel(t, y, np.ones(len(t)), np.array([[0, len(t)]]))
    extract_sinusoids(model, select="a", n_extract=n)
    frequency, amplitude, _ = model.sinusoid.get_sinusoid_parameters()
    return np.stack([frequency, amplitude], axis=1)


def tell() -> None:
    """Print JSON: CPU seconds, and rows of frequency and amplitude."""
    curve, n = np.load(sys.argv[1]), int(sys.argv[2])
    extract(curve[:, :500], 2)  # numba compiles
    start, wall = time.process_time(), time.perf_counter()
    rows = extract(curve, n)
    taken = {"cpu_s": time.process_time() - start, "wall_s": time.perf_counter() - wall}
    print(json.dumps(taken | {"rows": rows.tolist()}))


if __name__ == "__main__":
    tell()
