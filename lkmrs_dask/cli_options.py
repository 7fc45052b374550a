"""Options that several subcommands have."""

from __future__ import annotations

from collections.abc import Callable

import click

__all__ = ["place_options"]


def place_options(function: Callable[..., None]) -> Callable[..., None]:
    """Options that say where to compute."""
    for option in (
        click.option("--memory", metavar="SIZE", help="Memory limit of each of the --workers, as 2GB."),
        click.option("--scheduler", metavar="ADDRESS", help="Compute on a running Dask scheduler."),
        click.option("--workers", type=int, metavar="N", help="Compute on N local worker processes."),
        click.option("--threads", type=int, metavar="N", help="Compute on N threads (default: one a core)."),
    ):
        function = option(function)
    return function
