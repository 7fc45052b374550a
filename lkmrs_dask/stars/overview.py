"""The survey in numbers: counts by year and by plate (Table 1, Fig. 1) and exposures per star (Fig. 2).

Counts of one partition are an `Overview`; those of several merge into that of the whole.  Spectra and stars
simply add, because all rows of a star are in one partition; visits and exposures are kept as small sets,
because one exposure has stars in many.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import HEALPIX_COLUMN, SPECTRA, TARGETS

__all__ = [
    "COUNTS",
    "Overview",
    "merge",
    "night_and_year",
    "overview_partial",
    "parameters_partial",
    "reverse_cumulative",
    "star_overview",
]

_MJD_OF_1970 = 40587
_SPECTRA_COUNTS = ("n_spectra", "n_single", "n_coadd")
_PARAMETER_COUNTS = tuple(f"n_{name}" for name in ("teff", "logg", "feh", "rv", "vsini", "alpha_m"))

COUNTS = ("n_plates", "n_exposures", *_SPECTRA_COUNTS, *_PARAMETER_COUNTS)
"""Names of the counts of a year, in the order of the paper's Table 1."""

Visit = tuple[str, int, int]


@dataclass(frozen=True)
class Overview:
    """Counts of a survey or of a part of it.

    Parameters
    ----------
    counts : mapping
        Spectra and parameters by year of the night (None: unknown) and name.
    visits : frozenset of (planid, night, year)
        Visits of plates; the night is LAMOST's local modified Julian day.
    exposures : frozenset of (planid, lmjm, year)
        Single exposures of plates; `lmjm` is the local modified Julian minute.  Year 0 is unknown.
    plates : mapping
        Spectra and stars by plan.
    n_stars : int
        Stars with a spectrum.
    """

    counts: Mapping[int | None, Mapping[str, int]] = field(default_factory=dict)
    visits: frozenset[Visit] = frozenset()
    exposures: frozenset[Visit] = frozenset()
    plates: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    n_stars: int = 0

    def as_json(self) -> dict[str, Any]:
        """Spell it out in what JSON knows; `from_json` reads it."""
        return {
            "counts": [[year, dict(of_year)] for year, of_year in self.counts.items()],
            "visits": sorted(self.visits),
            "exposures": sorted(self.exposures),
            "plates": self.plates,
            "n_stars": self.n_stars,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Overview:
        """Make one of what `as_json` gave."""
        return cls(
            dict(values["counts"]),
            frozenset((planid, night, year) for planid, night, year in values["visits"]),
            frozenset((planid, lmjm, year) for planid, lmjm, year in values["exposures"]),
            {planid: (spectra, stars) for planid, (spectra, stars) in values["plates"].items()},
            values["n_stars"],
        )

    def by_year(self) -> dict[int | None, dict[str, int]]:
        """All `COUNTS` by year, in order; rows without a date come last, under None.

        ``n_plates`` counts visits, a plate and a night each, as the paper's Table 1 does: its 40 "plates" of
        2019 are more than the 21 that there are.
        """
        plates = Counter(year or None for _, _, year in self.visits)
        exposures = Counter(year or None for _, _, year in self.exposures)
        years = set(self.counts) | set(plates) | set(exposures)
        return {
            year: {"n_plates": plates[year], "n_exposures": exposures[year]}
            | {name: self.counts.get(year, {}).get(name, 0) for name in COUNTS[2:]}
            for year in sorted(years, key=lambda y: (y is None, y))
        }

    def total(self) -> dict[str, int]:
        """All `COUNTS` of all years; a visit or exposure counts once even if rows disagree on its year."""
        return {
            "n_plates": len({visit[:2] for visit in self.visits}),
            "n_exposures": len({exposure[:2] for exposure in self.exposures}),
        } | {name: sum(counts.get(name, 0) for counts in self.counts.values()) for name in COUNTS[2:]}

    def by_plate(self) -> dict[str, dict[str, int]]:
        """Visits, exposures, spectra and stars by plan, in order of plan ids."""
        visits = Counter(planid for planid, _ in {visit[:2] for visit in self.visits})
        exposures = Counter(planid for planid, _ in {exposure[:2] for exposure in self.exposures})
        return {
            planid: {
                "n_visits": visits[planid],
                "n_exposures": exposures[planid],
                "n_spectra": self.plates[planid][0],
                "n_stars": self.plates[planid][1],
            }
            for planid in sorted(self.plates)
        }


def merge(partials: Iterable[Overview]) -> Overview:
    """Merge the counts of parts that share no star, in any order and grouping."""
    counts: dict[int | None, Counter[str]] = defaultdict(Counter)
    plates: dict[str, tuple[int, int]] = {}
    visits: set[Visit] = set()
    exposures: set[Visit] = set()
    n_stars = 0
    for part in partials:
        for year, of_year in part.counts.items():
            counts[year].update(of_year)
        for planid, (spectra, stars) in part.plates.items():
            before = plates.get(planid, (0, 0))
            plates[planid] = (before[0] + spectra, before[1] + stars)
        visits |= part.visits
        exposures |= part.exposures
        n_stars += part.n_stars
    plain = {year: dict(of_year) for year, of_year in counts.items()}
    return Overview(plain, frozenset(visits), frozenset(exposures), plates, n_stars)


def night_and_year(table: pa.Table) -> tuple[pa.Array, pa.Array]:
    """Night and calendar year of each row.

    LAMOST's local modified Julian day `lmjd` is that of the morning: it is one more than the day on which the
    night begins (an exposure at 20:32 local time on MJD 58407 belongs to 58408), and ``obsdate`` is the
    evening's.  A night's year is that of its evening.

    Parameters
    ----------
    table : pyarrow.Table
        With any of ``lmjd``, ``obsdate`` and ``mjd``.

    Returns
    -------
    night : pyarrow.Array of int64
        ``lmjd``, else the day after ``obsdate``, else the day after that of ``mjd`` (a Chinese night lies
        within one UTC day); null without any.
    year : pyarrow.Array of int64
        Year of ``obsdate``, else of the evening before ``lmjd``, else of ``mjd``; null without any.
    """
    lmjd = _column(table, "lmjd").cast(pa.int64())
    evening = pc.add(_column(table, "obsdate").cast(pa.int32()).cast(pa.int64()), _MJD_OF_1970)
    utc_day = pc.floor(pc.if_else(pc.is_finite(mjd := _column(table, "mjd")), mjd, None)).cast(pa.int64())
    night = pc.coalesce(lmjd, pc.add(evening, 1), pc.add(utc_day, 1))
    day = pc.coalesce(evening, pc.subtract(lmjd, 1), utc_day)
    year = pc.year(pc.subtract(day, _MJD_OF_1970).cast(pa.int32()).cast(pa.date32()))
    return night, year


def overview_partial(spectra: pa.Table) -> Overview:
    """Count the spectra of some stars.

    Parameters
    ----------
    spectra : pyarrow.Table
        Rows of the catalogue ``spectra``, all those of each star in it: ``star_id`` and any of ``planid``,
        ``lmjd``, ``obsdate``, ``mjd``, ``lmjm`` and ``coadd``.  A missing column is one of nulls.

    Returns
    -------
    Overview
        Without parameters.  A row without plan counts in no visit, exposure or plate, one without night in
        no visit, one without ``lmjm`` in no exposure, and one whose ``coadd`` is null is neither single nor
        coadded.
    """
    planid, coadd = _column(spectra, "planid"), _column(spectra, "coadd")
    star, lmjm = _column(spectra, "star_id"), _column(spectra, "lmjm")
    night, year = night_and_year(spectra)
    single = pc.fill_null(pc.invert(coadd), False)
    every = pa.array(np.ones(len(spectra), bool))
    counts = _count_by_year(year, [every, single, pc.fill_null(coadd, False)], _SPECTRA_COUNTS)
    filled = pc.fill_null(year, 0)
    n_spectra = Counter(dict(_value_counts(planid)))
    n_stars = Counter(dict(_value_counts(_distinct(planid, star).column(0))))
    return Overview(
        counts,
        frozenset(_tuples(_distinct(planid, night, filled))),
        frozenset(_tuples(_distinct(planid.filter(single), lmjm.filter(single), filled.filter(single)))),
        {name: (n, n_stars[name]) for name, n in n_spectra.items()},
        pc.count_distinct(star).as_py(),
    )


def parameters_partial(measurements: pa.Table) -> Overview:
    """Count the parameters of some rows of the catalogue ``measurements``, by year.

    Parameters
    ----------
    measurements : pyarrow.Table
        Any of the six parameters, of ``lmjd``, ``obsdate`` and ``mjd``.

    Returns
    -------
    Overview
        With parameters only: merge it with those of `overview_partial`.  Null and NaN do not count.
    """
    _, year = night_and_year(measurements)
    given = []
    for name in _PARAMETER_COUNTS:
        column = name.removeprefix("n_")
        if column in measurements.column_names:
            given.append(pc.fill_null(pc.is_finite(measurements[column]), False))
        else:
            given.append(pa.array(np.zeros(len(measurements), bool)))
    return Overview(_count_by_year(year, given, _PARAMETER_COUNTS))


def star_overview(spectra: pa.Table) -> pa.Table:
    """Count spectra, exposures, nights and plans of each star.

    Parameters
    ----------
    spectra : pyarrow.Table
        Rows of the catalogue ``spectra``, those of a star together, with ``star_id, uid, ra, dec,
        _healpix_29`` and any of ``planid``, ``lmjd``, ``obsdate``, ``mjd``, ``lmjm`` and ``coadd``.

    Returns
    -------
    pyarrow.Table
        One row per star, in order, with the columns of ``TARGETS`` but ``field``.  Exposures are distinct
        (planid, lmjm) of single spectra, so that both arms of one count once; nights and plans are distinct
        ones; nulls are none.

    Raises
    ------
    CatalogError
        When the rows of a star are not together, or a row has no star.
    """
    names = _column(spectra, "star_id")
    if names.null_count:
        raise CatalogError(f"{names.null_count} rows have no star_id: identify stars first")
    encoded = names.dictionary_encode()
    star = _numpy(encoded.indices).astype(np.int64)
    torn = np.flatnonzero(np.diff(star) < 0)
    if len(torn):
        name = names[int(torn[0]) + 1].as_py()
        raise CatalogError(f"the rows of star {name!r} are not together: sort the table by star first")
    n_stars = len(encoded.dictionary)
    start = np.flatnonzero(np.diff(star, prepend=-1))

    coadd = _column(spectra, "coadd")
    is_coadd = _numpy(pc.fill_null(coadd, False))
    single = _numpy(pc.fill_null(pc.invert(coadd), False))
    plan, has_plan = _codes(_column(spectra, "planid").dictionary_encode().indices)
    lmjm, has_lmjm = _codes(_column(spectra, "lmjm"))
    night, has_night = _codes(night_and_year(spectra)[0])
    # The uid of the first row that has one: rows that came without it belong to the star by position.
    uid = _column(spectra, "uid")
    with_uid = np.where(_numpy(uid.is_valid()), np.arange(len(star)), len(star))
    uid_row = np.minimum.reduceat(with_uid, start) if n_stars else with_uid
    columns = {
        HEALPIX_COLUMN: _column(spectra, HEALPIX_COLUMN).take(pa.array(start)),
        "star_id": encoded.dictionary,
        "ra": _column(spectra, "ra").take(pa.array(start)),
        "dec": _column(spectra, "dec").take(pa.array(start)),
        "uid": uid.take(pa.array(uid_row, mask=uid_row == len(star))),
        "n_spectra": np.bincount(star, minlength=n_stars),
        "n_single": np.bincount(star[single], minlength=n_stars),
        "n_coadd": np.bincount(star[is_coadd], minlength=n_stars),
        "n_exposures": _distinct_per_star(star, n_stars, single & has_plan & has_lmjm, plan, lmjm),
        "n_nights": _distinct_per_star(star, n_stars, has_night, night),
        "n_plans": _distinct_per_star(star, n_stars, has_plan, plan),
    }
    schema = TARGETS.arrow(columns)
    arrays = [pa.array(columns[f.name]).cast(f.type) for f in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def reverse_cumulative(n_exposures: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Fraction of stars with at least so many exposures (the step curve of Fig. 2).

    Parameters
    ----------
    n_exposures : array_like of int, one per star
        Not below 0.

    Returns
    -------
    threshold : ndarray of int64
        0, 1, ..., the maximum; empty without stars.
    fraction : ndarray of float64
        Stars with that many exposures or more, summed from the maximum downward, over all stars.
    """
    number = np.asarray(n_exposures, dtype=np.int64)
    if number.size == 0:
        return np.empty(0, np.int64), np.empty(0)
    stars = np.bincount(number)
    return np.arange(len(stars)), np.cumsum(stars[::-1])[::-1] / number.size


def _column(table: pa.Table, name: str) -> pa.Array:
    """Return a column in one piece, of its type in the schema; nulls where the table has none."""
    dtype = SPECTRA[name].arrow_type
    if name not in table.column_names:
        return pa.nulls(len(table), dtype)
    column = table[name].combine_chunks()
    return column if column.type == dtype else column.cast(dtype)


def _numpy(array: pa.Array) -> NDArray:
    return array.to_numpy(zero_copy_only=False)


def _codes(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Integers with 0 for null, and which are not null."""
    return _numpy(pc.fill_null(array, 0)).astype(np.int64), _numpy(array.is_valid())


def _distinct(*columns: pa.Array) -> pa.Table:
    """Distinct rows of columns in which nothing is null."""
    names = [str(k) for k in range(len(columns))]
    table = pa.table(dict(zip(names, columns, strict=True))).drop_null()
    return table.group_by(names).aggregate([])


def _tuples(table: pa.Table) -> list[tuple]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _value_counts(column: pa.Array | pa.ChunkedArray) -> list[tuple[str, int]]:
    return [(v["values"], v["counts"]) for v in pc.value_counts(column.drop_null()).to_pylist()]


def _count_by_year(
    year: pa.Array, masks: list[pa.Array], names: tuple[str, ...]
) -> dict[int | None, dict[str, int]]:
    """Count the true values of each mask by year."""
    years, code = np.unique(_numpy(pc.fill_null(year, 0)), return_inverse=True)
    counts = [np.bincount(code[_numpy(mask)], minlength=len(years)) for mask in masks]
    return {
        int(y) or None: {name: int(n[k]) for name, n in zip(names, counts, strict=True)}
        for k, y in enumerate(years)
    }


def _distinct_per_star(
    star: NDArray[np.int64], n_stars: int, valid: NDArray[np.bool_], *keys: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Distinct combinations of the keys among the valid rows of each star."""
    columns = [star[valid], *(key[valid] for key in keys)]
    order = np.lexsort(columns[::-1])
    new = np.zeros(len(order), bool)
    new[:1] = True
    for column in columns:
        new[1:] |= np.diff(column[order]) != 0
    return np.bincount(columns[0][order][new], minlength=n_stars)
