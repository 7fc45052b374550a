"""`crossmatch`: the counterparts of one catalogue's rows in another, exact at every border."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, count
from numbers import Real
from typing import Literal

import numpy as np
import pyarrow as pa

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.matching.drift import Drift
from lkmrs_dask.matching.matched import Asked, Matched, Names
from lkmrs_dask.matching.motion import is_masyr
from lkmrs_dask.matching.pairs import MOST_ARCSEC
from lkmrs_dask.matching.side import Side, has_order, is_number, stated_unit
from lkmrs_dask.schema import HEALPIX_COLUMN

__all__ = ["MAX_PAIRS", "RADIUS_ARCSEC", "crossmatch"]

RADIUS_ARCSEC = 3.7
"""The paper's radius: 3.3 arcsec of the fibre and 0.4 of its pointing (section 3.1)."""

MAX_PAIRS = 20_000_000
"""Pairs of a partition at most, some 3.4 GB: what is more is a radius too large, most likely."""

SEPARATION, CANDIDATES = "separation_arcsec", "n_candidates"
_JOINS = ("inner", "left", "anti")
_KINDS = ("nearest", "all", "one-to-one")
_IDENTIFIERS = ("star_id", "source_id")
_MANY = 1 << 40  # neighbours: more than any catalogue has


def crossmatch(
    left: Catalog,
    right: Catalog,
    radius_arcsec: float = RADIUS_ARCSEC,
    neighbours: Literal["nearest", "all", "one-to-one"] | int = "nearest",
    join: Literal["inner", "left", "anti"] = "inner",
    suffixes: tuple[str, str] = ("", "_2"),
    *,
    left_epoch: float | str | None = None,
    right_epoch: float | str | None = None,
    proper_motion: tuple[str, str] = ("pmra", "pmdec"),
    id_column: str | None = None,
    max_pairs: int = MAX_PAIRS,
) -> Catalog:
    """Find the rows of another catalogue that lie near those of this one.

    Lazy, and partition by partition: for each partition of `left` those row groups of `right` are read that
    its own rows, and a disc around each, touch.  So nothing is missed at a border, at RA 0 or at a pole,
    whatever the two tilings, and no margin catalogue is needed.

    Parameters
    ----------
    left, right : Catalog
        Of any tilings; they may be the same, and each row is then its own nearest.
    radius_arcsec : float
        Largest separation, included; up to 2 deg (7200).  The default is the paper's (section 3.1).
    neighbours : {"nearest", "all", "one-to-one"} or int
        The nearest row of `right`; all rows; the nearest where none of `left` is nearer to it; or so many of
        the nearest.  Of rows equally near, the one with the lowest identifier comes first.
    join : {"inner", "left", "anti"}
        Pairs; pairs and rows of `left` without a counterpart, with nulls; or only those without.
    suffixes : tuple of str
        Appended to columns of `left` and of `right` whose names are in both.  The coordinates of `left` count
        as its columns even where they are not selected.
    left_epoch, right_epoch : float or str, optional
        Epochs of the positions: a Julian year (2016.0), or a column of Julian years, MJD or JD.  Where they
        are given, the rows of `right` are moved to the epoch of each row of `left` by their proper motion.
        A row whose motion or epoch is null stays where it is.
    proper_motion : tuple of str
        Its columns in `right`: mas/yr, the first with cos dec.
    id_column : str, optional
        Identifier of `right`'s rows, for ties.  By default the one that an imported catalogue states, or
        ``star_id`` or ``source_id``; else rows in the order of the sky.
    max_pairs : int
        Pairs that a partition of `left` may have; where there are more, reading it is an error.  A pair takes
        some 170 bytes of memory, and what its columns take.

    Returns
    -------
    Catalog
        The partitions of `left`; its columns, then those of `right` but for its ``_healpix_29``, then
        ``separation_arcsec`` and ``n_candidates`` (rows of `right` within the radius), with a suffix where
        these names are taken, as in a match of a match.  Rows of one row of `left` follow each other, the
        nearest first.  Of an anti join the columns of `left` alone.

    Raises
    ------
    UsageError
        For a radius that is not in (0, 7200], an unknown option or column, names that clash, or a margin
        catalogue.
    CatalogError
        When coordinates are stated to be in other units than degrees; while computing, when they turn out to
        be, files cannot be read, or a partition has more than `max_pairs`.

    Notes
    -----
    Rows with null coordinates have no counterpart.  A `right` that is itself computed (a region is not, nor
    is a catalogue of a data frame) is computed for each partition of `left` that it touches: write it first.

    Examples
    --------
    >>> stars = open_catalog("survey/stars")  # doctest: +SKIP
    >>> crossmatch(stars, open_catalog("gaia"), radius_arcsec=3.7).write("stars_in_gaia")  # doctest: +SKIP
    """
    for side, catalog in (("left", left), ("right", right)):
        if not isinstance(catalog, Catalog):
            kind = type(catalog).__name__
            raise UsageError(f"{side} is a Catalog, of open_catalog or from_dataframe, not {kind}")
    most, mutual = _wanted(neighbours)
    if join not in _JOINS:
        raise UsageError(f"join is one of {', '.join(_JOINS)}, not {join!r}")
    number = isinstance(radius_arcsec, Real) and not isinstance(radius_arcsec, bool)
    if not (number and 0.0 < radius_arcsec <= MOST_ARCSEC):
        raise UsageError(f"the radius is a number in (0, {MOST_ARCSEC:g}] (arcsec), not {radius_arcsec!r}")
    if not _is_count(max_pairs):
        raise UsageError(f"max_pairs is a number from 1 on, not {max_pairs!r}")
    drift = _drift(left, right, left_epoch, right_epoch, proper_motion)
    asked = Asked(float(radius_arcsec), most, mutual, join, drift, int(max_pairs))
    right_side = Side.of(right, id_column if id_column is not None else _identifier(right))
    left_side = Side.of(left, _identifier(left))
    names, schema, (ra, dec) = _columns(left, right, suffixes, join)
    source = Matched(left_side, right_side, asked, names, schema)
    info = replace(
        left.info,
        name=f"{left.name}_x_{right.name}",
        n_rows=None,
        suffix=".parquet",
        properties={},
        ra_column=ra,
        dec_column=dec,
    )
    return replace(left, source=source, names=tuple(schema.names), info=info, path=None)


