"""Small light-curve files as their authors lay them out, written by astropy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

BKJD, BTJD = 2454833.0, 2457000.0


def write(
    path: Path,
    columns: Mapping[str, tuple[str, Any, str | None]],
    primary: dict[str, Any],
    keys: dict[str, Any] | None = None,
    *,
    name: str = "LIGHTCURVE",
    more: list[fits.BinTableHDU] | None = None,
) -> Path:
    """Write a table of columns (format, values, unit) after a primary HDU."""
    first = fits.PrimaryHDU()
    first.header.update(primary)
    fits.HDUList([first, table(columns, keys, name), *(more or [])]).writeto(path, overwrite=True)
    return path


def table(
    columns: Mapping[str, tuple[str, Any, str | None]], keys: dict[str, Any] | None = None, name: str = ""
) -> fits.BinTableHDU:
    """A table of columns: format, values, unit."""
    made = [fits.Column(key, form, unit=unit, array=values) for key, (form, values, unit) in columns.items()]
    hdu = fits.BinTableHDU.from_columns(made, name=name or None)
    hdu.header.update(keys or {})
    return hdu


def times(n: int, start: float, step: float = 0.0204336) -> np.ndarray:
    return start + step * np.arange(n)


def mission_file(path: Path, mission: str = "Kepler", n: int = 40, **changes: Any) -> Path:
    """Write a file of Kepler, K2 or TESS; `changes` are of the table's header, None takes a keyword out."""
    start = {"Kepler": 300.0, "K2": 2000.0, "TESS": 1500.0}[mission]
    step = 120.0 / 86400.0 if mission == "TESS" else 0.0204336
    flux = 1000.0 + np.arange(n, dtype=np.float64)
    quality = np.zeros(n, np.int32)
    quality[3] = 32
    name = "QUALITY" if mission == "TESS" else "SAP_QUALITY"
    time = times(n, start, step)
    time[1], flux[2] = np.nan, np.nan
    columns: dict[str, tuple[str, Any, str | None]] = {
        "TIME": ("D", time, f"BJD - {BTJD if mission == 'TESS' else BKJD:.0f}"),
        "SAP_FLUX": ("E", 2.0 * flux, "e-/s"),
        "SAP_FLUX_ERR": ("E", np.full(n, 2.0), "e-/s"),
        "PDCSAP_FLUX": ("E", flux, "e-/s"),
        "PDCSAP_FLUX_ERR": ("E", np.full(n, 1.5), "e-/s"),
        name: ("J", quality, None),
    }
    primary = {
        "Kepler": {"TELESCOP": "Kepler", "MISSION": "Kepler", "KEPLERID": 1234567, "QUARTER": 5},
        "K2": {"TELESCOP": "Kepler", "MISSION": "K2", "KEPLERID": 201000001, "CAMPAIGN": 4},
        "TESS": {"TELESCOP": "TESS", "TICID": 9876543210, "SECTOR": 42},
    }[mission]
    keys: dict[str, Any] = {
        "BJDREFI": int(BTJD if mission == "TESS" else BKJD), "BJDREFF": 0.0, "TIMESYS": "TDB",
        "TIMEREF": "SOLARSYSTEM", "TIMEDEL": step,
    }  # fmt: skip
    for key, value in changes.items():
        if key in ("RA_OBJ", "DEC_OBJ", "OBJECT", "KEPLERID", "QUARTER", "TICID", "SECTOR"):
            primary[key] = value
        elif key.startswith("TUNIT"):
            named = list(columns)[int(key[5:]) - 1]
            columns[named] = (*columns[named][:2], value)
        elif value is None:
            keys.pop(key)
        else:
            keys[key] = value
    primary.setdefault("RA_OBJ", 290.0)
    primary.setdefault("DEC_OBJ", 44.0)
    return write(path, columns, {k: v for k, v in primary.items() if v is not None}, keys)
