"""What pipelines measure: velocities of all spectra, parameters of coadds, with the noise of Table 3."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.noise import LEAST_SNR, error
from lkmrs_dask.synthetic.observe import Observation

__all__ = ["ABUNDANCES", "VELOCITIES", "measure_parameters", "measure_velocities"]

Floats = NDArray[np.float64]

VELOCITIES = ("b", "r", "br", "lasp")
"""Velocities of LAMOST's tables: blue arm, red arm, both, and LASP's."""

ABUNDANCES = tuple(f"{x}_fe" for x in ("c", "n", "o", "mg", "al", "si", "s", "ca", "ti", "cr", "ni", "cu"))
"""Columns of elements."""

_VELOCITY_NOISE = {
    "b": (Purpose.RV_B, 1.15, 0),
    "r": (Purpose.RV_R, 1.30, 1),
    "br": (Purpose.RV_BR, 1.00, 0),
    "lasp": (Purpose.RV_LASP, 1.05, 0),
}  # purpose, factor of the error of Table 3, and the arm whose S/N counts
_ZERO_POINT = 0.4  # km/s; scatter of the zero points of spectrographs and nights
_FAILED = 0.055  # share of spectra without velocity: 1 - 161,270 / 170,637
_LASP_SNR = 10.0  # least S/N of a coadd with parameters
_LASP_TEFF = (3900.0, 8500.0)  # late A to K
_VSINI_TEFF = (5000.0, 8500.0)  # section 3.1
_VSINI_SHARE, _ALPHA_SHARE = 0.30, 0.65


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
        arrays of shape (m, n + 1); NaN where the S/N is below 5 or no velocity was found.
    """
    number, item = seen.number[:, None], seen.item[:, 0]
    zero = _ZERO_POINT * draws.normal(Purpose.ZERO_POINT, seen.visit.night, seen.targets.spid)[:, None]
    failed = draws.uniform(Purpose.RV_FAILS, number, item) < _FAILED
    columns: dict[str, Floats] = {}
    for name, (purpose, factor, arm) in _VELOCITY_NOISE.items():
        snr = seen.snr[:, :, arm]
        sigma = factor * error("rv", snr)
        value = seen.rv + sigma * draws.normal(purpose, number, item)
        usable = (snr >= LEAST_SNR) & ~failed
        columns[f"rv_{name}1"] = np.where(usable, value, np.nan)
        columns[f"rv_{name}0"] = np.where(usable, value - zero, np.nan)
        columns[f"rv_{name}_err"] = np.where(usable, sigma, np.nan)
    return columns


def measure_parameters(seen: Observation, draws: Draws) -> tuple[NDArray[np.int64], Mapping[str, Floats]]:
    """Parameters of those coadds of a visit for which LASP finds any.

    Parameters
    ----------
    seen : Observation
        The visit.
    draws : Draws
        Random numbers, addressed by star and spectrum.

    Returns
    -------
    target : ndarray of int64, shape (k,)
        Targets with parameters: stars from late A to K with a blue S/N of at least 10.
    parameters : mapping
        Arrays of shape (k,): ``teff``, ``logg``, ``feh``, ``alpha_m``, ``vsini``, each with ``_err``, the
        four ``_cnn`` and the `ABUNDANCES`.  v sin i is NaN outside 5000 to 8500 K and for most stars within;
        it is at least 1 km/s.  [alpha/M] is NaN for a third.
    """
    snr_of_all = seen.snr[:, -1, 0]
    teff_of_all = seen.stars.teff[seen.targets.star]
    fit = (snr_of_all >= _LASP_SNR) & (teff_of_all >= _LASP_TEFF[0]) & (teff_of_all <= _LASP_TEFF[1])
    target = np.flatnonzero(fit)
    star, number, snr = seen.targets.star[target], seen.number[target], snr_of_all[target]
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
    teff = seen.stars.teff[star]
    rotating = (teff > _VSINI_TEFF[0]) & (teff < _VSINI_TEFF[1])
    _clear(columns, "vsini", rotating & (draws.uniform(Purpose.HAS_VSINI, number) < _VSINI_SHARE))
    _clear(columns, "alpha_m", draws.uniform(Purpose.HAS_ALPHA, number, item) < _ALPHA_SHARE)

    for place, name in enumerate(("teff", "logg", "feh", "alpha_m")):
        noise = draws.normal(Purpose.NOISE_CNN, number, item + (place << 20))
        columns[f"{name}_cnn"] = getattr(seen.stars, name)[star] + 1.2 * error(name, snr) * noise
    for place, name in enumerate(ABUNDANCES):
        noise = draws.normal(Purpose.NOISE_ABUNDANCE, number, item + (place << 20))
        columns[name] = seen.stars.alpha_m[star] / 2 + error("alpha_m", snr) * noise
    return target, columns


def _clear(columns: dict[str, Floats], name: str, given: NDArray[np.bool_]) -> None:
    for column in (name, f"{name}_err"):
        columns[column] = np.where(given, columns[column], np.nan)
