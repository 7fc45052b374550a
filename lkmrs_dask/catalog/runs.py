"""First half of a build: read raw files into runs, and note where on the sky each row says its star is.

A run is an Arrow file of some hundred thousand rows, in the order of their places on the sky.  Beside it lie
its sightings: the distinct (uid, ra, dec) of its rows, and how many rows each has.  The second half (`build`)
takes from every run, which it maps into memory, just the rows that its partition needs; they lie together, so
that little else is read.  Rows are written twice and never held all at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.catalog.receipts import whole_file
from lkmrs_dask.errors import DamagedError, InputError, may_pass
from lkmrs_dask.readers.base import Chunk, Source, set_aside_table
from lkmrs_dask.sky.index import healpix29

__all__ = ["SIGHTINGS", "ReadFiles", "Run", "RunSet", "read_files", "read_table", "write_run"]

RUN_ROWS = 250_000
RUN_BYTES = 128 << 20
TRIES = 3

SIGHTINGS = pa.schema(
    [
        ("uid", pa.string()),
        ("ra", pa.float64()),
        ("dec", pa.float64()),
        ("count", pa.int64()),
        ("bytes", pa.int64()),
    ]
)
"""Columns of sightings: who and where, and the rows and bytes that say so."""

_ROWS, _SIGHTINGS = ".arrow", ".sightings"
_TEXT = 16  # bytes of a short text or of a list's offsets
_WIDTH = {pa.bool_(): 1, pa.int16(): 2, pa.int32(): 4, pa.float32(): 4, pa.date32(): 4, pa.int64(): 8,
          pa.float64(): 8}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A file of rows in sky order, and its sightings.

    Parameters
    ----------
    stem : Path
        Path of the run's files without their endings; its name may have dots.
    """

    stem: Path

    @property
    def rows(self) -> int:
        """Its rows."""
        return int(self.sightings().column("count").to_numpy().sum())

    def file(self, ending: str) -> Path:
        """Path of one of the run's files."""
        return _file(self.stem, ending)

    def files(self) -> list[Path]:
        """All that `write_run` wrote."""
        return [self.file(ending) for ending in (_ROWS, _SIGHTINGS)]

    def table(self) -> pa.Table:
        """Map the rows into memory."""
        return read_table(self.file(_ROWS))

    def sightings(self) -> pa.Table:
        """Distinct (uid, ra, dec) with rows and bytes of each, in the order of the rows."""
        return read_table(self.file(_SIGHTINGS))

    def columns(self) -> list[str]:
        """Columns of this run; a file may lack some that others have."""
        with pa.memory_map(str(self.file(_ROWS))) as stream:
            return pa.ipc.open_file(stream).schema.names


@dataclass(frozen=True)
class RunSet:
    """What reading raw files gave.

    Parameters
    ----------
    runs : tuple of Run
        Their rows.
    set_aside : pyarrow.Table
        What was not used, with reasons (``SET_ASIDE_SCHEMA``).
    failures : tuple of InputError
        Files whose reading ended early.
    """

    runs: tuple[Run, ...]
    set_aside: pa.Table
    failures: tuple[InputError, ...] = ()


@dataclass(frozen=True)
class ReadFiles:
    """A task: raw files of a source that are read together, and where their runs go."""

    source: Source
    files: tuple[Path, ...]
    stem: Path


def read_table(path: Path) -> pa.Table:
    """Map an uncompressed Arrow file into memory."""
    with pa.memory_map(str(path)) as stream:
        return pa.ipc.open_file(stream).read_all()


def read_files(task: ReadFiles) -> RunSet:
    """Read raw files into runs.

    A fault that ends the reading of a file is reported beside the rows that came before it, not raised: one
    bad file must not cost the others.  After one that may pass the file is read again, `TRIES` times in all.
    Of a file with damaged bytes no row is used.
    """
    collected = _Collected(task.stem)
    aside = [set_aside_table("", "", rows=[])]
    failures: list[InputError] = []
    for file in task.files:
        for tried in range(1, TRIES + 1):
            collected.begin_file()
            set_aside, failure = _read_file(task.source, file, collected)
            if failure is None or not may_pass(failure) or tried == TRIES:
                break
            collected.drop_file()
        aside += set_aside
        if failure is not None:
            failures.append(failure)
    collected.flush()
    return RunSet(tuple(collected.runs), pa.concat_tables(aside).combine_chunks(), tuple(failures))


