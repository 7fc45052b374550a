"""Random numbers by catalogue and column: what a number is for is said in words, such as ``apogee.teff``."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws, Purpose

__all__ = ["chosen", "noise", "share"]


def noise(draws: Draws, number: NDArray[np.int64], what: str) -> NDArray[np.float64]:
    """Normal numbers of mean 0 and variance 1 for sources, by what they are for."""
    return draws.normal(Purpose.CATALOGUE_NOISE, number, zlib.crc32(what.encode()))


def share(draws: Draws, number: NDArray[np.int64], what: str) -> NDArray[np.float64]:
    """Uniform numbers in (0, 1) for sources, by what they are for."""
    return draws.uniform(Purpose.CATALOGUE_SHARE, number, zlib.crc32(what.encode()))


def chosen(score: NDArray[np.float64], eligible: NDArray[np.bool_], wanted: int) -> NDArray[np.bool_]:
    """Choose exactly so many sources.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        The smallest are chosen; of equal ones the earlier.
    eligible : ndarray of bool, shape (n,)
        Sources that may be chosen.
    wanted : int
        How many; all eligible ones where there are fewer.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    candidates = np.flatnonzero(eligible)
    order = np.argsort(score[candidates], kind="stable")
    result = np.zeros(len(score), dtype=bool)
    result[candidates[order[: max(wanted, 0)]]] = True
    return result
