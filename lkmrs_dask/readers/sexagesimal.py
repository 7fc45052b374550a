"""Sexagesimal coordinates as text: hours or degrees, minutes and seconds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.readers.cells import as_mask

__all__ = ["sexagesimal_to_degrees"]

_PARTS = (
    r"^(?P<sign>[+-]?)(?P<whole>[0-9]{1,3})(?: +| *[:hd_] *)"
    r"(?P<minutes>[0-9]{1,2}(?:\.[0-9]*)?)(?:(?: +| *[:m_] *)(?P<seconds>[0-9]{1,2}(?:\.[0-9]*)?)? *s?)?$"
)


def sexagesimal_to_degrees(text: pa.StringArray, *, hours: bool) -> pa.StringArray:
    """Rewrite sexagesimal coordinates as decimal degrees; all other text stays as it is.

    Parameters
    ----------
    text : pyarrow.StringArray
        ``12 34 56.7``, ``12:34:56.7``, ``12h34m56.7s``, ``-05d30m``, ``-5_30_12``, ``12 34.5``; stripped.
    hours : bool
        Whether the first part counts hours, of 15 degrees.

    Returns
    -------
    pyarrow.StringArray
        Numbers are written so that they give the same float64 again.  Minutes or seconds above 60 are no
        coordinate and stay.
    """
    parts = pc.extract_regex(text, pattern=_PARTS)
    found = as_mask(parts.is_valid())
    if not found.any():
        return text
    whole, minutes, seconds = (
        np.nan_to_num(_numbers(parts, name)) for name in ("whole", "minutes", "seconds")
    )
    found &= (minutes <= 60.0) & (seconds <= 60.0)
    degrees = (whole + minutes / 60.0 + seconds / 3600.0) * (15.0 if hours else 1.0)
    negative = as_mask(pc.equal(pc.struct_field(parts, "sign"), "-"))  # of -0 too
    written = pa.array(np.where(negative, -degrees, degrees)).cast(pa.string())
    return pc.if_else(pa.array(found), written, text)


def _numbers(parts: pa.StructArray, name: str) -> np.ndarray:
    """A part as float64, NaN where there is none."""
    text = pc.struct_field(parts, name)
    return pc.if_else(pc.equal(text, ""), None, text).cast(pa.float64()).to_numpy(zero_copy_only=False)
