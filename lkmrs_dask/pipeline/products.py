"""Last stage of a run: tables and figures."""

from __future__ import annotations

from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.products.figures.exposures import figure_exposures
from lkmrs_dask.products.figures.plates import figure_plates
from lkmrs_dask.products.overview_table import overview_table, plates_table, write_overview, write_plates
from lkmrs_dask.stars.overview import Overview

__all__ = ["write_products"]

PRODUCTS = "products"


def write_products(draft: Draft, overview: Overview, report: Reporter) -> None:
    """Write Table 1 and Figs. 1 and 2."""
    folder = draft.next.products
    with report.stage(PRODUCTS, "files") as record:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
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
        draft.replace(PRODUCTS)
        record.total = record.done = sum(1 for _ in folder.iterdir())
