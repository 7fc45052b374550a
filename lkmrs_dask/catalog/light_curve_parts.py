"""Partitions of the catalogue ``light_curves``: whole stars, by number and bytes of their points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lkmrs_dask.catalog.hats_write import PartitionReceipt, write_partition
from lkmrs_dask.catalog.light_curve_groups import DESCRIBED, CurveReader, points_of
from lkmrs_dask.catalog.light_curve_stars import REPEATED, drop_repeated, place_stars
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.table_runs import MISSING_POSITION
from lkmrs_dask.errors import UsageError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, set_aside_table
from lkmrs_dask.readers.light_curves.rows import POINTS, SCHEMA
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29, index_range
from lkmrs_dask.sky.tiling import adaptive_tiling

__all__ = ["PROPERTIES", "STORED", "CurvePart", "PartLimits", "arrange", "lay_out_curves", "write_part"]

_POINT_BYTES = sum(field.type.value_type.bit_width // 8 for field in POINTS)
_ROW_BYTES = 400  # of a row without its points
_INDEX = pa.field(HEALPIX_COLUMN, pa.int64(), metadata={"description": "HEALPix pixel, order 29, nested"})
_ORDER = ("star_id", "mission", "segment", "time_first", "exptime", "author", "product", "source_file")

STORED = pa.schema([_INDEX, *SCHEMA])
"""Columns on disk."""

PROPERTIES = {
    "hats_cols_sort": HEALPIX_COLUMN,
    "lkmrs_kind": "light_curves",
    "lkmrs_id_column": "star_id",
}
"""What ``hats.properties`` says of it."""


@dataclass(frozen=True)
class PartLimits:
    """Thresholds of a partition, if it has more than one star.

    Parameters
    ----------
    max_mb : float
        Megabytes of points in memory.
    max_stars : int
        Stars.

    Raises
    ------
    UsageError
        Where a partition would have no room.
    """

    max_mb: float = 64.0
    max_stars: int = 50

    def __post_init__(self) -> None:
        """Check every value."""
        if not self.max_mb > 0 or self.max_stars < 1:
            raise UsageError(
                f"a partition needs room for a star: max_mb={self.max_mb}, max_stars={self.max_stars}"
            )


@dataclass(frozen=True)
class CurvePart:
    """A partition to be written: its pixel, and the rows of its curves without their points."""

    order: int
    pixel: int
    rows: pa.Table

    @property
    def n_stars(self) -> int:
        """Number of its stars."""
        return len(self.rows.column("star_id").unique())


def arrange(
    groups: Iterable[pa.Table], targets: pa.Table | None = None, radius_arcsec: float | None = None
) -> tuple[pa.Table, pa.Table]:
    """Sort curves, leave out those that are there twice, and give each star one name and place.

    Parameters
    ----------
    groups : iterable of pyarrow.Table
        Rows of `lkmrs_dask.catalog.light_curve_groups.DESCRIBED`.
    targets, radius_arcsec
        See `lkmrs_dask.catalog.light_curve_stars.place_stars`.

    Returns
    -------
    rows : pyarrow.Table
        Those that can be used.
    set_aside : pyarrow.Table
        The others, with their reasons.
    """
    table = pa.concat_tables([DESCRIBED.empty_table(), *groups])
    rows = table.sort_by([(name, "ascending") for name in (*_ORDER, "path")])
    rows, repeated = drop_repeated(rows)
    rows, lost = place_stars(rows, targets, radius_arcsec)
    return rows, pa.concat_tables([_set_aside(repeated, REPEATED), _set_aside(lost, MISSING_POSITION)])


def _set_aside(rows: pa.Table, reason: str) -> pa.Table:
    tables = [
        set_aside_table(path, reason, values=[star])
        for path, star in zip(*(rows.column(name).to_pylist() for name in ("path", "star_id")), strict=True)
    ]
    return pa.concat_tables([SET_ASIDE_SCHEMA.empty_table(), *tables])


def lay_out_curves(rows: pa.Table, limits: PartLimits) -> list[CurvePart]:
    """Partitions with the rows of each; `rows` are as `arrange` gives them."""
    index = healpix29(*(rows.column(name).to_numpy() for name in ("ra", "dec")))
    stars = rows.column("star_id").combine_chunks().dictionary_encode().indices.to_numpy()
    size = _ROW_BYTES + _POINT_BYTES * rows.column("n_points").to_numpy().astype(np.int64)
    _, first, which = np.unique(stars, return_index=True, return_inverse=True)
    tiling = adaptive_tiling(
        index[first],
        size=np.bincount(which, weights=size),
        max_rows=limits.max_stars,
        max_bytes=max(1, int(limits.max_mb * 2**20)),
    )
    at = tiling.locate(index)
    # Rows are sorted by star and segment already: a stable sort keeps that for stars at one place.
    order = np.lexsort((index, at))
    rows = rows.add_column(0, _INDEX, pa.array(index))
    bounds = np.searchsorted(at[order], np.arange(len(tiling) + 1))
    return [
        # Taken, not sliced: a slice would travel with all rows.
        CurvePart(o, pixel, rows.take(pa.array(order[a:b])).combine_chunks())
        for (o, pixel), a, b in zip(tiling, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    ]


def write_part(
    readers: Sequence[CurveReader], runs: Path, folder: Path, part: CurvePart, before: Path | None = None
) -> PartitionReceipt:
    """Write a partition under the catalogue's folder; see `points_of`.

    Points of files that are gone are those that the catalogue `before` has of them.
    """
    stored = _Before(before, part) if before is not None else None
    points = points_of(readers, runs, part.rows, stored)
    arrays = [
        (points if name in POINTS.names else part.rows).column(name).combine_chunks() for name in STORED.names
    ]
    return write_partition(pa.Table.from_arrays(arrays, schema=STORED), folder, part.order, part.pixel)


_ALIKE = ("source_file", "mission", "target_id", "segment", "n_points", "time_first", "time_last")


class _Before:
    """Points of curves in the partitions of an earlier catalogue that overlap a new one."""

    def __init__(self, catalog: Path, part: CurvePart) -> None:
        self._catalog, self._part = catalog, part
        self._tables: list[pa.Table] | None = None

    def __call__(self, row: Mapping[str, Any]) -> pa.RecordBatch | None:
        wanted = [row[name] for name in _ALIKE]
        for table in self._read():
            keys = zip(*(table.column(name).to_pylist() for name in _ALIKE), strict=True)
            for at, key in enumerate(keys):
                if list(key) == wanted:
                    return table.slice(at, 1).select(POINTS.names).combine_chunks().to_batches()[0]
        return None

    def _read(self) -> list[pa.Table]:
        if self._tables is None:
            catalog = open_catalog(self._catalog)
            low, high = index_range(self._part.order, self._part.pixel)
            near = catalog.tiling.overlapping([int(low)], [int(high)])
            pixels = [pixel for pixel, wanted in zip(catalog.tiling, near.tolist(), strict=True) if wanted]
            columns = [*_ALIKE, *POINTS.names]
            self._tables = [catalog.source.read(*pixel, columns) for pixel in pixels]
        return self._tables
