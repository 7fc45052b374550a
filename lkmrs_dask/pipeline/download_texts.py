"""What is said where a file cannot be downloaded: why, which address was asked, and what a person can do."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from lkmrs_dask.pipeline.download import RemoteFile

__all__ = ["gave_up_text", "http_text", "no_network_text"]

_READABLE = 300  # characters of an address


def _by_hand(file: RemoteFile, target: Path) -> str:
    return file.by_hand or f"put the file at {target} by hand"


def _shown(url: str) -> str:
    """An address, without the question in it where that is too long to read or to type."""
    return url if len(url) <= _READABLE else f"{url.partition('?')[0]}?..."


def no_network_text(file: RemoteFile, target: Path, reason: object) -> str:
    """Of a server that cannot be reached."""
    host = urlsplit(file.url).netloc
    return (
        f"no network, or {host} does not answer: {reason}.  The address is {_shown(file.url)}; "
        f"{_by_hand(file, target)}, or run the same command again: it goes on where it stopped"
    )


def gave_up_text(file: RemoteFile, target: Path, reason: object) -> str:
    """Of a server that answers, and breaks off or is busy each time."""
    host = urlsplit(file.url).netloc
    return (
        f"{host}: {reason}, again and again.  Run the same command later: it goes on where it stopped; or "
        f"{file.by_hand or f'put {_shown(file.url)} at {target} by hand'}"
    )


def http_text(file: RemoteFile, target: Path, answer: urllib.error.HTTPError) -> str:
    """Of a server that refuses."""
    if 300 <= answer.code < 400:
        return f"{file.url}: the server sends from one address to another without end; tell its owners"
    return (
        f"{_shown(file.url)}: the server answers {answer.code} {answer.reason}.  It may have moved or need a "
        f"login; {_by_hand(file, target)}"
    )
