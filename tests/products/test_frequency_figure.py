"""The figure of a light curve's frequencies: what is in its panels, and that it is drawn at all."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from lkmrs_dask.errors import UsageError
from lkmrs_dask.products.figures import frequencies as module
from lkmrs_dask.products.figures.frequencies import figure_frequencies
from lkmrs_dask.products.figures.frequency_spectra import (
    Spectra,
    binned_fold,
    envelope,
    fold_at,
    kinds,
    make_spectra,
)
from lkmrs_dask.readers.light_curves.reading import light_curve_files, read_light_curve
from lkmrs_dask.readers.light_curves.stitching import stitch
from lkmrs_dask.variability import Frequencies, find_frequencies, periodogram
from lkmrs_dask.variability.grid import frequency_grid
from lkmrs_dask.variability.series import clean_series
from lkmrs_dask.variability.transform import Transforms


def pulsator(n: int = 1500, days: float = 27.0) -> tuple[np.ndarray, np.ndarray]:
    """Relative flux: 5 ppt at 12.3 a day, 2 ppt at twice that, 1 ppt of noise, and a gap."""
    rng = np.random.default_rng(5)
    time = np.sort(rng.uniform(0, days, n))
    time = time[(time < 0.45 * days) | (time > 0.6 * days)]
    turn = 2 * np.pi * 12.3 * time
    return time, 1 + 5e-3 * np.sin(turn) + 2e-3 * np.cos(2 * turn) + rng.normal(0, 1e-3, len(time))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures as they are saved."""
    figures: list[Figure] = []
    save = module.save

    def saving(figure: Figure, path: Path) -> list[Path]:
        figures.append(figure)
        return save(figure, path)

    monkeypatch.setattr(module, "save", saving)
    return figures


def spectra_of(time: np.ndarray, flux: np.ndarray, found: Frequencies) -> Spectra:
    series = clean_series(time, flux)
    return make_spectra(Transforms(series, frequency_grid(series.time)), found)


def test_panels(tmp_path: Path, drawn: list[Figure]) -> None:
    """Every axis says what it holds and its unit; the marks are what was found."""
    time, flux = pulsator()
    found = find_frequencies(time, flux)
    assert len(found) == 2
    paths = figure_frequencies(time, flux, found, tmp_path / "new" / "star", name="KIC 1 $x_")
    assert [path.name for path in paths] == ["star.png", "star.pdf"]
    height, width = imread(paths[0]).shape[:2]
    assert height > width > 3.4 * 300
    curve, spectrum, residual, folded = drawn[0].axes
    assert [axis.get_ylabel() for axis in drawn[0].axes] == [
        "Flux variation (ppt)",
        "Amplitude (ppt)",
        "Residual (ppt)",
        "Flux variation (ppt)",
    ]
    assert curve.get_xlabel() == "Time (d)"
    assert "d$^{-1}$" in residual.get_xlabel()
    assert curve.get_title(loc="left") == "KIC 1 $x_"
    assert "0.0813" in folded.get_xlabel()  # 1/12.3
    assert spectrum.get_ylim() == residual.get_ylim()
    assert spectrum.get_xlim() == residual.get_xlim()
    legend = spectrum.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "independent (1)",
        "harmonic, combination (1)",
    ]
    marks = np.concatenate([line.get_xdata() for line in spectrum.lines if line.get_marker() in ("o", "s")])
    assert marks == pytest.approx(found.frequency)
    # No line joins points of the light curve, so none bridges the gap.
    assert {line.get_linestyle() for line in curve.lines} == {"None"}
    again = figure_frequencies(time, flux, found, tmp_path / "again", name="KIC 1 $x_")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_nothing_overlaps(tmp_path: Path, drawn: list[Figure]) -> None:
    """Texts outside the axes, and panels, keep clear of one another; the window hides no spectrum."""
    time, flux = pulsator()
    for found in (find_frequencies(time, flux), find_frequencies(time, flux, snr_min=1e4)):
        figure_frequencies(time, flux, found, tmp_path / "star", name="KIC 123456789, quarter 17")
        figure = drawn[-1]
        renderer = FigureCanvasAgg(figure).get_renderer()
        boxes = [box for axis in figure.axes if (box := axis.get_tightbbox(renderer)) is not None]
        assert len(boxes) == len(figure.axes)
        for above, below in pairwise(boxes):
            assert above.y0 >= below.y1 - 1
        last = figure.axes[-2 if len(found) else -1]
        (inset,) = last.child_axes
        corner = inset.get_window_extent(renderer)
        limit = last.transData.transform(last.lines[0].get_xydata())
        inside = (limit[:, 0] > corner.x0) & (limit[:, 0] < corner.x1)
        assert (limit[inside, 1] < corner.y0).all()
        spectrum = last.transData.transform(last.collections[0].get_paths()[0].vertices)
        inside = (spectrum[:, 0] > corner.x0) & (spectrum[:, 0] < corner.x1)
        assert (spectrum[inside, 1] < corner.y0).all()


