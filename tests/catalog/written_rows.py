"""Rows all over the sky, and what is written of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from lkmrs_dask.catalog.catalog import Catalog


def sky_rows(n: int = 600, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    dec[:2], ra[2:4] = [90, -90], [0, 360]
    null = rng.random(n) < 0.1
    return pa.table(
        {
            "flux": pa.array([[1.0, None, float(k)][: k % 4] for k in range(n)], pa.list_(pa.float32())),
            "id": pa.array(2**60 + np.arange(n)),
            "ra": ra,
            "dec": dec,
            "name": pa.array([f"s{k}" for k in range(n)], mask=null),
            "good": pa.array(rng.random(n) < 0.5, mask=null),
        }
    )


def content(catalog: Catalog) -> pa.Table:
    return catalog.to_arrow().sort_by("id")


def everything(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


class CrashError(Exception):
    """Some failure of a task."""
