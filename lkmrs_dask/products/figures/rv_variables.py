"""Scatter of radial velocities against their errors, and the stars that vary (section 4.3)."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, STYLE, save
from lkmrs_dask.stars.rv_settings import RvVariableSettings

__all__ = ["figure_rv_variables"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_VARIABLE = "#d62728"
_EDGES = [10.0 ** (k / 10.0) for k in range(-15, 26)]
_MOST_POINTS = 3000  # beyond, points hide one another: then a density is drawn


def figure_rv_variables(
    variability: pa.Table, path: str | os.PathLike, settings: RvVariableSettings | None = None
) -> list[Path]:
    """Draw standard deviation against mean error (left), and the distribution of their ratio (right).

    RV variables are red.  Stars that cannot be judged are not drawn, and their number is given.

    Parameters
    ----------
    variability : pyarrow.Table
        From `lkmrs_dask.stars.rv_variability.rv_variability`.
    path : path
        Folder and name of the figure, without ending.
    settings : RvVariableSettings, optional
        With which it was made: the threshold that is drawn.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.
    """
    settings = settings or RvVariableSettings()
    error, std = (variability.column(f"rv_{name}").to_numpy() for name in ("typical_error", "std"))
    variable = variability.column("rv_variable").to_numpy(zero_copy_only=False).astype(bool)
    judged = np.array(variability.column("rv_not_judged").is_null().to_pylist(), bool)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(DOUBLE_COLUMN, 3.1), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1.0))
        if judged.any():
            _draw_scatter(figure, left, error[judged], std[judged], variable[judged], settings)
            _draw_ratio(right, std[judged] / error[judged], variable[judged], settings)
        else:
            for axis in (left, right):
                axis.set(xticks=[], yticks=[])
                axis.text(0.5, 0.5, "no star has enough velocities", transform=axis.transAxes, ha="center",
                          va="center", color="0.45", fontsize=9)  # fmt: skip
        aside = len(judged) - int(judged.sum())
        if aside:
            left.text(0.97, 0.03, f"{aside:,} stars not judged", transform=left.transAxes, ha="right",
                      va="bottom", fontsize=7.5, color="0.35")  # fmt: skip
        return save(figure, path)


def _draw_scatter(
    figure: Figure, axis: Axes, error: Floats, std: Floats, variable: Bools, settings: RvVariableSettings
) -> None:
    constant = ~variable & (std > 0)
    if np.count_nonzero(constant) > _MOST_POINTS:
        bins = (np.geomspace(*_ends(error), 70), np.geomspace(*_ends(std[std > 0]), 90))
        counts, x, y = np.histogram2d(error[constant], std[constant], bins=bins)
        mesh = axis.pcolormesh(
            x, y, np.where(counts > 0, counts, np.nan).T, norm=LogNorm(), cmap="Greys", rasterized=True
        )
        bar = figure.colorbar(mesh, ax=axis, pad=0.02, fraction=0.05)
        bar.set_label("Stars without variation", fontsize=8.5)
        bar.ax.tick_params(labelsize=7.5, which="both", direction="out")
    else:
        axis.plot(error[constant], std[constant], ".", color="0.55", markersize=3, markeredgewidth=0)
    axis.plot(
        error[variable], std[variable], ".", color=_VARIABLE, markersize=2.5, markeredgewidth=0,
        rasterized=True, label=f"{np.count_nonzero(variable):,} RV variables",
    )  # fmt: skip
    ends = np.array(_ends(error))
    axis.plot(
        ends, settings.n_sigma * ends, "--", color="black", linewidth=0.9,
        label=rf"{settings.n_sigma:g} $\times$ mean error",
    )  # fmt: skip
    lowest, highest = _ends(std[std > 0] if np.any(std > 0) else ends)
    axis.set(
        xscale="log", yscale="log", xlim=tuple(ends), ylim=(lowest, 5.0 * highest)
    )  # room for the legend
    # Errors span less than a decade: a few round numbers, written as such.
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel(r"Mean RV error (km s$^{-1}$)")
    axis.set_ylabel(r"Standard deviation of RV (km s$^{-1}$)")
    axis.legend(loc="upper left", fontsize=8, markerscale=3.0)


def _draw_ratio(axis: Axes, ratio: Floats, variable: Bools, settings: RvVariableSettings) -> None:
    shown = np.clip(ratio, _EDGES[0], _EDGES[-1])
    axis.hist(shown, _EDGES, histtype="step", color="0.35", linewidth=1.0, label="judged")
    axis.hist(shown[variable], _EDGES, color=_VARIABLE, alpha=0.55, label="RV variables")
    axis.axvline(settings.n_sigma, linestyle="--", color="black", linewidth=0.9)
    axis.set(xscale="log", yscale="log", ylim=(0.7, None), xlim=(_EDGES[0], _EDGES[-1]))
    axis.set_xlabel("Standard deviation / mean error")
    axis.set_ylabel("Stars")
    axis.legend(loc="upper right", fontsize=8)


def _ends(values: Floats) -> tuple[float, float]:
    """Least and largest value, with room on a logarithmic scale."""
    return 0.9 * float(values.min()), 1.1 * float(values.max())
