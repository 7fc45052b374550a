"""The type of a column that no definition names: the narrowest that holds every cell, of all files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.readers.cells import Cells, as_mask
from lkmrs_dask.readers.text_values import clean_text

__all__ = ["Guess", "dtype_of", "has_no_type"]

_WHOLE = r"^[+-]?(?:0|[1-9][0-9]*)$"
_NUMBER = (
    r"^[+-]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?|(?:0|[1-9][0-9]*)(?:[eE][+-]?[0-9]+)?)$"
)
_NO_NUMBER = r"^[+-]?(?i:nan|inf(?:inity)?)$"
_TRUTH = ("true", "false")
_EXACT = 15  # digits that a float holds for certain
_SURE = 18  # digits that an int64 holds for certain


def dtype_of(kind: pa.DataType) -> str | None:
    """Type of a `Column` that holds values of an Arrow type; None for text in a file, and for lists."""
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        signed = pa.types.is_signed_integer(kind)
        return {8: "int16", 16: "int16" if signed else "int32", 32: "int32" if signed else "int64"}.get(
            kind.bit_width, "int64"
        )
    if pa.types.is_floating(kind):
        return "float64" if kind.bit_width == 64 else "float32"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_decimal(kind):
        return "float64"
    if pa.types.is_temporal(kind) or pa.types.is_null(kind):
        return "string"
    if pa.types.is_dictionary(kind):
        return dtype_of(kind.value_type)
    return None


def has_no_type(kind: pa.DataType) -> bool:
    """Whether an Arrow type may hold what no type of a `Column` does: then the values decide."""
    if pa.types.is_dictionary(kind):
        return has_no_type(kind.value_type)
    return bool(pa.types.is_uint64(kind) or pa.types.is_decimal(kind))


@dataclass
class Guess:
    """What the cells of a text column, seen so far, could all be.

    A whole number with zeros in front, or too long for an int64, is a name: such a column is text.  So is one
    with whole numbers that a float would round, beside numbers with a fraction.  `rounded` notes an exponent:
    an identifier that was written with one has lost its digits.
    """

    whole: bool = True
    number: bool = True
    truth: bool = True
    long: bool = False
    rounded: bool = False
    empty: bool = True

    def look(self, raw: pa.Array) -> None:
        """Look at more cells: binary text, or numbers of a type that no column has."""
        if self.settled:
            return
        if pa.types.is_dictionary(raw.type):
            raw = raw.dictionary_decode()
        text = raw.cast(pa.string()) if has_no_type(raw.type) else raw
        cells = Cells(text.cast(pa.binary()))
        clean_text(cells, sentinels=False)
        if cells.faults:  # undecodable: set aside when it is read
            return
        text = cells.array.drop_null()
        if not len(text):
            return
        self.empty = False
        whole = as_mask(pc.match_substring_regex(text, _WHOLE))
        digits = pc.utf8_length(pc.ascii_ltrim(text, "+-")).to_numpy()
        if np.any(whole & (digits > _SURE)):
            self._look_at_long(text.filter(pa.array(whole & (digits > _SURE))))
        self.long |= bool(np.any(whole & (digits > _EXACT)))
        self.whole &= bool(whole.all())
        number = (
            whole
            if self.whole
            else as_mask(pc.match_substring_regex(text, _NUMBER))
            | as_mask(pc.match_substring_regex(text, _NO_NUMBER))
        )
        self.number &= bool(number.all())
        self.rounded |= not self.whole and bool(as_mask(pc.match_substring_regex(text, "[0-9.][eEdD]")).any())
        self.truth = self.truth and bool(as_mask(pc.is_in(pc.ascii_lower(text), pa.array(_TRUTH))).all())

    def _look_at_long(self, text: pa.Array) -> None:
        try:
            pc.ascii_ltrim(text, "+").cast(pa.int64())
        except pa.ArrowInvalid:
            self.whole = self.number = False

    @property
    def settled(self) -> bool:
        """Whether nothing can change any more: it is text."""
        return not (self.whole or self.number or self.truth)

    @property
    def dtype(self) -> str:
        """The type, as `Column` names it; text where there was nothing but missing values."""
        if self.empty:
            return "string"
        if self.truth:
            return "bool"
        if self.whole:
            return "int64"
        return "float64" if self.number and not self.long else "string"
