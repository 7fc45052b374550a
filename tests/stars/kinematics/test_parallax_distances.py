"""Zero points of parallaxes, limits of quality, and why a star has no distance."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.stars.kinematics.distances import (
    Reason,
    ecliptic_latitude,
    find_distances,
    first_reason,
    parallax_zero_point,
)
from lkmrs_dask.stars.kinematics.settings import HighVelocitySettings

NAMES = (
    "ra", "dec", "parallax", "parallax_error", "ruwe", "phot_g_mean_mag", "nu_eff_used_in_astrometry",
    "pseudocolour", "astrometric_params_solved",
)  # fmt: skip


def stars(n: int = 1, /, **changed: Any) -> dict[str, np.ndarray]:
    """Good stars at 500 pc, some values of which are others."""
    values = dict(zip(NAMES, (290.0, 45.0, 2.0, 0.02, 1.0, 13.0, 1.5, math.nan, 31.0), strict=True))
    return {
        name: np.broadcast_to(np.asarray(one, float), n).copy() for name, one in (values | changed).items()
    }


def plain(g: float, colour: float, ecl_lat: float, kind: int) -> float:
    """Eqs. A3 to A5 of Lindegren et al. (2021) for one star, in mas, with the published coefficients."""
    import zero_point

    assert zero_point.__file__ is not None
    table = np.genfromtxt(
        Path(zero_point.__file__).parent / f"coefficients/z{kind}_200720.txt", delimiter=","
    )
    sine = math.sin(math.radians(ecl_lat))
    by_colour = [
        1.0,
        max(-0.24, min(0.24, colour - 1.48)),
        min(0.24, max(0.0, 1.48 - colour)) ** 3,
        min(0.0, colour - 1.24),
        max(0.0, colour - 1.72),
    ]
    by_latitude = [1.0, sine, sine**2 - 1 / 3]
    total = 0.0
    for j, k, *q in table[:, 1:].T:
        total += np.interp(g, table[2:, 0], q) * by_colour[int(j)] * by_latitude[int(k)]
    return total / 1000.0


def test_zero_point_star_by_star() -> None:
    rng = np.random.default_rng(3)
    g, colour, latitude = rng.uniform(7, 20, 40), rng.uniform(1.25, 1.7, 40), rng.uniform(-90, 90, 40)
    solution = np.where(np.arange(40) % 2, 31.0, 95.0)
    nu_eff, pseudo = np.where(solution == 31, colour, np.nan), np.where(solution == 95, colour, np.nan)
    found = parallax_zero_point(g, nu_eff, pseudo, latitude, solution)
    expected = [plain(g[k], colour[k], latitude[k], 5 if k % 2 else 6) for k in range(40)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)  # the package rounds to 1e-6 mas


def test_where_the_formula_does_not_apply() -> None:
    g = np.array([5.0, 22.0, 13.0, 13.0, 13.0, 13.0, math.nan, 13.0])
    colour = np.array([1.5, 1.5, 1.0, 2.0, math.nan, 1.5, 1.5, 1.5])
    solution = np.array([31.0, 31, 31, 31, 31, 3, 31, math.nan])
    found = parallax_zero_point(g, colour, np.full(8, math.nan), np.full(8, 20.0), solution)
    assert np.isnan(found).all()
    assert parallax_zero_point(*[np.empty(0)] * 5).shape == (0,)
    for other, zero in (("none", 0.0), (-0.017, -0.017)):
        settings = HighVelocitySettings(zero_point_outside=other)
        there = find_distances(stars(2, phot_g_mean_mag=[5.0, 13.0]), settings)
        assert there.outside.tolist() == [True, False]
        assert there.zero_point[0] == zero
        assert there.distance[0] == pytest.approx(1000 / (2.0 - zero), rel=1e-12)
    flagged = find_distances(stars(phot_g_mean_mag=5.0), HighVelocitySettings(zero_point_outside="flag"))
    assert flagged.reason.tolist() == [Reason.NO_ZERO_POINT]
    assert np.isnan(flagged.distance).all()


@pytest.mark.parametrize(("zero_point", "parallax"), [("none", 2.0), (-0.025, 2.025), (0, 2.0)])
def test_named_and_given_zero_points(zero_point: str | float, parallax: float) -> None:
    columns = stars()
    for name in NAMES[5:]:
        del columns[name]  # which only the formula needs
    found = find_distances(columns, HighVelocitySettings(zero_point=zero_point))
    assert found.parallax[0] == pytest.approx(parallax, rel=1e-12)
    assert found.distance[0] == pytest.approx(1000 / parallax, rel=1e-12)
    assert not found.outside.any()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, "OK"),
        ({"parallax": 0.0}, "LOW_PARALLAX_SNR"),  # which the zero point makes positive
        ({"parallax": -1.0}, "NEGATIVE_PARALLAX"),
        ({"parallax": math.nan}, "NO_PARALLAX"),
        ({"parallax_error": math.nan}, "NO_PARALLAX"),
        ({"parallax_error": 0.0}, "NO_PARALLAX"),
        ({"parallax": 0.1}, "LOW_PARALLAX_SNR"),  # just five errors, not more
        ({"ruwe": math.nan}, "NO_RUWE"),
        ({"ruwe": 1.4}, "HIGH_RUWE"),
        ({"ra": math.nan}, "NO_POSITION"),
        ({"dec": 91.0}, "NO_POSITION"),
        ({"parallax": math.nan, "ruwe": 3.0}, "NO_PARALLAX"),
    ],
)
def test_reasons(changed: dict[str, float], reason: str) -> None:
    found = find_distances(stars(**changed), HighVelocitySettings())
    assert Reason(found.reason[0]).name == reason
    assert np.isfinite(found.distance[0]) == (reason == "OK")


def test_limits_are_settings() -> None:
    bad = stars(parallax=0.05, ruwe=8.0)
    loose = HighVelocitySettings(parallax_over_error=0.0, ruwe=math.inf, zero_point="none")
    assert find_distances(bad, loose).distance[0] == pytest.approx(20000.0)
    del bad["ruwe"]
    assert find_distances(bad, loose).reason[0] == Reason.OK
    with pytest.raises(CatalogError, match="column 'ruwe', which the table lacks"):
        find_distances(bad, HighVelocitySettings())


def test_distances_from_a_column() -> None:
    columns = stars(6) | {
        "d": np.array([500.0, 0.0, math.nan, 500.0, 500.0, -3.0]),
        "lo": np.array([400.0, 1.0, 1.0, 600.0, math.nan, 1.0]),
        "hi": np.array([700.0, 2.0, 2.0, 700.0, 600.0, 2.0]),
    }
    settings = HighVelocitySettings(
        distance_column="d", distance_lower_column="lo", distance_upper_column="hi"
    )
    found = find_distances(columns, settings)
    assert [Reason(one).name for one in found.reason] == [
        "OK",
        *["NO_DISTANCE"] * 2,
        "OK",
        "OK",
        "NO_DISTANCE",
    ]
    assert found.given is not None
    assert found.given.logarithmic
    assert found.given.below[0] == pytest.approx(math.log(500 / 400))
    assert found.given.above[0] == pytest.approx(math.log(700 / 500))
    assert np.isnan(found.given.below[3:5]).all()  # limits in the wrong order, and a missing one
    errors = find_distances(
        columns | {"e": np.array([50.0, 1, 1, 0.0, -1.0, 1])},
        HighVelocitySettings(distance_column="d", distance_error_column="e"),
    ).given
    assert errors is not None
    assert np.isnan(errors.above).tolist() == [False, False, False, True, True, False]


def test_first_reason_wins() -> None:
    both = {Reason.HIGH_RUWE: np.array([True, True, False]), Reason.NO_GAIA: np.array([False, True, False])}
    assert first_reason(3, both).tolist() == [Reason.HIGH_RUWE, Reason.NO_GAIA, Reason.OK]


def test_real_rows_of_gaia(shared: Path) -> None:
    """Big-endian and single precision, as FITS has them; the archive's own ecliptic latitudes."""
    with fits.open(shared / "data/gaia/gdr3_sm.fits") as file:
        data = {name: np.array(file[1].data[name]) for name in (*NAMES, "ecl_lat")}
    np.testing.assert_allclose(ecliptic_latitude(data["ra"], data["dec"]), data["ecl_lat"], rtol=0, atol=1e-5)
    columns = {name: np.asarray(one, np.float64) for name, one in data.items()}
    found = find_distances(columns, HighVelocitySettings())
    ok = found.reason == Reason.OK
    assert 0 < ok.sum() < len(ok)
    np.testing.assert_allclose(
        found.distance[ok], 1000 / (columns["parallax"] - found.zero_point)[ok], rtol=1e-12
    )
    solved = np.isin(columns["astrometric_params_solved"], (31, 95)) & ~found.outside
    assert np.isfinite(found.zero_point[solved]).all()
    assert np.median(found.zero_point[solved]) == pytest.approx(-0.03, abs=0.02)
    unsolved = columns["astrometric_params_solved"] == 3
    assert (found.reason[unsolved] == Reason.NO_PARALLAX).all()
