"""High-velocity stars (section 4.2): speeds, escape speeds, probabilities and labels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import Column
from lkmrs_dask.stars.kinematics.distances import Distances, Reason, find_distances, first_reason
from lkmrs_dask.stars.kinematics.epochs import Epochs, EpochSpeeds, epoch_speeds
from lkmrs_dask.stars.kinematics.frame import PhaseSpace, phase_space
from lkmrs_dask.stars.kinematics.monte_carlo import Astrometry, ErrorReason, SpeedErrors, speed_errors
from lkmrs_dask.stars.kinematics.potentials import AT_CENTRE, EscapeSpeed, escape_speed
from lkmrs_dask.stars.kinematics.settings import HighVelocitySettings
from lkmrs_dask.stars.limits import within_limits

__all__ = ["BOUND", "EPOCH_COLUMNS", "HIGH_VELOCITY_COLUMNS", "UNBOUND", "high_velocity", "input_columns"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BOUND, UNBOUND = "bound_HiVels", "unbound_HiVels"

_MOTIONS = ("pmra", "pmdec")
_ERRORS = ("pmra_error", "pmdec_error", "pmra_pmdec_corr")
_PARALLAX_ERRORS = ("parallax_pmra_corr", "parallax_pmdec_corr")
_PHOTOMETRY = (
    "phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour", "astrometric_params_solved",
)  # fmt: skip


def _number(name: str, description: str, unit: str = "") -> Column:
    return Column(name, "float64", description, unit, derived=True)


HIGH_VELOCITY_COLUMNS = (
    _number("parallax_zero_point", "Subtracted from Gaia's parallax", "mas"),
    Column("zero_point_outside", "bool", "The formula of the zero point does not apply", derived=True),
    _number("distance", "Distance from the Sun", "pc"),
    _number("x_gc", "Galactocentric x; the Sun is at -8.122", "kpc"),
    _number("y_gc", "Galactocentric y, along the rotation at the Sun", "kpc"),
    _number("z_gc", "Height above the Galactic plane", "kpc"),
    _number("r_cyl", "Distance from the Galaxy's axis", "kpc"),
    _number("r_gc", "Distance from the Galactic centre", "kpc"),
    _number("v_x", "Galactocentric velocity along x (U)", "km / s"),
    _number("v_y", "Galactocentric velocity along y (V)", "km / s"),
    _number("v_z", "Galactocentric velocity along z (W)", "km / s"),
    _number("v_r_gsr", "Radial velocity freed from the Sun's motion", "km / s"),
    _number("v_gc", "Galactocentric speed", "km / s"),
    _number("v_gc_err", "Half of what is between its 16th and 84th percentile", "km / s"),
    _number("v_gc_p16", "16th percentile of the Galactocentric speed", "km / s"),
    _number("v_gc_p84", "84th percentile of the Galactocentric speed", "km / s"),
    _number("v_esc", "Escape speed at the star's place", "km / s"),
    _number("p_high", "Probability of a speed above the high share of the escape speed"),
    _number("p_unbound", "Probability of a speed above the escape speed"),
    _number("p_unknown", "Share of draws without a distance, counted in neither probability"),
    Column("speed_reason", "string", "ok, or why there is no speed", derived=True),
    Column("error_reason", "string", "ok, or why there are no probabilities", derived=True),
    Column("high_velocity", "string", "bound_HiVels, unbound_HiVels or null", derived=True),
)
"""Columns that `high_velocity` gives each star, in this order."""

EPOCH_COLUMNS = (
    Column("n_epochs", "int32", "Epochs with a speed", derived=True),
    _number("v_gc_max", "Largest Galactocentric speed of an epoch", "km / s"),
    _number("share_beyond", "Share of the epochs with a speed above the escape speed"),
)
"""Those that it adds when it is given single epochs."""


def input_columns(settings: HighVelocitySettings | None = None) -> tuple[str, ...]:
    """Columns that `high_velocity` reads with some settings."""
    settings = settings or HighVelocitySettings()
    names = ["source_id", "ra", "dec", *_MOTIONS, "rv"]
    if np.isfinite(settings.ruwe):
        names.append("ruwe")
    if settings.distance_column:
        names += [settings.distance_column, settings.distance_lower_column,
                  settings.distance_upper_column, settings.distance_error_column]  # fmt: skip
    else:
        names += ["parallax", "parallax_error"]
        if settings.zero_point == "lindegren2021":
            names += _PHOTOMETRY
    if settings.n_draws:
        names += [*_ERRORS, "rv_err"]
        if not settings.distance_column:
            names += _PARALLAX_ERRORS
    return tuple(dict.fromkeys(name for name in names if name))


def high_velocity(
    table: pa.Table,
    settings: HighVelocitySettings | None = None,
    *,
    epochs: Epochs | None = None,
    escape: EscapeSpeed | None = None,
) -> pa.Table:
    """Galactocentric speeds of stars, and which of them are fast.

    Parameters
    ----------
    table : pyarrow.Table
        One row a star with the columns `input_columns`: Gaia's under the archive's names (``source_id``
        null or 0 for stars that Gaia lacks), and ``rv`` and ``rv_err`` in km/s.
    settings : HighVelocitySettings, optional
        See there.
    epochs : Epochs, optional
        Velocities of single epochs, for stars in the order of the table: for the columns `EPOCH_COLUMNS`,
        and for RV variables that are unbound in most of their epochs.
    escape : EscapeSpeed, optional
        That of `settings.potential`; by default it is made, once a process.

    Returns
    -------
    pyarrow.Table
        Columns `HIGH_VELOCITY_COLUMNS` (and `EPOCH_COLUMNS`), in the order of the rows.  Null is what is
        unknown; only stars whose ``speed_reason`` is ``ok`` have a label.

    Raises
    ------
    CatalogError
        When a column is missing or is not of numbers.
    UsageError
        When `escape` is of another potential, or `epochs` do not fit the table.

    References
    ----------
    LK-MRS-I, section 4.2, after Liao et al. 2024.
    """
    settings = settings or HighVelocitySettings()
    if escape is None:
        escape = escape_speed(settings.potential)
    elif escape.name != settings.potential:
        raise UsageError(f"the escape speed is that of {escape.name}, not {settings.potential}")
    columns = _read(table, input_columns(settings))
    columns["rv"] = np.where(within_limits(columns["rv"], "rv"), columns["rv"], np.nan)
    key = _identifiers(table)
    distances = find_distances(columns, settings)
    space = phase_space(
        columns["ra"], columns["dec"], distances.distance, columns["pmra"], columns["pmdec"], columns["rv"]
    )
    reason = _reasons(columns, key, distances, space)
    ok = reason == Reason.OK
    v_esc = np.full(len(key), np.nan)
    placed = np.isfinite(space.r_gc)
    v_esc[placed] = escape(space.r_cyl[placed], space.z[placed])
    errors = _errors(columns, key, np.where(ok, distances.distance, np.nan), distances, escape, settings)
    singles = _singles(columns, epochs, np.where(ok, distances.distance, np.nan), v_esc)
    found = _columns(distances, space, ok, v_esc, errors)
    found["speed_reason"] = [Reason(one).name.lower() for one in reason.tolist()]
    found["error_reason"] = [ErrorReason(one).name.lower() for one in errors.reason.tolist()]
    found["high_velocity"] = _labels(np.where(ok, space.v_gc, np.nan), v_esc, errors, singles, settings)
    wanted: tuple[Column, ...] = HIGH_VELOCITY_COLUMNS
    if singles is not None:
        found |= {"n_epochs": singles.n, "v_gc_max": singles.largest, "share_beyond": singles.share_beyond}
        wanted += EPOCH_COLUMNS
    arrays = [pa.array(found[one.name], type=one.arrow_type, from_pandas=True) for one in wanted]
    return pa.table(arrays, schema=pa.schema([one.to_field() for one in wanted]))


def _read(table: pa.Table, names: tuple[str, ...]) -> dict[str, Floats]:
    """Columns as native floats, NaN for null and infinite."""
    if missing := [name for name in names if name not in table.column_names]:
        raise CatalogError(
            f"high-velocity stars need the columns {', '.join(missing)}, which the table lacks"
        )
    columns = {}
    for name in names:
        if name == "source_id":
            continue
        try:
            values = table.column(name).combine_chunks().cast(pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise CatalogError(
                f"column {name} must hold numbers, not {table.schema.field(name).type}"
            ) from error
        array = np.array(values.to_numpy(zero_copy_only=False))
        array[~np.isfinite(array)] = np.nan
        columns[name] = array
    return columns


def _identifiers(table: pa.Table) -> NDArray[np.int64]:
    """Gaia's identifiers, 0 for none."""
    column = table.column("source_id")
    if not pa.types.is_integer(column.type):
        # As floating-point numbers they would not be exact.
        raise CatalogError(f"column source_id must hold integers, not {column.type}")
    filled = column.combine_chunks().cast(pa.int64()).fill_null(0)
    return np.maximum(filled.to_numpy(zero_copy_only=False), 0)


