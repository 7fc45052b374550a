"""Settings of the search for high-velocity stars."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lkmrs_dask.checked import is_number, is_whole
from lkmrs_dask.errors import UsageError

__all__ = ["POTENTIALS", "QUASAR_ZERO_POINT", "RULES", "ZERO_POINTS", "HighVelocitySettings"]

POTENTIALS = ("MWPotential2014", "McMillan17", "Cautun20")
"""Models of the Galaxy that galpy has, each with the scales it was fitted with."""

RULES = ("speed", "probability")

ZERO_POINTS = ("lindegren2021", "none")
"""Named zero points of the parallax; a number of mas is the third way."""

QUASAR_ZERO_POINT = -0.017
"""Median parallax of Gaia's quasars, mas (Lindegren et al. 2021)."""


@dataclass(frozen=True)
class HighVelocitySettings:
    """How distances, speeds and their errors are found, and what counts as a high-velocity star.

    Parameters
    ----------
    zero_point : {"lindegren2021", "none"} or float
        What Gaia's parallaxes have too much: the formula of Lindegren et al. (2021, A&A 649, A4) for
        magnitude, colour and ecliptic latitude; nothing; or a number of mas for all stars.
    zero_point_outside : {"flag", "none"} or float
        For stars to which the formula does not apply (G from 6 to 21, some colours): set them aside, no
        correction, or a number of mas.
    parallax_over_error : float
        Parallaxes (as measured) of no more than this many errors give no distance; 0 for no such limit.
    ruwe : float
        Astrometric solutions with this RUWE or more are not used; infinite for no limit.
    distance_column : str
        Column of distances in pc, to be used instead of parallaxes; empty for parallaxes.
    distance_lower_column, distance_upper_column : str
        Their 16th and 84th percentile in pc.
    distance_error_column : str
        Or their error in pc.
    potential : {"MWPotential2014", "McMillan17", "Cautun20"}
        Of the Galaxy, for the escape speed.  The paper used galpy without saying which; the speeds in its
        Table 5 agree with galpy's first choice.
    high_fraction : float
        Share of the escape speed above which a star is fast; 0.7 after Liao et al. (2024).
    rule : {"speed", "probability"}
        The paper compares speeds with limits; the alternative wants them exceeded with some probability.
    probability : float
        Least probability; 0.5 after Liao et al. (2024).
    unbound_epochs : float
        An RV variable star is unbound as well if more than this share of its epochs is beyond the escape
        speed; 1 to look at mean velocities only.
    n_draws : int
        Of the Monte Carlo, for each star; 0 for no errors and no probabilities.
    seed : int
        Of the draws.
    rv_err_floor : float
        km/s, added in quadrature to every error of RV.
    rv_err_unknown : float
        km/s, taken where the error of RV is missing, zero or negative; 0 for no probability there.

    Raises
    ------
    UsageError
        For a value that makes no sense.

    References
    ----------
    LK-MRS-I, section 4.2.
    """

    zero_point: str | float = "lindegren2021"
    zero_point_outside: str | float = QUASAR_ZERO_POINT
    parallax_over_error: float = 5.0
    ruwe: float = 1.4
    distance_column: str = ""
    distance_lower_column: str = ""
    distance_upper_column: str = ""
    distance_error_column: str = ""
    potential: str = "MWPotential2014"
    high_fraction: float = 0.7
    rule: str = "speed"
    probability: float = 0.5
    unbound_epochs: float = 0.5
    n_draws: int = 1000
    seed: int = 1
    rv_err_floor: float = 0.0
    rv_err_unknown: float = 0.0

    def __post_init__(self) -> None:
        """Check every value."""
        self._check_zero_points()
        self._check_numbers()
        self._check_columns()
        for name, known in (("potential", POTENTIALS), ("rule", RULES)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        if self.rule == "probability" and not self.n_draws:
            raise UsageError("the rule 'probability' needs draws: n_draws must be above 0")

    def _check_zero_points(self) -> None:
        for name, words in (("zero_point", ZERO_POINTS), ("zero_point_outside", ("flag", "none"))):
            value = getattr(self, name)
            fits = (
                value in words
                if isinstance(value, str)
                else is_number(value, finite=False) and abs(value) <= 1.0
            )
            if not fits:
                raise UsageError(
                    f"{name} must be one of {', '.join(words)} or a number of mas from -1 to 1, not {value!r}"
                )

    def _check_numbers(self) -> None:
        for name, low, high in (
            ("parallax_over_error", 0.0, 1e6), ("ruwe", 0.1, math.inf), ("high_fraction", 0.01, 1.0),
            ("probability", 1e-6, 1.0), ("unbound_epochs", 0.0, 1.0), ("rv_err_floor", 0.0, 1e3),
            ("rv_err_unknown", 0.0, 1e3),
        ):  # fmt: skip
            value = getattr(self, name)
            if not is_number(value, finite=False) or not low <= value <= high:
                raise UsageError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
        for name, most in (("n_draws", 10**6), ("seed", 2**63 - 1)):
            value = getattr(self, name)
            if not is_whole(value, 0, most):
                raise UsageError(f"{name} must be an integer from 0 to {most}, not {value!r}")

    def _check_columns(self) -> None:
        names = {name: getattr(self, f"distance_{name}column") for name in ("", "lower_", "upper_", "error_")}
        for name, value in names.items():
            if not isinstance(value, str):
                raise UsageError(f"distance_{name}column must be a text, not {value!r}")
        pair, error = (names["lower_"], names["upper_"]), names["error_"]
        if bool(pair[0]) != bool(pair[1]) or (pair[0] and error):
            raise UsageError(
                "errors of distances are a lower and an upper column, or an error column: "
                f"not {', '.join(repr(one) for one in (*pair, error))}"
            )
        if error or pair[0]:
            if not names[""]:
                raise UsageError("columns with errors of distances need distance_column too")
        elif names[""] and self.n_draws:
            raise UsageError(
                "distance_column needs errors for the Monte Carlo: name distance_error_column, or "
                "distance_lower_column and distance_upper_column, or set n_draws to 0"
            )
