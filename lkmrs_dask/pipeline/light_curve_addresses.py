"""Where the archive keeps the light curves of a star, and which there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.download import FetchError, MissingFileError, RemoteFile, Transfer
from lkmrs_dask.pipeline.fetch import Known
from lkmrs_dask.pipeline.light_curve_targets import Target
from lkmrs_dask.pipeline.remote_pages import ask_mast, linked_names, read_page

__all__ = ["CADENCES", "Choice", "Lead", "Question", "questions"]

CADENCES = {"long": ("llc",), "short": ("slc",), "both": ("llc", "slc")}
"""Words for the cadences of Kepler and K2, and how their files are called."""

_AT_ONCE = 50  # stars in a question to MAST: its address stays below 2,000 characters
_HALVES = {9: (91, 92), 10: (101, 102), 11: (111, 112)}
"""Campaigns that were split in two, each with files of its own (https://archive.stsci.edu/prepds/k2sff/)."""

_OF_K2 = re.compile(r"\bktwo(\d{9})-c(\d{2,3})_([ls])c")
_OF_SPOC = re.compile(r"\b(tess\d{13}-s(\d{4})-(\d{16})-\d{4}-s)(?![A-Za-z0-9])")
_OF_SECTOR = {
    "qlp": re.compile(r"_ffi_s(?P<sector>\d{4})-(?P<id>\d{16})_tess_v01_llc"),
    "tess-spoc": re.compile(r"_phot_(?P<id>\d{16})-s(?P<sector>\d{4})_tess_v1_"),
}
_PROVENANCE = {
    "spoc": ("TESS", "SPOC"), "qlp": ("HLSP", "QLP"), "tess-spoc": ("HLSP", "TESS-SPOC"),
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """Which light curves are wanted.

    Parameters
    ----------
    cadence : str
        ``long``, ``short`` or ``both``; of Kepler and K2.
    campaigns, sectors : tuple of int
        Of K2 and of TESS; all if there are none.
    """

    cadence: str = "long"
    campaigns: tuple[int, ...] = ()
    sectors: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.cadence not in CADENCES:
            raise UsageError(f"cadence {self.cadence!r}: there are {', '.join(CADENCES)}")

    def check(self, mission: str, author: str) -> None:
        """Raise UsageError where a mission's author has nothing that could be chosen so."""
        wrong = {
            "cadence": self.cadence != "long" and mission == "TESS",
            "campaigns": bool(self.campaigns) and mission != "K2",
            "sectors": bool(self.sectors) and mission != "TESS",
        }
        for name in (name for name, is_wrong in wrong.items() if is_wrong):
            raise UsageError(f"--{name} is not for the light curves of {mission}")
        if author == "k2sff" and self.cadence == "short":
            raise UsageError("k2sff has no light curves of short cadence")


class Lead(NamedTuple):
    """A file of a star that the archive has, or may have.

    Attributes
    ----------
    target : Target
        The star.
    file : RemoteFile
        The file.
    sure : bool
        Whether the archive lists it; otherwise it is no fault that it is not there.
    """

    target: Target
    file: RemoteFile
    sure: bool


@dataclass(frozen=True)
class Question:
    """What is to be asked of the archive for some stars.

    Parameters
    ----------
    what : str
        Of whom it is, for messages.
    targets : tuple of Target
        Stars whose files may be in the answer.
    find : callable
        Asks it and gives the leads; raises FetchError.
    """

    what: str
    targets: tuple[Target, ...]
    find: Callable[[Transfer | None], list[Lead]]


def questions(
    book: Known, author: str, targets: Sequence[Target], choice: Choice, folder: Path
) -> list[Question]:
    """Tell what to ask the archive for the light curves of stars.

    Parameters
    ----------
    book : Known
        Rules of addresses.
    author : str
        One of ``book.by_star``.
    targets : sequence of Target
        Stars of one mission.
    choice : Choice
        Which light curves.
    folder : Path
        Where the files are to lie, for messages.

    Returns
    -------
    list of Question
        Kepler: the page of each star's folder.  K2 and TESS: MAST's service for 50 stars at a time, which
        tells their campaigns and sectors; where these are given, no question, or the lists of the sectors.
    """
    ask = _Ask(book, author, tuple(targets), choice, folder)
    if book.by_star[author].endswith("/"):
        return [Question(target.name, (target,), partial(ask.folder_of, target)) for target in targets]
    if author == "spoc" and choice.sectors:
        return [
            Question(f"sector {sector}", ask.targets, partial(ask.script_of, sector))
            for sector in choice.sectors
        ]
    if choice.sectors or choice.campaigns:
        return [Question("all stars", ask.targets, ask.all_given)]
    parts = [ask.targets[at : at + _AT_ONCE] for at in range(0, len(targets), _AT_ONCE)]
    return [Question(_names(part), part, partial(ask.service_for, part)) for part in parts]


def _names(targets: Sequence[Target]) -> str:
    if len(targets) == 1:
        return targets[0].name
    return f"{len(targets)} stars from {targets[0].name} to {targets[-1].name}"


@dataclass(frozen=True)
class _Ask:
    """The ways to find the files of stars."""

    book: Known
    author: str
    targets: tuple[Target, ...]
    choice: Choice
    folder: Path

    def folder_of(self, target: Target, transfer: Transfer | None) -> list[Lead]:
        """The files that the page of a star's folder links to."""
        url = self._address(target)
        endings = CADENCES[self.choice.cadence]
        files = re.compile(rf"kplr{target.number:09d}-\d{{13}}_([ls]lc)\.fits")
        patterns = " and ".join(f"*_{ending}.fits" for ending in endings)
        by_hand = f"open it with a browser and put its {patterns} into {self.folder}"
        try:
            page = read_page(url, target.name, by_hand, transfer)
        except MissingFileError:
            return []
        matches = [match for match in map(files.fullmatch, linked_names(page)) if match]
        if not matches:  # a star that was not observed has no folder
            raise FetchError(f"{url} links to no light curve: its form may have changed; {by_hand}")
        # The name is put behind the folder's own address: a link may lead anywhere.
        names = [match.group() for match in matches if match[1] in endings]
        return [Lead(target, RemoteFile(url + name, name), True) for name in names]

    def script_of(self, sector: int, transfer: Transfer | None) -> list[Lead]:
        """The files of a sector's list that are of these stars."""
        url = self.book.script.format(sector=sector)
        by_hand = f"take the files from {self.book.page} and put them into {self.folder}"
        page = read_page(url, f"list of sector {sector}", by_hand, transfer)
        if _OF_SPOC.search(page) is None:
            raise FetchError(f"{url} lists no light curve: its form may have changed; {by_hand}")
        return self._of_spoc(page)

    def all_given(self, transfer: Transfer | None) -> list[Lead]:
        """The files that there would be in the campaigns or sectors that are given."""
        if self.choice.sectors:
            return [
                self._of_sector(target, sector) for target in self.targets for sector in self.choice.sectors
            ]
        return [
            lead
            for target in self.targets
            for campaign in self.choice.campaigns
            for lead in self._of_campaign(target, campaign, CADENCES[self.choice.cadence])
        ]

    def service_for(self, part: tuple[Target, ...], transfer: Transfer | None) -> list[Lead]:
        """The files of some stars after what MAST's service tells."""
        if part[0].mission == "K2":
            # The names that the mission's targets have there: see search.py of the package lightkurve.
            filters = {
                "obs_collection": ("K2",),
                "target_name": tuple(f"ktwo{target.number:09d}" for target in part),
            }
        else:
            collection, provenance = _PROVENANCE[self.author]
            plain = [form for target in part for form in (f"{target.number}", f"{target.number:09d}")]
            filters = {
                "obs_collection": (collection,),
                "provenance_name": (provenance,),
                "target_name": tuple(dict.fromkeys(plain)),
            }
        rows = "\n".join(ask_mast(self.book.ask, filters, _names(part), self._by_hand(), transfer))
        if part[0].mission == "K2":
            return self._of_k2(rows)
        return self._of_spoc(rows) if self.author == "spoc" else self._of_ffi(rows)

    def _of_k2(self, rows: str) -> list[Lead]:
        mine = {target.number: target for target in self.targets}
        wanted = CADENCES[self.choice.cadence]
        found = {(int(star), int(campaign), f"{kind}lc") for star, campaign, kind in _OF_K2.findall(rows)}
        return [
            lead
            for star, campaign, cadence in sorted(found)
            if star in mine and cadence in wanted
            for lead in self._of_campaign(mine[star], campaign, (cadence,))
        ]

    def _of_spoc(self, text: str) -> list[Lead]:
        mine = {f"{target.number:016d}": target for target in self.targets}
        found = {match.group(): (match[1], match[3]) for match in _OF_SPOC.finditer(text) if match[3] in mine}
        leads = []
        for observation, star in sorted(found.values()):
            name = f"{observation}_lc.fits"
            leads.append(Lead(mine[star], RemoteFile(self._address(mine[star], name=name), name), True))
        return leads

    def _of_ffi(self, rows: str) -> list[Lead]:
        mine = {f"{target.number:016d}": target for target in self.targets}
        matches = _OF_SECTOR[self.author].finditer(rows)
        found = {(match["id"], int(match["sector"])) for match in matches if match["id"] in mine}
        return [self._of_sector(mine[star], sector) for star, sector in sorted(found)]

    def _of_sector(self, target: Target, sector: int) -> Lead:
        return self._lead(self._address(target, sector=sector), target)

    def _of_campaign(self, target: Target, campaign: int, cadences: Iterable[str]) -> list[Lead]:
        if self.author == "k2sff":
            cadences = [cadence for cadence in cadences if cadence == "llc"]
        return [
            self._lead(self._address(target, campaign=half, cadence=cadence), target)
            for cadence in cadences
            for half in _HALVES.get(campaign, (campaign,))
        ]

    def _lead(self, url: str, target: Target) -> Lead:
        return Lead(target, RemoteFile(url, url.rpartition("/")[2]), False)

    def _address(self, target: Target, **more: object) -> str:
        """The author's rule for a star."""
        digits = f"{target.number:0{16 if target.mission == 'TESS' else 9}d}"
        fours = {f"p{at}": digits[4 * at - 4 : 4 * at] for at in range(1, 5)}
        pieces = {"id": digits, "head": digits[:4], "middle": digits[4:6], "tail": digits[4:9], **fours}
        return self.book.by_star[self.author].format(**pieces, **more)

    def _by_hand(self) -> str:
        direct = "--campaigns" if self.targets[0].mission == "K2" else "--sectors"
        return (
            f"take the files from {self.book.page} and put them into {self.folder} (with {direct} that "
            "service is not asked)"
        )
