"""Stage ``external``: catalogues of other surveys become HATS in the survey, each whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.receipts import Receipt, WrittenFile, code_fingerprint, fingerprint
from lkmrs_dask.catalog.set_aside import set_aside_path
from lkmrs_dask.errors import CatalogError, LkmrsError, UsageError
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.external import build_external
from lkmrs_dask.pipeline.external_places import table_path
from lkmrs_dask.pipeline.inputs import ExternalSpec
from lkmrs_dask.pipeline.job import Job
from lkmrs_dask.pipeline.progress import Reporter, StageRecord
from lkmrs_dask.pipeline.stages import Failure
from lkmrs_dask.readers.external.kinds import kind_named

__all__ = ["EXTERNAL", "External", "write_external"]

EXTERNAL = "external"


@dataclass(frozen=True)
class External:
    """A catalogue of another survey that is there.

    Parameters
    ----------
    name, kind : str
        See `ExternalSpec`.
    path : str
        Its folder or address.
    made_of : str
        Fingerprint of what it was made of.
    counts : dict
        Rows, and rows set aside by reason.
    """

    name: str
    kind: str
    path: str
    made_of: str
    counts: dict[str, Any]

    def catalog(self) -> Catalog:
        """Open it."""
        return open_catalog(self.path)

    @property
    def id_column(self) -> str:
        """Its identifiers' column."""
        stated = self.catalog().info.properties.get("lkmrs_id_column") or kind_named(self.kind).id_column
        if stated is None:
            raise UsageError(f"external catalogue {self.name}: the column of its identifiers is not known")
        return stated


def write_external(
    job: Job, draft: Draft, crew: Crew, report: Reporter, *, keep: bool = False
) -> tuple[list[External], list[Failure]]:
    """Bring the catalogues of other surveys up to date.

    Parameters
    ----------
    job : Job
        Names them.
    draft, crew, report
        Of the run.
    keep : bool
        Whether those whose files are gone stay as they are: in a run that only adds files.

    Returns
    -------
    externals : list of External
        Those that have positions, in the job's order.
    failures : list of Failure
        Those that could not be made.
    """
    if not job.external and draft.where(EXTERNAL) is None:
        return [], []
    with report.stage(EXTERNAL, "catalogues") as record:
        return _Stage(job, draft, crew, record, keep).run()


class _Stage:
    def __init__(self, job: Job, draft: Draft, crew: Crew, record: StageRecord, keep: bool) -> None:
        self._job, self._draft, self._crew, self._record, self._keep = job, draft, crew, record, keep
        self._receipts: dict[str, Receipt] = {}
        self._failures: list[Failure] = []

    def run(self) -> tuple[list[External], list[Failure]]:
        wanted, files = self._wanted()
        draft = self._draft
        found = draft.finished(EXTERNAL, wanted)
        self._record.begin(len(wanted), len(found))
        self._receipts |= {name: one.receipt for name, one in found.items()}
        changed = EXTERNAL in draft.stale or not draft.same_pieces(EXTERNAL, found, len(wanted))
        if changed:
            draft.keep(found.values())
        for spec in self._job.external:
            if spec.name in wanted and spec.name not in found:
                self._build(spec, files[spec.name], wanted[spec.name])
        if changed:
            draft.prune(EXTERNAL, self._receipts, [draft.next.root / EXTERNAL])
            draft.replace(EXTERNAL)
            draft.replace(f"receipts/{EXTERNAL}")
        self._record.rows = sum(one.rows for one in self._receipts.values())
        return list(self._there()), self._failures

    def _wanted(self) -> tuple[dict[str, str], dict[str, list[Path]]]:
        """Fingerprints and files of the catalogues that are made of files."""
        wanted: dict[str, str] = {}
        files: dict[str, list[Path]] = {}
        for spec in self._job.external:
            if spec.path:
                continue
            known = self._known(spec.name) if self._keep else None
            try:
                files[spec.name] = spec.found(self._job.raw)
            except UsageError:
                if known is None:
                    raise
                files[spec.name] = []
            if files[spec.name]:
                wanted[spec.name] = _fingerprint(spec, files[spec.name])
            elif known is not None:
                wanted[spec.name] = known.fingerprint
        return wanted, files

    def _known(self, name: str) -> Receipt | None:
        try:
            return Receipt.read(self._draft.survey.receipts, EXTERNAL, name)
        except CatalogError:
            return None

    def _build(self, spec: ExternalSpec, files: list[Path], made_of: str) -> None:
        root = self._draft.next.root
        out = root / EXTERNAL / spec.name
        options = dict(spec.options)
        keep = options.pop("columns", None)
        try:
            counts = build_external(spec.kind, files, out, keep=keep, executor=self._crew.executor, **options)
        except LkmrsError as fault:
            self._failures.append(Failure(EXTERNAL, spec.name, 1, str(fault)))
            self._record.fail_unit()
            return
        made = [path for path in sorted(out.rglob("*")) if path.is_file()]
        made += [path for path in (set_aside_path(out), table_path(out)) if path.is_file()]
        written = tuple(WrittenFile.of(root, path) for path in made)
        kept = {name: counts[name] for name in ("rows_set_aside", "repeated_ids", "partitions", "left_out")}
        receipt = Receipt(EXTERNAL, spec.name, made_of, counts["rows"], written, {"kind": spec.kind, **kept})
        receipt.write(self._draft.next.receipts)
        self._receipts[spec.name] = receipt
        self._record.finish_unit(counts["rows"])

    def _there(self) -> Iterable[External]:
        for spec in self._job.external:
            if spec.path:
                catalog = open_catalog(spec.path)
                made_of = fingerprint(spec.path, dict(catalog.info.properties), list(catalog.tiling))
                yield External(spec.name, spec.kind, spec.path, made_of, {"rows": catalog.info.n_rows})
            elif spec.name in self._receipts:
                receipt = self._receipts[spec.name]
                path = self._draft.where(f"{EXTERNAL}")
                assert path is not None
                counts = {"rows": receipt.rows, "rows_set_aside": receipt.extra["rows_set_aside"]}
                if receipt.extra["partitions"]:
                    yield External(spec.name, spec.kind, str(path / spec.name), receipt.fingerprint, counts)


def _fingerprint(spec: ExternalSpec, files: list[Path]) -> str:
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return fingerprint(code_fingerprint(), spec.kind, dict(spec.options), states)
