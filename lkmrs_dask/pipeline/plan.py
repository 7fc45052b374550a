"""``lkmrs run --dry-run``: what there is to do, how many tasks that makes, and what a scheduler sees of it.

For a job as it stands, or for a survey of any number of rows with stars as in one that is there.  Nothing
is written or computed; the tasks are really made, so that their sizes and the client's time are measured.
"""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lkmrs_dask.catalog.build import PartRows
from lkmrs_dask.catalog.hats_write import COUNT_ORDER
from lkmrs_dask.catalog.layout import Part
from lkmrs_dask.catalog.receipts import Receipt, fingerprint
from lkmrs_dask.catalog.runs import RUN_ROWS
from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.crew import WINDOW
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.readings import FILES, READ, readings_of
from lkmrs_dask.pipeline.stages import Unit
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.sky.index import INDEX_ORDER
from lkmrs_dask.sky.tiling import Tiling, adaptive_tiling

__all__ = ["MESSAGES_PER_TASK", "Plan", "StagePlan", "plan_run", "scaled_tiling"]

MESSAGES_PER_TASK = 9
"""Messages that a task costs a scheduler: 3 with the client (submit, done, release), 4 with the worker
(compute, done, forget, forgotten), and a request and an answer for the result.  ``benchmarks/scaling.py``
counts the first seven."""

_MOST_ROWS = 1e12
_MOST_PARTS = 200_000
_SAMPLE = 200  # tasks of a stage that are pickled to see their size
_DOWNSTREAM = {
    "spectra": ("overview", "targets"),
    "measurements": ("overview", "means", "rv_variability", "orbits", "stars"),
}
_OF_LIGHT = {"light_curves": ("frequencies", "variables")}


