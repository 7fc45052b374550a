"""Which stars of the survey other catalogues know: exact numbers, chosen by draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.sky.index import separation_arcsec
from lkmrs_dask.sky.plates import KEPLER_FIELD, MISSION_RADIUS_DEG, PLATE_RADIUS_DEG
from lkmrs_dask.synthetic.external.addressed import chosen, share
from lkmrs_dask.synthetic.external.close import close_pairs
from lkmrs_dask.synthetic.external.quotas import quota
from lkmrs_dask.synthetic.ledger import Ledger

__all__ = ["Members", "find_members", "in_kepler_field", "kic_epic_members"]

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

_IN_KIC = 0.95  # of the stars of Kepler's field
_GALAH_DEC = 34.0  # GALAH works from the south
_GALAH_MOTION = 120.0  # mas/yr: its positions are of 2015.5, and a faster star would leave the match radius
_OTHERS = 0.08  # of the stars without parameters, the share that APOGEE and GALAH have
_IN_VSX, _IN_GAIA_VARIABLES = 0.70, 0.60  # of the periodic variables that SIMBAD knows


@dataclass(frozen=True, eq=False)
class Members:
    """Who is in which catalogue and with which values; all arrays have one entry per star.

    Parameters
    ----------
    crowded : ndarray of bool
        Another star of the survey is within `close.GUARD_ARCSEC`.
    kic_epic, apogee, galah, simbad, vsx, gaia_variable : ndarray of bool
        Known to the catalogue.
    apogee_feh, apogee_alpha_m, apogee_vsini, galah_feh, galah_alpha_m : ndarray of bool
        With this value there; ``galah_feh`` is for log g too.
    """

    crowded: Flags
    kic_epic: Flags
    apogee: Flags
    apogee_feh: Flags
    apogee_alpha_m: Flags
    apogee_vsini: Flags
    galah: Flags
    galah_feh: Flags
    galah_alpha_m: Flags
    simbad: Flags
    vsx: Flags
    gaia_variable: Flags


def in_kepler_field(ra: Floats, dec: Floats) -> Flags:
    """Whether positions (deg) are on plates of Kepler's field; all others are of K2."""
    return separation_arcsec(ra, dec, *KEPLER_FIELD) < 3600.0 * (MISSION_RADIUS_DEG + PLATE_RADIUS_DEG)


def kic_epic_members(ledger: Ledger, pairs: NDArray[np.int64]) -> Flags:
    """Stars with a counterpart in KIC or EPIC.

    All with Kepler or K2 photometry are among them, and so is nearly every star of Kepler's field.  Stars
    close to each other are all in, where photometry asks for one, or all out: else the nearest source to one
    would be the other's.

    Parameters
    ----------
    ledger : Ledger
        The survey.
    pairs : ndarray of int64, shape (m, 2)
        From `close.close_pairs`.
    """
    stars, known = ledger.stars, ledger.has_parameters
    needed, crowded = ledger.has_kepler_photometry.copy(), np.zeros(len(stars), dtype=bool)
    crowded[pairs[:, 0]] = True
    for _ in range(len(pairs)):
        more = pairs[needed[pairs[:, 0]] & ~needed[pairs[:, 1]], 1]
        if not len(more):
            break
        needed[more] = True
    score = share(ledger.draws, stars.number, "kic_epic")
    first = in_kepler_field(stars.ra, stars.dec) & (score < _IN_KIC)
    score = np.where(first, score / 1000.0, score)
    score = np.where(needed, -1.0, score)
    members = chosen(score, known & (needed | ~crowded), quota("kic_epic", ledger.fraction))
    most = score[members].max(initial=0.0)
    return members | (~known & (needed | (~crowded & (score <= most))))


