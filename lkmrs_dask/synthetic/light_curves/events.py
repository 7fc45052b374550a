"""What happens to a spacecraft in a quarter, campaign or sector: gaps, flags and pointing.

Patterns are those of the released files: monthly downlinks, desaturations, thruster fires, momentum dumps and
stray light, with the bits of the missions' manuals (Kepler Archive Manual, table 2-3; TESS Science Data
Products Description Document, table 28).  They are the same for all stars of a segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.light_curves.segments import CADENCE, Segment
from lkmrs_dask.synthetic.light_curves.stochastic import ornstein_uhlenbeck

__all__ = ["BITS", "Events", "events"]

BITS = {
    "kepler": {
        "coarse": 1 << 2, "earth": 1 << 3, "zero": 1 << 4, "dump": 1 << 5, "cosmic": 1 << 7,
        "outlier": 1 << 11, "collateral": 1 << 13, "anomaly": 1 << 14, "not_fine": 1 << 15,
        "no_data": 1 << 16, "maybe_thruster": 1 << 19, "thruster": 1 << 20,
    },
    "tess": {
        "earth": 1 << 3, "argabrightening": 1 << 4, "dump": 1 << 5, "cosmic": 1 << 6, "manual": 1 << 7,
        "outlier": 1 << 9, "stray": 1 << 12,
    },
}  # fmt: skip
"""Bits of the quality columns; K2 has those of Kepler."""

_STAR = 1 << 48  # segments have addresses beyond all stars'
_THRUSTER = 12  # cadences from one firing of the thrusters to the next: 5.88 h, 4.08 a day
_DESATURATION = 146  # cadences: three days


@dataclass(frozen=True, eq=False)
class Events:
    """A segment of a mission as the spacecraft lived it; arrays have one entry per cadence.

    Parameters
    ----------
    quality : ndarray of int32
        Flags that all stars share.
    no_time : ndarray of bool
        No data at all: TIME is NaN.
    no_sap, no_pdc : ndarray of bool
        No flux before, and after, the removal of systematics; the second holds for the first too.
    column, row : ndarray of float64
        Where the star is on the detector relative to its mean place, pixels.
    warming : ndarray of float64
        Relaxation after each gap, from 1 to 0.
    stray : ndarray of float64
        Stray light, 0 to 1.
    """

    quality: NDArray[np.int32]
    no_time: NDArray[np.bool_]
    no_sap: NDArray[np.bool_]
    no_pdc: NDArray[np.bool_]
    column: NDArray[np.float64]
    row: NDArray[np.float64]
    warming: NDArray[np.float64]
    stray: NDArray[np.float64]


@lru_cache(maxsize=64)
def events(segment: Segment, draws: Draws) -> Events:
    """Events of a segment, of the survey's seed and nothing else; arrays are not to be written to."""
    n, star = segment.rows, _STAR + segment.code
    at = np.arange(n)
    chance = draws.uniform(Purpose.LIGHT_EVENT, star, at)
    jitter = draws.normal(Purpose.LIGHT_JITTER, star, np.arange(2 * n)).reshape(2, n)
    drift = ornstein_uhlenbeck(segment.mjd, 4.0, draws, Purpose.LIGHT_TREND, star)
    made = {"kepler": _kepler, "k2": _k2, "tess": _tess}[segment.mission](n, at, chance)
    quality, no_time, no_sap, no_pdc, stray = made
    sway = (at / n - 0.5) * 0.04 + 0.004 * drift
    column, row = sway + 0.001 * jitter[0], -0.6 * sway + 0.001 * jitter[1]
    if segment.mission == "k2":
        roll = ((at % _THRUSTER) / (_THRUSTER - 1) - 0.5) * (0.6 + 0.3 * drift.clip(-1, 1))
        column, row = column + roll, row + 0.7 * roll
    if segment.mission == "tess":
        column, row = column + 0.008 * jitter[0], row + 0.012 * jitter[1]
    since = at - np.maximum.accumulate(np.where(no_time, at, -n))
    return Events(
        quality=quality.astype(np.int32),
        no_time=no_time,
        no_sap=no_sap | no_time,
        no_pdc=no_pdc | no_sap | no_time,
        column=column,
        row=row,
        warming=np.exp(-since * CADENCE[segment.mission] / 1.5),
        stray=stray,
    )


