"""Stages that map a function over the partitions of a catalogue: only those that have changed are done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.hats_write import finish_catalog, write_partition
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.receipts import Receipt, code_fingerprint, fingerprint
from lkmrs_dask.catalog.sources import PartitionSource
from lkmrs_dask.pipeline.beside import Beside, Besides
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.partitions import partition_done, size_class, written_partition
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.stages import Done, Failure, Unit, carry_out

__all__ = ["MapWork", "Pixel", "Summing", "always", "draft_catalog", "map_catalog", "sum_partitions"]

Pixel = tuple[int, int]
PARTITIONS = "partitions"


def draft_catalog(draft: Draft, name: str) -> Catalog | None:
    """Open a catalogue of a survey as it will be; None where there will be none."""
    path = draft.where(name)
    return open_catalog(path) if path is not None else None


class _Part(NamedTuple):
    """A partition with rows: its name, the checksum of its file, its pixel and weight, what it counts."""

    unit: str
    sha: str
    pixel: Pixel
    weight: int
    extra: Mapping[str, Any]


def _partitions(draft: Draft, name: str) -> list[_Part]:
    """List the partitions of a catalogue that have rows."""
    folder = draft.where(f"receipts/{name}")
    receipts = Receipt.read_all(folder.parents[name.count("/")], name) if folder is not None else {}
    return [
        _Part(
            unit,
            one.files[0].sha256,
            (one.extra["order"], one.extra["pixel"]),
            size_class(one.rows),
            one.extra,
        )
        for unit, one in receipts.items()
        if one.rows
    ]


def _besides(wanted: Sequence[Beside], draft: Draft) -> tuple[Besides, ...]:
    """Open other catalogues as they will be."""
    return tuple(
        Besides.of(
            one,
            draft_catalog(draft, one.catalog),
            {part.pixel: part.sha for part in _partitions(draft, one.catalog)},
        )
        for one in wanted
    )


def nothing(part: Pixel) -> None:
    """What a partition is given that needs nothing."""
    return None


def no_extra(table: pa.Table) -> dict[str, Any]:
    """What a receipt keeps beside rows, for a stage that needs no more."""
    return {}


def always(value: Any, part: Pixel) -> Any:
    """What every partition is given, or depends on: with `functools.partial`."""
    return value


@dataclass(frozen=True)
class _Read:
    """Reads those columns of a partition that a function needs."""

    source: PartitionSource
    columns: tuple[str, ...]

    def __call__(self, part: Pixel) -> pa.Table:
        return self.source.read(*part, self.columns)


@dataclass(frozen=True)
class Summing:
    """What is to be summed up of each partition of a catalogue.

    Parameters
    ----------
    catalog : str
        Its name.
    function : callable
        Makes, of a partition's rows and the tables of `beside`, what its receipt is to keep.
    needs : tuple of str
        Columns that it uses, as far as they are there.
    depends : object
        All else that its result depends on, for JSON.
    beside : tuple of Beside
        Catalogues whose rows in the same place are wanted too.
    """

    catalog: str
    function: Callable[..., dict[str, Any]]
    needs: tuple[str, ...]
    depends: Any = None
    beside: tuple[Beside, ...] = ()


@dataclass(frozen=True)
class _Sum:
    """Task: sum up a partition."""

    read: _Read
    function: Callable[..., dict[str, Any]]
    beside: tuple[Besides, ...]

    def __call__(self, part: Pixel) -> Done:
        table = self.read(part)
        return Done(len(table), extra=self.function(table, *(one.read(part) for one in self.beside)))


def sum_partitions(
    stage: str, work: Sequence[Summing], draft: Draft, crew: Crew, report: Reporter
) -> tuple[list[Receipt], list[Failure]]:
    """Sum up the partitions of catalogues; gives a receipt for each, which keeps what was found."""
    receipts: dict[str, Receipt] = {}
    failures: list[Failure] = []
    with report.stage(stage) as record:
        wanted: dict[str, str] = {}
        tasks: list[tuple[_Sum, list[Unit]]] = []
        for one in work:
            catalog = draft_catalog(draft, one.catalog)
            if catalog is not None:
                beside = _besides(one.beside, draft)
                units = [
                    Unit(
                        f"{one.catalog}-{unit}",
                        fingerprint(sha, code_fingerprint(), one.depends, [b.made_of(part) for b in beside]),
                        part,
                        weight,
                    )
                    for unit, sha, part, weight, _ in _partitions(draft, one.catalog)
                ]
                wanted |= {unit.name: unit.fingerprint for unit in units}
                columns = tuple(name for name in one.needs if name in catalog.columns)
                readers = tuple(b.without_checksums() for b in beside)
                tasks.append((_Sum(_Read(catalog.source, columns), one.function, readers), units))
        found = draft.finished(stage, wanted)
        record.begin(len(wanted), len(found))
        receipts |= {unit: one.receipt for unit, one in found.items()}
        for function, units in tasks:
            todo = [unit for unit in units if unit.name not in found]
            done = carry_out(stage, function, todo, crew, record, draft.next)
            receipts |= done.receipts
            failures += done.failures
        draft.settle(stage, found, wanted)
        record.rows = sum(one.rows for one in receipts.values())
    # In the order of names, so that sums do not depend on which piece ended first.
    return [receipts[name] for name in sorted(receipts)], failures


@dataclass(frozen=True)
class MapWork:
    """A catalogue that is a function of the partitions of another.

    Parameters
    ----------
    stage, origin : str
        Its name, and that of the other.
    rows : Catalog
        What the function is given, partition by partition: the other catalogue, or what is made of it.
    function : callable
        Of a partition's rows, of what `given` gave for it, and of the tables of `beside`.
    schema : pyarrow.Schema
        Columns of its result.
    given : callable
        What a partition is given beside its rows; it travels with the task.
    depends : callable
        All that the result of a partition depends on beside rows, for JSON.
    beside : tuple of Beside
        Catalogues whose rows in the same place are wanted too.
    unit : str
        What progress is counted in: ``partitions``, or what the pieces of `origin` say how many they have.
    extra : callable
        What a partition's receipt is to keep of the result, beside its rows.
    prepare : callable, optional
        Called before the first piece, if one is to be done.
    """

    stage: str
    origin: str
    rows: Catalog
    function: Callable[..., pa.Table]
    schema: pa.Schema
    given: Callable[[Pixel], Any] = nothing
    depends: Callable[[Pixel], Any] = nothing
    beside: tuple[Beside, ...] = ()
    unit: str = PARTITIONS
    extra: Callable[[pa.Table], dict[str, Any]] = no_extra
    prepare: Callable[[], None] | None = None


@dataclass(frozen=True)
class _MapTask:
    part: Pixel
    given: Any


@dataclass(frozen=True)
class _Map:
    """Task: write a function of a partition's rows as a partition of another catalogue."""

    read: _Read
    function: Callable[..., pa.Table]
    schema: pa.Schema
    root: Path
    beside: tuple[Besides, ...]
    extra: Callable[[pa.Table], dict[str, Any]]

    def __call__(self, task: _MapTask) -> Done:
        others = [one.read(task.part) for one in self.beside]
        table = self.function(self.read(task.part), task.given, *others)
        columns = [table.column(field.name).cast(field.type) for field in self.schema]
        table = pa.table(columns, schema=self.schema)
        written = write_partition(table, self.root, *task.part)
        return partition_done(self.root, written, **self.extra(table))


