"""Names of stars in the input catalogues of Kepler, K2 and TESS: the nearest source within a radius."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.matching.rows import counterparts
from lkmrs_dask.pipeline.external_stage import External
from lkmrs_dask.pipeline.map_stage import Pixel
from lkmrs_dask.pipeline.settings import Settings

__all__ = ["IDENTIFYING", "Identifiers"]

IDENTIFYING = {"kic": "kic_epic", "epic": "kic_epic", "k2_targets": "kic_epic", "tic": "tic"}
"""Kinds of catalogues, and the column of the stars that their identifiers go to."""


@dataclass(frozen=True)
class Identifiers:
    """Where identifiers come from.

    Parameters
    ----------
    catalogs : tuple of (str, Catalog, str)
        Column of the stars, catalogue, its column of identifiers.
    radius_arcsec : float
        How far a source may be from its star.
    made_of : list
        All that the identifiers depend on, for JSON.
    """

    catalogs: tuple[tuple[str, Catalog, str], ...]
    radius_arcsec: float
    made_of: tuple[object, ...]

    @classmethod
    def from_catalogs(cls, externals: Iterable[External], settings: Settings) -> Identifiers:
        """Choose the catalogues that have identifiers."""
        some = [one for one in externals if one.kind in IDENTIFYING]
        catalogs = tuple((IDENTIFYING[one.kind], one.catalog(), one.id_column) for one in some)
        made_of = (settings.match_radius_arcsec, *((one.kind, one.made_of) for one in some))
        return cls(catalogs, settings.match_radius_arcsec, made_of)

    def of(self, stars: pa.Table, part: Pixel) -> dict[str, pa.Array]:
        """Identifiers of a partition's stars, null for none, and the distance (arcsec) of KIC or EPIC."""
        found = {name: pa.nulls(len(stars), pa.int64()) for name in ("kic_epic", "tic")}
        away = {name: pa.nulls(len(stars), pa.float64()) for name in found}
        for name, catalog, id_column in self.catalogs:
            near = counterparts(stars, part, catalog, [id_column], self.radius_arcsec)
            distance = near.column("separation_arcsec").combine_chunks()
            # KIC and EPIC together: the nearest of both.
            closer = pc.fill_null(pc.less(distance, pc.fill_null(away[name], float("inf"))), False)
            identifier = near.column(id_column).combine_chunks().cast(pa.int64())
            found[name] = pc.if_else(closer, identifier, found[name])
            away[name] = pc.if_else(closer, distance, away[name])
        return {**found, "kic_epic_separation": away["kic_epic"]}
