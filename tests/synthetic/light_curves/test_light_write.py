from __future__ import annotations

import hashlib
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from light_stars import DRAWS, read, spectrum, star, strongest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.external.identifiers import kic_epic_ids, tic_ids
from lkmrs_dask.synthetic.ledger import Ledger, make_ledger
from lkmrs_dask.synthetic.light_curves.sources import sources
from lkmrs_dask.synthetic.light_curves.write import (
    TRUTH,
    TRUTH_SCHEMA,
    LightCurveSettings,
    write_light_curves,
    write_star,
)
from lkmrs_dask.synthetic.orbit import Orbit

REAL = {
    "kepler": ("lc_kepler_eb", "kplr005023948-2011177032512_llc.fits"),
    "k2": ("lc_k2", "ktwo211121743-c04_llc.fits"),
    "tess": ("lc_tess_dsct", "HD23157_tess2021232031932-s0042-0000000067768222-0213-s_lc.fits"),
}
PLAIN = LightCurveSettings(compress_tess=False)
STARS: dict[str, dict[str, Any]] = {
    "DSCT": {"teff": 7600.0, "period": 0.093},
    "GDOR": {"teff": 7000.0, "period": 0.81},
    "hybrid": {"teff": 7300.0, "period": 0.9},
    "RRL": {"teff": 6600.0, "logg": 2.8, "period": 0.563},
    "RSCVn": {"teff": 4800.0, "logg": 3.2, "period": 5.3},
    "rotation": {"teff": 4500.0, "logg": 4.6, "period": 3.1},
    "uncertain": {"period": 2.2},
}


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return make_ledger(0.02, 1)


