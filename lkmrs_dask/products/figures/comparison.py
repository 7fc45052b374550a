"""Figs. 4 and 5: parameters against those of another survey; and their offsets by Teff and [Fe/H]."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, IMAGES_BELOW, STYLE, save
from lkmrs_dask.stars.comparison import Comparison
from lkmrs_dask.stars.offsets import Offsets
from lkmrs_dask.stars.regression import Line

__all__ = [
    "CORRECTED_COLOUR",
    "LABELS",
    "LINE_COLOUR",
    "SURVEYS",
    "UNITS",
    "density_bar",
    "draw_comparison",
    "draw_density",
    "draw_line",
    "figure_comparison",
    "figure_offsets",
    "number",
]

LABELS = {
    "teff": r"$T_{\rm eff}$",
    "logg": r"$\log g$",
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
_FAINTEST = 0.05  # of the densest pixel: what is below has the colour of the faintest
_COLOURMAP = "viridis"
_STEPS = 64  # contours
_TICKS = (_FAINTEST, 0.1, 0.3, 1.0)
LINE_COLOUR, CORRECTED_COLOUR = "#d62728", "#1a1ab8"
"""Of the paper's regression, and of the one that allows for the errors of both."""


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
    grey points, the 1:1 line (black, dashed), the regression over those pixels (red) and the one that allows
    for the errors of both (blue, thin).  Slope and intercept of the first and the slope of the second stand
    in the lower right corner.

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
        figure = Figure(figsize=(DOUBLE_COLUMN, 3.75))
        panels = figure.subplots(len(_ROWS), len(parameters), squeeze=False)
        figure.subplots_adjust(left=0.07, right=0.93, top=0.95, bottom=0.09, wspace=0.47, hspace=0.36)
        drawn = False
        for row, (sample, title) in enumerate(_ROWS.items()):
            for axis, parameter in zip(panels[row], parameters, strict=True):
                name = _name_and_unit(parameter)
                axis.set_xlabel(f"{theirs} {name}", fontsize=7.5, labelpad=1.5)
                axis.set_ylabel(f"{ours} {name}", fontsize=7.5, labelpad=2.0)
                axis.tick_params(labelsize=7, pad=2)
                one = results.get((parameter, sample))
                drawn |= draw_comparison(axis, one, digits=0 if parameter == "teff" else 3)
            panels[row][0].set_title(title, fontsize=9, loc="left", pad=3)
        if drawn:
            density_bar(figure, (0.945, 0.25, 0.011, 0.5))
        return save(figure, path)


def _name_and_unit(parameter: str) -> str:
    unit = f" ({UNITS[parameter]})" if parameter in UNITS else ""
    return f"{LABELS.get(parameter, parameter)}{unit}"


def density_bar(figure: Figure, place: tuple[float, float, float, float]) -> None:
    """Add the colour bar of `draw_density`: left, bottom, width and height in parts of the figure."""
    wide = place[2] > place[3]
    bar = figure.colorbar(
        ScalarMappable(LogNorm(_FAINTEST, 1.0), _COLOURMAP),
        cax=figure.add_axes(place),
        orientation="horizontal" if wide else "vertical",
    )
    bar.set_label("Density / densest pixel", fontsize=8, labelpad=2)
    bar.ax.tick_params(labelsize=7, which="both", direction="out", pad=2)
    bar.set_ticks(_TICKS, labels=[f"{tick:g}" for tick in _TICKS])
    bar.minorticks_off()


