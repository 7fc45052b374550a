"""`lkmrs frequencies` on files on disk."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from lkmrs_dask.cli import main
from lkmrs_dask.products.figures import frequencies as figure
from lkmrs_dask.variability.sparse import best_period


@pytest.fixture
def curve(tmp_path: Path) -> Path:
    """Ten millimagnitudes at 7.5 a day, and a weaker one, over thirty days."""
    rng = np.random.default_rng(1)
    time = 55_000.0 + np.sort(rng.uniform(0, 30, 1500))
    mag = (
        0.010 * np.sin(2 * np.pi * 7.5 * time)
        + 0.004 * np.sin(2 * np.pi * 3.21 * time)
        + rng.normal(0, 1e-3, 1500)
    )
    path = tmp_path / "star.txt"
    path.write_text("# time mag\n" + "".join(f"{t:.6f} {m:.6f}\n" for t, m in zip(time, mag, strict=True)))
    return path


def test_frequencies_as_json(curve: Path) -> None:
    """The errors of the frequencies are some 1e-4 a day."""
    done = CliRunner().invoke(main, ["frequencies", str(curve), "--json"])
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.output)
    assert found["n_points"] == 1500
    assert {"file", "baseline_d", "noise_definition"} <= found.keys()
    rows = found["frequencies"]
    assert [row["frequency"] for row in rows[:2]] == pytest.approx([7.5, 3.21], abs=1e-3)
    assert rows[0]["snr"] > rows[1]["snr"] > 5.6
    names = {"frequency", "frequency_err", "amplitude", "amplitude_err", "phase", "snr", "harmonic_of"}
    assert names | {"combination_of"} <= rows[0].keys()


def test_a_file_that_cannot_be_used_is_told_and_the_others_are_done(curve: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["frequencies", str(tmp_path / "none.txt"), str(curve)])
    assert done.exit_code == 1
    assert "none.txt" in done.output
    assert re.search(r" 7\.(49|50)", done.output)


def test_a_table_without_a_header_has_a_unit_of_its_own(curve: Path) -> None:
    lines = curve.read_text().splitlines()[1:]
    curve.write_text("\n".join(lines) + "\n")
    done = CliRunner().invoke(main, ["frequencies", str(curve), "--json", "--most", "1"])
    (found,) = json.loads(done.output)
    assert found["unit"] == "as in the file"
    assert found["frequencies"][0]["amplitude"] == pytest.approx(0.010, rel=0.02)


def made(folder: Path, kic: int, quarter: int, amplitude: float = 5e-3, n: int = 600) -> Path:
    """A quarter of a star that varies 2.5 times a day; quarters have levels of their own."""
    time = 100.0 * quarter + 200.0 + 0.0204336 * np.arange(n)
    noise = np.random.default_rng(kic + quarter).normal(0, 2e-4, n)
    flux = 1e4 * quarter * (1 + amplitude * np.sin(2 * np.pi * 2.5 * time) + noise)
    columns = [
        fits.Column("TIME", "D", unit="BJD - 2454833", array=time),
        fits.Column("SAP_FLUX", "D", unit="e-/s", array=flux),
        fits.Column("PDCSAP_FLUX", "D", unit="e-/s", array=flux),
        fits.Column("SAP_QUALITY", "J", array=np.zeros(n)),
    ]
    first = fits.PrimaryHDU()
    first.header.update({"TELESCOP": "Kepler", "MISSION": "Kepler", "KEPLERID": kic, "QUARTER": quarter})
    hdu = fits.BinTableHDU.from_columns(columns, name="LIGHTCURVE")
    hdu.header.update({"BJDREFI": 2454833, "TIMESYS": "TDB", "TIMEDEL": 0.0204336})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"kplr{kic:09d}-q{quarter:02d}_llc.fits"
    fits.HDUList([first, hdu]).writeto(path)
    return path


def told(*arguments: object) -> list[dict[str, Any]]:
    done = CliRunner().invoke(main, ["frequencies", "--json", *map(str, arguments)])
    found: list[dict[str, Any]] = json.loads(done.output)
    assert done.exit_code == int(any("error" in one for one in found)), done.output
    return found


def test_files_of_a_star_are_joined_where_that_is_asked_for(tmp_path: Path) -> None:
    """Amplitudes are relative to each quarter's level; the error of a frequency falls with the baseline."""
    one = [made(tmp_path, 11, quarter) for quarter in (2, 1, 4)]
    other = made(tmp_path, 7, 1)
    files = [one[0], tmp_path / "none.fits", other, *one[1:], one[0]]
    alone = told(*files)
    assert [row["file"] for row in alone] == [str(file) for file in files]
    assert not any("files" in row for row in alone)
    joined = told(*files, "--stitch")
    assert [row["file"] for row in joined] == [str(file) for file in files[:3]]
    assert [row["files"] for row in joined] == [
        [str(file) for file in some] for some in (one, files[1:2], [other])
    ]
    assert "no such file" in joined[1]["error"]
    assert joined[0]["n_points"] == 3 * 600
    assert joined[0]["baseline_d"] == pytest.approx(300 + 599 * 0.0204336)
    assert joined[0]["star"] == "KIC 11"
    best, first = joined[0]["frequencies"][0], alone[0]["frequencies"][0]
    assert best["frequency"] == pytest.approx(2.5, abs=1e-4)
    assert best["amplitude"] == pytest.approx(5e-3, rel=0.02)
    assert best["frequency_err"] < 0.2 * first["frequency_err"]


