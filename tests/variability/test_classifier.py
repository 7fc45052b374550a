"""The trained classifier: separable stars, chance, thresholds, calibration, training table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.classifier import (
    Classifier,
    ClassifierSettings,
    predict,
    train,
)
from lkmrs_dask.variability.evaluation import evaluate, search
from lkmrs_dask.variability.feature_names import FEATURE_NAMES, INDEX
from lkmrs_dask.variability.training import SyntheticSettings, TrainingTable, synthetic_curves, tabulate

Floats = NDArray[np.float64]

QUICK = ClassifierSettings(trees=20, folds=3)


def stars(n: int, seed: int, apart: float = 6.0) -> tuple[Floats, NDArray[np.str_]]:
    """Three classes that differ in two features, a tenth of all values missing."""
    rng = np.random.default_rng(seed)
    labels = np.array(["DSCT", "EB", "RG"])[np.arange(n) % 3]
    features = rng.normal(size=(n, len(FEATURE_NAMES)))
    features[:, INDEX["amp_high"]] += apart * (labels == "DSCT")
    features[:, INDEX["dip_depth"]] += apart * (labels == "EB")
    features[rng.random(features.shape) < 0.1] = np.nan
    features[:, INDEX["n_peaks"]] = 3.0
    return features, labels


@pytest.fixture(scope="module")
def trained() -> Classifier:
    return train(*stars(150, 1), QUICK)


def test_separable_stars(trained: Classifier) -> None:
    features, labels = stars(300, 2)
    found = predict(trained, features)
    # A tenth of the stars lacks one of the two features, and so half of its information.
    assert np.mean(found.variable_class == labels) > 0.85
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0, atol=1e-9)
    np.testing.assert_array_equal(found.probability, found.probabilities.max(axis=1))
    assert trained.classes == ("DSCT", "EB", "RG")
    assert trained.counts == {"DSCT": 50, "EB": 50, "RG": 50}


def test_same_seed_same_model(trained: Classifier) -> None:
    features, _ = stars(30, 3)
    again = train(*stars(150, 1), QUICK)
    np.testing.assert_array_equal(
        predict(trained, features).probabilities, predict(again, features).probabilities
    )


def test_uncertain_below_the_threshold() -> None:
    """Classes that overlap leave some stars without a class."""
    features, _ = stars(90, 4, apart=1.0)
    found = predict(train(*stars(150, 1, apart=1.0), QUICK), features)
    low = found.probability < QUICK.least_probability
    assert low.any()
    np.testing.assert_array_equal(found.variable_class == "uncertain", low)


def test_no_frequency_no_class(trained: Classifier) -> None:
    features, _ = stars(3, 5)
    features[0, INDEX["n_peaks"]], features[1] = 0.0, np.nan
    found = predict(trained, features)
    assert found.variable_class.tolist()[:2] == ["", ""]
    assert np.isnan(found.probabilities[:2]).all()
    assert found.variable_class[2] != ""
    assert predict(trained, features[:0]).variable_class.shape == (0,)


def test_evaluation() -> None:
    """Rows of the matrix add up to the stars; separable classes are told apart, labels by chance are not."""
    features, labels = stars(150, 6)
    features[:9, INDEX["n_peaks"]] = 0.0
    found = evaluate(features, labels, QUICK)
    assert found.n_left_out == 9
    assert found.confusion.sum(axis=1).tolist() == [47, 47, 47]
    assert found.columns == (*found.classes, "uncertain")
    assert found.balanced_accuracy > 0.85
    assert found.log_loss < 0.5
    assert found.reliability.n.sum() == 141
    by_hand = []
    for star, label in zip(found.prediction.variable_class, labels[9:], strict=True):
        by_hand.append((label, star))
    assert found.confusion[0, 0] == by_hand.count(("DSCT", "DSCT"))
    mixed = np.random.default_rng(1).permutation(labels)
    assert evaluate(features, mixed, QUICK).balanced_accuracy < 0.5


def test_reliability_against_a_loop() -> None:
    features, labels = stars(240, 7, apart=2.0)
    found = evaluate(features, labels, QUICK)
    names = np.array(found.classes)
    best = names[found.prediction.probabilities.argmax(axis=1)]
    off, total = 0.0, 0
    for b in range(QUICK.bins):
        mine = [i for i, p in enumerate(found.prediction.probability) if min(int(p * 10), 9) == b]
        assert found.reliability.n[b] == len(mine)
        if mine:
            mean = sum(found.prediction.probability[i] for i in mine) / len(mine)
            share = sum(best[i] == labels[i] for i in mine) / len(mine)
            assert found.reliability.right[b] == pytest.approx(share)
            off, total = off + abs(mean - share) * len(mine), total + len(mine)
    assert found.reliability.error == pytest.approx(off / total)
    # 240 stars in some five bins: the shares themselves have errors of 0.07.
    assert found.reliability.error < 0.15


def test_groups_stay_together() -> None:
    """Copies of stars under new labels by chance are only known where a copy was trained on."""
    rng = np.random.default_rng(8)
    features, _ = stars(90, 8, apart=0.0)
    labels = rng.choice(["A", "B"], 90)
    twice, names = np.repeat(features, 2, axis=0), np.repeat(labels, 2)
    seen = evaluate(twice, names, QUICK)
    apart = evaluate(twice, names, QUICK, np.repeat(np.arange(90), 2))
    assert seen.balanced_accuracy > apart.balanced_accuracy + 0.1


def test_search() -> None:
    best, table = search(*stars(90, 9), {"least_leaf": [1, 40], "trees": [10]}, QUICK)
    assert best.least_leaf == 1
    assert type(best.least_leaf) is int
    assert best.folds == QUICK.folds
    assert len(table["mean_test_score"]) == 2
    with pytest.raises(UsageError, match="depth"):
        search(*stars(90, 9), {"depth": [1]}, QUICK)


def test_wrong_calls(trained: Classifier) -> None:
    features, labels = stars(30, 11)
    with pytest.raises(UsageError, match="shape"):
        predict(trained, features[:, :5])
    with pytest.raises(UsageError, match="as many labels"):
        train(features, labels[:5], QUICK)
    with pytest.raises(UsageError, match="two classes"):
        train(features, np.full(30, "EB"), QUICK)
    with pytest.raises(UsageError, match="class 'RRL' has 1 stars"):
        train(features, np.append(labels[:-1], "RRL"), QUICK)
    with pytest.raises(UsageError, match="groups"):
        evaluate(features, labels, QUICK, ["a"])
    for wrong in ({"trees": 0}, {"calibration": "none"}, {"folds": 1}, {"least_probability": 1.0}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            ClassifierSettings(**wrong)
    with pytest.raises(UsageError, match="per_class"):
        SyntheticSettings(per_class=0)


def test_training_table() -> None:
    """One synthetic star a class: the same again, periods of those with a clear one, tables joined."""
    settings = SyntheticSettings(per_class=1, most_segments=1, missing=0.0, g_range=(10.0, 11.0), seed=4)
    curves = {one.label: one for one in synthetic_curves(settings)}
    assert len(curves) == 9
    assert len({one.group for one in curves.values()}) == 9
    again = {one.label: one for one in synthetic_curves(settings)}
    for label, one in curves.items():
        np.testing.assert_array_equal(one.flux, again[label].flux)
        assert np.isfinite(one.time).all()
        assert np.median(one.flux) == pytest.approx(1.0, abs=0.01)
        assert all(math.isfinite(value) for value in vars(one.star).values())
    table = tabulate([curves["RRL"], curves["DSCT"]], max_frequencies=8)
    assert table.features.shape == (2, len(FEATURE_NAMES))
    assert table.labels.tolist() == ["RRL", "DSCT"]
    assert 0.3 < table.features[0, INDEX["period"]] < 0.9
    assert table.features[1, INDEX["n_high"]] >= 1
    both = table + table
    assert isinstance(both, TrainingTable)
    assert both.sources.tolist() == ["synthetic"] * 4
    assert tabulate([]).features.shape == (0, len(FEATURE_NAMES))


def test_a_curve_without_points() -> None:
    """No frequency, no fault."""
    (curve, *_) = synthetic_curves(SyntheticSettings(per_class=1, most_segments=1))
    table = tabulate([curve._replace(time=curve.time[:5], flux=curve.flux[:5])])
    assert table.features[0, INDEX["n_peaks"]] == 0
