"""Fig. 3: deviations of spectra from the mean of their star against S/N, and the error law."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, IMAGES_BELOW, STYLE, save
from lkmrs_dask.stars.error_law import ErrorLaw, clip_parameter
from lkmrs_dask.stars.error_settings import ErrorLawSettings
from lkmrs_dask.stars.error_summary import SNR_EDGES, DeviationSummary, ParameterSummary, deviation_edges

__all__ = ["figure_errors", "figure_stated_errors"]

_LABELS = {
    "teff": r"$\Delta T_{\rm eff}$ (K)",
    "logg": r"$\Delta\log g$ (dex)",
    "feh": r"$\Delta$[Fe/H] (dex)",
    "alpha_m": r"$\Delta[\alpha$/M] (dex)",
    "rv": r"$\Delta$RV (km s$^{-1}$)",
    "vsini": r"$\Delta v\,\sin i$ (km s$^{-1}$)",
}
_KEPT = LinearSegmentedColormap.from_list("kept", ["#d5f4f7", "#5fd3df", "#0fa9ba", "#04646f"])
_OUTLIERS = LinearSegmentedColormap.from_list("outliers", ["#d4d4d4", "#6e6e6e"])
_FAINTEST = 0.1  # deviations of a cell: that of a single one where bins of the histogram are wide
_CELLS = 120  # across a panel
_WIDTH = 5.0  # errors at low S/N from the middle of a panel to its side
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

Floats = NDArray[np.float64]


class _Map(NamedTuple):
    """Deviations on an even grid: x and y edges, those kept, the outliers, and how many are not on it."""

    x: Floats
    y: Floats
    kept: Floats
    outliers: Floats
    beyond: int


def figure_errors(
    summary: DeviationSummary,
    laws: Mapping[str, ErrorLaw],
    path: str | os.PathLike,
    settings: ErrorLawSettings | None = None,
) -> list[Path]:
    """Draw a panel a parameter: S/N upward, deviations kept (cyan) and rejected (gray), +- the law (dashed).

    The darker the more deviations there are in a cell of the panel: a summary has no rows to draw.
    Deviations beyond the panel are counted in it.

    Parameters
    ----------
    summary : DeviationSummary
        Of the survey.
    laws : mapping
        `ErrorLaw` by parameter, fitted to it.
    path : path
        Folder and name of the figure, without ending.
    settings : ErrorLawSettings, optional
        With which the laws were fitted: what is clipped follows from them.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.
    """
    settings = settings or ErrorLawSettings()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(DOUBLE_COLUMN, 5.2), layout="constrained")
        panels = figure.subplots(2, 3).ravel()
        maps = {
            name: _rebinned(name, one, laws[name], settings)
            for name, one in summary.parameters.items()
            if one.n_spectra
        }
        kept, outliers = (
            LogNorm(_FAINTEST, max([float(getattr(one, which).max()) for one in maps.values()] + [1.0]))
            for which in ("kept", "outliers")
        )
        for axis, name in zip(panels, _LABELS, strict=True):
            axis.set_xlabel(_LABELS[name])
            if name in maps:
                _panel(axis, maps[name], laws[name], kept, outliers)
            else:
                axis.set(xlim=(-1, 1), ylim=(0, 1), xticks=[], yticks=[])
                axis.text(0.5, 0.5, "no deviations", ha="center", color="0.45", transform=axis.transAxes)
        for axis in panels[::3]:
            axis.set_ylabel("S/N")
        if maps:
            _bar(figure, panels[:3].tolist(), kept, _KEPT, "kept")
            _bar(figure, panels[3:].tolist(), outliers, _OUTLIERS, "rejected")
        return save(figure, path)


def _bar(
    figure: Figure, row: list[Axes], shades: LogNorm, colours: LinearSegmentedColormap, which: str
) -> None:
    """Add the colour bar of all panels beside a row of them."""
    bar = figure.colorbar(ScalarMappable(shades, colours), ax=row, aspect=30, pad=0.01)
    bar.set_label(f"Deviations in a cell, {which}", fontsize=8.5)
    bar.ax.tick_params(labelsize=8, which="both", direction="out")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.ax.yaxis.set_minor_formatter(NullFormatter())


def _panel(axis: Axes, drawn: _Map, law: ErrorLaw, kept: LogNorm, outliers: LogNorm) -> None:
    for values, colours, shades in ((drawn.outliers, _OUTLIERS, outliers), (drawn.kept, _KEPT, kept)):
        shown = np.ma.masked_less(values, 0.02)
        axis.pcolormesh(drawn.x, drawn.y, shown, cmap=colours, norm=shades, linewidth=0, zorder=1)
    axis.set_rasterization_zorder(IMAGES_BELOW)
    axis.plot([0.0, 0.0], drawn.y[[0, -1]], color="black", linestyle="--", linewidth=0.7)
    room = (drawn.y[-1] / drawn.y[0]) ** 0.29  # for three lines of text
    axis.set(yscale="log", xlim=(drawn.x[0], drawn.x[-1]), ylim=(drawn.y[0], drawn.y[-1] * room))
    _snr_axis(axis.yaxis)
    axis.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], symmetric=True))
    axis.tick_params(top=True, right=True, which="both")
    if law.law is not None:
        low, high = law.snr_range or (drawn.y[0], drawn.y[-1])
        snr = np.geomspace(max(low, drawn.y[0]), min(high, drawn.y[-1]), 200)
        for sign in (-1, 1):
            axis.plot(sign * law.law.sigma(snr), snr, color="black", linestyle="--", linewidth=1.1)
    share = 100.0 * (law.share_kept or 0.0)
    lines = [_said_of(law), rf"{share:.1f} % kept of {law.n_spectra:,}"]
    if drawn.beyond:
        lines.append(f"{drawn.beyond:,} beyond the panel")
    for k, line in enumerate(lines):
        axis.text(0.5, 0.975 - 0.065 * k, line, ha="center", va="top", fontsize=7.5, transform=axis.transAxes)


def _said_of(law: ErrorLaw) -> str:
    """Coefficients, as far as they are known."""
    if law.law is None:
        return "no law could be fitted"
    if not law.law.at_limit:
        return _coefficients(law)
    known = f", $c={_short(law.law.c)}$" if law.law.b <= -1.0 else ""
    return f"$b$ at its limit{known}: $a${'' if known else ', $c$'} not known"


def _rebinned(name: str, summary: ParameterSummary, law: ErrorLaw, settings: ErrorLawSettings) -> _Map:
    """Spread the histogram over even cells: its own bins are narrow in the middle."""
    of_snr = summary.counts.sum(axis=1)[1:-1]
    filled = np.flatnonzero(of_snr)
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, len(of_snr) - 1)
    clipped = clip_parameter(name, summary, settings)
    share = np.cumsum(of_snr) / max(1, of_snr.sum())
    low = int(np.searchsorted(share, 0.005))
    sigma = clipped.std[low + 1] if law.law is None else float(law.law.sigma(SNR_EDGES[low]))
    if not np.isfinite(sigma) or sigma <= 0:
        sigma = float(np.nanmax(np.append(clipped.std, 0.0))) or 1.0
    x = np.linspace(-_WIDTH * sigma, _WIDTH * sigma, _CELLS + 1)
    edges = deviation_edges(name)
    kept, outliers = np.zeros((last - first + 1, _CELLS)), np.zeros((last - first + 1, _CELLS))
    for k in range(first, last + 1):
        counts, limits = summary.counts[k + 1, 1:-1], (clipped.lower[k + 1], clipped.upper[k + 1])
        total = np.concatenate([[0.0], np.cumsum(counts)])
        inside = np.interp(np.clip(x, *limits), edges, total)
        kept[k - first] = np.diff(inside)
        outliers[k - first] = np.diff(np.interp(x, edges, total)) - kept[k - first]
    outliers = np.maximum(outliers, 0.0)
    beyond = round(summary.n_spectra - float(kept.sum() + outliers.sum()))
    return _Map(x, SNR_EDGES[first : last + 2], kept, outliers, max(beyond, 0))


def _coefficients(law: ErrorLaw) -> str:
    return ", ".join(f"${name}={_short(getattr(law.law, name))}$" for name in "abc")


def _short(value: float) -> str:
    """Three digits or more, in TeX."""
    text = f"{value:.0f}" if 1000 <= abs(value) < 100_000 else f"{value:.3g}"
    if "e" in text:
        digits, power = text.split("e")
        return rf"{digits}\times10^{{{int(power)}}}"
    return text


def _snr_axis(axis: Axis) -> None:
    axis.set_major_locator(FixedLocator(_TICKS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def figure_stated_errors(
    snr: ArrayLike,
    errors: Mapping[str, ArrayLike],
    laws: Mapping[str, ErrorLaw],
    path: str | os.PathLike,
) -> list[Path]:
    """Draw stated errors against S/N with the laws fitted to them, a panel a parameter.

    Parameters
    ----------
    snr : array_like of float, shape (n,)
        S/N of each spectrum.
    errors : mapping
        Stated errors by axis label; arrays of shape (n,).
    laws : mapping
        By the same labels, from `lkmrs_dask.stars.error_law.fit_stated_errors`.
    path : path
        Folder and name of the figure, without ending.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.
    """
    x = np.asarray(snr, np.float64)
    rows = -(-len(errors) // 2)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(DOUBLE_COLUMN, 2.5 * rows), layout="constrained")
        panels = figure.subplots(rows, 2, squeeze=False).ravel()
        for axis in panels[len(errors) :]:
            axis.remove()
        for axis, (label, error) in zip(panels, errors.items(), strict=False):
            axis.set(xlabel="S/N", ylabel=label)
            _stated_panel(axis, x, np.asarray(error, np.float64), laws[label])
        return save(figure, path)


def _stated_panel(axis: Axes, x: Floats, y: Floats, law: ErrorLaw) -> None:
    good = (x > 0) & (y > 0) & np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    if not len(x):
        axis.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
        axis.text(0.5, 0.5, "no errors", ha="center", va="center", color="0.45")
        return
    axis.scatter(x, y, s=2, color="#35bccb", alpha=0.4, edgecolors="none", rasterized=True)
    if law.law is None or law.snr_range is None:
        text = "no law could be fitted"
    else:
        at = np.geomspace(*law.snr_range, 200)
        axis.plot(at, law.law.sigma(at), color="black", linestyle="--", linewidth=1.2)
        text = _said_of(law)
    axis.set_title(text, fontsize=8)
    low, high = np.percentile(y, [0.2, 99.8])
    axis.set(xscale="log", yscale="log", xlim=(x.min() / 1.1, x.max() * 1.1), ylim=(low / 1.3, high * 1.3))
    _snr_axis(axis.xaxis)
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.tick_params(top=True, right=True, which="both")
