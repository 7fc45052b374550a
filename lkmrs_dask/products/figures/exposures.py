"""Fig. 2: how often the stars were observed, in the Kepler and in the K2 fields."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, STYLE, save
from lkmrs_dask.stars.overview import reverse_cumulative

__all__ = ["figure_exposures"]

_COLOURS = {"Kepler": "#7b7fd1", "K2": "#f0a04b"}
_MOST_BARS = 90


def figure_exposures(
    n_exposures: ArrayLike,
    field: pa.Array | pa.ChunkedArray | Sequence[str | None],
    path: str | os.PathLike,
) -> list[Path]:
    """Draw histograms of exposures per star with reverse cumulative distributions, for Kepler and for K2.

    Parameters
    ----------
    n_exposures : array_like of int, one per star
        Exposures of each star (``targets.n_exposures``).
    field : arrow array or sequence of str
        ``Kepler``, ``K2`` or null for each star; stars of no field are drawn in neither panel.
    path : path
        Folder and name of the figure, without ending.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.
    """
    number = np.asarray(n_exposures, dtype=np.int64)
    names = np.asarray(
        field.to_pylist() if isinstance(field, pa.Array | pa.ChunkedArray) else field, dtype=object
    )
    with mpl.rc_context(STYLE):
        apart = ConstrainedLayoutEngine(wspace=0.06)  # two scales meet between the panels
        figure = Figure(figsize=(DOUBLE_COLUMN, 2.9), layout=apart)
        panels = figure.subplots(1, len(_COLOURS), squeeze=False)[0]
        scales = [
            _panel(axis, number[names == name], name, colour)
            for axis, (name, colour) in zip(panels, _COLOURS.items(), strict=True)
        ]
        for scale in [scale for scale in scales if scale is not None][-1:]:
            scale.set_ylabel(r"Fraction of stars with $\geq t$ exposures", fontsize=9)
        panels[0].set_ylabel("Stars")
        return save(figure, path)


def _panel(axis: Axes, number: NDArray[np.int64], name: str, colour: str) -> Axes | None:
    """Draw one field: bars on the left scale, the fraction of stars on the right one, which is returned."""
    axis.set_xlabel("Exposures per star")
    axis.set_title(f"{name}: {len(number):,} star{'' if len(number) == 1 else 's'}", fontsize=10)
    axis.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    if not len(number):
        axis.set(xlim=(0, 1), ylim=(0, 1), yticks=[], xticks=[])
        axis.text(0.5, 0.5, f"no stars in a {name} field", ha="center", va="center", color="0.45")
        return None
    most = int(number.max())
    width = max(1, -(-most // _MOST_BARS))
    edges = np.arange(int(number.min()) // width * width, most + width + 1, width) - 0.5
    right = max(most, 5) + max(0.03 * most, 1.0)
    stars, _ = np.histogram(number, edges)
    line = 0.25 if most < 60 else 0.1
    axis.bar(edges[:-1], stars, width, align="edge", color=colour, edgecolor="white", linewidth=line)
    axis.set(xlim=(-0.7, right), ylim=(0, stars.max() * 1.18))
    axis.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))

    threshold, fraction = reverse_cumulative(number)
    scale = axis.twinx()
    # "pre": between two integers, as many stars have at least x exposures as have the upper one.
    x, y = np.append(threshold, most), np.append(fraction, 0.0)
    scale.step(np.append(-0.7, x), np.append(1.0, y), where="pre", color="black", linewidth=1.1)
    scale.set(ylim=(0, 1.18), yticks=np.linspace(0, 1, 6))

    median = float(np.median(number))
    scale.axvline(median, color="#d62728", linestyle="--", linewidth=1.3)
    leftwards = median > 0.6 * right
    scale.annotate(
        f"median {median:g}",
        (median, 1.09),
        xytext=(-4 if leftwards else 4, 0),
        textcoords="offset points",
        ha="right" if leftwards else "left",
        va="center",
        color="#d62728",
        fontsize=9,
    )
    return scale
