"""Rows of other catalogues that work on a partition needs too: of the partitions that overlap it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.sources import PartitionSource
from lkmrs_dask.sky.index import index_range
from lkmrs_dask.sky.tiling import Tiling

__all__ = ["Beside", "Besides", "rows_of_stars"]

Pixel = tuple[int, int]


@dataclass(frozen=True)
class Beside:
    """Another catalogue of the survey whose rows a function is given too.

    Parameters
    ----------
    catalog : str
        Its name; of one that is not there the function is given an empty table.
    schema : pyarrow.Schema
        Columns wanted; those that it lacks are null.
    """

    catalog: str
    schema: pa.Schema


@dataclass(frozen=True)
class Besides:
    """Reads what a `Beside` asks for.

    All rows of the partitions that overlap one are given: whole stars lie in one partition of each catalogue,
    so none of the stars asked for is missing, and those of neighbours do no harm.
    """

    source: PartitionSource | None
    tiling: Tiling | None
    schema: pa.Schema
    known: tuple[str, ...]
    checksums: Mapping[Pixel, str]

    @classmethod
    def of(cls, wanted: Beside, catalog: Catalog | None, checksums: Mapping[Pixel, str]) -> Besides:
        """Open one."""
        if catalog is None:
            return cls(None, None, wanted.schema, (), {})
        known = tuple(name for name in wanted.schema.names if name in catalog.source.schema.names)
        return cls(catalog.source, catalog.tiling, wanted.schema, known, checksums)

    def _overlapping(self, part: Pixel) -> list[Pixel]:
        if self.tiling is None:
            return []
        lo, hi = index_range(*part)
        near = self.tiling.overlapping([int(lo)], [int(hi)])
        return [pixel for pixel, wanted in zip(self.tiling, near.tolist(), strict=True) if wanted]

    def made_of(self, part: Pixel) -> list[str | None]:
        """Checksums of what `read` would read."""
        return [self.checksums.get(pixel) for pixel in self._overlapping(part)]

    def read(self, part: Pixel) -> pa.Table:
        """Rows of the partitions that overlap a pixel."""
        tables = [self._rows(pixel) for pixel in self._overlapping(part)]
        return pa.concat_tables(tables) if tables else self.schema.empty_table()

    def without_checksums(self) -> Besides:
        """Give what is needed to read, which travels with each task."""
        return replace(self, checksums={})

    def _rows(self, pixel: Pixel) -> pa.Table:
        assert self.source is not None
        table = self.source.read(*pixel, self.known)
        columns = [
            table.column(field.name).cast(field.type)
            if field.name in self.known
            else pa.nulls(len(table), field.type)
            for field in self.schema
        ]
        return pa.table(columns, schema=self.schema)


def rows_of_stars(star: pa.ChunkedArray, table: pa.Table) -> pa.Table:
    """Row of a table for each of some stars, the first if it has several; null where it has none."""
    return table.take(pc.index_in(star, value_set=table.column("star_id").combine_chunks()))
