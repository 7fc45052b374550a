"""Recurring dips: against plain loops and box least squares, injected ones, and what only looks like them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.readers.light_curves.reading import read_light_curve
from lkmrs_dask.readers.light_curves.stitching import Stitched, stitch
from lkmrs_dask.readers.light_curves.table_format import TableFormat
from lkmrs_dask.variability.dip_search import binned, single_dips
from lkmrs_dask.variability.dips import Dips, DipSettings, find_dips

Floats = NDArray[np.float64]

LONG = 29.4244 / 1440.0  # d


def sector() -> Floats:
    """A sector of TESS at two minutes, with its gap."""
    time: Floats = np.arange(0.0, 26.5, 2.0 / 1440.0)
    return time[(time < 12.8) | (time > 13.9)]


def campaign() -> Floats:
    """A campaign of K2."""
    return np.arange(0.0, 80.0, LONG)


def eclipses(
    time: Floats, period: float, zero: float, depths: tuple[float, float] = (0.1, 0.04), second: float = 0.5,
    duration: float = 0.25,
) -> Floats:  # fmt: skip
    """Half ellipses of two depths."""
    flux = np.ones(len(time))
    for depth, phase in zip(depths, (0.0, second), strict=True):
        away = np.abs((time - zero - phase * period + 0.5 * period) % period - 0.5 * period)
        flux -= depth * np.sqrt(np.clip(1.0 - (2.0 * away / duration) ** 2, 0.0, None))
    return flux


def red(time: Floats, memory: float, rng: np.random.Generator) -> Floats:
    """An Ornstein-Uhlenbeck process of unit variance."""
    keep = np.exp(-np.diff(time, prepend=-np.inf) / memory)
    kicks = rng.normal(size=len(time)) * np.sqrt(1.0 - keep**2)
    value = 0.0
    values = []
    for share, kick in zip(keep.tolist(), kicks.tolist(), strict=True):
        value = share * value + kick
        values.append(value)
    return np.array(values)


def exposed(time: Floats, period: float, zero: float, depth: float, duration: float, flat: float) -> Floats:
    """Flux less trapezoids, integrated over long cadences; `flat` is the share at the full depth."""
    parts = time[:, None] + LONG * (np.arange(9) - 4) / 9.0
    away = np.abs((parts - zero + 0.5 * period) % period - 0.5 * period) / (0.5 * duration)
    lack: Floats = np.clip((1.0 - away) / (1.0 - flat), 0.0, 1.0)
    return 1.0 - depth * lack.mean(axis=1)


def plainly(time: Floats, flux: Floats) -> list[float]:
    """Middles of groups of three points or more that lie 8 robust sigma below a running median of 3 d."""
    level = np.array([np.median(flux[np.abs(time - here) <= 1.5]) for here in time])
    rest = flux - level
    low = rest < -8.0 * 1.4826 * np.median(np.abs(rest))
    groups: list[list[float]] = []
    for when, is_low in zip(time.tolist(), low.tolist(), strict=True):
        if is_low and groups and when - groups[-1][-1] < 0.1:
            groups[-1].append(when)
        elif is_low:
            groups.append([when])
    return [float(np.mean(group)) for group in groups if len(group) >= 3]


@pytest.mark.parametrize("seed", range(5))
def test_dips_are_those_that_a_plain_loop_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    time = campaign()
    flux = eclipses(time, rng.uniform(14.0, 30.0), rng.uniform(2.0, 10.0), second=rng.uniform(0.3, 0.7))
    flux = flux * (1.0 + 3e-3 * np.sin(2 * np.pi * time / 11.0)) + rng.normal(0.0, 1e-3, len(time))
    wanted = plainly(time, flux)
    found = single_dips(binned(time, 1e3 * (flux / np.median(flux) - 1.0)), DipSettings())
    assert len(found.time) == len(wanted) >= 5
    # Middles agree within a cadence: an eclipse of twelve points is sampled where it is.
    np.testing.assert_allclose(found.time, wanted, atol=LONG)


@pytest.mark.parametrize("cadences", [150.5, 287.5, 433.5])
@pytest.mark.parametrize(("depth", "duration", "flat"), [(0.015, 0.12, 0.6), (0.2, 0.06, 0.0)])
def test_sampling_makes_no_second_kind(cadences: float, depth: float, duration: float, flat: float) -> None:
    """Of a period of k + 1/2 cadences every other dip is sampled alike; short ones have few points."""
    time, period = np.arange(0.0, 90.0, LONG), cadences * LONG
    for seed in range(4):
        rng = np.random.default_rng([seed, int(cadences)])
        flux = exposed(time, period, period * rng.random(), depth, duration, flat)
        found = find_dips(time, flux + rng.normal(0.0, 5e-5, len(time)))
        assert found.period == pytest.approx(period, rel=1e-3)
        assert found.certain
        assert math.isnan(found.depth_2)


def test_period_is_that_of_box_least_squares() -> None:
    from astropy.timeseries import BoxLeastSquares

    rng = np.random.default_rng(5)
    time = campaign()
    flux = eclipses(time, 17.3, 4.1, (0.05, 0.0)) + rng.normal(0.0, 1e-3, len(time))
    grid = np.linspace(12.0, 26.0, 4000)
    power = BoxLeastSquares(time, flux).power(grid, 0.2).power
    found = find_dips(time, flux)
    # The step of the grid is 0.0035 d; neighbours within the duration over the cycles do as well.
    assert found.period == pytest.approx(grid[np.argmax(power)], abs=0.03)
    assert found.period == pytest.approx(17.3, abs=0.01)
    assert (found.n, found.certain, found.periodic) == (5, True, True)
    assert math.isnan(found.depth_2)


@pytest.mark.parametrize("memory", [0.0, 0.1, 2.0])
@pytest.mark.parametrize(("second", "period"), [(0.5, 7.9), (0.27, 10.4), (0.68, 11.9)])
def test_binaries_of_one_sector(period: float, second: float, memory: float) -> None:
    """Two kinds of eclipses, on circular and eccentric orbits, in white and in red noise, with a gap."""
    rng = np.random.default_rng([int(10 * period), int(10 * memory)])
    time = sector()
    flux = eclipses(time, period, 2.2, (0.1, 0.04), second) + rng.normal(0.0, 4e-3, len(time))
    if memory:
        flux += 2e-3 * red(time, memory, rng)
    found = find_dips(time, flux)
    # Times are good to a tenth of the duration, and there are two cycles at least.
    assert found.period == pytest.approx(period, abs=0.03)
    assert (found.time - 2.2 + 0.5 * period) % period - 0.5 * period == pytest.approx(0.0, abs=0.03)
    assert found.phase_2 == pytest.approx(second, abs=0.01)
    # The half hour of a bin and the noise take a tenth of the depths.
    assert found.depth == pytest.approx(100.0, rel=0.12)
    assert found.depth_2 == pytest.approx(40.0, rel=0.15)
    # A half ellipse is 0.87 of its width wide at half depth.
    assert found.duration == pytest.approx(0.87 * 0.25, rel=0.25)
    assert found.certain
    assert found.significance > 20


@pytest.mark.parametrize(("period", "n"), [(24.0, 3), (45.0, 2)])
def test_few_dips_in_a_campaign(period: float, n: int) -> None:
    rng = np.random.default_rng(n)
    time = campaign()
    flux = eclipses(time, period, 10.0, (0.2, 0.0)) + rng.normal(0.0, 1e-3, len(time))
    found = find_dips(time, flux)
    assert found.n == n
    assert found.period == pytest.approx(period, abs=0.02)
    # One interval says nothing of the next.
    assert found.certain == (n == 3)


def test_one_of_each_kind_has_no_period() -> None:
    time = campaign()
    flux = eclipses(time, 70.0, 20.0, (0.2, 0.1), 0.4) + np.random.default_rng(1).normal(0.0, 1e-3, len(time))
    found = find_dips(time, flux)
    assert found.n == 2
    assert math.isnan(found.period)
    assert found.periodic
    assert not found.certain
    assert found.depth > 1.5 * found.depth_2
    assert found.time == pytest.approx(20.0, abs=LONG)


def test_missed_dips_are_no_longer_period() -> None:
    """Of dips 9 d apart two fall into gaps; the period is not 18 or 27 d, and half of it is refuted."""
    time = campaign()
    time = time[(np.abs(time - 21.0) > 0.5) & (np.abs(time - 48.0) > 1.0)]
    flux = eclipses(time, 9.0, 3.0, (0.1, 0.0)) + np.random.default_rng(2).normal(0.0, 1e-3, len(time))
    found = find_dips(time, flux)
    assert found.n == 7
    assert found.period == pytest.approx(9.0, abs=0.01)
    assert found.certain


@pytest.mark.parametrize("period", [31.689, 48.815])
def test_sectors_years_apart_tell_no_period(period: float) -> None:
    """Intervals of years are many periods, and which fractions of them the points cannot tell."""
    parts = [start + sector() for start in (0.0, 740.0, 1470.0, 2200.0)]
    time = np.concatenate(parts)
    for zero in np.arange(0.0, period, 1.7):
        flux = eclipses(time, period, zero, (0.2, 0.0)) + np.random.default_rng(1).normal(
            0.0, 1e-3, len(time)
        )
        found = find_dips(time, flux)
        if found.certain:
            assert found.period == pytest.approx(period, abs=0.01)
        elif np.isfinite(found.period):
            # At most one fraction of it is allowed.
            assert found.period / period == pytest.approx(round(found.period / period), abs=0.01)


def test_years_of_kepler_keep_count() -> None:
    """A period of two intervals would lose count in 1,400 d: the line is drawn from the nearest dips on."""
    time = np.arange(0.0, 1400.0, LONG)
    time = time[(time % 93.0 < 91.0) & (np.abs(time % 31.0 - 15.0) > 0.5)]
    flux = eclipses(time, 31.7193, 11.0, (0.1, 0.08), 0.44) + np.random.default_rng(3).normal(
        0, 2e-3, len(time)
    )
    found = find_dips(time, flux)
    assert found.period == pytest.approx(31.7193, abs=1e-3)
    assert found.phase_2 == pytest.approx(0.44, abs=1e-3)


def test_flares_beside_eclipses_do_not_hide_them() -> None:
    rng = np.random.default_rng(4)
    time = campaign()
    flux = eclipses(time, 21.0, 6.0) + rng.normal(0.0, 1e-3, len(time))
    for start in rng.uniform(0.0, 80.0, 30):
        since = time - start
        flux += np.where(since > 0, 0.08 * np.exp(-np.clip(since, 0.0, None) / 0.05), 0.0)
    found = find_dips(time, flux)
    assert found.period == pytest.approx(21.0, abs=0.02)


def faults() -> dict[str, Floats]:
    """Light curves of a campaign, of unit level without noise, that have no dips of the star's."""
    time, ones = campaign(), np.ones(len(campaign()))
    spikes, steps, ends, flares = ones.copy(), ones.copy(), ones.copy(), ones.copy()
    spikes[::400] -= 0.3
    steps[(time > 20) & (time < 45)] -= 0.05
    steps[time > 60] += 0.03
    for edge in (0.0, 26.0, 53.0):
        ends -= np.where(time >= edge, 0.1 * np.exp(-np.clip(time - edge, 0.0, None) / 0.3), 0.0)
    for start in (7.0, 23.0, 39.0, 55.0):
        flares += np.where(time > start, 0.1 * np.exp(-np.clip(time - start, 0.0, None) / 0.1), 0.0)
    return {
        "constant in noise": ones,
        "single points": spikes,
        "steps": steps,
        "flares": flares,
        "spots": ones + 0.05 * np.sin(2 * np.pi * time / 9.0) + 0.02 * np.sin(2 * np.pi * time / 4.5),
        "a pulsator": ones + 0.05 * np.sin(2 * np.pi * time * 1.3) + 0.05 * np.sin(2 * np.pi * time * 1.37),
        "drops after gaps": ends,
    }  # fmt: skip


