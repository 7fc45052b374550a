"""Catalogues that are read at their address: a small HTTP server stands for an archive."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import lkmrs_dask as lk
from lkmrs_dask.errors import CatalogError


class _Server(ThreadingHTTPServer):
    """Serves a folder, parts of files too, and counts the bytes that it sends."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.sent = folder, 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = path.read_bytes()
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if part:
            first, last = int(part[1]), int(part[2] or len(body) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{min(last, len(body) - 1)}/{len(body)}")
            body = body[first : last + 1]
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)
            self.server.sent += len(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[_Server]:
    folder = tmp_path / "served"
    folder.mkdir()
    with _Server(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _sky(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "id": np.arange(n),
            "ra": rng.uniform(0, 360, n),
            "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, n))),
            "text": [f"source {k}" for k in range(n)],
        }
    )


def test_a_catalogue_at_an_address_is_as_on_disk(server: _Server) -> None:
    lk.from_dataframe(_sky(3000, 1), max_rows=400).write(server.folder / "sky")
    there, here = lk.open_catalog(f"{server.address}/sky/"), lk.open_catalog(server.folder / "sky")
    assert there.pixels == here.pixels
    assert there.schema.equals(here.schema)
    assert there.to_arrow().equals(here.to_arrow())
    assert there[["id"]].ddf.compute().equals(here[["id"]].ddf.compute())
    assert (
        there.cone_search(10.0, 20.0, 36_000).to_arrow().equals(here.cone_search(10, 20, 36_000).to_arrow())
    )
    assert there.id_search([7, 9], "id").to_arrow().equals(here.id_search([7, 9], "id").to_arrow())


def test_a_cross_match_reads_few_bytes_of_it(server: _Server, tmp_path: Path) -> None:
    sky = _sky(20_000, 2)
    lk.from_dataframe(sky, max_rows=1000).write(server.folder / "sky")
    few = sky.slice(0, 5).rename_columns(["name", "ra", "dec", "what"])
    matched = lk.crossmatch(lk.from_dataframe(few), lk.open_catalog(f"{server.address}/sky"), 1.0)
    table = matched.to_arrow().sort_by("name")
    assert table.column("id").to_pylist() == table.column("name").to_pylist() == [0, 1, 2, 3, 4]
    whole = sum(path.stat().st_size for path in (server.folder / "sky/dataset").rglob("Npix=*.parquet"))
    assert server.sent < whole / 2


def test_a_collection_at_an_address(server: _Server) -> None:
    lk.from_dataframe(_sky(50, 3)).write(server.folder / "many/sky")
    (server.folder / "many/collection.properties").write_text(
        "obs_collection=many\nhats_primary_table_url=sky\n", encoding="utf-8"
    )
    assert len(lk.open_catalog(f"{server.address}/many")) == 50


def test_what_is_wrong_with_an_address_is_said(server: _Server) -> None:
    with pytest.raises(CatalogError, match=r"nothing: neither hats.properties nor properties is there"):
        lk.open_catalog(f"{server.address}/nothing")
    with pytest.raises(CatalogError, match="cannot be read here"):
        lk.open_catalog("nosuch://somewhere/sky")
    lk.from_dataframe(_sky(50, 3)).write(server.folder / "sky")
    catalog = lk.open_catalog(f"{server.address}/sky")
    next((server.folder / "sky/dataset").rglob("Npix=*.parquet")).unlink()
    with pytest.raises(CatalogError, match=r"Npix=.*cannot be read as Parquet.*is the address right"):
        catalog.to_arrow()


def test_a_server_that_gives_whole_files_only(tmp_path: Path) -> None:
    lk.from_dataframe(_sky(500, 3)).write(tmp_path / "sky")

    class Quiet(SimpleHTTPRequestHandler):  # it knows no ranges
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as plain:
        threading.Thread(target=plain.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{plain.server_address[1]}/sky"
        with pytest.raises(CatalogError, match=r"gives whole files only.*download the catalogue"):
            lk.open_catalog(address).to_arrow()
        plain.shutdown()


@pytest.mark.parametrize(("kind", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_stores_whose_reader_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, kind: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(CatalogError, match=rf"{kind}://nowhere/sky: .*cannot be read here.*{package}"):
        lk.open_catalog(f"{kind}://nowhere/sky")


def test_without_anybody_there_the_error_says_so() -> None:
    with pytest.raises(CatalogError, match="is there a network"):
        lk.open_catalog("http://127.0.0.1:9/sky")


def test_a_folder_that_fails_says_what_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As some versions of universal-pathlib do where nobody answers; here of a disk."""

    def fail(path: Path) -> bool:
        raise OSError(5, "input/output error")

    monkeypatch.setattr(Path, "is_file", fail)
    with pytest.raises(CatalogError, match=r"collection\.properties: cannot be read .*input/output error"):
        lk.open_catalog(tmp_path)
