"""What is read of a catalogue, and its rows as they are compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import separation_arcsec

N = 1000


class Reads:
    """Files opened and columns and row groups read, seen at pyarrow's door."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.columns: list[tuple[str, ...] | None] = []
        self.groups: list[list[int]] = []

    @property
    def pixels(self) -> set[tuple[int, int]]:
        return {
            (int(f.split("Norder=")[1].split("/")[0]), int(f.split("Npix=")[1].split(".")[0]))
            for f in self.files
        }


def as_table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame).replace_schema_metadata(None)


def plain(rows: pa.Table, keep: np.ndarray) -> list[dict]:
    return rows.filter(pa.array(keep)).sort_by("star_id").to_pylist()


def found(catalog: Catalog) -> list[dict]:
    table = catalog.to_arrow()
    assert np.all(np.diff(table.column(HEALPIX_COLUMN).to_numpy()) >= 0)
    return table.drop_columns([HEALPIX_COLUMN]).sort_by("star_id").to_pylist()


def distance(rows: pa.Table, ra: float, dec: float) -> np.ndarray:
    return separation_arcsec(ra, dec, rows.column("ra").to_numpy(), rows.column("dec").to_numpy())
