"""Fig. 9: effective temperature against absolute magnitude of classified variable stars."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, STYLE, save
from lkmrs_dask.stars.hr_tracks import PAPER_MASSES, Strip, Track, missing_masses

__all__ = ["CLASS_MARKERS", "figure_hr_diagram"]

Floats = NDArray[np.float64]

CLASS_MARKERS: Mapping[str, tuple[str, str, str]] = {
    "rotation": ("o", "#8c6d31", "rotation"),
    "EB": ("s", "#d62728", "EB"),
    "GDOR": ("^", "#1f77b4", r"$\gamma$ Dor"),
    "hybrid": ("D", "#9467bd", "hybrid"),
    "DSCT": ("v", "#17becf", r"$\delta$ Sct"),
    "RG": ("p", "#ff7f0e", "red giant"),
    "RSCVn": ("h", "#e377c2", "RS CVn"),
    "RRL": ("*", "#2ca02c", "RR Lyr"),
    "uncertain": ("X", "black", "uncertain"),
}
"""Marker, colour and name of each class, in the order in which they are drawn."""

_PANELS = (("kepler", "Kepler/K2", "#fbd3e1"), ("tess", "TESS", "#d3e9f7"))
_TEFF = (10200.0, 3300.0)
_MOST_POINTS = 3000  # beyond, points hide one another: then a density is drawn
_STRIP_COLOUR = "#2255bb"
_LINES = {"deltasct": "--", "gammador": ":"}


def figure_hr_diagram(
    stars: tuple[ArrayLike, ArrayLike],
    variables: pa.Table,
    path: str | os.PathLike,
    *,
    tracks: Sequence[Track] = (),
    strips: Sequence[Strip] = (),
    masses: Sequence[float] = PAPER_MASSES,
) -> list[Path]:
    """Draw variables seen by Kepler and K2 (left) and by TESS (right) over all stars of the survey.

    A star seen by both is in both panels.  Stars without temperature or magnitude are not drawn, and their
    number is given; so are masses without a track, where there are tracks.

    Parameters
    ----------
    stars : tuple of array_like
        teff (K) and m_g (mag) of all targets.
    variables : pyarrow.Table
        Columns ``teff``, ``m_g``, ``variable_class`` (see `CLASS_MARKERS`), and ``kepler`` and ``tess``:
        whether the class is from their light curves.
    path : path
        Folder and name of the figure, without ending.
    tracks : sequence of Track
        From `lkmrs_dask.stars.hr_tracks.read_tracks`.
    strips : sequence of Strip
        From `lkmrs_dask.stars.hr_tracks.read_strips`; the two edges of a strip have one name.
    masses : sequence of float
        Masses that tracks should have, solar masses.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.

    Raises
    ------
    UsageError
        Where a column is missing, or a class is unknown.
    """
    columns = _columns(variables)
    teff, m_g = (np.asarray(one, np.float64).ravel() for one in stars)
    if teff.shape != m_g.shape:
        raise UsageError(f"{len(teff)} temperatures and {len(m_g)} magnitudes: give one each")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(DOUBLE_COLUMN, 4.3), layout="constrained")
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        shown = np.isfinite(teff) & np.isfinite(m_g)
        limits = _magnitudes(m_g[shown], columns["m_g"])
        for axis, (mission, title, colour) in zip(panels, _PANELS, strict=True):
            _draw_stars(axis, teff[shown], m_g[shown], limits)
            _draw_strips(axis, strips)
            _draw_tracks(axis, tracks)
            _draw_variables(axis, columns, mission, title, colour)
            axis.set(xlim=_TEFF, ylim=limits, xlabel=r"$T_{\rm eff}$ (K)")
            axis.tick_params(top=True, right=True)
        panels[0].set_ylabel(r"$M_G$ (mag)")
        missing = missing_masses(tracks, masses) if tracks else []
        if missing:
            named = ", ".join(f"{one:g}" for one in missing)
            panels[0].text(0.02, 0.015, rf"no track of {named} $M_\odot$", transform=panels[0].transAxes,
                           fontsize=7, color="0.35")  # fmt: skip
        return save(figure, path)


def _columns(variables: pa.Table) -> dict[str, NDArray]:
    wanted = ("teff", "m_g", "variable_class", "kepler", "tess")
    if missing := [name for name in wanted if name not in variables.column_names]:
        raise UsageError(f"the table of variables has no columns {', '.join(missing)}")
    numbers = {
        name: variables.column(name).cast(pa.float64()).fill_null(np.nan).to_numpy() for name in wanted[:2]
    }
    classes = np.array(variables.column("variable_class").fill_null("").to_pylist(), str)
    flags = {name: np.array(variables.column(name).fill_null(False).to_pylist(), bool) for name in wanted[3:]}
    if unknown := sorted(set(classes.tolist()) - set(CLASS_MARKERS) - {""}):
        raise UsageError(f"unknown classes {', '.join(unknown)}; known are {', '.join(CLASS_MARKERS)}")
    return {**numbers, "variable_class": classes, **flags}


def _magnitudes(stars: Floats, variables: Floats) -> tuple[float, float]:
    """Ordinate, bright stars on top: all but the outermost thousandths of the stars, and all variables."""
    usual = np.quantile(stars, [0.001, 0.999]) if len(stars) else np.array([-1.0, 9.0])
    both = np.concatenate([usual, variables[np.isfinite(variables)]])
    return min(11.0, max(10.2, float(both.max()) + 0.5)), max(-4.5, min(-1.5, float(both.min()) - 0.5))


def _draw_stars(axis: Axes, teff: Floats, m_g: Floats, limits: tuple[float, float]) -> None:
    if len(teff) > _MOST_POINTS:
        bins = (np.linspace(_TEFF[1], _TEFF[0], 140), np.linspace(limits[1], limits[0], 140))
        counts, x, y = np.histogram2d(teff, m_g, bins=bins)
        axis.pcolormesh(x, y, np.where(counts > 0, counts, np.nan).T, cmap="Greys", rasterized=True, zorder=0,
                        norm=LogNorm(0.3, max(2.0, 3.0 * counts.max())))  # fmt: skip
    else:
        axis.plot(teff, m_g, ".", color="0.75", markersize=2, markeredgewidth=0, rasterized=True, zorder=0)


def _draw_strips(axis: Axes, strips: Sequence[Strip]) -> None:
    for name in dict.fromkeys(one.name for one in strips):
        edges = [one for one in strips if one.name == name]
        for one in edges:
            axis.plot(one.teff, one.m_g, _LINES.get(name, "-."), color=_STRIP_COLOUR, linewidth=1.1, zorder=2)
        if len(edges) == 2:
            first, second = edges
            axis.fill(
                np.concatenate([first.teff, second.teff[::-1]]),
                np.concatenate([first.m_g, second.m_g[::-1]]),
                color=_STRIP_COLOUR, alpha=0.07, linewidth=0, zorder=1,
            )  # fmt: skip


def _draw_tracks(axis: Axes, tracks: Sequence[Track]) -> None:
    for track in tracks:
        axis.plot(track.teff, track.m_g, color="black", linewidth=0.7, zorder=2)
        # At the main sequence, on its faint side.
        axis.annotate(
            rf"{track.mass:g} $M_\odot$", (track.teff[0], track.m_g[0]), (-3, -2), textcoords="offset points",
            fontsize=7, ha="right", va="center", annotation_clip=True, zorder=5,
        )  # fmt: skip


def _draw_variables(
    axis: Axes, columns: Mapping[str, NDArray], mission: str, title: str, colour: str
) -> None:
    classes, here = columns["variable_class"], columns[mission] & (columns["variable_class"] != "")
    placed = np.isfinite(columns["teff"]) & np.isfinite(columns["m_g"])
    for name, (marker, face, label) in CLASS_MARKERS.items():
        mine = here & (classes == name)
        n = int(np.count_nonzero(mine))
        if not n:
            continue
        shown = mine & placed
        axis.plot(
            columns["teff"][shown], columns["m_g"][shown], marker, color=face, zorder=4,
            label=f"{label} ({n})", markersize=7.5 if marker == "*" else 4.5, markeredgecolor="white",
            markeredgewidth=0.4,
        )  # fmt: skip
    total, aside = int(np.count_nonzero(here)), int(np.count_nonzero(here & ~placed))
    axis.set_title(f"{title}: {total:,} variables", fontsize=9.5,
                   bbox={"facecolor": colour, "edgecolor": "none", "pad": 2.5})  # fmt: skip
    if total:
        # Between the main sequence and the hot side there are no stars.
        axis.legend(
            loc="lower left",
            bbox_to_anchor=(0.0, 0.035),
            fontsize=7.5,
            handletextpad=0.2,
            borderaxespad=0.3,
            labelspacing=0.35,
        )
    if aside:
        axis.text(0.02, 0.985, f"{aside:,} not placed", transform=axis.transAxes, fontsize=7, color="0.35",
                  va="top")  # fmt: skip
