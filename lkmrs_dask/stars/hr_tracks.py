"""Evolutionary tracks and instability strips of the Hertzsprung-Russell diagram, from files."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from glob import glob
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.errors import InputError
from lkmrs_dask.stars.hr_diagram import magnitude_of_luminosity

__all__ = ["PAPER_MASSES", "Strip", "Track", "missing_masses", "read_strips", "read_track", "read_tracks"]

Floats = NDArray[np.float64]

PAPER_MASSES = (0.4, 0.8, 1.2, 2.0, 2.8)
"""Masses of the tracks in Fig. 9, solar masses."""

_G_NAMES = ("Gaia_G_EDR3", "Gaia_G_DR2Rev", "Gaia_G_MAW", "Gaia_G_DR2", "Gaia_G")
_GENEVA = ("line", "time", "mass", "lg(L)", "lg(Teff)")
_SAME_MASS = 0.005
_MAIN_SEQUENCE, _LAST_PHASE = 0, 3  # of MIST: -1 is the way to the main sequence, 3 is core helium burning


class Track(NamedTuple):
    """A track from the main sequence on: of MIST to the end of core helium burning, of Geneva to its end.

    Parameters
    ----------
    mass : float
        Initial mass, solar masses.
    feh : float
        Initial [Fe/H]; NaN where the file does not say.
    teff, m_g : ndarray of float64, shape (n,)
        K, mag.
    converted : bool
        Whether M_G is from the luminosity and a bolometric correction, not of the file.
    path : str
        The file.
    model : str
        ``MIST`` or ``Geneva``.
    """

    mass: float
    feh: float
    teff: Floats
    m_g: Floats
    converted: bool
    path: str
    model: str = "MIST"


class Strip(NamedTuple):
    """An edge of an instability strip: its name, ``red`` or ``blue``, and points in K and mag of M_G."""

    name: str
    edge: str
    teff: Floats
    m_g: Floats


def read_track(path: str | os.PathLike) -> Track:
    """Read a track: of MIST, ``.track.eep.cmd`` with magnitudes or ``.track.eep`` without, or of Geneva.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    Track

    Raises
    ------
    InputError
        For a file that is no such track, or is cut short.

    References
    ----------
    Dotter 2016, ApJS 222, 8; Choi et al. 2016, ApJ 823, 102 (MIST).  Ekstroem et al. 2012, A&A 537, A146
    (Geneva).
    """
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except OSError as fault:
        raise InputError(f"cannot be read: {fault.strerror}", file=path) from fault
    except UnicodeDecodeError as fault:
        raise InputError("is no track: it is no plain text", file=path) from fault
    try:
        return _geneva(lines, path) if _is_geneva(lines[:1]) else _mist(lines, path)
    except ValueError as fault:
        raise InputError(f"is no track of MIST or Geneva, or is cut short ({fault})", file=path) from fault


def _mist(lines: list[str], path: str | os.PathLike) -> Track:
    header = [line[1:].split() for line in lines if line.startswith("#")]
    values = [line for line in lines if line.strip() and not line.startswith("#")]
    rows = np.loadtxt(values, ndmin=2) if values else np.empty((0, 0))
    names = header[-1] if header else []
    mass, feh = _after(header, "initial_mass"), _after(header, "[Fe/H]")
    if not np.isfinite(mass) or "log_Teff" not in names or len(names) != rows.shape[1] or not len(rows):
        raise InputError("is no track of MIST: its header names no initial mass or no columns", file=path)
    columns = dict(zip(names, rows.T, strict=True))
    teff = 10.0 ** columns["log_Teff"]
    band = next((name for name in _G_NAMES if name in columns), None)
    if band is None and "log_L" not in columns:
        raise InputError("has neither a magnitude in Gaia's G nor a luminosity (log_L)", file=path)
    m_g = columns[band] if band else magnitude_of_luminosity(columns["log_L"], teff)
    use = np.ones(len(rows), bool)
    if "phase" in columns:
        use = (columns["phase"] >= _MAIN_SEQUENCE) & (columns["phase"] <= _LAST_PHASE)
    return Track(mass, feh, teff[use], m_g[use], band is None, str(path))


def _is_geneva(start: Sequence[str]) -> bool:
    return bool(start) and tuple(start[0].split()[:5]) == _GENEVA


def _geneva(lines: list[str], path: str | os.PathLike) -> Track:
    """Of a file with one line of names, one of units, and a row for each of 400 points of equal phase."""
    values = [line for line in lines[2:] if line.strip()]
    if not values:
        raise InputError("is a track of Geneva without a row", file=path)
    rows = np.loadtxt(values, usecols=range(5), ndmin=2)
    mass, log_l, log_teff = rows[:, 2:5].T
    teff = 10.0**log_teff
    return Track(
        float(mass[0]), np.nan, teff, magnitude_of_luminosity(log_l, teff), True, str(path), "Geneva"
    )


def _after(header: Sequence[Sequence[str]], name: str) -> float:
    """The value below a name in the header."""
    for names, values in pairwise(header):
        if name in names and len(values) > names.index(name):
            try:
                return float(values[names.index(name)])
            except ValueError:
                continue
    return np.nan


def read_tracks(
    places: str | os.PathLike | Sequence[str | os.PathLike], masses: Sequence[float] = PAPER_MASSES
) -> list[Track]:
    """Read those tracks that have one of some masses.

    Parameters
    ----------
    places : path or sequence of path
        A folder, or a pattern (``*``, ``**``) of files, or several of them.  Of a folder those files are
        read that are tracks; files that a pattern names must be some.
    masses : sequence of float
        Solar masses, to within 0.5 %.

    Returns
    -------
    list of Track
        By mass; `missing_masses` tells which are not there.  Where a mass has several tracks, it is the
        first of: MIST with magnitudes, MIST without, Geneva; each in the order of their paths.

    Raises
    ------
    InputError
        For a folder that is not there, a pattern that no file fits, or a file that is no track.
    """
    several = [places] if isinstance(places, str | os.PathLike) else places
    paths = [file for place in several for file in _files(place)]
    found: dict[float, tuple[int, Track]] = {}
    for track in (read_track(path) for path in dict.fromkeys(paths)):
        wanted = next((one for one in masses if _is_mass(track, one)), None)
        if wanted is not None:
            rank = 2 if track.model == "Geneva" else int(track.converted)
            if wanted not in found or rank < found[wanted][0]:
                found[wanted] = rank, track
    return [found[mass][1] for mass in sorted(found)]


def _files(place: str | os.PathLike) -> list[Path]:
    """Tracks of a folder, or the files that a pattern names."""
    path = Path(place).expanduser()
    if path.is_dir():
        return [file for file in sorted(path.iterdir()) if file.is_file() and _looks_like_track(file)]
    if path.is_file():
        return [path]
    named = [Path(one) for one in sorted(glob(str(path), recursive=True)) if Path(one).is_file()]
    if not named:
        wild = any(sign in str(place) for sign in "*?[")
        raise InputError(
            "no file of tracks fits" if wild else "there is no such folder of tracks", file=place
        )
    return named


def _looks_like_track(path: Path) -> bool:
    if path.name.endswith((".eep", ".eep.cmd")):
        return True
    if path.suffix != ".dat":
        return False
    with path.open(encoding="ascii", errors="replace") as stream:
        return _is_geneva([stream.readline(1000)])


def _is_mass(track: Track, mass: float) -> bool:
    return abs(track.mass / mass - 1.0) < _SAME_MASS


def missing_masses(tracks: Sequence[Track], masses: Sequence[float] = PAPER_MASSES) -> list[float]:
    """Masses of which there is no track."""
    return [one for one in masses if not any(_is_mass(track, one) for track in tracks)]


def read_strips(path: str | os.PathLike | None = None) -> list[Strip]:
    """Read edges of instability strips.

    Parameters
    ----------
    path : path, optional
        A CSV file with comments after ``#`` that say where the numbers are from.  Columns are either strip,
        edge, slope, intercept, log_l_min, log_l_max (log L = slope Teff + intercept), or strip, edge, teff
        and one of m_g and log_l, a row for each vertex in the order in which they are joined.  By default the
        delta Scuti strip of Murphy et al. 2019, of the file that comes with this package.

    Returns
    -------
    list of Strip
        Luminosities are turned into M_G by `lkmrs_dask.stars.hr_diagram.magnitude_of_luminosity`.

    Raises
    ------
    InputError
        For a file with other columns, values that are no numbers, or no word of provenance.
    """
    source = files("lkmrs_dask") / "data" / "instability_strips.csv" if path is None else Path(path)
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except OSError as fault:
        raise InputError(f"cannot be read: {fault.strerror}", file=source) from fault
    if not any(line.startswith("#") for line in lines):
        raise InputError("says nothing of where its numbers are from: add a comment after #", file=source)
    rows = list(csv.DictReader(line for line in lines if line.strip() and not line.startswith("#")))
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    try:
        for row in rows:
            points.setdefault((row["strip"], row["edge"]), []).extend(_vertices(row))
    except (KeyError, TypeError, ValueError) as fault:
        raise InputError(f"is no file of strips: {type(fault).__name__} {fault}", file=source) from fault
    return [
        Strip(name, edge, *(np.array(one) for one in zip(*vertices, strict=True)))
        for (name, edge), vertices in points.items()
    ]


def _vertices(row: dict[str, str]) -> list[tuple[float, float]]:
    """Points (teff, m_g) of a row."""
    if "slope" not in row:
        teff = float(row["teff"])
        m_g = float(row["m_g"]) if "m_g" in row else float(magnitude_of_luminosity(float(row["log_l"]), teff))
        return [(teff, m_g)]
    log_l = np.linspace(float(row["log_l_min"]), float(row["log_l_max"]), 25)
    teff_line = (log_l - float(row["intercept"])) / float(row["slope"])
    return list(zip(teff_line.tolist(), magnitude_of_luminosity(log_l, teff_line).tolist(), strict=True))
