"""A trained classifier applied to the stars of a partition, by dask-ml's ParallelPostFit."""

from __future__ import annotations

import os
import pickle
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.catalog.receipts import whole_file
from lkmrs_dask.variability.classifier import Classifier, Prediction, predict_by

__all__ = ["SavedClassifier", "probabilities_of"]


class SavedClassifier(NamedTuple):
    """A classifier in a scratch file of a run: too large to travel with each task.

    Parameters
    ----------
    path : str
        The file.  It is one of the run itself, made for its own workers, and goes when the run ends.
    """

    path: str

    def save(self, classifier: Classifier) -> None:
        """Write it."""
        with whole_file(Path(self.path)) as temporary, open(temporary, "wb") as stream:
            pickle.dump(classifier, stream, pickle.HIGHEST_PROTOCOL)

    def load(self) -> Classifier:
        """Read it, once a process."""
        return _loaded(self.path, os.stat(self.path).st_mtime_ns)


@lru_cache(maxsize=1)
def _loaded(path: str, mtime_ns: int) -> Classifier:
    with open(path, "rb") as stream:
        classifier = pickle.load(stream)
    assert isinstance(classifier, Classifier)
    return classifier


def probabilities_of(classifier: Classifier, features: NDArray[np.float64]) -> Prediction:
    """Classes and probabilities of the stars of a partition.

    Parameters
    ----------
    classifier : Classifier
        From `lkmrs_dask.variability.classifier.train`.
    features : ndarray of float64, shape (n, features)
        In the order of `lkmrs_dask.variability.feature_names.FEATURE_NAMES`; NaN for missing ones.
    """
    from dask_ml.wrappers import ParallelPostFit

    # On arrays in memory the wrapper is the model; on Dask's it maps it over their blocks.
    return predict_by(ParallelPostFit(estimator=classifier.model), classifier, features)
