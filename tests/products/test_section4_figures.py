"""Figs. 7 and 8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from lkmrs_dask.errors import UsageError
from lkmrs_dask.products.figures import high_velocity, metallicity
from lkmrs_dask.products.figures.high_velocity import figure_high_velocity
from lkmrs_dask.products.figures.metallicity import figure_metallicity

RADIUS = np.linspace(4.0, 20.0, 50)
ESCAPE = 700.0 - 12.0 * RADIUS  # any falling curve


def caught(monkeypatch: pytest.MonkeyPatch, module: Any) -> dict[str, Figure]:
    """Catch the figure instead of writing it."""
    seen: dict[str, Figure] = {}
    monkeypatch.setattr(module, "save", lambda figure, path: seen.setdefault("figure", figure) and [])
    return seen


@pytest.fixture
def feh() -> np.ndarray:
    rng = np.random.default_rng(3)
    poor = [rng.uniform(-1.99, -1.0, 70), rng.uniform(-2.5, -2.01, 17), [np.nan, np.inf, -2.6]]
    return np.concatenate([rng.normal(-0.1, 0.2, 3000), *poor])


def test_figure_7(tmp_path: Path, feh: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = figure_metallicity(feh, tmp_path / "figures" / "fig7")
    assert [p.name for p in paths] == ["fig7.png", "fig7.pdf"]
    assert paths[0].read_bytes() == figure_metallicity(feh, tmp_path / "again")[0].read_bytes()
    seen = caught(monkeypatch, metallicity)
    figure_metallicity(feh, tmp_path / "x")
    (main,) = seen["figure"].axes
    left, middle = main.child_axes
    legend = main.get_legend()
    assert legend is not None
    n_mp = int(((feh >= -2) & (feh <= -1)).sum())
    assert [text.get_text() for text in legend.get_texts()] == [
        "All stars: 3,088", f"MP, −2.0 ≤ [Fe/H] ≤ −1.0: {n_mp}", "VMP, −2.5 ≤ [Fe/H] < −2.0: 17",
    ]  # fmt: skip
    assert left.get_position().x1 < middle.get_position().x0
    assert [axis.texts[0].get_text() for axis in (left, middle)] == ["VMP: 17", f"MP: {n_mp}"]
    # Bars: one container a class, very metal-poor first; all stars are in them.
    counts = [sum(bar.get_height() for bar in bars) for bars in main.containers]
    assert counts == [17, n_mp, 3088 - 17 - n_mp]
    assert sum(bar.get_height() for bar in left.containers[0]) == 17
    assert sum(bar.get_height() for bar in middle.containers[1]) == n_mp


@pytest.mark.parametrize("values", [[], [np.nan], [-2.0], [0.3, 0.3], [-9.0, 4.0]])
def test_figure_7_of_little(tmp_path: Path, values: list[float]) -> None:
    assert figure_metallicity(values, tmp_path / "x")[0].stat().st_size > 10_000


def test_figure_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    n = 3000
    r, v = 8.0 + rng.exponential(1.5, n), rng.normal(220.0, 30.0, n)
    v[:3], v[3], r[4], v[5] = 450.0, 650.0, np.nan, 90_000.0
    label = ["bound_HiVels"] * 2 + ["MP,bound_HiVels", "VMP,unbound_HiVels", *[None] * (n - 4)]
    epochs = {"KIC 7881304": (r[3], [560.0, 640.0, np.nan, 700.0], 650.0)}
    paths = figure_high_velocity(r, v, label, RADIUS, ESCAPE, tmp_path / "fig8", epochs)
    assert [p.suffix for p in paths] == [".png", ".pdf"]
    seen = caught(monkeypatch, high_velocity)
    figure_high_velocity(r, v, label, RADIUS, ESCAPE, tmp_path / "x", epochs)
    main, side = seen["figure"].axes
    curves = {str(line.get_label()): line for line in main.lines}
    np.testing.assert_allclose(np.asarray(curves[r"$v_{\rm esc}$"].get_ydata(), float), ESCAPE)
    np.testing.assert_allclose(np.asarray(curves[r"0.7 $v_{\rm esc}$"].get_ydata(), float), 0.7 * ESCAPE)
    marks = {str(dots.get_label()): np.asarray(dots.get_offsets()) for dots in main.collections}
    np.testing.assert_allclose(marks["Bound: 3"], np.column_stack([r[:3], v[:3]]))
    np.testing.assert_allclose(marks["Unbound: 1"], [[r[3], 650.0]])
    np.testing.assert_allclose(marks["KIC 7881304, 3 spectra"][:, 1], [560.0, 640.0, 700.0])
    np.testing.assert_allclose(marks["KIC 7881304, mean"], [[r[3], 650.0]])
    dashed = [line for line in main.lines if line.get_linestyle() == "--"]
    assert [float(np.asarray(line.get_ydata())[0]) for line in dashed] == [650.0]
    # One wild velocity does not make the axis; it is told.
    assert 700.0 < main.get_ylim()[1] < 1000.0
    assert main.get_ylim() == side.get_ylim()
    beyond = int(main.texts[0].get_text().split()[0])
    assert beyond >= 1
    assert sum(bar.get_width() for bar in side.containers[0]) == n - 2


@pytest.mark.parametrize("n", [0, 1])
def test_figure_8_of_little(tmp_path: Path, n: int) -> None:
    for radius, escape in ((RADIUS, ESCAPE), (np.empty(0), np.empty(0))):
        paths = figure_high_velocity([8.0] * n, [200.0] * n, [None] * n, radius, escape, tmp_path / "x")
        assert paths[0].stat().st_size > 10_000


def test_figure_8_of_wrong_arrays(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="differ in shape"):
        figure_high_velocity([8.0], [1.0, 2.0], [None], RADIUS, ESCAPE, tmp_path / "x")
    with pytest.raises(UsageError, match="curve_r must rise"):
        figure_high_velocity([8.0], [1.0], [None], RADIUS[::-1], ESCAPE, tmp_path / "x")
