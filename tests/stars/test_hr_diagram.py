"""Absolute magnitudes, extinction, tracks and strips."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.stars.hr_diagram import (
    MagnitudeFlag,
    absolute_magnitudes,
    bolometric_correction,
    extinction_coefficient,
    magnitude_of_luminosity,
)
from lkmrs_dask.stars.hr_tracks import missing_masses, read_strips, read_track, read_tracks

NAN = math.nan


@given(g=st.floats(5, 20), parallax=st.floats(0.1, 100), error=st.floats(0.001, 0.02), ebv=st.floats(0, 2))
def test_against_the_distance_modulus(g: float, parallax: float, error: float, ebv: float) -> None:
    found = absolute_magnitudes(g, parallax, error, teff=5772.0, ebv=ebv, g_err=0.01)
    a_g = 2.66 * ebv
    assert found.m_g == pytest.approx(g - 5 * math.log10(1000 / parallax / 10) - a_g, abs=1e-9)
    brighter, fainter = (
        g - 5 * math.log10(1000 / (parallax + s * error * 1e-3) / 10) - a_g for s in (-1, 1)
    )  # fmt: skip
    slope = (fainter - brighter) / 2e-3
    a_err = 2.66 * max(0.1 * ebv, 0.01)
    # The slope by differences of 1e-3 errors is good to some 1e-6.
    assert found.m_g_err == pytest.approx(math.sqrt(0.01**2 + slope**2 + a_err**2), rel=1e-4)
    assert found.flag == MagnitudeFlag.OK


def test_flags() -> None:
    found = absolute_magnitudes(
        [10, NAN, 10, 10, 10, 10, 10],
        [10, 10, NAN, -1, 1, 10, 10],
        [0.1, 0.1, 0.1, 0.1, 0.5, 0.1, 0.0],
        teff=[5000, 5000, 5000, 5000, 5000, NAN, 5000],
        ebv=[NAN, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
    )
    flag = MagnitudeFlag
    assert found.flag.tolist() == [
        flag.NO_EXTINCTION, flag.NO_G, flag.NO_PARALLAX, flag.NEGATIVE_PARALLAX, flag.LOW_PARALLAX_SNR,
        flag.NO_TEFF, flag.NO_PARALLAX,
    ]  # fmt: skip
    assert np.isfinite(found.m_g).tolist() == [True, False, False, False, False, True, False]
    assert found.m_g[0] == pytest.approx(5.0)
    assert math.isnan(found.a_g[0])
    assert found.m_g[5] == pytest.approx(5.0 - 0.266)
    empty = absolute_magnitudes([], [], [])
    assert len(empty.m_g) == len(empty.flag) == 0


def test_wrong_calls() -> None:
    with pytest.raises(UsageError, match="shapes"):
        absolute_magnitudes([1, 2], [1, 2, 3], 0.1)
    with pytest.raises(UsageError, match="least_snr"):
        absolute_magnitudes(1, 1, 1, least_snr=0)


def test_extinction_coefficient() -> None:
    assert extinction_coefficient([4000, 5772, 8500]).tolist() == [2.53, 2.66, 2.84]
    assert extinction_coefficient(7000.0) == pytest.approx((2.71 + 2.78) / 2)
    assert extinction_coefficient([3000, 20000]).tolist() == [2.53, 2.84]
    assert math.isnan(extinction_coefficient(NAN))


def test_sun() -> None:
    """M_G of the Sun is 4.66 to 4.68 (Andrae et al. 2018; Casagrande & VandenBerg 2018)."""
    assert magnitude_of_luminosity(0.0, 5772.0) == pytest.approx(4.67, abs=0.02)
    assert (
        bolometric_correction([3000.0, 9000.0]).tolist() == bolometric_correction([3300.0, 8000.0]).tolist()
    )


def test_real_magnitudes(shared: Path) -> None:
    """The magnitudes of Gaia's variables with Gaia's own extinction, where it has one.

    The file has seven digits; extinction goes in as E(B-V) of a star of 5772 K.
    """
    path = shared / "data" / "gaia" / "gaia_dr3_variables.csv"
    table = np.genfromtxt(path, delimiter=",", names=True, usecols=range(5, 13))
    a_g = np.nan_to_num(table["ag_gspphot"])
    found = absolute_magnitudes(
        table["phot_g_mean_mag"], table["parallax"], table["parallax_error"], teff=5772.0, ebv=a_g / 2.66
    )
    assert len(table) == 20_000
    assert (found.flag == MagnitudeFlag.OK).all()
    np.testing.assert_allclose(found.m_g, table["abs_mag_g"], atol=2e-6)


def test_real_tracks(shared: Path) -> None:
    """Three masses of MIST are there, and one of Geneva; MIST's G agrees with its luminosity."""
    folder = shared / "data" / "tracks"
    tracks = read_tracks(folder)
    assert [(one.mass, one.model) for one in tracks] == [
        (0.4, "MIST"), (0.8, "MIST"), (1.2, "MIST"), (2.0, "Geneva"),
    ]  # fmt: skip
    assert missing_masses(tracks) == [2.8]
    assert missing_masses([]) == [0.4, 0.8, 1.2, 2.0, 2.8]
    geneva = tracks.pop()
    # The first row of the file: log L = 1.208899, log Teff = 3.972774; a star of 2 solar masses begins at A2.
    assert geneva.teff[0] == pytest.approx(10**3.972774)
    assert geneva.m_g[0] == pytest.approx(magnitude_of_luminosity(1.208899, 10**3.972774))
    assert len(geneva.teff) == 400
    for track in tracks:
        assert track.feh == 0.0
        assert not track.converted
        assert np.isfinite(track.m_g).all()
    sun = tracks[2]
    # A star of 1.2 solar masses begins at some 6200 K and M_G 4 (spectral type F8).
    assert sun.teff[0] == pytest.approx(6200, abs=100)
    assert sun.m_g[0] == pytest.approx(4.0, abs=0.2)
    raw = np.loadtxt(folder / "0012000M.track.eep.cmd")
    names = next(
        line[1:].split()
        for line in (folder / "0012000M.track.eep.cmd").read_text().splitlines()
        if " star_age" in line
    )
    column = dict(zip(names, raw.T, strict=True))
    dwarf = (column["phase"] == 0) & (column["log_g"] > 4)
    ours = magnitude_of_luminosity(column["log_L"], 10 ** column["log_Teff"])
    # Bolometric corrections of different model atmospheres differ by some hundredths.
    np.testing.assert_allclose(ours[dwarf], column["Gaia_G_EDR3"][dwarf], atol=0.06)


