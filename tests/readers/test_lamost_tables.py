"""Tables as a source: column maps, derived columns, plans, real tables, the same rows from every format."""

from __future__ import annotations

import csv
import datetime
import gzip
import math
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, Source
from lkmrs_dask.readers.lamost_tables import TableSource
from lkmrs_dask.schema import MEASUREMENTS, SPECTRA, STARS, TableSchema

SPEED_OF_LIGHT = 299792.458  # km/s
MADE = {"low_snr", "source_file", "mjd", "bjd_tdb"}


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]], delimiter: str = ",") -> Path:
    """Write plain text, gzipped where the name says so; None is an empty field."""
    lines = [delimiter.join("" if cell is None else str(cell) for cell in row) for row in (header, *rows)]
    data = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def source_of(path: Path, schema: TableSchema = SPECTRA, **options: Any) -> TableSource:
    """Make a source of one file."""
    return TableSource.from_settings(schema, [path.name], path.parent, **options)


def read_all(path: Path, schema: TableSchema = SPECTRA, **options: Any) -> tuple[pa.Table, pa.Table]:
    """Read a whole file; checks what every chunk promises."""
    source = source_of(path, schema, **options)
    chunks = list(source.read(path))
    for chunk in chunks:
        assert chunk.table.schema.equals(schema.arrow(chunk.table.schema.names), check_metadata=True)
        assert chunk.table.schema == chunks[0].table.schema
        assert chunk.set_aside.schema == SET_ASIDE_SCHEMA
        chunk.table.validate(full=True)
        assert not {"star_id", "ra", "dec", "_healpix_29"} & set(chunk.table.schema.names)
    return pa.concat_tables(c.table for c in chunks), pa.concat_tables(c.set_aside for c in chunks)


def plain(table: pa.Table, *, without: set[str] | frozenset[str] = frozenset(MADE)) -> list[dict]:
    """Rows without the derived columns."""
    return table.drop_columns([name for name in table.schema.names if name in without]).to_pylist()


# --- mapping ----------------------------------------------------------------------------------------


def test_aliases_case_and_order_of_columns(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "t.csv", ["SNRG", "Dec", "extra", "RA", "DESIG", "mjd"], [[5, 2, "e", 1, "J1", 58000]]
    )
    table, aside = read_all(path)
    assert table.schema.names == ["designation", "ra_input", "dec_input", "snr", "low_snr", "source_file"]
    assert table.to_pylist() == [
        {
            "designation": "J1",
            "ra_input": 1.0,
            "dec_input": 2.0,
            "snr": 5.0,
            "low_snr": False,
            "source_file": "t.csv",
        }
    ]
    assert aside.num_rows == 0
    report = source_of(path).report(path)
    assert report["found"] == {"designation": "DESIG", "ra_input": "RA", "dec_input": "Dec", "snr": "SNRG"}
    assert report["unknown"] == ["extra", "mjd"]
    assert "uid" in report["missing"]
    assert "ra_input" not in report["missing"]
    assert "mjd" not in report["missing"]  # computed, not read


def test_the_map_goes_before_aliases(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["ra", "dec", "raj2000", "snr", "z"], [[1, 2, 3, 4, 1e-4]])
    columns = {"ra_input": "RAJ2000", "rv": {"from": "z", "scale": SPEED_OF_LIGHT}}
    table, _ = read_all(path, MEASUREMENTS, columns=columns, constants={"coadd": True, "planid": "P"})
    assert plain(table) == [
        {
            "ra_input": 3.0,
            "dec_input": 2.0,
            "planid": "P",
            "coadd": True,
            "snr": 4.0,
            "rv": 1e-4 * SPEED_OF_LIGHT,
        }
    ]
    only, _ = read_all(path, MEASUREMENTS, columns={**columns, "dec_input": "dec"}, only_mapped=True)
    assert plain(only) == [{"ra_input": 3.0, "dec_input": 2.0, "rv": 1e-4 * SPEED_OF_LIGHT}]


def test_one_raw_column_for_two_of_unlike_types(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["ra", "dec", "id"], [[1, 2, 7], [1, 2, "x"]])
    table, aside = read_all(path, columns={"obsid": "id", "uid": "id"})
    assert plain(table) == [{"uid": "7", "obsid": 7, "ra_input": 1.0, "dec_input": 2.0}]
    assert aside.select(["row", "column", "value"]).to_pylist() == [
        {"row": 3, "column": "obsid", "value": "x"}
    ]


