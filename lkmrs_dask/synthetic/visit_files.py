"""The rows and spectra of one visit: the unit of work of a survey.

Each visit's rows are a gzip member of their own.  A table's file is the members of its visits in order of
time, so its bytes are the same whoever wrote them, and in whatever order.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.dirt import BINARY_KINDS, KINDS, Damage, choose_dirt, damaged_lines, damaged_records
from lkmrs_dask.synthetic.fits_files import arrow_columns, records
from lkmrs_dask.synthetic.ledger import Ledger, make_ledger, other_stars
from lkmrs_dask.synthetic.measure import measure_velocities
from lkmrs_dask.synthetic.observe import Extent, Observation, observe
from lkmrs_dask.synthetic.rows import (
    CATALOGUE_COLUMNS,
    OLDER_NAMES,
    STELLAR_COLUMNS,
    TEXT_WIDTHS,
    catalogue_rows,
    stellar_rows,
)
from lkmrs_dask.synthetic.spectra_files import write_spectra
from lkmrs_dask.synthetic.text_files import fill_missing, text_lines

__all__ = [
    "LEVEL", "OLDER_COLUMNS", "OTHER_VISIT", "Part", "VisitDone", "VisitTask", "as_binary", "see_other",
    "see_visit", "write_visit",
]  # fmt: skip

LEVEL = 1
"""Of compression: the higher ones cost more time than all the rest."""

OTHER_VISIT = -1
"""Number of the visit of another sub-project's plan."""

OLDER_COLUMNS = tuple(OLDER_NAMES.get(name, name) for name in STELLAR_COLUMNS)
"""Header of the stellar catalogue in the older spelling."""

_MARKS: dict[str, float | str] = {
    "gaia_source_id": "-9999",
    **{f"gaia_{band}_mean_mag": -9999 for band in ("g", "bp", "rp")},
    **{name: -9999 for name in (*CATALOGUE_COLUMNS, *STELLAR_COLUMNS) if name.startswith(("rv_", "vsini_"))},
    "alpha_m_lasp": -999,
}  # whatever else is missing is an empty field
_CATALOGUE_NUMBERS = ("snr", "lmjd", "rv_br1", "fiberid")
_STELLAR_NUMBERS = ("teff_lasp", "snr", "rv_br1", "logg_lasp_err")


@dataclass(frozen=True)
class VisitTask:
    """What to write of a visit.

    Parameters
    ----------
    fraction, seed : float, int
        Of the survey: its ledger is made where it is needed.
    visit : int
        Number of the visit in the ledger, or `OTHER_VISIT`.
    parts : Path
        Folder of the pieces of tables.
    spectra : Path
        Folder of spectra.
    dirt : float
        Share of rows with a damaged copy.
    every_kind : bool
        Whether each kind of damage must occur.
    catalogue_text, stellar_text : bool
        Whether the rows are text, else FITS.
    flux : tuple of int
        Stars (indices) whose spectra are written.
    """

    fraction: float
    seed: int
    visit: int
    parts: Path
    spectra: Path
    dirt: float
    every_kind: bool
    catalogue_text: bool
    stellar_text: bool
    flux: tuple[int, ...]


class Part(NamedTuple):
    """A piece of a table: its file, its rows, and where damaged copies are in it (row of the piece)."""

    path: Path
    rows: int
    damage: tuple[Damage, ...]


class VisitDone(NamedTuple):
    """What was written: pieces of the catalogue and the stellar catalogue, spectra and files of spectra."""

    catalogue: Part
    stellar: Part
    flux_spectra: int
    flux_files: int


def see_visit(ledger: Ledger, visit: int, only: NDArray[np.bool_] | None = None) -> Observation:
    """Observe the stars of a visit of the ledger.

    Parameters
    ----------
    ledger : Ledger
        The survey.
    visit : int
        Number of the visit.
    only : ndarray of bool, optional
        Per star: whether it is wanted.
    """
    pairs, measured = ledger.attendance, ledger.measured
    here = np.arange(pairs.first[visit], pairs.first[visit + 1])
    if only is not None:
        here = here[only[pairs.star[here]]]
    targets = ledger.targets[int(ledger.plan_of_visit[visit])].take(pairs.slot[here])
    extent = Extent(
        pairs.n_exposures[here], pairs.coadd[here], pairs.lost_red[here], measured.parameters[here],
        measured.rv[here], measured.vsini[here], measured.alpha_m[here],
    )  # fmt: skip
    return observe(ledger.visits[visit], ledger.stars, targets, extent, ledger.draws)


