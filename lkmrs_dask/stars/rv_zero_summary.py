"""Velocities of exposures against those of a reference survey, summed up so that parts of a survey merge."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.checked import check_types, check_values
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.stars.columns import UNKNOWN, floats, whole_numbers

__all__ = [
    "ARMS", "LEFT_OUT", "REFERENCE_COLUMNS", "STEP", "ZeroPointSettings", "ZeroPointSummary",
    "merge_zero_points", "summarise_zero_points", "zero_point_columns",
]  # fmt: skip

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ARMS: Mapping[str, str] = {"B": "rv_b0", "R": "rv_r0"}
"""Raw velocity of each arm."""

STEP = 0.01
"""Width in km/s of the bins of differences: what medians of a summary are off by, at most, is half of it."""

REFERENCE_COLUMNS = ("star_id", "radial_velocity", "radial_velocity_error", "rv_nb_transits", "rv_variable")
"""Columns of reference stars; the last two may be missing."""

LEFT_OUT = ("no_reference", "variable", "reference_error", "few_transits", "no_error", "too_far")
"""Why a velocity has no part: its star is not among the reference stars, or varies; the reference velocity
has no error or a large one, or is of few transits; its own error is missing or large; the difference is too
large."""

FIXED = 1 << 10
"""Weights are kept as whole numbers of this part of one."""

_ROWS = ("least_transits", "largest_reference_error", "largest_error", "largest_difference", "coadds")
_PLACE = ("star_id", "spid", "lmjd", "lmjm", "band", "coadd")
_CELL = pa.schema(
    [
        ("arm", pa.string()), ("spid", pa.int16()), ("lmjd", pa.int32()), ("lmjm", pa.int64()),
        ("bin", pa.int32()), ("n", pa.int32()), ("weight", pa.int64()), ("weight_2", pa.int64()),
    ]
)  # fmt: skip
_KEY = ("arm", "spid", "lmjd", "lmjm", "bin")


@dataclass(frozen=True)
class ZeroPointSettings:
    """Which velocities are compared, and how many make a zero point.

    Parameters
    ----------
    least_stars : int
        Fewest of an exposure (or of a night) of a spectrograph and arm; 5 in Zhang et al. 2021.
    least_transits : int
        Fewest transits of the reference velocity; only where their number is known.
    largest_reference_error, largest_error : float
        km/s; velocities with larger errors have no part.
    largest_difference : float
        km/s; larger ones are binaries, or wrong.
    coadds : bool
        Compare coadds, not exposures: where a catalogue has nothing else.

    Raises
    ------
    UsageError
        When a value has the wrong type or makes no sense.

    References
    ----------
    Zhang et al. 2021, ApJS 256, 14; the other defaults are choices of this package.
    """

    least_stars: int = 5
    least_transits: int = 3
    largest_reference_error: float = 3.0
    largest_error: float = 5.0
    largest_difference: float = 30.0
    coadds: bool = False

    def __post_init__(self) -> None:
        """Check every value."""
        check_types(self)
        checks = {
            "least_stars": (self.least_stars >= 3, "3 or more"),
            "least_transits": (self.least_transits >= 0, "0 or more"),
            "largest_reference_error": (0.0 < self.largest_reference_error < 1000.0, "above 0 km/s"),
            "largest_error": (0.0 < self.largest_error < 1000.0, "above 0 km/s"),
            "largest_difference": (0.0 < self.largest_difference <= 1000.0, "above 0, to 1000 km/s"),
        }
        check_values(self, checks)

    def of_rows(self) -> dict[str, Any]:
        """Those on which a summary depends; for the others no row need be read again."""
        values = asdict(self)
        return {name: values[name] for name in _ROWS}


@dataclass(frozen=True, eq=False)
class ZeroPointSummary:
    """Differences from the reference velocities by exposure, as histograms without their empty bins.

    Parameters
    ----------
    cells : pyarrow.Table
        A row per arm, spectrograph, exposure and bin that is not empty, in that order: ``arm``, ``spid``,
        ``lmjd``, ``lmjm`` (-1 where unknown), ``bin`` (difference in parts of `STEP`, rounded), ``n``, and
        the sums of weights and of their squares, in parts of `FIXED`.
    settings : mapping
        `ZeroPointSettings.of_rows` with which it was made.
    left_out : mapping
        Velocities without a part, by reason (`LEFT_OUT`).
    """

    cells: pa.Table
    settings: Mapping[str, Any]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Differences."""
        return int(pc.sum(self.cells.column("n")).as_py() or 0)

    def as_json(self) -> dict[str, Any]:
        """Spell it out in what JSON knows, cells packed as text; `from_json` reads it."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, _CELL, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(self.cells.combine_chunks())
        text = base64.b85encode(sink.getvalue().to_pybytes()).decode("ascii")
        return {"settings": dict(self.settings), "left_out": dict(self.left_out), "cells": text}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ZeroPointSummary:
        """Make one of what `as_json` gave.

        Raises
        ------
        CatalogError
            When it was made by something else.
        """
        try:
            cells = pa.ipc.open_stream(base64.b85decode(values["cells"])).read_all()
            if cells.schema != _CELL:
                raise ValueError(f"columns are {cells.schema.names}")
            return cls(cells, values["settings"], values["left_out"])
        except (KeyError, TypeError, AttributeError, ValueError, OSError) as fault:
            raise CatalogError(f"not a summary of zero points: {fault!r}; make it anew") from fault


def merge_zero_points(parts: Iterable[ZeroPointSummary]) -> ZeroPointSummary:
    """Merge the summaries of parts that share no star; any order and grouping gives the same.

    Raises
    ------
    CatalogError
        When they were made with different settings.
    """
    parts = list(parts)
    settings = dict(parts[0].settings) if parts else ZeroPointSettings().of_rows()
    for part in parts:
        if dict(part.settings) != settings:
            raise CatalogError(
                f"summaries differ in settings: {part.settings} and {settings}; make them anew"
            )
    total = {why: sum(part.left_out.get(why, 0) for part in parts) for why in LEFT_OUT}
    cells = _added(pa.concat_tables([_CELL.empty_table(), *(part.cells for part in parts)]))
    return ZeroPointSummary(cells, settings, {why: n for why, n in total.items() if n})


def zero_point_columns(present: list[str]) -> tuple[str, ...]:
    """Those columns of a catalogue of spectra or measurements that `summarise_zero_points` reads."""
    velocities = tuple(name for rv in ARMS.values() for name in (rv, f"{rv}_err"))
    return tuple(name for name in (*_PLACE, *velocities) if name in present)


def summarise_zero_points(
    spectra: pa.Table, reference: pa.Table, settings: ZeroPointSettings | None = None
) -> ZeroPointSummary:
    r"""Differences of raw velocities from those of reference stars.

    The weight of a difference is that of Zhang et al. 2021, :math:`(1 + \sigma^2 + \sigma_{ref}^2)^{-1/2}`
    with errors in km/s.

    Parameters
    ----------
    spectra : pyarrow.Table
        All rows of some stars, in any order: ``star_id``, ``spid``, ``lmjd``, ``lmjm``, ``band``, ``coadd``,
        and ``rv_b0``, ``rv_r0``, each with ``_err`` (km/s).  The velocity of an arm counts once an exposure,
        however many rows have it.
    reference : pyarrow.Table
        Stars that have one, such as Gaia counterparts, each once: ``star_id``, ``radial_velocity``,
        ``radial_velocity_error`` (km/s), ``rv_nb_transits``, and ``rv_variable``, true for those whose
        velocity is known to vary.
    settings : ZeroPointSettings, optional

    Returns
    -------
    ZeroPointSummary

    Raises
    ------
    CatalogError
        When a column that is needed is missing, or a reference star is there twice.
    """
    settings = settings or ZeroPointSettings()
    _need(spectra, ("star_id", "spid", "lmjm"), "spectra")
    _need(reference, REFERENCE_COLUMNS[:3], "reference stars")
    if "coadd" in spectra.column_names:
        chosen = pc.equal(spectra.column("coadd"), settings.coadds)
        spectra = spectra.filter(chosen)
    stars = reference.column("star_id").combine_chunks()
    if pc.count_distinct(stars).as_py() != len(stars):
        raise CatalogError("reference stars have a star_id twice: keep one counterpart of each star")
    at = pc.index_in(spectra.column("star_id"), value_set=stars).combine_chunks()
    star = pc.fill_null(at, UNKNOWN).to_numpy(zero_copy_only=False).astype(np.int64)
    theirs = _Reference.of(reference)
    cells, left_out = [_CELL.empty_table()], dict.fromkeys(LEFT_OUT, 0)
    for arm, name in ARMS.items():
        if name in spectra.column_names:
            cells.append(_summarise_arm(spectra, arm, name, star, theirs, settings, left_out))
    return ZeroPointSummary(
        _added(pa.concat_tables(cells)), settings.of_rows(), {why: n for why, n in left_out.items() if n}
    )


@dataclass(frozen=True, eq=False)
class _Reference:
    """Reference stars, and one more that stands for none."""

    rv: Floats
    error: Floats
    transits: Floats
    variable: Bools

    @classmethod
    def of(cls, table: pa.Table) -> _Reference:
        rv, error, transits = (np.append(floats(table, name), np.nan) for name in REFERENCE_COLUMNS[1:4])
        variable = np.zeros(len(table) + 1, bool)
        if "rv_variable" in table.column_names:
            flags = pc.fill_null(table.column("rv_variable"), False).combine_chunks()
            variable[:-1] = flags.to_numpy(zero_copy_only=False)
        return cls(rv, error, transits, variable)


def _summarise_arm(
    spectra: pa.Table,
    arm: str,
    name: str,
    star: Ints,
    theirs: _Reference,
    settings: ZeroPointSettings,
    left_out: dict[str, int],
) -> pa.Table:
    """Cells of an arm, not yet merged; adds to the counts of `left_out`."""
    row = _once(spectra, arm, name)
    one = star[row]
    rv, error = floats(spectra, name)[row], floats(spectra, f"{name}_err")[row]
    their_error = theirs.error[one]
    difference = rv - theirs.rv[one]
    left = np.ones(len(row), bool)
    for why, bad in {
        "no_reference": np.isnan(theirs.rv[one]),
        "variable": theirs.variable[one],
        "reference_error": ~((their_error > 0) & (their_error <= settings.largest_reference_error)),
        "few_transits": theirs.transits[one] < settings.least_transits,
        "no_error": ~((error > 0) & (error <= settings.largest_error)),
        "too_far": ~(np.abs(difference) <= settings.largest_difference),
    }.items():
        left_out[why] += int(np.count_nonzero(left & bad))
        left &= ~bad
    row, difference = row[left], difference[left]
    weight = 1.0 / np.sqrt(1.0 + error[left] ** 2 + their_error[left] ** 2)
    spid, lmjd, lmjm = (whole_numbers(spectra, key)[row] for key in ("spid", "lmjd", "lmjm"))
    columns = {
        "arm": np.full(len(row), arm),
        "spid": spid,
        "lmjd": lmjd,
        "lmjm": lmjm,
        "bin": np.rint(difference / STEP).astype(np.int32),
        "n": np.ones(len(row), np.int32),
        "weight": np.rint(weight * FIXED).astype(np.int64),
        "weight_2": np.rint(weight**2 * FIXED).astype(np.int64),
    }
    return pa.table({key: pa.array(values) for key, values in columns.items()}).cast(_CELL)


def _once(spectra: pa.Table, arm: str, name: str) -> Ints:
    """Rows with a velocity of the arm, one a star and exposure: the arm's own row where it is there."""
    row = np.flatnonzero(np.isfinite(floats(spectra, name)))
    code = pc.dictionary_encode(spectra.column("star_id").combine_chunks()).indices
    star = pc.fill_null(code, UNKNOWN).to_numpy(zero_copy_only=False)[row]
    spid, lmjd, lmjm = (whole_numbers(spectra, key)[row] for key in ("spid", "lmjd", "lmjm"))
    other = np.zeros(len(row), bool)
    if "band" in spectra.column_names:
        own = pc.fill_null(pc.equal(spectra.column("band"), arm), False).combine_chunks()
        other = ~own.to_numpy(zero_copy_only=False)[row]
    order = np.lexsort((row, other, lmjd, spid, lmjm, star))
    keys = np.stack([star[order], lmjm[order], spid[order], lmjd[order]])
    new = np.ones(len(order), bool)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    return np.sort(row[order[new]])


def _added(cells: pa.Table) -> pa.Table:
    """Add up cells of one place, in the order of places."""
    sums = [(name, "sum") for name in ("n", "weight", "weight_2")]
    total = cells.group_by(list(_KEY), use_threads=False).aggregate(sums)
    names = [name.removesuffix("_sum") for name in total.column_names]
    total = total.rename_columns(names).select(_CELL.names)
    return total.sort_by([(name, "ascending") for name in _KEY]).cast(_CELL).combine_chunks()


def _need(table: pa.Table, names: Iterable[str], what: str) -> None:
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise CatalogError(f"{what} have no column {', '.join(missing)}; there are {table.column_names}")
