"""Settings of the Hertzsprung-Russell diagram: extinction, parallaxes, tracks and strips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lkmrs_dask.checked import is_number
from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.hr_tracks import PAPER_MASSES
from lkmrs_dask.stars.kinematics.settings import QUASAR_ZERO_POINT, HighVelocitySettings

__all__ = ["EXTINCTIONS", "HrSettings"]

EXTINCTIONS = ("auto", "none", "bh", "bayestar")
"""Where extinction is from: the best map that is there, nowhere, or one map."""


@dataclass(frozen=True)
class HrSettings:
    """How absolute magnitudes are found, and what is drawn with them in Fig. 9.

    The paper corrects "using the `dustmap` Python package" and does not say which of its maps, whether only
    the dust in front of a star counts, or what zero point its parallaxes have: these defaults are ours.

    Parameters
    ----------
    extinction : {"auto", "none", "bh", "bayestar"}
        The map of Burstein & Heiles (1982), which comes with the package dustmaps and knows nothing within
        10 deg of the Galactic plane; that of Green et al. (2019), which knows how much dust is in front of a
        star and is to be downloaded (a few GB); or none.  "auto" takes Green's where its file is, else that
        of Burstein & Heiles where dustmaps is installed, else none.
    bayestar_file : str
        File ``bayestar2019.h5``; empty for the place where dustmaps keeps it.
    dust_height : float
        Scale height of the dust layer, pc, with which "bh" takes the share in front of a star: 125 (Marshall
        et al. 2006).
    least_parallax_snr : float
        Stars with a parallax (zero point taken away) of fewer errors have no magnitude.
    zero_point, zero_point_outside : str or float
        Of Gaia's parallaxes, as in `lkmrs_dask.stars.kinematics.settings.HighVelocitySettings`.
    tracks : str or tuple of str
        Evolutionary tracks: a folder, or patterns of files; empty for none.
    masses : tuple of float
        Masses whose tracks are drawn, solar masses: the paper's.
    strips : str
        File of instability strips; empty for those that come with this package.

    Raises
    ------
    UsageError
        For a value that makes no sense.

    References
    ----------
    LK-MRS-I, section 4.3 and Fig. 9.
    """

    extinction: str = "auto"
    bayestar_file: str = ""
    dust_height: float = 125.0
    least_parallax_snr: float = 5.0
    zero_point: str | float = "lindegren2021"
    zero_point_outside: str | float = QUASAR_ZERO_POINT
    tracks: str | tuple[str, ...] = ""
    masses: tuple[float, ...] = PAPER_MASSES
    strips: str = ""

    def __post_init__(self) -> None:
        """Check every value; lists, as job files have them, become tuples."""
        if self.extinction not in EXTINCTIONS:
            raise UsageError(f"extinction must be one of {', '.join(EXTINCTIONS)}, not {self.extinction!r}")
        for name in ("bayestar_file", "strips"):
            if not isinstance(getattr(self, name), str):
                raise UsageError(f"{name} must be a text, not {getattr(self, name)!r}")
        if self.bayestar_file and self.extinction in ("none", "bh"):
            raise UsageError(f"bayestar_file makes no sense with extinction = {self.extinction!r}")
        for name, low, high in (("dust_height", 1.0, 1e4), ("least_parallax_snr", 0.1, 1e6)):
            value = getattr(self, name)
            if not is_number(value) or not low <= value <= high:
                raise UsageError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
        if not isinstance(self.tracks, str):
            object.__setattr__(
                self, "tracks", _tuple(self.tracks, "tracks", "a folder or a list of patterns")
            )
            if not all(isinstance(one, str) and one for one in self.tracks):
                raise UsageError(f"tracks must be a folder or a list of patterns, not {self.tracks!r}")
        object.__setattr__(self, "masses", _tuple(self.masses, "masses", "a list of masses"))
        if not all(is_number(one) and 0.0 < one <= 1000.0 for one in self.masses):
            raise UsageError(f"masses must be numbers above 0, in solar masses, not {self.masses!r}")
        self.of_parallaxes()

    def of_parallaxes(self) -> HighVelocitySettings:
        """The zero point of parallaxes, as settings of distances; which checks it."""
        return HighVelocitySettings(zero_point=self.zero_point, zero_point_outside=self.zero_point_outside)


def _tuple(value: object, name: str, wanted: str) -> tuple:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise UsageError(f"{name} must be {wanted}, not {value!r}")
    return tuple(value)
