"""Light curves in plain tables: text of any kind, and FITS tables with columns of one's own."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.fits_bytes import TableHdu
from lkmrs_dask.readers.light_curves.clocks import guess_zero, to_barycentre, to_tdb, zero_in_text
from lkmrs_dask.readers.light_curves.curve import CATALOGUES, LightCurve
from lkmrs_dask.readers.light_curves.fits_products import kept
from lkmrs_dask.readers.light_curves.identity import identify
from lkmrs_dask.readers.light_curves.table_format import TableFormat

__all__ = ["UnknownUnitError", "fits_table_curve", "text_curve"]

Floats = NDArray[np.float64]

_COMMENT = re.compile(rb"(?m)^[ \t]*[#;].*(?:\r?\n|\Z)")
_BLANKS = re.compile(rb"[ \t]+")
_MARGINS = re.compile(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)")
_MISSING = ["", "nan", "NaN", "NAN", "null", "NULL", "None", "--", "-", "N/A", "inf", "-inf"]
_TIME = re.compile(r"^(t|time|times|date|days?|epoch)$|[bhm]?jd", re.IGNORECASE)
_FLUX = re.compile(r"flux|fcor|mag", re.IGNORECASE)
_BEST_FLUX = ("fcor", "pdcsap_flux", "kspsap_flux", "det_flux", "corrected flux", "flux", "mag", "magnitude")
_ERROR = re.compile(r"err|sigma|unc|^e_", re.IGNORECASE)
_QUALITY = re.compile(r"^(sap_)?quality$", re.IGNORECASE)
_RELATIVE = {
    "fcor",
    "fraw",
    "kspsap_flux",
    "det_flux",
    "relative flux",
    "rel_flux",
    "normalized flux",
    "corrected flux",
}
_BANDS = frozenset({"band", "filter", "passband", "filt"})


class UnknownUnitError(InputError):
    """A table does not say what its fluxes are: relative, magnitudes, or counts."""


class _Raw(NamedTuple):
    """A table: names of its columns (or empty texts), a reader of them, and all else it says."""

    names: list[str]
    numbers: Callable[[int], Floats]
    rows: Callable[[Sequence[tuple[str, str]], str | int | None], NDArray[np.bool_]]
    texts: Callable[[str | int], NDArray[np.str_]]
    remarks: str


def text_curve(data: bytes, file: Path, form: TableFormat) -> LightCurve:
    """Light curve of a text table.

    Lines that begin with ``#`` or ``;`` are comments; the last line before the numbers, a comment or not,
    has the names of the columns if it has as many words as they are.  Columns are parted by commas, tabs,
    bars, semicolons, or else blanks.

    Parameters
    ----------
    data : bytes
        The file.
    file : Path
        Its name.
    form : TableFormat
        What is what.

    Raises
    ------
    InputError
        Where a column or the unit is unknown, rows differ in their number of columns, a cell is neither a
        number nor missing, or nothing is left.
    """
    return _curve(_read_text(data, file), file, form)


def fits_table_curve(tables: list[TableHdu], file: Path, form: TableFormat) -> LightCurve:
    """Light curve of the first binary table that has the columns `form` names.

    Raises
    ------
    InputError
        See `text_curve`.
    """
    named = [c for c in (form.time, form.flux, form.error, form.quality) if c is not None]
    for hdu in tables:
        columns = hdu.columns()
        names = list(columns)
        if hdu.header.count("NAXIS2") and all(
            name.upper() in columns if isinstance(name, str) else name < len(names) for name in named
        ):
            layout = list(columns.values())

            def numbers(at: int, hdu: TableHdu = hdu, layout: list = layout) -> Floats:
                if layout[at].repeat != 1:
                    raise InputError("it has several values a row", file=file, column=layout[at].name)
                return hdu.values(layout[at])[:, 0].astype(np.float64)

            def texts(column: str | int) -> NDArray[np.str_]:
                raise UsageError("band= is for text tables")

            def rows(
                where: Sequence[tuple[str, str]], band: str | int | None, hdu: TableHdu = hdu
            ) -> NDArray[np.bool_]:
                if where:
                    raise UsageError("where= is for text tables")
                return np.ones(hdu.header.count("NAXIS2"), bool)

            units = [str(hdu.header.get(f"TUNIT{at + 1}") or "") for at in range(len(names))]
            if (reference := hdu.header.get("BJDREFI")) is not None:
                units.append(f"BJD - {reference}")
            return _curve(_Raw(names, numbers, rows, texts, " ".join(units)), file, form)
    raise InputError(f"no table with rows has the columns {', '.join(map(str, named))}", file=file)


def _curve(raw: _Raw, file: Path, form: TableFormat) -> LightCurve:
    known = identify(file)
    mission = known.mission if form.mission is None else form.mission
    at = _choose(raw.names, file, form)
    rows = raw.rows(form.where, form.band)
    if not rows.any():
        raise InputError(f"no row has {dict(form.where)}" if form.where else "there are no rows", file=file)
    time, flux = raw.numbers(at["time"])[rows], raw.numbers(at["flux"])[rows]
    error = raw.numbers(at["error"])[rows] if "error" in at else np.full(len(time), np.nan)
    flags = raw.numbers(at["quality"])[rows] if "quality" in at else np.zeros(len(time))
    unit = form.unit or _unit(raw.names[at["flux"]])
    if unit is None:
        raise UnknownUnitError("the unit of flux is unknown; say it with unit=", file=file)
    band = None if form.band is None else raw.texts(form.band)[rows]
    use = kept(time, flux if band is None else np.where(band == "", np.nan, flux))
    name = raw.names[at["time"]]
    zero = form.zero_value
    if zero is None:
        zero = zero_in_text(name) or zero_in_text(raw.remarks)
    if zero is None:
        zero = guess_zero(time[use], mission, name)
    jd, scale = _barycentric(time[use], zero, form)
    star = known.target_id if form.target_id is None else form.target_id
    usual = f"{CATALOGUES[mission]} {star}" if mission and star is not None else known.name
    steps = np.diff(np.unique(jd))
    usual_step = 86400.0 * float(np.median(steps)) if len(steps) and mission else np.nan
    return LightCurve(
        time=jd,
        flux=flux[use],
        flux_err=error[use],
        quality=np.where(np.isfinite(flags), flags, 0)[use].astype(np.int32),
        unit=unit,
        mission=mission,
        target_id=star,
        name=form.name or usual,
        ra=form.ra,
        dec=form.dec,
        segment=known.segment if form.segment is None else form.segment,
        exptime=form.exptime if np.isfinite(form.exptime) else usual_step,
        time_scale=scale,
        author="K2SFF" if form.author == "table" and "k2sff" in file.name.lower() else form.author,
        product=raw.names[at["flux"]] or "flux",
        source_file=file.name,
        n_missing=len(time) - int(np.count_nonzero(use)),
        band=None if band is None else band[use],
    )


def _barycentric(time: Floats, zero: float, form: TableFormat) -> tuple[Floats, str]:
    """Times as BJD_TDB, and how sure that is."""
    if np.isnan(zero):
        return time, "relative"
    if form.site is not None:
        assert form.scale is not None
        return to_barycentre(zero + time, form.scale, form.ra, form.dec, form.site), "BJD_TDB"
    if form.scale is None:
        return zero + time, "assumed"
    return to_tdb(zero + time, form.scale), "BJD_TDB"


def _choose(names: list[str], file: Path, form: TableFormat) -> dict[str, int]:
    """Numbers of the columns of time, flux, error and flags."""
    lower = [name.lower() for name in names]
    named = any(lower)
    guesses: dict[str, int | None] = {
        "time": 0,
        "flux": 1,
        "error": 2 if len(names) == 3 else None,
        "quality": None,
    }
    if named:
        free = [at for at, name in enumerate(lower) if not _ERROR.search(name)]
        fluxes = [at for at in free if _FLUX.search(lower[at])]
        best = [lower.index(name) for name in _BEST_FLUX if name in lower]
        errors = [at for at, name in enumerate(lower) if _ERROR.search(name)]
        guesses = {
            "time": next((at for at in free if _TIME.search(lower[at])), None),
            "flux": next(iter(best + fluxes), None),
            "error": None,
            "quality": next((at for at, name in enumerate(lower) if _QUALITY.search(name)), None),
        }
        chosen = form.flux if isinstance(form.flux, str) else None
        flux_name = (
            chosen.lower() if chosen else lower[guesses["flux"]] if guesses["flux"] is not None else ""
        )
        own = [at for at in errors if flux_name and flux_name in lower[at]]
        guesses["error"] = own[0] if own else errors[0] if len(errors) == 1 else None
    found: dict[str, int] = {}
    for key, guess in guesses.items():
        told = getattr(form, key)
        at = guess if told is None else _column(told, lower, file)
        if at is not None and at < len(names):
            found[key] = at
        elif key in ("time", "flux"):
            has = ", ".join(names) if named else f"{len(names)} columns without names"
            raise InputError(f"no column of {key}: it has {has}; say which with {key}=", file=file)
    return found


def _column(told: str | int, lower: list[str], file: Path) -> int:
    if isinstance(told, int):
        if not 0 <= told < len(lower):
            raise InputError(f"there is no column {told}: it has {len(lower)}", file=file, column=str(told))
        return told
    if told.lower() not in lower:
        has = ", ".join(name for name in lower if name) or f"{len(lower)} columns without names"
        raise InputError(f"there is no such column; it has {has}", file=file, column=told)
    return lower.index(told.lower())


def _unit(name: str) -> str | None:
    """Unit of flux by the name of the column."""
    lower = name.lower()
    for word in ("mag", "ppm", "ppt"):
        if re.search(rf"(?<![a-z]){word}|{word}(?![a-z])", lower):
            return word
    if lower in ("sap_flux", "pdcsap_flux") or "e-/s" in lower:
        return "e-/s"
    return "relative" if lower in _RELATIVE else None


# Text


def _read_text(data: bytes, file: Path) -> _Raw:
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"")
    start, lines = _first_numbers(data)
    if start is None:
        raise InputError("there is no row of numbers: is this a light curve?", file=file)
    body = _COMMENT.sub(b"", data[start:])
    first = body.split(b"\n", 1)[0]
    delimiter = next((mark for mark in (b",", b"\t", b"|", b";") if mark in first), b"")
    if not delimiter:
        body = _BLANKS.sub(b",", _MARGINS.sub(b"", body))
        first = body.split(b"\n", 1)[0]
    mark = delimiter or b","
    width = len(first.rstrip(b"\r").split(mark))
    names = _names(lines[-1] if lines else "", delimiter.decode(), width)
    labels = [f"{at}" for at in range(width)]
    cells: dict[int, pa.ChunkedArray] = {}

    def column(at: int, kind: pa.DataType) -> pa.ChunkedArray:
        if at not in cells:
            cells[at] = _parse(body, mark, labels, at, kind, file)
        return cells[at]

    def numbers(at: int) -> Floats:
        return column(at, pa.float64()).fill_null(np.nan).to_numpy().astype(np.float64)

    def _one_band(lower: Sequence[str], chosen: set[str]) -> None:
        """Light in several bands is no light curve."""
        for name in set(lower) & _BANDS - chosen:
            cells = pc.utf8_trim_whitespace(column(lower.index(name), pa.string()))
            bands = sorted(one for one in cells.unique().to_pylist() if one)
            if len(bands) > 1:
                raise InputError(
                    f"there are several values of {name}: {', '.join(bands[:10])}; choose the rows of one by "
                    f"where, for instance {name}={bands[0]}",
                    file=file, column=name,
                )  # fmt: skip

    def texts(told: str | int) -> NDArray[np.str_]:
        at = _column(told, [name.lower() for name in names], file)
        cells = pc.utf8_trim_whitespace(column(at, pa.string())).fill_null("")
        return np.array(cells.to_pylist(), np.str_)

    def rows(where: Sequence[tuple[str, str]], band: str | int | None) -> NDArray[np.bool_]:
        lower = [name.lower() for name in names]
        keep: NDArray[np.bool_] | None = None
        chosen = {name.lower() for name, _ in where}
        if band is not None:
            chosen.add(lower[_column(band, lower, file)])
        _one_band(lower, chosen)
        for name, text in where:
            cell = pc.utf8_trim_whitespace(column(_column(name, lower, file), pa.string()))
            fit = pc.equal(cell, text).fill_null(False).to_numpy().astype(bool)
            keep = fit if keep is None else keep & fit
        return np.ones(len(column(0, pa.float64())), bool) if keep is None else keep

    return _Raw(names, numbers, rows, texts, "\n".join(lines))


def _first_numbers(data: bytes) -> tuple[int | None, list[str]]:
    """Where the first line of numbers begins, and the lines before it."""
    at = 0
    lines: list[str] = []
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end + 1
        line = data[at:end].strip()
        if line and line[:1] not in b"#;" and _is_number(re.split(rb"[,\s|;]+", line.lstrip(b",|;"))[0]):
            return at, lines
        if line:
            lines.append(line.decode("utf-8", "replace"))
        at = end
    return None, lines


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _names(line: str, delimiter: str, width: int) -> list[str]:
    """Names of columns from the line before the numbers; empty where it has none."""
    text = line.strip().lstrip("#;").strip()
    names = text.split(delimiter) if delimiter else text.split()
    names = [name.strip().strip("\"'") for name in names]
    names += (
        [""] * (width - len(names)) if len(names) == width - 1 else []
    )  # a delimiter that ends the rows only
    return names if len(names) == width and any(names) else [""] * width


def _parse(
    body: bytes, mark: bytes, labels: list[str], at: int, kind: pa.DataType, file: Path
) -> pa.ChunkedArray:
    try:
        table = pacsv.read_csv(
            io.BytesIO(body),
            pacsv.ReadOptions(column_names=labels, use_threads=False),
            pacsv.ParseOptions(delimiter=mark.decode()),
            pacsv.ConvertOptions(
                column_types={labels[at]: kind},
                include_columns=[labels[at]],
                null_values=_MISSING,
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as fault:
        raise InputError(f"a row of the table cannot be read: {fault}", file=file) from fault
    return table.column(0)
