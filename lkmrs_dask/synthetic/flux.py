"""Fluxes of spectra: absorption lines on a smooth continuum, shifted by a velocity, with noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.synthetic.counters import Draws, Purpose

__all__ = [
    "CONTINUUM",
    "SPEED_OF_LIGHT",
    "STRONG_LINES",
    "Pixels",
    "Template",
    "make_template",
    "noisy",
    "wavelengths",
]

Floats = NDArray[np.float64]

SPEED_OF_LIGHT = 299792.458
"""km/s."""

CONTINUUM = 1000.0
"""Flux of the continuum in the middle of an arm."""

STRONG_LINES = {
    "B": (4958.98, 5019.83, 5042.48, 5168.76, 5174.13, 5185.05, 5228.62, 5271.00, 5329.52),
    "R": (6301.24, 6338.57, 6395.36, 6440.85, 6464.35, 6496.78, 6564.61, 6680.00, 6709.61),
}
"""Vacuum wavelengths (Angstrom) of strong lines of FGK stars by arm: iron, magnesium, calcium, H alpha."""

_RANGES = {"B": (4893.9, 5374.7), "R": (6292.5, 6846.0)}  # of single exposures
_PIXELS = {("B", False): 4136, ("R", False): 4136, ("B", True): 4101, ("R", True): 3692}
_RESOLUTION = 7500.0
_WEAK_LINES = 60  # an arm
_STEP = 4.0  # km/s; of the template, a tenth of the resolution
_MARGIN = 1.005  # of the template's range, for shifts up to 1500 km/s
_PIXELS_MOST = 1 << 13  # of a spectrum, in addresses


class Template(NamedTuple):
    """Flux of a star at rest: ln(wavelength) on an even grid, and flux relative to the continuum."""

    log_wavelength: Floats
    flux: Floats


class Pixels(NamedTuple):
    """A spectrum as released: flux, inverse variance, and vacuum wavelength in Angstrom."""

    flux: NDArray[np.float32]
    ivar: NDArray[np.float32]
    wavelength: NDArray[np.float32]


def wavelengths(band: str, coadd: bool) -> Floats:
    """Vacuum wavelengths (Angstrom) of the pixels of a spectrum.

    Red single exposures run from long to short wavelengths, all others upwards, as in the files up to DR8.
    """
    low, high = _RANGES[band]
    grid = np.geomspace(low, high, _PIXELS[band, coadd])
    return grid[::-1] if band == "R" and not coadd else grid


def make_template(band: str, teff: float, feh: float, vsini: float) -> Template:
    """Spectrum of a star at rest.

    Gaussian lines, as wide as resolution and rotation together; deeper for more metals and lower
    temperature, H alpha the other way round.  A crude star, but with the strong lines in their places: good
    for radial velocities, and for nothing else.

    Parameters
    ----------
    band : {"B", "R"}
        Arm.
    teff, feh, vsini : float
        K, dex, km/s.
    """
    low, high = _RANGES[band]
    grid = np.arange(np.log(low / _MARGIN), np.log(high * _MARGIN), _STEP / SPEED_OF_LIGHT)
    # Places of weak lines are nature's, not the survey's: they do not depend on its seed.
    nature, line = Draws(0), np.arange(_WEAK_LINES)
    arm = "BR".index(band)
    weak = low + (high - low) * nature.uniform(Purpose.LINE_PLACE, arm, line)
    depth = 0.25 * nature.uniform(Purpose.LINE_DEPTH, arm, line)
    centres = np.concatenate([STRONG_LINES[band], weak])
    depths = np.concatenate([np.full(len(STRONG_LINES[band]), 0.45), depth])
    metals = 10.0 ** (0.35 * feh) * (5500.0 / teff) ** 1.5
    hydrogen = np.abs(centres - 6564.61) < 0.1
    depths = np.clip(depths * np.where(hydrogen, (teff / 5500.0) ** 1.5, metals), 0.0, 0.85)
    sigma = np.hypot(1 / (_RESOLUTION * 2.3548), 0.5 * vsini / SPEED_OF_LIGHT)
    flux = np.ones(len(grid))
    for centre, deep in zip(np.log(centres).tolist(), depths.tolist(), strict=True):
        near = slice(*np.searchsorted(grid, (centre - 6 * sigma, centre + 6 * sigma)))
        flux[near] *= 1.0 - deep * np.exp(-0.5 * ((grid[near] - centre) / sigma) ** 2)
    return Template(grid, flux)


def noisy(
    template: Template,
    band: str,
    coadd: bool,
    velocities: ArrayLike,
    weights: ArrayLike,
    snr: float,
    draws: Draws,
    address: tuple[int, int],
) -> Pixels:
    """Spectrum of one exposure or coadd.

    Parameters
    ----------
    template : Template
        Of the star and arm.
    band : {"B", "R"}
        Arm.
    coadd : bool
        Whether it is a coadd.
    velocities, weights : array_like of float, shape (k,)
        Velocity (km/s) of each exposure in it, and its weight; the template is shifted and added up.
    snr : float
        S/N per pixel, everywhere the same: noise is normal with a sigma of continuum / S/N.
    draws : Draws
        Random numbers.
    address : tuple of int
        Star and spectrum; pixel p of a spectrum has the item ``spectrum * 8192 + p``.
    """
    grid = wavelengths(band, coadd)
    log_grid = np.log(grid)
    shifts: Sequence[float] = np.atleast_1d(np.asarray(velocities, np.float64)).tolist()
    share = np.atleast_1d(np.asarray(weights, np.float64))
    share = share / share.sum() if share.sum() > 0 else np.full(len(share), 1 / len(share))
    star = np.zeros(len(grid))
    for velocity, part in zip(shifts, share.tolist(), strict=True):
        star += part * np.interp(log_grid - np.log1p(velocity / SPEED_OF_LIGHT), *template)
    place = np.linspace(-1, 1, len(grid)) * (1 if grid[0] < grid[-1] else -1)
    continuum = CONTINUUM * (1 + 0.15 * place - 0.2 * place**2)
    sigma = continuum / max(snr, 0.01)
    pixel = address[1] * _PIXELS_MOST + np.arange(len(grid))
    flux = continuum * star + sigma * draws.normal(Purpose.PIXEL, address[0], pixel)
    return Pixels(flux.astype(np.float32), (sigma**-2.0).astype(np.float32), grid.astype(np.float32))
