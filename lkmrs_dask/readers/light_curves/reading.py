"""Read a light curve of any known kind."""

from __future__ import annotations

from pathlib import Path

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.fits_bytes import open_fits, read_header, read_tables
from lkmrs_dask.readers.light_curves.curve import LightCurve
from lkmrs_dask.readers.light_curves.fits_products import fits_curve
from lkmrs_dask.readers.light_curves.plain_tables import fits_table_curve, text_curve
from lkmrs_dask.readers.light_curves.table_format import TableFormat

__all__ = ["light_curve_files", "read_light_curve"]

_SIMPLE = b"SIMPLE"


def read_light_curve(
    file: str | Path, *, flux: str = "corrected", table: TableFormat | None = None
) -> LightCurve:
    """Read one file, gzipped or not, of a kind that is told by its content.

    FITS: Kepler and K2 in long and short cadence, TESS at 20 s and 2 min (SPOC) and from full frames
    (TESS-SPOC, QLP), K2SFF, K2SC, K2VARCAT, ketu; and any binary table with `table`.  Text: see
    `TableFormat`.

    Parameters
    ----------
    file : str or Path
        The file.
    flux : str
        ``corrected``: free of systematics but with the star's variation (PDCSAP_FLUX, KSPSAP_FLUX or
        DET_FLUX, FCOR, K2SC's PDC with its time trend, DETFLUX); ``raw``: the light in the aperture
        (SAP_FLUX, FRAW, APTFLUX, K2SC's SAP with both trends); or the name of a column.  For FITS of a
        known kind only.
    table : TableFormat, optional
        What is what in a plain table; for FITS it takes the place of what is known.

    Returns
    -------
    LightCurve

    Raises
    ------
    InputError
        Where the file is absent, damaged or cut off, is of no known kind, has no points, or time or unit
        are unknown.
    UsageError
        For settings that make no sense.
    """
    if not isinstance(flux, str) or not flux:
        raise UsageError(f"flux must be corrected, raw, or the name of a column, not {flux!r}")
    file = Path(file)
    with open_fits(file) as stream:
        start = stream.read(len(_SIMPLE))
        if start != _SIMPLE:
            data = start + stream.read()
            if not data.strip():
                raise InputError("the file is empty", file=file)
            return text_curve(data, file, table or TableFormat())
        stream.seek(0)
        primary, head = read_header(stream)
        tables = read_tables(primary, head, stream)
        if table is not None:
            return fits_table_curve(tables, file, table)
        try:
            return fits_curve(primary, tables, file, flux)
        except InputError as fault:
            raise InputError(fault.message, file=file) from fault


def light_curve_files(*places: str | Path) -> list[Path]:
    """Files in folders and beneath (``*.fits``, ``*.fits.gz``), and files named as such; sorted, each once.

    Raises
    ------
    UsageError
        Where a place is not there, or a folder has none.
    """
    found: set[Path] = set()
    for place in map(Path, places):
        if place.is_file():
            found.add(place)
            continue
        if not place.is_dir():
            raise UsageError(f"there is no file or folder {place}")
        inside = [path for end in ("*.fits", "*.fits.gz") for path in place.rglob(end) if path.is_file()]
        if not inside:
            raise UsageError(f"{place} has no FITS files; name files of other kinds one by one")
        found.update(inside)
    return sorted(found)
