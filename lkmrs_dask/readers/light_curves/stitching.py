"""Quarters, campaigns and sectors of a star joined to one light curve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError, InputError, UsageError
from lkmrs_dask.readers.light_curves.curve import LightCurve
from lkmrs_dask.readers.light_curves.rows import curves_of

__all__ = ["AUTHORS", "LeftOut", "Stitched", "stitch"]

Floats = NDArray[np.float64]

AUTHORS = ("Kepler", "K2", "SPOC", "TESS-SPOC", "K2SC", "K2SFF", "K2VARCAT", "QLP", "ketu", "table")
"""Whose curve of a segment is taken where there are several that cover it alike, the first that is there."""

_SAME_TIME = 1e-6  # d: cadences are 20 s or more
_COVERAGE = 0.1  # curves of a segment cover it alike within this share of the longest


class Stitched(NamedTuple):
    """A light curve of several segments.

    Attributes
    ----------
    time : ndarray of float64, shape (n,)
        Days, rising.
    flux, flux_err : ndarray of float64, shape (n,)
        Relative, median 1 in each segment; NaN errors where there are none.
    segment : ndarray of int64, shape (n,)
        Quarter, campaign or sector of each point, -1 where it has no number.
    """

    time: Floats
    flux: Floats
    flux_err: Floats
    segment: NDArray[np.int64]


class LeftOut(NamedTuple):
    """A segment that could not be used: its curve's file, its number, and why."""

    source_file: str
    segment: int | None
    reason: str


def stitch(
    curves: Iterable[LightCurve] | pa.Table,
    *,
    quality: str | int = "default",
    mission: str | None = None,
    author: str | None = None,
    product: str | None = None,
    cadence: str | None = None,
    min_points: int = 10,
    left_out: list[LeftOut] | None = None,
) -> Stitched:
    """Join light curves of one star: flags applied, each over its median, sorted in time, doubles removed.

    Of a segment's curves by several authors, products or cadences one kind is taken: the one that covers
    most of the time, and of those that do so within a tenth the first of `AUTHORS`, then that of the
    shortest cadence.

    Parameters
    ----------
    curves : iterable of LightCurve, or pyarrow.Table
        All of one star; or its rows in the catalogue.
    quality : str or int
        Points with one of these flags are left out; see `lkmrs_dask.readers.light_curves.quality.bad_bits`.
    mission, author, product, cadence : str, optional
        Only curves of this mission (segments of several missions may have the same number), author
        (``QLP``), product (``PDCSAP_FLUX``) or cadence (``long``, ``short``).
    min_points : int
        A curve with fewer points left is not used: its median says too little.
    left_out : list of LeftOut, optional
        Gets the curves that cannot be used; without it the first such curve is an error.

    Returns
    -------
    Stitched
        Without points where no curve is left.

    Raises
    ------
    InputError
        Where a curve has too few points or no positive median, and `left_out` is not given.
    CatalogError
        Where curves are of several stars or bands, or times of different zeros meet.
    UsageError
        For settings that make no sense.
    """
    if min_points < 1:
        raise UsageError(f"min_points must be 1 or more, not {min_points}")
    if cadence not in (None, "long", "short"):
        raise UsageError(f"cadence must be long or short, not {cadence!r}")
    every = curves_of(curves) if isinstance(curves, pa.Table) else list(curves)
    _check_one_star(every)
    wanted = {"mission": mission, "author": author, "product": product, "cadence": cadence}
    chosen = [one for one in every if all(v in (None, getattr(one, k)) for k, v in wanted.items())]
    parts: list[Stitched] = []
    for curve in _one_kind(chosen):
        try:
            parts.append(_normalised(curve, quality, min_points))
        except InputError as fault:
            if left_out is None:
                raise
            left_out.append(LeftOut(curve.source_file, curve.segment, fault.message))
    return _join(parts)


def _check_one_star(curves: Sequence[LightCurve]) -> None:
    for curve in curves:
        if curve.band is not None:
            raise CatalogError(f"{curve.source_file}: light in several bands cannot be joined")
    stars = {(curve.mission, curve.star) for curve in curves if curve.target_id is not None}
    for mission in {mission for mission, _ in stars}:
        names = sorted(star for kind, star in stars if kind == mission)
        if len(names) > 1:
            raise CatalogError(f"light curves of several stars cannot be joined: {', '.join(names[:5])}")
    if len({curve.time_scale == "relative" for curve in curves}) > 1 or (
        len(curves) > 1 and all(curve.time_scale == "relative" for curve in curves)
    ):
        raise CatalogError("light curves whose times have an arbitrary zero cannot be joined to others")


def _one_kind(curves: Sequence[LightCurve]) -> list[LightCurve]:
    """Curves of one author, product and cadence for each segment, in order of mission and segment."""
    segments: dict[tuple, dict[tuple, list[LightCurve]]] = {}
    for at, curve in enumerate(curves):
        # A curve without a number is a segment by itself.
        number = (0, curve.segment) if curve.segment is not None else (1, at)
        kind = (curve.author, curve.product, curve.exptime)
        segments.setdefault((curve.mission, number), {}).setdefault(kind, []).append(curve)
    chosen: list[LightCurve] = []
    for key in sorted(segments):
        kinds = segments[key]
        covered = {kind: sum(_covers(one) for one in some) for kind, some in kinds.items()}
        enough = (1.0 - _COVERAGE) * max(covered.values())
        best = min((kind for kind in kinds if covered[kind] >= enough), key=_rank)
        chosen += sorted(kinds[best], key=lambda one: (one.time[0] if len(one) else 0.0, one.source_file))
    return chosen


def _covers(curve: LightCurve) -> float:
    """Days in which a curve has points; without a cadence its points."""
    return len(curve) * (curve.exptime / 86400.0 if np.isfinite(curve.exptime) else 1.0)


def _rank(kind: tuple[str, str, float]) -> tuple:
    author, product, exptime = kind
    place = AUTHORS.index(author) if author in AUTHORS else len(AUTHORS)
    return place, author, exptime if np.isfinite(exptime) else np.inf, product


def _normalised(curve: LightCurve, quality: str | int, min_points: int) -> Stitched:
    use = curve.good(quality) & np.isfinite(curve.time) & np.isfinite(curve.flux)
    n = int(np.count_nonzero(use))
    if n < min_points:
        raise InputError(
            f"{n} of {len(curve)} points are left, fewer than {min_points}", file=curve.source_file
        )
    flux, error = curve.relative(use)
    number = -1 if curve.segment is None else curve.segment
    return Stitched(curve.time[use], flux, error, np.full(n, number, np.int64))


def _join(parts: Sequence[Stitched]) -> Stitched:
    if not parts:
        return Stitched(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.int64))
    time, flux, error, segment = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(time, kind="stable")
    time = time[order]
    # Of points at the same time the first stays, that of the earlier curve.
    first = np.concatenate([[True], np.diff(time) > _SAME_TIME])
    order = order[first]
    return Stitched(time[first], flux[order], error[order], segment[order])
