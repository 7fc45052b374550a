"""Variable stars of a partition: a row a star and mission with its features, and what two classifiers say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.schema import Column, TableSchema
from lkmrs_dask.variability.classifier import UNCERTAIN, Classifier
from lkmrs_dask.variability.curve_settings import CurveSettings
from lkmrs_dask.variability.feature_names import FEATURE_NAMES, FEATURES, Feature
from lkmrs_dask.variability.features import (
    FeatureSettings,
    Peaks,
    StarParameters,
    light_curve_features,
    peaks_of,
)
from lkmrs_dask.variability.frequencies import INSTRUMENTAL
from lkmrs_dask.variability.partition_model import probabilities_of
from lkmrs_dask.variability.rule_settings import RuleSettings
from lkmrs_dask.variability.rules import CLASSES, RuleClass, classify_by_rules
from lkmrs_dask.variability.star_curves import StarCurve, guarded, star_curves
from lkmrs_dask.variability.star_rows import IDENTITY, star_rows
from lkmrs_dask.variability.verdict import RuleClasses, VerdictSettings, verdict

__all__ = ["VARIABLES", "VariableSettings", "variable_rows"]

Floats = NDArray[np.float64]

_SURE = 0.7  # confidence from which on the longer of two light curves tells a star's class and period (ours)
_UNITS = {"1/d": "1 / d", "ppt^2/uHz": ""}  # as FITS spells them; the second is a logarithm


def _feature(one: Feature) -> Column:
    return Column(
        one.name, "float64", f"{one.meaning[0].upper()}{one.meaning[1:]}", _UNITS.get(one.unit, one.unit)
    )


VARIABLES = TableSchema(
    "variables",
    columns=(
        *IDENTITY,
        Column("mission", "string", "Kepler, K2, TESS, or empty for others"),
        Column("variable_class", "string", "Class of the star; null without a significant frequency"),
        Column("confidence", "float64", "How sure the class is, from 0 to 1"),
        Column("agree", "bool", "Both classifiers give the same class; null without a trained model"),
        Column("best", "bool", "Of the star's light curves the one whose class is the star's"),
        Column("rule_class", "string", "Class by the rules; null without a significant frequency"),
        Column("rule_score", "float64", "Share of the rule's conditions that hold"),
        Column("rule_reasons", "string", "What spoke for the class and against others"),
        Column("model_class", "string", "Class by the trained model; null where there is none"),
        Column("model_probability", "float64", "Its probability"),
        *(Column(f"p_{name}", "float64", f"Probability of {name} by the trained model") for name in CLASSES),
        *(_feature(one) for one in FEATURES),
        Column("n_points", "int32", "Points of the light curve"),
        Column("n_segments", "int32", "Quarters, campaigns or sectors of it"),
        Column("problem", "string", "Why the light curve could not be used; null where it could"),
    ),
    key=("star_id", "mission"),
    sort=("star_id", "mission"),
)  # fmt: skip
"""What `variable_rows` gives."""


@dataclass(frozen=True)
class VariableSettings:
    """Settings of all that turns frequencies into classes."""

    curves: CurveSettings = field(default_factory=CurveSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)
    rules: RuleSettings = field(default_factory=RuleSettings)
    verdict: VerdictSettings = field(default_factory=VerdictSettings)


def variable_rows(
    frequencies: pa.Table,
    light_curves: pa.Table,
    stars: Mapping[str, StarParameters],
    settings: VariableSettings | None = None,
    classifier: Classifier | None = None,
) -> pa.Table:
    """Describe and classify all stars of a table.

    Parameters
    ----------
    frequencies : pyarrow.Table
        Columns `lkmrs_dask.variability.frequency_table.FREQUENCIES`, whole stars.
    light_curves : pyarrow.Table
        The rows of the catalogue ``light_curves`` that they were found in, and any others.
    stars : mapping
        What is known of the stars beside their light, by ``star_id``.
    settings : VariableSettings, optional
        All settings.
    classifier : Classifier, optional
        The trained one; without it there are only rules.

    Returns
    -------
    pyarrow.Table
        Columns of `VARIABLES`, in the order of `frequencies`.  A star that fails has its ``problem``, and
        costs no other.  Of the rows of a star one is ``best``: of those with a confidence of 0.7 or more
        the one of the longest light curve, which also has the better period; else the surest.
    """
    settings = settings or VariableSettings()
    curves = {
        (light_curves.column("star_id")[one.row].as_py(), one.mission): one
        for one in star_curves(light_curves, settings.curves)
    }
    rows: list[dict[str, Any]] = []
    vectors = np.full((len(frequencies), len(FEATURE_NAMES)), np.nan)
    rules: list[RuleClass | None] = []
    for at, row in enumerate(frequencies.to_pylist()):
        problem, rule = row["problem"], None
        if problem is None:
            one = curves.get((row["star_id"], row["mission"]))
            star = stars.get(row["star_id"], StarParameters())
            found, problem = guarded(_described, row, one, star, settings)
            if found is not None:
                vectors[at], rule = found
        rules.append(rule)
        rows.append(
            {"problem": problem} | {name: row[name] for name in ("mission", "n_points", "n_segments")}
        )
    for row, vector in zip(rows, vectors, strict=True):
        row |= {
            name: value for name, value in zip(FEATURE_NAMES, vector.tolist(), strict=True) if value == value
        }
    _classify(rows, rules, vectors, settings, classifier)
    _choose(rows, frequencies.column("star_id").to_pylist())
    return star_rows(frequencies, range(len(rows)), rows, VARIABLES)


def _described(
    row: Mapping[str, Any], one: StarCurve | None, star: StarParameters, settings: VariableSettings
) -> tuple[Floats, RuleClass]:
    if one is None or one.problem is not None:
        raise LookupError("its light curve is not there")
    vector = light_curve_features(one.curve.time, one.curve.flux, _peaks(row), star, settings.features)
    return vector, classify_by_rules(vector, settings.rules)


def _peaks(row: Mapping[str, Any]) -> Peaks:
    """Frequencies of a row of the catalogue, without those of the spacecraft."""
    n = row["n_frequencies"]
    result = SimpleNamespace(
        **{name: np.array(row[name], np.float64) for name in ("frequency", "amplitude", "snr")},
        harmonic_of=np.array(row["harmonic_of"], np.int64),
        combination_of=np.array(row["combination_of"], np.int64).reshape(n, 2),
        flags=np.array(row["flags"], np.int64),
    )
    return peaks_of(result, leave_out=INSTRUMENTAL)


def _classify(
    rows: list[dict[str, Any]],
    rules: list[RuleClass | None],
    vectors: Floats,
    settings: VariableSettings,
    classifier: Classifier | None,
) -> None:
    """Add what both classifiers say, and the verdict."""
    names = np.array([one.variable_class if one is not None else "" for one in rules], str)
    scores = [one.scores.get(one.variable_class, np.nan) if one is not None else np.nan for one in rules]
    of_rules = RuleClasses(names, np.array(scores, np.float64))
    for row, rule, score in zip(rows, rules, scores, strict=True):
        if rule is not None and rule.variable_class:
            row |= {
                "rule_class": rule.variable_class,
                "rule_score": score,
                "rule_reasons": "; ".join(rule.reasons),
            }
    if classifier is None:
        for row in rows:
            if "rule_class" in row:
                row |= {"variable_class": row["rule_class"], "confidence": row["rule_score"]}
        return
    predicted = probabilities_of(classifier, vectors)
    judged = verdict(of_rules, predicted, classifier.classes, settings.verdict)
    for at, row in enumerate(rows):
        if judged.variable_class[at]:
            row |= {
                "variable_class": str(judged.variable_class[at]),
                "confidence": float(judged.confidence[at]),
                "agree": bool(judged.agree[at]),
            }
        if predicted.variable_class[at]:
            row["model_class"] = str(predicted.variable_class[at])
            row["model_probability"] = float(predicted.probability[at])
            known = zip(classifier.classes, predicted.probabilities[at].tolist(), strict=True)
            row |= {f"p_{name}": value for name, value in known}


def _choose(rows: list[dict[str, Any]], stars: list[str]) -> None:
    """Mark of each star with a class the row whose class is the star's."""
    best: dict[str, tuple[tuple[bool, bool, float, float], int]] = {}
    for at, (row, star) in enumerate(zip(rows, stars, strict=True)):
        row["best"] = False
        name = row.get("variable_class")
        if not name:
            continue
        sure = name != UNCERTAIN and row["confidence"] >= _SURE
        rank = (name != UNCERTAIN, sure, row.get("span", 0.0) if sure else 0.0, row["confidence"])
        if star not in best or rank > best[star][0]:
            best[star] = (rank, at)
    for _, at in best.values():
        rows[at]["best"] = True
