"""Headers of LAMOST's medium-resolution spectra: from cards to the catalogue's values and times."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, isnan, nan
from typing import Any

import numpy as np

from lkmrs_dask.readers.cells import (
    MISSING_COORDINATE,
    MISSING_VALUE,
    NOT_A_NUMBER,
    NOT_BOOLEAN,
    NOT_WHOLE,
    OUT_OF_RANGE,
)
from lkmrs_dask.readers.fits_bytes import Header
from lkmrs_dask.readers.times import FIRST_MJD, LAST_MJD, exposure_midpoint, local_time_mjd, night_date
from lkmrs_dask.schema import SPECTRA, Column

__all__ = [
    "TIME_TOLERANCE",
    "Arm",
    "Exposure",
    "SpectrumError",
    "arm_of",
    "coadd_times",
    "convert",
    "exposure",
    "primary_values",
]

TIME_TOLERANCE = 120.0
"""Seconds by which an exposure's dates may differ from its LMJM and EXPTIME (up to 61 s on real files)."""

# Column of the catalogue: keyword of the primary header.
_PRIMARY = {
    "designation": "DESIG", "obsid": "OBSID", "ra_input": "RA", "dec_input": "DEC", "ra_obs": "RA_OBS",
    "dec_obs": "DEC_OBS", "lmjd": "LMJD", "planid": "PLANID", "spid": "SPID", "fiberid": "FIBERID",
    "fibertype": "FIBERTYP", "tsource": "TSOURCE", "tfrom": "TFROM", "tcomment": "TCOMMENT",
    "offsets": "OFFSET", "offsets_v": "OFFSET_V", "fibermask": "FIBERMAS", "helio": "HELIO",
}  # fmt: skip
_GAIA = {"gaia_g_mean_mag": "MAG1", "gaia_bp_mean_mag": "MAG2", "gaia_rp_mean_mag": "MAG3"}
_GAIA_MAGTYPE = "gbprp"  # "g" alone is as often a Sloan or Pan-STARRS magnitude
_NO_MAGNITUDE = 99.0
_ARM = re.compile(r"COADD_([BR])|([BR])-.*")
_LIST_KEY = re.compile(r"LMJMLI(ST|S\d|\d\d)")
_TRUTH = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}


class SpectrumError(Exception):
    """Why a spectrum, or all of a file, is set aside.

    Parameters
    ----------
    reason : str
        A fixed phrase.
    column : str, optional
        Keyword or FITS column at fault, where it is one.
    value : object
        Its value; None where there is none.
    """

    def __init__(self, reason: str, column: str | None, value: object) -> None:
        super().__init__(reason, column, value)
        self.reason, self.column, self.value = reason, column, value


@dataclass(frozen=True)
class Arm:
    """Which spectrum an HDU holds."""

    band: str
    coadd: bool


@dataclass(frozen=True)
class Exposure:
    """Times of one exposure: local minute, seconds and MJD (UTC) of its middle; NaN where unknown."""

    lmjm: int
    exptime: float
    mjd: float


def arm_of(name: str) -> Arm | None:
    """Arm by the name of an HDU, ``COADD_B`` or ``R-84420148``; None for all others."""
    match = _ARM.fullmatch(name)
    return None if match is None else Arm(match[1] or match[2], match[1] is not None)


def primary_values(header: Header) -> dict[str, Any]:
    """Columns that all spectra of a file share.

    Parameters
    ----------
    header : Header
        The primary header.

    Returns
    -------
    dict
        Value by column of the schema, None where it is missing.

    Raises
    ------
    SpectrumError
        A value cannot be used, or there is no position.
    """
    row = {name: convert(SPECTRA[name], header, key) for name, key in _PRIMARY.items()}
    for name, key in (("ra_input", "RA"), ("dec_input", "DEC")):
        if row[name] is None:
            raise SpectrumError(MISSING_COORDINATE, key, header.get(key))
    if row["designation"]:
        row["designation"] = row["designation"].removeprefix("LAMOST").strip()
    gaia = str(header.get("MAGTYPE")).strip().lower() == _GAIA_MAGTYPE
    for name, key in _GAIA.items():
        magnitude = convert(SPECTRA[name], header, key) if gaia else None
        row[name] = None if magnitude is None or magnitude >= _NO_MAGNITUDE else magnitude
    if row["lmjd"] is not None and not FIRST_MJD <= row["lmjd"] < LAST_MJD:
        raise SpectrumError(OUT_OF_RANGE, "LMJD", row["lmjd"])
    row["obsdate"] = None if row["lmjd"] is None else night_date(row["lmjd"])
    return row


