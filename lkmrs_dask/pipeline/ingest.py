"""Raw files to catalogues: read, find the stars, write the partitions that are not as they would be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from lkmrs_dask.catalog.layout import StarPlaces, gather_sightings, place_stars
from lkmrs_dask.catalog.receipts import write_array
from lkmrs_dask.errors import InputError, LkmrsError
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft, Found
from lkmrs_dask.pipeline.partitions import CatalogWork, write_rows
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.readings import FILES, LIST, PLACES, READ, Read, Reading, read_raw, write_list
from lkmrs_dask.pipeline.settings import Settings
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA
from lkmrs_dask.schema import HEALPIX_COLUMN, TABLES
from lkmrs_dask.stars.identity import resolve_stars

__all__ = ["Ingested", "ingest", "write_set_aside"]

Integers = NDArray[np.int64]

_SUSPICIOUS = "set_aside/suspicious_positions.csv"


@dataclass
class Ingested:
    """What came of the raw files.

    Parameters
    ----------
    reads : list of Read
        The readings.
    stars : pyarrow.Table
        Every star: ``star_id``, ``uid``, ``ra``, ``dec``, ``_healpix_29``.
    rows : dict
        Rows by catalogue.
    set_aside : dict
        Rows set aside by reason.
    failed_files : list of InputError
        Files whose reading ended early.
    failures : list of Failure
        Readings and partitions that could not be done.
    """

    reads: list[Read]
    stars: pa.Table
    rows: dict[str, int] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    failed_files: list[InputError] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def count(self, reason: str, n: int) -> None:
        """Count rows set aside."""
        if n:
            self.set_aside[reason] = self.set_aside.get(reason, 0) + n


def ingest(
    readings: Sequence[Reading], settings: Settings, draft: Draft, crew: Crew, report: Reporter
) -> Ingested:
    """Bring the catalogues of raw files up to date in a survey's draft.

    Parameters
    ----------
    readings : sequence of Reading
        All that the survey is to be made of, whether read before or not.
    settings : Settings
        The job's.
    draft : Draft
        Where everything goes that changes.
    crew : Crew
        Who computes.
    report : Reporter
        Shows the stages.

    Raises
    ------
    LkmrsError
        When no row of any file could be used, or the disk is full, or the scheduler is gone.
    """
    reads, failures = _read(readings, draft, crew, report)
    result = Ingested(reads, pa.table({}), failures=failures)
    for read in reads:
        result.failed_files += read.failures
        for reason, n in read.receipt.extra["set_aside"].items():
            result.count(reason, n)
    if not any(read.receipt.rows for read in reads):
        _no_row(draft, readings, result)

    with report.stage("identity", "stars") as record:
        places, star_of = _find_stars(reads, settings, draft)
        record.rows = places.stars.num_rows
        result.stars = places.stars
    for name, table in TABLES.items():
        mine = [k for k, read in enumerate(reads) if read.reading.catalog == name]
        if sum(reads[k].receipt.rows for k in mine):
            work = CatalogWork(
                table, [reads[k] for k in mine], [star_of[k] for k in mine], places, settings, draft
            )
            written = write_rows(work, crew, report)
            result.rows[name] = written.rows
            result.failures += written.failures
            result.count("repeated key", written.repeated)
    _note_places(draft, reads, star_of, places)
    return result


def _read(
    readings: Sequence[Reading], draft: Draft, crew: Crew, report: Reporter
) -> tuple[list[Read], list[Failure]]:
    """Read what was not read before."""
    by_name = {reading.name: reading for reading in readings}
    with report.stage(READ, "readings") as record:
        found = draft.finished(READ, {name: one.fingerprint for name, one in by_name.items()})
        # What failed for a reason outside of the file is tried again, where the file is at hand.
        found = {
            name: one
            for name, one in found.items()
            if by_name[name].source is None or not one.receipt.extra["again"]
        }
        found, moved = _at_new_places(found, by_name)
        todo = [one for one in readings if one.name not in found]
        lost = [one for one in todo if one.source is None]
        if lost:
            raise LkmrsError(
                f"the receipt of {lost[0].files[0]} is damaged: run the job again from its raw files"
            )
        record.begin(len(readings), len(found))
        record.rows = sum(one.receipt.rows for one in found.values())
        result = read_raw(todo, draft, crew, record)
        draft.settle(READ, found, by_name, folders=[draft.next.root / FILES], parts=[FILES], changed=moved)
    reads = []
    for reading in readings:
        if reading.name in result.receipts:
            reads.append(Read(reading, result.receipts[reading.name], draft.next.root, False))
        elif reading.name in found:
            receipt, in_survey = found[reading.name]
            root = draft.where(FILES)
            assert root is not None
            reads.append(Read(reading, receipt, root.parents[1], in_survey))
    return reads, result.failures


def _at_new_places(
    found: Mapping[str, Found], by_name: Mapping[str, Reading]
) -> tuple[dict[str, Found], bool]:
    """Note where raw files lie now; gives also whether any was moved."""
    result, moved = {}, False
    for name, (receipt, in_survey) in found.items():
        files = [str(file) for file in by_name[name].files]
        if receipt.extra["files"] != files:
            receipt, moved = replace(receipt, extra={**receipt.extra, "files": files}), True
        result[name] = Found(receipt, in_survey)
    return result, moved


def _no_row(draft: Draft, readings: Sequence[Reading], result: Ingested) -> None:
    """Raise the error that says why there is nothing to build; a new survey gets the reasons."""
    files = sum(len(one.files) for one in readings)
    first = f"; the first fault: {result.failed_files[0]}" if result.failed_files else ""
    first = first or (f"; the first fault: {result.failures[0]}" if result.failures else "")
    reasons = draft.next.set_aside
    write_set_aside(draft, result.reads)
    if not draft.survey.catalogs():
        for name in (f"receipts/{READ}", FILES):
            draft.remove(name)  # nothing was made of these files
        draft.commit(success=False)
        reasons = draft.survey.set_aside
    raise LkmrsError(f"no row of {files} files could be used, see {reasons}{first}")


def _find_stars(reads: Sequence[Read], settings: Settings, draft: Draft) -> tuple[StarPlaces, list[Integers]]:
    """Resolve the stars of all readings; gives also the star of each sighting of each reading."""
    tables = [read.sightings() for read in reads]
    sightings = gather_sightings(tables)
    found = resolve_stars(
        sightings.column("uid"),
        sightings.column("ra").to_numpy(),
        sightings.column("dec").to_numpy(),
        sightings.column("count").to_numpy(),
        radius_arcsec=settings.star_radius_arcsec,
        uid_spread_arcsec=settings.uid_spread_arcsec,
    )
    path = draft.next.root / _SUSPICIOUS
    path.unlink(missing_ok=True)
    if found.suspicious.num_rows:
        path.parent.mkdir(parents=True, exist_ok=True)
        pa.csv.write_csv(found.suspicious, path)
    draft.replace_if_changed(_SUSPICIOUS)
    columns = {"star_id": found.star_id, "uid": found.uid, "ra": found.ra, "dec": found.dec,
               HEALPIX_COLUMN: found.healpix29}  # fmt: skip
    places = place_stars(pa.table(columns), draft.survey.work)
    ends = np.cumsum([len(table) for table in tables])
    return places, np.split(found.star, ends[:-1])


def write_set_aside(draft: Draft, reads: Iterable[Read]) -> None:
    """Write the rows that readers set aside as CSV, a file a catalogue."""
    parts: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
    for read in reads:
        table = read.set_aside()
        if table is not None:
            parts[read.reading.catalog].append(table)
    for name, tables in parts.items():
        path = draft.next.set_aside / f"{name}.csv"
        path.unlink(missing_ok=True)
        if tables:
            # In one piece: pyarrow 26 writes garbage for an empty first one.
            table = pa.concat_tables([SET_ASIDE_SCHEMA.empty_table(), *tables]).combine_chunks()
            path.parent.mkdir(parents=True, exist_ok=True)
            pa.csv.write_csv(table, path)
        draft.replace(f"set_aside/{name}.csv")


def _note_places(
    draft: Draft, reads: Sequence[Read], star_of: Sequence[Integers], places: StarPlaces
) -> None:
    """Note where the star of each sighting lies, so that a later run finds its rows in the catalogues."""
    if not draft.changed and not {PLACES, LIST} & draft.stale:
        return
    write_list(draft, reads)
    folder = draft.next.root / PLACES
    folder.mkdir(parents=True, exist_ok=True)
    names = {f"{read.receipt.unit}.npy" for read in reads}
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
    for read, star in zip(reads, star_of, strict=True):
        write_array(folder / f"{read.receipt.unit}.npy", places.index[star])
    draft.replace(PLACES)
