"""Raw files to catalogues: read, find the stars, write partitions."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lkmrs_dask.catalog.build import build_catalog, gather_sightings, place_stars
from lkmrs_dask.catalog.running import run_tasks
from lkmrs_dask.catalog.runs import ReadFile, Run, RunSet, read_file
from lkmrs_dask.errors import InputError, LkmrsError
from lkmrs_dask.pipeline.job import Settings
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, Source
from lkmrs_dask.schema import HEALPIX_COLUMN, TABLES
from lkmrs_dask.stars.identity import resolve_stars

__all__ = ["Ingested", "ingest"]


@dataclass
class Ingested:
    """What came of the raw files.

    Parameters
    ----------
    stars : pyarrow.Table
        Every star: ``star_id``, ``uid``, ``ra``, ``dec``, ``_healpix_29``.
    rows : dict
        Rows written by catalogue.
    set_aside : dict
        Rows set aside by reason.
    failures : list of InputError
        Files whose reading ended early.
    files : list of Path
        All files that were read.
    """

    stars: pa.Table
    rows: dict[str, int] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    failures: list[InputError] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def ingest(
    sources: Sequence[tuple[str, Source]],
    settings: Settings,
    survey: Survey,
    executor: Executor,
    report: Reporter,
    earlier: Mapping[str, int] | None = None,
) -> Ingested:
    """Make the catalogues of a survey, each named beside its sources of rows.

    Parameters
    ----------
    sources : sequence of (str, Source)
        Catalogue and reader.
    settings : Settings
        The job's.
    survey : Survey
        Where they go.
    executor : Executor
        Where to compute.
    report : Reporter
        Shows the stages.
    earlier : mapping, optional
        Rows set aside before, by reason: what is set aside now is added to that.

    Raises
    ------
    LkmrsError
        When no row of any file could be used.
    """
    shutil.rmtree(survey.work, ignore_errors=True)
    survey.work.mkdir(parents=True)
    owners: list[str] = []
    tasks: list[ReadFile] = []
    for name, source in sources:
        for file in source.files():
            tasks.append(ReadFile(source, file, survey.work / f"{name}-{len(tasks):05d}"))
            owners.append(name)
    with report.stage("read", "files") as (record, progress):
        sets = run_tasks(read_file, tasks, executor, progress)
        record.rows = sum(run.rows for one in sets for run in one.runs)
    runs = {name: [run for owner, one in zip(owners, sets, strict=True) if owner == name for run in one.runs]
            for name in dict.fromkeys(owners)}  # fmt: skip
    result = Ingested(
        pa.table({}),
        set_aside=dict(earlier or {}),
        failures=[one.failure for one in sets if one.failure is not None],
        files=[task.file for task in tasks],
    )
    if earlier is not None and survey.set_aside.is_dir():
        shutil.copytree(survey.set_aside, survey.new_set_aside)
    _write_set_aside(survey, owners, sets, result)
    every = [run for some in runs.values() for run in some]
    if not every:
        first = f"; the first fault: {result.failures[0]}" if result.failures else ""
        if not survey.catalogs():
            survey.publish_set_aside()
        reasons = survey.new_set_aside if survey.catalogs() else survey.set_aside
        raise LkmrsError(f"no row of {len(tasks)} files could be used, see {reasons}{first}")

    with report.stage("stars") as (record, _):
        stars, star_of_sighting = _find_stars(every, settings, survey)
        places = place_stars(every, stars, star_of_sighting, survey.work)
        record.rows = stars.num_rows
        result.stars = stars
    for name, some in runs.items():
        if some:
            with report.stage(name) as (record, progress):
                built = build_catalog(
                    some,
                    places,
                    TABLES[name],
                    survey.catalog(name),
                    max_rows=settings.max_rows,
                    max_bytes=settings.max_mb << 20,
                    executor=executor,
                    progress=progress,
                )
                record.rows = result.rows[name] = built.rows
            _write_repeats(survey, name, built.repeats, result)
    return result


def _find_stars(
    runs: Sequence[Run], settings: Settings, survey: Survey
) -> tuple[pa.Table, NDArray[np.int64]]:
    sightings = gather_sightings(runs)
    found = resolve_stars(
        sightings.column("uid"),
        sightings.column("ra").to_numpy(),
        sightings.column("dec").to_numpy(),
        sightings.column("count").to_numpy(),
        radius_arcsec=settings.star_radius_arcsec,
        uid_spread_arcsec=settings.uid_spread_arcsec,
    )
    if found.suspicious.num_rows:
        survey.new_set_aside.mkdir(parents=True, exist_ok=True)
        pa.csv.write_csv(found.suspicious, survey.new_set_aside / "suspicious_positions.csv")
    columns = {"star_id": found.star_id, "uid": found.uid, "ra": found.ra, "dec": found.dec,
               HEALPIX_COLUMN: found.healpix29}  # fmt: skip
    return pa.table(columns), found.star


def _write_set_aside(survey: Survey, owners: Sequence[str], sets: Sequence[RunSet], result: Ingested) -> None:
    """Write the rows that readers set aside as CSV, a file a catalogue, and count them by reason."""
    for name in dict.fromkeys(owners):
        parts = [one.set_aside for owner, one in zip(owners, sets, strict=True) if owner == name]
        # In one piece: pyarrow 26 writes garbage for an empty first one when it writes no header.
        table = pa.concat_tables([SET_ASIDE_SCHEMA.empty_table(), *parts]).combine_chunks()
        if table.num_rows:
            survey.new_set_aside.mkdir(parents=True, exist_ok=True)
            path = survey.new_set_aside / f"{name}.csv"
            old = path.is_file()
            with path.open("ab") as stream:
                pa.csv.write_csv(table, stream, pa.csv.WriteOptions(include_header=not old))
        for item in pc.value_counts(table.column("reason")).to_pylist():
            result.set_aside[item["values"]] = result.set_aside.get(item["values"], 0) + item["counts"]


def _write_repeats(survey: Survey, name: str, repeats: pa.Table, result: Ingested) -> None:
    """Keep rows that named a spectrum a second time; the first row has what it lacked filled from them."""
    if repeats.num_rows:
        survey.new_set_aside.mkdir(parents=True, exist_ok=True)
        path = survey.new_set_aside / f"{name}_repeated.parquet"
        old = [pq.read_table(path)] if path.is_file() else []
        pq.write_table(pa.concat_tables([*old, repeats], promote_options="default"), path)
        result.set_aside["repeated key"] = result.set_aside.get("repeated key", 0) + repeats.num_rows
