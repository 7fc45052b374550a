"""Significant frequencies of a light curve as the features take them, without those of the spacecraft."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["STRONG_LINE", "Peaks", "peaks_of"]

Floats = NDArray[np.float64]

STRONG_LINE = 200.0
"""S/N from which a frequency on a line of the spacecraft is taken for one of the star (ours): lines are
weaker, up to 40 in light curves of K2."""

_COMB_RATIO = 3.0  # amplitudes of a spacecraft's line and its multiples are this much alike
_COMB_MOST = 6  # multiples of a line that are looked for, as of the thrusters of K2
_COMB_WIDTH = 0.02  # of a line, relative to its frequency: 0.07 in 4.08


class Peaks(NamedTuple):
    """Significant frequencies of a light curve.

    Parameters
    ----------
    frequency : ndarray of float64, shape (n,)
        1/d.
    amplitude : ndarray of float64, shape (n,)
        ppt.
    snr : ndarray of float64, shape (n,)
        Signal-to-noise ratios.
    independent : ndarray of bool, shape (n,)
        Neither harmonic nor combination of others.
    """

    frequency: Floats
    amplitude: Floats
    snr: Floats
    independent: NDArray[np.bool_]


def peaks_of(result: Any, *, ppt: float = 1e3, leave_out: int = 0, strong: float = STRONG_LINE) -> Peaks:
    """Peaks from what `lkmrs_dask.variability.find_frequencies` gives.

    Parameters
    ----------
    result : object
        With arrays ``frequency``, ``amplitude``, ``snr`` and, where there are such, ``harmonic_of`` and
        ``combination_of`` (rows of other frequencies, shape (n,) or (n, k), negative for none) and ``flags``.
    ppt : float
        What an amplitude of 1 is in ppt: 1000 for relative flux, 1 for ppt.
    leave_out : int
        Frequencies with any of these bits in ``flags`` are left out: instrumental lines, for one.
    strong : float
        Frequencies with such a flag are kept from this S/N on, unless one of them is part of a comb: at least
        two others that are flagged, multiples of the same line, have amplitudes within a factor of 3 of its.
        Infinity keeps none.

    Returns
    -------
    Peaks
    """
    frequency = np.asarray(result.frequency, np.float64)
    independent = np.ones(len(frequency), bool)
    flags = np.asarray(getattr(result, "flags", np.zeros(len(frequency))), np.int64)
    amplitude, snr = np.asarray(result.amplitude, np.float64), np.asarray(result.snr, np.float64)
    flagged = (flags & leave_out) != 0
    kept = ~flagged
    strong_lines = flagged & (snr >= strong)
    if not any(_in_comb(int(row), flagged, frequency, amplitude) for row in np.flatnonzero(strong_lines)):
        kept |= strong_lines
    for name in ("harmonic_of", "combination_of"):
        values = getattr(result, name, None)
        if values is None or len(frequency) == 0:
            continue
        independent &= ~(np.asarray(values) >= 0).reshape(len(frequency), -1).any(axis=1)
    return Peaks(frequency[kept], ppt * amplitude[kept], snr[kept], independent[kept])


def _in_comb(row: int, flagged: NDArray[np.bool_], frequency: Floats, amplitude: Floats) -> bool:
    """Whether a frequency and at least two others that are flagged are different multiples of one line."""
    least, most = amplitude[row] / _COMB_RATIO, amplitude[row] * _COMB_RATIO
    others = frequency[flagged & (amplitude >= least) & (amplitude <= most)]
    for k in range(1, _COMB_MOST + 1):
        line = frequency[row] / k
        order = np.rint(others / line)
        near = np.abs(others - order * line) <= _COMB_WIDTH * order * line
        found = set(order[near & (order >= 1) & (order <= _COMB_MOST)].tolist()) - {float(k)}
        if len(found) >= 2:
            return True
    return False
