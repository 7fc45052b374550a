"""Catalogues of a synthetic survey as HATS, written without raw files: for tests of scale.

The rows are those that the pipeline would make of the raw files of `make_survey` without dirt and flux.  More
than the whole survey is had from copies of it, each with random numbers, places and identifiers of its own;
their plans and nights are those of the survey.
"""

from __future__ import annotations

import math
import pickle
import shutil
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.catalog.hats_write import PartitionReceipt, finish_catalog, new_folder, write_partition
from lkmrs_dask.catalog.repeats import row_order
from lkmrs_dask.catalog.running import run_tasks
from lkmrs_dask.catalog.star_index import write_star_index
from lkmrs_dask.errors import UsageError
from lkmrs_dask.readers.derive import Defaults, derive_columns
from lkmrs_dask.schema import HEALPIX_COLUMN, MEASUREMENTS, SPECTRA, TableSchema
from lkmrs_dask.sky.tiling import adaptive_tiling
from lkmrs_dask.stars.identity import resolve_stars
from lkmrs_dask.synthetic.fits_files import DOUBLES
from lkmrs_dask.synthetic.layout import catalogue_name, forms, stellar_name
from lkmrs_dask.synthetic.ledger import Ledger, make_ledger
from lkmrs_dask.synthetic.population import moved
from lkmrs_dask.synthetic.rows import catalogue_rows, stellar_rows
from lkmrs_dask.synthetic.targets import moved_targets
from lkmrs_dask.synthetic.visit_files import see_visit

__all__ = ["write_hats"]

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0  # copies are this share of a turn apart: never two in one place
_SEED_STEP = 0x9E3779B97F4A7C15
_LEAST = 1e-9  # of a survey: a smaller rest is rounding
_TABLES = (SPECTRA, MEASUREMENTS)
_SORTED_BY = {"hats_cols_sort": f"{HEALPIX_COLUMN} star_id"}


@dataclass(frozen=True, eq=False)
class _Copy:
    """A copy of the survey, and its stars in the order of the catalogue.

    `star` is the index of each in the ledger, `rows` their rows in each table.
    """

    ledger: Ledger
    star: NDArray[np.int64]
    healpix29: NDArray[np.int64]
    uid: pa.StringArray
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    rows: tuple[NDArray[np.int64], ...]


class _Stars(NamedTuple):
    """Stars [first, last) of a copy, and its file."""

    copy: Path
    first: int
    last: int


class _Part(NamedTuple):
    """A partition to write."""

    order: int
    pixel: int
    stars: tuple[_Stars, ...]


def write_hats(
    folder: Path,
    fraction: float = 1.0,
    seed: int = 1,
    executor: Executor | None = None,
    *,
    max_rows: int = 500_000,
) -> dict[str, int]:
    """Write the catalogues ``spectra`` and ``measurements`` of a synthetic survey.

    Parameters
    ----------
    folder : Path
        Gets the two catalogues; older ones are replaced.
    fraction : float
        Of the paper's survey, which has 3.5 million spectra; more than 1 is made of copies.
    seed : int
        The same seed gives the same rows.
    executor : concurrent.futures.Executor, optional
        Where to work; a thread a core if not given.  Its workers must share this file system.
    max_rows : int
        Rows of a partition.  Memory is some 2 kB for each of them and task.

    Returns
    -------
    dict
        Rows by catalogue.

    Raises
    ------
    UsageError
        For a fraction or seed out of range, or where something else is in the way.
    """
    if not 0 < fraction < math.inf:
        raise UsageError(f"the fraction of the survey must be above 0 and finite, not {fraction}")
    folder = Path(folder)
    work = folder / f".direct-{uuid4().hex[:8]}"
    work.mkdir(parents=True)
    try:
        whole, rest = math.floor(fraction + _LEAST), fraction % 1.0
        parts = [1.0] * whole + ([rest] if _LEAST < rest < 1.0 - _LEAST else [])
        orders = [_Order(work / f"{k}.pickle", part, seed, k) for k, part in enumerate(parts)]
        places = run_tasks(_make_copy, orders, executor)
        return {
            table.name: _write_table(folder / table.name, table, k, orders, places, executor, max_rows)
            for k, table in enumerate(_TABLES)
        }
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Order(NamedTuple):
    """A copy to make."""

    path: Path
    fraction: float
    seed: int
    number: int


