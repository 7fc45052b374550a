"""Tell a person how far a run is: a live bar on a terminal, a line now and then in a batch log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lkmrs_dask.pipeline.memory import peak_memory_mb, restart_peak

__all__ = ["Reporter", "StageRecord"]

_LINE_EVERY = 30.0  # seconds between lines in a log

Show = Callable[["StageRecord"], None]


@dataclass
class StageRecord:
    """What a stage took, and how far it is.

    Parameters
    ----------
    name, unit : str
        The stage, and what its pieces are called.
    seconds : float
        From its beginning to its end.
    rows : int
        Rows that it made or read.
    peak_memory_mb : float
        Largest memory of a process that worked on it.
    total, done, kept, failed : int
        Pieces, or what is counted of them; those done now; those that were done before and are as they should
        be; those that failed.
    """

    name: str
    unit: str = "partitions"
    seconds: float = 0.0
    rows: int = 0
    peak_memory_mb: float = 0.0
    total: int = 0
    done: int = 0
    kept: int = 0
    failed: int = 0
    show: Show | None = field(default=None, repr=False, compare=False)

    def begin(self, total: int, kept: int = 0) -> None:
        """Say how many pieces there are, and how many need no work."""
        self.total, self.kept = total, kept
        self._changed()

    def finish_unit(self, rows: int = 0, memory_mb: float = 0.0, size: int = 1) -> None:
        """Count a piece that is done."""
        self.done += size
        self.rows += rows
        self.peak_memory_mb = max(self.peak_memory_mb, memory_mb)
        self._changed()

    def fail_unit(self, size: int = 1) -> None:
        """Count a piece that failed."""
        self.failed += size
        self._changed()

    def progress(self, done: int, total: int) -> None:
        """Take progress as `run_tasks` tells it."""
        self.done, self.total = done, total
        self._changed()

    def _changed(self) -> None:
        if self.show is not None:
            self.show(self)

    def as_json(self) -> dict[str, Any]:
        """Entry of ``summary.json``."""
        counts = {name: getattr(self, name) for name in ("total", "done", "kept", "failed")}
        return {
            "seconds": round(self.seconds, 3),
            "rows": self.rows,
            "peak_memory_mb": round(self.peak_memory_mb, 1),
            self.unit: counts,
        }

    def line(self) -> str:
        """What the stage came to, in a line."""
        parts = [f"{self.rows:,} rows"] if self.rows else []
        if self.total and self.kept:
            parts.append(f"{self.done:,} {self.unit} done, {self.kept:,} kept")
        elif self.total:
            parts.append(f"{self.done:,} {self.unit}")
        if self.failed:
            parts.append(f"{self.failed:,} FAILED")
        return f"{self.name:<18} {', '.join([*parts, f'{self.seconds:.1f} s'])}"


@dataclass
class Reporter:
    """Shows and records the stages of a run.

    Parameters
    ----------
    quiet : bool
        Record only.
    """

    quiet: bool = False
    stages: list[StageRecord] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, unit: str = "partitions") -> Iterator[StageRecord]:
        """Time a stage, and show how far it is."""
        record = StageRecord(name, unit)
        restart_peak(f"{name}-{id(record)}")
        start = time.monotonic()
        with self._watched(record):
            yield record
        record.seconds = time.monotonic() - start
        record.peak_memory_mb = max(record.peak_memory_mb, peak_memory_mb())
        self.stages.append(record)
        self.say(record.line())

    def say(self, text: str) -> None:
        """Print a line."""
        if not self.quiet:
            print(text, flush=True)

    @contextmanager
    def _watched(self, record: StageRecord) -> Iterator[None]:
        if self.quiet:
            yield
        elif sys.stdout.isatty():
            with _bar(record):
                yield
        else:
            record.show = _Lines(self.say)
            yield
        record.show = None


class _Lines:
    """Prints how far a stage is, at most every half minute: a batch log must stay short."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._start, self._last = say, time.monotonic(), time.monotonic()

    def __call__(self, record: StageRecord) -> None:
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY and record.total:
            self._last = now
            finished = record.done + record.kept + record.failed
            share = f"{finished:,} of {record.total:,} {record.unit}"
            left = (now - self._start) * (record.total - finished) / max(1, record.done)
            rows = f", {record.rows:,} rows" if record.rows else ""
            self._say(f"{record.name:<18} {share}{rows}, some {left:.0f} s left")


@contextmanager
def _bar(record: StageRecord) -> Iterator[None]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task(f"{record.name} ({record.unit})", total=None, rows="")

        def show(now: StageRecord) -> None:
            finished = now.done + now.kept + now.failed
            rows = f"{now.rows:,} rows" if now.rows else ""
            bar.update(task, completed=finished, total=now.total or None, rows=rows)

        record.show = show
        yield
