"""Lines: plain, through the densest pixels, and with errors in both coordinates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lkmrs_dask.stars.density import DensityGrid
from lkmrs_dask.stars.regression import (
    Resampled,
    Sums,
    errors_in_variables,
    plain_line,
    resistant_line,
    robust_scatter,
)

Floats = NDArray[np.float64]


def test_plain_line_against_polyfit() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(5200, 700, 500)
    y = 0.92 * x + 416 + rng.normal(0, 40, 500)
    line = plain_line(x, y)
    # Both solve the same equations; numpy's on x - 5200 keeps ten digits.
    slope, centre = np.polyfit(x - 5200, y, 1)
    assert line.slope == pytest.approx(slope, rel=1e-10)
    assert line.intercept == pytest.approx(centre - 5200 * slope, rel=1e-9)
    times = rng.integers(0, 4, 500)
    repeated = plain_line(np.repeat(x, times), np.repeat(y, times))
    weighted = plain_line(x, y, times)
    assert (weighted.slope, weighted.intercept) == pytest.approx(
        (repeated.slope, repeated.intercept), rel=1e-9
    )


@pytest.mark.parametrize("centre", [0.0, 5500.0, 1e6])
def test_resampled_lines_are_those_of_the_repeated_points(centre: float) -> None:
    """Moments that are made once give what sums over the points give, to 1e-12."""
    rng = np.random.default_rng(20)
    x = rng.normal(centre, 1, 2000)
    y = 0.7 * x + rng.normal(0, 0.2, 2000)
    weight, x_err = rng.uniform(0, 3, 2000), rng.uniform(0, 0.3, 2000)
    weight[::7] = 0.0
    x[0] = 1e9  # which a third of the resamplings do not have
    points = Resampled(weight, x, y, x_err)
    for _ in range(20):
        times = np.bincount(rng.integers(0, 2000, 2000), minlength=2000).astype(np.float64)
        times[0] = 0.0
        found, expected = points.sums(times), Sums.of(weight * times, x, y, x_err)
        assert found.line().slope == pytest.approx(expected.line().slope, rel=1e-12)
        assert found.xx == pytest.approx(expected.xx, rel=1e-12)
        assert found.noise == pytest.approx(expected.noise, rel=1e-12)
        assert (found.x, found.y) == pytest.approx((expected.x, expected.y), rel=1e-13, abs=1e-13)
    nothing = points.sums(np.zeros(2000))
    assert nothing.line().reason == "x does not vary"


def test_lines_that_do_not_exist() -> None:
    assert plain_line(np.full(5, 3.0), np.arange(5.0)).reason == "x does not vary"
    assert math.isnan(plain_line(np.array([1.0]), np.array([2.0])).slope)
    assert math.isnan(robust_scatter([]))
    assert robust_scatter([4.0]) == 0.0


def test_robust_scatter_is_that_of_a_normal_distribution() -> None:
    # 1e5 values: the scatter is known to 0.37 %.
    assert robust_scatter(np.random.default_rng(1).normal(3, 2, 100_000)) == pytest.approx(2.0, rel=0.012)


def test_resistant_line() -> None:
    x = np.arange(30.0)
    y = 2 * x + 1
    y[[0, 29, 15]] = 1e6
    line = resistant_line(x, y)
    # A bad point moves the median of its ten by a half or a whole place, of the 20 between both medians.
    assert line.slope == pytest.approx(2.0, abs=0.11)
    assert line.slope * 14.5 + line.intercept == pytest.approx(30.0, abs=1.0)
    two = resistant_line(np.array([1.0, 3.0]), np.array([0.0, 4.0]))
    assert (two.slope, two.intercept) == (2.0, -2.0)
    same = resistant_line(np.array([1.0, 1, 1, 1, 2]), np.array([1.0, 1, 1, 1, 5]))
    assert same.slope == pytest.approx(4.0)  # both medians at x = 1: plain least squares


def moments_by_hand(x: list[float], y: list[float], x_err: list[float]) -> float:
    """BCES(Y|X) of Akritas & Bershady (1996), written out."""
    n = len(x)
    mean_x, mean_y = math.fsum(x) / n, math.fsum(y) / n
    top = math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    bottom = math.fsum((a - mean_x) ** 2 - e**2 for a, e in zip(x, x_err, strict=True))
    return top / bottom


def test_errors_in_variables_with_equal_weights_is_bces() -> None:
    """Equal errors give equal weights, whatever the scatter: the answer is a ratio of moments."""
    rng = np.random.default_rng(2)
    truth = rng.exponential(1.0, 300)
    x = truth + rng.normal(0, 0.3, 300)
    y = 0.42 * truth + 0.03 + rng.normal(0, 0.1, 300)
    x_err, y_err = np.full(300, 0.3), np.full(300, 0.05)
    fit = errors_in_variables(x, y, x_err, y_err, clip=100)
    assert fit.line.slope == pytest.approx(moments_by_hand(x.tolist(), y.tolist(), x_err.tolist()), rel=1e-9)
    residual = y - fit.line.slope * x - fit.line.intercept
    assert residual.mean() == pytest.approx(0, abs=1e-12)
    total = fit.scatter**2 + 0.05**2 + fit.line.slope**2 * 0.3**2
    assert (residual**2).sum() / total == pytest.approx(298, rel=1e-6)  # what the scatter is defined by
    assert fit.weight == pytest.approx(np.full(300, 1 / total), rel=1e-6)


def test_errors_in_variables_without_errors_is_plain() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, 100)
    y = 2 * x + rng.normal(0, 0.2, 100)
    fit = errors_in_variables(x, y, np.zeros(100), np.full(100, np.nan))
    line = plain_line(x, y)
    assert (fit.line.slope, fit.line.intercept) == pytest.approx((line.slope, line.intercept), rel=1e-9)
    assert (fit.n_without_x_err, fit.n_without_y_err, fit.n_outliers) == (0, 100, 0)
    assert fit.scatter == pytest.approx(math.sqrt(((y - line.slope * x - line.intercept) ** 2).sum() / 98))


def test_a_perfect_line() -> None:
    x = np.arange(20.0)
    fit = errors_in_variables(x, 3 * x - 1, np.zeros(20), np.zeros(20))
    assert (fit.line.slope, fit.line.intercept, fit.scatter) == pytest.approx((3.0, -1.0, 0.0), abs=1e-9)
    flat = errors_in_variables(x, np.full(20, 7.0), np.zeros(20), np.zeros(20))
    assert (flat.line.slope, flat.line.intercept) == pytest.approx((0.0, 7.0), abs=1e-9)


def test_errors_of_x_do_not_flatten_it() -> None:
    """Errors of many sizes, skewed x, scatter: true within 3.5 standard errors, where plain is off by 20."""
    rng = np.random.default_rng(4)
    n = 20_000
    truth = -0.1 + 0.25 * rng.standard_gamma(2.0, n)
    x_err, y_err = rng.uniform(0.02, 0.2, n), rng.uniform(0.01, 0.1, n)
    x = truth + x_err * rng.normal(size=n)
    y = 0.75 * truth - 0.025 + rng.normal(0, 0.04, n) + y_err * rng.normal(size=n)
    fit = errors_in_variables(x, y, x_err, y_err)
    # 0.09 of scatter and errors over 0.35 of spread and the root of 20,000: 0.0018.
    assert fit.line.slope == pytest.approx(0.75, abs=0.0065)
    assert fit.line.intercept == pytest.approx(-0.025, abs=0.0035)
    assert fit.scatter == pytest.approx(0.04, abs=0.004)
    # Theory of the attenuation: var / (var + mean error squared), known to 1 % here.
    assert plain_line(x, y).slope == pytest.approx(0.75 * 0.125 / (0.125 + np.mean(x_err**2)), abs=0.007)


def test_outliers_are_set_aside() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(0, 30, 400)
    y = x + rng.normal(0, 0.5, 400)
    y[:20] += rng.choice([-1, 1], 20) * rng.uniform(20, 100, 20)
    fit = errors_in_variables(x, y, np.full(400, 0.1), np.full(400, 0.2))
    assert fit.n_outliers == 20
    assert not fit.weight[:20].any()
    assert fit.line.n_used == 380
    assert fit.line.slope == pytest.approx(1.0, abs=0.004)  # 5 errors of 0.5 / 30 / root 380


def test_no_line_with_errors() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(0, 0.1, 50), rng.normal(0, 1, 50)
    wide = errors_in_variables(x, y, np.full(50, 0.1), np.zeros(50))
    assert wide.line.reason == "x does not vary beyond its errors"
    unknown = errors_in_variables(x, y, np.full(50, np.nan), np.zeros(50))
    assert unknown.line.reason == "0 points have an error of x, fewer than 3"
    assert unknown.n_without_x_err == 50
    empty = errors_in_variables(*[np.empty(0)] * 4)
    assert math.isnan(empty.line.slope)
    assert Sums.of(np.ones(3), np.ones(3), np.ones(3)).reliability == 0.0


def test_points_without_errors() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(0, 1, 60)
    y = x + rng.normal(0, 0.1, 60)
    x_err, y_err = np.full(60, 0.1), np.full(60, 0.1)
    x_err[:10], y_err[5:15] = np.nan, np.nan
    fit = errors_in_variables(x, y, x_err, y_err)
    assert (fit.n_without_x_err, fit.n_without_y_err, fit.line.n_used) == (10, 5, 50)
    # Ten are not there at all, and the five have the others' error.
    again = errors_in_variables(x[10:], y[10:], np.full(50, 0.1), np.full(50, 0.1))
    assert (again.line.slope, again.scatter) == pytest.approx((fit.line.slope, fit.scatter), rel=1e-12)


def density_by_hand(grid: DensityGrid, x: Floats, y: Floats, smoothing: float, tilt: float) -> Floats:
    """Counts in pixels, and each pixel's count spread by a kernel cut at 4 standard deviations."""
    size = len(grid.x_edges) - 1
    reach = math.ceil(4 * smoothing)
    shape = [math.exp(-0.5 * (k / smoothing) ** 2) for k in range(-reach, reach + 1)]
    shape = [value / sum(shape) for value in shape]
    values = np.zeros((size, size))
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        column = sum(a >= edge for edge in grid.x_edges[1:-1])
        row = sum(b - tilt * a >= edge for edge in grid.y_edges[1:-1])
        if not (
            grid.x_edges[0] <= a <= grid.x_edges[-1] and grid.y_edges[0] <= b - tilt * a <= grid.y_edges[-1]
        ):
            continue
        for i, u in enumerate(shape, column - reach):
            for j, v in enumerate(shape, row - reach):
                if 0 <= i < size and 0 <= j < size:
                    values[i, j] += u * v
    return values