def map_catalog(work: MapWork, draft: Draft, crew: Crew, report: Reporter) -> list[Failure]:
    """Bring a catalogue up to date that is a function of the partitions of another."""
    stage = work.stage
    with report.stage(stage, work.unit) as record:
        beside = _besides(work.beside, draft)
        units = [
            Unit(
                part.unit,
                fingerprint(
                    part.sha, code_fingerprint(), work.depends(part.pixel),
                    [one.made_of(part.pixel) for one in beside],
                ),
                _MapTask(part.pixel, work.given(part.pixel)),
                part.weight,
                1 if work.unit == PARTITIONS else part.extra[work.unit],
            )
            for part in _partitions(draft, work.origin)
        ]  # fmt: skip
        wanted = {unit.name: unit.fingerprint for unit in units}
        found = draft.finished(stage, wanted)
        kept = sum(unit.size for unit in units if unit.name in found)
        record.begin(sum(unit.size for unit in units), kept)
        todo = [unit for unit in units if unit.name not in found]
        if todo and work.prepare is not None:
            work.prepare()
        root = draft.next.catalog(stage)
        readers = tuple(one.without_checksums() for one in beside)
        function = _Map(_Read(work.rows.source, work.rows.names), work.function, work.schema, root, readers,
                        work.extra)  # fmt: skip
        done = carry_out(stage, function, todo, crew, record, draft.next)
        receipts = {unit: one.receipt for unit, one in found.items()} | done.receipts
        finish = partial(
            finish_catalog, root, work.schema, map(written_partition, receipts.values()), name=root.name
        )
        draft.settle(stage, found, wanted, folders=[root / "dataset"], parts=[stage], finish=finish)
        record.rows = sum(one.rows for one in receipts.values())
    return done.failures
