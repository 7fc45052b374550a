"""What pipelines measure: velocities of all spectra, parameters of coadds, with the noise of Table 3."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.noise import LEAST_SNR, error
from lkmrs_dask.synthetic.observe import BANDS, Observation

__all__ = ["ABUNDANCES", "VELOCITIES", "measure_parameters", "measure_velocities"]

Floats = NDArray[np.float64]

VELOCITIES = ("b", "r", "br", "lasp")
"""Velocities of LAMOST's tables: blue arm, red arm, both, and LASP's."""

ABUNDANCES = tuple(f"{x}_fe" for x in ("c", "n", "o", "mg", "al", "si", "s", "ca", "ti", "cr", "ni", "cu"))
"""Columns of elements."""

_CNN = ("teff", "logg", "feh", "alpha_m")

_ARM_ERRORS = (1.15, 1.10)  # of B and R, in errors of both: 0.84 and 0.80 km/s (Zhang et al. 2021) to 0.75
_LASP_ERROR = 1.05
_ZERO_POINT = 0.4  # km/s; scatter of the zero points of spectrographs, exposures and arms
_ZERO_POINT_PLACES = 64  # below the spectrograph in addresses: exposure and arm
_FAILED = 0.055  # share of spectra without velocity, as among the paper's coadds with parameters


def measure_velocities(seen: Observation, draws: Draws) -> dict[str, Floats]:
    """Velocities of each exposure and coadd.

    Parameters
    ----------
    seen : Observation
        m targets, n exposures.
    draws : Draws
        Random numbers, addressed by star and spectrum.

    Returns
    -------
    dict
        ``rv_X1`` (zero-point corrected), ``rv_X0`` (raw) and ``rv_X_err`` in km/s for X in `VELOCITIES`,
        arrays of shape (m, n + 1); NaN where there is none.  Coadds with parameters have one where
        `Extent.rv` says so, all other spectra where the S/N is 5 or more, but for a few.

    Notes
    -----
    ``br`` is the mean of ``b`` and ``r``, weighted with their errors to the power of -2.  Its error is that
    of Table 3 at the blue S/N; the arms' are larger in proportion, and correlated so that this comes out.
    """
    number, item = seen.number[:, None], seen.item[:, 0]
    blue, red = _ARM_ERRORS
    law = error("rv", seen.snr[:, :, 0])
    share = red**2 / (blue**2 + red**2)
    common = draws.normal(Purpose.RV_BR, number, item)
    part = _common_share(blue, red, share)
    noise_b, noise_r = (
        factor * (np.sqrt(part) * common + np.sqrt(1.0 - part) * draws.normal(purpose, number, item))
        for factor, purpose in ((blue, Purpose.RV_B), (red, Purpose.RV_R))
    )
    zero_b, zero_r = (_zero_points(seen, arm, draws) for arm in (0, 1))
    made = {
        "b": (blue, noise_b, zero_b, 0),
        "r": (red, noise_r, zero_r, 1),
        "br": (1.0, share * noise_b + (1.0 - share) * noise_r, share * zero_b + (1.0 - share) * zero_r, 0),
        "lasp": (_LASP_ERROR, _LASP_ERROR * draws.normal(Purpose.RV_LASP, number, item), zero_b, 0),
    }
    found = draws.uniform(Purpose.RV_FAILS, number, item) >= _FAILED
    told = seen.extent.parameters
    columns: dict[str, Floats] = {}
    for name, (factor, noise, zero, arm) in made.items():
        value = seen.rv + law * noise
        usable = (seen.snr[:, :, arm] >= LEAST_SNR) & found
        usable[told, -1] = seen.extent.rv[told]
        columns[f"rv_{name}1"] = np.where(usable, value, np.nan)
        columns[f"rv_{name}0"] = np.where(usable, value - zero, np.nan)
        columns[f"rv_{name}_err"] = np.where(usable, factor * law, np.nan)
    return columns


def _common_share(blue: float, red: float, share: float) -> float:
    """Correlation of two errors with which those of their weighted mean are 1."""
    mean = share**2 * blue**2 + (1.0 - share) ** 2 * red**2
    return (1.0 - mean) / (2.0 * share * (1.0 - share) * blue * red)


def _zero_points(seen: Observation, arm: int, draws: Draws) -> Floats:
    """Zero points (km/s) of an arm, shape (m, n + 1): one a spectrograph and exposure; means for coadds."""
    n = seen.n_exposures
    place = seen.targets.spid[:, None] * _ZERO_POINT_PLACES + len(BANDS) * np.arange(n) + arm
    single = _ZERO_POINT * draws.normal(Purpose.ZERO_POINT, seen.visit.night, place)
    kept = np.arange(n) < seen.extent.n_exposures[:, None]
    mean = (single * kept).sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True)
    return np.concatenate([single, mean], axis=1)


def measure_parameters(seen: Observation, draws: Draws) -> tuple[NDArray[np.int64], Mapping[str, Floats]]:
    """Parameters of the blue coadds of a visit that have them.

    Parameters
    ----------
    seen : Observation
        The visit.
    draws : Draws
        Random numbers, addressed by star and spectrum.

    Returns
    -------
    target : ndarray of int64, shape (k,)
        Targets with parameters.
    parameters : mapping
        Arrays of shape (k,): ``teff``, ``logg``, ``feh``, ``alpha_m``, ``vsini``, each with ``_err``, the
        four ``_cnn`` and the `ABUNDANCES`.  v sin i, at least 1 km/s, and [alpha/M] are NaN where there is
        none.
    """
    target = np.flatnonzero(seen.extent.parameters)
    star, number, snr = seen.targets.star[target], seen.number[target], seen.snr[target, -1, 0]
    item = seen.item[-1, 0]
    columns: dict[str, Floats] = {}
    for name, purpose in (
        ("teff", Purpose.NOISE_TEFF), ("logg", Purpose.NOISE_LOGG), ("feh", Purpose.NOISE_FEH),
        ("alpha_m", Purpose.NOISE_ALPHA), ("vsini", Purpose.NOISE_VSINI),
    ):  # fmt: skip
        truth: Floats = getattr(seen.stars, name)[star]
        sigma = error(name, snr)
        columns[name] = truth + sigma * draws.normal(purpose, number, item)
        columns[f"{name}_err"] = sigma
    columns["vsini"] = np.maximum(columns["vsini"], 1.0)
    _clear(columns, "vsini", seen.extent.vsini[target])
    _clear(columns, "alpha_m", seen.extent.alpha_m[target])

    # All at once: a call has its costs, and most visits of a small survey have few rows.
    noise = draws.normal(Purpose.NOISE_CNN, number, item + (np.arange(len(_CNN))[:, None] << 20))
    for name, deviation in zip(_CNN, noise, strict=True):
        columns[f"{name}_cnn"] = getattr(seen.stars, name)[star] + 1.2 * error(name, snr) * deviation
    noise = draws.normal(Purpose.NOISE_ABUNDANCE, number, item + (np.arange(len(ABUNDANCES))[:, None] << 20))
    for name, deviation in zip(ABUNDANCES, noise, strict=True):
        columns[name] = seen.stars.alpha_m[star] / 2 + error("alpha_m", snr) * deviation
    return target, columns


def _clear(columns: dict[str, Floats], name: str, given: NDArray[np.bool_]) -> None:
    for column in (name, f"{name}_err"):
        columns[column] = np.where(given, columns[column], np.nan)
