"""Stages ``magnitudes`` and ``frequencies``: how bright stars are in truth, and how their light varies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.pipeline.beside import Beside
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.external_stage import External
from lkmrs_dask.pipeline.light_curve_stage import LIGHT_CURVES
from lkmrs_dask.pipeline.map_stage import MapWork, always, draft_catalog, map_catalog
from lkmrs_dask.pipeline.matches import name_in_match
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.pipeline.survey import MATCHES
from lkmrs_dask.pipeline.velocity_stages import RV, VARIABLE
from lkmrs_dask.readers.light_curves.rows import SCHEMA
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.stars.hr_dust import extinction_in_use
from lkmrs_dask.stars.hr_settings import HrSettings
from lkmrs_dask.stars.magnitudes import MAGNITUDES as MAGNITUDE_TABLE
from lkmrs_dask.stars.magnitudes import OF_STAR, gaia_columns, magnitudes
from lkmrs_dask.variability.curve_settings import CurveSettings
from lkmrs_dask.variability.frequency_settings import FrequencySettings
from lkmrs_dask.variability.frequency_table import FREQUENCIES as FREQUENCY_TABLE
from lkmrs_dask.variability.frequency_table import frequency_rows
from lkmrs_dask.variability.star_rows import result_schema

__all__ = ["FREQUENCIES", "MAGNITUDES", "stars_and_problems", "write_frequencies", "write_magnitudes"]

FREQUENCIES, MAGNITUDES = "frequencies", "magnitudes"


def write_magnitudes(
    externals: Iterable[External], settings: HrSettings, draft: Draft, crew: Crew, report: Reporter
) -> tuple[bool, list[Failure]]:
    """Write absolute magnitudes of the stars that Gaia has; also tells whether it could be done."""
    for one in externals:
        matched = draft_catalog(draft, f"{MATCHES}/{one.name}") if one.kind == "gaia" else None
        if matched is None:
            continue
        # What map there is may differ from one run to the next, and from one machine to another.
        settings = replace(settings, extinction=extinction_in_use(settings))
        names = {name: name_in_match(name, one.name, matched.columns) for name in gaia_columns(settings)}
        missing = sorted(name for name, there in names.items() if there is None)
        if missing:
            report.say(f"{MAGNITUDES:<18} not made: {one.name} lacks {', '.join(missing)}")
            continue
        columns = {name: name for name in OF_STAR if name in matched.columns}
        columns |= {name: there for name, there in names.items() if there is not None}
        rows = matched[list(dict.fromkeys(columns.values()))]
        work = MapWork(
            MAGNITUDES,
            f"{MATCHES}/{one.name}",
            rows,
            partial(_magnitudes, settings, columns),
            MAGNITUDE_TABLE.arrow(),
            depends=partial(always, repr(settings)),
        )
        return True, map_catalog(work, draft, crew, report)
    return False, []


def _magnitudes(settings: HrSettings, columns: dict[str, str], matched: pa.Table, given: None) -> pa.Table:
    table = pa.table({name: matched.column(there) for name, there in columns.items()})
    return magnitudes(table, settings)


def write_frequencies(
    curves: CurveSettings, settings: FrequencySettings, draft: Draft, crew: Crew, report: Reporter
) -> list[Failure]:
    """Write the frequencies of all stars with light curves, or of those that vary in radial velocity."""
    catalog = draft_catalog(draft, LIGHT_CURVES)
    if catalog is None:
        return []
    rows = catalog[[HEALPIX_COLUMN, *SCHEMA.names]]
    beside = (Beside(RV, VARIABLE),) if curves.sample == "rv_variables" else ()
    work = MapWork(
        FREQUENCIES, LIGHT_CURVES, rows, partial(_frequencies, curves, settings),
        result_schema(FREQUENCY_TABLE, rows.schema), depends=partial(always, [repr(curves), repr(settings)]),
        beside=beside, unit="stars", extra=stars_and_problems,
    )  # fmt: skip
    return map_catalog(work, draft, crew, report)


def _frequencies(
    curves: CurveSettings, settings: FrequencySettings, rows: pa.Table, given: None, *variability: pa.Table
) -> pa.Table:
    for table in variability:
        variable = table.filter(table.column("rv_variable")).column("star_id")
        rows = rows.filter(pc.is_in(rows.column("star_id"), value_set=variable.combine_chunks()))
    return frequency_rows(rows, settings, curves)


def stars_and_problems(table: pa.Table) -> dict[str, Any]:
    """What a receipt keeps of a partition with a row a star and mission: its stars, and what failed."""
    found = {"stars": len(table.column("star_id").unique())}
    found["problems"] = len(table) - table.column("problem").null_count
    if "n_frequencies" in table.column_names:
        found["periodic"] = pc.sum(pc.greater(table.column("n_frequencies"), 0)).as_py() or 0
    return found
