"""Files of light curves read in groups: what describes the curves in a table, their points in a file beside.

The points of a group are for those who write partitions of them soon; where they are gone, the raw files are
read once more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from lkmrs_dask.errors import CatalogError, InputError, may_pass
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, set_aside_table
from lkmrs_dask.readers.light_curves.curve import LightCurve
from lkmrs_dask.readers.light_curves.reading import read_light_curve
from lkmrs_dask.readers.light_curves.rows import POINTS, SCHEMA, points_batch, scalars
from lkmrs_dask.readers.light_curves.table_format import TableFormat

__all__ = [
    "DESCRIBED",
    "CurveFile",
    "CurveGroup",
    "CurveReader",
    "Stored",
    "points_of",
    "read_group",
]

UNREADABLE = "unreadable light curve"
DESCRIBED = pa.schema(
    [
        *(field for field in SCHEMA if field.name not in POINTS.names),
        pa.field("path", pa.string()),
        pa.field("state", pa.string()),
        pa.field("reader", pa.int32()),
        pa.field("group", pa.string()),
        pa.field("batch", pa.int64()),
    ]
)
"""What is known of a curve beside its points: ``path`` and ``state`` of its file, the number of its reader,
and the group that was read with it, in which it is the batch of this number."""


@dataclass(frozen=True)
class CurveReader:
    """How files are read: see `lkmrs_dask.readers.light_curves.reading.read_light_curve`."""

    flux: str = "corrected"
    table: TableFormat | None = None

    def __call__(self, file: str | Path) -> LightCurve:
        """Read one."""
        return read_light_curve(file, flux=self.flux, table=self.table)


class CurveFile(NamedTuple):
    """A file, and the number of its reader."""

    path: Path
    reader: int = 0

    @property
    def state(self) -> str:
        """Size and time of the last change, which tell whether it is the file that was read."""
        stat = self.path.stat()
        return f"{stat.st_size}-{stat.st_mtime_ns}"


Stored = Callable[[Mapping[str, Any]], pa.RecordBatch | None]
"""Finds the points of a curve (a row of `DESCRIBED`) where they were stored before."""


class CurveGroup(NamedTuple):
    """What was read: a row of `DESCRIBED` for each curve, and the files that could not be used."""

    rows: pa.Table
    set_aside: pa.Table


def read_group(
    readers: Sequence[CurveReader], runs: Path, name: str, files: Sequence[CurveFile]
) -> CurveGroup:
    """Read some files one after the other; their points go to a file, a batch a curve.

    Parameters
    ----------
    readers : sequence of CurveReader
        By number.
    runs : Path
        Folder that gets ``NAME.arrow``.
    name : str
        Of the group.
    files : sequence of CurveFile
        In this order.

    Raises
    ------
    InputError
        Where a file cannot be read for a cause that may pass, such as a network.
    """
    values: list[dict[str, Any]] = []
    aside = [SET_ASIDE_SCHEMA.empty_table()]
    path = _run(runs, name)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with pa.OSFile(str(unfinished), "wb") as sink, pa.ipc.new_file(sink, POINTS) as writer:
        for file in files:
            try:
                curve, state = readers[file.reader](file.path), file.state
                known = _described(curve, file)
            except InputError as fault:
                if may_pass(fault):
                    raise
                told = set_aside_table(file.path, UNREADABLE, column=fault.column, values=[fault.message])
                aside.append(told)
                continue
            place = {"path": str(file.path), "state": state, "reader": file.reader, "group": name}
            values.append({**known, **place, "batch": len(values)})
            writer.write_batch(points_batch(curve))
    os.replace(unfinished, path)
    return CurveGroup(pa.Table.from_pylist(values, DESCRIBED), pa.concat_tables(aside))


def _described(curve: LightCurve, file: CurveFile) -> dict[str, Any]:
    """What is stored of a curve beside its points.

    Raises
    ------
    InputError
        Where a number of its header is none that such a thing can have.
    """
    known = scalars(curve)
    for field in DESCRIBED:
        if field.name in known:
            try:
                pa.array([known[field.name]], field.type)
            except (pa.ArrowInvalid, OverflowError) as fault:
                value = known[field.name]
                raise InputError(f"its header has the {field.name} {value}", file=file.path) from fault
    return known


def points_of(
    readers: Sequence[CurveReader], runs: Path, rows: pa.Table, stored: Stored | None = None
) -> pa.Table:
    """Points of curves, in their order: from the files of their groups, else from the raw files.

    Parameters
    ----------
    readers, runs
        As for `read_group`.
    rows : pyarrow.Table
        Rows of `DESCRIBED`.
    stored : callable, optional
        Gives the points of a curve whose raw file is gone, None where it has none; see `Stored`.

    Raises
    ------
    InputError, CatalogError
        Where a raw file is needed that cannot be read, or is not the one that was read.
    """
    groups = {name: _opened(_run(runs, name)) for name in sorted(set(rows.column("group").to_pylist()))}
    some = rows.drop_columns(["ra", "dec", "star_id"]).to_pylist()
    batches = [
        group.get_batch(row["batch"])
        if (group := groups[row["group"]]) is not None
        else _again(readers, row, stored)
        for row in some
    ]
    return pa.Table.from_batches(batches, POINTS).combine_chunks()


def _run(runs: Path, name: str) -> Path:
    return runs / f"{name}.arrow"


def _opened(path: Path) -> pa.ipc.RecordBatchFileReader | None:
    return pa.ipc.open_file(pa.memory_map(str(path))) if path.is_file() else None


def _again(readers: Sequence[CurveReader], row: Mapping[str, Any], stored: Stored | None) -> pa.RecordBatch:
    if stored is not None and not Path(row["path"]).is_file():
        found = stored(row)
        if found is not None:
            return found
    return points_batch(_read_again(readers, row))


def _read_again(readers: Sequence[CurveReader], row: Mapping[str, Any]) -> LightCurve:
    file = CurveFile(Path(row["path"]), row["reader"])
    curve = readers[file.reader](file.path)
    if file.state != row["state"] or len(curve) != row["n_points"]:
        raise CatalogError(f"{file.path} was changed after it had been read: run the same again")
    return curve
