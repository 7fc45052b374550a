"""``lkmrs train``: the training table of the classifier, and how good what is trained on it is."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lkmrs_dask import __version__
from lkmrs_dask.catalog.receipts import write_text
from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.cluster import open_crew
from lkmrs_dask.pipeline.inputs import expand
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.products import classifier_tables as tables
from lkmrs_dask.variability.assessment import Judged, assess_real, assess_synthetic, thresholds
from lkmrs_dask.variability.classifier import ClassifierSettings
from lkmrs_dask.variability.evaluation import Evaluation, reliability, search
from lkmrs_dask.variability.feature_names import FEATURE_NAMES
from lkmrs_dask.variability.importance import permutation_importance
from lkmrs_dask.variability.labelled import LabelledStar, labelled_stars
from lkmrs_dask.variability.rule_settings import RuleSettings
from lkmrs_dask.variability.training import TableSettings, TrainingTable, training_table
from lkmrs_dask.variability.training_files import save_training, table_code
from lkmrs_dask.variability.verdict import VerdictSettings

__all__ = ["TrainSettings", "read_labelled", "train_files"]

Say = Callable[[str], None]

_TABLE = "training.parquet"


@dataclass(frozen=True)
class TrainSettings:
    """Settings of all that `train_files` does.

    Parameters
    ----------
    table : TableSettings
        Of the synthetic stars, frequencies and features.
    classifier : ClassifierSettings
        Of the trained model.
    rules : RuleSettings
        Thresholds of the rules that it is compared with.
    verdict : VerdictSettings
        How the two are joined.
    """

    table: TableSettings = field(default_factory=TableSettings)
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    rules: RuleSettings = field(default_factory=RuleSettings)
    verdict: VerdictSettings = field(default_factory=VerdictSettings)


def read_labelled(path: str | Path) -> tuple[Path, list[LabelledStar]]:
    """Read a TOML list of labelled stars.

    Parameters
    ----------
    path : path
        With ``root``, the folder of the files, in which ``${NAME}`` and ``${NAME:-default}`` stand for
        environment variables, and a ``[[star]]`` for each star; see
        `lkmrs_dask.variability.labelled.labelled_stars`.

    Returns
    -------
    root : Path
        The folder.
    stars : list of LabelledStar

    Raises
    ------
    UsageError
        When the file is absent or wrong, or files that it names are not there.
    """
    path = Path(path)
    where = f"labels {path}"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise UsageError(f"{where}: cannot be read ({fault.strerror or fault})") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise UsageError(f"{where}: {fault}") from fault
    if unknown := sorted(set(values) - {"root", "star"}):
        raise UsageError(f"{where}: unknown {', '.join(unknown)}; known are root and [[star]]")
    if not isinstance(values.get("root"), str):
        raise UsageError(f"{where}: root must be the folder of the files")
    root = Path(expand(values["root"], where)).expanduser().absolute()
    return root, labelled_stars(values.get("star"), root, where)


def train_files(
    out: str | Path,
    labels: Sequence[str | Path] = (),
    *,
    per_class: int | None = None,
    seed: int | None = None,
    settings: TrainSettings | None = None,
    searched: bool = False,
    place: Place | None = None,
    report: Reporter | None = None,
    say: Say = print,
) -> dict[str, Any]:
    """Make a training table, train on it, and evaluate that on stars that it has not seen.

    Parameters
    ----------
    out : path
        Folder; gets ``training.parquet``, ``evaluation.json``, ``evaluation.md`` and the figures
        ``confusion`` and ``reliability``.
    labels : sequence of path
        Lists of labelled real stars; see `read_labelled`.
    per_class, seed : int, optional
        Of the synthetic stars; those of `settings` if not given.
    settings : TrainSettings, optional
        All others.
    searched : bool
        Whether the settings of the forest are searched; the best are in the report, and are used in it.
    place : Place, optional
        Where to compute; one thread a core if not given.
    report : Reporter, optional
        Shows how far it is.
    say : callable
        Is told what came out, a line at a time.

    Returns
    -------
    dict
        What ``evaluation.json`` holds.

    Raises
    ------
    UsageError
        For wrong settings or lists, or an `out` that is no folder.
    """
    target = Path(out).absolute()
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is no folder: `lkmrs train` needs one for what it writes")
    settings = _with(settings or TrainSettings(), per_class, seed)
    stars, roots = _all_stars(labels)
    report = report or Reporter(quiet=True)
    start = time.perf_counter()
    with open_crew(place or Place()) as crew:
        for root in roots:
            crew.check_sees(root)
        with report.stage("training table", "curves") as stage:
            table = training_table(settings.table, crew.executor, stage.progress, labelled=stars)
            stage.rows = len(table.labels)
        seconds = {"table": time.perf_counter() - start}
        notes = {"labels": [str(path) for path in labels]}
        save_training(table, target / _TABLE, settings.table, **notes)
        values = _evaluate(table, settings, searched, crew.executor, report, target)
    seconds["all"] = time.perf_counter() - start
    values = values | notes | {"seconds": {name: round(value, 1) for name, value in seconds.items()}}
    write_text(target / "evaluation.json", json.dumps(values, indent=1))
    write_text(target / "evaluation.md", tables.evaluation_text(values))
    for line in _said(values):
        say(line)
    say(f"table, evaluation and figures: {target}")
    return values


def _with(settings: TrainSettings, per_class: int | None, seed: int | None) -> TrainSettings:
    synthetic = settings.table.synthetic
    if per_class is not None:
        synthetic = replace(synthetic, per_class=per_class)
    if seed is not None:
        synthetic = replace(synthetic, seed=seed)
    if synthetic.per_class < 2 * (folds := settings.classifier.folds):
        raise UsageError(
            f"per_class must be at least {2 * folds}, not {synthetic.per_class}: stars of a class are split "
            f"into {folds} folds, and some have no frequency"
        )
    return replace(settings, table=replace(settings.table, synthetic=synthetic))


def _all_stars(labels: Sequence[str | Path]) -> tuple[list[LabelledStar], list[Path]]:
    lists = [read_labelled(path) for path in labels]
    stars = [star for _, some in lists for star in some]
    names = [star.name for star in stars]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"labels: {', '.join(twice)} is in more than one list")
    return stars, [root for root, _ in lists]


def _evaluate(
    table: TrainingTable, s: TrainSettings, searched: bool, executor: Executor, report: Reporter, out: Path
) -> dict[str, Any]:
    """All that is said of a table, and the figures."""
    known = table.take(table.labels != "")
    model, tried = s.classifier, None
    if searched:
        with report.stage("search"):
            model, tried = search(known.features, known.labels, None, model, known.groups)
    with report.stage("synthetic stars", "folds") as stage:
        judged, found = assess_synthetic(table, model, s.rules, s.verdict, executor, stage.progress)
    with report.stage("real stars", "stars") as stage:
        real = assess_real(table, model, s.rules, s.verdict, executor, stage.progress)
    with report.stage("features", "folds") as stage:
        lost = permutation_importance(
            known.features, known.labels, model, known.groups, executor, stage.progress
        )
    return _values(table, replace(s, classifier=model), judged, found, real, out) | {
        "importance": {
            name: tables.number(value) for name, value in zip(FEATURE_NAMES, lost.tolist(), strict=True)
        },
        "search": None
        if tried is None
        else {name: [float(one) for one in column] for name, column in tried.items()},
    }


def _values(
    table: TrainingTable, s: TrainSettings, judged: Judged, found: Evaluation, real: Judged, out: Path
) -> dict[str, Any]:
    rows = {name: int(np.count_nonzero(table.sources == name)) for name in _SOURCES}
    synthetic, training = table.sources == "synthetic", table.labels != ""
    # A star of a run is judged by its whole curve: pieces only show how steady that is.
    whole = real.take((real.sources == "real") & (real.labels != ""))
    columns = (*found.columns, "")
    # Below the threshold the confidence is not that of the class that is given, "uncertain".
    sure = judged.take(judged.confidence >= s.verdict.least)
    calibration = {
        "model": found.reliability,
        "verdict": reliability(sure.confidence, sure.verdict == sure.labels, s.classifier.bins),
    }
    real_classes = tuple(name for name in found.classes if name in set(whole.labels.tolist()))
    kinds = tables.judged_values(judged, found.classes, columns)
    real_kinds = tables.judged_values(whole, real_classes, columns)
    _draw(kinds, real_kinds, found.classes, real_classes, columns, calibration, out)
    return {
        "version": __version__,
        "code": table_code(),
        "settings": asdict(s),
        "per_class": s.table.synthetic.per_class,
        "seed": s.table.synthetic.seed,
        "rows": rows,
        "n_real": len(whole.labels),
        "counts": {
            name: [
                int(np.count_nonzero(synthetic & (table.labels == name))),
                int(np.count_nonzero(whole.labels == name)),
            ]
            for name in sorted(set(table.labels[training].tolist()))
        },
        "classes": list(found.classes),
        "columns": list(columns),
        "synthetic": {
            "stars": len(judged.labels),
            "without_frequency": found.n_left_out,
            "log_loss": tables.number(found.log_loss),
            "kinds": kinds,
            "reliability": {name: tables.reliability_values(one) for name, one in calibration.items()},
            "thresholds": tables.threshold_values(thresholds(judged.labels, judged.best, judged.probability)),
        },
        "real": {"classes": list(real_classes), "kinds": real_kinds, "stars": tables.star_values(real)},
    }


_SOURCES = ("synthetic", "real", "piece", "check")


def _draw(
    kinds: dict[str, Any],
    real_kinds: dict[str, Any],
    classes: Sequence[str],
    real_classes: Sequence[str],
    columns: Sequence[str],
    calibration: dict[str, Any],
    out: Path,
) -> None:
    from lkmrs_dask.products.figures.classifier import figure_confusion, figure_reliability

    matrices = {"Synthetic stars": np.array(kinds["model"]["confusion"])}
    if real_classes:
        small = np.array(real_kinds["model"]["confusion"])
        matrices["Real stars"] = np.zeros((len(classes), len(columns)), np.int64)
        matrices["Real stars"][[list(classes).index(name) for name in real_classes]] = small
    figure_confusion(matrices, classes, columns, out / "confusion")
    figure_reliability(calibration, out / "reliability", title="Synthetic stars, cross-validated")


def _said(values: dict[str, Any]) -> list[str]:
    def line(what: str, kinds: dict[str, Any], name: str) -> str:
        shares = ", ".join(f"{kind} {one[name]:.3f}" for kind, one in kinds.items() if one[name] is not None)
        return f"{what}: {shares}"

    rows, seconds = values["rows"], values["seconds"]
    lines = [
        f"{rows['synthetic']:,} synthetic stars, {values['n_real']:,} real ones: {sum(rows.values()):,} "
        f"curves in {seconds['table']:.1f} s",
        line("balanced accuracy on synthetic stars", values["synthetic"]["kinds"], "balanced_accuracy"),
    ]
    if values["n_real"]:
        lines.append(line("share of real stars that is right", values["real"]["kinds"], "right"))
    return lines
