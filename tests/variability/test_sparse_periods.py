"""Periods of few points on many nights: against a plain fit at every frequency, and known periods."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.variability.bands import clean_bands
from lkmrs_dask.variability.second_look import looked_at
from lkmrs_dask.variability.sparse import best_period, harmonic_periodogram

Floats = NDArray[np.float64]


def nights(rng: np.random.Generator, n: int = 60) -> Floats:
    """Times of n nights in five autumns, some hours about midnight."""
    return 365.25 * rng.integers(0, 5, n) + rng.permutation(90)[:n] + rng.normal(0, 0.08, n)


def sawtooth(time: Floats, period: float) -> Floats:
    """Magnitudes of an RR Lyrae star of type ab: four harmonics."""
    angle = 2 * np.pi * time / period
    return 17.0 + 0.4 * np.sum([r * np.sin(k * angle) for k, r in enumerate((1, 0.45, 0.3, 0.15), 1)], axis=0)


@pytest.mark.parametrize("harmonics", [1, 2, 3])
@pytest.mark.parametrize("errors", [True, False])
def test_against_a_plain_fit(harmonics: int, errors: bool) -> None:
    """Weighted least squares with the same charge on amplitudes, one frequency at a time."""
    rng = np.random.default_rng(harmonics)
    time, flux = nights(rng, 40), rng.normal(size=40)
    error = rng.uniform(0.5, 2.0, 40) if errors else None
    found = harmonic_periodogram(time, flux, error, f_min=1.0, f_max=1.01, harmonics=harmonics)
    # A tenth of the spread is added to errors.
    floor = 0.1 * np.subtract(*np.percentile(flux, [95, 5]))
    weight = np.ones(40) if error is None else 1 / (error**2 + floor**2)
    weight = weight / weight.sum()
    away = flux - weight @ flux
    for frequency, power in list(zip(found.frequency, found.power, strict=True))[::7]:
        angle = 2 * np.pi * frequency * time
        waves = [f(k * angle) for k in range(1, harmonics + 1) for f in (np.cos, np.sin)]
        design = np.array([np.ones(40), *waves]).T
        charge = np.diag([0.0, *(0.005 * k**2 for k in range(1, harmonics + 1) for _ in range(2))])
        right = design.T @ (weight * away)
        solution = np.linalg.solve(design.T @ (design * weight[:, None]) + charge, right)
        # The transforms are good to 1e-9 of their sums.
        assert power == pytest.approx(solution @ right / (weight @ away**2), abs=1e-7)


@given(period=st.floats(0.35, 0.85), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_sawtooth(period: float, seed: int) -> None:
    """120 points with 0.02 mag of noise: within 0.1 %, and better than any other period."""
    rng = np.random.default_rng(seed)
    time = np.concatenate([nights(rng), nights(rng) + 0.21])
    flux = sawtooth(time, period) + rng.normal(0, 0.02, len(time))
    found = best_period(time, flux, f_min=1.0, f_max=4.0)
    assert found.period == pytest.approx(period, rel=1e-3)
    assert found.power > 0.9 > found.other_power > 0
    assert found.n_points == 120
    assert found.baseline_d == pytest.approx(np.ptp(time))


def in_turn(rng: np.random.Generator, n: int, period: float) -> tuple[Floats, Floats, Floats, list[str]]:
    """Time, magnitude, error and band of a sawtooth seen each night in one of three bands."""
    time = nights(rng, n)
    which = rng.integers(0, 3, n)
    error = np.array([0.01, 0.02, 0.03])[which]
    mean, amplitude = np.array([0.3, 0.0, -0.1])[which], np.array([1.2, 0.9, 0.7])[which]
    mag = mean + amplitude * (sawtooth(time, period) - 17.0) + rng.normal(0, error)
    return time, mag, error, [("g", "r", "i")[one] for one in which]


@pytest.mark.parametrize("harmonics", [1, 3])
def test_bands_against_a_plain_fit(harmonics: int) -> None:
    """One shape, times the spread of each band, and a mean a band; by numpy's least squares."""
    rng = np.random.default_rng(harmonics)
    time, mag, error, band = in_turn(rng, 80, 0.61)
    found = harmonic_periodogram(time, mag, error, band=band, f_min=1.6, f_max=1.65, harmonics=harmonics)
    bands = sorted(set(band))
    is_band = np.array([[one == name for name in bands] for one in band], float)
    n = is_band.sum(axis=0)
    log_spread = np.log(
        [np.subtract(*np.percentile(mag[is_band[:, b] > 0], [95, 5])) for b in range(len(bands))]
    )
    # Five points' worth of the mean of all bands.
    scale = is_band @ np.exp((n * log_spread + 5 * (n @ log_spread) / n.sum()) / (n + 5))
    value, root = mag / scale, 1 / np.sqrt((error / scale) ** 2 + 0.01)
    root /= np.sqrt(np.sum(root**2))

    def left(columns: Floats, charge: Floats) -> float:
        design = np.vstack([columns * root[:, None], np.diag(np.sqrt(charge))])
        right = np.concatenate([value * root, np.zeros(len(charge))])
        return float(np.sum((right - design @ np.linalg.lstsq(design, right, rcond=None)[0]) ** 2))

    constant = left(is_band, np.zeros(len(bands)))
    k = np.repeat(np.arange(1, harmonics + 1), 2)
    for at in range(0, len(found.frequency), 97):
        angle = 2 * np.pi * found.frequency[at] * time[:, None] * k
        waves = np.where(np.arange(len(k)) % 2, np.sin(angle), np.cos(angle))
        fitted = left(np.hstack([is_band, waves]), np.concatenate([np.zeros(len(bands)), 0.005 * k**2]))
        # The transforms are good to 1e-9 of their sums, of times from the middle.
        assert found.power[at] == pytest.approx(1 - fitted / constant, abs=1e-6)


