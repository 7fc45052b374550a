"""``summary.json``: every count of the paper by name, with the settings and versions that made them."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask import __version__
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.errors import LkmrsError
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.external_stage import External
from lkmrs_dask.pipeline.ingest import Ingested
from lkmrs_dask.pipeline.job import SECTIONS, Job
from lkmrs_dask.pipeline.products import Results
from lkmrs_dask.pipeline.progress import StageRecord
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.products.comparison_table import comparison_rows

__all__ = ["COUNT_NAMES", "make_summary", "read_summary"]

COUNT_NAMES = (
    "n_spectra", "n_single", "n_coadd", "n_stars", "n_stars_kepler", "n_stars_k2", "n_teff", "n_logg",
    "n_feh", "n_rv", "n_vsini", "n_alpha_m", "n_stars_with_parameters", "n_stars_with_3_coadds",
    "n_with_kic_epic", "n_mp", "n_vmp", "n_bound_hivels", "n_unbound_hivels", "n_rv_stars", "n_rvv",
    "n_periodic",
)  # fmt: skip
_PACKAGES = ("dask", "distributed", "pyarrow", "numpy", "pandas", "astropy", "healpy")


def make_summary(
    job: Job,
    draft: Draft,
    ingested: Ingested,
    results: Results,
    field: pa.Array,
    externals: Sequence[External],
    failures: Sequence[Failure],
    stages: Sequence[StageRecord],
) -> dict[str, Any]:
    """Collect all counts.

    ``n_stars`` are the stars of all catalogues; ``n_stars_with_3_coadds`` those with parameters from at
    least three spectra (section 3.1); ``n_plates`` are visits of plates, as in the paper's Table 1.
    """
    overview = results.overview
    fields = {item["values"]: item["counts"] for item in pc.value_counts(field).to_pylist()}
    total = overview.total()
    names = dict.fromkeys([*draft.survey.catalog_names(), *draft.next.catalog_names()])
    catalogs = {name: path for name in names if (path := draft.where(name)) is not None}
    times = _of_stars(catalogs, "times", pa.int32())
    named = _of_stars(catalogs, "kic_epic", pa.int64())
    counts = {
        **{name: total[name] for name in COUNT_NAMES if name in total},
        "n_stars": ingested.stars.num_rows,
        "n_stars_kepler": fields.get("Kepler", 0),
        "n_stars_k2": fields.get("K2", 0),
        "n_stars_with_parameters": len(times),
        "n_stars_with_3_coadds": pc.sum(pc.greater_equal(times, 3)).as_py() or 0,
        "n_with_kic_epic": len(named) - named.null_count,
        **results.peculiar.counts,
    }
    return {
        "job": job.name,
        **{name: int(counts.get(name, 0)) for name in COUNT_NAMES},
        "classes": results.peculiar.periodic.classes if results.peculiar.periodic is not None else {},
        "light_curves": _light(results),
        "n_plates": total["n_plates"],
        "n_exposures": total["n_exposures"],
        "catalogs": {name: len(open_catalog(path)) for name, path in catalogs.items()},
        "years": {str(year) if year else "unknown": row for year, row in overview.by_year().items()},
        "plates": overview.by_plate(),
        "external": {one.name: {"kind": one.kind, **one.counts} for one in externals},
        "known": {
            "lists": results.peculiar.lists,
            **{name: n for name, n in results.peculiar.counts.items() if name.endswith("_known")},
        },
        "error_law": {name: law.as_dict() for name, law in results.laws.items()},
        "comparison": _plain(comparison_rows(results.comparisons.lines)),
        "rows_set_aside": dict(sorted(ingested.set_aside.items())),
        "failed_files": [str(failure) for failure in ingested.failed_files],
        "failed_pieces": [str(failure) for failure in failures],
        "settings": _settings(job),
        "stages": {stage.name: stage.as_json() for stage in stages},
        "versions": {
            "lkmrs_dask": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
    }


def _light(results: Results) -> dict[str, Any]:
    """Light curves: how many there are and were searched, what failed, and how good the classifier is."""
    if results.light_curves is None:
        return {}
    found = results.light_curves.as_json()
    if results.peculiar.periodic is not None:
        periodic = results.peculiar.periodic
        found |= {"searched": periodic.searched, "failed": periodic.failed}
        found["n_periodic_not_in_survey"] = periodic.counts["n_periodic_not_in_survey"]
    if results.training is not None:
        names = ("n_stars", "real", "balanced_accuracy", "calibration_error")
        found["classifier"] = {name: results.training.evaluation[name] for name in names}
    return found


def _settings(job: Job) -> dict[str, Any]:
    """All settings as JSON has them."""
    sections = {name: asdict(getattr(job, name)) for name in SECTIONS}
    sections |= {"orbits": asdict(job.orbits)} if job.orbits is not None else {}
    plain = {name: _plain([values])[0] for name, values in sections.items()}
    return json.loads(json.dumps({**asdict(job.settings), **plain}))


def _of_stars(catalogs: Mapping[str, Path], column: str, kind: pa.DataType) -> pa.ChunkedArray:
    if "stars" not in catalogs:
        return pa.chunked_array([], type=kind)
    return open_catalog(catalogs["stars"])[[column]].to_arrow().column(column)


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as JSON has them: null for what is no number."""
    return [
        {
            name: None if isinstance(value, float) and not isfinite(value) else value
            for name, value in row.items()
        }
        for row in rows
    ]


def read_summary(survey: Survey) -> dict[str, Any] | None:
    """Read a survey's summary, or None before its run has ended."""
    if not survey.summary.is_file():
        return None
    try:
        return json.loads(survey.summary.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise LkmrsError(f"{survey.summary} is damaged ({fault}); run the job again") from fault
