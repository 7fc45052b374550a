"""A trained classifier of variable stars: random forest with calibrated probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.checked import check_values
from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.feature_names import FEATURE_NAMES, INDEX

__all__ = [
    "CALIBRATIONS", "ONE_AT_A_TIME", "UNCERTAIN", "Classifier", "ClassifierSettings", "Prediction", "predict",
    "predict_by", "train",
]  # fmt: skip

Floats = NDArray[np.float64]
Names = NDArray[np.str_]

CALIBRATIONS = ("temperature", "sigmoid", "isotonic")
"""Methods of scikit-learn that turn votes into probabilities."""

ONE_AT_A_TIME = Lock()
"""Held while scikit-learn works: its forests change the process's list of warnings, so that two of them at
once warn of settings that were lost."""

UNCERTAIN = "uncertain"
"""Class of stars none of whose probabilities reaches the threshold."""


@dataclass(frozen=True)
class ClassifierSettings:
    """Settings of the trained classifier (all ours).

    Parameters
    ----------
    trees : int
        Of the forest.
    least_leaf : int
        Least number of training stars in a leaf.
    max_features : float
        Share of the features that are tried at a split.
    calibration : {"temperature", "sigmoid", "isotonic"}
        How votes become probabilities (Guo et al. 2017; Platt 1999; Zadrozny & Elkan 2002).  The first has
        one parameter for all classes; the last needs some thousand stars.
    folds : int
        Of the cross-validations, of calibration and of `evaluate`.
    least_probability : float
        Below it a star is uncertain.
    bins : int
        Of the reliability diagram.
    seed : int
        Of all random numbers.

    Raises
    ------
    UsageError
        When a value makes no sense.
    """

    trees: int = 200
    least_leaf: int = 2
    max_features: float = 0.25
    calibration: str = "temperature"
    folds: int = 5
    least_probability: float = 0.5
    bins: int = 10
    seed: int = 1

    def __post_init__(self) -> None:
        """Check every value."""
        checks = {
            "trees": (self.trees >= 1, "1 or more"),
            "least_leaf": (self.least_leaf >= 1, "1 or more"),
            "max_features": (0 < self.max_features <= 1, "above 0, at most 1"),
            "calibration": (self.calibration in CALIBRATIONS, f"one of {', '.join(CALIBRATIONS)}"),
            "folds": (2 <= self.folds <= 50, "from 2 to 50"),
            "least_probability": (0 <= self.least_probability < 1, "from 0 to below 1"),
            "bins": (2 <= self.bins <= 100, "from 2 to 100"),
            "seed": (self.seed >= 0, "0 or more"),
        }
        check_values(self, checks)


@dataclass(frozen=True, eq=False)
class Classifier:
    """A trained model; made by `train`, never read from a file.

    Parameters
    ----------
    model : object
        A fitted estimator of scikit-learn with ``predict_proba``.
    classes : tuple of str
        In the order of the probabilities.
    settings : ClassifierSettings
        With which it was trained.
    counts : dict
        Training stars of each class.
    """

    model: Any
    classes: tuple[str, ...]
    settings: ClassifierSettings
    counts: dict[str, int]


class Prediction(NamedTuple):
    """Class (n,), its probability (n,), and the probabilities of all classes (n, classes)."""

    variable_class: Names
    probability: Floats
    probabilities: Floats


def train(
    features: ArrayLike,
    labels: ArrayLike,
    settings: ClassifierSettings | None = None,
    groups: ArrayLike | None = None,
) -> Classifier:
    """Train the classifier, on the stars that have a significant frequency.

    Classes weigh the same, however many stars they have.  Missing features need no filling: trees send
    them to the side that separates better.

    Parameters
    ----------
    features : array_like of float, shape (n, features)
        In the order of `lkmrs_dask.variability.feature_names.FEATURE_NAMES`; NaN for missing ones.
    labels : array_like of str, shape (n,)
        Classes.
    settings : ClassifierSettings, optional
        Settings.
    groups : array_like of str, shape (n,), optional
        Name of the star of each row: calibration never sees rows of a star that its forest was trained on.

    Returns
    -------
    Classifier

    Raises
    ------
    UsageError
        For arrays that do not fit, fewer than two classes, or a class with fewer stars than folds.
    """
    settings = settings or ClassifierSettings()
    x, y, used = checked(features, labels, settings)
    of = None if groups is None else groups_of(groups, used)
    model = fit(x, y, settings, settings.folds, of)
    names, counts = np.unique(y, return_counts=True)
    return Classifier(
        model, tuple(names.tolist()), settings, dict(zip(names.tolist(), counts.tolist(), strict=True))
    )


def predict(classifier: Classifier, features: ArrayLike) -> Prediction:
    """Classes and probabilities of stars.

    Parameters
    ----------
    classifier : Classifier
        From `train`.
    features : array_like of float, shape (n, features)
        As in `train`.

    Returns
    -------
    Prediction
        "uncertain" below `ClassifierSettings.least_probability`; the probability is that of the best class
        nevertheless.  A star without a significant frequency has no class (an empty name), and probabilities
        of NaN: the model has not been trained on such stars.

    Raises
    ------
    UsageError
        For an array of another shape.
    """
    return predict_by(classifier.model, classifier, features)


def predict_by(model: Any, classifier: Classifier, features: ArrayLike) -> Prediction:
    """Do as `predict`, by the classifier's model in a wrapper that knows where to compute."""
    found = class_probabilities(model, _matrix(features), len(classifier.classes))
    return winners(classifier.classes, found, classifier.settings.least_probability)


