"""FITS binary tables and Parquet files, read in slices of rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits

from lkmrs_dask.errors import DamagedError, InputError
from lkmrs_dask.readers.raw import LONGEST_TEXT, RawBlock, Score
from lkmrs_dask.readers.streams import DamagedStreamError, expand, is_gzip

__all__ = ["NO_HDU", "FitsTable", "ParquetTable"]

NO_HDU = "FITS without an expected HDU"


class FitsTable:
    """The first binary table of a FITS file that has rows and the required columns.

    A gzipped file is first expanded into the folder for temporary files, so that memory stays bounded.

    Parameters
    ----------
    path : Path
        The file.
    score : callable
        Judges the names of a table.
    block_bytes : int
        About how many bytes of rows are read at once.

    Raises
    ------
    InputError
        Where it is no FITS file, or has no binary table with rows.
    """

    def __init__(self, path: Path, score: Score, block_bytes: int) -> None:
        self._path = path
        self._fault: str | None = None
        self._copy = tempfile.NamedTemporaryFile(suffix=".fits") if is_gzip(path) else None  # noqa: SIM115
        plain = path
        if self._copy is not None:
            fault = expand(path, self._copy)
            self._copy.flush()
            if isinstance(fault, DamagedStreamError):
                self.close()
                raise DamagedError(f"{fault}; any row may be wrong, so fetch the file again", file=path)
            self._fault = str(fault) if fault else None
            plain = Path(self._copy.name)
        try:
            self._open(plain, score, block_bytes)
        except BaseException:
            self.close()
            raise

    def _open(self, plain: Path, score: Score, block_bytes: int) -> None:
        index, self._columns, start, n_rows = self._choose(plain, score)
        self.names: list[str] = list(self._columns.names)
        self.where = f"HDU {index}"
        dtype = self._columns.dtype.newbyteorder(">")
        there = max(0, plain.stat().st_size - start) // dtype.itemsize
        if there < n_rows:
            self._fault = self._fault or "the FITS file is truncated"
        self._rows = np.empty(0, dtype)
        if there:
            self._rows = np.memmap(plain, dtype, "r", offset=start, shape=(min(n_rows, there),))
        self._step = max(1, block_bytes // dtype.itemsize)

    def _choose(self, plain: Path, score: Score) -> tuple[int, fits.ColDefs, int, int]:
        """Place in the file, columns, first byte and rows of the table to read."""
        tables: list[tuple[int, fits.ColDefs, int, int]] = []
        try:
            # Opened here: astropy leaves a file open that turns out to be no FITS.
            with plain.open("rb") as source, fits.open(source) as hdus:
                for index, hdu in enumerate(hdus):
                    if isinstance(hdu, fits.BinTableHDU) and not isinstance(hdu, fits.CompImageHDU):
                        tables.append((index, hdu.columns, hdu.fileinfo()["datLoc"], hdu.header["NAXIS2"]))
        except (OSError, ValueError, KeyError, TypeError) as fault:
            message = self._fault or f"this FITS file cannot be read: {fault}"
            raise InputError(message, file=self._path) from fault
        if not tables:
            raise InputError(f"{NO_HDU}: it has no binary table", file=self._path)
        with_rows = [table for table in tables if table[3]]
        for table in with_rows:
            if score(table[1].names) >= 0:
                return table
        return max(with_rows or tables, key=lambda table: score(table[1].names))

    @property
    def fields(self) -> list[pa.Field]:
        """Its columns of one number or text a row, with their units."""
        return [
            pa.field(
                name, _fits_array(self._rows[name][:0], self._columns[name]).type, metadata=_unit(column)
            )
            for name, column in zip(self.names, self._columns, strict=True)
            if self._is_single(name)
        ]

    def _is_single(self, name: str) -> bool:
        return not self._rows.dtype[name].shape and self._rows.dtype[name].kind in "Suif"

    def blocks(self, types: Mapping[str, pa.DataType]) -> Iterator[RawBlock]:
        """Read the columns in `types`, whatever their type in the file.

        Raises
        ------
        InputError
            Where a column holds vectors; after the last good row of a truncated file.
        """
        for name in types:
            if not self._is_single(name):
                raise InputError(
                    f"the column {name!r} holds {self._columns[name].format}, not one number or text a row",
                    file=self._path,
                    column=name,
                )
        for start in range(0, len(self._rows), self._step):
            part = self._rows[start : start + self._step]
            columns = {name: _fits_array(part[name], self._columns[name]) for name in types}
            yield _block(columns, len(part), start)
        if self._fault:
            n = len(self._rows)
            raise InputError(f"{self._fault}; row {n} is the last good one", file=self._path, row=n)

    def close(self) -> None:
        """Let go of the file and remove the expanded copy."""
        self._rows = np.empty(0)
        if self._copy is not None:
            self._copy.close()


def _unit(column: fits.Column) -> dict[str, str] | None:
    return {"unit": column.unit} if column.unit else None


def _fits_array(raw: np.ndarray, column: fits.Column) -> pa.Array:
    """Make an Arrow array of stored values: native byte order, with TNULL, TSCAL and TZERO seen to."""
    values = np.ascontiguousarray(raw, raw.dtype.newbyteorder("="))
    if values.dtype.kind == "S":
        return pa.array(values, pa.binary())
    if column.format.endswith("L"):
        true, false = values == ord("T"), values == ord("F")
        return pa.array(true, mask=~(true | false))
    missing = values == column.null if column.null not in (None, "") else None
    scale, zero = column.bscale or 1, column.bzero or 0
    if scale != 1:
        values = values * float(scale) + float(zero)
    elif zero:
        values = _shift(values, zero)
    return pa.array(values, mask=missing)


def _shift(values: np.ndarray, zero: float) -> np.ndarray:
    """Add TZERO; by this FITS stores unsigned integers, which stay exact."""
    if values.dtype.kind == "f" or zero != int(zero):
        return values + float(zero)
    if values.dtype.itemsize == 8 and int(zero) == 2**63:
        return values.view(np.uint64) ^ np.uint64(2**63)
    return values.astype(np.int64) + int(zero)


class ParquetTable:
    """A Parquet file.

    Parameters
    ----------
    path : Path
        The file.
    block_bytes : int
        About how many bytes of the wanted columns are read at once.

    Raises
    ------
    InputError
        Where it is no Parquet file, or its end is missing.
    """

    where = "the Parquet schema"

    def __init__(self, path: Path, block_bytes: int) -> None:
        self._path = path
        self._block_bytes = block_bytes
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowInvalid, OSError) as fault:
            raise InputError(f"this Parquet file cannot be read: {fault}", file=path) from fault
        self.names: list[str] = list(self._file.schema_arrow.names)
        self.fields: list[pa.Field] = [f for f in self._file.schema_arrow if not pa.types.is_nested(f.type)]

    def blocks(self, types: Mapping[str, pa.DataType]) -> Iterator[RawBlock]:
        """Read the columns in `types`, whatever their type in the file.

        Raises
        ------
        InputError
            After the last good row, where the file is damaged.
        """
        row = 0
        # Eight bytes a cell is near enough; a row of text may have some times as many.
        step = max(1, self._block_bytes // (8 * max(1, len(types))))
        batches = self._file.iter_batches(step, columns=list(types), use_threads=False)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowInvalid, OSError) as fault:
                message = f"the Parquet file cannot be read on: {fault}"
                raise InputError(message, file=self._path, row=row) from fault
            if batch is None:
                return
            columns = {name: _unclean(batch.column(name)) for name in types}
            yield _block(columns, batch.num_rows, row)
            row += batch.num_rows

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _unclean(array: pa.Array) -> pa.Array:
    """Text as binary: here no parser has looked for texts that mean "missing"."""
    return array.view(pa.binary()) if pa.types.is_string(array.type) else array


def _block(columns: dict[str, pa.Array], n_rows: int, start: int) -> RawBlock:
    return RawBlock(
        columns=columns,
        n_rows=n_rows,
        numbers=lambda rows: start + 1 + rows,
        texts=_row_texts(columns),
    )


def _row_texts(columns: Mapping[str, pa.Array]) -> Callable[[np.ndarray], list[str]]:
    """Rows of a binary table as text: name=value, of the columns that were read."""

    def texts(rows: np.ndarray) -> list[str]:
        picked = {name: array.take(pa.array(rows)).to_pylist() for name, array in columns.items()}
        return [
            ", ".join(f"{name}={_shown(values[i])}" for name, values in picked.items())[:LONGEST_TEXT]
            for i in range(len(rows))
        ]

    return texts


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace").strip()
    return "" if value is None else str(value)
