"""External catalogues as published: every value against the standard library's or astropy's reading."""

from __future__ import annotations

import csv
import math
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from external_survey import SYNTHETIC, plain_rows, write_files

from lkmrs_dask.errors import UsageError
from lkmrs_dask.readers.base import Source
from lkmrs_dask.readers.external.identifiers import is_epic
from lkmrs_dask.readers.external.kinds import KINDS, kind_named
from lkmrs_dask.readers.external.source import open_source, read_external
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.synthetic.external.headers import columns_of


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("external"))


# Definitions


@pytest.mark.parametrize("kind", ["kic", "epic", "tic", "simbad", "vsx"])
def test_the_columns_are_those_of_the_release(kind: str) -> None:
    assert tuple(column.name for column in kind_named(kind).columns) == columns_of(kind)


def test_all_152_columns_of_gaia_have_the_archives_names_types_and_units(shared: Path) -> None:
    widths = {"K": "int64", "I": "int16", "E": "float32", "D": "float64", "L": "bool"}
    with fits.open(shared / "data/gaia/gdr3_sm.fits") as hdus:
        there = [(c.name, widths.get(c.format, "string"), bool(c.unit)) for c in hdus[1].columns]
    assert [(c.name, c.dtype, bool(c.unit)) for c in kind_named("gaia").columns] == there


@pytest.mark.parametrize("name", [name for name in KINDS if name != "table"])
def test_definitions_hold_together(name: str) -> None:
    kind = kind_named(name)
    columns = {column.name: column for column in kind.columns}
    assert len(columns) == len(kind.columns)
    assert all(column.description and column.arrow_type for column in kind.columns)
    assert kind.id_column in columns
    assert columns[str(kind.id_column)].dtype in ("int64", "string"), "identifiers are exact"
    for place in (kind.ra_column, kind.dec_column):
        assert place is None or (columns[place].dtype, columns[place].unit) == ("float64", "deg")


def test_an_unknown_kind_is_named_with_what_is_known() -> None:
    with pytest.raises(UsageError, match=r"'gaja'.*did you mean gaia.*apokasc3"):
        kind_named("gaja")


# Values


def same(found: object, text: str) -> bool:
    """Whether a converted cell is what stands in the file."""
    if found is None:
        return text in ("", "nan", "--", "None", str(-(2**63)))
    if isinstance(found, bool):
        return text.lower() == str(found).lower()
    if isinstance(found, int):
        return int(text) == found
    if isinstance(found, float):
        # Columns of four bytes keep seven digits; those of eight are the nearest number to the text.
        return float(text) == found or math.isclose(float(np.float32(text)), found, rel_tol=1e-7)
    return text.strip() == found


@pytest.mark.parametrize("kind", SYNTHETIC)
def test_every_cell_is_the_files(raw: Path, kind: str) -> None:
    aside: list[pa.Table] = []
    table = read_external(kind, raw / SYNTHETIC[kind][0], set_aside=aside)
    expected = plain_rows(raw, kind)
    assert aside[0].num_rows == 0
    assert len(table) == len(expected) > 0
    for name in table.column_names:
        cells = table.column(name).to_pylist()
        wrong = [(a, row[name]) for a, row in zip(cells, expected, strict=True) if not same(a, row[name])]
        assert not wrong, (name, wrong[:3])
    assert set(expected[0]) == set(table.column_names), "no column of the file is lost"


def test_identifiers_are_exact_to_the_last_digit(raw: Path) -> None:
    table = read_external("tic", raw / "tic.csv.gz")
    assert table.schema.field("GAIA").type == pa.int64()
    expected = [int(row["GAIA"]) if row["GAIA"] else None for row in plain_rows(raw, "tic")]
    assert table.column("GAIA").to_pylist() == expected
    assert any(value is not None and int(float(value)) != value for value in expected), "a float would lose"


def test_units_and_descriptions_are_metadata(raw: Path) -> None:
    field = read_external("gaia", raw / "gaia.csv.gz").schema.field("pmra")
    assert field.metadata == {
        b"unit": b"mas / yr",
        b"description": b"Proper motion in right ascension, times cos(dec)",
    }


@pytest.mark.parametrize("block_bytes", [1, 1000, 1 << 20])
def test_blocks_do_not_matter(raw: Path, block_bytes: int) -> None:
    for kind, name in (("vsx", "vsx.csv"), ("galah", "galah_allstar.fits.gz")):
        source = open_source(kind, raw / name, block_bytes=block_bytes)
        tables = [chunk.table for chunk in source.read(source.paths[0])]
        assert {table.schema for table in tables} == {source.schema.arrow()}
        assert pa.concat_tables(tables).equals(read_external(kind, raw / name))


def test_a_source_travels_and_is_one(raw: Path) -> None:
    source = open_source("gaia", raw / "gaia.csv.gz")
    assert isinstance(source, Source)
    assert pickle.loads(pickle.dumps(source)) == source
    assert source.files() == [raw / "gaia.csv.gz"]
    assert source.files_together == 1
    assert source.located


