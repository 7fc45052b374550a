"""Stage ``variables``: which stars vary, how, and of what class they are (section 4.3)."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from lkmrs_dask.catalog.receipts import Receipt
from lkmrs_dask.pipeline.beside import Beside, rows_of_stars
from lkmrs_dask.pipeline.classifier_stage import Training, forget_training, write_training
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.light_curve_stage import LIGHT_CURVES
from lkmrs_dask.pipeline.light_stages import FREQUENCIES, MAGNITUDES, stars_and_problems
from lkmrs_dask.pipeline.map_stage import MapWork, always, draft_catalog, map_catalog
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.pipeline.survey import MEANS
from lkmrs_dask.pipeline.velocity_stages import RV
from lkmrs_dask.readers.light_curves.rows import SCHEMA
from lkmrs_dask.schema import STARS
from lkmrs_dask.stars.columns import floats
from lkmrs_dask.stars.magnitudes import MAGNITUDES as MAGNITUDE_TABLE
from lkmrs_dask.stars.rv_variability import RV_VARIABILITY
from lkmrs_dask.variability.features import StarParameters
from lkmrs_dask.variability.partition_model import SavedClassifier
from lkmrs_dask.variability.star_rows import result_schema
from lkmrs_dask.variability.variable_table import VARIABLES as VARIABLE_TABLE
from lkmrs_dask.variability.variable_table import VariableSettings, variable_rows

__all__ = ["CLASSES_OF_STARS", "VARIABLES", "write_variables"]

VARIABLES = "variables"

_ID = STARS["star_id"].to_field()
_PARAMETERS = pa.schema([_ID, STARS["teff"].to_field(), STARS["logg"].to_field()])
_AMPLITUDES = pa.schema([_ID, RV_VARIABILITY["rv_max_difference"].to_field()])
_BRIGHTNESS = pa.schema([_ID, MAGNITUDE_TABLE["m_g"].to_field()])
CLASSES_OF_STARS = pa.schema(
    [_ID, VARIABLE_TABLE["variable_class"].to_field(), VARIABLE_TABLE["best"].to_field()]
)
"""Columns that say of which class a star is: that of its best row."""


def write_variables(
    job: Job, draft: Draft, crew: Crew, report: Reporter
) -> tuple[Training | None, list[Failure]]:
    """Write features and classes of stars whose frequencies are known; gives what the model is made of."""
    catalog = draft_catalog(draft, FREQUENCIES)
    if catalog is None:
        return None, []
    training = write_training(job, draft, crew, report) if _any_periodic(draft) else None
    if training is None:
        forget_training(draft, classifier=True)
    elif job.training.table:
        forget_training(draft, classifier=False)
    settings = VariableSettings(job.variability, rules=job.variable_rules, verdict=job.verdict, dips=job.dips)
    work = MapWork(
        VARIABLES, FREQUENCIES, catalog,
        partial(_variables, settings, training.model if training is not None else None),
        result_schema(VARIABLE_TABLE, catalog.schema),
        depends=partial(always, [repr(settings), training.made_of if training is not None else None]),
        beside=(
            Beside(LIGHT_CURVES, SCHEMA), Beside(MEANS, _PARAMETERS), Beside(RV, _AMPLITUDES),
            Beside(MAGNITUDES, _BRIGHTNESS),
        ),
        unit="stars", extra=stars_and_problems,
        prepare=training.prepare if training is not None else None,
    )  # fmt: skip
    return training, map_catalog(work, draft, crew, report)


def _any_periodic(draft: Draft) -> bool:
    folder = draft.where(f"receipts/{FREQUENCIES}")
    receipts = Receipt.read_all(folder.parent, FREQUENCIES) if folder is not None else {}
    return any(one.extra["periodic"] for one in receipts.values())


def _variables(
    settings: VariableSettings,
    model: SavedClassifier | None,
    frequencies: pa.Table,
    given: None,
    light_curves: pa.Table,
    means: pa.Table,
    velocities: pa.Table,
    magnitudes: pa.Table,
) -> pa.Table:
    stars = frequencies.column("star_id")
    measured = rows_of_stars(stars, means)
    parameters = {
        "teff": floats(measured, "teff"),
        "logg": floats(measured, "logg"),
        "m_g": floats(rows_of_stars(stars, magnitudes), "m_g"),
        "rv_amplitude": 0.5 * floats(rows_of_stars(stars, velocities), "rv_max_difference"),
    }
    known = {
        star: StarParameters(**{name: float(values[at]) for name, values in parameters.items()})
        for at, star in enumerate(stars.to_pylist())
    }
    classifier = model.load() if model is not None else None
    return variable_rows(frequencies, light_curves, known, settings, classifier)