Flags = NDArray[np.bool_]
Made = tuple[NDArray[np.integer], Flags, Flags, Flags, NDArray[np.float64]]


def _kepler(n: int, at: NDArray[np.int64], chance: NDArray[np.float64]) -> Made:
    """A downlink of a day each month, desaturations every three days, coarse pointing after downlinks."""
    bit = BITS["kepler"]
    quality = np.where(chance < 0.03, bit["collateral"], 0)
    begin = np.array([n // 3, 2 * n // 3])
    no_time = _runs(at, begin, 46)
    coarse = _runs(at, begin + 46, 12)
    desaturation = at % _DESATURATION == 61
    quality |= np.where(desaturation, bit["not_fine"] | bit["dump"], 0)
    quality |= np.where(coarse, bit["not_fine"] | bit["coarse"], 0)
    quality |= np.where(_runs(at, np.array([n // 8, n // 2 + 100]), 14), bit["zero"], 0)
    anomaly = chance > 0.998
    quality |= np.where(anomaly, bit["anomaly"], 0)
    quality = np.where(no_time, bit["no_data"] | bit["not_fine"] | bit["earth"], quality)
    return quality, no_time, desaturation | coarse, anomaly, np.zeros(n)


def _k2(n: int, at: NDArray[np.int64], chance: NDArray[np.float64]) -> Made:
    """Thrusters fire every 5.88 h, but not always; every second day they unload the wheels too."""
    bit = BITS["kepler"]
    quality = np.where(chance < 0.08, bit["collateral"], 0)
    turn = at % _THRUSTER == _THRUSTER - 1
    unload = at % (8 * _THRUSTER) == 8 * _THRUSTER - 1
    fires = turn & ((chance * 1e4 % 1.0 < 0.6) | unload)
    no_time = _runs(at, np.array([n // 6, 3 * n // 4]), 4)
    quality |= np.where(fires, bit["thruster"], 0)
    quality |= np.where(turn & ~fires & (chance > 0.9), bit["maybe_thruster"], 0)
    quality |= np.where(unload, bit["not_fine"] | bit["dump"], 0)
    anomaly = chance > 0.9985
    quality |= np.where(anomaly, bit["anomaly"], 0)
    quality = np.where(no_time, bit["no_data"] | bit["not_fine"], quality)
    return quality, no_time, unload, fires | anomaly, np.zeros(n)


def _tess(n: int, at: NDArray[np.int64], chance: NDArray[np.float64]) -> Made:
    """A downlink between the two orbits, stray light before it and at the end, momentum dumps."""
    bit = BITS["tess"]
    middle, gap, glare = n // 2 - 90, 700, 700
    no_time = _runs(at, np.array([middle]), gap)
    stray = np.clip(1.0 - (middle - at) / glare, 0.0, 1.0) * (at < middle)
    stray = (stray + np.clip(1.0 - (n - at) / glare, 0.0, 1.0)) ** 2
    lit = stray > 0.1
    dump = _runs(at, np.array([0, n // 4, middle + gap, 3 * n // 4]), 6)
    after = _runs(at, np.array([0, middle + gap]), 40)
    quality = np.where(lit, bit["stray"], 0)
    quality |= np.where(after, bit["manual"], 0)
    quality |= np.where(dump, bit["dump"] | bit["manual"], 0)
    bright = chance < 0.001
    quality |= np.where(bright, bit["argabrightening"], 0)
    quality = np.where(no_time, bit["earth"], quality)
    return quality, no_time, bright | dump, lit | after, stray


def _runs(at: NDArray[np.int64], begin: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Whether each cadence is in a run that starts at one of the given ones."""
    return np.asarray(((at[:, None] >= begin) & (at[:, None] < begin + length)).any(axis=1))
