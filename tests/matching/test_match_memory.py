"""Dense places and large radii: time and memory stay small."""

from __future__ import annotations

import subprocess
import sys
import time

import dask
import numpy as np
import pytest
from match_oracle import Sky, around, brute_force, matches, separations, stars

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.opening import from_dataframe
from lkmrs_dask.matching import nearest

N = 3000


def test_many_rows_at_one_place() -> None:
    """Nine million pairs, all as near: of each row the one with the lowest identifier is wanted.

    It takes 3 s on one core; the limit is there for what would take minutes.
    """
    number = np.random.default_rng(0).permutation(N)
    sky = Sky(np.full(N, 10.0), np.full(N, 10.0))
    table = stars(sky, "j", star_id=[f"s{k:04d}" for k in number])
    start = time.perf_counter()
    with dask.config.set(scheduler="sync"):
        found = crossmatch(from_dataframe(stars(sky, "i")), from_dataframe(table), 1.0).to_arrow()
    assert time.perf_counter() - start < 60
    assert found.column("j").to_pylist() == [int(np.argmin(number))] * N
    assert set(found.column("n_candidates").to_pylist()) == {N}


@pytest.mark.parametrize("neighbours", ["nearest", 2, 7])
def test_ties_are_broken_early_when_there_are_many(
    monkeypatch: pytest.MonkeyPatch, neighbours: str | int
) -> None:
    """With little room for pairs, identifiers are asked for while pairs still come in."""
    monkeypatch.setattr(nearest, "_PENDING", 50)
    rng = np.random.default_rng(3)
    left, right = around(0.0, 90.0, 5.0, 30, rng), around(0.0, 90.0, 5.0, 12, rng)
    of = rng.integers(0, 12, 200)
    right = Sky(right.ra[of], right.dec[of])
    ids = rng.permutation(200)
    away = separations(left, right)
    names = [f"s{k:03d}" for k in ids]
    for max_rows in (10, 1000):
        catalog = from_dataframe(stars(right, "j", star_id=names), max_rows=max_rows)
        found = crossmatch(from_dataframe(stars(left, "i")), catalog, 6.0, neighbours)  # type: ignore[arg-type]
        assert matches(found) == brute_force(away, 6.0, neighbours, "inner", None, names)


_PEAK = """
import resource, sys
import dask, numpy as np, pyarrow as pa
from lkmrs_dask import crossmatch, from_dataframe

def sky(n, width):
    rng = np.random.default_rng(0)
    table = {"source_id": np.arange(n), "ra": 100 + width * rng.random(n), "dec": width * rng.random(n)}
    return from_dataframe(pa.table(table))

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
dask.config.set(scheduler="sync")
crossmatch(sky(1000, 20), sky(1000, 20), 7200).to_arrow()
before = peak()
one = sky(20_000, 20)
found = crossmatch(one, one, 7200).to_arrow()
pairs = sum(found.column("n_candidates").to_pylist())
assert pairs > 10_000_000, pairs
print(peak() - before)
"""


def test_a_radius_of_two_degrees_takes_little_memory() -> None:
    """12 million pairs among 20,000 rows, of which each row's nearest is kept: less than all of them would.

    Pairs are looked at a million at a time; 100 MB were measured, and 165 MB for 4e8 pairs of rows within 1.4
    deg.  All pairs would take 400 MB.
    """
    ran = subprocess.run([sys.executable, "-c", _PEAK], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) < 250
