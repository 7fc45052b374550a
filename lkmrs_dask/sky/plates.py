"""Where LAMOST's plates point, which mission's field they lie in, and which stars they cover.

A plan id usually encodes the plate's centre (``TD192102N424113K01``: 19h21m02s +42d41m13s); ``plates.csv``
holds what the ids do not say, ``k2_fields.csv`` the boresights of the K2 campaigns.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.sky.index import unit_vectors

__all__ = [
    "KEPLER_FIELD",
    "MISSION_RADIUS_DEG",
    "PLATE_RADIUS_DEG",
    "Plate",
    "field_by_footprint",
    "k2_fields",
    "mission_of_plate",
    "mission_of_plates",
    "parse_plan",
    "plate",
    "plate_centres",
    "plate_name",
]

PLATE_RADIUS_DEG = 2.5
"""Radius of LAMOST's field of view."""

KEPLER_FIELD = (290.667, 44.5)
"""Right ascension and declination (deg) of the centre of Kepler's field of view."""

MISSION_RADIUS_DEG = 10.0
"""A plate belongs to a field whose centre is nearer than this: detectors reach 7.99 deg, a plate 2.5 more."""

Fields = Mapping[str, Sequence[tuple[float, float, float]]]
"""Fields of missions: name to cones (right ascension, declination, radius, all in degrees)."""

_PLAN = re.compile(r"[A-Za-z]+(\d\d)(\d\d)(\d\d)([NS])(\d\d)(\d\d)(\d\d)(?!\d{3})\w*")
_BLOCK = 1 << 18  # stars treated at once, so that memory does not grow with the survey


@dataclass(frozen=True)
class Plate:
    """One plan.

    Parameters
    ----------
    planid : str
        LAMOST's name of the plan.
    name : str
        The survey's name of the plate, else `planid`.
    ra, dec : float
        Centre (J2000, deg), NaN where unknown.
    test_phase : bool
        Observed before the regular survey.
    """

    planid: str
    name: str
    ra: float
    dec: float
    test_phase: bool = False


def parse_plan(planid: str) -> tuple[float, float] | None:
    """Decode the plate centre from a plan id.

    Parameters
    ----------
    planid : str
        Letters, ``hhmmss``, ``N`` or ``S``, ``ddmmss`` and any suffix, such as ``HD184250N365730V``.

    Returns
    -------
    tuple of float or None
        Right ascension and declination (J2000, deg); None for an id of another form, or whose digits are no
        position (25 h, 99 min, beyond a pole).
    """
    match = _PLAN.fullmatch(planid.strip())
    if match is None:
        return None
    hours, minutes, seconds, degrees, arcmin, arcsec = (int(match[i]) for i in (1, 2, 3, 5, 6, 7))
    if hours > 23 or max(minutes, seconds, arcmin, arcsec) > 59:
        return None
    height = degrees * 3600 + arcmin * 60 + arcsec
    if height > 90 * 3600:
        return None
    dec = height / 3600
    return (hours * 3600 + minutes * 60 + seconds) / 240, dec if match[4] == "N" else -dec


def plate(planid: str) -> Plate:
    """Look up a plan: its row in ``plates.csv``, completed by what its id encodes."""
    row = _rows().get(planid)
    if row is not None and row["ra"]:
        centre: tuple[float, float] | None = (float(row["ra"]), float(row["dec"]))
    else:
        centre = parse_plan(planid)
    ra, dec = centre if centre is not None else (np.nan, np.nan)
    name = row["name"] if row is not None and row["name"] else planid
    return Plate(planid, name, ra, dec, row is not None and row["phase"] == "test")


def plate_name(planid: str) -> str:
    """Name of the plate in the survey (``K1a1.1``), else the plan id itself."""
    return plate(planid).name


