"""A survey's files, read with the csv module and astropy, against the truth written beside them."""

from __future__ import annotations

from collections import Counter, defaultdict

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from survey_files import (
    CATALOGUE_HEADER,
    FRACTION,
    N_STARS,
    OURS,
    Files,
    Row,
    fault,
    fits_spectra,
    key,
    number,
    read_binary,
    read_stellar,
    read_text,
)

from lkmrs_dask.synthetic.survey import make_survey
from lkmrs_dask.synthetic.truth import read_truth


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("survey")
    truth = make_survey(folder, FRACTION, seed=3, flux_stars=2, dirt=0.02, external=False, light_curves=False)
    good: list[Row] = []
    aside, lines = Counter[str](), {}
    numbers = [
        name for name in CATALOGUE_HEADER if name.startswith(("rv", "ra", "dec", "snr", "lmj", "fiberid"))
    ]
    read_binary(folder / "mrs_catalogue/dr11_v2.0_MRS_catalogue_2023.fits.gz", good, aside)
    for path in sorted((folder / "mrs_catalogue").glob("*.csv.gz")):
        header, rows = read_text(path, "|")
        assert header == CATALOGUE_HEADER
        lines[f"mrs_catalogue/{path.name}"] = ["|".join(header), *("|".join(row) for row in rows)]
        for fields in rows:
            reason = fault(header, fields, numbers)
            if reason:
                aside[reason] += 1
            else:
                good.append(dict(zip(header, fields, strict=True)))
    stellar = read_stellar(folder, aside)
    header, rows = read_text(folder / "mrs_stellar/dr11_v2.0_MRS_stellar.csv.gz", ",")
    lines["mrs_stellar/dr11_v2.0_MRS_stellar.csv.gz"] = [",".join(header), *(",".join(row) for row in rows)]
    return Files(folder, truth, good, aside, stellar, lines)


def test_counts_of_spectra(files: Files) -> None:
    with_flux = [row for row in fits_spectra(files.folder) if row["planid"].endswith(OURS)]
    everything = {key(row): row for row in [*files.good, *with_flux]}
    counts = files.truth.counts
    assert counts["n_spectra"] == len(everything)
    assert counts["n_coadd"] == sum(row["coadd"] == "1" for row in everything.values())
    assert counts["n_single"] == counts["n_spectra"] - counts["n_coadd"]
    assert counts["n_plates"] == len({(row["planid"], row["lmjd"]) for row in everything.values()})
    singles = [row for row in everything.values() if row["coadd"] == "0"]
    assert counts["n_exposures"] == len({(row["planid"], row["lmjm"]) for row in singles})
    # A night's year is that of its evening, the day before LMJD.
    years = Counter(
        str(np.datetime64("1858-11-17") + int(row["lmjd"]) - 1)[:4] for row in everything.values()
    )
    table = {str(row["year"]): row for row in files.truth.years.to_pylist()}
    assert {year: row["n_spectra"] for year, row in table.items()} == years
    for name in ("n_spectra", "n_single", "n_coadd", "n_plates", "n_exposures", "n_teff", "n_rv"):
        assert sum(row[name] for row in table.values()) == counts[name]


def test_counts_of_parameters_and_stars(files: Files) -> None:
    counts = files.truth.counts
    distinct = {row["mobsid"]: row for row in files.stellar}
    for name, column in (
        ("n_teff", "teff_lasp"), ("n_logg", "logg_lasp"), ("n_feh", "feh_lasp"), ("n_rv", "rv_br1"),
        ("n_vsini", "vsini_lasp"), ("n_alpha_m", "alpha_m_lasp"),
    ):  # fmt: skip
        assert counts[name] == sum(column in row for row in distinct.values()), name
    times = Counter(row["uid"] for row in distinct.values())
    assert counts["n_stars_with_parameters"] == len(times)
    assert counts["n_stars_with_3_coadds"] == sum(n >= 3 for n in times.values())
    seen = {row["uid"] for row in files.good} | set(times)
    field = dict(zip(*(files.truth.stars.column(name).to_pylist() for name in ("uid", "field")), strict=True))
    assert counts["n_stars"] == len(seen)
    assert counts["n_stars_kepler"] == sum(field[uid] == "Kepler" for uid in seen)
    assert counts["n_stars_k2"] == sum(field[uid] == "K2" for uid in seen)
    assert counts["n_stars"] == counts["n_stars_kepler"] + counts["n_stars_k2"]
    assert set(field) >= seen


