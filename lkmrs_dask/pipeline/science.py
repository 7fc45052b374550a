"""Science stages of a run: each maps a pure function over the partitions of a catalogue that have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.hats_write import finish_catalog, write_partition
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.receipts import Receipt, code_fingerprint, fingerprint
from lkmrs_dask.catalog.sources import PartitionSource
from lkmrs_dask.pipeline.cluster import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.job import Settings
from lkmrs_dask.pipeline.maps import star_means
from lkmrs_dask.pipeline.partitions import partition_done, size_class, written_partition
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.stages import Done, Failure, Unit, carry_out
from lkmrs_dask.schema import HEALPIX_COLUMN, STARS, TARGETS
from lkmrs_dask.sky.index import pixel_centre, pixel_radius_deg, separation_arcsec
from lkmrs_dask.sky.plates import field_by_footprint, mission_of_plates, plate_centres
from lkmrs_dask.stars.overview import Overview, merge, overview_partial, parameters_partial, star_overview

__all__ = ["Footprints", "count_survey", "write_stars", "write_targets"]

OVERVIEW = "overview"
_SPECTRA_NEEDS = ("star_id", "planid", "lmjd", "obsdate", "mjd", "lmjm", "coadd")
_TARGET_NEEDS = (HEALPIX_COLUMN, "ra", "dec", "uid", *_SPECTRA_NEEDS)
_PARAMETER_NEEDS = ("planid", "lmjd", "obsdate", "mjd", "teff", "logg", "feh", "rv", "vsini", "alpha_m")

Pixel = tuple[int, int]

_MARGIN = 1e-6  # deg; rounding must not leave out a plate


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

    def as_json(self) -> list[Any]:
        """All of it, for a fingerprint."""
        return [self.ra, self.dec, self.missions, self.radius_deg]

    @classmethod
    def of_plans(cls, plans: Sequence[str], settings: Settings) -> Footprints:
        """Footprints of plans; those whose centre is unknown cover nothing."""
        ra, dec = plate_centres(list(plans))
        missions = mission_of_plates(ra, dec)
        return cls(tuple(ra.tolist()), tuple(dec.tolist()), tuple(missions), settings.plate_radius_deg)

    def near(self, order: int, pixel: int) -> Footprints:
        """Those that may cover a part of a pixel: the fields of its stars depend on no others."""
        away = separation_arcsec(self.ra, self.dec, *pixel_centre(order, [pixel])) / 3600.0
        here = np.flatnonzero(away <= self.radius_deg + pixel_radius_deg(order) + _MARGIN).tolist()
        return Footprints(
            tuple(self.ra[k] for k in here),
            tuple(self.dec[k] for k in here),
            tuple(self.missions[k] for k in here),
            self.radius_deg,
        )

    def field(self, table: pa.Table) -> pa.StringArray:
        """Kepler or K2 for each row by its ``ra`` and ``dec``."""
        ra, dec = (table.column(name).to_numpy() for name in ("ra", "dec"))
        return field_by_footprint(ra, dec, self.ra, self.dec, self.missions, self.radius_deg)


@dataclass(frozen=True)
class _Needed:
    """Reads those columns of a catalogue's partition that a function needs."""

    source: PartitionSource
    columns: tuple[str, ...]

    @classmethod
    def of(cls, catalog: Catalog, needs: Sequence[str]) -> _Needed:
        return cls(catalog.source, tuple(name for name in needs if name in catalog.columns))

    def __call__(self, part: Pixel) -> pa.Table:
        return self.source.read(*part, self.columns)


@dataclass(frozen=True)
class _Count:
    """Task: count a partition's rows."""

    read: _Needed
    count: Callable[[pa.Table], Overview]

    def __call__(self, part: Pixel) -> Done:
        table = self.read(part)
        plans = (
            table.column("planid").unique().drop_null().to_pylist() if "planid" in table.column_names else []
        )
        return Done(len(table), extra={"overview": self.count(table).as_json(), "plans": sorted(plans)})


def count_survey(draft: Draft, crew: Crew, report: Reporter) -> tuple[Overview, list[str], list[Failure]]:
    """Count spectra, exposures and parameters by year and plate; also list all plans of the survey."""
    receipts: dict[str, Receipt] = {}
    failures: list[Failure] = []
    with report.stage(OVERVIEW) as record:
        wanted: dict[str, str] = {}
        work: list[tuple[_Count, list[Unit]]] = []
        for name, count, needs in (
            ("spectra", overview_partial, _SPECTRA_NEEDS),
            ("measurements", parameters_partial, _PARAMETER_NEEDS),
        ):
            catalog = _open(draft, name)
            if catalog is not None:
                units = [
                    Unit(f"{name}-{unit}", fingerprint(sha, code_fingerprint()), part, weight)
                    for unit, sha, part, weight in _partitions(draft, name)
                ]
                wanted |= {unit.name: unit.fingerprint for unit in units}
                work.append((_Count(_Needed.of(catalog, needs), count), units))
        found = draft.finished(OVERVIEW, wanted)
        record.begin(len(wanted), len(found))
        receipts |= {unit: one.receipt for unit, one in found.items()}
        for function, units in work:
            todo = [unit for unit in units if unit.name not in found]
            done = carry_out(
                OVERVIEW, function, todo, crew, record, root=draft.next.root, receipts=draft.next.receipts
            )
            receipts |= done.receipts
            failures += done.failures
        if not draft.same_pieces(OVERVIEW, found, len(wanted)):
            draft.keep(found.values())
            draft.prune(OVERVIEW, wanted, [])
            draft.replace(f"receipts/{OVERVIEW}")
        record.rows = sum(one.rows for one in receipts.values())
    overview = merge(Overview.from_json(one.extra["overview"]) for one in receipts.values())
    plans = set().union(*(one.extra["plans"] for one in receipts.values()))
    return overview, sorted(plans), failures


