"""Check a catalogue on disk against what it promises: rows, order, pixels, and one partition per star."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.hats import data_files, partition_path
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.running import Progress, run_tasks
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29, index_range

__all__ = ["verify_catalog"]


def _check_files(catalog: Catalog) -> list[str]:
    """Compare the files that are there with the pixels, and look at those that describe them all."""
    root = catalog.path
    if root is None:
        return []
    known = {partition_path(root, *part, catalog.info.suffix) for part in catalog.pixels}
    found = set(root.glob("dataset/Norder=*/Dir=*/Npix=*"))
    problems = [
        f"{path.relative_to(root)} is no partition of the catalogue" for path in sorted(found - known)
    ]
    if catalog.info.n_rows is None:
        problems.append("hats.properties does not state the number of rows")
    for name in ("_metadata", "_common_metadata"):
        try:
            footer = pq.read_metadata(root / "dataset" / name)
        except (pa.ArrowException, OSError) as fault:
            problems.append(f"dataset/{name} cannot be read: {fault}")
        else:
            if name == "_metadata" and footer.num_rows != catalog.info.n_rows:
                problems.append(f"dataset/_metadata states {footer.num_rows} rows")
    return problems


class _Checked(NamedTuple):
    rows: int
    stars: pa.Array | None
    problems: list[str]


@dataclass(frozen=True)
class _Check:
    """Checks one partition by itself."""

    catalog: Catalog

    def __call__(self, part: tuple[int, int]) -> _Checked:
        catalog, where = self.catalog, f"partition order {part[0]}, pixel {part[1]}"
        info = catalog.info
        has_stars = "star_id" in catalog.columns
        names = [HEALPIX_COLUMN, info.ra_column, info.dec_column, *(["star_id"] if has_stars else [])]
        try:
            _check_pages(catalog, part)
            table = catalog.source.read(*part, names)
        except CatalogError as fault:
            return _Checked(0, None, [str(fault)])
        except (pa.ArrowException, OSError) as fault:
            return _Checked(0, None, [f"{where}: cannot be read: {fault}"])
        problems = _check_schema(catalog, part, where) + _check_rows(table, catalog, part, where)
        stars = table.column("star_id").unique() if has_stars else None
        return _Checked(table.num_rows, stars, problems)


def _check_pages(catalog: Catalog, part: tuple[int, int]) -> None:
    """Decode every column against the pages' checksums, where the writer left some."""
    if catalog.path is None:
        return
    for path in data_files(catalog.path, *part, catalog.info.suffix):
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for number in range(file.num_row_groups):
                file.read_row_group(number, use_threads=False)


def _check_schema(catalog: Catalog, part: tuple[int, int], where: str) -> list[str]:
    if catalog.path is None:
        return []
    stored = pq.read_schema(data_files(catalog.path, *part, catalog.info.suffix)[0]).remove_metadata()
    wanted = [f for f in catalog.source.schema if f.name in stored.names]
    differing = [f.name for f in wanted if stored.field(f.name).type != f.type]
    missing = set(catalog.columns) - set(stored.names) - {HEALPIX_COLUMN}
    problems = [f"{where}: type of {name} differs from the catalogue's" for name in differing]
    return problems + [f"{where}: column {name} is missing" for name in sorted(missing)]


def _check_rows(table: pa.Table, catalog: Catalog, part: tuple[int, int], where: str) -> list[str]:
    problems = []
    index = table.column(HEALPIX_COLUMN).to_numpy()
    lo, hi = (int(bound) for bound in index_range(*part))
    outside = np.count_nonzero((index < lo) | (index >= hi))
    if outside and catalog.info.kind != "margin":
        problems.append(f"{where}: {outside} rows lie outside of the pixel")
    if np.any(index[1:] < index[:-1]):
        problems.append(f"{where}: rows are not sorted by {HEALPIX_COLUMN}")
    ra, dec = (table.column(name).to_numpy() for name in (catalog.info.ra_column, catalog.info.dec_column))
    wrong = np.count_nonzero(healpix29(ra, dec) != index)
    if wrong:
        problems.append(f"{where}: {wrong} rows have an index that is not that of their coordinates")
    return problems


def verify_catalog(
    path: str | Path, executor: Executor | None = None, progress: Progress | None = None
) -> list[str]:
    """Check a catalogue.

    Parameters
    ----------
    path : str or Path
        Folder of the catalogue.
    executor, progress
        See `run_tasks`.

    Returns
    -------
    list of str
        What is wrong, a line each; empty for a sound catalogue.  A partition that cannot be read is one
        line, and does not stop the check of the others.

    Raises
    ------
    CatalogError
        When the folder is no HATS catalogue.
    """
    catalog = open_catalog(path)
    problems = _check_files(catalog)
    missing = {catalog.info.ra_column, catalog.info.dec_column} - set(catalog.columns)
    if missing:
        return [*problems, f"hats.properties names columns that are not there: {', '.join(sorted(missing))}"]
    checked = run_tasks(_Check(catalog), catalog.pixels, executor, progress)
    problems += [problem for one in checked for problem in one.problems]
    rows = sum(one.rows for one in checked)
    if catalog.info.n_rows is not None and rows != catalog.info.n_rows:
        problems.append(f"{rows} rows are there, {catalog.info.n_rows} are stated in hats.properties")
    known = [one.stars for one in checked if one.stars is not None]
    if known:
        counts = pc.value_counts(pa.chunked_array(known))
        torn = counts.filter(pc.greater(counts.field("counts"), 1)).field("values").to_pylist()
        problems += [f"star {star} is in more than one partition" for star in torn[:20]]
        if len(torn) > 20:
            problems.append(f"{len(torn) - 20} more stars are in more than one partition")
    return problems
