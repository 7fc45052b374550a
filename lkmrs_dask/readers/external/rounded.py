"""Integers that some program has made a float of: their last digits are lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.cells import as_mask
from lkmrs_dask.readers.convert import Use
from lkmrs_dask.readers.raw import RawBlock

__all__ = ["refuse_rounded"]

_ROUNDED = r"^\s*[+-]?[0-9.]+[eEdD]\+?(?:1[5-9]|[2-9][0-9]|[0-9]{3,})\s*$"  # of sixteen digits or more


def refuse_rounded(path: Path, block: RawBlock, uses: Sequence[Use]) -> None:
    """Raise InputError where a long integer is written with an exponent.

    Parameters
    ----------
    path : Path
        The file, for the message.
    block : RawBlock
        Rows of it.
    uses : sequence of Use
        What becomes of its columns.
    """
    for use in uses:
        raw = block.columns[use.raw]
        if use.column.dtype == "int64" and pa.types.is_binary(raw.type):
            rounded = np.flatnonzero(as_mask(pc.match_substring_regex(raw, _ROUNDED)))
            if len(rounded):
                raise InputError(
                    f"{raw[int(rounded[0])].as_py().decode()} is a rounded number: its last digits are lost",
                    file=path,
                    column=use.column.name,
                    row=int(block.numbers(rounded[:1])[0]),
                )
