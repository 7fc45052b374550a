"""Catalogues for the cross-match benchmark: a survey's stars, and sources in its plates or everywhere."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.catalog.hats_write import PartitionReceipt, finish_catalog, new_folder, write_partition
from lkmrs_dask.catalog.opening import from_dataframe
from lkmrs_dask.catalog.running import run_tasks
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29, index_range, pixel_centre
from lkmrs_dask.sky.plates import plate_centres

__all__ = ["PLATES", "sources_everywhere", "sources_in_plates", "stars_in_plates"]

PLATES = 16
_RADIUS = 2.5  # deg, of a plate
_SCATTER = 0.4 / 3600.0  # deg: of a star's position about its source's
_ORDER = 2  # of the partitions of a whole-sky catalogue

Floats = NDArray[np.float64]
_PLANS = ("TD192102N424113K01", "TD192314N471144K01", "TD190808N440210K01")


def _centres() -> tuple[Floats, Floats]:
    """Centres of sixteen plates: some in Kepler's field, the others along the ecliptic."""
    ra, dec = plate_centres(_PLANS)
    known = np.isfinite(ra)
    ra, dec = ra[known], dec[known]
    more = PLATES - len(ra)
    along = np.linspace(5.0, 175.0, more)
    return np.append(ra, along), np.append(dec, 20.0 * np.sin(np.radians(along)))


def _in_plates(n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Positions spread evenly over the plates."""
    ra0, dec0 = _centres()
    plate = rng.integers(0, len(ra0), n)
    away = np.radians(_RADIUS) * np.sqrt(rng.random(n))
    angle = 2.0 * np.pi * rng.random(n)
    dec = np.degrees(np.radians(dec0[plate]) + away * np.cos(angle))
    ra = ra0[plate] + np.degrees(away * np.sin(angle)) / np.cos(np.radians(dec))
    return ra % 360.0, dec


def _columns(ra: Floats, dec: Floats, first: int, rng: np.random.Generator) -> pa.Table:
    """Add what a survey such as Gaia's has beside positions."""
    n = len(ra)
    return pa.table(
        {
            "source_id": np.arange(first, first + n),
            "ra": ra,
            "dec": dec,
            "pmra": rng.normal(0.0, 8.0, n),
            "pmdec": rng.normal(-3.0, 8.0, n),
            "parallax": rng.gamma(2.0, 0.6, n),
            "parallax_error": rng.gamma(2.0, 0.02, n).astype(np.float32),
            "phot_g_mean_mag": (20.0 - rng.exponential(2.5, n)).astype(np.float32),
            "bp_rp": rng.normal(1.1, 0.4, n).astype(np.float32),
            "radial_velocity": rng.normal(0.0, 40.0, n).astype(np.float32),
        }
    )


def stars_in_plates(n: int, seed: int = 1) -> pa.Table:
    """A survey's stars, with six parameters each."""
    rng = np.random.default_rng(seed)
    ra, dec = _in_plates(n, rng)
    names = ("teff", "logg", "feh", "alpha_m", "rv", "vsini")
    return pa.table(
        {"star_id": [f"G{k:014d}" for k in range(n)], "ra": ra, "dec": dec}
        | {name: rng.normal(0.0, 1.0, n) for name in names}
    )


def _counterparts(stars: pa.Table, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Positions of nine in ten of the stars, as another survey has them."""
    some = rng.random(len(stars)) < 0.9
    ra, dec = (stars.column(name).to_numpy()[some] for name in ("ra", "dec"))
    dec = dec + rng.normal(0.0, _SCATTER, len(dec))
    return (ra + rng.normal(0.0, _SCATTER, len(ra)) / np.cos(np.radians(dec))) % 360.0, dec


def sources_in_plates(n: int, stars: pa.Table, path: Path, max_rows: int, seed: int = 2) -> None:
    """Write sources in the plates, the stars' counterparts among them."""
    rng = np.random.default_rng(seed)
    ra, dec = _counterparts(stars, rng)
    more = _in_plates(n - len(ra), rng)
    ra, dec = np.append(ra, more[0]), np.append(dec, more[1])
    from_dataframe(_columns(ra, dec, 1 << 52, rng), max_rows=max_rows).write(path)


@dataclass(frozen=True)
class _SkyPixel:
    """Task: write the sources of one pixel of a whole-sky catalogue."""

    root: Path
    rows: int
    ra: Floats
    dec: Floats
    seed: int

    def __call__(self, pixel: int) -> PartitionReceipt:
        return write_partition(self.table(pixel), self.root, _ORDER, pixel)

    def table(self, pixel: int) -> pa.Table:
        """Rows of the pixel: even over it, and the counterparts that lie in it."""
        rng = np.random.default_rng([self.seed, pixel])
        lo, hi = (int(bound) for bound in index_range(_ORDER, pixel))
        here = (index := healpix29(self.ra, self.dec)) >= lo
        here &= index < hi
        ra, dec = pixel_centre(29, rng.integers(lo, hi, self.rows))
        ra, dec = np.append(ra, self.ra[here]), np.append(dec, self.dec[here])
        index = healpix29(ra, dec)
        order = np.argsort(index, kind="stable")
        order = order[(index[order] >= lo) & (index[order] < hi)]
        table = _columns(ra[order], dec[order], (1 << 52) + (pixel << 24), rng)
        return table.add_column(0, HEALPIX_COLUMN, pa.array(index[order]))


def sources_everywhere(n: int, stars: pa.Table, path: Path, executor: Executor | None = None) -> None:
    """Write sources evenly over the sky, the stars' counterparts among them."""
    ra, dec = _counterparts(stars, np.random.default_rng(3))
    pixels = 12 << (2 * _ORDER)
    with new_folder(path) as folder:
        task = _SkyPixel(folder, n // pixels, ra, dec, 4)
        receipts = run_tasks(task, range(pixels), executor)
        schema = task.table(0).schema
        finish_catalog(folder, schema, receipts, name=path.name)
