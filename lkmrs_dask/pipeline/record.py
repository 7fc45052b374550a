"""What a survey remembers of the job that made it, with all files that were added since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lkmrs_dask.errors import LkmrsError, UsageError
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.readings import FileState, Reading, as_at_hand, known_readings, readings_of
from lkmrs_dask.pipeline.survey import Survey

__all__ = ["job_record", "kept_readings", "readings_there", "recorded_job"]


def job_record(survey: Survey) -> Path:
    """Where it lies."""
    return survey.receipts / "job.json"


def recorded_job(survey: Survey) -> Job | None:
    """Job that a survey was made by, with all inputs added since; None for a new survey.

    Raises
    ------
    LkmrsError
        When a survey that is there has no record, or one that cannot be read.
    """
    path = job_record(survey)
    if not path.is_file():
        if survey.catalogs():
            raise LkmrsError(f"{survey.root} has catalogues and no receipts: run its job again")
        return None
    try:
        return Job.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as fault:
        raise LkmrsError(f"{path} is damaged ({fault}): run the survey's job again") from fault


def readings_there(job: Job) -> dict[str, Reading]:
    """Readings of a survey's job by name, as far as its raw files are still there."""
    there: dict[str, Reading] = {}
    for spec in job.inputs:
        source = spec.source(job.raw, job.settings)
        try:
            there |= {one.name: one for one in readings_of([(spec.catalog, source, source.files())])}
        except (UsageError, OSError):
            continue  # gone since; an error names them if it turns out that they are needed
    return there


def kept_readings(survey: Survey, job: Job, readings: Sequence[Reading]) -> tuple[Job, list[Reading]]:
    """Files that were added to a survey since its job was run last, and are no files of the job's.

    Parameters
    ----------
    survey : Survey
        The survey.
    job : Job
        The job that is run now.
    readings : sequence of Reading
        Of this job.

    Returns
    -------
    job : Job
        The job with the inputs of what was added.
    kept : list of Reading
        What was added; from its receipts, where its files are gone.
    """
    try:
        before = recorded_job(survey)
    except LkmrsError:
        return job, []  # the run that is asked for makes the record anew
    added = [spec for spec in before.inputs if spec.ingested] if before is not None else []
    names = {Path(spec.folder(job.raw)) / name for spec in added for name in spec.literal_files()}
    mine = {file for one in readings for file in one.files}
    states = {state for one in readings for state in one.state}
    kept = [
        one
        for one in known_readings(survey.receipts, damaged=[])
        if names & set(one.files) and not (mine & set(one.files) or _moved_among(one, states))
    ]
    if not kept:
        return job, []
    job = job.with_inputs(added)
    return job, as_at_hand(kept, readings_there(job))


def _moved_among(known: Reading, states: set[FileState]) -> bool:
    """Whether the files of a reading are gone, and files of a job, by their states, are the same."""
    return set(known.state) <= states and not any(file.exists() for file in known.files)
