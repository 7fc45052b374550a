"""Absolute magnitudes of tables: against a plain reference, published ones, and rows that are bad."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.coordinates import SkyCoord

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.stars.hr_diagram import MagnitudeFlag
from lkmrs_dask.stars.hr_settings import HrSettings
from lkmrs_dask.stars.magnitudes import (
    MAGNITUDES,
    OF_STAR,
    gaia_columns,
    magnitude_columns,
    magnitudes,
)

NAN = math.nan
PLAIN = HrSettings(extinction="none", zero_point="none")
GOOD = {
    "star_id": "", "ra": 290.0, "dec": 44.0, "teff": 5772.0, "logg": 4.4, "parallax": 10.0,
    "parallax_error": 0.02, "phot_g_mean_mag": 9.68, "nu_eff_used_in_astrometry": 1.5, "pseudocolour": None,
    "astrometric_params_solved": 31,
}  # fmt: skip


def stars(*changes: dict[str, Any]) -> pa.Table:
    """A star a hundred parsecs away for each argument, with changes."""
    rows = [{**GOOD, "star_id": f"star {at}", **change} for at, change in enumerate(changes)]
    table = pa.Table.from_pylist(rows)
    return table.cast(
        pa.schema(
            [one if not pa.types.is_null(one.type) else pa.field(one.name, "float64") for one in table.schema]
        )
    )


def test_a_star_like_the_sun() -> None:
    """At 100 pc the Sun has G = 9.68 (M_G 4.68 by Casagrande & VandenBerg 2018): no dust, no zero point."""
    (row,) = magnitudes(stars({}), PLAIN).to_pylist()
    assert row["m_g"] == pytest.approx(4.68)
    assert row["distance_pc"] == pytest.approx(100.0)
    # Of the parallax 5 / ln 10 * 0.002 = 0.0043, of G 0.003.
    assert row["m_g_err"] == pytest.approx(math.hypot(0.00434, 0.003), rel=1e-2)
    assert (row["a_g"], row["a_g_err"], row["ebv"]) == (None, None, None)
    assert row["magnitude_flag"] == MagnitudeFlag.NO_EXTINCTION
    assert (row["star_id"], row["teff"], row["logg"], row["uid"]) == ("star 0", 5772.0, 4.4, None)


def test_zero_points() -> None:
    """A number, the formula (by its authors' package, -0.0247 mas here), and where it fails."""
    from zero_point import zpt

    faint = {"phot_g_mean_mag": 16.0}
    outside = {"phot_g_mean_mag": 16.0, "nu_eff_used_in_astrometry": 0.5}
    zpt.load_tables()
    lat = SkyCoord(290.0, 44.0, unit="deg").barycentrictrueecliptic.lat.deg
    (expected,) = zpt.get_zpt(*(np.array([one]) for one in (16.0, 1.5, NAN, lat, 31)))
    found = magnitudes(stars(faint, outside), HrSettings(extinction="none")).to_pylist()
    assert expected == pytest.approx(-0.0247, abs=1e-4)
    # The latitude of that frame differs by some 1e-3 deg from that of Gaia's archive.
    assert found[0]["distance_pc"] == pytest.approx(1000 / (10 - expected), rel=1e-7)
    assert found[1]["distance_pc"] == pytest.approx(1000 / 10.017)
    assert [one["magnitude_flag"] for one in found] == [16, 16 | 64]
    settings = HrSettings(extinction="none", zero_point_outside="flag")
    (row,) = magnitudes(stars(outside), settings).to_pylist()
    assert (row["m_g"], row["distance_pc"]) == (None, None)
    assert row["magnitude_flag"] == 2 | 16 | 64
    (row,) = magnitudes(stars({}), HrSettings(extinction="none", zero_point=-0.5)).to_pylist()
    assert row["distance_pc"] == pytest.approx(1000 / 10.5)
    assert "pseudocolour" not in magnitude_columns(PLAIN)


@pytest.mark.parametrize("kind", ["bh", "bayestar"])
def test_extinction(kind: str) -> None:
    """Of the whole line of sight the share in front; by distance all that the map gives, in its unit."""
    asked = []

    def query(place: SkyCoord, **options: Any) -> Any:
        asked.append(place)
        if not options:
            return np.full(len(place), 0.3)
        flags = np.zeros(len(place), [("converged", bool), ("reliable_dist", bool)])
        flags["converged"], flags["reliable_dist"] = True, place.distance.pc < 500
        return np.full(len(place), 0.3), flags

    settings = HrSettings(extinction=kind, zero_point="none", dust_height=100.0)
    table = stars({}, {"parallax": 1.0, "teff": None}, {"teff": 4000.0})
    found = magnitudes(table, settings, query).to_pylist()
    assert len(asked) == 1
    b = SkyCoord(290.0, 44.0, unit="deg").galactic.b.rad
    for row, distance, ratio in zip(found, (100.0, 1000.0, 100.0), (2.66, 2.66, 2.53), strict=True):
        ebv = 0.3 * (1 - math.exp(-distance * math.sin(b) / 100.0)) if kind == "bh" else 0.3 * 0.884
        assert row["ebv"] == pytest.approx(ebv, rel=1e-6)
        assert row["a_g"] == pytest.approx(ratio * ebv, rel=1e-6)
        assert row["m_g"] == pytest.approx(9.68 - 5 * math.log10(distance / 10) - ratio * ebv, abs=1e-6)
    doubtful = 128 if kind == "bayestar" else 0
    assert [row["magnitude_flag"] for row in found] == [0, MagnitudeFlag.NO_TEFF | doubtful, 0]


def test_bad_rows() -> None:
    """Each has a reason, none a magnitude but where only its extinction is not known; no warning is given."""
    flag = MagnitudeFlag
    cases: list[tuple[dict[str, Any], int]] = [
        ({"parallax": -1.0}, flag.NEGATIVE_PARALLAX | flag.NO_EXTINCTION),
        ({"parallax": 0.0}, flag.NEGATIVE_PARALLAX | flag.NO_EXTINCTION),
        ({"parallax": 0.05}, flag.LOW_PARALLAX_SNR | flag.NO_EXTINCTION),
        ({"parallax": None}, flag.NO_PARALLAX | flag.NO_EXTINCTION),
        ({"parallax": math.inf}, flag.NO_PARALLAX | flag.NO_EXTINCTION),
        ({"parallax": 1e300}, flag.NO_PARALLAX | flag.NO_EXTINCTION),
        ({"parallax": 1e-320, "parallax_error": 1e-322}, flag.NO_EXTINCTION),
        ({"parallax_error": 0.0}, flag.NO_PARALLAX | flag.NO_EXTINCTION),
        ({"parallax_error": None}, flag.NO_PARALLAX | flag.NO_EXTINCTION),
        ({"phot_g_mean_mag": None}, flag.NO_G),
        ({"ra": None}, flag.NO_EXTINCTION),
        ({"dec": 91.0}, flag.NO_EXTINCTION),
        ({"teff": None}, flag.NO_TEFF),
        ({"teff": -9999.0}, flag.NO_TEFF),
        ({"ra": 0.0, "dec": 90.0}, flag.OK),
        ({"ra": 360.0, "dec": -90.0}, flag.OK),
    ]
    settings = HrSettings(extinction="bh", zero_point=0.0)
    found = magnitudes(stars(*(one for one, _ in cases)), settings, lambda place: np.full(len(place), 0.1))
    assert found.column("magnitude_flag").to_pylist() == [int(value) for _, value in cases]
    none = MagnitudeFlag.NO_G | 2 | 4 | 8
    for row in found.to_pylist():
        assert (row["m_g"] is None) == bool(row["magnitude_flag"] & none)
        assert (row["m_g"] is None) == (row["m_g_err"] is None)


@pytest.mark.parametrize("extinction", ["none", "bh", "auto"])
def test_nothing_and_nulls(extinction: str) -> None:
    if extinction != "none" and find_spec("dustmaps") is None:
        pytest.skip("dustmaps is not installed")
    settings = HrSettings(extinction=extinction)
    nulls = pa.table({name: pa.nulls(3, pa.float64()) for name in magnitude_columns(settings)})
    found = magnitudes(nulls, settings)
    assert found.schema == MAGNITUDES.arrow()
    assert found.column("magnitude_flag").to_pylist() == [1 | 2 | 16 | 32] * 3
    assert (
        found.drop_columns(["magnitude_flag"]).to_pylist()
        == [dict.fromkeys(name for name in MAGNITUDES.names if name != "magnitude_flag")] * 3
    )
    assert magnitudes(nulls.slice(0, 0), settings).equals(MAGNITUDES.arrow().empty_table())


def test_rows_do_not_see_each_other() -> None:
    """Rows alone, together and in another order give the same; columns may be of any kind of number."""
    table = stars(*({"parallax": 1.0 + at, "teff": 4000.0 + 300 * at} for at in range(9)))
    settings = HrSettings(extinction="bh")

    def query(place: SkyCoord) -> Any:
        return place.ra.deg / 1000.0

    whole = magnitudes(table, settings, query)
    order = np.array([4, 2, 0, 1, 3, 8, 7, 6, 5])
    assert magnitudes(table.take(order), settings, query).equals(whole.take(order))
    parts = pa.concat_tables([magnitudes(table.slice(at, 1), settings, query) for at in range(9)])
    assert parts.combine_chunks().equals(whole.combine_chunks())
    single = table.set_column(
        table.column_names.index("teff"), "teff", table.column("teff").cast(pa.float32())
    )
    assert magnitudes(single, settings, query).column("m_g").equals(whole.column("m_g"))


def test_wrong_calls() -> None:
    with pytest.raises(CatalogError, match="parallax_error"):
        magnitudes(stars({}).drop_columns(["parallax_error"]), PLAIN)
    with pytest.raises(CatalogError, match=r"teff must hold numbers"):
        magnitudes(stars({"teff": "hot"}), PLAIN)
    with pytest.raises(UsageError, match="what it is like"):
        magnitudes(stars({}), PLAIN, lambda place: [0.0])
    assert set(gaia_columns()) <= set(magnitude_columns())
    assert set(magnitude_columns()) - set(gaia_columns()) <= set(OF_STAR)


def kepler_stars(shared: Path) -> pd.DataFrame:
    """Stars of Wilson's lists (DR3) with the magnitudes and temperatures of Lu et al. 2021 (DR2)."""
    folder = shared / "data" / "gaia_kepler"
    wilson = pd.concat([pd.read_csv(folder / f"wilson_{one}_sample.csv") for one in ("target", "control")])
    lines = (folder / "Lu_2021_ajabe4d6t1_mrt.txt").read_text().splitlines()
    rows = [line for line in lines if line[:8].strip().isdigit() and line[122:128].strip()]
    lu = pd.DataFrame(
        {"kepid": [int(line[:8]) for line in rows], "lu_teff": [float(line[113:121]) for line in rows],
         "lu_m_g": [float(line[122:128]) for line in rows]}
    )  # fmt: skip
    return wilson.drop(columns="teff").merge(lu, on="kepid").rename(columns={"lu_teff": "teff"})


def test_magnitudes_of_lu(shared: Path) -> None:
    """M_G of 850 cool dwarfs at some 220 pc, from DR2, whose extinction (3-D) is next to nothing.

    Zero points and G differ from DR2 to DR3 by some 0.03 mas (0.014 mag here) and 0.01 to 0.02 mag.
    """
    both = kepler_stars(shared)
    table = pa.Table.from_pandas(both[list(magnitude_columns(PLAIN))], preserve_index=False)
    m_g = magnitudes(table, PLAIN).column("m_g").to_numpy()
    known = np.isfinite(m_g)
    assert known.sum() > 840
    difference = m_g[known] - both.lu_m_g[known]
    assert np.median(difference) == pytest.approx(0.0, abs=0.03)
    assert np.median(np.abs(difference - np.median(difference))) < 0.03


@pytest.mark.skipif(find_spec("dustmaps") is None, reason="dustmaps is not installed")
def test_dust_of_near_stars(shared: Path) -> None:
    """The layer puts dust in front of near stars too, where the Local Bubble has little.

    Measured for those of Lu et al. at some 220 pc: M_G is 0.09 mag too bright in the median.
    """
    both = kepler_stars(shared)
    settings = HrSettings(extinction="bh", zero_point="none")
    table = pa.Table.from_pandas(both[list(magnitude_columns(settings))], preserve_index=False)
    found = magnitudes(table, settings)
    flag = found.column("magnitude_flag").to_numpy()
    ok = flag == 0
    assert ok.sum() > 690
    assert np.median(found.column("m_g").to_numpy()[ok] - both.lu_m_g[ok]) == pytest.approx(-0.09, abs=0.03)
    # Within 10 deg of the plane the map has nothing, and no star further away is without.
    low = np.abs(both.b.to_numpy()) < 9.5
    assert (flag[low] & MagnitudeFlag.NO_EXTINCTION != 0).all()
    placed = np.isfinite(found.column("distance_pc").to_numpy())
    assert not (flag[(np.abs(both.b.to_numpy()) > 10.5) & placed] & MagnitudeFlag.NO_EXTINCTION).any()