class _Places(NamedTuple):
    """Stars of a copy, in order: what partitions are made of."""

    healpix29: NDArray[np.int64]
    uid: pa.StringArray
    rows: tuple[NDArray[np.int64], ...]


def _make_copy(order: _Order) -> _Places:
    """Make a copy of the survey and keep it in a file."""
    ledger = make_ledger(order.fraction, (order.seed + order.number * _SEED_STEP) % (1 << 64))
    if order.number:
        east = 360.0 * (order.number * _GOLDEN % 1.0)
        ledger = replace(
            ledger,
            stars=moved(ledger.stars, east, order.number),
            visits=[replace(visit, copy=order.number) for visit in ledger.visits],
            targets=[moved_targets(one, east) for one in ledger.targets],
        )
    copy = _placed(ledger)
    order.path.write_bytes(pickle.dumps(copy, protocol=5))
    return _Places(copy.healpix29, copy.uid, copy.rows)


def _placed(ledger: Ledger) -> _Copy:
    """Find the stars' places as the pipeline does, from where and how often their rows say they are."""
    pairs, n_stars = ledger.attendance, len(ledger.stars)
    spectra = 2 * pairs.n_exposures - pairs.lost_red + 2 * pairs.coadd
    measured = ledger.measured.parameters.astype(np.int64)
    size = np.cumsum([0, *(len(one) for one in ledger.targets)])
    entry = size[ledger.plan_of_visit[pairs.visit]] + pairs.slot
    count = np.bincount(entry, spectra + measured, minlength=int(size[-1])).astype(np.int64)
    there = np.flatnonzero(count)
    star, ra, dec = (
        np.concatenate([getattr(one, name) for one in ledger.targets])[there]
        for name in ("star", "ra", "dec")
    )
    uid = pa.array(ledger.stars.uid_of(np.arange(n_stars)), pa.string())
    found = resolve_stars(uid.take(pa.array(star)), ra, dec, count[there])
    of_star = np.empty(n_stars, np.int64)
    of_star[found.star] = star
    rows = tuple(
        np.bincount(pairs.star, values, minlength=n_stars).astype(np.int64)[of_star]
        for values in (spectra, measured)
    )
    return _Copy(ledger, of_star, found.healpix29, found.star_id, found.ra, found.dec, rows)


def _write_table(
    target: Path,
    table: TableSchema,
    which: int,
    orders: list[_Order],
    places: list[_Places],
    executor: Executor | None,
    max_rows: int,
) -> int:
    index = np.concatenate([one.healpix29 for one in places])
    rows = np.concatenate([one.rows[which] for one in places])
    tiling = adaptive_tiling(index[rows > 0], rows[rows > 0], max_rows=max_rows)
    lo, hi = tiling.bounds
    bounds = [np.searchsorted(one.healpix29, [lo, hi]) for one in places]
    parts = [
        _Part(
            level,
            pixel,
            tuple(
                _Stars(order.path, int(first[k]), int(last[k]))
                for order, (first, last) in zip(orders, bounds, strict=True)
                if last[k] > first[k]
            ),
        )
        for k, (level, pixel) in enumerate(tiling)
    ]
    with new_folder(target) as folder:
        receipts = run_tasks(_WritePart(folder, which), parts, executor)
        schema = _schema(table, which, orders[0])
        n_rows = finish_catalog(
            folder, schema, receipts, name=target.name, kind="source", properties=_SORTED_BY
        )
        uid = pa.chunked_array([one.uid for one in places])
        write_star_index(folder, pa.table({"star_id": uid, "uid": uid, HEALPIX_COLUMN: index}))
    return n_rows


