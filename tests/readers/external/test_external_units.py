"""Coordinates in the unit that a file states, and columns whose type no column has."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.coordinates import Angle
from astropy.table import Table

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.external.angles import degrees_in
from lkmrs_dask.readers.external.source import open_source, read_external

RA, DEC = np.array([0.0, 123.456, 359.9]), np.array([-90.0, 12.5, 90.0])
NAMES: dict[str, Any] = {"id": "id", "ra": "ra", "dec": "dec"}


def positions(path: Path) -> tuple[list[float], list[float]]:
    """Positions of a table, as they are stored."""
    table = read_external("table", path, **NAMES)
    assert {table.schema.field(name).metadata[b"unit"] for name in ("ra", "dec")} == {b"deg"}
    return table["ra"].to_pylist(), table["dec"].to_pylist()


@pytest.mark.parametrize("form", ["fits", "parquet", "vizier", "ecsv"])
@pytest.mark.parametrize("unit", ["deg", "rad", "arcmin", "hourangle"])
def test_a_stated_unit_counts(tmp_path: Path, form: str, unit: str) -> None:
    of_dec = "deg" if unit == "hourangle" else unit
    ra = (RA * units.deg).to_value(units.Unit(unit))
    dec = (DEC * units.deg).to_value(units.Unit(of_dec))
    path = tmp_path / f"a.{form}"
    if form == "fits":
        table = Table({"id": np.arange(3), "ra": ra * units.Unit(unit), "dec": dec * units.Unit(of_dec)})
        if unit == "hourangle":
            table["ra"].unit = "h"  # FITS has no other word
        table.write(path)
    elif form == "parquet":
        fields = [
            pa.field("id", pa.int64()),
            pa.field("ra", pa.float64(), metadata={"unit": unit}),
            pa.field("dec", pa.float64(), metadata={"unit": of_dec}),
        ]
        pq.write_table(pa.table([pa.array(range(3)), ra, dec], schema=pa.schema(fields)), path)
    else:
        rows = "".join(
            f"{n}\t{a!r}\t{d!r}\n" for n, (a, d) in enumerate(zip(ra.tolist(), dec.tolist(), strict=True))
        )
        if form == "vizier":
            path.write_text(f"#comment\nid\tra\tdec\n \t{unit}\t{of_dec}\n---\t---\t---\n{rows}")
        else:
            preamble = "".join(
                f"# - {{name: {n}, unit: {u}, datatype: float64}}\n"
                for n, u in (("ra", unit), ("dec", of_dec))
            )
            path.write_text(f"# %ECSV 1.0\n# ---\n# datatype:\n{preamble}id\tra\tdec\n{rows}")
    found = positions(path)
    # A turn in another unit and back may round by a few units in the last place of 360.
    np.testing.assert_allclose(found, (RA, DEC), rtol=0, atol=2e-13)


def test_sexagesimal_cells_are_in_the_unit_that_is_stated(tmp_path: Path) -> None:
    cells = {"12 30 36.5": "-05:30:01.5", "00:00:00": "+89 59 59"}
    for of_ra, unit in (('"h:m:s"', units.hourangle), ("d:m:s", units.deg), ("", units.hourangle)):
        rows = "".join(f"{n}\t{ra}\t{dec}\n" for n, (ra, dec) in enumerate(cells.items()))
        path = tmp_path / "a.tsv"
        path.write_text(f'id\tra\tdec\n \t{of_ra}\t"d:m:s"\n---\t---\t---\n{rows}')
        expected = Angle(list(cells), unit).deg, Angle(list(cells.values()), units.deg).deg
        np.testing.assert_allclose(positions(path), expected, rtol=0, atol=1e-12)


def test_a_unit_that_is_none_of_an_angle_is_refused(tmp_path: Path) -> None:
    for unit, column in (("km", "ra"), ("h", "dec"), ("what", "dec")):
        path = tmp_path / "a.parquet"
        fields = [
            pa.field(n, pa.float64(), metadata={"unit": unit} if n == column else None) for n in ("ra", "dec")
        ]
        pq.write_table(
            pa.table([[1], [1.0], [2.0]], schema=pa.schema([pa.field("id", pa.int64()), *fields])), path
        )
        with pytest.raises(InputError, match=f"column {column}: its unit is stated as {unit}"):
            open_source("table", path, **NAMES)


def test_degrees_in() -> None:
    for unit in ("", " ", "deg", "DEG", "degrees", "Angle[deg]"):
        assert degrees_in(unit, "dec") is None
    assert degrees_in("arcsec", "dec") == pytest.approx(1 / 3600, rel=1e-15)
    assert degrees_in("'hour'", "ra") == 15.0
    with pytest.raises(ValueError, match="no unit of an angle"):
        degrees_in("hour", "dec")


# Types


@pytest.mark.parametrize("form", ["fits", "parquet"])
def test_unsigned_flags_beyond_int64_are_kept_digit_by_digit(tmp_path: Path, form: str) -> None:
    flags = np.array([1, 2**63, 2**64 - 1], np.uint64)
    table = Table({"id": np.arange(3), "ra": RA, "dec": DEC, "flag": flags, "small": flags % np.uint64(7)})
    path = tmp_path / f"a.{form}"
    if form == "fits":
        table.write(path)
    else:
        pq.write_table(pa.table({name: np.asarray(table[name]) for name in table.colnames}), path)
    aside: list[pa.Table] = []
    found = read_external("table", path, set_aside=aside, **NAMES)
    assert aside[0].num_rows == 0
    assert found["flag"].to_pylist() == [str(flag) for flag in flags.tolist()]
    assert found["small"].to_pylist() == [flag % 7 for flag in flags.tolist()]
    assert found.schema.field("small").type == pa.int64()


def test_decimals_are_whole_numbers_where_they_are(tmp_path: Path) -> None:
    long = [4295806720123456781, 4295806720123456782, None]
    columns = {
        "id": pa.array([Decimal(one) for one in (7, 8, 9)], pa.decimal128(19, 0)),
        "source": pa.array([one and Decimal(one) for one in long], pa.decimal128(19, 0)),
        "huge": pa.array([Decimal(10**25 + 1), None, None], pa.decimal128(38, 0)),
        "price": pa.array([Decimal("1.25"), None, Decimal("-3.50")], pa.decimal128(20, 2)),
        "none": pa.array([None] * 3, pa.uint64()),
    }
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    found = read_external("table", path, id="id")
    assert found["id"].to_pylist() == [7, 8, 9]
    assert found["source"].to_pylist() == long
    assert found["huge"].to_pylist() == ["10000000000000000000000001", None, None]
    assert found["price"].to_pylist() == [1.25, None, -3.5]
    assert found.schema.field("none").type == pa.int64()


def test_numbers_with_zeros_in_front_and_fortran_exponents(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,dec,x,name\n1,-05.25,1.0D+01,0012\n2,+04.1,-2.5d-3,0013\n")
    found = read_external("table", path, id="id")
    assert found["dec"].to_pylist() == [-5.25, 4.1]
    assert found["x"].to_pylist() == [10.0, -0.0025]
    assert found["name"].to_pylist() == ["0012", "0013"]


@pytest.mark.parametrize("name", ["STAR", "star"])
def test_an_identifier_in_another_case(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Star,RA,Dec,x\n7,1,2,3\n")
    found = read_external("table", path, id=name, ra="ra", dec="DEC", keep=["x"])
    assert found.to_pylist() == [{"ra": 1.0, "DEC": 2.0, name: 7, "x": 3}]
