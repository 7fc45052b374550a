"""Downloads against a server of our own: whole or not at all, resumed, checked, and clear words where not."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lkmrs_dask.errors import LkmrsError, UsageError
from lkmrs_dask.pipeline import download as download_module
from lkmrs_dask.pipeline.download import FetchError, RemoteFile, Transfer, download
from lkmrs_dask.pipeline.fetch import fetch, known, list_known
from lkmrs_dask.readers.external.kinds import KINDS

QUICK = Transfer(attempts=3, wait=0.0, timeout=5.0)
BODY = (b"\x1f\x8b" + bytes(range(256)) * 4000)[:1_024_000]  # it begins as gzip does
OTHER = BODY[:2] + BODY[:1:-1]


@dataclass
class Site:
    """What the server has and how it behaves."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    content_type: str = "application/octet-stream"
    status: int | None = None  # for every request
    busy: int = 0  # so many requests are first answered 503
    cut_after: int | None = None  # bytes of an answer after which the line breaks ...
    cuts: int = 0  # ... so many times
    length: bool = True
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    port: int = 0

    def url(self, path: str = "/kic.txt.gz") -> str:
        """Address of a file."""
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a request as a server with ranges does (RFC 9110)."""
        asked, condition = handler.headers.get("Range"), handler.headers.get("If-Range")
        self.requests.append((handler.path, asked, condition))
        body = self.bodies.get(handler.path)
        code = self.status or (503 if self.busy > 0 else 404 if body is None else 200)
        self.busy -= 1
        if code != 200 or body is None:
            handler.send_error(code)
            return
        mark = self.etag if self.etag and not self.etag.startswith("W/") else self.modified
        start = 0
        match = re.fullmatch(r"bytes=(\d+)-", asked or "")
        if match and self.ranges and condition in (None, mark):
            start = int(match[1])
            if start >= len(body):
                handler.send_response(416)
                handler.send_header("Content-Range", f"bytes */{len(body)}")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        handler.send_header("Content-Type", self.content_type)
        if self.etag:
            handler.send_header("ETag", self.etag)
        if self.modified:
            handler.send_header("Last-Modified", self.modified)
        if self.length:
            handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        rest = body[start:]
        if self.cut_after is not None and self.cuts > 0:
            self.cuts -= 1
            rest = rest[: self.cut_after]
        handler.wfile.write(rest)
        handler.close_connection = True


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site({"/kic.txt.gz": BODY})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def kic(site: Site, **more: object) -> RemoteFile:
    """The site's file."""
    return RemoteFile(site.url(), "kic.txt.gz", **more)  # type: ignore[arg-type]


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(os.listdir(folder))


SHA = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()


