"""How good a trained classifier is on stars that it has not seen, and the search for its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.classifier import (
    UNCERTAIN,
    ClassifierSettings,
    Names,
    Prediction,
    checked,
    class_probabilities,
    estimator,
    forest,
    winners,
)

__all__ = ["Evaluation", "Reliability", "evaluate", "search"]

Floats = NDArray[np.float64]


class Reliability(NamedTuple):
    """Reliability diagram: in bins of the winning probability its mean, the share that was right, the number.

    NaN in bins without stars.  ``error`` is the mean distance of the two, weighted with the number.
    """

    probability: Floats
    right: Floats
    n: NDArray[np.int64]
    error: float


class Evaluation(NamedTuple):
    """How well stars are classified that were not trained on.

    Parameters
    ----------
    classes : tuple of str
        Rows of the matrix; its columns are the same and "uncertain" where that is none of them.
    columns : tuple of str
        Of the matrix.
    confusion : ndarray of int64, shape (classes, columns)
        Stars by true class (row) and given class (column).
    balanced_accuracy : float
        Mean over classes of the share that is right, stars called uncertain counting as wrong.
    log_loss : float
        Mean of -ln(probability of the true class).
    reliability : Reliability
        Whether probabilities are what they say.
    prediction : Prediction
        Of each star with a significant frequency, by the model that had not seen it.
    n_left_out : int
        Stars without such a frequency, which have no part in all of this.
    """

    classes: tuple[str, ...]
    columns: tuple[str, ...]
    confusion: NDArray[np.int64]
    balanced_accuracy: float
    log_loss: float
    reliability: Reliability
    prediction: Prediction
    n_left_out: int


def evaluate(
    features: ArrayLike,
    labels: ArrayLike,
    settings: ClassifierSettings | None = None,
    groups: ArrayLike | None = None,
) -> Evaluation:
    """Cross-validate: each star is classified by a model that was trained without it.

    Parameters
    ----------
    features, labels, settings
        As in `train`.
    groups : array_like of str, shape (n,), optional
        Name of the star of each row: rows of one star are in one fold.

    Returns
    -------
    Evaluation

    Raises
    ------
    UsageError
        As `train`, and where a class has too few stars to be split.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    settings = settings or ClassifierSettings()
    x, y, used = checked(features, labels, settings)
    classes = tuple(np.unique(y).tolist())
    if groups is None:
        folds = StratifiedKFold(settings.folds, shuffle=True, random_state=settings.seed).split(x, y)
    else:
        of = np.asarray(groups, str)
        if of.shape != used.shape:
            raise UsageError(f"{len(used)} stars need as many groups, not an array of shape {of.shape}")
        of = of[used]
        folds = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed).split(x, y, of)
    probabilities = np.full((len(x), len(classes)), np.nan)
    for seen, unseen in folds:
        names, counts = np.unique(y[seen], return_counts=True)
        if len(names) < len(classes) or counts.min() < 2:
            raise UsageError("a class has stars in too few groups: use fewer folds, or more stars")
        inner = min(settings.folds, int(counts.min()))
        model = estimator(settings, inner).fit(x[seen], y[seen])
        probabilities[unseen] = class_probabilities(model, x[unseen], len(classes))
    return _evaluation(classes, y, probabilities, settings, int(np.count_nonzero(~used)))


def _evaluation(
    classes: tuple[str, ...], y: Names, probabilities: Floats, settings: ClassifierSettings, left_out: int
) -> Evaluation:
    found = winners(classes, probabilities, settings.least_probability)
    columns = classes if UNCERTAIN in classes else (*classes, UNCERTAIN)
    confusion = np.zeros((len(classes), len(columns)), np.int64)
    row = np.searchsorted(np.array(classes), y)
    place = {name: at for at, name in enumerate(columns)}
    np.add.at(confusion, (row, np.array([place[name] for name in found.variable_class.tolist()], int)), 1)
    right = confusion[np.arange(len(classes)), np.arange(len(classes))] / confusion.sum(axis=1)
    true = np.take_along_axis(np.nan_to_num(probabilities), row[:, None], axis=1)[:, 0]
    best = np.array(classes)[np.nan_to_num(probabilities, nan=-1.0).argmax(axis=1)]
    return Evaluation(
        classes,
        columns,
        confusion,
        float(right.mean()),
        float(-np.log(np.maximum(true, 1e-12)).mean()),
        _reliability(found.probability, best == y, settings.bins),
        found,
        left_out,
    )


def _reliability(probability: Floats, right: NDArray[np.bool_], bins: int) -> Reliability:
    known = np.isfinite(probability)
    where = np.minimum((probability[known] * bins).astype(np.int64), bins - 1)
    n = np.bincount(where, minlength=bins)
    nothing = np.full(bins, np.nan)
    mean = np.divide(np.bincount(where, probability[known], bins), n, out=nothing.copy(), where=n > 0)
    share = np.divide(np.bincount(where, right[known], bins), n, out=nothing.copy(), where=n > 0)
    filled = n > 0
    error = float(np.average(np.abs(mean - share)[filled], weights=n[filled])) if filled.any() else np.nan
    return Reliability(mean, share, n, error)


def search(
    features: ArrayLike,
    labels: ArrayLike,
    grid: Mapping[str, Sequence[Any]] | None = None,
    settings: ClassifierSettings | None = None,
) -> tuple[ClassifierSettings, dict[str, NDArray]]:
    """Choose settings by cross-validation on a grid, with dask-ml.

    Parameters
    ----------
    features, labels
        As in `train`.
    grid : mapping, optional
        Values to try of `trees`, `least_leaf` and `max_features`; by default some of the last two.
    settings : ClassifierSettings, optional
        All others.

    Returns
    -------
    best : ClassifierSettings
        With the settings of the highest balanced accuracy (of the forest, before calibration).
    table : dict
        ``mean_test_score`` and the values of each point of the grid.

    Raises
    ------
    UsageError
        For a name that is no setting of the forest, and as `train`.
    """
    from dask_ml.model_selection import GridSearchCV

    settings = settings or ClassifierSettings()
    x, y, _ = checked(features, labels, settings)
    grid = grid or {"least_leaf": [1, 2, 5], "max_features": [0.1, 0.25, 0.5]}
    names = {"trees": "n_estimators", "least_leaf": "min_samples_leaf", "max_features": "max_features"}
    if unknown := sorted(set(grid) - set(names)):
        raise UsageError(f"{', '.join(unknown)}: only {', '.join(names)} can be searched")
    tried = GridSearchCV(
        forest(settings), {names[name]: list(values) for name, values in grid.items()}, cv=settings.folds,
        scoring="balanced_accuracy", refit=False, scheduler="threads", n_jobs=1,
    )  # fmt: skip
    tried.fit(x, y)
    results = tried.cv_results_
    best = int(np.argmax(results["mean_test_score"]))
    found = {name: results[f"param_{names[name]}"][best] for name in grid}
    table = {name: np.asarray(results[f"param_{names[name]}"]) for name in grid}
    table["mean_test_score"] = np.asarray(results["mean_test_score"])
    return replace(
        settings, **{name: type(getattr(settings, name))(value) for name, value in found.items()}
    ), table
