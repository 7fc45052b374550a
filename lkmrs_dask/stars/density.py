"""Gaussian-smoothed density of pairs of values, and the line through its densest part (section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.stars.regression import Line, Sums

__all__ = ["Density", "DensityGrid"]

Floats = NDArray[np.float64]

_REACH = 4.0  # kernel widths beyond which the kernel counts as nothing


@dataclass(frozen=True, eq=False)
class Density:
    """Smoothed density of points on a grid that leans with their relation.

    Parameters
    ----------
    x_edges : ndarray of float64, shape (m + 1,)
        Borders of the pixels in x.
    y_edges : ndarray of float64, shape (m + 1,)
        Borders in y - tilt x.
    tilt : float
        By how much y rises with x along a row of pixels.
    values : ndarray of float64, shape (m, m)
        Points per pixel after the smoothing; the first axis is x.
    retained : ndarray of bool, shape (m, m)
        The densest pixels, which together hold the wanted share of the points.
    n_outside : int
        Points beyond the grid, which are not in it.
    """

    x_edges: Floats
    y_edges: Floats
    tilt: float
    values: Floats
    retained: NDArray[np.bool_]
    n_outside: int

    def corners(self) -> tuple[Floats, Floats]:
        """Coordinates x and y of the corners, shape (m + 1, m + 1) each; the first axis is x."""
        x = np.broadcast_to(self.x_edges[:, None], (len(self.x_edges), len(self.y_edges)))
        return x, self.y_edges + self.tilt * x

    def centres(self) -> tuple[Floats, Floats]:
        """Coordinates x and y of the centres of the pixels, shape (m, m) each; the first axis is x."""
        middle_x, middle_y = (0.5 * (edges[1:] + edges[:-1]) for edges in (self.x_edges, self.y_edges))
        x = np.broadcast_to(middle_x[:, None], (len(middle_x), len(middle_y)))
        return x, middle_y + self.tilt * x


class DensityGrid:
    """A grid around points, on which a density can be made of them or of any resampling of them.

    Rows of pixels lean with the relation of x and y, and so does the kernel.  One along the axes would widen
    the distribution in x without moving y, and make slopes flatter: by 1 % for velocities and 3 km/s.

    The grid covers x and y - tilt x from the 10th to the 90th percentile and one and a half times as much on
    both sides (for normal values, to 5.1 standard deviations), no farther than there are points, and a border
    that the kernel needs.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,)
        Finite values; n > 0.
    size : int
        Pixels along each axis.
    smoothing : float
        Standard deviation of the Gaussian kernel, in pixels; 0 for none.
    enclosed : float
        Share of all points that the retained pixels hold, above 0 and at most 1: the level is that quantile
        of the density at the points (Hyndman 1996), so that single outliers go first however few points there
        are.
    tilt : float
        By how much y rises with x along a row, about the slope of the relation.
    """

    def __init__(
        self, x: Floats, y: Floats, size: int, smoothing: float, enclosed: float, tilt: float = 0.0
    ) -> None:
        self.size, self.enclosed, self.tilt = size, enclosed, tilt
        y = y - tilt * x
        self._kernel = _kernel(size, smoothing)
        self.x_edges, self.y_edges = (_edges(values, size, smoothing) for values in (x, y))
        column, row = _places(x, self.x_edges), _places(y, self.y_edges)
        inside = (column >= 0) & (row >= 0)
        self._pixel = np.where(inside, column * size + row, size * size)
        self._occupied = np.unique(self._pixel[inside])
        self._x, self._y = (0.5 * (edges[1:] + edges[:-1]) for edges in (self.x_edges, self.y_edges))

    def smoothed(self, times: NDArray[np.number] | None = None) -> tuple[Floats, NDArray[np.bool_]]:
        """Values and retained pixels of `Density`, each point taken `times` times (once where not given)."""
        size = self.size
        counts = np.bincount(self._pixel, weights=times, minlength=size * size + 1).astype(np.float64)
        values = self._kernel @ counts[:-1].reshape(size, size) @ self._kernel
        # Pixels with like neighbours tie, in whatever order the machine sums.
        values = np.round(values, 9)
        return values, values >= self._level(values, counts)

    def _level(self, values: Floats, counts: Floats) -> float:
        """Density above which pixels hold the wanted share of the points, those beyond the grid with them."""
        at_points, held = values.ravel()[self._occupied], counts[self._occupied]
        order = np.argsort(-at_points, kind="stable")
        above = np.cumsum(held[order])
        last = np.searchsorted(above, self.enclosed * counts.sum() - 1e-9)
        # Where points beyond the grid are wanted too, all pixels that hold anything are the most there is.
        level = at_points[order[last]] if last < len(order) else 0.0
        return float(level) if level > 0 else float(np.nextafter(0.0, 1.0))

    def density(self) -> Density:
        """The density of the points."""
        n_outside = int((self._pixel == self.size**2).sum())
        return Density(self.x_edges, self.y_edges, self.tilt, *self.smoothed(), n_outside)

    def n_retained(self) -> int:
        """Points in the retained pixels."""
        return int(np.append(self.smoothed()[1], False)[self._pixel].sum())

    def line(self, times: NDArray[np.number] | None = None) -> Line:
        """Least squares of y on x over the centres of the retained pixels, weighted with their density.

        Errors of x make its slope flatter, as in all least squares.

        Parameters
        ----------
        times : ndarray of int or float, shape (n,), optional
            How often each point is taken.

        Returns
        -------
        Line
            Without errors; with a reason where there is no line.
        """
        values, retained = self.smoothed(times)
        weight = np.where(retained, values, 0.0)
        along = weight.sum(axis=1)
        if np.count_nonzero(along) < 2:
            return Line.none("the densest pixels lie in one column")
        mean_y = (weight @ self._y) / np.where(along > 0, along, 1.0)
        # Of a column only the mean of y matters for the line.
        return Sums.of(along, self._x, mean_y + self.tilt * self._x).line()


def _kernel(size: int, smoothing: float) -> Floats:
    """Matrix, shape (size, size), that smooths along an axis: a band, symmetric, nothing beyond the grid."""
    distance = np.subtract.outer(np.arange(size), np.arange(size))
    if smoothing == 0:
        return (distance == 0).astype(np.float64)
    reach = np.arange(-np.ceil(_REACH * smoothing), np.ceil(_REACH * smoothing) + 1)
    kernel = (
        np.exp(-0.5 * np.square(distance / smoothing)) / np.exp(-0.5 * np.square(reach / smoothing)).sum()
    )
    return np.where(np.abs(distance) <= reach[-1], kernel, 0.0)


def _edges(values: Floats, size: int, smoothing: float) -> Floats:
    low, high = np.percentile(values, [10.0, 90.0])
    more = 1.5 * (high - low)
    low, high = max(values.min(), low - more), min(values.max(), high + more)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        half = max(0.5, 1e-6 * abs(low))
        low, high = low - half, high + half
    # A border of the kernel's reach on both sides; pixels in between hold the points.
    border = np.ceil(_REACH * smoothing)
    pixel = (high - low) / (size - 2 * border)
    return np.linspace(low - border * pixel, high + border * pixel, size + 1)


def _places(values: Floats, edges: Floats) -> NDArray[np.int64]:
    """Pixel of each value, -1 outside; the last pixel has both its borders."""
    place = np.searchsorted(edges, values, side="right") - 1
    place[values == edges[-1]] = len(edges) - 2
    return np.where((place >= 0) & (place < len(edges) - 1), place, -1)
