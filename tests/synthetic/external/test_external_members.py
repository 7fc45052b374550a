"""Numbers of counterparts at the paper's full size, without files; closeness against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from lkmrs_dask.synthetic.external.addressed import chosen
from lkmrs_dask.synthetic.external.close import GUARD_ARCSEC, close_pairs, near_another, near_any
from lkmrs_dask.synthetic.external.identifiers import FIRST_EPIC, kic_epic_ids, tic_ids
from lkmrs_dask.synthetic.external.quotas import QUOTAS, quota
from lkmrs_dask.synthetic.external.world import World, input_positions, make_world
from lkmrs_dask.synthetic.ledger import Ledger, make_ledger


@pytest.fixture(scope="module")
def full() -> tuple[Ledger, World]:
    ledger = make_ledger(1.0, 1)
    return ledger, make_world(ledger)


def test_quotas_at_full_size(full: tuple[Ledger, World]) -> None:
    ledger, world = full
    known, members = ledger.has_parameters, world.members
    for name, number in (
        ("kic_epic", 18_892), ("apogee", 6_951), ("apogee_feh", 6_859), ("apogee_alpha_m", 4_530),
        ("apogee_vsini", 949), ("galah", 5_394), ("galah_feh", 5_257), ("galah_alpha_m", 3_694),
    ):  # fmt: skip
        assert (getattr(members, name) & known).sum() == number, name
    # Stars with the value in both surveys are what the paper counts.
    star = ledger.attendance.star
    for name in ("alpha_m", "vsini"):
        here = np.isin(np.arange(len(ledger.stars)), star[getattr(ledger.measured, name)])
        assert (getattr(members, f"apogee_{name}") & here & known).sum() == QUOTAS[f"apogee_{name}"][0]


def test_known_to_simbad_at_full_size(full: tuple[Ledger, World]) -> None:
    ledger, world = full
    stars, simbad = ledger.stars, world.members.simbad
    known = ledger.has_parameters
    for group, of, number in (
        (known & (stars.feh < -2), 174, 43),
        (known & (stars.feh >= -2) & (stars.feh < -1), 764, 86),
        (stars.high_velocity == 1, 29, 3),
        (stars.variable_class != "", 371, 177),
    ):
        assert (group.sum(), (group & simbad).sum()) == (of, number)
    assert not (world.members.vsx & ~simbad).any()
    assert world.members.vsx.sum() > 100


def test_identifiers(full: tuple[Ledger, World]) -> None:
    ledger, world = full
    ids = kic_epic_ids(ledger)
    assert (ids[ledger.has_kepler_photometry] > 0).all()
    assert np.array_equal(ids, world.kic_epic[: len(ids)])
    listed = world.kic_epic[world.kic_epic > 0]
    assert len(np.unique(listed)) == len(listed)
    kepler = world.sources.kepler & (world.kic_epic > 0)
    assert world.kic_epic[kepler].max() <= 13_161_029
    assert world.kic_epic[~kepler & (world.kic_epic > 0)].min() >= FIRST_EPIC
    assert len(np.unique(tic_ids(ledger))) == len(ids)
    tic = world.tic[world.tic > 0]
    assert len(np.unique(tic)) == len(tic)
    gaia = world.sources.gaia_source_id[world.sources.gaia_source_id > 0]
    assert len(np.unique(gaia)) == len(gaia)


def test_fields_hold_more_than_the_stars(full: tuple[Ledger, World]) -> None:
    _, world = full
    sources = world.sources
    others = (sources.star < 0) & (sources.near < 0)
    assert others.sum() > (sources.star >= 0).sum()
    assert ((world.kic_epic > 0) & others).sum() > ((world.kic_epic > 0) & ~others).sum()
    two = (sources.near >= 0) & (world.kic_epic > 0)
    assert 50 < two.sum() < 1000
    assert (world.kic_epic[sources.near[two]] > 0).all()


def sky(ra: np.ndarray, dec: np.ndarray) -> SkyCoord:
    return SkyCoord(ra, dec, unit="deg")


def test_nearest_within_the_papers_radius_is_the_star(full: tuple[Ledger, World]) -> None:
    """KIC and EPIC against every position on every plan: the counterpart, if there is one, and no other."""
    ledger, world = full
    listed = np.flatnonzero(world.kic_epic)
    there = sky(*input_positions(world, listed))
    own = world.kic_epic[: len(ledger.stars)]
    far = np.zeros(len(own), bool)
    for targets in ledger.targets:
        row, separation, _ = sky(targets.ra, targets.dec).match_to_catalog_sky(there)
        away = separation.arcsec
        found = np.where(away < 3.7, world.kic_epic[listed[row]], 0)
        assert np.array_equal(found, own[targets.star])
        far[targets.star[(away > 2) & (away < 3.7)]] = True
    known = ledger.has_parameters & (own > 0)
    assert known.sum() == 18_892
    # One in a hundred is 2 to 3.6 arcsec away, wherever LAMOST has the star: a radius of 3 loses some.
    assert np.array_equal(far, world.displaced[: len(own)] > 0)
    assert 0.007 < far[known].mean() < 0.013
    assert not world.displaced[len(own) :].any()


def test_companions_are_never_nearer_than_the_star(full: tuple[Ledger, World]) -> None:
    ledger, world = full
    sources, stars = world.sources, ledger.stars
    companion = np.flatnonzero(sources.near >= 0)
    assert 0.02 < len(companion) / len(stars) < 0.04
    there = sky(sources.ra[companion], sources.dec[companion])
    for targets in ledger.targets:
        place = sky(targets.ra, targets.dec)
        _, away, _ = place.match_to_catalog_sky(there)
        own = place.separation(sky(stars.ra[targets.star], stars.dec[targets.star]))
        # 0.6 arcsec: the largest errors of two positions in KIC, in opposite directions.
        assert (away - own).arcsec.min() > 0.6


def test_quotas_of_a_fraction() -> None:
    assert quota("kic_epic", 1.0) == 18_892
    assert quota("simbad_bound", 0.02) == 0
    assert quota("galah", 0.5) == 2697


def test_chosen() -> None:
    score = np.array([0.3, 0.1, 0.1, 0.9, 0.0])
    eligible = np.array([True, True, True, True, False])
    assert chosen(score, eligible, 2).tolist() == [False, True, True, False, False]
    assert chosen(score, eligible, 9).tolist() == eligible.tolist()
    assert not chosen(score, eligible, -1).any()


@pytest.mark.parametrize("dec", [-30.0, 0.0, 41.8, 80.0])
def test_close_pairs_equal_brute_force(dec: float) -> None:
    rng = np.random.default_rng(int(dec) + 100)
    n = 400
    # A clump of some arcmin around RA 0, so that pairs are many and RA wraps.
    ra = (rng.normal(0, 0.02, n) / np.cos(np.radians(dec))) % 360.0
    place = dec + rng.normal(0, 0.02, n)
    x, y = np.radians(ra), np.radians(place)
    vector = np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])
    chord = np.linalg.norm(vector[:, :, None] - vector[:, None, :], axis=0)
    near = 2 * np.degrees(np.arcsin(chord / 2)) * 3600 < GUARD_ARCSEC
    np.fill_diagonal(near, False)
    expected = {tuple(pair) for pair in np.argwhere(near).tolist()}
    assert expected
    assert {tuple(pair) for pair in close_pairs(ra, place).tolist()} == expected
    # All that are near are found; of those that are not, few are said to be.
    star, other = slice(0, 20), slice(20, n)
    found = near_any(ra[other], place[other], ra[star], place[star])
    assert found[near[other, star].any(axis=1)].all()
    assert found.mean() < 0.9
    # Positions of the first stars' own; a pair of these two is one with another star.
    own = np.arange(20)
    among = near_another(ra[star], place[star], own, ra[star], place[star])
    assert np.array_equal(among, near[star, star].any(axis=1))
    assert np.array_equal(
        near_another(ra[other], place[other], np.full(n - 20, 20), ra[star], place[star]),
        near[other, star].any(axis=1),
    )


def test_nothing_is_close_to_nothing() -> None:
    none = np.empty(0)
    assert close_pairs(none, none).shape == (0, 2)
    assert near_any(np.array([1.0]), np.array([2.0]), none, none).tolist() == [False]
