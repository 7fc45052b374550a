"""Where a run computes: on threads of this process, on local worker processes, or on a cluster elsewhere.

The only module that imports `distributed`.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import dask

from lkmrs_dask.catalog.running import cores
from lkmrs_dask.errors import LkmrsError, UsageError

__all__ = ["Place", "open_executor"]


@dataclass(frozen=True)
class Place:
    """Where to compute; at most one of the three is given, none means one thread a core.

    Parameters
    ----------
    threads : int, optional
        Threads of this process.
    workers : int, optional
        Local worker processes with one thread each.
    scheduler : str, optional
        Address of a running Dask scheduler.
    """

    threads: int | None = None
    workers: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("threads", "workers", "scheduler") if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(f"choose one of {', '.join('--' + name for name in given)}")
        for name in ("threads", "workers"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise UsageError(f"--{name} must be at least 1, got {number}")

    def __str__(self) -> str:
        if self.scheduler is not None:
            return f"scheduler {self.scheduler}"
        if self.workers is not None:
            return f"{self.workers} worker processes"
        return f"{self.threads or cores()} threads"


@contextmanager
def open_executor(place: Place) -> Iterator[Executor]:
    """Give an executor for the time of the ``with`` block; Dask's own work goes to the same place."""
    if place.workers is None and place.scheduler is None:
        number = place.threads or cores()
        with (
            ThreadPoolExecutor(number, thread_name_prefix="lkmrs") as pool,
            dask.config.set(scheduler="threads", num_workers=number),
        ):
            yield pool
        return
    from distributed import Client, LocalCluster

    if place.workers is not None:
        with (
            LocalCluster(
                n_workers=place.workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
            ) as cluster,
            Client(cluster) as client,
            client.get_executor() as pool,
        ):
            yield pool
        return
    try:
        client = Client(place.scheduler, timeout="15s")
    except (OSError, TimeoutError, ValueError) as fault:
        raise LkmrsError(f"no Dask scheduler answers at {place.scheduler}: {fault}") from fault
    with client, client.get_executor() as pool:
        yield pool
