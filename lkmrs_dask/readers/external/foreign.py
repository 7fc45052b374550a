"""Files that are no text tables, though they look like text: say what they are, and what to do."""

from __future__ import annotations

from pathlib import Path

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.streams import peek

__all__ = ["refuse_foreign"]

_HEAD = 1 << 16
_WIDE = (b"\xff\xfe", b"\xfe\xff")


def refuse_foreign(path: Path) -> None:
    """Raise InputError for a file of a form that is known and not read.

    Parameters
    ----------
    path : Path
        The file, gzipped or not.
    """
    head = peek(path, _HEAD)
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1000].lower()
    said = None
    if head.startswith(_WIDE) or head[:200].count(b"\0") > len(head[:200]) // 3:
        said = "its text is UTF-16: convert it, as by `iconv -f UTF-16 -t UTF-8`"
    elif b"<votable" in begin:
        said = "VOTables are not read: save it as FITS, Parquet or CSV, as by TOPCAT or astropy"
    elif begin.startswith((b"<!doctype html", b"<html")):
        said = "this is a web page, not a table: its server may want a login, or the file has moved"
    elif b"\r" in head and b"\n" not in head:
        said = "its lines end in carriage returns alone: convert them to newlines, as by `tr '\\r' '\\n'`"
    if said is not None:
        raise InputError(said, file=path)
