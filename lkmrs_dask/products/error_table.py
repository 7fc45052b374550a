"""Table 3: coefficients of the error law and internal errors at S/N 10, 20 and 50."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Column, Table

from lkmrs_dask.products.table_files import write_table
from lkmrs_dask.schema import PARAMETERS
from lkmrs_dask.stars.error_law import TABLE_SNR, ErrorLaw

__all__ = ["PARAMETER_LABELS", "error_rows", "error_table", "write_error_table"]

PARAMETER_LABELS = {
    "teff": "Teff", "logg": "log g", "feh": "[Fe/H]", "alpha_m": "[alpha/M]", "rv": "RV", "vsini": "v sin i"
}  # fmt: skip
"""Names of parameters in printed tables."""

_NUMBERS = {
    **{
        one: text
        for name, about in (("a", "Factor"), ("b", "Power of S/N"), ("c", "Floor"))
        for one, text in (
            (name, f"{about} of Eq. 4, sigma = a (S/N)^b + c"),
            (f"{name}_err", f"Error of {name}: half of what it is to the end of the 95.4 % interval"),
        )
    },
    **{
        one: text
        for snr in TABLE_SNR
        for one, text in (
            (f"sigma_{snr}", f"Internal error at S/N {snr}"),
            (f"sigma_{snr}_err", f"Standard error of sigma_{snr}"),
        )
    },
    "share_kept": "Share of the deviations that clipping left",
    "chi2": "Sum of squared residuals of the fit over what is expected",
}
_COUNTS = {
    "n_spectra": "Deviations: spectra with the parameter of stars with two or more",
    "n_stars": "Stars that they are of",
    "n_kept": "Deviations that clipping left",
}


def error_rows(laws: Mapping[str, ErrorLaw]) -> list[dict[str, Any]]:
    """Rows of the paper's Table 3.

    Parameters
    ----------
    laws : mapping
        Error laws by name of the parameter, from `lkmrs_dask.stars.error_law.fit_error_laws`.

    Returns
    -------
    list of dict
        One row a parameter, in the order of the paper: Parameter, Unit (of all but b), a, b and c, sigma at
        S/N 10, 20 and 50, each with its error, share_kept, chi2, n_spectra, n_stars, n_kept, Remark.  None
        where there is no law.
    """
    rows = []
    for name in (
        *(one for one in PARAMETERS if one in laws),
        *(one for one in laws if one not in PARAMETERS),
    ):
        values = laws[name].as_dict()
        unit = PARAMETERS[name].unit if name in PARAMETERS else ""
        rows.append(
            {"Parameter": PARAMETER_LABELS.get(name, name), "Unit": unit}
            | {one: values[one] for one in (*_NUMBERS, *_COUNTS)}
            | {"Remark": values["reason"] or ""}
        )
    return rows


def error_table(laws: Mapping[str, ErrorLaw]) -> Table:
    """Table 3 as an astropy table with descriptions, NaN where there is no law; see `error_rows`."""
    rows = error_rows(laws)
    table = Table(meta={"title": "Table 3. Error law and internal errors at S/N 10, 20 and 50"})
    about = {"Parameter": "Stellar parameter", "Unit": "Unit of a, c and sigma"}
    for name, description in about.items():
        table[name] = Column([row[name] for row in rows], dtype=str, description=description)
    for name, description in _NUMBERS.items():
        numbers = [np.nan if row[name] is None else row[name] for row in rows]
        table[name] = Column(numbers, dtype=float, description=description)
    for name, description in _COUNTS.items():
        table[name] = Column([row[name] for row in rows], dtype=np.int64, description=description)
    table["Remark"] = Column(
        [row["Remark"] for row in rows], dtype=str, description="Why there is no law, or what to know of it"
    )
    return table


def write_error_table(table: Table, folder: str | os.PathLike) -> list[Path]:
    """Write Table 3 as ``table3.csv``, ``table3.ecsv`` and ``table3.txt``.

    Parameters
    ----------
    table : astropy.table.Table
        From `error_table`.
    folder : path
        Made where it is missing.

    Returns
    -------
    list of pathlib.Path
        The files, each written whole or not at all.
    """
    return write_table(table, folder, "table3", float_format=".4g")
