"""Rules: made-up stars of each class, missing parameters, thresholds, and synthetic and real curves."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.feature_names import FEATURE_NAMES, INDEX
from lkmrs_dask.variability.features import Peaks, StarParameters, light_curve_features
from lkmrs_dask.variability.rule_settings import RuleSettings
from lkmrs_dask.variability.rules import CLASSES, classify_by_rules, conditions

Floats = NDArray[np.float64]

TIME = np.arange(0.0, 80.0, 0.0204336)
NOISE = 1e-4 * np.random.default_rng(3).normal(size=len(TIME))


def vector(
    flux: Floats, frequency: list[float], amplitude: list[float], star: StarParameters, time: Floats = TIME
) -> Floats:
    """Features with peaks that are given; multiples of the first are not independent."""
    f = np.array(frequency)
    own = np.array([i == 0 or abs(x / f[0] - round(x / f[0])) > 0.02 for i, x in enumerate(frequency)], bool)
    found = Peaks(f, np.array(amplitude), np.full(len(f), 30.0), own)
    return light_curve_features(time, flux, found, star)


def sines(frequency: list[float], amplitude: list[float]) -> Floats:
    """Relative flux with modes of random phases; amplitudes in ppt."""
    phase = np.random.default_rng(len(frequency)).uniform(0, 6, len(frequency))
    waves = [
        a * np.sin(2 * np.pi * f * TIME + p) for f, a, p in zip(frequency, amplitude, phase, strict=True)
    ]
    return 1.0 + 1e-3 * np.sum(waves, axis=0) + NOISE


def modes(star: StarParameters, frequency: list[float], amplitude: list[float]) -> Floats:
    return vector(sines(frequency, amplitude), frequency, amplitude, star)


def eclipsing(star: StarParameters, period: float = 3.7) -> Floats:
    """Two narrow eclipses, and the first ten harmonics of the orbit as peaks."""
    away = np.abs((TIME / period + 0.5) % 1.0 - 0.5)
    flux = 1.0 - 0.08 * (away < 0.02) - 0.03 * (np.abs(away - 0.5) < 0.02) + NOISE
    return vector(flux, [k / period for k in range(1, 11)], [4.0] * 10, star)


def contact(star: StarParameters) -> Floats:
    """A contact binary of 0.4 d: peaks at once, twice and four times the orbital frequency."""
    angle = 2 * np.pi * TIME / 0.4
    flux = 1.0 - 0.1 * np.cos(2 * angle) - 0.01 * np.cos(angle) - 0.02 * np.cos(4 * angle) + NOISE
    return vector(flux, [5.0, 2.5, 10.0], [100.0, 10.0, 20.0], star)


def rr_lyrae(star: StarParameters) -> Floats:
    angle = 2 * np.pi * TIME / 0.55
    ratios = [1.0, 0.46, 0.32, 0.2, 0.12]
    flux = 1.0 + 0.2 * np.sum([r * np.sin(k * angle) for k, r in enumerate(ratios, 1)], axis=0) + NOISE
    return vector(flux, [k / 0.55 for k in range(1, 6)], [200 * r for r in ratios], star)


def overtone(star: StarParameters, period: float = 0.31, phase: float = 1.6) -> Floats:
    """RR Lyrae of type c: nearly a sinusoid, its second harmonic a quarter of a turn away from symmetry."""
    angle = 2 * np.pi * TIME / period
    flux = 1.0 + 0.2 * np.cos(angle) + 0.03 * np.cos(2 * angle + phase) + NOISE
    return vector(flux, [1 / period, 2 / period], [200.0, 30.0], star)


def ellipsoidal(star: StarParameters, unlike: float, period: float = 1.7) -> Floats:
    """Two waves an orbit of 8 ppt, minima that differ by gravity darkening or not at all."""
    angle = 2 * np.pi * TIME / period
    flux = 1.0 - 1e-3 * (8.0 * np.cos(2 * angle) + unlike * np.cos(angle)) + NOISE
    found = ([2 / period, 1 / period], [8.0, unlike]) if unlike else ([2 / period], [8.0])
    return vector(flux, *found, star)


def spotted(star: StarParameters, top: float, period: float = 6.3) -> Floats:
    swing = 1 + 0.2 * np.sin(2 * np.pi * TIME / 70.0)
    angle = 2 * np.pi * TIME / period
    flux = 1 + 1e-3 * top * swing * (np.sin(angle) + 0.3 * np.sin(2 * angle + 1)) + NOISE
    return vector(flux, [1 / period, 2 / period], [top, 0.3 * top], star)


def red_giant(star: StarParameters, place: float = 35.0) -> Floats:
    """Modes at 5.5 uHz apart under a hump at 35 uHz, which is what 4,900 K and log g 2.46 give."""
    rng = np.random.default_rng(8)
    at = place + 0.5 * np.arange(-30, 31)
    height = np.exp(-0.5 * ((at - place) / 5) ** 2)
    waves = height * rng.rayleigh(0.05, len(at))
    frequency = (at + rng.uniform(-0.2, 0.2, len(at))) * 0.0864
    flux = 1 + NOISE
    for f, a, p in zip(frequency, waves, rng.uniform(0, 6, len(at)), strict=True):
        flux = flux + 1e-3 * a * np.sin(2 * np.pi * f * TIME + p)
    strong = np.argsort(-waves)[:3]
    return vector(flux, frequency[strong].tolist(), waves[strong].tolist(), star)


A_STAR, F_STAR = StarParameters(7700.0, 4.0, 2.0, 4.0), StarParameters(7000.0, 4.1, 2.8, 4.0)
COOL, GIANT = StarParameters(4800.0, 4.6, 6.5, 5.0), StarParameters(4900.0, 2.46, 0.8, 5.0)

MADE = {
    "EB": eclipsing(StarParameters(6000.0, 4.3, 4.0, 60.0)),
    "EB contact": contact(StarParameters(6000.0, 4.3, 4.0, 90.0)),
    "RRL": rr_lyrae(StarParameters(6600.0, 2.8, 0.6, 25.0)),
    "RRL c": overtone(StarParameters(7000.0, 2.8, 0.5, 15.0)),
    "DSCT": modes(A_STAR, [14.2, 17.9, 11.3], [5.0, 2.0, 1.0]),
    "GDOR": modes(F_STAR, [1.13, 1.37, 0.91, 1.61], [5.0, 3.0, 2.0, 1.0]),
    "hybrid": modes(F_STAR, [1.13, 1.37, 0.91, 14.27, 17.9], [5.0, 3.0, 2.0, 2.5, 1.0]),
    "RG": red_giant(GIANT),
    "RSCVn": spotted(replace(GIANT, rv_amplitude=30.0), 30.0),
    "rotation": spotted(COOL, 5.0),
    "rotation ellipsoidal": ellipsoidal(StarParameters(7400.0, 4.0, 2.3, 60.0), 0.9),
    "rotation ellipsoidal, both waves alike": ellipsoidal(StarParameters(7400.0, 4.0, 2.3, 60.0), 0.0),
    "uncertain": modes(A_STAR, [1.13], [0.03]),
}


@pytest.mark.parametrize("name", MADE)
def test_classes(name: str) -> None:
    found = classify_by_rules(MADE[name])
    assert found.variable_class == name.split()[0], found
    assert set(found.scores) == set(CLASSES)
    assert all(0 <= one <= 1 for one in found.scores.values())
    assert found.reasons


@pytest.mark.parametrize("name", ["EB", "RRL", "DSCT", "GDOR", "hybrid", "RG", "RSCVn", "rotation"])
def test_missing_parameters(name: str) -> None:
    """Without parameters a star keeps its class, is uncertain, or rotates: never another class."""
    bare = MADE[name].copy()
    bare[[INDEX[one] for one in ("teff", "logg", "m_g", "rv_amplitude", "nu_ratio")]] = math.nan
    found = classify_by_rules(bare)
    assert found.variable_class in (name, "uncertain", "rotation")
    # Nothing in the light tells an RS CVn star from any other with spots.
    assert (found.scores[name] > 0) == (name != "RSCVn")
    assert any("not known" in one for one in found.reasons) or found.variable_class != name


def dips(star: StarParameters, first: float, second: float = 0.0, period: float = 3.5) -> Floats:
    """One or two dips an orbit, 3 % of it wide, depths in ppt."""
    away = np.abs((TIME / period + 0.5) % 1.0 - 0.5)
    flux = 1.0 - 1e-3 * (first * (away < 0.015) + second * (np.abs(away - 0.5) < 0.015)) + NOISE
    return vector(flux, [k / period for k in range(1, 13)], [0.06 * first] * 12, star)


def test_transits_of_planets_are_no_eclipses() -> None:
    """1 % deep, one dip, 0.2 km/s: uncertain, and why; deep, with a second dip or moving: EB."""
    still = StarParameters(5800.0, 4.4, 4.7, 0.2)
    found = classify_by_rules(dips(still, 10.0))
    assert (found.variable_class, found.scores["EB"]) == ("uncertain", 0.0)
    assert "transit" in found.reasons[0]
    assert "rv_amplitude 0.2" in found.reasons[0]
    for star in (
        dips(still, 60.0),
        dips(still, 10.0, 6.0),
        dips(replace(still, rv_amplitude=40.0), 10.0),
        dips(replace(still, rv_amplitude=math.nan), 10.0),
    ):
        assert classify_by_rules(star).variable_class == "EB"
    # Each limit can be moved.
    for changed in (
        RuleSettings(transit_depth=5.0),
        RuleSettings(transit_rv=0.1),
        RuleSettings(transit_second=0.0),
    ):
        assert classify_by_rules(dips(still, 10.0), changed).variable_class == "EB", changed


def test_binary_is_no_overtone() -> None:
    """Half of a contact binary's orbit, symmetric, hot enough, and as fast and strong as type c."""
    star = StarParameters(7000.0, 4.0, 2.5, 90.0)
    symmetric = overtone(star, phase=math.pi)
    assert classify_by_rules(symmetric).variable_class == "EB"
    assert classify_by_rules(symmetric).scores["RRL"] == 0.0
    assert classify_by_rules(overtone(replace(star, teff=5800.0))).variable_class != "RRL"


