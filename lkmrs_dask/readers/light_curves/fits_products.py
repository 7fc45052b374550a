"""FITS light curves of Kepler, K2 and TESS, and of those who corrected them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.readers.fits_bytes import FitsError, Header, TableColumn, TableHdu
from lkmrs_dask.readers.light_curves.clocks import ZEROS, check_reference, to_tdb, zero_in_text
from lkmrs_dask.readers.light_curves.curve import CATALOGUES, LightCurve
from lkmrs_dask.readers.light_curves.identity import identify, mission_of
from lkmrs_dask.readers.light_curves.quality import FLAGS, MFLAGS_SHIFT

__all__ = ["Wanted", "choose_table", "fits_curve", "flux_unit", "kept"]

Floats = NDArray[np.float64]
Columns = Mapping[str, TableColumn]

_UNITS = {
    "e-/s": "e-/s", "e/s": "e-/s", "electron/s": "e-/s", "electron s-1": "e-/s", "electrons/s": "e-/s",
    "rel": "relative", "relative": "relative", "normalized": "relative", "mag": "mag", "ppm": "ppm",
    "ppt": "ppt",
}  # fmt: skip


class Product(NamedTuple):
    """Columns of one author's table.

    Attributes
    ----------
    author : str
        Who; empty: Kepler or SPOC.
    needs : frozenset of str
        Columns by which the table is known.
    time : str
        The column of times.
    corrected, raw : tuple of str
        Columns of flux with and without the systematics; the first that is there is taken.
    quality : tuple of str
        Columns of flags.
    unit : str
        Of flux where the column does not say.
    zero : float or None
        What times are counted from where the file does not say.
    """

    author: str
    needs: frozenset[str]
    time: str
    corrected: tuple[str, ...]
    raw: tuple[str, ...]
    quality: tuple[str, ...]
    unit: str
    zero: float | None = None


_BKJD, _BTJD = ZEROS["bkjd"], ZEROS["btjd"]
_PRODUCTS = (
    Product("", frozenset({"TIME", "SAP_FLUX", "PDCSAP_FLUX"}), "TIME", ("PDCSAP_FLUX",), ("SAP_FLUX",),
            ("SAP_QUALITY", "QUALITY"), "e-/s"),
    Product("QLP", frozenset({"TIME", "SAP_FLUX", "KSPSAP_FLUX"}), "TIME", ("KSPSAP_FLUX",), ("SAP_FLUX",),
            ("QUALITY",), "relative", _BTJD),
    Product("QLP", frozenset({"TIME", "SAP_FLUX", "DET_FLUX"}), "TIME", ("DET_FLUX",), ("SAP_FLUX",),
            ("QUALITY",), "relative", _BTJD),
    Product("K2SFF", frozenset({"T", "FRAW", "FCOR"}), "T", ("FCOR",), ("FRAW",), (), "relative", _BKJD),
    Product("K2SC", frozenset({"TIME", "FLUX", "TRTIME", "TRPOSI"}), "TIME", ("FLUX",), ("FLUX",),
            ("QUALITY",), "e-/s", _BKJD),
    Product("K2VARCAT", frozenset({"TIME", "APTFLUX", "DETFLUX"}), "TIME", ("DETFLUX",), ("APTFLUX",), (),
            "relative", _BKJD),
    Product("ketu", frozenset({"TIME", "FLUX", "BKG", "CADENCENO"}), "TIME", ("FLUX",), ("FLUX",),
            ("QUALITY",), "e-/s"),
)  # fmt: skip
_BEST = {"K2SFF": "BESTAPER"}
"""Of several tables with the same columns, the one to take; else the first."""


class Wanted(NamedTuple):
    """What is taken of a file: the product, its table, that table's columns, and the column of flux."""

    product: Product
    table: TableHdu
    columns: dict[str, TableColumn]
    flux: str


def choose_table(tables: list[TableHdu], flux: str) -> Wanted:
    """Find the table with the light curve and the column of flux.

    Raises
    ------
    FitsError
        Where no table has the columns of a known product, or none has the column that is asked for.
    """
    known = [(hdu, hdu.columns()) for hdu in tables]
    for product in _PRODUCTS:
        fit = [(hdu, columns) for hdu, columns in known if product.needs <= columns.keys()]
        if not fit:
            continue
        if product.author == "K2SC":
            best = "SAP" if flux == "raw" else "PDC"
        else:
            best = _BEST.get(product.author, fit[0][0].name)
        hdu, columns = next((pair for pair in fit if pair[0].name == best), fit[0])
        names = {"corrected": product.corrected, "raw": product.raw}.get(flux, (flux.upper(),))
        name = next((name for name in names if name in columns), None)
        if name is None:
            raise FitsError(f"no column {names[0]}; the table has {', '.join(columns)}")
        return Wanted(product, hdu, columns, name)
    there = "; ".join(", ".join(columns) for _, columns in known) or "no binary table"
    raise FitsError(f"no light curve of a known kind: it has {there}; name the columns with TableFormat")


