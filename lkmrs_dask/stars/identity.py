"""Which sightings are one star: by LAMOST's uid where there is one, by position otherwise.

The whole survey is resolved at once, from its distinct (uid, position) pairs, so a star that straddles
a partition, RA 0 or a pole is one star, and rows can be sent to the partition of their star.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.sky.index import healpix29, separation_arcsec, unit_vectors
from lkmrs_dask.stars.friends import close_pairs, friends_of_friends, normalised

__all__ = ["Stars", "designation", "resolve_stars"]

_TIE_RAD = 5e-12  # about 1 micro-arcsecond: smaller differences are rounding, more so for a short mean vector


@dataclass(frozen=True, eq=False)
class Stars:
    """Stars and the sightings that belong to them.

    Parameters
    ----------
    star : ndarray of int64, one per entry of the input
        Index of the entry's star in the arrays below.
    star_id : pyarrow.StringArray, one per star, like all that follow
        The uid, or a name made from the position.  Unique.
    uid : pyarrow.StringArray
        Null for stars known by position only.
    ra, dec : ndarray of float64
        Canonical position (deg).
    healpix29 : ndarray of int64
        Order-29 index of the canonical position; stars are sorted by it, then by `star_id`.
    n_rows, n_positions : ndarray of int64
        Rows, and distinct positions among them.
    spread_arcsec : ndarray of float64
        Largest separation of a position from the canonical one.
    suspicious : pyarrow.Table
        Positions of one uid further from its canonical one than ``uid_spread_arcsec``: star_id, ra, dec,
        n_rows, separation_arcsec.  They are kept in the star.
    """

    star: NDArray[np.int64]
    star_id: pa.StringArray
    uid: pa.StringArray
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    healpix29: NDArray[np.int64]
    n_rows: NDArray[np.int64]
    n_positions: NDArray[np.int64]
    spread_arcsec: NDArray[np.float64]
    suspicious: pa.Table

    def __len__(self) -> int:
        return len(self.star_id)


def resolve_stars(
    uid: pa.Array | pa.ChunkedArray,
    ra: ArrayLike,
    dec: ArrayLike,
    count: ArrayLike,
    radius_arcsec: float = 3.0,
    uid_spread_arcsec: float = 60.0,
) -> Stars:
    """Assign sightings to stars.

    Entries of one uid are one star, wherever they are.  An entry without uid belongs to the uid star that its
    friends-of-friends group holds; if the group holds several, to the nearest of them within the radius
    (ties: the lowest uid).  What is left makes stars of its own, by friends of friends.  A uid star counts
    there with its canonical position, found from the entries that carry the uid.

    The canonical position of a star is the one with most rows; ties go to the one nearest to the mean
    direction of its positions, then to the lowest (ra, dec).  The result depends neither on the order of the
    entries nor on how the rows of a position are split over them.

    Parameters
    ----------
    uid : arrow string array, length n
        Null, or blank, where there is none.
    ra, dec : array_like of float, length n
        Degrees.
    count : array_like of int, length n
        Rows that have this uid and position.
    radius_arcsec : float
        Largest separation of friends.
    uid_spread_arcsec : float
        Positions of a uid further apart than this are listed as suspicious.

    Returns
    -------
    Stars

    Raises
    ------
    UsageError
        For arrays of different lengths, a count below 1, a radius out of range or a position that is no
        place on the sky.
    """
    ra, dec = normalised(ra, dec)
    count = np.atleast_1d(np.asarray(count))
    if not len(uid) == len(ra) == len(dec) == len(count):
        raise UsageError(
            f"uid, ra, dec and count have {len(uid)}, {len(ra)}, {len(dec)} and {len(count)} entries"
        )
    if (count < 1).any():
        raise UsageError(f"count is {count.min()} for some entry: every entry stands for at least one row")
    code, uids = _uid_codes(uid)

    star = _assign(code, len(uids), ra, dec, count, radius_arcsec)
    n_stars = int(star.max()) + 1 if len(star) else 0
    canonical = _canonical(star, ra, dec, count)

    uid_of_star = pa.concat_arrays([uids, pa.nulls(n_stars - len(uids), pa.string())])
    names = _unique_names(canonical.ra[len(uids) :], canonical.dec[len(uids) :])
    ids = pa.concat_arrays([uids, names])
    index = healpix29(canonical.ra, canonical.dec)
    order = pc.sort_indices(
        pa.table({"index": index, "id": ids}), sort_keys=[("index", "ascending"), ("id", "ascending")]
    ).to_numpy()
    rank = np.empty(n_stars, np.int64)
    rank[order] = np.arange(n_stars)
    return Stars(
        star=rank[star],
        star_id=ids.take(pa.array(order)),
        uid=uid_of_star.take(pa.array(order)),
        ra=canonical.ra[order],
        dec=canonical.dec[order],
        healpix29=index[order],
        n_rows=canonical.n_rows[order],
        n_positions=canonical.n_positions[order],
        spread_arcsec=canonical.spread[order],
        suspicious=_suspicious(canonical, ids, rank, len(uids), uid_spread_arcsec),
    )


def designation(ra: ArrayLike, dec: ArrayLike) -> pa.StringArray:
    """Name positions as the IAU asks: ``LKMRS Jhhmmss.ss+ddmmss.s``, truncated, not rounded.

    Parameters
    ----------
    ra, dec : array_like of float, length n
        Degrees.

    Returns
    -------
    pyarrow.StringArray, length n
    """
    ra, dec = normalised(ra, dec)
    # The millionth keeps a decimal coordinate that is exactly on a step, but a bit lower in binary, on it.
    time = np.floor(ra * 24000 + 1e-6).astype(np.int64) % (24 * 360000)
    angle = np.minimum(np.floor(np.abs(dec) * 36000 + 1e-6), 90 * 36000).astype(np.int64)

    def digits(number: NDArray[np.int64], width: int = 2) -> pa.Array:
        return pc.utf8_lpad(pa.array(number).cast(pa.string()), width, "0")

    return pc.binary_join_element_wise(
        "LKMRS J",
        digits(time // 360000), digits(time // 6000 % 60), digits(time // 100 % 60), ".", digits(time % 100),
        pa.array(np.where(dec < 0, "-", "+")),
        digits(angle // 36000), digits(angle // 600 % 60), digits(angle // 10 % 60), ".",
        digits(angle % 10, 1), "",
    )  # fmt: skip


def _uid_codes(uid: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.int64], pa.StringArray]:
    """Rank of each uid among the distinct ones, -1 for none; and those, sorted."""
    if isinstance(uid, pa.ChunkedArray):
        uid = uid.combine_chunks()
    uid = uid.cast(pa.string())
    blank = pc.equal(pc.utf8_trim_whitespace(uid), "")
    encoded = pc.if_else(blank, pa.scalar(None, pa.string()), uid).dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order) + 1, np.int64)
    rank[order] = np.arange(len(order))
    rank[-1] = -1
    code = encoded.indices.cast(pa.int64()).fill_null(len(order)).to_numpy(zero_copy_only=False)
    return rank[code], encoded.dictionary.take(pa.array(order))


def _assign(
    code: NDArray[np.int64],
    n_uids: int,
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    count: NDArray[np.int64],
    radius_arcsec: float,
) -> NDArray[np.int64]:
    """Star of each entry: the uid's rank, or a number from `n_uids` on."""
    star = code.copy()
    known, alone = np.flatnonzero(code >= 0), np.flatnonzero(code < 0)
    if not len(alone):
        return star
    uid_star = _canonical(code[known], ra[known], dec[known], count[known])
    # Positions without uid come first, then uid stars, whose number is their place less n_alone.
    n_alone = len(alone)
    all_ra, all_dec = np.concatenate([ra[alone], uid_star.ra]), np.concatenate([dec[alone], uid_star.dec])
    group = friends_of_friends(all_ra, all_dec, radius_arcsec)
    n_groups = int(group.max()) + 1
    held = np.bincount(group[n_alone:], minlength=n_groups)
    holder = np.full(n_groups, -1, np.int64)
    holder[group[n_alone:]] = np.arange(n_uids)

    mine = np.where(held == 1, holder, -1)[group[:n_alone]]
    new = group[:n_alone].copy()  # the star of entries that no uid star takes
    crowded = np.flatnonzero(held[group] > 1)
    if len(crowded):
        nearest = _nearest_uid_star(all_ra, all_dec, crowded, n_alone, radius_arcsec)
        mine[nearest[:, 0]] = nearest[:, 1]
        left = crowded[crowded < n_alone]
        left = left[mine[left] < 0]
        new[left] = n_groups + friends_of_friends(all_ra[left], all_dec[left], radius_arcsec)
    rest = mine < 0
    mine[rest] = n_uids + np.unique(new[rest], return_inverse=True)[1]
    star[alone] = mine
    return star


