"""One class of a star from the two that rules and trained model give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.checked import check_values, is_number
from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.classifier import UNCERTAIN, Prediction, winners
from lkmrs_dask.variability.rule_settings import RuleSettings
from lkmrs_dask.variability.rules import classify_by_rules

__all__ = ["RuleClasses", "Verdict", "VerdictSettings", "classes_by_rules", "verdict"]

Floats = NDArray[np.float64]
Names = NDArray[np.str_]


class RuleClasses(NamedTuple):
    """Classes by rules (n,), empty for stars that they say nothing of, and their scores (n,)."""

    variable_class: Names
    score: Floats


class Verdict(NamedTuple):
    """Class (n,), confidence from 0 to 1 (n,), and whether rules and model say the same (n,).

    The class is empty and the confidence NaN for a star without a class by rules.
    """

    variable_class: Names
    confidence: Floats
    agree: NDArray[np.bool_]


@dataclass(frozen=True)
class VerdictSettings:
    """How rules and model are joined (ours).

    Parameters
    ----------
    rules : float
        Weight of the rules, from 0 (the model alone) to 1 (their class, as far as its score goes).  Up to
        0.55 synthetic stars that the model had not seen come out as well as by the model alone, within the
        noise; from 0.55 on all nine real ones of ``benchmarks/labelled_stars.toml`` do (model 8, rules 8),
        among which the weight was chosen.  `lkmrs train` measures it anew.
    least : float
        Confidence below which a star is uncertain.

    Raises
    ------
    UsageError
        When a value makes no sense.
    """

    rules: float = 0.55
    least: float = 0.5

    def __post_init__(self) -> None:
        """Check every value."""
        checks = {
            "rules": (is_number(self.rules) and 0 <= self.rules <= 1, "from 0 to 1"),
            "least": (is_number(self.least) and 0 <= self.least < 1, "from 0 to below 1"),
        }
        check_values(self, checks)


def classes_by_rules(features: ArrayLike, settings: RuleSettings | None = None) -> RuleClasses:
    """Classes of many stars by `lkmrs_dask.variability.rules.classify_by_rules`.

    Parameters
    ----------
    features : array_like of float, shape (n, features)
        See there.
    settings : RuleSettings, optional
        Thresholds.
    """
    found = [classify_by_rules(vector, settings) for vector in np.asarray(features, np.float64)]
    names = np.array([one.variable_class for one in found], str)
    scores = [one.scores.get(one.variable_class, np.nan) for one in found]
    return RuleClasses(names, np.array(scores, np.float64))


def verdict(
    rules: RuleClasses,
    prediction: Prediction,
    classes: Sequence[str],
    settings: VerdictSettings | None = None,
) -> Verdict:
    """Class of each star: the model's probabilities, moved towards the class of the rules.

    With w the weight of the rules times the score of their class, the probability p of that class becomes
    p + w (1 - p), that of all others (1 - w) p; the best is the star's class.  So the class that the rules
    name wins where the model is not sure, and loses where it is.  Rules that name none have no say.  Of
    stars without a significant frequency the model says nothing: where dips give them a class by rules
    (`lkmrs_dask.variability.dip_rules.classify_by_dips`), that is their class, as sure as its score.

    Parameters
    ----------
    rules : RuleClasses
        From `classes_by_rules`; scores that are not finite count as 0.
    prediction : Prediction
        From `lkmrs_dask.variability.classifier.predict`, of the same stars.
    classes : sequence of str
        Of the model's probabilities.
    settings : VerdictSettings, optional
        Weight and threshold.

    Returns
    -------
    Verdict

    Raises
    ------
    UsageError
        For arrays of different numbers of stars or classes.
    """
    settings = settings or VerdictSettings()
    names = np.asarray(rules.variable_class, str)
    probabilities = np.asarray(prediction.probabilities, np.float64)
    if probabilities.shape != (len(names), len(classes)) or np.shape(rules.score) != names.shape:
        raise UsageError(
            f"{len(names)} classes by rules need as many scores and probabilities of {len(classes)} classes, "
            f"not arrays of shapes {np.shape(rules.score)} and {probabilities.shape}"
        )
    named = (names[:, None] == np.array(classes, str)) & (names != UNCERTAIN)[:, None]
    score = np.clip(np.nan_to_num(np.asarray(rules.score, np.float64)), 0.0, 1.0)
    weight = (settings.rules * score * named.any(axis=1))[:, None]
    mixed = winners(classes, (1.0 - weight) * probabilities + weight * named, settings.least)
    # The paper's variables have a significant frequency; of others only dips, by rules, tell anything.
    known = names != ""
    alone = known & (mixed.variable_class == "")
    by_rules = np.where(score >= settings.least, names, UNCERTAIN)
    return Verdict(
        np.where(known, np.where(alone, by_rules, mixed.variable_class), ""),
        np.where(known, np.where(alone, score, mixed.probability), np.nan),
        known & (names == np.asarray(prediction.variable_class, str)),
    )
