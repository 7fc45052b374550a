"""Making a survey: repeatable, replaceable, and clear about wrong arguments."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.survey import make_survey
from lkmrs_dask.synthetic.truth import read_truth


def content(folder: Path) -> dict[str, bytes]:
    """Decompressed content of all files; of Parquet, which records versions, the rows."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".gz":
            found[name] = gzip.decompress(path.read_bytes())
        elif path.suffix == ".parquet":
            found[name] = repr(pq.read_table(path).to_pydict()).encode()
    return found


def test_same_seed_same_files(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        make_survey(tmp_path / name, n_stars=20, seed=seed, flux_stars=1)
    one, two, other = (content(tmp_path / name) for name in "abc")
    assert one == two
    names = set(one) & set(other)
    assert len(names) >= 9
    assert all(one[name] != other[name] for name in names if "mrs_" in name)
    assert one["truth/stars.parquet"] != other["truth/stars.parquet"]


def test_more_stars_leave_the_first_as_they_were(tmp_path: Path) -> None:
    for n in (20, 40):
        make_survey(tmp_path / str(n), n_stars=n, flux_stars=0, dirt=0.0)
    few, many = (
        {
            line
            for name, text in content(tmp_path / str(n)).items()
            if name.startswith("mrs_catalogue")
            for line in text.splitlines()
        }
        for n in (20, 40)
    )
    assert few < many
    stars = [read_truth(tmp_path / f"{n}/truth").stars for n in (20, 40)]
    assert stars[0] == stars[1].slice(0, 20)


def test_without_dirt_and_flux(tmp_path: Path) -> None:
    truth = make_survey(tmp_path, n_stars=6, seed=2, flux_stars=0, dirt=0.0)
    assert truth.dirt.num_rows == 0
    assert set(truth.rows_set_aside) == {"plan not wanted"}
    # Only the file of another sub-project.
    assert [path.name.split("_")[0].split("-")[-1] for path in (tmp_path / "mrs_spectra").rglob("*.gz")] == [
        "TD230151N343645T01"
    ]


def test_one_star(tmp_path: Path) -> None:
    truth = make_survey(tmp_path, n_stars=1, seed=1, flux_stars=1, dirt=0.01)
    assert truth.stars.num_rows == 1
    assert truth.counts["n_stars"] == 1
    assert truth.counts["n_spectra"] > 0


def test_an_earlier_survey_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    make_survey(tmp_path, n_stars=12, seed=1, flux_stars=0)
    (tmp_path / "notes.txt").write_text("mine")
    make_survey(tmp_path, n_stars=12, seed=2, flux_stars=0)
    make_survey(tmp_path / "fresh", n_stars=12, seed=2, flux_stars=0)
    again = {name: value for name, value in content(tmp_path).items() if not name.startswith("fresh")}
    assert again == content(tmp_path / "fresh")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "real" / "mrs_catalogue").mkdir(parents=True)
    with pytest.raises(UsageError, match="no synthetic survey"):
        make_survey(tmp_path / "real", n_stars=12)
    assert (tmp_path / "real" / "mrs_catalogue").is_dir()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_stars": 0}, "at least one star"),
        ({"n_stars": 5, "flux_stars": 6}, "flux_stars"),
        ({"flux_stars": -1}, "flux_stars"),
        ({"dirt": 0.6}, "dirty rows"),
        ({"seed": -1}, "seed"),
        ({"n_stars": 40_000, "flux_stars": 0}, "4000 fibres"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_survey(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_generator_does_without_the_readers() -> None:
    code = (
        "import sys, lkmrs_dask.synthetic.survey, lkmrs_dask.synthetic.job;"
        "print([m for m in sys.modules if m.startswith('lkmrs_dask.readers') or m.split('.')[0] in"
        " ('dask', 'distributed')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
