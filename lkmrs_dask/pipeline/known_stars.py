"""Which stars with a class are known to the lists that a survey was matched with (Tables 4 to 6)."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.external_stage import EXTERNAL
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.map_stage import draft_catalog
from lkmrs_dask.pipeline.survey import MATCHES
from lkmrs_dask.stars.known import find_known, pairs_by_id, pairs_by_position
from lkmrs_dask.stars.known_lists import GAIA_VARIABLES, JINABASE, SIMBAD, VSX, KnownList

__all__ = ["KNOWN_KINDS", "KnownStars"]

KNOWN_KINDS: Mapping[str, KnownList] = {
    "simbad": SIMBAD, "jinabase": JINABASE, "vsx": VSX, "gaia_variables": GAIA_VARIABLES,
}  # fmt: skip
"""Kinds of catalogues that tell what is known; of others a job says what they tell (``[known.NAME]``)."""


class KnownStars:
    """Looks stars up in all lists.

    Parameters
    ----------
    stars : pyarrow.Table
        ``star_id``, and identifiers.
    job : Job
        Names the lists, and says what some of them tell.
    draft : Draft
        Where their matches are.
    """

    def __init__(self, stars: pa.Table, job: Job, draft: Draft) -> None:
        self._found: list[tuple[KnownList, pa.Table]] = []
        for one in job.external:
            known = job.known.get(one.name, KNOWN_KINDS.get(one.kind))
            if known is not None:
                pairs = [*_by_position(stars, one.name, known, draft), *_by_id(stars, one.name, known, draft)]
                if pairs:
                    self._found.append((known, pa.concat_tables(pairs, promote_options="permissive")))

    @property
    def names(self) -> list[str]:
        """Lists that were looked at."""
        return [one.name for one, _ in self._found]

    def of(self, classes: pa.Array) -> pa.Table:
        """Tell for each star with a class whether it is known as that; see `find_known`."""
        return find_known(classes, self._found)


def _by_position(stars: pa.Table, name: str, known: KnownList, draft: Draft) -> list[pa.Table]:
    catalog = draft_catalog(draft, f"{MATCHES}/{name}")
    if catalog is None:
        return []
    there = {
        column: next((one for one in (f"{column}_{name}", column) if one in catalog.columns), None)
        for column in known.columns
    }
    wanted = ["star_id", "separation_arcsec", *(of for of in there.values() if of is not None)]
    table = catalog[list(dict.fromkeys(wanted))].to_arrow()
    columns = {column: table.column(of) for column, of in there.items() if of is not None}
    star = pc.index_in(table.column("star_id"), value_set=stars.column("star_id").combine_chunks())
    rows = pa.table(
        {"star_row": star.cast(pa.int64()), "separation_arcsec": table.column("separation_arcsec")} | columns
    )
    return [pairs_by_position(rows.filter(pc.is_valid(rows.column("star_row"))))]


def _by_id(stars: pa.Table, name: str, known: KnownList, draft: Draft) -> list[pa.Table]:
    """Pairs with a list that has no positions, which is one file."""
    folder = draft.where(EXTERNAL)
    path = folder / f"{name}.parquet" if folder is not None else None
    if path is None or not path.is_file() or not known.ids:
        return []
    there = pq.read_schema(path).names
    ids = {ours: theirs for ours, theirs in known.ids.items() if theirs in there}
    columns = [column for column in (*ids.values(), *known.columns) if column in there]
    return [pairs_by_id(stars, pq.read_table(path, columns=list(dict.fromkeys(columns))), ids)] if ids else []
