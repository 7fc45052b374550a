"""The Kepler Input Catalog and the Ecliptic Plane Input Catalog, as MAST offers them for download.

Both have '|' between fields and leave what is missing empty; EPIC files have no header.  In KIC ``kic_ra`` is
in hours, ``kic_degree_ra`` in degrees and proper motions are in arcsec/yr; in EPIC they are in mas/yr.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.synthetic.external.addressed import noise, share
from lkmrs_dask.synthetic.external.headers import columns_of
from lkmrs_dask.synthetic.external.identifiers import FIRST_EPIC
from lkmrs_dask.synthetic.external.photometry import measured_magnitude
from lkmrs_dask.synthetic.external.tables import Column, sexagesimal_name, write_text
from lkmrs_dask.synthetic.external.world import World, input_positions

__all__ = ["write_epic", "write_kic"]

_MOTION_ERROR = 4.0  # mas/yr: catalogues before Gaia
_NO_PARAMETERS = 0.15  # share of sources without them


def write_kic(path: Path, world: World) -> None:
    """Write KIC, sorted by identifier."""
    which = np.flatnonzero((world.kic_epic > 0) & (world.kic_epic < FIRST_EPIC))
    which = which[np.argsort(world.kic_epic[which])]
    draws, sources = world.draws, world.sources.take(which)
    ra, dec = input_positions(world, which)
    bands: dict[str, NDArray] = {
        f"kic_{band.lower()}mag": measured_magnitude(draws, sources, band, 0.03, f"kic.{band}")
        for band in ("g", "r", "i", "z", "J", "H", "K")
    }
    pmra, pmdec = (
        np.round((true + _MOTION_ERROR * noise(draws, sources.number, f"kic.{name}")) / 1000.0, 4)
        for name, true in (("pmra", sources.pmra), ("pmdec", sources.pmdec))
    )
    columns: dict[str, Column] = bands | {
        "kic_ra": np.round(ra / 15.0, 8),
        "kic_dec": np.round(dec, 6),
        "kic_degree_ra": np.round(ra, 6),
        "kic_pmra": pmra,
        "kic_pmdec": pmdec,
        "kic_pmtotal": np.round(np.hypot(pmra, pmdec), 4),
        "kic_kepmag": measured_magnitude(draws, sources, "Kp", 0.02, "kic.Kp"),
        "kic_kepler_id": world.kic_epic[which],
        "kic_galaxy": np.zeros(len(which), dtype=np.int64),
        "kic_cq": pa.array(np.full(len(which), "SCP"), pa.string()),
        "kic_grcolor": np.round(bands["kic_gmag"] - bands["kic_rmag"], 3),
        "kic_jkcolor": np.round(bands["kic_jmag"] - bands["kic_kmag"], 3),
        "kic_gkcolor": np.round(bands["kic_gmag"] - bands["kic_kmag"], 3),
        "kic_fov_flag": np.full(len(which), 2),
        "kic_tm_designation": sexagesimal_name(sources.ra, sources.dec),
    }
    columns |= {f"kic_{name}": values for name, values in _parameters(world, which, "kic").items()}
    write_text(path, columns_of("kic"), columns, delimiter="|")


def write_epic(path: Path, world: World) -> None:
    """Write EPIC, sorted by identifier, without a header."""
    which = np.flatnonzero(world.kic_epic >= FIRST_EPIC)
    which = which[np.argsort(world.kic_epic[which])]
    draws, sources = world.draws, world.sources.take(which)
    ra, dec = input_positions(world, which)
    columns: dict[str, Column] = {
        "ID": world.kic_epic[which],
        "2MASS": sexagesimal_name(sources.ra, sources.dec),
        "Objtype": pa.array(np.full(len(which), "STAR"), pa.string()),
        "Kepflag": pa.array(np.full(len(which), "gri"), pa.string()),
        "RA": np.round(ra, 6),
        "DEC": np.round(dec, 6),
        "Kp": measured_magnitude(draws, sources, "Kp", 0.02, "epic.Kp"),
        "k2_avail_flag": np.where(sources.star >= 0, 1, 0),
    }
    for name, true in (("pmRA", sources.pmra), ("pmDEC", sources.pmdec)):
        columns[name] = np.round(true + _MOTION_ERROR * noise(draws, sources.number, f"epic.{name}"), 3)
        columns[f"e_{name}"] = np.full(len(which), _MOTION_ERROR)
    for band in ("B", "V", "g", "r", "i", "J", "H", "K", "W1"):
        columns[f"{band}mag"] = measured_magnitude(draws, sources, band, 0.03, f"epic.{band}")
        columns[f"e_{band}mag"] = np.full(len(which), 0.03)
    parameters = _parameters(world, which, "epic")
    columns |= {"Teff": parameters["teff"], "logg": parameters["logg"], "[Fe/H]": parameters["feh"]}
    for name, error in (("Teff", 150.0), ("logg", 0.3), ("[Fe/H]", 0.25)):
        columns[f"e_{name}"] = np.where(np.isnan(parameters["teff"]), np.nan, error)
    write_text(path, columns_of("epic"), columns, delimiter="|", header=False)


def _parameters(world: World, which: NDArray[np.int64], catalogue: str) -> dict[str, NDArray[np.float64]]:
    """Coarse photometric parameters, NaN where a source has none."""
    draws, sources = world.draws, world.sources.take(which)
    none = share(draws, sources.number, f"{catalogue}.parameters") < _NO_PARAMETERS
    return {
        name: np.where(
            none, np.nan, np.round(true + error * noise(draws, sources.number, f"{catalogue}.{name}"), digits)
        )
        for name, true, error, digits in (
            ("teff", sources.teff, 150.0, 0), ("logg", sources.logg, 0.3, 3), ("feh", sources.feh, 0.25, 3),
        )
    }  # fmt: skip
