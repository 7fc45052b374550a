"""Prewhitening in the frequency domain.

A sinusoid is taken out of the spectrum by subtracting shifted copies of the window's transform around its
peak.  What it leaves further off is as high as the window's side lobes there; peaks that stand well above
that are taken one after another in the same spectrum.  Then all sinusoids are fitted together,
and a new spectrum is made of the residual.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.frequency_settings import FrequencySettings
from lkmrs_dask.variability.grid import FrequencyGrid, nyquist, peak_shift
from lkmrs_dask.variability.images import Mirror, find_mirror, overlaps, settled, start_near_image
from lkmrs_dask.variability.joint_fit import Sinusoids, fit_in_frequency
from lkmrs_dask.variability.noise import is_mirrored, local_noise, rough_noise
from lkmrs_dask.variability.transform import PAD, TAPS, Transforms, interpolate, interpolation_weights

__all__ = ["Prewhitened", "Spectrum", "Wanted", "most_frequencies", "prewhiten"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_REACH = 100.0  # resolution elements on either side of a peak from which a sinusoid is subtracted
_GUARD = 5.0  # a peak must be this many times higher than what others of the same round may have left there
_OVERLAP = 5.0  # resolution elements: closer peaks are not taken in one round, but fitted together first
_LEAST_GAIN = 1e-3  # of a fit between rounds: 0.03 sigma, of which the last step leaves next to nothing
_NEARLY = 0.75  # of the limit of S/N: what the rough noise may be wrong by
_MOST_ASKED = 30  # peaks that are asked in one spectrum without one that passes
_MOST_OUTSIDE = 20  # frequencies below those that are wanted, and above
_LOWER = 3.0  # times the noise: an image that is lower by more is not the frequency itself


class Spectrum:
    """The residual's transform, from which sinusoids can be subtracted.

    Parameters
    ----------
    transforms : Transforms
    """

    def __init__(self, transforms: Transforms) -> None:
        self._transforms = transforms
        grid = transforms.grid
        self.reach = min(int(_REACH * grid.oversampling), grid.last)
        self.set(transforms.data.copy())

    @cached_property
    def mirror(self) -> Mirror | None:
        """Of the sampling, where the grid ends at it."""
        end = nyquist(self._transforms.series.time) / self._transforms.grid.step
        return find_mirror(self._transforms, end)

    @cached_property
    def _around(self) -> Complexes:
        near = self._transforms.window[PAD : PAD + self.reach + PAD + 1]
        return np.concatenate([near[:0:-1].conj(), near])

    def set(self, values: Complexes) -> None:
        """Begin anew with the transform of a residual."""
        self.values = values
        self.power = 4.0 * _power(values[PAD : PAD + self._transforms.grid.last + 1])

    def left_at(self, k: int, place: Floats, phasor: Complexes) -> float:
        """Amplitude that sinusoids that were subtracted have left at a bin, their phases taken as random."""
        far = np.abs(k - place) > self.reach
        if not far.any():
            return 0.0
        place = place[far]
        bins = np.concatenate([np.abs(k - place), k + place]).astype(np.int64)
        # The highest of the bins around: the place lies between two.
        around = self._transforms.window[(bins + (PAD - 1))[:, None] + np.arange(4)]
        lobes = np.abs(around).max(axis=1).reshape(2, -1)
        return float(np.linalg.norm(np.abs(phasor[far]) * lobes))

    def refine(self, k: int) -> float:
        """Place of a local maximum between the bins."""
        return k + peak_shift(*self.power[k - 1 : k + 2])

    def phasor(self, place: float) -> complex:
        """Of the sinusoid that explains a peak, its image at the negative frequency included."""
        value = 2.0 * complex(interpolate(self.values, np.array([place]))[0, 0])
        image = complex(self._transforms.window_at(np.array([2.0 * place]))[0, 0])
        return ((value - image * value.conjugate()) / (1.0 - abs(image) ** 2)).conjugate()

    def start(self, k: int) -> tuple[float, complex]:
        """Place and phasor of the sinusoid that makes a peak."""
        start = start_near_image(self._transforms, self.values, k, self.mirror)
        if start is not None:
            return start
        place = self.refine(k)
        return place, self.phasor(place)

    def inner(self, k: int, noise: float) -> int:
        """Of a peak beyond the mirror and its image the image, unless it is lower by more than the noise."""
        mirror = self.mirror
        if mirror is None or k <= mirror.middle:
            return k
        image = round(mirror.place - k)
        reach = int(self._transforms.grid.oversampling) // 2
        low = max(image - reach, 1)
        high = min(image + reach, int(mirror.middle)) + 1
        if high <= low:
            return k
        best = low + int(self.power[low:high].argmax())
        return best if np.sqrt(self.power[best]) >= np.sqrt(self.power[k]) - _LOWER * noise else k

    def is_near(self, k: int, places: Floats) -> bool:
        """Whether a bin is so close to places, or to their images, that a new fit must come first."""
        mirror = self.mirror if len(places) else None
        both = places if mirror is None else np.concatenate([places, mirror.place - places])
        return bool(np.any(np.abs(k - both) < _OVERLAP * self._transforms.grid.oversampling))

    def subtract(self, place: float, phasor: complex) -> None:
        """Subtract a sinusoid around its place."""
        last = self._transforms.grid.last
        middle = int(np.ceil(place))
        low, high = max(middle - self.reach, 0), min(middle + self.reach, last) + 1
        stretch = slice(PAD + low, PAD + high)
        centre = self.reach + PAD
        copy = _shifted(self._around, centre + low - middle, high - low, middle - place)
        whole = int(np.floor(place))
        image = _shifted(self._transforms.window, PAD + low + whole, high - low, place - whole)
        self.values[stretch] -= 0.5 * (phasor.conjugate() * copy + phasor * image)
        self.power[low:high] = 4.0 * _power(self.values[stretch])


def _power(values: Complexes) -> Floats:
    power: Floats = values.real**2 + values.imag**2
    return power


def _shifted(values: Complexes, start: int, n: int, fraction: float) -> Complexes:
    """Values at start + fraction, start + 1 + fraction, ..."""
    weights = interpolation_weights(np.array(fraction))
    before = TAPS // 2 - 1
    return np.convolve(values[start - before : start - before + n + TAPS - 1], weights[::-1], mode="valid")


class _Search:
    """The power of bins where a peak may still be found; -1 elsewhere."""

    def __init__(self, spectrum: Spectrum, transforms: Transforms, settings: FrequencySettings) -> None:
        self.grid = transforms.grid
        self.half = settings.separation * self.grid.oversampling
        self.spectrum = spectrum
        self.closed = np.zeros(self.grid.last + 1, bool)
        self.closed[: self.grid.first] = True
        self.noise: Floats | None = None

    def close(self, place: float) -> None:
        """No peak is wanted within the separation of a place."""
        low, high = int(np.ceil(place - self.half)), int(np.floor(place + self.half)) + 1
        self.closed[max(low, 0) : max(high, 0)] = True

    def take(self, place: float) -> None:
        """A frequency was found: neither it nor its image is wanted again."""
        self.close(place)
        if self.spectrum.mirror is not None:
            self.close(self.spectrum.mirror.place - place)

    def close_outside(self, place: Floats, wanted: Wanted) -> bool:
        """Close what is slower or faster than wanted when many such were found; true where that is new."""
        slow, fast = (np.count_nonzero(one) >= _MOST_OUTSIDE for one in wanted.outside(place))
        low, high = int(np.ceil(wanted.least)), int(min(wanted.most, self.grid.last)) + 1
        parts = [self.closed[:low]] * bool(slow) + [self.closed[high:]] * bool(fast)
        new = any(not part.all() for part in parts)
        for part in parts:
            part[:] = True
        return new

    def begin(self) -> None:
        """Take over the spectrum."""
        self.power = np.where(self.closed, -1.0, self.spectrum.power)

    def update(self, low: int, high: int) -> None:
        """Take over a stretch of it."""
        low, high = max(low, 0), min(high, self.grid.last + 1)
        power = self.spectrum.power[low:high]
        if self.noise is not None:
            power = power / self.noise[low:high] ** 2
        self.power[low:high] = np.where(self.closed[low:high], -1.0, power)

    def next(self) -> int | None:
        """Highest local maximum; None when there is none."""
        power = self.spectrum.power
        while True:
            k = int(self.power.argmax())
            if self.power[k] <= 0.0:
                return None
            left = power[k - 1] if k > 0 else 0.0
            right = power[k + 1] if k < self.grid.last else 0.0
            inside = 0 < k < self.grid.last
            if inside and left <= power[k] >= right:
                return k
            self._pass_slope(k, -1 if right > power[k] or k == self.grid.last else 1)

    def _pass_slope(self, k: int, direction: int) -> None:
        """Leave out the slope of a peak that lies in a closed stretch."""
        power = self.spectrum.power
        end = k + direction
        while 0 <= end <= self.grid.last and power[end] <= power[end - direction] and self.power[end] >= 0:
            end += direction
        low, high = (k, end) if direction > 0 else (end + 1, k + 1)
        self.power[low:high] = -1.0

    def by_noise(self, settings: FrequencySettings) -> None:
        """Ask from now on for the highest in units of the noise where they are, of what may pass."""
        self.noise = rough_noise(self.spectrum.power, self.grid, settings)
        self.update(0, self.grid.last + 1)
        self.power[self.power < (_NEARLY * settings.snr_min) ** 2] = -1.0


class Prewhitened(NamedTuple):
    """What was found.

    Parameters
    ----------
    sinusoids : Sinusoids
        In order of extraction, fitted together.
    rounds : int
        How often a spectrum was made.
    power : ndarray of float64, optional
        Of the residual, from bin 0 to the grid's last; None when the search ended before it was made.
    """

    sinusoids: Sinusoids
    rounds: int
    power: Floats | None


class Wanted(NamedTuple):
    """Places in bins between which frequencies are wanted, both included."""

    least: float = 0.0
    most: float = np.inf

    def contains(self, place: Floats) -> NDArray[np.bool_]:
        """Which places are wanted."""
        return (place >= self.least) & (place <= self.most)

    def outside(self, place: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which are slower, and which faster."""
        return place < self.least, place > self.most

    def count(self, place: Floats) -> int:
        """How many are."""
        return int(np.count_nonzero(self.contains(place)))


