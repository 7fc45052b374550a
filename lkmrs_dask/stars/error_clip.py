"""Clipping of deviations that are known as histograms, and what is left of a normal distribution by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from lkmrs_dask.stars.error_settings import ErrorLawSettings

__all__ = ["Clipped", "clip_histograms", "cut_moments", "whole_sigma"]

Floats = NDArray[np.float64]

LARGEST_CUT = 8.0
"""Sigma; a normal distribution cut beyond is whole."""


@dataclass(frozen=True, eq=False)
class Clipped:
    """What is left in each bin of S/N; arrays of shape (bins,).

    Parameters
    ----------
    lower, upper : ndarray of float64
        Limits of what is kept; infinite where nothing was clipped.
    n : ndarray of int64
        Deviations before.
    kept : ndarray of float64
        Deviations after; a bin of the histogram that a limit divides counts in part.
    std : ndarray of float64
        Standard deviation of those kept; NaN for fewer than two.
    far : ndarray of float64
        Of those kept, how many lie in the open bins of the histogram, so that it is not known how far out.
    """

    lower: Floats
    upper: Floats
    n: NDArray[np.int64]
    kept: Floats
    std: Floats
    far: Floats

    @property
    def share_kept(self) -> float:
        """Share of the deviations that are kept; NaN without any."""
        total = int(self.n.sum())
        return float(self.kept.sum()) / total if total else np.nan


def clip_histograms(counts: NDArray[np.int64], edges: Floats, settings: ErrorLawSettings) -> Clipped:
    """Reject what is further from the median than some sigma, round by round, as section 3.2 says.

    Sigma is the standard deviation of what the rounds before have left.  A limit within a bin divides it in
    proportion.

    Parameters
    ----------
    counts : ndarray of int64, shape (bins, m + 1)
        Histogram of deviations for each bin of S/N.
    edges : ndarray of float64, shape (m,)
        Edges of its bins, rising; the first and the last bin are open.
    settings : ErrorLawSettings
        `clip`, `rounds` and `n_sigma`.

    Returns
    -------
    Clipped
    """
    # Open bins: as wide as their neighbours, so that what lies there is far away, and rejected first.
    wide = np.concatenate([[2 * edges[0] - edges[1]], edges, [2 * edges[-1] - edges[-2]]])
    together = counts.sum(axis=0, keepdims=True) if settings.clip == "overall" else counts
    lower, upper = np.full(len(together), -np.inf), np.full(len(together), np.inf)
    for _ in range(settings.rounds):
        left = _left(together, wide, lower, upper)
        middle, std = _median(left, wide, lower, upper), _std(left, wide, lower, upper)
        known = np.isfinite(std)
        lower = np.where(known, np.fmax(lower, middle - settings.n_sigma * std), lower)
        upper = np.where(known, np.fmin(upper, middle + settings.n_sigma * std), upper)
    lower, upper = (np.broadcast_to(limit, len(counts)).copy() for limit in (lower, upper))
    left = _left(counts, wide, lower, upper)
    far = left[:, 0] + left[:, -1]
    return Clipped(lower, upper, counts.sum(axis=1), left.sum(axis=1), _std(left, wide, lower, upper), far)


def cut_moments(cut: ArrayLike) -> tuple[Floats, Floats]:
    r"""Second and fourth moment of a standard normal distribution cut at -`cut` and `cut`.

    .. math:: m_2 = 1 - \frac{2 z \phi(z)}{P}, \quad m_4 = 3 - \frac{2 z \phi(z)}{P} (3 + z^2), \quad
              P = \mathrm{erf}(z / \sqrt 2)

    Parameters
    ----------
    cut : array_like of float
        In sigma; above 0, infinite for no cut.
    """
    z = np.minimum(np.asarray(cut, np.float64), 40.0)
    share = 2.0 * z * np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi) / erf(z / np.sqrt(2.0))
    return 1.0 - share, 3.0 - share * (3.0 + z**2)


def whole_sigma(std: ArrayLike, half_width: ArrayLike) -> Floats:
    """Sigma of the normal distribution that, cut at +- `half_width`, has this standard deviation.

    Parameters
    ----------
    std, half_width : array_like of float
        Of what is left, and of the limits about the middle.

    Returns
    -------
    ndarray of float64
        NaN where what is left is as wide as if it were spread evenly, so that nothing is known of sigma.

    Examples
    --------
    >>> whole_sigma([0.98658, 1.0], [3.0, np.inf]).round(4).tolist()
    [1.0, 1.0]
    """
    std, half_width = np.asarray(std, np.float64), np.asarray(half_width, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(np.isinf(half_width), np.inf, half_width / std)
    cut = np.interp(ratio, _RATIOS, _CUTS, left=np.nan)
    return np.where(ratio > _RATIOS[-1], std, half_width / cut)


_CUTS = np.linspace(0.05, LARGEST_CUT, 16001)
_RATIOS = _CUTS / np.sqrt(cut_moments(_CUTS)[0])


def _pieces(wide: Floats, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Share of each bin within the limits, and the middle of that piece; shape (rows, bins)."""
    low = np.maximum(wide[:-1], lower[:, None])
    high = np.minimum(wide[1:], upper[:, None])
    return np.clip((high - low) / np.diff(wide), 0.0, 1.0), (low + high) / 2.0


def _left(counts: NDArray[np.int64], wide: Floats, lower: Floats, upper: Floats) -> Floats:
    return counts * _pieces(wide, lower, upper)[0]


def _std(left: Floats, wide: Floats, lower: Floats, upper: Floats) -> Floats:
    """Sample standard deviation of each row; NaN for fewer than two."""
    share, middle = _pieces(wide, lower, upper)
    middle = np.where(share > 0, middle, 0.0)
    n = left.sum(axis=1)
    mean = (left * middle).sum(axis=1) / np.maximum(n, 1.0)
    square = (left * (middle - mean[:, None]) ** 2).sum(axis=1)
    return np.sqrt(np.divide(square, n - 1.0, out=np.full(len(n), np.nan), where=n > 1.5))


def _median(left: Floats, wide: Floats, lower: Floats, upper: Floats) -> Floats:
    """Median of each row, by proportion within its bin; NaN for none."""
    total = np.cumsum(left, axis=1)
    half = total[:, -1] / 2.0
    at = np.minimum((total < half[:, None]).sum(axis=1), left.shape[1] - 1)
    rows = np.arange(len(left))
    mine = left[rows, at]
    before = total[rows, at] - mine
    low = np.maximum(wide[at], lower)
    high = np.minimum(wide[at + 1], upper)
    part = np.divide(half - before, mine, out=np.full(len(left), np.nan), where=mine > 0)
    return low + part * (high - low)
