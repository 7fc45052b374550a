"""Frequencies of a light curve: iterative prewhitening to a limit of S/N."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.beyond import is_even, searched_grid, wider_grid
from lkmrs_dask.variability.combinations import find_relations, instrumental_lines
from lkmrs_dask.variability.frequency_settings import INSTRUMENTAL_LINES, FrequencySettings
from lkmrs_dask.variability.grid import FrequencyGrid, frequency_grid, nyquist
from lkmrs_dask.variability.images import near_image, seen_amplitude
from lkmrs_dask.variability.joint_fit import Sinusoids, fit_in_frequency, fit_in_time, normal_matrix
from lkmrs_dask.variability.noise import local_noise, noise_definition
from lkmrs_dask.variability.one_thread import ONE_THREAD
from lkmrs_dask.variability.prewhiten import Prewhitened, Wanted, prewhiten
from lkmrs_dask.variability.series import Series, clean_series
from lkmrs_dask.variability.transform import PAD, Transforms
from lkmrs_dask.variability.uncertainties import FrequencyErrors, correlation_length, frequency_errors

__all__ = ["ALIASED", "INSTRUMENTAL", "LEAST_OVERSAMPLING", "UNRESOLVED", "Frequencies", "find_frequencies"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

UNRESOLVED = 1
"""Flag: another frequency, or power that would pass for one, lies within the separation (1.5/T); or its own
image does, some 0.4/T from the Nyquist frequency: amplitude, phase and errors are not to be trusted then."""

INSTRUMENTAL = 2
"""Flag: the frequency lies on a line of the spacecraft."""

LEAST_OVERSAMPLING = 5.0
"""Below, values between the points of the grid are not accurate enough."""

ALIASED = 4
"""Flag: sampling leaves others that fit almost as well, which the error does not tell of: the window has a
side lobe of 0.8 or more beyond 0.8/T, as that of sectors a year apart has."""

_HIGH_LOBE, _BEYOND = 0.8, 0.8
_FLAG_NAMES = {UNRESOLVED: "unresolved", INSTRUMENTAL: "instrumental", ALIASED: "aliased"}


@dataclass(frozen=True)
class Frequencies:
    r"""What `find_frequencies` found; arrays have shape (n,) and are in order of extraction.

    The model is :math:`mean + \sum_j A_j \cos(2\pi f_j (t - t_0) + \phi_j)`.

    Parameters
    ----------
    frequency, frequency_err : ndarray of float64
        Cycles per day.
    amplitude, amplitude_err : ndarray of float64
        In the unit of flux.
    phase, phase_err : ndarray of float64
        Radians, from -pi to pi, at `time_zero`.
    snr, noise : ndarray of float64
        Amplitude over noise, and the noise (unit of flux), both in the final residual.  Within 0.4/T of
        the Nyquist frequency, where frequency and image are one peak, its height over noise.
    harmonic_of, harmonic, harmonic_divisor : ndarray of int64
        See `lkmrs_dask.variability.combinations.Relations`.
    combination_of, combination : ndarray of int64, shape (n, 2)
        See there.
    flags : ndarray of int64
        Sum of `UNRESOLVED`, `INSTRUMENTAL` and `ALIASED`.
    n_points : int
        Points used.
    baseline_d : float
        Last less first time, days.
    time_zero : float
        Middle of the baseline, on the scale of the times given.
    mean : float
        Of the fit, in the unit of flux.
    residual_rms : float
        Weighted root mean square of the residual, without those of `n_slow` and `n_fast` too.
    correlation : float
        Correlation length of the residual in points.
    n_slow, n_fast : int
        Frequencies below `f_min` and above `f_max` that were taken away too; they are not part of the model.
    noise_definition : str
    n_rounds : int
        Spectra that were made.
    stopped_by : str
        "noise" or "max_frequencies".
    settings : FrequencySettings
    """

    frequency: Floats
    frequency_err: Floats
    amplitude: Floats
    amplitude_err: Floats
    phase: Floats
    phase_err: Floats
    snr: Floats
    noise: Floats
    harmonic_of: Integers
    harmonic: Integers
    harmonic_divisor: Integers
    combination_of: Integers
    combination: Integers
    flags: Integers
    n_points: int
    baseline_d: float
    time_zero: float
    mean: float
    residual_rms: float
    correlation: float
    n_slow: int
    n_fast: int
    noise_definition: str
    n_rounds: int
    stopped_by: str
    settings: FrequencySettings

    def __len__(self) -> int:
        return len(self.frequency)

    def model(self, time: ArrayLike) -> Floats:
        """Mean and sinusoids at any times, in the unit of flux."""
        t = np.asarray(time, np.float64) - self.time_zero
        values = np.full(t.shape, self.mean)
        for f, a, p in zip(self.frequency, self.amplitude, self.phase, strict=True):
            values += a * np.cos(2.0 * np.pi * f * t + p)
        return values

    def as_dict(self) -> dict[str, Any]:
        """For JSON: what is of the whole light curve, and ``frequencies``, a list of one mapping each.

        Of a frequency: frequency, amplitude and phase, each with ``_err``; snr; ``harmonic_of`` (None, or the
        row, multiple and divisor, and whether it is seen reflected at the Nyquist frequency),
        ``combination_of`` (None, or a list of rows and factors), ``flags`` (names).  Rows count from 0.  What
        is not finite is None.
        """
        return {
            "n_points": self.n_points,
            "baseline_d": self.baseline_d,
            "time_zero": self.time_zero,
            "mean": self.mean,
            "residual_rms": self.residual_rms,
            "correlation": self.correlation,
            "n_slow": self.n_slow,
            "n_fast": self.n_fast,
            "noise_definition": self.noise_definition,
            "snr_min": self.settings.snr_min,
            "stopped_by": self.stopped_by,
            "frequencies": [self._row(i) for i in range(len(self))],
        }

    def _row(self, i: int) -> dict[str, Any]:
        names = ("frequency", "frequency_err", "amplitude", "amplitude_err", "phase", "phase_err", "snr")
        row: dict[str, Any] = {name: _or_none(getattr(self, name)[i]) for name in names}
        row["harmonic_of"] = self._harmonic(i)
        pair = self.combination_of[i]
        row["combination_of"] = (
            None
            if pair[0] < 0
            else [{"row": int(p), "factor": int(k)} for p, k in zip(pair, self.combination[i], strict=True)]
        )
        row["flags"] = [name for bit, name in _FLAG_NAMES.items() if self.flags[i] & bit]
        return row

    def _harmonic(self, i: int) -> dict[str, Any] | None:
        parent, multiple, divisor = (
            int(values[i]) for values in (self.harmonic_of, self.harmonic, self.harmonic_divisor)
        )
        if parent < 0:
            return None
        base = self.frequency[parent] / divisor
        reflected = bool(abs(self.frequency[i] - multiple * base) > 0.5 * base)
        return {"row": parent, "multiple": multiple, "divisor": divisor, "reflected": reflected}


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def find_frequencies(
    time: ArrayLike,
    flux: ArrayLike,
    snr_min: float = 5.6,
    flux_err: ArrayLike | None = None,
    *,
    f_min: float | None = None,
    f_max: float | None = None,
    oversampling: float = 10.0,
    mission: str | None = None,
    settings: FrequencySettings | None = None,
    **options: Any,
) -> Frequencies:
    """Find the frequencies of a light curve.

    The highest peak of the residual's amplitude spectrum is taken while its S/N is at least `snr_min`; all
    frequencies, amplitudes and phases and the mean are fitted together.  The data are transformed a few times
    in all, not once a frequency: see `lkmrs_dask.variability.prewhiten`.  The last iteration of the fit
    is one on the data themselves.  What has an S/N below the limit in the final residual is left out again.
    Slow changes from 1/T to `f_min` are taken away too, lest their side lobes pass for frequencies.

    Parameters
    ----------
    time : array_like, shape (n,)
        Days.  Need not be sorted.
    flux : array_like, shape (n,)
        Flux or magnitude.
    snr_min : float
        Least amplitude over noise.
    flux_err : array_like, shape (n,), optional
        In the unit of flux; all points weigh the same without.
    f_min, f_max, oversampling : float, optional
        See `lkmrs_dask.variability.grid.frequency_grid`; at least 5 points a resolution element.
    mission : {"kepler", "k2", "tess"}, optional
        Whose instrumental lines are flagged.
    settings : FrequencySettings, optional
        All settings, instead of `snr_min` and options.
    **options
        Single settings of `FrequencySettings`: ``max_frequencies``, ``noise``, ``window``, ...

    Returns
    -------
    Frequencies
        With empty arrays when nothing is found.

    Raises
    ------
    UsageError
        For settings that make no sense.
    CatalogError
        For fewer than 10 points that can be used, or a constant flux.

    References
    ----------
    Zong et al. 2016, A&A 585, A22 (the limit of 5.6); Loumos & Deeming 1978 (separation);
    Montgomery & O'Donoghue 1999 (errors).
    """
    settings = _settings(snr_min, mission, settings, options)
    if not oversampling >= LEAST_OVERSAMPLING:
        raise UsageError(
            f"oversampling must be {LEAST_OVERSAMPLING:g} or more for frequencies, not {oversampling}"
        )
    with ONE_THREAD:
        series = clean_series(time, flux, flux_err)
        wanted = frequency_grid(series.time, f_min, f_max, oversampling)
        return _find(series, wanted, settings)


def _find(series: Series, wanted: FrequencyGrid, settings: FrequencySettings) -> Frequencies:
    # To 0.1/T, as well as a frequency of S/N 5.6 is known.
    limits = Wanted(wanted.first - 1.0, wanted.last + 1.0)
    grid: FrequencyGrid | None = searched_grid(series, wanted)
    while grid is not None:
        transforms = Transforms(series, grid)
        first = prewhiten(transforms, settings, limits)
        found, residual, noise, power = _finish(transforms, first, settings)
        grid = wider_grid(series, grid, power, residual)
    errors = _errors(transforms, found, residual, noise, settings)
    full = limits.count(first.sinusoids.place) >= settings.max_frequencies
    told = limits.contains(found.place)
    n_slow, n_fast = (int(np.count_nonzero(one)) for one in limits.outside(found.place))
    found, noise = replace(found, place=found.place[told], phasor=found.phasor[told]), noise[told]
    errors = FrequencyErrors(*(values[told] for values in errors))
    frequency, amplitude = wanted.step * found.place, np.abs(found.phasor)
    mirror = nyquist(series.time) if len(frequency) > 1 and is_even(series.time) else math.inf
    relations = find_relations(frequency, errors.frequency, amplitude, series.baseline, settings, mirror)
    flags = _flags(transforms, found, noise, power, settings)
    return Frequencies(
        frequency=frequency,
        frequency_err=errors.frequency,
        amplitude=amplitude,
        amplitude_err=errors.amplitude,
        phase=np.angle(found.phasor),
        phase_err=errors.phase,
        snr=seen_amplitude(transforms, found) / noise,
        noise=noise,
        **relations._asdict(),
        flags=flags,
        n_points=len(series.time),
        baseline_d=series.baseline,
        time_zero=series.time_zero,
        mean=series.mean + found.mean,
        residual_rms=float(np.sqrt(series.weights @ residual**2)),
        correlation=correlation_length(residual),
        n_slow=n_slow,
        n_fast=n_fast,
        noise_definition=noise_definition(settings),
        n_rounds=first.rounds,
        stopped_by="max_frequencies" if full else "noise",
        settings=settings,
    )


def _settings(
    snr_min: float, mission: str | None, settings: FrequencySettings | None, options: dict[str, Any]
) -> FrequencySettings:
    if np.ndim(snr_min) > 0:
        raise UsageError("snr_min must be a number; errors of the flux are flux_err=...")
    if settings is not None:
        if options or mission is not None or snr_min != FrequencySettings.snr_min:
            raise UsageError("give either settings or single options, not both")
        return settings
    unknown = sorted(set(options) - set(FrequencySettings.__dataclass_fields__))
    if unknown:
        raise UsageError(f"find_frequencies has no option {', '.join(unknown)}")
    if mission is not None:
        if mission not in INSTRUMENTAL_LINES:
            raise UsageError(f"mission must be one of {', '.join(INSTRUMENTAL_LINES)}, not {mission!r}")
        options = {"lines": INSTRUMENTAL_LINES[mission], **options}
    return FrequencySettings(snr_min=snr_min, **options)


def _finish(
    transforms: Transforms, first: Prewhitened, settings: FrequencySettings
) -> tuple[Sinusoids, Floats, Floats, Floats]:
    """Last iteration, and S/N in its residual; what is below the limit goes, and all is done again."""
    grid = transforms.grid
    found, _, power = first
    while True:
        found, residual = fit_in_time(transforms, found)
        if power is None:
            power = _power(transforms, residual)
        noise = np.array([local_noise(power, grid, place, settings) for place in found.place])
        keep = seen_amplitude(transforms, found) >= settings.snr_min * noise
        if keep.all():
            return found, residual, noise, power
        found, power = fit_in_frequency(transforms, found.chosen(keep)), None


def _power(transforms: Transforms, residual: Floats) -> Floats:
    values = transforms.of(residual)[PAD : PAD + transforms.grid.last + 1]
    power: Floats = 4.0 * (values.real**2 + values.imag**2)
    return power


def _flags(
    transforms: Transforms, found: Sinusoids, noise: Floats, power: Floats, settings: FrequencySettings
) -> Integers:
    grid = transforms.grid
    half = settings.separation * grid.oversampling
    flags, near = np.zeros(len(found), np.int64), near_image(transforms, found.place)
    for i, place in enumerate(found.place):
        others = np.delete(found.place, i)
        low, high = max(int(np.ceil(place - half)), 0), int(np.floor(place + half)) + 1
        left = power[low:high].max(initial=0.0)
        if near[i] or np.any(np.abs(others - place) < half) or left >= (settings.snr_min * noise[i]) ** 2:
            flags[i] |= UNRESOLVED
    on_line = instrumental_lines(grid.step * found.place, settings.lines, transforms.series.baseline)
    flags[on_line] |= INSTRUMENTAL
    if len(found) and _is_ambiguous(transforms):
        flags |= ALIASED
    return flags


def _is_ambiguous(transforms: Transforms) -> bool:
    """Whether the window has side lobes nearly as high as its peak."""
    grid = transforms.grid
    # As far as two frequencies of the grid can be apart.
    beyond = transforms.window[
        PAD + math.ceil(_BEYOND * grid.oversampling) : PAD + grid.last - grid.first + 1
    ]
    return bool(np.abs(beyond).max(initial=0.0) >= _HIGH_LOBE)


def _errors(
    transforms: Transforms, found: Sinusoids, residual: Floats, noise: Floats, settings: FrequencySettings
) -> FrequencyErrors:
    if len(found) == 0:  # the window, which takes a transform, is not needed
        return FrequencyErrors(*(np.full(len(found), np.nan) for _ in range(3)))
    matrix = normal_matrix(transforms, found, float(transforms.series.weights @ residual**2))
    return frequency_errors(found.phasor, matrix, noise, transforms.grid.step, settings.noise)
