"""All that the external catalogues are written from: sources, who is in which catalogue, identifiers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.external.addressed import noise, share
from lkmrs_dask.synthetic.external.displaced import displace, displacement, reach_arcsec
from lkmrs_dask.synthetic.external.identifiers import (
    epic_numbers,
    kic_epic_ids,
    kic_numbers,
    tic_ids,
    tic_numbers,
)
from lkmrs_dask.synthetic.external.members import Members, find_members
from lkmrs_dask.synthetic.external.sources import Sources, make_sources
from lkmrs_dask.synthetic.ledger import Ledger
from lkmrs_dask.synthetic.population import Stars, offset_position

__all__ = ["POSITION_ERROR", "World", "input_positions", "make_world", "scattered"]

POSITION_ERROR = 0.12
"""Error of a coordinate in KIC and EPIC, arcsec."""

_INPUT_LIMIT = 17.0  # G of the faintest field source in KIC and EPIC
_TIC_LIMIT = 18.5
_SEEN_COMPANIONS = 0.3  # share of companions that KIC and EPIC tell from their stars
_MOST = 2.5  # standard deviations of positions: no outlier leaves a match radius


@dataclass(frozen=True, eq=False)
class World:
    """Sources and where they are listed.

    Parameters
    ----------
    draws : Draws
        Random numbers.
    stars : Stars
        The survey's stars.
    members : Members
        Catalogues that know them.
    sources : Sources
        The stars, then everything else.
    kic_epic, tic : ndarray of int64
        Identifiers, one entry per source; 0 where it is not listed.
    displaced : ndarray of float64
        How far KIC or EPIC have it from where it is, arcsec; 0 where that is an ordinary error.
    """

    draws: Draws
    stars: Stars
    members: Members
    sources: Sources
    kic_epic: NDArray[np.int64]
    tic: NDArray[np.int64]
    displaced: NDArray[np.float64]

    def of_stars(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Flags of stars as flags of sources, false for all others."""
        return np.concatenate([flags, np.zeros(len(self.sources) - len(flags), dtype=bool)])


def make_world(ledger: Ledger) -> World:
    """Make the sources around a survey and list them; a function of its size and seed alone."""
    members = find_members(ledger)
    sources = make_sources(ledger, members.crowded)
    n_stars, draws = len(ledger.stars), ledger.draws
    companion = sources.near >= 0
    kic_epic = np.zeros(len(sources), dtype=np.int64)
    kic_epic[:n_stars] = kic_epic_ids(ledger)
    # A companion's star comes before it in the list, so what is read here is complete.
    seen = share(draws, sources.number, "companion.seen") < _SEEN_COMPANIONS
    field = (sources.star < 0) & ~companion & (sources.g < _INPUT_LIMIT)
    listed = field | (companion & (kic_epic[sources.near] > 0) & seen)
    kepler, other = listed & sources.kepler, listed & ~sources.kepler
    kic_epic[kepler] = kic_numbers(sources.dec[kepler], True)
    kic_epic[other] = epic_numbers(sources.dec[other], True)
    tic = np.zeros(len(sources), dtype=np.int64)
    tic[:n_stars] = tic_ids(ledger)
    listed = (sources.star < 0) & (companion | (sources.g < _TIC_LIMIT))
    tic[listed] = tic_numbers(sources.number[listed], True)
    beside = members.crowded.copy()
    beside[sources.near[companion]] = True
    displaced = np.zeros(len(sources))
    displaced[:n_stars] = displacement(ledger, ~beside & (kic_epic[:n_stars] > 0), reach_arcsec(ledger))
    return World(draws, ledger.stars, members, sources, kic_epic, tic, displaced)


def input_positions(
    world: World, which: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions (deg) of some sources in KIC and EPIC: near the truth but for the displaced ones."""
    sources = world.sources.take(which)
    ra, dec = scattered(world.draws, sources.number, (sources.ra, sources.dec), POSITION_ERROR, "inputs")
    far = np.flatnonzero(world.displaced[which])
    ra[far], dec[far] = displace(world.draws, world.stars, which[far], world.displaced[which[far]])
    return ra, dec


def scattered(
    draws: Draws,
    number: NDArray[np.int64],
    place: tuple[NDArray[np.float64], NDArray[np.float64]],
    error: NDArray[np.float64] | float,
    what: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions (deg) with errors.

    Parameters
    ----------
    draws : Draws
        Random numbers.
    number : ndarray of int64, shape (n,)
        Addresses of the sources.
    place : tuple of two ndarray of float64, shape (n,)
        True right ascension and declination, deg.
    error : float or ndarray of float64, shape (n,)
        Standard deviation in each coordinate, arcsec; errors are cut off at 2.5 of it.
    what : str
        The catalogue.
    """
    east = np.clip(noise(draws, number, f"{what}.east"), -_MOST, _MOST) * error
    north = np.clip(noise(draws, number, f"{what}.north"), -_MOST, _MOST) * error
    angle = np.degrees(np.arctan2(east, north))
    return offset_position(*place, np.hypot(east, north) / 3600.0, angle)
