"""How many stars have counterparts in other catalogues: the paper's numbers, each in one place."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["QUOTAS", "quota"]

QUOTAS: Mapping[str, tuple[int, str]] = {
    "kic_epic": (18_892, "3.1: of the 36,588 stars with parameters, KIC or EPIC within 3.7 arcsec"),
    "apogee": (6_951, "3.3: with Teff and log g of APOGEE"),
    "apogee_feh": (6_859, "3.3: of them with [Fe/H]"),
    "apogee_alpha_m": (4_530, "3.3: of them with [alpha/M]"),
    "apogee_vsini": (949, "3.3: of them with v sin i"),
    "galah": (5_394, "3.3: with Teff of GALAH"),
    "galah_feh": (5_257, "3.3: of them with log g and [Fe/H]"),
    "galah_alpha_m": (3_694, "3.3: of them with [alpha/M]"),
    "simbad_vmp": (43, "4.1: of the 174 very metal-poor stars, known to SIMBAD"),
    "simbad_mp": (86, "4.1: of the 764 metal-poor stars, known to SIMBAD"),
    "simbad_bound": (3, "4.2: of the 29 bound high-velocity stars, known to SIMBAD"),
    "simbad_variables": (177, "4.3: of the 371 periodic variables, known to SIMBAD"),
}
"""Number at the survey's full size and the section of the paper that gives it, by name."""


def quota(name: str, fraction: float) -> int:
    """Number for a survey of another size, rounded half up."""
    return int(QUOTAS[name][0] * fraction + 0.5)
