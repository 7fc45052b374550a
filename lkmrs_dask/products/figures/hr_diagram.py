"""Fig. 9: effective temperature against absolute magnitude of classified variable stars."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, STYLE, save
from lkmrs_dask.stars.hr_tracks import PAPER_MASSES, Strip, Track, missing_masses

__all__ = ["CLASS_MARKERS", "figure_hr_classes", "figure_hr_diagram"]

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
_SQUARES = (("kepler", "Kepler/K2", "#f06c9b"), ("tess", "TESS only", "#6cb9e6"))
_TEFF = (10200.0, 3300.0)
_MOST_POINTS = 3000  # beyond, points hide one another: then a density is drawn
_STRIPS: Mapping[str, tuple[str, str, str]] = {
    "deltasct": ("--", "#2255bb", r"$\delta$ Sct strip"),
    "deltasct_theory": ("-", "#2e8b57", r"theoretical $\delta$ Sct strip"),
    "gammador": (":", "#2255bb", r"$\gamma$ Dor strip"),
}  # those of the paper: line, colour and name
_OTHER_STRIP = ("-.", "#2255bb")
_LINE = 190  # characters across the page
_SMALL: dict[str, Any] = {"fontsize": 7.0, "color": "0.3"}


def figure_hr_diagram(
    stars: tuple[ArrayLike, ArrayLike],
    variables: pa.Table,
    path: str | os.PathLike,
    *,
    tracks: Sequence[Track] = (),
    strips: Sequence[Strip] = (),
    masses: Sequence[float] = PAPER_MASSES,
    extinction: str = "",
) -> list[Path]:
    """Draw variables seen by Kepler and K2 (left) and by TESS (right) over all stars of the survey.

    A star seen by both is in both panels; on the right, numbers in parentheses tell how many are.  Stars
    without temperature or magnitude are not drawn, and their number is given; so are masses without a track,
    where there are tracks.

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
    extinction : str
        What to say of it, as `lkmrs_dask.stars.hr_dust.extinction_words` does.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.

    Raises
    ------
    UsageError
        Where a column is missing, or a class is unknown.
    """
    columns, teff, m_g = _columns(variables), *_of_stars(stars)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(DOUBLE_COLUMN, 4.9), layout="constrained")
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        limits = _magnitudes(m_g, columns["m_g"])
        for axis, (mission, title, colour) in zip(panels, _PANELS, strict=True):
            _draw_below(axis, teff, m_g, tracks, strips, limits)
            _draw_variables(axis, columns, mission, title, colour)
            axis.set_xlabel(r"$T_{\rm eff}$ (K)")
        panels[0].set_ylabel(r"$M_G$ (mag)")
        aside = [f"{_aside(columns, mission):,} of {title}" for mission, title, _ in _PANELS]
        _write_notes(figure, [*_notes(tracks, strips, masses), f"not placed: {', '.join(aside)}", extinction])
        return save(figure, path)


def figure_hr_classes(
    stars: tuple[ArrayLike, ArrayLike],
    variables: pa.Table,
    path: str | os.PathLike,
    *,
    tracks: Sequence[Track] = (),
    strips: Sequence[Strip] = (),
    masses: Sequence[float] = PAPER_MASSES,
    extinction: str = "",
) -> list[Path]:
    """Draw a panel for each class: pink squares for what Kepler and K2 classified, blue for TESS alone.

    As in Fig. 9 of the paper, each panel gives the number of its stars, and in parentheses how many of them
    Kepler and K2 contributed.  Arguments, files and errors are those of `figure_hr_diagram`.
    """
    columns, teff, m_g = _columns(variables), *_of_stars(stars)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(DOUBLE_COLUMN, 7.4), layout="constrained")
        panels = figure.subplots(3, 3, sharex=True, sharey=True)
        limits = _magnitudes(m_g, columns["m_g"])
        for axis, (name, (_, _, label)) in zip(panels.flat, CLASS_MARKERS.items(), strict=True):
            _draw_below(axis, teff, m_g, tracks, strips, limits, names=False)
            _draw_class(axis, columns, name, label)
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
        figure.supxlabel(r"$T_{\rm eff}$ (K)", fontsize=10.0)
        figure.supylabel(r"$M_G$ (mag)", fontsize=10.0)
        _write_notes(figure, [*_notes(tracks, strips, masses), extinction])
        return save(figure, path)


def _of_stars(stars: tuple[ArrayLike, ArrayLike]) -> tuple[Floats, Floats]:
    """Temperatures and magnitudes of those that have both."""
    teff, m_g = (np.asarray(one, np.float64).ravel() for one in stars)
    if teff.shape != m_g.shape:
        raise UsageError(f"{len(teff)} temperatures and {len(m_g)} magnitudes: give one each")
    shown = np.isfinite(teff) & np.isfinite(m_g)
    return teff[shown], m_g[shown]


def _notes(tracks: Sequence[Track], strips: Sequence[Strip], masses: Sequence[float]) -> list[str]:
    """Tracks, masses and strips of the paper that are not there, and tracks that are not of MIST."""
    notes = [] if tracks else ["no evolutionary tracks were given"]
    if tracks and (missing := missing_masses(tracks, masses)):
        notes.append(rf"no track of {', '.join(f'{one:g}' for one in missing)} $M_\odot$")
    for model in sorted({one.model for one in tracks} - {"MIST"}):
        named = ", ".join(f"{one.mass:g}" for one in tracks if one.model == model)
        notes.append(rf"track of {model}: {named} $M_\odot$")
    if strips:
        known = {one.name for one in strips}
        notes += [f"no {words}" for name, (_, _, words) in _STRIPS.items() if name not in known]
    return notes


def _aside(columns: Mapping[str, NDArray], mission: str) -> int:
    """Variables that have a class and no place."""
    placed = np.isfinite(columns["teff"]) & np.isfinite(columns["m_g"])
    return int(np.count_nonzero(columns[mission] & (columns["variable_class"] != "") & ~placed))


def _write_notes(figure: Figure, notes: Sequence[str]) -> None:
    """Below the panels, where nothing is hidden."""
    if words := "; ".join(one for one in notes if one):
        figure.text(0.01, -0.005, fill(words, _LINE), ha="left", va="top", **_SMALL)


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


def _draw_below(
    axis: Axes,
    teff: Floats,
    m_g: Floats,
    tracks: Sequence[Track],
    strips: Sequence[Strip],
    limits: tuple[float, float],
    *,
    names: bool = True,
) -> None:
    """All targets, strips and tracks, and the axes."""
    _draw_stars(axis, teff, m_g, limits)
    _draw_strips(axis, strips, names)
    _draw_tracks(axis, tracks, names)
    axis.set(xlim=_TEFF, ylim=limits)
    axis.xaxis.set_major_locator(MultipleLocator(2000.0))
    axis.tick_params(top=True, right=True)


def _draw_stars(axis: Axes, teff: Floats, m_g: Floats, limits: tuple[float, float]) -> None:
    if len(teff) > _MOST_POINTS:
        bins = (np.linspace(_TEFF[1], _TEFF[0], 140), np.linspace(limits[1], limits[0], 140))
        counts, x, y = np.histogram2d(teff, m_g, bins=bins)
        axis.pcolormesh(x, y, np.where(counts > 0, counts, np.nan).T, cmap="Greys", rasterized=True, zorder=0,
                        norm=LogNorm(0.3, max(2.0, 3.0 * counts.max())))  # fmt: skip
    else:
        axis.plot(teff, m_g, ".", color="0.75", markersize=2, markeredgewidth=0, rasterized=True, zorder=0)


def _draw_strips(axis: Axes, strips: Sequence[Strip], names: bool) -> None:
    for name in dict.fromkeys(one.name for one in strips):
        line, colour, words = _STRIPS.get(name, (*_OTHER_STRIP, name))
        edges = [one for one in strips if one.name == name]
        for one in edges:
            axis.plot(one.teff, one.m_g, line, color=colour, linewidth=1.1, zorder=2)
        if names:
            cool = min(edges, key=lambda one: float(one.teff.mean()))
            top = int(np.argmin(cool.m_g))
            axis.annotate(
                words, (cool.teff[top], cool.m_g[top]), (0, 2), textcoords="offset points", fontsize=7,
                color=colour, ha="left", va="bottom", zorder=5,
            )  # fmt: skip
        if len(edges) == 2:
            first, second = edges
            axis.fill(
                np.concatenate([first.teff, second.teff[::-1]]),
                np.concatenate([first.m_g, second.m_g[::-1]]),
                color=colour, alpha=0.07, linewidth=0, zorder=1,
            )  # fmt: skip


def _draw_tracks(axis: Axes, tracks: Sequence[Track], names: bool) -> None:
    for track in tracks:
        axis.plot(track.teff, track.m_g, color="black", linewidth=0.7 if names else 0.5, zorder=2)
        if names:
            # At the main sequence, on its faint side.
            axis.annotate(
                rf"{track.mass:g} $M_\odot$", (track.teff[0], track.m_g[0]), (-3, -2),
                textcoords="offset points", fontsize=7, ha="right", va="center", annotation_clip=True,
                zorder=5,
            )  # fmt: skip


def _draw_variables(
    axis: Axes, columns: Mapping[str, NDArray], mission: str, title: str, colour: str
) -> None:
    classes, here = columns["variable_class"], columns[mission] & (columns["variable_class"] != "")
    both = here & columns["kepler"] if mission != "kepler" else np.zeros(len(here), bool)
    placed = np.isfinite(columns["teff"]) & np.isfinite(columns["m_g"])
    for name, (marker, face, label) in CLASS_MARKERS.items():
        mine = here & (classes == name)
        if not mine.any():
            continue
        shown = mine & placed
        axis.plot(
            columns["teff"][shown], columns["m_g"][shown], marker, color=face, zorder=4,
            label=f"{label} {_counted(mine, both)}", markersize=7.5 if marker == "*" else 4.5,
            markeredgecolor="white", markeredgewidth=0.4,
        )  # fmt: skip
    total, also = int(np.count_nonzero(here)), int(np.count_nonzero(both))
    words = f"{title}: {total:,} variables" + (f" ({also:,} also by Kepler/K2)" if also else "")
    axis.set_title(words, fontsize=9.5, bbox={"facecolor": colour, "edgecolor": "none", "pad": 2.5})
    if total:
        axis.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, fontsize=7.5, handletextpad=0.0,
            columnspacing=0.6, labelspacing=0.35, borderaxespad=0.0,
        )  # fmt: skip


def _draw_class(axis: Axes, columns: Mapping[str, NDArray], name: str, label: str) -> None:
    classified = columns["kepler"] | columns["tess"]
    mine = (columns["variable_class"] == name) & classified
    placed = np.isfinite(columns["teff"]) & np.isfinite(columns["m_g"])
    for mission, words, colour in _SQUARES:
        those = mine & placed & (columns["kepler"] if mission == "kepler" else ~columns["kepler"])
        axis.plot(columns["teff"][those], columns["m_g"][those], "s", color=colour, markersize=3.6,
                  markeredgecolor="0.25", markeredgewidth=0.3, label=words, zorder=4)  # fmt: skip
    aside = int(np.count_nonzero(mine & ~placed))
    words = f"{label}: {_counted(mine, columns['kepler'])}" + (f", {aside:,} not placed" if aside else "")
    axis.set_title(words, fontsize=9.0, pad=3.0)


def _counted(mine: NDArray[np.bool_], some: NDArray[np.bool_]) -> str:
    """How many, and in parentheses how many of them are some."""
    n, of_them = int(np.count_nonzero(mine)), int(np.count_nonzero(mine & some))
    return f"{n:,} ({of_them:,})" if some.any() else f"{n:,}"
