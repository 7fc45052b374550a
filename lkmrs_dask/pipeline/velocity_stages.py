"""Stages ``rv_variability``, ``kinematics`` and ``orbits``: what velocities say of each star (section 4)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.beside import Beside, rows_of_stars
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.external_stage import External
from lkmrs_dask.pipeline.map_stage import MapWork, always, draft_catalog, map_catalog
from lkmrs_dask.pipeline.matches import name_in_match
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.pipeline.survey import MATCHES
from lkmrs_dask.schema import HEALPIX_COLUMN, MEASUREMENTS, STARS
from lkmrs_dask.stars.kinematics import HighVelocitySettings, high_velocity
from lkmrs_dask.stars.kinematics.epochs import Epochs
from lkmrs_dask.stars.kinematics.high_velocity import EPOCH_COLUMNS, HIGH_VELOCITY_COLUMNS, input_columns
from lkmrs_dask.stars.limits import within_limits
from lkmrs_dask.stars.orbits import OrbitSettings, orbit_schema, orbits_of
from lkmrs_dask.stars.rv_settings import RvVariableSettings
from lkmrs_dask.stars.rv_variability import RV_VARIABILITY, rv_variability, rv_variability_columns

__all__ = [
    "KINEMATICS",
    "ORBITS",
    "RV",
    "VARIABLE",
    "write_kinematics",
    "write_orbits",
    "write_rv_variability",
]

RV, KINEMATICS, ORBITS = "rv_variability", "kinematics", "orbits"

_STAR_ID = STARS["star_id"].to_field()
VARIABLE = pa.schema([_STAR_ID, RV_VARIABILITY["rv_variable"].to_field()])
"""Which stars are RV variables: columns of the catalogue `RV`."""

_MEAN_ERRORS = pa.schema([*VARIABLE, RV_VARIABILITY["rv_mean_error"].to_field()])
_VELOCITIES = pa.schema([_STAR_ID, MEASUREMENTS["rv"].to_field(), MEASUREMENTS["snr"].to_field()])
_OF_STAR = (HEALPIX_COLUMN, "star_id", "ra", "dec", "uid", "times", "rv", "rv_err", "n_rv", "feh", "kic_epic")
_KINEMATICS = pa.schema(
    [
        *(STARS[name].to_field() for name in _OF_STAR),
        STARS["gaia_source_id"].to_field().with_name("source_id"),
        *(column.to_field() for column in (*HIGH_VELOCITY_COLUMNS, *EPOCH_COLUMNS)),
    ]
)
_OURS = ("rv", "rv_err")
_POSITION = (HEALPIX_COLUMN, "ra", "dec", "uid")
_ORBITS = pa.schema(
    [
        STARS[HEALPIX_COLUMN].to_field(),
        *orbit_schema(_STAR_ID.type),
        *(STARS[name].to_field() for name in _POSITION[1:]),
    ]
)


def write_rv_variability(
    settings: RvVariableSettings, draft: Draft, crew: Crew, report: Reporter
) -> list[Failure]:
    """Write how the radial velocity of each star scatters, and whether it varies (section 4.3)."""
    measurements = draft_catalog(draft, "measurements")
    assert measurements is not None
    rows = measurements[list(rv_variability_columns(measurements.columns))]
    work = MapWork(
        RV, "measurements", rows, partial(_variability, settings), RV_VARIABILITY.arrow(),
        depends=partial(always, repr(settings)),
    )  # fmt: skip
    return map_catalog(work, draft, crew, report)


def _variability(settings: RvVariableSettings, measurements: pa.Table, given: None) -> pa.Table:
    return rv_variability(measurements, settings)


def write_kinematics(
    externals: Iterable[External],
    settings: HighVelocitySettings,
    draft: Draft,
    crew: Crew,
    report: Reporter,
) -> tuple[bool, list[Failure]]:
    """Write the speeds of the stars that Gaia has (section 4.2); also tells whether it could be done."""
    for one in externals:
        matched = draft_catalog(draft, f"{MATCHES}/{one.name}") if one.kind == "gaia" else None
        if matched is None:
            continue
        rows = _gaia_columns(matched, one.name, settings, report)
        if rows is None:
            continue
        work = MapWork(
            KINEMATICS,
            f"{MATCHES}/{one.name}",
            rows,
            partial(_speeds, settings, one.name),
            _KINEMATICS,
            depends=partial(always, repr(settings)),
            beside=(Beside(RV, _MEAN_ERRORS), Beside("measurements", _VELOCITIES)),
        )
        return True, map_catalog(work, draft, crew, report)
    return False, []


def _named(matched_columns: list[str], name: str, survey: str) -> str | None:
    """Name of a column in a match: the stars' own velocity, and all else of the survey."""
    if name in _OURS:
        return name if name in matched_columns else None
    return name_in_match(name, survey, matched_columns)