def _reasons(
    columns: dict[str, Floats], key: NDArray[np.int64], distances: Distances, space: PhaseSpace
) -> NDArray[np.int8]:
    """Reasons of all kinds, those of the distances among them."""
    masks: dict[Reason, Bools] = {one: distances.reason == one for one in Reason if one != Reason.OK}
    masks[Reason.NO_GAIA] = key == 0
    masks[Reason.NO_PROPER_MOTION] = np.isnan(columns["pmra"]) | np.isnan(columns["pmdec"])
    masks[Reason.NO_RV] = np.isnan(columns["rv"])
    masks[Reason.AT_CENTRE] = space.r_gc < AT_CENTRE
    return first_reason(len(key), masks)


def _errors(
    columns: dict[str, Floats],
    key: NDArray[np.int64],
    distance: Floats,
    distances: Distances,
    escape: EscapeSpeed,
    settings: HighVelocitySettings,
) -> SpeedErrors:
    """The Monte Carlo; columns that it would not use may be missing."""
    unknown = np.full(len(key), np.nan)
    values = {name: columns.get(name, unknown) for name in Astrometry._fields}
    values["parallax"] = distances.parallax
    known = values["rv_err"] > 0.0
    usual = settings.rv_err_unknown or np.nan
    values["rv_err"] = np.hypot(np.where(known, values["rv_err"], usual), settings.rv_err_floor)
    return speed_errors(
        Astrometry(**values), key, distance, escape, given=distances.given,
        high_fraction=settings.high_fraction, n_draws=settings.n_draws, seed=settings.seed,
    )  # fmt: skip


