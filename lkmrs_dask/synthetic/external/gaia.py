"""Gaia DR3 as its archive serves it: CSV, epoch 2016.0, astrometry with errors and correlations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.external.addressed import noise, share
from lkmrs_dask.synthetic.external.headers import columns_of
from lkmrs_dask.synthetic.external.photometry import magnitude
from lkmrs_dask.synthetic.external.relations import truth_elsewhere
from lkmrs_dask.synthetic.external.sources import Sources, moved
from lkmrs_dask.synthetic.external.tables import Column, blank_where, write_text
from lkmrs_dask.synthetic.external.world import World

__all__ = ["EPOCH", "PARALLAX_ZERO_POINT", "PARAMETERS", "parallax_error", "write_gaia"]

EPOCH = 2016.0
"""Epoch of Gaia DR3, Julian years."""

PARALLAX_ZERO_POINT = -0.025
"""What measured parallaxes have more than true ones, mas: typical of DR3 at these magnitudes."""

PARAMETERS = ("ra", "dec", "parallax", "pmra", "pmdec")
"""Astrometric parameters in the archive's order, which is that of the correlations."""

_RELATIVE_ERROR = {"ra": 0.8, "dec": 0.7, "parallax": 1.0, "pmra": 1.03, "pmdec": 0.9}
_SOLUTION = 1636148068921376768  # solution_id of the whole of gaia_source in DR3
_ZERO_FLUX = 25.6874  # G of one electron per second
_RV_LIMIT, _RV_TEFF = 14.0, (3600.0, 14500.0)
_OBLIQUITY = np.radians(23.4392911)
_POLE, _NODE = (
    (192.85948, 27.12825),
    122.93192,
)  # of the Galaxy, deg: ICRS, celestial pole

Floats = NDArray[np.float64]


def parallax_error(g: Floats) -> Floats:
    r"""Error of DR3's parallaxes, mas.

    .. math:: \sigma = \sqrt{40 + 800 z + 30 z^2}\ \mu as, \quad z = 10^{0.4 (\max(G, 13) - 15)}

    the form in which Gaia's performance is published.
    """
    z = 10.0 ** (0.4 * (np.maximum(g, 13.0) - 15.0))
    return np.sqrt(40.0 + 800.0 * z + 30.0 * z**2) / 1000.0


def _errors_and_noise(draws: Draws, sources: Sources) -> tuple[dict[str, Floats], dict[str, Column]]:
    """Deviation of each parameter (mas, mas/yr), and columns of errors and correlations.

    One hidden factor is in all five, by loads from -0.6 to 0.6: what a_i and a_j share is a correlation
    a_i a_j, so the matrix is never indefinite.
    """
    number = sources.number
    hidden = noise(draws, number, "gaia.hidden")
    base = np.round(parallax_error(sources.g) * np.exp(0.08 * noise(draws, number, "gaia.errors")), 5)
    deviation, columns, loads = {}, {}, {}
    for name in PARAMETERS:
        load = np.round(1.2 * share(draws, number, f"gaia.load.{name}") - 0.6, 3)
        error = np.round(_RELATIVE_ERROR[name] * base, 6)
        own = noise(draws, number, f"gaia.{name}")
        deviation[name] = error * (load * hidden + np.sqrt(1.0 - load**2) * own)
        columns[f"{name}_error"], loads[name] = error, load
    for at, first in enumerate(PARAMETERS):
        for second in PARAMETERS[at + 1 :]:
            columns[f"{first}_{second}_corr"] = np.round(loads[first] * loads[second], 6)
    return deviation, columns


def write_gaia(path: Path, world: World) -> None:
    """Write Gaia's sources, sorted by identifier; binaries have wide errors of velocity and high RUWE."""
    which = np.flatnonzero(world.sources.gaia_source_id > 0)
    which = which[np.argsort(world.sources.gaia_source_id[which])]
    draws, sources = world.draws, world.sources.take(which)
    number, n_rows = sources.number, len(which)
    deviation, columns = _errors_and_noise(draws, sources)
    true_ra, true_dec = moved(sources, EPOCH)
    ra = (true_ra + deviation["ra"] / 3.6e6 / np.cos(np.radians(true_dec))) % 360.0
    dec = true_dec + deviation["dec"] / 3.6e6
    parallax = np.round(sources.parallax + PARALLAX_ZERO_POINT + deviation["parallax"], 8)
    pmra, pmdec = sources.pmra + deviation["pmra"], sources.pmdec + deviation["pmdec"]
    variable = world.of_stars(world.members.gaia_variable)[which]
    columns |= {
        "solution_id": np.full(n_rows, _SOLUTION),
        "designation": pa.array([f"Gaia DR3 {i}" for i in sources.gaia_source_id.tolist()], pa.string()),
        "source_id": sources.gaia_source_id,
        "random_index": np.arange(n_rows),
        "ref_epoch": np.full(n_rows, EPOCH),
        "ra": ra,
        "dec": dec,
        "parallax": parallax,
        "parallax_over_error": np.round(parallax / np.asarray(columns["parallax_error"]), 5),
        "pm": np.round(np.hypot(pmra, pmdec), 6),
        "pmra": np.round(pmra, 8),
        "pmdec": np.round(pmdec, 8),
        "astrometric_params_solved": np.full(n_rows, 31),
        "nu_eff_used_in_astrometry": np.round(1.76 - 0.28 * sources.bp_rp, 5),
        "visibility_periods_used": 12 + (15 * share(draws, number, "gaia.periods")).astype(np.int64),
        "ruwe": np.round(_ruwe(draws, sources), 5),
        "duplicated_source": pa.array(np.full(n_rows, False)),
        "phot_variable_flag": pa.array(np.where(variable, "VARIABLE", "NOT_AVAILABLE"), pa.string()),
        "non_single_star": np.zeros(n_rows, dtype=np.int64),
        **_photometry(draws, sources),
        **_velocity(draws, sources),
        **_other_coordinates(ra, dec),
    }
    write_text(path, columns_of("gaia"), columns)


