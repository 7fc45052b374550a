"""Lomb-Scargle amplitude spectra by nifty-ls, and spectral windows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.grid import FrequencyGrid, frequency_grid
from lkmrs_dask.variability.series import Series, clean_series
from lkmrs_dask.variability.transform import transform_to_grid

__all__ = ["BACKENDS", "Periodogram", "SpectralWindow", "gpu_is_there", "periodogram", "spectral_window"]

BACKENDS = ("cpu", "gpu", "auto")
"""Where periodograms can be computed."""


class Periodogram(NamedTuple):
    """Amplitude spectrum.

    Parameters
    ----------
    frequency : ndarray of float64, shape (n,)
        Cycles per day.
    amplitude : ndarray of float64, shape (n,)
        In the unit of flux.
    """

    frequency: NDArray[np.float64]
    amplitude: NDArray[np.float64]


class SpectralWindow(NamedTuple):
    """Absolute value of the transform of the sampling, 1 at frequency 0; see `spectral_window`."""

    frequency: NDArray[np.float64]
    amplitude: NDArray[np.float64]


def gpu_is_there() -> bool:
    """Whether nifty-ls finds its GPU backend and a GPU."""
    from nifty_ls.backends import available_backends

    if "cufinufft" not in available_backends():
        return False
    import cupy

    try:
        return int(cupy.cuda.runtime.getDeviceCount()) > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


def periodogram(
    time: ArrayLike,
    flux: ArrayLike,
    flux_err: ArrayLike | None = None,
    *,
    f_min: float | None = None,
    f_max: float | None = None,
    oversampling: float = 10.0,
    backend: str = "cpu",
) -> Periodogram:
    r"""Lomb-Scargle amplitude spectrum with a floating mean.

    .. math:: A = \sqrt{4 P / N}

    with the power P that ``normalization="psd"`` gives for equal errors of 1.  With errors it is the
    amplitude of the weighted fit, of the same unit.

    Parameters
    ----------
    time : array_like, shape (n,)
        Days.  Need not be sorted.
    flux : array_like, shape (n,)
    flux_err : array_like, shape (n,), optional
        In the unit of flux; all points weigh the same without.
    f_min, f_max, oversampling : float, optional
        See `lkmrs_dask.variability.grid.frequency_grid`.
    backend : {"cpu", "gpu", "auto"}
        "auto" takes a GPU when there is one.

    Returns
    -------
    Periodogram
        frequency (1/d) and amplitude (unit of flux), each of shape (n_frequencies,).

    Raises
    ------
    UsageError
        For settings that make no sense, or a GPU that is not there.
    CatalogError
        For fewer than 10 points that can be used, or a constant flux.

    References
    ----------
    Zechmeister & Kuerster 2009 (floating mean); Garrison et al. 2024, RNAAS 8, 250 (nifty-ls).
    """
    on_gpu = _on_gpu(backend)
    series = clean_series(time, flux, flux_err)
    grid = frequency_grid(series.time, f_min, f_max, oversampling)
    return Periodogram(grid.frequency, _amplitude(series, grid, on_gpu))


def _on_gpu(backend: str) -> bool:
    if backend not in BACKENDS:
        raise UsageError(f"backend must be one of {', '.join(BACKENDS)}, not {backend!r}")
    if backend == "cpu":
        return False
    there = gpu_is_there()
    if backend == "gpu" and not there:
        raise UsageError(
            "backend='gpu' needs a CUDA GPU and nifty-ls's GPU packages (pip install 'nifty-ls[cuda]'): "
            "there is none; backend='auto' takes the CPU instead"
        )
    return there


def _amplitude(series: Series, grid: FrequencyGrid, on_gpu: bool = False) -> NDArray[np.float64]:
    from nifty_ls import lombscargle

    threads = {} if on_gpu else {"nthreads": 1}  # workers share the cores among stars, not within one
    power = lombscargle(
        series.time,
        series.flux,
        series.flux_err,
        fmin=grid.step * grid.first,
        fmax=grid.step * grid.last,
        Nf=len(grid),
        normalization="standard",
        backend="cufinufft" if on_gpu else "finufft",
        **threads,
    ).power
    # The standard power is the share of the weighted variance that the sinusoid explains; half the square of
    # an amplitude is the variance of a sinusoid.
    variance = float(series.weights @ series.flux**2)
    amplitude: NDArray[np.float64] = np.sqrt(np.maximum(power, 0.0) * (2.0 * variance))
    return amplitude


def spectral_window(
    time: ArrayLike,
    flux_err: ArrayLike | None = None,
    *,
    f_max: float | None = None,
    oversampling: float = 10.0,
) -> SpectralWindow:
    """Spectral window of a sampling, from frequency 0.

    Parameters
    ----------
    time : array_like, shape (n,)
        Days.
    flux_err : array_like, shape (n,), optional
        Points weigh by 1 / flux_err squared.
    f_max, oversampling : float, optional
        See `lkmrs_dask.variability.grid.frequency_grid`.

    Returns
    -------
    SpectralWindow
        frequency (1/d) and amplitude, which is 1 at frequency 0.

    Raises
    ------
    UsageError, CatalogError
        As in `periodogram`.
    """
    t = np.asarray(time)
    # What varies is of no importance for the window; the times themselves do.
    series = clean_series(t, np.arange(t.size, dtype=np.float64).reshape(t.shape), flux_err)
    grid = frequency_grid(series.time, 0.0, f_max, oversampling)
    values = transform_to_grid(series.time, series.weights, grid.step, 0, grid.last)
    amplitude: NDArray[np.float64] = np.abs(values)
    return SpectralWindow(grid.step * np.arange(grid.last + 1, dtype=np.float64), amplitude)
