"""Confusion matrices and reliability diagram of the trained classifier."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.products.figures.style import DOUBLE_COLUMN, STYLE, save
from lkmrs_dask.variability.evaluation import Reliability

__all__ = ["figure_confusion", "figure_reliability"]

_SHOWN = {"hybrid": "hybrid", "uncertain": "uncertain", "RSCVn": "RS CVn", "DSCT": r"$\delta$ Sct",
          "GDOR": r"$\gamma$ Dor", "RRL": "RR Lyr", "": "no frequency"}  # fmt: skip
_COLOURS = ("#35608d", "#c4483f", "#6cbf5a", "#d9a514")
_MARKERS = "osD^"


def figure_confusion(
    matrices: Mapping[str, NDArray[np.int64]],
    classes: Sequence[str],
    columns: Sequence[str],
    path: str | os.PathLike,
) -> list[Path]:
    """Draw confusion matrices side by side: numbers of stars, and as the colour their share of the row.

    Parameters
    ----------
    matrices : mapping
        By title: arrays of shape (classes, columns), true classes in rows and given ones in columns.
    classes, columns : sequence of str
        Names of rows and columns.
    path : path
        Folder and name of the figure, without ending.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.

    Raises
    ------
    UsageError
        Where there is no matrix, or one has another shape.
    """
    if not matrices:
        raise UsageError("there is no confusion matrix to draw")
    for title, matrix in matrices.items():
        if np.shape(matrix) != (len(classes), len(columns)):
            raise UsageError(
                f"confusion matrix {title!r}: {len(classes)} rows and {len(columns)} columns are needed, not "
                f"an array of shape {np.shape(matrix)}"
            )
    with mpl.rc_context(STYLE):
        width = DOUBLE_COLUMN * (0.62 if len(matrices) == 1 else 1.0)
        figure = Figure(figsize=(width, width / len(matrices) + 0.5), layout="constrained")
        panels = figure.subplots(1, len(matrices), squeeze=False, sharey=True)[0]
        for axis, (title, matrix) in zip(panels, matrices.items(), strict=True):
            _draw_matrix(axis, np.asarray(matrix), classes, columns)
            axis.set_title(f"{title}: {int(np.sum(matrix)):,}", fontsize=10)
        panels[0].set_ylabel("True class")
        return save(figure, path)


def _draw_matrix(
    axis: Axes, matrix: NDArray[np.int64], classes: Sequence[str], columns: Sequence[str]
) -> None:
    total = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, total, out=np.zeros(matrix.shape), where=total > 0)
    axis.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
    for row, column in zip(*np.nonzero(matrix), strict=True):
        colour = "white" if share[row, column] > 0.6 else "black"
        axis.text(column, row, f"{matrix[row, column]:,}", ha="center", va="center", color=colour, fontsize=8)
    axis.set_xticks(range(len(columns)), [_SHOWN.get(one, one) for one in columns], rotation=60, ha="right",
                    rotation_mode="anchor")  # fmt: skip
    axis.set_yticks(range(len(classes)), [_SHOWN.get(one, one) for one in classes])
    axis.tick_params(length=0)
    axis.set_xlabel("Given class")


def figure_reliability(
    reliabilities: Mapping[str, Reliability], path: str | os.PathLike, *, title: str = ""
) -> list[Path]:
    """Draw the share of stars that is right by the probability that was stated, and the numbers of stars.

    Error bars are those of a share with the number of its bin (Wilson 1927, one sigma).

    Parameters
    ----------
    reliabilities : mapping
        By name: of the model, or of the verdict.
    path : path
        Folder and name of the figure, without ending.
    title : str
        Above the figure: of which stars this is.

    Returns
    -------
    list of pathlib.Path
        PNG and PDF.

    Raises
    ------
    UsageError
        Where there is nothing to draw.
    """
    if not reliabilities:
        raise UsageError("there is no reliability to draw")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(0.5 * DOUBLE_COLUMN, 0.66 * DOUBLE_COLUMN), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.0, 1.0))
        above.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle="--")
        for at, (name, one) in enumerate(reliabilities.items()):
            _draw_reliability(above, below, one, name, at, len(reliabilities))
        above.set(xlim=(0, 1.02), ylim=(-0.02, 1.05), ylabel="Share that is right")
        above.legend(loc="lower right")
        below.set(xlabel="Stated probability", ylabel="Stars", yscale="symlog", ylim=(0, None))
        if title:
            figure.suptitle(title, fontsize=9.5)
        return save(figure, path)


def _draw_reliability(above: Axes, below: Axes, one: Reliability, name: str, at: int, of: int) -> None:
    some = one.n > 0
    colour, marker = _COLOURS[at % len(_COLOURS)], _MARKERS[at % len(_MARKERS)]
    low, high = _wilson(one.right[some], one.n[some])
    bars = np.maximum(np.stack([one.right[some] - low, high - one.right[some]]), 0.0)
    above.errorbar(
        one.probability[some], one.right[some], bars, fmt=marker, markersize=4, color=colour, elinewidth=0.8,
        label=f"{name}: error {one.error:.3f}" if np.isfinite(one.error) else name,
    )  # fmt: skip
    edges = np.linspace(0, 1, len(one.n) + 1)
    width = 0.8 / len(one.n) / of
    centre = 0.5 * (edges[:-1] + edges[1:]) + (at - 0.5 * (of - 1)) * width
    below.bar(centre, one.n, width, color=colour)


def _wilson(share: NDArray[np.float64], n: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
    """Ends of the one-sigma interval of a share."""
    middle = (share + 0.5 / n) / (1 + 1 / n)
    half = np.sqrt(share * (1 - share) / n + 0.25 / n**2) / (1 + 1 / n)
    return middle - half, middle + half
