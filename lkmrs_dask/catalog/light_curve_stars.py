"""Whose light curves they are and where the stars lie: what `light_curve_build` decides before it writes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.readers.light_curves.curve import CATALOGUES

__all__ = ["REPEATED", "drop_repeated", "place_stars"]

REPEATED = "repeated light curve"

_SAME = (
    "star_id",
    "mission",
    "segment",
    "exptime",
    "author",
    "product",
    "n_points",
    "time_first",
    "time_last",
)


def drop_repeated(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Curves that are there once, and those that were there before: same star, segment, kind and times.

    Parameters
    ----------
    rows : pyarrow.Table
        Sorted; of equal rows the first stays.
    """
    if not len(rows):
        return rows, rows
    keys = [rows.column(name).to_pylist() for name in _SAME]
    seen: set[tuple] = set()
    first = np.zeros(len(rows), bool)
    for at, key in enumerate(zip(*keys, strict=True)):
        first[at] = key not in seen
        seen.add(key)
    return rows.filter(pa.array(first)), rows.filter(pa.array(~first))


def place_stars(
    rows: pa.Table, targets: pa.Table | None, radius_arcsec: float | None = None
) -> tuple[pa.Table, pa.Table]:
    """Give all rows of a star one identifier and one position.

    Parameters
    ----------
    rows : pyarrow.Table
        With ``star_id``, ``mission``, ``target_id``, ``ra``, ``dec``, sorted.
    targets : pyarrow.Table, optional
        ``mission``, ``target_id``, ``ra``, ``dec``, and ``star_id`` where there.  A row without a mission
        gives a star's place only.
    radius_arcsec : float, optional
        Curves that no number of `targets` is of are the nearest star's that has a ``star_id`` there, within
        this radius of the position in the curve's header.

    Returns
    -------
    placed, lost : pyarrow.Table
        Rows with and without a position.  It is that of `targets` for a star that has a ``star_id`` there;
        else that of the star's first row with one, else that of `targets`.

    Raises
    ------
    UsageError
        Where `targets` lacks a column or has an unknown mission, or the radius makes no sense.
    """
    known = {} if targets is None else _known(targets)
    keys = list(zip(rows.column("mission").to_pylist(), rows.column("target_id").to_pylist(), strict=True))
    stars = rows.column("star_id").to_pylist()
    own = list(zip(*(rows.column(name).to_pylist() for name in ("ra", "dec")), strict=True))
    named = [_nearest_of(known.get(key, (_NOBODY,)), *place) for key, place in zip(keys, own, strict=True)]
    if radius_arcsec is not None and targets is not None:
        near = _nearest(rows, [one[0] is None for one in named], targets, radius_arcsec)
        named = [near.get(star, one) for star, one in zip(stars, named, strict=True)]
    stars = [name or star for (name, _, _), star in zip(named, stars, strict=True)]
    # Rank of each place that a star might have: the survey's, a header's, the target list's.
    places: dict[str, tuple[int, float, float]] = {}
    for star, (name, ra, dec), place in zip(stars, named, own, strict=True):
        offers = [(0 if name else 2, ra, dec), (1, *place)]
        for rank, x, y in offers:
            if x is not None and y is not None and (star not in places or rank < places[star][0]):
                places[star] = (rank, x, y)
    lost = np.array([star not in places for star in stars], bool)
    spots = [places.get(star, (0, None, None)) for star in stars]
    for name, values in (("star_id", stars), ("ra", [p[1] for p in spots]), ("dec", [p[2] for p in spots])):
        at = rows.schema.get_field_index(name)
        field = rows.schema.field(at)
        rows = rows.set_column(at, field, pa.array(values, field.type))
    lines = np.arange(len(rows))
    order = lines if not len(rows) else np.array(sorted(lines, key=lambda at: (stars[at], at)), np.int64)
    return rows.take(pa.array(order[~lost[order]])), rows.take(pa.array(order[lost[order]]))


Star = tuple[str | None, float | None, float | None]
_NOBODY: Star = (None, None, None)


def _nearest_of(stars: Sequence[Star], ra: float | None, dec: float | None) -> Star:
    """Of stars with one number the nearest to a header's position; without one the first."""
    if len(stars) == 1 or ra is None or dec is None:
        return stars[0]
    there = [one for one in stars if one[1] is not None and one[2] is not None]
    if not there:
        return stars[0]
    here = _vectors(np.array([ra]), np.array([dec]))
    places = _vectors(*np.array([one[1:] for one in there], np.float64).T)
    return there[int(np.argmax(places @ here[0]))]


def _nearest(rows: pa.Table, unnamed: list[bool], targets: pa.Table, radius_arcsec: float) -> dict[str, Star]:
    """Nearest target of each star without a name of its own, by what stands for the star in its files."""
    from scipy.spatial import cKDTree

    if not 0 < radius_arcsec <= 3600:
        raise UsageError(f"radius_arcsec must be above 0, at most 3600, not {radius_arcsec!r}")
    if "star_id" not in targets.column_names:
        return {}
    first: dict[str, tuple[float, float]] = {}
    columns = (rows.column(name).to_pylist() for name in ("star_id", "ra", "dec"))
    for (star, ra, dec), wanted in zip(zip(*columns, strict=True), unnamed, strict=True):
        if wanted and ra is not None and dec is not None:
            first.setdefault(star, (ra, dec))
    ids = targets.column("star_id").to_pylist()
    ra, dec = (targets.column(name).cast(pa.float64()).to_numpy() for name in ("ra", "dec"))
    there = np.isfinite(ra) & np.isfinite(dec) & np.array([one is not None for one in ids], bool)
    if not first or not there.any():
        return {}
    lines = np.flatnonzero(there)
    chord = 2.0 * np.sin(0.5 * np.radians(radius_arcsec / 3600.0))
    tree = cKDTree(_vectors(ra[there], dec[there]))
    distance, at = tree.query(_vectors(*np.array(list(first.values())).T), distance_upper_bound=chord)
    return {
        star: (str(ids[lines[k]]), float(ra[lines[k]]), float(dec[lines[k]]))
        for star, k, far in zip(first, at.tolist(), distance.tolist(), strict=True)
        if np.isfinite(far)
    }


def _vectors(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors (n, 3) of positions in degrees."""
    x, y = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=1)


def _known(targets: pa.Table) -> dict[tuple[str, int], list[Star]]:
    """Identifiers and positions by mission and number."""
    missing = [name for name in ("mission", "target_id", "ra", "dec") if name not in targets.column_names]
    if missing:
        raise UsageError(f"the table of targets has no column {', '.join(missing)}")
    spelling = {name.lower(): name for name in CATALOGUES}
    columns = {name: targets.column(name).to_pylist() for name in ("mission", "target_id")}
    ra, dec = (
        targets.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False) for name in ("ra", "dec")
    )
    ids = (
        [None if star is None else str(star) for star in targets.column("star_id").to_pylist()]
        if "star_id" in targets.column_names
        else [None] * len(targets)
    )
    found: dict[tuple[str, int], list[Star]] = {}
    for mission, number, star, x, y in zip(*columns.values(), ids, ra.tolist(), dec.tolist(), strict=True):
        if mission is None:
            continue
        name = spelling.get(str(mission).lower())
        if name is None:
            raise UsageError(f"the table of targets has the unknown mission {mission!r}")
        if number is not None:
            good = np.isfinite(x) and np.isfinite(y) and abs(y) <= 90.0
            one: Star = (star, x, y) if good else (star, None, None)
            found.setdefault((name, int(number)), []).append(one)
    return found
