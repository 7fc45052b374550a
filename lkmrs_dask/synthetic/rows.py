"""Rows of LAMOST's two medium-resolution tables, in the order and spelling of the releases."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.sky.index import separation_arcsec
from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.measure import ABUNDANCES, VELOCITIES, measure_parameters, measure_velocities
from lkmrs_dask.synthetic.moon import moon_age, moon_position
from lkmrs_dask.synthetic.observe import BANDS, Observation

__all__ = [
    "CATALOGUE_COLUMNS",
    "OLDER_NAMES",
    "STELLAR_COLUMNS",
    "TEXT_WIDTHS",
    "catalogue_rows",
    "mobsids",
    "stellar_rows",
]

_HEAD = (
    "mobsid", "obsid", "uid", "gp_id", "designation", "obsdate", "lmjd", "mjd", "planid", "spid", "fiberid",
    "lmjm", "band", "ra_obs", "dec_obs", "snr", "gaia_source_id", "gaia_g_mean_mag", "gaia_bp_mean_mag",
    "gaia_rp_mean_mag",
)  # fmt: skip
_MOON = ("moon_angle", "lunardate", "moon_flg")
_LASP_VELOCITY = ("rv_lasp0", "rv_lasp0_err", "rv_lasp1", "rv_lasp1_err")


def _arm_columns(arm: str) -> tuple[str, ...]:
    return tuple(f"rv_{arm}{digit}{error}" for digit in "01" for error in ("", "_err"))


CATALOGUE_COLUMNS = (
    *_HEAD, "fibertype", "offsets", "offsets_v", "ra", "dec",
    *_arm_columns("b"), *_arm_columns("r"), *_arm_columns("br"), "rv_b_flag", "rv_r_flag", "rv_br_flag",
    *_LASP_VELOCITY, "coadd", "fibermask", "bad_b", "bad_r", *_MOON, "subproject",
)  # fmt: skip
"""Header of ``dr11_v2.0_MRS_catalogue``."""

STELLAR_COLUMNS = (
    *_HEAD, "tsource", "fibertype", "tfrom", "tcomment", "offsets", "offsets_v", "ra", "dec",
    *(f"{name}_lasp{error}" for name in ("teff", "logg", "feh", "vsini") for error in ("", "_err")),
    *(name for arm in ("b", "r", "br") for name in (*_arm_columns(arm), f"rv_{arm}_flag")),
    *_LASP_VELOCITY, "coadd", "fibermask", "alpha_m_cnn", "teff_cnn", "logg_cnn", "feh_cnn", *ABUNDANCES,
    "alpha_m_lasp", "alpha_m_lasp_err", *_MOON,
)  # fmt: skip
"""Header of ``dr11_v2.0_MRS_stellar``."""

OLDER_NAMES = {"offsets": "offset", "offsets_v": "offset_v"}
"""How older releases spell columns."""

TEXT_WIDTHS = {
    "mobsid": 20, "uid": 15, "designation": 19, "obsdate": 10, "planid": 18, "band": 1, "gaia_source_id": 20,
    "fibertype": 4, "tsource": 8, "tfrom": 8, "tcomment": 8, "moon_flg": 1, "subproject": 8,
}  # fmt: skip
"""Characters of the columns of text in binary tables."""

_DIGITS = {"teff": 2, "logg": 3, "feh": 3, "alpha_m": 3, "vsini": 2}
_BAD_FIBRES = 0.01
_NEAR_MOON = 30.0  # deg


def catalogue_rows(
    seen: Observation, draws: Draws, velocities: Mapping[str, NDArray[np.float64]] | None = None
) -> pa.Table:
    """Rows of the general catalogue for a visit: a row per spectrum and band.

    Parameters
    ----------
    seen : Observation
        m targets, n exposures.
    draws : Draws
        Random numbers.
    velocities : mapping, optional
        From `measure_velocities`, if they are known.

    Returns
    -------
    pyarrow.Table
        `CATALOGUE_COLUMNS`, a row for each spectrum of ``seen.there`` in its order.  Missing values are null.
        A row has the velocity of its own arm, that of both, and in the blue LASP's.
    """
    target, exposure, band = np.nonzero(seen.there)
    columns = _shared(seen, target, exposure, band, draws)
    if velocities is None:
        velocities = measure_velocities(seen, draws)
    for name in VELOCITIES:
        here = {"b": band == 0, "r": band == 1, "lasp": band == 0}.get(name, np.ones(len(band), bool))
        columns |= _velocity(velocities, name, (target, exposure), here)
    zeros = np.zeros(len(target), np.int64)
    columns |= {"bad_b": zeros, "bad_r": zeros}
    columns["subproject"] = _repeat("LK-MRS" if seen.visit.plan.field else "TD", len(target))
    return pa.table({name: columns[name] for name in CATALOGUE_COLUMNS})


def stellar_rows(
    seen: Observation, draws: Draws, velocities: Mapping[str, NDArray[np.float64]] | None = None
) -> tuple[NDArray[np.int64], pa.Table]:
    """Rows of the stellar catalogue for a visit: blue coadds with parameters.

    Parameters
    ----------
    seen, draws, velocities
        As for `catalogue_rows`.

    Returns
    -------
    target : ndarray of int64, shape (k,)
        Target of each row.
    rows : pyarrow.Table
        `STELLAR_COLUMNS`, k rows; missing values are null.
    """
    target, parameters = measure_parameters(seen, draws)
    exposure, band = np.full(len(target), seen.n_exposures), np.zeros(len(target), np.int64)
    columns = _shared(seen, target, exposure, band, draws)
    if velocities is None:
        velocities = measure_velocities(seen, draws)
    for name in VELOCITIES:
        columns |= _velocity(velocities, name, (target, exposure), np.ones(len(target), bool))
    for name, digits in _DIGITS.items():
        columns[f"{name}_lasp"] = _floats(parameters[name], digits)
        columns[f"{name}_lasp_err"] = _floats(parameters[f"{name}_err"], digits)
    for name in ("teff_cnn", "logg_cnn", "feh_cnn", "alpha_m_cnn", *ABUNDANCES):
        columns[name] = _floats(parameters[name], 3)
    columns |= {name: _repeat(None, len(target)) for name in ("tfrom", "tcomment")}
    columns["tsource"] = _repeat("MRS_TD_K" if seen.visit.plan.field else "MRS_TD_T", len(target))
    return target, pa.table({name: columns[name] for name in STELLAR_COLUMNS})


def mobsids(obsid: ArrayLike, band: ArrayLike, lmjm: ArrayLike, coadd: NDArray[np.bool_]) -> pa.StringArray:
    """Make unique names of spectra: obsid, arm, and the minute of an exposure or ``C`` of a coadd."""
    text = [pa.array(np.asarray(values)).cast(pa.string()) for values in (obsid, lmjm)]
    minute = pc.if_else(pa.array(coadd), "C", text[1])
    return pc.binary_join_element_wise(text[0], pa.array(np.asarray(band)).cast(pa.string()), minute, "")


def _shared(
    seen: Observation,
    target: NDArray[np.int64],
    exposure: NDArray[np.int64],
    band: NDArray[np.int64],
    draws: Draws,
) -> dict[str, ArrayLike | pa.Array]:
    """Columns of both tables, for the spectra at these indices of ``seen.snr``."""
    visit, targets, stars = seen.visit, seen.targets, seen.stars
    star, n = targets.star[target], len(target)
    obsid = visit.serial * 100_000 + targets.spid * 1000 + targets.fiberid
    coadd = exposure == seen.n_exposures
    lmjm = np.append(visit.lmjm, visit.lmjm[0])[exposure]
    arm = np.array(BANDS)[band]
    uid = pa.DictionaryArray.from_arrays(pa.array(target), pa.array(stars.uid_of(targets.star), pa.string()))
    bp, rp = stars.g + 0.42 * stars.bp_rp, stars.g - 0.58 * stars.bp_rp
    in_gaia = stars.has_gaia[star]
    midnight = visit.night + 16.0 / 24.0
    angle = separation_arcsec(*moon_position(midnight), targets.ra, targets.dec) / 3600.0
    masked = draws.uniform(Purpose.FIBRE_MASK, seen.number, visit.night) < _BAD_FIBRES
    return {
        "mobsid": mobsids(obsid[target], arm, lmjm, coadd),
        "obsid": obsid[target],
        "uid": uid.cast(pa.string()),
        "gp_id": stars.gp_id[star],
        "designation": targets.designation.take(pa.array(target)),
        "obsdate": _repeat(str(visit.date), n),
        "lmjd": np.full(n, visit.night + 1),
        "mjd": np.full(n, visit.night),
        "planid": _repeat(visit.plan.planid, n),
        "spid": targets.spid[target],
        "fiberid": targets.fiberid[target],
        "lmjm": lmjm,
        "band": pa.array(arm, pa.string()),
        "ra_obs": targets.ra[target],
        "dec_obs": targets.dec[target],
        "snr": seen.snr[target, exposure, band],
        "gaia_source_id": pa.array(stars.gaia_source_id[star], mask=~in_gaia).cast(pa.string()),
        "gaia_g_mean_mag": _floats(np.where(in_gaia, stars.g[star], np.nan), 3),
        "gaia_bp_mean_mag": _floats(np.where(in_gaia, bp[star], np.nan), 3),
        "gaia_rp_mean_mag": _floats(np.where(in_gaia, rp[star], np.nan), 3),
        "fibertype": _repeat("Obj", n),
        "offsets": np.zeros(n, np.int64),
        "offsets_v": np.zeros(n),
        "ra": targets.ra[target],
        "dec": targets.dec[target],
        "coadd": coadd.astype(np.int64),
        "fibermask": np.where(masked, 64, 0)[target],
        "moon_angle": np.round(angle, 2)[target],
        "lunardate": np.full(n, int(moon_age(midnight)) + 1),
        "moon_flg": pa.array(np.where(angle < _NEAR_MOON, "1", "0")[target], pa.string()),
    }


def _velocity(
    velocities: Mapping[str, NDArray[np.float64]],
    name: str,
    at: tuple[NDArray[np.int64], NDArray[np.int64]],
    here: NDArray[np.bool_],
) -> dict[str, pa.Array]:
    """Columns of one velocity; null where `here` is false."""
    columns = {}
    for digit in "01":
        columns[f"rv_{name}{digit}"] = _floats(np.where(here, velocities[f"rv_{name}{digit}"][at], np.nan), 2)
        columns[f"rv_{name}{digit}_err"] = _floats(
            np.where(here, velocities[f"rv_{name}_err"][at], np.nan), 2
        )
    if name != "lasp":
        missing = np.isnan(velocities[f"rv_{name}1"][at])
        columns[f"rv_{name}_flag"] = pa.array(missing.astype(np.int64), mask=~here)
    return columns


def _floats(values: NDArray[np.float64], digits: int) -> pa.Array:
    """Round numbers; null where NaN."""
    return pa.array(np.round(values, digits) + 0.0, mask=np.isnan(values))  # + 0.0: no "-0" in text


def _repeat(value: str | None, n: int) -> pa.Array:
    return pa.nulls(n, pa.string()) if value is None else pa.repeat(value, n)
