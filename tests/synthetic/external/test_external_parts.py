"""Spellings of classes, relations, magnitudes, names and tables of the external catalogues, one by one."""

from __future__ import annotations

import gzip
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.external.addressed import noise, share
from lkmrs_dask.synthetic.external.classes import SPELLINGS, spelt
from lkmrs_dask.synthetic.external.gaia import parallax_error
from lkmrs_dask.synthetic.external.headers import columns_of
from lkmrs_dask.synthetic.external.identifiers import FIRST_EPIC, epic_numbers, kic_numbers, tic_numbers
from lkmrs_dask.synthetic.external.relations import RELATIONS, truth_elsewhere
from lkmrs_dask.synthetic.external.tables import blank_where, sexagesimal_name, write_fits, write_text

CLASSES = ("EB", "DSCT", "GDOR", "hybrid", "RG", "RRL", "RSCVn", "rotation", "uncertain")


def test_numbers_are_told_apart_by_what_they_are_for() -> None:
    draws, number = Draws(1), np.arange(2000)
    one, two = noise(draws, number, "apogee.teff"), noise(draws, number, "apogee.logg")
    # The correlation of independent samples has a standard deviation of 0.022.
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.1
    assert np.array_equal(one[500:600], noise(draws, number[500:600], "apogee.teff"))
    assert share(draws, number, "x").mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("catalogue", ["simbad", "vsx", "gaia"])
def test_spellings(catalogue: str) -> None:
    assert tuple(SPELLINGS[catalogue]) == CLASSES
    number = np.arange(9000)
    classes = np.array(CLASSES)[number % 9]
    found = spelt(Draws(1), number, classes, catalogue)
    right = np.array([text in SPELLINGS[catalogue][name] for text, name in zip(found, classes, strict=True)])
    # 8 % are of another class; Gaia and SIMBAD have one type for several classes, so some stay right.
    assert 0.90 < right.mean() < 0.965
    assert (found != "").all()
    assert set(found) == {text for texts in SPELLINGS[catalogue].values() for text in texts}
    assert (spelt(Draws(1), number, np.full(9000, ""), catalogue) == "").all()


def test_relations() -> None:
    slopes = {"teff": 0.92, "logg": 1.03, "feh": 0.75, "alpha_m": 0.42, "rv": 1.0}
    assert {(r.survey, r.parameter) for r in RELATIONS} == {
        *((s, p) for s in ("apogee", "galah") for p in slopes), ("gaia", "rv"),
    }  # fmt: skip
    here = np.array([-1.0, 0.0, 4500.0])
    for relation in RELATIONS:
        assert relation.slope == slopes[relation.parameter]
        there = truth_elsewhere(relation.survey, relation.parameter, here)
        assert relation.slope * there + relation.intercept == pytest.approx(here, rel=1e-12, abs=1e-12)
        assert relation.parameter != "rv" or abs(relation.intercept) <= 0.6
    assert np.array_equal(truth_elsewhere("apogee", "vsini", here), here)


def test_identifiers_of_one_place_differ() -> None:
    dec = np.full(50, 43.0)
    for ids in (kic_numbers(dec, False), kic_numbers(dec, True)):
        assert len(set(ids.tolist())) == 50
        assert ids.max() < 13_161_030
    assert not set(kic_numbers(dec, False)) & set(kic_numbers(dec, True))
    assert (np.diff(kic_numbers(np.array([37.0, 40.0, 52.0]), False)) > 0).all()
    assert epic_numbers(np.array([-40.0]), False)[0] > FIRST_EPIC
    assert epic_numbers(np.array([90.0]), True)[0] <= 251_809_144
    number = np.array([0, 1, 1 << 28, 1 << 40])
    assert len(set(tic_numbers(number, False).tolist())) == 4


def test_parallax_errors() -> None:
    # The published formula by hand: z = 1 at G = 15 gives sqrt(870) = 29.5 micro-arcsec.
    assert parallax_error(np.array([15.0]))[0] == pytest.approx(0.0294958, abs=1e-7)
    assert parallax_error(np.array([9.0, 13.0]))[0] == parallax_error(np.array([13.0]))[0]


def test_sexagesimal_names() -> None:
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 500), rng.uniform(-89, 89, 500)
    ra[:2], dec[:2] = [0.0, 359.9999999], [0.0, -0.00001]
    names = sexagesimal_name(ra, dec).to_pylist()
    assert names[0] == "00000000+0000000"
    assert names[1] == "23595999-0000000"
    for name, place in zip(names, SkyCoord(ra * u.deg, dec * u.deg), strict=True):
        assert len(name) == 16
        # Digits are cut off: 0.01 s and 0.1 arcsec at most below.
        right = f"{name[:2]}h{name[2:4]}m{name[4:6]}.{name[6:8]}s"
        text = f"{right} {name[8:11]}d{name[11:13]}m{name[13:15]}.{name[15]}s"
        assert SkyCoord(text).separation(place).to_value(u.arcsec) < 0.19


def test_text_tables(tmp_path: Path) -> None:
    columns = {
        "b": np.array([1.5, np.nan]),
        "id": blank_where(np.array([(1 << 62) + 1, 7]), np.array([False, True])),
    }
    path = tmp_path / "a.csv.gz"
    write_text(path, ["id", "a", "b"], columns)
    assert gzip.decompress(path.read_bytes()).decode() == "id,a,b\n4611686018427387905,,1.5\n,,\n"
    write_text(tmp_path / "a.txt", ["id", "a", "b"], columns, delimiter="|", header=False)
    assert (tmp_path / "a.txt").read_text() == "4611686018427387905||1.5\n||\n"
    with pytest.raises(ValueError, match="no columns"):
        write_text(path, ["id"], columns)


def test_fits_tables(tmp_path: Path) -> None:
    none = -(1 << 63)
    columns = {
        "i": np.array([5, none]),
        "x": np.array([1.0, np.nan], np.float32),
        "s": np.array([b"a", b"bc"]),
    }
    write_fits(tmp_path / "a.fits.gz", "T", columns, {"x": "km/s"}, {"i": none})
    with fits.open(tmp_path / "a.fits.gz") as hdus:
        table = hdus["T"]
        assert (table.header["TNULL1"], table.header["TUNIT2"]) == (none, "km/s")
        assert table.data["i"].tolist() == [5, none]
        assert table.data["s"].tolist() == ["a", "bc"]


def test_headers() -> None:
    assert [len(columns_of(name)) for name in ("kic", "epic", "tic")] == [44, 67, 125]
    for name in ("kic", "epic", "tic", "gaia", "simbad", "vsx", "gaia_variables"):
        assert len(set(columns_of(name))) == len(columns_of(name))
    with pytest.raises(UsageError, match="hipparcos"):
        columns_of("hipparcos")
