"""The main job on real files: five nights of one star, and two tables of low-resolution parameters."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hats.io.validation import is_valid_catalog

import lkmrs_dask as lk
from lkmrs_dask.catalog.verify import verify_catalog
from lkmrs_dask.pipeline.job import read_job
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.run import run_job

JOB = Path(__file__).parents[2] / "jobs" / "real_sample.toml"
TABLES = ("AFG_merged_params.csv", "learninglamost_my_data3.csv")
NIGHTS = {58268: 9, 58269: 5, 58625: 3, 58644: 4, 58649: 4}


@pytest.fixture(scope="module")
def survey(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("real") / "survey"
    run_job(read_job(JOB, raw=shared / "data"), out, report=Reporter(quiet=True))
    return out


@pytest.fixture(scope="module")
def summary(survey: Path) -> dict[str, Any]:
    return json.loads((survey / "summary.json").read_text())


@pytest.fixture(scope="module")
def raw_rows(shared: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for name in TABLES:
        with (shared / "data" / "lamost_lrs_catalog" / name).open() as stream:
            rows += csv.DictReader(stream)
    return rows


def test_five_nights_are_one_star_on_three_plans(survey: Path) -> None:
    spectra = lk.open_catalog(survey / "spectra").compute()
    assert len(spectra) == 60
    assert spectra["coadd"].value_counts().to_dict() == {False: 50, True: 10}
    assert spectra["star_id"].nunique() == 1
    assert spectra[["ra", "dec"]].drop_duplicates().shape == (1, 2)
    assert spectra["ra_input"].nunique() == 2  # the third plan has the star 0.3" away
    assert spectra["planid"].nunique() == 3
    single = spectra[~spectra["coadd"]]
    assert single.groupby("lmjd")["lmjm"].nunique().to_dict() == NIGHTS
    assert set(spectra.loc[spectra["lmjd"] < 58600, "low_snr"]) == {True}
    assert set(spectra.loc[spectra["lmjd"] > 58600, "low_snr"]) == {False}


def test_flux_is_kept_whole(survey: Path) -> None:
    spectra = lk.open_catalog(survey / "spectra")[["coadd", "flux", "wavelength"]].ddf.compute()
    lengths = spectra["flux"].map(len)
    assert set(lengths[~spectra["coadd"]]) == {4136}
    assert (lengths == spectra["wavelength"].map(len)).all()


def test_counts(summary: dict[str, Any], raw_rows: list[dict[str, str]]) -> None:
    expected = {"n_spectra": 60, "n_single": 50, "n_coadd": 10, "n_exposures": 25, "n_plates": 5}
    assert {name: summary[name] for name in expected} == expected
    n = len(raw_rows)
    assert n == 6165
    assert [summary[f"n_{name}"] for name in ("teff", "logg", "feh", "rv")] == [n] * 4
    assert summary["rows_set_aside"] == {"plan not wanted": 1}
    assert summary["failed_files"] == []
    assert {year: row["n_exposures"] for year, row in summary["years"].items() if row["n_exposures"]} == {
        "2018": 14,
        "2019": 11,
    }


def test_the_other_sub_project_is_set_aside_with_its_reason(survey: Path) -> None:
    with (survey / "set_aside" / "spectra.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert row["reason"] == "plan not wanted"
    assert row["value"] == "TD230151N343645T01"
    assert row["file"].endswith("med-58408-TD230151N343645T01_sp01-015.fits")


def test_stars_of_the_tables_have_the_plain_weighted_means(
    survey: Path, raw_rows: list[dict[str, str]]
) -> None:
    """Grouped here by brute force: positions within 3" of each other, one link after another."""
    position = np.array([[float(row["ra"]), float(row["dec"])] for row in raw_rows])
    group = np.arange(len(position))
    for i in range(len(position)):
        near = np.abs(position[:, 1] - position[i, 1]) < 3 / 3600
        step = (position[near] - position[i]) * [np.cos(np.radians(position[i, 1])), 1] * 3600
        linked = np.flatnonzero(near)[np.hypot(*step.T) <= 3.0]
        group[np.isin(group, group[linked])] = group[linked].min()
    stars = lk.open_catalog(survey / "stars").compute()
    assert len(stars) == len(np.unique(group))
    expected = sorted(plain_mean([raw_rows[i] for i in np.flatnonzero(group == g)]) for g in np.unique(group))
    found = stars[["n_teff", "teff", "teff_err"]].astype(float).fillna(-1.0).to_numpy()
    found = found[np.lexsort(found.T[::-1])]
    # Sums of a few numbers of size 1e4: rounding stays far below 1e-9 of them, and of the errors of size 1.
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)


def plain_mean(rows: list[dict[str, str]]) -> tuple[int, float, float]:
    """Number, mean and error of Teff, -1 for none; rows without S/N (two have -9999) weigh nothing."""
    pairs = [(float(row["snrg"]) ** 2, float(row["teff"])) for row in rows if float(row["snrg"]) > 0]
    if not pairs:
        return 0, -1.0, -1.0
    n, total = len(pairs), sum(w for w, _ in pairs)
    mean = sum(w * t for w, t in pairs) / total
    if n == 1:
        return 1, mean, -1.0
    return n, mean, (n / (n - 1) * sum(w * (t - mean) ** 2 for w, t in pairs) / total) ** 0.5


def test_every_catalogue_is_sound_and_valid_hats(survey: Path) -> None:
    for name in ("spectra", "measurements", "stars", "targets"):
        assert verify_catalog(survey / name) == []
        assert is_valid_catalog(survey / name, strict=True)


def test_products_are_there(survey: Path) -> None:
    names = {path.name for path in (survey / "products").iterdir()}
    assert {"table1.csv", "table1.ecsv", "table1.txt", "fig1_plates.png", "fig2_exposures.png"} <= names
    assert not (survey / ".work").exists()


def test_processes_give_the_same_catalogues(shared: Path, survey: Path, tmp_path: Path) -> None:
    from lkmrs_dask.pipeline.place import Place

    job = read_job(JOB, raw=shared / "data")
    run_job(job, tmp_path / "again", Place(workers=2), Reporter(quiet=True))
    for name in ("spectra", "measurements", "stars", "targets"):
        one = lk.open_catalog(survey / name).to_arrow()
        other = lk.open_catalog(tmp_path / "again" / name).to_arrow()
        assert one.equals(other), name
