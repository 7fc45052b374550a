"""Solar-like oscillations of red giants, with granulation."""

from __future__ import annotations

import numpy as np

from lkmrs_dask.synthetic.counters import Purpose
from lkmrs_dask.synthetic.light_curves.signal import (
    SIGNAL_EPOCH,
    SUN_LOGG,
    Detection,
    Floats,
    Numbers,
    Signal,
    Source,
)
from lkmrs_dask.synthetic.light_curves.stochastic import ornstein_uhlenbeck

__all__ = ["large_separation", "mode_frequencies", "nu_max", "red_giant"]

_SUN_TEFF, _SUN_NU_MAX = 5777.0, 3090.0
_UHZ = 86400e-6  # cycles a day in a microhertz
_WIDTH = 0.15  # uHz, of the modes' Lorentzians
_CLEAR = 16.0  # S/N of a mode at nu_max: excitation makes some modes a third of that for a while
_GRANULATION = 0.35  # of the published rms, so that modes stand out of a sector of 27 d too
_VISIBILITY = {0: 1.0, 1: 1.22, 2: 0.73}  # in amplitude (Ballot, Barban & van't Veer-Menneret 2011)


def nu_max(teff: float, logg: float) -> float:
    """Frequency of maximum power, uHz: 3090 (g / gsun) (T / 5777 K)^-0.5 (Brown et al. 1991)."""
    return _SUN_NU_MAX * 10.0 ** (logg - SUN_LOGG) / float(np.sqrt(teff / _SUN_TEFF))


def large_separation(numax: float) -> float:
    """Large separation, uHz: 0.263 nu_max^0.772 (Stello et al. 2009)."""
    return 0.263 * numax**0.772


def mode_frequencies(numax: float) -> tuple[Floats, Floats]:
    """Modes of degree 0, 1 and 2 under the hump.

    Frequencies are (n + l / 2 + eps - small offset) delta_nu, eps = 0.634 + 0.63 log10(delta_nu); the hump
    has a full width at half power of 0.66 nu_max^0.88 (Mosser et al. 2011, 2012).

    Returns
    -------
    frequency : ndarray of float64, shape (n,)
        uHz.
    amplitude : ndarray of float64, shape (n,)
        Relative to a radial mode at nu_max.
    """
    spacing = large_separation(numax)
    offset = 0.634 + 0.63 * np.log10(spacing)
    width = 0.66 * numax**0.88
    orders = np.arange(1, int((numax + 1.5 * width) / spacing) + 2)
    frequency, visible = [], []
    for degree, shift in ((0, 0.0), (1, 0.5 - 0.025), (2, 1.0 - 0.12)):
        frequency.append((orders + offset + shift) * spacing)
        visible.append(np.full(len(orders), _VISIBILITY[degree]))
    place, seen = np.concatenate(frequency), np.concatenate(visible)
    near = np.abs(place - numax) < 1.5 * width
    away = (place[near] - numax) / width
    return place[near], seen[near] * np.sqrt(np.exp(-4 * np.log(2) * away**2))


def red_giant(source: Source, numbers: Numbers, detection: Detection) -> Signal:
    """A hump of modes that are excited and fade, on granulation.

    Each mode is a sinusoid whose complex amplitude is a random process with a memory of 1 / (pi width), which
    makes its line a Lorentzian.  Amplitudes: 3.6 ppm (nu_max / 3090 uHz)^-0.75 for a radial mode, times the
    boost; granulation: 3382 nu_max^-0.609 ppm with a width of 0.317 nu_max^0.970 uHz (Kallinger et al. 2014),
    a third of it.
    """
    numax = nu_max(source.teff, source.logg)
    place, relative = mode_frequencies(numax)
    usual = 3.6e-3 * (numax / _SUN_NU_MAX) ** -0.75  # ppt
    boost = max(1.0, _CLEAR * detection.floor(numax * _UHZ) / usual)
    amplitude = boost * usual * relative
    lifetime = 1.0 / (np.pi * _WIDTH * _UHZ)
    granules = 0.5 / (np.pi * 0.317 * numax**0.970 * _UHZ)
    ruffle = boost * _GRANULATION * 3.382 * numax**-0.609

    def flux(time: Floats) -> Floats:
        total = ruffle * ornstein_uhlenbeck(
            time, granules, numbers.draws, Purpose.LIGHT_GRANULATION, numbers.star
        )
        since = time - SIGNAL_EPOCH
        for mode, (frequency, size) in enumerate(zip(place * _UHZ, amplitude, strict=True)):
            address = numbers.star * 256 + mode  # a purpose of its own, so no other star's numbers are used
            real, imaginary = (
                ornstein_uhlenbeck(time, lifetime, numbers.draws, purpose, address)
                for purpose in (Purpose.LIGHT_MODE_REAL, Purpose.LIGHT_MODE_IMAGINARY)
            )
            angle = 2 * np.pi * ((frequency * since) % 1.0)
            # Each process has variance 1, so the mode has the rms of a sinusoid of this amplitude.
            total += np.sqrt(0.5) * size * (real * np.cos(angle) + imaginary * np.sin(angle))
        return 1.0 + 1e-3 * total

    return Signal(
        period=1.0 / (numax * _UHZ),
        frequencies=place * _UHZ,
        amplitudes=amplitude,
        phases=np.full(len(place), np.nan),
        flux=flux,
        boost=boost,
        nu_max=numax,
        delta_nu=large_separation(numax),
    )
