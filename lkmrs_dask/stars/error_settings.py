"""Settings of the internal errors: what is a deviation, what is clipped, and how the law is fitted."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from lkmrs_dask.checked import check_types, check_values
from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.deviations import FACTORS

__all__ = ["CLIPS", "LEAST_CUT", "ErrorLawSettings"]

CLIPS = ("overall", "bins")
"""Within what sigma is taken when outliers are rejected."""

LEAST_CUT = 2.0
"""Sigma; what is cut closer says little of sigma, and much of the shape of the wings."""

_ROWS = ("factor", "min_snr", "rv_n_sigma", "rv_ddof", "rv_least_n")


@dataclass(frozen=True)
class ErrorLawSettings:
    """How internal errors are found; the defaults are the paper's text to the letter.

    The text rejects beyond 3 sigma of *all* deviations, bright and faint, which cuts the wings of the faint,
    and so gives too small errors at low S/N (for Teff at S/N 10 a quarter too small).  What returns
    the law that data were made with is ``clip="bins"``, ``factor="leverage"``, ``corrected=True``.

    Parameters
    ----------
    clip : {"overall", "bins"}
        Median and sigma of all deviations, or of those of the same S/N.
    factor : {"paper", "leverage"}
        Of Eq. 3; see `lkmrs_dask.stars.deviations.deviations`.
    corrected : bool
        Undo what clipping and weights did: the sigma of a normal distribution cut at the limits is
        that of the whole one, and deviations are predicted with the errors of all spectra in the mean.
    rounds : int
        Rounds of clipping; 0 for none.
    n_sigma : float
        Deviations further from the median than this many sigma are rejected.
    min_snr : float
        Spectra below have no part in the fit (in the means they have).
    least_spectra : int
        Bins of S/N with fewer deviations left are not used.
    rv_n_sigma, rv_ddof, rv_least_n : float, int, int
        Which stars are RV variables, whose velocities are left out; see
        `lkmrs_dask.stars.rv_variable.velocity_scatter`.

    Raises
    ------
    UsageError
        When a value has the wrong type or makes no sense, or when `corrected` is wanted of deviations that
        `n_sigma` and `rounds` cut closer than `LEAST_CUT`.
    """

    clip: str = "overall"
    factor: str = "paper"
    corrected: bool = False
    rounds: int = 3
    n_sigma: float = 3.0
    min_snr: float = 0.0
    least_spectra: int = 30
    rv_n_sigma: float = 3.0
    rv_ddof: int = 1
    rv_least_n: int = 2

    def __post_init__(self) -> None:
        """Check every value."""
        check_types(self)
        checks = {
            "clip": (self.clip in CLIPS, f"one of {', '.join(CLIPS)}"),
            "factor": (self.factor in FACTORS, f"one of {', '.join(FACTORS)}"),
            "rounds": (0 <= self.rounds <= 100, "from 0 to 100"),
            "n_sigma": (1.0 <= self.n_sigma < 100.0, "from 1 to 100"),
            "min_snr": (0.0 <= self.min_snr < 1000.0, "from 0 to 1000"),
            "least_spectra": (self.least_spectra >= 5, "5 or more"),
            "rv_n_sigma": (0.0 < self.rv_n_sigma < 1000.0, "above 0"),
            "rv_ddof": (self.rv_ddof in (0, 1), "0 or 1"),
            "rv_least_n": (self.rv_least_n >= 2, "2 or more"),
        }
        check_values(self, checks)
        cut = _normal_cut(self.n_sigma, self.rounds)
        if self.corrected and self.clip == "bins" and cut < LEAST_CUT:
            raise UsageError(
                f"n_sigma = {self.n_sigma:g} with {self.rounds} rounds cuts normal deviations at {cut:.2f} "
                f"sigma, and corrected = true needs {LEAST_CUT:g} or more: let n_sigma be 2.5 or more"
            )

    def of_rows(self) -> dict[str, Any]:
        """Those on which a summary of deviations depends; for the others no row need be read again."""
        values = asdict(self)
        return {name: values[name] for name in _ROWS}


def _normal_cut(n_sigma: float, rounds: int) -> float:
    """Where rounds of clipping cut a normal distribution, in its sigma."""
    cut = math.inf
    std = 1.0
    for _ in range(rounds):
        cut = min(cut, n_sigma * std)
        density = math.exp(-(cut**2) / 2.0) / math.sqrt(2.0 * math.pi)
        std = math.sqrt(max(1.0 - 2.0 * cut * density / math.erf(cut / math.sqrt(2.0)), 0.0))
    return cut