@pytest.mark.parametrize("name", faults())
def test_what_only_looks_like_dips(name: str) -> None:
    time, flux = campaign(), faults()[name] + np.random.default_rng(6).normal(0.0, 1e-3, len(campaign()))
    if name == "drops after gaps":
        keep = (time < 25.0) | ((time > 26.0) & (time < 52.0)) | (time > 53.0)
        time, flux = time[keep], flux[keep]
    assert find_dips(time, flux).n == 0


@pytest.mark.parametrize("memory", [0.0, 0.1, 0.5, 2.0, 10.0])
@pytest.mark.parametrize("of", [sector, campaign])
def test_noise_has_no_recurring_dips(of: object, memory: float) -> None:
    """Six curves each; of 300 each kind at most two have one dip, and none has two."""
    time = sector() if of is sector else campaign()
    for seed in range(6):
        rng = np.random.default_rng([seed, int(10 * memory)])
        noise = rng.normal(size=len(time)) + (red(time, memory, rng) if memory else 0.0)
        assert find_dips(time, 1.0 + 2e-3 * noise).n < 2


@pytest.mark.parametrize("period", [16.0, 27.2])
def test_wide_minima_are_as_wide_as_they_are(period: float) -> None:
    """Cusps of a spotted or a contact star: boxes of 16 h see only their tips."""
    time = np.arange(0.0, 90.0, LONG)
    flux = 1.0 + 0.1 * np.abs(np.cos(np.pi * (time - 5.0) / period))
    found = find_dips(time, flux + np.random.default_rng(1).normal(0.0, 1e-4, len(time)))
    assert found.n >= 3
    # Half way to the median, which is at cos(45 deg): arcsin(0.354) on both sides, within two bins.
    assert found.duration == pytest.approx(2.0 * math.asin(0.5**1.5) / math.pi * period, abs=0.1)


