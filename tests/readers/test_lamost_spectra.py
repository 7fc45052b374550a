from __future__ import annotations

import datetime
import pickle
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.time import Time
from fake_spectra import LMJM, Arm, arm_hdu, primary_hdu, standard_arms, write_spectra

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, Source
from lkmrs_dask.readers.lamost_spectra import LK_PLANS, SpectraSource, read_spectra
from lkmrs_dask.schema import FLUX_COLUMNS, SPECTRA

MJD_TOLERANCE = 2e-11  # three steps of an MJD in float64, 2 microseconds
NEVER = {"_healpix_29", "star_id", "ra", "dec"}


def read_all(source: SpectraSource) -> tuple[pa.Table, pa.Table]:
    chunks = [chunk for file in source.files() for chunk in source.read(file)]
    return pa.concat_tables([c.table for c in chunks]), pa.concat_tables([c.set_aside for c in chunks])


@pytest.fixture(scope="module")
def real(shared: Path) -> SpectraSource:
    return SpectraSource(("*.fits*",), shared / "data/lamost_mrs_spectra", plans=LK_PLANS)


@pytest.fixture(scope="module")
def real_rows(real: SpectraSource) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    table, set_aside = read_all(real)
    assert table.schema.equals(SPECTRA.arrow(table.column_names), check_metadata=True)
    assert set_aside.schema == SET_ASIDE_SCHEMA
    return table.to_pylist(), set_aside.to_pylist()


# --- the real star, KIC 8098300 ------------------------------------------------------------------------


def test_real_star_has_50_single_and_10_coadded_spectra(real_rows: tuple) -> None:
    rows, set_aside = real_rows
    assert Counter(row["coadd"] for row in rows) == {False: 50, True: 10}
    assert {row["planid"] for row in rows} == {"HIP95119KP01", "TD192102N424113K01", "TD193637N444141K01"}
    for band in "BR":
        counts = Counter(row["lmjd"] for row in rows if row["band"] == band and not row["coadd"])
        assert counts == {58268: 9, 58269: 5, 58625: 3, 58644: 4, 58649: 4}
        coadds = {row["lmjd"]: row["n_exposures"] for row in rows if row["band"] == band and row["coadd"]}
        assert coadds == counts
    assert len(set_aside) == 1
    line = set_aside[0]
    assert (line["reason"], line["row"], line["value"]) == ("plan not wanted", None, "TD230151N343645T01")
    assert line["file"].endswith("med-58408-TD230151N343645T01_sp01-015.fits")


def test_real_nights_of_low_snr_are_kept_and_flagged(real_rows: tuple) -> None:
    rows, _ = real_rows
    assert all(row["low_snr"] == (row["snr"] < 2.0) for row in rows)
    assert {row["lmjd"] for row in rows if row["low_snr"]} == {58268, 58269}
    blue = {row["lmjd"]: row["snr"] for row in rows if row["coadd"] and row["band"] == "B"}
    assert blue == {58268: 0.0, 58269: 0.23, 58625: 26.54, 58644: 52.25, 58649: 88.36}


def test_real_values_equal_a_plain_read(real: SpectraSource, real_rows: tuple) -> None:
    rows = iter(real_rows[0])
    count = 0
    for file in real.files():
        if "T01_" in file.name:
            continue
        with fits.open(file) as hdus:
            primary = hdus[0].header
            for hdu in hdus[1:]:
                row, data = next(rows), hdu.data
                order = np.argsort(data["LOGLAM"], kind="stable")  # ours always go up
                assert np.array_equal(row["flux"], data["FLUX"][order])
                assert np.array_equal(row["ivar"], data["IVAR"][order])
                assert np.array_equal(row["mask"], data["ORMASK" if row["coadd"] else "PIXMASK"][order])
                assert np.array_equal(row["wavelength"], 10 ** data["LOGLAM"][order].astype(float))
                low, high = (4890, 5400) if row["band"] == "B" else (6250, 6880)
                assert low < row["wavelength"][0] < row["wavelength"][-1] < high
                assert hdu.name in (f"COADD_{row['band']}", f"{row['band']}-{row['lmjm']}")
                assert row["snr"] == hdu.header["SNR"]
                assert row["source_file"] == file.name
                keys = {"obsid": "OBSID", "ra_input": "RA", "dec_input": "DEC", "ra_obs": "RA_OBS",
                        "dec_obs": "DEC_OBS", "lmjd": "LMJD", "planid": "PLANID", "spid": "SPID",
                        "fiberid": "FIBERID", "fibertype": "FIBERTYP", "tsource": "TSOURCE",
                        "offsets": "OFFSET", "offsets_v": "OFFSET_V", "fibermask": "FIBERMAS",
                        "helio": "HELIO"}  # fmt: skip
                assert {name: row[name] for name in keys} == {
                    name: primary[key] for name, key in keys.items()
                }
                assert f"LAMOST {row['designation']}" == primary["DESIG"]
                assert row["tcomment"] is None
                count += 1
    assert count == 60
    assert next(rows, None) is None


