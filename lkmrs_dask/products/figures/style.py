"""What the figures have in common: fonts, ticks, colours, and how a figure becomes files."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

__all__ = ["DOUBLE_COLUMN", "IMAGES_BELOW", "STYLE", "save"]

DOUBLE_COLUMN = 7.1
"""Width of a figure across the page of AAS journals, in inches."""

IMAGES_BELOW = 1.45
"""``axis.set_rasterization_zorder(IMAGES_BELOW)`` makes one image in a PDF of all that lies below in a panel.
Each artist that is rasterised by itself has a canvas of the whole page instead.  Ticks lie at 1.5."""

_DPI = 300
_MARGIN = 0.04  # inches

STYLE: dict[Any, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 10.0,
    "axes.linewidth": 0.8,
    "axes.labelsize": 10.0,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # journals refuse Type 3 fonts
}
"""Settings for ``matplotlib.rc_context``."""


def save(figure: Figure, path: str | os.PathLike) -> list[Path]:
    """Write a figure as PNG (300 dpi) and PDF, each whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path
        Folder and name of the figure; an ending ``.png`` or ``.pdf`` is left away.

    Returns
    -------
    list of pathlib.Path
        The PNG and the PDF.  The same figure gives the same bytes: no dates are written.
    """
    base = Path(path)
    if base.suffix in (".png", ".pdf"):
        base = base.with_suffix("")
    base.parent.mkdir(parents=True, exist_ok=True)
    box = _lay_out(figure)
    written = []
    for kind, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
        target = base.with_name(f"{base.name}.{kind}")
        unfinished = target.with_name(target.name + ".tmp")
        figure.savefig(unfinished, format=kind, dpi=_DPI, metadata=metadata, bbox_inches=box)
        unfinished.replace(target)
        written.append(target)
    # Canvases of 10 MB each are parts of cycles, and so are figures before this one.
    gc.collect()
    return written


def _lay_out(figure: Figure) -> Bbox:
    """Arrange a figure once for both files, and give what holds all that is drawn, in inches."""
    figure.set_dpi(_DPI)
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine(None)  # else each file is laid out again, by drawing it twice
    return figure.get_tightbbox().padded(_MARGIN)