def test_rows_set_aside(files: Files) -> None:
    aside = Counter(files.aside)
    spectra = fits_spectra(files.folder)
    others = {row["file"] for row in spectra if not row["planid"].endswith(OURS)}
    ours = {key(row) for row in spectra if row["file"] not in others}
    aside["plan not wanted"] += len(others)  # a file of another plan counts once
    # Rows that say a second time what another row, or a FITS file, says.
    keys = Counter(key(row) for row in files.good)
    aside["repeated key"] += sum(n - 1 for n in keys.values()) + len(ours & set(keys))
    aside["repeated key"] += len(files.stellar) - len({row["mobsid"] for row in files.stellar})
    assert dict(aside) == dict(files.truth.rows_set_aside)
    assert len(others) == 1


def test_dirt_is_where_the_truth_says(files: Files) -> None:
    dirt = files.truth.dirt.to_pylist()
    for name in ("mrs_catalogue", "mrs_stellar"):
        for form, kinds in (("csv.gz", 6), ("fits.gz", 4)):
            some = [row for row in dirt if row["file"].startswith(name) and row["file"].endswith(form)]
            assert len({row["kind"] for row in some}) == kinds, (name, form)
    assert len({row["file"] for row in dirt}) == 8
    share = sum(row["file"].startswith("mrs_catalogue") for row in dirt) / files.truth.counts["n_spectra"]
    assert share == pytest.approx(0.02, abs=5 * np.sqrt(0.02 / files.truth.counts["n_spectra"]))
    for row in dirt:
        if row["file"].endswith("fits.gz"):
            continue
        lines = files.lines[row["file"]]
        delimiter = "|" if row["file"].startswith("mrs_catalogue") else ","
        line, before = lines[row["row"] - 1], lines[row["row"] - 2]  # an editor counts from 1
        assert line.split(delimiter)[0] == before.split(delimiter)[0]  # the good row stands before its copy
        fields = dict(zip(lines[0].split(delimiter), line.split(delimiter), strict=False))
        if row["kind"] == "repeated row":
            assert line == before
        elif row["kind"] == "missing field":
            assert line.count(delimiter) == lines[0].count(delimiter) - 1
        elif row["kind"] == "null coordinates":
            assert number(fields["ra"]) is None
            assert number(fields["dec"]) is None
        elif row["kind"] == "text in a number column":
            with pytest.raises(ValueError, match="float"):
                number(fields[row["column"]])
        else:
            assert fields[row["column"]] == {"ra 400": "400.0", "dec -95": "-95.0"}[row["kind"]]


def test_binary_dirt_is_where_the_truth_says(files: Files) -> None:
    dirt = [row for row in files.truth.dirt.to_pylist() if row["file"].endswith("fits.gz")]
    for name in sorted({row["file"] for row in dirt}):
        with fits.open(files.folder / name) as hdus:
            data = hdus[1].data
            for row in (row for row in dirt if row["file"] == name):
                copy, before = data[row["row"] - 1], data[row["row"] - 2]  # records count from 1
                assert copy["mobsid"] == before["mobsid"]
                place = copy["ra"], copy["dec"]
                assert {
                    "ra 400": place[0] == 400,
                    "dec -95": place[1] == -95,
                    "null coordinates": place == (-9999, -9999),
                    "repeated row": place == (before["ra"], before["dec"]),
                }[row["kind"]]