def fits_curve(primary: Header, tables: list[TableHdu], file: Path, flux: str = "corrected") -> LightCurve:
    """Light curve of the HDUs of a file.

    Parameters
    ----------
    primary : Header
        Of the file.
    tables : list of TableHdu
        Its binary tables.
    file : Path
        For what the headers do not say.
    flux : str
        ``corrected``, ``raw``, or the name of a column.

    Raises
    ------
    FitsError
        Where it is no light curve of a known kind, or headers contradict themselves.
    InputError
        Where time scale or reference are unknown.
    """
    want = choose_table(tables, flux)
    product, hdu, columns, name = want
    if not hdu.header.count("NAXIS2"):
        raise FitsError("the table of the light curve has no rows")
    time = _numbers(hdu, columns[product.time])
    values, errors, label = _flux(want, tables, flux)
    quality = _quality(want)
    target = _target(primary, hdu, file)
    unit = flux_unit(hdu.header.get(f"TUNIT{list(columns).index(name) + 1}"), product.unit)
    scale = check_reference(_either(hdu, primary, "TIMESYS"), _either(hdu, primary, "TIMEREF"))
    zero = _zero(want, primary)
    length = _real(_either(hdu, primary, "TIMEDEL"))
    use = kept(time, values)
    author = product.author or _author(target["mission"], primary, file)
    return LightCurve(
        time=to_tdb(zero + time[use], scale),
        flux=values[use],
        flux_err=errors[use],
        quality=quality[use],
        unit=unit,
        exptime=86400.0 * length if length > 0 else _spacing(time[use]),
        author=author,
        product=label,
        source_file=file.name,
        n_missing=len(time) - int(np.count_nonzero(use)),
        **target,
    )


def kept(time: Floats, flux: Floats) -> NDArray[np.bool_]:
    """Points that have a time and a flux; FitsError where there are none."""
    use = np.isfinite(time) & np.isfinite(flux)
    if not use.any():
        raise FitsError(f"none of {len(time)} points has both a time and a flux")
    return use


def flux_unit(text: object, otherwise: str) -> str:
    """Unit of flux by its name in a file; FitsError for an unknown one."""
    if text is None or not str(text).strip():
        return otherwise
    unit = _UNITS.get(str(text).strip().lower())
    if unit is None:
        raise FitsError(f"unknown unit of flux {text!r}; known are {', '.join(_UNITS)}")
    return unit


def _either(hdu: TableHdu, primary: Header, key: str) -> Any:
    value = hdu.header.get(key)
    return primary.get(key) if value is None else value


