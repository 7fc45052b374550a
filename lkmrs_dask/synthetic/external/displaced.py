"""The few stars that KIC and EPIC have far from where they are: what a match radius of 3.7 arcsec is for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.sky.index import separation_arcsec
from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.external.addressed import share
from lkmrs_dask.synthetic.external.close import near_another
from lkmrs_dask.synthetic.ledger import Ledger
from lkmrs_dask.synthetic.population import Stars, offset_position

__all__ = ["DISPLACED_ARCSEC", "displace", "displacement", "reach_arcsec"]

DISPLACED_ARCSEC = (2.0, 3.6)
"""How far displaced counterparts are from every position that the survey has of their star."""

_SHARE = 0.012  # one in a hundred, after those that are left out
_MOST_REACH = 0.6  # arcsec

Floats = NDArray[np.float64]


def reach_arcsec(ledger: Ledger) -> Floats:
    """Largest distance of a star's positions on plans from the truth, one entry per star."""
    reach = np.zeros(len(ledger.stars))
    for targets in ledger.targets:
        star = targets.star
        away = separation_arcsec(targets.ra, targets.dec, ledger.stars.ra[star], ledger.stars.dec[star])
        np.maximum.at(reach, star, away)
    return reach


def displacement(ledger: Ledger, eligible: NDArray[np.bool_], reach: Floats) -> Floats:
    """How far KIC and EPIC have stars from the truth, arcsec; 0 for all but one in a hundred.

    Parameters
    ----------
    ledger : Ledger
        The survey.
    eligible : ndarray of bool
        Stars that are listed and that have nothing beside them.
    reach : ndarray of float64
        From `reach_arcsec`.
    """
    stars, draws = ledger.stars, ledger.draws
    lot = share(draws, stars.number, "displaced") < _SHARE
    some = np.flatnonzero(eligible & lot & (reach < _MOST_REACH))
    low, high = DISPLACED_ARCSEC[0] + reach[some], DISPLACED_ARCSEC[1] - reach[some]
    result = np.zeros(len(stars))
    result[some] = low + (high - low) * share(draws, stars.number[some], "displaced.radius")
    ra, dec = displace(draws, stars, some, result[some])
    result[some[near_another(ra, dec, some, stars.ra, stars.dec)]] = 0.0
    return result


def displace(draws: Draws, stars: Stars, which: NDArray[np.int64], away: Floats) -> tuple[Floats, Floats]:
    """Positions (deg) that are so many arcsec away from some stars, in a direction by chance."""
    angle = 360.0 * share(draws, stars.number[which], "displaced.angle")
    return offset_position(stars.ra[which], stars.dec[which], away / 3600.0, angle)