def test_hybrids_have_two_gravity_modes() -> None:
    """One low frequency beside pressure modes, or a strong and a weak one, is no hybrid; two strong are."""
    high, found = [14.2, 17.9], {}
    for name, low, amplitude in (
        ("one", [1.13], [2.0]),
        ("weak second", [1.13, 1.37], [2.0, 0.8]),
        ("two", [1.13, 1.37], [2.0, 1.5]),
    ):
        star = modes(F_STAR, high + low, [5.0, 2.0, *amplitude])
        found[name] = classify_by_rules(star).variable_class
    assert found == {"one": "DSCT", "weak second": "DSCT", "two": "hybrid"}


def test_mode_of_a_subgiant_is_no_delta_scuti() -> None:
    """24 ppm at 55 per day, temperature not known (as KIC 2309595)."""
    assert classify_by_rules(modes(StarParameters(), [14.2], [0.024])).variable_class != "DSCT"
    assert classify_by_rules(modes(StarParameters(), [14.2], [2.4])).variable_class == "DSCT"


def test_rscvn_needs_more_than_light() -> None:
    bright = spotted(GIANT, 30.0)
    assert classify_by_rules(bright).variable_class == "RSCVn"
    for known in (StarParameters(rv_amplitude=30.0), StarParameters(logg=2.5), StarParameters(m_g=1.0)):
        assert classify_by_rules(spotted(known, 30.0)).scores["RSCVn"] > 0
    assert classify_by_rules(spotted(StarParameters(), 30.0)).variable_class == "rotation"


