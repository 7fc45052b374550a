"""``lkmrs ingest`` and repairs: a survey with more raw files, or fewer, or made whole again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lkmrs_dask.errors import LkmrsError, UsageError
from lkmrs_dask.pipeline.check import Checked, forget, verify_survey
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.inputs import InputSpec
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.readings import (
    Reading,
    as_at_hand,
    known_readings,
    listed_readings,
    reading_of,
    readings_of,
)
from lkmrs_dask.pipeline.record import readings_there, recorded_job
from lkmrs_dask.pipeline.run import run_readings
from lkmrs_dask.pipeline.settings import Settings
from lkmrs_dask.pipeline.survey import Survey

__all__ = ["add_files", "drop_files", "repair"]

_SPECTRUM = "med-*.fits*"
_TABLES = ("*.csv", "*.csv.gz", "*.fits", "*.fits.gz", "*.parquet")


def add_files(
    files: Sequence[Path],
    out: str | Path,
    *,
    catalog: str = "spectra",
    plans: Sequence[str] = (),
    flux: bool = True,
    place: Place | None = None,
    report: Reporter | None = None,
) -> dict[str, Any]:
    """Add raw files to a survey, or begin one with them.

    The result is that of a run over all files together, but only the new files are read, and only partitions
    with rows of them, or with stars that they change, are written.  Spectra known already are joined, not
    doubled; a file that is in the survey already, unchanged, is passed over.

    Parameters
    ----------
    files : sequence of Path
        Tables, FITS spectra (``med-*.fits``, gzipped or not), or folders of them.
    out : str or Path
        The survey's folder; it is made if it is not there.
    catalog : str
        Where tables go: ``spectra`` or ``measurements``.
    plans : sequence of str
        Patterns of plans to keep; all if empty.
    flux : bool
        Keep flux of FITS spectra.
    place, report
        See `run_job`.

    Returns
    -------
    dict
        The summary.

    Raises
    ------
    UsageError
        When a file is not there, or a folder holds no raw file.
    """
    report = report or Reporter()
    survey = Survey(Path(out).absolute())
    options = {"plans": list(plans)}
    specs = [spec for path in files for spec in _inputs_of(path, survey.root, catalog, options, flux)]
    with survey.locked():
        draft = Draft(survey)
        draft.begin()
        job = recorded_job(survey)
        if job is None:
            job = Job(survey.root.name, "", survey.root.absolute(), (), Settings())
        sources = [(spec.catalog, spec.source(job.raw, job.settings)) for spec in specs]
        fresh = readings_of((catalog, source, source.files()) for catalog, source in sources)
        known = known_readings(survey.receipts)
        _check_complete(survey, known)
        there = {one.name for one in known}
        new = [one for one in fresh if one.name not in there]
        n_known = sum(len(one.files) for one in fresh) - sum(len(one.files) for one in new)
        if n_known:
            report.say(f"{n_known:,} files are in the survey already, unchanged: passed over")
        # A file that was changed takes the place of what was read of it before.
        kept = _without(known, {file for one in new for file in one.files}, job)
        return run_readings(job.with_inputs(specs), [*kept, *new], draft, place, report)


def drop_files(
    files: Sequence[Path], out: str | Path, *, place: Place | None = None, report: Reporter | None = None
) -> dict[str, Any]:
    """Take raw files out of a survey that `add_files` added.

    The result is that of a run without them.  Partitions that had rows of them are made from raw files again.

    Parameters
    ----------
    files : sequence of Path
        Files, or folders of them; they need not be there any more.
    out : str or Path
        The survey.
    place, report
        See `run_job`.

    Returns
    -------
    dict
        The summary.

    Raises
    ------
    UsageError
        When the survey has no such file, or its job itself names it.
    LkmrsError
        When raw files that are needed are gone.
    """
    survey = Survey(Path(out).absolute())
    survey.check()
    wanted = [path.parent.resolve() / path.name for path in files]
    with survey.locked():
        draft = Draft(survey)
        draft.begin()
        job = recorded_job(survey)
        known = known_readings(survey.receipts)
        _check_complete(survey, known)
        assert job is not None, "a survey with catalogues and no record was refused"
        gone: set[Path] = set()
        for path in wanted:
            found = {file for one in known for file in one.files if path == file or path in file.parents}
            if not found:
                raise UsageError(f"{survey.root} has no file {path}")
            gone |= found
        smaller = job.without_ingested(gone)
        stay = gone & {file for one in readings_there(smaller).values() for file in one.files}
        if stay:
            raise UsageError(
                f"{min(stay)} is a file of the job {job.name}, not of an ingest: change the job, and run it"
            )
        return run_readings(smaller, _without(known, gone, job), draft, place, report)


def repair(
    out: str | Path,
    checked: Sequence[Checked],
    place: Place | None = None,
    report: Reporter | None = None,
) -> dict[str, Any]:
    """Make anew what of a survey is missing or was changed since it was written.

    Raw files are read where they are needed.

    Parameters
    ----------
    out : str or Path
        The survey.
    checked : sequence of Checked
        What `verify_survey` found.
    place, report
        See `run_job`.

    Raises
    ------
    LkmrsError
        When the survey has no record of its job, or raw files that are needed are gone.
    """
    report = report or Reporter()
    survey = Survey(Path(out).absolute())
    with survey.locked():
        draft = Draft(survey)
        if draft.begin():
            checked = list(verify_survey(survey))  # it is another survey now
        job = recorded_job(survey)
        if job is None:
            raise LkmrsError(f"{survey.root} has no receipts/job.json: run its job again")
        report.say(f"{forget(checked):,} damaged pieces are made anew")
        there = readings_there(job)
        known = as_at_hand(known_readings(survey.receipts, damaged=[]), there)
        files = {file for one in known for file in one.files}
        # A reading whose receipt is damaged is known by its raw files alone.
        lost = [one for one in there.values() if not files & set(one.files)]
        return run_readings(job, [*known, *lost], draft, place, report)


def _check_complete(survey: Survey, known: Sequence[Reading]) -> None:
    """Raise unless there are receipts of all readings that the survey is made of."""
    listed = listed_readings(survey) if survey.catalogs() else {}
    if listed is None or not set(listed) <= {one.name for one in known}:
        raise LkmrsError(
            f"{survey.root}: receipts of readings are missing; `lkmrs verify {survey.root} --repair` makes "
            "them from the raw files"
        )


def _without(known: Iterable[Reading], gone: set[Path], job: Job) -> list[Reading]:
    """Readings without some files; those read together with such a file are read again."""
    there = readings_there(job)
    whole, parts = [], []
    for one in known:
        rest = [file for file in one.files if file not in gone]
        if len(rest) == len(one.files):
            whole.append(one)
        elif rest:
            source = next((s.source for s in there.values() if s.source and set(rest) & set(s.files)), None)
            if source is None or not all(file.is_file() for file in rest):
                raise LkmrsError(
                    f"{rest[0]} was read together with a file that was changed or is to go, and is gone: "
                    "bring it back, or run the job on other raw files"
                )
            parts.append(reading_of(one.catalog, source, rest))
    return [*as_at_hand(whole, there), *parts]


def _inputs_of(path: Path, out: Path, catalog: str, options: dict[str, Any], flux: bool) -> list[InputSpec]:
    """Inputs of one file or folder."""
    if not path.exists():
        raise UsageError(f"{path} is not there")
    # Folders by their real names, so that a file has one name however it was spelled.
    path = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    folder = path if path.is_dir() else path.parent
    found = _raw_files(path, out) if path.is_dir() else [path]
    spectra = [p for p in found if p.match(_SPECTRUM)]
    tables = [p for p in found if p not in set(spectra) and any(p.match(pattern) for pattern in _TABLES)]
    if not path.is_dir() and not spectra:
        tables = [path]
    inputs = []
    for kind, some, more in (("mrs_spectra", spectra, {"flux": flux}), ("table", tables, {})):
        if some:
            patterns = tuple(_literal(p.relative_to(folder).as_posix()) for p in some)
            owner = "spectra" if kind == "mrs_spectra" else catalog
            inputs.append(
                InputSpec(owner, kind, patterns, {**options, **more}, raw=str(folder), ingested=True)
            )
    if not inputs:
        raise UsageError(f"{path} holds no raw file: neither {_SPECTRUM} nor {', '.join(_TABLES)}")
    return inputs


def _raw_files(folder: Path, out: Path) -> list[Path]:
    """Files below a folder, without those of catalogues, of the survey itself and of hidden folders."""
    found = []
    for here, folders, names in os.walk(folder):
        root = Path(here)
        if "hats.properties" in names or root == out:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [root / name for name in names if not name.startswith(".")]
    return sorted(found)


def _literal(name: str) -> str:
    """Make of a file's name a pattern that matches just it."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
