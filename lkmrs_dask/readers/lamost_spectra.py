"""LAMOST medium-resolution spectra: one FITS file per fibre and night, a row per spectrum and arm.

Until DR9 v0 an arm is a table of a row per pixel (``FLUX, IVAR, LOGLAM`` and masks); from DR9 v1 it is one
row of vector cells (``FLUX, IVAR, WAVELENGTH``), with the times of every exposure to the second.  Both are
told by their headers and columns; the name of a file does not matter.

Choices that the files leave open:

- Red single exposures are stored from long to short wavelengths, everything else upwards.  Here
  wavelengths always go up.
- An exposure's time has seconds where its header has them, else it comes from the minute ``LMJM`` and is
  early by half a minute in the mean (see :mod:`lkmrs_dask.readers.times`).
- A file that is cut off gives nothing at all: a coadd's time needs the exposures that are lost.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lkmrs_dask.errors import UsageError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, Chunk, set_aside_table
from lkmrs_dask.readers.cells import NOT_A_NUMBER, PLAN
from lkmrs_dask.readers.fits_bytes import FitsError, Header, TableHdu, open_fits, read_header, read_tables
from lkmrs_dask.readers.lamost_headers import (
    Exposure,
    SpectrumError,
    arm_of,
    coadd_times,
    convert,
    exposure,
    primary_values,
)
from lkmrs_dask.readers.times import barycentric_time
from lkmrs_dask.schema import FLUX_COLUMNS, SPECTRA, TableSchema

__all__ = ["LK_PLANS", "SpectraSource", "read_spectra"]

LK_PLANS = ("*K[0-9][0-9]", "*KP[0-9][0-9]")
"""Plan ids of the LAMOST-Kepler/K2 project: ``TD192102N424113K01``, and ``HIP95119KP01`` of the test phase.
Other sub-projects end otherwise (``TD230151N343645T01``)."""

_COLUMNS = frozenset(
    {
        *("uid", "designation", "obsid", "ra_input", "dec_input", "ra_obs", "dec_obs", "obsdate", "lmjd"),
        *("mjd", "bjd_tdb", "lmjm", "exptime", "n_exposures", "planid", "spid", "fiberid", "band", "coadd"),
        *("snr", "low_snr", "gaia_g_mean_mag", "gaia_bp_mean_mag", "gaia_rp_mean_mag", "fibertype"),
        *("tsource", "tfrom", "tcomment", "offsets", "offsets_v", "fibermask", "helio", "source_file"),
    }
)
_MASKS = ("PIXMASK", "ORMASK")


@dataclass(frozen=True)
class SpectraSource:
    """Medium-resolution spectra as rows of the catalogue ``spectra``.

    Parameters
    ----------
    patterns : tuple of str
        Globs below `root`; ``**`` descends.
    root : Path
        The folder.
    plans : tuple of str, optional
        fnmatch patterns of wanted observing plans, such as `LK_PLANS`; a file of another plan is set aside
        as a whole, after reading its primary header only.  Empty: all are wanted.
    flux : bool, optional
        Give the list columns wavelength, flux, ivar and mask.
    low_snr : float, optional
        Spectra whose S/N is missing or below have ``low_snr`` true.
    batch_rows : int, optional
        Rows of a chunk at most.

    Raises
    ------
    UsageError
        No pattern, or fewer than one row a chunk.
    """

    patterns: tuple[str, ...]
    root: Path
    plans: tuple[str, ...] = ()
    flux: bool = True
    low_snr: float = 2.0
    batch_rows: int = 256

    def __post_init__(self) -> None:
        for name in ("patterns", "plans"):
            if isinstance(getattr(self, name), str):
                raise UsageError(
                    f"{name} must be a tuple of patterns, not the string {getattr(self, name)!r}"
                )
        if not self.patterns:
            raise UsageError("spectra: no file pattern given")
        if self.batch_rows < 1:
            raise UsageError(f"batch_rows must be at least 1, not {self.batch_rows}")

    @property
    def schema(self) -> TableSchema:
        """The catalogue that the rows belong to."""
        return SPECTRA

    @property
    def files_together(self) -> int:
        """Files that make one piece of work: each is small."""
        return 200

    def files(self) -> list[Path]:
        """List the files, sorted by name; UsageError where a pattern matches none."""
        found: set[Path] = set()
        for pattern in self.patterns:
            there = glob.glob(pattern, root_dir=self.root, recursive=True)
            names = [Path(self.root) / name for name in there]
            if not Path(pattern).name.strip("*"):
                # "**" finds folders on its way; a folder that a fuller pattern names is told of by read.
                names = [name for name in names if not name.is_dir()]
            if not names:
                raise UsageError(f"no file matches the pattern {pattern!r} in {self.root}")
            found.update(names)
        return sorted(found)

    def read(self, file: Path) -> Iterator[Chunk]:
        """Read one file.

        Parameters
        ----------
        file : Path
            Old or new layout, gzipped or not.

        Yields
        ------
        Chunk
            At most `batch_rows` spectra; the first chunk has all that is set aside.

        Raises
        ------
        InputError
            No FITS, cut off, no RA, DEC or PLANID, or no arm in it.
        """
        table, set_aside = read_spectra(file, plans=self.plans, flux=self.flux, low_snr=self.low_snr)
        for start in range(0, max(table.num_rows, 1), self.batch_rows):
            yield Chunk(table.slice(start, self.batch_rows), set_aside)
            set_aside = SET_ASIDE_SCHEMA.empty_table()


def read_spectra(file: Path, *, plans: Sequence[str] = (), flux: bool = True, low_snr: float = 2.0) -> Chunk:
    """Read all spectra of one file; the arguments are those of :class:`SpectraSource`.

    Returns
    -------
    Chunk
        The rows in the order of the file, coadds first, and what is set aside: a line with a null row for
        an unwanted file, a line with the number of the HDU for a spectrum.

    Raises
    ------
    InputError
        The file as a whole is of no use.
    """
    file = Path(file)
    with open_fits(file) as stream:
        primary, head = read_header(stream)
        plan = str(primary.get("PLANID") or "").strip()
        missing = [key for key in ("RA", "DEC") if key not in primary] + ["PLANID"] * (not plan)
        if missing:
            raise FitsError(f"the primary header (HDU 0) has no {' or '.join(missing)}: no LAMOST spectrum?")
        if plans and not any(fnmatchcase(plan, pattern) for pattern in plans):
            return Chunk(_table([], flux), set_aside_table(file, PLAN, column="PLANID", values=[plan]))
        arms = [hdu for hdu in read_tables(primary, head, stream) if arm_of(hdu.name)]
        if not arms:
            raise FitsError("FITS without an expected HDU: no COADD_B, COADD_R, B-<minute> or R-<minute>")
    rows, faults = _spectra(primary, arms, flux, low_snr)
    for row in rows:
        row["source_file"] = file.name
    tables = [
        set_aside_table(
            file,
            fault.reason,
            rows=[hdu.number],
            column=fault.column,
            values=[None if fault.value is None else str(fault.value)],
            texts=[f"HDU {hdu.number} ({hdu.name})"],
        )
        for hdu, fault in faults
    ]
    return Chunk(_table(rows, flux), pa.concat_tables([SET_ASIDE_SCHEMA.empty_table(), *tables]))


def _spectra(
    primary: Header, arms: Sequence[TableHdu], flux: bool, low_snr: float
) -> tuple[list[dict[str, Any]], list[tuple[TableHdu, SpectrumError]]]:
    """Rows, and the HDUs that give none with the reason."""
    try:
        common = primary_values(primary) | {"uid": None}
    except SpectrumError as fault:
        return [], [(hdu, fault) for hdu in arms]
    exposures = _exposures(arms)
    rows, faults = [], []
    for hdu in arms:
        try:
            rows.append(common | _spectrum(hdu, exposures, low_snr) | _pixels(hdu, flux))
        except SpectrumError as fault:
            faults.append((hdu, fault))
    times = np.array([nan if row["mjd"] is None else row["mjd"] for row in rows])
    times = barycentric_time(times, common["ra_input"], common["dec_input"])
    for row, time in zip(rows, times.tolist(), strict=True):
        row["bjd_tdb"] = None if isnan(time) else time
    return rows, faults


def _exposures(arms: Sequence[TableHdu]) -> dict[str, list[Exposure]]:
    """Exposures by arm, of spectra without usable pixels too: a coadd's time needs them."""
    found: dict[str, list[Exposure]] = {"B": [], "R": []}
    for hdu in arms:
        arm = arm_of(hdu.name)
        if arm and not arm.coadd:
            try:
                found[arm.band].append(exposure(hdu.header))
            except SpectrumError:
                continue  # told of when its own spectrum is read
    return found


