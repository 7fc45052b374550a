"""The survey in numbers, against plain loops over rows, and under any partitioning."""

from __future__ import annotations

import datetime
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import MEASUREMENTS, PARAMETERS, SPECTRA, TARGETS
from lkmrs_dask.stars.overview import (
    COUNTS,
    Overview,
    merge,
    night_and_year,
    overview_partial,
    parameters_partial,
    reverse_cumulative,
    star_overview,
)

COLUMNS = [
    "_healpix_29", "star_id", "ra", "dec", "uid", "obsdate", "lmjd", "mjd", "lmjm", "planid", "spid",
    "fiberid", "band", "coadd",
]  # fmt: skip

Row = dict[str, Any]


def table_of(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SPECTRA.arrow(COLUMNS))


def evening(row: Row) -> datetime.date | None:
    """Date on which the night of a row begins."""
    if row.get("obsdate") is not None:
        return row["obsdate"]
    if row.get("lmjd") is not None:
        return datetime.date(1858, 11, 17) + datetime.timedelta(row["lmjd"] - 1)
    if row.get("mjd") is not None:
        return datetime.date(1858, 11, 17) + datetime.timedelta(int(row["mjd"]))
    return None


def night_of(row: Row) -> int | None:
    if row.get("lmjd") is not None:
        return row["lmjd"]
    day = evening(row)
    return None if day is None else (day - datetime.date(1858, 11, 17)).days + 1


@st.composite
def survey(draw: st.DrawFn) -> list[Row]:
    """Rows sorted by star, with few distinct values so that they repeat, and nulls."""
    rows = []
    maybe = st.booleans()
    for k in range(draw(st.integers(0, 6))):
        for _ in range(draw(st.integers(1, 7))):
            lmjd = draw(st.sampled_from([None, 58119, 58120, 58484, 58485, 58849]))
            night = lmjd if lmjd is not None else 58120
            rows.append(
                {
                    "_healpix_29": k * 1000,
                    "star_id": f"star {k}",
                    "uid": f"G{k}" if draw(maybe) else None,
                    "ra": 10.0 * k,
                    "dec": 5.0 * k,
                    "lmjd": lmjd,
                    "obsdate": datetime.date(1858, 11, 17) + datetime.timedelta(night - 1)
                    if draw(maybe)
                    else None,
                    "mjd": night - 1 + 0.5 if draw(maybe) else None,
                    "planid": draw(st.sampled_from([None, "P1", "P2", "P3"])),
                    "lmjm": draw(st.sampled_from([None, 83_692_900, 83_692_921])),
                    "coadd": draw(st.sampled_from([None, True, False, False])),
                    "band": draw(st.sampled_from(["B", "R"])),
                }
            )
    return rows


def plainly(rows: list[Row]) -> tuple[dict, dict, dict]:
    """Count by year, in total, and by plate, row by row."""
    visits, exposures = defaultdict(set), defaultdict(set)
    years: dict = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    plates: dict = defaultdict(
        lambda: {"n_visits": set(), "n_exposures": set(), "n_spectra": 0, "n_stars": set()}
    )
    for row in rows:
        date = evening(row)
        year = date.year if date else None
        years[year]["n_spectra"] += 1
        years[year]["n_single"] += row["coadd"] is False
        years[year]["n_coadd"] += row["coadd"] is True
        if row["planid"] is None:
            continue
        plate = plates[row["planid"]]
        plate["n_spectra"] += 1
        plate["n_stars"].add(row["star_id"])
        if night_of(row) is not None:
            visits[year].add((row["planid"], night_of(row)))
            plate["n_visits"].add(night_of(row))
        if row["coadd"] is False and row["lmjm"] is not None:
            exposures[year].add((row["planid"], row["lmjm"]))
            plate["n_exposures"].add(row["lmjm"])
    for year, counts in years.items():
        counts["n_plates"], counts["n_exposures"] = len(visits[year]), len(exposures[year])
    total = {name: sum(counts[name] for counts in years.values()) for name in COUNTS}
    total["n_plates"] = len(set().union(*visits.values()))
    total["n_exposures"] = len(set().union(*exposures.values()))
    by_plate = {p: {k: v if isinstance(v, int) else len(v) for k, v in c.items()} for p, c in plates.items()}
    return dict(years), total, by_plate


@given(survey())
@settings(max_examples=100, deadline=None)
def test_overview_against_loops(rows: list[Row]) -> None:
    found = overview_partial(table_of(rows))
    years, total, plates = plainly(rows)
    assert found.by_year() == years
    assert list(found.by_year()) == sorted(years, key=lambda y: 9999 if y is None else y)
    assert found.total() == total
    assert found.by_plate() == plates
    assert list(found.by_plate()) == sorted(plates)
    assert found.n_stars == len({row["star_id"] for row in rows})


