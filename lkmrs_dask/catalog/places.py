"""Where a catalogue lies: a folder, or an address (``https://``, ``s3://``, ...), read through fsspec."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from lkmrs_dask.errors import CatalogError

__all__ = ["change_of", "is_remote", "open_parquet", "place_of", "read_footer", "unread", "what_else"]


def place_of(path: str | Path) -> Path:
    """Return a path, or for an address something that serves as one.

    Raises
    ------
    CatalogError
        For an address of a kind that nothing here can read.
    """
    if not isinstance(path, str) or "://" not in path:
        return Path(path) if isinstance(path, str) else path
    from upath import UPath  # here, because few need it

    try:
        place = UPath(path.rstrip("/"))
        _ = place.fs  # what reads it is loaded only when it is asked for
        return cast("Path", place)
    except (ValueError, ImportError) as fault:
        raise CatalogError(f"{path}: addresses of this kind cannot be read here ({fault})") from fault


def is_remote(path: Path) -> bool:
    """Whether a path is an address."""
    return not isinstance(path, Path)


def change_of(path: Path) -> tuple[int, float]:
    """Size and time of change of a file; what is elsewhere is taken not to change.

    Raises
    ------
    CatalogError
        When the file is not there.
    """
    if is_remote(path):
        return 0, 0.0
    try:
        found = path.stat()
    except OSError as fault:
        raise CatalogError(f"{path}: cannot be read ({fault})") from fault
    return found.st_size, found.st_mtime


def what_else(path: Path) -> str:
    """What else may be the matter where an address cannot be read; nothing for a folder."""
    return "; is there a network, and is the address right?" if is_remote(path) else ""


def unread(path: Path, fault: Exception) -> CatalogError:
    """Make the error for a file that cannot be read; of an address it says what else may be the matter."""
    more = what_else(path)
    if isinstance(fault, ValueError) and "range requests" in str(fault):
        more = "; its server gives whole files only, and Parquet is read in parts: download the catalogue"
    return CatalogError(f"{path}: cannot be read as Parquet ({fault}){more}")


@contextmanager
def open_parquet(path: Path, footer: pq.FileMetaData) -> Iterator[pq.ParquetFile]:
    """Open a file whose footer is known."""
    if not is_remote(path):
        with pq.ParquetFile(path, metadata=footer) as file:
            yield file
        return
    # The parts that are wanted are asked for together, and nothing else.
    remote: Any = path
    with (
        remote.open("rb", cache_type="none") as stream,
        pq.ParquetFile(pa.PythonFile(stream), metadata=footer, pre_buffer=True) as file,
    ):
        yield file


def read_footer(path: Path) -> pq.FileMetaData:
    """Read a file's footer.

    Raises
    ------
    CatalogError
        When the file is missing or is no Parquet.
    """
    try:
        if not is_remote(path):
            return pq.read_metadata(path)
        with path.open("rb") as stream:
            return pq.read_metadata(stream)
    except (pa.ArrowInvalid, OSError) as fault:
        raise unread(path, fault) from fault
    except ValueError as fault:  # of fsspec, whose servers must give parts of files
        if not is_remote(path):
            raise
        raise unread(path, fault) from fault
