"""The HATS layout on disk: names, properties and pixel lists, and reading them.

See https://www.ivoa.net/documents/Notes/HATS/ .  Writing is in `hats_write`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from lkmrs_dask.catalog.places import is_remote, read_footer, what_else
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.tiling import Tiling

__all__ = [
    "HatsInfo",
    "data_files",
    "partition_path",
    "read_info",
    "read_properties",
    "read_schema",
    "read_tiling",
    "resolve_root",
]

_PIXEL_IN_PATH = re.compile(r"Norder=(\d+)/(?:Dir=\d+/)?Npix=(\d+)")


@dataclass(frozen=True)
class HatsInfo:
    """What a catalogue says of itself.

    Parameters
    ----------
    name : str
        ``obs_collection``.
    kind : str
        ``dataproduct_type``: object, source, margin, index, association, ...
    ra_column, dec_column : str
        Columns that the partitions follow.
    index_column : str
        Column with the HEALPix index of each row.
    index_order : int
        Order of that index (29 in catalogues of today).
    n_rows : int or None
        Rows in all, where the catalogue says so.
    suffix : str
        What stands behind ``Npix=n``: ".parquet", or "/" where a leaf is a folder of files.
    properties : mapping
        All properties as text.
    """

    name: str
    kind: str = "object"
    ra_column: str = "ra"
    dec_column: str = "dec"
    index_column: str = HEALPIX_COLUMN
    index_order: int = 29
    n_rows: int | None = None
    suffix: str = ".parquet"
    properties: Mapping[str, str] = field(default_factory=dict)


def partition_path(root: Path, order: int, pixel: int, suffix: str = ".parquet") -> Path:
    """Where the partition of a pixel lies under a catalogue's root."""
    folder = root / "dataset" / f"Norder={order}" / f"Dir={pixel // 10_000 * 10_000}"
    return folder / (f"Npix={pixel}" if suffix == "/" else f"Npix={pixel}{suffix}")


def data_files(root: Path, order: int, pixel: int, suffix: str = ".parquet") -> list[Path]:
    """List the Parquet files of a partition: one, or all of a folder."""
    path = partition_path(root, order, pixel, suffix)
    files = sorted(path.glob("*.parquet")) if suffix == "/" else [path]
    if not is_remote(path) and not (files and files[0].is_file()):
        raise CatalogError(
            f"{path}: the partition's file is missing, although the catalogue lists it; copy or download it "
            "again (in a survey of this package `lkmrs verify SURVEY --repair` makes it anew)"
        )
    return files


def read_properties(path: Path) -> dict[str, str]:
    """Read a Java-style properties file (``key=value`` lines, '#' comments)."""
    result = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text and text[0] not in "#!" and "=" in text:
            key, _, value = text.partition("=")
            result[key.strip()] = value.strip()
    return result


def _is_file(path: Path) -> bool:
    """Whether there is a file; where nobody answers some versions of universal-pathlib raise."""
    try:
        return path.is_file()
    except OSError as fault:
        raise CatalogError(f"{path}: cannot be read ({fault}){what_else(path)}") from fault


def resolve_root(path: Path) -> Path:
    """Return the catalogue's own folder: of a collection, that of its primary table."""
    if not is_remote(path) and not path.is_dir():
        raise CatalogError(f"{path}: no such folder; a catalogue is a folder with a file hats.properties")
    collection = path / "collection.properties"
    if _is_file(collection):
        primary = read_properties(collection).get("hats_primary_table_url")
        if not primary or not (is_remote(path) or (path / primary).is_dir()):
            raise CatalogError(f"{collection}: hats_primary_table_url names no folder beside it: {primary}")
        return path / primary
    return path


def read_info(root: Path) -> HatsInfo:
    """Read a catalogue's properties.

    Raises
    ------
    CatalogError
        When the folder has no properties, or they lack what every HATS catalogue states.
    """
    files = [root / name for name in ("hats.properties", "properties")]
    present = [file for file in files if _is_file(file)]
    if not present:
        nobody = ", or nobody answers there: is there a network?" if is_remote(root) else ""
        raise CatalogError(
            f"{root}: neither hats.properties nor properties is there: not a HATS catalogue{nobody}"
        )
    values = read_properties(present[0])
    kind = values.get("dataproduct_type", "object")
    wanted = {"obs_collection"} | ({"hats_col_ra", "hats_col_dec"} if kind in ("object", "source") else set())
    missing = sorted(wanted - values.keys())
    if missing:
        raise CatalogError(f"{present[0]}: lacks {', '.join(missing)}")
    rows = values.get("hats_nrows", "")
    order = values.get("hats_col_healpix_order", "29")
    if not order.isdigit():
        raise CatalogError(f"{present[0]}: hats_col_healpix_order is no number: {order}")
    return HatsInfo(
        name=values["obs_collection"],
        kind=kind,
        ra_column=values.get("hats_col_ra", "ra"),
        dec_column=values.get("hats_col_dec", "dec"),
        index_column=values.get("hats_col_healpix", HEALPIX_COLUMN),
        index_order=int(order),
        n_rows=int(rows) if rows.isdigit() else None,
        suffix=values.get("hats_npix_suffix", ".parquet"),
        properties=values,
    )


def read_tiling(root: Path) -> Tiling:
    """Pixels of a catalogue: from ``partition_info.csv``, else ``_metadata``, else the files themselves."""
    listing = root / "partition_info.csv"
    metadata = root / "dataset" / "_metadata"
    if listing.is_file():
        with listing.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        try:
            pairs = [(int(row["Norder"]), int(row["Npix"])) for row in rows]
        except (KeyError, ValueError) as fault:
            raise CatalogError(f"{listing}: needs integer columns Norder and Npix ({fault})") from fault
    elif metadata.is_file():
        footer = read_footer(metadata)
        paths = (footer.row_group(i).column(0).file_path for i in range(footer.num_row_groups))
        pairs = [pair for pair in map(_pixel_of, paths) if pair]
    else:
        found = (root / "dataset").glob("Norder=*/Dir=*/Npix=*")
        pairs = [pair for pair in (_pixel_of(path.as_posix()) for path in found) if pair]
    unique = sorted(set(pairs))
    return Tiling([order for order, _ in unique], [pixel for _, pixel in unique])  # type: ignore[arg-type]


def _pixel_of(path: str) -> tuple[int, int] | None:
    match = _PIXEL_IN_PATH.search(path)
    return (int(match[1]), int(match[2])) if match else None


def read_schema(root: Path, tiling: Tiling, suffix: str) -> pa.Schema:
    """Arrow schema of the partitions, without pandas' own metadata."""
    common = root / "dataset" / "_common_metadata"
    if common.is_file():
        schema = read_footer(common).schema.to_arrow_schema()
    elif len(tiling):
        order, pixel = next(iter(tiling))
        schema = read_footer(data_files(root, order, pixel, suffix)[0]).schema.to_arrow_schema()
    else:
        raise CatalogError(f"{root}: has no partitions and no _common_metadata, so its columns are unknown")
    return schema.remove_metadata()
