"""Check a survey on disk against its receipts and against what its catalogues promise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.receipts import Receipt
from lkmrs_dask.catalog.running import run_tasks
from lkmrs_dask.catalog.verify import verify_catalog
from lkmrs_dask.errors import CatalogError, LkmrsError
from lkmrs_dask.pipeline.classifier_stage import TRAINING
from lkmrs_dask.pipeline.draft import interrupted_commit
from lkmrs_dask.pipeline.external_stage import EXTERNAL
from lkmrs_dask.pipeline.light_curve_stage import CURVE_FILES
from lkmrs_dask.pipeline.readings import READ, listed_readings
from lkmrs_dask.pipeline.rest import REST
from lkmrs_dask.pipeline.science import DEVIATIONS, OVERVIEW
from lkmrs_dask.pipeline.summary import read_summary
from lkmrs_dask.pipeline.survey import Survey

__all__ = ["Checked", "forget", "verify_survey"]


class Checked(NamedTuple):
    """What was found in one part of a survey.

    Parameters
    ----------
    name : str
        Catalogue, ``others`` or ``receipts``; ``survey`` where nothing can be told yet.
    problems : list of str
        A line each; none for what is sound.
    remove : list of Path
        Files without which the next run makes the damaged pieces anew.
    """

    name: str
    problems: list[str]
    remove: list[Path]


@dataclass(frozen=True)
class _Compare:
    """Task: compare the files of a receipt with it, all bytes of them."""

    root: Path

    def __call__(self, receipt: Receipt) -> list[str]:
        problems = (file.problem(self.root) for file in receipt.files)
        return [problem for problem in problems if problem is not None]


def verify_survey(survey: Survey, executor: Executor | None = None) -> Iterator[Checked]:
    """Check all of a survey: checksums, rows, order, pixels, and one partition for each star.

    Parameters
    ----------
    survey : Survey
        The survey.
    executor : concurrent.futures.Executor, optional
        Where to compute; one thread a core if not given.
    """
    if interrupted_commit(survey):
        problem = (
            "a run was killed while it replaced catalogues: run or ingest again, which finishes that first"
        )
        yield Checked("survey", [problem], [])
        return
    stated = _stated(survey)
    for name in survey.catalog_names():
        if (survey.receipts / name).is_dir() or name in survey.catalogs() or name in stated:
            yield _check_catalog(survey, name, stated.get(name), executor)
    if (survey.receipts / EXTERNAL).is_dir():
        yield Checked(EXTERNAL, *_files(survey, EXTERNAL, executor))
    yield Checked("others", *_files(survey, REST, executor))
    problems, remove = _files(survey, READ, executor)
    for stage in (OVERVIEW, DEVIATIONS, CURVE_FILES, TRAINING):
        found, gone = _files(survey, stage, executor)
        problems, remove = problems + found, remove + gone
    listed, there = listed_readings(survey), Receipt.read_all(survey.receipts, READ, damaged=[])
    if listed is not None:
        problems += [f"the receipt of reading {name} is missing" for name in sorted(set(listed) - set(there))]
    if not survey.success.is_file():
        problems.append("_SUCCESS is missing: the last run has not ended well; run it again")
    yield Checked("receipts", problems, remove)


def _stated(survey: Survey) -> dict[str, int]:
    """Rows of the catalogues by the summary; nothing where it cannot be read, which is told elsewhere."""
    try:
        return (read_summary(survey) or {}).get("catalogs", {})
    except LkmrsError:
        return {}


def _check_catalog(survey: Survey, name: str, stated: int | None, executor: Executor | None) -> Checked:
    problems, remove = _files(survey, name, executor)
    known = {line.split(":", 1)[0] for line in problems}
    path = survey.catalog(name)
    if not path.is_dir():
        counted = f"; summary.json counts {stated:,} rows of it" if stated is not None else ""
        return Checked(name, [f"the catalogue is missing{counted}"], remove)
    try:
        problems += [line for line in verify_catalog(path, executor) if line not in known]
        rows = len(open_catalog(path))
    except LkmrsError as fault:
        problems.append(str(fault))
    else:
        if stated is not None and stated != rows:
            problems.append(f"{rows:,} rows, but summary.json counts {stated:,}")
    if problems and not remove:
        # Damage beside the partitions: where one of them is made anew, all of that is written too.
        remove = sorted((survey.receipts / name).glob("*.json"))[:1]
    return Checked(name, problems, remove)


def _files(survey: Survey, stage: str, executor: Executor | None) -> tuple[list[str], list[Path]]:
    """Compare the files of a stage's pieces with their receipts; list problems, and what is to be removed."""
    damaged: list[CatalogError] = []
    receipts = list(Receipt.read_all(survey.receipts, stage, damaged).values())
    problems = [str(fault) for fault in damaged]
    if not receipts and stage in survey.catalogs():
        problems.append("it has no receipts, so its files cannot be told from others")
    known = {receipt.path(survey.receipts) for receipt in receipts}
    remove = [path for path in (survey.receipts / stage).glob("*.json") if path not in known]
    for receipt, found in zip(receipts, run_tasks(_Compare(survey.root), receipts, executor), strict=True):
        problems += found
        if found and stage in (READ, REST):
            # The receipt stays: it says which raw files there were, and which files there should be.
            remove += [survey.root / file.path for file in receipt.files if file.problem(survey.root)]
        elif found:
            remove.append(receipt.path(survey.receipts))
    return problems, remove


def forget(checked: Iterable[Checked]) -> int:
    """Give up on damaged pieces, so that the next run makes these anew; returns the number of files removed.

    The caller holds the survey's lock.
    """
    remove = [path for one in checked for path in one.remove]
    for path in remove:
        path.unlink(missing_ok=True)
    return len(remove)
