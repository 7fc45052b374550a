"""Faults of real tables, put into a known share of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.counters import Draws, Purpose

__all__ = ["CLEAN", "KINDS", "REASONS", "REPEATED", "Damage", "Dirt", "check_share", "damage"]

KINDS = (
    "text in a number column",
    "ra 400",
    "dec -95",
    "null coordinates",
    "missing field",
    "repeated row",
)
"""Kinds of faults; the last is an exact copy of a row, all others spoil the row itself."""

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
REPEATED = KINDS.index("repeated row")

_WORDS = ("bad", "1.2.3", "--", "12,5x")
_NULLS = ("", "-9999.0", "nan")


@dataclass
class Dirt:
    """Chooses the dirty rows of a table.

    Parameters
    ----------
    share : float
        Share of rows, 0 to 0.5.  Where it is above 0 the first rows of the table are used for kinds of which
        there is none yet, so that each occurs.
    draws : Draws
        Random numbers, addressed by star and spectrum.
    table : int
        Number of the table, so that two tables have different dirty rows.

    Raises
    ------
    UsageError
        For a share outside of its range.
    """

    share: float
    draws: Draws
    table: int
    _waiting: list[int] = field(default_factory=lambda: list(range(len(KINDS))))

    def __post_init__(self) -> None:
        check_share(self.share)

    def choose(self, number: NDArray[np.int64], item: NDArray[np.int64]) -> NDArray[np.int64]:
        """Kind of fault of each of the table's next rows: an index of `KINDS`, or `CLEAN`.

        Parameters
        ----------
        number, item : ndarray of int64, shape (n,)
            Addresses of star and spectrum.
        """
        address = item + (self.table << 24)
        kind = np.full(len(number), CLEAN, dtype=np.int64)
        if not self.share:
            return kind
        dirty = self.draws.uniform(Purpose.DIRT, number, address) < self.share
        drawn = self.draws.uniform(Purpose.DIRT_KIND, number[dirty], address[dirty])
        kind[dirty] = (drawn * len(KINDS)).astype(np.int64)
        self._waiting = [one for one in self._waiting if one not in kind]
        here = self._waiting[: len(kind)]
        # Spread over the block, so that they do not all hit one star.
        free = np.flatnonzero(kind == CLEAN)
        places = (
            free[np.arange(len(here)) * len(free) // max(len(here), 1)]
            if len(free) >= len(here)
            else free[:0]
        )
        kind[places] = here[: len(places)]
        self._waiting = self._waiting[len(places) :]
        return kind


def check_share(share: float) -> None:
    """Raise UsageError for a share of dirty rows that is not from 0 to 0.5."""
    if not 0 <= share <= 0.5:
        raise UsageError(f"the share of dirty rows must be from 0 to 0.5, not {share}")


@dataclass(frozen=True)
class Damage:
    """A dirty row: its place in the block (a copy stands at the end), kind, and the column that is hit."""

    line: int
    kind: int
    column: str | None


def damage(
    lines: list[str], kind: NDArray[np.int64], header: Sequence[str], delimiter: str, numbers: Sequence[str]
) -> list[Damage]:
    """Put faults into lines of text.

    Parameters
    ----------
    lines : list of str
        Rows without line ends; changed in place, and copies added at the end.
    kind : ndarray of int64, shape (len(lines),)
        From `Dirt.choose`.
    header : sequence of str
        Names of the columns, with ``ra`` and ``dec``.
    delimiter : str
        Between fields, which are not quoted.
    numbers : sequence of str
        Columns in which text may be put.
    """
    place = {name: at for at, name in enumerate(header)}
    done = []
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
                lines.append(lines[line])
                line = len(lines) - 1
        if what != REPEATED:
            lines[line] = delimiter.join(fields)
        done.append(Damage(line, what, column))
    return done
