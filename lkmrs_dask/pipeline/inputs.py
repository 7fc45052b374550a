"""Inputs of a job: raw files that become its catalogues, and catalogues of other surveys."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.settings import Settings, check_names
from lkmrs_dask.readers.base import Source
from lkmrs_dask.readers.external.kinds import KINDS
from lkmrs_dask.schema import MEASUREMENTS, SPECTRA

__all__ = ["ExternalSpec", "InputSpec", "expand", "files_matching", "read_external_spec", "read_input"]

_LITERAL = re.compile(r"\[([*?[])\]")  # as `lkmrs ingest` writes signs that patterns have a use for
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_CATALOGS = {table.name: table for table in (SPECTRA, MEASUREMENTS)}
_KINDS = ("table", "mrs_spectra")


@dataclass(frozen=True)
class InputSpec:
    """One ``[[input]]`` of a job.

    Parameters
    ----------
    catalog : str
        ``spectra`` or ``measurements``.
    kind : str
        ``table`` (CSV, CSV.gz, FITS, Parquet) or ``mrs_spectra`` (FITS spectra).
    files : tuple of str
        Patterns under the job's raw folder.
    options : mapping
        What else the input states: ``columns``, ``constants``, ``delimiter``, ``plans``, ``flux``, ...
    optional : bool
        Whether the job goes on where no file matches.
    raw : str, optional
        Folder of the files in place of the job's.
    ingested : bool
        Whether the files were added to a survey by ``lkmrs ingest``; their patterns then name just them.
    """

    catalog: str
    kind: str
    files: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False
    raw: str | None = None
    ingested: bool = False

    def literal_files(self) -> list[str]:
        """Names of the files of an ingest, below its folder."""
        return [_LITERAL.sub(r"\1", pattern) for pattern in self.files]

    def folder(self, raw: Path) -> Path:
        """Folder of the files; absolute, for workers may have another current folder."""
        # Resolved, so that a file has one name however its folder was spelled.
        return (raw if self.raw is None else Path(self.raw)).resolve()

    def source(self, raw: Path, settings: Settings) -> Source:
        """Make the reader of this input; `raw` is the job's folder."""
        raw = self.folder(raw)
        if self.kind == "mrs_spectra":
            from lkmrs_dask.readers.lamost_spectra import SpectraSource

            return SpectraSource(
                patterns=self.files,
                root=raw,
                plans=tuple(self.options.get("plans", ())),
                flux=bool(self.options.get("flux", True)),
                low_snr=settings.low_snr,
            )
        from lkmrs_dask.readers.lamost_tables import TableSource

        return TableSource.from_settings(
            _CATALOGS[self.catalog],
            self.files,
            raw,
            exptime_single=settings.exptime_single,
            exptime_coadd=settings.exptime_coadd,
            low_snr=settings.low_snr,
            **self.options,
        )


@dataclass(frozen=True)
class ExternalSpec:
    """One ``[[external]]`` of a job: a catalogue of another survey.

    Parameters
    ----------
    name : str
        Its name in the survey: ``external/NAME``, and ``matches/NAME``.
    kind : str
        What its files are (`lkmrs_dask.readers.external.kinds.KINDS`), also where it is a catalogue already.
    files : tuple of str
        Patterns of files under the job's raw folder; none where `path` is given.
    path : str
        Folder or address of a HATS catalogue, which is used where it is.
    options : mapping
        For its reader: ``columns``, ``id``, ``ra``, ``dec``, ``epoch``, ``delimiter``, ``sentinels``.
    optional : bool
        Whether the job goes on where no file matches.
    """

    name: str
    kind: str
    files: tuple[str, ...] = ()
    path: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False

    def check(self, raw: Path) -> list[Path]:
        """Give its raw files, none where it is a catalogue, which is opened.

        Raises
        ------
        UsageError
            When there are none and it is not optional.
        CatalogError
            When it is no catalogue.
        """
        if not self.path:
            return self.found(raw)
        open_catalog(self.path)
        return []

    def found(self, raw: Path) -> list[Path]:
        """Files that are there; none of an optional one whose files are not.

        Raises
        ------
        UsageError
            When there are none and it is not optional.
        """
        raw = raw.resolve()
        for pattern in self.files:
            if Path(pattern).is_absolute():
                raise UsageError(
                    f"external catalogue {self.name}: files are patterns below raw, not {pattern}"
                )
        found = files_matching(self.files, raw)
        if not found and not self.optional:
            raise UsageError(
                f"external catalogue {self.name}: no file matches {', '.join(self.files)} in {raw}"
            )
        return found