def _real(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan


def _spacing(time: Floats) -> float:
    """Cadence in seconds by the median step, for files that do not say; NaN for a single point."""
    steps = np.diff(np.unique(time))
    return 86400.0 * float(np.median(steps)) if len(steps) else np.nan


def _flux(want: Wanted, tables: list[TableHdu], flux: str) -> tuple[Floats, Floats, str]:
    """Flux, its error (NaN where there is none) and the product's name."""
    product, hdu, columns, name = want
    if product.author == "ketu":
        return _best_aperture(want, tables)
    values = _numbers(hdu, columns[name])
    error = next((n for n in (f"{name}_ERR", f"{product.corrected[0]}_ERR", "ERROR") if n in columns), None)
    errors = _numbers(hdu, columns[error]) if error is not None else np.full(len(values), np.nan)
    if product.author != "K2SC" or flux not in ("corrected", "raw"):
        return values, errors, name
    # Its FLUX has the star's own variation taken out as well: K2SC's README says how to put it back.
    parts = [_numbers(hdu, columns["TRTIME"])]
    if flux == "raw":
        parts.append(_numbers(hdu, columns["TRPOSI"]))
    for part in parts:
        finite = part[np.isfinite(part)]
        values = values + part - (np.median(finite) if len(finite) else 0.0)
    return values, errors, hdu.name or name


def _best_aperture(want: Wanted, tables: list[TableHdu]) -> tuple[Floats, Floats, str]:
    """Flux of the aperture with the least scatter in 6 h, of those in the vector cells."""
    if not want.columns[want.flux].repeat:
        raise FitsError(f"column {want.flux} has no values")
    fluxes = want.table.values(want.columns[want.flux]).astype(np.float64)
    cdpp = np.full(fluxes.shape[1], np.nan)
    for hdu in tables:
        columns = hdu.columns()
        if "CDPP6" in columns and hdu.header.count("NAXIS2") == len(cdpp):
            cdpp = _numbers(hdu, columns["CDPP6"])
    best = int(np.argmin(np.where(np.isfinite(cdpp), cdpp, np.inf)))
    return fluxes[:, best], np.full(len(fluxes), np.nan), f"{want.flux}[{best}]"


def _numbers(hdu: TableHdu, column: TableColumn) -> Floats:
    if column.repeat != 1:
        raise FitsError(f"column {column.name} has {column.repeat} values a row, not one")
    return hdu.values(column)[:, 0].astype(np.float64)


def _flags(hdu: TableHdu, column: TableColumn) -> NDArray[np.int32]:
    if column.repeat != 1 or column.code not in "BIJ":
        raise FitsError(f"column {column.name} has the format {column.repeat}{column.code}, so no flags")
    return hdu.values(column)[:, 0].astype(np.int32)


def _quality(want: Wanted) -> NDArray[np.int32]:
    product, hdu, columns, _ = want
    flags = np.zeros(hdu.header.count("NAXIS2"), np.int32)
    name = next((name for name in product.quality if name in columns), None)
    if name is not None:
        flags = _flags(hdu, columns[name])
    if product.author == "K2SC" and "MFLAGS" in columns:
        flags = flags | _flags(hdu, columns["MFLAGS"]) << MFLAGS_SHIFT
    if product.author == "K2SFF" and "MOVING" in columns:
        moving = _numbers(hdu, columns["MOVING"]) != 0
        flags = flags | np.where(moving, FLAGS["K2"]["thruster firing"], 0).astype(np.int32)
    return flags


def _zero(want: Wanted, primary: Header) -> float:
    """Julian date that times are counted from."""
    product, hdu, columns, _ = want
    whole, rest = (_either(hdu, primary, key) for key in ("BJDREFI", "BJDREFF"))
    if np.isfinite(_real(whole)):
        return _real(whole) + (_real(rest) if np.isfinite(_real(rest)) else 0.0)
    zero = zero_in_text(hdu.header.get(f"TUNIT{list(columns).index(product.time) + 1}"))
    zero = product.zero if zero is None else zero
    if zero is None:
        raise FitsError(f"what times are counted from is unknown: no BJDREFI, no unit of {product.time}")
    return zero


def _target(primary: Header, hdu: TableHdu, file: Path) -> dict[str, Any]:
    """Star, position and segment by the headers, else by the name of the file."""
    by_name = identify(file)
    words = {key: str(_either(hdu, primary, key) or "").strip() for key in ("TELESCOP", "MISSION", "OBJECT")}
    number = next((n for key in ("KEPLERID", "TICID") if _is_id(n := _either(hdu, primary, key))), None)
    mission = mission_of(words["TELESCOP"], words["MISSION"], words["OBJECT"], number) or by_name.mission
    number = by_name.target_id if number is None and mission == by_name.mission else number
    part = {"Kepler": "QUARTER", "K2": "CAMPAIGN", "TESS": "SECTOR"}.get(mission, "")
    segment = _either(hdu, primary, part) if part else None
    segment = segment if _is_id(segment) else by_name.segment
    ra, dec = (_real(primary.get(key)) for key in ("RA_OBJ", "DEC_OBJ"))
    if not (0.0 <= ra <= 360.0 and abs(dec) <= 90.0):
        ra = dec = np.nan
    usual = (
        f"{CATALOGUES[mission]} {number}" if mission in CATALOGUES and number is not None else by_name.name
    )
    return {
        "mission": mission, "target_id": number, "segment": segment, "ra": ra, "dec": dec,
        "name": words["OBJECT"] or usual,
    }  # fmt: skip


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _author(mission: str, primary: Header, file: Path) -> str:
    if mission != "TESS":
        return mission
    return "TESS-SPOC" if file.name.lower().startswith("hlsp_tess-spoc") else "SPOC"
