"""Whose light curves are wanted: numbers of KIC, EPIC and TIC, from a call, a file or a survey."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.readers.light_curves.curve import CATALOGUES
from lkmrs_dask.readers.light_curves.identity import FIRST_EPIC
from lkmrs_dask.stars.labels import has_label
from lkmrs_dask.stars.rv_variability import LABEL as RVV

__all__ = ["CHOICES", "Target", "numbers", "parse_targets", "targets_of_survey"]

CHOICES = ("rv_variables",)
"""Words for some of the stars of a survey."""

_NAME = re.compile(r"(?:(KIC|EPIC|TIC)[ _-]*)?0*([1-9]\d{0,15})", re.IGNORECASE)
_SPAN = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")


class Target(NamedTuple):
    """A star of a mission.

    Attributes
    ----------
    mission : str
        ``Kepler``, ``K2`` or ``TESS``.
    number : int
        Its number in KIC, EPIC or TIC.
    """

    mission: str
    number: int

    @property
    def name(self) -> str:
        """As ``KIC 5023948``."""
        return f"{CATALOGUES[self.mission]} {self.number}"


def parse_targets(mission: str, words: Iterable[str]) -> list[Target]:
    """Tell the stars that a call names.

    Parameters
    ----------
    mission : str
        ``Kepler``, ``K2`` or ``TESS``.
    words : iterable of str
        Numbers, names as ``KIC 5023948``, and paths of files with one of these a line (behind # is remark).

    Returns
    -------
    list of Target
        Each star once, in the order of the words.

    Raises
    ------
    UsageError
        Where a word is none of these, or names a star of another mission's catalogue.
    """
    found = [_target(mission, word, where) for word, where in _words(words)]
    return list(dict.fromkeys(found))


def _words(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Words with the place that they are from; those of files in place of the files' names."""
    for word in words:
        path = Path(word)
        if _NAME.fullmatch(word.strip()) or not path.is_file():
            yield word.strip(), ""
            continue
        try:
            lines = path.read_text("utf-8").splitlines()
        except UnicodeDecodeError as fault:
            raise UsageError(f"{path} is no text file with a star a line: {fault}") from fault
        for number, line in enumerate(lines, 1):
            text = line.partition("#")[0].strip()
            if text:
                yield text, f"{path}, line {number}: "


def _target(mission: str, word: str, where: str) -> Target:
    catalogue = CATALOGUES[mission]
    match = _NAME.fullmatch(word)
    if match is None:
        raise UsageError(
            f"{where}{word!r} is no star of {mission}: give a number, {catalogue} with a number, or a file "
            "with one of these a line"
        )
    number, given = int(match[2]), (match[1] or catalogue).upper()
    # KIC and EPIC numbers tell themselves apart; any of them may be a TIC number.
    is_epic = number >= FIRST_EPIC
    if given != catalogue or (mission == "Kepler" and is_epic) or (mission == "K2" and not is_epic):
        other = given if given != catalogue else "EPIC" if is_epic else "KIC"
        right = next(name for name, of in CATALOGUES.items() if of == other)
        raise UsageError(
            f"{where}{word!r} is a star of {other}, whose light curves are {right.lower()}_light_curves; "
            f"those of {mission} go by {catalogue} numbers"
        )
    return Target(mission, number)


def targets_of_survey(root: str | Path, only: Iterable[str] = ()) -> list[Target]:
    """Tell the stars of a survey that Kepler, K2 and TESS may have looked at.

    Parameters
    ----------
    root : path
        The survey's folder.
    only : iterable of str
        ``rv_variables`` for these alone.

    Returns
    -------
    list of Target
        One for each identifier, by mission and number.

    Raises
    ------
    UsageError
        Where the folder holds no stars, their identifiers are not known, or `only` has another word.
    """
    only = tuple(only)
    for word in only:
        if word not in CHOICES:
            raise UsageError(f"--only {word}: of a survey's stars there are {', '.join(CHOICES)}")
    survey = Survey(Path(root))
    survey.check()
    if "stars" not in survey.catalogs():
        raise UsageError(f"{root} has no catalogue of stars yet; go on with `lkmrs run`")
    catalog = open_catalog(survey.catalog("stars"))
    lacks = [name for name in ("label", "kic_epic", "tic") if name not in catalog.columns]
    if lacks:
        raise UsageError(f"the stars of {root} have no column {', '.join(lacks)}: run it again")
    stars = catalog[["label", "kic_epic", "tic"]].to_arrow()
    if only:
        stars = stars.filter(pa.array(has_label(stars.column("label"), RVV)))
    kic_epic, tic = (pc.unique(stars.column(name).drop_null()).sort() for name in ("kic_epic", "tic"))
    if not len(kic_epic) and not len(tic):
        raise UsageError(
            f"no such star of {root} has an identifier in KIC, EPIC or TIC: make catalogues of these with "
            "`lkmrs fetch` and `lkmrs import`, name them in the job and run it again"
        )
    found = [Target("K2" if number >= FIRST_EPIC else "Kepler", number) for number in kic_epic.to_pylist()]
    return [*found, *(Target("TESS", number) for number in tic.to_pylist())]


def numbers(text: str, what: str) -> tuple[int, ...]:
    """Read a list of numbers.

    Parameters
    ----------
    text : str
        As ``42,43,50-52``.
    what : str
        What they are, for the message.

    Raises
    ------
    UsageError
        Where it is no such list.
    """
    found: list[int] = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise UsageError(f"{what} {text!r}: give numbers with commas between them, as 42,43 or 40-45")
        found += range(first, last + 1)
    return tuple(dict.fromkeys(found))
