"""Receipts: what a finished piece of work was made of and what it gave, a small JSON file each.

A piece is done when its receipt has the fingerprint of today's inputs, settings and code, and the files that
it names are there as they were written.  That is all that a run needs to go on where another was killed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from lkmrs_dask.errors import CatalogError

__all__ = [
    "Receipt", "WrittenFile", "code_fingerprint", "fingerprint", "sync", "whole_file",
    "write_array", "write_text",
]  # fmt: skip

_BLOCK = 1 << 20
_CHECK = "sha256"  # of all else that a receipt says
_WITHOUT = frozenset(
    {"cli.py", "progress.py", "report.py", "plan.py", "synth.py", "demo.py", "benchmarks.py", "style.py"}
)
"""Modules that do not change results, besides made-up data: how a run looks, and what is beside it."""


def fingerprint(*parts: object) -> str:
    """SHA-256 (hexadecimal) of values: text, bytes, numbers, and whatever of these JSON can write.

    Parameters
    ----------
    *parts : object
        Bytes-like (arrays too), or what `json.dumps` takes; order counts.
    """
    digest = hashlib.sha256()
    for part in parts:
        data: Any = part
        if not isinstance(part, bytes | bytearray | memoryview) and not hasattr(part, "__array_interface__"):
            data = json.dumps(part, sort_keys=True).encode()
        view = memoryview(data).cast("B")
        digest.update(f"{len(view)}:".encode())  # so that no two lists of parts run into the same bytes
        digest.update(view)
    return digest.hexdigest()


@cache
def code_fingerprint() -> str:
    """SHA-256 of the package's own modules: results of other code are not taken for today's."""
    digest = hashlib.sha256()
    root = files("lkmrs_dask")
    folder = Path(str(root))
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".csv") and "synthetic" not in path.parts and path.name not in _WITHOUT:
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class WrittenFile:
    """A file that a piece of work wrote.

    Parameters
    ----------
    path : str
        Relative to the folder that is published as a whole, with slashes.
    size : int
        Bytes.
    mtime_ns : int
        Time of its last change.
    sha256 : str
        Of its content.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, root: Path, path: Path) -> WrittenFile:
        """Describe a file under `root`."""
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
        stat = path.stat()
        return cls(path.relative_to(root).as_posix(), stat.st_size, stat.st_mtime_ns, digest.hexdigest())

    def unchanged(self, root: Path) -> bool:
        """Whether the file is as it was written: of this size, and of this time of change or content."""
        try:
            stat = (root / self.path).stat()
            if stat.st_size != self.size:
                return False
            # A copy of a survey may have lost the times of its files.
            return stat.st_mtime_ns == self.mtime_ns or self.problem(root) is None
        except OSError:
            return False

    def problem(self, root: Path) -> str | None:
        """Say what is wrong with the file, reading all of it; None for nothing."""
        try:
            found = WrittenFile.of(root, root / self.path)
        except OSError as fault:
            return f"{self.path}: {fault.strerror or fault}"
        if found.size != self.size:
            return f"{self.path}: {found.size} bytes are there, {self.size} were written"
        if found.sha256 != self.sha256:
            return f"{self.path}: its content is not what was written (SHA-256 differs)"
        return None


@dataclass(frozen=True)
class Receipt:
    """What a piece of work gave.

    Parameters
    ----------
    stage, unit : str
        Which work, and which piece of it.
    fingerprint : str
        Of inputs, settings and code.
    rows : int
        Rows that it made.
    files : tuple of WrittenFile
        What it wrote.
    extra : mapping
        Whatever else those after it need, as JSON knows it.
    peak_memory_mb : float
        Largest memory that its process had, until then.
    """

    stage: str
    unit: str
    fingerprint: str
    rows: int = 0
    files: tuple[WrittenFile, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    peak_memory_mb: float = 0.0

    def path(self, folder: Path) -> Path:
        """Where it lies in a folder of receipts."""
        return receipt_path(folder, self.stage, self.unit)

    def unchanged(self, root: Path) -> bool:
        """Whether all its files are there, of the size and time of change that they were written with."""
        return all(file.unchanged(root) for file in self.files)

    def write(self, folder: Path) -> None:
        """Write it: to a temporary file, synced, then renamed."""
        path = self.path(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        values = asdict(self)
        write_text(path, json.dumps({**values, _CHECK: fingerprint(values)}, separators=(",", ":")))

    @classmethod
    def read(cls, folder: Path, stage: str, unit: str) -> Receipt | None:
        """Read one; None where there is none.

        Raises
        ------
        CatalogError
            When it is there and cannot be understood.
        """
        path = receipt_path(folder, stage, unit)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(values, dict) or values.pop(_CHECK) != fingerprint(values):
                raise ValueError("it is not as it was written")
            values["files"] = tuple(WrittenFile(**one) for one in values["files"])
            receipt = cls(**values)
            receipt._check_types()
            return receipt
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise CatalogError(
                f"{path}: the receipt cannot be read ({fault}); `lkmrs verify SURVEY --repair` makes it anew"
            ) from fault

    def _check_types(self) -> None:
        texts = (
            self.stage,
            self.unit,
            self.fingerprint,
            *(f.path for f in self.files),
            *(f.sha256 for f in self.files),
        )
        numbers = (self.rows, *(f.size for f in self.files), *(f.mtime_ns for f in self.files))
        if not all(isinstance(text, str) for text in texts) or not isinstance(self.extra, dict):
            raise TypeError("an entry is not of its type")
        if not all(isinstance(number, int) for number in numbers):
            raise TypeError("a number is none")

    @classmethod
    def read_all(
        cls, folder: Path, stage: str, damaged: list[CatalogError] | None = None
    ) -> dict[str, Receipt]:
        """All receipts of a stage, by unit, sorted by name.

        Parameters
        ----------
        folder : Path
            Of the receipts.
        stage : str
            The stage.
        damaged : list, optional
            Gets the errors of receipts that cannot be read, which then count as missing.

        Raises
        ------
        CatalogError
            When one cannot be read and `damaged` is not given.
        """
        receipts = {}
        for path in sorted((folder / stage).glob("*.json")):
            try:
                receipt = cls.read(folder, stage, path.name.removesuffix(".json"))
            except CatalogError as fault:
                if damaged is None:
                    raise
                damaged.append(fault)
                continue
            if receipt is not None:
                receipts[receipt.unit] = receipt
        return receipts


def receipt_path(folder: Path, stage: str, unit: str) -> Path:
    """Where the receipt of a piece lies."""
    return folder / stage / f"{unit}.json"


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_array(path: Path, values: np.ndarray, lasting: bool = True) -> None:
    """Write an array as ``.npy``, whole or not at all; `lasting`: see `whole_file`."""
    # `numpy.save` to a file does not say that a disk is full, only that it wrote less than it would.
    buffer = io.BytesIO()
    np.save(buffer, values)
    with whole_file(path, lasting) as temporary:
        temporary.write_bytes(buffer.getbuffer())


@contextmanager
def whole_file(path: Path, lasting: bool = True) -> Iterator[Path]:
    """Give a path beside `path` to write to; it takes the place of `path` when the ``with`` block ends well.

    A cluster may do a piece twice, even at once: each has its own name, and what the last renames is whole.

    Parameters
    ----------
    path : Path
        The file.
    lasting : bool
        Whether it is to be whole after a loss of power too: it is on disk before it has its name.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        yield temporary
        if lasting:
            sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have a file's content, or the names in a folder, on disk, so that they outlast a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