def _read_file(source: Source, file: Path, collected: _Collected) -> tuple[list[pa.Table], InputError | None]:
    """Read a file; gives what it set aside, and the fault that ended it."""
    aside: list[pa.Table] = []
    for chunk in _guarded(source, file):
        if isinstance(chunk, InputError):
            damaged = isinstance(chunk, DamagedError)
            if damaged:
                collected.drop_file()
            reason = "file is damaged" if damaged else "file cannot be read"
            return [*aside, set_aside_table(file, reason, column=chunk.column, values=[str(chunk)])], chunk
        collected.add(chunk.table)
        if chunk.set_aside.num_rows:
            aside.append(chunk.set_aside)
    return aside, None


class _Collected:
    """Rows on their way into runs, so kept that those of the file being read can still be taken back."""

    def __init__(self, stem: Path) -> None:
        self.runs: list[Run] = []
        self._stem, self._number = stem, 0
        self._pending: list[pa.Table] = []
        self._finished = self._first_run = 0
        self._rows = self._bytes = 0

    def begin_file(self) -> None:
        self._finished, self._first_run = len(self._pending), len(self.runs)

    def add(self, table: pa.Table) -> None:
        self._pending.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= RUN_ROWS or self._bytes >= RUN_BYTES:
            self.flush()

    def drop_file(self) -> None:
        del self._pending[self._finished :]
        del self.runs[self._first_run :]

    def flush(self) -> None:
        """Write what is pending: rows of finished files apart from those of the file being read."""
        finished, current = self._pending[: self._finished], self._pending[self._finished :]
        self._write(finished)
        if finished:
            self._first_run = len(self.runs)
        self._write(current)
        self._pending, self._finished, self._rows, self._bytes = [], 0, 0, 0

    def _write(self, tables: list[pa.Table]) -> None:
        if any(table.num_rows for table in tables):
            table = pa.concat_tables(tables, promote_options="default")
            stem = self._stem.with_name(f"{self._stem.name}-{self._number:04d}")
            self._number += 1
            self.runs.append(write_run(table, stem))


def _guarded(source: Source, file: Path) -> Iterator[Chunk | InputError]:
    try:
        yield from source.read(file)
    except InputError as fault:
        yield fault


def write_run(table: pa.Table, stem: Path) -> Run:
    """Write rows and their sightings; `table` has ``ra_input``, ``dec_input`` and perhaps ``uid``."""
    ra, dec = (table.column(name).to_numpy() for name in ("ra_input", "dec_input"))
    order = np.argsort(healpix29(ra, dec), kind="stable")
    table = table.take(pa.array(order))
    ra, dec = ra[order], dec[order]
    if "uid" in table.column_names:
        uid = table.column("uid").combine_chunks()
    else:
        uid = pa.nulls(len(table), pa.string())
    name = pc.fill_null(pc.dictionary_encode(uid).indices, -1).to_numpy(zero_copy_only=False)
    # Two stars in one order-29 pixel (0.4 mas) may alternate: their sightings then repeat, which costs
    # nothing, since those who use sightings add up repeated ones.
    new = np.ones(len(order), dtype=bool)
    new[1:] = (ra[1:] != ra[:-1]) | (dec[1:] != dec[:-1]) | (name[1:] != name[:-1])
    first = np.flatnonzero(new)
    sightings = pa.table(
        {
            "uid": uid.take(pa.array(first)),
            "ra": ra[first],
            "dec": dec[first],
            "count": np.diff(np.append(first, len(order))),
            "bytes": np.add.reduceat(_row_bytes(table), first) if len(first) else first,
        },
        schema=SIGHTINGS,
    )
    stem.parent.mkdir(parents=True, exist_ok=True)
    _write_table(table, _file(stem, _ROWS))
    _write_table(sightings, _file(stem, _SIGHTINGS))
    return Run(stem)


def _row_bytes(table: pa.Table) -> NDArray[np.int64]:
    """About the bytes of each row in memory: a function of the row alone, not of those read with it."""
    total = np.full(len(table), sum(_WIDTH.get(field.type, _TEXT) for field in table.schema), np.int64)
    for field in table.schema:
        if pa.types.is_list(field.type):
            length = pc.fill_null(pc.list_value_length(table.column(field.name)), 0)
            total += length.to_numpy().astype(np.int64) * (field.type.value_type.bit_width // 8)
    return total


def _file(stem: Path, ending: str) -> Path:
    # Not with_suffix, which would take "0" of "dr11_v2.0" for an ending and replace it.
    return stem.with_name(stem.name + ending)


def _write_table(table: pa.Table, path: Path) -> None:
    # One batch a run: rows are then taken from contiguous columns.
    with (
        whole_file(path, lasting=False) as temporary,
        pa.OSFile(str(temporary), "wb") as stream,
        pa.ipc.new_file(stream, table.schema) as writer,
    ):
        writer.write_table(table.combine_chunks())
