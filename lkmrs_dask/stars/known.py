"""Known or new: which stars with a class of section 4 the literature has, by identifier or position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.sky.index import separation_arcsec
from lkmrs_dask.stars.known_lists import KnownList

__all__ = ["KNOWN_SCHEMA", "find_known", "ids_of_names", "pairs_by_id", "pairs_by_position"]

KNOWN_SCHEMA = pa.schema(
    [
        pa.field(name, kind, metadata={"description": text} | ({"unit": unit} if unit else {}))
        for name, kind, unit, text in (
            ("known", pa.bool_(), "", "Known to a list as what it is; null for stars without a class"),
            ("discovery", pa.string(), "", "Known or New"),
            ("listed", pa.bool_(), "", "In a list at all, as whatever"),
            ("known_list", pa.string(), "", "First list that knows it"),
            ("known_lists", pa.string(), "", "All lists that know it, joined by commas"),
            ("known_name", pa.string(), "", "Name in the first list"),
            ("known_reference", pa.string(), "", "Paper, as the first list abbreviates it"),
            ("known_type", pa.string(), "", "Type in the first list"),
            ("known_value", pa.float64(), "", "Value in the first list, such as [Fe/H] (dex)"),
            ("known_by", pa.string(), "", "How the counterpart was found: id or position"),
            ("known_separation", pa.float64(), "arcsec", "Distance of the counterpart, where known"),
        )
    ]
)
"""Columns of `find_known`'s table."""

_STAR, _BY, _SEPARATION = "star_row", "found_by", "separation_arcsec"
_NAME_ID = r"^(?P<what>KIC|EPIC|TIC|Gaia[ _]+DR3)[ _]+(?P<number>[0-9]{1,19})$"
_EQUAL = 2  # decimals of separations (arcsec): rows of one star differ less

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def pairs_by_position(matched: pa.Table) -> pa.Table:
    """Make pairs of the counterparts that a cross-match found.

    Parameters
    ----------
    matched : pyarrow.Table
        A row for each star, in the stars' order: columns of the list and ``separation_arcsec``, null where
        there is no counterpart; as `lkmrs_dask.matching.rows.counterparts` gives it.  With a column
        ``star_row`` a star may have any number of rows.

    Returns
    -------
    pyarrow.Table
        ``star_row`` (which star, from 0), ``found_by`` (position), ``separation_arcsec``, and the list's
        columns.

    Raises
    ------
    CatalogError
        Where there is no ``separation_arcsec``.
    """
    _check_there(matched, [_SEPARATION], "matched stars")
    found = pc.is_valid(matched.column(_SEPARATION))
    if _STAR not in matched.column_names:
        matched = matched.append_column(_STAR, pa.array(np.arange(len(matched), dtype=np.int64)))
    rest = matched.filter(found).drop_columns([_BY] if _BY in matched.column_names else [])
    star = rest.column(_STAR).cast(pa.int64()).combine_chunks()
    separation = rest.column(_SEPARATION).cast(pa.float64()).combine_chunks()
    return _paired(star, "position", separation, rest.drop_columns([_STAR, _SEPARATION]))