@dataclass(frozen=True)
class StagePlan:
    """Work of a stage.

    Parameters
    ----------
    name : str
        The stage.
    pieces, kept : int
        All of its pieces, and those that are done already.
    task_bytes : float
        Mean size of a task on its way to the scheduler.
    """

    name: str
    pieces: int
    kept: int
    task_bytes: float

    @property
    def tasks(self) -> int:
        """Tasks to be done."""
        return self.pieces - self.kept


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Parameters
    ----------
    title : str
        Of what.
    stages : tuple of StagePlan
        Its stages.
    notes : tuple of str
        What else should be known.
    seconds : float
        What the client took to make the plan, with all its tasks.
    """

    title: str
    stages: tuple[StagePlan, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def tasks(self) -> int:
        """Tasks of all stages."""
        return sum(stage.tasks for stage in self.stages)

    @property
    def messages(self) -> int:
        """Messages of a scheduler for all tasks."""
        return self.tasks * MESSAGES_PER_TASK

    @property
    def graph_bytes(self) -> float:
        """Bytes of all tasks."""
        return sum(stage.tasks * stage.task_bytes for stage in self.stages)

    def lines(self) -> Iterator[str]:
        """Lines for a person."""
        yield self.title
        yield f"{'stage':<14} {'pieces':>10} {'done':>10} {'tasks':>10} {'bytes a task':>13}"
        for stage in self.stages:
            yield (
                f"{stage.name:<14} {stage.pieces:>10,} {stage.kept:>10,} {stage.tasks:>10,} "
                f"{stage.task_bytes:>13,.0f}"
            )
        yield f"{self.tasks:,} tasks, {self.graph_bytes / 1e6:,.1f} MB in all;"
        yield f"a scheduler holds {WINDOW} of them at a time, or 4 a worker if that is more"
        yield f"{self.messages:,} messages of a scheduler ({MESSAGES_PER_TASK} a task)"
        yield from self.notes
        yield f"planned in {self.seconds:.1f} s; nothing was done"


def plan_run(job: Job, out: str | Path, place: Place | None = None, rows: float | None = None) -> Plan:
    """Plan a run.

    Parameters
    ----------
    job : Job
        The job.
    out : str or Path
        The survey folder; it need not be there, unless `rows` is given.
    place : Place, optional
        Where it would run; it is not started.
    rows : float, optional
        Plan for a survey of so many spectra rows, with stars as those of the survey at `out`, denser by the
        factor between, in raw files as large as the job's.

    Raises
    ------
    UsageError
        When `rows` is given and there is no survey to scale, or it is no positive number or too large.
    """
    start = time.perf_counter()
    survey = Survey(Path(out))
    survey.check_place()
    if rows is not None:
        if not 1 <= rows <= _MOST_ROWS:
            raise UsageError(f"--rows must be from 1 to {_MOST_ROWS:g}, not {rows}")
        if rows / job.settings.max_rows > _MOST_PARTS:
            raise UsageError(
                f"--rows {rows:g} in partitions of {job.settings.max_rows:,} rows are more than "
                f"{_MOST_PARTS:,.0f} partitions: raise max_rows in the job's settings"
            )
        title, stages, notes = _scaled(survey, rows, job)
    else:
        title, stages, notes = _as_it_stands(survey, job)
    title += f", on {place or Place()}"
    return Plan(title, tuple(stages), tuple(notes), time.perf_counter() - start)


def _as_it_stands(survey: Survey, job: Job) -> tuple[str, list[StagePlan], list[str]]:
    readings = readings_of(job.sources())
    units = [Unit(one.name, one.fingerprint, one) for one in readings]
    found = Draft(survey).finished(READ, {unit.name: unit.fingerprint for unit in units})
    stages = [_stage(READ, len(units), units, len(found))]
    size = sum(file.stat().st_size for one in readings if one.name not in found for file in one.files)
    notes = [f"{size / 1e6:,.1f} MB of raw files to read"]
    if len(found) == len(units):
        notes.append("all raw files were read before: a run will look which partitions are as they would be")
    else:
        notes.append(
            "partitions are known when the raw files are read; those that they do not touch are kept"
        )
    curves = [path for spec in job.light_curves for path in spec.found(job.raw)]
    if curves:
        size = sum(path.stat().st_size for path in curves)
        notes.append(f"{len(curves):,} files of light curves, {size / 1e6:,.1f} MB; stars in partitions of "
                     f"at most {job.variability.max_stars}")  # fmt: skip
    for catalog, downstream in (_DOWNSTREAM | _OF_LIGHT).items():
        n = sum(1 for _ in (survey.receipts / catalog).glob("*.json"))
        if n:
            notes.append(
                f"{catalog} has {n:,} partitions now, and as many pieces of {' and '.join(downstream)}"
            )
    return f"job {job.name} to {survey.root}", stages, notes


def _stage(name: str, pieces: int, units: Iterable[Unit], kept: int = 0) -> StagePlan:
    sample = [unit for _, unit in zip(range(_SAMPLE), units, strict=False)]
    size = sum(len(pickle.dumps(unit)) for unit in sample) / max(1, len(sample))
    return StagePlan(name, pieces, kept, size)


def _scaled(survey: Survey, rows: float, job: Job) -> tuple[str, list[StagePlan], list[str]]:
    survey.check()
    reads = Receipt.read_all(survey.receipts, READ)
    n_spectra = sum(one.rows for one in Receipt.read_all(survey.receipts, "spectra").values())
    if not n_spectra or not reads:
        raise UsageError(
            f"--rows scales a survey that is there, but {survey.root} has no spectra; run a small one first"
        )
    factor = rows / n_spectra
    n_readings = math.ceil(len(reads) * factor)
    readings = readings_of(job.sources())
    stages = [_stage(READ, n_readings, (Unit(one.name, one.fingerprint, one) for one in readings))]
    n_runs = math.ceil(sum(one.rows for one in reads.values()) * factor / RUN_ROWS)
    share = _share_of_plans(survey)
    for catalog, downstream in _DOWNSTREAM.items():
        index, counts, row_bytes = _density(survey, catalog)
        if not len(index):
            continue
        tiling = scaled_tiling(index, counts * factor, row_bytes, job.settings.max_rows, job.settings.max_mb)
        runs_of_part = max(1, round(share * n_runs))
        units = _units(tiling, survey.work / "runs" / catalog, runs_of_part)
        stages.append(_stage(catalog, len(tiling), units))
        light = [Unit(unit.name, unit.fingerprint, unit.task.part) for unit in units[:_SAMPLE]]
        stages += [_stage(name, len(tiling), light) for name in downstream]
    notes = [
        f"{factor:,.1f} times the rows of {survey.root}, in {n_runs:,} runs on disk before they are sorted",
        "each piece leaves a receipt, a small file; stars are identified by the client, in its memory",
    ]
    return f"a survey of {rows:,.0f} rows like {survey.root} ({n_spectra:,} rows)", stages, notes


def _density(survey: Survey, catalog: str) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    """Rows of a catalogue by cell of order `COUNT_ORDER`, and bytes of a row in memory."""
    receipts = Receipt.read_all(survey.receipts, catalog).values()
    counts = np.zeros(12 << (2 * COUNT_ORDER))
    for one in receipts:
        np.add.at(counts, np.array(one.extra["pixels"], np.int64), np.array(one.extra["counts"], np.float64))
    cells = np.flatnonzero(counts)
    size = total = 0
    for unit, one in Receipt.read_all(survey.receipts, READ).items():
        if one.extra["catalog"] == catalog:
            table = pq.read_table(survey.root / FILES / f"{unit}.sightings.parquet", partitioning=None)
            size += int(table.column("bytes").to_numpy().sum())
            total += int(table.column("count").to_numpy().sum())
    return cells.astype(np.int64), counts[cells], size / max(1, total)


def _share_of_plans(survey: Survey) -> float:
    """Share of the plans that have a star, in the mean; so that of the runs with rows of a partition."""
    visits: set[tuple[Any, ...]] = set()
    stars = plates = 0
    for one in Receipt.read_all(survey.receipts, "overview").values():
        overview = one.extra["overview"]
        visits |= {tuple(visit[:2]) for visit in overview["visits"]}
        stars += overview["n_stars"]
        plates += sum(n for _, n in overview["plates"].values())
    plans = {visit[0] for visit in visits}
    return plates / max(1, stars) / max(1, len(plans))


def scaled_tiling(
    cells: NDArray[np.int64], rows: NDArray[np.float64], row_bytes: float, max_rows: int, max_mb: int
) -> Tiling:
    """Tiling of a denser survey, with the rows of each cell of order `COUNT_ORDER` spread evenly over it.

    Parameters
    ----------
    cells : ndarray of int64, shape (n,)
        Pixels of that order, rising.
    rows : ndarray of float64, shape (n,)
        Rows in each.
    row_bytes : float
        Bytes of a row in memory.
    max_rows, max_mb : int
        Thresholds of a partition.
    """
    most = min(float(max_rows), (max_mb << 20) / max(row_bytes, 1.0))
    whole = np.ceil(rows).astype(np.int64)
    index = cells << (2 * (INDEX_ORDER - COUNT_ORDER))
    coarse = adaptive_tiling(index, whole, max_rows=max(1, int(most)), highest_order=COUNT_ORDER)
    # A tile of one cell is as coarse as it may be while alone: it is the cell that is split further.
    tile = coarse.locate(index)
    alone = np.bincount(tile, minlength=len(coarse)) == 1
    order, pixel = [coarse.order[~alone]], [coarse.pixel[~alone]]
    fine, here = cells[alone[tile]], whole[alone[tile]]
    levels = np.ceil(np.log(np.maximum(here / most, 1.0)) / np.log(4.0) - 1e-9).astype(np.int64)
    for level in np.unique(levels).tolist():
        children = (fine[levels == level, None] << (2 * level)) + np.arange(4**level)
        pixel.append(children.reshape(-1))
        order.append(np.full(children.size, COUNT_ORDER + level))
    return Tiling(np.concatenate(order), np.concatenate(pixel))


def _units(tiling: Tiling, folder: Path, runs_of_part: int) -> list[Unit]:
    """Make the units of a catalogue's partitions, as a run does."""
    stems = tuple(f"{folder}-{number:016x}-0000" for number in range(runs_of_part))
    units = []
    for number, (order, pixel) in enumerate(tiling):
        part = Part(order, pixel, number, number + 1)
        units.append(Unit(part.name, fingerprint(order, pixel), PartRows(part, 0, stems)))
    return units
