"""Faults of real tables: damaged copies beside good rows, in a known share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.counters import Draws, Purpose

__all__ = [
    "BINARY_KINDS",
    "CLEAN",
    "KINDS",
    "REASONS",
    "Damage",
    "check_share",
    "choose_dirt",
    "damaged_lines",
    "damaged_records",
]

KINDS = (
    "text in a number column",
    "ra 400",
    "dec -95",
    "null coordinates",
    "missing field",
    "repeated row",
)
"""Kinds of faults; the last is an exact copy of a row, the others are spoilt ones."""

REASONS = (
    "not a number",
    "out of range",
    "out of range",
    "missing coordinate",
    "wrong number of fields",
    "repeated key",
)
"""What a reader says of each kind in ``rows_set_aside``."""

CLEAN = -1

BINARY_KINDS = tuple(KINDS.index(name) for name in ("ra 400", "dec -95", "null coordinates", "repeated row"))
"""Kinds that a binary table can have."""

_WORDS = ("bad", "1.2.3", "--", "12,5x")
_NULLS = ("", "-9999.0", "nan")


class Damage(NamedTuple):
    """A damaged copy: the row it is made of (it stands right behind it), its kind, and the column hit."""

    line: int
    kind: int
    column: str | None


def check_share(share: float) -> None:
    """Raise UsageError for a share of dirty rows that is not from 0 to 0.5."""
    if not 0 <= share <= 0.5:
        raise UsageError(f"the share of dirty rows must be from 0 to 0.5, not {share}")


def choose_dirt(
    share: float,
    draws: Draws,
    table: int,
    number: NDArray[np.int64],
    item: NDArray[np.int64],
    kinds: Sequence[int] = range(len(KINDS)),
    every: bool = False,
) -> NDArray[np.int64]:
    """Choose the rows that get a damaged copy.

    Parameters
    ----------
    share : float
        Of rows, 0 to 0.5.
    draws : Draws
        Random numbers, addressed by star and spectrum.
    table : int
        Number of the table, so that two tables have different dirty rows.
    number, item : ndarray of int64, shape (n,)
        Addresses of the rows' stars and spectra.
    kinds : sequence of int
        Kinds to choose from.
    every : bool
        Whether each kind must occur, however small a share above 0 is, if there are as many rows.

    Returns
    -------
    ndarray of int64, shape (n,)
        Kind of each row's copy, or `CLEAN` for none.

    Raises
    ------
    UsageError
        For a share outside of its range.
    """
    check_share(share)
    kind = np.full(len(number), CLEAN, dtype=np.int64)
    if not share:
        return kind
    address = item + (table << 24)
    dirty = draws.uniform(Purpose.DIRT, number, address) < share
    drawn = draws.uniform(Purpose.DIRT_KIND, number[dirty], address[dirty])
    kind[dirty] = np.asarray(kinds)[(drawn * len(kinds)).astype(np.int64)]
    absent = [one for one in kinds if one not in kind] if every else []
    free = np.flatnonzero(kind == CLEAN)
    if len(absent) and len(free) >= len(absent):
        # Spread over the rows, so that they do not all hit one star.
        kind[free[np.arange(len(absent)) * len(free) // len(absent)]] = absent
    return kind


def damaged_lines(
    lines: Sequence[str],
    kind: NDArray[np.int64],
    header: Sequence[str],
    delimiter: str,
    numbers: Sequence[str],
) -> tuple[list[str], list[Damage]]:
    """Put damaged copies behind lines of text.

    Parameters
    ----------
    lines : sequence of str
        Rows without line ends.
    kind : ndarray of int64, shape (len(lines),)
        From `choose_dirt`.
    header : sequence of str
        Names of the columns, with ``ra``, ``dec`` and ``uid``.
    delimiter : str
        Between fields, which are not quoted.
    numbers : sequence of str
        Columns in which text may be put.

    Returns
    -------
    lines : list of str
        With the copies.
    done : list of Damage
        By line.
    """
    place = {name: at for at, name in enumerate(header)}
    result: list[str] = []
    done, begin = [], 0
    for turn, line in enumerate(np.flatnonzero(kind != CLEAN).tolist()):
        what, column = int(kind[line]), None
        fields = lines[line].split(delimiter)
        match KINDS[what]:
            case "text in a number column":
                column = numbers[turn % len(numbers)]
                fields[place[column]] = _WORDS[turn % len(_WORDS)].replace(delimiter, ";")
            case "ra 400":
                column = "ra"
                fields[place["ra"]] = "400.0"
            case "dec -95":
                column = "dec"
                fields[place["dec"]] = "-95.0"
            case "null coordinates":
                column = "ra"
                fields[place["ra"]] = fields[place["dec"]] = _NULLS[turn % len(_NULLS)]
            case "missing field":
                del fields[place["uid"]]
            case _:
                pass
        result += lines[begin : line + 1]
        result.append(delimiter.join(fields))
        begin = line + 1
        done.append(Damage(line, what, column))
    return [*result, *lines[begin:]], done


def damaged_records(records: NDArray, kind: NDArray[np.int64]) -> tuple[NDArray, list[Damage]]:
    """Put damaged copies behind records of a binary table; as `damaged_lines`, for `BINARY_KINDS`.

    Parameters
    ----------
    records : structured ndarray
        With ``ra`` and ``dec``.
    kind : ndarray of int64
        From `choose_dirt`.
    """
    rows = np.flatnonzero(kind != CLEAN)
    copies = records[rows].copy()
    what = kind[rows]
    null = what == KINDS.index("null coordinates")
    copies["ra"][what == KINDS.index("ra 400")] = 400.0
    copies["dec"][what == KINDS.index("dec -95")] = -95.0
    copies["ra"][null] = copies["dec"][null] = -9999.0
    hit = {KINDS.index("ra 400"): "ra", KINDS.index("dec -95"): "dec", KINDS.index("null coordinates"): "ra"}
    done = [Damage(int(row), int(one), hit.get(int(one))) for row, one in zip(rows, what, strict=True)]
    return np.insert(records, rows + 1, copies), done
