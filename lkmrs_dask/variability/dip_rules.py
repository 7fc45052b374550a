"""Class of a star by recurring dips, where frequencies give none."""

from __future__ import annotations

import numpy as np

from lkmrs_dask.variability.dips import Dips
from lkmrs_dask.variability.features import StarParameters
from lkmrs_dask.variability.rule_conditions import Condition, Star, all_of, any_of, score_of
from lkmrs_dask.variability.rule_settings import RuleSettings
from lkmrs_dask.variability.rules import CLASSES, RuleClass

__all__ = ["better_period", "classify_by_dips"]

_LEAST_DIPS = 2
_SAME, _MOST_TIMES = 0.02, 20  # of a period; minima of one orbit that frequencies take for its only ones
_ALIKE, _HALF = 0.05, 0.02  # share of the depth, and of the period from a half
_ALL = 1000.0  # ppt
_RISE = 0.25  # of the depth


def classify_by_dips(dips: Dips, star: StarParameters, settings: RuleSettings | None = None) -> RuleClass:
    """Say whether dips are the eclipses of a binary.

    Parameters
    ----------
    dips : Dips
        From `lkmrs_dask.variability.dips.find_dips`.
    star : StarParameters
        Of which the RV amplitude is asked.
    settings : RuleSettings, optional
        Thresholds: `transit_depth`, `transit_second`, `eb_width`, `rscvn_rv`, `least_score`.

    Returns
    -------
    RuleClass
        EB, or an empty class: for fewer than two dips, irregular ones, wide ones, which are the minima of
        something else, those of more than all light, and for those that a planet may have.  Unlike
        `classify_by_rules` it takes shallow dips for eclipses only where a second kind or the velocities say
        so, and the period is certain; velocities do not where the light rises beside the dips.  The score is
        1 for a certain period (0.93 where the velocities do not show it), 0.65 for an uncertain one (0.68,
        0.60) and 0.6 for none (0.63; below `least_score` where the velocities do not show an orbit).
    """
    settings = settings or RuleSettings()
    ones = _conditions(dips, star, settings)
    score = score_of(ones)
    scores = dict.fromkeys(CLASSES, 0.0) | {"EB": score}
    told = {True: "", None: "not known: ", False: "does not hold: "}
    if score < settings.least_score:
        missing = [one.text for one in ones if one.needed and one.holds is False]
        reason = f"not EB by dips: {missing[0]}" if missing else f"EB by dips has a score of {score:.2f}"
        return RuleClass("", scores, (reason,))
    reasons = tuple(f"EB by dips: {told[one.holds]}{one.text}" for one in ones)
    return RuleClass("EB", scores, reasons)


def _conditions(dips: Dips, star: StarParameters, s: RuleSettings) -> list[Condition]:
    values = Star(dips._asdict() | {"rv_amplitude": star.rv_amplitude})
    # A dip whose period is not known is narrow in the time until the next.
    share = dips.duration / dips.period
    return [
        Condition(f"{dips.n} dips, {_LEAST_DIPS} or more", dips.n >= _LEAST_DIPS),
        Condition("one period foresees them, or does not contradict them", dips.periodic, 2.0),
        Condition(f"period {dips.period:.6g} d", bool(np.isfinite(dips.period)), 0.25, needed=False),
        Condition("it is certain", dips.certain, 1.75, needed=False),
        Condition(f"depth {dips.depth:.4g} <= {_ALL:g}", not dips.depth > _ALL, 0.0),
        Condition(
            f"duration {share:.3g} <= {s.eb_width:g} periods",
            bool(share <= s.eb_width) if np.isfinite(share) else None,
            0.0,
        ),
        _no_planet(dips, values, s),
        values.least("rv_amplitude", s.rscvn_rv, 0.4, needed=False),
    ]


def _no_planet(dips: Dips, star: Star, s: RuleSettings) -> Condition:
    """The dips are deep, or a certain period has a second kind or makes the star move as only a star does."""
    limit = s.transit_second * dips.depth
    deep = Condition(f"depth {dips.depth:.4g} > {s.transit_depth:g}", bool(dips.depth > s.transit_depth))
    # Every other of equal dips is no second kind.
    equal = dips.depth_2 >= (1.0 - _ALIKE) * dips.depth and abs(dips.phase_2 - 0.5) <= _HALF
    text = f"depth_2 {dips.depth_2:.3g} >= {s.transit_second:g} depth"
    second = Condition(text + (", but equal" if equal else ""), bool(dips.depth_2 >= limit and not equal))
    moving = star.least("rv_amplitude", s.rscvn_rv)
    if dips.rise > _RISE * dips.depth:
        # The tides of an eccentric orbit make dips, with light above the level beside them.
        moving = Condition(f"rises by {dips.rise:.3g} beside them", False)
    shallow = all_of(Condition("a certain period", dips.certain), any_of(second, moving))
    either = any_of(deep, shallow)
    # Shallow dips of a star whose velocities are not known may be a planet's.
    return Condition("no transit of a planet: " + either.text, either.holds is True, 0.0)


def better_period(period: float, dips: Dips) -> float:
    """The period of an eclipsing binary, where dips tell that frequencies gave only a part of it.

    Parameters
    ----------
    period : float
        By frequencies, d; NaN where there is none.
    dips : Dips
        Of the same light curve.

    Returns
    -------
    float
        That of dips where it is certain and 2 to 20 times the other, within 0.02 of it: minima of two kinds
        that look alike to frequencies, or a kind that is seen once an orbit.  Else `period`.
    """
    if not np.isfinite(period):
        return dips.period
    times = dips.period / period if dips.certain else 1.0
    whole = np.round(times)
    return dips.period if 2 <= whole <= _MOST_TIMES and abs(times - whole) <= _SAME else period
