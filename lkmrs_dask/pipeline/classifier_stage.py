"""Stages ``training`` and ``classifier``: what the classifier of variables learns from, and how good it is.

The model itself is made when stars are to be classified, in a scratch file of the run; what stays in the
survey is the table that it is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lkmrs_dask.catalog.receipts import Receipt, WrittenFile, code_fingerprint, fingerprint
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.variability.evaluation import Evaluation, evaluate
from lkmrs_dask.variability.partition_model import SavedClassifier
from lkmrs_dask.variability.training import TableSettings, train_from, training_table
from lkmrs_dask.variability.training_files import load_training, save_training, table_code
from lkmrs_dask.variability.training_stars import SyntheticSettings

__all__ = ["CLASSIFIER", "TRAINING", "Training", "check_training", "forget_training", "write_training"]

TRAINING, CLASSIFIER = "training", "classifier"
_FILE = f"{TRAINING}/training.parquet"
_UNIT = "all"


@dataclass(frozen=True)
class Training:
    """What a run's classifier is made of.

    Parameters
    ----------
    made_of : str
        Fingerprint of the table, of the settings and of the code.
    model : SavedClassifier
        Where the model is once `prepare` was called.
    prepare : callable
        Trains it, if it is not there.
    evaluation : dict
        How good it is on stars that it has not seen: see `Evaluation`; and ``real``, whether there are real
        ones among these.
    """

    made_of: str
    model: SavedClassifier
    prepare: Callable[[], None]
    evaluation: dict[str, Any]


def check_training(job: Job) -> None:
    """See at the beginning of a run whether the training table that a job names can be used.

    Raises
    ------
    CatalogError
        Where it is not there, is damaged, or was made by other code.
    """
    if job.training.table and job.light_curves:
        load_training(Path(job.training.table).expanduser())


def forget_training(draft: Draft, *, classifier: bool) -> None:
    """Remove what an earlier run made and this one has no use for: the table, and the classifier's test."""
    names = [TRAINING, f"receipts/{TRAINING}", *([f"receipts/{CLASSIFIER}"] if classifier else [])]
    for name in names:
        draft.remove(name)


def write_training(job: Job, draft: Draft, crew: Crew, report: Reporter) -> Training:
    """Make the training table, unless the job names one, and test a classifier that is trained with it.

    Raises
    ------
    CatalogError
        Where the job's own table is not there, or was made by other code.
    """
    path, made_of = _given(job) if job.training.table else _made(job, draft, crew, report)
    made_of = fingerprint(made_of, code_fingerprint(), asdict(job.classifier))
    evaluation = _evaluated(job, path, made_of, draft, crew, report)
    model = SavedClassifier(str(draft.scratch / f"classifier-{made_of[:24]}.pickle"))

    def prepare() -> None:
        if not Path(model.path).is_file():
            model.save(train_from(load_training(path), job.classifier))

    return Training(made_of, model, prepare, evaluation)


def _given(job: Job) -> tuple[Path, str]:
    path = Path(job.training.table).expanduser().absolute()
    table = load_training(path)
    return path, fingerprint(table.features, table.labels.tolist(), table.groups.tolist())


def _made(job: Job, draft: Draft, crew: Crew, report: Reporter) -> tuple[Path, str]:
    """Make the table of synthetic stars, described as the survey's are."""
    frequencies = {name: value for name, value in asdict(job.frequencies).items() if name != "lines"}
    synthetic = SyntheticSettings(per_class=job.training.per_class, seed=job.training.seed)
    settings = TableSettings(synthetic, frequencies=frequencies)
    made_of = fingerprint(table_code(), asdict(settings))
    with report.stage(TRAINING, "stars") as record:
        found = draft.finished(TRAINING, {_UNIT: made_of})
        if not found:
            table = training_table(settings, crew.executor, record.progress)
            path = save_training(table, draft.next.root / _FILE, settings)
            written = (WrittenFile.of(draft.next.root, path),)
            Receipt(TRAINING, _UNIT, made_of, len(table.labels), written).write(draft.next.receipts)
            record.rows = len(table.labels)
        else:
            record.rows = found[_UNIT].receipt.rows
            record.begin(record.rows, record.rows)
        _publish(draft, TRAINING, found and found[_UNIT].in_survey, [TRAINING, f"receipts/{TRAINING}"])
    place = draft.where(TRAINING)
    assert place is not None
    return place.parent / _FILE, made_of


def _evaluated(
    job: Job, path: Path, made_of: str, draft: Draft, crew: Crew, report: Reporter
) -> dict[str, Any]:
    with report.stage(CLASSIFIER, "folds") as record:
        found = draft.finished(CLASSIFIER, {_UNIT: made_of})
        if found:
            extra = dict(found[_UNIT].receipt.extra)
            record.begin(job.classifier.folds, job.classifier.folds)
        else:
            table = load_training(path)
            known = table.take(table.labels != "")
            result = evaluate(
                known.features, known.labels, job.classifier, known.groups, crew.executor, record.progress
            )
            real = sorted(set(known.sources.tolist()) - {"synthetic"})
            extra = {**_plain(result), "n_stars": len(set(known.groups.tolist())), "real": real}
            Receipt(CLASSIFIER, _UNIT, made_of, extra=extra).write(draft.next.receipts)
        _publish(draft, CLASSIFIER, found and found[_UNIT].in_survey, [f"receipts/{CLASSIFIER}"])
    return extra


def _publish(draft: Draft, stage: str, in_survey: object, names: list[str]) -> None:
    """Note that what was made takes the survey's place, unless it is the survey's already."""
    if not in_survey:
        for name in names:
            draft.replace(name)


def _plain(result: Evaluation) -> dict[str, Any]:
    """What JSON can keep of it: all but the single stars."""
    reliability = result.reliability
    return {
        "classes": list(result.classes),
        "columns": list(result.columns),
        "confusion": result.confusion.tolist(),
        "balanced_accuracy": result.balanced_accuracy,
        "log_loss": result.log_loss,
        "n_left_out": result.n_left_out,
        "calibration_error": reliability.error,
        "reliability": {
            name: [None if value != value else value for value in getattr(reliability, name).tolist()]
            for name in ("probability", "right", "n")
        },
    }