def _gaia_columns(
    matched: Catalog, survey: str, settings: HighVelocitySettings, report: Reporter
) -> Catalog | None:
    """Those columns of a match that speeds need; None where it lacks some, as a short list of Gaia's does."""
    names = {name: _named(matched.columns, name, survey) for name in input_columns(settings)}
    missing = [name for name, there in names.items() if there is None]
    known = [name for name in names.values() if name is not None]
    asked = sorted(
        {value for name, value in vars(settings).items() if name.startswith("distance")} & set(missing)
    )
    if asked:
        raise UsageError(f"[high_velocity] names {', '.join(asked)}, which {survey} does not have")
    if missing:
        report.say(f"no speeds by {survey}: it lacks {', '.join(missing)}")
        return None
    return matched[list(dict.fromkeys([*_OF_STAR, *known]))]


def _speeds(
    settings: HighVelocitySettings,
    survey: str,
    matched: pa.Table,
    given: None,
    variability: pa.Table,
    measurements: pa.Table,
) -> pa.Table:
    """Speeds of the stars of a partition.

    The error of a mean velocity is that of its measurements, or of their scatter, whichever is the larger.
    """
    theirs = rows_of_stars(matched.column("star_id"), variability)
    star, rv, snr = _velocities(matched, measurements)
    with np.errstate(invalid="ignore", divide="ignore"):
        scatter = matched.column("rv_err").to_numpy() / np.sqrt(_effective(star, snr, len(matched)))
    error = np.fmax(scatter, theirs.column("rv_mean_error").to_numpy())
    columns = {
        name: matched.column(_named(matched.column_names, name, survey)) for name in input_columns(settings)
    }
    if "rv_err" in columns:
        columns["rv_err"] = pa.array(error, from_pandas=True)
    variable = theirs.column("rv_variable").fill_null(False).to_numpy()
    found = high_velocity(pa.table(columns), settings, epochs=_epochs(star, rv, variable))
    every = {name: matched.column(name) for name in _OF_STAR} | {"source_id": columns["source_id"]}
    every |= {name: found.column(name) for name in found.column_names}
    return pa.table(every)


def _velocities(
    matched: pa.Table, measurements: pa.Table
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Row of the star, velocity and S/N of each measurement of some stars that a velocity can be of."""
    ids = matched.column("star_id").combine_chunks()
    star = pc.index_in(measurements.column("star_id"), value_set=ids)
    rv, snr = (measurements.column(name).cast(pa.float64()).to_numpy() for name in ("rv", "snr"))
    known = pc.is_valid(star).to_numpy() & within_limits(rv, "rv")
    return star.fill_null(0).to_numpy()[known].astype(np.int64), rv[known], snr[known]


def _effective(star: NDArray[np.int64], snr: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Number of measurements that a mean weighted with S/N squared is worth."""
    weight = np.where(snr > 0, snr, 0.0) ** 2
    first, second = (np.bincount(star, weight**power, n) for power in (1, 2))
    return first**2 / second


def _epochs(star: NDArray[np.int64], rv: NDArray[np.float64], variable: NDArray[np.bool_]) -> Epochs:
    """Velocities by star; each star has one without a velocity too."""
    n = len(variable)
    star, rv = np.concatenate([np.arange(n), star]), np.concatenate([np.full(n, np.nan), rv])
    order = np.argsort(star, kind="stable")
    return Epochs(rv[order], np.searchsorted(star[order], np.arange(n)), variable)


def write_orbits(
    settings: OrbitSettings, draft: Draft, crew: Crew, report: Reporter
) -> tuple[bool, list[Failure]]:
    """Write the orbits that the velocities of RV variables allow; also tells whether there are velocities."""
    measurements = draft_catalog(draft, "measurements")
    if measurements is None or not {"rv", "rv_err", "mjd"} <= set(measurements.columns):
        return False, []
    wanted = ("star_id", "mjd", "bjd_tdb", "rv", "rv_err", *_POSITION)
    rows = measurements[[name for name in wanted if name in measurements.columns]]
    work = MapWork(
        ORBITS, "measurements", rows, partial(_orbits, settings), _ORBITS,
        depends=partial(always, repr(settings)), beside=(Beside(RV, VARIABLE),),
    )  # fmt: skip
    return True, map_catalog(work, draft, crew, report)


def _orbits(settings: OrbitSettings, measurements: pa.Table, given: None, variability: pa.Table) -> pa.Table:
    variable = variability.filter(variability.column("rv_variable")).column("star_id").combine_chunks()
    rows = measurements.filter(pc.is_in(measurements.column("star_id"), value_set=variable))
    rows = rows.filter(pc.is_valid(rows.column("rv")))
    found = orbits_of(rows.drop_columns([name for name in _POSITION if name in rows.column_names]), settings)
    places = rows_of_stars(found.column("star_id"), rows)  # of a star's rows the first
    for name in _POSITION:
        column = (
            places.column(name)
            if name in places.column_names
            else pa.nulls(len(places), STARS[name].arrow_type)
        )
        found = found.append_column(name, column)
    return found.take(
        pc.sort_indices(
            found, [(HEALPIX_COLUMN, "ascending"), ("star_id", "ascending"), ("rank", "ascending")]
        )
    )
