"""Plates of a survey on the sky: which tell the field of a star."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lkmrs_dask.pipeline.settings import Settings
from lkmrs_dask.sky.index import pixel_centre, pixel_radius_deg, separation_arcsec
from lkmrs_dask.sky.plates import field_by_footprint, mission_of_plates, plate_centres

__all__ = ["Footprints"]

_MARGIN = 1e-6  # deg; rounding must not leave out a plate


@dataclass(frozen=True)
class Footprints:
    """Plates of a survey on the sky.

    Parameters
    ----------
    ra, dec : tuple of float
        Centres, deg.
    missions : tuple of str or None
        Kepler or K2.
    radius_deg : float
        Radius of each.
    """

    ra: tuple[float, ...]
    dec: tuple[float, ...]
    missions: tuple[str | None, ...]
    radius_deg: float

    def as_json(self) -> list[Any]:
        """All of it, for a fingerprint."""
        return [self.ra, self.dec, self.missions, self.radius_deg]

    @classmethod
    def of_plans(cls, plans: Sequence[str], settings: Settings) -> Footprints:
        """Footprints of plans; those whose centre is unknown cover nothing."""
        ra, dec = plate_centres(list(plans))
        missions = mission_of_plates(ra, dec)
        return cls(tuple(ra.tolist()), tuple(dec.tolist()), tuple(missions), settings.plate_radius_deg)

    def near(self, order: int, pixel: int) -> Footprints:
        """Those that may cover a part of a pixel: the fields of its stars depend on no others."""
        away = separation_arcsec(self.ra, self.dec, *pixel_centre(order, [pixel])) / 3600.0
        here = np.flatnonzero(away <= self.radius_deg + pixel_radius_deg(order) + _MARGIN).tolist()
        return Footprints(
            tuple(self.ra[k] for k in here),
            tuple(self.dec[k] for k in here),
            tuple(self.missions[k] for k in here),
            self.radius_deg,
        )

    def field(self, table: pa.Table) -> pa.StringArray:
        """Kepler or K2 for each row by its ``ra`` and ``dec``."""
        ra, dec = (table.column(name).to_numpy() for name in ("ra", "dec"))
        return field_by_footprint(ra, dec, self.ra, self.dec, self.missions, self.radius_deg)
