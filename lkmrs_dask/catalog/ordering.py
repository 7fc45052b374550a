"""Sort tables by many columns at once, by packing the columns into few 64-bit words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["codes", "equal_neighbours", "pack", "sort_order"]

_WORD_BITS = 63


def codes(values: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    """Integers from 0 up that sort as the values do; null is 0, before everything."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    kind = values.type
    if pa.types.is_boolean(kind):
        return (
            pc.fill_null(pc.add(values.cast(pa.int8()), 1), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        )
    if pa.types.is_integer(kind) or pa.types.is_date32(kind):
        numbers = (
            values.cast(pa.int32()).cast(pa.int64()) if pa.types.is_date32(kind) else values.cast(pa.int64())
        )
        low = pc.min(numbers).as_py()
        if low is None:
            return np.zeros(len(values), dtype=np.int64)
        high = pc.max(numbers).as_py()
        if high - low < (1 << (_WORD_BITS - 1)):
            plain = pc.fill_null(numbers, low).to_numpy(zero_copy_only=False) - low + 1
            return np.where(pc.is_null(numbers).to_numpy(zero_copy_only=False), 0, plain)
    # Text, floats and integers of full width: the rank among the distinct values.
    if pa.types.is_floating(kind):
        values = pc.add(values, pa.scalar(0.0, kind))  # of 0.0 and -0.0, equal but distinct, makes 0.0
    encoded = pc.dictionary_encode(values)
    ranks = np.empty(len(encoded.dictionary) + 1, dtype=np.int64)
    by_value = pc.sort_indices(encoded.dictionary).to_numpy()
    ranks[by_value] = np.arange(1, len(by_value) + 1)
    ranks[-1] = 0
    at = pc.fill_null(encoded.indices, len(by_value)).to_numpy(zero_copy_only=False)
    return ranks[at]


def pack(columns: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Pack non-negative integer columns into as few words as hold them, keeping their order."""
    words: list[NDArray[np.int64]] = []
    room = 0
    for column in columns:
        bits = max(1, int(column.max(initial=0)).bit_length())
        if bits <= room:
            words[-1] = (words[-1] << bits) | column
            room -= bits
        else:
            words.append(column.astype(np.int64, copy=True))
            room = _WORD_BITS - bits
    return words


def sort_order(
    words: Sequence[NDArray[np.int64]],
    tie_breakers: Callable[[NDArray[np.intp]], Sequence[NDArray[np.int64]]],
) -> NDArray[np.intp]:
    """Stable order by `words`, most significant first; `tie_breakers` makes more for rows equal in them."""
    order = np.argsort(words[0], kind="stable") if len(words) == 1 else np.lexsort(list(words)[::-1])
    same = equal_neighbours([word[order] for word in words])
    if same.any():
        tied = np.zeros(len(order), dtype=bool)
        tied[1:] |= same
        tied[:-1] |= same
        rows = np.sort(order[tied])  # as they came, so that the order stays stable
        ties = [*(word[rows] for word in words), *tie_breakers(rows)]
        order[tied] = rows[np.lexsort(ties[::-1])]
    return order


def equal_neighbours(words: Sequence[NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Whether each row after the first equals the row before it in all of the words."""
    same = np.ones(max(0, len(words[0]) - 1), dtype=bool)
    for word in words:
        same &= word[1:] == word[:-1]
    return same
