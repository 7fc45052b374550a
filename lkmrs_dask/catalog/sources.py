"""Where the rows of a partition come from: files, memory, or a function of another source's rows.

A source is frozen and small: it travels to the worker that reads, and the rows never pass through the client.
Rows are Arrow tables; Dask and pandas come in only at `Catalog.ddf`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.catalog.footers import footer, index_bounds
from lkmrs_dask.catalog.hats import (
    HatsInfo,
    data_files,
    read_info,
    read_schema,
    read_tiling,
    resolve_root,
)
from lkmrs_dask.catalog.places import is_remote, open_parquet, place_of, unread
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29
from lkmrs_dask.sky.regions import Region
from lkmrs_dask.sky.tiling import Tiling

__all__ = [
    "HatsFiles",
    "Mapped",
    "Memory",
    "PartitionSource",
    "RegionRows",
    "ValueRows",
    "open_files",
    "read_groups",
    "touching_groups",
]

Ranges = tuple[np.ndarray, np.ndarray]
_SPATIAL = ("object", "source", "margin", "association")


class PartitionSource(Protocol):
    """Rows by HEALPix pixel."""

    @property
    def schema(self) -> pa.Schema:
        """Columns that `read` can give."""

    def read(
        self, order: int, pixel: int, columns: Sequence[str] | None = None, ranges: Ranges | None = None
    ) -> pa.Table:
        """Rows of one pixel.

        Parameters
        ----------
        order, pixel : int
            The partition.
        columns : sequence of str, optional
            Columns wanted, in this order; all if not given.
        ranges : (lo, hi), optional
            Sorted order-29 index ranges: a source may leave out rows outside of them, where it can do so
            without reading them.
        """


def _fields(schema: pa.Schema, names: Iterable[str]) -> pa.Schema:
    return pa.schema([schema.field(name) for name in names])


def read_table(files: Sequence[Path], schema: pa.Schema, ranges: Ranges | None = None) -> pa.Table:
    """Read the columns of `schema` from Parquet files, only the row groups that may touch `ranges`.

    Raises
    ------
    CatalogError
        When a file is missing or broken, lacks a column, or has one of another type.
    """
    tables = [read_groups(path, schema, touching_groups(path, ranges)) for path in files]
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables)


def read_groups(path: Path, schema: pa.Schema, groups: Sequence[int] | None = None) -> pa.Table:
    """Read the columns of `schema` from some row groups of a Parquet file, or from all; see `read_table`."""
    try:
        with open_parquet(path, footer(path)) as file:
            missing = set(schema.names) - set(file.schema_arrow.names)
            if missing:
                raise CatalogError(
                    f"{path}: lacks columns that the catalogue has: {', '.join(sorted(missing))}"
                )
            if groups is None:
                table = file.read(schema.names, use_threads=False)
            else:
                table = file.read_row_groups(groups, schema.names, use_threads=False)
        table = table.select(schema.names)
        return table if table.schema.equals(schema, check_metadata=True) else table.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError) as fault:
        raise CatalogError(
            f"{path}: cannot be read as Parquet with the catalogue's columns ({fault})"
        ) from fault
    except ValueError as fault:
        if not is_remote(path):
            raise
        raise unread(path, fault) from fault


def touching_groups(path: Path, ranges: Ranges | None) -> list[int] | None:
    """Row groups whose index statistics touch a range; None for all, also where statistics are missing."""
    if ranges is None:
        return None
    _, least, most = index_bounds(path)
    if least is None or most is None:
        return None
    lo, hi = ranges
    if not len(lo):
        return []
    first = np.searchsorted(hi, least, side="right")
    inside = first < len(lo)
    return np.flatnonzero(inside & (lo[np.minimum(first, len(lo) - 1)] <= most)).tolist()


@dataclass(frozen=True, eq=False)
class HatsFiles:
    """Rows of a HATS catalogue on disk.

    ``_healpix_29`` is made from the coordinates where a catalogue has no order-29 index of its own.
    """

    root: Path
    info: HatsInfo
    stored: pa.Schema

    @property
    def _indexed(self) -> bool:
        return HEALPIX_COLUMN in self.stored.names

    @property
    def schema(self) -> pa.Schema:
        """The stored columns, and the index first where it has to be made."""
        if self._indexed:
            return self.stored
        return pa.schema([pa.field(HEALPIX_COLUMN, pa.int64()), *self.stored])

    def read(
        self, order: int, pixel: int, columns: Sequence[str] | None = None, ranges: Ranges | None = None
    ) -> pa.Table:
        """Rows of one pixel; see `PartitionSource`."""
        files = data_files(self.root, order, pixel, self.info.suffix)
        names = self.schema.names if columns is None else list(columns)
        if self._indexed or HEALPIX_COLUMN not in names:
            return read_table(files, _fields(self.stored, names), ranges)
        position = [self.info.ra_column, self.info.dec_column]
        stored = [name for name in names if name != HEALPIX_COLUMN]
        table = read_table(files, _fields(self.stored, dict.fromkeys([*stored, *position])))
        ra, dec = (table.column(name).cast(pa.float64()).to_numpy() for name in position)
        nowhere = ~(np.isfinite(ra) & np.isfinite(dec))
        if np.abs(np.where(nowhere, 0.0, dec)).max(initial=0.0) > 90.0:
            raise CatalogError(
                f"{files[0]}: column {self.info.dec_column} goes beyond 90 deg, so rows have no place on the "
                "sky: not in degrees?"
            )
        index = healpix29(np.where(nowhere, 0.0, ra), np.where(nowhere, 0.0, dec))
        return table.append_column(HEALPIX_COLUMN, pa.array(index, mask=nowhere)).select(names)


def open_files(path: str | Path) -> tuple[HatsFiles, Tiling]:
    """Read what a catalogue on disk says of itself: the source of its rows, and its pixels.

    Raises
    ------
    CatalogError
        When the folder is missing or is no HATS catalogue of sky positions.
    """
    root = resolve_root(place_of(path))
    info = read_info(root)
    if info.kind not in _SPATIAL:
        raise CatalogError(f"{root}: a HATS catalogue of kind {info.kind} has no rows on the sky to open")
    tiling = read_tiling(root)
    stored = read_schema(root, tiling, info.suffix)
    position = {info.ra_column, info.dec_column}
    if HEALPIX_COLUMN not in stored.names and not position <= set(stored.names):
        raise CatalogError(
            f"{root}: has neither {HEALPIX_COLUMN} nor coordinates ({', '.join(sorted(position))})"
        )
    return HatsFiles(root, info, stored), tiling


@dataclass(frozen=True, eq=False)
class Memory:
    """Rows held in memory, a table a pixel."""

    tables: Mapping[tuple[int, int], pa.Table]
    schema: pa.Schema

    def read(
        self, order: int, pixel: int, columns: Sequence[str] | None = None, ranges: Ranges | None = None
    ) -> pa.Table:
        """Rows of one pixel; see `PartitionSource`."""
        table = self.tables[order, pixel]
        return table if columns is None else table.select(list(columns))


@dataclass(frozen=True, eq=False)
class RegionRows:
    """Rows of another source that lie in a region."""

    parent: PartitionSource
    region: Region
    ra_column: str
    dec_column: str

    @property
    def schema(self) -> pa.Schema:
        """Columns of the parent."""
        return self.parent.schema

    def read(
        self, order: int, pixel: int, columns: Sequence[str] | None = None, ranges: Ranges | None = None
    ) -> pa.Table:
        """Rows of one pixel inside the region; see `PartitionSource`."""
        names = self.schema.names if columns is None else list(columns)
        needed = list(dict.fromkeys([*names, self.ra_column, self.dec_column]))
        table = self.parent.read(order, pixel, needed, self.region.ranges())
        ra, dec = (table.column(name).to_numpy() for name in (self.ra_column, self.dec_column))
        return table.filter(pa.array(self.region.contains(ra, dec))).select(names)


@dataclass(frozen=True, eq=False)
class ValueRows:
    """Rows of another source in which a column has one of some values."""

    parent: PartitionSource
    column: str
    values: pa.Array

    @property
    def schema(self) -> pa.Schema:
        """Columns of the parent."""
        return self.parent.schema

    def read(
        self, order: int, pixel: int, columns: Sequence[str] | None = None, ranges: Ranges | None = None
    ) -> pa.Table:
        """Rows of one pixel that match; see `PartitionSource`."""
        names = self.schema.names if columns is None else list(columns)
        table = self.parent.read(order, pixel, list(dict.fromkeys([*names, self.column])), ranges)
        return table.filter(pc.is_in(table.column(self.column), self.values)).select(names)


@dataclass(frozen=True, eq=False)
class Mapped:
    """A function of the rows of each partition of another source.

    Parameters
    ----------
    parent : PartitionSource
        Where the rows come from.
    function : callable
        Takes an Arrow table and gives one of `schema`.
    schema : pyarrow.Schema
        Columns of the result.
    needs : tuple of str or None
        Columns of the parent that the function uses; None for all.
    """

    parent: PartitionSource
    function: Callable[[pa.Table], pa.Table]
    schema: pa.Schema
    needs: tuple[str, ...] | None = None

    def read(
        self, order: int, pixel: int, columns: Sequence[str] | None = None, ranges: Ranges | None = None
    ) -> pa.Table:
        """Rows of one pixel; see `PartitionSource`."""
        table = self.function(self.parent.read(order, pixel, self.needs))
        if not table.schema.equals(self.schema):
            try:
                table = table.select(self.schema.names).cast(self.schema)
            except (KeyError, pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as fault:
                where = f"order {order}, pixel {pixel}"
                raise CatalogError(
                    f"the function's result for {where} is not of its schema: {fault}"
                ) from fault
        return table if columns is None else table.select(list(columns))
