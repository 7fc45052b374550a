"""Write the partitions of a catalogue that are not as they would be, from rows wherever they can be had.

Rows of new readings come from the runs that were just written.  Those of earlier readings come from the
survey's own partitions, of which only the ones that hold needed stars are read; where these cannot serve (a
raw file changed, a partition is damaged) the raw files are read once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lkmrs_dask.catalog.build import SORTED_BY, PartRows, WriteRows, catalog_schema
from lkmrs_dask.catalog.hats import partition_path
from lkmrs_dask.catalog.hats_write import PartitionReceipt, finish_catalog
from lkmrs_dask.catalog.layout import Layout, Seen, StarPlaces, assign_runs, gather_sightings, lay_out
from lkmrs_dask.catalog.receipts import Receipt, whole_file
from lkmrs_dask.catalog.running import run_tasks
from lkmrs_dask.catalog.runs import ReadFiles, Run, read_files
from lkmrs_dask.catalog.star_index import write_star_index
from lkmrs_dask.catalog.survey_rows import SurveyRows, count_copies, repeats_file
from lkmrs_dask.errors import LkmrsError
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.progress import Reporter, StageRecord
from lkmrs_dask.pipeline.readings import (
    PLACES,
    READ,
    Read,
    listed_readings,
    read_raw,
    split_by_run,
)
from lkmrs_dask.pipeline.settings import Settings
from lkmrs_dask.pipeline.stages import Done, Failure, Unit, carry_out
from lkmrs_dask.schema import TableSchema
from lkmrs_dask.sky.tiling import Tiling

__all__ = ["CatalogWork", "Written", "partition_done", "size_class", "write_rows", "written_partition"]

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CatalogWork:
    """A catalogue that is to be brought up to date.

    Parameters
    ----------
    table : TableSchema
        Its columns.
    reads : list of Read
        The readings that it is made of.
    stars : list of ndarray of int64
        Rank of the star of each sighting of each.
    places : StarPlaces
        All stars.
    settings : Settings
        The job's.
    draft : Draft
        Where it goes.
    """

    table: TableSchema
    reads: list[Read]
    stars: list[Integers]
    places: StarPlaces
    settings: Settings
    draft: Draft

    @property
    def name(self) -> str:
        """The catalogue's name."""
        return self.table.name

    @property
    def runs(self) -> Path:
        """Folder of runs."""
        return self.draft.scratch


@dataclass(frozen=True)
class Written:
    """Rows of a catalogue, rows taken out of it as repeated, and partitions that could not be written."""

    rows: int
    repeated: int
    failures: list[Failure]


def write_rows(work: CatalogWork, crew: Crew, report: Reporter) -> Written:
    """Write the partitions of a catalogue that are missing or not as they would be, and finish it.

    Raises
    ------
    LkmrsError
        When rows are needed that are nowhere to be had.
    """
    name, draft, settings = work.name, work.draft, work.settings
    with report.stage(name) as record:
        schema = catalog_schema(work.table, {column for read in work.reads for column in read.columns})
        layout = lay_out(
            work.places, _seen(work), work.table, schema.names, settings.max_rows, settings.max_mb << 20
        )
        wanted = dict(zip((part.name for part in layout.parts), layout.fingerprints, strict=True))
        found = draft.finished(name, wanted)
        todo = [k for k, part in enumerate(layout.parts) if part.name not in found]
        record.begin(len(layout.parts), len(found))
        failures: list[Failure] = []
        receipts = {unit: one.receipt for unit, one in found.items()}
        if todo:
            needed, lost = _Rows(work, layout, todo).gather(crew, record)
            failures += lost
            function = _WritePartition(
                WriteRows(work.places.path, draft.next.catalog(name), work.table, schema),
                draft.next.repeated(name),
            )
            units = [
                Unit(
                    layout.parts[k].name,
                    layout.fingerprints[k],
                    PartRows.of(layout.parts[k], layout.rows[k], runs),
                    size_class(layout.rows[k]),
                )
                for k, runs in zip(todo, needed, strict=True)
                if runs is not None
            ]
            done = carry_out(name, function, units, crew, record, draft.next)
            receipts |= done.receipts
            failures += done.failures
        folder = draft.next.catalog(name)

        def finish() -> None:
            written = map(written_partition, receipts.values())
            finish_catalog(folder, schema, written, name=name, kind="source", properties=SORTED_BY)
            write_star_index(folder, work.places.stars)

        draft.settle(
            name, found, wanted, folders=[folder / "dataset", draft.next.repeated(name)],
            parts=[name, f"set_aside/{name}_repeated"], finish=finish,
        )  # fmt: skip
        rows = sum(receipt.rows for receipt in receipts.values())
        record.rows = rows
    return Written(rows, sum(one.extra["repeated"] for one in receipts.values()), failures)


