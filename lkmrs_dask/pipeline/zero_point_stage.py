"""Stage ``zero_points``: what raw velocities of each exposure and spectrograph have too much."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import pyarrow as pa

from lkmrs_dask.pipeline.beside import Beside, rows_of_stars
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.external_stage import External
from lkmrs_dask.pipeline.map_stage import Summing, draft_catalog, sum_partitions
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.pipeline.survey import MATCHES
from lkmrs_dask.pipeline.velocity_stages import RV, VARIABLE
from lkmrs_dask.schema import STARS
from lkmrs_dask.stars.rv_zero_points import ZeroPoints, rv_zero_points
from lkmrs_dask.stars.rv_zero_summary import (
    ARMS,
    ZeroPointSettings,
    ZeroPointSummary,
    merge_zero_points,
    summarise_zero_points,
    zero_point_columns,
)

__all__ = ["ZERO_POINTS", "find_zero_points"]

ZERO_POINTS = "zero_points"

_ID = STARS["star_id"].to_field()
_GAIA = ("radial_velocity", "radial_velocity_error", "rv_nb_transits")
_REFERENCE = pa.schema([_ID, *(pa.field(name, pa.float64()) for name in _GAIA)])


def find_zero_points(
    externals: Iterable[External],
    settings: ZeroPointSettings,
    draft: Draft,
    crew: Crew,
    report: Reporter,
) -> tuple[ZeroPoints | None, list[Failure]]:
    """Compare raw velocities with Gaia's; None where there are no such velocities on either side."""
    spectra = draft_catalog(draft, "spectra")
    gaia = next((one for one in externals if one.kind == "gaia" and _has_velocities(one, draft)), None)
    if spectra is None or gaia is None:
        return None, []
    columns = zero_point_columns(spectra.columns)
    if not set(ARMS.values()) & set(columns):
        return None, []
    work = Summing(
        "spectra",
        partial(_differences, settings),
        columns,
        depends=settings.of_rows(),
        beside=(Beside(f"{MATCHES}/{gaia.name}", _REFERENCE), Beside(RV, VARIABLE)),
    )
    receipts, failures = sum_partitions(ZERO_POINTS, [work], draft, crew, report)
    summary = merge_zero_points(ZeroPointSummary.from_json(one.extra) for one in receipts)
    return (rv_zero_points(summary, settings) if summary.n else None), failures


def _has_velocities(one: External, draft: Draft) -> bool:
    matched = draft_catalog(draft, f"{MATCHES}/{one.name}")
    return matched is not None and set(_GAIA[:2]) <= set(matched.columns)


def _differences(
    settings: ZeroPointSettings, spectra: pa.Table, reference: pa.Table, variability: pa.Table
) -> dict[str, Any]:
    variable = rows_of_stars(reference.column("star_id"), variability).column("rv_variable")
    reference = reference.append_column("rv_variable", variable)
    return summarise_zero_points(spectra, reference, settings).as_json()
