"""Tables whose columns stand under a line of dashes: a name above each run of dashes, values below it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.base import set_aside_table
from lkmrs_dask.readers.cells import as_mask
from lkmrs_dask.readers.external.mrt import Cut, MrtTable
from lkmrs_dask.readers.raw import LONGEST_TEXT, RawBlock
from lkmrs_dask.readers.streams import peek

__all__ = ["RuledTable", "is_ruled"]

_HEAD = 1 << 16
_END = 1 << 30  # of any line
_CUT = "a value reaches beyond its column"
_RULER = re.compile(r"^ *-+(?: +-+)+ *$")


def is_ruled(path: Path) -> bool:
    """Whether the first line that is no comment has names, and the second shows their widths in dashes."""
    lines = [line.rstrip("\r") for line in peek(path, _HEAD).decode("utf-8-sig", "replace").split("\n")]
    return _ruler(lines) is not None


def _ruler(lines: Sequence[str]) -> int | None:
    """Line of the dashes: that behind the first one which is neither blank nor a comment."""
    rows = [at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")][:2]
    return rows[1] if len(rows) == 2 and _RULER.match(lines[rows[1]]) else None


class RuledTable(MrtTable):
    """A table with a ruler of dashes, as JINAbase and some authors write it.

    Parameters
    ----------
    path : Path
        The file, gzipped or not.
    missing : sequence of str
        What stands in a cell without a value, such as ``*``.
    block_bytes : int
        About how many bytes are cut at once.

    Raises
    ------
    InputError
        Where a name reaches beyond its dashes.  A row in which a value does is set aside: it would be cut.
    """

    where = "the names above the line of dashes"

    def __init__(self, path: Path, missing: Sequence[str], block_bytes: int) -> None:
        self._missing = pa.array([text.encode() for text in missing], pa.binary())
        super().__init__(path, path, block_bytes)

    def _own_description(self) -> list[Cut]:
        lines = next(self._lines, [])
        texts = [line.decode("utf-8-sig", "replace").rstrip("\r") for line in lines[:1000]]
        ruler = _ruler(texts)
        if ruler is None:
            raise InputError("the line of dashes is not where it was", file=self._path)
        self._line = ruler + 1
        self._rest = lines[self._line :]
        name_line = next(at for at, text in enumerate(texts) if text.strip() and not text.startswith("#"))
        spans = [match.span() for match in re.finditer("-+", texts[ruler])]
        names = texts[name_line].ljust(spans[-1][1])
        self._gaps = [*((a, b) for (_, a), (b, _) in pairwise(spans)), (spans[-1][1], _END)]
        if any(names[a:b].strip() for a, b in self._gaps):
            raise InputError("a name reaches beyond its dashes", file=self._path, row=name_line + 1)
        return [Cut(names[a:b].strip(), a, b, "", "") for a, b in spans]

    def _block(self, lines: list[bytes], first: int, wanted: list[Cut]) -> RawBlock:
        rows = pa.array([line.rstrip(b"\r") for line in lines], pa.binary()).cast(pa.string(), safe=False)
        cut = np.zeros(len(lines), bool)
        for start, stop in self._gaps:
            between = pc.binary_slice(rows.cast(pa.binary()), start, stop).cast(pa.string(), safe=False)
            cut |= as_mask(pc.invert(pc.match_substring_regex(between, r"^\s*$")))
        bad = np.flatnonzero(cut)
        whole = list(lines)
        for at in bad.tolist():
            whole[at] = b""  # blank lines are no rows
        block = super()._block(whole, first, wanted)
        texts = [lines[at].decode("utf-8", "backslashreplace")[:LONGEST_TEXT] for at in bad.tolist()]
        refused = set_aside_table(self._path, _CUT, rows=(first + bad).tolist(), texts=list(texts))
        columns = {name: self._known(cells) for name, cells in block.columns.items()}
        return replace(block, columns=columns, refused=refused)

    def _known(self, cells: pa.Array) -> pa.Array:
        """Make those cells null that say so."""
        text = pc.ascii_trim_whitespace(cells.cast(pa.string(), safe=False)).cast(pa.binary())
        return pc.if_else(pc.is_in(text, self._missing), pa.scalar(None, pa.binary()), cells)