def test_slow_change_without_period() -> None:
    """A drift's frequencies are none, whatever their signal-to-noise ratio; a spotted star's are."""
    frequency = [0.06, 0.09]
    drift = vector(1.0 + 5e-3 * (TIME > 33.0) + NOISE, frequency, [1.0, 0.7], COOL)
    found = classify_by_rules(drift)
    assert (found.variable_class, max(found.scores.values())) == ("", 0.0)
    assert "slow change without a period" in found.reasons[0]
    assert classify_by_rules(drift, RuleSettings(slow_below=0.0)).variable_class != ""
    assert classify_by_rules(spotted(COOL, 1.0, 14.0)).variable_class == "rotation"


def test_no_frequency() -> None:
    found = classify_by_rules(np.full(len(FEATURE_NAMES), np.nan))
    assert found.variable_class == ""
    assert "5.6" in found.reasons[0]
    assert "beside lines of the spacecraft" in found.reasons[0]
    weak = MADE["DSCT"].copy()
    weak[INDEX["snr_main"]] = 5.5
    assert classify_by_rules(weak).variable_class == ""
    assert classify_by_rules(weak, RuleSettings(least_snr=5.0)).variable_class == "DSCT"


def test_reasons_name_values_and_thresholds() -> None:
    found = classify_by_rules(MADE["DSCT"])
    assert any("teff 7700 from 6300 to 9000" in one for one in found.reasons)
    assert any(one.startswith("not RG: logg 4 <= 3.5") for one in found.reasons)


