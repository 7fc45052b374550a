"""Tables 2 to 6 in every format, and the figures of section 4."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.peculiar import Peculiar
from lkmrs_dask.products.figures.high_velocity import figure_high_velocity
from lkmrs_dask.products.figures.metallicity import figure_metallicity
from lkmrs_dask.products.figures.rv_variables import figure_rv_variables
from lkmrs_dask.products.tables import (
    FORMATS,
    error_law_rows,
    table2,
    table3,
    table4,
    table5,
    table6,
    write_paper_table,
)
from lkmrs_dask.stars.error_law import ErrorLaw
from lkmrs_dask.stars.kinematics.potentials import escape_speed
from lkmrs_dask.stars.rv_zero_points import ZeroPoints

__all__ = ["write_paper_tables", "write_peculiar", "write_zero_points"]

_CURVE_KPC = (1.0, 30.0)
_TABLE3 = tuple(one for one in FORMATS if one not in ("csv", "ecsv"))  # those are written in full


def write_paper_tables(draft: Draft, laws: Mapping[str, ErrorLaw], peculiar: Peculiar, folder: Path) -> None:
    """Write the tables of the paper of which there is something."""
    if any(law.n_spectra for law in laws.values()):
        write_paper_table(error_law_rows(laws), table3, folder, _TABLE3)
    stars = draft.where("stars")
    if stars is not None:
        write_paper_table(open_catalog(stars)[list(table2.sources)].to_arrow(), table2, folder)
    for rows, definition in ((peculiar.table4, table4), (peculiar.table5, table5), (peculiar.table6, table6)):
        if rows is not None:
            write_paper_table(rows, definition, folder)


def write_peculiar(peculiar: Peculiar, job: Job, folder: Path) -> None:
    """Draw Figs. 7 and 8, and the scatter of radial velocities."""
    if peculiar.stars is not None and peculiar.stars.column("feh").null_count < len(peculiar.stars):
        feh = peculiar.stars.column("feh").to_numpy()
        figure_metallicity(feh, folder / "fig7_metallicity", job.metal_poor)
    if peculiar.kinematics is not None and len(peculiar.kinematics):
        _draw_speeds(peculiar, job, folder / "fig8_high_velocity")
    if peculiar.variability is not None and len(peculiar.variability):
        figure_rv_variables(peculiar.variability, folder / "rv_variables", job.rv_variables)


def write_zero_points(zero_points: ZeroPoints, folder: Path) -> None:
    """Write the zero points of raw velocities, as many rows as exposures and arms."""
    path = folder / "rv_zero_points.parquet"
    unfinished = path.with_name(path.name + ".tmp")
    pq.write_table(zero_points.table, unfinished)
    unfinished.replace(path)


def _draw_speeds(peculiar: Peculiar, job: Job, path: Path) -> None:
    kinematics = peculiar.kinematics
    assert kinematics is not None
    settings = job.high_velocity
    r_gc, v_gc = (kinematics.column(name).to_numpy() for name in ("r_gc", "v_gc"))
    known = np.isfinite(r_gc) & np.isfinite(v_gc)
    # A star that has no place among the speeds has no label either.
    label = kinematics.column("high_velocity").combine_chunks()
    radius = np.linspace(*_CURVE_KPC, 300)
    figure_high_velocity(
        r_gc[known],
        v_gc[known],
        label.filter(pa.array(known)),
        radius,
        escape_speed(settings.potential)(radius, np.zeros_like(radius)),
        path,
        _single_epochs(peculiar),
        share=settings.high_fraction,
    )


def _single_epochs(peculiar: Peculiar) -> dict[str, tuple[float, np.ndarray, float]]:
    """Speeds of the epochs of unbound stars whose velocity varies, as the paper shows them of KIC 7881304."""
    rows = peculiar.table5
    if rows is None or peculiar.table6 is None or not len(rows):
        return {}
    unbound = rows.filter(pc.equal(rows.column("label"), "unbound"))
    varying = peculiar.table6.column("star_id").combine_chunks()
    unbound = unbound.filter(pc.is_in(unbound.column("star_id"), value_set=varying))
    return {_name(star): peculiar.epochs_of(star["star_id"]) for star in unbound.to_pylist()}


def _name(star: dict) -> str:
    number = star["kic_epic"]
    if number is None:
        return star["uid"] or star["star_id"]
    return f"{'EPIC' if number > 201_000_000 else 'KIC'} {number}"
