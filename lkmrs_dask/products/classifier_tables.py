"""The evaluation of the classifier as numbers (JSON) and as a report to read (Markdown)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.assessment import Judged, Threshold
from lkmrs_dask.variability.evaluation import Reliability, confusion_matrix, shares_right

__all__ = [
    "KINDS",
    "evaluation_text",
    "judged_values",
    "reliability_values",
    "star_values",
    "threshold_values",
]

KINDS = ("model", "rules", "verdict")
"""Whose classes are compared."""

_MOST_FEATURES = 15


def judged_values(
    judged: Judged, classes: Sequence[str], columns: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Shares that are right and confusion matrices, of model, rules and verdict.

    Parameters
    ----------
    judged : Judged
        Of `lkmrs_dask.variability.assessment`.
    classes, columns : sequence of str
        Rows and columns of the matrices.
    """
    found = {}
    for kind in KINDS:
        given = getattr(judged, kind)
        right, balanced = shares_right(judged.labels, given)
        found[kind] = {
            "right": number(right),
            "balanced_accuracy": number(balanced),
            "uncertain": number(float(np.mean(given == "uncertain"))) if len(given) else None,
            "confusion": confusion_matrix(judged.labels, given, classes, columns).tolist(),
        }
    return found


def star_values(judged: Judged) -> list[dict[str, Any]]:
    """What is said of each real star, and in how many pieces of its curve each of the three is right."""
    found = []
    for at in np.flatnonzero(judged.sources != "piece").tolist():
        pieces = judged.take((judged.stars == judged.stars[at]) & (judged.sources == "piece"))
        found.append({
            "star": str(judged.stars[at]),
            "class": str(judged.labels[at]),
            "model": str(judged.model[at]),
            "best": str(judged.best[at]),
            "probability": number(float(judged.probability[at])),
            "rules": str(judged.rules[at]),
            "score": number(float(judged.score[at])),
            "verdict": str(judged.verdict[at]),
            "confidence": number(float(judged.confidence[at])),
            "agree": bool(judged.agree[at]),
            "pieces": len(pieces.labels),
            "pieces_right": {
                kind: int(np.count_nonzero(getattr(pieces, kind) == pieces.labels)) for kind in KINDS
            },
        })  # fmt: skip
    return found


def reliability_values(one: Reliability) -> dict[str, Any]:
    """Bins of a reliability diagram, and its mean error."""
    return {
        "probability": [number(value) for value in one.probability.tolist()],
        "right": [number(value) for value in one.right.tolist()],
        "n": one.n.tolist(),
        "error": number(one.error),
    }


def threshold_values(ones: Sequence[Threshold]) -> list[dict[str, Any]]:
    """Rows of the table of thresholds."""
    return [{key: number(value) for key, value in one._asdict().items()} for one in ones]


def number(value: float) -> float | None:
    """A number that JSON knows; None for NaN."""
    return round(float(value), 6) if math.isfinite(value) else None


def evaluation_text(values: Mapping[str, Any]) -> str:
    """The report in Markdown.

    Parameters
    ----------
    values : mapping
        What ``evaluation.json`` holds.
    """
    return "\n".join(_lines(values)) + "\n"


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    synthetic, rows = values["synthetic"], values["rows"]
    yield "# The trained classifier"
    yield ""
    yield (
        f"Trained on {rows['synthetic']:,} synthetic stars ({values['per_class']:,} of each class, seed "
        f"{values['seed']}) and {values['n_real']:,} real ones ({rows['real'] + rows['piece']:,} curves and "
        "pieces of curves).  Stars without a significant frequency have no class and no part in this: "
        f"{synthetic['without_frequency']:,} of the synthetic ones."
    )
    yield ""
    yield from _table(["class", "synthetic", "real"], [[n, *c] for n, c in values["counts"].items()])
    yield from _synthetic_lines(values)
    yield from _real_lines(values)
    yield "## Features"
    yield ""
    yield (
        "Balanced accuracy that is lost when a feature is shuffled; of those that tell the same none shows "
        "much."
    )
    yield ""
    best = sorted(values["importance"].items(), key=lambda one: -one[1])[:_MOST_FEATURES]
    yield from _table(["feature", "lost"], [[name, f"{lost:.4f}"] for name, lost in best])
    if values.get("search"):
        yield "## Search for settings"
        yield ""
        names = list(values["search"])
        yield from _table(names, zip(*values["search"].values(), strict=True))


