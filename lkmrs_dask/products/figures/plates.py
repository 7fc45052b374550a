"""Fig. 1: where the plates lie on the sky, and how often each was exposed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from astropy.table import Table
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator
from numpy.typing import NDArray

from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, STYLE, save
from lkmrs_dask.sky.plates import PLATE_RADIUS_DEG

__all__ = ["ecliptic", "figure_plates", "plate_outline"]

_OBSERVED, _UNOBSERVED, _TEST, _ECLIPTIC = "#2f6db5", "#cc2f2f", "#ee8a1d", "#e3b505"
_OBLIQUITY_DEG = 23.4392911  # J2000
_INSETS = ((0.6, 0.5), (0.6, 0.44), (0.5, 0.44))
"""Width and height of the inset with its labels, as fractions of the map; the first with room is taken."""
_MARGIN = (0.06, 0.19)  # of which its labels take so much at the left and below
_WIDE_DEG = 60.0  # plates over more than this are drawn on the whole sky


class _Box(NamedTuple):
    """Room for the inset: lower left corner, width and height, as fractions of the map."""

    x: float
    y: float
    width: float
    height: float


class _Window(NamedTuple):
    """Limits of the map: RA of its left and right side (left is larger), Dec from bottom to top."""

    left: float
    right: float
    bottom: float
    top: float


def figure_plates(plates: Table, path: str | os.PathLike) -> list[Path]:
    """Draw the plates on the sky, with the exposures of each.

    Parameters
    ----------
    plates : astropy.table.Table
        From `lkmrs_dask.products.overview_table.plates_table`: planid, name, ra, dec (deg), test_phase,
        n_exposures.
        A plate without exposures is one not yet observed; one without centre is in the histogram only.
    path : path
        Folder and name of the figure, without ending.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.
    """
    ra, dec = np.asarray(plates["ra"], float), np.asarray(plates["dec"], float)
    placed = np.isfinite(ra) & np.isfinite(dec)
    window = _window(ra[placed], dec[placed])
    with mpl.rc_context(STYLE):
        if window.left - window.right > _WIDE_DEG:
            figure, sky, bars = _wide_layout(window, ra[placed], dec[placed])
        else:
            figure = Figure(figsize=(DOUBLE_COLUMN, 3.3), layout="compressed")
            sky, bars = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _draw_sky(sky, plates[placed], window)
        _draw_bars(bars, plates)
        return save(figure, path)


def ecliptic(n: int = 721) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of the ecliptic: right ascension from 0 to 360 and declination (deg, J2000)."""
    longitude = np.radians(np.linspace(0, 360, n))
    obliquity = np.radians(_OBLIQUITY_DEG)
    ra = np.degrees(np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))) % 360
    ra[-1] = 360.0
    return ra, np.degrees(np.arcsin(np.sin(obliquity) * np.sin(longitude)))


def plate_outline(
    ra: float, dec: float, radius_deg: float = PLATE_RADIUS_DEG, n: int = 181
) -> NDArray[np.float64]:
    """Outline of a plate on a rectangular map.

    Parameters
    ----------
    ra, dec, radius_deg : float
        Centre and radius in degrees.
    n : int
        Points of the circle.

    Returns
    -------
    ndarray of float64, shape (m, 2)
        Right ascension, running on beyond 0 and 360 so that the outline is closed, and declination.
        Around a pole the outline is the whole strip between the circle and the pole.
    """
    angle = np.linspace(0, 2 * np.pi, n)
    height, reach = np.radians(dec), np.radians(radius_deg)
    sine = np.sin(height) * np.cos(reach) + np.cos(height) * np.sin(reach) * np.cos(angle)
    y = np.sin(angle) * np.sin(reach) * np.cos(height)
    off = np.degrees(np.arctan2(y, np.cos(reach) - np.sin(height) * sine))
    edge = np.stack([ra + off, np.degrees(np.arcsin(np.clip(sine, -1, 1)))], axis=1)
    if abs(dec) + radius_deg <= 90:
        return edge
    edge = edge[np.argsort(off)]
    ends = np.interp([-180, 180], np.sort(off), edge[:, 1])
    pole = np.copysign(90.0, dec)
    return np.vstack(
        [[ra - 180, pole], [ra - 180, ends[0]], edge, [ra + 180, ends[1]], [ra + 180, pole], [ra - 180, pole]]
    )