def test_rv_is_rv_br1_unless_mapped(tmp_path: Path) -> None:
    header = ["ra", "dec", "rv", "rv_err", "rv_br1", "rv_br1_err", "rv_r1", "rv_r1_err"]
    path = write_csv(tmp_path / "t.csv", header, [[1, 2, 10, 1, 20, 2, 30, 3]])
    (row,) = read_all(path, MEASUREMENTS)[0].to_pylist()
    assert (row["rv"], row["rv_err"], row["rv_br1"], row["rv_br1_err"]) == (20.0, 2.0, 20.0, 2.0)
    (row,) = read_all(path, MEASUREMENTS, columns={"rv": "rv_r1", "rv_err": "rv_r1_err"})[0].to_pylist()
    assert (row["rv"], row["rv_err"], row["rv_br1"]) == (30.0, 3.0, 20.0)
    # Without the error of rv_br1 there is none: that of another velocity would be wrong.
    (row,) = read_all(write_csv(tmp_path / "u.csv", header[:5], [[1, 2, 10, 1, 20]]), MEASUREMENTS)[
        0
    ].to_pylist()
    assert row["rv"] == 20.0
    assert "rv_err" not in row
    mapped = {"ra_input": "ra", "dec_input": "dec", "rv_br1": "rv_r1"}
    (row,) = read_all(path, MEASUREMENTS, columns=mapped, only_mapped=True)[0].to_pylist()
    assert (row["rv"], row["rv_br1"]) == (30.0, 30.0)
    assert "rv" not in read_all(path, SPECTRA)[0].schema.names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"snrg": "a"}}, "no column 'snrg'"),
        ({"columns": {"tef": "a"}}, "near to it: teff"),
        ({"constants": {"nope": 1}}, "no column 'nope'"),
        ({"columns": {"star_id": "a"}}, "star_id is computed"),
        ({"constants": {"source_file": "a"}}, "source_file is computed"),
        ({"columns": {"rv": {"from": "z", "factor": 2}}}, "unknown entry 'factor'"),
        ({"columns": {"rv": {"scale": 2}}}, "must be a raw name"),
        ({"columns": {"rv": 5}}, "must be a raw name"),
        ({"columns": {"rv": {"from": "z", "scale": "2"}}}, "must be a number"),
        ({"columns": {"obsid": {"from": "z", "scale": 2}}}, "cannot be scaled"),
        ({"columns": {"snr": "a"}, "constants": {"snr": 1}}, "both mapped and constant"),
        ({"constants": {"coadd": "maybe"}}, "'maybe' does not suit the column coadd: not true or false"),
        ({"constants": {"coadd": [1]}}, "does not suit the column coadd"),
        ({"constants": {"ra_input": 400}}, "out of range"),
        ({"constants": {"planid": "A"}, "plans": ["B*"]}, "none of the plans wanted"),
        ({"delimiter": ",,"}, "one character"),
        ({"block_bytes": 0}, "block_bytes"),
        ({"plans": "HIP*"}, "list of patterns"),
        ({"speed": 1}, "unknown setting 'speed'"),
    ],
)
def test_wrong_settings(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TableSource.from_settings(MEASUREMENTS, ["*.csv"], tmp_path, **options)


def test_lists_cannot_be_mapped(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds lists"):
        TableSource(SPECTRA, ("*",), tmp_path, columns=(("flux", "flux"),))
    # A raw column that happens to have such a name is none of ours.
    path = write_csv(tmp_path / "t.csv", ["ra", "dec", "mask"], [[1, 2, 3]])
    assert "mask" not in read_all(path)[0].schema.names


@pytest.mark.parametrize("patterns", ["*.csv", []])
def test_patterns_must_be_a_list(tmp_path: Path, patterns: Any) -> None:
    with pytest.raises(UsageError, match="pattern"):
        TableSource.from_settings(SPECTRA, patterns, tmp_path)


def test_files(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "sub/c.csv", "sub/deep/d.csv", "x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("ra,dec\n1,2\n")
    (tmp_path / "dir.csv").mkdir()

    def names(*patterns: str) -> list[str]:
        return [str(p.relative_to(tmp_path)) for p in TableSource(SPECTRA, patterns, tmp_path).files()]

    assert names("[ab].csv", "a.*") == ["a.csv", "b.csv"]
    assert names("*/*.csv", "x.txt") == ["sub/c.csv", "x.txt"]
    assert names("**/*.csv") == ["a.csv", "b.csv", "sub/c.csv", "sub/deep/d.csv"]
    assert names(str(tmp_path / "x.txt")) == ["x.txt"]
    assert names("dir.csv") == ["dir.csv"]  # reading it says what is wrong
    with pytest.raises(UsageError, match=r"no file matches 'nope\*'"):
        names("a.csv", "nope*")


def test_it_is_a_source_that_travels(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["ra", "dec", "z"], [[1, 2, 3]])
    source = source_of(
        path, MEASUREMENTS, columns={"rv": {"from": "z", "scale": 2.0}}, constants={"coadd": True}
    )
    assert isinstance(source, Source)
    copy = pickle.loads(pickle.dumps(source))
    assert copy == source
    assert hash(copy) == hash(source)
    assert next(copy.read(path)).table.equals(next(source.read(path)).table)
    with pytest.raises(AttributeError):
        source.low_snr = 5.0  # type: ignore[misc]


# --- derived columns --------------------------------------------------------------------------------


def reference_mjd(lmjm: float, exptime: float) -> float:
    """Middle of the exposure: local minutes (UTC + 8 h) to days, in exact fractions of a second."""
    return (lmjm * 60 - 8 * 3600 + exptime / 2) / 86400


@pytest.mark.parametrize(("schema", "unknown"), [(SPECTRA, 1200.0), (MEASUREMENTS, 3600.0)])
def test_times(tmp_path: Path, schema: TableSchema, unknown: float) -> None:
    lmjm = 84000000
    rows: list[list[Any]] = [
        [10, 20, lmjm, 1, None],
        [10, 20, lmjm, 0, None],
        [10, 20, lmjm, None, None],
        [10, 20, lmjm, 1, 900],
        [10, 20, None, 0, 900],
        [10, 20, -9999, 0, 900],
        [10, 20, 5, 0, 900],
    ]
    path = write_csv(tmp_path / "t.csv", ["ra", "dec", "lmjm", "coadd", "exptime"], rows)
    table, _ = read_all(path, schema)
    exptimes = [3600.0, 1200.0, unknown, 900.0]
    mjd = table["mjd"].to_pylist()
    # 1e-9 d is 0.1 ms; a float64 MJD resolves 7e-12 d.
    assert mjd[:4] == pytest.approx([reference_mjd(lmjm, e) for e in exptimes], abs=1e-9)
    assert mjd[4:6] == [None, None]
    assert table["exptime"].to_pylist()[:3] == [None, None, None]
    bjd = table["bjd_tdb"].to_pylist()
    assert bjd[4:] == [None, None, None]  # the last time is in 1858
    # Light crosses the Earth's orbit in 499 s, and TDB is 69.184 s ahead of UTC since 2017.
    for day, barycentric in zip(mjd[:4], bjd[:4], strict=True):
        assert abs((barycentric - 2400000.5 - day) * 86400 - 69.184) < 502


def test_settings_of_exposure_time_and_no_time_without_lmjm(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["ra", "dec", "lmjm"], [[1, 2, 84000000]])
    table, _ = read_all(path, SPECTRA, exptime_single=600.0)
    assert table["mjd"].to_pylist() == pytest.approx([reference_mjd(84000000, 600.0)], abs=1e-9)
    table, _ = read_all(path, SPECTRA, constants={"coadd": True}, exptime_coadd=60.0)
    assert table["mjd"].to_pylist() == pytest.approx([reference_mjd(84000000, 60.0)], abs=1e-9)
    assert "n_exposures" not in table.schema.names
    table, _ = read_all(write_csv(tmp_path / "u.csv", ["ra", "dec", "mjd"], [[1, 2, 58000]]))
    assert not {"mjd", "bjd_tdb"} & set(table.schema.names)
    # Mapped explicitly the raw column counts.
    table, _ = read_all(tmp_path / "u.csv", columns={"mjd": "mjd"})
    assert table["mjd"].to_pylist() == [58000.0]
    assert abs(table["bjd_tdb"][0].as_py() - 2458000.5) < 0.01


def test_flags_and_counts(tmp_path: Path) -> None:
    header = ["ra", "dec", "snr", "band", "coadd", "n_exposures"]
    rows: list[list[Any]] = [
        [1, 2, 1.9, "b", 0, None],
        [1, 2, 2.0, "R", 1, 3],
        [1, 2, None, " r ", 1, None],
        [1, 2, -9999, "B", None, 2],
    ]
    path = write_csv(tmp_path / "t.csv", header, rows)
    table, _ = read_all(path)
    assert table["low_snr"].to_pylist() == [True, False, True, True]
    assert table["band"].to_pylist() == ["B", "R", "R", "B"]
    assert table["n_exposures"].to_pylist() == [1, 3, None, 2]
    assert table["source_file"].to_pylist() == ["t.csv"] * 4
    assert read_all(path, low_snr=1.0)[0]["low_snr"].to_pylist() == [False, False, True, True]
    short = write_csv(tmp_path / "u.csv", header[:5], [row[:5] for row in rows])
    assert read_all(short)[0]["n_exposures"].to_pylist() == [1, None, None, None]
    assert "n_exposures" not in read_all(short, MEASUREMENTS)[0].schema.names
    assert read_all(write_csv(tmp_path / "v.csv", ["ra", "dec"], [[1, 2]]))[0]["low_snr"].to_pylist() == [
        True
    ]


def test_a_schema_without_derived_columns(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["uid", "teff", "lmjm"], [["G1", 5000, 84000000]])
    assert read_all(path, STARS)[0].to_pylist() == [{"uid": "G1", "teff": 5000.0}]


# --- plans ------------------------------------------------------------------------------------------


def test_plans(tmp_path: Path) -> None:
    plans = ["HIP1KP01", "TD1K01", "td1k01", None, "TD2K01", "TD1K02"]
    path = write_csv(
        tmp_path / "t.csv", ["ra", "dec", "planid"], [[i, 0, plan] for i, plan in enumerate(plans)]
    )
    table, aside = read_all(path, plans=["HIP*KP??", "TD1*"])
    assert table["planid"].to_pylist() == ["HIP1KP01", "TD1K01", "TD1K02"]
    assert aside.select(["row", "column", "reason", "value"]).to_pylist() == [
        {"row": row, "column": "planid", "reason": "plan not wanted", "value": value}
        for row, value in ((4, "td1k01"), (5, None), (6, "TD2K01"))
    ]
    with pytest.raises(InputError, match="no column planid"):
        read_all(write_csv(tmp_path / "u.csv", ["ra", "dec"], [[1, 2]]), plans=["TD*"])


# --- all formats ------------------------------------------------------------------------------------

FORMATS = ("t.csv", "bar.csv.gz", "t.fits", "t.fits.gz", "t.parquet")
COLUMNS = (
    "uid",
    "gaia_source_id",
    "ra",
    "dec",
    "obsdate",
    "lmjd",
    "planid",
    "spid",
    "coadd",
    "snr",
    "teff_lasp",
)
texts = st.text(st.sampled_from("ABCxyz019_-+ .#"), min_size=1, max_size=8).map(str.strip).filter(bool)
cells = {
    "uid": st.none() | texts,
    "gaia_source_id": st.none() | st.integers(0, 2**63 - 1),
    "ra": st.floats(0, 360, exclude_max=True),
    "dec": st.floats(-90, 90),
    "obsdate": st.none() | st.dates(datetime.date(1990, 1, 1), datetime.date(2030, 1, 1)),
    "lmjd": st.none() | st.integers(40000, 70000),
    "planid": st.none() | texts,
    "spid": st.none() | st.integers(1, 16),
    "coadd": st.booleans(),  # FITS has no null among truth values that astropy would write
    "snr": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "teff_lasp": st.none() | st.floats(3000, 9000, width=32),
}


def write_formats(folder: Path, rows: list[tuple]) -> None:
    """Write the same rows in every format."""
    write_csv(folder / "t.csv", COLUMNS, rows)
    write_csv(folder / "bar.csv.gz", COLUMNS, rows, "|")
    by_name = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    pq.write_table(
        pa.table({name: pa.array(values) for name, values in by_name.items()}), folder / "t.parquet"
    )

    def column(name: str, kind: str, missing: object, **more: object) -> fits.Column:
        values = [missing if value is None else value for value in by_name[name]]
        return fits.Column(name, kind, array=np.array(values), **more)

    nan = math.nan
    fits.BinTableHDU.from_columns(
        [
            column("uid", "8A", ""),
            column("gaia_source_id", "K", -9999),
            column("ra", "D", nan),
            column("dec", "D", nan),
            fits.Column(
                "obsdate", "10A", array=["" if d is None else d.isoformat() for d in by_name["obsdate"]]
            ),
            column("lmjd", "J", -1, null=-1),
            column("planid", "8A", "null"),
            column("spid", "B", 255, null=255),
            column("coadd", "L", None),
            column("snr", "D", nan),
            column("teff_lasp", "E", nan),
        ]
    ).writeto(folder / "t.fits", overwrite=True)
    (folder / "t.fits.gz").write_bytes(gzip.compress((folder / "t.fits").read_bytes()))


@given(st.lists(st.tuples(*cells.values()), min_size=1, max_size=12), st.sampled_from([1, 100, 1 << 20]))
@settings(max_examples=20, deadline=None)
def test_the_same_rows_from_every_format(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple], block_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("formats")
    write_formats(folder, rows)
    names = ["uid", "gaia_source_id", "ra_input", "dec_input", *COLUMNS[4:-1], "teff"]
    expected = []
    for row in rows:
        given_row = dict(zip(names, row, strict=True))
        # Texts that mean "missing" in any release stand for themselves in no column.
        for name in ("uid", "planid"):
            whole, _, decimals = (given_row[name] or "").partition(".")
            if whole in ("-9999", "-999") and not decimals.strip("0"):
                given_row[name] = None
        if given_row["snr"] in (-9999.0, -999.0):
            given_row["snr"] = None
        expected.append(given_row)
    for name in FORMATS:
        table, aside = read_all(folder / name, MEASUREMENTS, block_bytes=block_bytes)
        assert aside.num_rows == 0
        assert plain(table) == expected, name


def test_row_numbers_of_every_format(tmp_path: Path) -> None:
    good = ("G1", 5, 1.0, 2.0, datetime.date(2020, 1, 1), 58000, "P", 3, True, 4.0, 5000.0)
    bad = (*good[:2], 400.0, *good[3:])
    write_formats(tmp_path, [good] * 5 + [bad] + [good] * 3 + [bad])
    for name in FORMATS:
        table, aside = read_all(tmp_path / name, MEASUREMENTS, block_bytes=200)
        assert table.num_rows == 8
        assert aside["row"].to_pylist() == ([7, 11] if "csv" in name else [6, 10])
        assert [float(value) for value in aside["value"].to_pylist()] == [400.0, 400.0]
        assert set(aside["reason"].to_pylist()) == {"out of range"}
        assert all("G1" in text and "400" in text for text in aside["text"].to_pylist())


# --- real tables ------------------------------------------------------------------------------------


def close(value: float | None, text: str, factor: float = 1.0) -> bool:
    """Compare a value with its text in the file, exactly."""
    number = float(text) if text else math.nan
    return value is None if math.isnan(number) or number in (-9999.0, -999.0) else value == number * factor


def test_real_table_with_redshifts(shared: Path) -> None:
    path = shared / "data/lamost_lrs_catalog/AFG_merged_params.csv"
    columns = {"rv": {"from": "z", "scale": SPEED_OF_LIGHT}}
    table, aside = read_all(
        path, MEASUREMENTS, columns=columns, constants={"coadd": True}, block_bytes=50_000
    )
    assert (table.num_rows, aside.num_rows) == (3000, 0)
    with path.open() as lines:
        for raw, row in zip(csv.DictReader(lines), table.to_pylist(), strict=True):
            assert row["obsid"] == int(raw["obsid"])
            assert (row["ra_input"], row["dec_input"]) == (float(raw["ra"]), float(raw["dec"]))
            assert all(close(row[name], raw[name]) for name in ("teff", "logg", "feh"))
            assert close(row["snr"], raw["snrg"])
            assert close(row["rv"], raw["z"], SPEED_OF_LIGHT)
            assert row["coadd"] is True
    assert source_of(path, MEASUREMENTS).report(path)["unknown"] == ["class", "subclass", "z"]


def test_real_table_with_errors_and_integers_as_floats(shared: Path) -> None:
    path = shared / "data/lamost_lrs_catalog/learninglamost_my_data3.csv"
    table, aside = read_all(path, MEASUREMENTS, block_bytes=100_000)
    assert (table.num_rows, aside.num_rows) == (3165, 0)
    names = [f"{name}{end}" for name in ("rv", "teff", "logg", "feh") for end in ("", "_err")]
    with path.open() as lines:
        for raw, row in zip(csv.DictReader(lines), table.to_pylist(), strict=True):
            assert raw["lmjd"].endswith(".0")
            assert row["lmjd"] == int(raw["lmjd"][:-2])
            assert (row["spid"], row["fiberid"]) == (int(raw["spid"][:-2]), int(raw["fiberid"][:-2]))
            assert row["obsdate"] == datetime.date.fromisoformat(raw["obsdate"])
            assert (row["designation"], row["planid"]) == (raw["designation"], raw["planid"])
            assert all(close(row[name], raw[name]) for name in names)
            assert close(row["snr"], raw["snrg"])


def test_real_gaia_identifiers_are_exact(shared: Path) -> None:
    path = shared / "data/lamost_lrs_catalog/gaia_lamost_chemo_kinematic_features.csv"
    table, _ = read_all(path, MEASUREMENTS, columns={"ra_input": "ra_lamost", "dec_input": "dec_lamost"})
    with path.open() as lines:
        expected = [int(raw["gaia_source_id"]) for raw in csv.DictReader(lines)]
    assert table["gaia_source_id"].to_pylist() == expected
    assert max(expected) > 2**53