def _ruwe(draws: Draws, sources: Sources) -> Floats:
    wobble = np.where(sources.rv_spread > 0, share(draws, sources.number, "gaia.wobble") ** 2, 0.0)
    return np.exp(0.05 * noise(draws, sources.number, "gaia.ruwe")) + 1.2 * wobble


def _photometry(draws: Draws, sources: Sources) -> dict[str, Column]:
    g = np.round(sources.g + 0.0005 * noise(draws, sources.number, "gaia.g"), 6)
    bp, rp = (
        np.round(magnitude(sources, band) + 0.003 * noise(draws, sources.number, f"gaia.{band}"), 6)
        for band in ("BP", "RP")
    )
    flux = 10.0 ** (-0.4 * (g - _ZERO_FLUX))
    return {
        "phot_g_mean_flux": np.round(flux, 4),
        "phot_g_mean_flux_error": np.round(0.0005 / 1.0857 * flux, 5),
        "phot_g_mean_mag": g, "phot_bp_mean_mag": bp, "phot_rp_mean_mag": rp,
        "bp_rp": np.round(bp - rp, 6), "bp_g": np.round(bp - g, 6), "g_rp": np.round(g - rp, 6),
    }  # fmt: skip


def _velocity(draws: Draws, sources: Sources) -> dict[str, Column]:
    """Mean velocities: those of binaries average over some dozen visits, and their errors say so."""
    transits = 8 + (20 * share(draws, sources.number, "gaia.transits")).astype(np.int64)
    least = 0.2 + 0.05 * np.exp(0.85 * (np.maximum(sources.g, 9.0) - 9.0))
    error = np.round(np.hypot(least, sources.rv_spread / np.sqrt(transits)), 4)
    true = truth_elsewhere("gaia", "rv", sources.rv)
    seen = (sources.g < _RV_LIMIT) & (sources.teff > _RV_TEFF[0]) & (sources.teff < _RV_TEFF[1])
    velocity = np.round(true + error * noise(draws, sources.number, "gaia.rv"), 6)
    return {
        "radial_velocity": np.where(seen, velocity, np.nan),
        "radial_velocity_error": np.where(seen, error, np.nan),
        "rv_nb_transits": blank_where(transits, ~seen),
        "rv_template_teff": np.where(seen, np.round(sources.teff / 250.0) * 250.0, np.nan),
    }


def _other_coordinates(ra: Floats, dec: Floats) -> dict[str, Column]:
    """Ecliptic and Galactic longitude and latitude, deg."""
    lon, lat = np.radians(ra), np.radians(dec)
    cosine, sine = np.cos(_OBLIQUITY), np.sin(_OBLIQUITY)
    up = np.sin(lat) * cosine - np.cos(lat) * sine * np.sin(lon)
    along = np.arctan2(np.sin(lon) * cosine + np.tan(lat) * sine, np.cos(lon))
    pole = np.radians(_POLE[1])
    height = np.sin(lat) * np.sin(pole) + np.cos(lat) * np.cos(pole) * np.cos(lon - np.radians(_POLE[0]))
    around = np.arctan2(
        np.cos(lat) * np.sin(lon - np.radians(_POLE[0])),
        np.sin(lat) * np.cos(pole) - np.cos(lat) * np.sin(pole) * np.cos(lon - np.radians(_POLE[0])),
    )
    return {
        "ecl_lon": np.round(np.degrees(along) % 360.0, 9),
        "ecl_lat": np.round(np.degrees(np.arcsin(up)), 9),
        "l": np.round((_NODE - np.degrees(around)) % 360.0, 9),
        "b": np.round(np.degrees(np.arcsin(height)), 9),
    }
