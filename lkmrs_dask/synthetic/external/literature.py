"""Lists of known objects: SIMBAD, VSX and Gaia's variables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.synthetic.external.addressed import noise, share
from lkmrs_dask.synthetic.external.classes import SPELLINGS, spelt
from lkmrs_dask.synthetic.external.headers import columns_of
from lkmrs_dask.synthetic.external.identifiers import FIRST_EPIC
from lkmrs_dask.synthetic.external.photometry import magnitude
from lkmrs_dask.synthetic.external.tables import Column, blank_where, sexagesimal_name, write_text
from lkmrs_dask.synthetic.external.world import World, scattered

__all__ = ["simbad_names", "vsx_names", "write_gaia_variables", "write_simbad", "write_vsx"]

_SIMBAD_FIELD, _VARIABLE_FIELD = 0.06, 0.01  # share of field sources in SIMBAD, and in VSX and Gaia's list
_BRIGHT = 16.0  # G of the faintest field source in a list
_WITH_VELOCITY = 0.4
_SOLUTION = 375316653866487564  # solution_id of the variability tables of DR3
_CLASSES = np.array(list(SPELLINGS["vsx"]))
_VSX_EPOCH = 2_457_000.0  # JD about which epochs of maximum lie


def _listed(world: World, flags: NDArray[np.bool_], portion: float, what: str) -> NDArray[np.int64]:
    """Sources of a list: the stars it knows and a portion of the bright field."""
    sources = world.sources
    field = (sources.star < 0) & (sources.near < 0) & (sources.g < _BRIGHT)
    lot = share(world.draws, sources.number, f"{what}.field") < portion
    return np.flatnonzero(world.of_stars(flags) | (field & lot))


def _classes(world: World, which: NDArray[np.int64], all_variable: bool) -> NDArray[np.str_]:
    """True classes: those of the survey's variables; any for other sources, where all of a list vary."""
    star = world.sources.star[which]
    own = np.where(star >= 0, world.stars.variable_class[star], "")
    lot = share(world.draws, world.sources.number[which], "field.class")
    any_class = _CLASSES[(lot * len(_CLASSES)).astype(np.int64)]
    return np.where((own == "") & all_variable, any_class, own)


def simbad_names(world: World) -> NDArray:
    """``main_id`` of all sources: KIC, EPIC or 2MASS; as many as there are sources, known or not."""
    two_mass = sexagesimal_name(world.sources.ra, world.sources.dec).to_pylist()
    ids = world.kic_epic.tolist()
    names = [
        f"KIC {number}" if 0 < number < FIRST_EPIC else f"EPIC {number}" if number else f"2MASS J{name}"
        for number, name in zip(ids, two_mass, strict=True)
    ]
    return np.array(names)


def write_simbad(path: Path, world: World) -> None:
    """Write the answer of SIMBAD's TAP service; objects that vary have the type of their class."""
    which = _listed(world, world.members.simbad, _SIMBAD_FIELD, "simbad")
    draws, sources = world.draws, world.sources.take(which)
    number, n_rows = sources.number, len(which)
    error = np.round(0.02 + 0.15 * share(draws, number, "simbad.error"), 3)
    ra, dec = scattered(draws, number, (sources.ra, sources.dec), error, "simbad")
    kind = spelt(draws, number, _classes(world, which, False), "simbad")
    velocity = np.round(sources.rv_elsewhere + 2.0 * noise(draws, number, "simbad.rv"), 2)
    blank = share(draws, number, "simbad.has_rv") > _WITH_VELOCITY
    columns: dict[str, Column] = {
        "main_id": pa.array(simbad_names(world)[which].tolist(), pa.string()),
        "oid": 1_000_000 + which,
        "ra": np.round(ra, 10),
        "dec": np.round(dec, 10),
        "coo_err_maj": np.round(1000.0 * error, 3),
        "coo_err_min": np.round(1000.0 * error, 3),
        "coo_err_angle": np.full(n_rows, 90),
        "coo_bibcode": pa.array(np.full(n_rows, "2020yCat.1350....0G"), pa.string()),
        "pmra": np.round(sources.pmra + 0.05 * noise(draws, number, "simbad.pmra"), 3),
        "pmdec": np.round(sources.pmdec + 0.05 * noise(draws, number, "simbad.pmdec"), 3),
        "plx_value": np.round(sources.parallax + 0.04 * noise(draws, number, "simbad.plx"), 4),
        "plx_err": np.full(n_rows, 0.04),
        "rvz_radvel": np.where(blank, np.nan, velocity),
        "rvz_err": np.where(blank, np.nan, 2.0),
        "otype": pa.array(np.where(kind == "", "*", kind).tolist(), pa.string()),
        "nbref": 1 + (20 * share(draws, number, "simbad.nbref") ** 3).astype(np.int64),
    }
    write_text(path, columns_of("simbad"), columns, quote=True)


