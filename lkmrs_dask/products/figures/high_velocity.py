"""Fig. 8: Galactocentric velocities against distance from the Galactic centre, and the escape curve."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, STYLE, save
from lkmrs_dask.stars.labels import has_label

__all__ = ["figure_high_velocity"]

_ESCAPE, _SHARE, _STARS = "#1f77b4", "#f28e2b", "#6e6e6e"
_MARKS = {"bound_HiVels": ("#f28e2b", "Bound"), "unbound_HiVels": ("#d62728", "Unbound")}
_NAMED = ("#6a3d9a", "#1b7837", "#8c510a", "#01665e")
_BIN = 10.0  # km/s

Floats = NDArray[np.float64]


class _Star(NamedTuple):
    """Distance (kpc), velocities of its spectra and of the mean (km/s)."""

    r: float
    epochs: Floats
    mean: float


def figure_high_velocity(
    r_gc: ArrayLike,
    v_gc: ArrayLike,
    label: pa.Array | Sequence[str | None],
    curve_r: ArrayLike,
    curve_v: ArrayLike,
    path: str | os.PathLike,
    epochs: Mapping[str, tuple[float, ArrayLike, float]] | None = None,
    *,
    share: float = 0.7,
) -> list[Path]:
    """Draw V_GC against R_GC, with the escape curve (blue) and a share of it (orange), and V_GC's histogram.

    Bound high-velocity stars are orange triangles and unbound ones red stars.  Of the stars in `epochs` each
    spectrum is an open circle, the mean a solid dot with a dashed line through the panel.

    Parameters
    ----------
    r_gc, v_gc : array_like of float, shape (n,)
        Distance from the Galactic centre (kpc) and total velocity (km/s); stars without either are left out.
    label : array of str, shape (n,)
        Labels as in Table 2 (`lkmrs_dask.stars.labels`), null for none.
    curve_r, curve_v : array_like of float, shape (m,)
        The escape curve, kpc and km/s, with rising `curve_r`.
    path : path
        Folder and name of the figure, without ending.
    epochs : mapping, optional
        By name: distance (kpc), velocities by spectrum (km/s), and that of the mean.
    share : float
        The lower curve is this share of the escape velocity.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.

    Raises
    ------
    UsageError
        When shapes differ, or a curve does not rise in `curve_r`.

    References
    ----------
    LK-MRS-I, Fig. 8.
    """
    r, v = np.asarray(r_gc, np.float64), np.asarray(v_gc, np.float64)
    at, escape = np.asarray(curve_r, np.float64), np.asarray(curve_v, np.float64)
    if not (r.ndim == 1 and r.shape == v.shape == (len(label),)):
        raise UsageError(f"r_gc, v_gc and label differ in shape: {r.shape}, {v.shape}, {len(label)}")
    if at.ndim != 1 or at.shape != escape.shape or not (np.diff(at) > 0).all():
        raise UsageError("curve_r must rise, and have a velocity of curve_v for each")
    good = np.isfinite(r) & np.isfinite(v)
    marked = {name: good & has_label(label, name) for name in _MARKS}
    stars = {name: _star(*values) for name, values in (epochs or {}).items()}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(DOUBLE_COLUMN, 4.5))
        grid = figure.add_gridspec(
            1, 2, width_ratios=(1, 0.24), wspace=0.06, left=0.08, right=0.99, top=0.985, bottom=0.11
        )
        main, side = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
        ordinary = good & ~np.any(list(marked.values()), axis=0)
        alpha = float(np.clip(5000 / max(int(ordinary.sum()), 1), 0.15, 0.6))
        main.scatter(r[ordinary], v[ordinary], s=3, color=_STARS, alpha=alpha, linewidth=0, rasterized=True)
        main.plot(at, escape, color=_ESCAPE, linewidth=1.5, label=r"$v_{\rm esc}$", zorder=3)
        main.plot(
            at, share * escape, color=_SHARE, linewidth=1.5, label=rf"{share:g} $v_{{\rm esc}}$", zorder=3
        )
        for name, mask in marked.items():
            _mark(main, name, r[mask], v[mask])
        for (name, star), colour in zip(
            stars.items(), _NAMED * (1 + len(stars) // len(_NAMED)), strict=False
        ):
            _draw_star(main, side, name, star, colour)
        limits = _limits(r[good], v[good], ~ordinary[good], (at, escape), list(stars.values()))
        _frame(main, side, r[good], v[good], limits)
        return save(figure, path)


def _star(r: float, epochs: ArrayLike, mean: float) -> _Star:
    velocities = np.atleast_1d(np.asarray(epochs, np.float64))
    return _Star(float(r), velocities[np.isfinite(velocities)], float(mean))


def _mark(axis: Axes, name: str, r: Floats, v: Floats) -> None:
    colour, word = _MARKS[name]
    shape, size = ("^", 26) if name.startswith("bound") else ("*", 130)
    axis.scatter(
        r, v, s=size, marker=shape, color=colour, edgecolors="black", linewidth=0.5, zorder=4,
        label=f"{word}: {len(r):,}",
    )  # fmt: skip


def _draw_star(main: Axes, side: Axes, name: str, star: _Star, colour: str) -> None:
    """Draw open circles for the spectra of a star, a dot and a dashed line for its mean."""
    main.scatter(
        np.full(len(star.epochs), star.r), star.epochs, s=30, facecolors="none", edgecolors=colour,
        linewidth=0.9, zorder=5, label=f"{name}, {len(star.epochs)} spectra",
    )  # fmt: skip
    main.scatter(
        [star.r],
        [star.mean],
        s=20,
        color=colour,
        edgecolors="white",
        linewidth=0.6,
        zorder=6,
        label=f"{name}, mean",
    )
    for axis in (main, side):
        axis.axhline(star.mean, color=colour, linestyle="--", linewidth=0.8, zorder=2)


def _limits(
    r: Floats, v: Floats, marked: NDArray[np.bool_], curve: tuple[Floats, Floats], stars: Sequence[_Star]
) -> tuple[tuple[float, float], float]:
    """Range of R and largest V: of all that is marked, and nearly all the rest (bad parallaxes reach far)."""
    own_r = np.concatenate([r[marked], [star.r for star in stars]])
    usual = np.percentile(r, [0.02, 99.95]) if len(r) else curve[0][[0, -1]] if len(curve[0]) else [0.0, 1.0]
    low, high = min(usual[0], own_r.min(initial=usual[0])), max(usual[1], own_r.max(initial=usual[1]))
    room = max(0.03 * (high - low), 0.1)
    left, right = max(low - room, 0.0), high + room
    seen = curve[1][(curve[0] >= left) & (curve[0] <= right)]
    own_v = np.concatenate([v[marked], seen, *(star.epochs for star in stars), [star.mean for star in stars]])
    top = max(float(np.nanmax(own_v, initial=100.0)), float(np.percentile(v, 99.95)) if len(v) else 0.0)
    return (left, right), top


def _frame(main: Axes, side: Axes, r: Floats, v: Floats, limits: tuple[tuple[float, float], float]) -> None:
    """Set limits, axes and the histogram."""
    (left, right), top = limits
    height = 1.2 * top  # the legend is above everything else
    main.set(xlim=(left, right), ylim=(0.0, height), xlabel=r"$R_{\rm GC}$ (kpc)")
    main.set_ylabel(r"$V_{\rm GC}$ (km s$^{-1}$)")
    main.legend(loc="upper right", ncols=3, fontsize=8.5, columnspacing=1.4, handletextpad=0.5)
    beyond = int(((r < left) | (r > right) | (v > height)).sum())
    if beyond:
        main.text(
            0.985, 0.02, f"{beyond:,} beyond the axes", transform=main.transAxes, ha="right", fontsize=8
        )
    edges = np.arange(0.0, height + _BIN, _BIN)
    side.hist(v, edges.tolist(), orientation="horizontal", color="#7b9fc4")
    side.set(ylim=(0.0, height), xlabel="Number")
    if np.histogram(v, edges)[0].any():
        side.set_xscale("log")
        side.set_xlim(left=0.4)
    for axis in (main, side):
        axis.yaxis.set_major_locator(MaxNLocator(8))
        axis.yaxis.set_minor_locator(AutoMinorLocator(5))
        axis.tick_params(top=True, right=True, which="both")
    main.xaxis.set_major_locator(MaxNLocator(7, prune="upper"))  # the last would meet the histogram's first
    main.xaxis.set_minor_locator(AutoMinorLocator(5))
    side.tick_params(labelleft=False)
