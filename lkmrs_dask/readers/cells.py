"""Cells of one column on their way from a raw file to the schema, and which of them are at fault."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "INEXACT",
    "MISSING_COORDINATE",
    "MISSING_NUMBERS",
    "MISSING_VALUE",
    "NOT_A_DATE",
    "NOT_A_NUMBER",
    "NOT_BOOLEAN",
    "NOT_WHOLE",
    "OUT_OF_RANGE",
    "PLAN",
    "UNDECODABLE",
    "Cells",
    "as_mask",
    "numpy_view",
]

MISSING_NUMBERS = (-9999.0, -999.0)
"""The releases' numbers for "missing"."""

INEXACT = "integer stored as an inexact float"
MISSING_COORDINATE = "missing coordinate"
MISSING_VALUE = "missing value"
NOT_A_DATE = "not a date"
NOT_A_NUMBER = "not a number"
NOT_BOOLEAN = "not true or false"
NOT_WHOLE = "not a whole number"
OUT_OF_RANGE = "out of range"
PLAN = "plan not wanted"
UNDECODABLE = "undecodable text"


def as_mask(flags: pa.BooleanArray | np.ndarray) -> np.ndarray:
    """Make a numpy mask of flags; null is False."""
    if isinstance(flags, np.ndarray):
        return flags
    if flags.null_count:
        flags = pc.fill_null(flags, False)
    return flags.to_numpy(zero_copy_only=False)


def numpy_view(array: pa.Array) -> np.ndarray:
    """View the values of an integer or floating-point array; where it is null they are anything."""
    dtype = np.dtype(array.type.to_pandas_dtype())
    data = array.buffers()[1]
    if data is None or not len(array):
        return np.zeros(len(array), dtype)
    return np.frombuffer(data, dtype, len(array), array.offset * dtype.itemsize)


@dataclass
class Cells:
    """An array that takes its column's type step by step.

    Attributes
    ----------
    array : pyarrow.Array
        The cells as they are now; those at fault are null.
    faults : list of (str, ndarray)
        Reason, and the positions of the cells which it holds for.  A cell is in one of them at most.
    missing : tuple of float
        Numbers that mean "missing" in columns that are no numbers: the releases', if no others are told.
    """

    array: pa.Array
    faults: list[tuple[str, np.ndarray]] = field(default_factory=list)
    missing: tuple[float, ...] = MISSING_NUMBERS

    def clear(self, flags: pa.BooleanArray | np.ndarray) -> None:
        """Make the flagged cells null."""
        mask = as_mask(flags)
        if mask.any():
            self.array = pc.if_else(pa.array(mask), pa.scalar(None, self.array.type), self.array)

    def blame(self, flags: pa.BooleanArray | np.ndarray, reason: str) -> None:
        """Note a fault of the flagged cells, and make them null."""
        mask = as_mask(flags)
        if mask.any():
            self.faults.append((reason, np.flatnonzero(mask)))
            self.clear(mask)
