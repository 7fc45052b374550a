"""``summary.json``: every count of the paper by name, with the settings and versions that made them."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask import __version__
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.errors import LkmrsError
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.ingest import Ingested
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.progress import StageRecord
from lkmrs_dask.pipeline.science import Footprints
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.pipeline.survey import CATALOGS, Survey
from lkmrs_dask.stars.overview import Overview

__all__ = ["COUNT_NAMES", "make_summary", "read_summary"]

COUNT_NAMES = (
    "n_spectra", "n_single", "n_coadd", "n_stars", "n_stars_kepler", "n_stars_k2", "n_teff", "n_logg",
    "n_feh", "n_rv", "n_vsini", "n_alpha_m", "n_stars_with_parameters", "n_stars_with_3_coadds",
)  # fmt: skip
_PACKAGES = ("dask", "distributed", "pyarrow", "numpy", "pandas", "astropy", "healpy")


def make_summary(
    job: Job,
    draft: Draft,
    ingested: Ingested,
    overview: Overview,
    footprints: Footprints,
    failures: Sequence[Failure],
    stages: Sequence[StageRecord],
) -> dict[str, Any]:
    """Collect all counts.

    ``n_stars`` are the stars of all catalogues; ``n_stars_with_3_coadds`` those with parameters from at
    least three spectra (section 3.1); ``n_plates`` are visits of plates, as in the paper's Table 1.
    """
    field = footprints.field(ingested.stars)
    fields = {item["values"]: item["counts"] for item in pc.value_counts(field).to_pylist()}
    total = overview.total()
    catalogs = {name: path for name in CATALOGS if (path := draft.where(name)) is not None}
    times = _times(catalogs)
    counts = {
        **{name: total[name] for name in COUNT_NAMES if name in total},
        "n_stars": ingested.stars.num_rows,
        "n_stars_kepler": fields.get("Kepler", 0),
        "n_stars_k2": fields.get("K2", 0),
        "n_stars_with_parameters": len(times),
        "n_stars_with_3_coadds": pc.sum(pc.greater_equal(times, 3)).as_py() or 0,
    }
    return {
        "job": job.name,
        **{name: int(counts[name]) for name in COUNT_NAMES},
        "n_plates": total["n_plates"],
        "n_exposures": total["n_exposures"],
        "catalogs": {name: len(open_catalog(path)) for name, path in catalogs.items()},
        "years": {str(year) if year else "unknown": row for year, row in overview.by_year().items()},
        "plates": overview.by_plate(),
        "rows_set_aside": dict(sorted(ingested.set_aside.items())),
        "failed_files": [str(failure) for failure in ingested.failed_files],
        "failed_pieces": [str(failure) for failure in failures],
        "settings": asdict(job.settings),
        "stages": {stage.name: stage.as_json() for stage in stages},
        "versions": {
            "lkmrs_dask": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
    }


def _times(catalogs: Mapping[str, Path]) -> pa.ChunkedArray:
    if "stars" not in catalogs:
        return pa.chunked_array([], type=pa.int32())
    return open_catalog(catalogs["stars"])[["times"]].to_arrow().column("times")


def read_summary(survey: Survey) -> dict[str, Any] | None:
    """Read a survey's summary, or None before its run has ended."""
    if not survey.summary.is_file():
        return None
    try:
        return json.loads(survey.summary.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise LkmrsError(f"{survey.summary} is damaged ({fault}); run the job again") from fault
