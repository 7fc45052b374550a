"""Absolute magnitudes, extinction, tracks and strips."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

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
    reddening,
    share_in_front,
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
    with pytest.raises(UsageError, match="scale height"):
        share_in_front(10, 100, 0)
    with pytest.raises(UsageError, match="declinations"):
        reddening([0.0], [91.0], lambda place: [0.0])


def test_extinction_coefficient() -> None:
    assert extinction_coefficient([4000, 5772, 8500]).tolist() == [2.53, 2.66, 2.84]
    assert extinction_coefficient(7000.0) == pytest.approx((2.71 + 2.78) / 2)
    assert extinction_coefficient([3000, 20000]).tolist() == [2.53, 2.84]
    assert math.isnan(extinction_coefficient(NAN))


def test_dust_in_front() -> None:
    assert share_in_front(90.0, 125.0) == pytest.approx(1 - math.exp(-1))
    assert share_in_front(-30.0, 250.0) == pytest.approx(1 - math.exp(-1))
    assert share_in_front([0.0, 45.0], [1000.0, 0.0]).tolist() == [0.0, 0.0]
    assert share_in_front(20.0, 1e6) == pytest.approx(1.0)


def test_reddening_by_a_map() -> None:
    """Positions without a value, or not finite, have none."""
    seen = []

    def query(place: SimpleNamespace) -> list[float]:
        seen.append((place.ra.deg.tolist(), place.dec.deg.tolist()))
        return [0.1, NAN, -0.004]

    found = reddening([10.0, NAN, 0.0, 359.9], [-5.0, 3.0, 90.0, 2.0], query)
    assert seen == [([10.0, 0.0, 359.9], [-5.0, 90.0, 2.0])]
    np.testing.assert_array_equal(found, [0.1, NAN, NAN, 0.0])
    assert reddening([], [], query).shape == (0,)


def test_dustmaps_absent_or_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dustmaps.bh", None)
    with pytest.raises(UsageError, match="install it"):
        reddening([1.0], [2.0])
    package, bh = ModuleType("dustmaps"), ModuleType("dustmaps.bh")
    bh.__dict__["BHQuery"] = lambda: lambda place: np.full(len(place), 0.2)
    monkeypatch.setitem(sys.modules, "dustmaps", package)
    monkeypatch.setitem(sys.modules, "dustmaps.bh", bh)
    assert reddening([1.0, 2.0], [2.0, 2.0]).tolist() == [0.2, 0.2]


def test_sun() -> None:
    """M_G of the Sun is 4.66 to 4.68 (Andrae et al. 2018; Casagrande & VandenBerg 2018)."""
    assert magnitude_of_luminosity(0.0, 5772.0) == pytest.approx(4.67, abs=0.02)
    assert (
        bolometric_correction([3000.0, 9000.0]).tolist() == bolometric_correction([3300.0, 8000.0]).tolist()
    )


def test_real_tracks(shared: Path) -> None:
    """Three masses are there; G of MIST agrees with luminosity and bolometric correction."""
    folder = shared / "data" / "tracks"
    tracks = read_tracks(folder)
    assert [one.mass for one in tracks] == [0.4, 0.8, 1.2]
    assert missing_masses(tracks) == [2.0, 2.8]
    assert missing_masses([]) == [0.4, 0.8, 1.2, 2.0, 2.8]
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
