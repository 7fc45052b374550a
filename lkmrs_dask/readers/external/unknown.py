"""Columns that no definition names: what the files say of them, and the type that holds all their cells."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import pyarrow as pa

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.external.infer import Guess, dtype_of, has_no_type
from lkmrs_dask.readers.external.kinds import Kind
from lkmrs_dask.schema import Column

__all__ = ["Unknown"]

_ORDER = ("int16", "int32", "int64")


@dataclass
class Unknown:
    """A column that no definition names, as seen in the files so far."""

    guess: Guess = field(default_factory=Guess)
    dtypes: set[str] = field(default_factory=set)
    unit: str = ""
    description: str = ""
    _if_empty: str = "string"

    def note(self, found: pa.Field, *, typed: bool) -> bool:
        """Take type, unit and description from a file; whether its cells must be looked at too."""
        metadata = {key.decode(): value.decode() for key, value in (found.metadata or {}).items()}
        self.unit = self.unit or metadata.get("unit", "")
        self.description = self.description or metadata.get("description", "")
        if not typed:
            return True
        if has_no_type(found.type):
            self._if_empty = dtype_of(found.type) or "string"
            return True
        self.dtypes.add(dtype_of(found.type) or "string")
        return False

    def column(self, name: str, kind: Kind) -> Column:
        """Decide its type."""
        dtypes = set(self.dtypes)
        if not self.guess.empty:
            dtypes.add(self.guess.dtype)
        dtype = _join(dtypes or {self._if_empty})
        if name == kind.id_column and dtype == "float64" and not self.guess.rounded:
            dtype = "int64"  # 12.0: a row that is no whole number is set aside
        elif name == kind.id_column and dtype.startswith("float"):
            raise InputError("identifiers are stored as rounded numbers: they are damaged", column=name)
        text = self.description or "As in the file"
        return Column(name, dtype, text, self.unit, sentinels=kind.missing_values(self.unit),
                      required=name == kind.id_column)  # fmt: skip


def _join(dtypes: Collection[str]) -> str:
    """Find the narrowest type that holds values of all of these."""
    if len(dtypes) == 1:
        return next(iter(dtypes))
    if all(dtype in _ORDER for dtype in dtypes):
        return max(dtypes, key=_ORDER.index)
    if all(dtype.startswith(("int", "float")) for dtype in dtypes):
        return "string" if "int64" in dtypes else "float64"
    return "string"