def test_a_download_and_none_when_it_is_there(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    transfer = Transfer(progress=lambda *what: seen.append(what))
    assert download(kic(site, size=len(BODY), sha256=SHA, md5=MD5), tmp_path, transfer)
    assert (tmp_path / "kic.txt.gz").read_bytes() == BODY
    assert names(tmp_path) == ["kic.txt.gz"]
    assert seen[-1] == ("kic.txt.gz", len(BODY), len(BODY))
    assert not download(kic(site, sha256=SHA), tmp_path, QUICK)
    assert not download(kic(site), tmp_path, QUICK)
    assert site.requests == [("/kic.txt.gz", None, None)]


def test_what_is_there_and_wrong_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    (tmp_path / "kic.txt.gz").write_bytes(b"old")
    assert download(kic(site, sha256=SHA), tmp_path, QUICK)
    assert (tmp_path / "kic.txt.gz").read_bytes() == BODY


def test_a_broken_line_is_taken_up_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.cut_after, site.cuts = 300_000, 3
    assert download(kic(site), tmp_path, Transfer(attempts=2, wait=0.0))
    assert (tmp_path / "kic.txt.gz").read_bytes() == BODY
    assert site.requests == [
        ("/kic.txt.gz", None, None),
        ("/kic.txt.gz", "bytes=300000-", '"one"'),
        ("/kic.txt.gz", "bytes=600000-", '"one"'),
        ("/kic.txt.gz", "bytes=900000-", '"one"'),
    ]


def interrupted(site: Site, folder: Path, file: RemoteFile) -> None:
    """Leave a part of a file, as a killed download does."""
    site.cut_after, site.cuts = 250_000, 1
    with pytest.raises(FetchError, match="broke off after 250000 of 1024000 bytes"):
        download(file, folder, Transfer(attempts=1, wait=0.0))
    assert names(folder) == ["kic.txt.gz.part", "kic.txt.gz.part.json"]
    site.requests.clear()


@pytest.mark.parametrize("mark", ["etag", "date", "weak"])
def test_a_later_call_resumes(site: Site, tmp_path: Path, mark: str) -> None:
    date = "Tue, 15 Nov 1994 12:45:26 GMT"
    site.etag = {"etag": '"one"', "date": None, "weak": 'W/"one"'}[mark]
    site.modified = date
    interrupted(site, tmp_path, kic(site))
    assert download(kic(site), tmp_path, QUICK)
    assert (tmp_path / "kic.txt.gz").read_bytes() == BODY
    assert site.requests == [("/kic.txt.gz", "bytes=250000-", '"one"' if mark == "etag" else date)]
    assert names(tmp_path) == ["kic.txt.gz"]


def test_another_version_begins_anew(site: Site, tmp_path: Path) -> None:
    interrupted(site, tmp_path, kic(site))
    site.bodies["/kic.txt.gz"], site.etag = OTHER, '"two"'
    assert download(kic(site), tmp_path, QUICK)
    assert (tmp_path / "kic.txt.gz").read_bytes() == OTHER


def test_a_server_without_ranges_or_marks(site: Site, tmp_path: Path) -> None:
    site.ranges, site.etag = False, None
    interrupted(site, tmp_path, kic(site))
    assert download(kic(site), tmp_path, QUICK)
    assert site.requests == [("/kic.txt.gz", None, None)], "no mark: two pieces may not belong together"
    assert (tmp_path / "kic.txt.gz").read_bytes() == BODY


def test_a_checksum_allows_to_resume_without_a_mark(site: Site, tmp_path: Path) -> None:
    site.etag = None
    interrupted(site, tmp_path, kic(site, md5=MD5))
    assert download(kic(site, md5=MD5), tmp_path, QUICK)
    assert site.requests == [("/kic.txt.gz", "bytes=250000-", None)]
    # And tells where the pieces do not belong together: then it is fetched from the start, once.
    (tmp_path / "kic.txt.gz").unlink()
    (tmp_path / "kic.txt.gz.part").write_bytes(b"x" * 1000)
    assert download(kic(site, md5=MD5), tmp_path, QUICK)
    assert [request[1] for request in site.requests[1:]] == ["bytes=1000-", None]
    assert (tmp_path / "kic.txt.gz").read_bytes() == BODY


def test_a_part_that_is_whole(site: Site, tmp_path: Path) -> None:
    interrupted(site, tmp_path, kic(site))
    (tmp_path / "kic.txt.gz.part").write_bytes(BODY)
    assert download(kic(site), tmp_path, QUICK)
    assert (tmp_path / "kic.txt.gz").read_bytes() == BODY
    (tmp_path / "kic.txt.gz").unlink()
    interrupted(site, tmp_path, kic(site))
    (tmp_path / "kic.txt.gz.part").write_bytes(BODY + b"and more")
    assert download(kic(site), tmp_path, QUICK)
    assert (tmp_path / "kic.txt.gz").read_bytes() == BODY


def test_an_answer_of_unknown_length(site: Site, tmp_path: Path) -> None:
    site.length = False
    assert download(kic(site, size=len(BODY)), tmp_path, QUICK)
    assert (tmp_path / "kic.txt.gz").read_bytes() == BODY


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"sha256": "0" * 64}, f"its sha256 is {SHA}, 0000"),
        ({"md5": "0" * 32}, f"its md5 is {MD5}, 0000"),
        ({"size": 5}, "it has 1024000 bytes, 5 are published"),
    ],
)
def test_what_is_not_as_published_is_thrown_away(
    site: Site, tmp_path: Path, more: dict[str, object], message: str
) -> None:
    with pytest.raises(FetchError, match=message):
        download(kic(site, **more), tmp_path, QUICK)
    assert names(tmp_path) == []
    assert len(site.requests) == 1


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.busy = 2
    assert download(kic(site), tmp_path, QUICK)
    site.busy = 99
    (tmp_path / "kic.txt.gz").unlink()
    with pytest.raises(FetchError, match="answers 503 Service Unavailable"):
        download(kic(site), tmp_path, QUICK)


