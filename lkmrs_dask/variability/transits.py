"""Transits of planets, which look like the eclipses of a binary but for depth, second dip and velocities."""

from __future__ import annotations

import numpy as np

from lkmrs_dask.variability.rule_conditions import Condition, Star, any_of, score_of
from lkmrs_dask.variability.rule_settings import RuleSettings

__all__ = ["no_transit", "transit_score"]

_NO_TRANSIT = "no transit of a planet: "


def no_transit(star: Star, s: RuleSettings) -> Condition:
    """The dip is deep, or there is a second, or the star moves: transits of a planet look like eclipses."""
    second, depth = star["dip_depth_2"], star["dip_depth"]
    more = Condition(
        f"dip_depth_2 {second:.3g} >= {s.transit_second:g} dip_depth",
        bool(second >= s.transit_second * depth) if np.isfinite(second + depth) else None,
    )
    deep = Condition(f"dip_depth {depth:.4g} > {s.transit_depth:g}",
                     bool(depth > s.transit_depth) if np.isfinite(depth) else None)  # fmt: skip
    either = any_of(deep, more, star.least("rv_amplitude", s.transit_rv))
    return Condition(_NO_TRANSIT + either.text, either.holds, 0.0)


def transit_score(ones: list[Condition]) -> tuple[str, float]:
    """Why a star that is an EB but for one condition has a planet, and its score as an EB; empty if not."""
    last = next(one for one in ones if one.text.startswith(_NO_TRANSIT))
    if last.holds is not False:
        return "", 0.0
    text = last.text.removeprefix(_NO_TRANSIT)
    return f"transit, as of a planet: not {text}", score_of([one for one in ones if one is not last])
