"""A catalogue on disk with every type of column, and what is read of it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stored_reads import N, Reads

from lkmrs_dask.catalog import hats_write
from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import from_dataframe
from lkmrs_dask.catalog.star_index import write_star_index


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """Rows with every type of column, nulls in each, and ids that no float holds."""
    rng = np.random.default_rng(0)
    ra, dec = rng.uniform(0, 360, N), np.degrees(np.arcsin(rng.uniform(-1, 1, N)))
    ra[:200], dec[:200] = 290 + rng.normal(0, 0.1, 200), 44 + rng.normal(0, 0.1, 200)
    null = rng.random(N) < 0.2
    number = np.arange(N)
    return pa.table(
        {
            "star_id": pa.array([f"s{k:05d}" for k in number]),
            "uid": pa.array([f"G{k}" for k in number], mask=null),
            "ra": ra,
            "dec": dec,
            "gaia_source_id": pa.array(2**62 + 2 * number + 1, mask=null),
            "snr": pa.array(rng.normal(50, 10, N), mask=null),
            "spid": pa.array(number.astype(np.int16), mask=null),
            "coadd": pa.array(number % 2 == 0, mask=null),
            "obsdate": pa.array([None if m else date(2018, 5, 1 + k % 28) for k, m in enumerate(null)]),
            "flux": pa.array([None if m else [float(k), None, 0.5][: k % 4] for k, m in enumerate(null)],
                             pa.list_(pa.float32())),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def stored(rows: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The same on disk, in some 25 partitions with row groups of 20 rows."""
    root = tmp_path_factory.mktemp("reading") / "stored"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hats_write, "ROW_GROUP_ROWS", 20)
        catalog = from_dataframe(rows, max_rows=80).write(root)
        write_star_index(root, from_dataframe(rows).to_arrow())
    assert len(catalog.pixels) > 20
    return catalog


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    seen = Reads()

    class Spy(pq.ParquetFile):
        def __init__(self, source: object, *args: object, **kwargs: object) -> None:
            seen.files.append(str(source))
            super().__init__(source, *args, **kwargs)

        def read(self, columns: list[str] | None = None, **kwargs: object) -> pa.Table:
            seen.columns.append(None if columns is None else tuple(columns))
            seen.groups.append(list(range(self.num_row_groups)))
            return super().read(columns, **kwargs)

        def read_row_groups(
            self, groups: list[int], columns: list[str] | None = None, **kwargs: object
        ) -> pa.Table:
            seen.columns.append(None if columns is None else tuple(columns))
            seen.groups.append(list(groups))
            return super().read_row_groups(groups, columns, **kwargs)

    monkeypatch.setattr(pq, "ParquetFile", Spy)
    return seen