@given(survey(), st.integers(1, 4), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_any_partitioning_by_star_gives_the_same(rows: list[Row], n: int, random: Random) -> None:
    home = {star: random.randrange(n) for star in {row["star_id"] for row in rows}}
    parts = [overview_partial(table_of([r for r in rows if home[r["star_id"]] == k])) for k in range(n)]
    whole = overview_partial(table_of(rows))
    random.shuffle(parts)
    assert merge(parts) == merge([whole])
    assert merge([merge(parts[:1]), merge(parts[1:])]).by_year() == whole.by_year()
    assert merge([]) == Overview()


@given(survey())
@settings(max_examples=100, deadline=None)
def test_star_overview_against_loops(rows: list[Row]) -> None:
    found = star_overview(table_of(rows))
    names = [name for name in TARGETS.names if name != "field"]
    assert found.schema == TARGETS.arrow(names)
    expected = []
    for star in dict.fromkeys(row["star_id"] for row in rows):
        mine = [row for row in rows if row["star_id"] == star]
        single = [row for row in mine if row["coadd"] is False]
        expected.append(
            {
                **{name: mine[0][name] for name in ("_healpix_29", "star_id", "ra", "dec")},
                "uid": next((row["uid"] for row in mine if row["uid"] is not None), None),
                "n_spectra": len(mine),
                "n_single": len(single),
                "n_coadd": sum(row["coadd"] is True for row in mine),
                "n_exposures": len({(r["planid"], r["lmjm"]) for r in single if r["planid"] and r["lmjm"]}),
                "n_nights": len({night_of(r) for r in mine} - {None}),
                "n_plans": len({r["planid"] for r in mine} - {None}),
            }
        )
    assert found.to_pylist() == expected


def test_five_nights_of_kic_8098300(shared: Path) -> None:
    """50 single and 10 coadded spectra, 25 exposures on five nights and three plans."""
    rows = []
    for path in sorted((shared / "data" / "lamost_mrs_spectra").glob("*.fits.gz")):
        with fits.open(path) as hdus:
            head = hdus[0].header
            for name in (hdu.name for hdu in hdus[1:]):
                band, minute = (name[6], None) if name.startswith("COADD") else (name[0], int(name[2:]))
                rows.append(
                    {
                        "star_id": "s",
                        "_healpix_29": 1,
                        "ra": 292.058716,
                        "dec": 43.925304,
                        "uid": None,
                        "planid": head["PLANID"],
                        "lmjd": head["LMJD"],
                        "lmjm": minute,
                        "band": band,
                        "coadd": minute is None,
                    }
                )
    found = overview_partial(table_of(rows))
    assert found.total() == dict.fromkeys(COUNTS, 0) | {
        "n_plates": 5, "n_exposures": 25, "n_spectra": 60, "n_single": 50, "n_coadd": 10,
    }  # fmt: skip
    assert {year: c["n_exposures"] for year, c in found.by_year().items()} == {2018: 14, 2019: 11}
    assert {p: (c["n_visits"], c["n_exposures"], c["n_stars"]) for p, c in found.by_plate().items()} == {
        "HIP95119KP01": (2, 14, 1),
        "TD192102N424113K01": (2, 7, 1),
        "TD193637N444141K01": (1, 4, 1),
    }
    (star,) = star_overview(table_of(rows)).to_pylist()
    assert (star["n_exposures"], star["n_nights"], star["n_plans"]) == (25, 5, 3)


def test_low_resolution_rows_have_neither_plan_nor_time() -> None:
    rows = pa.table(
        {"star_id": ["a", "b", "b"], "_healpix_29": [1, 2, 2], "ra": [1.0, 2, 2], "dec": [0.0, 0, 0]}
    )
    found = overview_partial(rows)
    assert found.by_year() == {None: dict.fromkeys(COUNTS, 0) | {"n_spectra": 3}}
    assert (found.visits, found.exposures, found.by_plate(), found.n_stars) == (
        frozenset(),
        frozenset(),
        {},
        2,
    )
    assert star_overview(rows)["n_spectra"].to_pylist() == [1, 2]
    assert star_overview(rows)["n_exposures"].to_pylist() == [0, 0]


def test_night_and_year() -> None:
    """LMJD 58408 is the night of 2018-10-16 (its header has MJD 58407); New Year's Eve is of the old year."""
    day = datetime.date
    rows = pa.table(
        {
            "lmjd": pa.array([58408, 58484, 58485, None, None, None, 58485], pa.int32()),
            "obsdate": pa.array(
                [None, None, None, day(2018, 12, 31), None, None, day(2018, 12, 31)], pa.date32()
            ),
            "mjd": pa.array([None, None, None, None, 58483.9, float("nan"), None]),
        }
    )
    night, year = night_and_year(rows)
    assert night.to_pylist() == [58408, 58484, 58485, 58484, 58484, None, 58485]
    assert year.to_pylist() == [2018, 2018, 2019, 2018, 2018, None, 2018]


def test_parameters() -> None:
    assert {f"n_{name}" for name in PARAMETERS} <= set(COUNTS)
    rows = [
        {"star_id": "a", "lmjd": 58408, "teff": 5000.0, "rv": float("nan"), "vsini": 3.0},
        {"star_id": "a", "lmjd": 58408, "teff": None, "rv": 1.0, "alpha_m": 0.0},
        {"star_id": "b", "lmjd": None, "teff": 6000.0, "logg": 4.0, "feh": -0.1},
    ]
    table = pa.Table.from_pylist(rows, schema=MEASUREMENTS.arrow(["star_id", "lmjd", *PARAMETERS]))
    found = parameters_partial(table)
    nothing = dict.fromkeys(COUNTS, 0)
    assert found.by_year() == {
        2018: nothing | {"n_teff": 1, "n_rv": 1, "n_vsini": 1, "n_alpha_m": 1},
        None: nothing | {"n_teff": 1, "n_logg": 1, "n_feh": 1},
    }
    assert found.total() == nothing | {
        "n_teff": 2,
        "n_logg": 1,
        "n_feh": 1,
        "n_rv": 1,
        "n_vsini": 1,
        "n_alpha_m": 1,
    }
    # Without a column there are none of it; rows add over parts; spectra and parameters share a year.
    assert parameters_partial(table.select(["lmjd", "teff"])).total() == nothing | {"n_teff": 2}
    assert merge([parameters_partial(table[:1]), parameters_partial(table[1:])]) == merge([found])
    spectra = table_of([{"star_id": "a", "lmjd": 58408, "coadd": True}])
    assert merge([found, overview_partial(spectra)]).by_year()[2018]["n_coadd"] == 1


def test_rows_that_disagree_on_the_year_of_a_visit() -> None:
    rows = [
        {
            "star_id": "a",
            "planid": "P",
            "lmjd": 58485,
            "lmjm": 7,
            "coadd": False,
            "obsdate": datetime.date(2018, 12, 31),
        },
        {"star_id": "b", "planid": "P", "lmjd": 58485, "lmjm": 7, "coadd": False},
    ]
    found = overview_partial(table_of(rows))
    assert [(c["n_plates"], c["n_exposures"]) for c in found.by_year().values()] == [(1, 1), (1, 1)]
    assert (found.total()["n_plates"], found.total()["n_exposures"]) == (1, 1)
    assert found.by_plate()["P"] == {"n_visits": 1, "n_exposures": 1, "n_spectra": 2, "n_stars": 2}


def test_stars_must_be_together() -> None:
    rows = [{"star_id": name, "ra": 0.0, "dec": 0.0, "_healpix_29": 0} for name in "aba"]
    with pytest.raises(CatalogError, match="star 'a' are not together"):
        star_overview(table_of(rows))
    with pytest.raises(CatalogError, match="no star_id"):
        star_overview(table_of([{"star_id": None}]))


def test_chunked_and_dictionary_columns() -> None:
    row = {"star_id": "a", "uid": "a", "planid": "P", "lmjd": 58408, "lmjm": 7, "coadd": False}
    rows = [row | {"ra": 0.0, "dec": 0.0, "_healpix_29": 0}] * 4
    table = table_of(rows)
    other = pa.concat_tables([table[:1], table[1:]])
    other = other.set_column(
        other.schema.get_field_index("planid"), "planid", other["planid"].dictionary_encode()
    )
    assert overview_partial(other) == overview_partial(table)
    assert star_overview(other).equals(star_overview(table))


@given(st.lists(st.integers(0, 90), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_reverse_cumulative(number: list[int]) -> None:
    threshold, fraction = reverse_cumulative(number)
    assert threshold.tolist() == list(range(max(number) + 1))
    assert fraction.tolist() == [sum(n >= t for n in number) / len(number) for t in threshold]


def test_reverse_cumulative_of_nothing() -> None:
    threshold, fraction = reverse_cumulative([])
    assert (len(threshold), len(fraction)) == (0, 0)
    assert np.issubdtype(threshold.dtype, np.integer)
