"""`lkmrs train`: from lists of stars to a table and its evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.train import TrainSettings, read_labelled, train_files
from lkmrs_dask.variability.classifier import ClassifierSettings
from lkmrs_dask.variability.rules import CLASSES
from lkmrs_dask.variability.training import SyntheticSettings, TableSettings, train_from
from lkmrs_dask.variability.training_files import load_training

SETTINGS = TrainSettings(
    TableSettings(
        SyntheticSettings(most_segments=1, g_range=(10.0, 11.0)), frequencies={"max_frequencies": 6}
    ),
    ClassifierSettings(trees=10, folds=2),
)


def labels(folder: Path, text: str = "") -> Path:
    """A list with one star: a curve with a sinusoid."""
    time = np.arange(0.0, 20.0, 0.02)
    flux = 1.0 + 0.01 * np.sin(2 * np.pi * 12.0 * time)
    flux += 1e-4 * np.random.default_rng(1).normal(size=len(time))
    np.savetxt(folder / "a.txt", np.column_stack([time + 2455000.0, flux]), header="time flux")
    path = folder / "labels.toml"
    star = '[[star]]\nname = "A"\nclass = "DSCT"\nfiles = "a.txt"\nunit = "relative"\nteff = 7500\n'
    path.write_text('root = "${LKMRS_TEST_ROOT:-nowhere}"\n' + star + text)
    return path


def test_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is written, the numbers fit, and the table that is read back trains a classifier."""
    monkeypatch.setenv("LKMRS_TEST_ROOT", str(tmp_path))
    said: list[str] = []
    values = train_files(
        tmp_path / "out", [labels(tmp_path)], per_class=6, seed=2, settings=SETTINGS, place=Place(threads=2),
        report=Reporter(quiet=True), say=said.append,
    )  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "confusion.pdf", "confusion.png", "evaluation.json", "evaluation.md", "reliability.pdf",
        "reliability.png", "training.parquet",
    ]  # fmt: skip
    assert json.loads((tmp_path / "out/evaluation.json").read_text()) == json.loads(json.dumps(values))
    assert values["rows"] == {"synthetic": 54, "real": 1, "piece": 0, "check": 0}
    assert values["seed"] == 2
    assert values["counts"]["DSCT"] == [6, 1]
    n = sum(sum(row) for row in values["synthetic"]["kinds"]["model"]["confusion"])
    assert n + values["synthetic"]["without_frequency"] == 54
    (star,) = values["real"]["stars"]
    assert (star["star"], star["class"]) == ("A", "DSCT")
    assert set(values["classes"]) == set(CLASSES)
    table = load_training(tmp_path / "out")
    assert len(table.labels) == 55
    assert train_from(table, SETTINGS.classifier).counts["DSCT"] == 7
    assert any("54 synthetic stars, 1 real ones" in line for line in said)
    assert "| A | DSCT |" in (tmp_path / "out/evaluation.md").read_text()


def test_wrong_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written for settings or lists that make no sense."""
    monkeypatch.setenv("LKMRS_TEST_ROOT", str(tmp_path))
    good = labels(tmp_path)
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="5 folds"):
        train_files(out, per_class=4)
    with pytest.raises(UsageError, match="seed"):
        train_files(out, per_class=5, seed=-1)
    with pytest.raises(UsageError, match="A is in more than one list"):
        train_files(out, [good, good], per_class=10)
    with pytest.raises(UsageError, match="is no folder"):
        train_files(good, per_class=10)
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("root = 3", "root must be the folder"),
        ("roots = '.'", "unknown roots"),
        ("root = '.", "labels"),
        ("root = '/does/not/exist'\n[[star]]\nname = 'A'", "no folder"),
        ("root = '.'", "no \\[\\[star\\]\\]"),
        ("root = '${LKMRS_NO_SUCH_NAME}'\n[[star]]", "LKMRS_NO_SUCH_NAME is not set"),
    ],
)
def test_wrong_lists(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "labels.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_labelled(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_labelled(tmp_path / "none.toml")


def test_real_list(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files of the list in benchmarks are there; each star to train on has a class and its source."""
    monkeypatch.setenv("LKMRS_SHARED", str(shared))
    path = Path(__file__).parents[2] / "benchmarks/labelled_stars.toml"
    root, stars = read_labelled(path)
    assert root == shared / "data"
    assert {star.name for star in stars if star.check} == {"KIC 2309595", "KIC 11442793", "TIC 358108509"}
    assert {star.label for star in stars if not star.check} == {"DSCT", "hybrid", "rotation", "EB", "RG"}
    assert len({star.files for star in stars}) == len(stars)
    assert len(next(star for star in stars if star.label == "EB").files) == 9
    assert path.read_text().count("class_source") == sum(not star.check for star in stars)
