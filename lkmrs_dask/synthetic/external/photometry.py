"""Magnitudes in other bands, from Gaia's: rough straight lines for ordinary stars, ours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.external.addressed import noise
from lkmrs_dask.synthetic.external.sources import Sources

__all__ = ["BANDS", "magnitude", "measured_magnitude"]

BANDS: Mapping[str, tuple[float, float]] = {
    "BP": (0.0, 0.42), "RP": (0.0, -0.58), "B": (0.05, 0.95), "V": (0.01, 0.20), "g": (0.03, 0.45),
    "r": (0.02, -0.02), "i": (0.05, -0.20), "z": (0.10, -0.30), "Kp": (0.02, 0.02), "T": (0.05, -0.58),
    "J": (-0.05, -1.15), "H": (-0.08, -1.55), "K": (-0.10, -1.65), "W1": (-0.14, -1.66),
}  # fmt: skip
"""Magnitude less G at BP - RP = 0, and its slope with BP - RP."""


def magnitude(sources: Sources, band: str) -> NDArray[np.float64]:
    """True magnitudes in a band of `BANDS`."""
    zero, slope = BANDS[band]
    return sources.g + zero + slope * sources.bp_rp


def measured_magnitude(
    draws: Draws, sources: Sources, band: str, error: float, what: str
) -> NDArray[np.float64]:
    """Magnitudes with noise of so many mag, for a catalogue's column."""
    return np.round(magnitude(sources, band) + error * noise(draws, sources.number, what), 3)