def _nearest_uid_star(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    members: NDArray[np.int64],
    n_alone: int,
    radius_arcsec: float,
) -> NDArray[np.int64]:
    """Pair entries without uid among `members` with their nearest uid star; only those that have one."""
    found = []
    for i, j in close_pairs(ra[members], dec[members], radius_arcsec):
        a, b = members[np.minimum(i, j)], members[np.maximum(i, j)]  # members ascend: a uid star comes last
        mixed = (a < n_alone) & (b >= n_alone)
        found.append(np.stack([a[mixed], b[mixed]], axis=1))
    pairs = np.concatenate([np.empty((0, 2), np.int64), *found])
    distance = separation_arcsec(ra[pairs[:, 0]], dec[pairs[:, 0]], ra[pairs[:, 1]], dec[pairs[:, 1]])
    pairs = pairs[np.lexsort((pairs[:, 1], distance, pairs[:, 0]))]
    first = np.diff(pairs[:, 0], prepend=-1) != 0
    return pairs[first] - [0, n_alone]


class _Canonical(NamedTuple):
    """Per star 0, 1, ...: position, rows, positions, spread; and the distinct positions behind them."""

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    n_rows: NDArray[np.int64]
    n_positions: NDArray[np.int64]
    spread: NDArray[np.float64]
    positions: dict[str, NDArray]