def find_members(ledger: Ledger) -> Members:
    """Choose the members of every catalogue."""
    stars, draws, fraction = ledger.stars, ledger.draws, ledger.fraction
    pairs = close_pairs(stars.ra, stars.dec)
    alone = np.ones(len(stars), dtype=bool)
    alone[pairs[:, 0]] = False
    known = ledger.has_parameters
    kepler, giant = in_kepler_field(stars.ra, stars.dec), stars.logg < 3.5
    no_alpha_m, no_vsini = (np.where(_measured(ledger, name), 0.0, 4.0) for name in ("alpha_m", "vsini"))
    poor_last = np.where(stars.feh < -2.2, 1.0, 0.0)  # grids of models end there

    score = share(draws, stars.number, "apogee") * np.where(giant, 0.35, 1.0) * np.where(kepler, 0.6, 1.0)
    score = np.where(no_vsini > 0, score, 0.6 * score)
    apogee = chosen(score, known & alone, quota("apogee", fraction))
    apogee_feh = chosen(poor_last + score, apogee, quota("apogee_feh", fraction))
    apogee_alpha_m = chosen(no_alpha_m + score, apogee_feh, quota("apogee_alpha_m", fraction))
    apogee_vsini = chosen(no_vsini + score, apogee, quota("apogee_vsini", fraction))

    reached = ~kepler & alone & (stars.dec < _GALAH_DEC) & (np.hypot(stars.pmra, stars.pmdec) < _GALAH_MOTION)
    score = share(draws, stars.number, "galah") * np.where(giant, 1.0, 0.6)
    galah = chosen(score, known & reached, quota("galah", fraction))
    galah_feh = chosen(poor_last + score, galah, quota("galah_feh", fraction))
    galah_alpha_m = chosen(no_alpha_m + score, galah_feh, quota("galah_alpha_m", fraction))

    others = share(draws, stars.number, "others")
    more_apogee, more_galah = ~known & alone & (others < _OTHERS), ~known & reached & (others > 1 - _OTHERS)
    simbad = _simbad_members(ledger, alone)
    variable = simbad & (stars.variable_class != "")
    score = share(draws, stars.number, "vsx")
    vsx = chosen(score, variable, round(_IN_VSX * int(variable.sum())))
    in_gaia = chosen(
        (score + 0.5) % 1.0, variable & stars.has_gaia, round(_IN_GAIA_VARIABLES * int(variable.sum()))
    )
    return Members(
        crowded=~alone,
        kic_epic=kic_epic_members(ledger, pairs),
        apogee=apogee | more_apogee,
        apogee_feh=apogee_feh | more_apogee,
        apogee_alpha_m=apogee_alpha_m | more_apogee,
        apogee_vsini=apogee_vsini,
        galah=galah | more_galah,
        galah_feh=galah_feh | more_galah,
        galah_alpha_m=galah_alpha_m | more_galah,
        simbad=simbad,
        vsx=vsx,
        gaia_variable=in_gaia,
    )


def _measured(ledger: Ledger, name: str) -> Flags:
    """Stars for which LK-MRS has a parameter; what is counted in 3.3 are stars with it in both surveys."""
    star = ledger.attendance.star[getattr(ledger.measured, name)]
    return np.bincount(star, minlength=len(ledger.stars)) > 0


def _simbad_members(ledger: Ledger, alone: Flags) -> Flags:
    """Stars that SIMBAD knows: group by group, each with its number, then a share of the rest."""
    stars, draws = ledger.stars, ledger.draws
    known, variable = ledger.has_parameters, stars.variable_class != ""
    score = share(draws, stars.number, "simbad")
    members, decided = np.zeros(len(stars), dtype=bool), np.zeros(len(stars), dtype=bool)
    # The unbound star of section 4.2, KIC 7881304, was known; what belongs to two groups counts in both.
    unbound = stars.high_velocity == 2
    for group, wanted in (
        (unbound, int(unbound.sum())),
        (stars.high_velocity == 1, quota("simbad_bound", ledger.fraction)),
        (known & (stars.feh < -2.0), quota("simbad_vmp", ledger.fraction)),
        (known & (stars.feh >= -2.0) & (stars.feh < -1.0), quota("simbad_mp", ledger.fraction)),
        (variable, quota("simbad_variables", ledger.fraction)),
    ):
        missing = wanted - int((members & group).sum())
        members |= chosen(score, group & ~decided & alone, missing)
        decided |= group
    bright = np.where(stars.g < 11.0, 0.35, 0.04)
    return members | (~decided & alone & (score < bright))
