"""What a downloaded file must not be: empty, a page in place of data, or other than its name says."""

from __future__ import annotations

from pathlib import Path

__all__ = ["wrong_content"]

_HEAD = 1 << 16
_PAGES = (".html", ".htm", ".xml", ".vot", ".votable")
_MAGIC = ((".gz", b"\x1f\x8b", "gzip"), (".fits", b"SIMPLE  =", "FITS"), (".parquet", b"PAR1", "Parquet"))


def wrong_content(path: Path, name: str) -> str | None:
    """Say what is wrong with a file of which no checksum is published, by a look at its first bytes.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What it is to be called.

    Returns
    -------
    str or None
        None for nothing.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head:
        return "it is empty"
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    if begin.startswith((b"<!doctype", b"<html", b"<?xml")) and not name.lower().endswith(_PAGES):
        return "it is a web page or XML: the file may need a login; fetch it with a browser"
    for suffix, magic, kind in _MAGIC:
        if name.lower().endswith(suffix) and not head.startswith(magic):
            return f"it is no {kind} file, although its name says so"
    if b"QUERY_STATUS=ERROR" in head or b"\n****Error" in head or head.startswith(b"****Error"):
        return f"the service answers with an error: {_error_line(head)}"
    return None


def _error_line(head: bytes) -> str:
    lines = head.decode("utf-8", "replace").splitlines()
    return next((line.strip("#* ") for line in lines if "error" in line.lower()), "")[:200]