def _window(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> _Window:
    """Smallest map that shows all plates, or the whole circle of RA when they are spread out."""
    if not len(ra):
        return _Window(360.0, 0.0, -90.0, 90.0)
    turn = np.sort(ra % 360)
    gaps = np.diff(turn, append=turn[0] + 360)
    start = turn[(np.argmax(gaps) + 1) % len(turn)]
    span = 360 - gaps.max()
    margin = PLATE_RADIUS_DEG + 2.5
    bottom, top = dec.min() - margin, dec.max() + margin
    stretch = 1 / max(np.cos(np.radians(np.clip((bottom + top) / 2, -90, 90))), 0.05)
    if span + 2 * margin * stretch > _WIDE_DEG or max(abs(bottom), abs(top)) > 85 or top - bottom > 45:
        # Room above or below for the inset where the plates leave some.
        return _Window(360.0, 0.0, max(-90.0, min(bottom, -30.0)), min(90.0, max(top, 90.0)))
    return _Window(start + span + margin * stretch, start - margin * stretch, bottom, top)


def _wide_layout(
    window: _Window, ra: NDArray[np.float64], dec: NDArray[np.float64]
) -> tuple[Figure, Axes, Axes]:
    """Lay out a map of the whole circle: the bars are an inset where there is room, else a panel below."""
    height = DOUBLE_COLUMN * 0.9 * (window.top - window.bottom) / 360
    box = _free_box(window, ra, dec)
    if box is None:
        figure = Figure(figsize=(DOUBLE_COLUMN, height + 3.0), layout="compressed")
        sky, bars = figure.subplots(2, 1, height_ratios=(height, 1.4))
        return figure, sky, bars
    figure = Figure(figsize=(DOUBLE_COLUMN, height + 0.9), layout="compressed")
    sky = figure.subplots()
    left, below = _MARGIN
    inset = (box.x + left, box.y + below, box.width - left, box.height - below)
    return figure, sky, sky.inset_axes(inset, zorder=5)


def _free_box(window: _Window, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> _Box | None:
    """Find room for the inset where no plate is; None without any."""
    outlines = [plate_outline(*centre, n=37) for centre in zip(ra, dec, strict=True)]
    points = np.concatenate([np.empty((0, 2)), *outlines])
    line = np.stack(ecliptic(181), axis=1)
    for width, height in _INSETS:
        best, free = np.inf, None
        for x in np.arange(0.02, 0.985 - width, 0.02):
            for y in np.arange(0.02, 0.965 - height, 0.02):
                box = _Box(float(x), float(y), width, height)
                if _inside(points, window, box).any():
                    continue
                # Off the ecliptic if possible, then towards a corner of the map.
                cost = _inside(line, window, box).sum() + min(x, 1 - width - x) + min(y, 1 - height - y)
                if cost < best:
                    best, free = cost, box
        if free is not None:
            return free
    return None


def _inside(points: NDArray[np.float64], window: _Window, box: _Box) -> NDArray[np.bool_]:
    across = (window.left - points[:, 0] % 360) / (window.left - window.right)
    up = (points[:, 1] - window.bottom) / (window.top - window.bottom)
    return (np.abs(across - box.x - box.width / 2) < box.width / 2 + 0.01) & (
        np.abs(up - box.y - box.height / 2) < box.height / 2 + 0.02
    )


def _draw_sky(axis: Axes, plates: Table, window: _Window) -> None:
    observed = np.asarray(plates["n_exposures"]) > 0
    wide = window.left - window.right > _WIDE_DEG
    line_ra, line_dec = ecliptic()
    for turn in (-360, 0, 360):
        axis.plot(line_ra + turn, line_dec, color=_ECLIPTIC, linestyle="--", linewidth=1.5, zorder=1)
        for row, seen in zip(plates, observed, strict=True):
            colour = _OBSERVED if seen else _UNOBSERVED
            outline = plate_outline(float(row["ra"]) + turn, float(row["dec"]))
            axis.add_patch(
                Polygon(outline, facecolor=(colour, 0.35), edgecolor=colour, linewidth=0.9, zorder=3)
            )
    axis.set(xlim=(window.left, window.right), ylim=(window.bottom, window.top))
    middle = 0.0 if wide else (window.bottom + window.top) / 2
    axis.set_aspect(1 / np.cos(np.radians(middle)), adjustable="box")
    axis.set(xlabel="R.A. (deg)", ylabel="Decl. (deg)")
    if wide:
        axis.xaxis.set_major_locator(MultipleLocator(60))
        axis.yaxis.set_major_locator(MultipleLocator(30))
    else:
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value % 360:g}"))
        _label(axis, plates, window)
    axis.tick_params(top=True, right=True)
    _legend(axis, plates, window)


def _legend(axis: Axes, plates: Table, window: _Window) -> None:
    observed, test = np.asarray(plates["n_exposures"]) > 0, np.asarray(plates["test_phase"], bool)
    handles: list[Artist] = []
    kinds = (
        (observed.any(), _OBSERVED, "observed"),
        (not observed.all(), _UNOBSERVED, "not yet observed"),
    )
    for shown, colour, label in kinds:
        if shown:
            face = (colour, 0.35)
            handles.append(
                Line2D([], [], color=colour, markerfacecolor=face, label=label, marker="o", linestyle="none")
            )
    if test.any():
        handles.append(Patch(color=_TEST, label="test phase (histogram)"))
    if window.bottom < _OBLIQUITY_DEG and window.top > -_OBLIQUITY_DEG:
        handles.append(Line2D([], [], color=_ECLIPTIC, linestyle="--", linewidth=1.5, label="ecliptic"))
    if handles:
        columns = 4 if window.left - window.right > _WIDE_DEG else 2
        axis.legend(
            handles=handles,
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            borderaxespad=0.2,
            ncols=columns,
            handletextpad=0.4,
            columnspacing=1.6,
        )


def _label(axis: Axes, plates: Table, window: _Window) -> None:
    """Write names above or below the plates of a close-up, wherever other plates are further away."""
    dec = np.asarray(plates["dec"], float)
    ra = window.right + (np.asarray(plates["ra"], float) - window.right) % 360
    squeeze = np.cos(np.radians(dec.mean())) if len(dec) else 1.0
    names = np.array(_labels(plates), dtype=object)
    left = np.ones(len(plates), bool)
    while left.any():
        first = int(np.argmax(left))
        off = np.hypot((ra - ra[first]) * squeeze, dec - dec[first])
        here = left & (off < 0.3)  # plates of one field have nearly one centre, and share a label
        left &= ~here
        room = [
            np.hypot((ra - ra[first]) * squeeze, dec - dec[first] - up * (PLATE_RADIUS_DEG + 0.5))
            for up in (1, -1)
        ]
        up = 1 if room[0][off >= 0.3].min(initial=99) >= room[1][off >= 0.3].min(initial=99) else -1
        axis.annotate(
            ("\n" if sum(map(len, names[here])) > 24 else ", ").join(names[here]),
            (ra[first], dec[first] + up * PLATE_RADIUS_DEG),
            xytext=(0, 3 * up),
            textcoords="offset points",
            ha="center",
            va="bottom" if up > 0 else "top",
            fontsize=8,
        )


def _labels(plates: Table) -> list[str]:
    """Short names for a plot: the survey's name, else hhmm+ddmm of the centre, else the plan id."""
    short = []
    for row in plates:
        planid, name, ra, dec = str(row["planid"]), str(row["name"]), float(row["ra"]), float(row["dec"])
        if name != planid or not (np.isfinite(ra) and np.isfinite(dec)):
            short.append(name)
            continue
        minutes, arcmin = int(ra * 4 + 1e-6), int(abs(dec) * 60 + 1e-6)
        sign = "\N{MINUS SIGN}" if dec < 0 else "+"
        short.append(f"{minutes // 60:02}{minutes % 60:02}{sign}{arcmin // 60:02}{arcmin % 60:02}")
    return [
        name if short.count(name) == 1 else f"{name} {str(row['planid'])[-3:]}"
        for name, row in zip(short, plates, strict=True)
    ]


def _draw_bars(axis: Axes, plates: Table) -> None:
    number = np.asarray(plates["n_exposures"])
    colours = np.where(np.asarray(plates["test_phase"], bool), _TEST, _OBSERVED)
    axis.bar(np.arange(len(plates)), number, width=0.75, color=colours)
    labels = _labels(plates)
    upright = len("".join(labels)) <= 36
    size = 8.0 if len(plates) <= 6 else 6.5 if len(plates) <= 26 else 5.0
    axis.set_xticks(np.arange(len(plates)), labels, rotation=0 if upright else 90, fontsize=size)
    axis.tick_params(axis="x", length=0, pad=2)
    axis.tick_params(axis="y", labelsize=8)
    side = max(0.7, (5 - len(plates)) / 2)  # a single bar does not fill the panel
    axis.set_xlim(-side, len(plates) - 1 + side)
    axis.set_ylim(0, max(number.max(initial=0), 1) * 1.12)
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_ylabel("Exposures", fontsize=9)
    if not len(plates):
        axis.text(0.5, 0.5, "no plates", transform=axis.transAxes, ha="center", va="center", color="0.45")
