"""APOGEE DR17: rows of ``allStar`` in FITS, a choice of its columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.synthetic.external.addressed import noise, share
from lkmrs_dask.synthetic.external.photometry import measured_magnitude
from lkmrs_dask.synthetic.external.sources import Sources, moved
from lkmrs_dask.synthetic.external.surveys import (
    NOT_FITTED,
    TWOMASS_EPOCH,
    bright_field,
    measured,
    stated_error,
)
from lkmrs_dask.synthetic.external.tables import sexagesimal_name, write_fits
from lkmrs_dask.synthetic.external.world import World, scattered

__all__ = ["apogee_ids", "in_apogee", "write_apogee"]

_FIELD = 0.75  # share of bright field stars that it observed
_REPEATED = 0.02  # share of stars with a second row, flagged in EXTRATARG
_DUPLICATE_BIT, _STAR_BAD = 1 << 4, 1 << 23
_UNITS = {
    "RA": "deg", "DEC": "deg", "TEFF": "K", "TEFF_ERR": "K",
    **dict.fromkeys(("VHELIO_AVG", "VSCATTER", "VERR", "VSINI"), "km/s"),
    **dict.fromkeys(("J", "J_ERR", "H", "H_ERR", "K", "K_ERR"), "mag"),
}  # fmt: skip


def in_apogee(world: World) -> NDArray[np.bool_]:
    """Sources that APOGEE observed."""
    lot = share(world.draws, world.sources.number, "apogee.field") < _FIELD
    return world.of_stars(world.members.apogee) | (bright_field(world.sources) & lot)


def apogee_ids(sources: Sources) -> pa.Array:
    """``APOGEE_ID``: 2M and 2MASS's name."""
    return pc.binary_join_element_wise("2M", sexagesimal_name(*moved(sources, TWOMASS_EPOCH)), "")


def write_apogee(path: Path, world: World) -> None:
    """Write APOGEE's table: NaN where a value is missing, some stars twice (bit 4 of EXTRATARG)."""
    which = np.flatnonzero(in_apogee(world))
    n_stars = len(which)
    columns = _rows(world, which)
    number = world.sources.number[which]
    again = np.flatnonzero(share(world.draws, number, "apogee.again") < _REPEATED)
    rows = np.concatenate([np.arange(n_stars), again])
    columns = {name: values[rows] for name, values in columns.items()}
    columns["EXTRATARG"][n_stars:] |= _DUPLICATE_BIT
    columns["SNR"][n_stars:] *= 0.6
    write_fits(path, "ALLSTAR", columns, _UNITS, {})


def _rows(world: World, which: NDArray[np.int64]) -> dict[str, NDArray]:
    """One row per star."""
    draws, sources = world.draws, world.sources.take(which)
    number, n_stars = sources.number, len(which)
    ra, dec = scattered(draws, number, moved(sources, TWOMASS_EPOCH), 0.07, "twomass")
    ids = np.array(apogee_ids(sources).to_pylist(), dtype=np.bytes_)
    error = stated_error(draws, sources, "apogee.rv", 0.03, 0.25)
    visits = 1 + (6 * share(draws, number, "apogee.visits")).astype(np.int64)
    columns: dict[str, NDArray] = {
        "APOGEE_ID": ids,
        "TARGET_ID": np.char.add(b"apo25m.synthetic.", ids),
        "TELESCOPE": np.full(n_stars, b"apo25m"),
        "FIELD": np.where(sources.kepler, b"KEPLER", b"K2"),
        "RA": np.round(ra, 6),
        "DEC": np.round(dec, 6),
        "NVISITS": visits.astype(np.int32),
        "SNR": (400.0 * 10 ** (-0.17 * (sources.g - 9.0)) * np.sqrt(visits / 3.0)).astype(np.float32),
        "VHELIO_AVG": measured(draws, sources, "apogee", "rv", error).astype(np.float32),
        "VSCATTER": np.where(visits > 1, sources.rv_spread, 0.0).astype(np.float32),
        "VERR": error.astype(np.float32),
        "STARFLAG": np.zeros(n_stars, np.int64),
        "EXTRATARG": np.zeros(n_stars, np.int32),
        "GAIAEDR3_SOURCE_ID": sources.gaia_source_id,
    }
    for band in ("J", "H", "K"):
        columns[band] = measured_magnitude(draws, sources, band, 0.025, f"apogee.{band}").astype(np.float32)
        columns[f"{band}_ERR"] = np.full(n_stars, 0.025, np.float32)
    return columns | _parameters(world, which)


def _parameters(world: World, which: NDArray[np.int64]) -> dict[str, NDArray]:
    """Parameters and their errors, NaN where APOGEE has none."""
    draws, sources, members = world.draws, world.sources.take(which), world.members
    field = sources.star < 0
    fitted = ~field | (share(draws, sources.number, "apogee.fitted") > NOT_FITTED)
    with_feh = fitted & (field | world.of_stars(members.apogee_feh)[which])
    with_alpha = fitted & (field | world.of_stars(members.apogee_alpha_m)[which])
    with_vsini = world.of_stars(members.apogee_vsini)[which]
    columns: dict[str, NDArray] = {"ASPCAPFLAG": np.where(fitted, 0, _STAR_BAD)}
    for name, parameter, given, bright, faint in (
        ("TEFF", "teff", fitted, 15.0, 45.0), ("LOGG", "logg", fitted, 0.02, 0.05),
        ("FE_H", "feh", with_feh, 0.007, 0.02), ("M_H", "feh", with_feh, 0.006, 0.018),
        ("ALPHA_M", "alpha_m", with_alpha, 0.008, 0.02),
    ):  # fmt: skip
        error = stated_error(draws, sources, f"apogee.{name}", bright, faint)
        value = measured(draws, sources, "apogee", parameter, error)
        columns[name] = np.where(given, value, np.nan).astype(np.float32)
        columns[f"{name}_ERR"] = np.where(given, error, np.nan).astype(np.float32)
    vsini = sources.vsini * np.exp(0.08 * noise(draws, sources.number, "apogee.vsini"))
    columns["VSINI"] = np.where(with_vsini, vsini, np.nan).astype(np.float32)
    return columns
