"""Synthetic spectra: layout, noise and velocity."""

from __future__ import annotations

import numpy as np
import pytest

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.flux import (
    CONTINUUM,
    SPEED_OF_LIGHT,
    STRONG_LINES,
    make_template,
    noisy,
    wavelengths,
)


def continuum(grid: np.ndarray) -> np.ndarray:
    place = (np.arange(len(grid)) / (len(grid) - 1)) * 2 - 1
    return 1000.0 * (1 + 0.15 * place - 0.2 * place**2)


@pytest.mark.parametrize(("band", "low", "high"), [("B", 4893.9, 5374.7), ("R", 6292.5, 6846.0)])
def test_pixels_are_those_of_real_files(band: str, low: float, high: float) -> None:
    single, coadd = wavelengths(band, False), wavelengths(band, True)
    assert len(single) == 4136
    assert 3690 <= len(coadd) <= 4160
    assert sorted([single[0], single[-1]]) == pytest.approx([low, high])
    # Red exposures run downwards in real files.
    assert (np.diff(single) > 0).all() == (band == "B")
    assert (np.diff(coadd) > 0).all()


@pytest.mark.parametrize("band", ["B", "R"])
def test_noise_is_the_signal_to_noise_ratio(band: str) -> None:
    flat = make_template(band, 5500.0, -9.0, 5.0)  # no metals: no lines but H alpha
    for coadd in (False, True):
        pixels = noisy(flat, band, coadd, [0.0], [1.0], 25.0, Draws(1), (3, 4))
        expected = continuum(pixels.wavelength)[:: 1 if pixels.wavelength[0] < pixels.wavelength[-1] else -1]
        clean = np.abs(pixels.wavelength - 6564.61) > 15
        scatter = (pixels.flux / expected)[clean]
        n = clean.sum()
        assert scatter.std() == pytest.approx(1 / 25, abs=4 / 25 / np.sqrt(2 * n))
        assert scatter.mean() == pytest.approx(1.0, abs=4 / 25 / np.sqrt(n) + 2e-3)  # 2e-3: lines left over
        # The median S/N of pixels is that of the header; float32 has 7 digits.
        assert np.median(expected * np.sqrt(pixels.ivar)) == pytest.approx(25.0, rel=1e-4)


@pytest.mark.parametrize("band", ["B", "R"])
def test_lines_lie_where_they_should(band: str) -> None:
    star = make_template(band, 5500.0, 0.0, 5.0)
    at = [np.interp(np.log(line), *star) for line in STRONG_LINES[band]]
    assert max(at) < 0.6
    assert star.flux.min() > 0.05
    assert star.flux.max() <= 1.0


@pytest.mark.parametrize("band", ["B", "R"])
@pytest.mark.parametrize("velocity", [-250.0, 0.0, 63.5])
def test_velocity_comes_back(band: str, velocity: float) -> None:
    """A plain cross-correlation with the star at rest finds the shift."""
    star = make_template(band, 5500.0, 0.0, 5.0)
    pixels = noisy(star, band, False, [velocity], [1.0], 100.0, Draws(1), (1, 2))
    order = np.argsort(pixels.wavelength)
    grid = pixels.wavelength[order].astype(np.float64)
    flux = pixels.flux[order] / continuum(grid) - 1
    inner = slice(50, -50)
    trial = np.arange(velocity - 40, velocity + 40, 1.0)
    score = [
        np.sum(flux[inner] * (np.interp(np.log(grid[inner] / (1 + v / SPEED_OF_LIGHT)), *star) - 1))
        for v in trial
    ]
    best = int(np.argmax(score))
    a, b, _ = np.polyfit(trial[best - 6 : best + 7], score[best - 6 : best + 7], 2)
    # At S/N 100 the lines of one arm give 0.1 km/s; single-precision wavelengths 0.03 km/s.
    assert -b / (2 * a) == pytest.approx(velocity, abs=0.6)


def test_coadd_is_the_mean_of_its_exposures_and_without_signal_noise() -> None:
    star = make_template("B", 5500.0, 0.0, 5.0)
    both = noisy(star, "B", True, [-30.0, 50.0], [1.0, 3.0], 1e9, Draws(1), (1, 2)).flux
    one, two = (noisy(star, "B", True, [v], [1.0], 1e9, Draws(1), (1, 2)).flux for v in (-30.0, 50.0))
    assert both == pytest.approx(0.25 * one + 0.75 * two, abs=1e-3)
    dark = noisy(star, "B", True, [0.0, 0.0], [0.0, 0.0], 0.0, Draws(1), (1, 2))
    assert np.isfinite(dark.flux).all()
    assert (dark.ivar < 1e-6).all()
    assert CONTINUUM == 1000.0


def test_noise_of_pixels_is_addressed() -> None:
    star = make_template("B", 5500.0, 0.0, 5.0)
    clean = noisy(star, "B", False, [0.0], [1.0], 1e9, Draws(1), (1, 2)).flux

    def noise(seed: int, address: tuple[int, int]) -> np.ndarray:
        return noisy(star, "B", False, [0.0], [1.0], 20.0, Draws(seed), address).flux - clean

    first = noise(1, (1, 2))
    assert np.array_equal(noise(1, (1, 2)), first)
    for other in (noise(2, (1, 2)), noise(1, (2, 2)), noise(1, (1, 3))):
        assert abs(np.corrcoef(other, first)[0, 1]) < 5 / np.sqrt(len(first))