def _wanted(neighbours: str | int) -> tuple[int | None, bool]:
    """Counterparts of a row at most (None: all), and whether they must be mutual."""
    if _is_count(neighbours):
        return min(int(neighbours), _MANY), False
    if neighbours not in _KINDS:
        raise UsageError(f"neighbours is {', '.join(_KINDS)} or a number from 1 on, not {neighbours!r}")
    return (None if neighbours == "all" else 1), neighbours == "one-to-one"


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 1)


def _identifier(catalog: Catalog) -> str | None:
    schema = catalog.source.schema
    stated = catalog.info.properties.get("lkmrs_id_column")
    known = (name for name in (stated, *_IDENTIFIERS) if name in schema.names)
    return next((name for name in known if has_order(schema.field(name).type)), None)


def _drift(
    left: Catalog,
    right: Catalog,
    left_epoch: float | str | None,
    right_epoch: float | str | None,
    proper_motion: tuple[str, str],
) -> Drift | None:
    if left_epoch is None and right_epoch is None:
        return None
    if left_epoch is None or right_epoch is None:
        raise UsageError("proper motions count where both epochs are given: left_epoch and right_epoch")
    for epoch in (left_epoch, right_epoch):
        if not isinstance(epoch, str) and not (isinstance(epoch, Real) and 1800.0 <= epoch <= 2200.0):
            raise UsageError(f"an epoch is a column or a Julian year from 1800 to 2200, not {epoch!r}")
    two = isinstance(proper_motion, tuple | list) and len(set(proper_motion)) == len(proper_motion) == 2
    if not two or not all(isinstance(name, str) for name in proper_motion):
        raise UsageError(f"proper_motion names two columns, as in ('pmra', 'pmdec'), not {proper_motion!r}")
    drift = Drift(left_epoch, right_epoch, *proper_motion)
    for catalog, columns in ((left, drift.left_columns), (right, drift.right_columns)):
        unknown = [name for name in columns if name not in catalog.source.schema.names]
        if unknown:
            raise UsageError(
                f"{catalog.name} has no column {', '.join(unknown)}, which proper motion needs; "
                f"it has {', '.join(catalog.source.schema.names)}"
            )
        for name in columns:
            kind = catalog.source.schema.field(name)
            if not is_number(kind.type):
                raise UsageError(f"{catalog.name}: column {name} is {kind.type}, but must hold numbers")
            unit = stated_unit(kind)
            if name in proper_motion and unit and not is_masyr(unit):
                raise CatalogError(f"{catalog.name}: column {name} is in {unit}, not in mas/yr")
    return drift


def _columns(
    left: Catalog, right: Catalog, suffixes: tuple[str, str], join: str
) -> tuple[Names, pa.Schema, tuple[str, str]]:
    """Name the columns of the result; the last are the names of its coordinates."""
    position = (left.info.ra_column, left.info.dec_column)
    lefts = [HEALPIX_COLUMN, *(name for name in left.names if name != HEALPIX_COLUMN)]
    if join == "anti":
        fields = [left.source.schema.field(name) for name in lefts]
        return Names(tuple((name, name) for name in lefts)), pa.schema(fields), position
    if not isinstance(suffixes, tuple | list) or [type(one) for one in suffixes] != [str, str]:
        raise UsageError(f"suffixes are two texts, not {suffixes!r}")
    rights = [name for name in right.names if name != HEALPIX_COLUMN]
    # Coordinates of the right side must not pass for those of the result.
    both = {*lefts, *position} & set(rights)
    of_left = {name: name + suffixes[0] if name in both else name for name in (*lefts, *position)}
    named_left = tuple((of_left[name], name) for name in lefts)
    named_right = tuple((name + suffixes[1] if name in both else name, name) for name in rights)
    names = [*of_left.values(), *(name for name, _ in named_right)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"both catalogues would give a column {', '.join(twice)}: choose other suffixes")
    new = [_new_name(name, suffixes[1], names) for name in (SEPARATION, CANDIDATES)]
    fields = [left.source.schema.field(of).with_name(name) for name, of in named_left]
    fields += [right.source.schema.field(of).with_name(name).with_nullable(True) for name, of in named_right]
    about = {"unit": "arcsec", "description": f"Distance from {right.name}"}
    fields.append(pa.field(new[0], pa.float64(), metadata=about))
    about = {"description": f"Rows of {right.name} within the radius"}
    fields.append(pa.field(new[1], pa.int32(), metadata=about))
    return (
        Names(named_left, named_right, *new),
        pa.schema(fields),
        (of_left[position[0]], of_left[position[1]]),
    )


def _new_name(name: str, suffix: str, taken: list[str]) -> str:
    """Name of a new column: where it is taken, with the suffix or else a number."""
    names = chain((name, name + suffix), (f"{name}_{number}" for number in count(2)))
    return next(one for one in names if one not in taken)
