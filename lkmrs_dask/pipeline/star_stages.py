"""Stages ``means`` and ``stars``: what is measured of each star, and what section 4 makes of it."""

from __future__ import annotations

from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.pipeline.beside import Beside
from lkmrs_dask.pipeline.cluster import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.footprints import Footprints
from lkmrs_dask.pipeline.identifiers import Identifiers
from lkmrs_dask.pipeline.map_stage import MapWork, Pixel, draft_catalog, map_catalog
from lkmrs_dask.pipeline.maps import star_means
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.pipeline.velocity_stages import KINEMATICS, RV
from lkmrs_dask.schema import MEASUREMENTS, STARS
from lkmrs_dask.stars.kinematics.high_velocity import HIGH_VELOCITY_COLUMNS
from lkmrs_dask.stars.labels import join_labels
from lkmrs_dask.stars.metal_poor import MetalPoorSettings, metal_poor
from lkmrs_dask.stars.rv_variability import RV_VARIABILITY

__all__ = ["MEANS", "write_means", "write_stars"]

MEANS = "means"
_LABEL = "label"
_ID = STARS["star_id"].to_field()
_VARIABLE = pa.schema([_ID, RV_VARIABILITY["rv_variable"].to_field()])
_SPEED = pa.schema([_ID, next(c.to_field() for c in HIGH_VELOCITY_COLUMNS if c.name == "high_velocity")])
_SNR = pa.schema([_ID, MEASUREMENTS["snr"].to_field()])
_MEANS = STARS.arrow([name for name in STARS.names if name != _LABEL])


def write_means(
    draft: Draft, footprints: Footprints, identifiers: Identifiers, crew: Crew, report: Reporter
) -> list[Failure]:
    """Write weighted means of each star's parameters, its field, and its other identifiers."""
    measurements = draft_catalog(draft, "measurements")
    assert measurements is not None
    work = MapWork(
        MEANS,
        "measurements",
        star_means(measurements),
        partial(_complete, identifiers),
        _MEANS,
        given=lambda part: (part, footprints.near(*part)),
        depends=lambda part: [footprints.near(*part).as_json(), identifiers.made_of],
    )
    return map_catalog(work, draft, crew, report)


def _complete(identifiers: Identifiers, means: pa.Table, given: tuple[Pixel, Footprints]) -> pa.Table:
    part, footprints = given
    table = means.append_column("field", footprints.field(means))
    for name, column in identifiers.of(means, part).items():
        table = table.append_column(name, column)
    return table


def write_stars(settings: MetalPoorSettings, draft: Draft, crew: Crew, report: Reporter) -> list[Failure]:
    """Write Table 2: the means with the labels of section 4."""
    means = draft_catalog(draft, MEANS)
    if means is None:
        return []
    work = MapWork(
        "stars", MEANS, means, partial(_labelled, settings), STARS.arrow(),
        depends=lambda part: repr(settings),
        beside=(Beside(RV, _VARIABLE), Beside(KINEMATICS, _SPEED), Beside("measurements", _SNR)),
    )  # fmt: skip
    return map_catalog(work, draft, crew, report)


def _labelled(
    settings: MetalPoorSettings,
    means: pa.Table,
    given: None,
    variability: pa.Table,
    kinematics: pa.Table,
    measurements: pa.Table,
) -> pa.Table:
    star = means.column("star_id")
    best = measurements.group_by("star_id").aggregate([("snr", "max")])
    snr = _of_stars(star, best, "snr_max").cast(pa.float64()).to_numpy()
    feh, error, n_feh = (means.column(name).to_numpy() for name in ("feh", "feh_err", "n_feh"))
    labels = {
        "metal_poor": metal_poor(feh, error, n_feh=n_feh, snr=snr, settings=settings).metal_class,
        "RVV": _of_stars(star, variability, "rv_variable"),
        "high_velocity": _of_stars(star, kinematics, "high_velocity"),
    }
    return means.append_column(_LABEL, join_labels(labels))


def _of_stars(star: pa.ChunkedArray, table: pa.Table, name: str) -> pa.ChunkedArray:
    """Column of another table for some stars, null where it has them not."""
    return table.column(name).take(pc.index_in(star, value_set=table.column("star_id").combine_chunks()))
