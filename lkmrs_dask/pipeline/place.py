"""Where a run is to compute, as its caller says it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import dask

from lkmrs_dask.catalog.running import cores
from lkmrs_dask.errors import UsageError

__all__ = ["Place"]

_ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx|ucxx)://)?(\[[^\]\s]+\]|[^\s:/\[\]]+):\d+/?")


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
