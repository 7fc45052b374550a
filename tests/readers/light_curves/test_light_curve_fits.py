"""FITS light curves against astropy's reading of the same files, and damaged ones."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from made_curves import BKJD, BTJD, mission_file, table, times, write

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.light_curves.quality import FLAGS, MFLAGS_SHIFT
from lkmrs_dask.readers.light_curves.reading import light_curve_files, read_light_curve
from lkmrs_dask.readers.light_curves.table_format import TableFormat
from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.light_curves.classes import make_signal
from lkmrs_dask.synthetic.light_curves.curve import observe
from lkmrs_dask.synthetic.light_curves.headers import file_bytes, file_name
from lkmrs_dask.synthetic.light_curves.photometry import detection, photometry
from lkmrs_dask.synthetic.light_curves.segments import segments
from lkmrs_dask.synthetic.light_curves.signal import Numbers, Source
from lkmrs_dask.synthetic.orbit import Orbit

REAL = ("lc_kepler_eb", "lc_kepler_rot", "lc_kepler_planet", "lc_k2", "lc_tess", "lc_tess_dsct")
NAN = float("nan")


def plain(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times (BJD_TDB) and corrected flux by astropy, column by column as the authors' notes say."""
    with fits.open(file, memmap=False) as hdus:
        data, header = hdus[1].data, hdus[1].header
        names = {name.upper() for name in data.names}
        time = data["TIME"].astype(float) + header.get("BJDREFI", BKJD) + header.get("BJDREFF", 0.0)
        if "TRTIME" in names:
            flux = data["flux"] + data["trtime"] - np.nanmedian(data["trtime"])
        elif "DETFLUX" in names:
            flux = data["DETFLUX"]
        elif "BKG" in names:
            flux = data["flux"][:, int(np.argmin(hdus[2].data["cdpp6"]))]
        else:
            flux = data["PDCSAP_FLUX"]
        flux = np.asarray(flux, float)
    good = np.isfinite(time) & np.isfinite(flux)
    return time[good], flux[good]


def test_every_real_file_is_as_astropy_reads_it(shared: Path) -> None:
    files = [file for place in REAL for file in sorted((shared / "data" / place).glob("*.fits"))]
    assert len(files) == 20
    for file in files:
        curve = read_light_curve(file)
        time, flux = plain(file)
        assert len(curve) == len(time), file.name
        assert curve.time[0] == time[0], file.name
        assert curve.time[-1] == time[-1], file.name
        np.testing.assert_array_equal(curve.time, time)
        np.testing.assert_array_equal(curve.flux, flux)
        with fits.open(file, memmap=False) as hdus:
            header = hdus[0].header
            assert curve.n_missing == len(hdus[1].data) - len(time)
            assert curve.target_id == header.get("TICID", header.get("KEPLERID"))
            assert (curve.ra, curve.dec) == (header["RA_OBJ"], header["DEC_OBJ"])
            known = header.get("SECTOR", header.get("CAMPAIGN", header.get("QUARTER")))
            assert curve.segment == (1 if known is None else known)  # that of ketu is in its name alone
        assert curve.time_scale == "BJD_TDB"
        assert curve.source_file == file.name


@pytest.mark.parametrize(
    ("name", "author", "product", "unit", "cadence"),
    [
        ("lc_kepler_rot/kplr009726699-2009350155506_llc.fits", "Kepler", "PDCSAP_FLUX", "e-/s", "long"),
        ("lc_k2/ktwo211121743-c04_llc.fits", "K2", "PDCSAP_FLUX", "e-/s", "long"),
        ("lc_k2/ktwo201121245-c01_lpd-lc.fits", "ketu", "FLUX[17]", "e-/s", "long"),
        ("lc_k2/hlsp_k2sc_k2_llc_211099743-c04_kepler_v2_lc.fits", "K2SC", "PDC", "e-/s", "long"),
        (
            "lc_k2/hlsp_k2varcat_k2_lightcurve_211121743-c04_kepler_v2_llc.fits",
            "K2VARCAT", "DETFLUX", "relative", "long",
        ),
        (
            "lc_tess/tess2018206045859-s0001-0000000358108509-0120-s_lc.fits",
            "SPOC", "PDCSAP_FLUX", "e-/s", "short",
        ),
    ],
)  # fmt: skip
def test_what_a_real_file_is(
    shared: Path, name: str, author: str, product: str, unit: str, cadence: str
) -> None:
    curve = read_light_curve(shared / "data" / name)
    assert (curve.author, curve.product, curve.unit, curve.cadence) == (author, product, unit, cadence)
    assert curve.star.split()[0] in ("KIC", "EPIC", "TIC")


