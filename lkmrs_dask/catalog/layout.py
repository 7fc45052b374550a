"""Which stars, and so which rows, each partition of a catalogue holds: decided before any row is written.

It is decided from the sightings alone: who was seen where, how often, and in which reading of raw files.  The
same readings give the same partitions with the same fingerprints, in whatever steps they came together; so a
later run knows, without a look at the rows, which partitions are as they would be and which are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.catalog.receipts import code_fingerprint, fingerprint, write_array
from lkmrs_dask.catalog.runs import SIGHTINGS, Run
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN, TableSchema
from lkmrs_dask.sky.tiling import Tiling, adaptive_tiling

__all__ = [
    "Layout",
    "Part",
    "Seen",
    "StarPlaces",
    "assign_runs",
    "gather_sightings",
    "lay_out",
    "place_stars",
]

Integers = NDArray[np.int64]


class Part(NamedTuple):
    """A partition: its pixel, and the ranks of its stars [first, last)."""

    order: int
    pixel: int
    first: int
    last: int

    @property
    def name(self) -> str:
        """Its name among receipts."""
        return f"{self.order}-{self.pixel}"


@dataclass(frozen=True, eq=False)
class StarPlaces:
    """Where each star of a survey lies.

    Parameters
    ----------
    stars : pyarrow.Table
        ``star_id``, ``uid``, ``ra``, ``dec`` and ``_healpix_29``, sorted by the last and then the first; a
        star's rank is its row here.
    path : Path
        The same as an Arrow file, for the tasks.
    """

    stars: pa.Table
    path: Path

    @property
    def index(self) -> Integers:
        """Order-29 index of each star."""
        return self.stars.column(HEALPIX_COLUMN).to_numpy()


class Seen(NamedTuple):
    """Sightings of one reading: its fingerprint, and star, rows and bytes of each of them."""

    fingerprint: str
    star: Integers
    rows: Integers
    size: Integers


@dataclass(frozen=True, eq=False)
class Layout:
    """Partitions of a catalogue.

    Parameters
    ----------
    tiling : Tiling
        Their pixels.
    parts : tuple of Part
        In sky order, as in the tiling.
    fingerprints : tuple of str
        Of what each is made of: readings and sightings, stars and their places, columns, and code.
    readings : tuple of ndarray of int
        For each the numbers of the readings that have rows of it.
    rows : ndarray of int64
        Rows that go into each; repeated ones count too.
    """

    tiling: Tiling
    parts: tuple[Part, ...]
    fingerprints: tuple[str, ...]
    readings: tuple[Integers, ...]
    rows: Integers


def gather_sightings(tables: Iterable[pa.Table]) -> pa.Table:
    """All sightings, one table after the other."""
    return pa.concat_tables([SIGHTINGS.empty_table(), *tables])


def place_stars(stars: pa.Table, folder: Path) -> StarPlaces:
    """Check stars and write them for the tasks.

    Parameters
    ----------
    stars : pyarrow.Table
        See `StarPlaces`.
    folder : Path
        Where their file goes.

    Raises
    ------
    CatalogError
        When two stars share an id, or stars are not in order.
    """
    index = stars.column(HEALPIX_COLUMN).to_numpy()
    if np.any(index[1:] < index[:-1]):
        raise CatalogError("stars must be sorted by _healpix_29 before they are placed")
    n_ids = pc.count_distinct(stars.column("star_id")).as_py()
    if n_ids != stars.num_rows:
        raise CatalogError(
            f"{stars.num_rows - n_ids} star ids are given twice: a star would be in two partitions"
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "stars.arrow"
    stars = stars.combine_chunks()
    with pa.OSFile(str(path), "wb") as stream, pa.ipc.new_file(stream, stars.schema) as writer:
        writer.write_table(stars)
    return StarPlaces(stars, path)


def lay_out(
    places: StarPlaces,
    seen: Sequence[Seen],
    table: TableSchema,
    columns: Iterable[str],
    max_rows: int,
    max_bytes: int,
) -> Layout:
    """Tile the sky by the stars of a catalogue, and fingerprint its partitions.

    Parameters
    ----------
    places : StarPlaces
        All stars of the survey.
    seen : sequence of Seen
        Readings of this catalogue.
    table : TableSchema
        The catalogue.
    columns : iterable of str
        Columns that it will have.
    max_rows, max_bytes : int
        Thresholds of a partition; whole stars are never split.
    """
    n_stars = places.stars.num_rows
    rows, size = np.zeros(n_stars, np.int64), np.zeros(n_stars, np.int64)
    for one in seen:
        np.add.at(rows, one.star, one.rows)
        np.add.at(size, one.star, one.size)
    index, there = places.index, rows > 0
    tiling = adaptive_tiling(
        index[there], rows[there], size=size[there], max_rows=max_rows, max_bytes=max_bytes
    )
    lo, hi = tiling.bounds
    first, last = np.searchsorted(index, lo), np.searchsorted(index, hi)
    parts = tuple(
        Part(*values)
        for values in zip(tiling.order.tolist(), tiling.pixel.tolist(), first.tolist(), last.tolist(),
                          strict=True)
    )  # fmt: skip
    common = fingerprint(code_fingerprint(), table.name, sorted(columns))
    prints, readings = _trace(places, seen, parts, common)
    total = np.append(0, np.cumsum(rows))
    return Layout(tiling, parts, tuple(prints), tuple(readings), total[last] - total[first])


def _trace(
    places: StarPlaces, seen: Sequence[Seen], parts: Sequence[Part], common: str
) -> tuple[list[str], list[Integers]]:
    """Fingerprint each part, and list the readings that it has rows of."""
    # Readings in the order of their fingerprints, so that the order in which they came does not matter.
    by_name = sorted(range(len(seen)), key=lambda k: seen[k].fingerprint)
    star = np.concatenate([seen[k].star for k in by_name]) if seen else np.empty(0, np.int64)
    sizes = [len(seen[k].star) for k in by_name]
    which = np.repeat(np.array(by_name, np.int64), sizes)
    place = np.concatenate([np.arange(n) for n in sizes]) if seen else np.empty(0, np.int64)
    order = np.argsort(star, kind="stable")
    star, which, place = star[order], which[order], place[order]
    starts = np.searchsorted(star, [part.first for part in parts])
    ends = np.searchsorted(star, [part.last for part in parts])
    prints, readings = [], []
    ra, dec = (places.stars.column(name).to_numpy() for name in ("ra", "dec"))
    ids = places.stars.column("star_id")
    for part, start, end in zip(parts, starts.tolist(), ends.tolist(), strict=True):
        here = slice(start, end)
        # Only stars with rows: those that another catalogue alone has in the pixel change nothing here.
        stars, who = np.unique(star[here], return_inverse=True)
        numbers, local = np.unique(which[here], return_inverse=True)
        names = [seen[k].fingerprint for k in numbers.tolist()]
        ranks = np.argsort(np.argsort(names)).astype(np.int64)
        made_of = (sorted(names), ranks[local], place[here], who)
        lying = (ra[stars], dec[stars], _text(ids, stars))
        prints.append(fingerprint(common, part.order, part.pixel, *made_of, *lying))
        readings.append(numbers)
    return prints, readings


def _text(values: pa.ChunkedArray, here: Integers) -> bytes:
    return "\n".join(values.take(pa.array(here)).to_pylist()).encode()


def assign_runs(
    runs: Sequence[Run], stars: Sequence[Integers], parts: Sequence[Part]
) -> list[tuple[Run, ...]]:
    """Note beside each run which star each of its sightings is, and list the runs that each part needs.

    Parameters
    ----------
    runs : sequence of Run
        Rows at hand.
    stars : sequence of ndarray of int64
        Rank of the star of each sighting of each run.
    parts : sequence of Part
        In sky order.
    """
    needed: list[list[Run]] = [[] for _ in parts]
    first = np.array([part.first for part in parts], np.int64)
    last = np.array([part.last for part in parts], np.int64)
    for run, star in zip(runs, stars, strict=True):
        write_array(star_file(run), star.astype(np.int64), lasting=False)
        at = np.searchsorted(first, star, side="right") - 1
        inside = (at >= 0) & (star < last[np.maximum(at, 0)]) if len(parts) else np.zeros(len(star), bool)
        for number in np.unique(at[inside]).tolist():
            needed[number].append(run)
    return [tuple(some) for some in needed]


def star_file(run: Run) -> Path:
    """Where `assign_runs` notes the stars of a run's sightings."""
    return run.file(".star.npy")