def test_tides_raise_the_light_beside_dips() -> None:
    time, rng = campaign(), np.random.default_rng(2)
    away = (time - 4.0 + 5.5) % 11.0 - 5.5
    dip = 0.02 * np.exp(-0.5 * (away / 0.08) ** 2)
    for share in (0.0, 0.5):
        tide = share * 0.02 * np.exp(-0.5 * ((away - 0.25) / 0.1) ** 2)
        found = find_dips(time, 1.0 - dip + tide + rng.normal(0.0, 2e-4, len(time)))
        assert found.n == 7
        # Means over a duration are lower than the peak.
        assert found.rise == pytest.approx(20.0 * share, abs=20.0 * share * 0.4 + 0.5)


def test_boxes_without_scatter() -> None:
    """Of boxes of four points only one has no gap within: it is its own level."""
    time = [
        2.21, 4.81, 6.42, 6.76, 7.11, 7.31, 7.68, 12.08, 12.39, 13.32, 16.69, 16.89,
        18.35, 18.99, 20.02, 20.31, 20.87, 21.03, 24.5, 25.24, 27.32, 27.93, 28.86, 29.81,
    ]  # fmt: skip
    flux = [
        2230.0, 2.11, 0.0149, 1.39, 157.0, 0.803, 0.00244, 5.67e-5, 217.0, 0.00573, 0.0783, 0.0169,
        0.00232, 19.1, 1.46e-5, 112.0, 0.000188, 101.0, 440.0, 87.6, 51500.0, 0.649, 2.49, 44.9,
    ]  # fmt: skip
    assert find_dips(time, flux).n == 0


