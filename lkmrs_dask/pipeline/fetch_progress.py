"""How far a download is: a live bar on a terminal, and nothing elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lkmrs_dask.pipeline.download import Transfer

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["shown_transfer"]


@contextmanager
def shown_transfer(console: Console | None = None) -> Iterator[Transfer]:
    """Give a way to download that shows the bytes that have come, where a person sees them.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to; standard error if not given.

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
    with Progress(*columns, console=console, transient=True) as bars:

        def show(name: str, there: int, total: int | None) -> None:
            if name not in tasks:
                for done in tasks.values():  # files come one after another
                    bars.remove_task(done)
                tasks.clear()
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=there, total=total)

        yield Transfer(progress=show)
