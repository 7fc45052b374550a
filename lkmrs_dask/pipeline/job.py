"""Job files: which raw files become which catalogues, and with what settings (TOML)."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from lkmrs_dask.errors import UsageError
from lkmrs_dask.readers.base import Source
from lkmrs_dask.schema import MEASUREMENTS, SPECTRA

__all__ = ["InputSpec", "Job", "Settings", "expand", "read_job"]

_LITERAL = re.compile(r"\[([*?[])\]")  # as `lkmrs ingest` writes signs that patterns have a use for
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_CATALOGS = {table.name: table for table in (SPECTRA, MEASUREMENTS)}
_KINDS = ("table", "mrs_spectra")


@dataclass(frozen=True)
class Settings:
    """Choices that change results, all with their defaults; a job states those that differ.

    Parameters
    ----------
    star_radius_arcsec : float
        Positions without uid this close are one star (fibre diameter 3.3", pointing 0.4").
    uid_spread_arcsec : float
        Positions of one uid further apart than this are reported as suspicious.
    low_snr : float
        Spectra below it are flagged: too faint for a radial velocity.  Ours.
    exptime_single, exptime_coadd : float
        Exposure times (s) for the mid-exposure time where a table states none: one exposure of the
        time-domain survey, and the usual three of a coadd (section 2).
    plate_radius_deg : float
        Radius of a plate's footprint.
    max_rows, max_mb : int
        A partition holds at most so many rows and so many MB in memory.
    """

    star_radius_arcsec: float = 3.0
    uid_spread_arcsec: float = 60.0
    low_snr: float = 2.0
    exptime_single: float = 1200.0
    exptime_coadd: float = 3600.0
    plate_radius_deg: float = 2.5
    max_rows: int = 500_000
    max_mb: int = 256


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
class Job:
    """A job file, read and checked.

    Parameters
    ----------
    name, title : str
        Short name, and one line about it.
    raw : Path
        Folder of the raw files.
    inputs : tuple of InputSpec
        In the order of the file.
    settings : Settings
        With the job's own values.
    path : Path or None
        The file.
    """

    name: str
    title: str
    raw: Path
    inputs: tuple[InputSpec, ...]
    settings: Settings
    path: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """All of it but the job file's path, for a survey's records."""
        return {
            "job": {"name": self.name, "title": self.title, "raw": str(self.raw.absolute())},
            "settings": asdict(self.settings),
            "inputs": [asdict(spec) for spec in self.inputs],
        }

    def with_inputs(self, specs: Iterable[InputSpec]) -> Job:
        """Make a job with more inputs; those that it has are not added again."""
        return replace(self, inputs=(*self.inputs, *(spec for spec in specs if spec not in self.inputs)))

    def without_ingested(self, files: Collection[Path]) -> Job:
        """Make a job without some of the files that were added to its survey."""
        inputs = []
        for spec in self.inputs:
            if spec.ingested:
                folder, names = spec.folder(self.raw), zip(spec.files, spec.literal_files(), strict=True)
                left = tuple(pattern for pattern, name in names if folder / name not in files)
                spec = replace(spec, files=left)
            if spec.files:
                inputs.append(spec)
        return replace(self, inputs=tuple(inputs))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Job:
        """Make a job of what `as_json` gave."""
        head = values["job"]
        inputs = tuple(InputSpec(**{**one, "files": tuple(one["files"])}) for one in values["inputs"])
        return cls(head["name"], head["title"], Path(head["raw"]), inputs, Settings(**values["settings"]))

    def sources(self) -> list[tuple[InputSpec, Source]]:
        """Make the readers; inputs marked optional without a file are left out.

        Raises
        ------
        UsageError
            When the raw folder is missing, or an input that is not optional has no file.
        """
        result = []
        for spec in self.inputs:
            folder = spec.folder(self.raw)
            if not folder.is_dir():
                raise UsageError(
                    f"raw folder {folder} is not there (job {self.name}); give another with --raw"
                )
            source = spec.source(self.raw, self.settings)
            if spec.optional and not any(any(folder.glob(pattern)) for pattern in spec.files):
                continue
            source.files()
            result.append((spec, source))
        if not result:
            raise UsageError(f"job {self.name} has no input with files under {self.raw}")
        return result


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


def read_job(path: str | Path, raw: str | Path | None = None) -> Job:
    """Read a job file.

    Parameters
    ----------
    path : str or Path
        The TOML file.
    raw : str or Path, optional
        Raw folder in place of the job's.  Relative ones start at the current folder.

    Raises
    ------
    UsageError
        When the file is missing or wrong; the message names the entry.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            content = tomllib.load(stream)
    except FileNotFoundError as fault:
        raise UsageError(f"no job file {path}; the project's own are in jobs/") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError, PermissionError) as fault:
        raise UsageError(f"job file {path}: {fault}") from fault
    _known(content, ("job", "settings", "input"), path, "the file")
    head = content.get("job", {})
    _known(head, ("name", "title", "raw"), path, "[job]")
    folder = raw if raw is not None else head.get("raw")
    if folder is None:
        raise UsageError(f"job file {path}: [job] raw is missing; state it or give --raw")
    return Job(
        name=str(head.get("name", path.stem)),
        title=str(head.get("title", "")),
        raw=Path(expand(str(folder), str(path))).expanduser(),
        inputs=tuple(_input(entry, number, path) for number, entry in enumerate(_inputs(content, path), 1)),
        settings=_settings(content.get("settings", {}), path),
        path=path,
    )


def _inputs(content: Mapping[str, Any], path: Path) -> list[Any]:
    entries = content.get("input", [])
    if not isinstance(entries, list):
        raise UsageError(f"job file {path}: inputs are written as [[input]], each with its own entries")
    return entries


def _settings(values: Mapping[str, Any], path: Path) -> Settings:
    known = {item.name: item for item in fields(Settings)}
    _known(values, tuple(known), path, "[settings]")
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise UsageError(f"job file {path}: [settings] {name} must be a positive number, got {value!r}")
        if name in _MOST and value > _MOST[name]:
            raise UsageError(f"job file {path}: [settings] {name} is at most {_MOST[name]}, got {value!r}")
        whole = isinstance(known[name].default, int)
        if whole and value != int(value):
            raise UsageError(f"job file {path}: [settings] {name} must be a whole number, got {value!r}")
        checked[name] = int(value) if whole else float(value)
    return Settings(**checked)


_MOST = {"star_radius_arcsec": 3600.0, "plate_radius_deg": 90.0}

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


def _input(entry: Mapping[str, Any], number: int, path: Path) -> InputSpec:
    where = f"[[input]] number {number}"
    kind = entry.get("kind", "table")
    if kind not in _KINDS:
        raise UsageError(f"job file {path}: {where}: kind {kind!r} is none of {', '.join(_KINDS)}")
    _known(entry, ("catalog", "kind", "files", "optional", "raw", *_OPTIONS[kind]), path, where)
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


def _known(entry: Mapping[str, Any], names: tuple[str, ...], path: Path, where: str) -> None:
    if not isinstance(entry, Mapping):
        raise UsageError(f"job file {path}: {where} must be a table of settings")
    unknown = sorted(set(entry) - set(names))
    if unknown:
        raise UsageError(
            f"job file {path}: {where} knows no {', '.join(unknown)}; it knows {', '.join(names)}"
        )
