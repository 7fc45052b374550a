"""``lkmrs ingest``: add raw files to a survey, or begin one with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from lkmrs_dask.catalog.survey_rows import SurveyRows
from lkmrs_dask.errors import LkmrsError, UsageError
from lkmrs_dask.pipeline.cluster import Place
from lkmrs_dask.pipeline.job import InputSpec, Job, Settings
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.run import run_sources
from lkmrs_dask.pipeline.summary import read_summary
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.readers.base import Source
from lkmrs_dask.schema import MEASUREMENTS, SPECTRA

__all__ = ["add_files"]

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
    """Add raw files to the catalogues of a survey and bring all that depends on them up to date.

    The result is that of a run over all files together: the rows that are there are read back and built
    anew with the new ones.  Spectra known already are joined, not doubled.

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
    survey = Survey(Path(out))
    before = read_summary(survey) or {}
    if survey.catalogs() and not before:
        raise LkmrsError(
            f"{survey.root} has catalogues and no summary.json: its run has not ended; run it again"
        )
    settings = (
        Settings(**{f.name: before["settings"][f.name] for f in fields(Settings)}) if before else Settings()
    )
    sources: list[tuple[str, Source]] = [
        (table.name, SurveyRows(table, survey.catalog(table.name)))
        for table in (SPECTRA, MEASUREMENTS)
        if table.name in survey.catalogs()
    ]
    inputs = []
    for path in files:
        inputs += _inputs_of(path, catalog, {"plans": list(plans)}, flux)
    sources += [(spec.catalog, spec.source(folder, settings)) for folder, spec in inputs]
    name = before.get("job", survey.root.name)
    job = Job(name, "", survey.root, tuple(spec for _, spec in inputs), settings)
    return run_sources(job, sources, survey, place, report, before=before)


def _inputs_of(path: Path, catalog: str, options: dict[str, Any], flux: bool) -> list[tuple[Path, InputSpec]]:
    """Inputs of one file or folder, each with the folder that its patterns start from."""
    if not path.exists():
        raise UsageError(f"{path} is not there")
    folder = path if path.is_dir() else path.parent
    found = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    spectra = [p for p in found if p.match(_SPECTRUM)]
    tables = [p for p in found if p not in set(spectra) and any(p.match(pattern) for pattern in _TABLES)]
    if not path.is_dir() and not spectra:
        tables = [path]
    inputs = []
    for kind, some, more in (("mrs_spectra", spectra, {"flux": flux}), ("table", tables, {})):
        if some:
            patterns = tuple(_literal(p.relative_to(folder).as_posix()) for p in some)
            owner = "spectra" if kind == "mrs_spectra" else catalog
            inputs.append((folder, InputSpec(owner, kind, patterns, {**options, **more})))
    if not inputs:
        raise UsageError(f"{path} holds no raw file: neither {_SPECTRUM} nor {', '.join(_TABLES)}")
    return inputs


def _literal(name: str) -> str:
    """Make of a file's name a pattern that matches just it."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
