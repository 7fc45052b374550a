"""How bright a star is for a mission, and how noisy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lkmrs_dask.synthetic.light_curves.segments import CADENCE, EXPOSURE, Segment
from lkmrs_dask.synthetic.light_curves.signal import RED_TIME, Detection

__all__ = ["Photometry", "detection", "photometry", "tess_magnitude"]

_ZERO_POINT = {"kepler": 25.2, "k2": 25.2, "tess": 20.44}  # mag that gives 1 e-/s: the released files' mean
_SKY = {"kepler": 220.0, "k2": 330.0, "tess": 120.0}  # e-/s in a pixel
_READS = {"kepler": 270, "k2": 270, "tess": 48}  # in a cadence
_READ_NOISE = {"kepler": 95.0, "k2": 95.0, "tess": 9.0}  # electrons
_PIXELS = {"kepler": 4, "k2": 30, "tess": 9}  # in the aperture of a star of 13 mag
_WHITE = {"kepler": 2e-5, "k2": 6e-5, "tess": 4e-5}  # relative noise beside that of photons
_RED = {"kepler": 1e-5, "k2": 4e-5, "tess": 5e-5}  # rms of what is left of systematics
_GOOD = 0.8  # share of cadences that are used


@dataclass(frozen=True)
class Photometry:
    """Brightness and noise of a star.

    Parameters
    ----------
    magnitude : float
        In the mission's own band.
    rate : float
        Electrons in a second.
    background : float
        Electrons in a second, all of the aperture.
    pixels : int
        Pixels in the aperture.
    error : float
        Photon and read noise of a cadence, electrons in a second: what the files state.
    background_error : float
        The same of the background.
    white, red : float
        Relative rms of what noise there is: white, and with the correlation time `RED_TIME`.
    """

    magnitude: float
    rate: float
    background: float
    pixels: int
    error: float
    background_error: float
    white: float
    red: float


def tess_magnitude(g: float, bp_rp: float) -> float:
    """TESS magnitude from Gaia's (Stassun et al. 2019, eq. 1; for 0 < BP - RP < 3)."""
    return g - 0.00522555 * bp_rp**3 + 0.0891337 * bp_rp**2 - 0.633923 * bp_rp + 0.0324473


def photometry(mission: str, g: float, bp_rp: float) -> Photometry:
    """Brightness and noise of a star with Gaia's G and BP - RP; Kepler's magnitude is taken to be G."""
    magnitude = tess_magnitude(g, bp_rp) if mission == "tess" else g
    rate = 10.0 ** (0.4 * (_ZERO_POINT[mission] - magnitude))
    pixels = int(np.clip(np.rint(_PIXELS[mission] * 10.0 ** (0.12 * (13.0 - magnitude))), 2, 100))
    background = pixels * _SKY[mission]
    seconds = EXPOSURE[mission]
    reading = pixels * _READS[mission] * _READ_NOISE[mission] ** 2
    error = float(np.sqrt((rate + background) * seconds + reading)) / seconds
    return Photometry(
        magnitude=magnitude,
        rate=rate,
        background=background,
        pixels=pixels,
        error=error,
        background_error=float(np.sqrt(background * seconds)) / seconds / np.sqrt(pixels),
        white=float(np.hypot(error / rate, _WHITE[mission])),
        red=_RED[mission],
    )


def detection(lit: list[tuple[Segment, Photometry]]) -> Detection:
    """What the light curves of a star can show.

    The mean of the amplitude spectrum of N points of white noise with rms s is s sqrt(pi / N); red noise with
    rms s and correlation time tau has at low frequencies the amplitude s sqrt(2 pi tau / T).
    """
    white = [one.white * np.sqrt(np.pi / (_GOOD * segment.rows)) for segment, one in lit]
    red = [one.red * np.sqrt(2 * np.pi * RED_TIME / segment.span) for segment, one in lit]
    return Detection(
        white_ppt=1e3 * float(max(white)),
        red_ppt=1e3 * float(max(red)),
        span=min(segment.span for segment, _ in lit),
        highest=min(0.5 / CADENCE[segment.mission] for segment, _ in lit),
        white_least_ppt=1e3 * float(min(white)),
        red_least_ppt=1e3 * float(min(red)),
    )
