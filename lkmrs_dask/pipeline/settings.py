"""Settings of a job: choices that change results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from lkmrs_dask.errors import UsageError

__all__ = ["Settings", "check_names", "read_section", "read_settings"]

_MOST = {"star_radius_arcsec": 3600.0, "plate_radius_deg": 90.0, "match_radius_arcsec": 7200.0}

Section = TypeVar("Section")


@dataclass(frozen=True)
class Settings:
    """Choices that change results, all with their defaults; a job states those that differ.

    Parameters
    ----------
    star_radius_arcsec : float
        Positions without uid this close are one star (fibre diameter 3.3", pointing 0.4").
    uid_spread_arcsec : float
        Positions of one uid further apart than this are reported as suspicious.
    low_snr : float
        Spectra below it are flagged: too faint for a radial velocity.  Ours.
    exptime_single, exptime_coadd : float
        Exposure times (s) for the mid-exposure time where a table states none: one exposure of the
        time-domain survey, and the usual three of a coadd (section 2).
    plate_radius_deg : float
        Radius of a plate's footprint.
    match_radius_arcsec : float
        A star's counterpart in another catalogue is the nearest within it (section 3.1: 3.3" of the fibre and
        0.4" of its pointing).
    position_epoch : float
        Julian year of the stars' positions: those of a catalogue with proper motions are moved to it.
    max_rows, max_mb : int
        A partition holds at most so many rows and so many MB in memory.
    """

    star_radius_arcsec: float = 3.0
    uid_spread_arcsec: float = 60.0
    low_snr: float = 2.0
    exptime_single: float = 1200.0
    exptime_coadd: float = 3600.0
    plate_radius_deg: float = 2.5
    match_radius_arcsec: float = 3.7
    position_epoch: float = 2000.0
    max_rows: int = 500_000
    max_mb: int = 256


def read_settings(values: Mapping[str, Any], path: Path) -> Settings:
    """Read ``[settings]`` of a job file.

    Raises
    ------
    UsageError
        For an unknown setting, or a value that is no positive number.
    """
    known = {item.name: item for item in fields(Settings)}
    check_names(values, tuple(known), path, "[settings]")
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise UsageError(f"job file {path}: [settings] {name} must be a positive number, got {value!r}")
        if name in _MOST and value > _MOST[name]:
            raise UsageError(f"job file {path}: [settings] {name} is at most {_MOST[name]}, got {value!r}")
        whole = isinstance(known[name].default, int)
        if whole and value != int(value):
            raise UsageError(f"job file {path}: [settings] {name} must be a whole number, got {value!r}")
        checked[name] = int(value) if whole else float(value)
    return Settings(**checked)


def read_section(kind: type[Section], values: Mapping[str, Any], path: Path, where: str) -> Section:
    """Make settings of a table of a job file; their own checks say what is wrong with a value.

    Raises
    ------
    UsageError
        For an unknown entry or a value that makes no sense.
    """
    check_names(values, tuple(item.name for item in fields(kind)), path, where)  # type: ignore[arg-type]
    try:
        return kind(**values)
    except UsageError as fault:
        raise UsageError(f"job file {path}: {where}: {fault}") from fault


def check_names(entry: Mapping[str, Any], names: tuple[str, ...], path: Path, where: str) -> None:
    """Raise UsageError where a part of a job file has an entry that is not known."""
    if not isinstance(entry, Mapping):
        raise UsageError(f"job file {path}: {where} must be a table of settings")
    unknown = sorted(set(entry) - set(names))
    if unknown:
        raise UsageError(
            f"job file {path}: {where} knows no {', '.join(unknown)}; it knows {', '.join(names)}"
        )
