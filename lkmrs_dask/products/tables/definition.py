"""What a column and a table of the paper are: once, for every format of file."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from lkmrs_dask.errors import UsageError

__all__ = ["TableColumn", "TableDefinition"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[!-~]+( [!-~]+)*")
_TYPES = ("int32", "int64", "float64", "string")
_LOGARITHMS = {"dex": "[-]", "dex(cm/s2)": "[cm/s2]"}
"""Units of logarithms in the spelling of the CDS.  The standards of FITS and VOTable have none of them."""

_UNITS = ("", "deg", "arcsec", "mas", "K", "km/s", "d", "uHz", "mag", "pc", *_LOGARITHMS)


@dataclass(frozen=True)
class TableColumn:
    """One column of a table that is published.

    Parameters
    ----------
    name : str
        In every file: a letter, then letters, digits and underscores, which is what FITS asks for.
    source : str
        Name in the rows that the table is made of.
    dtype : str
        One of ``int32, int64, float64, string``.
    description : str
        One line of ASCII, without the unit unless it is ``dex``, which FITS and VOTable can say nowhere else.
    unit : str
        In a spelling that CDS, FITS and VOTable share (``km/s``), or ``dex`` or ``dex(cm/s2)``.
    decimals : int, optional
        Digits after the point, of floats and of them alone: all files have the value rounded to it.
    ucd : str
        Unified content descriptor (UCD1+) for VOTable, FITS and Parquet.
    nullable : bool
        Whether blanks may occur.
    blank : int
        What stands for a blank integer where a format has to have a number (TNULL of FITS).
    limits : bool
        Whether the description byte by byte has the least and the greatest value.
    true_as : str
        Text for true where the source is boolean; false and null are blanks.
    limit : (str, float or None), optional
        A boolean column of the source, and the number that stands for the value where it is true (None: a
        blank): the CDS takes what stands beside the flag of a limit to be that limit.

    Raises
    ------
    UsageError
        For a column that some format cannot hold.
    """

    name: str
    source: str
    dtype: str
    description: str
    unit: str = ""
    decimals: int | None = None
    ucd: str = ""
    nullable: bool = True
    blank: int = -1
    limits: bool = False
    true_as: str = ""
    limit: tuple[str, float | None] | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without rows."""
        floats = self.dtype == "float64"
        checks = {
            "name": (_NAME.fullmatch(self.name), "a letter, then letters, digits and underscores"),
            "dtype": (self.dtype in _TYPES, f"one of {', '.join(_TYPES)}"),
            "description": (
                # A leading bracket or question mark has a meaning in a description byte by byte.
                _PLAIN.fullmatch(self.description) and self.description[0] not in "[]?=",
                "ASCII on one line, single blanks, and begin with none of [ ] ? =",
            ),
            "unit": (self.unit in _UNITS, f"one of {', '.join(_UNITS[1:])} or empty"),
            "decimals": (
                (self.decimals is not None and 1 <= self.decimals <= 15) if floats else self.decimals is None,
                "1 to 15 for floats and None for others",
            ),
            "ucd": (not self.ucd or _PLAIN.fullmatch(self.ucd), "ASCII"),
            "limits": (not self.limits or self.dtype != "string", "of a number"),
            "true_as": (
                not self.true_as or (self.dtype == "string" and _PLAIN.fullmatch(self.true_as)),
                "ASCII, of a column of text",
            ),
            "limit": (self.limit is None or floats, "of a column of floats"),
        }
        for what, (good, wanted) in checks.items():
            if not good:
                raise UsageError(f"column {self.name}: {what} must be {wanted}, not {getattr(self, what)!r}")

    @property
    def cds_unit(self) -> str:
        """Unit in the spelling of the CDS; ``---`` for none."""
        return _LOGARITHMS.get(self.unit, self.unit) or "---"

    @property
    def plain_unit(self) -> str:
        """Unit in the standards of FITS and VOTable, which have none for logarithms."""
        return "" if self.unit in _LOGARITHMS else self.unit


@dataclass(frozen=True)
class TableDefinition:
    """One table that is published.

    Parameters
    ----------
    name : str
        Name of its files without ending.
    title : str
        One line of ASCII.
    columns : tuple of TableColumn
        In their order.  One at least has no blanks.
    notes : tuple of str
        Each one line of ASCII; descriptions refer to them as (1), (2), ...

    Raises
    ------
    UsageError
        For a table that some format cannot hold.
    """

    name: str
    title: str
    columns: tuple[TableColumn, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what can be checked without rows."""
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"table {self.name!r}: its name must be a letter, then letters and digits")
        for text in (self.title, *self.notes):
            if not _PLAIN.fullmatch(text):
                raise UsageError(f"table {self.name}: {text!r} must be ASCII on one line, with single blanks")
        names = [column.name.lower() for column in self.columns]  # FITS knows no case
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"table {self.name}: two columns have the name {', '.join(twice)}")
        if all(column.nullable for column in self.columns):
            # A row of blanks alone would be an empty line, which readers of text leave out.
            raise UsageError(f"table {self.name}: one column at least must have no blanks")

    def __getitem__(self, name: str) -> TableColumn:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> list[str]:
        """Names of the columns in files."""
        return [column.name for column in self.columns]

    @property
    def sources(self) -> list[str]:
        """Names of all columns that the rows must have."""
        limits = (column.limit[0] for column in self.columns if column.limit)
        return list(dict.fromkeys([*(column.source for column in self.columns), *limits]))

    def with_note(self, text: str) -> TableDefinition:
        """Return the table with one more note behind the others, such as what survey it is of."""
        return replace(self, notes=(*self.notes, text))
