"""Files of light curves to the HATS catalogue ``light_curves``: a row a star and segment, with its points.

Files are read in groups, side by side; the points of a group go into a file of their own inside the new
catalogue's folder, and only what describes the curves stays in memory.  Then stars are placed, the sky is
tiled by their bytes, and each partition takes the points of its stars from these files, which are mapped.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from lkmrs_dask.catalog.hats_write import PartitionReceipt, finish_catalog, new_folder, write_partition
from lkmrs_dask.catalog.light_curve_stars import REPEATED, drop_repeated, place_stars
from lkmrs_dask.catalog.running import Progress, run_tasks
from lkmrs_dask.catalog.set_aside import list_set_aside, set_aside_path
from lkmrs_dask.catalog.table_runs import MISSING_POSITION
from lkmrs_dask.errors import CatalogError, InputError, UsageError, may_pass
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, set_aside_table
from lkmrs_dask.readers.light_curves.reading import light_curve_files, read_light_curve
from lkmrs_dask.readers.light_curves.rows import POINTS, SCHEMA, points_batch, scalars
from lkmrs_dask.readers.light_curves.table_format import TableFormat
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29
from lkmrs_dask.sky.tiling import adaptive_tiling

__all__ = ["BuiltLightCurves", "build_light_curves"]

_RUNS = ".runs"
_GROUP = 64  # files read by one task
_UNREADABLE = "unreadable light curve"
_POINT_BYTES = sum(field.type.value_type.bit_width // 8 for field in POINTS)
_ROW_BYTES = 400  # of a row without its points
_INDEX = pa.field(HEALPIX_COLUMN, pa.int64(), metadata={"description": "HEALPix pixel, order 29, nested"})
_STORED = pa.schema([_INDEX, *SCHEMA])
_ORDER = ("star_id", "mission", "segment", "time_first", "exptime", "author", "product", "source_file")


class BuiltLightCurves(NamedTuple):
    """What was built.

    Attributes
    ----------
    rows, stars, points, partitions : int
        Light curves, stars, points and partitions of the catalogue.
    set_aside : dict
        Files left out, by reason; each is named in ``OUT.set_aside.csv``.
    path : str
        The catalogue.
    """

    rows: int
    stars: int
    points: int
    partitions: int
    set_aside: dict[str, int]
    path: str


class _Read(NamedTuple):
    """What one task read: values of the curves beside their points, in the order of its file's batches."""

    run: str
    values: list[dict[str, Any]]
    set_aside: pa.Table


