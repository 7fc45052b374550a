"""Catalogues on disk as others might write them, by pyarrow alone, and what is read of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import open_catalog

INDEX = "_healpix_29"


def write_files(
    root: Path,
    catalog: Catalog,
    *,
    rows: int = 10,
    files: int = 1,
    indexed: bool = True,
    shuffle: bool = False,
    statistics: bool | list[str] = True,
) -> Catalog:
    """Write a catalogue, with so many rows a row group and files a partition, and open it.

    Shuffled rows are in no order in their partition; an index that is not written must be made.
    """
    rng = np.random.default_rng(0)
    for order, pixel in catalog.pixels:
        table = catalog.source.read(order, pixel)
        if shuffle:
            table = table.take(pa.array(rng.permutation(len(table))))
        if not indexed:
            table = table.drop_columns([INDEX])
        folder = root / "dataset" / f"Norder={order}" / f"Dir={pixel // 10_000 * 10_000}"
        parts = np.array_split(np.arange(len(table)), files)
        paths = [folder / f"Npix={pixel}.parquet"]
        if files > 1:
            paths = [folder / f"Npix={pixel}" / f"part{k}.parquet" for k in range(files)]
        for path, part in zip(paths, parts, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table.take(pa.array(part)), path, row_group_size=rows, write_statistics=statistics)
    write_properties(root, catalog.info.ra_column, catalog.info.dec_column, "/" if files > 1 else ".parquet")
    pairs = [f"{order},{pixel}" for order, pixel in catalog.pixels]
    (root / "partition_info.csv").write_text("\n".join(["Norder,Npix", *pairs]) + "\n", encoding="utf-8")
    return open_catalog(root)


def write_properties(root: Path, ra: str = "ra", dec: str = "dec", suffix: str = ".parquet") -> None:
    lines = ["obs_collection=files", f"hats_col_ra={ra}", f"hats_col_dec={dec}", f"hats_npix_suffix={suffix}"]
    (root / "hats.properties").write_text("\n".join(lines) + "\n", encoding="utf-8")


def partition_file(root: Path, order: int, pixel: int) -> Path:
    """Path of a partition's only file, whose folder is made."""
    folder = root / "dataset" / f"Norder={order}" / f"Dir={pixel // 10_000 * 10_000}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"Npix={pixel}.parquet"


class Reads:
    """Row groups and columns read of files, and footers, seen at pyarrow's door."""

    def __init__(self) -> None:
        self.groups: list[tuple[str, int]] = []
        self.columns: dict[str, int] = {}
        self.footers: list[str] = []

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        seen, read_metadata = self, pq.read_metadata

        class Spy(pq.ParquetFile):
            def __init__(self, source: object, *args: object, **kwargs: object) -> None:
                self.path = str(source)
                if kwargs.get("metadata") is None:
                    seen.footers.append(self.path)
                super().__init__(source, *args, **kwargs)

            def note(self, groups: list[int], columns: list[str]) -> None:
                seen.groups += [(self.path, group) for group in groups]
                for name in columns:
                    seen.columns[name] = seen.columns.get(name, 0) + len(groups)

            def read(self, columns: list[str], **kwargs: object) -> pa.Table:
                self.note(list(range(self.num_row_groups)), columns)
                return super().read(columns, **kwargs)

            def read_row_groups(self, groups: list[int], columns: list[str], **kwargs: object) -> pa.Table:
                self.note(list(groups), columns)
                return super().read_row_groups(groups, columns, **kwargs)

        def spy(path: object, *args: object, **kwargs: object) -> pq.FileMetaData:
            seen.footers.append(str(path))
            return read_metadata(path, *args, **kwargs)

        patch.setattr(pq, "ParquetFile", Spy)
        patch.setattr(pq, "read_metadata", spy)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """What is read from now on."""
    seen = Reads()
    seen.watch(monkeypatch)
    return seen
