"""Plain tables: the real ones by other means, and what can be wrong with made-up ones."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lkmrs_dask.errors import CatalogError, InputError, UsageError
from lkmrs_dask.pipeline.light_curve_import import table_format
from lkmrs_dask.pipeline.light_curve_inputs import LightCurveSpec
from lkmrs_dask.readers.light_curves.reading import read_light_curve
from lkmrs_dask.readers.light_curves.rows import to_table
from lkmrs_dask.readers.light_curves.stitching import stitch
from lkmrs_dask.readers.light_curves.table_format import TableFormat
from lkmrs_dask.readers.times import Site

RELATIVE = TableFormat(unit="relative")


def made(path: Path, text: str, form: TableFormat | None = None) -> Any:
    path.write_text(text)
    return read_light_curve(path, table=form)


def lines(start: float, n: int = 12, step: float = 0.02, gap: str = ",") -> str:
    return "".join(f"{start + step * k:.6f}{gap}{1 + 0.001 * k:.6f}\n" for k in range(n))


def test_k2_tables_of_two_columns(shared: Path) -> None:
    files = sorted((shared / "data/lc_k2").glob("*.csv"))
    assert len(files) == 4
    for file in files:
        rows = [[float(cell) for cell in line.split(",")[:2]] for line in file.read_text().splitlines()]
        curve = read_light_curve(file, table=RELATIVE)
        assert len(curve) == len(rows)
        assert curve.time[0] == 2454833.0 + rows[0][0]
        assert curve.time[-1] == 2454833.0 + rows[-1][0]
        np.testing.assert_array_equal(curve.flux, [row[1] for row in rows])
        assert (curve.mission, curve.time_scale) == ("K2", "assumed")
        assert str(curve.target_id) in file.name


def test_delta_scuti_stars_in_magnitudes(shared: Path) -> None:
    files = sorted((shared / "data/lc_kepler_dsct").glob("*_lc.txt"))
    assert len(files) == 4
    for file in files:
        rows = np.loadtxt(file)
        curve = read_light_curve(file, table=TableFormat(unit="mag"))
        assert len(curve) == len(rows)
        np.testing.assert_array_equal(curve.time, 2400000.0 + rows[:, 0])
        flux, _ = curve.relative()
        # Brighter is fewer magnitudes; 1.0857 mag make a factor e.
        usual = np.median(rows[:, 1])
        np.testing.assert_allclose(flux, np.exp((usual - rows[:, 1]) / 1.0857362), rtol=1e-6)
        assert curve.star == f"KIC {file.name[3:].split('_')[0]}"


def test_red_giants_with_an_arbitrary_zero(shared: Path) -> None:
    files = sorted((shared / "data/lc_kepler_redgiant").glob("*_LC.txt"))
    assert len(files) == 2
    for file in files:
        rows = np.loadtxt(file)
        form = TableFormat(
            unit="relative", zero="relative", mission="Kepler", target_id=int(file.name.split("_")[0])
        )
        curve = read_light_curve(file, table=form)
        assert (len(curve), curve.time_scale) == (len(rows), "relative")
        np.testing.assert_array_equal(curve.time, rows[:, 0])
        with pytest.raises(InputError, match="may be counted from anything"):
            read_light_curve(file, table=TableFormat(unit="relative", mission="Kepler"))


def test_rr_lyrae_by_band(shared: Path) -> None:
    files = sorted((shared / "data/lc_rrlyr_s82/light-curves").glob("*.csv"))
    assert len(files) >= 120
    for file in files:
        rows = [line.split(",") for line in file.read_text().splitlines()[1:]]
        rows = [row for row in rows if row[3] == "g" and row[1]]
        curve = read_light_curve(file, table=TableFormat(zero="mjd", where=(("band", "g"),)))
        assert curve.unit == "mag"
        np.testing.assert_array_equal(curve.time, [2400000.5 + float(row[0]) for row in rows])
        np.testing.assert_array_equal(curve.flux, [float(row[1]) for row in rows])
        np.testing.assert_array_equal(curve.flux_err, [float(row[2]) for row in rows])
        assert curve.name == file.stem


def test_bands_are_read_together(tmp_path: Path) -> None:
    """Points without a band or a flux are left out; so are rows that `where` does not take."""
    path = tmp_path / "bands.csv"
    path.write_text("t,mag,Band,site\n1.0,17,g,a\n2.0,16, r ,a\n3.0,18,,a\n4.0,,g,a\n5.0,19,10,b\n")
    for column in ("band", 2):
        curve = read_light_curve(path, table=TableFormat(zero="relative", band=column))
        assert curve.band is not None
        assert curve.band.tolist() == ["g", "r", "10"]
        assert curve.time.tolist() == [1.0, 2.0, 5.0]
        assert curve.n_missing == 2
    some = read_light_curve(path, table=TableFormat(zero="relative", band="band", where=(("site", "a"),)))
    assert some.band is not None
    assert some.band.tolist() == ["g", "r"]
    with pytest.raises(InputError, match="no such column"):
        read_light_curve(path, table=TableFormat(zero="relative", band="colour"))
    with pytest.raises(UsageError, match="band must be"):
        TableFormat(band=1.5)  # type: ignore[arg-type]


def test_bands_have_no_place_in_a_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "bands.csv"
    path.write_text("t,mag,band\n" + "".join(f"{t},{t % 3},{'gr'[t % 2]}\n" for t in range(30)))
    curve = read_light_curve(path, table=TableFormat(zero="relative", band="band"))
    with pytest.raises(CatalogError, match="several bands"):
        to_table([curve])
    with pytest.raises(CatalogError, match="several bands"):
        stitch([curve])
    with pytest.raises(UsageError, match="'band=filter' is not as KEY=VALUE"):
        table_format(["band=filter"])
    with pytest.raises(UsageError, match="one band"):
        LightCurveSpec(("*.csv",), table={"band": "filter"}).reader()


@pytest.mark.parametrize(
    ("name", "start", "zero"),
    [
        ("kic123.txt", 2455000.5, 0.0),
        ("kic123.txt", 55000.5, 2400000.0),
        ("kic123.txt", 300.5, 2454833.0),
        ("EPIC201367065.txt", 2000.5, 2454833.0),
        ("TIC 12.txt", 2000.5, 2457000.0),
    ],
)
def test_zeros_by_size(tmp_path: Path, name: str, start: float, zero: float) -> None:
    curve = made(tmp_path / name, lines(start), RELATIVE)
    assert curve.time[0] == zero + start


@pytest.mark.parametrize(
    ("header", "start", "zero"),
    [
        ("# BJD - 2454833, Corrected Flux\n", 2000.5, 2454833.0),
        ("BJD-2457000,flux\n", 2000.5, 2457000.0),
        ("BTJD,flux\n", 2000.5, 2457000.0),
        ("mjd,flux\n", 55000.5, 2400000.5),
        ("BJD,flux\n", 55000.5, 2400000.0),
        ("# times are BJD_TDB - 2454900.0\ntime,flux\n", 7.5, 2454900.0),
    ],
)
def test_zeros_by_name(tmp_path: Path, header: str, start: float, zero: float) -> None:
    curve = made(tmp_path / "star.csv", header + lines(start), RELATIVE)
    assert curve.time[0] == zero + start


@pytest.mark.parametrize("start", [2000.5, -3.0, 30000.0, 1e7])
def test_zeros_that_cannot_be_told(tmp_path: Path, start: float) -> None:
    with pytest.raises(InputError, match="may be counted from anything; say what from with zero="):
        made(tmp_path / "star.csv", lines(start), RELATIVE)


def test_k2sff_text_form(tmp_path: Path) -> None:
    name = "hlsp_k2sff_k2_lightcurve_201367065-c01_kepler_v1_llc-default-aper.txt"
    text = "BJD - 2454833, Corrected Flux\n" + lines(1977.2, gap=", ").replace("\n", ", \n")
    curve = made(tmp_path / name, text)
    assert (curve.author, curve.mission, curve.target_id, curve.segment) == ("K2SFF", "K2", 201367065, 1)
    assert (curve.unit, len(curve), curve.product) == ("relative", 12, "Corrected Flux")
    assert curve.time[0] == 2454833.0 + 1977.2


@pytest.mark.parametrize("gap", [",", "\t", " ", "   ", "|", ";", ", "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_comments_and_ends_of_lines(tmp_path: Path, gap: str, end: str) -> None:
    body = [f"{55000 + 0.5 * k}{gap}{1 + k}{gap}0.5" for k in range(12)]
    body.insert(3, "# a remark, with 3 numbers 1 2 3")
    body.insert(5, "; another")
    text = end.join(["; made by hand", f"# time{gap}flux{gap}flux_err", *body])
    path = tmp_path / "star.dat"
    path.write_bytes(text.encode())
    curve = read_light_curve(path, table=RELATIVE)
    assert curve.flux.tolist() == [1.0 + k for k in range(12)]
    assert (curve.flux_err == 0.5).all()
    assert curve.time[-1] == 2455005.5
    zipped = tmp_path / "star.dat.gz"
    zipped.write_bytes(gzip.compress(text.encode()))
    np.testing.assert_array_equal(read_light_curve(zipped, table=RELATIVE).time, curve.time)


def test_columns_by_name_number_and_guess(tmp_path: Path) -> None:
    text = "id,HJD,flux_err,mag,e_mag,quality\n" + "".join(
        f"s,{2455000 + k},9,{12 + 0.1 * k:.1f},0.01,{k % 2}\n" for k in range(12)
    )
    path = tmp_path / "star.csv"
    path.write_text(text.replace("s,", "7,"))
    curve = read_light_curve(path, table=TableFormat())
    assert (curve.unit, curve.product, curve.flux[1], curve.flux_err[0]) == ("mag", "mag", 12.1, 0.01)
    assert curve.quality.tolist() == [0, 1] * 6
    told = read_light_curve(path, table=TableFormat(time="hjd", flux=3, error="FLUX_ERR", unit="mag"))
    assert told.flux_err[0] == 9.0
    with pytest.raises(InputError, match="column bjd: there is no such column; it has id, hjd"):
        read_light_curve(path, table=TableFormat(time="bjd"))
    with pytest.raises(InputError, match="there is no column 9: it has 6"):
        read_light_curve(path, table=TableFormat(flux=9))


def test_missing_cells_and_flags_are_counted_or_zero(tmp_path: Path) -> None:
    text = "time,flux,quality\n55000.1,1,4\n55000.2,,0\nnan,1,0\n55000.4,NaN,0\n55000.5,2,\n55000.6,--,0\n"
    curve = made(tmp_path / "star.csv", text, RELATIVE)
    assert curve.flux.tolist() == [1.0, 2.0]
    assert (curve.n_missing, curve.quality.tolist()) == (4, [4, 0])


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        ("time,flux\n55000.1,1\n55000.2,bad\n", RELATIVE, "cannot be read.*bad"),
        ("time,flux\n55000.1,1\n55000.2\n", RELATIVE, "cannot be read"),
        ("time,flux\n55000.1,nan\n55000.2,nan\n", RELATIVE, "none of 2 points"),
        ("time,flux\n", RELATIVE, "no row of numbers"),
        ("55000.1\n55000.2\n", RELATIVE, "no column of flux: it has 1 columns without names"),
        (
            "time,colour\n55000.1,1\n",
            RELATIVE,
            "no column of flux: it has time, colour; say which with flux=",
        ),
        ("time,flux\n55000.1,1\n", TableFormat(), "the unit of flux is unknown; say it with unit="),
        ("time,flux,band\n55000.1,1,g\n", TableFormat(unit="mag", where=(("band", "r"),)), "no row has"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, form: TableFormat, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        made(tmp_path / "star.csv", text, form)
    assert "star.csv" in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"unit": "Jy"}, {"scale": "GPS"}, {"zero": "julian"}, {"zero": float("nan")}, {"zero": True},
        {"mission": "Gaia"}, {"time": True}, {"flux": 1.5}, {"where": (("band",),)},
        {"site": Site(0.0, 0.0, 0.0)},
    ],
)  # fmt: skip
def test_settings_check_themselves(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(settings))):
        TableFormat(**settings)


def test_told_scales_and_names(tmp_path: Path) -> None:
    form = TableFormat(
        unit="ppm", scale="TDB", zero="mjd", mission="TESS", target_id=12, segment=3, ra=1.0, dec=2.0
    )
    curve = made(tmp_path / "star.txt", lines(58000.0, gap=" "), form)
    assert (curve.time_scale, curve.star, curve.segment, curve.ra, curve.dec) == (
        "BJD_TDB",
        "TIC 12",
        3,
        1.0,
        2.0,
    )
    assert curve.exptime == pytest.approx(0.02 * 86400, rel=1e-4)
