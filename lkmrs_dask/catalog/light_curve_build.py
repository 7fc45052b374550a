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
from typing import NamedTuple

import pyarrow as pa

from lkmrs_dask.catalog.hats_write import finish_catalog, new_folder
from lkmrs_dask.catalog.light_curve_groups import CurveFile, CurveGroup, CurveReader, read_group
from lkmrs_dask.catalog.light_curve_parts import (
    PROPERTIES,
    STORED,
    PartLimits,
    arrange,
    lay_out_curves,
    write_part,
)
from lkmrs_dask.catalog.running import Progress, run_tasks
from lkmrs_dask.catalog.set_aside import list_set_aside, set_aside_path
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.readers.light_curves.reading import light_curve_files
from lkmrs_dask.readers.light_curves.table_format import TableFormat

__all__ = ["BuiltLightCurves", "build_light_curves"]

_RUNS = ".runs"
_GROUP = 64  # files read by one task


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


def build_light_curves(
    files: Sequence[str | Path] | str | Path,
    out: str | Path,
    *,
    flux: str = "corrected",
    table: TableFormat | None = None,
    targets: pa.Table | None = None,
    radius_arcsec: float | None = None,
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
    targets, radius_arcsec
        Stars, and how near curves that they do not name must be to be theirs; see
        `lkmrs_dask.catalog.light_curve_stars.place_stars`.
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
    limits = PartLimits(max_mb, max_stars)
    places = [files] if isinstance(files, str | Path) else list(files)
    if not places:
        raise UsageError("there are no files of light curves")
    found = [CurveFile(path.absolute()) for path in light_curve_files(*places)]
    readers = (CurveReader(flux, table),)
    out = Path(out).absolute()
    with new_folder(out) as folder:
        runs = folder / _RUNS
        runs.mkdir()
        tasks = [
            (str(number), found[at : at + _GROUP]) for number, at in enumerate(range(0, len(found), _GROUP))
        ]
        read = run_tasks(partial(_read, readers, runs), tasks, executor, progress)
        rows, lost = arrange((group.rows for group in read), targets, radius_arcsec)
        unused = pa.concat_tables([*(group.set_aside for group in read), lost])
        unused = unused.sort_by([("file", "ascending"), ("reason", "ascending")])
        counted, _ = list_set_aside([unused], set_aside_path(out))
        reasons = dict(sorted(counted.items()))
        if not len(rows):
            raise CatalogError(f"{out}: no light curve can be used: {reasons}; see {set_aside_path(out)}")
        parts = lay_out_curves(rows, limits)
        receipts = run_tasks(partial(write_part, readers, runs, folder), parts, executor, progress)
        shutil.rmtree(runs)
        finish_catalog(folder, STORED, receipts, name=out.name, properties=PROPERTIES)
    points = sum(rows.column("n_points").to_pylist())
    stars = len(rows.column("star_id").unique())
    return BuiltLightCurves(len(rows), stars, points, len(parts), reasons, str(out))


def _read(readers: Sequence[CurveReader], runs: Path, task: tuple[str, list[CurveFile]]) -> CurveGroup:
    return read_group(readers, runs, *task)