@pytest.mark.parametrize("tilt", [0.0, 0.8])
def test_density_and_its_line_against_loops(tilt: float) -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(0, 1, 200)
    y = 0.8 * x + rng.normal(0, 0.3, 200)
    grid = DensityGrid(x, y, 40, 1.5, 0.8, tilt)
    density = grid.density()
    expected = density_by_hand(grid, x, y, 1.5, tilt)
    assert density.values == pytest.approx(expected, abs=2e-9)  # rounded to 1e-9
    assert density.n_outside == 0

    # Lowest density of the densest 160 of 200 points, and all pixels down to it.
    at_points = []
    for a, b in zip(x, y - tilt * x, strict=True):
        i = int(np.searchsorted(density.x_edges, a, side="right")) - 1
        j = int(np.searchsorted(density.y_edges, b, side="right")) - 1
        at_points.append(density.values[i, j])
    level = sorted(at_points, reverse=True)[159]
    assert (density.retained == (density.values >= level)).all()
    assert grid.n_retained() >= 160

    weights, xs, ys = [], [], []
    for i, j in zip(*np.nonzero(density.retained), strict=True):
        weights.append(expected[i, j])
        xs.append((density.x_edges[i] + density.x_edges[i + 1]) / 2)
        ys.append((density.y_edges[j] + density.y_edges[j + 1]) / 2 + tilt * xs[-1])
    slope, intercept = np.polyfit(xs, ys, 1, w=np.sqrt(weights))  # numpy squares its weights
    line = grid.line()
    assert (line.slope, line.intercept) == pytest.approx((slope, intercept), rel=1e-7, abs=1e-9)


