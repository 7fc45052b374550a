"""Stars, and which plans observe them."""

from __future__ import annotations

import dataclasses

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.plan import PLANS
from lkmrs_dask.synthetic.population import (
    Stars,
    faintness,
    make_stars,
    moved,
    offset_position,
    with_motions,
)
from lkmrs_dask.synthetic.targets import Targets, choose_targets, designations, moved_targets

N = 3000
WITH_STARS = [k for k, plan in enumerate(PLANS) if plan.stars_of is None]
HOME = np.array(WITH_STARS)[np.arange(N) % len(WITH_STARS)]


@pytest.fixture(scope="module")
def stars() -> Stars:
    return with_motions(make_stars(Draws(1), np.arange(N), HOME, PLANS), Draws(1))


@pytest.fixture(scope="module")
def targets(stars: Stars) -> list[Targets]:
    return [choose_targets(stars, PLANS, number, Draws(1)) for number in range(len(PLANS))]


def at(planid: str) -> int:
    return [plan.planid for plan in PLANS].index(planid)


def arrays(stars: Stars) -> dict[str, np.ndarray]:
    found = {field.name: getattr(stars, field.name) for field in dataclasses.fields(stars)}
    return found | found.pop("orbit")._asdict()


def test_star_does_not_depend_on_the_others(stars: Stars) -> None:
    part = np.array([5, 17, 1234])
    some = with_motions(make_stars(Draws(1), part, HOME[part], PLANS), Draws(1))
    for name, values in arrays(some).items():
        assert np.array_equal(values, arrays(stars)[name][part], equal_nan=values.dtype.kind == "f"), name


def test_positions_fill_the_plates(stars: Stars) -> None:
    for number in WITH_STARS:
        plan, own = PLANS[number], stars.home == number
        centre = SkyCoord(*plan.centre, unit="deg")
        away = centre.separation(SkyCoord(stars.ra[own], stars.dec[own], unit="deg")).deg
        assert away.max() < 2.4901
        # Even on the sky: squared radii are uniform, to a curvature of 1e-4; Kolmogorov-Smirnov at 0.1 %.
        rank = (np.arange(own.sum()) + 0.5) / own.sum()
        assert np.abs(np.sort(away**2 / 2.49**2) - rank).max() < 1.95 / np.sqrt(own.sum())


def test_offset_position_against_astropy() -> None:
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(0, 360, 200), np.degrees(np.arcsin(rng.uniform(-1, 1, 200)))
    distance, angle = 10 ** rng.uniform(-5, 1, 200), rng.uniform(0, 360, 200)
    found = SkyCoord(*offset_position(ra, dec, distance, angle), unit="deg")
    plain = SkyCoord(ra, dec, unit="deg").directional_offset_by(angle * u.deg, distance * u.deg)
    assert found.separation(plain).arcsec.max() < 1e-6
    east = offset_position(np.array([359.99]), np.array([0.0]), np.array([0.02]), np.array([90.0]))
    assert east[0][0] == pytest.approx(0.01)


def test_identifiers(stars: Stars) -> None:
    uids = stars.uid_of(np.arange(N))
    assert len(set(uids)) == N
    assert all(len(uid) == 15 and uid[0] in "GL" and uid[1:].isdigit() for uid in uids)
    assert np.array_equal(np.array([uid[0] == "G" for uid in uids]), stars.has_gaia)
    known = stars.gaia_source_id[stars.has_gaia]
    assert len(set(known.tolist())) == len(known)
    # Gaia's own rule: source_id / 2^35 is the level-12 HEALPix pixel of the position.
    pixel = healpy.ang2pix(4096, stars.ra, stars.dec, nest=True, lonlat=True)
    assert np.array_equal(known >> 35, pixel[stars.has_gaia])
    assert np.all(stars.gaia_source_id[~stars.has_gaia] == -9999)
    assert 0.93 < stars.has_gaia.mean() < 0.97


def test_stars_in_one_trixel_get_different_uids(monkeypatch: pytest.MonkeyPatch) -> None:
    trixels = np.array([7, 7, 8, 7, 9, 5, 20, 9])
    monkeypatch.setattr("lkmrs_dask.synthetic.population.htm_id", lambda ra, dec: trixels[: len(ra)])
    expected: list[int] = []
    for number in trixels.tolist():  # one after the other, each takes the next that is free
        while number in expected:
            number += 1
        expected.append(number)
    for n in (1, 3, 8):  # those behind change nothing
        found = make_stars(Draws(1), np.arange(n), np.zeros(n, np.int64), PLANS).uid_number
        assert found.tolist() == expected[:n]


