"""Columns that a reader of tables computes: times, quality flags and where a row came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.readers.times import barycentric_time, exposure_midpoint
from lkmrs_dask.schema import TableSchema

__all__ = ["Defaults", "derive_columns"]


@dataclass(frozen=True)
class Defaults:
    """What to take where a table does not say.

    Parameters
    ----------
    exptime_single, exptime_coadd : float
        Exposure times in s, for the time of mid-exposure only.
    low_snr : float
        Spectra with a smaller S/N, or none, are flagged.
    """

    exptime_single: float = 1200.0
    exptime_coadd: float = 3600.0
    low_snr: float = 2.0


def derive_columns(
    schema: TableSchema,
    columns: dict[str, pa.Array],
    n_rows: int,
    source_file: str,
    defaults: Defaults,
    *,
    only_coadds: bool = False,
) -> dict[str, pa.Array]:
    """Add what can be computed from the columns that are there.

    Parameters
    ----------
    schema : TableSchema
        Says which columns are wanted, and whether a table without `coadd` holds single spectra
        (``spectra``) or coadds (all others).
    columns : dict
        Arrow array by name, of exactly the schema's types.
    n_rows : int
        Their length.
    source_file : str
        Name of the raw file.
    defaults : Defaults
        Settings.
    only_coadds : bool
        Whether the job says that all rows are coadds: then no ``n_exposures`` is made up.

    Returns
    -------
    dict
        `columns`, with ``band`` in upper case, ``n_exposures`` 1 for single spectra, and ``mjd`` (UTC, d),
        ``bjd_tdb`` (d), ``low_snr`` and ``source_file`` where the schema has them.  ``mjd`` and ``bjd_tdb``
        stay as they are where the job maps them, and away where the table has no ``lmjm``.
    """
    done = dict(columns)
    single = ~_coadd(schema, columns, n_rows)
    if "band" in done:
        done["band"] = pc.ascii_upper(done["band"])
    if "n_exposures" in done or ("n_exposures" in schema and schema.name == "spectra" and not only_coadds):
        _count_exposures(done, n_rows)
    if "mjd" in schema and "mjd" not in done and "lmjm" in done:
        exptime = np.where(single, defaults.exptime_single, defaults.exptime_coadd)
        if "exptime" in done:
            given = _floats(done["exptime"])
            exptime = np.where(np.isnan(given), exptime, given)
        done["mjd"] = _times(exposure_midpoint, _floats(done["lmjm"]), exptime)
    if "bjd_tdb" in schema and "bjd_tdb" not in done and {"mjd", "ra_input", "dec_input"} <= done.keys():
        done["bjd_tdb"] = _times(
            barycentric_time, *(_floats(done[k]) for k in ("mjd", "ra_input", "dec_input"))
        )
    if "low_snr" in schema:
        low = np.ones(n_rows, bool)
        if "snr" in done:
            snr = _floats(done["snr"])
            low = np.isnan(snr) | (snr < defaults.low_snr)
        done["low_snr"] = pa.array(low)
    if "source_file" in schema:
        done["source_file"] = pa.repeat(source_file, n_rows)
    return done


def _coadd(schema: TableSchema, columns: dict[str, pa.Array], n_rows: int) -> np.ndarray:
    default = schema.name != "spectra"
    if "coadd" not in columns:
        return np.full(n_rows, default)
    return pc.fill_null(columns["coadd"], default).to_numpy(zero_copy_only=False)


def _count_exposures(columns: dict[str, pa.Array], n_rows: int) -> None:
    """Set 1 for spectra that say they are single; how many a coadd has, only the table can say."""
    if "coadd" not in columns:
        return
    counts = columns.get("n_exposures", pa.nulls(n_rows, pa.int16()))
    single = pc.fill_null(pc.invert(columns["coadd"]), False)
    columns["n_exposures"] = pc.if_else(single, pa.scalar(1, pa.int16()), counts)


def _floats(array: pa.Array) -> np.ndarray:
    """Numbers as float64, NaN where null."""
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _times(function: Callable[..., np.ndarray], *arguments: np.ndarray) -> pa.Array:
    """Days from a function of float64 arrays, null where NaN."""
    if not len(arguments[0]):
        return pa.array([], pa.float64())
    values = function(*arguments)
    return pa.array(values, pa.float64(), mask=np.isnan(values))
