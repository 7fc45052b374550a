"""Columns of Arrow tables as NumPy arrays, and the way back."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["UNKNOWN", "arrow_column", "floats", "whole_numbers"]

UNKNOWN = -1
"""In place of a null among whole numbers."""


def floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column as floats, NaN where it is null or missing."""
    if name not in table.column_names:
        return np.full(len(table), np.nan)
    values = table.column(name).combine_chunks().cast(pa.float64())
    return values.to_numpy(zero_copy_only=False)  # which makes nulls NaN


def whole_numbers(table: pa.Table, name: str) -> NDArray[np.int64]:
    """Return a column as whole numbers, `UNKNOWN` where it is null or missing."""
    if name not in table.column_names:
        return np.full(len(table), UNKNOWN, np.int64)
    values = pc.fill_null(table.column(name).cast(pa.int64()), UNKNOWN).combine_chunks()
    return values.to_numpy(zero_copy_only=False)


def arrow_column(
    values: NDArray | pa.Array | pa.ChunkedArray, kind: pa.DataType
) -> pa.Array | pa.ChunkedArray:
    """Return values as a column of a type, null where a float of a NumPy array is NaN."""
    if isinstance(values, np.ndarray):
        return pa.array(values, from_pandas=True).cast(kind)
    return values.cast(kind)
