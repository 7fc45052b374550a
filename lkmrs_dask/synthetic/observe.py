"""One visit of a plan: S/N and true velocity of every spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.barycentre import barycentric_mjd
from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.noise import single_snr
from lkmrs_dask.synthetic.orbit import radial_velocity
from lkmrs_dask.synthetic.plan import Visit
from lkmrs_dask.synthetic.population import Stars
from lkmrs_dask.synthetic.targets import Targets

__all__ = ["BANDS", "Extent", "Observation", "blue_factors", "observe", "spectrum_items"]

BANDS = ("B", "R")

_COADD = 31  # number of the coadd among a visit's exposures, in addresses
_PER_NIGHT = 64

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Extent:
    """What there is of a visit, one entry per target.

    Parameters
    ----------
    n_exposures : ndarray of int64
        Exposures with spectra: the first so many.
    coadd : ndarray of bool
        Whether there are coadded spectra.
    lost_red : ndarray of bool
        Whether the last exposure has no red spectrum.
    parameters, rv, vsini, alpha_m : ndarray of bool
        What is measured on the blue coadd.
    """

    n_exposures: Ints
    coadd: Bools
    lost_red: Bools
    parameters: Bools
    rv: Bools
    vsini: Bools
    alpha_m: Bools


@dataclass(frozen=True, eq=False)
class Observation:
    """Spectra of a visit: m targets, n exposures and the coadd, two arms.

    Parameters
    ----------
    visit : Visit
        When.
    stars : Stars
        All stars.
    targets : Targets
        Those observed on this visit.
    extent : Extent
        What there is of them.
    snr : ndarray of float64, shape (m, n + 1, 2)
        With two decimals, as published; last on the second axis is the coadd, the third is `BANDS`.
    rv : ndarray of float64, shape (m, n + 1)
        True velocity (km/s); of a coadd the mean of its exposures, weighted with S/N squared.
    item : ndarray of int64, shape (n + 1, 2)
        Addresses of the spectra in random numbers, beside that of the star.
    """

    visit: Visit
    stars: Stars
    targets: Targets
    extent: Extent
    snr: Floats
    rv: Floats
    item: Ints

    @cached_property
    def number(self) -> NDArray[np.int64]:
        """Addresses of the targets' stars, shape (m,)."""
        return self.stars.number[self.targets.star]

    @property
    def n_exposures(self) -> int:
        """Exposures, without the coadd."""
        return len(self.visit.lmjm)

    @cached_property
    def there(self) -> Bools:
        """Spectra that there are, of the shape of `snr`."""
        extent = self.extent
        there = np.empty(self.snr.shape, bool)
        there[:, :-1] = (np.arange(self.n_exposures) < extent.n_exposures[:, None])[:, :, None]
        there[:, -1] = extent.coadd[:, None]
        lost = np.flatnonzero(extent.lost_red)
        there[lost, extent.n_exposures[lost] - 1, 1] = False
        return there


def spectrum_items(night: int, n_exposures: int) -> NDArray[np.int64]:
    """Addresses of the spectra that a star can have in a night, shape (n_exposures + 1, 2); below 2**18."""
    exposure = np.append(np.arange(n_exposures), _COADD)
    return (night - 57000) * _PER_NIGHT + 2 * exposure[:, None] + np.arange(len(BANDS))


def blue_factors(visit: Visit, number: Ints, draws: Draws) -> tuple[Floats, Floats]:
    """Factors of the blue S/N: fibres, one per target, and clouds, one per exposure."""
    fibre = np.exp(0.15 * draws.normal(Purpose.FIBRE_LOSS, number, visit.plan.code))
    return fibre, np.exp(0.08 * draws.normal(Purpose.CLOUDS, visit.night, np.arange(len(visit.lmjm))))


def observe(visit: Visit, stars: Stars, targets: Targets, extent: Extent, draws: Draws) -> Observation:
    """Observe targets on one visit.

    The S/N of an exposure is that of its star's magnitude times factors of weather (the visit), clouds (the
    exposure), fibre (the target) and a rest; redder stars gain in the red arm.  A coadd's is the root of the
    sum of squares of the exposures that there are.
    """
    star = targets.star
    number = stars.number[star]
    n = len(visit.lmjm)
    item = spectrum_items(visit.night, n)
    fibre, clouds = blue_factors(visit, number, draws)
    rest = np.exp(0.05 * draws.normal(Purpose.SNR_BLUE, number[:, None], item[:-1, 0]))
    blue = single_snr(stars.g[star][:, None], visit.weather * fibre[:, None] * clouds * rest)
    redder = 1.25 + 0.35 * (stars.bp_rp[star][:, None] - 0.8)
    red = blue * redder * np.exp(0.03 * draws.normal(Purpose.SNR_RED, number[:, None], item[:-1, 1]))
    single = np.stack([blue, red], axis=-1)
    kept = (np.arange(n) < extent.n_exposures[:, None])[:, :, None]
    snr = np.concatenate([single, np.sqrt((single**2 * kept).sum(axis=1, keepdims=True))], axis=1)

    velocity = _velocities(visit, stars, star)
    weight = blue**2 * kept[:, :, 0]
    mean = (weight * velocity).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    return Observation(
        visit, stars, targets, extent, np.round(snr, 2), np.concatenate([velocity, mean], axis=1), item
    )


def _velocities(visit: Visit, stars: Stars, star: Ints) -> Floats:
    """Compute true velocities in the middle of each exposure, shape (m, n)."""
    velocity = np.repeat(stars.rv[star][:, None], len(visit.lmjm), axis=1)
    moving = np.flatnonzero(stars.rv_variable[star])
    if len(moving):
        which = star[moving]
        time = barycentric_mjd(visit.mid_times, stars.ra[which], stars.dec[which])
        velocity[moving] += radial_velocity(time, stars.orbit.at((which, None)))
    return velocity
