"""Where an import writes, and what it must not write over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lkmrs_dask.catalog.set_aside import set_aside_path
from lkmrs_dask.errors import UsageError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA

__all__ = ["spare_inputs", "spare_results", "table_path"]


def table_path(out: Path) -> Path:
    """Where rows without positions are written."""
    return out.with_name(f"{out.name}.parquet")


def spare_inputs(out: Path, files: Sequence[Path], *, located: bool) -> None:
    """Raise UsageError where an input is what would be written, or lies in the folder that is replaced.

    Parameters
    ----------
    out : Path
        Folder of the catalogue.
    files : sequence of Path
        The inputs; links and ``..`` are followed.
    located : bool
        Whether a catalogue is written, or a table.
    """
    folder = out.resolve()
    written = {path.resolve() for path in (set_aside_path(out), *(() if located else (table_path(out),)))}
    for file in files:
        real = file.resolve()
        if real in written or real == folder or folder in real.parents:
            raise UsageError(f"{file} would be written over: choose another --out than {out}")


def spare_results(out: Path, *, located: bool, overwrite: bool) -> None:
    """Raise UsageError where something is there that may not be replaced.

    Parameters
    ----------
    out : Path
        Folder of the catalogue.
    located : bool
        Whether a catalogue is written, or a table.
    overwrite : bool
        Whether one that is there may be replaced.
    """
    target = out if located else table_path(out)
    if target.exists() and not overwrite:
        raise UsageError(
            f"{target} is there already; choose another folder, or replace it with --overwrite "
            "(overwrite=True)"
        )
    if not located and target.exists() and not _is_ours(target):
        raise UsageError(f"{target} is there and was not made by an import, so it is not replaced")
    listing = set_aside_path(out)
    if listing.exists() and not _is_list(listing):
        raise UsageError(
            f"{listing} is there and is no list of rows set aside, so it is not replaced: that list has this "
            "name; choose another --out, or move the file"
        )


def _is_ours(path: Path) -> bool:
    try:
        return b"lkmrs_kind" in (pq.read_schema(path).metadata or {})
    except (pa.ArrowInvalid, OSError):
        return False


def _is_list(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.readline().rstrip(b"\r\n") == ",".join(SET_ASIDE_SCHEMA.names).encode()
    except OSError:
        return False
