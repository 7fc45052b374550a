"""Stages ``means`` and ``stars``: what is measured of each star, and what section 4 makes of it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.pipeline.beside import Beside, rows_of_stars
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.footprints import Footprints
from lkmrs_dask.pipeline.identifiers import Identifiers
from lkmrs_dask.pipeline.map_stage import MapWork, Pixel, always, draft_catalog, map_catalog
from lkmrs_dask.pipeline.maps import star_means
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.pipeline.survey import MEANS
from lkmrs_dask.pipeline.variable_stage import CLASSES_OF_STARS, VARIABLES
from lkmrs_dask.pipeline.velocity_stages import KINEMATICS, RV, VARIABLE
from lkmrs_dask.schema import MEASUREMENTS, STARS
from lkmrs_dask.stars.kinematics.high_velocity import HIGH_VELOCITY_COLUMNS
from lkmrs_dask.stars.labels import join_labels
from lkmrs_dask.stars.metal_poor import MetalPoorSettings, metal_poor

__all__ = ["write_means", "write_stars"]

_LABEL = "label"
_ID = STARS["star_id"].to_field()
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
    beside = [Beside(RV, VARIABLE), Beside(KINEMATICS, _SPEED), Beside(VARIABLES, CLASSES_OF_STARS)]
    if settings.least_snr:
        beside.append(Beside("measurements", _SNR))
    work = MapWork(
        "stars", MEANS, means, partial(_labelled, settings), STARS.arrow(),
        depends=partial(always, repr(settings)), beside=tuple(beside),
    )  # fmt: skip
    return map_catalog(work, draft, crew, report)


def _labelled(
    settings: MetalPoorSettings,
    means: pa.Table,
    given: None,
    variability: pa.Table,
    kinematics: pa.Table,
    variables: pa.Table,
    measurements: pa.Table | None = None,
) -> pa.Table:
    star = means.column("star_id")
    feh, error, n_feh = (means.column(name).to_numpy() for name in ("feh", "feh_err", "n_feh"))
    snr = _best_snr(star, measurements) if measurements is not None else None
    labels = {
        "metal_poor": metal_poor(feh, error, n_feh=n_feh, snr=snr, settings=settings).metal_class,
        "RVV": rows_of_stars(star, variability).column("rv_variable"),
        "high_velocity": rows_of_stars(star, kinematics).column("high_velocity"),
        "variable_class": rows_of_stars(star, variables.filter(variables.column("best"))).column(
            "variable_class"
        ),
    }
    return means.append_column(_LABEL, join_labels(labels))


def _best_snr(star: pa.ChunkedArray, measurements: pa.Table) -> NDArray[np.float64]:
    best = measurements.group_by("star_id").aggregate([("snr", "max")])
    return rows_of_stars(star, best).column("snr_max").cast(pa.float64()).to_numpy()
