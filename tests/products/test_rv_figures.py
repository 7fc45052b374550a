"""Figures of RV variables, and of completeness and purity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from lkmrs_dask.products.figures import completeness as completeness_module
from lkmrs_dask.products.figures import rv_variables as variables_module
from lkmrs_dask.products.figures.completeness import figure_completeness
from lkmrs_dask.products.figures.rv_variables import figure_rv_variables
from lkmrs_dask.stars.rv_completeness import binned_completeness, binned_purity
from lkmrs_dask.stars.rv_settings import RvVariableSettings
from lkmrs_dask.stars.rv_variability import rv_variability


def judged(stars: int, n: int = 5) -> pa.Table:
    rng = np.random.default_rng(stars + 1)
    rows = stars * n
    scatter = np.repeat(np.where(rng.random(stars) < 0.2, 20.0, 0.0), n)
    error = rng.uniform(0.5, 2.0, rows)
    rv = rng.normal(0, 1, rows) * np.hypot(error, scatter)
    star = np.repeat(np.arange(stars), n)
    columns = {"mjd": np.arange(float(rows)), "rv": rv, "rv_err": error}
    return rv_variability(pa.table({"star_id": pa.array(star).cast(pa.string()), **columns}))


def shape(path: Path) -> tuple[int, int]:
    """Width and height in pixels."""
    height, width = imread(path).shape[:2]
    return width, height


def spy(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> list[Axes]:
    """Collect the panels that a function of a module draws."""
    panels: list[Axes] = []
    draw = getattr(module, name)

    def drawing(*args: object) -> None:
        draw(*args)
        panels.extend(one for one in args if isinstance(one, Axes))

    monkeypatch.setattr(module, name, drawing)
    return panels


@pytest.mark.parametrize("most", [10, 10_000])
def test_scatter_and_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """As points or as a density; the numbers in the legend are the table's."""
    monkeypatch.setattr(variables_module, "_MOST_POINTS", most)
    panels = spy(monkeypatch, variables_module, "_draw_scatter")
    table = judged(300)
    paths = figure_rv_variables(table, tmp_path / "rv", RvVariableSettings())
    assert [path.name for path in paths] == ["rv.png", "rv.pdf"]
    width, height = shape(paths[0])
    assert width > 2 * height > 0
    n = sum(table.column("rv_variable").to_pylist())
    assert 30 < n < 90
    legend = panels[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [f"{n} RV variables", r"3 $\times$ mean error"]
    line = panels[0].lines[-1]
    np.testing.assert_allclose(np.asarray(line.get_ydata()), 3 * np.asarray(line.get_xdata()))
    assert len(panels[0].collections) == (1 if most == 10 else 0)


@pytest.mark.parametrize(("stars", "n"), [(0, 5), (4, 2), (1, 5)])
def test_few_stars(tmp_path: Path, stars: int, n: int) -> None:
    """None, none that can be judged, and one."""
    paths = figure_rv_variables(judged(stars, n), tmp_path / "rv")
    again = figure_rv_variables(judged(stars, n), tmp_path / "again")
    assert [a.read_bytes() == b.read_bytes() for a, b in zip(paths, again, strict=True)] == [True, True]


def test_completeness_and_purity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = spy(monkeypatch, completeness_module, "_draw_completeness")
    right = spy(monkeypatch, completeness_module, "_draw_purity")
    rng = np.random.default_rng(1)
    m = 4000
    k, n, true = 10.0 ** rng.uniform(0, 2, m), rng.integers(2, 15, m), rng.random(m) < 0.5
    found = (true & (rng.random(m) < k / (k + 20 / n))) | (rng.random(m) < 0.01)
    complete = binned_completeness(
        found, true, k, n, k_edges=np.geomspace(1, 100, 9), n_edges=[3, 4, 6, 16, 20]
    )
    pure = binned_purity(found, true, n, n_edges=[2, 3, 6, 15])
    wide = figure_completeness(complete, pure, tmp_path / "both", title="synthetic survey")
    narrow = figure_completeness(complete, None, tmp_path / "one.png")
    assert [path.name for path in narrow] == ["one.png", "one.pdf"]
    assert shape(wide[0])[0] > 1.4 * shape(narrow[0])[0]
    legend = left[0].get_legend()
    assert legend is not None
    # No star has 16 velocities or more: no line.
    assert [text.get_text() for text in legend.get_texts()] == ["$N$ = 3", "$N$ = 4–5", "$N$ = 6–15"]
    drawn = left[0].containers[0][0].get_ydata()
    np.testing.assert_array_equal(drawn, complete.share.share[0])
    assert [text.get_text() for text in right[0].texts] == [f"{one:,}" for one in pure.share.n]
    assert [text.get_text() for text in right[0].get_xticklabels()] == ["2", "3–5", "6–15"]


def test_nothing_found(tmp_path: Path) -> None:
    none = binned_completeness([False], [False], [np.nan], [3], k_edges=[0, 5], n_edges=[3, 4])
    pure = binned_purity([False], [False], [3], n_edges=[3, 4])
    assert all(path.stat().st_size > 1000 for path in figure_completeness(none, pure, tmp_path / "none"))
