"""``lkmrs fetch`` of light curves: those of stars that are named, or of the stars of a survey."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.download import FetchError, MissingFileError, NoNetworkError, Transfer, download
from lkmrs_dask.pipeline.fetch import Known, known
from lkmrs_dask.pipeline.light_curve_addresses import Choice, Lead, questions
from lkmrs_dask.pipeline.light_curve_targets import Target, parse_targets, targets_of_survey

__all__ = [
    "AT_ONCE",
    "MISSIONS",
    "LightCurvesFetched",
    "Terms",
    "fetch_light_curves",
    "fetch_survey_light_curves",
]

AT_ONCE = 4
"""Downloads side by side: the archive is everybody's."""

MISSIONS = {"kepler_light_curves": "Kepler", "k2_light_curves": "K2", "tess_light_curves": "TESS"}
"""What can be fetched by star, and the mission that it is of."""

Report = Callable[[str], None]
_Work = TypeVar("_Work")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Terms:
    """How light curves are fetched.

    Parameters
    ----------
    choice : Choice
        Cadence, campaigns and sectors.
    report : callable, optional
        Told what happens, in lines.
    transfer : Transfer, optional
        How to download.
    addresses : Path, optional
        Another file of addresses than the package's own.
    """

    choice: Choice = field(default_factory=Choice)
    report: Report | None = None
    transfer: Transfer | None = None
    addresses: Path | None = None


@dataclass
class LightCurvesFetched:
    """What came of a fetch.

    Attributes
    ----------
    files : list of Path
        Files that are there now, whole.
    fresh : int
        So many of them were fetched now.
    without : list of str
        Stars of which the archive has no such light curve.
    faults : list of str
        Files and stars that could not be had, and why.
    """

    files: list[Path] = field(default_factory=list)
    fresh: int = 0
    without: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, other: LightCurvesFetched) -> None:
        """Take over what came of another fetch."""
        self.files += other.files
        self.fresh += other.fresh
        self.without += other.without
        self.faults += other.faults

    def lines(self) -> Iterator[str]:
        """Say it in lines."""
        yield f"light curves that are there: {len(self.files):,}, fetched now: {self.fresh:,}"
        if self.without:
            yield f"no light curve of {_count(len(self.without), 'star')}: {', '.join(self.without)}"
        for fault in self.faults:
            yield f"not fetched: {fault}"


def fetch_light_curves(
    name: str,
    targets: Iterable[str],
    folder: str | Path,
    *,
    author: str | None = None,
    only: Sequence[str] = (),
    terms: Terms | None = None,
) -> LightCurvesFetched:
    """Download the light curves of stars; those that are there whole are not fetched again.

    Parameters
    ----------
    name : str
        One of `MISSIONS`.
    targets : iterable of str
        Numbers, names as ``TIC 67768222``, and files with one of these a line.
    folder : path
        Gets the files.
    author : str, optional
        Who made the light curves: ``kepler``; ``k2`` or ``k2sff``; ``spoc`` (two minutes), ``qlp`` or
        ``tess-spoc`` (both of full-frame images).  The first of the mission, if not given.
    only : sequence of str
        Patterns (``fnmatch``) of the names of files that are wanted; all by default.
    terms : Terms, optional
        How.

    Returns
    -------
    LightCurvesFetched
        A fault of a star or a file is listed there and stops no other.

    Raises
    ------
    UsageError
        Where there are no such light curves, or a word names no star of the mission.
    NoNetworkError
        Where a server cannot be reached; what came before stays.
    """
    if name not in MISSIONS:
        raise UsageError(f"light curves are {', '.join(MISSIONS)}, not {name!r}")
    stars = parse_targets(MISSIONS[name], targets)
    if not stars:
        raise UsageError(f"say of which stars: `lkmrs fetch {name} NUMBER ... --to FOLDER`")
    terms = terms or Terms()
    book = known(name, terms.addresses)
    chosen = _author(book, author)
    terms.choice.check(MISSIONS[name], chosen)
    return _Fetch(book, chosen, Path(folder), tuple(only), terms).run(stars)