def test_rows_are_like_those_of_the_release(files: Files) -> None:
    names = [row["mobsid"] for row in files.good]
    dirt = files.truth.dirt.to_pylist()
    repeated = sum(row["kind"] == "repeated row" and "catalogue" in row["file"] for row in dirt)
    assert len(names) - len(set(names)) == repeated
    fibres = defaultdict(set)
    for row in files.good:
        assert int(row["obsid"]) % 100_000 == int(row["spid"]) * 1000 + int(row["fiberid"])
        assert int(row["lmjd"]) == int(row["mjd"]) + 1
        assert np.datetime64(row["obsdate"]) - np.datetime64("1858-11-17") == np.timedelta64(
            int(row["mjd"]), "D"
        )
        # UTC is 8 h behind: the exposure began in the UTC day `mjd`.
        assert int(row["lmjm"]) - 480 - int(row["mjd"]) * 1440 in range(1440)
        assert row["designation"][0] == "J"
        assert len(row["designation"]) == 19
        assert len(row["uid"]) == 15
        assert row["gaia_source_id"].lstrip("-").isdigit()
        assert (row["uid"][0] == "G") == (row["gaia_source_id"] != "-9999")
        assert round(float(row["snr"]), 2) == float(row["snr"])
        assert row["band"] in "BR"
        fibres[row["obsid"]].add((row["uid"], row["planid"], row["lmjd"]))
    assert all(len(stars) == 1 for stars in fibres.values())
    for file, text in files.lines.items():
        if file.startswith("mrs_catalogue"):
            head = text[0].split("|")
            dates = [line.split("|")[head.index("obsdate")] for line in text[1:]]
            year = Counter(date[:4] for date in dates).most_common(1)[0][0]
            assert file == f"mrs_catalogue/dr11_v2.0_MRS_catalogue_{year}.csv.gz"


def test_each_exposure_gives_two_rows_and_most_visits_two_coadds(files: Files) -> None:
    visits = defaultdict(list)
    for row in {row["mobsid"]: row for row in files.good}.values():
        visits[row["uid"], row["planid"], row["lmjd"]].append(row)
    without, odd = 0, 0
    for of_visit in visits.values():
        singles = [row for row in of_visit if row["coadd"] == "0"]
        minutes = {row["lmjm"] for row in singles}
        assert 2 <= len(minutes) <= 8
        bands = Counter((row["lmjm"], row["band"]) for row in singles)
        assert set(bands.values()) == {1}
        odd += len(singles) % 2
        coadds = sorted(row["band"] for row in of_visit if row["coadd"] == "1")
        assert coadds in ([], ["B", "R"])
        without += not coadds
        assert len({(row["ra"], row["dec"], row["designation"], row["obsid"]) for row in of_visit}) == 1
    years = files.truth.years.to_pylist()
    assert odd == sum(year["n_single"] % 2 for year in years)
    assert 0.03 < without / len(visits) < 0.12


def test_positions(files: Files) -> None:
    truth = files.truth.stars.to_pydict()
    place = {uid: at for at, uid in enumerate(truth["uid"])}
    rows = list({(row["uid"], row["planid"]): row for row in files.good}.values())
    true = SkyCoord(
        [truth["ra"][place[row["uid"]]] for row in rows],
        [truth["dec"][place[row["uid"]]] for row in rows],
        unit="deg",
    )
    given = SkyCoord([float(row["ra"]) for row in rows], [float(row["dec"]) for row in rows], unit="deg")
    # A Gaussian of 0.4 arcsec in two coordinates, cut at 1.45; six decimals are 0.0026 arcsec.
    away = true.separation(given).arcsec
    assert np.mean(away**2) == pytest.approx(0.16, abs=4 * 0.16 / np.sqrt(len(away)))
    assert 0.8 < away.max() < 1.453
    by_star = defaultdict(list)
    for row, position in zip(rows, given, strict=True):
        by_star[row["uid"]].append(position)
        plan = row["planid"]
        if plan.startswith("TD"):
            text = f"{plan[2:4]}h{plan[4:6]}m{plan[6:8]}s +{plan[9:11]}d{plan[11:13]}m{plan[13:15]}s"
            assert position.separation(SkyCoord(text)) < 2.5 * u.deg
    shared = [positions for positions in by_star.values() if len(positions) > 1]
    assert len(shared) > 10
    apart = [positions[0].separation(positions[1]).arcsec for positions in shared]
    assert 0.1 < max(apart) < 2.91


