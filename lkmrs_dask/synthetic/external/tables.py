"""Tables of external catalogues as text and FITS; bytes are a function of the content alone."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from lkmrs_dask.synthetic.fits_files import Card, primary_hdu, table_hdu, write_gzipped

__all__ = ["Column", "blank_where", "sexagesimal_name", "write_fits", "write_text"]

Column: TypeAlias = NDArray | pa.Array

_LEVEL = 1  # of compression: the higher ones cost more time than all the rest


def blank_where(values: NDArray[np.int64], blank: NDArray[np.bool_]) -> pa.Array:
    """Integers of which some are missing, exact to 64 bits."""
    return pa.array(values, mask=blank)


def write_text(
    path: Path,
    names: Sequence[str],
    columns: Mapping[str, Column],
    *,
    delimiter: str = ",",
    header: bool = True,
    quote: bool = False,
) -> None:
    """Write a text table, gzipped where its name ends in ``.gz``.

    Parameters
    ----------
    path : Path
        The file.
    names : sequence of str
        All columns in order.
    columns : mapping
        Values; columns that are not named stay empty, and so do null and NaN.
    delimiter : str
        Between fields.
    header : bool
        Whether the first line has the names.
    quote : bool
        Whether text stands in quotation marks.
    """
    unknown = set(columns) - set(names)
    if unknown:
        raise ValueError(f"{path.name} has no columns {sorted(unknown)}")
    n_rows = len(next(iter(columns.values())))
    empty = pa.nulls(n_rows, pa.string())
    arrays = [_arrow(columns[name]) if name in columns else empty for name in names]
    buffer = io.BytesIO()
    if header:
        buffer.write((delimiter.join(names) + "\n").encode())
    style = "needed" if quote else "none"
    options = csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style=style)
    csv.write_csv(pa.table(arrays, names=list(names)), buffer, options)
    data = buffer.getvalue()
    path.write_bytes(gzip.compress(data, _LEVEL, mtime=0) if path.suffix == ".gz" else data)


def _arrow(column: Column) -> pa.Array:
    return pa.array(column, from_pandas=True) if isinstance(column, np.ndarray) else column


def write_fits(
    path: Path,
    name: str,
    columns: Mapping[str, NDArray],
    units: Mapping[str, str],
    nulls: Mapping[str, int],
) -> None:
    """Write a gzipped FITS file with one table.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        EXTNAME.
    columns : mapping
        Numbers, or text of type S.
    units : mapping
        Units by column.
    nulls : mapping
        Integers that stand for "missing", by column.
    """
    places = {column: place for place, column in enumerate(columns, 1)}
    cards = [Card(f"TUNIT{places[column]}", unit) for column, unit in units.items()]
    cards += [Card(f"TNULL{places[column]}", null) for column, null in nulls.items()]
    write_gzipped(path, [primary_hdu(), table_hdu(name, columns, cards)])


def sexagesimal_name(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> pa.Array:
    """Names ``HHMMSSss+DDMMSSs`` of positions (deg), as of 2MASS: digits cut off."""
    # A little more than the position, lest 59.999999... stand for 60 exactly.
    hours = np.floor(ra / 15.0 * 360_000.0 + 1e-6).astype(np.int64)
    degrees = np.floor(np.abs(dec) * 36_000.0 + 1e-6).astype(np.int64)
    right = hours // 360_000 * 1_000_000 + hours // 6000 % 60 * 10_000 + hours % 6000
    up = degrees // 36_000 * 100_000 + degrees // 600 % 60 * 1000 + degrees % 600
    sign = pa.array(np.where(dec < 0, "-", "+"), pa.string())
    return pc.binary_join_element_wise(_padded(right, 8), sign, _padded(up, 7), "")


def _padded(values: NDArray[np.int64], width: int) -> pa.Array:
    return pc.utf8_lpad(pa.array(values).cast(pa.string()), width, "0")