def test_a_file_of_a_star_that_cannot_be_joined_is_told(tmp_path: Path) -> None:
    files = [made(tmp_path, 11, 1), made(tmp_path, 11, 2, n=5)]
    (joined,) = told(*files, "--stitch")
    assert joined["n_points"] == 600
    assert joined["left_out"][0]["file"] == files[1].name
    assert "fewer than 10" in joined["left_out"][0]["reason"]
    done = CliRunner().invoke(main, ["frequencies", *map(str, files), "--stitch"])
    assert "KIC 11 (2 files)" in done.output
    assert f"left out: {files[1].name}" in done.output


def test_a_folder_gives_its_files_in_order(tmp_path: Path, curve: Path) -> None:
    files = [made(tmp_path / "fits", kic, 1) for kic in (3, 2)]
    (tmp_path / "empty").mkdir()
    found = told(curve, tmp_path / "fits", tmp_path / "empty", "--most", "1")
    assert [one["file"] for one in found[:3]] == [str(file) for file in (curve, *sorted(files))]
    assert "has no FITS files" in found[3]["error"]


def test_figures_never_take_each_others_names(
    tmp_path: Path, curve: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same name in two folders, two endings in one, and a file that is given twice."""

    def named(time: Any, flux: Any, found: Any, path: Path, **more: Any) -> list[Path]:
        path.parent.mkdir(parents=True, exist_ok=True)
        paths = [path.with_name(f"{path.name}.{end}") for end in ("png", "pdf")]
        for one in paths:
            one.touch(exist_ok=False)
        return paths

    monkeypatch.setattr(figure, "figure_frequencies", named)
    other = tmp_path / "b" / "star.txt"
    other.parent.mkdir()
    twins = [tmp_path / "t" / "Twin.dat", tmp_path / "t" / "twin.csv"]
    twins[0].parent.mkdir()
    for path in (other, *twins):
        path.write_bytes(curve.read_bytes())
    files = [curve, other, *twins, made(tmp_path, 5, 1), tmp_path / "kplr000000005-q01_llc.fits"]
    out = tmp_path / "figures" / "new"
    found = told(*files, "--to", out, "--most", "1")
    names = [Path(one["figure"]).name for one in found]
    assert names == [
        f"{curve.parent.name}_star_frequencies.png",
        "b_star_frequencies.png",
        "Twin_dat_frequencies.png",
        "twin_csv_frequencies.png",
        "kplr000000005-q01_llc_frequencies.png",
        "kplr000000005-q01_llc_2_frequencies.png",
    ]
    ends = [name.removesuffix(".png") + end for name in names for end in (".png", ".pdf")]
    assert sorted(path.name for path in out.iterdir()) == sorted(ends)


def test_figures_go_to_the_current_folder(
    tmp_path: Path, curve: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    files = [made(tmp_path, 11, quarter) for quarter in (1, 2)]
    done = CliRunner().invoke(main, ["frequencies", str(curve), *map(str, files), "--plot", "--stitch"])
    assert done.exit_code == 0, done.output
    assert "figure: KIC_11_frequencies.png" in done.output
    names = {f"{name}_frequencies.{end}" for name in ("star", "KIC_11") for end in ("png", "pdf")}
    assert {path.name for path in Path().iterdir()} == names


def test_options_of_tables(tmp_path: Path) -> None:
    """Two bands with different signals in one file; times from anything; columns by name and by number."""
    time = np.linspace(0, 25, 900)
    rows = [
        f"{t + 3:.6f},{band},{m + 12:.6f}"
        for band, f, a in (("g", 3.3, 0.02), ("r", 1.7, 0.05))
        for t, m in zip(time, a * np.cos(2 * np.pi * f * time), strict=True)
    ]
    path = tmp_path / "two.csv"
    path.write_text("day,band,brightness\n" + "\n".join(rows) + "\n")
    (found,) = told(path, "--time", "day", "--flux", "brightness", "--unit", "mag", "--where", "band=g")
    assert found["n_points"] == 900
    assert found["time_scale"] == "relative"
    assert found["unit"] == "relative flux"
    best = found["frequencies"][0]
    assert best["frequency"] == pytest.approx(3.3, abs=1e-3)
    assert best["amplitude"] == pytest.approx(0.02 * 0.4 * np.log(10), rel=0.01)
    (same,) = told(
        path, "--time", "0", "--flux", "2", "--where", "band=r", "--zero", "2450000", "--f-max", "2"
    )
    assert same["time_scale"] == "assumed"
    assert 2450003 < same["time_zero"] < 2450028
    assert same["unit"] == "as in the file"
    # Nothing is divided by the mean magnitude.
    assert same["frequencies"][0]["amplitude"] == pytest.approx(0.05, rel=0.01)
    assert max(row["frequency"] for row in same["frequencies"]) < 2
    (wrong,) = told(path)
    assert "--flux" in wrong["error"]
    (wrong,) = told(path, "--time", "hour", "--flux", "brightness")
    assert "no such column; it has day, band, brightness" in wrong["error"]


def test_columns_of_a_fits_table(tmp_path: Path) -> None:
    time = np.linspace(0, 25, 900)
    columns = [
        fits.Column("T", "D", array=time + 2450000),
        fits.Column("F", "D", array=20 * np.cos(2 * np.pi * 3.3 * time)),
    ]
    path = tmp_path / "mine.fits"
    fits.BinTableHDU.from_columns(columns).writeto(path)
    (wrong,) = told(path)
    assert "--time and --flux" in wrong["error"]
    (found,) = told(path, "--time", "T", "--flux", "F", "--unit", "ppt")
    assert found["frequencies"][0]["amplitude"] == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--unit", "Jy"], "unit must be"),
        (["--zero", "monday"], "zero must be"),
        (["--where", "band"], "COLUMN=TEXT"),
        (["--snr", "0"], "snr_min must be"),
    ],
)
def test_settings_that_make_no_sense(curve: Path, options: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["frequencies", str(curve), *options])
    assert done.exit_code == 2
    assert said in done.output


def test_tables_of_unknown_unit_are_not_joined(tmp_path: Path, curve: Path) -> None:
    files = [tmp_path / "kic1_a.txt", tmp_path / "kic1_b.txt"]
    for path in files:
        path.write_text("\n".join(curve.read_text().splitlines()[1:]))
    (joined,) = told(*files, "--stitch")
    assert "--unit" in joined["error"]


def test_help_fits_a_terminal() -> None:
    text = CliRunner().invoke(main, ["frequencies", "--help"], terminal_width=80).output
    assert max(len(line) for line in text.splitlines()) <= 80


def test_real_light_curves_give_a_result_or_say_what_to_do(shared: Path) -> None:
    """Every kind of file."""
    data = shared / "data"
    some = [
        *sorted((data / "lc_k2").iterdir()),
        data / "lc_kepler_redgiant" / "11618103_LC.txt",
        data / "lc_kepler_redgiant" / "syd_results.txt",
        data / "lc_kepler_dsct" / "kic9651065_lc.txt",
    ]
    found = told(*some, "--most", "2")
    errors = [one for one in found if "error" in one]
    assert [Path(one["file"]).name for one in errors] == ["syd_results.txt"]
    assert "say which with --time" in errors[0]["error"]


def test_quarters_of_a_real_binary(shared: Path) -> None:
    """KIC 5023948: twice the period of the strongest frequency is that of the orbit, to its error."""
    (binary,) = told(shared / "data" / "lc_kepler_eb", "--most", "1", "--stitch")
    assert len(binary["files"]) == 9
    assert 2 / binary["frequencies"][0]["frequency"] == pytest.approx(3.6492928, rel=1e-4)


def test_real_rr_lyrae_in_one_band(shared: Path) -> None:
    """Sixty points: the highest peak lies at the period of the catalogue, or at an alias of a day."""
    path = shared / "data" / "lc_rrlyr_s82" / "light-curves" / "1013184.csv"
    (found,) = told(path, "--where", "band=g", "--f-max", "6", "--snr", "4.5")
    assert found["n_points"] == 60
    away = found["frequencies"][0]["frequency"] - 1 / 0.614318300907
    assert away == pytest.approx(round(away), abs=5e-3)


def in_bands(folder: Path, name: str = "bands.csv", rows: int = 90) -> Path:
    """A sawtooth of 0.55 d; each night has one of three bands, or two; the last row has none."""
    rng = np.random.default_rng(9)
    time = (
        53_000.0 + 365.25 * rng.integers(0, 4, rows) + rng.permutation(100)[:rows] + rng.normal(0, 0.1, rows)
    )
    lines = []
    for at, (t, noise) in enumerate(zip(time, rng.normal(0, 0.02, rows), strict=True)):
        band, mean, amplitude = (("g", 17.2, 1.0), ("r", 16.9, 0.7), ("i", 16.8, 0.5))[at % 3]
        phase = 2 * np.pi * t / 0.55
        wave = 0.4 * sum(np.sin(k * phase) / k for k in (1, 2, 3))
        lines.append(f"{t:.6f},{mean + amplitude * wave + noise:.4f},0.02,{band}")
    path = folder / name
    path.write_text("\n".join(["time,mag,magerr,Filter", *lines, "53010.5,99.99,0.02,"]) + "\n")
    return path


def test_bands_together_have_a_best_period(tmp_path: Path) -> None:
    """By the name of the column or its number; a point without a band is left out."""
    path = in_bands(tmp_path)
    limits = ("--harmonics", 3, "--f-min", 1, "--f-max", 4)
    (found,) = told(path, "--band", "filter", *limits)
    assert found["bands"] == {"g": 30, "i": 30, "r": 30}
    assert found["n_points"] == found["best_period"]["n_points"] == 90
    assert found["best_period"]["n_bands"] == 3
    assert found["best_period"]["period"] == pytest.approx(0.55, rel=1e-4)
    assert "frequencies" not in found
    assert told(path, "--band", 3, *limits) == [found]
    done = CliRunner().invoke(main, ["frequencies", str(path), "--band", "Filter", *map(str, limits)])
    assert done.exit_code == 0, done.output
    assert "30 in g, 30 in i, 30 in r, over" in done.output
    assert re.search(r"best period 0\.5[45]\d+ d, .* less likely by a factor e\^\d", done.output)
    (alone,) = told(path, "--where", "Filter=g", *limits)
    assert alone["best_period"]["n_bands"] == 1
    assert alone["n_points"] == 30


def test_bands_need_to_be_chosen(tmp_path: Path) -> None:
    path = in_bands(tmp_path)
    (found,) = told(path)
    assert "choose the rows of one by where" in found["error"]
    assert "--band COLUMN --harmonics 3" in found["error"]
    for more, said in {
        (): "give --harmonics too, or choose one band by --where, for instance band=g",
        ("--harmonics", "3", "--stitch"): "leave out --stitch or --band",
        ("--harmonics", "3", "--plot"): "leave out --plot or --band",
        ("--harmonics", "3", "--to", "there"): "leave out --to or --band",
        ("--harmonics", "3", "--snr", "4", "--most", "50"): "leave out --snr, --most or --band",
        ("--harmonics", "3", "--noise", "median"): "leave out --noise or --band",
    }.items():
        done = CliRunner().invoke(main, ["frequencies", str(path), "--band", "filter", *more])
        assert done.exit_code != 0
        assert f"best period only: {said}" in " ".join(done.output.split())


LIMITS = ("--harmonics", "3", "--f-min", "1", "--f-max", "4")


def changed(path: Path, cells: dict[int, tuple[int, str]], more: str = "") -> None:
    """Write other texts into cells, by row: column and text."""
    lines = path.read_text().splitlines()
    for row, (column, text) in cells.items():
        words = lines[row].split(",")
        words[column] = text
        lines[row] = ",".join(words)
    path.write_text("\n".join(lines) + "\n" + more)


def both(path: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """As JSON and in words."""
    (found,) = told(path, *arguments)
    return found, CliRunner().invoke(main, ["frequencies", str(path), *arguments]).output


@pytest.mark.parametrize("wrong", ["0", "nan", ""])
def test_points_without_an_error_are_left_out(tmp_path: Path, wrong: str) -> None:
    """The others keep their weights."""
    path = in_bands(tmp_path)
    # Errors as large as the signal for every third night: without weights they would count.
    changed(path, dict.fromkeys(range(1, 91, 4), (2, "3.0")))
    changed(path, {5: (2, wrong), 6: (2, wrong)})
    found, words = both(path, "--band", "filter", *LIMITS)
    best = found["best_period"]
    assert (best["weights"], best["n_without_error"], best["n_points"]) == ("errors", 2, 88)
    assert "left out: 2 points without an error above 0" in words
    data = [line.split(",") for line in path.read_text().splitlines()[1:-1]]
    data = [row for row in data if row[2] != wrong]
    time, mag, error = (np.array([float(row[at]) for row in data]) for at in range(3))
    plain = best_period(time, mag, error, 1.0, 4.0, band=[row[3] for row in data])
    # The file's times are counted from another zero.
    assert best["period"] == pytest.approx(plain.period, rel=1e-9)
    assert best["power"] == pytest.approx(plain.power, rel=1e-6)


def test_without_most_errors_all_points_weigh_the_same(tmp_path: Path) -> None:
    path = in_bands(tmp_path)
    changed(path, dict.fromkeys(range(1, 80), (2, "")))
    found, words = both(path, "--band", "filter", *LIMITS)
    best = found["best_period"]
    assert (best["weights"], best["n_without_error"], best["n_points"]) == ("equal", 79, 90)
    assert "all points weigh the same: 79 points have no error above 0" in words


def test_a_placeholder_is_left_out_and_told(tmp_path: Path) -> None:
    path = in_bands(tmp_path)
    changed(path, {7: (1, "99.99")})
    for more in (("--band", "filter"), ("--where", "filter=g")):
        found, words = both(path, *more, *LIMITS)
        assert found["best_period"]["n_off"] == 1
        assert "left out: 1 point, off the band's median" in words
        if more[0] == "--band":
            assert found["bands"] == {"g": 29, "i": 30, "r": 30}
            assert found["best_period"]["period"] == pytest.approx(0.55, rel=1e-4)


def test_a_band_of_one_point_is_told_as_left_out(tmp_path: Path) -> None:
    path = in_bands(tmp_path)
    changed(path, {}, "53020.5,17.0,0.02,Y\n")
    found, words = both(path, "--band", "filter", *LIMITS)
    assert found["bands"] == {"g": 30, "i": 30, "r": 30}
    assert found["bands_left_out"] == {"Y": 1}
    assert "30 in r, over" in words
    assert "left out: band Y, with 1 point" in words


def test_one_band_is_fitted_as_several(tmp_path: Path) -> None:
    """Magnitudes, not relative flux, by either way."""
    path = in_bands(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *(line for line in lines if line.endswith(",g"))]) + "\n")
    (one,), (several,) = (told(path, *more, *LIMITS) for more in (("--where", "filter=g"), ("--band", "3")))
    assert one["best_period"] == several["best_period"]


def test_limits_are_told_in_the_users_numbers(tmp_path: Path) -> None:
    (found,) = told(in_bands(tmp_path), "--band", "filter", "--harmonics", 3, "--f-max", "1e7")
    assert "not 1e+07" in found["error"]
    assert "60000000" not in found["error"]


def test_a_file_without_bands_is_told_and_the_others_are_done(tmp_path: Path) -> None:
    files = [made(tmp_path, 3, 1), in_bands(tmp_path, "few.csv", 6), in_bands(tmp_path)]
    found = told(*files, "--band", "Filter", "--harmonics", 3, "--f-min", 1, "--f-max", 4)
    assert "text tables" in found[0]["error"]
    assert "6 points of 6 can be used" in found[1]["error"]
    assert found[2]["best_period"]["period"] == pytest.approx(0.55, rel=1e-4)
    (wrong,) = told(files[2], "--band", "colour", "--harmonics", 3)
    assert "there is no such column" in wrong["error"]


def test_too_few_points_for_harmonics_are_told(tmp_path: Path) -> None:
    path = tmp_path / "few.txt"
    path.write_text("# time mag\n" + "".join(f"{t * 1.3:.2f} {np.sin(3.0 * t):.4f}\n" for t in range(12)))
    (found,) = told(path, "--harmonics", 5, "--f-max", 0.3)
    assert "5 harmonics need at least 14" in found["error"]
