"""Orbits of one star: scan, fits, posterior weights, and the list of periods that remain."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from lkmrs_dask.stars.orbits.describe import SAME, Family, Period, describe, residuals
from lkmrs_dask.stars.orbits.epochs import Epochs
from lkmrs_dask.stars.orbits.posterior import (
    draw_about,
    laplace_evidence,
)
from lkmrs_dask.stars.orbits.refine import Modes, refine_orbits
from lkmrs_dask.stars.orbits.scan import SCAN_E, Starts, orbit_scan
from lkmrs_dask.stars.orbits.settings import OrbitSettings
from lkmrs_dask.stars.orbits.solution import OrbitSolutions

__all__ = ["orbit_search"]

Floats = NDArray[np.float64]

_CIRCULAR_STARTS, _STARTS = 80, 30
_SMOOTHING = 0.15  # error added before the scan, in standard deviations of the velocities
_KEPT = 60  # modes of a family that are fitted with the true errors
_SAMPLED = 16  # modes of a family about which draws are made
_ALONE = 0.5  # one velocity without which the others vary by less than this share makes the variation
_LONG, _RIDGE_STEP = 2.0, 0.1  # in frequency times baseline


def orbit_search(
    time: ArrayLike, rv: ArrayLike, rv_err: ArrayLike, settings: OrbitSettings | None = None
) -> OrbitSolutions:
    """Find the orbits that a star's velocities allow.

    Every trial frequency is tried with a few eccentricities and all phases; the best are fitted with their
    true errors; draws about the fits say how probable each is and how far it may be off.  Nothing is random
    from call to call.

    Parameters
    ----------
    time, rv, rv_err : array_like of float, shape (n,)
        Days (of any kind, such as BJD), km/s, km/s; in any order.  Rows without a finite time and velocity
        and a positive finite error are not used.
    settings : OrbitSettings, optional
        Priors and limits.

    Returns
    -------
    OrbitSolutions
        Without a solution, and with the reason as its status, for too few epochs or equal velocities.

    Raises
    ------
    UsageError
        For columns of different lengths.

    Examples
    --------
    >>> rng = np.random.default_rng(4)
    >>> time = rng.uniform(0, 400, 20)
    >>> rv = 12 + 30 * np.cos(2 * np.pi * time / 7.3) + rng.normal(0, 1, 20)
    >>> best = orbit_search(time, rv, np.ones(20)).solutions[0]
    >>> best.model, round(best.period, 1)
    ('circular', 7.3)
    """
    settings = settings or OrbitSettings()
    epochs = Epochs.of(time, rv, rv_err, settings.jitter, settings.epoch_gap)
    reason = _why_not(epochs, settings)
    if reason:
        baseline = epochs.baseline if epochs.n else np.nan
        return OrbitSolutions((), reason, epochs.n, epochs.n_epochs, epochs.n_unused, baseline, 0.0, np.nan)
    circular, eccentric, coarsening = _candidates(epochs, settings)
    epochs, jitter, circular, eccentric = _with_jitter(epochs, settings, circular, eccentric)
    rng = np.random.default_rng(settings.seed)
    families = [_family(epochs, settings, circular, False, rng)]
    if len(eccentric.frequency):
        families.append(_family(epochs, settings, eccentric, True, rng))
    common = tuple(
        name
        for name, on in (
            ("one_velocity", _rests_on_one(epochs)),
            ("coarse_grid", coarsening > 1.0),
            ("rows_left_out", epochs.n_unused > 0),
        )
        if on
    )
    solutions = [
        describe(epochs, settings, families, period, common, rng)
        for period in _periods(families, epochs.baseline, settings)
    ]
    constant = float(epochs.weight @ epochs.rv**2)
    return OrbitSolutions(
        tuple(solutions), "ok", epochs.n, epochs.n_epochs, epochs.n_unused, epochs.baseline, jitter, constant
    )


def _why_not(epochs: Epochs, settings: OrbitSettings) -> str:
    if epochs.n_epochs < settings.min_epochs:
        return f"{epochs.n_epochs} epochs, {settings.min_epochs} are needed"
    if not epochs.spread > 0:
        return "all velocities are equal"
    if settings.max_baselines * epochs.baseline <= settings.min_period:
        return f"the baseline of {epochs.baseline:.3g} d is too short for the shortest period"
    return ""


def _rests_on_one(epochs: Epochs) -> bool:
    """Whether the velocities hardly vary once the one farthest from the median is left out."""
    if epochs.n_epochs < 8:
        return False
    farthest = int(np.argmax(np.abs(epochs.rv - np.median(epochs.rv))))
    return float(np.std(np.delete(epochs.rv, farthest))) < _ALONE * epochs.spread


def _candidates(epochs: Epochs, settings: OrbitSettings) -> tuple[Modes, Modes, float]:
    """Fits from the scan's best starts, with the true errors."""
    wide = epochs.wider(_SMOOTHING * epochs.spread)
    flat, coarsening = orbit_scan(wide, settings, (0.0,), _CIRCULAR_STARTS)
    round_ones = refine_orbits(wide, settings, flat, eccentric=False)
    rest, coarser = orbit_scan(wide, settings, SCAN_E[1:], _STARTS)
    open_to_e = settings.e_limit(round_ones.frequency) > 0
    best_round = round_ones.take(np.flatnonzero(open_to_e)[:_STARTS])
    starts = Starts(*(np.concatenate([getattr(rest, n), getattr(best_round, n)]) for n in Starts._fields))
    bent = _distinct(refine_orbits(wide, settings, starts, eccentric=True), epochs.baseline)
    # A period that only an eccentric orbit showed is tried with a circular one too.
    periods = np.concatenate([round_ones.frequency, bent.frequency])
    more = Starts(periods, np.zeros_like(periods), np.zeros_like(periods))
    both = []
    for modes, eccentric in ((more, False), (Starts(bent.frequency, bent.h, bent.k), True)):
        both.append(_distinct(refine_orbits(epochs, settings, modes, eccentric=eccentric), epochs.baseline))
    return both[0], both[1], max(coarsening, coarser)