def test_real_times(real_rows: tuple) -> None:
    rows, _ = real_rows
    for row in rows:
        if not row["coadd"]:
            start = Time(row["lmjm"] / 1440 - 8 / 24, format="mjd", scale="utc").mjd
            assert row["mjd"] == pytest.approx(start + row["exptime"] / 172800, abs=MJD_TOLERANCE)
        else:
            parts = [
                r for r in rows if (r["lmjd"], r["band"]) == (row["lmjd"], row["band"]) and not r["coadd"]
            ]
            assert row["lmjm"] == min(part["lmjm"] for part in parts)
            assert row["exptime"] == sum(part["exptime"] for part in parts)
            mean = np.average([p["mjd"] for p in parts], weights=[p["exptime"] for p in parts])
            assert row["mjd"] == pytest.approx(mean, abs=MJD_TOLERANCE)
        # In the Kepler field light reaches the barycentre at most 190 s sooner or later; TDB is 69.2 s ahead.
        assert abs(row["bjd_tdb"] - 2400000.5 - row["mjd"] - 69.184 / 86400) < 250 / 86400
    nights = {row["lmjd"]: row["obsdate"] for row in rows}
    assert nights[58268] == datetime.date(2018, 5, 29)
    assert nights[58649] == datetime.date(2019, 6, 14)


def test_real_gaia_magnitudes_only_where_the_header_has_them(real_rows: tuple) -> None:
    rows, _ = real_rows
    found = {(r["lmjd"], r["gaia_g_mean_mag"], r["gaia_bp_mean_mag"], r["gaia_rp_mean_mag"]) for r in rows}
    nights = (58268, 58269, 58625, 58644)
    assert found == {(58649, 12.74, 13.01, 12.33), *((night, None, None, None) for night in nights)}


def test_low_resolution_spectra_are_refused(shared: Path) -> None:
    source = SpectraSource(("spec-*",), shared / "data/lamost_lrs_spectra")
    files = source.files()
    assert len(files) == 26
    for file in files:
        with pytest.raises(InputError, match="FITS without an expected HDU") as error:
            list(source.read(file))
        assert error.value.file == str(file)


# --- the source ----------------------------------------------------------------------------------------


def test_source_is_a_source_that_travels(tmp_path: Path) -> None:
    source = SpectraSource(("*.fits",), tmp_path, plans=("*K01",))
    assert isinstance(source, Source)
    assert pickle.loads(pickle.dumps(source)) == source
    assert source.schema is SPECTRA


