"""Raw files for the benchmarks: a medium-resolution catalogue in LAMOST's columns, of any size."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

__all__ = ["SPECTRA_COLUMNS", "make_spectra", "make_stars", "write_csv_gz"]

SPECTRA_COLUMNS = [
    "mobsid", "obsid", "uid", "designation", "obsdate", "lmjd", "planid", "spid", "fiberid", "lmjm", "band",
    "ra_obs", "dec_obs", "snr", "gaia_source_id", "gaia_g_mean_mag", "ra", "dec", "rv_b1", "coadd",
]  # fmt: skip
"""Twenty of the release's columns, the number that the published comparison used."""

N_PLATES = 21
PLATE_RADIUS = 2.5


def make_stars(n: int, seed: int = 1) -> dict[str, NDArray]:
    """Stars on plates: position, plate, name and magnitude."""
    rng = np.random.default_rng(seed)
    plate = np.sort(rng.integers(0, N_PLATES, n))
    centre_ra = np.linspace(5, 355, N_PLATES)
    centre_dec = np.tile([44.0, 12.0, 21.0], N_PLATES // 3 + 1)[:N_PLATES]
    radius, angle = PLATE_RADIUS * np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
    dec = centre_dec[plate] + radius * np.sin(angle)
    ra = (centre_ra[plate] + radius * np.cos(angle) / np.cos(np.radians(dec))) % 360
    return {"plate": plate, "ra": np.round(ra, 6), "dec": np.round(dec, 6), "mag": 9 + 6 * rng.random(n)}


def make_spectra(n_rows: int, n_stars: int = 49_310, seed: int = 1) -> pa.Table:
    """Rows in the order of observation: exposure by exposure, fibre by fibre, both arms."""
    rng = np.random.default_rng(seed)
    stars = make_stars(n_stars, seed)
    star = np.arange(n_rows) // 2 % n_stars
    visit = np.arange(n_rows) // (2 * n_stars)
    lmjd = 58400 + 11 * visit
    text = {
        "mobsid": np.char.add("M", (10_000_000 + np.arange(n_rows)).astype(str)),
        "uid": np.char.add("G", (14_000_000_000_000 + np.arange(n_stars) * 7919).astype(str))[star],
        "designation": np.char.add("J", (100_000_000 + np.arange(n_stars)).astype(str))[star],
        "obsdate": (np.datetime64("1858-11-17") + lmjd).astype(str),
        "planid": np.array([f"TD{i:06d}N100000K01" for i in range(N_PLATES)])[stars["plate"][star]],
        "band": np.where(np.arange(n_rows) % 2, "R", "B"),
    }
    numbers = {
        "obsid": 600_000_000 + visit * 1_000_000 + star,
        "lmjd": lmjd,
        "spid": 1 + star % 16,
        "fiberid": 1 + star % 250,
        "lmjm": lmjd * 1440 + 7 * (stars["plate"][star]),
        "ra_obs": stars["ra"][star],
        "dec_obs": stars["dec"][star],
        "snr": np.round(200 * rng.random(n_rows), 2),
        "gaia_source_id": 2_000_000_000_000_000_000 + star.astype(np.int64) * 1_000_003,
        "gaia_g_mean_mag": np.round(stars["mag"][star], 6),
        "ra": stars["ra"][star],
        "dec": stars["dec"][star],
        "rv_b1": np.where(rng.random(n_rows) < 0.1, -9999.0, np.round(rng.normal(0, 30, n_rows), 2)),
        "coadd": (visit % 4 == 3).astype(np.int64),
    }
    return pa.table(
        {name: pa.array(text[name] if name in text else numbers[name]) for name in SPECTRA_COLUMNS}
    )


def write_csv_gz(table: pa.Table, folder: Path, n_files: int, level: int = 6) -> list[Path]:
    """Write a table as `n_files` CSV.gz files of equal size."""
    folder.mkdir(parents=True, exist_ok=True)
    step = -(-len(table) // n_files)
    files = []
    for number in range(n_files):
        path = folder / f"spectra_{number}.csv.gz"
        with gzip.open(path, "wb", compresslevel=level) as stream:
            options = pa.csv.WriteOptions(quoting_style="none")
            pa.csv.write_csv(table.slice(number * step, step), stream, options)
        files.append(path)
    return files
