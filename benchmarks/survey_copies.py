"""Enlarge a synthetic survey's text tables: copies of its stars beside them, with uids of their own."""

from __future__ import annotations

import gzip
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

__all__ = ["write_copies"]

_STEP = 0.004  # deg in right ascension between a star and its copy
_SHIFTED = ("ra", "ra_obs")


def write_copies(raw: Path, target: Path, n: int) -> None:
    """Write `n` surveys into one raw folder: that in `raw`, which has text tables only, and copies of it."""
    tasks = [
        (path, target / path.relative_to(raw).with_name(f"copy{copy}_{path.name}"), copy)
        for path in sorted(raw.glob("mrs_*/*.csv.gz"))
        for copy in range(n)
    ]
    for _, path, _ in tasks:
        path.parent.mkdir(parents=True, exist_ok=True)
    # Not forked: a fork of a process whose libraries have threads may wait for ever for a lock of theirs.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(_write_copy, tasks))


def _write_copy(task: tuple[Path, Path, int]) -> None:
    source, path, copy = task
    with gzip.open(source, "rt", encoding="utf-8") as stream:
        header = stream.readline().rstrip("\n")
    delimiter = "|" if "|" in header else ","
    names = header.split(delimiter)
    parse = pa.csv.ParseOptions(delimiter=delimiter, quote_char=False)
    as_text = pa.csv.ConvertOptions(
        column_types={name: pa.string() for name in names}, strings_can_be_null=False
    )
    options = pa.csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="none")
    with (
        pa.input_stream(str(source), compression="gzip") as stream,
        gzip.open(path, "wb", compresslevel=1) as out,
    ):
        out.write(f"{header}\n".encode())
        blocks = pa.csv.open_csv(
            stream, pa.csv.ReadOptions(block_size=16 << 20), parse_options=parse, convert_options=as_text
        )
        for batch in blocks:
            table = pa.Table.from_batches([batch])
            for name in names:
                table = table.set_column(names.index(name), name, _of_copy(table.column(name), name, copy))
            buffer = pa.BufferOutputStream()
            pa.csv.write_csv(table, buffer, options)
            out.write(buffer.getvalue())


def _of_copy(column: pa.ChunkedArray, name: str, copy: int) -> pa.ChunkedArray:
    if name == "uid":  # a digit between the letter and the number
        letter, digits = pc.utf8_slice_codeunits(column, 0, 1), pc.utf8_slice_codeunits(column, 1)
        return pc.binary_join_element_wise(letter, str(copy), digits, "")
    if name in _SHIFTED:
        moved = column.cast(pa.float64()).to_numpy() + copy * _STEP
        return pa.chunked_array([pa.array(np.round(moved % 360.0, 6)).cast(pa.string())])
    return column
