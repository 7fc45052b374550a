"""``lkmrs demo``: the main job on a small survey that the package makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lkmrs_dask.pipeline.job import read_job
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.run import run_job

__all__ = ["run_demo"]


def run_demo(out: Path, n_stars: int, place: Place) -> dict[str, Any]:
    """Write synthetic raw files to ``out/raw`` and their survey to ``out/survey``; return its summary."""
    from lkmrs_dask.synthetic.job import write_job
    from lkmrs_dask.synthetic.quotas import N_STARS
    from lkmrs_dask.synthetic.survey import make_survey

    report, raw = Reporter(), out / "raw"
    report.say(f"synthetic survey of {n_stars} stars (not real data) in {raw}")
    with report.stage("synthetic files", "files"):
        make_survey(raw, n_stars / N_STARS, external=False, light_curves=False)
    job = read_job(write_job(out), raw=raw)
    return run_job(job, out / "survey", place, report)
