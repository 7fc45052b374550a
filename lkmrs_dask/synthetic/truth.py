"""What a run on a synthetic survey must find: the stars, and every count of ``summary.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lkmrs_dask.synthetic.dirt import KINDS, REASONS
from lkmrs_dask.synthetic.ledger import Ledger
from lkmrs_dask.synthetic.quotas import CLASSES

__all__ = [
    "COUNTS_OF_YEAR",
    "PARAMETERS",
    "Faults",
    "Truth",
    "make_truth",
    "metal_class",
    "read_truth",
    "star_table",
    "write_truth",
]

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
        One row per star, see `star_table`.
    years : pyarrow.Table
        ``year`` and `COUNTS_OF_YEAR`, whatever the share of damaged copies: these are set aside or joined.
    dirt : pyarrow.Table
        Damaged copies: ``file``, ``row`` (as an editor counts lines; records of FITS from 1), ``kind``,
        ``reason`` (a reader's) and ``column``.
    counts : mapping
        Total counts by the names that they have in ``summary.json``; classes as ``classes.EB`` and so on.
        Those of section 4 are of true properties.
    rows_set_aside : mapping
        Rows by reason.
    """

    stars: pa.Table
    years: pa.Table
    dirt: pa.Table
    counts: Mapping[str, int]
    rows_set_aside: Mapping[str, int]


class Faults:
    """Damaged copies by file, and rows that a reader sets aside by reason."""

    def __init__(self) -> None:
        self._dirt: list[tuple[str, int, int, str | None]] = []
        self._aside: Counter[str] = Counter()

    def add(self, file: str, row: int, kind: int, column: str | None) -> None:
        """Note a damaged copy."""
        self._dirt.append((file, row, kind, column))
        self.set_aside(REASONS[kind], 1)

    def set_aside(self, reason: str, n: int) -> None:
        """Count rows that will be set aside."""
        self._aside[reason] += n

    def table(self) -> pa.Table:
        """Damaged copies as a table; see `Truth`."""
        files, rows, kinds, columns = zip(*self._dirt, strict=True) if self._dirt else ((), (), (), ())
        return pa.table(
            {
                "file": files,
                "row": rows,
                "kind": [KINDS[kind] for kind in kinds],
                "reason": [REASONS[kind] for kind in kinds],
                "column": columns,
            },
            schema=_DIRT_SCHEMA,
        )

    def rows_set_aside(self) -> dict[str, int]:
        """Rows by reason."""
        return {reason: n for reason, n in sorted(self._aside.items()) if n}


def make_truth(ledger: Ledger, faults: Faults) -> Truth:
    """Count what a run must find.

    Parameters
    ----------
    ledger : Ledger
        The survey.
    faults : Faults
        Damage of its files.
    """
    years = _years(ledger)
    counts = {name: sum(years.column(name).to_pylist()) for name in COUNTS_OF_YEAR}
    stars, kepler = ledger.stars, ledger.fields == "Kepler"
    metals, known = metal_class(stars.feh), ledger.has_parameters
    counts |= {
        "n_stars": len(stars),
        "n_stars_kepler": int(kepler.sum()),
        "n_stars_k2": int((~kepler).sum()),
        "n_stars_with_parameters": int(known.sum()),
        "n_stars_with_3_coadds": int((ledger.n_measurements >= 3).sum()),
        "n_mp": int((known & (metals == "MP")).sum()),
        "n_vmp": int((known & (metals == "VMP")).sum()),
        "n_bound_hivels": int((stars.high_velocity == 1).sum()),
        "n_unbound_hivels": int((stars.high_velocity == 2).sum()),
        "n_rv_stars": int((ledger.n_rv > 0).sum()),
        "n_rvv": int(stars.rv_variable.sum()),
        "n_periodic": int((stars.variable_class != "").sum()),
    }
    counts |= {f"classes.{name}": int((stars.variable_class == name).sum()) for name in CLASSES}
    return Truth(star_table(ledger), years, faults.table(), counts, faults.rows_set_aside())


