"""Download a file over HTTP so that it is there whole or not at all, and go on where a transfer broke."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lkmrs_dask import __version__
from lkmrs_dask.catalog.receipts import sync
from lkmrs_dask.errors import LkmrsError
from lkmrs_dask.pipeline.download_texts import gave_up_text, http_text, no_network_text
from lkmrs_dask.pipeline.fetched import wrong_content

__all__ = [
    "FetchError", "MissingFileError", "NoNetworkError", "RemoteFile", "Transfer", "download", "problem_of",
]  # fmt: skip

_BLOCK = 1 << 18
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_MISSING = frozenset({404, 410})
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are there, and those of the whole where they are known."""


class FetchError(LkmrsError):
    """A file that could not be downloaded."""


class MissingFileError(FetchError):
    """A file that the server does not have."""


class NoNetworkError(FetchError):
    """A file whose server cannot be reached: others of it cannot be had either."""


class _BrokenOffError(Exception):
    """A transfer that may go on when it is tried again."""


class _RestartError(Exception):
    """What is there of a file is of no use: begin anew."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Parameters
    ----------
    url : str
        Its address.
    name : str
        What it is called here.
    size : int, optional
        Its bytes, where they are published.
    md5, sha256 : str, optional
        Its checksum, where it is published.
    of_content : bool
        Whether the checksum is of what is in the gzip file.
    by_hand : str, optional
        What a person can do where it cannot be had; to put the file in its place, if not given.
    """

    url: str
    name: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    of_content: bool = False
    by_hand: str | None = None

    @property
    def is_checked(self) -> bool:
        """Whether a checksum is known."""
        return bool(self.md5 or self.sha256)


@dataclass(frozen=True)
class Transfer:
    """How to download.

    Parameters
    ----------
    attempts : int
        Times that a transfer is taken up again without a byte gained before it is given up.
    wait : float
        Seconds before the second attempt; doubled for each further one.
    timeout : float
        Seconds without an answer after which a transfer counts as broken.
    progress : callable, optional
        See `Progress`.
    """

    attempts: int = 5
    wait: float = 1.0
    timeout: float = 60.0
    progress: Progress | None = None


def problem_of(path: Path, file: RemoteFile) -> str | None:
    """Say how a file on disk differs from what is published of it, or cannot be it; None for nothing."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"it has {size} bytes, {file.size} are published"
    for method, wanted in (("sha256", file.sha256), ("md5", file.md5)):
        if wanted:
            found = _digest(path, method, file.of_content)
            if found != wanted.lower():
                return f"its {method} is {found}, {wanted} is published"
    return None if file.is_checked else wrong_content(path, file.name)


def _digest(path: Path, method: str, of_content: bool) -> str:
    digest = hashlib.new(method, usedforsecurity=False)
    try:
        with gzip.open(path) if of_content else path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except (EOFError, gzip.BadGzipFile, zlib.error) as fault:
        return f"not to be had ({fault})"
    return digest.hexdigest()


def download(file: RemoteFile, folder: Path, transfer: Transfer | None = None) -> bool:
    """Download a file, unless it is there.

    What has come lies in ``NAME.part``, with the server's mark of the version (ETag or date) in
    ``NAME.part.json``, until it is whole and its size and checksum are right.  A later call goes on there, if
    the server still has the same version.

    Parameters
    ----------
    file : RemoteFile
        What to download.
    folder : Path
        Where to; it must exist.
    transfer : Transfer, optional
        How.

    Returns
    -------
    bool
        False where the whole file was there already.

    Raises
    ------
    FetchError
        Where it cannot be had, or is not what is published.
    """
    transfer = transfer or Transfer()
    if urlsplit(file.url).scheme not in ("http", "https"):
        raise FetchError(f"{file.url}: only http and https addresses are fetched")
    target = folder / file.name
    if target.exists() and problem_of(target, file) is None:
        return False
    part = _Part(target)
    for last in (False, True):
        resumed = _transfer(file, part, target, transfer)
        problem = problem_of(part.path, file)
        if problem is None:
            break
        part.drop()
        # What was there before may have been of another version.
        if last or not resumed:
            raise FetchError(f"{file.url}: {problem}; what came was thrown away, try again later")
    sync(part.path)
    os.replace(part.path, target)
    part.drop()
    return True


class _Version(NamedTuple):
    """The server's mark of a version (ETag or date), for a request to go on, and the bytes of the whole."""

    mark: str | None
    total: int | None