def files_matching(patterns: Iterable[str], folder: Path) -> list[Path]:
    """Files under a folder that match one of some patterns, sorted, each once."""
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def expand(text: str, where: str = "") -> str:
    """Replace ``${NAME}`` and ``${NAME:-default}`` by environment variables.

    Raises
    ------
    UsageError
        When a variable without default is not set.
    """

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        found = os.environ.get(name) or default
        if found is None:
            raise UsageError(f"{where}: the environment variable {name} is not set and has no default")
        return found

    return _VARIABLE.sub(value, text)


_OPTIONS = {
    "table": ("columns", "constants", "delimiter", "plans", "only_mapped"),
    "mrs_spectra": ("plans", "flux"),
}


_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "columns": ("a table of names", lambda value: isinstance(value, dict)),
    "constants": ("a table of values", lambda value: isinstance(value, dict)),
    "delimiter": ("one character", lambda value: isinstance(value, str) and len(value) == 1),
    "plans": (
        "a list of patterns",
        lambda value: isinstance(value, list) and all(isinstance(pattern, str) for pattern in value),
    ),
    "only_mapped": ("true or false", lambda value: isinstance(value, bool)),
    "flux": ("true or false", lambda value: isinstance(value, bool)),
    "optional": ("true or false", lambda value: isinstance(value, bool)),
    "raw": ("a folder", lambda value: isinstance(value, str)),
}


def read_input(entry: Mapping[str, Any], number: int, path: Path) -> InputSpec:
    """Read one ``[[input]]``.

    Raises
    ------
    UsageError
        When it is wrong; the message names the entry.
    """
    where = f"[[input]] number {number}"
    kind = entry.get("kind", "table")
    if kind not in _KINDS:
        raise UsageError(f"job file {path}: {where}: kind {kind!r} is none of {', '.join(_KINDS)}")
    check_names(entry, ("catalog", "kind", "files", "optional", "raw", *_OPTIONS[kind]), path, where)
    catalog = entry.get("catalog", "spectra" if kind == "mrs_spectra" else None)
    if catalog not in _CATALOGS:
        raise UsageError(f"job file {path}: {where}: catalog {catalog!r} is none of {', '.join(_CATALOGS)}")
    patterns = entry.get("files")
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if (
        not isinstance(patterns, list)
        or not patterns
        or not all(isinstance(pattern, str) for pattern in patterns)
    ):
        raise UsageError(f"job file {path}: {where}: files must be a pattern or a list of patterns")
    if kind == "mrs_spectra" and catalog != "spectra":
        raise UsageError(
            f"job file {path}: {where}: FITS spectra belong to the catalog spectra, not {catalog}"
        )
    options = {name: entry[name] for name in _OPTIONS[kind] if name in entry}
    other = {"optional": entry.get("optional", False), "raw": entry.get("raw", "")}
    for name, value in {**options, **other}.items():
        expected, fits = _TYPES[name]
        if not fits(value):
            raise UsageError(f"job file {path}: {where}: {name} must be {expected}, got {value!r}")
    folder = str(Path(expand(entry["raw"], str(path))).expanduser().absolute()) if "raw" in entry else None
    return InputSpec(catalog, kind, tuple(patterns), options, other["optional"], folder)


_EXTERNAL_OPTIONS = ("columns", "id", "ra", "dec", "epoch", "delimiter", "sentinels")


def read_external_spec(entry: Mapping[str, Any], number: int, path: Path) -> ExternalSpec:
    """Read one ``[[external]]``.

    Raises
    ------
    UsageError
        When it is wrong; the message names the entry.
    """
    where = f"[[external]] number {number}"
    check_names(entry, ("name", "kind", "files", "path", "optional", *_EXTERNAL_OPTIONS), path, where)
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f"job file {path}: {where}: kind {kind!r} is none of {', '.join(KINDS)}")
    name = entry.get("name", kind)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(f"job file {path}: {where}: a name has letters, digits, _ and -, got {name!r}")
    patterns = entry.get("files", [])
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise UsageError(f"job file {path}: {where}: files must be a pattern or a list of patterns")
    catalog = entry.get("path", "")
    if not isinstance(catalog, str) or bool(catalog) == bool(patterns):
        raise UsageError(f"job file {path}: {where}: give files, or the path of a HATS catalogue")
    optional = entry.get("optional", False)
    if not isinstance(optional, bool):
        raise UsageError(f"job file {path}: {where}: optional must be true or false, got {optional!r}")
    options = {name: entry[name] for name in _EXTERNAL_OPTIONS if name in entry}
    return ExternalSpec(name, kind, tuple(patterns), expand(catalog, str(path)), options, optional)
