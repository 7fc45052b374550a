"""Raw rows, runs of them, and what a build must make of them, read plainly from its rules."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lkmrs_dask.catalog import runs as runs_module
from lkmrs_dask.catalog.build import BuiltCatalog, build_catalog
from lkmrs_dask.catalog.layout import StarPlaces, gather_sightings, place_stars
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.repeats import KEPT, ROW_OF_PARTITION
from lkmrs_dask.catalog.runs import ReadFiles, Run, RunSet
from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, Chunk
from lkmrs_dask.schema import HEALPIX_COLUMN, MEASUREMENTS, SPECTRA, TableSchema
from lkmrs_dask.stars.identity import resolve_stars

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Tables:
    """A source whose files are tables in memory; an InputError among the pieces of one ends its reading."""

    pieces: Mapping[str, Sequence[pa.Table | InputError | Chunk]]
    schema: TableSchema = SPECTRA
    files_together: int = 1

    def files(self) -> list[Path]:
        return [Path(name) for name in sorted(self.pieces)]

    def read(self, file: Path) -> Iterator[Chunk]:
        for piece in self.pieces[file.name]:
            if isinstance(piece, InputError):
                raise piece
            yield piece if isinstance(piece, Chunk) else Chunk(piece, SET_ASIDE_SCHEMA.empty_table())


def table_of(rows: Sequence[Row], schema: TableSchema = SPECTRA, without: Sequence[str] = ()) -> pa.Table:
    """Rows with the columns that any of them has, in the schema's types."""
    names = {name for row in rows for name in row} - set(without)
    arrow = pa.schema([pa.field(f.name, f.type) for f in schema.arrow(names)])
    return pa.Table.from_pylist([{k: v for k, v in row.items() if k in names} for row in rows], schema=arrow)


def read_files(source: Tables, folder: Path, order: Sequence[int] | None = None) -> list[RunSet]:
    """Read the files of a source into runs, each for itself, in another order where one is given."""
    files = source.files()
    files = files if order is None else [files[k] for k in order]
    return [
        runs_module.read_files(ReadFiles(source, (file,), folder / f"run{n:02d}"))
        for n, file in enumerate(files)
    ]


def place(
    runs: Sequence[Run], folder: Path, radius_arcsec: float = 3.0
) -> tuple[StarPlaces, list[NDArray[np.int64]]]:
    """Find the stars of runs: their places, and the star of each sighting of each run."""
    tables = [run.sightings() for run in runs]
    sightings = gather_sightings(tables)
    uid, ra, dec, count = (sightings.column(name) for name in ("uid", "ra", "dec", "count"))
    found = resolve_stars(uid, ra.to_numpy(), dec.to_numpy(), count.to_numpy(), radius_arcsec=radius_arcsec)
    stars = pa.table({"star_id": found.star_id, "uid": found.uid, "ra": found.ra, "dec": found.dec,
                      HEALPIX_COLUMN: found.healpix29})  # fmt: skip
    ends = np.cumsum([len(table) for table in tables])
    return place_stars(stars, folder), np.split(found.star, ends[:-1])


def taken_out(groups: pa.Table) -> pa.Table:
    """Rows that a build took out as copies, of the groups of repeated rows that it reports."""
    return groups.filter(pc.invert(groups.column(KEPT))).drop_columns([KEPT, ROW_OF_PARTITION])


def build(
    source: Tables,
    folder: Path,
    *,
    max_rows: int = 1_000_000,
    max_bytes: int = 256 << 20,
    order: Sequence[int] | None = None,
    executor: Executor | None = None,
) -> tuple[BuiltCatalog, StarPlaces]:
    """Read, place and build; the catalogue is ``folder / source.schema.name``."""
    runs = [run for one in read_files(source, folder / "work", order) for run in one.runs]
    places, stars = place(runs, folder / "work")
    built = build_catalog(
        runs, stars, places, source.schema, folder / source.schema.name,
        max_rows=max_rows, max_bytes=max_bytes, executor=executor,
    )  # fmt: skip
    return built, places


def stored_rows(root: Path) -> list[Row]:
    """All rows of a catalogue in the order on disk, read by pyarrow from the files."""
    files = [
        root / f"dataset/Norder={order}/Dir={pixel // 10000 * 10000}/Npix={pixel}.parquet"
        for order, pixel in open_catalog(root).pixels
    ]
    return pa.concat_tables([pq.read_table(file, partitioning=None) for file in files]).to_pylist()


def nulls_first(value: Any) -> tuple:
    if value is None:
        return (0,)
    return (1, value.encode() if isinstance(value, str) else value)


def expected_rows(
    rows: Sequence[Row], star: Sequence[Any], schema: TableSchema
) -> tuple[list[Row], list[Row]]:
    """What a build keeps and what it takes out as repeated, star by star.

    Parameters
    ----------
    rows : sequence of dict
        In any order; sort columns tell equal keys apart.
    star : sequence
        What the result is sorted by first: a value for each row, equal for rows of a star.
    schema : TableSchema
        Its key, blank and sort are used.
    """
    names = {name for row in rows for name in row}

    def key(row: Row) -> tuple:
        blank = {name for name, by in schema.blank if row.get(by) is True}
        return tuple(nulls_first(None if name in blank else row.get(name)) for name in schema.key)

    def place_in_order(number: int) -> tuple:
        row = rows[number]
        return star[number], key(row), tuple(nulls_first(row.get(name)) for name in schema.sort)

    kept: list[Row] = []
    repeats: list[Row] = []
    last: tuple | None = None
    for number in sorted(range(len(rows)), key=place_in_order):
        row = {name: rows[number].get(name) for name in names}
        here = (star[number], key(row))
        unnamed = any(row.get(by) is False and row.get(name) is None for name, by in schema.blank)
        if here == last and row.get(schema.key[0]) is not None and not unnamed:
            repeats.append(row)
            kept[-1] = {name: row[name] if value is None else value for name, value in kept[-1].items()}
        else:
            kept.append(dict(row))
        last = here
    return kept, repeats


def weighted_by_hand(values: Sequence[float | None], snr: Sequence[float | None]) -> tuple[Any, Any, int]:
    """Eqs. 1 and 2 as they are printed, with exact sums."""
    used = [
        (v, s * s)
        for v, s in zip(values, snr, strict=True)
        if v is not None and s is not None and math.isfinite(v) and s > 0 and math.isfinite(s)
    ]
    n = len(used)
    if n == 0:
        return None, None, 0
    total = math.fsum(w for _, w in used)
    mean = math.fsum(w * v for v, w in used) / total
    if n == 1:
        return mean, None, 1
    spread = math.fsum(w * (v - mean) ** 2 for v, w in used)
    return mean, math.sqrt(n * spread / ((n - 1) * total)), n


__all__ = [
    "MEASUREMENTS",
    "SPECTRA",
    "Row",
    "Tables",
    "build",
    "expected_rows",
    "place",
    "read_files",
    "stored_rows",
    "table_of",
    "taken_out",
    "weighted_by_hand",
]
