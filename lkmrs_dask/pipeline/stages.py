"""Stages: many independent pieces of work, each with a receipt, so that only what is missing is done.

One future a piece.  A fault that may pass is tried again; a piece that takes its worker with it, or all
memory, is tried once more alone at the end, so that it costs no others; what fails for good is reported and
costs itself alone.
"""

from __future__ import annotations

import errno
import queue
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lkmrs_dask.catalog.receipts import Receipt, WrittenFile
from lkmrs_dask.catalog.running import give_up
from lkmrs_dask.errors import LkmrsError, may_pass
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.memory import peak_memory_mb, release_memory, restart_peak
from lkmrs_dask.pipeline.progress import StageRecord
from lkmrs_dask.pipeline.survey import Survey

__all__ = ["Done", "Failure", "StageResult", "Unit", "carry_out"]

TRIES = 3
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True)
class Unit:
    """A piece of a stage.

    Parameters
    ----------
    name : str
        Names its receipt.
    fingerprint : str
        Of all that its result depends on.
    task : object
        Argument of the stage's function.
    weight : int
        About how much work it is: heavy ones begin first, so that none is left alone at the end.
    size : int
        What it counts in progress, of the stage's unit.
    """

    name: str
    fingerprint: str
    task: Any
    weight: int = 0
    size: int = 1


@dataclass(frozen=True)
class Done:
    """What a stage's function says of a finished piece: see `Receipt`; files by their paths."""

    rows: int = 0
    files: tuple[Path, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A piece that could not be done, how often it was tried, and why."""

    stage: str
    unit: str
    tries: int
    reason: str

    def __str__(self) -> str:
        times = f", tried {self.tries} times" if self.tries > 1 else ""
        return f"{self.stage} {self.unit}{times}: {self.reason}"


@dataclass
class StageResult:
    """Receipts of the pieces that are done, by name, and the others with their reasons."""

    receipts: dict[str, Receipt] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class _Carry:
    """Runs where a piece is worked on: calls the function, then writes the receipt of what it gave."""

    stage: str
    attempt: str
    function: Callable[[Any], Done]
    out: Survey

    def __call__(self, unit: Unit, tries: int) -> Receipt:
        restart_peak(f"{self.stage}-{self.attempt}")
        done = self.function(unit.task)
        files = tuple(WrittenFile.of(self.out.root, path) for path in done.files)
        receipt = Receipt(
            self.stage, unit.name, unit.fingerprint, done.rows, files, done.extra, peak_memory_mb()
        )
        receipt.write(self.out.receipts)
        release_memory()
        return receipt


def carry_out(
    stage: str,
    function: Callable[[Any], Done],
    units: Sequence[Unit],
    crew: Crew,
    record: StageRecord,
    out: Survey,
) -> StageResult:
    """Do pieces of a stage.

    Parameters
    ----------
    stage : str
        Its name, on the dashboard too.
    function : callable
        Does a piece, given its task; picklable.  The files that it writes lie in `out`.
    units : sequence of Unit
        What is to be done.
    crew : Crew
        Who does it.
    record : StageRecord
        Is told of progress, rows and memory.
    out : Survey
        Gets the receipts.

    Returns
    -------
    StageResult
        With a receipt or a failure for each piece.

    Raises
    ------
    LkmrsError
        When the disk is full or the scheduler is lost: what is done stays, and the next run goes on.
    """
    loop = _Loop(_Carry(stage, crew.attempt(), function, out), crew, record)
    with crew.label(stage):
        loop.run(sorted(units, key=lambda unit: -unit.weight), window=crew.window)
        alone, loop.alone = loop.alone, []
        for unit in alone:
            loop.last_chance = True
            loop.run([unit], window=1)
    return loop.result


class _Loop:
    """Keeps some pieces in hand until all are done or have failed."""

    def __init__(self, carry: _Carry, crew: Crew, record: StageRecord) -> None:
        self.result = StageResult()
        self.alone: list[Unit] = []
        self.last_chance = False
        self._carry, self._crew, self._record = carry, crew, record
        self._tries: dict[str, int] = {}

    def run(self, units: Iterable[Unit], window: int) -> None:
        waiting = list(units)[::-1]
        finished: queue.SimpleQueue[Future[Receipt]] = queue.SimpleQueue()
        working: dict[Future[Receipt], Unit] = {}
        try:
            while waiting or working:
                while waiting and len(working) < window:
                    unit = waiting.pop()
                    self._tries[unit.name] = self._tries.get(unit.name, 0) + 1
                    future = self._crew.submit(self._carry.stage, self._carry, unit, self._tries[unit.name])
                    working[future] = unit
                    future.add_done_callback(finished.put)
                future = self._crew.next_finished(finished)
                unit = working.pop(future)
                if self._settle(unit, future):
                    waiting.append(unit)
        except BaseException:
            give_up(working)
            raise

    def _settle(self, unit: Unit, future: Future[Receipt]) -> bool:
        """Take the outcome of a piece; true when it is to be tried again at once."""
        fault = self._crew.fault_of(future)
        stage, tries = self._carry.stage, self._tries[unit.name]
        if fault is None:
            receipt = future.result()
            self.result.receipts[unit.name] = receipt
            self._record.finish_unit(receipt.rows, receipt.peak_memory_mb, unit.size)
            return False
        if isinstance(fault, OSError) and fault.errno in _FULL:
            raise LkmrsError(
                f"{stage} {unit.name}: {fault}. What is done is kept: make room, then run the same command "
                "again"
            ) from fault
        if may_pass(fault) and tries < TRIES:
            return True
        if (isinstance(fault, MemoryError) or self._crew.lost_worker(fault)) and not self.last_chance:
            self.alone.append(unit)
            return False
        if not isinstance(fault, Exception):
            raise fault
        self.result.failures.append(Failure(stage, unit.name, tries, self._crew.explain(fault)))
        self._record.fail_unit(unit.size)
        return False
