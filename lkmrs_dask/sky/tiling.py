"""Adaptive tiling: split HEALPix pixels until each holds at most so many rows and bytes; stars stay whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.sky.index import INDEX_ORDER, index_range

__all__ = ["Tiling", "adaptive_tiling"]


@dataclass(frozen=True, eq=False)
class Tiling:
    """HEALPix pixels of several orders that do not overlap, in sky order (that of their order-29 indices).

    Parameters
    ----------
    order, pixel : array_like of int
        Order and nested number of each pixel, in any order.

    Raises
    ------
    CatalogError
        When two pixels overlap, or one does not exist.
    """

    order: NDArray[np.int64]
    pixel: NDArray[np.int64]

    def __post_init__(self) -> None:
        order = np.asarray(self.order, dtype=np.int64).reshape(-1)
        pixel = np.asarray(self.pixel, dtype=np.int64).reshape(-1)
        exists = (order >= 0) & (order <= INDEX_ORDER) & (pixel >= 0)
        exists[exists] = pixel[exists] < 12 << (2 * order[exists])
        if not exists.all():
            at = int(np.argmin(exists))
            raise CatalogError(f"there is no HEALPix pixel of order {order[at]} with number {pixel[at]}")
        lo, _ = index_range(order, pixel)
        by_sky = np.argsort(lo, kind="stable")
        object.__setattr__(self, "order", order[by_sky])
        object.__setattr__(self, "pixel", pixel[by_sky])
        lo, hi = self.bounds
        clash = np.flatnonzero(hi[:-1] > lo[1:])
        if clash.size:
            a, b = list(self)[clash[0] : clash[0] + 2]
            raise CatalogError(f"pixels (order, pixel) {a} and {b} overlap: a row would belong to both")

    @property
    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First order-29 index of each pixel, and the first one behind it."""
        return index_range(self.order, self.pixel)

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.order.tolist(), self.pixel.tolist(), strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tiling) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def locate(self, index: ArrayLike) -> NDArray[np.int64]:
        """Position in this tiling of the pixel that holds each order-29 index, -1 where none does."""
        index = np.asarray(index, dtype=np.int64)
        if len(self) == 0:
            return np.full(index.shape, -1, dtype=np.int64)
        lo, hi = self.bounds
        at = np.searchsorted(lo, index, side="right") - 1
        return np.where((at >= 0) & (index < hi[np.maximum(at, 0)]), at, -1)

    def overlapping(self, lo: ArrayLike, hi: ArrayLike) -> NDArray[np.bool_]:
        """Which pixels share an index with any of the ranges ``[lo, hi)`` (sorted, not overlapping)."""
        range_lo, range_hi = np.asarray(lo, np.int64), np.asarray(hi, np.int64)
        tile_lo, tile_hi = self.bounds
        # The first range that ends behind the pixel's start overlaps it if it starts before the pixel's end.
        first = np.searchsorted(range_hi, tile_lo, side="right")
        inside = first < len(range_lo)
        result = np.zeros(len(self), dtype=bool)
        result[inside] = range_lo[first[inside]] < tile_hi[inside]
        return result


def adaptive_tiling(
    index: ArrayLike,
    rows: ArrayLike | None = None,
    *,
    size: ArrayLike | None = None,
    max_rows: int = 1_000_000,
    max_bytes: int | None = None,
    lowest_order: int = 0,
    highest_order: int = INDEX_ORDER,
) -> Tiling:
    """Tile the sky so that no pixel holds more than the thresholds.

    A pixel over a threshold is split into its four children, empty ones left out, until it fits, holds a
    single order-29 index (one star), or is of the highest order.

    Parameters
    ----------
    index : array_like of int64, shape (n,)
        Order-29 index of each star (or row), in any order.
    rows : array_like of int, shape (n,), optional
        Rows of each star; one if not given.
    size : array_like of float, shape (n,), optional
        Bytes of each star's rows; needed when `max_bytes` is given.
    max_rows, max_bytes : int
        Thresholds of a partition.
    lowest_order, highest_order : int
        Bounds of the pixels' orders.

    Returns
    -------
    Tiling
        Empty for no stars.

    Raises
    ------
    UsageError
        For thresholds below one or orders out of bounds.
    """
    if max_rows < 1 or (max_bytes is not None and max_bytes < 1):
        raise UsageError(f"a partition needs room for a row: max_rows={max_rows}, max_bytes={max_bytes}")
    if not 0 <= lowest_order <= highest_order <= INDEX_ORDER:
        raise UsageError(f"orders must rise within 0..{INDEX_ORDER}: {lowest_order}, {highest_order}")
    if max_bytes is not None and size is None:
        raise UsageError("max_bytes needs the bytes of each star (size)")
    index = np.asarray(index, dtype=np.int64)
    order = None
    if np.any(index[1:] < index[:-1]):
        # Ties may come in any order: only sums over them are used.
        if rows is None and size is None:
            index = np.sort(index)
        else:
            order = np.argsort(index)
            index = index[order]

    limits = [(_cumulative(rows, order, len(index)), max_rows)]
    if max_bytes is not None:
        limits.append((_cumulative(size, order, len(index)), max_bytes))

    done: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    active = np.unique(index >> (2 * (INDEX_ORDER - lowest_order)))
    for level in range(lowest_order, highest_order + 1):
        lo, hi = index_range(level, active)
        start, stop = np.searchsorted(index, lo), np.searchsorted(index, hi)
        filled = stop > start
        active, start, stop = active[filled], start[filled], stop[filled]
        split = np.zeros(len(active), dtype=bool)
        for total, limit in limits:
            split |= total[stop] - total[start] > limit
        split &= index[start] != index[stop - 1]
        if level == highest_order:
            split[:] = False
        done.append((np.full(np.count_nonzero(~split), level), active[~split]))
        active = (active[split, None] * 4 + np.arange(4)).reshape(-1)
        if active.size == 0:
            break
    return Tiling(np.concatenate([d[0] for d in done]), np.concatenate([d[1] for d in done]))


def _cumulative(values: ArrayLike | None, order: NDArray[np.int64] | None, n: int) -> NDArray:
    """Sum the first 0, 1, ... n values, in the given order."""
    if values is None:
        return np.arange(n + 1)
    values = np.asarray(values)
    total = np.zeros(n + 1, dtype=np.result_type(values.dtype, np.int64))
    np.cumsum(values if order is None else values[order], out=total[1:])
    return total
