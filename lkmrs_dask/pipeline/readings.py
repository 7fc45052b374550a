"""First stage of a run: raw files to runs of rows, each reading with a receipt that outlives the rows.

A reading is one large file, or small ones of a folder together.  Its receipt keeps what later runs need
without the file: sightings of stars, what was set aside and why, and failures.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lkmrs_dask.catalog.layout import gather_sightings
from lkmrs_dask.catalog.receipts import Receipt, code_fingerprint, fingerprint, whole_file, write_text
from lkmrs_dask.catalog.runs import ReadFiles, Run, read_files
from lkmrs_dask.errors import CatalogError, DamagedError, InputError
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.progress import StageRecord
from lkmrs_dask.pipeline.stages import Done, StageResult, Unit, carry_out
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.readers.base import Source

__all__ = [
    "FILES",
    "PLACES",
    "READ",
    "FileState",
    "Read",
    "ReadRaw",
    "Reading",
    "as_at_hand",
    "known_readings",
    "listed_readings",
    "read_raw",
    "reading_of",
    "readings_of",
    "split_by_run",
    "write_list",
]  # fmt: skip

READ, FILES, PLACES = "read", "receipts/read_files", "receipts/places"
LIST = "receipts/readings.json"
FileState = tuple[str, int, int]

_PLACE = ("root", "patterns", "schema", "block_bytes", "batch_rows")  # do not change what is read


@dataclass(frozen=True)
class Reading:
    """Raw files that are read together.

    Parameters
    ----------
    name : str
        Names the receipt.
    fingerprint : str
        Of the files' names, sizes and times of change, of the reader's settings and of the code.
    catalog : str
        Where the rows go.
    source : Source or None
        Reads them; None where only the receipt of an earlier run is left.
    files : tuple of Path
        The files.
    state : tuple
        Name, size and time of change of each.
    """

    name: str
    fingerprint: str
    catalog: str
    source: Source | None
    files: tuple[Path, ...]
    state: tuple[FileState, ...] = ()


def readings_of(sources: Iterable[tuple[str, Source, Sequence[Path]]]) -> list[Reading]:
    """Divide the files of sources into readings; each is given with its catalogue's name and its files."""
    every = [
        reading_of(catalog, source, some)
        for catalog, source, files in sources
        for some in _together(files, source.files_together)
    ]
    return _tell_apart(every)


def _tell_apart(every: Sequence[Reading]) -> list[Reading]:
    """Give each reading a name of its own."""
    times = Counter(one.fingerprint for one in every)
    # Twins (files of equal name, size and time in two folders) are told apart by where they lie.
    told = [one if times[one.fingerprint] == 1 else _by_place(one) for one in every]
    found: dict[str, Reading] = {}
    for one in told:
        name, copies = one.name, 1
        while name in found:  # the same file by two inputs
            copies += 1
            name = f"{one.name}-{copies}"
        found[name] = replace(one, name=name)
    return list(found.values())


def _by_place(reading: Reading) -> Reading:
    print_of = fingerprint(reading.fingerprint, [str(file) for file in reading.files])
    return replace(reading, name=f"{reading.catalog}-{print_of[:16]}", fingerprint=print_of)


def _together(files: Sequence[Path], most: int) -> Iterator[tuple[Path, ...]]:
    for _, some in groupby(files, key=lambda file: file.parent):
        group = tuple(some)
        for first in range(0, len(group), most):
            yield group[first : first + most]


def _settings(source: Source) -> list[Any]:
    values = {f.name: repr(getattr(source, f.name)) for f in fields(source) if f.name not in _PLACE}  # type: ignore[arg-type]
    return [type(source).__name__, values]


def _state(file: Path) -> FileState:
    stat = file.stat()
    return file.name, stat.st_size, stat.st_mtime_ns


def known_readings(receipts: Path, damaged: list[CatalogError] | None = None) -> list[Reading]:
    """Readings that a survey is made of, from their receipts; see `Receipt.read_all`."""
    return [_known(name, one) for name, one in Receipt.read_all(receipts, READ, damaged).items()]


def _known(name: str, receipt: Receipt) -> Reading:
    extra = receipt.extra
    state = tuple((str(file), int(size), int(time)) for file, size, time in extra["state"])
    return Reading(name, receipt.fingerprint, extra["catalog"], None, tuple(map(Path, extra["files"])), state)


def as_at_hand(known: Iterable[Reading], there: Mapping[str, Reading]) -> list[Reading]:
    """Readings of a survey, with the reader and settings of today where their files are as they were.

    Parameters
    ----------
    known : iterable of Reading
        From receipts.
    there : mapping
        Readings of the raw files that are there, by name.
    """
    source_of = {file: one.source for one in there.values() for file in one.files}
    state_of = {f: s for one in there.values() for f, s in zip(one.files, one.state, strict=True)}
    found = []
    for one in known:
        source = source_of.get(one.files[0])
        if one.name in there:
            found.append(there[one.name])
        elif source is not None and [state_of.get(file) for file in one.files] == list(one.state):
            found.append(reading_of(one.catalog, source, one.files))
        else:
            found.append(one)
    return _tell_apart(found)


def write_list(draft: Draft, reads: Sequence[Read]) -> None:
    """List the readings that a survey's partitions are made of, so that a lost receipt is missed."""
    listed = {read.receipt.unit: [read.reading.catalog, read.receipt.rows] for read in reads}
    write_text(draft.next.root / LIST, json.dumps(listed, indent=0))
    draft.replace(LIST)


