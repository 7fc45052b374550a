"""Science stages of a run: each maps a pure function over the partitions of a catalogue that have changed."""

from __future__ import annotations

from functools import partial
from typing import Any

import pyarrow as pa

from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.footprints import Footprints
from lkmrs_dask.pipeline.map_stage import MapWork, Summing, draft_catalog, map_catalog, sum_partitions
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.schema import HEALPIX_COLUMN, MEASUREMENTS, TARGETS
from lkmrs_dask.stars.error_settings import ErrorLawSettings
from lkmrs_dask.stars.error_summary import DEVIATION_COLUMNS, DeviationSummary, summarise_deviations
from lkmrs_dask.stars.error_summary import merge as merge_deviations
from lkmrs_dask.stars.overview import Overview, merge, overview_partial, parameters_partial, star_overview

__all__ = ["count_survey", "sum_deviations", "write_targets"]

OVERVIEW, DEVIATIONS = "overview", "deviations"
_SPECTRA_NEEDS = ("star_id", "planid", "lmjd", "obsdate", "mjd", "lmjm", "coadd")
_TARGET_NEEDS = (HEALPIX_COLUMN, "ra", "dec", "uid", *_SPECTRA_NEEDS)
_PARAMETER_NEEDS = ("planid", "lmjd", "obsdate", "mjd", "teff", "logg", "feh", "rv", "vsini", "alpha_m")


def count_survey(draft: Draft, crew: Crew, report: Reporter) -> tuple[Overview, list[str], list[Failure]]:
    """Count spectra, exposures and parameters by year and plate; also list all plans of the survey."""
    work = [
        Summing("spectra", partial(_counts, overview_partial), _SPECTRA_NEEDS),
        Summing("measurements", partial(_counts, parameters_partial), _PARAMETER_NEEDS),
    ]
    receipts, failures = sum_partitions(OVERVIEW, work, draft, crew, report)
    overview = merge(Overview.from_json(one.extra["overview"]) for one in receipts)
    plans = set().union(*(one.extra["plans"] for one in receipts))
    return overview, sorted(plans), failures


def _counts(count: Any, table: pa.Table) -> dict[str, Any]:
    there = "planid" in table.column_names
    plans = table.column("planid").unique().drop_null().to_pylist() if there else []
    return {"overview": count(table).as_json(), "plans": sorted(plans)}


def sum_deviations(
    settings: ErrorLawSettings, draft: Draft, crew: Crew, report: Reporter
) -> tuple[DeviationSummary, list[Failure]]:
    """Sum up the deviations of all measurements from the means of their stars (Eq. 3)."""
    work = Summing(
        "measurements", partial(_deviations, settings), DEVIATION_COLUMNS, depends=settings.of_rows()
    )
    receipts, failures = sum_partitions(DEVIATIONS, [work], draft, crew, report)
    if not receipts:  # there are no measurements
        none = MEASUREMENTS.arrow(DEVIATION_COLUMNS).empty_table()
        return summarise_deviations(none, settings), failures
    return merge_deviations(DeviationSummary.from_json(one.extra) for one in receipts), failures


def _deviations(settings: ErrorLawSettings, table: pa.Table) -> dict[str, Any]:
    return summarise_deviations(table, settings).as_json()


def write_targets(draft: Draft, footprints: Footprints, crew: Crew, report: Reporter) -> list[Failure]:
    """Write one row per star with spectra: how often it was observed, and in which field it lies."""
    spectra = draft_catalog(draft, "spectra")
    assert spectra is not None
    work = MapWork(
        "targets",
        "spectra",
        spectra[[name for name in _TARGET_NEEDS if name in spectra.columns]],
        _observed_stars,
        TARGETS.arrow(),
        given=lambda part: footprints.near(*part),
        depends=lambda part: footprints.near(*part).as_json(),
    )
    return map_catalog(work, draft, crew, report)


def _observed_stars(spectra: pa.Table, footprints: Footprints) -> pa.Table:
    table = star_overview(spectra)
    return table.append_column("field", footprints.field(table))