@dataclass(frozen=True)
class _WritePart:
    """Task: make the rows of a partition and write them."""

    root: Path
    which: int

    def __call__(self, part: _Part) -> PartitionReceipt:
        table = _TABLES[self.which]
        pieces = [rows for some in part.stars for rows in _rows(_copy(some.copy), some, self.which)]
        rows = pa.concat_tables(pieces)
        del pieces
        rank = _ranks(rows)
        order = row_order(rows.column, rows.column_names, rank, table).order
        return write_partition(rows.take(pa.array(order)), self.root, part.order, part.pixel)


def _ranks(rows: pa.Table) -> NDArray[np.int64]:
    """Rank of the star of each row, by place and id."""
    coded = rows.column("star_id").combine_chunks().dictionary_encode()
    code = coded.indices.to_numpy()
    index = np.empty(len(coded.dictionary), np.int64)
    index[code] = rows.column(HEALPIX_COLUMN).to_numpy()
    stars = pa.table({"index": index, "id": coded.dictionary})
    order = pc.sort_indices(stars, sort_keys=[("index", "ascending"), ("id", "ascending")]).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[code]


_LOADING = Lock()


def _copy(path: Path) -> _Copy:
    with _LOADING:
        return _loaded(path)


@lru_cache(maxsize=2)
def _loaded(path: Path) -> _Copy:
    copy = pickle.loads(path.read_bytes())
    if not isinstance(copy, _Copy):
        raise TypeError(f"{path} holds no copy of a survey")
    return copy


def _rows(copy: _Copy, some: _Stars, which: int) -> list[pa.Table]:
    """Rows of some stars of a copy, a table for each visit that has any."""
    ledger = copy.ledger
    wanted = np.zeros(len(ledger.stars), bool)
    wanted[copy.star[some.first : some.last]] = True
    place = np.zeros(len(ledger.stars), np.int64)
    place[copy.star] = np.arange(len(copy.star))
    pairs = ledger.attendance
    there = wanted[pairs.star] if which == 0 else wanted[pairs.star] & ledger.measured.parameters
    tables = []
    for visit in np.unique(pairs.visit[there]).tolist():
        seen = see_visit(ledger, visit, wanted)
        text = forms(ledger, visit)[which]
        if which == 0:
            target, _, _ = np.nonzero(seen.there)
            raw = catalogue_rows(seen, ledger.draws)
            name = catalogue_name(seen.visit.year, text)
        else:
            target, raw = stellar_rows(seen, ledger.draws)
            name = stellar_name(text)
        at = place[seen.targets.star[target]]
        columns = _as_read(raw, _TABLES[which], text, name)
        columns |= {
            "star_id": copy.uid.take(pa.array(at)),
            "ra": pa.array(copy.ra[at]),
            "dec": pa.array(copy.dec[at]),
            HEALPIX_COLUMN: pa.array(copy.healpix29[at]),
        }
        schema = _TABLES[which].arrow(columns)
        tables.append(pa.table([columns[name] for name in schema.names], schema=schema))
    return tables


def _as_read(raw: pa.Table, table: TableSchema, text: bool, file: str) -> dict[str, pa.Array]:
    """Columns of a catalogue as a reader makes them of a raw table's rows."""
    columns: dict[str, pa.Array] = {}
    sources = table.find(raw.column_names)
    if "rv" in table:
        sources |= {"rv": "rv_br1", "rv_err": "rv_br1_err"}  # the reader's choice where a job makes none
    for name, source in sources.items():
        values = raw.column(source).combine_chunks()
        if not text and pa.types.is_floating(values.type) and source not in DOUBLES:
            values = values.cast(pa.float32())  # as FITS tables store it
        columns[name] = _converted(values, table[name].arrow_type)
    return derive_columns(table, columns, raw.num_rows, file, Defaults())


def _converted(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    return pc.not_equal(values, 0) if pa.types.is_boolean(wanted) else values.cast(wanted)


def _schema(table: TableSchema, which: int, order: _Order) -> pa.Schema:
    """Columns of the catalogue."""
    copy = _copy(order.path)
    first = int(np.argmax(copy.rows[which] > 0))
    return table.arrow(_rows(copy, _Stars(order.path, first, first + 1), which)[0].column_names)
