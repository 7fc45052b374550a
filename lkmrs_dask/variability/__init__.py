"""Light curves of stars: periodograms, frequencies, features and classes."""

from __future__ import annotations

from lkmrs_dask.variability.frequencies import Frequencies, find_frequencies
from lkmrs_dask.variability.frequency_settings import FrequencySettings
from lkmrs_dask.variability.periodogram import Periodogram, SpectralWindow, periodogram, spectral_window

__all__ = [
    "Frequencies",
    "FrequencySettings",
    "Periodogram",
    "SpectralWindow",
    "find_frequencies",
    "periodogram",
    "spectral_window",
]