def draw_comparison(axis: Axes, one: Comparison | None, *, digits: int = 3) -> bool:
    """Draw one panel on equal scales: density, 1:1 line, regressions and what they say.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    one : Comparison or None
        None, or one without stars, gives an empty panel that says so.
    digits : int
        Decimals of the intercept where it has no error.

    Returns
    -------
    bool
        Whether there is a density, which needs a colour bar.
    """
    if one is None or one.density is None:
        axis.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
        reason = textwrap.fill("no stars in common" if one is None else one.line.reason, 12)
        axis.text(0.5, 0.5, reason, ha="center", va="center", color="0.45", fontsize=8)
        return False
    limits = _limits(one)
    draw_density(axis, one)
    # The 1:1 line is on top: between its dashes the others are seen.
    axis.plot(limits, limits, "--", color="black", linewidth=0.8, zorder=5)
    draw_line(axis, one.line, limits)
    draw_line(axis, one.corrected, limits, corrected=True)
    line, corrected = one.line, one.corrected
    said: list[tuple[str, str]] = [(line.reason, "black")]
    if not line.reason:
        said = [
            (f"slope {number(line.slope, line.slope_err, 3)}", LINE_COLOUR),
            (f"intercept {number(line.intercept, line.intercept_err, digits)}", LINE_COLOUR),
        ]
    if not corrected.reason:
        slope = number(corrected.slope, corrected.slope_err, 3)
        said.append((f"corr. slope {slope}", CORRECTED_COLOUR))
    plain = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.4}
    for place, (text, colour) in enumerate(reversed(said)):
        axis.annotate(
            text, (0.97, 0.03), (0, 7.6 * place), xycoords="axes fraction", textcoords="offset points",
            ha="right", va="bottom", fontsize=6, color=colour, bbox=plain, zorder=6,
        )  # fmt: skip
    axis.text(
        0.065, 0.96, f"$n$ = {one.n:,}", transform=axis.transAxes, ha="left", va="top", fontsize=7,
        bbox=plain, zorder=6,
    )  # fmt: skip
    axis.set(xlim=limits, ylim=limits)
    for scale in (axis.xaxis, axis.yaxis):
        scale.set_major_locator(MaxNLocator(4))
    return True


def draw_line(
    axis: Axes, line: Line, ends: tuple[float, float], *, corrected: bool = False, residuals: bool = False
) -> None:
    """Draw a regression from one end to the other, if there is one.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    line : Line
    ends : tuple of float
        In theirs.
    corrected : bool
        As the line that allows for the errors of both.
    residuals : bool
        Ours - theirs rather than ours against theirs.
    """
    if line.reason:
        return
    y = [(line.slope - residuals) * x + line.intercept for x in ends]
    # The thin one lies on the thick one, so that both are seen where they are the same.
    colour, width = (CORRECTED_COLOUR, 0.5) if corrected else (LINE_COLOUR, 1.4)
    axis.plot(ends, y, color=colour, linewidth=width, zorder=4.5 if corrected else 4)


def draw_density(axis: Axes, one: Comparison, *, residuals: bool = False) -> None:
    """Draw the stars as grey points, and over them the densest pixels in colours, as filled contours.

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
    size = float(np.clip(60.0 / math.sqrt(one.n), 1.7, 6.0))
    axis.plot(
        one.theirs, one.difference if residuals else one.ours, ".", markersize=size, color="0.6",
        markeredgewidth=0, zorder=1,
    )  # fmt: skip
    x, y = density.centres()
    peak = float(density.values.max())
    # Contours, since pixels that lean have a jagged edge.
    lowest = min(float(density.values[density.retained].min()) / peak, 0.99)
    values = np.maximum(density.values / peak, 1e-3 * lowest)  # colours by a logarithm
    axis.contourf(
        x, y - x if residuals else y, values, np.geomspace(lowest, 1.0, _STEPS), norm=LogNorm(_FAINTEST, 1.0),
        cmap=_COLOURMAP, zorder=1.2,
    )  # fmt: skip
    axis.set_rasterization_zorder(IMAGES_BELOW)


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
            panels[row][0].set_ylabel(f"$\\Delta$ {_name_and_unit(parameter)}", fontsize=9)
            for axis, by in zip(panels[row], ("teff", "feh"), strict=True):
                axis.tick_params(labelsize=8)
                axis.yaxis.set_major_locator(MaxNLocator(5))
                drawn = _draw_offsets(axis, results, parameter, by)
                named |= {name: line for name, line in drawn.items() if name not in named}
        for axis, by in zip(panels[-1], ("teff", "feh"), strict=True):
            axis.set_xlabel(f"{ours} {_name_and_unit(by)}", fontsize=9)
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
