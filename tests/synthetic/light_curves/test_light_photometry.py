from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from light_stars import quarter, sector

from lkmrs_dask.synthetic.light_curves.photometry import detection, photometry, tess_magnitude

FILES = [
    ("lc_kepler_eb", "kplr005023948-2011177032512_llc.fits", "kepler"),
    ("lc_kepler_planet", "kplr011442793-2010174085026_llc.fits", "kepler"),
    ("lc_k2", "ktwo211121743-c04_llc.fits", "k2"),
    ("lc_tess_dsct", "HD23607_tess2021232031932-s0042-0000000405484188-0213-s_lc.fits", "tess"),
    ("lc_tess", "tess2018206045859-s0001-0000000358108509-0120-s_lc.fits", "tess"),
]


@pytest.mark.parametrize(("folder", "name", "mission"), FILES)
def test_brightness_and_errors_are_those_of_released_files(
    shared: Path, folder: str, name: str, mission: str
) -> None:
    with fits.open(shared / "data" / folder / name) as hdus:
        data, primary = hdus[1].data, hdus[0].header
    colour = 0.8
    g = primary["KEPMAG"] if mission != "tess" else primary["TESSMAG"] - tess_magnitude(0.0, colour)
    made = photometry(mission, g, colour)
    # Colours, apertures and neighbours differ: half a magnitude, and half of the error.
    assert abs(2.5 * np.log10(made.rate / np.nanmedian(data["PDCSAP_FLUX"]))) < 0.5
    assert 0.5 < made.error / np.nanmedian(data["SAP_FLUX_ERR"]) < 1.6


def test_tess_magnitude_of_the_sun() -> None:
    # Stassun et al. (2019), eq. 1 by hand at BP - RP = 0.82.
    assert tess_magnitude(10.0, 0.82) == pytest.approx(10.0 - 0.0028811 + 0.0599335 - 0.5198169 + 0.0324473)


@pytest.mark.parametrize("mission", ["kepler", "k2", "tess"])
def test_fainter_is_noisier(mission: str) -> None:
    made = [photometry(mission, g, 0.8) for g in np.arange(8.0, 16.0, 0.5)]
    assert (np.diff([one.white for one in made]) > 0).all()
    assert (np.diff([one.pixels for one in made]) <= 0).all()


def test_white_floor_is_the_mean_of_the_amplitude_spectrum() -> None:
    one = photometry("kepler", 13.0, 0.8)
    n = int(0.8 * quarter().rows)
    rng = np.random.default_rng(1)
    amplitude = 2.0 / n * np.abs(np.fft.rfft(one.white * rng.normal(size=n)))[1:-1]
    found = detection([(quarter(), one)])
    assert 1e3 * amplitude.mean() == pytest.approx(found.white_ppt, rel=0.05)  # 1,900 values: 1.2 %


def test_worst_and_best_of_two() -> None:
    two = detection([(quarter(), photometry("kepler", 13.0, 0.8)), (sector(), photometry("tess", 13.0, 0.8))])
    assert two.white_ppt > 5 * two.white_least_ppt
    assert two.floor(0.01) > two.floor(1.0) > two.floor(20.0) >= two.white_ppt
    assert two.span == sector().span
    assert two.highest == pytest.approx(24.47, abs=0.01)
