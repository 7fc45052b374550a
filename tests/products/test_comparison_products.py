"""Tables and figures of comparisons with other surveys (Figs. 4 to 6)."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle

from lkmrs_dask.products.comparison_table import (
    comparison_rows,
    comparison_table,
    offsets_table,
    write_comparison,
    write_offsets,
)
from lkmrs_dask.products.figures import comparison as figures
from lkmrs_dask.products.figures import velocities
from lkmrs_dask.products.figures.comparison import figure_comparison, figure_offsets, number
from lkmrs_dask.products.figures.velocities import figure_velocities
from lkmrs_dask.stars.comparison import Comparison, compare
from lkmrs_dask.stars.comparison_settings import ComparisonSettings
from lkmrs_dask.stars.offsets import offsets

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


def test_what_the_panels_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slope and intercept of the regression in the corner, number of stars, and empty panels."""
    seen: dict[str, Figure] = {}
    monkeypatch.setattr(figures, "save", lambda figure, path: seen.setdefault("four", figure) and [])
    monkeypatch.setattr(velocities, "save", lambda figure, path: seen.setdefault("six", figure) and [])
    shown = one(1200)
    figure_comparison({("feh", "giant"): shown, ("logg", "dwarf"): one(4)}, "galah", tmp_path / "x")
    said = texts(seen["four"])
    assert said.count("no stars\nin common") == 6
    assert {"$n$ = 1,200", "$n$ = 4", "4 stars, fewer than 10"} <= set(said)
    (corner,) = [text for text in said if text.startswith("slope")]
    lines = corner.splitlines()
    assert lines[0] == f"slope {number(shown.slope, shown.slope_err, 3)}"
    assert lines[1] == f"intercept {number(shown.intercept, shown.intercept_err, 3)}"
    assert len(lines) == 2
    panel = next(axis for axis in seen["four"].axes if axis.get_title() == "[Fe/H]")
    diagonal, fitted = panel.lines[-2:]
    assert (np.asarray(diagonal.get_xdata()) == np.asarray(diagonal.get_ydata())).all()
    x, y = np.asarray(fitted.get_xdata(), float), np.asarray(fitted.get_ydata(), float)
    assert y == pytest.approx(shown.slope * x + shown.intercept)

    figure_velocities({("gaia", "giant"): shown}, tmp_path / "y")
    (numbers,) = [text for text in texts(seen["six"]) if text.startswith("mean")]
    assert f"RMS {shown.residuals.rms:.2f}" in numbers
    bars = [axis for axis in seen["six"].axes if axis.patches]
    assert sum(
        patch.get_width() for patch in bars[0].patches if isinstance(patch, Rectangle)
    ) == pytest.approx(1200, abs=20)  # within 6 sigma


def test_numbers_with_errors() -> None:
    assert number(0.91973, 0.00074, 3) == "0.91973 ± 0.00074"
    assert number(-0.1068, 0.0081, 3) == "−0.1068 ± 0.0081"
    assert number(439.4, 12.3, 0) == "439 ± 12"
    assert number(439.4, math.nan, 0) == "439"
    assert number(1.0, 0.0, 3) == "1.000"
