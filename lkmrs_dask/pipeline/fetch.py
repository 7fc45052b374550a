"""``lkmrs fetch``: download the real catalogues, from the addresses in ``addresses.toml``."""

from __future__ import annotations

import difflib
import fnmatch
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.download import FetchError, RemoteFile, Transfer, download

__all__ = ["Known", "fetch", "known", "list_known"]

Report = Callable[[str], None]


@dataclass(frozen=True)
class Known:
    """A catalogue whose address is known.

    Parameters
    ----------
    name : str
        The word for it on the command line.
    title : str
        What it is.
    kind : str
        What `lkmrs import` calls it.
    cite : str
        What to cite.
    licence : str
        On what terms it is given.
    files : tuple of RemoteFile
        Its files, where they are listed here.
    listing : str, optional
        Address of the publisher's list of checksums and names.
    folder : str
        Address that a listed name is put behind.
    listing_of : str
        ``file`` or ``content``: what the checksums are of.
    listing_adds : str
        What the listed names lack.
    only : tuple of str
        Patterns of the listed names that are wanted.
    by_hand : str, optional
        What a person must do, where a program cannot.
    by_star : mapping
        Of light curves: authors and the rules of their addresses, which `fetch_light_curves` uses.
    ask, script, page : str
        Of light curves: the service that tells what there is of a star, the list of a sector's files, and
        where a person finds them.
    """

    name: str
    title: str
    kind: str
    cite: str = ""
    licence: str = ""
    files: tuple[RemoteFile, ...] = ()
    listing: str | None = None
    folder: str = ""
    listing_of: str = "file"
    listing_adds: str = ""
    only: tuple[str, ...] = ("*",)
    by_hand: str | None = None
    by_star: Mapping[str, str] = field(default_factory=dict)
    ask: str = ""
    script: str = ""
    page: str = ""


@cache
def _book(path: Path | None) -> dict[str, Known]:
    text = (path or files("lkmrs_dask.pipeline") / "addresses.toml").read_text("utf-8")
    return {name: _known(name, entry) for name, entry in tomllib.loads(text).items()}


def _known(name: str, entry: dict[str, Any]) -> Known:
    remote = tuple(
        RemoteFile(**{"name": _plain(file["url"].rpartition("/")[2]), **file})
        for file in entry.get("files", ())
    )
    rest: dict[str, Any] = {
        key: tuple(value) if key == "only" else value for key, value in entry.items() if key != "files"
    }
    return Known(name=name, files=remote, **rest)


def _plain(name: str) -> str:
    """Return a name of a file in a folder; UsageError for anything that leads elsewhere."""
    if not name or name in (".", "..") or any(bad in name for bad in "/\\\0"):
        raise UsageError(f"{name!r} is no name of a file in a folder")
    return name


def list_known(addresses: Path | None = None) -> list[Known]:
    """List what can be fetched.

    Parameters
    ----------
    addresses : Path, optional
        Another file of addresses than the package's own.
    """
    return list(_book(addresses).values())


def known(name: str, addresses: Path | None = None) -> Known:
    """Find a catalogue by name.

    Raises
    ------
    UsageError
        Where it is not known; the message lists what is.
    """
    book = _book(addresses)
    if name not in book:
        near = difflib.get_close_matches(name, book, n=1)
        hint = f"did you mean {near[0]}?  " if near else ""
        raise UsageError(f"nothing called {name!r} can be fetched; {hint}known are {', '.join(book)}")
    return book[name]


def fetch(
    name: str,
    folder: str | Path,
    *,
    only: Sequence[str] = (),
    report: Report | None = None,
    transfer: Transfer | None = None,
    addresses: Path | None = None,
) -> list[Path]:
    """Download a catalogue's files; those that are there whole are not fetched again.

    Parameters
    ----------
    name : str
        See `list_known`.
    folder : path
        Gets the files.
    only : sequence of str
        Patterns (``fnmatch``) of the names wanted; all by default.
    report : callable, optional
        Told what happens, in lines.
    transfer : Transfer, optional
        How to download.
    addresses : Path, optional
        Another file of addresses than the package's own.

    Returns
    -------
    list of Path
        The files, whole and checked where a size or checksum is published.

    Raises
    ------
    UsageError
        Where nothing is known by that name, no file fits `only`, or stars must be named.
    FetchError
        Where a file cannot be had: no network, a file that has moved, a checksum that does not fit, or a
        catalogue that only a person can get.  The message says what to do.
    """
    what, say = known(name, addresses), report or (lambda line: None)
    folder = Path(folder)
    if what.by_star:
        raise UsageError(f"say of which stars: `lkmrs fetch {name} NUMBER ... --to FOLDER`")
    if what.by_hand is not None:
        raise FetchError(
            f"{name} cannot be fetched by a program: {what.by_hand}.  Put the files into {folder}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    say(f"{name}: {what.title}.  Cite {what.cite}.  Terms: {what.licence}")
    wanted = what.files or _listed(what, folder, transfer)
    wanted = tuple(file for file in wanted if _fits(file.name, only))
    if not wanted:
        raise UsageError(f"no file of {name} fits {', '.join(only) or ', '.join(what.only)}")
    paths = []
    for number, file in enumerate(wanted, 1):
        fresh = download(file, folder, transfer)
        checked = "checked" if file.is_checked else "no checksum is published"
        say(f"{number} of {len(wanted)}: {file.name} {'fetched' if fresh else 'was there'}, {checked}")
        paths.append(folder / file.name)
    return paths


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _listed(what: Known, folder: Path, transfer: Transfer | None) -> tuple[RemoteFile, ...]:
    """Files of a publisher's list, which is fetched anew each time; the old one stays until it is whole."""
    assert what.listing is not None
    path = folder / _plain(f"{what.name}.checksums.txt")
    new = folder / f"{path.name}.new"
    new.unlink(missing_ok=True)
    try:
        download(RemoteFile(what.listing, new.name), folder, transfer)
        found = _read_listing(what, new)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return found


def _read_listing(what: Known, path: Path) -> tuple[RemoteFile, ...]:
    """Files in a list of checksums and names."""
    found = []
    for line in path.read_text("utf-8", "replace").splitlines():
        checksum, _, name = line.strip().partition(" ")
        name = name.strip().removeprefix("*").removeprefix("./")
        if not name or line.startswith("#"):
            continue
        name = _plain(name + ("" if name.endswith(what.listing_adds) else what.listing_adds))
        if _fits(name, what.only):
            content = what.listing_of == "content"
            found.append(RemoteFile(what.folder + name, name, md5=checksum, of_content=content))
    if not found:
        raise FetchError(
            f"{what.listing} lists no file like {', '.join(what.only)}: its form may have changed"
        )
    return tuple(found)