def _synthetic_lines(values: Mapping[str, Any]) -> Iterator[str]:
    found = values["synthetic"]
    yield "## Synthetic stars, cross-validated"
    yield ""
    yield "Each was classified by a model that had not seen it.  This says little of real stars."
    yield ""
    yield from _compared(found["kinds"])
    error = {kind: _share(one["error"]) for kind, one in found["reliability"].items()}
    yield (
        f"Mean error of the probabilities (calibration): {error['model']} of the model, {error['verdict']} "
        f"of the verdict; log loss of the model {found['log_loss']:.3f}."
    )
    yield ""
    yield 'A star is "uncertain" below a probability; what other thresholds would do (model):'
    yield ""
    yield from _table(
        ["least probability", "get a class", "of these right"],
        [[f"{r['probability']:g}", _share(r["share"]), _share(r["right"])] for r in found["thresholds"]],
    )
    for kind in KINDS:
        yield f"Confusion, {kind} (rows: true, columns: given):"
        yield ""
        yield from _matrix(found["kinds"][kind]["confusion"], values["classes"], values["columns"])


def _real_lines(values: Mapping[str, Any]) -> Iterator[str]:
    stars = values["real"]["stars"]
    known, others = [one for one in stars if one["class"]], [one for one in stars if not one["class"]]
    yield "## Real stars"
    yield ""
    if not known:
        yield "None were given: nothing is known of how the model does on real stars."
        yield ""
    else:
        yield (
            "Each was classified by a model that was trained on all synthetic and all other real stars. "
            f"{len(known)} stars are few: a share of them is no more than an indication.  The weight of the "
            "rules in the verdict was chosen with the nine of the project's own list: it is the best case."
        )
        yield ""
        yield from _compared(values["real"]["kinds"])
        yield from _table(
            ["star", "class", "model", "p", "rules", "score", "verdict", "confidence", "pieces",
             *(f"right: {kind}" for kind in KINDS)],
            [_star_row(one) for one in known],
        )  # fmt: skip
        for kind in KINDS:
            yield f"Confusion, {kind}:"
            yield ""
            yield from _matrix(
                values["real"]["kinds"][kind]["confusion"], values["real"]["classes"], values["columns"]
            )
    if others:
        yield "Stars that are none of the classes, not trained on:"
        yield ""
        yield from _table(
            ["star", "model", "p", "rules", "score", "verdict", "confidence"],
            [_star_row(one)[:1] + _star_row(one)[2:8] for one in others],
        )


def _star_row(one: Mapping[str, Any]) -> list[str]:
    def text(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    model = one["model"] if one["model"] != "uncertain" or one["best"] == "uncertain" else f"({one['best']})"
    return [
        one["star"], one["class"], model or "none", text(one["probability"]), one["rules"] or "none",
        text(one["score"]), one["verdict"] or "none", text(one["confidence"]), str(one["pieces"]),
        *(str(one["pieces_right"][kind]) for kind in KINDS),
    ]  # fmt: skip


def _compared(kinds: Mapping[str, Any]) -> Iterator[str]:
    yield from _table(
        ["", "balanced accuracy", "right", "called uncertain"],
        [
            [kind, _share(one["balanced_accuracy"]), _share(one["right"]), _share(one["uncertain"])]
            for kind, one in kinds.items()
        ],
    )


def _matrix(matrix: NDArray | list, classes: Sequence[str], columns: Sequence[str]) -> Iterator[str]:
    rows = [[name, *(f"{n:,}" if n else "." for n in row)] for name, row in zip(classes, matrix, strict=True)]
    yield from _table(["", *(name or "no frequency" for name in columns)], rows)


def _table(head: Sequence[str], rows: Any) -> Iterator[str]:
    yield "| " + " | ".join(str(one) for one in head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(one) for one in row) + " |"
    yield ""


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
