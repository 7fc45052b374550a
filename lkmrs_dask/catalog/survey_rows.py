"""Read back the rows of a survey's own partitions, as they came from the raw files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lkmrs_dask.catalog.repeats import KEPT, ROW_OF_PARTITION
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.readers.base import Chunk, set_aside_table
from lkmrs_dask.schema import HEALPIX_COLUMN, TableSchema

__all__ = ["SurveyRows", "count_copies", "repeats_file"]

_REMEDY = "nothing was changed: `lkmrs verify SURVEY --repair` makes it anew from the raw files"
_PLACED = ("star_id", "ra", "dec", HEALPIX_COLUMN)


def repeats_file(folder: Path, order: int, pixel: int) -> Path:
    """Where the repeated rows of a partition are kept."""
    return folder / f"Norder={order}.Npix={pixel}.parquet"


@dataclass(frozen=True)
class SurveyRows:
    """Rows of a built catalogue without what the build added: a `Source`.

    Rows that the build joined come apart again, so that they can be joined with new ones as if all had come
    at once.

    Parameters
    ----------
    schema : TableSchema
        The catalogue's columns.
    file, repeated : Path
        A partition, and the file of its repeated rows (which need not be there).
    batch_rows : int
        Rows of a chunk.
    """

    schema: TableSchema
    file: Path
    repeated: Path
    batch_rows: int = 100_000

    @property
    def files_together(self) -> int:
        """See `Source`."""
        return 1

    def files(self) -> list[Path]:
        """List the partition's file."""
        return [self.file]

    def read(self, file: Path) -> Iterator[Chunk]:
        """Rows of the partition; see `Source`."""
        nothing = set_aside_table(file, "", rows=[])
        try:
            groups = self._groups(self.repeated)
            joined = groups.column(ROW_OF_PARTITION).to_numpy() if groups is not None else np.empty(0)
            first = 0
            with pq.ParquetFile(file, page_checksum_verification=True) as stored:
                columns = [name for name in stored.schema_arrow.names if name not in _PLACED]
                for batch in stored.iter_batches(self.batch_rows, columns=columns):
                    table = pa.Table.from_batches([batch])
                    here = np.arange(first, first + len(table))
                    first += len(table)
                    if len(joined):
                        table = table.filter(pa.array(~np.isin(here, joined)))
                    yield Chunk(table, nothing)
            if groups is not None:
                yield Chunk(groups.drop_columns([KEPT, ROW_OF_PARTITION]), nothing)
        except (pa.ArrowException, OSError) as fault:
            # Not an InputError, which would cost these rows alone: the survey must stay as it is.
            raise CatalogError(
                f"{file}: the survey's own partition cannot be read: {fault}; {_REMEDY}"
            ) from fault

    @staticmethod
    def _groups(path: Path) -> pa.Table | None:
        if not path.is_file():
            return None
        return pq.read_table(path, partitioning=None, page_checksum_verification=True)


def count_copies(groups: pa.Table) -> int:
    """Rows among repeated ones that were taken out, not kept."""
    return groups.num_rows - (pc.sum(groups.column(KEPT)).as_py() or 0)
