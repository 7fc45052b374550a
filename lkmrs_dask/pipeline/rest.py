"""The receipt of all files of a survey that no piece wrote: tables, lists, what describes catalogues.

So that a check misses what is gone or changed, and the next run makes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lkmrs_dask.catalog.receipts import Receipt, WrittenFile
from lkmrs_dask.errors import CatalogError
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.readings import LIST, PLACES
from lkmrs_dask.pipeline.survey import CATALOGS, MATCHES, Survey
from lkmrs_dask.schema import TABLES

__all__ = ["REST", "stale_parts", "write_rest"]

REST, _UNIT = "rest", "all"
_FILES = (
    *(f"set_aside/{name}.csv" for name in TABLES),
    "set_aside/suspicious_positions.csv",
    "set_aside/light_curves.csv",
    LIST,
    "receipts/job.json",
    "summary.json",
)
_FOLDERS = ("products", PLACES)


def write_rest(draft: Draft) -> None:
    """Write the receipt for what a survey will have when the draft is committed."""
    files = [WrittenFile.of(root, path) for root, path in _rest(draft)]
    Receipt(REST, _UNIT, REST, files=tuple(files)).write(draft.next.receipts)
    draft.replace(f"receipts/{REST}")


def _rest(draft: Draft) -> Iterator[tuple[Path, Path]]:
    """Files, each beside the root that its name in the survey is relative to."""
    names = dict.fromkeys([*draft.survey.catalog_names(), *draft.next.catalog_names()])
    for name in (*names, *_FOLDERS, *_FILES):
        there = draft.where(name)
        if there is None:
            continue
        root = there.parents[name.count("/")]
        for path in [there] if there.is_file() else sorted(there.rglob("*")):
            if path.is_file() and not (name in names and path.name.startswith("Npix=")):
                yield root, path


def stale_parts(survey: Survey) -> set[str]:
    """Catalogues, folders and files of a survey that lack something, or hold what was not written so."""
    try:
        receipt = Receipt.read(survey.receipts, REST, _UNIT)
    except CatalogError:
        receipt = None
    if receipt is None:
        return {*survey.catalog_names(), *_FOLDERS, *_FILES}
    changed = (file.path for file in receipt.files if not file.unchanged(survey.root))
    return {next((name for name in _FOLDERS if path.startswith(f"{name}/")), _top(path)) for path in changed}


def _top(path: str) -> str:
    top, *rest = path.split("/")
    if top == MATCHES:
        return f"{top}/{rest[0]}"
    return top if top in CATALOGS else path