def test_order_bad_values_and_units_do_not_matter() -> None:
    rng = np.random.default_rng(7)
    time = campaign()
    flux = eclipses(time, 16.0, 5.0) + rng.normal(0.0, 1e-3, len(time))
    wanted = find_dips(time, flux)
    mixed = rng.permutation(len(time))
    worse_time = np.concatenate([time[mixed], [np.nan, 3.0, np.inf], time[:5]])
    worse_flux = np.concatenate([flux[mixed], [1.0, np.nan, 1.0], flux[:5]])
    np.testing.assert_allclose(find_dips(worse_time, 5e3 * worse_flux), wanted, rtol=1e-9)


def test_without_noise() -> None:
    """What lies between eclipses is exactly level: there is no scatter to compare with, and nothing fails."""
    found = find_dips(campaign(), eclipses(campaign(), 16.0, 5.0))
    assert found.n in (0, 10)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 19, 25, 60])
def test_few_points(n: int) -> None:
    time = np.arange(n, dtype=np.float64)
    flux = 1.0 + 0.1 * np.random.default_rng(n).normal(size=n)
    assert find_dips(time, flux).n < 2
    assert find_dips(np.zeros(n), flux) == Dips() or n == 0


@pytest.mark.parametrize(
    "flux", [np.ones(500), np.full(500, np.nan), np.zeros(500), -np.ones(500), np.geomspace(1, 1e300, 500)]
)
def test_nothing_to_see(flux: Floats) -> None:
    assert find_dips(np.arange(500) * LONG, flux).n == 0


