"""Names, units and meanings of what describes a light curve to the classifiers: one fixed order."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FEATURES", "FEATURE_NAMES", "INDEX", "STAR_FEATURES", "Feature"]


class Feature(NamedTuple):
    """Name, unit (empty without one) and meaning of a feature."""

    name: str
    unit: str
    meaning: str


FEATURES: tuple[Feature, ...] = (
    Feature("n_peaks", "", "significant frequencies"),
    Feature("n_low", "", "independent frequencies from 0.3 to 5 per day"),
    Feature("n_high", "", "independent frequencies above 5 per day"),
    Feature("amp_low", "ppt", "largest amplitude of the independent frequencies from 0.3 to 5 per day"),
    Feature("amp_high", "ppt", "largest amplitude of the independent frequencies above 5 per day"),
    Feature("amp_low_2", "ppt", "the second largest from 0.3 to 5 per day; 0 without one"),
    Feature("amp_high_2", "ppt", "the second largest above 5 per day; 0 without one"),
    Feature("f_main", "1/d", "frequency of the largest amplitude"),
    Feature("amp_main", "ppt", "largest amplitude"),
    Feature("snr_main", "", "signal-to-noise ratio of that frequency"),
    Feature("f_base", "1/d", "frequency of which the strongest one is a multiple"),
    Feature("n_multiples", "", "frequencies that are multiples of f_base, itself included"),
    Feature("share_multiples", "", "share of all squared amplitudes that these have"),
    Feature("n_close", "", "frequencies within 3/T of the strongest one: a signal that is not coherent"),
    Feature("r21", "", "amplitude ratio of the second and the first harmonic at the main period"),
    Feature("r31", "", "amplitude ratio of the third and the first harmonic"),
    Feature(
        "phi21", "rad", "phase of the second harmonic less twice that of the first, for cosines, 0 to 2 pi"
    ),
    Feature("phi31", "rad", "phase of the third harmonic less three times that of the first, 0 to 2 pi"),
    Feature("even_share", "", "share of the power of eight harmonics of 1/period that the even ones have"),
    Feature("sine_share", "", "share of the variance that a sinusoid at f_main takes away"),
    Feature("series_share", "", "share of the variance that eight harmonics of 1/period take away"),
    Feature("period", "d", "main period: 1/f_base, doubled where minima alternate"),
    Feature("dip_depth", "ppt", "depth of the deepest minimum of the folded curve"),
    Feature("dip_width", "", "its width at half depth, in periods"),
    Feature("dip_depth_2", "ppt", "depth of the second minimum, below the lower of the maxima beside it"),
    Feature("dip_phase_2", "", "distance of the second minimum from the first, in periods (at most 0.5)"),
    Feature("odd_even", "", "relative difference of alternate minima at twice 1/f_base"),
    Feature("below_share", "", "share of the folded curve that is nearer to its minimum than its maximum"),
    Feature("rise_share", "", "time from minimum to maximum, in periods"),
    Feature("mirror", "", "correlation of the folded curve with its mirror image about the minimum"),
    Feature("fold_rest", "", "share of the variance that is left after the folded curve is taken away"),
    Feature("amplitude", "ppt", "half the range from the 5th to the 95th percentile"),
    Feature("skewness", "", "third standardised moment: negative where the star is dimmed now and then"),
    Feature("kurtosis", "", "fourth standardised moment less 3"),
    Feature(
        "eta", "", "von Neumann's ratio in bins of half an hour: 2 for white noise, near 0 for slow change"
    ),
    Feature(
        "low_share", "", "share of points lower than the median by over 4 times the upper half's scatter"
    ),
    Feature(
        "flare_share", "", "share of points that stand out upwards from the points around by over 5 sigma"
    ),
    Feature("noise", "ppt", "scatter from point to point"),
    Feature("flicker", "ppt", "scatter within 8 hours, noise from point to point taken away"),
    Feature("fliper", "ppt^2/uHz", "logarithm (base 10) of the mean power density from 7 uHz up, less noise"),
    Feature("hump", "", "power density at the best place for an oscillation hump, over that beside it"),
    Feature("nu_hump", "uHz", "that place"),
    Feature("nu_ratio", "", "that place over the nu_max that Teff and log g give"),
    Feature("modulation", "", "relative change of the amplitude at f_main over the time series"),
    Feature(
        "slow_share",
        "",
        "share of the variance of means over 0.1 / f_main that two harmonics of f_main take away",
    ),
    Feature("span", "d", "from the first to the last point"),
    Feature("teff", "K", "effective temperature"),
    Feature("logg", "dex", "surface gravity"),
    Feature("m_g", "mag", "absolute magnitude in Gaia's G"),
    Feature("rv_amplitude", "km/s", "half the range of the radial velocities"),
)
"""The vector, in this order.  What cannot be said is NaN."""

FEATURE_NAMES: tuple[str, ...] = tuple(one.name for one in FEATURES)
"""Their names."""

STAR_FEATURES: tuple[str, ...] = ("teff", "logg", "m_g", "rv_amplitude")
"""Those that are given, not measured from the light."""

INDEX: dict[str, int] = {name: at for at, name in enumerate(FEATURE_NAMES)}
"""Place of each name in the vector."""
