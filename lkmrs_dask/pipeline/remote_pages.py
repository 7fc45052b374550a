"""Read what an archive lists: pages of links, lists of files, and the answers of MAST's service."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from lkmrs_dask.pipeline.download import FetchError, RemoteFile, Transfer, download

__all__ = ["ask_mast", "linked_names", "read_page"]

_ROWS = 2000  # of a page of an answer
_ASK_AGAIN = 60  # times, of a question that is still worked on


def read_page(url: str, what: str, by_hand: str, transfer: Transfer | None = None) -> str:
    """Read a page or list of a server.

    Parameters
    ----------
    url : str
        Its address.
    what : str
        What it is, for the progress that is shown.
    by_hand : str
        What a person can do where it cannot be had.
    transfer : Transfer, optional
        How.

    Returns
    -------
    str

    Raises
    ------
    MissingFileError
        Where the server has none.
    NoNetworkError
        Where the server cannot be reached.
    FetchError
        Where it cannot be had for another reason.
    """
    with TemporaryDirectory() as folder:
        # A page may be HTML, which a downloaded file may not be unless it is called so.
        file = RemoteFile(url, f"{what}.html", by_hand=by_hand)
        download(file, Path(folder), transfer)
        return (Path(folder) / file.name).read_text("utf-8", "replace")


class _Links(HTMLParser):
    """Gathers where links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def linked_names(page: str) -> list[str]:
    """Give the names of files that a page of a folder links to, in their order, each once.

    Parameters
    ----------
    page : str
        HTML, of any server.

    Returns
    -------
    list of str
        Last parts of the links' paths; those of folders are not among them.
    """
    links = _Links()
    links.feed(page)
    links.close()
    names = (unquote(urlsplit(link.strip()).path).rpartition("/")[2] for link in links.found)
    return list(dict.fromkeys(name for name in names if name))


def ask_mast(
    url: str,
    filters: Mapping[str, Sequence[str]],
    what: str,
    by_hand: str,
    transfer: Transfer | None = None,
) -> Iterator[str]:
    """Ask MAST for the names of observations.

    Parameters
    ----------
    url : str
        Address of its service.
    filters : mapping
        Field of an observation to the values that are wanted.
    what, by_hand, transfer
        See `read_page`.

    Yields
    ------
    str
        The name (``obs_id``) and the address of the data (``dataURL``) of an observation.

    Raises
    ------
    FetchError
        Where the service cannot be reached, or does not answer in the form that it documents.

    References
    ----------
    https://mast.stsci.edu/api/v0/ (the request, GET or POST; a question that takes time is asked again) and
    its "Result Dataset Formats".
    """
    transfer = transfer or Transfer()
    page, pages = 1, 1
    while page <= pages:
        answer = _answer(_question(url, filters, page), what, by_hand, transfer)
        for row in answer["data"]:
            yield f"{row.get('obs_id')} {row.get('dataURL')}"
        paging = answer.get("paging")
        pages = int(paging.get("pagesFiltered") or 1) if isinstance(paging, dict) else 1
        page += 1


def _question(url: str, filters: Mapping[str, Sequence[str]], page: int) -> str:
    request = {
        "service": "Mast.Caom.Filtered",
        "format": "json",
        "params": {
            "columns": "obs_id,dataURL",
            "filters": [{"paramName": name, "values": list(values)} for name, values in filters.items()],
        },
        "pagesize": _ROWS,
        "page": page,
    }
    return f"{url}?request={quote(json.dumps(request, separators=(',', ':')), safe='')}"


def _answer(url: str, what: str, by_hand: str, transfer: Transfer) -> dict[str, Any]:
    """The whole answer to a question; MAST wants it asked again while it works on it."""
    for _ in range(_ASK_AGAIN):
        text = read_page(url, what, by_hand, transfer)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("status"), str):
            raise FetchError(f"{_short(url)} answers with no JSON of MAST's form; {by_hand}")
        if found["status"] == "COMPLETE" and _has_rows(found):
            return found
        if found["status"] != "EXECUTING":
            message = str(found.get("msg") or "")[:300]
            raise FetchError(f"{_short(url)} answers {found['status']} {message}; {by_hand}")
        time.sleep(transfer.wait)
    raise FetchError(f"{_short(url)} works on an answer without end; try again later, or {by_hand}")


def _has_rows(found: dict[str, Any]) -> bool:
    return isinstance(found.get("data"), list) and all(isinstance(row, dict) for row in found["data"])


def _short(url: str) -> str:
    return url.partition("?")[0]
