"""Tables as a source of a catalogue: LAMOST's medium-resolution ones by name, any other by a column map.

Rows that cannot be used are set aside with their reason.  Text tables have one row a line: a newline inside
a quoted field is not supported.
"""

from __future__ import annotations

import fnmatch
import glob
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.base import Chunk
from lkmrs_dask.readers.binary_tables import NO_HDU
from lkmrs_dask.readers.cells import Cells
from lkmrs_dask.readers.column_map import Match, RawName, match_columns
from lkmrs_dask.readers.convert import Use, convert_block, convert_column
from lkmrs_dask.readers.derive import Defaults, derive_columns
from lkmrs_dask.readers.raw import RawTable
from lkmrs_dask.readers.settings import check_names, parse_column_map
from lkmrs_dask.readers.tables import open_table
from lkmrs_dask.schema import TableSchema

__all__ = ["TableSource"]

NAMES_SHOWN = 60


@dataclass(frozen=True)
class TableSource:
    """Raw tables that feed one catalogue.

    Parameters
    ----------
    schema : TableSchema
        The catalogue.
    patterns : tuple of str
        Files, as glob patterns below `root` (``**`` for any folders).
    root : Path
        Folder of the patterns.
    columns : tuple of (str, str or (str, float))
        Column map: the raw name of a column, or raw name and factor.  It goes before the schema's names
        and aliases.  ``mjd`` and ``bjd_tdb`` are the only columns made by this package that may be mapped.
    constants : tuple of (str, object)
        Values of columns that the files do not have.
    delimiter : str, optional
        Of text tables; found from the header by default (comma, bar, tab or semicolon).
    plans : tuple of str
        Patterns (``fnmatch``, with case) of the observing plans that are wanted; all where empty.
    only_mapped : bool
        Use only `columns` and `constants`, not the schema's names and aliases.
    exptime_single, exptime_coadd : float
        Exposure times in s where the table has none, for the time of mid-exposure.
    low_snr : float
        Spectra with a smaller S/N, or none, are flagged ``low_snr``.
    block_bytes : int
        About how many bytes are converted at once; memory is a few times that.

    Raises
    ------
    UsageError
        Where a setting cannot be right: an unknown column, a factor for text, an impossible constant.
    """

    schema: TableSchema
    patterns: tuple[str, ...]
    root: Path
    columns: tuple[tuple[str, RawName], ...] = ()
    constants: tuple[tuple[str, object], ...] = ()
    delimiter: str | None = None
    plans: tuple[str, ...] = ()
    only_mapped: bool = False
    exptime_single: float = 1200.0
    exptime_coadd: float = 3600.0
    low_snr: float = 2.0
    block_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        for name in ("patterns", "plans"):
            if isinstance(getattr(self, name), str):
                raise UsageError(f"{name} must be a list of patterns, not one text")
        if not self.patterns:
            raise UsageError(f"no file patterns for the catalogue {self.schema.name}")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise UsageError(f"the delimiter must be one character, not {self.delimiter!r}")
        if not 0 < self.block_bytes <= 1 << 30:
            raise UsageError(f"block_bytes must be from 1 to {1 << 30}, not {self.block_bytes}")
        check_names(self.schema, dict(self.columns), dict(self.constants))
        for name, value in self.constants:
            self._constant(name, value)
        plan = dict(self.constants).get("planid")
        if plan is not None and self.plans and not self._plan_fits(plan):
            raise UsageError(f"the constant planid {plan!r} is none of the plans wanted")

    @classmethod
    def from_settings(
        cls,
        schema: TableSchema,
        patterns: list[str] | tuple[str, ...],
        root: Path | str,
        *,
        columns: Mapping[str, object] | None = None,
        constants: Mapping[str, object] | None = None,
        plans: list[str] | tuple[str, ...] = (),
        **settings: Any,
    ) -> TableSource:
        """Make a source from the plain values of a job file.

        Parameters
        ----------
        schema : TableSchema
            The catalogue.
        patterns : list of str
            Files below `root`.
        root : Path or str
            Folder.
        columns : mapping, optional
            ``{"snr": "snrg", "rv": {"from": "z", "scale": 299792.458}}``.
        constants : mapping, optional
            ``{"coadd": True}``.
        plans : list of str, optional
            Patterns of plans.
        **settings
            The other parameters of the class.

        Returns
        -------
        TableSource
            The source.

        Raises
        ------
        UsageError
            Where a setting is unknown or cannot be right.
        """
        known = {name for name in cls.__dataclass_fields__ if name not in ("schema", "patterns", "root")}
        if unknown := sorted(settings.keys() - known):
            raise UsageError(
                f"unknown setting {unknown[0]!r} of a table source; known are {', '.join(sorted(known))}"
            )
        return cls(
            schema,
            patterns if isinstance(patterns, str) else tuple(patterns),
            Path(root),
            columns=parse_column_map(columns or {}),
            constants=tuple((constants or {}).items()),
            plans=plans if isinstance(plans, str) else tuple(plans),
            **settings,
        )

    @property
    def files_together(self) -> int:
        """Files that make one piece of work: tables are large, each is one."""
        return 1

    def files(self) -> list[Path]:
        """Find the files.

        Returns
        -------
        list of Path
            Sorted, each once.

        Raises
        ------
        UsageError
            Where a pattern matches nothing.
        """
        found: set[Path] = set()
        for pattern in self.patterns:
            paths = [self.root / name for name in glob.glob(pattern, root_dir=self.root, recursive=True)]
            if "**" in pattern:  # matches folders on the way
                paths = [path for path in paths if not path.is_dir()]
            if not paths:
                raise UsageError(f"no file matches {pattern!r} in {self.root}")
            found.update(paths)
        return sorted(found)

    def report(self, file: Path) -> dict[str, Any]:
        """Tell how a file's header fits, without reading its rows.

        Parameters
        ----------
        file : Path
            One file.

        Returns
        -------
        dict
            ``found``: raw name by column; ``missing``: columns that the file does not give; ``unknown``: raw
            names that nothing is made of; ``header``: how it was read.

        Raises
        ------
        InputError
            Where the file cannot be opened.
        """
        with closing(self._open(Path(file))) as table:
            match = self._match(table.names)
            found = {use.column.name: use.raw for use in match.uses}
            given = {*found, *dict(self.constants)}
            return {
                "found": found,
                "missing": [c.name for c in self.schema if not c.derived and c.name not in given],
                "unknown": list(match.unknown),
                "header": table.where,
            }

    def read(self, file: Path) -> Iterator[Chunk]:
        """Read one file in bounded memory.

        Parameters
        ----------
        file : Path
            The file.

        Yields
        ------
        Chunk
            Good rows, in the columns that are present or derived, and rows set aside.

        Raises
        ------
        InputError
            Where the file cannot be read, lacks a required column or has no rows; after all chunks before.
        """
        path = Path(file)
        rows = 0
        with closing(self._open(path)) as table:
            match = self._match(table.names)
            self._check_header(path, table, match)
            for block in table.blocks(_types(match.uses)):
                if block.n_rows + block.refused.num_rows:
                    rows += block.n_rows + block.refused.num_rows
                    wanted = self._wanted_plans if self.plans else None
                    yield self._chunk(path, *convert_block(block, match.uses, path, wanted))
        if not rows:
            raise InputError("the table has no rows", file=path)

    def _chunk(self, path: Path, columns: dict[str, pa.Array], n_rows: int, set_aside: pa.Table) -> Chunk:
        constants = {
            name: pa.repeat(self._constant(name, value)[0], n_rows) for name, value in self.constants
        }
        derived = derive_columns(
            self.schema,
            {**columns, **constants},
            n_rows,
            path.name,
            Defaults(self.exptime_single, self.exptime_coadd, self.low_snr),
            only_coadds=dict(self.constants).get("coadd") is True,
        )
        schema = self.schema.arrow(derived)
        return Chunk(pa.Table.from_arrays([derived[name] for name in schema.names], schema=schema), set_aside)

    def _open(self, path: Path) -> RawTable:
        return open_table(path, self._score, delimiter=self.delimiter, block_bytes=self.block_bytes)

    def _score(self, names: Sequence[str]) -> int:
        match = self._match(names)
        return len(match.uses) if not match.missing else len(match.uses) - len(self.schema.columns) - 1

    def _match(self, names: Sequence[str]) -> Match:
        return match_columns(
            self.schema,
            names,
            dict(self.columns),
            constant=dict(self.constants).keys(),
            only_mapped=self.only_mapped,
            needed=("planid",) if self.plans else (),
        )

    def _check_header(self, path: Path, table: RawTable, match: Match) -> None:
        if match.repeated:
            raise InputError(
                f"{table.where} has this name more than once", file=path, column=match.repeated[0]
            )
        if not match.missing:
            return
        column, looked_for = next(iter(match.missing.items()))
        shown = ", ".join(repr(name) for name in table.names[:NAMES_SHOWN])
        more = f" and {len(table.names) - NAMES_SHOWN} more" if len(table.names) > NAMES_SHOWN else ""
        message = f"no column {' or '.join(looked_for)} in {table.where}; names seen: {shown}{more}"
        if table.where.startswith("HDU"):
            message = f"{NO_HDU}: {message}"
        elif not match.uses:
            message += "; no other wanted name either: is the delimiter right (setting delimiter)?"
        else:
            message += "; name it in the job's column map"
        raise InputError(message, file=path, column=column)

    def _wanted_plans(self, plans: pa.Array) -> np.ndarray:
        coded = plans.dictionary_encode()
        fits = np.array([self._plan_fits(plan) for plan in coded.dictionary.to_pylist()] + [False])
        return fits[coded.indices.fill_null(len(fits) - 1).to_numpy()]

    def _plan_fits(self, plan: object) -> bool:
        return any(fnmatch.fnmatchcase(str(plan), pattern) for pattern in self.plans)

    def _constant(self, name: str, value: object) -> pa.Array:
        """One cell of a constant, by the rules for raw cells."""
        problem = ""
        cells = Cells(pa.nulls(1, self.schema[name].arrow_type))
        try:
            cells = convert_column(pa.array([value]), self.schema[name])
        except (TypeError, pa.ArrowException) as fault:
            problem = str(fault)
        if cells.faults or problem:
            problem = problem or cells.faults[0][0]
            raise UsageError(f"the constant {value!r} does not suit the column {name}: {problem}")
        return cells.array


def _types(uses: tuple[Use, ...]) -> dict[str, pa.DataType]:
    """Types in which text may be parsed at once; binary for a raw column that becomes two of unlike types."""
    types: dict[str, pa.DataType] = {}
    for use in uses:
        kind = use.column.arrow_type
        types[use.raw] = kind if types.get(use.raw, kind) == kind else pa.binary()
    return types