TRACK = """# MIST version number  = 1.2
#  Yinit        Zinit   [Fe/H]   [a/Fe]  v/vcrit
# 0.2703  1.42857E-02     -0.25     0.00     0.40
#     initial_mass   N_pts   N_EEP   N_col   phase        type
# 2.0000000000E+00     454       4      30     YES    low-mass
#      1      2     3     4
# star_age log_Teff log_L phase
1.0 3.9 1.1 -1
2.0 3.95 1.2 0
3.0 3.90 1.3 2
4.0 3.70 2.3 6
"""


def test_track_without_magnitudes(tmp_path: Path) -> None:
    path = tmp_path / "0020000M.track.eep"
    path.write_text(TRACK)
    track = read_track(path)
    assert (track.mass, track.feh, track.converted) == (2.0, -0.25, True)
    np.testing.assert_allclose(track.teff, 10.0 ** np.array([3.95, 3.90]))
    np.testing.assert_allclose(track.m_g, magnitude_of_luminosity([1.2, 1.3], track.teff))
    assert [one.mass for one in read_tracks(tmp_path)] == [2.0]


GENEVA = """line time mass lg(L) lg(Teff) 1H_surf
- yr Msun Lsun K mass

1 0.1E+07 2.8 1.8 4.05 0.72
2 0.2E+07 2.79 1.9 4.00 0.72
"""


