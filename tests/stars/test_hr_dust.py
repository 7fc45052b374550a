"""Maps of dust: what they give where it is known, and what is taken of a map of the whole line of sight."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.stars import hr_dust
from lkmrs_dask.stars.hr_dust import (
    BAYESTAR_EBV,
    DustMap,
    dust_map,
    extinction_in_use,
    extinction_words,
    reddening,
    share_in_front,
)
from lkmrs_dask.stars.hr_settings import HrSettings

NAN = math.nan
FAR = 1e6  # pc: behind all dust
needs_dustmaps = pytest.mark.skipif(find_spec("dustmaps") is None, reason="dustmaps is not installed")


def burstein_heiles() -> DustMap:
    dust = dust_map(HrSettings(extinction="bh"))
    assert dust is not None
    return dust


def mean_ebv(lon: float, lat: float, radius: float = 1.0) -> float:
    """Mean of a map over a field, behind all dust."""
    rng = np.random.default_rng(1)
    b = np.clip(lat + rng.uniform(-radius, radius, 300), -90, 90)
    place = SkyCoord(lon + rng.uniform(-radius, radius, 300), b, unit="deg", frame="galactic").icrs
    return float(np.nanmean(reddening(place.ra.deg, place.dec.deg, FAR, burstein_heiles()).ebv))


def test_share_in_front() -> None:
    assert share_in_front(90.0, 125.0) == pytest.approx(1 - math.exp(-1))
    assert share_in_front(-30.0, 250.0) == pytest.approx(1 - math.exp(-1))
    assert share_in_front([0.0, 45.0], [1000.0, 0.0]).tolist() == [0.0, 0.0]
    assert share_in_front(20.0, 1e6) == pytest.approx(1.0)
    # By summing the layer up along the way, in steps of 0.1 pc.
    steps = np.arange(0.05, 400.0, 0.1) * math.sin(math.radians(35.0))
    whole = 0.1 * np.exp(-np.arange(0.05, 2e4, 0.1) * math.sin(math.radians(35.0)) / 125.0).sum()
    assert share_in_front(35.0, 400.0) == pytest.approx(0.1 * np.exp(-steps / 125.0).sum() / whole, abs=1e-6)
    with pytest.raises(UsageError, match="scale height"):
        share_in_front(10, 100, 0)


def test_reddening_by_a_map() -> None:
    """Stars without a value, a place or a distance have none; of the others the share in front counts."""
    seen = []

    def query(place: SkyCoord) -> list[float]:
        seen.append((place.ra.deg.tolist(), place.dec.deg.tolist()))
        return [0.1, NAN, -0.004, -0.5]

    ra = [10.0, NAN, 0.0, 359.9, 5.0, 5.0, 5.0, 5.0]
    dec = [-5.0, 3.0, 90.0, 2.0, 1.0, 1.0, 1.0, 1.0]
    distance = [200.0, 1.0, 100.0, 100.0, FAR, NAN, 0.0, math.inf]
    found = reddening(ra, dec, distance, DustMap("bh", query), 100.0)
    assert seen == [([10.0, 0.0, 359.9, 5.0], [-5.0, 90.0, 2.0, 1.0])]
    b = SkyCoord(10.0, -5.0, unit="deg").galactic.b.rad
    expected = 0.1 * (1 - math.exp(-200.0 * abs(math.sin(b)) / 100.0))
    np.testing.assert_allclose(found.ebv, [expected, NAN, NAN, 0.0, NAN, NAN, NAN, NAN], rtol=1e-9)
    assert not found.doubtful.any()
    assert reddening([], [], [], DustMap("bh", query)).ebv.shape == (0,)
    with pytest.raises(UsageError, match="declinations"):
        reddening([0.0], [91.0], [10.0], DustMap("bh", query))
    with pytest.raises(UsageError, match="do not fit"):
        reddening([0.0, 1.0], [1.0, 2.0, 3.0], 1.0, DustMap("bh", query))


def test_without_dustmaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default there is then no extinction, and that is said; what was named must be there."""
    monkeypatch.setattr(hr_dust, "find_spec", lambda name: None)
    assert extinction_in_use(HrSettings()) == "none"
    assert dust_map(HrSettings()) is None
    for settings in (HrSettings(extinction="bh"), HrSettings(extinction="bayestar"),
                     HrSettings(bayestar_file="x.h5")):  # fmt: skip
        with pytest.raises(UsageError, match="pip install"):
            dust_map(settings)