def periodic(x: Floats) -> NDArray[np.bool_]:
    """Which stars (n,) have a significant frequency, by their features."""
    return np.asarray(np.nan_to_num(x[:, INDEX["n_peaks"]]) > 0)


def class_probabilities(model: Any, x: Floats, n_classes: int) -> Floats:
    """Probabilities (n, classes) by a fitted estimator; NaN for stars without a significant frequency."""
    found = np.full((len(x), n_classes), np.nan)
    known = periodic(x)
    if known.any():
        with ONE_AT_A_TIME:
            found[known] = model.predict_proba(x[known])
    return found


def winners(classes: Sequence[str], probabilities: Floats, least: float) -> Prediction:
    """Best classes of probabilities (n, classes), with `least` as the threshold of being sure."""
    filled = np.nan_to_num(probabilities, nan=-1.0)
    best = filled.argmax(axis=1)
    probability = np.take_along_axis(probabilities, best[:, None], axis=1)[:, 0]
    sure = np.nan_to_num(probability, nan=-1.0) >= max(least, 0.0)
    place = np.where(sure, best, len(classes) + np.isnan(probability))
    return Prediction(np.array([*classes, UNCERTAIN, ""], str)[place], probability, probabilities)


def forest(settings: ClassifierSettings) -> Any:
    """The forest, not calibrated and not fitted."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        settings.trees, min_samples_leaf=settings.least_leaf, max_features=settings.max_features,
        class_weight="balanced_subsample", random_state=settings.seed, n_jobs=1,
    )  # fmt: skip


def splits(
    x: Floats, y: Names, settings: ClassifierSettings, folds: int, groups: Names | None = None
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to train on and rows to test on, of each fold; rows of a group are in one."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    return list(kind(folds, shuffle=True, random_state=settings.seed).split(x, y, groups))


def fit(x: Floats, y: Names, settings: ClassifierSettings, folds: int, groups: Names | None = None) -> Any:
    """The forest of all rows, fitted, and calibrated by forests that had not seen what they were asked."""
    from sklearn.calibration import CalibratedClassifierCV

    split = splits(x, y, settings, folds, groups)
    model = CalibratedClassifierCV(forest(settings), method=settings.calibration, cv=split, ensemble=False)
    with ONE_AT_A_TIME:
        return model.fit(x, y)


def groups_of(groups: ArrayLike, used: NDArray[np.bool_]) -> Names:
    """Groups of the rows that are used."""
    of = np.asarray(groups, str)
    if of.shape != used.shape:
        raise UsageError(f"{len(used)} stars need as many groups, not an array of shape {of.shape}")
    return of[used]


def _matrix(features: ArrayLike) -> Floats:
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or x.shape[1] != len(FEATURE_NAMES):
        raise UsageError(f"features must have the shape (n, {len(FEATURE_NAMES)}), not {x.shape}")
    return np.where(np.isfinite(x), x, np.nan)


def checked(
    features: ArrayLike, labels: ArrayLike, settings: ClassifierSettings
) -> tuple[Floats, Names, NDArray[np.bool_]]:
    """Rows with a significant frequency, and which these are."""
    x, y = _matrix(features), np.asarray(labels, str)
    if y.shape != (len(x),):
        raise UsageError(f"{len(x)} rows of features need as many labels, not an array of shape {y.shape}")
    used = periodic(x)
    x, y = x[used], y[used]
    names, counts = np.unique(y, return_counts=True)
    if len(names) < 2:
        raise UsageError("a classifier needs stars of two classes or more")
    if counts.min() < settings.folds:
        rare = str(names[np.argmin(counts)])
        raise UsageError(
            f"class {rare!r} has {counts.min()} stars, {settings.folds} folds need as many: "
            "take fewer folds, or more stars"
        )
    return x, y, used
