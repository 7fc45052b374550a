"""Settings of the extraction of frequencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lkmrs_dask.checked import check_values, is_number, is_whole
from lkmrs_dask.errors import UsageError

__all__ = ["EDGE_NOISES", "INSTRUMENTAL_LINES", "NOISES", "FrequencySettings", "InstrumentalLine"]

NOISES = ("median", "mean")
"""Averages of the residual amplitude that can be the noise."""

EDGE_NOISES = ("residual", "spectrum")
"""Where the noise of a peak near the low end of the grid can be measured."""


@dataclass(frozen=True)
class InstrumentalLine:
    """A frequency that a spacecraft makes, and its multiples.

    Parameters
    ----------
    name : str
    frequency : float
        Cycles per day.
    width : float
        Half the width, cycles per day, of the first multiple; that of the k-th is k times as wide.
    multiples : int
        How many multiples are flagged, the first included.
    """

    name: str
    frequency: float
    width: float
    multiples: int = 1

    def __post_init__(self) -> None:
        """Check every value."""
        if not (self.frequency > 0 and self.width >= 0 and self.multiples >= 1):
            raise UsageError(
                f"instrumental line {self.name!r}: frequency must be above 0, width 0 or more, "
                f"multiples 1 or more, not {self.frequency}, {self.width}, {self.multiples}"
            )


# Kepler Data Characteristics Handbook (KSCI-19040): a long cadence lasts 1765.5 s, momentum dumps come about
# every three days.  K2: thrusters fire every six hours or so, which puts lines near 4.08/d (Howell et al.
# 2014), each of them with others up to 0.07/d beside it.  TESS: an orbit of 13.7 d, with a downlink at every
# perigee; wider lines, and more multiples, would hide the rotation of most spotted stars in a sector.  Widths
# are ours.
_PER_CADENCE = 86400.0 / 1765.46

INSTRUMENTAL_LINES: dict[str, tuple[InstrumentalLine, ...]] = {
    "kepler": (
        InstrumentalLine("long cadence", _PER_CADENCE, 0.01, 20),
        InstrumentalLine("momentum dump", 1.0 / 3.0, 0.01, 1),
    ),
    "k2": (
        InstrumentalLine("thruster fire", 4.08, 0.07, 6),
        InstrumentalLine("long cadence", _PER_CADENCE, 0.01, 20),
    ),
    "tess": (InstrumentalLine("orbit", 1.0 / 13.7, 0.003, 2),),
}
"""Lines by mission."""


@dataclass(frozen=True)
class FrequencySettings:
    r"""How frequencies are found; the threshold is the paper's, the rest published practice or ours.

    Parameters
    ----------
    snr_min : float
        Least S/N of a frequency: 5.6 in the paper, after Zong et al. 2016.
    max_frequencies : int
        Extraction stops after as many.
    noise : {"median", "mean"}
        What of the residual amplitude around is the noise.  The paper does not say.  5.6 medians of white
        noise are 5.26 means.
    window : float, optional
        Half the width in cycles per day of the window of noise, everywhere; None takes `window_low` up to
        `window_split`, and `window_high` above.
    window_low, window_high, window_split : float
        Cycles per day.
    noise_gap : float
        What lies within this many 1/T of the frequency is not noise.
    edge_noise : {"residual", "spectrum"}
        Near the low end of the grid the window of noise is mirrored, and a peak's own side lobes stand in it
        twice.  There a peak whose S/N is too low in the spectrum is asked again after it was subtracted
        ("residual", as the final S/N is), or not ("spectrum").
    separation : float
        Least distance of two frequencies in 1/T: 1.5 after Loumos & Deeming 1978.  What is left closer to
        a frequency makes its flag ``unresolved``.
    failures : int
        After so many peaks of one spectrum whose S/N is too low only those are asked that stand out of the
        noise where they are, whatever their height.
    harmonics : int
        Highest multiple that makes a single frequency a harmonic; 1 for none at all.  Series of harmonics
        have no end, see `lkmrs_dask.variability.combinations.find_relations`.
    combinations : int
        Highest sum of \|n\| + \|m\| of combinations n f1 + m f2; below 2 for none.
    parents : int
        Harmonics and combinations are those of the so many strongest independent frequencies.
    match : float
        Harmonics and combinations match within max(1/T, `match` sigma).
    lines : tuple of InstrumentalLine
        Frequencies to be flagged ``instrumental``.

    Raises
    ------
    UsageError
        When a value makes no sense.
    """

    snr_min: float = 5.6
    max_frequencies: int = 50
    noise: str = "median"
    window: float | None = None
    window_low: float = 0.5
    window_high: float = 1.0
    window_split: float = 5.0
    noise_gap: float = 2.5
    edge_noise: str = "residual"
    separation: float = 1.5
    failures: int = 3
    harmonics: int = 10
    combinations: int = 3
    parents: int = 6
    match: float = 3.0
    lines: tuple[InstrumentalLine, ...] = ()

    def __post_init__(self) -> None:
        """Check every value; lines from JSON or a job become what they are."""
        lines = tuple(InstrumentalLine(**one) if isinstance(one, Mapping) else one for one in self.lines)
        object.__setattr__(self, "lines", lines)
        checks = {
            "snr_min": (is_number(self.snr_min) and self.snr_min > 0, "above 0"),
            "max_frequencies": (is_whole(self.max_frequencies, 1, 1000), "a whole number from 1 to 1000"),
            "noise": (self.noise in NOISES, f"one of {', '.join(NOISES)}"),
            "window": (
                self.window is None or (is_number(self.window) and self.window > 0),
                "above 0, or None",
            ),
            "window_low": (is_number(self.window_low) and self.window_low > 0, "above 0"),
            "window_high": (is_number(self.window_high) and self.window_high > 0, "above 0"),
            "window_split": (is_number(self.window_split) and self.window_split >= 0, "0 or more"),
            "noise_gap": (is_number(self.noise_gap) and 0.5 <= self.noise_gap <= 8, "from 0.5 to 8"),
            "edge_noise": (self.edge_noise in EDGE_NOISES, f"one of {', '.join(EDGE_NOISES)}"),
            "separation": (is_number(self.separation) and 0.5 <= self.separation <= 10, "from 0.5 to 10"),
            "failures": (is_whole(self.failures, 1, 100), "a whole number from 1 to 100"),
            "harmonics": (is_whole(self.harmonics, 1, 100), "a whole number from 1 to 100"),
            "combinations": (is_whole(self.combinations, 0, 10), "a whole number from 0 to 10"),
            "parents": (is_whole(self.parents, 0, 50), "a whole number from 0 to 50"),
            "match": (is_number(self.match) and self.match >= 0, "0 or more"),
        }
        check_values(self, checks)

    def as_dict(self) -> dict[str, Any]:
        """All values by name, for a summary."""
        return asdict(self)
