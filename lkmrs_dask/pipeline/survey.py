"""A survey folder: where its catalogues, products and reports lie."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from lkmrs_dask.errors import LkmrsError, UsageError

__all__ = ["CATALOGS", "Survey"]

_GONE = ".gone-"
CATALOGS = ("spectra", "measurements", "stars", "targets")


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
    def new_set_aside(self) -> Path:
        """Where a run collects what it sets aside; it takes the place of `set_aside` when the run ends."""
        return self.work / "set_aside"

    @property
    def summary(self) -> Path:
        """Counts by name."""
        return self.root / "summary.json"

    @property
    def work(self) -> Path:
        """Scratch space of a run, gone when it ends well."""
        return self.root / ".work"

    def catalog(self, name: str) -> Path:
        """Folder of a catalogue."""
        return self.root / name

    def catalogs(self) -> dict[str, Path]:
        """Catalogues that are there, by name."""
        return {
            name: self.catalog(name)
            for name in CATALOGS
            if (self.catalog(name) / "hats.properties").is_file()
        }

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
            When another run is at work there.  A run that was killed leaves nothing that keeps others out.
        """
        if self.root.exists() and not self.root.is_dir():
            raise UsageError(f"--out {self.root} is a file; name a folder")
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as fault:
                text = f"another run is at work in {self.root}: wait for its end, or choose another --out"
                raise LkmrsError(text) from fault
            for left in self.root.glob(f".*{_GONE}*"):
                shutil.rmtree(left)
            yield

    def publish_set_aside(self) -> None:
        """Put what the run has set aside in its place, and remove the scratch space."""
        if self.set_aside.exists():
            self.drop(self.set_aside)
        if self.new_set_aside.is_dir():
            os.replace(self.new_set_aside, self.set_aside)
        shutil.rmtree(self.work, ignore_errors=True)

    def drop(self, folder: Path) -> None:
        """Remove a folder; a kill half-way leaves no part of it under its name."""
        gone = folder.with_name(f".{folder.name}{_GONE}{uuid4().hex[:8]}")
        os.replace(folder, gone)
        shutil.rmtree(gone)