def _canonical(
    star: NDArray[np.int64], ra: NDArray[np.float64], dec: NDArray[np.float64], count: NDArray[np.int64]
) -> _Canonical:
    """Canonical position of every star; `star` holds each number from 0 to its maximum."""
    if not len(star):
        none, zero = np.empty(0), np.empty(0, np.int64)
        return _Canonical(
            none, none, zero, zero, none, {"star": zero, "ra": none, "dec": none, "n": zero, "apart": none}
        )
    order = np.lexsort((dec, ra, star))
    star, ra, dec, count = star[order], ra[order], dec[order], count[order]
    first = np.flatnonzero(
        (np.diff(star, prepend=-1) != 0) | (np.diff(ra, prepend=-1) != 0) | (np.diff(dec, prepend=-99) != 0)
    )
    n = np.add.reduceat(count, first)
    star, ra, dec = star[first], ra[first], dec[first]

    start = np.flatnonzero(np.diff(star, prepend=-1))
    size = np.diff(start, append=len(star))
    best = n == np.repeat(np.maximum.reduceat(n, start), size)
    vectors = unit_vectors(ra, dec)
    mean = np.add.reduceat(vectors, start, axis=0) / size[:, None]
    length = np.maximum(np.linalg.norm(mean, axis=1), 1e-15)  # 0 for antipodes
    mean /= length[:, None]
    off = np.where(best, np.linalg.norm(vectors - np.repeat(mean, size, axis=0), axis=1), np.inf)
    best = off <= np.repeat(np.minimum.reduceat(off, start) + _TIE_RAD / length, size)
    # Positions of a star ascend in (ra, dec): the first of the best is the lowest.
    chosen = np.minimum.reduceat(np.where(best, np.arange(len(star)), len(star)), start)
    apart = separation_arcsec(ra, dec, np.repeat(ra[chosen], size), np.repeat(dec[chosen], size))
    return _Canonical(
        ra[chosen],
        dec[chosen],
        np.add.reduceat(n, start),
        size,
        np.maximum.reduceat(apart, start),
        {"star": star, "ra": ra, "dec": dec, "n": n, "apart": apart},
    )


def _unique_names(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> pa.StringArray:
    """Designations, with letters a, b, ... in sky order where several positions share one."""
    names = designation(ra, dec)
    code = names.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    shared = np.flatnonzero(np.bincount(code, minlength=1)[code] > 1)
    if not len(shared):
        return names
    shared = shared[np.lexsort((dec[shared], ra[shared], healpix29(ra[shared], dec[shared]), code[shared]))]
    start = np.flatnonzero(np.diff(code[shared], prepend=-1))
    place = np.arange(len(shared)) - np.repeat(start, np.diff(start, append=len(shared)))
    letters = np.full(len(names), "", dtype=object)
    letters[shared] = [_letters(k) for k in place.tolist()]
    return pc.binary_join_element_wise(names, pa.array(letters, pa.string()), "")


def _letters(k: int) -> str:
    """Spell a number with letters: a, b, ..., z, aa, ab, ..."""
    text = ""
    while k >= 0:
        text = chr(ord("a") + k % 26) + text
        k = k // 26 - 1
    return text


def _suspicious(
    canonical: _Canonical, ids: pa.StringArray, rank: NDArray[np.int64], n_uids: int, limit_arcsec: float
) -> pa.Table:
    at = canonical.positions
    far = np.flatnonzero((at["star"] < n_uids) & (at["apart"] > limit_arcsec))
    far = far[np.lexsort((at["dec"][far], at["ra"][far], rank[at["star"][far]]))]
    return pa.table(
        {
            "star_id": ids.take(pa.array(at["star"][far])),
            "ra": at["ra"][far],
            "dec": at["dec"][far],
            "n_rows": at["n"][far],
            "separation_arcsec": at["apart"][far],
        }
    )
