"""Making a survey: repeatable, the same on any workers, replaceable, and clear about wrong arguments."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic import survey
from lkmrs_dask.synthetic.quotas import N_STARS

FEW = 20 / N_STARS

make_survey = partial(survey.make_survey, external=False, light_curves=False)


def content(folder: Path) -> dict[str, bytes]:
    """Bytes of all files; of Parquet, which records versions, the rows."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".gz":
            found[name] = path.read_bytes()
        elif path.suffix == ".parquet":
            found[name] = repr(pq.read_table(path).to_pydict()).encode()
    return found


def test_same_seed_same_files(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        make_survey(tmp_path / name, FEW, seed=seed, flux_stars=1)
    one, two, other = (content(tmp_path / name) for name in "abc")
    assert one == two
    names = set(one) & set(other)
    assert len(names) >= 9
    assert all(one[name] != other[name] for name in names if "mrs_" in name)
    assert one["truth/stars.parquet"] != other["truth/stars.parquet"]


def test_workers_write_the_same_bytes(tmp_path: Path) -> None:
    make_survey(tmp_path / "alone", 2e-3, seed=3, flux_stars=1, dirt=0.05)
    with ThreadPoolExecutor(3) as threads:
        make_survey(tmp_path / "threads", 2e-3, seed=3, flux_stars=1, dirt=0.05, executor=threads)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        make_survey(tmp_path / "processes", 2e-3, seed=3, flux_stars=1, dirt=0.05, executor=processes)
    alone = content(tmp_path / "alone")
    assert content(tmp_path / "threads") == alone
    assert content(tmp_path / "processes") == alone
    assert not (tmp_path / "alone" / ".parts").exists()


def test_the_last_year_is_fits_unless_text_is_asked_for(tmp_path: Path) -> None:
    for name, text_only in (("mixed", False), ("text", True)):
        make_survey(tmp_path / name, FEW, flux_stars=0, dirt=0.0, text_only=text_only)
    mixed, text = (
        sorted(path.name.removeprefix("dr11_v2.0_MRS_catalogue_") for path in folder.iterdir())
        for folder in (tmp_path / "mixed" / "mrs_catalogue", tmp_path / "text" / "mrs_catalogue")
    )
    assert mixed == [*(f"{year}.csv.gz" for year in range(2018, 2023)), "2023.fits.gz"]
    assert text == [f"{year}.csv.gz" for year in range(2018, 2024)]


def test_counts_do_not_depend_on_dirt(tmp_path: Path) -> None:
    clean, dirty = (make_survey(tmp_path / str(dirt), 1e-3, dirt=dirt) for dirt in (0.0, 0.4))
    assert dirty.dirt.num_rows > 1000
    assert dirty.counts == clean.counts
    assert dirty.years == clean.years
    assert dirty.stars == clean.stars


def test_without_dirt_and_flux(tmp_path: Path) -> None:
    truth = make_survey(tmp_path, 6 / N_STARS, seed=2, flux_stars=0, dirt=0.0)
    assert truth.dirt.num_rows == 0
    assert set(truth.rows_set_aside) == {"plan not wanted"}
    # Only the file of another sub-project.
    assert [path.name.split("_")[0].split("-")[-1] for path in (tmp_path / "mrs_spectra").rglob("*.gz")] == [
        "TD230151N343645T01"
    ]


def test_one_star(tmp_path: Path) -> None:
    truth = make_survey(tmp_path, 1 / N_STARS, seed=1, flux_stars=1, dirt=0.01)
    assert truth.stars.num_rows == 1
    assert truth.counts["n_stars"] == 1
    assert truth.counts["n_spectra"] > 0


def test_an_earlier_survey_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    make_survey(tmp_path, 12 / N_STARS, seed=1, flux_stars=0)
    (tmp_path / "notes.txt").write_text("mine")
    make_survey(tmp_path, 12 / N_STARS, seed=2, flux_stars=0)
    make_survey(tmp_path / "fresh", 12 / N_STARS, seed=2, flux_stars=0)
    again = {name: value for name, value in content(tmp_path).items() if not name.startswith("fresh")}
    assert again == content(tmp_path / "fresh")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "real" / "mrs_catalogue").mkdir(parents=True)
    with pytest.raises(UsageError, match="no synthetic survey"):
        make_survey(tmp_path / "real", 12 / N_STARS)
    assert (tmp_path / "real" / "mrs_catalogue").is_dir()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fraction": 0.0}, "fraction"),
        ({"fraction": 1.5}, "fraction"),
        ({"flux_stars": 21}, "flux_stars"),
        ({"flux_stars": -1}, "flux_stars"),
        ({"dirt": 0.6}, "dirty rows"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_survey(tmp_path / "new", **({"fraction": FEW} | arguments))
    assert not (tmp_path / "new").exists()


def test_generator_does_without_the_readers() -> None:
    code = (
        "import sys, lkmrs_dask.synthetic.survey, lkmrs_dask.synthetic.job;"
        "print([m for m in sys.modules if m.startswith('lkmrs_dask.readers') or m.split('.')[0] in"
        " ('dask', 'distributed')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
