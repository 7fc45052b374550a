"""All sources around the survey: its stars, unrelated field sources, and faint companions of stars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.external.addressed import share
from lkmrs_dask.synthetic.external.close import near_another, near_any
from lkmrs_dask.synthetic.external.displaced import reach_arcsec
from lkmrs_dask.synthetic.external.identifiers import gaia_numbers
from lkmrs_dask.synthetic.external.members import in_kepler_field
from lkmrs_dask.synthetic.ledger import Ledger
from lkmrs_dask.synthetic.orbit import radial_velocity
from lkmrs_dask.synthetic.population import offset_position

__all__ = ["COMPANION_ARCSEC", "EPOCH", "Sources", "make_sources", "moved"]

EPOCH = 2000.0
"""Epoch of the stars' coordinates, Julian years."""

COMPANION_ARCSEC = (1.5, 3.4)
"""How far companions are from their stars: within a match radius of 3.7 arcsec, beyond all errors.  Where the
survey's positions of a star are far from the truth its companion is farther away, or there is none."""

_FIELD_PER_STAR = 2
_FIELD_RADIUS = 0.4  # deg, around stars of the survey
_FAINTER = 5.5  # mag: the most by which field sources are fainter than the star they lie by
_COMPANIONS = 0.04
_BEYOND = 1.1  # arcsec: errors of catalogues and what slow stars move by 2016, twice
_STILL = 30.0  # mas/yr: faster stars have no companion, which they would reach by 2016
_FIELD_STARS, _COMPANION_STARS = 1 << 42, (1 << 43) + (1 << 27)  # first addresses
_ORBIT_DAYS = (56_000.0, 58_000.0)  # MJD of other surveys' visits
_PARAMETERS = ("teff", "logg", "feh", "alpha_m", "vsini", "rv")

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sources:
    """The truth about sources; arrays have one entry per source, the survey's stars come first.

    Parameters
    ----------
    number : ndarray of int64
        Address in random numbers.
    star : ndarray of int64
        Index of the star of the survey that it is, -1 for others.
    near : ndarray of int64
        Index of the star whose companion it is, -1 for others.
    kepler : ndarray of bool
        In Kepler's field; the others in K2's.
    ra, dec : ndarray of float64
        Degrees, at `EPOCH`.
    pmra, pmdec : ndarray of float64
        mas/yr, `pmra` with cos dec.
    parallax : ndarray of float64
        mas.
    g, bp_rp : ndarray of float64
        Gaia's magnitude and colour.
    teff, logg, feh, alpha_m, vsini, rv : ndarray of float64
        On the scale of LK-MRS; K, dex, dex, dex, km/s, km/s.
    rv_elsewhere : ndarray of float64
        Velocity when others observed, which differs from `rv` for binaries; km/s.
    rv_spread : ndarray of float64
        Standard deviation of the velocity along the orbit, km/s.
    gaia_source_id : ndarray of int64
        0 for sources that Gaia does not have.
    """

    number: NDArray[np.int64]
    star: NDArray[np.int64]
    near: NDArray[np.int64]
    kepler: NDArray[np.bool_]
    ra: Floats
    dec: Floats
    pmra: Floats
    pmdec: Floats
    parallax: Floats
    g: Floats
    bp_rp: Floats
    teff: Floats
    logg: Floats
    feh: Floats
    alpha_m: Floats
    vsini: Floats
    rv: Floats
    rv_elsewhere: Floats
    rv_spread: Floats
    gaia_source_id: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.number)

    def take(self, which: NDArray) -> Sources:
        """Some of the sources, by index or mask."""
        return Sources(**{name: values[which] for name, values in vars(self).items()})


def moved(sources: Sources, epoch: float) -> tuple[Floats, Floats]:
    """Positions (deg) at another epoch (Julian year), along the tangent: right to 1 mas for 10 arcsec."""
    years = (epoch - EPOCH) / 3_600_000.0
    ra = sources.ra + years * sources.pmra / np.cos(np.radians(sources.dec))
    return ra % 360.0, sources.dec + years * sources.pmdec


def make_sources(ledger: Ledger, crowded: NDArray[np.bool_]) -> Sources:
    """Make all sources around a survey.

    Field sources lie within 0.4 deg of stars and never within `close.GUARD_ARCSEC`; what they are is that of
    the star they lie by, farther away as far as they are fainter.

    Parameters
    ----------
    ledger : Ledger
        The survey.
    crowded : ndarray of bool
        Stars with another one beside them; they have no companions.
    """
    stars = _star_columns(ledger)
    parts = [stars, _field(ledger, stars), _companions(ledger, stars, ~crowded)]
    return Sources(**{name: np.concatenate([part[name] for part in parts]) for name in stars})