def test_epochs(raw: Path, shared: Path) -> None:
    found = {kind: open_source(kind, raw / SYNTHETIC[kind][0]).epoch() for kind in ("kic", "galah", "gaia")}
    assert found == {"kic": 2000.0, "galah": 2015.5, "gaia": 2016.0}
    # DR2's file says so itself.
    assert open_source("gaia", shared / "data/gaia/gdr2_sm.fits").epoch() == 2015.5
    assert open_source("gaia", raw / "gaia.csv.gz", epoch=2010.0).epoch() == 2010.0


def test_columns_to_keep(raw: Path) -> None:
    table = read_external("gaia", raw / "gaia.csv.gz", keep=["parallax", "pmra"])
    assert table.column_names == ["source_id", "ra", "dec", "parallax", "pmra"]
    with pytest.raises(UsageError, match="no column 'paralax'; near to it: parallax"):
        open_source("gaia", raw / "gaia.csv.gz", keep=["paralax"])
    with pytest.raises(UsageError, match="must be a list"):
        open_source("gaia", raw / "gaia.csv.gz", keep="parallax")


def test_right_ascension_of_kic_from_hours_where_degrees_are_missing(tmp_path: Path) -> None:
    (tmp_path / "kic.txt").write_text("kic_ra|kic_dec|kic_kepler_id\n19.5|44.5|757076\n")
    row = read_external("kic", tmp_path / "kic.txt").to_pylist()[0]
    assert (row["kic_degree_ra"], row["kic_ra"]) == (292.5, 19.5)
    (tmp_path / "kic.txt").write_text("kic_ra|kic_degree_ra|kic_dec|kic_kepler_id\n19.5|292.25|44.5|757076\n")
    assert read_external("kic", tmp_path / "kic.txt")["kic_degree_ra"].to_pylist() == [292.25]