def test_spectra_are_those_of_the_extraction() -> None:
    """Against nifty-ls for the data, and against the noise of each frequency for the limit.

    A fitted sinusoid differs from the transform by the image at the negative frequency: some 1/sqrt(n) of an
    amplitude, 3 % here, of peaks of 5 ppt.
    """
    time, flux = pulsator()
    found = find_frequencies(time, flux)
    spectra = spectra_of(time, flux, found)
    frequency, amplitude = periodogram(time, flux)
    n = len(spectra.frequency)
    assert spectra.frequency == pytest.approx(frequency[:n])
    assert spectra.amplitude == pytest.approx(amplitude[:n], abs=1.5e-4)
    assert spectra.frequency[-1] < frequency[-1]
    assert spectra.residual.max() < 1e-3 < spectra.amplitude.max()
    noise = np.interp(found.frequency, spectra.limit_at, spectra.limit) / 5.6
    assert noise == pytest.approx(found.noise, rel=0.1)  # the limit is computed at 200 frequencies only
    assert spectra.window[0] == pytest.approx(1.0)


def test_what_is_left_above_the_limit_is_shown() -> None:
    """Extraction that ends after one frequency leaves the harmonic, beyond 1.25 times the first."""
    time, flux = pulsator()
    found = find_frequencies(time, flux, max_frequencies=1)
    assert found.frequency == pytest.approx([12.3], abs=0.01)
    assert spectra_of(time, flux, found).frequency[-1] > 24.6


def test_nothing_found(tmp_path: Path, drawn: list[Figure]) -> None:
    rng = np.random.default_rng(2)
    time, flux = np.sort(rng.uniform(0, 20, 400)), 1 + rng.normal(0, 1e-3, 400)
    found = find_frequencies(time, flux)
    assert len(found) == 0
    figure_frequencies(time, flux, found, tmp_path / "star")
    _, spectrum = drawn[0].axes
    assert "no frequency" in spectrum.get_title(loc="right")
    assert len(spectrum.child_axes) == 1  # the window


def test_ten_points(tmp_path: Path, drawn: list[Figure]) -> None:
    """So few that the noise, or even the fold, may not be known."""
    time = np.arange(10.0) / 7
    for flux in (1 + 0.1 * np.sin(2 * np.pi * 2.1 * time), 1 + 0.1 * (np.arange(10) == 4)):
        found = find_frequencies(time, flux, snr_min=0.5)
        figure_frequencies(time, flux, found, tmp_path / "star")
    assert len(drawn) == 2


def test_magnitudes_are_upside_down(tmp_path: Path, drawn: list[Figure]) -> None:
    """0.1 mag up and down; what is faint is at phase 0, below."""
    time = np.linspace(0, 30, 1200)
    mag = 0.1 * np.sin(2 * np.pi * 0.8 * time)
    flux = 10 ** (-0.4 * mag) + np.random.default_rng(3).normal(0, 1e-3, 1200)
    figure_frequencies(time, flux, find_frequencies(time, flux), tmp_path / "star", unit="mag")
    for axis in (drawn[0].axes[0], drawn[0].axes[-1]):
        low, high = axis.get_ylim()
        assert low > 0.1 > -0.1 > high
        assert "mag" in axis.get_ylabel()
    (mean,) = [line for line in drawn[0].axes[-1].lines if line.get_linestyle() == "-"]
    x, y = np.asarray(mean.get_xdata()), np.asarray(mean.get_ydata())
    assert y[np.argmin(np.abs(x))] == pytest.approx(0.1, abs=0.005)


