"""A whole run: raw files to catalogues, star catalogue, tables, figures and summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.pipeline.cluster import Place, open_executor
from lkmrs_dask.pipeline.ingest import ingest
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.science import Footprints, count_survey, write_stars, write_targets
from lkmrs_dask.pipeline.summary import make_summary, write_summary
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.products.figures.exposures import figure_exposures
from lkmrs_dask.products.figures.plates import figure_plates
from lkmrs_dask.products.overview_table import overview_table, plates_table, write_overview, write_plates
from lkmrs_dask.readers.base import Source
from lkmrs_dask.schema import PARAMETERS
from lkmrs_dask.stars.overview import Overview

__all__ = ["run_job", "run_sources"]


def run_job(
    job: Job, out: str | Path, place: Place | None = None, report: Reporter | None = None
) -> dict[str, Any]:
    """Carry out a job.

    Parameters
    ----------
    job : Job
        What to do, as from `read_job`.
    out : str or Path
        The survey folder; catalogues of an earlier run are replaced, each when its successor is complete.
    place : Place, optional
        Where to compute; threads of this process if not given.
    report : Reporter, optional
        Shows and records the stages.

    Returns
    -------
    dict
        The summary, as written to ``summary.json``.  Its ``failed_files`` lists raw files whose reading
        ended early; their good rows are in.

    Raises
    ------
    UsageError
        For a wrong job, or an output that is no folder.
    LkmrsError
        When no row could be used.
    """
    sources = [(spec.catalog, source) for spec, source in job.sources()]
    return run_sources(job, sources, Survey(Path(out)), place, report)


def run_sources(
    job: Job,
    sources: Sequence[tuple[str, Source]],
    survey: Survey,
    place: Place | None = None,
    report: Reporter | None = None,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Carry out a job on sources made already, each beside the name of its catalogue; see `run_job`.

    With the summary `before` of the survey that is added to, what was set aside then stays on record.
    """
    report = report or Reporter()
    earlier = dict(before.get("rows_set_aside", {})) if before else None
    with survey.locked(), open_executor(place or Place()) as executor:
        ingested = ingest(sources, job.settings, survey, executor, report, earlier)
        _drop_stale(survey, {"spectra", "measurements"} - set(ingested.rows))
        overview, plans = count_survey(survey, executor, report)
        footprints = Footprints.of_plans(plans, job.settings)
        if "spectra" in ingested.rows:
            write_targets(survey, footprints, executor, report)
        else:
            _drop_stale(survey, {"targets"})
        if any(overview.total()[f"n_{name}"] for name in PARAMETERS):
            write_stars(survey, footprints, executor, report)
        else:
            _drop_stale(survey, {"stars"})
        write_products(survey, overview, report)
        summary = make_summary(job, survey, ingested, overview, footprints, report.stages)
        again = tuple(f"file {file}{end}" for file in ingested.files for end in ":,")
        still = [text for text in (before or {}).get("failed_files", []) if not text.startswith(again)]
        summary["failed_files"] = still + summary["failed_files"]
        # The old summary stands until now: a run that was killed can be taken up with its settings.
        survey.publish_set_aside()
        write_summary(summary, survey.summary)
    return summary


def _drop_stale(survey: Survey, names: set[str]) -> None:
    """Remove catalogues of an earlier run that this one does not make, lest they pass for its results."""
    for name, folder in survey.catalogs().items():
        if name in names:
            survey.drop(folder)


def write_products(survey: Survey, overview: Overview, report: Reporter) -> None:
    """Write Table 1 and Figs. 1 and 2."""
    with report.stage("products", "products"):
        survey.products.mkdir(parents=True, exist_ok=True)
        write_overview(overview_table(overview), survey.products)
        plates = plates_table(overview)
        write_plates(plates, survey.products)
        if len(plates):
            figure_plates(plates, survey.products / "fig1_plates")
        if "targets" in survey.catalogs():
            targets = open_catalog(survey.catalog("targets"))[["n_exposures", "field"]].to_arrow()
            figure_exposures(
                targets.column("n_exposures").to_numpy(),
                targets.column("field"),
                survey.products / "fig2_exposures",
            )