def most_frequencies(n_points: int) -> int:
    """How many sinusoids may be fitted to so many points: two for each unknown, or the noise is fitted."""
    return max(1, (n_points // 2 - 1) // 3)


def prewhiten(
    transforms: Transforms, settings: FrequencySettings, wanted: Wanted | None = None
) -> Prewhitened:
    """Find sinusoids until peaks are lost in the noise.

    Parameters
    ----------
    transforms : Transforms
    settings : FrequencySettings
    wanted : Wanted, optional
        What is slower or faster is taken away too, lest its side lobes pass for others, and does not count.
    """
    wanted = wanted or Wanted()
    spectrum = Spectrum(transforms)
    found = Sinusoids(np.empty(0), np.empty(0, np.complex128))
    rounds = 1
    while True:
        taken = _take_round(transforms, spectrum, settings, found, wanted)
        if not len(taken):
            return Prewhitened(found, rounds, spectrum.power)
        places = np.concatenate([found.place, taken.place])
        phasors = np.concatenate([found.phasor, taken.phasor])
        found = fit_in_frequency(transforms, Sinusoids(places, phasors, found.mean), _LEAST_GAIN)
        found = settled(transforms, found, spectrum.mirror, len(found) - len(taken))
        if wanted.count(found.place) >= settings.max_frequencies:
            return Prewhitened(found, rounds, None)
        residual = transforms.series.flux - transforms.model(found.place, found.phasor, found.mean)
        spectrum.set(transforms.of(residual))
        rounds += 1


def _take(
    spectrum: Spectrum, grid: FrequencyGrid, k: int, settings: FrequencySettings
) -> tuple[float, complex] | None:
    """Place and phasor of a peak, which is subtracted; None when its S/N is too low."""
    least = float(np.sqrt(spectrum.power[k])) / settings.snr_min
    noise = local_noise(spectrum.power, grid, k, settings)
    high = least >= noise
    if not high and (settings.edge_noise == "spectrum" or not is_mirrored(grid, k, settings)):
        return None
    place, phasor = spectrum.start(spectrum.inner(k, noise))
    spectrum.subtract(place, phasor)
    if not high and least < local_noise(spectrum.power, grid, k, settings):
        spectrum.subtract(place, -phasor)
        return None
    return place, phasor


def _take_round(
    transforms: Transforms,
    spectrum: Spectrum,
    settings: FrequencySettings,
    found: Sinusoids,
    wanted: Wanted,
) -> Sinusoids:
    """Peaks of one spectrum that do not disturb each other, highest first."""
    grid = transforms.grid
    search = _Search(spectrum, transforms, settings)
    for place in found.place:
        search.take(place)
    search.close_outside(found.place, wanted)
    search.begin()
    places, phasors = np.empty(0), np.empty(0, np.complex128)
    failures, room = 0, most_frequencies(len(transforms.turn)) - len(found)
    while wanted.count(found.place) + wanted.count(places) < settings.max_frequencies and len(places) < room:
        k = search.next()
        if k is None:
            break
        height = float(np.sqrt(spectrum.power[k]))
        if spectrum.is_near(k, places):
            break
        if height < _GUARD * spectrum.left_at(k, places, phasors):
            break
        peak = _take(spectrum, grid, k, settings)
        if peak is not None:
            place, phasor = peak
            places, phasors = np.append(places, place), np.append(phasors, phasor)
            search.take(place)
            if search.close_outside(np.append(found.place, places), wanted):
                search.begin()
            if overlaps(transforms, round(place), spectrum.mirror):
                break  # its place is but roughly known
        else:
            failures += 1
            if len(places) or failures >= max(_MOST_ASKED, settings.failures):
                break
            search.close(k)
            if failures == settings.failures:
                # Noise differs from place to place: where it is less, lower peaks may stand out.
                search.by_noise(settings)
            if search.noise is not None:
                search.power[search.closed] = -1.0
                continue
        search.update(k - spectrum.reach - 1, k + spectrum.reach + 1)
    return Sinusoids(places, phasors)
