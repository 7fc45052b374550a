"""How far a download is: a live bar on a terminal, and nothing elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lkmrs_dask.pipeline.download import Transfer

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["shown_transfer"]


@contextmanager
def shown_transfer(console: Console | None = None, at_once: int = 1) -> Iterator[Transfer]:
    """Give a way to download that shows the bytes that have come, where a person sees them.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to; standard error if not given.
    at_once : int
        Files that come side by side.

    Yields
    ------
    Transfer
    """
    from rich.console import Console as NewConsole
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = console or NewConsole(stderr=True)
    if not console.is_terminal:
        yield Transfer()
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}
    one_at_a_time = threading.Lock()
    with Progress(*columns, console=console, transient=True) as bars:

        def show(name: str, there: int, total: int | None) -> None:
            with one_at_a_time:
                while name not in tasks and len(tasks) >= at_once:  # the oldest makes room
                    bars.remove_task(tasks.pop(next(iter(tasks))))
                if name not in tasks:
                    tasks[name] = bars.add_task(name, total=total)
                bars.update(tasks[name], completed=there, total=total)

        yield Transfer(progress=show)