def test_truth_is_within_what_the_survey_has(stars: Stars) -> None:
    assert stars.g.min() >= 9
    assert stars.g.max() <= 15
    # Counts rise as 10^(0.25 G): the share above G = 14 is (10^3.75 - 10^3.5) / (10^3.75 - 10^2.25).
    share = (10**3.75 - 10**3.5) / (10**3.75 - 10**2.25)
    assert abs((stars.g > 14).mean() - share) < 4 * np.sqrt(share * (1 - share) / N)
    assert stars.teff.min() > 3900
    assert (stars.teff > 8500).mean() == pytest.approx(0.05, abs=0.02)
    # Ordinary stars: special ones are chosen later.
    assert stars.feh.min() >= -0.75
    assert not stars.rv_variable.any()
    assert np.isnan(stars.orbit.period).all()
    assert set(stars.variable_class.tolist()) == {""}
    # Distance modulus, without extinction.
    assert stars.g - stars.abs_mag_g == pytest.approx(5 * np.log10(stars.distance / 10))
    assert stars.parallax * stars.distance == pytest.approx(1000.0)
    assert np.isfinite(stars.rv + stars.pmra + stars.pmdec).all()
    assert np.abs(stars.rv).max() < 350


def test_faintness_is_a_rank(stars: Stars) -> None:
    rank = np.sort(faintness(stars.g))
    assert faintness(np.array([9.0, 15.0])) == pytest.approx([0, 1])
    assert np.abs(rank - (np.arange(N) + 0.5) / N).max() < 1.95 / np.sqrt(N)


def test_plates_share_stars_and_positions_scatter(stars: Stars, targets: list[Targets]) -> None:
    truth = SkyCoord(stars.ra, stars.dec, unit="deg")
    for number, (plan, own) in enumerate(zip(PLANS, targets, strict=True)):
        place = SkyCoord(own.ra, own.dec, unit="deg")
        assert SkyCoord(*plan.centre, unit="deg").separation(place).deg.max() < 2.5
        away = truth[own.star].separation(place).arcsec
        assert away.max() < 1.453  # six decimals add 0.0026 arcsec
        # The square of a Gaussian's distance is exponential, mean and deviation 0.16: 4 standard errors.
        assert abs(np.mean(away**2) - 0.16) < 4 * 0.16 / np.sqrt(len(own))
        east = (own.ra - stars.ra[own.star]) * np.cos(np.radians(own.dec)) * 3600
        north = (own.dec - stars.dec[own.star]) * 3600
        for offset in (east, north):  # 0.4 / sqrt(2) a coordinate; kurtosis 3, that of an even disc is 2
            assert offset.std() == pytest.approx(0.283, abs=4 * 0.283 / np.sqrt(2 * len(own)))
            assert (np.abs(offset) > 2 * 0.283).mean() == pytest.approx(
                0.0455, abs=4 * np.sqrt(0.0455 / len(own))
            )
        assert set(np.flatnonzero(stars.home == number)) <= set(own.star.tolist())
    # A test plate has 70 % of the stars of its field; neighbours share some, plates far apart none.
    test, plain = targets[at("HIP95119KP01")], targets[at("TD192102N424113K01")]
    next_to, far = targets[at("TD193637N444141K01")], targets[at("TD082325N180811K01")]
    both = np.intersect1d(plain.star, test.star)
    own = (stars.home == at("TD192102N424113K01")).sum()
    assert 0.55 < len(both) / own < 0.9
    assert len(np.intersect1d(plain.star, next_to.star)) > 10
    assert len(np.intersect1d(plain.star, far.star)) == 0
    one, two = plain, test
    here, there = np.isin(one.star, both), np.isin(two.star, both)
    apart = SkyCoord(one.ra[here], one.dec[here], unit="deg").separation(
        SkyCoord(two.ra[there], two.dec[there], unit="deg")
    )
    assert 1.0 < apart.arcsec.max() < 2.91  # the radius of identity is 3 arcsec
    # Two errors of 0.4 arcsec: 0.57 arcsec.
    assert np.mean(apart.arcsec**2) == pytest.approx(0.32, abs=4 * 0.32 / np.sqrt(len(apart)))
    names = [np.array(t.designation.to_pylist())[mask] for t, mask in ((one, here), (two, there))]
    assert (names[0] != names[1]).mean() > 0.5


