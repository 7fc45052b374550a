"""Training table of the classifier: features of light curves whose class is known, synthetic or real."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.catalog.running import run_tasks
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.variability.classifier import Classifier, ClassifierSettings, train
from lkmrs_dask.variability.feature_names import FEATURE_NAMES
from lkmrs_dask.variability.features import FeatureSettings, Peaks, light_curve_features, peaks_of
from lkmrs_dask.variability.labelled import LabelledStar, labelled_curves
from lkmrs_dask.variability.one_thread import ONE_THREAD
from lkmrs_dask.variability.training_stars import (
    LabelledCurve,
    SyntheticSettings,
    n_synthetic,
    synthetic_curves,
)

__all__ = [
    "LabelledCurve", "SyntheticSettings", "TableSettings", "TrainingTable", "curve_peaks", "synthetic_curves",
    "tabulate", "train_from", "training_table",
]  # fmt: skip

Floats = NDArray[np.float64]
Names = NDArray[np.str_]

PIECE = 25
"""Synthetic curves that are one task: some six seconds of work."""


class TrainingTable(NamedTuple):
    """Features of curves, and what these are.

    Parameters
    ----------
    features : ndarray of float64, shape (n, features)
        In the order of `lkmrs_dask.variability.feature_names.FEATURE_NAMES`.
    labels : ndarray of str, shape (n,)
        Classes; empty for curves that are none of them and serve to check the model only.
    groups : ndarray of str, shape (n,)
        Stars: curves of one are never in training and test at once.
    sources : ndarray of str, shape (n,)
        ``synthetic``, ``real``, ``piece`` of a real star's curve, or ``check``.
    """

    features: Floats
    labels: Names
    groups: Names
    sources: Names

    def __add__(self, other: object) -> TrainingTable:
        """Rows of both."""
        if not isinstance(other, TrainingTable):
            return NotImplemented
        return TrainingTable(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))

    def take(self, rows: NDArray[np.bool_]) -> TrainingTable:
        """Some of the rows."""
        return TrainingTable(self.features[rows], self.labels[rows], self.groups[rows], self.sources[rows])


@dataclass(frozen=True)
class TableSettings:
    """How a training table is made.

    Parameters
    ----------
    synthetic : SyntheticSettings
        Of the synthetic stars.
    features : FeatureSettings
        Of the features.
    frequencies : mapping
        Options of `lkmrs_dask.variability.find_frequencies`.  They and `features` must be those with which
        the stars to classify are described.
    """

    synthetic: SyntheticSettings = field(default_factory=SyntheticSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)
    frequencies: Mapping[str, Any] = field(default_factory=dict)


class _Piece(NamedTuple):
    """A task: some synthetic stars, or a real one."""

    settings: TableSettings
    start: int = 0
    stop: int = 0
    star: LabelledStar | None = None


def training_table(
    settings: TableSettings | SyntheticSettings | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    labelled: Sequence[LabelledStar] = (),
) -> TrainingTable:
    """Make the table: synthetic stars, then real ones.

    Parameters
    ----------
    settings : TableSettings or SyntheticSettings, optional
        How.
    executor : concurrent.futures.Executor, optional
        Where; threads of this process if not given.  The table is the same anywhere.
    progress : callable, optional
        Called with the curves or stars done, and all.
    labelled : sequence of LabelledStar, optional
        Real stars; their files must be seen where the executor computes.

    Returns
    -------
    TrainingTable

    Raises
    ------
    UsageError, InputError
        Where a file of a real star is absent or cannot be used.
    """
    if isinstance(settings, SyntheticSettings):
        settings = TableSettings(settings)
    settings = settings or TableSettings()
    n = n_synthetic(settings.synthetic)
    # Real stars have the longest curves: they begin first, so that nobody waits for them in the end.
    tasks = [_Piece(settings, star=star) for star in labelled]
    tasks += [_Piece(settings, start, min(start + PIECE, n)) for start in range(0, n, PIECE)]

    def told(done: int, of: int) -> None:
        if progress is not None:
            progress(round((n + len(labelled)) * done / of), n + len(labelled))

    found = run_tasks(_rows, tasks, executor, told)
    return join([*found[len(labelled) :], *found[: len(labelled)]])


def _rows(piece: _Piece) -> TrainingTable:
    s = piece.settings
    if piece.star is None:
        curves = synthetic_curves(s.synthetic, range(piece.start, piece.stop))
    else:
        curves = labelled_curves(piece.star)
    # The same rounding everywhere: threads of the linear algebra differ from place to place.
    with ONE_THREAD:
        return tabulate(curves, s.features, **s.frequencies)


def join(tables: Sequence[TrainingTable]) -> TrainingTable:
    """Rows of many tables."""
    return TrainingTable(*(np.concatenate(columns) for columns in zip(*tables, strict=True)))


def train_from(table: TrainingTable, settings: ClassifierSettings | None = None) -> Classifier:
    """Train a classifier on the rows of a table that have a class.

    Parameters
    ----------
    table : TrainingTable
        From `training_table`, or `lkmrs_dask.variability.training_files.load_training`.
    settings : ClassifierSettings, optional
        Of the classifier.

    Returns
    -------
    Classifier

    Raises
    ------
    UsageError
        As `lkmrs_dask.variability.classifier.train`.
    """
    known = table.take(table.labels != "")
    return train(known.features, known.labels, settings, known.groups)


def curve_peaks(curve: LabelledCurve, **options: Any) -> Peaks:
    """Significant frequencies of a curve by `lkmrs_dask.variability.find_frequencies`.

    Instrumental lines of its mission are left out.  A curve that has no usable points has none.

    Parameters
    ----------
    curve : LabelledCurve
        The curve.
    **options
        Of `find_frequencies`.
    """
    from lkmrs_dask.variability.frequencies import INSTRUMENTAL, find_frequencies

    try:
        found = find_frequencies(curve.time, curve.flux, **({"mission": curve.mission or None} | options))
    except CatalogError:
        return Peaks(np.empty(0), np.empty(0), np.empty(0), np.empty(0, bool))
    return peaks_of(found, leave_out=INSTRUMENTAL)


def tabulate(
    curves: Iterable[LabelledCurve], settings: FeatureSettings | None = None, **options: Any
) -> TrainingTable:
    """Features of labelled curves, synthetic or real.

    Parameters
    ----------
    curves : iterable of LabelledCurve
        Taken one by one: none is kept.
    settings : FeatureSettings, optional
        Of the features.
    **options
        Of `lkmrs_dask.variability.find_frequencies`.

    Returns
    -------
    TrainingTable
        A row for each curve, in their order; tables are joined by ``+``.
    """
    rows, labels, groups, sources = [], [], [], []
    for at, curve in enumerate(curves):
        peaks = curve_peaks(curve, **options)
        rows.append(light_curve_features(curve.time, curve.flux, peaks, curve.star, settings))
        labels.append(curve.label)
        groups.append(curve.group or f"{curve.source}-{at}")
        sources.append(curve.source)
    features = np.array(rows, np.float64).reshape(-1, len(FEATURE_NAMES))
    return TrainingTable(features, *(np.array(one, str) for one in (labels, groups, sources)))
