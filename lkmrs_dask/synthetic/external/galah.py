"""GALAH DR3: rows of ``GALAH_DR3_main_allstar_v2`` in FITS, a choice of its columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.external.addressed import noise, share
from lkmrs_dask.synthetic.external.gaia import parallax_error
from lkmrs_dask.synthetic.external.photometry import measured_magnitude
from lkmrs_dask.synthetic.external.sources import moved
from lkmrs_dask.synthetic.external.surveys import (
    NOT_FITTED,
    TWOMASS_EPOCH,
    bright_field,
    measured,
    stated_error,
)
from lkmrs_dask.synthetic.external.tables import sexagesimal_name, write_fits
from lkmrs_dask.synthetic.external.world import World, scattered

__all__ = ["NO_INTEGER", "galah_ids", "in_galah", "write_galah"]

NO_INTEGER = -(1 << 63)
"""What the table has for a missing integer."""

_FIELD = 0.85  # share of bright field stars that it observed
_GAIA_EPOCH = 2015.5  # of its coordinates, Gaia DR2's
_UNRELIABLE = 32
_UNITS = {
    "teff": "K", "e_teff": "K", "logg": "log(cm.s**-2)", "e_logg": "log(cm.s**-2)", "ra_dr2": "deg",
    "dec_dr2": "deg", "vbroad": "km s-1", "e_vbroad": "km s-1", "parallax_dr2": "mas",
    "parallax_error_dr2": "mas",
}  # fmt: skip
_NULLS = {"dr2_source_id": NO_INTEGER, "dr3_source_id": NO_INTEGER}


def in_galah(world: World) -> NDArray[np.bool_]:
    """Sources that GALAH observed: none in Kepler's field."""
    sources = world.sources
    lot = share(world.draws, sources.number, "galah.field") < _FIELD
    return world.of_stars(world.members.galah) | (bright_field(sources) & lot & ~sources.kepler)


def galah_ids(world: World) -> NDArray[np.int64]:
    """``sobject_id`` of all sources: yymmdd, run, 01 and pivot, 15 digits; 0 where GALAH has none."""
    ids = np.zeros(len(world.sources), dtype=np.int64)
    which = np.flatnonzero(in_galah(world))
    fibre, run = np.arange(len(which)) % 392 + 1, np.arange(len(which)) // 392
    date = 140_101 + run // 30 % 28 + 100 * (run // 840 % 12) + 10_000 * (run // 10_080)
    ids[which] = ((date * 10_000 + run % 30 + 1) * 100 + 1) * 1000 + fibre
    return ids


def write_galah(path: Path, world: World) -> None:
    """Write GALAH's table: NaN for missing numbers, -2**63 for missing integers."""
    ids = galah_ids(world)
    which = np.flatnonzero(ids)
    draws, sources = world.draws, world.sources.take(which)
    number, n_stars = sources.number, len(which)
    ra, dec = scattered(draws, number, moved(sources, _GAIA_EPOCH), 0.0001, "galah")
    gaia = np.where(sources.gaia_source_id > 0, sources.gaia_source_id, NO_INTEGER)
    names = sexagesimal_name(*moved(sources, TWOMASS_EPOCH)).to_pylist()
    error = 1.3 * parallax_error(sources.g)
    columns: dict[str, NDArray] = {
        "star_id": np.array(names, dtype=np.bytes_),
        "sobject_id": ids[which],
        "dr2_source_id": gaia,
        "dr3_source_id": gaia,
        "survey_name": np.full(n_stars, b"k2_hermes"),
        "flag_repeat": np.zeros(n_stars, np.int64),
        **_parameters(world, which),
        "ra_dr2": ra,
        "dec_dr2": dec,
        "parallax_dr2": sources.parallax + error * noise(draws, number, "galah.parallax"),
        "parallax_error_dr2": error,
        "red_flag": np.zeros(n_stars, np.int64),
        "snr_c2_iraf": np.round(120.0 * 10 ** (-0.2 * (sources.g - 10.0)), 2),
    }
    for band, column in (("J", "j_m"), ("H", "h_m"), ("K", "ks_m")):
        columns[column] = measured_magnitude(draws, sources, band, 0.025, f"galah.{band}").astype(np.float32)
    write_fits(path, "GALAH_DR3", columns, _UNITS, _NULLS)


def _parameters(world: World, which: NDArray[np.int64]) -> dict[str, NDArray]:
    """Parameters, their errors and flags; NaN where GALAH has none."""
    draws, sources, members = world.draws, world.sources.take(which), world.members
    field = sources.star < 0
    fitted = ~field | (share(draws, sources.number, "galah.fitted") > NOT_FITTED)
    with_feh = fitted & (field | world.of_stars(members.galah_feh)[which])
    with_alpha = with_feh & (field | world.of_stars(members.galah_alpha_m)[which])
    always = np.ones(len(which), dtype=bool)
    columns: dict[str, NDArray] = {"flag_sp": np.where(fitted, 0, 1 << 9)}
    for name, parameter, given, bright, faint in (
        ("teff", "teff", fitted, 40.0, 80.0), ("logg", "logg", with_feh, 0.03, 0.08),
        ("fe_h", "feh", with_feh, 0.03, 0.06), ("alpha_fe", "alpha_m", with_alpha, 0.015, 0.03),
        ("vbroad", "vsini", with_feh, 0.8, 2.0), ("rv_galah", "rv", always, 0.1, 0.5),
    ):  # fmt: skip
        error = stated_error(draws, sources, f"galah.{name}", bright, faint)
        value = measured(draws, sources, "galah", parameter, error)
        kind = np.float64 if name in ("alpha_fe", "rv_galah") else np.float32
        columns[name] = np.where(given, value, np.nan).astype(kind)
        columns[f"e_{name}"] = np.where(given, error, np.nan)
    columns["flag_fe_h"] = np.where(with_feh, 0, _UNRELIABLE)
    columns["flag_alpha_fe"] = np.where(with_alpha, 0, _UNRELIABLE)
    return columns
