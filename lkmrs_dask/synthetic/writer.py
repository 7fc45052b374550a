"""Writes a survey's raw files visit by visit, and counts what a run must find in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.dirt import CLEAN, REPEATED, Dirt
from lkmrs_dask.synthetic.fits_files import arrow_columns, primary_hdu, table_hdu, write_gzipped
from lkmrs_dask.synthetic.observe import Observation
from lkmrs_dask.synthetic.rows import (
    CATALOGUE_COLUMNS,
    OLDER_NAMES,
    STELLAR_COLUMNS,
    catalogue_rows,
    stellar_rows,
)
from lkmrs_dask.synthetic.spectra_files import write_spectra
from lkmrs_dask.synthetic.text_files import TextFile, fill_missing
from lkmrs_dask.synthetic.truth import Tally

__all__ = ["CATALOGUE", "SPECTRA", "STELLAR", "SurveyWriter"]

CATALOGUE, STELLAR, SPECTRA = "mrs_catalogue", "mrs_stellar", "mrs_spectra"
"""Folders of the raw files."""

_RELEASE = "dr11_v2.0"
_SECOND_FILE_FROM = 2020  # year with which the second file of the general catalogue begins
_UNWANTED = "plan not wanted"
_MARKS: dict[str, float | str] = {
    "gaia_source_id": "-9999",
    **{f"gaia_{band}_mean_mag": -9999 for band in ("g", "bp", "rp")},
    **{name: -9999 for name in (*CATALOGUE_COLUMNS, *STELLAR_COLUMNS) if name.startswith(("rv_", "vsini_"))},
    "alpha_m_lasp": -999,
}  # whatever else is missing is an empty field
_CATALOGUE_NUMBERS = ("snr", "lmjd", "rv_br1", "fiberid")
_STELLAR_NUMBERS = ("teff_lasp", "snr", "rv_br1", "logg_lasp_err")


class SurveyWriter:
    """The raw files of a survey while they grow.

    Parameters
    ----------
    folder : Path
        Where the raw folders go; they must not be there yet.
    draws : Draws
        Random numbers.
    dirt : float
        Share of dirty rows of text tables.
    tally : Tally
        Counts what is written.
    with_flux : ndarray of bool, one per star
        Stars whose spectra are written as FITS.
    """

    def __init__(
        self, folder: Path, draws: Draws, dirt: float, tally: Tally, with_flux: NDArray[np.bool_]
    ) -> None:
        self._folder, self._draws, self._tally, self._with_flux = folder, draws, tally, with_flux
        self._catalogue_dirt, self._stellar_dirt = Dirt(dirt, draws, table=0), Dirt(dirt, draws, table=1)
        for name in (CATALOGUE, STELLAR, SPECTRA):
            (folder / name).mkdir(parents=True)
        self._catalogue = {
            name: TextFile(folder / name, CATALOGUE_COLUMNS, "|")
            for name in (f"{CATALOGUE}/{_RELEASE}_MRS_catalogue_{part}.csv.gz" for part in (1, 2))
        }
        older = [OLDER_NAMES.get(name, name) for name in STELLAR_COLUMNS]
        self._older_name = f"{STELLAR}/{_RELEASE}_MRS_stellar.csv.gz"
        self._older = TextFile(folder / self._older_name, older, ",")
        self._stellar: list[pa.Table] = []
        self._has_other = False

    def write(self, seen: Observation, older: bool) -> None:
        """Write a visit.

        Parameters
        ----------
        seen : Observation
            The visit.  A plan of no field belongs to another sub-project: its rows are to be set aside.
        older : bool
            Whether its stellar parameters go to the text file with the older spelling.
        """
        ours = seen.visit.plan.field is not None
        flux = self._with_flux[seen.targets.star]
        if not ours:
            # One file of another sub-project is enough to show that it is set aside.
            flux = flux & (not self._has_other)
            self._has_other = True
        self._write_catalogue(seen, flux)
        self._write_stellar(seen, older)
        for target in np.flatnonzero(flux).tolist():
            write_spectra(self._folder / SPECTRA, seen, target, self._draws)
        if not ours:
            self._tally.set_aside(_UNWANTED, int(flux.sum()))

    def _write_catalogue(self, seen: Observation, flux: NDArray[np.bool_]) -> None:
        ours = seen.visit.plan.field is not None
        number, item = (np.broadcast_to(values, seen.snr.shape).ravel()
                        for values in (seen.number[:, None, None], seen.item))  # fmt: skip
        kind = self._catalogue_dirt.choose(number, item) if ours else np.full(number.size, CLEAN)
        name = list(self._catalogue)[int(seen.visit.year >= _SECOND_FILE_FROM)]
        rows = fill_missing(catalogue_rows(seen, self._draws), _MARKS)
        self._tally.add_dirt(name, self._catalogue[name].write(rows, kind, _CATALOGUE_NUMBERS))
        if ours:
            self._tally.add_spectra(seen, _good(kind).reshape(seen.snr.shape), flux)
        else:
            self._tally.set_aside(_UNWANTED, number.size)

    def _write_stellar(self, seen: Observation, older: bool) -> None:
        target, rows = stellar_rows(seen, self._draws)
        ours = seen.visit.plan.field is not None
        kind = np.full(len(target), CLEAN)
        if older:
            kind = self._stellar_dirt.choose(seen.number[target], np.full(len(target), seen.item[-1, 0]))
            self._tally.add_dirt(
                self._older_name, self._older.write(fill_missing(rows, _MARKS), kind, _STELLAR_NUMBERS)
            )
        else:
            self._stellar.append(rows)
        if ours:
            good = _good(kind)
            self._tally.add_measurements(seen, target[good], rows.filter(pa.array(good)))
        else:
            self._tally.set_aside(_UNWANTED, len(target))

    def close(self) -> None:
        """Finish all files."""
        for file in (*self._catalogue.values(), self._older):
            file.close()
        if self._stellar:
            path = self._folder / STELLAR / f"{_RELEASE}_MRS_stellar.fits.gz"
            columns = arrow_columns(pa.concat_tables(self._stellar), {"alpha_m_lasp": np.nan})
            write_gzipped(path, [primary_hdu(), table_hdu("MRS_STELLAR", columns)])


def _good(kind: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows that a reader keeps; of a repeated row one copy."""
    return (kind == CLEAN) | (kind == REPEATED)
