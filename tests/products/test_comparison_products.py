"""Tables and figures of comparisons with other surveys (Figs. 4 to 6)."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle
from matplotlib.path import Path as MplPath
from numpy.typing import NDArray

from lkmrs_dask.products.comparison_table import (
    comparison_rows,
    comparison_table,
    offsets_table,
    write_comparison,
    write_offsets,
)
from lkmrs_dask.products.figures import comparison as figures
from lkmrs_dask.products.figures import velocities
from lkmrs_dask.products.figures.comparison import (
    CORRECTED_COLOUR,
    LINE_COLOUR,
    figure_comparison,
    figure_offsets,
    number,
)
from lkmrs_dask.products.figures.velocities import figure_velocities
from lkmrs_dask.stars.comparison import Comparison, compare
from lkmrs_dask.stars.comparison_settings import ComparisonSettings
from lkmrs_dask.stars.offsets import offsets

Floats = NDArray[np.float64]
SETTINGS = ComparisonSettings(n_bootstrap=20)


def one(n: int, slope: float = 0.75, centre: float = 0.0, *, errors: bool = True) -> Comparison:
    rng = np.random.default_rng(n)
    x = rng.normal(centre, 0.3, n)
    y = slope * x + rng.normal(0, 0.05, n)
    return compare(y, x, theirs_err=np.full(n, 0.01) if errors else None, settings=SETTINGS)


def all_results() -> dict[tuple[str, str, str], Comparison]:
    return {
        ("apogee", "feh", "all"): one(500),
        ("apogee", "feh", "giant"): one(200, errors=False),
        ("apogee", "teff", "dwarf"): one(3),
        ("gaia", "rv", "giant"): one(0),
        ("gaia", "colour", "all"): one(50),
    }


def test_rows() -> None:
    results = all_results()
    rows = comparison_rows(results)
    assert [(row["survey"], row["parameter"], row["class"]) for row in rows] == list(results)
    assert [row["n"] for row in rows] == [500, 200, 3, 0, 50]
    assert [row["unit"] for row in rows] == ["dex", "dex", "K", "km / s", ""]
    first = results["apogee", "feh", "all"]
    assert rows[0]["slope"] == first.slope
    assert rows[0]["slope_plain"] == first.plain.slope
    assert rows[0]["slope_err_corrected"] == first.corrected.slope_err
    assert rows[0]["rms"] == first.residuals.rms
    assert {row["n_beyond_limits"] for row in rows} == {0}
    bad = compare([-9999.0, 5.0], [3.0, 4.0], parameter="rv", settings=SETTINGS)
    assert comparison_rows({("gaia", "rv", "all"): bad})[0]["n_beyond_limits"] == 1
    assert [row["note"] for row in rows] == [
        "",
        "corrected: 0 points have an error of x, fewer than 10",
        "3 stars, fewer than 10",
        "no stars in common",
        "",
    ]


def test_files(tmp_path: Path) -> None:
    table = comparison_table(all_results())
    paths = write_comparison(table, tmp_path)
    assert [p.name for p in paths] == ["comparison.csv", "comparison.ecsv", "comparison.txt"]
    rows = list(csv.DictReader(paths[0].read_text().splitlines()))
    assert float(rows[0]["slope"]) == table["slope"][0]
    assert rows[0]["n_used_corrected"] == str(table["n_used_corrected"][0])
    back = Table.read(paths[1], format="ascii.ecsv")
    assert back.colnames == table.colnames == list(comparison_rows(all_results())[0])
    assert all(back[name].description for name in back.colnames)
    assert math.isnan(back["slope"][3])
    assert "slope_corrected" in paths[2].read_text()
    assert len(comparison_table({})) == 0


def test_files_of_offsets(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    teff, feh = rng.uniform(4000, 6000, 300), rng.normal(0, 0.3, 300)
    results = {
        ("galah", "feh", by): found for by, found in offsets(0.75 * feh, feh, teff, 0.75 * feh).items()
    }
    table = offsets_table(results)
    assert table["n"].sum() == 600
    assert (table["n"] > 0).all()
    assert set(table["by_unit"]) == {"K", "dex"}
    assert set(table["unit"]) == {"dex"}
    paths = write_offsets(table, tmp_path)
    assert [p.name for p in paths] == ["offsets.csv", "offsets.ecsv", "offsets.txt"]
    back = Table.read(paths[1], format="ascii.ecsv")
    np.testing.assert_array_equal(back["median"], table["median"])
    assert len(offsets_table({})) == 0


def dark_pixels(path: Path) -> int:
    """Pixels of a PNG that are not white, so that an empty picture is noticed."""
    return int((imread(path)[..., :3] < 0.9).any(axis=-1).sum())


@pytest.mark.parametrize("n", [0, 1, 15, 2000])
def test_figures(tmp_path: Path, n: int) -> None:
    """Of any number of stars, with panels that have none, the same bytes each time."""
    results = {("feh", "giant"): one(n), ("teff", "dwarf"): one(n, 0.9, 5000.0)}
    paths = figure_comparison(results, "apogee", tmp_path / "figure4")
    assert [p.name for p in paths] == ["figure4.png", "figure4.pdf"]
    assert dark_pixels(paths[0]) > 5_000
    first = [p.read_bytes() for p in paths]
    assert [p.read_bytes() for p in figure_comparison(results, "apogee", tmp_path / "figure4")] == first
    rv = {("gaia", "giant"): one(n, 1.0), ("galah", "dwarf"): one(n, 1.0)}
    assert dark_pixels(figure_velocities(rv, tmp_path / "figure6.png")[0]) > 5_000


def test_constant_values_and_perfect_agreement(tmp_path: Path) -> None:
    same = compare(np.full(20, 5000.0), np.full(20, 5000.0), settings=SETTINGS)
    exact = compare(np.arange(20.0), np.arange(20.0), settings=SETTINGS)
    figure_comparison({("teff", "giant"): same, ("teff", "dwarf"): exact}, "galah", tmp_path / "a")
    figure_velocities({("gaia", "giant"): same, ("gaia", "dwarf"): exact}, tmp_path / "b")


def test_figure_of_offsets(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    teff, feh, rv = rng.uniform(4000, 6000, 300), rng.normal(0, 0.3, 300), rng.normal(0, 30, 300)
    results = {
        (s, "rv", by): found for s in ("gaia", "else") for by, found in offsets(rv, rv, teff, feh).items()
    }
    paths = figure_offsets(results, tmp_path / "offsets", parameters=("rv",))
    assert dark_pixels(paths[0]) > 5_000
    assert dark_pixels(figure_offsets({}, tmp_path / "none", parameters=("rv",))[0]) > 5_000


def texts(figure: Figure) -> list[str]:
    return [t.get_text() for axis in figure.axes for t in axis.texts]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures that are drawn are kept here, and not written."""
    seen: list[Figure] = []

    def keep(figure: Figure, path: Path) -> list[Path]:
        seen.append(figure)
        return [path]

    for module in (figures, velocities):
        monkeypatch.setattr(module, "save", keep)
    return seen