def build_light_curves(
    files: Sequence[str | Path] | str | Path,
    out: str | Path,
    *,
    flux: str = "corrected",
    table: TableFormat | None = None,
    targets: pa.Table | None = None,
    max_mb: float = 64.0,
    max_stars: int = 50,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> BuiltLightCurves:
    """Write light curves as a HATS catalogue; the folder appears when it is complete.

    The same files give the same partitions in whatever order they come and wherever they are read.  All
    rows of a star have one position and lie in one partition.

    Parameters
    ----------
    files : path or sequence of paths
        Files, and folders whose ``*.fits`` and ``*.fits.gz`` are taken.
    out : path
        Folder of the catalogue; a catalogue that is there is replaced.
    flux, table
        See `lkmrs_dask.readers.light_curves.reading.read_light_curve`.
    targets : pyarrow.Table, optional
        Stars: ``mission``, ``target_id``, ``ra``, ``dec`` and, where missions share stars, ``star_id``.
        Its star_id is that of the rows; its positions are taken for files that have none, and for stars
        that have a star_id in it.
    max_mb, max_stars : float, int
        Thresholds of a partition: megabytes of points in memory, and stars.
    executor, progress
        See `run_tasks`; other processes must share the file system.

    Returns
    -------
    BuiltLightCurves

    Raises
    ------
    UsageError
        Where a setting makes no sense, or `out` is there and is no catalogue.
    CatalogError
        Where no file can be used.
    InputError
        Where a file cannot be read for a cause that may pass, such as a network.
    """
    if max_mb <= 0 or max_stars < 1:
        raise UsageError(f"a partition needs room for a star: max_mb={max_mb}, max_stars={max_stars}")
    places = [files] if isinstance(files, str | Path) else list(files)
    if not places:
        raise UsageError("there are no files of light curves")
    found = [path.absolute() for path in light_curve_files(*places)]
    out = Path(out).absolute()
    with new_folder(out) as folder:
        runs = folder / _RUNS
        runs.mkdir()
        groups = [(number, found[at : at + _GROUP]) for number, at in enumerate(range(0, len(found), _GROUP))]
        read = run_tasks(partial(_read_group, runs, flux, table), groups, executor, progress)
        aside = [part.set_aside for part in read]
        rows = _describe(read)
        rows, repeated = drop_repeated(rows)
        rows, lost = place_stars(rows, targets)
        aside += [_set_aside(repeated, REPEATED), _set_aside(lost, MISSING_POSITION)]
        unused = pa.concat_tables(aside).sort_by([("file", "ascending"), ("reason", "ascending")])
        counted, _ = list_set_aside([unused], set_aside_path(out))
        reasons = dict(sorted(counted.items()))
        if not len(rows):
            raise CatalogError(f"{out}: no light curve can be used: {reasons}; see {set_aside_path(out)}")
        tasks = _tile(rows, max_mb, max_stars)
        receipts = run_tasks(partial(_write, folder), tasks, executor, progress)
        shutil.rmtree(runs)
        finish_catalog(
            folder,
            _STORED,
            receipts,
            name=out.name,
            properties={
                "hats_cols_sort": HEALPIX_COLUMN,
                "lkmrs_kind": "light_curves",
                "lkmrs_id_column": "star_id",
            },
        )
    points = sum(rows.column("n_points").to_pylist())
    stars = len(rows.column("star_id").unique())
    return BuiltLightCurves(len(rows), stars, points, len(tasks), reasons, str(out))


# Reading


def _read_group(runs: Path, flux: str, form: TableFormat | None, task: tuple[int, list[Path]]) -> _Read:
    """Read some files one after the other; their points go to a file, a batch a curve."""
    number, files = task
    run = runs / f"{number}.arrow"
    values: list[dict[str, Any]] = []
    aside = [SET_ASIDE_SCHEMA.empty_table()]
    with pa.OSFile(str(run), "wb") as sink, pa.ipc.new_file(sink, POINTS) as writer:
        for file in files:
            try:
                curve = read_light_curve(file, flux=flux, table=form)
            except InputError as fault:
                if may_pass(fault):
                    raise
                column = fault.column
                aside.append(set_aside_table(file, _UNREADABLE, column=column, values=[fault.message]))
                continue
            values.append({**scalars(curve), "path": str(file), "run": str(run), "batch": len(values)})
            writer.write_batch(points_batch(curve))
    return _Read(str(run), values, pa.concat_tables(aside))


_DESCRIBED = pa.schema(
    [
        *(field for field in SCHEMA if field.name not in POINTS.names),
        pa.field("path", pa.string()),
        pa.field("run", pa.string()),
        pa.field("batch", pa.int64()),
    ]
)


def _describe(read: Sequence[_Read]) -> pa.Table:
    """What is known of all curves beside their points, and where these are; sorted."""
    table = pa.concat_tables([pa.Table.from_pylist(part.values, _DESCRIBED) for part in read])
    keys = [(name, "ascending") for name in (*_ORDER, "path")]
    return table.sort_by(keys)


def _set_aside(rows: pa.Table, reason: str) -> pa.Table:
    tables = [
        set_aside_table(path, reason, values=[star])
        for path, star in zip(*(rows.column(name).to_pylist() for name in ("path", "star_id")), strict=True)
    ]
    return pa.concat_tables([SET_ASIDE_SCHEMA.empty_table(), *tables])


# Writing


class _Part(NamedTuple):
    order: int
    pixel: int
    rows: pa.Table


def _tile(rows: pa.Table, max_mb: float, max_stars: int) -> list[_Part]:
    """Partitions with the rows of each, by the bytes and the number of stars."""
    index = healpix29(*(rows.column(name).to_numpy() for name in ("ra", "dec")))
    stars = rows.column("star_id").combine_chunks().dictionary_encode().indices.to_numpy()
    size = _ROW_BYTES + _POINT_BYTES * rows.column("n_points").to_numpy().astype(np.int64)
    _, first, which = np.unique(stars, return_index=True, return_inverse=True)
    tiling = adaptive_tiling(
        index[first],
        size=np.bincount(which, weights=size),
        max_rows=max_stars,
        max_bytes=max(1, int(max_mb * 2**20)),
    )
    at = tiling.locate(index)
    # Rows are sorted by star and segment already: a stable sort keeps that for stars at one place.
    order = np.lexsort((index, at))
    rows = rows.add_column(0, _INDEX, pa.array(index))
    bounds = np.searchsorted(at[order], np.arange(len(tiling) + 1))
    return [
        # Taken, not sliced: a slice would travel with all rows.
        _Part(o, pixel, rows.take(pa.array(order[a:b])).combine_chunks())
        for (o, pixel), a, b in zip(tiling, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    ]


def _write(folder: Path, part: _Part) -> PartitionReceipt:
    """Write a partition: its points come from the files of the groups."""
    runs, batches = (part.rows.column(name).to_pylist() for name in ("run", "batch"))
    readers = {run: pa.ipc.open_file(pa.memory_map(run)) for run in sorted(set(runs))}
    points = pa.Table.from_batches(
        [readers[run].get_batch(batch) for run, batch in zip(runs, batches, strict=True)], POINTS
    ).combine_chunks()
    arrays = [
        (points if name in POINTS.names else part.rows).column(name).combine_chunks()
        for name in _STORED.names
    ]
    return write_partition(pa.Table.from_arrays(arrays, schema=_STORED), folder, part.order, part.pixel)
