"""A survey folder: where its catalogues, products, receipts and reports lie, and who may change it."""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from lkmrs_dask.errors import LkmrsError, UsageError

__all__ = ["CATALOGS", "MATCHES", "MEANS", "Survey"]

_A_LOOK = 0.1  # seconds
CATALOGS = (
    "spectra", "measurements", "means", "stars", "targets", "rv_variability", "kinematics", "orbits",
    "light_curves", "magnitudes", "frequencies", "variables",
)  # fmt: skip
"""Catalogues of a survey; those of stars that other surveys have too are in the folder `MATCHES`."""

MATCHES, MEANS = "matches", "means"
_REPLACED = (*CATALOGS, MATCHES, "external", "products", "receipts", "set_aside", "summary.json", "_SUCCESS")


@dataclass(frozen=True)
class Survey:
    """Paths of a survey folder.

    Parameters
    ----------
    root : Path
        The folder.
    """

    root: Path

    @property
    def products(self) -> Path:
        """Tables and figures."""
        return self.root / "products"

    @property
    def set_aside(self) -> Path:
        """Rows and files that were not used, with reasons."""
        return self.root / "set_aside"

    @property
    def summary(self) -> Path:
        """Counts by name."""
        return self.root / "summary.json"

    @property
    def receipts(self) -> Path:
        """What each piece of work was made of and what it gave."""
        return self.root / "receipts"

    @property
    def success(self) -> Path:
        """Empty file that is there when the last run ended well."""
        return self.root / "_SUCCESS"

    @property
    def work(self) -> Path:
        """Scratch space of a run, gone when it ends well."""
        return self.root / ".work"

    def catalog(self, name: str) -> Path:
        """Folder of a catalogue."""
        return self.root / name

    def repeated(self, name: str) -> Path:
        """Folder of the repeated rows of a catalogue, a file for each partition that has some."""
        return self.set_aside / f"{name}_repeated"

    def catalog_names(self) -> list[str]:
        """Names of the catalogues that a survey has, and of those that are not in every one."""
        found = (self.root / MATCHES).iterdir() if (self.root / MATCHES).is_dir() else ()
        return [*CATALOGS, *sorted(f"{MATCHES}/{path.name}" for path in found)]

    def catalogs(self) -> dict[str, Path]:
        """Catalogues that are there, by name."""
        return {
            name: self.catalog(name)
            for name in self.catalog_names()
            if (self.catalog(name) / "hats.properties").is_file()
        }

    def check_place(self) -> None:
        """Raise UsageError when a run here would replace what no run has made."""
        if self.root.exists() and not self.root.is_dir():
            raise UsageError(f"--out {self.root} is a file; name a folder")
        if self._is_own():
            return
        paths = [self.root / name for name in _REPLACED]
        foreign = [p.name for p in paths if p.is_file() or (p.is_dir() and any(p.iterdir()))]
        if foreign:
            raise UsageError(
                f"{self.root} holds {', '.join(foreign)}, which no run has made and a run would replace: "
                "choose another --out"
            )

    def _is_own(self) -> bool:
        """Whether a run was at work in the folder before."""
        if any((self.receipts / name).exists() for name in ("read", "job.json")) or self.work.is_dir():
            return True
        try:
            return {"job", "stages"} <= json.loads(self.summary.read_text(encoding="utf-8")).keys()
        except (OSError, ValueError, AttributeError):
            return False

    def check_inputs(self, files: Iterable[Path]) -> None:
        """Raise UsageError when a raw file lies where a run replaces everything."""
        root = self.root.resolve()
        for file in files:
            if root in file.parents and file.relative_to(root).parts[0] in _REPLACED:
                raise UsageError(
                    f"the raw file {file} lies in a folder of the survey {self.root} that runs replace: move "
                    "it, or choose another --out"
                )

    def check(self) -> None:
        """Raise UsageError when the folder holds no survey."""
        if not self.catalogs():
            raise UsageError(f"{self.root} holds no catalogue of a survey; make one with `lkmrs run`")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the folder for the time of the ``with`` block.

        Raises
        ------
        LkmrsError
            When another run is at work there; a run that was killed leaves nothing that keeps others out.
            When the disk is full, or a file cannot be written for another reason.
        """
        self.check_place()
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as stream:
            self._lock(stream)
            try:
                yield
            except BrokenPipeError:
                raise  # nobody reads what is printed; no fault of a file
            except OSError as fault:
                text = f"{self.root}: {fault}. What is done is kept: mend this, then run the same again"
                raise LkmrsError(text) from fault
            finally:
                self._clear_empty_work()

    def _clear_empty_work(self) -> None:
        """Leave no scratch space behind in which nothing was done."""
        if self.work.is_dir() and not any(path.is_file() for path in self.work.rglob("*")):
            self.clear_work()

    def _lock(self, stream: TextIO) -> None:
        for patience in (True, False):
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as fault:
                if not patience:
                    text = f"another run is at work in {self.root}: wait for its end, or choose another --out"
                    raise LkmrsError(text) from fault
                time.sleep(_A_LOOK)  # it may have been no more than a look whether a run is at work

    def busy(self) -> bool:
        """Whether a run is at work in the folder now."""
        path = self.root / ".lock"
        if not path.is_file():
            return False
        with path.open("r") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def clear_work(self) -> None:
        """Remove the scratch space."""
        shutil.rmtree(self.work, ignore_errors=True)
