"""Stages ``matches/NAME``: the stars that another survey has too, with the columns of both."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

import pyarrow as pa

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.matching.crossmatch import crossmatch
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.external_stage import External
from lkmrs_dask.pipeline.identifiers import IDENTIFYING
from lkmrs_dask.pipeline.map_stage import MapWork, always, draft_catalog, map_catalog
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.settings import Settings
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.pipeline.survey import MATCHES, MEANS

__all__ = ["match_stars", "name_in_match", "write_matches"]

_MOTION = ("pmra", "pmdec")


def match_stars(stars: Catalog, external: External, settings: Settings) -> Catalog:
    """Match stars with another survey: each with the nearest within the radius.

    Where the survey states proper motions and the epoch of its positions, these are moved to the epoch of
    the stars' positions.
    """
    right = external.catalog()
    stated = right.info.properties.get("lkmrs_epoch")
    epochs: dict[str, Any] = {}
    if stated and set(_MOTION) <= set(right.columns) and float(stated) != settings.position_epoch:
        epochs = {"left_epoch": settings.position_epoch, "right_epoch": float(stated)}
    suffixes = ("", _suffix(external.name))
    return crossmatch(
        stars, right, settings.match_radius_arcsec, "nearest", "inner", suffixes,
        id_column=external.id_column, **epochs,
    )  # fmt: skip


def _suffix(survey: str) -> str:
    """Of those columns of a survey whose names the stars have too."""
    return f"_{survey}"


def name_in_match(column: str, survey: str, present: Collection[str]) -> str | None:
    """Name that a survey's column has among those of a match; None where it is not there."""
    return next((name for name in (column + _suffix(survey), column) if name in present), None)


def write_matches(
    externals: list[External], settings: Settings, draft: Draft, crew: Crew, report: Reporter
) -> tuple[list[str], list[Failure]]:
    """Write the matches with all surveys but those that only give names to stars; gives their names too."""
    stars = draft_catalog(draft, MEANS)
    failures: list[Failure] = []
    wanted = [one for one in externals if one.kind not in IDENTIFYING] if stars is not None else []
    for one in wanted:
        assert stars is not None
        matched = match_stars(stars, one, settings)
        made_of = [one.made_of, settings.match_radius_arcsec, settings.position_epoch]
        work = MapWork(
            f"{MATCHES}/{one.name}",
            MEANS,
            matched,
            _as_it_is,
            matched.schema,
            depends=partial(always, made_of),
        )
        failures += map_catalog(work, draft, crew, report)
    return [f"{MATCHES}/{one.name}" for one in wanted], failures


def _as_it_is(table: pa.Table, given: None) -> pa.Table:
    return table