def see_other(ledger: Ledger) -> Observation:
    """Observe all stars of the other sub-project's plan."""
    stars, targets, visit = other_stars(ledger.quotas, ledger.draws)
    every = np.ones(len(targets), bool)
    warm = stars.teff[targets.star] < 8500.0
    extent = Extent(np.full(len(targets), len(visit.lmjm)), every, ~every, warm, warm, ~every, warm)
    return observe(visit, stars, targets, extent, ledger.draws)


def write_visit(task: VisitTask) -> VisitDone:
    """Write the pieces and the spectra of a visit."""
    ledger = make_ledger(task.fraction, task.seed)
    other = task.visit == OTHER_VISIT
    seen = see_other(ledger) if other else see_visit(ledger, task.visit)
    velocities = measure_velocities(seen, ledger.draws)
    target, exposure, band = np.nonzero(seen.there)
    name = f"{seen.visit.night:05d}"
    catalogue = _write_part(
        task.parts / f"catalogue-{name}",
        catalogue_rows(seen, ledger.draws, velocities),
        _Table(CATALOGUE_COLUMNS, "|", _CATALOGUE_NUMBERS, 0, task.catalogue_text),
        task,
        (seen.number[target], seen.item[exposure, band]),
        ledger.draws,
    )
    measured, rows = stellar_rows(seen, ledger.draws, velocities)
    stellar = _write_part(
        task.parts / f"stellar-{name}",
        rows,
        _Table(OLDER_COLUMNS, ",", _STELLAR_NUMBERS, 1, task.stellar_text),
        task,
        (seen.number[measured], np.full(len(measured), seen.item[-1, 0])),
        ledger.draws,
    )
    flux = np.flatnonzero(np.isin(seen.targets.star, task.flux))
    for one in flux.tolist():
        write_spectra(task.spectra, seen, one, ledger.draws)
    return VisitDone(catalogue, stellar, int(seen.there[flux].sum()), len(flux))


class _Table(NamedTuple):
    """How a table is written: text or FITS; `number` tells tables apart in random numbers."""

    header: tuple[str, ...]
    delimiter: str
    numbers: tuple[str, ...]
    number: int
    text: bool


def _write_part(
    path: Path,
    rows: pa.Table,
    table: _Table,
    task: VisitTask,
    address: tuple[NDArray[np.int64], NDArray[np.int64]],
    draws: Draws,
) -> Part:
    """Write rows, with damaged copies of some, as a gzip member."""
    kinds = range(len(KINDS)) if table.text else BINARY_KINDS
    # Rows of other sub-projects are set aside for that alone.
    share = 0.0 if task.visit == OTHER_VISIT else task.dirt
    kind = choose_dirt(share, draws, table.number, *address, kinds, task.every_kind)
    damage: list[Damage] = []
    if table.text:
        content = text_lines(fill_missing(rows, _MARKS), table.delimiter)
        if (kind >= 0).any():
            lines, damage = damaged_lines(
                content.decode().split("\n")[:-1], kind, table.header, table.delimiter, table.numbers
            )
            content = ("\n".join(lines) + "\n").encode()
    else:
        binary = as_binary(rows)
        if (kind >= 0).any():
            binary, damage = damaged_records(binary, kind)
        content = binary.tobytes()
    path.write_bytes(gzip.compress(content, LEVEL, mtime=0))
    placed = [one._replace(line=one.line + turn + 1) for turn, one in enumerate(damage)]
    return Part(path, rows.num_rows + len(damage), tuple(placed))


def as_binary(rows: pa.Table) -> NDArray:
    """Rows as records of a FITS table: a missing [alpha/M] is NaN, all else -9999 or empty."""
    return records(arrow_columns(rows, {"alpha_m_lasp": np.nan}, TEXT_WIDTHS))