def test_two_authors_see_the_same_star_at_the_same_times(shared: Path) -> None:
    place = shared / "data/lc_k2"
    mission = read_light_curve(place / "ktwo211121743-c04_llc.fits")
    varcat = read_light_curve(place / "hlsp_k2varcat_k2_lightcurve_211121743-c04_kepler_v2_llc.fits")
    at = np.searchsorted(mission.time, varcat.time).clip(1, len(mission) - 1)
    apart = np.minimum(abs(mission.time[at] - varcat.time), abs(mission.time[at - 1] - varcat.time))
    # They agree to what the archive changed in its times from one release to the next: a second.
    assert np.median(apart) < 1.0 / 86400.0
    assert mission.star == varcat.star == "EPIC 211121743"


@pytest.mark.parametrize("mission", ["kepler", "k2", "tess"])
def test_synthetic_files_come_back_as_they_were_made(mission: str, tmp_path: Path) -> None:
    identifiers = {"kepler": (9_726_698, 0), "k2": (201_000_002, 0), "tess": (0, 67_768_222)}
    kic, tic = identifiers[mission]
    source = Source(
        number=17, uid="G00000000000017", kic=kic, tic=tic, ra=297.0, dec=46.0, pmra=5.0, pmdec=-12.0, g=12.0,
        bp_rp=0.6, teff=7600.0, logg=4.1, feh=0.0, variable_class="DSCT", period=0.093,
        orbit=Orbit(*[np.array(NAN)] * 5),
    )  # fmt: skip
    segment = segments(mission)[0]
    bright = photometry(mission, source.g, source.bp_rp)
    numbers = Numbers(Draws(3), source.number)
    made = observe(
        source, make_signal(source, numbers, detection([(segment, bright)])), segment, bright, numbers
    )
    file = tmp_path / f"{file_name(source, made)}.gz"
    file.write_bytes(gzip.compress(file_bytes(source, made), 1))
    for flux, column in (("corrected", "PDCSAP_FLUX"), ("raw", "SAP_FLUX")):
        curve = read_light_curve(file, flux=flux)
        true = made.columns[column]
        good = np.isfinite(made.columns["TIME"]) & np.isfinite(true)
        zero = BTJD if mission == "tess" else BKJD
        np.testing.assert_array_equal(curve.time, zero + made.columns["TIME"][good])
        np.testing.assert_array_equal(curve.flux, true[good].astype(np.float32))  # as files have it
        np.testing.assert_array_equal(curve.flux_err, made.columns[f"{column}_ERR"][good].astype(np.float32))
        np.testing.assert_array_equal(curve.quality, made.columns["QUALITY"][good])
        assert curve.product == column
    assert curve.target_id == kic + tic
    assert curve.segment == segment.number
    # The truth is in BJD_TDB - 2400000.5, whose sum with the zero rounds to 4e-5 s.
    whole = np.isfinite(made.columns["TIME"]) & np.isfinite(made.columns["SAP_FLUX"])
    np.testing.assert_allclose(curve.time - 2400000.5, made.bjd[whole], rtol=0, atol=1e-9)


@pytest.mark.parametrize("mission", ["Kepler", "K2", "TESS"])
def test_points_without_time_or_flux_are_left_out_and_counted(mission: str, tmp_path: Path) -> None:
    curve = read_light_curve(mission_file(tmp_path / "a.fits", mission))
    assert (len(curve), curve.n_missing) == (38, 2)
    assert curve.mission == mission
    assert curve.flux[:2].tolist() == [1000.0, 1003.0]
    assert curve.flux_err[0] == 1.5
    assert curve.good().sum() == 37
    assert curve.good("none").all()
    assert curve.good(0).all()


