"""Which columns the files of an external catalogue have, and the types of those that no definition names."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.convert import Use
from lkmrs_dask.readers.external.angles import with_stated_units
from lkmrs_dask.readers.external.infer import Guess
from lkmrs_dask.readers.external.kinds import Kind
from lkmrs_dask.readers.external.opening import has_types, open_external
from lkmrs_dask.readers.external.unknown import Unknown
from lkmrs_dask.readers.raw import RawTable
from lkmrs_dask.schema import HEALPIX_COLUMN, Column

__all__ = ["Settled", "dress", "match_names", "needed", "score_of", "settle_columns"]

_LIMITS = {"ra": (0.0, 360.0), "dec": (-90.0, 90.0)}


class Settled(NamedTuple):
    """Columns of a catalogue, in order, and what of the files is left out, with the reason."""

    columns: tuple[Column, ...]
    left_out: tuple[str, ...]


def dress(kind: Kind, *, positions: bool) -> tuple[Column, ...]:
    """Columns of a kind, with the identifier and, for rows that need positions, coordinates required.

    Parameters
    ----------
    kind : Kind
        The catalogue.
    positions : bool
        Whether a row without a position is of no use.
    """
    known = {column.name: column for column in kind.columns}
    for angle, name in (("ra", kind.ra_column), ("dec", kind.dec_column)):
        if name is not None:
            own = known.get(name, Column(name, "float64", f"{angle} (deg)", "deg", sentinels=kind.sentinels))
            low, high = _LIMITS[angle]
            known[name] = replace(
                own, dtype="float64", unit="deg", required=positions, minimum=low, maximum=high
            )
    if kind.id_column in known:
        known[kind.id_column] = replace(known[kind.id_column], required=True)
    return tuple(known.values())


def needed(kind: Kind, columns: Sequence[Column]) -> list[Column]:
    """Columns without which a file cannot be used."""
    wanted = [column for column in columns if column.required]
    if kind.id_column is not None and kind.id_column not in {column.name for column in wanted}:
        wanted.append(Column(kind.id_column, "string", "Identifier", required=True))
    return wanted


def match_names(kind: Kind, columns: Sequence[Column], header: Sequence[str]) -> dict[str, Use]:
    """Find the raw columns that become the given ones.

    A name as it is published wins over aliases, and both over the same without regard to case: some tables
    have names that differ in nothing else.

    Parameters
    ----------
    kind : Kind
        The catalogue.
    columns : sequence of Column
        What to look for.
    header : sequence of str
        Names in the file.

    Returns
    -------
    dict
        By column name.
    """
    there = set(header)
    found = {
        column.name: next(name for name in (column.name, *column.aliases) if name in there)
        for column in columns
        if there.intersection((column.name, *column.aliases))
    }
    left = {name.lower(): name for name in reversed(header) if name not in found.values()}
    for column in columns:
        if column.name not in found:
            name = next((n.lower() for n in (column.name, *column.aliases) if n.lower() in left), None)
            if name is not None:
                found[column.name] = left.pop(name)
    angles = {kind.ra_column: "ra", kind.dec_column: "dec"}
    uses = {
        column.name: Use(column, found[column.name], angle=angles.get(column.name, ""), as_told=kind.as_told)
        for column in columns
        if column.name in found
    }
    for column in columns:
        hours = dict(kind.hours).get(column.name)
        if hours in there and column.name not in uses:
            uses[column.name] = Use(column, str(hours), 15.0, angle=angles.get(column.name, ""))
    return uses


def score_of(kind: Kind, columns: Sequence[Column], header: Sequence[str]) -> int:
    """How many of the columns a header has; below zero where one that is needed is missing."""
    uses = match_names(kind, [*columns, *needed(kind, ())], header)
    missing = [column for column in needed(kind, columns) if column.name not in uses]
    return len(uses) - (len(columns) + 2 if missing else 0)


def settle_columns(
    kind: Kind,
    paths: Sequence[Path],
    *,
    keep: Collection[str] | None,
    positions: bool,
    delimiter: str | None,
    block_bytes: int,
) -> Settled:
    """Decide on the columns of a catalogue by a look at all its files.

    Headers are enough where every column is known or the format states types; text columns that are not known
    are read once, whole, so that their type does not depend on where blocks or files begin.

    Parameters
    ----------
    kind : Kind
        The catalogue.
    paths : sequence of Path
        Its files.
    keep : collection of str, optional
        Columns wanted beside identifier and position; all if not given.
    positions : bool
        Whether rows need positions.
    delimiter, block_bytes
        See `open_external`.

    Returns
    -------
    Settled

    Raises
    ------
    UsageError
        Where a column to keep is in no file.
    InputError
        Where a file cannot be opened or lacks a column that is needed.
    """
    known = dress(kind, positions=positions)
    always = {name for name in (kind.id_column, kind.ra_column, kind.dec_column) if name is not None}
    wanted = None if keep is None else {*keep, *always}
    present: set[str] = set()
    unknown: dict[str, Unknown] = {}
    left_out: dict[str, None] = {}

    def score(header: Sequence[str]) -> int:
        return score_of(kind, known, header)

    for path in paths:
        table = open_external(path, kind, score, delimiter=delimiter, block_bytes=block_bytes)
        with closing(table):
            uses = match_names(kind, known, table.names)
            check_header(path, kind, table, known, uses)
            present.update(uses)
            with_stated_units(path, table.fields, uses)
            new, odd = _new_fields(table, {use.raw for use in uses.values()})
            left_out.update(dict.fromkeys(odd))
            called = _called(kind, known, table.names)
            named = {called.get(found.name, found.name): found for found in new}
            _note(table, {n: f for n, f in named.items() if wanted is None or n in wanted}, unknown)
    columns = [column for column in known if column.name in present]
    columns += [seen.column(name, kind) for name, seen in unknown.items()]
    _check_keep(keep, [column.name for column in columns], kind)
    kept = tuple(column for column in columns if wanted is None or column.name in wanted)
    return Settled(kept, tuple(left_out))


def _called(kind: Kind, known: Sequence[Column], header: Sequence[str]) -> dict[str, str]:
    """Name of the identifier by that in a file, which may differ in case."""
    names = {column.name for column in known}
    extra = [column for column in needed(kind, known) if column.name not in names]
    uses = match_names(kind, [*known, *extra], header)
    return {uses[column.name].raw: column.name for column in extra if column.name in uses}


def _note(table: RawTable, found: Mapping[str, pa.Field], unknown: dict[str, Unknown]) -> None:
    """Note what a file says of some columns, and look at the cells of those whose type it does not tell."""
    guesses: dict[str, Guess] = {}
    for name, own in found.items():
        seen = unknown.setdefault(name, Unknown())
        if seen.note(own, typed=has_types(table)):
            guesses[own.name] = seen.guess
    if not guesses:
        return
    for block in table.blocks(dict.fromkeys(guesses, pa.binary())):
        for name, guess in guesses.items():
            guess.look(block.columns[name])


def _new_fields(table: RawTable, used: Collection[str]) -> tuple[list[pa.Field], list[str]]:
    """Fields that are not used yet, and what cannot be taken, with the reason."""
    fields = {found.name: found for found in table.fields}
    odd = [f"{name} (no single value a row)" for name in table.names if name not in fields]
    odd += [f"column {at} (no name)" for at, name in enumerate(table.names, 1) if not name]
    odd += [f"{name} (again)" for name, times in Counter(table.names).items() if times > 1 and name]
    odd += [f"{name} (made anew)" for name in table.names if name == HEALPIX_COLUMN]
    new = [f for f in fields.values() if f.name and f.name not in used and f.name != HEALPIX_COLUMN]
    return new, odd


def _check_keep(keep: Collection[str] | None, there: Sequence[str], kind: Kind) -> None:
    for name in keep or ():
        if name not in there:
            near = difflib.get_close_matches(name, there, n=3)
            hint = f"; near to it: {', '.join(near)}" if near else ""
            raise UsageError(f"the files of {kind.name} have no column {name!r}{hint}")


def check_header(
    path: Path, kind: Kind, table: RawTable, columns: Sequence[Column], uses: Mapping[str, Use]
) -> None:
    """Raise InputError where a header lacks a column that is needed, or has a known one twice."""
    counts = Counter(table.names)
    known = {column.name for column in (*kind.columns, *needed(kind, columns))}
    for use in uses.values():
        if counts[use.raw] > 1 and use.column.name in known:
            raise InputError(f"{table.where} has this name more than once", file=path, column=use.raw)
    header = {name.lower() for name in table.names}
    for column in needed(kind, columns):
        if column.name not in uses and column.name.lower() not in header:
            shown = ", ".join(repr(name) for name in table.names[:60])
            looked_for = " or ".join((column.name, *column.aliases))
            advice = "is the delimiter right? Other names are given by id, ra and dec"
            if path.name.removesuffix(".gz").endswith(".dat"):
                advice = "a .dat file of the CDS needs the ReadMe that describes it beside it"
            raise InputError(
                f"no column {looked_for} in {table.where}; names seen: {shown}; {advice}",
                file=path,
                column=column.name,
            )
