"""Stages ``light_curve_files`` and ``light_curves``: raw files to whole stars in partitions, piece by piece.

What describes the curves stays in the survey, so that a later run reads new files only, and writes the
partitions that these change; points are read again from raw files where a partition must be written anew.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lkmrs_dask.catalog.hats_write import finish_catalog
from lkmrs_dask.catalog.light_curve_groups import CurveFile, CurveGroup, CurveReader, read_group
from lkmrs_dask.catalog.light_curve_parts import (
    PROPERTIES,
    STORED,
    CurvePart,
    PartLimits,
    arrange,
    lay_out_curves,
    write_part,
)
from lkmrs_dask.catalog.receipts import Receipt, code_fingerprint, fingerprint, whole_file
from lkmrs_dask.catalog.set_aside import list_set_aside
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.map_stage import draft_catalog
from lkmrs_dask.pipeline.partitions import partition_done, size_class, written_partition
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.stages import Done, Failure, Unit, carry_out
from lkmrs_dask.pipeline.survey import MEANS
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA
from lkmrs_dask.readers.light_curves.identity import FIRST_EPIC

__all__ = ["CURVE_FILES", "DESCRIPTIONS", "LIGHT_CURVES", "LightCurves", "write_light_curves"]

LIGHT_CURVES, CURVE_FILES = "light_curves", "light_curve_files"
DESCRIPTIONS = "receipts/light_curve_rows"
_LIST = f"set_aside/{LIGHT_CURVES}.csv"
_MOST = 256  # files of a group; 64 on average
_AVERAGE = 64


@dataclass(frozen=True)
class LightCurves:
    """What the stages gave.

    Parameters
    ----------
    n_files, n_curves, n_points : int
        Files, those that are light curves, and their points.
    stars : dict
        Stars by mission, and ``all``.
    set_aside : dict
        Files that were not used, by reason.
    """

    n_files: int = 0
    n_curves: int = 0
    n_points: int = 0
    stars: dict[str, int] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For ``summary.json``."""
        return asdict(self)


@dataclass(frozen=True)
class _Group:
    """Files that are read together; none where they are gone and only what was read of them is left.

    Of a group whose files are gone in part what was read of these is `kept`, as a group by itself.
    """

    name: str
    made_of: str
    files: tuple[CurveFile, ...]
    n_files: int
    kept: pa.Table | None = None


@dataclass(frozen=True)
class _ReadGroup:
    """Task: read the files of a group."""

    readers: tuple[CurveReader, ...]
    runs: Path
    folder: Path

    def __call__(self, group: _Group) -> Done:
        if group.kept is not None:
            found = CurveGroup(group.kept, SET_ASIDE_SCHEMA.empty_table())
        else:
            found = read_group(self.readers, self.runs, group.name, group.files)
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for kind, table in (("rows", found.rows), ("set_aside", found.set_aside)):
            paths.append(self.folder / f"{group.name}.{kind}.parquet")
            with whole_file(paths[-1]) as temporary:
                pq.write_table(table, temporary, write_page_checksum=True)
        return Done(len(found.rows), tuple(paths), {"n_files": group.n_files})


@dataclass(frozen=True)
class _WritePart:
    """Task: write a partition."""

    readers: tuple[CurveReader, ...]
    runs: Path
    root: Path
    before: Path | None

    def __call__(self, part: CurvePart) -> Done:
        receipt = write_part(self.readers, self.runs, self.root, part, self.before)
        return partition_done(self.root, receipt, stars=part.n_stars)


