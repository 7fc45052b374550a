"""Completeness of RV variables by amplitude and number of velocities, and purity of those found."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, STYLE, save
from lkmrs_dask.stars.rv_completeness import Completeness, Purity, Share

__all__ = ["figure_completeness"]

_COLOURS = ("#35608d", "#22908b", "#6cbf5a", "#d9a514", "#c4483f", "#7b3f98")
_MARKERS = "osD^vP"


def figure_completeness(
    completeness: Completeness, purity: Purity | None, path: str | os.PathLike, *, title: str = ""
) -> list[Path]:
    """Draw completeness by K, a line for each bin of N (left), and purity by N (right).

    Error bars are the intervals of the shares; a bin without stars has no point.  Numbers of stars found
    stand below the points of purity.

    Parameters
    ----------
    completeness : Completeness
    purity : Purity, optional
        None for none, as of orbits that were put into every star: then there is one panel.
    path : path
        Folder and name of the figure, without ending.
    title : str
        Above the figure: of which survey this is, and that it is synthetic where it is.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.
    """
    with mpl.rc_context(STYLE):
        ratios = (1.35,) if purity is None else (1.35, 1.0)
        width = DOUBLE_COLUMN * sum(ratios) / 2.35
        figure = Figure(figsize=(width, 3.0), layout="constrained")
        panels = figure.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)[0]
        _draw_completeness(panels[0], completeness)
        if purity is not None:
            _draw_purity(panels[1], purity)
        if title:
            figure.suptitle(title, fontsize=9.5)
        return save(figure, path)


def _draw_completeness(axis: Axes, one: Completeness) -> None:
    edges = one.k_edges
    logarithmic = bool(edges[0] > 0)
    centre = np.sqrt(edges[:-1] * edges[1:]) if logarithmic else 0.5 * (edges[:-1] + edges[1:])
    for row, name in enumerate(_names(one.n_edges)):
        some = one.share.n[row] > 0
        if not some.any():
            continue
        # Neighbouring lines are moved a little apart, so that their error bars do not hide one another.
        shift = (row - 0.5 * (len(one.n_edges) - 2)) * 0.012
        x = centre * 10.0**shift if logarithmic else centre
        axis.errorbar(
            x[some], one.share.share[row][some], _bars(one.share, row, some), linewidth=1.0, elinewidth=0.8,
            marker=_MARKERS[row % len(_MARKERS)], markersize=3.5, color=_COLOURS[row % len(_COLOURS)],
            label=f"$N$ = {name}",
        )  # fmt: skip
    axis.set(xlim=(edges[0], edges[-1]), ylim=(-0.03, 1.03))
    if logarithmic:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axis.set_xlabel(r"Amplitude $K$ (km s$^{-1}$)")
    axis.set_ylabel("Completeness")
    if one.share.n.sum():
        axis.legend(loc="lower right", fontsize=8)
    else:
        _say(axis, "no true variables")


def _draw_purity(axis: Axes, one: Purity) -> None:
    names = _names(one.n_edges)
    x, some = np.arange(len(names)), one.share.n > 0
    if some.any():
        axis.errorbar(
            x[some], one.share.share[some], _bars(one.share, slice(None), some), fmt="o", markersize=4,
            color="black", elinewidth=0.8, capsize=2,
        )  # fmt: skip
        lowest = float(one.share.low[some].min())
        bottom = max(0.0, lowest - 0.25 * (1.0 - lowest) - 0.002)
        room = 1.0 - bottom
        axis.set_ylim(bottom - 0.12 * room, 1.0 + 0.06 * room)
        for at, n in enumerate(one.share.n.tolist()):
            axis.text(at, bottom - 0.09 * room, f"{n:,}", ha="center", va="bottom", fontsize=7, color="0.35")
        axis.ticklabel_format(axis="y", useOffset=False)
    else:
        _say(axis, "none found")
    axis.set(xlim=(-0.6, len(names) - 0.4), xticks=x, xticklabels=names)
    axis.set_xlabel("Number of velocities $N$")
    axis.set_ylabel("Purity")


def _bars(share: Share, row: int | slice, some: np.ndarray) -> np.ndarray:
    """Lengths of error bars below and above the points; rounding makes none negative."""
    middle = share.share[row][some]
    both = np.stack([middle - share.low[row][some], share.high[row][some] - middle])
    return np.maximum(both, 0.0)


def _names(edges: np.ndarray) -> list[str]:
    """How bins of whole numbers are written: "3", "4-6", and of the last the upper edge is within."""
    names = []
    for k, (low, high) in enumerate(pairwise(edges.tolist())):
        first = int(np.ceil(low))
        last = int(np.floor(high)) if k == len(edges) - 2 else int(np.ceil(high)) - 1
        names.append(f"{first}" if last <= first else f"{first}–{last}")
    return names


def _say(axis: Axes, text: str) -> None:
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color="0.45", fontsize=9)