def test_short_cadence_is_told_by_its_length(tmp_path: Path) -> None:
    short = read_light_curve(mission_file(tmp_path / "kplr001234567-2010_slc.fits", TIMEDEL=58.85 / 86400))
    assert short.cadence == "short"
    assert short.exptime == pytest.approx(58.85)
    fast = read_light_curve(mission_file(tmp_path / "b.fits", "TESS", TIMEDEL=20.0 / 86400))
    assert (fast.cadence, fast.author) == ("short", "SPOC")
    untold = read_light_curve(mission_file(tmp_path / "c.fits", TIMEDEL=None))
    assert untold.exptime == pytest.approx(86400 * 0.0204336, rel=1e-6)


def qlp(path: Path, sector: int, corrected: str) -> Path:
    n = 30
    flux = 1.0 + 1e-3 * np.sin(np.arange(n))
    quality = np.zeros(n, np.int32)
    quality[4], quality[5], quality[6] = 1 << 12, 1 << 30, 1 << 5
    columns = {
        "TIME": ("D", times(n, 1500.0, 600.0 / 86400), "BJD-2457000, days"),
        "CADENCENO": ("J", np.arange(n), None),
        "SAP_FLUX": ("E", flux + 0.1, None),
        corrected: ("E", flux, None),
        f"{corrected}_ERR": ("E", np.full(n, 3e-4), None),
        "QUALITY": ("J", quality, None),
    }
    head = {"TELESCOP": "TESS", "ORIGIN": "MIT/QLP", "TICID": 277554109, "SECTOR": sector,
            "RA_OBJ": 10.0, "DEC_OBJ": -20.0}  # fmt: skip
    return write(path, columns, head, {"BJDREFI": 2457000, "TIMEUNIT": "d"})


@pytest.mark.parametrize(("sector", "column", "own"), [(11, "KSPSAP_FLUX", 4), (56, "DET_FLUX", 5)])
def test_qlp(tmp_path: Path, sector: int, column: str, own: int) -> None:
    file = qlp(tmp_path / "hlsp_qlp_tess_ffi_tess_v01_llc.fits", sector, column)
    curve = read_light_curve(file)
    assert (curve.author, curve.product, curve.unit, curve.segment) == ("QLP", column, "relative", sector)
    assert curve.cadence == "long"
    assert curve.time[0] == BTJD + 1500.0
    assert np.flatnonzero(~curve.good()).tolist() == [6]
    assert own in np.flatnonzero(~curve.good("hard"))
    raw = read_light_curve(file, flux="raw")
    assert raw.product == "SAP_FLUX"
    assert raw.flux_err[0] == np.float32(3e-4)  # QLP gives no other


def test_k2sff_takes_the_best_aperture_and_marks_moving_points(tmp_path: Path) -> None:
    n = 20
    moving = np.zeros(n, np.int16)
    moving[5] = 1

    def aperture(shift: float, name: str) -> fits.BinTableHDU:
        columns = {
            "T": ("D", times(n, 2200.0), "BJD - 2454833"),
            "FRAW": ("D", np.full(n, shift), None),
            "FCOR": ("D", np.full(n, shift + 0.5), None),
            "MOVING": ("I", moving, None),
            "CADENCENO": ("J", np.arange(n), None),
        }
        return table(columns, name=name)

    head = {"TELESCOP": "Kepler", "MISSION": "K2", "OBJECT": "EPIC 201367065", "KEPLERID": 201367065,
            "CAMPAIGN": 1, "RA_OBJ": 172.0, "DEC_OBJ": -1.4}  # fmt: skip
    file = tmp_path / "hlsp_k2sff_k2_lightcurve_201367065-c01_kepler_v1_llc.fits"
    first = fits.PrimaryHDU()
    first.header.update(head)
    fits.HDUList([first, aperture(7.0, "CIRC_APER0"), aperture(1.0, "BESTAPER")]).writeto(file)
    curve = read_light_curve(file)
    assert (curve.author, curve.product, curve.mission, curve.segment) == ("K2SFF", "FCOR", "K2", 1)
    assert curve.flux[0] == 1.5
    assert read_light_curve(file, flux="raw").flux[0] == 1.0
    assert curve.time[0] == BKJD + 2200.0
    assert np.isnan(curve.flux_err).all()
    assert curve.quality[5] == FLAGS["K2"]["thruster firing"]
    assert np.flatnonzero(~curve.good()).tolist() == [5]