def straight(panel: Axes, colour: str) -> tuple[Floats, Floats]:
    (line,) = [line for line in panel.lines if line.get_color() == colour]
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def test_what_the_panels_say(tmp_path: Path, kept: list[Figure]) -> None:
    """The regressions in the corner, number of stars, axes with parameter and unit, and empty panels."""
    shown = one(1200)
    figure_comparison({("feh", "giant"): shown, ("logg", "dwarf"): one(4)}, "galah", tmp_path / "x")
    said = texts(kept[0])
    assert said.count("no stars in\ncommon") == 6
    assert {"$n$ = 1,200", "$n$ = 4", "4 stars, fewer than 10"} <= set(said)
    assert f"slope {number(shown.slope, shown.slope_err, 3)}" in said
    assert f"intercept {number(shown.intercept, shown.intercept_err, 3)}" in said
    corrected = shown.corrected
    assert f"corr. slope {number(corrected.slope, corrected.slope_err, 3)}" in said
    assert len([text for text in said if "slope" in text]) == 2
    labels = [(axis.get_xlabel(), axis.get_ylabel()) for axis in kept[0].axes[:4]]
    assert labels[0] == (r"GALAH $T_{\rm eff}$ (K)", r"LK-MRS $T_{\rm eff}$ (K)")
    assert labels[2] == ("GALAH [Fe/H] (dex)", "LK-MRS [Fe/H] (dex)")
    panel = kept[0].axes[2]
    diagonal = straight(panel, "black")
    assert (diagonal[0] == diagonal[1]).all()
    for line, colour in ((shown.line, LINE_COLOUR), (corrected, CORRECTED_COLOUR)):
        x, y = straight(panel, colour)
        assert y == pytest.approx(line.slope * x + line.intercept)
    # The 1:1 line is on top, so that it is seen where all are the same.
    order = {line.get_color(): line.get_zorder() for line in panel.lines}
    assert order["black"] > order[CORRECTED_COLOUR] > order[LINE_COLOUR]


