"""Read back the rows of a survey's own catalogue, to build it anew with more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lkmrs_dask.catalog.hats import data_files
from lkmrs_dask.catalog.sources import open_files
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.readers.base import Chunk, set_aside_table
from lkmrs_dask.schema import HEALPIX_COLUMN, TableSchema

__all__ = ["SurveyRows"]

_REMEDY = "nothing was changed: see `lkmrs verify`, and run the job again from the raw files"
_PLACED = ("star_id", "ra", "dec", HEALPIX_COLUMN)


@dataclass(frozen=True)
class SurveyRows:
    """Rows of a built catalogue without what the build added: a `Source`.

    Parameters
    ----------
    schema : TableSchema
        The catalogue's columns.
    root : Path
        Its folder.
    batch_rows : int
        Rows of a chunk.
    """

    schema: TableSchema
    root: Path
    batch_rows: int = 100_000

    def files(self) -> list[Path]:
        """List the partitions' files.

        Raises
        ------
        CatalogError
            When one is missing, or they do not hold the rows that the catalogue states.
        """
        source, tiling = open_files(self.root)
        files = [file for part in tiling for file in data_files(self.root, *part, source.info.suffix)]
        rows = sum(_count(file) for file in files)
        if source.info.n_rows is not None and rows != source.info.n_rows:
            raise CatalogError(f"{self.root}: {rows} rows are there of {source.info.n_rows}; {_REMEDY}")
        return files

    def read(self, file: Path) -> Iterator[Chunk]:
        """Rows of one partition; see `Source`."""
        try:
            with pq.ParquetFile(file, page_checksum_verification=True) as stored:
                columns = [name for name in stored.schema_arrow.names if name not in _PLACED]
                for batch in stored.iter_batches(self.batch_rows, columns=columns):
                    table = pa.Table.from_batches([batch])
                    yield Chunk(table, set_aside_table(file, "", rows=[]))
        except (pa.ArrowException, OSError) as fault:
            # Not an InputError, which would cost these rows alone: the survey must stay as it is.
            raise CatalogError(
                f"{file}: the survey's own partition cannot be read: {fault}; {_REMEDY}"
            ) from fault


def _count(file: Path) -> int:
    try:
        return pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError) as fault:
        raise CatalogError(f"{file}: the survey's own partition is damaged: {fault}; {_REMEDY}") from fault
