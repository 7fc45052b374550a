"""Light curves as an input of a job: ``[[light_curves]]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from lkmrs_dask.catalog.light_curve_groups import CurveReader
from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.inputs import files_matching
from lkmrs_dask.pipeline.settings import check_names
from lkmrs_dask.readers.light_curves.table_format import TableFormat

__all__ = ["LightCurveSpec", "read_light_curve_spec"]

_FORMAT = tuple(one.name for one in fields(TableFormat) if one.name != "site")


@dataclass(frozen=True)
class LightCurveSpec:
    """One ``[[light_curves]]`` of a job.

    Parameters
    ----------
    files : tuple of str
        Patterns of files under the job's raw folder.
    flux : str
        Which flux of FITS products; see `lkmrs_dask.readers.light_curves.reading.read_light_curve`.
    table : mapping
        What is what in plain tables, as in `TableFormat`; ``where`` is a table of texts by column.
    optional : bool
        Whether the job goes on where no file matches.
    """

    files: tuple[str, ...]
    flux: str = "corrected"
    table: Mapping[str, Any] = field(default_factory=dict)
    optional: bool = False

    def reader(self) -> CurveReader:
        """What reads its files.

        Raises
        ------
        UsageError
            Where the description of tables makes no sense.
        """
        if not self.table:
            return CurveReader(self.flux)
        values = dict(self.table)
        if "band" in values:
            raise UsageError("a catalogue has light in one band: choose its rows by where, not by band")
        if "where" in values:
            values["where"] = tuple((str(key), str(text)) for key, text in values["where"].items())
        return CurveReader(self.flux, TableFormat(**values))

    def found(self, raw: Path) -> list[Path]:
        """Files that are there, sorted.

        Raises
        ------
        UsageError
            When there are none and it is not optional.
        """
        raw = raw.resolve()
        found = files_matching(self.files, raw)
        if not found and not self.optional:
            raise UsageError(f"light curves: no file matches {', '.join(self.files)} in {raw}")
        return found


def read_light_curve_spec(entry: Mapping[str, Any], number: int, path: Path) -> LightCurveSpec:
    """Read one ``[[light_curves]]``.

    Raises
    ------
    UsageError
        When it is wrong; the message names the entry.
    """
    where = f"[[light_curves]] number {number}"
    check_names(entry, ("files", "flux", "table", "optional"), path, where)
    patterns = entry.get("files")
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(patterns, list) or not patterns or not all(isinstance(one, str) for one in patterns):
        raise UsageError(f"job file {path}: {where}: files must be a pattern or a list of patterns")
    absolute = [one for one in patterns if Path(one).is_absolute()]
    if absolute:
        raise UsageError(
            f"job file {path}: {where}: files are patterns below the raw folder, not {absolute[0]}"
        )
    flux, optional = entry.get("flux", "corrected"), entry.get("optional", False)
    if not isinstance(flux, str) or not flux:
        raise UsageError(f"job file {path}: {where}: flux must be corrected, raw or a column, got {flux!r}")
    if not isinstance(optional, bool):
        raise UsageError(f"job file {path}: {where}: optional must be true or false, got {optional!r}")
    table = entry.get("table", {})
    check_names(table, _FORMAT, path, f"{where}: table")
    if not isinstance(table.get("where", {}), Mapping):
        raise UsageError(f'job file {path}: {where}: where must be a table, as in {{ band = "g" }}')
    spec = LightCurveSpec(tuple(patterns), flux, table, optional)
    try:
        spec.reader()
    except UsageError as fault:
        raise UsageError(f"job file {path}: {where}: table: {fault}") from fault
    return spec
