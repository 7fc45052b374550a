"""A synthetic survey in LAMOST's file formats, with the truth beside it, at any fraction of the real one.

All randomness is addressed (see `counters`), and a `ledger` says what there is before anything is written.
The unit of work is a visit, so files are the same to the byte whatever the number of workers; memory goes by
visit, of at most 4,000 stars.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

import numpy as np

from lkmrs_dask.errors import UsageError
from lkmrs_dask.schema import MEASUREMENTS
from lkmrs_dask.schema import SPECTRA as TABLE_OF_SPECTRA
from lkmrs_dask.synthetic.dirt import check_share
from lkmrs_dask.synthetic.fits_files import BLOCK, primary_hdu, table_header, unit_cards
from lkmrs_dask.synthetic.layout import (
    CATALOGUE,
    SPECTRA,
    STELLAR,
    TRUTH,
    catalogue_name,
    forms,
    stellar_name,
)
from lkmrs_dask.synthetic.ledger import Ledger, make_ledger
from lkmrs_dask.synthetic.rows import CATALOGUE_COLUMNS, catalogue_rows, stellar_rows
from lkmrs_dask.synthetic.truth import Faults, Truth, make_truth, write_truth
from lkmrs_dask.synthetic.visit_files import (
    LEVEL,
    OLDER_COLUMNS,
    OTHER_VISIT,
    Part,
    VisitDone,
    VisitTask,
    as_binary,
    see_other,
    write_visit,
)

__all__ = ["Submits", "make_survey"]

_FOLDERS = (CATALOGUE, STELLAR, SPECTRA, "external", "light_curves")
_PARTS = ".parts"


class Submits(Protocol):
    """An executor of `concurrent.futures`, or a Dask client whose workers share this file system."""

    def submit(self, function: Any, /, *arguments: Any) -> Future[Any]:
        """Start a call."""


def make_survey(
    folder: Path,
    fraction: float = 1.0,
    seed: int = 1,
    *,
    dirt: float = 0.01,
    flux_stars: int = 3,
    external: bool = True,
    light_curves: bool = True,
    text_only: bool = False,
    executor: Submits | None = None,
) -> Truth:
    """Write a synthetic survey.

    Parameters
    ----------
    folder : Path
        Gets ``mrs_catalogue/`` (a file a year, the last one's FITS), ``mrs_stellar/`` (a FITS file, and a
        text file in the older spelling with every second plan), ``mrs_spectra/`` (FITS, a file per fibre and
        night) and ``truth/`` (Parquet).  A synthetic survey that it holds is replaced.
    fraction : float
        Of the paper's survey, above 0 and at most 1: 1 has the numbers of its Table 1.
    seed : int
        The same seed gives the same bytes in all files but those of Parquet, which name their writer.
    dirt : float
        Share of rows with a damaged copy beside them (`dirt.KINDS`), 0 to 0.5.
    flux_stars : int
        So many of the brightest stars have their spectra written, on all their visits.
    external : bool
        Whether catalogues of other surveys are written too.
    light_curves : bool
        Whether light curves are written too.
    text_only : bool
        Write the last year's general catalogue as text, like the others.
    executor : Submits, optional
        Where to work; this process if not given.

    Returns
    -------
    Truth
        As in ``truth/``.

    Raises
    ------
    UsageError
        For arguments out of range, or where one of the folders holds something else.
    """
    check_share(dirt)
    ledger = make_ledger(fraction, seed)
    if not 0 <= flux_stars <= len(ledger.stars):
        raise UsageError(f"flux_stars must be from 0 to the {len(ledger.stars)} stars, not {flux_stars}")
    folder = Path(folder)
    _clear(folder)
    for name in (CATALOGUE, STELLAR, SPECTRA, _PARTS):
        (folder / name).mkdir(parents=True)
    flux = tuple(np.argsort(ledger.stars.g, kind="stable")[:flux_stars].tolist())
    tasks = _tasks(ledger, seed, folder, dirt, flux, text_only)
    done = _run(tasks, executor)
    faults = _join_tables(ledger, folder, tasks, done)
    shutil.rmtree(folder / _PARTS)
    truth = make_truth(ledger, faults)
    write_truth(truth, folder / TRUTH)
    if external:
        from lkmrs_dask.synthetic.external.write import write_external

        write_external(folder, ledger, executor)
    if light_curves:
        from lkmrs_dask.synthetic.light_curves.write import write_light_curves

        write_light_curves(folder, ledger, executor)
    return truth


def _tasks(
    ledger: Ledger, seed: int, folder: Path, dirt: float, flux: tuple[int, ...], text_only: bool
) -> list[VisitTask]:
    """Tasks of all visits, the other sub-project's last."""
    pairs = ledger.attendance
    # Where each kind of damage occurs: visits with many rows, one for each table of each form.
    rows = np.bincount(pairs.visit[ledger.measured.parameters], minlength=len(ledger.visits))
    form = [forms(ledger, k, text_only) for k in range(len(ledger.visits))]
    alike = [np.array([one == other for one in form]) for other in dict.fromkeys(form)]
    richest = {int(np.argmax(np.where(same, rows, -1))) for same in alike}
    task = partial(
        VisitTask,
        fraction=ledger.fraction,
        seed=seed,
        parts=folder / _PARTS,
        spectra=folder / SPECTRA,
        dirt=dirt,
    )
    tasks = [
        task(
            visit=k,
            every_kind=k in richest,
            catalogue_text=form[k][0],
            stellar_text=form[k][1],
            flux=flux,
        )
        for k in range(len(ledger.visits))
    ]
    # One file of another sub-project is enough to show that it is set aside.
    tasks.append(
        task(visit=OTHER_VISIT, every_kind=False, catalogue_text=True, stellar_text=False, flux=(0,))
    )
    return tasks