def _spectrum(hdu: TableHdu, exposures: Mapping[str, Sequence[Exposure]], low_snr: float) -> dict[str, Any]:
    """Columns of one spectrum, without its pixels."""
    arm = arm_of(hdu.name)
    assert arm is not None
    if arm.coadd:
        times = coadd_times(hdu.header, exposures[arm.band])
    else:
        one = exposure(hdu.header)
        times = {
            "lmjm": one.lmjm,
            "exptime": None if isnan(one.exptime) else one.exptime,
            "n_exposures": 1,
            "mjd": None if isnan(one.mjd) else one.mjd,
        }
    snr = convert(SPECTRA["snr"], hdu.header, "SNR")
    low = snr is None or snr < low_snr
    return times | {"band": arm.band, "coadd": arm.coadd, "snr": snr, "low_snr": low}


def _pixels(hdu: TableHdu, flux: bool) -> dict[str, Any]:
    """Arrays of one spectrum, upwards in wavelength; without `flux` only the layout is checked."""
    try:
        arrays = _raw_pixels(hdu, flux)
    except FitsError as error:
        raise SpectrumError("broken table", None, str(error)) from error
    if not flux:
        return {}
    scale = "WAVELENGTH" if "WAVELENGTH" in arrays else "LOGLAM"
    with np.errstate(over="ignore", invalid="ignore"):
        wavelength = arrays[scale].astype(np.float64)
        if scale == "LOGLAM":
            wavelength = 10.0**wavelength
        values = arrays["FLUX"].astype(np.float32)
        ivar = arrays["IVAR"].astype(np.float32)
    if not np.isfinite(wavelength).all():
        raise SpectrumError(NOT_A_NUMBER, scale, "a wavelength that is not finite")
    bad = ~np.isfinite(values)
    values[bad] = np.nan
    ivar[bad | ~np.isfinite(ivar) | (ivar < 0)] = 0
    mask = next((arrays[name] for name in _MASKS if name in arrays), None)
    if mask is not None and (mask.dtype.kind == "f" or mask.dtype.itemsize > 4):
        mask = np.clip(np.nan_to_num(mask.astype(np.float64)), -(2.0**31), 2.0**31 - 1)
    order = _upwards(wavelength)
    return {
        "wavelength": wavelength[order],
        "flux": values[order],
        "ivar": ivar[order],
        "mask": None if mask is None else mask[order].astype(np.int32),
    }