def write_light_curves(
    job: Job, draft: Draft, crew: Crew, report: Reporter, *, keep: bool = False
) -> tuple[LightCurves | None, list[Failure]]:
    """Bring the catalogue of light curves up to date.

    Curves are those of the survey's stars by their KIC, EPIC and TIC numbers, else of the nearest star within
    the job's radius; those of no star of it keep the name of their file.

    Parameters
    ----------
    job : Job
        Names the files.
    draft, crew, report
        Of the run.
    keep : bool
        Whether what was read of files that are gone stays: in a run that only adds others.

    Returns
    -------
    light_curves : LightCurves or None
        None where there are none.
    failures : list of Failure
        Groups of files and partitions that could not be done.
    """
    readers = tuple(spec.reader() for spec in job.light_curves)
    files = [
        CurveFile(path, number)
        for number, spec in enumerate(job.light_curves)
        for path in spec.found(job.raw)
    ]
    groups = list(_groups(files, readers))
    if keep:
        groups += _gone(draft, groups)
    if not groups:
        return None, []
    read, failures = _read(groups, readers, draft, crew, report)
    # A star may have several rows of these: each of its numbers is one.
    rows, lost = arrange((table for table, _ in read), _targets(draft), job.settings.match_radius_arcsec)
    unused = pa.concat_tables([*(aside for _, aside in read), lost])
    reasons = _list(unused, draft)
    n_files = sum(group.n_files for group in groups)
    if not len(rows):
        report.say(f"no light curve of {n_files:,} files can be used: see {_LIST}")
        return LightCurves(n_files, set_aside=reasons), failures
    failures += _write(lay_out_curves(rows, _limits(job)), readers, draft, crew, report)
    return LightCurves(
        n_files, len(rows), pc.sum(rows.column("n_points")).as_py(), _stars(rows), reasons
    ), failures


def _limits(job: Job) -> PartLimits:
    return PartLimits(job.variability.max_mb, job.variability.max_stars)


def _stars(rows: pa.Table) -> dict[str, int]:
    """Stars by mission."""
    pairs = rows.select(["star_id", "mission"]).group_by(["star_id", "mission"]).aggregate([])
    counted = Counter(pairs.column("mission").to_pylist())
    return {
        "all": len(rows.column("star_id").unique()),
        **{name or "others": n for name, n in sorted(counted.items())},
    }


def _groups(files: Sequence[CurveFile], readers: Sequence[CurveReader]) -> Iterator[_Group]:
    """Divide files so that one more or less changes only the group that it is in."""
    some: list[CurveFile] = []
    for file in files:
        first = hashlib.sha256(file.path.name.encode()).digest()[:4]
        if some and (
            len(some) >= _MOST
            or int.from_bytes(first, "big") % _AVERAGE == 0
            or some[-1].reader != file.reader
        ):
            yield _group(some, readers)
            some = []
        some.append(file)
    if some:
        yield _group(some, readers)


def _group(files: Sequence[CurveFile], readers: Sequence[CurveReader]) -> _Group:
    states = [(str(file.path), file.state, file.reader) for file in files]
    made_of = fingerprint(code_fingerprint(), states, repr(readers[files[0].reader]))
    return _Group(made_of[:24], made_of, tuple(files), len(files))


def _gone(draft: Draft, groups: Sequence[_Group]) -> list[_Group]:
    """What the survey's groups have of files that are no more, and so cannot be read otherwise now."""
    there = {str(file.path) for group in groups for file in group.files}
    left = []
    for name, receipt in Receipt.read_all(draft.survey.receipts, CURVE_FILES, damaged=[]).items():
        rows, aside = _described(draft.survey.root, name)
        paths = [*rows.column("path").to_pylist(), *aside.column("file").to_pylist()]
        gone = [path not in there and not Path(path).is_file() for path in paths]
        if all(gone):
            left.append(_Group(name, receipt.fingerprint, (), receipt.extra["n_files"]))
        elif any(gone[: len(rows)]):
            kept = rows.filter(pa.array(gone[: len(rows)])).combine_chunks()
            made_of = fingerprint(receipt.fingerprint, kept.column("path").to_pylist())
            left.append(_Group(made_of[:24], made_of, (), len(kept), kept))
    return left


def _read(
    groups: Sequence[_Group], readers: tuple[CurveReader, ...], draft: Draft, crew: Crew, report: Reporter
) -> tuple[list[tuple[pa.Table, pa.Table]], list[Failure]]:
    """Read groups that were not read before: rows and what was set aside, of each that could be read."""
    with report.stage(CURVE_FILES, "files") as record:
        wanted = {group.name: group.made_of for group in groups}
        found = draft.finished(CURVE_FILES, wanted)
        size = {group.name: group.n_files for group in groups}
        record.begin(sum(size.values()), sum(size[name] for name in found))
        units = [
            Unit(group.name, group.made_of, group, size_class(group.n_files), group.n_files)
            for group in groups
            if group.name not in found
        ]
        folder = draft.next.root / DESCRIPTIONS
        done = carry_out(
            CURVE_FILES, _ReadGroup(readers, draft.scratch, folder), units, crew, record, draft.next
        )
        draft.settle(CURVE_FILES, found, wanted, folders=[folder], parts=[DESCRIPTIONS])
        record.rows = sum(one.receipt.rows for one in found.values()) + sum(
            one.rows for one in done.receipts.values()
        )
    place = draft.where(DESCRIPTIONS)
    assert place is not None or not (found or done.receipts)
    names = sorted([*found, *done.receipts])
    return [_described(place.parents[1], name) for name in names] if place is not None else [], done.failures


