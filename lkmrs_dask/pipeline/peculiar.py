"""Peculiar stars (section 4): rows of Tables 4 to 6, and what Figs. 7 and 8 show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.pipeline.beside import rows_of_stars
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.known_stars import KnownStars
from lkmrs_dask.pipeline.map_stage import draft_catalog
from lkmrs_dask.pipeline.periodic import Periodic, find_periodic
from lkmrs_dask.pipeline.velocity_stages import KINEMATICS, RV
from lkmrs_dask.schema import MEASUREMENTS
from lkmrs_dask.stars.kinematics.high_velocity import BOUND, UNBOUND
from lkmrs_dask.stars.labels import VARIABLE_CLASSES, has_label
from lkmrs_dask.stars.limits import within_limits
from lkmrs_dask.stars.rv_variability import LABEL as RVV

__all__ = ["Peculiar", "find_peculiar"]

_STAR_COLUMNS = (
    "star_id", "times", "uid", "gaia_source_id", "kic_epic", "tic", "ra", "dec", "feh", "feh_err", "n_rv",
    "label",
)  # fmt: skip
_EPOCH_COLUMNS = ("star_id", "uid", "gaia_source_id", "ra", "dec", "mjd", "snr", "rv", "rv_err")
_EPOCHS = MEASUREMENTS.arrow(_EPOCH_COLUMNS)
_CLASS = {BOUND: "bound", UNBOUND: "unbound"}


@dataclass(frozen=True)
class Peculiar:
    """What section 4 finds.

    Parameters
    ----------
    stars : pyarrow.Table or None
        The star catalogue, as far as it is needed; None where there are no stars.
    kinematics, variability : pyarrow.Table or None
        Catalogues of this name.
    table4, table5, table6 : pyarrow.Table or None
        Rows of the paper's tables.
    counts : dict
        Of section 4, by the names that they have in ``summary.json``.
    lists : list of str
        Where known stars were looked for.
    periodic : Periodic or None
        Variables by their light curves; None where there are none.
    """

    stars: pa.Table | None = None
    kinematics: pa.Table | None = None
    variability: pa.Table | None = None
    table4: pa.Table | None = None
    table5: pa.Table | None = None
    table6: pa.Table | None = None
    counts: dict[str, int] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)
    periodic: Periodic | None = None

    def epochs_of(self, star_id: str) -> tuple[float, np.ndarray, float]:
        """Distance from the centre (kpc), and speeds (km/s) of its epochs and of the mean, of a fast star."""
        assert self.kinematics is not None
        assert self.table6 is not None
        star = self.kinematics.filter(pc.equal(self.kinematics.column("star_id"), star_id)).to_pylist()[0]
        rows = self.table6.filter(pc.equal(self.table6.column("star_id"), star_id))
        # Only the part along the line of sight differs from that of the mean.
        along = rows.column("rv").to_numpy() - star["rv"]
        speeds = np.sqrt(np.maximum(star["v_gc"] ** 2 + 2.0 * star["v_r_gsr"] * along + along**2, 0.0))
        return star["r_gc"], speeds, star["v_gc"]


def find_peculiar(job: Job, draft: Draft) -> Peculiar:
    """Collect peculiar stars, and look up which of them are known."""
    catalog = draft_catalog(draft, "stars")
    if catalog is None:
        return Peculiar()
    stars = catalog[list(_STAR_COLUMNS)].to_arrow()
    known = KnownStars(stars, job, draft)
    kinematics, variability = (_table(draft, name) for name in (KINEMATICS, RV))
    label = stars.column("label").combine_chunks()
    flags = {name: has_label(label, name) for name in ("MP", "VMP", BOUND, UNBOUND, RVV)}
    metal = known.of(_classes(flags, ("MP", "VMP")))
    fast = known.of(_classes(flags, (BOUND, UNBOUND)))
    varying = known.of(_classes(flags, (RVV,)))
    table4 = _metal_poor(stars, flags, metal)
    table5 = _fast(stars, flags, fast, kinematics) if kinematics is not None else None
    table6 = _varying(stars, flags, varying, draft)
    counts = {
        "n_mp": int(flags["MP"].sum()),
        "n_vmp": int(flags["VMP"].sum()),
        "n_bound_hivels": int(flags[BOUND].sum()),
        "n_unbound_hivels": int(flags[UNBOUND].sum()),
        "n_rv_stars": int(pc.sum(pc.greater(stars.column("n_rv"), 0)).as_py() or 0),
        "n_rvv": int(flags[RVV].sum()),
    }
    for name, found in (("mp", flags["MP"]), ("vmp", flags["VMP"])):
        counts[f"n_{name}_known"] = _n_known(metal, found)
    counts["n_bound_hivels_known"] = _n_known(fast, flags[BOUND])
    counts["n_unbound_hivels_known"] = _n_known(fast, flags[UNBOUND])
    counts["n_rvv_known"] = _n_known(varying, flags[RVV])
    periodic = find_periodic(stars, known, draft)
    counts |= periodic.counts if periodic is not None else {}
    return Peculiar(stars, kinematics, variability, table4, table5, table6, counts, known.names, periodic)


def _table(draft: Draft, name: str) -> pa.Table | None:
    catalog = draft_catalog(draft, name)
    return catalog.to_arrow() if catalog is not None else None


def _classes(flags: dict[str, np.ndarray], names: tuple[str, ...]) -> pa.Array:
    """One class of some for each star, null without."""
    classes = np.select([flags[name] for name in names], names, "")
    return pa.array(classes.tolist(), pa.string(), mask=classes == "")


def _n_known(known: pa.Table, some: np.ndarray) -> int:
    return int((known.column("known").fill_null(False).to_numpy() & some).sum())


def _rows(stars: pa.Table, some: np.ndarray, known: pa.Table) -> pa.Table:
    """Some stars with what is known of them."""
    told = known.select(["discovery", "known_list", "known_name", "known_reference", "known_value"])
    table = stars
    for name in told.column_names:
        table = table.append_column(name, told.column(name))
    return table.filter(pa.array(some)).sort_by([("ra", "ascending"), ("dec", "ascending")])


def _replaced(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _metal_poor(stars: pa.Table, flags: dict[str, np.ndarray], known: pa.Table) -> pa.Table:
    some = flags["MP"] | flags["VMP"]
    rows = _rows(_replaced(stars, "label", _classes(flags, ("MP", "VMP"))), some, known)
    reference = pc.coalesce(rows.column("known_reference"), rows.column("known_list"))
    return rows.append_column("reference", reference)


def _fast(stars: pa.Table, flags: dict[str, np.ndarray], known: pa.Table, kinematics: pa.Table) -> pa.Table:
    classes = _classes(flags, (BOUND, UNBOUND))
    words = pa.array([_CLASS.get(one) for one in classes.to_pylist()], pa.string())
    rows = _rows(_replaced(stars, "label", words), flags[BOUND] | flags[UNBOUND], known)
    theirs = rows_of_stars(rows.column("star_id"), kinematics)
    for name in ("rv", "rv_err", "v_gc", "v_gc_err", "v_esc", "p_high", "p_unbound", "r_gc"):
        rows = rows.append_column(name, theirs.column(name))
    return rows


def _varying(stars: pa.Table, flags: dict[str, np.ndarray], known: pa.Table, draft: Draft) -> pa.Table | None:
    measurements = draft_catalog(draft, "measurements")
    if measurements is None:
        return None
    some = _rows(_replaced(stars, "label", _variable_class(stars)), flags[RVV], known)
    some = some.select(["star_id", "kic_epic", "tic", "label", "discovery"])
    rows = _EPOCHS.empty_table()
    if len(some):
        there = [name for name in _EPOCH_COLUMNS if name in measurements.columns]
        table = measurements.id_search(some.column("star_id").to_pylist())[there].to_arrow()
        rows = pa.concat_tables([rows, table], promote_options="permissive").cast(_EPOCHS)
        rows = rows.filter(pa.array(within_limits(rows.column("rv").to_numpy(), "rv")))
    of_star = rows_of_stars(rows.column("star_id"), some)
    for name in ("kic_epic", "tic", "label", "discovery"):
        rows = rows.append_column(name, of_star.column(name))
    return rows.sort_by([("ra", "ascending"), ("star_id", "ascending"), ("mjd", "ascending")])


def _variable_class(stars: pa.Table) -> pa.Array:
    """Class of each star by its light, as its label has it; null without."""
    label = stars.column("label").combine_chunks()
    return _classes({name: has_label(label, name) for name in VARIABLE_CLASSES}, VARIABLE_CLASSES)
