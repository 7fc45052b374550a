"""The list of what could not be used, beside the catalogue that was made of the rest."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from lkmrs_dask.catalog.receipts import whole_file
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA

__all__ = ["list_set_aside", "set_aside_path"]


def set_aside_path(out: Path) -> Path:
    """Where the rows that were set aside are listed: beside the catalogue."""
    return out.with_name(f"{out.name}.set_aside.csv")


def list_set_aside(tables: Iterable[pa.Table], path: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Write rows set aside as CSV, in their order; where there are none, there is no file.

    Parameters
    ----------
    tables : iterable of pyarrow.Table
        Of ``SET_ASIDE_SCHEMA``.
    path : Path
        The list.

    Returns
    -------
    reasons, places : dict
        Rows by reason, and by reason and column.
    """
    tables = [table for table in tables if len(table)]
    if not tables:
        path.unlink(missing_ok=True)
        return {}, {}
    reasons, places = Counter[str](), Counter[str]()
    with whole_file(path) as temporary, Path(temporary).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, SET_ASIDE_SCHEMA.names, lineterminator="\n")
        writer.writeheader()
        for batch in (batch for table in tables for batch in table.to_batches()):
            rows = batch.to_pylist()
            writer.writerows(rows)
            reasons.update(row["reason"] for row in rows)
            places.update(
                f"{row['reason']}, column {row['column']}" if row["column"] else row["reason"] for row in rows
            )
    return dict(reasons), dict(places)
