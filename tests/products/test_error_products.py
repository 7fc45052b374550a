"""Table 3 and Fig. 3."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from astropy.table import Table
from matplotlib.figure import Figure
from matplotlib.image import imread

from lkmrs_dask.products.error_table import error_rows, error_table, write_error_table
from lkmrs_dask.products.figures import errors
from lkmrs_dask.products.figures.errors import figure_errors, figure_stated_errors
from lkmrs_dask.products.table_files import plain_text, write_table
from lkmrs_dask.schema import PARAMETERS
from lkmrs_dask.stars.error_law import ErrorLaw, fit_error_laws, fit_stated_errors
from lkmrs_dask.stars.error_settings import ErrorLawSettings
from lkmrs_dask.stars.error_summary import DeviationSummary, summarise_deviations
from lkmrs_dask.stars.power_law import B_RANGE
from lkmrs_dask.synthetic.noise import error

BEST = ErrorLawSettings(clip="bins", factor="leverage", corrected=True)


def survey(stars: int, names: tuple[str, ...] = tuple(PARAMETERS)) -> DeviationSummary:
    """Five spectra a star with the errors of Table 3, one spectrum in a hundred wrong by a lot."""
    rng = np.random.default_rng(4)
    star = np.repeat(np.arange(stars), 5)
    snr = np.exp(rng.uniform(np.log(6), np.log(250), len(star)))
    columns: dict[str, Any] = {"star_id": star.astype(str), "snr": snr}
    for name in names:
        wrong = np.where(rng.random(len(star)) < 0.01, 15.0, 1.0)
        columns[name] = error(name, snr) * rng.normal(size=len(star)) * wrong
    return summarise_deviations(pa.table(columns), BEST)


@pytest.fixture(scope="module")
def summary() -> DeviationSummary:
    return survey(1500)


@pytest.fixture(scope="module")
def laws(summary: DeviationSummary) -> dict[str, ErrorLaw]:
    return fit_error_laws(summary, BEST)


def test_rows_of_table_3(laws: dict[str, ErrorLaw]) -> None:
    rows = error_rows(dict(reversed(list(laws.items()))))
    assert [row["Parameter"] for row in rows] == ["Teff", "log g", "[Fe/H]", "[alpha/M]", "RV", "v sin i"]
    assert [row["Unit"] for row in rows] == ["K", "dex", "dex", "dex", "km / s", "km / s"]
    for row, law in zip(rows, laws.values(), strict=True):
        values = law.as_dict()
        for name in ("a", "b_err", "c", "sigma_10", "sigma_20_err", "sigma_50", "share_kept", "n_spectra"):
            assert row[name] == values[name]
        for snr in (10, 20, 50):
            # Table 3's columns follow from its coefficients; rounding only.
            assert row[f"sigma_{snr}"] == pytest.approx(row["a"] * snr ** row["b"] + row["c"], rel=1e-9)


def test_files_of_table_3(tmp_path: Path, laws: dict[str, ErrorLaw]) -> None:
    nothing = fit_error_laws(survey(1500, ("rv",)), BEST)["teff"]
    table = error_table(laws | {"vsini": nothing})
    paths = write_error_table(table, tmp_path / "products")
    assert [p.name for p in paths] == ["table3.csv", "table3.ecsv", "table3.txt"]
    assert len(list((tmp_path / "products").iterdir())) == 3
    rows = list(csv.DictReader(paths[0].read_text().splitlines()))
    assert [row["Parameter"] for row in rows][:2] == ["Teff", "log g"]
    assert float(rows[0]["a"]) == laws["teff"].as_dict()["a"]
    assert (rows[5]["a"], rows[5]["n_spectra"]) == ("nan", "0")
    back = Table.read(paths[1], format="ascii.ecsv")
    assert all(back[name].description for name in back.colnames)
    assert list(back["n_kept"]) == list(table["n_kept"])
    text = paths[2].read_text()
    assert "0 bins of S/N can be used" in text
    assert "nan" not in text.split("\nColumns")[0].replace("Remark", "")
    again = [p.read_bytes() for p in paths]
    assert [p.read_bytes() for p in write_error_table(table, tmp_path / "products")] == again
    assert len(error_table({})) == 0


def test_plain_text_of_floats(tmp_path: Path) -> None:
    table = Table({"x": [1234.5678, np.nan], "n": [1234, 5], "yes": [True, False]}, meta={"title": "T"})
    for name in table.colnames:
        table[name].description = name
    lines = plain_text(table, float_format=".3g").splitlines()
    assert lines[4].split() == ["1.23e+03", "1,234", "yes"]
    assert lines[5].split() == ["5", "no"]
    assert plain_text(table).splitlines()[4].split() == ["1234.5678", "1,234", "yes"]
    assert [p.name for p in write_table(table, tmp_path, "t")] == ["t.csv", "t.ecsv", "t.txt"]


def coloured(path: Path, colour: str) -> int:
    """Pixels of a PNG that are cyan or gray (not white, not black)."""
    red, green, blue = (imread(path)[..., k] for k in range(3))
    if colour == "cyan":
        return int(((green - red > 0.15) & (blue - red > 0.15)).sum())
    return int(((abs(red - green) < 0.02) & (abs(red - blue) < 0.02) & (red > 0.4) & (red < 0.9)).sum())


def test_figure_3(tmp_path: Path, summary: DeviationSummary, laws: dict[str, ErrorLaw]) -> None:
    paths = figure_errors(summary, laws, tmp_path / "figures" / "fig3", BEST)
    assert [p.name for p in paths] == ["fig3.png", "fig3.pdf"]
    assert paths[1].read_bytes().startswith(b"%PDF")
    assert coloured(paths[0], "cyan") > 50_000
    assert coloured(paths[0], "gray") > 5_000
    again = figure_errors(summary, laws, tmp_path / "again", BEST)
    assert paths[0].read_bytes() == again[0].read_bytes()


def test_what_figure_3_shows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    summary: DeviationSummary,
    laws: dict[str, ErrorLaw],
) -> None:
    """The dashed curves are +- the law, the words its coefficients and the share kept."""
    seen: dict[str, Figure] = {}
    monkeypatch.setattr(errors, "save", lambda figure, path: seen.setdefault("figure", figure) and [])
    figure_errors(summary, laws, tmp_path / "x", BEST)
    axes = seen["figure"].axes
    assert [axis.get_ylabel() for axis in axes[6:]] == [
        "Deviations in a cell, kept",
        "Deviations in a cell, rejected",
    ]
    everywhere: list[int] = []
    for axis, (name, law) in zip(axes[:6], laws.items(), strict=True):
        zero, left, right = axis.lines
        assert set(np.asarray(zero.get_xdata())) == {0.0}
        for curve, sign in ((left, -1), (right, 1)):
            snr = np.asarray(curve.get_ydata(), float)
            assert law.law is not None
            np.testing.assert_allclose(np.asarray(curve.get_xdata(), float), sign * law.law.sigma(snr))
        words = [text.get_text() for text in axis.texts]
        assert words[1] == f"{100 * (law.share_kept or 0):.1f} % kept of {law.n_spectra:,}"
        assert law.law is not None
        assert words[0].startswith("$b$ at its limit" if law.law.at_limit else "$a=")
        # All deviations are drawn, each in its place, or counted as beyond the panel.
        drawn = [float(np.ma.asarray(mesh.get_array()).sum()) for mesh in axis.collections]
        assert drawn[1] == pytest.approx(law.n_kept, rel=0.005), name
        beyond = int(words[2].removesuffix(" beyond the panel")) if len(words) > 2 else 0
        everywhere.append(beyond)
        # Cells with less than 0.02 of a deviation are not drawn.
        assert sum(drawn) + beyond == pytest.approx(law.n_spectra, abs=8)
    # Of some 75 in each panel that are wrong by a lot those of bright spectra are within.
    assert max(everywhere) < 75
    assert sum(everywhere) > 20


def test_figure_3_of_laws_that_say_little(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    summary: DeviationSummary,
    laws: dict[str, ErrorLaw],
) -> None:
    """No coefficients where they are not told apart, and no reason where there is none."""
    seen: list[Figure] = []
    monkeypatch.setattr(errors, "save", lambda figure, path: seen.append(figure))
    law = laws["teff"]
    assert law.law is not None
    ends = {b: replace(law, law=replace(law.law, b=b, c=7.0, at_limit=True)) for b in B_RANGE}
    none = replace(law, law=None, reason="100 % of the deviations are larger than 181,109 K")
    changed = {"teff": ends[B_RANGE[0]], "logg": ends[B_RANGE[1]], "feh": none}
    figure_errors(summary, laws | changed, tmp_path / "x", BEST)
    first = [axis.texts[0].get_text() for axis in seen[0].axes[:3]]
    assert first == [
        "$b$ at its limit, $c=7$: $a$ not known",
        "$b$ at its limit: $a$, $c$ not known",
        "no law could be fitted",
    ]
    assert len(seen[0].axes[2].lines) == 1


@pytest.mark.parametrize("factor", [1e30, 1e-30])
def test_figure_3_of_numbers_that_are_no_deviations(tmp_path: Path, factor: float) -> None:
    rng = np.random.default_rng(0)
    snr = np.exp(rng.uniform(np.log(6), np.log(250), 600))
    value = factor * rng.normal(size=600)
    table = pa.table({"star_id": np.repeat(np.arange(200), 3).astype(str), "snr": snr, "teff": value})
    summary = summarise_deviations(table, BEST)
    laws = fit_error_laws(summary, BEST)
    assert laws["teff"].law is None
    (png, _) = figure_errors(summary, laws, tmp_path / "x", BEST)
    assert png.stat().st_size > 10_000


@pytest.mark.parametrize("stars", [0, 1, 40], ids=["none", "one", "few"])
def test_figure_3_of_little(tmp_path: Path, stars: int) -> None:
    summary = survey(stars)
    (png, _) = figure_errors(summary, fit_error_laws(summary, BEST), tmp_path / "x", BEST)
    assert png.stat().st_size > 10_000


def test_figure_3_of_constants(tmp_path: Path) -> None:
    table = pa.table({"star_id": ["a"] * 9, "snr": np.linspace(9, 90, 9), "teff": [5000.0] * 9})
    summary = summarise_deviations(table)
    laws = fit_error_laws(summary)
    (png, _) = figure_errors(summary, laws, tmp_path / "x")
    assert png.stat().st_size > 10_000


def test_figure_of_real_stated_errors(tmp_path: Path, shared: Path) -> None:
    text = (shared / "data/lamost_lrs_catalog/learninglamost_my_data3.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    snr = [float(row["snrr"]) for row in rows]
    stated = {name: [float(row[name]) for row in rows] for name in ("rv_err", "teff_err", "feh_err")}
    fitted = {name: fit_stated_errors(snr, values) for name, values in stated.items()}
    (png, _) = figure_stated_errors(snr, stated, fitted, tmp_path / "stated")
    assert coloured(png, "cyan") > 20_000


def test_figure_of_no_stated_errors(tmp_path: Path) -> None:
    (png, _) = figure_stated_errors([], {"x": []}, {"x": fit_stated_errors([], [])}, tmp_path / "stated")
    assert png.stat().st_size > 1_000
