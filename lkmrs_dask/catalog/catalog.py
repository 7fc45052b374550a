"""A catalogue: rows of the sky in HEALPix partitions, as a lazy Dask data frame and as Arrow tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import dask.base
import dask.threaded
import numpy as np
import pandas as pd
import pyarrow as pa

from lkmrs_dask.catalog.hats import HatsInfo
from lkmrs_dask.catalog.hats_write import PartitionReceipt, finish_catalog, new_folder, write_partition
from lkmrs_dask.catalog.running import Progress, run_tasks
from lkmrs_dask.catalog.sources import Mapped, PartitionSource, RegionRows, ValueRows, open_files
from lkmrs_dask.catalog.star_index import find_stars
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.regions import Cone, Pixels, Polygon, Region
from lkmrs_dask.sky.tiling import Tiling

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["Catalog", "to_pandas"]


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Turn Arrow into pandas without loss, indexed by ``_healpix_29``.

    Columns stay Arrow's: ids exact, nulls null, lists whole.
    """
    if HEALPIX_COLUMN not in table.column_names:
        return table.to_pandas(types_mapper=pd.ArrowDtype)
    index = pd.Index(table.column(HEALPIX_COLUMN).to_numpy(), name=HEALPIX_COLUMN)
    frame = table.drop_columns([HEALPIX_COLUMN]).to_pandas(types_mapper=pd.ArrowDtype)
    return frame.set_index(index)


def _sorted(table: pa.Table) -> pa.Table:
    """Rows by ``_healpix_29``: others' catalogues may have them otherwise, and functions may reorder them."""
    index = table.column(HEALPIX_COLUMN).to_numpy()
    return table.take(np.argsort(index, kind="stable")) if np.any(index[1:] < index[:-1]) else table


def _scheduler() -> Callable[..., Any]:
    """Return the scheduler that is active; threads by default."""
    # Dask would import distributed to see whether there is a client, which takes a while.
    if "distributed" not in sys.modules and dask.config.get("scheduler", None) is None:
        return dask.threaded.get
    return dask.base.get_scheduler() or dask.threaded.get


@dataclass(frozen=True)
class _ReadFrame:
    """Reads a partition as pandas; Dask narrows `columns` to those that a computation uses."""

    source: PartitionSource
    names: tuple[str, ...]

    def __call__(self, part: tuple[int, int], columns: Sequence[str] | None = None) -> pd.DataFrame:
        names = self.names if columns is None else tuple(columns)
        return to_pandas(_sorted(self.source.read(*part, [HEALPIX_COLUMN, *names])))


@dataclass(frozen=True)
class _ReadTable:
    """Reads a partition as Arrow."""

    source: PartitionSource
    names: tuple[str, ...]

    def __call__(self, part: tuple[int, int]) -> pa.Table:
        return self.source.read(*part, self.names)


@dataclass(frozen=True)
class _WritePartition:
    """Reads a partition and writes it under another root."""

    source: PartitionSource
    names: tuple[str, ...]
    root: Path

    def __call__(self, part: tuple[int, int]) -> PartitionReceipt:
        return write_partition(_sorted(self.source.read(*part, self.names)), self.root, *part)


