"""Those who work on a run's pieces: what is handed to them, and what comes back or does not."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from lkmrs_dask.errors import LkmrsError
from lkmrs_dask.pipeline.interrupts import Interrupts

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["NO_WORKERS", "PATIENCE", "WINDOW", "Crew"]

Result = TypeVar("Result")

PATIENCE = 15.0
"""Seconds in which a scheduler must answer, when a run begins and after a break."""

NO_WORKERS = 60.0
"""Seconds that a run waits for new workers when it has lost all."""

WINDOW = 64
"""Least number of pieces handed out at once: enough to keep workers busy between messages."""

_LOOK = 1.0  # seconds between looks whether the scheduler is still there and nobody has pressed Ctrl-C


class Crew:
    """Those who work on a run's pieces: threads here, or the workers of a Dask cluster.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Takes the work.
    n_workers : int
        Threads that work at once, as far as is known.
    interrupts : Interrupts
        Tells of a Ctrl-C.
    client : distributed.Client, optional
        Where they are a cluster's.
    """

    def __init__(
        self, executor: Executor, n_workers: int, interrupts: Interrupts, client: Client | None = None
    ) -> None:
        self.executor, self.n_workers, self._client = executor, n_workers, client
        self._interrupts = interrupts
        self._heard = self._staffed = time.monotonic()

    @property
    def dashboard(self) -> str | None:
        """Address of the dashboard."""
        return self._client.dashboard_link if self._client is not None else None

    def check_sees(self, folder: Path) -> None:
        """Raise LkmrsError unless all workers see a folder of this machine."""
        if self._client is None:
            return
        blind = [worker for worker, sees in self._client.run(os.path.isdir, str(folder)).items() if not sees]
        if blind:
            raise LkmrsError(
                f"worker {blind[0]} does not see {folder}: workers need the same files under the same paths, "
                "on a shared file system"
            )

    @property
    def window(self) -> int:
        """How many pieces to hand out at once."""
        return max(WINDOW, 4 * self.n_workers)

    @staticmethod
    def attempt() -> str:
        """Make a name that no earlier call had: Dask takes equal calls for one and answers from memory."""
        return uuid4().hex

    def label(self, name: str) -> AbstractContextManager[Any]:
        """Give the tasks submitted inside a name on the dashboard."""
        if self._client is None:
            return nullcontext()
        from distributed import span

        return span(name)

    def submit(self, name: str, function: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Hand a call over; the dashboard shows it under its name."""
        if self._client is None:
            return self.executor.submit(function, *arguments)
        if self._client.status not in ("running", "connecting"):
            raise self._gone()
        return self.executor.submit(function, *arguments, key=f"{name}-{uuid4().hex}")

    def next_finished(self, finished: queue.SimpleQueue[Future[Result]]) -> Future[Result]:
        """Wait for the next future that somebody puts into a queue.

        Raises
        ------
        LkmrsError
            When the scheduler or all workers stay away meanwhile.
        KeyboardInterrupt
            After a Ctrl-C, even one that Python swallowed.
        """
        while True:
            self._interrupts.check()
            try:
                return finished.get(timeout=_LOOK)
            except queue.Empty:
                self._look()

    def _look(self) -> None:
        """Raise when the scheduler, or all workers, have not been there for some time."""
        if self._client is None:
            return
        comm, now = self._client.scheduler_comm, time.monotonic()
        if self._client.status != "running" or comm is None or comm.comm.closed():
            if self._client.status == "closed" or now - self._heard > PATIENCE:
                raise self._gone()
            return
        self._heard = now
        if self._client.nthreads():
            self._staffed = now
        elif now - self._staffed > NO_WORKERS:
            raise LkmrsError(
                f"the Dask scheduler has had no workers for {NO_WORKERS:.0f} s. What is done is kept: start "
                "workers, then run the same command again"
            )

    def _gone(self) -> LkmrsError:
        return LkmrsError(
            "the Dask scheduler is gone, or the connection to it. What is done is kept: start scheduler and "
            "workers, then run the same command again"
        )

    def fault_of(self, future: Future[Any]) -> BaseException | None:
        """Exception of a finished future; LkmrsError is raised where it ended with the scheduler."""
        if future.cancelled():
            raise self._gone()
        fault = future.exception()
        if isinstance(fault, CancelledError) or type(fault).__name__ == "FutureCancelledError":
            raise self._gone() from fault
        return fault

    @staticmethod
    def lost_worker(fault: BaseException) -> bool:
        """Whether a piece took its workers with it, as Dask sees it."""
        return type(fault).__name__ == "KilledWorker"

    def explain(self, fault: BaseException) -> str:
        """Say in a line why a piece failed."""
        if self.lost_worker(fault):
            return (
                "every worker that had it died (out of memory?): give workers more memory, or lower max_rows "
                "and max_mb in the job's settings"
            )
        return str(fault) if isinstance(fault, LkmrsError) else f"{type(fault).__name__}: {fault}"
