"""Table 1, the list of plates, and Figs. 1 and 2."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from astropy.table import Table
from matplotlib.figure import Figure
from matplotlib.image import imread

from lkmrs_dask.products.figures import exposures
from lkmrs_dask.products.figures.exposures import figure_exposures
from lkmrs_dask.products.figures.plates import ecliptic, figure_plates, plate_outline
from lkmrs_dask.products.overview_table import (
    overview_rows,
    overview_table,
    plates_table,
    write_overview,
    write_plates,
)
from lkmrs_dask.stars.overview import COUNTS, Overview

# Table 1 of the paper.
PAPER = {
    2018: (25, 136, 791_779, 34_211, 34_211, 34_211, 32_377, 4_557, 18_572),
    2019: (40, 201, 1_111_398, 48_905, 48_905, 48_905, 46_199, 6_412, 23_846),
    2020: (34, 142, 865_996, 48_263, 48_263, 48_263, 45_619, 7_360, 27_309),
    2021: (14, 63, 357_414, 17_531, 17_531, 17_531, 16_454, 2_525, 11_012),
    2022: (11, 41, 191_438, 12_679, 12_679, 12_679, 12_001, 1_628, 7_892),
    2023: (10, 41, 213_760, 9_048, 9_048, 9_048, 8_620, 1_328, 5_444),
}
TOTAL = (134, 624, 3_531_785, 170_637, 170_637, 170_637, 161_270, 23_810, 94_075)
HEADER = [
    "Year",
    "N_Plate",
    "N_Exposures",
    "N_Spectra",
    "N_Teff",
    "N_logg",
    "N_FeH",
    "N_RV",
    "N_vsini",
    "N_alphaM",
]
PLANS = ["HIP95119KP01", "TD192102N424113K01", "TD193637N444141K01", "TD082325N180811K02"]


def paper_overview() -> Overview:
    names = ("n_spectra", *(name for name in COUNTS if name not in COUNTS[:5]))
    counts: dict[int | None, dict[str, int]] = {
        year: dict(zip(names, row[2:], strict=True)) for year, row in PAPER.items()
    }
    visits = {
        (PLANS[k % 4], 58000 + 400 * (y - 2018) + k, y) for y, row in PAPER.items() for k in range(row[0])
    }
    taken = {(PLANS[k % 4], y * 1000 + k, y) for y, row in PAPER.items() for k in range(row[1])}
    plates = {plan: (1000 * k, 10 * k) for k, plan in enumerate(PLANS, 1)}
    return Overview(counts, frozenset(visits), frozenset(taken), plates, 100)


def angle_deg(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    lon, phi, psi = math.radians(ra2 - ra1), math.radians(dec1), math.radians(dec2)
    haversine = math.sin((psi - phi) / 2) ** 2 + math.cos(phi) * math.cos(psi) * math.sin(lon / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(min(1.0, haversine))))


def test_table_1_of_the_paper() -> None:
    rows = overview_rows(paper_overview())
    assert list(rows[0]) == HEADER
    assert [tuple(row.values()) for row in rows] == [
        *((str(year), *numbers) for year, numbers in PAPER.items()),
        ("Total", *TOTAL),
    ]


def test_rows_without_a_date() -> None:
    rows = overview_rows(Overview({None: {"n_spectra": 3}, 2018: {"n_spectra": 2}}))
    assert [(row["Year"], row["N_Spectra"]) for row in rows] == [("2018", 2), ("unknown", 3), ("Total", 5)]
    assert [row["Year"] for row in overview_rows(Overview())] == ["Total"]


def test_files_of_table_1(tmp_path: Path) -> None:
    table = overview_table(paper_overview())
    paths = write_overview(table, tmp_path / "products")
    assert sorted(p.name for p in (tmp_path / "products").iterdir()) == [
        "table1.csv",
        "table1.ecsv",
        "table1.txt",
    ]
    assert [p.name for p in paths] == ["table1.csv", "table1.ecsv", "table1.txt"]
    csv = paths[0].read_text().splitlines()
    assert csv[0] == ",".join(HEADER)
    assert csv[-1] == "Total," + ",".join(map(str, TOTAL))
    back = Table.read(paths[1], format="ascii.ecsv")
    assert back.colnames == HEADER
    assert all(back[name].description for name in HEADER)
    assert [tuple(row) for row in back] == [tuple(row) for row in table]
    text = paths[2].read_text().splitlines()
    assert any(line.split() == ["Total", *(f"{n:,}" for n in TOTAL)] for line in text)
    assert any("distinct pairs of plan and night" in line for line in text)
    again = [p.read_bytes() for p in paths]
    assert [p.read_bytes() for p in write_overview(table, tmp_path / "products")] == again


def test_list_of_plates(tmp_path: Path) -> None:
    planned = ["TD230151N343645T01", "XY", PLANS[0]]
    table = plates_table(paper_overview(), planned)
    rows = {row["planid"]: row for row in table}
    assert list(rows) == [PLANS[3], PLANS[1], PLANS[0], PLANS[2], "TD230151N343645T01", "XY"]  # by RA
    assert {p: str(r["mission"]) for p, r in rows.items()} == dict.fromkeys(PLANS, "Kepler") | {
        PLANS[3]: "K2",
        "TD230151N343645T01": "",
        "XY": "",
    }
    assert [str(rows[p]["name"]) for p in PLANS] == ["K1a1.1", "K1a1", PLANS[2], "K2d1.1"]
    assert [bool(rows[p]["test_phase"]) for p in PLANS] == [True, False, False, True]
    assert sum(table["n_visits"]) == 134
    assert sum(table["n_exposures"]) == 624
    assert (rows[PLANS[1]]["n_spectra"], rows[PLANS[1]]["n_stars"]) == (2000, 20)
    assert (rows["XY"]["n_exposures"], np.isnan(rows["XY"]["ra"])) == (0, True)
    other = plates_table(paper_overview(), fields={"north": [(0.0, 90.0, 60.0)]})
    assert set(other["mission"]) == {"north", ""}

    back = Table.read(write_plates(table, tmp_path)[1], format="ascii.ecsv")
    assert (str(back["ra"].unit), list(back["planid"])) == ("deg", list(table["planid"]))
    np.testing.assert_array_equal(back["dec"], table["dec"])
    assert "K1a1.1" in (tmp_path / "plates.txt").read_text()
    assert len(plates_table(Overview())) == 0


def test_ecliptic() -> None:
    ra, dec = ecliptic(361)
    assert (ra[0], dec[0]) == (0.0, 0.0)
    assert (ra[90], dec[90]) == pytest.approx((90.0, 23.4392911))
    assert (ra[270], dec[270]) == pytest.approx((270.0, -23.4392911))
    # The Pleiades' Alcyone lies at ecliptic latitude 4.05: that far from the line.
    assert min(angle_deg(56.871, 24.105, *p) for p in zip(ra, dec, strict=True)) == pytest.approx(
        4.05, abs=0.02
    )
    # A great circle: every point is 90 deg from the ecliptic's pole (270, 66.56).
    assert [angle_deg(270.0, 90 - 23.4392911, *p) for p in zip(ra, dec, strict=True)] == pytest.approx(
        [90.0] * 361
    )


@pytest.mark.parametrize(("ra", "dec"), [(10.0, 0.0), (359.5, 45.0), (0.0, -87.0), (200.0, 80.0)])
def test_plate_outline(ra: float, dec: float) -> None:
    outline = plate_outline(ra, dec)
    # 1e-9 deg: two formulas, rounding only.
    assert [angle_deg(ra, dec, *p) for p in outline] == pytest.approx([2.5] * len(outline), abs=1e-9)
    assert outline[0] == pytest.approx(outline[-1])
    assert abs(np.diff(outline[:, 0])).max() < 10  # in one piece, also across RA 0


@pytest.mark.parametrize("dec", [89.0, -90.0])
def test_plate_outline_around_a_pole(dec: float) -> None:
    outline = plate_outline(100.0, dec)
    assert outline[:, 0].min() == -80
    assert outline[:, 0].max() == 280
    on_edge = outline[abs(outline[:, 1]) != 90]
    # The two ends of the strip are interpolated between points of the circle: 1e-3 deg.
    assert [angle_deg(100.0, dec, *p) for p in on_edge] == pytest.approx([2.5] * len(on_edge), abs=1e-3)


def dark_pixels(path: Path) -> int:
    """Pixels of a PNG that are not white, so that an empty picture is noticed."""
    return int((imread(path)[..., :3] < 0.9).any(axis=-1).sum())


@pytest.mark.parametrize(
    ("plans", "planned"),
    [
        (PLANS[:3], []),
        (PLANS[:1], []),
        (PLANS, ["TD120000N100000K01"]),
        (["TD120000N895900K01", "TD000000S893000K01", "XY"], []),
        ([], []),
        (
            [
                f"TD{h:02}{m:02}00{s}{d:02}0000K01"
                for h in range(0, 24, 4)
                for m in (0, 30)
                for s in "NS"
                for d in (5, 50)
            ],
            [],
        ),
    ],
    ids=["three", "one", "all over", "poles", "none", "whole sky"],
)
def test_figure_of_plates(tmp_path: Path, plans: list[str], planned: list[str]) -> None:
    taken = frozenset((plan, k, 2019) for plan in plans for k in range(5))
    overview = Overview({}, frozenset(), taken, dict.fromkeys(plans, (10, 5)), 5)
    paths = figure_plates(plates_table(overview, planned), tmp_path / "figures" / "figure1")
    assert [p.name for p in paths] == ["figure1.png", "figure1.pdf"]
    assert sorted(p.name for p in paths[0].parent.iterdir()) == ["figure1.pdf", "figure1.png"]
    assert paths[1].read_bytes().startswith(b"%PDF")
    assert dark_pixels(paths[0]) > 10_000


@pytest.mark.parametrize(
    ("number", "field"),
    [
        ([25], ["Kepler"]),
        ([], []),
        ([3, 4, 1000], ["K2", "K2", "K2"]),
        ([0, 0], ["K2", "Kepler"]),
        (list(range(60)), ["K2", "Kepler", None] * 20),
    ],
    ids=["one", "none", "no Kepler", "zero", "both"],
)
def test_figure_of_exposures(tmp_path: Path, number: list[int], field: list[str | None]) -> None:
    paths = figure_exposures(number, pa.array(field, pa.string()), tmp_path / "figure2.png")
    assert [p.name for p in paths] == ["figure2.png", "figure2.pdf"]
    assert dark_pixels(paths[0]) > 2_000


def test_a_figure_has_the_same_bytes_again(tmp_path: Path) -> None:
    first = figure_exposures([1, 2, 2], pa.chunked_array([["K2"], ["K2", "Kepler"]]), tmp_path / "a")
    second = figure_exposures([1, 2, 2], ["K2", "K2", "Kepler"], tmp_path / "b")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_median_and_number_of_stars_are_in_the_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Fig. 2 says in words: numbers of stars, and the median of each field."""
    seen: dict[str, Figure] = {}
    monkeypatch.setattr(exposures, "save", lambda figure, path: seen.setdefault("figure", figure) and [])
    figure_exposures([20, 20, 30, 7, 8, 99], ["Kepler"] * 3 + ["K2"] * 2 + [None], tmp_path / "x")
    axes = seen["figure"].axes
    assert [a.get_title() for a in axes if a.get_title()] == ["Kepler: 3 stars", "K2: 2 stars"]
    assert {t.get_text() for a in axes for t in a.texts} == {"median 20", "median 7.5"}
    # The step curve: 1 up to 20 exposures, 1/3 up to 30.
    (step,) = next(a for a in axes if a.lines).lines[:1]
    curve = {int(x): float(y) for x, y in np.asarray(step.get_xydata())}
    assert [curve[20], curve[21], curve[29]] == pytest.approx([1, 1 / 3, 1 / 3])


def test_scales_of_neighbouring_panels_do_not_touch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fig. 2: between the right scale of Kepler and the left one of K2 there is room of a letter."""
    seen: list[Figure] = []
    monkeypatch.setattr(exposures, "save", lambda figure, path: seen.append(figure))
    number = [20] * 1500 + [8] * 4200
    figure_exposures(number, ["Kepler"] * 1500 + ["K2"] * 4200, tmp_path / "x")
    (figure,) = seen
    figure.draw_without_rendering()
    left, right = (
        [box for axis in figure.axes[k::2] if (box := axis.get_tightbbox()) is not None] for k in (0, 1)
    )
    gap = min(box.x0 for box in right) - max(box.x1 for box in left)
    assert gap > 8 * figure.dpi / 72
