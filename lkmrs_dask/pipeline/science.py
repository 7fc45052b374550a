"""Science stages of a run: each opens catalogues, maps a pure function over their partitions, and writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.running import Progress, run_tasks
from lkmrs_dask.catalog.sources import PartitionSource
from lkmrs_dask.pipeline.job import Settings
from lkmrs_dask.pipeline.maps import star_means
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.schema import HEALPIX_COLUMN, STARS, TARGETS
from lkmrs_dask.sky.plates import field_by_footprint, mission_of_plates, plate_centres
from lkmrs_dask.stars.overview import Overview, merge, overview_partial, parameters_partial, star_overview

__all__ = ["Footprints", "apply", "count_survey", "write_stars", "write_targets"]

_SPECTRA_NEEDS = ("star_id", "planid", "lmjd", "obsdate", "mjd", "lmjm", "coadd")
_TARGET_NEEDS = (HEALPIX_COLUMN, "ra", "dec", "uid", *_SPECTRA_NEEDS)
_PARAMETER_NEEDS = ("planid", "lmjd", "obsdate", "mjd", "teff", "logg", "feh", "rv", "vsini", "alpha_m")


@dataclass(frozen=True)
class _Apply:
    source: PartitionSource
    function: Callable[[pa.Table], Any]
    needs: tuple[str, ...]

    def __call__(self, part: tuple[int, int]) -> Any:
        return self.function(self.source.read(*part, self.needs))


def apply(
    catalog: Catalog,
    function: Callable[[pa.Table], Any],
    needs: Sequence[str],
    executor: Executor,
    progress: Progress | None = None,
) -> list[Any]:
    """Results of a function of each partition's rows, in the order of the partitions.

    Of `needs` those columns are read that the catalogue has.
    """
    present = tuple(name for name in needs if name in catalog.columns)
    return run_tasks(_Apply(catalog.source, function, present), catalog.pixels, executor, progress)


@dataclass(frozen=True)
class Footprints:
    """Plates of a survey on the sky.

    Parameters
    ----------
    ra, dec : tuple of float
        Centres, deg.
    missions : tuple of str or None
        Kepler or K2.
    radius_deg : float
        Radius of each.
    """

    ra: tuple[float, ...]
    dec: tuple[float, ...]
    missions: tuple[str | None, ...]
    radius_deg: float

    @classmethod
    def of_plans(cls, plans: Sequence[str], settings: Settings) -> Footprints:
        """Footprints of plans; those whose centre is unknown cover nothing."""
        ra, dec = plate_centres(list(plans))
        missions = mission_of_plates(ra, dec)
        return cls(tuple(ra.tolist()), tuple(dec.tolist()), tuple(missions), settings.plate_radius_deg)

    def field(self, table: pa.Table) -> pa.StringArray:
        """Kepler or K2 for each row by its ``ra`` and ``dec``."""
        ra, dec = (table.column(name).to_numpy() for name in ("ra", "dec"))
        return field_by_footprint(ra, dec, self.ra, self.dec, self.missions, self.radius_deg)


def count_survey(survey: Survey, executor: Executor, report: Reporter) -> tuple[Overview, list[str]]:
    """Count spectra, exposures and parameters by year and plate; also list all plans of the survey."""
    partials: list[Overview] = []
    plans: set[str] = set()
    with report.stage("overview") as (record, progress):
        present = survey.catalogs()
        if "spectra" in present:
            spectra = open_catalog(present["spectra"])
            partials += apply(spectra, overview_partial, _SPECTRA_NEEDS, executor, progress)
            record.rows += len(spectra)
        if "measurements" in present:
            measurements = open_catalog(present["measurements"])
            found = apply(measurements, _parameters_and_plans, _PARAMETER_NEEDS, executor, progress)
            partials += [counts for counts, _ in found]
            plans.update(*(some for _, some in found))
            record.rows += len(measurements)
    overview = merge(partials)
    return overview, sorted(plans | set(overview.plates))


def _parameters_and_plans(table: pa.Table) -> tuple[Overview, set[str]]:
    plans = (
        set(table.column("planid").unique().drop_null().to_pylist())
        if "planid" in table.column_names
        else set()
    )
    return parameters_partial(table), plans


def write_targets(survey: Survey, footprints: Footprints, executor: Executor, report: Reporter) -> Catalog:
    """Write one row per star with spectra: how often it was observed, and in which field it lies."""
    with report.stage("targets") as (record, progress):
        spectra = open_catalog(survey.catalog("spectra"))
        needs = [name for name in _TARGET_NEEDS if name in spectra.columns]
        targets = spectra.map_partitions(
            partial(_observed_stars, footprints=footprints), TARGETS.arrow(), needs, name="targets"
        )
        written = targets.write(
            survey.catalog("targets"), overwrite=True, executor=executor, progress=progress
        )
        record.rows = len(written)
    return written


def _observed_stars(spectra: pa.Table, footprints: Footprints) -> pa.Table:
    table = star_overview(spectra)
    return table.append_column("field", footprints.field(table))


def write_stars(survey: Survey, footprints: Footprints, executor: Executor, report: Reporter) -> Catalog:
    """Write Table 2: weighted means of each star's parameters, and its field."""
    with report.stage("means") as (record, progress):
        means = star_means(open_catalog(survey.catalog("measurements")))
        stars = means.map_partitions(partial(_with_field, footprints=footprints), STARS.arrow(), name="stars")
        written = stars.write(survey.catalog("stars"), overwrite=True, executor=executor, progress=progress)
        record.rows = len(written)
    return written


def _with_field(means: pa.Table, footprints: Footprints) -> pa.Table:
    table = means.append_column("field", footprints.field(means))
    # Classes come from later analyses; until then no star has one.
    return table.append_column("label", pa.nulls(len(table), pa.string()))