def _seen(work: CatalogWork) -> list[Seen]:
    seen = []
    for read, star in zip(work.reads, work.stars, strict=True):
        table = read.sightings()
        count, size = (table.column(name).to_numpy() for name in ("count", "bytes"))
        seen.append(Seen(read.content, star, count, size))
    return seen


@dataclass(frozen=True)
class _WritePartition:
    """Task: write a partition, and beside it its repeated rows."""

    write: WriteRows
    repeated: Path

    def __call__(self, task: PartRows) -> Done:
        written, groups = self.write(task)
        path = repeats_file(self.repeated, task.part.order, task.part.pixel)
        files = []
        if groups.num_rows:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as temporary:
                pq.write_table(groups, temporary, write_page_checksum=True)
            files.append(path)
        else:
            path.unlink(missing_ok=True)
        return partition_done(self.write.root, written, *files, repeated=count_copies(groups))


def size_class(rows: int) -> int:
    """Weight of a partition (`Unit`): those of one class keep their order on the sky, and share files."""
    return int(rows).bit_length()


def partition_done(root: Path, written: PartitionReceipt, *files: Path, **extra: Any) -> Done:
    """Say what a written partition of the catalogue at `root` holds."""
    path = partition_path(root, written.order, written.pixel)
    pixels, counts = written.counts
    return Done(
        written.rows,
        (*([path] if written.rows else []), *files),
        {
            "order": written.order, "pixel": written.pixel,
            "pixels": pixels.tolist(), "counts": counts.tolist(), **extra,
        },
    )  # fmt: skip


def written_partition(receipt: Receipt) -> PartitionReceipt:
    """Return what `partition_done` was told, from the receipt."""
    extra = receipt.extra
    counts = np.array(extra["pixels"], np.int64), np.array(extra["counts"], np.int64)
    return PartitionReceipt(extra["order"], extra["pixel"], receipt.rows, counts)


