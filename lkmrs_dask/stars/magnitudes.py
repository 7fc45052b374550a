"""Absolute magnitudes of a table of stars that Gaia has: a row per star, for Fig. 9 and for classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN, STARS, Column, TableSchema
from lkmrs_dask.stars.columns import arrow_column
from lkmrs_dask.stars.hr_diagram import MagnitudeFlag, absolute_magnitudes
from lkmrs_dask.stars.hr_dust import DustMap, dust_map, reddening
from lkmrs_dask.stars.hr_settings import HrSettings
from lkmrs_dask.stars.kinematics.distances import zero_points
from lkmrs_dask.stars.limits import within_limits

__all__ = ["MAGNITUDES", "OF_STAR", "gaia_columns", "magnitude_columns", "magnitudes"]

Floats = NDArray[np.float64]

OF_STAR = (HEALPIX_COLUMN, "star_id", "ra", "dec", "uid", "teff", "logg")
"""Columns of the survey's own stars; all others that are read are Gaia's."""

_WANTED = ("ra", "dec", "teff")  # of these; the rest is handed on where it is there
_PARALLAX = ("parallax", "parallax_error", "phot_g_mean_mag")
_FORMULA = ("nu_eff_used_in_astrometry", "pseudocolour", "astrometric_params_solved")
_FLAGS = ", ".join(f"{one.value} {one.name.lower()}" for one in MagnitudeFlag if one.name and one.value)


def _number(name: str, description: str, unit: str) -> Column:
    return Column(name, "float64", description, unit, derived=True)


MAGNITUDES = TableSchema(
    "magnitudes",
    columns=(
        *(STARS[name] for name in OF_STAR),
        _number("m_g", "Absolute magnitude in Gaia's G, freed from extinction where that is known", "mag"),
        _number("m_g_err", "Error of m_g", "mag"),
        _number("a_g", "Extinction in G", "mag"),
        _number("a_g_err", "Error of a_g", "mag"),
        _number("ebv", "E(B-V) in front of the star", "mag"),
        _number("distance_pc", "Distance by the inverse of the parallax less its zero point", "pc"),
        Column("magnitude_flag", "int32", f"Sum of what applies: {_FLAGS}; 0 for none", derived=True),
    ),
    key=("star_id",),
    sort=("star_id",),
)
"""What `magnitudes` gives."""


def gaia_columns(settings: HrSettings | None = None) -> tuple[str, ...]:
    """Columns of Gaia that `magnitudes` reads with some settings, under the archive's names."""
    settings = settings or HrSettings()
    return (*_PARALLAX, *(_FORMULA if settings.zero_point == "lindegren2021" else ()))


def magnitude_columns(settings: HrSettings | None = None) -> tuple[str, ...]:
    """Columns that `magnitudes` needs with some settings: of the survey's star, and of Gaia."""
    return (*_WANTED, *gaia_columns(settings))


def magnitudes(
    table: pa.Table, settings: HrSettings | None = None, query: Callable[..., Any] | None = None
) -> pa.Table:
    """Absolute magnitudes in G of stars.

    Parameters
    ----------
    table : pyarrow.Table
        One row a star with the columns `magnitude_columns`, and what there is of `OF_STAR`.
    settings : HrSettings, optional
        Where extinction and zero points are from.
    query : callable, optional
        In place of the map of dust that the settings name ("bh" or "bayestar"); see
        `lkmrs_dask.stars.hr_dust.DustMap`.

    Returns
    -------
    pyarrow.Table
        Columns of `MAGNITUDES`, in the order of the rows; null is what is unknown, and ``magnitude_flag``
        says why (`lkmrs_dask.stars.hr_diagram.MagnitudeFlag`).  Stars have a distance where they have a
        positive parallax of enough errors, and extinction where they have a distance.

    Raises
    ------
    CatalogError
        When a column is missing or is not of numbers.
    UsageError
        When the map of dust that was asked for is not there.

    References
    ----------
    LK-MRS-I, section 4.3 and Fig. 9; zero points by Lindegren et al. 2021, A&A 649, A4.
    """
    settings = settings or HrSettings()
    dust = _dust(settings, query)
    columns = _read(table, magnitude_columns(settings))
    teff = np.where(within_limits(columns["teff"], "teff"), columns["teff"], np.nan)
    zero, outside = zero_points(columns, settings.of_parallaxes())
    parallax, error = columns["parallax"] - zero, columns["parallax_error"]
    good = (error > 0.0) & (parallax > 0.0) & (parallax >= settings.least_parallax_snr * error)
    with np.errstate(over="ignore"):
        distance = np.divide(1000.0, parallax, out=np.full(len(table), np.nan), where=good)
    ebv, doubtful = np.full(len(table), np.nan), np.zeros(len(table), bool)
    if dust is not None:
        dec = np.where(np.abs(columns["dec"]) <= 90.0, columns["dec"], np.nan)
        ebv, doubtful = reddening(columns["ra"], dec, distance, dust, settings.dust_height)
    found = absolute_magnitudes(
        columns["phot_g_mean_mag"], parallax, error, teff=teff, ebv=ebv, least_snr=settings.least_parallax_snr
    )
    flag = found.flag | np.where(outside, int(MagnitudeFlag.ZERO_POINT_OUTSIDE), 0)
    flag |= np.where(doubtful, int(MagnitudeFlag.DOUBTFUL_EXTINCTION), 0)
    every: dict[str, Any] = {
        name: table.column(name)
        if name in table.column_names
        else pa.nulls(len(table), STARS[name].arrow_type)
        for name in OF_STAR
    }
    every |= {
        "m_g": found.m_g, "m_g_err": found.m_g_err, "a_g": found.a_g, "a_g_err": found.a_g_err, "ebv": ebv,
        "distance_pc": distance, "magnitude_flag": flag,
    }  # fmt: skip
    schema = MAGNITUDES.arrow()
    return pa.table([arrow_column(every[field.name], field.type) for field in schema], schema=schema)


def _dust(settings: HrSettings, query: Callable[..., Any] | None) -> DustMap | None:
    if query is None:
        return dust_map(settings)
    if settings.extinction not in ("bh", "bayestar"):
        raise UsageError(
            'with a query of your own, say what it is like: extinction = "bh" for one of the whole line of '
            f'sight, "bayestar" for one by distance, not {settings.extinction!r}'
        )
    return DustMap(settings.extinction, query)


def _read(table: pa.Table, names: tuple[str, ...]) -> dict[str, Floats]:
    """Columns as floats, NaN for null and for what no such number can be."""
    if missing := [name for name in names if name not in table.column_names]:
        raise CatalogError(
            f"absolute magnitudes need the columns {', '.join(missing)}, which the table lacks"
        )
    columns = {}
    for name in names:
        try:
            values = table.column(name).combine_chunks().cast(pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as fault:
            raise CatalogError(
                f"column {name} must hold numbers, not {table.schema.field(name).type}"
            ) from fault
        array = np.array(values.to_numpy(zero_copy_only=False))
        array[~within_limits(array)] = np.nan
        columns[name] = array
    return columns