@pytest.mark.parametrize("status", [404, 403, 401, 410])
def test_a_file_that_is_not_to_be_had(site: Site, tmp_path: Path, status: int) -> None:
    site.status = status
    with pytest.raises(
        FetchError, match=rf"the server answers {status} .* put the file at .*kic\.txt\.gz by hand"
    ):
        download(kic(site), tmp_path, QUICK)
    assert len(site.requests) == 1
    assert names(tmp_path) == []


def test_a_login_page_is_no_catalogue(site: Site, tmp_path: Path) -> None:
    site.content_type = "text/html; charset=utf-8"
    with pytest.raises(FetchError, match="a web page comes instead of a file"):
        download(kic(site), tmp_path, QUICK)
    assert names(tmp_path) == []


def test_no_server(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(FetchError) as caught:
        download(RemoteFile(f"http://127.0.0.1:{port}/kic.txt.gz", "kic.txt.gz"), tmp_path, QUICK)
    text = str(caught.value)
    assert f"no network, or 127.0.0.1:{port} does not answer" in text
    assert (
        f"The address is http://127.0.0.1:{port}/kic.txt.gz; put the file at {tmp_path / 'kic.txt.gz'}"
        in text
    )


def test_no_network_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_names(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    monkeypatch.setattr(download_module.time, "sleep", lambda seconds: pytest.fail("it waits"))
    with pytest.raises(LkmrsError, match=r"no network.*archive\.example\.org.*name resolution"):
        download(RemoteFile("https://archive.example.org/kic.txt.gz", "kic.txt.gz"), tmp_path)
    assert names(tmp_path) == []


def test_a_full_disk_is_no_networks_fault(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "_begin", full_disk)
    with pytest.raises(OSError, match="No space left"):
        download(kic(site), tmp_path, QUICK)
    assert len(site.requests) == 1


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_only_web_addresses(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="only http and https"):
        download(RemoteFile("file" + ":///etc/hostname", "hostname"), tmp_path)


# Names


def addresses(site: Site, folder: Path, text: str) -> Path:
    """Write a file of addresses."""
    path = folder / "addresses.toml"
    path.write_text(text.replace("SITE", site.url("")))
    return path


def test_fetch_by_name(site: Site, tmp_path: Path) -> None:
    site.bodies["/b.dat"] = b"b"
    book = addresses(
        site,
        tmp_path,
        'kic = {title = "T", kind = "kic", cite = "Brown", licence = "public", '
        'files = [{url = "SITE/kic.txt.gz"}, {url = "SITE/b.dat", name = "c.dat", size = 1}]}',
    )
    lines: list[str] = []
    paths = fetch("kic", tmp_path / "new/raw", addresses=book, report=lines.append, transfer=QUICK)
    assert paths == [tmp_path / "new/raw/kic.txt.gz", tmp_path / "new/raw/c.dat"]
    assert [path.read_bytes() for path in paths] == [BODY, b"b"]
    assert lines[0] == "kic: T.  Cite Brown.  Terms: public"
    assert lines[1] == "1 of 2: kic.txt.gz fetched, no checksum is published"
    fetch("kic", tmp_path / "new/raw", addresses=book, report=lines.append, only=["c.*"])
    assert lines[-1] == "1 of 1: c.dat was there, no checksum is published"
    with pytest.raises(UsageError, match=r"no file of kic fits x\*"):
        fetch("kic", tmp_path, addresses=book, only=["x*"])


@pytest.mark.parametrize("of", ["file", "content"])
def test_fetch_by_a_publishers_list(site: Site, tmp_path: Path, of: str) -> None:
    rows = {name: f"{name}\n".encode() * 100 for name in ("tic_dec00.csv", "tic_dec02.csv")}
    files = {f"/tic/{name}.gz": gzip.compress(data) for name, data in rows.items()}
    site.bodies |= files
    checked = rows if of == "content" else {n + ".gz": files[f"/tic/{n}.gz"] for n in rows}
    mark = "*" if of == "content" else "./"
    listing = "".join(f"{hashlib.md5(data).hexdigest()}  {mark}{name}\n" for name, data in checked.items())
    site.bodies["/tic/md5sum.txt"] = (listing + "0" * 32 + "  header.txt\n\n# end\n").encode()
    adds = 'listing_adds = ".gz", ' if of == "content" else ""
    book = addresses(
        site,
        tmp_path,
        f'tic = {{title = "T", kind = "tic", folder = "SITE/tic/", listing = "SITE/tic/md5sum.txt", '
        f'listing_of = "{of}", {adds}only = ["tic_*.gz"]}}',
    )
    paths = fetch("tic", tmp_path / "tic", addresses=book, transfer=QUICK)
    assert [path.name for path in paths] == ["tic_dec00.csv.gz", "tic_dec02.csv.gz"]
    assert gzip.decompress(paths[1].read_bytes()) == rows["tic_dec02.csv"]
    # A file that is not as listed is fetched again, and refused where the server has the wrong one too.
    paths[0].write_bytes(b"broken")
    fetch("tic", tmp_path / "tic", addresses=book, transfer=QUICK)
    assert paths[0].read_bytes() == files["/tic/tic_dec00.csv.gz"]
    site.bodies["/tic/tic_dec00.csv.gz"] = b"\x1f\x8bbroken"
    paths[0].unlink()
    with pytest.raises(FetchError, match="its md5 is"):
        fetch("tic", tmp_path / "tic", addresses=book, transfer=QUICK, only=["tic_dec00*"])
    site.bodies["/tic/md5sum.txt"] = b"nothing of use"
    with pytest.raises(FetchError, match="lists no file like"):
        fetch("tic", tmp_path / "tic", addresses=book, transfer=QUICK)


def test_names_that_lead_elsewhere_are_refused(site: Site, tmp_path: Path) -> None:
    site.bodies["/list"] = b"00  ../../.bashrc\n"
    book = addresses(
        site, tmp_path, 'x = {title = "T", kind = "tic", folder = "SITE/", listing = "SITE/list"}'
    )
    with pytest.raises(UsageError, match="no name of a file in a folder"):
        fetch("x", tmp_path / "x", addresses=book, transfer=QUICK)


def test_what_only_a_person_can_get(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"epic cannot be fetched by a program: .*missions/k2/catalogs/"):
        fetch("epic", tmp_path / "epic")
    assert names(tmp_path) == []


def test_unknown_names() -> None:
    with pytest.raises(
        UsageError, match=r"nothing called 'apogge'.*did you mean apogee\?.*known are kic, epic"
    ):
        known("apogge")


def test_the_address_book_holds_together() -> None:
    book = {entry.name: entry for entry in list_known()}
    wanted = {*KINDS, "jinabase", "gaia_hats", "lamost_mrs_catalogue"} - {"table"}
    assert wanted <= set(book)
    check: Callable[[str], bool] = lambda url: urlsplit(url).scheme == "https" and "." in urlsplit(url).netloc  # noqa: E731
    for entry in book.values():
        ways = [bool(entry.files), entry.listing is not None, entry.by_hand is not None, bool(entry.by_star)]
        assert sum(ways) == 1, entry.name
        assert entry.title, entry.name
        assert entry.cite, entry.name
        assert entry.licence, entry.name
        for file in entry.files:
            assert check(file.url), file
            assert re.fullmatch(r"[\w.-]+", file.name), file
            assert file.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", file.sha256), file
        assert all(check(rule) for rule in entry.by_star.values()), entry.name
        assert all(check(url) for url in (entry.ask, entry.script, entry.page) if url), entry.name
        assert bool(entry.page) == bool(entry.by_star), entry.name
        assert entry.listing is None or (
            check(entry.listing) and check(entry.folder) and entry.folder[-1] == "/"
        )


def test_the_published_checksums_are_those_of_the_real_files(shared: Path) -> None:
    places = {"k2_targets": "data/k2_input_lkmrs", "jinabase": "data/metal_poor"}
    for name, place in places.items():
        for file in known(name).files:
            data = (shared / place / file.name).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (file.size, file.sha256)
