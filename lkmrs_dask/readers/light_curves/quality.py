"""Quality flags of the missions, and which of them make a point unfit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError

__all__ = ["FLAGS", "MASKS", "MFLAGS_SHIFT", "bad_bits", "good_points"]

_KEPLER = {
    "attitude tweak": 1 << 0, "safe mode": 1 << 1, "coarse point": 1 << 2, "earth point": 1 << 3,
    "zero crossing": 1 << 4, "desaturation": 1 << 5, "argabrightening": 1 << 6,
    "cosmic ray in aperture": 1 << 7, "manual exclude": 1 << 8, "sensitivity dropout": 1 << 10,
    "impulsive outlier": 1 << 11, "argabrightening on CCD": 1 << 12, "collateral cosmic ray": 1 << 13,
    "detector anomaly": 1 << 14, "no fine point": 1 << 15, "no data": 1 << 16,
    "rolling band in aperture": 1 << 17, "rolling band in mask": 1 << 18, "possible thruster firing": 1 << 19,
    "thruster firing": 1 << 20,
}  # fmt: skip
_TESS = {
    "attitude tweak": 1 << 0, "safe mode": 1 << 1, "coarse point": 1 << 2, "earth point": 1 << 3,
    "argabrightening": 1 << 4, "desaturation": 1 << 5, "cosmic ray in aperture": 1 << 6,
    "manual exclude": 1 << 7, "discontinuity": 1 << 8, "impulsive outlier": 1 << 9,
    "collateral cosmic ray": 1 << 10, "stray light": 1 << 11, "stray light 2": 1 << 12,
    "planet search exclude": 1 << 13, "bad calibration": 1 << 14, "insufficient targets": 1 << 15,
}  # fmt: skip

FLAGS: Mapping[str, Mapping[str, int]] = {"Kepler": _KEPLER, "K2": _KEPLER, "TESS": _TESS}
"""Bits by their names (Kepler Archive Manual, table 2-3; TESS Science Data Products Description Document,
EXP-TESS-ARC-ICD-0014, table 28).  K2's are Kepler's."""

MFLAGS_SHIFT = 23
"""Flags of K2SC (``mflags``, 8 bits) are kept in the bits from this one on; K2SFF's ``MOVING`` is the
thrusters'."""

_LOW_PRECISION = ((56, 1 << 30), (0, 1 << 12))  # of QLP, by the first sector
_DEFAULT = ("attitude tweak", "safe mode", "coarse point", "earth point", "desaturation", "manual exclude")
_HARD = ("cosmic ray in aperture", "collateral cosmic ray")


def _sum(flags: Mapping[str, int], *names: str) -> int:
    return sum(flags[name] for name in names)


_KEPLER_DEFAULT = _sum(_KEPLER, *_DEFAULT, "detector anomaly", "no data", "thruster firing")
_KEPLER_MASKS = {
    "none": 0,
    "default": _KEPLER_DEFAULT,
    "archive": _KEPLER_DEFAULT,
    "hard": _KEPLER_DEFAULT | _sum(_KEPLER, *_HARD, "sensitivity dropout", "possible thruster firing"),
    "any": (1 << 21) - 1,
}
_TESS_MASKS = {
    "none": 0,
    "default": _sum(_TESS, *_DEFAULT),
    "archive": _sum(_TESS, *_DEFAULT, "argabrightening", "impulsive outlier", "stray light"),
    "hard": _sum(_TESS, *_DEFAULT, *_HARD, "stray light", "stray light 2"),
    "any": (1 << 16) - 1,
}

MASKS: Mapping[str, Mapping[str, int]] = {"Kepler": _KEPLER_MASKS, "K2": _KEPLER_MASKS, "TESS": _TESS_MASKS}
"""Flags that make a point unfit, by mission and name.

``default`` has the cadences that the missions' manuals call useless, as lightkurve puts them together
(``KeplerQualityFlags``, ``TessQualityFlags``: DEFAULT_BITMASK); ``hard`` also those that may be harmed (its
HARD_BITMASK); ``archive`` are the bits 1, 2, 3, 4, 5, 6, 8, 10 and 12 that MAST's tutorials leave out of
TESS (for Kepler and K2 the default); ``any`` all flags of the mission."""


def bad_bits(mission: str, mask: str | int, *, author: str = "", segment: int | None = None) -> int:
    """Bits of a mask.

    Parameters
    ----------
    mission : str
        ``Kepler``, ``K2`` or ``TESS``; others have no flags.
    mask : str or int
        ``none``, ``default``, ``archive``, ``hard``, ``any``, or the bits themselves.
    author, segment : str, int, optional
        QLP has a flag of its own for points of low precision, which ``hard`` and ``any`` have: bit 12 up to
        sector 55, bit 30 later; up to sector 55 bit 12 has no other meaning there.

    Raises
    ------
    UsageError
        For an unknown mask.
    """
    if isinstance(mask, bool) or not isinstance(mask, str | int):
        raise UsageError(f"a quality mask is a name or an integer, not {mask!r}")
    if not isinstance(mask, str):
        return mask
    if mask not in _TESS_MASKS:
        raise UsageError(
            f"unknown quality mask {mask!r}; known are {', '.join(_TESS_MASKS)}, or give the bits"
        )
    bits = MASKS[mission][mask] if mission in MASKS else 0
    if author == "QLP" and mask in ("hard", "any"):
        bits |= next(bit for first, bit in _LOW_PRECISION if (segment or 0) >= first)
    return bits


def good_points(
    quality: ArrayLike,
    mission: str,
    mask: str | int = "default",
    *,
    author: str = "",
    segment: int | None = None,
) -> NDArray[np.bool_]:
    """Which points have none of a mask's flags.

    Parameters
    ----------
    quality : array_like of int, shape (n,)
        Flags.
    mission, mask, author, segment
        See `bad_bits`.
    """
    bits = bad_bits(mission, mask, author=author, segment=segment)
    return (np.asarray(quality, np.int64) & bits) == 0
