"""How good a trained classifier is on stars that it has not seen, and the search for its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.catalog.running import run_tasks
from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.classifier import (
    UNCERTAIN,
    ClassifierSettings,
    Names,
    Prediction,
    checked,
    class_probabilities,
    fit,
    forest,
    groups_of,
    predict,
    splits,
    winners,
)
from lkmrs_dask.variability.training import TrainingTable, train_from

__all__ = [
    "Evaluation", "Reliability", "confusion_matrix", "evaluate", "leave_stars_out", "reliability",
    "search", "shares_right",
]  # fmt: skip

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


class _Fold(NamedTuple):
    """A task: train on some stars, give probabilities of others."""

    x: Floats
    y: Names
    unseen: Floats
    groups: Names | None
    settings: ClassifierSettings


def _probabilities(fold: _Fold) -> Floats:
    _, counts = np.unique(fold.y, return_counts=True)
    inner = min(fold.settings.folds, int(counts.min()))
    model = fit(fold.x, fold.y, fold.settings, inner, fold.groups)
    return class_probabilities(model, fold.unseen, len(counts))


def evaluate(
    features: ArrayLike,
    labels: ArrayLike,
    settings: ClassifierSettings | None = None,
    groups: ArrayLike | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Cross-validate: each star is classified by a model that was trained without it.

    Parameters
    ----------
    features, labels, settings
        As in `train`.
    groups : array_like of str, shape (n,), optional
        Name of the star of each row: rows of one star are in one fold.
    executor : concurrent.futures.Executor, optional
        Where folds are computed; threads of this process if not given.
    progress : callable, optional
        Called with the folds done, and all.

    Returns
    -------
    Evaluation

    Raises
    ------
    UsageError
        As `train`, and where a class has too few stars to be split.
    """
    settings = settings or ClassifierSettings()
    x, y, used = checked(features, labels, settings)
    classes = tuple(np.unique(y).tolist())
    of = None if groups is None else groups_of(groups, used)
    folds = splits(x, y, settings, settings.folds, of)
    for seen, _ in folds:
        names, counts = np.unique(y[seen], return_counts=True)
        if len(names) < len(classes) or counts.min() < 2:
            raise UsageError("a class has stars in too few groups: use fewer folds, or more stars")
    tasks = [
        _Fold(x[seen], y[seen], x[unseen], None if of is None else of[seen], settings)
        for seen, unseen in folds
    ]
    probabilities = np.full((len(x), len(classes)), np.nan)
    for (_, unseen), found in zip(folds, run_tasks(_probabilities, tasks, executor, progress), strict=True):
        probabilities[unseen] = found
    return _evaluation(classes, y, probabilities, settings, int(np.count_nonzero(~used)))


class _Star(NamedTuple):
    """A task: train on all but a star, and classify its rows."""

    table: TrainingTable
    star: str
    settings: ClassifierSettings


def _classify_one(task: _Star) -> tuple[tuple[str, ...], Prediction]:
    mine = task.table.groups == task.star
    classifier = train_from(task.table.take(~mine), task.settings)
    return classifier.classes, predict(classifier, task.table.features[mine])


def leave_stars_out(
    table: TrainingTable,
    stars: Sequence[str],
    settings: ClassifierSettings | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, tuple[tuple[str, ...], Prediction]]:
    """Classify each of some stars by a model that was trained on all other stars of a table.

    Parameters
    ----------
    table : TrainingTable
        Rows of all stars.
    stars : sequence of str
        Groups of the table.
    settings : ClassifierSettings, optional
        Of the classifier.
    executor, progress
        As in `evaluate`.

    Returns
    -------
    dict
        By star: the classes of its model, and what the model says of each of the star's rows.

    Raises
    ------
    UsageError
        For a star that is not in the table, and as `lkmrs_dask.variability.classifier.train`.
    """
    if strange := [star for star in stars if star not in set(table.groups.tolist())]:
        raise UsageError(f"the training table has no star {', '.join(strange)}")
    settings = settings or ClassifierSettings()
    found = run_tasks(_classify_one, [_Star(table, star, settings) for star in stars], executor, progress)
    return dict(zip(stars, found, strict=True))


def confusion_matrix(
    labels: ArrayLike, given: ArrayLike, classes: Sequence[str], columns: Sequence[str]
) -> NDArray[np.int64]:
    """Stars by true class (row) and given class (column).

    Parameters
    ----------
    labels, given : array_like of str, shape (n,)
        Classes; those that are not among rows and columns are not counted.
    classes, columns : sequence of str
        Rows and columns.

    Returns
    -------
    ndarray of int64, shape (classes, columns)
    """
    true, said = np.asarray(labels, str), np.asarray(given, str)
    return np.array(
        [[np.count_nonzero((true == one) & (said == other)) for other in columns] for one in classes],
        np.int64,
    ).reshape(len(classes), len(columns))


def shares_right(labels: ArrayLike, given: ArrayLike) -> tuple[float, float]:
    """Share of stars that is right, and the mean over classes of that share; NaN without stars."""
    true, said = np.asarray(labels, str), np.asarray(given, str)
    if not len(true):
        return np.nan, np.nan
    right = true == said
    return float(right.mean()), float(np.mean([right[true == one].mean() for one in np.unique(true)]))


def _evaluation(
    classes: tuple[str, ...], y: Names, probabilities: Floats, settings: ClassifierSettings, left_out: int
) -> Evaluation:
    found = winners(classes, probabilities, settings.least_probability)
    columns = classes if UNCERTAIN in classes else (*classes, UNCERTAIN)
    row = np.searchsorted(np.array(classes), y)
    true = np.take_along_axis(np.nan_to_num(probabilities), row[:, None], axis=1)[:, 0]
    best = np.array(classes)[np.nan_to_num(probabilities, nan=-1.0).argmax(axis=1)]
    return Evaluation(
        classes,
        columns,
        confusion_matrix(y, found.variable_class, classes, columns),
        shares_right(y, found.variable_class)[1],
        float(-np.log(np.maximum(true, 1e-12)).mean()),
        reliability(found.probability, best == y, settings.bins),
        found,
        left_out,
    )


def reliability(probability: Floats, right: NDArray[np.bool_], bins: int) -> Reliability:
    """Whether probabilities (n,) are the shares of stars that are right, in equal bins from 0 to 1."""
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
    groups: ArrayLike | None = None,
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
    groups : array_like of str, shape (n,), optional
        As in `evaluate`.

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
    x, y, used = checked(features, labels, settings)
    of = None if groups is None else groups_of(groups, used)
    grid = grid or {"least_leaf": [1, 2, 5], "max_features": [0.1, 0.25, 0.5]}
    names = {"trees": "n_estimators", "least_leaf": "min_samples_leaf", "max_features": "max_features"}
    if unknown := sorted(set(grid) - set(names)):
        raise UsageError(f"{', '.join(unknown)}: only {', '.join(names)} can be searched")
    points = {names[name]: list(values) for name, values in grid.items()}
    tried = GridSearchCV(
        forest(settings), points, cv=splits(x, y, settings, settings.folds, of),
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