def exposure(header: Header) -> Exposure:
    """Read the times of a single exposure from the header of its HDU.

    Parameters
    ----------
    header : Header
        With LMJM; EXPTIME, and DATE-BEG and DATE-END (Beijing time) where the release has them.

    Returns
    -------
    Exposure
        Its middle is that of the two dates where they agree within `TIME_TOLERANCE` with LMJM and EXPTIME
        (released headers exist that contradict themselves), else :func:`.times.exposure_midpoint`.

    Raises
    ------
    SpectrumError
        No LMJM, or a value that is not a time.
    """
    lmjm = _minute(header.get("LMJM"), "LMJM")
    exptime = convert(SPECTRA["exptime"], header, "EXPTIME")
    if exptime is not None and exptime < 0:
        raise SpectrumError(OUT_OF_RANGE, "EXPTIME", exptime)
    seconds = nan if exptime is None else exptime
    begin, end = local_time_mjd(header.get("DATE-BEG")), local_time_mjd(header.get("DATE-END"))
    late = 86400.0 * (begin - float(exposure_midpoint(lmjm, 0.0)))
    length = 86400.0 * (end - begin)
    sound = length >= 0 if exptime is None else abs(length - seconds) <= TIME_TOLERANCE
    if sound and abs(late) <= TIME_TOLERANCE:
        return Exposure(lmjm, seconds, begin + (end - begin) / 2)
    return Exposure(lmjm, seconds, float(exposure_midpoint(lmjm, seconds)))


def coadd_times(header: Header, exposures: Iterable[Exposure]) -> dict[str, Any]:
    """Compute the times of a coadd from those of its exposures.

    Parameters
    ----------
    header : Header
        Of the coadd: ``LMJMLIST``, or ``LMJMLIS0``, ``LMJMLIS1``, ... name its exposures, three a card.
    exposures : iterable of Exposure
        Those of the same arm in the file.  All are taken where the header lists none; one that is listed
        and not here, or has no EXPTIME, is given the median EXPTIME of the others.

    Returns
    -------
    dict
        ``lmjm`` of the first exposure, ``exptime`` in all, ``n_exposures``, and ``mjd``: the mean of the
        middles, weighted with the exposure times.  None where nothing is known.

    Raises
    ------
    SpectrumError
        An entry of the list is not a minute.
    """
    here: dict[int, Exposure] = {}
    for one in exposures:
        here.setdefault(one.lmjm, one)
    keys = sorted(key for key in header if _LIST_KEY.fullmatch(key))
    parts = [(part, key) for key in keys for part in str(header.get(key) or "").split("-") if part.strip()]
    minutes = list(dict.fromkeys(_minute(part, key) for part, key in parts)) or list(here)
    if not minutes:
        return dict.fromkeys(("lmjm", "exptime", "n_exposures", "mjd"))

    used = [here.get(minute, Exposure(minute, nan, nan)) for minute in minutes]
    lengths = [one.exptime for one in used if not isnan(one.exptime)]
    usual = float(np.median(lengths)) if lengths else nan
    weights = np.array([usual if isnan(one.exptime) else one.exptime for one in used])
    middles = np.array([exposure_midpoint(one.lmjm, usual) if isnan(one.mjd) else one.mjd for one in used])
    # Relative to the first: an MJD times seconds would lose its last digits.
    after, total = middles - middles[0], float(weights.sum())
    mjd = float(middles[0] + (weights @ after / total if total > 0 else after.mean()))
    return {
        "lmjm": min(minutes),
        "exptime": total if lengths else None,
        "n_exposures": len(minutes),
        "mjd": mjd if isfinite(mjd) else None,
    }


def convert(column: Column, header: Header, key: str) -> Any:
    """Value of a keyword as the column's type.

    Returns
    -------
    bool, int, float or str
        None where it is missing: no card, empty, not finite or one of the column's sentinels.

    Raises
    ------
    SpectrumError
        It is something else, or outside the column's range.
    """
    value = header.get(key)
    if value is None or not str(value).strip():
        return None
    text = str(value).strip()
    if column.dtype == "string":
        return text
    if column.dtype == "bool":
        if text.lower() not in _TRUTH:
            raise SpectrumError(NOT_BOOLEAN, key, value)
        return _TRUTH[text.lower()]
    try:
        number = float(value)
    except ValueError:
        raise SpectrumError(NOT_A_NUMBER, key, value) from None
    if not isfinite(number) or number in column.sentinels:
        return None
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    if not low <= number <= high:
        raise SpectrumError(OUT_OF_RANGE, key, value)
    return number if column.dtype == "float64" else _whole(column, number, text, key)


def _whole(column: Column, number: float, text: str, key: str) -> int:
    if number != int(number):
        raise SpectrumError(NOT_WHOLE, key, text)
    # Through int where it can be: identifiers are longer than the 53 bits of a float.
    whole = int(text) if re.fullmatch(r"[+-]?\d+", text) else int(number)
    limits = np.iinfo(column.dtype)
    if not limits.min <= whole <= limits.max:
        raise SpectrumError(OUT_OF_RANGE, key, text)
    return whole


def _minute(value: object, key: str) -> int:
    """Check a local minute, which the files write as text."""
    text = "" if value is None else str(value).strip()
    if not text:
        raise SpectrumError(MISSING_VALUE, key, None)
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise SpectrumError(NOT_A_NUMBER, key, value)
    if not FIRST_MJD * 1440 <= int(text) < LAST_MJD * 1440:
        raise SpectrumError(OUT_OF_RANGE, key, value)
    return int(text)