def _open(draft: Draft, name: str) -> Catalog | None:
    path = draft.where(name)
    return open_catalog(path) if path is not None else None


def _partitions(draft: Draft, name: str) -> list[tuple[str, str, Pixel, int]]:
    """Name, checksum, pixel and weight of the partitions of a catalogue that have rows."""
    folder = draft.where(f"receipts/{name}")
    receipts = Receipt.read_all(folder.parent, name) if folder is not None else {}
    return [
        (unit, one.files[0].sha256, (one.extra["order"], one.extra["pixel"]), size_class(one.rows))
        for unit, one in receipts.items()
        if one.rows
    ]


@dataclass(frozen=True)
class _MapTask:
    """A partition, and what its function is given beside its rows."""

    part: Pixel
    footprints: Footprints


@dataclass(frozen=True)
class _Map:
    """Task: write a function of a partition's rows as a partition of another catalogue."""

    read: Callable[[Pixel], pa.Table]
    function: Callable[..., pa.Table]
    schema: pa.Schema
    root: Path

    def __call__(self, task: _MapTask) -> Done:
        table = self.function(self.read(task.part), footprints=task.footprints)
        columns = [table.column(field.name).cast(field.type) for field in self.schema]
        table = pa.table(columns, schema=self.schema)
        return partition_done(self.root, write_partition(table, self.root, *task.part))


def _map_catalog(
    stage: str,
    origin: str,
    function: _Map,
    footprints: Footprints,
    draft: Draft,
    crew: Crew,
    report: Reporter,
) -> list[Failure]:
    """Bring a catalogue up to date that is a function of the partitions of another."""
    with report.stage(stage) as record:
        units = []
        for unit, sha, part, weight in _partitions(draft, origin):
            near = footprints.near(*part)
            made_of = fingerprint(sha, code_fingerprint(), near.as_json())
            units.append(Unit(unit, made_of, _MapTask(part, near), weight))
        wanted = {unit.name: unit.fingerprint for unit in units}
        found = draft.finished(stage, wanted)
        record.begin(len(units), len(found))
        todo = [unit for unit in units if unit.name not in found]
        done = carry_out(
            stage, function, todo, crew, record, root=draft.next.root, receipts=draft.next.receipts
        )
        receipts = {unit: one.receipt for unit, one in found.items()} | done.receipts
        if stage in draft.stale or not draft.same_pieces(stage, found, len(wanted)):
            draft.keep(found.values())
            draft.prune(stage, wanted, [draft.next.catalog(stage) / "dataset"])
            finish_catalog(
                draft.next.catalog(stage),
                function.schema,
                map(written_partition, receipts.values()),
                name=stage,
            )
            draft.replace(stage)
            draft.replace(f"receipts/{stage}")
        record.rows = sum(one.rows for one in receipts.values())
    return done.failures


def write_targets(draft: Draft, footprints: Footprints, crew: Crew, report: Reporter) -> list[Failure]:
    """Write one row per star with spectra: how often it was observed, and in which field it lies."""
    spectra = _open(draft, "spectra")
    assert spectra is not None
    read = _Needed.of(spectra, _TARGET_NEEDS)
    work = _Map(read, _observed_stars, TARGETS.arrow(), draft.next.catalog("targets"))
    return _map_catalog("targets", "spectra", work, footprints, draft, crew, report)


def _observed_stars(spectra: pa.Table, footprints: Footprints) -> pa.Table:
    table = star_overview(spectra)
    return table.append_column("field", footprints.field(table))


def write_stars(draft: Draft, footprints: Footprints, crew: Crew, report: Reporter) -> list[Failure]:
    """Write Table 2: weighted means of each star's parameters, and its field."""
    measurements = _open(draft, "measurements")
    assert measurements is not None
    means = star_means(measurements)
    read = _Needed(means.source, means.names)
    work = _Map(read, _with_field, STARS.arrow(), draft.next.catalog("stars"))
    return _map_catalog("stars", "measurements", work, footprints, draft, crew, report)


def _with_field(means: pa.Table, footprints: Footprints) -> pa.Table:
    table = means.append_column("field", footprints.field(means))
    # Classes come from later analyses; until then no star has one.
    return table.append_column("label", pa.nulls(len(table), pa.string()))
