"""The training table: pieces, real stars, the file; and what rules and model say together."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lkmrs_dask.errors import CatalogError, InputError, UsageError
from lkmrs_dask.readers.light_curves.table_format import TableFormat
from lkmrs_dask.variability import training, training_files
from lkmrs_dask.variability.assessment import assess_real, assess_synthetic, thresholds
from lkmrs_dask.variability.classifier import ClassifierSettings, Prediction, predict
from lkmrs_dask.variability.evaluation import confusion_matrix, leave_stars_out, shares_right
from lkmrs_dask.variability.feature_names import FEATURE_NAMES, INDEX
from lkmrs_dask.variability.importance import permutation_importance
from lkmrs_dask.variability.labelled import LabelledStar, labelled_curves, labelled_stars
from lkmrs_dask.variability.training import (
    SyntheticSettings,
    TableSettings,
    TrainingTable,
    synthetic_curves,
    train_from,
    training_table,
)
from lkmrs_dask.variability.training_files import load_training, save_training
from lkmrs_dask.variability.verdict import RuleClasses, VerdictSettings, classes_by_rules, verdict

SMALL = SyntheticSettings(per_class=1, most_segments=1, seed=3)
QUICK = ClassifierSettings(trees=10, folds=3)
CLASSES = ("DSCT", "EB", "uncertain")


def table(n: int = 60, apart: float = 6.0, source: str = "synthetic", seed: int = 1) -> TrainingTable:
    """Stars of three classes that two features tell apart."""
    rng = np.random.default_rng(seed)
    labels = np.array(CLASSES)[np.arange(n) % 3]
    features = rng.normal(size=(n, len(FEATURE_NAMES)))
    features[:, INDEX["amp_high"]] += apart * (labels == "DSCT")
    features[:, INDEX["dip_depth"]] += apart * (labels == "EB")
    features[:, [INDEX["n_peaks"], INDEX["snr_main"]]] = 3.0, 9.0
    groups = np.array([f"{source}-{k}" for k in range(n)])
    return TrainingTable(features, labels, groups, np.full(n, source))


def curve_file(path: Path, days: float = 20.0, frequency: float = 12.0, seed: int = 1) -> Path:
    rng = np.random.default_rng(seed)
    time = np.arange(0.0, days, 0.02)
    flux = 1.0 + 0.01 * np.sin(2 * np.pi * frequency * time) + 1e-4 * rng.normal(size=len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, np.column_stack([time + 2455000.0, flux]), header="time flux")
    return path


def test_rows_do_not_depend_on_the_others() -> None:
    """A smaller table is the beginning of a larger one, and any part of it is the same alone."""
    few = [one.group for one in synthetic_curves(SMALL)]
    many = SyntheticSettings(per_class=3, most_segments=1, seed=3)
    (alone,) = synthetic_curves(many, range(4, 5))
    first = list(synthetic_curves(many, range(9)))
    assert [one.group for one in first] == few
    np.testing.assert_array_equal(alone.flux, first[4].flux)
    assert len({one.group for one in synthetic_curves(many, range(9, 27))} | set(few)) == 27


def test_table_is_the_same_however_it_is_split(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pieces of four or of all, on one thread or two, with a real star behind the synthetic ones."""
    star = LabelledStar("A", "DSCT", (curve_file(tmp_path / "a.txt"),), TableFormat(unit="relative"))
    settings = TableSettings(SMALL, frequencies={"max_frequencies": 3})
    monkeypatch.setattr(training, "PIECE", 4)
    told: list[tuple[int, int]] = []
    with ThreadPoolExecutor(2) as two:
        split = training_table(settings, two, lambda done, of: told.append((done, of)), labelled=[star])
    monkeypatch.setattr(training, "PIECE", 100)
    with ThreadPoolExecutor(1) as one:
        whole = training_table(settings, one, labelled=[star])
    for first, second in zip(split, whole, strict=True):
        np.testing.assert_array_equal(first, second)
    assert whole.groups[-1] == "A"
    assert whole.sources.tolist() == ["synthetic"] * 9 + ["real"]
    # Frequencies of a light curve with a sinusoid: the answer is known.
    assert whole.features[-1, INDEX["f_main"]] == pytest.approx(12.0, abs=1e-3)
    assert whole.features[-1, INDEX["amp_main"]] == pytest.approx(10.0, rel=0.02)
    assert told[-1] == (10, 10)
    assert training_table(SMALL.__class__(per_class=1, most_segments=1, seed=4)).labels.tolist() == (
        whole.labels[:9].tolist()
    )


def entry(**other: Any) -> dict[str, Any]:
    return {"name": "A", "class": "DSCT", "files": "a*.txt", "unit": "relative"} | other


