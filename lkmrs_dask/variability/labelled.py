"""Real stars whose class is published, for the training of the classifier, and their light curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from lkmrs_dask.checked import is_number
from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.light_curves.reading import read_light_curve
from lkmrs_dask.readers.light_curves.stitching import Stitched, stitch
from lkmrs_dask.readers.light_curves.table_format import TableFormat
from lkmrs_dask.variability.features import StarParameters
from lkmrs_dask.variability.rules import CLASSES
from lkmrs_dask.variability.training_stars import LabelledCurve

__all__ = ["LabelledStar", "labelled_curves", "labelled_stars"]

_PARAMETERS = tuple(one.name for one in fields(StarParameters))
_FORMAT = ("time", "flux", "error", "unit", "zero", "scale", "mission")
_TEXTS = ("name", "class", "class_source", "parameters_source", "note", "use")
_MISSIONS = ("kepler", "k2", "tess")
_LEAST_POINTS = 50  # of a piece


@dataclass(frozen=True)
class LabelledStar:
    """A star and its files.

    Parameters
    ----------
    name : str
        Of the star.
    label : str
        Its class, one of `lkmrs_dask.variability.rules.CLASSES`; empty for a star that is none of them.
    files : tuple of Path
        Of its light curve: quarters, campaigns or sectors.
    table : TableFormat, optional
        What is what in files that are plain tables.
    star : StarParameters
        What is published of it.
    pieces : float or str
        0 for the whole curve only; ``segments`` for a row for each quarter, campaign or sector too; or a
        number of days into which the curve is cut for more rows.
    check : bool
        Whether it is left out of training.
    """

    name: str
    label: str
    files: tuple[Path, ...]
    table: TableFormat | None = None
    star: StarParameters = field(default_factory=StarParameters)
    pieces: float | str = 0.0
    check: bool = False


def labelled_stars(entries: Any, root: Path, where: str) -> list[LabelledStar]:
    """Read a list of stars, as a TOML file has them.

    Parameters
    ----------
    entries : list of mapping
        Each with ``name``, ``class`` (may be empty where ``use`` is ``check``), ``files`` (patterns below
        `root`) and, where wanted, ``use`` (``train`` or ``check``), ``pieces``, ``teff``, ``logg``, ``m_g``,
        ``rv_amplitude``, ``class_source``, ``parameters_source``, ``note``, and of `TableFormat` ``time``,
        ``flux``, ``error``, ``unit``, ``zero``, ``scale``, ``mission``.
    root : Path
        Folder of the files.
    where : str
        Name of the list, for messages.

    Raises
    ------
    UsageError
        For an entry that makes no sense, or whose files are not there.
    """
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"{where}: there is no [[star]]")
    if not root.is_dir():
        raise UsageError(f"{where}: there is no folder {root}, its root")
    stars = [_star(entry, root, f"{where}: [[star]] number {k}") for k, entry in enumerate(entries, 1)]
    names = [star.name for star in stars]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"{where}: there is more than one star {', '.join(twice)}")
    return stars


def _star(entry: Mapping[str, Any], root: Path, where: str) -> LabelledStar:
    if not isinstance(entry, Mapping):
        raise UsageError(f"{where} is no table")
    known = {*_TEXTS, *_PARAMETERS, *_FORMAT, "files", "pieces"}
    if unknown := sorted(set(entry) - known):
        raise UsageError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    for name in _TEXTS:
        if not isinstance(entry.get(name, ""), str):
            raise UsageError(f"{where}: {name} must be a text, not {entry[name]!r}")
    name, label, use = entry.get("name", ""), entry.get("class", ""), entry.get("use", "train")
    if not name:
        raise UsageError(f"{where} has no name")
    where = f"{where} ({name})"
    if use not in ("train", "check"):
        raise UsageError(f"{where}: use must be train or check, not {use!r}")
    if label not in CLASSES and not (label == "" and use == "check"):
        raise UsageError(f"{where}: class must be one of {', '.join(CLASSES)}, not {label!r}")
    for key in _PARAMETERS:
        if key in entry and not is_number(entry[key]):
            raise UsageError(f"{where}: {key} must be a number, not {entry[key]!r}")
    pieces = entry.get("pieces", 0.0)
    if pieces != "segments" and not (is_number(pieces) and pieces >= 0):
        raise UsageError(f"{where}: pieces must be segments or a number of days, not {pieces!r}")
    star = StarParameters(**{key: float(entry[key]) for key in _PARAMETERS if key in entry})
    given = {key: entry[key] for key in _FORMAT if key in entry}
    try:
        table = TableFormat(**given) if given else None
    except UsageError as fault:
        raise UsageError(f"{where}: {fault}") from fault
    return LabelledStar(name, label, _files(entry, root, where), table, star, pieces, use == "check")


def _files(entry: Mapping[str, Any], root: Path, where: str) -> tuple[Path, ...]:
    patterns = entry.get("files")
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(patterns, list) or not patterns or not all(isinstance(one, str) for one in patterns):
        raise UsageError(f"{where}: files must be a pattern or a list of patterns")
    found: list[Path] = []
    for pattern in patterns:
        if Path(pattern).is_absolute():
            raise UsageError(f"{where}: files are patterns below root, not {pattern}")
        some = sorted(path for path in root.glob(pattern) if path.is_file())
        if not some:
            raise UsageError(f"{where}: no file matches {pattern} in {root}")
        found.extend(path for path in some if path not in found)
    return tuple(found)


def labelled_curves(star: LabelledStar) -> Iterator[LabelledCurve]:
    """Light curves of a star: first the whole one, then pieces where there are to be such.

    Yields
    ------
    LabelledCurve
        Of the group that is the star's name; source ``real``, ``piece`` or ``check``.

    Raises
    ------
    InputError, UsageError
        Where a file cannot be read.
    """
    try:
        curves = [read_light_curve(file, table=star.table) for file in star.files]
        whole = stitch(curves)
    except InputError as fault:
        raise InputError(f"{star.name}: {fault.message}", file=fault.file or star.files[0]) from fault
    mission = curves[0].mission.lower() if curves[0].mission.lower() in _MISSIONS else ""
    source = "check" if star.check else "real"

    def curve(part: Stitched, source: str) -> LabelledCurve:
        return LabelledCurve(part.time, part.flux, star.label, star.star, star.name, mission, source)

    yield curve(whole, source)
    for rows in [] if star.check else _cuts(whole, star.pieces):
        if np.count_nonzero(rows) >= _LEAST_POINTS:
            yield curve(Stitched(*(column[rows] for column in whole)), "piece")


def _cuts(whole: Stitched, pieces: float | str) -> Iterator[np.ndarray]:
    """Masks of pieces, where there are at least two."""
    if pieces == "segments":
        number = whole.segment
    elif pieces == 0 or not len(whole.time):
        return
    else:
        number = ((whole.time - whole.time[0]) / float(pieces)).astype(np.int64)
    different = np.unique(number)
    for one in different if len(different) > 1 else ():
        yield number == one