def test_k2sc_gives_variation_and_original_back(shared: Path) -> None:
    file = shared / "data/lc_k2/hlsp_k2sc_k2_llc_211099743-c04_kepler_v2_lc.fits"
    with fits.open(file, memmap=False) as hdus:
        data = hdus["SAP"].data
        good = np.isfinite(data["flux"])
        both = sum(data[name] - np.nanmedian(data[name]) for name in ("trtime", "trposi"))
        original = (data["flux"] + both)[good]
        own = data["mflags"][good].astype(int)
    raw = read_light_curve(file, flux="raw")
    np.testing.assert_allclose(raw.flux, original, rtol=1e-14)  # sums in another order
    assert raw.product == "SAP"
    np.testing.assert_array_equal(raw.quality >> MFLAGS_SHIFT, own)
    detrended = read_light_curve(file, flux="FLUX")
    variable = read_light_curve(file)
    assert np.std(np.diff(detrended.flux)) > 0
    assert not np.array_equal(detrended.flux, variable.flux)


def test_utc_becomes_tdb(tmp_path: Path) -> None:
    tdb = read_light_curve(mission_file(tmp_path / "a.fits"))
    utc = read_light_curve(mission_file(tmp_path / "b.fits", TIMESYS="UTC"))
    # 2009: 34 leap seconds; float64 days resolve 4e-5 s.
    np.testing.assert_allclose(86400 * (utc.time - tdb.time), 34 + 32.184, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TIMESYS": "GPS"}, "unknown time scale TIMESYS = 'GPS'"),
        ({"TIMEREF": "LOCAL"}, "not those at the solar system's barycentre"),
        ({"TUNIT4": "Jansky"}, "unknown unit of flux 'Jansky'"),
        ({"BJDREFI": None, "TUNIT1": "d"}, "what times are counted from is unknown"),
    ],
)
def test_times_and_units_that_are_not_known(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    file = mission_file(tmp_path / "a.fits", **changes)
    with pytest.raises(InputError, match=message) as caught:
        read_light_curve(file)
    assert str(file) in str(caught.value)


def test_a_zero_in_the_unit_serves_where_the_header_has_none(tmp_path: Path) -> None:
    curve = read_light_curve(mission_file(tmp_path / "a.fits", BJDREFI=None, BJDREFF=None))
    assert curve.time[0] == BKJD + 300.0


def test_damaged_files(tmp_path: Path) -> None:
    whole = mission_file(tmp_path / "a.fits").read_bytes()
    cases = {
        "cut.fits": (whole[:-2880], "truncated FITS"),
        "head.fits": (whole[:400], "truncated FITS"),
        "empty.fits": (b"", "empty"),
        "blank.fits": (b" \n \n", "empty"),
        "text.fits": (b"<html>not found</html>", "no row of numbers"),
        "cut.fits.gz": (gzip.compress(whole)[:-40], "truncated gzip"),
    }
    for name, (data, message) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=message):
            read_light_curve(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        read_light_curve(tmp_path / "absent.fits")
    with pytest.raises(InputError, match="directory"):
        read_light_curve(tmp_path)


def test_files_without_a_light_curve(tmp_path: Path) -> None:
    n = 5
    other = write(tmp_path / "other.fits", {"WAVE": ("D", np.arange(n), None)}, {})
    with pytest.raises(InputError, match="no light curve of a known kind: it has WAVE"):
        read_light_curve(other)
    fits.PrimaryHDU().writeto(tmp_path / "none.fits")
    with pytest.raises(InputError, match="no binary table"):
        read_light_curve(tmp_path / "none.fits")
    missing = write(
        tmp_path / "missing.fits",
        {"TIME": ("D", np.arange(n), None), "SAP_FLUX": ("E", np.ones(n), None)},
        {},
    )
    with pytest.raises(InputError, match="it has TIME, SAP_FLUX"):
        read_light_curve(missing)
    none = np.full(n, np.nan)
    columns = dict.fromkeys(("SAP_FLUX", "PDCSAP_FLUX"), ("D", none, "e-/s"))
    nothing = write(tmp_path / "nan.fits", {"TIME": ("D", np.arange(n), None), **columns}, {}, {"BJDREFI": 0})
    with pytest.raises(InputError, match="none of 5 points has both a time and a flux"):
        read_light_curve(nothing)
    with pytest.raises(InputError, match="no rows"):
        read_light_curve(empty(tmp_path / "rows.fits"))


def empty(path: Path) -> Path:
    columns = {name: ("D", np.empty(0), "e-/s") for name in ("SAP_FLUX", "PDCSAP_FLUX")}
    return write(path, {"TIME": ("D", np.empty(0), None), **columns}, {}, {"BJDREFI": 0})


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damage_anywhere_is_an_input_error_or_harmless(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        file = mission_file(Path(folder) / "a.fits", data.draw(st.sampled_from(["Kepler", "K2", "TESS"])))
        blob = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 8))):
            # The headers: beyond them a byte is a number like any other.
            blob[data.draw(st.integers(0, len(blob) - 5761))] = data.draw(
                st.sampled_from(b"0123456789 'DEJIT=/")
            )
        file.write_bytes(bytes(blob))
        try:
            curve = read_light_curve(file)
        except InputError:
            return
        assert np.isfinite(curve.time).all()
        assert np.isfinite(curve.flux).all()


