"""What is told of a period: the fit that is adopted, errors by the draws, tests and flags."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from lkmrs_dask.stars.orbits.epochs import Epochs
from lkmrs_dask.stars.orbits.kepler import mass_function, orbit_basis
from lkmrs_dask.stars.orbits.marginal import linear_fit
from lkmrs_dask.stars.orbits.posterior import Draws, gaussian_draws, weighted_quantile
from lkmrs_dask.stars.orbits.refine import Modes
from lkmrs_dask.stars.orbits.settings import OrbitSettings
from lkmrs_dask.stars.orbits.solution import OrbitSolution, elements, phase_gaps

__all__ = ["SAME", "Family", "Period", "describe", "residuals"]

Floats = NDArray[np.float64]

SAME = 0.25
"""Periods closer in frequency than this, over the baseline, are one solution."""

_WIDE = 1.7  # a posterior wider than the fit's error by this is not normal: medians are told
_LEAST_DRAWS = 30.0  # effective draws below which the fit's covariance gives the errors


class Family(NamedTuple):
    """Fits of one kind, their evidence, and draws about the best of them."""

    eccentric: bool
    modes: Modes
    ln_evidence: Floats
    draws: Draws
    sampled: int


class Period(NamedTuple):
    """A solution: its frequency (1/d), posterior probability, and the draws that are nearest, by family."""

    frequency: float
    weight: float
    draws: dict[bool, Draws]


def residuals(epochs: Epochs, mode: Modes) -> Floats:
    """Velocities less those of the first orbit of `mode`, km/s."""
    basis = orbit_basis(epochs.time, mode.frequency, mode.h, mode.k)
    gamma, a, b = mode.linear.coefficients[0]
    return epochs.rv - gamma - a * basis.u1[0] - b * basis.u2[0]


def _best_near(family: Family, frequency: float, baseline: float) -> Modes | None:
    """The fit of least cost at a period."""
    near = np.flatnonzero(np.abs(family.modes.frequency - frequency) <= SAME / baseline)
    if not len(near):
        return None
    return family.modes.take(near[[int(np.argmin(family.modes.linear.cost[near]))]])


def describe(
    epochs: Epochs,
    settings: OrbitSettings,
    families: list[Family],
    period: Period,
    common: tuple[str, ...],
    rng: np.random.Generator,
) -> OrbitSolution:
    """Everything about one period.

    Parameters
    ----------
    epochs : Epochs
        With all jitter in the errors.
    settings : OrbitSettings
        Least epochs and significance of an eccentricity.
    families : list of Family
        Circular and, where there are any, eccentric fits.
    period : Period
        Which.
    common : tuple of str
        Flags that all solutions of the star have.
    rng : numpy.random.Generator
        Used where draws about the fit are too few.

    Returns
    -------
    OrbitSolution
    """
    fits = {one.eccentric: _best_near(one, period.frequency, epochs.baseline) for one in families}
    flat, bent = fits.get(False), fits.get(True)
    few = epochs.n_epochs < settings.min_epochs_eccentric
    lucy = np.nan if few or bent is None else _lucy_sweeney(epochs, settings, flat, bent)
    eccentric = bent is not None and not few and (flat is None or lucy < settings.e_significance)
    mode = bent if eccentric or flat is None else flat
    assert mode is not None  # a period is that of a fit of one family or the other
    near, weight = period.draws, period.weight
    values, errors, median = _estimates(epochs, near, mode, eccentric, few, rng)
    e_upper = np.nan
    if True in near and len(near[True].h):
        bent_draws = near[True]
        relative = np.exp(bent_draws.ln_weight - bent_draws.ln_weight.max())
        e_upper = weighted_quantile(np.hypot(bent_draws.h, bent_draws.k), relative, 0.95)
    best = bent if few and bent is not None and bent.linear.chi2[0] < mode.linear.chi2[0] else mode
    parameters = 6 if best is bent else 4
    chi2 = float(best.linear.chi2[0])
    constant = float(epochs.weight @ epochs.rv**2)
    delta_bic = constant - chi2 - (parameters - 1) * float(np.log(epochs.n))
    coverage, gap = phase_gaps(epochs.time, values["period"])
    flags = _flags(epochs, settings, values, errors, chi2, parameters, best, few, eccentric)
    flags |= {"aliases": weight < 0.95, "weak": delta_bic < 10.0, "phase_gap": gap >= 0.4}
    return OrbitSolution(
        model="posterior" if median else "keplerian" if eccentric else "circular",
        e_upper=e_upper, chi2=chi2, weight=weight, lucy_sweeney=lucy, delta_bic=delta_bic,
        mass_function=float(mass_function(values["period"], values["k"], values["e"])),
        phase_coverage=coverage, max_phase_gap=gap,
        flags=tuple(name for name, on in flags.items() if on) + common,
        **values, **{f"{name}_err": value for name, value in errors.items()},
    )  # fmt: skip


def _lucy_sweeney(epochs: Epochs, settings: OrbitSettings, flat: Modes | None, bent: Modes) -> float:
    """Probability that an orbit which is circular gives a fit as eccentric as this one."""
    if epochs.n <= 6:
        return np.nan
    zero = np.zeros(1)
    linear = flat.linear if flat is not None else linear_fit(epochs, settings, bent.frequency, zero, zero)
    ratio = float(bent.linear.chi2[0] / max(linear.chi2[0], 1e-300))
    return min(1.0, ratio) ** (0.5 * (epochs.n - 6))


def _estimates(
    epochs: Epochs, near: dict[bool, Draws], mode: Modes, eccentric: bool, few: bool, rng: np.random.Generator
) -> tuple[dict[str, float], dict[str, float], bool]:
    """Values, errors by the draws, and whether values are medians of the draws, not those of the fit."""
    own = Draws(*mode[:3], mode.linear.coefficients, np.zeros(1))
    # A circular orbit's errors allow for the eccentricity that was not seen.
    parts = [near[True]] if eccentric and not few else list(near.values())
    draws = Draws(*(np.concatenate([getattr(one, name) for one in parts]) for name in Draws._fields))
    weight = np.exp(draws.ln_weight - draws.ln_weight.max()) if len(draws.h) else np.zeros(0)
    if not len(weight) or weight.sum() ** 2 < _LEAST_DRAWS * (weight**2).sum():
        draws = gaussian_draws(mode, mode.covariance.shape[1] == 6, 1000, rng)
        weight = np.ones(len(draws.h))
    fitted = float(np.sqrt(mode.covariance[0, 0, 0]))
    half, width = _middle(draws.frequency - own.frequency, weight)
    # The posterior of a period that is not covered has a long tail to longer ones.
    skewed = 1.0 / own.frequency[0] > epochs.baseline and abs(half) > 0.5 * width
    median = bool(few or skewed or width > _WIDE * fitted)
    circular = not eccentric and not median
    at = {name: float(one[0]) for name, one in elements(own, circular, epochs.middle, epochs.offset).items()}
    values, errors = {}, {}
    for name, drawn in elements(draws, circular, epochs.middle, epochs.offset).items():
        turn = {"omega": 2.0 * np.pi, "t0": at["period"]}.get(name)
        away = drawn - at[name]
        if turn is not None:
            away -= turn * np.round(away / turn)
        half, width = _middle(away, weight)
        values[name] = at[name] + (half if median else 0.0)
        # Draws of eccentric orbits may lie to one side of a circular one.
        errors[name] = float(np.hypot(width, half)) if circular else width
    values["omega"] = float(np.mod(values["omega"], 2.0 * np.pi))
    if circular or values["e"] == 0.0:
        values["e"], values["omega"], errors["e"], errors["omega"] = 0.0, np.nan, np.nan, np.nan
    return values, errors, median


def _middle(values: Floats, weight: Floats) -> tuple[float, float]:
    """Weighted median and half the width of the central 68 %."""
    low, half, high = (weighted_quantile(values, weight, share) for share in (0.1587, 0.5, 0.8413))
    return half, (high - low) / 2.0


def _flags(
    epochs: Epochs,
    settings: OrbitSettings,
    values: dict[str, float],
    errors: dict[str, float],
    chi2: float,
    parameters: int,
    mode: Modes,
    few: bool,
    eccentric: bool,
) -> dict[str, bool]:
    period = values["period"]
    longest = 1.0 / settings.lowest_frequency(epochs.baseline)
    e_most = float(settings.e_limit(1.0 / period))
    limits = (
        period <= settings.min_period * 1.001,
        period >= longest * 0.999,
        eccentric and values["e"] >= 0.99 * e_most,
        values["k"] >= settings.max_k,
    )
    size = np.abs(residuals(epochs, mode)) / epochs.error
    typical = 1.4826 * float(np.median(size))
    free = epochs.n - parameters
    return {
        "few_epochs": few,
        "long_period": period > epochs.baseline,
        "at_limit": any(limits),
        "e_unconstrained": few or (eccentric and errors["e"] > 0.15),
        "outlier": epochs.n >= 10 and bool(size.max() > max(5.0 * typical, 2.5)),
        "poor_fit": free > 0 and float(gammaincc(free / 2.0, chi2 / 2.0)) < 1e-3,
    }