def _distinct(modes: Modes, baseline: float, most: int = _KEPT) -> Modes:
    """The best of each group of nearly equal orbits, best first."""
    place = np.stack([modes.frequency * baseline / 0.03, modes.h / 0.04, modes.k / 0.04], axis=1)
    left = np.argsort(modes.linear.cost, kind="stable")
    chosen: list[int] = []
    while len(left) and len(chosen) < most:
        chosen.append(int(left[0]))
        left = left[np.max(np.abs(place[left] - place[left[0]]), axis=1) > 1.0]
    return modes.take(np.array(chosen, dtype=np.int64))


def _with_jitter(
    epochs: Epochs, settings: OrbitSettings, circular: Modes, eccentric: Modes
) -> tuple[Epochs, float, Modes, Modes]:
    """Errors with which the best orbit has a chi-square of its degrees of freedom, and fits with them."""
    options = []
    for modes, parameters in ((circular, 4), (eccentric, 6)):
        free = epochs.n - parameters
        if settings.fit_jitter and free >= 2 and epochs.n_epochs - parameters >= 1 and len(modes.frequency):
            options.append(_excess(residuals(epochs, modes.take(np.array([0]))), epochs.error, free))
    # Few epochs leave no room for an eccentric orbit: what a circular one misses is no error then.
    jitter = min(options) if len(options) == 2 else 0.0
    if jitter <= 0.0:
        return epochs, 0.0, circular, eccentric
    wider = epochs.wider(jitter)
    again = [
        _distinct(refine_orbits(wider, settings, Starts(*modes[:3]), eccentric=kind), epochs.baseline)
        for modes, kind in ((circular, False), (eccentric, True))
    ]
    return wider, jitter, again[0], again[1]


