"""Variable stars of a partition: a row a star and mission with its features, and what two classifiers say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.schema import Column, TableSchema
from lkmrs_dask.variability.classifier import UNCERTAIN, Classifier
from lkmrs_dask.variability.curve_settings import CurveSettings
from lkmrs_dask.variability.dip_rules import better_period, classify_by_dips
from lkmrs_dask.variability.dips import Dips, DipSettings, find_dips
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
_MANY_DIPS = 4  # deep ones, with a certain period, make a binary of a star of another class (ours)
_MORE = {"period": "; of an EB that of its dips where frequencies give none, or a part of it"}
_UNITS = {"1/d": "1 / d", "ppt^2/uHz": ""}  # as FITS spells them; the second is a logarithm


def _feature(one: Feature) -> Column:
    meaning = f"{one.meaning[0].upper()}{one.meaning[1:]}{_MORE.get(one.name, '')}"
    return Column(one.name, "float64", meaning, _UNITS.get(one.unit, one.unit))


_OF_DIPS = (
    Column("n_dips", "int32", "Dips that were seen whole; of more than 300 the deepest 300"),
    Column(
        "dips_period", "float64", "Days from one dip of a kind to the next; of equal dips half an orbit", "d"
    ),
    Column("dips_certain", "bool", "Whether more dips than one or two intervals tell that period"),
    Column("dips_time", "float64", "Time of the first of these, of the deeper kind if there are two", "d"),
    Column("dips_depth", "float64", "Depth of that kind", "ppt"),
    Column("dips_depth_2", "float64", "Depth of the other kind; null where all dips are alike", "ppt"),
    Column("dips_duration", "float64", "Duration at half depth", "d"),
    Column("dips_significance", "float64", "Root of the summed squares of their signal-to-noise ratios"),
)

VARIABLES = TableSchema(
    "variables",
    columns=(
        *IDENTITY,
        Column("mission", "string", "Kepler, K2, TESS, or empty for others"),
        Column("variable_class", "string", "Class of the star; null without a frequency or eclipses"),
        Column("confidence", "float64", "How sure the class is, from 0 to 1"),
        Column("agree", "bool", "Both classifiers give the same class; null where the model gives none"),
        Column("best", "bool", "Of the star's light curves the one whose class is the star's"),
        Column("rule_class", "string", "Class by the rules; null without a frequency or eclipses"),
        Column("from_dips", "bool", "The rules' class is that of recurring dips, not of frequencies"),
        Column("rule_score", "float64", "Share of the rule's conditions that hold"),
        Column("rule_reasons", "string", "What spoke for the class and against others"),
        Column("model_class", "string", "Class by the trained model; null where there is none"),
        Column("model_probability", "float64", "Its probability"),
        *(Column(f"p_{name}", "float64", f"Probability of {name} by the trained model") for name in CLASSES),
        *(_feature(one) for one in FEATURES),
        *_OF_DIPS,
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
    dips: DipSettings = field(default_factory=DipSettings)


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
    eclipses: list[_Eclipses] = []
    for at, row in enumerate(frequencies.to_pylist()):
        problem, rule, dips = row["problem"], None, _Eclipses()
        if problem is None:
            one = curves.get((row["star_id"], row["mission"]))
            star = stars.get(row["star_id"], StarParameters())
            found, problem = guarded(_described, row, one, star, settings)
            if found is not None:
                vectors[at], rule, dips = found
        rules.append(rule)
        eclipses.append(dips)
        rows.append(
            {"problem": problem} | {name: row[name] for name in ("mission", "n_points", "n_segments")}
        )
    for row, vector in zip(rows, vectors, strict=True):
        row |= {
            name: value for name, value in zip(FEATURE_NAMES, vector.tolist(), strict=True) if value == value
        }
    _classify(rows, rules, vectors, settings, classifier)
    for row, dips in zip(rows, eclipses, strict=True):
        row |= dips.columns(row.get("variable_class", ""), row.get("period", np.nan))
    _choose(rows, frequencies.column("star_id").to_pylist())
    return star_rows(frequencies, range(len(rows)), rows, VARIABLES)


class _Eclipses(NamedTuple):
    """Dips of a light curve, and whether the class by rules is theirs; None without a curve."""

    dips: Dips = Dips()
    from_dips: bool | None = None

    def columns(self, variable_class: str, period: float) -> dict[str, Any]:
        """Columns of a star whose class and period by frequencies are these."""
        if self.from_dips is None:
            return {}
        dips = self.dips
        numbers = {
            "dips_period": dips.period, "dips_time": dips.time, "dips_depth": dips.depth,
            "dips_depth_2": dips.depth_2, "dips_duration": dips.duration,
        }  # fmt: skip
        if variable_class == "EB":
            numbers["period"] = dips.period if self.from_dips else better_period(period, dips)
        known = {name: value if np.isfinite(value) else None for name, value in numbers.items()}
        return known | {
            "from_dips": self.from_dips, "n_dips": dips.n, "dips_certain": dips.certain if dips.n else None,
            "dips_significance": dips.significance if dips.n else None,
        }  # fmt: skip


def _described(
    row: Mapping[str, Any], one: StarCurve | None, star: StarParameters, settings: VariableSettings
) -> tuple[Floats, RuleClass, _Eclipses]:
    if one is None or one.problem is not None:
        raise LookupError("its light curve is not there")
    time, flux = one.curve.time, one.curve.flux
    vector = light_curve_features(time, flux, _peaks(row), star, settings.features)
    rule, dips = classify_by_rules(vector, settings.rules), find_dips(time, flux, settings.dips)
    of_dips = classify_by_dips(dips, star, settings.rules)
    if _dips_win(rule, dips, of_dips, settings.rules):
        return vector, of_dips, _Eclipses(dips, True)
    return vector, rule, _Eclipses(dips, False)


def _dips_win(rule: RuleClass, dips: Dips, of_dips: RuleClass, settings: RuleSettings) -> bool:
    """Whether the class is that of dips: where frequencies say something these must be sure to say more."""
    if not of_dips.variable_class or not rule.variable_class:
        return bool(of_dips.variable_class)
    if rule.variable_class == UNCERTAIN:
        return dips.certain
    # A star with eclipses that pulsates or has spots is a binary first.
    sure = dips.certain and dips.n >= _MANY_DIPS and dips.depth > settings.transit_depth
    return sure and rule.variable_class != "EB"


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
            }
        if predicted.variable_class[at]:
            row["agree"] = bool(judged.agree[at]) if judged.variable_class[at] else None
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
