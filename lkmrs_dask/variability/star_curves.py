"""The light curves of a partition's stars, one by one: joined by mission, each with what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError, LkmrsError
from lkmrs_dask.readers.light_curves.rows import POINTS
from lkmrs_dask.readers.light_curves.stitching import LeftOut, Stitched, stitch
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.variability.curve_settings import CurveSettings

__all__ = ["CurveColumns", "StarCurve", "guarded", "star_curves"]

Result = TypeVar("Result")


@dataclass(frozen=True)
class CurveColumns:
    """Columns of a catalogue of light curves that this package has not made.

    Parameters
    ----------
    star : str or None
        Identifier of the star: rows of one are joined.  None: each row is a star.
    time, flux : str
        Lists of numbers; ``lightcurve.mjd`` is a field of a column of structures.
    flux_err : str or None
        Errors of flux.
    ra, dec : str
        Position, which the results keep.
    """

    star: str | None = "star_id"
    time: str = "time"
    flux: str = "flux"
    flux_err: str | None = None
    ra: str = "ra"
    dec: str = "dec"

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns that are read."""
        names = (self.star, self.time, self.flux, self.flux_err)
        return tuple(dict.fromkeys(name.split(".")[0] for name in names if name is not None))

    @property
    def identity(self) -> dict[str, str | None]:
        """Columns of a result that say whose it is, and where they are from."""
        return {HEALPIX_COLUMN: HEALPIX_COLUMN, "star_id": self.star, self.ra: self.ra, self.dec: self.dec}


class StarCurve(NamedTuple):
    """A star's light curve of one mission.

    Attributes
    ----------
    row : int
        First row of the star and mission in the table.
    mission : str
        ``Kepler``, ``K2``, ``TESS`` or empty.
    curve : Stitched
        Without points where there is a problem.
    n_segments : int
        Quarters, campaigns or sectors that were used.
    left_out : list of LeftOut
        Segments that could not be used.
    problem : str or None
        Why there is no light curve.
    """

    row: int
    mission: str
    curve: Stitched
    n_segments: int
    left_out: list[LeftOut]
    problem: str | None

    def described(self) -> dict[str, Any]:
        """What a table tells of it, whatever it is searched for."""
        return {
            "mission": self.mission,
            "n_segments": self.n_segments,
            "n_left_out": len(self.left_out),
            "n_points": len(self.curve.time),
            "baseline_d": float(np.ptp(self.curve.time)) if len(self.curve.time) else None,
        }


def star_curves(
    table: pa.Table, settings: CurveSettings | None = None, columns: CurveColumns | None = None
) -> Iterator[StarCurve]:
    """Light curves of all stars of a table, in the order of their first rows.

    Parameters
    ----------
    table : pyarrow.Table
        Whole stars of the catalogue ``light_curves``; or of any other, with `columns`.
    settings : CurveSettings, optional
        Which curves are used.
    columns : CurveColumns, optional
        What is what in a catalogue of others; flux is taken as it is.

    Yields
    ------
    StarCurve
        One for each star and mission.

    Raises
    ------
    CatalogError
        Where columns are missing.
    """
    settings = settings or CurveSettings()
    if columns is not None:
        yield from _foreign(table, columns)
        return
    for name in (*POINTS.names, "unit", "star_id", "mission"):
        if name not in table.column_names:
            raise CatalogError(f"the table has no column {name}, so its rows are no light curves")
    for rows in _groups(table, ("star_id", "mission")):
        some = table.take(pa.array(rows))
        left_out: list[LeftOut] = []
        mission = some.column("mission")[0].as_py() or ""
        curve, problem = guarded(_joined, some, settings, left_out)
        if curve is None:
            yield StarCurve(int(rows[0]), mission, _NOTHING, 0, left_out, problem)
            continue
        used = len(np.unique(curve.segment))
        if not len(curve.time):
            problem = "; ".join(f"{one.source_file}: {one.reason}" for one in left_out[:3]) or _NONE_CHOSEN
        yield StarCurve(int(rows[0]), mission, curve, used, left_out, problem)


_NOTHING = Stitched(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.int64))
_NONE_CHOSEN = "no curve of the chosen author, product and cadence"


def guarded(
    function: Callable[..., Result], *arguments: Any, **options: Any
) -> tuple[Result | None, str | None]:
    """Call a function of one star: what it gives, or why it could not.

    Faults of memory and of files go on to the caller: the whole piece is then tried again.
    """
    try:
        return function(*arguments, **options), None
    except (MemoryError, OSError):
        raise
    except LkmrsError as fault:
        return None, str(fault)
    except Exception as fault:
        # What nobody has foreseen in one star must not cost the others of its partition.
        return None, f"unexpected {type(fault).__name__}: {fault}"


def _joined(rows: pa.Table, settings: CurveSettings, left_out: list[LeftOut]) -> Stitched:
    return stitch(rows, left_out=left_out, **settings.chosen())  # type: ignore[arg-type]


def _groups(table: pa.Table, names: Sequence[str]) -> Iterator[NDArray[np.int64]]:
    """Rows that are alike in some columns, groups in the order of their first rows."""
    code = np.zeros(len(table), np.int64)
    for name in names:
        column = table.column(name).combine_chunks().dictionary_encode()
        which = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        code = code * (len(column.dictionary) + 1) + which + 1
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(first[which], kind="stable")
    bounds = np.flatnonzero(np.diff(first[which][order], prepend=-1, append=len(table)))
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        yield order[start:end]


def _foreign(table: pa.Table, columns: CurveColumns) -> Iterator[StarCurve]:
    missing = [name for name in columns.needed if name not in table.column_names]
    if missing:
        raise CatalogError(
            f"the table has no column {', '.join(missing)}; it has {', '.join(table.column_names)}"
        )
    groups = (
        _groups(table, (columns.star,))
        if columns.star is not None
        else iter(np.arange(len(table), dtype=np.int64)[:, None])
    )
    for rows in groups:
        if columns.star is not None and not table.column(columns.star)[int(rows[0])].is_valid:
            yield StarCurve(int(rows[0]), "", _NOTHING, 0, [], f"{len(rows)} rows have no {columns.star}")
            continue
        curve, problem = guarded(_as_they_are, table.take(pa.array(rows)), columns)
        yield StarCurve(int(rows[0]), "", curve or _NOTHING, len(rows), [], problem)


def _as_they_are(rows: pa.Table, columns: CurveColumns) -> Stitched:
    names = [name for name in (columns.time, columns.flux, columns.flux_err) if name is not None]
    lengths = [pc.list_value_length(_lists(rows, name)).fill_null(0).to_pylist() for name in names]
    if any(one != lengths[0] for one in lengths[1:]):
        told = "; ".join(f"{name}: {some}" for name, some in zip(names, lengths, strict=True))
        raise CatalogError(f"lists of a row have different lengths ({told}): give one value for each time")
    time, flux = (_numbers(rows, name) for name in (columns.time, columns.flux))
    error = np.full(len(time), np.nan) if columns.flux_err is None else _numbers(rows, columns.flux_err)
    return Stitched(time, flux, error, np.full(len(time), -1, np.int64))


def _lists(rows: pa.Table, name: str) -> pa.ChunkedArray:
    """A column of lists, or such a field of a column of structures."""
    outer, *inner = name.split(".")
    column = rows.column(outer)
    for field in inner:
        column = pc.struct_field(column, field)
    return column


def _numbers(rows: pa.Table, name: str) -> NDArray[np.float64]:
    """All numbers of a column's lists, one after the other."""
    values = pc.list_flatten(_lists(rows, name)).combine_chunks().cast(pa.float64())
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
