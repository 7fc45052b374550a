"""Prewhitening in the frequency domain.

A sinusoid is taken out of the spectrum by subtracting shifted copies of the window's transform around its
peak.  What it leaves further off is bounded by the window's highest side lobe there; peaks that stand well
above that bound are taken one after another in the same spectrum.  Then all sinusoids are fitted together,
and a new spectrum is made of the residual.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.frequency_settings import FrequencySettings
from lkmrs_dask.variability.joint_fit import Sinusoids, fit_in_frequency
from lkmrs_dask.variability.noise import local_noise
from lkmrs_dask.variability.transform import PAD, QUICK, TAPS, Transforms, interpolate, interpolation_weights

__all__ = ["Spectrum", "prewhiten"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_REACH = 100.0  # resolution elements on either side of a peak from which a sinusoid is subtracted
_GUARD = 5.0  # a peak must be this many times higher than what others of the same round may have left there
_OVERLAP = 5.0  # resolution elements: closer peaks are not taken in one round, but fitted together first
_LEAST_FREE = 0.05  # of 1 - |S(2 f)|^2: below, a frequency and its image cannot be told apart


class Spectrum:
    """The residual's transform, from which sinusoids can be subtracted.

    Parameters
    ----------
    transforms : Transforms
    """

    def __init__(self, transforms: Transforms) -> None:
        self._transforms = transforms
        grid = transforms.grid
        self._reach = min(int(_REACH * grid.oversampling), grid.last)
        window = transforms.window
        near = window[PAD : PAD + self._reach + PAD + 1]
        self._around = np.concatenate([near[:0:-1].conj(), near])
        # Highest side lobe from the reach outwards; what lies nearer is subtracted.
        lobes = np.maximum.accumulate(_power(window[PAD + self._reach : len(window) - PAD]))
        self._lobes = lobes
        self.set(transforms.data.copy())

    def set(self, values: Complexes) -> None:
        """Begin anew with the transform of a residual."""
        self.values = values
        self.power = 4.0 * _power(values[PAD : PAD + self._transforms.grid.last + 1])

    def highest_lobe(self, place: float) -> float:
        """Largest share of a sinusoid's amplitude that subtracting it leaves anywhere."""
        last = self._transforms.grid.last
        if place - self._reach <= 0 and place + self._reach >= last:
            return 0.0  # all of the grid was reached
        furthest = int(place) + last + 1 - self._reach  # the image's distance from the last bin
        image = float(self._lobes[min(max(furthest, 0), len(self._lobes) - 1)])
        return float(np.sqrt(image))

    def refine(self, k: int) -> float:
        """Place of the vertex of the parabola through a local maximum and its neighbours."""
        left, middle, right = self.power[k - 1], self.power[k], self.power[k + 1]
        bend = left - 2.0 * middle + right
        return float(k) if bend >= 0 else k + float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5))

    def phasor(self, place: float) -> complex:
        """Of the sinusoid that explains a peak, its image at the negative frequency included."""
        value = 2.0 * complex(interpolate(self.values, np.array([place]))[0, 0])
        image = complex(self._transforms.window_at(np.array([2.0 * place]))[0, 0])
        free = max(1.0 - abs(image) ** 2, _LEAST_FREE)
        return ((value - image * value.conjugate()) / free).conjugate()

    def subtract(self, place: float, phasor: complex) -> None:
        """Subtract a sinusoid around its place."""
        last = self._transforms.grid.last
        middle = int(np.ceil(place))
        low, high = max(middle - self._reach, 0), min(middle + self._reach, last) + 1
        stretch = slice(PAD + low, PAD + high)
        centre = self._reach + PAD
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

    def close(self, place: float) -> None:
        """No peak is wanted within the separation of a place."""
        low, high = int(np.ceil(place - self.half)), int(np.floor(place + self.half)) + 1
        self.closed[max(low, 0) : max(high, 0)] = True

    def begin(self) -> None:
        """Take over the spectrum."""
        self.power = np.where(self.closed, -1.0, self.spectrum.power)

    def update(self, low: int, high: int) -> None:
        """Take over a stretch of it."""
        low, high = max(low, 0), min(high, self.grid.last + 1)
        self.power[low:high] = np.where(self.closed[low:high], -1.0, self.spectrum.power[low:high])

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


def prewhiten(transforms: Transforms, settings: FrequencySettings) -> tuple[Sinusoids, int]:
    """Find sinusoids until peaks are lost in the noise.

    Parameters
    ----------
    transforms : Transforms
    settings : FrequencySettings

    Returns
    -------
    sinusoids : Sinusoids
        In order of extraction, fitted together.
    rounds : int
        How often a spectrum was made.
    """
    spectrum = Spectrum(transforms)
    found = Sinusoids(np.empty(0), np.empty(0, np.complex128))
    rounds = 1
    while True:
        taken = _take_round(transforms, spectrum, settings, found)
        if not taken:
            return found, rounds
        places = np.concatenate([found.place, [place for place, _ in taken]])
        phasors = np.concatenate([found.phasor, [phasor for _, phasor in taken]])
        found = fit_in_frequency(transforms, Sinusoids(places, phasors, found.mean))
        if len(found) >= settings.max_frequencies:
            return found, rounds
        residual = transforms.series.flux - transforms.model(found.place, found.phasor, found.mean, QUICK)
        spectrum.set(transforms.of(residual))
        rounds += 1


def _take_round(
    transforms: Transforms, spectrum: Spectrum, settings: FrequencySettings, found: Sinusoids
) -> list[tuple[float, complex]]:
    """Peaks of one spectrum that do not disturb each other, highest first."""
    grid = transforms.grid
    search = _Search(spectrum, transforms, settings)
    for place in found.place:
        search.close(place)
    search.begin()
    taken: list[tuple[float, complex]] = []
    left, failures = 0.0, 0
    reach = int(_REACH * grid.oversampling) + 1
    while len(found) + len(taken) < settings.max_frequencies:
        k = search.next()
        if k is None:
            break
        height = float(np.sqrt(spectrum.power[k]))
        near = any(abs(k - place) < _OVERLAP * grid.oversampling for place, _ in taken)
        if taken and (near or height < _GUARD * left):
            break
        if not height >= settings.snr_min * local_noise(spectrum.power, grid, k, settings):
            failures += 1
            if taken or failures >= settings.failures:
                break
            search.close(k)
            search.update(k - reach, k + reach)
            continue
        place = spectrum.refine(k)
        phasor = spectrum.phasor(place)
        spectrum.subtract(place, phasor)
        taken.append((place, phasor))
        left += abs(phasor) * spectrum.highest_lobe(place)
        search.close(place)
        search.update(k - reach, k + reach)
    return taken
