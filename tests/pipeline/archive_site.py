"""An archive of light curves on this machine, which lists and gives files as MAST's does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
import pytest

from lkmrs_dask.pipeline import light_curve_targets

FITS = b"SIMPLE  =                    T"


@dataclass
class Archive:
    """What it has and what it was asked.

    Parameters
    ----------
    bodies : dict
        Address (path and question) to what lies there; a page of links is made of a folder's files.
    observations : list of dict
        Rows of MAST's service.
    rows_of_a_page : int
        Rows that it gives at a time, at most.
    executing : int
        Questions that it answers by "ask again".
    statuses : dict
        Address to the status it is answered with.
    """

    bodies: dict[str, bytes] = field(default_factory=dict)
    observations: list[dict[str, Any]] = field(default_factory=list)
    rows_of_a_page: int = 1000
    executing: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def add(self, path: str, body: bytes | None = None) -> None:
        """Put a file there."""
        self.bodies[path] = FITS + path.encode() if body is None else body

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        with self.lock:
            self.asked.append(handler.path)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            code, kind, body = self._answer(handler.path)
            handler.send_response(code)
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        finally:
            with self.lock:
                self.now -= 1

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        if path in self.statuses:
            return self.statuses[path], "text/html", b"<html>no</html>"
        parts = urlsplit(path)
        if parts.path == "/api/v0/invoke":
            # The real service calls its JSON a page, too.
            return 200, "text/html; charset=utf-8", self._of_service(parse_qs(parts.query)["request"][0])
        if path in self.bodies:
            return 200, "application/octet-stream", self.bodies[path]
        inside = sorted(name.removeprefix(path) for name in self.bodies if name.startswith(path))
        if path.endswith("/") and inside:
            return 200, "text/html;charset=UTF-8", page(path, inside).encode()
        return 404, "text/html", b"<html>Not Found</html>"

    def _of_service(self, request: str) -> bytes:
        asked = json.loads(request)
        self.questions.append(asked)
        if self.executing > 0:
            self.executing -= 1
            return b'{"status": "EXECUTING", "msg": "", "data": []}'
        filters = {one["paramName"]: one["values"] for one in asked["params"]["filters"]}
        rows = [
            {name: row.get(name) for name in asked["params"]["columns"].split(",")}
            for row in self.observations
            if all(row[name] in values for name, values in filters.items())
        ]
        size = min(asked["pagesize"], self.rows_of_a_page)
        first, pages = (asked["page"] - 1) * size, max(1, -(-len(rows) // size))
        paging = {"page": asked["page"], "pageSize": size, "pagesFiltered": pages, "rowsTotal": len(rows)}
        answer = {"status": "COMPLETE", "msg": "", "data": rows[first : first + size], "paging": paging}
        return json.dumps(answer).encode()


def page(path: str, names: list[str]) -> str:
    """A folder's page in the manner of Apache."""
    rows = "".join(
        f'<tr><td><img src="/icons/unknown.gif" alt="[   ]"></td><td><a href="{name}">{name}</a></td>\n'
        "<td align=right>2015-08-11 15:03  </td><td>448K</td></tr>\n"
        for name in names
    )
    return (
        f'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n<html><head><title>Index of {path}</title>'
        f'</head><body><h1>Index of {path}</h1><table><tr><th><a href="?C=N;O=D">Name</a></th>'
        f'<th><a href="?C=S;O=A">Size</a></th></tr><tr><td><a href="/pub/">Parent Directory</a></td></tr>\n'
        f"{rows}</table></body></html>"
    )


@contextmanager
def serve(archive: Archive) -> Iterator[Archive]:
    """Serve it for the time of the ``with`` block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            archive.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    archive.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield archive
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def book_of(archive: Archive, folder: Path) -> Path:
    """The package's own rules of addresses, with this archive in place of the public one."""
    text = (files("lkmrs_dask.pipeline") / "addresses.toml").read_text("utf-8")
    path = folder / "addresses.toml"
    path.write_text(re.sub(r"https://(archive|mast)\.stsci\.edu", archive.url, text))
    return path


def path_of(url: str) -> str:
    """What a server is asked for an address."""
    parts = urlsplit(url)
    return unquote(parts.path) + (f"?{parts.query}" if parts.query else "")


class Stars:
    """A survey's catalogue of stars, with three columns."""

    columns = ("label", "kic_epic", "tic")

    def __getitem__(self, columns: list[str]) -> Stars:
        return self

    def to_arrow(self) -> pa.Table:
        """Two of Kepler, one of K2 and three with TIC numbers, two of these the same."""
        return pa.table(
            {
                "label": ["RVV", None, "MP,RVV", "MP", "RVV"],
                "kic_epic": pa.array([5023948, 7, 211121743, None, None], pa.int64()),
                "tic": pa.array([67768222, None, None, 5, 67768222], pa.int64()),
            }
        )


def make_survey(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a survey of these stars."""
    (root / "stars").mkdir(parents=True)
    (root / "stars/hats.properties").touch()
    monkeypatch.setattr(light_curve_targets, "open_catalog", lambda path: Stars())
    return root
