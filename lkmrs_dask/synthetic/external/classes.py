"""How other catalogues spell the classes of variable stars, and where they disagree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.external.addressed import share

__all__ = ["SPELLINGS", "spelt"]

SPELLINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "simbad": {
        "EB": ("EB*",), "DSCT": ("dS*",), "GDOR": ("gD*",), "hybrid": ("dS*",), "RG": ("RG*",),
        "RRL": ("RR*",), "RSCVn": ("RS*",), "rotation": ("Ro*", "BY*", "Er*"), "uncertain": ("V*",),
    },
    "vsx": {
        "EB": ("EA", "EB", "EW"), "DSCT": ("DSCT",), "GDOR": ("GDOR",), "hybrid": ("GDOR+DSCT", "DSCT|GDOR"),
        "RG": ("SOLARLIKE", "SR"), "RRL": ("RRAB", "RRC"), "RSCVn": ("RS",),
        "rotation": ("ROT", "BY", "ELL"), "uncertain": ("VAR", "MISC"),
    },
    "gaia": {
        "EB": ("ECL",), "DSCT": ("DSCT|GDOR|SXPHE",), "GDOR": ("DSCT|GDOR|SXPHE",),
        "hybrid": ("DSCT|GDOR|SXPHE",), "RG": ("LPV",), "RRL": ("RR",), "RSCVn": ("RS",),
        "rotation": ("SOLAR_LIKE",), "uncertain": ("S",),
    },
}  # fmt: skip
"""Types that stand for each class of the paper, by catalogue."""

_DISAGREE = 0.08  # share of stars that another class is given to


def spelt(
    draws: Draws, number: NDArray[np.int64], classes: NDArray[np.str_], catalogue: str
) -> NDArray[np.str_]:
    """Types of variables in another catalogue.

    Parameters
    ----------
    draws : Draws
        Random numbers.
    number : ndarray of int64, shape (n,)
        Addresses of the sources.
    classes : ndarray of str, shape (n,)
        The paper's classes; other text, such as none, gives none.
    catalogue : str
        ``simbad``, ``vsx`` or ``gaia``.

    Returns
    -------
    ndarray of str, shape (n,)
        8 % are of a class that is not the true one.
    """
    spellings = SPELLINGS[catalogue]
    names = list(spellings)
    place = np.full(len(classes), -1)
    for at, name in enumerate(names):
        place[classes == name] = at
    wrong = share(draws, number, f"{catalogue}.wrong") < _DISAGREE
    step = 1 + (share(draws, number, f"{catalogue}.other") * (len(names) - 1)).astype(np.int64)
    place = np.where(wrong & (place >= 0), (place + step) % len(names), place)
    kind = share(draws, number, f"{catalogue}.kind")
    result = np.full(len(classes), "", dtype="U16")
    for at, name in enumerate(names):
        types = np.array(spellings[name])
        here = place == at
        result[here] = types[(kind[here] * len(types)).astype(np.int64)]
    return result