@dataclass(frozen=True, eq=False)
class Catalog:
    """Rows of the sky in HEALPix partitions.  Everything is lazy until `compute`, `to_arrow` or `write`.

    Made by `open_catalog` and `from_dataframe`, not by hand.

    Parameters
    ----------
    source : PartitionSource
        Where a partition's rows come from.
    tiling : Tiling
        The partitions' pixels, in sky order.
    info : HatsInfo
        Name, kind, coordinate columns and properties.
    names : tuple of str
        Columns selected.
    path : Path or None
        Folder, for a catalogue on disk.
    """

    source: PartitionSource
    tiling: Tiling
    info: HatsInfo
    names: tuple[str, ...]
    path: Path | None = None

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the catalogue."""
        return self.info.name

    @property
    def pixels(self) -> list[tuple[int, int]]:
        """HEALPix (order, pixel) of each partition, in the order of the partitions."""
        return list(self.tiling)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.names)

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the columns, with units and descriptions as field metadata where known."""
        known = self.source.schema
        return pa.schema([known.field(name) for name in self.names])

    def __len__(self) -> int:
        """Rows, where the catalogue on disk states them; else they are counted (which reads one column)."""
        if self.path is not None and self.info.n_rows is not None:
            return self.info.n_rows
        return self[[HEALPIX_COLUMN]].to_arrow().num_rows

    def __repr__(self) -> str:
        rows = f", {self.info.n_rows} rows" if self.path is not None and self.info.n_rows is not None else ""
        return f"<Catalog {self.name}: {len(self.tiling)} partitions, {len(self.names)} columns{rows}>"

    # -- choosing --------------------------------------------------------------------------------------------

    def __getitem__(self, columns: Sequence[str]) -> Catalog:
        """Keep some columns, in the order given."""
        if isinstance(columns, str):
            raise UsageError(f"give a list of columns, as in catalog[[{columns!r}]]")
        unknown = [name for name in columns if name not in self.names]
        if unknown:
            raise UsageError(
                f"{self.name} has no column {', '.join(unknown)}; it has {', '.join(self.names)}"
            )
        if len(set(columns)) != len(columns):
            raise UsageError(f"a column is given twice in {', '.join(columns)}")
        return replace(self, names=tuple(columns))

    def search(self, region: Region) -> Catalog:
        """Keep rows in a region; partitions that it does not touch are dropped unread."""
        position = {self.info.ra_column, self.info.dec_column}
        if not position <= set(self.source.schema.names):
            raise UsageError(f"{self.name} has no columns {', '.join(sorted(position))} to search by")
        keep = self.tiling.overlapping(*region.ranges())
        if self.info.kind == "margin":  # its rows lie around the pixels, not in them
            keep[:] = True
        source = RegionRows(self.source, region, self.info.ra_column, self.info.dec_column)
        return self._part(keep, source)

    def cone_search(self, ra: float, dec: float, radius_arcsec: float) -> Catalog:
        """Keep rows within a radius (arcsec) of a position (deg)."""
        return self.search(Cone(float(ra), float(dec), float(radius_arcsec)))

    def polygon_search(self, vertices: Iterable[tuple[float, float]]) -> Catalog:
        """Keep rows in a convex polygon with vertices (ra, dec) in deg."""
        return self.search(Polygon(tuple(vertices)))

    def pixel_search(self, pixels: Iterable[tuple[int, int]]) -> Catalog:
        """Keep rows in HEALPix pixels, given as (order, nested pixel) pairs."""
        return self.search(Pixels(tuple(pixels)))

    def id_search(self, values: Iterable[object], column: str = "star_id") -> Catalog:
        """Keep rows in which a column has one of some values.

        A catalogue built here has a list of its stars, which tells the partitions to read for
        ``star_id`` and ``uid``.  For other columns the column is read in every partition.

        Parameters
        ----------
        values : iterable
            Of the column's type, or text of it; null is a value too.
        column : str
            Any column of the catalogue, selected or not.

        Raises
        ------
        UsageError
            For an unknown column, or values that are not of its type.
        """
        if isinstance(values, str):
            raise UsageError(f"give a list of values, as in id_search([{values!r}])")
        if column not in self.source.schema.names:
            raise UsageError(f"{self.name} has no column {column}; it has {', '.join(self.names)}")
        try:
            # By way of the values' own type: a direct conversion would cut the decimals of a float.
            kind = self.source.schema.field(column).type
            wanted = pa.array(list(values)).cast(kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as fault:
            raise UsageError(f"values for column {column} must be {kind}: {fault}") from fault
        keep = np.ones(len(self.tiling), dtype=bool)
        index = None if self.path is None else find_stars(self.path, column, wanted)
        if index is not None:
            at = self.tiling.locate(index)
            keep = np.isin(np.arange(len(self.tiling)), at[at >= 0])
        return self._part(keep, ValueRows(self.source, column, wanted))

    def _part(self, keep: np.ndarray, source: PartitionSource) -> Catalog:
        tiling = Tiling(self.tiling.order[keep], self.tiling.pixel[keep])
        return replace(self, source=source, tiling=tiling, path=None, info=replace(self.info, n_rows=None))

    # -- computing -------------------------------------------------------------------------------------------

    def map_partitions(
        self,
        function: Callable[[pa.Table], pa.Table],
        schema: pa.Schema,
        needs: Sequence[str] | None = None,
        *,
        name: str | None = None,
    ) -> Catalog:
        """Apply a function to the rows of each partition.

        Parameters
        ----------
        function : callable
            Takes and gives an Arrow table.  It sees all rows of a star at once.  Its result must keep
            ``_healpix_29`` and the coordinates' columns.
        schema : pyarrow.Schema
            Columns of its result.
        needs : sequence of str, optional
            Columns that it uses, so that no others are read; all if not given.
        name : str, optional
            Name of the result.

        Raises
        ------
        UsageError
            For a column in `needs` that the catalogue does not have, or a `schema` without ``_healpix_29``.
        """
        unknown = [column for column in needs or () if column not in self.source.schema.names]
        if unknown:
            raise UsageError(
                f"{self.name} has no column {', '.join(unknown)}; it has {', '.join(self.names)}"
            )
        if HEALPIX_COLUMN not in schema.names:
            raise UsageError(f"the result of a function of partitions must keep the column {HEALPIX_COLUMN}")
        source = Mapped(self.source, function, schema, tuple(self.names if needs is None else needs))
        info = replace(self.info, n_rows=None, name=name or self.name, properties={}, suffix=".parquet")
        return replace(self, source=source, names=tuple(schema.names), info=info, path=None)

    @cached_property
    def ddf(self) -> dd.DataFrame:
        """The rows as a Dask data frame: a partition per pixel, indexed and divided by ``_healpix_29``."""
        import dask.dataframe as dd  # here, because it takes most of a second that not every use needs

        names = tuple(name for name in self.names if name != HEALPIX_COLUMN)
        known = self.source.schema
        empty = pa.schema([known.field(HEALPIX_COLUMN), *(known.field(n) for n in names)]).empty_table()
        meta = to_pandas(empty)
        if len(self.tiling) == 0:
            with dask.config.set({"dataframe.convert-string": False}):
                return dd.from_pandas(meta, npartitions=1)
        lo, hi = self.tiling.bounds
        # A margin's rows lie around its pixels, not in them.
        divided = self.info.kind != "margin"
        divisions = (*lo.tolist(), int(hi[-1])) if divided else (None,) * (len(lo) + 1)
        with dask.config.set({"dataframe.convert-string": False}):
            return dd.from_map(
                _ReadFrame(self.source, names),
                self.pixels,
                meta=meta,
                divisions=divisions,
                label=f"read-{self.name}",
                enforce_metadata=False,
            )

    def to_arrow(self) -> pa.Table:
        """Read and compute everything into one Arrow table, on the active Dask scheduler (else threads).

        The graph is as small as it can be (a task per partition), so this costs less than `ddf.compute`.
        """
        read = _ReadTable(self.source, self.names)
        label = f"{self.name}-{dask.base.tokenize(self.source, self.names)}"
        keys = [(label, number) for number in range(len(self.tiling))]
        graph = {key: (read, part) for key, part in zip(keys, self.pixels, strict=True)}
        tables = _scheduler()(graph, keys)
        return pa.concat_tables(tables) if tables else self.schema.empty_table()

    def compute(self) -> pd.DataFrame:
        """Read and compute everything into one pandas data frame with Arrow-backed columns."""
        return to_pandas(self.to_arrow())

    def head(self, n: int = 5) -> pd.DataFrame:
        """First rows of the sky, reading no more partitions than needed."""
        tables, rows = [self.schema.empty_table()], 0
        for part in self.pixels:
            if rows >= n:
                break
            tables.append(self.source.read(*part, self.names))
            rows += tables[-1].num_rows
        return to_pandas(pa.concat_tables(tables).slice(0, n))

    def write(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> Catalog:
        """Write as a HATS catalogue with the same partitions; those without rows are left out.

        The folder appears only when it is complete.

        Parameters
        ----------
        path : str or Path
            Folder of the catalogue; its name becomes the catalogue's.
        overwrite : bool
            Replace the catalogue that is there.
        executor : concurrent.futures.Executor, optional
            Where to run; one thread a core if not given.
        progress : callable, optional
            Called with partitions done and all partitions.

        Returns
        -------
        Catalog
            The catalogue on disk.

        Raises
        ------
        UsageError
            When the folder is there and `overwrite` is false, or it is no catalogue, or this is a margin.
        CatalogError
            When the columns lack ``_healpix_29`` or the coordinates, or no row is left.
        """
        target = Path(path)
        if target.exists() and not overwrite:
            raise UsageError(f"{target} is there already; choose another folder or overwrite=True")
        if self.info.kind == "margin":
            raise UsageError(f"{self.name} is a margin: write the catalogue that it belongs to")
        names = (HEALPIX_COLUMN, *(name for name in self.names if name != HEALPIX_COLUMN))
        missing = {self.info.ra_column, self.info.dec_column} - set(names)
        if missing:
            raise CatalogError(f"a catalogue needs its coordinates: select {', '.join(sorted(missing))} too")
        known = self.source.schema
        schema = pa.schema([known.field(n) for n in names])
        sort = self.info.properties.get("hats_cols_sort", "")
        kept = sort and set(sort.split()) <= set(names)
        with new_folder(target) as folder:
            task = _WritePartition(self.source, names, folder)
            receipts = run_tasks(task, self.pixels, executor, progress)
            if not any(receipt.rows for receipt in receipts):
                raise CatalogError(f"{target}: there is no row to write")
            finish_catalog(
                folder,
                schema,
                receipts,
                name=target.name,
                kind=self.info.kind,
                ra_column=self.info.ra_column,
                dec_column=self.info.dec_column,
                properties={"hats_cols_sort": sort} if kept else None,
            )
        files, tiling = open_files(target)
        return Catalog(files, tiling, files.info, tuple(files.schema.names), target)
