"""Table 1 (the survey by year) and the list of plates, as files to read, to load and to print."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import Column, Table

from lkmrs_dask.products.table_files import write_table
from lkmrs_dask.sky.plates import Fields, mission_of_plate, plate
from lkmrs_dask.stars.overview import Overview

__all__ = ["overview_rows", "overview_table", "plates_table", "write_overview", "write_plates"]

_COLUMNS = {
    "Year": ("year", "Year in which the night began; 'unknown' for spectra without a date"),
    "N_Plate": ("n_plates", "Visits of plates: distinct pairs of plan and night"),
    "N_Exposures": ("n_exposures", "Exposures: distinct pairs of plan and minute among single spectra"),
    "N_Spectra": ("n_spectra", "Spectra of both arms, single and coadded"),
    "N_Teff": ("n_teff", "Spectra with an effective temperature"),
    "N_logg": ("n_logg", "Spectra with a surface gravity"),
    "N_FeH": ("n_feh", "Spectra with a metallicity [Fe/H]"),
    "N_RV": ("n_rv", "Spectra with a radial velocity"),
    "N_vsini": ("n_vsini", "Spectra with a projected rotational velocity"),
    "N_alphaM": ("n_alpha_m", "Spectra with an alpha-element abundance [alpha/M]"),
}
"""Name in Table 1: name in the overview and description."""


def overview_rows(overview: Overview) -> list[dict[str, str | int]]:
    """Rows of the paper's Table 1.

    Parameters
    ----------
    overview : Overview

    Returns
    -------
    list of dict
        One row per year, ``unknown`` last where there is one, then ``Total``; keys as in the paper:
        Year, N_Plate, N_Exposures, N_Spectra, N_Teff, N_logg, N_FeH, N_RV, N_vsini, N_alphaM.
    """
    named = [("unknown" if year is None else str(year), row) for year, row in overview.by_year().items()]
    named.append(("Total", overview.total()))
    return [
        {"Year": year} | {column: row[name] for column, (name, _) in _COLUMNS.items() if column != "Year"}
        for year, row in named
    ]


def overview_table(overview: Overview) -> Table:
    """Table 1 as an astropy table with descriptions; see `overview_rows`."""
    rows = overview_rows(overview)
    table = Table(meta={"title": "Table 1. Data overview by year"})
    for name, (_, description) in _COLUMNS.items():
        dtype = str if name == "Year" else np.int64
        table[name] = Column([row[name] for row in rows], dtype=dtype, description=description)
    return table


def plates_table(overview: Overview, planned: Iterable[str] = (), fields: Fields | None = None) -> Table:
    """List the plates, observed or only planned (Fig. 1).

    Parameters
    ----------
    overview : Overview
    planned : iterable of str
        Plan ids of the survey; those without a spectrum are listed with zeros.
    fields : mapping, optional
        Fields of missions; see `lkmrs_dask.sky.plates.mission_of_plate`.

    Returns
    -------
    astropy.table.Table
        Sorted by right ascension of the centre, unknown centres last: planid, name, ra, dec (deg, NaN where
        unknown), mission (empty for none), test_phase, n_visits, n_exposures, n_spectra, n_stars.
    """
    counts = overview.by_plate()
    plates = [plate(planid) for planid in {*counts, *planned}]
    plates.sort(key=lambda p: (np.isnan(p.ra), 0.0 if np.isnan(p.ra) else p.ra, p.planid))
    numbers = [counts.get(p.planid, {}) for p in plates]
    about = {
        "n_visits": "Nights on which the plate was observed",
        "n_exposures": "Exposures",
        "n_spectra": "Spectra of both arms, single and coadded",
        "n_stars": "Stars",
    }
    table = Table(meta={"title": "Plates of the survey"})
    table["planid"] = Column([p.planid for p in plates], dtype=str, description="LAMOST's name of the plan")
    table["name"] = Column(
        [p.name for p in plates], dtype=str, description="The survey's name, else the plan's"
    )
    table["ra"] = Column([p.ra for p in plates], dtype=float, unit=u.deg, description="Centre (J2000)")
    table["dec"] = Column([p.dec for p in plates], dtype=float, unit=u.deg, description="Centre (J2000)")
    missions = [mission_of_plate(p.ra, p.dec, fields) or "" for p in plates]
    table["mission"] = Column(missions, dtype=str, description="Mission in whose field the centre lies")
    table["test_phase"] = Column([p.test_phase for p in plates], dtype=bool, description="Of the test phase")
    for name, description in about.items():
        table[name] = Column([n.get(name, 0) for n in numbers], dtype=np.int64, description=description)
    return table


def write_overview(table: Table, folder: str | os.PathLike) -> list[Path]:
    """Write Table 1 as ``table1.csv``, ``table1.ecsv`` and ``table1.txt``.

    Parameters
    ----------
    table : astropy.table.Table
        From `overview_table`.
    folder : path
        Made where it is missing.

    Returns
    -------
    list of pathlib.Path
        The files, each written whole or not at all.
    """
    return write_table(table, folder, "table1")


def write_plates(table: Table, folder: str | os.PathLike) -> list[Path]:
    """Write the plates as ``plates.csv``, ``plates.ecsv`` and ``plates.txt``; see `write_overview`."""
    return write_table(table, folder, "plates")