class _Part:
    """What has come of a file, and of which version it is."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")
        self.begun = 0
        """Answers that came from the file's first byte on."""

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self, url: str) -> _Version:
        """Of which version it is, as far as that is known."""
        try:
            note = json.loads(self._note.read_text("utf-8"))
        except (OSError, ValueError):
            return _Version(None, None)
        if not isinstance(note, dict) or note.get("url") != url:
            return _Version(None, None)
        return _Version(note.get("mark"), note.get("total"))

    def begin(self, url: str, version: _Version) -> None:
        """Throw away what is there and note the version that comes."""
        self.begun += 1
        self.drop()
        self._note.write_text(json.dumps({"url": url, **version._asdict()}), "utf-8")

    def drop(self) -> None:
        """Remove both files."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


def _transfer(file: RemoteFile, part: _Part, target: Path, transfer: Transfer) -> bool:
    """Get the rest of a file; whether some of it was there before."""
    resumed, attempt = part.size > 0, 0
    while True:
        before, begun, answered = part.size, part.begun, True
        try:
            _get(file, part, transfer)
        except _RestartError:
            part.drop()
            resumed = False
            attempt += 1
            fault = "the server has another version"
        except _BrokenOffError as broken:
            # Where answers begin anew again and again, a longer piece is no step forward.
            anew = 0 < begun < part.begun
            attempt = 1 if part.size > before and not anew else attempt + 1
            fault = str(broken)
        except urllib.error.HTTPError as answer:
            answer.close()
            if answer.code not in _PASSING:
                kind = MissingFileError if answer.code in _MISSING else FetchError
                raise kind(http_text(file, target, answer)) from answer
            attempt, fault = attempt + 1, f"the server answers {answer.code} {answer.reason}"
        except (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException) as broken:
            # Other faults of the system are of this machine: a full disk is no network's fault.
            reason = getattr(broken, "reason", broken)
            if isinstance(reason, socket.gaierror | ssl.SSLCertVerificationError):
                raise NoNetworkError(no_network_text(file, target, reason)) from broken
            attempt, fault = attempt + 1, str(reason)
            answered = False
        else:
            return resumed
        if attempt >= transfer.attempts:
            if answered:
                raise FetchError(gave_up_text(file, target, fault))
            raise NoNetworkError(no_network_text(file, target, fault))
        time.sleep(transfer.wait * 2.0 ** (attempt - 1))


def _get(file: RemoteFile, part: _Part, transfer: Transfer) -> None:
    """Ask once for what is missing and append it."""
    headers = {"User-Agent": f"lkmrs_dask/{__version__}", "Accept-Encoding": "identity"}
    mark, _ = part.version(file.url)
    # Without a mark only a checksum can tell that two pieces belong together.
    start = part.size if mark or file.is_checked else 0
    if start:
        headers["Range"] = f"bytes={start}-"
        if mark:
            headers["If-Range"] = mark
    request = urllib.request.Request(file.url, headers=headers)
    try:
        answer = urllib.request.urlopen(request, timeout=transfer.timeout)
    except urllib.error.HTTPError as refused:
        if refused.code == 416:  # there is nothing behind what we have: perhaps it is whole
            refused.close()
            whole = refused.headers.get("Content-Range", "").endswith(f"/{start}")
            if start and whole and not _is_other(part.version(file.url), refused.headers, start):
                return
            raise _RestartError from refused
        raise
    with answer:
        total = _begin(file, part, answer, start)
        with part.path.open("ab") as sink:
            while True:
                try:
                    block = answer.read(_BLOCK)
                except (OSError, http.client.HTTPException) as fault:
                    raise _BrokenOffError(f"the transfer broke off: {fault}") from fault
                if not block:
                    break
                sink.write(block)
                if transfer.progress is not None:
                    transfer.progress(file.name, sink.tell(), total)
    if total is not None and part.size < total:
        raise _BrokenOffError(f"the transfer broke off after {part.size} of {total} bytes")
    if total is not None and part.size > total:
        raise _RestartError


def _begin(file: RemoteFile, part: _Part, answer: Any, start: int) -> int | None:
    """Check what kind of answer it is; the bytes of the whole file, where they are told."""
    headers = answer.headers
    if "text/html" in headers.get("Content-Type", "") and not file.name.endswith((".html", ".htm")):
        raise FetchError(
            f"{file.url}: a web page comes instead of a file: it may need a login; fetch it with a browser"
        )
    if answer.status == 206:
        given = _RANGE.fullmatch(headers.get("Content-Range", ""))
        if given is None or int(given[1]) != start:
            raise _RestartError
        total = None if given[3] == "*" else int(given[3])
        if _is_other(part.version(file.url), headers, total):
            raise _RestartError
        return total
    length = headers.get("Content-Length", "")
    total = int(length) if length.isdigit() else None
    part.begin(file.url, _Version(_strong_tag(headers) or headers.get("Last-Modified"), total))
    return total


def _strong_tag(headers: Any) -> str | None:
    """The version's ETag; a weak one promises the same meaning, not the same bytes."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else None


def _is_other(there: _Version, headers: Any, total: int | None) -> bool:
    """Whether the rest of a file is of another version than what is there: some servers ignore If-Range."""
    if None not in (there.total, total) and there.total != total:
        return True
    if there.mark is None:
        return False
    tag, date = _strong_tag(headers), headers.get("Last-Modified")
    given = tag if there.mark.startswith('"') else date
    return given is not None and given != there.mark
