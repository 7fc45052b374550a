"""Which raw column becomes which column of the schema: the job's map first, then names and aliases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from lkmrs_dask.readers.convert import Use
from lkmrs_dask.schema import TableSchema

__all__ = ["Match", "match_columns"]

RawName = str | tuple[str, float]


class Match(NamedTuple):
    """How a header fits a schema.

    Attributes
    ----------
    uses : tuple of Use
        In the schema's order.
    missing : dict
        For each required column that is not there, the raw names looked for.
    repeated : tuple of str
        Wanted raw names that the header has more than once.
    unknown : tuple of str
        Raw names that nothing is made of.
    """

    uses: tuple[Use, ...]
    missing: dict[str, tuple[str, ...]]
    repeated: tuple[str, ...]
    unknown: tuple[str, ...]


def match_columns(
    schema: TableSchema,
    header: Sequence[str],
    explicit: Mapping[str, RawName],
    *,
    constant: Collection[str] = (),
    only_mapped: bool = False,
    needed: Collection[str] = (),
) -> Match:
    """Match the names of a raw table.

    Parameters
    ----------
    schema : TableSchema
        The catalogue's columns.
    header : sequence of str
        Names in the file.
    explicit : mapping
        Raw name, or raw name and factor, by column name.  Matched exactly, else without regard to case.
    constant : collection of str
        Columns that the job sets: not looked for.
    only_mapped : bool
        Leave out names and aliases: only `explicit` counts.
    needed : collection of str
        Columns that are required beside those that the schema and `explicit` require.

    Returns
    -------
    Match
        The raw names of `uses` are in `header` as they stand there.
    """
    found: dict[str, Use] = {}
    missing: dict[str, tuple[str, ...]] = {}
    if not only_mapped:
        for name, raw in schema.find(header).items():
            if not schema[name].dtype.startswith("list") and name not in constant:
                found[name] = Use(schema[name], raw)
    folded = {name.lower(): name for name in header}
    for name, source in explicit.items():
        wanted, scale = (source, None) if isinstance(source, str) else source
        there = wanted if wanted in header else folded.get(wanted.lower())
        if there is None:
            found.pop(name, None)
            missing[name] = (wanted,)
        else:
            found[name] = Use(schema[name], there, scale)
    _take_natural_velocity(schema, found, {*explicit, *constant})
    for column in schema:
        if (column.required or column.name in needed) and column.name not in {*found, *missing, *constant}:
            missing[column.name] = (column.name, *column.aliases)
    uses = tuple(found[column.name] for column in schema if column.name in found)
    used = {use.raw for use in uses}
    counts = Counter(header)
    return Match(
        uses,
        missing,
        tuple(name for name in header if name in used and counts[name] > 1),
        tuple(name for name in header if name not in used),
    )


def _take_natural_velocity(schema: TableSchema, found: dict[str, Use], settled: Collection[str]) -> None:
    """Make rv_br1, the zero-point corrected velocity of both arms, the table's rv where the job names none.

    The error goes with it: that of another velocity would be wrong.
    """
    if "rv" not in schema or "rv" in settled or "rv_br1" not in found:
        return
    for name, source in (("rv", "rv_br1"), ("rv_err", "rv_br1_err")):
        if name in settled:
            continue
        found.pop(name, None)
        if source in found:
            found[name] = Use(schema[name], found[source].raw, found[source].scale)