def test_which_track_of_a_mass(tmp_path: Path) -> None:
    """MIST before Geneva; of a folder only tracks are read; patterns and lists of them."""
    (tmp_path / "notes.dat").write_text("of no track\n")
    (tmp_path / "a.dat").write_text(GENEVA)
    (tmp_path / "b.dat").write_text(GENEVA.replace("2.8 1.8", "2.0 1.1").replace("2.79", "2.0"))
    (tracks_b, tracks_a) = read_tracks(tmp_path)
    assert (tracks_b.mass, tracks_a.mass, tracks_a.model, tracks_a.converted) == (2.0, 2.8, "Geneva", True)
    np.testing.assert_allclose(tracks_a.teff, 10.0 ** np.array([4.05, 4.0]))
    np.testing.assert_allclose(tracks_a.m_g, magnitude_of_luminosity([1.8, 1.9], tracks_a.teff))
    assert math.isnan(tracks_a.feh)
    (tmp_path / "c.eep").write_text(TRACK)
    assert [one.model for one in read_tracks(tmp_path)] == ["MIST", "Geneva"]
    assert [one.model for one in read_tracks(str(tmp_path / "[ab].dat"))] == ["Geneva", "Geneva"]
    two = read_tracks([tmp_path / "a.dat", str(tmp_path / "*.eep")])
    assert [(one.mass, one.model) for one in two] == [(2.0, "MIST"), (2.8, "Geneva")]
    assert read_tracks(tmp_path, (1.0,)) == []
    assert read_tracks([]) == []
    with pytest.raises(InputError, match=r"notes\.dat"):
        read_tracks(tmp_path / "*.dat")
    with pytest.raises(InputError, match="no file of tracks fits"):
        read_tracks(tmp_path / "*.txt")
    for text in (GENEVA[:60], GENEVA.replace("1.9 4.00 0.72", "1.9"), GENEVA.replace("1.8", "x")):
        (tmp_path / "a.dat").write_text(text)
        with pytest.raises(InputError, match=r"a\.dat"):
            read_tracks(tmp_path / "a.dat")


@pytest.mark.parametrize(
    "text", ["", "no track\n", TRACK[:-8] + "4.0 3.7\n", TRACK.replace("log_L", "what"),
             TRACK.replace("initial_mass", "mass"), "# a\xe9"]
)  # fmt: skip
def test_bad_tracks(tmp_path: Path, text: str, recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "x.eep"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"x\.eep"):
        read_track(path)
    assert not recwarn.list
    with pytest.raises(InputError, match="no such folder"):
        read_tracks(tmp_path / "none")


def test_our_strip() -> None:
    """Luminosities of the lines at points worked out by hand; the red edge is the cooler one."""
    red, blue = read_strips()
    assert (red.name, red.edge, blue.name, blue.edge) == ("deltasct", "red", "deltasct", "blue")
    assert red.teff[0] == pytest.approx((6.672 - 0.6) / 8.11e-4)
    assert blue.teff[-1] == pytest.approx(8700.0)
    assert (red.teff < blue.teff).all()
    np.testing.assert_allclose(red.m_g[0], magnitude_of_luminosity(0.6, red.teff[0]))


def test_real_pulsators_are_in_the_strip(shared: Path) -> None:
    """Both delta Scuti stars of the Pleiades, by temperature and radius of their TESS files."""
    from astropy.io import fits

    red, blue = read_strips()
    files = sorted((shared / "data" / "lc_tess_dsct").glob("*.fits"))
    assert len(files) == 2
    for path in files:
        header = fits.getheader(path)
        teff = header["TEFF"]
        m_g = float(magnitude_of_luminosity(2 * math.log10(header["RADIUS"] * (teff / 5772.0) ** 2), teff))
        # Both edges run from faint to bright.
        low, high = (np.interp(-m_g, -one.m_g, one.teff) for one in (red, blue))
        assert low < teff < high


def test_strips_of_users(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("# from a paper\nstrip,edge,teff,m_g\ngammador,red,6900,3.0\ngammador,red,6700,2.0\n")
    (strip,) = read_strips(path)
    assert (strip.teff.tolist(), strip.m_g.tolist()) == ([6900.0, 6700.0], [3.0, 2.0])
    path.write_text("# from a paper\nstrip,edge,teff,log_l\na,red,6900,1.0\n")
    assert read_strips(path)[0].m_g[0] == pytest.approx(magnitude_of_luminosity(1.0, 6900.0))
    for text, why in (
        ("strip,edge,teff,m_g\na,red,1,2\n", "where its numbers are from"),
        ("# x\nstrip,edge,teff\na,red,1\n", "no file of strips"),
        ("# x\nstrip,edge,teff,m_g\na,red,hot,2\n", "no file of strips"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=why):
            read_strips(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_strips(tmp_path / "none.csv")
