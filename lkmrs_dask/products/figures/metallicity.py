"""Fig. 7: the distribution of [Fe/H], with a closer view of metal-poor and very metal-poor stars."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import AutoMinorLocator, FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, STYLE, save
from lkmrs_dask.stars.metal_poor import MetalPoorSettings, metal_classes

__all__ = ["figure_metallicity"]

_COLOURS = {"": "#4c8cc4", "MP": "#f28e2b", "VMP": "#d62728"}
_BIN = 0.05  # dex
_LEAST, _MOST = -2.6, 1.0  # dex; the axis reaches further where stars do
_REACH = 0.05  # dex: what an inset shows beyond the limits of its class

Floats = NDArray[np.float64]


def figure_metallicity(
    feh: ArrayLike,
    path: str | os.PathLike,
    settings: MetalPoorSettings | None = None,
    *,
    bin_width: float = _BIN,
) -> list[Path]:
    """Draw the histogram of all stars (blue), with metal-poor (orange) and very metal-poor ones (red).

    The left inset shows the very metal-poor range and the middle one the metal-poor range, both with bins
    of half the width; the legend has the numbers.  Classes are those of [Fe/H] alone.

    Parameters
    ----------
    feh : array_like of float, shape (n,)
        Mean [Fe/H] of each star (dex); those that are not finite are left out.
    path : path
        Folder and name of the figure, without ending.
    settings : MetalPoorSettings, optional
        Limits of the classes.
    bin_width : float
        Width of a bin in dex.  Bins begin at the lower limit of MP, so that none has stars of two classes,
        but for the upper limits that belong to MP.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.

    References
    ----------
    LK-MRS-I, Fig. 7.
    """
    settings = settings or MetalPoorSettings()
    value = np.asarray(feh, np.float64).ravel()
    value = value[np.isfinite(value)]
    classes = np.array([name or "" for name in metal_classes(value, settings).to_pylist()], "U3")
    low, high = min(_LEAST, value.min(initial=0.0)), max(_MOST, value.max(initial=0.0))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(DOUBLE_COLUMN, 4.2))
        axis = figure.add_axes((0.085, 0.115, 0.905, 0.87))
        _bars(axis, value, classes, _edges(low, high, bin_width, settings))
        axis.set(xlabel="[Fe/H] (dex)", ylabel="Number of stars", xlim=(low - 0.05, high + 0.05))
        axis.xaxis.set_minor_locator(AutoMinorLocator(5))
        axis.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
        axis.tick_params(top=True, right=True, which="both")
        axis.legend(
            handles=_legend(classes, settings), loc="upper left", bbox_to_anchor=(0.0, 1.0), ncols=1,
            borderaxespad=0.6, handlelength=1.2, labelspacing=0.35,
        )  # fmt: skip
        for name, limits, place in (("VMP", settings.vmp, (0.06, 0.26)), ("MP", settings.mp, (0.315, 0.26))):
            inset = axis.inset_axes((*place, 0.21, 0.4))
            first, last = limits[0] - _REACH, limits[1] + _REACH
            # Bars end where the inset does: its scale is that of its class, not of the stars beside it.
            near = (value > first - bin_width) & (value < last + bin_width)
            edges = _edges(first, last, bin_width / 2.0, settings)
            _bars(inset, value[near], classes[near], edges)
            most = np.histogram(value[classes == name], edges)[0].max(initial=1)
            inset.set(xlim=(first, last), ylim=(0, 1.28 * most))
            _dress(inset, name, int((classes == name).sum()))
        return save(figure, path)


def _edges(low: float, high: float, width: float, settings: MetalPoorSettings) -> Floats:
    """Bins that cover a range, one of which begins at the lower limit of MP."""
    zero = settings.mp[0]
    first, last = np.floor((low - zero) / width - 1e-6), np.ceil((high - zero) / width + 1e-6)
    return np.round(zero + width * np.arange(first, last + 1), 9)


def _bars(axis: Axes, value: Floats, classes: NDArray[np.str_], edges: Floats) -> None:
    """Draw stacked bars, so that the few stars of a class lie on the others of their bin."""
    names = list(_COLOURS)[::-1]
    axis.hist(
        [value[classes == name] for name in names], edges.tolist(), stacked=True, histtype="bar", rwidth=1.0,
        color=[_COLOURS[name] for name in names], edgecolor="white", linewidth=0.3,
    )  # fmt: skip


def _dress(inset: Axes, name: str, count: int) -> None:
    inset.tick_params(labelsize=7.5, pad=2, top=True, right=True, which="both")
    inset.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    inset.xaxis.set_minor_locator(AutoMinorLocator(2))
    inset.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    inset.text(0.05, 0.93, f"{name}: {count:,}", transform=inset.transAxes, fontsize=8.5, va="top",
               color=_COLOURS[name])  # fmt: skip


def _legend(classes: NDArray[np.str_], settings: MetalPoorSettings) -> list[Patch]:
    """Patches with the limits and numbers of the classes."""
    count = {name: int((classes == name).sum()) for name in _COLOURS}
    mp, vmp = (
        tuple(f"{limit:.1f}".replace("-", "−") for limit in pair) for pair in (settings.mp, settings.vmp)
    )
    return [
        Patch(color=_COLOURS[""], label=f"All stars: {len(classes):,}"),
        Patch(color=_COLOURS["MP"], label=f"MP, {mp[0]} ≤ [Fe/H] ≤ {mp[1]}: {count['MP']:,}"),
        Patch(color=_COLOURS["VMP"], label=f"VMP, {vmp[0]} ≤ [Fe/H] < {vmp[1]}: {count['VMP']:,}"),
    ]
