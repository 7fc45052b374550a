"""A whole run: raw files to catalogues, star catalogue, tables, figures and summary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from lkmrs_dask.catalog.receipts import write_text
from lkmrs_dask.errors import LkmrsError
from lkmrs_dask.pipeline.classifier_stage import Training, check_training, forget_training
from lkmrs_dask.pipeline.cluster import open_crew
from lkmrs_dask.pipeline.comparisons import compare_surveys
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.external_stage import External, write_external
from lkmrs_dask.pipeline.footprints import Footprints
from lkmrs_dask.pipeline.identifiers import Identifiers
from lkmrs_dask.pipeline.ingest import Ingested, ingest, write_set_aside
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.light_curve_stage import (
    CURVE_FILES,
    DESCRIPTIONS,
    LIGHT_CURVES,
    LightCurves,
    write_light_curves,
)
from lkmrs_dask.pipeline.light_products import check_hr_files
from lkmrs_dask.pipeline.light_stages import FREQUENCIES, MAGNITUDES, write_frequencies, write_magnitudes
from lkmrs_dask.pipeline.matches import write_matches
from lkmrs_dask.pipeline.peculiar import find_peculiar
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.products import Results, write_products
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.readings import Reading, readings_of
from lkmrs_dask.pipeline.record import job_record, kept_readings
from lkmrs_dask.pipeline.rest import stale_parts, write_rest
from lkmrs_dask.pipeline.science import count_survey, sum_deviations, write_targets
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.pipeline.star_stages import write_means, write_stars
from lkmrs_dask.pipeline.summary import make_summary, read_summary
from lkmrs_dask.pipeline.survey import MATCHES, MEANS, Survey
from lkmrs_dask.pipeline.variable_stage import VARIABLES, write_variables
from lkmrs_dask.pipeline.velocity_stages import (
    KINEMATICS,
    ORBITS,
    RV,
    write_kinematics,
    write_orbits,
    write_rv_variability,
)
from lkmrs_dask.pipeline.zero_point_stage import find_zero_points
from lkmrs_dask.schema import PARAMETERS
from lkmrs_dask.stars.error_law import fit_error_laws
from lkmrs_dask.stars.error_summary import DeviationSummary
from lkmrs_dask.stars.overview import Overview
from lkmrs_dask.stars.rv_zero_points import ZeroPoints

__all__ = ["run_job", "run_readings"]

_FAILURES_SHOWN = 5


def run_job(
    job: Job,
    out: str | Path,
    place: Place | None = None,
    report: Reporter | None = None,
    *,
    drop_ingested: bool = False,
) -> dict[str, Any]:
    """Carry out a job, or go on with it: pieces that are done and as they should be are not done again.

    Parameters
    ----------
    job : Job
        What to do, as from `read_job`.
    out : str or Path
        The survey folder.  It changes at once when the run has ended; until then it stays as it was.
    place : Place, optional
        Where to compute; threads of this process if not given.
    report : Reporter, optional
        Shows and records the stages.
    drop_ingested : bool
        Leave out files that `add_files` added to the survey and that are no files of the job; they stay if
        not told so.

    Returns
    -------
    dict
        The summary, as written to ``summary.json``.  Its ``failed_files`` lists raw files whose reading
        ended early (their good rows are in), its ``failed_pieces`` what could not be done at all.

    Raises
    ------
    UsageError
        For a wrong job, or an output that is no folder.
    LkmrsError
        When no row could be used; when the disk is full or the scheduler is lost; when pieces failed and the
        survey that is there is better left as it is.
    """
    report = report or Reporter()
    survey = Survey(Path(out).absolute())  # workers may have another current folder
    sources = job.sources()
    survey.check_inputs(file for spec in job.external for file in spec.check(job.raw))
    survey.check_inputs(file for spec in job.light_curves for file in spec.found(job.raw))
    check_hr_files(job.hr_diagram)
    check_training(job)
    with survey.locked():
        draft = Draft(survey)
        draft.begin()
        readings = readings_of(sources)
        if not drop_ingested:
            job, kept = kept_readings(survey, job, readings)
            n_kept = sum(len(one.files) for one in kept)
            if n_kept:
                report.say(f"{n_kept:,} files of earlier ingests stay in the survey (else: --drop-ingested)")
            readings += kept
        return run_readings(job, readings, draft, place, report, keep_external=False)


def run_readings(
    job: Job,
    readings: Sequence[Reading],
    draft: Draft,
    place: Place | None = None,
    report: Reporter | None = None,
    *,
    keep_external: bool = True,
) -> dict[str, Any]:
    """Make a survey of readings; see `run_job` and `write_external`.  The caller holds its lock."""
    report = report or Reporter()
    survey = draft.survey
    survey.check_inputs(file for one in readings for file in one.files)
    # Pieces are done side by side already: threads of a linear algebra library would only get in their way.
    with open_crew(place or Place()) as crew, threadpool_limits(1, "blas"):
        if crew.dashboard:
            report.say(f"dashboard      {crew.dashboard}")
        crew.check_sees(draft.next.receipts)
        draft.stale = stale_parts(survey)
        ingested = ingest(readings, job.settings, draft, crew, report)
        externals, lost = write_external(job, draft, crew, report, keep=keep_external)
        science = _science(job, ingested, externals, draft, crew, report, keep=keep_external)
        failures = [*ingested.failures, *lost, *science.failures]
    if failures and survey.success.is_file():
        raise LkmrsError(_lost(failures, f"{survey.root} is as it was; run the same command again to go on"))
    description = json.dumps(job.as_json(), indent=1)
    done = _summary_if_sound(survey)
    sound = not (failures or draft.changed or draft.stale) and survey.success.is_file()
    if sound and done and _same_text(job_record(survey), description):
        survey.clear_work()
        report.say("nothing to do: all pieces are there, with the same inputs, settings and code")
        return done
    write_set_aside(draft, ingested.reads)
    results = _results(job, science, externals, draft, report)
    write_products(job, draft, results, report)
    field = science.footprints.field(ingested.stars)
    summary = make_summary(job, draft, ingested, results, field, externals, failures, report.stages)
    write_text(draft.next.receipts / "job.json", description)
    write_text(draft.next.summary, json.dumps(summary, indent=1) + "\n")
    for name in ("receipts/job.json", "summary.json"):
        draft.replace(name)
    write_rest(draft)
    draft.commit(success=not failures)
    if not failures:
        survey.clear_work()
    return summary


@dataclass(frozen=True)
class _Science:
    """What the stages behind the catalogues of raw files give."""

    overview: Overview
    deviations: DeviationSummary
    footprints: Footprints
    zero_points: ZeroPoints | None
    light_curves: LightCurves | None
    training: Training | None
    failures: list[Failure]


def _results(
    job: Job, science: _Science, externals: Sequence[External], draft: Draft, report: Reporter
) -> Results:
    """What tables and figures show."""
    return Results(
        science.overview,
        science.deviations,
        fit_error_laws(science.deviations, job.error_law),
        job.error_law,
        compare_surveys(externals, draft, job.comparison, job.offsets, report),
        find_peculiar(job, draft),
        science.zero_points,
        science.light_curves,
        science.training,
    )


def _science(
    job: Job,
    ingested: Ingested,
    externals: list[External],
    draft: Draft,
    crew: Crew,
    report: Reporter,
    *,
    keep: bool,
) -> _Science:
    """Stages behind the catalogues of raw files."""
    for name in {"spectra", "measurements"} - set(ingested.rows):
        _drop(draft, name)
    overview, plans, failures = count_survey(draft, crew, report)
    footprints = Footprints.of_plans(plans, job.settings)
    if "spectra" in ingested.rows:
        failures += write_targets(draft, footprints, crew, report)
    else:
        _drop(draft, "targets")
    deviations, lost = sum_deviations(job.error_law, draft, crew, report)
    failures += lost
    made: list[str] = []
    zero_points, light_curves, training = None, None, None
    if any(overview.total()[f"n_{name}"] for name in PARAMETERS):
        identifiers = Identifiers.from_catalogs(externals, job.settings)
        failures += write_means(draft, footprints, identifiers, crew, report)
        made, lost = write_matches(externals, job.settings, draft, crew, report)
        failures += lost
        failures += write_rv_variability(job.rv_variables, draft, crew, report)
        found, lost = write_kinematics(externals, job.high_velocity, draft, crew, report)
        failures += lost
        if not found:
            _drop(draft, KINEMATICS)
        found, lost = write_orbits(job.orbits, draft, crew, report) if job.orbits is not None else (False, [])
        failures += lost
        if not found:
            _drop(draft, ORBITS)
        zero_points, lost = find_zero_points(externals, job.zero_points, draft, crew, report)
        failures += lost
        found, lost = write_magnitudes(externals, job.hr_diagram, draft, crew, report)
        failures += lost
        if not found:
            _drop(draft, MAGNITUDES)
        light_curves, training, lost = _light(job, draft, crew, report, keep=keep)
        failures += lost
        failures += write_stars(job.metal_poor, draft, crew, report)
    else:
        for name in (MEANS, RV, KINEMATICS, ORBITS, MAGNITUDES, "stars"):
            _drop(draft, name)
        _drop_light(draft, files=True)
    for name in set(draft.survey.catalog_names()) - set(made):
        if name.startswith(f"{MATCHES}/"):
            _drop(draft, name)
    return _Science(overview, deviations, footprints, zero_points, light_curves, training, failures)


_LIGHT = (LIGHT_CURVES, FREQUENCIES, VARIABLES)


def _light(
    job: Job, draft: Draft, crew: Crew, report: Reporter, *, keep: bool
) -> tuple[LightCurves | None, Training | None, list[Failure]]:
    """Stages of light curves, where there are some."""
    found, failures = write_light_curves(job, draft, crew, report, keep=keep)
    if found is None or not found.n_curves:
        _drop_light(draft, files=found is None)
        return found, None, failures
    failures += write_frequencies(job.variability, job.frequencies, draft, crew, report)
    training, lost = write_variables(job, draft, crew, report)
    return found, training, [*failures, *lost]


def _drop_light(draft: Draft, *, files: bool) -> None:
    """Remove what light curves gave an earlier run; `files`: also what was read of them."""
    for name in _LIGHT:
        _drop(draft, name)
    forget_training(draft, classifier=True)
    if files:
        for name in (DESCRIPTIONS, f"receipts/{CURVE_FILES}", f"set_aside/{LIGHT_CURVES}.csv"):
            draft.remove(name)


def _drop(draft: Draft, name: str) -> None:
    """Remove a catalogue of an earlier run that this one does not make, lest it pass for its result."""
    draft.prune(name, [], [draft.next.catalog(name), draft.next.repeated(name)])
    for path in (name, f"receipts/{name}", f"set_aside/{name}_repeated"):
        draft.remove(path)


def _lost(failures: Sequence[Failure], remedy: str) -> str:
    shown = "; ".join(map(str, failures[:_FAILURES_SHOWN]))
    more = f"; and {len(failures) - _FAILURES_SHOWN} more" if len(failures) > _FAILURES_SHOWN else ""
    return f"{len(failures)} pieces failed: {shown}{more}. {remedy}"


def _summary_if_sound(survey: Survey) -> dict[str, Any] | None:
    try:
        return read_summary(survey)
    except LkmrsError:
        return None  # this run writes it anew


def _same_text(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
