"""What rules, trained model and both together say of stars that the model has not seen."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.classifier import UNCERTAIN, ClassifierSettings, periodic
from lkmrs_dask.variability.evaluation import Evaluation, evaluate, leave_stars_out
from lkmrs_dask.variability.rule_settings import RuleSettings
from lkmrs_dask.variability.training import TrainingTable
from lkmrs_dask.variability.verdict import Verdict, VerdictSettings, classes_by_rules, verdict

__all__ = ["Judged", "Threshold", "assess_real", "assess_synthetic", "thresholds"]

Floats = NDArray[np.float64]
Names = NDArray[np.str_]
Progress = Callable[[int, int], None]


class Judged(NamedTuple):
    """Stars' curves with their true class and what is said of them, arrays of shape (n,).

    Parameters
    ----------
    stars, sources, labels : ndarray of str
        Of the table; a label may be empty.
    model, rules, verdict : ndarray of str
        Classes that are given; empty without a significant frequency.
    best : ndarray of str
        The most probable class by the model, also where it is below the threshold.
    probability, score, confidence : ndarray of float64
        Of the model's best class, of the rules' class, and of the verdict.
    agree : ndarray of bool
        Whether model and rules say the same.
    """

    stars: Names
    sources: Names
    labels: Names
    model: Names
    rules: Names
    verdict: Names
    best: Names
    probability: Floats
    score: Floats
    confidence: Floats
    agree: NDArray[np.bool_]

    def take(self, rows: NDArray[np.bool_]) -> Judged:
        """Some of the rows."""
        columns: list[Any] = [column[rows] for column in self]
        return Judged(*columns)


class Threshold(NamedTuple):
    """Stars that get a class, not "uncertain", from a probability on: their share, and how many are right."""

    probability: float
    share: float
    right: float


def assess_synthetic(
    table: TrainingTable,
    settings: ClassifierSettings | None = None,
    rules: RuleSettings | None = None,
    joined: VerdictSettings | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> tuple[Judged, Evaluation]:
    """Judge the synthetic stars of a table by cross-validation, those without a frequency left out.

    Parameters
    ----------
    table : TrainingTable
        Its real stars have no part in this.
    settings, rules, joined : optional
        Settings of model, rules and verdict.
    executor, progress
        As in `lkmrs_dask.variability.evaluation.evaluate`.

    Raises
    ------
    UsageError
        As there.
    """
    some = table.take(table.sources == "synthetic")
    found = evaluate(some.features, some.labels, settings, some.groups, executor, progress)
    some = some.take(periodic(some.features))
    said = classes_by_rules(some.features, rules)
    both = verdict(said, found.prediction, found.classes, joined)
    best = np.array(found.classes)[found.prediction.probabilities.argmax(axis=1)]
    judged = Judged(
        some.groups, some.sources, some.labels, found.prediction.variable_class, said.variable_class,
        both.variable_class, best, found.prediction.probability, said.score, both.confidence, both.agree,
    )  # fmt: skip
    return judged, found


def assess_real(
    table: TrainingTable,
    settings: ClassifierSettings | None = None,
    rules: RuleSettings | None = None,
    joined: VerdictSettings | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Judged:
    """Judge the real stars of a table, each by a model that was trained on all others and the synthetic ones.

    Parameters, Raises
    ------------------
    As `assess_synthetic`; of a table without real stars nothing is judged.
    """
    real = table.take(table.sources != "synthetic")
    stars = list(dict.fromkeys(real.groups.tolist()))
    found = leave_stars_out(table, stars, settings, executor, progress)
    said = classes_by_rules(real.features, rules)
    names = [np.empty(len(real.labels), object) for _ in range(3)]
    probability, confidence = np.full(len(real.labels), np.nan), np.full(len(real.labels), np.nan)
    agree = np.zeros(len(real.labels), bool)
    for star in stars:
        classes, prediction = found[star]
        mine = real.groups == star
        own = type(said)(said.variable_class[mine], said.score[mine])
        both: Verdict = verdict(own, prediction, classes, joined)
        filled = np.nan_to_num(prediction.probabilities, nan=-1.0)
        best = np.where(np.isnan(prediction.probability), "", np.array(classes)[filled.argmax(axis=1)])
        for column, values in zip(names, (prediction.variable_class, both.variable_class, best), strict=True):
            column[mine] = values
        probability[mine], confidence[mine] = prediction.probability, both.confidence
        agree[mine] = both.agree
    model, joint, best = (column.astype(str) for column in names)
    return Judged(
        real.groups, real.sources, real.labels, model, said.variable_class, joint, best, probability,
        said.score, confidence, agree,
    )  # fmt: skip


def thresholds(
    labels: Names,
    best: Names,
    probability: Floats,
    least: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
) -> list[Threshold]:
    """What thresholds on the probability do: the higher, the fewer stars get a class, and the more are right.

    Parameters
    ----------
    labels, best : ndarray of str, shape (n,)
        True class, and most probable one.
    probability : ndarray of float64, shape (n,)
        Of the latter.
    least : tuple of float
        Thresholds.
    """
    found = []
    for limit in least:
        given = (np.nan_to_num(probability, nan=-1.0) >= limit) & (best != UNCERTAIN)
        right = float((labels == best)[given].mean()) if given.any() else np.nan
        found.append(Threshold(limit, float(given.mean()) if len(given) else np.nan, right))
    return found
