"""Identifiers of sources in other catalogues: exact, distinct, and the same for all who ask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.sky.index import healpix29, parent
from lkmrs_dask.synthetic.external.close import close_pairs
from lkmrs_dask.synthetic.external.members import in_kepler_field, kic_epic_members
from lkmrs_dask.synthetic.ledger import Ledger
from lkmrs_dask.synthetic.population import distinct

__all__ = [
    "FIRST_EPIC", "epic_numbers", "gaia_numbers", "kic_epic_ids", "kic_numbers", "tic_ids", "tic_numbers",
]  # fmt: skip

FIRST_EPIC = 201_000_001
"""EPIC identifiers begin here; those of KIC are below."""

_LAST_KIC, _LAST_EPIC = 13_161_029, 251_809_144
_KIC_DEC, _EPIC_DEC = (36.0, 53.0), (-31.0, 36.0)  # identifiers rise with declination
_TIC_BITS = 28
_GAIA_ORDER, _GAIA_STEP = 12, 128
_STEP = 0x9E3779B  # odd, so that it permutes the numbers of so many bits

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]


def kic_epic_ids(ledger: Ledger) -> Ids:
    """KIC or EPIC identifier of every star of the survey, 0 where it has none.

    All stars with Kepler or K2 photometry have one.
    """
    stars = ledger.stars
    members = kic_epic_members(ledger, close_pairs(stars.ra, stars.dec))
    kepler = in_kepler_field(stars.ra, stars.dec)
    ids = np.zeros(len(stars), dtype=np.int64)
    ids[kepler] = kic_numbers(stars.dec[kepler], False)
    ids[~kepler] = epic_numbers(stars.dec[~kepler], False)
    return np.where(members, ids, 0)


def tic_ids(ledger: Ledger) -> Ids:
    """TIC identifier of every star of the survey: all have one."""
    return tic_numbers(ledger.stars.number, False)


def kic_numbers(dec: Floats, field: bool) -> Ids:
    """KIC identifiers for declinations (deg); those of unrelated field sources are odd, others even."""
    return _by_declination(dec, _KIC_DEC, 1, _LAST_KIC, field)


def epic_numbers(dec: Floats, field: bool) -> Ids:
    """EPIC identifiers for declinations (deg); those of unrelated field sources are odd, others even."""
    return _by_declination(dec, _EPIC_DEC, FIRST_EPIC, _LAST_EPIC, field)


def _by_declination(dec: Floats, limits: tuple[float, float], first: int, last: int, field: bool) -> Ids:
    low, high = limits
    room = (last - first) // 2 - 1
    place = np.clip((dec - low) / (high - low), 0.0, 1.0) * 0.98
    return first + 1 + 2 * distinct((place * room).astype(np.int64)) + (1 if field else 0)


def tic_numbers(number: Ids, field: bool) -> Ids:
    """TIC identifiers for addresses of sources; those of unrelated field sources are odd, others even."""
    mixed = (number % (1 << _TIC_BITS) * _STEP + 0x1234567) % (1 << _TIC_BITS)
    return 2 * distinct(mixed) + (1001 if field else 1000)


def gaia_numbers(number: Ids, ra: Floats, dec: Floats) -> Ids:
    """Gaia identifiers of field sources: never that of a star, whose are multiples of 128."""
    low = (number % (1 << _TIC_BITS) * _STEP + 0x2545F49) % (1 << _TIC_BITS)
    pixel = parent(healpix29(ra, dec), _GAIA_ORDER)
    return (pixel << 35) | (low * _GAIA_STEP + _GAIA_STEP // 2)