def test_files_are_found_below_and_sorted(tmp_path: Path) -> None:
    for name in ("b/2.fits", "a/deep/1.fits.gz", "a/3.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = SpectraSource(("**/*.fits*", "b/*.fits"), tmp_path).files()
    assert found == [tmp_path / "a/deep/1.fits.gz", tmp_path / "b/2.fits"]
    assert tmp_path / "a/3.txt" in SpectraSource(("**",), tmp_path).files()
    with pytest.raises(UsageError, match="med-"):
        SpectraSource(("b/*", "med-*.fits"), tmp_path).files()


@pytest.mark.parametrize(
    "arguments", [{"patterns": ()}, {"patterns": "*.fits"}, {"plans": "*K01"}, {"batch_rows": 0}]
)
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        SpectraSource(**dict[str, Any]({"patterns": ("*",), "root": tmp_path} | arguments))


def test_chunks_have_at_most_batch_rows(tmp_path: Path) -> None:
    file = write_spectra(tmp_path / "a.fits")
    source = SpectraSource(("*",), tmp_path, batch_rows=3)
    chunks = list(source.read(file))
    assert [chunk.table.num_rows for chunk in chunks] == [3, 3, 2]
    assert pa.concat_tables([chunk.table for chunk in chunks]).equals(read_spectra(file).table)


def test_without_flux_all_else_is_the_same(tmp_path: Path) -> None:
    file = write_spectra(tmp_path / "a.fits")
    whole, bare = read_spectra(file).table, read_spectra(file, flux=False).table
    assert not NEVER.intersection(whole.column_names)
    assert set(FLUX_COLUMNS) == set(whole.column_names) - set(bare.column_names)
    assert bare.equals(whole.drop_columns(list(FLUX_COLUMNS)))


# --- layouts and times -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gz", [False, True])
def test_new_layout_gives_the_same_as_the_old(tmp_path: Path, gz: bool) -> None:
    # Under a name that says nothing, in a format that the name does not say.
    (tmp_path / "old").mkdir()
    old = read_spectra(write_spectra(tmp_path / "old/some.fits")).table
    new = read_spectra(write_spectra(tmp_path / "some.fits", layout="new", gz=gz)).table
    assert new.equals(old)
    arms = standard_arms()
    assert new.num_rows == len(arms) == 8
    for row, arm in zip(new.to_pylist(), arms, strict=True):
        order = np.argsort(arm.loglam)
        assert np.array_equal(row["flux"], arm.flux[order])
        assert np.array_equal(row["ivar"], arm.ivar[order])
        assert np.array_equal(row["mask"], arm.mask[order])
        assert np.array_equal(row["wavelength"], 10 ** arm.loglam[order].astype(float))
    assert new["gaia_rp_mean_mag"].null_count == 8  # 99.00


def one_exposure(tmp_path: Path, **cards: Any) -> dict[str, Any]:
    arm = standard_arms(1)[2]
    arm = Arm(arm.name, {k: v for k, v in (dict(arm.cards) | cards).items() if v is not None}, *arms_of(arm))
    file = write_spectra(tmp_path / "one.fits", [primary_hdu(), arm_hdu(arm, "new")])
    return read_spectra(file).table.to_pylist()[0]


def arms_of(arm: Arm) -> tuple[np.ndarray, ...]:
    return arm.loglam, arm.flux, arm.ivar, arm.mask


def test_dates_of_an_exposure_give_its_time_to_the_second(tmp_path: Path) -> None:
    row = one_exposure(tmp_path, **{"DATE-BEG": "2019-05-22T02:28:30.0", "DATE-END": "2019-05-22T02:48:30.0"})
    assert row["mjd"] == pytest.approx(Time("2019-05-21T18:38:30", scale="utc").mjd, abs=MJD_TOLERANCE)
    assert (row["lmjm"], row["exptime"], row["n_exposures"]) == (LMJM, 1200.0, 1)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2019-05-22T01:10:30", "2019-05-22T02:48:30"),  # much longer than EXPTIME
        ("2019-05-22T05:28:30", "2019-05-22T05:48:30"),  # hours after LMJM
        ("2019-05-22T02:28:30", ""),
        ("yesterday", "today"),
    ],
)
def test_dates_that_contradict_the_header_are_not_believed(tmp_path: Path, begin: str, end: str) -> None:
    row = one_exposure(tmp_path, **{"DATE-BEG": begin, "DATE-END": end})
    assert row["mjd"] == pytest.approx(Time("2019-05-21T18:38:00", scale="utc").mjd, abs=MJD_TOLERANCE)


def test_without_exptime_the_time_is_unknown_or_that_of_the_dates(tmp_path: Path) -> None:
    row = one_exposure(tmp_path, EXPTIME=None)
    assert (row["exptime"], row["mjd"], row["bjd_tdb"], row["lmjm"]) == (None, None, None, LMJM)
    dates = {"DATE-BEG": "2019-05-22T02:28:30.0", "DATE-END": "2019-05-22T02:48:30.0"}
    row = one_exposure(tmp_path, EXPTIME=None, **dates)
    assert row["mjd"] == pytest.approx(Time("2019-05-21T18:38:30", scale="utc").mjd, abs=MJD_TOLERANCE)


def coadd_row(tmp_path: Path, cards: dict[str, Any], exptimes: list[float | None]) -> dict[str, Any]:
    """Read a blue coadd with its exposures every 24 minutes."""
    base = standard_arms(len(exptimes))
    hdus = [primary_hdu(), arm_hdu(Arm(base[0].name, {"SNR": 9.0} | cards, *arms_of(base[0])))]
    for arm, exptime in zip(base[2:], exptimes, strict=False):
        kept = {"LMJM": arm.cards["LMJM"]} | ({} if exptime is None else {"EXPTIME": exptime})
        hdus.append(arm_hdu(Arm(arm.name, kept, *arms_of(arm))))
    return read_spectra(write_spectra(tmp_path / "coadd.fits", hdus)).table.to_pylist()[0]


def minute(number: int, exptime: float) -> float:
    return (LMJM + 24 * number) / 1440 - 8 / 24 + exptime / 172800


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"LMJMLIST": f"{LMJM}-{LMJM + 24}-{LMJM + 48}"},
        {"LMJMLIS0": f"{LMJM}-{LMJM + 24}", "LMJMLIS1": str(LMJM + 48)},
        {"LMJMLIS1": f"{LMJM}-{LMJM + 24}", "LMJMLIS0": LMJM + 48},
    ],
)
def test_coadd_is_the_weighted_middle_of_its_exposures(tmp_path: Path, cards: dict[str, Any]) -> None:
    row = coadd_row(tmp_path, cards, [1200, 600, 300])
    middle = (1200 * minute(0, 1200) + 600 * minute(1, 600) + 300 * minute(2, 300)) / 2100
    assert row["mjd"] == pytest.approx(middle, abs=MJD_TOLERANCE)
    assert (row["lmjm"], row["exptime"], row["n_exposures"]) == (LMJM, 2100.0, 3)


def test_coadd_of_fewer_and_of_other_exposures_than_the_file_has(tmp_path: Path) -> None:
    row = coadd_row(tmp_path, {"LMJMLIST": f"{LMJM + 24}-{LMJM + 72}"}, [1200, 600, 300])
    middle = (minute(1, 600) + minute(3, 600)) / 2  # the one that is not there: as long as the one that is
    assert row["mjd"] == pytest.approx(middle, abs=MJD_TOLERANCE)
    assert (row["lmjm"], row["exptime"], row["n_exposures"]) == (LMJM + 24, 1200.0, 2)


def test_coadd_with_an_exposure_without_exptime(tmp_path: Path) -> None:
    row = coadd_row(tmp_path, {}, [600, None, 600])
    assert row["mjd"] == pytest.approx(minute(1, 600), abs=MJD_TOLERANCE)
    assert row["exptime"] == 1800.0


def test_coadd_alone(tmp_path: Path) -> None:
    known = coadd_row(tmp_path, {"LMJMLIST": f"{LMJM + 24}-{LMJM}"}, [])
    assert (known["lmjm"], known["exptime"], known["n_exposures"], known["mjd"]) == (LMJM, None, 2, None)
    unknown = coadd_row(tmp_path, {}, [])
    assert [unknown[k] for k in ("lmjm", "exptime", "n_exposures", "mjd", "bjd_tdb")] == [None] * 5
    assert unknown["flux"] is not None


def test_coadd_of_exposures_of_zero_seconds(tmp_path: Path) -> None:
    row = coadd_row(tmp_path, {}, [0, 0])
    assert row["exptime"] == 0.0
    assert row["mjd"] == pytest.approx((minute(0, 0) + minute(1, 0)) / 2, abs=MJD_TOLERANCE)


def test_missing_snr_is_low(tmp_path: Path) -> None:
    row = one_exposure(tmp_path, SNR=None)
    assert (row["snr"], row["low_snr"]) == (None, True)
    assert one_exposure(tmp_path, SNR=-9999.0)["snr"] is None
    assert one_exposure(tmp_path, SNR=2.0)["low_snr"] is False


def test_content_not_name_says_what_is_gzipped(tmp_path: Path) -> None:
    plain = read_spectra(write_spectra(tmp_path / "a.fits")).table.drop_columns("source_file")
    zipped = write_spectra(tmp_path / "b.fits", gz=True)
    shutil.copy(tmp_path / "a.fits", tmp_path / "c.fits.gz")
    assert read_spectra(zipped).table.drop_columns("source_file").equals(plain)
    assert read_spectra(tmp_path / "c.fits.gz").table.drop_columns("source_file").equals(plain)