def _run(tasks: Sequence[VisitTask], executor: Submits | None) -> list[VisitDone]:
    if executor is None:
        return [write_visit(task) for task in tasks]
    # A Dask client takes equal calls for one and may answer from memory: so none are equal.
    attempt = uuid4().hex
    futures = [executor.submit(_write, attempt, task) for task in tasks]
    return [future.result() for future in futures]


def _write(attempt: str, task: VisitTask) -> VisitDone:
    return write_visit(task)


class _Piece(NamedTuple):
    night: int
    part: Part


@dataclass
class _File:
    """Pieces of a file, and how it is written."""

    columns: tuple[str, ...]
    delimiter: str | None  # None for FITS
    pieces: list[_Piece]


def _join_tables(
    ledger: Ledger, folder: Path, tasks: Sequence[VisitTask], done: Sequence[VisitDone]
) -> Faults:
    """Join the pieces of each table in order of time, and note the faults by file and line."""
    files: dict[str, _File] = {}
    seen = see_other(ledger)
    faults = Faults()
    for task, result in zip(tasks, done, strict=True):
        visit = seen.visit if task.visit == OTHER_VISIT else ledger.visits[task.visit]
        name = f"{CATALOGUE}/{catalogue_name(visit.year, task.catalogue_text)}"
        stellar = f"{STELLAR}/{stellar_name(task.stellar_text)}"
        for file, delimiter, columns, part in (
            (name, "|" if task.catalogue_text else None, CATALOGUE_COLUMNS, result.catalogue),
            (stellar, "," if task.stellar_text else None, OLDER_COLUMNS, result.stellar),
        ):
            files.setdefault(file, _File(columns, delimiter, [])).pieces.append(_Piece(visit.night, part))
        if task.visit == OTHER_VISIT:
            faults.set_aside(
                "plan not wanted", result.catalogue.rows + result.stellar.rows + result.flux_files
            )
        else:
            faults.set_aside("repeated key", result.flux_spectra)
    records = {
        CATALOGUE_COLUMNS: as_binary(catalogue_rows(seen, ledger.draws).slice(0, 0)).dtype,
        OLDER_COLUMNS: as_binary(stellar_rows(seen, ledger.draws)[1].slice(0, 0)).dtype,
    }
    for name, table in sorted(files.items()):
        pieces = [piece.part for piece in sorted(table.pieces, key=lambda piece: piece.night)]
        _join(folder / name, table, pieces, records[table.columns])
        row = 2 if table.delimiter else 1  # lines are counted as an editor does, records from 1
        for part in pieces:
            for damage in part.damage:
                faults.add(name, row + damage.line, damage.kind, damage.column)
            row += part.rows
    return faults


def _join(path: Path, file: _File, pieces: Sequence[Part], form: np.dtype) -> None:
    n_rows = sum(part.rows for part in pieces)
    if file.delimiter is not None:
        head, tail = (file.delimiter.join(file.columns) + "\n").encode(), b""
    else:
        general = file.columns == CATALOGUE_COLUMNS
        title, table = ("MRS_CATALOGUE", TABLE_OF_SPECTRA) if general else ("MRS_STELLAR", MEASUREMENTS)
        head = primary_hdu() + table_header(title, form, n_rows, unit_cards(file.columns, table))
        tail = b"\0" * (-(n_rows * form.itemsize) % BLOCK)
    with path.open("wb") as stream:
        stream.write(gzip.compress(head, LEVEL, mtime=0))
        for part in pieces:
            with part.path.open("rb") as source:
                shutil.copyfileobj(source, stream, 1 << 20)
        if tail:
            stream.write(gzip.compress(tail, LEVEL, mtime=0))


def _clear(folder: Path) -> None:
    """Remove an earlier synthetic survey, known by its truth, and nothing else."""
    names = [name for name in (*_FOLDERS, TRUTH) if (folder / name).exists()]
    if names and not (folder / TRUTH / "counts.parquet").is_file():
        raise UsageError(f"{folder} holds {names[0]}, but no synthetic survey; name another folder")
    for name in (*names, _PARTS):
        shutil.rmtree(folder / name, ignore_errors=name == _PARTS)
