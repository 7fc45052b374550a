"""Fig. 9: what is drawn, counted and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from lkmrs_dask.errors import UsageError
from lkmrs_dask.products.figures import hr_diagram as module
from lkmrs_dask.products.figures.hr_diagram import CLASS_MARKERS, figure_hr_diagram
from lkmrs_dask.stars.hr_tracks import Track, read_strips
from lkmrs_dask.variability.rules import CLASSES

TRACK = Track(1.2, 0.0, np.array([6200.0, 5000.0]), np.array([4.0, 1.0]), False, "x")


def variables(n: int = 5) -> pa.Table:
    """Each class n times, seen by Kepler, TESS or both; the first star has no magnitude."""
    names = [name for name in CLASSES for _ in range(n)]
    rng = np.random.default_rng(1)
    m_g = rng.uniform(0, 6, len(names)).tolist()
    if names:
        m_g[0] = None
    at = np.arange(len(names))
    return pa.table(
        {
            "teff": pa.array(rng.uniform(4500, 8000, len(names))),
            "m_g": pa.array(m_g, pa.float64()),
            "variable_class": pa.array(names, pa.string()),
            "kepler": pa.array(at % 3 != 1, pa.bool_()),
            "tess": pa.array(at % 3 != 0, pa.bool_()),
        }
    )


def test_all_classes_have_a_marker() -> None:
    assert set(CLASS_MARKERS) == set(CLASSES)


@pytest.mark.parametrize("most", [10, 10_000])
def test_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """As points or as a density: counts are the table's, what is missing is named."""
    panels: list[Axes] = []
    draw = module._draw_variables

    def drawing(axis: Axes, *rest: object) -> None:
        draw(axis, *rest)  # type: ignore[arg-type]
        panels.append(axis)

    monkeypatch.setattr(module, "_draw_variables", drawing)
    monkeypatch.setattr(module, "_MOST_POINTS", most)
    rng = np.random.default_rng(2)
    table = variables()
    stars = (np.append(rng.normal(5500, 600, 200), np.nan), np.append(rng.normal(4, 2, 200), 3.0))
    paths = figure_hr_diagram(stars, table, tmp_path / "hr", tracks=[TRACK], strips=read_strips())
    assert [path.name for path in paths] == ["hr.png", "hr.pdf"]
    height, width = imread(paths[0]).shape[:2]
    assert width > height > 0
    for axis, mission, title in zip(panels, ("kepler", "tess"), ("Kepler/K2", "TESS"), strict=True):
        n = sum(table.column(mission).to_pylist())
        assert axis.get_title() == f"{title}: {n} variables"
        legend = axis.get_legend()
        assert legend is not None
        shown = [text.get_text() for text in legend.get_texts()]
        assert sum(int(one.split("(")[1][:-1]) for one in shown) == n
        assert axis.get_xlim()[0] > axis.get_xlim()[1]
        assert axis.get_ylim()[0] > axis.get_ylim()[1]
    words = [text.get_text() for text in panels[0].texts]
    assert any(one.startswith("no track of 0.4, 0.8, 2, 2.8") for one in words)
    assert "1 not placed" in words


def test_nothing_to_draw(tmp_path: Path) -> None:
    """No star, no variable, no track; and the same figure twice has the same bytes."""
    first = figure_hr_diagram(([], []), variables(0), tmp_path / "a")
    again = figure_hr_diagram(([], []), variables(0), tmp_path / "b")
    assert [a.read_bytes() == b.read_bytes() for a, b in zip(first, again, strict=True)] == [True, True]


def test_wrong_tables(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="m_g"):
        figure_hr_diagram(([], []), variables().drop_columns(["m_g"]), tmp_path / "x")
    wrong = variables(1).set_column(2, "variable_class", pa.array(["CEP"] * len(CLASSES)))
    with pytest.raises(UsageError, match="CEP"):
        figure_hr_diagram(([], []), wrong, tmp_path / "x")
    with pytest.raises(UsageError, match="magnitudes"):
        figure_hr_diagram(([1.0], []), variables(1), tmp_path / "x")