def test_fibres_are_used_once(stars: Stars, targets: list[Targets]) -> None:
    fewer = make_stars(Draws(1), np.arange(600), HOME[:600], PLANS)
    for number, own in enumerate(targets):
        assert len(set(zip(own.spid.tolist(), own.fiberid.tolist(), strict=True))) == len(own)
        assert set(own.spid.tolist()) == set(range(1, 17))
        assert own.fiberid.min() >= 1
        assert own.fiberid.max() <= 250
        # A fibre depends on the stars before only.
        first = choose_targets(fewer, PLANS, number, Draws(1))
        for name in ("star", "spid", "fiberid", "ra", "dec"):
            assert np.array_equal(getattr(first, name), getattr(own, name)[: len(first)])


def test_too_many_stars_for_a_plan() -> None:
    n, plan = 4010, at("TD192102N424113K01")
    many = make_stars(Draws(1), np.arange(n), np.full(n, plan), PLANS)
    with pytest.raises(UsageError, match=r"TD192102N424113K01 .* 4000 fibres"):
        choose_targets(many, PLANS, plan, Draws(1))


def plain_designation(ra: float, dec: float) -> str:
    hundredths = int(ra / 15 * 3600 * 100 + 1e-6)
    tenths = int(abs(dec) * 3600 * 10 + 1e-6)
    h, m, s = hundredths // 360000, hundredths // 6000 % 60, hundredths % 6000 / 100
    d, arcmin, arcsec = tenths // 36000, tenths // 600 % 60, tenths % 600 / 10
    return f"J{h:02d}{m:02d}{s:05.2f}{'-' if dec < 0 else '+'}{d:02d}{arcmin:02d}{arcsec:04.1f}"


def test_designations() -> None:
    # The real star: RA 292.058716, Dec 43.925304 is LAMOST J192814.09+435531.0.
    assert designations(np.array([292.058716]), np.array([43.925304])).to_pylist() == ["J192814.09+435531.0"]
    rng = np.random.default_rng(3)
    ra, dec = np.round(rng.uniform(0, 360, 300), 6), np.round(rng.uniform(-90, 90, 300), 6)
    ra[:3], dec[:3] = [0.0, 359.999999, 15.0], [0.0, -0.00001, 89.999999]
    plain = [plain_designation(a, d) for a, d in zip(ra.tolist(), dec.tolist(), strict=True)]
    assert designations(ra, dec).to_pylist() == plain


def test_copies_lie_elsewhere_and_have_other_names(stars: Stars, targets: list[Targets]) -> None:
    away = moved(stars, 200.0, 3)
    assert (away.ra - stars.ra) % 360 == pytest.approx(200.0)
    assert np.array_equal(away.dec, stars.dec)
    assert not set(away.uid_of(np.arange(N))) & set(stars.uid_of(np.arange(N)))
    for name in ("gp_id", "gaia_source_id"):
        known = stars.has_gaia
        assert not set(getattr(away, name)[known].tolist()) & set(getattr(stars, name)[known].tolist())
    pixel = healpy.ang2pix(4096, away.ra, away.dec, nest=True, lonlat=True)
    assert np.array_equal((away.gaia_source_id >> 35)[stars.has_gaia], pixel[stars.has_gaia])
    # At one place too, and however many there are: 14 digits, as LAMOST's own.
    copies = [moved(stars, 0.0, copy) for copy in (1, 2, 3, 100, 10_000)]
    for name in ("uid_number", "gp_id", "gaia_source_id"):
        found = np.concatenate([getattr(copy, name)[stars.has_gaia] for copy in [stars, *copies]])
        assert len(np.unique(found)) == len(found), name
    assert all(len(uid) == 15 for uid in copies[-1].uid_of(np.arange(N)))
    there = moved_targets(targets[5], 200.0)
    assert np.array_equal(there.ra, np.round((targets[5].ra + 200.0), 6) % 360)
    plain = [plain_designation(a, d) for a, d in zip(there.ra.tolist(), there.dec.tolist(), strict=True)]
    assert there.designation.to_pylist() == plain
