"""Figs. 4 and 5: parameters against those of another survey; and their offsets by Teff and [Fe/H]."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, STYLE, save
from lkmrs_dask.stars.comparison import Comparison
from lkmrs_dask.stars.offsets import Offsets

__all__ = [
    "LABELS",
    "LINE_COLOUR",
    "SURVEYS",
    "UNITS",
    "draw_comparison",
    "draw_density",
    "figure_comparison",
    "figure_offsets",
    "number",
]

LABELS = {
    "teff": r"$T_{\rm eff}$",
    "logg": r"$\log\,g$",
    "feh": "[Fe/H]",
    "alpha_m": r"[$\alpha$/M]",
    "rv": "RV",
}
"""How parameters are written; see `UNITS`."""

UNITS = {"teff": "K", "logg": "dex", "feh": "dex", "alpha_m": "dex", "rv": r"km s$^{-1}$"}
SURVEYS = {"apogee": "APOGEE", "galah": "GALAH", "gaia": "Gaia"}
"""How surveys are written."""

_COLOURS = {"apogee": "#1f5fa8", "galah": "#d1662a", "gaia": "#3a8f4d"}
_ROWS = {"giant": "Giants", "dwarf": "Dwarfs"}
_FAINTEST = 0.05  # of the densest pixel: below it pixels have the colour of the faintest
LINE_COLOUR = "#d62728"


def figure_comparison(
    results: Mapping[tuple[str, str], Comparison],
    survey: str,
    path: str | os.PathLike,
    *,
    parameters: Sequence[str] = ("teff", "logg", "feh", "alpha_m"),
    ours: str = "LK-MRS",
) -> list[Path]:
    """Draw giants (top) and dwarfs (bottom), a column per parameter.

    Each panel has the smoothed density of the densest pixels in colours of its logarithm, the other stars as
    grey points, the 1:1 line (black, dashed) and the regression over those pixels (red), whose slope and
    intercept stand in the lower right corner.

    Parameters
    ----------
    results : mapping
        `Comparison` by parameter and class (``giant``, ``dwarf``); a panel without one says so.
    survey : str
        ``apogee``, ``galah``, or any name.
    path : path
        Folder and name of the figure, without ending.
    parameters : sequence of str
        Columns of the figure.
    ours : str
        Name of this survey.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.
    """
    theirs = SURVEYS.get(survey, survey)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(DOUBLE_COLUMN, 3.9))
        panels = figure.subplots(len(_ROWS), len(parameters), squeeze=False)
        figure.subplots_adjust(left=0.075, right=0.915, top=0.93, bottom=0.09, wspace=0.24, hspace=0.28)
        mesh = None
        for row, (sample, title) in enumerate(_ROWS.items()):
            for axis, parameter in zip(panels[row], parameters, strict=True):
                name, unit = LABELS.get(parameter, parameter), UNITS.get(parameter, "")
                axis.set_xlabel(f"{theirs}" + (f" ({unit})" if unit else ""), fontsize=8, labelpad=2)
                axis.tick_params(labelsize=7.5, pad=2)
                if row == 0:
                    axis.set_title(name, fontsize=10)
                one = results.get((parameter, sample))
                mesh = draw_comparison(axis, one, digits=0 if parameter == "teff" else 3) or mesh
            panels[row][0].set_ylabel(f"{title}\n{ours}", fontsize=8.5, labelpad=2)
        if mesh is not None:
            bar = figure.colorbar(mesh, cax=figure.add_axes((0.93, 0.25, 0.013, 0.5)))
            bar.set_label("Density / densest pixel", fontsize=8.5)
            bar.ax.tick_params(labelsize=7.5, which="both", direction="out")
        return save(figure, path)


def draw_comparison(axis: Axes, one: Comparison | None, *, digits: int = 3) -> QuadMesh | None:
    """Draw one panel on equal scales: density, 1:1 line, regression and what it says.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    one : Comparison or None
        None, or one without stars, gives an empty panel that says so.
    digits : int
        Decimals of the intercept where it has no error.

    Returns
    -------
    matplotlib.collections.QuadMesh or None
        The density, for a colour bar.
    """
    if one is None or one.density is None:
        axis.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
        axis.text(0.5, 0.5, "no stars\nin common", ha="center", va="center", color="0.45", fontsize=8)
        return None
    limits = _limits(one)
    mesh = draw_density(axis, one)
    axis.plot(limits, limits, "--", color="black", linewidth=0.9, zorder=4)
    line = one.line
    if not line.reason:
        axis.plot(
            limits,
            [line.slope * x + line.intercept for x in limits],
            color=LINE_COLOUR,
            linewidth=0.9,
            zorder=5,
        )
    said = line.reason or "\n".join(
        (
            f"slope {number(line.slope, line.slope_err, 3)}",
            f"intercept {number(line.intercept, line.intercept_err, digits)}",
        )
    )
    halo = [withStroke(linewidth=1.5, foreground="white")]
    for x, y, text, size, ha, va in (
        (0.97, 0.03, said, 6.3, "right", "bottom"),
        (0.04, 0.96, f"$n$ = {one.n:,}", 7.0, "left", "top"),
    ):
        axis.text(
            x, y, text, transform=axis.transAxes, ha=ha, va=va, fontsize=size, path_effects=halo, zorder=6
        )
    axis.set(xlim=limits, ylim=limits)
    for scale in (axis.xaxis, axis.yaxis):
        scale.set_major_locator(MaxNLocator(4))
    return mesh


def draw_density(axis: Axes, one: Comparison, *, residuals: bool = False) -> QuadMesh:
    """Draw the stars as grey points, and over them the densest pixels in colours.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    one : Comparison
        With stars.
    residuals : bool
        Ours - theirs rather than ours against theirs.
    """
    density = one.density
    assert density is not None
    shown = np.where(density.retained, density.values, np.nan)
    x, y = density.corners()
    size = float(np.clip(60.0 / math.sqrt(one.n), 1.0, 6.0))
    axis.plot(
        one.theirs, one.difference if residuals else one.ours, ".", markersize=size, color="0.7",
        markeredgewidth=0, rasterized=True,
    )  # fmt: skip
    return axis.pcolormesh(
        x, y - x if residuals else y, shown / np.nanmax(shown), norm=LogNorm(_FAINTEST, 1.0), cmap="viridis",
        rasterized=True, zorder=3,
    )  # fmt: skip


def _limits(one: Comparison) -> tuple[float, float]:
    """Scale that holds nearly all stars on both axes, and room about them."""
    ends = np.concatenate([np.percentile(values, [2.0, 98.0]) for values in (one.theirs, one.ours)])
    low, high = float(ends.min()), float(ends.max())
    room = 0.15 * (high - low) or max(0.5, 1e-6 * abs(low))
    return low - room, high + room


def number(value: float, error: float, digits: int) -> str:
    """Value and error to two figures of the error, or the value to so many decimals without one."""
    if not math.isfinite(error) or error <= 0:
        return f"{value:.{digits}f}".replace("-", "−")
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}".replace("-", "−")


def figure_offsets(
    results: Mapping[tuple[str, str, str], Offsets],
    path: str | os.PathLike,
    *,
    parameters: Sequence[str] = ("teff", "logg", "feh", "alpha_m", "rv"),
    ours: str = "LK-MRS",
) -> list[Path]:
    """Draw medians of ours - theirs in windows of Teff (left) and [Fe/H] (right), a row per parameter.

    Parameters
    ----------
    results : mapping
        `Offsets` by survey, parameter and quantity (``teff``, ``feh``).
    path : path
        Folder and name of the figure, without ending.
    parameters : sequence of str
        Rows of the figure.
    ours : str
        Name of this survey.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(DOUBLE_COLUMN, 0.6 + 1.25 * len(parameters)), layout="constrained")
        panels = figure.subplots(len(parameters), 2, squeeze=False, sharex="col", sharey="row")
        named: dict[str, object] = {}
        for row, parameter in enumerate(parameters):
            unit = f" ({UNITS[parameter]})" if parameter in UNITS else ""
            panels[row][0].set_ylabel(f"$\\Delta$ {LABELS.get(parameter, parameter)}{unit}", fontsize=9)
            for axis, by in zip(panels[row], ("teff", "feh"), strict=True):
                axis.tick_params(labelsize=8)
                axis.yaxis.set_major_locator(MaxNLocator(5))
                drawn = _draw_offsets(axis, results, parameter, by)
                named |= {name: line for name, line in drawn.items() if name not in named}
        for axis, by in zip(panels[-1], ("teff", "feh"), strict=True):
            axis.set_xlabel(f"{ours} {LABELS[by]} ({UNITS[by]})", fontsize=9)
        if named:
            panels[0][0].legend(named.values(), named.keys(), fontsize=8, loc="best")
        return save(figure, path)


def _draw_offsets(
    axis: Axes, results: Mapping[tuple[str, str, str], Offsets], parameter: str, by: str
) -> dict[str, object]:
    """Draw one panel, and give what stands for each survey in a legend."""
    named: dict[str, object] = {}
    for (survey, what, quantity), one in results.items():
        some = np.isfinite(one.median)
        if (what, quantity) == (parameter, by) and some.any():
            named[SURVEYS.get(survey, survey)] = axis.errorbar(
                one.centre[some], one.median[some], one.error[some], marker="o", markersize=3, linewidth=1,
                color=_COLOURS.get(survey),
            )  # fmt: skip
    if named:
        axis.axhline(0.0, color="black", linestyle="--", linewidth=0.8)
    else:
        axis.text(0.5, 0.5, "too few stars in common", transform=axis.transAxes, ha="center", va="center",
                  color="0.45", fontsize=8)  # fmt: skip
    return named
