"""Fig. 9: what is drawn, counted and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from lkmrs_dask.errors import UsageError
from lkmrs_dask.products.figures import hr_diagram as module
from lkmrs_dask.products.figures import style
from lkmrs_dask.products.figures.hr_diagram import CLASS_MARKERS, figure_hr_classes, figure_hr_diagram
from lkmrs_dask.stars.hr_tracks import Strip, Track, read_strips
from lkmrs_dask.variability.rules import CLASSES

MARKERS = {marker for marker, _, _ in CLASS_MARKERS.values()}
GENEVA = Track(2.0, np.nan, np.array([9000.0, 5000.0]), np.array([1.5, 0.0]), True, "y", "Geneva")
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


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pixels: what is drawn is the same, and is drawn sooner."""
    monkeypatch.setattr(style, "_DPI", 60)


def test_all_classes_have_a_marker() -> None:
    assert set(CLASS_MARKERS) == set(CLASSES)


def figures_of(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures as they are when they are saved."""
    seen: list[Figure] = []
    true = module.save

    def saving(figure: Figure, path: Path) -> list[Path]:
        seen.append(figure)
        return true(figure, path)

    monkeypatch.setattr(module, "save", saving)
    return seen


def some_stars() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    return np.append(rng.normal(5500, 600, 200), np.nan), np.append(rng.normal(4, 2, 200), 3.0)


@pytest.mark.parametrize("most", [10, 10_000])
def test_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """As points or as a density: counts are the table's, what is missing is named."""
    seen = figures_of(monkeypatch)
    monkeypatch.setattr(module, "_MOST_POINTS", most)
    table = variables()
    paths = figure_hr_diagram(
        some_stars(),
        table,
        tmp_path / "hr",
        tracks=[TRACK, GENEVA],
        strips=read_strips(),
        extinction="no dust",
    )
    assert [path.name for path in paths] == ["hr.png", "hr.pdf"]
    height, width = imread(paths[0]).shape[:2]
    assert width > height > 0
    rows = table.to_pylist()
    left, right = seen[0].axes
    assert left.get_title() == f"Kepler/K2: {sum(row['kepler'] for row in rows)} variables"
    both = sum(bool(row["kepler"] and row["tess"]) for row in rows)
    n_tess = sum(row["tess"] for row in rows)
    assert right.get_title() == f"TESS: {n_tess} variables ({both} also by Kepler/K2)"
    for axis, mission in ((left, "kepler"), (right, "tess")):
        legend = axis.get_legend()
        assert legend is not None
        # Below the panel, where no star can be.
        assert legend.get_window_extent().y1 < axis.get_window_extent().y0
        words = dict(
            zip(CLASS_MARKERS, (text.get_text() for text in legend.get_texts()), strict=True)
        )  # fmt: skip
        for name, shown in words.items():
            mine = [row for row in rows if row["variable_class"] == name and row[mission]]
            counted = f"{CLASS_MARKERS[name][2]} {len(mine)}"
            if mission == "tess":
                counted += f" ({sum(row['kepler'] for row in mine)})"
            assert shown == counted
        assert axis.get_xlim()[0] > axis.get_xlim()[1]
        assert axis.get_ylim()[0] > axis.get_ylim()[1]
        placed = sum(row["m_g"] is not None for row in rows if row[mission])
        points = [line for line in axis.get_lines() if line.get_marker() in MARKERS]
        assert sum(np.size(line.get_xdata()) for line in points) == placed
    (note,) = (text.get_text().replace("\n", " ") for text in seen[0].texts)
    missing = sum(row["m_g"] is None for row in rows if row["tess"])
    assert note == (
        r"no track of 0.4, 0.8, 2.8 $M_\odot$; track of Geneva: 2 $M_\odot$; "
        r"no theoretical $\delta$ Sct strip; no $\gamma$ Dor strip; "
        f"not placed: 1 of Kepler/K2, {missing} of TESS; no dust"
    )


def test_a_panel_for_each_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of each class, in parentheses those of Kepler and K2; squares of both kinds."""
    seen = figures_of(monkeypatch)
    table = variables()
    paths = figure_hr_classes(some_stars(), table, tmp_path / "c", tracks=[TRACK], strips=read_strips())
    assert [path.name for path in paths] == ["c.png", "c.pdf"]
    rows = table.to_pylist()
    for axis, (name, (_, _, label)) in zip(seen[0].axes, CLASS_MARKERS.items(), strict=True):
        mine = [row for row in rows if row["variable_class"] == name]
        by_kepler = sum(row["kepler"] for row in mine)
        aside = sum(row["m_g"] is None for row in mine)
        assert axis.get_title() == f"{label}: {len(mine)} ({by_kepler})" + (
            f", {aside} not placed" if aside else ""
        )
        squares = {line.get_label(): line for line in axis.get_lines() if line.get_marker() == "s"}
        on_it = [row for row in mine if row["m_g"] is not None]
        assert np.size(squares["Kepler/K2"].get_xdata()) == sum(row["kepler"] for row in on_it)
        assert np.size(squares["TESS only"].get_xdata()) == sum(not row["kepler"] for row in on_it)
    words = seen[0].texts[-1].get_text()
    assert words.startswith("no track of 0.4, 0.8, 2, 2.8")


def test_all_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the paper are drawn as it draws them, and none is said to be missing; others are named."""
    seen = figures_of(monkeypatch)
    edges = [
        Strip(name, edge, np.array([7000.0, 6500.0]) + at, np.array([3.0, 1.0]))
        for name in ("deltasct", "deltasct_theory", "gammador", "RRL")
        for at, edge in ((0.0, "red"), (800.0, "blue"))
    ]
    figure_hr_diagram(some_stars(), variables(1), tmp_path / "s", strips=edges)
    axis = seen[0].axes[0]
    assert {text.get_text() for text in axis.texts} == {
        r"$\delta$ Sct strip", r"theoretical $\delta$ Sct strip", r"$\gamma$ Dor strip", "RRL",
    }  # fmt: skip
    assert "strip" not in seen[0].texts[-1].get_text()
    styles = [line.get_linestyle() for line in axis.get_lines() if line.get_linewidth() == 1.1]
    assert styles == ["--", "--", "-", "-", ":", ":", "-.", "-."]


@pytest.mark.parametrize("draw", [figure_hr_diagram, figure_hr_classes])
def test_nothing_to_draw(tmp_path: Path, draw: Callable[..., list[Path]]) -> None:
    """No star, no variable, no track; and the same figure twice has the same bytes."""
    first = draw(([], []), variables(0), tmp_path / "a")
    again = draw(([], []), variables(0), tmp_path / "b")
    assert [a.read_bytes() == b.read_bytes() for a, b in zip(first, again, strict=True)] == [True, True]


def test_wrong_tables(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="m_g"):
        figure_hr_diagram(([], []), variables().drop_columns(["m_g"]), tmp_path / "x")
    wrong = variables(1).set_column(2, "variable_class", pa.array(["CEP"] * len(CLASSES)))
    with pytest.raises(UsageError, match="CEP"):
        figure_hr_diagram(([], []), wrong, tmp_path / "x")
    with pytest.raises(UsageError, match="magnitudes"):
        figure_hr_diagram(([1.0], []), variables(1), tmp_path / "x")