def plate_centres(
    planids: Sequence[str | None] | pa.Array | pa.ChunkedArray,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres of many plans; each distinct id is decoded once.

    Parameters
    ----------
    planids : sequence of str or arrow array, length n
        Nulls allowed.

    Returns
    -------
    ra, dec : ndarray of float64, length n
        Degrees; NaN where the id is null or says nothing.
    """
    ids = planids if isinstance(planids, pa.Array | pa.ChunkedArray) else pa.array(planids, pa.string())
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    encoded = ids if isinstance(ids, pa.DictionaryArray) else ids.dictionary_encode()
    found = [plate(planid) if planid is not None else None for planid in encoded.dictionary.to_pylist()]
    # The last place stands for nulls.
    ra = np.array([np.nan if p is None else p.ra for p in found] + [np.nan])
    dec = np.array([np.nan if p is None else p.dec for p in found] + [np.nan])
    code = encoded.indices.cast(pa.int64()).fill_null(len(found)).to_numpy(zero_copy_only=False)
    return ra[code], dec[code]


def k2_fields() -> dict[int, tuple[float, float]]:
    """Boresights (right ascension, declination, deg) of the K2 campaigns 0 to 19 by number."""
    return {int(row["campaign"]): (float(row["ra"]), float(row["dec"])) for row in _read("k2_fields.csv")}


@cache
def _default_fields() -> Fields:
    return {
        "Kepler": [(*KEPLER_FIELD, MISSION_RADIUS_DEG)],
        "K2": [(ra, dec, MISSION_RADIUS_DEG) for ra, dec in k2_fields().values()],
    }


def mission_of_plate(ra: float, dec: float, fields: Fields | None = None) -> str | None:
    """Mission whose field a plate centre lies in.

    Parameters
    ----------
    ra, dec : float
        Plate centre in degrees; NaN lies in no field.
    fields : mapping, optional
        Cones (ra, dec, radius, deg) by mission, instead of Kepler's field and the K2 campaigns.  The first
        mission that fits wins.

    Returns
    -------
    str or None
    """
    if not (np.isfinite(ra) and np.isfinite(dec)):
        return None
    centre = unit_vectors(ra, dec)
    for mission, cones in (_default_fields() if fields is None else fields).items():
        cone = np.asarray(cones, dtype=np.float64).reshape(-1, 3)
        reach = unit_vectors(cone[:, 0], cone[:, 1]) @ centre
        if (reach >= np.cos(np.radians(cone[:, 2]))).any():
            return mission
    return None


def mission_of_plates(ra: ArrayLike, dec: ArrayLike, fields: Fields | None = None) -> list[str | None]:
    """`mission_of_plate` for each of several plates."""
    pairs = zip(np.atleast_1d(ra).tolist(), np.atleast_1d(dec).tolist(), strict=True)
    return [mission_of_plate(a, d, fields) for a, d in pairs]


def field_by_footprint(
    ra: ArrayLike,
    dec: ArrayLike,
    centres_ra: ArrayLike,
    centres_dec: ArrayLike,
    missions: Sequence[str | None],
    radius_deg: float = PLATE_RADIUS_DEG,
    tolerance_deg: float = 0.1,
) -> pa.StringArray:
    """Mission of each star by the plates that cover it.

    Parameters
    ----------
    ra, dec : array_like of float, length n
        Stars, degrees.  A position that is not finite is on no plate.
    centres_ra, centres_dec : array_like of float, length m
        Plate centres, degrees.
    missions : sequence of str or None, length m
        Mission of each plate, as from `mission_of_plates`.  Plates without one, or without a centre, cover
        nothing.
    radius_deg : float
        Radius of a plate.
    tolerance_deg : float
        Added to the radius: fibres reach a little beyond it, and ids round the centre.

    Returns
    -------
    pyarrow.StringArray, length n
        Mission of the nearest plate that covers the star; null where none does.
    """
    ra, dec = np.atleast_1d(np.asarray(ra, np.float64)), np.atleast_1d(np.asarray(dec, np.float64))
    centre_ra = np.atleast_1d(np.asarray(centres_ra, np.float64))
    centre_dec = np.atleast_1d(np.asarray(centres_dec, np.float64))
    names = sorted({mission for mission in missions if mission is not None})
    usable = [
        k
        for k, mission in enumerate(missions)
        if mission is not None and np.isfinite(centre_ra[k]) and np.isfinite(centre_dec[k])
    ]
    centres = unit_vectors(centre_ra[usable], centre_dec[usable])
    code_of_plate = [names.index(str(missions[k])) for k in usable]
    reach = np.cos(np.radians(radius_deg + tolerance_deg))
    code = np.full(len(ra), -1, np.int32)
    for start in range(0, len(ra), _BLOCK):
        block = slice(start, start + _BLOCK)
        stars = unit_vectors(ra[block], dec[block])
        nearest = np.full(len(stars), reach)
        for plate_code, centre in zip(code_of_plate, centres, strict=True):
            cosine = stars @ centre
            better = cosine >= nearest  # never true for NaN
            nearest[better] = cosine[better]
            code[block][better] = plate_code
    indices = pa.array(code, mask=code < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string())).cast(pa.string())


@cache
def _rows() -> Mapping[str, Mapping[str, str]]:
    return {row["planid"]: row for row in _read("plates.csv")}


def _read(name: str) -> list[dict[str, str]]:
    text = files("lkmrs_dask.sky").joinpath(name).read_text("utf-8")
    lines: Iterable[str] = (line for line in text.splitlines() if not line.startswith("#"))
    return list(csv.DictReader(lines))
