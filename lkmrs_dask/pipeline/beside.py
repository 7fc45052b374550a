"""Rows of other catalogues that work on a partition needs too: of the partitions that overlap it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.sources import PartitionSource
from lkmrs_dask.sky.index import index_range
from lkmrs_dask.sky.tiling import Tiling

__all__ = ["Beside", "Besides"]

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
    columns : mapping
        Their names in the catalogue where they are others.
    """

    catalog: str
    schema: pa.Schema
    columns: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Besides:
    """Reads what a `Beside` asks for.

    All rows of the partitions that overlap one are given: whole stars lie in one partition of each catalogue,
    so none of the stars asked for is missing, and those of neighbours do no harm.
    """

    source: PartitionSource | None
    tiling: Tiling | None
    schema: pa.Schema
    names: Mapping[str, str]
    checksums: Mapping[Pixel, str]

    @classmethod
    def of(cls, wanted: Beside, catalog: Catalog | None, checksums: Mapping[Pixel, str]) -> Besides:
        """Open one."""
        names = {name: (wanted.columns or {}).get(name, name) for name in wanted.schema.names}
        if catalog is None:
            return cls(None, None, wanted.schema, {}, {})
        known = {name: of for name, of in names.items() if of in catalog.source.schema.names}
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
        table = self.source.read(*pixel, list(self.names.values()))
        columns = [
            table.column(self.names[field.name]).cast(field.type)
            if field.name in self.names
            else pa.nulls(len(table), field.type)
            for field in self.schema
        ]
        return pa.table(columns, schema=self.schema)
