"""Settings of light curves: which are used, and how a star's quarters, campaigns or sectors are joined."""

from __future__ import annotations

from dataclasses import dataclass

from lkmrs_dask.checked import check_types, check_values
from lkmrs_dask.readers.light_curves.quality import MASKS

__all__ = ["SAMPLES", "CurveSettings"]

_QUALITY = tuple(MASKS["TESS"])
SAMPLES = ("rv_variables", "all")
"""Stars of a survey whose light curves are looked at."""


@dataclass(frozen=True)
class CurveSettings:
    """Which light curves of a star are used (ours, but for `sample`).

    Parameters
    ----------
    sample : {"rv_variables", "all"}
        Stars of a survey: those that vary in radial velocity, as in section 4.3 of LK-MRS-I, or all.
    quality : str
        Points with one of these flags are left out; see `lkmrs_dask.readers.light_curves.quality.bad_bits`.
    author, product, cadence : str
        Only curves of this author, product or cadence; empty for the best that a segment has.
    min_points : int
        A segment with fewer points is not used.
    f_min, f_max : float
        Cycles per day of the frequencies that are wanted; 0 for 2 / baseline or 0.05, whichever is higher,
        and for the Nyquist frequency or 100, whichever is lower.
    max_stars : int
        Stars of a partition: each is one task.
    max_mb : float
        Megabytes of points of a partition.

    Raises
    ------
    UsageError
        When a value makes no sense.
    """

    sample: str = "rv_variables"
    quality: str = "default"
    author: str = ""
    product: str = ""
    cadence: str = ""
    min_points: int = 10
    f_min: float = 0.0
    f_max: float = 0.0
    max_stars: int = 25
    max_mb: float = 64.0

    def __post_init__(self) -> None:
        """Check every value."""
        check_types(self)
        checks = {
            "sample": (self.sample in SAMPLES, f"one of {', '.join(SAMPLES)}"),
            "quality": (self.quality in _QUALITY, f"one of {', '.join(_QUALITY)}"),
            "cadence": (self.cadence in ("", "long", "short"), "long, short or empty"),
            "min_points": (self.min_points >= 1, "1 or more"),
            "f_min": (self.f_min >= 0, "0 or more"),
            "f_max": (self.f_max >= 0, "0 or more"),
            "max_stars": (1 <= self.max_stars <= 10_000, "from 1 to 10000"),
            "max_mb": (self.max_mb > 0, "above 0"),
        }
        check_values(self, checks)

    def grid(self) -> dict[str, float]:
        """Limits of frequencies that were set."""
        limits = {"f_min": self.f_min, "f_max": self.f_max}
        return {name: value for name, value in limits.items() if value > 0}

    def chosen(self) -> dict[str, str | int | None]:
        """Arguments of `lkmrs_dask.readers.light_curves.stitching.stitch`."""
        return {
            "quality": self.quality,
            "author": self.author or None,
            "product": self.product or None,
            "cadence": self.cadence or None,
            "min_points": self.min_points,
        }
