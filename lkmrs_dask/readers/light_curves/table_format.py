"""Settings of plain tables of a light curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lkmrs_dask.errors import UsageError
from lkmrs_dask.readers.light_curves.clocks import SCALES, ZEROS
from lkmrs_dask.readers.light_curves.curve import CATALOGUES, UNITS
from lkmrs_dask.readers.times import Site

__all__ = ["TableFormat"]


@dataclass(frozen=True)
class TableFormat:
    """What is what in a table: text with any delimiter, or a FITS binary table.

    Parameters
    ----------
    time, flux, error, quality : str or int, optional
        Columns by name (capitals do not matter) or number from 0.  Those not given are told by their names;
        without names they are the first, the second and the third, and there are no flags.
    band : str or int, optional
        Column of the band of each point: light in several bands is read together, for
        `lkmrs_dask.variability.sparse.best_period`.  Points without a band are left out.  For text tables.
    unit : str, optional
        Of flux, one of `UNITS`; told by the column's name if not given, and an error where that says nothing.
    zero : str or float, optional
        Julian date that times are counted from, or one of `ZEROS`, or ``relative`` for an arbitrary zero;
        told by names and by size if not given.
    scale : str, optional
        Time scale, one of `SCALES`.  If not given times are taken for TDB and the curve's `time_scale` says
        ``assumed``.
    site : Site, optional
        Times are those at this observatory, on the scale UTC or TAI, and are taken to the barycentre; needs
        ra, dec.
    where : tuple of (str, str), optional
        Only rows with these texts in these columns: ``(("band", "g"),)``.
    mission, target_id, name, segment, ra, dec, exptime, author
        As in `LightCurve`; told by the name of the file if not given, as far as it says.

    Raises
    ------
    UsageError
        When a value has the wrong type or makes no sense.
    """

    time: str | int | None = None
    flux: str | int | None = None
    error: str | int | None = None
    quality: str | int | None = None
    band: str | int | None = None
    unit: str | None = None
    zero: str | float | None = None
    scale: str | None = None
    site: Site | None = None
    where: tuple[tuple[str, str], ...] = ()
    mission: str | None = None
    target_id: int | None = None
    name: str | None = None
    segment: int | None = None
    ra: float = np.nan
    dec: float = np.nan
    exptime: float = np.nan
    author: str = "table"

    def __post_init__(self) -> None:
        """Check every value."""
        for key in ("time", "flux", "error", "quality", "band"):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, str | int | None):
                raise UsageError(f"{key} must be the name of a column or its number, not {value!r}")
        checks = {
            "unit": (self.unit in (None, *UNITS), f"one of {', '.join(UNITS)}"),
            "scale": (self.scale in (None, *SCALES), f"one of {', '.join(SCALES)}"),
            "zero": (_is_zero(self.zero), f"a Julian date, one of {', '.join(ZEROS)}, or relative"),
            "mission": (self.mission in (None, "", *CATALOGUES), f"one of {', '.join(CATALOGUES)}, or empty"),
            "where": (all(len(pair) == 2 for pair in self.where), "pairs of a column and a text"),
            "site": (self.site is None or self.scale in ("UTC", "TAI"), "given with scale UTC or TAI"),
        }
        for key, (good, wanted) in checks.items():
            if not good:
                raise UsageError(f"{key} must be {wanted}, not {getattr(self, key)!r}")

    @property
    def zero_value(self) -> float | None:
        """Julian date that times are counted from; None where it is to be told; NaN where it is arbitrary."""
        if isinstance(self.zero, str):
            return ZEROS.get(self.zero, np.nan)
        return None if self.zero is None else float(self.zero)


def _is_zero(value: object) -> bool:
    if value is None or value == "relative":
        return True
    if isinstance(value, str):
        return value in ZEROS
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