class _Rows:
    """Finds the rows of partitions that are to be written."""

    def __init__(self, work: CatalogWork, layout: Layout, todo: Sequence[int]) -> None:
        self._work, self._todo = work, [layout.parts[k] for k in todo]
        self._readings = [layout.readings[k] for k in todo]
        self._needed = np.unique(np.concatenate(self._readings)).tolist() if todo else []

    def gather(self, crew: Crew, record: StageRecord) -> tuple[list[tuple[Run, ...] | None], list[Failure]]:
        """Runs that each partition needs, None where some of them are not to be had, and failed readings."""
        work, failures = self._work, []
        old = self._old_partitions()
        runs: list[Run] = []
        stars: list[Integers] = []
        again = []
        for k in self._needed:
            read = work.reads[k]
            if old is not None and read.in_survey:
                continue
            here = read.runs(work.runs)
            if here is None:
                again.append(k)
            else:
                runs += here
                stars += split_by_run(here, work.stars[k])
        lost = []
        if again:
            failures = self._read_again(again, crew, record)
            failed = {failure.unit for failure in failures}
            for k in again:
                if work.reads[k].reading.name in failed:
                    lost.append(k)
                    continue
                here = work.reads[k].runs(work.runs) or []
                runs += here
                stars += split_by_run(here, work.stars[k])
        if old:
            back = self._read_back(old, crew)
            runs += back
            stars += self._stars_of(back)
        # A partition with a part of its rows must not pass for a whole one.
        needed = [
            None if np.isin(lost, readings).any() else some
            for some, readings in zip(assign_runs(runs, stars, self._todo), self._readings, strict=True)
        ]
        record.failed += needed.count(None)
        return needed, failures

    def _old_partitions(self) -> list[tuple[int, int]] | None:
        """Partitions of the survey with needed rows of earlier readings; None where they cannot serve."""
        work, survey = self._work, self._work.draft.survey
        listed = listed_readings(survey)
        if listed is None:
            return None
        earlier = {name: rows for name, (catalog, rows) in listed.items() if catalog == work.name and rows}
        there = {read.receipt.unit: read.receipt.rows for read in work.reads if read.in_survey}
        if not earlier.items() <= there.items():
            return None  # its partitions hold rows that are to go
        receipts = Receipt.read_all(survey.receipts, work.name, damaged=[])
        sound = {
            (one.extra["order"], one.extra["pixel"])
            for one in receipts.values()
            if one.unchanged(survey.root)
        }
        tiling = Tiling(*np.array(sorted(sound), np.int64).reshape(-1, 2).T)
        pixels, wanted = list(tiling), set()
        for k in self._needed:
            read = work.reads[k]
            if not read.in_survey:
                continue
            places = _load_places(survey.root / PLACES / f"{read.receipt.unit}.npy", len(work.stars[k]))
            if places is None:
                return None
            at = np.unique(tiling.locate(places[self._inside(work.stars[k])]))
            if (at < 0).any():
                return None  # a partition is missing or was changed
            wanted |= {pixels[j] for j in at.tolist()}
        return sorted(wanted)

    def _inside(self, star: Integers) -> NDArray[np.bool_]:
        """Which of these stars are in the partitions to be written."""
        first = np.array([part.first for part in self._todo], np.int64)
        last = np.array([part.last for part in self._todo], np.int64)
        at = np.searchsorted(first, star, side="right") - 1
        return (at >= 0) & (star < last[np.maximum(at, 0)])

    def _read_again(self, again: Sequence[int], crew: Crew, record: StageRecord) -> list[Failure]:
        work = self._work
        readings = [work.reads[k].reading for k in again]
        gone = [str(one.files[0]) for one in readings if one.source is None]
        if gone:
            raise LkmrsError(
                f"partitions of {work.name} must be made anew from raw files, but {gone[0]} is gone or was "
                "changed: bring it back, or run the job on other raw files"
            )
        inner = StageRecord(READ, "readings")
        result = read_raw(readings, work.draft, crew, inner)
        record.peak_memory_mb = max(record.peak_memory_mb, inner.peak_memory_mb)
        for k in again:
            read = work.reads[k]
            found = result.receipts.get(read.reading.name)
            first = read.receipt
            if found is not None and _given(found) != _given(first):
                for path in work.runs.glob(f"{found.unit}-*"):
                    path.unlink()  # they are not what the survey's receipt says
                raise LkmrsError(
                    f"{read.reading.files[0]} gives other rows than when it was read first, though its size "
                    "and time of change are the same: check its disk, or touch the file to have it read anew"
                )
        return result.failures

    def _read_back(self, pixels: Sequence[tuple[int, int]], crew: Crew) -> list[Run]:
        """Rows of the survey's own partitions, as they came from raw files."""
        survey, name = self._work.draft.survey, self._work.name
        tasks = []
        for part in pixels:
            file = partition_path(survey.catalog(name), *part)
            source = SurveyRows(self._work.table, file, repeats_file(survey.repeated(name), *part))
            stem = self._work.runs / f"{name}-survey-{part[0]}-{part[1]}"
            tasks.append(ReadFiles(source, (file,), stem))
        return [run for one in run_tasks(read_files, tasks, crew.executor) for run in one.runs]

    def _stars_of(self, runs: Sequence[Run]) -> list[Integers]:
        """Stars of the sightings of rows that were read back: the same as when they were read first."""
        known = gather_sightings(read.sightings() for read in self._work.reads if read.in_survey)
        star = np.concatenate(
            [s for read, s in zip(self._work.reads, self._work.stars, strict=True) if read.in_survey]
        )
        return split_by_run(
            runs, match_sightings(known, star, gather_sightings(run.sightings() for run in runs))
        )


def _given(receipt: Receipt) -> tuple[Any, ...]:
    """What a reading gave, without the paths of its files."""
    extra = receipt.extra
    return receipt.rows, receipt.files[0].sha256, extra["columns"], extra["runs"], extra["set_aside"]


def _load_places(path: Path, n: int) -> Integers | None:
    """Where the stars of a reading's sightings lie in the survey; None where the file cannot tell."""
    try:
        places = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return places if places.shape == (n,) else None


def match_sightings(known: pa.Table, star: Integers, wanted: pa.Table) -> Integers:
    """Stars of sightings by equal (uid, ra, dec) among known ones; all must be among these."""
    both = pa.concat_tables([table.select(["uid", "ra", "dec"]) for table in (known, wanted)])
    uid = pc.fill_null(both.column("uid").combine_chunks().dictionary_encode().indices, -1).to_numpy()
    ra, dec = both.column("ra").to_numpy(), both.column("dec").to_numpy()
    new = np.arange(len(both)) >= len(known)
    order = np.lexsort((new, dec, ra, uid))
    first = np.ones(len(order), dtype=bool)
    u, r, d = uid[order], ra[order], dec[order]
    first[1:] = (u[1:] != u[:-1]) | (r[1:] != r[:-1]) | (d[1:] != d[:-1])
    start = np.flatnonzero(first)[np.cumsum(first) - 1]
    source = order[start]
    result = np.empty(len(wanted), np.int64)
    here = new[order]
    if (source[here] >= len(known)).any():
        raise LkmrsError("the survey's catalogue has rows that its receipts do not know: run the job again")
    result[order[here] - len(known)] = star[source[here]]
    return result
