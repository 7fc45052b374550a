"""FITS headers from templates, and the bytes of tables and images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLUMNS", "header", "image_bytes", "table_bytes", "value_text"]

Value = bool | int | float | str | None

_BLOCK = 2880
_CARD = 80

COLUMNS = (
    ("TIME", ">f8"), ("TIMECORR", ">f4"), ("CADENCENO", ">i4"), ("SAP_FLUX", ">f4"), ("SAP_FLUX_ERR", ">f4"),
    ("SAP_BKG", ">f4"), ("SAP_BKG_ERR", ">f4"), ("PDCSAP_FLUX", ">f4"), ("PDCSAP_FLUX_ERR", ">f4"),
    ("QUALITY", ">i4"), ("PSF_CENTR1", ">f8"), ("PSF_CENTR1_ERR", ">f4"), ("PSF_CENTR2", ">f8"),
    ("PSF_CENTR2_ERR", ">f4"), ("MOM_CENTR1", ">f8"), ("MOM_CENTR1_ERR", ">f4"), ("MOM_CENTR2", ">f8"),
    ("MOM_CENTR2_ERR", ">f4"), ("POS_CORR1", ">f4"), ("POS_CORR2", ">f4"),
)  # fmt: skip
"""Columns of all three missions' tables; Kepler and K2 call QUALITY SAP_QUALITY."""


class _Cards(dict[str, str]):
    """Texts of values by keyword; a keyword without one has an undefined value."""

    def __missing__(self, key: str) -> str:
        return " " * 20


def value_text(value: Value) -> str:
    """A value as it stands in a card, 20 characters or more; None is undefined."""
    if value is None:
        return " " * 20
    if isinstance(value, bool):
        return f"{'T' if value else 'F':>20}"
    if isinstance(value, str):
        text = f"'{value.replace(chr(39), 2 * chr(39)):<8}'"
        return f"{text:<20}"
    # numpy's numbers are spelt out with their type
    plain = float(value) if isinstance(value, float) else int(value)
    return f"{plain!r:>20}".upper()


@cache
def _template(name: str) -> tuple[str, ...]:
    text = (files(__package__) / "templates" / f"{name}.txt").read_text(encoding="ascii")
    return tuple(text.splitlines())


def header(name: str, values: Mapping[str, Value], parts: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """A header from a template.

    Parameters
    ----------
    name : str
        Of the file in ``templates/``: cards of a released file, with keywords in braces in place of values.
    values : mapping
        Values by keyword; keywords that are not named are undefined, as they are in many released files.

    parts : mapping
        Parts of keywords, put in as they are.

    Returns
    -------
    bytes
        Padded to whole blocks.

    Raises
    ------
    ValueError
        For a value that does not fit its card.
    """
    texts = _Cards({key: value_text(value) for key, value in values.items()})
    texts.update(parts)
    cards = []
    for line in _template(name):
        card = line.format_map(texts)
        if len(card) > _CARD and (" / " not in card[:_CARD] or card[: card.index(" / ")].count("'") % 2):
            raise ValueError(f"a FITS card is too long: {card}")
        cards.append(f"{card[:_CARD]:<{_CARD}}")
    return _padded("".join([*cards, f"{'END':<{_CARD}}"]).encode("ascii"), b" ")


def table_bytes(columns: Mapping[str, NDArray]) -> bytes:
    """Data of a table with `COLUMNS`, padded; columns that are not given are NaN."""
    n_rows = len(columns["TIME"])
    data = np.empty(n_rows, dtype=list(COLUMNS))
    for name, _ in COLUMNS:
        data[name] = columns.get(name, np.nan)
    return _padded(data.tobytes(), b"\0")


def image_bytes(image: NDArray[np.int32]) -> bytes:
    """Data of an image of 32-bit integers, padded."""
    return _padded(image.astype(">i4").tobytes(), b"\0")


def _padded(data: bytes, fill: bytes) -> bytes:
    return data + fill * (-len(data) % _BLOCK)
