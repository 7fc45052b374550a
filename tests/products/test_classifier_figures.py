"""Figures and report of the trained classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from lkmrs_dask.errors import UsageError
from lkmrs_dask.products.classifier_tables import evaluation_text, judged_values, number, star_values
from lkmrs_dask.products.figures import classifier as module
from lkmrs_dask.products.figures.classifier import figure_confusion, figure_reliability
from lkmrs_dask.variability.assessment import Judged
from lkmrs_dask.variability.evaluation import Reliability

CLASSES, COLUMNS = ("DSCT", "EB"), ("DSCT", "EB", "uncertain", "")


def judged() -> Judged:
    """Two stars, the first with two pieces, and one that is none of the classes."""
    names: list[Any] = [np.array(one, str) for one in (
        ["A", "A", "A", "B", "C"], ["real", "piece", "piece", "real", "check"],
        ["DSCT", "DSCT", "DSCT", "EB", ""], ["DSCT", "EB", "DSCT", "uncertain", ""],
        ["DSCT", "DSCT", "DSCT", "EB", ""], ["DSCT", "DSCT", "DSCT", "EB", ""],
        ["DSCT", "EB", "DSCT", "DSCT", ""],
    )]  # fmt: skip
    p = np.array([0.9, 0.8, 0.9, 0.4, np.nan])
    columns = [*names, p, p, p, np.array([True, False, True, False, False])]
    return Judged(*columns)


def test_matrix_shows_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panels: list[Axes] = []
    draw = module._draw_matrix

    def drawing(axis: Axes, *others: Any) -> None:
        draw(axis, *others)
        panels.append(axis)

    monkeypatch.setattr(module, "_draw_matrix", drawing)
    matrix = np.array([[1200, 0, 3, 0], [0, 0, 0, 0]])
    paths = figure_confusion(
        {"Synthetic": matrix, "Real": matrix * 0}, CLASSES, COLUMNS, tmp_path / "confusion"
    )
    assert [path.name for path in paths] == ["confusion.png", "confusion.pdf"]
    assert [text.get_text() for text in panels[0].texts] == ["1,200", "3"]
    assert panels[0].get_title() == "Synthetic: 1,203"
    # The share of the row is the colour; a row without stars has none.
    first, second = (np.asarray(axis.images[0].get_array()) for axis in panels)
    np.testing.assert_allclose(first[0, :3], [1200 / 1203, 0, 3 / 1203])
    assert np.all(second == 0)
    assert imread(paths[0]).shape[1] > 1500
    again = figure_confusion({"Synthetic": matrix, "Real": matrix * 0}, CLASSES, COLUMNS, tmp_path / "again")
    assert again[1].read_bytes() == paths[1].read_bytes()


def test_reliability(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panels: list[Axes] = []
    draw = module._draw_reliability

    def drawing(axis: Axes, *others: Any) -> None:
        draw(axis, *others)
        panels.append(axis)

    monkeypatch.setattr(module, "_draw_reliability", drawing)
    nothing = Reliability(np.full(4, np.nan), np.full(4, np.nan), np.zeros(4, np.int64), np.nan)
    some = Reliability(
        np.array([np.nan, 0.4, 0.6, 0.9]), np.array([np.nan, 0.5, 0.0, 1.0]), np.array([0, 4, 1, 50]), 0.1
    )
    paths = figure_reliability(
        {"model": some, "verdict": nothing}, tmp_path / "reliability", title="Synthetic"
    )
    assert all(path.stat().st_size > 1000 for path in paths)
    (points, *_) = panels[0].containers
    np.testing.assert_array_equal(points[0].get_xdata(), [0.4, 0.6, 0.9])
    np.testing.assert_array_equal(points[0].get_ydata(), [0.5, 0.0, 1.0])
    low, high = module._wilson(np.array([0.0, 0.5, 1.0]), np.array([10, 4, 10]))
    # Roots of (p - share)^2 = p (1 - p) / n.
    for end in (low, high):
        np.testing.assert_allclose((end - [0, 0.5, 1]) ** 2, end * (1 - end) / [10, 4, 10], atol=1e-12)


def test_wrong_figures(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no confusion matrix"):
        figure_confusion({}, CLASSES, COLUMNS, tmp_path / "a")
    with pytest.raises(UsageError, match="2 rows and 4 columns"):
        figure_confusion({"a": np.zeros((2, 2), int)}, CLASSES, COLUMNS, tmp_path / "a")
    with pytest.raises(UsageError, match="no reliability"):
        figure_reliability({}, tmp_path / "a")


def test_values() -> None:
    one = judged()
    whole = one.take(one.sources == "real")
    found = judged_values(whole, CLASSES, COLUMNS)
    assert found["model"]["right"] == 0.5
    assert found["rules"]["balanced_accuracy"] == 1.0
    assert found["model"]["uncertain"] == 0.5
    assert found["model"]["confusion"] == [[1, 0, 0, 0], [0, 0, 1, 0]]
    stars = {star["star"]: star for star in star_values(one)}
    assert stars["A"]["pieces_right"] == {"model": 1, "rules": 2, "verdict": 2}
    assert stars["C"]["probability"] is None
    assert stars["B"]["pieces"] == 0
    assert number(float("nan")) is None
    none = judged_values(one.take(one.sources == "none"), (), COLUMNS)
    assert none["model"]["right"] is None


def test_text() -> None:
    """Numbers of the report are those of the values; without real stars it says so."""
    one = judged()
    kinds = judged_values(one.take(one.sources == "real"), CLASSES, COLUMNS)
    values = {
        "rows": {"synthetic": 100, "real": 2, "piece": 2, "check": 1}, "n_real": 2, "per_class": 50,
        "seed": 7,
        "counts": {"DSCT": [50, 1], "EB": [50, 1]}, "classes": CLASSES, "columns": COLUMNS,
        "synthetic": {
            "without_frequency": 3, "log_loss": 0.1234, "kinds": kinds,
            "reliability": {"model": {"error": 0.012}, "verdict": {"error": None}},
            "thresholds": [{"probability": 0.5, "share": 0.75, "right": 0.5}],
        },
        "real": {"classes": CLASSES, "kinds": kinds, "stars": star_values(one)},
        "importance": {"teff": 0.2, "logg": 0.3},
        "search": {"least_leaf": [1.0, 2.0], "mean_test_score": [0.5, 0.6]},
    }  # fmt: skip
    text = evaluation_text(values)
    assert "| A | DSCT | DSCT | 0.90 | DSCT | 0.90 | DSCT | 0.90 | 2 | 1 | 2 | 2 |" in text
    assert "| B | EB | (DSCT) | 0.40 |" in text
    assert "| C | none |  | none |  | none |  |" in text
    assert "| 0.5 | 0.750 | 0.500 |" in text
    assert text.index("| logg | 0.3000 |") < text.index("| teff | 0.2000 |")
    assert "| 2.0 | 0.6 |" in text
    assert "nan" not in text
    empty = evaluation_text(values | {"search": None, "real": {"classes": (), "kinds": kinds, "stars": []}})
    assert "None were given" in empty
    assert "Search" not in empty
