"""Tables as a source: column maps, derived columns, plans, real tables, the same rows from every format."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from table_rows import SPEED_OF_LIGHT, plain, read_all, source_of, write_csv

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.base import Source
from lkmrs_dask.readers.lamost_tables import TableSource
from lkmrs_dask.schema import MEASUREMENTS, SPECTRA, STARS, TableSchema

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
