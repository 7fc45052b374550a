"""Footers of Parquet files, read once a process, and what their statistics say of row groups."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lkmrs_dask.catalog.places import change_of, read_footer
from lkmrs_dask.schema import HEALPIX_COLUMN

__all__ = ["Bounds", "column_bounds", "footer", "index_bounds"]

_KEPT = 512  # files; a footer of a wide catalogue is some 100 kB


class Bounds(NamedTuple):
    """Of each row group: rows, and smallest and largest value of a column; both None without statistics."""

    rows: NDArray[np.int64]
    least: NDArray | None
    most: NDArray | None


def footer(path: Path) -> pq.FileMetaData:
    """Read a file's footer; the one at hand serves as long as the file has neither changed nor moved.

    Raises
    ------
    CatalogError
        When the file is missing or is no Parquet.
    """
    return _footer(path, *change_of(path))


def column_bounds(path: Path, name: str) -> Bounds:
    """Statistics of a column, which may be missing in the file."""
    return _bounds(path, name, *change_of(path))


def index_bounds(path: Path) -> Bounds:
    """Statistics of ``_healpix_29``."""
    return column_bounds(path, HEALPIX_COLUMN)


@lru_cache(maxsize=_KEPT)
def _footer(path: Path, size: int, changed: float) -> pq.FileMetaData:
    return read_footer(path)


@lru_cache(maxsize=8 * _KEPT)
def _bounds(path: Path, name: str, size: int, changed: float) -> Bounds:
    found = _footer(path, size, changed)
    groups = [found.row_group(number) for number in range(found.num_row_groups)]
    rows = np.array([group.num_rows for group in groups], dtype=np.int64)
    names = [found.schema.column(at).path for at in range(found.num_columns)]
    if name not in names:
        return Bounds(rows, None, None)
    at = names.index(name)
    known = [group.column(at).statistics for group in groups]
    if any(one is None or not one.has_min_max for one in known):
        return Bounds(rows, None, None)
    return Bounds(rows, np.array([one.min for one in known]), np.array([one.max for one in known]))
