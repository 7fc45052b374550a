"""Which stars of a survey have light curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.ledger import Ledger
from lkmrs_dask.synthetic.light_curves.signal import Source
from lkmrs_dask.synthetic.orbit import Orbit

__all__ = ["sources"]


def sources(survey: Ledger, kic_epic: NDArray[np.int64], tic: NDArray[np.int64]) -> list[Source]:
    """Stars that vary in radial velocity and have photometry, in the order of the survey.

    Parameters
    ----------
    survey : Ledger
        The survey.
    kic_epic, tic : ndarray of int64, shape (n_stars,)
        Identifiers, 0 where there is none.

    Raises
    ------
    UsageError
        For a star with photometry but no identifier of that mission: its file could have no name.
    """
    stars = survey.stars
    kepler = stars.rv_variable & survey.has_kepler_photometry
    tess = stars.rv_variable & survey.has_tess_photometry
    for name, lit, ids in (("KIC or EPIC", kepler, kic_epic), ("TIC", tess, tic)):
        if (lit & (ids <= 0)).any():
            which = np.flatnonzero(lit & (ids <= 0))[:1]
            raise UsageError(f"star {stars.uid_of(which)[0]} has photometry but no {name} identifier")
    chosen = np.flatnonzero(kepler | tess)
    return [
        Source(
            number=int(stars.number[at]),
            uid=uid,
            kic=int(kic_epic[at]) if kepler[at] else 0,
            tic=int(tic[at]) if tess[at] else 0,
            ra=float(stars.ra[at]),
            dec=float(stars.dec[at]),
            pmra=float(stars.pmra[at]),
            pmdec=float(stars.pmdec[at]),
            g=float(stars.g[at]),
            bp_rp=float(stars.bp_rp[at]),
            teff=float(stars.teff[at]),
            logg=float(stars.logg[at]),
            feh=float(stars.feh[at]),
            variable_class=str(stars.variable_class[at]),
            period=float(stars.variable_period[at]),
            orbit=Orbit(*(values[at] for values in stars.orbit)),
        )
        for at, uid in zip(chosen.tolist(), stars.uid_of(chosen), strict=True)
    ]