@pytest.fixture(scope="module")
def survey(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("survey")
    write_light_curves(folder, ledger)
    return folder


def one_file(folder: Path, mission: str, **changes: Any) -> tuple[Path, dict[str, Any]]:
    """Write one light curve of one star."""
    ids: dict[str, dict[str, Any]] = {
        "kepler": {"kic": 9_726_698},
        "k2": {"kic": 211_121_742, "ra": 57.0, "dec": 24.0},
    }
    tess: dict[str, Any] = {"kic": 0, "tic": 67_768_220, "ra": 56.0, "dec": 24.0}
    where = ids.get(mission, tess)
    (folder / mission).mkdir()
    (row,) = write_star(star(**(where | changes)), folder, DRAWS, PLAIN)
    assert row["mission"] == mission
    return folder.parent / row["file"].replace("light_curves", folder.name), row


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("mission", REAL)
def test_files_have_the_form_of_released_ones(shared: Path, tmp_path: Path, mission: str) -> None:
    path, _ = one_file(tmp_path, mission)
    folder, name = REAL[mission]
    with fits.open(path) as made, fits.open(shared / "data" / folder / name) as real:
        made.verify("exception")
        assert [hdu.name for hdu in made] == [hdu.name for hdu in real]
        for attribute in ("names", "formats", "units", "disps", "nulls", "dims"):
            assert getattr(made[1].columns, attribute) == getattr(real[1].columns, attribute)
        assert made[1].data.dtype == real[1].data.dtype
        for ours, theirs in zip(made, real, strict=True):
            differing = {"CHECKSUM", "COMMENT"}
            known = {re.sub(r"^TMOFST\d\d", "TMOFST", key) for key in theirs.header} - differing
            assert {re.sub(r"^TMOFST\d\d", "TMOFST", key) for key in ours.header} - differing == known
            for key in (
                "BJDREFI",
                "BJDREFF",
                "TIMEDEL",
                "TELESCOP",
                "TIMESYS",
                "NUM_FRM",
                "OBSMODE",
                "MISSION",
            ):
                assert ours.header.get(key) == theirs.header.get(key)
        for key in (
            "RA_OBJ",
            "DEC_OBJ",
            "KEPMAG",
            "TESSMAG",
            "KEPLERID",
            "TICID",
            "QUARTER",
            "CAMPAIGN",
            "SECTOR",
        ):
            assert type(made[0].header.get(key)) is type(real[0].header.get(key))
        # Missing values: NaN in numbers, 0 in TIMECORR, cadence numbers and flags everywhere.
        gap = np.isnan(made[1].data["TIME"])
        assert gap.any()
        assert (made[1].data["TIMECORR"][gap] == 0).all()
        assert np.isnan(made[1].data["SAP_FLUX"][gap]).all()
        assert np.isnan(made[1].data["PSF_CENTR1"]).all()
        assert (np.diff(made[1].data["CADENCENO"]) == 1).all()


def test_headers_say_that_data_are_synthetic(tmp_path: Path) -> None:
    for mission in REAL:
        path, _ = one_file(tmp_path, mission)
        header = fits.getheader(path, 0)
        assert "Synthetic" in str(header["COMMENT"])
        assert header["ORIGIN"] == "lkmrs_dask"
        assert header.get("SIMDATA", True) is True


@pytest.mark.parametrize("mission", REAL)
@pytest.mark.parametrize("kind", STARS)
def test_strongest_frequency_comes_back(tmp_path: Path, kind: str, mission: str) -> None:
    path, row = one_file(tmp_path, mission, variable_class=kind, **STARS[kind])
    time, flux = read(path)
    frequency, amplitude = spectrum(time, flux, 24.0)
    if mission == "k2":  # the thrusters' line and its harmonics
        line = np.abs(frequency / 4.078 - np.rint(frequency / 4.078)) < 0.02
        amplitude = np.where(line & (frequency > 1.0), 0.0, amplitude)
    found, snr = strongest(frequency, amplitude)
    # A tenth of the resolution is the grid's step; close modes and modulation shift peaks by a few more.
    assert abs(found - 1.0 / STARS[kind]["period"]) < 0.35 / (time[-1] - time[0])
    assert snr > 5.6
    assert row["period"] == pytest.approx(STARS[kind]["period"])


@pytest.mark.parametrize("mission", REAL)
@pytest.mark.parametrize("period", [0.42, 2.7])
def test_period_of_an_eclipsing_binary_comes_back(tmp_path: Path, mission: str, period: float) -> None:
    orbit = Orbit(*(np.array(v) for v in (period, 60.0, 0.0, 0.4, 0.2)))
    path, _ = one_file(
        tmp_path, mission, variable_class="EB", teff=6000.0, logg=4.2, orbit=orbit, period=period
    )
    time, flux = read(path)
    found, snr = strongest(*spectrum(time, flux, 20.0))
    times_orbital = found * period
    assert abs(times_orbital - round(times_orbital)) < 0.35 * period / (time[-1] - time[0])
    assert round(times_orbital) in (1, 2, 3, 4)
    assert snr > 5.6


@pytest.mark.parametrize("mission", REAL)
def test_red_giant_has_its_power_at_nu_max(tmp_path: Path, mission: str) -> None:
    path, row = one_file(tmp_path, mission, variable_class="RG", teff=4800.0, logg=2.5, g=10.0)
    time, flux = read(path)
    frequency, amplitude = spectrum(time, flux, 20.0)
    found, _ = strongest(frequency, np.where(frequency > 0.5, amplitude, 0.0))
    centre, width = row["nu_max"] * 0.0864, 0.66 * row["nu_max"] ** 0.88 * 0.0864
    assert abs(found - centre) < 1.5 * width
    # The hump is wide: noise is taken above it, not next to its highest mode.
    beside = amplitude[(frequency > centre + 1.5 * width) & (frequency < centre + 3.0 * width)]
    assert amplitude[frequency > 0.5].max() > 5.6 * np.median(beside)


@pytest.mark.parametrize("mission", REAL)
@pytest.mark.parametrize("g", [10.0, 13.0])
def test_constant_stars_show_the_noise_and_no_peak(tmp_path: Path, mission: str, g: float) -> None:
    number = next(n for n in range(100) if not _hides(n))
    path, row = one_file(tmp_path, mission, g=g, number=number)
    assert row["frequencies"] == []
    assert np.isnan(row["period"])
    time, flux = read(path)
    steps = np.diff(flux)[np.diff(time) < 1.5 * np.median(np.diff(time))]
    # By the median, so that spikes do not count; 4,000 points give it to 2 %; K2's thrusters add some.
    scatter = 1.4826 * np.median(np.abs(steps)) / np.sqrt(2)
    assert scatter == pytest.approx(row["white_ppt"], rel=0.15 if mission == "k2" else 0.06)
    frequency, amplitude = spectrum(time, flux, 24.0)
    amplitude = np.where(frequency > 0.5, amplitude, 0.0)
    if mission == "k2":
        line = np.abs(frequency / 4.078 - np.rint(frequency / 4.078)) < 0.02
        amplitude = np.where(line, 0.0, amplitude)
    assert strongest(frequency, amplitude)[1] < 5.6


def _hides(number: int) -> bool:
    from lkmrs_dask.synthetic.counters import Purpose

    return bool(DRAWS.uniform(Purpose.LIGHT_SHAPE, number, 0) <= 0.25)


def test_spikes_and_flags_are_there(tmp_path: Path) -> None:
    path, row = one_file(tmp_path, "kepler")
    with fits.open(path) as hdus:
        data = hdus[1].data
        flux, quality = data["PDCSAP_FLUX"].astype(np.float64), data["SAP_QUALITY"]
        sap = data["SAP_FLUX"].astype(np.float64)
    relative = 1e3 * (flux / np.nanmedian(flux) - 1.0)
    assert 0 < np.sum(relative > 5 * row["white_ppt"]) < 25
    for bit in (1 << 7, 1 << 11, 1 << 13, 1 << 5):
        assert (quality & bit).any()
    assert np.isnan(flux[(quality & (1 << 11)) > 0]).all()
    # Systematics are larger before their removal than after it.
    assert np.nanstd(sap) / np.nanmedian(sap) > 2 * np.nanstd(flux) / np.nanmedian(flux)


def test_quotas_and_names_of_a_survey(survey: Path, ledger: Ledger) -> None:
    truth = pq.read_table(survey / TRUTH)
    assert truth.schema.equals(TRUTH_SCHEMA)
    rows = truth.to_pylist()
    missions = [row["mission"] for row in rows]
    assert len(rows) - missions.count("tess") == ledger.quotas.kepler_photometry
    assert missions.count("tess") == ledger.quotas.tess_photometry
    by_uid = {row["uid"]: row["class"] for row in rows}
    found = {kind: list(by_uid.values()).count(kind) for kind in ledger.quotas.classes}
    assert found == dict(ledger.quotas.classes)

    form = {
        "kepler": r"kplr(\d{9})-\d{13}_llc\.fits",
        "k2": r"ktwo(\d{9})-c\d\d_llc\.fits",
        "tess": r"tess\d{13}-s00\d\d-(\d{16})-\d{4}-s_lc\.fits\.gz",
    }
    kept = {str(path.relative_to(survey)) for path in (survey / "light_curves").rglob("*.fits*")}
    assert kept == {row["file"] for row in rows}
    for row in rows:
        match = re.fullmatch(form[row["mission"]], Path(row["file"]).name)
        assert match is not None
        assert int(match[1]) == row["identifier"]
        assert (row["mission"] == "k2") == (201_000_000 < row["identifier"] < 300_000_000) or row[
            "mission"
        ] == "tess"


def test_files_agree_with_the_ledger(survey: Path, ledger: Ledger) -> None:
    stars = ledger.stars
    ids = {True: tic_ids(ledger), False: kic_epic_ids(ledger)}
    place = {uid: at for at, uid in enumerate(stars.uid_of(np.arange(len(stars))))}
    for row in pq.read_table(survey / TRUTH).to_pylist():
        at = place[row["uid"]]
        tess = row["mission"] == "tess"
        assert row["identifier"] == ids[tess][at]
        with fits.open(survey / row["file"]) as hdus:
            header = hdus[0].header
            assert header["TICID" if tess else "KEPLERID"] == row["identifier"]
            assert header["RA_OBJ"] == pytest.approx(stars.ra[at], abs=1e-6)
            assert header["DEC_OBJ"] == pytest.approx(stars.dec[at], abs=1e-6)
            assert (
                header[{"kepler": "QUARTER", "k2": "CAMPAIGN", "tess": "SECTOR"}[row["mission"]]]
                == row["segment"]
            )
            assert np.isfinite(hdus[1].data["PDCSAP_FLUX"]).mean() > 0.8
        if row["class"] and row["class"] not in ("RG", "EB"):
            assert row["period"] == pytest.approx(stars.variable_period[at])
        if row["class"] == "EB":
            assert row["period"] == pytest.approx(stars.orbit.period[at])


def test_bytes_do_not_depend_on_the_split(survey: Path, ledger: Ledger, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        write_light_curves(tmp_path / "processes", ledger, pool)
    assert hashes(tmp_path / "processes") == hashes(survey)


def test_more_quarters_add_files_and_change_none_of_the_truth(tmp_path: Path) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    small = make_ledger(0.004, 1)
    with ThreadPoolExecutor(2) as pool:
        write_light_curves(few, small, pool, PLAIN)
        write_light_curves(many, small, pool, replace(PLAIN, quarters=3, campaigns=2, sectors=2))
    one, two = (
        {row["uid"]: row for row in pq.read_table(place / TRUTH).to_pylist()} for place in (few, many)
    )
    assert one.keys() == two.keys()
    assert len(list(many.rglob("*.fits"))) > len(list(few.rglob("*.fits")))
    for uid, row in one.items():
        assert row["class"] == two[uid]["class"]


def test_replaces_its_own_files_only(tmp_path: Path) -> None:
    small = make_ledger(0.001, 1)
    write_light_curves(tmp_path, small)
    before = hashes(tmp_path)
    (tmp_path / "light_curves" / "kepler" / "old.fits").write_bytes(b"")
    write_light_curves(tmp_path, small)
    assert hashes(tmp_path) == before
    (tmp_path / "light_curves" / "SYNTHETIC.txt").unlink()
    with pytest.raises(UsageError, match="something else"):
        write_light_curves(tmp_path, small)
    assert (tmp_path / "light_curves" / "kepler").is_dir()


def test_a_star_without_identifier_is_refused(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="no TIC identifier"):
        sources(ledger, kic_epic_ids(ledger), np.zeros(len(ledger.stars), np.int64))


@pytest.mark.parametrize("name", ["quarters", "campaigns", "sectors"])
def test_settings_are_checked(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} must be at least 1"):
        replace(LightCurveSettings(), **{name: 0})  # type: ignore[arg-type]
