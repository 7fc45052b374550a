"""What a run on a synthetic survey must find: the stars, and every count of ``summary.json``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lkmrs_dask.synthetic.dirt import KINDS, REASONS
from lkmrs_dask.synthetic.observe import Observation
from lkmrs_dask.synthetic.plan import Plan
from lkmrs_dask.synthetic.population import Stars
from lkmrs_dask.synthetic.text_files import DirtyRow

__all__ = ["COUNTS_OF_YEAR", "PARAMETERS", "Tally", "Truth", "read_truth", "star_table", "write_truth"]

PARAMETERS = ("teff", "logg", "feh", "rv", "vsini", "alpha_m")

COUNTS_OF_YEAR = (
    "n_plates", "n_exposures", "n_spectra", "n_single", "n_coadd", *(f"n_{name}" for name in PARAMETERS),
)  # fmt: skip
"""Counts by year, by the names that they have in ``summary.json``; plates are visits."""

_DIRT_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("column", pa.string()),
    ]
)


@dataclass(frozen=True)
class Truth:
    """The truth about a synthetic survey.

    Parameters
    ----------
    stars : pyarrow.Table
        One row per star of the survey: ``uid``, ``gaia_source_id``, ``ra``, ``dec``, ``plate`` (plan in whose
        field it was drawn), ``field``, ``g``, ``teff``, ``logg``, ``feh``, ``alpha_m``, ``rv`` (mean),
        ``vsini``, ``is_rv_variable``, and the elements of `orbit.Orbit` (null for single stars).
    years : pyarrow.Table
        ``year`` and `COUNTS_OF_YEAR`: what is left when bad rows are set aside and repeated ones joined.
    dirt : pyarrow.Table
        Dirty rows: ``file``, ``row`` (as an editor counts lines), ``kind``, ``reason`` (a reader's) and
        ``column``.
    counts : mapping
        Total counts by the names that they have in ``summary.json``.
    rows_set_aside : mapping
        Rows by reason.
    """

    stars: pa.Table
    years: pa.Table
    dirt: pa.Table
    counts: Mapping[str, int]
    rows_set_aside: Mapping[str, int]


@dataclass
class Tally:
    """Counts what is written, visit by visit.

    Parameters
    ----------
    stars : Stars
        All stars.
    """

    stars: Stars
    _years: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _aside: Counter[str] = field(default_factory=Counter)
    _dirt: list[tuple[str, int, int, str | None]] = field(default_factory=list)
    _seen: NDArray[np.bool_] = field(init=False)
    _times: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self._seen = np.zeros(len(self.stars), dtype=bool)
        self._times = np.zeros(len(self.stars), dtype=np.int64)

    def add_spectra(
        self, seen: Observation, in_table: NDArray[np.bool_], in_files: NDArray[np.bool_]
    ) -> None:
        """Count a visit's spectra.

        Parameters
        ----------
        seen : Observation
            m targets, n exposures.
        in_table : ndarray of bool, shape (m, n + 1, 2)
            Spectra with a good row in the catalogue.
        in_files : ndarray of bool, shape (m,)
            Targets whose spectra are written as FITS.
        """
        files = np.broadcast_to(in_files[:, None, None], in_table.shape)
        there = in_table | files
        year = self._years[seen.visit.year]
        year["n_single"] += int(there[:, :-1].sum())
        year["n_coadd"] += int(there[:, -1].sum())
        year["n_spectra"] += int(there.sum())
        year["n_plates"] += int(there.any())
        year["n_exposures"] += int(there[:, :-1].any(axis=(0, 2)).sum())
        self._seen[seen.targets.star] |= there.any(axis=(1, 2))
        self.set_aside("repeated key", int((in_table & files).sum()))

    def add_measurements(self, seen: Observation, target: NDArray[np.int64], rows: pa.Table) -> None:
        """Count the good rows of the stellar catalogue of a visit, and the targets they belong to."""
        year = self._years[seen.visit.year]
        for name in PARAMETERS:
            column = rows.column("rv_br1" if name == "rv" else f"{name}_lasp")
            year[f"n_{name}"] += rows.num_rows - column.null_count
        star = seen.targets.star[target]
        self._seen[star] = True
        np.add.at(self._times, star, 1)

    def add_dirt(self, file: str, rows: list[DirtyRow]) -> None:
        """Note dirty rows."""
        for row in rows:
            self._dirt.append((file, row.row, row.kind, row.column))
            self.set_aside(REASONS[row.kind], 1)

    def set_aside(self, reason: str, n: int) -> None:
        """Count rows that will be set aside."""
        self._aside[reason] += n

    def truth(self, plans: tuple[Plan, ...], ours: NDArray[np.bool_]) -> Truth:
        """Add up.

        Parameters
        ----------
        plans : tuple of Plan
            What ``stars.home`` refers to.
        ours : ndarray of bool
            Stars of the survey, not of another sub-project.
        """
        table = star_table(self.stars, plans).filter(pa.array(ours))
        fields = np.array([str(plan.field) for plan in plans])[self.stars.home]
        names = sorted(self._years)
        years = {"year": pa.array(names, pa.int64())}
        years |= {
            name: pa.array([self._years[year][name] for year in names], pa.int64()) for name in COUNTS_OF_YEAR
        }
        counts = {name: sum(self._years[year][name] for year in names) for name in COUNTS_OF_YEAR}
        counts["n_stars"] = int(self._seen.sum())
        counts["n_stars_kepler"] = int((self._seen & (fields == "Kepler")).sum())
        counts["n_stars_k2"] = int((self._seen & (fields == "K2")).sum())
        counts["n_stars_with_parameters"] = int((self._times > 0).sum())
        counts["n_stars_with_3_coadds"] = int((self._times >= 3).sum())
        dirt = [
            {"file": file, "row": row, "kind": KINDS[kind], "reason": REASONS[kind], "column": column}
            for file, row, kind, column in self._dirt
        ]
        aside = {reason: n for reason, n in sorted(self._aside.items()) if n}
        return Truth(table, pa.table(years), pa.Table.from_pylist(dirt, schema=_DIRT_SCHEMA), counts, aside)


def star_table(stars: Stars, plans: tuple[Plan, ...]) -> pa.Table:
    """Truth about stars as a table; see `Truth`."""
    every = np.arange(len(stars))
    columns: dict[str, object] = {
        "uid": pa.array(stars.uid_of(every), pa.string()),
        "gaia_source_id": pa.array(stars.gaia_source_id, mask=~stars.has_gaia),
        "ra": stars.ra,
        "dec": stars.dec,
        "plate": pa.array([plan.planid for plan in plans]).take(pa.array(stars.home)),
        "field": pa.array([plan.field for plan in plans], pa.string()).take(pa.array(stars.home)),
    }
    columns |= {name: getattr(stars, name) for name in ("g", "teff", "logg", "feh", "alpha_m", "rv", "vsini")}
    columns["is_rv_variable"] = stars.binary
    for name, values in stars.orbit._asdict().items():
        columns[name] = pa.array(values, mask=~stars.binary)
    return pa.table(columns)


def write_truth(truth: Truth, folder: Path) -> None:
    """Write the truth as Parquet: ``stars``, ``years``, ``dirt``, ``counts`` and ``rows_set_aside``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in _tables(truth).items():
        pq.write_table(table, folder / f"{name}.parquet")


def _tables(truth: Truth) -> dict[str, pa.Table]:
    def pairs(key: str, values: Mapping[str, int]) -> pa.Table:
        return pa.table({key: pa.array(values, pa.string()), "count": pa.array(values.values(), pa.int64())})

    return {
        "stars": truth.stars,
        "years": truth.years,
        "dirt": truth.dirt,
        "counts": pairs("name", truth.counts),
        "rows_set_aside": pairs("reason", truth.rows_set_aside),
    }


def read_truth(folder: Path) -> Truth:
    """Read what `write_truth` wrote."""

    def pairs(name: str) -> dict[str, int]:
        table = pq.read_table(folder / f"{name}.parquet")
        return dict(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))

    stars, years, dirt = (pq.read_table(folder / f"{name}.parquet") for name in ("stars", "years", "dirt"))
    return Truth(stars, years, dirt, pairs("counts"), pairs("rows_set_aside"))