def pairs_by_id(
    stars: pa.Table, rows: pa.Table, ids: Mapping[str, str], *, place: tuple[str, str] | None = None
) -> pa.Table:
    """Pair stars with rows of a list that have the same identifier.

    Parameters
    ----------
    stars : pyarrow.Table
        Stars; of their columns those that `ids` names, and ``ra`` and ``dec`` (deg) where `place` is given.
    rows : pyarrow.Table
        The list.  Identifiers may repeat in either.
    ids : mapping
        Columns of `rows` by columns of `stars`; a pair needs one that agrees.  Null agrees with nothing.
    place : (str, str), optional
        Columns of right ascension and declination (deg) of `rows`, for the separation.

    Returns
    -------
    pyarrow.Table
        As from `pairs_by_position`; ``found_by`` is id, and the separation null without `place`.

    Raises
    ------
    CatalogError
        Where a column is missing or identifiers are of types that cannot agree.
    """
    _check_there(stars, [*ids, *(("ra", "dec") if place else ())], "stars")
    _check_there(rows, [*ids.values(), *(place or ())], "list")
    pairs = [
        _same(stars.column(ours), rows.column(theirs), f"{ours} and {theirs}") for ours, theirs in ids.items()
    ]
    both = np.unique(np.concatenate([np.empty((0, 2), np.int64), *pairs]), axis=0)
    star, row = both[:, 0], both[:, 1]
    separation = pa.nulls(len(both), pa.float64())
    if place:
        angles = [_floats(stars, name)[star] for name in ("ra", "dec")]
        angles += [_floats(rows, name)[row] for name in place]
        apart = np.full(len(both), np.nan)
        some = np.isfinite(angles).all(axis=0)
        apart[some] = separation_arcsec(*(angle[some] for angle in angles))
        separation = pa.array(apart, mask=~some)
    left = rows.drop_columns([name for name in (_STAR, _BY, _SEPARATION) if name in rows.column_names])
    return _paired(pa.array(star), "id", separation, left.take(pa.array(row)))