def _years(ledger: Ledger) -> pa.Table:
    pairs, measured = ledger.attendance, ledger.measured
    year_of_visit = np.array([visit.year for visit in ledger.visits])
    names, at = np.unique(year_of_visit, return_inverse=True)
    year = at[pairs.visit]

    def count(values: NDArray) -> NDArray[np.int64]:
        return np.bincount(year, values.astype(np.float64), minlength=len(names)).astype(np.int64)

    n_single, n_coadd = count(2 * pairs.n_exposures - pairs.lost_red), count(2 * pairs.coadd)
    # An exposure that no star has left is none.
    exposures = np.maximum.reduceat(pairs.n_exposures, pairs.first[:-1])
    columns = {
        "year": names,
        "n_plates": np.bincount(at, minlength=len(names)),
        "n_exposures": np.bincount(at, exposures, minlength=len(names)).astype(np.int64),
        "n_spectra": n_single + n_coadd,
        "n_single": n_single,
        "n_coadd": n_coadd,
        **dict.fromkeys(("n_teff", "n_logg", "n_feh"), count(measured.parameters)),
        "n_rv": count(measured.rv),
        "n_vsini": count(measured.vsini),
        "n_alpha_m": count(measured.alpha_m),
    }
    return pa.table({name: pa.array(values, pa.int64()) for name, values in columns.items()})


def metal_class(feh: NDArray[np.float64]) -> NDArray[np.str_]:
    """``MP`` for [Fe/H] from -2 to -1, ``VMP`` below, else empty (section 4.1)."""
    return np.select([feh < -2.0, feh < -1.0], ["VMP", "MP"], "")


def star_table(ledger: Ledger) -> pa.Table:
    """Truth about stars as a table.

    Returns
    -------
    pyarrow.Table
        ``uid``, ``gaia_source_id``, ``ra``, ``dec``, ``plate`` (plan in whose field it was drawn), ``field``,
        ``g``, ``teff``, ``logg``, ``feh``, ``alpha_m``, ``rv`` (mean), ``vsini``, ``pmra``, ``pmdec``,
        ``distance``, ``parallax``, ``abs_mag_g``, ``is_rv_variable`` and the elements of `orbit.Orbit` (null
        for others), ``metal_class``, ``high_velocity`` ("bound", "unbound" or empty), ``variable_class``
        (empty for none), ``variable_period`` (null for none), ``n_measurements``, ``n_rv``,
        ``has_kepler_photometry`` and ``has_tess_photometry``.
    """
    stars = ledger.stars
    planids = pa.array([plan.planid for plan in ledger.plans])
    columns: dict[str, object] = {
        "uid": pa.array(stars.uid_of(np.arange(len(stars))), pa.string()),
        "gaia_source_id": pa.array(stars.gaia_source_id, mask=~stars.has_gaia),
        "ra": stars.ra,
        "dec": stars.dec,
        "plate": planids.take(pa.array(stars.home)),
        "field": pa.array(ledger.fields, pa.string()),
    }
    plain = ("g", "teff", "logg", "feh", "alpha_m", "rv", "vsini", "pmra", "pmdec", "distance", "parallax")
    columns |= {name: getattr(stars, name) for name in (*plain, "abs_mag_g")}
    columns["is_rv_variable"] = stars.rv_variable
    for name, values in stars.orbit._asdict().items():
        columns[name] = pa.array(values, mask=~stars.rv_variable)
    columns |= {
        "metal_class": pa.array(metal_class(stars.feh), pa.string()),
        "high_velocity": pa.array(np.array(["", "bound", "unbound"])[stars.high_velocity], pa.string()),
        "variable_class": pa.array(stars.variable_class, pa.string()),
        "variable_period": pa.array(stars.variable_period, mask=np.isnan(stars.variable_period)),
        "n_measurements": ledger.n_measurements,
        "n_rv": ledger.n_rv,
        "has_kepler_photometry": ledger.has_kepler_photometry,
        "has_tess_photometry": ledger.has_tess_photometry,
    }
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