def listed_readings(survey: Survey) -> dict[str, tuple[str, int]] | None:
    """Catalogue and rows of the readings that a survey is made of; None where the list cannot be read."""
    try:
        listed = json.loads((survey.root / LIST).read_text(encoding="utf-8"))
        return {str(name): (str(catalog), int(rows)) for name, (catalog, rows) in listed.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def reading_of(catalog: str, source: Source, files: Sequence[Path]) -> Reading:
    """Make a reading of some files of a source."""
    state = tuple(_state(file) for file in files)
    print_of = fingerprint(code_fingerprint(), catalog, _settings(source), state)
    return Reading(f"{catalog}-{print_of[:16]}", print_of, catalog, source, tuple(files), state)


@dataclass(frozen=True)
class ReadRaw:
    """Task: read raw files into runs.

    Parameters
    ----------
    work : Path
        Folder of the runs.
    keep : Path
        Folder of what outlives them.
    """

    work: Path
    keep: Path

    def __call__(self, reading: Reading) -> Done:
        """Read them."""
        assert reading.source is not None
        found = read_files(ReadFiles(reading.source, reading.files, self.work / reading.name))
        self.keep.mkdir(parents=True, exist_ok=True)
        sightings = self.keep / f"{reading.name}.sightings.parquet"
        _write(gather_sightings(run.sightings() for run in found.runs), sightings)
        files = [sightings]
        if found.set_aside.num_rows:
            files.append(self.keep / f"{reading.name}.set_aside.parquet")
            _write(found.set_aside, files[-1])
        reasons = pc.value_counts(found.set_aside.column("reason")).to_pylist()
        extra = {
            "catalog": reading.catalog,
            "files": [str(file) for file in reading.files],
            "state": [list(state) for state in reading.state],
            "columns": sorted({name for run in found.runs for name in run.columns()}),
            "runs": [[run.stem.name, *map(_size, run.files())] for run in found.runs],
            "set_aside": {item["values"]: item["counts"] for item in reasons},
            "failures": [
                [isinstance(one, DamagedError), one.message, one.file, one.column, one.row]
                for one in found.failures
            ],
            "again": any(_of_system(one) for one in found.failures)
            or not all(os.access(file, os.R_OK) for file in reading.files),
        }
        return Done(sum(run.rows for run in found.runs), tuple(files), extra)


def _write(table: pa.Table, path: Path) -> None:
    with whole_file(path) as temporary:
        pq.write_table(table, temporary)


def read_raw(readings: Sequence[Reading], draft: Draft, crew: Crew, record: StageRecord) -> StageResult:
    """Read raw files; their runs go to the survey's scratch space, what outlives these to the draft."""
    units = [Unit(one.name, one.fingerprint, one, sum(map(_size, one.files))) for one in readings]
    function = ReadRaw(draft.scratch, draft.next.root / FILES)
    return carry_out(READ, function, units, crew, record, draft.next)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # whoever reads it will say what is wrong with it


def _of_system(fault: InputError) -> bool:
    """Whether a file failed for a reason outside of it, which may be gone without the file being changed."""
    return isinstance(fault.__cause__, OSError) and fault.__cause__.errno is not None


@dataclass(frozen=True, eq=False)
class Read:
    """A reading that is done.

    Parameters
    ----------
    reading : Reading
        What was read.
    receipt : Receipt
        What it gave.
    root : Path
        Folder that the receipt's files lie under: the survey's or its draft's.
    in_survey : bool
        Whether the survey was made of it already.
    """

    reading: Reading
    receipt: Receipt
    root: Path
    in_survey: bool

    @property
    def content(self) -> str:
        """Fingerprint of what it gave: the same files, read with less success, give something else."""
        return fingerprint(self.receipt.fingerprint, self.receipt.rows, self.receipt.files[0].sha256)

    @property
    def columns(self) -> list[str]:
        """Columns of its rows."""
        return list(self.receipt.extra["columns"])

    @property
    def failures(self) -> list[InputError]:
        """Files whose reading ended early."""
        return [
            (DamagedError if damaged else InputError)(message, file=file, column=column, row=row)
            for damaged, message, file, column, row in self.receipt.extra["failures"]
        ]

    def sightings(self) -> pa.Table:
        """Sightings of its rows, those of one run after the other."""
        return pq.read_table(self._file("sightings"), partitioning=None)

    def set_aside(self) -> pa.Table | None:
        """Rows that it did not use."""
        path = self._file("set_aside")
        return pq.read_table(path, partitioning=None) if self.receipt.extra["set_aside"] else None

    def _file(self, kind: str) -> Path:
        return self.root / FILES / f"{self.receipt.unit}.{kind}.parquet"

    def runs(self, folder: Path) -> list[Run] | None:
        """Its rows, None where they are not at hand any more, or not as they were written."""
        runs = []
        for name, *sizes in self.receipt.extra["runs"]:
            runs.append(Run(folder / name))
            if [_size(file) for file in runs[-1].files()] != sizes:
                return None
        return runs


def split_by_run(runs: Sequence[Run], star: np.ndarray) -> list[np.ndarray]:
    """Part of each run of an array with a value for each sighting of a reading."""
    sizes = [run.sightings().num_rows for run in runs]
    return np.split(star, np.cumsum(sizes)[:-1]) if sizes else []
