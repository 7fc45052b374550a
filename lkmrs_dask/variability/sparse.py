"""Periods from few points on many nights: the periodogram of several harmonics, fitted together."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.checked import is_number, is_whole
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.variability.bands import Bands, clean_bands
from lkmrs_dask.variability.grid import MOST_BINS, peak_shift
from lkmrs_dask.variability.harmonic_fit import explained_share
from lkmrs_dask.variability.second_look import looked_at, separate_peaks

__all__ = ["BestPeriod", "HarmonicPeriodogram", "best_period", "harmonic_periodogram"]

Floats = NDArray[np.float64]

_FINEST = 1000.0  # points of the grid a resolution element 1/T
_SPARE = 3  # points beyond those that the unknowns take
_CANDIDATES = 10  # of the real stars the published period is among the four highest peaks


class HarmonicPeriodogram(NamedTuple):
    """Share of the weighted variance that harmonics of each frequency take away.

    Parameters
    ----------
    frequency : ndarray of float64, shape (n,)
        1/d.
    power : ndarray of float64, shape (n,)
        From 0 to 1.
    """

    frequency: Floats
    power: Floats


class BestPeriod(NamedTuple):
    """The best period, and how good the next best is.

    Parameters
    ----------
    period : float
        Days.
    power : float
        Share of the weighted variance that the harmonics take away.
    other_period : float
        The next best whose frequency is further than 1/T from the best and from half and twice it; NaN
        without one.
    other_power : float
        Its share; it may be above that of the best, where a finer curve speaks for the best.
    n_points : int
        Points used.
    baseline_d : float
        Last less first time, days.
    n_bands : int
        Bands used.
    log_odds : float
        Natural logarithm of how much likelier the best is than the other by the finer curve: where it is
        below some 5, the nights do not tell the two apart.  NaN without an other, or without a second look.
    n_off : int
        Points left out because they lie further from their band's median than ten times the range of the
        others: placeholders, as 99.99, and slips.  Deep eclipses in less than a twentieth of the points go as
        well.  Bands of fewer than eight points are not asked.
    """

    period: float
    power: float
    other_period: float
    other_power: float
    n_points: int
    baseline_d: float
    n_bands: int
    log_odds: float
    n_off: int = 0


def harmonic_periodogram(
    time: ArrayLike,
    flux: ArrayLike,
    flux_err: ArrayLike | None = None,
    *,
    band: ArrayLike | None = None,
    f_min: float = 0.2,
    f_max: float = 10.0,
    harmonics: int = 3,
    oversampling: float = 3.0,
) -> HarmonicPeriodogram:
    r"""Fit a mean and harmonics of each frequency by weighted least squares.

    The normal equations at all frequencies come from two transforms: with :math:`W(f) = \sum_n w_n e^{2 \pi i
    f t_n}` all of their elements are values of W at multiples of f.  The square of the k-th harmonic's
    amplitude is charged with 0.005 k^2 of its own weight (as a Gaussian prior would), so that few points do
    not let high harmonics run wild between them, and half of a frequency is not as good as the frequency.

    With several bands the light has one shape, and each band its own mean and amplitude.  That amplitude is
    the spread of the band's flux, from the 5th to the 95th percentile: what a fit would find where the nights
    sample the curve well.

    Parameters
    ----------
    time : array_like, shape (n,)
        Days, in any order.
    flux : array_like, shape (n,)
        Flux or magnitude.
    flux_err : array_like, shape (n,), optional
        In the unit of flux; all points weigh the same without.  A tenth of the spread is added in quadrature:
        a few harmonics do not fit a star better than that, however good its errors are.
    band : array_like, shape (n,), optional
        Label of each point's band, of any kind.  Points without one (None, NaN, masked or an empty text) are
        left out, and bands with one point.  Without it all points are of one band.
    f_min, f_max : float
        1/d.  Sparse data have no Nyquist frequency: choose what the kind of star may have.
    harmonics : int
        How many, from 1 to 10.
    oversampling : float
        Points of the grid in 1 / (harmonics x baseline), the resolution of the highest harmonic.

    Returns
    -------
    HarmonicPeriodogram

    Raises
    ------
    UsageError
        For settings that make no sense.
    CatalogError
        For fewer points than three more than the unknowns (2 x harmonics, and a mean a band), or a constant
        flux.

    References
    ----------
    Schwarzenberg-Czerny 1996, ApJ 460, L107; Palmer 2009, ApJ 695, 496; VanderPlas & Ivezic 2015, ApJ 812,
    18 (regularisation, several bands).
    """
    points = _checked(time, flux, flux_err, band, f_min, f_max, harmonics, oversampling)
    return _periodogram(points, f_min, f_max, harmonics, oversampling)


def best_period(
    time: ArrayLike,
    flux: ArrayLike,
    flux_err: ArrayLike | None = None,
    f_min: float = 0.2,
    f_max: float = 10.0,
    harmonics: int = 3,
    *,
    band: ArrayLike | None = None,
    oversampling: float = 3.0,
    finer: int | None = 8,
) -> BestPeriod:
    """Period of few points on many nights: the likeliest of the ten highest peaks of `harmonic_periodogram`.

    Each peak is fitted again with more harmonics whose amplitudes have a prior, and that which makes the data
    likeliest is taken.  For space light curves with thousands of points use
    `lkmrs_dask.variability.find_frequencies`.  Points at one site every night leave aliases (1/d and 1/year
    away): see `BestPeriod.log_odds`.

    Parameters
    ----------
    time, flux, flux_err, band, f_min, f_max, harmonics, oversampling
        As in `harmonic_periodogram`.
    finer : int, optional
        Harmonics of the second look, from 1 to 20, and not less than the others; None for none: the highest
        peak is taken.

    Returns
    -------
    BestPeriod

    Raises
    ------
    UsageError, CatalogError
        As in `harmonic_periodogram`.

    References
    ----------
    Bretthorst 1988, Bayesian Spectrum Analysis and Parameter Estimation (amplitudes integrated out).
    """
    if finer is not None and not is_whole(finer, 1, 20):
        raise UsageError(f"finer must be a whole number from 1 to 20, or None, not {finer!r}")
    points = _checked(time, flux, flux_err, band, f_min, f_max, harmonics, oversampling)
    frequency, power = _periodogram(points, f_min, f_max, harmonics, oversampling)
    tops = separate_peaks(power, harmonics * oversampling, _CANDIDATES)
    candidates = np.array([_refined(frequency, power, int(top)) for top in tops])
    likely = np.full(len(tops), np.nan)
    order = np.arange(len(tops))
    if finer is not None:
        looks = [looked_at(points, float(one), max(finer, harmonics)) for one in candidates]
        candidates, likely = np.array(looks).T
        order = np.argsort(-likely, kind="stable")
    at = order[0]
    best = candidates[at]
    apart = np.ones(len(tops), bool)
    for factor in (0.5, 1.0, 2.0):
        apart &= np.abs(candidates - factor * best) > max(1.0, factor) / points.baseline
    other = next((one for one in order if apart[one]), None)
    return BestPeriod(
        period=float(1.0 / best),
        power=float(power[tops[at]]),
        other_period=np.nan if other is None else float(1.0 / candidates[other]),
        other_power=np.nan if other is None else float(power[tops[other]]),
        n_points=len(points.time),
        baseline_d=points.baseline,
        n_bands=points.n_bands,
        log_odds=np.nan if other is None else float(likely[at] - likely[other]),
        n_off=points.n_off,
    )


def _checked(
    time: ArrayLike,
    flux: ArrayLike,
    flux_err: ArrayLike | None,
    band: ArrayLike | None,
    f_min: float,
    f_max: float,
    harmonics: int,
    oversampling: float,
) -> Bands:
    if not is_whole(harmonics, 1, 10):
        raise UsageError(f"harmonics must be a whole number from 1 to 10, not {harmonics!r}")
    if not (is_number(f_min) and is_number(f_max) and 0 < f_min < f_max):
        raise UsageError(f"0 < f_min < f_max per day is needed, not {f_min!r} and {f_max!r}")
    most = _FINEST / harmonics
    if not (is_number(oversampling) and 1.0 <= oversampling <= most):
        raise UsageError(
            f"oversampling must be from 1 to {most:g} with {harmonics} harmonics, not {oversampling!r}"
        )
    points = clean_bands(time, flux, flux_err, band)
    least = 2 * harmonics + points.n_bands + _SPARE
    if len(points.time) < least:
        bands = f" in {points.n_bands} bands" if points.n_bands > 1 else ""
        raise CatalogError(
            f"{len(points.time)} points can be used: {harmonics} harmonics{bands} need at least {least}"
        )
    return points


def _periodogram(
    points: Bands, f_min: float, f_max: float, harmonics: int, oversampling: float
) -> HarmonicPeriodogram:
    step = 1.0 / (harmonics * oversampling * points.baseline)
    highest = MOST_BINS * step / (2 * harmonics)  # the window is needed so far
    if f_max > highest:
        raise UsageError(
            f"f_max may be at most {highest:.4g} per day for {harmonics} harmonics in {points.baseline:.6g} d"
            f", not {f_max:g}"
        )
    first, last = max(1, math.ceil(f_min / step - 1e-9)), int(f_max / step)
    if last < first:
        raise UsageError(
            f"no frequency of the grid lies between f_min {f_min:g} and f_max {f_max:g} per day: in "
            f"{points.baseline:.6g} d its step is {step:.3g}"
        )
    power = explained_share(points, step, first, last, harmonics)
    frequency: Floats = step * np.arange(first, last + 1, dtype=np.float64)
    return HarmonicPeriodogram(frequency, power)


def _refined(frequency: Floats, power: Floats, at: int) -> float:
    """Top of the parabola through a maximum and its neighbours; the frequency itself at an end."""
    if not 0 < at < len(frequency) - 1:
        return float(frequency[at])
    return float(frequency[at] + peak_shift(*power[at - 1 : at + 2]) * (frequency[1] - frequency[0]))
