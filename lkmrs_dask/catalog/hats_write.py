"""Writing HATS: partition files, each whole or not at all, then the files that describe them all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lkmrs_dask import __version__
from lkmrs_dask.catalog.hats import partition_path
from lkmrs_dask.catalog.receipts import whole_file
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky import healpix
from lkmrs_dask.sky.index import INDEX_ORDER, index_range
from lkmrs_dask.sky.tiling import Tiling

__all__ = ["PartitionReceipt", "finish_catalog", "new_folder", "replace_folder", "write_partition"]

ROW_GROUP_ROWS = 100_000
SKYMAP_ORDER = 6
COUNT_ORDER = 8  # a map is 6 MB; one of order 10 would be 100 MB
_ROW_GROUP_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class PartitionReceipt:
    """What one written partition holds.

    Parameters
    ----------
    order, pixel : int
        The partition.
    rows : int
        Its rows; a partition without rows has no file.
    counts : tuple of ndarray
        Pixels of order `COUNT_ORDER` and the rows in each.
    """

    order: int
    pixel: int
    rows: int
    counts: tuple[NDArray[np.int64], NDArray[np.int64]]


def write_partition(table: pa.Table, root: Path, order: int, pixel: int) -> PartitionReceipt:
    """Write the rows of one pixel: to a temporary file, synced, then renamed.

    Parameters
    ----------
    table : pyarrow.Table
        Rows sorted by ``_healpix_29``, all inside the pixel.
    root : Path
        The catalogue's folder.
    order, pixel : int
        The HEALPix pixel.

    Raises
    ------
    CatalogError
        When rows are not sorted, or one lies outside the pixel.
    """
    if table.column(HEALPIX_COLUMN).null_count:
        raise CatalogError(f"{root}: rows of partition order {order}, pixel {pixel} have no {HEALPIX_COLUMN}")
    index = table.column(HEALPIX_COLUMN).to_numpy()
    lo, hi = (int(bound) for bound in index_range(order, pixel))
    if len(index) and (np.any(index[1:] < index[:-1]) or index[0] < lo or index[-1] >= hi):
        raise CatalogError(
            f"{root}: rows of partition order {order}, pixel {pixel} are unsorted or outside of the pixel"
        )
    counts = np.unique(index >> (2 * (INDEX_ORDER - COUNT_ORDER)), return_counts=True)
    path = partition_path(root, order, pixel)
    if len(index):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_parquet(table, path)
    else:
        path.unlink(missing_ok=True)
    return PartitionReceipt(order, pixel, len(index), counts)


def _write_parquet(table: pa.Table, path: Path) -> None:
    # Row groups are what readers skip by; rows with spectra are tens of kB, so bytes bound them too.
    row_bytes = max(1, table.nbytes // len(table))
    with whole_file(path) as temporary:
        pq.write_table(
            table,
            temporary,
            row_group_size=max(1, min(ROW_GROUP_ROWS, _ROW_GROUP_BYTES // row_bytes)),
            # A third larger than Zstandard's, and read nearly twice as fast.
            compression="lz4",
            use_dictionary=_text_columns(table.schema),
            sorting_columns=pq.SortingColumn.from_ordering(table.schema, [(HEALPIX_COLUMN, "ascending")]),
            write_page_index=True,
            write_page_checksum=True,
        )


def _text_columns(schema: pa.Schema) -> list[str]:
    # Dictionaries pay for repeated text; for numbers they cost time and save little beside zstd.
    return [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]


def finish_catalog(
    root: Path,
    schema: pa.Schema,
    receipts: Iterable[PartitionReceipt],
    *,
    name: str,
    kind: str = "object",
    ra_column: str = "ra",
    dec_column: str = "dec",
    properties: Mapping[str, object] | None = None,
) -> int:
    """Write everything beside the partitions: footers, pixel list, maps, thumbnail and properties.

    Parameters
    ----------
    root : Path
        The catalogue's folder, with all partition files written.
    schema : pyarrow.Schema
        Columns of the partitions.
    receipts : iterable of PartitionReceipt
        One a partition; those without rows are left out.
    name, kind, ra_column, dec_column : str
        See `HatsInfo`.
    properties : mapping, optional
        More properties.

    Returns
    -------
    int
        Rows in all.
    """
    full = [receipt for receipt in receipts if receipt.rows]
    tiling = Tiling([r.order for r in full], [r.pixel for r in full])  # type: ignore[arg-type]
    by_pixel = {(r.order, r.pixel): r for r in full}
    ordered = [by_pixel[pair] for pair in tiling]
    dataset = root / "dataset"
    dataset.mkdir(parents=True, exist_ok=True)

    size = _write_footers(dataset, schema, tiling, root)
    with (root / "partition_info.csv").open("w", encoding="utf-8") as stream:
        stream.write("Norder,Npix\n")
        stream.writelines(f"{order},{pixel}\n" for order, pixel in tiling)
    map_order = _write_maps(root, ordered)

    rows = sum(receipt.rows for receipt in ordered)
    areas = sum(4.0**-order for order, _ in tiling) / 12
    values: dict[str, object] = {
        "obs_collection": name,
        "dataproduct_type": kind,
        "hats_nrows": rows,
        "hats_col_ra": ra_column,
        "hats_col_dec": dec_column,
        "hats_col_healpix": HEALPIX_COLUMN,
        "hats_col_healpix_order": INDEX_ORDER,
        "hats_npix_suffix": ".parquet",
        "hats_order": int(tiling.order.max()) if len(tiling) else 0,
        "hats_max_rows": max((receipt.rows for receipt in ordered), default=0),
        "hats_skymap_order": map_order,
        "moc_sky_fraction": f"{areas:.5f}",
        "hats_builder": f"lkmrs_dask v{__version__}",
        "hats_creation_date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MUTC"),
        "hats_estsize": -(-size // 1024),
        "hats_release_date": "2025-08-22",
        "hats_version": "v1.0",
        **(properties or {}),
    }
    text = "#HATS catalog\n" + "".join(f"{key}={value}\n" for key, value in values.items())
    # Last: a folder without properties is no catalogue.
    for file in ("properties", "hats.properties"):
        (root / file).write_text(text, encoding="utf-8")
    return rows


def _write_footers(dataset: Path, schema: pa.Schema, tiling: Tiling, root: Path) -> int:
    """Write ``_metadata``, ``_common_metadata``, the thumbnail and the statistics; return bytes on disk."""
    pq.write_metadata(schema, dataset / "_common_metadata")
    footers, first_rows, statistics, size = [], [], [], 0
    for order, pixel in tiling:
        path = partition_path(root, order, pixel)
        with pq.ParquetFile(path) as file:
            footer = file.metadata
            first_rows.append(next(file.iter_batches(batch_size=1)))
        footer.set_file_path(path.relative_to(dataset).as_posix())
        footers.append(footer)
        statistics.extend(_statistics(footer, order, pixel))
        size += path.stat().st_size
    pq.write_metadata(schema, dataset / "_metadata", metadata_collector=footers)
    pq.write_table(pa.Table.from_batches(first_rows, schema=schema), root / "data_thumbnail.parquet")
    if statistics:
        pq.write_table(pa.Table.from_pylist(statistics), root / "per_partition_statistics.parquet")
    return size


def _statistics(footer: pq.FileMetaData, order: int, pixel: int) -> list[dict[str, object]]:
    """Smallest and largest value, nulls and sizes of each column of each row group."""
    lines = []
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        line: dict[str, object] = {"Norder": order, "Npix": pixel, "row_group_index": number}
        for at in range(group.num_columns):
            column = group.column(at)
            name = column.path_in_schema
            known = column.statistics if column.is_stats_set else None
            bounds = known if known is not None and known.has_min_max else None
            line[f"{name}::min_value"] = bounds.min if bounds is not None else None
            line[f"{name}::max_value"] = bounds.max if bounds is not None else None
            line[f"{name}::null_count"] = known.null_count if known is not None else None
            line[f"{name}::row_count"] = column.num_values
            line[f"{name}::disk_bytes"] = column.total_compressed_size
            line[f"{name}::memory_bytes"] = column.total_uncompressed_size
        lines.append(line)
    return lines


def _write_maps(root: Path, receipts: list[PartitionReceipt]) -> int:
    """Write the row counts a pixel, as point map (LSDB's coverage is made from it) and sky map."""
    finest = max([SKYMAP_ORDER, *(receipt.order for receipt in receipts)])
    order = min(finest, COUNT_ORDER)
    counts = np.zeros(12 << (2 * order), dtype=np.int64)
    for receipt in receipts:
        pixels, rows = receipt.counts
        np.add.at(counts, pixels >> (2 * (COUNT_ORDER - order)), rows)
    for name in ("point_map.fits", "skymap.fits"):
        healpix.write_map(str(root / name), counts, nest=True, dtype=np.int64, coord="C", overwrite=True)
    return order


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a folder to write a catalogue in; it takes the target's place when the ``with`` block ends well.

    The folder is a new one each time, so nothing that a killed run or a lost task has left, or writes yet,
    gets into the result.  If the block fails it is removed, and the target stays as it was.

    Parameters
    ----------
    target : Path
        Folder of the catalogue.

    Raises
    ------
    UsageError
        When the target is there and is neither a HATS catalogue nor an empty folder.
    """
    _keep_foreign(target)
    old = _old(target)
    if old.exists() and not target.exists():
        os.replace(old, target)  # the last run was killed between the two renames of `replace_folder`
    prefix = f".{target.name}.partial-"
    if target.parent.is_dir():
        for left in [path for path in target.parent.iterdir() if path.name.startswith(prefix)]:
            shutil.rmtree(left, ignore_errors=True)
    partial = target.with_name(prefix + uuid4().hex[:8])
    partial.mkdir(parents=True)
    try:
        yield partial
        replace_folder(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _keep_foreign(target: Path) -> None:
    if not target.exists():
        return
    catalog = any((target / name).is_file() for name in ("hats.properties", "properties"))
    if not target.is_dir() or not (catalog or not any(target.iterdir())):
        raise UsageError(
            f"{target} is there and is no HATS catalogue, so it is not replaced; choose another folder"
        )


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def replace_folder(new: Path, target: Path) -> None:
    """Put a finished folder in its place; an older one stays until the moment it is replaced."""
    old = _old(target)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(new, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
