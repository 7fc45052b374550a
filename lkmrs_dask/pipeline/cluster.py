"""Crews: threads of this process, local worker processes, or the workers of a cluster elsewhere."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING

import dask

from lkmrs_dask import __version__
from lkmrs_dask.catalog.receipts import code_fingerprint
from lkmrs_dask.catalog.running import cores
from lkmrs_dask.errors import LkmrsError, UsageError
from lkmrs_dask.pipeline.crew import NO_WORKERS, PATIENCE, Crew
from lkmrs_dask.pipeline.interrupts import heed_interrupts
from lkmrs_dask.pipeline.memory import peak_memory_mb
from lkmrs_dask.pipeline.place import Place

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

__all__ = ["open_crew"]

_ROOM = 0.2  # least share of a worker's memory that must be left for its pieces
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
        need = client.submit(_memory_of_worker, pure=False).result(NO_WORKERS)
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
        client = Client(place.scheduler, timeout=f"{PATIENCE:.0f}s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as fault:
        raise LkmrsError(
            f"no Dask scheduler answers at {place.scheduler} ({fault}); start one with `dask scheduler`"
        ) from fault
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
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
