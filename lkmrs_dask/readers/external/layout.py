"""How a text table is laid out: what stands before the header, the header, and what stands before the rows.

VizieR writes comments, then names, units and a line of dashes; the Gaia archive writes an ECSV preamble; MAST
writes EPIC and TIC without a header; some authors put ``#`` before the names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.external.kinds import Kind
from lkmrs_dask.readers.raw import Score
from lkmrs_dask.readers.streams import peek
from lkmrs_dask.readers.text_tables import DELIMITERS, split_header

__all__ = ["TextLayout", "find_layout"]

_HEAD = 1 << 16  # bytes looked at first; an ECSV preamble of Gaia is longer
_LONGEST_HEAD = 1 << 24
_COMMENTS = 5  # lines before the first row that may be its header; preambles are longer
_ENOUGH = 5  # lines that are no comments: header, units, dashes and a row
_DASHES = re.compile(r"^[-=\s|,;]*-{2,}[-=\s|,;]*$")
_ECSV_COLUMN = re.compile(r"\{name: '?(?P<name>[^,'}]+)'?,(?: [^']*?,)? unit: '?(?P<unit>[^,'}]+)")
_NUMBER = re.compile(r"^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$")


@dataclass(frozen=True)
class TextLayout:
    """Where the rows of a text table begin, and what their columns are called.

    Parameters
    ----------
    names : tuple of str
        Of all columns, in order.
    delimiter : str
        Between them.
    skip : int
        Lines before the first row.
    units : dict
        Unit by name, where a line of the file tells.
    found : str
        How the names were found, for messages.
    """

    names: tuple[str, ...]
    delimiter: str
    skip: int
    units: dict[str, str] = field(default_factory=dict)
    found: str = "the header"


def find_layout(path: Path, kind: Kind, score: Score, delimiter: str | None) -> TextLayout:
    """Find out how a text table is laid out, by a look at its first lines.

    Parameters
    ----------
    path : Path
        The file, gzipped or not.
    kind : Kind
        What it should be.
    score : callable
        How many wanted names a header has, below zero where one that is needed is missing.
    delimiter : str, optional
        Taken without looking where given; else the kind's, else that with the best header.

    Raises
    ------
    InputError
        Where the file has only comments or blank lines, or neither a header nor the kind's number of columns.
    """
    lines = _first_lines(path)
    first = next((at for at, line in enumerate(lines) if _is_row(line)), None)
    if first is None:
        raise InputError("the file has no header: all its lines are blank or comments", file=path)
    choices = (delimiter,) if delimiter else (kind.delimiter, *(d for d in DELIMITERS if d != kind.delimiter))
    found = _named_header(lines, first, [choice for choice in choices if choice], score)
    if found is None and kind.header is not None:
        return _headless(path, lines, first, kind, delimiter)
    at, mark = found or _likely_header(lines, first, delimiter)
    names = tuple(split_header(lines[at], mark))
    rows, units = _after(lines, at + 1, names, mark)
    return TextLayout(names, mark, rows, _ecsv_units(lines[:at]) | units, f"the header split at {mark!r}")


def _is_row(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _first_lines(path: Path) -> list[str]:
    """Lines until there are enough that are no comments, or the file ends."""
    size = _HEAD
    while True:
        head = peek(path, size)
        lines = head.decode("utf-8-sig", "replace").split("\n")
        whole = len(head) < size
        lines = [line.rstrip("\r") for line in (lines if whole else lines[:-1])]
        if whole or sum(map(_is_row, lines)) >= _ENOUGH or size >= _LONGEST_HEAD:
            return lines
        size *= 8


def _named_header(
    lines: Sequence[str], first: int, delimiters: Sequence[str], score: Score
) -> tuple[int, str] | None:
    """Line and delimiter of the header with the most wanted names: the first row, or a comment before it."""
    near = range(max(0, first - _COMMENTS), first + 1)
    tries = [(score(split_header(lines[at], mark)), at == first, at, mark)
             for at in near if lines[at].strip() for mark in delimiters]  # fmt: skip
    best = max(tries, key=lambda found: found[:2])
    return None if best[0] <= 0 else best[2:]


def _likely_header(lines: Sequence[str], first: int, delimiter: str | None) -> tuple[int, str]:
    """Line and delimiter of a header no name of which is known.

    The first row, unless it has numbers and the comment before it as many fields as the row.
    """
    delimiters = (delimiter,) if delimiter else DELIMITERS
    mark = max(delimiters, key=lambda d: lines[first].count(d))
    row = lines[first].split(mark)
    comments = [at for at in range(first) if lines[at].startswith("#")]
    if comments and any(map(_NUMBER.match, row)) and len(split_header(lines[comments[-1]], mark)) == len(row):
        return comments[-1], mark
    return first, mark


def _headless(path: Path, lines: Sequence[str], first: int, kind: Kind, delimiter: str | None) -> TextLayout:
    """Layout of a file that has the kind's columns and no header."""
    assert kind.header is not None
    mark = delimiter or kind.delimiter or ","
    fields = len(split_header(lines[first].removeprefix("#"), mark))
    if fields != len(kind.header):
        raise InputError(
            f"the first line has {fields} fields at {mark!r}, and no header; {kind.name} without one has "
            f"{len(kind.header)}: is the delimiter right?",
            file=path,
            row=first + 1,
        )
    return TextLayout(
        kind.header, mark, first, found=f"the published columns of {kind.name}, without a header,"
    )


def _ecsv_units(lines: Sequence[str]) -> dict[str, str]:
    """Units in the preamble of an ECSV table, by name."""
    found = (_ECSV_COLUMN.search(line) for line in lines if line.startswith("#"))
    return {one["name"]: one["unit"] for one in found if one}


def _after(lines: Sequence[str], start: int, names: Sequence[str], mark: str) -> tuple[int, dict[str, str]]:
    """Lines before the first row, and the units: VizieR has a line of them and one of dashes."""
    for at in range(start, min(start + 3, len(lines))):
        if _DASHES.match(lines[at].removeprefix("#")):
            units = lines[start].removeprefix("#").split(mark) if at > start else []
            known = {name: unit.strip(' "') for name, unit in zip(names, units, strict=False)}
            return at + 1, {name: unit for name, unit in known.items() if unit}
    while start < len(lines) and lines[start].startswith("#"):
        start += 1
    return start, {}