def ids_of_names(names: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Find the identifiers in names such as ``KIC 7881304``, ``EPIC_220387907`` or ``Gaia DR3 2538...``.

    Parameters
    ----------
    names : pyarrow array of str, shape (n,)
        Names of objects, as in SIMBAD's ``main_id``.

    Returns
    -------
    pyarrow.Table
        ``kic_epic``, ``tic`` and ``gaia_source_id`` (int64), null where the name is another.
    """
    text = names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names
    parts = pc.extract_regex(pc.utf8_trim_whitespace(text.cast(pa.string())), pattern=_NAME_ID)
    what, number = pc.struct_field(parts, "what"), pc.struct_field(parts, "number")
    # Nineteen digits may be more than an int64 holds: such a number is no identifier.
    fits = pc.or_(pc.less(pc.utf8_length(number), 19), pc.less_equal(number, str(np.iinfo(np.int64).max)))
    value = pc.if_else(fits, number, None).cast(pa.int64())
    kinds = {"kic_epic": ["KIC", "EPIC"], "tic": ["TIC"], "gaia_source_id": ["Gaia DR3", "Gaia_DR3"]}
    return pa.table(
        {
            column: pc.if_else(pc.is_in(what, pa.array(words)), value, pa.scalar(None, pa.int64()))
            for column, words in kinds.items()
        }
    )


def find_known(
    classes: pa.Array | pa.ChunkedArray | Sequence[str | None],
    found: Sequence[tuple[KnownList, pa.Table]],
) -> pa.Table:
    """Tell which stars are known, by which list, with which value and how.

    Parameters
    ----------
    classes : array of str, shape (n,)
        One class of section 4 for each star (MP or VMP, or one of high velocity, or of variables), null for
        stars without.
    found : sequence of (KnownList, pyarrow.Table)
        Lists, the most trusted first, with their pairs (`pairs_by_position`, `pairs_by_id`, or both
        concatenated).

    Returns
    -------
    pyarrow.Table
        `KNOWN_SCHEMA`, a row for each star.  Of several rows of a list that count, the one told is found by
        identifier rather than by position, then the nearest, then the preferred one.

    Raises
    ------
    CatalogError
        Where pairs lack a column that the list names, or have stars that are not there.
    UsageError
        For two lists with one name.
    """
    label = classes if isinstance(classes, pa.Array | pa.ChunkedArray) else pa.array(classes, pa.string())
    label = label.cast(pa.string())
    n = len(label)
    star_class = np.array(label.to_pylist(), object)
    has_class = np.array(pc.is_valid(label).to_numpy(zero_copy_only=False), bool)
    names = [one.name for one, _ in found]
    if len(set(names)) != len(names):
        raise UsageError(f"two lists have the same name: {', '.join(names)}; join their pairs into one table")
    listed, first = np.zeros(n, bool), np.full(n, -1)
    knows: list[Bools] = []
    told = []
    for number, (one, pairs) in enumerate(found):
        star = _stars_of(one, pairs, n)
        near = _near(one, pairs)
        listed[star[near]] = True
        counts = near & _counts(one, pairs, star_class[star])
        best = _best(one, pairs, star, counts)
        known_here = np.zeros(n, bool)
        known_here[star[best]] = True
        knows.append(known_here)
        new = best[first[star[best]] < 0]
        first[star[new]] = number
        told.append(_told(one, pairs, new).append_column(_STAR, pa.array(star[new])))
    return _table(has_class, listed, np.array(knows, bool).reshape(len(names), n), names, told)


def _table(
    has_class: Bools, listed: Bools, knows: Bools, names: Sequence[str], told: Sequence[pa.Table]
) -> pa.Table:
    """Put together what was found."""
    n = len(has_class)
    known = np.asarray(knows.any(axis=0), bool)
    lists = [", ".join(np.array(names, object)[knows[:, at]]) if known[at] else None for at in range(n)]
    columns: dict[str, pa.Array] = {
        "known": pa.array(known, mask=~has_class),
        "discovery": pa.array(np.where(known, "Known", "New").tolist(), pa.string(), mask=~has_class),
        "listed": pa.array(listed, mask=~has_class),
        "known_lists": pa.array(lists, pa.string()),
    }
    one = pa.concat_tables(told) if told else _told(KnownList(""), _no_pairs(), np.empty(0, np.int64))
    at = np.full(n, -1)
    if _STAR in one.column_names:
        at[one.column(_STAR).to_numpy()] = np.arange(len(one))
    row = pa.array(at, mask=at < 0)
    columns |= {name: one.column(name).take(row) for name in KNOWN_SCHEMA.names if name not in columns}
    return pa.table([columns[name] for name in KNOWN_SCHEMA.names], schema=KNOWN_SCHEMA)


def _told(one: KnownList, pairs: pa.Table, rows: Ints) -> pa.Table:
    """What the table says of some pairs."""
    chosen = pairs.take(pa.array(rows))
    none = pa.nulls(len(rows))
    sources = {
        "known_name": one.object_column,
        "known_reference": one.reference_column,
        "known_type": one.type_column,
        "known_value": one.value_column,
        "known_by": _BY,
        "known_separation": _SEPARATION,
    }
    columns = {"known_list": pa.array([one.name] * len(rows), pa.string())}
    for name, source in sources.items():
        values = none if source is None else chosen.column(source).combine_chunks()
        columns[name] = values.cast(KNOWN_SCHEMA.field(name).type)
    return pa.table(columns)


def _counts(one: KnownList, pairs: pa.Table, star_class: NDArray[np.object_]) -> Bools:
    """Which pairs count for the class of their star."""
    counts = np.array([name is not None for name in star_class], bool)
    for column, values in one.excluded.items():
        kind = pairs.schema.field(column).type
        counts &= ~_mask(pc.is_in(pairs.column(column), pa.array(list(values)).cast(kind)))
    if one.classes is not None:
        counts &= np.isin(star_class.astype(str), one.classes)
    for name in np.unique(star_class[counts].astype(str)).tolist():
        mine = star_class == name
        if name in one.types and one.type_column:
            types = pc.utf8_trim_whitespace(pairs.column(one.type_column).cast(pa.string()))
            if one.candidates:
                types = pc.replace_substring_regex(types, r"\*?\?$", "*")
            counts &= ~mine | _mask(pc.is_in(types, pa.array(one.types[name], pa.string())))
        if name in one.limits and one.value_column:
            low, high = one.limits[name]
            value = _floats(pairs, one.value_column)
            counts &= ~mine | ((value >= low) & (value <= high))
    return counts


def _best(one: KnownList, pairs: pa.Table, star: Ints, counts: Bools) -> Ints:
    """Best pair of each star among those that count, by star."""
    rows = np.flatnonzero(counts)
    by_id = _mask(pc.equal(pairs.column(_BY), "id"))[rows]
    separation = np.round(_floats(pairs, _SEPARATION)[rows], _EQUAL)
    prefer = np.zeros(len(rows)) if one.prefer is None else _floats(pairs, one.prefer)[rows]
    order = np.lexsort((rows, prefer, separation, ~by_id, star[rows]))  # NaN comes last
    rows = rows[order]
    return rows[np.diff(star[rows], prepend=-1) != 0]


def _near(one: KnownList, pairs: pa.Table) -> Bools:
    """Pairs by identifier, and those by position within the list's radius."""
    if one.radius_arcsec is None:
        return np.ones(len(pairs), bool)
    by_id = _mask(pc.equal(pairs.column(_BY), "id"))
    return by_id | (_floats(pairs, _SEPARATION) <= one.radius_arcsec)


def _stars_of(one: KnownList, pairs: pa.Table, n: int) -> Ints:
    """Stars of the pairs, checked."""
    _check_there(pairs, [_STAR, _BY, _SEPARATION, *one.columns], f"pairs of {one.name}")
    star = pairs.column(_STAR).to_numpy().astype(np.int64)
    if len(star) and not (star.min() >= 0 and star.max() < n):
        raise CatalogError(f"pairs of {one.name}: {_STAR} runs to {star.max()}, but there are {n} stars")
    return star


def _same(ours: pa.ChunkedArray, theirs: pa.ChunkedArray, what: str) -> NDArray[np.int64]:
    """Pairs (star, row) of equal identifiers, shape (m, 2)."""
    kinds = [pa.types.is_integer(ours.type), pa.types.is_integer(theirs.type)]
    if kinds[0] != kinds[1] or any(map(pa.types.is_floating, (ours.type, theirs.type))):
        raise CatalogError(
            f"identifiers {what} are {ours.type} and {theirs.type}: both must be integers, or both text"
        )
    common = pa.int64() if kinds[0] else pa.string()
    ours, theirs = ours.cast(common).combine_chunks(), theirs.cast(common).combine_chunks()
    values = ours.drop_null().unique()
    star_code, row_code = (
        pc.fill_null(pc.index_in(ids, values, skip_nulls=True), -1).to_numpy(zero_copy_only=False)
        for ids in (ours, theirs)
    )
    order = np.argsort(row_code, kind="stable")
    star = np.flatnonzero(star_code >= 0)
    begin = np.searchsorted(row_code[order], star_code[star], side="left")
    end = np.searchsorted(row_code[order], star_code[star], side="right")
    times = end - begin
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    row = order[np.repeat(begin, times) + within]
    return np.stack([np.repeat(star, times), row], axis=1).astype(np.int64)


def _paired(star: pa.Array, by: str, separation: pa.Array, rest: pa.Table) -> pa.Table:
    own = {_STAR: star, _BY: pa.array([by] * len(star), pa.string()), _SEPARATION: separation}
    return pa.table(own | {name: rest.column(name) for name in rest.column_names})


def _no_pairs() -> pa.Table:
    return _paired(pa.array([], pa.int64()), "id", pa.array([], pa.float64()), pa.table({}))


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column as floats, NaN where it is null."""
    return np.asarray(table.column(name).cast(pa.float64()).to_numpy(), np.float64)


def _mask(flags: pa.Array | pa.ChunkedArray) -> Bools:
    return np.asarray(pc.fill_null(flags, False).to_numpy(), bool)


def _check_there(table: pa.Table, wanted: Sequence[str], what: str) -> None:
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        there = ", ".join(table.column_names) or "none"
        raise CatalogError(f"{what}: no column {', '.join(missing)}; there are {there}")