@pytest.mark.parametrize("harmonics", [1, 3])
def test_against_astropy(harmonics: int) -> None:
    """Astropy has no charge: with more points than nights leave unknown it hardly matters (k^2 / 200)."""
    from astropy.timeseries import LombScargle

    rng = np.random.default_rng(5)
    time = np.sort(rng.uniform(0, 50, 400))
    mag = sawtooth(time, 0.61) + rng.normal(0, 0.02, 400)
    found = harmonic_periodogram(time, mag, f_min=0.5, f_max=3.0, harmonics=harmonics)
    other = LombScargle(time, mag, nterms=harmonics).power(found.frequency, method="chi2")
    assert found.frequency[found.power.argmax()] == found.frequency[other.argmax()]
    # Of the k-th harmonic a share 2 r / (1 + 2 r) of r = 0.005 k^2 is lost, 8 % for k = 3.
    assert np.all(found.power <= other + 1e-6)
    assert np.all(found.power >= (0.91 if harmonics == 3 else 0.98) * other)


def test_bands_against_astropy() -> None:
    """LombScargleMultiband with one common sinusoid and a mean a band, where amplitudes are alike."""
    from astropy.timeseries import LombScargleMultiband

    rng = np.random.default_rng(6)
    time = np.sort(rng.uniform(0, 50, 600))
    band = np.array(["g", "r"])[np.arange(600) % 2]
    mag = np.where(band == "g", 0.4, 0.0) + sawtooth(time, 0.61) + rng.normal(0, 0.02, 600)
    found = harmonic_periodogram(time, mag, band=band, f_min=1.0, f_max=2.0, harmonics=1)
    other = LombScargleMultiband(time, mag, band, nterms_base=1, nterms_band=0, fit_mean=True)
    power = other.power(found.frequency, method="flexible", sb_method="fast")
    assert found.frequency[found.power.argmax()] == found.frequency[power.argmax()]


