"""Read back the rows of a survey's own catalogue, to build it anew with more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.base import Chunk, set_aside_table
from lkmrs_dask.schema import HEALPIX_COLUMN, TableSchema

__all__ = ["SurveyRows"]

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
        """The partitions' files."""
        return sorted(self.root.glob("dataset/Norder=*/Dir=*/Npix=*.parquet"))

    def read(self, file: Path) -> Iterator[Chunk]:
        """Rows of one partition; see `Source`."""
        try:
            with pq.ParquetFile(file) as stored:
                columns = [name for name in stored.schema_arrow.names if name not in _PLACED]
                for batch in stored.iter_batches(self.batch_rows, columns=columns):
                    table = pa.Table.from_batches([batch])
                    yield Chunk(table, set_aside_table(file, "", rows=[]))
        except (pa.ArrowException, OSError) as fault:
            raise InputError(f"the survey's own partition cannot be read: {fault}", file=file) from fault