def fetch_survey_light_curves(
    survey: str | Path,
    folder: str | Path,
    *,
    authors: Sequence[str] = (),
    only: Sequence[str] = (),
    terms: Terms | None = None,
) -> LightCurvesFetched:
    """Download the light curves of a survey's stars that have an identifier in KIC, EPIC or TIC.

    Parameters
    ----------
    survey : path
        Its folder.
    folder : path
        Gets ``kepler/``, ``k2/`` and ``tess/``, of which a job can have its light curves.
    authors : sequence of str
        At most one a mission; see `fetch_light_curves`.
    only : sequence of str
        ``rv_variables`` for the stars whose label has RVV.
    terms : Terms, optional
        How.

    Returns
    -------
    LightCurvesFetched

    Raises
    ------
    UsageError
        Where the survey has no such star, or an author is not known.
    NoNetworkError
        Where a server cannot be reached; what came before stays.
    """
    terms = terms or Terms()
    books = {mission: known(name, terms.addresses) for name, mission in MISSIONS.items()}
    chosen = {mission: [one for one in authors if one in book.by_star] for mission, book in books.items()}
    unknown = set(authors) - {one for some in chosen.values() for one in some}
    twice = [" and ".join(some) for some in chosen.values() if len(set(some)) > 1]
    if unknown or twice:
        there = "; ".join(f"{mission}: {', '.join(book.by_star)}" for mission, book in books.items())
        raise UsageError(f"author {', '.join([*sorted(unknown), *twice])}: give one a mission of {there}")
    stars = targets_of_survey(survey, only)
    done = LightCurvesFetched()
    for mission, book in books.items():
        some = [star for star in stars if star.mission == mission]
        if some:
            author = _author(book, next(iter(chosen[mission]), None))
            done.add(_Fetch(book, author, Path(folder) / mission.lower(), (), terms).run(some))
    return done


def _author(book: Known, author: str | None) -> str:
    if author is None:
        return next(iter(book.by_star))
    if author not in book.by_star:
        raise UsageError(f"author {author!r}: of {book.name} there are {', '.join(book.by_star)}")
    return author


@dataclass(frozen=True)
class _Fetch:
    """A fetch of one mission's light curves by one author."""

    book: Known
    author: str
    folder: Path
    only: tuple[str, ...]
    terms: Terms

    def run(self, stars: Sequence[Target]) -> LightCurvesFetched:
        """Ask what there is, and get it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._say(f"{self.book.name} by {self.author}: {_count(len(stars), 'star')}.  Cite {self.book.cite}")
        done = LightCurvesFetched()
        leads, doubtful = self._find(stars, done)
        self._get(stars, leads, doubtful, done)
        return done

    def _say(self, line: str) -> None:
        if self.terms.report is not None:
            self.terms.report(line)

    def _find(self, stars: Sequence[Target], done: LightCurvesFetched) -> tuple[list[Lead], set[Target]]:
        """Files to get, and the stars of which that may not be all."""
        leads: list[Lead] = []
        doubtful: set[Target] = set()
        asked = questions(self.book, self.author, stars, self.terms.choice, self.folder)
        for question, found in side_by_side(lambda one: one.find(self.terms.transfer), asked):
            if isinstance(found, FetchError):
                done.faults.append(f"{question.what}: {found}")
                doubtful.update(question.targets)
            else:
                leads += found
        if self.only:
            leads = [lead for lead in leads if _fits(lead.file.name, self.only)]
        return leads, doubtful

    def _get(
        self, stars: Sequence[Target], leads: Sequence[Lead], doubtful: set[Target], done: LightCurvesFetched
    ) -> None:
        """Get the files, and say of each star what came when its last file is there."""
        left = Counter(lead.target for lead in leads)
        there: Counter[Target] = Counter()
        fresh: Counter[Target] = Counter()
        failed = set(doubtful)
        told = 0

        def tell(star: Target) -> None:
            nonlocal told
            told += 1
            if there[star]:
                what = f"{_count(there[star], 'light curve')}, {fresh[star]} fetched now"
            else:
                what = "not fetched" if star in failed else "no light curve"
            self._say(f"{told:,} of {len(stars):,}: {star.name}, {what}")
            if not there[star] and star not in failed:
                done.without.append(star.name)

        for star in stars:
            if not left[star]:
                tell(star)
        for lead, came in side_by_side(self._get_one, leads):
            star = lead.target
            if isinstance(came, FetchError):
                done.faults.append(f"{star.name}: {came}")
                failed.add(star)
            elif came is not None:
                there[star] += 1
                fresh[star] += came
                done.files.append(self.folder / lead.file.name)
            left[star] -= 1
            if not left[star]:
                tell(star)
        done.fresh += sum(fresh.values())
        done.files.sort()
        done.faults.sort()

    def _get_one(self, lead: Lead) -> bool | None:
        """Whether a file was fetched now; None for one that the archive does not have."""
        try:
            return download(lead.file, self.folder, self.terms.transfer)
        except MissingFileError:
            if lead.sure:
                raise
            return None


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def side_by_side(
    work: Callable[[_Work], _Result], tasks: Sequence[_Work]
) -> Iterator[tuple[_Work, _Result | FetchError]]:
    """Do tasks a few at a time; give each when it is done, with the fault that it ended in.

    A server that cannot be reached ends all: what has not begun is not begun.
    """
    unreachable: list[NoNetworkError] = []

    def tried(task: _Work) -> _Result | FetchError:
        if unreachable:
            raise unreachable[0]
        try:
            return work(task)
        except NoNetworkError as fault:
            unreachable.append(fault)
            raise
        except FetchError as fault:
            return fault

    with ThreadPoolExecutor(AT_ONCE) as pool:
        todo = {pool.submit(tried, task): task for task in tasks}
        try:
            for future in as_completed(todo):
                yield todo[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