def _excess(residual: Floats, error: Floats, free: int) -> float:
    """Jitter with which squared residuals sum to `free`; 0 where they do without."""
    squares, variance = np.square(residual), 0.0
    own = np.square(error)
    # The sum falls and is convex in the variance: Newton's steps rise to its root and never beyond.
    for _ in range(100):
        excess = float((squares / (own + variance)).sum()) - free
        if excess <= 1e-9 * free:
            break
        variance += excess / float((squares / (own + variance) ** 2).sum())
    return float(np.sqrt(variance))


def _family(
    epochs: Epochs, settings: OrbitSettings, modes: Modes, eccentric: bool, rng: np.random.Generator
) -> Family:
    evidence = laplace_evidence(epochs, settings, modes, eccentric)
    order = np.argsort(-evidence, kind="stable")
    modes, evidence = modes.take(order), evidence[order]
    sampled = min(_SAMPLED, len(order))
    about = modes.take(np.arange(sampled))
    long_ones = modes.frequency < _LONG / epochs.baseline
    if np.any(evidence[long_ones] > evidence[0] - 10.0):
        about = about.joined(_ridge(epochs, settings, eccentric))
    draws = draw_about(epochs, settings, about, eccentric, rng)
    return Family(eccentric, modes, evidence, draws, sampled)


def _ridge(epochs: Epochs, settings: OrbitSettings, eccentric: bool) -> Modes:
    """Best orbits at given long periods.

    Where less than about two orbits are covered, a longer period with another eccentricity fits nearly as
    well: the posterior is a long, bent ridge, not a peak, and is to be drawn from along all of it.
    """
    lowest = settings.lowest_frequency(epochs.baseline)
    periods = np.arange(lowest, _LONG / epochs.baseline, _RIDGE_STEP / epochs.baseline)
    shapes = [(0.0, 0.0)]
    if eccentric:
        m0 = 2.0 * np.pi * np.arange(6) / 6.0
        shapes = [(e * np.cos(one), e * np.sin(one)) for e in (0.1, 0.45) for one in m0]
    h, k = (np.tile(column, len(periods)) for column in np.array(shapes).T)
    starts = Starts(np.repeat(periods, len(shapes)), h, k)
    fits = refine_orbits(epochs, settings, starts, eccentric=eccentric, hold_frequency=True)
    cost = fits.linear.cost.reshape(len(periods), len(shapes))
    return fits.take(np.arange(len(periods)) * len(shapes) + np.argmin(cost, axis=1))


def _periods(families: list[Family], baseline: float, settings: OrbitSettings) -> list[Period]:
    """The distinct solutions, the most probable first."""
    frequency = np.concatenate([one.modes.frequency for one in families])
    evidence = np.concatenate([one.ln_evidence for one in families])
    order = np.argsort(-evidence, kind="stable")
    centres: list[float] = []
    for one in frequency[order]:
        if not centres or np.min(np.abs(np.array(centres) - one)) > SAME / baseline:
            centres.append(float(one))
    centre = np.array(centres)
    total = np.full(len(centre), -np.inf)
    drawn = [_nearest(family.draws.frequency, centre) for family in families]
    for family, nearest in zip(families, drawn, strict=True):
        np.logaddexp.at(total, nearest, family.draws.ln_weight)
        of_mode = _nearest(family.modes.frequency, centre)
        sampled = set(of_mode[: family.sampled].tolist())
        for group, value in zip(of_mode[family.sampled :], family.ln_evidence[family.sampled :], strict=True):
            if int(group) not in sampled:
                total[group] = np.logaddexp(total[group], value)
    share = np.exp(total - logsumexp(total))
    best = np.argsort(-share, kind="stable")[: settings.max_solutions]
    listed = [one for at, one in enumerate(best) if at == 0 or share[one] >= settings.min_weight]
    return [
        Period(
            float(centre[one]),
            float(share[one]),
            {
                family.eccentric: family.draws.take(np.flatnonzero(nearest == one))
                for family, nearest in zip(families, drawn, strict=True)
            },
        )
        for one in listed
    ]


def _nearest(frequency: Floats, centre: Floats) -> NDArray[np.int64]:
    return np.argmin(np.abs(frequency[:, None] - centre), axis=1)