def _star_columns(ledger: Ledger) -> dict[str, NDArray]:
    stars, draws = ledger.stars, ledger.draws
    first, last = _ORBIT_DAYS
    binary = np.flatnonzero(stars.rv_variable)
    time = first + (last - first) * share(draws, stars.number[binary], "orbit.time")
    shift, spread = np.zeros(len(stars)), np.zeros(len(stars))
    shift[binary] = radial_velocity(time, stars.orbit.at(binary))
    spread[binary] = stars.orbit.amplitude[binary] / np.sqrt(2.0)
    columns = {name: getattr(stars, name) for name in ("number", "ra", "dec", "g", "bp_rp", *_PARAMETERS)}
    return columns | {
        "star": np.arange(len(stars)),
        "near": np.full(len(stars), -1),
        "kepler": in_kepler_field(stars.ra, stars.dec),
        "pmra": stars.pmra,
        "pmdec": stars.pmdec,
        "parallax": stars.parallax,
        "rv_elsewhere": stars.rv + shift,
        "rv_spread": spread,
        "gaia_source_id": np.where(stars.has_gaia, stars.gaia_source_id, 0),
    }


def _field(ledger: Ledger, stars: Mapping[str, NDArray]) -> dict[str, NDArray]:
    draws = ledger.draws
    model = np.repeat(np.arange(len(stars["number"])), _FIELD_PER_STAR)
    number = _FIELD_STARS + stars["number"][model] * _FIELD_PER_STAR
    number += np.arange(len(model)) % _FIELD_PER_STAR
    away = _FIELD_RADIUS * np.sqrt(share(draws, number, "field.radius"))
    angle = 360.0 * share(draws, number, "field.angle")
    ra, dec = offset_position(stars["ra"][model], stars["dec"][model], away, angle)
    g = np.minimum(stars["g"][model] + _FAINTER * share(draws, number, "field.magnitude") ** 1.3, 20.0)
    free = ~near_any(ra, dec, stars["ra"], stars["dec"])
    return _faded(stars, model[free], number[free], ra[free], dec[free], g[free])


def _companions(ledger: Ledger, stars: Mapping[str, NDArray], alone: NDArray[np.bool_]) -> dict[str, NDArray]:
    draws, number = ledger.draws, stars["number"]
    slow = np.hypot(stars["pmra"], stars["pmdec"]) < _STILL
    # The star must be the nearer of the two to all of the survey's positions.
    least = np.maximum(2.0 * reach_arcsec(ledger) + _BEYOND, COMPANION_ARCSEC[0])
    room = least < COMPANION_ARCSEC[1]
    model = np.flatnonzero(slow & alone & room & (share(draws, number, "companion") < _COMPANIONS))
    address = _COMPANION_STARS + number[model]
    low, high = least[model], COMPANION_ARCSEC[1]
    away = (low + (high - low) * share(draws, address, "companion.radius")) / 3600.0
    angle = 360.0 * share(draws, address, "companion.angle")
    ra, dec = offset_position(stars["ra"][model], stars["dec"][model], away, angle)
    g = np.minimum(stars["g"][model] + 1.0 + 5.0 * share(draws, address, "companion.magnitude"), 20.0)
    free = ~near_another(ra, dec, model, stars["ra"], stars["dec"])
    model = model[free]
    return _faded(stars, model, address[free], ra[free], dec[free], g[free]) | {"near": model}


def _faded(
    stars: Mapping[str, NDArray],
    model: NDArray[np.int64],
    number: NDArray[np.int64],
    ra: Floats,
    dec: Floats,
    g: Floats,
) -> dict[str, NDArray]:
    """Columns of sources like some stars, but fainter and so farther away."""
    nearer = 10.0 ** (-0.2 * (g - stars["g"][model]))
    none = np.full(len(model), -1)
    same = ("bp_rp", "kepler", "rv_elsewhere", "rv_spread", *_PARAMETERS)
    return {name: stars[name][model] for name in same} | {
        "number": number, "star": none, "near": none, "ra": ra, "dec": dec, "g": g,
        "pmra": stars["pmra"][model] * nearer,
        "pmdec": stars["pmdec"][model] * nearer,
        "parallax": stars["parallax"][model] * nearer,
        "gaia_source_id": gaia_numbers(number, ra, dec),
    }  # fmt: skip
