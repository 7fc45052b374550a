"""Open a raw table of any format: delimited text, FITS or Parquet, gzipped or not.

What a file is, its content tells; the name only says what it should have been.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.binary_tables import FitsTable, ParquetTable
from lkmrs_dask.readers.raw import RawTable, Score
from lkmrs_dask.readers.streams import check_file, is_gzip, peek
from lkmrs_dask.readers.text_tables import TextTable

__all__ = ["open_table"]

_FITS_HEAD = b"SIMPLE  ="
_PARQUET_HEAD = b"PAR1"
_SUFFIXES = {".fits": "FITS", ".fit": "FITS", ".parquet": "Parquet", ".parq": "Parquet", ".pq": "Parquet"}


def open_table(
    path: Path,
    score: Score,
    *,
    delimiter: str | None = None,
    block_bytes: int = 16 << 20,
    open_text: Callable[[Path, Score, str | None, int], RawTable] = TextTable,
) -> RawTable:
    """Open a raw table.

    Parameters
    ----------
    path : Path
        The file.
    score : callable
        Judges a list of names; chooses the delimiter of a text table and the HDU of a FITS file.
    delimiter : str, optional
        Of a text table; found from the header by default.
    block_bytes : int
        About how many bytes are read at once.
    open_text : callable
        Opens what is neither FITS nor Parquet.

    Returns
    -------
    RawTable
        To be closed by the caller.

    Raises
    ------
    InputError
        Where the file is missing, a directory, empty, not permitted, or not what its name says.
    """
    check_file(path)
    head = peek(path)
    expected = _SUFFIXES.get(Path(path.name.lower().removesuffix(".gz")).suffix)
    if head.startswith(_FITS_HEAD):
        return FitsTable(path, score, block_bytes)
    if head.startswith(_PARQUET_HEAD) and not is_gzip(path):
        return ParquetTable(path, block_bytes)
    if expected is not None:
        raise InputError(f"this is not a {expected} file, although its name says so", file=path)
    return open_text(path, score, delimiter, block_bytes)
