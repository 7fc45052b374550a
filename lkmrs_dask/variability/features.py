"""What describes a variable star to the classifiers: a fixed vector from its light curve and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.bases import base_frequency, multiples_of, nyquist_frequency, simplest_base
from lkmrs_dask.variability.feature_names import FEATURE_NAMES, INDEX
from lkmrs_dask.variability.flicker import (
    expected_nu_max,
    find_hump,
    flicker,
    fliper,
    point_noise,
    power_density,
)
from lkmrs_dask.variability.peaks import Peaks, peaks_of
from lkmrs_dask.variability.series import ppt_about
from lkmrs_dask.variability.shape import (
    alternation,
    fit_fourier,
    folded_shape,
    modulation,
    slow_share,
)

__all__ = ["FeatureSettings", "Peaks", "StarParameters", "as_mapping", "light_curve_features", "peaks_of"]

Floats = NDArray[np.float64]

_LEAST_POINTS = 10
_LOW_SIGMA, _FLARE_SIGMA = 4.0, 5.0
_ETA_BIN = 0.5 / 24.0  # d
_NU_MAX_OF_DWARFS = 1200.0  # uHz: their oscillations are too weak to be looked for


@dataclass(frozen=True)
class FeatureSettings:
    """Borders that features depend on.

    Parameters
    ----------
    low_from, low_to : float
        Frequencies (1/d) of gravity modes: from 0.3 to 5 (Grigahcene et al. 2010; Uytterhoeven et al. 2011).
        Above `low_to` are pressure modes.
    harmonics : int
        Of the Fourier series that describes the shape (ours).
    odd_even : float
        Alternate minima that differ by more than this share of their depth, and by more than five errors,
        double the period (ours).
    tolerance : float
        Two frequencies are the same within this many 1/T (ours; resolution is 1/T).

    Raises
    ------
    UsageError
        When a value makes no sense.
    """

    low_from: float = 0.3
    low_to: float = 5.0
    harmonics: int = 8
    odd_even: float = 0.05
    tolerance: float = 0.5

    def __post_init__(self) -> None:
        """Check every value."""
        good = (
            0 < self.low_from < self.low_to < 1e4
            and 3 <= self.harmonics <= 50
            and 0 < self.odd_even < 1
            and 0 < self.tolerance < 10
        )
        if not good:
            values = ", ".join(f"{one.name} {getattr(self, one.name)!r}" for one in fields(self))
            raise UsageError(
                f"0 < low_from < low_to, 3 to 50 harmonics, odd_even within 0 and 1, tolerance within 0 and "
                f"10 are needed: {values}"
            )


@dataclass(frozen=True)
class StarParameters:
    """What is known of the star beside its light; NaN where nothing is.

    Parameters
    ----------
    teff : float
        Effective temperature, K.
    logg : float
        Surface gravity, dex.
    m_g : float
        Absolute magnitude in Gaia's G.
    rv_amplitude : float
        Half the range of the radial velocities, km/s.
    """

    teff: float = np.nan
    logg: float = np.nan
    m_g: float = np.nan
    rv_amplitude: float = np.nan


def light_curve_features(
    time: ArrayLike,
    flux: ArrayLike,
    peaks: Peaks,
    star: StarParameters | None = None,
    settings: FeatureSettings | None = None,
) -> Floats:
    """Describe a light curve.

    Parameters
    ----------
    time : array_like of float, shape (n,)
        Days, in any order; rows that are not finite are left out.
    flux : array_like of float, shape (n,)
        Relative flux; it is divided by its median.
    peaks : Peaks
        Its significant frequencies; may be empty.
    star : StarParameters, optional
        Parameters of the star.
    settings : FeatureSettings, optional
        Borders.

    Returns
    -------
    ndarray of float64, shape (features,)
        In the order of `lkmrs_dask.variability.feature_names.FEATURE_NAMES`, in the units given there.  NaN
        for what cannot be said: fewer than 10 points, constant flux and a median that is not positive leave
        only what the peaks and the star tell.

    Raises
    ------
    UsageError
        For arrays of different shapes.
    """
    settings, star = settings or FeatureSettings(), star or StarParameters()
    time, flux = np.asarray(time, np.float64).ravel(), np.asarray(flux, np.float64).ravel()
    if len(time) != len(flux):
        raise UsageError(f"{len(time)} times and {len(flux)} fluxes: give one flux for each time")
    if len({len(one) for one in peaks}) != 1:
        raise UsageError(f"the arrays of the peaks have lengths {[len(one) for one in peaks]}: give one each")
    values: dict[str, float] = {
        "teff": star.teff, "logg": star.logg, "m_g": star.m_g, "rv_amplitude": star.rv_amplitude,
    }  # fmt: skip
    good = np.isfinite(time) & np.isfinite(flux)
    order = np.argsort(time[good], kind="stable")
    time, flux = time[good][order], flux[good][order]
    span = float(time[-1] - time[0]) if len(time) else 0.0
    # Without a time series frequencies are told apart as within one sector of TESS.
    tolerance = settings.tolerance / (span if span > 0 else 27.0)
    usable = np.isfinite(peaks.frequency) & np.isfinite(peaks.amplitude) & (peaks.frequency > 0)
    peaks = Peaks(
        peaks.frequency[usable], peaks.amplitude[usable], peaks.snr[usable], peaks.independent[usable]
    )
    values |= _of_peaks(peaks, tolerance, nyquist_frequency(time), settings)
    middle = float(np.median(flux)) if len(flux) else np.nan
    if len(time) >= _LEAST_POINTS and span > 0 and middle > 0:
        values["span"] = span
        ppt = ppt_about(flux, middle)
        if ppt is not None:
            values |= _of_points(time, ppt) | _of_noise(time, ppt, star)
            simplest = simplest_base(time, ppt, values["f_main"], values["f_base"])
            if simplest != values["f_base"]:
                values |= _of_base(peaks, simplest, tolerance)
            values |= _of_shape(time, ppt, values["f_main"], values["f_base"], settings)
    vector = np.full(len(FEATURE_NAMES), np.nan)
    for name, value in values.items():
        vector[INDEX[name]] = value
    return vector


def as_mapping(vector: ArrayLike) -> Mapping[str, float]:
    """Features by name."""
    return dict(zip(FEATURE_NAMES, np.asarray(vector, np.float64).tolist(), strict=True))


def _of_peaks(peaks: Peaks, tolerance: float, nyquist: float, settings: FeatureSettings) -> dict[str, float]:
    """Numbers and amplitudes of the frequencies."""
    frequency, amplitude, snr, independent = peaks
    low = independent & (frequency >= settings.low_from) & (frequency <= settings.low_to)
    high = independent & (frequency > settings.low_to)
    values = {
        "n_peaks": float(len(frequency)),
        "n_low": float(np.count_nonzero(low)),
        "n_high": float(np.count_nonzero(high)),
        "amp_low": _strongest(amplitude[low], 1),
        "amp_high": _strongest(amplitude[high], 1),
        "amp_low_2": _strongest(amplitude[low], 2),
        "amp_high_2": _strongest(amplitude[high], 2),
        "f_main": np.nan,
        "f_base": np.nan,
    }
    if len(frequency) == 0:
        return values
    main = int(np.argmax(amplitude))
    base, _ = base_frequency(frequency, amplitude, tolerance, nyquist)
    close = np.abs(frequency - frequency[main]) < 6.0 * tolerance
    return values | {
        "f_main": float(frequency[main]),
        "amp_main": float(amplitude[main]),
        "snr_main": float(snr[main]),
        "n_close": float(np.count_nonzero(close) - 1),
        **_of_base(peaks, base, tolerance),
    }


def _of_base(peaks: Peaks, base: float, tolerance: float) -> dict[str, float]:
    """Frequencies that are multiples of one."""
    multiple, power = multiples_of(peaks.frequency, base, tolerance), peaks.amplitude**2
    return {
        "f_base": base,
        "n_multiples": float(np.count_nonzero(multiple)),
        "share_multiples": float(power[multiple].sum() / power.sum()) if power.sum() > 0 else np.nan,
    }


def _strongest(amplitude: Floats, place: int) -> float:
    """The largest, second largest, ...; 0 where there are not so many."""
    return float(np.sort(amplitude)[-place]) if len(amplitude) >= place else 0.0


def _of_points(time: Floats, ppt: Floats) -> dict[str, float]:
    """Moments and outliers."""
    away = ppt - ppt.mean()
    variance = float(np.mean(away**2))
    noise = point_noise(ppt)
    # Dips hang from the level that the upper half of the points shows.
    upper = 1.4826 * float(np.median(ppt[ppt >= 0])) if (ppt >= 0).any() else 0.0
    low, high = np.quantile(ppt, [0.05, 0.95])
    jump = ppt[1:-1] - 0.5 * (ppt[:-2] + ppt[2:])
    return {
        "amplitude": 0.5 * float(high - low),
        "skewness": float(np.mean(away**3)) / variance**1.5,
        "kurtosis": float(np.mean(away**4)) / variance**2 - 3.0,
        "eta": _eta(time, ppt),
        "low_share": float(np.mean(ppt < -_LOW_SIGMA * max(upper, noise))),
        "flare_share": float(np.mean(jump > _FLARE_SIGMA * noise * np.sqrt(1.5))) if noise > 0 else np.nan,
        "noise": noise,
    }


def _eta(time: Floats, ppt: Floats) -> float:
    """Mean squared successive difference over the variance, of means in bins of half an hour.

    Neighbours across gaps do not count as successive.

    References
    ----------
    von Neumann 1941, Annals of Mathematical Statistics 12, 367.
    """
    where = ((time - time[0]) / _ETA_BIN).astype(np.int64)
    first = np.flatnonzero(np.diff(where, prepend=-1))
    mean = np.add.reduceat(ppt, first) / np.diff(np.append(first, len(ppt)))
    step = np.diff(where[first])
    # Long cadences leave an empty bin now and then.
    successive = np.diff(mean)[step <= 2]
    variance = float(mean.var())
    return float(np.mean(successive**2)) / variance if len(successive) and variance > 0 else np.nan


def _of_noise(time: Floats, ppt: Floats, star: StarParameters) -> dict[str, float]:
    """Stochastic variation."""
    frequency, density = power_density(time, ppt)
    expected = expected_nu_max(star.teff, star.logg)
    in_reach = not np.isfinite(expected) or expected < _NU_MAX_OF_DWARFS
    ratio, place = find_hump(frequency, density, expected) if in_reach else (np.nan, np.nan)
    return {
        "flicker": flicker(time, ppt),
        "fliper": fliper(frequency, density),
        "hump": ratio,
        "nu_hump": place,
        "nu_ratio": place / expected,
    }


def _of_shape(
    time: Floats, ppt: Floats, main: float, base: float, settings: FeatureSettings
) -> dict[str, float]:
    """Shape of the folded curve, at 1/base or twice that."""
    if not (np.isfinite(main) and base > 0):
        return {}
    period, odd_even = 1.0 / base, alternation(time, ppt, 1.0 / base)
    if odd_even > settings.odd_even:
        period *= 2.0
    series = fit_fourier(time, ppt, 1.0 / period, settings.harmonics)
    # Ratios are those of the variation as it shows: from the first harmonic with most of the light on.
    own = fit_fourier(time, ppt, base, 3)
    power = series.amplitude**2
    total = float(power.sum())
    return {
        "r21": own.ratio(2),
        "r31": own.ratio(3),
        "phi21": own.difference(2),
        "phi31": own.difference(3),
        "even_share": float(power[1::2].sum()) / total if total > 0 else np.nan,
        "sine_share": fit_fourier(time, ppt, main, 1).share,
        "series_share": series.share,
        "period": period,
        "odd_even": odd_even,
        "modulation": modulation(time, ppt, main),
        "slow_share": slow_share(time, ppt, main),
        **folded_shape(time, ppt, period)._asdict(),
    }
