"""``lkmrs import``: the files of an external catalogue to HATS, with what cannot be used beside it."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lkmrs_dask.catalog.receipts import whole_file
from lkmrs_dask.catalog.running import Progress
from lkmrs_dask.catalog.set_aside import list_set_aside, set_aside_path
from lkmrs_dask.catalog.table_build import build_table
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.pipeline.external_places import spare_inputs, spare_results, table_path
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA
from lkmrs_dask.readers.external.source import ExternalSource, open_source

__all__ = ["build_external"]


@dataclass(frozen=True)
class _ReadFile:
    """Reader: the good rows of a file; the others are written into a folder as they come.

    Parameters
    ----------
    source : ExternalSource
        Of the file.
    file : Path
        The file.
    aside : Path
        File for the rows set aside; it is not there where there are none.
    """

    source: ExternalSource
    file: Path
    aside: Path

    def __call__(self) -> Iterator[pa.Table]:
        writer = None
        try:
            for chunk in self.source.read(self.file):
                if chunk.set_aside.num_rows:
                    writer = writer or pa.ipc.new_file(str(self.aside), SET_ASIDE_SCHEMA)
                    writer.write_table(chunk.set_aside)
                yield chunk.table
        finally:
            if writer is not None:
                writer.close()


def build_external(
    kind: str,
    files: Sequence[str | Path] | str | Path,
    out: str | Path,
    *,
    keep: Collection[str] | None = None,
    overwrite: bool = True,
    executor: Executor | None = None,
    progress: Progress | None = None,
    max_rows: int = 1_000_000,
    **options: Any,
) -> dict[str, Any]:
    """Write the files of an external catalogue as HATS, or as one table where they have no positions.

    The catalogue remembers what it is: ``lkmrs_kind``, ``lkmrs_id_column``, ``lkmrs_epoch`` (Julian year of
    the positions) and ``lkmrs_left_out`` are among its properties.  Rows that cannot be used are listed in
    ``OUT.set_aside.csv``.  Without positions the table is ``OUT.parquet``, sorted by identifier, with the
    same words in its schema's metadata.

    Parameters
    ----------
    kind : str
        One of `lkmrs_dask.readers.external.kinds.KINDS`.
    files : path or sequence of paths
        One catalogue, in any number of files.
    out : path
        Folder of the catalogue.
    keep : collection of str, optional
        Columns wanted beside identifier and position; all if not given.
    overwrite : bool
        Replace the catalogue or table that is there, when the new one is complete; else it is refused.
    executor, progress
        See `run_tasks`.
    max_rows : int
        Rows of a partition at most.
    **options
        ``id``, ``ra``, ``dec``, ``epoch``, ``sentinels``, ``delimiter``: see `open_source`.

    Returns
    -------
    dict
        ``rows``, ``rows_set_aside`` (number by reason), ``set_aside_by_column`` (by reason and column),
        ``set_aside_path`` (their list; None where there is none), ``repeated_ids``, ``partitions`` (0 for a
        plain table), ``columns``, ``left_out`` (what the files have and the catalogue does not), ``path``.

    Raises
    ------
    UsageError
        Where a setting cannot be right, `out` or the list beside it is there and is none of ours, or one of
        `files` would be written over.
    InputError
        Where a file cannot be read to its end: nothing is written.
    CatalogError
        Where no row can be used.
    """
    known = {"id", "ra", "dec", "epoch", "sentinels", "delimiter", "positions", "block_bytes"}
    if unknown := sorted(options.keys() - known):
        raise UsageError(f"unknown setting {unknown[0]!r} of an import; known are {', '.join(sorted(known))}")
    out = Path(out).absolute()
    source = open_source(kind, files, keep=keep, **options)
    spare_inputs(out, source.files(), located=source.located)
    spare_results(out, located=source.located, overwrite=overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = _scratch(out)
    try:
        readers = [
            _ReadFile(source, Path(file).absolute(), scratch / f"{number:06d}.arrow")
            for number, file in enumerate(source.files())
        ]
        try:
            if source.located:
                counts = _build_hats(source, readers, out, executor, progress, max_rows)
            else:
                counts = _write_table(source, readers, out)
        except CatalogError as fault:
            if list_set_aside(_aside(scratch), set_aside_path(out))[0]:
                raise CatalogError(f"{fault}; the rows set aside are in {set_aside_path(out)}") from fault
            raise
        reasons, places = list_set_aside(_aside(scratch), set_aside_path(out))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return counts | {
        "rows_set_aside": reasons,
        "set_aside_by_column": places,
        "set_aside_path": str(set_aside_path(out)) if reasons else None,
        "columns": len(source.columns),
        "left_out": list(source.left_out),
    }


def _scratch(out: Path) -> Path:
    """Make a folder for the rows set aside, and remove those that killed imports left."""
    prefix = f".{out.name}.aside-"
    for left in [path for path in out.parent.iterdir() if path.name.startswith(prefix)]:
        shutil.rmtree(left, ignore_errors=True)
    scratch = out.with_name(prefix + uuid4().hex[:8])
    scratch.mkdir()
    return scratch


def _properties(source: ExternalSource) -> dict[str, str]:
    """What a catalogue remembers of its origin."""
    words = {
        "lkmrs_kind": source.kind.name,
        "lkmrs_id_column": source.kind.id_column,
        "lkmrs_epoch": source.epoch() if source.located else None,
        "lkmrs_left_out": ", ".join(source.left_out) or None,
    }
    return {key: str(value).replace("\n", " ") for key, value in words.items() if value is not None}


def _build_hats(
    source: ExternalSource,
    readers: Sequence[_ReadFile],
    out: Path,
    executor: Executor | None,
    progress: Progress | None,
    max_rows: int,
) -> dict[str, Any]:
    assert source.kind.ra_column is not None
    assert source.kind.dec_column is not None
    built = build_table(
        readers,
        out,
        ra_column=source.kind.ra_column,
        dec_column=source.kind.dec_column,
        id_column=source.kind.id_column,
        max_rows=max_rows,
        executor=executor,
        progress=progress,
        properties=_properties(source),
    )
    return {
        "rows": built.rows,
        "partitions": built.partitions,
        "repeated_ids": built.repeated_ids,
        "path": str(out),
    }


def _write_table(source: ExternalSource, readers: Sequence[_ReadFile], out: Path) -> dict[str, Any]:
    """Write rows without positions as one Parquet file: these are lists, so they are held in memory."""
    empty = source.schema.arrow().empty_table()
    table = pa.concat_tables([empty, *(table for reader in readers for table in reader())])
    repeated, name = 0, source.kind.id_column
    if name is not None:
        keys = [name, *(column for column in table.column_names if column != name)]
        table = table.take(pc.sort_indices(table, sort_keys=[(key, "ascending") for key in keys]))
        repeated = len(table) - len(table.column(name).unique())
    path = table_path(out)
    with whole_file(path) as temporary:
        pq.write_table(table.replace_schema_metadata(_properties(source)), temporary)
    return {"rows": len(table), "partitions": 0, "repeated_ids": repeated, "path": str(path)}


def _aside(folder: Path) -> Iterator[pa.Table]:
    """Rows that the readers set aside, of all files in order."""
    for part in sorted(folder.glob("*.arrow")):
        yield pa.ipc.open_file(pa.memory_map(str(part))).read_all()
