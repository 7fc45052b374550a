"""Images of frequencies: even sampling shows each one again, mirrored at half the sampling frequency.

Close to there a sinusoid and its image are nearly one function of the data: the spectrum's peak is the sum of
both, and amplitude, phase and frequency are hardly told apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.grid import peak_shift
from lkmrs_dask.variability.joint_fit import Sinusoids, fit_in_frequency, residual_variance
from lkmrs_dask.variability.transform import PAD, Transforms, interpolate

__all__ = [
    "MARGIN",
    "Mirror",
    "find_mirror",
    "near_image",
    "overlaps",
    "seen_amplitude",
    "settled",
    "start_near_image",
]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

MARGIN = 10.0
"""Resolution elements beyond the highest frequency wanted that are searched too: a peak beyond, or on the
very end, would leave its side lobes (ours)."""

_COHERENT = 0.5  # |S| at the sampling frequency below which an image is no peak
_UNEVEN = 1e-4  # relative change of the cadence in a year: the speed of the Earth over that of light
_OVERLAP = 0.3  # |S(2 f)| from which a peak is one of the sum of a frequency and its image
_LEAST_FREE = 1e-3  # of 1 - |S(2 f)|^2: 0.01/T from the mirror
_FINER = 0.5  # bins between the places that are tried
_CLOSE = 3.0  # resolution elements from the mirror within which both its sides are tried
_EXACT = 1.0 - 1e-6  # |S| of even sampling, where a frequency and its image are the same function
_BETTER = 9.0  # in variances of one point, 3 sigma: what speaks for a frequency rather than for its image


class Mirror(NamedTuple):
    """How the sampling mirrors frequencies.

    Parameters
    ----------
    place : float
        The sampling frequency in bins: a frequency at f has its image at ``place - f``.
    value : complex
        The window's transform there.
    """

    place: float
    value: complex

    @property
    def middle(self) -> float:
        """Place of the mirror, the Nyquist frequency."""
        return 0.5 * self.place


def find_mirror(transforms: Transforms, nyquist: float) -> Mirror | None:
    """Find the mirror near the end of a grid.

    Parameters
    ----------
    transforms : Transforms
    nyquist : float
        Half the rate of the median interval, in bins.

    Returns
    -------
    Mirror, optional
        None where sampling is so uneven that images are no peaks, or where the grid ends elsewhere.
    """
    grid, window = transforms.grid, transforms.window
    half = int(np.ceil(2.0 * nyquist * _UNEVEN + grid.oversampling))
    if not -half <= grid.last - nyquist <= MARGIN * grid.oversampling + half:
        return None
    middle = round(2.0 * nyquist)
    low, high = max(middle - half, 1), min(middle + half, 2 * grid.last)
    heights = np.abs(window[PAD + low : PAD + high + 1])
    if not len(heights) or heights.max() < _COHERENT:
        return None
    k = low + int(heights.argmax())
    place = k + peak_shift(*np.abs(window[PAD + k - 1 : PAD + k + 2]))
    return Mirror(place, complex(transforms.window_at(np.array([place]))[0, 0]))


def start_near_image(
    transforms: Transforms, values: Complexes, k: int, mirror: Mirror | None
) -> tuple[float, complex] | None:
    """Place and phasor of the sinusoid that explains most of a peak that is also its image's.

    Parameters
    ----------
    transforms : Transforms
    values : ndarray of complex128
        Transform of the residual, bins from -PAD to last + PAD.
    k : int
        Bin of the peak.
    mirror : Mirror, optional

    Returns
    -------
    place, phasor : float, complex
        Of the best of places within 1/T of the peak and of its image, by least squares; None for a peak that
        stands alone.
    """
    grid = transforms.grid
    if not overlaps(transforms, k, mirror):
        return None
    ends = (k, k) if mirror is None else sorted((k, mirror.place - k))
    reach = grid.oversampling
    place = np.arange(max(ends[0] - reach, 0.5 * reach), min(ends[1] + reach, grid.last) + _FINER, _FINER)
    v = 2.0 * interpolate(values, place)[0]
    image = transforms.window_at(2.0 * place)[0]
    free = 1.0 - np.abs(image) ** 2
    explained = np.abs(v) ** 2 - (image.conj() * v**2).real
    explained = np.where(free > _LEAST_FREE, explained / np.maximum(free, _LEAST_FREE), -1.0)
    best = int(explained.argmax())
    if explained[best] < 0:
        return None
    z = (v[best] - image[best] * v[best].conjugate()) / free[best]
    return float(place[best]), complex(z.conjugate())


def overlaps(transforms: Transforms, k: int, mirror: Mirror | None) -> bool:
    """Whether a peak may be one with that of its image, which can make two of it, too."""
    close = mirror is not None and abs(k - mirror.middle) <= _CLOSE * transforms.grid.oversampling
    return close or bool(abs(transforms.window[PAD + 2 * k]) >= _OVERLAP)


def settled(transforms: Transforms, found: Sinusoids, mirror: Mirror | None, start: int = 0) -> Sinusoids:
    """Decide on which side of the mirror frequencies are that lie close to it, or beyond.

    A fit ends on the side on which it begins.

    Parameters
    ----------
    transforms : Transforms
    found : Sinusoids
        That were fitted.
    mirror : Mirror, optional
    start : int
        Row of the first that is asked.

    Returns
    -------
    Sinusoids
        Fitted.  Of two sides that explain the data alike the lower frequencies.
    """
    if mirror is None:
        return found
    turned = mirror.value / abs(mirror.value)
    if abs(mirror.value) > _EXACT:
        return _folded(transforms, found, mirror.middle, turned)
    least = mirror.middle - _CLOSE * transforms.grid.oversampling
    for row in start + np.flatnonzero(found.place[start:] > least):
        place, phasor = found.place.copy(), found.phasor.copy()
        place[row], phasor[row] = mirror.place - place[row], (phasor[row] * turned).conjugate()
        if place[row] > transforms.grid.last:
            continue
        other = fit_in_frequency(transforms, Sinusoids(place, phasor, found.mean))
        mine, theirs = (residual_variance(transforms, one) for one in (found, other))
        # 3 sigma must speak for the higher one.
        if found.place[row] > mirror.middle >= other.place[row]:
            mine *= 1.0 + _BETTER / len(transforms.turn)
        elif other.place[row] > mirror.middle >= found.place[row]:
            mine /= 1.0 + _BETTER / len(transforms.turn)
        if theirs < mine:
            found = other
    return found


def _folded(transforms: Transforms, found: Sinusoids, middle: float, turned: complex) -> Sinusoids:
    """Those above the mirror at their images, fitted; what then is above it again is the same below."""
    for last in (False, True):
        above = found.place > middle
        if not above.any():
            return found
        place = np.where(above, 2.0 * middle - found.place, found.place)
        phasor = np.where(above, (found.phasor * turned).conjugate(), found.phasor)
        found = Sinusoids(place, phasor, found.mean)
        if not last:
            found = fit_in_frequency(transforms, found)
    return found


def near_image(transforms: Transforms, place: Floats) -> NDArray[np.bool_]:
    """Which places are so near the mirror, some 0.4/T, that a frequency and its image are one peak."""
    return np.abs(_images(transforms, place)) >= _OVERLAP


def seen_amplitude(transforms: Transforms, found: Sinusoids) -> Floats:
    """Height of each sinusoid's peak: where it is one with its image not the amplitude, which is unsure."""
    z, image = found.phasor, _images(transforms, found.place)
    amplitude: Floats = np.where(np.abs(image) >= _OVERLAP, np.abs(z.conj() + image * z), np.abs(z))
    return amplitude


def _images(transforms: Transforms, place: Floats) -> Complexes:
    """Overlap of places in the upper half of the grid with their images; 0 in the lower half."""
    image = np.zeros(len(place), np.complex128)
    high = place > 0.5 * transforms.grid.last
    if high.any():  # the window takes a transform
        image[high] = transforms.window_at(2.0 * place[high])[0]
    return image