def test_measurements_scatter_about_the_truth(files: Files) -> None:
    truth = {row["uid"]: row for row in files.truth.stars.to_pylist()}
    laws = {
        "teff": (1593, -1.16, 9.5), "logg": (2.32, -1.15, 0.02), "feh": (1.42, -1.07, 0.01),
        "alpha_m": (0.56, -0.92, 0.01), "rv": (139.51, -2.08, 0.71),
    }  # fmt: skip
    distinct = {row["mobsid"]: row for row in files.stellar}.values()
    for name, (a, b, c) in laws.items():
        column = "rv_br1" if name == "rv" else f"{name}_lasp"
        scaled = []
        for row in distinct:
            star = truth[row["uid"]]
            if column in row and not (name == "rv" and star["is_rv_variable"]):
                sigma = a * float(row["snr"]) ** b + c
                scaled.append((float(row[column]) - star[name]) / sigma)
                error = "rv_br1_err" if name == "rv" else f"{column}_err"
                # Two or three decimals, a hundredth of the smallest error or more.
                assert float(row[error]) == pytest.approx(sigma, abs=0.0051)
        n = len(scaled)
        assert n > 200
        assert np.std(scaled) == pytest.approx(1.0, abs=4 / np.sqrt(2 * n))
        assert abs(np.mean(scaled)) < 4 / np.sqrt(n)


def test_binaries_follow_their_orbits(files: Files) -> None:
    """Velocities of single exposures against a plain orbit; the minute of an exposure is cut off."""
    truth = {row["uid"]: row for row in files.truth.stars.to_pylist() if row["is_rv_variable"]}
    scaled, raw = [], []
    distinct = {row["mobsid"]: row for row in files.good if row["uid"] in truth}
    for row in distinct.values():
        velocity, star = number(row["rv_br1"]), truth[row["uid"]]
        # A minute and the 8.3 light minutes that this plain orbit ignores are below 1 % of a slow turn.
        if velocity is None or row["coadd"] == "1" or row["band"] == "R" or star["period"] < 5:
            continue
        time = int(row["lmjm"]) / 1440 - 1 / 3 + 0.5 / 1440 + 600 / 86400 + 69.2 / 86400
        mean = 2 * np.pi * ((time - 58000.0) / star["period"] + star["phase"])
        angle = mean
        for _ in range(50):
            angle -= (angle - star["eccentricity"] * np.sin(angle) - mean) / (
                1 - star["eccentricity"] * np.cos(angle)
            )
        true = 2 * np.arctan(
            np.sqrt((1 + star["eccentricity"]) / (1 - star["eccentricity"])) * np.tan(angle / 2)
        )
        wave = np.cos(true + star["periastron"]) + star["eccentricity"] * np.cos(star["periastron"])
        sigma = 139.51 * float(row["snr"]) ** -2.08 + 0.71
        expected = star["rv"] + star["amplitude"] * wave
        scaled.append((velocity - expected) / sigma)
        raw.append((velocity - star["rv"]) / sigma)
    assert len(scaled) > 100
    # A few exposures of a night share their orbit's error: 15 % instead of 4 / sqrt(2 n).
    assert np.std(scaled) == pytest.approx(1.0, abs=0.15)
    assert np.std(raw) > 3