def test_another_unit(tmp_path: Path, drawn: list[Figure]) -> None:
    """Counts of any size: the axis names the power of ten, and the period is as in relative flux."""
    time, flux = pulsator()
    found = find_frequencies(time, 1e7 * (flux - 1))
    figure_frequencies(time, 1e7 * (flux - 1), found, tmp_path / "star", unit="other")
    assert drawn[0].axes[1].get_ylabel() == "Amplitude ($10^{3}$ file's unit)"
    assert drawn[0].axes[1].get_ylim()[1] < 1000
    relative = fold_at(time, flux, find_frequencies(time, flux), "relative")
    other = fold_at(time, 1e7 * (flux - 1), found, "other")
    assert relative is not None
    assert other is not None
    assert other.period == pytest.approx(relative.period, rel=1e-6)
    with pytest.raises(UsageError, match="unit must be"):
        figure_frequencies(time, flux, found, tmp_path / "star", unit="ppm")


def test_many_points_become_an_image(tmp_path: Path, drawn: list[Figure]) -> None:
    """A PDF of 60,000 points is as small as one of a few thousand."""
    time, flux = pulsator(70_000)
    _, pdf = figure_frequencies(time, flux, find_frequencies(time, flux, max_frequencies=3), tmp_path / "s")
    assert pdf.stat().st_size < 1_000_000
    assert drawn[0].axes[0].get_rasterization_zorder() is not None


def test_instrumental_lines_are_not_folded(tmp_path: Path, drawn: list[Figure]) -> None:
    """A line of K2's thrusters alone: marked as such, and no folded panel."""
    time = np.linspace(0, 70, 3000)
    flux = 1 + 1e-3 * np.sin(2 * np.pi * 4.08 * time) + np.random.default_rng(4).normal(0, 1e-4, 3000)
    found = find_frequencies(time, flux, mission="k2")
    assert [int(one.sum()) for one in kinds(found)] == [0, 0, 1]
    assert fold_at(time, flux, found, "relative") is None
    figure_frequencies(time, flux, found, tmp_path / "star")
    assert len(drawn[0].axes) == 3


def test_envelope_keeps_all_peaks() -> None:
    rng = np.random.default_rng(6)
    frequency, amplitude = 1e-3 * np.arange(1.0, 100_001.0), rng.random(100_000)
    amplitude[77_777] = 5.0
    x, y = envelope(frequency, amplitude)
    assert len(x) == len(y) <= 1200
    assert y.max() == 5.0
    assert x[np.argmax(y)] == pytest.approx(frequency[77_777], abs=0.1)
    few = envelope(frequency[:100], amplitude[:100])
    assert np.array_equal(few[1], amplitude[:100])


def test_bins_of_a_fold_that_cadences_leave_empty() -> None:
    """29 cadences a period: a hundred bins would be empty in between, 25 are not."""
    days = np.arange(4000) / 29.0
    binned = binned_fold(days, np.sin(2 * np.pi * days), 1.0)
    assert binned is not None
    at, mean = binned
    assert len(at) == 25
    assert np.isfinite(mean).all()
    assert mean == pytest.approx(np.sin(2 * np.pi * at), abs=0.15)  # a bin is 0.04 wide
    assert binned_fold(days[:50], days[:50], 1.0) is None


def test_eclipsing_binary_is_folded_at_its_orbit(shared: Path, tmp_path: Path) -> None:
    """KIC 5023948: 3.6492928 d, twice the period of the strongest frequency."""
    whole = stitch([read_light_curve(file) for file in light_curve_files(shared / "data" / "lc_kepler_eb")])
    found = find_frequencies(whole.time, whole.flux, mission="kepler")
    folded = fold_at(whole.time, whole.flux, found, "relative")
    assert folded is not None
    assert folded.period == pytest.approx(3.6492928, rel=2e-5)  # 0.1 d over the 263 orbits
    assert folded.cycles == 2
    assert figure_frequencies(whole.time, whole.flux, found, tmp_path / "eb")[0].is_file()
