"""Tell a person how far a run is: a live bar on a terminal, plain lines in a log."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lkmrs_dask.catalog.running import Progress

__all__ = ["Reporter", "StageRecord"]


@dataclass
class StageRecord:
    """What a stage took; `rows` is set by the stage itself."""

    name: str
    seconds: float = 0.0
    rows: int = 0
    peak_memory_mb: float = 0.0


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
    def stage(self, name: str, unit: str = "partitions") -> Iterator[tuple[StageRecord, Progress]]:
        """Time a stage; gives its record and a function to call with (done, all) units."""
        record = StageRecord(name)
        start = time.monotonic()
        with self._bar(name, unit) as progress:
            yield record, progress
        record.seconds = time.monotonic() - start
        # Of this process; the high-water mark can only rise from stage to stage.  Linux counts in KiB.
        scale = 1 / 1024 if sys.platform != "darwin" else 1 / 1024**2
        record.peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
        self.stages.append(record)
        rows = f"{record.rows:,} rows, " if record.rows else ""
        self.say(f"{name:<14} {rows}{record.seconds:.1f} s")

    def say(self, text: str) -> None:
        """Print a line."""
        if not self.quiet:
            print(text, flush=True)

    @contextmanager
    def _bar(self, name: str, unit: str) -> Iterator[Progress]:
        if self.quiet or not sys.stdout.isatty():
            yield lambda done, total: None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, transient=True) as bar:
            task = bar.add_task(f"{name} ({unit})", total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
