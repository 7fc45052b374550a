"""Where a run computes: on threads of this process, on local worker processes, or on a cluster elsewhere.

The only module that imports `distributed`.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import dask

from lkmrs_dask import __version__
from lkmrs_dask.catalog.receipts import code_fingerprint
from lkmrs_dask.catalog.running import cores
from lkmrs_dask.errors import LkmrsError, UsageError
from lkmrs_dask.pipeline.interrupts import Interrupts, heed_interrupts
from lkmrs_dask.pipeline.memory import peak_memory_mb

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

__all__ = ["WINDOW", "Crew", "Place", "open_crew"]

Result = TypeVar("Result")

_PATIENCE = 15.0  # seconds in which a scheduler must answer, when a run begins and after a break
_NO_WORKERS = 60.0  # seconds that a run waits for new workers when it has lost all
_ROOM = 0.2  # least share of a worker's memory that must be left for its pieces
_LOOK = 1.0  # seconds between looks whether the scheduler is still there and nobody has pressed Ctrl-C
WINDOW = 64  # least number of pieces handed out at once: enough to keep workers busy between messages
_ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx|ucxx)://)?(\[[^\]\s]+\]|[^\s:/\[\]]+):\d+/?")
_SHOWN = 3  # workers named in a message
_LOCAL = {
    # What fills a worker is the piece that it is on, not results, which are receipts: there is nothing to
    # spill, and a worker that pauses would wait for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    # A piece that took two workers with it is tried alone at the end; Dask's three more times only cost time.
    "distributed.scheduler.allowed-failures": 1,
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
    # Dask lets C's allocator give back every 64 kB at once, so that each array of a piece costs page faults
    # anew: half of the time of writing a partition.  Memory is given back between pieces (`release_memory`).
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 128 << 20,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 32 << 20,
}


@dataclass(frozen=True)
class Place:
    """Where to compute; at most one of the first three is given, none means one thread a core.

    Parameters
    ----------
    threads : int, optional
        Threads of this process.
    workers : int, optional
        Local worker processes with one thread each.
    scheduler : str, optional
        Address of a running Dask scheduler.
    memory : str, optional
        Limit of each local worker process, as ``2GB``: one that exceeds it is restarted.
    """

    threads: int | None = None
    workers: int | None = None
    scheduler: str | None = None
    memory: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("threads", "workers", "scheduler") if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(f"choose one of {', '.join('--' + name for name in given)}")
        if self.scheduler is not None and not _ADDRESS.fullmatch(self.scheduler):
            raise UsageError(
                f"--scheduler must be as tcp://HOST:PORT or tls://HOST:PORT, got {self.scheduler!r}"
            )
        for name in ("threads", "workers"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise UsageError(f"--{name} must be at least 1, got {number}")
        if self.memory is not None:
            if self.workers is None:
                raise UsageError("--memory limits local worker processes: give --workers too")
            try:
                size = dask.utils.parse_bytes(self.memory)
            except ValueError as fault:
                raise UsageError(f"--memory must be a size such as 2GB, got {self.memory!r}") from fault
            if size < 0:
                raise UsageError(f"--memory must not be negative, got {self.memory!r}")

    def __str__(self) -> str:
        if self.scheduler is not None:
            return f"scheduler {self.scheduler}"
        if self.workers is not None:
            return f"{self.workers} worker processes"
        return f"{self.threads or cores()} threads"


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
            if self._client.status == "closed" or now - self._heard > _PATIENCE:
                raise self._gone()
            return
        self._heard = now
        if self._client.nthreads():
            self._staffed = now
        elif now - self._staffed > _NO_WORKERS:
            raise LkmrsError(
                f"the Dask scheduler has had no workers for {_NO_WORKERS:.0f} s. What is done is kept: start "
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


@contextmanager
def open_crew(place: Place) -> Iterator[Crew]:
    """Give a crew for the time of the ``with`` block; Dask's own work goes to the same place.

    Raises
    ------
    LkmrsError
        When no scheduler answers, it has no workers, or these have another lkmrs_dask than this process.
    UsageError
        When workers cannot even start within the memory that they may have.
    """
    if place.workers is None and place.scheduler is None:
        number = place.threads or cores()
        with (
            heed_interrupts() as interrupts,
            ThreadPoolExecutor(number, thread_name_prefix="lkmrs") as pool,
            dask.config.set(scheduler="threads", num_workers=number),
        ):
            yield Crew(pool, number, interrupts)
        return
    with (
        heed_interrupts() as interrupts,
        dask.config.set(scheduler="threads"),
        _quiet(),
        _client(place) as client,
    ):
        yield Crew(client.get_executor(), sum(client.nthreads().values()), interrupts, client)


def _client(place: Place) -> AbstractContextManager[Client]:
    return _local(place) if place.workers is not None else _elsewhere(place)


@contextmanager
def _local(place: Place) -> Iterator[Client]:
    """Start worker processes, and end them."""
    from distributed import Client

    with dask.config.set(_LOCAL), _start_workers(place) as cluster, Client(cluster) as client:
        _check_memory(client, place)
        yield client


def _check_memory(client: Client, place: Place) -> None:
    """Raise unless workers can start, and have room for work."""
    if place.memory is None:
        return
    from distributed import KilledWorker

    try:
        need = client.submit(_memory_of_worker, pure=False).result(_NO_WORKERS)
    except (KilledWorker, TimeoutError):
        raise UsageError(
            f"--memory {place.memory} is too little: worker processes do not even start with it"
        ) from None
    if need << 20 > (1 - _ROOM) * dask.utils.parse_bytes(place.memory):
        raise UsageError(f"--memory {place.memory} is too little: a worker takes {need} MB before any work")


def _memory_of_worker() -> int:
    """Memory (MB) of a process that has all modules of a run."""
    import lkmrs_dask.pipeline.run  # noqa: F401

    return round(peak_memory_mb())


def _start_workers(place: Place) -> LocalCluster:
    from distributed import LocalCluster

    # Ctrl-C on a terminal reaches the workers too, but is for this process alone: threads that begin while it
    # is blocked, and the processes that these start, never see it.  The tracker first: its start unblocks.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return LocalCluster(
            n_workers=place.workers,
            threads_per_worker=1,
            memory_limit="auto" if place.memory is None else place.memory,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _elsewhere(place: Place) -> Iterator[Client]:
    """Connect to a scheduler that somebody else runs."""
    from distributed import Client, Security

    assert place.scheduler is not None
    if place.scheduler.startswith("tls:") and not Security().get_connection_args("client")["ssl_context"]:
        raise UsageError(
            f"--scheduler {place.scheduler} needs certificates: state them in Dask's settings under "
            "distributed.comm.tls (ca-file, client.cert, client.key)"
        )
    try:
        # Not as the default of the process: one that finds no scheduler would stay it.
        client = Client(place.scheduler, timeout=f"{_PATIENCE:.0f}s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as fault:
        raise LkmrsError(
            f"no Dask scheduler answers at {place.scheduler} ({fault}); start one with `dask scheduler`"
        ) from fault
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as fault:
            raise LkmrsError(
                f"the Dask scheduler at {place.scheduler} has no workers; start some with `dask worker "
                f"{place.scheduler}`"
            ) from fault
        _check_code(client)
        yield client


def _code() -> str:
    """Name the code of this process: its version, and a part of its fingerprint."""
    return f"{__version__} ({code_fingerprint()[:12]})"


def _check_code(client: Client) -> None:
    """Raise unless all workers have the code that this process will write into receipts."""
    mine = _code()
    found = client.run(_code, on_error="return")
    others = [f"worker {worker} has {theirs}" for worker, theirs in found.items() if theirs != mine]
    if others:
        shown = "; ".join(others[:_SHOWN]) + (f"; and {len(others) - _SHOWN} more" if others[_SHOWN:] else "")
        raise LkmrsError(
            f"this process has lkmrs_dask {mine}, but {shown}: install the same on all machines, then start "
            "the workers anew"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own messages off the terminal: what they tell of is told by errors of this package."""
    import distributed  # sets the levels of its loggers when it is imported

    before = {}
    for name in (distributed.__name__, "distributed.client", "tornado.application"):
        logger = logging.getLogger(name)
        before[logger] = logger.level
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)
