"""What a cross-match must give, by brute force: all separations by astropy, and loops.

Rows are known by their places in the tables that `stars` makes, in columns ``i`` (left) and ``j`` (right).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import astropy.units as u
import numpy as np
import pyarrow as pa
from astropy.coordinates import SkyCoord

from lkmrs_dask.catalog.catalog import Catalog

Match = tuple[int, int | None]

NOISE_ARCSEC = 1e-9
"""A right ascension of 6 radians has steps of 2e-10 arcsec: separations are good to some of these."""

SITES = (
    (0.0, 90.0), (123.0, -90.0), (0.0, 0.0), (360.0, 10.0),
    (0.0, 41.8103148957786), (90.0, 41.8103148957786), (45.0, -41.8103148957786), (45.0, 0.0), (315.0, 0.0),
    (180.0, 66.44), (270.0, 41.8103148957786), (22.5, 19.4712206344907), (0.0, -66.44353569089876),
    (290.0, 44.5), (359.9999, -12.0),
)  # fmt: skip
"""Poles, RA 0, corners where three or four base pixels meet, borders between them, and plain places."""


class Sky(NamedTuple):
    """Positions in degrees."""

    ra: np.ndarray
    dec: np.ndarray


def around(ra: float, dec: float, spread: float, n: int, rng: np.random.Generator) -> Sky:
    """Positions at up to a distance (arcsec) from a place, which itself is likely a border of many pixels."""
    away = spread * np.sqrt(rng.random(n)) * rng.choice([1.0, 0.03], n)
    angle = rng.uniform(0, 360, n)
    place = SkyCoord(ra * u.deg, dec * u.deg).directional_offset_by(angle * u.deg, away * u.arcsec)
    return Sky(np.asarray(place.ra.deg), np.asarray(place.dec.deg))


def everywhere(n: int, rng: np.random.Generator) -> Sky:
    """Positions all over the sky."""
    return Sky(rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n))))


def joined(*skies: Sky) -> Sky:
    return Sky(np.concatenate([sky.ra for sky in skies]), np.concatenate([sky.dec for sky in skies]))


def stars(sky: Sky, number: str, **more: object) -> pa.Table:
    """Make a table with the place of each row in a column."""
    return pa.table({number: np.arange(len(sky.ra)), "ra": sky.ra, "dec": sky.dec, **more})


def separations(left: Sky, right: Sky) -> np.ndarray:
    """All separations in arcsec, shape (left, right); of equal positions they are equal to the last bit."""
    if not len(left.ra) or not len(right.ra):
        return np.zeros((len(left.ra), len(right.ra)))
    places, which = np.unique(np.stack(right, axis=1), axis=0, return_inverse=True)
    of = SkyCoord(left.ra * u.deg, left.dec * u.deg)[:, None]
    away = of.separation(SkyCoord(places[:, 0] * u.deg, places[:, 1] * u.deg)[None, :]).arcsec
    return np.asarray(away)[:, which.reshape(-1)]


def ambiguous(away: np.ndarray, radius: float) -> bool:
    """Whether rounding decides: a pair at the radius, or two rows almost equally near to another one."""
    if np.any(np.abs(away - radius) <= NOISE_ARCSEC):
        return True
    close = np.where(away <= radius, away, np.nan)
    for rows in (close, close.T):
        steps = np.diff(np.sort(rows, axis=1), axis=1)
        if np.any((steps > 0) & (steps < NOISE_ARCSEC)):
            return True
    return False


def brute_force(
    away: np.ndarray,
    radius: float,
    neighbours: str | int = "nearest",
    join: str = "inner",
    left_ids: Sequence | None = None,
    right_ids: Sequence | None = None,
) -> list[Match]:
    """Matches in the order of the left rows' places, the nearest first; ties by id, nulls last."""
    n_left, n_right = away.shape
    lefts = list(range(n_left)) if left_ids is None else list(left_ids)
    rights = list(range(n_right)) if right_ids is None else list(right_ids)

    def ranked(row: np.ndarray, ids: list) -> list[int]:
        near = [k for k in range(len(row)) if row[k] <= radius]
        return sorted(near, key=lambda k: (row[k], ids[k] is None, ids[k] if ids[k] is not None else 0, k))

    most = {"nearest": 1, "one-to-one": 1, "all": n_right}.get(str(neighbours), neighbours)
    result: list[Match] = []
    for i in range(n_left):
        found = ranked(away[i], rights)[:most]
        if neighbours == "one-to-one":
            found = [j for j in found if ranked(away[:, j], lefts)[0] == i]
        if join == "anti" or not found:
            result += [(i, None)] if join != "inner" and not found else []
        else:
            result += [(i, j) for j in found]
    return result


def matches(result: Catalog | pa.Table, names: tuple[str, str] = ("i", "j")) -> list[Match]:
    """Matches of a result, by the place of the left row; of one left row in the order of the result."""
    table = result if isinstance(result, pa.Table) else result.to_arrow()
    lefts = table.column(names[0]).to_pylist()
    rights = table.column(names[1]).to_pylist() if names[1] in table.column_names else [None] * len(lefts)
    return sorted(zip(lefts, rights, strict=True), key=lambda pair: pair[0])


def check_numbers(result: Catalog | pa.Table, away: np.ndarray, radius: float) -> None:
    """See that separations and numbers of candidates of a result are right."""
    table = result if isinstance(result, pa.Table) else result.to_arrow()
    count = np.count_nonzero(away <= radius, axis=1)
    for row in table.select(["i", "j", "separation_arcsec", "n_candidates"]).to_pylist():
        assert row["n_candidates"] == count[row["i"]]
        if row["j"] is None:
            assert row["separation_arcsec"] is None
        else:
            assert abs(row["separation_arcsec"] - away[row["i"], row["j"]]) <= NOISE_ARCSEC
