"""Thresholds of the rules that tell classes of variables apart, each with its source."""

from __future__ import annotations

from dataclasses import dataclass, fields

from lkmrs_dask.checked import is_number
from lkmrs_dask.errors import UsageError

__all__ = ["RuleSettings"]


@dataclass(frozen=True)
class RuleSettings:
    """Thresholds; "ours" marks what no publication gives.

    Parameters
    ----------
    rrl_period : tuple of float
        RR Lyrae: 0.2 to 1 d (Smith 1995, *RR Lyrae Stars*; Soszynski et al. 2014).
    rrl_amplitude : float
        RR Lyrae: half the range of at least 50 ppt, which is 0.1 mag from top to bottom (ours).
    rrl_multiples : int
        RR Lyrae: frequencies that are multiples of the base (Debosscher et al. 2007 fit three).
    rrl_r21 : float
        RR Lyrae: amplitude ratio of the first two harmonics (0.3 to 0.6 for type ab, Soszynski et al. 2014; a
        margin is ours).
    rrl_asymmetry : float
        RR Lyrae: abs(sin(phi21)), which is 0 for all that is symmetric, as eclipses are (ours).
    rrl_teff : tuple of float
        RR Lyrae: 6000 to 7500 K (Catelan & Smith 2015; rounded).
    rrc_period : tuple of float
        RR Lyrae of type c (first overtone): 0.2 to 0.45 d (Soszynski et al. 2014).
    rrc_r21 : tuple of float
        RR Lyrae of type c: amplitude ratio of the first two harmonics (about 0.1 to 0.2, Soszynski et al.
        2014; margins are ours).  Below the lower limit nothing tells it from the half orbit of a binary.
    rrc_teff : tuple of float
        RR Lyrae of type c: 6500 to 7500 K, the hot side of the strip (Catelan & Smith 2015; rounded).
    eb_depth : float
        EB: depth (ppt) of the deepest minimum (ours).
    eb_depth_noise : float
        EB: depth of the folded curve over the noise from point to point (ours).
    eb_width : float
        EB: width of a detached system's minimum at half depth, in periods (ours).
    eb_below : float
        EB: share of the folded curve nearer to its minimum than its maximum (0.5 for a sinusoid; ours).
    eb_mirror : float
        EB: correlation of the folded curve with its mirror image about the minimum (ours).
    eb_fold_rest : float
        EB: share of the variance that the folded curve leaves, at most; spots and modes leave more (ours).
    eb_modulation : float
        EB: relative change of the amplitude at the strongest frequency, at most (ours).
    eb_contact_even : float
        Contact EB: share of the even harmonics of 1/period (ours).
    eb_contact_amplitude : float
        Contact EB: half the range, ppt (ours).
    eb_contact_period : float
        Contact EB: longest period, d (Rucinski 1997 has few beyond 1 d; a margin is ours).
    transit_depth : float
        Transits: a single dip of at most this depth, ppt, is that of a planet or a brown dwarf where the
        velocities say nothing else (ours; 30 is a Jupiter before a star of 0.6 solar radii).
    transit_second : float
        Transits: there is no second dip where it has less than this share of the depth (ours).
    transit_rv : float
        Transits: half the range of RV, km/s, that a planet or the errors can make (ours).
    dsct_teff : tuple of float
        Delta Sct: 6300 to 9000 K (Uytterhoeven et al. 2011; Murphy et al. 2019).
    dsct_least : float
        Delta Sct: least amplitude, ppt (Bowman & Kurtz 2018 ask for 0.1 mmag; a margin is ours): modes of
        solar-like oscillators above 5 per day are weaker.
    gdor_teff : tuple of float
        Gamma Dor: 6000 to 7700 K (Uytterhoeven et al. 2011; Li et al. 2020).
    pulsator_logg : float
        Delta Sct, gamma Dor: least surface gravity (dex); more luminous stars leave the strip (ours).
    gdor_least : int
        Gamma Dor: independent frequencies of gravity modes (Uytterhoeven et al. 2011).
    gdor_share : float
        Gamma Dor: multiples of one frequency have at most this share of squared amplitudes (ours).
    hybrid_ratio : float
        Hybrid: amplitudes of the two regimes within this factor (5 to 7, Uytterhoeven et al. 2011).
    hybrid_second : float
        Hybrid: the second strongest frequency from 0.3 to 5 per day has at least the largest amplitude above
        divided by this (two independent ones and a factor of 5 to 7, Uytterhoeven et al. 2011; the lower end
        for the second is ours).  A delta Sct star with one low frequency can be a spotted or a double star,
        and nearly all have some weak ones (Balona 2014).
    hybrid_least : float
        Hybrid: least amplitude (ppt) in both regimes, and of two gravity modes (0.1, Uytterhoeven et al.
        2011).
    rg_logg, rg_teff : float
        Red giants: log g below, and Teff below (Huber et al. 2011, rounded).
    rg_hump : float
        Red giants: power density in the hump over that beside it (ours).
    rg_ratio : float
        Red giants: factor within which the hump is from nu_max of the scaling relation (ours).
    rg_top : float
        Red giants: the strongest frequency lies below the hump's place times this; granulation lies below,
        nothing above (ours; the hump's half width is a fifth of its place, Mosser et al. 2012).
    rg_amplitude : float
        Red giants with oscillations vary by less than this half range, ppt (ours; Kallinger et al. 2014 give
        a granulation of some 0.3 ppt at 30 uHz).
    rscvn_period : tuple of float
        RS CVn: 1 to 40 d (Hall 1976 has 1 to 14 d for the regular ones; longer periods exist).
    rscvn_amplitude : float
        RS CVn: half the range, ppt, at least (ours: spots of more than 1 %).
    rscvn_rv : float
        RS CVn: half the range of RV, km/s, at least (ours).
    rscvn_logg : float
        RS CVn: log g below this, or above the main sequence (ours).
    rscvn_m_g : float
        RS CVn: where log g is not known, M_G below this (ours).
    rscvn_teff : float
        RS CVn: Teff below (F to K stars, Hall 1976; a margin is ours).
    rotation_period : tuple of float
        Rotation: 0.2 to 70 d (McQuillan et al. 2014).
    rotation_teff : float
        Rotation by spots: Teff below, K (McQuillan et al. 2014 have 6500; ours for hotter spotted stars).
    rotation_rv : float
        Ellipsoidal variables of one frequency: half the range of RV, km/s, at least (ours).
    rotation_share : float
        Rotation: share of squared amplitudes of multiples and of frequencies close to the strongest (ours).
    rotation_series : float
        Rotation, RS CVn: share of the variance that the period and its harmonics take away (ours).
    least_snr : float
        Least S/N of the strongest frequency: 5.6 (LK-MRS-I; Zong et al. 2016).
    slow_below : float
        Strongest frequencies below this, 1/d, are asked whether they are periodic at all: 0.3, where gravity
        modes begin (Uytterhoeven et al. 2011).
    slow_share : float
        They are where they take at least this share of the slow variation (ours: jumps, offsets and drifts
        have up to 0.14, spotted stars from 0.4 on).
    least_score : float
        A class with a lower score is not given: the star is uncertain (ours).
    least_lead : float
        A class that leads the next by less in score is marked as ambiguous in the reasons; if a value that it
        needs is not known either, the star is uncertain (ours).

    Raises
    ------
    UsageError
        When a value has the wrong type or makes no sense.
    """

    rrl_period: tuple[float, float] = (0.2, 1.0)
    rrl_amplitude: float = 50.0
    rrl_multiples: int = 3
    rrl_r21: float = 0.2
    rrl_asymmetry: float = 0.4
    rrl_teff: tuple[float, float] = (6000.0, 7500.0)
    rrc_period: tuple[float, float] = (0.2, 0.45)
    rrc_r21: tuple[float, float] = (0.03, 0.3)
    rrc_teff: tuple[float, float] = (6500.0, 7500.0)
    eb_depth: float = 1.0
    eb_depth_noise: float = 0.5
    eb_width: float = 0.15
    eb_below: float = 0.35
    eb_mirror: float = 0.7
    eb_fold_rest: float = 0.3
    eb_modulation: float = 0.15
    eb_contact_even: float = 0.8
    eb_contact_amplitude: float = 20.0
    eb_contact_period: float = 1.5
    transit_depth: float = 30.0
    transit_second: float = 0.15
    transit_rv: float = 2.0
    dsct_teff: tuple[float, float] = (6300.0, 9000.0)
    dsct_least: float = 0.05
    gdor_teff: tuple[float, float] = (6000.0, 7700.0)
    pulsator_logg: float = 3.2
    gdor_least: int = 2
    gdor_share: float = 0.9
    hybrid_ratio: float = 7.0
    hybrid_second: float = 5.0
    hybrid_least: float = 0.1
    rg_logg: float = 3.5
    rg_teff: float = 5500.0
    rg_hump: float = 3.0
    rg_ratio: float = 1.6
    rg_top: float = 1.5
    rg_amplitude: float = 5.0
    rscvn_period: tuple[float, float] = (1.0, 40.0)
    rscvn_amplitude: float = 10.0
    rscvn_rv: float = 5.0
    rscvn_logg: float = 3.8
    rscvn_m_g: float = 4.0
    rscvn_teff: float = 6500.0
    rotation_period: tuple[float, float] = (0.2, 70.0)
    rotation_teff: float = 6600.0
    rotation_rv: float = 10.0
    rotation_share: float = 0.8
    rotation_series: float = 0.15
    least_snr: float = 5.6
    slow_below: float = 0.3
    slow_share: float = 0.25
    least_score: float = 0.6
    least_lead: float = 0.1

    def __post_init__(self) -> None:
        """Check every value."""
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(one.default, tuple):
                pair = (
                    isinstance(value, tuple | list)
                    and len(value) == 2
                    and all(is_number(one, finite=False) for one in value)
                )
                if not pair or not 0 <= value[0] < value[1]:
                    raise UsageError(f"{one.name} must be two rising numbers from 0 on, not {value!r}")
                object.__setattr__(self, one.name, (float(value[0]), float(value[1])))
            elif not is_number(value, finite=False) or value < 0:
                raise UsageError(f"{one.name} must be a number from 0 on, not {value!r}")
            elif isinstance(one.default, int) and int(value) != value:
                raise UsageError(f"{one.name} must be a whole number, not {value!r}")
        shares = ("slow_share", "least_score", "least_lead", "rrl_asymmetry", "eb_below", "eb_mirror")
        for name in (*shares, "eb_fold_rest", "transit_second"):
            if getattr(self, name) > 1:
                raise UsageError(f"{name} must be from 0 to 1, not {getattr(self, name)!r}")
