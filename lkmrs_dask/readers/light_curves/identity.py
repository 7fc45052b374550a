"""Which star and which quarter, campaign or sector a file is of, by its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from lkmrs_dask.readers.light_curves.curve import CATALOGUES

__all__ = ["Identity", "identify", "mission_of"]

FIRST_EPIC = 200_000_001

_CAMPAIGN = re.compile(r"-c(\d{2,3})[_-]")
_NAMES = (
    ("K2", re.compile(r"(?:ktwo|hlsp_k2\w*?_|epic|ep)[ _-]?(\d{9})(?!\d)", re.IGNORECASE)),
    ("Kepler", re.compile(r"(?:kplr|kic)[ _-]?(\d{1,9})(?!\d)", re.IGNORECASE)),
    ("TESS", re.compile(r"(?:(?<![a-z0-9])s\d{4}-|tess_phot_|tic[ _-]?)0*(\d{1,16})(?!\d)", re.IGNORECASE)),
)
_SECTOR = re.compile(r"-?s(\d{4})[-_]")


class Identity(NamedTuple):
    """A star and a part of a mission.

    Attributes
    ----------
    mission : str
        ``Kepler``, ``K2``, ``TESS`` or empty.
    target_id : int or None
        KIC, EPIC or TIC number.
    segment : int or None
        Quarter, campaign or sector.
    name : str
        ``KIC 5023948``, or the file's name without its ending.
    """

    mission: str
    target_id: int | None
    segment: int | None
    name: str


def identify(file: str | Path) -> Identity:
    """Tell a star by the name of a file; quarters of Kepler are not in it."""
    text = Path(file).name
    for mission, pattern in _NAMES:
        match = pattern.search(text)
        if match:
            number = int(match[1])
            part = {"K2": _CAMPAIGN, "TESS": _SECTOR}.get(mission)
            segment = part.search(text) if part else None
            name = f"{CATALOGUES[mission]} {number}"
            return Identity(mission, number, int(segment[1]) if segment else None, name)
    return Identity("", None, None, text.split(".")[0])


def mission_of(telescope: str, mission: str, target: str, number: int | None) -> str:
    """Mission by the keywords TELESCOP, MISSION and OBJECT and the star's number; empty for others."""
    if telescope.strip().upper() == "TESS":
        return "TESS"
    if telescope.strip().upper() != "KEPLER" and mission.strip().upper() not in ("K2", "KEPLER"):
        return ""
    is_k2 = mission.strip().upper() == "K2" or target.upper().startswith("EPIC")
    return "K2" if is_k2 or (number or 0) >= FIRST_EPIC else "Kepler"
