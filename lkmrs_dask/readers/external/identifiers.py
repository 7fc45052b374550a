"""What an identifier in the column ``kic_epic`` of the paper's tables belongs to."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LAST_KIC", "is_epic"]

LAST_KIC = 201_000_000
"""Identifiers above this are EPIC's (KIC ends at 13,161,029)."""


def is_epic(ids: ArrayLike) -> NDArray[np.bool_]:
    """Tell EPIC identifiers from KIC's.

    Parameters
    ----------
    ids : array_like of int
        Identifiers of either.

    Returns
    -------
    ndarray of bool
        True for EPIC.
    """
    return np.asarray(ids, np.int64) > LAST_KIC