def test_colour_bars(tmp_path: Path, kept: list[Figure]) -> None:
    """Ticks at both ends; none where there is no density."""
    figure_comparison({("feh", "giant"): one(300)}, "galah", tmp_path / "x")
    figure_velocities({("gaia", "giant"): one(300)}, tmp_path / "y")
    upright, lying = kept[0].axes[-1], kept[1].axes[-1]
    assert upright.get_ylabel() == lying.get_xlabel() == "Density / densest pixel"
    for scale in (upright.yaxis, lying.xaxis):
        assert [label.get_text() for label in scale.get_ticklabels()] == ["0.05", "0.1", "0.3", "1"]
    figure_comparison({}, "galah", tmp_path / "x")
    figure_velocities({("gaia", "giant"): one(0)}, tmp_path / "y")
    for figure in kept[2:]:
        assert not [axis for axis in figure.axes if "Density" in axis.get_xlabel() + axis.get_ylabel()]


def test_a_panel_says_why_it_is_empty(tmp_path: Path, kept: list[Figure]) -> None:
    nothing = compare(np.arange(20.0), np.full(20, np.nan), settings=SETTINGS)
    figure_comparison({("feh", "giant"): nothing}, "galah", tmp_path / "x")
    assert "no star has\nboth values" in texts(kept[0])


def test_density_has_no_jagged_edge(tmp_path: Path, kept: list[Figure]) -> None:
    """The coloured area is the one above the level of the densest pixels, within a pixel of its border."""
    shown = one(3000)
    figure_comparison({("feh", "giant"): shown}, "galah", tmp_path / "x")
    (contours,) = [c for c in kept[0].axes[2].collections if isinstance(c, ContourSet)]
    density = shown.density
    assert density is not None
    level = density.values[density.retained].min() / density.values.max()
    assert np.asarray(contours.levels)[[0, -1]] == pytest.approx([level, 1.0])
    x, y = density.centres()
    inside = np.zeros(x.size, bool)
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    for path in contours.get_paths():
        for polygon in path.to_polygons():
            inside ^= MplPath(polygon).contains_points(points)
    # Pixels at the level itself, and those where two bands meet, may be on either side.
    assert (inside.reshape(x.shape) != density.retained).sum() <= 0.02 * density.retained.sum() + 20
    corner_x, corner_y = density.corners()
    assert corner_y - density.tilt * corner_x == pytest.approx(
        np.broadcast_to(density.y_edges, corner_y.shape)
    )


def test_what_fig_6_says(tmp_path: Path, kept: list[Figure]) -> None:
    shown = one(1200)
    figure_velocities({("gaia", "giant"): shown}, tmp_path / "y")
    (numbers,) = [text for text in texts(kept[0]) if "mean" in text]
    assert numbers.splitlines()[0] == r"$\Delta$RV (km s$^{-1}$)"
    assert f"RMS {shown.residuals.rms:.2f}" in numbers
    assert f"corr. slope {number(shown.corrected.slope, shown.corrected.slope_err, 3)}" in texts(kept[0])
    bars = [axis for axis in kept[0].axes if axis.patches]
    assert sum(
        patch.get_width() for patch in bars[0].patches if isinstance(patch, Rectangle)
    ) == pytest.approx(1200, abs=20)  # within 6 sigma


@pytest.mark.parametrize(("n", "widths"), [(0, [0]), (1, [1]), (3, [3]), (4, [3, 1]), (7, [3, 3, 1])])
def test_any_number_of_surveys(tmp_path: Path, kept: list[Figure], n: int, widths: list[int]) -> None:
    """Three a figure, and no panel over another."""
    names = [f"survey{k}" for k in range(n)]
    results = {(name, stars): one(40) for name in names for stars in ("giant", "dwarf")}
    paths = figure_velocities(results, tmp_path / "fig6.png", surveys=names)
    assert [path.name for path in paths] == ["fig6", "fig6_2", "fig6_3"][: len(widths)]
    titles = [axis.get_title("left") for figure in kept for axis in figure.axes]
    assert [title for title in titles if "giants" in title] == [f"{name}, giants" for name in names]
    for figure, width in zip(kept, widths, strict=True):
        boxes = [axis.get_position() for axis in figure.axes]
        assert len(boxes) == 8 * width + (width > 0)
        for k, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[k + 1 :])


def test_numbers_with_errors() -> None:
    assert number(0.91973, 0.00074, 3) == "0.91973 ± 0.00074"
    assert number(-0.1068, 0.0081, 3) == "−0.1068 ± 0.0081"
    assert number(439.4, 12.3, 0) == "439 ± 12"
    assert number(439.4, math.nan, 0) == "439"
    assert number(1.0, 0.0, 3) == "1.000"
