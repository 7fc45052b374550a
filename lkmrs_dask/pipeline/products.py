"""Last stage of a run: tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.pipeline.classifier_stage import Training
from lkmrs_dask.pipeline.comparisons import Comparisons
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.light_curve_stage import LightCurves
from lkmrs_dask.pipeline.light_products import write_classifier, write_periodic
from lkmrs_dask.pipeline.peculiar import Peculiar
from lkmrs_dask.pipeline.peculiar_products import write_paper_tables, write_peculiar, write_zero_points
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.products.comparison_table import (
    comparison_table,
    offsets_table,
    write_comparison,
    write_offsets,
)
from lkmrs_dask.products.error_table import error_table, write_error_table
from lkmrs_dask.products.figures.comparison import figure_comparison, figure_offsets
from lkmrs_dask.products.figures.errors import figure_errors
from lkmrs_dask.products.figures.exposures import figure_exposures
from lkmrs_dask.products.figures.plates import figure_plates
from lkmrs_dask.products.figures.velocities import figure_velocities
from lkmrs_dask.products.overview_table import overview_table, plates_table, write_overview, write_plates
from lkmrs_dask.stars.error_law import ErrorLaw
from lkmrs_dask.stars.error_settings import ErrorLawSettings
from lkmrs_dask.stars.error_summary import DeviationSummary
from lkmrs_dask.stars.overview import Overview
from lkmrs_dask.stars.rv_zero_points import ZeroPoints

__all__ = ["Results", "write_products"]

PRODUCTS = "products"
_PAPER = {"apogee": 4, "galah": 5}
"""Numbers of the paper's figures that compare with a survey."""


@dataclass(frozen=True)
class Results:
    """What tables and figures show.

    Parameters
    ----------
    overview : Overview
        Counts.
    deviations : DeviationSummary
        Of measurements from means.
    laws : mapping
        Eq. 4 by parameter.
    error_law : ErrorLawSettings
        With which they were fitted.
    comparisons : Comparisons
        With other surveys.
    peculiar : Peculiar
        Stars of section 4.
    zero_points : ZeroPoints or None
        Of raw radial velocities.
    light_curves : LightCurves or None
        What light curves there are.
    training : Training or None
        What the classifier of variables is made of.
    """

    overview: Overview
    deviations: DeviationSummary
    laws: Mapping[str, ErrorLaw]
    error_law: ErrorLawSettings
    comparisons: Comparisons
    peculiar: Peculiar
    zero_points: ZeroPoints | None
    light_curves: LightCurves | None = None
    training: Training | None = None


def write_products(job: Job, draft: Draft, results: Results, report: Reporter) -> None:
    """Write Tables 1 to 6, Figs. 1 to 9, the comparisons as tables, and the list of periodic variables."""
    folder = draft.next.products
    with report.stage(PRODUCTS, "files") as record:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        _write_overview(draft, results.overview, folder)
        if any(one.n_spectra for one in results.deviations.parameters.values()):
            write_error_table(error_table(results.laws), folder)
            figure_errors(results.deviations, results.laws, folder / "fig3_errors", results.error_law)
        if results.comparisons.lines:
            _write_comparisons(results.comparisons, folder)
        write_paper_tables(draft, results.laws, results.peculiar, folder)
        write_peculiar(results.peculiar, job, folder)
        if results.peculiar.periodic is not None:
            write_periodic(results.peculiar.periodic, job, draft, folder)
        if results.training is not None:
            write_classifier(results.training, folder)
        if results.zero_points is not None:
            write_zero_points(results.zero_points, folder)
        draft.replace(PRODUCTS)
        record.total = record.done = sum(1 for _ in folder.iterdir())


def _write_overview(draft: Draft, overview: Overview, folder: Path) -> None:
    write_overview(overview_table(overview), folder)
    plates = plates_table(overview)
    write_plates(plates, folder)
    if len(plates):
        figure_plates(plates, folder / "fig1_plates")
    targets = draft.where("targets")
    if targets is not None:
        columns = open_catalog(targets)[["n_exposures", "field"]].to_arrow()
        figure_exposures(
            columns.column("n_exposures").to_numpy(), columns.column("field"), folder / "fig2_exposures"
        )


def _write_comparisons(comparisons: Comparisons, folder: Path) -> None:
    write_comparison(comparison_table(comparisons.lines), folder)
    write_offsets(offsets_table(comparisons.offsets), folder)
    figure_offsets(comparisons.offsets, folder / "offsets")
    for survey, kind in comparisons.kinds.items():
        mine = {(p, c): one for (s, p, c), one in comparisons.lines.items() if s == survey and p != "rv"}
        if mine:
            number = _PAPER.get(kind) if survey == kind else None
            name = f"fig{number}_{survey}" if number else f"comparison_{survey}"
            figure_comparison(mine, survey, folder / name)
    velocities = {(s, c): one for (s, p, c), one in comparisons.lines.items() if p == "rv"}
    if velocities:
        surveys = list(dict.fromkeys(survey for survey, _ in velocities))
        surveys.sort(key=lambda name: ("gaia", "apogee", "galah", name).index(name))
        figure_velocities(velocities, folder / "fig6_velocities", surveys=surveys)
