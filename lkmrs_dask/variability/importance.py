"""Which features the trained classifier lives by: what it loses when one is shuffled."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.catalog.running import run_tasks
from lkmrs_dask.variability.classifier import (
    ONE_AT_A_TIME,
    ClassifierSettings,
    Names,
    checked,
    forest,
    groups_of,
    splits,
)

__all__ = ["permutation_importance"]

Floats = NDArray[np.float64]


class _Fold(NamedTuple):
    """A task: train on some stars, and shuffle each feature of others."""

    x: Floats
    y: Names
    unseen: Floats
    true: Names
    settings: ClassifierSettings


def permutation_importance(
    features: ArrayLike,
    labels: ArrayLike,
    settings: ClassifierSettings | None = None,
    groups: ArrayLike | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """How much of the balanced accuracy is lost when a feature of unseen stars is shuffled.

    Of features that tell the same none loses much, for the others stand in.

    Parameters
    ----------
    features, labels, settings, groups, executor, progress
        As in `lkmrs_dask.variability.evaluation.evaluate`; the forest is taken without its calibration.

    Returns
    -------
    ndarray of float64, shape (features,)
        Mean over the folds; may be a little below zero.

    References
    ----------
    Breiman 2001, Machine Learning 45, 5.
    """
    settings = settings or ClassifierSettings()
    x, y, used = checked(features, labels, settings)
    of = None if groups is None else groups_of(groups, used)
    tasks = [
        _Fold(x[seen], y[seen], x[unseen], y[unseen], settings)
        for seen, unseen in splits(x, y, settings, settings.folds, of)
    ]
    return np.mean(run_tasks(_losses, tasks, executor, progress), axis=0)


def _losses(fold: _Fold) -> Floats:
    with ONE_AT_A_TIME:
        model = forest(fold.settings).fit(fold.x, fold.y)
        random = np.random.default_rng(fold.settings.seed)
        whole = _accuracy(model.predict(fold.unseen), fold.true)
        lost = np.zeros(fold.x.shape[1])
        for at in range(len(lost)):
            shuffled = fold.unseen.copy()
            shuffled[:, at] = random.permutation(shuffled[:, at])
            lost[at] = whole - _accuracy(model.predict(shuffled), fold.true)
        return lost


def _accuracy(found: Names, true: Names) -> float:
    right = found == true
    return float(np.mean([right[true == name].mean() for name in np.unique(true)]))
