"""Classes of variable stars by documented rules: each condition says whether it holds, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.feature_names import FEATURE_NAMES
from lkmrs_dask.variability.flicker import UHZ
from lkmrs_dask.variability.rule_conditions import Condition, Star, all_of, any_of, score_of
from lkmrs_dask.variability.rule_settings import RuleSettings
from lkmrs_dask.variability.transits import no_transit, transit_score

__all__ = ["CLASSES", "Condition", "RuleClass", "classify_by_rules", "conditions"]

CLASSES = ("RRL", "EB", "RG", "hybrid", "DSCT", "GDOR", "RSCVn", "rotation", "uncertain")
"""Classes of the paper.  Of two with the same score the first is given; rotation only where no other fits."""


class RuleClass(NamedTuple):
    """What the rules say of a star.

    Parameters
    ----------
    variable_class : str
        One of `CLASSES`; empty for a star without a significant frequency, or none that is a period.
    scores : dict
        By class, from 0 (excluded) to 1 (all conditions hold).
    reasons : tuple of str
        What spoke for the class, what could not be said, and why others were excluded.
    """

    variable_class: str
    scores: dict[str, float]
    reasons: tuple[str, ...]


def _rrl(star: Star, s: RuleSettings) -> list[Condition]:
    # Two harmonics of a curve that is its own mirror image have the phase difference 0 or pi.
    tilt = float(abs(np.sin(star["phi21"])))
    steep = Condition(
        f"|sin phi21| {tilt:.3g} >= {s.rrl_asymmetry:g}: a steep rise",
        bool(tilt >= s.rrl_asymmetry) if np.isfinite(tilt) else None,
    )
    fundamental = all_of(star.least("n_multiples", s.rrl_multiples), star.least("r21", s.rrl_r21))
    overtone = all_of(
        star.within("period", s.rrc_period),
        star.within("r21", s.rrc_r21),
        star.within("teff", s.rrc_teff),
        _one_wave(star),
        star.most("fold_rest", s.eb_fold_rest),
    )
    shape = any_of(fundamental, overtone)
    return [
        star.within("period", s.rrl_period),
        star.least("amplitude", s.rrl_amplitude),
        Condition("type ab or c: " + shape.text, shape.holds, 2.0),
        star.within("teff", s.rrl_teff),
        steep,
    ]


def _one_wave(star: Star) -> Condition:
    """The strongest frequency is that of the period: a binary has a lower base or unequal minima."""
    waves = star["period"] * star["f_main"]
    return Condition(
        f"{waves:.3g} waves a period", bool(abs(waves - 1.0) < 0.1) if np.isfinite(waves) else None
    )  # fmt: skip


def _eb(star: Star, s: RuleSettings) -> list[Condition]:
    detached = all_of(
        star.most("dip_width", s.eb_width),
        star.most("below_share", s.eb_below),
        star.least("n_multiples", 3),
        star.most("skewness", 0.0),
    )
    wide = all_of(
        star.least("amplitude", s.eb_contact_amplitude),
        star.most("period", s.eb_contact_period),
        star.most("modulation", s.eb_modulation),
        star.most("below_share", 0.5),
        star.most("fold_rest", s.eb_fold_rest),
        any_of(
            star.least("even_share", s.eb_contact_even),
            # Two equal minima: 1/f_base is half the orbit.  High-amplitude delta Scuti stars look alike.
            all_of(
                star.least("r21", 0.1), any_of(star.most("f_base", 5.0), star.most("teff", s.dsct_teff[0]))
            ),
        ),
    )
    near = all_of(
        star.least("n_multiples", 4),
        star.least("amplitude", s.eb_contact_amplitude),
        star.most("below_share", 0.45),
        star.least("dip_depth_2", s.eb_depth),
        star.most("skewness", 0.0),
        star.most("modulation", s.eb_modulation),
        star.most("fold_rest", s.eb_fold_rest),
    )
    shape = any_of(detached, wide, near)
    noise = star["noise"]
    deep = star["dip_depth"] / noise if noise > 0 else np.nan
    return [
        star.least("dip_depth", s.eb_depth),
        Condition(f"dip_depth/noise {deep:.3g} >= {s.eb_depth_noise:g}",
                  bool(deep >= s.eb_depth_noise) if np.isfinite(deep) else None),
        Condition("shape of eclipses: " + shape.text, shape.holds, 3.0),
        star.least("mirror", s.eb_mirror),
        star.most("fold_rest", s.eb_fold_rest, 1.0, needed=False),
        star.least("rv_amplitude", s.rscvn_rv, 0.5, needed=False),
        no_transit(star, s),
    ]  # fmt: skip


def _few_slow(star: Star, s: RuleSettings) -> Condition:
    """There are not two frequencies of gravity modes that count beside the pressure modes."""
    return any_of(
        star.most("n_low", s.gdor_least - 1),
        _weaker(star, "amp_low", "amp_high", s.hybrid_ratio),
        _weaker(star, "amp_low_2", "amp_high", s.hybrid_second),
    )


def _not_fast(star: Star, s: RuleSettings) -> Condition:
    return any_of(star.most("n_high", 0), _weaker(star, "amp_high", "amp_low", s.hybrid_ratio))


def _weaker(star: Star, weak: str, strong: str, ratio: float) -> Condition:
    value, other = star[weak], star[strong]
    return Condition(f"{weak} {value:.3g} < {strong} {other:.3g} / {ratio:g}", bool(value < other / ratio))


def _dsct(star: Star, s: RuleSettings) -> list[Condition]:
    return [
        star.within("teff", s.dsct_teff, 2.0),
        star.least("n_high", 1, 2.0),
        star.least("amp_high", s.dsct_least),
        _few_slow(star, s),
        Condition(f"amp_high {star['amp_high']:.3g} > amp_low {star['amp_low']:.3g}",
                  bool(star["amp_high"] > star["amp_low"])),
        star.least("logg", s.pulsator_logg),
    ]  # fmt: skip


def _gdor(star: Star, s: RuleSettings) -> list[Condition]:
    return [
        star.within("teff", s.gdor_teff, 2.0),
        star.least("n_low", s.gdor_least, 2.0),
        star.most("share_multiples", s.gdor_share),
        _not_fast(star, s),
        star.least("logg", s.pulsator_logg),
        star.least("n_low", s.gdor_least + 1, 0.5, needed=False),
    ]


def _hybrid(star: Star, s: RuleSettings) -> list[Condition]:
    low, high = star["amp_low"], star["amp_high"]
    ratio = max(low, high) / min(low, high) if min(low, high) > 0 else np.inf
    both = (min(s.gdor_teff[0], s.dsct_teff[0]), max(s.gdor_teff[1], s.dsct_teff[1]))
    return [
        star.within("teff", both, 2.0),
        star.least("n_low", s.gdor_least),
        star.least("n_high", 1),
        star.least("amp_low_2", s.hybrid_least),
        star.least("amp_high", s.hybrid_least),
        Condition(
            f"ratio of amp_low and amp_high {ratio:.3g} <= {s.hybrid_ratio:g}", ratio <= s.hybrid_ratio
        ),
        Condition(
            f"amp_low_2 {star['amp_low_2']:.3g} >= amp_high {high:.3g} / {s.hybrid_second:g}",
            bool(star["amp_low_2"] >= high / s.hybrid_second),
        ),
        star.most("share_multiples", s.gdor_share),
        star.least("logg", s.pulsator_logg),
    ]


def _rg(star: Star, s: RuleSettings) -> list[Condition]:
    # 1.645 is where the 95th percentile of normal noise lies.
    main = star["f_main"] / UHZ
    quiet = float(np.sqrt(max(0.0, star["amplitude"] ** 2 - (1.645 * star["noise"]) ** 2)))
    return [
        star.most("logg", s.rg_logg),
        star.most("teff", s.rg_teff),
        star.least("hump", s.rg_hump, 2.0),
        star.within("nu_ratio", (1 / s.rg_ratio, s.rg_ratio), 2.0),
        Condition(f"f_main {main:.4g} uHz <= {s.rg_top:g} nu_hump {star['nu_hump']:.4g} uHz",
                  bool(main <= s.rg_top * star["nu_hump"]) if np.isfinite(main * star["nu_hump"]) else None),
        Condition(f"amplitude without noise {quiet:.3g} <= {s.rg_amplitude:g}",
                  bool(quiet <= s.rg_amplitude) if np.isfinite(quiet) else None),
        star.most("sine_share", 0.5),
        star.most("m_g", s.rscvn_m_g, 0.5, needed=False),
    ]  # fmt: skip


def _spotted(star: Star, s: RuleSettings, weight: float = 1.0) -> Condition:
    """The light is that of one period and its harmonics, slowly changing."""
    one_period = any_of(star.least("share_multiples", s.rotation_share), star.least("n_close", 1))
    shared = star.least("series_share", s.rotation_series)
    both = all_of(one_period, shared)
    return Condition("one period: " + both.text, both.holds, weight)


def _rscvn(star: Star, s: RuleSettings) -> list[Condition]:
    evolved = star.most("logg", s.rscvn_logg)
    if evolved.holds is not True:
        bright = star.most("m_g", s.rscvn_m_g)
        evolved = any_of(evolved, bright) if evolved.holds is None else evolved
    moving = star.least("rv_amplitude", s.rscvn_rv)
    # The light alone is that of any spotted star.
    told = evolved.holds is not None or moving.holds is not None
    return [
        Condition("log g, M_G or the RV amplitude is known", told, 0.0),
        star.within("period", s.rscvn_period),
        star.least("amplitude", s.rscvn_amplitude, 2.0),
        moving,
        evolved._replace(weight=2.0),
        star.most("teff", s.rscvn_teff),
        _spotted(star, s),
        star.most("n_high", 0, 1.0, needed=False),
    ]


def _rotation(star: Star, s: RuleSettings) -> list[Condition]:
    cool = star.most("teff", s.rotation_teff)
    # Ellipsoidal variables count as rotating too (section 4.3): two waves an orbit, always the same.  Where
    # both are alike only half of the orbit shows, and the velocities have to say that there is one.
    ellipsoidal = all_of(
        star.most("fold_rest", s.eb_fold_rest),
        any_of(star.least("n_multiples", 2), star.least("rv_amplitude", s.rotation_rv)),
    )
    return [
        star.within("period", s.rotation_period),
        _spotted(star, s, 2.0),
        any_of(cool, ellipsoidal, star.least("n_close", 1)),
        cool._replace(needed=False),
        any_of(star.most("n_high", 0), _weaker(star, "amp_high", "amp_main", s.hybrid_ratio)),
        star.least("dip_width", s.eb_width, 1.0, needed=False),
        star.most("n_multiples", 4, 0.5, needed=False),
    ]


_RULES: Mapping[str, Callable[[Star, RuleSettings], list[Condition]]] = {
    "RRL": _rrl, "EB": _eb, "RG": _rg, "hybrid": _hybrid, "DSCT": _dsct, "GDOR": _gdor, "RSCVn": _rscvn,
    "rotation": _rotation,
}  # fmt: skip


_SLOW = ("GDOR", "RSCVn", "rotation")  # classes that jumps and drifts can look like


def conditions(vector: ArrayLike, settings: RuleSettings | None = None) -> dict[str, list[Condition]]:
    """All conditions of all classes for a star.

    Parameters
    ----------
    vector : array_like of float, shape (features,)
        From `lkmrs_dask.variability.features.light_curve_features`.
    settings : RuleSettings, optional
        Thresholds.

    Returns
    -------
    dict
        Conditions by class; none for "uncertain".

    Raises
    ------
    UsageError
        For a vector of another length.
    """
    values = np.asarray(vector, np.float64)
    if values.shape != (len(FEATURE_NAMES),):
        raise UsageError(f"{len(FEATURE_NAMES)} features are needed, not an array of shape {values.shape}")
    star = Star(dict(zip(FEATURE_NAMES, values.tolist(), strict=True)))
    return {name: rule(star, settings or RuleSettings()) for name, rule in _RULES.items()}


def classify_by_rules(vector: ArrayLike, settings: RuleSettings | None = None) -> RuleClass:
    """Class of a star by rules.

    Parameters
    ----------
    vector : array_like of float, shape (features,)
        From `lkmrs_dask.variability.features.light_curve_features`.
    settings : RuleSettings, optional
        Thresholds.

    Returns
    -------
    RuleClass
        "uncertain" where no class reaches `RuleSettings.least_score`; empty where there is no frequency with
        `RuleSettings.least_snr`, as in the paper, or where the strongest is a slow change without a period
        (see `RuleSettings.slow_share`) and nothing faster is there.

    References
    ----------
    LK-MRS-I, section 4.3, names the classes; thresholds are those of `RuleSettings`.
    """
    settings = settings or RuleSettings()
    judged = conditions(vector, settings)
    judged_star = Star(dict(zip(FEATURE_NAMES, np.asarray(vector, np.float64).tolist(), strict=True)))
    scores = {name: score_of(ones) for name, ones in judged.items()}
    snr = float(np.asarray(vector, np.float64)[FEATURE_NAMES.index("snr_main")])
    if not snr >= settings.least_snr:
        reason = (
            "no frequency of its own, beside lines of the spacecraft, with a signal-to-noise ratio of "
            f"{settings.least_snr:g} or more"
        )
        return RuleClass("", dict.fromkeys(CLASSES, 0.0), (reason,))
    transit, score = transit_score(judged["EB"])
    others = [value for name, value in scores.items() if name != "rotation"]
    if transit and score >= max(settings.least_score, *others):
        # As sure as it would be a binary without the velocities, it is neither that nor anything else here.
        return RuleClass("uncertain", scores | {"uncertain": score}, (transit,))
    # Much that varies can be called rotation: it is what is left when nothing more special fits.
    special = sorted((name for name in scores if name != "rotation"), key=lambda name: -scores[name])
    best, next_best = special[:2]
    if scores[best] < settings.least_score:
        best, next_best = "rotation", best
    drift = _drift(judged_star, settings)
    if drift and (best in _SLOW or scores[best] < settings.least_score):
        return RuleClass("", dict.fromkeys(CLASSES, 0.0), (drift,))
    excluded = tuple(
        f"not {name}: {next(one.text for one in judged[name] if one.needed and one.holds is False)}"
        for name in _RULES
        if scores[name] == 0.0 and any(one.needed and one.holds is False for one in judged[name])
    )
    if scores[best] < settings.least_score:
        why = f"the best, {best}, has a score of {scores[best]:.2f}, {settings.least_score:g} are needed"
        # The less any class fits, the surer is that the star fits none.
        scores["uncertain"] = 1.0 - scores[best]
        return RuleClass("uncertain", scores, (why, *excluded))
    scores["uncertain"] = 0.0
    told = {True: "", None: "not known: ", False: "does not hold: "}
    reasons = [f"{best}: {told[one.holds]}{one.text}" for one in judged[best]]
    if scores[best] - scores[next_best] < settings.least_lead:
        reasons.insert(0, f"ambiguous: {next_best} has a score of {scores[next_best]:.2f} too")
        if any(one.needed and one.holds is None for one in judged[best]):
            # What is missing may be just what tells the two apart.
            return RuleClass("uncertain", scores | {"uncertain": 1.0 - scores[best]}, (*reasons, *excluded))
    return RuleClass(best, scores, (*reasons, *excluded))


def _drift(star: Star, settings: RuleSettings) -> str:
    """Why the strongest frequency is no period; empty where it may be one."""
    slow = star.most("f_main", settings.slow_below).holds and star.most("n_high", 0).holds
    steady = star.least("slow_share", settings.slow_share)
    return (
        f"a slow change without a period: {steady.text} does not hold"
        if slow and steady.holds is False
        else ""
    )
