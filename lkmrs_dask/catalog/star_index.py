"""The list of a catalogue's stars by id: it tells where a star lies, so that one partition is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lkmrs_dask.catalog.places import is_remote
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN

__all__ = ["STAR_INDEX_FILE", "find_stars", "write_star_index"]

STAR_INDEX_FILE = "star_index.parquet"
_COLUMNS = ("star_id", "uid")


def write_star_index(root: Path, stars: pa.Table) -> None:
    """Write the list of stars (``star_id``, ``uid``, ``_healpix_29``) beside a catalogue's partitions."""
    table = stars.select([*_COLUMNS, HEALPIX_COLUMN]).sort_by("star_id")
    pq.write_table(table, root / STAR_INDEX_FILE, compression="zstd", row_group_size=100_000)


def find_stars(root: Path, column: str, values: pa.Array) -> np.ndarray | None:
    """Order-29 indices of stars by id.

    Parameters
    ----------
    root : Path
        Folder of the catalogue.
    column : str
        ``star_id`` or ``uid``.
    values : pyarrow.Array
        Ids; those that no star has are passed over.

    Returns
    -------
    ndarray of int64 or None
        None where the catalogue has no such list, or it cannot tell (stars without the id are asked for).

    Raises
    ------
    CatalogError
        When the list cannot be read.
    """
    path = root / STAR_INDEX_FILE
    if len(values) == 0:
        return np.empty(0, np.int64)
    if is_remote(root):
        return None
    if column not in _COLUMNS or values.null_count or not path.is_file():
        return None
    bounds = pc.min_max(values).as_py()
    span = [(column, ">=", bounds["min"]), (column, "<=", bounds["max"])]
    try:
        table = pq.read_table(path, columns=[column, HEALPIX_COLUMN], filters=span, partitioning=None)
    except (pa.ArrowInvalid, OSError) as fault:
        raise CatalogError(f"{path}: the list of stars cannot be read ({fault})") from fault
    return table.filter(pc.is_in(table.column(column), values)).column(HEALPIX_COLUMN).to_numpy()
