"""One star in one quarter, campaign or sector: the columns of its file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Purpose
from lkmrs_dask.synthetic.light_curves.events import BITS, Events, events
from lkmrs_dask.synthetic.light_curves.photometry import Photometry
from lkmrs_dask.synthetic.light_curves.segments import CADENCE, Segment, times
from lkmrs_dask.synthetic.light_curves.signal import RED_TIME, Numbers, Signal, Source
from lkmrs_dask.synthetic.light_curves.stochastic import ornstein_uhlenbeck

__all__ = ["BJD_REFERENCE", "Curve", "observe"]

BJD_REFERENCE = {"kepler": 2454833, "k2": 2454833, "tess": 2457000}
"""BJDREFI: what TIME is counted from."""

Floats = NDArray[np.float64]

_MJD_ZERO = 2400000.5
_SYSTEMATICS = {"kepler": 0.01, "k2": 0.01, "tess": 0.004}  # relative size of trends before their removal
_LEFT_SLOW, _LEFT_POINTING = 0.001, 0.04  # shares of them that PDC leaves: K2 keeps its line at 4.08 / d
_COSMIC_RATE = {"kepler": 0.02, "k2": 0.005, "tess": 0.004}  # of cadences flagged, and corrected
_SPIKE_RATE = 0.001  # of cadences with a spike that nobody flagged
_OUTLIER_RATE = {"kepler": 0.001, "k2": 0.005, "tess": 0.0003}  # with one that was flagged and taken out


@dataclass(frozen=True, eq=False)
class Curve:
    """A light curve.

    Parameters
    ----------
    segment : Segment
        When.
    photometry : Photometry
        How bright and noisy.
    bjd : ndarray of float64, shape (n,)
        BJD_TDB - 2400000.5 of all cadences.
    columns : dict
        Arrays of shape (n,) by the names of `fits_bytes.COLUMNS`; NaN where there are no data.
    fraction, crowding : float
        Shares of the star's light in the aperture, and of the light there that is the star's.
    column, row : float
        Mean place on the detector, pixels.
    """

    segment: Segment
    photometry: Photometry
    bjd: Floats
    columns: dict[str, NDArray]
    fraction: float
    crowding: float
    column: float
    row: float


def observe(
    source: Source, signal: Signal, segment: Segment, photometry: Photometry, numbers: Numbers
) -> Curve:
    """Light curve of a star.

    Cadence numbers of the three missions do not overlap, so they address its noise.
    """
    happened = events(segment, numbers.draws)
    bjd, correction = times(segment, source.ra, source.dec)
    cadence = segment.cadence + np.arange(segment.rows)
    place = numbers.draws.uniform(Purpose.LIGHT_OFFSET, numbers.star, 1000 * segment.code + np.arange(6))
    light = _smeared(signal, bjd + _MJD_ZERO, segment.mission)
    noise, spikes, flags = _noise(segment, photometry, numbers, cadence)
    red = photometry.red * ornstein_uhlenbeck(
        segment.mjd, RED_TIME, numbers.draws, Purpose.LIGHT_RED, numbers.star
    )
    slow, pointing = _trends(segment, happened, numbers)
    left = _LEFT_SLOW * slow + _LEFT_POINTING * pointing
    fraction, crowding = 0.80 + 0.18 * place[0], 1.0 - 0.08 * place[1] ** 2
    quality = happened.quality | np.where(happened.no_time, 0, flags).astype(np.int32)
    pdc = photometry.rate * (light * (1.0 + red + left) + noise + spikes)
    # Before its correction the light of neighbours is in the aperture, some of the star's is not.
    sap = (
        photometry.rate
        * fraction
        * (light * (1.0 + red + slow + pointing) + noise + spikes + (1 / crowding - 1))
    )
    outlier = (flags & _bits(segment.mission)["outlier"]) > 0
    no_pdc = happened.no_pdc | outlier
    sky = photometry.background * (1.0 + 0.05 * happened.warming + 4.0 * happened.stray)
    sky_noise = numbers.draws.normal(Purpose.LIGHT_BACKGROUND, numbers.star, cadence)
    columns: dict[str, NDArray] = {
        "TIME": np.where(happened.no_time, np.nan, bjd + (_MJD_ZERO - BJD_REFERENCE[segment.mission])),
        "TIMECORR": np.where(happened.no_time, 0.0, correction),
        "CADENCENO": cadence,
        "SAP_FLUX": np.where(happened.no_sap, np.nan, sap),
        "SAP_FLUX_ERR": np.where(happened.no_sap, np.nan, photometry.error * np.sqrt(light.clip(0.05))),
        "SAP_BKG": np.where(happened.no_sap, np.nan, sky + photometry.background_error * sky_noise),
        "SAP_BKG_ERR": np.where(happened.no_sap, np.nan, photometry.background_error),
        "PDCSAP_FLUX": np.where(no_pdc, np.nan, pdc),
        "PDCSAP_FLUX_ERR": np.where(no_pdc, np.nan, photometry.error / fraction * np.sqrt(light.clip(0.05))),
        "QUALITY": quality,
    }
    column, row = 20.0 + 1000.0 * place[2], 20.0 + 980.0 * place[3]
    columns |= _centroids(happened, photometry, numbers, cadence, (column, row))
    return Curve(segment, photometry, bjd, columns, fraction, crowding, column, row)


def _bits(mission: str) -> dict[str, int]:
    return BITS["tess" if mission == "tess" else "kepler"]


def _smeared(signal: Signal, bjd: Floats, mission: str) -> Floats:
    """The light, for long cadences its mean over thirds of the exposure."""
    if mission == "tess":
        return signal.flux(bjd)
    third = CADENCE[mission] / 3.0
    return (signal.flux(bjd - third) + signal.flux(bjd) + signal.flux(bjd + third)) / 3.0


def _noise(
    segment: Segment, photometry: Photometry, numbers: Numbers, cadence: NDArray[np.int64]
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """White noise and spikes (relative flux), and the flags of this star alone."""
    white = photometry.white * numbers.draws.normal(Purpose.LIGHT_WHITE, numbers.star, cadence)
    chance = numbers.draws.uniform(Purpose.LIGHT_COSMIC, numbers.star, cadence)
    taken_out = _OUTLIER_RATE[segment.mission]
    outlier = chance < taken_out
    spike = chance < taken_out + _SPIKE_RATE
    cosmic = chance > 1.0 - _COSMIC_RATE[segment.mission]
    size = numbers.draws.uniform(Purpose.LIGHT_COSMIC_SIZE, numbers.star, cadence[spike])
    spikes = np.zeros(len(cadence))
    spikes[spike] = photometry.white * (5.0 - 6.0 * np.log(size))
    bit = _bits(segment.mission)
    flags = np.where(outlier, bit["outlier"], 0)
    flags |= np.where(cosmic, bit["cosmic"], 0)
    return white, spikes, flags


def _trends(segment: Segment, happened: Events, numbers: Numbers) -> tuple[Floats, Floats]:
    """Systematics before their removal (relative flux): slow ones, and those of pointing.

    Slow are aberration, which carries the star over its pixels, and the warming after gaps.
    """
    items = 1000 * segment.code + np.arange(6)
    weight = numbers.draws.normal(Purpose.LIGHT_TREND, numbers.star, items)
    phase = np.linspace(-1.0, 1.0, segment.rows)
    size = _SYSTEMATICS[segment.mission]
    slow = weight[0] * phase + 0.5 * weight[1] * (phase**2 - 1 / 3) - 0.3 * abs(weight[4]) * happened.warming
    square = happened.column**2
    pointing = 0.4 * weight[2] * happened.column + 0.4 * weight[3] * (square - np.mean(square))
    return size * slow, size * pointing


def _centroids(
    happened: Events,
    photometry: Photometry,
    numbers: Numbers,
    cadence: NDArray[np.int64],
    place: tuple[float, float],
) -> dict[str, NDArray]:
    """Flux-weighted centroids and how the spacecraft's pointing moves them; no PSF is fitted."""
    error = 0.5 * photometry.error / photometry.rate
    found: dict[str, NDArray] = {}
    for axis, (moved, middle, purpose) in enumerate(
        zip((happened.column, happened.row), place, (Purpose.LIGHT_COLUMN, Purpose.LIGHT_ROW), strict=True),
        1,
    ):
        scatter = error * numbers.draws.normal(purpose, numbers.star, cadence)
        found[f"MOM_CENTR{axis}"] = np.where(happened.no_sap, np.nan, middle + moved + scatter)
        found[f"MOM_CENTR{axis}_ERR"] = np.where(happened.no_sap, np.nan, error)
        found[f"POS_CORR{axis}"] = np.where(happened.no_sap, np.nan, moved)
    return found
