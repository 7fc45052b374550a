"""Fig. 6: radial velocities against those of other surveys, their residuals and how these are distributed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import MaxNLocator

from lkmrs_dask.products.figures.comparison import (
    SURVEYS,
    UNITS,
    density_bar,
    draw_comparison,
    draw_density,
    draw_line,
)
from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, STYLE, save
from lkmrs_dask.stars.comparison import Comparison

__all__ = ["figure_velocities"]

_ROWS = {"giant": "Giants", "dwarf": "Dwarfs"}
_BINS = 41
_COLUMNS = 3


def figure_velocities(
    results: Mapping[tuple[str, str], Comparison],
    path: str | os.PathLike,
    *,
    surveys: Sequence[str] = ("gaia", "apogee", "galah"),
    ours: str = "LK-MRS",
) -> list[Path]:
    """Draw giants (top) and dwarfs (bottom), a column per survey, three surveys a figure.

    Each group of panels has the comparison as in Figs. 4 and 5, below it ours - theirs in the same way, and
    beside that the histogram, with mean and root mean square of all stars, and median and robust scatter.

    Parameters
    ----------
    results : mapping
        `Comparison` by survey and class (``giant``, ``dwarf``); a group without one says so.
    path : path
        Folder and name of the figure, without ending.  With more than three surveys there are more figures,
        whose names end in ``_2``, ``_3``, ...
    surveys : sequence of str
        Columns of the figures.
    ours : str
        Name of this survey.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF of each.
    """
    base, written = Path(path), []
    if base.suffix in (".png", ".pdf"):
        base = base.with_suffix("")
    for first in range(0, max(len(surveys), 1), _COLUMNS):
        ending = f"_{first // _COLUMNS + 1}" if first else ""
        some = surveys[first : first + _COLUMNS]
        written += _one_figure(results, base.with_name(base.name + ending), some, ours)
    return written


def _one_figure(
    results: Mapping[tuple[str, str], Comparison], path: Path, surveys: Sequence[str], ours: str
) -> list[Path]:
    """Draw up to three surveys; with fewer there is room at the right, which `save` cuts off."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(DOUBLE_COLUMN, 6.6))
        groups = figure.add_gridspec(
            len(_ROWS), _COLUMNS, left=0.075, right=0.995, top=0.965, bottom=0.09, wspace=0.17, hspace=0.2
        )
        drawn = False
        for row, (sample, title) in enumerate(_ROWS.items()):
            for column, survey in enumerate(surveys):
                one = results.get((survey, sample))
                name = SURVEYS.get(survey, survey)
                place = groups[row, column]
                drawn |= _group(figure, place, one, f"{name}, {title.lower()}", name, ours, column == 0)
        if drawn:
            middle = 0.075 + 0.46 * max(len(surveys), 1) / _COLUMNS
            density_bar(figure, (middle - 0.13, 0.018, 0.26, 0.009))
        return save(figure, path)


def _group(
    figure: Figure,
    place: SubplotSpec,
    one: Comparison | None,
    title: str,
    theirs: str,
    ours: str,
    first: bool,
) -> bool:
    """Draw one survey and class, and tell whether there is a density."""
    cells = place.subgridspec(2, 2, width_ratios=(1, 0.42), height_ratios=(1, 0.52), wspace=0.04, hspace=0.04)
    main = figure.add_subplot(cells[0, 0])
    draw_comparison(main, one, digits=2)
    main.set_title(title, fontsize=9.5, loc="left")
    main.tick_params(labelsize=7.5, labelbottom=False, pad=2)
    rest = figure.add_subplot(cells[1, 0])
    rest.set_xlabel(rf"{theirs} RV (km s$^{{-1}}$)", fontsize=8, labelpad=2)
    rest.tick_params(labelsize=7.5, pad=2)
    if first:
        main.set_ylabel(rf"{ours} RV (km s$^{{-1}}$)", fontsize=8, labelpad=2)
        rest.set_ylabel(r"$\Delta$RV (km s$^{-1}$)", fontsize=8, labelpad=2)
        figure.align_ylabels([main, rest])
    if one is None or not one.n:
        rest.set(xticks=[], yticks=[])
        return False
    numbers = one.residuals
    # Residuals of binaries reach far: the scale is that of most stars.
    reach = max(6.0 * numbers.robust_scatter, 1e-3) if one.n > 1 else 1.0
    low, high = numbers.median - reach, numbers.median + reach
    draw_density(rest, one, residuals=True)
    rest.axhline(0.0, color="black", linestyle="--", linewidth=0.9, zorder=5)
    draw_line(rest, one.line, main.get_xlim(), residuals=True)
    draw_line(rest, one.corrected, main.get_xlim(), corrected=True, residuals=True)
    rest.set(xlim=main.get_xlim(), ylim=(low, high))
    rest.xaxis.set_major_locator(MaxNLocator(4))
    rest.yaxis.set_major_locator(MaxNLocator(5, prune="upper"))

    side = figure.add_subplot(cells[1, 1])
    side.hist(
        one.difference, np.linspace(low, high, _BINS).tolist(), orientation="horizontal", color="#7b9fc4"
    )
    side.axhline(0.0, color="black", linestyle="--", linewidth=0.9)
    side.set(ylim=(low, high), xticks=[], yticks=[])
    beyond = int((np.abs(one.difference - numbers.median) > reach).sum())
    lines = [
        rf"$\Delta$RV ({UNITS['rv']})",
        f"mean {numbers.mean:.2f}".replace("-", "−"),
        f"RMS {numbers.rms:.2f}",
        f"median {numbers.median:.2f}".replace("-", "−"),
        rf"robust $\sigma$ {numbers.robust_scatter:.2f}",
        *([f"{beyond:,} beyond", "the scale"] if beyond else []),
    ]
    corner = figure.add_subplot(cells[0, 1])
    corner.axis("off")
    corner.text(
        0.02, 0.0, "\n".join(lines), transform=corner.transAxes, ha="left", va="bottom",
        fontsize=7, linespacing=1.35,
    )  # fmt: skip
    return True
