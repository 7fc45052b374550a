"""Servers that break rules: pieces of two versions, answers that never end, pages in place of files."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lkmrs_dask.pipeline.download import FetchError, RemoteFile, Transfer, download
from lkmrs_dask.pipeline.fetch import fetch

ONE, TWO = b"1" * 50_000, b"2" * 50_000
QUICK = Transfer(attempts=4, wait=0.0, timeout=5.0)

Answer = Callable[[BaseHTTPRequestHandler, int], None]
"""Answers a request from the byte that was asked for."""


class Server:
    """A server that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Answer = lambda handler, start: send(handler, 200, ONE)
        self.requests = 0
        self.url = ""


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            one.requests += 1
            asked = self.headers.get("Range")
            one.answer(self, int(asked[6:-1]) if asked else 0)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.url = f"http://127.0.0.1:{http.server_address[1]}/a.dat"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield one
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def send(
    handler: BaseHTTPRequestHandler,
    code: int,
    body: bytes,
    headers: dict[str, str] | None = None,
    stop: int | None = None,
) -> None:
    """Answer with headers and a body, or so many bytes of it."""
    handler.send_response(code)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:stop])


@pytest.mark.parametrize("way", ["tag", "date", "length"])
def test_pieces_of_two_versions_are_never_put_together(server: Server, tmp_path: Path, way: str) -> None:
    """A server that does not heed If-Range gives the rest of another version."""
    later = TWO + b"3" if way == "length" else TWO

    def answer(handler: BaseHTTPRequestHandler, start: int) -> None:
        first = server.requests == 1
        body = ONE if first else later
        mark = {
            "tag": {"ETag": '"1"' if first else '"2"'},
            "date": {"Last-Modified": f"Tue, 15 Nov 1994 12:45:2{1 if first else 2} GMT"},
            "length": {"ETag": '"1"'},
        }[way]
        if start:
            span = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            send(handler, 206, body[start:], {**mark, **span})
        else:
            send(handler, 200, body, mark, 20_000 if first else None)

    server.answer = answer
    assert download(RemoteFile(server.url, "a.dat"), tmp_path, QUICK)
    assert (tmp_path / "a.dat").read_bytes() == later
    assert server.requests == 3
    assert os.listdir(tmp_path) == ["a.dat"]


def test_another_version_of_which_all_seems_to_be_there(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.dat.part").write_bytes(ONE)
    (tmp_path / "a.dat.part.json").write_text(f'{{"url": "{server.url}", "mark": "\\"1\\"", "total": 50000}}')

    def answer(handler: BaseHTTPRequestHandler, start: int) -> None:
        if start:
            send(handler, 416, b"", {"ETag": '"2"', "Content-Range": f"bytes */{len(TWO)}"})
        else:
            send(handler, 200, TWO, {"ETag": '"2"'})

    server.answer = answer
    assert download(RemoteFile(server.url, "a.dat"), tmp_path, QUICK)
    assert (tmp_path / "a.dat").read_bytes() == TWO


@pytest.mark.parametrize("ranges", [False, True])
def test_answers_that_always_break_off_come_to_an_end(server: Server, tmp_path: Path, ranges: bool) -> None:
    """Without ranges at ever other lengths; or with ranges of a version that changes all the time."""

    def answer(handler: BaseHTTPRequestHandler, start: int) -> None:
        number = server.requests
        if number > 50:
            raise AssertionError("it never ends")
        if start and ranges:
            span = {"Content-Range": f"bytes {start}-{len(ONE) - 1}/{len(ONE)}"}
            send(handler, 206, ONE[start:], {"ETag": f'"{number}"', **span})
        else:
            send(handler, 200, ONE, {"ETag": f'"{number}"'}, 1000 * number)

    server.answer = answer
    with pytest.raises(FetchError, match=r"broke off|another version"):
        download(RemoteFile(server.url, "a.dat"), tmp_path, QUICK)
    assert server.requests < 10


@pytest.mark.parametrize(
    ("body", "name", "message"),
    [
        (b"", "a.dat", "it is empty"),
        (b"\n<!DOCTYPE html><html>login please</html>", "a.dat", "a web page or XML"),
        (b'<?xml version="1.0"?><html>login please</html>', "a.csv", "a web page or XML"),
        (b"id,ra\n", "a.csv.gz", "no gzip file"),
        (b"id,ra\n", "a.fits", "no FITS file"),
        (
            b"#\n#INFO\tQUERY_STATUS=ERROR\n#\n****Error: no such table\n",
            "a.tsv",
            "answers with an error: INFO",
        ),
    ],
)
def test_what_cannot_be_the_file_is_refused(
    server: Server, tmp_path: Path, body: bytes, name: str, message: str
) -> None:
    server.answer = lambda handler, start: send(handler, 200, body)
    with pytest.raises(FetchError, match=message):
        download(RemoteFile(server.url, name), tmp_path, QUICK)
    assert os.listdir(tmp_path) == []
    # One that an older fetch has left is fetched anew.
    (tmp_path / name).write_bytes(body)
    good = b"\x1f\x8bgood" if name.endswith(".gz") else b"SIMPLE  = good"
    server.answer = lambda handler, start: send(handler, 200, good)
    assert download(RemoteFile(server.url, name), tmp_path, QUICK)
    assert (tmp_path / name).read_bytes() == good


def test_pages_may_be_what_is_wanted(server: Server, tmp_path: Path) -> None:
    server.answer = lambda handler, start: send(handler, 200, b"<?xml?><VOTABLE/>")
    assert download(RemoteFile(server.url, "a.vot"), tmp_path, QUICK)


def test_a_busy_server_is_no_missing_network(server: Server, tmp_path: Path) -> None:
    server.answer = lambda handler, start: handler.send_error(503)
    with pytest.raises(FetchError, match="answers 503 Service Unavailable, again and again") as caught:
        download(RemoteFile(server.url, "a.dat"), tmp_path, QUICK)
    assert "no network" not in str(caught.value)


def test_addresses_that_go_round_in_circles(server: Server, tmp_path: Path) -> None:
    server.answer = lambda handler, start: send(handler, 302, b"", {"Location": "/a.dat"})
    with pytest.raises(FetchError, match="from one address to another without end"):
        download(RemoteFile(server.url, "a.dat"), tmp_path, QUICK)


def test_an_old_listing_stays_until_the_new_one_is_there(server: Server, tmp_path: Path) -> None:
    book = tmp_path / "addresses.toml"
    where = server.url.removesuffix("a.dat")
    book.write_text(
        f'x = {{title = "T", kind = "tic", folder = "{where}", listing = "{server.url}", only = ["b*"]}}'
    )
    folder = tmp_path / "x"
    folder.mkdir()
    listing = folder / "x.checksums.txt"
    listing.write_text("old")
    for code, body in ((404, b""), (200, b"words\n")):
        server.answer = lambda handler, start, code=code, body=body: send(handler, code, body)  # type: ignore[misc]
        with pytest.raises(FetchError):
            fetch("x", folder, addresses=book, transfer=QUICK)
        assert listing.read_text() == "old"
        assert os.listdir(folder) == ["x.checksums.txt"]
    text = f"{hashlib.md5(ONE).hexdigest()}  b.dat\n"
    server.answer = lambda handler, start: send(
        handler, 200, text.encode() if handler.path == "/a.dat" else ONE
    )
    assert fetch("x", folder, addresses=book, transfer=QUICK) == [folder / "b.dat"]
    assert listing.read_text() == text