@given(period=st.floats(0.35, 0.85), seed=st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_bands_in_turn(period: float, seed: int) -> None:
    """Sixty nights, each in one of three bands: too few in any for a period of its own."""
    time, mag, error, band = in_turn(np.random.default_rng(seed), 60, period)
    found = best_period(time, mag, error, f_min=1.0, f_max=4.0, band=band)
    assert (found.n_points, found.n_bands) == (60, 3)
    # Where the nights leave an alias, the odds say so.
    assert found.period == pytest.approx(period, rel=1e-3) or found.log_odds < 5


@pytest.mark.parametrize("label", ["g", b"g", 3, 2.5])
def test_one_band_is_no_band(label: object) -> None:
    time, mag, error, _ = in_turn(np.random.default_rng(3), 60, 0.5)
    labels = (None, np.array([label] * 60))
    calls = [best_period(time, mag, error, f_min=1.0, f_max=4.0, band=b) for b in labels]
    assert calls[0] == calls[1]


@pytest.mark.parametrize("null", [None, math.nan, "", " ", "masked"])
def test_points_without_a_band_are_left_out(null: object) -> None:
    """As are bands with a single point."""
    time, mag, error, band = in_turn(np.random.default_rng(3), 60, 0.5)
    more = np.array([*band, "x", "x", "z"], object)
    labels: NDArray[np.object_] = np.ma.MaskedArray(more, more == "x")
    if null != "masked":
        labels = np.array([null if one == "x" else one for one in more], object)
    wanted = best_period(time, mag, error, f_min=1.0, f_max=4.0, band=band)
    found = best_period(
        np.append(time, [50.0, 52.0, 51.0]), np.append(mag, [9.0, 8.0, 9.0]), np.append(error, [1e-3] * 3),
        f_min=1.0, f_max=4.0, band=labels,
    )  # fmt: skip
    assert found == wanted


@pytest.mark.parametrize("values", [["g", "r"], [1, 2], [1.5, 2.5]])
@pytest.mark.parametrize("kind", ["numpy", "astropy"])
def test_masked_labels_are_none(values: list[object], kind: str) -> None:
    """Of any type: what lies below a mask says nothing."""
    from astropy.table import MaskedColumn

    time, mag, error, _ = in_turn(np.random.default_rng(3), 60, 0.5)
    labels, masked = values * 30, [False, False, True, True] * 15
    band = (np.ma.MaskedArray if kind == "numpy" else MaskedColumn)(labels, mask=masked)
    points = clean_bands(time, mag, error, band)
    assert (len(points.time), points.labels) == (30, tuple(values))


@pytest.mark.parametrize("share", [1, 6, 50])
def test_placeholders_are_left_out_and_counted(share: int) -> None:
    """One, or a few, or most of a band's values; with a good error and without."""
    time, mag, error, band = in_turn(np.random.default_rng(3), 90, 0.5)
    at = np.flatnonzero(np.array(band) == "r")
    at = at[: max(1, share * len(at) // 100)]
    left = np.delete(np.arange(90), at)
    names = np.array(band)[left]
    clean = best_period(time[left], mag[left], error[left], 1.0, 4.0, band=names)
    wrong = mag.copy()
    wrong[at] = 99.99
    found = best_period(time, wrong, error, 1.0, 4.0, band=band)
    assert found.n_off == len(at)
    assert clean.n_off == 0
    assert found == pytest.approx(clean._replace(n_off=len(at)), rel=1e-6)  # bands may change places
    assert best_period(time, wrong, None, 1.0, 4.0, band=band).n_off == len(at)


def test_what_stars_do_is_not_far_off() -> None:
    """Eclipses of a tenth of the orbit, and values that differ little."""
    rng = np.random.default_rng(11)
    time = np.sort(rng.uniform(0, 300, 200))
    flux = rng.normal(1.0, 0.001, 200)
    flux[(time / 1.7) % 1 < 0.1] -= 0.5
    assert clean_bands(time, flux, None, None).n_off == 0
    for n in range(2, 40):
        for _ in range(20):
            phase = rng.random(n + 10)
            band = np.repeat([0, 1], [n, 10])
            for curve in (np.sin(2 * np.pi * phase), phase):
                assert clean_bands(np.arange(n + 10), curve, None, band).n_off == 0
    rounded = np.where(time < 10, 5.0, 1.0)
    assert clean_bands(time, rounded, None, None).n_off == 0


@pytest.mark.parametrize("size", [1e12, 1e155, 1e300])
def test_huge_errors_have_no_weight(size: float) -> None:
    """Of one band, of some points, of points at the same time; tiny ones are no better than the spread."""
    time, mag, error, band = in_turn(np.random.default_rng(3), 90, 0.5)
    is_g = np.array(band) == "g"
    wanted = best_period(time[~is_g], mag[~is_g], error[~is_g], 1.0, 4.0, band=np.array(band)[~is_g])
    found = best_period(time, mag, np.where(is_g, size, error), 1.0, 4.0, band=band)
    # The third band still says what the spread of a band is where points are few.
    assert found.period == pytest.approx(wanted.period, rel=1e-4)
    twice = [np.concatenate([one, one]) for one in (time, mag, np.array(band, object))]
    for errors in ([error, np.full(90, size)], [error, np.full(90, 1 / size)], [np.full(90, size)] * 2):
        again = best_period(twice[0], twice[1], np.concatenate(errors), 1.0, 4.0, band=twice[2])
        assert again.period == pytest.approx(0.5, rel=1e-3)


def test_bands_that_say_little() -> None:
    """A constant band, one of two points, and one in another unit do no harm."""
    time, mag, error, band = in_turn(np.random.default_rng(8), 90, 0.5)
    flat = np.array(band, object)
    mag = np.where(flat == "i", 1000.0 * mag, mag)
    error = np.where(flat == "i", 1000.0 * error, error)
    time = np.concatenate([time, [10.1, 40.2], 20.3 + np.arange(5)])
    mag = np.concatenate([mag, [2.0, 3.0], np.full(5, 4.0)])
    error = np.concatenate([error, np.full(7, 0.05)])
    labels = np.concatenate([flat, ["u", "u"], ["z"] * 5])
    found = best_period(time, mag, error, f_min=1.0, f_max=4.0, band=labels)
    assert found.period == pytest.approx(0.5, rel=1e-3)
    assert (found.n_points, found.n_bands) == (97, 5)


def test_likelihood_against_a_covariance() -> None:
    """The amplitudes integrated out: a multivariate normal with the harmonics' covariance, means flat."""
    rng = np.random.default_rng(7)
    time, mag, error, band = in_turn(rng, 50, 0.55)
    points = clean_bands(time, mag, error, band)
    n, harmonics = len(points.time), 4
    assert points.n_visits == n
    k = np.repeat(np.arange(1, harmonics + 1), 2)
    weight = n * points.weights
    means = (points.band[:, None] == np.arange(points.n_bands)).astype(float)

    def likely(frequency: float) -> float:
        angle = 2 * np.pi * frequency * points.time[:, None] * k
        waves = np.where(np.arange(len(k)) % 2, np.sin(angle), np.cos(angle))
        best = -math.inf
        for g in 10.0 ** np.arange(0, 5.5, 0.5):
            inverse = np.linalg.inv(np.diag(1 / weight) + (waves * g / k**3.0) @ waves.T)
            inner = means.T @ inverse @ means
            projected = inverse - inverse @ means @ np.linalg.inv(inner) @ means.T @ inverse
            scatter = points.value @ projected @ points.value
            logs = np.linalg.slogdet(inverse)[1] - np.linalg.slogdet(inner)[1]
            best = max(best, 0.5 * logs - 0.5 * (n - points.n_bands) * math.log(scatter))
        return best

    found = [looked_at(points, f, harmonics) for f in (1 / 0.55, 1.3)]
    assert found[0][1] - found[1][1] == pytest.approx(likely(found[0][0]) - likely(found[1][0]), abs=1e-6)
    assert likely(found[0][0]) > max(likely(found[0][0] + d / points.baseline) for d in (-0.02, 0.02))


def test_bands_at_one_visit_count_as_one() -> None:
    time = nights(np.random.default_rng(4), 30)
    every = np.concatenate([time, time + 0.003, time + 0.006, [time[0] + 0.001]])
    band = np.repeat([0, 1, 2, 2], [30, 30, 30, 1])
    points = clean_bands(every, sawtooth(every, 0.5), None, band)
    assert points.n_visits == 31  # the last band was seen twice in the first night
    assert clean_bands(every, sawtooth(every, 0.5), None, None).n_visits == 91


def test_order_and_bad_points_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    time = nights(rng)
    flux = sawtooth(time, 0.55)
    shuffled = rng.permutation(60)
    plain = best_period(time, flux, f_min=1.0, f_max=4.0)
    other = best_period(
        np.append(time[shuffled], [math.nan, 3.0]), np.append(flux[shuffled], [17.0, math.inf]),
        f_min=1.0, f_max=4.0,
    )  # fmt: skip
    assert other == pytest.approx(plain, rel=1e-9)


def test_nothing_else_to_compare_with() -> None:
    """A range no wider than one peak has no other period."""
    time = nights(np.random.default_rng(4))
    near = best_period(time, sawtooth(time, 0.5), f_min=1.9999, f_max=2.0001)
    assert near.period == pytest.approx(0.5, rel=1e-4)
    assert math.isnan(near.other_period)
    assert math.isnan(near.other_power)


def test_wrong_calls() -> None:
    time = nights(np.random.default_rng(3))
    flux = sawtooth(time, 0.5)
    with pytest.raises(CatalogError, match="9 points of 9 can be used"):
        best_period(time[:9], flux[:9])
    with pytest.raises(CatalogError, match="4 harmonics need at least 12"):
        best_period(time[:10], flux[:10], harmonics=4)
    with pytest.raises(CatalogError, match="nothing varies"):
        best_period(time, np.ones(60))
    with pytest.raises(CatalogError, match="3 harmonics in 3 bands need at least 12"):
        best_period(time[:11], flux[:11], band=[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1])
    with pytest.raises(CatalogError, match="0 points of 60 can be used, as each band needs two"):
        best_period(time, flux, band=np.arange(60))
    with pytest.raises(CatalogError, match="nothing varies"):
        best_period(time, np.repeat([1.0, 2.0], 30), band=np.repeat([1, 2], 30))
    for band in ([1, 2], np.ones((60, 1))):
        with pytest.raises(UsageError, match="band has the shape"):
            best_period(time, flux, band=band)
    for finer in (0, 2.5, 21):
        with pytest.raises(UsageError, match="finer"):
            best_period(time, flux, finer=finer)  # type: ignore[arg-type]
    for wrong in ({"harmonics": 0}, {"harmonics": 2.5}):
        with pytest.raises(UsageError, match="harmonics"):
            best_period(time, flux, **wrong)
    with pytest.raises(UsageError, match="f_min < f_max"):
        best_period(time, flux, f_min=2.0, f_max=1.0)
    # Messages have the caller's own numbers.
    for wrong_oversampling in (math.nan, 0.1, 500.0):
        with pytest.raises(UsageError, match=rf"oversampling must .*, not {wrong_oversampling}$"):
            best_period(time, flux, oversampling=wrong_oversampling)
    with pytest.raises(UsageError, match=r"f_max may be .* for 3 harmonics .*, not 1e\+07$"):
        best_period(time, flux, f_max=1e7)
    with pytest.raises(UsageError, match="between f_min 1e-09 and f_max 1e-08 per day"):
        best_period(time, flux, f_min=1e-9, f_max=1e-8)
