"""Tables and figures of periodic variables: their list, Fig. 9, and how good the classifier is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lkmrs_dask.pipeline.classifier_stage import Training
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.light_stages import MAGNITUDES
from lkmrs_dask.pipeline.map_stage import draft_catalog
from lkmrs_dask.pipeline.periodic import Periodic
from lkmrs_dask.products.figures.classifier import figure_confusion, figure_reliability
from lkmrs_dask.products.figures.hr_diagram import figure_hr_classes, figure_hr_diagram
from lkmrs_dask.products.tables import write_paper_table
from lkmrs_dask.products.tables.variable_stars import variable_stars
from lkmrs_dask.stars.columns import floats
from lkmrs_dask.stars.hr_dust import extinction_in_use, extinction_words
from lkmrs_dask.stars.hr_settings import HrSettings
from lkmrs_dask.stars.hr_tracks import Strip, Track, read_strips, read_tracks
from lkmrs_dask.variability.evaluation import Reliability

__all__ = ["check_hr_files", "write_classifier", "write_periodic"]


def check_hr_files(settings: HrSettings) -> None:
    """See at the beginning of a run whether the maps, tracks and strips that a job names can be read.

    Raises
    ------
    UsageError, InputError
        Where one cannot.
    """
    extinction_in_use(settings)
    _tracks(settings)
    _strips(settings)


def _tracks(settings: HrSettings) -> list[Track]:
    return read_tracks(settings.tracks, settings.masses) if settings.tracks else []


def _strips(settings: HrSettings) -> list[Strip]:
    return read_strips(Path(settings.strips).expanduser() if settings.strips else None)


def write_periodic(periodic: Periodic, job: Job, draft: Draft, folder: Path) -> None:
    """Write the list of periodic variables, and draw Fig. 9 where absolute magnitudes are known."""
    rows = periodic.table
    f_main = floats(rows, "f_main")
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = rows.append_column("period_peak", pa.array(1.0 / f_main, from_pandas=True))
    write_paper_table(rows, variable_stars, folder)
    catalog = draft_catalog(draft, MAGNITUDES)
    if catalog is None:
        return
    stars = catalog[["teff", "m_g"]].to_arrow()
    settings = job.hr_diagram
    drawn: dict[str, Any] = {
        "tracks": _tracks(settings),
        "strips": _strips(settings),
        "masses": settings.masses,
        "extinction": extinction_words(extinction_in_use(settings), settings.dust_height),
    }
    every = (floats(stars, "teff"), floats(stars, "m_g"))
    figure_hr_diagram(every, rows, folder / "fig9_hr_diagram", **drawn)
    figure_hr_classes(every, rows, folder / "fig9_hr_classes", **drawn)


def write_classifier(training: Training, folder: Path) -> None:
    """Draw how the trained classifier does on stars that it has not seen."""
    found = training.evaluation
    title = "synthetic and real stars" if found["real"] else "synthetic stars"
    figure_confusion(
        {title: np.array(found["confusion"], np.int64)}, found["classes"], found["columns"],
        folder / "classifier_confusion",
    )  # fmt: skip
    values = found["reliability"]
    reliability = Reliability(
        np.array(values["probability"], np.float64),
        np.array(values["right"], np.float64),
        np.array(values["n"], np.int64),
        found["calibration_error"],
    )
    figure_reliability({"trained model": reliability}, folder / "classifier_reliability", title=title)
