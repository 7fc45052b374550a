"""Zero points of radial velocities, one a spectrograph, exposure and arm, and velocities without them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.stars.columns import UNKNOWN, whole_numbers
from lkmrs_dask.stars.rv_zero_summary import ARMS, FIXED, STEP, ZeroPointSettings, ZeroPointSummary

__all__ = [
    "LEVELS", "ZERO_POINT_SCHEMA", "CorrectedVelocities", "ZeroPoints", "apply_zero_points",
    "correct_velocities", "rv_zero_points",
]  # fmt: skip

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = ("exposure", "night", "survey", "none")
"""What a zero point is of: the spectrograph's exposure, its night, or the arm's survey; or there is none."""

ZERO_POINT_SCHEMA = pa.schema(
    [
        pa.field("level", pa.string(), metadata={"description": "exposure, night or survey"}),
        pa.field("arm", pa.string(), metadata={"description": "B or R"}),
        pa.field("spid", pa.int16(), metadata={"description": "Spectrograph; null for the survey"}),
        pa.field("lmjd", pa.int32(), metadata={"description": "Night; null for the survey", "unit": "d"}),
        pa.field(
            "lmjm", pa.int64(), metadata={"description": "Minute of the exposure, or null", "unit": "min"}
        ),
        pa.field("n", pa.int64(), metadata={"description": "Velocities compared"}),
        pa.field(
            "zero_point",
            pa.float64(),
            metadata={"description": "Median of ours - reference, to be subtracted", "unit": "km / s"},
        ),
        pa.field("error", pa.float64(), metadata={"description": "Error of zero_point", "unit": "km / s"}),
        pa.field(
            "scatter",
            pa.float64(),
            metadata={"description": "Robust scatter of differences", "unit": "km / s"},
        ),
        pa.field("used", pa.bool_(), metadata={"description": "Enough velocities were compared"}),
    ]
)
"""Columns of `ZeroPoints.table`."""

_MAD = 1.482602218505602  # standard deviation of a normal distribution in median absolute deviations
_MEDIAN = 1.2533141373155001  # error of a median in those of a mean, sqrt(pi / 2)
# What makes the median absolute deviation of 2 to 9 values right on average (Croux & Rousseeuw 1992).
_FEW = np.array([1.0, 1.0, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107])
_ROUNDING = STEP / np.sqrt(12.0)


@dataclass(frozen=True, eq=False)
class ZeroPoints:
    """Zero points of a survey.

    Parameters
    ----------
    table : pyarrow.Table
        Columns of `ZERO_POINT_SCHEMA`, a row per arm and exposure, night and survey.
    """

    table: pa.Table

    @cached_property
    def lookup(self) -> dict[tuple[str, str], tuple[Ints, Floats, Floats]]:
        """By level and arm: rising codes, zero points and errors of those that are used."""
        found = {}
        used = self.table.filter(self.table.column("used"))
        levels, arms = (used.column(name).to_numpy(zero_copy_only=False) for name in ("level", "arm"))
        value, error = (used.column(name).to_numpy() for name in ("zero_point", "error"))
        for level in LEVELS[:-1]:
            code = _code(level, *(whole_numbers(used, name) for name in ("spid", "lmjd", "lmjm")))
            for arm in ARMS:
                mine = np.flatnonzero((levels == level) & (arms == arm))
                mine = mine[np.argsort(code[mine])]
                found[level, arm] = (code[mine], value[mine], error[mine])
        return found


class CorrectedVelocities(NamedTuple):
    """Per velocity; arrays of shape (n,).

    Attributes
    ----------
    rv : ndarray of float64
        Less its zero point (km/s); NaN where there is no zero point, or no velocity.
    zero_point, error : ndarray of float64
        Zero point and its error (km/s), NaN without; the error of one that is not of the exposure itself
        holds the scatter of exposures.
    level : ndarray of str
        What the zero point is of: one of `LEVELS`.
    """

    rv: Floats
    zero_point: Floats
    error: Floats
    level: NDArray[np.str_]


def rv_zero_points(summary: ZeroPointSummary, settings: ZeroPointSettings | None = None) -> ZeroPoints:
    r"""Zero points by weighted medians of differences.

    The weighted median minimises :math:`\sum |v - z - v_{ref}| / \sqrt{1 + \sigma^2 + \sigma_{ref}^2}`, as in
    Zhang et al. 2021, who add what is subtracted here.  That of a summary is within half of
    `lkmrs_dask.stars.rv_zero_summary.STEP` (0.005 km/s) of that of the velocities themselves.

    The error is :math:`\sqrt{\pi / 2}\, s / \sqrt{n_{eff}}` with the scatter s by the median absolute
    deviation, made right for few values, and :math:`n_{eff} = (\sum w)^2 / \sum w^2`.  A night's or the
    survey's zero point in place of an exposure's has, besides, the scatter of the zero points of exposures
    about it, of those that have their own.

    Parameters
    ----------
    summary : ZeroPointSummary
        Of the whole survey.
    settings : ZeroPointSettings, optional
        Of which `least_stars` counts here.

    Raises
    ------
    CatalogError
        When the summary was made with other settings.

    References
    ----------
    Zhang et al. 2021, ApJS 256, 14.  Croux & Rousseeuw 1992, Computational Statistics 1, 411.
    """
    settings = settings or ZeroPointSettings()
    if dict(summary.settings) != settings.of_rows():
        raise CatalogError(
            f"velocities were compared with {dict(summary.settings)}, not {settings.of_rows()}: "
            "make the summary anew"
        )
    tables = [_of_level(summary.cells, level, settings.least_stars) for level in LEVELS[:-1]]
    tables[1:] = [_with_spread(coarse, tables[0]) for coarse in tables[1:]]
    return ZeroPoints(pa.concat_tables(tables).combine_chunks())


def apply_zero_points(
    rv: ArrayLike, arm: str, spid: ArrayLike, lmjd: ArrayLike, lmjm: ArrayLike, zero_points: ZeroPoints
) -> CorrectedVelocities:
    """Subtract zero points: the exposure's, else the night's of the spectrograph, else the survey's.

    Parameters
    ----------
    rv : array_like of float, shape (n,)
        Raw velocities of one arm (km/s).
    arm : {"B", "R"}
    spid, lmjd, lmjm : array_like of int, shape (n,)
        Spectrograph, night and minute of the exposure; negative where unknown.
    zero_points : ZeroPoints

    Returns
    -------
    CorrectedVelocities

    Raises
    ------
    CatalogError
        For another arm, or when the shapes differ.
    """
    if arm not in ARMS:
        raise CatalogError(f"there is no arm {arm!r}; there are {', '.join(ARMS)}")
    values = np.asarray(rv, np.float64)
    place = [np.asarray(one, np.int64) for one in (spid, lmjd, lmjm)]
    if values.ndim != 1 or any(one.shape != values.shape for one in place):
        raise CatalogError(
            f"velocities and places differ in shape: {values.shape}, {[p.shape for p in place]}"
        )
    zero, error = np.full(len(values), np.nan), np.full(len(values), np.nan)
    level = np.full(len(values), LEVELS[-1], dtype="<U8")
    for name in LEVELS[-2::-1]:  # the survey's first: what is better comes over it
        codes, known, known_error = zero_points.lookup[name, arm]
        if not len(codes):
            continue
        code = _code(name, *place)
        at = np.minimum(np.searchsorted(codes, code), len(codes) - 1)
        found = (codes[at] == code) & (code != UNKNOWN)
        zero[found], error[found], level[found] = known[at[found]], known_error[at[found]], name
    return CorrectedVelocities(values - zero, zero, error, level)


def correct_velocities(spectra: pa.Table, zero_points: ZeroPoints) -> pa.Table:
    """Add to a table the velocities of both arms without zero points; see `apply_zero_points`.

    Parameters
    ----------
    spectra : pyarrow.Table
        ``spid``, ``lmjd``, ``lmjm``, and ``rv_b0``, ``rv_r0`` or one of them.
    zero_points : ZeroPoints

    Returns
    -------
    pyarrow.Table
        With four more columns an arm: ``rv_b_corrected``, ``rv_b_zero_point``, ``rv_b_zero_point_err`` (km/s)
        and ``rv_b_zero_point_level``; ``rv_r_...`` likewise.  Null where there is no velocity.
    """
    spid, lmjd, lmjm = (whole_numbers(spectra, name) for name in ("spid", "lmjd", "lmjm"))
    for arm, name in ARMS.items():
        if name not in spectra.column_names:
            continue
        rv = spectra.column(name).combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False)
        found = apply_zero_points(rv, arm, spid, lmjd, lmjm, zero_points)
        start, missing = name[:-1], np.isnan(rv)
        for end, values in (
            ("_corrected", found.rv), ("_zero_point", found.zero_point), ("_zero_point_err", found.error)
        ):  # fmt: skip
            column = pa.array(values, mask=missing | np.isnan(values))
            unit = pa.field(f"{start}{end}", pa.float64(), metadata={"unit": "km / s"})
            spectra = spectra.append_column(unit, column)
        level = pa.array(found.level.tolist(), pa.string(), mask=missing)
        spectra = spectra.append_column(f"{start}_zero_point_level", level)
    return spectra


def _code(level: str, spid: Ints, lmjd: Ints, lmjm: Ints) -> Ints:
    """One number for an exposure or night of a spectrograph, -1 where that is not known."""
    if level == "survey":
        return np.zeros(len(spid), np.int64)
    time = lmjm if level == "exposure" else lmjd
    known = (spid >= 0) & (spid < 1 << 15) & (time >= 0) & (time < 1 << 40)
    return np.where(known, time * (1 << 15) + spid, UNKNOWN)


def _of_level(cells: pa.Table, level: str, least: int) -> pa.Table:
    """Medians of all groups of a level."""
    arms = list(ARMS)
    arm = pc.index_in(cells.column("arm"), value_set=pa.array(arms)).to_numpy().astype(np.int64)
    spid, lmjd, lmjm = (whole_numbers(cells, name) for name in ("spid", "lmjd", "lmjm"))
    code = _code(level, spid, lmjd, lmjm)
    bins, n, weight, weight_2 = (
        cells.column(name).to_numpy().astype(np.int64) for name in ("bin", "n", "weight", "weight_2")
    )
    order = np.lexsort((bins, code, arm))
    order = order[code[order] != UNKNOWN]
    arm, code, bins = arm[order], code[order], bins[order]
    n, weight, weight_2 = n[order], weight[order], weight_2[order]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(code) != 0) | (np.diff(arm) != 0)
    first = np.flatnonzero(new)
    if not len(first):
        return ZERO_POINT_SCHEMA.empty_table()
    group = np.cumsum(new) - 1
    twice = _twice_median(bins, weight, first)  # whole numbers of half bins
    away = np.abs(2 * bins - twice[group])
    by_distance = np.lexsort((away, group))
    mad = _twice_median(away[by_distance], weight[by_distance], first) * STEP / 4.0
    count = np.add.reduceat(n, first)
    scatter = _MAD * mad * _small_sample(count)
    effective = np.add.reduceat(weight, first) ** 2.0 / (np.add.reduceat(weight_2, first) * float(FIXED))
    error = _MEDIAN * np.hypot(scatter, _ROUNDING) / np.sqrt(effective)
    few = count < least

    def place(values: Ints, wanted: bool) -> pa.Array:
        one = values[order][first]
        return pa.array(one, mask=np.full(len(first), not wanted) | (one < 0))

    columns = {
        "level": pa.array([level] * len(first)),
        "arm": pa.array([arms[one] for one in arm[first]]),
        "spid": place(spid, level != "survey"),
        "lmjd": place(lmjd, level != "survey"),
        "lmjm": place(lmjm, level == "exposure"),
        "n": pa.array(count),
        "zero_point": pa.array(twice * STEP / 2.0),
        "error": pa.array(error),
        "scatter": pa.array(scatter),
        "used": pa.array(~few),
    }
    arrays = [columns[one.name].cast(one.type) for one in ZERO_POINT_SCHEMA]
    return pa.table(arrays, schema=ZERO_POINT_SCHEMA)


def _twice_median(values: Ints, weight: Ints, first: Ints) -> Ints:
    """Twice the weighted median of each group, of values that rise within it.

    Where just half of the weight lies below, it is midway between two values, as for the plain median.
    """
    below = np.cumsum(weight)
    before = below[first] - weight[first]
    total = np.add.reduceat(weight, first)
    half = total + 2 * before
    at = np.searchsorted(2 * below, half, side="left")
    after = np.searchsorted(2 * below, half, side="right")
    return values[at] + values[after]


def _small_sample(n: Ints) -> Floats:
    """Factor of the median absolute deviation of n values."""
    many = n / np.maximum(n - 0.8, 0.2)
    return np.where(n < len(_FEW), _FEW[np.minimum(n, len(_FEW) - 1)], many)


def _with_spread(coarse: pa.Table, exposures: pa.Table) -> pa.Table:
    """Add to the errors of nights, or of the survey, the scatter of zero points of exposures about them.

    NaN where no exposure has a zero point of its own: then nobody knows.
    """
    if not len(coarse):
        return coarse
    level = coarse.column("level")[0].as_py()
    error = coarse.column("error").to_numpy().copy()
    arms = coarse.column("arm").to_numpy(zero_copy_only=False)
    own = exposures.filter(exposures.column("used"))
    for arm in ARMS:
        fine, mine = own.filter(pc.equal(own.column("arm"), arm)), arms == arm
        some = coarse.filter(pa.array(mine & coarse.column("used").to_numpy(zero_copy_only=False)))
        codes = _code(level, *(whole_numbers(some, name) for name in ("spid", "lmjd", "lmjm")))
        code = _code(level, *(whole_numbers(fine, name) for name in ("spid", "lmjd", "lmjm")))
        order = np.argsort(codes)
        spread = np.nan
        if len(codes) and len(code):
            at = order[np.minimum(np.searchsorted(codes[order], code), len(codes) - 1)]
            same = (codes[at] == code) & (code != UNKNOWN)
            zero, whole = fine.column("zero_point").to_numpy(), some.column("zero_point").to_numpy()
            if same.any():
                spread = _MAD * float(np.median(np.abs(zero[same] - whole[at[same]])))
        error[mine] = np.hypot(error[mine], spread)
    at_column = coarse.column_names.index("error")
    return coarse.set_column(at_column, ZERO_POINT_SCHEMA.field("error"), pa.array(error))
