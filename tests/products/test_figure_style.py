"""How figures become files: laid out once, drawn once a file, and gone afterwards."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from lkmrs_dask.products.figures.style import IMAGES_BELOW, STYLE, save


def count(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> list[Any]:
    """List that grows by one at each call of a method."""
    calls: list[Any] = []
    original = getattr(owner, name)

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, counted)
    return calls


def some_figure(layout: Any) -> Figure:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4, 3), layout=layout)
        for axis in figure.subplots(2, 2).ravel():
            axis.plot(np.arange(9), np.arange(9) ** 2, ".", zorder=1)
            axis.pcolormesh(np.arange(12).reshape(3, 4), zorder=1.2)
            axis.set_rasterization_zorder(IMAGES_BELOW)
            axis.set(xlabel="something", ylabel=r"$x^2$", title="title")
        return figure


@pytest.mark.parametrize(("layout", "times"), [("constrained", 3), ("compressed", 3), (None, 2)])
def test_each_file_is_drawn_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: Any, times: int
) -> None:
    """Once more where a layout is to be found; an image a panel in the PDF."""
    figure = some_figure(layout)
    draws = count(monkeypatch, Figure, "draw")
    canvases = count(monkeypatch, RendererAgg, "__init__")
    paths = save(figure, tmp_path / "one.png")
    assert [path.name for path in paths] == ["one.png", "one.pdf"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.pdf", "one.png"]
    assert len(draws) == times
    # Four images of the PDF; the PNG, and some to measure texts with.
    assert len(canvases) <= 4 + 5
    first = [path.read_bytes() for path in paths]
    assert first == [path.read_bytes() for path in save(some_figure(layout), tmp_path / "one")]
    assert first == [path.read_bytes() for path in save(figure, tmp_path / "one")]


def test_canvases_do_not_stay(tmp_path: Path) -> None:
    """Each has 4 bytes a pixel of the page: of a few figures they would be the most that a run needs."""
    gc.collect()
    before = sum(isinstance(one, RendererAgg) for one in gc.get_objects())
    gc.disable()
    try:
        for name in "abc":
            save(some_figure("constrained"), tmp_path / name)
        after = sum(isinstance(one, RendererAgg) for one in gc.get_objects())
    finally:
        gc.enable()
    assert after <= before + 2  # of the last figure


@pytest.mark.parametrize("layout", ["constrained", None])
def test_nothing_is_cut_off(tmp_path: Path, layout: Any) -> None:
    """The edge of the picture is white all around, also where a label is outside of the figure."""
    figure = some_figure(layout)
    axis: Axes = figure.axes[0]
    axis.text(-0.9, 1.3, "far to the left", transform=axis.transAxes)
    pixels = imread(save(figure, tmp_path / "x")[0])[..., :3]
    edge = 8  # of the 12 pixels of margin
    for strip in (pixels[:edge], pixels[-edge:], pixels[:, :edge], pixels[:, -edge:]):
        assert (strip == 1.0).all()
    assert (pixels[:, 9:16] < 0.9).any()  # and no wider than needed
