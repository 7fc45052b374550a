"""Which stars with a class are known to the lists that a survey was matched with (Tables 4 to 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.external_places import table_path
from lkmrs_dask.pipeline.external_stage import EXTERNAL
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.map_stage import draft_catalog
from lkmrs_dask.pipeline.matches import name_in_match
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
                if known.name in self.names:
                    known = replace(known, name=one.name)
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
    there = {column: name_in_match(column, name, catalog.columns) for column in known.columns}
    wanted = ["star_id", "separation_arcsec", *(of for of in there.values() if of is not None)]
    table = catalog[list(dict.fromkeys(wanted))].to_arrow()
    columns = {column: table.column(of) for column, of in there.items() if of is not None}
    star = pc.index_in(table.column("star_id"), value_set=stars.column("star_id").combine_chunks())
    rows = pa.table(
        {"star_row": star.cast(pa.int64()), "separation_arcsec": table.column("separation_arcsec")} | columns
    )
    return [pairs_by_position(rows.filter(pc.is_valid(rows.column("star_row"))))]


def _by_id(stars: pa.Table, name: str, known: KnownList, draft: Draft) -> list[pa.Table]:
    """Pairs by the identifiers that a list shares with the stars; one without positions is one file."""
    folder = draft.where(EXTERNAL)
    if folder is None or not known.ids:
        return []
    path, catalog = table_path(folder / name), folder / name
    if path.is_file():
        there = pq.read_schema(path).names
    elif catalog.is_dir():
        there = open_catalog(catalog).columns
    else:
        return []
    ids = {ours: theirs for ours, theirs in known.ids.items() if theirs in there}
    columns = list(dict.fromkeys(column for column in (*ids.values(), *known.columns) if column in there))
    if not ids:
        return []
    rows = (
        pq.read_table(path, columns=columns) if path.is_file() else open_catalog(catalog)[columns].to_arrow()
    )
    return [pairs_by_id(stars, rows, ids)]