def vsx_names(world: World) -> NDArray:
    """``Name`` of all sources in VSX, variable or not."""
    names = sexagesimal_name(world.sources.ra, world.sources.dec).to_pylist()
    return np.array([f"VSX J{name[:6]}.{name[6]}{name[8:]}" for name in names])


def write_vsx(path: Path, world: World) -> None:
    """Write VSX as VizieR serves it (B/vsx), with some types that are not the true ones."""
    which = _listed(world, world.members.vsx, _VARIABLE_FIELD, "vsx")
    draws, sources = world.draws, world.sources.take(which)
    number, n_rows = sources.number, len(which)
    ra, dec = scattered(draws, number, (sources.ra, sources.dec), 0.3, "vsx")
    classes = _classes(world, which, True)
    own = np.where(sources.star >= 0, world.stars.variable_period[sources.star], np.nan)
    other = 10.0 ** (3.0 * share(draws, number, "vsx.period") - 1.0)
    period = np.where(np.isnan(own), other, own * (1.0 + 2e-5 * noise(draws, number, "vsx.period_error")))
    maximum = np.round(magnitude(sources, "V"), 2)
    columns: dict[str, Column] = {
        "OID": 100_000 + which,
        "Name": pa.array(vsx_names(world)[which].tolist(), pa.string()),
        "V": np.zeros(n_rows, dtype=np.int64),
        "RAJ2000": np.round(ra, 5),
        "DEJ2000": np.round(dec, 5),
        "Type": pa.array(spelt(draws, number, classes, "vsx").tolist(), pa.string()),
        "max": maximum,
        "n_max": pa.array(np.full(n_rows, "V"), pa.string()),
        "min": np.round(maximum + 0.02 + 0.5 * share(draws, number, "vsx.depth") ** 3, 2),
        "n_min": pa.array(np.full(n_rows, "V"), pa.string()),
        "Epoch": np.round(_VSX_EPOCH + period * share(draws, number, "vsx.epoch"), 4),
        "Period": np.where(classes == "uncertain", np.nan, np.round(period, 7)),
    }
    write_text(path, columns_of("vsx"), columns, quote=True)


def write_gaia_variables(path: Path, world: World) -> None:
    """Write Gaia DR3's classified variables (``vari_classifier_result``), sorted by source."""
    which = _listed(world, world.members.gaia_variable, _VARIABLE_FIELD, "gaia_variables")
    which = which[np.argsort(world.sources.gaia_source_id[which])]
    draws, sources = world.draws, world.sources.take(which)
    kind = spelt(draws, sources.number, _classes(world, which, True), "gaia")
    columns: dict[str, Column] = {
        "solution_id": np.full(len(which), _SOLUTION),
        "source_id": blank_where(sources.gaia_source_id, sources.gaia_source_id == 0),
        "classifier_name": pa.array(np.full(len(which), "nTransits:5+"), pa.string()),
        "best_class_name": pa.array(kind.tolist(), pa.string()),
        "best_class_score": np.round(0.3 + 0.7 * share(draws, sources.number, "gaia.score"), 6),
    }
    write_text(path, columns_of("gaia_variables"), columns, quote=True)