def test_wrong_calls() -> None:
    with pytest.raises(UsageError, match="3 times and 2 fluxes"):
        find_dips([1.0, 2.0, 3.0], [1.0, 1.0])
    for wrong in (
        {"least_snr": 1.0},
        {"late": 0.0},
        {"alike": 2.0},
        {"most_missed": 1.0},
        {"most_stray": "a"},
    ):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            DipSettings(**wrong)


def curve_of(shared: Path, files: str, table: TableFormat | None = None) -> Stitched:
    paths = sorted((shared / "data").glob(files))
    assert paths
    return stitch([read_light_curve(path, table=table) for path in paths])


def test_a_binary_of_kepler(shared: Path) -> None:
    """KIC 5023948: its minima differ by a sixteenth, which tells the orbit from its half."""
    curve = curve_of(shared, "lc_kepler_eb/*_llc.fits")
    found = find_dips(curve.time, curve.flux)
    # 3.6492928 d by Villanova's list; nine quarters of 30-min points.
    assert found.period == pytest.approx(3.6492928, abs=1e-4)
    assert found.certain
    assert found.phase_2 == pytest.approx(0.5, abs=0.002)


def test_planets_of_kepler_90_have_no_period(shared: Path) -> None:
    """Transits of its two large planets, 210 and 331 d, each seen once or twice in three quarters."""
    curve = curve_of(shared, "lc_kepler_planet/*_llc.fits")
    found = find_dips(curve.time, curve.flux)
    assert not found.certain
    assert found.depth < 10.0


MAGNITUDES = TableFormat(time=0, flux=1, unit="mag", zero=2400000.0, mission="Kepler")
RELATIVE = TableFormat(time=0, flux=1, unit="relative", zero="relative")


@pytest.mark.parametrize(
    ("files", "table"),
    [
        ("lc_kepler_rot/*_llc.fits", None),
        ("lc_tess/*_lc.fits", None),
        ("lc_tess_dsct/HD23157_*.fits", None),
        ("lc_tess_dsct/HD23607_*.fits", None),
        ("lc_k2/hlsp_k2sc_*.fits", None),
        ("lc_k2/hlsp_k2varcat_*.fits", None),
        ("lc_k2/ktwo211121743-*.fits", None),
        ("lc_kepler_dsct/kic10080943_lc.txt", MAGNITUDES),
        ("lc_kepler_dsct/kic11754974_lc.txt", MAGNITUDES),
        ("lc_kepler_redgiant/11618103_LC.txt", RELATIVE),
        ("lc_kepler_redgiant/2309595_LC.txt", RELATIVE),
    ],
)
def test_other_real_stars_have_no_recurring_dips(shared: Path, files: str, table: TableFormat | None) -> None:
    curve = curve_of(shared, files, table)
    assert find_dips(curve.time, curve.flux).n < 2
