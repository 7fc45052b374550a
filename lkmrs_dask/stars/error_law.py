"""Internal errors as a function of S/N: Eq. 4 of the paper, fitted to summaries of deviations (Table 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import PARAMETERS
from lkmrs_dask.stars.error_clip import Clipped, clip_histograms, cut_moments, whole_sigma
from lkmrs_dask.stars.error_settings import LEAST_CUT, ErrorLawSettings
from lkmrs_dask.stars.error_summary import (
    FIXED,
    FIXED_PAIRS,
    SNR_EDGES,
    DeviationSummary,
    ParameterSummary,
    coarse_bin,
    deviation_edges,
)
from lkmrs_dask.stars.power_law import LEAST_BINS, PowerLaw, fit_power_law

__all__ = ["TABLE_SNR", "ErrorLaw", "clip_parameter", "fit_error_law", "fit_error_laws", "fit_stated_errors"]

Floats = NDArray[np.float64]

TABLE_SNR = (10, 20, 50)
"""S/N at which Table 3 prints the law."""

_MOST_FAR = 0.02  # share of the deviations kept whose size the histogram does not know


@dataclass(frozen=True)
class ErrorLaw:
    """Eq. 4 of one parameter.

    Parameters
    ----------
    law : PowerLaw, optional
        None where there was too little to fit.
    n_spectra, n_stars : int
        Deviations and the stars that they are of.
    n_kept : int
        Deviations that clipping left.
    left_out : mapping
        Measured parameters without a part, by reason; see `lkmrs_dask.stars.error_summary.LEFT_OUT`.
    snr_range : tuple of float, optional
        From which S/N to which the law was fitted.
    reason : str, optional
        Why there is no law, or what is to be known of it.
    """

    law: PowerLaw | None
    n_spectra: int
    n_stars: int
    n_kept: int
    left_out: dict[str, int] = field(default_factory=dict)
    snr_range: tuple[float, float] | None = None
    reason: str | None = None

    @property
    def share_kept(self) -> float | None:
        """Share of the deviations that are kept; None without any."""
        return self.n_kept / self.n_spectra if self.n_spectra else None

    def as_dict(self) -> dict[str, Any]:
        """Everything by name, for a summary.

        Returns
        -------
        dict
            a, b, c, each with ``_err``; sigma_10, sigma_20, sigma_50, each with ``_err``; covariance of
            a, b, c (3 x 3), chi2, n_bins, snr_range, share_kept, n_spectra, n_stars, n_kept, left_out and
            reason.  None where there is no law.
        """
        law = self.law
        values: dict[str, Any] = {}
        for name in ("a", "b", "c"):
            values |= {one: getattr(law, one, None) for one in (name, f"{name}_err")}
        for snr in TABLE_SNR:
            values[f"sigma_{snr}"] = None if law is None else float(law.sigma(snr))
            values[f"sigma_{snr}_err"] = None if law is None else float(law.sigma_err(snr))
        return values | {
            "covariance": None if law is None else law.covariance.tolist(),
            "chi2": None if law is None else law.chi2,
            "n_bins": 0 if law is None else law.n_bins,
            "snr_range": None if self.snr_range is None else list(self.snr_range),
            "share_kept": self.share_kept,
            "n_spectra": self.n_spectra,
            "n_stars": self.n_stars,
            "n_kept": self.n_kept,
            "left_out": dict(self.left_out),
            "reason": self.reason,
        }


def fit_error_laws(
    summary: DeviationSummary, settings: ErrorLawSettings | None = None
) -> dict[str, ErrorLaw]:
    """Fit Eq. 4 to every parameter of a summary; see `fit_error_law`.

    Raises
    ------
    CatalogError
        When the summary was made with other settings.
    """
    settings = settings or ErrorLawSettings()
    if dict(summary.settings) != settings.of_rows():
        raise CatalogError(
            f"the deviations were summed up with {dict(summary.settings)}, not {settings.of_rows()}: "
            "make the summary anew"
        )
    return {name: fit_error_law(name, one, settings) for name, one in summary.parameters.items()}


def clip_parameter(name: str, summary: ParameterSummary, settings: ErrorLawSettings) -> Clipped:
    """Clip the deviations of a parameter; see `lkmrs_dask.stars.error_clip.clip_histograms`."""
    return clip_histograms(summary.counts, deviation_edges(name), settings)


def fit_error_law(name: str, summary: ParameterSummary, settings: ErrorLawSettings) -> ErrorLaw:
    r"""Clip the deviations of a parameter and fit its law.

    What is fitted is the scatter in bins of S/N, twenty a decade, by robust least squares of its logarithm.
    The law is evaluated at the mean ln(S/N) of a bin, with the second-order term for the bin's width.

    With ``corrected`` the scatter is that of the normal distribution which, cut at the limits of the bin, has
    the standard deviation of what was kept.  It is compared with

    .. math:: E[\Delta P_k^2] = f_k^2 \sum_j A_{kj}^2 \sigma^2(x_j), \qquad A_{kj} = \delta_{kj} - w_j / W,

    averaged over the bin, because weights of S/N squared are not those of a law with a floor c: deviations
    of bright spectra hold errors of the faint ones of their stars.  Both sides know nothing
    of the true law.

    Errors count degrees of freedom, not spectra, and know that deviations of one star are correlated (two
    spectra give one deviation, twice).

    Parameters
    ----------
    name : str
        One of the six parameters.
    summary : ParameterSummary
        Of all the survey's stars.
    settings : ErrorLawSettings
        See there.

    Returns
    -------
    ErrorLaw
        Without a law, and with a reason, for fewer than `LEAST_BINS` bins that can be used, and for numbers
        that are none: most values the same, deviations larger than the histogram knows, a damaged summary.
    """
    clipped = clip_parameter(name, summary, settings)
    counts: dict[str, Any] = {
        "n_spectra": summary.n_spectra,
        "n_stars": summary.n_stars,
        "n_kept": round(float(clipped.kept.sum())),
        "left_out": dict(summary.left_out),
    }
    far = float(clipped.far.sum())
    if far > _MOST_FAR * float(clipped.kept.sum()):
        share, most = 100.0 * far / float(clipped.kept.sum()), deviation_edges(name)[-1]
        reason = f"{share:.0f} % of the deviations are larger than {most:,.0f} {PARAMETERS[name].unit}"
        return ErrorLaw(None, **counts, reason=reason)
    sigma, cut = _scatter(clipped, settings)
    filled = clipped.kept >= settings.least_spectra
    filled[[0, -1]] = False  # which are open
    # Deviations within one bin of the histogram may as well be 0.
    varied = clipped.std >= np.diff(deviation_edges(name)).min()
    use = filled & varied & (sigma > 0)
    if settings.corrected:
        use &= cut >= LEAST_CUT
    n_bins = int(use.sum())
    if n_bins < LEAST_BINS:
        reason = f"{n_bins} bins of S/N can be used, {LEAST_BINS} are needed ({summary.n_spectra} deviations)"
        if same := int((filled & ~varied).sum()):
            reason += f"; in {same} bins the values of a star are the same"
        return ErrorLaw(None, **counts, reason=reason)
    at = np.flatnonzero(use)
    relative, covariance = _errors_of_scatter(summary, clipped, cut, at)
    if _damaged(summary, relative, covariance):
        reason = "the sums of deviations are damaged: make the summary anew"
        return ErrorLaw(None, **counts, reason=reason)
    # The expected logarithm of a standard deviation is too low by the variance of it.
    sigma = sigma[at] * np.exp(np.diag(covariance))
    moments = _moments(summary)
    law = fit_power_law(
        moments[0][at], sigma, relative, covariance=covariance,
        predict=_prediction(summary, moments, at, settings),
    )  # fmt: skip
    snr_range = (float(SNR_EDGES[at[0] - 1]), float(SNR_EDGES[at[-1]]))
    return ErrorLaw(law, **counts, snr_range=snr_range, reason=_remark(law))


def _damaged(summary: ParameterSummary, relative: Floats, covariance: Floats) -> bool:
    """Tell sums that no deviations have: the fit would fail on them, or believe them."""
    if min(int(one.min()) for one in (summary.freedom, summary.mixing, summary.common)) < 0:
        return True
    variance = np.diag(covariance)
    # Were all deviations of a bin one and the same, the variance of its ln(sigma) would be some 10 at most.
    good = (relative > 0) & np.isfinite(relative) & (variance > 0) & (variance < 100.0)
    return not (good.all() and np.isfinite(covariance).all())


def fit_stated_errors(snr: ArrayLike, error: ArrayLike, settings: ErrorLawSettings | None = None) -> ErrorLaw:
    """Fit Eq. 4 to errors that a catalogue states, one a spectrum.

    The median of ln(error) in bins of S/N, twenty a decade, is what is fitted, with the error of the median
    by the normalised median deviation.  Points further than `n_sigma` such deviations from the median of
    their bin are not counted as kept; a median does not need them cut.

    Parameters
    ----------
    snr, error : array_like of float, shape (n,)
        S/N and stated error of each spectrum; pairs that are not finite and positive are left out, and
        counted as ``not_positive``.
    settings : ErrorLawSettings, optional
        `min_snr`, `least_spectra` (10 are enough for a median) and `n_sigma`.

    Returns
    -------
    ErrorLaw
        `n_stars` is the number of spectra used.
    """
    settings = settings or ErrorLawSettings(least_spectra=10)
    snr, error = np.asarray(snr, np.float64), np.asarray(error, np.float64)
    good = np.isfinite(snr) & np.isfinite(error) & (snr > 0) & (error > 0)
    low = good & (snr < settings.min_snr)
    used = good & ~low
    log_x, log_error = np.log(snr[used]), np.log(error[used])
    bins = np.searchsorted(SNR_EDGES, snr[used], side="right")
    points, kept = [], 0
    for one in np.unique(bins):
        mine = bins == one
        middle = float(np.median(log_error[mine]))
        away = np.abs(log_error[mine] - middle)
        spread = 1.4826 * float(np.median(away))
        kept += int(np.count_nonzero(away <= settings.n_sigma * spread))
        n = int(mine.sum())
        if n >= settings.least_spectra and 0 < one < len(SNR_EDGES):
            # A spread of nothing (errors that are all alike) is not an error of nothing.
            points.append((log_x[mine].mean(), np.exp(middle), 1.2533 * max(spread, 1e-3) / np.sqrt(n), one))
    why = {"not_positive": ~good, "low_snr": low}
    counts: dict[str, Any] = {
        "n_spectra": int(used.sum()),
        "n_stars": int(used.sum()),
        "n_kept": kept,
        "left_out": {name: n for name, mask in why.items() if (n := int(np.count_nonzero(mask)))},
    }
    if len(points) < LEAST_BINS:
        reason = f"{len(points)} bins of S/N can be used, {LEAST_BINS} are needed ({len(log_x)} errors)"
        return ErrorLaw(None, **counts, reason=reason)
    at_x, middle_error, relative, used_bins = (np.array(column) for column in zip(*points, strict=True))
    law = fit_power_law(at_x, middle_error, relative)
    snr_range = (float(SNR_EDGES[int(used_bins[0]) - 1]), float(SNR_EDGES[int(used_bins[-1])]))
    return ErrorLaw(law, **counts, snr_range=snr_range, reason=_remark(law))


def _remark(law: PowerLaw) -> str | None:
    if not law.at_limit:
        return None
    known = "a and c are not told apart" if law.b > -1.0 else "of the coefficients only c is known"
    return f"b is at the limit of its range: {known}"


def _scatter(clipped: Clipped, settings: ErrorLawSettings) -> tuple[Floats, Floats]:
    """Sigma of each bin, and at how many sigma it was cut."""
    half_width = (clipped.upper - clipped.lower) / 2.0
    sigma = whole_sigma(clipped.std, half_width) if settings.corrected else clipped.std
    cut = np.divide(half_width, sigma, out=np.full(len(sigma), np.inf), where=sigma > 0)
    return sigma, cut


def _errors_of_scatter(
    summary: ParameterSummary, clipped: Clipped, cut: Floats, at: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    r"""Relative errors by degrees of freedom, for weights, and the covariance of ln(sigma).

    A normal distribution cut at z gives the sigma of n values to :math:`1/\sqrt{n (m_4 - m_2^2)}`, which is
    :math:`1/\sqrt{2n}` without a cut.  Squares of deviations with correlation r have correlation r squared.
    """
    second, fourth = cut_moments(np.maximum(cut[at], 1.0))
    noise = 1.0 / (fourth - second**2)
    n = clipped.n[at].astype(np.float64)
    kept = clipped.kept[at] / n
    freedom = np.maximum(summary.freedom[at] / FIXED, 0.02 * n)
    coarse = coarse_bin(np.arange(len(clipped.n)))
    of_coarse = np.bincount(coarse, clipped.n, minlength=len(summary.common))
    share = n / of_coarse[coarse[at]]
    pairs = summary.common[np.ix_(coarse[at], coarse[at])] / FIXED_PAIRS * np.outer(share, share)
    covariance = np.sqrt(np.outer(noise, noise)) * (np.diag(n) + pairs) / np.outer(n, n)
    return np.sqrt(noise / (freedom * kept)), covariance / np.sqrt(np.outer(kept, kept))


def _moments(summary: ParameterSummary) -> tuple[Floats, Floats]:
    """Mean and variance of ln(S/N) in each bin; the middle, and 0, of a bin without spectra."""
    n = summary.counts.sum(axis=1)
    step = np.log(SNR_EDGES[1])
    middle = (np.arange(len(n)) - 0.5) * step
    mean = np.divide(summary.log_snr / FIXED, n, out=middle, where=n > 0)
    square = np.divide(summary.log_snr_2 / FIXED, n, out=mean**2, where=n > 0)
    return mean, np.maximum(square - mean**2, 0.0)


def _prediction(
    summary: ParameterSummary,
    moments: tuple[Floats, Floats],
    at: NDArray[np.int64],
    settings: ErrorLawSettings,
) -> Callable[[Callable[[Floats], Floats]], Floats]:
    """What a law makes of the scatter of the bins `at`."""
    log_x, variance = moments
    n = summary.counts.sum(axis=1)[at]
    mixing = summary.mixing[at] / FIXED_PAIRS / n[:, None]
    h = 1e-3

    def predict(law: Callable[[Floats], Floats]) -> Floats:
        square = law(log_x) ** 2
        curved = (law(log_x + h) ** 2 - 2.0 * square + law(log_x - h) ** 2) / h**2
        square = square + curved * variance / 2.0
        return np.sqrt(mixing @ square if settings.corrected else square[at])

    return predict