def test_resampling_is_the_same_as_repeating_points() -> None:
    rng = np.random.default_rng(9)
    x = rng.normal(0, 1, 300)
    y = x + rng.normal(0, 0.2, 300)
    grid = DensityGrid(x, y, 50, 1.0, 0.8)
    times = rng.integers(0, 3, 300)
    counts, _, _ = np.histogram2d(np.repeat(x, times), np.repeat(y, times), [grid.x_edges, grid.y_edges])
    values, _ = grid.smoothed(times)
    assert values.sum() == pytest.approx(counts.sum(), rel=1e-6)
    assert grid.smoothed(np.ones(300, dtype=np.int64))[0] == pytest.approx(grid.density().values)


def test_an_upright_kernel_flattens_and_a_leaning_one_does_not() -> None:
    """A normal distribution cut at a level of its density keeps the ratios of its moments.

    So the line is that of the smoothed distribution as a whole, with the kernel's variance h**2 added to that
    of x: its slope differs from the tilt by (1 - tilt) / (1 + h**2).  50,000 points know that to 1 %.
    """
    rng = np.random.default_rng(10)
    x = rng.normal(0, 1, 50_000)
    y = x + rng.normal(0, 0.1, 50_000)
    for tilt in (0.0, 0.9, 1.0):
        grid = DensityGrid(x, y, 100, 5.0, 0.8, tilt)
        h = 5.0 * (grid.x_edges[1] - grid.x_edges[0])
        assert 0.5 < h < 0.9
        assert grid.line().slope == pytest.approx(
            tilt + (1 - tilt) / (1 + h**2), abs=0.002 + 0.01 * (1 - tilt)
        )