def test_every_threshold_counts() -> None:
    """A setting that no condition reads would be a promise without effect."""
    star = MADE["EB contact"]
    plain = str(conditions(star)) + str(classify_by_rules(star))
    unused = []
    for one in fields(RuleSettings):
        value: Any = one.default
        other: Any
        other = (value[0] + 0.017, value[1] + 0.013) if isinstance(value, tuple) else value + 1
        if isinstance(value, float):
            other = value * 0.937
        changed = replace(RuleSettings(), **{one.name: other})
        if str(conditions(star, changed)) + str(classify_by_rules(star, changed)) == plain:
            unused.append(one.name)
    assert set(unused) <= {"least_snr", "least_score", "least_lead", "slow_below", "slow_share"}


@given(values=st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=len(FEATURE_NAMES),
                       max_size=len(FEATURE_NAMES)))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_any_vector(values: list[float | None]) -> None:
    star = np.array([math.nan if one is None else one for one in values])
    found = classify_by_rules(star)
    assert found.variable_class in (*CLASSES, "")
    assert found == classify_by_rules(star)


def test_wrong_calls() -> None:
    with pytest.raises(UsageError, match="features are needed"):
        classify_by_rules(np.zeros(3))
    for wrong in ({"eb_depth": -1.0}, {"rrl_period": (1.0, 0.2)}, {"eb_mirror": 2.0}, {"rrl_multiples": 2.5},
                  {"rg_teff": math.nan}, {"gdor_teff": 6000.0}):  # fmt: skip
        with pytest.raises(UsageError, match=next(iter(wrong))):
            RuleSettings(**wrong)


# Published frequencies (1/d) and amplitudes (ppt, of mmag) of the strongest modes; temperatures are rounded.
KNOWN = {
    "11754974": (["DSCT"], [16.344754661, 21.399002666], [51.9, 11.0], StarParameters(7000.0, 3.9)),
    "9651065": (
        ["DSCT"],
        [19.477674383, 21.712133749, 30.801897321],
        [1.93, 0.85, 0.70],
        StarParameters(7000.0, 3.8),
    ),
}


@pytest.mark.parametrize("kic", KNOWN)
def test_real_delta_scuti(shared: Path, kic: str) -> None:
    classes, frequency, amplitude, star = KNOWN[kic]
    rows = np.loadtxt(shared / "data" / "lc_kepler_dsct" / f"kic{kic}_lc.txt")
    rows = rows[np.isfinite(rows).all(axis=1)]
    flux = 10.0 ** (-0.4 * (rows[:, 1] - np.median(rows[:, 1])))
    found = vector(flux, frequency, amplitude, star, rows[:, 0])
    assert classify_by_rules(found).variable_class in classes


def test_real_rr_lyrae(shared: Path) -> None:
    """Type ab of Stripe 82 in g at their published periods: nine in ten, of those with 40 points and more."""
    folder = shared / "data" / "lc_rrlyr_s82"
    header, *rows = (folder / "periods.csv").read_text().splitlines()
    right = []
    for row in rows:
        number, kind, text = row.split(",")
        path = folder / "light-curves" / f"{number}.csv"
        if kind != "ab" or not path.exists():
            continue
        lines = [one.split(",") for one in path.read_text().splitlines()[1:]]
        points = np.array([(t, m) for t, m, _, band in lines if band == "g"], float)
        if len(points) < 40:
            continue
        flux = 10.0 ** (-0.4 * (points[:, 1] - np.median(points[:, 1])))
        base = 1.0 / float(text)
        found = vector(flux, [base, 2 * base, 3 * base], [200.0, 90.0, 60.0],
                       StarParameters(6600.0, 2.8), points[:, 0])  # fmt: skip
        right.append(classify_by_rules(found).variable_class == "RRL")
    assert header == "Num,Type,Per"
    assert len(right) > 20
    assert np.mean(right) >= 0.9
