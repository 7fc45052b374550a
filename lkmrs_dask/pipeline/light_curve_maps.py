"""Periodograms and frequencies of a catalogue of light curves, mapped over its partitions."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import Any

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.errors import UsageError
from lkmrs_dask.readers.light_curves.rows import SCHEMA
from lkmrs_dask.schema import HEALPIX_COLUMN, TableSchema
from lkmrs_dask.variability.curve_settings import CurveSettings
from lkmrs_dask.variability.frequency_settings import FrequencySettings
from lkmrs_dask.variability.frequency_table import FREQUENCIES, frequency_rows
from lkmrs_dask.variability.grid import check_limits
from lkmrs_dask.variability.periodogram import BACKENDS
from lkmrs_dask.variability.periodogram_table import PERIODOGRAMS, periodogram_rows
from lkmrs_dask.variability.star_curves import CurveColumns
from lkmrs_dask.variability.star_rows import result_schema

__all__ = ["frequencies", "periodograms"]

_GRID = ("f_min", "f_max", "oversampling")


def periodograms(
    catalog: Catalog,
    *,
    f_min: float | None = None,
    f_max: float | None = None,
    oversampling: float = 10.0,
    backend: str = "cpu",
    spectrum: bool = True,
    columns: CurveColumns | None = None,
    **curves: Any,
) -> Catalog:
    """Lomb-Scargle amplitude spectra of all stars of a catalogue of light curves, lazily.

    Parameters
    ----------
    catalog : Catalog
        ``light_curves`` of a survey, or of `lkmrs_dask.catalog.light_curve_build.build_light_curves`; whole
        stars in each partition.
    f_min, f_max, oversampling, backend
        See `lkmrs_dask.variability.periodogram`.
    spectrum : bool
        Keep the spectra: a four-year light curve of Kepler has one of 1.4 MB.
    columns : CurveColumns, optional
        What is what in a catalogue of others, with lists of times and fluxes in each row.
    **curves
        Of `lkmrs_dask.variability.curve_settings.CurveSettings`: ``quality``, ``author``, ``cadence``, ...

    Returns
    -------
    Catalog
        A row a star and mission, with the columns `lkmrs_dask.variability.periodogram_table.PERIODOGRAMS`.
        A star without a usable light curve has its reason in ``problem``.

    Raises
    ------
    UsageError
        For settings that make no sense, and a catalogue without light curves.

    Examples
    --------
    >>> import lkmrs_dask as lk
    >>> lk.periodograms(lk.open_catalog("survey/light_curves"), spectrum=False).compute()  # doctest: +SKIP
    """
    if backend not in BACKENDS:
        raise UsageError(f"backend must be one of {', '.join(BACKENDS)}, not {backend!r}")
    check_limits(f_min, f_max, oversampling)
    columns = _columns(catalog, columns)
    function = partial(
        periodogram_rows, curves=_curves(curves), columns=columns, spectrum=spectrum, f_min=f_min,
        f_max=f_max, oversampling=oversampling, backend=backend,
    )  # fmt: skip
    return _mapped(catalog, function, PERIODOGRAMS, columns)


def frequencies(
    catalog: Catalog, snr_min: float = 5.6, *, columns: CurveColumns | None = None, **options: Any
) -> Catalog:
    """Frequencies of all stars of a catalogue of light curves by iterative prewhitening, lazily.

    Parameters
    ----------
    catalog, columns
        See `periodograms`.
    snr_min : float
        Least S/N of a frequency: 5.6 in LK-MRS-I.
    **options
        Of `lkmrs_dask.variability.find_frequencies`: ``f_min``, ``f_max``, ``oversampling``, and the settings
        of the extraction; and of `lkmrs_dask.variability.curve_settings.CurveSettings`.

    Returns
    -------
    Catalog
        A row a star and mission, with the columns `lkmrs_dask.variability.frequency_table.FREQUENCIES`.

    Raises
    ------
    UsageError
        For settings that make no sense, and a catalogue without light curves.
    """
    grid = {name: options.pop(name) for name in _GRID if name in options}
    check_limits(grid.get("f_min"), grid.get("f_max"), grid.get("oversampling", 10.0))
    of_curves = {one.name for one in fields(CurveSettings)}
    curves = _curves({name: options.pop(name) for name in list(options) if name in of_curves})
    unknown = sorted(set(options) - {one.name for one in fields(FrequencySettings)})
    if unknown:
        raise UsageError(f"frequencies has no option {', '.join(unknown)}")
    settings = FrequencySettings(snr_min=snr_min, **options)
    columns = _columns(catalog, columns)
    function = partial(frequency_rows, settings=settings, curves=curves, columns=columns, **grid)
    return _mapped(catalog, function, FREQUENCIES, columns)


def _curves(options: dict[str, Any]) -> CurveSettings:
    unknown = sorted(set(options) - {one.name for one in fields(CurveSettings)})
    if unknown:
        raise UsageError(f"there is no option {', '.join(unknown)} of light curves")
    return CurveSettings(**options)


def _columns(catalog: Catalog, columns: CurveColumns | None) -> CurveColumns | None:
    """Names of columns with those of the catalogue's positions; None for a catalogue of this package."""
    if columns is None:
        return None
    return replace(columns, ra=catalog.info.ra_column, dec=catalog.info.dec_column)


def _mapped(catalog: Catalog, function: Any, kind: TableSchema, columns: CurveColumns | None) -> Catalog:
    if not isinstance(catalog, Catalog):
        raise UsageError(f"a catalogue is needed, as from lk.open_catalog(path), not {catalog!r}")
    position = (HEALPIX_COLUMN, catalog.info.ra_column, catalog.info.dec_column)
    wanted = SCHEMA.names if columns is None else columns.needed
    missing = [name for name in wanted if name not in catalog.columns]
    if missing:
        raise UsageError(
            f"{catalog.name} is no catalogue of light curves: it lacks {', '.join(missing)}; for one with "
            "other columns say which they are: columns=CurveColumns(time=..., flux=...)"
        )
    needs = [name for name in dict.fromkeys([*position, *wanted]) if name in catalog.source.schema.names]
    schema = result_schema(kind, catalog.source.schema, columns)
    return catalog.map_partitions(function, schema, needs, name=kind.name)
