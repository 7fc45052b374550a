"""The next state of a survey while a run makes it, and the moment when it becomes the survey.

A run never changes what is there: it writes beside it, and pieces that stay as they are are linked, not
copied.  When all is done a journal lists what is to be renamed, and from then on the change will be carried
through: a run that is killed amid the renames is finished by the next.  So a survey is always the old one or
the new one.

Each run works in a folder with a name of its own, which takes over what an interrupted one has done: workers
of a cluster may still be at a piece of a run whose client was killed, and must not reach this one's files.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from lkmrs_dask.catalog.receipts import Receipt, sync, write_text
from lkmrs_dask.errors import CatalogError, LkmrsError
from lkmrs_dask.pipeline.survey import Survey

__all__ = ["Draft", "Found", "interrupted_commit", "latest_draft"]

_SCRATCH, _BOOT = "runs", Path("/proc/sys/kernel/random/boot_id")

_JOURNAL, _OLD, _NEXT = "commit.json", "old", "next-"


class Found(NamedTuple):
    """A piece that is done: its receipt, and whether it is the survey's and not the draft's."""

    receipt: Receipt
    in_survey: bool


class Draft:
    """The next state of a survey.

    Parameters
    ----------
    survey : Survey
        The survey, locked by the caller.

    Attributes
    ----------
    next : Survey
        Paths of what is new, laid out as the survey itself.
    stale : set of str
        Parts of the survey that are to be written anew though their pieces are done.
    """

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self.next = Survey(survey.work / f"{_NEXT}{uuid4().hex}")
        self._replace: dict[str, None] = {}
        self._remove: dict[str, None] = {}
        self.stale: set[str] = set()

    def begin(self) -> bool:
        """Finish what a killed run had resolved to do, and take over what it had written.

        Returns
        -------
        bool
            Whether the survey was changed by that.
        """
        pending = interrupted_commit(self.survey)
        if pending:
            self._carry_through()
        left = latest_draft(self.survey)
        if left is not None:
            os.replace(left.root, self.next.root)
        for other in self.survey.work.glob(f"{_NEXT}*"):
            if other != self.next.root:
                shutil.rmtree(other, ignore_errors=True)
        self.next.receipts.mkdir(parents=True, exist_ok=True)
        return pending

    @cached_property
    def scratch(self) -> Path:
        """Folder of files that are not synced to disk; none is older than the machine's last start."""
        folder = self.survey.work / _SCRATCH
        note, now = folder / "since", _last_start()
        if not note.is_file() or note.read_text(encoding="utf-8") != now:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_text(note, now)
        return folder

    @property
    def changed(self) -> bool:
        """Whether anything is to be replaced or removed."""
        return bool(self._replace or self._remove)

    def finished(self, stage: str, wanted: Mapping[str, str]) -> dict[str, Found]:
        """Pieces of a stage that are done already, in the survey or in the draft.

        Parameters
        ----------
        stage : str
            The stage.
        wanted : mapping
            Fingerprints of its pieces, by name.
        """
        done = {}
        for name, wish in wanted.items():
            for place in (self.survey, self.next):
                receipt = _readable(place.receipts, stage, name)
                if receipt and receipt.fingerprint == wish and receipt.unchanged(place.root):
                    done[name] = Found(receipt, place is self.survey)
                    break
        return done

    def same_pieces(self, stage: str, found: Mapping[str, Found], n_wanted: int) -> bool:
        """Whether all pieces of a stage are done in the survey, and it has no others."""
        there = sum(1 for _ in (self.survey.receipts / stage).glob("*.json"))
        return len(found) == n_wanted == there and all(one.in_survey for one in found.values())

    def keep(self, found: Iterable[Found]) -> None:
        """Take pieces over from the survey: their files are linked, their receipts are written anew."""
        for receipt, in_survey in found:
            if not in_survey:
                continue
            for file in receipt.files:
                source, target = self.survey.root / file.path, self.next.root / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                try:
                    os.link(source, target)
                except OSError:  # a file system without links
                    shutil.copy2(source, target)
            receipt.write(self.next.receipts)

    def prune(self, stage: str, names: Iterable[str], folders: Iterable[Path]) -> None:
        """Remove receipts and files of pieces that are not wanted: left by a run that went otherwise."""
        known, wanted = set(names), set()
        for path in (self.next.receipts / stage).glob("*.json"):
            receipt = _readable(self.next.receipts, stage, path.name.removesuffix(".json"))
            if receipt is None or receipt.unit not in known:
                path.unlink()
            else:
                wanted |= {self.next.root / file.path for file in receipt.files}
        for folder in folders:
            for path in folder.rglob("*"):
                if path.is_file() and path not in wanted:
                    path.unlink()

    def settle(
        self,
        stage: str,
        found: Mapping[str, Found],
        names: Collection[str],
        *,
        folders: Iterable[Path] = (),
        parts: Iterable[str] = (),
        finish: Callable[[], object] | None = None,
        changed: bool = False,
    ) -> None:
        """End a stage whose pieces are done: unless the survey has them all and no others, it is replaced.

        Parameters
        ----------
        stage : str
            The stage; with it go its receipts.
        found : mapping of str to Found
            Pieces that were done already, as `finished` gave them.
        names : collection of str
            All its pieces.
        folders : iterable of Path
            Folders of the draft that hold nothing but files of its pieces.
        parts : iterable of str
            Files and folders of the survey that the draft's replace, beside the receipts.
        finish : callable, optional
            Writes what describes the pieces, when all are in the draft.
        changed : bool
            Whether it is to be replaced in any case.
        """
        if not (changed or stage in self.stale) and self.same_pieces(stage, found, len(names)):
            return
        self.keep(found.values())
        self.prune(stage, names, folders)
        if finish is not None:
            finish()
        for name in (*parts, f"receipts/{stage}"):
            self.replace(name)

    def replace(self, name: str) -> None:
        """Note that the draft's file or folder takes the survey's place; if it has none, that goes."""
        if (self.next.root / name).exists():
            self._remove.pop(name, None)
            self._replace[name] = None
        else:
            self.remove(name)

    def replace_if_changed(self, name: str) -> None:
        """Note a small file of the draft as `replace` does, unless the survey has it as it is."""
        new, old = (
            path.read_bytes() if path.is_file() else None
            for path in (self.next.root / name, self.survey.root / name)
        )
        if new != old:
            self.replace(name)

    def remove(self, name: str) -> None:
        """Note that a file or folder of the survey goes."""
        self._replace.pop(name, None)
        if (self.survey.root / name).exists():
            self._remove[name] = None

    def where(self, name: str) -> Path | None:
        """Path of a file or folder as it will be, None where there will be none."""
        if name in self._replace:
            return self.next.root / name
        path = self.survey.root / name
        return path if name not in self._remove and path.exists() else None

    def commit(self, success: bool) -> None:
        """Make the draft the survey."""
        shutil.rmtree(self.survey.work / _OLD, ignore_errors=True)
        for name in self._replace:
            _sync_all(self.next.root / name)
        journal = {
            "next": self.next.root.name,
            "replace": list(self._replace),
            "remove": list(self._remove),
            "success": success,
        }
        write_text(self.survey.work / _JOURNAL, json.dumps(journal))
        sync(self.survey.work)
        self._carry_through()

    def _carry_through(self) -> None:
        path = self.survey.work / _JOURNAL
        try:
            journal = json.loads(path.read_text(encoding="utf-8"))
            replace, remove = _names(journal["replace"]), _names(journal["remove"])
            (made,) = _names([journal["next"]])
            success = bool(journal["success"])
        except (ValueError, KeyError, TypeError) as fault:
            raise LkmrsError(f"{path} cannot be read ({fault}); remove it, and run the job again") from fault
        self.survey.success.unlink(missing_ok=True)
        # Each step can be repeated: what was renamed before a kill is not there to be renamed again.
        for name in replace:
            new = self.survey.work / made / name
            if new.exists():
                self._put_away(name)
                (self.survey.root / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(new, self.survey.root / name)
        for name in remove:
            self._put_away(name)
        for folder in {self.survey.root, *((self.survey.root / name).parent for name in replace)}:
            sync(folder)
        if success:
            write_text(self.survey.success, "")
        path.unlink()
        shutil.rmtree(self.survey.work / _OLD, ignore_errors=True)

    def _put_away(self, name: str) -> None:
        target, gone = self.survey.root / name, self.survey.work / _OLD / name
        if target.exists():
            gone.parent.mkdir(parents=True, exist_ok=True)
            os.replace(target, gone)


def _last_start() -> str:
    """Name the start of this machine; where the system has no name for it, that of this process."""
    return _BOOT.read_text(encoding="utf-8") if _BOOT.is_file() else uuid4().hex


def interrupted_commit(survey: Survey) -> bool:
    """Whether a run was killed while it made its draft the survey; the next run finishes that first."""
    return (survey.work / _JOURNAL).is_file()


def latest_draft(survey: Survey) -> Survey | None:
    """Draft of the run that is at work or was interrupted, None where there is none."""
    drafts = [Survey(path) for path in survey.work.glob(f"{_NEXT}*")]
    # A worker that was left behind may have made a folder anew for the piece that it was on.
    return max(drafts, key=lambda draft: sum(1 for _ in draft.receipts.rglob("*.json")), default=None)


def _sync_all(path: Path) -> None:
    """Have a file, or a folder with all that is in it, on disk."""
    for inner in path.rglob("*") if path.is_dir() else ():
        sync(inner)
    sync(path)


def _names(values: object) -> list[str]:
    """Check names of a journal: below the survey's folder, and text."""
    if not isinstance(values, list) or not all(isinstance(name, str) for name in values):
        raise TypeError("names must be a list of texts")
    for name in values:
        if not name or name.startswith("/") or ".." in name.split("/"):
            raise ValueError(f"{name!r} is no name of a part of a survey")
    return values


def _readable(folder: Path, stage: str, name: str) -> Receipt | None:
    try:
        return Receipt.read(folder, stage, name)
    except CatalogError:
        return None  # it counts as missing: the piece is made again, and its receipt with it
