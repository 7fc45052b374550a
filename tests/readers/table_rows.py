"""Tables of a few rows in LAMOST's columns, and what is read of them."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA
from lkmrs_dask.readers.lamost_tables import TableSource
from lkmrs_dask.schema import SPECTRA, TableSchema

SPEED_OF_LIGHT = 299792.458  # km/s
MADE = {"low_snr", "source_file", "mjd", "bjd_tdb"}


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]], delimiter: str = ",") -> Path:
    """Write plain text, gzipped where the name says so; None is an empty field."""
    lines = [delimiter.join("" if cell is None else str(cell) for cell in row) for row in (header, *rows)]
    data = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def source_of(path: Path, schema: TableSchema = SPECTRA, **options: Any) -> TableSource:
    """Make a source of one file."""
    return TableSource.from_settings(schema, [path.name], path.parent, **options)


def read_all(path: Path, schema: TableSchema = SPECTRA, **options: Any) -> tuple[pa.Table, pa.Table]:
    """Read a whole file; checks what every chunk promises."""
    source = source_of(path, schema, **options)
    chunks = list(source.read(path))
    for chunk in chunks:
        assert chunk.table.schema.equals(schema.arrow(chunk.table.schema.names), check_metadata=True)
        assert chunk.table.schema == chunks[0].table.schema
        assert chunk.set_aside.schema == SET_ASIDE_SCHEMA
        chunk.table.validate(full=True)
        assert not {"star_id", "ra", "dec", "_healpix_29"} & set(chunk.table.schema.names)
    return pa.concat_tables(c.table for c in chunks), pa.concat_tables(c.set_aside for c in chunks)


def plain(table: pa.Table, *, without: set[str] | frozenset[str] = frozenset(MADE)) -> list[dict]:
    """Rows without the derived columns."""
    return table.drop_columns([name for name in table.schema.names if name in without]).to_pylist()
