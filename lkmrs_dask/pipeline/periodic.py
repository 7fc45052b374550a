"""Periodic variables (section 4.3): a row a star with its class, and whether it is known as a variable."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.pipeline.beside import rows_of_stars
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.known_stars import KnownStars
from lkmrs_dask.pipeline.light_stages import FREQUENCIES
from lkmrs_dask.pipeline.map_stage import draft_catalog
from lkmrs_dask.pipeline.variable_stage import VARIABLES
from lkmrs_dask.stars.labels import VARIABLE_CLASSES
from lkmrs_dask.variability.periods import period_of

__all__ = ["Periodic", "find_periodic"]

_KNOWN = ("discovery", "known_list", "known_name", "known_type", "known_reference")
_OF_STAR = ("uid", "gaia_source_id", "kic_epic", "tic")
_OF_CURVE = (
    "star_id", "ra", "dec", "mission", "variable_class", "confidence", "agree", "rule_class", "rule_score",
    "model_class", "model_probability", "period", "f_main", "f_base", "nu_hump", "amp_main", "snr_main",
    "n_peaks", "from_dips", "teff", "logg", "m_g", "rv_amplitude",
)  # fmt: skip
_MAGNITUDE = 2.5 / np.log(10.0) * 1e-3  # mag of a relative amplitude of a ppt
_MISSIONS = {"kepler": ("Kepler", "K2"), "tess": ("TESS",)}


@dataclass(frozen=True)
class Periodic:
    """What the light curves say.

    Parameters
    ----------
    table : pyarrow.Table
        A row a star with a significant frequency or eclipses: what its best light curve says, its
        identifiers, whether it is known, ``class_from``: ``frequencies`` or ``dips``, and ``kepler`` and
        ``tess``: whose light curves show it.
    counts : dict
        ``n_periodic`` and ``n_periodic_known`` of the survey's stars, and ``n_periodic_not_in_survey``.
    classes : dict
        Stars of the survey by class.
    failed : dict
        Light curves that could not be used, by reason.
    searched : dict
        Stars by mission whose light curves were searched.
    """

    table: pa.Table
    counts: dict[str, int]
    classes: dict[str, int]
    failed: dict[str, int] = field(default_factory=dict)
    searched: dict[str, int] = field(default_factory=dict)


def find_periodic(stars: pa.Table, known: KnownStars, draft: Draft) -> Periodic | None:
    """Collect periodic variables; None where no light curve was searched.

    Parameters
    ----------
    stars : pyarrow.Table
        The star catalogue: ``star_id`` and identifiers.
    known : KnownStars
        The lists that tell which are known, for these stars.
    draft : Draft
        Of the run.
    """
    catalog = draft_catalog(draft, VARIABLES)
    if catalog is None:
        return None
    rows = catalog[[*_OF_CURVE, "best", "problem"]].to_arrow()
    searched = draft_catalog(draft, FREQUENCIES)
    missions = Counter(searched[["mission"]].to_arrow().column("mission").to_pylist()) if searched else {}
    best = rows.filter(rows.column("best")).select(list(_OF_CURVE))
    star = best.column("star_id")
    for name in _OF_STAR:
        best = best.append_column(name, rows_of_stars(star, stars).column(name))
    # A light curve of no star of the survey is known by the name of its file.
    uid = pc.coalesce(best.column("uid"), star)
    best = best.set_column(best.column_names.index("uid"), "uid", uid)
    best = _with_origin(_with_periods(best))
    for name, column in _knowledge(best, stars, known).items():
        best = best.append_column(name, column)
    shown = rows.filter(pc.is_valid(rows.column("variable_class")))
    for name, some in _MISSIONS.items():
        of_mission = shown.filter(pc.is_in(shown.column("mission"), value_set=pa.array(some)))
        seen = pc.is_in(star, value_set=of_mission.column("star_id").combine_chunks())
        best = best.append_column(name, seen)
    amplitude = pc.multiply(best.column("amp_main"), _MAGNITUDE)
    best = best.append_column("amplitude_mag", amplitude).sort_by([("ra", "ascending"), ("dec", "ascending")])
    # Curves of no star of the survey are told, but not counted.
    ours = best.filter(pc.is_in(best.column("star_id"), value_set=stars.column("star_id").combine_chunks()))
    counted = Counter(ours.column("variable_class").to_pylist())
    n_known = pc.sum(pc.equal(ours.column("discovery"), "Known")).as_py() or 0
    problems = Counter(rows.column("problem").drop_null().to_pylist())
    return Periodic(
        best,
        {
            "n_periodic": len(ours),
            "n_periodic_known": n_known,
            "n_periodic_not_in_survey": len(best) - len(ours),
        },
        {name: counted.get(name, 0) for name in VARIABLE_CLASSES},
        dict(sorted(problems.items())),
        {name or "others": n for name, n in sorted(missions.items())},
    )


def _with_periods(best: pa.Table) -> pa.Table:
    """The period that the class has, and nu_max of red giants."""
    rows = best.select(["variable_class", "period", "f_main", "f_base"]).to_pylist()
    periods = [period_of(row["variable_class"], row) for row in rows]
    is_giant = pc.equal(best.column("variable_class"), "RG")
    nu_max = pc.if_else(is_giant, best.column("nu_hump"), pa.scalar(None, pa.float64()))
    column = pa.array(periods, pa.float64(), from_pandas=True)
    best = best.set_column(best.column_names.index("period"), "period", column)
    return best.append_column("nu_max", nu_max)


def _with_origin(best: pa.Table) -> pa.Table:
    """What the class rests on."""
    by_rules = pc.equal(best.column("variable_class"), best.column("rule_class"))
    # Without frequencies the model has no say, whatever the verdict makes of the dips' class.
    alone = pc.or_kleene(by_rules, pc.equal(best.column("n_peaks"), 0))
    dips = pc.fill_null(pc.and_kleene(best.column("from_dips"), alone), False)
    return best.append_column("class_from", pc.if_else(dips, "dips", "frequencies"))


def _knowledge(best: pa.Table, stars: pa.Table, known: KnownStars) -> dict[str, pa.ChunkedArray]:
    """What the lists know of the periodic variables."""
    of_star = rows_of_stars(stars.column("star_id"), best).column("variable_class")
    found = known.of(of_star.combine_chunks()).append_column("star_id", stars.column("star_id"))
    rows = rows_of_stars(best.column("star_id"), found)
    return {name: rows.column(name) for name in _KNOWN}