def test_missing_values_of_the_releases(tmp_path: Path) -> None:
    path = tmp_path / "apogee.fits"
    columns = [
        fits.Column("APOGEE_ID", "18A", array=np.array([b"2M00000000+0000000", b"2M1"])),
        fits.Column("RA", "D", array=np.array([0.0, 360.0])),
        fits.Column("DEC", "D", array=np.array([90.0, -90.0])),
        fits.Column("TEFF", "E", array=np.array([-9999.99, 4500.0])),
        fits.Column("J", "E", array=np.array([99.99, 10.5])),
        fits.Column("VSCATTER", "E", array=np.array([99.0, np.nan])),
        fits.Column("ASPCAPFLAG", "K", array=np.array([1 << 40, 0])),
        fits.Column("PARAM", "9E", array=np.zeros((2, 9))),
        fits.Column("NEW", "J", array=np.array([-9999, 3])),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    source = open_source("apogee", path)
    table = pa.concat_tables([chunk.table for chunk in source.read(path)])
    assert table.drop_columns(["APOGEE_ID"]).to_pylist() == [
        # 99 is a magnitude that is missing, and a scatter like any other; bits stay bits.
        {
            "RA": 0.0,
            "DEC": 90.0,
            "TEFF": None,
            "J": None,
            "VSCATTER": 99.0,
            "ASPCAPFLAG": 1 << 40,
            "NEW": None,
        },
        {"RA": 0.0, "DEC": -90.0, "TEFF": 4500.0, "J": 10.5, "VSCATTER": None, "ASPCAPFLAG": 0, "NEW": 3},
    ]
    assert source.left_out == ("PARAM (no single value a row)",)
    assert table.schema.field("NEW").type == pa.int32()


def test_parquet_with_lists_and_a_foreign_index(tmp_path: Path) -> None:
    path = tmp_path / "gaia.parquet"
    table = pa.table(
        {
            HEALPIX_COLUMN: pa.array([1, 2]),
            "source_id": pa.array([4071625633699805568, None], pa.int64()),
            "ra": [10.0, 20.0],
            "dec": pa.array([1, 2], pa.int16()),
            "flux": [[1.0], [2.0]],
            "name": pa.array(["a", "NaN"]).dictionary_encode(),
            "bright": [True, None],
        }
    )
    pq.write_table(table, path)
    aside: list[pa.Table] = []
    found = read_external("gaia", path, set_aside=aside)
    assert found.to_pylist() == [
        {"source_id": 4071625633699805568, "ra": 10.0, "dec": 1.0, "name": "a", "bright": True}
    ]
    assert aside[0].select(["row", "column", "reason"]).to_pylist() == [
        {"row": 2, "column": "source_id", "reason": "missing value"}
    ]
    left = open_source("gaia", path).left_out
    assert left == ("flux (no single value a row)", f"{HEALPIX_COLUMN} (made anew)")


# Real files


def test_apokasc_as_vizier_serves_it(shared: Path) -> None:
    path = shared / "data/apogee_galah_seismo/apokasc2.tsv"
    table = read_external("apokasc2", path)
    with path.open() as stream:
        expected = [row for row in csv.DictReader(stream, delimiter="|") if row["KIC"]]
    assert len(table) == len(expected) == 6675
    assert table["KIC"].to_pylist() == [int(row["KIC"]) for row in expected]
    assert table["_DEJ2000"].to_pylist() == [float(row["_DEJ2000"]) for row in expected]
    masses = [float(row["M(cor)"]) if row["M(cor)"].strip() else None for row in expected]
    assert table["M(cor)"].to_pylist() == masses
    rejected = [row["ES"].strip() == "REJECT" for row in expected]
    assert [state == "REJECT" for state in table["ES"].to_pylist()] == rejected
    assert sum(rejected) > 0
    assert all(mass is None for mass, bad in zip(masses, rejected, strict=True) if bad)


def test_apokasc_2_and_3_agree_as_published(shared: Path) -> None:
    folder = shared / "data/apogee_galah_seismo"
    two = read_external("apokasc2", folder / "apokasc2.tsv").to_pandas()
    three = read_external("apokasc3", folder / "apokasc3_Table4_Apoor_RGB+RC_Gold.csv").to_pandas()
    both = two.merge(three, on="KIC")
    both = both[both["FeH"].notna()]
    assert len(three) == 6603
    assert len(both) == 3973
    slope, offset = np.polyfit(both["FeH"], both["[Fe/H]"], 1)
    assert (round(slope, 4), round(offset, 3)) == (1.0005, -0.073)


def test_gaia_in_fits_with_all_columns(shared: Path) -> None:
    path = shared / "data/gaia/gdr3_sm.fits"
    table = read_external("gaia", path)
    with fits.open(path) as hdus:
        data = hdus[1].data
        assert table["source_id"].to_pylist() == data["source_id"].tolist()
        assert table["ra"].to_pylist() == data["ra"].tolist()
        null = data["rv_nb_transits"] == -32768
        assert table["rv_nb_transits"].is_null().to_pylist() == null.tolist()
        assert table["parallax"].null_count == np.isnan(data["parallax"]).sum()
        assert table["duplicated_source"].to_pylist() == data["duplicated_source"].tolist()
    assert table.num_columns == 152


def test_lists_of_k2_targets(shared: Path) -> None:
    files = sorted((shared / "data/k2_input_lkmrs").glob("K2_*_plate.csv"))
    table = read_external("k2_targets", files)
    ids = table["OBJID"].to_numpy()
    assert len(ids) == 103_613
    assert len(np.unique(ids)) == 99_369
    assert is_epic(ids).all()


def printed(shared: Path) -> dict[int, tuple[float, float]]:
    """EPIC identifiers printed in Tables 2, 4, 5 and 6, with their positions."""
    found = {}
    for table in (2, 4, 5, 6):
        with (shared / f"data/paper_tables/table{table}_rows.csv").open() as stream:
            for row in csv.DictReader(stream):
                if row["kic_epic"] and is_epic(int(float(row["kic_epic"]))):
                    found[int(float(row["kic_epic"]))] = (float(row["ra"]), float(row["dec"]))
    return found


def test_15_of_the_18_printed_epic_identifiers_are_the_nearest_target_within_3_7_arcsec(shared: Path) -> None:
    files = sorted((shared / "data/k2_input_lkmrs").glob("K2_*_plate.csv"))
    table = read_external("k2_targets", files)
    ids = table["OBJID"].to_numpy()
    lon, lat = (np.radians(table[name].to_numpy()) for name in ("RADEG", "DECDEG"))
    recovered = {}
    for epic, (ra, dec) in printed(shared).items():
        east, north = np.radians(ra), np.radians(dec)
        half = np.sin((lat - north) / 2) ** 2
        half += np.cos(lat) * np.cos(north) * np.sin((lon - east) / 2) ** 2
        apart = np.degrees(2 * np.arcsin(np.sqrt(half))) * 3600
        nearest = int(np.argmin(apart))
        if apart[nearest] <= 3.7 and ids[nearest] == epic:
            recovered[epic] = float(apart[nearest])
    assert len(printed(shared)) == 18
    assert len(recovered) == 15
    # The lists print 1e-7 deg; the paper 1e-5 or 1e-6 deg, so a distance is good to some 0.03 arcsec.
    assert [epic for epic, apart in recovered.items() if apart > 3.0] == [247247018]
    assert recovered[247247018] == pytest.approx(3.41, abs=0.03)


def test_which_identifiers_are_epics() -> None:
    assert is_epic([757076, 13_161_029, 201_000_000, 201_000_001]).tolist() == [False, False, False, True]
    assert is_epic(220547200).item() is True
    assert is_epic([]).tolist() == []
