"""Settings of RV variables: the rule, its thresholds, and what a star needs to be judged."""

from __future__ import annotations

from dataclasses import dataclass

from lkmrs_dask.checked import check_types, check_values

__all__ = ["RULES", "RvVariableSettings"]

RULES = ("paper", "chi2", "difference", "either", "both")
"""What makes a star an RV variable; see `RvVariableSettings`."""


@dataclass(frozen=True)
class RvVariableSettings:
    """How RV variables are found; rule and threshold are the paper's.

    Parameters
    ----------
    rule : {"paper", "chi2", "difference", "either", "both"}
        "paper": the standard deviation of the velocities is more than `n_sigma` of their mean error.
        "chi2": the probability that a star of constant velocity scatters at least as much as this one is
        below `log10_p`.  "difference": two of its velocities differ by `max_difference` or more, and by more
        than `difference_sigma` of their errors.  "either" and "both" are of "paper" and "chi2".
    n_sigma : float
        3 in the paper.
    ddof : int
        The standard deviation is of the sum of squares by n - `ddof`; the paper does not say which.
    least_n : int
        Velocities of a star that can be called variable.  The paper states none.  With two, one star of 370
        whose velocity is constant passes the paper's rule; with three, one of 8,100: the default.
    error_floor : float
        km/s, added to every error in quadrature.  Some 1 km/s where errors are those of the fit alone; 0,
        the default, where they hold all that makes velocities scatter, as the paper's rule takes them.
    log10_p : float
        -4, of Maxted et al. 2001.
    max_difference : float
        km/s.
    difference_sigma : float
        4, of Sana et al. 2013.

    Raises
    ------
    UsageError
        When a value has the wrong type or makes no sense.

    References
    ----------
    LK-MRS-I, section 4.3.  Maxted et al. 2001, MNRAS 326, 1391.  Sana et al. 2013, A&A 550, A107.
    """

    rule: str = "paper"
    n_sigma: float = 3.0
    ddof: int = 1
    least_n: int = 3
    error_floor: float = 0.0
    log10_p: float = -4.0
    max_difference: float = 10.0
    difference_sigma: float = 4.0

    def __post_init__(self) -> None:
        """Check every value."""
        check_types(self)
        checks = {
            "rule": (self.rule in RULES, f"one of {', '.join(RULES)}"),
            "n_sigma": (0.0 < self.n_sigma < 1000.0, "above 0"),
            "ddof": (self.ddof in (0, 1), "0 or 1"),
            "least_n": (self.least_n >= 2, "2 or more"),
            "error_floor": (0.0 <= self.error_floor < 100.0, "from 0 to 100 km/s"),
            "log10_p": (-300.0 < self.log10_p < 0.0, "below 0, and above -300"),
            "max_difference": (0.0 <= self.max_difference < 10_000.0, "0 km/s or more"),
            "difference_sigma": (0.0 <= self.difference_sigma < 1000.0, "0 or more"),
        }
        check_values(self, checks)
