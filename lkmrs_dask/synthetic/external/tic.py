"""The TESS Input Catalog, version 8, as MAST serves it: CSV of 125 columns without a header.

``ra`` and ``dec`` are of epoch 2000, ``RA_orig`` and ``Dec_orig`` of Gaia DR2's 2015.5.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from lkmrs_dask.synthetic.external.addressed import noise
from lkmrs_dask.synthetic.external.headers import columns_of
from lkmrs_dask.synthetic.external.photometry import measured_magnitude
from lkmrs_dask.synthetic.external.sources import moved
from lkmrs_dask.synthetic.external.tables import Column, blank_where, sexagesimal_name, write_text
from lkmrs_dask.synthetic.external.world import World, scattered

__all__ = ["write_tic"]

_VERSION = "20190415"
_POSITION_ERROR = 0.03  # arcsec, of what Gaia's coordinates become at epoch 2000
_ORIGINAL_ERROR = 0.05  # mas
_MOTION_ERROR = 0.08  # mas/yr
_PARALLAX_ERROR = 0.05  # mas
_GAIA_EPOCH = 2015.5


def write_tic(path: Path, world: World) -> None:
    """Write TIC, sorted by identifier."""
    which = np.flatnonzero(world.tic > 0)
    which = which[np.argsort(world.tic[which])]
    draws, sources = world.draws, world.sources.take(which)
    number, n_rows = sources.number, len(which)
    ra, dec = scattered(draws, number, (sources.ra, sources.dec), _POSITION_ERROR, "tic")
    original = scattered(draws, number, moved(sources, _GAIA_EPOCH), _ORIGINAL_ERROR / 1000.0, "tic.original")
    kic = np.where(sources.kepler, world.kic_epic[which], 0)
    teff = np.round(sources.teff + 120.0 * noise(draws, number, "tic.Teff"))
    giant = sources.logg < 3.5
    parallax = sources.parallax + _PARALLAX_ERROR * noise(draws, number, "tic.plx")
    columns: dict[str, Column] = {
        "ID": world.tic[which],
        "version": pa.array(np.full(n_rows, _VERSION), pa.string()),
        "TWOMASS": sexagesimal_name(sources.ra, sources.dec),
        "GAIA": blank_where(sources.gaia_source_id, sources.gaia_source_id == 0),
        "KIC": blank_where(kic, kic == 0),
        "objType": pa.array(np.full(n_rows, "STAR"), pa.string()),
        "typeSrc": pa.array(np.full(n_rows, "tmgaia2"), pa.string()),
        "ra": np.round(ra, 12),
        "dec": np.round(dec, 12),
        "POSflag": pa.array(np.full(n_rows, "tmgaia2"), pa.string()),
        "PMflag": pa.array(np.full(n_rows, "gaia2"), pa.string()),
        "plx": np.round(parallax, 4),
        "e_plx": np.full(n_rows, _PARALLAX_ERROR),
        "PARflag": pa.array(np.full(n_rows, "gaia2"), pa.string()),
        "GAIAmag": np.round(sources.g, 4),
        "e_GAIAmag": np.full(n_rows, 0.0005),
        "Teff": teff,
        "e_Teff": np.full(n_rows, 120.0),
        "lumclass": pa.array(np.where(giant, "GIANT", "DWARF"), pa.string()),
        "d": np.round(1000.0 / np.maximum(parallax, 0.05), 2),
        "RA_orig": np.round(original[0], 12),
        "Dec_orig": np.round(original[1], 12),
        "e_RA_orig": np.full(n_rows, _ORIGINAL_ERROR),
        "e_Dec_orig": np.full(n_rows, _ORIGINAL_ERROR),
        "objID": np.arange(1, n_rows + 1),
    }
    for name, true in (("pmRA", sources.pmra), ("pmDEC", sources.pmdec)):
        columns[name] = np.round(true + _MOTION_ERROR * noise(draws, number, f"tic.{name}"), 4)
        columns[f"e_{name}"] = np.full(n_rows, _MOTION_ERROR)
    for band in ("B", "V", "J", "H", "K", "W1", "T"):
        column = "w1mag" if band == "W1" else f"{band}mag"
        columns[column] = measured_magnitude(draws, sources, band, 0.025, f"tic.{band}")
        columns[f"e_{column}"] = np.full(n_rows, 0.025)
    for name, true, error in (("logg", sources.logg, 0.15), ("MH", sources.feh, 0.15)):
        # Giants of TIC have no gravity, and few stars a metallicity.
        blank = giant if name == "logg" else sources.g > 12.0
        columns[name] = np.where(
            blank, np.nan, np.round(true + error * noise(draws, number, f"tic.{name}"), 3)
        )
        columns[f"e_{name}"] = np.where(blank, np.nan, error)
    write_text(path, columns_of("tic"), columns, header=False)
