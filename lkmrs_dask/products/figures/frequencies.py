"""A light curve, its amplitude spectrum with the frequencies found, the residual's, and the folded curve."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.products.figures.frequency_spectra import (
    Fold,
    Spectra,
    binned_fold,
    envelope,
    fold_at,
    kinds,
    make_spectra,
    window_reach,
)
from lkmrs_dask.products.figures.style import IMAGES_BELOW, STYLE, save
from lkmrs_dask.variability.frequencies import Frequencies
from lkmrs_dask.variability.grid import frequency_grid
from lkmrs_dask.variability.series import clean_series
from lkmrs_dask.variability.transform import Transforms

__all__ = ["SHOWN_UNITS", "figure_frequencies"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SHOWN_UNITS = ("relative", "mag", "other")
"""What a light curve is drawn in: ppt, magnitudes, or the unit of its file."""

# Inches: a column of AAS journals; margins; heights of the panels, and of what is below each.
_COLUMN, _LEFT, _RIGHT, _TOP = 3.5, 0.6, 0.06, 0.2
_HEIGHTS, _BELOW = (1.1, 1.42, 1.05, 1.15), (0.58, 0.23, 0.42, 0.36)
_MANY = 3000  # points from which on a panel's points are one image
_STEEP = 20.0  # a spectrum this many times higher than the limit is drawn on a logarithmic scale
_INSET = (0.36, 0.36, 0.03)  # width, height and margin of the window, of its panel
_UNDER_INSET = 1.0 - _INSET[1] - 2.5 * _INSET[2]
_CURVE, _LIMIT, _STRONG, _WEAK = "0.3", "#ff7f0e", "#d62728", "#1f77b4"
_SMALL = 7.0


def figure_frequencies(
    time: ArrayLike,
    flux: ArrayLike,
    found: Frequencies,
    path: str | os.PathLike,
    *,
    name: str = "",
    unit: str = "relative",
    time_zero: float = 0.0,
    time_label: str = "Time (d)",
    **grid: Any,
) -> list[Path]:
    """Draw what `lkmrs_dask.variability.find_frequencies` found in a light curve.

    From top to bottom: the light curve; its amplitude spectrum with the frequencies and the limit of S/N; the
    spectrum of the residual on the same scale, with the spectral window; the light curve folded at the period
    that its features give: that of the strongest independent frequency, or a multiple.  Without frequencies
    there are the first two.

    Parameters
    ----------
    time : array_like, shape (n,)
        Days.
    flux : array_like, shape (n,)
        Relative flux; in any unit where `unit` is ``other``.
    found : Frequencies
        Of this light curve.
    path : path
        Folder and name of the figure, without ending.
    name : str
        Title.
    unit : str
        One of `SHOWN_UNITS`.  With ``mag`` relative flux is drawn as magnitudes, bright on top.
    time_zero : float
        Taken off the times that are shown.
    time_label : str
        Of the axis.
    **grid
        ``f_min``, ``f_max`` and ``oversampling`` with which the frequencies were found.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF, as wide as a journal's column.

    Raises
    ------
    UsageError
        For an unknown unit.
    CatalogError
        As in `find_frequencies`.
    """
    if unit not in SHOWN_UNITS:
        raise UsageError(f"unit must be one of {', '.join(SHOWN_UNITS)}, not {unit!r}")
    series = clean_series(time, flux)
    days, values = series.time + series.time_zero, series.flux + series.mean
    spectra = make_spectra(Transforms(series, frequency_grid(series.time, **grid)), found)
    folded = fold_at(days, values, found, unit)
    drawn = _drawn(values, unit)
    n_spectra = 1 + (len(found) > 0)
    with mpl.rc_context({**STYLE, "axes.labelsize": 8.5, "xtick.labelsize": 8.0, "ytick.labelsize": 8.0}):
        figure, axes = _panels(1 + n_spectra + (folded is not None))
        _points(axes[0], days - time_zero, drawn)
        _dress(axes[0], unit, time_label)
        _title(axes[0], name, len(days), series.baseline)
        _draw_spectra(axes[1 : 1 + n_spectra], spectra, found, unit)
        if folded is not None:
            _draw_folded(axes[-1], days, drawn, folded, unit)
        return save(figure, path)


def _panels(n: int) -> tuple[Figure, list[Axes]]:
    """Panels one above the other, at fixed places: to find places by drawing takes longer than the rest."""
    # The last of them has its label of the abscissa below, whichever it is.
    below = (*_BELOW[: n - 1], _BELOW[-1])
    height = _TOP + sum(_HEIGHTS[:n]) + sum(below)
    figure = Figure(figsize=(_COLUMN, height))
    axes, top = [], height - _TOP
    for tall, gap in zip(_HEIGHTS, below, strict=False):
        top -= tall
        place = (_LEFT / _COLUMN, top / height, 1.0 - (_LEFT + _RIGHT) / _COLUMN, tall / height)
        axis = figure.add_axes(place)
        axis.tick_params(top=True, right=True)
        axis.yaxis.set_label_coords(-0.47 / (_COLUMN - _LEFT - _RIGHT), 0.5)
        axes.append(axis)
        top -= gap
    return figure, axes


def _points(axis: Axes, x: Floats, y: Floats) -> None:
    """Points without a line: gaps stay gaps."""
    size = float(np.clip(60.0 / np.sqrt(len(x)), 0.7, 4.0))
    axis.plot(x, y, ".", color=_CURVE, markersize=size, markeredgewidth=0, zorder=1)
    if len(x) > _MANY:
        axis.set_rasterization_zorder(IMAGES_BELOW)


def _dress(axis: Axes, unit: str, label: str) -> None:
    axis.set_xlabel(label)
    axis.margins(x=0.02, y=0.07)
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.ticklabel_format(useOffset=False, scilimits=(-6, 7))
    if unit == "other":
        axis.set_ylabel("Value (file's unit)")
        return
    axis.set_ylabel(r"$\Delta$ magnitude (mag)" if unit == "mag" else "Flux variation (ppt)")
    if unit == "mag":
        axis.invert_yaxis()


def _title(axis: Axes, name: str, n: int, baseline: float) -> None:
    name = name if len(name) <= 30 else name[:29] + "…"
    axis.set_title(name, loc="left", fontsize=8.5, pad=4, parse_math=False)
    axis.set_title(f"{n:,} points, {baseline:.4g} d", loc="right", fontsize=7.5, pad=4, color="0.3")


def _draw_spectra(axes: Sequence[Axes], spectra: Spectra, found: Frequencies, unit: str) -> None:
    """Before and, where something was found, after; on one scale, the window in the last."""
    known = spectra.limit[np.isfinite(spectra.limit)]
    limit = float(np.median(known)) if len(known) else np.nan
    highest = float(max(spectra.amplitude.max(), found.amplitude.max(initial=0.0), known.max(initial=0.0)))
    factor, of_what = _amplitude_unit(highest, unit)
    steep = bool(np.isfinite(limit) and limit > 0 and highest > _STEEP * limit)
    bottom = 0.4 * limit / found.settings.snr_min if steep else 0.0
    last = (spectra.residual, spectra.amplitude)[len(axes) == 1]
    left = _emptier_side(spectra, last)
    top = max((2.0 if steep else 1.12) * highest, _room(spectra, last, left, bottom))
    for axis, amplitude in zip(axes, (spectra.amplitude, spectra.residual), strict=False):
        axis.fill_between(
            *envelope(spectra.frequency, factor * np.maximum(amplitude, bottom)),
            factor * bottom, color=_CURVE, linewidth=0.4, zorder=1.6,
        )  # fmt: skip
        axis.plot(
            spectra.limit_at, factor * spectra.limit, "--", color=_LIMIT, linewidth=1.0, zorder=3,
            label=f"limit: {found.settings.snr_min:g} times the noise",
        )  # fmt: skip
        axis.set(
            yscale="log" if steep else "linear", ylim=(factor * bottom, factor * top), xlim=_ends(spectra),
        )  # fmt: skip
        axis.set_ylabel(f"Amplitude ({of_what})" if axis is axes[0] else f"Residual ({of_what})")
        axis.xaxis.set_major_locator(MaxNLocator(6))
        if not steep:
            axis.yaxis.set_major_locator(MaxNLocator(4))
            axis.ticklabel_format(useOffset=False, scilimits=(-6, 7))
    if len(axes) > 1:
        axes[0].tick_params(labelbottom=False)
        _mark(axes[0], found, factor)
    axes[-1].set_xlabel(r"Frequency (d$^{-1}$)")
    note = "" if len(found) else "no frequency reaches the limit"
    axes[-1].set_title(note, loc="right", fontsize=_SMALL, pad=3)
    _legend(axes[-1], 1)
    _draw_window(axes[-1], spectra, 1.0 / found.baseline_d, left)


def _emptier_side(spectra: Spectra, amplitude: Floats) -> bool:
    """Whether the window fits better on the left."""
    sides = [float(amplitude[_below_inset(spectra, left)].max(initial=0.0)) for left in (True, False)]
    return sides[0] < sides[1]


def _amplitude_unit(highest: float, unit: str) -> tuple[float, str]:
    """What amplitudes are multiplied with, and the unit that makes of them."""
    if unit != "other":
        return 1e3, "ppt"
    power = 3 * int(np.floor(np.log10(highest) / 3.0)) if highest > 0 else 0
    return 10.0**-power, f"$10^{{{power}}}$ file's unit" if power else "file's unit"


def _below_inset(spectra: Spectra, left: bool) -> Bools:
    first, last = _ends(spectra)
    width = (_INSET[0] + 2 * _INSET[2]) * (last - first)
    return spectra.frequency < first + width if left else spectra.frequency > last - width


def _room(spectra: Spectra, amplitude: Floats, left: bool, bottom: float) -> float:
    """Top of a scale, logarithmic from `bottom` if that is above 0, with room for the window."""
    here = float(amplitude[_below_inset(spectra, left)].max(initial=0.0))
    at = np.interp(spectra.limit_at, spectra.frequency, _below_inset(spectra, left).astype(float)) > 0
    here = max(here, float(np.nan_to_num(spectra.limit[at]).max(initial=0.0)))
    if bottom > 0:
        return bottom * max(here / bottom, 1.0) ** (1.0 / _UNDER_INSET)
    return here / _UNDER_INSET


def _mark(axis: Axes, found: Frequencies, factor: float) -> None:
    """A mark at the amplitude of each frequency."""
    looks = (
        ("o", _STRONG, "white", 0.3, "independent"),
        ("s", _WEAK, "white", 0.3, "harmonic, combination"),
        ("x", "black", "black", 0.8, "instrumental"),
    )
    pairs = []
    for chosen, (marker, colour, edge, width, label) in zip(kinds(found), looks, strict=True):
        if chosen.any():
            label = f"{label} ({np.count_nonzero(chosen)})"
            pairs += [(line, label) for line in axis.plot(
                found.frequency[chosen], factor * found.amplitude[chosen], marker, color=colour, zorder=4,
                markersize=3.2, markeredgewidth=width, markeredgecolor=edge,
            )]  # fmt: skip
    _legend(axis, 3, pairs)


def _legend(axis: Axes, columns: int, pairs: list[tuple[Any, str]] | None = None) -> None:
    """Above the panel, where nothing is hidden."""
    handles, labels = zip(*pairs, strict=True) if pairs else axis.get_legend_handles_labels()
    axis.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, fontsize=_SMALL,
        borderaxespad=0.0, borderpad=0.2, handlelength=1.6 if columns == 1 else 1.0, handletextpad=0.3,
        columnspacing=0.9,
    )  # fmt: skip


def _draw_window(axis: Axes, spectra: Spectra, resolution: float, left: bool) -> None:
    """Spectral window about 0 in a corner; what it spans is written in it."""
    width, height, margin = _INSET
    inset = axis.inset_axes(
        (margin if left else 1.0 - margin - width, 1.0 - 1.6 * margin - height, width, height)
    )
    reach = window_reach(spectra, resolution)
    inside = spectra.window_at <= reach
    at, window = envelope(spectra.window_at[inside], spectra.window[inside])
    inset.plot(np.r_[-at[::-1], at[1:]], np.r_[window[::-1], window[1:]], color=_CURVE, linewidth=0.6)
    inset.set(xlim=(-reach, reach), ylim=(0.0, 1.75), xticks=[], yticks=[])
    inset.text(0.04, 0.94, "window", transform=inset.transAxes, fontsize=6.0, va="top")
    inset.text(0.96, 0.94, rf"$\pm${reach:.2g} d$^{{-1}}$", transform=inset.transAxes, fontsize=6.0, va="top",
               ha="right")  # fmt: skip


def _draw_folded(axis: Axes, days: Floats, drawn: Floats, folded: Fold, unit: str) -> None:
    """Two cycles about the faintest phase, and means in bins where there are points for them."""
    phase = ((days - days[0]) / folded.period) % 1.0
    faint = 1.0 if unit == "mag" else -1.0
    binned = binned_fold(days, drawn, folded.period)
    at, mean = binned if binned is not None else (phase, drawn)
    start = float(at[np.nanargmax(faint * mean)])
    place = _about(phase, start)
    _points(axis, np.r_[place, place + 1.0], np.r_[drawn, drawn])
    if binned is not None:
        at = _about(at, start)
        order = np.argsort(at)
        x, y = at[order], mean[order]
        axis.plot(np.r_[x, x + 1.0], np.r_[y, y], "-", color=_STRONG, linewidth=1.0, zorder=3)
    cycles = f" = {folded.cycles}/$f_{{{folded.row}}}$" if folded.cycles else ""
    _dress(axis, unit, rf"Phase ($P$ = {folded.period:.6g} d{cycles})")
    axis.set_xlim(-0.5, 1.5)
    _leave_out_flares(axis, drawn, mean)


def _about(phase: Floats, start: float) -> Floats:
    """Phases from -0.5 to 0.5 about one of them."""
    around: Floats = (phase - start + 0.5) % 1.0 - 0.5
    return around


def _leave_out_flares(axis: Axes, drawn: Floats, mean: Floats) -> None:
    """Single outliers do not set the scale; the light curve has them."""
    low, high = np.quantile(drawn, [0.003, 0.997])
    low, high = min(low, np.nanmin(mean)), max(high, np.nanmax(mean))
    pad = 0.12 * (high - low)
    axis.set_ylim((high + pad, low - pad) if axis.yaxis_inverted() else (low - pad, high + pad))


def _ends(spectra: Spectra) -> tuple[float, float]:
    """Of the axis of frequencies: from 0, unless the spectrum begins far from it."""
    first, last = float(spectra.frequency[0]), float(spectra.frequency[-1])
    return (first if 0.1 * last < first < last else 0.0), last


def _drawn(values: Floats, unit: str) -> Floats:
    """The light curve as it is drawn."""
    if unit == "mag":
        magnitudes: Floats = -2.5 * np.log10(np.maximum(values, 1e-10))
        return magnitudes
    return 1e3 * (values - np.median(values)) if unit == "relative" else values
