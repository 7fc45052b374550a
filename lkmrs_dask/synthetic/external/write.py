"""Write the external catalogues of a synthetic survey, and the truth about them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lkmrs_dask.synthetic.external.apogee import apogee_ids, write_apogee
from lkmrs_dask.synthetic.external.gaia import PARALLAX_ZERO_POINT, write_gaia
from lkmrs_dask.synthetic.external.galah import galah_ids, write_galah
from lkmrs_dask.synthetic.external.kepler_inputs import write_epic, write_kic
from lkmrs_dask.synthetic.external.literature import (
    simbad_names,
    vsx_names,
    write_gaia_variables,
    write_simbad,
    write_vsx,
)
from lkmrs_dask.synthetic.external.relations import RELATIONS
from lkmrs_dask.synthetic.external.tic import write_tic
from lkmrs_dask.synthetic.external.world import World, make_world
from lkmrs_dask.synthetic.ledger import Ledger, make_ledger

__all__ = ["FILES", "Submits", "counterparts", "write_external"]

FILES: dict[str, Callable[[Path, World], None]] = {
    "kic.txt.gz": write_kic,
    "epic.txt.gz": write_epic,
    "tic.csv.gz": write_tic,
    "gaia.csv.gz": write_gaia,
    "apogee_allStar.fits.gz": write_apogee,
    "galah_allstar.fits.gz": write_galah,
    "simbad.csv": write_simbad,
    "vsx.csv": write_vsx,
    "gaia_variables.csv": write_gaia_variables,
}
"""What writes each file of ``external/``."""


class Submits(Protocol):
    """An executor of `concurrent.futures`, or a Dask client whose workers share this file system."""

    def submit(self, task: Callable[..., Any], /, *arguments: Any) -> Any:
        """Start a task; what is returned has ``result()``."""
        ...


def write_external(folder: Path, ledger: Ledger, executor: Submits | None = None) -> None:
    """Write all external catalogues of a survey.

    Parameters
    ----------
    folder : Path
        The survey's folder; gets ``external/`` with `FILES`, ``truth/comparisons.parquet`` (the injected
        relations) and ``truth/counterparts.parquet`` (identifiers by star, null for none).
    ledger : Ledger
        The survey, as `ledger.make_ledger` makes it.
    executor : Submits, optional
        Writes files side by side, with the same bytes.  Tasks are a name and two numbers: processes make the
        sources for themselves, once each.
    """
    place, truth = Path(folder) / "external", Path(folder) / "truth"
    for path in (place, truth):
        path.mkdir(parents=True, exist_ok=True)
    world = make_world(ledger)
    if executor is None:
        for name, write in FILES.items():
            write(place / name, world)
    else:
        size, seed = ledger.fraction, ledger.draws.seed
        for future in [executor.submit(_write_file, place, name, size, seed) for name in FILES]:
            future.result()
    pq.write_table(counterparts(world), truth / "counterparts.parquet")
    pq.write_table(_comparisons(), truth / "comparisons.parquet")


@lru_cache(maxsize=1)
def _world_of(fraction: float, seed: int) -> World:
    return make_world(make_ledger(fraction, seed))


def _write_file(place: Path, name: str, fraction: float, seed: int) -> None:
    FILES[name](place / name, _world_of(fraction, seed))


def counterparts(world: World) -> pa.Table:
    """Identifiers of the survey's stars in each catalogue.

    Returns
    -------
    pyarrow.Table
        One row per star: ``uid``, ``kic_epic``, ``kic_epic_displaced`` (2 to 3.6 arcsec away there), ``tic``,
        ``gaia_source_id``, ``apogee_id``, ``galah_sobject_id``, ``simbad_main_id``, ``vsx_name``,
        ``gaia_variable``.
    """
    stars, members = world.stars, world.members
    n_stars = len(stars)
    every = np.arange(n_stars)
    own = world.sources.take(every)
    return pa.table(
        {
            "uid": pa.array(stars.uid_of(every), pa.string()),
            "kic_epic": _known(world.kic_epic[:n_stars]),
            "kic_epic_displaced": world.displaced[:n_stars] > 0,
            "tic": _known(world.tic[:n_stars]),
            "gaia_source_id": _known(own.gaia_source_id),
            "apogee_id": _named(np.array(apogee_ids(own).to_pylist()), members.apogee),
            "galah_sobject_id": _known(galah_ids(world)[:n_stars]),
            "simbad_main_id": _named(simbad_names(world)[:n_stars], members.simbad),
            "vsx_name": _named(vsx_names(world)[:n_stars], members.vsx),
            "gaia_variable": members.gaia_variable,
        }
    )


def _known(ids: NDArray[np.int64]) -> pa.Array:
    return pa.array(ids, mask=ids == 0)


def _named(names: NDArray, known: NDArray[np.bool_]) -> pa.Array:
    return pa.array(names.tolist(), pa.string(), mask=~known)


def _comparisons() -> pa.Table:
    """Injected relations: LK-MRS = slope * other + intercept, and Gaia's parallaxes against the true ones."""
    rows = [relation._asdict() for relation in RELATIONS]
    # A measured parallax is the true one plus the zero point.
    zero = {"survey": "gaia", "parameter": "parallax", "slope": 1.0, "unit": "mas"}
    return pa.Table.from_pylist([*rows, zero | {"intercept": -PARALLAX_ZERO_POINT}])