def test_words() -> None:
    assert extinction_words("none") == "no correction for extinction"
    assert "Burstein" in extinction_words("bh", 150.0)
    assert "150 pc" in extinction_words("bh", 150.0)
    assert "Green" in extinction_words("bayestar")
    assert extinction_in_use(HrSettings(extinction="none")) == "none"


@needs_dustmaps
def test_nothing_is_written_downloaded_or_warned_of(tmp_path: Path) -> None:
    """In a fresh process with an empty home folder, warnings as errors, and no network to be asked."""
    code = (
        "import socket; socket.socket.connect = None\n"
        "from lkmrs_dask.stars.hr_dust import *\n"
        "from lkmrs_dask.stars.hr_settings import HrSettings\n"
        "print(dust_map(HrSettings()).name, reddening(290.0, 44.0, 1e6, dust_map(HrSettings())).ebv)\n"
    )
    empty = tmp_path / "home"
    empty.mkdir()
    # Not astropy's own files, which it keeps in the home folder unless told otherwise.
    places = {"HOME": str(empty), "XDG_CONFIG_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    for name in ("config/astropy", "astropy"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **places}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("bh 0.")
    assert not done.stderr
    assert not list(empty.rglob(".dustmaps*"))


@needs_dustmaps
@pytest.mark.parametrize(
    ("lon", "lat", "known"),
    [(215.69, 31.89, 0.041), (205.92, 32.48, 0.027), (280.47, -32.89, 0.075), (0.0, 90.0, 0.015),
     (0.0, -90.0, 0.018)],
)  # fmt: skip
def test_burstein_heiles_at_known_places(lon: float, lat: float, known: float) -> None:
    """M67 (Taylor 2007), Praesepe (Taylor 2006), before the LMC, and the poles (Schlegel et al. 1998).

    The map's own error is 0.01 mag, and its zero point lies some 0.02 mag below that of Schlegel et al.
    (their section 5), on which the last three rest.
    """
    assert mean_ebv(lon, lat) == pytest.approx(known, abs=0.03)


@needs_dustmaps
def test_burstein_heiles_has_no_plane() -> None:
    """Nothing within 10 deg of the plane, of the whole circle of right ascension, at both sides of 0 h."""
    b = np.array([-9.9, 0.0, 9.9, -10.1, 10.1])
    place = SkyCoord(np.full(5, 76.0), b, unit="deg", frame="galactic").icrs
    found = reddening(place.ra.deg, place.dec.deg, FAR, burstein_heiles())
    assert np.isnan(found.ebv).tolist() == [True, True, True, False, False]
    around = reddening(
        [0.0, 359.999999, 360.0, 0.0, 0.0], [0.0, 0.0, 0.0, 90.0, -90.0], FAR, burstein_heiles()
    )
    assert np.isfinite(around.ebv).all()
    assert around.ebv[0] == around.ebv[2]


@needs_dustmaps
def test_giants_of_kepler(shared: Path) -> None:
    """APOKASC-2 has A_V of giants in the Kepler field from their own colours; they lie behind most dust.

    Measured: E(B-V) by Burstein & Heiles is larger by 0.045 mag in the median (0.12 mag in G), and both
    rise together (correlation 0.51, to which the noise of single stars in A_V, 0.1 mag, adds nothing).
    """
    lines = [
        line.split("|")
        for line in (shared / "data" / "apogee_galah_seismo" / "apokasc2.tsv").read_text().splitlines()
    ]
    names = [name.strip() for name in lines[0]]
    at = [names.index(name) for name in ("_RA", "_DE", "Av")]
    ra, dec, a_v = np.array(
        [
            [float(line[one]) for one in at]
            for line in lines[1:]
            if len(line) > max(at) and line[at[2]].strip()
        ]
    ).T
    ebv = reddening(ra, dec, FAR, burstein_heiles()).ebv
    known = np.isfinite(ebv)
    assert len(ra) > 6500
    assert 0.7 < known.mean() < 0.8  # a quarter of the field is within 10 deg of the plane
    assert np.median(ebv[known] - a_v[known] / 3.1) == pytest.approx(0.0, abs=0.06)
    assert np.corrcoef(ebv[known], a_v[known])[0, 1] > 0.4


def write_bayestar(path: Path, converged: bool = True) -> None:
    """A map in Bayestar's format: 11 of 12 pixels, reddening 0.1, 0.2 and 0.6 at moduli 4, 8 and 12."""
    import h5py  # type: ignore[import-untyped, unused-ignore]

    kinds = [("nside", "i4"), ("healpix_index", "i8"), ("DM_reliable_min", "f4"), ("DM_reliable_max", "f4"),
             ("converged", "u1")]  # fmt: skip
    pixels = np.zeros(11, kinds)
    pixels["nside"], pixels["healpix_index"], pixels["converged"] = 1, np.arange(1, 12), converged
    pixels["DM_reliable_min"], pixels["DM_reliable_max"] = 6.0, 11.0
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["pixel_info"] = pixels
        file["pixel_info"].attrs["DM_bin_edges"] = np.array([4.0, 8.0, 12.0])
        file["best_fit"] = np.tile(np.array([0.1, 0.2, 0.6], "f4"), (11, 1))
        file["samples"] = np.full((11, 5, 3), 9.0, "f4")


@needs_dustmaps
def test_bayestar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By distance, in E(B-V); beyond the stars that it was made of it is in doubt; one pixel is not there."""
    path = tmp_path / "bayestar2019.h5"
    write_bayestar(path)
    settings = HrSettings(bayestar_file=str(path))
    assert extinction_in_use(settings) == "bayestar"
    dust = dust_map(settings)
    assert dust is not None
    assert dust_map(settings) == dust  # read once
    # Moduli 10 (1 kpc), 4, 14, and 10 in the pixel that is not there: its centre is l = 45, b = 41.8 deg.
    place = SkyCoord([200.0, 200.0, 200.0, 45.0], [20.0, 20.0, 20.0, 41.8], unit="deg", frame="galactic").icrs
    found = reddening(place.ra.deg, place.dec.deg, 10.0 ** (np.array([10, 4, 14, 10]) / 5 + 1), dust)
    # The map has single precision; E(B-V) of a unit is 0.884.
    np.testing.assert_allclose(found.ebv, [0.884 * 0.4, 0.884 * 0.1, 0.884 * 0.6, NAN], rtol=1e-6)
    assert found.doubtful.tolist() == [False, True, True, False]
    assert pytest.approx(0.884) == BAYESTAR_EBV
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    write_bayestar(tmp_path / "other.h5", converged=False)
    other = dust_map(HrSettings(bayestar_file=str(tmp_path / "other.h5")))
    assert other is not None
    assert reddening(place.ra.deg, place.dec.deg, 1000.0, other).doubtful.tolist() == [
        True,
        True,
        True,
        False,
    ]


@needs_dustmaps
def test_where_bayestar_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is found where dustmaps keeps it; a file that is not there, or no map, is an error."""
    standard = SimpleNamespace(data_dir=lambda: tmp_path)
    true = hr_dust._module
    monkeypatch.setattr(
        hr_dust, "_module", lambda name: standard if name == "dustmaps.std_paths" else true(name)
    )
    assert extinction_in_use(HrSettings()) == "bh"
    with pytest.raises(UsageError, match="fetch"):
        dust_map(HrSettings(extinction="bayestar"))
    with pytest.raises(UsageError, match=r"no map .*x\.h5"):
        dust_map(HrSettings(bayestar_file=str(tmp_path / "x.h5")))
    write_bayestar(tmp_path / "bayestar" / "bayestar2019.h5")
    assert extinction_in_use(HrSettings()) == "bayestar"
    (tmp_path / "x.h5").write_text("of no map")
    with pytest.raises(InputError, match=r"x\.h5"):
        dust_map(HrSettings(bayestar_file=str(tmp_path / "x.h5")))