def _raw_pixels(hdu: TableHdu, flux: bool) -> dict[str, np.ndarray]:
    """Columns of a spectrum as they are stored, either layout, after checks of their lengths."""
    columns = hdu.columns()
    scale = "WAVELENGTH" if "WAVELENGTH" in columns else "LOGLAM"
    for name in ("FLUX", "IVAR", scale):
        if name not in columns:
            what = "WAVELENGTH or LOGLAM" if name == scale else name
            raise SpectrumError("missing column", what, None)
    names = ["FLUX", "IVAR", scale, *[name for name in _MASKS if name in columns][:1]]
    n_rows = hdu.header.count("NAXIS2")
    lengths = {name: columns[name].repeat for name in names}
    if len(set(lengths.values())) > 1 or (n_rows > 1 and lengths["FLUX"] > 1):
        raise SpectrumError("lengths unequal", "FLUX", f"{lengths} in {n_rows} rows")
    if n_rows * lengths["FLUX"] == 0:
        raise SpectrumError("no pixels", "FLUX", None)
    return {name: hdu.values(columns[name]).ravel() for name in names} if flux else {}


def _upwards(wavelength: np.ndarray) -> slice | np.ndarray:
    """Index that puts wavelengths in ascending order."""
    steps = np.diff(wavelength)
    if (steps >= 0).all():
        return slice(None)
    return slice(None, None, -1) if (steps <= 0).all() else np.argsort(wavelength, kind="stable")


def _table(rows: Sequence[Mapping[str, Any]], flux: bool) -> pa.Table:
    schema = SPECTRA.arrow(_COLUMNS.union(FLUX_COLUMNS) if flux else _COLUMNS)
    arrays = []
    for field in schema:
        values = [row[field.name] for row in rows]
        make = _lists if pa.types.is_list(field.type) else pa.array
        arrays.append(make(values, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _lists(values: Sequence[np.ndarray | None], dtype: pa.ListType) -> pa.ListArray:
    """Build a list column of arrays; None is null."""
    lengths = [0 if array is None else len(array) for array in values]
    offsets = pa.array(np.cumsum([0, *lengths]), pa.int32())
    parts = [array for array in values if array is not None]
    flat = pa.array(np.concatenate(parts) if parts else [], dtype.value_type)
    missing = pa.array([array is None for array in values], pa.bool_())
    return pa.ListArray.from_arrays(offsets, flat, type=dtype, mask=missing)
