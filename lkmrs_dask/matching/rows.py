"""Counterparts of the rows of one table: for code that has a partition in hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.hats import HatsInfo
from lkmrs_dask.catalog.sources import Memory
from lkmrs_dask.matching.crossmatch import crossmatch
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.tiling import Tiling

__all__ = ["counterparts"]


def counterparts(
    table: pa.Table,
    part: tuple[int, int],
    right: Catalog,
    columns: Sequence[str],
    radius_arcsec: float,
    **options: Any,
) -> pa.Table:
    """Find the nearest row of a catalogue for each row of a table.

    Parameters
    ----------
    table : pyarrow.Table
        Rows of one pixel, with ``_healpix_29``, ``ra`` and ``dec``.
    part : (int, int)
        Order and pixel.
    right : Catalog
        Where counterparts are looked for.
    columns : sequence of str
        Columns of `right` wanted.
    radius_arcsec : float
        Largest separation.
    **options
        Others of `lkmrs_dask.crossmatch`.

    Returns
    -------
    pyarrow.Table
        A row for each of the table, in its order: `columns`, ``separation_arcsec`` and ``n_candidates``;
        null where there is no counterpart.
    """
    place = table.select([HEALPIX_COLUMN, "ra", "dec"])
    source = Memory({part: place}, place.schema)
    left = Catalog(source, Tiling([part[0]], [part[1]]), HatsInfo("rows"), tuple(place.column_names))  # type: ignore[arg-type]
    kept = list(dict.fromkeys(columns))
    suffixes = ("_of_rows", "")
    matched = crossmatch(left, right[kept], radius_arcsec, "nearest", "left", suffixes, **options)
    return matched.source.read(*part, [*kept, "separation_arcsec", "n_candidates"])