def test_single_outliers_are_not_retained_however_few_stars() -> None:
    rng = np.random.default_rng(11)
    x = rng.normal(0, 1, 60)
    y = x + rng.normal(0, 0.05, 60)
    x[:6], y[:6] = np.linspace(-1, 1, 6), 3.0
    line = DensityGrid(x, y, 100, 2.5, 0.8, 1.0).line()
    assert line.slope == pytest.approx(1.0, abs=0.1)


def test_points_beyond_the_grid() -> None:
    rng = np.random.default_rng(12)
    x, y = rng.normal(0, 1, 100), rng.normal(0, 1, 100)
    x[0], y[1] = 1e9, -1e9
    for enclosed in (0.8, 1.0):
        grid = DensityGrid(x, y, 40, 1.0, enclosed)
        density = grid.density()
        assert density.n_outside == 2
        assert density.x_edges[-1] < 20
        assert grid.n_retained() == 98 if enclosed == 1 else 80 <= grid.n_retained() < 90
    assert (density.retained == (density.values > 0)).all()


@pytest.mark.parametrize("value", [0.0, 5777.0, -1e20])
def test_grid_of_one_place(value: float) -> None:
    grid = DensityGrid(np.full(3, value), np.full(3, value), 20, 1.0, 0.8)
    assert grid.density().values.sum() == pytest.approx(3)
    assert grid.density().n_outside == 0
    # The kernel blurs the place, but only its own pixel is retained.
    assert grid.line().reason == "the densest pixels lie in one column"
    assert DensityGrid(np.zeros(3), np.arange(3.0), 20, 0.0, 0.8).line().reason == grid.line().reason


def test_no_smoothing() -> None:
    x, y = np.array([0.0, 1.0, 2.0, 2.0]), np.array([0.0, 1.0, 2.0, 2.0])
    density = DensityGrid(x, y, 20, 0.0, 1.0).density()
    assert sorted(density.values[density.values > 0].tolist()) == [1.0, 1.0, 2.0]
    assert density.corners()[0].shape == (21, 21)
