"""First half of a build: read raw files into runs, and note where on the sky each row says its star is.

A run is an Arrow file of some hundred thousand rows as they were read.  Beside it lie its sightings: the
distinct (uid, ra, dec) of its rows, and for each the numbers of those rows.  The second half (`build`) takes
from every run, which it maps into memory, just the rows that its partition needs; so rows are written twice
and never held all at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.errors import DamagedError, InputError
from lkmrs_dask.readers.base import Chunk, Source, set_aside_table
from lkmrs_dask.sky.index import healpix29

__all__ = ["ReadFile", "Run", "RunSet", "read_file", "read_table", "write_run"]

RUN_ROWS = 250_000
RUN_BYTES = 128 << 20


@dataclass(frozen=True)
class Run:
    """A file of rows as read, and its sightings.

    Parameters
    ----------
    stem : Path
        Path of the run's files without their endings; its name may have dots.
    rows, size : int
        Rows, and their bytes in memory.
    schema : pyarrow.Schema
        Columns of this run; a file may lack some that others have.
    """

    stem: Path
    rows: int
    size: int
    schema: pa.Schema

    def file(self, ending: str) -> Path:
        """Path of one of the run's files."""
        return _file(self.stem, ending)

    def table(self) -> pa.Table:
        """Map the rows into memory."""
        return read_table(self.file(".arrow"))

    def sightings(self) -> pa.Table:
        """Distinct (uid, ra, dec) with the number of rows of each, in the order of `rows_by_sighting`."""
        return read_table(self.file(".sightings"))

    def rows_by_sighting(self) -> NDArray[np.int32]:
        """Row numbers, those of the first sighting first."""
        return np.load(self.file(".rows.npy"), mmap_mode="r")


@dataclass(frozen=True)
class RunSet:
    """What reading a raw file gave."""

    runs: tuple[Run, ...]
    set_aside: pa.Table
    failure: InputError | None


@dataclass(frozen=True)
class ReadFile:
    """A task: one raw file of a source, and where its runs go."""

    source: Source
    file: Path
    stem: Path


def read_table(path: Path) -> pa.Table:
    """Map an uncompressed Arrow file into memory."""
    with pa.memory_map(str(path)) as stream:
        return pa.ipc.open_file(stream).read_all()


def read_file(task: ReadFile) -> RunSet:
    """Read a raw file into runs.

    A fault that ends the reading is reported beside the rows that came before it, not raised: one bad file
    must not cost the others.  Of a file with damaged bytes no row is used.
    """
    runs: list[Run] = []
    pending: list[pa.Table] = []
    aside: list[pa.Table] = []
    failure: InputError | None = None

    def flush() -> None:
        if pending:
            table = pa.concat_tables(pending, promote_options="default")
            pending.clear()
            if table.num_rows:
                stem = task.stem.with_name(f"{task.stem.name}-{len(runs):04d}")
                runs.append(write_run(table, stem))

    for chunk in _guarded(task):
        if isinstance(chunk, InputError):
            failure = chunk
            damaged = isinstance(chunk, DamagedError)
            if damaged:
                pending.clear()
                runs.clear()
            reason = "file is damaged" if damaged else "file cannot be read"
            aside.append(set_aside_table(task.file, reason, column=chunk.column, values=[str(chunk)]))
            continue
        pending.append(chunk.table)
        if chunk.set_aside.num_rows:
            aside.append(chunk.set_aside)
        if sum(t.num_rows for t in pending) >= RUN_ROWS or sum(t.nbytes for t in pending) >= RUN_BYTES:
            flush()
    flush()
    return RunSet(tuple(runs), pa.concat_tables(aside) if aside else _nothing_aside(), failure)


def _guarded(task: ReadFile) -> Iterator[Chunk | InputError]:
    try:
        yield from task.source.read(task.file)
    except InputError as fault:
        yield fault


def _nothing_aside() -> pa.Table:
    return set_aside_table("", "", rows=[])


def write_run(table: pa.Table, stem: Path) -> Run:
    """Write rows and their sightings; `table` has ``ra_input``, ``dec_input`` and perhaps ``uid``."""
    ra, dec = (table.column(name).to_numpy() for name in ("ra_input", "dec_input"))
    if "uid" in table.column_names:
        uid = table.column("uid").combine_chunks()
    else:
        uid = pa.nulls(len(table), pa.string())
    order = np.argsort(healpix29(ra, dec), kind="stable").astype(np.int32)
    ra, dec = ra[order], dec[order]
    name = pc.fill_null(pc.dictionary_encode(uid).indices, -1).to_numpy(zero_copy_only=False)[order]
    # Two stars in one order-29 pixel (0.4 mas) may alternate: their sightings then repeat, which costs
    # nothing, since those who use sightings add up repeated ones.
    new = np.ones(len(order), dtype=bool)
    new[1:] = (ra[1:] != ra[:-1]) | (dec[1:] != dec[:-1]) | (name[1:] != name[:-1])
    first = np.flatnonzero(new)
    sightings = pa.table(
        {
            "uid": uid.take(pa.array(order[first])),
            "ra": ra[first],
            "dec": dec[first],
            "count": np.diff(np.append(first, len(order))),
        }
    )
    stem.parent.mkdir(parents=True, exist_ok=True)
    _write_table(table, _file(stem, ".arrow"))
    _write_table(sightings, _file(stem, ".sightings"))
    np.save(_file(stem, ".rows.npy"), order)
    return Run(stem, table.num_rows, table.nbytes, table.schema)


def _file(stem: Path, ending: str) -> Path:
    # Not with_suffix, which would take "0" of "dr11_v2.0" for an ending and replace it.
    return stem.with_name(stem.name + ending)


def _write_table(table: pa.Table, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    # One batch a run: rows are then taken from contiguous columns.
    with pa.OSFile(str(temporary), "wb") as stream, pa.ipc.new_file(stream, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    os.replace(temporary, path)
