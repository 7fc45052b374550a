"""Settings of the orbit search: which periods, how many epochs, what is likely before looking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.checked import check_types, check_values

__all__ = ["OrbitSettings"]


@dataclass(frozen=True)
class OrbitSettings:
    """How orbits are sought.

    Periods are log-uniform beforehand.  Half of the orbits are circular, the others have eccentricities of
    Kipping's beta distribution (2013, MNRAS 434, L51) up to the limit of `e_limit`, orbits beyond it count as
    circular.  Semi-amplitudes are normal about 0 with the standard deviation of `k_prior` (Price-Whelan et
    al. 2020, ApJ 895, 2, Eq. 4).

    Parameters
    ----------
    min_period : float
        Shortest period, d.
    max_period : float
        Longest period, d; infinite for no limit but that of `max_baselines`.
    max_baselines : float
        Longest period in units of the time from the first to the last epoch.
    min_epochs : int
        Epochs without which nothing is sought; 4 or more.
    min_epochs_eccentric : int
        Epochs without which an eccentricity is not believed, 7 or more: an orbit has six parameters.
    epoch_gap : float
        Velocities closer in time than this (d) are of the same epoch when epochs are counted.
    jitter : float
        Added to every error in quadrature, km/s: what the errors of the velocities leave out.
    fit_jitter : bool
        Add more where the best orbit misses the velocities by more than their errors say (needs two
        velocities more than an orbit has parameters).
    oversampling : float
        Trial frequencies per resolution element 1/baseline.
    max_frequencies : int
        Most trial frequencies; with a baseline that asks for more, they are fewer an element, and flagged.
    max_e : float
        Largest eccentricity.
    min_passage : float
        Orbits with P (1 - e)^1.5 below this (d) have no part: tides have circularised them.
    k_scale : float
        Standard deviation of the semi-amplitude for a circular orbit of a year, km/s.
    max_k : float
        Largest semi-amplitude, km/s.
    e_significance : float
        The probability of Lucy & Sweeney (1971) below which an orbit is eccentric.
    max_solutions : int
        Most solutions listed for a star.
    min_weight : float
        Solutions with less of the posterior probability are not listed, but for the first.
    draws : int
        Draws about each solution.
    seed : int
        Of the draws; the same for every star, so that no star depends on another.

    Raises
    ------
    UsageError
        When a value has the wrong type or makes no sense.
    """

    min_period: float = 0.1
    max_period: float = float("inf")
    max_baselines: float = 2.0
    min_epochs: int = 5
    min_epochs_eccentric: int = 7
    epoch_gap: float = 0.01
    jitter: float = 0.0
    fit_jitter: bool = True
    oversampling: float = 4.0
    max_frequencies: int = 200_000
    max_e: float = 0.95
    min_passage: float = 1.0
    k_scale: float = 30.0
    max_k: float = 500.0
    e_significance: float = 0.05
    max_solutions: int = 10
    min_weight: float = 1e-4
    draws: int = 300
    seed: int = 1

    def __post_init__(self) -> None:
        """Check every value."""
        check_types(self)
        checks = {
            "min_period": (0.0 < self.min_period < np.inf, "above 0"),
            "max_period": (self.max_period > self.min_period, "above min_period"),
            "max_baselines": (0.0 < self.max_baselines <= 10.0, "above 0, to 10"),
            "min_epochs": (self.min_epochs >= 4, "4 or more"),
            "min_epochs_eccentric": (self.min_epochs_eccentric >= 7, "7 or more"),
            "epoch_gap": (0.0 <= self.epoch_gap < np.inf, "0 or more"),
            "jitter": (0.0 <= self.jitter < np.inf, "0 or more"),
            "oversampling": (2.0 <= self.oversampling <= 20.0, "from 2 to 20"),
            "max_frequencies": (1000 <= self.max_frequencies <= 10_000_000, "from 1000 to 10,000,000"),
            "max_e": (0.0 <= self.max_e <= 0.99, "from 0 to 0.99"),
            "min_passage": (0.01 <= self.min_passage < np.inf, "0.01 or more"),
            "k_scale": (0.0 < self.k_scale < np.inf, "above 0"),
            "max_k": (0.0 < self.max_k < np.inf, "above 0"),
            "e_significance": (0.0 < self.e_significance < 1.0, "between 0 and 1"),
            "max_solutions": (1 <= self.max_solutions <= 100, "from 1 to 100"),
            "min_weight": (0.0 <= self.min_weight < 1.0, "from 0 to 1"),
            "draws": (50 <= self.draws <= 100_000, "from 50 to 100,000"),
            "seed": (self.seed >= 0, "0 or more"),
        }
        check_values(self, checks)

    def lowest_frequency(self, baseline: float) -> float:
        """One over the longest period that is sought, 1/d, for a baseline in d."""
        return 1.0 / min(self.max_period, self.max_baselines * baseline)

    def e_limit(self, frequency: ArrayLike) -> NDArray[np.float64]:
        """Largest eccentricity of orbits of these frequencies (1/d), 0 for the shortest periods."""
        free = 1.0 - (self.min_passage * np.asarray(frequency, np.float64)) ** (2.0 / 3.0)
        return np.clip(free, 0.0, self.max_e)

    def k_prior(self, frequency: ArrayLike, e: ArrayLike) -> NDArray[np.float64]:
        """Prior standard deviation of the semi-amplitude, km/s, at frequencies (1/d) and eccentricities."""
        year = 365.25
        falling = np.cbrt(year * np.asarray(frequency, np.float64)) / np.sqrt(1.0 - np.square(e))
        return np.minimum(self.k_scale * falling, self.max_k)
