"""The paper's numbers, once: how many of what a survey has, whole or a fraction of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lkmrs_dask.errors import UsageError

__all__ = ["CLASSES", "N_STARS", "VISITS_AND_EXPOSURES", "YEARS", "Quotas", "largest_remainder"]

YEARS = (2018, 2019, 2020, 2021, 2022, 2023)
"""Years of the survey."""

VISITS_AND_EXPOSURES: Mapping[int, tuple[int, int]] = {
    2018: (25, 136), 2019: (40, 201), 2020: (34, 142), 2021: (14, 63), 2022: (11, 41), 2023: (10, 41),
}  # fmt: skip
"""Visits of plates ("N_plate") and exposures by year, Table 1; the same at every fraction."""

_TABLE_1: Mapping[str, tuple[int, ...]] = {
    "spectra": (791_779, 1_111_398, 865_996, 357_414, 191_438, 213_760),
    "teff": (34_211, 48_905, 48_263, 17_531, 12_679, 9_048),
    "rv": (32_377, 46_199, 45_619, 16_454, 12_001, 8_620),
    "vsini": (4_557, 6_412, 7_360, 2_525, 1_628, 1_328),
    "alpha_m": (18_572, 23_846, 27_309, 11_012, 7_892, 5_444),
}  # log g and [Fe/H] have the numbers of Teff

CLASSES: Mapping[str, int] = {
    "EB": 76, "DSCT": 11, "GDOR": 69, "hybrid": 21, "RG": 19, "RRL": 4, "RSCVn": 19, "rotation": 146,
    "uncertain": 6,
}  # fmt: skip
"""Periodic variables by class (section 4.3), 371 in all."""

_KEPLER_AND_K2 = (8_637, 40_673)

N_STARS = sum(_KEPLER_AND_K2)
"""Stars of the whole survey, 49,310."""

_HIGH_VELOCITY = {"bound_vmp": 17, "bound_mp": 9, "bound": 3, "unbound": 1}
# 29 bound and 1 unbound; 9 of the 30 metal-poor, 18 very metal-poor (section 4.2).  The unbound one is given
# to the very metal-poor here: `unbound` is drawn from them.


@dataclass(frozen=True)
class Quotas:
    """Counts that a survey of a fraction must have.

    Parameters
    ----------
    fraction : float
        Of the paper's survey, above 0 and at most 1.
    kepler_stars, k2_stars : int
        Stars observed.
    spectra, teff, rv, vsini, alpha_m : tuple of int
        Spectra, and measurements of parameters, by year.
    coadds : int
        Coadded spectra of one arm; as many of the other.
    stars_with_parameters, stars_with_three : int
        Stars with a measured coadd, and with three or more.
    stars_with_rv, rv_variables : int
        Stars with a velocity, and those among them whose true velocity varies.
    metal_poor, very_metal_poor : int
        Stars with parameters and a true [Fe/H] from -2 to -1, and below.
    high_velocity : mapping
        ``bound_vmp``, ``bound_mp`` (by their metals), ``bound`` (neither) and ``unbound`` (very metal-poor).
    classes : mapping
        Periodic variables by class.
    kepler_photometry, tess_photometry : int
        RV variables with photometry of Kepler or K2, and of TESS.
    """

    fraction: float
    kepler_stars: int
    k2_stars: int
    spectra: tuple[int, ...]
    teff: tuple[int, ...]
    rv: tuple[int, ...]
    vsini: tuple[int, ...]
    alpha_m: tuple[int, ...]
    coadds: int
    stars_with_parameters: int
    stars_with_three: int
    stars_with_rv: int
    rv_variables: int
    metal_poor: int
    very_metal_poor: int
    high_velocity: Mapping[str, int]
    classes: Mapping[str, int]
    kepler_photometry: int
    tess_photometry: int

    @property
    def n_stars(self) -> int:
        """Stars observed."""
        return self.kepler_stars + self.k2_stars

    @classmethod
    def of(cls, fraction: float) -> Quotas:
        """Quotas of a fraction: each total rounded, its parts by the method of the largest remainder.

        Parameters
        ----------
        fraction : float
            Above 0, at most 1; at least one star is asked for.

        Raises
        ------
        UsageError
            For another fraction.
        """
        if not 0 < fraction <= 1:
            raise UsageError(f"the fraction of the survey must be above 0 and at most 1, not {fraction}")

        def part(total: int) -> int:
            return round(total * fraction)

        def parts(values: Sequence[int]) -> tuple[int, ...]:
            return tuple(largest_remainder(values, part(sum(values))))

        kepler, k2 = largest_remainder(_KEPLER_AND_K2, max(1, part(N_STARS)))
        return cls(
            fraction=fraction,
            kepler_stars=kepler,
            k2_stars=k2,
            **{name: parts(values) for name, values in _TABLE_1.items()},
            coadds=part(589_856 // 2),
            stars_with_parameters=part(36_588),
            stars_with_three=part(17_996),
            stars_with_rv=part(34_468),
            rv_variables=part(2_333),
            metal_poor=part(764),
            very_metal_poor=part(174),
            high_velocity=dict(zip(_HIGH_VELOCITY, parts(tuple(_HIGH_VELOCITY.values())), strict=True)),
            classes=dict(zip(CLASSES, parts(tuple(CLASSES.values())), strict=True)),
            kepler_photometry=part(1_088),
            tess_photometry=part(1_709),
        )


def largest_remainder(weights: Sequence[float], total: int) -> list[int]:
    """Whole numbers in proportion to weights that add up to a total (Hamilton's method; ties: the first)."""
    exact = np.asarray(weights, np.float64) * (total / np.sum(weights))
    whole = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole.tolist()