def _described(root: Path, name: str) -> tuple[pa.Table, pa.Table]:
    rows, aside = (
        pq.read_table(root / DESCRIPTIONS / f"{name}.{kind}.parquet", partitioning=None)
        for kind in ("rows", "set_aside")
    )
    return rows, aside


def _targets(draft: Draft) -> pa.Table | None:
    """The survey's stars, a row for each number that a mission gave them."""
    stars = draft_catalog(draft, MEANS)
    if stars is None:
        return None
    table = stars[["star_id", "ra", "dec", "kic_epic", "tic"]].to_arrow()
    number = table.column("kic_epic")
    mission = pc.if_else(pc.greater_equal(number, FIRST_EPIC), "K2", "Kepler")
    base = table.select(["star_id", "ra", "dec"])
    kepler = base.append_column("mission", mission).append_column("target_id", number)
    named = pa.repeat(pa.scalar("TESS"), len(table))
    tess = base.append_column("mission", pa.chunked_array([named])).append_column(
        "target_id", table.column("tic")
    )
    return pa.concat_tables([kepler, tess], promote_options="permissive")


def _list(unused: pa.Table, draft: Draft) -> dict[str, int]:
    """Write the list of files that were not used; gives their number by reason."""
    path = draft.next.root / _LIST
    path.parent.mkdir(parents=True, exist_ok=True)
    unused = unused.sort_by([("file", "ascending"), ("reason", "ascending")])
    reasons, _ = list_set_aside([unused], path)
    draft.replace_if_changed(_LIST)
    return dict(sorted(reasons.items()))


def _write(
    parts: Sequence[CurvePart], readers: tuple[CurveReader, ...], draft: Draft, crew: Crew, report: Reporter
) -> list[Failure]:
    """Write partitions that are not there as they would be."""
    with report.stage(LIGHT_CURVES, "stars") as record:
        units = [
            Unit(
                f"{part.order}-{part.pixel}",
                fingerprint(code_fingerprint(), _made_of(part, readers)),
                part,
                size_class(pc.sum(part.rows.column("n_points")).as_py() or 0),
                part.n_stars,
            )
            for part in parts
        ]
        wanted = {unit.name: unit.fingerprint for unit in units}
        found = draft.finished(LIGHT_CURVES, wanted)
        todo = [unit for unit in units if unit.name not in found]
        record.begin(sum(unit.size for unit in units), sum(unit.size for unit in units if unit.name in found))
        folder = draft.next.catalog(LIGHT_CURVES)
        before = draft.survey.catalog(LIGHT_CURVES)
        function = _WritePart(readers, draft.scratch, folder, before if before.is_dir() else None)
        done = carry_out(LIGHT_CURVES, function, todo, crew, record, draft.next)
        receipts = {unit: one.receipt for unit, one in found.items()} | done.receipts
        written = map(written_partition, receipts.values())
        finish = partial(finish_catalog, folder, STORED, written, name=LIGHT_CURVES, properties=PROPERTIES)
        draft.settle(
            LIGHT_CURVES, found, wanted, folders=[folder / "dataset"], parts=[LIGHT_CURVES], finish=finish
        )
        record.rows = sum(one.rows for one in receipts.values())
    return done.failures


def _made_of(part: CurvePart, readers: Sequence[CurveReader]) -> list[Mapping[str, Any]]:
    """All that a partition depends on, in JSON: its curves, but not with which others they were read."""
    rows = part.rows.drop_columns(["group", "batch"]).to_pylist()
    return [{**row, "reader": repr(readers[row["reader"]])} for row in rows]