def test_spectra_files(files: Files) -> None:
    rows = {row["mobsid"]: row for row in files.good}
    by_key = {key(row): row for row in rows.values()}
    found = sorted((files.folder / "mrs_spectra").rglob("*.fits.gz"))
    assert any("T01" in path.name for path in found)
    stars = set()
    for path in found:
        with fits.open(path) as hdus:
            hdus.verify("exception")
            head = hdus[0].header
            name = (
                f"med-{head['LMJD']:05d}-{head['PLANID']}_sp{head['SPID']:02d}-{head['FIBERID']:03d}.fits.gz"
            )
            assert path.name == name
            assert path.parent.name == head["PLANID"]
            evening = np.datetime64("1858-11-17") + head["MJD"]
            assert path.parent.parent.name == str(evening)
            assert hdus[0].name == "Information"
            assert head["FILENAME"] == name.removesuffix(".gz")
            assert {"OBSID", "DESIG", "RA", "DEC", "MAG1", "HELIO", "SEEING", "FIBERTYP", "FIBERMAS"} <= set(
                head
            )
            exposures = head["NEXP_B"]
            assert [hdu.name for hdu in hdus[1:3]] == ["COADD_B", "COADD_R"]
            assert len(hdus) == 3 + 2 * exposures
            listed = "-".join(hdus[1].header[k] for k in sorted(hdus[1].header) if k.startswith("LMJMLI"))
            assert listed.split("-") == [hdu.header["LMJM"] for hdu in hdus[3 : 3 + exposures]]
            for hdu in hdus[1:]:
                coadd = hdu.name.startswith("COADD")
                masks = ["ANDMASK", "ORMASK"] if coadd else ["PIXMASK"]
                assert hdu.columns.names == ["FLUX", "IVAR", "WAVELENGTH", *masks]
                assert len(hdu.data) == 1
                assert hdu.header["LAMPLIST"] == "lampsc_med.dat"
                if not coadd:
                    assert hdu.name == f"{hdu.name[0]}-{hdu.header['LMJM']}"
                    assert hdu.header["EXPTIME"] == 1200
                    begin, end = (np.datetime64(hdu.header[k][:19]) for k in ("DATE-BEG", "DATE-END"))
                    minutes = (begin - np.datetime64("1858-11-17T00:00:00")) / np.timedelta64(60, "s")
                    assert int(minutes) == int(hdu.header["LMJM"])
                    assert end - begin == np.timedelta64(1200, "s")
                    # The published S/N is that of the pixels.
                    snr = float(hdu.header["SNR"])
                    blue_sky = np.sqrt(hdu.data["IVAR"][0]) * np.median(hdu.data["FLUX"][0])
                    assert np.median(blue_sky) == pytest.approx(snr, rel=0.15, abs=1.0)
                spectrum = {
                    "obsid": str(head["OBSID"]), "band": hdu.name[-1] if coadd else hdu.name[0],
                    "coadd": "1" if coadd else "0", "lmjm": "" if coadd else hdu.header["LMJM"],
                }  # fmt: skip
                row = by_key.get(key(spectrum))
                if row is not None:  # else another plan, or its row is dirty
                    assert float(row["snr"]) == hdu.header["SNR"]
                    assert float(row["ra"]) == head["RA"]
                    assert head["DESIG"] == f"LAMOST {row['designation']}"
                    assert row["planid"] == head["PLANID"]
                    stars.add(row["uid"])
    brightest = sorted(
        zip(files.truth.stars["g"].to_pylist(), files.truth.stars["uid"].to_pylist(), strict=True)
    )
    assert stars == {uid for _, uid in brightest[:2]}


def test_binary_tables_have_units(files: Files) -> None:
    common = {"ra": "deg", "dec_obs": "deg", "rv_b0_err": "km / s", "rv_br1": "km / s", "lmjm": "min",
              "gaia_g_mean_mag": "mag", "moon_angle": "deg", "snr": None, "mobsid": None}  # fmt: skip
    stellar = {
        "teff_lasp": "K",
        "teff_lasp_err": "K",
        "logg_lasp": "dex",
        "vsini_lasp": "km / s",
        "feh_cnn": "dex",
    }
    for name, units in (
        ("mrs_catalogue/dr11_v2.0_MRS_catalogue_2023", common),
        ("mrs_stellar/dr11_v2.0_MRS_stellar", common | stellar),
    ):
        with fits.open(files.folder / f"{name}.fits.gz") as hdus:
            assert {column: hdus[1].columns[column].unit for column in units} == units


def test_truth_is_read_back(files: Files) -> None:
    assert read_truth(files.folder / "truth") == files.truth
    assert files.truth.stars.num_rows == N_STARS
    assert files.truth.stars.column("period").null_count == N_STARS - sum(
        files.truth.stars.column("is_rv_variable").to_pylist()
    )
