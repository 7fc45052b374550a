"""Open catalogues on disk, and make them of data frames in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.hats import HatsInfo
from lkmrs_dask.catalog.sources import Memory, open_files
from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29
from lkmrs_dask.sky.tiling import adaptive_tiling

__all__ = ["from_dataframe", "open_catalog"]


def open_catalog(path: str | Path) -> Catalog:
    """Open a HATS catalogue: one of a survey folder, or anyone's.

    Only properties, the pixel list and the schema are read.

    Parameters
    ----------
    path : str or Path
        Folder of a catalogue, or of a HATS collection (its primary table is opened); or its address
        (``https://``, ``s3://``, ...), read in place.

    Returns
    -------
    Catalog

    Raises
    ------
    CatalogError
        When the folder is missing or is no HATS catalogue of sky positions.

    Examples
    --------
    >>> stars = open_catalog("survey/stars")  # doctest: +SKIP
    >>> stars.cone_search(290.0, 44.5, 3600).compute()  # doctest: +SKIP
    """
    files, tiling = open_files(path)
    return Catalog(files, tiling, files.info, tuple(files.schema.names), files.root)


def from_dataframe(
    frame: pd.DataFrame,
    ra: str = "ra",
    dec: str = "dec",
    *,
    name: str = "from_dataframe",
    max_rows: int = 1_000_000,
) -> Catalog:
    """Make a catalogue of a pandas data frame (or a pyarrow Table).

    Parameters
    ----------
    frame : pandas.DataFrame or pyarrow.Table
        Rows with coordinates.
    ra, dec : str
        Their columns, in deg.
    name : str
        Name of the catalogue.
    max_rows : int
        Rows of a partition at most.

    Raises
    ------
    UsageError
        When a coordinate's column is missing or holds no numbers.
    InputError
        When a coordinate is null, not finite, or a declination is outside [-90, 90].
    """
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata(None)
    missing = [column for column in (ra, dec) if column not in table.column_names]
    if missing:
        raise UsageError(f"the data frame has no column {', '.join(missing)}; say which with ra= and dec=")
    values = {}
    for column in (ra, dec):
        try:
            values[column] = table.column(column).cast(pa.float64()).to_numpy()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as fault:
            raise UsageError(f"column {column} holds no coordinates in deg: {fault}") from fault
        bad = ~np.isfinite(values[column])
        if column == dec:
            bad |= np.abs(np.where(bad, 0.0, values[column])) > 90
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            text = f"{values[column][row]} is no coordinate in deg; drop or mend the row"
            raise InputError(text, column=column, row=row + 1)
    index = healpix29(values[ra], values[dec])
    if HEALPIX_COLUMN in table.column_names:
        table = table.drop_columns([HEALPIX_COLUMN])
    table = table.add_column(0, HEALPIX_COLUMN, pa.array(index))
    order = np.argsort(index, kind="stable")
    table, index = table.take(order), index[order]
    tiling = adaptive_tiling(index, max_rows=max_rows)
    lo, hi = tiling.bounds
    start, stop = np.searchsorted(index, lo), np.searchsorted(index, hi)
    tables = {part: table.slice(a, b - a) for part, a, b in zip(tiling, start, stop, strict=True)}
    info = HatsInfo(name, ra_column=ra, dec_column=dec)
    return Catalog(Memory(tables, table.schema), tiling, info, tuple(table.column_names))
