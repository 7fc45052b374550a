"""Random numbers without a stream: each is a function of (seed, star, item, purpose) and of nothing else.

A stream of random numbers depends on what was drawn before, so on how a survey is split over calls and
workers.  Here every number has an address instead: the generator Philox4x32-10 encrypts the counter (star,
item, purpose) with the seed as the key.  So the same seed gives the same survey in any order and any number
of pieces, star 7 is the same in a survey of 400 stars and of 5 million, and a purpose added later changes
nothing that was there.

`star` is the star's number, or that of whatever else has a life of its own (a night, a year); `item` tells
numbers of one star and purpose apart (the spectrum, the plan); `purpose` says what the number is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError

__all__ = ["Draws", "Purpose", "philox"]

Words = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_BLOCK = 1 << 14  # addresses at a time: their words stay in the cache, which is five times as fast


class Purpose(IntEnum):
    """What a random number is for.  Numbers are part of the survey: never change one, only add."""

    RADIUS = 1
    ANGLE = 2
    MAGNITUDE = 3
    KIND = 4
    TEFF = 5
    LOGG = 6
    FEH_KIND = 7
    FEH = 8
    ALPHA = 9
    VELOCITY = 10
    ROTATION = 11
    BINARY = 12
    PERIOD = 13
    AMPLITUDE = 14
    ECCENTRICITY = 15
    PERIASTRON = 16
    PHASE = 17
    HAS_GAIA = 18
    HAS_VSINI = 19
    ON_PLAN = 20
    SCATTER_RADIUS = 21
    SCATTER_ANGLE = 22
    FIBRE_LOSS = 23
    FEH_POOR = 24
    VISITS_OF_YEAR = 30
    NIGHT = 31
    EXPOSURES = 32
    START = 33
    SECONDS = 34
    WEATHER = 35
    BAD_WEATHER = 36
    CLOUDS = 37
    ZERO_POINT = 38
    SNR_BLUE = 50
    SNR_RED = 51
    RV_B = 52
    RV_R = 53
    RV_BR = 54
    RV_LASP = 55
    RV_FAILS = 56
    NOISE_TEFF = 60
    NOISE_LOGG = 61
    NOISE_FEH = 62
    NOISE_ALPHA = 63
    NOISE_VSINI = 64
    NOISE_CNN = 65
    NOISE_ABUNDANCE = 66
    HAS_ALPHA = 67
    FIBRE_MASK = 68
    DIRT = 80
    DIRT_KIND = 81
    PIXEL = 90
    LINE_PLACE = 91
    LINE_DEPTH = 92
    FIRST_VISIT = 100
    ATTENDS = 101
    COADDED = 102
    MEASURED = 103
    RV_MEASURED = 104
    VSINI_MEASURED = 105
    ALPHA_MEASURED = 106
    METAL_POOR = 107
    HIGH_VELOCITY = 108
    RV_VARIABLE = 109
    VARIABLE_CLASS = 110
    LIGHT_PERIOD = 111
    KEPLER_PHOTOMETRY = 112
    TESS_PHOTOMETRY = 113
    EVOLVED = 114
    PARAMETERS_MEASURED = 115
    SPACE_COMPONENT = 150
    SPACE_SPEED = 151
    SPACE_OUT = 152
    SPACE_ROTATION = 153
    SPACE_UP = 154
    CATALOGUE_NOISE = 160
    CATALOGUE_SHARE = 161
    LIGHT_SEGMENT = 200
    LIGHT_AMPLITUDE = 201
    LIGHT_FREQUENCY = 202
    LIGHT_PHASE = 203
    LIGHT_SHAPE = 204
    LIGHT_MODE_REAL = 205
    LIGHT_MODE_IMAGINARY = 206
    LIGHT_GRANULATION = 207
    LIGHT_FLARE = 208
    LIGHT_FLARE_SIZE = 209
    LIGHT_WHITE = 210
    LIGHT_RED = 211
    LIGHT_BACKGROUND = 212
    LIGHT_COLUMN = 213
    LIGHT_ROW = 214
    LIGHT_COSMIC = 215
    LIGHT_COSMIC_SIZE = 216
    LIGHT_OFFSET = 217
    LIGHT_TREND = 218
    LIGHT_EVENT = 220
    LIGHT_JITTER = 221


def philox(counter: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike], key: tuple[int, int]) -> Words:
    """Philox4x32-10: four random 32-bit words for each counter.

    Parameters
    ----------
    counter : tuple of four array_like of int
        32-bit words, of shapes that broadcast.
    key : tuple of two int
        32-bit words.

    Returns
    -------
    tuple of four ndarray of uint64
        Words below 2**32, of the broadcast shape.

    References
    ----------
    Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3" (SC11).
    """
    c0, c1, c2, c3 = (np.asarray(word, dtype=np.uint64) for word in counter)
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0, p1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (p1 >> _32) ^ c1 ^ np.uint64(k0),
            p1 & _MASK,
            (p0 >> _32) ^ c3 ^ np.uint64(k1),
            p0 & _MASK,
        )
        k0, k1 = (k0 + _KEY_STEPS[0]) & 0xFFFFFFFF, (k1 + _KEY_STEPS[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


@dataclass(frozen=True)
class Draws:
    """The random numbers of one seed.

    Parameters
    ----------
    seed : int
        0 to 2**64 - 1.

    Raises
    ------
    UsageError
        For another seed.
    """

    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 1 << 64:
            raise UsageError(f"seed must be from 0 to 2**64 - 1, not {self.seed}")

    def _pairs(
        self, purpose: Purpose, star: ArrayLike, item: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Two independent uniform numbers for each address."""
        stars, items = np.broadcast_arrays(np.asarray(star), np.asarray(item))
        first, second = np.empty(stars.size), np.empty(stars.size)
        low, high = self.seed & 0xFFFFFFFF, self.seed >> 32
        for start in range(0, stars.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            # Flat iterators copy a block only: a broadcast argument is never spelled out as a whole.
            number = np.asarray(stars.flat[block]).astype(np.uint64)
            counter = (
                number & _MASK,
                number >> _32,
                np.asarray(items.flat[block]).astype(np.uint64),
                int(purpose),
            )
            words = philox(counter, (low, high))
            first[block], second[block] = _unit(words[0], words[1]), _unit(words[2], words[3])
        return first.reshape(stars.shape), second.reshape(stars.shape)

    def uniform(self, purpose: Purpose, star: ArrayLike, item: ArrayLike = 0) -> NDArray[np.float64]:
        """Uniform numbers in the open interval (0, 1).

        Parameters
        ----------
        purpose : Purpose
            What for.
        star, item : array_like of int
            Addresses, of shapes that broadcast; `star` below 2**64, `item` below 2**32.
        """
        return self._pairs(purpose, star, item)[0]

    def normal(self, purpose: Purpose, star: ArrayLike, item: ArrayLike = 0) -> NDArray[np.float64]:
        """Draw normal numbers of mean 0 and variance 1 (Box and Muller 1958); arguments as for `uniform`.

        A purpose is used for one or the other: at one address they are not independent.
        """
        first, second = self._pairs(purpose, star, item)
        return np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second)


def _unit(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Two words to the middle of one of 2**52 equal steps of (0, 1)."""
    # 52 bits: with 53 the middle of the last step would round to 1.
    return (((high << _32) | low) >> np.uint64(12)).astype(np.float64) * 2.0**-52 + 2.0**-53
