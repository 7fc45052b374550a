"""What an orbit search gives, and how parameters and their errors follow from fits and draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.stars.orbits.posterior import Draws

__all__ = ["FLAGS", "OrbitSolution", "OrbitSolutions", "elements", "phase_gaps"]

Floats = NDArray[np.float64]

FLAGS = {
    "few_epochs": "too few epochs for an eccentricity: values are medians of the posterior",
    "aliases": "this period has less than 95 % of the posterior probability",
    "phase_gap": "two fifths of the period or more are without a velocity",
    "long_period": "the period is longer than the baseline",
    "at_limit": "period, eccentricity or semi-amplitude lies at the limit of what was sought",
    "e_unconstrained": "the error of the eccentricity is above 0.15, or there are too few epochs",
    "weak": "hardly better than a constant velocity (difference in BIC below 10)",
    "poor_fit": "chi-square is too large by its probability (below 0.001)",
    "outlier": "one velocity is far from an orbit that fits the others",
    "one_velocity": "most of the variation is that of one velocity",
    "coarse_grid": "fewer trial frequencies than the baseline asks for: orbits may have been missed",
    "rows_left_out": "some rows had no usable time, velocity or error",
}
"""Flags of a solution and what they mean."""


@dataclass(frozen=True)
class OrbitSolution:
    """One possible orbit.

    Parameters
    ----------
    model : {"circular", "keplerian", "posterior"}
        Fit of which the values are; "posterior" for medians of the posterior, where epochs are few, or the
        posterior is much wider than the fit's errors say (a period that is hardly covered).
    period, k, e, omega, t0, gamma : float
        Days, km/s, eccentricity, argument of periastron in radians (0 to 2 pi), a time of periastron near
        the mean time, km/s.  For a circular orbit e is 0, omega NaN, and t0 a time of greatest velocity.
    period_err, k_err, e_err, omega_err, t0_err, gamma_err : float
        Half the width of the central 68 % of the posterior; those of a circular orbit allow for an
        eccentricity that was not seen.  NaN where not fitted.
    e_upper : float
        The eccentricity is below, with 95 % probability; NaN where no eccentric orbit was possible.
    chi2 : float
        Of the best fit, with the jitter in the errors.
    mass_function : float
        Solar masses.
    weight : float
        Posterior probability of this period.
    lucy_sweeney : float
        Probability that a circular orbit looks as eccentric (Lucy & Sweeney 1971, AJ 76, 544); NaN for few
        epochs.
    delta_bic : float
        BIC of a constant velocity less that of the orbit: large for a good orbit.
    phase_coverage, max_phase_gap : float
        Share of ten phase bins with a velocity, and the longest stretch without one in periods.
    flags : tuple of str
        Names of `FLAGS`.
    """

    model: str
    period: float
    period_err: float
    k: float
    k_err: float
    e: float
    e_err: float
    e_upper: float
    omega: float
    omega_err: float
    t0: float
    t0_err: float
    gamma: float
    gamma_err: float
    chi2: float
    mass_function: float
    weight: float
    lucy_sweeney: float
    delta_bic: float
    phase_coverage: float
    max_phase_gap: float
    flags: tuple[str, ...]


@dataclass(frozen=True)
class OrbitSolutions:
    """All orbits of a star, the most probable first.

    Parameters
    ----------
    solutions : tuple of OrbitSolution
        Empty where nothing could be sought.
    status : str
        "ok", or why there is no solution.
    n, n_epochs : int
        Velocities used, and epochs that they make.
    n_unused : int
        Rows left out.
    baseline : float
        Days; NaN without a velocity.
    jitter : float
        Added to the errors in quadrature by the fit, km/s, beside the setting's.
    chi2_constant : float
        Of a constant velocity, with the jitter in the errors; NaN without a search.
    """

    solutions: tuple[OrbitSolution, ...]
    status: str
    n: int
    n_epochs: int
    n_unused: int
    baseline: float
    jitter: float
    chi2_constant: float


def elements(draws: Draws, circular: bool, middle: float, offset: float) -> dict[str, Floats]:
    """Orbital elements of draws: period, k, e, omega, t0 and gamma by name."""
    a, b = draws.coefficients[:, 1], draws.coefficients[:, 2]
    longitude, m0 = np.arctan2(b, a), np.arctan2(draws.k, draws.h)
    rate = 2.0 * np.pi * draws.frequency
    start = -longitude if circular else -m0
    return {
        "period": 1.0 / draws.frequency,
        "k": np.hypot(a, b),
        "e": np.hypot(draws.h, draws.k),
        "omega": np.mod(longitude - m0, 2.0 * np.pi),
        "t0": middle + start / rate,
        "gamma": offset + draws.coefficients[:, 0],
    }


def phase_gaps(time: Floats, period: float) -> tuple[float, float]:
    """Share of ten phase bins with a time in them, and the longest gap in phase (1 for a single phase)."""
    phase = np.sort(np.mod(time / period, 1.0))
    coverage = len(np.unique(np.minimum((phase * 10).astype(int), 9))) / 10
    gaps = np.diff(np.append(phase, phase[0] + 1.0))
    return coverage, float(gaps.max())
