"""Time scales against astropy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.time import Time

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.light_curves.clocks import (
    check_reference,
    guess_zero,
    to_barycentre,
    to_tdb,
    zero_in_text,
)
from lkmrs_dask.readers.light_curves.identity import identify, mission_of
from lkmrs_dask.readers.light_curves.quality import MASKS, bad_bits, good_points
from lkmrs_dask.readers.times import Site

# Around a leap second, but not on its day, which ERFA stretches.
JD = np.array([2454953.5, 2455197.5, 2456108.49, 2456109.51, 2457000.25, 2457754.75, 2459447.7])


@pytest.mark.parametrize("scale", ["UTC", "TAI", "TT", "TDB"])
def test_scales_equal_astropys(scale: str) -> None:
    true = Time(JD, format="jd", scale=scale.lower()).tdb.jd
    # TT is taken as TDB: 2 ms; a float64 Julian date resolves 0.04 ms.
    np.testing.assert_allclose(86400 * (to_tdb(JD, scale) - true), 0.0, atol=2e-3)


@pytest.mark.parametrize("scale", ["UTC", "TAI"])
def test_barycentric_times_equal_astropys(scale: str) -> None:
    apache_point = Site(-105.82, 32.78, 2788.0)
    place = EarthLocation.from_geodetic(*apache_point[:2], apache_point.height)
    star = SkyCoord(30.0, 0.5, unit="deg")
    time = Time(JD, format="jd", scale=scale.lower(), location=place)
    true = (time.tdb + time.light_travel_time(star, ephemeris="builtin")).jd
    ours = to_barycentre(JD, scale, 30.0, 0.5, apache_point)
    # The barycentre of ERFA's series and the Earth's irregular rotation: 0.2 ms.
    np.testing.assert_allclose((ours - true) * u.d.to(u.s), 0.0, atol=5e-4)


def test_barycentric_times_need_a_scale_and_a_place() -> None:
    site = Site(0.0, 0.0, 0.0)
    with pytest.raises(UsageError, match="UTC or TAI"):
        to_barycentre(JD, "TDB", 1.0, 2.0, site)
    with pytest.raises(UsageError, match="give ra and dec"):
        to_barycentre(JD, "UTC", np.nan, 2.0, site)
    with pytest.raises(UsageError, match="unknown time scale"):
        to_tdb(JD, "GPS")


@pytest.mark.parametrize(
    ("text", "zero"),
    [
        ("BJD - 2454833", 2454833.0), ("BJD - 2457000, days", 2457000.0), ("BJD-2457000", 2457000.0),
        ("HJD_TDB - 2450000.5", 2450000.5), ("d", None), (None, None), ("", None),
    ],
)  # fmt: skip
def test_zeros_in_texts(text: str | None, zero: float | None) -> None:
    assert zero_in_text(text) == zero


def test_zeros_of_missions() -> None:
    assert guess_zero(np.array([200.0, 1500.0]), "Kepler") == 2454833.0
    assert guess_zero(np.array([1400.0]), "TESS") == 2457000.0
    with pytest.raises(InputError, match="of K2 may be counted from anything"):
        guess_zero(np.array([0.0, 80.0]), "K2")


def test_references() -> None:
    assert check_reference(None, None) == "TDB"
    assert check_reference("utc", "SOLARSYSTEM ") == "UTC"
    with pytest.raises(InputError, match="TIMEREF = 'GEOCENTRIC'"):
        check_reference("TDB", "GEOCENTRIC")


@pytest.mark.parametrize(
    ("name", "mission", "number", "segment"),
    [
        ("kplr005023948-2010355172524_llc.fits", "Kepler", 5023948, None),
        ("ktwo211121743-c04_llc.fits", "K2", 211121743, 4),
        ("ktwo228662092-c102_slc.fits", "K2", 228662092, 102),
        ("tess2018206045859-s0001-0000000358108509-0120-s_lc.fits", "TESS", 358108509, 1),
        ("HD23157_tess2021232031932-s0042-0000000067768222-0213-s_lc.fits", "TESS", 67768222, 42),
        ("hlsp_qlp_tess_ffi_s0056-0000000010549159_tess_v01_llc.fits", "TESS", 10549159, 56),
        ("hlsp_tess-spoc_tess_phot_0000000067768222-s0042_tess_v1_lc.fits", "TESS", 67768222, 42),
        ("hlsp_k2sff_k2_lightcurve_201367065-c01_kepler_v1_llc-default-aper.txt", "K2", 201367065, 1),
        ("hlsp_k2sc_k2_llc_211099743-c04_kepler_v2_lc.fits", "K2", 211099743, 4),
        ("ep201317002.csv", "K2", 201317002, None),
        ("kic9651065_lc.txt", "Kepler", 9651065, None),
        ("stars1234-5.txt", "", None, None),
        ("11618103_LC.txt", "", None, None),
    ],
)  # fmt: skip
def test_stars_by_the_names_of_files(
    name: str, mission: str, number: int | None, segment: int | None
) -> None:
    known = identify(name)
    assert (known.mission, known.target_id, known.segment) == (mission, number, segment)


def test_missions_by_keywords() -> None:
    assert mission_of("Kepler", "", "EPIC 201121245", 201121245) == "K2"
    assert mission_of("Kepler", "Kepler", "KIC 1", 1) == "Kepler"
    assert mission_of("TESS", "", "", None) == "TESS"
    assert mission_of("Hubble", "", "", 5) == ""


def test_masks_are_lightkurves() -> None:
    assert MASKS["Kepler"]["default"] == MASKS["K2"]["default"] == 1130799
    assert MASKS["Kepler"]["hard"] == 1664431
    assert MASKS["TESS"]["default"] == 175
    assert MASKS["TESS"]["hard"] == 7407
    assert MASKS["TESS"]["archive"] == sum(1 << (bit - 1) for bit in (1, 2, 3, 4, 5, 6, 8, 10, 12))


def test_masks_by_name_and_bits() -> None:
    assert bad_bits("Gaia", "any") == 0
    assert bad_bits("TESS", 6) == 6
    assert bad_bits("TESS", "any", author="QLP", segment=60) == (1 << 16) - 1 | 1 << 30
    assert good_points([0, 4, 16, 1 << 30], "Kepler", "default").tolist() == [True, False, True, True]
    with pytest.raises(UsageError, match="unknown quality mask 'good'"):
        bad_bits("TESS", "good")
    with pytest.raises(UsageError, match="a name or an integer"):
        bad_bits("TESS", True)