def _singles(
    columns: dict[str, Floats], epochs: Epochs | None, distance: Floats, v_esc: Floats
) -> EpochSpeeds | None:
    if epochs is None:
        return None
    sky = (columns["ra"], columns["dec"])
    return epoch_speeds(*sky, distance, columns["pmra"], columns["pmdec"], epochs, v_esc)


def _columns(
    distances: Distances, space: PhaseSpace, ok: Bools, v_esc: Floats, errors: SpeedErrors
) -> dict[str, Any]:
    return {
        "parallax_zero_point": distances.zero_point, "zero_point_outside": distances.outside,
        "distance": distances.distance, "x_gc": space.x, "y_gc": space.y, "z_gc": space.z,
        "r_cyl": space.r_cyl, "r_gc": space.r_gc, "v_x": space.v_x, "v_y": space.v_y, "v_z": space.v_z,
        "v_r_gsr": space.v_r_gsr, "v_gc": np.where(ok, space.v_gc, np.nan), "v_gc_err": errors.error,
        "v_gc_p16": errors.p16, "v_gc_p84": errors.p84, "v_esc": v_esc, "p_high": errors.p_high,
        "p_unbound": errors.p_unbound, "p_unknown": errors.p_unknown,
    }  # fmt: skip


class _Verdict(NamedTuple):
    high: Bools
    unbound: Bools


def _labels(
    speed: Floats,
    v_esc: Floats,
    errors: SpeedErrors,
    singles: EpochSpeeds | None,
    settings: HighVelocitySettings,
) -> NDArray[np.object_]:
    """Names of the labels, None where there is none."""
    if settings.rule == "speed":
        verdict = _Verdict(speed > settings.high_fraction * v_esc, speed > v_esc)
    else:
        verdict = _Verdict(errors.p_high >= settings.probability, errors.p_unbound >= settings.probability)
    unbound = verdict.unbound
    if singles is not None:
        unbound = unbound | (singles.variable & (singles.share_beyond > settings.unbound_epochs))
    labels = np.full(len(speed), None, dtype=object)
    labels[verdict.high] = BOUND
    labels[unbound] = UNBOUND
    return labels