def test_labelled_pieces(tmp_path: Path) -> None:
    """The whole curve, then stretches; a stretch with few points is left out; checks are never cut."""
    curve_file(tmp_path / "a.txt", 20.5)
    (star,) = labelled_stars([entry(pieces=10, teff=7000)], tmp_path, "list")
    curves = list(labelled_curves(star))
    assert [one.source for one in curves] == ["real", "piece", "piece"]
    assert {one.group for one in curves} == {"A"}
    assert curves[0].star.teff == 7000
    assert np.isnan(curves[0].star.logg)
    assert [len(one.time) for one in curves] == [1025, 500, 500]
    (check,) = labelled_stars([entry(use="check", pieces=5) | {"class": ""}], tmp_path, "list")
    assert [(one.source, one.label) for one in labelled_curves(check)] == [("check", "")]
    (tmp_path / "a.txt").write_text("time flux\n1 2\n")
    with pytest.raises(InputError, match=r"a\.txt"):
        list(labelled_curves(star))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"class": "planet"}, "class must be"),
        ({"class": ""}, "class must be"),
        ({"use": "never"}, "train or check"),
        ({"teff": "hot"}, "teff must be a number"),
        ({"pieces": "months"}, "pieces"),
        ({"pieces": -1}, "pieces"),
        ({"files": "b.txt"}, r"no file matches b\.txt"),
        ({"files": []}, "pattern"),
        ({"files": "/etc/passwd"}, "below root"),
        ({"name": ""}, "no name"),
        ({"name": 3}, "name must be a text"),
        ({"colour": "red"}, "unknown colour"),
        ({"unit": "jansky"}, "unit must be"),
    ],
)
def test_wrong_lists(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    curve_file(tmp_path / "a.txt")
    with pytest.raises(UsageError, match=said):
        labelled_stars([entry(**wrong)], tmp_path, "list")


def test_lists_without_stars(tmp_path: Path) -> None:
    curve_file(tmp_path / "a.txt")
    nothing: tuple[Any, ...] = (None, [], "a")
    for one in nothing:
        with pytest.raises(UsageError, match="no \\[\\[star\\]\\]"):
            labelled_stars(one, tmp_path, "list")
    with pytest.raises(UsageError, match="no folder"):
        labelled_stars([entry()], tmp_path / "none", "list")
    with pytest.raises(UsageError, match="more than one star A"):
        labelled_stars([entry(), entry()], tmp_path, "list")


def test_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is read; a damaged, foreign or old table is refused."""
    one = table()
    one.features[3, 4] = np.nan
    path = save_training(one, tmp_path / "out" / "training.parquet", TableSettings(SMALL), labels=["x.toml"])
    for found in (load_training(path), load_training(tmp_path / "out")):
        for first, second in zip(found, one, strict=True):
            np.testing.assert_array_equal(first, second)
    notes = json.loads(pq.read_schema(path).metadata[b"lkmrs_training"])
    assert notes["settings"]["synthetic"]["seed"] == 3
    assert notes["labels"] == ["x.toml"]
    assert [file.name for file in path.parent.iterdir()] == ["training.parquet"]
    classes = predict(train_from(load_training(path), QUICK), one.features).variable_class
    np.testing.assert_array_equal(classes, predict(train_from(one, QUICK), one.features).variable_class)
    with pytest.raises(CatalogError, match="no training table"):
        load_training(tmp_path / "none.parquet")
    rows = pq.read_table(path)
    pq.write_table(rows.drop_columns(["teff"]), tmp_path / "less.parquet")
    with pytest.raises(CatalogError, match="has no teff"):
        load_training(tmp_path / "less.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(CatalogError, match="is no training table"):
        load_training(tmp_path / "other.parquet")
    (tmp_path / "cut.parquet").write_bytes(path.read_bytes()[:500])
    with pytest.raises(CatalogError, match="cannot be read"):
        load_training(tmp_path / "cut.parquet")
    monkeypatch.setattr(training_files, "table_code", lambda: "other")
    with pytest.raises(CatalogError, match="another state of the code"):
        load_training(path)
    assert len(load_training(path, any_code=True).labels) == 60


def test_stars_without_class_are_not_trained_on() -> None:
    one = table()
    check = table(3, source="check")._replace(labels=np.array(["", "", ""]))
    assert train_from(one + check, QUICK).counts == {"DSCT": 20, "EB": 20, "uncertain": 20}


def test_left_out_stars_are_not_seen() -> None:
    """Rows of one star under a false label: the others are believed, as the star itself is never seen."""
    one = table(90)
    liar = table(30, source="real", seed=2).take(np.arange(30) % 3 == 0)
    liar = liar._replace(labels=np.full(10, "EB"), groups=np.full(10, "liar"))
    both = one + liar
    classes, prediction = leave_stars_out(both, ["liar"], QUICK)["liar"]
    assert classes == CLASSES
    assert np.all(prediction.variable_class == "DSCT")
    with pytest.raises(UsageError, match="no star ghost"):
        leave_stars_out(both, ["ghost"], QUICK)


def test_assessment_by_hand() -> None:
    """Shares and matrices against counts in a loop; real stars apart from synthetic ones."""
    one = table(90, apart=2.0)
    one.features[:6, INDEX["n_peaks"]] = 0.0
    judged, found = assess_synthetic(one + table(9, source="real"), QUICK)
    assert len(judged.labels) == 84
    assert found.n_left_out == 6
    right = sum(a == b for a, b in zip(judged.labels, judged.model, strict=True))
    assert shares_right(judged.labels, judged.model)[0] == pytest.approx(right / 84)
    matrix = confusion_matrix(judged.labels, judged.model, found.classes, found.columns)
    np.testing.assert_array_equal(matrix, found.confusion)
    rows = {r.probability: r for r in thresholds(judged.labels, judged.best, judged.probability, (0.5, 0.9))}
    mine = [
        a == b
        for a, b, p in zip(judged.labels, judged.best, judged.probability, strict=True)
        if p >= 0.9 and b != "uncertain"
    ]
    assert rows[0.9].share == pytest.approx(len(mine) / 84)
    assert rows[0.9].right == pytest.approx(sum(mine) / len(mine)) if mine else np.isnan(rows[0.9].right)
    assert rows[0.9].share <= rows[0.5].share
    real = assess_real(one + table(9, source="real"), QUICK)
    assert real.stars.tolist() == [f"real-{k}" for k in range(9)]
    assert assess_real(one, QUICK).labels.shape == (0,)


def test_importance() -> None:
    """The two features that tell classes apart are those that matter."""
    one = table(150)
    lost = permutation_importance(one.features, one.labels, QUICK, one.groups)
    assert {FEATURE_NAMES[k] for k in np.argsort(lost)[-2:]} == {"amp_high", "dip_depth"}
    assert lost.shape == (len(FEATURE_NAMES),)


def said(names: list[str], scores: list[float], p: list[list[float]], **settings: float) -> Any:
    probabilities = np.array(p, float).reshape(-1, 3)
    best = [CLASSES[k] for k in np.nan_to_num(probabilities, nan=-1).argmax(axis=1)]
    best = [b if np.isfinite(q).all() else "" for b, q in zip(best, probabilities, strict=True)]
    prediction = Prediction(np.array(best, str), probabilities.max(axis=1, initial=-1), probabilities)
    rules = RuleClasses(np.array(names, str), np.array(scores, float))
    return verdict(rules, prediction, CLASSES, VerdictSettings(**settings))


def test_verdict() -> None:
    """Agreement makes sure, a sure model wins, an unsure one does not, rules without a class are mute.

    Of the last star the model says nothing: the rules' class, by dips, stands.
    """
    found = said(
        ["DSCT", "EB", "EB", "uncertain", "", "DSCT"],
        [1.0, 1.0, 1.0, 1.0, np.nan, 1.0],
        [
            [0.8, 0.1, 0.1],
            [0.95, 0.04, 0.01],
            [0.4, 0.4, 0.2],
            [0.7, 0.2, 0.1],
            [0.9, 0.1, 0.0],
            [np.nan] * 3,
        ],
        rules=0.4,
    )
    assert found.variable_class.tolist() == ["DSCT", "DSCT", "EB", "DSCT", "", "DSCT"]
    np.testing.assert_allclose(
        found.confidence, [0.8 + 0.4 * 0.2, 0.6 * 0.95, 0.4 + 0.6 * 0.4, 0.7, np.nan, 1.0], rtol=1e-12
    )
    assert found.agree.tolist() == [True, False, False, False, False, False]
    assert said(["EB"], [1.0], [[0.4, 0.35, 0.25]], rules=0.0).variable_class.tolist() == ["uncertain"]
    assert said([], [], []).variable_class.shape == (0,)
    with pytest.raises(UsageError, match="as many"):
        said(["EB"], [1.0], [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    for wrong in ({"rules": 1.5}, {"least": -0.1}, {"rules": float("nan")}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            VerdictSettings(**wrong)


@given(
    st.sampled_from(["DSCT", "EB", "uncertain", "RRL", ""]),
    st.floats(0, 1),
    st.lists(st.floats(0.001, 1), min_size=3, max_size=3),
    st.floats(0, 1),
)
def test_any_verdict(name: str, score: float, parts: list[float], weight: float) -> None:
    """Against a loop over classes; a class that the rules know and the model does not has no vote."""
    p = [one / sum(parts) for one in parts]
    found = said([name], [score], [p], rules=weight)
    if name == "":
        assert found.variable_class[0] == ""
        return
    mixed = list(p)
    if name in ("DSCT", "EB"):
        w = weight * score
        mixed = [(1 - w) * one + w * (other == name) for one, other in zip(p, CLASSES, strict=True)]
    assert found.confidence[0] == pytest.approx(max(mixed), rel=1e-12)
    assert found.variable_class[0] in (*CLASSES, "uncertain")
    if max(mixed) < 0.5:
        assert found.variable_class[0] == "uncertain"


def test_rules_of_many() -> None:
    one = table(4)
    one.features[0, INDEX["snr_main"]] = np.nan
    found = classes_by_rules(one.features)
    assert found.variable_class[0] == ""
    assert found.score.shape == (4,)
    assert classes_by_rules(np.empty((0, len(FEATURE_NAMES)))).variable_class.shape == (0,)