def test_fluxes_by_name(tmp_path: Path) -> None:
    file = mission_file(tmp_path / "a.fits")
    assert read_light_curve(file, flux="sap_flux").flux[0] == 2000.0
    with pytest.raises(InputError, match="no column KSPSAP_FLUX"):
        read_light_curve(file, flux="KSPSAP_FLUX")
    with pytest.raises(UsageError, match="flux must be"):
        read_light_curve(file, flux="")


def test_columns_of_ones_own_in_fits(tmp_path: Path) -> None:
    columns = {"when": ("D", times(30, 100.0), None), "light": ("E", np.ones(30), None)}
    file = write(tmp_path / "own.fits", columns, {}, {"BJDREFI": 2454833})
    form = TableFormat(time="WHEN", flux="light", unit="relative")
    curve = read_light_curve(file, table=form)
    assert curve.time[0] == BKJD + 100.0
    with pytest.raises(InputError, match="no table with rows has the columns absent"):
        read_light_curve(file, table=replace(form, time="absent"))


def test_positions_that_make_no_sense_are_none(tmp_path: Path) -> None:
    curve = read_light_curve(mission_file(tmp_path / "a.fits", DEC_OBJ=95.0))
    assert np.isnan(curve.ra)
    assert np.isnan(curve.dec)
    nameless = mission_file(tmp_path / "kplr007654321-2010_llc.fits", KEPLERID=None, QUARTER=None)
    curve = read_light_curve(nameless)
    assert (curve.target_id, curve.segment, curve.star) == (7654321, None, "KIC 7654321")


def test_files_of_folders(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    one, two = mission_file(deep / "x.fits"), mission_file(tmp_path / "y.fits")
    assert light_curve_files(tmp_path, two) == sorted([one, two])
    with pytest.raises(UsageError, match="there is no file or folder"):
        light_curve_files(tmp_path / "absent")
    (tmp_path / "c").mkdir()
    with pytest.raises(UsageError, match="no FITS files"):
        light_curve_files(tmp_path / "c")
