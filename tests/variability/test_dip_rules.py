"""Classes by recurring dips: binaries, planets, and what the verdict makes of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lkmrs_dask.variability.classifier import Prediction
from lkmrs_dask.variability.dip_rules import better_period, classify_by_dips
from lkmrs_dask.variability.dips import Dips
from lkmrs_dask.variability.features import StarParameters
from lkmrs_dask.variability.rule_settings import RuleSettings
from lkmrs_dask.variability.rules import CLASSES
from lkmrs_dask.variability.verdict import RuleClasses, VerdictSettings, verdict

NOTHING, MOVES, RESTS = StarParameters(), StarParameters(rv_amplitude=30.0), StarParameters(rv_amplitude=0.3)

BINARY = Dips(
    n=5, period=10.0, time=3.0, depth=100.0, depth_2=40.0, phase_2=0.5, duration=0.25, significance=80.0,
    certain=True, periodic=True,
)  # fmt: skip
PLANET = BINARY._replace(depth=8.0, depth_2=math.nan, phase_2=math.nan)


@pytest.mark.parametrize(
    ("dips", "star", "wanted"),
    [
        (BINARY, NOTHING, "EB"),
        (BINARY, RESTS, "EB"),
        # Three dips, or two alike: a period that nothing confirms.
        (BINARY._replace(n=3, certain=False), NOTHING, "EB"),
        (BINARY._replace(n=2, certain=False, depth_2=math.nan), MOVES, "EB"),
        # One deep dip of each kind.
        (BINARY._replace(n=2, certain=False, period=math.nan), NOTHING, "EB"),
        (BINARY._replace(n=1, certain=False, period=math.nan, periodic=False), MOVES, ""),
        (BINARY._replace(certain=False, period=math.nan, periodic=False), MOVES, ""),
        (Dips(), MOVES, ""),
        # Minima of spots are wide.
        (BINARY._replace(duration=2.5), NOTHING, ""),
        # Shallow ones: a planet's, unless a second kind or the velocities say else, with a certain period.
        (PLANET, NOTHING, ""),
        (PLANET, RESTS, ""),
        (PLANET, MOVES, "EB"),
        (PLANET._replace(certain=False), MOVES, ""),
        (PLANET._replace(depth_2=4.0), RESTS, "EB"),
        (PLANET._replace(depth_2=4.0, certain=False), RESTS, ""),
        (PLANET._replace(depth_2=1.0), RESTS, ""),
        # 2.5 km/s may be errors; every other transit is no second kind; tides raise the light beside dips.
        (PLANET, StarParameters(rv_amplitude=2.5), ""),
        (PLANET._replace(depth_2=7.8, phase_2=0.499), NOTHING, ""),
        (PLANET._replace(depth_2=7.8, phase_2=0.3), NOTHING, "EB"),
        (PLANET._replace(rise=3.0), MOVES, ""),
        (PLANET._replace(rise=1.0), MOVES, "EB"),
        # No light is left below zero.
        (BINARY._replace(depth=1200.0), NOTHING, ""),
    ],
)
def test_class(dips: Dips, star: StarParameters, wanted: str) -> None:
    found = classify_by_dips(dips, star)
    assert found.variable_class == wanted
    assert set(found.scores) == set(CLASSES)
    assert all("dips" in reason for reason in found.reasons)
    if wanted:
        assert 0.6 <= found.scores["EB"] <= 1.0
    else:
        assert len(found.reasons) == 1


def test_surer_with_more_dips() -> None:
    one_each = BINARY._replace(n=2, certain=False, period=math.nan)
    ones = (one_each, BINARY._replace(n=3, certain=False), BINARY)
    scores = [classify_by_dips(one, NOTHING).scores["EB"] for one in ones]
    # 3, 3.25 and 5 of five weights: dips, regular (twice), a period (a quarter), certain (the rest).
    assert scores == [pytest.approx(0.6), pytest.approx(0.65), pytest.approx(1.0)]
    # None is sure without a certain period; with one the model of frequencies does not overrule it (0.55).
    moving = [classify_by_dips(one, MOVES).scores["EB"] for one in ones]
    assert max(moving[:2]) < 0.7
    assert 0.55 * classify_by_dips(BINARY, RESTS).scores["EB"] > 0.5


def test_thresholds_are_those_of_the_settings() -> None:
    assert not classify_by_dips(
        BINARY, NOTHING, RuleSettings(transit_depth=200.0, transit_second=0.5)
    ).variable_class
    assert not classify_by_dips(BINARY, NOTHING, RuleSettings(eb_width=0.02)).variable_class
    one_each = BINARY._replace(n=2, certain=False, period=math.nan)
    found = classify_by_dips(one_each, NOTHING, RuleSettings(least_score=0.7))
    assert (found.variable_class, found.reasons) == ("", ("EB by dips has a score of 0.60",))


@pytest.mark.parametrize(
    ("period", "dips", "wanted"),
    [
        (10.0, BINARY, 10.0),
        (5.0, BINARY, 10.0),
        (3.3334, BINARY, 10.0),
        (5.2, BINARY, 5.2),
        (20.0, BINARY, 20.0),
        # Of many multiples one is always near.
        (10.0 / 7.03, BINARY, 10.0 / 7.03),
        (10.0 / 21.0, BINARY, 10.0 / 21.0),
        (5.0, BINARY._replace(certain=False), 5.0),
        (5.0, Dips(), 5.0),
        (math.nan, BINARY._replace(certain=False), 10.0),
        (math.nan, Dips(), math.nan),
    ],
)
def test_better_period(period: float, dips: Dips, wanted: float) -> None:
    assert better_period(period, dips) == pytest.approx(wanted, nan_ok=True)


def test_rules_stand_where_the_model_says_nothing() -> None:
    """Of three stars without a frequency the first has dips, the third has dips that say little."""
    rules = RuleClasses(np.array(["EB", "", "EB"]), np.array([0.8, np.nan, 0.4]))
    nothing = np.full(3, np.nan)
    prediction = Prediction(np.array(["", "", ""]), nothing, np.full((3, 2), np.nan))
    found = verdict(rules, prediction, ("DSCT", "EB"), VerdictSettings(least=0.5))
    assert found.variable_class.tolist() == ["EB", "", "uncertain"]
    np.testing.assert_array_equal(found.confidence, [0.8, np.nan, 0.4])
    assert not found.agree.any()
